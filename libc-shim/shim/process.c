// SPDX-License-Identifier: LGPL-2.1-or-later
/* process.c - the thread pointer, groups, randomness. */
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include "thread.h"

long sys_arch_prctl(long nr, const u64 args[6])
{
	switch ((int)args[0]) {
	case ARCH_SET_FS:
		if (args[1] >= INKTAG_USER_END)
			return -EPERM;
		if (hc_set_fsbase(args[1]) < 0)
			return -EPERM;
		self()->fsbase = args[1];
		return 0;
	case ARCH_GET_FS:
		if (!user_range_ok(args[1], sizeof(u64)))
			return -EFAULT;
		*(u64 *)args[1] = self()->fsbase;
		return 0;
	default:
		shim_missing(nr, " with another code than ARCH_SET_FS, ARCH_GET_FS");
		return -EINVAL;
	}
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
