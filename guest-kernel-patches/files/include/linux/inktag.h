/* SPDX-License-Identifier: GPL-2.0 */
/*
 * InkTag, the part that mm/ sees: a VMA carries the token of the descriptor under which its
 * process asked for it, and pages are taken back from the hypervisor before a device reads them.
 */
#ifndef _LINUX_INKTAG_H
#define _LINUX_INKTAG_H

#include <linux/jump_label.h>
#include <linux/mm_types.h>
#include <inktag/descriptor.h>

#ifdef CONFIG_INKTAG

/* On once the hypervisor has answered; stays on. */
DECLARE_STATIC_KEY_FALSE(inktag_key);

/* Written under the mmap lock and the VMA's lock, both for writing. */
static inline void vma_set_inktag_token(struct vm_area_struct *vma, unsigned int token)
{
	vma->inktag_token = token;
}

static inline unsigned int vma_inktag_token(const struct vm_area_struct *vma)
{
	return vma->inktag_token;
}

void __inktag_before_io(struct folio *folio);

/*
 * A frame that the hypervisor holds for a HAP's page shows old content to devices, and the
 * page's ciphertext only after the kernel has touched it. To be called before a device is
 * told to read @folio, when no new write of the HAP can precede the device's read.
 */
static inline void inktag_before_io(struct folio *folio)
{
	if (static_branch_unlikely(&inktag_key))
		__inktag_before_io(folio);
}

void __inktag_mm_gone(struct mm_struct *mm);

/*
 * Nobody runs in @mm any more, or will again, and its frames are not freed yet. The hypervisor
 * forgets all that it held in them; else it would put ciphertext into a frame that a device has
 * filled for its next user.
 */
static inline void inktag_mm_gone(struct mm_struct *mm)
{
	if (static_branch_unlikely(&inktag_key))
		__inktag_mm_gone(mm);
}

#else

static inline void vma_set_inktag_token(struct vm_area_struct *vma, unsigned int token)
{
}

static inline unsigned int vma_inktag_token(const struct vm_area_struct *vma)
{
	return INKTAG_TOKEN_NONE;
}

static inline void inktag_before_io(struct folio *folio)
{
}

static inline void inktag_mm_gone(struct mm_struct *mm)
{
}

#endif
#endif
