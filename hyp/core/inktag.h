/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inktag.h - the architecture of the core, on one page. Read this first.
 *
 * The core is the part of the hypervisor that decides: which page of which object stands in
 * which frame, and who may see it. It knows neither KVM nor SVM (env.h is all it needs), so
 * the same sources run in the module and in the unit tests.
 *
 *   vm      one protected VM: its HAPs, its held frames, its rings, its limits
 *   hap     one protected process: trusted page table, hints, objects, threads
 *   object  pages by index; serial 0 is the descriptor array
 *   file    an object that the VM has, and each HAP that opened it; what is right of its pages the metadata
 *           store says, which the VMM has (file.c, store.c; docs/files.md)
 *   spage   one 4 KiB page of an object, with everything that is known about it. After a fork the
 *           objects of both HAPs have it, until one of them writes to it
 *   thread  the registers of a HAP's thread while it is out of the trusted context
 *   hint    what the kernel reported for an address: (gfn, prot, token). Never trusted
 *
 * States of a frame (gfn):   ordinary  ->  held by one spage  ->  ordinary
 * States of a spage:
 *
 *   ABSENT   never written, or dropped: reads as zeros. Has no struct ink_spage
 *   DIRTY    in plaintext in a private frame; gfn held; the slot page is stale
 *   CLEAN    in plaintext, read-only; gfn held; the slot page's ciphertext still has this tag
 *   CLOAKED  ciphertext, wherever the kernel put it; (version, tag) say what it must be
 *            Both of version 0: never written. It is zeros, whatever the kernel has kept of it
 *
 *   absent_bind_clean()     first access           cloaked_open_clean()   first access again
 *   absent_load_dirty()     launch                 clean_write_dirty()    first write, first write again
 *   dirty_seal_cloaked()    the kernel touched it  clean_shut_cloaked()   the kernel touched it
 *   any_drop_absent()       the HAP gave it up, or ended
 *
 * A file's DIRTY page is sealed under a version of the store's, which then learns it: it is UNANNOUNCED from the write
 * on until it is in the store. One whose data on the disk may be of several versions, after a crash, has a `doubt`.
 *
 * A spage of several objects is never mapped writable. Before a HAP writes to it, it gets one of its own:
 *
 *   shared_copy_dirty()     in a new frame: the kernel's copy-on-write
 *   shared_take_dirty()     in the same frame: the others' becomes CLOAKED
 *
 * States of a HAP:     BUILDING -> RUNS -> ENDED (from BUILDING, too)
 * States of a thread:  NEW -> RUNNING <-> SYSCALL | FAULT | INTERRUPT;  gone when it or its HAP ends
 *
 * One lock per VM (kvm_inktag.lock in hyp/kvm/glue.h) is held in every function below unless it
 * says "no lock". It protects everything in struct ink_vm and what hangs on it. Lock order: this
 * lock, then KVM's mmu_lock. A page fault of QEMU's may be taken under it.
 *
 * Invariants of the structure (tests/unit/valid.c checks them after each step of the tests):
 *
 *   V1  vm->held maps gfn to s  <=>  s is DIRTY or CLEAN and s->gfn == gfn.
 *   V2  A private frame belongs to exactly one spage, DIRTY or CLEAN, and is in no memory slot.
 *   V3  The trusted page table of a HAP maps va to a private frame if and only if that frame's spage
 *       has a struct ink_mapping that says so; at most one for each HAP. It is writable only
 *       if the spage is DIRTY and has one reference.
 *   V4  Each present entry of the trusted page table has a hint for its address.
 *   V5  Between removing or restricting an entry and freeing, encrypting or unpinning what it
 *       mapped stands ink_hap_flush().
 *   V6  A thread is RUNNING on exactly one vCPU, or not RUNNING on any.
 *   V7  What is allocated is counted: frames <= limits.frames, records <= INK_RECORDS(limits).
 *   V8  A spage has as many references as there are pages of objects that it is. A file's has one.
 *   F1 to F5: docs/files.md
 *
 * Every function that changes something validates first; after its first change it cannot
 * fail for a reason that a caller causes. Functions return 0 or a negated errno.
 */
#ifndef INK_INKTAG_H
#define INK_INKTAG_H

#include "env.h"
#include "inktag/abi.h"

/* --- structures ------------------------------------------------------------------------------ */

struct ink_file;

enum ink_spage_state { INK_DIRTY = 1, INK_CLEAN, INK_CLOAKED };

/* CLOAKED, of a file: any of these may be on the disk. */
struct ink_doubt {
	u32 count;
	bool zeros;		/* or zeros */
	bool stale;		/* with zeros: data that was cut off may be there; what is no version counts as zeros */
	struct kvm_inktag_record v[KVM_INKTAG_VERSIONS];
};

struct ink_mapping {
	struct ink_hap *hap;	/* NULL: none */
	u64 va;
	struct ink_mapping *next;
};

