// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record.c - preloaded into QEMU: writes to a log (log.h) what it does to some files. So the VM's disk and the metadata
 * store are seen at one place, in one order, as their host's kernel sees them.
 *
 *	INKTAG_RECORD=FILE	the log
 *	INKTAG_RECORD_FILES=A:B	the files. They need not be there yet
 *
 * A call that fails, or does less than it should, ends the process: what is on the disk then, nobody knows.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "log.h"

#define MAX_FILES	8
#define MAX_PIECES	1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* the log, last_id */
static uint64_t last_id;
static int log_fd = -1;
static char *names[MAX_FILES];
static int nr_names;

static void die(const char *what)
{
	fprintf(stderr, "record: %s: %m\n", what);
	abort();
}

__attribute__((constructor)) static void begin(void)
{
	const char *to = getenv("INKTAG_RECORD");
	char *files = getenv("INKTAG_RECORD_FILES"), *name;

	if (!to || !files)
		return;
	files = strdup(files);
	for (name = strtok(files, ":"); name && nr_names < MAX_FILES; name = strtok(NULL, ":"))
		names[nr_names++] = name;
	log_fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		die(to);
}

/* -1: it is none of ours. */
static int file_of(int fd)
{
	struct stat is, st;
	int i;

	if (log_fd < 0 || syscall(SYS_fstat, fd, &is) || !S_ISREG(is.st_mode))
		return -1;
	for (i = 0; i < nr_names; i++)
		if (!stat(names[i], &st) && st.st_ino == is.st_ino && st.st_dev == is.st_dev)
			return i;
	return -1;
}

static void append(struct record *r, const struct iovec *iov, int count)
{
	struct iovec all[MAX_PIECES + 1] = { { r, sizeof(*r) } };
	size_t size = sizeof(*r);
	int i;

	if (count > MAX_PIECES)
		die("a write has too many pieces");
	for (i = 0; i < count; i++) {
		all[i + 1] = iov[i];
		size += iov[i].iov_len;
	}
	if (syscall(SYS_writev, log_fd, all, count + 1) != (long)size)
		die("the log");
}

static uint64_t started(int file, enum record_kind kind, uint64_t at, uint64_t length, const struct iovec *iov, int count)
{
	struct record r = { .magic = RECORD_MAGIC, .kind = kind, .file = file, .at = at, .length = length };

	pthread_mutex_lock(&lock);
	r.id = ++last_id;
	append(&r, iov, count);
	pthread_mutex_unlock(&lock);
	return r.id;
}

static void done(int file, uint64_t id, int well)
{
	struct record r = { .magic = RECORD_MAGIC, .kind = RECORD_DONE, .file = file, .id = id };

	if (!well)
		die(names[file]);
	pthread_mutex_lock(&lock);
	append(&r, NULL, 0);
	pthread_mutex_unlock(&lock);
}

static ssize_t write_at(int fd, const struct iovec *iov, int count, off_t at)
{
	int file = file_of(fd), i;
	uint64_t id = 0;
	size_t size = 0;
	ssize_t did;

	for (i = 0; i < count; i++)
		size += iov[i].iov_len;
	if (file >= 0)
		id = started(file, RECORD_WRITE, at, size, iov, count);
	did = syscall(SYS_pwritev, fd, iov, count, at, 0);
	if (file >= 0)
		done(file, id, did == (ssize_t)size);
	return did;
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t at)
{
	return write_at(fd, iov, count, at);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	return write_at(fd, iov, count, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t size, off64_t at)
{
	return write_at(fd, &(struct iovec){ (void *)buf, size }, 1, at);
}

ssize_t pwrite(int fd, const void *buf, size_t size, off_t at)
{
	return write_at(fd, &(struct iovec){ (void *)buf, size }, 1, at);
}

/* Nobody writes to the files from where they are. */
ssize_t write(int fd, const void *buf, size_t size)
{
	if (file_of(fd) >= 0)
		die("write() to a file that is recorded");
	return syscall(SYS_write, fd, buf, size);
}

/* A call that has no data; its result. */
static int simple(int fd, enum record_kind kind, uint64_t at, uint64_t length, long number, long a, long b, long c)
{
	int file = file_of(fd), r;
	uint64_t id = 0;

	if (file >= 0)
		id = started(file, kind, at, length, NULL, 0);
	r = syscall(number, fd, a, b, c);
	if (file >= 0)
		done(file, id, !r);
	return r;
}

int fsync(int fd)
{
	return simple(fd, RECORD_SYNC, 0, 0, SYS_fsync, 0, 0, 0);
}

int fdatasync(int fd)
{
	return simple(fd, RECORD_SYNC, 0, 0, SYS_fdatasync, 0, 0, 0);
}

int ftruncate64(int fd, off64_t length)
{
	return simple(fd, RECORD_CUT, 0, length, SYS_ftruncate, length, 0, 0);
}

int ftruncate(int fd, off_t length)
{
	return simple(fd, RECORD_CUT, 0, length, SYS_ftruncate, length, 0, 0);
}

int fallocate64(int fd, int mode, off64_t at, off64_t length)
{
	int file = file_of(fd), r;
	uint64_t id;

	if (file < 0)
		return syscall(SYS_fallocate, fd, mode, at, length);
	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		die("a kind of fallocate() that is not known");
	/* Where a file system cannot do that, QEMU writes the zeros: as allowed as if it could. */
	id = started(file, RECORD_ZERO, at, length, NULL, 0);
	r = syscall(SYS_fallocate, fd, mode, at, length);
	done(file, id, 1);
	return r;
}

int fallocate(int fd, int mode, off_t at, off_t length)
{
	return fallocate64(fd, mode, at, length);
}
