// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * I4: a thread that the kernel interrupts with a signal goes on at its registered entry, and comes back with
 * exactly what was put aside, or what it made of that itself. And what the kernel sees of it meanwhile.
 */
#include "unit.h"

#define GFN	FIRST_GFN
#define S_ENTRY	(CODE_VA + 0x800)
#define S_STACK	(DATA_VA + 8 * PAGE - 16)
#define RSP	(USTACK - 0x1238)	/* where the kernel has built its frame */
#define REGS_VA	(DATA_VA + 0x200)

static struct guest *g;
static struct ink_hap *hap;
static struct ink_thread *t;
static u64 handle, cr3;

static const u64 args[3] = { 0x5e9a1, 0x5e9a2, 0x5e9a3 };
static const enum ink_thread_state states[] = { INK_SYSCALL, INK_FAULT, INK_INTERRUPT };

static void setup(void)
{
	g = guest_new(&roomy);
	hap = hap_launch(g, 0);
	t = g->cpu[0].thread;
	handle = t->handle;
	cr3 = hap->cr3;
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	ck_assert_int_eq(ink_thread_signal_entry(t, S_ENTRY, S_STACK), 0);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

static void fill(struct ink_regs *regs)
{
	u32 i;

	for (i = 0; i < INK_NR_GPR; i++)
		regs->gpr[i] = 0x5ec4e70000000000 + i;
	regs->rip = ENTRY + 0x123;
	regs->rflags = 0xad7;
	regs->fsbase = DATA_VA + 0x300;
	regs->gsbase = DATA_VA + 0x400;
}

/* Suspended for this, with registers that are all different. */
static struct ink_regs interrupted(enum ink_thread_state state)
{
	struct ink_regs mine;

	fill(&g->cpu[0].regs);
	mine = g->cpu[0].regs;
	memset(t->xstate, 0x77, XSTATE_SIZE);
	if (state == INK_FAULT) {
		t->ret.fault_va = OTHER_VA + 0x123;
		t->ret.fault_access = INK_WRITE;
	}
	if (state == INK_INTERRUPT)
		t->ret.vector = 13;
	cpu_suspend(g, 0, state);
	return mine;
}

static void signalled(void)
{
	ck_assert_int_eq(cpu_signal(g, 0, handle, cr3, RSP, args), 0);
	guest_check(g);
}

static struct inktag_regs *regs_at(u64 va)
{
	struct access a = hap_access(g, 0, va, INK_WRITE);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	return a.page + va % PAGE;
}

/* --- the way there ---------------------------------------------------------------------------------- */

/* Entry and stack as registered, the kernel's arguments where they may be, all else zero. */
START_TEST(enters)
{
	struct ink_regs want = { .rip = S_ENTRY, .rflags = 0x202, .fsbase = DATA_VA + 0x300, .gsbase = DATA_VA + 0x400 };
	u32 i, refs = hap->refs;

	interrupted(states[_i]);
	ck_assert_int_eq(cpu_signal(g, 2, handle, cr3, RSP, args), 0);
	want.gpr[INK_RSP] = S_STACK;
	want.gpr[INK_RDI] = args[0];
	want.gpr[INK_RSI] = args[1];
	want.gpr[INK_RDX] = args[2];
	ck_assert_mem_eq(&g->cpu[2].regs, &want, sizeof(want));
	for (i = 0; i < XSTATE_SIZE; i++)
		ck_assert_uint_eq(((u8 *)t->xstate)[i], 0x77);
	ck_assert_int_eq(t->ret.state, INK_RUNNING);
	ck_assert_uint_eq(t->ret.fault_access, 0);
	ck_assert_uint_eq(t->ret.child, 0);
	ck_assert(t->in_signal);
	ck_assert_uint_eq(hap->refs, refs);
	/* its calls to the kernel do not overwrite the kernel's frame */
	ck_assert_uint_lt(t->ret.ustack, RSP - 128);
	ck_assert_uint_gt(t->ret.ustack, RSP - PAGE);
	ck_assert_uint_eq(t->ret.ustack % 16, 0);
	guest_check(g);
}
END_TEST

enum when { UNBORN, RUNNING, NO_ENTRY, NESTED, NESTED_SUSPENDED, ELSEWHERE, NO_HANDLE, ENDED, NR_WHENS };

START_TEST(refused)
{
	static const int errors[NR_WHENS] = {
		-EBUSY, -EBUSY, -EBUSY, -EBUSY, -EBUSY, -EPERM, -ENOENT, -ENOENT,
	};
	u64 to = handle, space = cr3, unborn;
	struct ink_thread *out;

	switch (_i) {
	case UNBORN:
		ck_assert_int_eq(hap_clone(g, 0, false, &unborn), 0);
		to = unborn;
		break;
	case RUNNING:
		break;
	case NO_ENTRY:
		ck_assert_int_eq(ink_thread_signal_entry(t, 0, S_STACK), 0);
		interrupted(INK_SYSCALL);
		break;
	case NESTED:
		interrupted(INK_SYSCALL);
		signalled();
		break;
	case NESTED_SUSPENDED:
		interrupted(INK_SYSCALL);
		signalled();
		cpu_suspend(g, 0, INK_FAULT);
		break;
	case ELSEWHERE:
		interrupted(INK_SYSCALL);
		space = cr3 + PAGE;
		break;
	case NO_HANDLE:
		interrupted(INK_SYSCALL);
		to = handle + 1;
		break;
	case ENDED:
		interrupted(INK_SYSCALL);
		hap_kill(g, hap);
		break;
	}
	REFUSED(g, errors[_i], ink_thread_signal(&g->vm, to, space, RSP, args, &out));
}
END_TEST

static const struct {
	u64 rip, rsp;
	int err;
} entries[] = {
	{ ENTRY, STACK, 0 }, { 0, 0, 0 }, { 1, INKTAG_USER_END - 1, 0 }, { INKTAG_USER_END - 1, 0, 0 },
	{ INKTAG_USER_END, STACK, -EINVAL }, { ENTRY, INKTAG_USER_END, -EINVAL }, { U64_MAX, STACK, -EINVAL },
	{ ENTRY, 1ULL << 47, -EINVAL }, { 0xffffffff81000000, STACK, -EINVAL }, { 0, U64_MAX, -EINVAL },
};

START_TEST(entry_addresses)
{
	if (entries[_i].err) {
		REFUSED(g, entries[_i].err, ink_thread_signal_entry(t, entries[_i].rip, entries[_i].rsp));
		return;
	}
	ck_assert_int_eq(ink_thread_signal_entry(t, entries[_i].rip, entries[_i].rsp), 0);
	interrupted(INK_INTERRUPT);
	if (!entries[_i].rip)
		return;
	signalled();
	ck_assert_uint_eq(g->cpu[0].regs.rip, entries[_i].rip);
	ck_assert_uint_eq(g->cpu[0].regs.gpr[INK_RSP], entries[_i].rsp);
}
END_TEST

/* Whatever the kernel calls its stack: nothing but the untrusted RSP comes of it. */
START_TEST(wild_stack)
{
	static const u64 stacks[] = { 0, 8, 1024, INKTAG_USER_END, 1ULL << 47, 0xffff888000000000, U64_MAX };
	struct ink_regs out;
	u32 i;

	interrupted(INK_INTERRUPT);
	for (i = 0; i < ARRAY_SIZE(stacks); i++) {
		ck_assert_int_eq(cpu_signal(g, 0, handle, cr3, stacks[i], args), 0);
		ck_assert_uint_eq(g->cpu[0].regs.gpr[INK_RSP], S_STACK);
		ck_assert_uint_eq(t->signal_ustack, stacks[i]);
		cpu_suspend(g, 0, INK_SYSCALL);
		ink_thread_public_regs(t, &out);
		ck_assert_uint_lt(out.gpr[INK_RSP], stacks[i] - 128);
		ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
		cpu_signal_return(g, 0);
		guest_check(g);
	}
}
END_TEST

/* --- and back ---------------------------------------------------------------------------------------- */

/* All is as it was: registers, cause, the access to be repeated; also when the entry itself left and came back. */
START_TEST(returns)
{
	enum ink_thread_state state = states[_i % 3];
	struct ink_regs mine = interrupted(state);
	struct ink_return before = t->ret;
	bool calls = _i / 3;
	u32 i, n;

	signalled();
	for (i = 0; calls && i < 3; i++) {
		memset(&g->cpu[0].regs.gpr, 0x99, sizeof(g->cpu[0].regs.gpr));
		if (states[i] == INK_FAULT) {
			t->ret.fault_va = DATA_VA;
			t->ret.fault_access = INK_READ;
		}
		cpu_suspend(g, 0, states[i]);
		guest_check(g);
		ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0xabc), 0);
		ck_assert_uint_eq(t->ret.fault_access, states[i] == INK_FAULT ? INK_READ : 0);
	}
	cpu_signal_return(g, 0);
	guest_check(g);
	ck_assert(!t->in_signal);
	ck_assert_int_eq(t->ret.state, state);
	ck_assert_uint_eq(t->ret.fault_va, before.fault_va);
	ck_assert_uint_eq(t->ret.fault_access, before.fault_access);
	ck_assert_uint_eq(t->ret.vector, before.vector);
	ck_assert_uint_eq(t->ret.ustack, before.ustack);
	ck_assert_mem_eq(&t->ret.regs, &mine, sizeof(mine));
	ck_assert_int_eq(cpu_resume(g, 1, handle, cr3, 0x600d), 0);
	if (state == INK_SYSCALL)
		mine.gpr[INK_RAX] = 0x600d;
	ck_assert_mem_eq(&g->cpu[1].regs, &mine, sizeof(mine));
	ck_assert_uint_eq(t->ret.fault_access, state == INK_FAULT ? INK_WRITE : 0);
	ck_assert_uint_eq(t->ret.fault_va, state == INK_FAULT ? OTHER_VA + 0x123 : 0);
	for (n = 0; n < XSTATE_SIZE; n++)
		ck_assert_uint_eq(((u8 *)t->xstate)[n], 0x77);
	/* once */
	ck_assert_int_eq(cpu_resume(g, 2, handle, cr3, 0), -EBUSY);
	/* and again */
	cpu_suspend(g, 1, state);
	signalled();
	cpu_signal_return(g, 0);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 1), 0);
}
END_TEST

