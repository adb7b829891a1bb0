// SPDX-License-Identifier: GPL-2.0-or-later
/* Attacks on the hypervisor: any hypercall with any registers, any content of a ring. */
#include <linux/gfp.h>
#include <linux/inktag.h>
#include <linux/smp.h>
#include <asm/asm.h>
#include <inktag/abi.h>
#include "module.h"

long attack_hypercall(struct attack *a)
{
	struct attack_regs r;
	long ret = attack_copy_in(a, &r, sizeof(r));

	if (ret)
		return ret;
	/*
	 * Too many registers for operands: they are loaded and stored by way of RBP. Where there is
	 * no SVM, VMMCALL is an invalid instruction.
	 */
	asm volatile("push %%rbp\n\t"
		     "push %%rax\n\t"
		     "mov %%rax, %%rbp\n\t"
		     "mov 0(%%rbp), %%rax\n\t"
		     "mov 8(%%rbp), %%rbx\n\t"
		     "mov 16(%%rbp), %%rcx\n\t"
		     "mov 24(%%rbp), %%rdx\n\t"
		     "mov 32(%%rbp), %%rsi\n\t"
		     "mov 40(%%rbp), %%rdi\n\t"
		     "mov 48(%%rbp), %%r8\n\t"
		     "mov 56(%%rbp), %%r9\n\t"
		     "mov 64(%%rbp), %%r10\n\t"
		     "mov 72(%%rbp), %%r11\n\t"
		     "mov 80(%%rbp), %%r12\n\t"
		     "mov 88(%%rbp), %%r13\n\t"
		     "mov 96(%%rbp), %%r14\n\t"
		     "mov 104(%%rbp), %%r15\n\t"
		     "1: vmmcall\n\t"
		     "pop %%rbp\n\t"
		     "mov %%rax, 0(%%rbp)\n\t"
		     "mov %%rbx, 8(%%rbp)\n\t"
		     "mov %%rcx, 16(%%rbp)\n\t"
		     "mov %%rdx, 24(%%rbp)\n\t"
		     "mov %%rsi, 32(%%rbp)\n\t"
		     "mov %%rdi, 40(%%rbp)\n\t"
		     "mov %%r8, 48(%%rbp)\n\t"
		     "mov %%r9, 56(%%rbp)\n\t"
		     "mov %%r10, 64(%%rbp)\n\t"
		     "mov %%r11, 72(%%rbp)\n\t"
		     "mov %%r12, 80(%%rbp)\n\t"
		     "mov %%r13, 88(%%rbp)\n\t"
		     "mov %%r14, 96(%%rbp)\n\t"
		     "mov %%r15, 104(%%rbp)\n\t"
		     "xor %%eax, %%eax\n\t"
		     "jmp 3f\n"
		     "2: pop %%rbp\n\t"
		     "mov %[error], %%rax\n"
		     "3: pop %%rbp\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "=a" (ret)
		     : "0" (&r), [error] "i" (-EOPNOTSUPP)
		     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
		       "r13", "r14", "r15", "memory", "cc");
	if (ret)
		return ret;
	return attack_copy_out(a, &r, sizeof(r));
}

static long hypercall(unsigned long nr, unsigned long a0, unsigned long a1)
{
	long ret;

	asm volatile("vmmcall" : "=a" (ret) : "a" (nr), "b" (a0), "c" (a1) : "memory");
	return ret;
}

/* The kernel's own start-up routine of a CPU puts its ring back. */
long attack_ring(struct attack *a)
{
	int (*restore)(unsigned int cpu) = attack_symbol("inktag_cpu_starting");
	struct inktag_ring_hdr *ring;
	unsigned long flags;
	u64 entries;
	long ret;

	if (!restore || !static_key_enabled(&inktag_key))
		return -EOPNOTSUPP;
	if (a->addr > INKTAG_RING_MAX_LOG2)
		return -EINVAL;
	entries = sizeof(struct inktag_ring_entry) << a->addr;
	if (a->len > entries)
		return -EINVAL;
	ring = alloc_pages_exact(INKTAG_RING_ENTRIES_OFFSET + entries, GFP_KERNEL | __GFP_ZERO);
	if (!ring)
		return -ENOMEM;
	ret = -EFAULT;
	if (copy_from_user((u8 *)ring + INKTAG_RING_ENTRIES_OFFSET, (void __user *)a->buf, a->len))
		goto out;
	ring->tail = a->addr2;

	local_irq_save(flags);
	hypercall(INKTAG_HC_DOORBELL, 0, 0);
	ret = hypercall(INKTAG_HC_RING_SET, 0, 0);
	if (!ret)
		ret = hypercall(INKTAG_HC_RING_SET, __pa(ring), a->addr);
	if (!ret)
		ret = hypercall(INKTAG_HC_DOORBELL, 0, 0);
	restore(smp_processor_id());
	local_irq_restore(flags);

	a->value = ret;
	a->result = READ_ONCE(ring->head);
	ret = 0;
out:
	free_pages_exact(ring, INKTAG_RING_ENTRIES_OFFSET + entries);
	return ret;
}
