/*
 * InkTag metadata store: objects, policy, keys
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include "inktag-db-int.h"

static int no_object(InkTagDb *db)
{
    return ink_db_fail(db, ENOENT, "has no such object");
}

int ink_db_object_id(InkTagDb *db, const InkTagDbOid *oid, int64_t *id)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_query(db, &stmt, "SELECT id FROM object WHERE oid = ?1",
                           "b", oid->b, sizeof(oid->b));

    if (ret < 0) {
        return ret;
    }
    if (ret == 0) {
        return no_object(db);
    }
    *id = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return 0;
}

int ink_db_object_insert(InkTagDb *db, int64_t *id, InkTagDbOid *oid)
{
    int ret;

    if (!ink_db_random(oid, sizeof(*oid))) {
        return ink_db_fail(db, EIO, "cannot be used: no random numbers");
    }
    ret = ink_db_exec(db, "INSERT INTO object (oid, length, next_version) "
                      "VALUES (?1, 0, 1)", "b", oid->b, sizeof(oid->b));
    *id = sqlite3_last_insert_rowid(db->sql);
    return ret;
}

int ink_db_begin_object(InkTagDb *db, const InkTagDbOid *oid, int64_t *id,
                        uint64_t *generation)
{
    int ret = ink_db_begin(db, generation);

    return ret < 0 ? ret : ink_db_object_id(db, oid, id);
}

int inktag_db_object_create(InkTagDb *db, InkTagDbOid *oid)
{
    uint64_t generation;
    InkTagDbOid new;
    int64_t id;
    int ret = ink_db_begin(db, &generation);

    if (ret == 0) {
        ret = ink_db_object_insert(db, &id, &new);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        *oid = new;
    }
    return ret;
}

int inktag_db_object_remove(InkTagDb *db, const InkTagDbOid *oid)
{
    sqlite3_stmt *stmt;
    uint64_t generation;
    int64_t id;
    int ret = ink_db_begin_object(db, oid, &id, &generation);

    if (ret == 0) {
        ret = ink_db_query(db, &stmt, "SELECT 1 FROM name WHERE object = ?1",
                           "i", id);
        if (ret == 1) {
            ret = ink_db_fail(db, EBUSY, "has names for the object");
        }
    }
    if (ret == 0) {
        ret = ink_db_exec(db, "DELETE FROM object WHERE id = ?1", "i", id);
    }
    return ink_db_end(db, ret);
}

int inktag_db_object_remove_unnamed(InkTagDb *db, uint64_t *removed)
{
    uint64_t generation, n = 0;
    int ret = ink_db_begin(db, &generation);

    if (ret == 0) {
        ret = ink_db_exec(db, "DELETE FROM object WHERE id NOT IN "
                          "(SELECT object FROM name)", "");
        n = sqlite3_changes64(db->sql);
    }
    ret = ink_db_end(db, ret);
    if (ret == 0) {
        *removed = n;
    }
    return ret;
}

static int read_pendings(InkTagDb *db, int64_t id, InkTagDbObject *object)
{
    sqlite3_stmt *stmt;
    int ret;

    object->pendings = 0;
    for (ret = ink_db_query(db, &stmt, "SELECT length FROM pending "
                            "WHERE object = ?1 ORDER BY prepared", "i", id);
         ret == 1; ret = ink_db_next(db, stmt)) {
        if (object->pendings == INKTAG_DB_VERSIONS) {
            return ink_db_fail_damaged(db, "an object has too many lengths");
        }
        object->pending[object->pendings++] = sqlite3_column_int64(stmt, 0);
    }
    return ret;
}

/* stmt has the row of select_object(). */
static int read_object(InkTagDb *db, sqlite3_stmt *stmt, InkTagDbObject *object)
{
    int64_t id = sqlite3_column_int64(stmt, 0);
    int ret = ink_db_blob(db, stmt, 1, object->oid.b, sizeof(object->oid.b));

    object->length = sqlite3_column_int64(stmt, 2);
    object->next_version = sqlite3_column_int64(stmt, 3);
    object->unsettled = sqlite3_column_int64(stmt, 4);
    object->lost = sqlite3_column_int64(stmt, 5);
    object->links = sqlite3_column_int64(stmt, 6);
    sqlite3_reset(stmt);
    return ret < 0 ? ret : read_pendings(db, id, object);
}

