// SPDX-License-Identifier: GPL-2.0-or-later
/* test_random.c - random calls, right and wrong, beside a model in memory that is so simple that it is right */
#include "unit.h"

#define OBJECTS		4
#define PAGES		12
#define PATHS		5
#define STEPS		2500

struct version {
	uint64_t ticket;	/* 0: settled */
	uint64_t version;
	uint32_t salt;
};

struct model_page {
	struct version v[INKTAG_DB_VERSIONS];	/* oldest first */
	uint32_t count;
	uint64_t lost;		/* the generation; 0: it is not */
};

struct model_object {
	bool there;
	InkTagDbOid oid;
	uint64_t length;
	struct { uint64_t ticket, length; } pending[INKTAG_DB_VERSIONS];
	uint32_t pendings;
	uint64_t next;
	struct model_page pages[PAGES];
};

static struct model_object objects[OBJECTS];
static int bound[PATHS];	/* the object; -1: none */
static const char *const paths[PATHS] = { "/a", "/b", "/c/d", "/c/e", "/f" };
static uint64_t generation;
static uint64_t session;	/* the generation when it began */
static InkTagDb *db;
static GRand *rnd;

static uint64_t below(uint64_t n)
{
	return g_rand_int_range(rnd, 0, n);
}

static uint64_t pages_of(uint64_t length)
{
	return (length + INKTAG_DB_PAGE_SIZE - 1) / INKTAG_DB_PAGE_SIZE;
}

static uint64_t newest_length(const struct model_object *o)
{
	return o->pendings ? o->pending[o->pendings - 1].length : o->length;
}

static uint64_t links_of(int n)
{
	uint64_t links = 0;

	for (int i = 0; i < PATHS; i++)
		links += bound[i] == n;
	return links;
}

/* What the call returned, and what the model says. */
static bool went(int ret, int wanted)
{
	ck_assert_msg(ret == wanted, "%d (%s), and the model says %d", ret, inktag_db_error(db), wanted);
	generation += ret == 0;
	return ret == 0;
}

static void model_cut(struct model_object *o, uint64_t length)
{
	o->length = length;
	for (uint64_t i = pages_of(MAX(length, newest_length(o))); i < PAGES; i++)
		memset(&o->pages[i], 0, sizeof(o->pages[i]));
}

/* --- the calls ------------------------------------------------------------------------------- */

static void do_create(int n)
{
	if (objects[n].there)
		return;
	went(inktag_db_object_create(db, &objects[n].oid), 0);
	objects[n].there = true;
	objects[n].next = 1;
}

static void do_remove(int n)
{
	struct model_object *o = &objects[n];

	if (went(inktag_db_object_remove(db, &o->oid), !o->there ? -ENOENT : links_of(n) ? -EBUSY : 0))
		memset(o, 0, sizeof(*o));
}

/* Can its newest version be what a flush made durable? */
static bool is_known(const struct model_page *p)
{
	return p->count && p->v[p->count - 1].ticket > MAX(session, p->lost);
}

static void do_prepare(int n)
{
	struct model_object *o = &objects[n];
	uint64_t length = below(4) ? newest_length(o) : below(PAGES * INKTAG_DB_PAGE_SIZE), ticket;
	bool with_length = below(3) == 0;
	InkTagDbSeal seals[4];
	InkTagDbNonces nonces;
	uint32_t count = below(4), taken = 0;
	int wanted = 0;

	if (went(inktag_db_reserve(db, &o->oid, 4, &nonces), o->there ? 0 : -ENOENT)) {
		ck_assert_uint_eq(nonces.first, o->next);
		o->next += 4;
	} else {
		return;
	}
	if (with_length && length != newest_length(o)) {
		bool grows = length > newest_length(o);

		if (o->pendings && grows != (newest_length(o) > o->length))
			wanted = -EBUSY;
		else if (o->pendings == INKTAG_DB_VERSIONS)
			wanted = -EBUSY;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct model_page *p;
		uint64_t index = below(PAGES);

		seals[i] = (InkTagDbSeal){ index, { .version = nonces.first + i, .salt = nonces.salt } };
		seals[i].durable = below(4) == 0;
		seals[i].replaces = !seals[i].durable && below(3) == 0;
		if (wanted)
			continue;
		p = &o->pages[index];
		if (index >= pages_of(with_length ? length : newest_length(o)))
			wanted = -EINVAL;
		else if (taken & 1 << index)
			wanted = -EINVAL;
		else if (p->count == INKTAG_DB_VERSIONS &&
			 !((seals[i].durable || seals[i].replaces) && is_known(p)))
			wanted = -EBUSY;
		taken |= 1 << index;
	}
	if (!went(inktag_db_prepare(db, &o->oid, seals, count, with_length ? &length : NULL, &ticket), wanted))
		return;
	ck_assert_uint_eq(ticket, generation);
	if (with_length && length != newest_length(o)) {
		o->pending[o->pendings].ticket = ticket;
		o->pending[o->pendings++].length = length;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct model_page *p = &o->pages[seals[i].index];

		if (seals[i].replaces && is_known(p)) {
			p->v[p->count - 1].version = seals[i].v.version;
			p->v[p->count - 1].salt = seals[i].v.salt;
			continue;
		}
		if (seals[i].durable && p->count == INKTAG_DB_VERSIONS && is_known(p)) {
			p->v[0] = p->v[p->count - 1];
			p->count = 1;
			p->lost = 0;
			if (seals[i].index < pages_of(o->length))
				p->v[0].ticket = 0;
		}
		p->v[p->count++] = (struct version){ ticket, seals[i].v.version, seals[i].v.salt };
	}
}

