// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of a HAP: made, filled, measured, started once, ended whole. */
#include <openssl/evp.h>
#include "unit.h"

#define GFN	FIRST_GFN

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

/* --- creation ---------------------------------------------------------------------------------- */

START_TEST(create)
{
	struct ink_hap *hap;
	s64 first, id;
	u32 i;

	first = ink_hap_create(&g->vm, 0x1000, 42, 0, 0);
	ck_assert_int_gt(first, 0);
	hap = ink_hap_find(&g->vm, first);
	ck_assert_int_eq(hap->state, INK_BUILDING);
	ck_assert_uint_eq(hap->cr3, 0x1000);
	ck_assert_uint_eq(hap->pid, 42);
	guest_check(g);
	REFUSED(g, -EEXIST, ink_hap_create(&g->vm, 0x1000, 43, 0, 0));
	for (i = 1; i < roomy.haps; i++) {
		id = ink_hap_create(&g->vm, 0x1000 + i * PAGE, 42, 0, 0);
		ck_assert_int_eq(id, first + i);
	}
	REFUSED(g, -ENOSPC, ink_hap_create(&g->vm, 0x100000, 42, 0, 0));
	ink_hap_end(hap);
	guest_check(g);
	/* the address space and the place are free again, the id is not */
	ck_assert_int_eq(ink_hap_create(&g->vm, 0x1000, 42, 0, 0), id + 1);
	guest_check(g);
}
END_TEST

START_TEST(create_bounds)
{
	g->vm.limits.frames = 0;
	REFUSED(g, -ENOSPC, ink_hap_create(&g->vm, 0x1000, 1, 0, 0));
	g->vm.limits.frames = 1;
	ck_assert_int_gt(ink_hap_create(&g->vm, 0x1000, 1, 0, 0), 0);
	REFUSED(g, -ENOSPC, ink_hap_create(&g->vm, 0x2000, 1, 0, 0));
	g->vm.limits.frames = 512;
	g->vm.last_hap = 0x7ffffffe;
	ck_assert_int_eq(ink_hap_create(&g->vm, 0x2000, 1, 0, 0), 0x7fffffff);
	REFUSED(g, -ENOSPC, ink_hap_create(&g->vm, 0x3000, 1, 0, 0));
}
END_TEST

