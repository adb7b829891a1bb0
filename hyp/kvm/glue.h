/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * glue.h - the core inside KVM: what kvm.ko's files share with each other and with kvm-amd.ko.
 *
 *   ioctl.c      the capability, the ioctls, statistics, the end of a VM
 *   env.c        env.h: host memory, maps, guest memory, TLBs
 *   crypto.c     env.h: AES-256-GCM, SHA-256
 *   xstate.c     x87, SSE, AVX ... at a world switch
 *   switch.c     the world switch: thread record <-> vCPU
 *   hypercall.c  the table of hypercalls
 *   fault.c      faults and exceptions of a HAP
 *   fastpath.c   system call and resume without leaving KVM's inner loop
 *   hooks.h      what KVM calls
 *
 * A vCPU is in the trusted context while vcpu->arch.inktag.thread is set. The vCPU's own thread
 * sets and clears it, with the lock held. In that time
 *   - the vendor's current VMCB is the trusted one, and vcpu->arch.regs are the HAP's;
 *   - nothing is pending, queued or injected for the guest: vcpu_enter_guest() leaves the trusted
 *     context first (kvm_inktag_stays());
 *   - KVM's emulator, MMU and interrupt injection are not used;
 *   - KVM_RUN does not return to userspace, so no vCPU ioctl sees the HAP's registers.
 *
 * What needs the metadata store waits in userspace: the vCPU leaves the trusted context, KVM_RUN ends with
 * KVM_EXIT_INKTAG, and what made the request is made again when the vCPU comes back.
 */
#ifndef INK_GLUE_H
#define INK_GLUE_H

#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include "kvm_cache_regs.h"
#include "inktag.h"
#include "hooks.h"

struct ink_crypto;

struct kvm_inktag {
	struct kvm *kvm;
	struct mutex lock;		/* the core's one lock: protects vm and eventfd */
	struct ink_vm vm;
	struct ink_crypto *crypto;	/* its request is used with the lock held */
	void *xstate_init;		/* the initial state. Constant */
	struct eventfd_ctx *eventfd;
	u64 asked;			/* id of the last request for which a vCPU was sent to the VMM */
};

static inline struct kvm_inktag *to_inktag(struct ink_vm *vm)
{
	return container_of(vm, struct kvm_inktag, vm);
}

static inline struct ink_vm *kvm_inktag_lock(struct kvm *kvm)
{
	mutex_lock(&kvm->arch.inktag->lock);
	return &kvm->arch.inktag->vm;
}

void kvm_inktag_unlock(struct kvm *kvm);

#define INKTAG_VMMCALL_LENGTH	3	/* without prefixes; with some, the caller goes astray */

/* What names an address space: CR3 without PCID and flags. */
static inline u64 kvm_inktag_cr3(struct kvm_vcpu *vcpu)
{
	return kvm_read_cr3(vcpu) & 0x000ffffffffff000ULL;
}

/*
 * XSAVE is the guest's switch for the trusted context, too: KVM loads XCR0 only while it is on. So that no program
 * finds it off that has found it on, it must be on where there is one. I4.
 */
static inline bool kvm_inktag_xsave_is_on(struct kvm_vcpu *vcpu)
{
	return !vcpu->arch.guest_supported_xcr0 || kvm_is_cr4_bit_set(vcpu, X86_CR4_OSXSAVE);
}

/* --- what the vendor module does --------------------------------------------------------------- */

struct kvm_inktag_ops {
	/* Can the trusted context exist in this VM? kvm: NULL: in any VM? */
	bool (*supported)(struct kvm *kvm);

	/* Allocate what the vCPU needs in the trusted context. -ENOMEM, -EOPNOTSUPP. May be called again. */
	int (*prepare)(struct kvm_vcpu *vcpu);

