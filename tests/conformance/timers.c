// SPDX-License-Identifier: GPL-2.0-or-later
/* timers.c - alarm, setitimer, timer_create, limits of processor time; and calls that signals interrupt. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

static volatile sig_atomic_t count;

static void counts(int sig)
{
	count++;
}

static int handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = counts, .sa_flags = flags };

	count = 0;
	return !sigaction(sig, &sa, NULL);
}

static int alarm_comes(void)
{
	long before = now_ms();

	want(handle(SIGALRM, 0) && alarm(1) == 0);
	want_error(pause(), EINTR);
	want(count == 1 && now_ms() - before >= 990 && alarm(0) == 0);
	return 1;
}

static int alarm_is_replaced(void)
{
	want(handle(SIGALRM, 0) && alarm(100) == 0 && alarm(50) >= 99 && alarm(0) >= 49 && alarm(0) == 0 && count == 0);
	return 1;
}

static int itimer_real(void)
{
	struct itimerval t = { { 0, 3000 }, { 0, 3000 } }, left, none = { { 0, 0 }, { 0, 0 } };

	want(handle(SIGALRM, 0) && !setitimer(ITIMER_REAL, &t, NULL) && !getitimer(ITIMER_REAL, &left));
	want(left.it_interval.tv_usec == 3000 && left.it_value.tv_sec == 0);
	want_soon(count >= 5);
	want(!setitimer(ITIMER_REAL, &none, &left) && left.it_interval.tv_usec == 3000);
	count = 0;
	sleep_ms(10);
	want(count == 0);
	return 1;
}

static int itimer_virtual(int which, int sig)
{
	struct itimerval t = { .it_value = { 0, 5000 } };
	long end = now_ms() + 10000;

	want(handle(sig, 0) && !setitimer(which, &t, NULL));
	while (!count && now_ms() < end)
		;
	want(count == 1);
	return 1;
}

static int itimer_user(void) { return itimer_virtual(ITIMER_VIRTUAL, SIGVTALRM); }
static int itimer_profile(void) { return itimer_virtual(ITIMER_PROF, SIGPROF); }

static int itimer_errors(void)
{
	struct itimerval t = { .it_value = { 0, 1000000 } };

	want_error(setitimer(ITIMER_REAL, &t, NULL), EINVAL);
	want_error(getitimer(77, &t), EINVAL);
	return 1;
}

static int timers_are_not_inherited(void)
{
	struct itimerval t = { .it_value = { 100, 0 } }, none = { { 0, 0 }, { 0, 0 } };
	pid_t pid;

	want(!setitimer(ITIMER_REAL, &t, NULL));
	pid = fork();
	if (!pid)
		_exit(alarm(0) == 0 ? 0 : 1);
	want(status_of(pid) == 0 && !setitimer(ITIMER_REAL, &none, &t) && t.it_value.tv_sec >= 90);
	return 1;
}

static int posix_timer(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec t = { { 0, 3000000 }, { 0, 3000000 } }, left;
	timer_t timer;

	want(handle(SIGUSR1, 0) && !timer_create(CLOCK_MONOTONIC, &e, &timer) && !timer_gettime(timer, &left));
	want(!left.it_value.tv_sec && !left.it_value.tv_nsec && !timer_settime(timer, 0, &t, NULL));
	want_soon(count >= 5);
	want(timer_getoverrun(timer) >= 0 && !timer_delete(timer));
	want_error(timer_delete(timer), EINVAL);
	return 1;
}

static int posix_timer_absolute(void)
{
	struct itimerspec t = { 0 };
	timer_t timer;

	want(handle(SIGALRM, 0) && !timer_create(CLOCK_REALTIME, NULL, &timer) &&
	     !clock_gettime(CLOCK_REALTIME, &t.it_value));
	want(!timer_settime(timer, TIMER_ABSTIME, &t, NULL));
	want_soon(count == 1);
	want(!timer_delete(timer));
	return 1;
}

static int posix_timer_overrun(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec t = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;
	siginfo_t i;
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	want(!sigprocmask(SIG_BLOCK, &s, NULL) && !timer_create(CLOCK_MONOTONIC, &e, &timer) &&
	     !timer_settime(timer, 0, &t, NULL));
	sleep_ms(50);
	want(sigwaitinfo(&s, &i) == SIGUSR1 && timer_getoverrun(timer) >= 5 && !timer_delete(timer));
	want(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	return 1;
}

static int posix_timer_errors(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99 };
	timer_t timer;

	want_error(timer_create(CLOCK_MONOTONIC, &e, &timer), EINVAL);
	want_error(timer_create(12345, NULL, &timer), EINVAL);
	return 1;
}

static int silent_timer(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_NONE };
	struct itimerspec t = { .it_value = { 100, 0 } }, left;
	timer_t timer;

	want(!timer_create(CLOCK_MONOTONIC, &e, &timer) && !timer_settime(timer, 0, &t, NULL) &&
	     !timer_gettime(timer, &left));
	want(left.it_value.tv_sec >= 90 && left.it_value.tv_sec <= 100 && !timer_delete(timer));
	return 1;
}

static int limit_of_cpu_time(void)
{
	struct rlimit r = { 1, 2 };
	volatile long x = 0;
	int status;
	pid_t pid = fork();

	if (!pid) {
		setrlimit(RLIMIT_CPU, &r);
		for (;;)
			x++;
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
	return 1;
}

static int limit_of_file_size(void)
{
	struct rlimit r = { 100, 100 };
	int status, fd = pattern_file("f", 100);
	pid_t pid = fork();

	if (!pid) {
		setrlimit(RLIMIT_FSIZE, &r);
		_exit(pwrite(fd, "x", 1, 100) == 1 ? 0 : 1);
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
	return 1;
}

/* --- interrupted calls --- */

