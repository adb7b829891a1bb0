// SPDX-License-Identifier: GPL-2.0-or-later
/* test_page.c - page records and lengths: reserve, fetch, prepare, settle, resolve */
#include "unit.h"

#define PAGES(n)	((uint64_t)(n) * INKTAG_DB_PAGE_SIZE)
#define AS_IT_IS	UINT64_MAX

static InkTagDb *db;
static InkTagDbOid oid;

static void setup(void)
{
	db = store_new();
	oid = object_new(db);
}

static void teardown(void)
{
	store_valid(db);
	inktag_db_close(db);
}

static void settle(uint64_t ticket)
{
	MUST(db, inktag_db_settle(db, &oid, ticket));
}

static void written(uint64_t first, uint64_t last, uint64_t length)
{
	settle(prepare(db, &oid, first, last, length));
}

/* The page has these versions, newest first, and zeros or not. */
static void expect(uint64_t index, bool zeros, uint32_t count, ...)
{
	InkTagDbPage page = page_of(db, &oid, index);
	va_list ap;

	ck_assert_int_eq(page.zeros, zeros);
	ck_assert_uint_eq(page.count, count);
	va_start(ap, count);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t tag[INKTAG_DB_TAG_SIZE];
		uint64_t version = va_arg(ap, int);

		ck_assert_uint_eq(page.v[i].version, version);
		memset(tag, version, sizeof(tag));
		ck_assert_mem_eq(page.v[i].tag, tag, sizeof(tag));
	}
	va_end(ap);
}

static int found(uint64_t index, InkTagDbFoundKind kind, const InkTagDbVersion *v)
{
	InkTagDbFound f = { index, kind, v ? v->version : 0, v ? v->salt : 0 };

	return inktag_db_resolve(db, &oid, &f, 1);
}

/* --- reserve */

START_TEST(reserve)
{
	InkTagDbNonces a, b, c;

	MUST(db, inktag_db_reserve(db, &oid, 1, &a));
	MUST(db, inktag_db_reserve(db, &oid, INKTAG_DB_RESERVE_MAX, &b));
	ck_assert_uint_eq(a.first, 1);
	ck_assert_uint_eq(b.first, 2);
	ck_assert_uint_eq(b.count, INKTAG_DB_RESERVE_MAX);
	ck_assert_uint_eq(a.salt, b.salt);
	db = store_reopen(db);
	MUST(db, inktag_db_reserve(db, &oid, 1, &c));
	ck_assert_uint_eq(c.first, 2 + INKTAG_DB_RESERVE_MAX);
	REFUSED(db, EINVAL, inktag_db_reserve(db, &oid, 0, &a));
	REFUSED(db, EINVAL, inktag_db_reserve(db, &oid, INKTAG_DB_RESERVE_MAX + 1, &a));
}
END_TEST

START_TEST(reserve_the_last)
{
	InkTagDbNonces a;

	ck_assert_int_eq(ink_db_exec(db, "UPDATE object SET next_version = ?1", "i", INT64_MAX - 3), 0);
	REFUSED(db, EOVERFLOW, inktag_db_reserve(db, &oid, 4, &a));
	MUST(db, inktag_db_reserve(db, &oid, 3, &a));
	REFUSED(db, EOVERFLOW, inktag_db_reserve(db, &oid, 1, &a));
}
END_TEST

/* --- fetch */

