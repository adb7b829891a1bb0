// SPDX-License-Identifier: GPL-2.0-or-later
/* threads.c - threads themselves: creation, ends, their own data, attributes, cancellation. Locks are in locks.c. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "conformance.h"

static pthread_t start(void *(*f)(void *), void *arg)
{
	pthread_t t;

	return pthread_create(&t, NULL, f, arg) ? 0 : t;
}

static void *joined(pthread_t t)
{
	void *r = NULL;

	return pthread_join(t, &r) ? NULL : r;
}

static void *give_back(void *arg)
{
	return arg;
}

static int create_join(void)
{
	int x;
	pthread_t t = start(give_back, &x);

	want(t && joined(t) == &x);
	return 1;
}

static void *exits_deep(void *arg)
{
	pthread_exit(arg);
}

static int exit_value(void)
{
	int x;

	want(joined(start(exits_deep, &x)) == &x);
	return 1;
}

static int many_in_turn(void)
{
	long i;

	for (i = 1; i <= 60; i++)
		want(joined(start(give_back, (void *)i)) == (void *)i);
	return 1;
}

static int many_at_once(void)
{
	pthread_t t[30];
	long i;

	for (i = 0; i < 30; i++)
		want((t[i] = start(give_back, (void *)(i + 1))));
	for (i = 0; i < 30; i++)
		want(joined(t[i]) == (void *)(i + 1));
	return 1;
}

static volatile int flag;

static void *sets_flag(void *arg)
{
	flag = (long)arg;
	return THREAD_OK;
}

static int memory_is_common(void)
{
	int *p = malloc(sizeof(*p));

	flag = 0;
	*p = 1;
	want(joined(start(sets_flag, (void *)77L)) == THREAD_OK && flag == 77);
	free(p);
	return 1;
}

static int detached(void)
{
	pthread_attr_t a;
	pthread_t t;

	flag = 0;
	want(!pthread_attr_init(&a) && !pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED));
	want(!pthread_create(&t, &a, sets_flag, (void *)1L) && !pthread_attr_destroy(&a));
	want_soon(flag == 1);
	t = start(sets_flag, (void *)2L);
	want(!pthread_detach(t));
	want_soon(flag == 2);
	/* Until the kernel has forgotten both. */
	sleep_ms(5);
	return 1;
}

struct ids {
	pid_t pid;
	pthread_t main;
};

static void *own_ids(void *arg)
{
	struct ids *i = arg;

	want(getpid() == i->pid && syscall(SYS_gettid) != getpid() && !pthread_equal(pthread_self(), i->main));
	return THREAD_OK;
}

static int ids(void)
{
	struct ids arg = { getpid(), pthread_self() };

	want(joined(start(own_ids, &arg)) == THREAD_OK && pthread_equal(pthread_self(), arg.main));
	return 1;
}

static __thread int tls_set = 5;
static __thread char tls_zero[5000];

static void *own_tls(void *arg)
{
	int i;

	want(tls_set == 5 && !tls_zero[0] && !tls_zero[4999]);
	for (i = 0; i < 50; i++) {
		tls_set = (long)arg;
		memset(tls_zero, (long)arg, sizeof(tls_zero));
		sched_yield();
		want(tls_set == (long)arg && tls_zero[4999] == (char)(long)arg);
	}
	return THREAD_OK;
}

static int thread_local(void)
{
	pthread_t t[5];
	long i;

	for (i = 0; i < 5; i++)
		want((t[i] = start(own_tls, (void *)(i + 10))));
	for (i = 0; i < 5; i++)
		want(joined(t[i]) == THREAD_OK);
	want(tls_set == 5 && !tls_zero[0]);
	return 1;
}

static void *own_errno(void *arg)
{
	int i;

	for (i = 0; i < 50; i++) {
		errno = 0;
		if (arg)
			want_error(close(-1), EBADF);
		else
			want_error(open("none", O_RDONLY), ENOENT);
	}
	return THREAD_OK;
}

static int errno_is_its_own(void)
{
	pthread_t a = start(own_errno, NULL), b = start(own_errno, &a);

	want(joined(a) == THREAD_OK && joined(b) == THREAD_OK);
	return 1;
}

static pthread_key_t key;
static int destroyed;

static void destroy(void *p)
{
	destroyed += *(int *)p;
}

static void *uses_key(void *arg)
{
	want(!pthread_getspecific(key) && !pthread_setspecific(key, arg) && pthread_getspecific(key) == arg);
	return THREAD_OK;
}

