// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mm.c - mappings. The kernel chooses addresses, keeps its own list and hands out frames; it
 * is believed only as far as the descriptor list confirms (I3, I5).
 *
 * One VMA of the kernel never has two descriptors: where a change cuts a descriptor, the
 * upper part first gets an entry and a token of its own (mm_cut()).
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include "launch.h"
#include "mm.h"
#include "protect.h"

#define NONE	INKTAG_TOKEN_NONE

/* Flags of mmap that are the kernel's business alone. */
#define FLAGS_PASSED	(MAP_NORESERVE | MAP_STACK | MAP_POPULATE | MAP_32BIT | MAP_LOCKED)
#define FLAGS_KNOWN	(FLAGS_PASSED | MAP_TYPE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_DENYWRITE | \
			 MAP_EXECUTABLE)

struct lock mm_lock;

/* By token: MM_*. */
static u8 what[INKTAG_DESC_MAX];

/* There was shared memory, or a window onto a file. Else all futexes are the process's own. */
static bool has_shared, has_windows;

static inline struct inktag_desc *desc(u32 token)
{
	return &mm_list.d[token];
}

static _Noreturn void mm_lie(const char *call, u64 addr, u32 token)
{
	shim_violation(INKTAG_CHECK_MMAP, addr, token,
		       "the kernel's answer to %s, address 0x%lx after mapping %ld, contradicts the list of mappings; "
		       "ending this program", call, addr, (long)token);
}

/* One change of mappings. Of what the kernel left, only its answers are copied, once: addr, prev. */
static long mm_request(long nr, struct inktag_mm *req)
{
	u64 mark = arena_mark();
	volatile struct inktag_mm *buf = arena_alloc(sizeof(*req));
	long r;

	if (!buf)
		return -ENOMEM;
	memcpy((void *)buf, req, sizeof(*req));
	r = checked(nr, hc_syscall_must(__NR_arch_prctl, ARCH_INKTAG_MM, (u64)buf, 0, 0, 0, 0), 0);
	if (!r) {
		req->addr = buf->addr;
		req->prev = buf->prev;
	}
	arena_release(mark);
	return r;
}

/* Removes the trusted mappings of a part of d; with drop, its content reads zero afterwards. That of a file stays. */
static void mm_forget(const struct inktag_desc *d, u64 addr, u64 len, bool drop)
{
	u64 index = d->index + (addr - d->addr) / INKTAG_PAGE_SIZE, npages = len / INKTAG_PAGE_SIZE, n;
	long r;

	for (; npages; npages -= n) {
		n = npages < INKTAG_UNMAP_MAX ? npages : INKTAG_UNMAP_MAX;
		r = hc_unmap(addr, n, drop && d->kind == INKTAG_KIND_PRIVATE ? d->oid[0] : 0, index);
		if (r < 0)
			shim_violation(INKTAG_CHECK_STATE, addr, r,
				       "the hypervisor refuses to unmap 0x%lx (error %ld); ending this program",
				       addr, -r);
		addr += n * INKTAG_PAGE_SIZE;
		index += n;
	}
}

/* The shim's own mappings are not the program's to change. */
static bool is_shims(u32 token)
{
	return token == INKTAG_TOKEN_ARRAY || token == LAUNCH_TOKEN_ARENA || what[token] & MM_OWN;
}

static bool has_object(u16 kind, u64 serial)
{
	u32 t;

	for (t = mm_list.head; t != NONE; t = desc(t)->next)
		if (desc(t)->kind == kind && desc(t)->oid[0] == serial)
			return true;
	return false;
}

bool mm_has_file(u64 serial)
{
	return has_object(INKTAG_KIND_FILE, serial);
}

/* The mapping was taken off the list: if it was the last of a shared object, this process gives that up. */
static void mm_leave(const struct inktag_desc *was)
{
	long r;

	if (has_object(was->kind, was->oid[0]))
		return;
	if (was->kind == INKTAG_KIND_FILE) {
		pfile_unmapped(was->oid[0]);
		return;
	}
	r = hc_share(was->oid[0], true);
	if (r)
		shim_violation(INKTAG_CHECK_STATE, was->addr, r,
			       "the hypervisor does not know the shared memory at 0x%lx (error %ld); ending this program",
			       (u64)was->addr, -r);
}

