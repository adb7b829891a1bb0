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
#include "stub.h"

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
 * in reports as the guest's claim. RCX: the HAP that was in this process before its exec, 0 for
 * none. RDX: its attributes, INKTAG_ATTR_*. Returns the HAP's id, 1 to 2^31-1, never reused
 * within a VM. The HAP is in the state "building". EINVAL: no process id, unknown attributes.
 * EEXIST: the address space is a HAP's. ENOSPC, ENOMEM.
 *
 * A HAP is of the line of HAP RCX, if a thread of that one is in execve or execveat, or was when it
 * ended, and no other has followed it; if it had not ended, it ends now. Else the new one begins a
 * line of its own. A HAP made by
 * INKTAG_HC_CLONE is of its maker's.
 */
#define INKTAG_HC_HAP_CREATE	INKTAG_HC(3)
#define INKTAG_SYS_EXECVE	59
#define INKTAG_SYS_EXECVEAT	322

/*
 * The HAP may be debugged. Outside of their frames its pages are not encrypted, and what the kernel
 * writes to them there is what the HAP finds; INKTAG_HC_DEBUG gives and changes its registers. I1 to
 * I4 do not hold for it. Attributes are measured; a HAP made by INKTAG_HC_CLONE has its maker's.
 */
#define INKTAG_ATTR_DEBUG	1

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
 * EPERM: another address space. EINVAL: an address is not the user's. EOPNOTSUPP: CR4.OSXSAVE is off although the
 * VM's processor has XSAVE, or it is a SEV guest. ENOSPC, ENOMEM.
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
 *	stub + INKTAG_STUB_CLONE:
 *			syscall; if RAX is 0, RBX = R13 and RAX = the process id; vmmcall
 *	stub + INKTAG_STUB_SIGRETURN:
 *			rt_sigreturn
 *	stub + INKTAG_STUB_SIGNAL:
 *			the kernel's signal handler: R12 = INKTAG_SIGNAL_MAGIC; vmmcall
 *
 * A thread enters the kernel with RIP at stub (system call) or at stub + 2 (fault,
 * interrupt), RBX = its public handle, R12 = INKTAG_RESUME_MAGIC, RSP = ustack. In a system
 * call RAX is its number and RDI, RSI, RDX, R10, R8, R9 its arguments. All else is zero.
 *
 * From U: VMMCALL with R12 == INKTAG_RESUME_MAGIC (whatever RAX is) resumes thread RBX; if
 * it left for a system call, RAX is its result. EBUSY: it is not suspended. EPERM: it
 * belongs to another address space. EOPNOTSUPP: as INKTAG_HC_HAP_START. ESTALE, ENOENT: it has ended.
 */

/*
 * From U: VMMCALL with R12 == INKTAG_SIGNAL_MAGIC: the kernel delivers a signal to thread RBX, which
 * must be suspended. Its registers are put aside, and it goes on at its signal entry (see
 * INKTAG_HC_SIGNAL_ENTRY) with RDI, RSI, RDX as they are here, which prove nothing, and all
 * other general registers zero; its extended registers are not touched. Until it calls
 * INKTAG_HC_SIGNAL_RETURN it enters the kernel with an RSP below the one it has here. EBUSY: it is
 * not suspended, has no signal entry, or is in it already. Others as of a resume.
 */

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

/*
 * From T: this thread's FS base becomes RBX; if RCX is 1, its GS base. EINVAL: not below
 * INKTAG_USER_END, or RCX.
 */
