/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * hypercall.h - the hypercalls: VMMCALL with the number in RAX.
 *
 * As in KVM's own hypercalls the arguments are RBX, RCX, RDX, RSI, and the result is in RAX.
 * All other registers are unchanged unless stated. "From" says who may call: K the guest
 * kernel (CPL 0), U an untrusted process (CPL 3), T a HAP in the trusted context. Any other
 * caller gets -INKTAG_EPERM.
 */
#ifndef INKTAG_HYPERCALL_H
#define INKTAG_HYPERCALL_H

#include <linux/types.h>

#define INKTAG_HC(n)		(0x494b0000UL | (n))
#define INKTAG_IS_HC(rax)	(((rax) & ~0xffUL) == 0x494b0000UL)

/* From K, U: returns INKTAG_ABI_VERSION. */
#define INKTAG_HC_VERSION	INKTAG_HC(0)

/*
 * From K: this vCPU's ring. RBX: guest-physical address of the header page, 0 to withdraw;
 * RCX: log2 of the number of entries, 5 to INKTAG_RING_MAX_LOG2. EBUSY: one is registered
 * already. EINVAL: not a page's address, or RCX. EFAULT: not all of it is writable RAM.
 */
#define INKTAG_HC_RING_SET	INKTAG_HC(1)

/* From K: apply the entries of all rings now. Returns 0. */
#define INKTAG_HC_DOORBELL	INKTAG_HC(2)

/*
 * From K: the current address space (CR3) shall become a HAP's. RBX: the process id, shown
 * in reports as the guest's claim. Returns the HAP's id, 1 to 2^31-1, never reused within
 * a VM. The HAP is in the state "building". EINVAL: no process id. EEXIST: the address space
 * is a HAP's. ENOSPC, ENOMEM.
 */
#define INKTAG_HC_HAP_CREATE	INKTAG_HC(3)

/* From K: the address space of HAP RBX is gone. Ends the HAP in whatever state it is. ENOENT. */
#define INKTAG_HC_HAP_DESTROY	INKTAG_HC(4)

/*
 * From U: give RDX (1 to INKTAG_ADD_MAX) pages from address RCX on to the HAP RBX, which
 * must be building and of this address space, under token RSI. Each page's present content
 * is copied once into a private frame and measured. The array's first page, and no other page
 * of it, is added first (token 0: RCX = INKTAG_DESC_BASE, RDX = 1); any other token must name
 * a descriptor in pages already added. A range under an INKTAG_KIND_UNCLOAKED descriptor is
 * not added: it needs nothing.
 *
 * All or nothing. EAGAIN: a page is not mapped writable now. EBUSY: the HAP is not building, or
 * a frame is held already. EPERM: another address space. EINVAL: not a range under the token.
 * EEXIST: a page was added before. EFAULT: a frame is not RAM. EBADMSG: the array's page was
 * altered since it was added. ENOENT: no such HAP or descriptor. ENOSPC, ENOMEM.
 */
#define INKTAG_HC_HAP_ADD	INKTAG_HC(5)
#define INKTAG_ADD_MAX		256

/*
 * From U: close the measurement of HAP RBX and run its first thread. RCX: address of a
 * struct inktag_start. On success the caller does not return: it goes on in the trusted
 * context at start.entry with RSP = start.rsp, RDI = start.info, RAX = INKTAG_START_MAGIC,
 * all other registers zero. ENOENT. EFAULT: RCX is not mapped. EBUSY: the HAP is not building.
 * EPERM: another address space. EINVAL: an address is not the user's. ENOSPC, ENOMEM.
 */
#define INKTAG_HC_HAP_START	INKTAG_HC(6)
#define INKTAG_START_MAGIC	0x74726174536b6e49UL

struct inktag_start {
	__u64 entry;	/* measured */
	__u64 rsp;	/* measured */
	__u64 stub;	/* address of the stub, in uncloaked memory; not measured */
	__u64 ustack;	/* the untrusted context's RSP; not measured */
	__u64 info;	/* passed to the program, which must not trust it; not measured */
};

