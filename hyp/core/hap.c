// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hap.c - the life of a HAP: made in an address space, filled and measured page by page,
 * started once, ended whole.
 */
#include "inktag.h"

#define HAP_ID_MAX	0x7fffffff

struct ink_hap *ink_hap_find(struct ink_vm *vm, u64 id)
{
	ink_assert_locked(vm);
	return id <= HAP_ID_MAX ? ink_map_get(&vm->haps, id) : NULL;
}

bool ink_cr3_is_taken(struct ink_vm *vm, u64 cr3)
{
	struct ink_hap *hap;
	u64 id;

	for (id = 0; (hap = ink_map_next(&vm->haps, &id, U32_MAX)); id++)
		if (hap->cr3 == cr3)
			return true;
	return false;
}

/* BUILDING, of no address space. */
static int hap_new(struct ink_vm *vm, struct ink_hap **out)
{
	struct ink_hap *hap;

	if (vm->nr_haps >= vm->limits.haps || vm->last_hap >= HAP_ID_MAX ||
	    vm->frames >= vm->limits.frames)
		return -ENOSPC;
	hap = ink_zalloc(sizeof(*hap));
	if (!hap)
		return -ENOMEM;
	hap->vm = vm;
	hap->id = vm->last_hap + 1;
	hap->state = INK_BUILDING;
	hap->refs = 1;
	hap->cr3 = INK_NO_CR3;
	ink_map_init(&hap->hints);
	ink_map_init(&hap->objects);
	ink_map_init(&hap->threads);
	hap->root = ink_frame_alloc(vm);
	if (!hap->root || ink_map_set(&vm->haps, hap->id, hap))
		goto free;
	vm->last_hap++;
	vm->nr_haps++;
	*out = hap;
	return 0;
free:
	if (hap->root)
		ink_frame_free(vm, hap->root);
	ink_free(hap);
	return -ENOMEM;
}

/* One of its threads asked for another program, and did not come back. */
static bool is_in_exec(struct ink_hap *hap)
{
	const struct ink_return *r;
	struct ink_thread *t;
	u64 nr, call;

	for (nr = 0; (t = ink_map_next(&hap->threads, &nr, U32_MAX)); nr++) {
		r = ink_thread_program(t);
		call = r->regs.gpr[INK_RBX];
		if (r->state == INK_SYSCALL && (call == INKTAG_SYS_EXECVE || call == INKTAG_SYS_EXECVEAT))
			return true;
	}
	return false;
}

static void remember_exec(struct ink_hap *hap)
{
	struct ink_vm *vm = hap->vm;

	vm->stats.execs++;
	vm->execs[vm->next_exec++ % INK_EXECS] = (struct ink_exec){ hap->id, hap->line };
}

/* The line of `before`, which is no more then, for the one HAP that follows it; 0: it is not to be had. */
static u32 take_line(struct ink_vm *vm, u64 before)
{
	struct ink_hap *hap = ink_hap_find(vm, before);
	u32 i, line;

	if (hap && is_in_exec(hap))
		ink_hap_end(hap);
	for (i = 0; before && i < INK_EXECS; i++) {
		if (vm->execs[i].hap != before)
			continue;
		line = vm->execs[i].line;
		vm->execs[i] = (struct ink_exec){ 0 };
		return line;
	}
	return 0;
}

s64 ink_hap_create(struct ink_vm *vm, u64 cr3, u32 pid, u64 before, u64 attributes)
{
	struct ink_hash *hash;
	struct ink_hap *hap;
	int err;

	ink_assert_locked(vm);
	if (attributes & ~(u64)INKTAG_ATTR_DEBUG)
		return -EINVAL;
	if (ink_cr3_is_taken(vm, cr3))
		return -EEXIST;
	hash = ink_hash_new();
	if (!hash)
		return -ENOMEM;
	err = hap_new(vm, &hap);
	if (err) {
		ink_hash_free(hash);
		return err;
	}
	hap->cr3 = cr3;
	hap->pid = pid;
	hap->attributes = attributes;
	hap->hash = hash;
	hap->line = take_line(vm, before);
	if (hap->line)
		vm->stats.execs_kept++;
	else
		hap->line = hap->id;
	return hap->id;
}

int ink_hap_fork(struct ink_hap *hap, struct ink_hap **child)
{
	int err;

	ink_assert_locked(hap->vm);
	err = hap_new(hap->vm, child);
	if (err)
		return err;
	err = ink_objects_fork(hap, *child);
	if (err) {
		ink_hap_end(*child);
		return err;
	}
	(*child)->state = INK_RUNS;
	(*child)->maker = hap;
	(*child)->pid = hap->pid;
	(*child)->attributes = hap->attributes;
	(*child)->line = hap->line;
	(*child)->stub = hap->stub;
	memcpy((*child)->measurement, hap->measurement, sizeof(hap->measurement));
	return 0;
}

