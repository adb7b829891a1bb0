// SPDX-License-Identifier: GPL-2.0-or-later
/* test_thread.c - threads and processes: how they begin and end, and whose id a thread has. */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include "unit_thread.h"

#define THREAD		(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
			 CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define UNBLOCKABLE	(1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1))
#define ALL_BLOCKED	(~UNBLOCKABLE)
#define MASK		(1UL << (SIGUSR1 - 1))
#define ENTRY		0x401000UL	/* where clone returns to, on the new stack */
#define FS		0x500000UL
#define NOT_TOLD	77

enum { MINE = 100, NEW = 200, OTHER = 300, THIRD = 400 };

/* The kernel: what it says, and what it was told. */
static struct {
	long id, result;	/* gettid of the new one; clone */
	enum { CHILD_LATER, CHILD_FIRST, CHILD_NEVER } order;
	unsigned long clones;
	struct clone last;
	u64 mask;
	bool blocked;		/* at the end */
	long (*more)(long nr, const u64 args[6]);
} kernel;

/* The program's: a stack for a thread, and the words that clone is told of. */
static u64 stack[1024];
static u32 parent_word, child_word;

static long answer(long nr, const u64 args[6])
{
	/* A signal that comes before there is an entry ends the process. */
	must_be(kernel.mask == ALL_BLOCKED || has_entry(self()));
	/* Nor may one come that its maker has blocked. */
	must_be(nr != __NR_gettid || self()->blocked == MASK);
	if (nr == __NR_gettid)
		return kernel.id;
	if (nr == __NR_rt_sigprocmask && args[1])
		kernel.mask = *(u64 *)args[1];
	return kernel.more ? kernel.more(nr, args) : 0;
}

static long clone_answer(const struct clone *clone)
{
	kernel.clones++;
	kernel.last = *clone;
	must_be(kernel.mask == ALL_BLOCKED);
	if (kernel.order == CHILD_FIRST)
		begin(clone);
	return kernel.result;
}

/* clone(flags); -1: the program ended. The child has begun then, if the kernel lets it. */
static long make(u64 flags)
{
	struct thread *maker = self();

	stack[1000] = ENTRY;
	parent_word = child_word = NOT_TOLD;
	if (ended()) {
		must_be(fake.check == INKTAG_CHECK_SYSCALL);
		become(maker);
		return -1;
	}
	fake.result = dispatch(__NR_clone, (const u64[6]){ flags, (u64)&stack[1000], (u64)&parent_word, (u64)&child_word, FS });
	if (!IS_ERR(fake.result) && flags & CLONE_THREAD && kernel.order == CHILD_LATER)
		begin(&kernel.last);
	return fake.result;
}

static struct thread *new_thread(void)
{
	return (struct thread *)kernel.last.gsbase;
}

/* Another thread, which runs. */
static struct thread *add(u32 id)
{
	kernel.id = kernel.result = id;
	must_be(make(THREAD) == id);
	return new_thread();
}

/* Only this thread, with its id and a mask. The next one is NEW. */
static void alone(void)
{
	fake_reset();
	fake_memory();
	kernel.id = kernel.result = NEW;
	fake.answer = answer;
	fake.clone = clone_answer;
	self()->tid = MINE;
	self()->sigmask = kernel.mask = MASK;
	signal_register_entry();
}

static int threads(void)
{
	const struct thread *t = self();
	int n = 0;

	do {
		must_be(t->next->prev == t && t->prev->next == t);
		t = t->next;
		n++;
	} while (t != self());
	return n;
}

static bool locks_are_free(void)
{
	return !threads_lock.state && !files_lock.state && !mm_lock.state && !waiters_lock.state && !actions_lock.state &&
	       !timers_lock.state && !sizes_lock.state && !self()->locks;
}

/* --- beginning ------------------------------------------------------------------------------------------ */

