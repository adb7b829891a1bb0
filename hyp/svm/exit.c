// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exit.c - the exits of the trusted context. None uses KVM's handlers: they would take the HAP's
 * registers for the guest's, and read its instructions from the guest's memory.
 */
#include "x86.h"
#include "mmu.h"
#include "svm_inktag.h"

static void page_fault(struct kvm_vcpu *vcpu, const struct vmcb_control_area *control)
{
	/* A notice of our own hypervisor's, not a fault of the HAP's: KVM waits for the page. */
	if (vcpu->arch.apf.host_apf_flags)
		kvm_handle_page_fault(vcpu, control->exit_info_1, control->exit_info_2, NULL, 0);
	else
		kvm_inktag_trusted_fault(vcpu, control->exit_info_2, control->exit_info_1);
}

static void reenter(struct kvm_vcpu *vcpu)
{
	atomic64_inc(&vcpu->kvm->stat.inktag_reenter);
}

fastpath_t svm_inktag_fastpath(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (!svm->inktag || svm->vmcb->control.exit_code != SVM_EXIT_VMMCALL)
		return EXIT_FASTPATH_NONE;
	/* As svm_handle_exit() does, for the address space of a resume, and for who looks later. */
	if (!kvm_inktag_trusted(vcpu)) {
		if (!svm_is_intercept(svm, INTERCEPT_CR0_WRITE))
			vcpu->arch.cr0 = svm->vmcb->save.cr0;
		vcpu->arch.cr3 = svm->vmcb->save.cr3;
	}
	return kvm_inktag_fastpath(vcpu) ? EXIT_FASTPATH_REENTER_GUEST : EXIT_FASTPATH_NONE;
}

int svm_inktag_handle_exit(struct kvm_vcpu *vcpu, fastpath_t fastpath)
{
	struct vmcb_control_area *control = &to_svm(vcpu)->vmcb->control;
	u32 code = control->exit_code;

	/* The vCPU came here by a fast resume, and has not run since. */
	if (fastpath != EXIT_FASTPATH_NONE)
		return 1;

	switch (code) {
	case SVM_EXIT_VMMCALL:
		kvm_inktag_trusted_call(vcpu);
		break;
	case SVM_EXIT_EXCP_BASE + PF_VECTOR:
		page_fault(vcpu, control);
		break;
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_SMI:
	case SVM_EXIT_EXCP_BASE + MC_VECTOR:	/* the host has dealt with it */
		reenter(vcpu);
		break;
	case SVM_EXIT_CPUID:
		kvm_inktag_trusted_cpuid(vcpu);
		reenter(vcpu);
		break;
	case (u32)SVM_EXIT_ERR:
	case SVM_EXIT_SHUTDOWN:
		vcpu_unimpl(vcpu, "inktag: unexpected exit 0x%x of the trusted context\n", code);
		kvm_inktag_trusted_broken(vcpu);
		svm_inktag_reset(to_svm(vcpu));
		break;
	case SVM_EXIT_ICEBP:
		kvm_inktag_trusted_exception(vcpu, DB_VECTOR);
		break;
	default:
		if (code >= SVM_EXIT_EXCP_BASE && code <= SVM_EXIT_LAST_EXCP)
			kvm_inktag_trusted_exception(vcpu, code - SVM_EXIT_EXCP_BASE);
		else
			kvm_inktag_trusted_exception(vcpu, GP_VECTOR);
	}
	return 1;
}