#define INKTAG_HC_SET_BASE	INKTAG_HC(19)

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
 * From T: make the system call as INKTAG_HC_SYSCALL does, which shall make a thread (RCX = 0) or a
 * process (RCX = 1). What it makes is prepared by this call, before the kernel is entered: a
 * thread of this HAP, or of a new HAP that has a copy of this one's memory, objects
 * and measurement. It starts after this call with RAX = 0 and the caller's registers, but FS base = R12,
 * RSP = R13, GS base = R14, and the untrusted RSP = R15. The kernel is entered at stub +
 * INKTAG_STUB_CLONE, with R13 = the handle of the new thread; bits 63 to 32 of it are the HAP
 * under which the kernel reports the new address space.
 *
 * The new thread starts when its handle is resumed, once: in this address space, or for a
 * process in one that is no other HAP's, which becomes the new HAP's; RAX is then the process id for
 * reports. If the caller resumes with an error (-4095 to -1) the new thread never starts; had it
 * started before, or is the result 0, which is the new thread's, this HAP is ended
 * (INKTAG_CHECK_LINEAGE). A new HAP that has not started ends with this one, unless the caller was told its
 * process id: then it is the kernel's to end. Without a system call: ENOSPC, ENOMEM; EINVAL: RCX, an address; EBUSY:
 * this thread is in its signal entry.
 */
#define INKTAG_HC_CLONE		INKTAG_HC(25)

/* From T: end this thread, the process goes on in the stub with exit(RBX). The last one ends the HAP. */
#define INKTAG_HC_THREAD_EXIT	INKTAG_HC(26)

/*
 * From T: where this thread goes on when the kernel delivers a signal: RIP = RBX, RSP = RCX. RBX = 0:
 * nowhere, as at first; the thread of a process made by INKTAG_HC_CLONE has its maker's. EINVAL: not below
 * INKTAG_USER_END.
 */
#define INKTAG_HC_SIGNAL_ENTRY	INKTAG_HC(27)

/*
 * From T, in its signal entry: the registers that were put aside. RCX = 0: copied to the struct
 * inktag_regs at RBX; RCX = 1: gpr, rip, rflags, fsbase, gsbase are taken from it, as far as a
 * program may have them. EAGAIN: RBX is not mapped writable now. EINVAL: RCX; RBX is no multiple of
 * 8, or the structure crosses a page; an address in it is not the user's. EBUSY: not in its signal entry.
 */
#define INKTAG_HC_SIGNAL_REGS	INKTAG_HC(28)

/* Why the thread was suspended when the signal came. */
enum inktag_cause {
	INKTAG_CAUSE_SYSCALL = 2,	/* rax is not set yet: the kernel will say it */
	INKTAG_CAUSE_FAULT,		/* a page fault at fault_addr, which the kernel shall mend */
	INKTAG_CAUSE_INTERRUPT,		/* an interrupt, or the exception `vector` */
};

#define INKTAG_NO_VECTOR	0xffffffffU
#define INKTAG_LOST_VECTOR	18	/* the page of a file at fault_addr cannot be had: lost in a crash, or EIO */

struct inktag_regs {
	__u64 gpr[16];		/* RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15 */
	__u64 rip;
	__u64 rflags;
	__u64 fsbase;
	__u64 gsbase;
	__u64 fault_addr;
	__u32 fault_access;	/* one of INKTAG_PROT_*, or 0 */
	__u32 cause;		/* enum inktag_cause */
	__u32 vector;		/* of an exception, or INKTAG_NO_VECTOR */
	__u32 reserved;		/* 0 */
};

/*
 * From T, in its signal entry: the registers that were put aside, or what INKTAG_HC_SIGNAL_REGS made of
 * them, are the thread's again; it is suspended for what it was suspended for. The process goes on at stub +
 * INKTAG_STUB_SIGRETURN with the RSP that it had when the signal came. EBUSY: not in its signal entry.
 */
#define INKTAG_HC_SIGNAL_RETURN	INKTAG_HC(29)

/*
 * From K: the page at address RCX of HAP RBX (bits 31 to 0; bits 63 to 32 are the token) stands in
 * frame RDX, which it shares with another HAP; it shall have its content in frame RSI alone, to which
 * the kernel has copied nothing. Called with the page-table entry locked. ENOENT, EINVAL, EFAULT, EBUSY,
 * ENOSPC, ENOMEM: nothing was done, and the kernel copies the frame.
 */
#define INKTAG_HC_COPY		INKTAG_HC(30)

/*
 * From T: the object with serial RBX, which this HAP does not have yet, becomes a shared one: a process
 * made by INKTAG_HC_CLONE has the same object, not a copy. Dropping pages of it (INKTAG_HC_UNMAP)
 * has no effect. RCX = 1: this HAP gives the object up; the last one drops its pages. EINVAL: RBX is 0 or not
 * below INKTAG_SERIAL_END; RCX. EEXIST. ENOENT: no such shared object. ENOSPC, ENOMEM.
 */
