/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * descriptor.h - one entry of a HAP's protected mapping list (InkTag, section "Address
 * space integrity": the application keeps its own list of mappings; the token is its index).
 *
 * The array lies at INKTAG_DESC_BASE in the HAP's own protected memory. Only the HAP
 * writes it (I5). The hypervisor reads an entry when it judges a fault: copies it once,
 * then validates the copy. Entry 0 is never read from memory: it always is
 * { INKTAG_DESC_BASE, whole array, R|W, INKTAG_KIND_PRIVATE, object 0 }.
 *
 * No two descriptors of a HAP name one page of an object. The hypervisor does not look for such
 * pairs: a HAP that has one may read zeros at one address after it wrote at the other.
 */
#ifndef INKTAG_DESCRIPTOR_H
#define INKTAG_DESCRIPTOR_H

#include <linux/types.h>
#include "layout.h"

#define INKTAG_PROT_READ	1
#define INKTAG_PROT_WRITE	2
#define INKTAG_PROT_EXEC	4
#define INKTAG_PROT_MASK	7

/* A token names a descriptor. */
#define INKTAG_TOKEN_ARRAY	0		/* the array's own descriptor */
#define INKTAG_TOKEN_NONE	0xffffffffU	/* "no mapping": list ends, VMAs without a token */

enum inktag_kind {
	INKTAG_KIND_NONE,	/* the entry is free */
	INKTAG_KIND_PRIVATE,	/* anonymous, protected; its object is this HAP's alone, or shared by
				 * INKTAG_HC_SHARE and fork */
	INKTAG_KIND_SHARED,	/* reserved: protected memory with a name */
	INKTAG_KIND_FILE,	/* window of a protected file, see INKTAG_HC_FILE_OPEN */
	INKTAG_KIND_UNCLOAKED,	/* ordinary memory of the guest; its prot never has EXEC */
	INKTAG_KIND_COUNT
};

struct inktag_desc {
	__u64 addr;	/* first byte; page-aligned, not 0, below INKTAG_USER_END */
	__u64 npages;	/* length, > 0 */
	__u64 oid[2];	/* the object. INKTAG_KIND_PRIVATE, _FILE: oid[0] is a serial number that the HAP
			 * chooses, below INKTAG_SERIAL_END (0 is the array's), oid[1] is 0; the
			 * hypervisor knows which object of the HAP's that is, so that no HAP can
			 * name another's. INKTAG_KIND_UNCLOAKED: both 0 */
	__u64 index;	/* object page that addr maps; index + npages at most INKTAG_INDEX_END.
			 * INKTAG_KIND_UNCLOAKED: 0 */
	__u32 prot;	/* INKTAG_PROT_*: the most that a trusted mapping may have */
	__u16 kind;	/* enum inktag_kind */
	__u16 flags;	/* 0 */
	__u32 prev;	/* token of the mapping below in address order, or INKTAG_TOKEN_NONE. The */
	__u32 next;	/* two links are the shim's; the hypervisor does not follow them */
	__u64 reserved;	/* 0 */
};

#define INKTAG_INDEX_END	(1UL << 36)
#define INKTAG_SERIAL_END	(1UL << 32)

/* Each field in its range, whatever other descriptors say. Not for entry 0. */
static inline _Bool inktag_desc_is_valid(const struct inktag_desc *d)
{
	const __u64 pages = INKTAG_USER_END / INKTAG_PAGE_SIZE;

	if (d->flags || d->reserved || d->prot & ~INKTAG_PROT_MASK)
		return 0;
	if (!d->addr || d->addr % INKTAG_PAGE_SIZE || d->addr >= INKTAG_USER_END)
		return 0;
	if (!d->npages || d->npages > pages - d->addr / INKTAG_PAGE_SIZE)
		return 0;
	if (d->index >= INKTAG_INDEX_END || d->npages > INKTAG_INDEX_END - d->index || d->oid[1])
		return 0;
	if (d->kind == INKTAG_KIND_PRIVATE || d->kind == INKTAG_KIND_FILE)
		return d->oid[0] && d->oid[0] < INKTAG_SERIAL_END;
	return d->kind == INKTAG_KIND_UNCLOAKED && !d->oid[0] && !d->index &&
	       !(d->prot & INKTAG_PROT_EXEC);
}

_Static_assert(sizeof(struct inktag_desc) == 64, "descriptor size");
_Static_assert(__builtin_offsetof(struct inktag_desc, addr) == 0, "descriptor layout");
_Static_assert(__builtin_offsetof(struct inktag_desc, npages) == 8, "descriptor layout");
_Static_assert(__builtin_offsetof(struct inktag_desc, oid) == 16, "descriptor layout");
_Static_assert(__builtin_offsetof(struct inktag_desc, index) == 32, "descriptor layout");
_Static_assert(__builtin_offsetof(struct inktag_desc, prot) == 40, "descriptor layout");
_Static_assert(__builtin_offsetof(struct inktag_desc, kind) == 44, "descriptor layout");
_Static_assert(__builtin_offsetof(struct inktag_desc, prev) == 48, "descriptor layout");
_Static_assert(__builtin_offsetof(struct inktag_desc, next) == 52, "descriptor layout");

#endif
