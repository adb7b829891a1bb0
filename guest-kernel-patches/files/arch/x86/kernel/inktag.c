// SPDX-License-Identifier: GPL-2.0
/*
 * InkTag, paraverification: tells the hypervisor about the page tables of high-assurance
 * processes (HAPs), through one ring per CPU. <asm/inktag.h> says what is reported and when,
 * <inktag/ring.h> in which form. What a HAP asks for is in mm/inktag.c.
 *
 * Nothing here is trusted by anybody: with a kernel that reports nothing or lies, a HAP does
 * not get on, or is ended.
 */
#define pr_fmt(fmt) "inktag: " fmt

#include <linux/blkdev.h>
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/inktag.h>
#include <linux/kobject.h>
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/sysfs.h>
#include <asm/inktag.h>
#include <asm/user.h>
#include <inktag/abi.h>

/* 128 entries: with the header page, a ring takes two pages. */
#define RING_LOG2	7
#define RING_ENTRIES	(1U << RING_LOG2)
#define RING_SIZE	(INKTAG_RING_ENTRIES_OFFSET +	\
			 RING_ENTRIES * sizeof(struct inktag_ring_entry))

/* Of its CPU alone, preemption off: no report is made by an interrupt handler. */
struct inktag_cpu {
	struct inktag_ring_hdr *ring;	/* allocated once, for each possible CPU */
	bool registered;		/* the hypervisor reads the ring */
	u32 tail;
	u64 maps;			/* reports made, for sysfs */
	u64 unmaps;
	u64 doorbells;
	u64 dropped;
};

static DEFINE_PER_CPU(struct inktag_cpu, inktag_cpu);
static atomic64_t inktag_seq = ATOMIC64_INIT(0);

DEFINE_STATIC_KEY_FALSE(inktag_key);
EXPORT_SYMBOL_GPL(inktag_key);

/*
 * As KVM's own hypercalls, but always VMMCALL: the trusted context exists on SVM only, and
 * this must not depend on when alternatives are patched.
 */
static long inktag_hypercall4(unsigned long nr, unsigned long a0, unsigned long a1,
			      unsigned long a2, unsigned long a3)
{
	long ret;

	asm volatile("vmmcall" : "=a" (ret) : "a" (nr), "b" (a0), "c" (a1), "d" (a2), "S" (a3)
		     : "memory");
	return ret;
}

static long inktag_hypercall(unsigned long nr, unsigned long a0, unsigned long a1)
{
	return inktag_hypercall4(nr, a0, a1, 0, 0);
}

static void inktag_report(u64 va_op, u64 arg, u32 hap, u32 token)
{
	struct inktag_cpu *cpu = get_cpu_ptr(&inktag_cpu);
	struct inktag_ring_entry *entries = (void *)cpu->ring + INKTAG_RING_ENTRIES_OFFSET;

	if (unlikely(!cpu->registered))
		goto drop;

	if (unlikely(cpu->tail - READ_ONCE(cpu->ring->head) >= RING_ENTRIES)) {
		cpu->doorbells++;
		inktag_hypercall(INKTAG_HC_DOORBELL, 0, 0);
		if (cpu->tail - READ_ONCE(cpu->ring->head) >= RING_ENTRIES)
			goto drop;
	}

	entries[cpu->tail % RING_ENTRIES] = (struct inktag_ring_entry) {
		.seq = atomic64_inc_return(&inktag_seq),
		.va_op = va_op,
		.arg = arg,
		.hap = hap,
		.token = token,
	};
	/* The hypervisor reads an entry only after it has seen it counted. */
	smp_store_release(&cpu->ring->tail, ++cpu->tail);
	if (INKTAG_RING_OP(va_op) == INKTAG_RING_MAP)
		cpu->maps++;
	else
		cpu->unmaps++;
	put_cpu_ptr(&inktag_cpu);
	return;

drop:
	cpu->dropped++;
	put_cpu_ptr(&inktag_cpu);
	pr_warn_once("the hypervisor does not take reports\n");
}

/* Under the lock of the page-table entry, which has @flags and maps @pfn at @address. */
static void inktag_report_map(struct vm_area_struct *vma, unsigned long address,
			      unsigned long pfn, unsigned long flags, bool write)
{
	u64 prot = INKTAG_PROT_READ;

	if (!(flags & _PAGE_PRESENT))
		return;
	/*
	 * A clean entry is reported read-only although it may be writable: writes of the HAP do
	 * not set the dirty bit here, so that its first write must come as a fault, which does.
	 */
	if ((flags & _PAGE_RW) && (flags & _PAGE_DIRTY))
		prot |= INKTAG_PROT_WRITE;
	else if (write)
		return;
	if (!(flags & _PAGE_NX))
		prot |= INKTAG_PROT_EXEC;

	inktag_report((address & PAGE_MASK) | prot << 8 | INKTAG_RING_MAP, pfn,
		      vma->vm_mm->context.inktag_hap, vma->inktag_token);
}