#define SELECT_OBJECT \
    "SELECT id, oid, length, next_version, " \
    "(SELECT count(*) FROM page WHERE object = object.id AND prepared > 0), " \
    "(SELECT count(*) FROM lost WHERE object = object.id), " \
    "(SELECT count(*) FROM name WHERE object = object.id) FROM object "

int inktag_db_object_info(InkTagDb *db, const InkTagDbOid *oid,
                          InkTagDbObject *object)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_usable(db);

    if (ret == 0) {
        ret = ink_db_query(db, &stmt, SELECT_OBJECT "WHERE oid = ?1",
                           "b", oid->b, sizeof(oid->b));
        if (ret == 0) {
            ret = no_object(db);
        }
    }
    return ret < 0 ? ret : read_object(db, stmt, object);
}

int inktag_db_object_next(InkTagDb *db, const InkTagDbOid *after,
                          InkTagDbObject *object)
{
    sqlite3_stmt *stmt;
    int ret = ink_db_usable(db);

    if (ret == 0) {
        ret = ink_db_query(db, &stmt, SELECT_OBJECT "WHERE oid > ?1 "
                           "ORDER BY oid LIMIT 1", "b",
                           after ? after->b : (const uint8_t *)"",
                           after ? sizeof(after->b) : (size_t)0);
        if (ret == 0) {
            ret = ink_db_fail(db, ENOENT, "has no more objects");
        }
    }
    return ret < 0 ? ret : read_object(db, stmt, object);
}

int inktag_db_object_key(InkTagDb *db, const InkTagDbOid *oid,
                         uint8_t key[INKTAG_DB_KEY_SIZE])
{
    static const char label[] = "InkTag store: key of an object";
    uint8_t info[sizeof(label) - 1 + INKTAG_DB_OID_SIZE];
    int64_t id;
    int ret = ink_db_usable(db);

    if (ret == 0) {
        ret = ink_db_object_id(db, oid, &id);
    }
    if (ret == 0 && !db->has_key) {
        ret = ink_db_fail(db, EKEYREJECTED, "was opened without the master "
                          "secret");
    }
    if (ret < 0) {
        return ret;
    }
    memcpy(info, label, sizeof(label) - 1);
    memcpy(info + sizeof(label) - 1, oid->b, sizeof(oid->b));
    if (!ink_db_hkdf_expand(db->prk, info, sizeof(info), key)) {
        return ink_db_fail(db, EIO, "cannot derive keys: libcrypto failed");
    }
    return 0;
}

int inktag_db_policy_set(InkTagDb *db, const InkTagDbOid *oid,
                         const void *policy, size_t size)
{
    uint64_t generation;
    int64_t id;
    int ret;

    if (size > INKTAG_DB_POLICY_MAX) {
        return ink_db_fail(db, EOVERFLOW, "takes policies of %d bytes at most",
                           INKTAG_DB_POLICY_MAX);
    }
    ret = ink_db_begin_object(db, oid, &id, &generation);
    if (ret == 0 && size) {
        ret = ink_db_exec(db, "UPDATE object SET policy = ?2 WHERE id = ?1",
                          "ib", id, policy, size);
    } else if (ret == 0) {
        ret = ink_db_exec(db, "UPDATE object SET policy = NULL WHERE id = ?1",
                          "i", id);
    }
    return ink_db_end(db, ret);
}

int inktag_db_policy_get(InkTagDb *db, const InkTagDbOid *oid, void *policy,
                         size_t room, size_t *size)
{
    sqlite3_stmt *stmt;
    const void *blob;
    size_t length;
    int ret = ink_db_usable(db);

    if (ret == 0) {
        ret = ink_db_query(db, &stmt, "SELECT policy FROM object "
                           "WHERE oid = ?1", "b", oid->b, sizeof(oid->b));
        if (ret == 0) {
            ret = no_object(db);
        }
    }
    if (ret < 0) {
        return ret;
    }
    blob = sqlite3_column_blob(stmt, 0);
    length = sqlite3_column_bytes(stmt, 0);
    ret = 0;
    if (length > room) {
        ret = ink_db_fail(db, EOVERFLOW, "has a policy of %zu bytes for the "
                          "object", length);
    } else {
        if (length) {
            memcpy(policy, blob, length);
        }
        *size = length;
    }
    sqlite3_reset(stmt);
    return ret;
}
