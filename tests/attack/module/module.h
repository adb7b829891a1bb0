/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module.h - the handlers of the operations in attack.h, and what they share. */
#ifndef ATTACK_MODULE_H
#define ATTACK_MODULE_H

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include "../attack.h"

#define PAGE(pfn)	((u8 *)__va((u64)(pfn) << PAGE_SHIFT))

/* main.c: a symbol that is not exported, or NULL. */
void *attack_symbol(const char *name);
struct task_struct *attack_task(int pid);
struct mm_struct *attack_mm(int pid);

/* memory.c: the frame of the page at addr; the mmap lock is held. */
int attack_frame(struct mm_struct *mm, unsigned long addr, unsigned long *pfn);
/* The same with the lock taken for the time of the call. */
int attack_pid_frame(int pid, unsigned long addr, unsigned long *pfn);

long attack_info(struct attack *a);
long attack_access(struct attack *a);		/* READ, WRITE */
long attack_exchange(struct attack *a);
long attack_exchange_pte(struct attack *a);
long attack_slot(struct attack *a);		/* SAVE, REPLAY */
long attack_scan(struct attack *a);
long attack_scan_ram(struct attack *a);
int attack_memory_init(void);
void attack_memory_exit(void);

long attack_hypercall(struct attack *a);
long attack_ring(struct attack *a);

long attack_regs(struct attack *a);		/* GET_REGS, SET_REGS */
long attack_hook(struct attack *a);
long attack_seen(struct attack *a);
long attack_unhook(struct attack *a);
int attack_hooks_init(void);
void attack_hooks_exit(void);

long attack_disk(struct attack *a);		/* DISK_WRITE, DISK_READ */

static inline long attack_copy_in(struct attack *a, void *to, size_t size)
{
	if (a->len != size)
		return -EINVAL;
	return copy_from_user(to, (void __user *)a->buf, size) ? -EFAULT : 0;
}

static inline long attack_copy_out(struct attack *a, const void *from, size_t size)
{
	if (a->len != size)
		return -EINVAL;
	return copy_to_user((void __user *)a->buf, from, size) ? -EFAULT : 0;
}

#endif