static bool in_fixed(u64 addr, u64 len)
{
	return addr < SHIM_FIXED_END && addr + len > SHIM_FIXED_BASE;
}

/* A descriptor boundary at addr, if a mapping contains it. The kernel's VMA is cut there too. */
static long mm_cut(long nr, u64 addr)
{
	u32 t = desc_find(&mm_list, addr), right;
	struct inktag_mm req = { .op = INKTAG_MM_TAG, .addr = addr };
	long r;

	if (t == NONE || desc(t)->addr == addr)
		return 0;
	right = desc_take(&mm_list);
	if (right == NONE)
		return -ENOMEM;
	req.token = right;
	req.len = desc_end(desc(t)) - addr;
	r = mm_request(nr, &req);
	if (r) {
		desc_give(&mm_list, right);
		return r;
	}
	desc_split(&mm_list, t, addr, right);
	what[right] = what[t];
	mm_forget(desc(right), addr, desc(right)->npages * INKTAG_PAGE_SIZE, false);
	return 0;
}

/* -EINVAL if the range touches what is the shim's; with `whole`, -ENOMEM if it has holes. */
static long mm_check(u64 addr, u64 len, bool whole)
{
	u64 end = addr + len, at = addr;
	u32 t = desc_below(&mm_list, addr);

	for (t = t == NONE ? mm_list.head : t; t != NONE && desc(t)->addr < end; t = desc(t)->next) {
		if (desc_end(desc(t)) <= addr)
			continue;
		if (is_shims(t))
			return -EINVAL;
		if (whole && desc(t)->addr > at)
			return -ENOMEM;
		at = desc_end(desc(t));
	}
	return whole && at < end ? -ENOMEM : 0;
}

/* The first mapping that ends above addr. */
static u32 mm_first(u64 addr)
{
	u32 t = desc_below(&mm_list, addr);

	if (t == NONE)
		return mm_list.head;
	return desc_end(desc(t)) > addr ? t : desc(t)->next;
}

/* Linux's PROT_* are INKTAG_PROT_*. On x86 what can be written or executed can be read. */
static u32 mm_prot(u64 prot)
{
	return prot & (INKTAG_PROT_WRITE | INKTAG_PROT_EXEC) ? prot | INKTAG_PROT_READ : prot;
}

long mm_map(long nr, const struct mm_wish *wish)
{
	u64 addr = wish->addr, len = wish->len, serial = wish->kind == INKTAG_KIND_PRIVATE ? mm_list.serial : wish->serial;
	bool fixed = wish->fixed;
	struct inktag_mm req = {
		.op = INKTAG_MM_MAP, .addr = addr, .len = len, .prot = wish->prot, .fd = wish->fd, .offset = wish->offset,
		.flags = (wish->flags & MAP_TYPE ? 0 : MAP_PRIVATE) | (wish->fd < 0 ? MAP_ANONYMOUS : 0) | wish->flags |
			 (fixed ? MAP_FIXED_NOREPLACE : 0),
		.kind = wish->kind == INKTAG_KIND_FILE ? INKTAG_KIND_FILE : 0,
	};
	u32 t = desc_take(&mm_list), prev;
	long r = 0;

	if (t == NONE)
		return -ENOMEM;
	req.token = t;
	if (wish->what & MM_SHARED)
		r = hc_share(serial, false);
	if (!r) {
		r = mm_request(nr, &req);
		if (r && wish->what & MM_SHARED)
			hc_share(serial, true);
	}
	if (r) {
		desc_give(&mm_list, t);
		return r == -ENOSPC ? -ENOMEM : r;
	}
	prev = fixed ? desc_below(&mm_list, addr) : req.prev;
	if (fixed ? req.addr != addr : !desc_range_ok(req.addr, len) || in_fixed(req.addr, len))
		mm_lie("mmap", req.addr, prev);
	if (req.flags & MAP_32BIT && req.addr + len > 1UL << 31)
		mm_lie("mmap", req.addr, prev);
	if (!desc_gap(&mm_list, prev, req.addr, len, NONE))
		mm_lie("mmap", req.addr, prev);
	*desc(t) = (struct inktag_desc){
		.addr = req.addr, .npages = len / INKTAG_PAGE_SIZE, .prot = wish->prot, .kind = wish->kind,
		.oid = { serial }, .index = wish->kind == INKTAG_KIND_FILE ? wish->offset / INKTAG_PAGE_SIZE : 0,
	};
	what[t] = wish->what;
	mm_list.serial += wish->kind == INKTAG_KIND_PRIVATE;
	desc_link(&mm_list, t, prev);
	return req.addr;
}

