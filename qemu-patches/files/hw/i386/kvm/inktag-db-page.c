/*
 * InkTag metadata store: page records and lengths
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include "inktag-db-int.h"

/* The first page that is wholly beyond. */
static int64_t pages_of(uint64_t length)
{
    return length / INKTAG_DB_PAGE_SIZE + (length % INKTAG_DB_PAGE_SIZE != 0);
}

int inktag_db_reserve(InkTagDb *db, const InkTagDbOid *oid, uint32_t count,
                      InkTagDbNonces *nonces)
{
    sqlite3_stmt *stmt;
    uint64_t generation;
    int64_t id, next = 0;
    int ret;

    if (!count || count > INKTAG_DB_RESERVE_MAX) {
        return ink_db_fail(db, EINVAL, "reserves 1 to %u versions at a time",
                           INKTAG_DB_RESERVE_MAX);
    }
    ret = ink_db_begin_object(db, oid, &id, &generation);
    if (ret == 0) {
        ret = ink_db_query(db, &stmt, "SELECT next_version FROM object "
                           "WHERE id = ?1", "i", id);
        if (ret == 1) {
            next = sqlite3_column_int64(stmt, 0);
            sqlite3_reset(stmt);
            ret = 0;
            if (next > INKTAG_DB_VERSION_MAX - (int64_t)count) {
                ret = ink_db_fail(db, EOVERFLOW, "has no more versions for "
                                  "the object");
            }
        }
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "UPDATE object SET next_version = ?2 "
                          "WHERE id = ?1", "ii", id, next + count);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        nonces->first = next;
        nonces->count = count;
        nonces->salt = db->salt;
    }
    return ret;
}

/* --- fetch ---------------------------------------------------------------- */

/* stmt has the page's newest version. */
static void begin_page(InkTagDb *db, sqlite3_stmt *stmt, InkTagDbPage *page)
{
    int64_t prepared = sqlite3_column_int64(stmt, 1);
    int64_t lost = sqlite3_column_int64(stmt, 5);

    memset(page, 0, sizeof(*page));
    page->index = sqlite3_column_int64(stmt, 0);
    page->zeros = true;
    page->lost = lost > 0;
    page->certain = prepared > lost && prepared > (int64_t)db->session;
    page->stale = page->index < (uint64_t)sqlite3_column_int64(stmt, 6);
}

static int read_version(InkTagDb *db, sqlite3_stmt *stmt, InkTagDbPage *page)
{
    InkTagDbVersion *v = &page->v[page->count];

    if (page->count == INKTAG_DB_VERSIONS) {
        return ink_db_fail_damaged(db, "a page has too many versions");
    }
    page->count++;
    if (sqlite3_column_int64(stmt, 1) == 0) {
        page->zeros = page->stale = false;
    }
    v->version = sqlite3_column_int64(stmt, 2);
    v->salt = sqlite3_column_int64(stmt, 3);
    return ink_db_blob(db, stmt, 4, v->tag, sizeof(v->tag));
}

int inktag_db_fetch(InkTagDb *db, const InkTagDbOid *oid, uint64_t first,
                    uint64_t last, InkTagDbPage *pages, uint32_t max,
                    uint32_t *count)
{
    InkTagDbPage *page = NULL;
    sqlite3_stmt *stmt;
    uint32_t n = 0;
    int64_t id;
    int ret;

    if (first > last || last > INT64_MAX || !max ||
        max > INKTAG_DB_PAGES_MAX) {
        return ink_db_fail(db, EINVAL, "fetches 1 to %d pages, in their order",
                           INKTAG_DB_PAGES_MAX);
    }
    ret = ink_db_usable(db);
    if (ret == 0) {
        ret = ink_db_object_id(db, oid, &id);
    }
    if (ret < 0) {
        return ret;
    }

    for (ret = ink_db_query(db, &stmt, "SELECT idx, prepared, version, salt, "
                            "tag, (SELECT generation FROM lost "
                            "WHERE lost.object = page.object "
                            "AND lost.idx = page.idx), "
                            "(SELECT stale FROM object WHERE id = ?1) FROM page "
                            "WHERE object = ?1 AND idx BETWEEN ?2 AND ?3 "
                            "ORDER BY idx, prepared DESC",
                            "iii", id, (int64_t)first, (int64_t)last);
         ret == 1; ret = ink_db_next(db, stmt)) {
        uint64_t index = sqlite3_column_int64(stmt, 0);

        if (!page || page->index != index) {
            if (n == max) {
                sqlite3_reset(stmt);
                ret = 0;
                break;
            }
            page = &pages[n++];
            begin_page(db, stmt, page);
        }
        ret = read_version(db, stmt, page);
        if (ret < 0) {
            sqlite3_reset(stmt);
            break;
        }
    }
    if (ret == 0) {
        *count = n;
    }
    return ret;
}

