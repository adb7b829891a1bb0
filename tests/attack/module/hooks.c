// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registers: those that the kernel saved of a thread, read and written at rest or at the
 * moment when it comes in; and lies of the kernel in its answers to system calls.
 */
#include <linux/kprobes.h>
#include <linux/pid.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <inktag/abi.h>
#include "module.h"

_Static_assert(sizeof(struct attack_user_regs) == sizeof(struct pt_regs), "pt_regs");

struct state {
	int pid;
	u32 left;
	struct attack_hook hook;
	struct attack_seen seen;
};

/* One per place; pid 0: none. */
static struct state states[ATTACK_WHERE_COUNT];
static DEFINE_RAW_SPINLOCK(states_lock);

static void (*put_stack)(struct task_struct *task);

/* As the processor has it now, or as it was put aside: the thread is the current one. */
static void take_xstate(u8 *to)
{
	static u8 area[4096] __aligned(64);	/* under states_lock */
	const size_t size = sizeof_field(struct attack_seen, xstate);
	bool has_xsave = boot_cpu_has(X86_FEATURE_XSAVE);

	memset(area, 0, sizeof(area));
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		memcpy(area, &current->thread.fpu.fpstate->regs,
		       has_xsave ? size : sizeof(struct fxregs_state));
	else if (has_xsave)
		asm volatile("xsave64 %0" : "+m" (area)
			     : "a" (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM), "d" (0) : "memory");
	else
		asm volatile("fxsave64 %0" : "+m" (area) : : "memory");
	if (!has_xsave)
		((struct xregs_state *)area)->header.xfeatures = XFEATURE_MASK_FPSSE;
	memcpy(to, area, size);
}

/*
 * The current thread comes by a place. Returns which fields of hook are to be replaced, and
 * copies it.
 */
static u32 come_by(enum attack_where where, u32 nr, struct pt_regs *user, u64 result,
		   struct attack_hook *hook)
{
	struct state *s = &states[where];
	unsigned long flags;
	u32 set = 0;

	raw_spin_lock_irqsave(&states_lock, flags);
	if (s->pid != current->tgid || (s->hook.nr != ATTACK_ANY && s->hook.nr != nr))
		goto out;
	if (s->hook.skip) {
		s->hook.skip--;
		goto out;
	}
	if (!s->left)
		goto out;
	s->left--;
	s->seen.fired++;
	s->seen.nr = nr;
	s->seen.result = result;
	memcpy(&s->seen.regs, user, sizeof(s->seen.regs));
	take_xstate(s->seen.xstate);
	*hook = s->hook;
	set = s->hook.set;
out:
	raw_spin_unlock_irqrestore(&states_lock, flags);
	return set;
}

/* x64_sys_call(regs, nr) and inktag_mm(arg): what the return needs of the call. */
struct call {
	struct pt_regs *user;
	unsigned long arg;
};

static bool watched(enum attack_where where)
{
	return READ_ONCE(states[where].pid) == current->tgid;
}

static int syscall_enter(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct pt_regs *user = (void *)regs->di;
	unsigned long *const fields[ATTACK_FIELDS] = {
		&regs->si, &user->di, &user->si, &user->dx, &user->r10, &user->r8, &user->r9,
		&user->ip, &user->sp, &user->bp, &user->r13, &user->r14, &user->r15,
	};
	struct call *call = (void *)ri->data;
	struct attack_hook hook;
	u32 i, set;

	if (!watched(ATTACK_AT_SYSCALL) && !watched(ATTACK_AT_RESULT))
		return 1;
	call->user = user;
	call->arg = (u32)regs->si;
	set = come_by(ATTACK_AT_SYSCALL, regs->si, user, 0, &hook);
	for (i = 0; i < ATTACK_FIELDS; i++)
		if (set & (1U << i))
			*fields[i] = hook.value[i];
	return 0;
}

static int syscall_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct call *call = (void *)ri->data;
	struct attack_hook hook;

	if (come_by(ATTACK_AT_RESULT, call->arg, call->user, regs->ax, &hook) & 1)
		regs->ax = hook.value[0];
	return 0;
}

static int mm_enter(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	((struct call *)ri->data)->arg = regs->di;
	return !watched(ATTACK_AT_MM);
}

static int mm_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct inktag_mm __user *user = (void __user *)((struct call *)ri->data)->arg;
	struct attack_hook hook;
	struct inktag_mm req;
	u32 set;

	if (copy_from_user_nofault(&req, user, sizeof(req)))
		return 0;
	set = come_by(ATTACK_AT_MM, req.op, task_pt_regs(current), regs->ax, &hook);
	if (set & 2)
		req.addr = hook.value[1];
	if (set & 4)
		req.prev = hook.value[2];
	if ((set & 6) && copy_to_user_nofault(user, &req, sizeof(req)))
		return 0;
	if (set & 1)
		regs->ax = hook.value[0];
	return 0;
}

/*
 * Whether the thread was put out of the trusted context as it came in here. On its way to a system
 * call, or back from one, it is in the stub too, with the call's arguments: it is at SYSCALL then,
 * or has RCX, which SYSCALL sets, at the instruction behind it.
 */
