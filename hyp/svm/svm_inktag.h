/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_inktag.h - the trusted context on SVM: a VMCB of its own per vCPU, with nested paging off and
 * its own ASID.
 *
 *   vmcb.c  making the VMCB, swapping it in and out
 *   exit.c  the exits it can have
 *
 * KVM executes VMLOAD and VMSAVE on vmcb01 whatever VMCB runs, so the HAP's FS, GS, LDTR, TR and
 * system-call MSRs stand in vmcb01 while the vCPU is in the trusted context, and the guest's in
 * struct svm_inktag.
 */
#ifndef SVM_INKTAG_H
#define SVM_INKTAG_H

#include "svm/svm.h"
#include "glue.h"

struct svm_inktag {
	struct kvm_vmcb_info vmcb;
	u32 *msrpm;			/* all MSRs intercepted */

	/* The guest's, while the vCPU is in the trusted context. */
	struct vmcb_seg fs, gs, tr, ldtr;
	u64 kernel_gs_base, star, lstar, cstar, sfmask;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 cr2;
	u32 pkru;
	u64 xcr0;
};

extern const struct kvm_inktag_ops svm_inktag_ops;

/* The vCPU moved to another pCPU: its trusted ASID is one of the old one's. */
static inline void svm_inktag_moved(struct vcpu_svm *svm)
{
	if (svm->inktag)
		svm->inktag->vmcb.asid_generation = 0;
}

void svm_inktag_free(struct vcpu_svm *svm);

/* Not in the trusted context: make its VMCB anew. */
void svm_inktag_reset(struct vcpu_svm *svm);

/* An exit of the trusted context; as svm_handle_exit(). */
int svm_inktag_handle_exit(struct kvm_vcpu *vcpu, fastpath_t fastpath);

/* As svm_exit_handlers_fastpath(), for VMMCALLs. */
fastpath_t svm_inktag_fastpath(struct kvm_vcpu *vcpu);

#endif
