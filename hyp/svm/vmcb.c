// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmcb.c - the trusted context's VMCB. AMD64 manual volume 2, chapter 15 and appendix B. I1, I4.
 */
#include <asm/msr-index.h>
#include "x86.h"
#include "svm_inktag.h"

/* Flags that a HAP can have. IF, and the bit that is always 1, are set; IOPL, NT, VM are 0. */
#define USER_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
			 X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_OF | \
			 X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID)

#define USER_CS		0x33
#define USER_DS		0x2b
#define CODE64_USER	(SVM_SELECTOR_P_MASK | SVM_SELECTOR_S_MASK | SVM_SELECTOR_CODE_MASK | \
			 SVM_SELECTOR_READ_MASK | SVM_SELECTOR_L_MASK | 3 << SVM_SELECTOR_DPL_SHIFT | 1)
#define DATA_USER	(SVM_SELECTOR_P_MASK | SVM_SELECTOR_S_MASK | SVM_SELECTOR_WRITE_MASK | \
			 SVM_SELECTOR_DB_MASK | SVM_SELECTOR_G_MASK | 3 << SVM_SELECTOR_DPL_SHIFT | 1)

static bool svm_inktag_supported(struct kvm *kvm)
{
	if (!npt_enabled || enable_apicv)
		return false;
	return !kvm || (!sev_guest(kvm) && kvm->arch.vm_type == KVM_X86_DEFAULT_VM);
}

/* What a HAP could do besides computing on its own memory, reading the time, and PAUSE. */
static void set_intercepts(struct vmcb_control_area *control)
{
	static const u8 bits[] = {
		INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SELECTIVE_CR0,
		INTERCEPT_STORE_IDTR, INTERCEPT_STORE_GDTR, INTERCEPT_STORE_LDTR,
		INTERCEPT_STORE_TR, INTERCEPT_LOAD_IDTR, INTERCEPT_LOAD_GDTR,
		INTERCEPT_LOAD_LDTR, INTERCEPT_LOAD_TR, INTERCEPT_RDPMC, INTERCEPT_CPUID,
		INTERCEPT_RSM, INTERCEPT_IRET, INTERCEPT_INTn, INTERCEPT_INVD, INTERCEPT_HLT,
		INTERCEPT_INVLPG, INTERCEPT_INVLPGA, INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT,
		INTERCEPT_TASK_SWITCH, INTERCEPT_FERR_FREEZE, INTERCEPT_SHUTDOWN,
		INTERCEPT_VMRUN, INTERCEPT_VMMCALL, INTERCEPT_VMLOAD, INTERCEPT_VMSAVE,
		INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT, INTERCEPT_ICEBP,
		INTERCEPT_WBINVD, INTERCEPT_MONITOR, INTERCEPT_MWAIT, INTERCEPT_MWAIT_COND,
		INTERCEPT_XSETBV, INTERCEPT_RDPRU,
	};
	int i;

	control->intercepts[INTERCEPT_CR] = U32_MAX;
	control->intercepts[INTERCEPT_DR] = U32_MAX;
	control->intercepts[INTERCEPT_EXCEPTION] = U32_MAX;
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		vmcb_set_intercept(control, bits[i]);
	if (intercept_smi)
		vmcb_set_intercept(control, INTERCEPT_SMI);
}

static void set_seg(struct vmcb_seg *seg, u16 selector, u16 attrib)
{
	*seg = (struct vmcb_seg) { .selector = selector, .attrib = attrib, .limit = U32_MAX };
}

/* What stays as it is for good; the rest is set at each switch. All descriptor tables are empty. */
static void init_vmcb(struct vcpu_svm *svm)
{
	struct vmcb *vmcb = svm->inktag->vmcb.ptr;
	struct vmcb_control_area *control = &vmcb->control;
	struct vmcb_save_area *save = &vmcb->save;

	set_intercepts(control);
	control->iopm_base_pa = svm->vmcb01.ptr->control.iopm_base_pa;
	control->msrpm_base_pa = __sme_set(__pa(svm->inktag->msrpm));
	control->int_ctl = V_INTR_MASKING_MASK;

	save->efer = EFER_LME | EFER_LMA | EFER_NX | EFER_SVME;
	save->cr0 = X86_CR0_PG | X86_CR0_WP | X86_CR0_NE | X86_CR0_ET | X86_CR0_MP | X86_CR0_PE;
	save->dr6 = DR6_ACTIVE_LOW;
	save->dr7 = DR7_FIXED_1;
	save->g_pat = MSR_IA32_CR_PAT_DEFAULT;
	save->cpl = 3;
}

