// SPDX-License-Identifier: GPL-2.0-or-later
/* fake.c - see unit.h */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "unit.h"

struct fake fake;
u8 shim_protected = 1;
struct desc_list mm_list;

static u64 seed = 88172645463325252UL;

u32 rnd(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 16) % below;
}

int fake_page(u64 addr)
{
	if (addr >= WORLD_BASE && addr < WORLD_AT(WORLD_PAGES))
		return (addr - WORLD_BASE) / PAGE;
	if (addr >= INKTAG_HEAP_BASE && addr < INKTAG_HEAP_BASE + HEAP_PAGES * PAGE)
		return WORLD_PAGES + (addr - INKTAG_HEAP_BASE) / PAGE;
	return -1;
}

u64 fake_addr(int page)
{
	return page < WORLD_PAGES ? WORLD_AT(page) : INKTAG_HEAP_BASE + (page - WORLD_PAGES) * PAGE;
}

static void map_fixed(u64 addr, u64 len)
{
	static bool done;

	if (!done)
		must_be(mmap((void *)INKTAG_ARENA_BASE, INKTAG_ARENA_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)INKTAG_ARENA_BASE);
	done = true;
	must_be(mmap((void *)addr, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		(void *)addr);
}

void fake_reset(void)
{
	struct inktag_desc *d = (void *)INKTAG_DESC_BASE;
	u64 array = INKTAG_DESC_MAX * sizeof(*d);

	memset(&fake, 0, sizeof(fake));
	map_fixed(INKTAG_DESC_BASE, array);
	d[0] = (struct inktag_desc){ .addr = INKTAG_DESC_BASE, .npages = array / PAGE, .prot = 3,
				     .kind = INKTAG_KIND_PRIVATE, .prev = NONE, .next = 1 };
	d[1] = (struct inktag_desc){ .addr = INKTAG_ARENA_BASE, .npages = INKTAG_ARENA_SIZE / PAGE, .prot = 3,
				     .kind = INKTAG_KIND_UNCLOAKED, .prev = 0, .next = 2 };
	d[2] = (struct inktag_desc){ .addr = INKTAG_STACK_TOP - INKTAG_STACK_MAX, .npages = INKTAG_STACK_MAX / PAGE,
				     .oid = { 2 }, .prot = 3, .kind = INKTAG_KIND_PRIVATE, .prev = 1, .next = NONE };
	must_be(desc_adopt(&mm_list, d, INKTAG_DESC_MAX, 3));
	thread_init();
	sys_close_range(SYS_close_range, (const u64[6]){ 0, 0xffffffff });
	fake.calls = 0;
}

/* --- the honest kernel: ARCH_INKTAG_MM over the table of pages ---------------------------------- */

static bool is_free(int page, int n)
{
	for (; n; n--, page++)
		if (page < 0 || page >= ALL_PAGES || fake.page[page].mapped)
			return false;
	return true;
}

/* As Linux: anywhere. In the world only, the heap's pages are for who asks for them. */
static int find_free(int n)
{
	int tries, page;

	for (tries = 0; tries < 50; tries++) {
		page = rnd(WORLD_PAGES);
		if (page + n <= WORLD_PAGES && is_free(page, n))
			return page;
	}
	for (page = 0; page + n <= WORLD_PAGES; page++)
		if (is_free(page, n))
			return page;
	return -1;
}

bool fake_room(int n)
{
	return find_free(n) >= 0;
}

static u32 token_below(u64 addr)
{
	/* What the loader mapped counts, too. */
	u32 token = addr > INKTAG_STACK_TOP ? 2 : addr > INKTAG_ARENA_BASE ? 1 : NONE;
	u64 best = 0;
	int i;

	for (i = 0; i < ALL_PAGES; i++) {
		if (fake.page[i].mapped && fake_addr(i) < addr && fake_addr(i) >= best &&
		    (fake_addr(i) > INKTAG_STACK_TOP || addr < INKTAG_STACK_TOP)) {
			best = fake_addr(i);
			token = fake.page[i].token;
		}
	}
	return token;
}

/* Arenas are too big for the table. */
#define ARENAS_BASE	(WORLD_BASE + (1UL << 32))

void fake_memory(void)
{
	must_be(mmap((void *)WORLD_BASE, WORLD_PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)WORLD_BASE);
	fake.memory = true;
}

static long fake_map_arena(struct inktag_mm *m)
{
	m->addr = ARENAS_BASE + fake.arenas++ * m->len;
	m->prev = desc_below(&mm_list, m->addr);
	map_fixed(m->addr, m->len);
	return 0;
}

/* Windows of files, too. */
#define FILES_BASE	(WORLD_BASE + (1UL << 40))

static long fake_map_file(struct inktag_mm *m)
{
	static u64 next = FILES_BASE;
	const bool fixed = m->flags & MAP_FIXED_NOREPLACE;
	const u64 addr = fixed ? m->addr : next;

	if (mmap((void *)addr, m->len, m->prot, MAP_SHARED | MAP_FIXED_NOREPLACE, m->fd, m->offset) != (void *)addr)
		return -errno;
	if (!fixed)
		next += m->len + PAGE;
	m->addr = addr;
	m->prev = desc_below(&mm_list, addr);
	return 0;
}

static long fake_change_file(const struct inktag_mm *m)
{
	if (m->op == INKTAG_MM_UNMAP)
		return munmap((void *)m->addr, m->len) ? -errno : 0;
	if (m->op == INKTAG_MM_PROTECT)
		return mprotect((void *)m->addr, m->len, m->prot) ? -errno : 0;
	return 0;
}

static long fake_map(struct inktag_mm *m)
{
	int page = fake_page(m->addr), n = m->len / PAGE, i;

	if (fake.memory && m->len == INKTAG_ARENA_SIZE)
		return fake_map_arena(m);
	if (fake.files && m->fd >= 0)
		return fake_map_file(m);
	if (!(m->flags & MAP_FIXED_NOREPLACE) && (page < 0 || !is_free(page, n) || page + n > WORLD_PAGES)) {
		page = find_free(n);
		if (page < 0)
			return -ENOMEM;
	}
	if (page < 0)
		return -ENOMEM;
	if (!is_free(page, n))
		return -EEXIST;
	for (i = page; i < page + n; i++)
		fake.page[i] = (struct kpage){ true, m->token, m->prot };
	m->addr = fake_addr(page);
	m->prev = token_below(m->addr);
	if (fake.files)
		must_be(mmap((void *)m->addr, m->len, PROT_READ | PROT_WRITE, (m->flags & MAP_TYPE) | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
			(void *)m->addr);
	return 0;
}

static long fake_remap(struct inktag_mm *m)
{
	int page = fake_page(m->addr), old = m->offset / PAGE, n = m->len / PAGE, to, i;
	u32 prot = fake.page[page].prot;

	for (i = page; i < page + old; i++)
		must(fake.page[i].mapped && fake.page[i].token == fake.page[page].token, "remap of page %d", i);
	if (m->flags & MREMAP_FIXED) {
		to = fake_page(m->prot);
		if (!is_free(to, n))
			return -EINVAL;
	} else if (page + n <= ALL_PAGES && is_free(page + old, n - old) && (page < WORLD_PAGES) == (page + n <= WORLD_PAGES)) {
		to = page;
	} else if (m->flags & MREMAP_MAYMOVE) {
		to = find_free(n);
		if (to < 0)
			return -ENOMEM;
	} else {
		return -ENOMEM;
	}
	for (i = page; i < page + old; i++)
		fake.page[i].mapped = false;
	for (i = to; i < to + n; i++)
		fake.page[i] = (struct kpage){ true, m->token, prot };
	m->addr = fake_addr(to);
	m->prev = token_below(m->addr);
	return 0;
}

static long fake_change(struct inktag_mm *m)
{
	int page = fake_page(m->addr), n = m->len / PAGE, i;

	if (fake.files && m->addr >= FILES_BASE)
		return fake_change_file(m);
	for (i = page; m->op != INKTAG_MM_UNMAP && i < page + n; i++)
		if (i < 0 || i >= ALL_PAGES || !fake.page[i].mapped)
			return -ENOMEM;
	for (i = page; i < page + n; i++) {
		/* An unmapping may go beyond the world, but not over into the heap. */
		if (i < 0 || i >= ALL_PAGES || (page < WORLD_PAGES && i >= WORLD_PAGES))
			continue;
		if (m->op == INKTAG_MM_UNMAP)
			fake.page[i].mapped = false;
		else if (m->op == INKTAG_MM_PROTECT)
			fake.page[i].prot = m->prot;
		if (m->token != NONE)
			fake.page[i].token = m->token;
	}
	return 0;
}

long hc_syscall(long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	return fake_cancels() ? -EINTR : hc_syscall_must(nr, a0, a1, a2, a3, a4, a5);
}

long hc_syscall_must(long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	const u64 args[6] = { a0, a1, a2, a3, a4, a5 };
	struct inktag_mm *m = (void *)a1;
	long r;

	fake.calls++;
	if (nr == SYS_write && a0 == 2) {
		memcpy(fake.said, (void *)a1, a2 < sizeof(fake.said) ? a2 : sizeof(fake.said) - 1);
		return a2;
	}
	if (nr != SYS_arch_prctl || a0 != ARCH_INKTAG_MM)
		return fake.answer ? fake.answer(nr, args) : 0;
	must(a1 >= ARENA_BUF && a1 + sizeof(*m) <= ARENA_BUF_END, "a request outside the arena");
	/* Unmapping whole mappings cannot fail (mm_unmap()). */
	if (m->op != INKTAG_MM_UNMAP && fake.fail_in && !--fake.fail_in)
		return -ENOMEM;
	r = m->op == INKTAG_MM_MAP ? fake_map(m) : m->op == INKTAG_MM_REMAP ? fake_remap(m) : fake_change(m);
	if (fake.lie)
		fake.lie(m, &r);
	return r;
}

long hc_unmap(u64 addr, u64 npages, u64 serial, u64 index)
{
	must_be(!(addr % PAGE) && npages && npages <= INKTAG_UNMAP_MAX && addr + npages * PAGE <= INKTAG_USER_END);
	if (fake.unmap)
		fake.unmap(addr, npages, serial, index);
	return 0;
}

long hc_violation(enum inktag_check check, u64 addr, u64 arg)
{
	fake_ended();
	fake.check = check;
	fake.addr = addr;
	fake.arg = arg;
	longjmp(fake.end, 1);
}

_Noreturn void hc_exit(int code)
{
	fake_ended();
	fake.arg = code;
	longjmp(fake.end, 2);
}

long hc_set_fsbase(u64 base)
{
	fake.addr = base;
	return 0;
}

void hc_signal_regs(struct inktag_regs *regs, bool set)
{
	if (set)
		fake.regs = *regs;
	else
		*regs = fake.regs;
	fake.regs_set += set;
}

/* fake_files.c has files. */
__attribute__((weak)) long hc_share(u64 serial, bool leave)
{
	return 0;
}

__attribute__((weak)) long hc_file_name(enum inktag_name_op op, const char *paths, u64 size, struct file_name *out)
{
	abort();
}

__attribute__((weak)) long hc_file_open(u64 serial, const u64 oid[2])
{
	abort();
}

__attribute__((weak)) long hc_file_length(u64 serial, enum inktag_length_op op, u64 length)
{
	abort();
}

__attribute__((weak)) long hc_file_sync(u64 serial, enum inktag_sync_op op, u64 arg)
{
	abort();
}

void fake_hap(u64 hap)
{
	fake.hap = hap;
	fake.living |= 1UL << hap;
}

long hc_ended(u64 hap)
{
	return hap ? hap >= 64 || !(fake.living >> hap & 1) : fake.hap;
}

long hc_random(u64 out[4])
{
	memcpy(out, fake.random, sizeof(fake.random));
	fake.random[0]++;
	return 0;
}

long hc_clock(u64 *realtime, u64 *boottime)
{
	*realtime = fake.realtime;
	*boottime = fake.boottime;
	return 0;
}

bool lies(long nr, const u64 args[6])
{
	u64 mark = arena_mark();

	if (ended()) {
		arena_release(mark);
		must(fake.check == INKTAG_CHECK_SYSCALL, "check %d", fake.check);
		return true;
	}
	fake.result = dispatch(nr, args);
	must(arena_mark() == mark, "the arena is not as before");
	return false;
}