static int keys(void)
{
	int five = 5;

	destroyed = 0;
	want(!pthread_key_create(&key, destroy) && joined(start(uses_key, &five)) == THREAD_OK && destroyed == 5);
	want(!pthread_getspecific(key) && !pthread_key_delete(key));
	return 1;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_count;

static void run_once(void)
{
	sleep_ms(2);
	once_count++;
}

static void *tries_once(void *arg)
{
	want(!pthread_once(&once, run_once) && once_count == 1);
	return THREAD_OK;
}

static int runs_once(void)
{
	pthread_t t[4];
	int i;

	for (i = 0; i < 4; i++)
		t[i] = start(tries_once, NULL);
	for (i = 0; i < 4; i++)
		want(joined(t[i]) == THREAD_OK);
	want(once_count == 1);
	return 1;
}

static void *uses_stack(void *arg)
{
	volatile char room[100000];
	size_t i;

	for (i = 0; i < sizeof(room); i += 1000)
		room[i] = i / 1000;
	for (i = 0; i < sizeof(room); i += 1000)
		want(room[i] == (char)(i / 1000));
	if (arg)
		want((char *)room >= (char *)arg && (char *)room < (char *)arg + 200000);
	return THREAD_OK;
}

static int stack_size(void)
{
	pthread_attr_t a;
	pthread_t t;
	size_t n;

	want(!pthread_attr_init(&a) && !pthread_attr_setstacksize(&a, 200000) && !pthread_attr_getstacksize(&a, &n) &&
	     n == 200000);
	want_number(pthread_attr_setstacksize(&a, 100), EINVAL);
	want(!pthread_create(&t, &a, uses_stack, NULL) && joined(t) == THREAD_OK && !pthread_attr_destroy(&a));
	return 1;
}

static int stack_of_its_own(void)
{
	void *stack = mmap(NULL, 200704, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t a;
	pthread_t t;

	want(!pthread_attr_init(&a) && !pthread_attr_setstack(&a, stack, 200704));
	want(!pthread_create(&t, &a, uses_stack, stack) && joined(t) == THREAD_OK);
	want(!munmap(stack, 200704) && !pthread_attr_destroy(&a));
	return 1;
}

static void *knows_stack(void *arg)
{
	pthread_attr_t a;
	size_t size, guard;
	void *at;

	want(!pthread_getattr_np(pthread_self(), &a) && !pthread_attr_getstack(&a, &at, &size));
	want((void *)&a > at && (char *)&a < (char *)at + size && !pthread_attr_getguardsize(&a, &guard) &&
	     guard >= PAGE);
	return THREAD_OK;
}

static int stack_is_known(void)
{
	want(joined(start(knows_stack, NULL)) == THREAD_OK);
	return 1;
}

static void *overflows(void *arg)
{
	volatile char room[10000];
	void *r = NULL;

	room[0] = (long)arg;
	if (room[0] != 99)
		r = overflows(arg);
	room[1] = 1;
	return r;
}

static int stack_guard(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		pthread_attr_t a;
		pthread_t t;

		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 100000);
		pthread_create(&t, &a, overflows, NULL);
		pthread_join(t, NULL);
		_exit(0);
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	return 1;
}

static int join_errors(void)
{
	pthread_t t = start(give_back, NULL);

	want_number(pthread_join(pthread_self(), NULL), EDEADLK);
	want(!pthread_join(t, NULL));
	return 1;
}

static void *waits(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static int end_of_process_ends_threads(void)
{
	int i;
	pid_t pid = fork();

	if (!pid) {
		for (i = 0; i < 5; i++)
			want(start(waits, NULL));
		_exit(6);
	}
	want(WEXITSTATUS(status_of(pid)) == 6);
	return 1;
}

static void *ends_process(void *arg)
{
	_exit(8);
}

static int thread_ends_process(void)
{
	pid_t pid = fork();

	if (!pid) {
		start(ends_process, NULL);
		for (;;)
			pause();
	}
	want(WEXITSTATUS(status_of(pid)) == 8);
	return 1;
}

static void *outlives_main(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
	_exit(9);
}

static int main_thread_ends_first(void)
{
	static pthread_t self;
	pid_t pid = fork();

	if (!pid) {
		self = pthread_self();
		start(outlives_main, &self);
		pthread_exit(NULL);
	}
	want(WEXITSTATUS(status_of(pid)) == 9);
	return 1;
}

static void *faults(void *arg)
{
	*(volatile int *volatile)arg = 1;
	return NULL;
}

static int fault_ends_process(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		start(faults, (void *)16);
		for (;;)
			pause();
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	return 1;
}

static void *forks(void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(syscall(SYS_gettid) == getpid() && flag == 3 ? 4 : 5);
	want(WEXITSTATUS(status_of(pid)) == 4);
	return THREAD_OK;
}

static int fork_from_a_thread(void)
{
	flag = 3;
	want(joined(start(forks, NULL)) == THREAD_OK);
	return 1;
}

static int fork_with_threads_running(void)
{
	pthread_t t = start(waits, NULL), mine;
	pid_t pid = fork();

	if (!pid) {
		want((mine = start(give_back, &mine)) && joined(mine) == &mine);
		_exit(0);
	}
	want(status_of(pid) == 0 && !pthread_cancel(t) && joined(t) == PTHREAD_CANCELED);
	return 1;
}

static void *execs(void *arg)
{
	execl("/bin/sh", "sh", "-c", "exit 15", NULL);
	return NULL;
}

static int exec_from_a_thread(void)
{
	pid_t pid = fork();

	if (!pid) {
		start(execs, NULL);
		for (;;)
			pause();
	}
	want(WEXITSTATUS(status_of(pid)) == 15);
	return 1;
}

/* --- cancellation --- */

static volatile int cleaned, ready;

static void clean_up(void *arg)
{
	cleaned = cleaned * 10 + (long)arg;
}

static void *cancelled_in_read(void *arg)
{
	char c;

	pthread_cleanup_push(clean_up, (void *)1L);
	pthread_cleanup_push(clean_up, (void *)2L);
	ready = 1;
	read(*(int *)arg, &c, 1);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static int cancel_in_read(void)
{
	int p[2];
	pthread_t t;

	cleaned = ready = 0;
	want(!pipe(p) && (t = start(cancelled_in_read, &p[0])));
	want_soon(ready);
	sleep_ms(5);
	want(!pthread_cancel(t) && joined(t) == PTHREAD_CANCELED && cleaned == 21);
	return 1;
}

static void *cancelled_at_test(void *arg)
{
	pthread_cleanup_push(clean_up, (void *)3L);
	ready = 1;
	for (;;) {
		pthread_testcancel();
		sched_yield();
	}
	pthread_cleanup_pop(0);
	return NULL;
}

static int cancel_at_test(void)
{
	pthread_t t;

	cleaned = ready = 0;
	want((t = start(cancelled_at_test, NULL)));
	want_soon(ready);
	want(!pthread_cancel(t) && joined(t) == PTHREAD_CANCELED && cleaned == 3);
	return 1;
}

static void *not_cancelled(void *arg)
{
	int old;

	want(!pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) && old == PTHREAD_CANCEL_ENABLE);
	ready = 1;
	want_soon(ready == 2);
	pthread_testcancel();
	cleaned = 9;
	want(!pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old));
	pthread_testcancel();
	cleaned = 10;
	return NULL;
}

static int cancel_is_put_off(void)
{
	pthread_t t;

	cleaned = ready = 0;
	want((t = start(not_cancelled, NULL)));
	want_soon(ready);
	want(!pthread_cancel(t));
	ready = 2;
	want(joined(t) == PTHREAD_CANCELED && cleaned == 9);
	return 1;
}

static void *busy(void *arg)
{
	volatile long x = 0;
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	ready = 1;
	for (;;)
		x++;
	return NULL;
}

static int cancel_asynchronous(void)
{
	pthread_t t;

	ready = 0;
	want((t = start(busy, NULL)));
	want_soon(ready);
	want(!pthread_cancel(t) && joined(t) == PTHREAD_CANCELED);
	return 1;
}

static sem_t semaphore;

static void *waits_for_semaphore(void *arg)
{
	pthread_cleanup_push(clean_up, (void *)4L);
	ready = 1;
	sem_wait(&semaphore);
	pthread_cleanup_pop(0);
	return NULL;
}

static int cancel_in_semaphore(void)
{
	pthread_t t;

	cleaned = ready = 0;
	want(!sem_init(&semaphore, 0, 0) && (t = start(waits_for_semaphore, NULL)));
	want_soon(ready);
	sleep_ms(5);
	want(!pthread_cancel(t) && joined(t) == PTHREAD_CANCELED && cleaned == 4);
	return 1;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void unlock(void *m)
{
	pthread_mutex_unlock(m);
}

static void *waits_for_condition(void *arg)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, &mutex);
	ready = 1;
	for (;;)
		pthread_cond_wait(&condition, &mutex);
	pthread_cleanup_pop(0);
	return NULL;
}