static pid_t pest;
static volatile int *sent;	/* by it; shared */

/* Until it is ended, a child sends SIGUSR1 to this process every few milliseconds. */
static int pester(void)
{
	pid_t me = getpid();

	if (!sent)
		sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sent == MAP_FAILED)
		return 0;
	*sent = 0;
	pest = fork();
	if (!pest) {
		do {
			sleep_ms(5);
		} while (getppid() == me && !kill(me, SIGUSR1) && ++*sent);
		_exit(0);
	}
	return pest > 0;
}

static int begin(int flags)
{
	return handle(SIGUSR1, flags) && pester();
}

static int end(void)
{
	return count >= 1 && !kill(pest, SIGKILL) && status_of(pest) == SIGKILL;
}

/* A call that would wait for ever is interrupted. */
#define INTERRUPTED(name, prepare, call) \
static int name(void) \
{ \
	prepare; \
	want(begin(0)); \
	want_error(call, EINTR); \
	want(end()); \
	return 1; \
}

static int p[2], s[2];
static char c;
static struct pollfd pf;
static struct epoll_event ee;
static struct sembuf down = { 0, -1, 0 };
static struct { long type; char text[10]; } message;
static int id;
static sem_t semaphore;
static struct timespec long_time;

INTERRUPTED(read_interrupted, want(!pipe(p)), read(p[0], &c, 1))
INTERRUPTED(receive_interrupted, want(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s)), recv(s[0], &c, 1, 0))
INTERRUPTED(poll_interrupted, want(!pipe(p)); pf = ((struct pollfd){ p[0], POLLIN, 0 }), poll(&pf, 1, -1))
INTERRUPTED(select_interrupted, , select(0, NULL, NULL, NULL, NULL))
INTERRUPTED(epoll_interrupted, want((id = epoll_create1(0)) >= 0), epoll_wait(id, &ee, 1, -1))
INTERRUPTED(semop_interrupted, want((id = semget(IPC_PRIVATE, 1, 0600)) >= 0), semop(id, &down, 1))
INTERRUPTED(msgrcv_interrupted, want((id = msgget(IPC_PRIVATE, 0600)) >= 0), msgrcv(id, &message, 10, 0, 0))
INTERRUPTED(semaphore_interrupted, want(!sem_init(&semaphore, 0, 0)), sem_wait(&semaphore))

static int nanosleep_interrupted(void)
{
	struct timespec left = { 0, 0 };

	long_time = (struct timespec){ 100, 0 };
	want(begin(0));
	want_error(nanosleep(&long_time, &left), EINTR);
	want(left.tv_sec >= 90 && left.tv_sec < 100 && end());
	want(begin(SA_RESTART));
	want_error(nanosleep(&long_time, &left), EINTR);
	want(end());
	return 1;
}

static int clock_nanosleep_interrupted(void)
{
	long_time = (struct timespec){ 100, 0 };
	want(begin(0));
	want_number(clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL), EINTR);
	want(end());
	return 1;
}

static int wait_interrupted(void)
{
	want(begin(0));
	want_error(waitpid(pest, NULL, 0), EINTR);
	want(end());
	return 1;
}

/* A child that does something after a few signals, so that the call of its parent was restarted. */
static pid_t later(int (*f)(void))
{
	pid_t pid = fork();

	if (!pid) {
		while (*sent < 5)
			sleep_ms(5);
		_exit(f() ? 0 : 1);
	}
	return pid;
}

static int writes_to_pipe(void) { return write(p[1], "x", 1) == 1; }
static int writes_to_socket(void) { return write(s[1], "x", 1) == 1; }
static int does_nothing(void) { return 1; }

static int read_restarted(void)
{
	pid_t pid;

	want(!pipe(p) && begin(SA_RESTART) && (pid = later(writes_to_pipe)) > 0);
	want(read(p[0], &c, 1) == 1 && end() && status_of(pid) == 0);
	return 1;
}

