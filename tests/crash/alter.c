// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alter.c - changes one byte of each page that the protected files have on a disk, one page after the other: each must be
 * found when it is read (I2).
 *
 *	alter DIR	DIR has disk (ext4), store and key, as a VM has left them; disk and store are changed
 *
 * The last line is "N pages, N passed, N failed". Status 0: none failed, and there were some.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "files.h"
#include "vm.h"

struct run {
	const char *dir;
	struct vm *vm;
	guint64 pages, failed;
};

static bool is_it(void *which, uint64_t index)
{
	return *(guint64 *)which == index;
}

static bool is_zero(const guint8 *p, guint len)
{
	guint i;

	for (i = 0; i < len && !p[i]; i++)
		;
	return i == len;
}

/* A page that is zeros may be one that is not on the disk: nobody looks there. */
static void alter_page(struct run *run, const char *path, const guint64 oid[2], GByteArray *backing, guint64 index)
{
	guint at = index * VM_PAGE + g_random_int_range(0, VM_PAGE);
	g_autoptr(GByteArray) is = NULL;
	g_autofree char *why = NULL;

	backing->data[at] ^= 1 << g_random_int_range(0, 8);
	is = vm_read(run->vm, oid, backing, is_it, &index, &why);
	run->pages++;
	if (is || !strstr(why, "is not what the store says")) {
		run->failed++;
		printf("not ok - %s, byte %u altered: %s\n", path, at, is ? "not noticed" : why);
	}
}

static void alter_file(struct run *run, const char *path)
{
	g_autoptr(GByteArray) backing = NULL, is = NULL;
	g_autofree char *why = NULL;
	guint64 oid[2], i;

	if (!vm_lookup(run->vm, path, oid))
		g_error("%s is no more", path);
	backing = files_backing(run->dir, oid);
	is = vm_read(run->vm, oid, backing, NULL, NULL, &why);
	if (!is) {
		run->failed++;
		printf("not ok - %s: %s\n", path, why);
		return;
	}
	for (i = 0; i * VM_PAGE < is->len; i++) {
		g_autoptr(GByteArray) copy = g_byte_array_append(g_byte_array_new(), backing->data, backing->len);

		if (!is_zero(is->data + i * VM_PAGE, MIN(VM_PAGE, is->len - i * VM_PAGE)))
			alter_page(run, path, oid, copy, i);
	}
}

/* The store's own functions give no list of names. */
static GPtrArray *names_of(const char *store)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	sqlite3_stmt *stmt;
	sqlite3 *db;

	if (sqlite3_open(store, &db) || sqlite3_prepare_v2(db, "SELECT path FROM name", -1, &stmt, NULL))
		g_error("%s: %s", store, sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW)
		g_ptr_array_add(names, g_strndup(sqlite3_column_blob(stmt, 0), sqlite3_column_bytes(stmt, 0)));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return names;
}

int main(int argc, char **argv)
{
	struct run run = { .dir = argv[1] };
	g_autofree char *store = NULL, *key = NULL, *why = NULL;
	GPtrArray *names;
	guint i;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "Usage: alter DIR\n");
		return 2;
	}
	store = g_build_filename(run.dir, "store", NULL);
	key = g_build_filename(run.dir, "key", NULL);
	names = names_of(store);
	why = files_take(run.dir);
	if (!why)
		run.vm = vm_start(store, key, &why);
	if (!run.vm)
		g_error("%s", why);
	for (i = 0; i < names->len; i++)
		alter_file(&run, names->pdata[i]);
	vm_free(run.vm);
	g_ptr_array_unref(names);
	printf("%" G_GUINT64_FORMAT " pages, %" G_GUINT64_FORMAT " passed, %" G_GUINT64_FORMAT " failed\n", run.pages,
	       run.pages - run.failed, run.failed);
	return run.failed || !run.pages;
}
