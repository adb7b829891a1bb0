/*
 * InkTag metadata store: open, close, transactions, errors
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "inktag-db-int.h"

/* --- errors --------------------------------------------------------------- */

int ink_db_fail(InkTagDb *db, int error, const char *fmt, ...)
{
    size_t size = sizeof(db->err.text);
    int used = snprintf(db->err.text, size, "store '%.256s' ", db->path);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(db->err.text + used, size - used, fmt, ap);
    va_end(ap);
    return -error;
}

int ink_db_fail_damaged(InkTagDb *db, const char *what)
{
    return ink_db_fail(db, EUCLEAN, "is damaged (%s): restore a backup", what);
}

int ink_db_fail_sqlite(InkTagDb *db, int rc)
{
    /* Of the last system call that failed in SQLite; 0 if none did. */
    int error = sqlite3_system_errno(db->sql);

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ink_db_fail(db, EBUSY, "is in use: another VM has it, or the "
                           "command 'inktag store'");
    case SQLITE_FULL:
        return ink_db_fail(db, ENOSPC, "is on a disk that is full");
    case SQLITE_READONLY:
        return ink_db_fail(db, EROFS, "cannot be written");
    case SQLITE_NOTADB:
        return ink_db_fail(db, EMEDIUMTYPE, "is no database: another file, or "
                           "damaged at its beginning");
    case SQLITE_CORRUPT:
        return ink_db_fail_damaged(db, sqlite3_errmsg(db->sql));
    case SQLITE_NOMEM:
        return ink_db_fail(db, ENOMEM, "needs more memory than there is");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        error = error ?: EIO;
        return ink_db_fail(db, error, "cannot be opened: %s", strerror(error));
    case SQLITE_IOERR:
        if (error == ENOSPC || error == EDQUOT) {
            return ink_db_fail(db, ENOSPC, "is on a disk that is full");
        }
        return ink_db_fail(db, EIO, "cannot be read or written: %s",
                           error ? strerror(error) : "input/output error");
    default:
        return ink_db_fail(db, EIO, "failed: %s", sqlite3_errmsg(db->sql));
    }
}

const char *inktag_db_error(const InkTagDb *db)
{
    return db->err.text;
}

/* --- statements ----------------------------------------------------------- */

static int statement(InkTagDb *db, sqlite3_stmt **stmt, const char *sql)
{
    InkDbStatement *s = db->statements;
    int rc;

    for (; s->sql; s++) {
        if (s->sql == sql) {
            *stmt = s->stmt;
            return 0;
        }
    }
    /* The last one stays empty, and ends the list. */
    assert(s < db->statements + INK_DB_STATEMENTS - 1);
    rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt,
                            NULL);
    if (rc != SQLITE_OK) {
        return ink_db_fail_sqlite(db, rc);
    }
    s->sql = sql;
    s->stmt = *stmt;
    return 0;
}

int ink_db_next(InkTagDb *db, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        return 1;
    }
    /* Who holds a statement that is not reset cannot commit. */
    if (rc == SQLITE_DONE) {
        sqlite3_reset(stmt);
        return 0;
    }
    rc = ink_db_fail_sqlite(db, rc);
    sqlite3_reset(stmt);
    return rc;
}

static int query(InkTagDb *db, sqlite3_stmt **stmt, const char *sql,
                 const char *format, va_list ap)
{
    int rc = SQLITE_OK, ret;

    ret = statement(db, stmt, sql);
    if (ret < 0) {
        return ret;
    }
    sqlite3_reset(*stmt);
    for (int i = 1; *format && rc == SQLITE_OK; i++, format++) {
        const void *blob;

        switch (*format) {
        case 'i':
            rc = sqlite3_bind_int64(*stmt, i, va_arg(ap, int64_t));
            break;
        case 'b':
            blob = va_arg(ap, const void *);
            rc = sqlite3_bind_blob64(*stmt, i, blob, va_arg(ap, size_t),
                                     SQLITE_TRANSIENT);
            break;
        default:
            rc = sqlite3_bind_null(*stmt, i);
        }
    }
    if (rc != SQLITE_OK) {
        return ink_db_fail_sqlite(db, rc);
    }
    return ink_db_next(db, *stmt);
}

int ink_db_query(InkTagDb *db, sqlite3_stmt **stmt, const char *sql,
                 const char *format, ...)
{
    va_list ap;
    int ret;

    va_start(ap, format);
    ret = query(db, stmt, sql, format, ap);
    va_end(ap);
    return ret;
}

int ink_db_exec(InkTagDb *db, const char *sql, const char *format, ...)
{
    sqlite3_stmt *stmt;
    va_list ap;
    int ret;

    va_start(ap, format);
    ret = query(db, &stmt, sql, format, ap);
    va_end(ap);
    while (ret == 1) {
        ret = ink_db_next(db, stmt);
    }
    return ret;
}

