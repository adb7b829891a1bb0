// SPDX-License-Identifier: GPL-2.0-or-later
/* test_futex.c - who waits is woken by the program's other threads, and not by a kernel that says so. */
#include "unit_thread.h"
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/time.h>

enum { FIRST = 100, SECOND, THIRD };

static u32 word, other;

/*
 * While a thread sleeps, the next of these happens; then the kernel answers. All threads are on one stack: one that
 * begins to sleep in such a step is woken before those below it go on.
 */
static struct {
	void (*step[64])(void);
	long results[64];
	unsigned int sleeps, wakes;
	struct __kernel_timespec time;	/* that the last one was to sleep */
	long wake_result;
} kernel;

static bool is_own_word(u64 addr)
{
	return addr >= self()->arena_first && addr + 4 <= self()->arena_end;
}

static long answer(long nr, const u64 args[6])
{
	unsigned int i;

	if (nr != __NR_futex)
		return 0;
	must_be(is_own_word(args[0]));
	if (args[1] == FUTEX_WAKE_PRIVATE) {
		kernel.wakes++;
		return kernel.wake_result;
	}
	must_be(args[1] == FUTEX_WAIT_PRIVATE);
	i = kernel.sleeps++;
	must(i < ARRAY_SIZE(kernel.step), "it sleeps for ever");
	if (args[3])
		kernel.time = *(struct __kernel_timespec *)args[3];
	/* Its word is the kernel's. */
	*(u32 *)args[0] = i % 2;
	if (kernel.step[i])
		kernel.step[i]();
	return kernel.results[i];
}

static void fresh(void)
{
	fake_reset();
	memset(&kernel, 0, sizeof(kernel));
	fake.answer = answer;
	self()->tid = FIRST;
	word = other = 0;
}

static long futex(u32 *at, int op, u32 value, const void *time_or_count, u32 *second, u32 value3)
{
	return dispatch(__NR_futex, (const u64[6]){ (u64)at, op | FUTEX_PRIVATE_FLAG, value, (u64)time_or_count, (u64)second, value3 });
}

static long waits(u32 *at, u32 value)
{
	return futex(at, FUTEX_WAIT, value, NULL, NULL, 0);
}

static long wakes(u32 *at, u32 count)
{
	return futex(at, FUTEX_WAKE, count, NULL, NULL, 0);
}

static void wake_one(void)
{
	must_be(wakes(&word, 1) == 1 && wakes(&word, 1) == 0);
}

/* --- lists --------------------------------------------------------------------------------------------- */

static const long false_results[] = { 0, 1, 0x7fffffff, 1L << 40, -EAGAIN, -ETIMEDOUT, -EINVAL, -4095, -5000 };

START_TEST(false_wakes)
{
	unsigned int i;

	fresh();
	for (i = 0; i < 5; i++)
		kernel.results[i] = false_results[_i];
	kernel.step[5] = wake_one;
	kernel.results[5] = false_results[_i];
	kernel.wake_result = false_results[_i];
	must_be(waits(&word, 0) == 0 && kernel.sleeps == 6 && kernel.wakes == 1);
	/* Nobody is left. */
	must_be(wakes(&word, 1) == 0 && kernel.wakes == 1);
}
END_TEST

START_TEST(changed)
{
	fresh();
	word = 1;
	must_be(waits(&word, 0) == -EAGAIN && !fake.calls && wakes(&word, 1) == 0);
}
END_TEST

/* A signal may come with the one who wakes: that one has counted this thread. */
START_TEST(interrupted)
{
	fresh();
	kernel.step[0] = _i ? wake_one : NULL;
	kernel.results[0] = -EINTR;
	must_be(waits(&word, 0) == (_i ? 0 : -EINTR) && kernel.sleeps == 1 && wakes(&word, 1) == 0);
}
END_TEST

static void a_while(void)
{
	fake.boottime += NSEC / 2;
	/* A clock that is set back does not make it longer than it takes the clock to come there again. */
	if (kernel.sleeps == 2)
		fake.boottime -= NSEC;
	fake.realtime = 1000 * NSEC + fake.boottime;
}

