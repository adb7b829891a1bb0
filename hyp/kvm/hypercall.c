// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hypercall.c - VMMCALL: who may call what (inktag/hypercall.h says what each does). I8.
 */
#include <linux/random.h>
#include <linux/timekeeping.h>
#include "x86.h"
#include "mmu.h"
#include "smm.h"
#include "glue.h"
#include "trace.h"

/* RBX, RCX, RDX, RSI */
struct args {
	u64 a[4];
};

/* Not a result: the vCPU changed its context, its registers are set. */
#define SWITCHED	S64_MIN

/* Not a result, either: the store is asked, and the call shall be made again. */
#define WAIT		((s64)-EINPROGRESS)

static struct ink_vm *vm_of(struct kvm_vcpu *vcpu)
{
	return &vcpu->kvm->arch.inktag->vm;
}

static struct ink_hap *current_hap(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.inktag.thread->hap;
}

/* --- from the untrusted context -------------------------------------------------------------- */

static s64 hc_version(struct kvm_vcpu *vcpu, const struct args *args)
{
	return INKTAG_ABI_VERSION;
}

static s64 hc_ring_set(struct kvm_vcpu *vcpu, const struct args *args)
{
	return ink_ring_set(vm_of(vcpu), vcpu->vcpu_idx, args->a[0], args->a[1]);
}

static s64 hc_doorbell(struct kvm_vcpu *vcpu, const struct args *args)
{
	ink_ring_drain(vm_of(vcpu));
	return 0;
}

static s64 hc_hap_create(struct kvm_vcpu *vcpu, const struct args *args)
{
	if (args->a[0] > U32_MAX)
		return -EINVAL;
	return ink_hap_create(vm_of(vcpu), kvm_inktag_cr3(vcpu), args->a[0], args->a[1], args->a[2]);
}

static s64 hc_hap_destroy(struct kvm_vcpu *vcpu, const struct args *args)
{
	struct ink_hap *hap = ink_hap_find(vm_of(vcpu), args->a[0]);

	if (!hap)
		return -ENOENT;
	ink_hap_end(hap);
	return 0;
}

/* The caller runs at CPL 3, so KVM walks with the rights of a user access. */
static int translate(void *ctx, u64 va, u64 *gfn)
{
	struct x86_exception e;
	gpa_t gpa = kvm_mmu_gva_to_gpa_write(ctx, va, &e);

	if (gpa == INVALID_GPA)
		return -EAGAIN;
	*gfn = gpa_to_gfn(gpa);
	return 0;
}

static s64 hc_hap_add(struct kvm_vcpu *vcpu, const struct args *args)
{
	struct ink_hap *hap = ink_hap_find(vm_of(vcpu), args->a[0]);

	if (!hap)
		return -ENOENT;
	ink_ring_drain(vm_of(vcpu));
	return ink_hap_add(hap, kvm_inktag_cr3(vcpu), args->a[1], args->a[2], args->a[3],
			   translate, vcpu);
}

static s64 hc_hap_start(struct kvm_vcpu *vcpu, const struct args *args)
{
	struct ink_hap *hap = ink_hap_find(vm_of(vcpu), args->a[0]);
	struct inktag_start start;
	struct x86_exception e;
	struct ink_thread *t;
	int err;

	if (!hap)
		return -ENOENT;
	if (kvm_read_guest_virt(vcpu, args->a[1], &start, sizeof(start), &e) != X86EMUL_CONTINUE)
		return -EFAULT;
	err = kvm_x86_ops.inktag_ops->prepare(vcpu);
	if (err)
		return err;
	err = ink_hap_start(hap, kvm_inktag_cr3(vcpu), &start, &t);
	if (err)
		return err;
	err = ink_thread_start(t);
	if (err)
		return err;
	trace_inktag_start(hap);
	kvm_inktag_enter(vcpu, t);
	return SWITCHED;
}