static int svm_inktag_prepare(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_inktag *ink;
	struct page *page;

	if (!kvm_inktag_xsave_is_on(vcpu))
		return -EOPNOTSUPP;
	if (svm->inktag)
		return 0;
	/* The VMM may have made it a SEV guest since. */
	if (!svm_inktag_supported(vcpu->kvm))
		return -EOPNOTSUPP;
	ink = kzalloc(sizeof(*ink), GFP_KERNEL_ACCOUNT);
	if (!ink)
		return -ENOMEM;
	ink->msrpm = svm_vcpu_alloc_msrpm();
	if (!ink->msrpm)
		goto free;
	page = snp_safe_alloc_page();
	if (!page)
		goto free_msrpm;
	ink->vmcb.ptr = page_address(page);
	ink->vmcb.pa = __sme_set(page_to_phys(page));
	kvm_inktag_count_object(1);
	svm->inktag = ink;
	init_vmcb(svm);
	return 0;

free_msrpm:
	svm_vcpu_free_msrpm(ink->msrpm);
free:
	kfree(ink);
	return -ENOMEM;
}

/* After a shutdown the VMCB's content is undefined. */
void svm_inktag_reset(struct vcpu_svm *svm)
{
	clear_page(svm->inktag->vmcb.ptr);
	init_vmcb(svm);
	svm->inktag->vmcb.asid_generation = 0;
}

void svm_inktag_free(struct vcpu_svm *svm)
{
	if (!svm->inktag)
		return;
	free_page((unsigned long)svm->inktag->vmcb.ptr);
	svm_vcpu_free_msrpm(svm->inktag->msrpm);
	kfree(svm->inktag);
	svm->inktag = NULL;
	kvm_inktag_count_object(-1);
}

/* What VMLOAD and VMSAVE transfer, but for the HAP's FS and GS base. */
static void keep_guest(struct vcpu_svm *svm)
{
	struct vmcb_save_area *save01 = &svm->vmcb01.ptr->save;
	struct svm_inktag *ink = svm->inktag;

	ink->fs = save01->fs;
	ink->gs = save01->gs;
	ink->tr = save01->tr;
	ink->ldtr = save01->ldtr;
	ink->kernel_gs_base = save01->kernel_gs_base;
	ink->star = save01->star;
	ink->lstar = save01->lstar;
	ink->cstar = save01->cstar;
	ink->sfmask = save01->sfmask;
	ink->sysenter_cs = save01->sysenter_cs;
	ink->sysenter_esp = save01->sysenter_esp;
	ink->sysenter_eip = save01->sysenter_eip;
	ink->cr2 = svm->vcpu.arch.cr2;
	ink->pkru = svm->vcpu.arch.pkru;

	set_seg(&save01->fs, 0, DATA_USER);
	set_seg(&save01->gs, 0, DATA_USER);
	save01->tr = (struct vmcb_seg) {};
	save01->ldtr = (struct vmcb_seg) {};
	save01->kernel_gs_base = 0;
	save01->star = 0;
	save01->lstar = 0;
	save01->cstar = 0;
	save01->sfmask = 0;
	save01->sysenter_cs = 0;
	save01->sysenter_esp = 0;
	save01->sysenter_eip = 0;
}

static void restore_guest(struct vcpu_svm *svm)
{
	struct vmcb_save_area *save01 = &svm->vmcb01.ptr->save;
	struct svm_inktag *ink = svm->inktag;

	save01->fs = ink->fs;
	save01->gs = ink->gs;
	save01->tr = ink->tr;
	save01->ldtr = ink->ldtr;
	save01->kernel_gs_base = ink->kernel_gs_base;
	save01->star = ink->star;
	save01->lstar = ink->lstar;
	save01->cstar = ink->cstar;
	save01->sfmask = ink->sfmask;
	save01->sysenter_cs = ink->sysenter_cs;
	save01->sysenter_esp = ink->sysenter_esp;
	save01->sysenter_eip = ink->sysenter_eip;
	svm->vcpu.arch.cr2 = ink->cr2;
	svm->vcpu.arch.pkru = ink->pkru;
}

