// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hc.c - hypercalls from the trusted context. The only instructions with which a protected
 * program leaves its own memory.
 */
#include "shim.h"

static inline long hypercall(u64 nr, u64 rbx, u64 rcx, u64 rdx, u64 rsi)
{
	long r;

	asm volatile("vmmcall" : "=a"(r) : "a"(nr), "b"(rbx), "c"(rcx), "d"(rdx), "S"(rsi) : "memory");
	return r;
}

long hc_syscall_must(long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	register u64 r10 asm("r10") = a3;
	register u64 r8 asm("r8") = a4;
	register u64 r9 asm("r9") = a5;
	long r;

	asm volatile("vmmcall"
		     : "=a"(r)
		     : "a"(INKTAG_HC_SYSCALL), "b"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
		     : "memory");
	return r;
}

long hc_unmap(u64 addr, u64 npages, u64 serial, u64 index)
{
	return hypercall(INKTAG_HC_UNMAP, addr, npages, serial, index);
}

_Noreturn void hc_exit(int code)
{
	for (;;)
		hypercall(INKTAG_HC_EXIT, (u32)code, 0, 0, 0);
}

long hc_set_fsbase(u64 base)
{
	return hypercall(INKTAG_HC_SET_BASE, base, 0, 0, 0);
}

long hc_set_gsbase(u64 base)
{
	return hypercall(INKTAG_HC_SET_BASE, base, 1, 0, 0);
}

long hc_signal_entry(u64 rip, u64 rsp)
{
	return hypercall(INKTAG_HC_SIGNAL_ENTRY, rip, rsp, 0, 0);
}

/* The hypervisor answers EAGAIN until it finds the page mapped: a write makes it so. */
void hc_signal_regs(struct inktag_regs *regs, bool set)
{
	volatile u64 *page = (volatile u64 *)regs;

	do
		*page = *page;
	while (hypercall(INKTAG_HC_SIGNAL_REGS, (u64)regs, set, 0, 0) == -INKTAG_EAGAIN);
}

long hc_random(u64 out[4])
{
	long r;

	asm volatile("vmmcall"
		     : "=a"(r), "=b"(out[0]), "=c"(out[1]), "=d"(out[2]), "=S"(out[3])
		     : "a"(INKTAG_HC_RANDOM)
		     : "memory");
	return r;
}

long hc_clock(u64 *realtime, u64 *boottime)
{
	long r;

	asm volatile("vmmcall" : "=a"(r), "=b"(*realtime), "=c"(*boottime) : "a"(INKTAG_HC_CLOCK) : "memory");
	return r;
}

long hc_share(u64 serial, bool leave)
{
	return hypercall(INKTAG_HC_SHARE, serial, leave, 0, 0);
}

long hc_file_name(enum inktag_name_op op, const char *paths, u64 size, struct file_name *out)
{
	long r;

	asm volatile("vmmcall"
		     : "=a"(r), "=b"(out->oid[0]), "=c"(out->oid[1]), "=d"(out->length), "=S"(out->names)
		     : "a"(INKTAG_HC_FILE_NAME), "b"(op), "c"(paths), "d"(size)
		     : "memory");
	return r;
}

long hc_file_open(u64 serial, const u64 oid[2])
{
	return hypercall(INKTAG_HC_FILE_OPEN, serial, oid[0], oid[1], 0);
}

long hc_file_length(u64 serial, enum inktag_length_op op, u64 length)
{
	return hypercall(INKTAG_HC_FILE_LENGTH, serial, op, length, 0);
}

long hc_file_sync(u64 serial, enum inktag_sync_op op, u64 arg)
{
	return hypercall(INKTAG_HC_FILE_SYNC, serial, op, arg, 0);
}

long hc_ended(u64 hap)
{
	return hypercall(INKTAG_HC_ENDED, hap, 0, 0, 0);
}

long hc_descriptors(void)
{
	return hypercall(INKTAG_HC_DESCRIPTORS, 0, 0, 0, 0);
}

long hc_violation(enum inktag_check check, u64 addr, u64 arg)
{
	return hypercall(INKTAG_HC_VIOLATION, check, addr, arg, 0);
}
