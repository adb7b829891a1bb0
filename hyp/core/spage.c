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
	struct ink_vm *vm = s->vm;
	int err;

	if (gfn >= INK_GFN_END || !ink_guest_has(vm, gfn))
		return -EFAULT;
	if (ink_map_get(&vm->held, gfn))
		return -EBUSY;
	err = ink_map_set(&vm->held, gfn, s);
	if (err)
		return err;
	vm->nr_held++;
	s->gfn = gfn;
	ink_guest_zap(vm, gfn);
	return 0;
}

static void unhold(struct ink_spage *s)
{
	ink_map_del(&s->vm->held, s->gfn);
	s->vm->nr_held--;
}

struct ink_mapping *ink_spage_mapping(struct ink_spage *s, struct ink_hap *hap)
{
	struct ink_mapping *m;

	for (m = &s->map; m; m = m->next)
		if (m->hap == hap)
			return m;
	return NULL;
}

int ink_spage_map(struct ink_spage *s, struct ink_hap *hap, u64 va, u32 prot)
{
	struct ink_mapping *m = &s->map;
	int err;

	if (m->hap) {
		m = ink_zalloc(sizeof(*m));
		if (!m)
			return -ENOMEM;
	}
	err = ink_pt_map(hap, va, ink_page_pa(s->frame), prot, INK_PT_PRIVATE);
	if (err) {
		if (m != &s->map)
			ink_free(m);
		return err;
	}
	m->hap = hap;
	m->va = va;
	if (m != &s->map) {
		m->next = s->map.next;
		s->map.next = m;
	}
	return 0;
}

void ink_spage_unmapped(struct ink_spage *s, struct ink_hap *hap)
{
	struct ink_mapping *m = ink_spage_mapping(s, hap), *before, *next = s->map.next;

	if (m == &s->map) {
		/* The first one is part of s: the second takes its place. */
		s->map = next ? *next : (struct ink_mapping) {};
		ink_free(next);
	} else if (m) {
		for (before = &s->map; before->next != m; before = before->next)
			;
		before->next = m->next;
		ink_free(m);
	}
}

/* Take s away from hap, and wait until no vCPU uses it. V5 */
static void unmap_from(struct ink_spage *s, struct ink_hap *hap)
{
	struct ink_mapping *m = ink_spage_mapping(s, hap);

	if (m)
		ink_pt_clear(hap, m->va);
	ink_hap_flush(hap);
	ink_tlb_assert_flushed(hap);
}

/* The same from all that have it. */
static void unmap(struct ink_spage *s)
{
	while (s->map.hap)
		unmap_from(s, s->map.hap);
}

/* Unmapped, and its content is where it shall be: give frame and gfn back. */
static void release(struct ink_spage *s)
{
	unhold(s);
	ink_frame_free(s->vm, s->frame);
	s->frame = NULL;
	s->state = INK_CLOAKED;
}

/* CLOAKED. Of a HAP's memory (file: NULL) the caller says whose. */
static struct ink_spage *spage_alloc(struct ink_vm *vm, struct ink_file *file, u64 index)
{
	struct ink_spage *s = ink_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->vm = vm;
	s->refs = 1;
	s->state = INK_CLOAKED;
	s->file = file;
	s->id.index = index;
	if (file)
		memcpy(s->id.object, file->oid, sizeof(file->oid));
	return s;
}

static struct ink_spage *spage_new(struct ink_hap *hap, u64 serial, u64 index)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);
	struct ink_spage *s = spage_alloc(hap->vm, obj->file, index);

	if (!s)
		return NULL;
	s->state = INK_DIRTY;
	if (!s->file) {
		s->shown = ink_hap_is_shown(hap);
		s->id.object[0] = hap->id;
		s->id.object[1] = serial;
	}
	s->frame = ink_frame_alloc(hap->vm);
	if (!s->frame) {
		ink_free(s);
		return NULL;
	}
	return s;
}

static void spage_free(struct ink_spage *s)
{
	ink_frame_free(s->vm, s->frame);
	ink_free(s);
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
		obj->refs = 1;
		return obj;
	}
	ink_free(obj);
	ink_record_uncharge(hap->vm);
	return NULL;
}