/* When the time is over, the hypervisor says. */
START_TEST(times)
{
	struct __kernel_timespec end = { .tv_sec = 1, .tv_nsec = NSEC / 4 };
	int op = FUTEX_WAIT;
	unsigned int i;

	fresh();
	fake.boottime = 100 * NSEC;
	fake.realtime = 1100 * NSEC;
	for (i = 0; i < 8; i++) {
		kernel.step[i] = a_while;
		kernel.results[i] = -ETIMEDOUT;
	}
	if (_i == 1) {
		op = FUTEX_WAIT_BITSET;
		end.tv_sec += 100;
	} else if (_i == 2) {
		op = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
		end.tv_sec += 1100;
	} else if (_i == 3) {
		op = FUTEX_LOCK_PI;
		end.tv_sec += 1100;
		word = SECOND;
	}
	must_be(futex(&word, op, 0, &end, NULL, 0xffffffff) == -ETIMEDOUT && kernel.sleeps == 5);
	must_be(fake.boottime >= 101 * NSEC + NSEC / 4 && !kernel.time.tv_sec && kernel.time.tv_nsec == NSEC / 4);
	must_be(wakes(&word, 1) == 0);
	end.tv_nsec = NSEC;
	must_be(futex(&word, op, 0, &end, NULL, 0xffffffff) == -EINVAL && kernel.sleeps == 5);
}
END_TEST

#define MANY	40	/* more than are woken under one lock */

static void next_waits(void)
{
	must_be(waits(&word, 0) == 0);
}

static void all_woken(void)
{
	must_be(wakes(&other, MANY) == 0 && wakes(&word, 0x7fffffff) == MANY);
}

static void all_moved(void)
{
	must_be(futex(&word, FUTEX_CMP_REQUEUE, MANY - 4, (void *)3, &other, 0) == MANY - 1);
	must_be(wakes(&word, 9) == 1 && wakes(&other, 9) == 3);
}

static void all_woken_or_moved(void)
{
	must_be(futex(&word, FUTEX_REQUEUE, MANY - 1, NULL, &other, 0) == MANY - 1);
	must_be(wakes(&word, 9) == 1 && wakes(&other, 9) == 0);
}

START_TEST(many)
{
	static void (*const ends[])(void) = { all_woken, all_moved, all_woken_or_moved };
	int i;

	fresh();
	for (i = 0; i < MANY - 1; i++)
		kernel.step[i] = next_waits;
	kernel.step[i] = ends[_i];
	kernel.wake_result = 1000;
	must_be(waits(&word, 0) == 0 && kernel.sleeps == MANY && kernel.wakes == MANY);
}
END_TEST

/* Who came first, goes first; bits that nobody waits for, and other words, wake nobody. */
static bool second_sleeps;

static void first_woken(void)
{
	must_be(futex(&word, FUTEX_WAKE_BITSET, 5, NULL, NULL, 4) == 0 && wakes(&other, 5) == 0);
	must_be(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 3) == 1);
	second_sleeps = true;
}

static void second_woken(void)
{
	must_be(second_sleeps && wakes(&word, 5) == 1);
}

static void second_waits(void)
{
	must_be(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 2) == 0 && kernel.sleeps == 3);
}

START_TEST(in_order)
{
	fresh();
	kernel.step[0] = second_waits;
	kernel.step[1] = first_woken;
	kernel.step[2] = second_woken;
	must_be(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1) == 0 && kernel.sleeps == 3);
}
END_TEST

static void moved(void)
{
	word = 7;
	must_be(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)9, &other, 6) == -EAGAIN);
	must_be(wakes(&other, 9) == 0);
	must_be(futex(&word, FUTEX_CMP_REQUEUE, 0, (void *)1, &other, 7) == 1);
	must_be(wakes(&word, 9) == 1 && wakes(&other, 9) == 1);
}

START_TEST(requeued)
{
	fresh();
	kernel.step[0] = next_waits;
	kernel.step[1] = moved;
	must_be(waits(&word, 0) == 0 && kernel.sleeps == 2);
}
END_TEST

START_TEST(refused)
{
	fresh();
	must_be(futex((u32 *)((u64)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0) == -EINVAL);
	must_be(waits((u32 *)8, 0) == -EFAULT && waits((u32 *)(INKTAG_USER_END - 2), 0) == -EINVAL && waits((u32 *)-4096L, 0) == -EFAULT);
	must_be(futex(&word, FUTEX_WAIT, 0, (void *)8, NULL, 0) == -EFAULT);
	must_be(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0) == -EINVAL && futex(&word, FUTEX_WAKE_BITSET, 0, NULL, NULL, 0) == -EINVAL);
	must_be(futex(&word, FUTEX_CMP_REQUEUE, 1, NULL, (u32 *)8, 0) == -EFAULT);
	must_be(futex(&word, FUTEX_WAKE_OP, 1, NULL, &other, 5U << 28) == -ENOSYS && futex(&word, FUTEX_WAKE_OP, 1, NULL, &other, 6 << 24) == -ENOSYS);
	must_be(!fake.calls && !other);
}
END_TEST

