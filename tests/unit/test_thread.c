// SPDX-License-Identifier: GPL-2.0-or-later
/* I4: a thread resumes with what it left with, where it belongs, once. And what the kernel sees of it. */
#include "unit.h"

static struct guest *g;
static struct ink_hap *hap;
static struct ink_thread *t;
static u64 handle, cr3;

static void setup(void)
{
	g = guest_new(&roomy);
	hap = hap_launch(g, 0);
	t = g->cpu[0].thread;
	handle = t->handle;
	cr3 = hap->cr3;
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* A register set in which each value is a secret of its own. */
static void fill(struct ink_regs *regs)
{
	u32 i;

	for (i = 0; i < INK_NR_GPR; i++)
		regs->gpr[i] = 0x5ec4e70000000000 + i;
	regs->rip = 0x5ec4e70000000100;
	regs->rflags = 0x5ec4e70000000200;
	regs->fsbase = 0x5ec4e70000000300;
	regs->gsbase = 0x5ec4e70000000400;
}

static const enum ink_thread_state states[] = { INK_SYSCALL, INK_FAULT, INK_INTERRUPT };

/* --- creation ----------------------------------------------------------------------------------- */

START_TEST(create)
{
	struct ink_thread *threads[4];
	u32 i, n;

	threads[0] = t;
	for (i = 1; i < roomy.threads; i++) {
		ck_assert_int_eq(ink_thread_create(hap, &threads[i]), 0);
		ck_assert_int_eq(threads[i]->ret.state, INK_NEW);
		ck_assert_uint_eq(threads[i]->handle >> 32, hap->id);
		for (n = 0; n < i; n++)
			ck_assert_uint_ne(threads[i]->handle, threads[n]->handle);
		guest_check(g);
	}
	ck_assert_uint_eq(g->vm.nr_threads, roomy.threads);
	REFUSED(g, -ENOSPC, ink_thread_create(hap, &threads[0]));
}
END_TEST

START_TEST(create_without_memory)
{
	struct ink_thread *t2;
	u64 n;
	int err;

	for (n = 1; n < 20; n++) {
		GByteArray *before = snapshot(g);

		fail_allocation(n, 1);
		err = ink_thread_create(hap, &t2);
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
}
END_TEST

/* --- states: who may do what ----------------------------------------------------------------------- */

enum verb { START, RESUME, RESUME_OTHER };

static const struct {
	enum ink_thread_state from;
	enum verb verb;
	int err;
} moves[] = {
	{ INK_NEW, START, 0 },
	{ INK_NEW, RESUME, -EBUSY },
	{ INK_NEW, RESUME_OTHER, -EPERM },
	{ INK_RUNNING, START, -EBUSY },
	{ INK_RUNNING, RESUME, -EBUSY },
	{ INK_RUNNING, RESUME_OTHER, -EPERM },
	{ INK_SYSCALL, START, -EBUSY },
	{ INK_SYSCALL, RESUME, 0 },
	{ INK_SYSCALL, RESUME_OTHER, -EPERM },
	{ INK_FAULT, START, -EBUSY },
	{ INK_FAULT, RESUME, 0 },
	{ INK_FAULT, RESUME_OTHER, -EPERM },
	{ INK_INTERRUPT, START, -EBUSY },
	{ INK_INTERRUPT, RESUME, 0 },
	{ INK_INTERRUPT, RESUME_OTHER, -EPERM },
};

START_TEST(transition)
{
	struct ink_hap *other = hap_build(g, FIRST_GFN, FIRST_GFN + 1);
	struct ink_thread *t2, *out = NULL;
	u32 refs;

	hap_start(g, other, 1);
	if (moves[_i].from == INK_NEW) {
		ck_assert_int_eq(ink_thread_create(hap, &t2), 0);
	} else {
		t2 = t;
		if (moves[_i].from != INK_RUNNING)
			cpu_suspend(g, 0, moves[_i].from);
	}
	ck_assert_int_eq(t2->ret.state, moves[_i].from);
	refs = hap->refs;
	switch (moves[_i].verb) {
	case START:
		if (moves[_i].err)
			REFUSED(g, moves[_i].err, ink_thread_start(t2));
		else
			ck_assert_int_eq(ink_thread_start(t2), 0);
		break;
	case RESUME:
		if (moves[_i].err)
			REFUSED(g, moves[_i].err, ink_thread_resume(&g->vm, t2->handle, cr3, 0, &out));
		else
			ck_assert_int_eq(ink_thread_resume(&g->vm, t2->handle, cr3, 0, &out), 0);
		break;
	case RESUME_OTHER:
		REFUSED(g, moves[_i].err, ink_thread_resume(&g->vm, t2->handle, other->cr3, 0, &out));
		break;
	}
	guest_check(g);
	ck_assert_int_eq(t2->ret.state, moves[_i].err ? moves[_i].from : INK_RUNNING);
	if (!moves[_i].err)
		ck_assert_int_eq(t2->was, moves[_i].from);
	ck_assert_uint_eq(hap->refs, refs + !moves[_i].err);
	if (!moves[_i].err) {
		/* once */
		REFUSED(g, -EBUSY, ink_thread_start(t2));
		REFUSED(g, -EBUSY, ink_thread_resume(&g->vm, t2->handle, cr3, 0, &out));
		ink_thread_suspend(t2, INK_INTERRUPT);
		ck_assert_uint_eq(hap->refs, refs);
		if (t2 == t)
			g->cpu[0].hap = NULL;
	}
}
END_TEST

/* Resumed on one vCPU, tried on another. */
START_TEST(resume_twice)
{
	cpu_suspend(g, 0, states[_i]);
	ck_assert_int_eq(cpu_resume(g, 1, handle, cr3, 0), 0);
	ck_assert_int_eq(cpu_resume(g, 2, handle, cr3, 0), -EBUSY);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), -EBUSY);
	cpu_suspend(g, 1, states[_i]);
	ck_assert_int_eq(cpu_resume(g, 2, handle, cr3, 0), 0);
	ck_assert_ptr_eq(g->cpu[2].thread, t);
}
END_TEST

