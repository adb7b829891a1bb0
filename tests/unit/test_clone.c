// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * I7: a thread or process exists only if another one prepared it, starts once, as it was prepared, where it
 * may; and ends with its maker if it never starts, and the kernel has not said that it will. What the maker is told
 * about it, it can rely on.
 */
#include "unit.h"

#define GFN	FIRST_GFN
#define CHILD_CR3	0x77000

static struct guest *g;
static struct ink_hap *hap, *other;
static struct ink_thread *t;
static u64 maker, cr3;

static void setup(void)
{
	g = guest_new(&roomy);
	other = hap_build(g, GFN + 100, GFN + 101);
	hap_start(g, other, 3);
	hap_write(g, 3, DATA_VA, GFN + 102, T_DATA, 9);
	hap = hap_launch(g, 0);
	t = g->cpu[0].thread;
	maker = t->handle;
	cr3 = hap->cr3;
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
}

static void teardown(void)
{
	hap_reads(g, 3, DATA_VA, 9);
	guest_free(g);
	nothing_leaked();
}

static u64 prepared(bool process)
{
	u64 handle;

	ck_assert_int_eq(hap_clone(g, 0, process, &handle), 0);
	guest_check(g);
	return handle;
}

static struct ink_hap *hap_of(u64 handle)
{
	return ink_hap_find(&g->vm, handle >> 32);
}

static void fill(struct ink_regs *regs)
{
	u32 i;

	for (i = 0; i < INK_NR_GPR; i++)
		regs->gpr[i] = 0x5ec4e70000000000 + i;
	regs->rip = ENTRY + 0x100;
	regs->rflags = 0x246;
	regs->fsbase = 0x5ec4e70000000300;
	regs->gsbase = 0x5ec4e70000000400;
}

/* --- what is made ------------------------------------------------------------------------------------- */

/* The registers of its maker, but for those that the contract names; once started, it is like any other. */
START_TEST(registers)
{
	struct ink_thread *child;
	struct ink_regs mine, want;
	u64 handle;
	u32 i;

	fill(&g->cpu[0].regs);
	memset(t->xstate, 0x77, XSTATE_SIZE);
	ck_assert_int_eq(ink_thread_signal_entry(t, ENTRY + 8, STACK - 8), 0);
	mine = want = g->cpu[0].regs;
	want.gpr[INK_RAX] = 0;
	want.gpr[INK_RSP] = clone_regs.rsp;
	want.fsbase = clone_regs.fsbase;
	want.gsbase = clone_regs.gsbase;
	handle = prepared(_i);
	ck_assert_int_eq(handle >> 32 == hap->id, !_i);
	child = ink_thread_find(&g->vm, handle);
	ck_assert_ptr_nonnull(child);
	ck_assert_int_eq(child->ret.state, INK_NEW);
	ck_assert_uint_eq(child->maker, maker);
	/* what the maker does meanwhile is not the child's */
	memset(t->xstate, 0x11, XSTATE_SIZE);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 4711), 0);
	ck_assert_uint_eq(g->cpu[0].regs.gpr[INK_RAX], 4711);
	mine.gpr[INK_RAX] = 4711;
	ck_assert_mem_eq(&g->cpu[0].regs, &mine, sizeof(mine));

	ck_assert_int_eq(cpu_resume(g, 1, handle, _i ? CHILD_CR3 : cr3, 4711), 0);
	ck_assert_ptr_eq(g->cpu[1].thread, child);
	ck_assert_mem_eq(&g->cpu[1].regs, &want, sizeof(want));
	for (i = 0; i < XSTATE_SIZE; i++)
		ck_assert_uint_eq(((u8 *)child->xstate)[i], 0x77);
	ck_assert_uint_eq(child->ret.ustack, clone_regs.ustack);
	/* a thread on its maker's signal stack would overwrite what that has there */
	ck_assert_uint_eq(child->signal_rip, _i ? ENTRY + 8 : 0);
	ck_assert_uint_eq(child->signal_rsp, _i ? STACK - 8 : 0);
	ck_assert_uint_eq(child->ret.fault_access, 0);
	ck_assert(!child->in_signal);
	if (_i) {
		ck_assert_uint_eq(child->hap->pid, 4711);
		ck_assert_uint_eq(child->hap->cr3, CHILD_CR3);
		ck_assert_ptr_null(child->hap->maker);
	}
	guest_check(g);

	/* it leaves, and comes back with an answer of its own */
	cpu_suspend(g, 1, INK_SYSCALL);
	ck_assert_int_eq(cpu_resume(g, 2, handle, _i ? CHILD_CR3 : cr3, 5), 0);
	want.gpr[INK_RAX] = 5;
	ck_assert_mem_eq(&g->cpu[2].regs, &want, sizeof(want));
}
END_TEST

