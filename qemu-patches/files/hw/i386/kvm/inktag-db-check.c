/*
 * InkTag metadata store: check, dump, backup
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "inktag-db-int.h"

/* --- check ---------------------------------------------------------------- */

typedef struct Report {
    void (*report)(void *opaque, const char *what);
    void *opaque;
    int count;
} Report;

static void say(Report *r, const char *what)
{
    r->count++;
    r->report(r->opaque, what);
}

/* D1. Both give a row for each thing that they find; one gives "ok", too. */
static int check_file(InkTagDb *db, Report *r)
{
    sqlite3_stmt *stmt;
    int ret;

    for (ret = ink_db_query(db, &stmt, "PRAGMA integrity_check", ""); ret == 1;
         ret = ink_db_next(db, stmt)) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        if (!text || strcmp(text, "ok") != 0) {
            say(r, text ?: "no text");
        }
    }
    if (ret < 0) {
        return ret;
    }
    for (ret = ink_db_query(db, &stmt, "PRAGMA foreign_key_check", "");
         ret == 1; ret = ink_db_next(db, stmt)) {
        char *text = sqlite3_mprintf("a row of %s is of an object that is not "
                                     "there", sqlite3_column_text(stmt, 0));

        say(r, text ?: "no memory");
        sqlite3_free(text);
    }
    return ret;
}

#define OBJECT  "hex((SELECT oid FROM object WHERE id = object))"
#define PAGES(length) "(" length " / 4096 + (" length " % 4096 > 0))"

_Static_assert(INKTAG_DB_PAGE_SIZE == 4096, "PAGES()");
_Static_assert(INKTAG_DB_VERSIONS == 4, "the queries below");

/* Each gives a sentence per violation. */
static const char *const invariants[] = {
    /* D2; the table's checks have the rest. */
    "SELECT 'there are ' || count(*) || ' identities' FROM meta "
    "HAVING count(*) != 1",

    /* D3 */
    "SELECT 'object ' || " OBJECT " || ' has ' || count(*) || "
    "' pending lengths' FROM pending GROUP BY object HAVING count(*) > 4",

    "WITH step AS (SELECT p.object AS object, p.length - ifnull("
    "(SELECT q.length FROM pending q WHERE q.object = p.object "
    "AND q.prepared < p.prepared ORDER BY q.prepared DESC LIMIT 1), "
    "(SELECT o.length FROM object o WHERE o.id = p.object)) AS by "
    "FROM pending p) "
    "SELECT 'object ' || " OBJECT " || ' has pending lengths out of order' "
    "FROM step GROUP BY object HAVING min(by) <= 0 AND max(by) >= 0",

    /* D4 */
    "SELECT 'object ' || " OBJECT " || ', page ' || idx || ' has version ' || "
    "version || ', which was never handed out' FROM page "
    "WHERE version >= (SELECT next_version FROM object WHERE id = object)",

    /* D5 */
    "SELECT 'object ' || " OBJECT " || ' has version ' || version || ' ' || "
    "count(*) || ' times' FROM page GROUP BY object, version "
    "HAVING count(*) > 1",

    /* D6 */
    "SELECT 'object ' || " OBJECT " || ', page ' || idx || ' was prepared in "
    "generation ' || prepared || ', which has not been' FROM page "
    "WHERE prepared > (SELECT generation FROM meta)",

    "SELECT 'object ' || " OBJECT " || ' has a length pending since generation "
    "' || prepared || ', which has not been' FROM pending "
    "WHERE prepared > (SELECT generation FROM meta)",

    "SELECT 'object ' || " OBJECT " || ', page ' || idx || ' was lost in "
    "generation ' || generation || ', which has not been' FROM lost "
    "WHERE generation > (SELECT generation FROM meta)",

    /* D7 */
    "SELECT 'object ' || " OBJECT " || ', page ' || idx || ' has ' || "
    "count(*) || ' versions' FROM page GROUP BY object, idx "
    "HAVING count(*) > 4",

    /* D8 */
    "SELECT 'object ' || " OBJECT " || ', page ' || idx || ' is beyond the "
    "end' FROM page WHERE idx >= "
    "(SELECT " PAGES("o.length") " FROM object o WHERE o.id = object) "
    "AND (prepared = 0 OR idx >= ifnull((SELECT max(" PAGES("p.length") ") "
    "FROM pending p WHERE p.object = page.object), 0))",

    /* D9 */
    "SELECT 'object ' || " OBJECT " || ', page ' || idx || ' is lost, and has "
    "no version' FROM lost WHERE NOT EXISTS (SELECT 1 FROM page "
    "WHERE page.object = lost.object AND page.idx = lost.idx)",
};

