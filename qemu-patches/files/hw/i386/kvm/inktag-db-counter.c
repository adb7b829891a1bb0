/*
 * InkTag metadata store: the counter against older copies of the store
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "inktag-db-int.h"

static const char magic[8] = "InkTagCt";

typedef struct Slot {
    char magic[8];
    uint8_t uuid[INKTAG_DB_UUID_SIZE];
    uint64_t value;             /* little endian */
    uint8_t digest[32];
} Slot;

#define SLOT_BYTES      512
#define SLOT_DISTANCE   4096
#define SLOTS           2

_Static_assert(sizeof(Slot) == 64, "a slot has no padding");

static bool digest_slot(const Slot *slot, uint8_t digest[32])
{
    return ink_db_sha256(slot, offsetof(Slot, digest), digest);
}

static int fail(InkTagDb *db, int error)
{
    return ink_db_fail(db, error, "cannot use its counter file '%.128s': %s",
                       db->counter_path, strerror(error));
}

static int write_slot(InkTagDb *db, int which, uint64_t value)
{
    char sector[SLOT_BYTES] = { 0 };
    Slot slot = { .value = htole64(value) };
    ssize_t ret;

    memcpy(slot.magic, magic, sizeof(magic));
    memcpy(slot.uuid, db->uuid, sizeof(slot.uuid));
    if (!digest_slot(&slot, slot.digest)) {
        return fail(db, EIO);
    }
    memcpy(sector, &slot, sizeof(slot));
    ret = pwrite(db->counter_fd, sector, sizeof(sector), which * SLOT_DISTANCE);
    if (ret != sizeof(sector)) {
        return fail(db, ret < 0 ? errno : ENOSPC);
    }
    return fdatasync(db->counter_fd) < 0 ? fail(db, errno) : 0;
}

/* The slot to be written next. EUCLEAN: no slot is whole. */
static int read_slots(InkTagDb *db, uint64_t *value, int *next)
{
    bool any = false;

    *next = 0;
    for (int i = 0; i < SLOTS; i++) {
        uint8_t digest[32];
        Slot slot;
        ssize_t ret = pread(db->counter_fd, &slot, sizeof(slot),
                            i * SLOT_DISTANCE);

        if (ret < 0) {
            return fail(db, errno);
        }
        if (ret != sizeof(slot) || memcmp(slot.magic, magic, sizeof(magic)) ||
            !digest_slot(&slot, digest) ||
            memcmp(slot.digest, digest, sizeof(digest))) {
            continue;
        }
        if (memcmp(slot.uuid, db->uuid, sizeof(slot.uuid)) != 0) {
            return ink_db_fail(db, EUCLEAN, "has another store's counter file "
                               "'%.128s'", db->counter_path);
        }
        if (!any || le64toh(slot.value) > *value) {
            any = true;
            *value = le64toh(slot.value);
            *next = 1 - i;
        }
    }
    if (!any) {
        return ink_db_fail(db, EUCLEAN, "has a counter file '%.128s' that is "
                           "none, or damaged", db->counter_path);
    }
    return 0;
}

/* In db, so that it is closed with it. */
static int open_counter(InkTagDb *db, const char *path, int flags)
{
    db->counter_path = strdup(path);
    if (!db->counter_path) {
        return ink_db_fail(db, ENOMEM, "needs more memory than there is");
    }
    db->counter_fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    return db->counter_fd < 0 ? fail(db, errno) : 0;
}

static int fill(InkTagDb *db, const char *path)
{
    int ret = 0;

    for (int i = 0; ret == 0 && i < SLOTS; i++) {
        ret = write_slot(db, i, db->generation);
    }
    if (ret == 0) {
        ret = ink_db_sync_directory(path);
        ret = ret < 0 ? fail(db, -ret) : 0;
    }
    return ret;
}

int ink_db_counter_create(InkTagDb *db, const char *path)
{
    int ret = open_counter(db, path, O_RDWR | O_CREAT | O_EXCL);

    if (ret < 0) {
        return ret;
    }
    ret = fill(db, path);
    if (ret < 0) {
        unlink(path);
    }
    return ret;
}

int ink_db_counter_open(InkTagDb *db, const char *path)
{
    uint64_t value;
    int next, ret;

    ret = open_counter(db, path, db->read_only ? O_RDONLY : O_RDWR);
    if (ret == 0) {
        ret = read_slots(db, &value, &next);
    }
    if (ret < 0) {
        return ret;
    }
    if (db->generation < value) {
        return ink_db_fail(db, ESTALE, "is an older copy: its generation is "
                           "%llu, and its counter says %llu",
                           (unsigned long long)db->generation,
                           (unsigned long long)value);
    }
    /* A crash came between the transaction and the counter. */
    if (db->generation > value && !db->read_only) {
        ret = write_slot(db, next, db->generation);
    }
    return ret;
}

/*
 * After a commit. Where it fails, the transaction is durable, but an older copy
 * could pass for the newest: so nothing more is done with this store until the
 * counter can be written again.
 */
int ink_db_counter_raise(InkTagDb *db)
{
    uint64_t value;
    int next, ret;

    ret = read_slots(db, &value, &next);
    if (ret == 0) {
        ret = write_slot(db, next, db->generation);
    }
    if (ret < 0) {
        db->failed = EIO;
        ret = -EIO;
    }
    return ret;
}

int inktag_db_counter_accept(InkTagDb *db, const char *counter)
{
    int ret = ink_db_usable(db);

    if (ret < 0) {
        return ret;
    }
    if (db->counter_fd >= 0) {
        return ink_db_fail(db, EINVAL, "was opened with a counter");
    }
    ret = open_counter(db, counter, O_RDWR | O_CREAT);
    return ret < 0 ? ret : fill(db, counter);
}
