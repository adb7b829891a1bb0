// SPDX-License-Identifier: LGPL-2.1-or-later
/* pfd.c - protected files: the calls with a descriptor that move no data. */
#include <asm/ioctls.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "pcalls.h"

#define SEEK_SET	0
#define SEEK_CUR	1
#define SEEK_END	2

#define SETTABLE	(O_APPEND | O_NONBLOCK | O_NOATIME)	/* by F_SETFL */

/* Holes are not told apart from zeros: there is one, at the end. */
static long seek_in_data(struct popen *o, u64 offset, bool hole)
{
	long length = pfile_length(o);

	if (length < 0)
		return length;
	if (offset >= (u64)length)
		return -ENXIO;
	return hole ? length : (long)offset;
}

long pfd_lseek(long nr, const u64 args[6], struct popen *o)
{
	s64 to = args[1];
	long r = 0;

	plock_take(&o->desc->lock);
	switch ((u32)args[2]) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		r = o->desc->offset;
		break;
	case SEEK_END:
		r = pfile_length(o);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		r = seek_in_data(o, to, (u32)args[2] == SEEK_HOLE);
		to = 0;
		break;
	default:
		r = -EINVAL;
	}
	if (r >= 0 && (__builtin_add_overflow(r, to, &r) || r < 0 || (u64)r > INKTAG_LENGTH_MAX))
		r = -EINVAL;
	if (r >= 0)
		o->desc->offset = r;
	plock_give(&o->desc->lock);
	return r;
}

static bool may_write(const struct popen *o)
{
	return (o->desc->flags & O_ACCMODE) != O_RDONLY;
}

/* ftruncate */
long pfd_length(long nr, const u64 args[6], struct popen *o)
{
	if ((s64)args[1] < 0 || !may_write(o))
		return -EINVAL;
	return pfile_set_length(o, args[1], true);
}

long pfd_fallocate(long nr, const u64 args[6], struct popen *o)
{
	const u32 mode = args[1];
	u64 from = args[2], len = args[3];
	long length;

	if ((s64)from < 0 || (s64)len <= 0)
		return -EINVAL;
	if (!may_write(o))
		return -EBADF;
	if (from > INKTAG_LENGTH_MAX || len > INKTAG_LENGTH_MAX - from)
		return -EFBIG;
	if (!mode)
		return pfile_set_length(o, from + len, false);
	if (mode == FALLOC_FL_KEEP_SIZE)
		return pfile_back(o, from + len);
	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) && (mode & ~FALLOC_FL_KEEP_SIZE) != FALLOC_FL_ZERO_RANGE)
		return -EOPNOTSUPP;
	length = pfile_length(o);
	if (length < 0)
		return length;
	if (mode & FALLOC_FL_KEEP_SIZE) {
		if (from >= (u64)length)
			return 0;
		if (len > (u64)length - from)
			len = length - from;
	}
	return pfile_zero(o, from, len);
}

/* fsync, fdatasync; sync_file_range promises less, and gets the same */
long pfd_sync(long nr, const u64 args[6], struct popen *o)
{
	return pfile_sync(o);
}

static long copied(int old, long new, bool cloexec)
{
	if (IS_ERR(new))
		return new;
	pfd_copy(old, new);
	pfd_set_cloexec(new, cloexec);
	return new;
}

/* dup, dup2, dup3: what an exec does not close is the kernel's, and the next program's. */
long pfd_dup(long nr, const u64 args[6], struct popen *o)
{
	const u64 lowest[6] = { args[0], F_DUPFD_CLOEXEC };
	const u64 there[6] = { args[0], args[1], O_CLOEXEC };
	long r;

	if (nr == __NR_dup2 && (u32)args[0] == (u32)args[1])
		return (u32)args[1];
	if (nr == __NR_dup3 && (args[2] & ~(u64)O_CLOEXEC || (u32)args[0] == (u32)args[1]))
		return -EINVAL;
	/* What stood there before is over, before the number is this file's. */
	if (nr != __NR_dup)
		pfd_forget(args[1], args[1]);
	r = nr == __NR_dup ? sys_fcntl(__NR_fcntl, lowest) : sys_dup(__NR_dup3, there);
	return copied(args[0], r, nr == __NR_dup3 && args[2] & O_CLOEXEC);
}

