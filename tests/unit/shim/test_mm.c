// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_mm.c - mmap and its kin over an honest kernel, one that runs out of memory, and one that
 * lies. What the program sees is kept in a naive twin: for each page whether it is mapped, with
 * which protection, and a number as its content. The content itself is kept per object page, as
 * the hypervisor has it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/mman.h>
#include <string.h>
#include <sys/syscall.h>
#include "unit.h"

#define RW	3

static struct view {
	bool mapped;
	u32 prot, value;
} view[ALL_PAGES];

/* The hypervisor's: (serial, index) to content. Absent ones read 0. */
static struct {
	u64 serial, index;
	u32 value;
} content[ALL_PAGES * 2];
static unsigned int contents;
static u64 heap_top;

static u32 *content_of(u64 serial, u64 index, bool make)
{
	unsigned int i;

	for (i = 0; i < contents; i++)
		if (content[i].serial == serial && content[i].index == index)
			return &content[i].value;
	if (!make)
		return NULL;
	must_be(contents < ARRAY_SIZE(content));
	content[contents].serial = serial;
	content[contents].index = index;
	content[contents].value = 0;
	return &content[contents++].value;
}

static void dropped(u64 addr, u64 npages, u64 serial, u64 index)
{
	unsigned int i;

	for (i = 0; serial && i < contents;) {
		if (content[i].serial == serial && content[i].index >= index && content[i].index < index + npages)
			content[i] = content[--contents];
		else
			i++;
	}
}

static u32 *at_page(int page, bool make)
{
	u32 t = desc_find(&mm_list, fake_addr(page));
	const struct inktag_desc *d = &mm_list.d[t];

	must(t != NONE, "page %d has no descriptor", page);
	return content_of(d->oid[0], d->index + (fake_addr(page) - d->addr) / PAGE, make);
}

/* mm.c's: copies content from page to page of the world. */
void *world_memcpy(void *to, const void *from, size_t n);

void *world_memcpy(void *to, const void *from, size_t n)
{
	int page = fake_page((u64)to), source = fake_page((u64)from);
	u32 *value;

	if (page < 0)
		return memcpy(to, from, n);
	for (; n; n -= PAGE, page++, source++) {
		value = at_page(source, false);
		if (value)
			*at_page(page, true) = *value;
	}
	return to;
}

static void write_pages(int page, int n)
{
	static u32 next = 1;

	for (; n; n--, page++)
		if (page >= 0 && page < ALL_PAGES && view[page].mapped)
			*at_page(page, true) = view[page].value = next++;
}

/* List, kernel and twin say the same of each page, and no content is left that nobody can see. */
static void compare(void)
{
	unsigned int seen = 0;
	int i;

	for (i = 0; i < ALL_PAGES; i++) {
		u32 t = desc_find(&mm_list, fake_addr(i)), *value;

		must((t != NONE) == view[i].mapped, "page %d: token %d, mapped %d", i, (int)t, view[i].mapped);
		must(fake.page[i].mapped == view[i].mapped, "page %d: the kernel disagrees", i);
		if (t == NONE)
			continue;
		must(fake.page[i].token == t, "page %d: token %u, the kernel's %u", i, t, fake.page[i].token);
		must(mm_list.d[t].prot == view[i].prot && fake.page[i].prot == view[i].prot, "page %d: protection", i);
		value = at_page(i, false);
		must((value ? *value : 0) == view[i].value, "page %d: content %u, not %u", i, value ? *value : 0,
		     view[i].value);
		seen += value != NULL;
	}
	must(seen == contents, "%u pages of content cannot be seen", contents - seen);
}

static void fresh(void)
{
	fake_reset();
	fake.unmap = dropped;
	memset(view, 0, sizeof(view));
	contents = 0;
	heap_top = sys_brk(SYS_brk, (const u64[6]){ INKTAG_HEAP_BASE });
	must_be(heap_top == INKTAG_HEAP_BASE);
}

