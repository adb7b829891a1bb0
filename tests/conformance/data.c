// SPDX-License-Identifier: GPL-2.0-or-later
/* data.c - reading, writing and the length of files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "conformance.h"

/* More than one piece of the shim's, and no multiple of anything. */
#define BIG	1300021

/* Headers older than the kernel lack these. */
#ifndef SEEK_DATA
#define SEEK_DATA	3
#define SEEK_HOLE	4
#endif

static char big[BIG], small[256];

static long size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

static int new_file(void)
{
	return open("f", O_RDWR | O_CREAT | O_EXCL, 0644);
}

static int write_read(void)
{
	int fd = new_file();

	want(write(fd, "hello", 5) == 5);
	want(read(fd, small, 10) == 0);
	want(lseek(fd, 0, SEEK_SET) == 0);
	want(read(fd, small, 10) == 5 && !memcmp(small, "hello", 5));
	want(read(fd, small, 10) == 0);
	return 1;
}

static int big_write_read(void)
{
	int fd = new_file();

	fill_pattern(big, BIG, 0);
	want(write(fd, big, BIG) == BIG && size_of(fd) == BIG);
	memset(big, 0, BIG);
	want(pread(fd, big, BIG, 0) == BIG && is_pattern(big, BIG, 0));
	return 1;
}

static int big_unaligned_read(void)
{
	int fd = pattern_file("f", BIG);

	memset(big, 0, 80000);
	want(pread(fd, big + 3, 70001, 4097) == 70001);
	want(is_pattern(big + 3, 70001, 4097) && big[2] == 0 && big[3 + 70001] == 0);
	return 1;
}

static int pread_does_not_move(void)
{
	int fd = pattern_file("f", 1000);

	want(pread(fd, small, 100, 500) == 100 && is_pattern(small, 100, 500));
	want(lseek(fd, 0, SEEK_CUR) == 0);
	want(pread(fd, small, 100, 950) == 50);
	want(pread(fd, small, 100, 1000) == 0);
	return 1;
}

static int pwrite_does_not_move(void)
{
	int fd = pattern_file("f", 1000);

	want(pwrite(fd, "hello", 5, 500) == 5 && lseek(fd, 0, SEEK_CUR) == 0);
	want(pread(fd, small, 7, 499) == 7 && !memcmp(small + 1, "hello", 5));
	want(is_pattern(small, 1, 499) && is_pattern(small + 6, 1, 505) && size_of(fd) == 1000);
	return 1;
}

static int pwrite_beyond_end(void)
{
	int fd = pattern_file("f", 10);

	want(pwrite(fd, "x", 1, 100) == 1 && size_of(fd) == 101);
	want(pread(fd, small, 200, 0) == 101 && !small[10] && !small[99] && small[100] == 'x');
	return 1;
}

static int negative_offsets(void)
{
	int fd = pattern_file("f", 10);

	want_error(pread(fd, small, 1, -1), EINVAL);
	want_error(pwrite(fd, small, 1, -1), EINVAL);
	want_error(lseek(fd, -1, SEEK_SET), EINVAL);
	want_error(lseek(fd, -11, SEEK_END), EINVAL);
	return 1;
}

static int lseek_whences(void)
{
	int fd = pattern_file("f", 1000);

	want(lseek(fd, 100, SEEK_SET) == 100);
	want(lseek(fd, 50, SEEK_CUR) == 150);
	want(lseek(fd, -10, SEEK_END) == 990);
	want(lseek(fd, 5000, SEEK_SET) == 5000 && size_of(fd) == 1000);
	want(read(fd, small, 1) == 0);
	want_error(lseek(fd, 0, 77), EINVAL);
	return 1;
}

static int lseek_beyond_4g(void)
{
	int fd = new_file();

	want(lseek(fd, 5L << 30, SEEK_SET) == 5L << 30);
	want(write(fd, "x", 1) == 1 && size_of(fd) == (5L << 30) + 1);
	want(pread(fd, small, 2, 5L << 30) == 1 && small[0] == 'x');
	return 1;
}