/* RBX: the handle. RAX: the system call's result */
static s64 hc_resume(struct kvm_vcpu *vcpu, const struct args *args)
{
	struct ink_thread *t;
	int err;

	err = kvm_x86_ops.inktag_ops->prepare(vcpu);
	if (err)
		return err;
	ink_ring_drain(vm_of(vcpu));
	err = ink_thread_resume(vm_of(vcpu), args->a[0], kvm_inktag_cr3(vcpu), kvm_rax_read(vcpu), &t);
	if (err)
		return err;
	kvm_inktag_enter(vcpu, t);
	/* It would fault again at once: judge that access now, and save the exit. */
	if (t->ret.fault_access)
		kvm_inktag_resolve(vcpu, t->ret.fault_va, t->ret.fault_access);
	return SWITCHED;
}

/* RBX: the handle */
static s64 hc_signal(struct kvm_vcpu *vcpu, const struct args *args)
{
	const u64 given[3] = { kvm_rdi_read(vcpu), kvm_rsi_read(vcpu), kvm_rdx_read(vcpu) };
	struct ink_thread *t;
	int err;

	err = kvm_x86_ops.inktag_ops->prepare(vcpu);
	if (err)
		return err;
	ink_ring_drain(vm_of(vcpu));
	err = ink_thread_signal(vm_of(vcpu), args->a[0], kvm_inktag_cr3(vcpu), kvm_rsp_read(vcpu), given, &t);
	if (err)
		return err;
	kvm_inktag_enter(vcpu, t);
	return SWITCHED;
}

static s64 hc_copy(struct kvm_vcpu *vcpu, const struct args *args)
{
	struct ink_vm *vm = vm_of(vcpu);

	ink_ring_drain(vm);
	return ink_hap_copy(vm, args->a[0] & U32_MAX, args->a[0] >> 32, args->a[1], args->a[2], args->a[3]);
}

static s64 hc_debug(struct kvm_vcpu *vcpu, const struct args *args)
{
	struct ink_vm *vm = vm_of(vcpu);
	struct inktag_debug *d = vm->bounce;
	struct x86_exception e;
	int err;

	BUILD_BUG_ON(sizeof(*d) > INKTAG_PAGE_SIZE);
	if (args->a[2] > 1)
		return -EINVAL;
	if (args->a[2]) {
		if (kvm_read_guest_virt(vcpu, args->a[1], d, sizeof(*d), &e) != X86EMUL_CONTINUE)
			return -EFAULT;
		return ink_thread_debug_set(vm, args->a[0], d);
	}
	err = ink_thread_debug_get(vm, args->a[0], d);
	if (err)
		return err;
	return kvm_write_guest_virt_system(vcpu, args->a[1], d, sizeof(*d), &e) == X86EMUL_CONTINUE ? 0 : -EFAULT;
}

static s64 hc_before_io(struct kvm_vcpu *vcpu, const struct args *args)
{
	ink_ring_drain(vm_of(vcpu));
	return ink_before_io(vm_of(vcpu), args->a[0], args->a[1], args->a[2]);
}

/* --- from the trusted context ------------------------------------------------------------------ */

static s64 hc_syscall(struct kvm_vcpu *vcpu, const struct args *args)
{
	kvm_inktag_leave(vcpu, INK_SYSCALL);
	return SWITCHED;
}

static s64 hc_unmap(struct kvm_vcpu *vcpu, const struct args *args)
{
	return ink_hap_unmap(current_hap(vcpu), args->a[0], args->a[1], args->a[2], args->a[3]);
}

static s64 hc_exit(struct kvm_vcpu *vcpu, const struct args *args)
{
	kvm_inktag_exit(vcpu, args->a[0], true);
	return SWITCHED;
}

static s64 hc_thread_exit(struct kvm_vcpu *vcpu, const struct args *args)
{
	kvm_inktag_exit(vcpu, args->a[0], false);
	return SWITCHED;
}

