// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * I7: a HAP is of another's line only if that one was in exec, and no other HAP has followed it.
 */
#include "unit.h"

#define GFN	FIRST_GFN
#define NEXT_CR3	0x88000

static struct guest *g;
static struct ink_hap *hap, *other;

static void setup(void)
{
	g = guest_new(&roomy);
	other = hap_build(g, GFN + 100, GFN + 101);
	hap = hap_launch(g, 0);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

static void leaves_for(u32 cpu, u64 call)
{
	g->cpu[cpu].regs.gpr[INK_RBX] = call;
	cpu_suspend(g, cpu, INK_SYSCALL);
}

/* What the kernel makes of the process then; its line. */
static u32 next(u64 cr3, u64 before)
{
	s64 id = ink_hap_create(&g->vm, cr3, 1, before, 0);

	ck_assert_int_gt(id, 0);
	guest_check(g);
	return ink_hap_find(&g->vm, id)->line;
}

static void counted(u64 execs, u64 kept)
{
	ck_assert_uint_eq(g->vm.stats.execs, execs);
	ck_assert_uint_eq(g->vm.stats.execs_kept, kept);
}

static const u64 calls[] = { INKTAG_SYS_EXECVE, INKTAG_SYS_EXECVEAT };

START_TEST(begins_a_line)
{
	ck_assert_uint_eq(other->line, other->id);
	ck_assert_uint_eq(hap->line, hap->id);
	ck_assert_uint_eq(next(NEXT_CR3, 0), hap->id + 1);
	counted(0, 0);
}
END_TEST

START_TEST(keeps_the_line)
{
	u32 id = hap->id;

	leaves_for(0, calls[_i]);
	ink_hap_end(hap);
	counted(1, 0);
	ck_assert_uint_eq(next(NEXT_CR3, id), id);
	counted(1, 1);
	/* one follows */
	ck_assert_uint_eq(next(NEXT_CR3 + PAGE, id), id + 2);
	counted(1, 1);
}
END_TEST

/* The kernel takes the old address space down when it likes. */
START_TEST(before_its_end)
{
	u32 id = hap->id;

	leaves_for(0, calls[_i]);
	ck_assert_uint_eq(next(NEXT_CR3, id), id);
	/* none of its threads goes on beside the one that followed */
	ck_assert_ptr_null(ink_hap_find(&g->vm, id));
	ck_assert_uint_eq(next(NEXT_CR3 + PAGE, id), id + 2);
	counted(1, 1);
}
END_TEST

enum { OTHER_CALL, RUNS, FAILED, FAULT, KILLED_AFTER, NR_WAYS };

/* It was not in exec. */
START_TEST(no_exec)
{
	u32 id = hap->id;
	u64 handle = g->cpu[0].thread->handle, cr3 = hap->cr3;

	switch (_i) {
	case OTHER_CALL:
		leaves_for(0, INKTAG_SYS_EXECVE + 1);
		break;
	case RUNS:
		break;
	case FAILED:
		leaves_for(0, INKTAG_SYS_EXECVE);
		ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, -2), 0);
		break;
	case FAULT:	/* the number is in the register still */
		g->cpu[0].regs.gpr[INK_RBX] = INKTAG_SYS_EXECVE;
		cpu_suspend(g, 0, INK_FAULT);
		break;
	case KILLED_AFTER:
		leaves_for(0, INKTAG_SYS_EXECVE);
		ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, -2), 0);
		cpu_suspend(g, 0, INK_INTERRUPT);
		break;
	}
	ck_assert_uint_eq(next(NEXT_CR3, id), id + 1);
	hap_kill(g, hap);
	ck_assert_uint_eq(next(NEXT_CR3 + PAGE, id), id + 2);
	counted(0, 0);
}
END_TEST

/* A signal came while it was in exec: the call is put aside. */
START_TEST(in_its_signal_entry)
{
	static const u64 args[3];
	u64 handle = g->cpu[0].thread->handle;
	u32 id = hap->id;

	ck_assert_int_eq(ink_thread_signal_entry(g->cpu[0].thread, ENTRY + 8, STACK - 8), 0);
	leaves_for(0, INKTAG_SYS_EXECVE);
	ck_assert_int_eq(cpu_signal(g, 0, handle, hap->cr3, USTACK - 512, args), 0);
	hap_kill(g, hap);
	ck_assert_uint_eq(next(NEXT_CR3, id), id);
	counted(1, 1);
}
END_TEST