static int holes(void)
{
	int fd = new_file();

	want(pwrite(fd, "x", 1, 1 << 20) == 1);
	want(lseek(fd, 0, SEEK_DATA) == 1 << 20);
	want(lseek(fd, 0, SEEK_HOLE) == 0);
	want(lseek(fd, 1 << 20, SEEK_HOLE) == (1 << 20) + 1);
	want_error(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO);
	return 1;
}

static int readv_scatters(void)
{
	int fd = pattern_file("f", 1000);
	char a[7], b[5], c[50];
	struct iovec iov[4] = { { a, 7 }, { NULL, 0 }, { b, 5 }, { c, 50 } };

	want(readv(fd, iov, 4) == 62);
	want(is_pattern(a, 7, 0) && is_pattern(b, 5, 7) && is_pattern(c, 50, 12));
	lseek(fd, 990, SEEK_SET);
	want(readv(fd, iov, 4) == 10 && is_pattern(a, 7, 990) && is_pattern(b, 3, 997));
	return 1;
}

static int writev_gathers(void)
{
	char a[] = "0123456789", b[] = "abc";
	struct iovec iov[3] = { { a, 10 }, { a, 0 }, { b, 3 } };
	int fd = new_file();

	want(writev(fd, iov, 3) == 13);
	want(pread(fd, small, 20, 0) == 13 && !memcmp(small, "0123456789abc", 13));
	return 1;
}

static int preadv_pwritev(void)
{
	int fd = pattern_file("f", 1000);
	char a[10], b[10];
	struct iovec iov[2] = { { a, 10 }, { b, 10 } };

	want(preadv(fd, iov, 2, 300) == 20 && is_pattern(a, 10, 300) && is_pattern(b, 10, 310));
	want(pwritev(fd, iov, 2, 700) == 20 && lseek(fd, 0, SEEK_CUR) == 0);
	want(pread(fd, small, 20, 700) == 20 && is_pattern(small, 20, 300));
	return 1;
}

static int vectors_of_1024(void)
{
	static struct iovec iov[IOV_MAX + 1];
	int fd = new_file(), i;

	for (i = 0; i <= IOV_MAX; i++)
		iov[i] = (struct iovec){ "ab", 2 };
	want(writev(fd, iov, IOV_MAX) == 2 * IOV_MAX);
	want_error(writev(fd, iov, IOV_MAX + 1), EINVAL);
	want_error(writev(fd, iov, -1), EINVAL);
	want(writev(fd, iov, 0) == 0);
	return 1;
}

static int vectors_too_long(void)
{
	struct iovec iov[2] = { { small, 100 }, { small, (size_t)-1 } };
	int fd = pattern_file("f", 1000);

	want_error(readv(fd, iov, 2), EINVAL);
	want_error(writev(fd, iov, 2), EINVAL);
	return 1;
}

static int append(void)
{
	int fd = pattern_file("f", 100), add = open("f", O_WRONLY | O_APPEND);

	want(write(add, "x", 1) == 1 && lseek(add, 0, SEEK_CUR) == 101);
	want(lseek(add, 0, SEEK_SET) == 0 && write(add, "y", 1) == 1);
	want(size_of(fd) == 102);
	want(pread(fd, small, 10, 100) == 2 && !memcmp(small, "xy", 2));
	return 1;
}

static int append_two_writers(void)
{
	int a = open("f", O_WRONLY | O_APPEND | O_CREAT, 0644), b = open("f", O_WRONLY | O_APPEND), fd, i;

	for (i = 0; i < 20; i++)
		want(write(a, "aaa", 3) == 3 && write(b, "bb", 2) == 2);
	fd = open("f", O_RDONLY);
	want(read(fd, small, 200) == 100 && !memcmp(small + 95, "aaabb", 5));
	return 1;
}

static int append_set_later(void)
{
	int fd = pattern_file("f", 100);

	want(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND));
	want(write(fd, "x", 1) == 1 && size_of(fd) == 101);
	want(fcntl(fd, F_SETFL, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "y", 1) == 1 && size_of(fd) == 101);
	return 1;
}

