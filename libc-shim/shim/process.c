// SPDX-License-Identifier: LGPL-2.1-or-later
/* process.c - exit, the thread pointer, randomness, and signals as far as they go. */
#include <asm/prctl.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/limits.h>
#include "shim.h"

/* Signals that the libc keeps for itself, to talk from thread to thread. */
#define LIBC_SIGNAL_FIRST	32
#define LIBC_SIGNAL_LAST	33

long sys_exit(long nr, const u64 args[6])
{
	hc_exit(args[0]);
}

long sys_arch_prctl(long nr, const u64 args[6])
{
	static u64 fsbase;

	switch ((int)args[0]) {
	case ARCH_SET_FS:
		if (args[1] >= INKTAG_USER_END)
			return -EPERM;
		if (hc_set_fsbase(args[1]) < 0)
			return -EPERM;
		fsbase = args[1];
		return 0;
	case ARCH_GET_FS:
		if (!user_range_ok(args[1], sizeof(u64)))
			return -EFAULT;
		*(u64 *)args[1] = fsbase;
		return 0;
	default:
		return shim_missing(nr, " with another code than ARCH_SET_FS, ARCH_GET_FS");
	}
}

/* The kernel would write to the address when the thread ends; the only thread has nobody to tell. */
long sys_set_tid_address(long nr, const u64 args[6])
{
	return checked(__NR_gettid, hc_syscall(__NR_gettid, 0, 0, 0, 0, 0, 0), 0x7fffffff);
}

/* Likewise: robust mutexes are released by the kernel for the threads that remain. */
long sys_set_robust_list(long nr, const u64 args[6])
{
	return 0;
}

/* With one thread nobody waits, and nobody would ever wake a waiter. */
long sys_futex(long nr, const u64 args[6])
{
	switch (args[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return 0;
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		if (!user_range_ok(args[0], sizeof(u32)))
			return -EFAULT;
		if (*(u32 *)args[0] != (u32)args[2])
			return -EAGAIN;
		break;
	}
	return shim_missing(nr, " to wait for another thread");
}

/*
 * A handler would be entered by the kernel, so there are none yet. Default and ignore are the
 * kernel's to carry out. What it says of the earlier disposition is cut down to these two.
 */
long sys_rt_sigaction(long nr, const u64 args[6])
{
	const struct sigaction *act = (void *)args[1];
	struct sigaction *old = (void *)args[2], *in, *out, was;
	u64 mark = arena_mark();
	long r;

	if (args[3] != sizeof(sigset_t))
		return -EINVAL;
	if ((act && !user_range_ok(args[1], sizeof(*act))) || (old && !user_range_ok(args[2], sizeof(*old))))
		return -EFAULT;
	if (act && act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN) {
		if (args[0] < LIBC_SIGNAL_FIRST || args[0] > LIBC_SIGNAL_LAST)
			return shim_missing(nr, " with a handler");
		/* Only another thread of this program would send it. */
		if (old)
			memset(old, 0, sizeof(*old));
		return 0;
	}
	in = arena_alloc(sizeof(*in));
	out = arena_alloc(sizeof(*out));
	if (!in || !out) {
		arena_release(mark);
		return -ENOMEM;
	}
	memset(in, 0, sizeof(*in));
	if (act)
		in->sa_handler = act->sa_handler;
	r = checked(nr, hc_syscall(nr, args[0], act ? (u64)in : 0, (u64)out, sizeof(sigset_t), 0, 0), 0);
	was.sa_handler = *(__sighandler_t volatile *)&out->sa_handler;
	arena_release(mark);
	if (!IS_ERR(r) && old) {
		memset(old, 0, sizeof(*old));
		if (was.sa_handler == SIG_IGN)
			old->sa_handler = SIG_IGN;
	}
	return r;
}

long sys_rt_sigprocmask(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE },
			{ ARG_IN, .size = sizeof(sigset_t), .optional = true },
			{ ARG_OUT, .size = sizeof(sigset_t), .optional = true },
			{ ARG_VALUE },
		},
	};

	if (args[3] != sizeof(sigset_t))
		return -EINVAL;
	return marshal_call(nr, &row, args);
}

long sys_getgroups(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = { { ARG_VALUE }, { ARG_OUT_BUF, .by = 0, .size = sizeof(u32) } },
		.result = RESULT_ARG, .count = 0,
	};

	if (!(int)args[0])
		return checked(nr, hc_syscall(nr, 0, 0, 0, 0, 0, 0), NGROUPS_MAX);
	if ((int)args[0] < 0)
		return -EINVAL;
	return marshal_call(nr, &row, args);
}

long sys_getrandom(long nr, const u64 args[6])
{
	u64 random[4], at = args[0], left = args[1];
	long r;

	if (args[2] & ~7UL)	/* GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE: all the same here */
		return -EINVAL;
	if (left > 0x7fffffff)
		left = 0x7fffffff;
	if (left && !user_range_ok(at, left))
		return -EFAULT;
	while (left) {
		u64 n = left < sizeof(random) ? left : sizeof(random);

		r = hc_random(random);
		if (r < 0)
			return at > args[0] ? (long)(at - args[0]) : r;
		memcpy((void *)at, random, n);
		at += n;
		left -= n;
	}
	return at - args[0];
}