static int check_invariants(InkTagDb *db, Report *r)
{
    for (size_t i = 0; i < sizeof(invariants) / sizeof(invariants[0]); i++) {
        sqlite3_stmt *stmt;
        int ret;

        for (ret = ink_db_query(db, &stmt, invariants[i], ""); ret == 1;
             ret = ink_db_next(db, stmt)) {
            const char *text = (const char *)sqlite3_column_text(stmt, 0);

            say(r, text ?: "an object that is not there has rows");
        }
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* D10 */
static int check_names(InkTagDb *db, Report *r)
{
    sqlite3_stmt *stmt;
    int ret;

    for (ret = ink_db_query(db, &stmt, "SELECT path FROM name", ""); ret == 1;
         ret = ink_db_next(db, stmt)) {
        const char *path = sqlite3_column_blob(stmt, 0);
        int len = sqlite3_column_bytes(stmt, 0);

        if (!path || len > INKTAG_DB_PATH_MAX ||
            !ink_db_path_is_canonical(path, len)) {
            say(r, "a name is no path in its one form");
        }
    }
    return ret;
}

int inktag_db_check(InkTagDb *db,
                    void (*report)(void *opaque, const char *what),
                    void *opaque)
{
    Report r = { .report = report, .opaque = opaque };
    int ret = ink_db_usable(db);

    if (ret == 0) {
        ret = check_file(db, &r);
    }
    /* In a damaged file the rest would only repeat it. */
    if (ret == 0 && r.count == 0) {
        ret = check_invariants(db, &r);
    }
    if (ret == 0 && r.count == 0) {
        ret = check_names(db, &r);
    }
    return ret < 0 ? ret : r.count;
}

/* --- dump ----------------------------------------------------------------- */

static void print_hex(FILE *to, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        fprintf(to, "%02x", bytes[i]);
    }
}

/* What is not plain text is as in C. */
static void print_path(FILE *to, const char *path, int len)
{
    for (int i = 0; i < len; i++) {
        if (path[i] >= ' ' && path[i] <= '~' && path[i] != '\\') {
            fputc(path[i], to);
        } else {
            fprintf(to, "\\%03o", (uint8_t)path[i]);
        }
    }
}

static int dump_lengths(InkTagDb *db, FILE *to, int64_t id)
{
    sqlite3_stmt *stmt;
    int ret;

    for (ret = ink_db_query(db, &stmt, "SELECT prepared, length FROM pending "
                            "WHERE object = ?1 ORDER BY prepared", "i", id);
         ret == 1; ret = ink_db_next(db, stmt)) {
        fprintf(to, "  length %" PRId64 " pending since %" PRId64 "\n",
                (int64_t)sqlite3_column_int64(stmt, 1),
                (int64_t)sqlite3_column_int64(stmt, 0));
    }
    return ret;
}

static int dump_pages(InkTagDb *db, FILE *to, int64_t id)
{
    sqlite3_stmt *stmt;
    int ret;

    for (ret = ink_db_query(db, &stmt, "SELECT idx, prepared, version, salt, "
                            "tag FROM page WHERE object = ?1 "
                            "ORDER BY idx, prepared", "i", id);
         ret == 1; ret = ink_db_next(db, stmt)) {
        fprintf(to, "  page %" PRId64 " version %" PRId64 " salt %08" PRIx64
                " tag ", (int64_t)sqlite3_column_int64(stmt, 0),
                (int64_t)sqlite3_column_int64(stmt, 2),
                (int64_t)sqlite3_column_int64(stmt, 3));
        print_hex(to, sqlite3_column_blob(stmt, 4),
                  sqlite3_column_bytes(stmt, 4));
        if (sqlite3_column_int64(stmt, 1)) {
            fprintf(to, " prepared in %" PRId64,
                    (int64_t)sqlite3_column_int64(stmt, 1));
        }
        fputc('\n', to);
    }
    if (ret < 0) {
        return ret;
    }
    for (ret = ink_db_query(db, &stmt, "SELECT idx, generation FROM lost "
                            "WHERE object = ?1 ORDER BY idx", "i", id);
         ret == 1; ret = ink_db_next(db, stmt)) {
        fprintf(to, "  page %" PRId64 " lost in %" PRId64 "\n",
                (int64_t)sqlite3_column_int64(stmt, 0),
                (int64_t)sqlite3_column_int64(stmt, 1));
    }
    return ret;
}

static int dump_objects(InkTagDb *db, FILE *to)
{
    sqlite3_stmt *stmt;
    int ret;

    for (ret = ink_db_query(db, &stmt, "SELECT id, oid, length, next_version, "
                            "policy, stale FROM object ORDER BY oid", "");
         ret == 1; ret = ink_db_next(db, stmt)) {
        int64_t id = sqlite3_column_int64(stmt, 0);

        fputs("object ", to);
        print_hex(to, sqlite3_column_blob(stmt, 1),
                  sqlite3_column_bytes(stmt, 1));
        fprintf(to, "\n  length %" PRId64 "\n  next version %" PRId64 "\n",
                (int64_t)sqlite3_column_int64(stmt, 2),
                (int64_t)sqlite3_column_int64(stmt, 3));
        if (sqlite3_column_int64(stmt, 5)) {
            fprintf(to, "  stale below page %" PRId64 "\n",
                    (int64_t)sqlite3_column_int64(stmt, 5));
        }
        if (sqlite3_column_bytes(stmt, 4)) {
            fputs("  policy ", to);
            print_hex(to, sqlite3_column_blob(stmt, 4),
                      sqlite3_column_bytes(stmt, 4));
            fputc('\n', to);
        }
        ret = dump_lengths(db, to, id);
        if (ret == 0) {
            ret = dump_pages(db, to, id);
        }
        if (ret < 0) {
            return ret;
        }
    }
    return ret;
}

int inktag_db_dump(InkTagDb *db, FILE *to)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_usable(db);

    if (ret < 0) {
        return ret;
    }
    fputs("store ", to);
    print_hex(to, db->uuid, sizeof(db->uuid));
    fprintf(to, "\n  schema %d\n  generation %" PRIu64 "\n", INKTAG_DB_SCHEMA,
            db->generation);

    ret = dump_objects(db, to);
    if (ret < 0) {
        return ret;
    }
    for (ret = ink_db_query(db, &stmt, "SELECT path, oid FROM name "
                            "JOIN object ON object.id = name.object "
                            "ORDER BY path", "");
         ret == 1; ret = ink_db_next(db, stmt)) {
        fputs("name ", to);
        print_path(to, sqlite3_column_blob(stmt, 0),
                   sqlite3_column_bytes(stmt, 0));
        fputs("\n  object ", to);
        print_hex(to, sqlite3_column_blob(stmt, 1),
                  sqlite3_column_bytes(stmt, 1));
        fputc('\n', to);
    }
    return ret;
}

