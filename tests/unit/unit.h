/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit.h - the surroundings that the tests give to hyp/core: a machine with two views of
 * memory, and a hostile guest kernel's means to act in it.
 *
 *   struct guest  one VM: its slot pages, its nested page table, its vCPUs
 *   struct cpu    a vCPU, with the cache of trusted translations that real hardware has.
 *                 It forgets only when told to, so a missing flush is a stale access here
 *
 * env.c implements core/env.h. guest.c has the actors: the guest kernel (k_...), a device
 * (dev_...), a HAP's code (hap_...), and the checks that hold at any time (guest_check()).
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <glib.h>
#include "inktag.h"

/*
 * Assertions for what runs at each step: Check's own tell the parent process about each success,
 * too, and that costs more than the test.
 */
#define must(c, ...)	((c) ? (void)0 : ck_abort_msg(__VA_ARGS__))
#define must_be(c)	must(c, "%s", #c)

#define PAGE		INKTAG_PAGE_SIZE
#define NR_CPUS		4
#define XSTATE_SIZE	832
#define XSTATE_BAD	0xbb
#define GFN_BASE	0x100		/* the one memory slot: [GFN_BASE, GFN_BASE + NR_GFNS) */
#define NR_GFNS		256
#define GFN_END		(GFN_BASE + NR_GFNS)
#define GFN_NONE	(GFN_END + 7)	/* no RAM */
#define GFN_RING	(GFN_END - 80)	/* from here on the fixtures give no frames */

/* --- faults on demand, and what the core has not given back -------------------------------- */

struct env {
	u64 calls;		/* allocations asked for */
	u64 fail_at;		/* this one fails; 0: none */
	u64 fail_times;		/* so many from fail_at on */
	u64 failed;		/* how many did */
	/* live now */
	u64 structs, xstates, hashes, map_entries, pins;
	GHashTable *pages;	/* the set of host pages given to the core */
	u64 page_count;		/* its size */
	bool shown;		/* the secrets of a HAP that may be debugged may be anywhere */
};

extern struct env env;

/* n == 0: nothing fails any more. */
void fail_allocation(u64 n, u64 times);

/* The next calls of the core into the guest's memory fail with -EFAULT from the nth on. */
struct guest;
void fail_guest(struct guest *g, u64 nth, u64 times);

/* --- the machine ------------------------------------------------------------------------------ */

struct tlb_entry {
	u64 va;
	void *page;		/* host page, private, zero, or a slot page */
	bool w, x;
	u64 gen;
	struct ink_hap *hap;
};

struct cpu {
	struct ink_hap *hap;	/* it is in this HAP's trusted context */
	struct ink_thread *thread;
	struct ink_regs regs;
	GArray *tlb;		/* of struct tlb_entry, all HAPs together */
};

struct guest {
	struct ink_vm vm;
	bool locked;
	u8 *slot;		/* NR_GFNS pages */
	bool absent[NR_GFNS];	/* the slot page was taken away */
	bool ram_everywhere;	/* ink_guest_has() says yes to any frame */
	bool npt[NR_GFNS];	/* the nested page table maps it: the kernel reaches it freely */
	u32 pins[NR_GFNS];
	u8 key[32];
	GHashTable *versions;	/* nonces used so far */
	struct cpu cpu[NR_CPUS];
	bool seal_fails;	/* and leaves plaintext where ciphertext should be */
	u64 guest_calls, guest_fail_at, guest_fail_times;
	u64 writes, zaps, flushes, signals, seals, unseals;
	/*
	 * Another vCPU of the guest, at work while the core is: called when the core is about
	 * to take something from the guest (before) or has taken it (after).
	 */
	void (*race)(struct guest *g, u64 gfn, bool after);
	u64 next_cr3;
	u64 attributes;		/* of the HAPs that hap_build() makes */
};

extern const struct kvm_inktag_limits roomy;

struct guest *guest_new(const struct kvm_inktag_limits *limits);
/* Destroys the VM and fails the test if anything was not given back. */
void guest_free(struct guest *g);
/* After the last guest of a test: the core has given everything back. */
void nothing_leaked(void);

u8 *slot_page(struct guest *g, u64 gfn);
bool is_ram(struct guest *g, u64 gfn);

