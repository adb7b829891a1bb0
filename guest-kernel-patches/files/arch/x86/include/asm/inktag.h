/* SPDX-License-Identifier: GPL-2.0 */
/*
 * InkTag, the part that arch/x86 sees: an address space that belongs to a high-assurance
 * process (HAP) has an id, and what happens in its page table is reported to the hypervisor.
 *
 * Reports (see <inktag/ring.h>) are hints. A missing MAP costs the HAP another fault; a missing
 * UNMAP would let the hypervisor judge the HAP by a frame that is not its any more, so UNMAP is
 * reported after the page-table entries are cleared and before the frames can be used again.
 * For each address, reports carry sequence numbers in the order of the changes: MAP draws its
 * number under the lock of the page-table entry, UNMAP after the entry was cleared under it.
 */
#ifndef _ASM_X86_INKTAG_H
#define _ASM_X86_INKTAG_H

#include <linux/inktag.h>
#include <linux/mm_types.h>

#ifdef CONFIG_INKTAG

void __inktag_report_fault(struct vm_area_struct *vma, unsigned long address, bool write);
void __inktag_report_unmap(struct mm_struct *mm, unsigned long start, unsigned long end);
void __inktag_dup_mmap(struct mm_struct *mm);
long inktag_attach(void);
long inktag_mm(unsigned long arg);

/* The id of the HAP that @mm belongs to, or 0. */
static inline unsigned int inktag_hap(struct mm_struct *mm)
{
	return static_branch_unlikely(&inktag_key) ? READ_ONCE(mm->context.inktag_hap) : 0;
}

static inline void inktag_init_context(struct mm_struct *mm)
{
	mm->context.inktag_hap = 0;
	mm->context.inktag_before = 0;
	mutex_init(&mm->context.inktag_lock);
}

/* exec: the current process leaves @oldmm for @mm, and may attach there. */
static inline void inktag_exec(struct mm_struct *oldmm, struct mm_struct *mm)
{
	mm->context.inktag_before = inktag_hap(oldmm);
}

/* @mm is a copy of @oldmm, the current process's. */
static inline void inktag_dup_mmap(struct mm_struct *oldmm, struct mm_struct *mm)
{
	if (inktag_hap(oldmm))
		__inktag_dup_mmap(mm);
}

/*
 * A user page fault in @vma, which is still locked, was handled with result @fault, which does
 * not say that the lock was dropped.
 */
static inline void inktag_report_fault(struct vm_area_struct *vma, unsigned long address,
				       unsigned int flags, vm_fault_t fault)
{
	if (inktag_hap(vma->vm_mm) && !(fault & VM_FAULT_ERROR))
		__inktag_report_fault(vma, address, flags & FAULT_FLAG_WRITE);
}

/* The page-table entries of [@start, @end) were cleared or lost rights. */
static inline void inktag_report_unmap(struct mm_struct *mm, unsigned long start,
				       unsigned long end)
{
	if (inktag_hap(mm))
		__inktag_report_unmap(mm, start, end);
}

#else

static inline void inktag_init_context(struct mm_struct *mm)
{
}

static inline void inktag_exec(struct mm_struct *oldmm, struct mm_struct *mm)
{
}

static inline void inktag_dup_mmap(struct mm_struct *oldmm, struct mm_struct *mm)
{
}

static inline void inktag_report_fault(struct vm_area_struct *vma, unsigned long address,
				       unsigned int flags, vm_fault_t fault)
{
}

static inline void inktag_report_unmap(struct mm_struct *mm, unsigned long start,
				       unsigned long end)
{
}

static inline long inktag_attach(void)
{
	return -EINVAL;
}

static inline long inktag_mm(unsigned long arg)
{
	return -EINVAL;
}

#endif
#endif
