// SPDX-License-Identifier: GPL-2.0-or-later
/* shared.c - shared mappings, memfd, POSIX and System V shared memory, as one process sees them. Two: ipc.c. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "conformance.h"

#ifndef F_ADD_SEALS
#define F_ADD_SEALS	1033
#define F_GET_SEALS	1034
#define F_SEAL_SHRINK	2
#define F_SEAL_GROW	4
#define F_SEAL_WRITE	8
#endif

#define RW	(PROT_READ | PROT_WRITE)

static char *shared(size_t pages, int fd)
{
	return mmap(NULL, pages * PAGE, RW, fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
}

static int memfd(const char *name, unsigned int flags)
{
	return syscall(SYS_memfd_create, name, flags);
}

static int anonymous(void)
{
	char *p = shared(4, -1);

	want(p != MAP_FAILED && !p[0] && !p[4 * PAGE - 1]);
	fill_pattern(p, 4 * PAGE, 0);
	want(!mprotect(p, PAGE, PROT_READ) && is_pattern(p, 4 * PAGE, 0) && !munmap(p, 4 * PAGE));
	return 1;
}

static int two_views_of_a_file(void)
{
	int fd = pattern_file("f", 2 * PAGE);
	char *a = shared(2, fd), *b = shared(2, fd);

	want(a != MAP_FAILED && b != MAP_FAILED && a != b && is_pattern(a, 2 * PAGE, 0));
	a[5] = 77;
	want(b[5] == 77);
	b[PAGE + 5] = 78;
	want(a[PAGE + 5] == 78 && !munmap(a, 2 * PAGE) && b[5] == 77 && !munmap(b, 2 * PAGE));
	return 1;
}

static int writes_reach_the_file(void)
{
	int fd = pattern_file("f", 2 * PAGE);
	char *p = shared(2, fd), got[10];

	memcpy(p + 100, "hello", 5);
	want(!msync(p, 2 * PAGE, MS_SYNC) && pread(fd, got, 5, 100) == 5 && !memcmp(got, "hello", 5));
	memcpy(p + 200, "again", 5);
	want(!munmap(p, 2 * PAGE) && pread(fd, got, 5, 200) == 5 && !memcmp(got, "again", 5));
	return 1;
}

static int writes_are_seen_at_once(void)
{
	int fd = pattern_file("f", PAGE);
	char *p = shared(1, fd), c;

	p[7] = 99;
	want(pread(fd, &c, 1, 7) == 1 && c == 99);
	c = 98;
	want(pwrite(fd, &c, 1, 8) == 1 && p[8] == 98 && !munmap(p, PAGE));
	return 1;
}

static int file_modes(void)
{
	int fd = pattern_file("f", PAGE), in = open("f", O_RDONLY);
	char *p;

	want(fd >= 0);
	want_error(mmap(NULL, PAGE, RW, MAP_SHARED, in, 0), EACCES);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, in, 0);
	want(p != MAP_FAILED && is_pattern(p, PAGE, 0));
	want_error(mprotect(p, PAGE, RW), EACCES);
	want(!munmap(p, PAGE));
	return 1;
}

static int sync_errors(void)
{
	char *p = shared(1, -1);

	want_error(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	want_error(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	want(!msync(p, PAGE, MS_ASYNC) && !munmap(p, PAGE));
	want_error(msync(p, PAGE, MS_SYNC), ENOMEM);
	return 1;
}

static int memfd_maps(void)
{
	int fd = memfd("name", 1);	/* MFD_CLOEXEC */
	char *a, *b, c;

	want(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && !ftruncate(fd, 3 * PAGE));
	a = shared(3, fd);
	b = shared(3, fd);
	want(a != MAP_FAILED && b != MAP_FAILED && !a[0]);
	fill_pattern(a, 3 * PAGE, 0);
	want(is_pattern(b, 3 * PAGE, 0) && pread(fd, &c, 1, 5) == 1 && is_pattern(&c, 1, 5));
	want(!close(fd) && !munmap(a, 3 * PAGE) && is_pattern(b, 3 * PAGE, 0) && !munmap(b, 3 * PAGE));
	return 1;
}

static int memfd_private(void)
{
	int fd = memfd("name", 0);
	char *a, *b;

	want(!ftruncate(fd, PAGE));
	a = shared(1, fd);
	a[0] = 1;
	b = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	want(b[0] == 1);
	b[0] = 2;
	want(a[0] == 1 && !munmap(a, PAGE) && !munmap(b, PAGE));
	return 1;
}

