// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fault.c - the disk is full, or fails, at each of its calls in turn: an error with a sentence, and the store is as
 * before or as after; and it goes on when the disk does
 */
#include "work.h"

static char **states;

static void record(void)
{
	struct work w = { 0 };
	InkTagDb *db = work_create();

	states = g_new0(char *, work_steps() + 2);
	states[0] = store_dump(db);
	for (unsigned int i = 0; i < work_steps(); i++) {
		int ret = work_step(db, &w, i);

		ck_assert_msg(ret == 0 || ret == -EBUSY, "step %u: %d, %s", i, ret, inktag_db_error(db));
		states[i + 1] = store_dump(db);
	}
	inktag_db_close(db);
}

/* The step failed. Where is the store now? Opened again if it must be. */
static InkTagDb *look(InkTagDb *db, unsigned int step, int ret, bool *done)
{
	bool known = !db->failed;
	InkTagDbError err;
	char *is;

	ck_assert_msg(g_pattern_match_simple("store '*' ?*", inktag_db_error(db)), "%s", inktag_db_error(db));
	disk_fail(DISK_EIO, 0, 0);
	if (!known) {
		InkTagDbInfo info;

		ck_assert_int_eq(ret, -EIO);
		ck_assert_int_eq(inktag_db_info(db, &info), -EIO);
		inktag_db_close(db);
		db = work_open(&err);
		ck_assert_msg(db, "%s", err.text);
		is = store_dump(db);
		*done = strcmp(is, states[step]) != 0;
		ck_assert_msg(!*done || !strcmp(is, states[step + 1]), "step %u: neither before nor after", step);
	} else {
		/* It says that nothing was done: then a crash does not bring it back, either. */
		struct disk crashed = { 0 };

		disk_copy(&crashed, &disk);
		inktag_db_close(db);
		disk_copy(&disk, &crashed);
		disk_free(&crashed);
		db = work_open(&err);
		ck_assert_msg(db, "%s", err.text);
		is = store_dump(db);
		ck_assert_str_eq(is, states[step]);
		*done = false;
	}
	store_valid(db);
	g_free(is);
	return db;
}

/* The work with one fault at call number `at`. False: the work is over before. */
static bool work_with(enum disk_fault fault, uint64_t at, uint64_t times)
{
	InkTagDb *db = work_create();
	struct work w = { 0 };
	bool hit = false;

	disk_fail(fault, at, times);
	for (unsigned int i = 0; i < work_steps(); i++) {
		struct work before = w;
		int ret = work_step(db, &w, i);
		bool done;

		if (ret == 0 || ret == -EBUSY) {
			/* A checkpoint may fail without harm: what it would have moved stays in the log. */
			if (disk.failed) {
				char *is;

				hit = true;
				disk_fail(fault, 0, 0);
				is = store_dump(db);
				ck_assert_str_eq(is, states[i + 1]);
				g_free(is);
			}
			continue;
		}
		hit = true;
		ck_assert_int_eq(ret, fault == DISK_FULL ? -ENOSPC : -EIO);
		db = look(db, i, ret, &done);
		ck_assert_msg(fault != DISK_FULL || !done, "step %u: the disk was full, and something was done", i);
		if (!done) {
			w = before;
			ret = work_step(db, &w, i);
			ck_assert_msg(ret == 0 || ret == -EBUSY, "step %u again: %d, %s", i, ret, inktag_db_error(db));
		} else {
			/* Its results are lost with the error; what follows needs them. */
			inktag_db_close(db);
			return true;
		}
	}
	inktag_db_close(db);
	disk_fail(fault, 0, 0);
	db = store_open(&on_disk);
	store_valid(db);
	inktag_db_close(db);
	return hit;
}

/* Each third call is enough where all that follow fail, too; which of them, the seed says. */
static void each_call(enum disk_fault fault, uint64_t times)
{
	uint64_t stride = times == 1 ? 1 : 3, at;

	record();
	for (at = 1 + seed % stride; work_with(fault, at, times); at += stride)
		;
	printf("faults: %lu calls, %s %s\n", (unsigned long)at - 1, fault == DISK_FULL ? "full" : "EIO",
	       times == 1 ? "once" : "for good");
	ck_assert_uint_gt(at, 3 * work_steps());
	g_strfreev(states);
}

START_TEST(full_once)
{
	each_call(DISK_FULL, 1);
}
END_TEST

START_TEST(full_until_freed)
{
	each_call(DISK_FULL, UINT64_MAX);
}
END_TEST

START_TEST(error_once)
{
	each_call(DISK_EIO, 1);
}
END_TEST

START_TEST(error_for_good)
{
	each_call(DISK_EIO, UINT64_MAX);
}
END_TEST

/* Making the store: it is there, or nothing is. Opening: it opens, or says why and is as it was. */
START_TEST(create_and_open)
{
	for (int fault = DISK_FULL; fault <= DISK_EIO; fault++) {
		for (uint64_t at = 1;; at++) {
			InkTagDbError err = { "" };
			InkTagDb *db;
			int ret;

			disk_clear();
			disk_fail(fault, at, 1);
			ret = inktag_db_create(&on_disk, &err);
			if (!disk.failed)
				break;
			if (ret) {
				ck_assert(g_pattern_match_simple("store '*' ?*", err.text));
				disk_fail(fault, 0, 0);
				ck_assert_int_eq(inktag_db_create(&on_disk, &err), 0);
			}
			disk_fail(fault, 0, 0);
			db = store_open(&on_disk);
			store_valid(db);
			inktag_db_close(db);
		}
		for (uint64_t at = 1;; at++) {
			InkTagDb *db = store_new();
			InkTagDbError err = { "" };
			char *was, *is;
			int ret;

			object_new(db);
			was = store_dump(db);
			inktag_db_close(db);
			disk_fail(fault, at, 1);
			ret = inktag_db_open(&on_disk, &db, &err);
			if (!disk.failed) {
				inktag_db_close(db);
				g_free(was);
				break;
			}
			disk_fail(fault, 0, 0);
			if (ret) {
				ck_assert(g_pattern_match_simple("store '*' ?*", err.text));
				db = store_open(&on_disk);
			}
			is = store_dump(db);
			ck_assert_str_eq(was, is);
			inktag_db_close(db);
			g_free(was);
			g_free(is);
		}
	}
}
END_TEST

Suite *suite_fault(void)
{
	Suite *s = suite_create("fault");
	TCase *tc = unit_case("fault");

	tcase_add_test(tc, full_once);
	tcase_add_test(tc, full_until_freed);
	tcase_add_test(tc, error_once);
	tcase_add_test(tc, error_for_good);
	tcase_add_test(tc, create_and_open);
	suite_add_tcase(s, tc);
	return s;
}