struct ink_spage {
	struct ink_vm *vm;
	u32 refs;
	bool shown;		/* a debuggable HAP's: CLOAKED in name only, in plaintext and not verified */
	enum ink_spage_state state;
	u64 gfn;		/* DIRTY, CLEAN: the held frame */
	void *frame;		/* DIRTY, CLEAN: the private frame */
	struct ink_mapping map;	/* DIRTY, CLEAN: where it is mapped; the first of a list */
	struct ink_seal_id id;	/* whose page it was first. id.version: CLEAN, CLOAKED: the nonce it was
				 * sealed under; 0: none, and the page is zeros */
	u8 tag[INK_TAG_SIZE];	/* CLEAN, CLOAKED */
	struct ink_file *file;	/* whose page it is; NULL: a HAP's memory. The rest is a file's: */
	u64 written;		/* when it became DIRTY first since it was announced: its key in file->unannounced; 0: it is */
	u64 again;		/* likewise, since the request that is under way; 0: not */
	bool asked;		/* the request under way announces it */
	u64 ticket;		/* its newest version was prepared under this one, or before it; 0: it is settled, if there is one */
	u64 outgoing;		/* its frame in vm->outgoing, plus 1; 0: it is not there */
	bool ungiven;		/* no device was given the newest version that the store knows */
	u64 device;		/* the version that one was given last; 0: none since the page is here */
	struct ink_doubt *doubt;	/* CLOAKED: id.version and tag are none then. NULL: no doubt */
	bool lost;		/* CLOAKED: it was none of its versions */
};

struct ink_object {
	struct ink_map pages;	/* index -> struct ink_spage, a reference each */
	u64 nr_pages;		/* an object without pages is not kept, unless it is shared */
	bool shared;		/* by fork: several HAPs have this very object */
	u32 refs;		/* HAPs that have it */
	struct ink_file *file;	/* it is this file's, and shared; NULL: memory */
};

struct ink_file {
	struct ink_vm *vm;
	struct ink_object obj;	/* its refs may be 0 */
	u64 nr;			/* in vm->files */
	u64 oid[2];
	struct ink_key *key;
	u64 names;
	u64 length;
	u64 stored;		/* the newest length that the store has */
	u64 cut;		/* records of pages from here on are not valid any more; U64_MAX: all are */
	u64 cut_ticket;		/* from which on the store knows of the cut; 0: it does not */
	u64 reach;		/* no page from this one on was ever written */
	u64 stale;		/* of the pages below this one the disk may have what no record describes */
	u64 told;		/* up to where the store has been told so */
	u64 version, versions;	/* the next one to be used, and how many there are from it on */
	u32 salt;
	u64 nr_dirty;		/* F2: <= versions */
	u64 writes;		/* the last `written` */
	u64 nr_outgoing;	/* pages in vm->outgoing */
	struct ink_map unannounced;	/* written -> struct ink_spage */
	struct ink_map known;	/* index / KVM_INKTAG_FETCH, of what the records are here -> ink_map_value(1) */
	u64 ticket, settled;	/* of the last prepare; up to which one the data are durable */
	u32 opener;		/* refs is 0, because this HAP has not come back for it yet; else 0 */
	bool leaving;		/* refs is 0, and the store has to be told */
	bool left;		/* it was told */
	u32 failed_op;		/* the store refused this request, for the next who would make it */
	int failed;
};

/* Which access is judged. Bits as in INKTAG_PROT_*: exactly one of them. */
#define INK_READ	INKTAG_PROT_READ
#define INK_WRITE	INKTAG_PROT_WRITE
#define INK_EXEC	INKTAG_PROT_EXEC

/* Index into ink_regs.gpr: the hardware's encoding, as in KVM's VCPU_REGS_*. */
enum { INK_RAX, INK_RCX, INK_RDX, INK_RBX, INK_RSP, INK_RBP, INK_RSI, INK_RDI,
       INK_R8, INK_R9, INK_R10, INK_R11, INK_R12, INK_R13, INK_R14, INK_R15, INK_NR_GPR };

struct ink_regs {
	u64 gpr[INK_NR_GPR];
	u64 rip;
	u64 rflags;
	u64 fsbase;
	u64 gsbase;
};

#define INK_RFLAGS_USER	0x202ULL	/* interrupts on, and the bit that is always 1 */

enum ink_thread_state { INK_NEW, INK_RUNNING, INK_SYSCALL, INK_FAULT, INK_INTERRUPT };

/* What a suspended thread comes back to. */
struct ink_return {
	enum ink_thread_state state;
	struct ink_regs regs;
	u64 fault_va;		/* FAULT, and INTERRUPT by INKTAG_LOST_VECTOR: the address; otherwise 0 */
	u32 fault_access;	/* FAULT: INK_READ, INK_WRITE or INK_EXEC; otherwise 0 */
	u32 vector;		/* INTERRUPT: by this exception, or INKTAG_NO_VECTOR */
	u64 child;		/* SYSCALL: handle of the thread that it prepared; 0: none */
	u64 ustack;		/* the untrusted context's RSP */
};

