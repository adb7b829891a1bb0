// SPDX-License-Identifier: GPL-2.0-or-later
/* signals.c - handlers, masks, what is pending, flags of sigaction, jumps out of handlers; signals to threads. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "conformance.h"

static volatile sig_atomic_t count, last, order[20], depth;

static void counts(int sig)
{
	order[count % 20] = sig;
	count++;
	last = sig;
}

static int handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	count = last = depth = 0;
	return !sigaction(sig, &sa, NULL);
}

static sigset_t set_of(int a, int b)
{
	sigset_t s;

	sigemptyset(&s);
	if (a)
		sigaddset(&s, a);
	if (b)
		sigaddset(&s, b);
	return s;
}

static int block(int a, int b)
{
	sigset_t s = set_of(a, b);

	return !sigprocmask(SIG_BLOCK, &s, NULL);
}

static int unblock(int a, int b)
{
	sigset_t s = set_of(a, b);

	return !sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static int is_blocked(int sig)
{
	sigset_t s;

	return !sigprocmask(SIG_BLOCK, NULL, &s) && sigismember(&s, sig);
}

static int is_pending(int sig)
{
	sigset_t s;

	return !sigpending(&s) && sigismember(&s, sig);
}

static int handler_runs(void)
{
	want(handle(SIGUSR1, counts, 0) && !raise(SIGUSR1) && count == 1 && last == SIGUSR1);
	want(!kill(getpid(), SIGUSR1) && count == 2 && !raise(SIGUSR1) && count == 3);
	return 1;
}

static int each_signal(void)
{
	int sig;

	for (sig = 1; sig <= 64; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33 || sig == 34)
			continue;	/* 32 to 34 are libraries' own */
		want(handle(sig, counts, 0) && !kill(getpid(), sig) && count == 1 && last == sig);
		want(signal(sig, SIG_DFL) == counts);
	}
	return 1;
}

static int many_times(void)
{
	int i;

	want(handle(SIGUSR1, counts, 0));
	for (i = 0; i < 300; i++)
		want(!raise(SIGUSR1));
	want(count == 300);
	return 1;
}

static int ignored(void)
{
	want(signal(SIGTERM, SIG_IGN) == SIG_DFL && !raise(SIGTERM) && signal(SIGTERM, SIG_DFL) == SIG_IGN);
	want(!raise(SIGCHLD) && !raise(SIGURG) && !raise(SIGWINCH) && !raise(SIGCONT));
	return 1;
}

static int blocked_then_delivered(void)
{
	want(handle(SIGUSR1, counts, 0) && block(SIGUSR1, 0) && !raise(SIGUSR1) && !raise(SIGUSR1) && count == 0);
	want(is_pending(SIGUSR1) && !is_pending(SIGUSR2) && unblock(SIGUSR1, 0) && count == 1 && !is_pending(SIGUSR1));
	return 1;
}

static int ignoring_drops_pending(void)
{
	want(handle(SIGUSR1, counts, 0) && block(SIGUSR1, 0) && !raise(SIGUSR1) && signal(SIGUSR1, SIG_IGN) == counts);
	want(!is_pending(SIGUSR1) && handle(SIGUSR1, counts, 0) && unblock(SIGUSR1, 0) && count == 0);
	return 1;
}

static int mask_operations(void)
{
	sigset_t s = set_of(SIGUSR1, SIGUSR2), old;

	want(!sigprocmask(SIG_SETMASK, &s, &old) && !sigismember(&old, SIGUSR1) && is_blocked(SIGUSR1) &&
	     is_blocked(SIGUSR2));
	want(unblock(SIGUSR1, 0) && !is_blocked(SIGUSR1) && is_blocked(SIGUSR2) && block(SIGHUP, 0) &&
	     is_blocked(SIGHUP));
	want(!sigprocmask(SIG_SETMASK, &old, NULL) && !is_blocked(SIGUSR2));
	sigfillset(&s);
	want(!sigprocmask(SIG_SETMASK, &s, NULL) && !is_blocked(SIGKILL) && !is_blocked(SIGSTOP) &&
	     is_blocked(SIGSEGV));
	want(!sigprocmask(SIG_SETMASK, &old, NULL));
	return 1;
}