START_TEST(fetch_ranges)
{
	InkTagDbPage pages[8];
	uint32_t n;

	written(2, 5, PAGES(10));
	written(9, 9, AS_IT_IS);
	MUST(db, inktag_db_fetch(db, &oid, 0, INT64_MAX, pages, 8, &n));
	ck_assert_uint_eq(n, 5);
	ck_assert_uint_eq(pages[0].index, 2);
	ck_assert_uint_eq(pages[4].index, 9);
	MUST(db, inktag_db_fetch(db, &oid, 3, 4, pages, 8, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(pages[1].index, 4);
	MUST(db, inktag_db_fetch(db, &oid, 0, 100, pages, 3, &n));
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(pages[2].index, 4);
	MUST(db, inktag_db_fetch(db, &oid, 6, 8, pages, 8, &n));
	ck_assert_uint_eq(n, 0);
	REFUSED(db, EINVAL, inktag_db_fetch(db, &oid, 1, 0, pages, 8, &n));
	REFUSED(db, EINVAL, inktag_db_fetch(db, &oid, 0, 1ULL << 63, pages, 8, &n));
	REFUSED(db, EINVAL, inktag_db_fetch(db, &oid, 0, 1, pages, 0, &n));
	REFUSED(db, EINVAL, inktag_db_fetch(db, &oid, 0, 1, pages, INKTAG_DB_PAGES_MAX + 1, &n));
}
END_TEST

START_TEST(objects_apart)
{
	InkTagDbOid second = object_new(db);

	written(0, 1, PAGES(2));
	ck_assert_uint_eq(pages_in(db, &second), 0);
	prepare(db, &second, 0, 2, PAGES(3));
	MUST(db, inktag_db_settle(db, &second, info_of(db, &second).next_version));
	ck_assert_uint_eq(pages_in(db, &oid), 2);
	MUST(db, inktag_db_object_remove(db, &second));
	ck_assert_uint_eq(pages_in(db, &oid), 2);
	expect(0, false, 1, 1);
}
END_TEST

/* --- prepare, settle */

START_TEST(prepare_settle)
{
	uint64_t ticket = prepare(db, &oid, 0, 0, 100);
	InkTagDbObject o = info_of(db, &oid);

	expect(0, true, 1, 1);
	ck_assert_uint_eq(o.length, 0);
	ck_assert_uint_eq(o.pendings, 1);
	ck_assert_uint_eq(o.pending[0], 100);
	ck_assert_uint_eq(o.unsettled, 1);
	settle(ticket);
	o = info_of(db, &oid);
	expect(0, false, 1, 1);
	ck_assert_uint_eq(o.length, 100);
	ck_assert_uint_eq(o.pendings + o.unsettled, 0);

	ticket = prepare(db, &oid, 0, 0, AS_IT_IS);
	expect(0, false, 2, 2, 1);
	settle(ticket);
	expect(0, false, 1, 2);
	settle(ticket);
	expect(0, false, 1, 2);
}
END_TEST

START_TEST(settle_up_to)
{
	uint64_t first, second;
	InkTagDbObject o;

	written(0, 1, PAGES(2));
	first = prepare(db, &oid, 0, 0, PAGES(3));
	second = prepare(db, &oid, 0, 3, PAGES(4));
	expect(0, false, 3, 4, 3, 1);
	settle(first);
	expect(0, false, 2, 4, 3);
	expect(1, false, 2, 5, 2);
	expect(3, true, 1, 7);
	o = info_of(db, &oid);
	ck_assert_uint_eq(o.length, PAGES(3));
	ck_assert_uint_eq(o.pendings, 1);
	ck_assert_uint_eq(o.pending[0], PAGES(4));
	settle(second);
	expect(0, false, 1, 4);
	expect(1, false, 1, 5);
	ck_assert_uint_eq(info_of(db, &oid).length, PAGES(4));
	REFUSED(db, EINVAL, inktag_db_settle(db, &oid, db->generation + 1));
	REFUSED(db, EINVAL, inktag_db_settle(db, &oid, UINT64_MAX));
}
END_TEST

/* A new session begins: by reopening, or as at the VM's reset. */
static void session(int how)
{
	if (how)
		MUST(db, inktag_db_session(db));
	else
		db = store_reopen(db);
}

static void certain(uint64_t index, bool wanted)
{
	ck_assert_int_eq(page_of(db, &oid, index).certain, wanted);
}

/* What the session before has left is in doubt until somebody looks; this one's settle says nothing about it. */
START_TEST(sessions)
{
	InkTagDbSeal old;
	InkTagDbPage page;
	uint64_t ticket, t;

	written(0, 2, PAGES(3));
	certain(0, false);
	ticket = prepare(db, &oid, 0, 2, AS_IT_IS);
	certain(0, true);
	expect(0, false, 2, 4, 1);
	old = seal_new(db, &oid, 0);
	session(_i);
	certain(0, false);
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, &old, 1, NULL, &t));
	settle(ticket);
	expect(0, false, 2, 4, 1);
	t = prepare(db, &oid, 0, 0, AS_IT_IS);
	certain(0, true);
	certain(1, false);
	expect(0, false, 3, 8, 4, 1);
	settle(t);
	expect(0, false, 1, 8);
	expect(1, false, 2, 5, 2);
	page = page_of(db, &oid, 1);
	MUST(db, found(1, INKTAG_DB_FOUND_VERSION, &page.v[1]));
	expect(1, false, 1, 2);
	/* A page that is lost is not certain, one that was written since is. */
	MUST(db, found(2, INKTAG_DB_FOUND_NEITHER, NULL));
	certain(2, false);
	prepare(db, &oid, 2, 2, AS_IT_IS);
	certain(2, true);
	ck_assert(page_of(db, &oid, 2).lost);
	MUST(db, found(2, INKTAG_DB_FOUND_NEITHER, NULL));
	certain(2, false);
}
END_TEST