START_TEST(create_without_memory)
{
	u64 n;

	for (n = 1; n < 20; n++) {
		GByteArray *before = snapshot(g);
		s64 id;

		fail_allocation(n, 1);
		id = ink_hap_create(&g->vm, 0x1000, 1, 0, 0);
		if (!env.failed) {
			ck_assert_int_gt(id, 0);
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(id, -ENOMEM);
		unchanged(g, before);
		guest_check(g);
	}
	fail_allocation(0, 0);
	ck_assert_uint_gt(n, 3);
}
END_TEST

static const u64 strangers[] = {
	0, 2, 0x7fffffff, 0x80000001, 0xffffffff, 0x100000001, 0x8000000000000001, U64_MAX,
};

START_TEST(find_none)
{
	ck_assert_int_eq(ink_hap_create(&g->vm, 0x1000, 1, 0, 0), 1);
	ck_assert_ptr_null(ink_hap_find(&g->vm, strangers[_i]));
	ck_assert_ptr_nonnull(ink_hap_find(&g->vm, 1));
}
END_TEST

/* --- adding pages ------------------------------------------------------------------------------- */

#define CR3	0x1000		/* of the first HAP that hap_build() makes */

static const struct {
	const char *what;
	u64 cr3, va, npages, token, gfn;
	int err;
} adds[] = {
	{ "one page", CR3, DATA_VA, 1, T_DATA, GFN, 0 },
	{ "all pages", CR3, DATA_VA, DATA_PAGES, T_DATA, GFN, 0 },
	{ "the last page", CR3, DATA_VA + (DATA_PAGES - 1) * PAGE, 1, T_DATA, GFN, 0 },
	{ "read-only pages", CR3, RO_VA, 4, T_RO, GFN, 0 },
	{ "more of the array", CR3, INKTAG_DESC_BASE + PAGE, 1, T_ARRAY, GFN, -EINVAL },
	{ "the array and more of it", CR3, INKTAG_DESC_BASE, 2, T_ARRAY, GFN, -EINVAL },
	{ "another address space", CR3 + PAGE, DATA_VA, 1, T_DATA, GFN, -EPERM },
	{ "address space 0", 0, DATA_VA, 1, T_DATA, GFN, -EPERM },
	{ "no page", CR3, DATA_VA, 0, T_DATA, GFN, -EINVAL },
	{ "too many pages", CR3, DATA_VA, INKTAG_ADD_MAX + 1, T_DATA, GFN, -EINVAL },
	{ "too many pages of the array", CR3, INKTAG_DESC_BASE + PAGE, INKTAG_ADD_MAX + 1, T_ARRAY, GFN,
	  -EINVAL },
	{ "2^64-1 pages", CR3, DATA_VA, U64_MAX, T_DATA, GFN, -EINVAL },
	{ "2^52 pages", CR3, DATA_VA, 1ULL << 52, T_DATA, GFN, -EINVAL },
	{ "between pages", CR3, DATA_VA + 8, 1, T_DATA, GFN, -EINVAL },
	{ "a kernel address", CR3, 0xffffffff80000000, 1, T_DATA, GFN, -EINVAL },
	{ "the end of user addresses", CR3, INKTAG_USER_END, 1, T_DATA, GFN, -EINVAL },
	{ "the last page of all", CR3, ~0xfffULL, 1, T_DATA, GFN, -EINVAL },
	{ "before the descriptor", CR3, DATA_VA - PAGE, 1, T_DATA, GFN, -EINVAL },
	{ "after the descriptor", CR3, DATA_VA + DATA_PAGES * PAGE, 1, T_DATA, GFN, -EINVAL },
	{ "far before the descriptor", CR3, PAGE, 1, T_DATA, GFN, -EINVAL },
	{ "far after the descriptor", CR3, DATA_VA + (DATA_PAGES + 5) * PAGE, 1, T_DATA, GFN, -EINVAL },
	{ "into the descriptor", CR3, DATA_VA - PAGE, 2, T_DATA, GFN, -EINVAL },
	{ "out of the descriptor", CR3, DATA_VA + (DATA_PAGES - 1) * PAGE, 2, T_DATA, GFN, -EINVAL },
	{ "the whole, and one more", CR3, DATA_VA, DATA_PAGES + 1, T_DATA, GFN, -EINVAL },
	{ "another's token", CR3, DATA_VA, 1, T_OTHER, GFN, -EINVAL },
	{ "the arena", CR3, INKTAG_ARENA_BASE, 1, T_ARENA, GFN, -EINVAL },
	{ "after the array", CR3, INKTAG_DESC_BASE + INKTAG_DESC_MAX * 64UL, 1, T_ARRAY, GFN, -EINVAL },
	{ "a free token", CR3, DATA_VA, 1, T_FREE, GFN, -ENOENT },
	{ "a token not added yet", CR3, DATA_VA, 1, 64, GFN, -ENOENT },
	{ "a token above the limit", CR3, DATA_VA, 1, 256, GFN, -ENOENT },
	{ "a token out of range", CR3, DATA_VA, 1, INKTAG_DESC_MAX, GFN, -EINVAL },
	{ "no token", CR3, DATA_VA, 1, INKTAG_TOKEN_NONE, GFN, -EINVAL },
	{ "a token, but for bit 32", CR3, DATA_VA, 1, 1ULL << 32 | T_DATA, GFN, -EINVAL },
	{ "a token, but for bit 63", CR3, DATA_VA, 1, 1ULL << 63 | T_DATA, GFN, -EINVAL },
	{ "what was added", CR3, CODE_VA, 1, T_CODE, GFN, -EEXIST },
	{ "what was added, and more", CR3, CODE_VA, 2, T_CODE, GFN, -EEXIST },
	{ "the array again", CR3, INKTAG_DESC_BASE, 1, T_ARRAY, GFN, -EEXIST },
	{ "a held frame", CR3, DATA_VA, 1, T_DATA, CODE_GFN, -EBUSY },
	{ "held frames in the middle", CR3, DATA_VA, 4, T_DATA, ARRAY_GFN - 1, -EBUSY },
	{ "no RAM", CR3, DATA_VA, 1, T_DATA, GFN_NONE, -EFAULT },
	{ "no RAM from the middle on", CR3, DATA_VA, 4, T_DATA, GFN_END - 2, -EFAULT },
	{ "frame 2^40", CR3, DATA_VA, 1, T_DATA, INK_GFN_END, -EFAULT },
};

START_TEST(add)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	struct linear l = {
		.g = g, .va = adds[_i].va, .gfn = adds[_i].gfn, .npages = adds[_i].npages,
	};
	u8 page[PAGE];
	u64 i;

	ck_assert_uint_eq(hap->cr3, CR3);
	if (adds[_i].err) {
		REFUSED(g, adds[_i].err, ink_hap_add(hap, adds[_i].cr3, adds[_i].va, adds[_i].npages,
						     adds[_i].token, linear, &l));
		return;
	}
	for (i = 0; i < l.npages; i++) {
		memset(page, i + 1, PAGE);
		k_write(g, GFN + i, page);
	}
	ck_assert_int_eq(ink_hap_add(hap, CR3, l.va, l.npages, adds[_i].token, linear, &l), 0);
	guest_check(g);
	for (i = 0; i < l.npages; i++) {
		const struct inktag_desc *d = &descs[adds[_i].token];
		u64 base = adds[_i].token ? d->addr : INKTAG_DESC_BASE;
		struct ink_spage *s = SPAGE(hap, d->oid[0], d->index + (l.va - base) / PAGE + i);

		memset(page, i + 1, PAGE);
		ck_assert_int_eq(s->state, INK_DIRTY);
		ck_assert_uint_eq(s->gfn, GFN + i);
		ck_assert_mem_eq(s->frame, page, PAGE);
		ck_assert(ink_gfn_is_held(&g->vm, GFN + i, 1));
	}
	REFUSED(g, -EEXIST, ink_hap_add(hap, CR3, l.va, l.npages, adds[_i].token, linear, &l));
}
END_TEST

