// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * futex.c - futexes among the program's threads. The kernel sees neither the word nor its address: who
 * waits for whom is written down here, in protected memory. A waiter sleeps on a word in
 * its own arena, and goes on when it finds itself taken off the list; so the kernel can delay it, and
 * nothing else.
 *
 * waiters_lock protects the list, and makes "the word still has this value" and "I am on the list" one step.
 *
 * Between processes there is no list that all could write to. There a waiter sleeps on one of a few words that
 * children inherit, unprotected, and goes on whenever that changes: FUTEX_WAIT may return for no reason, and
 * who calls it looks at the futex again. What is in memory that is unprotected anyway is the kernel's.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/time.h>
#include "thread.h"

struct futex_waiter {
	struct futex_waiter *next, *prev;	/* in the order in which they came; a ring with `waiters` */
	u64 addr;
	u32 bitset;
	u32 tid;	/* FUTEX_LOCK_PI: it is to own the word, and is woken only when it does. Or 0 */
	bool woken;
	u32 *word;	/* in the arena */
};

#define ALL	0xffffffffU	/* FUTEX_BITSET_MATCH_ANY */

#define SHARED_WORDS	1024	/* a page */
static u32 *shared_words;

static struct futex_waiter waiters = { .next = &waiters, .prev = &waiters };
struct lock waiters_lock;

/* A fault of the program's shall come before the lock is taken. Atomic: nobody's write is lost. */
static void touch(u64 addr)
{
	__atomic_fetch_add((u32 *)addr, 0, __ATOMIC_RELAXED);
}

static void append(struct futex_waiter *w)
{
	w->prev = waiters.prev;
	w->next = &waiters;
	waiters.prev->next = w;
	waiters.prev = w;
}

static void take_off(struct futex_waiter *w)
{
	w->prev->next = w->next;
	w->next->prev = w->prev;
}

void futex_forget_all(void)
{
	waiters.next = waiters.prev = &waiters;
}