static void looks_at_mask(int sig)
{
	last = is_blocked(SIGUSR1) * 100 + is_blocked(SIGUSR2) * 10 + is_blocked(SIGHUP);
	count++;
}

static int mask_in_handler(void)
{
	struct sigaction sa = { .sa_handler = looks_at_mask };

	sigaddset(&sa.sa_mask, SIGUSR2);
	want(!sigaction(SIGUSR1, &sa, NULL) && !raise(SIGUSR1) && last == 110 && !is_blocked(SIGUSR1) &&
	     !is_blocked(SIGUSR2));
	want(block(SIGHUP, 0) && !raise(SIGUSR1) && last == 111 && is_blocked(SIGHUP));
	return 1;
}

static void raises_itself(int sig)
{
	int mine = ++depth;

	count++;
	if (count < 4)
		raise(sig);
	order[count] = mine;
	if (depth == mine)
		depth--;
}

static int not_nested_by_default(void)
{
	want(handle(SIGUSR1, raises_itself, 0) && !raise(SIGUSR1) && count == 4);
	want(order[1] <= 1 && order[4] == 1);
	return 1;
}

static volatile int deepest;

static void nests(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (depth < 5)
		raise(sig);
	depth--;
	count++;
}

static int nested_with_nodefer(void)
{
	deepest = 0;
	want(handle(SIGUSR1, nests, SA_NODEFER) && !raise(SIGUSR1) && deepest == 5 && count == 5 && depth == 0);
	return 1;
}

static void raises_other(int sig)
{
	order[depth++] = sig;
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	else if (sig == SIGUSR2)
		raise(SIGHUP);
	order[depth++] = -sig;
}

static int nested_different(void)
{
	want(handle(SIGUSR1, raises_other, 0) && handle(SIGUSR2, raises_other, 0) && handle(SIGHUP, raises_other, 0));
	want(!raise(SIGUSR1) && depth == 6 && order[0] == SIGUSR1 && order[2] == SIGHUP && order[3] == -SIGHUP &&
	     order[5] == -SIGUSR1);
	return 1;
}

static int reset_after_one(void)
{
	struct sigaction sa;

	want(handle(SIGUSR1, counts, SA_RESETHAND) && !raise(SIGUSR1) && count == 1);
	want(!sigaction(SIGUSR1, NULL, &sa) && sa.sa_handler == SIG_DFL);
	return 1;
}

static int action_is_told(void)
{
	struct sigaction sa = { .sa_handler = counts, .sa_flags = SA_RESTART | SA_NODEFER }, old;

	sigaddset(&sa.sa_mask, SIGHUP);
	want(!sigaction(SIGUSR1, &sa, NULL) && !sigaction(SIGUSR1, NULL, &old) && old.sa_handler == counts);
	want((old.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO)) == (SA_RESTART | SA_NODEFER));
	want(sigismember(&old.sa_mask, SIGHUP) && !sigismember(&old.sa_mask, SIGUSR1));
	return 1;
}

static int lowest_first(void)
{
	want(handle(SIGUSR1, counts, 0) && handle(SIGUSR2, counts, 0) && handle(SIGHUP, counts, 0));
	want(block(SIGUSR1, SIGUSR2) && block(SIGHUP, 0) && !raise(SIGUSR2) && !raise(SIGHUP) && !raise(SIGUSR1));
	want(unblock(SIGUSR1, SIGUSR2) && count == 2 && unblock(SIGHUP, 0) && count == 3 && last == SIGHUP);
	return 1;
}

static int realtime_queues(void)
{
	int sig = SIGRTMIN + 2, i;

	want(handle(sig, counts, 0) && block(sig, 0));
	for (i = 0; i < 5; i++)
		want(!kill(getpid(), sig));
	want(count == 0 && unblock(sig, 0) && count == 5);
	return 1;
}

