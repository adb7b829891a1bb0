// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spage.c - the transitions of a page: between nothing, plaintext in a private frame, and
 * ciphertext in the guest's memory. (InkTag, "Address space integrity"; Overshadow's cloaking,
 * except that the plaintext never stands in memory the guest has.)
 */
#include "inktag.h"

struct ink_spage *ink_spage_find(struct ink_hap *hap, u64 serial, u64 index)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);

	return obj ? ink_map_get(&obj->pages, index) : NULL;
}

bool ink_gfn_is_held(struct ink_vm *vm, u64 gfn, u64 count)
{
	return ink_map_next(&vm->held, &gfn, gfn + count - 1);
}

/* ordinary -> held. The mark stands before the zap: a fault in flight sees one or the other. */
static int hold(struct ink_spage *s, u64 gfn)
{
	struct ink_vm *vm = s->hap->vm;
	int err;

	if (gfn >= INK_GFN_END || !ink_guest_has(vm, gfn))
		return -EFAULT;
	if (ink_map_get(&vm->held, gfn))
		return -EBUSY;
	err = ink_map_set(&vm->held, gfn, s);
	if (err)
		return err;
	vm->nr_held++;
	ink_guest_zap(vm, gfn);
	return 0;
}

static void unhold(struct ink_spage *s)
{
	struct ink_vm *vm = s->hap->vm;

	ink_map_del(&vm->held, s->gfn);
	vm->nr_held--;
}

/* DIRTY, CLEAN: take the trusted mapping away, wait until no vCPU uses it. V5 */
static void unmap(struct ink_spage *s)
{
	if (s->va)
		ink_pt_clear(s->hap, s->va);
	ink_hap_flush(s->hap);
	ink_tlb_assert_flushed(s->hap);
}

/* Unmapped, and its content is where it shall be: give frame and gfn back. */
static void release(struct ink_spage *s)
{
	unhold(s);
	ink_frame_free(s->hap->vm, s->frame);
	s->frame = NULL;
	s->state = INK_CLOAKED;
}

static struct ink_seal_id seal_id(const struct ink_spage *s)
{
	return (struct ink_seal_id) {
		.hap = s->hap->id,
		.serial = s->serial,
		.index = s->index,
		.version = s->version,
	};
}

static struct ink_object *object_get(struct ink_hap *hap, u64 serial)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);

	if (obj)
		return obj;
	if (ink_record_charge(hap->vm))
		return NULL;
	obj = ink_zalloc(sizeof(*obj));
	if (obj && !ink_map_set(&hap->objects, serial, obj)) {
		ink_map_init(&obj->pages);
		return obj;
	}
	ink_free(obj);
	ink_record_uncharge(hap->vm);
	return NULL;
}

/* An object without pages is not kept. */
static void object_put(struct ink_hap *hap, u64 serial, struct ink_object *obj)
{
	if (obj->nr_pages)
		return;
	ink_map_del(&hap->objects, serial);
	ink_map_destroy(&obj->pages);
	ink_free(obj);
	ink_record_uncharge(hap->vm);
}

static int absent_make_dirty(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, bool load,
			     struct ink_spage **out)
{
	struct ink_vm *vm = hap->vm;
	struct ink_object *obj;
	struct ink_spage *s;
	int err = -ENOMEM;

	ink_assert_locked(vm);
	if (ink_spage_find(hap, serial, index))
		return -EEXIST;
	if (vm->frames >= vm->limits.frames || vm->records + 2 > INK_RECORDS(&vm->limits))
		return -ENOSPC;

	obj = object_get(hap, serial);
	if (!obj)
		return -ENOMEM;
	s = ink_zalloc(sizeof(*s));
	if (!s)
		goto put_object;
	*s = (struct ink_spage) {
		.hap = hap, .serial = serial, .index = index, .state = INK_DIRTY, .gfn = gfn,
	};
	s->frame = ink_frame_alloc(vm);
	if (!s->frame)
		goto free_spage;
	err = ink_map_set(&obj->pages, index, s);
	if (err)
		goto free_frame;
	err = hold(s, gfn);
	if (err)
		goto unset;
	if (load) {
		err = ink_guest_read(vm, gfn << INKTAG_PAGE_SHIFT, s->frame, INKTAG_PAGE_SIZE);
		if (err)
			goto unhold;
	}
	ink_record_charge(vm);
	obj->nr_pages++;
	*out = s;
	return 0;

unhold:
	unhold(s);
unset:
	ink_map_del(&obj->pages, index);
free_frame:
	ink_frame_free(vm, s->frame);
free_spage:
	ink_free(s);
put_object:
	object_put(hap, serial, obj);
	return err;
}

