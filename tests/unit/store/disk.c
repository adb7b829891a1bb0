// SPDX-License-Identifier: GPL-2.0-or-later
/* disk.c - see disk.h */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include "disk.h"

struct disk disk;

struct open_file {
	sqlite3_file base;
	struct disk_file *file;
	bool delete_on_close;
	bool sync_directory;	/* at the next sync */
};

static struct disk_file *find_in(struct disk *d, const char *name)
{
	for (int i = 0; i < DISK_FILES; i++)
		if (d->files[i].name && !strcmp(d->files[i].name, name))
			return &d->files[i];
	return NULL;
}

static struct disk_file *make_in(struct disk *d, const char *name)
{
	for (int i = 0; i < DISK_FILES; i++) {
		if (d->files[i].name)
			continue;
		d->files[i].name = g_strdup(name);
		d->files[i].data = g_byte_array_new();
		return &d->files[i];
	}
	g_error("the disk has too many files");
}

static void remove_file(struct disk_file *f)
{
	g_free(f->name);
	g_byte_array_unref(f->data);
	memset(f, 0, sizeof(*f));
}

void disk_free(struct disk *d)
{
	for (int i = 0; i < DISK_FILES; i++)
		if (d->files[i].name)
			remove_file(&d->files[i]);
}

void disk_clear(void)
{
	disk_free(&disk);
	g_clear_pointer(&disk.log, g_ptr_array_unref);
	memset(&disk, 0, sizeof(disk));
}

static GByteArray *copy_of(const GByteArray *data)
{
	return g_byte_array_append(g_byte_array_new(), data->data, data->len);
}

void disk_copy(struct disk *to, const struct disk *from)
{
	disk_free(to);
	memset(to, 0, sizeof(*to));
	for (int i = 0; i < DISK_FILES; i++) {
		if (!from->files[i].name)
			continue;
		to->files[i].name = g_strdup(from->files[i].name);
		to->files[i].data = copy_of(from->files[i].data);
	}
}

GByteArray *disk_data(const char *name)
{
	struct disk_file *f = find_in(&disk, name);

	return f ? f->data : NULL;
}

static void resize(GByteArray *data, size_t size)
{
	size_t old = data->len;

	g_byte_array_set_size(data, size);
	if (size > old)
		memset(data->data + old, 0, size - old);
}

static void write_at(GByteArray *data, uint64_t offset, const uint8_t *bytes, size_t size)
{
	if (offset + size > data->len)
		resize(data, offset + size);
	memcpy(data->data + offset, bytes, size);
}

/* --- the log --------------------------------------------------------------------------------- */

static void free_entry(void *p)
{
	struct disk_entry *e = p;

	g_free(e->name);
	if (e->data)
		g_byte_array_unref(e->data);
	g_free(e);
}

void disk_log_begin(struct disk *base)
{
	disk_copy(base, &disk);
	disk.log = g_ptr_array_new_with_free_func(free_entry);
}

GPtrArray *disk_log_end(void)
{
	return g_steal_pointer(&disk.log);
}

static struct disk_entry *log_entry(enum disk_op op, const char *name, uint64_t offset)
{
	struct disk_entry *e;

	if (!disk.log)
		return NULL;
	e = g_new0(struct disk_entry, 1);
	e->op = op;
	e->name = g_strdup(name);
	e->offset = offset;
	g_ptr_array_add(disk.log, e);
	return e;
}

void disk_log_mark(uint64_t number)
{
	log_entry(DISK_MARK, NULL, number);
}

static bool keeps(enum disk_keep keep, GRand *rand)
{
	return keep == DISK_KEEP_ALL || (keep == DISK_KEEP_SOME && g_rand_boolean(rand));
}

static void apply(struct disk_file *f, const struct disk_entry *e, enum disk_keep keep, GRand *rand)
{
	if (e->op == DISK_TRUNCATE && keeps(keep, rand))
		resize(f->data, e->offset);
	if (e->op != DISK_WRITE || keep == DISK_KEEP_NONE)
		return;
	/* Each third write that is not kept whole is torn. */
	if (keep == DISK_KEEP_ALL || g_rand_int_range(rand, 0, 3)) {
		if (keeps(keep, rand))
			write_at(f->data, e->offset, e->data->data, e->data->len);
		return;
	}
	for (size_t at = 0; at < e->data->len; at += DISK_SECTOR)
		if (g_rand_boolean(rand))
			write_at(f->data, e->offset + at, e->data->data + at, MIN(DISK_SECTOR, e->data->len - at));
}

