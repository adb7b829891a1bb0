/*
 * InkTag metadata store: names
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include "inktag-db-int.h"

bool ink_db_path_is_canonical(const char *path, size_t len)
{
    size_t at = 0;

    if (memchr(path, '\0', len)) {
        return false;
    }
    while (at < len) {
        const char *component = path + at + 1, *end;
        size_t size;

        if (path[at] != '/') {
            return false;
        }
        end = memchr(component, '/', len - at - 1);
        size = end ? (size_t)(end - component) : len - at - 1;
        if (size == 0 || (size == 1 && memcmp(component, ".", 1) == 0) ||
            (size == 2 && memcmp(component, "..", 2) == 0)) {
            return false;
        }
        at += 1 + size;
    }
    return len > 0;
}

static int check_path(InkTagDb *db, const char *path, size_t *len)
{
    size_t size = strnlen(path, INKTAG_DB_PATH_MAX + 1), component = 0;

    if (size > INKTAG_DB_PATH_MAX) {
        return ink_db_fail(db, ENAMETOOLONG, "takes paths of %d bytes at most",
                           INKTAG_DB_PATH_MAX);
    }
    if (!ink_db_path_is_canonical(path, size)) {
        return ink_db_fail(db, EINVAL, "takes no path that is relative, or has "
                           "an empty component, \".\" or \"..\"");
    }
    for (size_t i = 0; i < size; i++) {
        component = path[i] == '/' ? 0 : component + 1;
        if (component > INKTAG_DB_COMPONENT_MAX) {
            return ink_db_fail(db, ENAMETOOLONG, "takes names of %d bytes at "
                               "most", INKTAG_DB_COMPONENT_MAX);
        }
    }
    *len = size;
    return 0;
}

/* 1 and the object, or 0 if there is no such name. */
static int lookup(InkTagDb *db, const char *path, size_t len, int64_t *id,
                  InkTagDbOid *oid)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, "SELECT object.id, oid FROM name "
                           "JOIN object ON object.id = name.object "
                           "WHERE path = ?1", "b", path, len);

    if (ret <= 0) {
        return ret;
    }
    *id = sqlite3_column_int64(stmt, 0);
    ret = ink_db_blob(db, stmt, 1, oid->b, sizeof(oid->b));
    sqlite3_reset(stmt);
    return ret < 0 ? ret : 1;
}

static int must_lookup(InkTagDb *db, const char *path, size_t len, int64_t *id,
                       InkTagDbOid *oid)
{
    int ret = lookup(db, path, len, id, oid);

    if (ret == 0) {
        return ink_db_fail(db, ENOENT, "has no such name");
    }
    return ret < 0 ? ret : 0;
}

static int insert(InkTagDb *db, const char *path, size_t len, int64_t id)
{
    InkTagDbOid other;
    int64_t other_id;
    int ret = lookup(db, path, len, &other_id, &other);

    if (ret == 1) {
        return ink_db_fail(db, EEXIST, "has that name already");
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "INSERT INTO name (path, object) VALUES (?1, ?2)",
                          "bi", path, len, id);
    }
    return ret;
}

static int count_links(InkTagDb *db, int64_t id, uint64_t *links)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, "SELECT count(*) FROM name "
                           "WHERE object = ?1", "i", id);

    if (ret < 0) {
        return ret;
    }
    *links = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return 0;
}

static int delete(InkTagDb *db, const char *path, size_t len, int64_t id,
                  const InkTagDbOid *oid, InkTagDbUnlinked *unlinked)
{
    int ret = ink_db_exec(db, "DELETE FROM name WHERE path = ?1", "b", path,
                          len);

    unlinked->any = true;
    unlinked->oid = *oid;
    return ret < 0 ? ret : count_links(db, id, &unlinked->links);
}

int inktag_db_name_bind(InkTagDb *db, const char *path, const InkTagDbOid *oid)
{
    uint64_t generation;
    size_t len;
    int64_t id;
    int ret = check_path(db, path, &len);

    if (ret < 0) {
        return ret;
    }
    ret = ink_db_begin_object(db, oid, &id, &generation);
    if (ret == 0) {
        ret = insert(db, path, len, id);
    }
    return ink_db_end(db, ret);
}