/* Else two sessions that go on from the same state would use the same nonces. */
START_TEST(session_salt)
{
	uint32_t salts[3];

	store_rand = g_rand_new_with_seed(seed);
	for (int i = 0; i < 3; i++) {
		InkTagDbNonces nonces;

		MUST(db, inktag_db_reserve(db, &oid, 1, &nonces));
		salts[i] = nonces.salt;
		session(i);
	}
	ck_assert_uint_ne(salts[0], salts[1]);
	ck_assert_uint_ne(salts[1], salts[2]);
	g_rand_free(store_rand);
	store_rand = NULL;
}
END_TEST

START_TEST(session_without_salt)
{
	InkTagDbNonces nonces;

	store_rand_broken = true;
	ck_assert_int_eq(inktag_db_session(db), -EIO);
	store_rand_broken = false;
	ck_assert_ptr_nonnull(strstr(inktag_db_error(db), "no random numbers"));
	ck_assert_int_eq(inktag_db_reserve(db, &oid, 1, &nonces), -EIO);
	ck_assert_int_eq(inktag_db_session(db), -EIO);
	db = store_reopen(db);
	MUST(db, inktag_db_reserve(db, &oid, 1, &nonces));
}
END_TEST

START_TEST(prepare_refused)
{
	InkTagDbSeal s[2], old;
	uint64_t t, length = PAGES(2);

	old = seal_new(db, &oid, 0);
	written(0, 0, PAGES(2));
	s[0] = seal_new(db, &oid, 0);
	s[1] = seal_new(db, &oid, 2);
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, &length, &t));
	s[1].index = UINT64_MAX;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	s[1].index = 0;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	s[1].index = 1;
	s[1].v.version++;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	s[1].v.version = 0;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	s[1].v.version = UINT64_MAX;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	s[1] = seal_new(db, &oid, 1);
	s[1].v.salt ^= 1;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	s[1].v.salt ^= 1;
	MUST(db, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 1, NULL, &t));
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, INKTAG_DB_PAGES_MAX + 1, NULL, &t));
	ck_assert_ptr_nonnull(strstr(inktag_db_error(db), "prepares 65536 pages at a time at most"));
	/* Of an earlier session: whoever got them may have used them. */
	db = store_reopen(db);
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, &old, 1, NULL, &t));
	length = 1ULL << 63;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, NULL, 0, &length, &t));
}
END_TEST

START_TEST(too_many_versions)
{
	InkTagDbSeal s;
	uint64_t t, ticket;

	written(0, 0, PAGES(1));
	ticket = prepare(db, &oid, 0, 0, AS_IT_IS);
	prepare(db, &oid, 0, 0, AS_IT_IS);
	prepare(db, &oid, 0, 0, AS_IT_IS);
	expect(0, false, 4, 4, 3, 2, 1);
	s = seal_new(db, &oid, 0);
	REFUSED(db, EBUSY, inktag_db_prepare(db, &oid, &s, 1, NULL, &t));
	settle(ticket);
	MUST(db, inktag_db_prepare(db, &oid, &s, 1, NULL, &t));
	expect(0, false, 4, 5, 4, 3, 2);
}
END_TEST