/* In the entry the thread is on one vCPU, as ever. */
START_TEST(once)
{
	struct ink_thread *out;

	interrupted(INK_SYSCALL);
	signalled();
	REFUSED(g, -EBUSY, ink_thread_resume(&g->vm, handle, cr3, 0, &out));
	REFUSED(g, -EBUSY, ink_thread_signal(&g->vm, handle, cr3, RSP, args, &out));
	cpu_suspend(g, 0, INK_INTERRUPT);
	REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, cr3 + PAGE, 0, &out));
	/* the kernel resumes it from an old frame: it is in its entry still */
	ck_assert_int_eq(cpu_resume(g, 1, handle, cr3, 0xbad), 0);
	ck_assert_uint_eq(g->cpu[1].regs.rip, S_ENTRY);
	ck_assert_uint_ne(g->cpu[1].regs.gpr[INK_RAX], 0xbad);
	ck_assert(t->in_signal);
	guest_check(g);
}
END_TEST

/* Ended in the entry: nothing is left. */
START_TEST(ends)
{
	u64 xstates = env.xstates;

	interrupted(INK_SYSCALL);
	signalled();
	if (_i == 0) {
		hap_kill(g, hap);
	} else {
		ink_hap_end(hap);
		cpu_suspend(g, 0, INK_SYSCALL);
	}
	ck_assert_uint_eq(env.xstates, xstates - 1);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), -ENOENT);
	guest_check(g);
}
END_TEST