START_TEST(begins)
{
	const struct frame *f;
	struct thread *t;

	alone();
	kernel.order = _i;
	must_be(make(THREAD) == NEW && parent_word == NEW && child_word == NEW && threads() == 2);
	t = new_thread();
	must_be(t->tid == NEW && t->sigmask == MASK && t->clear_tid == (u64)&child_word);
	f = (struct frame *)kernel.last.rsp;
	must_be(f->rip == ENTRY && f->gpr[RSP] == (u64)&stack[1001] && !f->gpr[RAX] && (u64)(f + 1) <= (u64)&stack[1000]);
	/* The kernel gets no word of the program's to write to. */
	must_be(!(kernel.last.flags & (CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)));
	must_be(kernel.last.kernel_stack == t->ustack && kernel.last.ustack == t->ustack && kernel.last.fsbase == FS);
	must_be(t->arena != self()->arena && t->ustack > t->arena_end && t->ustack < t->arena + INKTAG_ARENA_SIZE);
	must_be(kernel.mask == MASK && locks_are_free());
}
END_TEST

/* A thread has one id, which no other one has, and both it and who made it know that one. */
static const struct {
	long id, result;
} false_id[] = {
	{ THIRD, NEW }, { MINE, MINE }, { OTHER, OTHER }, { 0, NEW }, { 1L << 31, NEW }, { -(1L << 31), NEW }, { -5000, NEW },
	{ NEW, 1L << 31 }, { NEW, -5000 }, { NEW, 1UL << 32 | NEW }, { 1UL << 32 | NEW, NEW },
	{ 1L << 30, 1L << 30 }, { 1L << 30 | MINE, 1L << 30 | MINE },
};

START_TEST(false_ids)
{
	alone();
	add(OTHER);
	kernel.id = false_id[_i / 2].id;
	kernel.result = false_id[_i / 2].result;
	kernel.order = _i % 2;
	must_be(make(THREAD) == -1);
}
END_TEST

/* --- what is not made leaves nothing --------------------------------------------------------------------- */

START_TEST(fails)
{
	static const long errors[] = { -ENOMEM, -EAGAIN, -ENOSPC, -4095 };
	unsigned int arenas;

	alone();
	add(OTHER);
	kernel.order = CHILD_NEVER;
	kernel.result = errors[_i];
	arenas = fake.arenas;
	must_be(make(THREAD) == (errors[_i] == -ENOSPC ? -EAGAIN : errors[_i]));
	must_be(threads() == 2 && kernel.mask == MASK && self()->sigmask == MASK && locks_are_free() && child_word == NOT_TOLD);
	/* Its memory is the next one's. */
	kernel.order = CHILD_LATER;
	kernel.id = kernel.result = NEW;
	must_be(make(THREAD) == NEW && threads() == 3 && fake.arenas == arenas + 1 && new_thread()->tid == NEW);
}
END_TEST

START_TEST(no_memory)
{
	alone();
	fake.fail_in = 1 + _i;
	must_be(make(THREAD) == -EAGAIN && !fake.fail_in);
	must_be(!kernel.clones && threads() == 1 && kernel.mask == MASK && locks_are_free() && fake_room(WORLD_PAGES));
	must_be(make(THREAD) == NEW);
}
END_TEST

START_TEST(refused)
{
	const u64 sp = (u64)&stack[1000];

	alone();
	must_be(dispatch(__NR_clone, (const u64[6]){ THREAD & ~CLONE_SIGHAND, sp }) == -EINVAL);
	must_be(dispatch(__NR_clone, (const u64[6]){ THREAD, 0 }) == -EINVAL);
	must_be(dispatch(__NR_clone, (const u64[6]){ THREAD, 8 }) == -EFAULT);
	must_be(dispatch(__NR_clone, (const u64[6]){ THREAD, sp, 8, (u64)&child_word }) == -EFAULT);
	must_be(dispatch(__NR_clone, (const u64[6]){ THREAD, sp, (u64)&parent_word, 8 }) == -EFAULT);
	must_be(dispatch(__NR_clone, (const u64[6]){ CLONE_VM, sp }) == -ENOSYS);
	must_be(dispatch(__NR_clone, (const u64[6]){ CLONE_NEWUSER, sp }) == -ENOSYS);
	must_be(!kernel.clones && !fake.arenas && threads() == 1 && kernel.mask == MASK);
}
END_TEST