static uint64_t prepare_seal(InkTagDbSeal s)
{
	uint64_t ticket;

	MUST(db, inktag_db_prepare(db, &oid, &s, 1, NULL, &ticket));
	return ticket;
}

/* Prepares a new version of one page; the disk was flushed after the one before. */
static uint64_t flushed(uint64_t index)
{
	InkTagDbSeal s = seal_new(db, &oid, index);

	s.durable = true;
	return prepare_seal(s);
}

START_TEST(prepare_flushed)
{
	InkTagDbSeal s[2];
	uint64_t t, ticket;

	written(0, 1, PAGES(2));
	for (int i = 0; i < INKTAG_DB_VERSIONS - 1; i++)
		prepare(db, &oid, 0, 1, AS_IT_IS);
	expect(0, false, 4, 7, 5, 3, 1);
	s[0] = seal_new(db, &oid, 0);
	REFUSED(db, EBUSY, inktag_db_prepare(db, &oid, s, 1, NULL, &t));
	s[0].durable = true;
	s[1] = s[0];
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	s[1] = seal_new(db, &oid, 0);
	s[1].durable = true;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	/* It is said of each page. */
	s[1] = seal_new(db, &oid, 1);
	REFUSED(db, EBUSY, inktag_db_prepare(db, &oid, s, 2, NULL, &t));
	MUST(db, inktag_db_prepare(db, &oid, s, 1, NULL, &ticket));
	/* The other page was not named. */
	expect(0, false, 2, 9, 7);
	expect(1, false, 4, 8, 6, 4, 2);
	/* What was flushed is settled: zeros are not accepted, nor one before it, whatever the next settle is. */
	for (int i = 0; i < 3 * INKTAG_DB_VERSIONS; i++)
		ticket = flushed(0);
	ck_assert_uint_eq(page_of(db, &oid, 0).count, 2);
	ck_assert(!page_of(db, &oid, 0).zeros);
	settle(ticket);
	expect(0, false, 1, page_of(db, &oid, 0).v[0].version);
	/* A page with one version, or none, has nothing to forget. */
	flushed(0);
	ck_assert_uint_eq(page_of(db, &oid, 0).count, 2);
	written(1, 0, PAGES(3));
	flushed(2);
	ck_assert(page_of(db, &oid, 2).zeros);
}
END_TEST

/* Beyond the length that is settled no version can be. */
START_TEST(prepare_flushed_growth)
{
	prepare(db, &oid, 0, 1, PAGES(2));
	for (int i = 0; i < INKTAG_DB_VERSIONS; i++)
		flushed(0);
	ck_assert_uint_eq(page_of(db, &oid, 0).count, 2);
	ck_assert(page_of(db, &oid, 0).zeros);
	store_valid(db);
	MUST(db, inktag_db_resolve_length(db, &oid, PAGES(2)));
	for (int i = 0; i < INKTAG_DB_VERSIONS - 1; i++)
		flushed(0);
	ck_assert_uint_eq(page_of(db, &oid, 0).count, 2);
	ck_assert(!page_of(db, &oid, 0).zeros);
}
END_TEST

/* A flush says nothing about what was there before the session, nor about what was looked for in vain. */
START_TEST(prepare_flushed_in_doubt)
{
	written(0, 1, PAGES(2));
	prepare(db, &oid, 0, 1, AS_IT_IS);
	MUST(db, inktag_db_session(db));
	flushed(0);
	expect(0, false, 3, 5, 3, 1);
	/* There is room. */
	flushed(0);
	expect(0, false, 4, 6, 5, 3, 1);
	flushed(0);
	expect(0, false, 2, 7, 6);

	prepare(db, &oid, 1, 1, AS_IT_IS);
	MUST(db, found(1, INKTAG_DB_FOUND_NEITHER, NULL));
	flushed(1);
	expect(1, false, 3, 9, 8, 2);
	ck_assert(page_of(db, &oid, 1).lost);
	flushed(1);
	expect(1, false, 4, 10, 9, 8, 2);
	ck_assert(page_of(db, &oid, 1).lost);
	flushed(1);
	expect(1, false, 2, 11, 10);
	ck_assert(!page_of(db, &oid, 1).lost);
}
END_TEST