/* --- backup --------------------------------------------------------------- */

static int fail_backup(InkTagDb *db, const char *path, int error,
                       const char *why)
{
    return ink_db_fail(db, error, "cannot be copied to '%.160s': %s", path,
                       why);
}

static int copy(InkTagDb *db, sqlite3 *to, const char *path)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", db->sql, "main");
    int rc;

    if (backup) {
        sqlite3_backup_step(backup, -1);
        sqlite3_backup_finish(backup);
    }
    rc = sqlite3_errcode(to);
    /* One file, which needs nothing beside it to be read. */
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        return 0;
    }
    return fail_backup(db, path, (rc & 0xff) == SQLITE_FULL ? ENOSPC : EIO,
                       sqlite3_errmsg(to));
}

static int sync_copy(InkTagDb *db, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int ret = fd < 0 || fsync(fd) < 0 ? -errno : ink_db_sync_directory(path);

    if (fd >= 0) {
        close(fd);
    }
    return ret < 0 ? fail_backup(db, path, -ret, strerror(-ret)) : 0;
}

int inktag_db_backup(InkTagDb *db, const char *path)
{
    char *name = NULL;
    sqlite3 *to = NULL;
    int fd, ret = ink_db_usable(db);

    if (ret < 0) {
        return ret;
    }
    /* SQLite has no way to insist on a new file. */
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int error = errno;

        return fail_backup(db, path, error, strerror(error));
    }
    close(fd);

    name = malloc(strlen(path) + 3);
    if (!name) {
        ret = fail_backup(db, path, ENOMEM, strerror(ENOMEM));
    } else {
        sprintf(name, "%s%s", *path == '/' ? "" : "./", path);
        if (sqlite3_open_v2(name, &to, SQLITE_OPEN_READWRITE, NULL)) {
            ret = fail_backup(db, path, EIO, sqlite3_errmsg(to));
        } else {
            ret = copy(db, to, path);
        }
    }
    sqlite3_close(to);
    free(name);
    if (ret == 0) {
        ret = sync_copy(db, path);
    }
    if (ret < 0) {
        unlink(path);
    }
    return ret;
}
