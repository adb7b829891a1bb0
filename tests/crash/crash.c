// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crash.c - judges a recording: makes the host's files as they may be after a crash at many instants of it, lets disk,
 * store and hypervisor recover, and compares what the files below PREFIX are with what was promised (I9).
 *
 *	crash [OPTION]... DIR	(see --help)
 *
 * DIR has the log of record.c (recording), whose files are disk, marks, store and store-wal; disk, store and key are those before it
 * began. A mark is what model.h knows, or "sql N": N transactions on /data/db are done, each of which has added the
 * rows (N, 1) to (N, N) to its table t.
 *
 * The last line is "N states, N passed, N failed". Status 0: none failed, and there were enough.
 */
#include <getopt.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "files.h"
#include "model.h"
#include "replay.h"
#include "vm.h"

enum { DISK, MARKS, STORE, WAL, NR_FILES };

static const char *const names[NR_FILES] = { "disk", "marks", "store", "store-wal" };
/* The guest's disk writes whole blocks of its file system, that of the host whole sectors. */
static const guint block[NR_FILES] = { 4096, 4096, 512, 512 };

#define DATABASE	"/data/db"
#define MAX_BAD		20		/* that are told */

struct run {
	const char *dir;
	char *work;
	struct replay *replay;
	struct model *model;
	GPtrArray *marks;	/* all lines of the log */
	guint next_mark;
	guint64 sql;		/* transactions that are done */
	GRand *rand;
	GHashTable *seen;	/* checksums of states */
	guint64 states, failed, resolved;
};

static char *file_in(const char *dir, const char *name)
{
	return g_build_filename(dir, name, NULL);
}

/* --- one state ------------------------------------------------------------------------------------------- */

static void put_file(struct run *run, const char *name, const GByteArray *content)
{
	g_autofree char *path = file_in(run->work, name);
	g_autoptr(GError) err = NULL;

	if (!g_file_set_contents_full(path, (const char *)content->data, content->len, G_FILE_SET_CONTENTS_NONE, 0600, &err))
		g_error("%s", err->message);
}

static void clean(struct run *run)
{
	g_autofree char *line = g_strdup_printf("rm -rf %s/plain %s/store %s/store-wal %s/store-shm", run->work, run->work,
						run->work, run->work);

	files_command(line);
}

static bool by_chance(void *rand, uint64_t index)
{
	(void)index;
	return g_rand_boolean(rand);
}

/* The file, if it is there. A page that is not as the store says is an error of the whole. */
static char *read_file(struct run *run, struct vm *vm, const char *path, bool all, GHashTable *is)
{
	g_autoptr(GByteArray) backing = NULL;
	GByteArray *content;
	guint64 oid[2];
	char *why;

	if (!vm_lookup(vm, path, oid))
		return NULL;
	backing = files_backing(run->work, oid);
	content = vm_read(vm, oid, backing, all ? NULL : by_chance, run->rand, &why);
	if (!content) {
		char *text = g_strdup_printf("%s: %s", path, why);

		g_free(why);
		return text;
	}
	g_hash_table_replace(is, g_strdup(path), content);
	return NULL;
}

/* all: each page; else some, and then the VM ends. */
static char *recover(struct run *run, bool all, GHashTable *is)
{
	static const char *const sql_files[] = { DATABASE, DATABASE "-journal" };
	g_autofree char *store = file_in(run->work, "store"), *key = file_in(run->dir, "key");
	GPtrArray *paths = model_paths(run->model);
	char *why = NULL;
	struct vm *vm;
	guint i;

	vm = vm_start(store, key, &why);
	if (!vm)
		return why;
	for (i = 0; i < paths->len && !why; i++)
		why = read_file(run, vm, paths->pdata[i], all, is);
	for (i = 0; i < G_N_ELEMENTS(sql_files) && !why; i++)
		why = read_file(run, vm, sql_files[i], all, is);
	run->resolved += vm_resolved(vm);
	vm_free(vm);
	return why;
}

/* --- the database ---------------------------------------------------------------------------------------- */