static const struct {
	struct ink_clone clone;
	int err;
} addresses[] = {
	{ { 0, 0, 0, 0 }, 0 },
	{ { INKTAG_USER_END - 1, INKTAG_USER_END - 1, INKTAG_USER_END - 1, INKTAG_USER_END - 1 }, 0 },
	{ { INKTAG_USER_END, 0, 0, 0 }, -EINVAL },
	{ { 0, INKTAG_USER_END, 0, 0 }, -EINVAL },
	{ { 0, 0, INKTAG_USER_END, 0 }, -EINVAL },
	{ { 0, 0, 0, INKTAG_USER_END }, -EINVAL },
	{ { U64_MAX, 0, 0, 0 }, -EINVAL },
	{ { 0, 1ULL << 47, 0, 0 }, -EINVAL },
	{ { 0, 0, 0xffffffff80000000, 0 }, -EINVAL },
	{ { 0, 0, 0, 0xffff888000000000 }, -EINVAL },
};

START_TEST(clone_addresses)
{
	if (addresses[_i].err)
		REFUSED(g, addresses[_i].err, ink_thread_clone(t, hap, &addresses[_i].clone));
	else
		ck_assert_int_eq(ink_thread_clone(t, hap, &addresses[_i].clone), 0);
	guest_check(g);
}
END_TEST

/* A refused clone leaves the thread where it is, and nothing behind. */
START_TEST(clone_refused)
{
	GByteArray *before;
	u64 handle, n;
	u32 last = g->vm.last_hap;
	int err;

	g->vm.limits.threads = 1;
	REFUSED(g, -ENOSPC, hap_clone(g, 0, false, &handle));
	g->vm.limits = roomy;
	for (n = 1; n < 10; n++) {
		before = snapshot(g);
		fail_allocation(n, 1);
		err = hap_clone(g, 0, false, &handle);
		if (!env.failed) {
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		unchanged(g, before);
	}
	fail_allocation(0, 0);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, -1), 0);

	/* in its signal entry */
	ck_assert_int_eq(ink_thread_signal_entry(t, ENTRY, STACK), 0);
	cpu_suspend(g, 0, INK_INTERRUPT);
	ck_assert_int_eq(cpu_signal(g, 0, maker, cr3, USTACK, (u64[3]) { }), 0);
	REFUSED(g, -EBUSY, hap_clone(g, 0, false, &handle));
	ck_assert_int_eq(ink_hap_unmap(hap, DATA_VA, 1, 0, 0), 0);
	before = snapshot(g);
	ck_assert_int_eq(hap_clone(g, 0, true, &handle), -EBUSY);
	g->vm.last_hap = last;
	unchanged(g, before);
	ck_assert_uint_eq(hap->forks, 0);
	guest_check(g);
}
END_TEST

/* --- where and how often it starts ---------------------------------------------------------------------- */

enum place { MAKERS, FREE_SPACE, OF_ANOTHER, OF_A_BUILDER, OF_A_SISTER, NR_PLACES };

