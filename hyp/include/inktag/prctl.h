/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * prctl.h - what a process asks of the paraverified guest kernel, through arch_prctl(2).
 *
 * A kernel without CONFIG_INKTAG, or on a hypervisor without the extension, answers EINVAL.
 */
#ifndef INKTAG_PRCTL_H
#define INKTAG_PRCTL_H

#include <linux/types.h>

/*
 * This process shall become a HAP: the kernel makes INKTAG_HC_HAP_CREATE, reports every
 * page-table change of this address space from now on, and disables huge pages in it. arg2: its
 * attributes, INKTAG_ATTR_*. Returns the HAP's id. EEXIST: it is one already. EINVAL: other users of the address space
 * exist (threads, vfork); unknown attributes. ENOSPC, ENOMEM: the hypervisor's limits. EINTR: a fatal signal.
 */
#define ARCH_INKTAG_ATTACH	0x494b0001

/*
 * arg2 points to a struct inktag_mm (in uncloaked memory): one change of mappings. Requests of
 * one address space are made one after the other. Returns 0 with the answers filled in, or an
 * errno; then nothing changed, but that PROTECT and REMAP, which are two steps, may have been
 * made under the token that was there, and that with EFAULT (arg2 cannot be written) all may
 * have been made.
 */
#define ARCH_INKTAG_MM		0x494b0002

enum inktag_mm_op {
	INKTAG_MM_MAP,		/* mmap(addr, len, prot, flags, fd, offset) under token */
	INKTAG_MM_UNMAP,	/* munmap(addr, len) */
	INKTAG_MM_PROTECT,	/* mprotect(addr, len, prot); VMAs that the range cuts keep their
				 * token in the part outside; inside they get token, or keep theirs
				 * if it is INKTAG_TOKEN_NONE */
	INKTAG_MM_REMAP,	/* mremap(addr, old_len = offset, len, flags, new_addr = prot);
				 * the result's VMA gets token */
	INKTAG_MM_TAG,		/* [addr, addr + len), mapped whole already, gets token */
	INKTAG_MM_OP_COUNT
};

struct inktag_mm {
	__u32 op;	/* enum inktag_mm_op */
	__u32 token;	/* the descriptor the shim has filled for this change */
	__u64 addr;	/* in: as the system call's; out: where the mapping is */
	__u64 len;	/* bytes */
	__u64 prot;	/* PROT_* of the system call */
	__u64 flags;	/* MAP_* or MREMAP_* of the system call */
	__s64 fd;
	__u64 offset;	/* bytes */
	__u32 prev;	/* out, MAP and REMAP: token of the mapping before the new one in address
			 * order, or INKTAG_TOKEN_NONE; VMAs without a token are passed over */
	__u32 kind;	/* MAP: INKTAG_KIND_FILE: fd has the content of a protected file, whose pages the kernel
			 * announces before it writes them (INKTAG_HC_BEFORE_IO). Otherwise 0 */
};

_Static_assert(sizeof(struct inktag_mm) == 64, "mm request size");
_Static_assert(__builtin_offsetof(struct inktag_mm, prev) == 56, "mm request layout");

#endif