/* For the heap, whose range mm_map() keeps others out of. */
long mm_map_at(u64 addr, u64 len, u32 prot, u32 kernel_flags)
{
	return mm_map(__NR_brk, &(struct mm_wish){ .addr = addr, .len = len, .prot = prot, .flags = kernel_flags,
						   .kind = INKTAG_KIND_PRIVATE, .fd = -1, .fixed = true });
}

long mm_map_own(u64 len, u16 kind)
{
	long r;

	lock(&mm_lock);
	r = mm_map(__NR_mmap, &(struct mm_wish){ .len = len, .prot = INKTAG_PROT_READ | INKTAG_PROT_WRITE,
						 .flags = MAP_NORESERVE, .kind = kind, .what = MM_OWN, .fd = -1 });
	unlock(&mm_lock);
	return r;
}

long mm_tag_again(long nr, u64 addr)
{
	u32 t = desc_find(&mm_list, addr);
	struct inktag_mm req = {
		.op = INKTAG_MM_TAG, .token = t, .addr = addr, .len = desc(t)->npages * INKTAG_PAGE_SIZE,
	};

	return mm_request(nr, &req);
}

u8 mm_what(u64 addr, u64 *len)
{
	u32 t = desc_find(&mm_list, addr);

	if (t == NONE || desc(t)->addr != addr)
		return 0;
	*len = desc(t)->npages * INKTAG_PAGE_SIZE;
	return what[t];
}

long mm_free_range(u64 addr, u64 len, bool away)
{
	u32 t;
	long r;

	if (!desc_range_ok(addr, len) || in_fixed(addr, len))
		return -EINVAL;
	r = mm_check(addr, len, false);
	if (r || away)
		return r ? r : mm_unmap(addr, len);
	t = mm_first(addr);
	return t != NONE && desc(t)->addr < addr + len ? -EINVAL : 0;
}

u64 mm_serial(void)
{
	return mm_list.serial++;
}

void mm_shares_windows(void)
{
	has_windows = true;
}

bool mm_has_shared(void)
{
	return has_shared;
}

long mm_map_common(u64 len, u16 kind)
{
	return mm_map(__NR_mmap, &(struct mm_wish){ .len = len, .prot = INKTAG_PROT_READ | INKTAG_PROT_WRITE, .flags = MAP_SHARED,
						    .kind = kind, .fd = -1,
						    .what = MM_OWN | (kind == INKTAG_KIND_PRIVATE ? MM_SHARED : 0) });
}

enum futex_place mm_futex_place(u64 addr, u64 *name)
{
	enum futex_place place = FUTEX_OWN;
	const struct inktag_desc *d;
	u32 t;

	if (!has_shared && !has_windows)
		return FUTEX_OWN;
	lock(&mm_lock);
	t = desc_find(&mm_list, addr);
	if (t != NONE && what[t] & (MM_SHARED | MM_FILE)) {
		d = desc(t);
		*name = (what[t] & MM_FILE ? pfile_name(d->oid[0]) : (u64)d->oid[0] << 40) ^
			(d->index * INKTAG_PAGE_SIZE + (addr - d->addr));
		place = FUTEX_SHARED;
	} else if (t != NONE && desc(t)->kind == INKTAG_KIND_UNCLOAKED && !is_shims(t)) {
		place = FUTEX_KERNELS;
	}
	unlock(&mm_lock);
	return place;
}

