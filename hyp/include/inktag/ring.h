/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * ring.h - page-table reports (InkTag, "Paraverification"): the guest kernel says what it did to
 * a HAP's page table, in a form that is cheap to check.
 *
 * One ring per vCPU, in guest memory: a header page, followed by a power of two of entries.
 * The guest kernel alone produces (on that vCPU, preemption off); the hypervisor alone
 * consumes. The hypervisor keeps the true head in its own memory; the head in the header is
 * only shown to the producer. Entries of all rings are applied in the order of seq, which
 * the kernel draws from one counter under the lock of the page-table entry concerned, so
 * that two reports on one address are applied in the order in which they happened.
 *
 * A report is a hint (I3 does not rest on it): MAP says "this frame stands at this address,
 * under this token"; the hypervisor judges it against the HAP's descriptor when the HAP
 * touches the address. UNMAP says "no frame stands there any more", and is made after the
 * page-table entries are cleared and before the frames can be reused.
 *
 * When its ring is full, the kernel makes the hypercall INKTAG_HC_DOORBELL.
 */
#ifndef INKTAG_RING_H
#define INKTAG_RING_H

#include <linux/types.h>

enum inktag_ring_op {
	INKTAG_RING_NOP,
	INKTAG_RING_MAP,	/* arg: gfn, prot: as in the page-table entry, token */
	INKTAG_RING_UNMAP,	/* arg: number of pages from va on */
	INKTAG_RING_OP_COUNT
};

struct inktag_ring_entry {
	__u64 seq;	/* guest-wide, increasing */
	__u64 va_op;	/* page-aligned virtual address | prot << 8 | op */
	__u64 arg;
	__u32 hap;	/* the HAP's id, from INKTAG_HC_HAP_CREATE */
	__u32 token;	/* MAP: of the VMA; otherwise 0 */
};

#define INKTAG_RING_VA(x)	((x) & ~0xfffULL)
#define INKTAG_RING_PROT(x)	(((x) >> 8) & 0xf)
#define INKTAG_RING_OP(x)	((x) & 0xff)

struct inktag_ring_hdr {
	__u32 tail;	/* producer: free-running count of entries written; store-release */
	__u32 pad0[15];
	__u32 head;	/* written by the hypervisor: free-running count consumed */
	__u32 pad1[15];
};

#define INKTAG_RING_ENTRIES_OFFSET	4096
#define INKTAG_RING_MAX_LOG2		10	/* entries, 32 KiB */

_Static_assert(sizeof(struct inktag_ring_entry) == 32, "ring entry size");
_Static_assert(__builtin_offsetof(struct inktag_ring_entry, hap) == 24, "ring entry layout");
_Static_assert(__builtin_offsetof(struct inktag_ring_hdr, head) == 64, "ring header layout");

#endif
