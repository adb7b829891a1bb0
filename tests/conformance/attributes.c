// SPDX-License-Identifier: GPL-2.0-or-later
/* attributes.c - stat and its kin, modes, owners, times. Extended attributes are in xattr.c. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include "conformance.h"

/* linux/stat.h does not go together with sys/stat.h of all libraries. */
struct statx_begin {
	unsigned int mask, blksize;
	unsigned long attributes;
	unsigned int nlink, uid, gid;
	unsigned short mode, spare;
	unsigned long ino, size, blocks, attributes_mask;
	unsigned long rest[28];
};

_Static_assert(sizeof(struct statx_begin) >= 256, "struct statx");

static struct stat st;

static int file(size_t n)
{
	return pattern_file("f", n);
}

static int stat_file(void)
{
	int fd = file(5000);
	struct stat b;

	want(!stat("f", &st) && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0644 && st.st_size == 5000);
	want(st.st_nlink == 1 && st.st_uid == geteuid() && st.st_gid == getegid() && st.st_blksize > 0 &&
	     st.st_blocks >= 8);
	want(!fstat(fd, &b) && b.st_ino == st.st_ino && b.st_dev == st.st_dev && !memcmp(&b, &st, sizeof(st)));
	return 1;
}

static int stat_kinds(void)
{
	int p[2];

	want(!stat("/dev/null", &st) && S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3);
	want(!stat("/", &st) && S_ISDIR(st.st_mode));
	want(!pipe(p) && !fstat(p[0], &st) && S_ISFIFO(st.st_mode));
	want(!symlink("none", "s") && !lstat("s", &st) && S_ISLNK(st.st_mode) && st.st_size == 4);
	return 1;
}

static int stat_errors(void)
{
	file(1);
	want(!symlink("none", "s"));
	want_error(stat("none", &st), ENOENT);
	want_error(stat("s", &st), ENOENT);
	want_error(stat("f/x", &st), ENOTDIR);
	want_error(stat("", &st), ENOENT);
	want_error(fstat(-1, &st), EBADF);
	return 1;
}

static int fstatat_flags(void)
{
	int fd = file(77);

	want(!symlink("f", "s") && !fstatat(AT_FDCWD, "s", &st, 0) && S_ISREG(st.st_mode));
	want(!fstatat(AT_FDCWD, "s", &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode));
	want(!syscall(SYS_newfstatat, fd, "", &st, 0x1000) && st.st_size == 77);
	want_error(fstatat(AT_FDCWD, "f", &st, 0x8000000), EINVAL);
	return 1;
}

static int statx_fields(void)
{
	struct statx_begin x;

	file(5000);
	memset(&x, 0xff, sizeof(x));
	want(!syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, &x) && (x.mask & 0x7ff) == 0x7ff);
	want(x.size == 5000 && x.nlink == 1 && x.mode == (S_IFREG | 0644) && x.uid == geteuid());
	want(!stat("f", &st) && st.st_ino == x.ino);
	want_error(syscall(SYS_statx, AT_FDCWD, "none", 0, 0x7ff, &x), ENOENT);
	want_error(syscall(SYS_statx, AT_FDCWD, "f", 0x8000000, 0x7ff, &x), EINVAL);
	return 1;
}

static int chmod_bits(void)
{
	int fd = file(1);

	want(!chmod("f", 07755) && !stat("f", &st) && (st.st_mode & 07777) == 07755);
	want(!fchmod(fd, 0400) && !stat("f", &st) && (st.st_mode & 07777) == 0400);
	want(!fchmodat(AT_FDCWD, "f", 0611, 0) && !stat("f", &st) && (st.st_mode & 07777) == 0611);
	want_error(chmod("none", 0600), ENOENT);
	return 1;
}

