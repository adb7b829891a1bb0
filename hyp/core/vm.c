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
	memset(vm->execs, 0, sizeof(vm->execs));
	memset(vm->rings, 0, sizeof(vm->rings));
	vm->rings_end = 0;
}

void ink_vm_destroy(struct ink_vm *vm)
{
	ink_vm_reset(vm);
	ink_map_destroy(&vm->haps);
	ink_map_destroy(&vm->held);
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

static bool mapping_is_valid(struct ink_spage *s, const struct ink_mapping *m)
{
	struct ink_hint hint;
	u64 pte = ink_pt_get(m->hap, m->va);					/* V3, V4 */

	return m->hap->state != INK_ENDED && ink_spage_mapping(s, m->hap) == m &&
	       ink_pt_is(pte, INK_PT_PRIVATE) && ink_pt_pa(pte) == ink_page_pa(s->frame) &&
	       ((s->state == INK_DIRTY && s->refs == 1) || !ink_pt_writable(pte)) &&
	       ink_hint_get(m->hap, m->va, &hint) && hint.gfn == s->gfn;
}

static bool spage_is_valid(struct ink_vm *vm, struct ink_spage *s)
{
	const struct ink_mapping *m;

	if (s->vm != vm || !s->refs)
		return false;
	if (s->state == INK_CLOAKED)
		return !s->frame && !s->map.hap && !s->map.next;
	if (s->state != INK_DIRTY && s->state != INK_CLEAN)
		return false;
	if (!s->frame || ink_map_get(&vm->held, s->gfn) != s)			/* V1, V2 */
		return false;
	if (!s->map.hap)
		return !s->map.next;
	for (m = &s->map; m; m = m->next)
		if (!mapping_is_valid(s, m))
			return false;
	return true;
}

/* Each present entry stands over a hint, and a private one is known to its spage. */
static bool pt_is_valid(struct ink_hap *hap, u64 *present, u64 *frames)
{
	struct ink_mapping *m;
	struct ink_spage *s;
	struct ink_hint hint;
	u64 vpn, pte;

	*present = 0;
	*frames += hap->nr_unpin;
	for (vpn = 0; ink_map_next(&hap->hints, &vpn, U64_MAX); vpn++) {
		pte = ink_pt_get(hap, vpn << INKTAG_PAGE_SHIFT);
		if (!pte)
			continue;
		(*present)++;
		if (ink_pt_is(pte, INK_PT_PINNED))
			(*frames)++;
		if (ink_pt_is(pte, INK_PT_ZERO) && ink_pt_writable(pte))
			return false;
		if (!ink_pt_is(pte, INK_PT_PRIVATE))
			continue;
		if (!ink_hint_get(hap, vpn << INKTAG_PAGE_SHIFT, &hint))
			return false;
		s = ink_map_get(&hap->vm->held, hint.gfn);
		m = s ? ink_spage_mapping(s, hap) : NULL;
		if (!m || m->va != vpn << INKTAG_PAGE_SHIFT)
			return false;
	}
	return true;
}

static bool hap_is_valid(struct ink_hap *hap, u64 *held, u64 *frames, u64 *records)
{
	struct ink_object *obj;
	struct ink_spage *s;
	u64 serial, index, pages, present, key;

	if (hap->state == INK_ENDED)
		return false;
	if (!pt_is_valid(hap, &present, frames) || present != ink_pt_count(hap->root, frames))
		return false;
	for (key = 0; ink_map_next(&hap->hints, &key, U64_MAX); key++)
		(*records)++;
	for (serial = 0; (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++) {
		if (obj->refs > 1 && !obj->shared)
			return false;
		if (obj->found++)
			continue;
		pages = 0;
		for (index = 0; (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++) {
			if (!spage_is_valid(hap->vm, s))
				return false;
			if (s->state != INK_CLOAKED && !s->found) {
				(*held)++;
				(*frames)++;
			}
			s->found++;
			pages++;
		}
		if ((!pages && !obj->shared) || pages != obj->nr_pages)
			return false;
		*records += pages + 1;
	}
	return true;
}

/* V8: all references were found, or with clear, none are any more. */
static bool references_are_valid(struct ink_vm *vm, bool clear)
{
	struct ink_object *obj;
	struct ink_hap *hap;
	struct ink_spage *s;
	u64 id, serial, index;

	for (id = 0; (hap = ink_map_next(&vm->haps, &id, U64_MAX)); id++)
		for (serial = 0; (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++) {
			for (index = 0; (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++) {
				if (clear)
					s->found = 0;
				else if (s->found != s->refs)
					return false;
			}
			if (clear)
				obj->found = 0;
			else if (obj->found != obj->refs)
				return false;
		}
	return true;
}

bool ink_vm_is_valid(struct ink_vm *vm)
{
	u64 held = 0, frames = 0, records = 0, id, gfn, nr = 0;
	struct ink_hap *hap;
	u32 haps = 0;

	references_are_valid(vm, true);
	for (id = 0; (hap = ink_map_next(&vm->haps, &id, U64_MAX)); id++) {
		if (hap->id != id || !hap_is_valid(hap, &held, &frames, &records))
			return false;
		haps++;
	}
	for (gfn = 0; ink_map_next(&vm->held, &gfn, U64_MAX); gfn++)
		nr++;
	return references_are_valid(vm, false) && haps == vm->nr_haps && nr == held && held == vm->nr_held &&
	       frames == vm->frames && records == vm->records &&
	       frames <= vm->limits.frames && records <= INK_RECORDS(&vm->limits);
}