_Static_assert(INK_SYSCALL == (int)INKTAG_CAUSE_SYSCALL && INK_FAULT == (int)INKTAG_CAUSE_FAULT &&
	       INK_INTERRUPT == (int)INKTAG_CAUSE_INTERRUPT, "the states that the shim sees");

#define INK_CHILD_STARTED	U64_MAX		/* as `child`: no handle */

struct ink_thread {
	struct ink_hap *hap;
	u64 handle;		/* public: hap id << 32 | number of the thread */
	u64 maker;		/* handle of the thread that prepared it; 0: the HAP's first, or it has started */
	enum ink_thread_state was;	/* RUNNING: the state before */
	struct ink_return ret;	/* ret.state is the thread's. The rest is valid unless RUNNING */
	void *xstate;		/* valid unless RUNNING; ink_xstate_alloc() */
	bool forking;		/* it prepared a process: counted in hap->forks */
	u64 signal_rip;		/* its signal entry; 0: none */
	u64 signal_rsp;
	bool in_signal;		/* since the entry, until the return: */
	struct ink_return aside;	/* what the signal interrupted */
	u64 signal_ustack;	/* the untrusted RSP when it came */
	struct ink_asked {	/* the request to the store that it made in its own name: names, open */
		u64 call[4];	/* what it asked; call[0]: the hypercall, 0: nothing */
		bool answered;
		int result;
		u64 value[4];
	} asked;
};

#define INK_MAX_UNPIN	64

#define INK_NO_CR3	U64_MAX

enum ink_hap_state { INK_BUILDING, INK_RUNS, INK_ENDED };

struct ink_hap {
	struct ink_vm *vm;
	u32 id;			/* never reused in this VM */
	u32 line;		/* the HAP that its line began with: by fork, and by exec from HAP to HAP */
	u32 pid;		/* the guest kernel's claim; for reports only */
	u64 attributes;		/* INKTAG_ATTR_* */
	enum ink_hap_state state;	/* ENDED is read without lock */
	u32 refs;		/* vm->haps, and each vCPU that is in its trusted context */
	u64 cr3;		/* the address space it was made in, without PCID bits; or INK_NO_CR3 */
	struct ink_hap *maker;	/* it was prepared by this one, and ends with it: it has not started, nor was its
				 * maker told that the kernel has made it */
	u64 stub;
	u64 *root;		/* trusted page table: 4 levels; kernel half empty */
	u64 tlb_gen;		/* raised when an entry is removed or restricted. Read without lock */
	u32 forks;		/* threads that have prepared a process, which has not started, and have not
				 * come back yet */
	bool accused;		/* its shim reported a violation, and is about to end it */
	bool unflushed;		/* entries were removed since the last ink_hap_flush() */
	u64 unpin[INK_MAX_UNPIN];	/* slot pages that these mapped: unpinned after the flush */
	u32 nr_unpin;
	struct ink_map hints;	/* va >> 12 -> packed hint */
	struct ink_map objects;	/* serial -> struct ink_object */
	struct ink_map threads;	/* number -> struct ink_thread; freed with the structure */
	u32 nr_threads;
	u32 last_thread;	/* numbers are never reused in this HAP */
	struct ink_hash *hash;	/* BUILDING: the measurement so far */
	u8 measurement[INKTAG_MEASUREMENT_SIZE];
};

struct ink_ring {
	u64 gpa;		/* of the header page; 0: none */
	u32 log2;		/* entries */
	u32 head;		/* free-running; authoritative */
	u32 shown;		/* head as last written to the ring */
	u32 tail;		/* as last read in a drain */
	u32 seen;		/* tail at the first look of a drain */
	struct inktag_ring_entry next;	/* the entry at head, copied once, if head != tail */
};

struct ink_stats {
	u64 cloaks;		/* spages that became CLOAKED */
	u64 uncloaks;		/* CLOAKED spages that were opened */
	u64 zero_maps;		/* ABSENT pages mapped to the page of zeros */
	u64 hints;		/* ring entries applied */
	u64 bad_reports;	/* ring entries ignored: out of range, no such HAP, no memory */
	u64 execs;		/* HAPs that ended in exec */
	u64 execs_kept;		/* HAPs that followed one by exec */
	u64 violations;
};

/* A HAP that ended in exec: the next in its process may be of its line. */
struct ink_exec {
	u32 hap;	/* 0: none */
	u32 line;
};

#define INK_EXECS	64	/* remembered; a VM that has more of them at one time loses lines */

#define INK_MAX_VCPUS	64	/* rings; a VM with the extension cannot have more vCPUs */

/* The one request to the store that there may be: made for whoever needs the answer, who waits, and tries again. */
enum ink_request_state { INK_REQUEST_NONE, INK_REQUEST_MADE, INK_REQUEST_TAKEN };