#define INKTAG_HC_SHARE		INKTAG_HC(31)

/*
 * From T: 1 if no thread of the HAP RBX ever runs again: it has ended, or there was none of this id. Else 0. RBX = 0:
 * returns the id of this HAP.
 */
#define INKTAG_HC_ENDED		INKTAG_HC(32)

/*
 * From K: the registers of thread RBX, which is suspended, of a HAP with INKTAG_ATTR_DEBUG; while it
 * is in its signal entry, those that were put aside. RDX = 0: copied to the struct inktag_debug at
 * RCX; RDX = 1: taken from it, as INKTAG_HC_SIGNAL_REGS takes them, and xstate. ENOENT: no such thread.
 * EPERM: not to be debugged. EBUSY: not suspended. EFAULT: RCX is not mapped. EINVAL: RDX; if they are
 * to be taken: it left for a system call, an address is not the user's, MXCSR is not valid.
 *
 * One step: a thread of such a HAP that is resumed with RFLAGS.TF set has it set in the trusted
 * context. For the #DB that follows the kernel gets one with DR6.BS set; for an INT3 one without a
 * reason in DR6.
 */
#define INKTAG_HC_DEBUG		INKTAG_HC(33)

/* x87, SSE and AVX registers, in XSAVE's standard format: its first bytes. Others are not shown, nor changed. */
#define INKTAG_DEBUG_XSTATE	832

struct inktag_debug {
	struct inktag_regs regs;
	__u8 xstate[INKTAG_DEBUG_XSTATE];
};

/*
 * Protected files (docs/files.md). A file is an object with a name in the VM's metadata store. A HAP has
 * it, shared, under a serial of its choice, maps windows of it (INKTAG_KIND_FILE), and gives it up by
 * INKTAG_HC_SHARE. A HAP made by INKTAG_HC_CLONE has its maker's.
 *
 * These calls may have to wait for the store. The thread leaves the trusted context then and makes the
 * call again when it is resumed: to it the call is a slow one. All return EOPNOTSUPP in a VM without
 * a store, and EIO if the store refuses, for a reason that QEMU reports; then nothing was changed.
 */

/*
 * From T: names. RBX: enum inktag_name_op; RCX: address of its paths, each with a NUL at its end; RDX: the
 * bytes of them all, 1 to INKTAG_NAME_MAX, all of which are in memory mapped readable now (EAGAIN: it is not; touch
 * it, and call again). Returns 0, and in RBX and RCX the OID (of RENAME and UNLINK: of the file that lost
 * a name, 0 if none did), in RDX its length, in RSI the names that it has now. ENOENT, EEXIST; EINVAL: not
 * such paths (inktag-db.h says which form a path has), or RBX.
 */
#define INKTAG_HC_FILE_NAME	INKTAG_HC(34)
#define INKTAG_NAME_MAX		8192

enum inktag_name_op {
	INKTAG_NAME_LOOKUP,	/* path */
	INKTAG_NAME_CREATE,	/* path: a new file, of length 0. EEXIST */
	INKTAG_NAME_LINK,	/* path, another: one more name of the file. EEXIST */
	INKTAG_NAME_RENAME,	/* path, another: as rename(2) */
	INKTAG_NAME_UNLINK,	/* path. A file without names is no more when no HAP has it */
	INKTAG_NAME_OP_COUNT
};

/*
 * From T: this HAP has the file with OID RCX, RDX under serial RBX. EINVAL: RBX is 0 or not below
 * INKTAG_SERIAL_END. EEXIST: it has an object of this serial. ENOENT: no such file. ENOSPC, ENOMEM.
 */
#define INKTAG_HC_FILE_OPEN	INKTAG_HC(35)