/* Without its first page the array names nothing. */
START_TEST(array_comes_first)
{
	struct linear l = { .g = g, .va = DATA_VA, .gfn = GFN, .npages = 1 };
	struct ink_hap *hap = ink_hap_find(&g->vm, ink_hap_create(&g->vm, CR3, 1, 0, 0));

	REFUSED(g, -ENOENT, ink_hap_add(hap, CR3, DATA_VA, 1, T_DATA, linear, &l));
	l.va = INKTAG_DESC_BASE;
	ck_assert_int_eq(ink_hap_add(hap, CR3, INKTAG_DESC_BASE, 1, T_ARRAY, linear, &l), 0);
}
END_TEST

#define MANY 5

/* Not mapped, or moved, at each call of translate: all pages or none. */
START_TEST(add_moves)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	struct linear l = { .g = g, .va = DATA_VA, .gfn = GFN, .npages = MANY };
	bool absent = _i >= 2 * MANY;
	u64 at = _i % (2 * MANY) + 1;

	*(absent ? &l.again_at : &l.move_at) = at;
	REFUSED(g, -EAGAIN, ink_hap_add(hap, CR3, DATA_VA, MANY, T_DATA, linear, &l));
	ck_assert_uint_ge(l.calls, at);
	l = (struct linear) { .g = g, .va = DATA_VA, .gfn = GFN, .npages = MANY };
	ck_assert_int_eq(ink_hap_add(hap, CR3, DATA_VA, MANY, T_DATA, linear, &l), 0);
	guest_check(g);
}
END_TEST

