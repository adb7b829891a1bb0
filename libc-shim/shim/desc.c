// SPDX-License-Identifier: LGPL-2.1-or-later
/* desc.c - see desc.h */
#include "desc.h"

#define NONE	INKTAG_TOKEN_NONE

/* As Linux's mmap_min_addr: an answer of the kernel must not turn NULL into a valid pointer. */
#define LOWEST	0x10000UL

bool desc_range_ok(u64 addr, u64 len)
{
	return len && !(addr % INKTAG_PAGE_SIZE) && !(len % INKTAG_PAGE_SIZE) && addr >= LOWEST &&
	       addr < INKTAG_USER_END && len <= INKTAG_USER_END - addr;
}

bool desc_is_valid(const struct inktag_desc *d)
{
	return inktag_desc_is_valid(d) && d->addr >= LOWEST;
}

/* Serial 0 is the array's own object, and no other's. */
static bool array_is_valid(const struct inktag_desc *d)
{
	struct inktag_desc other = *d;

	other.oid[0] = 1;
	return !d->oid[0] && d->kind == INKTAG_KIND_PRIVATE && desc_is_valid(&other);
}

bool desc_adopt(struct desc_list *l, struct inktag_desc *array, u32 max, u32 count)
{
	u32 t, next, seen = 1;

	*l = (struct desc_list){ .d = array, .max = max, .head = 0, .free = NONE, .fresh = count };
	for (t = 0; t < count; t++) {
		if (!(t == INKTAG_TOKEN_ARRAY ? array_is_valid(&array[t]) : desc_is_valid(&array[t])))
			return false;
		if (array[t].oid[0] >= l->serial)
			l->serial = array[t].oid[0] + 1;
	}
	/* Links in both directions from the array's own entry, each step strictly upwards. */
	while (array[l->head].prev != NONE) {
		t = array[l->head].prev;
		if (t >= count || array[t].next != l->head || ++seen > count)
			return false;
		l->head = t;
	}
	seen = 1;
	for (t = l->head; array[t].next != NONE; t = next) {
		next = array[t].next;
		if (next >= count || array[next].prev != t || desc_end(&array[t]) > array[next].addr || ++seen > count)
			return false;
	}
	return seen == count;
}

u32 desc_take(struct desc_list *l)
{
	u32 t = l->free;

	if (t != NONE) {
		l->free = l->d[t].next;
		memset(&l->d[t], 0, sizeof(l->d[t]));
		return t;
	}
	if (l->fresh == l->max)
		return NONE;
	return l->fresh++;
}

void desc_give(struct desc_list *l, u32 token)
{
	memset(&l->d[token], 0, sizeof(l->d[token]));
	l->d[token].next = l->free;
	l->free = token;
}

u32 desc_below(const struct desc_list *l, u64 addr)
{
	u32 t, below = NONE;

	for (t = l->head; t != NONE && l->d[t].addr <= addr; t = l->d[t].next)
		below = t;
	return below;
}

u32 desc_find(const struct desc_list *l, u64 addr)
{
	u32 t = desc_below(l, addr);

	return t != NONE && addr < desc_end(&l->d[t]) ? t : NONE;
}

bool desc_gap(const struct desc_list *l, u32 prev, u64 addr, u64 len, u32 skip)
{
	u32 next = l->head;

	if (!desc_range_ok(addr, len))
		return false;
	if (prev != NONE) {
		if (prev >= l->fresh || prev == skip || l->d[prev].kind == INKTAG_KIND_NONE)
			return false;
		if (addr < desc_end(&l->d[prev]))
			return false;
		next = l->d[prev].next;
	}
	if (next != NONE && next == skip)
		next = l->d[next].next;
	return next == NONE || addr + len <= l->d[next].addr;
}

void desc_link(struct desc_list *l, u32 token, u32 prev)
{
	u32 next = prev == NONE ? l->head : l->d[prev].next;

	l->d[token].prev = prev;
	l->d[token].next = next;
	if (prev == NONE)
		l->head = token;
	else
		l->d[prev].next = token;
	if (next != NONE)
		l->d[next].prev = token;
}

void desc_unlink(struct desc_list *l, u32 token)
{
	u32 prev = l->d[token].prev, next = l->d[token].next;

	if (prev == NONE)
		l->head = next;
	else
		l->d[prev].next = next;
	if (next != NONE)
		l->d[next].prev = prev;
}

bool desc_may_grow(const struct desc_list *l, u32 token, u64 npages)
{
	const struct inktag_desc *d = &l->d[token], *o;
	u64 from = d->index + d->npages;
	u32 t;

	if (npages > INKTAG_INDEX_END - from)
		return false;
	for (t = l->head; t != NONE; t = o->next) {
		o = &l->d[t];
		if (t != token && o->kind == INKTAG_KIND_PRIVATE && o->oid[0] == d->oid[0] &&
		    o->index < from + npages && from < o->index + o->npages)
			return false;
	}
	return true;
}

void desc_split(struct desc_list *l, u32 token, u64 addr, u32 right)
{
	struct inktag_desc *d = &l->d[token], *r = &l->d[right];
	u64 left = (addr - d->addr) / INKTAG_PAGE_SIZE;

	*r = *d;
	r->addr = addr;
	r->npages -= left;
	if (r->kind == INKTAG_KIND_PRIVATE || r->kind == INKTAG_KIND_FILE)
		r->index += left;
	d->npages = left;
	desc_link(l, right, token);
}

void desc_join(struct desc_list *l, u32 token)
{
	u32 next = l->d[token].next;

	l->d[token].npages += l->d[next].npages;
	desc_unlink(l, next);
	desc_give(l, next);
}
