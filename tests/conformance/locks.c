// SPDX-License-Identifier: GPL-2.0-or-later
/* locks.c - what threads meet at: mutexes, conditions, locks, barriers, semaphores; and robust mutexes of several processes. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

enum { THREADS = 4, ROUNDS = 400 };

static volatile int counter, ready;

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

/* F in several threads at once; 1 if each comes to its end. */
static int together(void *(*f)(void *))
{
	pthread_t t[THREADS];
	int i, fine = 1;

	for (i = 0; i < THREADS; i++)
		if (!(t[i] = start(f, NULL)))
			return 0;
	for (i = 0; i < THREADS; i++)
		fine &= joined(t[i]) == THREAD_OK;
	return fine;
}

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static pthread_mutex_t mutex;

static int new_mutex(int type)
{
	pthread_mutexattr_t a;

	return !pthread_mutexattr_init(&a) && !pthread_mutexattr_settype(&a, type) && !pthread_mutex_init(&mutex, &a) &&
		!pthread_mutexattr_destroy(&a);
}

static void *counts(void *arg)
{
	int i, n;

	for (i = 0; i < ROUNDS; i++) {
		want(!pthread_mutex_lock(&mutex));
		n = counter;
		if (i % 50 == 0)
			sched_yield();
		counter = n + 1;
		want(!pthread_mutex_unlock(&mutex));
	}
	return THREAD_OK;
}

static int counted_under(int type)
{
	counter = 0;
	want(new_mutex(type) && together(counts) && counter == THREADS * ROUNDS && !pthread_mutex_destroy(&mutex));
	return 1;
}

static int mutex_normal(void) { return counted_under(PTHREAD_MUTEX_NORMAL); }
static int mutex_recursive(void) { return counted_under(PTHREAD_MUTEX_RECURSIVE); }
static int mutex_errorcheck(void) { return counted_under(PTHREAD_MUTEX_ERRORCHECK); }
static int mutex_adaptive(void) { return counted_under(PTHREAD_MUTEX_ADAPTIVE_NP); }

static void *try_fails(void *arg)
{
	want_number(pthread_mutex_trylock(&mutex), EBUSY);
	return THREAD_OK;
}

static int recursion(void)
{
	want(new_mutex(PTHREAD_MUTEX_RECURSIVE) && !pthread_mutex_lock(&mutex) && !pthread_mutex_lock(&mutex));
	want(!pthread_mutex_trylock(&mutex) && !pthread_mutex_unlock(&mutex) && !pthread_mutex_unlock(&mutex));
	want(joined(start(try_fails, NULL)) == THREAD_OK && !pthread_mutex_unlock(&mutex));
	want_number(pthread_mutex_unlock(&mutex), EPERM);
	return 1;
}

static void *unlock_fails(void *arg)
{
	want_number(pthread_mutex_unlock(&mutex), EPERM);
	return THREAD_OK;
}

static int errors_are_checked(void)
{
	want(new_mutex(PTHREAD_MUTEX_ERRORCHECK) && !pthread_mutex_lock(&mutex));
	want_number(pthread_mutex_lock(&mutex), EDEADLK);
	want(joined(start(unlock_fails, NULL)) == THREAD_OK && !pthread_mutex_unlock(&mutex));
	want_number(pthread_mutex_unlock(&mutex), EPERM);
	return 1;
}

static int mutex_times_out(void)
{
	long before = now_ms();
	struct timespec t = in_ms(CLOCK_REALTIME, 20);

	want(new_mutex(PTHREAD_MUTEX_NORMAL) && !pthread_mutex_lock(&mutex));
	want_number(pthread_mutex_timedlock(&mutex, &t), ETIMEDOUT);
	want(now_ms() - before >= 18 && !pthread_mutex_unlock(&mutex) && !pthread_mutex_timedlock(&mutex, &t));
	want(!pthread_mutex_unlock(&mutex));
	return 1;
}

static void *holds_and_ends(void *arg)
{
	return pthread_mutex_lock(&mutex) ? NULL : THREAD_OK;
}

