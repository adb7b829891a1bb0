// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * thread.c - threads: making them, ending them, and processes, which begin with one.
 *
 * The kernel is asked for a thread or process as such; memory, registers and what the libc wants to be written
 * where (thread ids) are no business of its (hypercall.h, INKTAG_HC_CLONE).
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include "desc.h"
#include "fds.h"
#include "protect.h"
#include "thread.h"

#define THREAD_FLAGS	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
/* What the shim does itself, or does not need. */
#define OWN_FLAGS	(CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | \
			 CLONE_IO)

static struct thread first;

/* Protects the ring of threads, `first` in it, and their memory. */
struct lock threads_lock;
static u64 last_serial;
static struct thread *dead;	/* not in the ring; those with `gone` may be used again */

static void set_arena(struct thread *t, u64 base)
{
	t->arena = base;
	t->arena_first = base + (base == INKTAG_ARENA_BASE ? ARENA_BUF - base : 0);
	t->arena_next = t->arena_first;
	t->arena_end = base + INKTAG_ARENA_SIZE - ARENA_STACK_SIZE - INKTAG_PAGE_SIZE;
	t->ustack = base + INKTAG_ARENA_SIZE - INKTAG_PAGE_SIZE;
	t->delivery = (u64)t->delivery_stack + DELIVERY_STACK - sizeof(struct frame);
}

void thread_init(void)
{
	first.self = &first;
	first.next = first.prev = &first;
	set_arena(&first, INKTAG_ARENA_BASE);
	hc_set_gsbase((u64)&first);
}

/* In the word of a futex there is room for so much of an id: of two that differ only beyond, one would own what the other has. */
static u32 get_tid(void)
{
	u32 tid = checked(__NR_gettid, hc_syscall_must(__NR_gettid, 0, 0, 0, 0, 0, 0), FUTEX_TID_MASK);

	if (!tid)
		shim_lie(__NR_gettid, tid, "no thread has it");
	return tid;
}

void thread_first(void)
{
	first.tid = get_tid();
	signal_init();
}

/*
 * What a fork may not find half done. Locks are taken in this order, before signals are of any concern.
 */
static struct lock *const all_locks[] = { &threads_lock, &protect_lock, &files_lock, &mm_lock, &waiters_lock, &actions_lock, &timers_lock,
					   &sizes_lock };

static void lock_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all_locks); i++)
		lock(all_locks[i]);
}

static void unlock_all(void)
{
	size_t i;

	for (i = ARRAY_SIZE(all_locks); i; i--)
		unlock(all_locks[i - 1]);
}

/* Memory for a thread: of one that has ended, or new. With the lock. */
static struct thread *thread_alloc(void)
{
	struct thread *t, **at;
	long block, arena;

	for (at = &dead; (t = *at); at = &t->next) {
		if (!__atomic_load_n(&t->gone, __ATOMIC_ACQUIRE))
			continue;
		*at = t->next;
		arena = t->arena;
		memset(t, 0, offsetof(struct thread, delivery_stack));
		set_arena(t, arena);
		t->self = t;
		return t;
	}
	block = mm_map_own(PAGE_UP(sizeof(*t)), INKTAG_KIND_PRIVATE);
	if (IS_ERR(block))
		return NULL;
	arena = mm_map_own(INKTAG_ARENA_SIZE, INKTAG_KIND_UNCLOAKED);
	if (IS_ERR(arena)) {
		mm_unmap_own(block);
		return NULL;
	}
	t = (struct thread *)block;
	set_arena(t, arena);
	t->self = t;
	return t;
}

static void bury(struct thread *t)
{
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->next = dead;
	dead = t;
}

/* In the child of a fork the others are not there, and nobody waits. */
static void forget_others(void)
{
	struct thread *t = self();

	while (t->next != t) {
		t->next->gone = 1;
		bury(t->next);
	}
	futex_forget_all();
	timers_forget();
	fds_forked();
	t->tid = get_tid();
	t->robust_list = 0;
	owners_forked();
	protect_forked();
}

/*
 * Both the parent and the child need the id to be there when they go on, and neither may write it after the
 * child has ended and cleared it: the first one writes it. Locks are owned by it: both must have been told the same.
 */
static void tell_tid(struct thread *t, u64 serial, u32 tid)
{
	bool lie = false;

	lock(&threads_lock);
	if (t->serial == serial) {
		lie = t->told_tid && t->told_tid != tid;
		if (!t->told_tid && t->parent_tid)
			*(u32 *)t->parent_tid = tid;
		t->told_tid = tid;
	}
	unlock(&threads_lock);
	if (lie)
		shim_lie(__NR_clone, tid, "the thread itself has another id");
}

/* Two threads of one id would own each other's locks. With the lock. */
static bool is_only_one(const struct thread *t)
{
	const struct thread *other;

	for (other = t->next; other != t; other = other->next)
		if (other->tid == t->tid)
			return false;
	return true;
}

