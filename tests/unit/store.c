// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c - a metadata store for the tests: the rules of qemu-patches' inktag-db.h, in memory. Of a page the versions of
 * this run of the VM are certain: only the newest is told. What the core relies on is asserted.
 */
#include "unit.h"

#define VERSIONS	KVM_INKTAG_VERSIONS

struct page {
	u32 count;		/* newest first */
	bool settled, lost;	/* settled: the oldest one */
	struct kvm_inktag_record v[VERSIONS];
	u64 ticket[VERSIONS];
};

struct object {
	u64 oid[2], length, names, next_version, stale;
	u64 pending, pending_ticket;	/* a length; ticket 0: none */
	GHashTable *pages;	/* index + 1 -> struct page */
};

struct store {
	GPtrArray *objects;
	u32 salt, count[KVM_INKTAG_STORE_OP_COUNT], refused_op;
	int refused;
	u64 ticket, at_once;
};

static void object_free(void *p)
{
	struct object *o = p;

	g_hash_table_destroy(o->pages);
	g_free(o);
}

struct store *store_new(void)
{
	struct store *st = g_new0(struct store, 1);

	st->objects = g_ptr_array_new_with_free_func(object_free);
	st->salt = 1;
	st->at_once = 4096;
	return st;
}

void store_free(struct store *st)
{
	g_ptr_array_unref(st->objects);
	g_free(st);
}

static struct object *object(struct store *st, const u64 oid[2])
{
	u32 i;

	for (i = 0; i < st->objects->len; i++) {
		struct object *o = st->objects->pdata[i];

		if (o->oid[0] == oid[0] && o->oid[1] == oid[1])
			return o;
	}
	return NULL;
}

static struct page *page(struct object *o, u64 index, bool make)
{
	struct page *p = g_hash_table_lookup(o->pages, GSIZE_TO_POINTER(index + 1));

	if (!p && make) {
		p = g_new0(struct page, 1);
		g_hash_table_insert(o->pages, GSIZE_TO_POINTER(index + 1), p);
	}
	return p;
}

void store_add(struct store *st, const u64 oid[2], u64 names)
{
	struct object *o = g_new0(struct object, 1);

	memcpy(o->oid, oid, sizeof(o->oid));
	o->names = names;
	/* Not among the versions of the VM's own key: see ink_seal() in env.c. */
	o->next_version = 1000000 * (st->objects->len + 1);
	o->pages = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	g_ptr_array_add(st->objects, o);
}

void store_names(struct store *st, const u64 oid[2], u64 names)
{
	object(st, oid)->names = names;
}

bool store_has(struct store *st, const u64 oid[2])
{
	return object(st, oid);
}

u64 store_length(struct store *st, const u64 oid[2])
{
	struct object *o = object(st, oid);

	return o->pending_ticket ? o->pending : o->length;
}

u32 store_versions(struct store *st, const u64 oid[2], u64 index)
{
	struct page *p = page(object(st, oid), index, false);

	return p ? p->count : 0;
}

u32 store_count(struct store *st, u32 op)
{
	return st->count[op];
}

void store_refuse(struct store *st, u32 op, int err)
{
	st->refused_op = op;
	st->refused = err;
}

void store_remove(struct store *st, const u64 oid[2])
{
	g_ptr_array_remove_fast(st->objects, object(st, oid));
}

void store_give(struct store *st, u64 versions)
{
	st->at_once = versions;
}

void store_restart(struct store *st)
{
	st->salt++;
}

static int fetch(struct store *st, struct object *o, const struct kvm_inktag_store *r, struct kvm_inktag_store *a)
{
	u64 index;
	u32 i;

	must(r->value[1] >= r->value[0] && r->value[1] - r->value[0] < KVM_INKTAG_FETCH, "too many pages are asked for");
	for (index = r->value[0]; index <= r->value[1]; index++) {
		struct page *p = page(o, index, false);
		bool certain = p && p->count && p->v[0].salt == st->salt;

		for (i = 0; p && i < (certain ? 1 : p->count); i++) {
			struct kvm_inktag_record *to = &a->record[a->count++];

			*to = p->v[i];
			to->flags = (certain || p->settled ? 0 : KVM_INKTAG_RECORD_ZEROS) |
				    (p->lost ? KVM_INKTAG_RECORD_LOST : 0);
			if (to->flags & KVM_INKTAG_RECORD_ZEROS && index < o->stale)
				to->flags |= KVM_INKTAG_RECORD_STALE;
		}
	}
	return 0;
}

