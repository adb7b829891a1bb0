// SPDX-License-Identifier: GPL-2.0-or-later
/* Attacks by devices: DMA from and to a frame, which the kernel itself never touches. */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "module.h"

long attack_disk(struct attack *a)
{
	bool write = a->op == ATTACK_DISK_WRITE;
	struct file *file;
	struct bio_vec vec;
	struct bio bio;
	unsigned long pfn;
	char *path;
	long ret;

	if (a->value % SECTOR_SIZE)
		return -EINVAL;
	if (a->len < 2 || a->len > PATH_MAX)
		return -EINVAL;
	ret = attack_pid_frame(a->pid, a->addr, &pfn);
	if (ret)
		return ret;
	path = memdup_user_nul((void __user *)a->buf, a->len - 1);
	if (IS_ERR(path))
		return PTR_ERR(path);
	file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, NULL, NULL);
	kfree(path);
	if (IS_ERR(file))
		return PTR_ERR(file);

	bio_init(&bio, file_bdev(file), &vec, 1, write ? REQ_OP_WRITE | REQ_FUA : REQ_OP_READ);
	bio.bi_iter.bi_sector = a->value >> SECTOR_SHIFT;
	__bio_add_page(&bio, pfn_to_page(pfn), PAGE_SIZE, 0);
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	/* Readers shall see the disk, not an older copy of it. */
	invalidate_mapping_pages(file->f_mapping, 0, -1);
	fput(file);
	return ret;
}