static void see(u64 addr, u64 len, bool mapped, u32 prot)
{
	u64 at;

	for (at = addr; at < addr + len; at += PAGE)
		if (fake_page(at) >= 0)
			view[fake_page(at)] = (struct view){ mapped, mapped ? prot : 0, 0 };
}

static long do_mmap(u64 addr, u64 len, u32 prot, u64 flags)
{
	long r = sys_mmap(SYS_mmap, (const u64[6]){ addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1UL, 0 });

	if (!IS_ERR(r))
		see(r, PAGE_UP(len), true, prot & 6 ? prot | 1 : prot);
	return r;
}

static long do_munmap(u64 addr, u64 len)
{
	long r = sys_munmap(SYS_munmap, (const u64[6]){ addr, len });

	if (!r)
		see(addr, PAGE_UP(len), false, 0);
	return r;
}

static bool all_mapped(int page, int n)
{
	for (; n; n--, page++)
		if (page >= ALL_PAGES || !view[page].mapped)
			return false;
	return true;
}

static int some_page(void)
{
	int page = rnd(WORLD_PAGES), i;

	for (i = 0; i < 50 && !view[page].mapped; i++)
		page = rnd(WORLD_PAGES);
	return page;
}

static void op_mmap(bool failing)
{
	u64 n = 1 + rnd(9), at = rnd(WORLD_PAGES - 9);
	long r = do_mmap(rnd(2) ? 0 : WORLD_AT(at) + rnd(PAGE), n * PAGE - rnd(PAGE), rnd(8), 0);

	must(failing || !IS_ERR(r) || (r == -ENOMEM && !fake_room(n)), "mmap: %ld", r);
	if (!IS_ERR(r))
		write_pages(fake_page(r), n);
}

static void op_mmap_fixed(bool failing)
{
	u64 n = 1 + rnd(9), at = rnd(WORLD_PAGES - 9);
	bool keep = rnd(2), any = false;
	u64 i;
	long r;

	for (i = 0; i < n; i++)
		any |= view[at + i].mapped;
	r = do_mmap(WORLD_AT(at), n * PAGE, RW, keep ? MAP_FIXED_NOREPLACE : MAP_FIXED);
	if (keep && any)
		must(r == -EEXIST, "mmap where something is: %ld", r);
	else
		must(failing || r == (long)WORLD_AT(at), "mmap at a fixed address: %ld", r);
	/* Like Linux's, it may have unmapped before it failed. */
	if (IS_ERR(r) && !keep)
		for (i = 0; i < n; i++)
			if (desc_find(&mm_list, WORLD_AT(at + i)) == NONE)
				see(WORLD_AT(at + i), PAGE, false, 0);
	if (!IS_ERR(r))
		write_pages(at, n);
}

static void op_munmap(bool failing)
{
	int page = rnd(3) ? some_page() : (int)rnd(WORLD_PAGES), n = 1 + rnd(8);
	long r = do_munmap(WORLD_AT(page), n * PAGE);

	must(failing || !r, "munmap: %ld", r);
}

static void op_mprotect(bool failing)
{
	int page = some_page(), n = 1 + rnd(6), i;
	u32 prot = rnd(8), is = prot & 6 ? prot | 1 : prot;
	bool all = page + n <= WORLD_PAGES && all_mapped(page, n);
	long r = sys_mprotect(SYS_mprotect, (const u64[6]){ WORLD_AT(page), n * PAGE, prot });

	must(failing || r == (all ? 0 : -ENOMEM), "mprotect: %ld", r);
	for (i = page; i < page + n && all; i++) {
		/* A failure may come half way. */
		u32 now = mm_list.d[desc_find(&mm_list, WORLD_AT(i))].prot;

		must(now == is || (r && now == view[i].prot), "mprotect left %u", now);
		view[i].prot = now;
	}
}