/* A thread's entry is its own, and so is what was put aside. */
START_TEST(two_threads)
{
	struct ink_thread *t2;
	struct ink_regs mine, theirs;
	u64 handle2;

	t2 = hap_thread(g, 0, 1);
	handle2 = t2->handle;
	ck_assert_int_eq(ink_thread_signal_entry(t2, S_ENTRY + 64, S_STACK - 64), 0);
	theirs = g->cpu[1].regs;
	theirs.gpr[INK_R9] = g->cpu[1].regs.gpr[INK_R9] = 0x2222;
	cpu_suspend(g, 1, INK_INTERRUPT);
	mine = interrupted(INK_INTERRUPT);
	signalled();
	ck_assert_int_eq(cpu_signal(g, 1, handle2, cr3, RSP - PAGE, args), 0);
	ck_assert_uint_eq(g->cpu[0].regs.rip, S_ENTRY);
	ck_assert_uint_eq(g->cpu[1].regs.rip, S_ENTRY + 64);
	cpu_signal_return(g, 0);
	guest_check(g);
	ck_assert_int_eq(cpu_resume(g, 2, handle, cr3, 0), 0);
	ck_assert_mem_eq(&g->cpu[2].regs, &mine, sizeof(mine));
	cpu_signal_return(g, 1);
	ck_assert_int_eq(cpu_resume(g, 3, handle2, cr3, 0), 0);
	ck_assert_mem_eq(&g->cpu[3].regs, &theirs, sizeof(theirs));
}
END_TEST

