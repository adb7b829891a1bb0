// SPDX-License-Identifier: GPL-2.0-or-later
/* test_serve.c - what KVM asks of the store, and its answers: right requests, odd ones, hostile paths, a failing store */
#include "inktag-serve.h"
#include "unit.h"

#define PAGES(n)	((uint64_t)(n) * INKTAG_DB_PAGE_SIZE)

static const uint64_t nobody[2] = { 1, 2 };

static InkTagServer s;
static struct kvm_inktag_store q, a;	/* the next request, the last answer */
static int said;			/* what is to be reported of the last one */

static void setup(void)
{
	memset(&s, 0, sizeof(s));
	memset(&q, 0, sizeof(q));
	s.db = store_new();
}

static void teardown(void)
{
	store_valid(s.db);
	inktag_db_close(s.db);
	inktag_serve_cleanup(&s);
}

/* Sends q, and empties it. */
static int ask(uint32_t op)
{
	static uint64_t id;
	uint64_t failed = s.failed;

	q.op = op;
	q.id = ++id;
	q.hap = 7;
	memset(&a, 0xee, sizeof(a));
	said = inktag_serve(&s, &q, &a);
	ck_assert_uint_eq(a.id, id);
	ck_assert_uint_eq(a.op, op);
	ck_assert_uint_eq(a.hap, 7);
	ck_assert_int_le(a.result, 0);
	ck_assert_int_le(said, 0);
	ck_assert_uint_eq(s.failed - failed, said < 0);
	if (op != KVM_INKTAG_STORE_NAME)
		ck_assert_mem_eq(a.oid, q.oid, sizeof(a.oid));
	memset(&q, 0, sizeof(q));
	return a.result;
}

static void reset(void)
{
	ck_assert_int_eq(inktag_serve_reset(&s), 0);
}

/* --- names */

static int name(uint64_t op, const char *first, const char *second)
{
	q.value[0] = op;
	q.count = stpcpy(q.path, first) + 1 - q.path;
	if (second)
		q.count = stpcpy(q.path + q.count, second) + 1 - q.path;
	return ask(KVM_INKTAG_STORE_NAME);
}

/* The last answer is about this file. */
static void about(const uint64_t oid[2], uint64_t length, uint64_t names)
{
	ck_assert_int_eq(a.result, 0);
	ck_assert_int_eq(said, 0);
	ck_assert_mem_eq(a.oid, oid, sizeof(a.oid));
	ck_assert_uint_eq(a.value[0], length);
	ck_assert_uint_eq(a.value[1], names);
}

static void file_new(const char *path, uint64_t oid[2])
{
	ck_assert_int_eq(name(INKTAG_NAME_CREATE, path, NULL), 0);
	memcpy(oid, a.oid, sizeof(a.oid));
	about(oid, 0, 1);
	ck_assert(oid[0] || oid[1]);
}

static int file_call(uint32_t op, const uint64_t oid[2], uint64_t first, uint64_t second)
{
	memcpy(q.oid, oid, sizeof(q.oid));
	q.value[0] = first;
	q.value[1] = second;
	return ask(op);
}

static int file_open(const uint64_t oid[2])
{
	return file_call(KVM_INKTAG_STORE_OPEN, oid, 0, 0);
}

/* The names that it has. */
static uint64_t file_release(const uint64_t oid[2])
{
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_RELEASE, oid, 0, 0), 0);
	return a.value[0];
}

static uint64_t objects(void)
{
	InkTagDbInfo info;

	MUST(s.db, inktag_db_info(s.db, &info));
	return info.objects;
}

