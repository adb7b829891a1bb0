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

struct inktag_debug;

#ifdef CONFIG_INKTAG

void __inktag_report_fault(struct vm_area_struct *vma, unsigned long address, bool write);
void __inktag_report_unmap(struct mm_struct *mm, unsigned long start, unsigned long end);
void __inktag_dup_mmap(struct mm_struct *mm);
long inktag_attach(unsigned long attributes);
long inktag_mm(unsigned long arg);
bool __inktag_debug(struct task_struct *task, struct inktag_debug *d, bool set);
bool __inktag_getreg(struct task_struct *task, unsigned long offset, unsigned long *value);
int __inktag_putreg(struct task_struct *task, unsigned long offset, unsigned long value);
void __inktag_get_fpstate(struct task_struct *task);
int __inktag_set_fpstate(struct task_struct *task);

/* The id of the HAP that @mm belongs to, or 0. */
static inline unsigned int inktag_hap(struct mm_struct *mm)
{
	return static_branch_unlikely(&inktag_key) ? READ_ONCE(mm->context.inktag_hap) : 0;
}

static inline bool inktag_is_hap(struct task_struct *task)
{
	return task->mm && inktag_hap(task->mm);
}

/*
 * A debugger's access to the registers of @task, which is stopped. @offset: in struct user_regs_struct.
 * Get: false if the kernel has the register itself. Put: 1 if so, otherwise 0 or an error.
 */
static inline bool inktag_getreg(struct task_struct *task, unsigned long offset,
				 unsigned long *value)
{
	return inktag_is_hap(task) && __inktag_getreg(task, offset, value);
}

static inline int inktag_putreg(struct task_struct *task, unsigned long offset,
				unsigned long value)
{
	return inktag_is_hap(task) ? __inktag_putreg(task, offset, value) : 1;
}

/* From the hypervisor into @task's fpstate, and from there back. */
static inline void inktag_get_fpstate(struct task_struct *task)
{
	if (inktag_is_hap(task))
		__inktag_get_fpstate(task);
}

static inline int inktag_set_fpstate(struct task_struct *task)
{
	return inktag_is_hap(task) ? __inktag_set_fpstate(task) : 0;
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

static inline bool inktag_is_hap(struct task_struct *task)
{
	return false;
}

static inline bool inktag_getreg(struct task_struct *task, unsigned long offset,
				 unsigned long *value)
{
	return false;
}

static inline int inktag_putreg(struct task_struct *task, unsigned long offset,
				unsigned long value)
{
	return 1;
}

static inline void inktag_get_fpstate(struct task_struct *task)
{
}

static inline int inktag_set_fpstate(struct task_struct *task)
{
	return 0;
}

static inline long inktag_attach(unsigned long attributes)
{
	return -EINVAL;
}

static inline long inktag_mm(unsigned long arg)
{
	return -EINVAL;
}

#endif
#endif