/*
 * From T: the length of file RBX, in bytes. RCX: enum inktag_length_op; RDX: bytes, at most
 * INKTAG_LENGTH_MAX. Returns the length that it has then. ENOENT: no such file; EINVAL. EBUSY: the file
 * was made shorter, and it is not known yet that this is durable: call INKTAG_HC_FILE_SYNC, and again.
 */
#define INKTAG_HC_FILE_LENGTH	INKTAG_HC(36)
#define INKTAG_LENGTH_MAX	(INKTAG_INDEX_END << INKTAG_PAGE_SHIFT)

enum inktag_length_op {
	INKTAG_LENGTH_GET,	/* RDX: 0 */
	INKTAG_LENGTH_REACH,	/* at least RDX: the caller has written what is below */
	INKTAG_LENGTH_SET,	/* pages that are not below both lengths read zero. The end of the last
				 * page is the caller's to clear, before it makes the file shorter */
	INKTAG_LENGTH_NAMES,	/* RDX: 0. Returns how many names it has, in place of its length */
	INKTAG_LENGTH_OP_COUNT
};

/*
 * From T: make file RBX durable. RCX: enum inktag_sync_op, in the order of a sync:
 *
 *	BEGIN			returns a mark: what was written before is meant
 *	SEAL, RDX = the mark	its pages are encrypted, and in the store beside the versions before.
 *				Returns a ticket. RDX = 0: of what is in the store already
 *	...			the caller has the kernel write the data, and flush
 *	SETTLE, RDX = ticket	the data are durable, as the kernel says: older versions are none any more
 *
 * ENOENT: no such file; EINVAL: RCX, not such a mark or ticket. EBUSY of SEAL: the store cannot keep more beside what is
 * in it: make that durable first, by SEAL with RDX = 0 and SETTLE.
 */
#define INKTAG_HC_FILE_SYNC	INKTAG_HC(37)

enum inktag_sync_op {
	INKTAG_SYNC_BEGIN,
	INKTAG_SYNC_SEAL,
	INKTAG_SYNC_SETTLE,
	INKTAG_SYNC_OP_COUNT
};

/*
 * From K: a device is about to read the RCX frames from RBX on, 1 to INKTAG_IO_MAX of them, to store them. The
 * pages of files among them are in the store before this returns 0; what the kernel stores without it may be
 * lost in a crash. EINVAL. It may wait, as those above. RDX: enum inktag_io_step; EBUSY of the first one: so many
 * versions of a page may be on the disk that the store cannot keep one more. Then the disk is to be flushed, and FLUSHED
 * takes the place of ANNOUNCE. What was in these frames before was written by then: a page has one writeback at a time.
 * Until then the page stays in its frame: the hypervisor knows by it what the disk was given.
 */
#define INKTAG_HC_BEFORE_IO	INKTAG_HC(38)
#define INKTAG_IO_MAX		512

enum inktag_io_step {
	INKTAG_IO_ANNOUNCE,
	INKTAG_IO_FLUSHED,	/* and what the disk was given of these pages before is durable */
	INKTAG_IO_STEP_COUNT
};

/*
 * The measurement of a HAP is SHA-256 over, in order of the calls: for each page added
 * { u64 address; u64 token; 4096 bytes of content }, and at the end { u64 entry; u64 rsp; u64 attributes }.
 */
#define INKTAG_MEASUREMENT_SIZE	32

_Static_assert(sizeof(struct inktag_regs) == 184, "registers size");
_Static_assert(__builtin_offsetof(struct inktag_regs, rip) == 128, "registers layout");
_Static_assert(__builtin_offsetof(struct inktag_regs, fault_addr) == 160, "registers layout");
_Static_assert(__builtin_offsetof(struct inktag_regs, vector) == 176, "registers layout");
_Static_assert(sizeof(struct inktag_debug) == 1016, "debug size");
_Static_assert(__builtin_offsetof(struct inktag_debug, xstate) == 184, "debug layout");
_Static_assert(sizeof(struct inktag_start) == 40, "start size");
_Static_assert(__builtin_offsetof(struct inktag_start, entry) == 0, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, rsp) == 8, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, stub) == 16, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, ustack) == 24, "start layout");
_Static_assert(__builtin_offsetof(struct inktag_start, info) == 32, "start layout");

#endif