START_TEST(names)
{
	static const uint64_t none[2];
	uint64_t first[2], second[2];

	ck_assert_int_eq(name(INKTAG_NAME_LOOKUP, "/a", NULL), -ENOENT);
	ck_assert_int_eq(said, 0);
	file_new("/a", first);
	ck_assert_int_eq(name(INKTAG_NAME_CREATE, "/a", NULL), -EEXIST);
	ck_assert_int_eq(said, 0);
	file_new("/b", second);
	ck_assert_mem_ne(first, second, sizeof(first));
	name(INKTAG_NAME_LOOKUP, "/a", NULL);
	about(first, 0, 1);
	name(INKTAG_NAME_LINK, "/a", "/c");
	about(first, 0, 2);
	ck_assert_int_eq(name(INKTAG_NAME_LINK, "/a", "/b"), -EEXIST);
	ck_assert_int_eq(name(INKTAG_NAME_LINK, "/d", "/e"), -ENOENT);
	/* Nobody lost a name. */
	name(INKTAG_NAME_RENAME, "/b", "/d");
	about(none, 0, 0);
	name(INKTAG_NAME_RENAME, "/a", "/c");
	about(none, 0, 0);
	ck_assert_int_eq(name(INKTAG_NAME_RENAME, "/b", "/a"), -ENOENT);
	/* One did, and had another. */
	name(INKTAG_NAME_RENAME, "/d", "/c");
	about(first, 0, 1);
	name(INKTAG_NAME_LOOKUP, "/c", NULL);
	about(second, 0, 1);
	name(INKTAG_NAME_UNLINK, "/c", NULL);
	about(second, 0, 0);
	ck_assert_int_eq(name(INKTAG_NAME_UNLINK, "/c", NULL), -ENOENT);
	ck_assert_uint_eq(objects(), 1);
	ck_assert_uint_eq(s.served[KVM_INKTAG_STORE_NAME], 15);
	ck_assert_uint_eq(s.failed, 0);
}
END_TEST

static int raw(uint64_t op, const char *bytes, size_t size, uint32_t count)
{
	memset(q.record, 'x', sizeof(q.record));
	memcpy(q.path, bytes, size);
	q.value[0] = op;
	q.count = count;
	return ask(KVM_INKTAG_STORE_NAME);
}

/* The program's bytes may be anything. They are refused before the store is touched, and nobody is told. */
START_TEST(names_refused)
{
	static const struct {
		uint64_t op;
		const char *bytes;
		size_t size;
		uint32_t count;
	} bad[] = {
		{ INKTAG_NAME_CREATE, "/b", 3, 0 },
		{ INKTAG_NAME_CREATE, "/b", 3, 2 },		/* no NUL in them */
		{ INKTAG_NAME_CREATE, "/b", 3, 4 },		/* one byte more */
		{ INKTAG_NAME_CREATE, "/b\0/c", 6, 6 },		/* two */
		{ INKTAG_NAME_CREATE, "/b\0", 4, 4 },		/* two, one of them empty */
		{ INKTAG_NAME_CREATE, "", 1, 1 },
		{ INKTAG_NAME_CREATE, "b", 2, 2 },
		{ INKTAG_NAME_CREATE, "/b/", 4, 4 },
		{ INKTAG_NAME_CREATE, "/../b", 6, 6 },
		{ INKTAG_NAME_CREATE, "/b", 3, 8192 },
		{ INKTAG_NAME_CREATE, "/b", 3, 8193 },
		{ INKTAG_NAME_CREATE, "/b", 3, UINT32_MAX },
		{ INKTAG_NAME_CREATE, "/b", 2, 8192 },		/* no NUL anywhere */
		{ INKTAG_NAME_CREATE, "/b", 2, UINT32_MAX },
		{ INKTAG_NAME_LINK, "/a", 3, 3 },
		{ INKTAG_NAME_LINK, "/a\0/b", 5, 5 },		/* no NUL after the second */
		{ INKTAG_NAME_LINK, "/a\0/b\0/c", 9, 9 },
		{ INKTAG_NAME_LINK, "/a\0", 4, 4 },
		{ INKTAG_NAME_LINK, "/a\0b", 5, 5 },
		{ INKTAG_NAME_RENAME, "/a", 3, 3 },
		{ INKTAG_NAME_RENAME, "\0/b", 4, 4 },
		{ INKTAG_NAME_UNLINK, "/a\0/b", 6, 6 },
		{ INKTAG_NAME_LOOKUP, "/a\0/b", 6, 6 },
		{ INKTAG_NAME_OP_COUNT, "/a", 3, 3 },
		{ UINT64_MAX, "/a", 3, 3 },
		{ 1ULL << 32, "/a", 3, 3 },
	};
	char *before, *after, *path;
	uint64_t oid[2];

	file_new("/a", oid);
	before = store_dump(s.db);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(raw(bad[i].op, bad[i].bytes, bad[i].size, bad[i].count) == -EINVAL, "row %zu: %d", i, a.result);
		ck_assert_int_eq(said, 0);
	}
	path = g_strnfill(INKTAG_DB_PATH_MAX + 1, 'x');
	for (int i = 0; i <= INKTAG_DB_PATH_MAX; i += INKTAG_DB_COMPONENT_MAX + 1)
		path[i] = '/';
	ck_assert_int_eq(name(INKTAG_NAME_CREATE, path, NULL), -EINVAL);
	ck_assert_int_eq(said, 0);
	after = store_dump(s.db);
	ck_assert_str_eq(before, after);
	g_free(before);
	g_free(after);

	/* Two of the longest fill all there is. */
	path[INKTAG_DB_PATH_MAX] = '\0';
	ck_assert_int_eq(name(INKTAG_NAME_RENAME, "/a", path), 0);
	before = g_strdup(path);
	before[1] = 'y';
	name(INKTAG_NAME_LINK, path, before);
	about(oid, 0, 2);
	g_free(before);
	g_free(path);
}
END_TEST

