// SPDX-License-Identifier: LGPL-2.1-or-later
/* file.c - unprotected files: data in pieces through the arena, directories, and waiting for data. */
#include <asm/poll.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/uio.h>
#include "fds.h"
#include "protect.h"

#define RW_MAX		0x7ffff000UL	/* as Linux: the most that one call moves */
#define NO_OFFSET	(-1L)
#define POLL_MAX	4096UL
#define FD_SETSIZE_MAX	1024UL
#define SPLICE_F_NONBLOCK	2

struct dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

/* The longest record: a libc copies it into its struct dirent. */
#define DIRENT_MAX	((offsetof(struct dirent64, name) + NAME_MAX + 1 + 7) & ~7UL)

void iov_copy(const struct iovec *iov, u64 skip, char *buf, u64 len, bool to_program)
{
	u64 n;

	for (; len; iov++) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		n = iov->iov_len - skip < len ? iov->iov_len - skip : len;
		if (to_program)
			memcpy((char *)iov->iov_base + skip, buf, n);
		else
			memcpy(buf, (char *)iov->iov_base + skip, n);
		buf += n;
		len -= n;
		skip = 0;
	}
}

long iov_check(u64 iov, u64 count, u64 *total)
{
	const struct iovec *v = (const void *)iov;
	u64 i;

	*total = 0;
	if (!count)
		return 0;
	if (!user_range_ok(iov, count * sizeof(*v)))
		return -EFAULT;
	for (i = 0; i < count; i++)
		if ((s64)v[i].iov_len < 0)
			return -EINVAL;
	if (!iov_ok(iov, count, total))
		return -EFAULT;
	return (s64)*total < 0 ? -EINVAL : 0;
}

u32 file_mode(int fd)
{
	u64 mark = arena_mark();
	struct stat *st = arena_alloc(sizeof(*st));
	u32 mode = 0;

	if (st && !checked(__NR_fstat, hc_syscall_must(__NR_fstat, fd, (u64)st, 0, 0, 0, 0), 0))
		mode = *(volatile unsigned int *)&st->st_mode;
	arena_release(mark);
	return mode;
}

/* Does a read of this descriptor never wait? The kernel may lie: then a read is short. */
static bool is_regular(int fd)
{
	return (file_mode(fd) & S_IFMT) == S_IFREG;
}

/* One piece. Only the calls that have flags (RWF_*) take a vector. */
static long piece(long nr, int fd, char *buf, u64 len, s64 offset, u32 flags, bool is_read)
{
	u64 mark = arena_mark();
	struct iovec *iov;
	long r = -ENOMEM;

	if (!flags)
		return checked(nr, hc_syscall(nr, fd, (u64)buf, len, offset == NO_OFFSET ? 0 : offset, 0, 0), len);
	nr = is_read ? __NR_preadv2 : __NR_pwritev2;
	iov = arena_alloc(sizeof(*iov));
	if (iov) {
		*iov = (struct iovec){ buf, len };
		r = checked(nr, hc_syscall(nr, fd, (u64)iov, 1, offset, 0, flags), len);
	}
	arena_release(mark);
	return r;
}

/*
 * Reads or writes `total` bytes of the vector, a piece at a time. An error after the first piece
 * ends the transfer with what was moved, as Linux has it. A read that may wait stops after
 * one piece, because Linux would not wait once it has data.
 */
static long transfer(long nr, int fd, const struct iovec *iov, u64 total, s64 offset, u32 flags, bool is_read)
{
	u64 mark = arena_mark(), done = 0, n;
	char *buf;
	long r;

	if (total > RW_MAX)
		total = RW_MAX;
	buf = arena_alloc(total < ARENA_PIECE ? total : ARENA_PIECE);
	if (!buf)
		return -ENOMEM;
	do {
		n = total - done < ARENA_PIECE ? total - done : ARENA_PIECE;
		if (!is_read)
			iov_copy(iov, done, buf, n, false);
		r = piece(nr, fd, buf, n, offset == NO_OFFSET ? NO_OFFSET : (s64)(offset + done), flags, is_read);
		if (IS_ERR(r))
			break;
		if (is_read)
			iov_copy(iov, done, buf, r, true);
		done += r;
		if ((u64)r < n || (is_read && done < total && offset == NO_OFFSET && !is_regular(fd)))
			break;
	} while (done < total);
	arena_release(mark);
	return done ? (long)done : r;
}