/* A child that is made by a signal's handler's program starts outside of any entry. */
START_TEST(children_start_outside)
{
	struct ink_hap *child;

	interrupted(INK_INTERRUPT);
	signalled();
	cpu_signal_return(g, 0);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
	child = hap_fork(g, 0, 1);
	ck_assert(!g->cpu[1].thread->in_signal);
	ck_assert_uint_eq(g->cpu[1].thread->signal_rip, S_ENTRY);
	handle = g->cpu[1].thread->handle;
	cpu_suspend(g, 1, INK_INTERRUPT);
	ck_assert_int_eq(cpu_signal(g, 1, handle, child->cr3, RSP, args), 0);
	ck_assert_uint_eq(g->cpu[1].regs.rip, S_ENTRY);
	guest_check(g);
}
END_TEST

/* --- the registers that were put aside ------------------------------------------------------------------- */

START_TEST(get)
{
	struct ink_regs mine = interrupted(states[_i]);
	struct inktag_regs want = { };

	signalled();
	memcpy(want.gpr, mine.gpr, sizeof(want.gpr));
	want.rip = mine.rip;
	want.rflags = mine.rflags;
	want.fsbase = mine.fsbase;
	want.gsbase = mine.gsbase;
	want.cause = _i + INKTAG_CAUSE_SYSCALL;
	want.vector = states[_i] == INK_INTERRUPT ? 13 : INKTAG_NO_VECTOR;
	if (states[_i] == INK_FAULT) {
		want.fault_addr = OTHER_VA + 0x123;
		want.fault_access = INKTAG_PROT_WRITE;
	}
	secret_fill(hap_access(g, 0, DATA_VA, INK_WRITE).page, 5);
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 0), 0);
	ck_assert_mem_eq(regs_at(REGS_VA), &want, sizeof(want));
	/* no byte before or behind */
	{
		u8 page[PAGE];

		secret_fill(page, 5);
		ck_assert_mem_eq(regs_at(DATA_VA), page, 0x200);
		ck_assert_mem_eq((u8 *)regs_at(DATA_VA) + 0x200 + sizeof(want), page + 0x200 + sizeof(want),
				 PAGE - 0x200 - sizeof(want));
	}
	/* asked for, nothing changes */
	guest_check(g);
	cpu_signal_return(g, 0);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, mine.gpr[INK_RAX]), 0);
	ck_assert_mem_eq(&g->cpu[0].regs, &mine, sizeof(mine));
	secret_fill(hap_access(g, 0, DATA_VA, INK_WRITE).page, 5);
}
END_TEST

/* A fault that was mended long ago is not the cause of an interrupt. */
START_TEST(get_after_another_fault)
{
	struct inktag_regs *regs;

	interrupted(INK_FAULT);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
	cpu_suspend(g, 0, states[_i ? 2 : 0]);
	signalled();
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 0), 0);
	regs = regs_at(REGS_VA);
	ck_assert_uint_eq(regs->cause, _i ? INKTAG_CAUSE_INTERRUPT : INKTAG_CAUSE_SYSCALL);
	ck_assert_uint_eq(regs->fault_addr, 0);
	ck_assert_uint_eq(regs->fault_access, 0);
	ck_assert_uint_eq(regs->vector, INKTAG_NO_VECTOR);
}
END_TEST