/* --- files without names */

START_TEST(open_without_name)
{
	uint64_t first[2], second[2];

	file_new("/a", first);
	ck_assert_int_eq(file_open(first), 0);
	ck_assert_int_eq(file_open(first), 0);
	name(INKTAG_NAME_UNLINK, "/a", NULL);
	about(first, 0, 0);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_RESERVE, first, 10, 0), 0);
	file_new("/a", second);
	ck_assert_uint_eq(file_release(first), 0);
	ck_assert_int_eq(file_open(first), -ENOENT);
	ck_assert_int_eq(said, 0);

	/* The same where the name goes to another. */
	file_new("/b", first);
	ck_assert_int_eq(file_open(first), 0);
	name(INKTAG_NAME_RENAME, "/a", "/b");
	about(first, 0, 0);
	ck_assert_uint_eq(objects(), 2);
	ck_assert_uint_eq(file_release(first), 0);
	ck_assert_uint_eq(objects(), 1);

	/* Nobody has it: it goes at once. */
	file_new("/c", first);
	name(INKTAG_NAME_RENAME, "/b", "/c");
	about(first, 0, 0);
	ck_assert_uint_eq(objects(), 1);
}
END_TEST

START_TEST(release)
{
	uint64_t oid[100][2];

	ck_assert_uint_eq(file_release(nobody), 0);
	ck_assert_int_eq(said, 0);
	/* As many as you like; in any order. */
	for (int i = 0; i < 100; i++) {
		char *path = g_strdup_printf("/%d", i);

		file_new(path, oid[i]);
		ck_assert_int_eq(file_open(oid[i]), 0);
		if (i % 2)
			name(INKTAG_NAME_UNLINK, path, NULL);
		g_free(path);
	}
	ck_assert_uint_eq(objects(), 100);
	for (int i = 0; i < 100; i++) {
		int k = i * 37 % 100;

		ck_assert_uint_eq(file_release(oid[k]), !(k % 2));
	}
	ck_assert_uint_eq(s.opens, 0);
	ck_assert_uint_eq(objects(), 50);
}
END_TEST

/* KVM may have pages that it has not announced yet when the file is closed, and then is no more. */
START_TEST(prepare_after_unlink)
{
	uint64_t oid[2];

	file_new("/a", oid);
	file_open(oid);
	ck_assert_uint_eq(file_release(oid), 1);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_PREPARE, oid, 0, 0), 0);
	name(INKTAG_NAME_UNLINK, "/a", NULL);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_PREPARE, oid, 0, 0), -ENOENT);
	ck_assert_int_eq(said, 0);
}
END_TEST

/* What a VM that is reset, or was killed, has open is open no more. */
START_TEST(reset_closes)
{
	uint64_t named[2], unnamed[2];

	file_new("/a", named);
	file_new("/b", unnamed);
	file_open(named);
	file_open(unnamed);
	name(INKTAG_NAME_UNLINK, "/b", NULL);
	reset();
	ck_assert_uint_eq(objects(), 1);
	name(INKTAG_NAME_UNLINK, "/a", NULL);
	ck_assert_uint_eq(objects(), 0);
}
END_TEST