static int truncate_shrinks(void)
{
	int fd = pattern_file("f", 10000);

	want(!ftruncate(fd, 5000) && size_of(fd) == 5000);
	want(!ftruncate(fd, 10000) && size_of(fd) == 10000);
	want(pread(fd, big, 10000, 0) == 10000 && is_pattern(big, 5000, 0) && !big[5000] && !big[9999]);
	want(!truncate("f", 3) && size_of(fd) == 3);
	return 1;
}

static int truncate_errors(void)
{
	int fd = pattern_file("f", 10), in = open("f", O_RDONLY);

	want_error(ftruncate(fd, -1), EINVAL);
	want_error(ftruncate(in, 0), EINVAL);
	want_error(truncate("f", -1), EINVAL);
	want_error(truncate("none", 0), ENOENT);
	want_error(truncate(".", 0), EISDIR);
	return 1;
}

static int truncate_at_open(void)
{
	int fd = pattern_file("f", 1000);

	want(open("f", O_WRONLY | O_TRUNC) >= 0 && size_of(fd) == 0);
	return 1;
}

static int fallocate_grows(void)
{
	int fd = new_file();

	want(!fallocate(fd, 0, 0, 10000) && size_of(fd) == 10000);
	want(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000) && size_of(fd) == 10000);
	want(!posix_fallocate(fd, 0, 30000) && size_of(fd) == 30000);
	want_error(fallocate(fd, 0, -1, 10), EINVAL);
	return 1;
}

static int fallocate_punches(void)
{
	int fd = pattern_file("f", 3 * PAGE);

	want(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE) && size_of(fd) == 3 * PAGE);
	want(pread(fd, big, 3 * PAGE, 0) == 3 * PAGE && is_pattern(big, PAGE, 0) && !big[PAGE] && !big[2 * PAGE - 1] &&
	     is_pattern(big + 2 * PAGE, PAGE, 2 * PAGE));
	return 1;
}

static int sendfile_copies(void)
{
	int in = pattern_file("f", 100000), out = open("g", O_RDWR | O_CREAT, 0644);
	off_t at = 1000;

	want(sendfile(out, in, &at, 50000) == 50000 && at == 51000 && lseek(in, 0, SEEK_CUR) == 0);
	want(pread(out, big, BIG, 0) == 50000 && is_pattern(big, 50000, 1000));
	want(sendfile(out, in, NULL, 100) == 100 && lseek(in, 0, SEEK_CUR) == 100);
	at = 99990;
	want(sendfile(out, in, &at, 100) == 10 && at == 100000 && sendfile(out, in, &at, 100) == 0);
	return 1;
}

static int copy_range(void)
{
	int in = pattern_file("f", 100000), out = open("g", O_RDWR | O_CREAT, 0644);
	loff_t from = 1000, to = 10;

	want(syscall(SYS_copy_file_range, in, &from, out, &to, 50000, 0) == 50000 && from == 51000 && to == 50010);
	want(pread(out, big, BIG, 10) == 50000 && is_pattern(big, 50000, 1000));
	want_error(syscall(SYS_copy_file_range, in, &from, out, &to, 1, 1), EINVAL);
	return 1;
}

static int syncs(void)
{
	int fd = pattern_file("f", 10);

	want(!fsync(fd) && !fdatasync(fd) && !syncfs(fd));
	want(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) && !posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	want_error(fsync(-1), EBADF);
	return 1;
}

static int wrong_direction(void)
{
	int fd = pattern_file("f", 10), in = open("f", O_RDONLY), out = open("f", O_WRONLY);

	want(fd >= 0);
	want_error(write(in, "x", 1), EBADF);
	want_error(read(out, small, 1), EBADF);
	want_error(pread(out, small, 1, 0), EBADF);
	return 1;
}

static int of_a_directory(void)
{
	int fd = open(".", O_RDONLY);

	want_error(read(fd, small, 1), EISDIR);
	want_error(write(fd, small, 1), EBADF);
	want_error(ftruncate(fd, 0), EINVAL);
	return 1;
}