/*
 * Whoever handled the fault, the entry may have changed since, or have been right before: the
 * page table is asked again.
 */
void __inktag_report_fault(struct vm_area_struct *vma, unsigned long address, bool write)
{
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd, pmdval;
	pte_t *pte;

	pgd = pgd_offset(mm, address);
	if (!pgd_present(*pgd))
		return;
	p4d = p4d_offset(pgd, address);
	if (!p4d_present(*p4d))
		return;
	pud = pud_offset(p4d, address);
	if (!pud_present(*pud) || pud_leaf(*pud))
		return;

	pmd = pmd_offset(pud, address);
	pmdval = pmdp_get_lockless(pmd);
	if (pmd_present(pmdval) && pmd_leaf(pmdval)) {
		/* Huge pages that were there before ATTACH. */
		ptl = pmd_lock(mm, pmd);
		if (pmd_present(*pmd) && pmd_leaf(*pmd))
			inktag_report_map(vma, address, pmd_pfn(*pmd) + pte_index(address),
					  pmd_flags(*pmd), write);
		spin_unlock(ptl);
		return;
	}

	pte = pte_offset_map_lock(mm, pmd, address, &ptl);
	if (!pte)
		return;
	inktag_report_map(vma, address, pte_pfn(*pte), pte_flags(*pte), write);
	pte_unmap_unlock(pte, ptl);
}

void __inktag_report_unmap(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	start = end == TLB_FLUSH_ALL ? 0 : min(start & PAGE_MASK, INKTAG_USER_END);
	end = PAGE_ALIGN(min(end, INKTAG_USER_END));
	if (start >= end)
		return;
	inktag_report(start | INKTAG_RING_UNMAP, (end - start) >> PAGE_SHIFT,
		      READ_ONCE(mm->context.inktag_hap), 0);
}

/*
 * The hypervisor puts what the disk may have now into its store. It cannot if too many versions of a page may be on the
 * disk already: then all but the last of them must be overwritten for good. The writeback before this one
 * has ended, so a flush does it.
 */
static void inktag_announce(struct folio *folio, struct address_space *mapping)
{
	unsigned long pfn = folio_pfn(folio), end = pfn + folio_nr_pages(folio), count;
	struct block_device *bdev = mapping->host->i_sb->s_bdev;
	long ret;

	for (; pfn < end; pfn += count) {
		count = min(end - pfn, INKTAG_IO_MAX);
		ret = inktag_hypercall4(INKTAG_HC_BEFORE_IO, pfn, count, INKTAG_IO_ANNOUNCE, 0);
		if (ret == -INKTAG_EBUSY && bdev && !blkdev_issue_flush(bdev))
			ret = inktag_hypercall4(INKTAG_HC_BEFORE_IO, pfn, count, INKTAG_IO_FLUSHED, 0);
		if (ret)
			pr_err_ratelimited("the metadata store did not take a protected page (error %ld): a crash may lose it\n",
					   ret);
	}
}

/*
 * The folio is locked and not mapped writable any more. A read through the kernel's mapping of
 * a held frame makes the hypervisor put the ciphertext there before the read completes.
 */
void __inktag_before_io(struct folio *folio)
{
	struct address_space *mapping = folio_test_swapcache(folio) ? NULL : folio->mapping;
	long i;

	if (mapping && test_bit(AS_INKTAG, &mapping->flags)) {
		inktag_announce(folio, mapping);
		return;
	}

	for (i = 0; i < folio_nr_pages(folio); i++)
		READ_ONCE(*(u8 *)page_address(folio_page(folio, i)));
}

/*
 * fork() of a HAP, at its end: the hypervisor has prepared the child, and its id is in the register
 * that the stub has it in. From now on the new page table is reported.
 */
void __inktag_dup_mmap(struct mm_struct *mm)
{
	const struct pt_regs *regs = current_pt_regs();

	if (regs->r12 == INKTAG_RESUME_MAGIC)
		mm->context.inktag_hap = regs->r13 >> 32;
}

bool __inktag_copies_late(struct vm_area_struct *vma)
{
	return vma->vm_mm->context.inktag_hap && vma->inktag_token != INKTAG_TOKEN_NONE;
}

