// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * process.c - identity, time, randomness; unless it has the argument "alone": a child, a thread, a handler. tests/conformance
 * has more of these.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>
#include "check.h"

static long nsec(const struct timespec *t)
{
	return t->tv_sec * 1000000000L + t->tv_nsec;
}

static void identity(void)
{
	struct utsname u;
	struct rlimit r;
	struct rusage ru;
	struct sysinfo si;
	struct tms tms;
	gid_t groups[100];

	check(getpid() > 1 && getppid() >= 0, "getpid, getppid");
	check(getuid() == geteuid() && getgid() == getegid(), "getuid and its kin");
	check(getgroups(0, NULL) >= 0 && getgroups(100, groups) >= 0, "getgroups");
	check(!uname(&u) && !strcmp(u.sysname, "Linux"), "uname: %s %s", u.sysname, u.machine);
	check(!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur > 0, "getrlimit");
	check(!getrusage(RUSAGE_SELF, &ru), "getrusage");
	check(!sysinfo(&si) && si.totalram > 0, "sysinfo");
	check(times(&tms) != (clock_t)-1, "times");
	check(sysconf(_SC_PAGESIZE) == 4096, "the size of a page");
	check(getenv("PATH") != NULL, "the environment has PATH");
}

static void clocks(void)
{
	struct timespec a, b, nap = { 0, 20000000 };
	struct timeval tv;
	int back = 0, i;

	check(!clock_gettime(CLOCK_REALTIME, &a) && a.tv_sec > 1577836800, "it is later than 2020");
	check(!gettimeofday(&tv, NULL) && tv.tv_sec - a.tv_sec <= 2 && time(NULL) - a.tv_sec <= 2, "gettimeofday, time agree");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < 1000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &b);
		back += nsec(&b) < nsec(&a);
		a = b;
	}
	check(!back, "the monotonic clock does not go back");
	clock_gettime(CLOCK_MONOTONIC, &a);
	check(!nanosleep(&nap, NULL), "nanosleep");
	clock_gettime(CLOCK_MONOTONIC, &b);
	check(nsec(&b) - nsec(&a) >= nsec(&nap), "it slept long enough");
	check(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a), "processor time");
	check(!clock_getres(CLOCK_MONOTONIC, &a), "clock_getres");
	check(clock_gettime(12345, &a) < 0 && errno == EINVAL, "no such clock");
}

static void randomness(void)
{
	unsigned char a[100] = { 0 }, b[100] = { 0 };
	int zeros = 0, i;

	check(getrandom(a, 100, 0) == 100 && getrandom(b, 100, 0) == 100 && memcmp(a, b, 100), "getrandom");
	for (i = 0; i < 100; i++)
		zeros += !a[i];
	check(zeros < 20, "it fills all");
}

static void on_signal(int sig)
{
}

static void *thread(void *arg)
{
	*(int *)arg = 9;
	pthread_exit(arg);
}

static void children(void)
{
	pthread_t t;
	pid_t pid;
	void *back;
	int status, set = 0;

	check(signal(SIGUSR1, SIG_IGN) == SIG_DFL && !kill(getpid(), SIGUSR1), "a signal can be ignored");
	check(signal(SIGUSR1, SIG_DFL) == SIG_IGN, "and what it was is told");
	check(signal(SIGUSR1, on_signal) != SIG_ERR, "a handler");
	pid = fork();
	if (!pid)
		_exit(7);
	check(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7, "fork, waitpid");
	check(!pthread_create(&t, NULL, thread, &set) && !pthread_join(t, &back) && back == &set && set == 9,
	      "pthread_create, pthread_join");
}

struct trace {
	int frames, in_main;
};

int main(int argc, char **argv);

static _Unwind_Reason_Code frame(struct _Unwind_Context *context, void *arg)
{
	struct trace *t = arg;

	t->frames++;
	t->in_main += _Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context)) == (void *)main;
	return _URC_NO_REASON;
}

static __attribute__((noinline)) void unwinding(void)
{
	struct trace t = { 0 };

	_Unwind_Backtrace(frame, &t);
	check(t.frames >= 3 && t.frames < 100 && t.in_main == 1, "_Unwind_Backtrace: %d frames", t.frames);
}

static int unwound;

static void on_unwind(void *arg)
{
	unwound += *(int *)arg;
}

/* The last thread has ended. */
static void at_end(void)
{
	int status;

	check(unwound == 5, "pthread_exit runs the clean-up handler, and the functions of atexit");
	status = summary();
	fflush(stdout);
	_exit(status);
}

int main(int argc, char **argv)
{
	int five = 5;

	identity();
	clocks();
	randomness();
	if (argc < 2)
		children();
	unwinding();
	atexit(at_end);
	pthread_cleanup_push(on_unwind, &five);
	pthread_exit(NULL);
	pthread_cleanup_pop(0);
}