/* Prepares a version in place of the newest one, which the disk never got. */
static uint64_t replaces(uint64_t index)
{
	InkTagDbSeal s = seal_new(db, &oid, index);

	s.replaces = true;
	return prepare_seal(s);
}

START_TEST(prepare_replaces)
{
	uint64_t ticket, later;
	InkTagDbSeal s[2];

	/* Nothing can be replaced but what this session has prepared, and is not settled. */
	written(0, 1, PAGES(3));
	replaces(0);
	expect(0, false, 2, 3, 1);
	replaces(2);
	expect(2, true, 1, 4);
	MUST(db, inktag_db_session(db));
	replaces(0);
	expect(0, false, 3, 5, 3, 1);
	replaces(0);
	expect(0, false, 3, 6, 3, 1);

	/* It has the ticket of what it replaces. */
	ticket = prepare(db, &oid, 1, 1, AS_IT_IS);
	later = replaces(1);
	ck_assert_uint_gt(later, ticket);
	expect(1, false, 2, 8, 2);
	settle(ticket);
	expect(1, false, 1, 8);
	/* There is room, however often. */
	for (int i = 0; i < INKTAG_DB_VERSIONS - 1; i++)
		prepare(db, &oid, 1, 1, AS_IT_IS);
	replaces(1);
	expect(1, false, 4, 12, 10, 9, 8);
	s[0] = s[1] = seal_new(db, &oid, 1);
	s[0].replaces = s[1].replaces = true;
	s[1].v.version = seal_new(db, &oid, 1).v.version;
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 2, NULL, &later));
	MUST(db, inktag_db_prepare(db, &oid, s, 1, NULL, &later));
	expect(1, false, 4, 13, 10, 9, 8);
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, s, 1, NULL, &later));
	/* What was looked for in vain may be what the disk was given. */
	MUST(db, found(1, INKTAG_DB_FOUND_NEITHER, NULL));
	replaces(1);
	expect(1, false, 3, 15, 13, 8);
}
END_TEST

START_TEST(lengths_grow)
{
	uint64_t t, length = PAGES(1);

	for (int i = 1; i <= INKTAG_DB_VERSIONS; i++)
		prepare(db, &oid, 1, 0, PAGES(i));
	ck_assert_uint_eq(info_of(db, &oid).pendings, INKTAG_DB_VERSIONS);
	REFUSED(db, EBUSY, inktag_db_prepare(db, &oid, NULL, 0, &length, &t));
	length = PAGES(9);
	REFUSED(db, EBUSY, inktag_db_prepare(db, &oid, NULL, 0, &length, &t));
	length = PAGES(4);
	MUST(db, inktag_db_prepare(db, &oid, NULL, 0, &length, &t));
	settle(t);
	ck_assert_uint_eq(info_of(db, &oid).length, PAGES(4));
}
END_TEST

START_TEST(lengths_shrink)
{
	uint64_t t, first, length;

	written(0, 9, PAGES(10));
	first = prepare(db, &oid, 5, 5, PAGES(6));
	prepare(db, &oid, 1, 0, PAGES(3));
	ck_assert_uint_eq(pages_in(db, &oid), 10);
	length = PAGES(4);
	REFUSED(db, EBUSY, inktag_db_prepare(db, &oid, NULL, 0, &length, &t));
	length = PAGES(11);
	REFUSED(db, EBUSY, inktag_db_prepare(db, &oid, NULL, 0, &length, &t));
	settle(first);
	ck_assert_uint_eq(pages_in(db, &oid), 6);
	settle(db->generation);
	ck_assert_uint_eq(pages_in(db, &oid), 3);
	/* What was cut off is zeros when it is there again. */
	written(1, 0, PAGES(10));
	ck_assert_uint_eq(pages_in(db, &oid), 3);
}
END_TEST