/* The one value of the statement, or NULL. */
static char *value(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	char *is = NULL;

	if (!sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) && sqlite3_step(stmt) == SQLITE_ROW)
		is = g_strdup((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return is;
}

static char *judge_open_database(struct run *run, sqlite3 *db)
{
	g_autofree char *sound = value(db, "PRAGMA integrity_check"), *last = NULL, *bad = NULL;
	guint64 n;

	if (g_strcmp0(sound, "ok"))
		return g_strdup_printf("the database is damaged: %s", sound ? sound : sqlite3_errmsg(db));
	last = value(db, "SELECT ifnull(max(n), 0) FROM t");
	/* Its table is made by the first transaction. */
	n = last ? g_ascii_strtoull(last, NULL, 10) : 0;
	if (n != run->sql && n != run->sql + 1)
		return g_strdup_printf("the database has %" G_GUINT64_FORMAT " transactions, and %" G_GUINT64_FORMAT
				       " were done", n, run->sql);
	bad = value(db, "SELECT n FROM (SELECT n, count(*) c, sum(k) s FROM t GROUP BY n) WHERE c != n OR s != n * (n + 1) / 2");
	return bad ? g_strdup_printf("transaction %s of the database is not whole", bad) : NULL;
}

static void put_plain(struct run *run, const char *path, GHashTable *is)
{
	const GByteArray *content = g_hash_table_lookup(is, path);
	g_autofree char *base = g_path_get_basename(path), *name = g_strdup_printf("plain/%s", base);

	if (content)
		put_file(run, name, content);
}

/* As SQLite recovers it, on the host. */
static char *judge_database(struct run *run, GHashTable *is)
{
	g_autofree char *dir = file_in(run->work, "plain"), *path = file_in(run->work, "plain/db");
	char *why;
	sqlite3 *db;

	if (!g_hash_table_contains(is, DATABASE))
		return run->sql ? g_strdup("the database is not there") : NULL;
	g_mkdir(dir, 0700);
	put_plain(run, DATABASE, is);
	put_plain(run, DATABASE "-journal", is);
	if (sqlite3_open(path, &db))
		g_error("%s: %s", path, sqlite3_errmsg(db));
	why = judge_open_database(run, db);
	sqlite3_close(db);
	return why;
}

/* --- all of them ----------------------------------------------------------------------------------------- */

static GHashTable *files_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_byte_array_unref);
}

/* Each file of the host in turn. false: this state was there before. */
static bool make_state(struct run *run, bool cut)
{
	static const int kept[] = { DISK, STORE, WAL };
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
	guint i;

	clean(run);
	for (i = 0; i < G_N_ELEMENTS(kept); i++) {
		g_autoptr(GByteArray) content = replay_state(run->replay, kept[i], cut ? run->rand : NULL);

		g_checksum_update(sum, (const guchar *)&content->len, sizeof(content->len));
		g_checksum_update(sum, content->data, content->len);
		put_file(run, names[kept[i]], content);
	}
	return g_hash_table_add(run->seen, g_strdup(g_checksum_get_string(sum)));
}

static char *judge_state(struct run *run)
{
	g_autoptr(GHashTable) some = files_new(), is = files_new();
	char *why = files_take(run->work);

	/* The first that recovers ends in the middle of it. */
	if (!why && g_rand_boolean(run->rand))
		why = recover(run, false, some);
	if (!why)
		why = recover(run, true, is);
	if (!why)
		why = model_judge(run->model, is);
	if (!why)
		why = judge_database(run, is);
	return why;
}

static void try_state(struct run *run, bool cut)
{
	g_autofree char *why = NULL;

	if (!make_state(run, cut))
		return;
	run->states++;
	if (run->states % 50 == 0)
		fprintf(stderr, "crash: %" G_GUINT64_FORMAT " states\n", run->states);
	why = judge_state(run);
	if (!why)
		return;
	if (run->failed++ < MAX_BAD)
		printf("not ok - %s at instant %" G_GUINT64_FORMAT ", after \"%s\": %s\n",
		       cut ? "a power cut" : "the end of QEMU", run->replay->instant,
		       run->next_mark ? (char *)run->marks->pdata[run->next_mark - 1] : "nothing", why);
}

static bool is_sql(const char *line, guint64 *n)
{
	if (!g_str_has_prefix(line, "sql "))
		return false;
	*n = g_ascii_strtoull(line + 4, NULL, 10);
	return true;
}

static void begin_next(struct run *run)
{
	guint64 n;

	if (run->next_mark == run->marks->len || is_sql(run->marks->pdata[run->next_mark], &n))
		return;
	if (!model_begin(run->model, run->marks->pdata[run->next_mark]))
		g_error("this mark is not known: %s", (char *)run->marks->pdata[run->next_mark]);
}

