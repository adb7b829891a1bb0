// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * thread.c - a thread's record: it holds the registers while the thread is out of the trusted
 * context, and lets it back in exactly once (I4). Threads and processes that threads prepare (I7).
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
	t->ret.state = INK_NEW;
	t->ret.regs.rflags = INK_RFLAGS_USER;
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

/* The kernel has made the process that t prepared, or never will. */
static void fork_is_over(struct ink_thread *t)
{
	if (!t->forking)
		return;
	t->forking = false;
	t->hap->forks--;
}

void ink_thread_end(struct ink_thread *t)
{
	struct ink_hap *hap = t->hap;

	ink_assert_locked(hap->vm);
	fork_is_over(t);	/* it ends in its signal entry */
	ink_map_del(&hap->threads, t->handle & U32_MAX);
	hap->nr_threads--;
	hap->vm->nr_threads--;
	ink_xstate_free(t->xstate);
	memset(t, 0, sizeof(*t));
	ink_free(t);
}

struct ink_thread *ink_thread_find(struct ink_vm *vm, u64 handle)
{
	struct ink_hap *hap = ink_hap_find(vm, handle >> 32);

	return hap ? ink_map_get(&hap->threads, handle & U32_MAX) : NULL;
}

static void run(struct ink_thread *t)
{
	t->was = t->ret.state;
	t->ret.state = INK_RUNNING;		/* V6 */
	t->ret.vector = INKTAG_NO_VECTOR;
	t->hap->refs++;
}

static bool is_suspended(const struct ink_thread *t)
{
	return t->ret.state == INK_SYSCALL || t->ret.state == INK_FAULT ||
	       t->ret.state == INK_INTERRUPT;
}

/* I7: a prepared thread starts once; its maker then knows. */
static int start_prepared(struct ink_thread *t, u64 cr3, u64 rax)
{
	struct ink_hap *hap = t->hap;
	struct ink_return *maker;
	struct ink_thread *m;

	if (!t->maker)
		return -EBUSY;
	if (hap->cr3 == INK_NO_CR3) {
		if (ink_cr3_is_taken(hap->vm, cr3))
			return -EPERM;
		hap->cr3 = cr3;
		hap->pid = rax;
		hap->maker = NULL;
	}
	m = ink_thread_find(hap->vm, t->maker);
	if (m) {
		maker = ink_thread_program(m);
		if (maker->child == t->handle) {
			maker->child = INK_CHILD_STARTED;
			fork_is_over(m);	/* m itself may have to wait until t is at its end: vfork */
		}
	}
	t->maker = 0;
	return 0;
}

/* The system call of a thread that prepared a child has this result. false: the kernel lied. */
static bool child_is_as_told(struct ink_thread *t, u64 rax)
{
	u64 handle = t->ret.child;
	bool error = rax >= (u64)-4095LL;
	struct ink_thread *child;

	t->ret.child = 0;
	fork_is_over(t);
	child = ink_thread_find(t->hap->vm, handle);
	if (!error && rax) {
		/* The kernel has made it, if it runs yet or not; it tells its end as it does any other's. */
		if (child && child->hap != t->hap)
			child->hap->maker = NULL;
		return true;
	}
	if (!rax || handle == INK_CHILD_STARTED) {
		ink_violation(t->hap, INKTAG_CHECK_LINEAGE, 0, U64_MAX, rax);
		return false;
	}
	if (child && child->hap != t->hap)
		ink_hap_end(child->hap);
	else if (child)
		ink_thread_end(child);
	return true;
}

/* A thread of this address space, that may go on here. */
static int find(struct ink_vm *vm, u64 handle, u64 cr3, struct ink_thread **out)
{
	struct ink_thread *t = ink_thread_find(vm, handle);

	ink_assert_locked(vm);
	if (!t)
		return -ENOENT;
	if (t->hap->cr3 != cr3 && t->hap->cr3 != INK_NO_CR3)
		return -EPERM;
	*out = t;
	return 0;
}

