// SPDX-License-Identifier: GPL-2.0-or-later
/* Judging a HAP's access: each verdict, each check, and what is mapped afterwards. */
#include "unit.h"

#define GFN	FIRST_GFN
#define FREE	(GFN + 1)
#define TAKEN	(GFN + 2)	/* holds another page */
#define GONE	(GFN + 3)	/* no slot page */
#define R	INKTAG_PROT_READ
#define W	INKTAG_PROT_WRITE
#define X	INKTAG_PROT_EXEC
#define NONE	INKTAG_TOKEN_NONE

static struct guest *g;
static struct ink_hap *hap;

static void setup(void)
{
	g = guest_new(&roomy);
	hap = hap_launch(g, 0);
	hap_write(g, 0, OTHER_VA, TAKEN, T_OTHER, 1);
	g->absent[GONE - GFN_BASE] = true;
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* --- the table of verdicts ---------------------------------------------------------------------- */

/* What is known of the page at DATA_VA (index 100 of SER_DATA) before the access. */
enum before { ABSENT, ZERO_MAPPED, DIRTY, DIRTY_UNMAPPED, CLEAN, CLOAKED, CLOAKED_ALTERED };

/* The rights that the hint claims; the mapped states keep the hint that they have. */
static const struct row {
	const char *what;
	enum before before;
	u64 va;
	u32 access;
	struct ink_hint hint;	/* prot 0: none is set */
	enum ink_verdict verdict;
	u32 check;
	u64 gfn;		/* of the report */
	u32 prot;		/* MAPPED: what the page table gives in the end */
} rows[] = {
	/* no hint, or one that does not allow it: the kernel is asked */
	{ "no hint", ABSENT, DATA_VA, R, { }, INK_ASK },
	{ "no hint, write", ABSENT, DATA_VA, W, { }, INK_ASK },
	{ "hint without write", ABSENT, DATA_VA, W, { GFN, R, T_DATA }, INK_ASK },
	{ "hint without exec", ABSENT, RWX_VA, X, { GFN, R | W, T_RWX }, INK_ASK },
	{ "hint without read", ABSENT, RWX_VA, R, { GFN, W | X, T_RWX }, INK_ASK },
	{ "no address of a user", ABSENT, INKTAG_USER_END, R, { }, INK_ASK },
	{ "a kernel address", ABSENT, 0xffffffff81000000, W, { }, INK_ASK },
	{ "the last address", ABSENT, U64_MAX, X, { }, INK_ASK },
	{ "address 0", ABSENT, 0, R, { }, INK_ASK },

	/* the descriptor does not give the right: it is asked for, and not mapped */
	{ "write to what may be read", ABSENT, RO_VA, W, { GFN, R | W, T_RO }, INK_ASK },
	{ "exec of data", ABSENT, DATA_VA, X, { GFN, R | W | X, T_DATA }, INK_ASK },
	{ "write to code", ABSENT, CODE_VA + PAGE, W, { GFN, R | W | X, T_CODE }, INK_ASK },
	{ "exec in the arena", ABSENT, INKTAG_ARENA_BASE, X, { GFN, R | W | X, T_ARENA }, INK_ASK },

	/* a token that does not cover the address: I3 */
	{ "no token", ABSENT, DATA_VA, R, { GFN, R, NONE }, INK_KILL, INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "a free token", ABSENT, DATA_VA, R, { GFN, R, T_FREE }, INK_KILL, INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "a token beyond the limit", ABSENT, DATA_VA, R, { GFN, R, 256 }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "a token of a page never written", ABSENT, DATA_VA, R, { GFN, R, 200 }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "another mapping's token", ABSENT, DATA_VA, R, { GFN, R, T_OTHER }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "the arena's token", ABSENT, DATA_VA, W, { GFN, R | W, T_ARENA }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "the array's token", ABSENT, DATA_VA, W, { GFN, R | W, T_ARRAY }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "data's token in the arena", ABSENT, INKTAG_ARENA_BASE, R, { GFN, R, T_DATA }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "before the descriptor", ABSENT, DATA_VA - PAGE, R, { GFN, R, T_DATA }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "after the descriptor", ABSENT, DATA_VA + DATA_PAGES * PAGE, R, { GFN, R, T_DATA }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "an address without descriptor", ABSENT, FREE_VA, W, { GFN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },

	/* absent */
	{ "read of nothing", ABSENT, DATA_VA, R, { GFN, R | W, T_DATA }, INK_MAPPED, .prot = R },
	{ "read with a taken frame", ABSENT, DATA_VA, R, { TAKEN, R, T_DATA }, INK_MAPPED, .prot = R },
	{ "read with no frame", ABSENT, DATA_VA, R, { GFN_NONE, R, T_DATA }, INK_MAPPED, .prot = R },
	{ "exec of nothing", ABSENT, RWX_VA, X, { GFN, R | W | X, T_RWX }, INK_MAPPED, .prot = R | X },
	{ "first write", ABSENT, DATA_VA, W, { GFN, R | W, T_DATA }, INK_MAPPED, .prot = R | W },
	{ "first write, all rights", ABSENT, RWX_VA, W, { GFN, R | W | X, T_RWX }, INK_MAPPED,
	  .prot = R | W | X },
	{ "first write, as the hint says", ABSENT, RWX_VA, W, { GFN, R | W, T_RWX }, INK_MAPPED,
	  .prot = R | W },
	{ "first write, last byte", ABSENT, DATA_VA + DATA_PAGES * PAGE - 1, W, { GFN, R | W, T_DATA },
	  INK_MAPPED, .prot = R | W },
	{ "first write, taken frame", ABSENT, DATA_VA, W, { TAKEN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, TAKEN },
	{ "first write, the array's frame", ABSENT, DATA_VA, W, { ARRAY_GFN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, ARRAY_GFN },
	{ "first write, no RAM", ABSENT, DATA_VA, W, { GFN_NONE, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, GFN_NONE },
	{ "first write, slot gone", ABSENT, DATA_VA, W, { GONE, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, GONE },
	{ "first write, frame 0", ABSENT, DATA_VA, W, { 0, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, 0 },

	/* zeros until now */
	{ "zeros, read again", ZERO_MAPPED, DATA_VA, R, { }, INK_MAPPED, .prot = R },
	{ "zeros, written", ZERO_MAPPED, DATA_VA, W, { GFN, R | W, T_DATA }, INK_MAPPED, .prot = R | W },
	{ "zeros, written, taken frame", ZERO_MAPPED, DATA_VA, W, { TAKEN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, TAKEN },
	{ "zeros, write not allowed yet", ZERO_MAPPED, DATA_VA, W, { GFN, R, T_DATA }, INK_ASK },

	/* plain */
	{ "dirty, read", DIRTY, DATA_VA, R, { }, INK_MAPPED, .prot = R | W },
	{ "dirty, written", DIRTY, DATA_VA + 8, W, { }, INK_MAPPED, .prot = R | W },
	{ "dirty, exec", DIRTY, DATA_VA, X, { }, INK_ASK },
	{ "dirty, hint repeated", DIRTY, DATA_VA, W, { GFN, R | W | X, T_DATA }, INK_MAPPED, .prot = R | W },
	{ "dirty, second frame", DIRTY, DATA_VA, W, { FREE, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, FREE },
	{ "dirty, another page's frame", DIRTY, DATA_VA, R, { TAKEN, R, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, TAKEN },
	{ "dirty, other token", DIRTY, DATA_VA, R, { GFN, R, T_OTHER }, INK_KILL,
	  INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "dirty, no longer mapped", DIRTY_UNMAPPED, DATA_VA, W, { GFN, R | W, T_DATA }, INK_MAPPED,
	  .prot = R | W },
	{ "dirty, mapped to be read", DIRTY_UNMAPPED, DATA_VA, R, { GFN, R, T_DATA }, INK_MAPPED, .prot = R },
	{ "dirty, unmapped, no hint", DIRTY_UNMAPPED, DATA_VA, R, { }, INK_ASK },
	{ "dirty, its frame at another page", DIRTY, DATA_VA + PAGE, W, { GFN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, GFN },
	{ "clean, read", CLEAN, DATA_VA, R, { }, INK_MAPPED, .prot = R },
	{ "clean, written", CLEAN, DATA_VA, W, { }, INK_MAPPED, .prot = R | W },
	{ "clean, second frame", CLEAN, DATA_VA, R, { FREE, R, T_DATA }, INK_KILL, INKTAG_CHECK_TAG, FREE },
	{ "clean, another page's frame", CLEAN, DATA_VA, R, { TAKEN, R, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, TAKEN },
	{ "clean, no RAM", CLEAN, DATA_VA, W, { GFN_NONE, R | W, T_DATA }, INK_KILL, INKTAG_CHECK_FRAME, GFN_NONE },

	/* cloaked */
	{ "cloaked, read", CLOAKED, DATA_VA, R, { GFN, R | W, T_DATA }, INK_MAPPED, .prot = R },
	{ "cloaked, written", CLOAKED, DATA_VA, W, { GFN, R | W, T_DATA }, INK_MAPPED, .prot = R | W },
	{ "cloaked, wrong page", CLOAKED, DATA_VA, R, { FREE, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_TAG, FREE },
	{ "cloaked, taken frame", CLOAKED, DATA_VA, R, { TAKEN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, TAKEN },
	{ "cloaked, no RAM", CLOAKED, DATA_VA, R, { GFN_NONE, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_FRAME, GFN_NONE },
	{ "cloaked, altered, read", CLOAKED_ALTERED, DATA_VA, R, { GFN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_TAG, GFN },
	{ "cloaked, altered, written", CLOAKED_ALTERED, DATA_VA, W, { GFN, R | W, T_DATA }, INK_KILL,
	  INKTAG_CHECK_TAG, GFN },
	{ "cloaked, its ciphertext elsewhere", CLOAKED, DATA_VA + PAGE, R, { GFN, R, T_DATA }, INK_MAPPED,
	  .prot = R },	/* that page is absent: zeros */

	/* uncloaked */
	{ "the arena, read", ABSENT, STUB, R, { GFN, R | W, T_ARENA }, INK_MAPPED, .prot = R | W },
	{ "the arena, written", ABSENT, USTACK, W, { GFN, R | W, T_ARENA }, INK_MAPPED, .prot = R | W },
	{ "the arena, to be read", ABSENT, STUB, R, { GFN, R, T_ARENA }, INK_MAPPED, .prot = R },
	{ "the arena, claimed executable", ABSENT, STUB, R, { GFN, R | W | X, T_ARENA }, INK_MAPPED,
	  .prot = R | W },
	{ "the arena, no RAM", ABSENT, STUB, R, { GFN_NONE, R | W, T_ARENA }, INK_KILL,
	  INKTAG_CHECK_FRAME, GFN_NONE },
	{ "the arena, a held frame", ABSENT, STUB, R, { TAKEN, R | W, T_ARENA }, INK_KILL,
	  INKTAG_CHECK_FRAME, TAKEN },

	/* the array */
	{ "the array, read", ABSENT, INKTAG_DESC_BASE + 64, R, { ARRAY_GFN, R | W, T_ARRAY }, INK_MAPPED,
	  .prot = R | W },
	{ "the array, grown", ABSENT, INKTAG_DESC_BASE + PAGE, W, { GFN, R | W, T_ARRAY }, INK_MAPPED,
	  .prot = R | W },
	{ "the array, exec", ABSENT, INKTAG_DESC_BASE, X, { ARRAY_GFN, R | W | X, T_ARRAY }, INK_ASK },
	{ "the array, beyond its end", ABSENT, INKTAG_DESC_BASE + INKTAG_DESC_MAX * 64UL, R,
	  { GFN, R | W, T_ARRAY }, INK_KILL, INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "the array, under another token", ABSENT, INKTAG_DESC_BASE + PAGE, W, { GFN, R | W, T_DATA },
	  INK_KILL, INKTAG_CHECK_DESCRIPTOR, ~0ULL },
	{ "the array, another frame", ABSENT, INKTAG_DESC_BASE, R, { GFN, R | W, T_ARRAY }, INK_KILL,
	  INKTAG_CHECK_FRAME, GFN },
};

static void make(enum before before)
{
	struct access a;

	switch (before) {
	case ABSENT:
		return;
	case ZERO_MAPPED:
		a = hap_access_at(g, 0, DATA_VA, INK_READ, GFN_BASE, T_DATA);
		ck_assert_int_eq(a.verdict, INK_MAPPED);
		ck_assert_ptr_eq(a.page, g->vm.zero);
		return;
	default:
		hap_write(g, 0, DATA_VA, GFN, T_DATA, 7);
	}
	if (before == DIRTY)
		return;
	if (before == DIRTY_UNMAPPED) {
		ink_hint_clear(hap, DATA_VA, 1);
		ink_hap_flush(hap);
		return;
	}
	k_page(g, GFN);
	if (before == CLEAN) {
		ck_assert_int_eq(hap_access(g, 0, DATA_VA, INK_READ).verdict, INK_MAPPED);
		return;
	}
	if (before == CLOAKED_ALTERED)
		k_page(g, GFN)[1000] ^= 4;
}

/* The rights that the trusted page table gives now. */
static u32 prot_at(u64 va)
{
	u64 pte = ink_pt_get(hap, va & ~(PAGE - 1));

	return (ink_pt_allows(pte, R) ? R : 0) | (ink_pt_allows(pte, W) ? W : 0) |
	       (ink_pt_allows(pte, X) ? X : 0);
}

START_TEST(verdict)
{
	const struct row *r = &rows[_i];
	u64 page = r->va & ~(PAGE - 1);
	GByteArray *before;
	struct access a;

	make(r->before);
	if (r->hint.prot)
		k_hint(hap, page, r->hint.gfn, r->hint.prot, r->hint.token);
	guest_check(g);
	before = snapshot(g);
	a = hap_access(g, 0, r->va, r->access);
	ck_assert_msg(a.verdict == r->verdict, "%s: verdict %d", r->what, a.verdict);
	guest_check(g);
	switch (a.verdict) {
	case INK_ASK:
		ck_assert_uint_eq(a.ask_va, page);
		ck_assert_uint_eq(a.ask_access, r->access);
		unchanged(g, before);
		before = NULL;
		break;
	case INK_MAPPED:
		ck_assert_msg(prot_at(r->va) == r->prot, "%s: rights %u", r->what, prot_at(r->va));
		break;
	case INK_KILL:
		expect_violation(g, hap->id, r->check, page, r->gfn, r->hint.token);
		ck_assert_msg(!(prot_at(r->va) & r->access), "%s: mapped in spite of it", r->what);
		hap_kill(g, hap);
		break;
	default:
		ck_abort();
	}
	expect_no_violation(g);
	if (before)
		g_byte_array_free(before, true);
	/* the page of the other party */
	if (a.verdict != INK_KILL)
		hap_reads(g, 0, OTHER_VA, 1);
}
END_TEST

/* --- what is read --------------------------------------------------------------------------------- */

/* The page of zeros is replaced, on every vCPU that has it. */
START_TEST(zeros_then_write)
{
	struct ink_thread *t2;

	ck_assert_int_eq(ink_thread_create(hap, &t2), 0);
	ck_assert_int_eq(ink_thread_start(t2), 0);
	cpu_enter(g, 1, t2);
	k_hint(hap, DATA_VA, GFN, 7, T_DATA);
	hap_reads_zero(g, 0, DATA_VA);
	hap_reads_zero(g, 1, DATA_VA);
	ck_assert(!ink_gfn_is_held(&g->vm, GFN, 1));
	hap_write(g, 1, DATA_VA, GFN, T_DATA, 3);
	guest_check(g);
	hap_reads(g, 0, DATA_VA, 3);
	hap_reads(g, 1, DATA_VA, 3);
}
END_TEST

/* Two addresses show one object page: each sees the last write; one mapping at a time. */
START_TEST(alias)
{
	u32 i;

	for (i = 0; i < 4; i++) {
		hap_write(g, 0, DATA_VA, GFN, T_DATA, 2 * i);
		ck_assert_int_eq(hap_access_at(g, 0, ALIAS_VA, INK_READ, GFN, T_ALIAS).verdict, INK_MAPPED);
		guest_check(g);
		hap_reads(g, 0, ALIAS_VA, 2 * i);
		hap_write(g, 0, ALIAS_VA, GFN, T_ALIAS, 2 * i + 1);
		guest_check(g);
		hap_reads(g, 0, DATA_VA, 2 * i + 1);
		guest_check(g);
	}
	ck_assert_uint_eq(ink_spage_mapping(SPAGE(hap, SER_DATA, 100), hap)->va, DATA_VA);
}
END_TEST

/* InkTag's page swap: two cloaked pages' contents exchanged under the same addresses. */
START_TEST(swapped_pages)
{
	u8 a[PAGE], b[PAGE];

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	hap_write(g, 0, DATA_VA + PAGE, FREE, T_DATA, 2);
	memcpy(a, k_page(g, GFN), PAGE);
	memcpy(b, k_page(g, FREE), PAGE);
	if (_i) {	/* by moving the content */
		k_write(g, GFN, b);
		k_write(g, FREE, a);
	} else {	/* by mapping the other frame */
		k_hint(hap, DATA_VA, FREE, 7, T_DATA);
	}
	ck_assert_int_eq(hap_access(g, 0, DATA_VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, DATA_VA, _i ? GFN : FREE, T_DATA);
	guest_check(g);
}
END_TEST

/* While both are in plaintext: the frames are exchanged. */
START_TEST(swapped_frames)
{
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	hap_write(g, 0, DATA_VA + PAGE, FREE, T_DATA, 2);
	k_hint(hap, DATA_VA, FREE, 7, T_DATA);
	k_hint(hap, DATA_VA + PAGE, GFN, 7, T_DATA);
	guest_check(g);
	ck_assert_int_eq(hap_access(g, 0, DATA_VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_FRAME, DATA_VA, FREE, T_DATA);
	guest_check(g);
}
END_TEST

START_TEST(replay)
{
	u8 old[PAGE];

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	memcpy(old, k_page(g, GFN), PAGE);
	hap_reads(g, 0, DATA_VA, 1);
	hap_write(g, 0, DATA_VA, GFN, T_DATA, _i);	/* even the same content again */
	k_page(g, GFN);
	k_write(g, GFN, old);
	ck_assert_int_eq(hap_access(g, 0, DATA_VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, DATA_VA, GFN, T_DATA);
}
END_TEST

/*
 * A page of the swap cache that did not change is forgotten unread, and comes back in another frame. Once it was
 * written to, nothing comes back but what was read out since.
 */
START_TEST(forgotten_and_back)
{
	u8 disk[PAGE];

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	memcpy(disk, k_page(g, GFN), PAGE);
	hap_reads(g, 0, DATA_VA, 1);
	k_write(g, FREE, disk);
	k_hint(hap, DATA_VA, FREE, _i ? 7 : R, T_DATA);
	if (_i)
		hap_write(g, 0, DATA_VA, FREE, T_DATA, 2);
	else
		hap_reads(g, 0, DATA_VA, 1);
	guest_check(g);
	ck_assert(!ink_gfn_is_held(&g->vm, GFN, 1));
	ck_assert(ink_gfn_is_held(&g->vm, FREE, 1));
	hap_reads(g, 0, DATA_VA, _i ? 2 : 1);
	expect_no_violation(g);
	hap_write(g, 0, DATA_VA, FREE, T_DATA, 3);
	k_write(g, GFN, disk);
	ck_assert_int_eq(hap_access_at(g, 0, DATA_VA, INK_READ, GFN, T_DATA).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_FRAME, DATA_VA, GFN, T_DATA);
	guest_check(g);
}
END_TEST

/* A page dropped by the HAP reads zeros, whatever ciphertext the kernel has kept. */
START_TEST(replay_of_the_dropped)
{
	u8 old[PAGE];

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	memcpy(old, k_page(g, GFN), PAGE);
	ck_assert_int_eq(ink_hap_unmap(hap, DATA_VA, 1, SER_DATA, 100), 1);
	k_write(g, GFN, old);
	hap_reads_zero(g, 0, DATA_VA);
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 2);
	k_write(g, GFN, (k_page(g, GFN), old));
	ck_assert_int_eq(hap_access(g, 0, DATA_VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, DATA_VA, GFN, T_DATA);
}
END_TEST

/* An honest kernel swaps out and in, to other frames: never a violation. */
START_TEST(swap_out_and_in)
{
	u8 disk[8][PAGE];
	u32 i, round;

	for (i = 0; i < 8; i++)
		hap_write(g, 0, DATA_VA + i * PAGE, GFN + 10 + i, T_DATA, i);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 8; i++) {
			u64 gfn = GFN + 10 + (i + round) % 8;

			ink_hint_clear(hap, DATA_VA + i * PAGE, 1);
			ink_hap_flush(hap);
			memcpy(disk[i], k_page(g, gfn), PAGE);
		}
		for (i = 0; i < 8; i++) {
			u64 gfn = GFN + 10 + (i + round + 1) % 8;

			k_write(g, gfn, disk[i]);
			k_hint(hap, DATA_VA + i * PAGE, gfn, 7, T_DATA);
		}
		guest_check(g);
		for (i = 0; i < 8; i++) {
			hap_reads(g, 0, DATA_VA + i * PAGE, i + round * 8);
			hap_write(g, 0, DATA_VA + i * PAGE, GFN + 10 + (i + round + 1) % 8, T_DATA,
				  i + (round + 1) * 8);
		}
	}
	guest_check_secrecy(g);
	expect_no_violation(g);
}
END_TEST

/* The arena is the guest's memory: both see each other's writes. */
START_TEST(arena_is_shared)
{
	struct access a = hap_access_at(g, 0, STUB, INK_WRITE, GFN, T_ARENA);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	ck_assert_ptr_eq(a.page, slot_page(g, GFN));
	ck_assert_uint_eq(g->pins[GFN - GFN_BASE], 1);
	ck_assert(!ink_gfn_is_held(&g->vm, GFN, 1));
	ink_hint_clear(hap, STUB, 1);
	ink_hap_flush(hap);
	ck_assert_uint_eq(g->pins[GFN - GFN_BASE], 0);
	ck_assert_uint_eq(g->cpu[0].tlb->len > 1, 0);
}
END_TEST

/* A frame of the arena becomes a private page's: the arena still shows the slot, never the plaintext. */
START_TEST(arena_frame_taken)
{
	struct access a = hap_access_at(g, 0, STUB, INK_READ, GFN, T_ARENA);

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 9);
	guest_check(g);
	a = hap_access(g, 0, STUB, INK_READ);
	if (a.verdict == INK_MAPPED)
		ck_assert(!has_secret(a.page, PAGE));
	hap_reads(g, 0, DATA_VA, 9);
}
END_TEST

/* --- descriptors that move ------------------------------------------------------------------------- */

static void set_desc(u32 token, struct inktag_desc d)
{
	struct access a = hap_access_at(g, 0, INKTAG_DESC_BASE, INK_WRITE, ARRAY_GFN, T_ARRAY);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	((struct inktag_desc *)a.page)[token] = d;
}

/* After munmap the HAP's address means nothing, though the kernel still claims it. */
START_TEST(descriptor_removed)
{
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	set_desc(T_DATA, (struct inktag_desc) { });
	ck_assert_int_eq(ink_hap_unmap(hap, DATA_VA, DATA_PAGES, SER_DATA, 100), 1);
	ck_assert_int_eq(hap_access(g, 0, DATA_VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_DESCRIPTOR, DATA_VA, ~0ULL, T_DATA);
}
END_TEST

/* mprotect to read-only: reads go on, a write is asked for and never mapped. */
START_TEST(descriptor_restricted)
{
	struct inktag_desc d = descs[T_DATA];

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	d.prot = R;
	set_desc(T_DATA, d);
	ck_assert_int_eq(ink_hap_unmap(hap, DATA_VA, DATA_PAGES, 0, 0), 0);
	hap_reads(g, 0, DATA_VA, 1);
	ck_assert_int_eq(hap_access(g, 0, DATA_VA, INK_WRITE).verdict, INK_ASK);
	ck_assert_uint_eq(prot_at(DATA_VA), R);
	guest_check(g);
}
END_TEST

/* What is no descriptor gives nothing, whatever else it says. */
static const struct inktag_desc broken[] = {
	{ FREE_VA, 4, { 0 }, 0, R | W, INKTAG_KIND_PRIVATE },	/* the array, under another name */
	{ FREE_VA, 4, { SER_DATA, 1 }, 100, R | W, INKTAG_KIND_PRIVATE },
	{ FREE_VA, 4, { SER_DATA }, 100, R | W, INKTAG_KIND_SHARED },
	{ FREE_VA, 4, { SER_DATA }, 100, R | W, INKTAG_KIND_FILE },
	{ FREE_VA, 4, { SER_DATA }, 100, R | W, INKTAG_KIND_PRIVATE, 1 },
	{ FREE_VA, 4, { 0 }, 0, R | W | X, INKTAG_KIND_UNCLOAKED },
};

START_TEST(descriptor_broken)
{
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	set_desc(T_FREE, broken[_i]);
	ck_assert_int_eq(hap_access_at(g, 0, FREE_VA, INK_WRITE, FREE, T_FREE).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_DESCRIPTOR, FREE_VA, ~0ULL, T_FREE);
	guest_check(g);
}
END_TEST

/* An address that differs from a mapped one only in bits that the page table does not see. */
START_TEST(noncanonical)
{
	u64 va = DATA_VA | 1ULL << (48 + _i), ask_va;
	u32 ask_access;

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	ck_assert_int_eq(ink_resolve(hap, va, INK_READ, &ask_va, &ask_access), INK_ASK);
	ck_assert_uint_eq(ask_va, va);
}
END_TEST

/* A page is given up while a vCPU uses it. */
START_TEST(dropped_while_mapped)
{
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	any_drop_absent(hap, SER_DATA, 100);
	guest_check(g);
	ck_assert_uint_eq(ink_pt_get(hap, DATA_VA), 0);
	hap_reads_zero(g, 0, DATA_VA);
}
END_TEST

/* Two descriptors exchange their objects: after the unmap each address shows the other. */
START_TEST(descriptor_exchanged)
{
	struct inktag_desc d = descs[T_DATA], o = descs[T_OTHER];

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 2);
	d.oid[0] = SER_OTHER;
	d.index = 0;
	d.npages = 4;
	o.oid[0] = SER_DATA;
	o.index = 100;
	set_desc(T_DATA, d);
	set_desc(T_OTHER, o);
	ck_assert_int_eq(ink_hap_unmap(hap, DATA_VA, 4, 0, 0), 0);
	ck_assert_int_eq(ink_hap_unmap(hap, OTHER_VA, 4, 0, 0), 0);
	k_hint(hap, DATA_VA, TAKEN, 7, T_DATA);
	k_hint(hap, OTHER_VA, GFN, 7, T_OTHER);
	hap_reads(g, 0, DATA_VA, 1);
	hap_reads(g, 0, OTHER_VA, 2);
	guest_check(g);
}
END_TEST

/* --- the array's pages come and go ------------------------------------------------------------------- */

START_TEST(array_cloaked)
{
	struct access a;

	k_page(g, ARRAY_GFN);
	ck_assert_int_eq(SPAGE(hap, 0, 0)->state, INK_CLOAKED);
	if (_i == 0) {		/* nothing is known of it */
		ink_hint_clear(hap, INKTAG_DESC_BASE, 1);
		a = hap_access_at(g, 0, DATA_VA, INK_WRITE, GFN, T_DATA);
		ck_assert_int_eq(a.verdict, INK_ASK);
		ck_assert_uint_eq(a.ask_va, INKTAG_DESC_BASE);
		ck_assert_uint_eq(a.ask_access, INK_READ);
		k_hint(hap, INKTAG_DESC_BASE, ARRAY_GFN, 3, T_ARRAY);
	}
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	ck_assert_int_eq(SPAGE(hap, 0, 0)->state, INK_CLEAN);
	guest_check(g);
	expect_no_violation(g);
}
END_TEST

START_TEST(array_altered)
{
	k_page(g, ARRAY_GFN)[3] ^= 1;
	k_hint(hap, INKTAG_DESC_BASE, ARRAY_GFN, 3, T_ARRAY);
	ck_assert_int_eq(hap_access_at(g, 0, DATA_VA, INK_WRITE, GFN, T_DATA).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, INKTAG_DESC_BASE, ARRAY_GFN, T_ARRAY);
	guest_check(g);
}
END_TEST

/*
 * The kernel claims for the array's page a token that stands in that very page: judging it
 * would need the page that is being judged. I8
 */
START_TEST(array_under_own_token)
{
	struct access a;

	k_page(g, ARRAY_GFN);
	k_hint(hap, INKTAG_DESC_BASE, ARRAY_GFN, 3, _i ? T_DATA : 63);
	a = hap_access_at(g, 0, DATA_VA, INK_WRITE, GFN, T_DATA);
	ck_assert_int_eq(a.verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_DESCRIPTOR, INKTAG_DESC_BASE, ~0ULL, _i ? T_DATA : 63);
	guest_check(g);
}
END_TEST

/* --- the kernel changes its mind meanwhile -------------------------------------------------------------- */

/* What another vCPU reports at the moment when the frame is taken; once. */
static u32 report_op;
static u64 report_arg;
static bool reported;

static void reporter(struct guest *guest, u64 gfn, bool after)
{
	if (reported || !after || gfn != GFN)
		return;
	reported = true;
	k_report(guest, 2, 1000000, hap->id, report_op, DATA_VA, 7, report_arg,
		 report_op == INKTAG_RING_MAP ? T_DATA : 0);
}

/* absent or cloaked x unmapped or mapped elsewhere: the frame is given back, the page as it was. */
START_TEST(mind_changed)
{
	bool cloaked = _i & 1;
	struct access a;

	k_ring(g, 2);
	if (cloaked) {
		hap_write(g, 0, DATA_VA, GFN, T_DATA, 5);
		k_page(g, GFN);
	} else {
		k_hint(hap, DATA_VA, GFN, 7, T_DATA);
	}
	report_op = _i & 2 ? INKTAG_RING_MAP : INKTAG_RING_UNMAP;
	report_arg = _i & 2 ? FREE : 1;
	reported = false;
	g->race = reporter;
	a = hap_access(g, 0, DATA_VA, INK_WRITE);
	g->race = NULL;
	ck_assert(reported);
	ck_assert_int_eq(a.verdict, INK_ASK);
	ck_assert_uint_eq(a.ask_va, DATA_VA);
	ck_assert_msg(!ink_gfn_is_held(&g->vm, GFN, 1), "a frame is held that the kernel has taken away");
	ck_assert_uint_eq(ink_pt_get(hap, DATA_VA), 0);
	ck_assert_int_eq(!!SPAGE(hap, SER_DATA, 100), cloaked);
	guest_check(g);
	expect_no_violation(g);
	if (cloaked) {
		u8 ct[PAGE];

		memcpy(ct, k_page(g, GFN), PAGE);
		k_write(g, FREE, ct);
		k_hint(hap, DATA_VA, FREE, 7, T_DATA);
		hap_reads(g, 0, DATA_VA, 5);
	}
}
END_TEST

/* The same for the arena: the slot page is unpinned again. */
START_TEST(mind_changed_in_the_arena)
{
	struct access a;

	k_ring(g, 2);
	k_hint(hap, STUB, GFN, 7, T_ARENA);
	k_report(g, 2, 1000000, hap->id, _i ? INKTAG_RING_MAP : INKTAG_RING_UNMAP, STUB, 7, _i ? FREE : 1,
		 _i ? T_ARENA : 0);
	/* past the drain before the fault: reported while the core is at work */
	a.verdict = ink_resolve(hap, STUB, INK_READ, &a.ask_va, &a.ask_access);
	ck_assert_int_eq(a.verdict, INK_ASK);
	ck_assert_uint_eq(a.ask_va, STUB);
	ck_assert_uint_eq(ink_pt_get(hap, STUB), 0);
	ck_assert_uint_eq(env.pins, 0);
	guest_check(g);
}
END_TEST

/* --- out of memory --------------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	enum before before;
	u64 va;
	u32 access, token;
} needs[] = {
	{ "zeros", ABSENT, DATA_VA, R, T_DATA },
	{ "bind", ABSENT, DATA_VA, W, T_DATA },
	{ "open", CLOAKED, DATA_VA, R, T_DATA },
	{ "open and write", CLOAKED, DATA_VA, W, T_DATA },
	{ "arena", ABSENT, STUB, W, T_ARENA },
	{ "grow the array", ABSENT, INKTAG_DESC_BASE + PAGE, W, T_ARRAY },
};

START_TEST(no_memory)
{
	struct ink_hap *h = hap;
	struct access a;
	u64 n;

	for (n = 1; n < 50; n++) {
		make(needs[_i].before);
		k_hint(h, needs[_i].va, GFN, 7, needs[_i].token);
		fail_allocation(n, 1);
		a = hap_access(g, 0, needs[_i].va, needs[_i].access);
		guest_check(g);
		if (!env.failed)
			break;
		fail_allocation(0, 0);
		ck_assert_int_eq(a.verdict, INK_NOMEM);
		expect_no_violation(g);
		/* as the glue does: this HAP ends; another one lives */
		hap_kill(g, h);
		ck_assert_uint_eq(g->vm.frames, 0);
		ck_assert_uint_eq(env.pins, 0);
		k_page(g, GFN);
		hap = h = hap_launch(g, 0);
	}
	ck_assert_int_eq(a.verdict, INK_MAPPED);
	ck_assert_uint_gt(n, 1);
	fail_allocation(0, 0);
}
END_TEST

START_TEST(no_frames)
{
	struct access a;
	u64 left;

	make(needs[_i].before);
	k_hint(hap, needs[_i].va, GFN, 7, needs[_i].token);
	for (left = 0; left < 10; left++) {
		g->vm.limits.frames = g->vm.frames + left;
		a = hap_access(g, 0, needs[_i].va, needs[_i].access);
		ck_assert_uint_le(g->vm.frames, g->vm.limits.frames);
		guest_check(g);
		if (a.verdict == INK_MAPPED)
			break;
		ck_assert_int_eq(a.verdict, INK_NOMEM);
		expect_no_violation(g);
	}
	ck_assert_int_eq(a.verdict, INK_MAPPED);
	g->vm.limits = roomy;
}
END_TEST

/* A pinned slot page counts, even where no table is needed for it. */
START_TEST(no_pins)
{
	u64 frames;

	ck_assert_int_eq(hap_access_at(g, 0, STUB, INK_WRITE, GFN, T_ARENA).verdict, INK_MAPPED);
	frames = g->vm.frames;
	k_hint(hap, USTACK, FREE, 7, T_ARENA);
	g->vm.limits.frames = frames;
	ck_assert_int_eq(hap_access(g, 0, USTACK, INK_WRITE).verdict, INK_NOMEM);
	ck_assert_uint_eq(env.pins, 1);
	guest_check(g);
	g->vm.limits.frames++;
	ck_assert_int_eq(hap_access(g, 0, USTACK, INK_WRITE).verdict, INK_MAPPED);
	ck_assert_uint_eq(g->vm.frames, frames + 1);
	guest_check(g);
	g->vm.limits = roomy;
}
END_TEST

/* --- unmap --------------------------------------------------------------------------------------------------- */

static const struct {
	u64 va, npages, serial, index;
	s64 result;
	u32 mapped;	/* of three pages at DATA_VA: bits */
} unmaps[] = {
	{ DATA_VA, 1, 0, 0, 0, 6 },
	{ DATA_VA, 3, 0, 0, 0, 0 },
	{ DATA_VA, 3, SER_DATA, 100, 3, 0 },
	{ DATA_VA, 2, SER_DATA, 100, 2, 4 },
	{ DATA_VA + PAGE, 1, SER_DATA, 101, 1, 5 },
	{ DATA_VA, 1, SER_DATA, 102, 1, 2 },		/* drops what is mapped elsewhere */
	{ DATA_VA, INKTAG_UNMAP_MAX, SER_DATA, 0, 3, 0 },
	{ DATA_VA, 3, SER_RWX, 100, 0, 0 },
	{ DATA_VA, 3, 999, 0, 0, 0 },
	{ DATA_VA, 3, U64_MAX, 100, 0, 0 },
	{ FREE_VA, 1, 0, 0, 0, 7 },
	{ DATA_VA, 1, 0, U64_MAX, 0, 6 },		/* the index of no object */
	{ INKTAG_USER_END - PAGE, 1, 0, 0, 0, 7 },
	{ DATA_VA, 1, SER_DATA, INKTAG_INDEX_END - 1, 0, 6 },
	{ DATA_VA + 1, 1, 0, 0, -EINVAL, 7 },
	{ DATA_VA + 0x800, 1, 0, 0, -EINVAL, 7 },
	{ DATA_VA, 0, 0, 0, -EINVAL, 7 },
	{ DATA_VA, INKTAG_UNMAP_MAX + 1, 0, 0, -EINVAL, 7 },
	{ DATA_VA, U64_MAX, 0, 0, -EINVAL, 7 },
	{ DATA_VA, 1ULL << 52, 0, 0, -EINVAL, 7 },
	{ INKTAG_USER_END, 1, 0, 0, -EINVAL, 7 },
	{ INKTAG_USER_END - PAGE, 2, 0, 0, -EINVAL, 7 },
	{ ~0xfffULL, 1, 0, 0, -EINVAL, 7 },
	{ 0xffff800000000000 | DATA_VA, 3, 0, 0, -EINVAL, 7 },
	{ DATA_VA, 1, SER_DATA, INKTAG_INDEX_END, -EINVAL, 7 },
	{ DATA_VA, 2, SER_DATA, INKTAG_INDEX_END - 1, -EINVAL, 7 },
	{ DATA_VA, 1, SER_DATA, U64_MAX, -EINVAL, 7 },
	{ DATA_VA, 2, SER_DATA, U64_MAX, -EINVAL, 7 },
};

START_TEST(unmap)
{
	u32 i, mapped = 0;

	for (i = 0; i < 3; i++)
		hap_write(g, 0, DATA_VA + i * PAGE, GFN + 10 + i, T_DATA, i);
	if (unmaps[_i].result < 0)
		REFUSED(g, unmaps[_i].result, ink_hap_unmap(hap, unmaps[_i].va, unmaps[_i].npages,
							    unmaps[_i].serial, unmaps[_i].index));
	else
		ck_assert_int_eq(ink_hap_unmap(hap, unmaps[_i].va, unmaps[_i].npages, unmaps[_i].serial,
					       unmaps[_i].index), unmaps[_i].result);
	guest_check(g);
	for (i = 0; i < 3; i++)
		mapped |= !!ink_pt_get(hap, DATA_VA + i * PAGE) << i;
	ck_assert_uint_eq(mapped, unmaps[_i].mapped);
	ck_assert(!hap->unflushed);
	hap_reads(g, 0, OTHER_VA, 1);
	/* what was not dropped is as it was */
	for (i = 0; i < 3; i++)
		if (SPAGE(hap, SER_DATA, 100 + i))
			hap_reads(g, 0, DATA_VA + i * PAGE, i);
		else
			hap_reads_zero(g, 0, DATA_VA + i * PAGE);
}
END_TEST

/* The array cannot be dropped: its serial is 0, which means "drop nothing". */
START_TEST(unmap_array)
{
	hap_access_at(g, 0, INKTAG_DESC_BASE, INK_READ, ARRAY_GFN, T_ARRAY);
	ck_assert_int_eq(ink_hap_unmap(hap, INKTAG_DESC_BASE, 1, 0, 0), 0);
	ck_assert_ptr_nonnull(SPAGE(hap, 0, 0));
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
}
END_TEST

Suite *suite_resolve(void)
{
	Suite *s = suite_create("resolve");
	TCase *tc = unit_case("resolve");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, verdict, 0, ARRAY_SIZE(rows));
	tcase_add_test(tc, zeros_then_write);
	tcase_add_test(tc, alias);
	tcase_add_loop_test(tc, swapped_pages, 0, 2);
	tcase_add_test(tc, swapped_frames);
	tcase_add_loop_test(tc, replay, 1, 3);
	tcase_add_loop_test(tc, forgotten_and_back, 0, 2);
	tcase_add_test(tc, replay_of_the_dropped);
	tcase_add_test(tc, swap_out_and_in);
	tcase_add_test(tc, arena_is_shared);
	tcase_add_test(tc, arena_frame_taken);
	tcase_add_test(tc, descriptor_removed);
	tcase_add_test(tc, descriptor_restricted);
	tcase_add_loop_test(tc, descriptor_broken, 0, ARRAY_SIZE(broken));
	tcase_add_loop_test(tc, noncanonical, 0, 16);
	tcase_add_test(tc, dropped_while_mapped);
	tcase_add_test(tc, descriptor_exchanged);
	tcase_add_loop_test(tc, array_cloaked, 0, 2);
	tcase_add_test(tc, array_altered);
	tcase_add_loop_test(tc, array_under_own_token, 0, 2);
	tcase_add_loop_test(tc, mind_changed, 0, 4);
	tcase_add_loop_test(tc, mind_changed_in_the_arena, 0, 2);
	tcase_add_loop_test(tc, no_memory, 0, ARRAY_SIZE(needs));
	tcase_add_loop_test(tc, no_frames, 0, ARRAY_SIZE(needs));
	tcase_add_test(tc, no_pins);
	tcase_add_loop_test(tc, unmap, 0, ARRAY_SIZE(unmaps));
	tcase_add_test(tc, unmap_array);
	suite_add_tcase(s, tc);
	return s;
}