START_TEST(starts_where_it_may)
{
	bool process = _i / NR_PLACES;
	u64 handle, sister, where = 0;
	struct ink_thread *out;
	int want = -EPERM;

	sister = prepared(true);
	ck_assert_int_eq(cpu_resume(g, 2, sister, 0x99000, 1), 0);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 1), 0);
	handle = prepared(process);
	switch (_i % NR_PLACES) {
	case MAKERS:
		where = cr3;
		want = process ? -EPERM : 0;
		break;
	case FREE_SPACE:
		where = CHILD_CR3;
		want = process ? 0 : -EPERM;
		break;
	case OF_ANOTHER:
		where = other->cr3;
		break;
	case OF_A_BUILDER:
		ck_assert_int_gt(ink_hap_create(&g->vm, CHILD_CR3, 1, 0, 0), 0);
		where = CHILD_CR3;
		break;
	case OF_A_SISTER:
		where = 0x99000;
		break;
	}
	if (want) {
		REFUSED(g, want, ink_thread_resume(&g->vm, handle, where, 7, &out));
		/* no harm was done */
		where = process ? 0x88000 : cr3;
	}
	ck_assert_int_eq(cpu_resume(g, 1, handle, where, 7), 0);
	guest_check(g);
	/* it has started, and belongs there */
	REFUSED(g, -EBUSY, ink_thread_resume(&g->vm, handle, where, 7, &out));
	REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, other->cr3, 7, &out));
	REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, 0x55000, 7, &out));
	if (process) {
		REFUSED(g, -EEXIST, ink_hap_create(&g->vm, where, 1, 0, 0));
		REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, cr3, 7, &out));
		REFUSED(g, -EPERM, ink_thread_resume(&g->vm, maker, where, 7, &out));
	}
	cpu_suspend(g, 1, INK_INTERRUPT);
	REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, 0x55000, 7, &out));
	ck_assert_int_eq(cpu_resume(g, 1, handle, where, 7), 0);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 7), 0);
	expect_no_violation(g);
}
END_TEST

/* What is prepared is no HAP to be filled or started in other ways; nor is a thread that nobody prepared. */
START_TEST(only_as_prepared)
{
	struct inktag_start start = { .entry = ENTRY, .rsp = STACK, .stub = STUB, .ustack = USTACK };
	struct linear l = { .g = g, .va = OTHER_VA, .gfn = GFN + 10, .npages = 1 };
	u64 handle = prepared(true);
	struct ink_hap *child = hap_of(handle);
	struct ink_thread *out;

	ck_assert_uint_eq(child->cr3, INK_NO_CR3);
	ck_assert_ptr_eq(child->maker, hap);
	REFUSED(g, -EBUSY, ink_hap_start(child, INK_NO_CR3, &start, &out));
	REFUSED(g, -EBUSY, ink_hap_start(child, cr3, &start, &out));
	REFUSED(g, -EBUSY, ink_hap_add(child, INK_NO_CR3, OTHER_VA, 1, T_OTHER, linear, &l));
	REFUSED(g, -EBUSY, ink_thread_signal(&g->vm, handle, CHILD_CR3, USTACK, (u64[3]) { }, &out));
	ck_assert_int_eq(ink_thread_create(hap, &out), 0);
	REFUSED(g, -EBUSY, ink_thread_resume(&g->vm, out->handle, cr3, 0, &out));
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle + 1, CHILD_CR3, 0, &out));
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle + (1ULL << 32), CHILD_CR3, 0, &out));
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, INK_CHILD_STARTED, CHILD_CR3, 0, &out));
	ck_assert_int_eq(cpu_resume(g, 1, handle, CHILD_CR3, 0), 0);
}
END_TEST

/* --- what its maker is told ---------------------------------------------------------------------------------- */

enum told { MADE, ERROR, LIE };

static const struct {
	u64 rax;
	enum told told;
} results[] = {
	{ -1, ERROR }, { -11, ERROR }, { -4095, ERROR }, { -4096, MADE }, { 0, LIE }, { 1, MADE }, { 4711, MADE },
	{ 1ULL << 31, MADE }, { 0xffffffff, MADE }, { 1ULL << 63, MADE },
};

#define NR_RESULTS ARRAY_SIZE(results)

/*
 * An error before it has started: it never does, and nothing of it is left. No error: it may start later. 0, which
 * only the child gets: a lie.
 */