/* Who unlinked has got what he asked for; somebody is told, and the next start tries again. */
START_TEST(cannot_remove)
{
	uint64_t oid[2];

	file_new("/a", oid);
	ck_assert_int_eq(ink_db_exec(s.db, "CREATE TEMP TRIGGER no BEFORE DELETE ON main.object "
				     "BEGIN SELECT raise(ABORT, 'no'); END", ""), 0);
	ck_assert_int_eq(name(INKTAG_NAME_UNLINK, "/a", NULL), 0);
	ck_assert_int_lt(said, 0);
	ck_assert_uint_eq(objects(), 1);
	ck_assert_int_lt(inktag_serve_reset(&s), 0);
	ck_assert_int_eq(ink_db_exec(s.db, "DROP TRIGGER no", ""), 0);
	ck_assert_int_eq(name(INKTAG_NAME_LOOKUP, "/a", NULL), -ENOENT);
	ck_assert_int_eq(said, 0);
	reset();
	ck_assert_uint_eq(objects(), 0);
}
END_TEST

/* --- versions */

/* A version in hand for the next page of q. */
static void seal(const uint64_t oid[2], uint64_t index)
{
	struct kvm_inktag_store kept = q;
	struct kvm_inktag_record *r;

	memset(&q, 0, sizeof(q));
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_RESERVE, oid, 1, 0), 0);
	ck_assert_uint_eq(a.value[1], 1);
	q = kept;
	r = &q.record[q.count++];
	r->index = index;
	r->version = a.value[0];
	r->salt = a.value[2];
	memset(r->tag, (int)a.value[0], sizeof(r->tag));
}

static int put(const uint64_t oid[2], uint64_t first, uint64_t last, uint64_t length, bool flushed)
{
	for (uint64_t i = first; i <= last; i++)
		seal(oid, i);
	for (uint32_t i = 0; flushed && i < q.count; i++)
		q.record[i].flags = KVM_INKTAG_RECORD_DURABLE;
	return file_call(KVM_INKTAG_STORE_PREPARE, oid, length, flushed);
}

static uint64_t prepared(const uint64_t oid[2], uint64_t first, uint64_t last, uint64_t length)
{
	ck_assert_int_eq(put(oid, first, last, length, false), 0);
	return a.value[0];
}

static void settled(const uint64_t oid[2], uint64_t ticket)
{
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_SETTLE, oid, ticket, 0), 0);
}

/* The page has these versions, newest first, with these flags. */
static void expect(const uint64_t oid[2], uint64_t index, uint32_t flags, uint32_t count, ...)
{
	uint8_t tag[INKTAG_DB_TAG_SIZE];
	va_list ap;

	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_FETCH, oid, index, index), 0);
	ck_assert_uint_eq(a.count, count);
	va_start(ap, count);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t version = va_arg(ap, int);

		ck_assert_uint_eq(a.record[i].index, index);
		ck_assert_uint_eq(a.record[i].version, version);
		ck_assert_uint_eq(a.record[i].flags, flags);
		memset(tag, (int)version, sizeof(tag));
		ck_assert_mem_eq(a.record[i].tag, tag, sizeof(tag));
	}
	va_end(ap);
}

static int found(const uint64_t oid[2], uint64_t index, uint64_t version, uint32_t salt, uint32_t flags)
{
	q.count = 1;
	q.record[0] = (struct kvm_inktag_record){ .index = index, .version = version, .salt = salt, .flags = flags };
	return file_call(KVM_INKTAG_STORE_RESOLVE, oid, 0, 0);
}