static int robust(int consistent)
{
	pthread_mutexattr_t a;

	want(!pthread_mutexattr_init(&a) && !pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) &&
	     !pthread_mutex_init(&mutex, &a));
	want(joined(start(holds_and_ends, NULL)) == THREAD_OK);
	want_number(pthread_mutex_lock(&mutex), EOWNERDEAD);
	if (consistent)
		want(!pthread_mutex_consistent(&mutex));
	want(!pthread_mutex_unlock(&mutex));
	want_number(pthread_mutex_lock(&mutex), consistent ? 0 : ENOTRECOVERABLE);
	want(!consistent || !pthread_mutex_unlock(&mutex));
	return 1;
}

static int robust_recovered(void) { return robust(1); }
static int robust_given_up(void) { return robust(0); }

static void *holds_a_while(void *arg)
{
	want(!pthread_mutex_lock(&mutex));
	ready = 1;
	sleep_ms(20);
	return THREAD_OK;
}

static int robust_while_waiting(void)
{
	pthread_mutexattr_t a;
	pthread_t t;

	ready = 0;
	want(!pthread_mutexattr_init(&a) && !pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) &&
	     !pthread_mutex_init(&mutex, &a));
	t = start(holds_a_while, NULL);
	want_soon(ready);
	want_number(pthread_mutex_lock(&mutex), EOWNERDEAD);
	want(joined(t) == THREAD_OK && !pthread_mutex_consistent(&mutex) && !pthread_mutex_unlock(&mutex));
	return 1;
}

