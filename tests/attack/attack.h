/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attack.h - what the module inktag_attack.ko does for guest root: everything that a kernel can
 * do to a process. One misc device, /dev/inktag-attack; one ioctl; one structure.
 *
 * All operations return 0 or -1 with errno: ESRCH no such process, or it has no memory any more;
 * ENOENT no page is present at the address; EOPNOTSUPP the page is part of a huge page;
 * EOPNOTSUPP also for an operation that needs a symbol which this kernel lacks.
 *
 * "The kernel's view" of a page is the direct map: what the kernel, or any program that it
 * chooses to tell, reads and writes at the page's frame.
 */
#ifndef INKTAG_ATTACK_H
#define INKTAG_ATTACK_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum attack_op {
	/* memory: of process pid at addr. memory.c */
	ATTACK_INFO,		/* result: the page-table entry, not present: 0; value: the token
				 * of the mapping there */
	ATTACK_READ,		/* buf, len: the kernel's view, may cross pages */
	ATTACK_WRITE,		/* buf, len: written there, may cross pages */
	ATTACK_EXCHANGE,	/* contents of the pages at addr and addr2, as the kernel sees them */
	ATTACK_EXCHANGE_PTE,	/* page-table entries of addr and addr2 */
	ATTACK_SAVE,		/* the kernel's view of the page goes to slot value < ATTACK_SLOTS */
	ATTACK_REPLAY,		/* the page becomes what slot value has */
	ATTACK_SCAN,		/* all pages of pid for a pattern: buf, len: struct attack_scan;
				 * result: number of hits; matches across pages are not found */
	ATTACK_SCAN_RAM,	/* all RAM of the guest; otherwise as ATTACK_SCAN */

	/* hypervisor: as the kernel, CPL 0. hypervisor.c */
	ATTACK_HYPERCALL,	/* VMMCALL; buf, len: struct attack_regs, both ways */
	ATTACK_RING,		/* on one CPU, in place of the kernel's ring: one of the module's, of
				 * 2^addr entries, buf, len: their content; tail addr2; doorbell;
				 * then the kernel's again. result: the head shown afterwards; value:
				 * what the first hypercall that failed returned, or 0 */

	/* registers of pid. hooks.c */
	ATTACK_GET_REGS,	/* buf, len: struct attack_user_regs, saved at the entry to the kernel */
	ATTACK_SET_REGS,
	ATTACK_HOOK,		/* buf, len: struct attack_hook; replaces the former one of that place */
	ATTACK_SEEN,		/* buf, len: struct attack_seen of the place value; EAGAIN: not fired */
	ATTACK_UNHOOK,		/* all */

	/* devices: DMA at the frame of pid's page at addr, which the kernel does not touch. device.c */
	ATTACK_DISK_WRITE,	/* from the frame to block device buf (path of len bytes with its NUL),
				 * byte offset value */
	ATTACK_DISK_READ,	/* into the frame */
	ATTACK_OP_COUNT
};

struct attack {
	__u32 op;		/* enum attack_op */
	__s32 pid;
	__u64 addr;
	__u64 addr2;
	__u64 value;		/* in, and out for ATTACK_INFO and ATTACK_RING */
	__u64 buf;		/* user address */
	__u64 len;
	__u64 result;		/* out */
};

#define ATTACK_IOCTL	_IOWR('I', 0x4b, struct attack)
#define ATTACK_SLOTS	16

/*
 * The pattern is given complemented and compared complemented, so that neither the module nor its
 * user has it in memory: what is found is somebody else's.
 */
#define ATTACK_PATTERN_MAX	64
#define ATTACK_HITS_MAX		64

struct attack_scan {
	__u32 len;			/* of the pattern, 4 to ATTACK_PATTERN_MAX */
	__u32 reserved;
	__u8 not_pattern[ATTACK_PATTERN_MAX];
	__u64 pages;			/* out: number of pages read */
	struct {
		__u64 addr;		/* virtual in the process, or physical in RAM */
		__u64 pfn;
	} hits[ATTACK_HITS_MAX];	/* out: the first of them */
};

struct attack_regs {
	__u64 rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

/* As struct pt_regs. */
struct attack_user_regs {
	__u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	__u64 orig_rax, rip, cs, rflags, rsp, ss;
};

/* Where a hook sits, and which fields it can replace. */
enum attack_where {
	ATTACK_AT_SYSCALL,	/* before system call nr. Fields: number, arguments 1 to 6; rip, rsp, rbp, r13,
				 * r14, r15: with which the thread goes on after it */
	ATTACK_AT_RESULT,	/* after system call nr. Fields: result */
	ATTACK_AT_INTERRUPT,	/* timer interrupt out of the trusted context. No fields */
	ATTACK_AT_FAULT,	/* page fault out of the trusted context. Fields: rip, rsp: where the thread
				 * goes on after it */
	ATTACK_AT_MM,		/* after ARCH_INKTAG_MM with op nr. Fields: result, addr, prev */
	ATTACK_WHERE_COUNT
};

#define ATTACK_FIELDS	13
#define ATTACK_ANY	0xffffffffU

struct attack_hook {
	__u32 where;		/* enum attack_where */
	__u32 nr;		/* or ATTACK_ANY */
	__u32 skip;		/* let so many pass first */
	__u32 times;		/* then act on so many */
	__u32 set;		/* bit n: field n becomes value[n]; 0: only look */
	__u32 reserved;
	__u64 value[ATTACK_FIELDS];
};

/* What the kernel had of the thread when the hook acted last. */
struct attack_seen {
	__u32 fired;		/* how often it acted */
	__u32 nr;		/* system call number or ARCH_INKTAG_MM operation, or 0 */
	__u64 result;		/* AT_RESULT, AT_MM: before it was replaced; AT_FAULT: the address */
	struct attack_user_regs regs;
	__u8 xstate[832];	/* as XSAVE has x87, SSE and AVX, with XSTATE_BV in any case */
};

_Static_assert(sizeof(struct attack_seen) == 16 + 168 + 832, "attack_seen");

#endif