int ink_thread_resume(struct ink_vm *vm, u64 handle, u64 cr3, u64 rax, struct ink_thread **out)
{
	struct ink_thread *t;
	int err;

	err = find(vm, handle, cr3, &t);
	if (err)
		return err;
	if (t->ret.state == INK_NEW) {
		err = start_prepared(t, cr3, rax);
		if (err)
			return err;
	} else if (!is_suspended(t)) {
		return -EBUSY;
	}

	if (t->ret.state == INK_SYSCALL) {
		if (t->ret.child && !child_is_as_told(t, rax)) {
			ink_hap_end(t->hap);
			return -ESTALE;
		}
		t->ret.regs.gpr[INK_RAX] = rax;
	}
	run(t);
	*out = t;
	return 0;
}

int ink_thread_start(struct ink_thread *t)
{
	ink_assert_locked(t->hap->vm);
	if (t->ret.state != INK_NEW)
		return -EBUSY;
	run(t);
	return 0;
}

int ink_thread_clone(struct ink_thread *t, struct ink_hap *hap, const struct ink_clone *clone)
{
	struct ink_thread *new;
	int err;

	ink_assert_locked(hap->vm);
	if (t->in_signal)
		return -EBUSY;
	if (clone->rsp >= INKTAG_USER_END || clone->fsbase >= INKTAG_USER_END ||
	    clone->gsbase >= INKTAG_USER_END || clone->ustack >= INKTAG_USER_END)
		return -EINVAL;
	err = ink_thread_create(hap, &new);
	if (err)
		return err;
	new->maker = t->handle;
	new->ret.regs = t->ret.regs;
	new->ret.regs.gpr[INK_RAX] = 0;
	new->ret.regs.gpr[INK_RSP] = clone->rsp;
	new->ret.regs.fsbase = clone->fsbase;
	new->ret.regs.gsbase = clone->gsbase;
	new->ret.ustack = clone->ustack;
	ink_xstate_copy(new->xstate, t->xstate);
	t->ret.child = new->handle;
	if (hap != t->hap) {	/* I4: in one address space, each needs a signal stack of its own */
		new->signal_rip = t->signal_rip;
		new->signal_rsp = t->signal_rsp;
		t->forking = true;
		t->hap->forks++;
	}
	return 0;
}

void ink_thread_suspend(struct ink_thread *t, enum ink_thread_state state)
{
	ink_assert_locked(t->hap->vm);
	t->ret.state = state;
	if (state != INK_FAULT) {
		t->ret.fault_access = 0;
		if (t->ret.vector != INKTAG_LOST_VECTOR)
			t->ret.fault_va = 0;
	}
	ink_hap_put(t->hap);
}

int ink_thread_signal(struct ink_vm *vm, u64 handle, u64 cr3, u64 rsp, const u64 args[3],
		      struct ink_thread **out)
{
	struct ink_thread *t;
	int err;

	err = find(vm, handle, cr3, &t);
	if (err)
		return err;
	if (!is_suspended(t) || !t->signal_rip || t->in_signal)
		return -EBUSY;
	t->aside = t->ret;
	t->in_signal = true;
	t->signal_ustack = rsp;
	t->ret = (struct ink_return) {
		.state = t->aside.state,
		.regs = {
			.rip = t->signal_rip,
			.rflags = INK_RFLAGS_USER,
			.fsbase = t->aside.regs.fsbase,
			.gsbase = t->aside.regs.gsbase,
			.gpr[INK_RSP] = t->signal_rsp,
			.gpr[INK_RDI] = args[0],
			.gpr[INK_RSI] = args[1],
			.gpr[INK_RDX] = args[2],
		},
		/* The kernel's frame is at rsp and above it. */
		.ustack = (rsp - INKTAG_PAGE_SIZE / 4) & ~15ULL,
	};
	run(t);
	*out = t;
	return 0;
}

int ink_thread_signal_entry(struct ink_thread *t, u64 rip, u64 rsp)
{
	ink_assert_locked(t->hap->vm);
	if (rip >= INKTAG_USER_END || rsp >= INKTAG_USER_END)
		return -EINVAL;
	t->signal_rip = rip;
	t->signal_rsp = rsp;
	return 0;
}

_Static_assert(sizeof(struct ink_regs) == offsetof(struct inktag_regs, fault_addr), "what both begin with");

static void regs_out(const struct ink_return *r, struct inktag_regs *out)
{
	*out = (struct inktag_regs) {
		.fault_addr = r->fault_va,
		.fault_access = r->fault_access,
		.cause = r->state,
		.vector = r->vector,
	};
	memcpy(out, &r->regs, sizeof(r->regs));
}

