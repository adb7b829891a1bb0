// SPDX-License-Identifier: GPL-2.0-or-later
/* splice.c - moving data between descriptors: splice, tee, vmsplice. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "conformance.h"

static char buffer[100000];

static int file_to_pipe(void)
{
	int fd = pattern_file("f", 50000), p[2];
	loff_t at = 100;

	want(!pipe(p) && splice(fd, &at, p[1], NULL, 20000, 0) == 20000 && at == 20100 && lseek(fd, 0, SEEK_CUR) == 0);
	want(read(p[0], buffer, sizeof(buffer)) == 20000 && is_pattern(buffer, 20000, 100));
	want(splice(fd, NULL, p[1], NULL, 5000, 0) == 5000 && lseek(fd, 0, SEEK_CUR) == 5000);
	at = 50000;
	want(splice(fd, &at, p[1], NULL, 10, 0) == 0);
	return 1;
}

static int pipe_to_file(void)
{
	int fd = open("g", O_RDWR | O_CREAT, 0644), p[2];
	loff_t at = 10;

	fill_pattern(buffer, 5000, 0);
	want(!pipe(p) && write(p[1], buffer, 5000) == 5000 && splice(p[0], NULL, fd, &at, 5000, SPLICE_F_MOVE) == 5000);
	memset(buffer, 0, 5000);
	want(at == 5010 && pread(fd, buffer, 6000, 10) == 5000 && is_pattern(buffer, 5000, 0));
	return 1;
}

static int pipe_to_socket(void)
{
	int p[2], s[2];

	want(!pipe(p) && !socketpair(AF_UNIX, SOCK_STREAM, 0, s) && write(p[1], "hello", 5) == 5);
	want(splice(p[0], NULL, s[0], NULL, 100, 0) == 5 && read(s[1], buffer, 100) == 5 &&
	     !memcmp(buffer, "hello", 5));
	want(write(s[1], "back", 4) == 4 && splice(s[0], NULL, p[1], NULL, 100, 0) == 4 &&
	     read(p[0], buffer, 100) == 4);
	return 1;
}

static int tee_copies(void)
{
	int a[2], b[2];

	want(!pipe(a) && !pipe(b) && write(a[1], "hello", 5) == 5 && tee(a[0], b[1], 100, 0) == 5);
	want(read(a[0], buffer, 100) == 5 && read(b[0], buffer + 50, 100) == 5 && !memcmp(buffer, buffer + 50, 5));
	want_error(tee(a[0], b[1], 100, SPLICE_F_NONBLOCK), EAGAIN);
	return 1;
}

static int vmsplice_writes(void)
{
	struct iovec iov[2] = { { "hello ", 6 }, { "world", 5 } };
	int p[2];

	want(!pipe(p) && vmsplice(p[1], iov, 2, 0) == 11 && read(p[0], buffer, 100) == 11 &&
	     !memcmp(buffer, "hello world", 11));
	return 1;
}

static int vmsplice_reads(void)
{
	struct iovec iov = { buffer, 100 };
	int p[2];

	want(!pipe(p) && write(p[1], "hello", 5) == 5);
	want(vmsplice(p[0], &iov, 1, 0) == 5 && !memcmp(buffer, "hello", 5));
	return 1;
}

static int errors(void)
{
	int fd = pattern_file("f", 100), other = pattern_file("g", 100), p[2];
	loff_t at = 0;

	want(!pipe(p));
	want_error(splice(fd, NULL, other, NULL, 10, 0), EINVAL);
	want_error(splice(p[0], &at, fd, NULL, 10, 0), ESPIPE);
	want_error(splice(p[0], NULL, fd, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	want_error(splice(77, NULL, p[1], NULL, 10, 0), EBADF);
	want_error(tee(fd, p[1], 10, 0), EINVAL);
	return 1;
}

const struct check checks[] = {
	CHECK(file_to_pipe), CHECK(pipe_to_file), CHECK(pipe_to_socket), CHECK(tee_copies),
	CHECK(vmsplice_writes), CHECK(vmsplice_reads), CHECK(errors),
	{ NULL, NULL },
};
