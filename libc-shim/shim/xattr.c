// SPDX-License-Identifier: LGPL-2.1-or-later
/* xattr.c - extended attributes: calls that fill a buffer, or, with a size of 0, say how large it must be. */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include "shim.h"

/* row: all but the buffer, which is args[at], its size args[at + 1]. Linux has nothing longer than max. */
static long sized(long nr, const u64 args[6], struct call *row, int at, u64 max)
{
	u64 given[6];

	memcpy(given, args, sizeof(given));
	row->arg[at + 1].kind = ARG_VALUE;
	if (!args[at + 1]) {
		row->result = RESULT_INT;
		return checked(nr, marshal_call(nr, row, given), max);
	}
	if (given[at + 1] > max)
		given[at + 1] = max;
	row->arg[at] = (struct arg){ ARG_OUT_BUF, .by = at + 1, .size = 1 };
	row->result = RESULT_ARG;
	row->count = at + 1;
	return marshal_call(nr, row, given);
}

/* getxattr, lgetxattr, fgetxattr */
long sys_getxattr(long nr, const u64 args[6])
{
	struct call row = { .arg = { { nr == __NR_fgetxattr ? ARG_VALUE : ARG_STRING }, { ARG_STRING } } };

	return sized(nr, args, &row, 2, XATTR_SIZE_MAX);
}

/* Names, each with its end: programs go from one to the next. */
static bool are_names(long r, const u64 args[6])
{
	const char *list = (const void *)args[1];
	long i;

	if (!args[2])
		return true;
	for (i = 0; i < r; i++)
		if (!list[i] && (!i || !list[i - 1]))
			return false;
	return !r || !list[r - 1];
}

/* listxattr, llistxattr, flistxattr */
long sys_listxattr(long nr, const u64 args[6])
{
	struct call row = { .arg = { { nr == __NR_flistxattr ? ARG_VALUE : ARG_STRING } }, .check = are_names };

	return sized(nr, args, &row, 1, XATTR_LIST_MAX);
}
