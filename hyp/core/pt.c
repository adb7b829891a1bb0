// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pt.c - a HAP's trusted page table: virtual address to host-physical page, four levels,
 * only 4 KiB leaves, only user addresses. AMD64 manual volume 2, 5.3 "Long-Mode Page
 * Translation". A and D are set from the start: the hardware never writes to the tables.
 */
#include "inktag.h"

#define PTE_P		(1ULL << 0)
#define PTE_W		(1ULL << 1)
#define PTE_U		(1ULL << 2)
#define PTE_A		(1ULL << 5)
#define PTE_D		(1ULL << 6)
#define PTE_KIND_SHIFT	9		/* bits 9 to 11 are software's */
#define PTE_KIND_MASK	(7ULL << PTE_KIND_SHIFT)
#define PTE_NX		(1ULL << 63)
#define PTE_PA		0x000ffffffffff000ULL

#define PT_LEVELS	4
#define PT_ENTRIES	512

static unsigned int pt_slot(u64 va, int level)
{
	return va >> (INKTAG_PAGE_SHIFT + 9 * level) & (PT_ENTRIES - 1);
}

/* The leaf entry's place. NULL: a table is missing, and could not be or was not to be made. */
static u64 *pt_leaf(struct ink_hap *hap, u64 va, bool make)
{
	u64 *table = hap->root;
	void *page;
	int level;

	for (level = PT_LEVELS - 1; level > 0; level--) {
		u64 *entry = &table[pt_slot(va, level)];

		if (!*entry) {
			page = make ? ink_frame_alloc(hap->vm) : NULL;
			if (!page)
				return NULL;
			WRITE_ONCE(*entry, ink_page_pa(page) | PTE_P | PTE_W | PTE_U | PTE_A);
		}
		table = ink_page_va(*entry & PTE_PA);
	}
	return &table[pt_slot(va, 0)];
}

u64 ink_pt_get(struct ink_hap *hap, u64 va)
{
	u64 *leaf = pt_leaf(hap, va, false);

	return leaf ? *leaf : 0;
}

bool ink_pt_is(u64 pte, enum ink_pt_kind kind)
{
	return pte && (pte & PTE_KIND_MASK) >> PTE_KIND_SHIFT == kind;
}

bool ink_pt_allows(u64 pte, u32 access)
{
	if (!pte)
		return false;
	if (access == INK_WRITE)
		return pte & PTE_W;
	if (access == INK_EXEC)
		return !(pte & PTE_NX);
	return true;
}

bool ink_pt_writable(u64 pte)
{
	return ink_pt_allows(pte, INK_WRITE);
}

u64 ink_pt_pa(u64 pte)
{
	return pte & PTE_PA;
}

int ink_pt_map(struct ink_hap *hap, u64 va, u64 pa, u32 prot, enum ink_pt_kind kind)
{
	u64 *leaf = pt_leaf(hap, va, true);
	u64 pte = pa | PTE_P | PTE_U | PTE_A | PTE_D | (u64)kind << PTE_KIND_SHIFT;

	if (!leaf)
		return hap->vm->frames >= hap->vm->limits.frames ? -ENOSPC : -ENOMEM;
	if (prot & INKTAG_PROT_WRITE)
		pte |= PTE_W;
	if (!(prot & INKTAG_PROT_EXEC))
		pte |= PTE_NX;
	WRITE_ONCE(*leaf, pte);
	return 0;
}

void ink_pt_clear(struct ink_hap *hap, u64 va)
{
	u64 *leaf = pt_leaf(hap, va, false);
	struct ink_mapping *m;
	struct ink_spage *s;
	struct ink_hint hint;
	u64 pte;

	if (!leaf || !*leaf)
		return;
	pte = *leaf;
	WRITE_ONCE(*leaf, 0);
	WRITE_ONCE(hap->tlb_gen, hap->tlb_gen + 1);
	hap->unflushed = true;

	if (ink_pt_is(pte, INK_PT_PINNED)) {
		if (hap->nr_unpin == INK_MAX_UNPIN)
			ink_hap_flush(hap);
		hap->unpin[hap->nr_unpin++] = pte & PTE_PA;
		hap->unflushed = true;
	} else if (ink_pt_is(pte, INK_PT_PRIVATE) && ink_hint_get(hap, va, &hint)) {
		/* V3, V4: the hint names the frame that the spage holds */
		s = ink_map_get(&hap->vm->held, hint.gfn);
		m = s ? ink_spage_mapping(s, hap) : NULL;
		if (m && m->va == va)
			ink_spage_unmapped(s, hap);
	}
}

static void pt_free(struct ink_hap *hap, u64 *table, int level)
{
	int i;

	for (i = 0; level > 0 && i < PT_ENTRIES; i++)
		if (table[i])
			pt_free(hap, ink_page_va(table[i] & PTE_PA), level - 1);
	ink_frame_free(hap->vm, table);
	ink_relax();
}

void ink_pt_free(struct ink_hap *hap)
{
	ink_tlb_assert_flushed(hap);
	pt_free(hap, hap->root, PT_LEVELS - 1);
	hap->root = NULL;
}

void ink_hap_flush(struct ink_hap *hap)
{
	if (!hap->unflushed)
		return;
	ink_tlb_flush(hap);
	hap->unflushed = false;
	while (hap->nr_unpin)
		ink_slot_unpin(hap->vm, hap->unpin[--hap->nr_unpin]);
}