/* Other registers: the thread goes on with them, and does not repeat the access that faulted. */
START_TEST(set)
{
	struct ink_regs want = interrupted(states[1 + _i]);
	struct inktag_regs *regs;
	u32 i;

	signalled();
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 0), 0);
	regs = regs_at(REGS_VA);
	for (i = 0; i < INK_NR_GPR; i++)
		want.gpr[i] = 0x70000 + i;
	want.rip = INKTAG_USER_END - 1;
	want.rflags = 0x246;
	want.fsbase = INKTAG_USER_END - 1;
	want.gsbase = 0x1234;
	memcpy(regs->gpr, want.gpr, sizeof(want.gpr));
	regs->rip = want.rip;
	regs->rflags = want.rflags;
	regs->fsbase = want.fsbase;
	regs->gsbase = want.gsbase;
	/* these are the hypervisor's to say */
	regs->fault_addr = DATA_VA;
	regs->fault_access = INKTAG_PROT_READ;
	regs->cause = INKTAG_CAUSE_SYSCALL;
	regs->vector = 99;
	regs->reserved = 99;
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 1), 0);
	guest_check(g);
	/* they can be looked at, and set again */
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 0), 0);
	regs = regs_at(REGS_VA);
	ck_assert_mem_eq(regs->gpr, want.gpr, sizeof(want.gpr));
	ck_assert_uint_eq(regs->cause, INKTAG_CAUSE_INTERRUPT);
	ck_assert_uint_eq(regs->fault_access, 0);
	ck_assert_uint_ne(regs->vector, 99);
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 1), 0);
	cpu_signal_return(g, 0);
	ck_assert_int_eq(t->ret.state, INK_INTERRUPT);
	guest_check(g);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0xbad), 0);
	ck_assert_mem_eq(&g->cpu[0].regs, &want, sizeof(want));
	ck_assert_uint_eq(t->ret.fault_access, 0);
	ck_assert_uint_eq(t->ret.ustack, USTACK);
	memset(regs_at(DATA_VA), 0, PAGE);
}
END_TEST

enum bad { SYSCALL, RIP, RIP_KERNEL, FSBASE, GSBASE, FSBASE_NONCANONICAL, NR_BADS };

START_TEST(set_bad_values)
{
	struct inktag_regs *regs;

	interrupted(_i == SYSCALL ? INK_SYSCALL : INK_FAULT);
	signalled();
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 0), 0);
	regs = regs_at(REGS_VA);
	switch (_i) {
	case SYSCALL:		/* whatever it says: the result is the kernel's to tell */
		regs->cause = INKTAG_CAUSE_INTERRUPT;
		break;
	case RIP:
		regs->rip = INKTAG_USER_END;
		break;
	case RIP_KERNEL:
		regs->rip = 0xffffffff81000000;
		break;
	case FSBASE:
		regs->fsbase = INKTAG_USER_END;
		break;
	case GSBASE:
		regs->gsbase = U64_MAX;
		break;
	case FSBASE_NONCANONICAL:
		regs->fsbase = 1ULL << 63;
		break;
	}
	regs->gpr[INK_RAX] = 0xbad;
	REFUSED(g, -EINVAL, ink_thread_signal_regs(t, REGS_VA, 1));
	ck_assert_uint_ne(t->aside.regs.gpr[INK_RAX], 0xbad);
	memset(regs, 0, sizeof(*regs));
}
END_TEST

