// SPDX-License-Identifier: GPL-2.0
/*
 * InkTag, debugging: the extended registers of a high-assurance process are the hypervisor's. What
 * this kernel has for it is of no use, and takes them in for a debugger.
 */
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/fpu/api.h>
#include <asm/inktag.h>
#include <inktag/abi.h>

#include "internal.h"
#include "legacy.h"
#include "xstate.h"

/* An image of the whole fpstate in the standard format, as ptrace() has it. */
static void *alloc_image(void)
{
	return kvzalloc(max_t(size_t, fpu_user_cfg.max_size, INKTAG_DEBUG_XSTATE), GFP_KERNEL);
}

void __inktag_get_fpstate(struct task_struct *task)
{
	struct inktag_debug *d = kmalloc(sizeof(*d), GFP_KERNEL);
	struct xregs_state *image = alloc_image();
	u32 pkru;

	if (d && image && use_xsave() && __inktag_debug(task, d, false)) {
		memcpy(image, d->xstate, sizeof(d->xstate));
		image->header.xfeatures &= fpu_user_cfg.max_features;
		copy_uabi_from_kernel_to_xstate(task->thread.fpu.fpstate, image, &pkru);
	}
	kvfree(image);
	kfree(d);
}

int __inktag_set_fpstate(struct task_struct *task)
{
	struct inktag_debug *d = kmalloc(sizeof(*d), GFP_KERNEL);
	struct xregs_state *image = alloc_image();
	struct membuf to = { .p = image, .left = fpu_user_cfg.max_size };
	int ret = -ENOMEM;

	if (!d || !image)
		goto out;
	ret = 0;
	if (!use_xsave() || !__inktag_debug(task, d, false))
		goto out;
	copy_xstate_to_uabi_buf(to, task, XSTATE_COPY_XSAVE);
	memcpy(d->xstate, image, sizeof(d->xstate));
	if (!__inktag_debug(task, d, true))
		ret = -EIO;
out:
	kvfree(image);
	kfree(d);
	return ret;
}
