// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch.c - the world switch: a thread's record is loaded into a vCPU, or stored from it. I1, I4.
 *
 * Out of the trusted context a vCPU goes on where the untrusted context stood when it went in: it
 * has executed a VMMCALL at CPL 3, and nothing else since. Its segments, flags and control
 * registers were kept aside; GPRs and RIP become the stub's, xstate becomes initial.
 */
#include "x86.h"
#include "glue.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

static const struct kvm_inktag_ops *ops(void)
{
	return kvm_x86_ops.inktag_ops;
}

#define REQUEST_BIT(req) BIT_ULL((req) & KVM_REQUEST_MASK)

/*
 * Requests that do not concern the trusted context: they wait for the untrusted one.
 * KVM_REQ_STEAL_UPDATE is none of them: with it KVM makes good the flushes that the kernel left out
 * while this vCPU was preempted, and the kernel then must see the thread leave.
 */
static void defer_requests(struct kvm_vcpu *vcpu)
{
	struct vcpu_inktag *v = &vcpu->arch.inktag;

	if (kvm_check_request(KVM_REQ_TLB_FLUSH, vcpu))
		v->deferred |= REQUEST_BIT(KVM_REQ_TLB_FLUSH);
	if (kvm_check_request(KVM_REQ_CLOCK_UPDATE, vcpu))
		v->deferred |= REQUEST_BIT(KVM_REQ_CLOCK_UPDATE);
}

/* Back to the untrusted context; its GPRs and RIP are still to be set. */
static void leave(struct kvm_vcpu *vcpu, struct ink_regs *regs)
{
	struct vcpu_inktag *v = &vcpu->arch.inktag;
	unsigned long deferred = v->deferred;
	unsigned int req;

	memcpy(regs->gpr, vcpu->arch.regs, sizeof(regs->gpr));
	regs->rip = vcpu->arch.regs[VCPU_REGS_RIP];
	ops()->leave(vcpu, regs);
	ink_xstate_switch(v->thread->xstate, vcpu->kvm->arch.inktag->xstate_init);

	WRITE_ONCE(v->thread, NULL);
	kvm_clear_request(KVM_REQ_INKTAG, vcpu);
	v->deferred = 0;
	for_each_set_bit(req, &deferred, BITS_PER_LONG)
		__kvm_make_request(req, vcpu);
}

static void set_regs(struct kvm_vcpu *vcpu, const struct ink_regs *regs)
{
	BUILD_BUG_ON((int)INK_NR_GPR != VCPU_REGS_RIP);
	memcpy(vcpu->arch.regs, regs->gpr, sizeof(regs->gpr));
	vcpu->arch.regs[VCPU_REGS_RIP] = regs->rip;
}

void kvm_inktag_enter(struct kvm_vcpu *vcpu, struct ink_thread *t)
{
	trace_inktag_switch(vcpu->vcpu_id, t->handle, true, t->was);
	vcpu->kvm->stat.inktag_in++;
	ink_xstate_switch(NULL, t->xstate);
	/* Whoever may debug it may let it make one step. */
	if (ink_hap_is_shown(t->hap))
		t->ret.regs.rflags = (t->ret.regs.rflags & ~X86_EFLAGS_TF) | (kvm_get_rflags(vcpu) & X86_EFLAGS_TF);
	set_regs(vcpu, &t->ret.regs);
	ops()->enter(vcpu, __sme_pa(t->hap->root), &t->ret.regs);
	WRITE_ONCE(vcpu->arch.inktag.thread, t);
}

static void count_leave(struct kvm_vcpu *vcpu, const struct ink_thread *t, enum ink_thread_state state)
{
	struct kvm_vm_stat *stat = &vcpu->kvm->stat;

	trace_inktag_switch(vcpu->vcpu_id, t->handle, false, state);
	if (state == INK_SYSCALL)
		stat->inktag_out_syscall++;
	else if (state == INK_FAULT)
		stat->inktag_out_fault++;
	else
		stat->inktag_out_interrupt++;
}

/* t has left vcpu: the stub goes on. */
static void suspend(struct kvm_vcpu *vcpu, struct ink_thread *t, enum ink_thread_state state)
{
	struct ink_regs public;

	ink_thread_suspend(t, state);
	ink_thread_public_regs(t, &public);
	set_regs(vcpu, &public);
}

void kvm_inktag_leave(struct kvm_vcpu *vcpu, enum ink_thread_state state)
{
	struct ink_thread *t = vcpu->arch.inktag.thread;

	count_leave(vcpu, t, state);
	leave(vcpu, &t->ret.regs);
	suspend(vcpu, t, state);
}