static int suspend_waits(void)
{
	sigset_t none = set_of(0, 0);

	want(handle(SIGUSR1, counts, 0) && block(SIGUSR1, 0) && !raise(SIGUSR1));
	want_error(sigsuspend(&none), EINTR);
	want(count == 1 && is_blocked(SIGUSR1));
	return 1;
}

static int suspend_for_another(void)
{
	sigset_t s = set_of(SIGUSR1, 0);
	pid_t me = getpid(), pid;

	want(handle(SIGUSR1, counts, 0) && handle(SIGUSR2, counts, 0) && block(SIGUSR1, SIGUSR2) && !raise(SIGUSR1));
	pid = fork();
	if (!pid) {
		sleep_ms(20);
		kill(me, SIGUSR2);
		_exit(0);
	}
	want_error(sigsuspend(&s), EINTR);
	want(count == 1 && last == SIGUSR2 && is_pending(SIGUSR1) && status_of(pid) == 0 &&
	     signal(SIGUSR1, SIG_IGN) == counts);
	return 1;
}

static int pause_ends(void)
{
	pid_t me = getpid(), pid;

	want(handle(SIGUSR1, counts, 0));
	pid = fork();
	if (!pid) {
		/* It may come too early: until the parent has seen it. */
		while (!kill(me, SIGUSR1) && getppid() == me)
			sleep_ms(20);
		_exit(0);
	}
	want_error(pause(), EINTR);
	want(count >= 1 && !kill(pid, SIGKILL) && status_of(pid) == SIGKILL);
	return 1;
}

static sigjmp_buf back;

static void jumps(int sig)
{
	count++;
	siglongjmp(back, count);
}

static int jump_out(void)
{
	want(handle(SIGUSR1, jumps, 0));
	switch (sigsetjmp(back, 1)) {
	case 0: case 1: case 2: case 3: case 4:
		want(!is_blocked(SIGUSR1));
		raise(SIGUSR1);
		want(0);
	}
	want(count == 5 && !is_blocked(SIGUSR1));
	return 1;
}

static int jump_out_keeping_mask(void)
{
	want(handle(SIGUSR1, jumps, 0));
	if (!sigsetjmp(back, 0)) {
		raise(SIGUSR1);
		want(0);
	}
	want(count == 1 && is_blocked(SIGUSR1) && unblock(SIGUSR1, 0));
	return 1;
}

static int jump_many_times(void)
{
	volatile int i = 0;

	want(handle(SIGUSR1, jumps, 0));
	sigsetjmp(back, 1);
	if (i++ < 200)
		raise(SIGUSR1);
	want(count == 200);
	return 1;
}

static void changes_errno(int sig)
{
	errno = 77;
	count++;
}

static int registers_survive(void)
{
	volatile double d = 1.5;
	double sum = 0, a = 0.1, b = 0.2, c = 0.3;
	int i;

	want(handle(SIGUSR1, changes_errno, 0));
	for (i = 0; i < 50; i++) {
		raise(SIGUSR1);
		sum += a * b + c * d;
	}
	want(sum > 23.49 && sum < 23.51 && count == 50);
	return 1;
}

static void uses_floats(int sig)
{
	volatile double x = 1;
	int i;

	for (i = 0; i < 20; i++)
		x = x * 1.5 + 0.25;
	count++;
}

/* A loop in registers alone, interrupted at any place, by a child. */
static int interrupted_anywhere(void)
{
	pid_t me = getpid(), pid;
	unsigned long x = 1, y = 1;
	double f = 0;
	int i;

	want(handle(SIGUSR1, uses_floats, 0));
	pid = fork();
	if (!pid) {
		for (i = 0; i < 30; i++) {
			kill(me, SIGUSR1);
			sleep_ms(1);
		}
		_exit(0);
	}
	do {
		for (x = y = 1, f = 0, i = 0; i < 2000; i++) {
			x = x * 6364136223846793005UL + 1442695040888963407UL;
			y += x >> 7;
			f += 0.5;
		}
		want(f == 1000.0);
	} while (count < 5);
	value("%lx %lx", x, y);
	want(status_of(pid) == 0);
	return 1;
}