/* An object without pages is not kept. */
static void object_put(struct ink_hap *hap, u64 serial, struct ink_object *obj)
{
	if (obj->nr_pages || obj->shared)
		return;
	ink_map_del(&hap->objects, serial);
	ink_map_destroy(&obj->pages);
	ink_free(obj);
	ink_record_uncharge(hap->vm);
}

static int absent_make(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, bool load,
		       struct ink_spage **out)
{
	struct ink_vm *vm = hap->vm;
	struct ink_object *obj;
	struct ink_spage *s;
	int err = -ENOMEM;

	ink_assert_locked(vm);
	if (ink_spage_find(hap, serial, index))
		return -EEXIST;
	if (vm->records + 2 > INK_RECORDS(&vm->limits))
		ink_files_free_left(vm);
	if (vm->frames >= vm->limits.frames || vm->records + 2 > INK_RECORDS(&vm->limits))
		return -ENOSPC;

	obj = object_get(hap, serial);
	if (!obj)
		return -ENOMEM;
	s = spage_new(hap, serial, index);
	if (!s)
		goto put_object;
	err = ink_map_set(&obj->pages, index, s);
	if (err)
		goto free_spage;
	err = hold(s, gfn);
	if (err)
		goto unset;
	if (load) {
		err = ink_guest_read(vm, gfn << INKTAG_PAGE_SHIFT, s->frame, INKTAG_PAGE_SIZE);
		if (err)
			goto unhold;
	}
	/* Not DIRTY before it is written to: the kernel gives up pages of shared memory that were only read. */
	if (!load)
		s->state = INK_CLEAN;
	ink_record_charge(vm);
	obj->nr_pages++;
	*out = s;
	return 0;

unhold:
	unhold(s);
unset:
	ink_map_del(&obj->pages, index);
free_spage:
	spage_free(s);
put_object:
	object_put(hap, serial, obj);
	return err;
}

int absent_bind_clean(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out)
{
	return absent_make(hap, serial, index, gfn, false, out);
}

int absent_load_dirty(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out)
{
	return absent_make(hap, serial, index, gfn, true, out);
}

static struct ink_key *key_of(const struct ink_spage *s)
{
	return s->file ? s->file->key : NULL;
}

/* What gfn holds of s. Copied once: what is verified is what is used. */
static int load(struct ink_spage *s, u64 gfn, void *frame)
{
	void *to = s->shown ? frame : s->vm->bounce;
	int err;

	if (!s->shown && !s->id.version)
		return 0;
	err = ink_guest_read(s->vm, gfn << INKTAG_PAGE_SHIFT, to, INKTAG_PAGE_SIZE);
	if (err || s->shown)
		return err;
	return ink_unseal(s->vm, key_of(s), &s->id, to, frame, s->tag);
}

int cloaked_open_clean(struct ink_spage *s, u64 gfn)
{
	struct ink_vm *vm = s->vm;
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
	err = load(s, gfn, frame);
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

int clean_write_dirty(struct ink_spage *s)
{
	int err = s->file ? ink_file_written(s) : 0;

	if (!err)
		s->state = INK_DIRTY;
	return err;
}

/* DIRTY: a fresh version of the content is sealed into the slot page. */
static void seal(struct ink_spage *s)
{
	struct ink_vm *vm = s->vm;
	const void *out = s->shown ? s->frame : vm->bounce;

	if (s->file)
		ink_file_sealed(s);
	else
		s->id.version = ++vm->last_version;
	/*
	 * Should sealing or writing fail (the slot is gone), the content is lost, and whatever
	 * the kernel offers for it later does not match the tag: it fails closed.
	 */
	if (!s->shown && ink_seal(vm, key_of(s), &s->id, s->frame, vm->bounce, s->tag))
		memset(vm->bounce, 0, INKTAG_PAGE_SIZE);
	if (ink_guest_write(vm, s->gfn << INKTAG_PAGE_SHIFT, out, INKTAG_PAGE_SIZE))
		memset(s->tag, 0, sizeof(s->tag));
	vm->stats.cloaks++;
}

void dirty_seal_cloaked(struct ink_spage *s)
{
	ink_assert_locked(s->vm);
	unmap(s);
	seal(s);
	release(s);
}

void clean_shut_cloaked(struct ink_spage *s)
{
	ink_assert_locked(s->vm);
	unmap(s);
	release(s);
	s->vm->stats.cloaks++;
}

/* hap has s2 in place of s, which it shared. Replacing an entry of a map cannot fail. */
static void replace(struct ink_hap *hap, u64 serial, u64 index, struct ink_spage *s, struct ink_spage *s2)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);

	unmap_from(s, hap);
	ink_map_set(&obj->pages, index, s2);
	s->refs--;
}