/* --- lengths -------------------------------------------------------------- */

typedef struct Lengths {
    int64_t settled;
    int64_t newest;
    uint32_t pendings;
} Lengths;

static int read_lengths(InkTagDb *db, int64_t id, Lengths *l)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, "SELECT length, "
                           "(SELECT count(*) FROM pending WHERE object = ?1), "
                           "(SELECT length FROM pending WHERE object = ?1 "
                           "ORDER BY prepared DESC LIMIT 1) "
                           "FROM object WHERE id = ?1", "i", id);

    if (ret < 0) {
        return ret;
    }
    l->settled = sqlite3_column_int64(stmt, 0);
    l->pendings = sqlite3_column_int64(stmt, 1);
    l->newest = l->pendings ? sqlite3_column_int64(stmt, 2) : l->settled;
    sqlite3_reset(stmt);
    return 0;
}

/* Makes length pending, and sets l->newest. */
static int prepare_length(InkTagDb *db, int64_t id, uint64_t length,
                          uint64_t generation, Lengths *l)
{
    bool grows;

    if (length > INKTAG_DB_LENGTH_MAX) {
        return ink_db_fail(db, EINVAL, "takes lengths of %lld at most",
                           (long long)INKTAG_DB_LENGTH_MAX);
    }
    if ((int64_t)length == l->newest) {
        return 0;
    }
    grows = (int64_t)length > l->newest;
    if (l->pendings && grows != (l->newest > l->settled)) {
        return ink_db_fail(db, EBUSY, "has another length pending for the "
                           "object: settle it first");
    }
    if (l->pendings == INKTAG_DB_VERSIONS) {
        return ink_db_fail(db, EBUSY, "has %d lengths pending for the object: "
                           "settle them first", INKTAG_DB_VERSIONS);
    }
    l->newest = length;
    return ink_db_exec(db, "INSERT INTO pending (object, prepared, length) "
                       "VALUES (?1, ?2, ?3)", "iii", id, (int64_t)generation,
                       (int64_t)length);
}

/* What is beyond it goes, but for what a longer length that is pending has. */
static int set_length(InkTagDb *db, int64_t id, int64_t length)
{
    int64_t end = 0;
    Lengths l;
    int ret = ink_db_exec(db, "UPDATE object SET length = ?2 WHERE id = ?1",
                          "ii", id, length);

    if (ret == 0) {
        ret = read_lengths(db, id, &l);
    }
    if (ret == 0) {
        end = pages_of(l.newest > length ? l.newest : length);
        ret = ink_db_exec(db, "DELETE FROM page WHERE object = ?1 "
                          "AND idx >= ?2", "ii", id, end);
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "DELETE FROM lost WHERE object = ?1 "
                          "AND idx >= ?2", "ii", id, end);
    }
    return ret;
}

/* --- prepare -------------------------------------------------------------- */

/* What a page has; newest: of what this session has prepared, 0: nothing. */
typedef struct Versions {
    int64_t count;
    int64_t newest;
    int64_t twice;              /* of them are this version */
} Versions;

