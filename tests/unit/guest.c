// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest.c - the actors: a VM with its vCPUs, the guest kernel, a device, a HAP's code; and the
 * checks that hold at any time. The page table is walked here by the hardware's rules, not by
 * the core's functions.
 */
#include <stdio.h>
#include <openssl/rand.h>
#include "unit.h"

const struct kvm_inktag_limits roomy = {
	.size = sizeof(roomy), .haps = 8, .threads = 4, .descriptors = 256, .frames = 512,
};

void env_add_guest(struct guest *g);
void env_remove_guest(struct guest *g);
void env_hash_peek(const struct ink_hash *hash, u8 out[32]);

/* --- the VM ------------------------------------------------------------------------------------ */

struct guest *guest_new(const struct kvm_inktag_limits *limits)
{
	struct guest *g = calloc(1, sizeof(*g));
	u32 cpu;

	g->slot = aligned_alloc(PAGE, NR_GFNS * PAGE);
	memset(g->slot, 0, NR_GFNS * PAGE);
	memset(g->npt, true, sizeof(g->npt));
	g->versions = g_hash_table_new(NULL, NULL);
	ck_assert_int_eq(RAND_bytes(g->key, sizeof(g->key)), 1);
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		g->cpu[cpu].tlb = g_array_new(false, true, sizeof(struct tlb_entry));
	g->locked = true;
	g->next_cr3 = 0x1000;
	env_add_guest(g);
	ck_assert_int_eq(ink_vm_init(&g->vm, limits), 0);
	return g;
}

void guest_free(struct guest *g)
{
	u32 cpu;

	guest_check(g);
	guest_check_secrecy(g);
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (g->cpu[cpu].hap)
			hap_kill(g, g->cpu[cpu].hap);
	ink_vm_reset(&g->vm);
	guest_check(g);
	ck_assert_uint_eq(g->vm.frames, 0);
	ck_assert_uint_eq(g->vm.records, 0);
	ck_assert_uint_eq(g->vm.nr_held, 0);
	ck_assert_uint_eq(g->vm.nr_haps, 0);
	ck_assert_uint_eq(g->vm.nr_threads, 0);
	ink_vm_destroy(&g->vm);
	env_remove_guest(g);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		ck_assert_uint_eq(g->cpu[cpu].tlb->len, 0);
		g_array_free(g->cpu[cpu].tlb, true);
	}
	g_hash_table_destroy(g->versions);
	free(g->slot);
	free(g);
}

void nothing_leaked(void)
{
	ck_assert_uint_eq(env.structs, 0);
	ck_assert_uint_eq(env.xstates, 0);
	ck_assert_uint_eq(env.hashes, 0);
	ck_assert_uint_eq(env.map_entries, 0);
	ck_assert_uint_eq(env.pins, 0);
	ck_assert_uint_eq(env.page_count, 0);
}

bool is_ram(struct guest *g, u64 gfn)
{
	return gfn >= GFN_BASE && gfn < GFN_END && !g->absent[gfn - GFN_BASE];
}

u8 *slot_page(struct guest *g, u64 gfn)
{
	return g->slot + (gfn - GFN_BASE) * PAGE;
}

/* --- the hardware's walk of a trusted page table ------------------------------------------------ */

struct walk {
	bool present, w, x;
	u64 pa;
};

static struct walk walk(struct ink_hap *hap, u64 va)
{
	struct walk r = { .w = true, .x = true };
	u64 *table = hap->root, pte = 0;
	int shift;

	for (shift = 39; shift >= 12; shift -= 9) {
		pte = table[va >> shift & 511];
		if (!(pte & 1))
			return (struct walk) { };
		must(pte & 4, "an entry for the supervisor in the trusted page table");
		r.w &= pte >> 1 & 1;
		r.x &= !(pte >> 63);
		if (shift > 12) {
			must(!(pte & 1 << 7), "a large page in the trusted page table");
			table = ink_page_va(pte & 0xffffffffff000);
		}
	}
	must(!(pte & 1 << 8), "a global page in the trusted page table");
	r.present = true;
	r.pa = pte & 0xffffffffff000;
	return r;
}

static void *host_page(u64 pa)
{
	must_be(pa >> 50 == 1);
	return (void *)(uintptr_t)(pa & ((1ULL << 50) - 1));
}