int ink_hap_copy(struct ink_vm *vm, u64 id, u64 token, u64 va, u64 from, u64 to)
{
	struct ink_hap *hap = ink_hap_find(vm, id);
	struct inktag_desc d;
	struct ink_spage *s;
	u64 array_va, index;
	int err;

	ink_assert_locked(vm);
	if (!hap || token >= INKTAG_DESC_MAX)
		return -ENOENT;
	err = ink_desc_get(hap, token, &d, &array_va);
	if (err)
		return err == -EAGAIN ? -EBUSY : err;
	if (d.kind != INKTAG_KIND_PRIVATE || va % INKTAG_PAGE_SIZE || va < d.addr ||
	    (va - d.addr) >> INKTAG_PAGE_SHIFT >= d.npages)
		return -EINVAL;
	index = d.index + ((va - d.addr) >> INKTAG_PAGE_SHIFT);
	s = ink_spage_find(hap, d.oid[0], index);
	if (!s)
		return -ENOENT;
	if (s->refs == 1)
		return -EINVAL;
	/*
	 * Nor while hap forks: what is written to the copy would be the child's, too, to a kernel that has not seen
	 * the fork yet. It makes the copy itself, and the write waits: resolve.c.
	 */
	if (hap->forks || s->state == INK_CLOAKED || s->gfn != from)
		return -EBUSY;
	err = shared_copy_dirty(hap, d.oid[0], index, to, &s);
	/* What the kernel said of the old frame holds no more; what of the new one, it will say. */
	if (!err)
		ink_hint_clear(hap, va, 1);
	ink_hap_flush(hap);
	return err;
}

/*
 * The descriptor of an add. The kernel may have moved the array's page since that was added: then
 * it is opened where the kernel says it is now.
 */
static int get_desc(struct ink_hap *hap, u32 token, struct inktag_desc *d)
{
	struct ink_hint hint;
	u64 array_va;
	int err;

	err = ink_desc_get(hap, token, d, &array_va);
	if (err != -EAGAIN || !ink_hint_get(hap, array_va, &hint))
		return err;
	err = cloaked_open_clean(ink_spage_find(hap, 0, (array_va - INKTAG_DESC_BASE) >>
						INKTAG_PAGE_SHIFT), hint.gfn);
	return err ? err : ink_desc_get(hap, token, d, &array_va);
}

/* The range [va, va + npages) lies under token's descriptor, in protected memory. */
static int check_add(struct ink_hap *hap, u64 va, u64 npages, u64 token, struct inktag_desc *d)
{
	int err;

	if (va % INKTAG_PAGE_SIZE || va >= INKTAG_USER_END || !npages || npages > INKTAG_ADD_MAX ||
	    token >= INKTAG_DESC_MAX)
		return -EINVAL;
	/* The program checks the descriptors that it starts with: they stand on one page. */
	if (token == INKTAG_TOKEN_ARRAY && (va != INKTAG_DESC_BASE || npages != 1))
		return -EINVAL;
	err = get_desc(hap, token, d);
	if (err)
		return err;
	if (d->kind != INKTAG_KIND_PRIVATE || va < d->addr ||
	    (va - d->addr) >> INKTAG_PAGE_SHIFT >= d->npages ||
	    npages > d->npages - ((va - d->addr) >> INKTAG_PAGE_SHIFT))
		return -EINVAL;
	return 0;
}

/* Takes back the first count pages of an add that failed. */
static void undo_add(struct ink_hap *hap, u64 va, u64 serial, u64 index, u64 count)
{
	ink_hint_clear(hap, va, count);
	ink_object_drop(hap, serial, index, count);
}

int ink_hap_add(struct ink_hap *hap, u64 cr3, u64 va, u64 npages, u64 token,
		int (*translate)(void *ctx, u64 va, u64 *gfn), void *ctx)
{
	struct ink_hint hint = { .prot = INKTAG_PROT_MASK, .token = token };
	struct inktag_desc d;
	struct ink_spage *s;
	u64 index, i, gfn;
	int err;

	ink_assert_locked(hap->vm);
	if (hap->state != INK_BUILDING)
		return -EBUSY;
	if (hap->cr3 != cr3)
		return -EPERM;
	err = check_add(hap, va, npages, token, &d);
	if (err)
		return err;
	index = d.index + ((va - d.addr) >> INKTAG_PAGE_SHIFT);
	for (i = 0; i < npages; i++)
		if (ink_spage_find(hap, d.oid[0], index + i))
			return -EEXIST;

	for (i = 0; i < npages; i++) {
		err = translate(ctx, va + (i << INKTAG_PAGE_SHIFT), &hint.gfn);
		if (!err)
			err = absent_load_dirty(hap, d.oid[0], index + i, hint.gfn, &s);
		if (err)
			goto undo;
		err = ink_hint_set(hap, va + (i << INKTAG_PAGE_SHIFT), &hint);
		if (err) {
			i++;
			goto undo;
		}
		ink_relax();
	}
	/* A frame that the kernel took away before we held it is not ours: see resolve.c. */
	for (i = 0; i < npages; i++) {
		s = ink_spage_find(hap, d.oid[0], index + i);
		err = translate(ctx, va + (i << INKTAG_PAGE_SHIFT), &gfn);
		if (!err && gfn != s->gfn)
			err = -EAGAIN;
		if (err) {
			i = npages;
			goto undo;
		}
	}
	for (i = 0; i < npages; i++) {
		u64 head[2] = { va + (i << INKTAG_PAGE_SHIFT), token };

		s = ink_spage_find(hap, d.oid[0], index + i);
		ink_hash_update(hap->hash, head, sizeof(head));
		ink_hash_update(hap->hash, s->frame, INKTAG_PAGE_SIZE);
	}
	return 0;
undo:
	undo_add(hap, va, d.oid[0], index, i);
	return err;
}

