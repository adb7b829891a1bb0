// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * env.c - core/env.h on the host. Beyond doing what that header says, each function checks
 * what the core owes: that no vCPU can still reach what is freed, unpinned or sealed, that a
 * nonce is used once, that nothing is given back twice, that no secret goes to the guest.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "unit.h"

#define PA_BIT	(1ULL << 50)	/* a host-physical address is none that can be used as it stands */

struct env env;

static struct guest *of(struct ink_vm *vm)
{
	return (struct guest *)((u8 *)vm - offsetof(struct guest, vm));
}

void host_bug(const char *file, int line, const char *what)
{
	ck_abort_msg("%s:%d: the core says: %s", file, line, what);
	abort();
}

/* --- faults on demand ----------------------------------------------------------------------- */

void fail_allocation(u64 n, u64 times)
{
	env.calls = 0;
	env.failed = 0;
	env.fail_at = n;
	env.fail_times = times;
}

static bool allocation_fails(void)
{
	env.calls++;
	if (!env.fail_at || env.calls < env.fail_at || env.calls - env.fail_at >= env.fail_times)
		return false;
	env.failed++;
	return true;
}

void fail_guest(struct guest *g, u64 nth, u64 times)
{
	g->guest_calls = 0;
	g->guest_fail_at = nth;
	g->guest_fail_times = times;
}

static bool guest_fails(struct guest *g)
{
	g->guest_calls++;
	return g->guest_fail_at && g->guest_calls >= g->guest_fail_at &&
	       g->guest_calls - g->guest_fail_at < g->guest_fail_times;
}

/* --- memory of the host ----------------------------------------------------------------------- */

void *ink_zalloc(size_t size)
{
	if (allocation_fails())
		return NULL;
	env.structs++;
	return calloc(1, size);
}

void ink_free(void *p)
{
	if (!p)
		return;
	env.structs--;
	free(p);
}

/* All guests of a test, so that a page's owner need not be known to look for stale users. */
static GPtrArray *guests;

void env_add_guest(struct guest *g)
{
	if (!guests)
		guests = g_ptr_array_new();
	g_ptr_array_add(guests, g);
}

void env_remove_guest(struct guest *g)
{
	g_ptr_array_remove(guests, g);
}

/* No vCPU may have a translation to page now. */
static void assert_not_cached(const void *page, const char *why)
{
	u32 i, cpu, n;

	for (i = 0; i < guests->len; i++) {
		struct guest *g = g_ptr_array_index(guests, i);

		for (cpu = 0; cpu < NR_CPUS; cpu++)
			for (n = 0; n < g->cpu[cpu].tlb->len; n++) {
				struct tlb_entry *e = &g_array_index(g->cpu[cpu].tlb,
								     struct tlb_entry, n);

				if (e->page == page)
					ck_abort_msg("vCPU %u can still reach a page at %#llx: %s",
						     cpu, (unsigned long long)e->va, why);
			}
	}
}

void *ink_page_alloc(void)
{
	void *page;

	if (allocation_fails())
		return NULL;
	page = aligned_alloc(PAGE, PAGE);
	memset(page, 0, PAGE);
	if (!env.pages)
		env.pages = g_hash_table_new(NULL, NULL);
	g_hash_table_add(env.pages, page);
	env.page_count++;
	return page;
}

static void assert_live(const void *page)
{
	if (!env.pages || !g_hash_table_contains(env.pages, page))
		ck_abort_msg("%p is no page that the core has", page);
}

void ink_page_free(void *page)
{
	assert_live(page);
	assert_not_cached(page, "it is being freed");
	must(env.shown || !has_secret(page, PAGE), "a page is freed with a secret in it");
	g_hash_table_remove(env.pages, page);
	env.page_count--;
	free(page);
}

u64 ink_page_pa(const void *page)
{
	assert_live(page);
	return (uintptr_t)page | PA_BIT;
}

void *ink_page_va(u64 pa)
{
	void *page = (void *)(uintptr_t)(pa & ~PA_BIT);

	must(pa & PA_BIT, "%#llx is no physical address", (unsigned long long)pa);
	assert_live(page);
	return page;
}