/* A signal that has come is this thread's alone: it is handled first, and the call made again. */
static long signal_comes(long nr, const u64 args[6])
{
	if (nr == __NR_rt_sigprocmask && kernel.mask == ALL_BLOCKED)
		self()->deferred[self()->deferred_count++] = (struct deferred){ .signo = SIGCHLD };
	return 0;
}

START_TEST(after_signals)
{
	u64 sp[8] = { 0 };
	struct frame f = {
		.gpr = { [RAX] = __NR_clone, [RDI] = _i ? THREAD : SIGCHLD, [RSI] = (u64)&stack[1000], [RDX] = (u64)&parent_word,
			 [R10] = (u64)&child_word, [RSP] = (u64)&sp[4] }, .rip = ENTRY,
	};

	alone();
	kernel.more = signal_comes;
	enter(&f);
	must_be(!kernel.clones && !fake.arenas && f.rip == (u64)__inktag_syscall && f.gpr[RSP] == (u64)&sp[3] && f.gpr[RAX] == __NR_clone);
	must_be(kernel.mask == MASK && !self()->deferred_count);
}
END_TEST

/* --- the end -------------------------------------------------------------------------------------------- */

static bool ends(struct thread *t, long nr)
{
	struct thread *was = self();
	int how = ended();

	if (!how) {
		become(t);
		dispatch(nr, (const u64[6]){ 5 });
	}
	become(was);
	return how == (nr == __NR_exit ? 3 : 2) && fake.arg == 5;
}

START_TEST(ids_come_again)
{
	struct thread *t;

	alone();
	t = add(OTHER);
	must_be(ends(t, __NR_exit) && threads() == 1 && !child_word && t->gone && locks_are_free());
	must_be(add(OTHER) == t && threads() == 2);
}
END_TEST

/* A thread may have ended, and its memory be another's, before its maker comes back. */
static long made_late(const struct clone *clone)
{
	struct thread *t = (struct thread *)clone->gsbase, *maker = self();
	jmp_buf end;

	fake.clone = clone_answer;
	memcpy(&end, &fake.end, sizeof(end));
	begin(clone);
	must_be(parent_word == NEW && ends(t, __NR_exit));
	become(maker->next);
	must_be(add(THIRD) == t);
	become(maker);
	memcpy(&fake.end, &end, sizeof(end));
	kernel.order = CHILD_FIRST;
	return NEW;
}

START_TEST(told_late)
{
	alone();
	add(OTHER);
	fake.clone = made_late;
	kernel.id = kernel.result = NEW;
	must_be(make(THREAD) == NEW && parent_word == THIRD);
}
END_TEST

/* Who waits for the end of a thread may free its stack. Its memory in the shim is another's only after that. */
static struct thread *maker;
static bool joined;

static long joins(long nr, const u64 args[6])
{
	struct thread *t = self();
	jmp_buf end;

	if (nr != __NR_futex)
		return 0;
	if (args[1] == FUTEX_WAIT_PRIVATE) {
		must_be(ends(new_thread(), __NR_exit));
		return 0;
	}
	must_be(!child_word && !t->gone && !joined);
	joined = true;
	memcpy(&end, &fake.end, sizeof(end));
	become(maker);
	must_be(add(NEW) != t && threads() == 2);
	become(t);
	memcpy(&fake.end, &end, sizeof(end));
	return 0;
}

START_TEST(joining)
{
	alone();
	add(OTHER);
	maker = self();
	kernel.more = joins;
	must_be(!dispatch(__NR_futex, (const u64[6]){ (u64)&child_word, FUTEX_WAIT, OTHER }) && joined);
}
END_TEST

/* A robust list, as a libc has it: each mutex' word is so far behind its entry. */
enum { ENTRIES = 5, PENDING = ENTRIES - 1 };
static struct entry {
	u64 next;
	u32 word;
} own_entries[ENTRIES], *entries = own_entries;
static struct robust_list_head head;