/* --- handles -------------------------------------------------------------------------------------- */

START_TEST(garbage_handles)
{
	const u64 handles[] = {
		0, 1, handle + 1, handle - 1, handle & U32_MAX, handle >> 32, ~handle, U64_MAX,
		handle | 1ULL << 63, handle + (1ULL << 32), handle << 1, 1ULL << 32, 0x7fffffff00000001,
		(u64)(uintptr_t)t, (u64)(uintptr_t)hap, INKTAG_RESUME_MAGIC,
	};
	struct ink_thread *out;
	u32 i;

	cpu_suspend(g, 0, INK_SYSCALL);
	for (i = 0; i < ARRAY_SIZE(handles); i++)
		REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handles[i], cr3, 0, &out));
	REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, 0, 0, &out));
	REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, ~cr3, 0, &out));
	REFUSED(g, -EPERM, ink_thread_resume(&g->vm, handle, cr3 | 1ULL << 63, 0, &out));
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
}
END_TEST

START_TEST(random_handles)
{
	GRand *rand = g_rand_new_with_seed(seed);
	struct ink_thread *out;
	GByteArray *before;
	u32 i;

	cpu_suspend(g, 0, INK_SYSCALL);
	before = snapshot(g);
	for (i = 0; i < 20000; i++) {
		u64 h = (u64)g_rand_int(rand) << 32 | g_rand_int(rand);

		if (i % 2)
			h = handle ^ 1ULL << (h & 63);
		must_be(ink_thread_resume(&g->vm, h, cr3, 0, &out) == -ENOENT);
	}
	unchanged(g, before);
	g_rand_free(rand);
}
END_TEST

/* The end of the HAP is the end of its handles, also for a HAP that comes after it. */
START_TEST(resume_after_end)
{
	struct ink_thread *out;

	cpu_suspend(g, 0, states[_i]);
	hap_kill(g, hap);
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, cr3, 0, &out));
	g->next_cr3 = cr3;
	hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	ck_assert_uint_eq(hap->cr3, cr3);
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, cr3, 0, &out));
	hap_start(g, hap, 0);
	REFUSED(g, -ENOENT, ink_thread_resume(&g->vm, handle, cr3, 0, &out));
}
END_TEST

/* Ended while its thread is on a vCPU: the record stays until that vCPU has left. */
START_TEST(suspend_after_end)
{
	u64 xstates = env.xstates;

	ink_hap_end(hap);
	ck_assert_uint_eq(env.xstates, xstates);
	ck_assert_int_eq(t->ret.state, INK_RUNNING);
	cpu_suspend(g, 0, states[_i]);
	ck_assert_uint_eq(env.xstates, 0);
	ck_assert_uint_eq(g->vm.nr_threads, 0);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), -ENOENT);
}
END_TEST

/* --- registers ---------------------------------------------------------------------------------------- */

