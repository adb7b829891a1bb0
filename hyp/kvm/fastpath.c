// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fastpath.c - the two world switches of a system call, made between two entries of one run of
 * vcpu_enter_guest()'s inner loop. Interrupts are off, so nothing here may wait: whatever is not as
 * it mostly is goes the long way (hypercall.c), which finds everything as it was.
 *
 * Requests are tested by the loop before it enters again: KVM_REQ_INKTAG too, so that what
 * __kvm_inktag_stays() says about them holds here. Deferred ones are raised again as the
 * thread leaves, and end the loop.
 */
#include "x86.h"
#include "glue.h"

static bool rings_are_empty(struct kvm_vcpu *vcpu, struct ink_vm *vm)
{
	bool empty = true;
	int i, idx;
	u32 tail;

	idx = srcu_read_lock(&vcpu->kvm->srcu);
	for (i = 0; i < vm->rings_end && empty; i++)
		empty = !vm->rings[i].gpa ||
			(!kvm_vcpu_read_guest_atomic(vcpu, vm->rings[i].gpa, &tail, sizeof(tail)) &&
			 tail == vm->rings[i].head);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	return empty;
}

static bool fast_syscall(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.inktag.thread->hap->state == INK_ENDED)
		return false;
	kvm_rip_write(vcpu, kvm_rip_read(vcpu) + INKTAG_VMMCALL_LENGTH);
	kvm_inktag_leave(vcpu, INK_SYSCALL);
	return true;
}

static bool fast_resume(struct kvm_vcpu *vcpu, struct ink_vm *vm)
{
	struct ink_thread *t = ink_thread_find(vm, kvm_rbx_read(vcpu));

	/* What starts a thread, or ends one, may wait. */
	if (!t || t->ret.state == INK_NEW || t->ret.child)
		return false;
	if (!rings_are_empty(vcpu, vm) ||
	    ink_thread_resume(vm, kvm_rbx_read(vcpu), kvm_inktag_cr3(vcpu), kvm_rax_read(vcpu), &t))
		return false;
	if (t->ret.fault_access) {
		/* The access is to be judged again. Back to what it was. */
		ink_thread_suspend(t, INK_FAULT);
		return false;
	}
	kvm_x86_call(set_interrupt_shadow)(vcpu, 0);
	kvm_inktag_enter(vcpu, t);
	kvm_inktag_sync_tlb(vcpu);
	return true;
}

bool kvm_inktag_fastpath(struct kvm_vcpu *vcpu)
{
	bool trusted = kvm_inktag_trusted(vcpu), done;
	struct kvm_inktag *inktag = vcpu->kvm->arch.inktag;

	/* The guest's debug registers are in the processor: the long way stores them first. */
	if (!inktag || vcpu->arch.switch_db_regs || !(trusted || kvm_inktag_xsave_is_on(vcpu)))
		return false;
	if (trusted ? kvm_rax_read(vcpu) != INKTAG_HC_SYSCALL : !kvm_inktag_is_resume(vcpu))
		return false;
	if (!mutex_trylock(&inktag->lock))
		return false;
	done = trusted ? fast_syscall(vcpu) : fast_resume(vcpu, &inktag->vm);
	kvm_inktag_unlock(vcpu->kvm);
	return done;
}
EXPORT_SYMBOL_GPL(kvm_inktag_fastpath);
