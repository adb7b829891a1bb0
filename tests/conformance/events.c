// SPDX-License-Identifier: GPL-2.0-or-later
/* events.c - epoll, eventfd, timerfd, inotify. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

static struct epoll_event got[20];

/* An epoll instance that waits for FD; its data is 1000 + FD. */
static int watched(int fd, unsigned int events)
{
	struct epoll_event e = { .events = events, .data.u64 = 1000 + fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return ep >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) ? ep : -1;
}

static int epoll_level(void)
{
	int p[2], ep;
	char c;

	want(!pipe(p) && (ep = watched(p[0], EPOLLIN)) >= 0 && epoll_wait(ep, got, 20, 0) == 0);
	want(write(p[1], "ab", 2) == 2 && epoll_wait(ep, got, 20, 1000) == 1);
	want(got[0].events == EPOLLIN && got[0].data.u64 == 1000u + p[0] && epoll_wait(ep, got, 20, 0) == 1);
	want(read(p[0], &c, 1) == 1 && epoll_wait(ep, got, 20, 0) == 1 && read(p[0], &c, 1) == 1);
	want(epoll_wait(ep, got, 20, 0) == 0);
	return 1;
}

static int epoll_edge(void)
{
	int p[2], ep;
	char c;

	want(!pipe(p) && (ep = watched(p[0], EPOLLIN | EPOLLET)) >= 0 && write(p[1], "ab", 2) == 2);
	want(epoll_wait(ep, got, 20, 1000) == 1 && epoll_wait(ep, got, 20, 0) == 0);
	want(read(p[0], &c, 1) == 1 && epoll_wait(ep, got, 20, 0) == 0);
	want(write(p[1], "c", 1) == 1 && epoll_wait(ep, got, 20, 0) == 1 && epoll_wait(ep, got, 20, 0) == 0);
	return 1;
}

static int epoll_oneshot(void)
{
	struct epoll_event e;
	int p[2], ep;

	want(!pipe(p) && (ep = watched(p[0], EPOLLIN | EPOLLONESHOT)) >= 0 && write(p[1], "ab", 2) == 2);
	want(epoll_wait(ep, got, 20, 1000) == 1 && epoll_wait(ep, got, 20, 0) == 0 && write(p[1], "c", 1) == 1);
	want(epoll_wait(ep, got, 20, 0) == 0);
	e = (struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 5 };
	want(!epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e) && epoll_wait(ep, got, 20, 0) == 1 && got[0].data.u64 == 5);
	return 1;
}

static int epoll_changes(void)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.u64 = 1 };
	int s[2], ep;

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && (ep = watched(s[0], EPOLLIN)) >= 0 &&
	     epoll_wait(ep, got, 20, 0) == 0);
	want(!epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &e) && epoll_wait(ep, got, 20, 0) == 1 && got[0].events == EPOLLOUT);
	want(!epoll_ctl(ep, EPOLL_CTL_DEL, s[0], NULL) && epoll_wait(ep, got, 20, 0) == 0);
	return 1;
}

static int epoll_errors(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int p[2], ep, file = pattern_file("f", 1);

	want(!pipe(p) && (ep = watched(p[0], EPOLLIN)) >= 0);
	want_error(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
	want_error(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e), ENOENT);
	want_error(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &e), ENOENT);
	want_error(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
	want_error(epoll_ctl(ep, EPOLL_CTL_ADD, 77, &e), EBADF);
	want_error(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	want_error(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e), EINVAL);
	want_error(epoll_wait(ep, got, 0, 0), EINVAL);
	want_error(epoll_wait(p[0], got, 1, 0), EINVAL);
	want_error(epoll_create1(12345), EINVAL);
	want_error(epoll_create(0), EINVAL);
	return 1;
}

static int epoll_many(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int p[20], ep = epoll_create1(0), i, n, sum = 0;

	for (i = 0; i < 20; i += 2) {
		want(!pipe(p + i) && write(p[i + 1], "x", 1) == 1);
		e.data.u32 = i;
		want(!epoll_ctl(ep, EPOLL_CTL_ADD, p[i], &e));
	}
	want(epoll_wait(ep, got, 3, 0) == 3);
	want((n = epoll_wait(ep, got, 20, 0)) == 10);
	while (n--)
		sum += got[n].data.u32;
	want(sum == 90);
	return 1;
}