bool mm_allows(u64 addr, u32 access)
{
	bool allows;
	u32 t;

	lock(&mm_lock);
	t = desc_find(&mm_list, addr);
	allows = t != NONE && desc(t)->prot & access && desc(t)->kind != INKTAG_KIND_FILE &&
		 (desc(t)->kind == INKTAG_KIND_PRIVATE || is_shims(t));
	unlock(&mm_lock);
	return allows;
}

void mm_unmap_own(u64 addr)
{
	u32 t;

	lock(&mm_lock);
	t = desc_find(&mm_list, addr);
	what[t] &= ~MM_OWN;
	mm_unmap(addr, desc(t)->npages * INKTAG_PAGE_SIZE);
	unlock(&mm_lock);
}

/* Extends the plain mapping that ends at `end`, in place. False: there is none, or it cannot. */
bool mm_grow(u64 end, u64 len)
{
	struct inktag_mm req = {
		.op = INKTAG_MM_MAP, .addr = end, .len = len, .prot = INKTAG_PROT_READ | INKTAG_PROT_WRITE, .fd = -1,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
	};
	u32 t = desc_find(&mm_list, end - 1);

	if (t == NONE || is_shims(t) || what[t] || desc(t)->prot != req.prot || !desc_gap(&mm_list, t, end, len, NONE) ||
	    !desc_may_grow(&mm_list, t, len / INKTAG_PAGE_SIZE))
		return false;
	req.token = t;
	if (mm_request(__NR_brk, &req))
		return false;
	if (req.addr != end)
		mm_lie("brk", req.addr, t);
	desc(t)->npages += len / INKTAG_PAGE_SIZE;
	return true;
}

/*
 * Descriptors first, then the trusted mappings and the content, then the kernel: it may reuse
 * the frames at once, and finds nothing to encrypt in them.
 */
long mm_unmap(u64 addr, u64 len)
{
	struct inktag_mm req = { .op = INKTAG_MM_UNMAP, .token = NONE, .addr = addr, .len = len };
	struct inktag_desc was;
	bool any = false;
	u32 t, next;
	long r;

	r = mm_check(addr, len, false);
	if (!r)
		r = mm_cut(__NR_munmap, addr);
	if (!r)
		r = mm_cut(__NR_munmap, addr + len);
	if (r)
		return r;
	for (t = mm_first(addr); t != NONE && desc(t)->addr < addr + len; t = next) {
		next = desc(t)->next;
		was = *desc(t);
		desc_unlink(&mm_list, t);
		desc_give(&mm_list, t);
		mm_forget(&was, was.addr, was.npages * INKTAG_PAGE_SIZE, true);
		if (what[t] & (MM_SHARED | MM_FILE))
			mm_leave(&was);
		what[t] = 0;
		any = true;
	}
	if (!any)
		return 0;
	/* Only whole VMAs are concerned, which needs no memory: there is no honest failure. */
	r = mm_request(__NR_munmap, &req);
	if (r)
		shim_lie(__NR_munmap, r, "unmapping whole mappings cannot fail");
	return 0;
}

long sys_munmap(long nr, const u64 args[6])
{
	u64 addr = args[0], len = PAGE_UP(args[1]);

	if (addr % INKTAG_PAGE_SIZE || !args[1] || !len || addr >= INKTAG_USER_END || len > INKTAG_USER_END - addr)
		return -EINVAL;
	return mm_unmap(addr, len);
}

static long mm_protect(u32 t, u32 prot)
{
	struct inktag_desc *d = desc(t);
	u64 len = d->npages * INKTAG_PAGE_SIZE;
	struct inktag_mm req = { .op = INKTAG_MM_PROTECT, .token = NONE, .addr = d->addr, .len = len, .prot = prot };
	u32 was = d->prot;
	long r;

	if (was == prot)
		return 0;
	if ((d->kind == INKTAG_KIND_UNCLOAKED && prot & INKTAG_PROT_EXEC) || (what[t] & MM_READONLY && prot & INKTAG_PROT_WRITE))
		return -EACCES;
	if (was & ~prot) {
		d->prot = was & prot;
		mm_forget(d, d->addr, len, false);
	}
	r = mm_request(__NR_mprotect, &req);
	if (r) {
		d->prot = was;
		return r;
	}
	d->prot = prot;
	if (prot & ~was)
		mm_forget(d, d->addr, len, false);
	return 0;
}

