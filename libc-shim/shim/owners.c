// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * owners.c - whose thread has this id? For a robust mutex that processes share: a process that is killed cannot release
 * what it holds, and no kernel can do it for one whose memory it cannot read. So who waits has to find out, and must not
 * believe the kernel, which could have it take the mutex from an owner who lives.
 *
 * All threads of a family of processes stand in a table in memory that the family shares, each with the HAP that it is
 * part of, from before it can own anything until it has released all of it. Whether a HAP has ended, the hypervisor knows.
 * An id that stands there with no HAP that lives is nobody's who could still own something.
 *
 * Entries are taken and given back by one atomic exchange each, as a lock could be held by one that was killed. An id that
 * the kernel gives to two threads that live is a lie: each would own the other's mutexes.
 */
#include <asm/unistd.h>
#include "thread.h"

#define OWNERS_SIZE	(2 * INKTAG_PAGE_SIZE)
#define OWNERS_MAX	(OWNERS_SIZE / sizeof(u64) - 1)

static struct owners {
	u64 incomplete;			/* not 0: somebody found no room. Then nobody counts as dead */
	u64 entry[OWNERS_MAX];		/* HAP, thread id; 0: free */
} *owners;

static u32 hap;		/* this one; 0: not known yet */

u32 owners_hap(void)
{
	if (!hap)
		hap = hc_ended(0);
	return hap;
}

static u64 entry_of(u32 tid)
{
	return (u64)owners_hap() << 32 | tid;
}

static bool replace(u64 *entry, u64 old, u64 new)
{
	return __atomic_compare_exchange_n(entry, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* An entry that is free, or of one that has ended. */
static bool take(u64 new, bool ended)
{
	u64 was;
	u32 i;

	for (i = 0; i < OWNERS_MAX; i++) {
		was = __atomic_load_n(&owners->entry[i], __ATOMIC_SEQ_CST);
		if ((!was || (ended && hc_ended(was >> 32))) && replace(&owners->entry[i], was, new))
			return true;
	}
	return false;
}

void owners_add(struct thread *t)
{
	u64 e;
	u32 i;

	if (!owners || t->is_owner || !t->tid)
		return;
	t->is_owner = true;
	if (!take(entry_of(t->tid), false) && !take(entry_of(t->tid), true))
		__atomic_store_n(&owners->incomplete, 1, __ATOMIC_SEQ_CST);
	/* Now that its own entry is there: of two that come at once, one finds the other. */
	for (i = 0; i < OWNERS_MAX; i++) {
		e = __atomic_load_n(&owners->entry[i], __ATOMIC_SEQ_CST);
		if ((u32)e == t->tid && e != entry_of(t->tid) && !hc_ended(e >> 32))
			shim_lie(__NR_gettid, t->tid, "a thread of another process has it");
	}
}

void owners_remove(struct thread *t)
{
	u32 i;

	if (!t->is_owner)
		return;
	t->is_owner = false;
	for (i = 0; i < OWNERS_MAX; i++)
		if (replace(&owners->entry[i], entry_of(t->tid), 0))
			return;
}

void owners_forked(void)
{
	hap = 0;
	self()->is_owner = false;
	owners_add(self());
}

long owners_make(void)
{
	struct thread *t = self();
	long r;

	if (owners)
		return 0;
	r = mm_map_common(OWNERS_SIZE, INKTAG_KIND_PRIVATE);
	if (IS_ERR(r))
		return r;
	owners = (struct owners *)r;
	do
		owners_add(t);
	while ((t = t->next) != self());
	return 0;
}

bool owners_lives(u32 tid)
{
	u64 e;
	u32 i;

	if (!owners || __atomic_load_n(&owners->incomplete, __ATOMIC_SEQ_CST))
		return true;
	for (i = 0; i < OWNERS_MAX; i++) {
		e = __atomic_load_n(&owners->entry[i], __ATOMIC_SEQ_CST);
		if ((u32)e == tid && !hc_ended(e >> 32))
			return true;
	}
	/* One that found no room meanwhile said so before it could own anything. */
	return __atomic_load_n(&owners->incomplete, __ATOMIC_SEQ_CST);
}