/* Structure, nested page table, TLBs, pins, private frames: everything that must hold always. */
void guest_check(struct guest *g);
/* valid.c: the invariants of the structure alone. vm_pt_count(): present entries; adds the number of tables to *tables. */
bool vm_is_valid(struct ink_vm *vm);
u64 vm_pt_count(const u64 *root, u64 *tables);
/* I1: the secret is in none of the slot pages. */
void guest_check_secrecy(struct guest *g);

/* Everything that the core knows about g, byte by byte; equal snapshots: nothing changed. */
GByteArray *snapshot(struct guest *g);
/* Fails the test if the snapshot taken before differs from the present, and frees it. */
void unchanged(struct guest *g, GByteArray *before);

/* Calls that must change nothing but return an error. */
#define REFUSED(g, expected, call) do {					\
	GByteArray *_before = snapshot(g);				\
	ck_assert_int_eq((call), (expected));				\
	unchanged(g, _before);						\
	guest_check(g);							\
} while (0)

/* --- content ------------------------------------------------------------------------------------ */

#define SECRET "top secret: InkTag unit"	/* stands in each page that secret_fill() made */

/* A page full of the secret and of n, so that different n are different pages. */
void secret_fill(void *page, u64 n);
bool secret_is(const void *page, u64 n);
bool has_secret(const void *p, size_t len);
bool is_zero(const void *p, size_t len);

/* --- the guest kernel ----------------------------------------------------------------------- */

/* Reach gfn as the untrusted context does: through the nested page table, faulting. */
u8 *k_page(struct guest *g, u64 gfn);
/* The kernel's write of a whole page, and a device's, which asks no nested page table. */
void k_write(struct guest *g, u64 gfn, const void *page);
void dev_write(struct guest *g, u64 gfn, const void *page);

/* Registers a ring for cpu at its fixed place, and writes an entry to it. */
void k_ring(struct guest *g, u32 cpu);
void k_report(struct guest *g, u32 cpu, u64 seq, u32 hap, u32 op, u64 va, u32 prot, u64 arg,
	      u32 token);
u64 ring_gpa(u32 cpu);
struct inktag_ring_hdr *ring_hdr(struct guest *g, u32 cpu);

/* --- a HAP ------------------------------------------------------------------------------------- */

enum { T_ARRAY, T_CODE, T_DATA, T_RO, T_ARENA, T_OTHER, T_RWX, T_ALIAS, T_FREE, NR_TOKENS };

#define CODE_VA		0x400000UL
#define CODE_PAGES	16
#define DATA_VA		0x800000UL
#define DATA_PAGES	32
#define RO_VA		0xa00000UL
#define OTHER_VA	0xc00000UL
#define RWX_VA		0xe00000UL
#define ALIAS_VA	0x1000000UL	/* shows the same object pages as DATA_VA */
#define FREE_VA		0x1200000UL	/* no descriptor */
#define SER_CODE	1
#define SER_DATA	2
#define SER_RO		3
#define SER_OTHER	5
#define SER_RWX		6
#define STUB		(INKTAG_ARENA_BASE)
#define USTACK		(INKTAG_ARENA_BASE + 0x8000)
#define ENTRY		(CODE_VA + 0x40)
#define STACK		(DATA_VA + DATA_PAGES * PAGE - 64)

extern const struct inktag_desc descs[NR_TOKENS];

/* A translation that names for each page of [va, ...) the frames from gfn on. */
struct linear {
	struct guest *g;
	u64 va, gfn, npages;
	u64 calls;
	u64 move_at;		/* this call, counted from 1, answers another frame */
	u64 again_at;		/* this one says -EAGAIN */
};

int linear(void *ctx, u64 va, u64 *gfn);

/*
 * A HAP with the descriptors above, one page of code added from CODE_GFN and started on cpu.
 * Its array is held by ARRAY_GFN.
 */
#define ARRAY_GFN	(GFN_BASE + 1)
#define CODE_GFN	(GFN_BASE + 2)
#define FIRST_GFN	(GFN_BASE + 8)	/* tests take frames from here on */

struct ink_hap *hap_build(struct guest *g, u64 array_gfn, u64 code_gfn);
struct ink_thread *hap_start(struct guest *g, struct ink_hap *hap, u32 cpu);
struct ink_hap *hap_launch(struct guest *g, u32 cpu);

/*
 * The HAP on cpu makes one access. From the vCPU's cache if it is there, otherwise from the
 * trusted page table, otherwise judged by the core. *page is what the hardware would use.
 */
