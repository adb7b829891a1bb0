// SPDX-License-Identifier: GPL-2.0-or-later
/* test_fds.c - the numbers of new descriptors: by whatever call, one that is not open, and within the limit. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "unit.h"

/* What the kernel answers: the number, or both; and what was closed. */
static int fd, other;
static struct rlimit limit;
static int closed[8], closes;

static long answer(long nr, const u64 args[6])
{
	int *pair = (int *)args[nr == SYS_socketpair ? 3 : 0];

	switch (nr) {
	case SYS_close:
		closed[closes++] = args[0];
		return 0;
	case SYS_pipe:
	case SYS_pipe2:
	case SYS_socketpair:
		pair[0] = fd;
		pair[1] = other;
		fallthrough;
	case SYS_close_range:
		return 0;
	case SYS_prlimit64:
		if (args[3])
			memcpy((void *)args[3], &limit, sizeof(limit));
		return 0;
	case SYS_fcntl:
		return args[1] == F_DUPFD || args[1] == F_DUPFD_CLOEXEC ? fd : 0;
	default:
		return fd;
	}
}

static u64 buf[16];
static const u64 mask = 1;

/* Each call that makes one. */
static const struct {
	long nr;
	u64 args[6];
} makers[] = {
	{ SYS_open, { (u64)"name" } }, { SYS_openat, { 3, (u64)"name" } }, { SYS_openat2, { 3, (u64)"name", (u64)buf, 24 } },
	{ SYS_creat, { (u64)"name" } }, { SYS_memfd_create, { (u64)"name" } }, { SYS_dup, { 3 } }, { SYS_fcntl, { 3, F_DUPFD } },
	{ SYS_fcntl, { 3, F_DUPFD_CLOEXEC } }, { SYS_ioctl, { 3, TIOCGPTPEER } }, { SYS_epoll_create, { 1 } }, { SYS_epoll_create1 },
	{ SYS_eventfd }, { SYS_eventfd2 }, { SYS_timerfd_create }, { SYS_signalfd, { -1UL, (u64)&mask, 8 } },
	{ SYS_signalfd4, { -1UL, (u64)&mask, 8 } }, { SYS_inotify_init }, { SYS_inotify_init1 }, { SYS_socket }, { SYS_accept, { 3 } },
	{ SYS_accept4, { 3, (u64)buf, (u64)(buf + 15) } }, { SYS_mq_open, { (u64)"name" } }, { SYS_pidfd_open }, { SYS_pidfd_getfd },
}, pairs[] = {
	{ SYS_pipe, { (u64)buf } }, { SYS_pipe2, { (u64)buf } }, { SYS_socketpair, { 1, 1, 0, (u64)buf } },
};

static long call(long nr, u64 a, u64 b, u64 c, u64 d)
{
	must(!lies(nr, (const u64[6]){ a, b, c, d }), "call %ld is a lie", nr);
	return fake.result;
}

static void reset(void)
{
	fake_reset();
	fake.answer = answer;
	closes = 0;
}

/* What the program gets when the kernel answers with this number. */
static long gives(long nr, const u64 args[6], int number)
{
	fd = number;
	closes = 0;
	must(!lies(nr, args), "call %ld, descriptor %d", nr, number);
	return fake.result;
}

START_TEST(numbers)
{
	const long nr = makers[_i].nr;
	const u64 *args = makers[_i].args;

	reset();
	must_be(gives(nr, args, 5) == 5 && !closes);
	must(lies(nr, args), "call %ld: a descriptor that is open", nr);
	must_be(!call(SYS_close, 5, 0, 0, 0) && gives(nr, args, 5) == 5 && gives(nr, args, -EIO) == -EIO && gives(nr, args, 1023) == 1023);
	fd = INT_MIN;
	must_be(lies(nr, args));
	/* Too high: the program does not get it, and the kernel has it back. */
	must_be(gives(nr, args, 1024) == -EMFILE && closes == 1 && closed[0] == 1024);
	must_be(gives(nr, args, INT_MAX) == -EMFILE && closes == 1 && closed[0] == INT_MAX);
	must_be(gives(nr, args, 1024) == -EMFILE);
}
END_TEST