long file_read(int fd, void *buf, u64 len, s64 offset)
{
	u64 done = 0;
	long r;

	/* One transfer moves at most RW_MAX. */
	do {
		struct iovec iov = { (char *)buf + done, len - done };

		r = transfer(__NR_pread64, fd, &iov, len - done, offset + done, 0, true);
		if (r > 0)
			done += r;
	} while (r > 0 && done < len);
	return r < 0 ? r : (long)done;
}

static long one(long nr, const u64 args[6], s64 offset, bool is_read)
{
	struct iovec iov = { (void *)args[1], args[2] };
	enum fd_kind kind = FD_OTHER;
	u64 serial, later, data;
	long r;

	if (args[2] && !user_range_ok(args[1], args[2]))
		return -EFAULT;
	if (is_read)
		kind = fds_kind(args[0], &serial, &data);
	r = transfer(nr, args[0], &iov, args[2], offset, 0, is_read);
	/* Unless another thread has closed the descriptor meanwhile, and the number is another file's. */
	if (r > 0 && kind != FD_OTHER && fds_kind(args[0], &later, &data) == kind && later == serial &&
	    !event_read_ok(kind, data, (void *)args[1], r))
		shim_lie(nr, r, "what was read has not the form that it must have");
	return r;
}

long sys_read(long nr, const u64 args[6])
{
	return one(nr, args, NO_OFFSET, true);
}

long sys_write(long nr, const u64 args[6])
{
	return one(nr, args, NO_OFFSET, false);
}

long sys_pread(long nr, const u64 args[6])
{
	return (s64)args[3] < 0 ? -EINVAL : one(nr, args, args[3], true);
}

long sys_pwrite(long nr, const u64 args[6])
{
	return (s64)args[3] < 0 ? -EINVAL : one(nr, args, args[3], false);
}

static long vector(long nr, const u64 args[6], s64 offset, u32 flags, bool is_read)
{
	const struct iovec *iov = (const void *)args[1];
	u64 total, serial, data;
	long r;

	if (args[2] > UIO_MAXIOV)
		return -EINVAL;
	r = iov_check(args[1], args[2], &total);
	if (r)
		return r;
	/* Reads that have a form fill the first part only: a short read, which is examined as any other. */
	if (is_read && total && fds_kind(args[0], &serial, &data) != FD_OTHER) {
		while (!iov->iov_len)
			iov++;
		return one(nr, (const u64[6]){ args[0], (u64)iov->iov_base, iov->iov_len }, offset, true);
	}
	return transfer(nr, args[0], iov, total, offset, flags, is_read);
}

long sys_readv(long nr, const u64 args[6])
{
	return vector(__NR_read, args, NO_OFFSET, 0, true);
}

long sys_writev(long nr, const u64 args[6])
{
	return vector(__NR_write, args, NO_OFFSET, 0, false);
}

/* With flags in the sixth argument, and -1 as an offset, for the calls that have these. */
long sys_preadv(long nr, const u64 args[6])
{
	const u32 flags = nr == __NR_preadv2 ? args[5] : 0;

	if (nr == __NR_preadv2 && args[3] == (u64)NO_OFFSET)
		return vector(__NR_read, args, NO_OFFSET, flags, true);
	return (s64)args[3] < 0 ? -EINVAL : vector(__NR_pread64, args, args[3], flags, true);
}

