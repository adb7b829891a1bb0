// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vm.c - one protected VM: limits, the log of violations, the checker of invariants.
 */
#include "inktag.h"

void *ink_frame_alloc(struct ink_vm *vm)
{
	void *frame;

	if (vm->frames >= vm->limits.frames)
		return NULL;
	frame = ink_page_alloc();
	if (frame)
		vm->frames++;
	return frame;
}

void ink_frame_free(struct ink_vm *vm, void *frame)
{
	memset(frame, 0, INKTAG_PAGE_SIZE);
	ink_page_free(frame);
	vm->frames--;
}

int ink_slot_pin(struct ink_vm *vm, u64 gfn, u64 *pa)
{
	int err;

	if (vm->frames >= vm->limits.frames)
		return -ENOSPC;
	err = ink_guest_pin(vm, gfn, pa);
	if (!err)
		vm->frames++;
	return err;
}

void ink_slot_unpin(struct ink_vm *vm, u64 pa)
{
	ink_guest_unpin(vm, pa);
	vm->frames--;
}

int ink_record_charge(struct ink_vm *vm)
{
	if (vm->records >= INK_RECORDS(&vm->limits))
		return -ENOSPC;
	vm->records++;
	return 0;
}

void ink_record_uncharge(struct ink_vm *vm)
{
	vm->records--;
}

int ink_vm_init(struct ink_vm *vm, const struct kvm_inktag_limits *limits)
{
	vm->limits = *limits;
	ink_map_init(&vm->haps);
	ink_map_init(&vm->held);
	ink_map_init(&vm->files);
	ink_map_init(&vm->outgoing);
	vm->zero = ink_page_alloc();
	vm->bounce = ink_page_alloc();
	if (vm->zero && vm->bounce)
		return 0;
	if (vm->zero)
		ink_page_free(vm->zero);
	if (vm->bounce)
		ink_page_free(vm->bounce);
	return -ENOMEM;
}

void ink_vm_reset(struct ink_vm *vm)
{
	struct ink_hap *hap;
	u64 id = 0;

	ink_assert_locked(vm);
	while ((hap = ink_map_next(&vm->haps, &id, U32_MAX)))
		ink_hap_end(hap);
	ink_store_reset(vm);
	memset(vm->execs, 0, sizeof(vm->execs));
	memset(vm->rings, 0, sizeof(vm->rings));
	vm->rings_end = 0;
}

void ink_vm_destroy(struct ink_vm *vm)
{
	ink_vm_reset(vm);
	ink_map_destroy(&vm->haps);
	ink_map_destroy(&vm->held);
	ink_map_destroy(&vm->files);
	ink_map_destroy(&vm->outgoing);
	ink_page_free(vm->zero);
	ink_page_free(vm->bounce);
}

void ink_violation(struct ink_hap *hap, enum inktag_check check, u64 va, u64 gfn, u64 arg)
{
	struct ink_vm *vm = hap->vm;
	struct kvm_inktag_violation *v;

	ink_assert_locked(vm);
	if (vm->log_count == KVM_INKTAG_VIOLATIONS) {
		vm->log_first = (vm->log_first + 1) % KVM_INKTAG_VIOLATIONS;
		vm->log_count--;
		vm->log_lost++;
	}
	v = &vm->log[(vm->log_first + vm->log_count++) % KVM_INKTAG_VIOLATIONS];
	*v = (struct kvm_inktag_violation) {
		.hap = hap->id,
		.check = check,
		.pid = hap->pid,
		.addr = va,
		.gfn = gfn,
		.arg = arg,
		.time = ink_now(),
	};
	memcpy(v->measurement, hap->measurement, sizeof(v->measurement));
	vm->stats.violations++;
	ink_violation_signal(vm);
}

int ink_accuse(struct ink_hap *hap, u64 check, u64 va, u64 arg)
{
	ink_assert_locked(hap->vm);
	if (check < INKTAG_CHECK_MMAP || check >= INKTAG_CHECK_COUNT)
		return -EINVAL;
	if (hap->accused)
		return -EALREADY;
	hap->accused = true;
	ink_violation(hap, check, va, U64_MAX, arg);
	return 0;
}

int ink_violation_next(struct ink_vm *vm, struct kvm_inktag_violation *out)
{
	ink_assert_locked(vm);
	if (!vm->log_count)
		return -ENODATA;
	*out = vm->log[vm->log_first];
	out->lost = vm->log_lost;
	vm->log_lost = 0;
	vm->log_first = (vm->log_first + 1) % KVM_INKTAG_VIOLATIONS;
	vm->log_count--;
	return 0;
}