START_TEST(numbers_of_pairs)
{
	const long nr = pairs[_i].nr;
	const u64 *args = pairs[_i].args;
	const int *got = (const int *)buf;

	reset();
	other = 6;
	must_be(gives(nr, args, 5) == 0 && got[0] == 5 && got[1] == 6);
	other = 7;
	must_be(lies(nr, args));
	fd = 8, other = 6;
	must_be(lies(nr, args));
	fd = other = 20;
	must_be(lies(nr, args));
	fd = -1, other = 21;
	must_be(lies(nr, args));
	fd = 22, other = -1;
	must_be(lies(nr, args));
	memset(buf, 0, sizeof(buf));
	other = 1024;
	must_be(gives(nr, args, 1000) == -EMFILE && closes == 2 && closed[0] + closed[1] == 2024 && !buf[0]);
	other = 1000;
	must_be(gives(nr, args, 1024) == -EMFILE && closes == 2 && closed[0] + closed[1] == 2024 && !buf[0]);
	other = 1001;
	must_be(gives(nr, args, 1000) == 0 && got[0] == 1000 && got[1] == 1001);
	fd = -EMFILE;
	must_be(call(nr, 8, 8, 8, 8) == -EFAULT);
}
END_TEST

static const u64 none[6];

/* The program says "file 5 is open no more" in all ways that there are; and in no other way. */
START_TEST(numbers_again)
{
	reset();
	must_be(gives(SYS_socket, none, 5) == 5 && call(SYS_dup2, 3, 5, 0, 0) == 5);
	must_be(lies(SYS_socket, none));
	must_be(!call(SYS_close_range, 4, 6, CLOSE_RANGE_CLOEXEC, 0));
	must_be(lies(SYS_socket, none));
	must_be(!call(SYS_close_range, 6, -1UL, 0, 0) && !call(SYS_close_range, 0, 4, 0, 0));
	must_be(lies(SYS_socket, none));
	must_be(!call(SYS_close_range, 5, 5, 0, 0) && gives(SYS_socket, none, 5) == 5);
	/* Numbers that the program names itself. */
	fd = 30;
	must_be(call(SYS_dup2, 3, 30, 0, 0) == 30 && lies(SYS_socket, none));
	fd = 5000;
	must_be(call(SYS_dup2, 3, 5000, 0, 0) == 5000 && call(SYS_dup3, 3, 5000, 0, 0) == 5000);
	fd = 1000000;
	must_be(call(SYS_dup2, 3, 1000000, 0, 0) == 1000000 && !closes);
}
END_TEST

/* The limit that the program believes: as it set it, or else the least that it was told. */
START_TEST(limits)
{
	struct rlimit l;

	reset();
	limit.rlim_cur = 5000;
	must_be(!call(SYS_getrlimit, RLIMIT_CORE, (u64)&l, 0, 0) && gives(SYS_socket, none, 1024) == -EMFILE);
	must_be(!call(SYS_prlimit64, 77, RLIMIT_NOFILE, 0, (u64)&l) && gives(SYS_socket, none, 1024) == -EMFILE);
	must_be(!call(SYS_getrlimit, RLIMIT_NOFILE, (u64)&l, 0, 0) && l.rlim_cur == 5000);
	must_be(gives(SYS_socket, none, 4999) == 4999 && gives(SYS_socket, none, 5000) == -EMFILE);
	limit.rlim_cur = 6000;
	must_be(!call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (u64)&l) && l.rlim_cur == 6000 && gives(SYS_socket, none, 5000) == -EMFILE);
	limit.rlim_cur = 3000;
	must_be(!call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (u64)&l) && gives(SYS_socket, none, 3000) == -EMFILE);
	l.rlim_cur = 4000;
	must_be(!call(SYS_setrlimit, RLIMIT_NOFILE, (u64)&l, 0, 0) && gives(SYS_socket, none, 3999) == 3999 && gives(SYS_socket, none, 4000) == -EMFILE);
	l.rlim_cur = 100;
	must_be(!call(SYS_prlimit64, 0, RLIMIT_NOFILE, (u64)&l, (u64)&l) && l.rlim_cur == 3000);
	must_be(gives(SYS_socket, none, 99) == 99 && gives(SYS_socket, none, 100) == -EMFILE);
	l.rlim_cur = RLIM_INFINITY;
	must_be(!call(SYS_setrlimit, RLIMIT_NOFILE, (u64)&l, 0, 0) && gives(SYS_socket, none, 65535) == 65535);
	must_be(gives(SYS_socket, none, 65536) == -EMFILE && lies(SYS_socket, (fd = 65535, none)));
	must_be(call(SYS_getrlimit, RLIMIT_NOFILE, 8, 0, 0) == -EFAULT && call(SYS_setrlimit, RLIMIT_NOFILE, 0, 0, 0) == -EFAULT);
	must_be(call(SYS_prlimit64, 0, RLIMIT_NOFILE, 8, 0) == -EFAULT && call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, 8) == -EFAULT);
	must_be(!call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, 0));
}
END_TEST

SUITE(fds, SECONDS,
      { numbers, ARRAY_SIZE(makers) }, { numbers_of_pairs, ARRAY_SIZE(pairs) }, { numbers_again }, { limits })