/* Calls that cannot fail do not, wherever a signal comes. */
static int calls_that_cannot_fail(void)
{
	pid_t me = getpid(), parent = getppid(), pid;
	uid_t user = getuid();

	want(handle(SIGUSR1, counts, 0));
	pid = fork();
	if (!pid) {
		while (!kill(me, SIGUSR1))
			sleep_ms(1);
		_exit(0);
	}
	while (count < 100)
		want(getpid() == me && getppid() == parent && getuid() == user && umask(022) == 022);
	want(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
	return 1;
}

static int handlers_after_fork(void)
{
	pid_t pid;

	want(handle(SIGUSR1, counts, 0) && block(SIGUSR2, 0) && !raise(SIGUSR2));
	pid = fork();
	if (!pid) {
		want(is_blocked(SIGUSR2) && !is_pending(SIGUSR2) && !raise(SIGUSR1) && count == 1);
		_exit(0);
	}
	want(status_of(pid) == 0 && count == 0 && is_pending(SIGUSR2) && signal(SIGUSR2, SIG_IGN) != SIG_ERR);
	return 1;
}

static int child_signals_parent(void)
{
	pid_t me = getpid(), pid;

	want(handle(SIGUSR1, counts, 0));
	pid = fork();
	if (!pid)
		_exit(kill(me, SIGUSR1) ? 1 : 0);
	want(status_of(pid) == 0);
	want_soon(count == 1);
	return 1;
}

static int end_of_child(void)
{
	pid_t pid;

	want(handle(SIGCHLD, counts, 0));
	pid = fork();
	if (!pid)
		_exit(0);
	want_soon(count == 1);
	want(status_of(pid) == 0 && last == SIGCHLD);
	return 1;
}

static void reaps(int sig)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		count++;
}

static int reaping_handler(void)
{
	int i;

	want(handle(SIGCHLD, reaps, SA_RESTART));
	for (i = 0; i < 10; i++)
		if (!fork())
			_exit(0);
	want_soon(count == 10);
	return 1;
}

static int group_gets_it(void)
{
	int i, status, p[2];
	char c;
	pid_t pid[3], leader = 0;

	want(!pipe(p));
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			setpgid(0, leader);
			if (write(p[1], "x", 1) == 1)
				for (;;)
					pause();
			_exit(1);
		}
		leader = pid[0];
		setpgid(pid[i], leader);
	}
	for (i = 0; i < 3; i++)
		want(read(p[0], &c, 1) == 1);
	want(!kill(-leader, SIGTERM));
	for (i = 0; i < 3; i++) {
		status = status_of(pid[i]);
		want(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	}
	want_error(kill(-leader, SIGTERM), ESRCH);
	want_error(killpg(leader, 0), ESRCH);
	return 1;
}

static int not_allowed(void)
{
	pid_t me = getpid(), pid = fork();

	if (!pid) {
		want(!setgid(4321) && !setuid(4321));
		want_error(kill(me, SIGTERM), EPERM);
		want_error(kill(me, 0), EPERM);
		_exit(0);
	}
	want(status_of(pid) == 0);
	return 1;
}

/* --- threads --- */

static volatile pthread_t handled_by;
static volatile int ready, stop;

static void notes_thread(int sig)
{
	handled_by = pthread_self();
	count++;
}

static void *idles(void *arg)
{
	ready = 1;
	while (!stop)
		sched_yield();
	return THREAD_OK;
}

static int to_one_thread(void)
{
	pthread_t t;

	ready = stop = 0;
	want(handle(SIGUSR1, notes_thread, 0) && !pthread_create(&t, NULL, idles, NULL));
	want_soon(ready);
	want(!pthread_kill(t, SIGUSR1));
	want_soon(count == 1);
	want(pthread_equal(handled_by, t) && !pthread_kill(pthread_self(), SIGUSR1) && count == 2);
	want(pthread_equal(handled_by, pthread_self()) && !pthread_kill(t, 0));
	stop = 1;
	want(!pthread_join(t, NULL));
	return 1;
}

