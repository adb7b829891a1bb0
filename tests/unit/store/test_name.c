// SPDX-License-Identifier: GPL-2.0-or-later
/* test_name.c - names: bind, look up, link, rename, unlink, count */
#include "unit.h"

static InkTagDb *db;
static InkTagDbOid a, b;

static void setup(void)
{
	db = store_new();
	a = object_new(db);
	b = object_new(db);
}

static void teardown(void)
{
	store_valid(db);
	inktag_db_close(db);
}

/* The path has this object, or none if it is NULL. */
static void names(const char *path, const InkTagDbOid *oid)
{
	InkTagDbOid got;

	if (oid) {
		MUST(db, inktag_db_name_lookup(db, path, &got));
		ck_assert_mem_eq(&got, oid, sizeof(got));
	} else {
		REFUSED(db, ENOENT, inktag_db_name_lookup(db, path, &got));
	}
}

static void links(const InkTagDbOid *oid, uint64_t count)
{
	uint64_t n;

	MUST(db, inktag_db_name_count(db, oid, &n));
	ck_assert_uint_eq(n, count);
	ck_assert_uint_eq(info_of(db, oid).links, count);
}

START_TEST(bind_lookup)
{
	names("/a", NULL);
	MUST(db, inktag_db_name_bind(db, "/a", &a));
	names("/a", &a);
	names("/A", NULL);
	REFUSED(db, EEXIST, inktag_db_name_bind(db, "/a", &a));
	REFUSED(db, EEXIST, inktag_db_name_bind(db, "/a", &b));
	db = store_reopen(db);
	names("/a", &a);
	links(&a, 1);
	links(&b, 0);
}
END_TEST

/* The object and its name are there together, or not at all. */
START_TEST(create)
{
	InkTagDbOid first, second;
	InkTagDbInfo info;

	MUST(db, inktag_db_name_create(db, "/a", &first));
	names("/a", &first);
	links(&first, 1);
	ck_assert_uint_eq(info_of(db, &first).length, 0);
	REFUSED(db, EEXIST, inktag_db_name_create(db, "/a", &second));
	REFUSED(db, EINVAL, inktag_db_name_create(db, "/b/", &second));
	store_rand_broken = true;
	REFUSED(db, EIO, inktag_db_name_create(db, "/b", &second));
	store_rand_broken = false;
	MUST(db, inktag_db_name_create(db, "/b", &second));
	ck_assert_mem_ne(&first, &second, sizeof(first));
	MUST(db, inktag_db_info(db, &info));
	ck_assert_uint_eq(info.objects, 4);
	ck_assert_uint_eq(info.names, 2);
}
END_TEST

START_TEST(link_unlink)
{
	InkTagDbUnlinked u;

	MUST(db, inktag_db_name_bind(db, "/a", &a));
	MUST(db, inktag_db_name_link(db, "/a", "/dir/b"));
	names("/dir/b", &a);
	links(&a, 2);
	REFUSED(db, EEXIST, inktag_db_name_link(db, "/a", "/dir/b"));
	REFUSED(db, EEXIST, inktag_db_name_link(db, "/a", "/a"));
	REFUSED(db, ENOENT, inktag_db_name_link(db, "/c", "/d"));
	MUST(db, inktag_db_name_unlink(db, "/a", &u));
	ck_assert(u.any);
	ck_assert_mem_eq(&u.oid, &a, sizeof(a));
	ck_assert_uint_eq(u.links, 1);
	names("/a", NULL);
	names("/dir/b", &a);
	MUST(db, inktag_db_name_unlink(db, "/dir/b", &u));
	ck_assert_uint_eq(u.links, 0);
	REFUSED(db, ENOENT, inktag_db_name_unlink(db, "/dir/b", &u));
	links(&a, 0);
}
END_TEST

START_TEST(rename_replaces)
{
	InkTagDbUnlinked u;

	MUST(db, inktag_db_name_bind(db, "/a", &a));
	MUST(db, inktag_db_name_rename(db, "/a", "/c", &u));
	ck_assert(!u.any);
	names("/a", NULL);
	names("/c", &a);
	REFUSED(db, ENOENT, inktag_db_name_rename(db, "/a", "/c", &u));
	MUST(db, inktag_db_name_bind(db, "/b", &b));
	MUST(db, inktag_db_name_rename(db, "/b", "/c", &u));
	ck_assert(u.any);
	ck_assert_mem_eq(&u.oid, &a, sizeof(a));
	ck_assert_uint_eq(u.links, 0);
	names("/b", NULL);
	names("/c", &b);
	links(&b, 1);
}
END_TEST

START_TEST(rename_of_one_object)
{
	InkTagDbUnlinked u;

	MUST(db, inktag_db_name_bind(db, "/a", &a));
	MUST(db, inktag_db_name_link(db, "/a", "/b"));
	MUST(db, inktag_db_name_rename(db, "/a", "/b", &u));
	ck_assert(!u.any);
	names("/a", &a);
	names("/b", &a);
	MUST(db, inktag_db_name_rename(db, "/a", "/a", &u));
	names("/a", &a);
	links(&a, 2);
}
END_TEST

START_TEST(paths)
{
	static const char *const bad[] = {
		"", "/", "a", "ab", "a/b", "ab/c", "//", "//a", "/a//b", "/a/",
		"/.", "/..", "/a/.", "/a/..", "/./a", "/../a", "/a/../b", "/a/./b",
	};
	static const char *const good[] = { "/a", "/a/b", "/.a", "/..a", "/...", "/a.", "/a/.b", "/ ", "/\xff\n" };
	char *path = g_strnfill(INKTAG_DB_PATH_MAX + 1, 'x');
	InkTagDbUnlinked u;
	InkTagDbOid oid;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		REFUSED(db, EINVAL, inktag_db_name_bind(db, bad[i], &a));
		REFUSED(db, EINVAL, inktag_db_name_create(db, bad[i], &oid));
		REFUSED(db, EINVAL, inktag_db_name_lookup(db, bad[i], &oid));
		REFUSED(db, EINVAL, inktag_db_name_link(db, bad[i], "/a"));
		REFUSED(db, EINVAL, inktag_db_name_link(db, "/a", bad[i]));
		REFUSED(db, EINVAL, inktag_db_name_rename(db, bad[i], "/a", &u));
		REFUSED(db, EINVAL, inktag_db_name_rename(db, "/a", bad[i], &u));
		REFUSED(db, EINVAL, inktag_db_name_unlink(db, bad[i], &u));
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		MUST(db, inktag_db_name_bind(db, good[i], &a));
		names(good[i], &a);
	}
	for (int i = 0; i < INKTAG_DB_PATH_MAX; i += INKTAG_DB_COMPONENT_MAX + 1)
		path[i] = '/';
	REFUSED(db, ENAMETOOLONG, inktag_db_name_bind(db, path, &a));
	path[INKTAG_DB_PATH_MAX] = '\0';
	MUST(db, inktag_db_name_bind(db, path, &a));
	path[INKTAG_DB_COMPONENT_MAX + 1] = 'x';
	REFUSED(db, ENAMETOOLONG, inktag_db_name_bind(db, path, &a));
	g_free(path);
}
END_TEST

Suite *suite_name(void)
{
	Suite *s = suite_create("name");
	TCase *tc = unit_case("name");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bind_lookup);
	tcase_add_test(tc, create);
	tcase_add_test(tc, link_unlink);
	tcase_add_test(tc, rename_replaces);
	tcase_add_test(tc, rename_of_one_object);
	tcase_add_test(tc, paths);
	suite_add_tcase(s, tc);
	return s;
}
