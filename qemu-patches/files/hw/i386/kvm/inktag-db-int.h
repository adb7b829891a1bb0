/*
 * InkTag metadata store: what its files share
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_KVM_INKTAG_DB_INT_H
#define HW_I386_KVM_INKTAG_DB_INT_H

#include <sqlite3.h>
#include "inktag-db.h"

#define INK_DB_STATEMENTS   96
#define INK_DB_CHECK_SIZE   32

typedef struct InkDbStatement {
    const char *sql;
    sqlite3_stmt *stmt;
} InkDbStatement;

struct InkTagDb {
    sqlite3 *sql;
    char *path;
    bool read_only;
    bool has_key;
    uint8_t prk[32];            /* HKDF's pseudo-random key: as the secret */
    uint8_t uuid[INKTAG_DB_UUID_SIZE];
    uint32_t salt;              /* of this session */
    uint64_t session;           /* the generation when it began */
    int counter_fd;             /* -1: none */
    char *counter_path;
    uint64_t generation;        /* committed */
    int failed;                 /* errno: the outcome of a commit is unknown */
    InkTagDbError err;
    InkDbStatement statements[INK_DB_STATEMENTS];
};

/* --- inktag-db.c */

/* Sets the sentence, after "store 'PATH' "; returns -error. */
int ink_db_fail(InkTagDb *db, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a result of SQLite's. */
int ink_db_fail_sqlite(InkTagDb *db, int rc);
/* A value in the database that no store has. */
int ink_db_fail_damaged(InkTagDb *db, const char *what);

/*
 * A statement, its parameters, and its first row. sql is a literal: the
 * statement is kept under its address. In format each letter is a parameter:
 * i (int64_t), b (const void *, size_t), n (NULL, takes none).
 *
 * Returns 1 if there is a row, 0 if there is none, or a negated errno. With a
 * row, *stmt is valid until the next statement; ink_db_next() is the next row.
 */
int ink_db_query(InkTagDb *db, sqlite3_stmt **stmt, const char *sql,
                 const char *format, ...);
int ink_db_next(InkTagDb *db, sqlite3_stmt *stmt);
/* A statement without rows. */
int ink_db_exec(InkTagDb *db, const char *sql, const char *format, ...);
/* A column that is a blob of this size, or EUCLEAN. */
int ink_db_blob(InkTagDb *db, sqlite3_stmt *stmt, int column, void *to,
                size_t size);

/*
 * Each public function that changes something is
 *
 *     ret = ink_db_begin(db, &generation);
 *     if (ret == 0) {
 *         ret = ...;
 *     }
 *     return ink_db_end(db, ret);
 *
 * end commits if ret is 0, else rolls back and returns it.
 */
int ink_db_begin(InkTagDb *db, uint64_t *generation);
int ink_db_end(InkTagDb *db, int ret);
/* The beginning of a public function that only reads. */
int ink_db_usable(InkTagDb *db);

/* The entry of path in its directory is durable on return. */
int ink_db_sync_directory(const char *path);

/* --- inktag-db-schema.c */

int ink_db_schema_make(InkTagDb *db);
/* Is this a store, of a schema that we know, undamaged in its tables? */
int ink_db_schema_verify(InkTagDb *db);

/* --- inktag-db-object.c */

/* The row of an object, or ENOENT. */
int ink_db_object_id(InkTagDb *db, const InkTagDbOid *oid, int64_t *id);
/* A new row, with an OID drawn at random. */
int ink_db_object_insert(InkTagDb *db, int64_t *id, InkTagDbOid *oid);
/* ink_db_begin() of a function that changes an object. */
int ink_db_begin_object(InkTagDb *db, const InkTagDbOid *oid, int64_t *id,
                        uint64_t *generation);

/* --- inktag-db-name.c */

bool ink_db_path_is_canonical(const char *path, size_t len);

/* --- inktag-db-counter.c */

int ink_db_counter_create(InkTagDb *db, const char *path);
int ink_db_counter_open(InkTagDb *db, const char *path);
int ink_db_counter_raise(InkTagDb *db);

/* --- inktag-db-crypto.c: false is a failure of libcrypto */

bool ink_db_random(void *to, size_t size);
bool ink_db_hkdf_extract(const uint8_t *salt, size_t salt_size,
                         const uint8_t *secret, size_t size, uint8_t prk[32]);
bool ink_db_hkdf_expand(const uint8_t prk[32], const void *info,
                        size_t info_size, uint8_t out[32]);
bool ink_db_sha256(const void *data, size_t size, uint8_t out[32]);
void ink_db_cleanse(void *secret, size_t size);
bool ink_db_equal(const void *a, const void *b, size_t size);

#endif
