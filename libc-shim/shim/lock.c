// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * lock.c - locks among the program's threads, inside the shim. The word that decides is protected. Who has to wait
 * sleeps on a word in the first arena, which the kernel can see: it can wake a waiter too early or
 * too late, and that is all.
 *
 * Words of the arena are shared by locks that have nothing to do with each other: a waiter looks
 * again, and sleeps again.
 */
#include <asm/unistd.h>
#include <linux/futex.h>
#include "thread.h"

enum { FREE, TAKEN, AWAITED };

#define SPINS	64

static u32 *word_of(struct lock *l)
{
	return (u32 *)ARENA_WORDS + ((u64)l >> 4) % ARENA_WORDS_COUNT;
}

void lock(struct lock *l)
{
	u32 *word = word_of(l), seen, was = FREE;
	int i;

	for (i = 0; i < SPINS; i++, was = FREE) {
		if (__atomic_compare_exchange_n(&l->state, &was, TAKEN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			goto taken;
		asm volatile("pause");
	}
	for (;;) {
		/* Read before the lock is tried: an unlock after that changes it. */
		seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
		if (__atomic_exchange_n(&l->state, AWAITED, __ATOMIC_ACQUIRE) == FREE)
			break;
		hc_syscall_must(__NR_futex, (u64)word, FUTEX_WAIT_PRIVATE, seen, 0, 0, 0);
	}
taken:
	self()->locks++;
}

void unlock(struct lock *l)
{
	u32 *word = word_of(l);

	self()->locks--;
	if (__atomic_exchange_n(&l->state, FREE, __ATOMIC_RELEASE) != AWAITED)
		return;
	__atomic_add_fetch(word, 1, __ATOMIC_RELEASE);
	hc_syscall_must(__NR_futex, (u64)word, FUTEX_WAKE_PRIVATE, 0x7fffffff, 0, 0, 0);
}
