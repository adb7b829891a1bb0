// SPDX-License-Identifier: LGPL-2.1-or-later
/* pio.c - protected files: the calls that move data. */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uio.h>
#include "pcalls.h"

#define RW_MAX	0x7ffff000UL	/* as Linux: the most that one call moves */
#define NOWHERE	(~0UL)		/* no offset given: the description's */

static bool may(const struct popen *o, bool is_read)
{
	const u32 mode = o->desc->flags & O_ACCMODE;

	return mode == O_RDWR || mode == (is_read ? O_RDONLY : O_WRONLY);
}

/* O_SYNC and its like, or a flag of the call. */
static long sync_if(struct popen *o, u32 flags, long r)
{
	long s = 0;

	if (r > 0 && (o->desc->flags & (O_SYNC | O_DSYNC) || flags & (RWF_SYNC | RWF_DSYNC)))
		s = pfile_sync(o);
	return s ? s : r;
}

/* RWF_APPEND at an offset appends, too, and leaves the description's alone; as O_APPEND does to pwrite on Linux. */
static long at_offset(struct popen *o, struct pvec *v, u64 len, u64 offset, u32 flags, bool is_read)
{
	u64 end;

	if (is_read)
		return pfile_read(o, v, len, offset);
	if (o->desc->flags & O_APPEND || flags & RWF_APPEND)
		offset = PAPPEND;
	return pfile_write(o, v, len, offset, &end);
}

static long at_description(struct popen *o, struct pvec *v, u64 len, u32 flags, bool is_read)
{
	u64 end;
	long r;

	plock_take(&o->desc->lock);
	end = o->desc->offset;
	if (is_read) {
		r = pfile_read(o, v, len, end);
		end += r > 0 ? r : 0;
	} else {
		r = pfile_write(o, v, len, o->desc->flags & O_APPEND || flags & RWF_APPEND ? PAPPEND : end, &end);
	}
	if (r > 0)
		o->desc->offset = end;
	plock_give(&o->desc->lock);
	return r;
}

long pio_move(struct popen *o, struct pvec *v, u64 len, u64 offset, u32 flags, bool is_read)
{
	long r;

	if (!may(o, is_read))
		return -EBADF;
	if (len > RW_MAX)
		len = RW_MAX;
	r = offset == NOWHERE ? at_description(o, v, len, flags, is_read) : at_offset(o, v, len, offset, flags, is_read);
	return is_read ? r : sync_if(o, flags, r);
}

/* read, write, pread64, pwrite64 */
long pio_rw(long nr, const u64 args[6], struct popen *o)
{
	const bool at = nr == __NR_pread64 || nr == __NR_pwrite64;
	struct pvec v = pvec_of(args[1], args[2]);

	if (at && (s64)args[3] < 0)
		return -EINVAL;
	if (args[2] && !user_range_ok(args[1], args[2]))
		return -EFAULT;
	return pio_move(o, &v, args[2], at ? args[3] : NOWHERE, 0, nr == __NR_read || nr == __NR_pread64);
}

/* Its length; the parts are copied one by one when they are used. */
static long vector_length(u64 iov, u64 count, u64 *total)
{
	struct iovec part;
	u64 i;

	*total = 0;
	for (i = 0; i < count; i++) {
		if (!user_range_ok(iov, count * sizeof(part)) || pcopy(&part, (const struct iovec *)iov + i, sizeof(part)))
			return -EFAULT;
		if ((s64)part.iov_len < 0 || (s64)(*total + part.iov_len) < 0)
			return -EINVAL;
		*total += part.iov_len;
	}
	return 0;
}

/* readv, writev, preadv, pwritev, preadv2, pwritev2 */
long pio_vector(long nr, const u64 args[6], struct popen *o)
{
	const bool two = nr == __NR_preadv2 || nr == __NR_pwritev2, at = two || nr == __NR_preadv || nr == __NR_pwritev;
	const bool is_read = nr == __NR_readv || nr == __NR_preadv || nr == __NR_preadv2;
	const u32 flags = two ? args[5] : 0;
	struct pvec v = { .iov = (const void *)args[1] };
	u64 total;
	long r;

	if (args[2] > UIO_MAXIOV || (at && (s64)args[3] < (two ? -1 : 0)))
		return -EINVAL;
	if (flags & ~(u32)RWF_SUPPORTED)
		return -EOPNOTSUPP;
	r = vector_length(args[1], args[2], &total);
	return r ? r : pio_move(o, &v, total, at ? args[3] : NOWHERE, flags, is_read);
}
