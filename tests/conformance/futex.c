// SPDX-License-Identifier: GPL-2.0-or-later
/* futex.c - the system call itself. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

enum { WAIT = 0, WAKE = 1, CMP_REQUEUE = 4, WAKE_OP = 5, WAIT_BITSET = 9, WAKE_BITSET = 10, PRIVATE = 128 };

static uint32_t word, other;

static long futex(uint32_t *at, int op, uint32_t v, const void *timeout, uint32_t *at2, uint32_t v3)
{
	return syscall(SYS_futex, at, op, v, timeout, at2, v3);
}

static int value_differs(void)
{
	word = 5;
	want_error(futex(&word, WAIT, 4, NULL, NULL, 0), EAGAIN);
	want_error(futex(&word, WAIT | PRIVATE, 4, NULL, NULL, 0), EAGAIN);
	return 1;
}

static int nobody_to_wake(void)
{
	want(futex(&word, WAKE, 1, NULL, NULL, 0) == 0 && futex(&word, WAKE | PRIVATE, 1000, NULL, NULL, 0) == 0);
	return 1;
}

static int times_out(void)
{
	struct timespec t = { 0, 20000000 };
	long before = now_ms();

	word = 5;
	want_error(futex(&word, WAIT | PRIVATE, 5, &t, NULL, 0), ETIMEDOUT);
	want(now_ms() - before >= 20);
	return 1;
}

static int times_out_absolute(void)
{
	struct timespec t;

	word = 5;
	want(!clock_gettime(CLOCK_MONOTONIC, &t));
	want_error(futex(&word, WAIT_BITSET | PRIVATE, 5, &t, NULL, ~0U), ETIMEDOUT);
	return 1;
}

static int errors(void)
{
	struct timespec t = { 0, 1000000000 };

	word = 5;
	want_error(futex(&word, WAIT, 5, &t, NULL, 0), EINVAL);
	want_error(futex((uint32_t *)((char *)&word + 1), WAIT, 5, NULL, NULL, 0), EINVAL);
	want_error(futex(&word, 77, 5, NULL, NULL, 0), ENOSYS);
	want_error(futex(&word, WAIT_BITSET, 5, NULL, NULL, 0), EINVAL);
	want_error(futex(&word, WAKE_BITSET, 5, NULL, NULL, 0), EINVAL);
	return 1;
}

static volatile int awake, asleep;

static void *sleeper(void *arg)
{
	long r;

	__sync_fetch_and_add(&asleep, 1);
	while ((r = futex(&word, WAIT | PRIVATE, 5, NULL, NULL, 0)) == -1 && errno == EINTR)
		;
	__sync_fetch_and_add(&awake, 1);
	return r == 0 || errno == EAGAIN ? THREAD_OK : NULL;
}

/* How many threads of this process are asleep. */
static int threads_asleep(void)
{
	char path[300], text[400];
	struct dirent *e;
	DIR *d = opendir("/proc/self/task");
	int fd, n, count = 0;

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", e->d_name);
		fd = open(path, O_RDONLY);
		n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = 0;
		count += strrchr(text, ')') && !strncmp(strrchr(text, ')'), ") S", 3);
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
	return count;
}

static int sleepers(pthread_t *t, int n)
{
	int i;

	asleep = awake = 0;
	word = 5;
	for (i = 0; i < n; i++)
		want(!pthread_create(&t[i], NULL, sleeper, NULL));
	want_soon(asleep == n && threads_asleep() == n);
	return 1;
}

static int wakes_one(void)
{
	pthread_t t[3];
	int i;

	want(sleepers(t, 3) && futex(&word, WAKE | PRIVATE, 1, NULL, NULL, 0) == 1);
	want_soon(awake == 1);
	sleep_ms(5);
	want(awake == 1 && futex(&word, WAKE | PRIVATE, 1000, NULL, NULL, 0) == 2);
	for (i = 0; i < 3; i++)
		want(!pthread_join(t[i], NULL));
	want(awake == 3);
	return 1;
}

static int requeues(void)
{
	pthread_t t[3];
	int i;

	want(sleepers(t, 3));
	want_error(syscall(SYS_futex, &word, CMP_REQUEUE | PRIVATE, 1, 100L, &other, 4), EAGAIN);
	want(syscall(SYS_futex, &word, CMP_REQUEUE | PRIVATE, 1, 100L, &other, 5) == 3);
	want_soon(awake == 1);
	want(futex(&word, WAKE | PRIVATE, 10, NULL, NULL, 0) == 0 &&
	     futex(&other, WAKE | PRIVATE, 10, NULL, NULL, 0) == 2);
	for (i = 0; i < 3; i++)
		want(!pthread_join(t[i], NULL));
	return 1;
}