START_TEST(add_without_memory)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	u64 n, left;
	int err;

	for (n = 1; n < 100; n++) {
		struct linear l = { .g = g, .va = DATA_VA, .gfn = GFN, .npages = 3 };
		GByteArray *before = snapshot(g);

		fail_allocation(n, 1);
		err = ink_hap_add(hap, CR3, DATA_VA, 3, T_DATA, linear, &l);
		if (!env.failed) {
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		unchanged(g, before);
		guest_check(g);
	}
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(n, 9);
	fail_allocation(0, 0);
	for (left = 0; left < 4; left++) {
		struct linear l = { .g = g, .va = OTHER_VA, .gfn = GFN + 3, .npages = 4 };

		g->vm.limits.frames = g->vm.frames + left;
		REFUSED(g, -ENOSPC, ink_hap_add(hap, CR3, OTHER_VA, 4, T_OTHER, linear, &l));
	}
	g->vm.limits = roomy;
	fail_guest(g, 2, 1);
	{
		struct linear l = { .g = g, .va = OTHER_VA, .gfn = GFN + 3, .npages = 4 };

		REFUSED(g, -EFAULT, ink_hap_add(hap, CR3, OTHER_VA, 4, T_OTHER, linear, &l));
	}
	fail_guest(g, 0, 0);
}
END_TEST

/* Another vCPU writes to the pages all the time: what is measured is what the HAP gets. */
static u64 raced;

static void scribble(struct guest *guest, u64 gfn, bool after)
{
	(void)after;
	if (is_ram(guest, gfn) && guest->npt[gfn - GFN_BASE])
		memset(slot_page(guest, gfn), ++raced, PAGE);
}

/* --- measurement -------------------------------------------------------------------------------- */

struct digest {
	EVP_MD_CTX *ctx;
};

static void digest_page(struct digest *d, u64 va, u64 token, const void *page)
{
	EVP_DigestUpdate(d->ctx, &va, 8);
	EVP_DigestUpdate(d->ctx, &token, 8);
	EVP_DigestUpdate(d->ctx, page, PAGE);
}

static void digest_end(struct digest *d, u64 entry, u64 rsp, u8 out[32])
{
	u64 attributes = 0;

	EVP_DigestUpdate(d->ctx, &entry, 8);
	EVP_DigestUpdate(d->ctx, &rsp, 8);
	EVP_DigestUpdate(d->ctx, &attributes, 8);
	EVP_DigestFinal_ex(d->ctx, out, NULL);
	EVP_MD_CTX_free(d->ctx);
}

static struct digest digest_new(void)
{
	struct digest d = { EVP_MD_CTX_new() };

	EVP_DigestInit_ex(d.ctx, EVP_sha256(), NULL);
	return d;
}

START_TEST(measurement)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	struct linear l = { .g = g, .va = DATA_VA, .gfn = GFN, .npages = 3 };
	struct digest d = digest_new();
	u8 page[PAGE], want[32];
	u32 i;

	for (i = 0; i < 3; i++) {
		memset(page, 0x30 + i, PAGE);
		k_write(g, GFN + i, page);
	}
	if (_i)
		g->race = scribble;
	ck_assert_int_eq(ink_hap_add(hap, CR3, DATA_VA, 3, T_DATA, linear, &l), 0);
	g->race = NULL;
	ck_assert(is_zero(hap->measurement, 32));
	/* an add that failed leaves no trace */
	ck_assert_int_eq(ink_hap_add(hap, CR3, DATA_VA, 3, T_DATA, linear, &l), -EEXIST);
	l = (struct linear) { .g = g, .va = OTHER_VA, .gfn = GFN + 9, .npages = 3, .again_at = 5 };
	ck_assert_int_eq(ink_hap_add(hap, CR3, OTHER_VA, 3, T_OTHER, linear, &l), -EAGAIN);

	memset(page, 0, PAGE);
	memcpy(page, descs, sizeof(descs));
	digest_page(&d, INKTAG_DESC_BASE, T_ARRAY, page);
	memset(page, 0xcc, PAGE);
	digest_page(&d, CODE_VA, T_CODE, page);
	for (i = 0; i < 3; i++) {
		memset(page, 0x30 + i, PAGE);
		digest_page(&d, DATA_VA + i * PAGE, T_DATA,
			    _i ? SPAGE(hap, SER_DATA, 100 + i)->frame : page);
	}
	digest_end(&d, ENTRY, STACK, want);
	hap_start(g, hap, 0);
	ck_assert_mem_eq(hap->measurement, want, 32);
	ck_assert_ptr_null(hap->hash);
}
END_TEST