static int epoll_hangup(void)
{
	int p[2], s[2], ep;

	want(!pipe(p) && (ep = watched(p[0], 0)) >= 0 && !close(p[1]));
	want(epoll_wait(ep, got, 20, 0) == 1 && got[0].events == EPOLLHUP);
	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && (ep = watched(s[0], EPOLLIN | EPOLLRDHUP)) >= 0 &&
	     !close(s[1]));
	want(epoll_wait(ep, got, 20, 0) == 1 && got[0].events == (EPOLLIN | EPOLLRDHUP | EPOLLHUP));
	return 1;
}

static int epoll_forgets_closed(void)
{
	int p[2], ep;

	want(!pipe(p) && (ep = watched(p[0], EPOLLIN)) >= 0 && write(p[1], "x", 1) == 1 && !close(p[0]));
	want(epoll_wait(ep, got, 20, 0) == 0);
	return 1;
}

static int epoll_nested(void)
{
	int p[2], inner, outer;

	want(!pipe(p) && (inner = watched(p[0], EPOLLIN)) >= 0 && (outer = watched(inner, EPOLLIN)) >= 0);
	want(epoll_wait(outer, got, 20, 0) == 0 && write(p[1], "x", 1) == 1 && epoll_wait(outer, got, 20, 1000) == 1);
	want(got[0].data.u64 == 1000u + inner);
	return 1;
}

/* --- an instance that two processes have ---------------------------------------------------------------------- */

enum { ONE, TWO, TOLD, PIPES };
static int ep, pipes[PIPES][2];

/* All pipes, and of them ONE in the instance, with data 1. */
static int made_to_share(unsigned int events)
{
	struct epoll_event e = { .events = events, .data.u64 = 1 };
	int i;

	for (i = 0; i < PIPES; i++)
		want(!pipe(pipes[i]));
	want((ep = epoll_create1(0)) >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, pipes[ONE][0], &e));
	return 1;
}

static int writes(int i) { return write(pipes[i][1], "x", 1) == 1; }

static int reads(int i)
{
	char c;

	return read(pipes[i][0], &c, 1) == 1;
}

static int comes(unsigned int events, unsigned long data)
{
	want(epoll_wait(ep, got, 20, 1000) == 1 && got[0].events == events && got[0].data.u64 == data);
	return 1;
}

static int control(int op, int i, unsigned int events, unsigned long data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, op, pipes[i][0], &e);
}

static int child_adds(void) { return !control(EPOLL_CTL_ADD, TWO, EPOLLIN, 22); }
static int child_changes(void) { return !control(EPOLL_CTL_MOD, ONE, EPOLLIN, 11); }
static int child_arms(void) { return !control(EPOLL_CTL_MOD, ONE, EPOLLIN | EPOLLONESHOT, 12); }
static int child_removes(void) { return !control(EPOLL_CTL_DEL, ONE, 0, 0); }
static int child_closes(void) { return !close(pipes[ONE][0]) && !close(ep); }

static int child_waits(void)
{
	want(reads(TOLD) && comes(EPOLLIN, 2) && reads(TWO));
	return 1;
}

static int epoll_child_adds(void)
{
	want(made_to_share(EPOLLIN) && in_child(child_adds) == 0 && writes(TWO) && comes(EPOLLIN, 22) && reads(TWO));
	want(writes(ONE) && comes(EPOLLIN, 1));
	return 1;
}

/* What the two register, each on its own, are two things. */
static int epoll_both_add(void)
{
	pid_t pid;

	want(made_to_share(EPOLLIN) && (pid = start_child(child_adds)) > 0);
	want(!control(EPOLL_CTL_ADD, TOLD, EPOLLIN, 33) && status_of(pid) == 0);
	want(writes(TWO) && comes(EPOLLIN, 22) && reads(TWO) && writes(TOLD) && comes(EPOLLIN, 33) && reads(TOLD));
	want(writes(ONE) && comes(EPOLLIN, 1));
	return 1;
}

static int epoll_parent_adds(void)
{
	pid_t pid;

	want(made_to_share(EPOLLIN) && (pid = start_child(child_waits)) > 0);
	want(!control(EPOLL_CTL_ADD, TWO, EPOLLIN, 2) && writes(TWO) && writes(TOLD) && status_of(pid) == 0);
	return 1;
}

static int epoll_child_changes(void)
{
	want(made_to_share(EPOLLOUT) && in_child(child_changes) == 0 && writes(ONE) && comes(EPOLLIN, 11));
	want(!control(EPOLL_CTL_MOD, ONE, EPOLLIN, 3) && comes(EPOLLIN, 3));
	return 1;
}