static int chown_ids(void)
{
	int fd = file(1);

	want(!chown("f", 1234, 5678) && !stat("f", &st) && st.st_uid == 1234 && st.st_gid == 5678);
	want(!chown("f", -1, 99) && !stat("f", &st) && st.st_uid == 1234 && st.st_gid == 99);
	want(!fchown(fd, 0, 0) && !stat("f", &st) && st.st_uid == 0);
	want(!symlink("f", "s") && !lchown("s", 7, 8) && !lstat("s", &st) && st.st_uid == 7 && !stat("f", &st) &&
	     !st.st_uid);
	return 1;
}

static int chown_clears_setuid(void)
{
	file(1);
	want(!chmod("f", 06755) && !chown("f", 7, 7) && !stat("f", &st) && (st.st_mode & 07777) == 0755);
	return 1;
}

static int utimensat_sets(void)
{
	struct timespec t[2] = { { 1000000, 123456789 }, { 2000000, 987654321 } };

	file(1);
	want(!utimensat(AT_FDCWD, "f", t, 0) && !stat("f", &st));
	want(st.st_atim.tv_sec == 1000000 && st.st_mtim.tv_sec == 2000000);
	want(st.st_atim.tv_nsec == 123456789 && st.st_mtim.tv_nsec == 987654321);
	return 1;
}

static int utimensat_omit_now(void)
{
	struct timespec t[2] = { { 1000000, 0 }, { 2000000, 0 } };
	int fd = file(1);

	want(!futimens(fd, t));
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	want(!utimensat(AT_FDCWD, "f", t, 0) && !stat("f", &st));
	want(st.st_atime == 1000000 && st.st_mtime > 1000000000);
	t[0].tv_nsec = 1000000000;
	want_error(utimensat(AT_FDCWD, "f", t, 0), EINVAL);
	return 1;
}

static int utimes_and_utime(void)
{
	struct timeval tv[2] = { { 3000000, 500000 }, { 4000000, 250000 } };
	struct utimbuf u = { 5000000, 6000000 };

	file(1);
	want(!utimes("f", tv) && !stat("f", &st) && st.st_atime == 3000000 && st.st_mtime == 4000000);
	want(!utime("f", &u) && !stat("f", &st) && st.st_atime == 5000000 && st.st_mtime == 6000000);
	want(!utime("f", NULL) && !stat("f", &st) && st.st_mtime > 1000000000);
	return 1;
}

static int times_move_on(void)
{
	struct timespec t[2] = { { 1000000, 0 }, { 1000000, 0 } };
	int fd = file(1);

	want(!futimens(fd, t) && pwrite(fd, "x", 1, 0) == 1 && !fstat(fd, &st) && st.st_mtime > 1000000000);
	want(!futimens(fd, t) && !ftruncate(fd, 0) && !fstat(fd, &st) && st.st_mtime > 1000000000);
	want(!mkdir("d", 0755) && !utimensat(AT_FDCWD, "d", t, 0) && !mkdir("d/e", 0755) && !stat("d", &st) &&
	     st.st_mtime > 1000000000);
	return 1;
}

static int statfs_of_here(void)
{
	struct statfs a, b;
	struct statvfs v;

	want(!statfs(".", &a) && !fstatfs(open(".", O_RDONLY), &b) && a.f_type == b.f_type && a.f_bsize == b.f_bsize);
	want(a.f_bsize >= 512 && a.f_namelen == 255 && a.f_blocks >= a.f_bavail);
	want(!statvfs(".", &v) && v.f_bsize == (unsigned long)a.f_bsize && v.f_namemax == 255);
	want(!statfs("/proc", &a) && a.f_type == 0x9fa0);
	want_error(statfs("none", &a), ENOENT);
	return 1;
}

const struct check checks[] = {
	CHECK(stat_file), CHECK(stat_kinds), CHECK(stat_errors), CHECK(fstatat_flags), CHECK(statx_fields),
	CHECK(chmod_bits), CHECK(chown_ids), CHECK(chown_clears_setuid), CHECK(utimensat_sets),
	CHECK(utimensat_omit_now), CHECK(utimes_and_utime), CHECK(times_move_on), CHECK(statfs_of_here),
	{ NULL, NULL },
};
