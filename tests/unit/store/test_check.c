// SPDX-License-Identifier: GPL-2.0-or-later
/* test_check.c - check finds each violation; dump; backup */
#include <unistd.h>
#include "unit.h"

static InkTagDb *db;
static InkTagDbOid oid;

/* Two settled pages, one prepared, a longer length pending, a lost page, two names. */
static void setup(void)
{
	InkTagDbFound f = { .index = 1, .kind = INKTAG_DB_FOUND_NEITHER };

	db = store_new();
	oid = object_new(db);
	MUST(db, inktag_db_settle(db, &oid, prepare(db, &oid, 0, 1, 8192)));
	prepare(db, &oid, 2, 2, 12288);
	MUST(db, inktag_db_resolve(db, &oid, &f, 1));
	MUST(db, inktag_db_name_bind(db, "/a", &oid));
	MUST(db, inktag_db_name_bind(db, "/d/\xff", &oid));
	MUST(db, inktag_db_policy_set(db, &oid, "P", 1));
}

static void teardown(void)
{
	inktag_db_close(db);
}

static void report(void *opaque, const char *what)
{
	g_string_append_printf(opaque, "%s\n", what);
}

static const struct {
	const char *edit;
	const char *found;	/* a pattern, in what is said */
} violations[] = {
	{ "DELETE FROM meta", "there are 0 identities" },
	{ "UPDATE object SET length = 12288", "* has pending lengths out of order" },
	{ "INSERT INTO pending SELECT object, prepared + 1, length - 1 FROM pending", "* has pending lengths out of order" },
	{ "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4) "
	  "INSERT INTO pending SELECT object, prepared + i, length + i FROM pending, n", "* has 5 pending lengths" },
	{ "UPDATE page SET version = 4 WHERE idx = 2", "* page 2 has version 4, which was never handed out" },
	{ "UPDATE page SET version = 1 WHERE idx = 2", "* has version 1 2 times" },
	{ "UPDATE page SET prepared = 1000 WHERE idx = 2", "* page 2 was prepared in generation 1000*" },
	{ "UPDATE pending SET prepared = 1000", "* has a length pending since generation 1000*" },
	{ "UPDATE lost SET generation = 1000", "* page 1 was lost in generation 1000*" },
	{ "UPDATE object SET next_version = 100; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4) "
	  "INSERT INTO page SELECT object, idx, i, version + 10 + i, salt, tag FROM page, n WHERE idx = 0",
	  "* page 0 has 5 versions" },
	{ "UPDATE page SET prepared = 0 WHERE idx = 2", "* page 2 is beyond the end" },
	{ "UPDATE page SET idx = 3 WHERE idx = 2", "* page 3 is beyond the end" },
	{ "DELETE FROM page WHERE idx = 1", "* page 1 is lost, and has no version" },
	{ "UPDATE name SET path = x'2f612f2f62' WHERE path = x'2f61'", "a name is no path*" },
	{ "UPDATE name SET path = x'' WHERE path = x'2f61'", "a name is no path*" },
	{ "UPDATE name SET path = x'2f6100' WHERE path = x'2f61'", "a name is no path*" },
	{ "UPDATE name SET object = 99", "a row of name is of an object that is not there" },
	{ "UPDATE page SET object = 99", "a row of page is of an object that is not there" },
};