static int epoll_changes_what_child_added(void)
{
	want(made_to_share(EPOLLIN) && in_child(child_adds) == 0 && writes(TWO));
	want(!control(EPOLL_CTL_MOD, TWO, EPOLLIN, 23) && comes(EPOLLIN, 23) && !control(EPOLL_CTL_DEL, TWO, 0, 0));
	want(epoll_wait(ep, got, 20, 0) == 0);
	want_error(control(EPOLL_CTL_MOD, TWO, EPOLLIN, 24), ENOENT);
	want(!control(EPOLL_CTL_ADD, TWO, EPOLLIN, 25) && comes(EPOLLIN, 25));
	return 1;
}

static int epoll_child_arms(void)
{
	want(made_to_share(EPOLLIN | EPOLLONESHOT) && writes(ONE) && comes(EPOLLIN, 1) && epoll_wait(ep, got, 20, 0) == 0);
	want(in_child(child_arms) == 0 && comes(EPOLLIN, 12) && epoll_wait(ep, got, 20, 0) == 0);
	return 1;
}

static int epoll_child_removes(void)
{
	want(made_to_share(EPOLLIN) && in_child(child_removes) == 0 && writes(ONE) && epoll_wait(ep, got, 20, 0) == 0);
	want(!control(EPOLL_CTL_ADD, ONE, EPOLLIN, 4) && comes(EPOLLIN, 4));
	return 1;
}

static int epoll_child_closes(void)
{
	want(made_to_share(EPOLLIN) && in_child(child_closes) == 0 && writes(ONE) && comes(EPOLLIN, 1));
	return 1;
}

static int epoll_times_out(void)
{
	long before = now_ms();
	int p[2], ep;

	want(!pipe(p) && (ep = watched(p[0], EPOLLIN)) >= 0);
	want(epoll_wait(ep, got, 20, 30) == 0 && now_ms() - before >= 30);
	want(epoll_pwait(ep, got, 20, 1, NULL) == 0);
	return 1;
}

static int eventfd_counts(void)
{
	uint64_t v = 0;
	int fd = eventfd(3, EFD_NONBLOCK);

	want(fd >= 0 && read(fd, &v, 8) == 8 && v == 3);
	want_error(read(fd, &v, 8), EAGAIN);
	v = 5;
	want(write(fd, &v, 8) == 8 && write(fd, &v, 8) == 8 && read(fd, &v, 8) == 8 && v == 10);
	want_error(read(fd, &v, 4), EINVAL);
	v = (uint64_t)-1;
	want_error(write(fd, &v, 8), EINVAL);
	v = (uint64_t)-2;
	want(write(fd, &v, 8) == 8);
	v = 1;
	want_error(write(fd, &v, 8), EAGAIN);
	return 1;
}

static int eventfd_semaphore(void)
{
	uint64_t v;
	struct pollfd f = { eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC), POLLIN | POLLOUT, 0 };

	want(fcntl(f.fd, F_GETFD) == FD_CLOEXEC && poll(&f, 1, 0) == 1 && f.revents == (POLLIN | POLLOUT));
	want(read(f.fd, &v, 8) == 8 && v == 1 && read(f.fd, &v, 8) == 8 && v == 1);
	want_error(read(f.fd, &v, 8), EAGAIN);
	want(poll(&f, 1, 0) == 1 && f.revents == POLLOUT);
	return 1;
}

static int timerfd_once(void)
{
	struct itimerspec t = { .it_value = { 0, 20000000 } }, left;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	long before = now_ms();
	uint64_t v;

	want(fd >= 0 && !timerfd_settime(fd, 0, &t, NULL) && !timerfd_gettime(fd, &left) && left.it_value.tv_sec == 0);
	want(read(fd, &v, 8) == 8 && v == 1 && now_ms() - before >= 20);
	want(!timerfd_gettime(fd, &left) && !left.it_value.tv_sec && !left.it_value.tv_nsec);
	return 1;
}

