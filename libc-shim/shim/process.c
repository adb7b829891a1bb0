// SPDX-License-Identifier: LGPL-2.1-or-later
/* process.c - exec, the thread pointer, groups, randomness. */
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
		return shim_missing(nr, " with another code than ARCH_SET_FS, ARCH_GET_FS");
	}
}

/*
 * The arguments and the environment, as vectors and strings in the arena. Returns where the vector is, or an error. What
 * does not fit is too much, as for Linux.
 */
static long strings_in(u64 vector, u64 *at)
{
	const char *const *from = (const void *)vector;
	u64 *to, n = 0, i, len;
	char *s;

	if (!vector) {
		*at = 0;
		return 0;
	}
	if (!user_range_ok(vector, sizeof(u64)))
		return -EFAULT;
	while (from[n])
		n++;
	to = arena_alloc((n + 1) * sizeof(u64));
	if (!to)
		return -E2BIG;
	for (i = 0; i < n; i++) {
		if (!user_range_ok((u64)from[i], 1))
			return -EFAULT;
		len = shim_strnlen(from[i], ARENA_PIECE) + 1;
		s = arena_alloc(len);
		if (!s || len > ARENA_PIECE)
			return -E2BIG;
		memcpy(s, from[i], len);
		to[i] = (u64)s;
	}
	to[n] = 0;
	*at = (u64)to;
	return 0;
}

/* execve, execveat. On success this program, and the HAP, is no more. */
long sys_execve(long nr, const u64 args[6])
{
	const int path = nr == __NR_execveat;
	u64 mark = arena_mark(), given[6] = { args[0], args[1], args[2], args[3], args[4] }, len;
	char *buf;
	long r;

	if (!user_range_ok(args[path], 1))
		return -EFAULT;
	len = shim_strnlen((const char *)args[path], PATH_MAX) + 1;
	if (len > PATH_MAX)
		return -ENAMETOOLONG;
	buf = arena_alloc(len);
	memcpy(buf, (const void *)args[path], len);
	given[path] = (u64)buf;
	r = strings_in(args[path + 1], &given[path + 1]);
	if (!r)
		r = strings_in(args[path + 2], &given[path + 2]);
	if (!r) {
		r = hc_syscall(nr, given[0], given[1], given[2], given[3], given[4], 0);
		if (!IS_ERR(r))
			shim_lie(nr, r, "it does not return");
	}
	arena_release(mark);
	return r;
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