int kvm_inktag_clone(struct kvm_vcpu *vcpu, bool process)
{
	struct ink_thread *t = vcpu->arch.inktag.thread;
	const u64 *gpr = t->ret.regs.gpr;
	struct ink_hap *hap = t->hap;
	int err = 0;

	/* Its record then has what the new one is made of. */
	leave(vcpu, &t->ret.regs);
	if (process)
		err = ink_hap_fork(t->hap, &hap);
	if (!err) {
		struct ink_clone clone = {
			.fsbase = gpr[INK_R12], .rsp = gpr[INK_R13],
			.gsbase = gpr[INK_R14], .ustack = gpr[INK_R15],
		};

		err = ink_thread_clone(t, hap, &clone);
		if (err && process)
			ink_hap_end(hap);
	}
	if (err) {
		kvm_inktag_enter(vcpu, t);
		return err;
	}
	count_leave(vcpu, t, INK_SYSCALL);
	suspend(vcpu, t, INK_SYSCALL);
	return 0;
}

void kvm_inktag_signal_return(struct kvm_vcpu *vcpu)
{
	struct ink_thread *t = vcpu->arch.inktag.thread;
	struct ink_regs public = {
		.rip = t->hap->stub + INKTAG_STUB_SIGRETURN,
		.gpr[INK_RSP] = t->signal_ustack,
	};
	enum ink_thread_state state;

	count_leave(vcpu, t, INK_INTERRUPT);
	leave(vcpu, &t->ret.regs);
	state = ink_thread_signal_return(t);
	ink_thread_suspend(t, state);
	set_regs(vcpu, &public);
}

/* The HAP, or with whole = false this thread of it, ends: nothing is left but where its stub is. */
static void end(struct kvm_vcpu *vcpu, struct ink_regs *public, bool whole)
{
	struct ink_thread *t = vcpu->arch.inktag.thread;
	struct ink_hap *hap = t->hap;

	vcpu->kvm->stat.inktag_out_exit++;
	leave(vcpu, &t->ret.regs);
	public->rip += hap->stub;
	public->gpr[INK_RSP] = t->ret.ustack;
	set_regs(vcpu, public);
	if (whole)
		ink_hap_end(hap);
	else
		ink_thread_end(t);
	ink_hap_put(hap);
}

void kvm_inktag_kill(struct kvm_vcpu *vcpu, int err)
{
	struct ink_regs public = {
		.rip = INKTAG_STUB_SYSCALL_LEN + INKTAG_STUB_RESUME_LEN,
		.gpr[INK_RAX] = err,
	};

	trace_inktag_switch(vcpu->vcpu_id, vcpu->arch.inktag.thread->handle, false,
			    err == -INKTAG_ENOMEM ? INK_WHY_MEMORY : INK_WHY_KILL);
	end(vcpu, &public, true);
}

/* of the guest's ABI */
#define NR_exit		60
#define NR_exit_group	231

void kvm_inktag_exit(struct kvm_vcpu *vcpu, u64 status, bool whole)
{
	struct ink_thread *t = vcpu->arch.inktag.thread;
	struct ink_regs public = {
		.gpr[INK_RAX] = whole ? NR_exit_group : NR_exit,
		.gpr[INK_RDI] = status,
	};

	trace_inktag_switch(vcpu->vcpu_id, t->handle, false, INK_WHY_EXIT);
	end(vcpu, &public, whole || t->hap->nr_threads == 1);
}

bool kvm_inktag_still_runs(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.inktag.thread->hap->state != INK_ENDED)
		return true;
	kvm_inktag_kill(vcpu, -INKTAG_ESTALE);
	return false;
}

void kvm_inktag_sync_tlb(struct kvm_vcpu *vcpu)
{
	struct vcpu_inktag *v = &vcpu->arch.inktag;
	struct ink_hap *hap = v->thread->hap;
	u64 gen = READ_ONCE(hap->tlb_gen);

	if (v->tlb_hap == hap->id && v->tlb_gen == gen)
		return;
	v->tlb_hap = hap->id;
	WRITE_ONCE(v->tlb_gen, gen);
	ops()->flush(vcpu);
}

bool __kvm_inktag_stays(struct kvm_vcpu *vcpu)
{
	struct ink_hap *hap = vcpu->arch.inktag.thread->hap;

	/*
	 * Whoever ends the HAP or takes a page from it changes state or tlb_gen, then makes the
	 * request and waits until this vCPU is out of guest mode. So either the changes are seen
	 * here, or the request is seen before the entry, and this is called again.
	 */
	kvm_check_request(KVM_REQ_INKTAG, vcpu);
	defer_requests(vcpu);
	if (READ_ONCE(vcpu->requests) & ~REQUEST_BIT(KVM_REQ_UNBLOCK) ||
	    READ_ONCE(hap->state) == INK_ENDED) {
		__kvm_inktag_put(vcpu);
		return false;
	}
	kvm_inktag_sync_tlb(vcpu);
	return true;
}

void __kvm_inktag_put(struct kvm_vcpu *vcpu)
{
	kvm_inktag_lock(vcpu->kvm);
	if (kvm_inktag_still_runs(vcpu))
		kvm_inktag_leave(vcpu, INK_INTERRUPT);
	kvm_inktag_unlock(vcpu->kvm);
}
