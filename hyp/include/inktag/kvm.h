/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * kvm.h - what a VMM asks of KVM.
 *
 * KVM_CHECK_EXTENSION(KVM_CAP_INKTAG) returns INKTAG_ABI_VERSION, or 0. The VMM turns the
 * extension on with KVM_ENABLE_CAP before any vCPU has run; a VM in which it is not on
 * behaves as under stock KVM. args[0] is the address of a struct kvm_inktag_limits. There
 * may be vCPUs already: QEMU realizes its devices after it has created them.
 *
 * The host's administrator bounds each limit by a parameter of the module kvm:
 * inktag_max_haps, inktag_max_threads, inktag_max_descriptors, inktag_max_frames, inktag_max_files.
 *
 * Errors of KVM_ENABLE_CAP: EINVAL (a limit is 0 or above its module parameter, more frames
 * than the host has memory, unknown size, args[1] to args[3] not 0), E2BIG (more than 64
 * vCPUs; none can be added later, either), EBUSY (a vCPU has run), EEXIST (on already), EFAULT,
 * EOPNOTSUPP (no nested paging, AVIC on, SEV guest), ENOENT (the kernel has no gcm(aes)), ENOMEM.
 */
#ifndef INKTAG_KVM_H
#define INKTAG_KVM_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define KVM_CAP_INKTAG		0x494b

struct kvm_inktag_limits {
	__u32 size;		/* sizeof(struct kvm_inktag_limits) */
	__u32 haps;		/* HAPs at one time */
	__u32 threads;		/* threads of one HAP */
	__u32 descriptors;	/* descriptors of one HAP, at most INKTAG_DESC_MAX */
	__u64 frames;		/* host pages for this VM: private frames, trusted page tables, and
				 * slot pages pinned for the uncloaked mappings of HAPs */
	__u32 files;		/* protected files that HAPs have at one time. 0: there is no store */
	__u32 reserved;		/* 0 */
};

/* VM ioctls. ENOTTY on a VM without the extension. */

/* The VM was reset: ends all HAPs, withdraws all rings. */
#define KVM_INKTAG_RESET	_IO(0xAE, 0xe8)

/*
 * arg: address of the number of an eventfd, signalled at each violation; -1 for none. EBADF,
 * EINVAL: not an eventfd. EFAULT.
 */
#define KVM_INKTAG_SET_EVENTFD	_IOW(0xAE, 0xe9, __s32)

/*
 * The oldest violation not fetched yet. ENODATA: none. The hypervisor keeps the last
 * KVM_INKTAG_VIOLATIONS; `lost` counts those overwritten since the fetch before.
 */
#define KVM_INKTAG_VIOLATION	_IOR(0xAE, 0xea, struct kvm_inktag_violation)
#define KVM_INKTAG_VIOLATIONS	64

struct kvm_inktag_violation {
	__u32 hap;
	__u32 check;		/* enum inktag_check */
	__u32 pid;		/* as the guest kernel claims */
	__u32 lost;
	__u64 addr;		/* virtual address in the HAP, or 0 */
	__u64 gfn;		/* guest frame concerned, or ~0 */
	__u64 arg;		/* see enum inktag_check */
	__u64 time;		/* CLOCK_REALTIME, nanoseconds */
	__u8 measurement[32];	/* zeros while the HAP is building */
};

/*
 * The metadata store of protected files is the VMM's (docs/files.md). When the hypervisor needs it, KVM_RUN
 * returns with this exit reason; the VMM then fetches requests and answers each, until there is none. It does so
 * for one vCPU at a time: there is one request at a time, whichever vCPUs wait for it.
 */
#define KVM_EXIT_INKTAG		0x494b

/* A page's version: the nonce is version and salt. With a version, all is as it was sealed. */
struct kvm_inktag_record {
	__u64 index;
	__u64 version;		/* not 0 */
	__u32 salt;
	__u32 flags;
	__u8 tag[16];
};

#define KVM_INKTAG_RECORD_ZEROS	1	/* the page may be all zeros on the disk, too */
#define KVM_INKTAG_RECORD_LOST	2	/* it was none of its versions: an error until it is written again */
#define KVM_INKTAG_RECORD_STALE	4	/* with ZEROS: the disk may have what was cut off there, which is zeros, too */
/* Of PREPARE: what the store has as the newest version */
#define KVM_INKTAG_RECORD_REPLACES	8	/* was never given to a disk: this one takes its place, and its ticket */
#define KVM_INKTAG_RECORD_DURABLE	16	/* is durable: where there is no room, those before it are forgotten */

#define KVM_INKTAG_RECORDS	256
#define KVM_INKTAG_VERSIONS	4	/* of a page */
#define KVM_INKTAG_FETCH	(KVM_INKTAG_RECORDS / KVM_INKTAG_VERSIONS)	/* pages */