START_TEST(result_before_start)
{
	enum told told = results[_i % NR_RESULTS].told;
	bool process = _i / NR_RESULTS;
	u64 rax = results[_i % NR_RESULTS].rax, handle, frames = g->vm.frames, records = g->vm.records;
	u64 structs = env.structs, xstates = env.xstates, child_cr3 = process ? CHILD_CR3 : cr3;
	struct ink_thread *out;

	handle = prepared(process);
	ck_assert_uint_eq(hap->forks, process);
	if (told == LIE) {
		u32 id = hap->id;

		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, rax), -ESTALE);
		expect_violation(g, id, INKTAG_CHECK_LINEAGE, 0, U64_MAX, rax);
		guest_check(g);
		REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, child_cr3, 3, &out));
		REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, maker, cr3, 3, &out));
		ck_assert_uint_eq(g->vm.nr_haps, 1);
		return;
	}
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, rax), 0);
	guest_check(g);
	ck_assert_uint_eq(g->cpu[0].regs.gpr[INK_RAX], rax);
	ck_assert_uint_eq(t->ret.child, 0);
	ck_assert_uint_eq(hap->forks, 0);
	if (told == MADE) {
		ck_assert_int_eq(cpu_resume(g, 1, handle, child_cr3, 3), 0);
		cpu_suspend(g, 0, INK_SYSCALL);	/* a result of another call proves nothing about it */
		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, -1), 0);
		expect_no_violation(g);
		hap_write(g, 0, DATA_VA, GFN, T_DATA, 2);
		return;
	}
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, child_cr3, 3, &out));
	ck_assert_uint_eq(g->vm.frames, frames);
	ck_assert_uint_eq(g->vm.records, records);
	ck_assert_uint_eq(env.structs, structs);
	ck_assert_uint_eq(env.xstates, xstates);
	ck_assert_uint_eq(SPAGE(hap, SER_DATA, 100)->refs, 1);
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 2);
	expect_no_violation(g);
	/* the next one is another one */
	ck_assert_uint_ne(prepared(process), handle);
}
END_TEST

/* It has started: an error is a lie, and ends its maker's HAP. The child of its own lives. */
START_TEST(result_after_start)
{
	u64 rax = results[_i % NR_RESULTS].rax, handle;
	bool process = _i / NR_RESULTS;
	struct ink_thread *out;
	u32 id = hap->id;

	handle = prepared(process);
	ck_assert_int_eq(cpu_resume(g, 1, handle, process ? CHILD_CR3 : cr3, 3), 0);
	ck_assert_uint_eq(hap->forks, 0);
	guest_check(g);
	if (results[_i % NR_RESULTS].told == MADE) {
		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, rax), 0);
		expect_no_violation(g);
		hap_access_at(g, 1, DATA_VA, INK_READ, GFN, T_DATA);
		hap_reads(g, 1, DATA_VA, 1);
		return;
	}
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, rax), -ESTALE);
	expect_violation(g, id, INKTAG_CHECK_LINEAGE, 0, U64_MAX, rax);
	ck_assert_ptr_null(ink_hap_find(&g->vm, id));
	if (!process) {
		ck_assert_int_eq(hap->state, INK_ENDED);
		cpu_suspend(g, 1, INK_INTERRUPT);
	} else {
		k_hint(g->cpu[1].hap, DATA_VA, GFN, 7, T_DATA);
		hap_reads(g, 1, DATA_VA, 1);
		hap_write(g, 1, DATA_VA, GFN, T_DATA, 2);
	}
	guest_check(g);
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, maker, cr3, 0, &out));
	expect_no_violation(g);
}
END_TEST

/* It started and is gone again: an error is a lie all the same. */
START_TEST(result_after_its_end)
{
	u64 handle = prepared(_i);
	u32 id = hap->id;

	ck_assert_int_eq(cpu_resume(g, 1, handle, _i ? CHILD_CR3 : cr3, 3), 0);
	if (_i)
		hap_kill(g, g->cpu[1].hap);
	else
		cpu_thread_exit(g, 1);
	guest_check(g);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, -12), -ESTALE);
	expect_violation(g, id, INKTAG_CHECK_LINEAGE, 0, U64_MAX, -12);
}
END_TEST

/* The kernel ended it before it started: the error is the truth. */
START_TEST(result_after_destroy)
{
	u64 handle = prepared(true);
	struct ink_thread *out;

	ink_hap_end(hap_of(handle));
	guest_check(g);
	ck_assert_ptr_null(hap_of(handle));
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, CHILD_CR3, 3, &out));
	if (results[_i].told == LIE) {
		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 0), -ESTALE);
		return;
	}
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, results[_i].rax), 0);
	expect_no_violation(g);
	ck_assert_uint_eq(hap->forks, 0);
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 2);
}
END_TEST