static s64 hc_clone(struct kvm_vcpu *vcpu, const struct args *args)
{
	int err;

	if (args->a[1] > 1)
		return -EINVAL;
	err = kvm_inktag_clone(vcpu, args->a[1]);
	return err ? err : SWITCHED;
}

static s64 hc_share(struct kvm_vcpu *vcpu, const struct args *args)
{
	struct ink_hap *hap = current_hap(vcpu);

	if (args->a[1] > 1)
		return -EINVAL;
	return args->a[1] ? ink_object_leave(hap, args->a[0]) : ink_object_share(hap, args->a[0]);
}

static void set_four(struct kvm_vcpu *vcpu, const u64 value[4])
{
	kvm_rbx_write(vcpu, value[0]);
	kvm_rcx_write(vcpu, value[1]);
	kvm_rdx_write(vcpu, value[2]);
	kvm_rsi_write(vcpu, value[3]);
}

static s64 hc_file_name(struct kvm_vcpu *vcpu, const struct args *args)
{
	u64 answer[4];
	int err = ink_file_name(vcpu->arch.inktag.thread, args->a[0], args->a[1], args->a[2], answer);

	if (!err)
		set_four(vcpu, answer);
	return err;
}

static s64 hc_file_open(struct kvm_vcpu *vcpu, const struct args *args)
{
	return ink_file_open(vcpu->arch.inktag.thread, args->a[0], &args->a[1]);
}

static s64 hc_file_length(struct kvm_vcpu *vcpu, const struct args *args)
{
	return ink_file_length(current_hap(vcpu), args->a[0], args->a[1], args->a[2]);
}

static s64 hc_file_sync(struct kvm_vcpu *vcpu, const struct args *args)
{
	return ink_file_sync(current_hap(vcpu), args->a[0], args->a[1], args->a[2]);
}

static s64 hc_ended(struct kvm_vcpu *vcpu, const struct args *args)
{
	if (!args->a[0])
		return current_hap(vcpu)->id;
	return !ink_hap_find(vm_of(vcpu), args->a[0]);
}

static s64 hc_signal_entry(struct kvm_vcpu *vcpu, const struct args *args)
{
	return ink_thread_signal_entry(vcpu->arch.inktag.thread, args->a[0], args->a[1]);
}

static s64 hc_signal_regs(struct kvm_vcpu *vcpu, const struct args *args)
{
	return ink_thread_signal_regs(vcpu->arch.inktag.thread, args->a[0], args->a[1]);
}

static s64 hc_signal_return(struct kvm_vcpu *vcpu, const struct args *args)
{
	if (!vcpu->arch.inktag.thread->in_signal)
		return -EBUSY;
	kvm_inktag_signal_return(vcpu);
	return SWITCHED;
}

static s64 hc_set_base(struct kvm_vcpu *vcpu, const struct args *args)
{
	static const int segs[] = { VCPU_SREG_FS, VCPU_SREG_GS };
	struct kvm_segment seg;

	if (args->a[0] >= INKTAG_USER_END || args->a[1] >= ARRAY_SIZE(segs))
		return -EINVAL;
	kvm_get_segment(vcpu, &seg, segs[args->a[1]]);
	seg.base = args->a[0];
	kvm_set_segment(vcpu, &seg, segs[args->a[1]]);
	return 0;
}

static s64 hc_random(struct kvm_vcpu *vcpu, const struct args *args)
{
	u64 value[4];

	get_random_bytes(value, sizeof(value));
	set_four(vcpu, value);
	memzero_explicit(value, sizeof(value));
	return 0;
}

static s64 hc_clock(struct kvm_vcpu *vcpu, const struct args *args)
{
	kvm_rbx_write(vcpu, ktime_get_real_ns());
	kvm_rcx_write(vcpu, ktime_get_boottime_ns());
	return 0;
}

static s64 hc_measurement(struct kvm_vcpu *vcpu, const struct args *args)
{
	u64 value[INKTAG_MEASUREMENT_SIZE / sizeof(u64)];

	memcpy(value, current_hap(vcpu)->measurement, sizeof(value));
	set_four(vcpu, value);
	return 0;
}

