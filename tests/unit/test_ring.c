// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's reports: their order, their bounds, and everything false that can be in them. */
#include "unit.h"

#define MAP	INKTAG_RING_MAP
#define UNMAP	INKTAG_RING_UNMAP
#define NOP	INKTAG_RING_NOP
#define GFN	FIRST_GFN
#define ROOM	64		/* entries of a ring that k_ring() makes */

static struct guest *g;
static struct ink_hap *hap;

static void setup(void)
{
	g = guest_new(&roomy);
	hap = hap_launch(g, 0);
	k_ring(g, 0);
	k_ring(g, 1);
	k_ring(g, 2);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

static void expect_hint(u64 va, u64 gfn, u32 prot, u32 token)
{
	struct ink_hint hint;

	ck_assert_msg(ink_hint_get(hap, va, &hint), "no hint at %#llx", (unsigned long long)va);
	ck_assert_uint_eq(hint.gfn, gfn);
	ck_assert_uint_eq(hint.prot, prot);
	ck_assert_uint_eq(hint.token, token);
}

static void expect_none(u64 va)
{
	struct ink_hint hint;

	ck_assert_msg(!ink_hint_get(hap, va, &hint), "a hint at %#llx", (unsigned long long)va);
}

/* --- hints ------------------------------------------------------------------------------------ */

static const struct ink_hint hints[] = {
	{ 0, 0, 0 },
	{ GFN, 3, T_DATA },
	{ INK_GFN_END - 1, 7, INKTAG_DESC_MAX - 1 },
	{ INK_GFN_END - 1, 7, INKTAG_TOKEN_NONE },
	{ 0, 0, INKTAG_TOKEN_NONE },
	{ 1ULL << 39, 4, 1 << 15 },
};

/* What is set is what is got; what stood there before is gone. */
START_TEST(hint_values)
{
	const struct ink_hint *h = &hints[_i];
	u64 records = g->vm.records;
	u32 i;

	expect_none(DATA_VA);
	for (i = 0; i < ARRAY_SIZE(hints); i++) {
		ck_assert_int_eq(ink_hint_set(hap, DATA_VA, &hints[i]), 0);
		ck_assert_int_eq(ink_hint_set(hap, DATA_VA, h), 0);
		expect_hint(DATA_VA, h->gfn, h->prot, h->token);
		ck_assert_uint_eq(g->vm.records, records + 1);
	}
	expect_none(DATA_VA - PAGE);
	expect_none(DATA_VA + PAGE);
	ink_hint_clear(hap, DATA_VA, 1);
	expect_none(DATA_VA);
	ck_assert_uint_eq(g->vm.records, records);
}
END_TEST

/* A changed hint takes the mapping with it; the same hint again does not. */
START_TEST(hint_changes)
{
	struct ink_hint hint;
	u64 pte;

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	pte = ink_pt_get(hap, DATA_VA);
	ck_assert(ink_hint_get(hap, DATA_VA, &hint));
	ck_assert_int_eq(ink_hint_set(hap, DATA_VA, &hint), 0);
	ck_assert_uint_eq(ink_pt_get(hap, DATA_VA), pte);
	ck_assert(!hap->unflushed);
	switch (_i) {
	case 0:
		hint.gfn++;
		break;
	case 1:
		hint.prot = INKTAG_PROT_READ;
		break;
	case 2:
		hint.token = T_ALIAS;
		break;
	case 3:
		hint.token = INKTAG_TOKEN_NONE;
		break;
	}
	ck_assert_int_eq(ink_hint_set(hap, DATA_VA, &hint), 0);
	ck_assert_uint_eq(ink_pt_get(hap, DATA_VA), 0);
	ck_assert(hap->unflushed);
	guest_check(g);
	ink_hap_flush(hap);
	guest_check(g);
	/* the page itself is as it was */
	ck_assert_int_eq(SPAGE(hap, SER_DATA, 100)->state, INK_DIRTY);
	ck_assert(secret_is(SPAGE(hap, SER_DATA, 100)->frame, 1));
}
END_TEST

START_TEST(hint_without_memory)
{
	const struct ink_hint hint = { GFN, 3, T_DATA }, other = { GFN + 1, 3, T_DATA };

	fail_allocation(1, 1);
	REFUSED(g, -ENOMEM, ink_hint_set(hap, DATA_VA, &hint));
	ck_assert_int_eq(ink_hint_set(hap, DATA_VA, &hint), 0);
	fail_allocation(1, 100);
	ck_assert_int_eq(ink_hint_set(hap, DATA_VA, &other), 0);
	fail_allocation(0, 0);
	g->vm.limits.frames = g->vm.frames;
	while (g->vm.records < INK_RECORDS(&g->vm.limits))
		ck_assert_int_eq(ink_hint_set(hap, FREE_VA + g->vm.records * PAGE, &hint), 0);
	REFUSED(g, -ENOSPC, ink_hint_set(hap, DATA_VA + PAGE, &hint));
	ck_assert_int_eq(ink_hint_set(hap, DATA_VA, &hint), 0);
}
END_TEST

static const struct {
	u64 va, npages;
	u32 left;		/* of hints at DATA_VA + 0, 2, 4 pages: bits */
} clears[] = {
	{ DATA_VA, 0, 7 }, { DATA_VA, 1, 6 }, { DATA_VA, 2, 6 }, { DATA_VA, 3, 4 },
	{ DATA_VA + PAGE, 3, 5 }, { DATA_VA, 1000, 0 }, { 0, DATA_VA / PAGE, 7 },
	{ 0, INKTAG_USER_END / PAGE, 0 }, { DATA_VA + 5 * PAGE, 1 << 20, 7 },
	{ DATA_VA + 4 * PAGE, (INKTAG_USER_END - DATA_VA) / PAGE - 4, 3 },
	{ DATA_VA, U64_MAX, 7 },
};

START_TEST(hint_ranges)
{
	const struct ink_hint hint = { GFN, 3, T_DATA };
	struct ink_hint got;
	u32 i, left = 0;

	for (i = 0; i < 3; i++)
		ck_assert_int_eq(ink_hint_set(hap, DATA_VA + 2 * i * PAGE, &hint), 0);
	ink_hint_clear(hap, clears[_i].va, clears[_i].npages);
	for (i = 0; i < 3; i++)
		if (ink_hint_get(hap, DATA_VA + 2 * i * PAGE, &got))
			left |= 1 << i;
	ck_assert_uint_eq(left, clears[_i].left);
	guest_check(g);
}
END_TEST

/* --- registering ------------------------------------------------------------------------------- */

static const struct {
	u32 cpu;
	u64 gpa, log2;
	int err;
} sets[] = {
	{ 0, GFN * PAGE, 6, -EBUSY },
	{ 2, GFN * PAGE, 10, -EBUSY },
	{ 3, GFN * PAGE, 4, -EINVAL },
	{ 3, GFN * PAGE, 0, -EINVAL },
	{ 3, GFN * PAGE, 11, -EINVAL },
	{ 3, GFN * PAGE, 32, -EINVAL },
	{ 3, GFN * PAGE, 64 + 6, -EINVAL },
	{ 3, GFN * PAGE, (1ULL << 32) + 6, -EINVAL },
	{ 3, GFN * PAGE, U64_MAX, -EINVAL },
	{ 3, GFN * PAGE + 64, 6, -EINVAL },
	{ 3, GFN * PAGE + 1, 6, -EINVAL },
	{ 3, PAGE, 6, -EFAULT },
	{ 3, (GFN_BASE - 1) * PAGE, 6, -EFAULT },
	{ 3, (GFN_END - 1) * PAGE, 5, -EFAULT },
	{ 3, (GFN_END - 8) * PAGE, 10, -EFAULT },
	{ 3, INK_GFN_END * PAGE, 6, -EFAULT },
	{ 3, ~0xfffULL, 6, -EFAULT },
	{ 3, ~0xfffULL - PAGE, 10, -EFAULT },
	{ INK_MAX_VCPUS, GFN * PAGE, 6, -EINVAL },
	{ INK_MAX_VCPUS, 0, 0, -EINVAL },
	{ U32_MAX, GFN * PAGE, 6, -EINVAL },
	{ 3, GFN * PAGE, 5, 0 },
	{ INK_MAX_VCPUS - 1, GFN * PAGE, 10, 0 },
	{ 3, (GFN_END - 2) * PAGE, 5, 0 },
	{ 3, (GFN_END - 2) * PAGE, 7, 0 },
	{ 3, (GFN_END - 9) * PAGE, 10, 0 },
	{ 3, 0, 77, 0 },
};

START_TEST(ring_set)
{
	if (sets[_i].err) {
		REFUSED(g, sets[_i].err, ink_ring_set(&g->vm, sets[_i].cpu, sets[_i].gpa, sets[_i].log2));
		return;
	}
	ck_assert_int_eq(ink_ring_set(&g->vm, sets[_i].cpu, sets[_i].gpa, sets[_i].log2), 0);
	ck_assert_uint_eq(g->vm.rings[sets[_i].cpu].gpa, sets[_i].gpa);
}
END_TEST

START_TEST(ring_withdrawn)
{
	k_report(g, 1, 1, hap->id, MAP, DATA_VA, 3, GFN, T_DATA);
	ck_assert_int_eq(ink_ring_set(&g->vm, 1, 0, 0), 0);
	/* what was reported before holds; what is written there afterwards is nothing */
	expect_hint(DATA_VA, GFN, 3, T_DATA);
	ring_hdr(g, 1)->tail++;
	ink_ring_drain(&g->vm);
	/* registered again, its count starts at zero, as the header's must */
	memset(ring_hdr(g, 1), 0, PAGE);
	k_ring(g, 1);
	k_report(g, 1, 1, hap->id, MAP, DATA_VA, 3, GFN + 1, T_DATA);
	ink_ring_drain(&g->vm);
	expect_hint(DATA_VA, GFN + 1, 3, T_DATA);
}
END_TEST

/* --- order ----------------------------------------------------------------------------------------- */

/* Each row: the reports of three rings, by seq; what must stand in the end. */
static const struct {
	struct {
		u32 cpu, seq, op;
		u64 gfn;
	} e[6];
	u64 gfn;		/* 0: no hint */
} orders[] = {
	{ { { 0, 1, MAP, 5 }, { 0, 2, MAP, 6 } }, 6 },
	{ { { 0, 1, MAP, 5 }, { 1, 2, MAP, 6 } }, 6 },
	{ { { 0, 2, MAP, 5 }, { 1, 1, MAP, 6 } }, 5 },
	{ { { 2, 2, MAP, 5 }, { 1, 1, UNMAP, 1 }, { 0, 3, UNMAP, 1 } }, 0 },
	{ { { 2, 3, MAP, 5 }, { 1, 1, MAP, 7 }, { 0, 2, UNMAP, 1 } }, 5 },
	{ { { 0, 1, MAP, 5 }, { 0, 4, UNMAP, 1 }, { 1, 2, UNMAP, 1 }, { 1, 5, MAP, 6 }, { 2, 3, MAP, 7 },
	    { 2, 6, MAP, 8 } }, 8 },
	{ { { 0, 1, MAP, 5 }, { 0, 6, UNMAP, 1 }, { 1, 2, UNMAP, 1 }, { 1, 4, MAP, 6 }, { 2, 3, MAP, 7 },
	    { 2, 5, MAP, 8 } }, 0 },
	{ { { 0, 4, MAP, 5 }, { 1, 3, MAP, 6 }, { 2, 2, MAP, 7 }, { 2, 9, NOP, 1 } }, 5 },
};

START_TEST(order)
{
	u32 i, n = 0;
	u64 hints_before = g->vm.stats.hints;

	for (i = 0; i < ARRAY_SIZE(orders[_i].e) && orders[_i].e[i].seq; i++, n++)
		k_report(g, orders[_i].e[i].cpu, orders[_i].e[i].seq, hap->id, orders[_i].e[i].op, DATA_VA,
			 3, orders[_i].e[i].gfn, orders[_i].e[i].op == MAP ? T_DATA : 0);
	ink_ring_drain(&g->vm);
	if (orders[_i].gfn)
		expect_hint(DATA_VA, orders[_i].gfn, 3, T_DATA);
	else
		expect_none(DATA_VA);
	ck_assert_uint_eq(g->vm.stats.hints, hints_before + n);
	for (i = 0; i < 3; i++)
		ck_assert_uint_eq(ring_hdr(g, i)->head, ring_hdr(g, i)->tail);
	guest_check(g);
}
END_TEST

/* Many more entries than places, with the free-running counts wrapping, too. */
START_TEST(wrap_around)
{
	static const u32 starts[] = { 0, ROOM - 3, U32_MAX - 100 };
	u32 i, n, seq = 0;

	ring_hdr(g, 1)->tail = starts[_i];
	ring_hdr(g, 1)->head = starts[_i];
	g->vm.rings[1].head = starts[_i];
	for (i = 0; i < 20; i++) {
		for (n = 0; n < ROOM - i; n++) {
			seq++;
			k_report(g, 1, seq, hap->id, MAP, DATA_VA + n * PAGE, 3, GFN + seq % 100, T_DATA);
		}
		ink_ring_drain(&g->vm);
		for (n = 0; n < ROOM - i; n++)
			expect_hint(DATA_VA + n * PAGE, GFN + (seq - (ROOM - i) + n + 1) % 100, 3, T_DATA);
		ck_assert_uint_eq(ring_hdr(g, 1)->head, ring_hdr(g, 1)->tail);
	}
	ck_assert_uint_eq(ring_hdr(g, 1)->tail, starts[_i] + seq);
	ck_assert_uint_eq(g->vm.stats.bad_reports, 0);
	guest_check(g);
}
END_TEST

/* --- false reports --------------------------------------------------------------------------------- */

/* The head in guest memory is only shown: nothing is read from it. */
START_TEST(forged_head)
{
	static const u32 heads[] = { 1, 2, 63, 64, 0x80000000, U32_MAX };
	u64 before = g->vm.stats.hints;

	k_report(g, 1, 1, hap->id, MAP, DATA_VA, 3, GFN, T_DATA);
	k_report(g, 1, 2, hap->id, MAP, DATA_VA + PAGE, 3, GFN + 1, T_DATA);
	ring_hdr(g, 1)->head = heads[_i];
	ink_ring_drain(&g->vm);
	expect_hint(DATA_VA, GFN, 3, T_DATA);
	expect_hint(DATA_VA + PAGE, GFN + 1, 3, T_DATA);
	ck_assert_uint_eq(g->vm.stats.hints, before + 2);
	ck_assert_uint_eq(ring_hdr(g, 1)->head, 2);
	ring_hdr(g, 1)->head = heads[_i];
	ink_ring_drain(&g->vm);
	ck_assert_uint_eq(g->vm.stats.hints, before + 2);
}
END_TEST

/* A head that did not move is not written again: each write marks a page of the guest dirty. */
START_TEST(head_written_once)
{
	u64 writes = g->writes;

	ink_ring_drain(&g->vm);
	ck_assert_uint_eq(g->writes, writes);
	k_report(g, 1, 1, hap->id, MAP, DATA_VA, 3, GFN, T_DATA);
	k_report(g, 1, 2, hap->id, MAP, DATA_VA + PAGE, 3, GFN + 1, T_DATA);
	ink_ring_drain(&g->vm);
	ink_ring_drain(&g->vm);
	ck_assert_uint_eq(g->writes, writes + 1);
	ck_assert_uint_eq(ring_hdr(g, 1)->head, 2);
}
END_TEST

/* A tail that claims more than fits: the ring is emptied, and works on from there. */
START_TEST(forged_tail)
{
	static const u32 tails[] = { ROOM + 1, ROOM * 2, 0x7fffffff, 0x80000000, U32_MAX };
	u64 calls;

	k_report(g, 1, 1, hap->id, MAP, DATA_VA, 3, GFN, T_DATA);
	ring_hdr(g, 1)->tail = tails[_i];
	fail_guest(g, 0, 0);
	ink_ring_drain(&g->vm);
	calls = g->guest_calls;
	ck_assert_uint_lt(calls, 20);
	expect_none(DATA_VA);
	ck_assert_uint_eq(g->vm.stats.bad_reports, 1);
	ck_assert_uint_eq(ring_hdr(g, 1)->head, tails[_i]);
	k_report(g, 1, 2, hap->id, MAP, DATA_VA, 3, GFN + 3, T_DATA);
	ink_ring_drain(&g->vm);
	expect_hint(DATA_VA, GFN + 3, 3, T_DATA);
}
END_TEST

/*
 * While ring 0 was found empty, and ring 1 not looked at yet: a frame is mapped on one CPU, and
 * unmapped on another. The drain must not take the second report for all there is.
 */
static void between_looks(struct guest *guest, u64 gfn, bool after)
{
	if (!after || gfn != ring_gpa(0) >> 12)
		return;
	guest->race = NULL;
	k_report(guest, 0, 5, hap->id, MAP, DATA_VA, 3, GFN, T_DATA);
	k_report(guest, 1, 6, hap->id, UNMAP, DATA_VA, 0, 1, 0);
}

START_TEST(report_between_looks)
{
	g->race = between_looks;
	ink_ring_drain(&g->vm);
	ck_assert_ptr_null(g->race);
	ink_ring_drain(&g->vm);
	expect_none(DATA_VA);
	guest_check(g);
}
END_TEST

/* The same between the second looks: what they find beyond the first's bound waits for the next drain. */
static u32 looks;

static void between_second_looks(struct guest *guest, u64 gfn, bool after)
{
	if (!after || gfn != ring_gpa(0) >> 12 || ++looks < 2)
		return;
	between_looks(guest, gfn, after);
}

START_TEST(report_between_second_looks)
{
	k_report(g, 2, 1, hap->id, NOP, DATA_VA, 0, 0, 0);
	g->race = between_second_looks;
	ink_ring_drain(&g->vm);
	ck_assert_ptr_null(g->race);
	ink_ring_drain(&g->vm);
	expect_none(DATA_VA);
	guest_check(g);
}
END_TEST

/* A producer that moves on while the ring is drained: one drain ends at the tail it saw at last. */
static u32 chase;

static void producer(struct guest *guest, u64 gfn, bool after)
{
	struct inktag_ring_hdr *hdr = (void *)slot_page(guest, ring_gpa(1) >> 12);

	(void)gfn;
	if (after && chase < 100000) {
		chase++;
		hdr->tail++;
	}
}

START_TEST(endless_producer)
{
	k_report(g, 1, 1, hap->id, MAP, DATA_VA, 3, GFN, T_DATA);
	g->race = producer;
	ink_ring_drain(&g->vm);
	g->race = NULL;
	ck_assert_uint_lt(chase, 20);
	expect_hint(DATA_VA, GFN, 3, T_DATA);
	guest_check(g);
}
END_TEST

/* Entries that are to be ignored, and counted as such. */
static const struct {
	const char *what;
	int hap;		/* 0: the HAP itself; otherwise see below */
	u64 va_op, arg;
	u32 token;
} garbage[] = {
	{ "operation out of range", 0, DATA_VA | 0x300 | INKTAG_RING_OP_COUNT, GFN, T_DATA },
	{ "operation 255", 0, DATA_VA | 0x300 | 255, GFN, T_DATA },
	{ "operation 0x81", 0, DATA_VA | 0x300 | 0x81, GFN, T_DATA },
	{ "no such HAP", 1, DATA_VA | 0x300 | MAP, GFN, T_DATA },
	{ "HAP 0", 2, DATA_VA | 0x300 | MAP, GFN, T_DATA },
	{ "HAP 2^32-1", 3, DATA_VA | 0x300 | MAP, GFN, T_DATA },
	{ "the HAP's id and the sign", 4, DATA_VA | 0x300 | MAP, GFN, T_DATA },
	{ "a HAP that has ended", 5, DATA_VA | 0x300 | MAP, GFN, T_DATA },
	{ "the end of user addresses", 0, INKTAG_USER_END | 0x300 | MAP, GFN, T_DATA },
	{ "a kernel address", 0, 0xffffffff80000000 | 0x300 | MAP, GFN, T_DATA },
	{ "a noncanonical address", 0, (1ULL << 47) | 0x300 | MAP, GFN, T_DATA },
	{ "the address's high bit", 0, (1ULL << 63 | DATA_VA) | 0x300 | MAP, GFN, T_DATA },
	{ "unmap of a kernel address", 0, 0xffffffff80000000 | UNMAP, 1, 0 },
	{ "a frame of 2^40", 0, DATA_VA | 0x300 | MAP, INK_GFN_END, T_DATA },
	{ "a frame of 2^64-1", 0, DATA_VA | 0x300 | MAP, U64_MAX, T_DATA },
	{ "a frame, but for a high bit", 0, DATA_VA | 0x300 | MAP, INK_GFN_END | GFN, T_DATA },
	{ "rights out of range", 0, DATA_VA | 0x800 | MAP, GFN, T_DATA },
	{ "rights out of range, all", 0, DATA_VA | 0xf00 | MAP, GFN, T_DATA },
	{ "a token of the end", 0, DATA_VA | 0x300 | MAP, GFN, INKTAG_DESC_MAX },
	{ "a token, but for a high bit", 0, DATA_VA | 0x300 | MAP, GFN, 0x80000000 | T_DATA },
	{ "the token before none", 0, DATA_VA | 0x300 | MAP, GFN, INKTAG_TOKEN_NONE - 1 },
};

START_TEST(garbage_entry)
{
	struct ink_hap *dead = hap_build(g, GFN + 30, GFN + 31);
	u32 ids[] = { hap->id, hap->id + 100, 0, U32_MAX, hap->id | 0x80000000, dead->id };
	struct inktag_ring_entry *entries = (void *)ring_hdr(g, 1) + INKTAG_RING_ENTRIES_OFFSET;
	u64 hints_before;

	ink_hap_end(dead);
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	hints_before = g->vm.stats.hints;
	k_report(g, 1, 1, hap->id, MAP, DATA_VA + PAGE, 1, GFN + 1, T_DATA);
	k_report(g, 1, 2, 0, 0, 0, 0, 0, 0);
	entries[1] = (struct inktag_ring_entry) {
		.seq = 2, .va_op = garbage[_i].va_op, .arg = garbage[_i].arg, .hap = ids[garbage[_i].hap],
		.token = garbage[_i].token,
	};
	k_report(g, 1, 3, hap->id, MAP, DATA_VA + 2 * PAGE, 5, GFN + 2, T_RWX);
	ink_ring_drain(&g->vm);
	ck_assert_uint_eq(g->vm.stats.bad_reports, 1);
	ck_assert_uint_eq(g->vm.stats.hints, hints_before + 2);
	/* the entries beside it count, what was mapped is still so */
	expect_hint(DATA_VA + PAGE, GFN + 1, 1, T_DATA);
	expect_hint(DATA_VA + 2 * PAGE, GFN + 2, 5, T_RWX);
	expect_hint(DATA_VA, GFN, 7, T_DATA);
	ck_assert_uint_ne(ink_pt_get(hap, DATA_VA), 0);
	hap_reads(g, 0, DATA_VA, 1);
	guest_check(g);
}
END_TEST

/* Reports on one HAP do nothing to another. */
START_TEST(other_hap)
{
	struct ink_hap *second = hap_build(g, GFN + 30, GFN + 31);

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	k_report(g, 1, 1, second->id, UNMAP, 0, 0, U64_MAX, 0);
	k_report(g, 1, 2, second->id, MAP, DATA_VA, 3, GFN + 1, T_OTHER);
	ink_ring_drain(&g->vm);
	expect_hint(DATA_VA, GFN, 7, T_DATA);
	hap_reads(g, 0, DATA_VA, 1);
	guest_check(g);
}
END_TEST

/* UNMAP: of how many pages, and what remains. */
static const struct {
	u64 va, npages;
	bool remains;
} unmaps[] = {
	{ DATA_VA, 1, false }, { DATA_VA, 0, true }, { DATA_VA - PAGE, 1, true },
	{ DATA_VA + PAGE, 1, true }, { DATA_VA - PAGE, 2, false }, { 0, U64_MAX, false },
	{ 0, INKTAG_USER_END / PAGE, false }, { DATA_VA, U64_MAX, false }, { 0, 1ULL << 52, false },
	{ 0, (1ULL << 52) + 1, false }, { DATA_VA + PAGE, U64_MAX, true }, { DATA_VA, 1ULL << 63, false },
	{ INKTAG_USER_END - PAGE, U64_MAX, true }, { 0, DATA_VA / PAGE, true },
	{ 0, DATA_VA / PAGE + 1, false },
};

START_TEST(unmap_ranges)
{
	struct access a;

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	k_report(g, 1, 1, hap->id, UNMAP, unmaps[_i].va, 0, unmaps[_i].npages, 0);
	ink_ring_drain(&g->vm);
	ck_assert_uint_eq(g->vm.stats.bad_reports, 0);
	guest_check(g);
	ck_assert_int_eq(!!ink_pt_get(hap, DATA_VA), unmaps[_i].remains);
	ck_assert_int_eq(hap->unflushed, false);
	a = hap_access(g, 0, DATA_VA, INK_READ);
	ck_assert_int_eq(a.verdict, unmaps[_i].remains ? INK_MAPPED : INK_ASK);
	/* the page is as it was, and comes back with the hint */
	ck_assert_int_eq(SPAGE(hap, SER_DATA, 100)->state, INK_DIRTY);
	k_hint(hap, DATA_VA, GFN, 7, T_DATA);
	hap_reads(g, 0, DATA_VA, 1);
}
END_TEST

/* A ring in frames that are gone, or cannot be read or written: nobody is harmed. */
START_TEST(ring_vanishes)
{
	u64 first = ring_gpa(1) >> 12;

	k_report(g, 1, 1, hap->id, MAP, DATA_VA, 3, GFN, T_DATA);
	k_report(g, 2, 2, hap->id, MAP, DATA_VA + PAGE, 3, GFN, T_DATA);
	g->absent[first + _i - GFN_BASE] = true;
	ink_ring_drain(&g->vm);
	expect_hint(DATA_VA + PAGE, GFN, 3, T_DATA);
	guest_check(g);
	g->absent[first + _i - GFN_BASE] = false;
	ink_ring_drain(&g->vm);
	guest_check(g);
}
END_TEST

START_TEST(guest_access_fails)
{
	u64 n;

	for (n = 1; n < 20; n++) {
		k_report(g, 1, n, hap->id, MAP, DATA_VA + n * PAGE, 3, GFN, T_DATA);
		k_report(g, 2, n, hap->id, UNMAP, DATA_VA, 0, 2, 0);
		fail_guest(g, n, 1);
		ink_ring_drain(&g->vm);
		fail_guest(g, 0, 0);
		guest_check(g);
		ink_ring_drain(&g->vm);
		guest_check(g);
	}
}
END_TEST

/* The ring's pages are offered as frames of the HAP: the ring then reads what is stale. */
START_TEST(ring_is_held)
{
	u64 gfn = ring_gpa(1) >> 12;

	hap_write(g, 0, DATA_VA, gfn, T_DATA, 1);
	hap_write(g, 0, DATA_VA + PAGE, gfn + 1, T_DATA, 2);
	ink_ring_drain(&g->vm);
	guest_check(g);
	hap_reads(g, 0, DATA_VA, 1);
	hap_reads(g, 0, DATA_VA + PAGE, 2);
	guest_check_secrecy(g);
}
END_TEST

/* One ring full of random bytes after another. */
START_TEST(random_entries)
{
	GRand *rand = g_rand_new_with_seed(seed + _i);
	struct inktag_ring_hdr *hdr = ring_hdr(g, 1);
	u8 *bytes = (u8 *)hdr + INKTAG_RING_ENTRIES_OFFSET;
	u32 round, i;

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	for (round = 0; round < 200; round++) {
		for (i = 0; i < ROOM * sizeof(struct inktag_ring_entry); i++)
			bytes[i] = g_rand_int(rand);
		/* most of them get far enough to matter */
		for (i = 0; i < ROOM; i++) {
			struct inktag_ring_entry *e = (struct inktag_ring_entry *)bytes + i;

			if (g_rand_int_range(rand, 0, 4))
				e->hap = hap->id;
			if (g_rand_int_range(rand, 0, 4))
				e->va_op = (e->va_op & 0xfff000000f00) >> 1 | e->va_op % 4;
			if (g_rand_int_range(rand, 0, 4))
				e->token %= NR_TOKENS;
			if (g_rand_int_range(rand, 0, 4))
				e->arg %= INK_GFN_END;
		}
		hdr->tail += g_rand_int_range(rand, 0, ROOM + 1);
		ink_ring_drain(&g->vm);
		guest_check(g);
		must_be(hdr->head == hdr->tail);
	}
	ck_assert(secret_is(SPAGE(hap, SER_DATA, 100)->frame, 1));
	g_rand_free(rand);
}
END_TEST

Suite *suite_ring(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = unit_case("ring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, hint_values, 0, ARRAY_SIZE(hints));
	tcase_add_loop_test(tc, hint_changes, 0, 4);
	tcase_add_test(tc, hint_without_memory);
	tcase_add_loop_test(tc, hint_ranges, 0, ARRAY_SIZE(clears));
	tcase_add_loop_test(tc, ring_set, 0, ARRAY_SIZE(sets));
	tcase_add_test(tc, ring_withdrawn);
	tcase_add_loop_test(tc, order, 0, ARRAY_SIZE(orders));
	tcase_add_loop_test(tc, wrap_around, 0, 3);
	tcase_add_loop_test(tc, forged_head, 0, 6);
	tcase_add_test(tc, head_written_once);
	tcase_add_loop_test(tc, forged_tail, 0, 5);
	tcase_add_test(tc, report_between_looks);
	tcase_add_test(tc, report_between_second_looks);
	tcase_add_test(tc, endless_producer);
	tcase_add_loop_test(tc, garbage_entry, 0, ARRAY_SIZE(garbage));
	tcase_add_test(tc, other_hap);
	tcase_add_loop_test(tc, unmap_ranges, 0, ARRAY_SIZE(unmaps));
	tcase_add_loop_test(tc, ring_vanishes, 0, 3);
	tcase_add_test(tc, guest_access_fails);
	tcase_add_test(tc, ring_is_held);
	tcase_add_loop_test(tc, random_entries, 0, 4);
	suite_add_tcase(s, tc);
	return s;
}