/* Cut to nothing, whatever is pending: nothing of it comes back. */
START_TEST(cleared)
{
	uint64_t oid[2], ticket;

	file_new("/a", oid);
	settled(oid, prepared(oid, 0, 2, 12000));
	ticket = prepared(oid, 1, 4, 20000);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_CLEAR, oid, 0, 0), 0);
	ck_assert_uint_gt(a.value[0], ticket);
	name(INKTAG_NAME_LOOKUP, "/a", NULL);
	about(oid, 0, 1);
	expect(oid, 1, 0, 0);
	reset();
	ck_assert_int_eq(file_open(oid), 0);
	ck_assert_uint_eq(a.value[0], 0);
	expect(oid, 0, 0, 0);
	prepared(oid, 0, 0, 10);
	expect(oid, 0, 0, 1, 8);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_CLEAR, (uint64_t[2]){ 5, 6 }, 0, 0), -ENOENT);
}
END_TEST

/* What was cut off may still be on the disk: until the page is settled anew, and after the VM was started anew, too. */
START_TEST(stale)
{
	const uint32_t zeros = KVM_INKTAG_RECORD_ZEROS, any = zeros | KVM_INKTAG_RECORD_STALE;
	uint64_t oid[2], ticket;

	file_new("/a", oid);
	q.value[2] = 2;
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_CLEAR, oid, 0, 0), 0);
	prepared(oid, 1, 2, 20000);
	reset();
	ck_assert_int_eq(file_open(oid), 0);
	expect(oid, 1, any, 1, 1);
	expect(oid, 2, zeros, 1, 2);
	/* of this session, and then settled */
	q.value[2] = 4;
	ticket = prepared(oid, 1, 2, 20000);
	expect(oid, 1, 0, 1, 3);
	q.value[2] = 1;
	prepared(oid, 2, 2, 20000);
	settled(oid, ticket);
	reset();
	ck_assert_int_eq(file_open(oid), 0);
	expect(oid, 1, 0, 1, 3);
	expect(oid, 2, 0, 2, 5, 4);
	expect(oid, 3, 0, 0);
	q.value[2] = 0;
	prepared(oid, 0, 0, 20000);
	prepared(oid, 3, 4, 20000);
	reset();
	ck_assert_int_eq(file_open(oid), 0);
	expect(oid, 0, any, 1, 6);
	expect(oid, 3, any, 1, 7);
	expect(oid, 4, zeros, 1, 8);
	q.value[2] = UINT64_MAX;
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_CLEAR, oid, 0, 0), -EINVAL);
}
END_TEST

START_TEST(versions)
{
	uint64_t oid[2], ticket;
	uint8_t key[INKTAG_DB_KEY_SIZE];
	uint32_t salt;

	file_new("/a", oid);
	ck_assert_int_eq(file_open(oid), 0);
	ck_assert_uint_eq(a.value[0], 0);
	MUST(s.db, inktag_db_object_key(s.db, (InkTagDbOid *)oid, key));
	ck_assert_mem_eq(a.key, key, sizeof(key));
	expect(oid, 0, 0, 0);
	ck_assert_uint_eq(a.value[1], 0);
	ticket = prepared(oid, 0, 2, 10000);
	ck_assert_int_eq(file_open(oid), 0);
	ck_assert_uint_ge(a.value[1], ticket);
	ck_assert_uint_eq(a.value[2], 1);
	/* Of this session: no doubt, not even whether it is zeros. */
	expect(oid, 0, 0, 1, 1);
	settled(oid, ticket);
	prepared(oid, 0, 1, 10000);
	expect(oid, 0, 0, 1, 4);
	prepared(oid, 3, 4, 20000);

	reset();
	name(INKTAG_NAME_LOOKUP, "/a", NULL);
	about(oid, 20000, 1);
	ck_assert_uint_eq(info_of(s.db, (InkTagDbOid *)oid).pendings, 1);
	ck_assert_int_eq(file_open(oid), 0);
	ck_assert_uint_eq(a.value[0], 20000);
	ck_assert_uint_eq(info_of(s.db, (InkTagDbOid *)oid).pendings, 0);
	expect(oid, 0, 0, 2, 4, 1);
	expect(oid, 2, 0, 1, 3);
	expect(oid, 3, KVM_INKTAG_RECORD_ZEROS, 1, 6);
	salt = a.record[0].salt;
	ck_assert_int_eq(found(oid, 3, 0, 0, 0), 0);
	expect(oid, 3, 0, 0);
	ck_assert_int_eq(found(oid, 4, 7, salt, 0), 0);
	expect(oid, 4, 0, 1, 7);
	expect(oid, 0, 0, 2, 4, 1);
	ck_assert_int_eq(found(oid, 0, 1, a.record[1].salt, 0), 0);
	expect(oid, 0, 0, 1, 1);
	ck_assert_int_eq(found(oid, 1, 0, 0, KVM_INKTAG_RECORD_LOST), 0);
	expect(oid, 1, KVM_INKTAG_RECORD_LOST, 2, 5, 2);
	/* It is written again. */
	settled(oid, prepared(oid, 1, 1, 20000));
	expect(oid, 1, 0, 1, 8);
	/* Not one of its versions: KVM should not ask so, and somebody is told. */
	ck_assert_int_eq(found(oid, 0, 99, salt, 0), -EINVAL);
	ck_assert_int_eq(said, -EINVAL);
	ck_assert_uint_eq(s.served[KVM_INKTAG_STORE_RESOLVE], 5);
}
END_TEST