static gboolean is_beyond(void *key, void *value, void *length)
{
	(void)value;
	return (GPOINTER_TO_SIZE(key) - 1) * PAGE >= *(u64 *)length;
}

/* None is pending any more. */
static void set_length(struct object *o, u64 length)
{
	o->length = length;
	o->pending_ticket = 0;
	g_hash_table_foreach_remove(o->pages, is_beyond, &o->length);
}

static int prepare(struct store *st, struct object *o, const struct kvm_inktag_store *r, struct kvm_inktag_store *a)
{
	u64 now = o->pending_ticket ? o->pending : o->length;
	u32 i;

	/* Shorter, and longer than that, are not pending together: the first is the length then, if it may be. */
	if (o->pending_ticket && ((o->pending < o->length && r->value[0] > o->pending) ||
				  (o->pending > o->length && r->value[0] < o->pending))) {
		if (o->pending < o->length && !r->value[1])
			return -EBUSY;
		set_length(o, o->pending);
	}
	for (i = 0; i < r->count; i++) {
		struct page *p = page(o, r->record[i].index, false);

		if (p && p->count == VERSIONS && !r->record[i].flags)
			return -EBUSY;
	}
	st->ticket++;
	o->stale = max(o->stale, r->value[2]);
	for (i = 0; i < r->count; i++) {
		const struct kvm_inktag_record *v = &r->record[i];
		struct page *p = page(o, v->index, true);

		must(v->index * PAGE < r->value[0], "page %llu is not below the length", v->index);
		must(v->version && v->version < o->next_version && v->salt == st->salt,
		     "version %llu was not handed out", v->version);
		must(v->flags != KVM_INKTAG_RECORD_REPLACES || (p->count && p->v[0].salt == st->salt),
		     "page %llu has nothing to be replaced", v->index);
		must(v->flags != KVM_INKTAG_RECORD_DURABLE || r->value[1], "page %llu is durable without a flush", v->index);
		if (v->flags == KVM_INKTAG_RECORD_REPLACES && !(p->settled && p->count == 1)) {
			p->v[0] = *v;
			continue;
		}
		if (v->flags == KVM_INKTAG_RECORD_DURABLE && p->count == VERSIONS) {
			p->count = 1;
			p->settled = true;
		}
		must(!p->count || p->v[0].version < v->version || p->v[0].salt != v->salt, "an older version is prepared");
		memmove(p->v + 1, p->v, (VERSIONS - 1) * sizeof(p->v[0]));
		memmove(p->ticket + 1, p->ticket, (VERSIONS - 1) * sizeof(p->ticket[0]));
		p->v[0] = *v;
		p->ticket[0] = st->ticket;
		p->count++;
		p->lost = false;
	}
	if (r->value[0] != now) {
		o->pending = r->value[0];
		o->pending_ticket = st->ticket;
	}
	a->value[0] = st->ticket;
	return 0;
}

static int settle(struct store *st, struct object *o, u64 ticket)
{
	GHashTableIter it;
	struct page *p;
	void *value;

	g_hash_table_iter_init(&it, o->pages);
	while (g_hash_table_iter_next(&it, NULL, &value)) {
		u32 i;

		p = value;
		/* What an earlier run has prepared is to be looked for on the disk. */
		for (i = 0; i < p->count && (p->ticket[i] > ticket || p->v[i].salt != st->salt); i++)
			;
		if (i == p->count)
			continue;
		p->count = i + 1;
		p->settled = true;
	}
	if (o->pending_ticket && o->pending_ticket <= ticket)
		set_length(o, o->pending);
	return 0;
}