int inktag_db_name_create(InkTagDb *db, const char *path, InkTagDbOid *oid)
{
    uint64_t generation;
    InkTagDbOid new;
    size_t len;
    int64_t id;
    int ret = check_path(db, path, &len);

    if (ret < 0) {
        return ret;
    }
    ret = ink_db_begin(db, &generation);
    if (ret == 0) {
        ret = ink_db_object_insert(db, &id, &new);
    }
    if (ret == 0) {
        ret = insert(db, path, len, id);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        *oid = new;
    }
    return ret;
}

int inktag_db_name_lookup(InkTagDb *db, const char *path, InkTagDbOid *oid)
{
    InkTagDbOid found;
    size_t len;
    int64_t id;
    int ret = check_path(db, path, &len);

    if (ret == 0) {
        ret = ink_db_usable(db);
    }
    if (ret == 0) {
        ret = must_lookup(db, path, len, &id, &found);
    }
    if (ret == 0) {
        *oid = found;
    }
    return ret;
}

int inktag_db_name_link(InkTagDb *db, const char *from, const char *to)
{
    uint64_t generation;
    size_t from_len, to_len;
    InkTagDbOid oid;
    int64_t id;
    int ret = check_path(db, from, &from_len);

    if (ret == 0) {
        ret = check_path(db, to, &to_len);
    }
    if (ret < 0) {
        return ret;
    }
    ret = ink_db_begin(db, &generation);
    if (ret == 0) {
        ret = must_lookup(db, from, from_len, &id, &oid);
    }
    if (ret == 0) {
        ret = insert(db, to, to_len, id);
    }
    return ink_db_end(db, ret);
}

static int rename_to(InkTagDb *db, const char *from, size_t from_len,
                     const char *to, size_t to_len, InkTagDbUnlinked *replaced)
{
    InkTagDbOid oid, other;
    int64_t id, other_id;
    int ret = must_lookup(db, from, from_len, &id, &oid);

    if (ret < 0) {
        return ret;
    }
    ret = lookup(db, to, to_len, &other_id, &other);
    if (ret == 1) {
        if (id == other_id) {
            return 0;
        }
        ret = delete(db, to, to_len, other_id, &other, replaced);
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "UPDATE name SET path = ?2 WHERE path = ?1",
                          "bb", from, from_len, to, to_len);
    }
    return ret;
}

int inktag_db_name_rename(InkTagDb *db, const char *from, const char *to,
                          InkTagDbUnlinked *replaced)
{
    InkTagDbUnlinked result = { .any = false };
    uint64_t generation;
    size_t from_len, to_len;
    int ret = check_path(db, from, &from_len);

    if (ret == 0) {
        ret = check_path(db, to, &to_len);
    }
    if (ret < 0) {
        return ret;
    }
    ret = ink_db_begin(db, &generation);
    if (ret == 0) {
        ret = rename_to(db, from, from_len, to, to_len, &result);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        *replaced = result;
    }
    return ret;
}

int inktag_db_name_unlink(InkTagDb *db, const char *path,
                          InkTagDbUnlinked *unlinked)
{
    InkTagDbUnlinked result;
    uint64_t generation;
    InkTagDbOid oid;
    size_t len;
    int64_t id;
    int ret = check_path(db, path, &len);

    if (ret < 0) {
        return ret;
    }
    ret = ink_db_begin(db, &generation);
    if (ret == 0) {
        ret = must_lookup(db, path, len, &id, &oid);
    }
    if (ret == 0) {
        ret = delete(db, path, len, id, &oid, &result);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        *unlinked = result;
    }
    return ret;
}

int inktag_db_name_count(InkTagDb *db, const InkTagDbOid *oid, uint64_t *links)
{
    int64_t id;
    int ret = ink_db_usable(db);

    if (ret == 0) {
        ret = ink_db_object_id(db, oid, &id);
    }
    return ret < 0 ? ret : count_links(db, id, links);
}