static bool is_slot_page(struct guest *g, const void *page)
{
	return (u8 *)page >= g->slot && (u8 *)page < g->slot + NR_GFNS * PAGE;
}

/* Calls f for each leaf. Returns the number of tables. */
static u64 each_leaf(u64 *table, int shift, u64 va, GArray *leaves)
{
	u64 tables = 1, i;

	for (i = 0; i < 512; i++) {
		u64 here = va | i << shift;

		if (!table[i])
			continue;
		must(shift != 39 || i < 256, "the kernel half of the page table is used");
		if (shift > 12)
			tables += each_leaf(ink_page_va(table[i] & 0xffffffffff000), shift - 9, here,
					    leaves);
		else
			g_array_append_val(leaves, here);
	}
	return tables;
}

/* --- what must hold always ---------------------------------------------------------------------- */

/* What was found while all HAPs were looked at. */
struct seen {
	GHashTable *frames;	/* private frame -> its spage */
	GHashTable *refs;	/* spage -> how many pages of objects it is */
	GHashTable *mappings;	/* spage -> how many page table entries map it */
	GHashTable *objects;	/* object -> how many HAPs have it */
	u64 pinned, tables;
};

static u32 count_of(GHashTable *table, void *key)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(table, key));
}

static void count(GHashTable *table, void *key)
{
	g_hash_table_insert(table, key, GUINT_TO_POINTER(count_of(table, key) + 1));
}

/* I7: what is prepared has a living maker; who waits for a fork is counted. */
static void check_lineage(struct guest *g, struct ink_hap *hap)
{
	u32 threads = 0, forks = 0;
	struct ink_thread *t;
	u64 nr;

	must(!hap->maker || hap->cr3 == INK_NO_CR3, "HAP %u has an address space, and ends with its maker", hap->id);
	if (hap->maker)
		must(ink_hap_find(&g->vm, hap->maker->id) == hap->maker, "the maker of HAP %u has ended", hap->id);
	for (nr = 0; (t = ink_map_next(&hap->threads, &nr, U32_MAX)); nr++) {
		must(t->hap == hap && t->handle == ((u64)hap->id << 32 | nr), "a thread's record is another's");
		must(!t->maker || t->ret.state == INK_NEW, "a thread that has started can be started again");
		must(hap->cr3 != INK_NO_CR3 || (t->ret.state == INK_NEW && t->maker), "a HAP without address space runs");
		must(!t->in_signal || t->aside.state >= INK_SYSCALL, "what the signal interrupted ran");
		threads++;
		forks += t->forking;
	}
	ck_assert_uint_eq(threads, hap->nr_threads);
	must(forks == hap->forks, "HAP %u: %u threads fork, %u are counted", hap->id, forks, hap->forks);
}

