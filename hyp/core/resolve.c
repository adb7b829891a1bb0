// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolve.c - a HAP touches an address that its trusted page table does not map: judge what the
 * kernel claims for it against the HAP's descriptor, and map (I2, I3).
 *
 * The kernel runs on other vCPUs meanwhile. Between its report and our holding of the frame it may
 * have taken the frame away and given it to somebody else, whose content a later cloak would
 * overwrite. It reports that before the frame can be reused; so after the frame is held the
 * rings are drained once more, and if the hint is gone, the transition is taken back. From
 * then on every touch of the frame faults. (This is for the honest kernel; no invariant needs it.)
 */
#include "inktag.h"

struct access {
	struct ink_hap *hap;
	u64 page;		/* page-aligned */
	u32 access;
	struct ink_hint hint;
	struct inktag_desc desc;
};

static u32 prot_of(const struct access *a)
{
	return a->hint.prot & a->desc.prot;
}

static bool in_array(u64 page)
{
	return page >= INKTAG_DESC_BASE &&
	       page < INKTAG_DESC_BASE + INKTAG_DESC_MAX * sizeof(struct inktag_desc);
}

/* Drain again: does the kernel still say what it said? */
static bool hint_stands(const struct access *a)
{
	struct ink_hint now;

	ink_ring_drain(a->hap->vm);
	return ink_hint_get(a->hap, a->page, &now) && now.gfn == a->hint.gfn &&
	       now.prot == a->hint.prot && now.token == a->hint.token;
}

static enum ink_verdict violation(const struct access *a, enum inktag_check check)
{
	ink_violation(a->hap, check, a->page,
		      check == INKTAG_CHECK_DESCRIPTOR ? U64_MAX : a->hint.gfn, a->hint.token);
	return INK_KILL;
}

static enum ink_verdict frame_error(const struct access *a, int err)
{
	switch (err) {
	case -EINPROGRESS:
		return INK_WAIT;
	case -EIO:
		return INK_LOST;
	case -EBADMSG:
		return violation(a, INKTAG_CHECK_TAG);
	case -EBUSY:
	case -EFAULT:
		return violation(a, INKTAG_CHECK_FRAME);
	default:
		return INK_NOMEM;
	}
}

/* Another page may stand there (zeros, until now): nobody may see it any more. */
static void clear(const struct access *a)
{
	ink_pt_clear(a->hap, a->page);
	ink_hap_flush(a->hap);
}

static enum ink_verdict map(const struct access *a, u64 pa, u32 prot, enum ink_pt_kind kind)
{
	clear(a);
	return ink_pt_map(a->hap, a->page, pa, prot, kind) ? INK_NOMEM : INK_MAPPED;
}

static enum ink_verdict resolve_uncloaked(const struct access *a)
{
	enum ink_verdict verdict;
	u64 pa;
	int err;

	if (ink_gfn_is_held(a->hap->vm, a->hint.gfn, 1))
		return violation(a, INKTAG_CHECK_FRAME);
	err = ink_slot_pin(a->hap->vm, a->hint.gfn, &pa);
	if (err)
		return frame_error(a, err);
	verdict = map(a, pa, prot_of(a) & ~INKTAG_PROT_EXEC, INK_PT_PINNED);
	if (verdict != INK_MAPPED) {
		ink_slot_unpin(a->hap->vm, pa);
		return verdict;
	}
	/* A report that came too late took the mapping with it. */
	return hint_stands(a) ? INK_MAPPED : INK_ASK;
}

static enum ink_verdict map_spage(const struct access *a, struct ink_spage *s)
{
	struct ink_mapping *m = ink_spage_mapping(s, a->hap);
	u32 prot = prot_of(a);

	if (a->access == INK_WRITE && s->state == INK_CLEAN && clean_write_dirty(s))
		return INK_NOMEM;
	if (s->state == INK_CLEAN || s->refs > 1)
		prot &= ~INKTAG_PROT_WRITE;
	if (m)				/* V3: one mapping */
		ink_pt_clear(a->hap, m->va);
	clear(a);
	return ink_spage_map(s, a->hap, a->page, prot) ? INK_NOMEM : INK_MAPPED;
}

/*
 * s shall stand where the kernel says. If it is plain elsewhere, and nobody wrote to it there, its ciphertext may be in
 * both frames: the kernel has read it in for each of those who share it since a fork, or has forgotten a page of
 * its swap cache that did not change. It moves; its other users will ask for it.
 */
static int open_at_hint(const struct access *a, struct ink_spage *s)
{
	if (s->state == INK_DIRTY)
		return -EBUSY;
	if (s->state == INK_CLEAN)
		clean_shut_cloaked(s);
	return cloaked_open_clean(s, a->hint.gfn);
}

/* Of a HAP that may be debugged, a debugger may have written to a page before it did. */
static bool is_filled(const struct access *a)
{
	struct ink_vm *vm = a->hap->vm;

	return ink_hap_is_shown(a->hap) &&
	       !ink_guest_read(vm, a->hint.gfn << INKTAG_PAGE_SHIFT, vm->bounce, INKTAG_PAGE_SIZE) &&
	       memcmp(vm->bounce, vm->zero, INKTAG_PAGE_SIZE);
}