static void op_mremap(bool failing)
{
	int page = some_page(), old = 1 + rnd(6), n = 1 + rnd(12), to = rnd(WORLD_PAGES - 12), i;
	u64 flags = rnd(3) ? MREMAP_MAYMOVE : 0;
	bool one = page + old <= WORLD_PAGES && all_mapped(page, old);
	u32 t = desc_find(&mm_list, WORLD_AT(page));
	struct view was[6];
	long r;

	if (flags && !rnd(3)) {
		flags |= MREMAP_FIXED;
		if (to < page + old && page < to + n)
			return;
	}
	for (i = page + 1; i < page + old && one; i++)
		one = desc_find(&mm_list, WORLD_AT(i)) == t;
	memcpy(was, &view[page], sizeof(*was) * (page + old <= ALL_PAGES ? old : 0));
	r = sys_mremap(SYS_mremap, (const u64[6]){ WORLD_AT(page), old * PAGE, n * PAGE, flags, WORLD_AT(to) });
	if (!one) {
		must(r == -EFAULT, "mremap of more than a mapping: %ld", r);
		return;
	}
	must(!IS_ERR(r) || failing || r == -ENOMEM, "mremap: %ld", r);
	if (IS_ERR(r)) {
		/* The target was unmapped, or the end given up, before the failure. */
		for (i = 0; flags & MREMAP_FIXED && i < n; i++)
			if (desc_find(&mm_list, WORLD_AT(to + i)) == NONE)
				see(WORLD_AT(to + i), PAGE, false, 0);
		for (i = page + n; i < page + old; i++)
			if (desc_find(&mm_list, WORLD_AT(i)) == NONE)
				see(WORLD_AT(i), PAGE, false, 0);
		return;
	}
	must(!(flags & MREMAP_FIXED) || r == (long)WORLD_AT(to), "mremap to a fixed address: 0x%lx", r);
	must(flags || r == (long)WORLD_AT(page), "mremap that may not move: 0x%lx", r);
	see(WORLD_AT(page), old * PAGE, false, 0);
	see(r, n * PAGE, true, was[0].prot);
	for (i = 0; i < n && i < old; i++)
		view[fake_page(r) + i] = was[i];
	if (n > old)
		write_pages(fake_page(r) + old, n - old);
}

static void op_madvise(bool failing)
{
	int page = some_page(), n = 1 + rnd(6), i;
	bool all = page + n <= WORLD_PAGES && all_mapped(page, n);
	int advice = rnd(2) ? MADV_DONTNEED : MADV_FREE;
	long r = sys_madvise(SYS_madvise, (const u64[6]){ WORLD_AT(page), n * PAGE, advice });

	must(r == (all ? 0 : -ENOMEM), "madvise: %ld", r);
	for (i = page; i < page + n && all && advice == MADV_DONTNEED; i++)
		view[i].value = 0;
}

static void op_brk(bool failing)
{
	u64 to = INKTAG_HEAP_BASE + rnd(HEAP_PAGES * PAGE + 1), end = PAGE_UP(heap_top), new_end = PAGE_UP(to);
	u64 r = sys_brk(SYS_brk, (const u64[6]){ to });

	must(r == to || (failing && r == heap_top), "brk: 0x%lx, not 0x%lx", r, to);
	if (r != to)
		return;
	if (new_end > end) {
		see(end, new_end - end, true, RW);
		write_pages(fake_page(end), (new_end - end) / PAGE);
	} else if (new_end < end) {
		see(new_end, end - new_end, false, 0);
	}
	heap_top = to;
}

/* What is no answer is not read. */
static void scribble(struct inktag_mm *m, long *r)
{
	u64 addr = m->addr;
	u32 prev = m->prev;

	memset(m, 0xff, sizeof(*m));
	m->addr = addr;
	m->prev = prev;
}

static void run(int rounds, bool failing)
{
	static void (*const ops[])(bool failing) = { op_mmap, op_mmap, op_mmap_fixed, op_munmap, op_munmap, op_mprotect,
						     op_mremap, op_mremap, op_madvise, op_brk };
	static int i;

	fresh();
	fake.lie = scribble;
	for (i = 0; i < rounds; i++) {
		/* The request of the operation that fails, if it makes as many. */
		fake.fail_in = failing ? rnd(4) : 0;
		if (ended())
			ck_abort_msg("violation in round %d: %s", i, fake.said);
		ops[rnd(ARRAY_SIZE(ops))](failing);
		compare();
	}
}