static void settle_page(struct model_page *p, uint64_t ticket)
{
	int newest = -1;

	for (uint32_t i = 0; i < p->count; i++)
		if (p->v[i].ticket > MAX(session, p->lost) && p->v[i].ticket <= ticket)
			newest = i;
	if (newest < 0)
		return;
	memmove(p->v, p->v + newest, (p->count - newest) * sizeof(p->v[0]));
	p->count -= newest;
	p->v[0].ticket = 0;
	p->lost = 0;
}

static void do_settle(int n)
{
	struct model_object *o = &objects[n];
	uint64_t back = below(12), ticket = generation - MIN(generation, back), length = o->length;
	uint32_t k;

	if (!went(inktag_db_settle(db, &o->oid, ticket), o->there ? 0 : -ENOENT))
		return;
	for (k = 0; k < o->pendings && o->pending[k].ticket <= ticket; k++)
		length = o->pending[k].length;
	memmove(o->pending, o->pending + k, (o->pendings - k) * sizeof(o->pending[0]));
	o->pendings -= k;
	model_cut(o, length);
	for (int i = 0; i < PAGES; i++)
		settle_page(&o->pages[i], ticket);
}

static void do_resolve(int n)
{
	struct model_object *o = &objects[n];
	InkTagDbFound f = { .index = below(PAGES), .kind = below(3) };
	struct model_page *p = &o->pages[f.index];
	struct version v = p->v[p->count ? below(p->count) : 0];
	int wanted = p->count ? 0 : -EINVAL;

	f.version = v.version + (below(8) == 0);
	f.salt = v.salt;
	if (f.kind == INKTAG_DB_FOUND_VERSION && f.index >= pages_of(o->length)) {
		wanted = -EBUSY;
	} else if (f.kind == INKTAG_DB_FOUND_VERSION && f.version != v.version) {
		wanted = -EINVAL;
		for (uint32_t i = 0; i < p->count; i++)
			if (p->v[i].version == f.version && p->v[i].salt == f.salt) {
				wanted = 0;
				v = p->v[i];
			}
	} else if (f.kind == INKTAG_DB_FOUND_ZEROS && p->count && !p->v[0].ticket) {
		wanted = -EINVAL;
	}
	if (!went(inktag_db_resolve(db, &o->oid, &f, 1), o->there ? wanted : -ENOENT))
		return;
	switch (f.kind) {
	case INKTAG_DB_FOUND_VERSION:
		v.ticket = 0;
		*p = (struct model_page){ .v = { v }, .count = 1 };
		break;
	case INKTAG_DB_FOUND_ZEROS:
		memset(p, 0, sizeof(*p));
		break;
	case INKTAG_DB_FOUND_NEITHER:
		v = p->v[p->count - 1];
		if (p->v[0].ticket)
			p->count = 0;
		else
			p->count = MIN(p->count, 1);
		if (!p->count || v.ticket)
			p->v[p->count++] = v;
		p->lost = generation;
	}
}

static void do_resolve_length(int n)
{
	struct model_object *o = &objects[n];
	uint32_t k = below(o->pendings + 1);
	uint64_t length = k < o->pendings ? o->pending[k].length : o->length;
	int wanted = 0;

	if (below(8) == 0 && newest_length(o) < PAGES * INKTAG_DB_PAGE_SIZE && o->pendings == 0) {
		length++;
		wanted = -EINVAL;
	}
	if (!went(inktag_db_resolve_length(db, &o->oid, length), o->there ? wanted : -ENOENT))
		return;
	o->pendings = 0;
	model_cut(o, length);
}

static void do_bind(int n)
{
	int p = below(PATHS);

	if (went(inktag_db_name_bind(db, paths[p], &objects[n].oid),
		 !objects[n].there ? -ENOENT : bound[p] >= 0 ? -EEXIST : 0))
		bound[p] = n;
}