long sys_pwritev(long nr, const u64 args[6])
{
	const u32 flags = nr == __NR_pwritev2 ? args[5] : 0;

	if (nr == __NR_pwritev2 && args[3] == (u64)NO_OFFSET)
		return vector(__NR_write, args, NO_OFFSET, flags, false);
	return (s64)args[3] < 0 ? -EINVAL : vector(__NR_pwrite64, args, args[3], flags, false);
}

bool file_is_ready(int fd, short event)
{
	u64 mark = arena_mark();
	struct pollfd *p = arena_alloc(sizeof(*p));
	bool ready = false;

	if (p) {
		*p = (struct pollfd){ .fd = fd, .events = event };
		ready = checked(__NR_poll, hc_syscall_must(__NR_poll, (u64)p, 1, 0, 0, 0, 0), 1) == 1;
	}
	arena_release(mark);
	return ready;
}

/*
 * The kernel would put the pages themselves into the pipe, and they are the arena's. So this is a copy. A pipe that is
 * open for both is written, as by Linux.
 */
long sys_vmsplice(long nr, const u64 args[6])
{
	long mode = checked(__NR_fcntl, hc_syscall(__NR_fcntl, args[0], F_GETFL, 0, 0, 0, 0), 0x7fffffff);
	bool is_read = (mode & O_ACCMODE) == O_RDONLY;
	const struct iovec *iov = (const void *)args[1];
	struct iovec first;
	u64 total;
	long r;

	if (IS_ERR(mode))
		return mode;
	if ((file_mode(args[0]) & S_IFMT) != S_IFIFO)
		return -EBADF;
	if (!(args[3] & SPLICE_F_NONBLOCK))
		return is_read ? sys_readv(__NR_readv, args) : sys_writev(__NR_writev, args);
	if (args[2] > UIO_MAXIOV)
		return -EINVAL;
	r = iov_check(args[1], args[2], &total);
	if (r || !total)
		return r;
	if (!file_is_ready(args[0], is_read ? POLLIN : POLLOUT))
		return -EAGAIN;
	/* What is ready for a part is not so for all. */
	while (!iov->iov_len)
		iov++;
	first = *iov;
	if (first.iov_len > PIPE_BUF)
		first.iov_len = PIPE_BUF;
	return transfer(is_read ? __NR_read : __NR_write, args[0], &first, first.iov_len, NO_OFFSET, 0, is_read);
}

/* Data goes from file to file. Offsets that are given advance by as much as was moved, whatever the kernel left there. */
static long move_data(long nr, const struct call *row, const u64 args[6])
{
	long r = marshal_call(nr, row, args);
	int i;

	for (i = 0; r > 0 && i < 6; i++)
		if (row->arg[i].kind == ARG_IN && args[i])
			*(s64 *)args[i] += r;
	return r;
}

long sys_sendfile(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = { { ARG_VALUE }, { ARG_VALUE }, { ARG_IN, .size = sizeof(s64), .optional = true }, { ARG_VALUE } },
		.result = RESULT_ARG, .count = 3,
	};

	return move_data(nr, &row, args);
}

/* Also copy_file_range. */
long sys_splice(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE },
			{ ARG_IN, .size = sizeof(s64), .optional = true },
			{ ARG_VALUE },
			{ ARG_IN, .size = sizeof(s64), .optional = true },
			{ ARG_VALUE },
			{ ARG_VALUE },
		},
		.result = RESULT_ARG, .count = 4,
	};

	return move_data(nr, &row, args);
}

/*
 * open and openat. Only a call that may create a file has a mode. To the others a libc gives none, and what the
 * register still holds is the program's.
 */
long sys_open(long nr, const u64 args[6])
{
	int path = nr == __NR_openat;
	struct call row = { .result = RESULT_FD, .arg = { { ARG_VALUE } } };

	row.arg[path].kind = ARG_STRING;
	row.arg[path + 1].kind = ARG_VALUE;
	row.arg[path + 2].kind = args[path + 1] & (O_CREAT | __O_TMPFILE) ? ARG_VALUE : ARG_NONE;
	return marshal_call(nr, &row, args);
}