static int timerfd_repeats(void)
{
	struct itimerspec t = { { 0, 5000000 }, { 0, 5000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct pollfd f = { fd, POLLIN, 0 };
	uint64_t v;

	want_error(read(fd, &v, 8), EAGAIN);
	want(!timerfd_settime(fd, 0, &t, NULL) && poll(&f, 1, 5000) == 1);
	sleep_ms(30);
	want(read(fd, &v, 8) == 8 && v >= 2);
	return 1;
}

static int timerfd_absolute(void)
{
	struct itimerspec t = { 0 };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t v;

	want(!clock_gettime(CLOCK_MONOTONIC, &t.it_value));
	t.it_value.tv_sec -= 1;
	want(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL) && read(fd, &v, 8) == 8 && v == 1);
	return 1;
}

static int timerfd_errors(void)
{
	struct itimerspec t = { .it_value = { 0, 1000000000 } };
	int fd = timerfd_create(CLOCK_REALTIME, 0);

	want_error(timerfd_settime(fd, 0, &t, NULL), EINVAL);
	want_error(timerfd_settime(0, 0, &t, NULL), EINVAL);
	want_error(timerfd_create(12345, 0), EINVAL);
	want_error(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	return 1;
}

/* The next event of those in DATA. */
static const struct inotify_event *next(const char *data, int n, int *at)
{
	const struct inotify_event *e = (const void *)(data + *at);

	if (*at >= n)
		return NULL;
	*at += sizeof(*e) + e->len;
	return e;
}

static int inotify_names(void)
{
	char data[2000] __attribute__((aligned(8)));
	const struct inotify_event *e;
	int in = inotify_init1(IN_NONBLOCK), wd, n, at = 0;

	want(!mkdir("d", 0755) &&
	     (wd = inotify_add_watch(in, "d", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE)) > 0);
	want_error(read(in, data, sizeof(data)), EAGAIN);
	want(!close(open("d/file", O_CREAT | O_WRONLY, 0644)) && !rename("d/file", "d/other") && !unlink("d/other"));
	want((n = read(in, data, sizeof(data))) > 0);
	e = next(data, n, &at);
	want(e && e->mask == IN_CREATE && e->wd == wd && !strcmp(e->name, "file"));
	e = next(data, n, &at);
	want(e && e->mask == IN_CLOSE_WRITE);
	e = next(data, n, &at);
	want(e && e->mask == IN_MOVED_FROM && e->cookie);
	e = next(data, n, &at);
	want(e && e->mask == IN_MOVED_TO && !strcmp(e->name, "other"));
	e = next(data, n, &at);
	want(e && e->mask == IN_DELETE && at == n);
	return 1;
}

static int inotify_of_a_file(void)
{
	char data[2000] __attribute__((aligned(8)));
	const struct inotify_event *e = (const void *)data;
	int in = inotify_init1(IN_CLOEXEC), wd, fd = pattern_file("f", 10), left;
	struct pollfd f = { in, POLLIN, 0 };

	want((wd = inotify_add_watch(in, "f", IN_MODIFY)) > 0 && poll(&f, 1, 0) == 0 && write(fd, "x", 1) == 1);
	want(poll(&f, 1, 1000) == 1 && !ioctl(in, FIONREAD, &left) && left == sizeof(*e));
	want_error(read(in, data, 4), EINVAL);
	want(read(in, data, sizeof(data)) == sizeof(*e) && e->mask == IN_MODIFY && e->len == 0 && e->wd == wd);
	want(!inotify_rm_watch(in, wd) && read(in, data, sizeof(data)) == sizeof(*e) && e->mask == IN_IGNORED);
	want_error(inotify_rm_watch(in, wd), EINVAL);
	want_error(inotify_add_watch(in, "none", IN_MODIFY), ENOENT);
	return 1;
}

const struct check checks[] = {
	CHECK(epoll_level), CHECK(epoll_edge), CHECK(epoll_oneshot), CHECK(epoll_changes), CHECK(epoll_errors),
	CHECK(epoll_many), CHECK(epoll_hangup), CHECK(epoll_forgets_closed), CHECK(epoll_nested),
	CHECK(epoll_child_adds), CHECK(epoll_both_add), CHECK(epoll_parent_adds), CHECK(epoll_child_changes),
	CHECK(epoll_changes_what_child_added), CHECK(epoll_child_arms), CHECK(epoll_child_removes), CHECK(epoll_child_closes),
	CHECK(epoll_times_out), CHECK(eventfd_counts), CHECK(eventfd_semaphore), CHECK(timerfd_once),
	CHECK(timerfd_repeats), CHECK(timerfd_absolute), CHECK(timerfd_errors), CHECK(inotify_names),
	CHECK(inotify_of_a_file),
	{ NULL, NULL },
};