static void at_mark(struct run *run)
{
	if (!is_sql(run->marks->pdata[run->next_mark++], &run->sql))
		model_end(run->model);
	begin_next(run);
}

static void begin_replay(struct run *run, const char *deaf)
{
	g_autofree char *log = file_in(run->dir, "recording"), *disk = file_in(run->dir, "disk"), *store = file_in(run->dir, "store");
	const char *const first[NR_FILES] = { disk, NULL, store, NULL };
	guint i;

	run->replay = replay_new(log, NR_FILES, first, block);
	for (i = 0; i < NR_FILES && deaf; i++)
		run->replay->file[i].deaf = !strncmp(names[i], deaf, strlen(deaf));
}

/* All marks, beforehand: the next one says what is under way. Returns the number of instants. */
static guint64 read_marks(struct run *run)
{
	const struct record *r;
	guint64 instants;

	begin_replay(run, NULL);
	while (replay_step(run->replay, &r))
		if (r && r->file == MARKS)
			g_ptr_array_add(run->marks, g_strndup((const char *)(r + 1), r->length));
	instants = run->replay->instant;
	replay_free(run->replay);
	return instants;
}

static void go(struct run *run, guint64 wanted, const char *deaf)
{
	guint64 instants = read_marks(run), left = instants;
	const struct record *r;

	printf("%" G_GUINT64_FORMAT " instants, %u marks\n", instants, run->marks->len);
	fflush(stdout);
	begin_replay(run, deaf);
	begin_next(run);
	while (replay_step(run->replay, &r)) {
		if (r && r->file == MARKS)
			at_mark(run);
		/* As many of those that are left as are wanted of them. */
		if (!wanted || g_rand_double(run->rand) * left < (wanted - MIN(wanted, run->states)) / 2.0) {
			try_state(run, false);
			try_state(run, true);
		}
		left--;
	}
	replay_free(run->replay);
}

__attribute__((noreturn)) static void usage(FILE *to, int status)
{
	fprintf(to, "Usage: crash [OPTION]... DIR\n"
		"Judges the recording in DIR: recovers from a crash at many instants of it.\n\n"
		"  --states N    so many states, at random instants; 0: at each instant two (default: 200)\n"
		"  --least N     fewer different ones are a failure\n"
		"  --seed N      of what is random (default: the clock; it is printed)\n"
		"  --deaf FILE   disk or store does nothing at a sync: the judgement must be bad\n"
		"  --work DIR    where the states are made (default: /dev/shm, or $TMPDIR)\n"
		"  --help\n");
	exit(status);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 'n' },
		{ "least", required_argument, NULL, 'l' },
		{ "seed", required_argument, NULL, 's' },
		{ "deaf", required_argument, NULL, 'd' },
		{ "work", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	guint64 wanted = 200, least = 1, number = time(NULL);
	const char *deaf = NULL, *work = NULL;
	struct run run = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'n': wanted = strtoull(optarg, NULL, 0); break;
		case 'l': least = strtoull(optarg, NULL, 0); break;
		case 's': number = strtoull(optarg, NULL, 0); break;
		case 'd': deaf = optarg; break;
		case 'w': work = optarg; break;
		case 'h': usage(stdout, 0);
		default: usage(stderr, 2);
		}
	}
	if (optind + 1 != argc)
		usage(stderr, 2);
	run.dir = argv[optind];
	run.work = g_build_filename(work ? work : access("/dev/shm", W_OK) ? g_get_tmp_dir() : "/dev/shm", "inktag-crash-XXXXXX", NULL);
	if (!g_mkdtemp(run.work))
		g_error("%s cannot be made", run.work);
	run.marks = g_ptr_array_new_with_free_func(g_free);
	run.model = model_new();
	run.rand = g_rand_new_with_seed(number);
	run.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	printf("seed %" G_GUINT64_FORMAT "\n", number);
	go(&run, wanted, deaf);
	{
		g_autofree char *line = g_strdup_printf("rm -rf %s", run.work);

		files_command(line);
	}
	printf("%" G_GUINT64_FORMAT " page versions were looked for on the disk\n", run.resolved);
	printf("%" G_GUINT64_FORMAT " states, %" G_GUINT64_FORMAT " passed, %" G_GUINT64_FORMAT " failed\n", run.states,
	       run.states - run.failed, run.failed);
	return run.failed || run.states < least;
}