int ink_db_blob(InkTagDb *db, sqlite3_stmt *stmt, int column, void *to,
                size_t size)
{
    const void *blob = sqlite3_column_blob(stmt, column);

    if (!blob || (size_t)sqlite3_column_bytes(stmt, column) != size) {
        return ink_db_fail_damaged(db, "a value has the wrong size");
    }
    memcpy(to, blob, size);
    return 0;
}

/* --- transactions --------------------------------------------------------- */

int ink_db_usable(InkTagDb *db)
{
    if (db->failed) {
        return ink_db_fail(db, db->failed, "failed before, and cannot be "
                           "relied on: open it again");
    }
    return 0;
}

int ink_db_begin(InkTagDb *db, uint64_t *generation)
{
    int ret = ink_db_usable(db);

    if (ret < 0) {
        return ret;
    }
    if (db->read_only) {
        return ink_db_fail(db, EROFS, "was opened for reading");
    }
    ret = ink_db_exec(db, "BEGIN IMMEDIATE", "");
    if (ret == 0) {
        ret = ink_db_exec(db, "UPDATE meta SET generation = ?1", "i",
                          (int64_t)db->generation + 1);
    }
    *generation = db->generation + 1;
    return ret;
}

int ink_db_end(InkTagDb *db, int ret)
{
    bool unknown = false;
    InkTagDbError why;

    if (ret == 0) {
        ret = ink_db_exec(db, "COMMIT", "");
        if (ret == 0) {
            db->generation++;
            return db->counter_fd < 0 ? 0 : ink_db_counter_raise(db);
        }
        unknown = sqlite3_errcode(db->sql) != SQLITE_FULL;
    }

    /* Statements that were left in the middle of their rows are in the way. */
    for (InkDbStatement *s = db->statements; s->sql; s++) {
        sqlite3_reset(s->stmt);
    }
    why = db->err;
    /*
     * SQLite has rolled back on its own after most errors. A full disk stops a
     * commit before its last page, so it is none. A sync that failed says
     * nothing about what is on the disk.
     */
    if ((!sqlite3_get_autocommit(db->sql) &&
         ink_db_exec(db, "ROLLBACK", "") < 0) || unknown) {
        db->failed = EIO;
        ret = -EIO;
    }
    db->err = why;
    return ret;
}

/* --- open and close ------------------------------------------------------- */

void inktag_db_close(InkTagDb *db)
{
    if (!db) {
        return;
    }
    for (InkDbStatement *s = db->statements; s->sql; s++) {
        sqlite3_finalize(s->stmt);
    }
    sqlite3_close(db->sql);
    if (db->counter_fd >= 0) {
        close(db->counter_fd);
    }
    ink_db_cleanse(db->prk, sizeof(db->prk));
    free(db->counter_path);
    free(db->path);
    free(db);
}

int ink_db_sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash - path + 1) : strdup(".");
    int fd, ret;

    if (!dir) {
        return -ENOMEM;
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ret = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    free(dir);
    return ret;
}

static void no_memory(InkTagDbError *err)
{
    snprintf(err->text, sizeof(err->text), "%s", strerror(ENOMEM));
}

/* Fails with *db NULL only if there is no memory for it. */
static int open_file(const InkTagDbOptions *o, int flags, InkTagDb **dbp)
{
    InkTagDb *db = calloc(1, sizeof(*db));
    struct stat st;
    char *name;
    int rc;

    *dbp = db;
    if (!db) {
        return -ENOMEM;
    }
    db->counter_fd = -1;
    db->read_only = o->read_only;
    db->path = strdup(o->path);
    if (!db->path) {
        free(db);
        *dbp = NULL;
        return -ENOMEM;
    }

    if (!*o->path) {
        return ink_db_fail(db, EINVAL, "needs a path");
    }
    if (o->secret ? o->secret_size < INKTAG_DB_SECRET_MIN ||
                    o->secret_size > INKTAG_DB_SECRET_MAX : !o->read_only) {
        return ink_db_fail(db, EINVAL, "needs a master secret of %d to %d "
                           "bytes, and was given %zu", INKTAG_DB_SECRET_MIN,
                           INKTAG_DB_SECRET_MAX,
                           o->secret ? o->secret_size : 0);
    }
    if (stat(o->path, &st) == 0) {
        if (!S_ISREG(st.st_mode)) {
            return ink_db_fail(db, EMEDIUMTYPE, "is not a regular file");
        }
        /* Its log has the name by which it was opened last. */
        if (st.st_nlink > 1) {
            return ink_db_fail(db, EMLINK, "has %lu names (hard links), and "
                               "must have one", (unsigned long)st.st_nlink);
        }
    }
    /* To SQLite, names that begin with ':' or "file:" are special. */
    name = malloc(strlen(o->path) + 3);
    if (!name) {
        return ink_db_fail(db, ENOMEM, "needs more memory than there is");
    }
    sprintf(name, "%s%s", *o->path == '/' ? "" : "./", o->path);
    rc = sqlite3_open_v2(name, &db->sql, flags, o->vfs);
    free(name);
    if (rc != SQLITE_OK) {
        return ink_db_fail_sqlite(db, rc);
    }
    sqlite3_extended_result_codes(db->sql, 1);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* A file that turns out to be no store is left as it is. */
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return 0;
}