void __inktag_copy(struct vm_area_struct *vma, unsigned long address, struct page *to,
		   struct page *from)
{
	if (inktag_hypercall4(INKTAG_HC_COPY,
			      vma->vm_mm->context.inktag_hap | (u64)vma->inktag_token << 32,
			      address & PAGE_MASK, page_to_pfn(from), page_to_pfn(to)))
		copy_user_highpage(to, from, address, vma);
}

/* arch_prctl(ARCH_INKTAG_ATTACH) */
long inktag_attach(unsigned long attributes)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	long ret;

	if (!static_branch_unlikely(&inktag_key))
		return -EINVAL;
	if (!current_is_single_threaded())
		return -EINVAL;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = -EEXIST;
	if (mm->context.inktag_hap)
		goto out;
	ret = inktag_hypercall4(INKTAG_HC_HAP_CREATE, task_tgid_nr(current), mm->context.inktag_before,
				attributes, 0);
	if (ret <= 0)
		goto out;

	/* Tokens that fork() copied from a HAP mean nothing here. */
	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma) {
		vma_start_write(vma);
		vma_set_inktag_token(vma, INKTAG_TOKEN_NONE);
	}
	set_bit(MMF_DISABLE_THP, &mm->flags);
	WRITE_ONCE(mm->context.inktag_hap, ret);
out:
	mmap_write_unlock(mm);
	return ret;
}

/*
 * What the hypervisor has of @task, by the handle that the stub has it in. false: it is not in the stub, or may not be
 * debugged.
 */
bool __inktag_debug(struct task_struct *task, struct inktag_debug *d, bool set)
{
	const struct pt_regs *regs = task_pt_regs(task);

	return regs->r12 == INKTAG_RESUME_MAGIC &&
	       !inktag_hypercall4(INKTAG_HC_DEBUG, regs->bx, (unsigned long)d, set, 0);
}

/* Where @d has the register at @offset in struct user_regs_struct. NULL: it is the kernel's. */
static unsigned long *inktag_reg(struct inktag_debug *d, unsigned long offset)
{
	static const u8 gpr[] = { 15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7 };
	struct inktag_regs *regs = &d->regs;

	if (offset / sizeof(long) < ARRAY_SIZE(gpr))
		return (unsigned long *)&regs->gpr[gpr[offset / sizeof(long)]];
	switch (offset) {
	case offsetof(struct user_regs_struct, ip):
		return (unsigned long *)&regs->rip;
	case offsetof(struct user_regs_struct, flags):
		return (unsigned long *)&regs->rflags;
	case offsetof(struct user_regs_struct, sp):
		return (unsigned long *)&regs->gpr[4];
	case offsetof(struct user_regs_struct, fs_base):
		return (unsigned long *)&regs->fsbase;
	case offsetof(struct user_regs_struct, gs_base):
		return (unsigned long *)&regs->gsbase;
	}
	return NULL;
}

/* NULL: not the hypervisor's. The result of a system call it will learn from the stub. */
static unsigned long *inktag_debugged(struct task_struct *task, unsigned long offset,
				      struct inktag_debug *d)
{
	unsigned long *reg = inktag_reg(d, offset);

	if (!reg || !__inktag_debug(task, d, false))
		return NULL;
	if (d->regs.cause == INKTAG_CAUSE_SYSCALL && offset == offsetof(struct user_regs_struct, ax))
		return NULL;
	/* The debugger's steps are the kernel's. */
	d->regs.rflags &= ~X86_EFLAGS_TF;
	return reg;
}

bool __inktag_getreg(struct task_struct *task, unsigned long offset, unsigned long *value)
{
	struct inktag_debug d;
	unsigned long *reg = inktag_debugged(task, offset, &d);

	if (reg)
		*value = *reg;
	return reg;
}

/* In a system call nothing can be changed; a debugger may put back what was there. */
int __inktag_putreg(struct task_struct *task, unsigned long offset, unsigned long value)
{
	struct inktag_debug d;
	unsigned long *reg = inktag_debugged(task, offset, &d);

	if (!reg)
		return 1;
	if (*reg == value)
		return 0;
	*reg = value;
	return __inktag_debug(task, &d, true) ? 0 : -EIO;
}

/* The OOM reaper and exit_mmap() may both come. */
void __inktag_mm_gone(struct mm_struct *mm)
{
	unsigned int hap = xchg(&mm->context.inktag_hap, 0);

	if (hap)
		inktag_hypercall(INKTAG_HC_HAP_DESTROY, hap, 0);
}