static int cancel_in_condition(void)
{
	pthread_t t;

	ready = 0;
	want((t = start(waits_for_condition, NULL)));
	want_soon(ready);
	want(!pthread_mutex_lock(&mutex) && !pthread_mutex_unlock(&mutex));
	want(!pthread_cancel(t) && joined(t) == PTHREAD_CANCELED && !pthread_mutex_trylock(&mutex) &&
	     !pthread_mutex_unlock(&mutex));
	return 1;
}

static void *moves_data(void *arg)
{
	int *s = arg, i;
	char c;

	for (i = 0; i < 100; i++)
		want(read(s[1], &c, 1) == 1 && write(s[1], &c, 1) == 1);
	return THREAD_OK;
}

static int system_calls_at_once(void)
{
	int s[6], i, k;
	pthread_t t[3];
	char c = 'x';

	for (i = 0; i < 3; i++)
		want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s + 2 * i) && (t[i] = start(moves_data, s + 2 * i)));
	for (k = 0; k < 100; k++) {
		for (i = 0; i < 3; i++)
			want(write(s[2 * i], &c, 1) == 1);
		for (i = 0; i < 3; i++)
			want(read(s[2 * i], &c, 1) == 1);
	}
	for (i = 0; i < 3; i++)
		want(joined(t[i]) == THREAD_OK);
	return 1;
}