int absent_bind_dirty(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out)
{
	return absent_make_dirty(hap, serial, index, gfn, false, out);
}

int absent_load_dirty(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out)
{
	return absent_make_dirty(hap, serial, index, gfn, true, out);
}

int cloaked_open_clean(struct ink_spage *s, u64 gfn)
{
	struct ink_vm *vm = s->hap->vm;
	struct ink_seal_id id = seal_id(s);
	void *frame;
	int err;

	ink_assert_locked(vm);
	if (vm->frames >= vm->limits.frames)
		return -ENOSPC;
	frame = ink_frame_alloc(vm);
	if (!frame)
		return -ENOMEM;
	err = hold(s, gfn);
	if (err)
		goto free_frame;
	s->gfn = gfn;
	/* Copied once: what is verified is what is used. */
	err = ink_guest_read(vm, gfn << INKTAG_PAGE_SHIFT, vm->bounce, INKTAG_PAGE_SIZE);
	if (!err)
		err = ink_unseal(vm, &id, vm->bounce, frame, s->tag);
	if (err)
		goto unhold;
	s->frame = frame;
	s->state = INK_CLEAN;
	vm->stats.uncloaks++;
	return 0;

unhold:
	unhold(s);
free_frame:
	ink_frame_free(vm, frame);
	return err;
}

void clean_write_dirty(struct ink_spage *s)
{
	s->state = INK_DIRTY;
}

void dirty_seal_cloaked(struct ink_spage *s)
{
	struct ink_vm *vm = s->hap->vm;
	struct ink_seal_id id;

	ink_assert_locked(vm);
	unmap(s);
	s->version = ++vm->last_version;
	id = seal_id(s);
	/*
	 * Should sealing or writing fail (the slot is gone), the content is lost, and whatever
	 * the kernel offers for it later does not match the tag: it fails closed.
	 */
	if (ink_seal(vm, &id, s->frame, vm->bounce, s->tag))
		memset(vm->bounce, 0, INKTAG_PAGE_SIZE);
	if (ink_guest_write(vm, s->gfn << INKTAG_PAGE_SHIFT, vm->bounce, INKTAG_PAGE_SIZE))
		s->version = ++vm->last_version;
	release(s);
	vm->stats.cloaks++;
}

void clean_shut_cloaked(struct ink_spage *s)
{
	struct ink_vm *vm = s->hap->vm;

	ink_assert_locked(vm);
	unmap(s);
	release(s);
	vm->stats.cloaks++;
}

static void spage_drop(struct ink_object *obj, struct ink_spage *s)
{
	struct ink_vm *vm = s->hap->vm;

	if (s->state != INK_CLOAKED) {
		unmap(s);
		release(s);
	}
	ink_map_del(&obj->pages, s->index);
	obj->nr_pages--;
	ink_record_uncharge(vm);
	ink_free(s);
}

void any_drop_absent(struct ink_spage *s)
{
	struct ink_hap *hap = s->hap;
	struct ink_object *obj = ink_map_get(&hap->objects, s->serial);
	u64 serial = s->serial;

	ink_assert_locked(hap->vm);
	spage_drop(obj, s);
	object_put(hap, serial, obj);
}

u64 ink_object_drop(struct ink_hap *hap, u64 serial, u64 index, u64 count)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);
	u64 last = index + count - 1, i, dropped = 0;
	struct ink_spage *s;

	ink_assert_locked(hap->vm);
	if (!obj || !count || last < index)
		return 0;
	/* One flush for all of them. */
	for (i = index; i <= last && (s = ink_map_next(&obj->pages, &i, last)); i++) {
		if (s->va)
			ink_pt_clear(hap, s->va);
		ink_relax();
	}
	ink_hap_flush(hap);
	for (i = index; i <= last && (s = ink_map_next(&obj->pages, &i, last)); i++) {
		spage_drop(obj, s);
		dropped++;
		ink_relax();
	}
	object_put(hap, serial, obj);
	return dropped;
}

void ink_gfn_touch(struct ink_vm *vm, u64 gfn)
{
	struct ink_spage *s;

	ink_assert_locked(vm);
	s = ink_map_get(&vm->held, gfn);
	if (!s)
		return;
	if (s->state == INK_DIRTY)
		dirty_seal_cloaked(s);
	else
		clean_shut_cloaked(s);
}