/* --- map ------------------------------------------------------------------------------------------ */

static gint compare(gconstpointer a, gconstpointer b)
{
	return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

static gpointer key_of(u64 key)
{
	return (gpointer)(uintptr_t)key;
}

void ink_map_init(struct ink_map *map)
{
	map->tree = NULL;
}

void ink_map_destroy(struct ink_map *map)
{
	if (!map->tree)
		return;
	env.map_entries -= g_tree_nnodes(map->tree);
	g_tree_destroy(map->tree);
	map->tree = NULL;
}

void *ink_map_get(struct ink_map *map, u64 key)
{
	return map->tree ? g_tree_lookup(map->tree, key_of(key)) : NULL;
}

int ink_map_set(struct ink_map *map, u64 key, void *p)
{
	must_be(p);
	if (!ink_map_get(map, key)) {
		if (allocation_fails())
			return -ENOMEM;
		env.map_entries++;
	}
	if (!map->tree)
		map->tree = g_tree_new(compare);
	g_tree_insert(map->tree, key_of(key), p);
	return 0;
}

void ink_map_del(struct ink_map *map, u64 key)
{
	if (!map->tree || !g_tree_remove(map->tree, key_of(key)))
		return;
	env.map_entries--;
	if (!g_tree_nnodes(map->tree))
		ink_map_destroy(map);
}

void *ink_map_next(struct ink_map *map, u64 *key, u64 last)
{
	GTreeNode *node = map->tree ? g_tree_lower_bound(map->tree, key_of(*key)) : NULL;

	if (!node || (uintptr_t)g_tree_node_key(node) > last)
		return NULL;
	*key = (uintptr_t)g_tree_node_key(node);
	return g_tree_node_value(node);
}

/* --- guest memory ------------------------------------------------------------------------------- */

static void race(struct guest *g, u64 gfn, bool after)
{
	if (g->race)
		g->race(g, gfn, after);
}

/* The bytes of one page, or NULL. */
static u8 *guest_bytes(struct guest *g, u64 gpa)
{
	u64 gfn = gpa >> INKTAG_PAGE_SHIFT;

	return is_ram(g, gfn) ? slot_page(g, gfn) + (gpa & (PAGE - 1)) : NULL;
}

static int guest_copy(struct guest *g, u64 gpa, void *to, const void *from, size_t len)
{
	if (gpa + len < gpa || guest_fails(g))
		return -EFAULT;
	while (len) {
		size_t part = min(len, (size_t)(PAGE - (gpa & (PAGE - 1))));
		u64 gfn = gpa >> INKTAG_PAGE_SHIFT;
		u8 *bytes = guest_bytes(g, gpa);

		if (!bytes)
			return -EFAULT;
		race(g, gfn, false);
		if (to) {
			memcpy(to, bytes, part);
			to += part;
		} else {
			must(env.shown || !has_secret(from, part), "a secret is written to the guest");
			memcpy(bytes, from, part);
			from += part;
		}
		race(g, gfn, true);
		gpa += part;
		len -= part;
	}
	return 0;
}

int ink_guest_read(struct ink_vm *vm, u64 gpa, void *buf, size_t len)
{
	ink_assert_locked(vm);
	return guest_copy(of(vm), gpa, buf, NULL, len);
}

int ink_guest_write(struct ink_vm *vm, u64 gpa, const void *buf, size_t len)
{
	ink_assert_locked(vm);
	of(vm)->writes++;
	return guest_copy(of(vm), gpa, NULL, buf, len);
}

bool ink_guest_has(struct ink_vm *vm, u64 gfn)
{
	ink_assert_locked(vm);
	return of(vm)->ram_everywhere || is_ram(of(vm), gfn);
}

int ink_guest_pin(struct ink_vm *vm, u64 gfn, u64 *pa)
{
	struct guest *g = of(vm);

	ink_assert_locked(vm);
	if (!is_ram(g, gfn))
		return -EFAULT;
	if (allocation_fails())
		return -ENOMEM;
	g->pins[gfn - GFN_BASE]++;
	env.pins++;
	*pa = (uintptr_t)slot_page(g, gfn) | PA_BIT;
	return 0;
}

void ink_guest_unpin(struct ink_vm *vm, u64 pa)
{
	struct guest *g = of(vm);
	u8 *page = (void *)(uintptr_t)(pa & ~PA_BIT);
	u64 n = (page - g->slot) / PAGE;

	ink_assert_locked(vm);
	must(page >= g->slot && n < NR_GFNS, "%p is no slot page", page);
	must(g->pins[n], "frame %#llx is unpinned once too often",
		      (unsigned long long)n + GFN_BASE);
	g->pins[n]--;
	env.pins--;
	if (!g->pins[n])
		assert_not_cached(page, "it is being unpinned");
}

void ink_guest_zap(struct ink_vm *vm, u64 gfn)
{
	struct guest *g = of(vm);

	ink_assert_locked(vm);
	must(ink_map_get(&vm->held, gfn), "frame %#llx is zapped but not held",
		      (unsigned long long)gfn);
	race(g, gfn, false);
	if (gfn >= GFN_BASE && gfn < GFN_END)
		g->npt[gfn - GFN_BASE] = false;
	g->zaps++;
	race(g, gfn, true);
}

/* --- TLB -------------------------------------------------------------------------------------------- */

void ink_tlb_flush(struct ink_hap *hap)
{
	struct guest *g = of(hap->vm);
	u32 cpu, n;

	ink_assert_locked(hap->vm);
	g->flushes++;
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		for (n = g->cpu[cpu].tlb->len; n--; )
			if (g_array_index(g->cpu[cpu].tlb, struct tlb_entry, n).hap == hap)
				g_array_remove_index_fast(g->cpu[cpu].tlb, n);
}

void ink_tlb_assert_flushed(struct ink_hap *hap)
{
	struct guest *g = of(hap->vm);
	u32 cpu, n;

	ink_assert_locked(hap->vm);
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		for (n = 0; n < g->cpu[cpu].tlb->len; n++) {
			struct tlb_entry *e = &g_array_index(g->cpu[cpu].tlb, struct tlb_entry, n);

			if (e->hap == hap && e->gen != hap->tlb_gen)
				ck_abort_msg("vCPU %u has a translation of %#llx from before", cpu,
					     (unsigned long long)e->va);
		}
}

/* --- cryptography ------------------------------------------------------------------------------- */

struct ink_key {
	u8 bytes[INK_KEY_SIZE];
};

struct ink_key *ink_key_new(const u8 bytes[INK_KEY_SIZE])
{
	struct ink_key *key = ink_zalloc(sizeof(*key));

	if (key)
		memcpy(key->bytes, bytes, sizeof(key->bytes));
	return key;
}

void ink_key_free(struct ink_key *key)
{
	if (key)
		memset(key, 0, sizeof(*key));
	ink_free(key);
}

static void nonce_of(const struct ink_seal_id *id, u8 nonce[12])
{
	memcpy(nonce, &id->version, sizeof(id->version));
	memcpy(nonce + sizeof(id->version), &id->salt, 12 - sizeof(id->version));
}

int ink_seal(struct ink_vm *vm, struct ink_key *key, const struct ink_seal_id *id, const void *in, void *out,
	     u8 tag[INK_TAG_SIZE])
{
	struct guest *g = of(vm);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	u8 nonce[12];
	int len;

	ink_assert_locked(vm);
	assert_not_cached(in, "it is being sealed");
	/* A file's are above all of the VM's in the tests: one set is enough. */
	must(g_hash_table_add(g->versions, GUINT_TO_POINTER((guint)id->version)),
		      "nonce %llu is used again", (unsigned long long)id->version);
	ck_assert_uint_le(id->version, G_MAXUINT);
	if (g->seal_fails) {
		memcpy(out, in, PAGE);
		EVP_CIPHER_CTX_free(ctx);
		return -EINVAL;
	}
	nonce_of(id, nonce);
	ck_assert_int_eq(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key ? key->bytes : g->key, nonce), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &len, (const u8 *)id, sizeof(*id)), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &len, in, PAGE), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, (u8 *)out + len, &len), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, INK_TAG_SIZE, tag), 1);
	EVP_CIPHER_CTX_free(ctx);
	g->seals++;
	return 0;
}

