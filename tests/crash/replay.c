// SPDX-License-Identifier: GPL-2.0-or-later
/* replay.c - see replay.h */
#include <string.h>
#include "replay.h"

struct pending {
	const struct record *r;	/* in the log, with its bytes behind it */
	bool returned;
};

struct replay *replay_new(const char *log, guint nr_files, const char *const *first, const guint *block)
{
	struct replay *r = g_new0(struct replay, 1);
	GError *err = NULL;
	guint i;

	r->log = g_mapped_file_new(log, false, &err);
	if (!r->log)
		g_error("%s", err->message);
	r->at = g_mapped_file_get_contents(r->log);
	r->end = r->at + g_mapped_file_get_length(r->log);
	r->nr_files = nr_files;
	r->syncs = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
	for (i = 0; i < nr_files; i++) {
		struct image *f = &r->file[i];
		gchar *data = NULL;
		gsize size = 0;

		if (first[i] && !g_file_get_contents(first[i], &data, &size, &err))
			g_error("%s", err->message);
		f->now = g_byte_array_append(g_byte_array_new(), (guint8 *)data, size);
		f->durable = g_byte_array_append(g_byte_array_new(), (guint8 *)data, size);
		f->pending = g_array_new(false, false, sizeof(struct pending));
		f->block = block[i];
		g_free(data);
	}
	return r;
}

void replay_free(struct replay *r)
{
	guint i;

	for (i = 0; i < r->nr_files; i++) {
		g_byte_array_unref(r->file[i].now);
		g_byte_array_unref(r->file[i].durable);
		g_array_unref(r->file[i].pending);
	}
	g_hash_table_unref(r->syncs);
	g_mapped_file_unref(r->log);
	g_free(r);
}

static void set_size(GByteArray *file, guint64 size)
{
	guint had = file->len;

	g_byte_array_set_size(file, size);
	if (size > had)
		memset(file->data + had, 0, size - had);
}

/* [at, at + length) of what the record writes, in the file's bytes. */
static void apply_part(GByteArray *to, const struct record *r, guint64 at, guint64 length)
{
	if (at + length > to->len)
		set_size(to, at + length);
	if (r->kind == RECORD_WRITE)
		memcpy(to->data + at, (const char *)(r + 1) + (at - r->at), length);
	else
		memset(to->data + at, 0, length);
}

static void apply(GByteArray *to, const struct record *r)
{
	if (r->kind == RECORD_CUT)
		set_size(to, r->length);
	else
		apply_part(to, r, r->at, r->length);
}

/* Some of its blocks; chance: of 256, for each. */
static void apply_some(GByteArray *to, const struct record *r, guint block, guint chance, GRand *rand)
{
	guint64 at = r->at, end = r->at + r->length, next;

	if (r->kind == RECORD_CUT) {
		if ((guint)g_rand_int_range(rand, 0, 256) < chance)
			apply(to, r);
		return;
	}
	for (; at < end; at = next) {
		next = MIN(end, (at / block + 1) * block);
		if ((guint)g_rand_int_range(rand, 0, 256) < chance)
			apply_part(to, r, at, next - at);
	}
}

static struct pending *pending_of(struct image *f, guint64 id)
{
	guint i;

	for (i = 0; i < f->pending->len; i++) {
		struct pending *p = &g_array_index(f->pending, struct pending, i);

		if (p->r->id == id)
			return p;
	}
	return NULL;
}

static void sync_begins(struct replay *r, struct image *f, guint64 id)
{
	GArray *ids = g_array_new(false, false, sizeof(guint64));
	guint i;

	for (i = 0; i < f->pending->len; i++) {
		struct pending *p = &g_array_index(f->pending, struct pending, i);

		if (p->returned)
			g_array_append_val(ids, p->r->id);
	}
	g_hash_table_insert(r->syncs, GSIZE_TO_POINTER(id), ids);
}

/* What overlaps went to the disk in the order of its beginning: nobody had two writes to one place under way. */
static void sync_ends(struct replay *r, struct image *f, guint64 id)
{
	GArray *ids = g_hash_table_lookup(r->syncs, GSIZE_TO_POINTER(id));
	guint i, n;

	for (n = 0; n < ids->len && !f->deaf; n++)
		for (i = 0; i < f->pending->len; i++) {
			struct pending *p = &g_array_index(f->pending, struct pending, i);

			if (p->r->id != g_array_index(ids, guint64, n))
				continue;
			apply(f->durable, p->r);
			g_array_remove_index(f->pending, i);
			break;
		}
	g_hash_table_remove(r->syncs, GSIZE_TO_POINTER(id));
}

static bool call_returned(struct replay *r, struct image *f, guint64 id)
{
	struct pending *p;

	if (g_hash_table_contains(r->syncs, GSIZE_TO_POINTER(id))) {
		sync_ends(r, f, id);
		return true;
	}
	p = pending_of(f, id);
	if (p)
		p->returned = true;
	return false;
}

bool replay_step(struct replay *r, const struct record **written)
{
	*written = NULL;
	while ((gsize)(r->end - r->at) >= sizeof(struct record)) {
		const struct record *rec = (const void *)r->at;
		gsize size = sizeof(*rec) + (rec->kind == RECORD_WRITE ? rec->length : 0);
		struct image *f;

		if (rec->magic != RECORD_MAGIC || rec->file >= r->nr_files)
			g_error("the log is damaged");
		if ((gsize)(r->end - r->at) < size)
			break;			/* QEMU's end came in between */
		r->at += size;
		f = &r->file[rec->file];
		if (rec->kind == RECORD_SYNC) {
			sync_begins(r, f, rec->id);
		} else if (rec->kind == RECORD_DONE) {
			if (call_returned(r, f, rec->id)) {
				r->instant++;
				return true;
			}
		} else {
			struct pending p = { .r = rec };

			apply(f->now, rec);
			g_array_append_val(f->pending, p);
			r->instant++;
			*written = rec;
			return true;
		}
	}
	return false;
}

GByteArray *replay_state(struct replay *r, guint i, GRand *rand)
{
	static const guint chances[] = { 0, 32, 128, 224, 256 };
	struct image *f = &r->file[i];
	GByteArray *base = rand ? f->durable : f->now, *is = g_byte_array_new();
	guint n, chance = rand ? chances[g_rand_int_range(rand, 0, G_N_ELEMENTS(chances))] : 0;

	g_byte_array_append(is, base->data, base->len);
	for (n = 0; rand && n < f->pending->len; n++)
		apply_some(is, g_array_index(f->pending, struct pending, n).r, f->block, chance, rand);
	return is;
}