static long mm_protect_range(u64 addr, u64 len, u32 prot)
{
	u32 t;
	long r;

	r = mm_check(addr, len, true);
	if (!r)
		r = mm_cut(__NR_mprotect, addr);
	if (!r)
		r = mm_cut(__NR_mprotect, addr + len);
	for (t = mm_first(addr); !r && t != NONE && desc(t)->addr < addr + len; t = desc(t)->next)
		r = mm_protect(t, prot);
	return r;
}

long sys_mprotect(long nr, const u64 args[6])
{
	u64 addr = args[0], len = PAGE_UP(args[1]);

	if (addr % INKTAG_PAGE_SIZE || args[2] & ~(u64)INKTAG_PROT_MASK)
		return -EINVAL;
	if (!args[1])
		return 0;
	if (!len || addr >= INKTAG_USER_END || len > INKTAG_USER_END - addr)
		return -ENOMEM;
	return mm_protect_range(addr, len, mm_prot(args[2]));
}

/* A private file mapping is a copy: later changes of the file may or may not be seen by Linux's rules too. */
static long mm_fill(u64 addr, u64 len, u32 prot, int fd, u64 offset)
{
	long r = file_read(fd, (void *)addr, len, offset);

	if (r >= 0)
		r = mm_protect_range(addr, len, prot);
	if (r < 0) {
		mm_unmap(addr, len);
		if (r == -EBADF && hc_syscall_must(__NR_fcntl, fd, F_GETFL, 0, 0, 0, 0) >= 0)
			return -EACCES;		/* it is open, but not for reading */
		return r == -EISDIR || r == -ESPIPE ? -ENODEV : r;
	}
	return addr;
}

/* serial: of the protected file, 0: it is none. */
static long map(long nr, const u64 args[6], u64 serial, bool readonly)
{
	u64 addr = args[0], len = PAGE_UP(args[1]), flags = args[3], offset = args[5];
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE), anonymous = flags & MAP_ANONYMOUS;
	bool shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE, copied = !anonymous && !shared;
	u32 prot = mm_prot(args[2]);
	struct mm_wish wish = {
		.len = len, .flags = (flags & FLAGS_PASSED) | (shared ? MAP_SHARED : 0), .fixed = fixed, .fd = -1,
		.prot = copied ? INKTAG_PROT_READ | INKTAG_PROT_WRITE : prot, .kind = INKTAG_KIND_PRIVATE,
		.what = shared ? MM_SHARED : 0,
	};
	long r;

	if (!args[1] || args[2] & ~(u64)INKTAG_PROT_MASK)
		return -EINVAL;
	if (!len || len > INKTAG_USER_END)
		return -ENOMEM;
	if (!shared && (flags & MAP_TYPE) != MAP_PRIVATE)
		return -EINVAL;
	if (flags & ~(u64)FLAGS_KNOWN)
		return shim_missing(nr, " with these flags");
	if (!anonymous && offset % INKTAG_PAGE_SIZE)
		return -EINVAL;

	if (!fixed) {
		addr = PAGE_UP(addr);
		/* A hint that we could not accept is no hint. */
		if (!desc_range_ok(addr, len) || in_fixed(addr, len))
			addr = 0;
	} else {
		if (!desc_range_ok(addr, len) || in_fixed(addr, len))
			return -EINVAL;
		r = mm_check(addr, len, false);
		if (!r && flags & MAP_FIXED_NOREPLACE) {
			u32 t = mm_first(addr);

			if (t != NONE && desc(t)->addr < addr + len)
				r = -EEXIST;
		} else if (!r) {
			r = mm_unmap(addr, len);
		}
		if (r)
			return r;
	}
	wish.addr = addr;
	if (shared && !anonymous) {
		/* A window onto what is unprotected. The hypervisor executes nothing there. */
		if (prot & INKTAG_PROT_EXEC)
			return shim_missing(nr, " of a file, shared and executable");
		wish.kind = serial ? INKTAG_KIND_FILE : INKTAG_KIND_UNCLOAKED;
		wish.what = serial ? MM_FILE | (readonly ? MM_READONLY : 0) : 0;
		wish.fd = args[4];
		wish.offset = offset;
		wish.serial = serial;
	}
	r = mm_map(nr, &wish);
	if (!IS_ERR(r) && wish.what & (MM_SHARED | MM_FILE)) {
		has_shared = true;
		futex_share();
	}
	if (!IS_ERR(r) && wish.kind == INKTAG_KIND_UNCLOAKED)
		has_windows = true;
	if (IS_ERR(r) || !copied)
		return r;
	return mm_fill(r, len, prot, args[4], offset);
}

