// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xstate.c - the extended registers of a HAP's thread: saved and put into their initial state
 * when it leaves (I1), restored when it comes back (I4).
 *
 * KVM runs a vCPU with the guest's extended registers as those of the host thread: they are live,
 * or TIF_NEED_FPU_LOAD is set and they are in the thread's fpstate. XCR0 is the host's here, so
 * all that the guest's XCR0 could have enabled is covered. PKRU is the exception: KVM switches it
 * at each entry, and it has no effect in the trusted context (CR4.PKE is 0).
 */
#include <linux/slab.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include "glue.h"

#define FCW_INIT	0x37f
#define MXCSR_OFFSET	24

static size_t xstate_size(void)
{
	u32 eax, ebx, ecx, edx;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return sizeof(struct fxregs_state);
	/* EBX: the standard format, for the features that XCR0 has on now. */
	cpuid_count(XSTATE_CPUID, 0, &eax, &ebx, &ecx, &edx);
	return ebx;
}

static u64 xstate_mask(void)
{
	return xgetbv(XCR_XFEATURE_ENABLED_MASK) & ~(u64)XFEATURE_MASK_PKRU;
}

void *ink_xstate_alloc(void)
{
	void *x = alloc_pages_exact(xstate_size(), GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (x) {
		kvm_inktag_count_object(1);
		*(u16 *)x = FCW_INIT;
		*(u32 *)(x + MXCSR_OFFSET) = MXCSR_DEFAULT;
	}
	return x;
}

void ink_xstate_free(void *xstate)
{
	if (!xstate)
		return;
	kvm_inktag_count_object(-1);
	memzero_explicit(xstate, xstate_size());
	free_pages_exact(xstate, xstate_size());
}

void ink_xstate_copy(void *to, const void *from)
{
	memcpy(to, from, xstate_size());
}

static u64 *xstate_bv(const void *x)
{
	return (void *)x + XSAVE_HDR_OFFSET;
}

/* The states that a debugger sees; to this size they are where they are in each processor. */
static u64 shown_mask(void)
{
	return boot_cpu_has(X86_FEATURE_XSAVE) ? xstate_mask() & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM) : 0;
}

void ink_xstate_get(const void *xstate, u8 *out)
{
	u64 mask = shown_mask();

	BUILD_BUG_ON(INKTAG_DEBUG_XSTATE != XSAVE_YMM_OFFSET + XSAVE_YMM_SIZE);
	memset(out, 0, INKTAG_DEBUG_XSTATE);
	memcpy(out, xstate, XSAVE_HDR_OFFSET);
	*xstate_bv(out) = mask ? *xstate_bv(xstate) & mask : XFEATURE_MASK_FPSSE;
	if (mask & XFEATURE_MASK_YMM)
		memcpy(out + XSAVE_YMM_OFFSET, xstate + XSAVE_YMM_OFFSET, XSAVE_YMM_SIZE);
}

/* The low half of MXCSR is what all 64-bit processors have. Nothing else can make XRSTOR fault. */
bool ink_xstate_is_valid(const u8 *in)
{
	return *(const u32 *)(in + MXCSR_OFFSET) <= U16_MAX;
}

void ink_xstate_set(void *xstate, const u8 *in)
{
	u64 mask = shown_mask();

	memcpy(xstate, in, XSAVE_HDR_OFFSET);
	if (mask)
		*xstate_bv(xstate) = (*xstate_bv(xstate) & ~mask) | (*xstate_bv(in) & mask);
	if (mask & XFEATURE_MASK_YMM)
		memcpy(xstate + XSAVE_YMM_OFFSET, in + XSAVE_YMM_OFFSET, XSAVE_YMM_SIZE);
}

static void save(void *x)
{
	u64 mask;

	if (!boot_cpu_has(X86_FEATURE_XSAVE)) {
		asm volatile("fxsaveq (%0)" : : "r" (x) : "memory");
		return;
	}
	mask = xstate_mask();
	asm volatile("xsave64 (%0)" : : "r" (x), "a" ((u32)mask), "d" ((u32)(mask >> 32)) : "memory");
}

static void load(const void *x)
{
	static const int any;
	u64 mask;

	/* These processors leave the x87 pointers alone unless an exception is pending. */
	if (boot_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fnclex; emms; fildl %0" : : "m" (any));
	if (!boot_cpu_has(X86_FEATURE_XSAVE)) {
		asm volatile("fxrstorq (%0)" : : "r" (x) : "memory");
		return;
	}
	mask = xstate_mask();
	asm volatile("xrstor64 (%0)" : : "r" (x), "a" ((u32)mask), "d" ((u32)(mask >> 32)) : "memory");
}

void ink_xstate_switch(void *from, const void *to)
{
	bool fast = irqs_disabled();	/* between two entries: the registers are live, and stay so */

	if (!fast) {
		fpregs_lock();
		if (test_thread_flag(TIF_NEED_FPU_LOAD))
			switch_fpu_return();
	}
	if (from)
		save(from);
	load(to);
	if (!fast)
		fpregs_unlock();
}
