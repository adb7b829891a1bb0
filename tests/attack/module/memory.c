// SPDX-License-Identifier: GPL-2.0-or-later
/* Attacks on memory: through the direct map, and on page tables. */
#include <linux/io.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <inktag/abi.h>
#include "module.h"

static void (*flush_range)(struct mm_struct *mm, unsigned long start, unsigned long end,
			   unsigned int stride_shift, bool freed_tables);
static u8 *slots;	/* ATTACK_SLOTS pages */

static pmd_t *lookup_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (addr >= TASK_SIZE_MAX)
		return NULL;
	pgd = pgd_offset(mm, addr);
	if (!pgd_present(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (!p4d_present(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (!pud_present(*pud) || pud_leaf(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	return pmd_present(*pmd) ? pmd : NULL;
}

static bool pte_has_frame(pte_t pte)
{
	return (pte_flags(pte) & _PAGE_PRESENT) && pfn_valid(pte_pfn(pte));
}

int attack_frame(struct mm_struct *mm, unsigned long addr, unsigned long *pfn)
{
	pmd_t *pmd = lookup_pmd(mm, addr);
	pte_t pte;

	if (!pmd)
		return -ENOENT;
	if (pmd_leaf(*pmd)) {
		*pfn = pmd_pfn(*pmd) + pte_index(addr);
		return 0;
	}
	pte = *pte_offset_kernel(pmd, addr);
	if (!pte_has_frame(pte))
		return -ENOENT;
	*pfn = pte_pfn(pte);
	return 0;
}

int attack_pid_frame(int pid, unsigned long addr, unsigned long *pfn)
{
	struct mm_struct *mm = attack_mm(pid);
	int ret;

	if (!mm)
		return -ESRCH;
	mmap_read_lock(mm);
	ret = attack_frame(mm, addr, pfn);
	mmap_read_unlock(mm);
	mmput(mm);
	return ret;
}

/* The entry of a page that is present and not huge. The mmap lock is held. */
static int lookup_pte(struct mm_struct *mm, unsigned long addr, pte_t **pte, spinlock_t **lock)
{
	pmd_t *pmd = lookup_pmd(mm, addr);

	if (!pmd)
		return -ENOENT;
	if (pmd_leaf(*pmd))
		return -EOPNOTSUPP;
	*pte = pte_offset_kernel(pmd, addr);
	*lock = pte_lockptr(mm, pmd);
	return pte_has_frame(**pte) ? 0 : -ENOENT;
}

static void replace_pte(struct mm_struct *mm, unsigned long addr, pte_t *pte, spinlock_t *lock,
			pte_t new)
{
	addr &= PAGE_MASK;
	spin_lock(lock);
	pte_clear(mm, addr, pte);
	spin_unlock(lock);
	flush_range(mm, addr, addr + PAGE_SIZE, PAGE_SHIFT, false);
	spin_lock(lock);
	set_pte(pte, new);
	spin_unlock(lock);
}

long attack_info(struct attack *a)
{
	struct mm_struct *mm = attack_mm(a->pid);
	struct vm_area_struct *vma;
	spinlock_t *lock;
	pte_t *pte;
	long ret;

	if (!mm)
		return -ESRCH;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, a->addr);
	a->value = vma ? vma->inktag_token : INKTAG_TOKEN_NONE;
	ret = lookup_pte(mm, a->addr, &pte, &lock);
	if (!ret)
		a->result = pte_val(*pte);
	mmap_read_unlock(mm);
	mmput(mm);
	return ret == -ENOENT ? 0 : ret;
}

long attack_access(struct attack *a)
{
	u64 addr = a->addr, user = a->buf, left = a->len;
	unsigned long pfn;
	long ret;

	while (left) {
		u32 offset = offset_in_page(addr);
		u32 n = min_t(u64, left, PAGE_SIZE - offset);

		ret = attack_pid_frame(a->pid, addr, &pfn);
		if (ret)
			return ret;
		if (a->op == ATTACK_READ)
			ret = copy_to_user((void __user *)user, PAGE(pfn) + offset, n);
		else
			ret = copy_from_user(PAGE(pfn) + offset, (void __user *)user, n);
		if (ret)
			return -EFAULT;
		addr += n;
		user += n;
		left -= n;
	}
	return 0;
}

long attack_exchange(struct attack *a)
{
	unsigned long one, two;
	long ret;
	u8 *tmp;

	ret = attack_pid_frame(a->pid, a->addr, &one);
	if (!ret)
		ret = attack_pid_frame(a->pid, a->addr2, &two);
	if (ret)
		return ret;
	tmp = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!tmp)
		return -ENOMEM;
	memcpy(tmp, PAGE(one), PAGE_SIZE);
	memcpy(PAGE(one), PAGE(two), PAGE_SIZE);
	memcpy(PAGE(two), tmp, PAGE_SIZE);
	kfree(tmp);
	return 0;
}

/* The frames' own counts stay right, so that nothing need be undone. */
long attack_exchange_pte(struct attack *a)
{
	struct mm_struct *mm = attack_mm(a->pid);
	spinlock_t *lock1, *lock2;
	pte_t *pte1, *pte2, old1, old2;
	long ret;

	if (!mm)
		return -ESRCH;
	mmap_write_lock(mm);
	ret = lookup_pte(mm, a->addr, &pte1, &lock1);
	if (!ret)
		ret = lookup_pte(mm, a->addr2, &pte2, &lock2);
	if (!ret) {
		old1 = *pte1;
		old2 = *pte2;
		replace_pte(mm, a->addr, pte1, lock1, old2);
		replace_pte(mm, a->addr2, pte2, lock2, old1);
	}
	mmap_write_unlock(mm);
	mmput(mm);
	return ret;
}

long attack_slot(struct attack *a)
{
	unsigned long pfn;
	long ret;

	if (a->value >= ATTACK_SLOTS)
		return -EINVAL;
	ret = attack_pid_frame(a->pid, a->addr, &pfn);
	if (ret)
		return ret;
	if (a->op == ATTACK_SAVE)
		memcpy(slots + a->value * PAGE_SIZE, PAGE(pfn), PAGE_SIZE);
	else
		memcpy(PAGE(pfn), slots + a->value * PAGE_SIZE, PAGE_SIZE);
	return 0;
}

/* page: a copy, which another page's content must not outlive. */
static void scan_page(struct attack *a, struct attack_scan *scan, u8 *page, u64 addr, u64 pfn)
{
	u32 i, j;

	if (copy_from_kernel_nofault(page, PAGE(pfn), PAGE_SIZE))
		return;
	scan->pages++;
	/* Most of the RAM; the pattern has no zeros at its start. */
	if (scan->not_pattern[0] != 0xff && !memchr_inv(page, 0, PAGE_SIZE))
		return;
	for (i = 0; i + scan->len <= PAGE_SIZE; i++) {
		for (j = 0; j < scan->len; j++)
			if ((u8)~page[i + j] != scan->not_pattern[j])
				break;
		if (j < scan->len)
			continue;
		if (a->result < ATTACK_HITS_MAX) {
			scan->hits[a->result].addr = addr + i;
			scan->hits[a->result].pfn = pfn;
		}
		a->result++;
	}
	memset(page, 0, PAGE_SIZE);
}

struct scan_buffers {
	struct attack_scan scan;
	u8 page[PAGE_SIZE];
};

static long scan_begin(struct attack *a, struct scan_buffers **b)
{
	long ret;

	*b = kzalloc(sizeof(**b), GFP_KERNEL);
	if (!*b)
		return -ENOMEM;
	ret = attack_copy_in(a, &(*b)->scan, sizeof((*b)->scan));
	if (!ret && ((*b)->scan.len < 4 || (*b)->scan.len > ATTACK_PATTERN_MAX))
		ret = -EINVAL;
	if (ret) {
		kfree(*b);
		return ret;
	}
	(*b)->scan.pages = 0;
	memset((*b)->scan.hits, 0, sizeof((*b)->scan.hits));
	return 0;
}

static long scan_end(struct attack *a, struct scan_buffers *b)
{
	long ret = attack_copy_out(a, &b->scan, sizeof(b->scan));

	kfree(b);
	return ret;
}

long attack_scan(struct attack *a)
{
	struct vm_area_struct *vma;
	struct scan_buffers *b;
	struct mm_struct *mm;
	unsigned long addr, pfn;
	long ret;

	ret = scan_begin(a, &b);
	if (ret)
		return ret;
	mm = attack_mm(a->pid);
	if (!mm) {
		kfree(b);
		return -ESRCH;
	}
	mmap_read_lock(mm);
	{
		VMA_ITERATOR(vmi, mm, 0);

		for_each_vma(vmi, vma) {
			for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE) {
				if (!lookup_pmd(mm, addr)) {
					addr |= ~PMD_MASK & PAGE_MASK;
					continue;
				}
				if (!attack_frame(mm, addr, &pfn))
					scan_page(a, &b->scan, b->page, addr, pfn);
				cond_resched();
			}
		}
	}
	mmap_read_unlock(mm);
	mmput(mm);
	return scan_end(a, b);
}

long attack_scan_ram(struct attack *a)
{
	unsigned long pfn, end = (unsigned long)virt_to_phys(high_memory) >> PAGE_SHIFT;
	struct scan_buffers *b;
	long ret;

	ret = scan_begin(a, &b);
	if (ret)
		return ret;
	for (pfn = 0; pfn < end; pfn++) {
		if (pfn_valid(pfn) && page_is_ram(pfn))
			scan_page(a, &b->scan, b->page, (u64)pfn << PAGE_SHIFT, pfn);
		cond_resched();
	}
	return scan_end(a, b);
}

int attack_memory_init(void)
{
	flush_range = attack_symbol("flush_tlb_mm_range");
	if (!flush_range)
		return -EOPNOTSUPP;
	slots = vzalloc(ATTACK_SLOTS * PAGE_SIZE);
	return slots ? 0 : -ENOMEM;
}

void attack_memory_exit(void)
{
	vfree(slots);
}