/*
 * A libc walks these records without a look at their bounds, and a program joins a name to a path
 * without a look for slashes.
 */
static bool dirents_ok(const char *buf, u64 len)
{
	const struct dirent64 *d;
	u64 at, room;

	for (at = 0; at < len; at += d->reclen) {
		d = (const void *)(buf + at);
		if (len - at <= offsetof(struct dirent64, name) || d->reclen > len - at || d->reclen % 8 ||
		    d->reclen <= offsetof(struct dirent64, name) || d->reclen > DIRENT_MAX)
			return false;
		room = d->reclen - offsetof(struct dirent64, name);
		if (!d->name[0] || shim_strnlen(d->name, room) == room || shim_strnlen(d->name, room) > NAME_MAX)
			return false;
		for (room = 0; d->name[room]; room++)
			if (d->name[room] == '/')
				return false;
	}
	return true;
}

/* What a program with protected files has in a directory for itself it does not see. How much is left. */
static long leave_out_home(int fd, char *buf, long len)
{
	const struct dirent64 *d;
	u64 at, next;

	if (!protect_on() || !protect_hides(fd))
		return len;
	for (at = 0; at < (u64)len; at = next) {
		d = (const void *)(buf + at);
		next = at + d->reclen;
		if (!memcmp(d->name, PROTECT_HOME, sizeof(PROTECT_HOME))) {
			len -= d->reclen;
			for (; at < (u64)len; at++, next++)
				buf[at] = buf[next];
			return len;
		}
	}
	return len;
}

static long get_entries(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), n = (u32)args[2];
	char *buf;
	long r;

	if (n > ARENA_PIECE)
		n = ARENA_PIECE;
	if (!user_range_ok(args[1], n))
		return -EFAULT;
	buf = arena_alloc(n);
	if (!buf)
		return -ENOMEM;
	r = checked(nr, hc_syscall(nr, args[0], (u64)buf, n, 0, 0, 0), n);
	if (r > 0) {
		memcpy((void *)args[1], buf, r);
		if (!dirents_ok((const void *)args[1], r))
			shim_lie(nr, r, "a directory entry is malformed");
	}
	arena_release(mark);
	return r;
}

long sys_getdents64(long nr, const u64 args[6])
{
	long got, r;

	do {
		got = get_entries(nr, args);
		r = got > 0 ? leave_out_home(args[0], (char *)args[1], got) : got;
	} while (got > 0 && !r);
	return r;
}

/* The kernel's answers: only revents, only what was asked or is always reported, and as many as it says. */
static long poll_common(long nr, const u64 args[6], u64 a2, u64 a3, u64 a4)
{
	struct pollfd *fds = (void *)args[0], *buf;
	u64 n = (u32)args[1], i, ready = 0, mark = arena_mark();
	short revents;
	long r;

	if (n > POLL_MAX)
		return -EINVAL;
	if (n && !user_range_ok(args[0], n * sizeof(*fds)))
		return -EFAULT;
	buf = arena_alloc(n * sizeof(*fds));
	if (!buf)
		return -ENOMEM;
	memcpy(buf, fds, n * sizeof(*fds));
	r = checked(nr, hc_syscall(nr, (u64)buf, n, a2, a3, a4, 0), n);
	for (i = 0; !IS_ERR(r) && i < n; i++) {
		revents = *(volatile short *)&buf[i].revents;
		if (revents & ~(fds[i].events | POLLERR | POLLHUP | POLLNVAL) || (revents && fds[i].fd < 0))
			shim_lie(nr, revents, "it reports an event that nobody asked for");
		fds[i].revents = revents;
		ready += revents != 0;
	}
	if (!IS_ERR(r) && ready != (u64)r)
		shim_lie(nr, r, "it is not the number of ready descriptors");
	arena_release(mark);
	return r;
}

