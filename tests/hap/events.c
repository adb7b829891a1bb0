// SPDX-License-Identifier: GPL-2.0-or-later
/* events.c - epoll, eventfd, timerfd, signalfd, inotify, in a directory of its own under argv[1]. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

#define MANY	300

static int add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

/* Waits for one event: is it this one? */
static int comes(int ep, uint32_t events, uint64_t data)
{
	struct epoll_event e[4];
	int n = epoll_wait(ep, e, 4, 2000);

	return n == 1 && e[0].events == events && e[0].data.u64 == data;
}

static int nothing(int ep)
{
	struct epoll_event e[4];

	return epoll_wait(ep, e, 4, 0) == 0;
}

static void epolls(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 5 }, many[MANY];
	static int p[MANY][2];
	struct timespec ts = { 0, 1000000 };
	int ep, other, fd, i, n, sum = 0;
	uint64_t secret = 0x1122334455667788;
	sigset_t set;
	char c;

	ep = epoll_create1(EPOLL_CLOEXEC);
	check(ep >= 0 && fcntl(ep, F_GETFD) == FD_CLOEXEC, "epoll_create1");
	check(epoll_create(0) < 0 && errno == EINVAL, "epoll_create of size 0");
	check(!pipe(p[0]) && !add(ep, p[0][0], EPOLLIN, secret), "EPOLL_CTL_ADD");
	check(add(ep, p[0][0], EPOLLIN, 1) < 0 && errno == EEXIST, "the same again");
	check(nothing(ep), "nothing yet");
	check(write(p[0][1], "x", 1) == 1 && comes(ep, EPOLLIN, secret) && comes(ep, EPOLLIN, secret), "an event, as long as it lasts");
	e.data.u64 = 77;
	e.events = EPOLLIN | EPOLLET;
	check(!epoll_ctl(ep, EPOLL_CTL_MOD, p[0][0], &e) && comes(ep, EPOLLIN, 77) && nothing(ep), "EPOLL_CTL_MOD, edges only");
	e.events = EPOLLIN | EPOLLONESHOT;
	check(!epoll_ctl(ep, EPOLL_CTL_MOD, p[0][0], &e) && comes(ep, EPOLLIN, 77) && nothing(ep), "once");
	check(!epoll_ctl(ep, EPOLL_CTL_MOD, p[0][0], &e) && comes(ep, EPOLLIN, 77), "and once more, when asked for again");
	e.events = 0;
	check(!epoll_ctl(ep, EPOLL_CTL_MOD, p[0][0], &e) && nothing(ep), "no events asked for");
	check(epoll_ctl(ep, EPOLL_CTL_MOD, p[0][1], &e) < 0 && errno == ENOENT, "EPOLL_CTL_MOD of what is not there");
	check(!epoll_ctl(ep, EPOLL_CTL_DEL, p[0][0], NULL) && nothing(ep), "EPOLL_CTL_DEL");
	check(epoll_ctl(ep, EPOLL_CTL_DEL, p[0][0], NULL) < 0 && errno == ENOENT, "again");
	check(epoll_ctl(ep, 9, p[0][0], &e) < 0 && errno == EINVAL && epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e) < 0 && errno == EINVAL &&
	      epoll_ctl(p[0][0], EPOLL_CTL_ADD, p[0][1], &e) < 0 && errno == EINVAL && add(ep, 99, EPOLLIN, 0) < 0 && errno == EBADF,
	      "what epoll_ctl refuses");
	fd = open(".", O_RDONLY);
	check(add(ep, fd, EPOLLIN, 0) < 0 && errno == EPERM, "a directory");
	close(fd);
	check(epoll_wait(ep, many, 0, 0) < 0 && errno == EINVAL && epoll_wait(p[0][0], many, 1, 0) < 0 && errno == EINVAL &&
	      epoll_wait(99, many, 1, 0) < 0 && errno == EBADF, "what epoll_wait refuses");

	/* The end of the other side is reported without being asked for. */
	add(ep, p[0][0], 0, 1);
	close(p[0][1]);
	check(comes(ep, EPOLLHUP, 1), "EPOLLHUP");
	close(p[0][0]);
	check(nothing(ep), "a closed descriptor is forgotten");
	check(!pipe(p[0]) && !add(ep, p[0][0], EPOLLIN, 2) && write(p[0][1], "x", 1) == 1 && comes(ep, EPOLLIN, 2), "its number may come again");
	fd = dup(ep);
	check(comes(fd, EPOLLIN, 2) && !close(ep) && comes(fd, EPOLLIN, 2), "a second descriptor of the instance");
	ep = fcntl(fd, F_DUPFD, 40);
	check(ep >= 40 && !close(fd) && comes(ep, EPOLLIN, 2), "and a third");
	check(dup2(ep, 60) == 60 && !close(ep) && comes(60, EPOLLIN, 2), "and one under a number of its own");
	ep = 60;
	other = epoll_create(1);
	check(!add(other, ep, EPOLLIN, 3) && comes(other, EPOLLIN, 3), "an instance in another one");
	close(other);
	fd = open("/dev/null", O_RDONLY);
	check(dup2(fd, p[0][0]) == p[0][0] && nothing(ep), "dup2 ends what was registered under the number");
	close(fd);
	close(p[0][0]);
	close(p[0][1]);

	for (i = 0; i < MANY; i++)
		if (pipe(p[i]) || add(ep, p[i][0], EPOLLIN, i) || write(p[i][1], "x", 1) != 1)
			break;
	check(i == MANY, "%d pipes", MANY);
	for (n = 0; (i = epoll_wait(ep, many, 7, 0)) > 0;) {
		while (i--) {
			n++;
			sum += many[i].data.u64;
			if (read(p[many[i].data.u64][0], &c, 1) != 1)
				break;
		}
	}
	check(n == MANY && sum == MANY * (MANY - 1) / 2, "each is reported, seven at a time");
	for (i = 0; i < MANY; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
	check(nothing(ep), "and none when they are closed");

	sigemptyset(&set);
	check(epoll_pwait(ep, many, 1, 1, &set) == 0, "epoll_pwait");
	check(syscall(SYS_epoll_pwait2, ep, many, 1, &ts, NULL, 0) == 0, "epoll_pwait2");
	close(ep);
	check(epoll_wait(ep, many, 1, 0) < 0 && errno == EBADF, "the instance is closed");
}