START_TEST(honest)
{
	run(4000, false);
}
END_TEST

START_TEST(out_of_memory)
{
	run(4000, true);
}
END_TEST

START_TEST(refused)
{
	fresh();
	must_be(do_mmap(0, 0, RW, 0) == -EINVAL);
	must_be(do_mmap(0, PAGE, 8, 0) == -EINVAL);
	must_be(do_mmap(0, -1UL, RW, 0) == -ENOMEM);
	must_be(do_mmap(0, INKTAG_USER_END, RW, MAP_FIXED) == -EINVAL);
	must_be(do_mmap(0, PAGE, RW, MAP_FIXED) == -EINVAL);
	must_be(do_mmap(INKTAG_DESC_BASE, PAGE, RW, MAP_FIXED) == -EINVAL);
	must_be(do_mmap(INKTAG_ARENA_BASE - PAGE, 2 * PAGE, RW, MAP_FIXED) == -EINVAL);
	must_be(do_mmap(INKTAG_STACK_TOP - PAGE, PAGE, RW, MAP_FIXED) == -EINVAL);
	must_be(do_mmap(WORLD_BASE + 1, PAGE, RW, MAP_FIXED) == -EINVAL);
	must_be(sys_mmap(SYS_mmap, (const u64[6]){ 0, PAGE, RW, MAP_ANONYMOUS, -1UL, 0 }) == -EINVAL);
	must_be(sys_mmap(SYS_mmap, (const u64[6]){ 0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1UL, 0 }) == -ENOSYS);
	must_be(do_munmap(INKTAG_DESC_BASE, PAGE) == -EINVAL);
	must_be(do_munmap(INKTAG_DESC_BASE - PAGE, 2 * PAGE) == -EINVAL);
	must_be(do_munmap(INKTAG_ARENA_BASE, INKTAG_ARENA_SIZE) == -EINVAL);
	must_be(do_munmap(0x10000, INKTAG_USER_END - 0x10000) == -EINVAL);
	must_be(do_munmap(WORLD_BASE, 0) == -EINVAL);
	must_be(do_munmap(WORLD_BASE, -PAGE) == -EINVAL);
	must_be(sys_mprotect(SYS_mprotect, (const u64[6]){ INKTAG_ARENA_BASE, PAGE, 5 }) == -EINVAL);
	must_be(sys_mremap(SYS_mremap, (const u64[6]){ INKTAG_ARENA_BASE, PAGE, 2 * PAGE, 1 }) == -EINVAL);
	must_be(sys_madvise(SYS_madvise, (const u64[6]){ INKTAG_DESC_BASE, PAGE, MADV_DONTNEED }) == -EINVAL);
	must_be(sys_brk(SYS_brk, (const u64[6]){ INKTAG_HEAP_BASE + INKTAG_HEAP_MAX + 1 }) == (long)INKTAG_HEAP_BASE);
	compare();
	must_be(!fake.calls || fake.said[0]);
}
END_TEST

START_TEST(no_more_entries)
{
	u32 max;

	fresh();
	max = mm_list.max;
	mm_list.max = mm_list.fresh + 2;
	must_be(!IS_ERR(do_mmap(WORLD_AT(0), 5 * PAGE, RW, 0)));
	must_be(!IS_ERR(do_mmap(WORLD_AT(10), PAGE, RW, 0)));
	must_be(do_mmap(WORLD_AT(20), PAGE, RW, 0) == -ENOMEM);
	must_be(do_munmap(WORLD_AT(1), PAGE) == -ENOMEM);
	must_be(sys_mprotect(SYS_mprotect, (const u64[6]){ WORLD_AT(1), PAGE, 1 }) == -ENOMEM);
	compare();
	must_be(!do_munmap(WORLD_AT(10), PAGE));
	must_be(!do_munmap(WORLD_AT(3), 2 * PAGE));
	mm_list.max = max;
	compare();
}
END_TEST