static void *blocks_it(void *arg)
{
	sigset_t s = set_of(SIGUSR1, 0);

	want(!pthread_sigmask(SIG_BLOCK, &s, NULL) && idles(NULL) && !sigpending(&s) &&
	     sigismember(&s, SIGUSR1) == (arg != NULL));
	return THREAD_OK;
}

static int masks_are_their_own(void)
{
	pthread_t t;
	void *r;

	ready = stop = 0;
	want(handle(SIGUSR1, notes_thread, 0) && !pthread_create(&t, NULL, blocks_it, NULL));
	want_soon(ready);
	want(!kill(getpid(), SIGUSR1));
	want_soon(count == 1);
	want(pthread_equal(handled_by, pthread_self()));
	stop = 1;
	want(!pthread_join(t, &r) && r == THREAD_OK);
	return 1;
}

static int pending_is_of_the_thread(void)
{
	pthread_t t;
	void *r;

	ready = stop = 0;
	want(handle(SIGUSR1, notes_thread, 0) && !pthread_create(&t, NULL, blocks_it, (void *)&ready));
	want_soon(ready);
	want(!pthread_kill(t, SIGUSR1) && !is_pending(SIGUSR1) && count == 0);
	stop = 1;
	want(!pthread_join(t, &r) && r == THREAD_OK && count == 0);
	return 1;
}

static void *mask_of_creator(void *arg)
{
	want(is_blocked(SIGUSR2) && !is_blocked(SIGUSR1));
	return THREAD_OK;
}

static int mask_is_inherited(void)
{
	pthread_t t;
	void *r;

	want(block(SIGUSR2, 0) && !pthread_create(&t, NULL, mask_of_creator, NULL) && !pthread_join(t, &r) &&
	     r == THREAD_OK);
	return 1;
}

static void *waits_for_it(void *arg)
{
	sigset_t s = set_of(SIGUSR1, 0);
	int sig = 0;

	ready = 1;
	want(!sigwait(&s, &sig) && sig == SIGUSR1);
	return THREAD_OK;
}

static int one_thread_waits(void)
{
	pthread_t t;
	void *r;

	ready = 0;
	want(block(SIGUSR1, 0) && !pthread_create(&t, NULL, waits_for_it, NULL));
	want_soon(ready);
	want(!kill(getpid(), SIGUSR1) && !pthread_join(t, &r) && r == THREAD_OK);
	return 1;
}

static int interrupts_a_lock_holder(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	int i;

	want(handle(SIGUSR1, counts, 0));
	for (i = 0; i < 50; i++) {
		pthread_mutex_lock(&m);
		raise(SIGUSR1);
		pthread_mutex_unlock(&m);
		free(malloc(1000));
	}
	want(count == 50);
	return 1;
}

const struct check checks[] = {
	CHECK(handler_runs), CHECK(each_signal), CHECK(many_times), CHECK(ignored),
	CHECK(blocked_then_delivered), CHECK(ignoring_drops_pending), CHECK(mask_operations),
	CHECK(mask_in_handler), CHECK(not_nested_by_default), CHECK(nested_with_nodefer),
	CHECK(nested_different), CHECK(reset_after_one), CHECK(action_is_told), CHECK(lowest_first),
	CHECK(realtime_queues), CHECK(suspend_waits), CHECK(suspend_for_another), CHECK(pause_ends),
	CHECK(jump_out), CHECK(jump_out_keeping_mask), CHECK(jump_many_times), CHECK(registers_survive),
	CHECK(interrupted_anywhere), CHECK(calls_that_cannot_fail), CHECK(handlers_after_fork), CHECK(child_signals_parent),
	CHECK(end_of_child), CHECK(reaping_handler), CHECK(group_gets_it), CHECK(not_allowed),
	CHECK(to_one_thread), CHECK(masks_are_their_own), CHECK(pending_is_of_the_thread),
	CHECK(mask_is_inherited), CHECK(one_thread_waits), CHECK(interrupts_a_lock_holder),
	{ NULL, NULL },
};