/* The page in which the end is belongs to the file. */
START_TEST(length_in_a_page)
{
	InkTagDbSeal s;
	uint64_t t;

	written(0, 3, PAGES(3) + 1);
	written(1, 0, PAGES(2) + 1);
	ck_assert_uint_eq(pages_in(db, &oid), 3);
	s = seal_new(db, &oid, 3);
	REFUSED(db, EINVAL, inktag_db_prepare(db, &oid, &s, 1, NULL, &t));
	written(1, 0, PAGES(2));
	ck_assert_uint_eq(pages_in(db, &oid), 2);
	written(1, 0, 0);
	ck_assert_uint_eq(pages_in(db, &oid), 0);
	written(INT64_MAX / 4096, INT64_MAX / 4096, INT64_MAX);
	ck_assert_uint_eq(pages_in(db, &oid), 1);
}
END_TEST

/* --- resolve */

START_TEST(resolve_either)
{
	InkTagDbPage page;

	written(0, 3, PAGES(4));
	prepare(db, &oid, 0, 3, AS_IT_IS);
	db = store_reopen(db);
	page = page_of(db, &oid, 0);
	MUST(db, found(0, INKTAG_DB_FOUND_VERSION, &page.v[0]));
	expect(0, false, 1, 5);
	page = page_of(db, &oid, 1);
	MUST(db, found(1, INKTAG_DB_FOUND_VERSION, &page.v[1]));
	expect(1, false, 1, 2);
	ck_assert_uint_eq(info_of(db, &oid).unsettled, 2);
	/* And once more: it is as it was. */
	MUST(db, found(1, INKTAG_DB_FOUND_VERSION, &page.v[1]));
	expect(1, false, 1, 2);
	page.v[1].salt ^= 1;
	REFUSED(db, EINVAL, found(1, INKTAG_DB_FOUND_VERSION, &page.v[1]));
	page = page_of(db, &oid, 2);
	REFUSED(db, EINVAL, found(3, INKTAG_DB_FOUND_VERSION, &page.v[0]));
	REFUSED(db, EINVAL, found(2, INKTAG_DB_FOUND_ZEROS, NULL));
	REFUSED(db, EINVAL, found(2, 17, NULL));
	REFUSED(db, EINVAL, found(9, INKTAG_DB_FOUND_NEITHER, NULL));
	REFUSED(db, EINVAL, found(9, INKTAG_DB_FOUND_ZEROS, NULL));
	REFUSED(db, EBUSY, found(9, INKTAG_DB_FOUND_VERSION, &page.v[0]));
	REFUSED(db, EINVAL, inktag_db_resolve(db, &oid, NULL, INKTAG_DB_PAGES_MAX + 1));
}
END_TEST

START_TEST(resolve_zeros)
{
	InkTagDbPage page;

	prepare(db, &oid, 0, 1, PAGES(2));
	prepare(db, &oid, 0, 1, AS_IT_IS);
	MUST(db, found(0, INKTAG_DB_FOUND_ZEROS, NULL));
	ck_assert_uint_eq(pages_in(db, &oid), 1);
	page = page_of(db, &oid, 1);
	ck_assert(page.zeros);
	REFUSED(db, EBUSY, found(1, INKTAG_DB_FOUND_VERSION, &page.v[1]));
	MUST(db, inktag_db_resolve_length(db, &oid, PAGES(2)));
	MUST(db, found(1, INKTAG_DB_FOUND_VERSION, &page.v[1]));
	expect(1, false, 1, 2);
	settle(db->generation);
}
END_TEST

/* All in one transaction: the second is wrong, so the first is not recorded. */
START_TEST(resolve_together)
{
	InkTagDbFound f[2] = { { .index = 0 }, { .index = 1 } };
	InkTagDbPage page;

	written(0, 1, PAGES(2));
	prepare(db, &oid, 0, 1, AS_IT_IS);
	page = page_of(db, &oid, 0);
	f[0].version = page.v[0].version;
	f[0].salt = page.v[0].salt;
	f[1].version = 99;
	f[1].salt = page.v[0].salt;
	REFUSED(db, EINVAL, inktag_db_resolve(db, &oid, f, 2));
	expect(0, false, 2, 3, 1);
	f[1].version = 2;
	MUST(db, inktag_db_resolve(db, &oid, f, 2));
	expect(0, false, 1, 3);
	expect(1, false, 1, 2);
}
END_TEST