static int mutex_inherits(void)
{
	pthread_mutexattr_t a;

	counter = 0;
	want(!pthread_mutexattr_init(&a) && !pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
	want(!pthread_mutex_init(&mutex, &a) && together(counts) && counter == THREADS * ROUNDS);
	return 1;
}

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void *waits_for_signal(void *arg)
{
	want(!pthread_mutex_lock(&mutex));
	ready++;
	while (!counter)
		want(!pthread_cond_wait(&condition, &mutex));
	counter--;
	want(!pthread_mutex_unlock(&mutex));
	return THREAD_OK;
}

static int condition_signal(void)
{
	pthread_t t[3];
	int i;

	counter = ready = 0;
	want(new_mutex(PTHREAD_MUTEX_NORMAL));
	for (i = 0; i < 3; i++)
		t[i] = start(waits_for_signal, NULL);
	want_soon(ready == 3);
	for (i = 0; i < 3; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		want(!pthread_cond_signal(&condition));
		pthread_mutex_unlock(&mutex);
	}
	for (i = 0; i < 3; i++)
		want(joined(t[i]) == THREAD_OK);
	want(counter == 0);
	return 1;
}

static int condition_broadcast(void)
{
	pthread_t t[4];
	int i;

	counter = ready = 0;
	want(new_mutex(PTHREAD_MUTEX_NORMAL));
	for (i = 0; i < 4; i++)
		t[i] = start(waits_for_signal, NULL);
	want_soon(ready == 4);
	pthread_mutex_lock(&mutex);
	counter = 4;
	want(!pthread_cond_broadcast(&condition));
	pthread_mutex_unlock(&mutex);
	for (i = 0; i < 4; i++)
		want(joined(t[i]) == THREAD_OK);
	return 1;
}

static int condition_times_out(void)
{
	pthread_cond_t c;
	pthread_condattr_t a;
	long before = now_ms();
	struct timespec t = in_ms(CLOCK_MONOTONIC, 20);

	want(new_mutex(PTHREAD_MUTEX_NORMAL) && !pthread_condattr_init(&a) &&
	     !pthread_condattr_setclock(&a, CLOCK_MONOTONIC));
	want(!pthread_cond_init(&c, &a) && !pthread_mutex_lock(&mutex));
	want_number(pthread_cond_timedwait(&c, &mutex, &t), ETIMEDOUT);
	want(now_ms() - before >= 18 && !pthread_mutex_unlock(&mutex) && !pthread_cond_destroy(&c));
	want(!pthread_cond_init(&c, NULL) && !pthread_mutex_lock(&mutex));
	t = in_ms(CLOCK_REALTIME, 5);
	want_number(pthread_cond_timedwait(&c, &mutex, &t), ETIMEDOUT);
	want(!pthread_mutex_unlock(&mutex) && !pthread_cond_destroy(&c));
	return 1;
}

static int queue[8], head, tail;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;

static void *produces(void *arg)
{
	int i;

	for (i = 1; i <= 300; i++) {
		pthread_mutex_lock(&mutex);
		while (tail - head == 8)
			pthread_cond_wait(&not_full, &mutex);
		queue[tail++ % 8] = i;
		pthread_cond_signal(&not_empty);
		pthread_mutex_unlock(&mutex);
	}
	return THREAD_OK;
}

static int producer_consumer(void)
{
	pthread_t t;
	int i;

	head = tail = 0;
	want(new_mutex(PTHREAD_MUTEX_NORMAL));
	t = start(produces, NULL);
	for (i = 1; i <= 300; i++) {
		pthread_mutex_lock(&mutex);
		while (tail == head)
			pthread_cond_wait(&not_empty, &mutex);
		want(queue[head++ % 8] == i);
		pthread_cond_signal(&not_full);
		pthread_mutex_unlock(&mutex);
	}
	want(joined(t) == THREAD_OK);
	return 1;
}

static pthread_rwlock_t rw;
static volatile int readers, writers;

static void *reads_and_writes(void *arg)
{
	int i;

	for (i = 0; i < 100; i++) {
		if (i % 10 == 0) {
			want(!pthread_rwlock_wrlock(&rw));
			writers++;
			want(writers == 1 && readers == 0);
			sched_yield();
			counter++;
			writers--;
		} else {
			want(!pthread_rwlock_rdlock(&rw) && writers == 0);
			__sync_fetch_and_add(&readers, 1);
			sched_yield();
			__sync_fetch_and_sub(&readers, 1);
		}
		want(!pthread_rwlock_unlock(&rw));
	}
	return THREAD_OK;
}

static int rwlock_excludes(void)
{
	counter = readers = writers = 0;
	want(!pthread_rwlock_init(&rw, NULL) && together(reads_and_writes) && counter == THREADS * 10 &&
	     !pthread_rwlock_destroy(&rw));
	return 1;
}

static void *rw_tries(void *arg)
{
	want_number(pthread_rwlock_trywrlock(&rw), EBUSY);
	want_number(pthread_rwlock_tryrdlock(&rw), arg ? EBUSY : 0);
	want(arg || !pthread_rwlock_unlock(&rw));
	return THREAD_OK;
}

static int rwlock_tries(void)
{
	want(!pthread_rwlock_init(&rw, NULL) && !pthread_rwlock_rdlock(&rw) && !pthread_rwlock_rdlock(&rw));
	want(joined(start(rw_tries, NULL)) == THREAD_OK && !pthread_rwlock_unlock(&rw) && !pthread_rwlock_unlock(&rw));
	want(!pthread_rwlock_wrlock(&rw) && joined(start(rw_tries, &rw)) == THREAD_OK && !pthread_rwlock_unlock(&rw));
	return 1;
}

static void *rw_waits(void *arg)
{
	struct timespec t = in_ms(CLOCK_REALTIME, 10);

	want_number(pthread_rwlock_timedwrlock(&rw, &t), ETIMEDOUT);
	want_number(pthread_rwlock_timedrdlock(&rw, &t), ETIMEDOUT);
	return THREAD_OK;
}

static int rwlock_times_out(void)
{
	want(!pthread_rwlock_init(&rw, NULL) && !pthread_rwlock_wrlock(&rw) &&
	     joined(start(rw_waits, NULL)) == THREAD_OK);
	want(!pthread_rwlock_unlock(&rw));
	return 1;
}

static pthread_barrier_t barrier;
static volatile int phase[THREADS], serial;

static void *goes_in_step(void *arg)
{
	int mine = __sync_fetch_and_add(&ready, 1), round, i, r;

	for (round = 1; round <= 20; round++) {
		phase[mine] = round;
		r = pthread_barrier_wait(&barrier);
		want(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
		if (r)
			__sync_fetch_and_add(&serial, 1);
		for (i = 0; i < THREADS; i++)
			want(phase[i] == round);
		r = pthread_barrier_wait(&barrier);
		if (r)
			__sync_fetch_and_add(&serial, 1);
	}
	return THREAD_OK;
}

static int barrier_in_step(void)
{
	ready = serial = 0;
	want(!pthread_barrier_init(&barrier, NULL, THREADS) && together(goes_in_step) && serial == 40);
	want(!pthread_barrier_destroy(&barrier));
	want_number(pthread_barrier_init(&barrier, NULL, 0), EINVAL);
	return 1;
}

static sem_t semaphore;

static void *takes(void *arg)
{
	int i;

	for (i = 0; i < 50; i++)
		want(!sem_wait(&semaphore));
	__sync_fetch_and_add(&ready, 1);
	return THREAD_OK;
}

static int semaphore_passes(void)
{
	pthread_t t[THREADS];
	int i, v;

	ready = 0;
	want(!sem_init(&semaphore, 0, 0));
	for (i = 0; i < THREADS; i++)
		t[i] = start(takes, NULL);
	for (i = 0; i < 50 * THREADS; i++)
		want(!sem_post(&semaphore));
	for (i = 0; i < THREADS; i++)
		want(joined(t[i]) == THREAD_OK);
	want(ready == THREADS && !sem_getvalue(&semaphore, &v) && v == 0 && !sem_destroy(&semaphore));
	return 1;
}

static int semaphore_tries(void)
{
	struct timespec t = in_ms(CLOCK_REALTIME, 10);

	want(!sem_init(&semaphore, 0, 1) && !sem_trywait(&semaphore));
	want_error(sem_trywait(&semaphore), EAGAIN);
	want_error(sem_timedwait(&semaphore, &t), ETIMEDOUT);
	t.tv_nsec = 1000000000;
	want_error(sem_timedwait(&semaphore, &t), EINVAL);
	want_error(sem_init(&semaphore, 0, 0xffffffff), EINVAL);
	return 1;
}

static pthread_spinlock_t spin;

static void *spins(void *arg)
{
	int i;

	for (i = 0; i < 100; i++) {
		want(!pthread_spin_lock(&spin));
		counter++;
		want(!pthread_spin_unlock(&spin));
	}
	return THREAD_OK;
}

static int spin_lock(void)
{
	counter = 0;
	want(!pthread_spin_init(&spin, 0) && together(spins) && counter == 100 * THREADS &&
	     !pthread_spin_trylock(&spin));
	want_number(pthread_spin_trylock(&spin), EBUSY);
	want(!pthread_spin_unlock(&spin) && !pthread_spin_destroy(&spin));
	return 1;
}

static void on_signal(int sig)
{
	sem_post(&semaphore);
}

static int semaphore_from_handler(void)
{
	want(!sem_init(&semaphore, 0, 0) && signal(SIGUSR1, on_signal) == SIG_DFL && !raise(SIGUSR1) &&
	     !sem_wait(&semaphore));
	return 1;
}

/* --- between processes, in memory that they share --------------------------------------------------------- */

static struct shared {
	pthread_mutex_t mutex;
	volatile int held, go;
} *shared;

static int new_shared(void)
{
	pthread_mutexattr_t a;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared != MAP_FAILED && !pthread_mutexattr_init(&a) && !pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) &&
		!pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED) && !pthread_mutex_init(&shared->mutex, &a);
}

