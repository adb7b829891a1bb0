// SPDX-License-Identifier: GPL-2.0-or-later
/* The device and its table of operations. One operation at a time. */
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include "module.h"

static long (*const handlers[ATTACK_OP_COUNT])(struct attack *a) = {
	[ATTACK_INFO]		= attack_info,
	[ATTACK_READ]		= attack_access,
	[ATTACK_WRITE]		= attack_access,
	[ATTACK_EXCHANGE]	= attack_exchange,
	[ATTACK_EXCHANGE_PTE]	= attack_exchange_pte,
	[ATTACK_SAVE]		= attack_slot,
	[ATTACK_REPLAY]		= attack_slot,
	[ATTACK_SCAN]		= attack_scan,
	[ATTACK_SCAN_RAM]	= attack_scan_ram,
	[ATTACK_HYPERCALL]	= attack_hypercall,
	[ATTACK_RING]		= attack_ring,
	[ATTACK_GET_REGS]	= attack_regs,
	[ATTACK_SET_REGS]	= attack_regs,
	[ATTACK_HOOK]		= attack_hook,
	[ATTACK_SEEN]		= attack_seen,
	[ATTACK_UNHOOK]		= attack_unhook,
	[ATTACK_DISK_WRITE]	= attack_disk,
	[ATTACK_DISK_READ]	= attack_disk,
};

static DEFINE_MUTEX(attack_lock);

/* kallsyms_lookup_name() is not exported; a kprobe finds it. */
void *attack_symbol(const char *name)
{
	static unsigned long (*lookup)(const char *name);

	if (!lookup) {
		struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };

		if (register_kprobe(&kp))
			return NULL;
		lookup = (void *)kp.addr;
		unregister_kprobe(&kp);
	}
	return (void *)lookup(name);
}

struct task_struct *attack_task(int nr)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);

	put_pid(pid);
	return task;
}

struct mm_struct *attack_mm(int nr)
{
	struct task_struct *task = attack_task(nr);
	struct mm_struct *mm;

	if (!task)
		return NULL;
	mm = get_task_mm(task);
	put_task_struct(task);
	return mm;
}

static long attack_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct attack a;
	long ret;

	if (cmd != ATTACK_IOCTL)
		return -ENOTTY;
	if (copy_from_user(&a, (void __user *)arg, sizeof(a)))
		return -EFAULT;
	if (a.op >= ATTACK_OP_COUNT)
		return -EINVAL;
	a.result = 0;

	if (mutex_lock_interruptible(&attack_lock))
		return -EINTR;
	ret = handlers[a.op](&a);
	mutex_unlock(&attack_lock);

	if (copy_to_user((void __user *)arg, &a, sizeof(a)))
		return -EFAULT;
	return ret;
}

static const struct file_operations attack_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = attack_ioctl,
};

static struct miscdevice attack_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "inktag-attack",
	.fops = &attack_fops,
	.mode = 0600,
};

static int __init attack_init(void)
{
	int ret = attack_memory_init();

	if (ret)
		return ret;
	ret = attack_hooks_init();
	if (ret)
		goto out_memory;
	ret = misc_register(&attack_device);
	if (ret)
		goto out_hooks;
	return 0;

out_hooks:
	attack_hooks_exit();
out_memory:
	attack_memory_exit();
	return ret;
}

static void __exit attack_exit(void)
{
	misc_deregister(&attack_device);
	attack_hooks_exit();
	attack_memory_exit();
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("All that a guest kernel can do to a process, for InkTag's tests");