START_TEST(lost_page)
{
	InkTagDbInfo info;
	InkTagDbPage page;
	uint64_t ticket;

	written(0, 1, PAGES(2));
	ticket = prepare(db, &oid, 0, 0, AS_IT_IS);
	prepare(db, &oid, 0, 0, AS_IT_IS);
	MUST(db, found(0, INKTAG_DB_FOUND_NEITHER, NULL));
	/* The settled one and the newest, in case. */
	expect(0, false, 2, 4, 1);
	ck_assert(page_of(db, &oid, 0).lost);
	ck_assert(!page_of(db, &oid, 1).lost);
	ck_assert_uint_eq(info_of(db, &oid).lost, 1);
	MUST(db, inktag_db_info(db, &info));
	ck_assert_uint_eq(info.lost, 1);
	/* Nobody can say now that it was durable. */
	settle(ticket);
	settle(db->generation);
	expect(0, false, 2, 4, 1);
	ck_assert(page_of(db, &oid, 0).lost);
	/* Its data come back. */
	page = page_of(db, &oid, 0);
	MUST(db, found(0, INKTAG_DB_FOUND_VERSION, &page.v[1]));
	expect(0, false, 1, 1);
	ck_assert(!page_of(db, &oid, 0).lost);
	/* What is settled can be lost, too: a block that the disk has dropped. */
	MUST(db, found(1, INKTAG_DB_FOUND_NEITHER, NULL));
	expect(1, false, 1, 2);
	ck_assert(page_of(db, &oid, 1).lost);
}
END_TEST

START_TEST(lost_page_written)
{
	uint64_t before, after;

	written(0, 1, PAGES(2));
	before = prepare(db, &oid, 0, 0, AS_IT_IS);
	MUST(db, found(0, INKTAG_DB_FOUND_NEITHER, NULL));
	after = prepare(db, &oid, 0, 0, AS_IT_IS);
	ck_assert(page_of(db, &oid, 0).lost);
	settle(before);
	expect(0, false, 3, 4, 3, 1);
	settle(after);
	expect(0, false, 1, 4);
	ck_assert(!page_of(db, &oid, 0).lost);
	/* Again and again: there is always room. */
	for (int i = 0; i < 3 * INKTAG_DB_VERSIONS; i++) {
		MUST(db, found(0, INKTAG_DB_FOUND_NEITHER, NULL));
		prepare(db, &oid, 0, 0, AS_IT_IS);
	}
	ck_assert_uint_eq(info_of(db, &oid).lost, 1);
	settle(db->generation);
	ck_assert_uint_eq(info_of(db, &oid).lost, 0);
	/* Or cut off. */
	MUST(db, found(1, INKTAG_DB_FOUND_NEITHER, NULL));
	written(1, 0, PAGES(1));
	ck_assert_uint_eq(info_of(db, &oid).lost, 0);
}
END_TEST

START_TEST(resolve_growth)
{
	InkTagDbObject o;

	written(0, 1, PAGES(2));
	prepare(db, &oid, 1, 3, PAGES(4));
	prepare(db, &oid, 4, 5, PAGES(6));
	REFUSED(db, EINVAL, inktag_db_resolve_length(db, &oid, PAGES(3)));
	REFUSED(db, EINVAL, inktag_db_resolve_length(db, &oid, UINT64_MAX));
	MUST(db, inktag_db_resolve_length(db, &oid, PAGES(4)));
	o = info_of(db, &oid);
	ck_assert_uint_eq(o.length, PAGES(4));
	ck_assert_uint_eq(o.pendings, 0);
	ck_assert_uint_eq(pages_in(db, &oid), 4);
	expect(1, false, 2, 3, 2);
	/* It is accepted, and nothing is pending. */
	MUST(db, inktag_db_resolve_length(db, &oid, PAGES(4)));
}
END_TEST