/* Its maker has the result, and ends: the child, which has not started yet, starts all the same, or the kernel ends it. */
START_TEST(result_then_makers_end)
{
	u64 handle = prepared(true);

	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 4711), 0);
	guest_check(g);
	hap_kill(g, hap);
	guest_check(g);
	ck_assert_uint_eq(g->vm.nr_haps, 2);
	if (_i) {
		ink_hap_end(hap_of(handle));
		guest_check(g);
		ck_assert_uint_eq(g->vm.nr_haps, 1);
	} else {
		ck_assert_int_eq(cpu_resume(g, 1, handle, CHILD_CR3, 4711), 0);
		hap_access_at(g, 1, DATA_VA, INK_READ, GFN, T_DATA);
		hap_reads(g, 1, DATA_VA, 1);
	}
	expect_no_violation(g);
}
END_TEST

/* A signal comes while it is on its way: start and result are found where they belong. */
START_TEST(result_around_a_signal)
{
	bool process = _i & 1, started = _i & 2;
	u64 handle, id = hap->id;

	ck_assert_int_eq(ink_thread_signal_entry(t, ENTRY, STACK), 0);
	handle = prepared(process);
	ck_assert_int_eq(cpu_signal(g, 0, maker, cr3, USTACK, (u64[3]) { }), 0);
	guest_check(g);
	if (started)
		ck_assert_int_eq(cpu_resume(g, 1, handle, process ? CHILD_CR3 : cr3, 3), 0);
	/* a system call of the entry itself, with an error */
	cpu_suspend(g, 0, INK_SYSCALL);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, -4), 0);
	cpu_signal_return(g, 0);
	guest_check(g);
	expect_no_violation(g);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, -4), started ? -ESTALE : 0);
	guest_check(g);
	if (started)
		expect_violation(g, id, INKTAG_CHECK_LINEAGE, 0, U64_MAX, -4);
	else
		ck_assert_ptr_null(ink_thread_find(&g->vm, handle));
	if (started && !process)
		cpu_suspend(g, 1, INK_INTERRUPT);
}
END_TEST

/* --- its end, and its maker's ---------------------------------------------------------------------------------- */

enum ending { KILLED, EXITED, RESET, NR_ENDINGS };

/* It never started: it ends with the VM, and with its maker, but for a process that the kernel told to have made. */
START_TEST(never_started)
{
	bool process = _i / NR_ENDINGS;
	struct ink_thread *out;
	u32 told = 1;
	u64 handle, second;

	handle = prepared(process);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 5), 0);
	second = prepared(process);
	if (_i % NR_ENDINGS == EXITED) {
		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 5), 0);
		told = 2;
	}
	if (_i % NR_ENDINGS == RESET) {
		hap_kill(g, other);
		ink_vm_reset(&g->vm);
	} else {
		hap_kill(g, hap);
		if (process) {
			guest_check(g);
			ck_assert_uint_eq(g->vm.nr_haps, 1 + told);
			ink_hap_end(hap_of(handle));
			if (told == 2)
				ink_hap_end(hap_of(second));
		}
	}
	guest_check(g);
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, CHILD_CR3, 3, &out));
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, second, CHILD_CR3, 3, &out));
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, cr3, 3, &out));
	if (_i % NR_ENDINGS == RESET) {
		ck_assert_uint_eq(g->vm.nr_haps, 0);
		ck_assert_uint_eq(g->vm.nr_threads, 0);
		ck_assert_uint_eq(g->vm.frames, 0);
		hap_start(g, hap_build(g, GFN + 100, GFN + 101), 3);
		hap_write(g, 3, DATA_VA, GFN + 102, T_DATA, 9);
	} else {
		ck_assert_uint_eq(g->vm.nr_haps, 1);
		ck_assert_uint_eq(g->vm.nr_threads, 1);
	}
	expect_no_violation(g);
}
END_TEST