static int read_versions(InkTagDb *db, int64_t id, const InkTagDbSeal *seal,
                         Versions *v)
{
    sqlite3_stmt *stmt;
    int64_t since;
    int ret = ink_db_query(db, &stmt, "SELECT count(*), max(prepared), "
                           "ifnull(sum(version = ?3), 0), "
                           "(SELECT generation FROM lost "
                           "WHERE object = ?1 AND idx = ?2) "
                           "FROM page WHERE object = ?1 AND idx = ?2", "iii",
                           id, (int64_t)seal->index, (int64_t)seal->v.version);

    if (ret < 0) {
        return ret;
    }
    v->count = sqlite3_column_int64(stmt, 0);
    v->newest = sqlite3_column_int64(stmt, 1);
    v->twice = sqlite3_column_int64(stmt, 2);
    since = sqlite3_column_int64(stmt, 3);
    sqlite3_reset(stmt);
    if (v->newest <= since || v->newest <= (int64_t)db->session) {
        v->newest = 0;
    }
    return 0;
}

/*
 * The newest version of the page is durable: those before it go. Beyond the
 * length that is settled none can be settled (D8), and zeros stay accepted
 * beside it.
 */
static int forget_older(InkTagDb *db, int64_t id, int64_t index, Versions *v,
                        const Lengths *l)
{
    int ret = ink_db_exec(db, "DELETE FROM page WHERE object = ?1 AND idx = ?2 "
                          "AND prepared < ?3", "iii", id, index, v->newest);

    if (ret == 0) {
        ret = ink_db_exec(db, "DELETE FROM lost WHERE object = ?1 "
                          "AND idx = ?2", "ii", id, index);
    }
    if (ret == 0 && index < pages_of(l->settled)) {
        ret = ink_db_exec(db, "UPDATE page SET prepared = 0 WHERE object = ?1 "
                          "AND idx = ?2", "ii", id, index);
    }
    v->count = 1;
    return ret;
}

static int prepare_page(InkTagDb *db, int64_t id, const InkTagDbSeal *seal,
                        uint64_t generation, int64_t next_version,
                        const Lengths *l)
{
    Versions v = { 0 };
    int ret;

    if (seal->v.salt != db->salt || seal->v.version < 1 ||
        seal->v.version >= (uint64_t)next_version) {
        return ink_db_fail(db, EINVAL, "has not reserved version %llu for the "
                           "object in this session",
                           (unsigned long long)seal->v.version);
    }
    ret = read_versions(db, id, seal, &v);
    if (ret == 0 && v.twice) {
        return ink_db_fail(db, EINVAL, "was given a version of page %llu twice",
                           (unsigned long long)seal->index);
    }
    if (ret == 0 && seal->replaces && v.newest) {
        return ink_db_exec(db, "UPDATE page SET version = ?4, salt = ?5, "
                           "tag = ?6 WHERE object = ?1 AND idx = ?2 "
                           "AND prepared = ?3", "iiiiib", id,
                           (int64_t)seal->index, v.newest,
                           (int64_t)seal->v.version, (int64_t)seal->v.salt,
                           seal->v.tag, sizeof(seal->v.tag));
    }
    if (ret == 0 && seal->durable && v.newest &&
        v.count >= INKTAG_DB_VERSIONS) {
        ret = forget_older(db, id, seal->index, &v, l);
    }
    if (ret == 0 && v.count >= INKTAG_DB_VERSIONS) {
        return ink_db_fail(db, EBUSY, "has %d versions of page %llu: settle "
                           "them first", INKTAG_DB_VERSIONS,
                           (unsigned long long)seal->index);
    }
    return ret < 0 ? ret :
        ink_db_exec(db, "INSERT INTO page (object, idx, prepared, version, "
                    "salt, tag) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "iiiiib",
                    id, (int64_t)seal->index, (int64_t)generation,
                    (int64_t)seal->v.version, (int64_t)seal->v.salt,
                    seal->v.tag, sizeof(seal->v.tag));
}