/* The lock is taken at the first access, and kept until the store is closed. */
static int lock_for_one(InkTagDb *db)
{
    return ink_db_exec(db, "PRAGMA locking_mode = EXCLUSIVE", "");
}

static int make_durable(InkTagDb *db)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, "PRAGMA journal_mode = WAL", "");

    if (ret < 0) {
        return ret;
    }
    if (ret != 1 || !sqlite3_column_text(stmt, 0) ||
        strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") != 0) {
        return ink_db_fail(db, EIO, "cannot have a write-ahead log");
    }
    sqlite3_reset(stmt);
    ret = ink_db_exec(db, "PRAGMA synchronous = FULL", "");
    if (ret == 0) {
        ret = ink_db_exec(db, "PRAGMA foreign_keys = ON", "");
    }
    return ret;
}

static const char check_label[] = "InkTag store: check of the master secret";

static int derive(InkTagDb *db, const InkTagDbOptions *o,
                  uint8_t check[INK_DB_CHECK_SIZE])
{
    if (!ink_db_hkdf_extract(db->uuid, sizeof(db->uuid), o->secret,
                             o->secret_size, db->prk) ||
        !ink_db_hkdf_expand(db->prk, check_label, sizeof(check_label) - 1,
                            check)) {
        return ink_db_fail(db, EIO, "cannot derive keys: libcrypto failed");
    }
    db->has_key = true;
    return 0;
}

static int read_meta(InkTagDb *db, const InkTagDbOptions *o)
{
    uint8_t stored[INK_DB_CHECK_SIZE], derived[INK_DB_CHECK_SIZE];
    int64_t generation;
    sqlite3_stmt *stmt;
    int ret;

    ret = ink_db_query(db, &stmt, "SELECT uuid, secret_check, generation "
                       "FROM meta", "");
    if (ret < 0) {
        return ret;
    }
    if (ret == 0) {
        return ink_db_fail_damaged(db, "it has no identity");
    }
    ret = ink_db_blob(db, stmt, 0, db->uuid, sizeof(db->uuid));
    if (ret == 0) {
        ret = ink_db_blob(db, stmt, 1, stored, sizeof(stored));
    }
    generation = sqlite3_column_int64(stmt, 2);
    sqlite3_reset(stmt);
    if (ret < 0) {
        return ret;
    }
    if (generation < 1) {
        return ink_db_fail_damaged(db, "its generation");
    }
    db->generation = generation;

    if (!o->secret) {
        return 0;
    }
    ret = derive(db, o, derived);
    if (ret == 0 && !ink_db_equal(stored, derived, sizeof(stored))) {
        return ink_db_fail(db, EKEYREJECTED, "was made with another master "
                           "secret");
    }
    return ret;
}

static int verify(InkTagDb *db, const InkTagDbOptions *o)
{
    int ret = ink_db_schema_verify(db);

    if (ret == 0) {
        ret = read_meta(db, o);
    }
    return ret;
}

int inktag_db_session(InkTagDb *db)
{
    int ret = ink_db_usable(db);

    if (ret == 0 && !ink_db_random(&db->salt, sizeof(db->salt))) {
        db->failed = EIO;
        ret = ink_db_fail(db, EIO, "cannot be used: no random numbers");
    }
    if (ret == 0) {
        db->session = db->generation;
    }
    return ret;
}

