/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * error.h - what a hypercall returns in RAX: a value >= 0, or one of these, negated.
 *
 * The numbers are Linux's errno values, written out so that no part depends on which
 * errno.h it sees. A VM without the extension answers as stock KVM does: -INKTAG_EPERM
 * to CPL 3, -1000 (KVM_ENOSYS) to CPL 0.
 */
#ifndef INKTAG_ERROR_H
#define INKTAG_ERROR_H

/* The numbers are for assembly, too. */
#define INKTAG_EPERM	1	/* this context may not make this call */
#define INKTAG_ENOENT	2	/* no such HAP, thread or descriptor */
#define INKTAG_EIO	5	/* the metadata store refused */
#define INKTAG_EAGAIN	11	/* the page is not mapped now: touch it, and call again */
#define INKTAG_ENOMEM	12	/* the host has no memory for this now */
#define INKTAG_EFAULT	14	/* address not mapped, or not a user address */
#define INKTAG_EBUSY	16	/* the thread or frame is in use elsewhere */
#define INKTAG_EEXIST	17	/* already there */
#define INKTAG_EINVAL	22	/* an argument is outside its range */
#define INKTAG_ENOSPC	28	/* a limit of this VM is reached: see struct kvm_inktag_limits */
#define INKTAG_ENOSYS	38	/* no such hypercall */
#define INKTAG_EBADMSG	74	/* content does not match its tag */
#define INKTAG_EOPNOTSUPP 95	/* the guest has XSAVE, but not switched on: a HAP would lose registers; or
				 * this VM has no metadata store */
#define INKTAG_ESTALE	116	/* the HAP was ended; nothing of it is left */

#ifndef __ASSEMBLY__

/*
 * Which check failed, when a HAP is ended for an attack. Reported in
 * struct kvm_inktag_violation, by the tracepoint inktag_violation, and by QEMU's
 * INKTAG_VIOLATION event. What the shim found is reported just before the HAP ends
 * (INKTAG_HC_VIOLATION).
 */
enum inktag_check {
	INKTAG_CHECK_NONE,
	INKTAG_CHECK_TAG,	/* I2: a page's ciphertext does not match its tag: altered,
				 * replayed, or another page's */
	INKTAG_CHECK_FRAME,	/* I2: the kernel offers a frame that another S-page holds, or
				 * a second frame for an S-page that is DIRTY elsewhere. (Of one that is
				 * CLEAN elsewhere the second frame's content is judged: TAG) */
	INKTAG_CHECK_DESCRIPTOR,/* I3: the access has no descriptor that allows it, although
				 * the kernel claims one: arg is the token claimed */
	INKTAG_CHECK_LINEAGE,	/* I7: the kernel says that it could not make a thread or process, which
				 * was started: arg is the system call's result */
	INKTAG_CHECK_MMAP,	/* I5, found by the shim: an mmap answer overlaps a mapping,
				 * or names a wrong token */
	INKTAG_CHECK_SYSCALL,	/* found by the shim: a system call's result is impossible:
				 * addr is the call's number, arg the result */
	INKTAG_CHECK_STATE,	/* found by the shim: the state it was started in is not as
				 * the loader's contract says */
	INKTAG_CHECK_COUNT
};

#endif

#endif