/* Was there a sync in (at, prefix), or has the file gone for good, or come anew? */
static bool settled_later(GPtrArray *log, size_t at, size_t prefix)
{
	const struct disk_entry *it = log->pdata[at];

	for (size_t i = at + 1; i < prefix; i++) {
		const struct disk_entry *e = log->pdata[i];

		if (e->op == DISK_SYNC_DIRECTORY && (it->op == DISK_CREATE || it->op == DISK_DELETE))
			return true;
		if (e->name && !strcmp(e->name, it->name) &&
		    (e->op == DISK_SYNC || e->op == DISK_DELETE || e->op == DISK_CREATE))
			return true;
	}
	return false;
}

void disk_crash(const struct disk *base, GPtrArray *log, size_t prefix, enum disk_keep keep, GRand *rand)
{
	disk_copy(&disk, base);
	for (size_t i = 0; i < prefix; i++) {
		const struct disk_entry *e = log->pdata[i];
		struct disk_file *f;
		enum disk_keep now;

		if (e->op == DISK_MARK || e->op == DISK_SYNC || e->op == DISK_SYNC_DIRECTORY)
			continue;
		now = e->durable || settled_later(log, i, prefix) ? DISK_KEEP_ALL : keep;
		f = find_in(&disk, e->name);
		if (e->op == DISK_CREATE && !f && keeps(now, rand))
			make_in(&disk, e->name);
		else if (e->op == DISK_DELETE && f && keeps(now, rand))
			remove_file(f);
		else if (f)
			apply(f, e, now, rand);
	}
}

/* --- faults ---------------------------------------------------------------------------------- */

void disk_fail(enum disk_fault fault, uint64_t at, uint64_t times)
{
	disk.fault = fault;
	disk.calls = disk.failed = 0;
	disk.fail_at = at;
	disk.fail_times = times;
}

static bool fails(bool write)
{
	if (!disk.fail_at || (disk.fault == DISK_FULL && !write))
		return false;
	disk.calls++;
	if (disk.calls < disk.fail_at || disk.calls - disk.fail_at >= disk.fail_times)
		return false;
	disk.failed++;
	return true;
}

/* --- the file -------------------------------------------------------------------------------- */

#define FILE_OF(f)	(((struct open_file *)(f))->file)

static int disk_close(sqlite3_file *f)
{
	if (((struct open_file *)f)->delete_on_close)
		remove_file(FILE_OF(f));
	return SQLITE_OK;
}

static int disk_read(sqlite3_file *f, void *to, int size, sqlite3_int64 offset)
{
	GByteArray *data = FILE_OF(f)->data;
	int there = offset < data->len ? MIN(size, (int)(data->len - offset)) : 0;

	if (fails(false))
		return SQLITE_IOERR_READ;
	if (there)
		memcpy(to, data->data + offset, there);
	memset((uint8_t *)to + there, 0, size - there);
	return there == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *f, const void *from, int size, sqlite3_int64 offset)
{
	struct disk_entry *e;
	int done = size;
	bool failed = fails(true);

	/* A disk that fills up takes a part. */
	if (failed)
		done = disk.fault == DISK_FULL ? size / 2 : 0;
	if (done) {
		write_at(FILE_OF(f)->data, offset, from, done);
		e = log_entry(DISK_WRITE, FILE_OF(f)->name, offset);
		if (e)
			e->data = g_byte_array_append(g_byte_array_new(), from, done);
	}
	if (!failed)
		return SQLITE_OK;
	return disk.fault == DISK_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int disk_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (fails(false))
		return SQLITE_IOERR_TRUNCATE;
	resize(FILE_OF(f)->data, size);
	log_entry(DISK_TRUNCATE, FILE_OF(f)->name, size);
	return SQLITE_OK;
}

