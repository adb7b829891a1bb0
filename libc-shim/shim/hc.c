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
