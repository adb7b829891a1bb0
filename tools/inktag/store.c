// SPDX-License-Identifier: GPL-2.0-or-later
/* store.c - inktag store: over inktag-db.h */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "inktag.h"

/* One more than fits: so the store itself says that it is too long. */
static uint8_t secret[INKTAG_DB_SECRET_MAX + 1];

static int fail(const char *what)
{
	fprintf(stderr, "inktag: %s\n", what);
	return 1;
}

static bool read_secret(const char *name, size_t *size)
{
	FILE *f = fopen(name, "re");

	if (!f) {
		fprintf(stderr, "inktag: the secret '%s': %s\n", name, strerror(errno));
		return false;
	}
	setvbuf(f, NULL, _IONBF, 0);
	*size = fread(secret, 1, sizeof(secret), f);
	if (ferror(f)) {
		fprintf(stderr, "inktag: the secret '%s': %s\n", name, strerror(errno));
		fclose(f);
		return false;
	}
	fclose(f);
	return true;
}

/* What the functions of the store take; the secret is wiped by forget(). */
static bool options_of(const struct arguments *a, bool read_only, InkTagDbOptions *o)
{
	*o = (InkTagDbOptions){ .path = a->store, .counter = a->counter, .read_only = read_only };
	if (!a->secret)
		return true;
	o->secret = secret;
	return read_secret(a->secret, &o->secret_size);
}

static void forget(void)
{
	explicit_bzero(secret, sizeof(secret));
}

static InkTagDb *open_store(const struct arguments *a, bool read_only)
{
	InkTagDbError err;
	InkTagDbOptions o;
	InkTagDb *db;
	int ret;

	if (!options_of(a, read_only, &o))
		return NULL;
	ret = inktag_db_open(&o, &db, &err);
	forget();
	if (ret)
		fail(err.text);
	return db;
}

/* The end of a command: what could not be written to stdout is an error, too. */
static int done(InkTagDb *db, int ret)
{
	int status = ret < 0 ? fail(inktag_db_error(db)) : 0;

	inktag_db_close(db);
	if (fflush(stdout) || ferror(stdout))
		return fail("cannot write to standard output");
	return status;
}

int store_create(const struct arguments *a)
{
	InkTagDbError err;
	InkTagDbOptions o;
	int ret;

	if (!options_of(a, false, &o))
		return 1;
	/* The names of the files are nobody's business. */
	umask(077);
	ret = inktag_db_create(&o, &err);
	forget();
	return ret ? fail(err.text) : 0;
}

static void report(void *opaque, const char *what)
{
	(void)opaque;
	printf("%s\n", what);
}

int store_check(const struct arguments *a)
{
	InkTagDb *db = open_store(a, true);
	InkTagDbInfo info;
	int found, ret;

	if (!db)
		return 1;
	found = inktag_db_check(db, report, NULL);
	if (found < 0)
		return done(db, found);
	if (!a->secret)
		puts("The master secret was not given, and not checked.");
	if (found) {
		printf("%s: %d violations\n", a->store, found);
		done(db, 0);
		return 1;
	}
	ret = inktag_db_info(db, &info);
	if (ret == 0)
		printf("%s: sound; generation %" PRIu64 ", objects %" PRIu64 ", names %" PRIu64 ", to settle %" PRIu64
		       ", lost pages %" PRIu64 "\n", a->store, info.generation, info.objects, info.names, info.unsettled,
		       info.lost);
	return done(db, ret);
}

int store_dump(const struct arguments *a)
{
	InkTagDb *db = open_store(a, true);

	return db ? done(db, inktag_db_dump(db, stdout)) : 1;
}

int store_backup(const struct arguments *a)
{
	InkTagDb *db = open_store(a, true);

	return db ? done(db, inktag_db_backup(db, a->copy)) : 1;
}

int store_accept(const struct arguments *a)
{
	struct arguments without = *a;
	InkTagDb *db;

	/* It may be older than the counter says. */
	without.counter = NULL;
	umask(077);
	db = open_store(&without, false);
	return db ? done(db, inktag_db_counter_accept(db, a->counter)) : 1;
}