/*
 * The extended states that a HAP has: those that the VMM gave the guest, without PKRU, which is the
 * host thread's, and without what the processor refuses. KVM loads it unchecked: manual volume 2,
 * 11.5.2 (XCR0) has the rules.
 */
static u64 trusted_xcr0(struct kvm_vcpu *vcpu)
{
	u64 xcr0 = vcpu->arch.guest_supported_xcr0 | XFEATURE_MASK_FP;
	const u64 avx512 = XFEATURE_MASK_AVX512;

	if (!(xcr0 & XFEATURE_MASK_SSE))
		xcr0 &= ~(u64)XFEATURE_MASK_YMM;
	if (!(xcr0 & XFEATURE_MASK_YMM) || (xcr0 & avx512) != avx512)
		xcr0 &= ~avx512;
	return xcr0 & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | avx512);
}

/* svm->asid is the ASID of the current VMCB; each VMCB keeps its own in its control area. */
static void switch_vmcb(struct vcpu_svm *svm, struct kvm_vmcb_info *to)
{
	svm_switch_vmcb(svm, to);
	svm->asid = to->ptr->control.asid;
}

static void svm_inktag_enter(struct kvm_vcpu *vcpu, u64 root, const struct ink_regs *regs)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_inktag *ink = svm->inktag;
	struct vmcb *vmcb = ink->vmcb.ptr;

	/* The step was over the VMMCALL: let KVM see whether the NMI can be injected now. */
	if (svm->nmi_singlestep) {
		disable_nmi_singlestep(svm);
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	}
	keep_guest(svm);
	svm->vmcb01.ptr->save.fs.base = regs->fsbase;
	svm->vmcb01.ptr->save.gs.base = regs->gsbase;

	set_seg(&vmcb->save.cs, USER_CS, CODE64_USER);
	set_seg(&vmcb->save.ss, USER_DS, DATA_USER);
	set_seg(&vmcb->save.ds, 0, DATA_USER);
	set_seg(&vmcb->save.es, 0, DATA_USER);
	vmcb->save.cr3 = root;
	/*
	 * XCR0 is a fixed one, so that the guest cannot change what an instruction does between two
	 * of the program's. MCE is the host's.
	 */
	ink->xcr0 = vcpu->arch.xcr0;
	vcpu->arch.xcr0 = trusted_xcr0(vcpu);
	vmcb->save.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |
			 (cr4_read_shadow() & X86_CR4_MCE) |
			 kvm_read_cr4_bits(vcpu, X86_CR4_OSXSAVE);
	vmcb->save.rflags = (regs->rflags & USER_FLAGS) | X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	vmcb->control.tsc_offset = svm->vmcb01.ptr->control.tsc_offset;
	vmcb->control.int_state = 0;
	vmcb->control.event_inj = 0;
	vmcb_mark_all_dirty(vmcb);
	switch_vmcb(svm, &ink->vmcb);
}

static void svm_inktag_leave(struct kvm_vcpu *vcpu, struct ink_regs *regs)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	regs->rflags = svm->vmcb->save.rflags;
	regs->fsbase = svm->vmcb01.ptr->save.fs.base;
	regs->gsbase = svm->vmcb01.ptr->save.gs.base;
	vcpu->arch.xcr0 = svm->inktag->xcr0;
	restore_guest(svm);
	switch_vmcb(svm, &svm->vmcb01);
}

static void svm_inktag_flush(struct kvm_vcpu *vcpu)
{
	struct kvm_vmcb_info *info = &to_svm(vcpu)->inktag->vmcb;

	if (static_cpu_has(X86_FEATURE_FLUSHBYASID))
		info->ptr->control.tlb_ctl = TLB_CONTROL_FLUSH_ASID;
	else
		info->asid_generation--;
}

const struct kvm_inktag_ops svm_inktag_ops = {
	.supported = svm_inktag_supported,
	.prepare = svm_inktag_prepare,
	.enter = svm_inktag_enter,
	.leave = svm_inktag_leave,
	.flush = svm_inktag_flush,
};