static int clear(struct store *st, struct object *o, const struct kvm_inktag_store *r, struct kvm_inktag_store *a)
{
	o->stale = max(o->stale, r->value[2]);
	set_length(o, 0);
	a->value[0] = ++st->ticket;
	return 0;
}

static int resolve(struct object *o, const struct kvm_inktag_record *found)
{
	struct page *p = page(o, found->index, false);
	u32 i;

	must(p, "a page without a record is resolved");
	if (found->flags & KVM_INKTAG_RECORD_LOST) {
		p->lost = true;
		return 0;
	}
	if (!found->version) {
		must(!p->settled, "a page that was settled is zeros");
		g_hash_table_remove(o->pages, GSIZE_TO_POINTER(found->index + 1));
		return 0;
	}
	for (i = 0; p->v[i].version != found->version; i++)
		must(i + 1 < p->count, "no such version");
	p->v[0] = p->v[i];
	p->count = 1;
	p->settled = true;
	p->lost = false;
	return 0;
}

static int name(struct store *st, const struct kvm_inktag_store *r, struct kvm_inktag_store *a)
{
	struct object *o = st->objects->len ? st->objects->pdata[0] : NULL;

	must(r->count && r->count <= INKTAG_NAME_MAX && r->value[0] < INKTAG_NAME_OP_COUNT, "not a request for a name");
	if (!o || strcmp(r->path, "/data/first"))
		return -ENOENT;
	memcpy(a->oid, o->oid, sizeof(a->oid));
	a->value[0] = o->length;
	a->value[1] = o->names;
	return 0;
}

static int reserve(struct store *st, struct object *o, const struct kvm_inktag_store *r, struct kvm_inktag_store *a)
{
	a->value[0] = o->next_version;
	a->value[1] = min(r->value[0], st->at_once);
	a->value[2] = st->salt;
	o->next_version += a->value[1];
	return 0;
}

static int serve_file(struct store *st, const struct kvm_inktag_store *r, struct kvm_inktag_store *a)
{
	struct object *o = object(st, r->oid);

	if (!o)
		return -ENOENT;
	switch (r->op) {
	case KVM_INKTAG_STORE_OPEN:
		set_length(o, store_length(st, r->oid));
		a->value[0] = o->length;
		a->value[1] = st->ticket;
		a->value[2] = o->names;
		memset(a->key, o->oid[0], sizeof(a->key));
		return 0;
	case KVM_INKTAG_STORE_RELEASE:
		a->value[0] = o->names;
		if (!o->names)
			g_ptr_array_remove_fast(st->objects, o);
		return 0;
	case KVM_INKTAG_STORE_RESERVE:
		return reserve(st, o, r, a);
	case KVM_INKTAG_STORE_FETCH:
		return fetch(st, o, r, a);
	case KVM_INKTAG_STORE_PREPARE:
		return prepare(st, o, r, a);
	case KVM_INKTAG_STORE_SETTLE:
		return settle(st, o, r->value[0]);
	case KVM_INKTAG_STORE_CLEAR:
		return clear(st, o, r, a);
	case KVM_INKTAG_STORE_RESOLVE:
		ck_assert_uint_eq(r->count, 1);
		return resolve(o, &r->record[0]);
	default:
		ck_abort_msg("no such request: %u", r->op);
	}
}

u32 store_serve(struct store *st, struct guest *g)
{
	struct kvm_inktag_store *a = g_new(struct kvm_inktag_store, 1);
	const struct kvm_inktag_store *r;
	u32 n = 0;

	while (!ink_store_take(&g->vm, &r)) {
		memset(a, 0, sizeof(*a));
		a->id = r->id;
		a->op = r->op;
		st->count[r->op]++;
		if (st->refused && st->refused_op == r->op) {
			a->result = st->refused;
			st->refused = 0;
		} else {
			a->result = r->op == KVM_INKTAG_STORE_NAME ? name(st, r, a) : serve_file(st, r, a);
		}
		ck_assert_int_eq(ink_store_answer(&g->vm, a), 0);
		guest_check(g);
		n++;
	}
	g_free(a);
	return n;
}
