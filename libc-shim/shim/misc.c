// SPDX-License-Identifier: LGPL-2.1-or-later
/* misc.c - capabilities; memory that is to stay where it is. */
#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/mman.h>
#include "shim.h"

/* capget, capset: the header's version says how long the data is. Asked with an unknown one, the kernel names its own. */
long sys_capabilities(long nr, const u64 args[6])
{
	const struct __user_cap_header_struct *header = (const void *)args[0];
	struct call row = { .arg = { { ARG_INOUT, .size = sizeof(*header) } } };
	u16 count = _LINUX_CAPABILITY_U32S_3;

	if (!user_range_ok(args[0], sizeof(*header)))
		return -EFAULT;
	if (header->version == _LINUX_CAPABILITY_VERSION_1)
		count = _LINUX_CAPABILITY_U32S_1;
	else if (header->version != _LINUX_CAPABILITY_VERSION_2 && header->version != _LINUX_CAPABILITY_VERSION_3)
		count = 0;
	if (count)
		row.arg[1] = (struct arg){ nr == __NR_capget ? ARG_OUT : ARG_IN, .optional = nr == __NR_capget,
					   .size = count * sizeof(struct __user_cap_data_struct) };
	return marshal_call(nr, &row, args);
}

/* Is all of it mapped? This hint of madvise asks the same, and has nothing else to do. */
static long mapped(u64 from, u64 to)
{
	const u64 args[6] = { from, to - from, MADV_NORMAL };

	return to > from ? sys_madvise(__NR_madvise, args) : 0;
}

/*
 * mlock, mlock2, munlock. Where plaintext stands is the hypervisor's business, which never writes it to a disk; what
 * the kernel could lock is ciphertext.
 */
long sys_mlock(long nr, const u64 args[6])
{
	u64 from = PAGE_DOWN(args[0]), to = PAGE_UP(args[0] + args[1]);

	if (nr == __NR_mlock2 && args[2] & ~(u64)MLOCK_ONFAULT)
		return -EINVAL;
	return to < from ? -EINVAL : mapped(from, to);
}

/* mlockall, munlockall */
long sys_mlockall(long nr, const u64 args[6])
{
	if (nr == __NR_mlockall && (!args[0] || args[0] & ~(u64)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
		return -EINVAL;
	return 0;
}

/*
 * What is mapped is the list's to say. Which of these pages are in memory the kernel may say: a program that believes
 * it has no less than the program wrote.
 */
long sys_mincore(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), pages = PAGE_UP(args[1]) / INKTAG_PAGE_SIZE, done, n, i;
	const u8 *buf;
	u8 *in = (void *)args[2];
	long r;

	if (args[0] % INKTAG_PAGE_SIZE)
		return -EINVAL;
	if (args[0] >= INKTAG_USER_END || args[1] > INKTAG_USER_END - args[0])
		return -ENOMEM;
	if (pages && !user_range_ok(args[2], pages))
		return -EFAULT;
	r = mapped(args[0], args[0] + args[1]);
	if (r)
		return r;
	buf = arena_alloc(pages < ARENA_PIECE ? pages : ARENA_PIECE);
	if (!buf)
		return -ENOMEM;
	for (done = 0; !r && done < pages; done += n) {
		n = pages - done < ARENA_PIECE ? pages - done : ARENA_PIECE;
		r = checked(nr, hc_syscall(nr, args[0] + done * INKTAG_PAGE_SIZE, n * INKTAG_PAGE_SIZE, (u64)buf, 0, 0, 0), 0);
		for (i = 0; !r && i < n; i++)
			in[done + i] = buf[i] & 1;
	}
	arena_release(mark);
	return r;
}
