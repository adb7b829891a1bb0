// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ioctl.c - the extension of one VM: turned on, asked by the VMM, ended with the VM.
 */
#include <linux/eventfd.h>
#include <linux/module.h>
#include "glue.h"
#include "trace.h"

static uint inktag_max_haps = 256;
module_param(inktag_max_haps, uint, 0644);
MODULE_PARM_DESC(inktag_max_haps, "InkTag: most protected processes of a VM at one time");

static uint inktag_max_threads = 256;
module_param(inktag_max_threads, uint, 0644);
MODULE_PARM_DESC(inktag_max_threads, "InkTag: most threads of a protected process");

static uint inktag_max_descriptors = INKTAG_DESC_MAX;
module_param(inktag_max_descriptors, uint, 0644);
MODULE_PARM_DESC(inktag_max_descriptors, "InkTag: most mappings of a protected process");

static uint inktag_max_files = 65536;
module_param(inktag_max_files, uint, 0644);
MODULE_PARM_DESC(inktag_max_files, "InkTag: most protected files that the processes of a VM have at one time");

static ulong inktag_max_frames = 1UL << 20;
module_param(inktag_max_frames, ulong, 0644);
MODULE_PARM_DESC(inktag_max_frames, "InkTag: most host pages for the protected memory of a VM");

void kvm_inktag_ask_store(struct kvm_vcpu *vcpu)
{
	kvm_make_request(KVM_REQ_INKTAG_STORE, vcpu);
	kvm_vcpu_kick(vcpu);
}

int kvm_inktag_exit_for_store(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_INKTAG;
	return 0;
}

/* A request that nobody waits for finds a vCPU, too. */
static void send_somebody(struct kvm *kvm)
{
	struct kvm_inktag *inktag = kvm->arch.inktag;
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();

	if (inktag->vm.request_state != INK_REQUEST_MADE || inktag->asked == inktag->vm.request.id)
		return;
	inktag->asked = inktag->vm.request.id;
	if (!vcpu || vcpu->kvm != kvm)
		vcpu = kvm_get_vcpu(kvm, 0);
	if (vcpu)
		kvm_inktag_ask_store(vcpu);
}

void kvm_inktag_unlock(struct kvm *kvm)
{
	struct ink_vm *vm = &kvm->arch.inktag->vm;

	send_somebody(kvm);

	kvm->stat.inktag_haps = vm->nr_haps;
	kvm->stat.inktag_threads = vm->nr_threads;
	kvm->stat.inktag_frames = vm->frames;
	kvm->stat.inktag_held = vm->nr_held;
	kvm->stat.inktag_cloaks = vm->stats.cloaks;
	kvm->stat.inktag_uncloaks = vm->stats.uncloaks;
	kvm->stat.inktag_zero_maps = vm->stats.zero_maps;
	kvm->stat.inktag_hints = vm->stats.hints;
	kvm->stat.inktag_bad_reports = vm->stats.bad_reports;
	kvm->stat.inktag_execs = vm->stats.execs;
	kvm->stat.inktag_execs_kept = vm->stats.execs_kept;
	kvm->stat.inktag_violations = vm->stats.violations;
	mutex_unlock(&kvm->arch.inktag->lock);
}

void ink_assert_locked(struct ink_vm *vm)
{
	lockdep_assert_held(&to_inktag(vm)->lock);
}

void ink_violation_signal(struct ink_vm *vm)
{
	struct kvm_inktag *inktag = to_inktag(vm);
	u32 last = (vm->log_first + vm->log_count - 1) % KVM_INKTAG_VIOLATIONS;

	trace_inktag_violation(&vm->log[last]);
	if (inktag->eventfd)
		eventfd_signal(inktag->eventfd);
}

int kvm_inktag_check_extension(struct kvm *kvm)
{
	const struct kvm_inktag_ops *ops = kvm_x86_ops.inktag_ops;

	return ops && ops->supported(kvm) ? INKTAG_ABI_VERSION : 0;
}

static bool limits_are_valid(const struct kvm_inktag_limits *limits)
{
	return limits->size == sizeof(*limits) &&
	       limits->haps && limits->haps <= READ_ONCE(inktag_max_haps) &&
	       limits->threads && limits->threads <= READ_ONCE(inktag_max_threads) &&
	       limits->descriptors && limits->descriptors <= INKTAG_DESC_MAX &&
	       limits->descriptors <= READ_ONCE(inktag_max_descriptors) &&
	       limits->frames && limits->frames <= READ_ONCE(inktag_max_frames) &&
	       limits->frames <= totalram_pages() &&
	       limits->files <= READ_ONCE(inktag_max_files) && !limits->reserved;
}

static bool any_vcpu_has_run(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		if (READ_ONCE(vcpu->arch.last_vmentry_cpu) != -1)
			return true;
	return false;
}

static struct kvm_inktag *inktag_new(struct kvm *kvm, const struct kvm_inktag_limits *limits)
{
	struct kvm_inktag *inktag;
	int err;

