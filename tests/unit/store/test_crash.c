// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_crash.c - a crash at each instant of the work: whoever opens the store afterwards finds the state after the last
 * step that had returned, or after the one that was under way, whole
 */
#include "work.h"

#define VARIANTS	4	/* random ones, of what is unsynced, at each instant */

struct run {
	struct disk base;
	GPtrArray *log;
	char **states;		/* after so many steps */
};

/* One step is refused: the object has names. */
static void step(InkTagDb *db, struct work *w, unsigned int i)
{
	int ret = work_step(db, w, i);

	ck_assert_msg(ret == 0 || ret == -EBUSY, "step %u: %d, %s", i, ret, inktag_db_error(db));
}

static void record(struct run *run)
{
	struct work w = { 0 };
	InkTagDb *db = work_create();
	unsigned int i;

	run->states = g_new0(char *, work_steps() + 2);
	run->states[0] = store_dump(db);
	inktag_db_close(db);
	disk_log_begin(&run->base);
	db = work_open(&(InkTagDbError){ 0 });
	disk_log_mark(0);
	for (i = 0; i < work_steps(); i++) {
		step(db, &w, i);
		run->states[i + 1] = store_dump(db);
		disk_log_mark(i + 1);
	}
	inktag_db_close(db);
	run->log = disk_log_end();
}

static void free_run(struct run *run)
{
	disk_free(&run->base);
	g_ptr_array_unref(run->log);
	g_strfreev(run->states);
}

/* How many steps the store on the disk has seen: done, or the one after it, too. */
static unsigned int state_of(struct run *run, InkTagDb *db, unsigned int done, const char *when)
{
	char *is = store_dump(db);
	unsigned int n = done;

	if (strcmp(is, run->states[n]) && run->states[n + 1])
		n++;
	ck_assert_msg(!strcmp(is, run->states[n]), "%s, after %u steps, the store is in neither state:\n%s\nbut:\n%s",
		      when, done, run->states[done], is);
	g_free(is);
	return n;
}

/* The crashed store is opened, works on, and crashes again. */
static void crash_again(InkTagDb *db, unsigned int done, GRand *rand, const char *when)
{
	struct disk base = { 0 };
	InkTagDbError err;
	InkTagDbOid oid;
	GPtrArray *log;
	char *before, *after, *is;

	inktag_db_close(db);
	disk_log_begin(&base);
	db = work_open(&err);
	ck_assert_msg(db, "%s: %s", when, err.text);
	before = store_dump(db);
	disk_log_mark(0);
	MUST(db, inktag_db_object_create(db, &oid));
	after = store_dump(db);
	inktag_db_close(db);
	log = disk_log_end();
	disk_crash(&base, log, g_rand_int_range(rand, 0, log->len + 1), DISK_KEEP_SOME, rand);
	db = work_open(&err);
	ck_assert_msg(db, "%s, and again: %s", when, err.text);
	is = store_dump(db);
	ck_assert_msg(!strcmp(is, before) || !strcmp(is, after), "%s, after %u steps and another crash: neither", when, done);
	store_valid(db);
	inktag_db_close(db);
	g_free(before);
	g_free(after);
	g_free(is);
	g_ptr_array_unref(log);
	disk_free(&base);
}

static unsigned int crash(struct run *run, size_t at, unsigned int done, enum disk_keep keep, bool twice, GRand *rand)
{
	char *when = g_strdup_printf("crash at %zu of %u, keep %d", at, run->log->len, keep);
	InkTagDbError err;
	unsigned int n;
	InkTagDb *db;

	disk_crash(&run->base, run->log, at, keep, rand);
	db = work_open(&err);
	ck_assert_msg(db, "%s: %s", when, err.text);
	n = state_of(run, db, done, when);
	store_valid(db);
	if (twice)
		crash_again(db, n, rand, when);
	else
		inktag_db_close(db);
	g_free(when);
	return n;
}

START_TEST(each_instant)
{
	GRand *rand = g_rand_new_with_seed(seed);
	unsigned int done = 0, states = 0, early = 0;
	struct run run = { 0 };

	record(&run);
	/* The steps are far more than one write each. */
	ck_assert_uint_gt(run.log->len, 5 * work_steps());
	for (size_t at = 0; at <= run.log->len; at++) {
		const struct disk_entry *e = at ? run.log->pdata[at - 1] : NULL;

		if (e && e->op == DISK_MARK)
			done = e->offset;
		early += crash(&run, at, done, DISK_KEEP_ALL, false, rand) > done;
		crash(&run, at, done, DISK_KEEP_NONE, false, rand);
		for (int i = 0; i < VARIANTS; i++)
			crash(&run, at, done, DISK_KEEP_SOME, i == 0, rand);
		states += 3 + VARIANTS;
	}
	ck_assert_uint_gt(early, 0);
	printf("crashes: %u states of %u writes and syncs\n", states, run.log->len);
	free_run(&run);
	g_rand_free(rand);
}
END_TEST

/* While the store is made: then it is no store yet, or it is whole. */
START_TEST(each_instant_of_create)
{
	GRand *rand = g_rand_new_with_seed(seed);
	struct disk base = { 0 };
	InkTagDbError err;
	GPtrArray *log;
	InkTagDb *db;
	int whole = 0;

	disk_clear();
	disk_log_begin(&base);
	ck_assert_int_eq(inktag_db_create(&on_disk, &err), 0);
	log = disk_log_end();
	for (size_t at = 0; at <= log->len; at++) {
		for (int i = 0; i < VARIANTS; i++) {
			int ret;

			disk_crash(&base, log, at, i, rand);
			ret = inktag_db_open(&on_disk, &db, &err);
			if (ret == 0) {
				whole++;
				store_valid(db);
				inktag_db_close(db);
				continue;
			}
			ck_assert_msg(at < log->len || i, "%s", err.text);
			ck_assert_msg(ret == -EMEDIUMTYPE || ret == -ENOENT, "%d, %s", ret, err.text);
		}
	}
	ck_assert_int_gt(whole, 0);
	/* What was returned stays. */
	for (int i = 0; i < 10 * VARIANTS; i++) {
		disk_crash(&base, log, log->len, DISK_KEEP_SOME, rand);
		inktag_db_close(store_open(&on_disk));
	}
	g_ptr_array_unref(log);
	g_rand_free(rand);
}
END_TEST

Suite *suite_crash(void)
{
	Suite *s = suite_create("crash");
	TCase *tc = unit_case("crash");

	tcase_add_test(tc, each_instant);
	tcase_add_test(tc, each_instant_of_create);
	suite_add_tcase(s, tc);
	return s;
}
