// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ring.c - draining the kernel's reports into hints. Nothing here trusts an entry beyond what it
 * says: a false hint is found out when the HAP touches the address (resolve.c).
 */
#include "inktag.h"

/* A hint as a number: gfn 40 bits, prot 3, token 16, no token 1. */
#define HINT_PROT_SHIFT		40
#define HINT_TOKEN_SHIFT	43
#define HINT_NO_TOKEN		(1ULL << 59)

static u64 hint_pack(const struct ink_hint *hint)
{
	u64 v = hint->gfn | (u64)hint->prot << HINT_PROT_SHIFT;

	if (hint->token == INKTAG_TOKEN_NONE)
		return v | HINT_NO_TOKEN;
	return v | (u64)hint->token << HINT_TOKEN_SHIFT;
}

bool ink_hint_get(struct ink_hap *hap, u64 va, struct ink_hint *hint)
{
	void *p = ink_map_get(&hap->hints, va >> INKTAG_PAGE_SHIFT);
	u64 v = ink_map_number(p);

	if (!p)
		return false;
	hint->gfn = v & (INK_GFN_END - 1);
	hint->prot = v >> HINT_PROT_SHIFT & INKTAG_PROT_MASK;
	hint->token = v & HINT_NO_TOKEN ? INKTAG_TOKEN_NONE :
		      v >> HINT_TOKEN_SHIFT & (INKTAG_DESC_MAX - 1);
	return true;
}

int ink_hint_set(struct ink_hap *hap, u64 va, const struct ink_hint *hint)
{
	u64 vpn = va >> INKTAG_PAGE_SHIFT;
	void *new = ink_map_value(hint_pack(hint));
	void *old = ink_map_get(&hap->hints, vpn);
	int err;

	ink_assert_locked(hap->vm);
	if (old == new)
		return 0;
	if (old) {
		ink_pt_clear(hap, va);		/* V4: while the old hint stands */
		return ink_map_set(&hap->hints, vpn, new);
	}
	err = ink_record_charge(hap->vm);
	if (err)
		return err;
	err = ink_map_set(&hap->hints, vpn, new);
	if (err)
		ink_record_uncharge(hap->vm);
	return err;
}

void ink_hint_clear(struct ink_hap *hap, u64 va, u64 npages)
{
	u64 vpn = va >> INKTAG_PAGE_SHIFT, last = vpn + npages - 1;

	ink_assert_locked(hap->vm);
	if (!npages || last < vpn)
		return;
	for (; vpn <= last && ink_map_next(&hap->hints, &vpn, last); vpn++) {
		ink_pt_clear(hap, vpn << INKTAG_PAGE_SHIFT);	/* V4 */
		ink_map_del(&hap->hints, vpn);
		ink_record_uncharge(hap->vm);
		ink_relax();
	}
}

int ink_ring_set(struct ink_vm *vm, u32 cpu, u64 gpa, u64 log2)
{
	u64 pages, i;

	ink_assert_locked(vm);
	if (cpu >= INK_MAX_VCPUS)
		return -EINVAL;
	if (!gpa) {
		ink_ring_drain(vm);	/* what was reported before holds */
		memset(&vm->rings[cpu], 0, sizeof(vm->rings[cpu]));
		return 0;
	}
	if (gpa % INKTAG_PAGE_SIZE || log2 < 5 || log2 > INKTAG_RING_MAX_LOG2)
		return -EINVAL;
	if (vm->rings[cpu].gpa)
		return -EBUSY;
	pages = 1 + ((sizeof(struct inktag_ring_entry) << log2) + INKTAG_PAGE_SIZE - 1) /
		    INKTAG_PAGE_SIZE;
	for (i = 0; i < pages; i++)
		if ((gpa >> INKTAG_PAGE_SHIFT) + i >= INK_GFN_END ||
		    !ink_guest_has(vm, (gpa >> INKTAG_PAGE_SHIFT) + i))
			return -EFAULT;
	vm->rings[cpu] = (struct ink_ring) { .gpa = gpa, .log2 = log2 };
	vm->rings_end = max(vm->rings_end, cpu + 1);
	return 0;
}

