/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hooks.h - what KVM calls in a VM that may have the extension. Each costs a VM without it one
 * test of kvm->arch.inktag, or of a field beside those that KVM just used.
 */
#ifndef INK_HOOKS_H
#define INK_HOOKS_H

#include <linux/kvm_host.h>

static inline bool kvm_inktag_on(struct kvm *kvm)
{
	return READ_ONCE(kvm->arch.inktag);
}

/* ioctl.c */
int kvm_inktag_check_extension(struct kvm *kvm);
int kvm_inktag_enable(struct kvm *kvm, const struct kvm_enable_cap *cap);
int kvm_inktag_ioctl(struct kvm *kvm, unsigned int ioctl, unsigned long arg);
void kvm_inktag_destroy_vm(struct kvm *kvm);	/* its vCPUs are gone */

/* env.c */
bool __kvm_inktag_is_held(struct kvm *kvm, gfn_t gfn, u64 count);
void __kvm_inktag_touch(struct kvm *kvm, gfn_t gfn);

/*
 * A nested page table entry for gfn is going to be made; mmu_invalidate_seq was sampled before.
 * If gfn is held it is cloaked now. If it becomes held later, its zap raises the sequence, and
 * the fault is retried.
 */
static inline void kvm_inktag_touch(struct kvm *kvm, gfn_t gfn)
{
	if (kvm_inktag_on(kvm) && __kvm_inktag_is_held(kvm, gfn, 1))
		__kvm_inktag_touch(kvm, gfn);
}

/*
 * Would a leaf of this level cover a held frame? Asked with mmu_lock held: a frame is marked held
 * before its zap takes mmu_lock for writing.
 */
static inline bool kvm_inktag_is_held(struct kvm *kvm, gfn_t gfn, int level)
{
	u64 count = KVM_PAGES_PER_HPAGE(level);

	return kvm_inktag_on(kvm) && __kvm_inktag_is_held(kvm, gfn & ~(count - 1), count);
}

/* hypercall.c: a VMMCALL of the untrusted context. false: it is none of ours. */
bool __kvm_inktag_hypercall(struct kvm_vcpu *vcpu);

static inline bool kvm_inktag_hypercall(struct kvm_vcpu *vcpu)
{
	return kvm_inktag_on(vcpu->kvm) && __kvm_inktag_hypercall(vcpu);
}

/* ioctl.c: KVM_REQ_INKTAG_STORE: KVM_RUN ends. Returns what it does. */
int kvm_inktag_exit_for_store(struct kvm_vcpu *vcpu);

/* switch.c */
bool __kvm_inktag_stays(struct kvm_vcpu *vcpu);
void __kvm_inktag_put(struct kvm_vcpu *vcpu);

static inline bool kvm_inktag_trusted(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.inktag.thread;
}

/*
 * Before each entry. true: enter the trusted context; requests that came meanwhile are found by
 * the test that follows vcpu->mode = IN_GUEST_MODE. false: the vCPU is in the untrusted context.
 */
static inline bool kvm_inktag_stays(struct kvm_vcpu *vcpu)
{
	return kvm_inktag_trusted(vcpu) && __kvm_inktag_stays(vcpu);
}

/* KVM_RUN is about to end. */
static inline void kvm_inktag_put(struct kvm_vcpu *vcpu)
{
	if (kvm_inktag_trusted(vcpu))
		__kvm_inktag_put(vcpu);
}

#endif
