// SPDX-License-Identifier: LGPL-2.1-or-later
/* pio.c - protected files: the calls that move data. */
#include <asm/poll.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <linux/uio.h>
#include "pcalls.h"

#define RW_MAX	0x7ffff000UL	/* as Linux: the most that one call moves */
#define PIECE	0x10000UL
#define SPLICE_F_NONBLOCK	2
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

/* --- from file to file -------------------------------------------------------------------------------------- */

/* One side of a copy. */
struct side {
	struct popen o;
	bool ours;
	int fd;
	u64 user;	/* where the program has its offset; 0: it is the description's */
	s64 offset;
};

static long side_open(struct side *s, int fd, u64 user)
{
	const enum pkind kind = pfd_get(fd, &s->o);

	s->fd = fd;
	s->user = user;
	s->ours = kind == PFD_FILE;
	if (kind == PFD_LOST)
		return -EIO;
	if (user && (!user_range_ok(user, sizeof(s->offset)) || pcopy(&s->offset, (const void *)user, sizeof(s->offset))))
		return -EFAULT;
	return user && s->offset < 0 ? -EINVAL : 0;
}

static void side_close(struct side *s)
{
	if (s->ours)
		pfd_put(&s->o);
}

static long side_move(struct side *s, void *buf, u64 len, bool is_read)
{
	struct pvec v = pvec_of((u64)buf, len);
	long nr, r;

	if (s->ours) {
		r = pio_move(&s->o, &v, len, s->user ? (u64)s->offset : NOWHERE, 0, is_read);
	} else {
		nr = s->user ? is_read ? __NR_pread64 : __NR_pwrite64 : is_read ? __NR_read : __NR_write;
		r = checked(nr, hc_syscall(nr, s->fd, (u64)buf, len, s->user ? s->offset : 0, 0, 0), len);
	}
	if (r > 0 && s->user)
		s->offset += r;
	return r;
}

/* The other side took less: the next read gives the rest again. */
static void side_back(struct side *s, u64 n)
{
	if (s->user) {
		s->offset -= n;
	} else if (s->ours) {
		plock_take(&s->o.desc->lock);
		s->o.desc->offset -= n;
		plock_give(&s->o.desc->lock);
	}
}

/* Between two protected files nothing passes through memory that the kernel sees. */
static long copy_sides(struct side *in, struct side *out, u64 len)
{
	u64 mark = arena_mark(), done = 0, n, size;
	struct pbuf *b = in->ours && out->ours ? pbuf_take() : NULL;
	char *buf = b ? b->both : in->ours && out->ours ? NULL : arena_alloc(PIECE);
	long r = buf ? 0 : -ENOMEM, w;

	size = b ? sizeof(b->both) : PIECE;
	while (buf && done < len) {
		n = len - done < size ? len - done : size;
		r = side_move(in, buf, n, true);
		if (r <= 0)
			break;
		w = side_move(out, buf, r, false);
		if (w < r)
			side_back(in, r - (w > 0 ? w : 0));
		done += w > 0 ? w : 0;
		if (w < r || (u64)r < n) {
			r = w;
			break;
		}
	}
	if (b)
		pbuf_give(b);
	arena_release(mark);
	return done ? (long)done : r;
}

static long copy_between(int from, u64 from_offset, int to, u64 to_offset, u64 len)
{
	struct side in = { .ours = false }, out = { .ours = false };
	long r = side_open(&in, from, from_offset);

	if (!r)
		r = side_open(&out, to, to_offset);
	if (!r && ((in.ours && !may(&in.o, true)) || (out.ours && !may(&out.o, false))))
		r = -EBADF;
	if (!r)
		r = copy_sides(&in, &out, len < RW_MAX ? len : RW_MAX);
	if (r > 0 && ((in.user && pcopy((void *)in.user, &in.offset, sizeof(in.offset))) ||
		      (out.user && pcopy((void *)out.user, &out.offset, sizeof(out.offset)))))
		r = -EFAULT;
	side_close(&in);
	side_close(&out);
	return r;
}

/* sendfile: to, from, where, how many */
long pio_sendfile(long nr, const u64 args[6])
{
	if (!pfd_may_be(args[0]) && !pfd_may_be(args[1]))
		return PNOT_OURS;
	return copy_between(args[1], args[2], args[0], 0, args[3]);
}

static bool is_pipe(int fd)
{
	return ppath_kind(fd, NULL) == S_IFIFO;
}

/* One side is a pipe, which has no offset; and it is not waited for, if the program says so. */
static long may_splice(const u64 args[6])
{
	const int pipe = is_pipe(args[0]) ? 0 : is_pipe(args[2]) ? 2 : -1;

	if (pipe < 0)
		return -EINVAL;
	if (args[pipe + 1])
		return -ESPIPE;
	if (args[5] & SPLICE_F_NONBLOCK && !file_is_ready(args[pipe], pipe ? POLLOUT : POLLIN))
		return -EAGAIN;
	return 0;
}

/* splice, copy_file_range: from, where, to, where, how many */
long pio_splice(long nr, const u64 args[6])
{
	long r;

	if (!pfd_may_be(args[0]) && !pfd_may_be(args[2]))
		return PNOT_OURS;
	if (nr == __NR_copy_file_range && args[5])
		return -EINVAL;
	if (nr == __NR_splice) {
		r = may_splice(args);
		if (r)
			return r;
	}
	return copy_between(args[0], args[1], args[2], args[3], args[4]);
}