struct access {
	enum ink_verdict verdict;
	void *page;
	u64 ask_va;
	u32 ask_access;
};

struct access hap_access(struct guest *g, u32 cpu, u64 va, u32 access);

/* The kernel has put gfn at va (a hint, without a ring), then the HAP accesses it. */
struct access hap_access_at(struct guest *g, u32 cpu, u64 va, u32 access, u64 gfn, u32 token);
void k_hint(struct ink_hap *hap, u64 va, u64 gfn, u32 prot, u32 token);

/* Must succeed. */
void hap_write(struct guest *g, u32 cpu, u64 va, u64 gfn, u32 token, u64 n);
void hap_reads(struct guest *g, u32 cpu, u64 va, u64 n);
void hap_reads_zero(struct guest *g, u32 cpu, u64 va);

/* As the glue does when a vCPU enters or leaves the trusted context. */
void cpu_enter(struct guest *g, u32 cpu, struct ink_thread *t);
void cpu_suspend(struct guest *g, u32 cpu, enum ink_thread_state state);
int cpu_resume(struct guest *g, u32 cpu, u64 handle, u64 cr3, u64 rax);
/*
 * INKTAG_HC_CLONE by the HAP on cpu, with clone_regs, as the glue makes it. 0: the thread has left for its system
 * call. Else it goes on.
 */
extern const struct ink_clone clone_regs;
int hap_clone(struct guest *g, u32 cpu, bool process, u64 *handle);

/*
 * Must succeed: the HAP on cpu makes a process, or a thread, that starts on child_cpu, the process in an address
 * space of its own; then the maker comes back.
 */
struct ink_hap *hap_fork(struct guest *g, u32 cpu, u32 child_cpu);
struct ink_thread *hap_thread(struct guest *g, u32 cpu, u32 child_cpu);

/* INKTAG_HC_THREAD_EXIT of a thread that is not the last one. */
void cpu_thread_exit(struct guest *g, u32 cpu);

/* The kernel's signal to the thread, and its end. */
int cpu_signal(struct guest *g, u32 cpu, u64 handle, u64 cr3, u64 rsp, const u64 args[3]);
void cpu_signal_return(struct guest *g, u32 cpu);

/* The glue's end of a HAP: all vCPUs leave its trusted context. */
void hap_kill(struct guest *g, struct ink_hap *hap);

/* The oldest violation is this one. */
void expect_violation(struct guest *g, u32 hap, u32 check, u64 va, u64 gfn, u64 arg);
void expect_no_violation(struct guest *g);

/* --- store.c: the VMM's metadata store, as far as the core can tell ----------------------------------- */

struct store *store_new(void);
void store_free(struct store *st);
/* Answers all requests of g's. Returns how many there were. */
u32 store_serve(struct store *st, struct guest *g);
/* What the next request of this kind is refused with; -EINVAL: it is answered with nonsense. */
void store_refuse(struct store *st, u32 op, int err);
/* A file of this OID, which has this many names. */
void store_add(struct store *st, const u64 oid[2], u64 names);
void store_names(struct store *st, const u64 oid[2], u64 names);
bool store_has(struct store *st, const u64 oid[2]);
u64 store_length(struct store *st, const u64 oid[2]);
/* Versions that are accepted of the page. */
u32 store_versions(struct store *st, const u64 oid[2], u64 index);
/* The VM was started anew, or reset. */
void store_restart(struct store *st);
void store_remove(struct store *st, const u64 oid[2]);
/* So many versions are handed out at one time. */
void store_give(struct store *st, u64 versions);
/* Requests served, by kind. */
u32 store_count(struct store *st, u32 op);

#define SPAGE(hap, serial, index) ink_spage_find(hap, serial, index)

extern u64 seed;	/* of the random tests */

/* --- the suites ----------------------------------------------------------------------------- */

TCase *unit_case(const char *noun);
Suite *suite_env(void);
Suite *suite_vm(void);
Suite *suite_spage(void);
Suite *suite_pt(void);
Suite *suite_desc(void);
Suite *suite_ring(void);
Suite *suite_resolve(void);
Suite *suite_hap(void);
Suite *suite_thread(void);
Suite *suite_share(void);
Suite *suite_object(void);
Suite *suite_file(void);
Suite *suite_clone(void);
Suite *suite_signal(void);
Suite *suite_exec(void);
Suite *suite_debug(void);
Suite *suite_twin(void);
Suite *suite_hostile(void);

#endif
