// SPDX-License-Identifier: GPL-2.0-or-later
/* launch.c - makes the mappings of the plan in this very process, and becomes the program. */
#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/errno.h>
#include <linux/mman.h>
#include "loader.h"

/* A page may be swapped out between touching it and giving it. */
#define ADD_TRIES	100

#define ARENA_INFO	(INKTAG_ARENA_BASE + PAGE)
#define ARENA_START	(INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE - PAGE)	/* struct inktag_start */
#define ARENA_USTACK	ARENA_START

/* entry.S: the stub and what ends the process after it. */
extern const u8 stub_code[], stub_code_end[];
_Noreturn void enter_program(u64 entry, u64 sp);

static long hypercall(u64 nr, u64 rbx, u64 rcx, u64 rdx, u64 rsi)
{
	long r;

	asm volatile("vmmcall" : "=a"(r) : "a"(nr), "b"(rbx), "c"(rcx), "d"(rdx), "S"(rsi) : "memory");
	return r;
}

u64 auxv_get(const u64 *auxv, u64 type)
{
	for (; *auxv != AT_NULL; auxv += 2)
		if (*auxv == type)
			return auxv[1];
	return 0;
}

static long mm(u32 op, u32 token, u64 addr, u64 len, u64 prot, u64 flags)
{
	struct inktag_mm req = { .op = op, .token = token, .addr = addr, .len = len, .prot = prot, .flags = flags,
				 .fd = -1 };
	long r = sys_call(__NR_arch_prctl, ARCH_INKTAG_MM, (u64)&req, 0, 0, 0, 0);

	if (!r && req.addr != addr && op == INKTAG_MM_MAP)
		return -EEXIST;
	return r;
}

/* As interpreter the kernel has mapped the program's segments; nothing else may be replaced. */
static u64 map_flags(const struct mapping *m, bool interp)
{
	return MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (m->segment && interp ? MAP_FIXED : MAP_FIXED_NOREPLACE);
}

static void fill(const struct plan *p, const struct mapping *m)
{
	u64 addr;

	/* One call instead of a fault for each page. */
	sys_call(__NR_madvise, m->start, m->filled, MADV_POPULATE_WRITE, 0, 0, 0);
	for (addr = m->start; addr < m->start + m->filled; addr += PAGE)
		plan_page(p, m, addr, (u8 *)addr);
}

/* Gives the pages of m to the hypervisor. They are taken over with their present content. */
static void give(long hap, const struct mapping *m)
{
	u64 addr, n, i, end = m->start + m->filled;
	int tries;
	long r;

	for (addr = m->start; addr < end; addr += n * PAGE) {
		n = (end - addr) / PAGE;
		if (n > INKTAG_ADD_MAX)
			n = INKTAG_ADD_MAX;
		for (tries = 0;; tries++) {
			for (i = 0; i < n; i++) {
				volatile u8 *byte = (u8 *)addr + i * PAGE;
				*byte = *byte;
			}
			r = hypercall(INKTAG_HC_HAP_ADD, hap, addr, n, m->token);
			if (r != -INKTAG_EAGAIN || tries == ADD_TRIES)
				break;
		}
		if (r < 0)
			die(EXIT_CANNOT, "the hypervisor does not take %ld pages at 0x%lx for the program: %s", (long)n, addr,
			    error_name(r));
	}
}

/* Arguments, environment and the program's path, as struct launch_info says. */
static void put_info(const struct plan *p, const struct process *pr)
{
	struct launch_info *info = (void *)ARENA_INFO;
	char *at = (char *)(info + 1), *end = at + LAUNCH_STRINGS_MAX;
	const char *s;
	u32 i, count;

	info->argc = pr->argc;
	for (info->envc = 0; pr->envp[info->envc]; info->envc++)
		;
	count = info->argc + info->envc;
	if (!info->argc)
		die(EXIT_CANNOT, "%s: started without any argument, not even its name", p->image->path);
	for (i = 0; i <= count; i++) {
		s = i < info->argc ? pr->argv[i] : i < count ? pr->envp[i - info->argc] : p->image->path;
		if (count > LAUNCH_COUNT_MAX || strlen(s) + 1 > (u64)(end - at))
			die(EXIT_CANNOT, "%s: the arguments and the environment are too long for a protected program (at most %ld bytes)",
			    p->image->path, (long)LAUNCH_STRINGS_MAX);
		memcpy(at, s, strlen(s) + 1);
		at += strlen(s) + 1;
	}
	info->strings = at - (char *)(info + 1);
	info->secure = auxv_get(pr->auxv, AT_SECURE);
	info->uid = auxv_get(pr->auxv, AT_UID);
	info->euid = auxv_get(pr->auxv, AT_EUID);
	info->gid = auxv_get(pr->auxv, AT_GID);
	info->egid = auxv_get(pr->auxv, AT_EGID);
}