/* Callers have hundreds of them at most. */
static bool is_among(const InkTagDbSeal *seals, uint32_t count, uint64_t index)
{
    for (uint32_t i = 0; i < count; i++) {
        if (seals[i].index == index) {
            return true;
        }
    }
    return false;
}

static int prepare(InkTagDb *db, int64_t id, const InkTagDbSeal *seals,
                   uint32_t count, const uint64_t *length, uint64_t generation)
{
    int64_t next_version;
    sqlite3_stmt *stmt;
    Lengths l = { 0 };
    int ret = read_lengths(db, id, &l);

    if (ret == 0 && length) {
        ret = prepare_length(db, id, *length, generation, &l);
    }
    if (ret == 0) {
        ret = ink_db_query(db, &stmt, "SELECT next_version FROM object "
                           "WHERE id = ?1", "i", id);
    }
    if (ret < 0) {
        return ret;
    }
    next_version = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);

    for (uint32_t i = 0; i < count; i++) {
        if (seals[i].index >= (uint64_t)pages_of(l.newest)) {
            return ink_db_fail(db, EINVAL, "was given page %llu of an object "
                               "that ends before it",
                               (unsigned long long)seals[i].index);
        }
        if (is_among(seals, i, seals[i].index)) {
            return ink_db_fail(db, EINVAL, "was given page %llu twice",
                               (unsigned long long)seals[i].index);
        }
        ret = prepare_page(db, id, &seals[i], generation, next_version, &l);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

int inktag_db_prepare(InkTagDb *db, const InkTagDbOid *oid,
                      const InkTagDbSeal *seals, uint32_t count,
                      const uint64_t *length, uint64_t *ticket)
{
    uint64_t generation;
    int64_t id;
    int ret;

    if (count > INKTAG_DB_PAGES_MAX) {
        return ink_db_fail(db, EINVAL, "prepares %d pages at a time at most",
                           INKTAG_DB_PAGES_MAX);
    }
    ret = ink_db_begin_object(db, oid, &id, &generation);
    if (ret == 0) {
        ret = prepare(db, id, seals, count, length, generation);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        *ticket = generation;
    }
    return ret;
}

/* --- clear ---------------------------------------------------------------- */

int inktag_db_stale(InkTagDb *db, const InkTagDbOid *oid, uint64_t end)
{
    uint64_t generation;
    int64_t id;
    int ret;

    if (end > INT64_MAX) {
        return ink_db_fail(db, EINVAL, "has no page %llu",
                           (unsigned long long)end);
    }
    ret = ink_db_begin_object(db, oid, &id, &generation);
    if (ret == 0) {
        ret = ink_db_exec(db, "UPDATE object SET stale = max(stale, ?2) "
                          "WHERE id = ?1", "ii", id, (int64_t)end);
    }
    return ink_db_end(db, ret);
}

int inktag_db_clear(InkTagDb *db, const InkTagDbOid *oid, uint64_t *ticket)
{
    uint64_t generation;
    int64_t id;
    int ret = ink_db_begin_object(db, oid, &id, &generation);

    if (ret == 0) {
        ret = ink_db_exec(db, "DELETE FROM pending WHERE object = ?1", "i", id);
    }
    if (ret == 0) {
        ret = set_length(db, id, 0);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        *ticket = generation;
    }
    return ret;
}

/* --- settle --------------------------------------------------------------- */

static int settle_length(InkTagDb *db, int64_t id, int64_t ticket)
{
    sqlite3_stmt *stmt;
    int64_t length;
    int ret = ink_db_query(db, &stmt, "SELECT length FROM pending "
                           "WHERE object = ?1 AND prepared <= ?2 "
                           "ORDER BY prepared DESC LIMIT 1", "ii", id, ticket);

    if (ret <= 0) {
        return ret;
    }
    length = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    ret = ink_db_exec(db, "DELETE FROM pending WHERE object = ?1 "
                      "AND prepared <= ?2", "ii", id, ticket);
    return ret < 0 ? ret : set_length(db, id, length);
}

/*
 * What this session has prepared. Of a lost page only what was prepared since
 * can be durable: what is older was looked for in vain.
 */
#define DURABLE \
    "SELECT idx, max(prepared) AS newest FROM page WHERE object = ?1 " \
    "AND prepared > 0 AND prepared <= ?2 AND prepared > ?3 AND prepared > " \
    "ifnull((SELECT generation FROM lost WHERE lost.object = ?1 " \
    "AND lost.idx = page.idx), 0) GROUP BY idx"

static int settle_pages(InkTagDb *db, int64_t id, int64_t ticket)
{
    int64_t session = db->session;
    int ret;

    ret = ink_db_exec(db, "WITH durable AS MATERIALIZED (" DURABLE ") "
                      "DELETE FROM lost WHERE object = ?1 "
                      "AND idx IN (SELECT idx FROM durable)", "iii", id,
                          ticket, session);
    if (ret == 0) {
        ret = ink_db_exec(db, "WITH durable AS MATERIALIZED (" DURABLE ") "
                          "DELETE FROM page WHERE object = ?1 "
                          "AND idx IN (SELECT idx FROM durable) "
                          "AND prepared < (SELECT newest FROM durable "
                          "WHERE durable.idx = page.idx)", "iii", id, ticket,
                          session);
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "UPDATE page SET prepared = 0 WHERE object = ?1 "
                          "AND prepared > 0 AND prepared <= ?2 "
                          "AND prepared > ?3 AND NOT EXISTS "
                          "(SELECT 1 FROM lost WHERE lost.object = ?1 "
                          "AND lost.idx = page.idx)", "iii", id, ticket,
                          session);
    }
    return ret;
}