/* With the lock held. Returns its word. */
static u32 *let_go(struct futex_waiter *w)
{
	take_off(w);
	__atomic_store_n(w->word, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
	return w->word;
}

/* With the lock held: takes off up to count waiters; their words are put into wake, up to max. */
static u32 wake_locked(u64 addr, u32 count, u32 bitset, u32 **wake, u32 max)
{
	struct futex_waiter *w, *next;
	u32 n = 0;

	for (w = waiters.next; w != &waiters && n < count && n < max; w = next) {
		next = w->next;
		if (w->addr != addr || w->tid || !(w->bitset & bitset))
			continue;
		wake[n++] = let_go(w);
	}
	return n;
}

static void rouse(u32 **wake, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		hc_syscall_must(__NR_futex, (u64)wake[i], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

#define WAKE_MAX	32

long futex_wake(u64 addr, u32 count, u32 bitset)
{
	u32 *wake[WAKE_MAX], n, done = 0;

	do {
		lock(&waiters_lock);
		n = wake_locked(addr, count - done, bitset, wake, WAKE_MAX);
		unlock(&waiters_lock);
		rouse(wake, n);
		done += n;
	} while (n == WAKE_MAX && done < count);
	return done;
}

static long requeue(u64 addr, u32 count, u32 move, u64 to, const u32 *expected)
{
	struct futex_waiter *w;
	u32 *wake[WAKE_MAX], n, aside = 0, moved = 0;

	lock(&waiters_lock);
	if (expected && __atomic_load_n((u32 *)addr, __ATOMIC_SEQ_CST) != *expected) {
		unlock(&waiters_lock);
		return -EAGAIN;
	}
	n = wake_locked(addr, count, ALL, wake, WAKE_MAX);
	for (w = waiters.next; w != &waiters && (n + aside < count || moved < move); w = w->next) {
		if (w->addr != addr || w->tid)
			continue;
		/* Those that wake are many: the others of them wait at an address that is nobody else's. */
		if (n + aside < count) {
			w->addr = (u64)wake;
			aside++;
			continue;
		}
		w->addr = to;
		moved++;
	}
	unlock(&waiters_lock);
	rouse(wake, n);
	n += futex_wake((u64)wake, aside, ALL);
	return expected ? n + moved : n;
}

/* The operation on the word at addr that op encodes; returns what was there. futex(2), FUTEX_WAKE_OP. */
static s32 operate(u32 *word, u32 op)
{
	u32 arg = (s32)(op << 8) >> 20;

	if (op >> 31)		/* FUTEX_OP_OPARG_SHIFT */
		arg = 1U << (arg & 31);
	switch (op >> 28 & 7) {
	case FUTEX_OP_SET:
		return __atomic_exchange_n(word, arg, __ATOMIC_SEQ_CST);
	case FUTEX_OP_ADD:
		return __atomic_fetch_add(word, arg, __ATOMIC_SEQ_CST);
	case FUTEX_OP_OR:
		return __atomic_fetch_or(word, arg, __ATOMIC_SEQ_CST);
	case FUTEX_OP_ANDN:
		return __atomic_fetch_and(word, ~arg, __ATOMIC_SEQ_CST);
	default:
		return __atomic_fetch_xor(word, arg, __ATOMIC_SEQ_CST);
	}
}

static bool is_operation(u32 op)
{
	return (op >> 28 & 7) <= FUTEX_OP_XOR && (op >> 24 & 15) <= FUTEX_OP_CMP_GE;
}

static bool compares(s32 was, u32 op)
{
	s32 arg = (s32)(op << 20) >> 20;

	switch (op >> 24 & 15) {
	case FUTEX_OP_CMP_EQ:
		return was == arg;
	case FUTEX_OP_CMP_NE:
		return was != arg;
	case FUTEX_OP_CMP_LT:
		return was < arg;
	case FUTEX_OP_CMP_LE:
		return was <= arg;
	case FUTEX_OP_CMP_GT:
		return was > arg;
	default:
		return was >= arg;
	}
}

static long wake_op(u64 addr, u32 count, u32 count2, u64 addr2, u32 op)
{
	long n;
	s32 was;

	if (!is_operation(op))
		return -ENOSYS;
	touch(addr2);
	/* Atomic for those who look at the list: whoever waits now, waited before the operation. */
	lock(&waiters_lock);
	was = operate((u32 *)addr2, op);
	unlock(&waiters_lock);
	n = futex_wake(addr, count, ALL);
	if (compares(was, op))
		n += futex_wake(addr2, count2, ALL);
	return n;
}

void futex_share(void)
{
	long r;

	if (shared_words)
		return;
	r = mm_map_common(INKTAG_PAGE_SIZE, INKTAG_KIND_UNCLOAKED);
	if (!IS_ERR(r))
		shared_words = (u32 *)r;
}

/* The word for a futex in shared memory, by where that is in its object. */
static u32 *shared_word(u64 name)
{
	return &shared_words[(name >> 2 ^ name >> 20) % SHARED_WORDS];
}

static long shared_wake(u32 *word, u32 count)
{
	long r;

	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	r = hc_syscall_must(__NR_futex, (u64)word, FUTEX_WAKE, 0x7fffffff, 0, 0, 0);
	return r < 0 ? 0 : r < count ? r : count;
}

/*
 * Is the thread about to lock a robust mutex, of which this is the word? It says so, as Linux wants it to
 * (Documentation/locking/robust-futex-ABI.rst).
 */
static bool is_robust(u64 addr)
{
	const struct robust_list_head *head = (const void *)self()->robust_list;

	return head && ((u64)head->list_op_pending & ~1UL) + head->futex_offset == addr;
}

/* What the owner's kernel does elsewhere: the owner has died, and says so. */
static bool release_dead(u32 *word, u32 value)
{
	if (!(value & FUTEX_TID_MASK) || owners_lives(value & FUTEX_TID_MASK))
		return false;
	__atomic_compare_exchange_n(word, &value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_RELAXED);
	return true;
}

#define LOOK_FIRST	(NSEC / 50)
#define LOOK_LAST	(NSEC / 3)

/* Nobody wakes who waits for one that was killed: it looks from time to time, less and less often. */
static long shared_wait(u64 addr, u32 *word, u32 value, const struct __kernel_timespec *timeout, bool absolute, bool realtime)
{
	u64 mark = arena_mark(), end = 0, left = 0, look = is_robust(addr) ? LOOK_FIRST : 0;
	struct __kernel_timespec *ts = NULL;
	u32 seen;
	long r = 0;

	if (timeout || look) {
		ts = arena_alloc(sizeof(*ts));
		if (!ts)
			return -ENOMEM;
	}
	if (timeout)
		r = clock_end(timeout, absolute, &end);
	while (!r) {
		seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
		if (__atomic_load_n((u32 *)addr, __ATOMIC_SEQ_CST) != value) {
			r = -EAGAIN;
			break;
		}
		if (look && release_dead((u32 *)addr, value))
			break;
		if (timeout)
			r = clock_until(end, absolute && realtime, &left);
		if (timeout && !r && !left)
			r = -ETIMEDOUT;
		if (r)
			break;
		if (look && (!timeout || left > look))
			left = look;
		if (ts)
			*ts = clock_timespec(left);
		r = hc_syscall(__NR_futex, (u64)word, FUTEX_WAIT, seen, (u64)ts, 0, 0);
		if (r == -EINTR)
			break;
		/* -EAGAIN: others were woken, who did not count this one: it waits still. */
		if (r != -ETIMEDOUT && r != -EAGAIN) {
			r = 0;
			break;
		}
		if (r == -ETIMEDOUT && look && look < LOOK_LAST)
			look *= 2;
		r = 0;
	}
	arena_release(mark);
	return r;
}

static bool sleeps(struct futex_waiter *w)
{
	return !__atomic_load_n(&w->woken, __ATOMIC_ACQUIRE);
}

/* On the list; until it is woken, the time is over, or a signal comes. The arena is the caller's to release. */
static long sleep_on(struct futex_waiter *w, const u64 *end, bool realtime)
{
	struct __kernel_timespec *ts = end ? arena_alloc(sizeof(*ts)) : NULL;
	long r = end && !ts ? -ENOMEM : 0;
	u64 left;

	while (sleeps(w) && !r) {
		if (end) {
			r = clock_until(*end, realtime, &left);
			if (!r && !left)
				r = -ETIMEDOUT;
			if (r)
				break;
			*ts = clock_timespec(left);
		}
		/* All else: look again. */
		if (hc_syscall(__NR_futex, (u64)w->word, FUTEX_WAIT_PRIVATE, 0, (u64)ts, 0, 0) == -EINTR)
			r = -EINTR;
	}
	lock(&waiters_lock);
	if (w->woken)
		r = 0;
	else
		take_off(w);
	unlock(&waiters_lock);
	return r;
}

static long wait(u64 addr, u32 value, const struct __kernel_timespec *timeout, bool absolute, bool realtime,
		 u32 bitset)
{
	u64 mark = arena_mark(), end = 0;
	struct futex_waiter w = { .addr = addr, .bitset = bitset, .word = arena_alloc(sizeof(u32)) };
	long r;

	if (!w.word)
		return -ENOMEM;
	touch(addr);
	if (timeout) {
		r = clock_end(timeout, absolute, &end);
		if (r)
			goto out;
	}
	*w.word = 0;
	lock(&waiters_lock);
	if (__atomic_load_n((u32 *)addr, __ATOMIC_SEQ_CST) != value) {
		unlock(&waiters_lock);
		r = -EAGAIN;
		goto out;
	}
	append(&w);
	unlock(&waiters_lock);
	r = sleep_on(&w, timeout ? &end : NULL, absolute && realtime);
out:
	arena_release(mark);
	return r;
}

/* --- with the owner's id in the word: FUTEX_LOCK_PI and its kin. Nobody's priority is raised ------------------- */

static struct futex_waiter *first_waiter(u64 addr, const struct futex_waiter *but)
{
	struct futex_waiter *w;

	for (w = waiters.next; w != &waiters; w = w->next)
		if (w != but && w->tid && w->addr == addr)
			return w;
	return NULL;
}

/* With the lock: takes it, if nobody has it. 0, -EDEADLK, or -EAGAIN: the owner knows now that somebody waits. */
static long take_owned(u64 addr, u32 tid)
{
	u32 *word = (u32 *)addr, was = __atomic_load_n(word, __ATOMIC_SEQ_CST), new;

	do {
		if ((was & FUTEX_TID_MASK) == tid)
			return -EDEADLK;
		if (was & FUTEX_TID_MASK)
			new = was | FUTEX_WAITERS;
		else
			new = tid | (was & FUTEX_OWNER_DIED) | (first_waiter(addr, NULL) ? FUTEX_WAITERS : 0);
	} while (!__atomic_compare_exchange_n(word, &was, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return was & FUTEX_TID_MASK ? -EAGAIN : 0;
}

static long lock_owned(u64 addr, const struct __kernel_timespec *timeout, bool realtime)
{
	u64 mark = arena_mark(), end = 0;
	struct futex_waiter w = { .addr = addr, .bitset = ALL, .tid = self()->tid, .word = arena_alloc(sizeof(u32)) };
	long r = 0;

	if (!w.word)
		return -ENOMEM;
	touch(addr);
	if (timeout)
		r = clock_end(timeout, true, &end);
	if (r)
		goto out;
	*w.word = 0;
	lock(&waiters_lock);
	r = take_owned(addr, w.tid);
	if (r == -EAGAIN)
		append(&w);
	unlock(&waiters_lock);
	if (r == -EAGAIN)
		r = sleep_on(&w, timeout ? &end : NULL, realtime);
out:
	arena_release(mark);
	return r == -EINTR ? -ERESTARTSYS : r;
}

/* With the lock: the next one has it at once: nobody can come between. Returns its word; NULL: nobody waits. */
static u32 *hand_over(u64 addr, u32 flags)
{
	struct futex_waiter *w = first_waiter(addr, NULL);
	u32 owner = !w ? 0 : w->tid | (first_waiter(addr, w) ? FUTEX_WAITERS : 0);

	__atomic_store_n((u32 *)addr, owner | flags, __ATOMIC_SEQ_CST);
	return w ? let_go(w) : NULL;
}

/* Its owner has died. false: nobody waits to own it. */
static bool inherit_owned(u64 addr)
{
	u32 *wake = NULL, was;
	bool any;

	lock(&waiters_lock);
	any = first_waiter(addr, NULL);
	was = __atomic_load_n((u32 *)addr, __ATOMIC_SEQ_CST);
	if (any && !(was & FUTEX_TID_MASK))
		wake = hand_over(addr, was & FUTEX_OWNER_DIED);
	unlock(&waiters_lock);
	rouse(&wake, wake != NULL);
	return any;
}

static long unlock_owned(u64 addr)
{
	u32 *word = (u32 *)addr, *wake, was;

	touch(addr);
	lock(&waiters_lock);
	was = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	if ((was & FUTEX_TID_MASK) != self()->tid) {
		unlock(&waiters_lock);
		return -EPERM;
	}
	wake = hand_over(addr, 0);
	unlock(&waiters_lock);
	rouse(&wake, wake != NULL);
	return 0;
}

static long try_owned(u64 addr)
{
	long r;

	touch(addr);
	lock(&waiters_lock);
	r = take_owned(addr, self()->tid);
	unlock(&waiters_lock);
	return r;
}

void futex_wake_one(u64 addr)
{
	u64 name;

	if (mm_futex_place(addr, &name) == FUTEX_SHARED)
		shared_wake(shared_word(name), 1);
	else if (!inherit_owned(addr))
		futex_wake(addr, 1, ALL);
}

/* --- the call ------------------------------------------------------------------------------------------------ */

struct request {
	u64 addr, addr2;
	const struct __kernel_timespec *timeout;
	u32 command, value, count2, value3;
	bool realtime;
};

static long by_list(long nr, const struct request *q)
{
	long r;

	switch (q->command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		r = wait(q->addr, q->value, q->timeout, q->command == FUTEX_WAIT_BITSET, q->realtime, q->value3);
		return r == -EINTR && !q->timeout ? -ERESTARTSYS : r;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return futex_wake(q->addr, q->value, q->value3);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return requeue(q->addr, q->value, q->count2, q->addr2, q->command == FUTEX_CMP_REQUEUE ? &q->value3 : NULL);
	case FUTEX_WAKE_OP:
		return wake_op(q->addr, q->value, q->count2, q->addr2, q->value3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return lock_owned(q->addr, q->timeout, q->command == FUTEX_LOCK_PI || q->realtime);
	case FUTEX_TRYLOCK_PI:
		return try_owned(q->addr);
	case FUTEX_UNLOCK_PI:
		return unlock_owned(q->addr);
	}
	return shim_missing(nr, " with this operation");
}

static long by_word(long nr, const struct request *q, u32 *word)
{
	u64 name;
	s32 was;
	long r;

	switch (q->command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		r = shared_wait(q->addr, word, q->value, q->timeout, q->command == FUTEX_WAIT_BITSET, q->realtime);
		return r == -EINTR && !q->timeout ? -ERESTARTSYS : r;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return shared_wake(word, q->value);
	case FUTEX_CMP_REQUEUE:
		if (__atomic_load_n((u32 *)q->addr, __ATOMIC_SEQ_CST) != q->value3)
			return -EAGAIN;
		fallthrough;
	case FUTEX_REQUEUE:
		/* All wake, and go to sleep again on the other one themselves. */
		return shared_wake(word, 0x7fffffff);
	case FUTEX_WAKE_OP:
		if (!is_operation(q->value3))
			return -ENOSYS;
		was = operate((u32 *)q->addr2, q->value3);
		r = shared_wake(word, q->value);
		if (compares(was, q->value3) && mm_futex_place(q->addr2, &name) == FUTEX_SHARED)
			r += shared_wake(shared_word(name), q->count2);
		return r;
	}
	return shim_missing(nr, " with this operation between processes");
}

/* Memory that the kernel sees: it does the whole. */
static long by_kernel(long nr, const u64 args[6], bool timed)
{
	struct call row = { .result = RESULT_INT, .arg = { { ARG_VALUE }, { ARG_VALUE }, { ARG_VALUE }, { ARG_VALUE },
							     { ARG_VALUE }, { ARG_VALUE } } };

	if (timed)
		row.arg[3] = (struct arg){ ARG_IN, .optional = true, .size = sizeof(struct __kernel_timespec) };
	return marshal_call(nr, &row, args);
}

long sys_futex(long nr, const u64 args[6])
{
	struct request q = {
		.addr = args[0], .command = args[1] & FUTEX_CMD_MASK, .value = args[2], .count2 = args[3], .addr2 = args[4],
		.value3 = args[5], .realtime = args[1] & FUTEX_CLOCK_REALTIME,
	};
	bool timed = false, two = false;
	u64 name;

	if (q.addr % sizeof(u32))
		return -EINVAL;
	if (!user_range_ok(q.addr, sizeof(u32)))
		return -EFAULT;
	switch (q.command) {
	case FUTEX_WAIT:
		q.value3 = ALL;
		fallthrough;
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		timed = true;
		break;
	case FUTEX_WAKE:
		q.value3 = ALL;
		break;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
		two = true;
	}
	if ((q.command == FUTEX_WAIT_BITSET || q.command == FUTEX_WAKE_BITSET) && !q.value3)
		return -EINVAL;
	if (timed && args[3]) {
		if (!user_range_ok(args[3], sizeof(*q.timeout)))
			return -EFAULT;
		q.timeout = (const void *)args[3];
	}
	if (two && q.addr2 % sizeof(u32))
		return -EINVAL;
	if (two && !user_range_ok(q.addr2, sizeof(u32)))
		return -EFAULT;
	switch (args[1] & FUTEX_PRIVATE_FLAG ? FUTEX_OWN : mm_futex_place(q.addr, &name)) {
	case FUTEX_SHARED:
		return by_word(nr, &q, shared_word(name));
	case FUTEX_KERNELS:
		return by_kernel(nr, args, timed);
	default:
		return by_list(nr, &q);
	}
}