static void counters(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t v = 4;

	check(fd >= 0 && write(fd, &v, 8) == 8 && read(fd, &v, 8) == 8 && v == 7, "eventfd counts");
	check(read(fd, &v, 8) < 0 && errno == EAGAIN, "and is empty then");
	check(read(fd, &v, 4) < 0 && errno == EINVAL, "a read of too little");
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	check(read(fd, &v, 8) == 8 && v == 1 && read(fd, &v, 8) == 8 && v == 1 && read(fd, &v, 8) < 0, "as a semaphore");
	close(fd);
}

static long long ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void timers(void)
{
	struct itimerspec t = { .it_value = { 0, 30000000 } }, left;
	struct timespec now;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t n = 0;
	long long start;

	check(fd >= 0, "timerfd_create");
	start = ms();
	check(!timerfd_settime(fd, 0, &t, NULL) && read(fd, &n, 8) == 8 && n == 1 && ms() - start >= 29, "it expires after its time");
	t.it_value.tv_sec = 1000;
	check(!timerfd_settime(fd, 0, &t, &left) && !left.it_value.tv_sec && !timerfd_gettime(fd, &left) && left.it_value.tv_sec >= 900 &&
	      left.it_value.tv_sec <= 1000, "timerfd_gettime");
	t = (struct itimerspec){ { 0, 10000000 }, { 0, 10000000 } };
	check(!timerfd_settime(fd, 0, &t, NULL) && read(fd, &n, 8) == 8 && n >= 1 && read(fd, &n, 8) == 8, "it comes again");
	t = (struct itimerspec){ .it_value = { -1, 0 } };
	check(timerfd_settime(fd, 0, &t, NULL) < 0 && errno == EINVAL && timerfd_settime(fd, 4096, &t, NULL) < 0 && errno == EINVAL,
	      "what timerfd_settime refuses");
	start = ms();
	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_nsec += 30000000;
	if (now.tv_nsec >= 1000000000) {
		now.tv_sec++;
		now.tv_nsec -= 1000000000;
	}
	t = (struct itimerspec){ .it_value = now };
	check(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL) && read(fd, &n, 8) == 8 && n == 1 && ms() - start >= 29, "a time of CLOCK_MONOTONIC");
	t.it_value.tv_sec = 1;
	check(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL) && read(fd, &n, 8) == 8 && n == 1, "one that is over");
	close(fd);
	fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += 1000;
	t = (struct itimerspec){ .it_value = now };
	check(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL) && read(fd, &n, 8) < 0 && errno == EAGAIN, "a time of CLOCK_REALTIME to come");
	now.tv_sec -= 1001;
	t = (struct itimerspec){ .it_value = now };
	check(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL) && poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 2000) == 1 &&
	      read(fd, &n, 8) == 8, "one that is over");
	close(fd);
	check(timerfd_create(99, 0) < 0 && errno == EINVAL, "a clock that does not exist");
}