int inktag_db_settle(InkTagDb *db, const InkTagDbOid *oid, uint64_t ticket)
{
    uint64_t generation;
    int64_t id;
    int ret;

    if (ticket > db->generation) {
        return ink_db_fail(db, EINVAL, "has not given the ticket %llu",
                           (unsigned long long)ticket);
    }
    ret = ink_db_begin_object(db, oid, &id, &generation);
    if (ret == 0) {
        ret = settle_length(db, id, ticket);
    }
    if (ret == 0) {
        ret = settle_pages(db, id, ticket);
    }
    return ink_db_end(db, ret);
}

/* --- resolve -------------------------------------------------------------- */

static int found_version(InkTagDb *db, int64_t id, const InkTagDbFound *f)
{
    int ret = ink_db_exec(db, "DELETE FROM page WHERE object = ?1 AND idx = ?2 "
                          "AND (version != ?3 OR salt != ?4) AND EXISTS "
                          "(SELECT 1 FROM page WHERE object = ?1 AND idx = ?2 "
                          "AND version = ?3 AND salt = ?4)", "iiii", id,
                          (int64_t)f->index, (int64_t)f->version,
                          (int64_t)f->salt);

    if (ret == 0) {
        ret = ink_db_exec(db, "UPDATE page SET prepared = 0 WHERE object = ?1 "
                          "AND idx = ?2 AND version = ?3 AND salt = ?4",
                          "iiii", id, (int64_t)f->index, (int64_t)f->version,
                          (int64_t)f->salt);
    }
    if (ret == 0 && sqlite3_changes(db->sql) != 1) {
        return ink_db_fail(db, EINVAL, "does not accept version %llu of page "
                           "%llu", (unsigned long long)f->version,
                           (unsigned long long)f->index);
    }
    return ret;
}

static int found_zeros(InkTagDb *db, int64_t id, const InkTagDbFound *f)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, "SELECT 1 FROM page WHERE object = ?1 "
                           "AND idx = ?2 AND prepared = 0", "ii", id,
                           (int64_t)f->index);

    if (ret == 1) {
        return ink_db_fail(db, EINVAL, "does not accept zeros as page %llu",
                           (unsigned long long)f->index);
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "DELETE FROM page WHERE object = ?1 "
                          "AND idx = ?2", "ii", id, (int64_t)f->index);
    }
    if (ret == 0 && !sqlite3_changes(db->sql)) {
        return ink_db_fail(db, EINVAL, "has no record of page %llu",
                           (unsigned long long)f->index);
    }
    return ret;
}

