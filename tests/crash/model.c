// SPDX-License-Identifier: GPL-2.0-or-later
/* model.c - see model.h */
#include <string.h>
#include "content.h"
#include "model.h"

#define PAGE	4096
#define PAGES	192

struct range {
	guint64 from, to;
};

struct file {
	int refs;
	guint64 length;
	GArray *lengths;		/* of struct range: accepted */
	GPtrArray *page[PAGES];		/* contents that are accepted, the newest last; NULL: zeros only */
};

struct model {
	GHashTable *names;		/* path -> struct file */
	GHashTable *after;		/* the same, when the operation is done */
	GPtrArray *paths;
	struct file *synced;		/* by the operation */
	guint64 synced_to;		/* bytes of it; G_MAXUINT64: with its length */
};

static const char zeros[PAGE];

/* --- files ------------------------------------------------------------------------------------------ */

static struct file *file_get(struct file *f)
{
	f->refs++;
	return f;
}

static void file_put(void *p)
{
	struct file *f = p;
	guint i;

	if (--f->refs)
		return;
	for (i = 0; i < PAGES; i++)
		if (f->page[i])
			g_ptr_array_unref(f->page[i]);
	g_array_unref(f->lengths);
	g_free(f);
}

static void accept_lengths(struct file *f, guint64 a, guint64 b)
{
	struct range r = { MIN(a, b), MAX(a, b) };

	g_array_append_val(f->lengths, r);
}

static struct file *file_new(void)
{
	struct file *f = g_new0(struct file, 1);

	f->refs = 1;
	f->lengths = g_array_new(false, false, sizeof(struct range));
	accept_lengths(f, 0, 0);
	return f;
}

static const char *newest(struct file *f, guint i)
{
	return f->page[i] ? f->page[i]->pdata[f->page[i]->len - 1] : zeros;
}

static void accept_page(struct file *f, guint i, const char *content)
{
	if (!memcmp(content, newest(f, i), PAGE))
		return;
	if (!f->page[i]) {
		f->page[i] = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(f->page[i], g_memdup2(zeros, PAGE));
	}
	g_ptr_array_add(f->page[i], g_memdup2(content, PAGE));
}

/* n: NULL: zeros */
static void write_to(struct file *f, guint64 at, guint64 len, const unsigned long *n)
{
	char page[PAGE];
	guint64 end = at + len, part;

	if (end > PAGES * PAGE)
		g_error("a file is too long for this test");
	for (; at < end; at += part) {
		part = MIN(end - at, PAGE - at % PAGE);
		memcpy(page, newest(f, at / PAGE), PAGE);
		if (n)
			content_fill(page + at % PAGE, part, at, *n);
		else
			memset(page + at % PAGE, 0, part);
		accept_page(f, at / PAGE, page);
	}
}

static void reach(struct file *f, guint64 length)
{
	if (length <= f->length)
		return;
	accept_lengths(f, f->length, length);
	f->length = length;
}

static void cut(struct file *f, guint64 length)
{
	if (length >= f->length) {
		reach(f, length);
		return;
	}
	write_to(f, length, f->length - length, NULL);
	accept_lengths(f, length, length);
	f->length = length;
}

static void file_synced(struct file *f, guint64 to)
{
	guint i;

	for (i = 0; i < PAGES && (guint64)i * PAGE < to; i++)
		if (f->page[i])
			g_ptr_array_remove_range(f->page[i], 0, f->page[i]->len - 1);
	if (to != G_MAXUINT64)
		return;
	g_array_set_size(f->lengths, 0);
	accept_lengths(f, f->length, f->length);
}

/* One that was accepted, or one in the middle of becoming the next. */
static bool page_is_accepted(struct file *f, guint i, const guint8 *is, guint len)
{
	guint n, same;

	if (!f->page[i])
		return !memcmp(is, zeros, len);
	for (n = 0; n < f->page[i]->len; n++) {
		const guint8 *next = f->page[i]->pdata[n], *before = n ? f->page[i]->pdata[n - 1] : NULL;

		for (same = 0; same < len && is[same] == next[same]; same++)
			;
		if (same == len || (before && !memcmp(is + same, before + same, len - same)))
			return true;
	}
	return false;
}

static char *judge_file(struct file *f, const GByteArray *is)
{
	guint i;

	for (i = 0; ; i++) {
		struct range *r = &g_array_index(f->lengths, struct range, i);

		if (i == f->lengths->len)
			return g_strdup_printf("length %u, and %" G_GUINT64_FORMAT " was written", is->len, f->length);
		if (is->len >= r->from && is->len <= r->to)
			break;
	}
	for (i = 0; i * PAGE < is->len; i++)
		if (!page_is_accepted(f, i, is->data + i * PAGE, MIN(PAGE, is->len - i * PAGE)))
			return g_strdup_printf("page %u has a content that it should not: \"%.40s\"", i, is->data + i * PAGE);
	return NULL;
}