/* All records that fit, in their order. */
START_TEST(fetch_full)
{
	uint64_t oid[2];

	file_new("/a", oid);
	for (int i = 0; i < KVM_INKTAG_VERSIONS; i++)
		prepared(oid, 0, KVM_INKTAG_FETCH, PAGES(KVM_INKTAG_FETCH + 1));
	reset();
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_FETCH, oid, 1, KVM_INKTAG_FETCH), 0);
	ck_assert_uint_eq(a.count, KVM_INKTAG_RECORDS);
	for (uint32_t i = 0; i < a.count; i++) {
		ck_assert_uint_eq(a.record[i].index, 1 + i / KVM_INKTAG_VERSIONS);
		ck_assert_uint_eq(a.record[i].flags, KVM_INKTAG_RECORD_ZEROS);
		if (i % KVM_INKTAG_VERSIONS)
			ck_assert_uint_lt(a.record[i].version, a.record[i - 1].version);
	}
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_FETCH, oid, 0, KVM_INKTAG_FETCH), -EINVAL);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_FETCH, oid, UINT64_MAX, UINT64_MAX), -EINVAL);
}
END_TEST

START_TEST(prepare_again)
{
	uint64_t oid[2];

	file_new("/a", oid);
	settled(oid, prepared(oid, 0, 1, PAGES(2)));
	for (int i = 1; i < KVM_INKTAG_VERSIONS; i++)
		prepared(oid, 0, 0, PAGES(2));
	ck_assert_int_eq(put(oid, 0, 0, PAGES(2), false), -EBUSY);
	ck_assert_int_eq(said, 0);
	ck_assert_uint_eq(info_of(s.db, (InkTagDbOid *)oid).unsettled, KVM_INKTAG_VERSIONS - 1);
	ck_assert_int_eq(put(oid, 0, 0, PAGES(2), true), 0);
	ck_assert_uint_eq(info_of(s.db, (InkTagDbOid *)oid).unsettled, 1);
	/* In place of the one before. */
	seal(oid, 0);
	q.record[0].flags = KVM_INKTAG_RECORD_REPLACES;
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_PREPARE, oid, PAGES(2), 0), 0);
	ck_assert_uint_eq(info_of(s.db, (InkTagDbOid *)oid).unsettled, 1);
	/* A prepare without pages is one of the length. */
	ck_assert_int_eq(put(oid, 1, 0, PAGES(9), false), 0);
	name(INKTAG_NAME_LOOKUP, "/a", NULL);
	about(oid, PAGES(9), 1);
	/* As many as fit. */
	ck_assert_int_eq(put(oid, 1000, 1000 + KVM_INKTAG_RECORDS - 1, PAGES(2000), false), 0);
}
END_TEST