/* Records (hints and spages) that a VM may have: metadata of swapped-out pages included. */
#define INK_RECORDS(limits)	((limits)->frames * 4)

struct ink_vm {
	struct kvm_inktag_limits limits;
	struct ink_map haps;	/* id -> struct ink_hap; ENDED ones are not in it */
	struct ink_map held;	/* gfn -> struct ink_spage. Looked up without lock, too */
	struct ink_ring rings[INK_MAX_VCPUS];
	u32 rings_end;		/* no ring is set from here on */
	void *zero;		/* one page of zeros, mapped read-only for ABSENT pages */
	void *bounce;		/* one page: ciphertext on its way between slot and frame */
	u32 nr_haps;
	u32 last_hap;
	struct ink_exec execs[INK_EXECS];
	u32 next_exec;
	u64 last_version;	/* of the sealed pages: never repeats under the VM's key */
	u64 frames;		/* host pages in use: private frames, trusted page tables, pins */
	u64 records;
	u64 nr_held;
	u64 nr_threads;
	struct ink_stats stats;
	struct kvm_inktag_violation log[KVM_INKTAG_VIOLATIONS];
	u32 log_first, log_count, log_lost;
	struct ink_map files;	/* number -> struct ink_file */
	u64 last_file, nr_files;
	struct ink_map outgoing;	/* gfn -> struct ink_spage: of a file, was written there, and no device was given it since */
	enum ink_request_state request_state;
	u64 request_thread;	/* the handle of the thread that gets the answer; 0: none */
	struct kvm_inktag_store request;	/* the id stays when it is answered */
};

/* --- vm.c: the VM ------------------------------------------------------------------------- */

/* limits were checked against the module's. vm is zeroed by the caller. -ENOMEM: nothing is left. */
int ink_vm_init(struct ink_vm *vm, const struct kvm_inktag_limits *limits);

/* Ends all HAPs, withdraws all rings. Afterwards nothing is held. */
void ink_vm_reset(struct ink_vm *vm);

/* No vCPU is in a trusted context any more. Afterwards frames, records and held are 0. */
void ink_vm_destroy(struct ink_vm *vm);

/* An attack on hap was found: counts and logs it. The caller then ends hap. gfn: ~0 if none. */
void ink_violation(struct ink_hap *hap, enum inktag_check check, u64 va, u64 gfn, u64 arg);

/*
 * INKTAG_HC_VIOLATION: hap's own shim found one. -EINVAL: not a check of the shim's; -EALREADY: it
 * said so before, and the caller ends hap now.
 */
int ink_accuse(struct ink_hap *hap, u64 check, u64 va, u64 arg);

/* The oldest violation logged, removed from the log. -ENODATA: none. */
int ink_violation_next(struct ink_vm *vm, struct kvm_inktag_violation *out);

/* Counted host memory. ink_frame_free() clears the page. -> NULL, or -ENOSPC at the limit. */
void *ink_frame_alloc(struct ink_vm *vm);
void ink_frame_free(struct ink_vm *vm, void *frame);
/* A slot page pinned for one trusted mapping counts as a frame, too. -ENOSPC, else as ink_guest_pin(). */
int ink_slot_pin(struct ink_vm *vm, u64 gfn, u64 *pa);
void ink_slot_unpin(struct ink_vm *vm, u64 pa);

int ink_record_charge(struct ink_vm *vm);	/* -ENOSPC */
void ink_record_uncharge(struct ink_vm *vm);

/* --- spage.c: the transitions of a page. All: V1, V2, V3, V5 ---------------------------------- */

/* The spage, or NULL if it is ABSENT. */
struct ink_spage *ink_spage_find(struct ink_hap *hap, u64 serial, u64 index);

/*
 * absent -> CLEAN, bound to gfn, all zeros, of version 0; or DIRTY, with the slot page's present content (launch).
 * -ENOSPC, -ENOMEM; -EBUSY: gfn is held; -EFAULT: gfn is not RAM. I2.
 */
int absent_bind_clean(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out);
int absent_load_dirty(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out);

/*
 * CLOAKED -> CLEAN: gfn holds the ciphertext, if the page was ever written. -EBADMSG: it does not (I2). Others as above;
 * on error nothing changed.
 */
int cloaked_open_clean(struct ink_spage *s, u64 gfn);

/* CLEAN -> DIRTY. The caller may then map it writable. -ENOMEM: of a file's page. It has a version for it: ink_file_ready(). */
int clean_write_dirty(struct ink_spage *s);

/*
 * DIRTY -> CLOAKED: a fresh version is sealed into the slot page; CLEAN -> CLOAKED: the slot
 * page has it already. I1: the trusted mapping is gone and flushed before the frame is read.
 */
void dirty_seal_cloaked(struct ink_spage *s);
void clean_shut_cloaked(struct ink_spage *s);

/* Of these the one that s needs, if it is not CLOAKED. */
void ink_spage_cloak(struct ink_spage *s);