/* Its other threads may write to it now: in is a copy. */
static int regs_in(struct ink_return *r, const struct inktag_regs *in)
{
	if (r->state == INK_SYSCALL || in->rip >= INKTAG_USER_END || in->fsbase >= INKTAG_USER_END ||
	    in->gsbase >= INKTAG_USER_END)
		return -EINVAL;
	r->state = INK_INTERRUPT;
	r->fault_va = 0;
	r->fault_access = 0;		/* it does not repeat the access */
	memcpy(&r->regs, in, sizeof(r->regs));
	return 0;
}

int ink_thread_signal_regs(struct ink_thread *t, u64 va, u64 set)
{
	struct inktag_regs regs, *user;
	u64 pte;

	ink_assert_locked(t->hap->vm);
	if (!t->in_signal)
		return -EBUSY;
	if (set > 1 || va % sizeof(u64) || va >= INKTAG_USER_END ||
	    va % INKTAG_PAGE_SIZE > INKTAG_PAGE_SIZE - sizeof(regs))
		return -EINVAL;
	pte = ink_pt_get(t->hap, va & ~(INKTAG_PAGE_SIZE - 1));
	if (!ink_pt_is(pte, INK_PT_PRIVATE) || !ink_pt_writable(pte))
		return -EAGAIN;
	user = ink_page_va(ink_pt_pa(pte)) + va % INKTAG_PAGE_SIZE;
	if (set) {
		memcpy(&regs, user, sizeof(regs));
		return regs_in(&t->aside, &regs);
	}
	regs_out(&t->aside, &regs);
	memcpy(user, &regs, sizeof(regs));
	return 0;
}

static int find_debugged(struct ink_vm *vm, u64 handle, struct ink_thread **out)
{
	struct ink_thread *t = ink_thread_find(vm, handle);

	ink_assert_locked(vm);
	if (!t)
		return -ENOENT;
	if (!ink_hap_is_shown(t->hap))
		return -EPERM;
	if (!is_suspended(t))
		return -EBUSY;
	*out = t;
	return 0;
}

int ink_thread_debug_get(struct ink_vm *vm, u64 handle, struct inktag_debug *d)
{
	struct ink_thread *t;
	int err;

	err = find_debugged(vm, handle, &t);
	if (err)
		return err;
	regs_out(ink_thread_program(t), &d->regs);
	ink_xstate_get(t->xstate, d->xstate);
	return 0;
}

int ink_thread_debug_set(struct ink_vm *vm, u64 handle, const struct inktag_debug *d)
{
	struct ink_thread *t;
	int err;

	err = find_debugged(vm, handle, &t);
	if (err)
		return err;
	if (!ink_xstate_is_valid(d->xstate))
		return -EINVAL;
	err = regs_in(ink_thread_program(t), &d->regs);
	if (err)
		return err;
	ink_xstate_set(t->xstate, d->xstate);
	return 0;
}

enum ink_thread_state ink_thread_signal_return(struct ink_thread *t)
{
	ink_assert_locked(t->hap->vm);
	t->ret = t->aside;
	t->in_signal = false;
	return t->aside.state;
}

void ink_thread_public_regs(const struct ink_thread *t, struct ink_regs *out)
{
	static const u8 args[] = { INK_RDI, INK_RSI, INK_RDX, INK_R10, INK_R8, INK_R9 };
	unsigned int i;

	memset(out, 0, sizeof(*out));
	out->rip = t->hap->stub + INKTAG_STUB_SYSCALL_LEN;
	out->rflags = INK_RFLAGS_USER;
	out->gpr[INK_RSP] = t->ret.ustack;
	out->gpr[INK_RBX] = t->handle;
	out->gpr[INK_R12] = INKTAG_RESUME_MAGIC;
	if (t->ret.state != INK_SYSCALL)
		return;
	out->rip = t->hap->stub;
	if (t->ret.child) {
		out->rip += INKTAG_STUB_CLONE;
		out->gpr[INK_R13] = t->ret.child;
	}
	out->gpr[INK_RAX] = t->ret.regs.gpr[INK_RBX];
	for (i = 0; i < sizeof(args); i++)
		out->gpr[args[i]] = t->ret.regs.gpr[args[i]];
}