/* A file's page: is known what is right? */
static int prepare_file(const struct access *a, struct ink_file *file, u64 index, struct ink_spage *s)
{
	int err;

	err = ink_file_ready(file, index, a->access);
	if (err)
		return err;
	if (s && s->doubt)
		return ink_gfn_is_held(a->hap->vm, a->hint.gfn, 1) ? -EBUSY : ink_file_recover(s, a->hint.gfn);
	/* Of a lost one a part cannot be written: the rest would be zeros, which nobody wrote. */
	return s && s->lost ? -EIO : 0;
}

static enum ink_verdict resolve_protected(const struct access *a)
{
	u64 serial = a->desc.oid[0];
	u64 index = a->desc.index + ((a->page - a->desc.addr) >> INKTAG_PAGE_SHIFT);
	struct ink_file *file = ink_object_file(a->hap, serial);
	struct ink_spage *s = ink_spage_find(a->hap, serial, index);
	bool filled;
	int err;

	if ((a->desc.kind == INKTAG_KIND_FILE) != !!file)
		return violation(a, INKTAG_CHECK_DESCRIPTOR);
	if (file) {
		err = prepare_file(a, file, index, s);
		if (err)
			return frame_error(a, err);
	}
	filled = !s && !file && is_filled(a);

	/* Of a shared object, another HAP may write to the page, which all must see then. */
	if (!s && a->access != INK_WRITE && !filled && !ink_object_is_shared(a->hap, serial)) {
		a->hap->vm->stats.zero_maps++;
		return map(a, ink_page_pa(a->hap->vm->zero), prot_of(a) & ~INKTAG_PROT_WRITE,
			   INK_PT_ZERO);
	}
	if (!s) {
		err = (filled ? absent_load_dirty : absent_bind_clean)(a->hap, serial, index, a->hint.gfn, &s);
		if (err)
			return frame_error(a, err);
		if (!hint_stands(a)) {
			any_drop_absent(a->hap, serial, index);
			return INK_ASK;
		}
	} else if (s->state == INK_CLOAKED || s->gfn != a->hint.gfn) {
		err = open_at_hint(a, s);
		if (err)
			return frame_error(a, err);
		if (!hint_stands(a)) {
			clean_shut_cloaked(s);
			return INK_ASK;
		}
	}
	if (a->access == INK_WRITE && s->refs > 1) {
		/* The kernel has not seen the fork yet: to it, both will have what is written now. */
		if (a->hap->forks)
			return INK_ASK;
		err = shared_take_dirty(a->hap, serial, index, &s);
		if (err)
			return frame_error(a, err);
	}
	return map_spage(a, s);
}

enum ink_verdict ink_resolve(struct ink_hap *hap, u64 va, u32 access, u64 *ask_va, u32 *ask_access)
{
	struct access a = {
		.hap = hap, .page = va & ~(INKTAG_PAGE_SIZE - 1), .access = access,
	};
	enum ink_verdict verdict;
	u64 array_va;
	int err;

	ink_assert_locked(hap->vm);
	*ask_va = a.page;
	*ask_access = access;
	if (a.page >= INKTAG_USER_END)
		return INK_ASK;		/* the program's own fault; the kernel tells it */
	for (;;) {
		if (ink_pt_allows(ink_pt_get(hap, a.page), access))
			return INK_MAPPED;
		if (!ink_hint_get(hap, a.page, &a.hint) || !(a.hint.prot & access))
			return INK_ASK;
		/* Entry 0 alone describes the array: judging a page of it needs no other page of it. */
		if (a.hint.token == INKTAG_TOKEN_NONE ||
		    (in_array(a.page) && a.hint.token != INKTAG_TOKEN_ARRAY))
			return violation(&a, INKTAG_CHECK_DESCRIPTOR);
		err = ink_desc_get(hap, a.hint.token, &a.desc, &array_va);
		if (err != -EAGAIN)
			break;
		/*
		 * Entry 0 is never read from memory, so this goes one step deep. Then all over again:
		 * the step drained the rings, our hint may be gone. Each round opens a page of the
		 * array, and nothing cloaks it meanwhile, so the rounds end.
		 */
		verdict = ink_resolve(hap, array_va, INK_READ, ask_va, ask_access);
		if (verdict != INK_MAPPED)
			return verdict;
		*ask_va = a.page;
		*ask_access = access;
	}
	if (err || a.page - a.desc.addr >= a.desc.npages << INKTAG_PAGE_SHIFT)
		return violation(&a, INKTAG_CHECK_DESCRIPTOR);
	if (!(a.desc.prot & access))
		return INK_ASK;		/* the kernel has not followed an mprotect yet */

	return a.desc.kind == INKTAG_KIND_UNCLOAKED ? resolve_uncloaked(&a) : resolve_protected(&a);
}
