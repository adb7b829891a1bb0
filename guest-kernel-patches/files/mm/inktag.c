// SPDX-License-Identifier: GPL-2.0
/*
 * InkTag, what a HAP asks for: changes of its mappings under a token, the index of the
 * descriptor in which the HAP itself has written down what it expects (<inktag/prctl.h>).
 * The kernel stores the token in the VMA, hands it on with each report, and answers with the
 * token of the mapping below, so that the HAP can check the answer in constant time.
 *
 * mm->context.inktag_lock makes each request one step for the other requests of the process.
 * It is taken outside the mmap lock. MAP and TAG are one step under the mmap lock, too.
 */
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/inktag.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>
#include <asm/inktag.h>
#include <inktag/prctl.h>
#include "internal.h"

/*
 * Give the VMAs of [start, end), which must have no gap, the token. The mmap lock is held for
 * writing. On an error for lack of memory the first part may have it already.
 */
static int inktag_tag(struct mm_struct *mm, unsigned long start, unsigned long end, u32 token)
{
	struct vm_area_struct *vma, *prev;
	unsigned long pos = start;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, start);
	for_each_vma_range(vmi, vma, end) {
		if (vma->vm_start > pos)
			return -ENOMEM;
		if (is_vm_hugetlb_page(vma))
			return -EINVAL;
		pos = vma->vm_end;
	}
	if (pos < end)
		return -ENOMEM;

	vma_iter_init(&vmi, mm, start);
	vma = vma_iter_load(&vmi);
	prev = vma_prev(&vmi);
	if (start > vma->vm_start)
		prev = vma;

	pos = start;
	for_each_vma_range(vmi, vma, end) {
		if (vma->inktag_token != token) {
			vma = vma_modify_inktag_token(&vmi, prev, vma, pos,
						      min(vma->vm_end, end), token);
			if (IS_ERR(vma))
				return PTR_ERR(vma);
			vma_start_write(vma);
			vma_set_inktag_token(vma, token);
		}
		prev = vma;
		pos = vma_iter_end(&vmi);
	}

	/* What was reported under the former token holds no more. */
	inktag_report_unmap(mm, start, end);
	return 0;
}

/* The token of the nearest mapping below addr that has one. */
static u32 inktag_prev_token(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;
	MA_STATE(mas, &mm->mm_mt, addr - 1, addr - 1);

	if (!addr)
		return INKTAG_TOKEN_NONE;
	while ((vma = mas_find_rev(&mas, 0)))
		if (vma->inktag_token != INKTAG_TOKEN_NONE)
			return vma->inktag_token;
	return INKTAG_TOKEN_NONE;
}

/* As ksys_mmap_pgoff() and vm_mmap_pgoff(), but there are no huge pages for a HAP. */
static long inktag_map(struct mm_struct *mm, struct inktag_mm *req)
{
	unsigned long addr, len, populate = 0;
	struct file *file = NULL;
	LIST_HEAD(uf);
	long ret;

	if (offset_in_page(req->offset) || (req->flags & MAP_HUGETLB))
		return -EINVAL;
	len = PAGE_ALIGN(req->len);

	if (!(req->flags & MAP_ANONYMOUS)) {
		if (req->fd != (int)req->fd)
			return -EBADF;
		file = fget(req->fd);
		if (!file)
			return -EBADF;
		ret = -EINVAL;
		if (is_file_hugepages(file))
			goto out_fput;
	}

	ret = security_mmap_file(file, req->prot, req->flags);
	if (ret)
		goto out_fput;
	ret = -EINTR;
	if (mmap_write_lock_killable(mm))
		goto out_fput;
	addr = do_mmap(file, req->addr, req->len, req->prot, req->flags, 0,
		       req->offset >> PAGE_SHIFT, &populate, &uf);
	if (IS_ERR_VALUE(addr)) {
		ret = addr;
		goto out_unlock;
	}
	ret = inktag_tag(mm, addr, addr + len, req->token);
	if (ret) {
		populate = 0;
		do_munmap(mm, addr, len, &uf);
		goto out_unlock;
	}
	/* A page must not be changed while a device reads it: after a crash it would be none of its versions. */
	if (file && req->kind == INKTAG_KIND_FILE) {
		set_bit(AS_INKTAG, &file->f_mapping->flags);
		mapping_set_stable_writes(file->f_mapping);
	}
	req->prev = inktag_prev_token(mm, addr);
	req->addr = addr;
out_unlock:
	mmap_write_unlock(mm);
	userfaultfd_unmap_complete(mm, &uf);
	if (populate)
		mm_populate(addr, populate);
out_fput:
	if (file)
		fput(file);
	return ret;
}

static long inktag_retag(struct mm_struct *mm, unsigned long start, unsigned long len,
			 struct inktag_mm *req)
{
	long ret;

	if (offset_in_page(start))
		return -EINVAL;
	len = PAGE_ALIGN(len);
	if (!len || start + len < start || start + len > TASK_SIZE)
		return -EINVAL;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = inktag_tag(mm, start, start + len, req->token);
	if (!ret)
		req->prev = inktag_prev_token(mm, start);
	mmap_write_unlock(mm);
	return ret;
}

/* When the second step fails, the range has its new rights and its former token. */
static long inktag_protect(struct mm_struct *mm, struct inktag_mm *req)
{
	long ret = do_mprotect_pkey(req->addr, req->len, req->prot, -1);

	if (ret || !req->len || req->token == INKTAG_TOKEN_NONE)
		return ret;
	return inktag_retag(mm, req->addr, req->len, req);
}

/* When the second step fails, the mapping is at its new place with its former token. */
static long inktag_remap(struct mm_struct *mm, struct inktag_mm *req)
{
	unsigned long addr = do_mremap(req->addr, req->offset, req->len, req->flags, req->prot);

	if (IS_ERR_VALUE(addr))
		return addr;
	req->addr = addr;
	return inktag_retag(mm, addr, req->len, req);
}

/* arch_prctl(ARCH_INKTAG_MM) */
long inktag_mm(unsigned long arg)
{
	struct inktag_mm __user *user = (struct inktag_mm __user *)arg;
	struct mm_struct *mm = current->mm;
	struct inktag_mm req;
	long ret;

	if (!inktag_hap(mm))
		return -EINVAL;
	if (copy_from_user(&req, user, sizeof(req)))
		return -EFAULT;
	if (req.kind && (req.kind != INKTAG_KIND_FILE || req.op != INKTAG_MM_MAP))
		return -EINVAL;
	req.prev = INKTAG_TOKEN_NONE;

	if (mutex_lock_killable(&mm->context.inktag_lock))
		return -EINTR;
	switch (req.op) {
	case INKTAG_MM_MAP:
		ret = inktag_map(mm, &req);
		break;
	case INKTAG_MM_UNMAP:
		ret = vm_munmap(req.addr, req.len);
		break;
	case INKTAG_MM_PROTECT:
		ret = inktag_protect(mm, &req);
		break;
	case INKTAG_MM_REMAP:
		ret = inktag_remap(mm, &req);
		break;
	case INKTAG_MM_TAG:
		ret = inktag_retag(mm, req.addr, req.len, &req);
		break;
	default:
		ret = -EINVAL;
	}
	mutex_unlock(&mm->context.inktag_lock);

	if (!ret && copy_to_user(user, &req, sizeof(req)))
		ret = -EFAULT;
	return ret;
}
