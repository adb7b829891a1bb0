// SPDX-License-Identifier: GPL-2.0-or-later
/* plan.c - see loader.h */
#include "loader.h"

static void add(struct plan *p, u64 start, u64 end, u32 prot, u32 kind, u64 filled, const struct segment *s)
{
	struct mapping *m = &p->mapping[p->count];

	*m = (struct mapping){ .start = start, .end = end, .token = p->count, .prot = prot, .kind = kind,
			       .filled = filled, .segment = s };
	p->array[p->count] = (struct inktag_desc){
		.addr = start, .npages = (end - start) / PAGE, .prot = prot, .kind = kind,
		.oid = { kind == INKTAG_KIND_PRIVATE ? p->count : 0 },
		.prev = INKTAG_TOKEN_NONE, .next = INKTAG_TOKEN_NONE,
	};
	p->count++;
}

/* The links between the entries, in address order. */
static void link_all(struct plan *p)
{
	u32 t, other;

	for (t = 0; t < p->count; t++) {
		for (other = 0; other < p->count; other++) {
			u64 addr = p->array[other].addr;

			if (addr < p->array[t].addr &&
			    (p->array[t].prev == INKTAG_TOKEN_NONE || addr > p->array[p->array[t].prev].addr))
				p->array[t].prev = other;
			if (addr > p->array[t].addr &&
			    (p->array[t].next == INKTAG_TOKEN_NONE || addr < p->array[p->array[t].next].addr))
				p->array[t].next = other;
		}
	}
}

void plan_make(struct plan *p, const struct image *im)
{
	u32 i, rw = INKTAG_PROT_READ | INKTAG_PROT_WRITE;

	*p = (struct plan){ .image = im, .end = { im->entry, INKTAG_STACK_TOP, im->attributes } };
	/* In the order of enum launch_token. */
	add(p, INKTAG_DESC_BASE, INKTAG_DESC_BASE + INKTAG_DESC_MAX * sizeof(struct inktag_desc), rw,
	    INKTAG_KIND_PRIVATE, PAGE, NULL);
	add(p, INKTAG_ARENA_BASE, INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE, rw, INKTAG_KIND_UNCLOAKED, 0, NULL);
	add(p, INKTAG_STACK_TOP - INKTAG_STACK_MAX, INKTAG_STACK_TOP, rw, INKTAG_KIND_PRIVATE, 0, NULL);
	for (i = 0; i < im->segments; i++) {
		const struct segment *s = &im->segment[i];

		add(p, s->start, s->end, s->prot, INKTAG_KIND_PRIVATE,
		    s->filesz ? PAGE_UP(s->vaddr + s->filesz) - s->start : 0, s);
	}
	link_all(p);
}

void plan_page(const struct plan *p, const struct mapping *m, u64 addr, u8 page[PAGE])
{
	const struct segment *s = m->segment;
	u64 from, to;

	if (!s) {
		memcpy(page, p->array, PAGE);
		return;
	}
	memset(page, 0, PAGE);
	from = addr > s->vaddr ? addr : s->vaddr;
	to = addr + PAGE < s->vaddr + s->filesz ? addr + PAGE : s->vaddr + s->filesz;
	if (from < to)
		memcpy(page + (from - addr), p->image->file + s->offset + (from - s->vaddr), to - from);
}