/* Holds it until the parent says so. */
static int holds(void)
{
	want(!pthread_mutex_lock(&shared->mutex));
	shared->held = 1;
	while (!shared->go)
		sleep_ms(1);
	want(!pthread_mutex_unlock(&shared->mutex));
	return 1;
}

static void *holds_in_thread(void *arg)
{
	return holds() ? THREAD_OK : NULL;
}

static int holds_in_a_thread(void)
{
	return joined(start(holds_in_thread, NULL)) == THREAD_OK;
}

static int holds_and_exits(void)
{
	return !pthread_mutex_lock(&shared->mutex);
}

static int inherits(void)
{
	want_number(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
	want(!pthread_mutex_consistent(&shared->mutex) && !pthread_mutex_unlock(&shared->mutex));
	return 1;
}

static int inherits_and_holds(void)
{
	want_number(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
	shared->held = 2;
	for (;;)
		pause();
}

static int takes_in_time(void)
{
	return !pthread_mutex_lock(&shared->mutex) && !pthread_mutex_unlock(&shared->mutex);
}

static int is_killed(pid_t pid)
{
	int status;

	return !kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int is_free_again(void)
{
	want(!pthread_mutex_lock(&shared->mutex) && !pthread_mutex_unlock(&shared->mutex) && in_child(takes_in_time) == 0);
	return 1;
}

static int owner_killed(int (*owner)(void))
{
	pid_t pid;

	want(new_shared() && (pid = start_child(owner)) > 0);
	want_soon(shared->held);
	want(is_killed(pid) && inherits() && is_free_again());
	return 1;
}

static int robust_owner_killed(void) { return owner_killed(holds); }
static int robust_owner_killed_in_thread(void) { return owner_killed(holds_in_a_thread); }

/* Whoever has it first finds out; the other one waits for that one. */
static int inherits_or_takes(void)
{
	int r = pthread_mutex_lock(&shared->mutex);

	if (r == EOWNERDEAD) {
		shared->held = 2;
		r = pthread_mutex_consistent(&shared->mutex);
	}
	want(!r && !pthread_mutex_unlock(&shared->mutex));
	return 1;
}

static int robust_owner_killed_while_waiting(void)
{
	pid_t owner, heir[2];

	want(new_shared() && (owner = start_child(holds)) > 0);
	want_soon(shared->held);
	heir[0] = start_child(inherits_or_takes);
	heir[1] = start_child(inherits_or_takes);
	sleep_ms(100);
	want(is_killed(owner) && status_of(heir[0]) == 0 && status_of(heir[1]) == 0 && shared->held == 2 && is_free_again());
	return 1;
}

static int robust_heir_killed(void)
{
	pid_t owner, heir;

	want(new_shared() && (owner = start_child(holds)) > 0);
	want_soon(shared->held);
	want(is_killed(owner) && (heir = start_child(inherits_and_holds)) > 0);
	want_soon(shared->held == 2);
	want(is_killed(heir) && inherits() && is_free_again());
	return 1;
}

static int robust_owner_exits(void)
{
	want(new_shared() && in_child(holds_and_exits) == 0 && inherits() && is_free_again());
	return 1;
}

static int exits_while_held(void)
{
	want(start(holds_in_thread, NULL));
	want_soon(shared->held);
	return 1;
}

static int robust_owner_ended(void)
{
	want(new_shared() && in_child(exits_while_held) == 0 && inherits() && is_free_again());
	return 1;
}

/* One that stands still lives. */
static int robust_owner_stopped(void)
{
	struct timespec t;
	pid_t owner;
	int status;

	want(new_shared() && (owner = start_child(holds)) > 0);
	want_soon(shared->held);
	want(!kill(owner, SIGSTOP) && waitpid(owner, &status, WUNTRACED) == owner && WIFSTOPPED(status));
	t = in_ms(CLOCK_REALTIME, 500);
	want_number(pthread_mutex_timedlock(&shared->mutex, &t), ETIMEDOUT);
	shared->go = 1;
	want(!kill(owner, SIGCONT) && status_of(owner) == 0 && is_free_again());
	return 1;
}

static int robust_handed_over(void)
{
	pid_t owner;

	want(new_shared() && (owner = start_child(holds)) > 0);
	want_soon(shared->held);
	want_number(pthread_mutex_trylock(&shared->mutex), EBUSY);
	shared->go = 1;
	want(!pthread_mutex_lock(&shared->mutex) && !pthread_mutex_unlock(&shared->mutex) && status_of(owner) == 0);
	return 1;
}

static int robust_tried(void)
{
	pid_t owner;

	want(new_shared() && (owner = start_child(holds)) > 0);
	want_soon(shared->held);
	want(is_killed(owner));
	want_number(pthread_mutex_trylock(&shared->mutex), EOWNERDEAD);
	return 1;
}

const struct check checks[] = {
	CHECK(mutex_normal), CHECK(mutex_recursive), CHECK(mutex_errorcheck), CHECK(mutex_adaptive),
	CHECK(recursion), CHECK(errors_are_checked), CHECK(mutex_times_out), CHECK(robust_recovered),
	CHECK(robust_given_up), CHECK(robust_while_waiting), CHECK(mutex_inherits), CHECK(condition_signal),
	CHECK(condition_broadcast), CHECK(condition_times_out), CHECK(producer_consumer),
	CHECK(rwlock_excludes), CHECK(rwlock_tries), CHECK(rwlock_times_out), CHECK(barrier_in_step),
	CHECK(semaphore_passes), CHECK(semaphore_tries), CHECK(spin_lock), CHECK(semaphore_from_handler),
	CHECK(robust_owner_killed), CHECK(robust_owner_killed_in_thread), CHECK(robust_owner_killed_while_waiting),
	CHECK(robust_heir_killed), CHECK(robust_owner_exits), CHECK(robust_owner_ended), CHECK(robust_owner_stopped), CHECK(robust_handed_over),
	CHECK(robust_tried),
	{ NULL, NULL },
};
