// SPDX-License-Identifier: GPL-2.0-or-later
/* descriptors.c - dup, fcntl, close-on-exec flags, limits; pipes within one process. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "conformance.h"

#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ	1031
#define F_GETPIPE_SZ	1032
#endif
#ifndef F_OFD_SETLK
#define F_OFD_GETLK	36
#define F_OFD_SETLK	37
#endif

static char buffer[200000];

static int dup_shares(void)
{
	int fd = pattern_file("f", 100), b = dup(fd);

	want(b == 4 && lseek(fd, 7, SEEK_SET) == 7 && lseek(b, 0, SEEK_CUR) == 7);
	want(!close(fd) && read(b, buffer, 1) == 1 && is_pattern(buffer, 1, 7));
	want_error(dup(fd), EBADF);
	return 1;
}

static int dup2_replaces(void)
{
	int a = pattern_file("f", 100), b = open("/dev/null", O_RDONLY);

	want(dup2(a, b) == b && read(b, buffer, 5) == 5);
	want(dup2(a, a) == a && dup2(a, 77) == 77 && !fcntl(77, F_GETFD));
	want_error(dup2(-1, 5), EBADF);
	want_error(dup2(99, 99), EBADF);
	want_error(dup2(a, -1), EBADF);
	return 1;
}

static int dup3_flags(void)
{
	int a = pattern_file("f", 100);

	want(dup3(a, 50, O_CLOEXEC) == 50 && fcntl(50, F_GETFD) == FD_CLOEXEC);
	want_error(dup3(a, a, 0), EINVAL);
	want_error(dup3(a, 50, 0x1234567), EINVAL);
	return 1;
}

static int fcntl_dupfd(void)
{
	int a = pattern_file("f", 100);

	want(fcntl(a, F_DUPFD, 40) == 40 && fcntl(a, F_DUPFD, 40) == 41 && !fcntl(41, F_GETFD));
	want(fcntl(a, F_DUPFD_CLOEXEC, 40) == 42 && fcntl(42, F_GETFD) == FD_CLOEXEC);
	want_error(fcntl(a, F_DUPFD, -1), EINVAL);
	return 1;
}

static int cloexec_flags(void)
{
	int a = pattern_file("f", 100), b = open("f", O_RDONLY | O_CLOEXEC), p[2];

	want(!fcntl(a, F_GETFD) && fcntl(b, F_GETFD) == FD_CLOEXEC);
	want(!fcntl(a, F_SETFD, FD_CLOEXEC) && fcntl(a, F_GETFD) == FD_CLOEXEC && !fcntl(dup(a), F_GETFD));
	want(!fcntl(a, F_SETFD, 0) && !fcntl(a, F_GETFD));
	want(!pipe2(p, O_CLOEXEC | O_NONBLOCK) && fcntl(p[1], F_GETFD) == FD_CLOEXEC &&
	     (fcntl(p[0], F_GETFL) & O_NONBLOCK));
	return 1;
}

static int status_flags(void)
{
	int a = open("f", O_WRONLY | O_CREAT | O_APPEND, 0644);

	want((fcntl(a, F_GETFL) & O_ACCMODE) == O_WRONLY && (fcntl(a, F_GETFL) & O_APPEND));
	want(!fcntl(a, F_SETFL, O_NONBLOCK) && (fcntl(a, F_GETFL) & (O_APPEND | O_NONBLOCK)) == O_NONBLOCK);
	want((fcntl(dup(a), F_GETFL) & O_NONBLOCK));
	want_error(fcntl(-1, F_GETFL), EBADF);
	want_error(fcntl(a, 9999), EINVAL);
	return 1;
}

static int close_twice(void)
{
	int a = dup(0);

	want(!close(a));
	want_error(close(a), EBADF);
	want_error(close(-1), EBADF);
	want_error(close(123456), EBADF);
	return 1;
}

static int close_range_closes(void)
{
	int i;

	for (i = 50; i < 60; i++)
		want(dup2(0, i) == i);
	want(!syscall(SYS_close_range, 52, 57, 0));
	want(!fcntl(51, F_GETFD) && fcntl(52, F_GETFD) < 0 && fcntl(57, F_GETFD) < 0 && !fcntl(58, F_GETFD));
	want(!syscall(SYS_close_range, 58, 59, 4) && fcntl(58, F_GETFD) == FD_CLOEXEC);
	want_error(syscall(SYS_close_range, 10, 5, 0), EINVAL);
	return 1;
}

static int rlimit_nofile(void)
{
	struct rlimit old, r;
	int fd = pattern_file("f", 10), last = -1, n = 0;

	want(!getrlimit(RLIMIT_NOFILE, &old));
	r = old;
	r.rlim_cur = 20;
	want(!setrlimit(RLIMIT_NOFILE, &r));
	while (n < 30 && (last = dup(fd)) >= 0)
		n++;
	want(last == -1 && errno == EMFILE && n == 16);
	want_error(dup2(fd, 20), EBADF);
	want_error(fcntl(fd, F_DUPFD, 20), EINVAL);
	want_error(open("f", O_RDONLY), EMFILE);
	want_error(pipe((int *)buffer), EMFILE);
	want(!setrlimit(RLIMIT_NOFILE, &old) && dup(fd) == 20);
	r.rlim_cur = 3000;
	r.rlim_max = old.rlim_max < 3000 ? 3000 : old.rlim_max;
	want(!setrlimit(RLIMIT_NOFILE, &r) && fcntl(fd, F_DUPFD, 2500) == 2500 && dup2(fd, 2998) == 2998);
	want(!setrlimit(RLIMIT_NOFILE, &old));
	return 1;
}

static int many_descriptors(void)
{
	int i;

	for (i = 3; i < 500; i++)
		want(dup(0) == i);
	for (i = 3; i < 500; i += 2)
		want(!close(i));
	for (i = 3; i < 500; i += 2)
		want(dup(0) == i);
	return 1;
}

static int pipe_passes(void)
{
	int p[2];

	want(!pipe(p) && p[0] == 3 && p[1] == 4 && write(p[1], "hello", 5) == 5 && read(p[0], buffer, 3) == 3);
	want(read(p[0], buffer + 3, 100) == 2 && !memcmp(buffer, "hello", 5));
	want_error(write(p[0], "x", 1), EBADF);
	want_error(read(p[1], buffer, 1), EBADF);
	want_error(lseek(p[0], 0, SEEK_SET), ESPIPE);
	want_error(pread(p[0], buffer, 1, 0), ESPIPE);
	return 1;
}

static int pipe_end_of_file(void)
{
	int p[2];

	want(!pipe(p) && write(p[1], "x", 1) == 1 && !close(p[1]));
	want(read(p[0], buffer, 10) == 1 && read(p[0], buffer, 10) == 0);
	return 1;
}

static int pipe_broken(void)
{
	int p[2];

	want(signal(SIGPIPE, SIG_IGN) == SIG_DFL);
	want(!pipe(p) && !close(p[0]));
	want_error(write(p[1], "x", 1), EPIPE);
	return 1;
}

static int pipe_nonblocking(void)
{
	int p[2], n;
	long all = 0;

	want(!pipe2(p, O_NONBLOCK));
	want_error(read(p[0], buffer, 1), EAGAIN);
	while ((n = write(p[1], buffer, 1024)) > 0)
		all += n;
	want(n == -1 && errno == EAGAIN && all >= 60000);
	want_error(write(p[1], "x", 1), EAGAIN);
	while ((n = read(p[0], buffer, sizeof(buffer))) > 0)
		all -= n;
	want(all == 0);
	return 1;
}

static int pipe_partial_write(void)
{
	int p[2];

	want(!pipe2(p, O_NONBLOCK) && fcntl(p[1], F_SETPIPE_SZ, 65536) == 65536);
	want(write(p[1], buffer, 100000) == 65536);
	want_error(write(p[1], buffer, 100000), EAGAIN);
	return 1;
}

static int pipe_size(void)
{
	int p[2], n;

	want(!pipe(p) && fcntl(p[0], F_GETPIPE_SZ) == 65536);
	want(fcntl(p[1], F_SETPIPE_SZ, 5000) == 8192 && fcntl(p[0], F_GETPIPE_SZ) == 8192);
	want(write(p[1], buffer, 1234) == 1234 && !ioctl(p[0], FIONREAD, &n) && n == 1234);
	return 1;
}

static int fifo_both_ends(void)
{
	int in, out;

	want(!mkfifo("p", 0600) && (in = open("p", O_RDONLY | O_NONBLOCK)) >= 0);
	want(read(in, buffer, 1) == 0 && (out = open("p", O_WRONLY)) >= 0);
	want_error(read(in, buffer, 1), EAGAIN);
	want(write(out, "hello", 5) == 5 && read(in, buffer, 10) == 5 && !close(out) && read(in, buffer, 10) == 0);
	return 1;
}

static int poll_pipe(void)
{
	struct pollfd f[3];
	int p[2];

	want(!pipe(p));
	f[0] = (struct pollfd){ p[0], POLLIN, 0 };
	f[1] = (struct pollfd){ p[1], POLLOUT, 0 };
	f[2] = (struct pollfd){ -1, POLLIN, 99 };
	want(poll(f, 3, 0) == 1 && !f[0].revents && f[1].revents == POLLOUT && !f[2].revents);
	want(write(p[1], "x", 1) == 1 && poll(f, 1, 1000) == 1 && f[0].revents == POLLIN);
	want(!close(p[1]) && poll(f, 1, 0) == 1 && f[0].revents == (POLLIN | POLLHUP));
	want(poll(f, 2, 0) == 2 && f[1].revents == POLLNVAL);
	return 1;
}

static int poll_times_out(void)
{
	struct pollfd f;
	struct timespec t = { 0, 30000000 };
	long before = now_ms();
	int p[2];

	want(!pipe(p));
	f = (struct pollfd){ p[0], POLLIN, 0 };
	want(poll(&f, 1, 30) == 0 && now_ms() - before >= 30);
	before = now_ms();
	want(ppoll(&f, 1, &t, NULL) == 0 && now_ms() - before >= 29 && !f.revents);
	want(poll(NULL, 0, 1) == 0);
	return 1;
}

static int poll_files(void)
{
	struct pollfd f = { pattern_file("f", 1), POLLIN | POLLOUT, 0 };

	want(poll(&f, 1, 0) == 1 && f.revents == (POLLIN | POLLOUT));
	f = (struct pollfd){ 77, POLLIN, 0 };
	want(poll(&f, 1, -1) == 1 && f.revents == POLLNVAL);
	return 1;
}

static int select_pipe(void)
{
	struct timeval t = { 0, 20000 };
	fd_set in, out;
	int p[2];

	want(!pipe(p));
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	want(select(p[1] + 1, &in, &out, NULL, NULL) == 1 && !FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
	FD_SET(p[0], &in);
	want(select(p[0] + 1, &in, NULL, NULL, &t) == 0 && t.tv_sec == 0 && t.tv_usec == 0 && !FD_ISSET(p[0], &in));
	FD_SET(p[0], &in);
	want(write(p[1], "x", 1) == 1 && select(p[0] + 1, &in, NULL, NULL, NULL) == 1 && FD_ISSET(p[0], &in));
	return 1;
}

static int select_errors(void)
{
	struct timeval t = { 0, -1 }, none = { 0, 0 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(77, &in);
	want_error(select(78, &in, NULL, NULL, NULL), EBADF);
	want_error(select(0, NULL, NULL, NULL, &t), EINVAL);
	want_error(select(-1, NULL, NULL, NULL, &none), EINVAL);
	return 1;
}

static int select_high_descriptor(void)
{
	struct timespec none = { 0, 0 };
	fd_set in;
	int p[2];

	want(!pipe(p) && dup2(p[0], 500) == 500 && write(p[1], "x", 1) == 1);
	FD_ZERO(&in);
	FD_SET(500, &in);
	want(pselect(501, &in, NULL, NULL, &none, NULL) == 1 && FD_ISSET(500, &in));
	return 1;
}

static int flock_conflicts(void)
{
	int a = pattern_file("f", 10), b = open("f", O_RDWR);

	want(!flock(a, LOCK_SH) && !flock(b, LOCK_SH | LOCK_NB));
	want_error(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	want(!flock(a, LOCK_UN) && !flock(b, LOCK_EX | LOCK_NB));
	want_error(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	want(!flock(dup(b), LOCK_UN) && !flock(a, LOCK_EX | LOCK_NB));
	return 1;
}

static int locks_of_descriptions(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int a = pattern_file("f", 100), b = open("f", O_RDWR);

	want(!fcntl(a, F_OFD_SETLK, &l));
	want_error(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
	l.l_start = 15;
	l.l_len = 100;
	want(!fcntl(b, F_OFD_GETLK, &l) && l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 10 && l.l_pid == -1);
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 10 };
	want(!fcntl(b, F_OFD_SETLK, &l));
	return 1;
}

static int locks_of_oneself(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10 };
	int a = pattern_file("f", 100), in = open("f", O_RDONLY);

	want(!fcntl(a, F_SETLK, &l) && !fcntl(a, F_SETLK, &l) && !fcntl(a, F_GETLK, &l) && l.l_type == F_UNLCK);
	l.l_type = F_WRLCK;
	want_error(fcntl(in, F_SETLK, &l), EBADF);
	l.l_start = -1;
	want_error(fcntl(a, F_SETLK, &l), EINVAL);
	l.l_type = 99;
	want_error(fcntl(a, F_SETLK, &l), EINVAL);
	return 1;
}

static int ioctl_not_a_terminal(void)
{
	struct winsize w;
	int fd = pattern_file("f", 10);

	want_error(ioctl(fd, TIOCGWINSZ, &w), ENOTTY);
	want(!isatty(fd) && errno == ENOTTY);
	want_error(ioctl(-1, TIOCGWINSZ, &w), EBADF);
	return 1;
}

const struct check checks[] = {
	CHECK(dup_shares), CHECK(dup2_replaces), CHECK(dup3_flags), CHECK(fcntl_dupfd), CHECK(cloexec_flags),
	CHECK(status_flags), CHECK(close_twice), CHECK(close_range_closes), CHECK(rlimit_nofile),
	CHECK(many_descriptors), CHECK(pipe_passes), CHECK(pipe_end_of_file), CHECK(pipe_broken),
	CHECK(pipe_nonblocking), CHECK(pipe_partial_write), CHECK(pipe_size), CHECK(fifo_both_ends),
	CHECK(poll_pipe), CHECK(poll_times_out), CHECK(poll_files), CHECK(select_pipe), CHECK(select_errors),
	CHECK(select_high_descriptor), CHECK(flock_conflicts), CHECK(locks_of_descriptions),
	CHECK(locks_of_oneself), CHECK(ioctl_not_a_terminal),
	{ NULL, NULL },
};
