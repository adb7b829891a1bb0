// SPDX-License-Identifier: GPL-2.0-or-later
/* test_open.c - making and opening stores, each refusal, exclusive use */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit.h"

/* A directory of real files, for what needs locks and links. */
static char *dir, *path, *other;
static InkTagDbOptions real;

static void make_dir(void)
{
	InkTagDbError err;

	dir = g_dir_make_tmp("inktag-unit-store.XXXXXX", NULL);
	path = g_build_filename(dir, "store", NULL);
	other = g_build_filename(dir, "other", NULL);
	real = (InkTagDbOptions){ .path = path, .secret = secret, .secret_size = sizeof(secret) };
	ck_assert_int_eq(inktag_db_create(&real, &err), 0);
}

static void remove_dir(void)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(d))) {
		char *file = g_build_filename(dir, name, NULL);

		ck_assert_int_eq(remove(file), 0);
		g_free(file);
	}
	g_dir_close(d);
	ck_assert_int_eq(rmdir(dir), 0);
	g_free(dir);
	g_free(path);
	g_free(other);
}

static bool exists(const char *suffix)
{
	char *name = g_strconcat(path, suffix, NULL);
	bool there = access(name, F_OK) == 0;

	g_free(name);
	return there;
}

/* Does this to the database, past the store's functions. */
static void edit(const char *file, const char *sql)
{
	sqlite3 *s;

	ck_assert_int_eq(sqlite3_open(file, &s), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(s, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(s), SQLITE_OK);
}

START_TEST(new_store)
{
	InkTagDb *db = store_new();
	InkTagDbInfo info;

	MUST(db, inktag_db_info(db, &info));
	ck_assert_uint_eq(info.schema, INKTAG_DB_SCHEMA);
	ck_assert_uint_eq(info.generation, 1);
	ck_assert_uint_eq(info.objects + info.names + info.unsettled + info.lost, 0);
	store_valid(db);
	inktag_db_close(db);
	inktag_db_close(NULL);
}
END_TEST

START_TEST(create_twice)
{
	InkTagDbError err;
	char *was, *is;
	InkTagDb *db = store_open(&real);

	object_new(db);
	was = store_dump(db);
	ck_assert_int_eq(inktag_db_create(&real, &err), -EEXIST);
	ck_assert(g_pattern_match_simple("store '*' is there already", err.text));
	inktag_db_close(db);
	ck_assert_int_eq(inktag_db_create(&real, &err), -EEXIST);
	db = store_open(&real);
	is = store_dump(db);
	ck_assert_str_eq(was, is);
	g_free(was);
	g_free(is);
	inktag_db_close(db);
}
END_TEST

START_TEST(create_fails)
{
	InkTagDbOptions o = real;
	InkTagDbError err;

	o.path = other;
	o.secret_size = INKTAG_DB_SECRET_MIN - 1;
	ck_assert_int_eq(inktag_db_create(&o, &err), -EINVAL);
	ck_assert_int_ne(access(other, F_OK), 0);
	o.secret_size = INKTAG_DB_SECRET_MIN;
	/* The counter's place is taken. */
	o.counter = dir;
	ck_assert_int_eq(inktag_db_create(&o, &err), -EEXIST);
	ck_assert_int_ne(access(other, F_OK), 0);
	o.path = "/nowhere/store";
	ck_assert_int_eq(inktag_db_create(&o, &err), -ENOENT);
	ck_assert(g_pattern_match_simple("store '*' cannot be opened: No such file*", err.text));
}
END_TEST

START_TEST(no_store)
{
	InkTagDbOptions o = real;

	o.path = other;
	store_refused(&o, ENOENT, "cannot be opened: No such file or directory");
	ck_assert_int_ne(access(other, F_OK), 0);
	o.path = dir;
	store_refused(&o, EMEDIUMTYPE, "is not a regular file");
	o.path = "";
	store_refused(&o, EINVAL, "needs a path");
	ck_assert_int_eq(chdir(dir), 0);
	o.path = ":memory:";
	store_refused(&o, ENOENT, "cannot be opened*");
	o.path = "file:store";
	store_refused(&o, ENOENT, "cannot be opened*");
	o.path = "store";
	inktag_db_close(store_open(&o));
}
END_TEST

START_TEST(no_secret)
{
	InkTagDbOptions o = real;

	o.secret = NULL;
	store_refused(&o, EINVAL, "needs a master secret of 32 to 1024 bytes, and was given 0");
	o.secret = secret;
	o.secret_size = 31;
	store_refused(&o, EINVAL, "needs a master secret*given 31");
	o.secret_size = 1025;
	store_refused(&o, EINVAL, "needs a master secret*given 1025");
}
END_TEST

START_TEST(wrong_secret)
{
	uint8_t wrong[SECRET_SIZE + 1];
	InkTagDbOptions o = real;

	memcpy(wrong, secret, SECRET_SIZE);
	wrong[SECRET_SIZE] = 0;
	o.secret = wrong;
	o.secret_size = sizeof(wrong);
	store_refused(&o, EKEYREJECTED, "was made with another master secret");
	o.secret_size--;
	wrong[31] ^= 1;
	store_refused(&o, EKEYREJECTED, "was made with another master secret");
	o.read_only = true;
	store_refused(&o, EKEYREJECTED, "was made with another master secret");
	wrong[31] ^= 1;
	inktag_db_close(store_open(&o));
}
END_TEST

START_TEST(foreign_database)
{
	char *was, *is;
	gsize size;
	InkTagDbOptions o = real;

	o.path = other;
	edit(other, "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
	ck_assert(g_file_get_contents(other, &was, &size, NULL));
	store_refused(&o, EMEDIUMTYPE, "is a database of another program, not an InkTag store");
	ck_assert(g_file_get_contents(other, &is, NULL, NULL));
	ck_assert_mem_eq(was, is, size);
	g_free(was);
	g_free(is);
}
END_TEST

START_TEST(foreign_file)
{
	InkTagDbOptions o = real;
	char *text = g_strnfill(9000, 'x'), *is;

	o.path = other;
	ck_assert(g_file_set_contents(other, text, 9000, NULL));
	store_refused(&o, EMEDIUMTYPE, "is no database*");
	ck_assert(g_file_get_contents(other, &is, NULL, NULL));
	ck_assert_str_eq(text, is);
	ck_assert(g_file_set_contents(other, "", 0, NULL));
	store_refused(&o, EMEDIUMTYPE, "is a database of another program*");
	g_free(is);
	g_free(text);
}
END_TEST

START_TEST(newer_schema)
{
	edit(path, "PRAGMA user_version = 2");
	store_refused(&real, EPROTO, "has schema version 2, and this program knows 1 at most: it is too old for it");
	edit(path, "PRAGMA user_version = 0");
	store_refused(&real, EUCLEAN, "is damaged (its schema version): restore a backup");
}
END_TEST

START_TEST(other_tables)
{
	edit(path, "CREATE TABLE more (a)");
	store_refused(&real, EUCLEAN, "is damaged (a table that no store has)*");
	edit(path, "DROP TABLE more; DROP INDEX name_object");
	store_refused(&real, EUCLEAN, "is damaged (a table is missing)*");
	edit(path, "CREATE INDEX name_object ON name (path)");
	store_refused(&real, EUCLEAN, "is damaged (a table that no store has)*");
}
END_TEST

START_TEST(no_identity)
{
	edit(path, "PRAGMA ignore_check_constraints = ON; UPDATE meta SET uuid = x'00'");
	store_refused(&real, EUCLEAN, "is damaged (a value has the wrong size)*");
	edit(path, "PRAGMA ignore_check_constraints = ON; UPDATE meta SET uuid = randomblob(16), generation = 0");
	store_refused(&real, EUCLEAN, "is damaged (its generation)*");
	edit(path, "DELETE FROM meta");
	store_refused(&real, EUCLEAN, "is damaged (it has no identity)*");
}
END_TEST

/* Each 97th byte of the file, one at a time: an error, or the store as it was, but never a crash. */
START_TEST(damaged_bytes)
{
	InkTagDb *db = store_new();
	InkTagDbOid oid = object_new(db);
	struct disk good = { 0 };
	InkTagDbError err;
	size_t size;

	prepare(db, &oid, 0, 20, 21 * INKTAG_DB_PAGE_SIZE);
	MUST(db, inktag_db_name_bind(db, "/a", &oid));
	inktag_db_close(db);
	disk_copy(&good, &disk);
	size = disk_data(STORE)->len;
	for (size_t i = 0; i < size; i += 97) {
		disk_copy(&disk, &good);
		disk_data(STORE)->data[i] ^= 0xff;
		if (inktag_db_open(&on_disk, &db, &err) == 0) {
			InkTagDbPage pages[32];
			FILE *null = fopen("/dev/null", "w");
			uint32_t n;

			inktag_db_dump(db, null);
			inktag_db_fetch(db, &oid, 0, INT64_MAX, pages, ARRAY_SIZE(pages), &n);
			inktag_db_settle(db, &oid, 1);
			fclose(null);
			inktag_db_close(db);
		} else {
			ck_assert(g_pattern_match_simple("store '*' ?*", err.text));
		}
	}
	disk_free(&good);
}
END_TEST

/* A page of the file in the middle is gone. */
START_TEST(damaged_page)
{
	InkTagDb *db = store_new();
	InkTagDbOid oid = object_new(db);
	GByteArray *data;

	inktag_db_close(db);
	data = disk_data(STORE);
	memset(data->data + 4096, 0xa5, data->len - 4096);
	store_refused(&on_disk, EUCLEAN, "is damaged (*): restore a backup");
	(void)oid;
}
END_TEST

START_TEST(read_only_file)
{
	char *was, *is;
	InkTagDb *db = store_new();

	object_new(db);
	was = store_dump(db);
	inktag_db_close(db);
	disk.read_only = true;
	store_refused(&on_disk, EROFS, "cannot be written");
	disk.read_only = false;
	db = store_open(&on_disk);
	is = store_dump(db);
	ck_assert_str_eq(was, is);
	g_free(was);
	g_free(is);
	inktag_db_close(db);
}
END_TEST

START_TEST(hard_link)
{
	ck_assert_int_eq(link(path, other), 0);
	store_refused(&real, EMLINK, "has 2 names (hard links), and must have one");
	ck_assert_int_eq(unlink(other), 0);
	inktag_db_close(store_open(&real));
}
END_TEST

START_TEST(symbolic_link)
{
	InkTagDbOptions o = real;
	InkTagDb *db;

	ck_assert_int_eq(symlink(path, other), 0);
	o.path = other;
	db = store_open(&o);
	object_new(db);
	ck_assert(exists("-wal"));
	store_refused(&real, EBUSY, "is in use*");
	inktag_db_close(db);
}
END_TEST

#define IN_USE "is in use: another VM has it, or the command 'inktag store'"

/* What another process gets. */
static void refused_elsewhere(const InkTagDbOptions *o)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		InkTagDbError err;
		InkTagDb *db;

		_exit(inktag_db_open(o, &db, &err) != -EBUSY || !strstr(err.text, IN_USE));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(two_vms)
{
	InkTagDb *db = store_open(&real);
	InkTagDbOptions reader = real;
	InkTagDbOid oid;

	reader.read_only = true;
	store_refused(&real, EBUSY, IN_USE);
	refused_elsewhere(&real);
	store_refused(&reader, EBUSY, IN_USE);
	refused_elsewhere(&reader);
	/* The first one is not disturbed. */
	oid = object_new(db);
	ck_assert_uint_eq(info_of(db, &oid).length, 0);
	refused_elsewhere(&real);
	inktag_db_close(db);
	inktag_db_close(store_open(&real));
}
END_TEST

START_TEST(readers)
{
	InkTagDbOptions reader = real;
	InkTagDb *a, *b;
	InkTagDbOid oid;

	reader.read_only = true;
	reader.secret = NULL;
	a = store_open(&reader);
	b = store_open(&reader);
	refused_elsewhere(&real);
	store_valid(b);
	REFUSED(a, EROFS, inktag_db_object_create(a, &oid));
	inktag_db_close(a);
	inktag_db_close(b);
	inktag_db_close(store_open(&real));
}
END_TEST

/* The VM was killed: the reader sees what was committed, and leaves the log to the next VM. */
START_TEST(reader_after_crash)
{
	InkTagDbOptions reader = real;
	char *was, *is;
	InkTagDb *db;
	int status, fds[2];
	pid_t pid;
	gsize size = 0;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		db = store_open(&real);
		object_new(db);
		was = store_dump(db);
		_exit(write(fds[1], was, strlen(was)) != (ssize_t)strlen(was));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	was = g_malloc0(65536);
	size = read(fds[0], was, 65535);
	ck_assert_uint_gt(size, 0);
	ck_assert(exists("-wal"));
	reader.read_only = true;
	db = store_open(&reader);
	is = store_dump(db);
	ck_assert_str_eq(was, is);
	g_free(is);
	inktag_db_close(db);
	ck_assert(exists("-wal"));
	db = store_open(&real);
	is = store_dump(db);
	ck_assert_str_eq(was, is);
	inktag_db_close(db);
	ck_assert(!exists("-wal"));
	g_free(is);
	g_free(was);
}
END_TEST

START_TEST(salt_of_each_open)
{
	InkTagDb *db = store_new();
	InkTagDbOid oid = object_new(db);
	InkTagDbNonces a, b;

	MUST(db, inktag_db_reserve(db, &oid, 5, &a));
	db = store_reopen(db);
	MUST(db, inktag_db_reserve(db, &oid, 1, &b));
	ck_assert_uint_eq(b.first, a.first + 5);
	/* Once in 2^32 runs this fails without a reason. */
	ck_assert_uint_ne(a.salt, b.salt);
	inktag_db_close(db);
}
END_TEST

START_TEST(durable_settings)
{
	InkTagDb *db = store_new();
	sqlite3_stmt *stmt;

	ck_assert_int_eq(ink_db_query(db, &stmt, "PRAGMA synchronous", ""), 1);
	ck_assert_int_eq(sqlite3_column_int(stmt, 0), 2);
	ck_assert_int_eq(ink_db_query(db, &stmt, "PRAGMA journal_mode", ""), 1);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "wal");
	ck_assert_int_eq(ink_db_query(db, &stmt, "PRAGMA locking_mode", ""), 1);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "exclusive");
	inktag_db_close(db);
}
END_TEST

Suite *suite_open(void)
{
	Suite *s = suite_create("open");
	TCase *tc = unit_case("memory"), *files = unit_case("files");

	tcase_add_test(tc, new_store);
	tcase_add_test(tc, damaged_bytes);
	tcase_add_test(tc, damaged_page);
	tcase_add_test(tc, read_only_file);
	tcase_add_test(tc, salt_of_each_open);
	tcase_add_test(tc, durable_settings);
	suite_add_tcase(s, tc);

	tcase_add_checked_fixture(files, make_dir, remove_dir);
	tcase_add_test(files, create_twice);
	tcase_add_test(files, create_fails);
	tcase_add_test(files, no_store);
	tcase_add_test(files, no_secret);
	tcase_add_test(files, wrong_secret);
	tcase_add_test(files, foreign_database);
	tcase_add_test(files, foreign_file);
	tcase_add_test(files, newer_schema);
	tcase_add_test(files, other_tables);
	tcase_add_test(files, no_identity);
	tcase_add_test(files, hard_link);
	tcase_add_test(files, symbolic_link);
	tcase_add_test(files, two_vms);
	tcase_add_test(files, readers);
	tcase_add_test(files, reader_after_crash);
	suite_add_tcase(s, files);
	return s;
}