static void unlinked(const InkTagDbUnlinked *u, int n)
{
	ck_assert_int_eq(u->any, n >= 0);
	if (n < 0)
		return;
	ck_assert_mem_eq(&u->oid, &objects[n].oid, sizeof(u->oid));
	ck_assert_uint_eq(u->links, links_of(n));
}

static void do_names(int n)
{
	int from = below(PATHS), to = below(PATHS), was = bound[to];
	InkTagDbUnlinked u;

	(void)n;
	switch (below(3)) {
	case 0:
		if (went(inktag_db_name_link(db, paths[from], paths[to]),
			 bound[from] < 0 ? -ENOENT : bound[to] >= 0 ? -EEXIST : 0))
			bound[to] = bound[from];
		break;
	case 1:
		if (!went(inktag_db_name_rename(db, paths[from], paths[to], &u), bound[from] < 0 ? -ENOENT : 0))
			return;
		if (bound[from] == was) {
			unlinked(&u, -1);
			return;
		}
		bound[to] = bound[from];
		bound[from] = -1;
		unlinked(&u, was);
		break;
	case 2:
		if (went(inktag_db_name_unlink(db, paths[to], &u), was < 0 ? -ENOENT : 0)) {
			bound[to] = -1;
			unlinked(&u, was);
		}
	}
}

static void do_session(int n)
{
	(void)n;
	switch (below(8)) {
	case 0:
		db = store_reopen(db);
		session = generation;
		break;
	case 1:
		MUST(db, inktag_db_session(db));
		session = generation;
	}
}

/* --- the store is as the model --------------------------------------------------------------- */

static void compare_page(const InkTagDbPage *page, const struct model_page *p)
{
	ck_assert_uint_eq(page->count, p->count);
	ck_assert_int_eq(page->zeros, p->v[0].ticket != 0);
	ck_assert_int_eq(page->lost, p->lost != 0);
	ck_assert_int_eq(page->certain, is_known(p));
	for (uint32_t i = 0; i < p->count; i++) {
		ck_assert_uint_eq(page->v[i].version, p->v[p->count - 1 - i].version);
		ck_assert_uint_eq(page->v[i].salt, p->v[p->count - 1 - i].salt);
	}
}

static void compare_object(const struct model_object *o, int n)
{
	InkTagDbObject got = info_of(db, &o->oid);
	InkTagDbPage pages[PAGES];
	uint32_t count, k = 0;

	ck_assert_uint_eq(got.length, o->length);
	ck_assert_uint_eq(got.next_version, o->next);
	ck_assert_uint_eq(got.links, links_of(n));
	ck_assert_uint_eq(got.pendings, o->pendings);
	for (uint32_t i = 0; i < o->pendings; i++)
		ck_assert_uint_eq(got.pending[i], o->pending[i].length);
	MUST(db, inktag_db_fetch(db, &o->oid, 0, INT64_MAX, pages, PAGES, &count));
	for (uint64_t i = 0; i < PAGES; i++) {
		if (!o->pages[i].count)
			continue;
		ck_assert_uint_lt(k, count);
		ck_assert_uint_eq(pages[k].index, i);
		compare_page(&pages[k++], &o->pages[i]);
	}
	ck_assert_uint_eq(k, count);
}

static void compare(void)
{
	InkTagDbInfo info;
	InkTagDbOid oid;

	MUST(db, inktag_db_info(db, &info));
	ck_assert_uint_eq(info.generation, generation);
	for (int n = 0; n < OBJECTS; n++)
		if (objects[n].there)
			compare_object(&objects[n], n);
	for (int i = 0; i < PATHS; i++) {
		int ret = inktag_db_name_lookup(db, paths[i], &oid);

		ck_assert_int_eq(ret, bound[i] < 0 ? -ENOENT : 0);
		if (!ret)
			ck_assert_mem_eq(&oid, &objects[bound[i]].oid, sizeof(oid));
	}
}

START_TEST(twin)
{
	static void (*const calls[])(int n) = {
		do_create, do_remove, do_prepare, do_prepare, do_prepare, do_prepare, do_prepare, do_settle, do_settle,
		do_resolve, do_resolve_length, do_bind, do_names, do_names, do_session,
	};

	rnd = g_rand_new_with_seed(seed + _i);
	memset(bound, 0xff, sizeof(bound));
	db = store_new();
	generation = session = 1;
	for (int i = 0; i < STEPS; i++) {
		calls[below(ARRAY_SIZE(calls))](below(OBJECTS));
		compare();
		if (i % 50 == 0)
			store_valid(db);
	}
	inktag_db_close(db);
	g_rand_free(rnd);
}
END_TEST

Suite *suite_random(void)
{
	Suite *s = suite_create("random");
	TCase *tc = unit_case("random");

	tcase_add_loop_test(tc, twin, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