	/*
	 * Swap VMCBs. enter: run on the page table root with regs' flags and bases; the guest's own
	 * are kept. leave: stores flags and bases in regs, and puts the guest's back. GPRs, RIP
	 * and xstate are the caller's.
	 */
	void (*enter)(struct kvm_vcpu *vcpu, u64 root, const struct ink_regs *regs);
	void (*leave)(struct kvm_vcpu *vcpu, struct ink_regs *regs);

	/* Before the next entry, forget the translations of the trusted context on this vCPU. */
	void (*flush)(struct kvm_vcpu *vcpu);
};

/* --- for the vendor module: the exits of the trusted context; all return with the vCPU ready to run */

void kvm_inktag_trusted_call(struct kvm_vcpu *vcpu);
void kvm_inktag_trusted_fault(struct kvm_vcpu *vcpu, u64 va, u64 error_code);
void kvm_inktag_trusted_exception(struct kvm_vcpu *vcpu, u8 vector);
void kvm_inktag_trusted_cpuid(struct kvm_vcpu *vcpu);
void kvm_inktag_trusted_broken(struct kvm_vcpu *vcpu);	/* the hardware refused to run it */

/* --- hypercall.c: the last exit, a VMMCALL of the untrusted context, asks for a resume ---------------- */

bool kvm_inktag_is_resume(struct kvm_vcpu *vcpu);

/* --- fastpath.c ------------------------------------------------------------------------------- */

/*
 * The last exit was a VMMCALL, and interrupts are still off. true: it was a system call of a HAP or
 * a resume, and is done: enter guest mode again. false: nothing was done.
 */
bool kvm_inktag_fastpath(struct kvm_vcpu *vcpu);

/* --- switch.c. The lock is held ----------------------------------------------------------------- */

/* t, which the core has just set RUNNING, runs on vcpu from now on. */
void kvm_inktag_enter(struct kvm_vcpu *vcpu, struct ink_thread *t);

/* The thread leaves vcpu; the untrusted context goes on in the stub. */
void kvm_inktag_leave(struct kvm_vcpu *vcpu, enum ink_thread_state state);

/* Before an entry of the trusted context, or with the lock: forget translations that were removed. */
void kvm_inktag_sync_tlb(struct kvm_vcpu *vcpu);

/* The HAP in whose trusted context vcpu is has not ended meanwhile. false: the vCPU has left it. */
bool kvm_inktag_still_runs(struct kvm_vcpu *vcpu);

/* End the HAP that runs on vcpu (it may have ended already); its stub learns err (hypercall.h). */
void kvm_inktag_kill(struct kvm_vcpu *vcpu, int err);

/* End the HAP that runs on vcpu, or its thread, at its own wish. */
void kvm_inktag_exit(struct kvm_vcpu *vcpu, u64 status, bool whole);

/* INKTAG_HC_CLONE. 0: the thread has left vcpu. Otherwise it goes on; errors as ink_thread_clone(). */
int kvm_inktag_clone(struct kvm_vcpu *vcpu, bool process);

/* INKTAG_HC_SIGNAL_RETURN; the thread is in its signal entry. */
void kvm_inktag_signal_return(struct kvm_vcpu *vcpu);

/* The HAP's access; in the trusted context. The thread stays, leaves or is killed. */
void kvm_inktag_resolve(struct kvm_vcpu *vcpu, u64 va, u32 access);

/* --- ioctl.c: the next KVM_RUN of vcpu goes to the VMM, for the requests that there are ---------------- */

void kvm_inktag_ask_store(struct kvm_vcpu *vcpu);

/* --- env.c, crypto.c, xstate.c ------------------------------------------------------------------ */

/* n structures more are allocated: what is not given back with the VMs shows in a parameter of kvm.ko. */
void kvm_inktag_count_object(int n);

struct ink_crypto *ink_crypto_new(void);		/* with a fresh random key. ERR_PTR() */
void ink_crypto_free(struct ink_crypto *crypto);	/* clears the key */

/* The registers of the vCPU that this host thread runs: store them in from, if not NULL; load to. */
void ink_xstate_switch(void *from, const void *to);

#endif