/* It has started: it stays when its maker ends, and may have children of its own. */
START_TEST(outlives_its_maker)
{
	struct ink_hap *child = hap_fork(g, 0, 1), *grandchild;
	struct ink_thread *out;
	u64 handle = g->cpu[1].thread->handle, child_cr3 = child->cr3, unborn;

	grandchild = hap_fork(g, 1, 2);
	ck_assert_int_eq(hap_clone(g, 1, true, &unborn), 0);
	hap_kill(g, hap);
	guest_check(g);
	ck_assert_ptr_nonnull(ink_thread_find(&g->vm, unborn));
	ck_assert_int_eq(cpu_resume(g, 1, handle, child_cr3, 5), 0);
	hap_kill(g, child);
	guest_check(g);
	ck_assert_int_eq(cpu_resume(g, 1, unborn, CHILD_CR3, 5), 0);
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, child_cr3, 5, &out));
	k_hint(grandchild, DATA_VA, GFN, 7, T_DATA);
	hap_reads(g, 2, DATA_VA, 1);
	hap_write(g, 2, DATA_VA, GFN, T_DATA, 2);
	/* the maker's address space is free, and nobody's child starts by an old handle there */
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, cr3, 5, &out));
	ck_assert_int_gt(ink_hap_create(&g->vm, cr3, 1, 0, 0), 0);
	guest_check(g);
}
END_TEST

/* A thread ends: the others go on, its handle means nothing, its place can be taken, its number cannot. */
START_TEST(thread_ends)
{
	struct ink_thread *child = hap_thread(g, 0, 1), *out;
	u64 handle = child->handle, xstates = env.xstates, structs = env.structs;

	hap_reads(g, 1, DATA_VA, 1);
	ck_assert_uint_eq(hap->nr_threads, 2);
	if (_i) {	/* the maker does */
		cpu_thread_exit(g, 0);
		handle = maker;
	} else {
		cpu_thread_exit(g, 1);
	}
	guest_check(g);
	ck_assert_uint_eq(env.xstates, xstates - 1);
	ck_assert_uint_eq(env.structs, structs - 1);
	ck_assert_uint_eq(hap->nr_threads, 1);
	ck_assert_uint_eq(g->vm.nr_threads, 2);
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, cr3, 0, &out));
	hap_reads(g, _i, DATA_VA, 1);
	child = hap_thread(g, _i, 2);
	ck_assert_uint_ne(child->handle, handle);
	hap_reads(g, 2, DATA_VA, 1);
}
END_TEST

/* Its maker, a thread, ended first: it may still start; nobody is told. */
START_TEST(maker_thread_ends)
{
	u64 handle;

	hap_thread(g, 0, 2);
	ck_assert_int_eq(ink_thread_signal_entry(t, ENTRY, STACK), 0);
	handle = prepared(_i);
	ck_assert_int_eq(cpu_signal(g, 0, maker, cr3, USTACK, (u64[3]) { }), 0);
	cpu_thread_exit(g, 0);
	guest_check(g);
	ck_assert_int_eq(cpu_resume(g, 1, handle, _i ? CHILD_CR3 : cr3, 4), 0);
	guest_check(g);
	hap_write(g, 2, DATA_VA, GFN, T_DATA, 3);
}
END_TEST

/* As many as there may be; then one ends, and one more may be. */
START_TEST(fork_bomb)
{
	u64 handle[8], cpu = 0, n, frames;

	for (n = 0; n < roomy.haps - 2; n++) {
		ck_assert_int_eq(hap_clone(g, cpu, true, &handle[n]), 0);
		ck_assert_int_eq(cpu_resume(g, cpu, maker, cr3, 5), 0);
	}
	frames = g->vm.frames;
	ck_assert_int_eq(hap_clone(g, cpu, true, &handle[n]), -ENOSPC);
	ck_assert_uint_eq(SPAGE(hap, SER_DATA, 100)->refs, n + 1);
	ck_assert_uint_eq(g->vm.frames, frames);
	guest_check(g);
	ink_hap_end(hap_of(handle[2]));
	ck_assert_int_eq(hap_clone(g, cpu, true, &handle[2]), 0);
	guest_check(g);
	for (n = 0; n < roomy.haps - 2; n++) {
		ck_assert_int_eq(cpu_resume(g, 1, handle[n], CHILD_CR3 + n * PAGE, 5), 0);
		hap_access_at(g, 1, DATA_VA, INK_READ, GFN, T_DATA);
		hap_reads(g, 1, DATA_VA, 1);
		cpu_suspend(g, 1, INK_SYSCALL);
	}
	guest_check(g);
}
END_TEST