/* What changes it, and what does not. */
enum change { NOTHING, FRAMES, STUB_ETC, CR3_PID, CONTENT, ADDRESS, TOKEN, ORDER, ENTRY_POINT, RSP, MORE,
	      NR_CHANGES };

static void build(enum change change, u8 out[32])
{
	u64 cr3 = g->next_cr3, gfn = change == FRAMES ? GFN + 40 : GFN;
	struct inktag_start start = {
		.entry = ENTRY + (change == ENTRY_POINT), .rsp = STACK - (change == RSP) * 16,
		.stub = STUB + (change == STUB_ETC) * PAGE, .ustack = USTACK + (change == STUB_ETC) * 16,
		.info = change == STUB_ETC,
	};
	struct ink_thread *t;
	struct ink_hap *hap;
	u8 page[PAGE];
	u32 i, n;

	if (change == CR3_PID)
		g->next_cr3 = cr3 += 0x100000;
	hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	for (n = 0; n < 2 + (change == MORE); n++) {
		struct linear l;
		u64 token = T_DATA, base = DATA_VA;

		i = change == ORDER ? 1 - n : n;
		memset(page, i == 1 && change == CONTENT, PAGE);
		page[7] = i;
		k_write(g, gfn + i, page);
		if (i == 1 && change == ADDRESS)
			base += PAGE;
		if (i == 1 && change == TOKEN)
			token = T_ALIAS, base = ALIAS_VA;
		l = (struct linear) { .g = g, .va = base + i * PAGE, .gfn = gfn + i, .npages = 1 };
		ck_assert_int_eq(ink_hap_add(hap, cr3, l.va, 1, token, linear, &l), 0);
	}
	ck_assert_int_eq(ink_hap_start(hap, cr3, &start, &t), 0);
	memcpy(out, hap->measurement, 32);
	ink_hap_end(hap);
}

START_TEST(measurement_depends)
{
	u8 plain[32], changed[32];

	build(NOTHING, plain);
	build(_i, changed);
	ck_assert_int_eq(!memcmp(plain, changed, 32), _i < CONTENT);
}
END_TEST

/* --- start ------------------------------------------------------------------------------------------ */

#define GOOD { ENTRY, STACK, STUB, USTACK, 0x77 }

static const struct {
	const char *what;
	u64 cr3;
	struct inktag_start start;
	int err;
} starts[] = {
	{ "good", CR3, GOOD, 0 },
	{ "any info", CR3, { ENTRY, STACK, STUB, USTACK, U64_MAX }, 0 },
	{ "another address space", CR3 + PAGE, GOOD, -EPERM },
	{ "entry in the kernel", CR3, { 0xffffffff81000000, STACK, STUB, USTACK }, -EINVAL },
	{ "entry noncanonical", CR3, { 1ULL << 47, STACK, STUB, USTACK }, -EINVAL },
	{ "entry at the end", CR3, { INKTAG_USER_END, STACK, STUB, USTACK }, -EINVAL },
	{ "stack in the kernel", CR3, { ENTRY, U64_MAX, STUB, USTACK }, -EINVAL },
	{ "stub in the kernel", CR3, { ENTRY, STACK, 0xffff888000000000, USTACK }, -EINVAL },
	{ "stub wraps", CR3, { ENTRY, STACK, U64_MAX - 1, USTACK }, -EINVAL },
	{ "stub at the end", CR3, { ENTRY, STACK, INKTAG_USER_END - 2, USTACK }, -EINVAL },
	{ "ustack in the kernel", CR3, { ENTRY, STACK, STUB, 0xffff888000000000 }, -EINVAL },
};