static int zero_bytes(void)
{
	int fd = pattern_file("f", 10);

	want(read(fd, small, 0) == 0 && write(fd, small, 0) == 0 && size_of(fd) == 10);
	want(read(fd, NULL, 0) == 0 && write(fd, NULL, 0) == 0);
	return 1;
}

static int dev_null_zero_full(void)
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);

	want(read(null, small, 10) == 0 && write(null, small, 10) == 10);
	memset(small, 1, 10);
	want(read(zero, small, 10) == 10 && !small[0] && !small[9] && write(zero, small, 10) == 10);
	want_error(write(full, small, 10), ENOSPC);
	return 1;
}

static int two_descriptors_one_offset(void)
{
	int fd = pattern_file("f", 1000), same = dup(fd), other = open("f", O_RDONLY);

	want(read(fd, small, 100) == 100);
	want(lseek(same, 0, SEEK_CUR) == 100 && lseek(other, 0, SEEK_CUR) == 0);
	want(read(same, small, 100) == 100 && is_pattern(small, 100, 100) && lseek(fd, 0, SEEK_CUR) == 200);
	return 1;
}

static int unlinked_but_open(void)
{
	int fd = pattern_file("f", 1000);
	struct stat st;

	want(!unlink("f") && !fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 1000);
	want(read(fd, small, 100) == 100 && is_pattern(small, 100, 0) && write(fd, "x", 1) == 1);
	return 1;
}

static int stdio_round_trip(void)
{
	FILE *f = fopen("f", "w+");
	int i, n;

	want(f);
	for (i = 0; i < 3000; i++)
		want(fprintf(f, "line %d\n", i) > 0);
	want(!fflush(f));
	rewind(f);
	for (i = 0; i < 3000; i++)
		want(fscanf(f, "line %d\n", &n) == 1 && n == i);
	want(fgetc(f) == EOF && feof(f) && !ferror(f));
	want(!fseek(f, 5, SEEK_SET) && fgetc(f) == '0' && ftell(f) == 6 && !fclose(f));
	return 1;
}

static int stdio_getline(void)
{
	FILE *f = fopen("f", "w+");
	char *line = NULL;
	size_t room = 0;

	fill_pattern(big, 10, 0);
	memset(big, 'a', 100000);
	big[100000] = '\n';
	want(f && fwrite(big, 1, 100001, f) == 100001 && fputs("end", f) >= 0);
	rewind(f);
	want(getline(&line, &room, f) == 100001 && line[99999] == 'a');
	want(getline(&line, &room, f) == 3 && !strcmp(line, "end"));
	want(getline(&line, &room, f) == -1);
	free(line);
	fclose(f);
	return 1;
}

static int tmpfile_works(void)
{
	FILE *f = tmpfile();

	want(f && fputs("hello", f) >= 0);
	rewind(f);
	want(fgets(small, sizeof(small), f) && !strcmp(small, "hello") && !fclose(f));
	return 1;
}

const struct check checks[] = {
	CHECK(write_read), CHECK(big_write_read), CHECK(big_unaligned_read), CHECK(pread_does_not_move),
	CHECK(pwrite_does_not_move), CHECK(pwrite_beyond_end), CHECK(negative_offsets), CHECK(lseek_whences),
	CHECK(lseek_beyond_4g), CHECK(holes), CHECK(readv_scatters), CHECK(writev_gathers),
	CHECK(preadv_pwritev), CHECK(vectors_of_1024), CHECK(vectors_too_long), CHECK(append),
	CHECK(append_two_writers), CHECK(append_set_later), CHECK(truncate_shrinks), CHECK(truncate_errors),
	CHECK(truncate_at_open), CHECK(fallocate_grows), CHECK(fallocate_punches), CHECK(sendfile_copies),
	CHECK(copy_range), CHECK(syncs), CHECK(wrong_direction), CHECK(of_a_directory), CHECK(zero_bytes),
	CHECK(dev_null_zero_full), CHECK(two_descriptors_one_offset), CHECK(unlinked_but_open),
	CHECK(stdio_round_trip), CHECK(stdio_getline), CHECK(tmpfile_works),
	{ NULL, NULL },
};