int ink_hap_start(struct ink_hap *hap, u64 cr3, const struct inktag_start *start,
		  struct ink_thread **thread)
{
	u64 measured[3] = { start->entry, start->rsp, hap->attributes };
	int err;

	ink_assert_locked(hap->vm);
	if (hap->state != INK_BUILDING)
		return -EBUSY;
	if (hap->cr3 != cr3)
		return -EPERM;
	if (start->entry >= INKTAG_USER_END || start->rsp >= INKTAG_USER_END ||
	    start->stub >= INKTAG_USER_END - INKTAG_PAGE_SIZE || start->ustack >= INKTAG_USER_END)
		return -EINVAL;
	err = ink_thread_create(hap, thread);
	if (err)
		return err;

	(*thread)->ret.ustack = start->ustack;
	(*thread)->ret.regs.rip = start->entry;
	(*thread)->ret.regs.gpr[INK_RSP] = start->rsp;
	(*thread)->ret.regs.gpr[INK_RDI] = start->info;
	(*thread)->ret.regs.gpr[INK_RAX] = INKTAG_START_MAGIC;
	hap->stub = start->stub;
	ink_hash_update(hap->hash, measured, sizeof(measured));
	ink_hash_final(hap->hash, hap->measurement);
	ink_hash_free(hap->hash);
	hap->hash = NULL;
	hap->state = INK_RUNS;
	return 0;
}

s64 ink_hap_unmap(struct ink_hap *hap, u64 va, u64 npages, u64 serial, u64 index)
{
	u64 vpn, last;
	s64 dropped = 0;

	ink_assert_locked(hap->vm);
	if (va % INKTAG_PAGE_SIZE || va >= INKTAG_USER_END || !npages || npages > INKTAG_UNMAP_MAX ||
	    npages > (INKTAG_USER_END - va) >> INKTAG_PAGE_SHIFT)
		return -EINVAL;
	if (serial && (index >= INKTAG_INDEX_END || npages > INKTAG_INDEX_END - index))
		return -EINVAL;

	/* Hints stay: the kernel has not taken its own mappings away. */
	vpn = va >> INKTAG_PAGE_SHIFT;
	last = vpn + npages - 1;
	for (; vpn <= last && ink_map_next(&hap->hints, &vpn, last); vpn++) {
		ink_pt_clear(hap, vpn << INKTAG_PAGE_SHIFT);
		ink_relax();
	}
	ink_hap_flush(hap);
	if (serial)
		dropped = ink_object_drop(hap, serial, index, npages);
	return dropped;
}

/* What hap prepared and the kernel did not say to have made has nobody left who could name it. */
static void end_unstarted(struct ink_hap *hap)
{
	struct ink_hap *child;
	u64 id;

	for (id = 0; (child = ink_map_next(&hap->vm->haps, &id, U32_MAX)); id++)
		if (child->maker == hap)
			ink_hap_end(child);
}

void ink_hap_end(struct ink_hap *hap)
{
	struct ink_vm *vm = hap->vm;
	u64 serial;

	ink_assert_locked(vm);
	if (hap->state == INK_ENDED)
		return;
	if (is_in_exec(hap))
		remember_exec(hap);
	WRITE_ONCE(hap->state, INK_ENDED);
	ink_map_del(&vm->haps, hap->id);
	vm->nr_haps--;
	end_unstarted(hap);

	/*
	 * All vCPUs leave its trusted context, and find it ended before they could return to it:
	 * so the flush is made even if nothing was mapped. V4: the hints lead to all mappings.
	 */
	ink_hint_clear(hap, 0, INKTAG_USER_END >> INKTAG_PAGE_SHIFT);
	WRITE_ONCE(hap->tlb_gen, hap->tlb_gen + 1);
	hap->unflushed = true;
	ink_hap_flush(hap);
	for (serial = 0; ink_map_next(&hap->objects, &serial, U64_MAX); serial++)
		if (ink_object_leave(hap, serial))
			ink_object_drop(hap, serial, 0, INKTAG_INDEX_END);
	ink_files_left(hap);
	ink_pt_free(hap);
	ink_hash_free(hap->hash);
	hap->hash = NULL;
	ink_hap_put(hap);
}

void ink_hap_put(struct ink_hap *hap)
{
	struct ink_thread *t;
	u64 nr = 0;

	ink_assert_locked(hap->vm);
	if (--hap->refs)
		return;
	for (nr = 0; (t = ink_map_next(&hap->threads, &nr, U32_MAX)); nr++)
		ink_thread_end(t);
	ink_map_destroy(&hap->threads);
	ink_map_destroy(&hap->objects);
	ink_map_destroy(&hap->hints);
	ink_free(hap);
}