long sys_mmap(long nr, const u64 args[6])
{
	return map(nr, args, 0, false);
}

long mm_map_file(const u64 args[6], u64 serial, bool readonly)
{
	return map(__NR_mmap, args, serial, readonly);
}

u32 mm_files_in(u64 addr, u64 len, u64 *serials, u32 max)
{
	u32 t, i, n = 0;

	for (t = mm_first(addr); t != NONE && desc(t)->addr < addr + len && n <= max; t = desc(t)->next) {
		if (!(what[t] & MM_FILE))
			continue;
		for (i = 0; i < n && i < max && serials[i] != desc(t)->oid[0]; i++)
			;
		if (i < n)
			continue;
		if (n < max)
			serials[n] = desc(t)->oid[0];
		n++;
	}
	return n;
}

/* The kernel has moved or extended mapping t as *req says; the list follows. */
static void mm_moved(u32 t, const struct inktag_mm *req, bool may_move)
{
	struct inktag_desc *d = desc(t), was = *d;
	u64 old = d->addr;
	u32 prev = req->addr == old ? d->prev : req->prev;

	if (req->flags & MREMAP_FIXED) {
		prev = desc_below(&mm_list, req->addr);
		if (prev == t)
			prev = d->prev;
	}
	if ((req->addr != old && (!may_move || in_fixed(req->addr, req->len))) ||
	    (req->addr == old && in_fixed(old, 1) != in_fixed(old, req->len)) ||
	    !desc_gap(&mm_list, prev, req->addr, req->len, t))
		mm_lie("mremap", req->addr, prev);
	desc_unlink(&mm_list, t);
	d->addr = req->addr;
	d->npages = req->len / INKTAG_PAGE_SIZE;
	desc_link(&mm_list, t, prev);
	if (req->addr != old)
		mm_forget(&was, old, was.npages * INKTAG_PAGE_SIZE, false);
}

/* In place of the kernel's mremap, when the pages that t would grow by are elsewhere already. */
static long mm_move_by_copy(long nr, u32 t, u64 len, u64 flags, u64 to)
{
	u64 addr = desc(t)->addr, old_len = desc(t)->npages * INKTAG_PAGE_SIZE;
	u32 prot = desc(t)->prot;
	long r;

	if (!(flags & MREMAP_MAYMOVE) || what[t])
		return -ENOMEM;
	to = mm_map(nr, &(struct mm_wish){ .addr = flags & MREMAP_FIXED ? to : 0, .len = len, .fd = -1,
					   .prot = INKTAG_PROT_READ | INKTAG_PROT_WRITE, .kind = INKTAG_KIND_PRIVATE,
					   .fixed = flags & MREMAP_FIXED });
	if (IS_ERR(to))
		return to;
	r = prot & INKTAG_PROT_READ ? 0 : mm_protect_range(addr, old_len, prot | INKTAG_PROT_READ);
	if (!r)
		memcpy((void *)to, (const void *)addr, old_len);
	if (!r)
		r = mm_protect_range(to, len, prot);
	if (!r)
		r = mm_unmap(addr, old_len);
	if (r) {
		mm_protect_range(addr, old_len, prot);
		mm_unmap(to, len);
	}
	return r ? r : (long)to;
}