static int wake_op(void)
{
	pthread_t t;

	other = 7;
	want(sleepers(&t, 1));
	/* other += 1; wake one at word, and one at other if it was 7. */
	want(syscall(SYS_futex, &word, WAKE_OP | PRIVATE, 1, 1L, &other, 1 << 28 | 0 << 24 | 1 << 12 | 7) == 1 &&
	     other == 8);
	want(!pthread_join(t, NULL));
	return 1;
}

static void *selective(void *arg)
{
	__sync_fetch_and_add(&asleep, 1);
	want(futex(&word, WAIT_BITSET | PRIVATE, 5, NULL, NULL, (long)arg) == 0);
	__sync_fetch_and_add(&awake, (long)arg);
	return THREAD_OK;
}

static int bitsets(void)
{
	pthread_t t[2];
	long i;

	asleep = awake = 0;
	word = 5;
	for (i = 0; i < 2; i++)
		want(!pthread_create(&t[i], NULL, selective, (void *)(i + 1)));
	want_soon(asleep == 2 && threads_asleep() == 2);
	want(futex(&word, WAKE_BITSET | PRIVATE, 10, NULL, NULL, 4) == 0 &&
	     futex(&word, WAKE_BITSET | PRIVATE, 10, NULL, NULL, 2) == 1);
	want(!pthread_join(t[1], NULL) && awake == 2 && futex(&word, WAKE | PRIVATE, 10, NULL, NULL, 0) == 1 &&
	     !pthread_join(t[0], NULL));
	return 1;
}

static int between_processes(void)
{
	uint32_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long r;
	pid_t pid;

	pid = fork();
	if (!pid) {
		p[1] = 1;
		r = futex(p, WAIT, 0, NULL, NULL, 0);
		_exit(r == 0 || errno == EAGAIN ? 0 : 1);
	}
	want_soon(p[1]);
	want_soon(futex(p, WAKE, 1, NULL, NULL, 0) == 1);
	want(status_of(pid) == 0 && !munmap(p, PAGE));
	return 1;
}

static int private_is_of_one_process(void)
{
	uint32_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec t = { 0, 100000000 };
	pid_t pid = fork();

	if (!pid) {
		want_error(futex(p, WAIT, 0, &t, NULL, 0), ETIMEDOUT);
		_exit(0);
	}
	sleep_ms(30);
	want(futex(p, WAKE, 1, NULL, NULL, 0) == 0 && status_of(pid) == 0 && !munmap(p, PAGE));
	return 1;
}

static void on_signal(int sig)
{
}

static int interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pid_t me = getpid(), pid;

	want(!sigaction(SIGUSR1, &sa, NULL));
	word = 5;
	pid = fork();
	if (!pid) {
		sleep_ms(30);
		kill(me, SIGUSR1);
		_exit(0);
	}
	want_error(futex(&word, WAIT | PRIVATE, 5, NULL, NULL, 0), EINTR);
	want(status_of(pid) == 0);
	return 1;
}

static void *counts(void *arg)
{
	uint32_t c;
	int i;

	/* A lock of three states: free, taken, taken and waited for. */
	for (i = 0; i < 300; i++) {
		c = __sync_val_compare_and_swap(&word, 0, 1);
		while (c) {
			if (c == 2 || __sync_val_compare_and_swap(&word, 1, 2))
				futex(&word, WAIT | PRIVATE, 2, NULL, NULL, 0);
			c = __sync_val_compare_and_swap(&word, 0, 2);
		}
		other++;
		if (__sync_fetch_and_sub(&word, 1) != 1) {
			word = 0;
			futex(&word, WAKE | PRIVATE, 1, NULL, NULL, 0);
		}
	}
	return THREAD_OK;
}

static int lock_made_of_it(void)
{
	pthread_t t[4];
	int i;

	word = other = 0;
	for (i = 0; i < 4; i++)
		want(!pthread_create(&t[i], NULL, counts, NULL));
	for (i = 0; i < 4; i++)
		want(!pthread_join(t[i], NULL));
	want(other == 1200);
	return 1;
}

const struct check checks[] = {
	CHECK(value_differs), CHECK(nobody_to_wake), CHECK(times_out), CHECK(times_out_absolute), CHECK(errors),
	CHECK(wakes_one), CHECK(requeues), CHECK(wake_op), CHECK(bitsets), CHECK(between_processes),
	CHECK(private_is_of_one_process), CHECK(interrupted), CHECK(lock_made_of_it),
	{ NULL, NULL },
};