/* The second word's waiters are woken if it was so. */
static const struct {
	u32 cmp, arg;
	s32 was;
	bool is;
} comparisons[] = {
	{ FUTEX_OP_CMP_EQ, 3, 3, true }, { FUTEX_OP_CMP_EQ, 3, 4 }, { FUTEX_OP_CMP_NE, 3, 4, true }, { FUTEX_OP_CMP_NE, 3, 3 },
	{ FUTEX_OP_CMP_LT, 3, -1, true }, { FUTEX_OP_CMP_LT, 3, 3 }, { FUTEX_OP_CMP_LE, 3, 3, true }, { FUTEX_OP_CMP_LE, 3, 4 },
	{ FUTEX_OP_CMP_GT, 0xfff, 0, true }, { FUTEX_OP_CMP_GT, 3, 3 }, { FUTEX_OP_CMP_GE, 3, 3, true }, { FUTEX_OP_CMP_GE, 3, 2 },
};
static unsigned int comparison;

static void compared(void)
{
	const u32 op = FUTEX_OP_SET << 28 | comparisons[comparison].cmp << 24 | 77 << 12 | comparisons[comparison].arg;

	must(futex(&word, FUTEX_WAKE_OP, 1, (void *)5, &other, op) == comparisons[comparison].is && other == 77, "comparison %u", comparison);
	must_be(wakes(&other, 1) == !comparisons[comparison].is);
}

START_TEST(conditions)
{
	fresh();
	comparison = _i;
	other = comparisons[_i].was;
	kernel.step[0] = compared;
	must_be(waits(&other, other) == 0);
}
END_TEST