static void check_hap(struct guest *g, struct ink_hap *hap, struct seen *seen)
{
	GArray *leaves = g_array_new(false, false, sizeof(u64));
	GHashTable *own = g_hash_table_new(NULL, NULL);
	struct ink_spage *s, *owner;
	struct ink_object *obj;
	u64 serial, index;
	bool first;
	u32 i;

	for (serial = 0; (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++) {
		count(seen->objects, obj);
		first = count_of(seen->objects, obj) == 1;
		must(first || obj->shared, "an object that is not shared has two HAPs");
		for (index = 0; (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++) {
			g_hash_table_add(own, s);
			if (first)
				count(seen->refs, s);
			if (s->state == INK_CLOAKED) {
				must_be(!s->frame);
				continue;
			}
			must_be(ink_map_get(&g->vm.held, s->gfn) == s);
			must(!is_slot_page(g, s->frame), "V2: plaintext in a memory slot");
			owner = g_hash_table_lookup(seen->frames, s->frame);
			must(!owner || owner == s, "V2: a frame has two owners");
			g_hash_table_insert(seen->frames, s->frame, s);
		}
	}
	seen->tables += each_leaf(hap->root, 39, 0, leaves);
	for (i = 0; i < leaves->len; i++) {
		u64 va = g_array_index(leaves, u64, i);
		struct walk w = walk(hap, va);
		void *page = host_page(w.pa);
		struct ink_mapping *m;
		struct ink_hint hint;

		must(ink_hint_get(hap, va, &hint), "V4: %#llx has no hint",
			      (unsigned long long)va);
		if (page == g->vm.zero) {
			must(!w.w, "the page of zeros is writable");
			continue;
		}
		if (is_slot_page(g, page)) {
			must(!w.x, "the HAP can execute what the kernel writes");
			seen->pinned++;
			continue;
		}
		s = ink_map_get(&g->vm.held, hint.gfn);
		must(s && g_hash_table_contains(own, s) && s->frame == page,
			      "V3: %#llx maps a page that is not its own", (unsigned long long)va);
		m = ink_spage_mapping(s, hap);
		must(m && m->va == va, "V3: %#llx is a second mapping", (unsigned long long)va);
		count(seen->mappings, s);
		must(!w.w || s->state == INK_DIRTY, "V3: a clean page is writable");
		must(!w.w || s->refs == 1, "V3: a page that others have is writable");
	}
	for (i = 0; i < hap->nr_unpin; i++)
		seen->pinned++;
	g_array_free(leaves, true);
	g_hash_table_destroy(own);
	check_lineage(g, hap);
}

static void check_references(struct ink_spage *s, u32 refs, u32 mappings)
{
	struct ink_mapping *m;
	u32 known = 0;

	must(s->refs == refs, "V8: a page has %u references, and %u are counted", refs, s->refs);
	for (m = &s->map; m && m->hap; m = m->next)
		known++;
	must(known == mappings, "V3: a page is mapped %u times, and %u are known", mappings, known);
}

void guest_check(struct guest *g)
{
	struct seen seen = {
		.frames = g_hash_table_new(NULL, NULL), .refs = g_hash_table_new(NULL, NULL),
		.mappings = g_hash_table_new(NULL, NULL), .objects = g_hash_table_new(NULL, NULL),
	};
	u64 id, gfn, pins = 0, nr_held = 0, i;
	struct ink_hap *hap;
	GHashTableIter iter;
	gpointer it, n_of;
	u32 cpu, n;

	must(vm_is_valid(&g->vm), "vm_is_valid() says no");
	for (id = 0; (hap = ink_map_next(&g->vm.haps, &id, U64_MAX)); id++)
		check_hap(g, hap, &seen);
	for (gfn = 0; ink_map_next(&g->vm.held, &gfn, U64_MAX); gfn++) {
		must(gfn >= GFN_BASE && gfn < GFN_END, "no RAM is held");
		must(!g->npt[gfn - GFN_BASE], "the guest reaches the held frame %#llx",
			      (unsigned long long)gfn);
		nr_held++;
	}
	ck_assert_uint_eq(nr_held, g_hash_table_size(seen.frames));
	g_hash_table_iter_init(&iter, seen.refs);
	while (g_hash_table_iter_next(&iter, &it, &n_of))
		check_references(it, GPOINTER_TO_UINT(n_of), count_of(seen.mappings, it));
	g_hash_table_iter_init(&iter, seen.objects);
	while (g_hash_table_iter_next(&iter, &it, &n_of))
		must(((struct ink_object *)it)->refs == GPOINTER_TO_UINT(n_of), "V8: an object has %u HAPs",
		     GPOINTER_TO_UINT(n_of));
	for (i = 0; i < NR_GFNS; i++)
		pins += g->pins[i];
	ck_assert_uint_eq(g->vm.frames, nr_held + seen.tables + seen.pinned);
	ck_assert_uint_eq(pins, seen.pinned);

	/* What a vCPU remembers, the page table still says. */
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		for (n = 0; n < g->cpu[cpu].tlb->len; n++) {
			struct tlb_entry *e = &g_array_index(g->cpu[cpu].tlb, struct tlb_entry, n);
			struct walk w = walk(e->hap, e->va);

			must(e->hap->unflushed ||
				      (w.present && host_page(w.pa) == e->page && w.w >= e->w && w.x >= e->x),
				      "V5: vCPU %u has a stale translation of %#llx", cpu,
				      (unsigned long long)e->va);
		}
	g_hash_table_destroy(seen.frames);
	g_hash_table_destroy(seen.refs);
	g_hash_table_destroy(seen.mappings);
	g_hash_table_destroy(seen.objects);
}

void guest_check_secrecy(struct guest *g)
{
	must(env.shown || !has_secret(g->slot, NR_GFNS * PAGE), "I1: a secret is in the guest's memory");
}

/* --- snapshots ------------------------------------------------------------------------------------ */

static void put(GByteArray *to, const void *p, size_t len)
{
	g_byte_array_append(to, p, len);
}

#define PUT(to, x) put(to, &(x), sizeof(x))

static void put_return(GByteArray *to, const struct ink_return *r)
{
	PUT(to, r->state);
	PUT(to, r->regs);
	PUT(to, r->fault_va);
	PUT(to, r->fault_access);
	PUT(to, r->vector);
	PUT(to, r->child);
	PUT(to, r->ustack);
}

static void put_hap(GByteArray *to, struct ink_hap *hap)
{
	struct ink_mapping *m;
	struct ink_object *obj;
	struct ink_spage *s;
	struct ink_thread *t;
	u64 serial, index, key;
	void *p;
	GArray *leaves = g_array_new(false, false, sizeof(u64));
	u8 digest[32];
	u32 i;

	PUT(to, hap->id);
	PUT(to, hap->pid);
	PUT(to, hap->state);
	PUT(to, hap->refs);
	PUT(to, hap->cr3);
	PUT(to, hap->maker);
	PUT(to, hap->forks);
	PUT(to, hap->accused);
	PUT(to, hap->stub);
	PUT(to, hap->nr_unpin);
	PUT(to, hap->nr_threads);
	PUT(to, hap->measurement);
	if (hap->hash) {
		env_hash_peek(hap->hash, digest);
		PUT(to, digest);
	}
	for (key = 0; (p = ink_map_next(&hap->hints, &key, U64_MAX)); key++) {
		PUT(to, key);
		PUT(to, p);
	}
	each_leaf(hap->root, 39, 0, leaves);
	for (i = 0; i < leaves->len; i++) {
		u64 va = g_array_index(leaves, u64, i);
		struct walk w = walk(hap, va);

		PUT(to, va);
		PUT(to, w.pa);
		PUT(to, w.w);
		PUT(to, w.x);
	}
	g_array_free(leaves, true);
	for (serial = 0; (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++) {
		PUT(to, serial);
		PUT(to, obj->nr_pages);
		PUT(to, obj->shared);
		PUT(to, obj->refs);
		for (index = 0; (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++) {
			PUT(to, index);
			PUT(to, s->state);
			PUT(to, s->refs);
			PUT(to, s->id);
			for (m = &s->map; m && m->hap; m = m->next) {
				PUT(to, m->hap->id);
				PUT(to, m->va);
			}
			if (s->state != INK_CLOAKED) {
				PUT(to, s->gfn);
				put(to, s->frame, PAGE);
			}
			if (s->state != INK_DIRTY)
				PUT(to, s->tag);
		}
	}
	for (key = 0; (t = ink_map_next(&hap->threads, &key, U64_MAX)); key++) {
		PUT(to, key);
		PUT(to, t->handle);
		PUT(to, t->maker);
		PUT(to, t->forking);
		PUT(to, t->signal_rip);
		PUT(to, t->signal_rsp);
		PUT(to, t->signal_ustack);
		PUT(to, t->in_signal);
		put_return(to, &t->ret);
		if (t->in_signal)
			put_return(to, &t->aside);
		put(to, t->xstate, XSTATE_SIZE);
	}
}

GByteArray *snapshot(struct guest *g)
{
	GByteArray *to = g_byte_array_new();
	struct ink_vm *vm = &g->vm;
	struct ink_hap *hap;
	u64 id, gfn;
	u32 i;

	PUT(to, vm->limits);
	PUT(to, vm->nr_haps);
	PUT(to, vm->last_hap);
	PUT(to, vm->frames);
	PUT(to, vm->records);
	PUT(to, vm->nr_held);
	PUT(to, vm->nr_threads);
	PUT(to, vm->stats);
	PUT(to, vm->log);
	PUT(to, vm->log_first);
	PUT(to, vm->log_count);
	PUT(to, vm->log_lost);
	PUT(to, vm->nr_files);
	PUT(to, vm->request_state);
	for (i = 0; i < INK_MAX_VCPUS; i++) {
		PUT(to, vm->rings[i].gpa);
		PUT(to, vm->rings[i].log2);
		PUT(to, vm->rings[i].head);
	}
	for (gfn = 0; ink_map_next(&vm->held, &gfn, U64_MAX); gfn++)
		PUT(to, gfn);
	for (id = 0; (hap = ink_map_next(&vm->haps, &id, U64_MAX)); id++)
		put_hap(to, hap);
	PUT(to, g->pins);
	put(to, g->slot, NR_GFNS * PAGE);
	PUT(to, env.structs);
	PUT(to, env.xstates);
	PUT(to, env.hashes);
	PUT(to, env.map_entries);
	PUT(to, env.page_count);
	PUT(to, env.pins);
	return to;
}

void unchanged(struct guest *g, GByteArray *before)
{
	GByteArray *after = snapshot(g);
	u32 i;

	for (i = 0; i < min(before->len, after->len); i++)
		if (before->data[i] != after->data[i])
			ck_abort_msg("the call failed, but it changed something (byte %u of the snapshot)",
				     i);
	must(before->len == after->len, "the call failed, but it changed something");
	g_byte_array_free(before, true);
	g_byte_array_free(after, true);
}

/* --- content ------------------------------------------------------------------------------------ */

#define BLOCK 32

void secret_fill(void *page, u64 n)
{
	u8 *p = page;
	u32 i;

	ck_assert_uint_eq(sizeof(SECRET), BLOCK - sizeof(n));
	for (i = 0; i < PAGE; i += BLOCK) {
		memcpy(p + i, SECRET, sizeof(SECRET));
		memcpy(p + i + sizeof(SECRET), &n, sizeof(n));
	}
}

bool secret_is(const void *page, u64 n)
{
	u8 want[PAGE];

	secret_fill(want, n);
	return !memcmp(page, want, PAGE);
}

bool has_secret(const void *p, size_t len)
{
	return memmem(p, len, SECRET, sizeof(SECRET) - 1);
}

bool is_zero(const void *p, size_t len)
{
	const u8 *b = p;

	return !len || (!b[0] && !memcmp(b, b + 1, len - 1));
}

/* --- the guest kernel and its devices ------------------------------------------------------------ */

u8 *k_page(struct guest *g, u64 gfn)
{
	bool *mapped = &g->npt[gfn - GFN_BASE];

	must_be(is_ram(g, gfn));
	if (!*mapped) {
		if (ink_gfn_is_held(&g->vm, gfn, 1))
			ink_gfn_touch(&g->vm, gfn);
		must(!ink_gfn_is_held(&g->vm, gfn, 1), "a frame is held after it was touched");
		*mapped = true;
	}
	return slot_page(g, gfn);
}

void k_write(struct guest *g, u64 gfn, const void *page)
{
	memcpy(k_page(g, gfn), page, PAGE);
}

void dev_write(struct guest *g, u64 gfn, const void *page)
{
	must_be(is_ram(g, gfn));
	memcpy(slot_page(g, gfn), page, PAGE);
}

#define RING_LOG2	6
#define RING_PAGES	3

u64 ring_gpa(u32 cpu)
{
	return (u64)(GFN_RING + cpu * RING_PAGES) << INKTAG_PAGE_SHIFT;
}

void k_ring(struct guest *g, u32 cpu)
{
	ck_assert_int_eq(ink_ring_set(&g->vm, cpu, ring_gpa(cpu), RING_LOG2), 0);
}

struct inktag_ring_hdr *ring_hdr(struct guest *g, u32 cpu)
{
	return (void *)k_page(g, ring_gpa(cpu) >> INKTAG_PAGE_SHIFT);
}

void k_report(struct guest *g, u32 cpu, u64 seq, u32 hap, u32 op, u64 va, u32 prot, u64 arg,
	      u32 token)
{
	struct inktag_ring_hdr *hdr = ring_hdr(g, cpu);
	struct inktag_ring_entry *entries = (void *)hdr + INKTAG_RING_ENTRIES_OFFSET;

	ck_assert_uint_lt(hdr->tail - hdr->head, 1 << RING_LOG2);
	entries[hdr->tail % (1 << RING_LOG2)] = (struct inktag_ring_entry) {
		.seq = seq, .va_op = va | prot << 8 | op, .arg = arg, .hap = hap, .token = token,
	};
	hdr->tail++;
}

void k_hint(struct ink_hap *hap, u64 va, u64 gfn, u32 prot, u32 token)
{
	struct guest *g = (struct guest *)((u8 *)hap->vm - offsetof(struct guest, vm));
	static u64 seq;

	if (!g->vm.rings[0].gpa) {
		memset(k_page(g, ring_gpa(0) >> INKTAG_PAGE_SHIFT), 0, PAGE);
		k_ring(g, 0);
	}
	k_report(g, 0, ++seq, hap->id, INKTAG_RING_MAP, va, prot, gfn, token);
	ink_ring_drain(&g->vm);
}

/* --- a HAP ---------------------------------------------------------------------------------------- */

#define R	INKTAG_PROT_READ
#define W	INKTAG_PROT_WRITE
#define X	INKTAG_PROT_EXEC

const struct inktag_desc descs[NR_TOKENS] = {
	[T_CODE]  = { CODE_VA, CODE_PAGES, { SER_CODE }, 0, R | X, INKTAG_KIND_PRIVATE },
	[T_DATA]  = { DATA_VA, DATA_PAGES, { SER_DATA }, 100, R | W, INKTAG_KIND_PRIVATE },
	[T_RO]    = { RO_VA, 4, { SER_RO }, 0, R, INKTAG_KIND_PRIVATE },
	[T_ARENA] = { INKTAG_ARENA_BASE, 64, { 0 }, 0, R | W, INKTAG_KIND_UNCLOAKED },
	[T_OTHER] = { OTHER_VA, 4, { SER_OTHER }, 0, R | W, INKTAG_KIND_PRIVATE },
	[T_RWX]   = { RWX_VA, 4, { SER_RWX }, 0, R | W | X, INKTAG_KIND_PRIVATE },
	[T_ALIAS] = { ALIAS_VA, DATA_PAGES, { SER_DATA }, 100, R | W, INKTAG_KIND_PRIVATE },
};

int linear(void *ctx, u64 va, u64 *gfn)
{
	struct linear *l = ctx;

	l->calls++;
	if (va < l->va || (va - l->va) / PAGE >= l->npages || l->calls == l->again_at)
		return -EAGAIN;
	*gfn = l->gfn + (va - l->va) / PAGE + (l->calls == l->move_at ? 64 : 0);
	return 0;
}

struct ink_hap *hap_build(struct guest *g, u64 array_gfn, u64 code_gfn)
{
	struct linear l = { .g = g, .va = INKTAG_DESC_BASE, .gfn = array_gfn, .npages = 1 };
	u8 page[PAGE] = { 0 };
	struct ink_hap *hap;
	u64 cr3 = g->next_cr3;
	s64 id;

	g->next_cr3 += PAGE;
	memcpy(page, descs, sizeof(descs));
	k_write(g, array_gfn, page);
	memset(page, 0xcc, sizeof(page));
	k_write(g, code_gfn, page);
	id = ink_hap_create(&g->vm, cr3, 1000 + cr3 / PAGE, 0, g->attributes);
	ck_assert_int_gt(id, 0);
	hap = ink_hap_find(&g->vm, id);
	ck_assert_ptr_nonnull(hap);
	ck_assert_int_eq(ink_hap_add(hap, cr3, INKTAG_DESC_BASE, 1, T_ARRAY, linear, &l), 0);
	l = (struct linear) { .g = g, .va = CODE_VA, .gfn = code_gfn, .npages = 1 };
	ck_assert_int_eq(ink_hap_add(hap, cr3, CODE_VA, 1, T_CODE, linear, &l), 0);
	guest_check(g);
	return hap;
}

void cpu_enter(struct guest *g, u32 cpu, struct ink_thread *t)
{
	ck_assert_ptr_null(g->cpu[cpu].hap);
	g->cpu[cpu].hap = t->hap;
	g->cpu[cpu].thread = t;
	g->cpu[cpu].regs = t->ret.regs;
}

struct ink_thread *hap_start(struct guest *g, struct ink_hap *hap, u32 cpu)
{
	struct inktag_start start = {
		.entry = ENTRY, .rsp = STACK, .stub = STUB, .ustack = USTACK, .info = 0x1234,
	};
	struct ink_thread *t;

	ck_assert_int_eq(ink_hap_start(hap, hap->cr3, &start, &t), 0);
	ck_assert_int_eq(ink_thread_start(t), 0);
	cpu_enter(g, cpu, t);
	return t;
}

struct ink_hap *hap_launch(struct guest *g, u32 cpu)
{
	struct ink_hap *hap = hap_build(g, ARRAY_GFN, CODE_GFN);

	hap_start(g, hap, cpu);
	return hap;
}

static bool allows(bool w, bool x, u32 access)
{
	return access == INK_READ || (access == INK_WRITE && w) || (access == INK_EXEC && x);
}

/* The vCPU's cache. A translation that does not allow the access is forgotten, as AMD's do. */
static void *tlb_lookup(struct cpu *cpu, u64 va, u32 access)
{
	u32 n;

	for (n = 0; n < cpu->tlb->len; n++) {
		struct tlb_entry *e = &g_array_index(cpu->tlb, struct tlb_entry, n);

		if (e->hap != cpu->hap || e->va != va)
			continue;
		if (allows(e->w, e->x, access))
			return e->page;
		g_array_remove_index_fast(cpu->tlb, n);
		return NULL;
	}
	return NULL;
}

static void *tlb_fill(struct cpu *cpu, u64 va, u32 access)
{
	struct walk w = walk(cpu->hap, va);
	struct tlb_entry e = {
		.va = va, .w = w.w, .x = w.x, .gen = cpu->hap->tlb_gen, .hap = cpu->hap,
	};

	if (!w.present || !allows(w.w, w.x, access))
		return NULL;
	e.page = host_page(w.pa);
	g_array_append_val(cpu->tlb, e);
	return e.page;
}

struct access hap_access(struct guest *g, u32 nr, u64 va, u32 access)
{
	struct cpu *cpu = &g->cpu[nr];
	u64 page_va = va & ~(PAGE - 1);
	struct access r = { .verdict = INK_MAPPED };

	ck_assert_ptr_nonnull(cpu->hap);
	ck_assert_int_eq(cpu->hap->state, INK_RUNS);
	r.page = tlb_lookup(cpu, page_va, access);
	if (!r.page)
		r.page = tlb_fill(cpu, page_va, access);
	if (r.page)
		return r;
	ink_ring_drain(&g->vm);
	r.verdict = ink_resolve(cpu->hap, va, access, &r.ask_va, &r.ask_access);
	if (r.verdict != INK_MAPPED)
		return r;
	r.page = tlb_fill(cpu, page_va, access);
	must(r.page, "INK_MAPPED, but %#llx faults again", (unsigned long long)va);
	return r;
}

struct access hap_access_at(struct guest *g, u32 cpu, u64 va, u32 access, u64 gfn, u32 token)
{
	k_hint(g->cpu[cpu].hap, va & ~(PAGE - 1), gfn, INKTAG_PROT_MASK, token);
	return hap_access(g, cpu, va, access);
}

void hap_write(struct guest *g, u32 cpu, u64 va, u64 gfn, u32 token, u64 n)
{
	struct access a = hap_access_at(g, cpu, va, INK_WRITE, gfn, token);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	secret_fill(a.page, n);
}

void hap_reads(struct guest *g, u32 cpu, u64 va, u64 n)
{
	struct access a = hap_access(g, cpu, va, INK_READ);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	must(secret_is(a.page, n), "I2: %#llx does not read as page %llu",
		      (unsigned long long)va, (unsigned long long)n);
}

void hap_reads_zero(struct guest *g, u32 cpu, u64 va)
{
	struct access a = hap_access(g, cpu, va, INK_READ);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	must(is_zero(a.page, PAGE), "I2: %#llx was never written, but is not zero",
		      (unsigned long long)va);
}

static void cpu_left(struct cpu *cpu)
{
	cpu->hap = NULL;
	cpu->thread = NULL;
}

void cpu_suspend(struct guest *g, u32 nr, enum ink_thread_state state)
{
	struct cpu *cpu = &g->cpu[nr];

	cpu->thread->ret.regs = cpu->regs;
	ink_thread_suspend(cpu->thread, state);
	cpu_left(cpu);
}

int cpu_resume(struct guest *g, u32 cpu, u64 handle, u64 cr3, u64 rax)
{
	struct ink_thread *t;
	int err;

	ink_ring_drain(&g->vm);
	err = ink_thread_resume(&g->vm, handle, cr3, rax, &t);
	if (!err)
		cpu_enter(g, cpu, t);
	return err;
}

const struct ink_clone clone_regs = {
	.rsp = STACK - PAGE, .fsbase = DATA_VA + 0x100, .gsbase = DATA_VA + 0x200, .ustack = USTACK + PAGE,
};

int hap_clone(struct guest *g, u32 nr, bool process, u64 *handle)
{
	struct cpu *cpu = &g->cpu[nr];
	struct ink_hap *hap = cpu->hap;
	int err = 0;

	cpu->thread->ret.regs = cpu->regs;
	if (process)
		err = ink_hap_fork(cpu->hap, &hap);
	if (!err) {
		err = ink_thread_clone(cpu->thread, hap, &clone_regs);
		if (err && process)
			ink_hap_end(hap);
	}
	if (err)
		return err;
	*handle = cpu->thread->ret.child;
	cpu_suspend(g, nr, INK_SYSCALL);
	return 0;
}

static struct ink_thread *clone_and_start(struct guest *g, u32 cpu, u32 child_cpu, bool process)
{
	u64 maker = g->cpu[cpu].thread->handle, cr3 = g->cpu[cpu].hap->cr3, handle, child_cr3 = cr3;

	ck_assert_int_eq(hap_clone(g, cpu, process, &handle), 0);
	if (process) {
		child_cr3 = g->next_cr3;
		g->next_cr3 += PAGE;
	}
	ck_assert_int_eq(cpu_resume(g, child_cpu, handle, child_cr3, 2000 + child_cpu), 0);
	ck_assert_int_eq(cpu_resume(g, cpu, maker, cr3, 2000 + child_cpu), 0);
	guest_check(g);
	return g->cpu[child_cpu].thread;
}

struct ink_hap *hap_fork(struct guest *g, u32 cpu, u32 child_cpu)
{
	return clone_and_start(g, cpu, child_cpu, true)->hap;
}

struct ink_thread *hap_thread(struct guest *g, u32 cpu, u32 child_cpu)
{
	return clone_and_start(g, cpu, child_cpu, false);
}

void cpu_thread_exit(struct guest *g, u32 nr)
{
	struct ink_hap *hap = g->cpu[nr].hap;

	ink_thread_end(g->cpu[nr].thread);
	cpu_left(&g->cpu[nr]);
	ink_hap_put(hap);
}

int cpu_signal(struct guest *g, u32 cpu, u64 handle, u64 cr3, u64 rsp, const u64 args[3])
{
	struct ink_thread *t;
	int err;

	ink_ring_drain(&g->vm);
	err = ink_thread_signal(&g->vm, handle, cr3, rsp, args, &t);
	if (!err)
		cpu_enter(g, cpu, t);
	return err;
}

void cpu_signal_return(struct guest *g, u32 nr)
{
	struct cpu *cpu = &g->cpu[nr];

	ck_assert(cpu->thread->in_signal);
	cpu->thread->ret.regs = cpu->regs;
	ink_thread_suspend(cpu->thread, ink_thread_signal_return(cpu->thread));
	cpu_left(cpu);
}

void hap_kill(struct guest *g, struct ink_hap *hap)
{
	u32 cpu;

	ink_hap_end(hap);
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (g->cpu[cpu].hap == hap) {
			cpu_left(&g->cpu[cpu]);
			ink_hap_put(hap);
		}
}

void expect_violation(struct guest *g, u32 hap, u32 check, u64 va, u64 gfn, u64 arg)
{
	struct kvm_inktag_violation v;

	ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
	ck_assert_uint_eq(v.hap, hap);
	ck_assert_uint_eq(v.check, check);
	ck_assert_uint_eq(v.addr, va);
	ck_assert_uint_eq(v.gfn, gfn);
	ck_assert_uint_eq(v.arg, arg);
}

void expect_no_violation(struct guest *g)
{
	struct kvm_inktag_violation v;

	ck_assert_int_eq(ink_violation_next(&g->vm, &v), -ENODATA);
}