/* The new thread's first code, on its own stack; the way out follows. */
void thread_begin(struct frame *frame)
{
	struct thread *t = self();
	bool only;
	u32 tid;

	signal_register_entry();
	tid = get_tid();
	lock(&threads_lock);
	t->tid = tid;
	only = is_only_one(t);
	owners_add(t);
	unlock(&threads_lock);
	if (!only)
		shim_lie(__NR_gettid, tid, "another thread has it");
	tell_tid(t, t->serial, t->tid);
	if (t->child_tid)
		*(u32 *)t->child_tid = t->tid;
	signal_set_mask(t->sigmask);
}

/* The libc put the address to which the call returns on the new stack. */
static void return_on(struct frame *frame, u64 stack)
{
	frame->rip = *(const u64 *)stack;
	frame->gpr[RSP] = stack + sizeof(u64);
}

/* A new thread's frame, on its own stack. */
static struct frame *frame_on(u64 stack)
{
	return (struct frame *)((stack - sizeof(struct frame)) & ~15UL);
}

/* What is written to the program's memory while all signals are blocked is touched before: its fault, if it is one. */
static long touch_all(u64 flags, const u64 args[6], const struct frame *frame)
{
	struct frame *at = frame_on(args[1]);

	if ((flags & CLONE_THREAD && !user_range_ok(args[1] - 0x1000, 0x1000)) ||
	    (flags & CLONE_PARENT_SETTID && !user_range_ok(args[2], sizeof(u32))) ||
	    (flags & CLONE_CHILD_SETTID && !user_range_ok(args[3], sizeof(u32))))
		return -EFAULT;
	if (flags & CLONE_PARENT_SETTID)
		__atomic_fetch_add((u32 *)args[2], 0, __ATOMIC_RELAXED);
	if (flags & CLONE_CHILD_SETTID)
		__atomic_fetch_add((u32 *)args[3], 0, __ATOMIC_RELAXED);
	if (flags & CLONE_THREAD) {
		*at = *frame;
		at->gpr[RAX] = 0;
		return_on(at, args[1]);
	}
	return 0;
}

static long make_thread(u64 flags, const u64 args[6])
{
	struct thread *t = self(), *new;
	struct clone clone = { .flags = (flags & ~(u64)OWN_FLAGS), .rsp = (u64)frame_on(args[1]) };
	u64 serial;
	long r;

	lock(&threads_lock);
	new = thread_alloc();
	unlock(&threads_lock);
	if (!new)
		return -EAGAIN;
	new->sigmask = new->blocked = t->sigmask;
	new->fsbase = flags & CLONE_SETTLS ? args[4] : t->fsbase;
	new->parent_tid = flags & CLONE_PARENT_SETTID ? args[2] : 0;
	new->child_tid = flags & CLONE_CHILD_SETTID ? args[3] : 0;
	new->clear_tid = flags & CLONE_CHILD_CLEARTID ? args[3] : 0;
	clone.fsbase = new->fsbase;
	clone.gsbase = (u64)new;
	clone.kernel_stack = clone.ustack = new->ustack;

	lock(&threads_lock);
	serial = new->serial = ++last_serial;
	new->next = t->next;
	new->prev = t;
	t->next->prev = new;
	t->next = new;
	unlock(&threads_lock);
	r = checked(__NR_clone, hc_clone(&clone), 0x7fffffff);
	if (!IS_ERR(r)) {
		tell_tid(new, serial, r);
		return r;
	}
	lock(&threads_lock);
	new->gone = 1;
	bury(new);
	unlock(&threads_lock);
	return r == -ENOSPC ? -EAGAIN : r;
}

/* The locks are held, so that the child finds nothing half done. */
static long make_process(u64 flags, const u64 args[6], struct frame *frame)
{
	struct thread *t = self();
	struct clone clone = {
		.flags = flags & ~(u64)(OWN_FLAGS | CLONE_VM), .process = 1,
		.fsbase = flags & CLONE_SETTLS ? args[4] : t->fsbase, .gsbase = (u64)t, .ustack = t->ustack,
	};
	long r;

	lock_all();
	r = mm_has_shared() && flags & CLONE_NEWPID ? shim_missing(__NR_clone, " with ids of its own and shared memory") : 0;
	if (!r && mm_has_shared())
		r = owners_make();
	if (!r)
		r = fds_fork();
	if (!r)
		r = protect_fork();
	if (r) {
		unlock_all();
		return r;
	}
	r = hc_clone(&clone);
	if (!r)
		forget_others();
	else if (IS_ERR(r))
		protect_not_forked();
	unlock_all();
	if (r) {
		checked(__NR_clone, r, 0x7fffffff);
		if (!IS_ERR(r) && flags & CLONE_PARENT_SETTID)
			*(u32 *)args[2] = r;
		return r == -ENOSPC ? -EAGAIN : r;
	}
	t->fsbase = clone.fsbase;
	t->clear_tid = flags & CLONE_CHILD_CLEARTID ? args[3] : 0;
	if (flags & CLONE_CHILD_SETTID)
		*(u32 *)args[3] = t->tid;
	if (args[1])
		return_on(frame, args[1]);
	return 0;
}