/* --- what the kernel sees ---------------------------------------------------------------------------------------- */

/* I1: the clone's system call, the handle of what it makes, the second entry of the stub; all else is zero. */
START_TEST(public_registers)
{
	static const struct {
		int out, from;
	} args[] = {
		{ INK_RAX, INK_RBX }, { INK_RDI, INK_RDI }, { INK_RSI, INK_RSI }, { INK_RDX, INK_RDX },
		{ INK_R10, INK_R10 }, { INK_R8, INK_R8 }, { INK_R9, INK_R9 },
	};
	struct ink_regs out, want = { };
	u64 handle;
	u32 i;

	fill(&g->cpu[0].regs);
	handle = prepared(_i);
	memset(&out, 0xff, sizeof(out));
	ink_thread_public_regs(t, &out);
	want.rip = STUB + INKTAG_STUB_CLONE;
	want.rflags = 0x202;
	want.gpr[INK_RBX] = maker;
	want.gpr[INK_R12] = INKTAG_RESUME_MAGIC;
	want.gpr[INK_R13] = handle;
	want.gpr[INK_RSP] = USTACK;
	for (i = 0; i < ARRAY_SIZE(args); i++)
		want.gpr[args[i].out] = t->ret.regs.gpr[args[i].from];
	ck_assert_mem_eq(&out, &want, sizeof(out));

	/* the next call is an ordinary one */
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 5), 0);
	cpu_suspend(g, 0, INK_SYSCALL);
	ink_thread_public_regs(t, &out);
	want.rip = STUB;
	want.gpr[INK_R13] = 0;
	want.gpr[INK_RAX] = t->ret.regs.gpr[INK_RBX];
	ck_assert_mem_eq(&out, &want, sizeof(out));

	/* the child has its own stack and handle, and the stub that its maker had */
	ck_assert_int_eq(cpu_resume(g, 1, handle, _i ? CHILD_CR3 : cr3, 5), 0);
	cpu_suspend(g, 1, INK_INTERRUPT);
	ink_thread_public_regs(ink_thread_find(&g->vm, handle), &out);
	want = (struct ink_regs) { .rip = STUB + INKTAG_STUB_SYSCALL_LEN, .rflags = 0x202 };
	want.gpr[INK_RBX] = handle;
	want.gpr[INK_R12] = INKTAG_RESUME_MAGIC;
	want.gpr[INK_RSP] = clone_regs.ustack;
	ck_assert_mem_eq(&out, &want, sizeof(out));
}
END_TEST

Suite *suite_clone(void)
{
	Suite *s = suite_create("clone");
	TCase *tc = unit_case("clone");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, registers, 0, 2);
	tcase_add_loop_test(tc, clone_addresses, 0, ARRAY_SIZE(addresses));
	tcase_add_test(tc, clone_refused);
	tcase_add_loop_test(tc, starts_where_it_may, 0, 2 * NR_PLACES);
	tcase_add_test(tc, only_as_prepared);
	tcase_add_loop_test(tc, result_before_start, 0, 2 * NR_RESULTS);
	tcase_add_loop_test(tc, result_after_start, 0, 2 * NR_RESULTS);
	tcase_add_loop_test(tc, result_after_its_end, 0, 2);
	tcase_add_loop_test(tc, result_after_destroy, 0, NR_RESULTS);
	tcase_add_loop_test(tc, result_then_makers_end, 0, 2);
	tcase_add_loop_test(tc, result_around_a_signal, 0, 4);
	tcase_add_loop_test(tc, never_started, 0, 2 * NR_ENDINGS);
	tcase_add_test(tc, outlives_its_maker);
	tcase_add_loop_test(tc, thread_ends, 0, 2);
	tcase_add_loop_test(tc, maker_thread_ends, 0, 2);
	tcase_add_test(tc, fork_bomb);
	tcase_add_loop_test(tc, public_registers, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