/* A program appends, and never calls fsync: the store must not run out of lengths. Then it cuts the file. */
START_TEST(lengths)
{
	uint64_t oid[2], ticket, before;

	file_new("/a", oid);
	before = prepared(oid, 0, 0, PAGES(1));
	for (int i = 1; i < 3 * INKTAG_DB_VERSIONS; i++)
		ticket = prepared(oid, i, i, PAGES(i) + 1);
	settled(oid, before);
	name(INKTAG_NAME_LOOKUP, "/a", NULL);
	about(oid, PAGES(3 * INKTAG_DB_VERSIONS - 1) + 1, 1);
	ticket = prepared(oid, 1, 0, PAGES(3));
	name(INKTAG_NAME_LOOKUP, "/a", NULL);
	about(oid, PAGES(3), 1);
	/* What was cut off may be on the disk still. */
	ck_assert_int_eq(put(oid, 5, 5, PAGES(6), false), -EBUSY);
	ck_assert_int_eq(said, 0);
	settled(oid, ticket);
	ck_assert_int_eq(put(oid, 5, 5, PAGES(6), false), 0);
	/* Or the kernel says that it is not. */
	ck_assert_int_eq(put(oid, 1, 0, PAGES(2), false), 0);
	ck_assert_int_eq(put(oid, 5, 5, PAGES(6), false), -EBUSY);
	ck_assert_int_eq(put(oid, 5, 5, PAGES(6), true), 0);
	/* OPEN makes what is pending the length, whichever way. */
	ck_assert_int_eq(file_open(oid), 0);
	ck_assert_uint_eq(a.value[0], PAGES(6));
	ck_assert_int_eq(put(oid, 1, 0, 5, false), 0);
	ck_assert_int_eq(file_open(oid), 0);
	ck_assert_uint_eq(a.value[0], 5);
	expect(oid, 5, 0, 0);
}
END_TEST

/* --- what KVM should never ask, and a store that fails */

/* Refused without asking the store: nothing to report. */
static void nonsense(uint32_t op)
{
	uint64_t served = op < KVM_INKTAG_STORE_OP_COUNT ? s.served[op] : 0;

	ck_assert_int_eq(ask(op), -EINVAL);
	ck_assert_int_eq(said, 0);
	if (op < KVM_INKTAG_STORE_OP_COUNT)
		ck_assert_uint_eq(s.served[op], served + 1);
}

START_TEST(odd)
{
	char *before, *after;
	uint64_t oid[2];

	file_new("/a", oid);
	settled(oid, prepared(oid, 0, 1, PAGES(2)));
	before = store_dump(s.db);
	nonsense(KVM_INKTAG_STORE_OP_COUNT);
	nonsense(UINT32_MAX);
#define ODD(op, ...) do { \
	q = (struct kvm_inktag_store){ __VA_ARGS__ }; \
	memcpy(q.oid, oid, sizeof(q.oid)); \
	nonsense(KVM_INKTAG_STORE_##op); \
} while (0)
	ODD(RESERVE, .value = { INKTAG_DB_RESERVE_MAX + 1 });
	ODD(RESERVE, .value = { 1ULL << 32 | 1 });
	ODD(FETCH, .value = { 1, 0 });
	ODD(FETCH, .value = { 0, KVM_INKTAG_FETCH });
	ODD(FETCH, .value = { 0, UINT64_MAX });
	ODD(PREPARE, .value = { PAGES(2) }, .count = KVM_INKTAG_RECORDS + 1);
	ODD(PREPARE, .value = { PAGES(2) }, .count = UINT32_MAX);
	ODD(PREPARE, .value = { PAGES(3), 2 });
	ODD(PREPARE, .value = { PAGES(2) }, .count = 1, .record = { { 0, 3, 0, KVM_INKTAG_RECORD_LOST } });
	ODD(PREPARE, .value = { PAGES(2) }, .count = 1,
	    .record = { { 0, 3, 0, KVM_INKTAG_RECORD_REPLACES | KVM_INKTAG_RECORD_DURABLE } });
	ODD(RESOLVE, .count = 0, .record = { { 0, 1 } });
	ODD(RESOLVE, .count = 2, .record = { { 0, 1 } });
	ODD(RESOLVE, .count = 1, .record = { { 0, 1, 0, KVM_INKTAG_RECORD_LOST } });
	ODD(RESOLVE, .count = 1, .record = { { 0, 0, 0, KVM_INKTAG_RECORD_ZEROS } });
	ODD(RESOLVE, .count = 1, .record = { { 0, 0, 0, 4 | KVM_INKTAG_RECORD_LOST } });
#undef ODD
	/* The store refuses these, and says why. */
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_RESERVE, oid, 0, 0), -EINVAL);
	ck_assert_int_eq(said, -EINVAL);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_SETTLE, oid, UINT64_MAX, 0), -EINVAL);
	ck_assert_int_eq(said, -EINVAL);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_PREPARE, oid, UINT64_MAX, 0), -EINVAL);
	ck_assert_int_eq(said, -EINVAL);
	after = store_dump(s.db);
	ck_assert_str_eq(before, after);
	g_free(before);
	g_free(after);
}
END_TEST