long sys_mremap(long nr, const u64 args[6])
{
	u64 addr = args[0], old_len = PAGE_UP(args[1]), len = PAGE_UP(args[2]), flags = args[3], to = args[4];
	struct inktag_mm req = { .op = INKTAG_MM_REMAP, .addr = addr };
	bool fixed = flags & MREMAP_FIXED;
	u32 t;
	long r;

	if (flags & ~(u64)(MREMAP_MAYMOVE | MREMAP_FIXED))
		return shim_missing(nr, " with these flags");
	if (addr % INKTAG_PAGE_SIZE || !old_len || !len || len > INKTAG_USER_END || old_len > INKTAG_USER_END ||
	    (fixed && !(flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	t = desc_find(&mm_list, addr);
	if (t == NONE || old_len > desc_end(desc(t)) - addr)
		return -EFAULT;
	if (is_shims(t))
		return -EINVAL;
	if (fixed && (!desc_range_ok(to, len) || in_fixed(to, len) || (to < addr + old_len && addr < to + len)))
		return -EINVAL;

	if (len < old_len) {
		r = mm_unmap(addr + len, old_len - len);
		if (r)
			return r;
		old_len = len;
	}
	if (len == old_len && !fixed)
		return addr;
	r = mm_cut(nr, addr);
	if (!r)
		r = mm_cut(nr, addr + old_len);
	if (!r && fixed)
		r = mm_unmap(to, len);
	if (r)
		return r;
	t = desc_find(&mm_list, addr);
	if (len > old_len && !desc_may_grow(&mm_list, t, (len - old_len) / INKTAG_PAGE_SIZE))
		return mm_move_by_copy(nr, t, len, flags, to);
	req.token = t;
	req.len = len;
	req.offset = old_len;
	req.flags = flags;
	req.prot = to;
	r = mm_request(nr, &req);
	if (r)
		return r;
	if (fixed && req.addr != to)
		mm_lie("mremap", req.addr, req.prev);
	mm_moved(t, &req, flags & MREMAP_MAYMOVE);
	return req.addr;
}

long sys_madvise(long nr, const u64 args[6])
{
	u64 addr = args[0], len = PAGE_UP(args[1]), end, from, to;
	u32 t;
	long r;

	if (addr % INKTAG_PAGE_SIZE || addr >= INKTAG_USER_END || len > INKTAG_USER_END - addr || (args[1] && !len))
		return -EINVAL;
	if (!len)
		return 0;
	end = addr + len;
	switch ((int)args[2]) {
	case MADV_DONTNEED:
		break;
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_FREE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_DODUMP:
	case MADV_DONTDUMP:
	case MADV_COLD:
	case MADV_PAGEOUT:
		/* Hints, none of which changes what the program reads. */
		return mm_check(addr, len, true);
	default:
		return -EINVAL;
	}
	r = mm_check(addr, len, true);
	if (r)
		return r;
	for (t = mm_first(addr); t != NONE && desc(t)->addr < end; t = desc(t)->next) {
		from = desc(t)->addr > addr ? desc(t)->addr : addr;
		to = desc_end(desc(t)) < end ? desc_end(desc(t)) : end;
		mm_forget(desc(t), from, to - from, true);
	}
	/* It reads zero already; the kernel gets its frames back, or not: that is its loss. */
	checked(nr, hc_syscall_must(nr, addr, len, MADV_DONTNEED, 0, 0, 0), 0);
	return 0;
}

/* Protected memory has nothing to be written back; the kernel finds what is not. */
long sys_msync(long nr, const u64 args[6])
{
	u64 addr = args[0], len = PAGE_UP(args[1]);
	long r;

	if (addr % INKTAG_PAGE_SIZE || args[2] & ~(u64)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) ||
	    (args[2] & MS_ASYNC && args[2] & MS_SYNC))
		return -EINVAL;
	if (addr >= INKTAG_USER_END || len > INKTAG_USER_END - addr)
		return -ENOMEM;
	if (!len)
		return 0;
	r = mm_check(addr, len, true);
	return r ? r : checked(nr, hc_syscall_must(nr, addr, len, args[2], 0, 0, 0), 0);
}