long sys_poll(long nr, const u64 args[6])
{
	return poll_common(nr, args, args[2], 0, 0);
}

/* Copies an optional structure into the arena; NULL stays NULL. */
static bool optional_in(u64 at, u64 size, u64 *in)
{
	void *buf = NULL;

	if (at) {
		if (!user_range_ok(at, size))
			return false;
		buf = arena_alloc(size);
		if (!buf)
			return false;
		memcpy(buf, (const void *)at, size);
	}
	*in = (u64)buf;
	return true;
}

static bool mask_in(u64 at, u64 *in)
{
	if (!optional_in(at, sizeof(u64), in))
		return false;
	if (at)
		signal_call_mask(at);
	return true;
}

long sys_ppoll(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), timeout, mask;
	long r = -EFAULT;

	if (args[3] && args[4] != sizeof(u64))
		return -EINVAL;
	if (optional_in(args[2], sizeof(struct __kernel_timespec), &timeout) && mask_in(args[3], &mask))
		r = poll_common(nr, args, timeout, mask, args[4]);
	arena_release(mark);
	return r;
}

/* What select left of its timeout; never more than there was. */
static void time_left(struct __kernel_old_timeval *asked, const volatile struct __kernel_old_timeval *left)
{
	s64 sec = left->tv_sec, usec = left->tv_usec;

	if (sec < 0 || usec < 0 || usec >= 1000000)
		sec = usec = 0;
	if (sec < asked->tv_sec || (sec == asked->tv_sec && usec < asked->tv_usec)) {
		asked->tv_sec = sec;
		asked->tv_usec = usec;
	}
}

/*
 * select and pselect6. A set holds FD_SETSIZE_MAX bits in the program, whatever nfds says; bits
 * from nfds on stay as they are, and none may be set that was not asked for.
 */
long sys_select(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), n = args[0], words = (n + 63) / 64, in[3], timeout, mask = 0, got, i, w, ready = 0;
	u64 timeout_size = nr == __NR_select ? sizeof(struct __kernel_old_timeval) : sizeof(struct __kernel_timespec);
	const u64 *sigmask = (const void *)args[5];
	u64 pair[2] = { 0, 0 };
	long r = -EFAULT;

	if (n > FD_SETSIZE_MAX)
		return -EINVAL;
	for (i = 0; i < 3; i++)
		if (!optional_in(args[1 + i], words * 8, &in[i]))
			goto out;
	if (!optional_in(args[4], timeout_size, &timeout))
		goto out;
	if (nr == __NR_pselect6 && sigmask) {
		if (!user_range_ok(args[5], sizeof(pair)))
			goto out;
		r = -EINVAL;
		if (sigmask[0] && sigmask[1] != sizeof(u64))
			goto out;
		r = -EFAULT;
		pair[1] = sigmask[1];
		if (!mask_in(sigmask[0], &pair[0]) || !optional_in((u64)pair, sizeof(pair), &mask))
			goto out;
	}
	r = checked(nr, hc_syscall(nr, n, in[0], in[1], in[2], timeout, mask), 3 * n);
	if (IS_ERR(r))
		goto out;
	for (i = 0; i < 3; i++) {
		u64 *set = (void *)args[1 + i];

		for (w = 0; set && w < words; w++) {
			u64 asked = w == n / 64 ? (1UL << n % 64) - 1 : ~0UL;

			got = ((volatile u64 *)in[i])[w] & asked;
			if (got & ~set[w])
				shim_lie(nr, r, "it reports a descriptor that nobody asked for");
			set[w] = (set[w] & ~asked) | got;
			for (; got; got &= got - 1)
				ready++;
		}
	}
	if (ready != (u64)r)
		shim_lie(nr, r, "it is not the number of ready descriptors");
	if (nr == __NR_select && args[4])
		time_left((void *)args[4], (const volatile struct __kernel_old_timeval *)timeout);
out:
	arena_release(mark);
	return r;
}