START_TEST(operations)
{
	static const struct {
		u32 op, arg, was, now;
	} ops[] = {
		{ FUTEX_OP_SET, 5, 9, 5 }, { FUTEX_OP_ADD, 5, 9, 14 }, { FUTEX_OP_ADD, 0xfff, 9, 8 }, { FUTEX_OP_OR, 6, 9, 15 },
		{ FUTEX_OP_ANDN, 8, 9, 1 }, { FUTEX_OP_XOR, 1, 9, 8 }, { FUTEX_OP_SET | 8, 4, 9, 16 }, { FUTEX_OP_OR | 8, 33, 1, 3 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		fresh();
		other = ops[i].was;
		must_be(futex(&word, FUTEX_WAKE_OP, 1, NULL, &other, ops[i].op << 28 | ops[i].arg << 12) == 0);
		must(other == ops[i].now, "operation %u: %u", i, other);
	}
}
END_TEST

/* --- with the owner in the word ------------------------------------------------------------------------- */

static void unlocked(void)
{
	must_be(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == -EPERM);
	self()->tid = FIRST;
	must_be(word == (FIRST | FUTEX_WAITERS) && futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
	/* Nobody could come between. */
	must_be(word == SECOND && futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0) == -EAGAIN);
	self()->tid = SECOND;
}

START_TEST(owned)
{
	fresh();
	must_be(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 && word == FIRST);
	must_be(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == -EDEADLK && !kernel.sleeps);
	self()->tid = SECOND;
	kernel.step[2] = unlocked;
	kernel.results[0] = 1;
	kernel.results[1] = -ETIMEDOUT;
	must_be(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 && kernel.sleeps == 3 && (word & FUTEX_TID_MASK) == SECOND);
	must_be(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0 && !word);
}
END_TEST

/* Who waits to own it is woken only when it does. */
static void not_woken(void)
{
	const u32 was = word;

	must_be(wakes(&word, 9) == 0 && futex(&word, FUTEX_CMP_REQUEUE, 9, (void *)9, &other, was) == 0 && word == was);
}

START_TEST(owned_and_woken)
{
	const struct __kernel_timespec end = { .tv_sec = 1 };

	fresh();
	word = SECOND;
	kernel.step[0] = not_woken;
	kernel.step[1] = a_while;
	must_be(futex(&word, FUTEX_LOCK_PI, 0, &end, NULL, 0) == -ETIMEDOUT && kernel.sleeps == 2 && word == (SECOND | FUTEX_WAITERS));
}
END_TEST

/* --- between processes ----------------------------------------------------------------------------------- */

static u32 *shared;
static u64 slept_on;

static long answer_between(long nr, const u64 args[6])
{
	if (nr != __NR_futex)
		return 0;
	/* The kernel gets a word of the shim's, in memory that it sees. */
	must_be(args[0] != (u64)shared && mm_list.d[desc_find(&mm_list, args[0])].kind == INKTAG_KIND_UNCLOAKED);
	if (args[1] == FUTEX_WAKE)
		return kernel.wake_result;
	must_be(args[1] == FUTEX_WAIT && kernel.sleeps < ARRAY_SIZE(kernel.step));
	slept_on = args[0];
	fake.boottime += NSEC / 10;
	return kernel.results[kernel.sleeps++];
}

static void share(void)
{
	fresh();
	fake_memory();
	must_be(!lies(__NR_mmap, (const u64[6]){ 0, PAGE, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0 }));
	shared = (u32 *)fake.result + 5;
	fake.answer = answer_between;
}

static long between(int op, u32 value, const void *time_or_count, u32 *second, u32 value3)
{
	return dispatch(__NR_futex, (const u64[6]){ (u64)shared, op, value, (u64)time_or_count, (u64)second, value3 });
}

START_TEST(count_of_wakes)
{
	static const long results[] = { 0, 1, 3, 4, 1000, 1L << 40, -EINVAL, -5000, 1UL << 63 };
	static const long counted[] = { 0, 1, 3, 3, 3, 3, 0, 0, 0 };
	unsigned int i;

	share();
	for (i = 0; i < ARRAY_SIZE(results); i++) {
		kernel.wake_result = results[i];
		must(between(FUTEX_WAKE, 3, NULL, NULL, 0) == counted[i], "result %ld", results[i]);
	}
}
END_TEST

START_TEST(sleep_between)
{
	const struct __kernel_timespec time = { .tv_nsec = NSEC / 2 };
	unsigned int i;

	share();
	must_be(between(FUTEX_WAIT, 1, NULL, NULL, 0) == -EAGAIN && !kernel.sleeps);
	must_be(between(FUTEX_WAKE_OP, 1, NULL, shared, 5U << 28) == -ENOSYS && between(FUTEX_WAKE_OP, 1, NULL, shared, 6 << 24) == -ENOSYS);
	for (i = 0; i < 3; i++)
		kernel.results[i] = i % 2 ? -EAGAIN : -ETIMEDOUT;
	kernel.results[i] = 1L << 40;
	must_be(between(FUTEX_WAIT, 0, NULL, NULL, 0) == 0 && kernel.sleeps == 4);
	kernel.sleeps = 0;
	for (i = 0; i < 10; i++)
		kernel.results[i] = -ETIMEDOUT;
	must_be(between(FUTEX_WAIT, 0, &time, NULL, 0) == -ETIMEDOUT && kernel.sleeps == 5);
}
END_TEST

static long answer_of_kernels(long nr, const u64 args[6])
{
	return kernel.wake_result;
}

/* What is in memory that the kernel sees, is its own; it says possible things. */
START_TEST(of_kernels)
{
	share();
	must_be(!lies(__NR_mmap, (const u64[6]){ 0, PAGE, 3, MAP_SHARED, 3, 0 }));
	shared = (u32 *)fake.result;
	fake.answer = answer_of_kernels;
	kernel.wake_result = 4;
	must_be(between(FUTEX_WAKE, 9, NULL, NULL, 0) == 4);
	kernel.wake_result = 1L << 31;
	must_be(lies(__NR_futex, (const u64[6]){ (u64)shared, FUTEX_WAKE, 9 }));
}
END_TEST

SUITE(futex, SECONDS,
      { false_wakes, ARRAY_SIZE(false_results) }, { changed }, { interrupted, 2 }, { times, 4 }, { many, 3 }, { in_order },
      { requeued }, { refused }, { operations },
      { conditions, ARRAY_SIZE(comparisons) }, { owned }, { owned_and_woken }, { count_of_wakes }, { sleep_between }, { of_kernels })