int ink_unseal(struct ink_vm *vm, struct ink_key *key, const struct ink_seal_id *id, const void *in, void *out,
	       const u8 tag[INK_TAG_SIZE])
{
	struct guest *g = of(vm);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	u8 nonce[12];
	int len, ok;

	ink_assert_locked(vm);
	must(((uintptr_t)in < (uintptr_t)g->slot ||
		       (uintptr_t)in >= (uintptr_t)g->slot + NR_GFNS * PAGE),
		      "unsealed where the guest can change it meanwhile");
	nonce_of(id, nonce);
	ck_assert_int_eq(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key ? key->bytes : g->key, nonce), 1);
	ck_assert_int_eq(EVP_DecryptUpdate(ctx, NULL, &len, (const u8 *)id, sizeof(*id)), 1);
	ck_assert_int_eq(EVP_DecryptUpdate(ctx, out, &len, in, PAGE), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, INK_TAG_SIZE, (void *)tag), 1);
	ok = EVP_DecryptFinal_ex(ctx, (u8 *)out + len, &len);
	EVP_CIPHER_CTX_free(ctx);
	g->unseals++;
	if (ok == 1)
		return 0;
	memset(out, 0, PAGE);
	return -EBADMSG;
}

struct ink_hash {
	EVP_MD_CTX *ctx;
};

