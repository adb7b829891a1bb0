/*
 * InkTag metadata store: the tables
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include "inktag-db-int.h"

/*
 * meta     one row. secret_check: of the master secret, and says nothing
 *          about it
 * object   next_version: the first that was never handed out. stale: what the
 *          disk has of the pages below this one may be what was cut off there.
 *          policy: whose
 *          meaning is the hypervisor's; the attributes that it speaks of will
 *          be a table of their own
 * pending  lengths that are not settled, by the generation of their prepare
 * page     prepared: the generation of the prepare; 0: settled
 * lost     generation: when it was found to be none of the versions before it
 * name     a path has one object, an object any number of paths
 *
 * The checks repeat what the functions see to. They are for who edits a store
 * by hand, and for a damaged file.
 */
static const char *const schema[] = {
    "CREATE TABLE meta ("
    "id INTEGER PRIMARY KEY CHECK (id = 1), "
    "uuid BLOB NOT NULL CHECK (length(uuid) = 16), "
    "secret_check BLOB NOT NULL CHECK (length(secret_check) = 32), "
    "generation INTEGER NOT NULL CHECK (generation >= 1)) STRICT",

    "CREATE TABLE object ("
    "id INTEGER PRIMARY KEY, "
    "oid BLOB NOT NULL UNIQUE CHECK (length(oid) = 16), "
    "length INTEGER NOT NULL CHECK (length >= 0), "
    "next_version INTEGER NOT NULL CHECK (next_version >= 1), "
    "stale INTEGER NOT NULL DEFAULT 0 CHECK (stale >= 0), "
    "policy BLOB) STRICT",

    "CREATE TABLE pending ("
    "object INTEGER NOT NULL REFERENCES object ON DELETE CASCADE, "
    "prepared INTEGER NOT NULL CHECK (prepared >= 1), "
    "length INTEGER NOT NULL CHECK (length >= 0), "
    "PRIMARY KEY (object, prepared)) STRICT, WITHOUT ROWID",

    "CREATE TABLE page ("
    "object INTEGER NOT NULL REFERENCES object ON DELETE CASCADE, "
    "idx INTEGER NOT NULL CHECK (idx >= 0), "
    "prepared INTEGER NOT NULL CHECK (prepared >= 0), "
    "version INTEGER NOT NULL CHECK (version >= 1), "
    "salt INTEGER NOT NULL CHECK (salt BETWEEN 0 AND 4294967295), "
    "tag BLOB NOT NULL CHECK (length(tag) = 16), "
    "PRIMARY KEY (object, idx, prepared)) STRICT, WITHOUT ROWID",

    "CREATE INDEX page_unsettled ON page (object, prepared) "
    "WHERE prepared > 0",

    "CREATE TABLE lost ("
    "object INTEGER NOT NULL REFERENCES object ON DELETE CASCADE, "
    "idx INTEGER NOT NULL CHECK (idx >= 0), "
    "generation INTEGER NOT NULL CHECK (generation >= 1), "
    "PRIMARY KEY (object, idx)) STRICT, WITHOUT ROWID",

    "CREATE TABLE name ("
    "path BLOB PRIMARY KEY NOT NULL, "
    "object INTEGER NOT NULL REFERENCES object) STRICT, WITHOUT ROWID",

    "CREATE INDEX name_object ON name (object)",
};

#define SCHEMA_STATEMENTS   (sizeof(schema) / sizeof(schema[0]))
#define TEXT_OF(n)          TEXT_OF_VALUE(n)
#define TEXT_OF_VALUE(n)    #n

/* In the transaction that makes the store. */
int ink_db_schema_make(InkTagDb *db)
{
    int ret = 0;

    for (size_t i = 0; ret == 0 && i < SCHEMA_STATEMENTS; i++) {
        ret = ink_db_exec(db, schema[i], "");
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "PRAGMA application_id = "
                          TEXT_OF(INKTAG_DB_APPLICATION_ID), "");
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "PRAGMA user_version = "
                          TEXT_OF(INKTAG_DB_SCHEMA), "");
    }
    return ret;
}

static int pragma(InkTagDb *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, sql, "");

    if (ret < 0) {
        return ret;
    }
    *value = ret ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return 0;
}

static bool is_ours(const char *sql)
{
    for (size_t i = 0; i < SCHEMA_STATEMENTS; i++) {
        if (strcmp(sql, schema[i]) == 0) {
            return true;
        }
    }
    return false;
}

int ink_db_schema_verify(InkTagDb *db)
{
    int64_t application, version;
    size_t count = 0;
    sqlite3_stmt *stmt;
    int ret;

    ret = pragma(db, "PRAGMA application_id", &application);
    if (ret == 0) {
        ret = pragma(db, "PRAGMA user_version", &version);
    }
    if (ret < 0) {
        return ret;
    }
    if (application != INKTAG_DB_APPLICATION_ID) {
        return ink_db_fail(db, EMEDIUMTYPE, "is a database of another program, "
                           "not an InkTag store");
    }
    if (version > INKTAG_DB_SCHEMA) {
        return ink_db_fail(db, EPROTO, "has schema version %lld, and this "
                           "program knows %d at most: it is too old for it",
                           (long long)version, INKTAG_DB_SCHEMA);
    }
    if (version != INKTAG_DB_SCHEMA) {
        return ink_db_fail_damaged(db, "its schema version");
    }

    for (ret = ink_db_query(db, &stmt, "SELECT sql FROM sqlite_schema "
                            "WHERE sql IS NOT NULL", "");
         ret == 1; ret = ink_db_next(db, stmt)) {
        const char *sql = (const char *)sqlite3_column_text(stmt, 0);

        if (!sql || !is_ours(sql)) {
            sqlite3_reset(stmt);
            return ink_db_fail_damaged(db, "a table that no store has");
        }
        count++;
    }
    if (ret == 0 && count != SCHEMA_STATEMENTS) {
        return ink_db_fail_damaged(db, "a table is missing");
    }
    return ret;
}
