// SPDX-License-Identifier: GPL-2.0-or-later
/* The VM: its making and end, the log of violations. */
#include "unit.h"

static struct guest *g;

static void setup(void)
{
	g = guest_new(&roomy);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

START_TEST(init_without_memory)
{
	struct ink_vm vm;
	u64 n, pages = env.page_count;

	for (n = 1; n < 10; n++) {
		memset(&vm, 0, sizeof(vm));
		fail_allocation(n, 1);
		if (!ink_vm_init(&vm, &roomy))
			break;
		ck_assert_uint_eq(env.page_count, pages);
	}
	ck_assert_uint_eq(n, 3);
	fail_allocation(0, 0);
	ink_page_free(vm.zero);
	ink_page_free(vm.bounce);
}
END_TEST

/* HAPs in every state, pages in every state, rings: after the reset nothing is left, ids go on. */
START_TEST(reset)
{
	struct ink_hap *hap = hap_launch(g, 0), *building;
	u32 last;

	building = hap_build(g, FIRST_GFN + 20, FIRST_GFN + 21);
	hap_write(g, 0, DATA_VA, FIRST_GFN, T_DATA, 1);
	hap_write(g, 0, DATA_VA + PAGE, FIRST_GFN + 1, T_DATA, 2);
	k_page(g, FIRST_GFN + 1);
	ck_assert_int_eq(hap_access_at(g, 0, STUB, INK_WRITE, FIRST_GFN + 2, T_ARENA).verdict,
			 INK_MAPPED);
	k_ring(g, 3);
	last = building->id;
	ink_vm_reset(&g->vm);
	ck_assert_int_eq(hap->state, INK_ENDED);
	ck_assert_ptr_null(ink_hap_find(&g->vm, hap->id));
	ck_assert_ptr_null(ink_hap_find(&g->vm, last));
	ck_assert_uint_eq(g->vm.nr_held, 0);
	ck_assert_uint_eq(g->vm.frames, 0);
	ck_assert_uint_eq(g->vm.records, 0);
	ck_assert_uint_eq(g->vm.rings[0].gpa, 0);
	ck_assert_uint_eq(g->vm.rings[3].gpa, 0);
	ck_assert_uint_eq(env.pins, 0);
	ck_assert_uint_eq(g->cpu[0].tlb->len, 0);
	hap_kill(g, hap);	/* the vCPU leaves */
	guest_check(g);

	memset(k_page(g, ring_gpa(0) >> 12), 0, PAGE);
	hap = hap_launch(g, 0);
	ck_assert_uint_gt(hap->id, last);
	hap_write(g, 0, DATA_VA, FIRST_GFN, T_DATA, 1);
	hap_reads(g, 0, DATA_VA, 1);
}
END_TEST

START_TEST(log_in_order)
{
	struct ink_hap *hap = hap_launch(g, 0);
	struct kvm_inktag_violation v;
	u64 signals = g->signals, time = 0;
	u32 i;

	expect_no_violation(g);
	for (i = 0; i < KVM_INKTAG_VIOLATIONS; i++)
		ink_violation(hap, INKTAG_CHECK_TAG, i * PAGE, i, i + 7);
	ck_assert_uint_eq(g->signals - signals, KVM_INKTAG_VIOLATIONS);
	ck_assert_uint_eq(g->vm.stats.violations, KVM_INKTAG_VIOLATIONS);
	for (i = 0; i < KVM_INKTAG_VIOLATIONS; i++) {
		ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
		ck_assert_uint_eq(v.hap, hap->id);
		ck_assert_uint_eq(v.pid, hap->pid);
		ck_assert_uint_eq(v.check, INKTAG_CHECK_TAG);
		ck_assert_uint_eq(v.addr, i * PAGE);
		ck_assert_uint_eq(v.gfn, i);
		ck_assert_uint_eq(v.arg, i + 7);
		ck_assert_uint_eq(v.lost, 0);
		ck_assert_uint_gt(v.time, time);
		time = v.time;
		ck_assert_mem_eq(v.measurement, hap->measurement, 32);
	}
	expect_no_violation(g);
}
END_TEST

static const struct {
	u32 before, logged, lost;
} overflows[] = {
	{ 0, 65, 1 }, { 0, 64, 0 }, { 10, 64, 0 }, { 10, 65, 1 }, { 63, 100, 36 }, { 0, 1000, 936 },
};

START_TEST(log_overflow)
{
	struct ink_hap *hap = hap_launch(g, 0);
	struct kvm_inktag_violation v;
	u32 i, round;

	for (i = 0; i < overflows[_i].before; i++) {
		ink_violation(hap, INKTAG_CHECK_TAG, 0, 0, 0);
		ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
	}
	for (round = 0; round < 2; round++) {
		for (i = 0; i < overflows[_i].logged; i++)
			ink_violation(hap, INKTAG_CHECK_FRAME, i, ~0ULL, i);
		for (i = 0; i < KVM_INKTAG_VIOLATIONS; i++) {
			ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
			ck_assert_uint_eq(v.arg, i + overflows[_i].lost);
			ck_assert_uint_eq(v.lost, i ? 0 : overflows[_i].lost);
		}
		expect_no_violation(g);
	}
}
END_TEST

/* The log outlives the HAP. While it is built, it has no measurement. */
START_TEST(log_of_the_dead)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	struct kvm_inktag_violation v;
	u32 id = hap->id;

	ink_violation(hap, INKTAG_CHECK_STATE, 1, 2, 3);
	ink_hap_end(hap);
	ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
	ck_assert_uint_eq(v.hap, id);
	ck_assert(is_zero(v.measurement, 32));
}
END_TEST