/* Any thread may ask for it. */
START_TEST(second_thread)
{
	u32 id = hap->id;

	hap_thread(g, 0, 1);
	leaves_for(1, INKTAG_SYS_EXECVE);
	hap_kill(g, hap);
	ck_assert_uint_eq(next(NEXT_CR3, id), id);
}
END_TEST

/* fork, exec, exec, fork. */
START_TEST(line_of_many)
{
	struct ink_hap *child = hap_fork(g, 0, 1), *third;
	u32 line = hap->id, child_id = child->id;

	ck_assert_uint_eq(child->line, line);
	leaves_for(1, INKTAG_SYS_EXECVE);
	ink_hap_end(child);
	third = ink_hap_find(&g->vm, ink_hap_create(&g->vm, NEXT_CR3, 1, child_id, 0));
	ck_assert_uint_eq(third->line, line);
	/* and its own id is not the line's name */
	leaves_for(0, INKTAG_SYS_EXECVEAT);
	hap_kill(g, hap);
	ck_assert_uint_eq(next(NEXT_CR3 + PAGE, third->id), third->id + 1);
	ck_assert_uint_eq(next(NEXT_CR3 + 2 * PAGE, line), line);
	counted(2, 2);
}
END_TEST

static const u64 lies[] = { 0, 1, 2, 3, 77, 1ULL << 32, (1ULL << 32) | 2, U64_MAX };

START_TEST(of_nobody)
{
	leaves_for(0, INKTAG_SYS_EXECVE);
	if (lies[_i] == hap->id)
		return;
	ck_assert_uint_eq(next(NEXT_CR3, lies[_i]), hap->id + 1);
	counted(0, 0);
}
END_TEST

/* A create that is refused takes nobody's line. */
START_TEST(refused)
{
	u32 id = hap->id;

	leaves_for(0, INKTAG_SYS_EXECVE);
	hap_kill(g, hap);
	REFUSED(g, -EEXIST, ink_hap_create(&g->vm, other->cr3, 1, id, 0));
	fail_allocation(1, 1);
	REFUSED(g, -ENOMEM, ink_hap_create(&g->vm, NEXT_CR3, 1, id, 0));
	fail_allocation(0, 0);
	ck_assert_uint_eq(next(NEXT_CR3, id), id);
}
END_TEST

/* More than are remembered: the oldest are forgotten, and begin lines of their own. */
START_TEST(forgotten)
{
	u32 first = hap->id, i, id;

	leaves_for(0, INKTAG_SYS_EXECVE);
	hap_kill(g, hap);
	for (i = 1; i <= INK_EXECS; i++) {
		struct ink_hap *h = hap_build(g, ARRAY_GFN, CODE_GFN);

		hap_start(g, h, 0);
		leaves_for(0, INKTAG_SYS_EXECVE);
		id = h->id;
		hap_kill(g, h);
	}
	ck_assert_uint_ne(next(NEXT_CR3, first), first);
	ck_assert_uint_eq(next(NEXT_CR3 + PAGE, first + 1), first + 1);
	ck_assert_uint_eq(next(NEXT_CR3 + 2 * PAGE, id), id);
	counted(INK_EXECS + 1, 2);
}
END_TEST

/* Nor does a line outlive the VM's reset. */
START_TEST(reset)
{
	u32 id = hap->id;

	leaves_for(0, INKTAG_SYS_EXECVE);
	if (_i)
		hap_kill(g, hap);
	ink_vm_reset(&g->vm);
	ck_assert_uint_eq(next(NEXT_CR3, id), id + 1);
}
END_TEST

Suite *suite_exec(void)
{
	Suite *s = suite_create("exec");
	TCase *tc = unit_case("exec");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, begins_a_line);
	tcase_add_loop_test(tc, keeps_the_line, 0, ARRAY_SIZE(calls));
	tcase_add_loop_test(tc, before_its_end, 0, ARRAY_SIZE(calls));
	tcase_add_loop_test(tc, no_exec, 0, NR_WAYS);
	tcase_add_test(tc, in_its_signal_entry);
	tcase_add_test(tc, second_thread);
	tcase_add_test(tc, line_of_many);
	tcase_add_loop_test(tc, of_nobody, 0, ARRAY_SIZE(lies));
	tcase_add_test(tc, refused);
	tcase_add_test(tc, forgotten);
	tcase_add_loop_test(tc, reset, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