static s64 hc_descriptors(struct kvm_vcpu *vcpu, const struct args *args)
{
	return vm_of(vcpu)->limits.descriptors;
}

static s64 hc_violation(struct kvm_vcpu *vcpu, const struct args *args)
{
	int err = ink_accuse(current_hap(vcpu), args->a[0], args->a[1], args->a[2]);

	if (err != -EALREADY)
		return err;
	kvm_inktag_kill(vcpu, -INKTAG_ESTALE);
	return SWITCHED;
}

/* --- the table ---------------------------------------------------------------------------------- */

enum { KERNEL = 1, USER = 2, TRUSTED = 4 };

struct call {
	u8 from;
	s64 (*handler)(struct kvm_vcpu *vcpu, const struct args *args);
};

static const struct call resume = { USER, hc_resume };
static const struct call signal = { USER, hc_signal };

#define CALL(name, who, function) [(name) - INKTAG_HC(0)] = { who, function }

static const struct call calls[] = {
	CALL(INKTAG_HC_VERSION,		KERNEL | USER,	hc_version),
	CALL(INKTAG_HC_RING_SET,	KERNEL,		hc_ring_set),
	CALL(INKTAG_HC_DOORBELL,	KERNEL,		hc_doorbell),
	CALL(INKTAG_HC_HAP_CREATE,	KERNEL,		hc_hap_create),
	CALL(INKTAG_HC_HAP_DESTROY,	KERNEL,		hc_hap_destroy),
	CALL(INKTAG_HC_HAP_ADD,		USER,		hc_hap_add),
	CALL(INKTAG_HC_HAP_START,	USER,		hc_hap_start),
	CALL(INKTAG_HC_SYSCALL,		TRUSTED,	hc_syscall),
	CALL(INKTAG_HC_UNMAP,		TRUSTED,	hc_unmap),
	CALL(INKTAG_HC_EXIT,		TRUSTED,	hc_exit),
	CALL(INKTAG_HC_SET_BASE,	TRUSTED,	hc_set_base),
	CALL(INKTAG_HC_RANDOM,		TRUSTED,	hc_random),
	CALL(INKTAG_HC_CLOCK,		TRUSTED,	hc_clock),
	CALL(INKTAG_HC_MEASUREMENT,	TRUSTED,	hc_measurement),
	CALL(INKTAG_HC_VIOLATION,	TRUSTED,	hc_violation),
	CALL(INKTAG_HC_DESCRIPTORS,	TRUSTED,	hc_descriptors),
	CALL(INKTAG_HC_CLONE,		TRUSTED,	hc_clone),
	CALL(INKTAG_HC_THREAD_EXIT,	TRUSTED,	hc_thread_exit),
	CALL(INKTAG_HC_SIGNAL_ENTRY,	TRUSTED,	hc_signal_entry),
	CALL(INKTAG_HC_SIGNAL_REGS,	TRUSTED,	hc_signal_regs),
	CALL(INKTAG_HC_SIGNAL_RETURN,	TRUSTED,	hc_signal_return),
	CALL(INKTAG_HC_COPY,		KERNEL,		hc_copy),
	CALL(INKTAG_HC_SHARE,		TRUSTED,	hc_share),
	CALL(INKTAG_HC_ENDED,		TRUSTED,	hc_ended),
	CALL(INKTAG_HC_DEBUG,		KERNEL,		hc_debug),
	CALL(INKTAG_HC_FILE_NAME,	TRUSTED,	hc_file_name),
	CALL(INKTAG_HC_FILE_OPEN,	TRUSTED,	hc_file_open),
	CALL(INKTAG_HC_FILE_LENGTH,	TRUSTED,	hc_file_length),
	CALL(INKTAG_HC_FILE_SYNC,	TRUSTED,	hc_file_sync),
	CALL(INKTAG_HC_BEFORE_IO,	KERNEL,		hc_before_io),
};