static void owns(struct thread *t, const u32 words[ENTRIES])
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		entries[i] = (struct entry){ i + 1 < PENDING ? (u64)&entries[i + 1] : (u64)&head, words[i] };
	head.list.next = (void *)&entries[0];
	head.list_op_pending = (void *)&entries[PENDING];
	head.futex_offset = offsetof(struct entry, word);
	t->robust_list = (u64)&head;
}

static bool are(const u32 words[ENTRIES])
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		if (entries[i].word != words[i])
			return false;
	return true;
}

static const u32 owned[] = { OTHER, OTHER | FUTEX_WAITERS, MINE | FUTEX_WAITERS, 0, OTHER };
static const u32 released[] = { FUTEX_OWNER_DIED, FUTEX_OWNER_DIED | FUTEX_WAITERS, MINE | FUTEX_WAITERS, 0, FUTEX_OWNER_DIED };

START_TEST(releases)
{
	struct thread *t;

	alone();
	t = add(OTHER);
	owns(t, owned);
	/* A list without an end. */
	if (_i)
		entries[PENDING - 1].next = (u64)&entries[0];
	must_be(ends(t, __NR_exit) && are(released));
}
END_TEST

START_TEST(no_words)
{
	static const long offsets[] = { offsetof(struct entry, word) + 1, INKTAG_USER_END, -(1L << 47), 1L << 62 };
	struct thread *t;

	alone();
	t = add(OTHER);
	owns(t, owned);
	head.futex_offset = offsets[_i];
	/* What is not aligned would be an id. */
	entries[0].word = OTHER << 8;
	must_be(ends(t, __NR_exit) && entries[0].word == OTHER << 8);
}
END_TEST

static unsigned int wakes;

static long dies(long nr, const u64 args[6])
{
	if (nr == __NR_futex && args[1] == FUTEX_WAIT_PRIVATE)
		must_be(ends(new_thread(), __NR_exit) && wakes == 1);
	wakes += nr == __NR_futex && args[1] == FUTEX_WAKE_PRIVATE;
	return 0;
}

START_TEST(releases_to_waiter)
{
	alone();
	owns(add(OTHER), owned);
	new_thread()->clear_tid = 0;
	kernel.more = dies;
	must_be(!dispatch(__NR_futex, (const u64[6]){ (u64)&entries[1].word, FUTEX_WAIT, owned[1] }) && are(released));
}
END_TEST

/* Who waits to own the word, does: else it could think so, and another one get it. */
START_TEST(releases_to_heir)
{
	alone();
	owns(add(OTHER), owned);
	new_thread()->clear_tid = 0;
	kernel.more = dies;
	must_be(!dispatch(__NR_futex, (const u64[6]){ (u64)&entries[1].word, FUTEX_LOCK_PI_PRIVATE }));
	must_be(entries[1].word == (MINE | FUTEX_OWNER_DIED));
}
END_TEST

static unsigned int groups_ended;

static long counts_groups(long nr, const u64 args[6])
{
	groups_ended += nr == __NR_exit_group;
	return 0;
}

/* Others may be running, and would end the process in the stub; the kernel is not believed that it has ended them. */
START_TEST(all_end)
{
	struct thread *t;

	alone();
	kernel.more = counts_groups;
	if (_i)
		t = add(OTHER);
	if (_i == 1)
		owns(t, owned);
	if (_i == 2)
		must_be(ends(t, __NR_exit));
	must_be(ends(self(), __NR_exit_group) && groups_ended == !!_i && kernel.mask == ALL_BLOCKED);
	must_be(_i != 1 || are(owned));
}
END_TEST

static void share_memory(void)
{
	must_be(!lies(__NR_mmap, (const u64[6]){ 0, PAGE, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0 }) && fake.result > 0);
}

/* A thread whose process ends may be in the middle of what its mutex guards; other threads or processes wait for it. */
START_TEST(all_end_as_owners)
{
	alone();
	share_memory();
	if (_i & 2)
		entries = (struct entry *)fake.result;
	owns(_i & 1 ? add(OTHER) : self(), owned);
	if (!(_i & 1))
		self()->tid = OTHER;
	must_be(ends(self(), __NR_exit_group) && are(_i & 1 ? owned : released));
}
END_TEST

