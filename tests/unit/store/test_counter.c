// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_counter.c - the counter against older copies: each interleaving of transaction, counter and crash
 *
 * The store is on the disk in memory, the counter a real file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>
#include "unit.h"

static char *counter;
static InkTagDbOptions with;

static void setup(void)
{
	InkTagDbError err;
	int fd = g_file_open_tmp("inktag-unit-counter.XXXXXX", &counter, NULL);

	close(fd);
	unlink(counter);
	disk_clear();
	with = on_disk;
	with.counter = counter;
	ck_assert_int_eq(inktag_db_create(&with, &err), 0);
}

static void teardown(void)
{
	unlink(counter);
	g_free(counter);
}

/* The counter as it is, to be put back. */
static char *taken;
static gsize taken_size;

static void take(void)
{
	ck_assert(g_file_get_contents(counter, &taken, &taken_size, NULL));
}

static void put_back(void)
{
	ck_assert(g_file_set_contents(counter, taken, taken_size, NULL));
	g_free(taken);
}

static void overwrite(off_t offset, const void *bytes, size_t size)
{
	int fd = open(counter, O_WRONLY);

	ck_assert_int_eq(pwrite(fd, bytes, size, offset), size);
	close(fd);
}

START_TEST(in_step)
{
	for (int i = 0; i < 5; i++) {
		InkTagDb *db = store_open(&with);

		object_new(db);
		object_new(db);
		inktag_db_close(db);
	}
}
END_TEST

/* Replaced by an older copy, by one transaction or more. */
START_TEST(older_copy)
{
	struct disk copies[3] = { 0 };
	InkTagDb *db;

	for (int i = 0; i < 3; i++) {
		db = store_open(&with);
		object_new(db);
		inktag_db_close(db);
		disk_copy(&copies[i], &disk);
	}
	for (int i = 0; i < 2; i++) {
		disk_copy(&disk, &copies[i]);
		store_refused(&with, ESTALE, "is an older copy: its generation is ?, and its counter says 4");
		with.read_only = true;
		disk_copy(&disk, &copies[i]);
		with.read_only = false;
	}
	disk_copy(&disk, &copies[2]);
	inktag_db_close(store_open(&with));
	for (int i = 0; i < 3; i++)
		disk_free(&copies[i]);
}
END_TEST

/* One transaction, and the counter as it was before it; in before, the disk as it was. */
static void change_uncounted(struct disk *before)
{
	InkTagDb *db;

	disk_copy(before, &disk);
	take();
	db = store_open(&with);
	object_new(db);
	inktag_db_close(db);
	put_back();
}

/* The transaction is durable, and the counter not yet: accepted, and from then on the counter knows it. */
START_TEST(crash_before_counter)
{
	struct disk before = { 0 };

	change_uncounted(&before);
	inktag_db_close(store_open(&with));
	disk_copy(&disk, &before);
	store_refused(&with, ESTALE, "is an older copy*");
	disk_free(&before);
}
END_TEST

/* Neither: the counter says what it said, and the store before the transaction is the right one. */
START_TEST(crash_before_commit)
{
	struct disk before = { 0 };

	change_uncounted(&before);
	disk_copy(&disk, &before);
	inktag_db_close(store_open(&with));
	disk_free(&before);
}
END_TEST

/* The crash came in the middle of the counter's write: the slot that was not written counts. */
START_TEST(torn_slot)
{
	struct disk before = { 0 };
	char torn[512];

	memset(torn, 0x5a, sizeof(torn));
	for (int slot = 0; slot < 2; slot++) {
		InkTagDb *db;

		/* The newest value is in the slot that is torn then. */
		disk_copy(&before, &disk);
		db = store_open(&with);
		object_new(db);
		inktag_db_close(db);
		overwrite(slot ? 0 : 4096, torn, 20);
		inktag_db_close(store_open(&with));
		disk_copy(&disk, &before);
		store_refused(&with, ESTALE, "is an older copy*");
		db = store_open(&on_disk);
		object_new(db);
		inktag_db_close(db);
	}
	disk_free(&before);
}
END_TEST

START_TEST(damaged)
{
	char bytes[512] = { 0 };

	overwrite(8, bytes, 1);
	overwrite(4096 + 24, "\xff", 1);
	store_refused(&with, EUCLEAN, "has a counter file '*' that is none, or damaged");
	ck_assert_int_eq(truncate(counter, 0), 0);
	store_refused(&with, EUCLEAN, "has a counter file '*' that is none, or damaged");
}
END_TEST

START_TEST(missing)
{
	unlink(counter);
	store_refused(&with, ENOENT, "cannot use its counter file '*': No such file or directory");
	ck_assert_int_ne(access(counter, F_OK), 0);
	inktag_db_close(store_open(&on_disk));
}
END_TEST

START_TEST(another_stores)
{
	InkTagDbError err;

	disk_clear();
	ck_assert_int_eq(inktag_db_create(&with, &err), -EEXIST);
	ck_assert_ptr_null(disk_data(STORE));
	ck_assert_int_eq(inktag_db_create(&on_disk, &err), 0);
	store_refused(&with, EUCLEAN, "has another store's counter file '*'");
}
END_TEST

START_TEST(accept_older)
{
	struct disk before = { 0 };
	InkTagDb *db;

	disk_copy(&before, &disk);
	db = store_open(&with);
	object_new(db);
	REFUSED(db, EINVAL, inktag_db_counter_accept(db, counter));
	inktag_db_close(db);
	disk_copy(&disk, &before);
	db = store_open(&on_disk);
	MUST(db, inktag_db_counter_accept(db, counter));
	inktag_db_close(db);
	inktag_db_close(store_open(&with));
	unlink(counter);
	db = store_open(&on_disk);
	MUST(db, inktag_db_counter_accept(db, counter));
	inktag_db_close(db);
	inktag_db_close(store_open(&with));
	disk_free(&before);
}
END_TEST

/* The counter's disk is full: the caller is told, and nothing goes on; the transaction itself is there. */
START_TEST(counter_fails)
{
	struct rlimit none = { 0, RLIM_INFINITY }, was;
	InkTagDb *db = store_open(&with);
	InkTagDbOid oid;
	InkTagDbInfo info;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	setrlimit(RLIMIT_FSIZE, &none);
	ck_assert_int_eq(inktag_db_object_create(db, &oid), -EIO);
	setrlimit(RLIMIT_FSIZE, &was);
	ck_assert(g_pattern_match_simple("store '*' cannot use its counter file*", inktag_db_error(db)));
	ck_assert_int_eq(inktag_db_object_create(db, &oid), -EIO);
	ck_assert_int_eq(inktag_db_info(db, &info), -EIO);
	ck_assert(g_pattern_match_simple("store '*' failed before, and cannot be relied on: open it again", inktag_db_error(db)));
	inktag_db_close(db);
	db = store_open(&with);
	MUST(db, inktag_db_info(db, &info));
	ck_assert_uint_eq(info.generation, 2);
	ck_assert_uint_eq(info.objects, 1);
	object_new(db);
	inktag_db_close(db);
}
END_TEST

Suite *suite_counter(void)
{
	Suite *s = suite_create("counter");
	TCase *tc = unit_case("counter");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, in_step);
	tcase_add_test(tc, older_copy);
	tcase_add_test(tc, crash_before_counter);
	tcase_add_test(tc, crash_before_commit);
	tcase_add_test(tc, torn_slot);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, missing);
	tcase_add_test(tc, another_stores);
	tcase_add_test(tc, accept_older);
	tcase_add_test(tc, counter_fails);
	suite_add_tcase(s, tc);
	return s;
}