/* DIRTY, CLEAN, CLOAKED -> ABSENT; without references it is freed. The slot page is left as it is. */
void any_drop_absent(struct ink_hap *hap, u64 serial, u64 index);

/*
 * The page, which other objects have too, becomes one of hap's alone; *out: the new spage. -ENOSPC,
 * -ENOMEM: nothing changed.
 * copy: a DIRTY or CLEAN one is copied to a new frame, bound to gfn. -EBUSY, -EFAULT as hold().
 * take: it keeps the frame. What the others have is sealed into the slot page first.
 */
int shared_copy_dirty(struct ink_hap *hap, u64 serial, u64 index, u64 gfn, struct ink_spage **out);
int shared_take_dirty(struct ink_hap *hap, u64 serial, u64 index, struct ink_spage **out);

/* s, which is not mapped in hap, stands at va from now on. Errors as ink_pt_map(). */
int ink_spage_map(struct ink_spage *s, struct ink_hap *hap, u64 va, u32 prot);
/* Where s is mapped in hap; NULL: it is not. */
struct ink_mapping *ink_spage_mapping(struct ink_spage *s, struct ink_hap *hap);
/* hap's page table entry for s is gone. */
void ink_spage_unmapped(struct ink_spage *s, struct ink_hap *hap);

/*
 * fork: child, which has none, gets hap's shared objects, and references to all pages of all others, to which hap
 * loses the right to write. -ENOSPC, -ENOMEM: child has some of them.
 */
int ink_objects_fork(struct ink_hap *hap, struct ink_hap *child);

/* Drops the pages index to last of an object that is no HAP's alone. */
void ink_object_clear(struct ink_object *obj, u64 index, u64 last);

/* A new, CLOAKED page of an object of the VM's. -ENOSPC, -ENOMEM. */
int ink_object_add(struct ink_object *obj, u64 index, struct ink_spage **out);

/* Drop count pages of a private object from index on. Returns how many there were. */
u64 ink_object_drop(struct ink_hap *hap, u64 serial, u64 index, u64 count);

/* INKTAG_HC_SHARE: -EINVAL, -EEXIST, -ENOSPC, -ENOMEM; giving it up: -ENOENT. */
int ink_object_share(struct ink_hap *hap, u64 serial);
int ink_object_leave(struct ink_hap *hap, u64 serial);
/* Has hap a shared object of this serial? */
bool ink_object_is_shared(struct ink_hap *hap, u64 serial);
/* The file whose object this is; NULL: none's. */
struct ink_file *ink_object_file(struct ink_hap *hap, u64 serial);

/* The untrusted context touches gfn: cloaks what holds it. Afterwards gfn is ordinary. */
void ink_gfn_touch(struct ink_vm *vm, u64 gfn);

/* A gfn that the core takes: what a hint can hold. */
#define INK_GFN_END	(1ULL << 40)

/* Is any frame of [gfn, gfn + count) held? No lock. */
bool ink_gfn_is_held(struct ink_vm *vm, u64 gfn, u64 count);

/* --- file.c: protected files. In a VM without a store: -EOPNOTSUPP --------------------------------- */

/*
 * -EINPROGRESS of a function here: the store was, or must first be, asked; wait until there is no request, and call again.
 * -EIO and what else the store may say: for the next one who makes this request.
 */

/* The pages that a file of this length has. */
static inline u64 ink_pages_of(u64 length)
{
	return (length + INKTAG_PAGE_SIZE - 1) >> INKTAG_PAGE_SHIFT;
}

/* INKTAG_HC_FILE_OPEN, FILE_LENGTH, FILE_SYNC: as hypercall.h has them. */
int ink_file_open(struct ink_thread *t, u64 serial, const u64 oid[2]);
s64 ink_file_length(struct ink_hap *hap, u64 serial, u64 op, u64 value);
s64 ink_file_sync(struct ink_hap *hap, u64 serial, u64 op, u64 value);

struct ink_io {
	u64 gfn, count;
	bool flushed;		/* what the disk was given of their pages before is durable */
};

/* INKTAG_HC_BEFORE_IO */
int ink_before_io(struct ink_vm *vm, u64 gfn, u64 count, u64 step);

/*
 * What is needed to judge an access to the page: its record, and for a write a version (F2). Others: -ENOSPC, -ENOMEM.
 * Of a page in doubt: which version is in frame gfn. -EFAULT, -ENOSPC.
 */
int ink_file_ready(struct ink_file *file, u64 index, u32 access);
int ink_file_recover(struct ink_spage *s, u64 gfn);

/* For spage.c: s is going to be DIRTY (-ENOMEM); gets its version, sealed now; is no more. */
int ink_file_written(struct ink_spage *s);
void ink_file_sealed(struct ink_spage *s);
void ink_file_forget(struct ink_spage *s);
/* No HAP has it any more, or the one that was about to. */
void ink_file_left(struct ink_file *file);
void ink_files_left(struct ink_hap *opener);
/* Records that can be had again make room for others. */
void ink_files_evict(struct ink_vm *vm);
/* Files that nobody has any more, and that stay only for their last writeback. */
void ink_files_free_left(struct ink_vm *vm);
void ink_files_free(struct ink_vm *vm);

