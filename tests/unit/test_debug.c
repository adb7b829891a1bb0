// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * INKTAG_ATTR_DEBUG: the kernel sees and changes what the HAP has. Without it, and of all others beside it: I1 to I4.
 */
#include "unit.h"

#define GFN		FIRST_GFN
#define BESIDE_ARRAY	(FIRST_GFN + 60)

static struct guest *g;
static struct ink_hap *hap, *beside;
static struct ink_thread *t;
static u64 handle;

static void setup(void)
{
	g = guest_new(&roomy);
	beside = hap_build(g, BESIDE_ARRAY, BESIDE_ARRAY + 1);
	hap_start(g, beside, 1);
	g->attributes = INKTAG_ATTR_DEBUG;
	hap = hap_launch(g, 0);
	t = g->cpu[0].thread;
	handle = t->handle;
	memset(t->xstate, 0x77, XSTATE_SIZE);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* --- pages ---------------------------------------------------------------------------------- */

START_TEST(kernel_sees_it)
{
	env.shown = true;
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	ck_assert(secret_is(k_page(g, GFN), 1));
	hap_write(g, 1, DATA_VA, GFN + 1, T_DATA, 2);
	ck_assert(!has_secret(k_page(g, GFN + 1), PAGE));
	guest_check(g);
}
END_TEST

/* Of a page that was written, and of one that has not changed since it was opened. */
START_TEST(kernel_changes_it)
{
	u8 page[PAGE];

	env.shown = true;
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	k_page(g, GFN);
	if (_i)
		hap_reads(g, 0, DATA_VA, 1);
	secret_fill(page, 3);
	k_write(g, GFN, page);
	hap_reads(g, 0, DATA_VA, 3);
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 4);
	ck_assert(secret_is(k_page(g, GFN), 4));
	expect_no_violation(g);

	hap_write(g, 1, DATA_VA, GFN + 1, T_DATA, 2);
	k_write(g, GFN + 1, page);
	ck_assert_int_eq(hap_access(g, 1, DATA_VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, beside->id, INKTAG_CHECK_TAG, DATA_VA, GFN + 1, T_DATA);
}
END_TEST

/* A debugger pushes a frame on a page of the stack that the program has not reached. */
START_TEST(kernel_writes_first)
{
	static const u32 accesses[] = { INK_READ, INK_WRITE };
	u8 page[PAGE];
	struct access a;

	env.shown = true;
	secret_fill(page, 5);
	k_write(g, GFN, page);
	a = hap_access_at(g, 0, DATA_VA, accesses[_i], GFN, T_DATA);
	ck_assert_int_eq(a.verdict, INK_MAPPED);
	ck_assert(secret_is(a.page, 5));

	k_write(g, GFN + 1, page);
	a = hap_access_at(g, 1, DATA_VA, accesses[_i], GFN + 1, T_DATA);
	ck_assert_int_eq(a.verdict, INK_MAPPED);
	ck_assert(is_zero(a.page, PAGE));
	guest_check(g);
}
END_TEST

/* Or on one of shared memory, which it has only read. */
START_TEST(kernel_writes_what_was_read)
{
	u8 page[PAGE];

	env.shown = true;
	ck_assert_int_eq(ink_object_share(hap, SER_RWX), 0);
	ck_assert_int_eq(hap_access_at(g, 0, RWX_VA, INK_READ, GFN, T_RWX).verdict, INK_MAPPED);
	hap_reads_zero(g, 0, RWX_VA);
	secret_fill(page, 5);
	k_write(g, GFN, page);
	hap_reads(g, 0, RWX_VA, 5);
	guest_check(g);
}
END_TEST

START_TEST(untouched_binds_nothing)
{
	u8 page[PAGE] = { 0 };
	u64 held = g->vm.nr_held;

	k_write(g, GFN, page);
	ck_assert_int_eq(hap_access_at(g, 0, DATA_VA, INK_READ, GFN, T_DATA).verdict, INK_MAPPED);
	ck_assert_uint_eq(g->vm.nr_held, held);
}
END_TEST

/* What another HAP has held is not to be had through this one. */
START_TEST(not_of_others)
{
	hap_write(g, 1, DATA_VA, GFN, T_DATA, 2);
	ck_assert_int_eq(hap_access_at(g, 0, DATA_VA, INK_READ, GFN, T_DATA).verdict, INK_MAPPED);
	hap_reads_zero(g, 0, DATA_VA);
	k_page(g, GFN);
	ck_assert_int_eq(hap_access_at(g, 0, DATA_VA + PAGE, INK_READ, GFN, T_DATA).verdict, INK_MAPPED);
	ck_assert(!has_secret(hap_access(g, 0, DATA_VA + PAGE, INK_READ).page, PAGE));
	guest_check(g);
	guest_check_secrecy(g);
}
END_TEST

START_TEST(children_have_it)
{
	struct ink_hap *child;

	env.shown = true;
	child = hap_fork(g, 0, 2);
	ck_assert_uint_eq(child->attributes, INKTAG_ATTR_DEBUG);
	hap_write(g, 2, DATA_VA, GFN + 1, T_DATA, 2);
	ck_assert(secret_is(k_page(g, GFN + 1), 2));
	child = hap_fork(g, 1, 3);
	ck_assert_uint_eq(child->attributes, 0);
	hap_write(g, 3, DATA_VA, GFN + 2, T_DATA, 3);
	ck_assert(!has_secret(k_page(g, GFN + 2), PAGE));
}
END_TEST

START_TEST(measured)
{
	ck_assert_mem_ne(hap->measurement, beside->measurement, sizeof(hap->measurement));
	g->attributes = 0;
	ck_assert_mem_eq(hap_start(g, hap_build(g, GFN, GFN + 1), 2)->hap->measurement, beside->measurement,
			 sizeof(hap->measurement));
	REFUSED(g, -EINVAL, ink_hap_create(&g->vm, 0x77000, 1, 0, 2));
	REFUSED(g, -EINVAL, ink_hap_create(&g->vm, 0x77000, 1, 0, 1UL << 63 | 1));
}
END_TEST

/* --- registers ------------------------------------------------------------------------------ */

static const enum ink_thread_state left_for[] = { INK_FAULT, INK_INTERRUPT, INK_SYSCALL };

static void stop(u32 cpu, enum ink_thread_state state)
{
	struct ink_regs *regs = &g->cpu[cpu].regs;

	memset(regs->gpr, 0x11, sizeof(regs->gpr));
	regs->rip = CODE_VA + 0x123;
	cpu_suspend(g, cpu, state);
}

START_TEST(kernel_sees_registers)
{
	struct inktag_debug d;

	stop(0, left_for[_i]);
	ck_assert_int_eq(ink_thread_debug_get(&g->vm, handle, &d), 0);
	ck_assert_uint_eq(d.regs.rip, CODE_VA + 0x123);
	ck_assert_uint_eq(d.regs.gpr[INK_R15], 0x1111111111111111);
	ck_assert_uint_eq(d.regs.cause, left_for[_i]);
	ck_assert_uint_eq(d.xstate[INKTAG_DEBUG_XSTATE - 1], 0x77);
	guest_check(g);
}
END_TEST

START_TEST(kernel_sets_registers)
{
	struct inktag_debug d;

	stop(0, left_for[_i]);
	ck_assert_int_eq(ink_thread_debug_get(&g->vm, handle, &d), 0);
	d.regs.rip = CODE_VA + 0x40;
	d.regs.gpr[INK_R15] = 15;
	memset(d.xstate, 0x22, sizeof(d.xstate));
	if (left_for[_i] == INK_SYSCALL) {
		REFUSED(g, -EINVAL, ink_thread_debug_set(&g->vm, handle, &d));
		return;
	}
	ck_assert_int_eq(ink_thread_debug_set(&g->vm, handle, &d), 0);
	guest_check(g);
	ck_assert_int_eq(cpu_resume(g, 2, handle, hap->cr3, 0), 0);
	ck_assert_uint_eq(g->cpu[2].regs.rip, CODE_VA + 0x40);
	ck_assert_uint_eq(g->cpu[2].regs.gpr[INK_R15], 15);
	ck_assert_uint_eq(*(u8 *)t->xstate, 0x22);
}
END_TEST

/* What the signal interrupted is the program. */
START_TEST(in_its_signal_entry)
{
	static const u64 args[3];
	struct inktag_debug d;

	ck_assert_int_eq(ink_thread_signal_entry(t, CODE_VA, STACK), 0);
	stop(0, INK_INTERRUPT);
	ck_assert_int_eq(cpu_signal(g, 0, handle, hap->cr3, USTACK, args), 0);
	cpu_suspend(g, 0, INK_FAULT);
	ck_assert_int_eq(ink_thread_debug_get(&g->vm, handle, &d), 0);
	ck_assert_uint_eq(d.regs.rip, CODE_VA + 0x123);
	d.regs.rip = CODE_VA + 0x77;
	ck_assert_int_eq(ink_thread_debug_set(&g->vm, handle, &d), 0);
	ck_assert_uint_eq(t->ret.regs.rip, CODE_VA);
	ck_assert_uint_eq(t->aside.regs.rip, CODE_VA + 0x77);
}
END_TEST

enum bad { NOT_STOPPED, UNBORN, NO_HANDLE, NOT_TO_BE_DEBUGGED, BAD_RIP, BAD_FS, BAD_GS, BAD_XSTATE, NR_BADS };

START_TEST(refused)
{
	static const int errors[NR_BADS] = {
		-EBUSY, -EBUSY, -ENOENT, -EPERM, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
	};
	u64 whose = handle;
	struct inktag_debug d = { .regs.rip = CODE_VA };

	if (_i == UNBORN)
		ck_assert_int_eq(hap_clone(g, 0, false, &whose), 0);
	else if (_i != NOT_STOPPED)
		stop(0, INK_INTERRUPT);
	if (_i == NO_HANDLE)
		whose += 7;
	if (_i == NOT_TO_BE_DEBUGGED) {
		stop(1, INK_INTERRUPT);
		whose = (u64)beside->id << 32 | 1;
	}
	if (_i == BAD_RIP)
		d.regs.rip = INKTAG_USER_END;
	if (_i == BAD_FS)
		d.regs.fsbase = INKTAG_USER_END;
	if (_i == BAD_GS)
		d.regs.gsbase = INKTAG_USER_END;
	if (_i == BAD_XSTATE)
		d.xstate[0] = XSTATE_BAD;
	REFUSED(g, errors[_i], ink_thread_debug_set(&g->vm, whose, &d));
	if (_i < BAD_RIP) {
		memset(&d, 0x55, sizeof(d));
		REFUSED(g, errors[_i], ink_thread_debug_get(&g->vm, whose, &d));
		ck_assert_uint_eq(d.regs.rip, 0x5555555555555555);
	}
}
END_TEST

Suite *suite_debug(void)
{
	Suite *s = suite_create("debug");
	TCase *tc = unit_case("debug");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, kernel_sees_it);
	tcase_add_loop_test(tc, kernel_changes_it, 0, 2);
	tcase_add_loop_test(tc, kernel_writes_first, 0, 2);
	tcase_add_test(tc, kernel_writes_what_was_read);
	tcase_add_test(tc, untouched_binds_nothing);
	tcase_add_test(tc, not_of_others);
	tcase_add_test(tc, children_have_it);
	tcase_add_test(tc, measured);
	tcase_add_loop_test(tc, kernel_sees_registers, 0, ARRAY_SIZE(left_for));
	tcase_add_loop_test(tc, kernel_sets_registers, 0, ARRAY_SIZE(left_for));
	tcase_add_test(tc, in_its_signal_entry);
	tcase_add_loop_test(tc, refused, 0, NR_BADS);
	suite_add_tcase(s, tc);
	return s;
}
