// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fault.c - what interrupts a HAP of itself: its page faults, which are judged here, and its other
 * exceptions, of which the kernel learns the vector and nothing else. I1, I3.
 */
#include "x86.h"
#include "cpuid.h"
#include "glue.h"

/*
 * Linux tells a fetch from a page without the right to execute it only by the page being there:
 * an absent page it brings, and finds nothing to object to.
 */
static bool fetches_data(struct ink_hap *hap, u64 va, u32 access)
{
	struct ink_hint hint;

	return access == INK_EXEC && ink_hint_get(hap, va, &hint) &&
	       !(hint.prot & INKTAG_PROT_EXEC);
}

/* The kernel shall map the page, or tell the process off. The fault is in the stub. */
static void ask(struct kvm_vcpu *vcpu, u64 va, u32 access, bool present)
{
	struct x86_exception fault = {
		.vector = PF_VECTOR,
		.error_code_valid = true,
		.error_code = PFERR_USER_MASK,
		.address = va,
	};

	if (access == INK_WRITE)
		fault.error_code |= PFERR_WRITE_MASK;
	if (access == INK_EXEC)
		fault.error_code |= PFERR_FETCH_MASK;
	if (present)
		fault.error_code |= PFERR_PRESENT_MASK;
	kvm_inject_page_fault(vcpu, &fault, false);
}

void kvm_inktag_resolve(struct kvm_vcpu *vcpu, u64 va, u32 access)
{
	struct ink_thread *t = vcpu->arch.inktag.thread;
	u32 ask_access;
	bool present;
	u64 ask_va;

	switch (ink_resolve(t->hap, va, access, &ask_va, &ask_access)) {
	case INK_MAPPED:
		return;
	case INK_ASK:
		t->ret.fault_va = va;
		t->ret.fault_access = access;
		present = fetches_data(t->hap, ask_va, ask_access);
		kvm_inktag_leave(vcpu, INK_FAULT);
		ask(vcpu, ask_va, ask_access, present);
		return;
	case INK_WAIT:
		/* Judged again when the thread comes back. */
		t->ret.fault_va = va;
		t->ret.fault_access = access;
		kvm_inktag_leave(vcpu, INK_FAULT);
		kvm_inktag_ask_store(vcpu);
		return;
	case INK_LOST:
		t->ret.fault_va = va;
		t->ret.vector = INKTAG_LOST_VECTOR;
		kvm_inktag_leave(vcpu, INK_INTERRUPT);
		kvm_queue_exception_e(vcpu, GP_VECTOR, 0);
		return;
	case INK_KILL:
		kvm_inktag_kill(vcpu, -INKTAG_ESTALE);
		return;
	case INK_NOMEM:
		kvm_inktag_kill(vcpu, -INKTAG_ENOMEM);
		return;
	}
}

void kvm_inktag_trusted_fault(struct kvm_vcpu *vcpu, u64 va, u64 error_code)
{
	struct ink_vm *vm = kvm_inktag_lock(vcpu->kvm);
	u32 access = INK_READ;

	if (error_code & PFERR_WRITE_MASK)
		access = INK_WRITE;
	if (error_code & PFERR_FETCH_MASK)
		access = INK_EXEC;
	if (kvm_inktag_still_runs(vcpu)) {
		ink_ring_drain(vm);
		kvm_inktag_resolve(vcpu, va, access);
	}
	kvm_inktag_unlock(vcpu->kvm);
}
EXPORT_SYMBOL_GPL(kvm_inktag_trusted_fault);

/*
 * The kernel gets the exception in the stub, as a signal's cause. Those that come with an
 * instruction length (INT3, INTO) or that only a kernel can meet are given as others, so that KVM
 * need not look at the instruction. So are those of the x87 and SSE units: the kernel would look into
 * registers that are empty, and find no cause. The shim learns the right one. DR6 tells a debugger a step from INT3.
 */
void kvm_inktag_trusted_exception(struct kvm_vcpu *vcpu, u8 vector)
{
	kvm_inktag_lock(vcpu->kvm);
	if (kvm_inktag_still_runs(vcpu)) {
		vcpu->arch.inktag.thread->ret.vector = vector;
		kvm_inktag_leave(vcpu, INK_INTERRUPT);
		switch (vector) {
		case BP_VECTOR:
			kvm_queue_exception(vcpu, DB_VECTOR);
			break;
		case DB_VECTOR:
			kvm_queue_exception_p(vcpu, DB_VECTOR, DR6_BS);
			break;
		case DE_VECTOR:
		case MF_VECTOR:
		case XM_VECTOR:
			kvm_queue_exception(vcpu, DE_VECTOR);
			break;
		case UD_VECTOR:
			kvm_queue_exception(vcpu, UD_VECTOR);
			break;
		default:
			kvm_queue_exception_e(vcpu, GP_VECTOR, 0);
		}
	}
	kvm_inktag_unlock(vcpu->kvm);
}
EXPORT_SYMBOL_GPL(kvm_inktag_trusted_exception);

void kvm_inktag_trusted_broken(struct kvm_vcpu *vcpu)
{
	kvm_inktag_lock(vcpu->kvm);
	kvm_inktag_kill(vcpu, -INKTAG_ESTALE);
	kvm_inktag_unlock(vcpu->kvm);
}
EXPORT_SYMBOL_GPL(kvm_inktag_trusted_broken);

#define CPUID_LENGTH 2

/* The guest's CPUID; no business of the lock's. */
void kvm_inktag_trusted_cpuid(struct kvm_vcpu *vcpu)
{
	u32 eax = kvm_rax_read(vcpu), ecx = kvm_rcx_read(vcpu), ebx, edx;
	const u32 leaf = eax, subleaf = ecx;

	kvm_cpuid(vcpu, &eax, &ebx, &ecx, &edx, false);
	/* Sizes of what XCR0 has on: it is not the guest's XCR0 that counts. ECX of 0 is the largest size. */
	if (leaf == XSTATE_CPUID && !subleaf)
		ebx = ecx;
	if (leaf == XSTATE_CPUID && subleaf == 1 && ebx) {
		u32 a = XSTATE_CPUID, b, largest = 0, d;

		kvm_cpuid(vcpu, &a, &b, &largest, &d, false);
		ebx = largest;
	}
	kvm_rax_write(vcpu, eax);
	kvm_rbx_write(vcpu, ebx);
	kvm_rcx_write(vcpu, ecx);
	kvm_rdx_write(vcpu, edx);
	kvm_rip_write(vcpu, kvm_rip_read(vcpu) + CPUID_LENGTH);
}
EXPORT_SYMBOL_GPL(kvm_inktag_trusted_cpuid);