static void *maps(void *arg)
{
	char *p;
	int i;

	for (i = 0; i < 50; i++) {
		p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		want(p != MAP_FAILED && !p[PAGE]);
		memset(p, (long)arg, 3 * PAGE);
		sched_yield();
		want(p[0] == (long)arg && p[3 * PAGE - 1] == (long)arg && !munmap(p, 3 * PAGE));
	}
	return THREAD_OK;
}

static int mappings_at_once(void)
{
	pthread_t t[4];
	long i;

	for (i = 0; i < 4; i++)
		want((t[i] = start(maps, (void *)(i + 1))));
	for (i = 0; i < 4; i++)
		want(joined(t[i]) == THREAD_OK);
	return 1;
}

static void *allocates(void *arg)
{
	unsigned char *p[20];
	int i, k;

	for (k = 0; k < 20; k++) {
		for (i = 0; i < 20; i++) {
			want((p[i] = malloc(100 + 700 * i)));
			memset(p[i], (long)arg + i, 100 + 700 * i);
		}
		for (i = 0; i < 20; i++) {
			want(p[i][0] == (long)arg + i && p[i][99 + 700 * i] == (long)arg + i);
			free(p[i]);
		}
	}
	return THREAD_OK;
}

static int malloc_at_once(void)
{
	pthread_t t[4];
	long i;

	for (i = 0; i < 4; i++)
		want((t[i] = start(allocates, (void *)(i * 30))));
	for (i = 0; i < 4; i++)
		want(joined(t[i]) == THREAD_OK);
	return 1;
}

static void *has_cpu_time(void *arg)
{
	struct timespec t = { 0, 0 };
	volatile long x = 0;
	clockid_t clock;

	while (x < 200000)
		x++;
	want(!pthread_getcpuclockid(pthread_self(), &clock) && !clock_gettime(clock, &t) && t.tv_sec + t.tv_nsec > 0);
	return THREAD_OK;
}

static int cpu_clocks(void)
{
	want(joined(start(has_cpu_time, NULL)) == THREAD_OK);
	return 1;
}

const struct check checks[] = {
	CHECK(create_join), CHECK(exit_value), CHECK(many_in_turn), CHECK(many_at_once),
	CHECK(memory_is_common), CHECK(detached), CHECK(ids), CHECK(thread_local), CHECK(errno_is_its_own),
	CHECK(keys), CHECK(runs_once), CHECK(stack_size), CHECK(stack_of_its_own), CHECK(stack_is_known),
	CHECK(stack_guard), CHECK(join_errors), CHECK(end_of_process_ends_threads), CHECK(thread_ends_process),
	CHECK(main_thread_ends_first), CHECK(fault_ends_process), CHECK(fork_from_a_thread),
	CHECK(fork_with_threads_running), CHECK(exec_from_a_thread), CHECK(cancel_in_read),
	CHECK(cancel_at_test), CHECK(cancel_is_put_off), CHECK(cancel_asynchronous), CHECK(cancel_in_semaphore),
	CHECK(cancel_in_condition), CHECK(system_calls_at_once), CHECK(mappings_at_once), CHECK(malloc_at_once),
	CHECK(cpu_clocks),
	{ NULL, NULL },
};
