// SPDX-License-Identifier: GPL-2.0-or-later
/* store.c - what the tests share, see unit.h */
#include "unit.h"

const uint8_t secret[SECRET_SIZE] = "the unit tests' master secret...";

const InkTagDbOptions on_disk = {
	.path = STORE,
	.secret = secret,
	.secret_size = sizeof(secret),
	.vfs = DISK_VFS,
};

GRand *store_rand;
bool store_rand_broken;

bool __real_ink_db_random(void *to, size_t size);
bool __wrap_ink_db_random(void *to, size_t size);

bool __wrap_ink_db_random(void *to, size_t size)
{
	if (store_rand_broken)
		return false;
	if (!store_rand)
		return __real_ink_db_random(to, size);
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = g_rand_int(store_rand);
	return true;
}

InkTagDb *store_open(const InkTagDbOptions *o)
{
	InkTagDbError err;
	InkTagDb *db;
	int ret = inktag_db_open(o, &db, &err);

	ck_assert_msg(ret == 0, "%d: %s", ret, err.text);
	return db;
}

InkTagDb *store_new(void)
{
	InkTagDbError err;
	int ret;

	disk_clear();
	ret = inktag_db_create(&on_disk, &err);
	ck_assert_msg(ret == 0, "%d: %s", ret, err.text);
	return store_open(&on_disk);
}

InkTagDb *store_reopen(InkTagDb *db)
{
	inktag_db_close(db);
	return store_open(&on_disk);
}

void store_refused(const InkTagDbOptions *o, int error, const char *pattern)
{
	InkTagDbError err = { "" };
	char *full = g_strdup_printf("store '%s' %s", o->path, pattern);
	InkTagDb *db;
	int ret = inktag_db_open(o, &db, &err);

	ck_assert_msg(ret == -error, "%d, wanted %d: %s", ret, -error, err.text);
	ck_assert_msg(g_pattern_match_simple(full, err.text), "%s", err.text);
	ck_assert_ptr_null(db);
	g_free(full);
}

char *store_dump(InkTagDb *db)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int ret = inktag_db_dump(db, f);

	fclose(f);
	ck_assert_msg(ret == 0, "dump: %d, %s", ret, inktag_db_error(db));
	return text;
}

static void report(void *opaque, const char *what)
{
	g_string_append_printf(opaque, "%s\n", what);
}

void store_valid(InkTagDb *db)
{
	GString *said = g_string_new(NULL);
	int ret = inktag_db_check(db, report, said);

	ck_assert_msg(ret == 0, "check: %d, %s", ret, ret < 0 ? inktag_db_error(db) : said->str);
	g_string_free(said, true);
}

InkTagDbOid object_new(InkTagDb *db)
{
	InkTagDbOid oid;

	MUST(db, inktag_db_object_create(db, &oid));
	return oid;
}

InkTagDbSeal seal_new(InkTagDb *db, const InkTagDbOid *oid, uint64_t index)
{
	InkTagDbSeal seal = { .index = index };
	InkTagDbNonces nonces;

	MUST(db, inktag_db_reserve(db, oid, 1, &nonces));
	seal.v.version = nonces.first;
	seal.v.salt = nonces.salt;
	memset(seal.v.tag, (int)nonces.first, sizeof(seal.v.tag));
	return seal;
}

uint64_t prepare(InkTagDb *db, const InkTagDbOid *oid, uint64_t first, uint64_t last, uint64_t length)
{
	InkTagDbSeal seals[64];
	uint64_t ticket;
	uint32_t n = 0;

	for (uint64_t i = first; i <= last; i++)
		seals[n++] = seal_new(db, oid, i);
	MUST(db, inktag_db_prepare(db, oid, seals, n, length == UINT64_MAX ? NULL : &length, &ticket));
	return ticket;
}

InkTagDbPage page_of(InkTagDb *db, const InkTagDbOid *oid, uint64_t index)
{
	InkTagDbPage page;
	uint32_t n;

	MUST(db, inktag_db_fetch(db, oid, index, index, &page, 1, &n));
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(page.index, index);
	return page;
}

uint32_t pages_in(InkTagDb *db, const InkTagDbOid *oid)
{
	InkTagDbPage pages[64];
	uint32_t n;

	MUST(db, inktag_db_fetch(db, oid, 0, INT64_MAX, pages, ARRAY_SIZE(pages), &n));
	return n;
}

InkTagDbObject info_of(InkTagDb *db, const InkTagDbOid *oid)
{
	InkTagDbObject object;

	MUST(db, inktag_db_object_info(db, oid, &object));
	return object;
}