/*
 * In the STARTING section of CPU hotplug, with interrupts off: every thread that runs on a CPU
 * finds its ring registered.
 */
static int inktag_cpu_starting(unsigned int nr)
{
	struct inktag_cpu *cpu = this_cpu_ptr(&inktag_cpu);
	long ret;

	/* A kernel that kexec replaced by this one may have left its ring. */
	inktag_hypercall(INKTAG_HC_RING_SET, 0, 0);

	memset(cpu->ring, 0, sizeof(*cpu->ring));
	cpu->tail = 0;
	ret = inktag_hypercall(INKTAG_HC_RING_SET, __pa(cpu->ring), RING_LOG2);
	if (ret)
		pr_err("CPU %u: the hypervisor refuses the ring: error %ld\n", nr, ret);
	cpu->registered = !ret;
	return 0;
}

static int inktag_cpu_dying(unsigned int nr)
{
	this_cpu_write(inktag_cpu.registered, false);
	inktag_hypercall(INKTAG_HC_DOORBELL, 0, 0);
	inktag_hypercall(INKTAG_HC_RING_SET, 0, 0);
	return 0;
}

static void inktag_cpu_reboot(void *unused)
{
	inktag_cpu_dying(smp_processor_id());
}

static void inktag_end_all(void)
{
	struct task_struct *p, *t;

	rcu_read_lock();
	for_each_process(p) {
		t = find_lock_task_mm(p);
		if (t) {
			inktag_mm_gone(t->mm);
			task_unlock(t);
		}
	}
	rcu_read_unlock();
}

/* The next kernel may use the memory of rings and HAPs for something else. */
static int inktag_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	inktag_end_all();
	on_each_cpu(inktag_cpu_reboot, NULL, 1);
	return NOTIFY_DONE;
}

static struct notifier_block inktag_reboot_nb = { .notifier_call = inktag_reboot };

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", INKTAG_ABI_VERSION);
}

static struct kobj_attribute version_attr = __ATTR_RO(version);

#define INKTAG_COUNTER(name)								\
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)	\
{											\
	u64 sum = 0;									\
	int cpu;									\
											\
	for_each_possible_cpu(cpu)							\
		sum += per_cpu(inktag_cpu.name, cpu);					\
	return sysfs_emit(buf, "%llu\n", sum);						\
}											\
static struct kobj_attribute name##_attr = __ATTR_RO(name)

INKTAG_COUNTER(maps);
INKTAG_COUNTER(unmaps);
INKTAG_COUNTER(doorbells);
INKTAG_COUNTER(dropped);

static struct attribute *inktag_attrs[] = {
	&version_attr.attr,
	&maps_attr.attr,
	&unmaps_attr.attr,
	&doorbells_attr.attr,
	&dropped_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(inktag);

static bool __init inktag_present(void)
{
	long version;

	/* Without SVM below, VMMCALL is an invalid instruction, or KVM rewrites it. */
	if (!kvm_para_available() || !boot_cpu_has(X86_FEATURE_VMMCALL))
		return false;
	version = inktag_hypercall(INKTAG_HC_VERSION, 0, 0);
	if (version == INKTAG_ABI_VERSION)
		return true;
	if (version > 0)
		pr_err("the hypervisor has version %ld, this kernel has %d\n", version,
		       INKTAG_ABI_VERSION);
	return false;
}

static int __init inktag_init(void)
{
	struct kobject *kobj;
	int cpu, ret;

	if (!inktag_present()) {
		pr_info("not available\n");
		return 0;
	}

	for_each_possible_cpu(cpu) {
		void *ring = alloc_pages_exact(RING_SIZE, GFP_KERNEL | __GFP_ZERO);

		if (!ring)
			return -ENOMEM;
		per_cpu(inktag_cpu.ring, cpu) = ring;
	}
	ret = cpuhp_setup_state(CPUHP_AP_X86_INKTAG_STARTING, "x86/inktag:starting",
				inktag_cpu_starting, inktag_cpu_dying);
	if (ret)
		return ret;
	register_reboot_notifier(&inktag_reboot_nb);
	static_branch_enable(&inktag_key);
	pr_info("version %d\n", INKTAG_ABI_VERSION);

	kobj = kobject_create_and_add("inktag", kernel_kobj);
	if (!kobj || sysfs_create_groups(kobj, inktag_groups))
		pr_err("no counters in /sys/kernel/inktag\n");
	return 0;
}
arch_initcall(inktag_init);