/* For store.c: the answers. new: -ENOSPC, -ENOMEM, -EINVAL; fetched: -ENOSPC, -ENOMEM, -EINVAL; prepared: -EINVAL. */
struct ink_file *ink_file_find(struct ink_vm *vm, const u64 oid[2]);
int ink_file_new(struct ink_vm *vm, const u64 oid[2], const struct kvm_inktag_store *a, struct ink_file **out);
int ink_file_fetched(struct ink_file *file, u64 chunk, const struct kvm_inktag_record *r, u32 count);
int ink_file_prepared(struct ink_file *file, const struct kvm_inktag_store *r, u64 ticket);
void ink_file_settled(struct ink_file *file, u64 ticket);
/* The request to announce failed. */
void ink_file_refused(struct ink_file *file, const struct kvm_inktag_store *r);
/* Does the store know the length, and what else concerns the end of the file, as far as it need not be durable? */
bool ink_file_end_is_stored(const struct ink_file *file);
int ink_file_cleared(struct ink_file *file, const struct kvm_inktag_store *r, u64 ticket);
void ink_file_found(struct ink_file *file, const struct kvm_inktag_record *r);
void ink_file_released(struct ink_file *file, u64 names);

/* --- store.c: requests to the store, and its answers. Only one at a time -------------------------------- */

/* INKTAG_HC_FILE_NAME; *answer: oid, length, names. */
int ink_file_name(struct ink_thread *t, u64 op, u64 va, u64 len, u64 answer[4]);

/* -> -EINPROGRESS, or the error of one that was made before. */
int ink_ask_open(struct ink_thread *t, u64 serial, const u64 oid[2]);
int ink_ask_reserve(struct ink_file *file);
int ink_ask_fetch(struct ink_file *file, u64 chunk);
int ink_ask_settle(struct ink_file *file, u64 ticket);
int ink_ask_clear(struct ink_file *file);
/* found: version 0: zeros, or nothing if it is LOST. */
int ink_ask_resolve(struct ink_file *file, const struct kvm_inktag_record *found);
/*
 * All that was written up to mark is sealed now, but for pages beyond the length, and announced as far as one request
 * goes; with the length. 0: there is nothing to announce. any: make the request also if there is no page. -EBUSY: the store
 * has too many versions of a page.
 *
 * io, or NULL: frames that a device is about to read. Their pages come first, and others only so far as the store has room
 * for them in any case: what is announced and never given to the disk must not be in the way of what is.
 */
int ink_ask_prepare(struct ink_file *file, u64 mark, bool any, const struct ink_io *io);
/* Files that nobody has any more: if there is no request, it is about one of them. */
void ink_ask_release(struct ink_vm *vm);

/* KVM_INKTAG_REQUEST, KVM_INKTAG_ANSWER: -ENODATA; -ESTALE, -EINVAL. The request stays the core's. */
int ink_store_take(struct ink_vm *vm, const struct kvm_inktag_store **request);
int ink_store_answer(struct ink_vm *vm, const struct kvm_inktag_store *answer);
void ink_store_reset(struct ink_vm *vm);

/* --- pt.c: the trusted page table (4 levels, 4 KiB pages) ---------------------------------- */

enum ink_pt_kind {
	INK_PT_PRIVATE,		/* a spage's private frame */
	INK_PT_ZERO,		/* vm->zero */
	INK_PT_PINNED,		/* a slot page, pinned once for this entry */
};

/* Map va (page-aligned, below INKTAG_USER_END) with prot; what was there must be cleared
 * first, or be the same page with less prot. -ENOSPC, -ENOMEM. */
int ink_pt_map(struct ink_hap *hap, u64 va, u64 pa, u32 prot, enum ink_pt_kind kind);

/* The leaf entry for va, 0 if not present. */
u64 ink_pt_get(struct ink_hap *hap, u64 va);

/* Of a leaf entry; all false or 0 for one that is not present. */
bool ink_pt_is(u64 pte, enum ink_pt_kind kind);
bool ink_pt_allows(u64 pte, u32 access);
bool ink_pt_writable(u64 pte);
u64 ink_pt_pa(u64 pte);

/* Clear va's entry, if there is one; the spage that was mapped there forgets va. Flushing is
 * left to the caller (V5). */
void ink_pt_clear(struct ink_hap *hap, u64 va);

/* Frees the tables. Nothing is mapped any more, and no vCPU uses them. */
void ink_pt_free(struct ink_hap *hap);

/* V5: flush, if entries were removed, and unpin the slot pages they mapped. */
void ink_hap_flush(struct ink_hap *hap);

/* --- desc.c: descriptors ---------------------------------------------------------------------- */

