// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_desc.c - the descriptor list beside a naive twin: an array of pages, each with the token
 * and the object page that it maps. Every question to the list is asked of the twin as well.
 */
#include <string.h>
#include "unit.h"

#define PAGES	300
#define BASE	0x7f0000000000UL
#define MAX	96

static struct inktag_desc array[MAX];
static struct desc_list list;
static struct {
	u32 token;	/* NONE: nothing there */
	u64 serial, index;
} twin[PAGES];

static u64 addr_of(int page)
{
	return BASE + page * PAGE;
}

/* The array's own entry, somewhere in the middle of the world, as in a fresh HAP. */
static void start(void)
{
	int i;

	memset(array, 0, sizeof(array));
	array[0] = (struct inktag_desc){ .addr = addr_of(150), .npages = 4, .prot = 3, .kind = INKTAG_KIND_PRIVATE,
					 .prev = NONE, .next = NONE };
	for (i = 0; i < PAGES; i++)
		twin[i].token = NONE;
	for (i = 150; i < 154; i++) {
		twin[i].token = 0;
		twin[i].serial = 0;
		twin[i].index = i - 150;
	}
	must_be(desc_adopt(&list, array, MAX, 1));
}

/* All of the list against all of the twin. */
static void compare(void)
{
	u32 t, prev = NONE, used = 0;
	u64 last = 0;
	int i;

	for (t = list.head; t != NONE; prev = t, t = array[t].next) {
		must(++used <= MAX, "the list has a loop");
		must(!t || desc_is_valid(&array[t]), "entry %u", t);
		must(array[t].prev == prev, "link of %u", t);
		must(array[t].addr >= last, "order of %u", t);
		last = desc_end(&array[t]);
		for (i = 0; i < (int)array[t].npages; i++) {
			int page = (array[t].addr - BASE) / PAGE + i;

			must(twin[page].token == t && twin[page].serial == array[t].oid[0] &&
			     twin[page].index == array[t].index + i, "page %d of token %u", page, t);
		}
	}
	for (i = 0; i < PAGES; i++)
		must((twin[i].token == NONE) == (desc_find(&list, addr_of(i)) == NONE), "page %d", i);
	for (t = 0, i = 0; t < list.fresh; t++)
		i += array[t].kind != INKTAG_KIND_NONE;
	must(i == (int)used, "%d entries have a kind, %u are linked", i, used);
}

static u32 twin_below(int page)
{
	for (; page >= 0; page--)
		if (twin[page].token != NONE)
			return twin[page].token;
	return NONE;
}

static bool twin_free(int page, int n)
{
	for (; n; n--, page++)
		if (page >= PAGES || twin[page].token != NONE)
			return false;
	return true;
}

/* desc_gap() holds for exactly one prev, and only if the range is free. */
static void ask_gap(int page, int n)
{
	u32 prev, right = twin_below(page);
	bool fits = twin_free(page, n);

	for (prev = 0; prev < MAX + 3; prev++)
		must(desc_gap(&list, prev, addr_of(page), n * PAGE, NONE) == (fits && prev == right),
		     "gap at %d, %d pages, after %u", page, n, prev);
	must_be(desc_gap(&list, NONE, addr_of(page), n * PAGE, NONE) == (fits && right == NONE));
	must_be(!desc_gap(&list, right, addr_of(page) + 8, n * PAGE, NONE));
	must_be(!desc_gap(&list, right, addr_of(page), n * PAGE + 8, NONE));
	must_be(!desc_gap(&list, right, addr_of(page), -(u64)PAGE, NONE));
	must_be(!desc_gap(&list, right, addr_of(page), 0, NONE));
}

/* The same for a mapping that is about to move: as if it were not there. */
static void ask_gap_moving(int page, int n)
{
	u32 token = twin[rnd(PAGES)].token, right = NONE, prev;
	bool fits = page + n <= PAGES;
	int i;

	if (token == NONE || !token)
		return;
	for (i = page; i < page + n && fits; i++)
		fits = twin[i].token == NONE || twin[i].token == token;
	for (i = page; i >= 0 && right == NONE; i--)
		if (twin[i].token != token)
			right = twin[i].token;
	for (prev = 0; prev < MAX; prev++)
		must(desc_gap(&list, prev, addr_of(page), n * PAGE, token) == (fits && prev == right),
		     "gap at %d, %d pages, after %u, while %u moves", page, n, prev, token);
}

static void op_link(void)
{
	int n = 1 + rnd(6), page = rnd(PAGES - n + 1), i;
	u32 t, prev;

	ask_gap(page, n);
	ask_gap_moving(page, n);
	if (!twin_free(page, n))
		return;
	t = desc_take(&list);
	if (t == NONE) {
		must(list.free == NONE && list.fresh == MAX, "none is left");
		return;
	}
	prev = twin_below(page);
	must(array[t].kind == INKTAG_KIND_NONE && !array[t].addr && !array[t].next, "a taken entry is clean");
	array[t] = (struct inktag_desc){ .addr = addr_of(page), .npages = n, .oid = { list.serial++ }, .prot = 3,
					 .kind = INKTAG_KIND_PRIVATE, .index = rnd(100) };
	desc_link(&list, t, prev);
	for (i = 0; i < n; i++) {
		twin[page + i].token = t;
		twin[page + i].serial = array[t].oid[0];
		twin[page + i].index = array[t].index + i;
	}
}

static void op_unlink(void)
{
	u32 t = twin[rnd(PAGES)].token;
	int i;

	if (t == NONE || !t)
		return;
	desc_unlink(&list, t);
	desc_give(&list, t);
	for (i = 0; i < PAGES; i++)
		if (twin[i].token == t)
			twin[i].token = NONE;
}