START_TEST(start)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	struct ink_thread *t, *t2;
	u32 i;

	if (starts[_i].err) {
		REFUSED(g, starts[_i].err, ink_hap_start(hap, starts[_i].cr3, &starts[_i].start, &t));
		ck_assert_int_eq(hap->state, INK_BUILDING);
		return;
	}
	ck_assert_int_eq(ink_hap_start(hap, starts[_i].cr3, &starts[_i].start, &t), 0);
	ck_assert_int_eq(hap->state, INK_RUNS);
	ck_assert_int_eq(t->ret.state, INK_NEW);
	ck_assert_uint_eq(t->ret.regs.rip, starts[_i].start.entry);
	ck_assert_uint_eq(t->ret.regs.fsbase, 0);
	ck_assert_uint_eq(t->ret.regs.gsbase, 0);
	ck_assert_uint_eq(t->ret.regs.rflags & ~0x202ULL, 0);
	for (i = 0; i < INK_NR_GPR; i++)
		ck_assert_uint_eq(t->ret.regs.gpr[i], i == INK_RSP ? starts[_i].start.rsp :
				  i == INK_RDI ? starts[_i].start.info :
				  i == INK_RAX ? INKTAG_START_MAGIC : 0);
	guest_check(g);
	REFUSED(g, -EBUSY, ink_hap_start(hap, CR3, &starts[0].start, &t2));
	{
		struct linear l = { .g = g, .va = DATA_VA, .gfn = GFN, .npages = 1 };

		REFUSED(g, -EBUSY, ink_hap_add(hap, CR3, DATA_VA, 1, T_DATA, linear, &l));
	}
}
END_TEST

START_TEST(start_without_memory)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	struct ink_thread *t;
	u64 n;
	int err;

	g->vm.limits.threads = 0;
	REFUSED(g, -ENOSPC, ink_hap_start(hap, CR3, &starts[0].start, &t));
	g->vm.limits = roomy;
	for (n = 1; n < 20; n++) {
		GByteArray *before = snapshot(g);

		fail_allocation(n, 1);
		err = ink_hap_start(hap, CR3, &starts[0].start, &t);
		if (!env.failed) {
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		unchanged(g, before);
	}
	fail_allocation(0, 0);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(n, 2);
}
END_TEST

/* The kernel moves a page of the array while the HAP is built: the next add finds it again. */
START_TEST(array_moves_while_building)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	struct linear l = { .g = g, .va = DATA_VA, .gfn = GFN, .npages = 1 };
	u8 ct[PAGE];

	memcpy(ct, k_page(g, ARRAY_GFN), PAGE);
	k_write(g, GFN + 5, ct);
	if (_i == 0) {
		k_hint(hap, INKTAG_DESC_BASE, GFN + 5, 3, T_ARRAY);
		ck_assert_int_eq(ink_hap_add(hap, CR3, DATA_VA, 1, T_DATA, linear, &l), 0);
		ck_assert_int_eq(SPAGE(hap, 0, 0)->state, INK_CLEAN);
		guest_check(g);
		return;
	}
	if (_i == 1)		/* not told where */
		ink_hint_clear(hap, INKTAG_DESC_BASE, 1);
	else			/* told wrong */
		k_hint(hap, INKTAG_DESC_BASE, GFN + 6, 3, T_ARRAY);
	REFUSED(g, _i == 1 ? -EAGAIN : -EBADMSG, ink_hap_add(hap, CR3, DATA_VA, 1, T_DATA, linear, &l));
}
END_TEST

/* --- end --------------------------------------------------------------------------------------------- */

enum life { CREATED, ADDED, NEW, RUNNING_QUIET, RUNNING, RUNNING_TWICE, IN_SYSCALL, IN_FAULT, IN_INTERRUPT,
	    ALL_CLOAKED, FULL, NR_LIVES };