static long get_flags(const struct popen *o)
{
	return o->desc->flags | O_LARGEFILE;
}

static long set_flags(struct popen *o, u32 flags)
{
	plock_take(&o->desc->lock);
	o->desc->flags = (o->desc->flags & ~SETTABLE) | (flags & SETTABLE);
	plock_give(&o->desc->lock);
	return 0;
}

/* The kernel's offset and length are not the program's. Whoever gets a lock is to see what others did before. */
static long set_lock(const u64 args[6], struct popen *o)
{
	struct flock fl;
	u64 given[6] = { args[0], args[1], (u64)&fl };
	const bool get = (u32)args[1] == F_GETLK || (u32)args[1] == F_OFD_GETLK;
	long from = 0, r;

	if (!user_range_ok(args[2], sizeof(fl)) || pcopy(&fl, (const void *)args[2], sizeof(fl)))
		return -EFAULT;
	if (fl.l_whence == SEEK_CUR)
		from = __atomic_load_n(&o->desc->offset, __ATOMIC_SEQ_CST);
	else if (fl.l_whence == SEEK_END)
		from = pfile_length(o);
	else if (fl.l_whence != SEEK_SET)
		return -EINVAL;
	if (from < 0)
		return from;
	/* As of the program's descriptor, which may be for less than the kernel's. */
	if (!get && (fl.l_type == F_WRLCK ? !may_write(o) : fl.l_type == F_RDLCK && (o->desc->flags & O_ACCMODE) == O_WRONLY))
		return -EBADF;
	fl.l_start += from;
	fl.l_whence = SEEK_SET;
	r = sys_fcntl(__NR_fcntl, given);
	__atomic_store_n(&o->common->length, PLENGTH_UNKNOWN, __ATOMIC_SEQ_CST);
	if (!r && get && pcopy((void *)args[2], &fl, sizeof(fl)))
		r = -EFAULT;
	return r;
}

long pfd_fcntl(long nr, const u64 args[6], struct popen *o)
{
	u64 given[6] = { args[0], F_DUPFD_CLOEXEC, args[2] };

	switch ((u32)args[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return copied(args[0], sys_fcntl(nr, given), (u32)args[1] == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return pfd_cloexec(args[0]) ? FD_CLOEXEC : 0;
	case F_SETFD:
		pfd_set_cloexec(args[0], args[2] & FD_CLOEXEC);
		return 0;	/* it is closed at an exec in any case */
	case F_GETFL:
		return get_flags(o);
	case F_SETFL:
		return set_flags(o, args[2]);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return set_lock(args, o);
	}
	return PNOT_OURS;
}

long pfd_flock(long nr, const u64 args[6], struct popen *o)
{
	long r = marshal_call(nr, &call_table[nr], args);

	__atomic_store_n(&o->common->length, PLENGTH_UNKNOWN, __ATOMIC_SEQ_CST);
	return r;
}

long pfd_ioctl(long nr, const u64 args[6], struct popen *o)
{
	long length;
	int left;

	switch ((u32)args[1]) {
	case FIOCLEX:
	case FIONCLEX:
		pfd_set_cloexec(args[0], (u32)args[1] == FIOCLEX);
		return 0;
	case FIONREAD:
		length = pfile_length(o);
		if (length < 0)
			return length;
		length -= o->desc->offset;
		left = length < 0 ? 0 : length > 0x7fffffff ? 0x7fffffff : length;
		return user_range_ok(args[2], sizeof(left)) && !pcopy((void *)args[2], &left, sizeof(left)) ? 0 : -EFAULT;
	case FICLONE:
	case FICLONERANGE:
	case FIDEDUPERANGE:
		return -EOPNOTSUPP;
	}
	return PNOT_OURS;
}
