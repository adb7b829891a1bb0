// SPDX-License-Identifier: GPL-2.0-or-later
/* valid.c - the invariants V1 to V4, V7 and V8 of inktag.h, and F2, F5 and F6 of files, checked the slow way. */
#include "unit.h"

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
	if (s->file && (s->refs != 1 || s->shown || (s->state == INK_DIRTY && !s->written) ||
			(s->state != INK_CLOAKED && (s->doubt || s->lost))))
		return false;
	if ((s->written && ink_map_get(&s->file->unannounced, s->written) != s) ||
	    (s->again && (!s->asked || ink_map_get(&s->file->unannounced, s->again) != s)))
		return false;
	if (s->state == INK_CLOAKED)
		return !s->frame && !s->map.hap && !s->map.next;
	if (s->state != INK_DIRTY && s->state != INK_CLEAN)
		return false;
	if (!s->frame || ink_map_get(&vm->held, s->gfn) != s)			/* V1, V2 */
		return false;
	if (s->state == INK_CLEAN && !s->id.version && !s->shown && memcmp(s->frame, vm->zero, INKTAG_PAGE_SIZE))
		return false;
	if (!s->map.hap)
		return !s->map.next;
	for (m = &s->map; m; m = m->next)
		if (!mapping_is_valid(s, m))
			return false;
	return true;
}

#define PT_ENTRIES	512
#define PT_LEVELS	4
#define PT_ADDRESS	0x000ffffffffff000ULL

/* Present leaf entries; counts the tables. */
static u64 pt_count(const u64 *table, int level, u64 *tables)
{
	u64 present = 0;
	int i;

	(*tables)++;
	for (i = 0; i < PT_ENTRIES; i++)
		if (table[i])
			present += level ? pt_count(ink_page_va(table[i] & PT_ADDRESS), level - 1, tables) : 1;
	return present;
}

u64 vm_pt_count(const u64 *root, u64 *tables)
{
	return pt_count(root, PT_LEVELS - 1, tables);
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

/* References found: of spages, of objects. */
static GHashTable *found;

/* -> how many there were before. */
static u32 find(const void *p)
{
	u32 n = GPOINTER_TO_UINT(g_hash_table_lookup(found, p));

	g_hash_table_insert(found, (void *)p, GUINT_TO_POINTER(n + 1));
	return n;
}

static u32 times_found(const void *p)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(found, p));
}

static bool object_is_valid(struct ink_vm *vm, struct ink_object *obj, u64 *held, u64 *frames, u64 *records)
{
	struct ink_spage *s;
	u64 index, pages = 0;

	for (index = 0; (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++) {
		if (!spage_is_valid(vm, s) || s->file != obj->file)
			return false;
		if (!find(s) && s->state != INK_CLOAKED) {
			(*held)++;
			(*frames)++;
		}
		pages++;
	}
	*records += pages;
	return (pages || obj->shared) && pages == obj->nr_pages;
}

static u64 map_size(struct ink_map *map)
{
	u64 key, n = 0;

	for (key = 0; ink_map_next(map, &key, U64_MAX); key++)
		n++;
	return n;
}

static bool file_is_valid(struct ink_file *file, u64 *held, u64 *frames, u64 *records)
{
	u64 dirty = 0, written = 0, outgoing = 0, index;
	struct ink_spage *s;

	if (!find(&file->obj) && file->obj.refs)
		return false;
	if ((file->leaving || file->left || file->opener) && file->obj.refs)
		return false;
	for (index = 0; (s = ink_map_next(&file->obj.pages, &index, U64_MAX)); index++) {
		if (!file->obj.refs && s->state != INK_CLOAKED)
			return false;
		dirty += s->state == INK_DIRTY;
		written += !!s->written + !!s->again;
		outgoing += !!s->outgoing;
		if (s->outgoing && ink_map_get(&file->vm->outgoing, s->outgoing - 1) != s)
			return false;
		if (s->state == INK_DIRTY && s->outgoing != s->gfn + 1)			/* F6 */
			return false;
		if (!ink_map_get(&file->known, index / KVM_INKTAG_FETCH))
			return false;
	}
	*records += map_size(&file->known);
	return dirty == file->nr_dirty && written == map_size(&file->unannounced) &&
	       outgoing == file->nr_outgoing &&
	       file->nr_dirty <= file->versions &&					/* F2 */
	       object_is_valid(file->vm, &file->obj, held, frames, records);
}

static bool hap_is_valid(struct ink_hap *hap, u64 *held, u64 *frames, u64 *records)
{
	struct ink_object *obj;
	u64 serial, present, key;

	if (hap->state == INK_ENDED)
		return false;
	if (!pt_is_valid(hap, &present, frames) || present != vm_pt_count(hap->root, frames))
		return false;
	for (key = 0; ink_map_next(&hap->hints, &key, U64_MAX); key++)
		(*records)++;
	for (serial = 0; (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++) {
		if (obj->refs > 1 && !obj->shared)
			return false;
		if (find(obj) || obj->file)
			continue;
		if (!object_is_valid(hap->vm, obj, held, frames, records))
			return false;
		(*records)++;
	}
	return true;
}

/* V8: all references were found. */
static bool references_are_valid(struct ink_vm *vm)
{
	struct ink_object *obj;
	struct ink_hap *hap;
	struct ink_spage *s;
	u64 id, serial, index;

	for (id = 0; (hap = ink_map_next(&vm->haps, &id, U64_MAX)); id++)
		for (serial = 0; (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++) {
			for (index = 0; (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++)
				if (times_found(s) != s->refs)
					return false;
			if (times_found(obj) != obj->refs + !!obj->file)
				return false;
		}
	return true;
}

static bool all_is_valid(struct ink_vm *vm)
{
	u64 held = 0, frames = 0, records = 0, files = 0, outgoing = 0, id, gfn, nr = 0;
	struct ink_file *file;
	struct ink_hap *hap;
	u32 haps = 0;

	for (id = 0; (hap = ink_map_next(&vm->haps, &id, U64_MAX)); id++) {
		if (hap->id != id || !hap_is_valid(hap, &held, &frames, &records))
			return false;
		haps++;
	}
	for (id = 0; (file = ink_map_next(&vm->files, &id, U64_MAX)); id++) {
		if (file->nr != id || !file_is_valid(file, &held, &frames, &records))
			return false;
		files++;
		outgoing += file->nr_outgoing;
	}
	for (gfn = 0; ink_map_next(&vm->held, &gfn, U64_MAX); gfn++)
		nr++;
	return references_are_valid(vm) && files == vm->nr_files && outgoing == map_size(&vm->outgoing) &&
	       haps == vm->nr_haps && nr == held && held == vm->nr_held &&
	       frames == vm->frames && records == vm->records &&
	       frames <= vm->limits.frames && records <= INK_RECORDS(&vm->limits);
}

bool vm_is_valid(struct ink_vm *vm)
{
	bool valid;

	found = g_hash_table_new(NULL, NULL);
	valid = all_is_valid(vm);
	g_hash_table_destroy(found);
	return valid;
}