struct ink_hash *ink_hash_new(void)
{
	struct ink_hash *hash;

	if (allocation_fails())
		return NULL;
	hash = calloc(1, sizeof(*hash));
	hash->ctx = EVP_MD_CTX_new();
	ck_assert_int_eq(EVP_DigestInit_ex(hash->ctx, EVP_sha256(), NULL), 1);
	env.hashes++;
	return hash;
}

void ink_hash_update(struct ink_hash *hash, const void *p, size_t len)
{
	ck_assert_int_eq(EVP_DigestUpdate(hash->ctx, p, len), 1);
}

void ink_hash_final(struct ink_hash *hash, u8 out[32])
{
	ck_assert_int_eq(EVP_DigestFinal_ex(hash->ctx, out, NULL), 1);
}

/* What the digest would be now; the hash goes on. */
void env_hash_peek(const struct ink_hash *hash, u8 out[32])
{
	struct ink_hash copy = { EVP_MD_CTX_new() };

	ck_assert_int_eq(EVP_MD_CTX_copy_ex(copy.ctx, hash->ctx), 1);
	ink_hash_final(&copy, out);
	EVP_MD_CTX_free(copy.ctx);
}

void ink_hash_free(struct ink_hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->ctx);
	free(hash);
	env.hashes--;
}

/* --- the rest ----------------------------------------------------------------------------------- */

u64 ink_now(void)
{
	static u64 now;

	return now += 1000;
}

void *ink_xstate_alloc(void)
{
	if (allocation_fails())
		return NULL;
	env.xstates++;
	return calloc(1, XSTATE_SIZE);
}

void ink_xstate_free(void *xstate)
{
	if (!xstate)
		return;
	env.xstates--;
	free(xstate);
}

void ink_xstate_copy(void *to, const void *from)
{
	memcpy(to, from, XSTATE_SIZE);
}

void ink_xstate_get(const void *xstate, u8 *out)
{
	memcpy(out, xstate, INKTAG_DEBUG_XSTATE);
}

/* The first byte stands for all that a processor refuses. */
bool ink_xstate_is_valid(const u8 *in)
{
	return in[0] != XSTATE_BAD;
}

void ink_xstate_set(void *xstate, const u8 *in)
{
	memcpy(xstate, in, INKTAG_DEBUG_XSTATE);
}

void ink_assert_locked(struct ink_vm *vm)
{
	must(of(vm)->locked, "called without the lock");
}

void ink_violation_signal(struct ink_vm *vm)
{
	of(vm)->signals++;
}

void ink_relax(void)
{
}