/* --- lies ---------------------------------------------------------------------------------------- */

static u64 false_addr;
static u32 false_prev;

static void lie_addr(struct inktag_mm *m, long *r)
{
	if (m->op == INKTAG_MM_MAP || m->op == INKTAG_MM_REMAP)
		m->addr = false_addr;
}

static void lie_prev(struct inktag_mm *m, long *r)
{
	if (m->op == INKTAG_MM_MAP || m->op == INKTAG_MM_REMAP)
		m->prev = false_prev;
}

static void lie_result(struct inktag_mm *m, long *r)
{
	*r = false_addr;
}

/* What the call does must end in a violation of that check. */
#define must_end(c, call) do {									\
	fake.check = 0;										\
	if (!ended()) {										\
		call;										\
		ck_abort_msg("not found out: 0x%lx, %u", false_addr, false_prev);		\
	}											\
	must(fake.check == (c), "check %d", fake.check);					\
} while (0)

START_TEST(false_addresses)
{
	static const u64 addrs[] = {
		0, 1, PAGE, 0xf000, WORLD_BASE + 1, WORLD_AT(8), WORLD_AT(9), WORLD_AT(14), WORLD_AT(11),
		INKTAG_DESC_BASE, INKTAG_DESC_BASE - PAGE, INKTAG_ARENA_BASE, INKTAG_HEAP_BASE + PAGE, INKTAG_STACK_TOP - PAGE,
		INKTAG_STACK_TOP - INKTAG_STACK_MAX - 64 * PAGE, INKTAG_USER_END - PAGE, INKTAG_USER_END, -PAGE, -1UL,
		0xffff800000000000,
	};
	static unsigned int i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		fresh();
		must_be(do_mmap(WORLD_AT(10), 5 * PAGE, RW, 0) == (long)WORLD_AT(10));
		false_addr = addrs[i];
		fake.lie = lie_addr;
		must_end(INKTAG_CHECK_MMAP, do_mmap(WORLD_AT(30), 3 * PAGE, RW, 0));
		must(fake.addr == addrs[i], "reported 0x%lx", fake.addr);
	}
}
END_TEST

static void lie_both(struct inktag_mm *m, long *r)
{
	lie_addr(m, r);
	lie_prev(m, r);
}

/* Free addresses with their right neighbour, which are the program's own all the same. */
START_TEST(reserved_addresses)
{
	static const u64 addrs[] = {
		INKTAG_HEAP_BASE, INKTAG_HEAP_BASE + INKTAG_HEAP_MAX, INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE,
		INKTAG_STACK_TOP - INKTAG_STACK_MAX - 3 * PAGE,
	};
	const u64 grow[6] = { WORLD_AT(10), 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE };
	static unsigned int i;

	false_prev = 1;
	for (i = 0; i < 2 * ARRAY_SIZE(addrs); i++) {
		fresh();
		do_mmap(WORLD_AT(10), 2 * PAGE, RW, 0);
		do_mmap(WORLD_AT(12), 2 * PAGE, RW, 0);
		false_addr = addrs[i / 2];
		must_be(desc_gap(&mm_list, 1, false_addr, 3 * PAGE, NONE));
		fake.lie = lie_both;
		if (i % 2)
			must_end(INKTAG_CHECK_MMAP, do_mmap(WORLD_AT(30), 3 * PAGE, RW, 0));
		else
			must_end(INKTAG_CHECK_MMAP, sys_mremap(SYS_mremap, grow));
	}
}
END_TEST