static int receive_restarted(void)
{
	pid_t pid;

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && begin(SA_RESTART) && (pid = later(writes_to_socket)) > 0);
	want(recv(s[0], &c, 1, 0) == 1 && end() && status_of(pid) == 0);
	return 1;
}

static int wait_restarted(void)
{
	pid_t pid;

	want(begin(SA_RESTART) && (pid = later(does_nothing)) > 0);
	want(waitpid(pid, NULL, 0) == pid && end());
	return 1;
}

static int locked;
static int unlocks(void) { return !flock(locked, LOCK_UN); }

static int lock_restarted(void)
{
	int other;
	pid_t pid;

	locked = pattern_file("f", 10);
	other = open("f", O_RDWR);
	want(!flock(locked, LOCK_EX) && begin(SA_RESTART) && (pid = later(unlocks)) > 0);
	want(!flock(other, LOCK_EX) && end() && status_of(pid) == 0);
	return 1;
}

static int poll_never_restarted(void)
{
	want(!pipe(p) && begin(SA_RESTART));
	pf = (struct pollfd){ p[0], POLLIN, 0 };
	want_error(poll(&pf, 1, -1), EINTR);
	want(end());
	return 1;
}

/* No time for the signal but in the call, and none is lost before it. */
static int mask_during_the_call(int which)
{
	struct timespec t = { 10, 0 };
	sigset_t set, none;

	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	want(handle(SIGUSR1, 0) && !sigprocmask(SIG_BLOCK, &set, NULL) && !raise(SIGUSR1) && count == 0);
	if (which == 0)
		want_error(ppoll(NULL, 0, &t, &none), EINTR);
	else if (which == 1)
		want_error(pselect(0, NULL, NULL, NULL, &t, &none), EINTR);
	else
		want_error(epoll_pwait(epoll_create1(0), &ee, 1, 10000, &none), EINTR);
	want(count == 1 && !sigprocmask(SIG_BLOCK, NULL, &none) && sigismember(&none, SIGUSR1));
	return 1;
}

static int ppoll_mask(void) { return mask_during_the_call(0); }
static int pselect_mask(void) { return mask_during_the_call(1); }
static int epoll_pwait_mask(void) { return mask_during_the_call(2); }

static int partial_write(void)
{
	static char much[300000];
	long n;

	want(!pipe(p) && begin(0) && (n = write(p[1], much, sizeof(much))) > 0 && n < (long)sizeof(much) && end());
	return 1;
}

static int ignored_does_not_interrupt(void)
{
	pid_t pid;

	want(!pipe(p) && signal(SIGUSR1, SIG_IGN) != SIG_ERR && pester());
	want((pid = later(writes_to_pipe)) > 0 && read(p[0], &c, 1) == 1 && status_of(pid) == 0);
	want(!kill(pest, SIGKILL) && status_of(pest) == SIGKILL);
	return 1;
}

/* What a process ends with is its own word, also if a signal comes at its very end: sooner or later after one. */
static int exit_among_signals(void)
{
	struct itimerval t = { { 0, 5000 }, { 0, 5000 } };
	int i, status;
	volatile long n;
	pid_t pid;

	want(handle(SIGALRM, 0));
	for (i = 0; i < 60; i++) {
		pid = fork();
		if (!pid) {
			if (setitimer(ITIMER_REAL, &t, NULL))
				_exit(1);
			while (!count)
				;
			for (n = i * 2000; n; n--)
				;
			_exit(7);
		}
		status = status_of(pid);
		want(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
	return 1;
}

const struct check checks[] = {
	CHECK(alarm_comes), CHECK(alarm_is_replaced), CHECK(itimer_real), CHECK(itimer_user),
	CHECK(itimer_profile), CHECK(itimer_errors), CHECK(timers_are_not_inherited), CHECK(posix_timer),
	CHECK(posix_timer_absolute), CHECK(posix_timer_overrun), CHECK(posix_timer_errors), CHECK(silent_timer),
	CHECK(limit_of_cpu_time), CHECK(limit_of_file_size), CHECK(read_interrupted),
	CHECK(receive_interrupted), CHECK(poll_interrupted), CHECK(select_interrupted),
	CHECK(epoll_interrupted), CHECK(semop_interrupted), CHECK(msgrcv_interrupted),
	CHECK(semaphore_interrupted), CHECK(nanosleep_interrupted), CHECK(clock_nanosleep_interrupted),
	CHECK(wait_interrupted), CHECK(read_restarted), CHECK(receive_restarted), CHECK(wait_restarted),
	CHECK(lock_restarted), CHECK(poll_never_restarted), CHECK(ppoll_mask), CHECK(pselect_mask),
	CHECK(epoll_pwait_mask), CHECK(partial_write), CHECK(ignored_does_not_interrupt),
	CHECK(exit_among_signals),
	{ NULL, NULL },
};