static const struct {
	const char *what;
	u64 va, set;
	int err;
} places[] = {
	{ "at a page's begin", DATA_VA, 0, 0 },
	{ "at its end", DATA_VA + PAGE - sizeof(struct inktag_regs), 0, 0 },
	{ "across its end", DATA_VA + PAGE - sizeof(struct inktag_regs) + 8, 0, -EINVAL },
	{ "in its last word", DATA_VA + PAGE - 8, 1, -EINVAL },
	{ "no multiple of 8", REGS_VA + 4, 0, -EINVAL },
	{ "odd", REGS_VA + 1, 1, -EINVAL },
	{ "neither way", REGS_VA, 2, -EINVAL },
	{ "neither way, but for a high bit", REGS_VA, 1ULL << 32, -EINVAL },
	{ "the end of user addresses", INKTAG_USER_END, 0, -EINVAL },
	{ "a kernel address", 0xffff888000000000, 0, -EINVAL },
	{ "noncanonical, but for high bits mapped", DATA_VA | 1ULL << 48, 1, -EINVAL },
	{ "the last address", U64_MAX - 7, 1, -EINVAL },
	{ "not mapped", FREE_VA, 0, -EAGAIN },
	{ "not mapped, set", FREE_VA, 1, -EAGAIN },
	{ "address 0", 0, 0, -EAGAIN },
	{ "zeros", RWX_VA, 0, -EAGAIN },
	{ "read-only", CODE_VA + 0x100, 0, -EAGAIN },
	{ "read-only, set", CODE_VA + 0x100, 1, -EAGAIN },
	{ "clean", DATA_VA + PAGE, 0, -EAGAIN },
	{ "shared after a fork", DATA_VA + 2 * PAGE, 0, -EAGAIN },
	{ "shared after a fork, set", DATA_VA + 2 * PAGE, 1, -EAGAIN },
	{ "the arena", INKTAG_ARENA_BASE, 0, -EAGAIN },
	{ "the arena, set", INKTAG_ARENA_BASE, 1, -EAGAIN },
};

START_TEST(regs_places)
{
	struct ink_hap *child;

	hap_write(g, 0, DATA_VA + 2 * PAGE, GFN + 2, T_DATA, 3);
	child = hap_fork(g, 0, 1);
	ck_assert_int_eq(ink_hap_copy(&g->vm, hap->id, T_DATA, DATA_VA, GFN, GFN + 9), 0);
	hap_write(g, 0, DATA_VA, GFN + 9, T_DATA, 1);
	hap_write(g, 0, DATA_VA + PAGE, GFN + 1, T_DATA, 2);
	k_page(g, GFN + 1);
	hap_reads(g, 0, DATA_VA + PAGE, 2);
	hap_reads(g, 0, DATA_VA + 2 * PAGE, 3);
	ck_assert_int_eq(hap_access_at(g, 0, CODE_VA, INK_READ, CODE_GFN, T_CODE).verdict, INK_MAPPED);
	ck_assert_int_eq(hap_access_at(g, 0, RWX_VA, INK_READ, GFN + 3, T_RWX).verdict, INK_MAPPED);
	ck_assert_int_eq(hap_access_at(g, 0, INKTAG_ARENA_BASE, INK_WRITE, GFN + 4, T_ARENA).verdict, INK_MAPPED);
	interrupted(INK_INTERRUPT);
	signalled();
	/* what could be set is right */
	ck_assert_int_eq(ink_thread_signal_regs(t, DATA_VA, 0), 0);
	ck_assert_int_eq(ink_thread_signal_regs(t, REGS_VA, 0), 0);
	if (places[_i].err) {
		REFUSED(g, places[_i].err, ink_thread_signal_regs(t, places[_i].va, places[_i].set));
	} else {
		ck_assert_int_eq(ink_thread_signal_regs(t, places[_i].va, 0), 0);
		ck_assert_int_eq(ink_thread_signal_regs(t, places[_i].va, 1), 0);
	}
	guest_check(g);
	guest_check_secrecy(g);
	expect_no_violation(g);
	k_hint(child, DATA_VA + 2 * PAGE, GFN + 2, 3, T_DATA);
	hap_reads(g, 1, DATA_VA + 2 * PAGE, 3);
}
END_TEST