static bool was_trusted(const struct pt_regs *user)
{
	static const u8 vmmcall[] = { 0x0f, 0x01, 0xd9 };
	u8 at[sizeof(vmmcall)];

	return user_mode(user) && user->cx != user->ip &&
	       !copy_from_user_nofault(at, (void __user *)user->ip, sizeof(at)) &&
	       !memcmp(at, vmmcall, sizeof(at));
}

static int interrupt(struct kprobe *kp, struct pt_regs *regs)
{
	struct pt_regs *user = (void *)regs->di;
	struct attack_hook hook;

	if (watched(ATTACK_AT_INTERRUPT) && was_trusted(user))
		come_by(ATTACK_AT_INTERRUPT, 0, user, 0, &hook);
	return 0;
}

/* handle_mm_fault(vma, address, flags, regs) */
static int fault(struct kprobe *kp, struct pt_regs *regs)
{
	struct pt_regs *user = (void *)regs->cx;
	struct attack_hook hook;
	u32 set;

	if (!watched(ATTACK_AT_FAULT) || !user || !was_trusted(user))
		return 0;
	set = come_by(ATTACK_AT_FAULT, 0, user, regs->si, &hook);
	if (set & 1)
		user->ip = hook.value[0];
	if (set & 2)
		user->sp = hook.value[1];
	return 0;
}

static struct kretprobe syscall_probe = {
	.kp.symbol_name = "x64_sys_call",
	.entry_handler = syscall_enter,
	.handler = syscall_return,
	.data_size = sizeof(struct call),
	.maxactive = 64,
};

static struct kretprobe mm_probe = {
	.kp.symbol_name = "inktag_mm",
	.entry_handler = mm_enter,
	.handler = mm_return,
	.data_size = sizeof(struct call),
	.maxactive = 64,
};

static struct kprobe interrupt_probe = {
	.symbol_name = "__sysvec_apic_timer_interrupt",
	.pre_handler = interrupt,
};

static struct kprobe fault_probe = {
	.symbol_name = "handle_mm_fault",
	.pre_handler = fault,
};

long attack_hook(struct attack *a)
{
	struct attack_hook hook;
	struct state *s;
	long ret = attack_copy_in(a, &hook, sizeof(hook));

	if (ret)
		return ret;
	if (hook.where >= ATTACK_WHERE_COUNT || hook.set >> ATTACK_FIELDS)
		return -EINVAL;
	if (a->pid <= 0)
		return -ESRCH;
	s = &states[hook.where];
	raw_spin_lock_irq(&states_lock);
	*s = (struct state) { .pid = a->pid, .left = hook.times, .hook = hook };
	raw_spin_unlock_irq(&states_lock);
	return 0;
}

long attack_unhook(struct attack *a)
{
	raw_spin_lock_irq(&states_lock);
	memset(states, 0, sizeof(states));
	raw_spin_unlock_irq(&states_lock);
	return 0;
}

long attack_seen(struct attack *a)
{
	struct attack_seen *seen;
	long ret;

	if (a->value >= ATTACK_WHERE_COUNT)
		return -EINVAL;
	seen = kmalloc(sizeof(*seen), GFP_KERNEL);
	if (!seen)
		return -ENOMEM;
	raw_spin_lock_irq(&states_lock);
	*seen = states[a->value].seen;
	raw_spin_unlock_irq(&states_lock);
	ret = seen->fired ? attack_copy_out(a, seen, sizeof(*seen)) : -EAGAIN;
	kfree(seen);
	return ret;
}

long attack_regs(struct attack *a)
{
	struct task_struct *task = attack_task(a->pid);
	struct pt_regs *regs;
	long ret;

	if (!task)
		return -ESRCH;
	ret = -ESRCH;
	if (!try_get_task_stack(task))
		goto out;
	regs = task_pt_regs(task);
	if (a->op == ATTACK_GET_REGS)
		ret = attack_copy_out(a, regs, sizeof(*regs));
	else
		ret = attack_copy_in(a, regs, sizeof(*regs));
	put_stack(task);
out:
	put_task_struct(task);
	return ret;
}

int attack_hooks_init(void)
{
	int ret;

	put_stack = attack_symbol("put_task_stack");
	if (!put_stack)
		return -EOPNOTSUPP;
	ret = register_kretprobe(&syscall_probe);
	if (ret)
		return ret;
	ret = register_kretprobe(&mm_probe);
	if (ret)
		goto out_syscall;
	ret = register_kprobe(&interrupt_probe);
	if (ret)
		goto out_mm;
	ret = register_kprobe(&fault_probe);
	if (ret)
		goto out_interrupt;
	return 0;

out_interrupt:
	unregister_kprobe(&interrupt_probe);
out_mm:
	unregister_kretprobe(&mm_probe);
out_syscall:
	unregister_kretprobe(&syscall_probe);
	return ret;
}

void attack_hooks_exit(void)
{
	unregister_kprobe(&fault_probe);
	unregister_kprobe(&interrupt_probe);
	unregister_kretprobe(&mm_probe);
	unregister_kretprobe(&syscall_probe);
}