static int memfd_seals(void)
{
	int fd = memfd("name", 2);	/* MFD_ALLOW_SEALING */

	want(!ftruncate(fd, PAGE) && fcntl(fd, F_GET_SEALS) == 0 &&
	     !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	want_error(ftruncate(fd, 10), EPERM);
	want_error(ftruncate(fd, 2 * PAGE), EPERM);
	want(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) && fcntl(fd, F_GET_SEALS) == 14);
	want_error(write(fd, "x", 1), EPERM);
	want_error(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	want_error(memfd("name", 0x12340), EINVAL);
	return 1;
}

static int remap_shared(void)
{
	int fd = memfd("name", 0);
	char *a, *b;

	want(!ftruncate(fd, 8 * PAGE));
	a = shared(8, fd);
	fill_pattern(a, 8 * PAGE, 0);
	want(!munmap(a + 2 * PAGE, 6 * PAGE));
	b = mremap(a, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	want(b != MAP_FAILED && is_pattern(b, 8 * PAGE, 0) && !munmap(b, 8 * PAGE));
	return 1;
}

static int dontneed_keeps_shared(void)
{
	char *p = shared(2, -1);

	fill_pattern(p, 2 * PAGE, 0);
	want(!madvise(p, 2 * PAGE, MADV_DONTNEED) && is_pattern(p, 2 * PAGE, 0) && !munmap(p, 2 * PAGE));
	return 1;
}

static int posix_names(void)
{
	char *p, *q;
	struct stat st;
	int fd, same;

	shm_unlink("/conformance");
	fd = shm_open("/conformance", O_RDWR | O_CREAT | O_EXCL, 0600);
	want(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && !ftruncate(fd, 2 * PAGE));
	want_error(shm_open("/conformance", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	want((same = shm_open("/conformance", O_RDWR, 0)) >= 0 && !fstat(same, &st) && st.st_size == 2 * PAGE);
	p = shared(2, fd);
	q = shared(2, same);
	p[PAGE] = 5;
	want(q[PAGE] == 5 && !shm_unlink("/conformance"));
	want_error(shm_open("/conformance", O_RDWR, 0), ENOENT);
	want_error(shm_unlink("/conformance"), ENOENT);
	q[1] = 6;
	want(p[1] == 6 && !munmap(p, 2 * PAGE) && !munmap(q, 2 * PAGE));
	return 1;
}

static int sysv_attach(void)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE + 10, IPC_CREAT | 0600);
	struct shmid_ds d;
	char *p, *q;

	want(id >= 0 && (p = shmat(id, NULL, 0)) != (void *)-1 && !p[0] && (q = shmat(id, NULL, 0)) != (void *)-1 &&
	     p != q);
	p[2 * PAGE] = 7;
	want(q[2 * PAGE] == 7 && !shmctl(id, IPC_STAT, &d) && d.shm_nattch == 2 && d.shm_segsz == 2 * PAGE + 10);
	want(d.shm_cpid == getpid() && d.shm_lpid == getpid() && !shmdt(p) && !shmctl(id, IPC_STAT, &d) &&
	     d.shm_nattch == 1);
	want(!shmctl(id, IPC_RMID, NULL) && q[2 * PAGE] == 7 && !shmdt(q));
	want_error(shmat(id, NULL, 0), EINVAL);
	return 1;
}

static int sysv_read_only(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	char *p, *q;

	want((p = shmat(id, NULL, 0)) != (void *)-1 && (q = shmat(id, NULL, SHM_RDONLY)) != (void *)-1);
	p[3] = 3;
	want(q[3] == 3 && !shmdt(p) && !shmdt(q) && !shmctl(id, IPC_RMID, NULL));
	return 1;
}

static int sysv_keys(void)
{
	key_t key = 0x494e4b54;
	int id = shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600);

	want(id >= 0 && shmget(key, PAGE, 0) == id && shmget(key, 0, 0) == id);
	want_error(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	want_error(shmget(key, 10 * PAGE, 0), EINVAL);
	want(!shmctl(id, IPC_RMID, NULL));
	want_error(shmget(key, PAGE, 0), ENOENT);
	want_error(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	want_error(shmdt((void *)&key), EINVAL);
	return 1;
}

static int sysv_at_an_address(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	char *at = shared(4, -1);

	want(!munmap(at, 4 * PAGE) && shmat(id, at, 0) == at && !shmdt(at) && shmat(id, at + 100, SHM_RND) == at);
	want(!shmdt(at));
	want_error(shmat(id, at + 100, 0), EINVAL);
	want(!shmctl(id, IPC_RMID, NULL));
	return 1;
}

const struct check checks[] = {
	CHECK(anonymous), CHECK(two_views_of_a_file), CHECK(writes_reach_the_file),
	CHECK(writes_are_seen_at_once), CHECK(file_modes), CHECK(sync_errors), CHECK(memfd_maps),
	CHECK(memfd_private), CHECK(memfd_seals), CHECK(remap_shared), CHECK(dontneed_keeps_shared),
	CHECK(posix_names), CHECK(sysv_attach), CHECK(sysv_read_only), CHECK(sysv_keys),
	CHECK(sysv_at_an_address),
	{ NULL, NULL },
};