/*
 * A copy of the descriptor that token names. -ENOENT: none such (free, invalid, out of range);
 * -EAGAIN: its page of the array is not in plaintext now: resolve *array_va for reading first.
 */
int ink_desc_get(struct ink_hap *hap, u32 token, struct inktag_desc *d, u64 *array_va);

/* --- ring.c: reports and hints ----------------------------------------------------------------- */

/* INKTAG_HC_RING_SET for vCPU number cpu. -EINVAL, -EFAULT, -EBUSY. */
int ink_ring_set(struct ink_vm *vm, u32 cpu, u64 gpa, u64 log2);

/* Apply the entries of all rings, in the order of seq. Bounded by what the rings can hold. */
void ink_ring_drain(struct ink_vm *vm);

struct ink_hint {
	u64 gfn;	/* < 2^40 */
	u32 prot;
	u32 token;	/* 0 .. INKTAG_DESC_MAX - 1, or INKTAG_TOKEN_NONE */
};

bool ink_hint_get(struct ink_hap *hap, u64 va, struct ink_hint *hint);	/* false: there is none */
int ink_hint_set(struct ink_hap *hap, u64 va, const struct ink_hint *hint);	/* -ENOSPC, -ENOMEM */
void ink_hint_clear(struct ink_hap *hap, u64 va, u64 npages);

/* --- resolve.c: judging a HAP's access --------------------------------------------------------- */

enum ink_verdict {
	INK_MAPPED,	/* the trusted page table allows the access now: go on */
	INK_ASK,	/* the kernel must map *ask_va first: fault there */
	INK_KILL,	/* an attack; it is logged; end the HAP */
	INK_NOMEM,	/* the host's memory or a limit; end the HAP */
	INK_WAIT,	/* the store is asked: the access is judged again when there is no request */
	INK_LOST,	/* a file's page that cannot be had: tell the program */
};

/*
 * The HAP's access to va: I2, I3. The rings were drained. On INK_ASK, *ask_va is va's page, or
 * the page of the descriptor array that is needed to judge it (*ask_access says which access).
 */
enum ink_verdict ink_resolve(struct ink_hap *hap, u64 va, u32 access, u64 *ask_va, u32 *ask_access);

/* --- hap.c: the life of a HAP --------------------------------------------------------------- */

/*
 * INKTAG_HC_HAP_CREATE. Returns the id, or -ENOSPC, -ENOMEM, -EEXIST (cr3 has one), -EINVAL (unknown attributes).
 * pid: for reports. before: the HAP that it follows by exec, in the kernel's words; 0: none. I7.
 */
s64 ink_hap_create(struct ink_vm *vm, u64 cr3, u32 pid, u64 before, u64 attributes);

/* May it be debugged? Then its pages are not secret, and not verified. */
static inline bool ink_hap_is_shown(const struct ink_hap *hap)
{
	return hap->attributes & INKTAG_ATTR_DEBUG;
}

/* An address space is one HAP's at most. */
bool ink_cr3_is_taken(struct ink_vm *vm, u64 cr3);

/* NULL: no such HAP, or it has ended. */
struct ink_hap *ink_hap_find(struct ink_vm *vm, u64 id);

/*
 * INKTAG_HC_HAP_ADD. translate gives the gfn that the guest's page table has for va, writable
 * at CPL 3, now; -EAGAIN if none. It is called again after the frames are held: a frame that
 * the kernel moved meanwhile is not taken. I2. -EBUSY: hap is not BUILDING; -EPERM: not its cr3;
 * -EINVAL: not a range of token's; -ENOENT: no such descriptor; -EEXIST: added already; -EFAULT,
 * -EBUSY, -ENOSPC, -ENOMEM, -EBADMSG as absent_load_dirty() and cloaked_open_clean().
 */
int ink_hap_add(struct ink_hap *hap, u64 cr3, u64 va, u64 npages, u64 token,
		int (*translate)(void *ctx, u64 va, u64 *gfn), void *ctx);

/*
 * INKTAG_HC_HAP_START: closes the measurement; *thread is NEW, with its registers set. -EBUSY: hap is
 * not BUILDING; -EPERM: not its cr3; -EINVAL: an address is not the user's; as ink_thread_create().
 */
int ink_hap_start(struct ink_hap *hap, u64 cr3, const struct inktag_start *start,
		  struct ink_thread **thread);

/*
 * INKTAG_HC_CLONE of a process: a HAP that has all that hap has, but threads and mappings. -ENOSPC, -ENOMEM.
 */
int ink_hap_fork(struct ink_hap *hap, struct ink_hap **child);

/*
 * INKTAG_HC_COPY. The rings were drained. -ENOENT: no such HAP, descriptor, or page; -EINVAL: va is not
 * under token, or the page is not shared; -EBUSY: it is not in frame from, the descriptor is not in
 * plaintext now, or a fork is under way; else as shared_copy_dirty().
 */