START_TEST(resolve_growth_to_old)
{
	written(0, 1, PAGES(2));
	prepare(db, &oid, 1, 3, PAGES(4));
	MUST(db, inktag_db_resolve_length(db, &oid, PAGES(2)));
	ck_assert_uint_eq(info_of(db, &oid).length, PAGES(2));
	ck_assert_uint_eq(pages_in(db, &oid), 2);
	expect(1, false, 2, 3, 2);
}
END_TEST

/* A truncation that was cut short, either way. */
START_TEST(resolve_truncation)
{
	written(0, 3, PAGES(4));
	prepare(db, &oid, 1, 0, PAGES(1));
	MUST(db, inktag_db_resolve_length(db, &oid, PAGES(4)));
	ck_assert_uint_eq(pages_in(db, &oid), 4);
	prepare(db, &oid, 1, 0, PAGES(1));
	MUST(db, inktag_db_resolve_length(db, &oid, PAGES(1)));
	ck_assert_uint_eq(pages_in(db, &oid), 1);
	ck_assert_uint_eq(info_of(db, &oid).length, PAGES(1));
	ck_assert_uint_eq(info_of(db, &oid).pendings, 0);
}
END_TEST

/* The index that finds what is not settled must be used, or each fsync reads the records of the whole file. */
START_TEST(settle_is_quick)
{
	static InkTagDbSeal seals[INKTAG_DB_PAGES_MAX / 8];
	InkTagDbNonces nonces;
	uint64_t ticket, length = PAGES(ARRAY_SIZE(seals));
	int steps;

	MUST(db, inktag_db_reserve(db, &oid, ARRAY_SIZE(seals), &nonces));
	for (size_t i = 0; i < ARRAY_SIZE(seals); i++)
		seals[i] = (InkTagDbSeal){ i, { .version = nonces.first + i, .salt = nonces.salt } };
	MUST(db, inktag_db_prepare(db, &oid, seals, ARRAY_SIZE(seals), &length, &ticket));
	settle(ticket);
	ticket = prepare(db, &oid, 7, 7, AS_IT_IS);
	for (sqlite3_stmt *s = sqlite3_next_stmt(db->sql, NULL); s; s = sqlite3_next_stmt(db->sql, s))
		sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
	settle(ticket);
	steps = 0;
	for (sqlite3_stmt *s = sqlite3_next_stmt(db->sql, NULL); s; s = sqlite3_next_stmt(db->sql, s))
		steps += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 0);
	ck_assert_int_lt(steps, 2000);
}
END_TEST

Suite *suite_page(void)
{
	Suite *s = suite_create("page");
	TCase *tc = unit_case("page");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reserve);
	tcase_add_test(tc, reserve_the_last);
	tcase_add_test(tc, fetch_ranges);
	tcase_add_test(tc, objects_apart);
	tcase_add_test(tc, prepare_settle);
	tcase_add_test(tc, settle_up_to);
	tcase_add_loop_test(tc, sessions, 0, 2);
	tcase_add_test(tc, session_salt);
	tcase_add_test(tc, session_without_salt);
	tcase_add_test(tc, prepare_refused);
	tcase_add_test(tc, too_many_versions);
	tcase_add_test(tc, prepare_flushed);
	tcase_add_test(tc, prepare_flushed_growth);
	tcase_add_test(tc, prepare_flushed_in_doubt);
	tcase_add_test(tc, prepare_replaces);
	tcase_add_test(tc, lengths_grow);
	tcase_add_test(tc, lengths_shrink);
	tcase_add_test(tc, length_in_a_page);
	tcase_add_test(tc, resolve_either);
	tcase_add_test(tc, resolve_zeros);
	tcase_add_test(tc, resolve_together);
	tcase_add_test(tc, lost_page);
	tcase_add_test(tc, lost_page_written);
	tcase_add_test(tc, resolve_growth);
	tcase_add_test(tc, resolve_growth_to_old);
	tcase_add_test(tc, resolve_truncation);
	tcase_add_test(tc, settle_is_quick);
	suite_add_tcase(s, tc);
	return s;
}