/* --- processes ------------------------------------------------------------------------------------------- */

/* The next child would count this one as dead. */
START_TEST(no_table)
{
	alone();
	share_memory();
	fake.fail_in = 1;
	must_be(make(SIGCHLD) == -ENOMEM && !fake.fail_in && !kernel.clones && kernel.mask == MASK && locks_are_free());
	must_be(make(SIGCHLD) == NEW && kernel.clones == 1);
}
END_TEST

/* In shared memory an id says whose a mutex is: it has to mean the same to all. */
START_TEST(ids_of_its_own)
{
	alone();
	must_be(make(CLONE_NEWPID | SIGCHLD) == NEW);
	share_memory();
	must_be(make(CLONE_NEWPID | SIGCHLD) == -ENOSYS && kernel.clones == 1 && kernel.mask == MASK && locks_are_free());
	must_be(make(SIGCHLD) == NEW);
}
END_TEST

START_TEST(child)
{
	struct thread *other;
	unsigned int arenas;

	alone();
	other = add(OTHER);
	owns(self(), owned);
	arenas = fake.arenas;
	kernel.result = 0;
	kernel.id = NEW;
	must_be(!dispatch(__NR_fork, (const u64[6]){ 0 }) && self()->tid == NEW && threads() == 1 && kernel.mask == MASK && locks_are_free());
	/* What the parent's threads own is not the child's, and their memory is free. */
	must_be(!self()->robust_list && add(OTHER) == other && fake.arenas == arenas);
}
END_TEST

START_TEST(child_with_words)
{
	struct frame f = {
		.gpr = { [RAX] = __NR_clone, [RDI] = CLONE_VFORK | CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
			 [RSI] = (u64)&stack[1000], [R10] = (u64)&child_word },
	};

	alone();
	kernel.result = 0;
	stack[1000] = ENTRY;
	enter(&f);
	must_be(f.rip == ENTRY && f.gpr[RSP] == (u64)&stack[1001] && !f.gpr[RAX] && child_word == NEW && self()->clear_tid == (u64)&child_word);
	/* It has its own memory, and the kernel nothing to write to. */
	must_be(kernel.last.process && kernel.last.flags == (CLONE_VFORK | SIGCHLD));
}
END_TEST

START_TEST(parent)
{
	static const long results[] = { NEW, -EAGAIN, -ENOSPC };
	const long r = results[_i];

	alone();
	add(OTHER);
	kernel.result = r;
	must_be(make(CLONE_PARENT_SETTID | SIGCHLD) == (r == -ENOSPC ? -EAGAIN : r) && parent_word == (r == NEW ? NEW : NOT_TOLD));
	must_be(self()->tid == MINE && threads() == 2 && kernel.mask == MASK && locks_are_free());
}
END_TEST

static const long false_result[] = { 1L << 31, -5000, 1UL << 32 | NEW, -(1L << 31) };
static const long false_id_of_child[] = { 0, 1L << 31, -5000, 1L << 30 | MINE };

START_TEST(false_child)
{
	alone();
	kernel.result = false_result[_i];
	must_be(make(CLONE_PARENT_SETTID | SIGCHLD) == -1 && parent_word == NOT_TOLD);
	/* Its own id, which it is told when it has begun; 0 is nobody's. */
	kernel.result = 0;
	kernel.id = false_id_of_child[_i];
	must_be(make(SIGCHLD) == -1);
}
END_TEST

SUITE(thread, SECONDS,
      { begins, 2 }, { false_ids, 2 * ARRAY_SIZE(false_id) }, { fails, 4 }, { no_memory, 2 }, { refused }, { after_signals, 2 },
      { ids_come_again }, { told_late }, { joining }, { releases, 2 }, { no_words, 4 }, { releases_to_waiter }, { releases_to_heir }, { all_end, 3 },
      { all_end_as_owners, 4 },
      { no_table }, { ids_of_its_own }, { child }, { child_with_words }, { parent, 3 }, { false_child, ARRAY_SIZE(false_result) })