int ink_hap_copy(struct ink_vm *vm, u64 id, u64 token, u64 va, u64 from, u64 to);

/* INKTAG_HC_UNMAP. Returns pages dropped, or -EINVAL. */
s64 ink_hap_unmap(struct ink_hap *hap, u64 va, u64 npages, u64 serial, u64 index);

/*
 * End hap: its pages are dropped, its frames and threads freed, its translations flushed. The
 * structure itself stays until the last vCPU that is in its trusted context calls
 * ink_hap_put().
 */
void ink_hap_end(struct ink_hap *hap);
void ink_hap_put(struct ink_hap *hap);

/* --- thread.c: I4, I7 ------------------------------------------------------------------------- */

/* What the program comes back to, whether t is in its signal entry or not. */
static inline struct ink_return *ink_thread_program(struct ink_thread *t)
{
	return t->in_signal ? &t->aside : &t->ret;
}

/* -ENOSPC, -ENOMEM. Threads are freed with their HAP, at the latest. */
int ink_thread_create(struct ink_hap *hap, struct ink_thread **out);

/* NULL: no such thread, or its HAP has ended. */
struct ink_thread *ink_thread_find(struct ink_vm *vm, u64 handle);

/*
 * The thread of the handle starts running on the calling vCPU, once. rax: the result, if it left
 * for a system call. -ENOENT, -EPERM (another address space), -EBUSY (runs already; NEW and nobody
 * prepared it), -ESTALE (the kernel lied about a child; the HAP was ended). The caller loads t->ret.regs and
 * t->xstate, and owns the thread until ink_thread_suspend(). If t->ret.fault_access is not 0, the caller
 * resolves that access before it goes on. Takes a reference to the HAP. May sleep if the thread is NEW, or
 * t->ret.child is set.
 */
int ink_thread_resume(struct ink_vm *vm, u64 handle, u64 cr3, u64 rax, struct ink_thread **out);

/* As above, for the thread that ink_hap_start() made. -EBUSY: not NEW. */
int ink_thread_start(struct ink_thread *t);

/*
 * INKTAG_HC_CLONE: prepares a thread that comes back as t will, with these registers instead, and RAX = 0.
 * In hap, which is t's or a new one's that ink_hap_fork() made. The caller has stored regs and xstate. -EINVAL: an address
 * is not the user's; -EBUSY: t is in its signal entry; -ENOSPC, -ENOMEM.
 */
struct ink_clone {
	u64 rsp, fsbase, gsbase, ustack;
};
int ink_thread_clone(struct ink_thread *t, struct ink_hap *hap, const struct ink_clone *clone);

/*
 * The caller has stored regs and xstate, and for FAULT fault_va and fault_access: the thread
 * leaves the vCPU. state: SYSCALL, FAULT or INTERRUPT. Drops the reference to the HAP: if the
 * HAP has ended, t may be gone after the return.
 */
void ink_thread_suspend(struct ink_thread *t, enum ink_thread_state state);

/* INKTAG_HC_THREAD_EXIT: t, which does not run any more, and is not its HAP's last, is freed. */
void ink_thread_end(struct ink_thread *t);

/*
 * INKTAG_SIGNAL_MAGIC: the suspended thread runs at its signal entry; as ink_thread_resume(). rsp: the untrusted
 * one. args: RDI, RSI, RDX. -EBUSY: not suspended, no entry, or in it already.
 */
int ink_thread_signal(struct ink_vm *vm, u64 handle, u64 cr3, u64 rsp, const u64 args[3],
		      struct ink_thread **out);

/* INKTAG_HC_SIGNAL_ENTRY: -EINVAL. INKTAG_HC_SIGNAL_REGS: -EAGAIN, -EINVAL, -EBUSY. */
int ink_thread_signal_entry(struct ink_thread *t, u64 rip, u64 rsp);
int ink_thread_signal_regs(struct ink_thread *t, u64 va, u64 set);

/* INKTAG_HC_DEBUG: -ENOENT, -EPERM, -EBUSY, -EINVAL. *d is a copy. */
int ink_thread_debug_get(struct ink_vm *vm, u64 handle, struct inktag_debug *d);
int ink_thread_debug_set(struct ink_vm *vm, u64 handle, const struct inktag_debug *d);

/*
 * INKTAG_HC_SIGNAL_RETURN: after it has left the vCPU, and before ink_thread_suspend(): the thread is suspended as
 * it was before. Returns the state for ink_thread_suspend().
 */
enum ink_thread_state ink_thread_signal_return(struct ink_thread *t);

/*
 * What the untrusted context sees of t, by t->ret.state (call it before the HAP can end): zeros, the
 * handle, the magic, the stub; for SYSCALL the number (RBX at the hypercall) and six arguments. I1:
 * nothing else of t->ret.regs is in out. (InkTag, "Control flow"; contract: hypercall.h, the stub.)
 */
void ink_thread_public_regs(const struct ink_thread *t, struct ink_regs *out);

#endif