static int found_neither(InkTagDb *db, int64_t id, const InkTagDbFound *f,
                         uint64_t generation)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, "SELECT 1 FROM page WHERE object = ?1 "
                           "AND idx = ?2", "ii", id, (int64_t)f->index);

    if (ret == 0) {
        return ink_db_fail(db, EINVAL, "has no record of page %llu",
                           (unsigned long long)f->index);
    }
    if (ret == 1) {
        /* Room is left for what will be written in its place. */
        ret = ink_db_exec(db, "DELETE FROM page WHERE object = ?1 "
                          "AND idx = ?2 AND prepared > 0 AND prepared < "
                          "(SELECT max(prepared) FROM page "
                          "WHERE object = ?1 AND idx = ?2)", "ii", id,
                          (int64_t)f->index);
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "INSERT OR REPLACE INTO lost "
                          "(object, idx, generation) VALUES (?1, ?2, ?3)",
                          "iii", id, (int64_t)f->index, (int64_t)generation);
    }
    return ret;
}

static int resolve(InkTagDb *db, int64_t id, const InkTagDbFound *f,
                   const Lengths *l, uint64_t generation)
{
    int ret;

    if (f->kind == INKTAG_DB_FOUND_NEITHER) {
        return found_neither(db, id, f, generation);
    }
    if (f->kind == INKTAG_DB_FOUND_VERSION) {
        /* It would be settled, and the length that it needs is not. */
        if (f->index >= (uint64_t)pages_of(l->settled)) {
            return ink_db_fail(db, EBUSY, "has no length that page %llu is "
                               "within: resolve the length first",
                               (unsigned long long)f->index);
        }
        ret = found_version(db, id, f);
    } else if (f->kind == INKTAG_DB_FOUND_ZEROS) {
        ret = found_zeros(db, id, f);
    } else {
        ret = ink_db_fail(db, EINVAL, "cannot record %d as found", f->kind);
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "DELETE FROM lost WHERE object = ?1 "
                          "AND idx = ?2", "ii", id, (int64_t)f->index);
    }
    return ret;
}

int inktag_db_resolve(InkTagDb *db, const InkTagDbOid *oid,
                      const InkTagDbFound *found, uint32_t count)
{
    uint64_t generation;
    Lengths l = { 0 };
    int64_t id;
    int ret;

    if (count > INKTAG_DB_PAGES_MAX) {
        return ink_db_fail(db, EINVAL, "resolves %d pages at a time at most",
                           INKTAG_DB_PAGES_MAX);
    }
    ret = ink_db_begin_object(db, oid, &id, &generation);
    if (ret == 0) {
        ret = read_lengths(db, id, &l);
    }
    for (uint32_t i = 0; ret == 0 && i < count; i++) {
        ret = resolve(db, id, &found[i], &l, generation);
    }
    return ink_db_end(db, ret);
}

int inktag_db_resolve_length(InkTagDb *db, const InkTagDbOid *oid,
                             uint64_t length)
{
    sqlite3_stmt *stmt;
    uint64_t generation;
    int64_t id;
    int ret = ink_db_begin_object(db, oid, &id, &generation);

    if (ret == 0) {
        ret = ink_db_query(db, &stmt, "SELECT 1 FROM pending "
                           "WHERE object = ?1 AND length = ?2 UNION ALL "
                           "SELECT 1 FROM object "
                           "WHERE id = ?1 AND length = ?2", "ii", id,
                           (int64_t)length);
        if (ret == 1) {
            sqlite3_reset(stmt);
            ret = ink_db_exec(db, "DELETE FROM pending WHERE object = ?1", "i",
                              id);
        } else if (ret == 0) {
            ret = ink_db_fail(db, EINVAL, "does not accept the length %llu of "
                              "the object", (unsigned long long)length);
        }
    }
    if (ret == 0) {
        ret = set_length(db, id, length);
    }
    return ink_db_end(db, ret);
}
