// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * thread.c - a thread's record: it holds the registers while the thread is out of the trusted
 * context, and lets it back in exactly once (I4).
 */
#include "inktag.h"

int ink_thread_create(struct ink_hap *hap, struct ink_thread **out)
{
	struct ink_thread *t;
	int err = -ENOMEM;

	ink_assert_locked(hap->vm);
	if (hap->nr_threads >= hap->vm->limits.threads || hap->last_thread == U32_MAX)
		return -ENOSPC;
	t = ink_zalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->hap = hap;
	t->handle = (u64)hap->id << 32 | (hap->last_thread + 1);
	t->state = INK_NEW;
	t->regs.rflags = INK_RFLAGS_USER;
	t->xstate = ink_xstate_alloc();
	if (!t->xstate)
		goto free;
	err = ink_map_set(&hap->threads, hap->last_thread + 1, t);
	if (err)
		goto free;
	hap->last_thread++;
	hap->nr_threads++;
	hap->vm->nr_threads++;
	*out = t;
	return 0;
free:
	ink_xstate_free(t->xstate);
	ink_free(t);
	return err;
}

static void run(struct ink_thread *t)
{
	t->was = t->state;
	t->state = INK_RUNNING;		/* V6 */
	t->hap->refs++;
}

int ink_thread_resume(struct ink_vm *vm, u64 handle, u64 cr3, u64 rax, struct ink_thread **out)
{
	struct ink_hap *hap = ink_hap_find(vm, handle >> 32);
	struct ink_thread *t;

	ink_assert_locked(vm);
	if (!hap)
		return -ENOENT;
	if (hap->cr3 != cr3)
		return -EPERM;
	t = ink_map_get(&hap->threads, handle & U32_MAX);
	if (!t)
		return -ENOENT;
	if (t->state != INK_SYSCALL && t->state != INK_FAULT && t->state != INK_INTERRUPT)
		return -EBUSY;

	if (t->state == INK_SYSCALL)
		t->regs.gpr[INK_RAX] = rax;
	if (t->state != INK_FAULT)
		t->fault_access = 0;
	run(t);
	*out = t;
	return 0;
}

int ink_thread_start(struct ink_thread *t)
{
	ink_assert_locked(t->hap->vm);
	if (t->state != INK_NEW)
		return -EBUSY;
	run(t);
	return 0;
}

void ink_thread_suspend(struct ink_thread *t, enum ink_thread_state state)
{
	ink_assert_locked(t->hap->vm);
	t->state = state;
	ink_hap_put(t->hap);
}

void ink_thread_public_regs(const struct ink_thread *t, struct ink_regs *out)
{
	static const u8 args[] = { INK_RDI, INK_RSI, INK_RDX, INK_R10, INK_R8, INK_R9 };
	unsigned int i;

	memset(out, 0, sizeof(*out));
	out->rip = t->hap->stub + INKTAG_STUB_SYSCALL_LEN;
	out->rflags = INK_RFLAGS_USER;
	out->gpr[INK_RSP] = t->ustack;
	out->gpr[INK_RBX] = t->handle;
	out->gpr[INK_R12] = INKTAG_RESUME_MAGIC;
	if (t->state != INK_SYSCALL)
		return;
	out->rip = t->hap->stub;
	out->gpr[INK_RAX] = t->regs.gpr[INK_RBX];
	for (i = 0; i < sizeof(args); i++)
		out->gpr[args[i]] = t->regs.gpr[args[i]];
}