/* One that fails may have done its work, or not: the log has none, and what was written since is open. */
static int disk_sync(sqlite3_file *f, int flags)
{
	(void)flags;
	if (fails(false))
		return SQLITE_IOERR_FSYNC;
	log_entry(DISK_SYNC, FILE_OF(f)->name, 0);
	if (((struct open_file *)f)->sync_directory) {
		log_entry(DISK_SYNC_DIRECTORY, NULL, 0);
		((struct open_file *)f)->sync_directory = false;
	}
	return SQLITE_OK;
}

static int disk_size(sqlite3_file *f, sqlite3_int64 *size)
{
	*size = FILE_OF(f)->data->len;
	return SQLITE_OK;
}

static int disk_lock(sqlite3_file *f, int lock)
{
	(void)f, (void)lock;
	return SQLITE_OK;
}

static int disk_reserved(sqlite3_file *f, int *reserved)
{
	(void)f;
	*reserved = 0;
	return SQLITE_OK;
}

static int disk_control(sqlite3_file *f, int op, void *arg)
{
	(void)f, (void)op, (void)arg;
	return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *f)
{
	(void)f;
	return DISK_SECTOR;
}

/* As SQLite takes any disk of today: a write that is cut short does not harm the bytes beside it. */
static int disk_characteristics(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = disk_close,
	.xRead = disk_read,
	.xWrite = disk_write,
	.xTruncate = disk_truncate,
	.xSync = disk_sync,
	.xFileSize = disk_size,
	.xLock = disk_lock,
	.xUnlock = disk_lock,
	.xCheckReservedLock = disk_reserved,
	.xFileControl = disk_control,
	.xSectorSize = disk_sector,
	.xDeviceCharacteristics = disk_characteristics,
};

/* --- the VFS --------------------------------------------------------------------------------- */

static int last_error;

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct open_file *o = (struct open_file *)f;
	static unsigned int temporary;
	char unnamed[32];

	(void)vfs;
	o->base.pMethods = NULL;
	if (fails(false)) {
		last_error = EIO;
		return SQLITE_CANTOPEN;
	}
	if (!name) {
		g_snprintf(unnamed, sizeof(unnamed), "temporary %u", temporary++);
		name = unnamed;
	}
	o->file = find_in(&disk, name);
	if (!o->file && !(flags & SQLITE_OPEN_CREATE)) {
		last_error = ENOENT;
		return SQLITE_CANTOPEN;
	}
	if (!o->file) {
		o->file = make_in(&disk, name);
		log_entry(DISK_CREATE, name, 0);
	}
	o->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	o->sync_directory = flags & SQLITE_OPEN_CREATE && flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL);
	o->base.pMethods = &methods;
	if (disk.read_only)
		flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct disk_file *f = find_in(&disk, name);
	struct disk_entry *e;

	(void)vfs;
	if (fails(false))
		return SQLITE_IOERR_DELETE;
	if (!f)
		return SQLITE_IOERR_DELETE_NOENT;
	remove_file(f);
	e = log_entry(DISK_DELETE, name, 0);
	if (e)
		e->durable = sync;
	return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
	(void)vfs, (void)flags;
	if (fails(false))
		return SQLITE_IOERR_ACCESS;
	*result = find_in(&disk, name) != NULL;
	return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *name, int room, char *to)
{
	(void)vfs;
	g_strlcpy(to, name, room);
	return SQLITE_OK;
}

static int disk_error(sqlite3_vfs *vfs, int room, char *to)
{
	(void)vfs, (void)room, (void)to;
	return last_error;
}

void disk_register(void)
{
	static sqlite3_vfs vfs;

	vfs = *sqlite3_vfs_find("unix");
	vfs.iVersion = 1;
	vfs.pNext = NULL;
	vfs.zName = DISK_VFS;
	vfs.szOsFile = sizeof(struct open_file);
	vfs.xOpen = disk_open;
	vfs.xDelete = disk_delete;
	vfs.xAccess = disk_access;
	vfs.xFullPathname = disk_full_path;
	vfs.xGetLastError = disk_error;
	sqlite3_vfs_register(&vfs, 0);
}