	inktag = kvzalloc(sizeof(*inktag), GFP_KERNEL_ACCOUNT);
	if (!inktag)
		return ERR_PTR(-ENOMEM);
	inktag->kvm = kvm;
	mutex_init(&inktag->lock);
	inktag->crypto = ink_crypto_new();
	if (IS_ERR(inktag->crypto)) {
		err = PTR_ERR(inktag->crypto);
		goto free;
	}
	err = -ENOMEM;
	inktag->xstate_init = ink_xstate_alloc();
	if (!inktag->xstate_init)
		goto free_crypto;
	err = ink_vm_init(&inktag->vm, limits);
	if (err)
		goto free_xstate;
	kvm_inktag_count_object(1);
	return inktag;

free_xstate:
	ink_xstate_free(inktag->xstate_init);
free_crypto:
	ink_crypto_free(inktag->crypto);
free:
	kvfree(inktag);
	return ERR_PTR(err);
}

int kvm_inktag_enable(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	struct kvm_inktag_limits limits;
	struct kvm_inktag *inktag;
	int r = 0;

	if (!kvm_inktag_check_extension(kvm))
		return -EOPNOTSUPP;
	if (cap->args[1] || cap->args[2] || cap->args[3])
		return -EINVAL;
	if (copy_from_user(&limits, u64_to_user_ptr(cap->args[0]), sizeof(limits)))
		return -EFAULT;
	if (!limits_are_valid(&limits))
		return -EINVAL;

	mutex_lock(&kvm->lock);
	if (kvm->arch.inktag) {
		r = -EEXIST;
	} else if (any_vcpu_has_run(kvm)) {
		r = -EBUSY;
	} else if (kvm->created_vcpus > INK_MAX_VCPUS) {
		r = -E2BIG;
	} else {
		inktag = inktag_new(kvm, &limits);
		if (IS_ERR(inktag)) {
			r = PTR_ERR(inktag);
		} else {
			kvm->max_vcpus = min(kvm->max_vcpus, INK_MAX_VCPUS);
			smp_store_release(&kvm->arch.inktag, inktag);	/* it is complete */
		}
	}
	mutex_unlock(&kvm->lock);
	return r;
}

static int set_eventfd(struct kvm *kvm, void __user *argp)
{
	struct eventfd_ctx *ctx = NULL;
	s32 fd;

	if (copy_from_user(&fd, argp, sizeof(fd)))
		return -EFAULT;
	if (fd != -1) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	kvm_inktag_lock(kvm);
	swap(kvm->arch.inktag->eventfd, ctx);
	kvm_inktag_unlock(kvm);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static int get_violation(struct kvm *kvm, void __user *argp)
{
	struct kvm_inktag_violation v;
	int r;

	r = ink_violation_next(kvm_inktag_lock(kvm), &v);
	kvm_inktag_unlock(kvm);
	if (!r && copy_to_user(argp, &v, sizeof(v)))
		r = -EFAULT;
	return r;
}

static int get_request(struct kvm *kvm, void __user *argp)
{
	const struct kvm_inktag_store *request;
	struct ink_vm *vm = kvm_inktag_lock(kvm);
	int r = ink_store_take(vm, &request);

	if (!r && copy_to_user(argp, request, sizeof(*request))) {
		vm->request_state = INK_REQUEST_MADE;
		r = -EFAULT;
	}
	kvm_inktag_unlock(kvm);
	return r;
}

static int answer_request(struct kvm *kvm, void __user *argp)
{
	struct kvm_inktag_store *answer = memdup_user(argp, sizeof(*answer));
	int r;

	if (IS_ERR(answer))
		return PTR_ERR(answer);
	r = ink_store_answer(kvm_inktag_lock(kvm), answer);
	kvm_inktag_unlock(kvm);
	kfree_sensitive(answer);		/* it may have a key */
	return r;
}

int kvm_inktag_ioctl(struct kvm *kvm, unsigned int ioctl, unsigned long arg)
{
	if (!kvm_inktag_on(kvm))
		return -ENOTTY;
	switch (ioctl) {
	case KVM_INKTAG_RESET:
		ink_vm_reset(kvm_inktag_lock(kvm));
		kvm_inktag_unlock(kvm);
		return 0;
	case KVM_INKTAG_SET_EVENTFD:
		return set_eventfd(kvm, (void __user *)arg);
	case KVM_INKTAG_VIOLATION:
		return get_violation(kvm, (void __user *)arg);
	case KVM_INKTAG_REQUEST:
		return get_request(kvm, (void __user *)arg);
	case KVM_INKTAG_ANSWER:
		return answer_request(kvm, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

void kvm_inktag_destroy_vm(struct kvm *kvm)
{
	struct kvm_inktag *inktag = kvm->arch.inktag;

	if (!inktag)
		return;
	/*
	 * Nobody else has a reference: vCPUs were in the untrusted context when KVM_RUN ended, and
	 * are freed; ioctls hold the VM's file; KVM's page faults are vCPUs'.
	 */
	mutex_lock(&inktag->lock);
	ink_vm_destroy(&inktag->vm);
	mutex_unlock(&inktag->lock);
	ink_xstate_free(inktag->xstate_init);
	ink_crypto_free(inktag->crypto);
	if (inktag->eventfd)
		eventfd_ctx_put(inktag->eventfd);
	kvm->arch.inktag = NULL;
	kvfree(inktag);
	kvm_inktag_count_object(-1);
}