/* All come back, and the kernel's answer only where it was asked. */
START_TEST(registers_return)
{
	struct ink_regs want;
	u32 i;

	fill(&g->cpu[0].regs);
	memset(t->xstate, 0x77, XSTATE_SIZE);
	want = g->cpu[0].regs;
	cpu_suspend(g, 0, states[_i]);
	ck_assert_int_eq(cpu_resume(g, 1, handle, cr3, 0xdeadbeefcafe), 0);
	if (states[_i] == INK_SYSCALL)
		want.gpr[INK_RAX] = 0xdeadbeefcafe;
	ck_assert_mem_eq(&g->cpu[1].regs, &want, sizeof(want));
	for (i = 0; i < XSTATE_SIZE; i++)
		ck_assert_uint_eq(((u8 *)t->xstate)[i], 0x77);
}
END_TEST

/* A refused resume, with another answer, does not leave it behind. */
START_TEST(refused_answers)
{
	struct ink_thread *out;

	fill(&g->cpu[0].regs);
	cpu_suspend(g, 0, INK_SYSCALL);
	ck_assert_int_eq(ink_thread_resume(&g->vm, handle, cr3 + PAGE, 0xbad, &out), -EPERM);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0x600d), 0);
	ck_assert_int_eq(ink_thread_resume(&g->vm, handle, cr3, 0xbad, &out), -EBUSY);
	ck_assert_uint_eq(g->cpu[0].regs.gpr[INK_RAX], 0x600d);
	ck_assert_uint_eq(t->ret.regs.gpr[INK_RAX], 0x600d);
}
END_TEST

/* The access that a FAULT waits for is told at the resume, and only then. */
START_TEST(pending_access)
{
	t->ret.fault_va = DATA_VA;
	t->ret.fault_access = INK_WRITE;
	cpu_suspend(g, 0, states[_i]);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
	ck_assert_uint_eq(t->ret.fault_access, states[_i] == INK_FAULT ? INK_WRITE : 0);
	if (states[_i] == INK_FAULT)
		ck_assert_uint_eq(t->ret.fault_va, DATA_VA);
}
END_TEST

/* I1: what the kernel gets is listed here, and all else is zero. */
START_TEST(public_registers)
{
	static const struct {
		int out, from;
	} args[] = {
		{ INK_RAX, INK_RBX }, { INK_RDI, INK_RDI }, { INK_RSI, INK_RSI }, { INK_RDX, INK_RDX },
		{ INK_R10, INK_R10 }, { INK_R8, INK_R8 }, { INK_R9, INK_R9 },
	};
	bool call = states[_i] == INK_SYSCALL;
	struct ink_regs want = { };
	struct ink_regs out;
	u32 i;

	fill(&t->ret.regs);
	t->ret.state = states[_i];
	memset(&out, 0xff, sizeof(out));
	ink_thread_public_regs(t, &out);
	want.rip = STUB + (call ? 0 : INKTAG_STUB_SYSCALL_LEN);
	want.rflags = out.rflags;
	want.gpr[INK_RBX] = handle;
	want.gpr[INK_R12] = INKTAG_RESUME_MAGIC;
	want.gpr[INK_RSP] = USTACK;
	for (i = 0; call && i < ARRAY_SIZE(args); i++)
		want.gpr[args[i].out] = t->ret.regs.gpr[args[i].from];
	ck_assert_uint_eq(out.rflags, 0x202);
	ck_assert_mem_eq(&out, &want, sizeof(out));
	t->ret.state = INK_RUNNING;
}
END_TEST

Suite *suite_thread(void)
{
	Suite *s = suite_create("thread");
	TCase *tc = unit_case("thread");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, create);
	tcase_add_test(tc, create_without_memory);
	tcase_add_loop_test(tc, transition, 0, ARRAY_SIZE(moves));
	tcase_add_loop_test(tc, resume_twice, 0, ARRAY_SIZE(states));
	tcase_add_test(tc, garbage_handles);
	tcase_add_test(tc, random_handles);
	tcase_add_loop_test(tc, resume_after_end, 0, ARRAY_SIZE(states));
	tcase_add_loop_test(tc, suspend_after_end, 0, ARRAY_SIZE(states));
	tcase_add_loop_test(tc, registers_return, 0, ARRAY_SIZE(states));
	tcase_add_test(tc, refused_answers);
	tcase_add_loop_test(tc, pending_access, 0, ARRAY_SIZE(states));
	tcase_add_loop_test(tc, public_registers, 0, ARRAY_SIZE(states));
	suite_add_tcase(s, tc);
	return s;
}