/* Outside of the entry there is nothing to get or set. */
START_TEST(regs_outside)
{
	REFUSED(g, -EBUSY, ink_thread_signal_regs(t, REGS_VA, 0));
	REFUSED(g, -EBUSY, ink_thread_signal_regs(t, REGS_VA, 1));
	REFUSED(g, -EBUSY, ink_thread_signal_regs(t, U64_MAX, 7));
	interrupted(INK_INTERRUPT);
	signalled();
	cpu_signal_return(g, 0);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
	REFUSED(g, -EBUSY, ink_thread_signal_regs(t, REGS_VA, 0));
}
END_TEST

/* --- what the kernel sees ------------------------------------------------------------------------------------ */

/* I1: as of any thread; of what was put aside, nothing. */
START_TEST(public_registers)
{
	static const struct {
		int out, from;
	} calls[] = {
		{ INK_RAX, INK_RBX }, { INK_RDI, INK_RDI }, { INK_RSI, INK_RSI }, { INK_RDX, INK_RDX },
		{ INK_R10, INK_R10 }, { INK_R8, INK_R8 }, { INK_R9, INK_R9 },
	};
	enum ink_thread_state state = states[_i % 3];
	struct ink_regs out, want = { };
	u64 ustack;
	u32 i;

	interrupted(states[_i / 3]);
	signalled();
	ustack = t->ret.ustack;
	for (i = 0; i < INK_NR_GPR; i++)
		g->cpu[0].regs.gpr[i] = 0x1000 + i;
	cpu_suspend(g, 0, state);
	memset(&out, 0xff, sizeof(out));
	ink_thread_public_regs(t, &out);
	want.rip = STUB + (state == INK_SYSCALL ? 0 : INKTAG_STUB_SYSCALL_LEN);
	want.rflags = 0x202;
	want.gpr[INK_RBX] = handle;
	want.gpr[INK_R12] = INKTAG_RESUME_MAGIC;
	want.gpr[INK_RSP] = ustack;
	for (i = 0; state == INK_SYSCALL && i < ARRAY_SIZE(calls); i++)
		want.gpr[calls[i].out] = 0x1000 + calls[i].from;
	ck_assert_mem_eq(&out, &want, sizeof(out));

	/* after the return: as when it was interrupted */
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
	cpu_signal_return(g, 0);
	ink_thread_public_regs(t, &out);
	state = states[_i / 3];
	memset(&want.gpr, 0, sizeof(want.gpr));
	want.rip = STUB + (state == INK_SYSCALL ? 0 : INKTAG_STUB_SYSCALL_LEN);
	want.gpr[INK_RBX] = handle;
	want.gpr[INK_R12] = INKTAG_RESUME_MAGIC;
	want.gpr[INK_RSP] = USTACK;
	for (i = 0; state == INK_SYSCALL && i < ARRAY_SIZE(calls); i++)
		want.gpr[calls[i].out] = 0x5ec4e70000000000 + calls[i].from;
	ck_assert_mem_eq(&out, &want, sizeof(out));
}
END_TEST

Suite *suite_signal(void)
{
	Suite *s = suite_create("signal");
	TCase *tc = unit_case("signal");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, enters, 0, ARRAY_SIZE(states));
	tcase_add_loop_test(tc, refused, 0, NR_WHENS);
	tcase_add_loop_test(tc, entry_addresses, 0, ARRAY_SIZE(entries));
	tcase_add_test(tc, wild_stack);
	tcase_add_loop_test(tc, returns, 0, 2 * ARRAY_SIZE(states));
	tcase_add_test(tc, once);
	tcase_add_loop_test(tc, ends, 0, 2);
	tcase_add_test(tc, two_threads);
	tcase_add_test(tc, children_start_outside);
	tcase_add_loop_test(tc, get, 0, ARRAY_SIZE(states));
	tcase_add_loop_test(tc, get_after_another_fault, 0, 2);
	tcase_add_loop_test(tc, set, 0, 2);
	tcase_add_loop_test(tc, set_bad_values, 0, NR_BADS);
	tcase_add_loop_test(tc, regs_places, 0, ARRAY_SIZE(places));
	tcase_add_test(tc, regs_outside);
	tcase_add_loop_test(tc, public_registers, 0, ARRAY_SIZE(states) * ARRAY_SIZE(states));
	suite_add_tcase(s, tc);
	return s;
}