static void signals(void)
{
	struct signalfd_siginfo info[2];
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	check(fd >= 0 && read(fd, info, sizeof(info)) < 0 && errno == EAGAIN, "signalfd");
	kill(getpid(), SIGUSR1);
	check(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 2000) == 1 && read(fd, info, sizeof(info)) == sizeof(info[0]) &&
	      info[0].ssi_signo == SIGUSR1 && (int)info[0].ssi_pid == getpid(), "a signal comes through it");
	sigdelset(&set, SIGUSR1);
	check(signalfd(fd, &set, 0) == fd, "another mask");
	kill(getpid(), SIGUSR2);
	check(read(fd, info, sizeof(info)) == sizeof(info[0]) && info[0].ssi_signo == SIGUSR2, "and the other signal");
	close(fd);
}

static void watches(void)
{
	char buf[4096] __attribute__((aligned(8)));
	struct inotify_event *e = (void *)buf;
	int fd = inotify_init1(IN_NONBLOCK), wd, n, names = 0;
	char *at;

	wd = inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE);
	check(fd >= 0 && wd >= 0 && read(fd, buf, sizeof(buf)) < 0 && errno == EAGAIN, "inotify");
	close(open("one", O_CREAT | O_WRONLY, 0600));
	close(open("another-name", O_CREAT | O_WRONLY, 0600));
	unlink("one");
	n = read(fd, buf, sizeof(buf));
	for (at = buf; at < buf + n; at += sizeof(*e) + e->len) {
		e = (void *)at;
		names += e->wd == wd && (!strcmp(e->name, "one") || !strcmp(e->name, "another-name"));
	}
	check(n > 0 && names == 3, "three events with names");
	unlink("another-name");
	check(read(fd, buf, 10) < 0 && errno == EINVAL, "a read of too little");
	check(readv(fd, &(struct iovec){ buf, sizeof(buf) }, 1) > 0, "readv");
	check(!inotify_rm_watch(fd, wd) && read(fd, buf, sizeof(buf)) == sizeof(*e) && e->mask, "inotify_rm_watch");
	check(inotify_add_watch(fd, "nothing", IN_CREATE) < 0 && errno == ENOENT, "a watch of what is not there");
	close(fd);
}

int main(int argc, char **argv)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/events-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!check(mkdtemp(dir) && !chdir(dir), "a directory"))
		return summary();
	epolls();
	counters();
	timers();
	signals();
	watches();
	check(!chdir("/") && !rmdir(dir), "all is removed");
	return summary();
}