int shared_copy_dirty(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out)
{
	struct ink_spage *s = ink_spage_find(hap, serial, index), *s2;
	struct ink_vm *vm = hap->vm;
	int err;

	ink_assert_locked(vm);
	if (vm->frames >= vm->limits.frames)
		return -ENOSPC;
	s2 = spage_new(hap, serial, index);
	if (!s2)
		return -ENOMEM;
	err = hold(s2, gfn);
	if (err) {
		spage_free(s2);
		return err;
	}
	memcpy(s2->frame, s->frame, INKTAG_PAGE_SIZE);
	replace(hap, serial, index, s, s2);
	*out = s2;
	return 0;
}

int shared_take_dirty(struct ink_hap *hap, u64 serial, u64 index, struct ink_spage **out)
{
	struct ink_spage *s = ink_spage_find(hap, serial, index), *s2;
	struct ink_vm *vm = hap->vm;

	ink_assert_locked(vm);
	if (vm->frames >= vm->limits.frames)
		return -ENOSPC;
	s2 = spage_new(hap, serial, index);
	if (!s2)
		return -ENOMEM;
	unmap(s);
	if (s->state == INK_DIRTY)
		seal(s);
	else
		vm->stats.cloaks++;
	memcpy(s2->frame, s->frame, INKTAG_PAGE_SIZE);
	s2->gfn = s->gfn;
	ink_map_set(&vm->held, s->gfn, s2);
	ink_frame_free(vm, s->frame);
	s->frame = NULL;
	s->state = INK_CLOAKED;
	replace(hap, serial, index, s, s2);
	*out = s2;
	return 0;
}

/* The entry of the object is gone: one reference less. */
static void spage_put(struct ink_hap *hap, struct ink_spage *s)
{
	if (s->refs > 1) {
		unmap_from(s, hap);
		s->refs--;
		return;
	}
	if (s->file)
		ink_file_forget(s);
	if (s->state != INK_CLOAKED) {
		unmap(s);
		release(s);
	}
	ink_free(s);
}

static void entry_drop(struct ink_hap *hap, struct ink_object *obj, u64 index, struct ink_spage *s)
{
	struct ink_vm *vm = s->vm;

	spage_put(hap, s);
	ink_map_del(&obj->pages, index);
	obj->nr_pages--;
	ink_record_uncharge(vm);
}

/* hap: NULL: any one's. Returns how many there were. */
static u64 entries_drop(struct ink_hap *hap, struct ink_object *obj, u64 index, u64 last)
{
	struct ink_spage *s;
	u64 dropped = 0;

	for (; index <= last && (s = ink_map_next(&obj->pages, &index, last)); index++) {
		entry_drop(hap, obj, index, s);
		dropped++;
		ink_relax();
	}
	return dropped;
}

void ink_object_clear(struct ink_object *obj, u64 index, u64 last)
{
	entries_drop(NULL, obj, index, last);
}

int ink_object_add(struct ink_object *obj, u64 index, struct ink_spage **out)
{
	struct ink_vm *vm = obj->file->vm;
	int err;

	ink_assert_locked(vm);
	err = ink_record_charge(vm);
	if (err)
		return err;
	*out = spage_alloc(vm, obj->file, index);
	if (*out && !ink_map_set(&obj->pages, index, *out)) {
		obj->nr_pages++;
		return 0;
	}
	ink_free(*out);
	ink_record_uncharge(vm);
	return -ENOMEM;
}

void any_drop_absent(struct ink_hap *hap, u64 serial, u64 index)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);

	ink_assert_locked(hap->vm);
	entry_drop(hap, obj, index, ink_map_get(&obj->pages, index));
	object_put(hap, serial, obj);
}