START_TEST(violation)
{
	GString *said = g_string_new(NULL);
	char *pattern = g_strdup_printf("*%s\n*", violations[_i].found);

	ck_assert_int_eq(sqlite3_exec(db->sql, "PRAGMA foreign_keys = OFF", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db->sql, violations[_i].edit, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_gt(inktag_db_check(db, report, said), 0);
	ck_assert_msg(g_pattern_match_simple(pattern, said->str), "%s", said->str);
	g_free(pattern);
	g_string_free(said, true);
}
END_TEST

START_TEST(sound)
{
	store_valid(db);
}
END_TEST

START_TEST(damaged_index)
{
	GString *said = g_string_new(NULL);

	ck_assert_int_eq(sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db->sql, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = "
				      "(SELECT rootpage FROM sqlite_schema WHERE name = 'page_unsettled') "
				      "WHERE name = 'name_object'", NULL, NULL, NULL), SQLITE_OK);
	db = store_reopen(db);
	ck_assert_int_gt(inktag_db_check(db, report, said), 0);
	ck_assert_msg(g_pattern_match_simple("*row 1 missing from index name_object*", said->str), "%s", said->str);
	g_string_free(said, true);
}
END_TEST

START_TEST(dump)
{
	char *text = store_dump(db), *again, *wanted, hex[33];
	InkTagDbInfo info;
	GString *uuid = g_string_new(NULL);

	MUST(db, inktag_db_info(db, &info));
	for (int i = 0; i < 16; i++) {
		sprintf(hex + 2 * i, "%02x", oid.b[i]);
		g_string_append_printf(uuid, "%02x", info.uuid[i]);
	}
	wanted = g_strdup_printf("store %s\n"
				 "  schema 1\n"
				 "  generation 12\n"
				 "object %s\n"
				 "  length 8192\n"
				 "  next version 4\n"
				 "  policy 50\n"
				 "  length 12288 pending since 8\n"
				 "  page 0 version 1 salt %08x tag 01010101010101010101010101010101\n"
				 "  page 1 version 2 salt %08x tag 02020202020202020202020202020202\n"
				 "  page 2 version 3 salt %08x tag 03030303030303030303030303030303 prepared in 8\n"
				 "  page 1 lost in 9\n"
				 "name /a\n"
				 "  object %s\n"
				 "name /d/\\377\n"
				 "  object %s\n", uuid->str, hex, db->salt, db->salt, db->salt, hex, hex);
	ck_assert_str_eq(text, wanted);
	db = store_reopen(db);
	again = store_dump(db);
	ck_assert_str_eq(text, again);
	g_free(text);
	g_free(again);
	g_free(wanted);
	g_string_free(uuid, true);
}
END_TEST

START_TEST(backup)
{
	char *dir = g_dir_make_tmp("inktag-unit-store.XXXXXX", NULL), *path = g_build_filename(dir, "copy", NULL), *wal;
	char *was = store_dump(db), *is;
	InkTagDbOptions o = { .path = path, .secret = secret, .secret_size = sizeof(secret), .read_only = true };
	InkTagDb *copy;

	MUST(db, inktag_db_backup(db, path));
	REFUSED(db, EEXIST, inktag_db_backup(db, path));
	REFUSED(db, EEXIST, inktag_db_backup(db, dir));
	REFUSED(db, ENOENT, inktag_db_backup(db, "/nowhere/copy"));
	wal = g_strconcat(path, "-wal", NULL);
	ck_assert_int_ne(access(wal, F_OK), 0);
	copy = store_open(&o);
	is = store_dump(copy);
	ck_assert_str_eq(was, is);
	store_valid(copy);
	inktag_db_close(copy);
	ck_assert_int_ne(access(wal, F_OK), 0);
	/* A VM goes on from it. */
	o.read_only = false;
	copy = store_open(&o);
	object_new(copy);
	store_valid(copy);
	inktag_db_close(copy);
	unlink(path);
	rmdir(dir);
	g_free(was);
	g_free(is);
	g_free(wal);
	g_free(path);
	g_free(dir);
}
END_TEST

Suite *suite_check(void)
{
	Suite *s = suite_create("check");
	TCase *tc = unit_case("check");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sound);
	tcase_add_loop_test(tc, violation, 0, ARRAY_SIZE(violations));
	tcase_add_test(tc, damaged_index);
	tcase_add_test(tc, dump);
	tcase_add_test(tc, backup);
	suite_add_tcase(s, tc);
	return s;
}
