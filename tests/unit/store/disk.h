/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - a disk in memory as a VFS of SQLite ("disk"), which remembers what was written and synced, so that a test can
 * have it as it is after a crash at any instant; and which can fail.
 *
 * What a crash leaves of a file: what was there at its last sync, and of each write since then all, nothing or some
 * sectors. A file that was made and not synced may be gone, one that was removed may be back, unless the directory was
 * synced since: as SQLite's VFS for Unix does with the first sync of a new journal or log.
 *
 * One file may be open once at a time: the store's exclusive use needs no more. There is no shared memory (xShm), so a
 * database in WAL mode that is not used exclusively does not open here.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DISK_VFS	"disk"
#define DISK_FILES	6
#define DISK_SECTOR	512

enum disk_op { DISK_CREATE, DISK_WRITE, DISK_TRUNCATE, DISK_SYNC, DISK_SYNC_DIRECTORY, DISK_DELETE, DISK_MARK };

struct disk_file {
	char *name;		/* NULL: free */
	GByteArray *data;
};

struct disk_entry {
	enum disk_op op;
	char *name;
	uint64_t offset;	/* MARK: the number */
	GByteArray *data;	/* WRITE */
	bool durable;		/* DELETE: with its directory's sync */
};

enum disk_fault { DISK_FULL, DISK_EIO };

struct disk {
	struct disk_file files[DISK_FILES];
	GPtrArray *log;			/* of struct disk_entry; NULL: none is kept */
	/* The call number fail_at fails, and those after it, fail_times in all; 0: none. Writes alone for FULL. */
	enum disk_fault fault;
	uint64_t calls, fail_at, fail_times;
	uint64_t failed;		/* how many did */
	bool read_only;
};

extern struct disk disk;

void disk_register(void);
void disk_clear(void);
void disk_free(struct disk *d);
void disk_copy(struct disk *to, const struct disk *from);

/* The log begins: *base is the disk as it is now. */
void disk_log_begin(struct disk *base);
void disk_log_mark(uint64_t number);
GPtrArray *disk_log_end(void);

/* What of the unsynced is kept. */
enum disk_keep { DISK_KEEP_ALL, DISK_KEEP_NONE, DISK_KEEP_SOME };

/* The disk becomes what a crash after the first `prefix` entries leaves. */
void disk_crash(const struct disk *base, GPtrArray *log, size_t prefix, enum disk_keep keep, GRand *rand);

void disk_fail(enum disk_fault fault, uint64_t at, uint64_t times);

/* The bytes of a file, or NULL. */
GByteArray *disk_data(const char *name);

#endif