static void op_split(void)
{
	int page = 1 + rnd(PAGES - 1), i;
	u32 t = twin[page].token, right;

	if (t == NONE || !t || twin[page - 1].token != t)
		return;
	right = desc_take(&list);
	if (right == NONE)
		return;
	desc_split(&list, t, addr_of(page), right);
	for (i = page; i < PAGES && twin[i].token == t; i++)
		twin[i].token = right;
}

static void op_join(void)
{
	int page = 1 + rnd(PAGES - 1), i;
	u32 t = twin[page - 1].token, next = twin[page].token;

	if (t == NONE || next == NONE || t == next || !t || !next || twin[page - 1].serial != twin[page].serial ||
	    twin[page - 1].index + 1 != twin[page].index)
		return;
	desc_join(&list, t);
	for (i = 0; i < PAGES; i++)
		if (twin[i].token == next)
			twin[i].token = t;
}

START_TEST(twin_random)
{
	static void (*const ops[])(void) = { op_link, op_link, op_unlink, op_split, op_join };
	int i, page;

	start();
	for (i = 0; i < 20000; i++) {
		ops[rnd(ARRAY_SIZE(ops))]();
		page = rnd(PAGES);
		must_be(desc_below(&list, addr_of(page) + rnd(PAGE)) == twin_below(page));
		must_be(desc_find(&list, addr_of(page) + rnd(PAGE)) == twin[page].token);
		if (i % 16 == 0)
			compare();
	}
}
END_TEST

START_TEST(serials_are_fresh)
{
	static struct inktag_desc a[4];

	a[0] = (struct inktag_desc){ .addr = BASE, .npages = 1, .prot = 3, .kind = INKTAG_KIND_PRIVATE, .prev = NONE, .next = 1 };
	a[1] = a[0];
	a[1].addr += PAGE;
	a[1].oid[0] = 4711;
	a[1].prev = 0;
	a[1].next = NONE;
	must_be(desc_adopt(&list, a, 4, 2) && list.serial == 4712);
}
END_TEST

static bool naive_valid(const struct inktag_desc *d, bool array)
{
	if (d->kind == INKTAG_KIND_PRIVATE || (d->kind == INKTAG_KIND_FILE && !array) ?
		    array != !d->oid[0] || d->oid[0] >= INKTAG_SERIAL_END :
	    d->kind != INKTAG_KIND_UNCLOAKED || array || d->prot & 4 || d->oid[0] || d->index)
		return false;
	return !d->oid[1] && !d->flags && !d->reserved && d->prot <= 7 && d->npages && !(d->addr % PAGE) && d->addr >= 0x10000 &&
	       (unsigned __int128)d->addr + (unsigned __int128)d->npages * PAGE <= INKTAG_USER_END &&
	       (unsigned __int128)d->index + d->npages <= INKTAG_INDEX_END;
}

/* Well-formed by the simplest means: all entries valid, each pair apart, links as sorting says. */
static bool naive_adopt(const struct inktag_desc *a, u32 n)
{
	u32 i, k, prev, next;

	for (i = 0; i < n; i++) {
		if (!naive_valid(&a[i], i == INKTAG_TOKEN_ARRAY))
			return false;
		prev = next = NONE;
		for (k = 0; k < n; k++) {
			if (k == i)
				continue;
			if (a[k].addr < a[i].addr + a[i].npages * PAGE && a[i].addr < a[k].addr + a[k].npages * PAGE)
				return false;
			if (a[k].addr < a[i].addr && (prev == NONE || a[k].addr > a[prev].addr))
				prev = k;
			if (a[k].addr > a[i].addr && (next == NONE || a[k].addr < a[next].addr))
				next = k;
		}
		if (a[i].prev != prev || a[i].next != next)
			return false;
	}
	return true;
}

START_TEST(adopt_damaged)
{
	static const u64 values[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 4096, 0x7ffffffff000, -1UL, -4096UL, 1UL << 36, 1UL << 52,
				      NONE, BASE, BASE + 4 * PAGE };
	static const u64 at[] = { 20, 0, 10, 30, 40 };
	struct inktag_desc good[5], a[5];
	unsigned int i, k, word, accepted = 0;
	u32 t;

	for (t = 0; t < 5; t++)
		good[t] = (struct inktag_desc){ .addr = addr_of(at[t]), .npages = 1 + t, .oid = { t }, .prot = 3,
						.kind = INKTAG_KIND_PRIVATE, .prev = NONE, .next = NONE };
	/* 1, 2, 0, 3, 4 */
	good[1].next = 2; good[2].prev = 1; good[2].next = 0; good[0].prev = 2;
	good[0].next = 3; good[3].prev = 0; good[3].next = 4; good[4].prev = 3;
	must_be(naive_adopt(good, 5) && desc_adopt(&list, good, 5, 5) && list.head == 1);
	for (i = 0; i < 100000; i++) {
		memcpy(a, good, sizeof(a));
		for (k = 0; k <= rnd(2); k++) {
			word = rnd(sizeof(a) / 4);
			((u32 *)a)[word] = rnd(3) ? values[rnd(ARRAY_SIZE(values))] : (u32)(values[rnd(ARRAY_SIZE(values))] >> 32);
		}
		accepted += naive_adopt(a, 5);
		must(desc_adopt(&list, a, 5, 5) == naive_adopt(a, 5), "round %u", i);
	}
	must_be(accepted > 100 && accepted < 90000);
}
END_TEST

SUITE(desc, 120,
      { twin_random }, { serials_are_fresh }, { adopt_damaged })