/* The shim's own reports: its checks only, and one of each HAP. */
START_TEST(accused_once)
{
	static const u32 others[] = { INKTAG_CHECK_NONE, INKTAG_CHECK_TAG, INKTAG_CHECK_FRAME, INKTAG_CHECK_DESCRIPTOR,
				      INKTAG_CHECK_LINEAGE, INKTAG_CHECK_COUNT, U32_MAX };
	struct ink_hap *hap = hap_launch(g, 0);
	struct kvm_inktag_violation v;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert_int_eq(ink_accuse(hap, others[i], 1, 2), -EINVAL);
	ck_assert_int_eq(ink_accuse(hap, 1ULL << 32 | INKTAG_CHECK_MMAP, 1, 2), -EINVAL);
	expect_no_violation(g);
	ck_assert_int_eq(ink_accuse(hap, INKTAG_CHECK_SYSCALL, 1, 5), 0);
	ck_assert_int_eq(ink_accuse(hap, INKTAG_CHECK_MMAP, 3, 4), -EALREADY);
	ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
	ck_assert_uint_eq(v.check, INKTAG_CHECK_SYSCALL);
	ck_assert_uint_eq(v.addr, 1);
	ck_assert_uint_eq(v.gfn, U64_MAX);
	ck_assert_uint_eq(v.arg, 5);
	expect_no_violation(g);
}
END_TEST

/* Two VMs share nothing: neither ids, handles, frames, nor keys. */
START_TEST(two_vms)
{
	struct guest *g2 = guest_new(&roomy);
	struct ink_hap *hap = hap_launch(g, 0), *hap2 = hap_launch(g2, 0);
	struct ink_spage *s, *s2;
	u64 cr3 = hap->cr3, handle = g->cpu[0].thread->handle;

	hap_write(g, 0, DATA_VA, FIRST_GFN, T_DATA, 1);
	hap_write(g2, 0, DATA_VA, FIRST_GFN, T_DATA, 2);
	hap_reads(g, 0, DATA_VA, 1);
	hap_reads(g2, 0, DATA_VA, 2);
	k_page(g, FIRST_GFN);
	k_page(g2, FIRST_GFN);
	s = SPAGE(hap, SER_DATA, 100);
	s2 = SPAGE(hap2, SER_DATA, 100);
	s2->id.version = s->id.version;
	memcpy(s2->tag, s->tag, INK_TAG_SIZE);
	k_write(g2, FIRST_GFN, k_page(g, FIRST_GFN));
	ck_assert_int_eq(cloaked_open_clean(s2, FIRST_GFN), -EBADMSG);

	cpu_suspend(g, 0, INK_SYSCALL);
	hap_kill(g2, hap2);
	ck_assert_int_eq(cpu_resume(g2, 0, handle, cr3, 0), -ENOENT);
	ck_assert_int_eq(cpu_resume(g, 0, handle, cr3, 0), 0);
	hap_reads(g, 0, DATA_VA, 1);
	guest_free(g2);
}
END_TEST

Suite *suite_vm(void)
{
	Suite *s = suite_create("vm");
	TCase *tc = unit_case("vm");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, init_without_memory);
	tcase_add_test(tc, reset);
	tcase_add_test(tc, log_in_order);
	tcase_add_loop_test(tc, log_overflow, 0, ARRAY_SIZE(overflows));
	tcase_add_test(tc, log_of_the_dead);
	tcase_add_test(tc, accused_once);
	tcase_add_test(tc, two_vms);
	suite_add_tcase(s, tc);
	return s;
}
