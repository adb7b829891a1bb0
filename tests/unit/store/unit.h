/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h - what the tests of the metadata store share */
#ifndef STORE_UNIT_H
#define STORE_UNIT_H

#include <check.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include "disk.h"
#include "inktag-db-int.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define STORE		"/inktag-unit/store"
#define SECRET_SIZE	32

extern uint64_t seed;			/* of the random tests */
extern const uint8_t secret[SECRET_SIZE];
extern const InkTagDbOptions on_disk;	/* STORE in memory, see disk.h */

/* Random numbers of the store's own come from this, if it is set. */
extern GRand *store_rand;
/* There are none. */
extern bool store_rand_broken;

/* A store that is new, on a disk that is new. */
InkTagDb *store_new(void);
InkTagDb *store_open(const InkTagDbOptions *o);
InkTagDb *store_reopen(InkTagDb *db);
/* Opening must fail so, with a sentence that names the file and matches the pattern. */
void store_refused(const InkTagDbOptions *o, int error, const char *pattern);
char *store_dump(InkTagDb *db);
/* All invariants hold. */
void store_valid(InkTagDb *db);

#define MUST(db, call) do { \
	int ret_ = (call); \
	ck_assert_msg(ret_ == 0, "%s: %d, %s", #call, ret_, inktag_db_error(db)); \
} while (0)

/* Fails with this errno and a sentence, and changes nothing. */
#define REFUSED(db, error, call) do { \
	char *was_ = store_dump(db), *is_; \
	int ret_ = (call); \
	ck_assert_msg(ret_ == -(error), "%s: %d, wanted %d", #call, ret_, -(error)); \
	ck_assert_msg(g_pattern_match_simple("store '*' *", inktag_db_error(db)), "%s", inktag_db_error(db)); \
	is_ = store_dump(db); \
	ck_assert_str_eq(was_, is_); \
	g_free(was_); \
	g_free(is_); \
} while (0)

InkTagDbOid object_new(InkTagDb *db);
/* A version just reserved, with a tag that tells it. */
InkTagDbSeal seal_new(InkTagDb *db, const InkTagDbOid *oid, uint64_t index);
/* Prepares new versions of the pages first to last, and a length if it is not UINT64_MAX; the ticket. */
uint64_t prepare(InkTagDb *db, const InkTagDbOid *oid, uint64_t first, uint64_t last, uint64_t length);
/* One page, which must have a record. */
InkTagDbPage page_of(InkTagDb *db, const InkTagDbOid *oid, uint64_t index);
uint32_t pages_in(InkTagDb *db, const InkTagDbOid *oid);
InkTagDbObject info_of(InkTagDb *db, const InkTagDbOid *oid);

TCase *unit_case(const char *noun);
Suite *suite_open(void);
Suite *suite_object(void);
Suite *suite_page(void);
Suite *suite_name(void);
Suite *suite_counter(void);
Suite *suite_check(void);
Suite *suite_random(void);
Suite *suite_crash(void);
Suite *suite_fault(void);
Suite *suite_serve(void);

#endif
