/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env.h - what the core needs of the place it runs in. hyp/kvm implements it inside KVM,
 * tests/unit implements it on the host with memory of its own, a page-table walker that
 * caches, and faults on demand.
 *
 * All of it is called with the VM's lock held unless stated.
 */
#ifndef INK_ENV_H
#define INK_ENV_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/bug.h>
#include <linux/xarray.h>
#include <linux/limits.h>
#include <linux/stddef.h>
#else
#include "host.h"
#endif

struct ink_vm;
struct ink_hap;

/* --- memory of the host ----------------------------------------------------------------- */

void *ink_zalloc(size_t size);		/* zeroed; NULL: none. May sleep */
void ink_free(void *p);			/* p may be NULL */

void *ink_page_alloc(void);		/* one zeroed, page-aligned host page; NULL: none */
void ink_page_free(void *page);		/* the caller has cleared it if it held a secret */
u64 ink_page_pa(const void *page);	/* its host-physical address, as a page table needs it */
void *ink_page_va(u64 pa);		/* the inverse */

/* --- map: u64 -> non-NULL pointer or ink_map_value() ------------------------------------- */

#ifdef __KERNEL__
struct ink_map {
	struct xarray xa;
};
#endif

/* A small number (< 2^62) as a map's value. */
static inline void *ink_map_value(u64 v)
{
	return (void *)(uintptr_t)(v << 1 | 1);
}

static inline u64 ink_map_number(const void *p)
{
	return (uintptr_t)p >> 1;
}

void ink_map_init(struct ink_map *map);
void ink_map_destroy(struct ink_map *map);		/* frees the map, not what it points to */
void *ink_map_get(struct ink_map *map, u64 key);	/* NULL: absent. Needs no lock */
int ink_map_set(struct ink_map *map, u64 key, void *p);	/* -ENOMEM: unchanged. Replacing a
							 * present key never fails */
void ink_map_del(struct ink_map *map, u64 key);
/* First entry with *key <= its key <= last; sets *key. NULL: none. Needs no lock */
void *ink_map_next(struct ink_map *map, u64 *key, u64 last);

/* --- guest memory: the slots, which the untrusted context shares ---------------------------- */

int ink_guest_read(struct ink_vm *vm, u64 gpa, void *buf, size_t len);	/* -EFAULT */
int ink_guest_write(struct ink_vm *vm, u64 gpa, const void *buf, size_t len);

/* Is gfn ordinary, writable RAM of the guest now? */
bool ink_guest_has(struct ink_vm *vm, u64 gfn);

/*
 * Keep the slot page behind gfn in place, and give its host-physical address. -EFAULT: not RAM.
 * -ENOMEM. Each pin is undone by one unpin with the address it gave.
 */
int ink_guest_pin(struct ink_vm *vm, u64 gfn, u64 *pa);
void ink_guest_unpin(struct ink_vm *vm, u64 pa);

/*
 * gfn was put into vm->held: after the return no nested page table entry and no TLB entry
 * maps it, and the next access of the untrusted context faults into ink_gfn_touch().
 */
void ink_guest_zap(struct ink_vm *vm, u64 gfn);

/* --- TLB ------------------------------------------------------------------------------------ */

/*
 * Entries of hap's trusted page table were removed or restricted: after the return no vCPU
 * can use a translation that was there before.
 */
void ink_tlb_flush(struct ink_hap *hap);

/*
 * Debug: no vCPU may still hold a translation of hap made before hap->tlb_gen took its present
 * value. Called before a page that hap could reach is freed or encrypted.
 */
void ink_tlb_assert_flushed(struct ink_hap *hap);

/* --- cryptography ------------------------------------------------------------------------- */

#define INK_TAG_SIZE 16

/* The associated data of a sealed page: who it is. version and salt are the nonce, too. */
struct ink_seal_id {
	u64 object[2];	/* a HAP's: its id and the serial; a file's: the OID */
	u64 index;
	u64 version;
	u64 salt;	/* 32 bits. Of a HAP's: 0 */
};

#define INK_KEY_SIZE 32

struct ink_key;
struct ink_key *ink_key_new(const u8 key[INK_KEY_SIZE]);	/* NULL: no memory */
void ink_key_free(struct ink_key *key);		/* clears it; key may be NULL */

/* AES-256-GCM. key: NULL: the VM's own. in, out: INKTAG_PAGE_SIZE bytes. Never -ENOMEM. */
int ink_seal(struct ink_vm *vm, struct ink_key *key, const struct ink_seal_id *id, const void *in, void *out,
	     u8 tag[INK_TAG_SIZE]);
/* -EBADMSG: not what ink_seal() made; out is then cleared. Other errors: it could not be tried. */
int ink_unseal(struct ink_vm *vm, struct ink_key *key, const struct ink_seal_id *id, const void *in, void *out,
	       const u8 tag[INK_TAG_SIZE]);

struct ink_hash;
struct ink_hash *ink_hash_new(void);
void ink_hash_update(struct ink_hash *hash, const void *p, size_t len);
void ink_hash_final(struct ink_hash *hash, u8 out[32]);
void ink_hash_free(struct ink_hash *hash);	/* hash may be NULL */

/* --- the rest -------------------------------------------------------------------------------- */

u64 ink_now(void);				/* CLOCK_REALTIME, ns */
void *ink_xstate_alloc(void);			/* in its initial state; NULL: no memory */
void ink_xstate_free(void *xstate);		/* clears it; xstate may be NULL */
void ink_xstate_copy(void *to, const void *from);
/* INKTAG_DEBUG_XSTATE bytes of it, as struct inktag_debug has them. Only what is valid may be set. */
void ink_xstate_get(const void *xstate, u8 *out);
bool ink_xstate_is_valid(const u8 *in);
void ink_xstate_set(void *xstate, const u8 *in);
void ink_assert_locked(struct ink_vm *vm);
void ink_violation_signal(struct ink_vm *vm);	/* a violation was logged */
void ink_relax(void);				/* between the steps of a long operation */

#endif
