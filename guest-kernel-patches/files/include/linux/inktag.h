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

bool __inktag_copies_late(struct vm_area_struct *vma);
void __inktag_copy(struct vm_area_struct *vma, unsigned long address, struct page *to,
		   struct page *from);

/*
 * Copy-on-write for a HAP: the hypervisor copies, and only once it is certain that the new frame
 * will be used, that is, with the page-table entry locked and unchanged. A copy made before would
 * make it encrypt the old page.
 */
static inline bool inktag_copies_late(struct vm_area_struct *vma)
{
	return static_branch_unlikely(&inktag_key) && __inktag_copies_late(vma);
}

static inline void inktag_copy(struct vm_area_struct *vma, unsigned long address, struct page *to,
			       struct page *from)
{
	if (inktag_copies_late(vma))
		__inktag_copy(vma, address, to, from);
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

static inline bool inktag_copies_late(struct vm_area_struct *vma)
{
	return false;
}

static inline void inktag_copy(struct vm_area_struct *vma, unsigned long address, struct page *to,
			       struct page *from)
{
}

static inline void inktag_mm_gone(struct mm_struct *mm)
{
}

#endif
#endif