static int prepare_to_write(InkTagDb *db, const InkTagDbOptions *o)
{
    int ret = make_durable(db);

    if (ret < 0) {
        return ret;
    }
    ret = inktag_db_session(db);
    if (ret < 0) {
        return ret;
    }
    ret = o->counter ? ink_db_counter_open(db, o->counter) : 0;
    if (ret == 0) {
        sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    return ret;
}

int inktag_db_open(const InkTagDbOptions *o, InkTagDb **dbp, InkTagDbError *err)
{
    InkTagDb *db;
    int ret;

    *dbp = NULL;
    ret = open_file(o, o->read_only ? SQLITE_OPEN_READONLY :
                    SQLITE_OPEN_READWRITE, &db);
    if (!db) {
        no_memory(err);
        return ret;
    }
    /* SQLite opens a file that it may not write for reading, and cannot lock it. */
    if (ret == 0 && !o->read_only && sqlite3_db_readonly(db->sql, "main")) {
        ret = ink_db_fail(db, EROFS, "cannot be written");
    }
    if (ret == 0 && !o->read_only) {
        ret = lock_for_one(db);
    }
    if (ret == 0) {
        ret = verify(db, o);
    }
    if (ret == 0 && !o->read_only) {
        ret = prepare_to_write(db, o);
    } else if (ret == 0 && o->counter) {
        ret = ink_db_counter_open(db, o->counter);
    }
    if (ret < 0) {
        *err = db->err;
        inktag_db_close(db);
        return ret;
    }
    *dbp = db;
    return 0;
}

/* --- create --------------------------------------------------------------- */

static int fill(InkTagDb *db, const InkTagDbOptions *o)
{
    uint8_t check[INK_DB_CHECK_SIZE];
    sqlite3_stmt *stmt;
    int ret;

    if (!ink_db_random(db->uuid, sizeof(db->uuid))) {
        return ink_db_fail(db, EIO, "cannot be made: no random numbers");
    }
    ret = derive(db, o, check);
    if (ret == 0) {
        ret = ink_db_exec(db, "BEGIN IMMEDIATE", "");
    }
    if (ret < 0) {
        return ret;
    }
    /* Somebody else may have made it since it was looked for. */
    ret = ink_db_query(db, &stmt, "SELECT 1 FROM sqlite_schema", "");
    if (ret == 1) {
        ret = ink_db_fail(db, EEXIST, "is there already");
    }
    if (ret == 0) {
        ret = ink_db_schema_make(db);
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "INSERT INTO meta VALUES (1, ?1, ?2, 1)", "bb",
                          db->uuid, sizeof(db->uuid), check, sizeof(check));
    }
    return ink_db_end(db, ret);
}

/* A name that the file had while it was made. */
static void remove_file(const InkTagDbOptions *o, const char *suffix)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(o->vfs);
    char *name = malloc(strlen(o->path) + strlen(suffix) + 1);

    if (name) {
        sprintf(name, "%s%s", o->path, suffix);
        vfs->xDelete(vfs, name, 1);
        free(name);
    }
}

static int file_exists(const InkTagDbOptions *o, bool *there)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(o->vfs);
    int result;

    if (!vfs || vfs->xAccess(vfs, o->path, SQLITE_ACCESS_EXISTS, &result)) {
        return -EIO;
    }
    *there = result;
    return 0;
}

int inktag_db_create(const InkTagDbOptions *o, InkTagDbError *err)
{
    InkTagDb *db = NULL;
    bool there, made = false;
    int ret;

    if (file_exists(o, &there) < 0) {
        snprintf(err->text, sizeof(err->text), "store '%.256s' cannot be "
                 "looked for", o->path);
        return -EIO;
    }
    if (there) {
        snprintf(err->text, sizeof(err->text), "store '%.256s' is there "
                 "already", o->path);
        return -EEXIST;
    }
    ret = open_file(o, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db);
    if (!db) {
        no_memory(err);
        return ret;
    }
    if (ret == 0) {
        ret = lock_for_one(db);
    }
    if (ret == 0) {
        ret = make_durable(db);
    }
    if (ret == 0) {
        ret = fill(db, o);
        made = ret == 0;
    }
    if (ret == 0 && o->counter) {
        ret = ink_db_counter_create(db, o->counter);
    }
    if (ret < 0) {
        *err = db->err;
        /* It is another's if that one was quicker. */
        if (db->sql && (made || (ret != -EBUSY && ret != -EEXIST))) {
            remove_file(o, "");
            remove_file(o, "-wal");
        }
    } else {
        sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    inktag_db_close(db);
    return ret;
}

int inktag_db_info(InkTagDb *db, InkTagDbInfo *info)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_usable(db);

    if (ret < 0) {
        return ret;
    }
    ret = ink_db_query(db, &stmt, "SELECT (SELECT count(*) FROM object), "
                       "(SELECT count(*) FROM name), "
                       "(SELECT count(*) FROM (SELECT object FROM page "
                       "WHERE prepared > 0 UNION SELECT object FROM pending)), "
                       "(SELECT count(*) FROM lost)", "");
    if (ret < 0) {
        return ret;
    }
    memcpy(info->uuid, db->uuid, sizeof(info->uuid));
    info->schema = INKTAG_DB_SCHEMA;
    info->generation = db->generation;
    info->objects = sqlite3_column_int64(stmt, 0);
    info->names = sqlite3_column_int64(stmt, 1);
    info->unsettled = sqlite3_column_int64(stmt, 2);
    info->lost = sqlite3_column_int64(stmt, 3);
    sqlite3_reset(stmt);
    return 0;
}