static void apply(struct ink_vm *vm, const struct inktag_ring_entry *e)
{
	u64 va = INKTAG_RING_VA(e->va_op);
	struct ink_hap *hap = ink_hap_find(vm, e->hap);
	struct ink_hint hint = {
		.gfn = e->arg, .prot = INKTAG_RING_PROT(e->va_op), .token = e->token,
	};
	u64 room;

	if (!hap || va >= INKTAG_USER_END)
		goto bad;
	switch (INKTAG_RING_OP(e->va_op)) {
	case INKTAG_RING_NOP:
		break;
	case INKTAG_RING_MAP:
		if (hint.gfn >= INK_GFN_END || hint.prot & ~INKTAG_PROT_MASK ||
		    (hint.token >= INKTAG_DESC_MAX && hint.token != INKTAG_TOKEN_NONE) ||
		    ink_hint_set(hap, va, &hint))
			goto bad;
		break;
	case INKTAG_RING_UNMAP:
		room = (INKTAG_USER_END - va) >> INKTAG_PAGE_SHIFT;
		ink_hint_clear(hap, va, min(e->arg, room));
		break;
	default:
		goto bad;
	}
	vm->stats.hints++;
	return;
bad:
	vm->stats.bad_reports++;
}

static u64 entry_gpa(const struct ink_ring *r, u32 count)
{
	return r->gpa + INKTAG_RING_ENTRIES_OFFSET +
	       (count & ((1U << r->log2) - 1)) * sizeof(struct inktag_ring_entry);
}

/* Copy the entry at head. A ring that cannot be read is taken as empty. */
static void ring_fetch(struct ink_vm *vm, struct ink_ring *r)
{
	if (r->head != r->tail &&
	    ink_guest_read(vm, entry_gpa(r, r->head), &r->next, sizeof(r->next)))
		r->head = r->tail;
}

/* Only shown to the producer; a ring that cannot be written is its loss. */
static void ring_close(struct ink_vm *vm, struct ink_ring *r)
{
	if (r->shown == r->head)
		return;
	r->shown = r->head;
	if (ink_guest_write(vm, r->gpa + offsetof(struct inktag_ring_hdr, head), &r->head,
			    sizeof(r->head)))
		vm->stats.bad_reports++;
}

/*
 * How far the producer is now. One that claims more than fits makes a false report: the ring is
 * emptied. false: there is nothing.
 */
static bool ring_look(struct ink_vm *vm, struct ink_ring *r)
{
	u32 tail;

	if (!r->gpa || ink_guest_read(vm, r->gpa, &tail, sizeof(tail)))
		tail = r->head;
	r->tail = tail;
	if (tail - r->head > 1U << r->log2) {
		r->head = tail;
		vm->stats.bad_reports++;
	}
	return r->head != r->tail;
}

/* The highest seq in the ring: the last one. */
static u64 ring_last_seq(struct ink_vm *vm, const struct ink_ring *r)
{
	struct inktag_ring_entry last;

	return ink_guest_read(vm, entry_gpa(r, r->tail - 1), &last, sizeof(last)) ? 0 : last.seq;
}

/* Did the first look find the entry at head? */
static bool ring_was_seen(const struct ink_ring *r)
{
	return (s32)(r->seen - r->head) > 0;
}

/*
 * Two reports on one address may stand in two rings, and the producers go on while we look. So the
 * rings are looked at twice: what the first look found bounds what is applied, what the second
 * found is applied. Whoever made a report up to the bound made it before the second look began, and
 * published each earlier report on the same address before that (ring.h).
 */
void ink_ring_drain(struct ink_vm *vm)
{
	struct ink_ring *first;
	struct ink_hap *hap;
	bool any = false;
	u64 bound = 0, id;
	u32 i;

	ink_assert_locked(vm);
	for (i = 0; i < vm->rings_end; i++) {
		struct ink_ring *r = &vm->rings[i];

		if (ring_look(vm, r)) {
			any = true;
			bound = max(bound, ring_last_seq(vm, r));
		}
		r->seen = r->tail;
	}
	if (!any)
		goto close;
	for (i = 0; i < vm->rings_end; i++)
		if (ring_look(vm, &vm->rings[i]))
			ring_fetch(vm, &vm->rings[i]);
	for (;;) {
		first = NULL;
		for (i = 0; i < vm->rings_end; i++) {
			struct ink_ring *r = &vm->rings[i];

			if (r->head != r->tail && (ring_was_seen(r) || r->next.seq <= bound) &&
			    (!first || r->next.seq < first->next.seq))
				first = r;
		}
		if (!first)
			break;
		apply(vm, &first->next);
		first->head++;
		ring_fetch(vm, first);
		ink_relax();
	}
	for (id = 0; (hap = ink_map_next(&vm->haps, &id, U32_MAX)); id++)
		ink_hap_flush(hap);
close:
	for (i = 0; i < vm->rings_end; i++)
		if (vm->rings[i].gpa)
			ring_close(vm, &vm->rings[i]);
}
