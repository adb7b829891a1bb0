// SPDX-License-Identifier: GPL-2.0-or-later
/* test_owners.c - who lives, and what becomes of a robust mutex whose owner does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "unit.h"

enum { ROOM = 2 * PAGE / sizeof(u64) - 1 };

/* owners.c */
long owners_make(void);
bool owners_lives(u32 tid);

/* A family: this process is HAP 1, its thread has the id 100. */
static void family(void)
{
	fake_reset();
	fake_memory();
	fake_process(1, 100);
	must_be(!owners_make());
}

static void ends(u64 hap)
{
	fake.living &= ~(1UL << hap);
}

START_TEST(nothing_is_known)
{
	fake_reset();
	fake_process(1, 100);
	must_be(owners_lives(100) && owners_lives(101));
}
END_TEST

START_TEST(who_lives)
{
	family();
	must_be(owners_lives(100) && !owners_lives(101));
	fake_process(2, 101);
	must_be(owners_lives(100) && owners_lives(101) && !owners_lives(102));
	ends(1);
	must_be(!owners_lives(100) && owners_lives(101));
	ends(2);
	must_be(!owners_lives(101));
}
END_TEST

START_TEST(an_id_given_twice)
{
	family();
	if (!ended()) {
		fake_process(2, 100);
		must(false, "two that live have one id");
	}
	must_be(fake.check == INKTAG_CHECK_SYSCALL && owners_lives(100));
	ends(1);
	ends(2);
	fake_process(3, 100);
	must_be(owners_lives(100));
	fake_process(3, 100);
	ends(3);
	must_be(!owners_lives(100));
}
END_TEST

START_TEST(room_of_those_that_ended)
{
	int hap, i;

	family();
	for (hap = 2; hap < 5; hap++) {
		for (i = 1; i < ROOM; i++)
			fake_process(hap, 200 * hap + i);
		must_be(owners_lives(200 * hap + 1) && owners_lives(200 * hap + ROOM - 1) && owners_lives(100));
		must_be(!owners_lives(7));
		ends(hap);
	}
}
END_TEST

START_TEST(no_room)
{
	int i;

	family();
	for (i = 1; i < ROOM; i++)
		fake_process(2, 200 + i);
	must_be(!owners_lives(7));
	fake_process(3, 7);
	ends(3);
	must_be(owners_lives(7));
}
END_TEST

/* --- a mutex --------------------------------------------------------------------------------------------- */

static u64 word;
static struct robust_list_head head;
static int sleeps;

/* The kernel lets each sleep last as long as it was to. */
static long in_time(long nr, const u64 args[6])
{
	const u64 *time = (const void *)args[3];

	if (nr != SYS_futex || args[1] != FUTEX_WAIT)
		return 0;
	sleeps++;
	if (time) {
		fake.boottime += time[0] * 1000000000 + time[1];
		if (sleeps == 3)
			ends(2);
	}
	return time ? -ETIMEDOUT : 0;
}

static u32 *mutex_of(u32 owner)
{
	long r;

	family();
	fake_process(2, 101);
	fake_process(1, 100);
	must_be(!lies(SYS_mmap, (const u64[6]){ 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 }));
	r = fake.result;
	must_be(r > 0);
	word = r + 64;
	head.futex_offset = -16;
	must_be(!lies(SYS_set_robust_list, (const u64[6]){ (u64)&head, sizeof(head) }));
	head.list_op_pending = (void *)(word + 16);
	fake.answer = in_time;
	*(u32 *)word = owner;
	return (u32 *)word;
}

static long waits(u32 value, long ms)
{
	struct { long s, ns; } time = { ms / 1000, ms % 1000 * 1000000 };

	must_be(!lies(SYS_futex, (const u64[6]){ word, FUTEX_WAIT, value, ms ? (u64)&time : 0 }));
	return fake.result;
}

START_TEST(owner_dead)
{
	u32 *mutex = mutex_of(102 | FUTEX_WAITERS);

	must_be(waits(*mutex, 0) == 0 && *mutex == (FUTEX_OWNER_DIED | FUTEX_WAITERS) && !sleeps);
}
END_TEST

START_TEST(owner_dies)
{
	u32 *mutex = mutex_of(101 | FUTEX_WAITERS);

	must_be(waits(*mutex, 0) == 0 && *mutex == (FUTEX_OWNER_DIED | FUTEX_WAITERS) && sleeps == 3);
}
END_TEST

START_TEST(owner_lives)
{
	u32 *mutex = mutex_of(100 | FUTEX_WAITERS);

	must_be(waits(*mutex, 5000) == -ETIMEDOUT && *mutex == (100 | FUTEX_WAITERS) && sleeps > 3);
	must_be(waits(*mutex ^ 1, 0) == -EAGAIN);
}
END_TEST

START_TEST(no_mutex)
{
	u32 *mutex = mutex_of(102 | FUTEX_WAITERS);

	head.list_op_pending = (void *)(word + 20);
	must_be(waits(*mutex, 5) == -ETIMEDOUT && *mutex == (102 | FUTEX_WAITERS));
	head.list_op_pending = NULL;
	must_be(waits(*mutex, 5) == -ETIMEDOUT && *mutex == (102 | FUTEX_WAITERS));
}
END_TEST

SUITE(owners, SECONDS,
      { nothing_is_known }, { who_lives }, { an_id_given_twice }, { room_of_those_that_ended }, { no_room },
      { owner_dead }, { owner_dies }, { owner_lives }, { no_mutex })