/*
 * The stub (uncloaked; the only code of a HAP that runs in the untrusted context). InkTag,
 * "Control flow": the trampoline.
 *
 *	stub:		syscall		2 bytes
 *	stub + 2:	vmmcall		3 bytes
 *	stub + 5:	code that ends the process; reached with the error in RAX when the resume
 *			is refused, or the HAP was ended while it ran (ESTALE; ENOMEM: a limit of
 *			the VM, or the host's memory, is used up)
 *
 * A thread enters the kernel with RIP at stub (system call) or at stub + 2 (fault,
 * interrupt), RBX = its public handle, R12 = INKTAG_RESUME_MAGIC, RSP = ustack. In a system
 * call RAX is its number and RDI, RSI, RDX, R10, R8, R9 its arguments. All else is zero.
 *
 * From U: VMMCALL with R12 == INKTAG_RESUME_MAGIC (whatever RAX is) resumes thread RBX; if
 * it left for a system call, RAX is its result. EBUSY: it is not suspended. EPERM: it
 * belongs to another address space. ESTALE, ENOENT: it has ended.
 */
#define INKTAG_RESUME_MAGIC	0x656d757365524b49UL
#define INKTAG_STUB_SYSCALL_LEN	2
#define INKTAG_STUB_RESUME_LEN	3

/*
 * From T: make system call number RBX with arguments RDI, RSI, RDX, R10, R8, R9 in the
 * untrusted context. Returns the kernel's result, unchecked. Costs two exits.
 */
#define INKTAG_HC_SYSCALL	INKTAG_HC(16)

/*
 * From T: remove the trusted mappings of RCX pages from address RBX on. If RDX is not 0,
 * also drop (they read zero afterwards) RCX pages of the private object with serial RDX from
 * index RSI on. Called after the descriptors were changed and before the kernel is asked to
 * unmap. Returns the number of S-pages dropped. EINVAL: RBX or RCX is not a range of pages below
 * INKTAG_USER_END, RCX is above INKTAG_UNMAP_MAX, or RSI + RCX above INKTAG_INDEX_END.
 */
#define INKTAG_HC_UNMAP		INKTAG_HC(17)
#define INKTAG_UNMAP_MAX	65536

/* From T: end this HAP; the process goes on in the stub with exit_group(RBX). */
#define INKTAG_HC_EXIT		INKTAG_HC(18)

/* From T: this thread's FS base becomes RBX. EINVAL: not below INKTAG_USER_END. */
#define INKTAG_HC_SET_FSBASE	INKTAG_HC(19)

/* From T: 32 random bytes of the host in RBX, RCX, RDX, RSI. */
#define INKTAG_HC_RANDOM	INKTAG_HC(20)

/* From T: the host's clocks. RBX: CLOCK_REALTIME, RCX: CLOCK_BOOTTIME, in nanoseconds. */
#define INKTAG_HC_CLOCK		INKTAG_HC(21)

/* From T: this HAP's measurement, 32 bytes in RBX, RCX, RDX, RSI. */
#define INKTAG_HC_MEASUREMENT	INKTAG_HC(22)

/*
 * From T: the shim found the kernel lying. RBX: enum inktag_check (MMAP and later), RCX:
 * address, RDX: argument. The first call of a HAP reports it and returns 0: the shim may now say
 * so by a system call, from which the kernel need not return. The next one ends the HAP.
 * EINVAL: not such a check.
 */
#define INKTAG_HC_VIOLATION	INKTAG_HC(23)

/*
 * From T: how many descriptors this HAP may have: tokens are below this number. At most
 * INKTAG_DESC_MAX.
 */
#define INKTAG_HC_DESCRIPTORS	INKTAG_HC(24)

/*
 * The measurement of a HAP is SHA-256 over, in order of the calls: for each page added
 * { u64 address; u64 token; 4096 bytes of content }, and at the end { u64 entry; u64 rsp }.
 */
#define INKTAG_MEASUREMENT_SIZE	32

_Static_assert(sizeof(struct inktag_start) == 40, "start size");
_Static_assert(__builtin_offsetof(struct inktag_start, entry) == 0, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, rsp) == 8, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, stub) == 16, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, ustack) == 24, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, info) == 32, "start layout");

#endif