START_TEST(unknown_file)
{
	for (uint32_t op = KVM_INKTAG_STORE_OPEN; op < KVM_INKTAG_STORE_OP_COUNT; op++) {
		int wanted = op == KVM_INKTAG_STORE_RELEASE ? 0 : -ENOENT;

		q.count = op == KVM_INKTAG_STORE_RESOLVE;
		ck_assert_int_eq(file_call(op, nobody, op == KVM_INKTAG_STORE_RESERVE, 0), wanted);
		ck_assert_int_eq(said, op == KVM_INKTAG_STORE_OPEN || op == KVM_INKTAG_STORE_PREPARE ? 0 : wanted);
	}
	ck_assert_uint_eq(s.opens, 0);
}
END_TEST

START_TEST(store_fails)
{
	uint64_t oid[2];

	file_new("/a", oid);
	s.db->failed = EIO;
	for (uint32_t op = 0; op < KVM_INKTAG_STORE_OP_COUNT; op++) {
		q.count = op == KVM_INKTAG_STORE_RESOLVE;
		if (op == KVM_INKTAG_STORE_NAME)
			name(INKTAG_NAME_CREATE, "/b", NULL);
		else
			file_call(op, oid, op == KVM_INKTAG_STORE_RESERVE, 0);
		/* A release has nobody who could do anything about it: the file has names, as far as one knows. */
		ck_assert_int_eq(a.result, op == KVM_INKTAG_STORE_RELEASE ? 0 : -EIO);
		ck_assert_uint_eq(a.value[0], op == KVM_INKTAG_STORE_RELEASE ? 1 : 0);
		ck_assert_int_eq(said, -EIO);
		ck_assert_ptr_nonnull(strstr(inktag_db_error(s.db), "open it again"));
	}
	ck_assert_int_eq(inktag_serve_reset(&s), -EIO);
	ck_assert_uint_eq(s.failed, KVM_INKTAG_STORE_OP_COUNT);
	s.db->failed = 0;
	/* What has no errno of its own in the ABI. */
	ck_assert_int_eq(ink_db_exec(s.db, "UPDATE object SET next_version = ?1", "i", INT64_MAX), 0);
	ck_assert_int_eq(file_call(KVM_INKTAG_STORE_RESERVE, oid, 1, 0), -EIO);
	ck_assert_int_eq(said, -EOVERFLOW);
}
END_TEST

START_TEST(op_names)
{
	for (uint32_t op = 0; op < KVM_INKTAG_STORE_OP_COUNT; op++)
		ck_assert_ptr_nonnull(inktag_serve_op(op));
	ck_assert_str_eq(inktag_serve_op(KVM_INKTAG_STORE_OP_COUNT), "?");
}
END_TEST

Suite *suite_serve(void)
{
	Suite *suite = suite_create("serve");
	TCase *tc = unit_case("serve");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names);
	tcase_add_test(tc, names_refused);
	tcase_add_test(tc, open_without_name);
	tcase_add_test(tc, release);
	tcase_add_test(tc, prepare_after_unlink);
	tcase_add_test(tc, reset_closes);
	tcase_add_test(tc, cannot_remove);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, cleared);
	tcase_add_test(tc, stale);
	tcase_add_test(tc, fetch_full);
	tcase_add_test(tc, prepare_again);
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, odd);
	tcase_add_test(tc, unknown_file);
	tcase_add_test(tc, store_fails);
	tcase_add_test(tc, op_names);
	suite_add_tcase(suite, tc);
	return suite;
}