START_TEST(false_neighbours)
{
	u32 right;

	fresh();
	must_be(!IS_ERR(do_mmap(WORLD_AT(10), PAGE, RW, 0)));
	right = desc_find(&mm_list, WORLD_AT(10));
	for (false_prev = 0; false_prev < 12; false_prev++) {
		fresh();
		do_mmap(WORLD_AT(10), PAGE, RW, 0);
		do_mmap(WORLD_AT(40), PAGE, RW, 0);
		fake.lie = lie_prev;
		if (false_prev == right) {
			must_be(do_mmap(WORLD_AT(20), PAGE, RW, 0) == (long)WORLD_AT(20));
			continue;
		}
		must_end(INKTAG_CHECK_MMAP, do_mmap(WORLD_AT(20), PAGE, RW, 0));
		must(fake.arg == false_prev, "reported %lu", fake.arg);
	}
	for (false_prev = NONE - 3; false_prev; false_prev++) {
		fresh();
		do_mmap(WORLD_AT(10), PAGE, RW, 0);
		fake.lie = lie_prev;
		must_end(INKTAG_CHECK_MMAP, do_mmap(WORLD_AT(20), PAGE, RW, 0));
	}
}
END_TEST

START_TEST(false_moves)
{
	static const u64 addrs[] = { 0, WORLD_AT(40), WORLD_AT(39), WORLD_AT(20) + 8, INKTAG_HEAP_BASE, INKTAG_USER_END, -PAGE };
	const u64 grow[6] = { WORLD_AT(10), 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE };
	const u64 stay[6] = { WORLD_AT(10), 2 * PAGE, 4 * PAGE, 0 };
	const u64 place[6] = { WORLD_AT(10), 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, WORLD_AT(60) };
	static unsigned int i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		fresh();
		do_mmap(WORLD_AT(10), 2 * PAGE, RW, 0);
		do_mmap(WORLD_AT(40), 2 * PAGE, RW, 0);
		false_addr = addrs[i];
		fake.lie = lie_addr;
		must_end(INKTAG_CHECK_MMAP, sys_mremap(SYS_mremap, grow));
	}
	/* Moved although it may not; not where it must go; grown over its neighbour. */
	for (i = 0; i < 3; i++) {
		fresh();
		do_mmap(WORLD_AT(10), 2 * PAGE, RW, 0);
		if (i == 2)
			do_mmap(WORLD_AT(13), PAGE, RW, 0);
		false_addr = i == 2 ? WORLD_AT(10) : WORLD_AT(80);
		fake.lie = lie_addr;
		must_end(INKTAG_CHECK_MMAP, sys_mremap(SYS_mremap, i == 0 ? stay : i == 1 ? place : grow));
	}
}
END_TEST

START_TEST(false_results)
{
	static const u64 results[] = { 1, 5, -4096UL, 1UL << 63, WORLD_BASE };
	static unsigned int i;

	for (i = 0; i < ARRAY_SIZE(results); i++) {
		fresh();
		do_mmap(WORLD_AT(10), 5 * PAGE, RW, 0);
		false_addr = results[i];
		fake.lie = lie_result;
		must_end(INKTAG_CHECK_SYSCALL, do_mmap(WORLD_AT(20), PAGE, RW, 0));
		must_be(fake.addr == SYS_mmap && fake.arg == results[i]);
		fresh();
		do_mmap(WORLD_AT(10), 5 * PAGE, RW, 0);
		fake.lie = lie_result;
		must_end(INKTAG_CHECK_SYSCALL, do_munmap(WORLD_AT(10), PAGE));
	}
	/* Not below 2 GiB. */
	fresh();
	false_addr = (1UL << 31) - PAGE;
	fake.lie = lie_addr;
	must_end(INKTAG_CHECK_MMAP, sys_mmap(SYS_mmap, (const u64[6]){
		0, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0 }));
	/* A heap that stands elsewhere. */
	fresh();
	false_addr = WORLD_AT(3);
	fake.lie = lie_addr;
	must_end(INKTAG_CHECK_MMAP, sys_brk(SYS_brk, (const u64[6]){ INKTAG_HEAP_BASE + PAGE }));
}
END_TEST

SUITE(mm, 120,
      { honest }, { out_of_memory }, { refused }, { no_more_entries }, { false_addresses }, { reserved_addresses },
      { false_neighbours }, { false_moves }, { false_results })