/*
 * Signals are blocked: until the child has a thread of its own, they would find its parent; and until it has a signal
 * entry, the stub would end the process.
 */
static long make(u64 flags, const u64 args[6])
{
	struct thread *t = self();
	struct frame *frame = (struct frame *)t->frame;
	long r;

	if (flags & CLONE_THREAD) {
		if ((flags & THREAD_FLAGS) != THREAD_FLAGS || !args[1])
			return -EINVAL;
	} else if (flags & (CLONE_SIGHAND | CLONE_FILES | CLONE_NEWNS | CLONE_NEWUSER | CLONE_PIDFD)) {
		return shim_missing(__NR_clone, " with these flags");
	} else if (flags & CLONE_VM && !(flags & CLONE_VFORK)) {
		return shim_missing(__NR_clone, " of processes that share memory");
	}
	r = touch_all(flags, args, frame);
	if (r)
		return r;
	signal_block_all();
	if (t->deferred_count) {
		/* It shall not come to the child, too. */
		t->cancelled = 1;
		r = -EINTR;
	} else {
		r = flags & CLONE_THREAD ? make_thread(flags, args) : make_process(flags, args, frame);
	}
	signal_set_mask(t->sigmask);
	return r;
}

long sys_clone(long nr, const u64 args[6])
{
	return make(args[0], args);
}

/* vfork has a copy of the memory, but the parent waits as it should. */
long sys_fork(long nr, const u64 args[6])
{
	static const u64 none[6];

	return make(SIGCHLD | (nr == __NR_vfork ? CLONE_VFORK : 0), none);
}

long sys_set_tid_address(long nr, const u64 args[6])
{
	self()->clear_tid = args[0];
	return self()->tid;
}

long sys_gettid(long nr, const u64 args[6])
{
	return self()->tid;
}

/* --- the end ---------------------------------------------------------------------------------- */

#define ROBUST_MAX	2048

long sys_set_robust_list(long nr, const u64 args[6])
{
	if (args[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	self()->robust_list = args[0];
	return 0;
}

/* As Linux does for the threads that remain (Documentation/locking/robust-futexes.rst). */
static void owner_died(u64 entry, s64 offset, u32 tid)
{
	u32 *word = (u32 *)((entry & ~1UL) + offset), was;

	if (!user_range_ok((u64)word, sizeof(*word)) || (u64)word % sizeof(*word))
		return;
	was = __atomic_load_n(word, __ATOMIC_RELAXED);
	do
		if ((was & FUTEX_TID_MASK) != tid)
			return;
	while (!__atomic_compare_exchange_n(word, &was, (was & FUTEX_WAITERS) | FUTEX_OWNER_DIED, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED));
	if (was & FUTEX_WAITERS)
		futex_wake_one((u64)word);
}

static void release_robust(struct thread *t)
{
	const struct robust_list_head *head = (const void *)t->robust_list;
	u64 entry, pending;
	s64 offset;
	int n = 0;

	if (!head)
		return;
	offset = head->futex_offset;
	pending = (u64)head->list_op_pending;
	for (entry = (u64)head->list.next; (entry & ~1UL) != (u64)head && n++ < ROBUST_MAX;) {
		u64 next = *(const u64 *)(entry & ~1UL);

		if (entry != pending)
			owner_died(entry, offset, t->tid);
		entry = next;
	}
	if (pending)
		owner_died(pending, offset, t->tid);
}

/* On the signal stack: after the word is cleared, another thread may free the thread's own. */
_Noreturn void thread_end(u64 status)
{
	struct thread *t = self();
	u64 word = t->clear_tid;

	lock(&threads_lock);
	owners_remove(t);
	bury(t);
	unlock(&threads_lock);
	if (word) {
		__atomic_store_n((u32 *)word, 0, __ATOMIC_SEQ_CST);
		futex_wake(word, 1, 0xffffffff);
	}
	thread_gone(status, &t->gone);
}

long sys_exit(long nr, const u64 args[6])
{
	struct thread *t = self();

	/* A signal that came at the end would find no thread to take it, and the stub would end the process as well. */
	signal_block_all();
	t->unwind = 0;	/* it does not come back */
	/* Whether the others run no more, only the kernel says: what they own is free when the HAP has ended. */
	release_robust(t);
	if (nr == __NR_exit_group) {
		/* Of a HAP that has ended, another thread would be refused, and its stub could end the process first. */
		if (t->next != t || dead)
			hc_syscall_must(nr, args[0], 0, 0, 0, 0, 0);
		hc_exit(args[0]);
	}
	/* On this stack a signal would overwrite what is there; and later, the next thread that has this memory. */
	hc_signal_entry(0, 0);
	thread_leave_stack(args[0], t->signal_stack + SIGNAL_STACK);
}