static void second_thread(struct ink_hap *hap, u32 cpu)
{
	struct ink_thread *t;

	ck_assert_int_eq(ink_thread_create(hap, &t), 0);
	ck_assert_int_eq(ink_thread_start(t), 0);
	cpu_enter(g, cpu, t);
}

static struct ink_hap *live(enum life life)
{
	struct ink_hap *hap;
	struct ink_thread *t;
	u32 i;

	if (life == CREATED)
		return ink_hap_find(&g->vm, ink_hap_create(&g->vm, CR3, 1, 0, 0));
	hap = hap_build(g, ARRAY_GFN, CODE_GFN);
	if (life == ADDED)
		return hap;
	if (life == NEW) {
		ck_assert_int_eq(ink_hap_start(hap, CR3, &starts[0].start, &t), 0);
		return hap;
	}
	hap_start(g, hap, 0);
	if (life == RUNNING_QUIET)	/* nothing is mapped yet */
		return hap;
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	if (life == ALL_CLOAKED) {	/* what is mapped still is none of its pages */
		hap_access_at(g, 0, RWX_VA, INK_EXEC, GFN + 1, T_RWX);
		hap_access_at(g, 0, STUB, INK_WRITE, GFN + 1, T_ARENA);
		k_page(g, GFN);
		k_page(g, CODE_GFN);
		k_page(g, ARRAY_GFN);
		hap_access(g, 0, RWX_VA, INK_EXEC);
		hap_access(g, 0, STUB, INK_WRITE);
		ck_assert_uint_eq(g->cpu[0].tlb->len, 2);
	}
	if (life == RUNNING_TWICE)
		second_thread(hap, 1);
	if (life == IN_SYSCALL)
		cpu_suspend(g, 0, INK_SYSCALL);
	if (life == IN_FAULT)
		cpu_suspend(g, 0, INK_FAULT);
	if (life == IN_INTERRUPT)
		cpu_suspend(g, 0, INK_INTERRUPT);
	if (life == FULL) {
		second_thread(hap, 1);
		for (i = 0; i < 8; i++)
			hap_write(g, i % 2, DATA_VA + i * PAGE, GFN + i, T_DATA, i);
		for (i = 0; i < 8; i += 2)
			k_page(g, GFN + i);
		for (i = 0; i < 8; i += 4)
			hap_reads(g, i / 4, DATA_VA + i * PAGE, i);
		for (i = 0; i < INK_MAX_UNPIN + 5; i++)
			hap_access_at(g, 0, INKTAG_ARENA_BASE + i % 64 * PAGE, INK_WRITE, GFN + 10 + i, T_ARENA);
		hap_access_at(g, 1, RWX_VA, INK_EXEC, GFN, T_RWX);
	}
	return hap;
}

START_TEST(end)
{
	struct ink_hap *other = hap_build(g, GFN + 120, GFN + 121), *hap;
	u64 frames = g->vm.frames, records = g->vm.records, held = g->vm.nr_held, structs = env.structs,
	    entries = env.map_entries;
	u32 cpu, id, left = 0;
	u64 flushes;

	g->next_cr3 = CR3;
	ink_hap_find(&g->vm, other->id)->cr3 = 0x9000;
	hap = live(_i);
	id = hap->id;
	guest_check(g);
	flushes = g->flushes;
	ink_hap_end(hap);
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		left += g->cpu[cpu].hap == hap;
	if (left) {
		ck_assert_int_eq(hap->state, INK_ENDED);
		ck_assert_uint_eq(hap->refs, left);
		/* the vCPUs are still in its trusted context, if only to leave it */
		ck_assert_uint_gt(g->flushes, flushes);
		REFUSED(g, 0, (ink_hap_end(hap), 0));	/* ends once */
	}
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		ck_assert_uint_eq(g->cpu[cpu].tlb->len, 0);
	ck_assert_ptr_null(ink_hap_find(&g->vm, id));
	guest_check(g);
	ck_assert_uint_eq(g->vm.frames, frames);
	ck_assert_uint_eq(g->vm.records, records);
	ck_assert_uint_eq(g->vm.nr_held, held);
	ck_assert_uint_eq(env.pins, 0);
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (g->cpu[cpu].hap) {
			cpu_suspend(g, cpu, INK_INTERRUPT);
			guest_check(g);
		}
	ck_assert_uint_eq(env.structs, structs);
	ck_assert_uint_eq(env.map_entries, entries);
	ck_assert_uint_eq(env.xstates, 0);
	ck_assert_uint_eq(g->vm.nr_threads, 0);
	ck_assert_uint_eq(g->vm.nr_haps, 1);
	/* the other lives */
	hap_start(g, other, 3);
	hap_write(g, 3, DATA_VA, GFN, T_DATA, 9);
	hap_reads(g, 3, DATA_VA, 9);
	guest_check_secrecy(g);
}
END_TEST

