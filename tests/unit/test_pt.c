// SPDX-License-Identifier: GPL-2.0-or-later
/* The trusted page table, walked by the hardware's rules in guest.c. */
#include "unit.h"

static struct guest *g;
static struct ink_hap *hap;

static void setup(void)
{
	g = guest_new(&roomy);
	hap = hap_launch(g, 0);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* A private page, mapped at va by no judgement of resolve.c. */
static struct ink_spage *map(u64 va, u64 gfn, u32 prot)
{
	struct ink_spage *s = SPAGE(hap, SER_DATA, gfn);

	if (!s) {
		ck_assert_int_eq(absent_bind_clean(hap, SER_DATA, gfn, gfn, &s), 0);
		clean_write_dirty(s);
	}
	k_hint(hap, va, gfn, INKTAG_PROT_MASK, T_DATA);
	ck_assert_int_eq(ink_spage_map(s, hap, va, prot), 0);
	return s;
}

/* What each prot allows, to the core and to the hardware. */
START_TEST(rights)
{
	struct ink_spage *s = map(DATA_VA, FIRST_GFN, _i);
	u64 pte = ink_pt_get(hap, DATA_VA);
	static const u32 kinds[] = { INK_READ, INK_WRITE, INK_EXEC };
	u32 i;

	ck_assert(ink_pt_is(pte, INK_PT_PRIVATE));
	ck_assert(!ink_pt_is(pte, INK_PT_ZERO));
	ck_assert(!ink_pt_is(pte, INK_PT_PINNED));
	ck_assert_uint_eq(ink_pt_pa(pte), ink_page_pa(s->frame));
	ck_assert_int_eq(ink_pt_writable(pte), !!(_i & INKTAG_PROT_WRITE));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool want = kinds[i] == INK_READ || _i & kinds[i];

		ck_assert_int_eq(ink_pt_allows(pte, kinds[i]), want);
		if (want)
			ck_assert_ptr_eq(hap_access(g, 0, DATA_VA, kinds[i]).page, s->frame);
	}
	guest_check(g);
}
END_TEST

START_TEST(not_present)
{
	ck_assert_uint_eq(ink_pt_get(hap, FREE_VA), 0);
	ck_assert(!ink_pt_is(0, INK_PT_PRIVATE));
	ck_assert(!ink_pt_allows(0, INK_READ));
	ck_assert(!ink_pt_writable(0));
	ck_assert_uint_eq(ink_pt_pa(0), 0);
	REFUSED(g, 0, (ink_pt_clear(hap, FREE_VA), 0));
}
END_TEST

static const u64 places[] = {
	0, PAGE, 511 * PAGE, 512 * PAGE, (1ULL << 30) - PAGE, 1ULL << 30, (1ULL << 39) - PAGE,
	1ULL << 39, INKTAG_DESC_BASE + PAGE, INKTAG_STACK_TOP - PAGE, INKTAG_USER_END - PAGE,
};

/* Far apart and at the edges of tables: none disturbs another. */
START_TEST(edges)
{
	struct ink_spage *s[ARRAY_SIZE(places)];
	u64 tables = 0, frames;
	u32 i, n;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		s[i] = map(places[i], FIRST_GFN + i, 3);
	guest_check(g);
	ck_assert_uint_eq(vm_pt_count(hap->root, &tables), ARRAY_SIZE(places));
	frames = g->vm.frames;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		ink_pt_clear(hap, places[i]);
		ink_hap_flush(hap);
		ck_assert_ptr_null(ink_spage_mapping(s[i], hap));
		guest_check(g);
		for (n = 0; n < ARRAY_SIZE(places); n++)
			if (n > i)
				ck_assert_uint_eq(ink_pt_pa(ink_pt_get(hap, places[n])),
						  ink_page_pa(s[n]->frame));
			else
				ck_assert_uint_eq(ink_pt_get(hap, places[n]), 0);
	}
	ck_assert_uint_eq(g->vm.frames, frames);
	ck_assert_uint_gt(tables, 10);
}
END_TEST

/* Rights are taken away by clearing: the generation is raised, and one flush serves many. */
START_TEST(generations)
{
	u64 gen, flushes;

	map(DATA_VA, FIRST_GFN, 3);
	map(DATA_VA + PAGE, FIRST_GFN + 1, 3);
	hap_access(g, 0, DATA_VA, INK_WRITE);
	gen = hap->tlb_gen;
	flushes = g->flushes;
	ink_hap_flush(hap);
	ck_assert_uint_eq(g->flushes, flushes);
	ink_pt_clear(hap, DATA_VA);
	ink_pt_clear(hap, DATA_VA + PAGE);
	ck_assert(hap->unflushed);
	ck_assert_uint_gt(hap->tlb_gen, gen);
	ck_assert_uint_eq(g->flushes, flushes);
	ink_hap_flush(hap);
	ck_assert(!hap->unflushed);
	ck_assert_uint_eq(g->flushes, flushes + 1);
	ink_hap_flush(hap);
	ck_assert_uint_eq(g->flushes, flushes + 1);
	ink_tlb_assert_flushed(hap);
}
END_TEST

/* More slot pages unmapped than are remembered until a flush: each is unpinned once. */
START_TEST(unpins)
{
	u32 n = INK_MAX_UNPIN * 2 + 3, i;

	for (i = 0; i < n; i++) {
		u64 va = INKTAG_ARENA_BASE + i * PAGE, pa;

		k_hint(hap, va, FIRST_GFN + i, 3, T_ARENA);
		ck_assert_int_eq(ink_slot_pin(&g->vm, FIRST_GFN + i, &pa), 0);
		ck_assert_int_eq(ink_pt_map(hap, va, pa, 3, INK_PT_PINNED), 0);
		hap_access(g, 0, va, INK_READ);
	}
	guest_check(g);
	ck_assert_uint_eq(env.pins, n);
	for (i = 0; i < n; i++)
		ink_pt_clear(hap, INKTAG_ARENA_BASE + i * PAGE);
	ck_assert_uint_le(hap->nr_unpin, INK_MAX_UNPIN);
	guest_check(g);
	ink_hap_flush(hap);
	ck_assert_uint_eq(env.pins, 0);
	guest_check(g);
}
END_TEST

/* Out of tables, by the limit and by the host: nothing is mapped, all is given back at the end. */
START_TEST(no_tables)
{
	struct ink_spage *s;
	u64 va = 1ULL << 40, n, held;
	int err = 0;

	ck_assert_int_eq(absent_bind_clean(hap, SER_DATA, 0, FIRST_GFN, &s), 0);
	clean_write_dirty(s);
	k_hint(hap, va, FIRST_GFN, 3, T_DATA);
	held = g->vm.frames;
	for (n = 1; n <= 4; n++) {
		if (_i)
			g->vm.limits.frames = held + n - 1;
		else
			fail_allocation(n, 1);
		err = ink_spage_map(s, hap, va, 3);
		if (!err)
			break;
		ck_assert_int_eq(err, _i ? -ENOSPC : -ENOMEM);
		ck_assert_uint_eq(ink_pt_get(hap, va), 0);
		guest_check(g);
	}
	fail_allocation(0, 0);
	g->vm.limits = roomy;
	ck_assert_int_eq(err, 0);
	guest_check(g);
}
END_TEST

Suite *suite_pt(void)
{
	Suite *s = suite_create("pt");
	TCase *tc = unit_case("pt");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, rights, 0, 8);
	tcase_add_test(tc, not_present);
	tcase_add_test(tc, edges);
	tcase_add_test(tc, generations);
	tcase_add_test(tc, unpins);
	tcase_add_loop_test(tc, no_tables, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