static long attach(u64 attributes)
{
	long hap = sys_call(__NR_arch_prctl, ARCH_INKTAG_ATTACH, attributes, 0, 0, 0, 0);

	if (hap == -EINVAL)
		die(EXIT_CANNOT, "this kernel has no InkTag support, or runs on a hypervisor without it; "
		    "boot the InkTag kernel in an InkTag VM, or run the program with ld-inktag.so.1 --unprotected");
	if (hap < 0)
		die(EXIT_CANNOT, "the kernel cannot make this process a protected one: %s", error_name(hap));
	return hap;
}

_Noreturn void launch_protected(struct plan *p, const struct process *pr, bool interp)
{
	struct inktag_start *start = (void *)ARENA_START;
	struct mapping *m;
	long hap, r;

	hap = attach(p->end.attributes);
	for (m = p->mapping; m < p->mapping + p->count; m++) {
		r = mm(INKTAG_MM_MAP, m->token, m->start, m->end - m->start, PROT_READ | PROT_WRITE,
		       map_flags(m, interp));
		if (r < 0)
			die(EXIT_CANNOT, "cannot map 0x%lx to 0x%lx: %s", m->start, m->end, error_name(r));
		fill(p, m);
	}
	/* The array first, then by token: this order is measured. */
	for (m = p->mapping; m < p->mapping + p->count; m++)
		give(hap, m);
	for (m = p->mapping; m < p->mapping + p->count; m++) {
		if (!m->segment || m->prot == (INKTAG_PROT_READ | INKTAG_PROT_WRITE))
			continue;
		r = mm(INKTAG_MM_PROTECT, INKTAG_TOKEN_NONE, m->start, m->end - m->start, m->prot, 0);
		if (r < 0)
			die(EXIT_CANNOT, "cannot protect 0x%lx to 0x%lx: %s", m->start, m->end, error_name(r));
	}

	memcpy((void *)INKTAG_ARENA_BASE, stub_code, stub_code_end - stub_code);
	r = mm(INKTAG_MM_PROTECT, INKTAG_TOKEN_NONE, INKTAG_ARENA_BASE, PAGE, PROT_READ | PROT_EXEC, 0);
	if (r < 0)
		die(EXIT_CANNOT, "cannot make the stub executable: %s", error_name(r));
	put_info(p, pr);
	*start = (struct inktag_start){ .entry = p->end.entry, .rsp = p->end.rsp, .stub = INKTAG_ARENA_BASE,
					.ustack = ARENA_USTACK, .info = ARENA_INFO };
	sys_call(__NR_munmap, (u64)p->image->file, p->image->room, 0, 0, 0, 0);
	r = hypercall(INKTAG_HC_HAP_START, hap, ARENA_START, 0, 0);
	die(EXIT_CANNOT, "the hypervisor does not start the program: %s", error_name(r));
}

static void auxv_set(u64 *auxv, u64 type, u64 value, u64 new_type)
{
	for (; *auxv != AT_NULL; auxv += 2) {
		if (*auxv == type) {
			auxv[0] = new_type;
			auxv[1] = value;
		}
	}
}

_Noreturn void launch_unprotected(struct plan *p, const struct process *pr)
{
	const struct mapping *m;
	u64 *sp = (u64 *)pr->argv - 1;
	long r;

	for (m = p->mapping + LAUNCH_TOKEN_SEGMENTS; m < p->mapping + p->count; m++) {
		r = sys_call(__NR_mmap, m->start, m->end - m->start, PROT_READ | PROT_WRITE, map_flags(m, false), -1, 0);
		if (r >= 0 && (u64)r != m->start)
			r = -EEXIST;
		if (r >= 0) {
			fill(p, m);
			r = sys_call(__NR_mprotect, m->start, m->end - m->start, m->prot, 0, 0, 0);
		}
		if (r < 0)
			die(EXIT_CANNOT, "cannot map 0x%lx to 0x%lx: %s", m->start, m->end, error_name(r));
	}
	auxv_set(pr->auxv, AT_PHDR, p->image->phdr, AT_PHDR);
	auxv_set(pr->auxv, AT_PHNUM, p->image->phnum, AT_PHNUM);
	auxv_set(pr->auxv, AT_ENTRY, p->end.entry, AT_ENTRY);
	auxv_set(pr->auxv, AT_EXECFN, (u64)p->image->path, AT_EXECFN);
	auxv_set(pr->auxv, AT_SYSINFO_EHDR, 0, AT_IGNORE);
	*sp = pr->argc;
	sys_call(__NR_munmap, (u64)p->image->file, p->image->room, 0, 0, 0, 0);
	enter_program(p->end.entry, (u64)sp);
}
