/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * desc.h - the descriptor array: the program's own list of its mappings (I3, I5).
 *
 * Entries in use are linked in address order and do not overlap. Freed entries are kept in a
 * list of their own, linked through next; entries from `fresh` on were never used and read as
 * zero. Serials of private objects are never used twice.
 *
 * Plain data-structure code: no hypercalls, no system calls. The hypervisor reads an entry
 * only while it judges a fault of ours, so no order of stores inside a function matters.
 */
#ifndef SHIM_DESC_H
#define SHIM_DESC_H

#include "shim.h"

struct desc_list {
	struct inktag_desc *d;	/* the array */
	u32 max;		/* entries in it */
	u32 head;		/* lowest mapping; never NONE, the array describes itself */
	u32 free;		/* freed entries */
	u32 fresh;
	u64 serial;		/* of the next object */
};

/*
 * Makes a list of the array as the loader left it, `count` entries at its start. False if
 * they are not one well-formed list. Only structure is checked here, not which mappings there
 * should be.
 */
bool desc_adopt(struct desc_list *l, struct inktag_desc *array, u32 max, u32 count);

/* All rules of one entry but the array's own; of a range that a mapping may have. */
bool desc_is_valid(const struct inktag_desc *d);
bool desc_range_ok(u64 addr, u64 len);

/* A free entry, all zero; INKTAG_TOKEN_NONE: none left. desc_give() takes it back. */
u32 desc_take(struct desc_list *l);
void desc_give(struct desc_list *l, u32 token);

/* The mapping that contains addr; the last that begins at or below it. Or NONE. */
u32 desc_find(const struct desc_list *l, u64 addr);
u32 desc_below(const struct desc_list *l, u64 addr);

/*
 * Is prev a mapping (or NONE: "before all"), and does [addr, addr + len) lie wholly between it
 * and its successor? In constant time; prev may be any number at all. `skip` is a mapping
 * that is about to move, and counts as absent (NONE: no such).
 */
bool desc_gap(const struct desc_list *l, u32 prev, u64 addr, u64 len, u32 skip);

/* Links the filled entry token in after prev, for which desc_gap() holds. */
void desc_link(struct desc_list *l, u32 token, u32 prev);
void desc_unlink(struct desc_list *l, u32 token);

/*
 * May the mapping have npages more at its end? Not if another mapping, cut off from it and moved
 * away, has these pages of the object.
 */
bool desc_may_grow(const struct desc_list *l, u32 token, u64 npages);

/* Cuts a mapping at addr, inside it; `right`, from desc_take(), becomes the upper part. */
void desc_split(struct desc_list *l, u32 token, u64 addr, u32 right);
/* Undoes it: the successor, which continues the same object, is joined and given back. */
void desc_join(struct desc_list *l, u32 token);

static inline u64 desc_end(const struct inktag_desc *d)
{
	return d->addr + d->npages * INKTAG_PAGE_SIZE;
}

#endif