/* --- operations --------------------------------------------------------------------------------------- */

static GHashTable *names_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, file_put);
}

struct model *model_new(void)
{
	struct model *m = g_new0(struct model, 1);

	m->names = names_new();
	m->paths = g_ptr_array_new_with_free_func(g_free);
	return m;
}

void model_free(struct model *m)
{
	g_hash_table_unref(m->names);
	if (m->after)
		g_hash_table_unref(m->after);
	g_ptr_array_unref(m->paths);
	g_free(m);
}

GPtrArray *model_paths(struct model *m)
{
	return m->paths;
}

static void bind(struct model *m, const char *path, struct file *f)
{
	g_hash_table_replace(m->after, g_strdup(path), f);
	if (!g_ptr_array_find_with_equal_func(m->paths, path, g_str_equal, NULL))
		g_ptr_array_add(m->paths, g_strdup(path));
}

static struct file *must_have(struct model *m, const char *path)
{
	struct file *f = g_hash_table_lookup(m->after, path);

	if (!f)
		g_error("the mark names %s, which is not there", path);
	return f;
}

static struct file *made(struct model *m, const char *path)
{
	if (!g_hash_table_lookup(m->after, path))
		bind(m, path, file_new());
	return must_have(m, path);
}

static void do_put(struct model *m, const char *path, guint64 len, unsigned long n)
{
	struct file *f = made(m, path);

	cut(f, 0);
	write_to(f, 0, len, &n);
	reach(f, len);
}

static void do_write(struct file *f, guint64 at, guint64 len, unsigned long n)
{
	write_to(f, at, len, &n);
	reach(f, at + len);
}

bool model_begin(struct model *m, const char *line)
{
	g_auto(GStrv) w = g_strsplit(line, " ", 0);
	guint words = g_strv_length(w);
	const char *path = words > 1 ? w[1] : NULL;
	guint64 number[3] = { 0 };
	GHashTableIter it;
	void *name, *file;
	guint i;

	for (i = 2; i < MIN(words, 5); i++)
		number[i - 2] = g_ascii_strtoull(w[i], NULL, 0);
	m->synced = NULL;
	m->after = names_new();
	g_hash_table_iter_init(&it, m->names);
	while (g_hash_table_iter_next(&it, &name, &file))
		g_hash_table_insert(m->after, g_strdup(name), file_get(file));
	if (!path)
		return false;
	if (!strcmp(w[0], "put")) {
		do_put(m, path, number[0], number[1]);
	} else if (!strcmp(w[0], "add")) {
		do_write(made(m, path), made(m, path)->length, number[0], number[1]);
	} else if (!strcmp(w[0], "poke") || !strcmp(w[0], "map_poke")) {
		do_write(must_have(m, path), number[0], number[1], number[2]);
		if (w[0][0] == 'm') {
			m->synced = must_have(m, path);
			m->synced_to = number[0] + number[1];
		}
	} else if (!strcmp(w[0], "cut")) {
		cut(must_have(m, path), number[0]);
	} else if (!strcmp(w[0], "sync")) {
		m->synced = must_have(m, path);
		m->synced_to = G_MAXUINT64;
	} else if (!strcmp(w[0], "link")) {
		bind(m, w[2], file_get(must_have(m, path)));
	} else if (!strcmp(w[0], "rename")) {
		bind(m, w[2], file_get(must_have(m, path)));
		g_hash_table_remove(m->after, path);
	} else if (!strcmp(w[0], "unlink")) {
		g_hash_table_remove(m->after, path);
	} else {
		return !strcmp(w[0], "keep") || !strcmp(w[0], "mark");
	}
	return true;
}

void model_end(struct model *m)
{
	if (m->synced)
		file_synced(m->synced, m->synced_to);
	m->synced = NULL;
	g_hash_table_unref(m->names);
	m->names = g_steal_pointer(&m->after);
}

static char *judge(struct model *m, GHashTable *names, GHashTable *is)
{
	guint i;

	for (i = 0; i < m->paths->len; i++) {
		const char *path = m->paths->pdata[i];
		struct file *f = g_hash_table_lookup(names, path);
		const GByteArray *content = g_hash_table_lookup(is, path);
		g_autofree char *why = NULL;

		if (!f != !content)
			return g_strdup_printf("%s: %s", path, f ? "it is not there" : "it should not be there");
		if (f)
			why = judge_file(f, content);
		if (why)
			return g_strdup_printf("%s: %s", path, why);
	}
	return NULL;
}

char *model_judge(struct model *m, GHashTable *is)
{
	char *why = judge(m, m->names, is);
	g_autofree char *first = NULL, *second = NULL;

	if (!why || !m->after)
		return why;
	first = why;
	second = judge(m, m->after, is);
	return second ? g_strdup_printf("%s; and if what is under way was done: %s", first, second) : NULL;
}