/* Frames of the dead are the kernel's as they are: nothing is encrypted, nothing readable. */
START_TEST(after_the_end)
{
	struct ink_hap *hap = hap_launch(g, 0);
	u64 seals;

	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	seals = g->seals;
	hap_kill(g, hap);
	ck_assert(is_zero(k_page(g, GFN), PAGE));
	ck_assert_uint_eq(g->seals, seals);
}
END_TEST

/* Two HAPs with the same serials, indexes and addresses. */
START_TEST(two_haps)
{
	struct ink_hap *a = hap_launch(g, 0), *b = hap_build(g, GFN + 20, GFN + 21);
	u8 ct[PAGE];

	hap_start(g, b, 1);
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 1);
	hap_write(g, 1, DATA_VA, GFN + 1, T_DATA, 2);
	hap_reads(g, 0, DATA_VA, 1);
	hap_reads(g, 1, DATA_VA, 2);
	/* the other's frame, in plaintext and as ciphertext */
	if (_i) {
		ck_assert_int_eq(hap_access_at(g, 1, DATA_VA, INK_READ, GFN, T_DATA).verdict, INK_KILL);
		expect_violation(g, b->id, INKTAG_CHECK_FRAME, DATA_VA, GFN, T_DATA);
	} else {
		memcpy(ct, k_page(g, GFN), PAGE);
		k_page(g, GFN + 1);
		k_write(g, GFN + 1, ct);
		ck_assert_int_eq(hap_access(g, 1, DATA_VA, INK_READ).verdict, INK_KILL);
		expect_violation(g, b->id, INKTAG_CHECK_TAG, DATA_VA, GFN + 1, T_DATA);
	}
	hap_kill(g, b);
	guest_check(g);
	hap_reads(g, 0, DATA_VA, 1);
	(void)a;
}
END_TEST

Suite *suite_hap(void)
{
	Suite *s = suite_create("hap");
	TCase *tc = unit_case("hap");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, create);
	tcase_add_test(tc, create_bounds);
	tcase_add_test(tc, create_without_memory);
	tcase_add_loop_test(tc, find_none, 0, ARRAY_SIZE(strangers));
	tcase_add_loop_test(tc, add, 0, ARRAY_SIZE(adds));
	tcase_add_test(tc, array_comes_first);
	tcase_add_loop_test(tc, add_moves, 0, 4 * MANY);
	tcase_add_test(tc, add_without_memory);
	tcase_add_loop_test(tc, measurement, 0, 2);
	tcase_add_loop_test(tc, measurement_depends, 0, NR_CHANGES);
	tcase_add_loop_test(tc, start, 0, ARRAY_SIZE(starts));
	tcase_add_test(tc, start_without_memory);
	tcase_add_loop_test(tc, array_moves_while_building, 0, 3);
	tcase_add_loop_test(tc, end, 0, NR_LIVES);
	tcase_add_test(tc, after_the_end);
	tcase_add_loop_test(tc, two_haps, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