static const struct call *find_call(u64 nr)
{
	u64 i = nr - INKTAG_HC(0);

	return i < ARRAY_SIZE(calls) && calls[i].handler ? &calls[i] : NULL;
}

/* The vCPU goes to the VMM, and comes back to the same VMMCALL. */
static void wait_for_store(struct kvm_vcpu *vcpu, u8 from)
{
	kvm_rip_write(vcpu, kvm_rip_read(vcpu) - INKTAG_VMMCALL_LENGTH);
	if (from == TRUSTED)
		kvm_inktag_leave(vcpu, INK_INTERRUPT);
	kvm_inktag_ask_store(vcpu);
}

/* call: NULL: there is none of this number */
static void dispatch(struct kvm_vcpu *vcpu, const struct call *call, u8 from)
{
	struct args args = { {
		kvm_rbx_read(vcpu), kvm_rcx_read(vcpu), kvm_rdx_read(vcpu), kvm_rsi_read(vcpu),
	} };
	u64 nr = kvm_rax_read(vcpu);
	s64 result;

	/* Before the call: a HAP that leaves goes on after it. */
	kvm_rip_write(vcpu, kvm_rip_read(vcpu) + INKTAG_VMMCALL_LENGTH);
	if (!call)
		result = -ENOSYS;
	else if (!(call->from & from))
		result = -EPERM;
	else
		result = call->handler(vcpu, &args);
	trace_inktag_hypercall(vcpu->vcpu_id, nr, args.a, result == SWITCHED ? 0 : result);
	if (result == SWITCHED)
		return;
	if (result == WAIT) {
		wait_for_store(vcpu, from);
		return;
	}
	if (result < 0)
		vcpu->kvm->stat.inktag_refused++;
	kvm_rax_write(vcpu, result);
}

/* 64-bit code. SMM has other memory, a nested guest's calls are its own hypervisor's. */
static bool may_call(struct kvm_vcpu *vcpu)
{
	return !is_guest_mode(vcpu) && !is_smm(vcpu) && is_64_bit_mode(vcpu);
}

bool kvm_inktag_is_resume(struct kvm_vcpu *vcpu)
{
	return kvm_r12_read(vcpu) == INKTAG_RESUME_MAGIC && may_call(vcpu) &&
	       kvm_x86_call(get_cpl)(vcpu) == 3;
}

static bool is_signal(struct kvm_vcpu *vcpu, int cpl)
{
	return kvm_r12_read(vcpu) == INKTAG_SIGNAL_MAGIC && may_call(vcpu) && cpl == 3;
}

/* A resume and a signal are known by R12 alone, at CPL 3; the rest by RAX. */
bool __kvm_inktag_hypercall(struct kvm_vcpu *vcpu)
{
	int cpl = kvm_x86_call(get_cpl)(vcpu);
	const struct call *call;

	if (kvm_inktag_is_resume(vcpu))
		call = &resume;
	else if (is_signal(vcpu, cpl))
		call = &signal;
	else if (INKTAG_IS_HC(kvm_rax_read(vcpu)) && (cpl == 0 || cpl == 3) && may_call(vcpu))
		call = find_call(kvm_rax_read(vcpu));
	else
		return false;

	kvm_inktag_lock(vcpu->kvm);
	kvm_x86_call(set_interrupt_shadow)(vcpu, 0);
	dispatch(vcpu, call, cpl ? USER : KERNEL);
	kvm_inktag_unlock(vcpu->kvm);
	return true;
}
EXPORT_SYMBOL_GPL(__kvm_inktag_hypercall);

void kvm_inktag_trusted_call(struct kvm_vcpu *vcpu)
{
	kvm_inktag_lock(vcpu->kvm);
	if (kvm_inktag_still_runs(vcpu))
		dispatch(vcpu, find_call(kvm_rax_read(vcpu)), TRUSTED);
	kvm_inktag_unlock(vcpu->kvm);
}
EXPORT_SYMBOL_GPL(kvm_inktag_trusted_call);