/* One flush for all of them. */
static void object_unmap(struct ink_hap *hap, struct ink_object *obj, u64 index, u64 last)
{
	struct ink_mapping *m;
	struct ink_spage *s;
	u64 i;

	for (i = index; i <= last && (s = ink_map_next(&obj->pages, &i, last)); i++) {
		m = ink_spage_mapping(s, hap);
		if (m)
			ink_pt_clear(hap, m->va);
		ink_relax();
	}
	ink_hap_flush(hap);
}

static u64 object_drop(struct ink_hap *hap, struct ink_object *obj, u64 index, u64 last)
{
	object_unmap(hap, obj, index, last);
	return entries_drop(hap, obj, index, last);
}

u64 ink_object_drop(struct ink_hap *hap, u64 serial, u64 index, u64 count)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);
	u64 last = index + count - 1, dropped;

	ink_assert_locked(hap->vm);
	if (!obj || obj->shared || !count || last < index)
		return 0;
	dropped = object_drop(hap, obj, index, last);
	object_put(hap, serial, obj);
	return dropped;
}

bool ink_object_is_shared(struct ink_hap *hap, u64 serial)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);

	return obj && obj->shared;
}

struct ink_file *ink_object_file(struct ink_hap *hap, u64 serial)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);

	return obj ? obj->file : NULL;
}

int ink_object_share(struct ink_hap *hap, u64 serial)
{
	struct ink_vm *vm = hap->vm;
	struct ink_object *obj;

	ink_assert_locked(vm);
	if (!serial || serial >= INKTAG_SERIAL_END)
		return -EINVAL;
	if (ink_map_get(&hap->objects, serial))
		return -EEXIST;
	obj = object_get(hap, serial);
	if (!obj)
		return vm->records >= INK_RECORDS(&vm->limits) ? -ENOSPC : -ENOMEM;
	obj->shared = true;
	return 0;
}

int ink_object_leave(struct ink_hap *hap, u64 serial)
{
	struct ink_object *obj = ink_map_get(&hap->objects, serial);

	ink_assert_locked(hap->vm);
	if (!obj || !obj->shared)
		return -ENOENT;
	if (obj->refs > 1 || obj->file) {
		object_unmap(hap, obj, 0, U64_MAX);
		ink_map_del(&hap->objects, serial);
		obj->refs--;
		if (!obj->refs)
			ink_file_left(obj->file);
		return 0;
	}
	object_drop(hap, obj, 0, U64_MAX);
	obj->shared = false;
	object_put(hap, serial, obj);
	return 0;
}

static int object_fork(struct ink_hap *hap, u64 serial, struct ink_object *obj, struct ink_hap *child)
{
	struct ink_vm *vm = hap->vm;
	struct ink_object *copy;
	struct ink_mapping *m;
	struct ink_spage *s;
	u64 index;
	int err = 0;

	if (obj->shared) {
		err = ink_map_set(&child->objects, serial, obj);
		obj->refs += !err;
		return err;
	}
	copy = object_get(child, serial);
	if (!copy)
		return vm->records >= INK_RECORDS(&vm->limits) ? -ENOSPC : -ENOMEM;
	for (index = 0; !err && (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++) {
		err = ink_record_charge(vm);
		if (err)
			break;
		err = ink_map_set(&copy->pages, index, s);
		if (err) {
			ink_record_uncharge(vm);
			break;
		}
		copy->nr_pages++;
		s->refs++;
		m = ink_spage_mapping(s, hap);
		if (m && s->state == INK_DIRTY)
			ink_pt_clear(hap, m->va);
		ink_relax();
	}
	object_put(child, serial, copy);
	return err;
}

int ink_objects_fork(struct ink_hap *hap, struct ink_hap *child)
{
	struct ink_object *obj;
	u64 serial;
	int err = 0;

	ink_assert_locked(hap->vm);
	for (serial = 0; !err && (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++)
		err = object_fork(hap, serial, obj, child);
	ink_hap_flush(hap);
	return err;
}

void ink_spage_cloak(struct ink_spage *s)
{
	if (s->state == INK_DIRTY)
		dirty_seal_cloaked(s);
	else if (s->state == INK_CLEAN)
		clean_shut_cloaked(s);
}

void ink_gfn_touch(struct ink_vm *vm, u64 gfn)
{
	struct ink_spage *s;

	ink_assert_locked(vm);
	s = ink_map_get(&vm->held, gfn);
	if (s)
		ink_spage_cloak(s);
}