enum kvm_inktag_store_op {
	/* value[0]: enum inktag_name_op; path, count bytes. -> oid, value[0]: length, value[1]: names */
	KVM_INKTAG_STORE_NAME,
	/*
	 * oid. -> value[0]: length; value[1]: the ticket of what was prepared and is not settled, 0: there is
	 * nothing; value[2]: its names; key. Which length a file has after a crash is the store's to say.
	 */
	KVM_INKTAG_STORE_OPEN,
	/* oid: no HAP has the file any more. -> value[0]: its names. 0: it is no more, or never was. An error: 1 */
	KVM_INKTAG_STORE_RELEASE,
	/* oid; value[0]: how many. -> value[0]: first version, value[1]: how many, value[2]: their salt */
	KVM_INKTAG_STORE_RESERVE,
	/*
	 * oid; value[0], value[1]: first and last page, KVM_INKTAG_FETCH of them at most. -> count, record:
	 * by index, of one page newest first, with the same flags.
	 */
	KVM_INKTAG_STORE_FETCH,
	/*
	 * oid; count, record (flags: REPLACES or DURABLE, or none); value[0]: length; value[1] = 1: the disk was flushed
	 * since this was EBUSY; value[2]: what the disk has of the pages below this one may be what was cut off.
	 * -> value[0]: ticket. EBUSY: too many versions of a page, or the file was made shorter, which is not settled.
	 * ENOENT: it is no more.
	 */
	KVM_INKTAG_STORE_PREPARE,
	/* oid; value[0]: ticket */
	KVM_INKTAG_STORE_SETTLE,
	/* oid; value[2] as above: it has length 0 and no pages, settled at once: no data need be durable. -> value[0]: ticket */
	KVM_INKTAG_STORE_CLEAR,
	/* oid; count = 1, record: the version found. version 0: zeros, or with RECORD_LOST nothing */
	KVM_INKTAG_STORE_RESOLVE,
	KVM_INKTAG_STORE_OP_COUNT
};

struct kvm_inktag_store {
	__u64 id;		/* of the request; the same in its answer */
	__u32 op;		/* enum kvm_inktag_store_op */
	__s32 result;		/* answer: 0 or a negated errno of Linux's; then all else is ignored */
	__u64 oid[2];		/* as bytes, in their order */
	__u64 value[4];
	__u32 count;
	__u32 hap;		/* request: for whom, 0: nobody in particular */
	union {
		struct kvm_inktag_record record[KVM_INKTAG_RECORDS];
		char path[8192];
		__u8 key[32];
	};
};

/* The oldest request. ENODATA: none. EFAULT: it is still there. */
#define KVM_INKTAG_REQUEST	_IOR(0xAE, 0xeb, struct kvm_inktag_store)
/* ESTALE: no such request is open: the VM was reset. EINVAL: not an answer to it; it was taken as EIO. */
#define KVM_INKTAG_ANSWER	_IOW(0xAE, 0xec, struct kvm_inktag_store)

/*
 * Counters: KVM's binary statistics (KVM_GET_STATS_FD of the VM). Names:
 *   inktag_haps, inktag_threads, inktag_frames, inktag_held        instant
 *   inktag_cloaks, inktag_uncloaks, inktag_zero_maps, inktag_hints  cumulative, as all below
 *   inktag_bad_reports           ring entries that were ignored: nonsense, no such HAP, no room
 *   inktag_execs, inktag_execs_kept    HAPs that gave way to another program by exec; those of them
 *                                      that a HAP followed. The others' successors are unprotected
 *   inktag_in                                       world switches into the trusted context
 *   inktag_out_syscall, inktag_out_fault, inktag_out_interrupt, inktag_out_exit   and out of it
 *   inktag_reenter               exits of the trusted context that went straight back
 *   inktag_violations, inktag_refused (hypercalls that returned an error)
 */

_Static_assert(sizeof(struct kvm_inktag_limits) == 32, "limits size");
_Static_assert(__builtin_offsetof(struct kvm_inktag_limits, files) == 24, "limits layout");
_Static_assert(sizeof(struct kvm_inktag_record) == 40, "record size");
_Static_assert(__builtin_offsetof(struct kvm_inktag_record, tag) == 24, "record layout");
_Static_assert(sizeof(struct kvm_inktag_store) == 10312, "request size");
_Static_assert(__builtin_offsetof(struct kvm_inktag_store, oid) == 16, "request layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_store, value) == 32, "request layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_store, record) == 72, "request layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_limits, haps) == 4, "limits layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_limits, threads) == 8, "limits layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_limits, descriptors) == 12, "limits layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_limits, frames) == 16, "limits layout");
_Static_assert(sizeof(struct kvm_inktag_violation) == 80, "violation size");
_Static_assert(__builtin_offsetof(struct kvm_inktag_violation, check) == 4, "violation layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_violation, lost) == 12, "violation layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_violation, addr) == 16, "violation layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_violation, time) == 40, "violation layout");
_Static_assert(__builtin_offsetof(struct kvm_inktag_violation, measurement) == 48, "violation layout");

#endif
