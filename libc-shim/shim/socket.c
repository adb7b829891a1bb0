// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * socket.c - messages, addresses and options of sockets. Every send is a sendmsg for the kernel, every receive a
 * recvmsg: one way to give it a buffer, and one place where its answer is judged.
 */
#include <asm/socket.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/time.h>
#include <linux/uio.h>
#include "protect.h"

#define SOCK_STREAM	1
#define SCM_RIGHTS	1
#define SCM_CREDENTIALS	2
#define MSG_PEEK	0x2
#define MSG_CTRUNC	0x8
#define MSG_TRUNC	0x20
#define MSG_DONTWAIT	0x40
#define MSG_WAITALL	0x100
#define MSG_WAITFORONE	0x10000
#define MSG_ZEROCOPY	0x4000000

#define ADDRESS_MAX	128	/* Linux's sockaddr_storage: no address is longer */
#define CONTROL_MAX	0x10000UL
#define OPTION_MAX	0x10000UL
#define MAX_ERRNO	4095
#define INT_MAX		0x7fffffffL
#define LENGTH_MAX	0x7ffff000UL	/* what one call moves at most */

/* As Linux's, for 64 bits. */
struct msghdr {
	u64 name;
	u32 namelen, pad;
	u64 iov, iovlen;
	u64 control, controllen;
	u32 flags, pad2;
};

struct mmsghdr {
	struct msghdr hdr;
	u32 len, pad;
};

struct cmsghdr {
	u64 len;
	int level, type;
};

#define CMSG_ALIGN(n)	(((n) + 7) & ~7UL)

/* --- control data --------------------------------------------------------------------------------------- */

/* Descriptors that the kernel has put into our table. All, or if one of them cannot be given to the program, none. */
static bool take_descriptors(const int *fd, u64 n)
{
	u64 i, k;

	for (i = 0; i < n; i++) {
		if (!IS_ERR(fds_new(__NR_recvmsg, (u32)fd[i])))
			continue;
		for (k = 0; k < n; k++)
			if (k != i)
				sys_close(__NR_close, (const u64[6]){ fd[k] });
		return false;
	}
	return true;
}

/*
 * Programs go from header to header, and read of each what its type says. Descriptors for which there is no room in the
 * program are as control data for which there is none: it ends before them.
 */
static bool control_ok(struct msghdr *m)
{
	const struct cmsghdr *c;
	u64 at, size;

	for (at = 0; m->controllen - at >= sizeof(*c); at += CMSG_ALIGN(c->len)) {
		c = (const void *)(m->control + at);
		if (c->len < sizeof(*c) || c->len > m->controllen - at)
			return false;
		size = c->len - sizeof(*c);
		if (c->level == SOL_SOCKET && c->type == SCM_RIGHTS) {
			if (size % sizeof(int))
				return false;
			if (!take_descriptors((const int *)(c + 1), size / sizeof(int))) {
				m->controllen = at;
				m->flags |= MSG_CTRUNC;
				return true;
			}
		}
		if (CMSG_ALIGN(c->len) >= m->controllen - at)
			break;
	}
	return true;
}

/* Does it give a protected file away? Who gets the descriptor would read and write the backing file itself. */
static bool gives_file(const struct msghdr *m)
{
	const struct cmsghdr *c;
	u64 at, i;

	for (at = 0; m->controllen - at >= sizeof(*c); at += CMSG_ALIGN(c->len)) {
		c = (const void *)(m->control + at);
		if (c->len > m->controllen - at || c->len < sizeof(*c))
			return false;
		for (i = 0; c->level == SOL_SOCKET && c->type == SCM_RIGHTS && i < (c->len - sizeof(*c)) / sizeof(int); i++)
			if (protect_has(((const int *)(c + 1))[i]))
				return true;
		if (CMSG_ALIGN(c->len) >= m->controllen - at)
			break;
	}
	return false;
}

/* --- messages ------------------------------------------------------------------------------------------ */

/* The program's header, copied once; what it points to is in its memory. */
static long message_in(struct msghdr *m, u64 at, u64 *total)
{
	long r;

	if (!user_range_ok(at, sizeof(*m)))
		return -EFAULT;
	memcpy(m, (const void *)at, sizeof(*m));
	if (!m->name)
		m->namelen = 0;
	if ((int)m->namelen < 0)
		return -EINVAL;
	if (m->namelen > ADDRESS_MAX)
		m->namelen = ADDRESS_MAX;
	if (m->iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	r = iov_check(m->iov, m->iovlen, total);
	if (r)
		return r;
	if (*total > LENGTH_MAX)
		*total = LENGTH_MAX;
	if ((m->namelen && !user_range_ok(m->name, m->namelen)) || (m->controllen && !user_range_ok(m->control, m->controllen)))
		return -EFAULT;
	return 0;
}

/* A message in the arena. These addresses are ours: the copy of them that the kernel reads is not read again. */
struct wire {
	struct msghdr *hdr;
	struct iovec *iov;
	void *name, *control;
	char *data;
};

static bool wire_alloc(struct wire *w, const struct msghdr *m, u64 piece)
{
	w->hdr = arena_alloc(sizeof(*w->hdr));
	w->iov = arena_alloc(sizeof(*w->iov));
	w->name = arena_alloc(ADDRESS_MAX);
	w->control = arena_alloc(m->controllen);
	w->data = arena_alloc(piece);
	return w->hdr && w->iov && w->name && w->control && w->data;
}

/* sendmsg or recvmsg of `n` bytes of data, with name and control data as *m has them. */
static long wire_call(long nr, int fd, const struct wire *w, const struct msghdr *m, u64 n, u32 flags)
{
	*w->iov = (struct iovec){ w->data, n };
	*w->hdr = (struct msghdr){
		.name = m->name ? (u64)w->name : 0, .namelen = m->namelen, .iov = (u64)w->iov, .iovlen = 1,
		.control = m->controllen ? (u64)w->control : 0, .controllen = m->controllen,
	};
	return hc_syscall(nr, fd, (u64)w->hdr, flags, 0, 0, 0);
}

static bool is_stream(int fd)
{
	u64 mark = arena_mark();
	volatile u32 *type = arena_alloc(2 * sizeof(u32));
	bool stream = false;

	if (type) {
		type[0] = 0;
		type[1] = sizeof(u32);
		stream = !checked(__NR_getsockopt, hc_syscall_must(__NR_getsockopt, fd, SOL_SOCKET, SO_TYPE, (u64)&type[0],
								   (u64)&type[1], 0), 0) && type[0] == SOCK_STREAM;
	}
	arena_release(mark);
	return stream;
}

/* A stream takes what is longer than a piece in pieces; control data goes with the first. */
static long send_message(long nr, int fd, const struct msghdr *msg, u64 total, u32 flags)
{
	u64 mark = arena_mark(), done = 0, n = total < ARENA_PIECE ? total : ARENA_PIECE;
	struct msghdr m = *msg;
	struct wire w;
	long r;

	if (m.controllen > CONTROL_MAX)
		return -ENOBUFS;
	if (n < total && !is_stream(fd))
		return -EMSGSIZE;
	if (protect_on() && gives_file(&m))
		return -EPERM;
	if (!wire_alloc(&w, &m, n)) {
		arena_release(mark);
		return -ENOMEM;
	}
	memcpy(w.name, (const void *)m.name, m.namelen);
	memcpy(w.control, (const void *)m.control, m.controllen);
	do {
		n = total - done < ARENA_PIECE ? total - done : ARENA_PIECE;
		iov_copy((const void *)m.iov, done, w.data, n, false);
		r = checked(nr, wire_call(__NR_sendmsg, fd, &w, &m, n, flags & ~MSG_ZEROCOPY), n);
		if (IS_ERR(r))
			break;
		done += r;
		m.controllen = 0;
	} while ((u64)r == n && done < total);
	arena_release(mark);
	return done ? (long)done : r;
}

/* What the kernel says of a message that it has received: *m gets the lengths and the flags. */
static void message_out(long nr, long r, const struct wire *w, struct msghdr *m)
{
	struct msghdr got;

	memcpy(&got, w->hdr, sizeof(got));
	if (m->name && got.namelen > ADDRESS_MAX)
		shim_lie(nr, got.namelen, "no address is that long");
	if (got.controllen > m->controllen)
		shim_lie(nr, got.controllen, "there is more control data than room for it");
	if (m->name) {
		memcpy((void *)m->name, w->name, got.namelen < m->namelen ? got.namelen : m->namelen);
		m->namelen = got.namelen;
	}
	memcpy((void *)m->control, w->control, got.controllen);
	m->controllen = got.controllen;
	m->flags = got.flags;
	if (!control_ok(m))
		shim_lie(nr, r, "its control data is malformed");
}

/*
 * Data that fills more than a piece comes in several receives, if all of it is to be waited for. A datagram that is
 * asked for its true length (MSG_TRUNC) may be longer than the buffer.
 */
static long receive_message(long nr, int fd, struct msghdr *m, u64 total, u32 flags)
{
	u64 mark = arena_mark(), done = 0, n = total < ARENA_PIECE ? total : ARENA_PIECE;
	bool more = n < total && (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL && !m->controllen && is_stream(fd);
	struct msghdr next = { 0 };
	struct wire w;
	long r;

	if (m->controllen > CONTROL_MAX)
		m->controllen = CONTROL_MAX;
	if (!wire_alloc(&w, m, n)) {
		arena_release(mark);
		return -ENOMEM;
	}
	do {
		n = total - done < ARENA_PIECE ? total - done : ARENA_PIECE;
		r = checked(nr, wire_call(__NR_recvmsg, fd, &w, done ? &next : m, n, flags),
			    flags & MSG_TRUNC ? 0x7fffffff : n);
		if (IS_ERR(r))
			break;
		iov_copy((const void *)m->iov, done, w.data, (u64)r < n ? (u64)r : n, true);
		if (!done)
			message_out(nr, r, &w, m);
		done += r;
	} while (more && (u64)r == n && done < total);
	arena_release(mark);
	return done ? (long)done : r;
}

long sys_sendmsg(long nr, const u64 args[6])
{
	struct msghdr m;
	u64 total;
	long r = message_in(&m, args[1], &total);

	return r ? r : send_message(nr, args[0], &m, total, args[2]);
}

long sys_recvmsg(long nr, const u64 args[6])
{
	struct msghdr m, *at = (void *)args[1];
	u64 total;
	long r = message_in(&m, args[1], &total);

	if (!r)
		r = receive_message(nr, args[0], &m, total, args[2]);
	if (IS_ERR(r))
		return r;
	at->namelen = m.name ? m.namelen : at->namelen;
	at->controllen = m.controllen;
	at->flags = m.flags;
	return r;
}

long sys_sendto(long nr, const u64 args[6])
{
	struct iovec iov = { (void *)args[1], args[2] < LENGTH_MAX ? args[2] : LENGTH_MAX };
	struct msghdr m = { .name = args[4], .namelen = args[4] ? args[5] : 0, .iov = (u64)&iov, .iovlen = 1 };

	if (iov.iov_len && !user_range_ok(args[1], iov.iov_len))
		return -EFAULT;
	if (m.namelen > ADDRESS_MAX)
		return -EINVAL;
	if (m.namelen && !user_range_ok(m.name, m.namelen))
		return -EFAULT;
	return send_message(nr, args[0], &m, iov.iov_len, args[3]);
}

long sys_recvfrom(long nr, const u64 args[6])
{
	struct iovec iov = { (void *)args[1], args[2] < LENGTH_MAX ? args[2] : LENGTH_MAX };
	struct msghdr m = { .name = args[4], .iov = (u64)&iov, .iovlen = 1 };
	u32 *len = (void *)args[5];
	long r;

	/* A stream's data may be thrown away, and that takes no buffer. */
	if (!args[1] && args[3] & MSG_TRUNC && is_stream(args[0]))
		return checked(nr, hc_syscall(nr, args[0], 0, iov.iov_len, args[3], 0, 0), iov.iov_len);
	if (iov.iov_len && !user_range_ok(args[1], iov.iov_len))
		return -EFAULT;
	if (m.name) {
		if (!user_range_ok(args[5], sizeof(*len)))
			return -EFAULT;
		if ((int)*len < 0)
			return -EINVAL;
		m.namelen = *len < ADDRESS_MAX ? *len : ADDRESS_MAX;
		if (m.namelen && !user_range_ok(m.name, m.namelen))
			return -EFAULT;
	}
	r = receive_message(nr, args[0], &m, iov.iov_len, args[3]);
	if (!IS_ERR(r) && m.name)
		*len = m.namelen;
	return r;
}

/* One after the other. An error behind the first message is not lost: the next call meets it again. */
long sys_sendmmsg(long nr, const u64 args[6])
{
	struct mmsghdr *at = (void *)args[1];
	u64 n = (u32)args[2], i;
	long r = 0;

	if (n > UIO_MAXIOV)
		n = UIO_MAXIOV;
	if (n && !user_range_ok(args[1], n * sizeof(*at)))
		return -EFAULT;
	for (i = 0; i < n; i++) {
		r = sys_sendmsg(nr, (const u64[6]){ args[0], (u64)&at[i].hdr, args[3] });
		if (IS_ERR(r))
			break;
		at[i].len = r;
	}
	return i ? (long)i : r;
}

/* As Linux, it looks at the time after each message, and waits for one as long as it takes. */
long sys_recvmmsg(long nr, const u64 args[6])
{
	struct __kernel_timespec *timeout = (void *)args[4];
	struct mmsghdr *at = (void *)args[1];
	u64 n = (u32)args[2], flags = args[3] & ~(u64)MSG_WAITFORONE, end, left = 0, i;
	long r = 0;

	if (n > UIO_MAXIOV)
		n = UIO_MAXIOV;
	if ((n && !user_range_ok(args[1], n * sizeof(*at))) || (timeout && !user_range_ok(args[4], sizeof(*timeout))))
		return -EFAULT;
	if (timeout) {
		r = clock_end(timeout, false, &end);
		if (r)
			return r;
	}
	for (i = 0; i < n; i++) {
		r = sys_recvmsg(nr, (const u64[6]){ args[0], (u64)&at[i].hdr, flags });
		if (IS_ERR(r))
			break;
		at[i].len = r;
		if (args[3] & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (timeout && (clock_until(end, false, &left) || !left)) {
			i++;
			break;
		}
	}
	if (timeout && i)
		*timeout = clock_timespec(left);
	return i ? (long)i : r;
}

/* --- addresses ---------------------------------------------------------------------------------------- */

/* accept, accept4, getsockname, getpeername: the kernel may say that an address is longer than the buffer for it. */
static long with_address(long nr, const u64 args[6], u64 max)
{
	u64 mark = arena_mark(), room;
	u32 *len = (void *)args[2], *klen, got;
	void *name;
	long r;

	if (!user_range_ok(args[2], sizeof(*len)))
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	room = *len < ADDRESS_MAX ? *len : ADDRESS_MAX;
	if (room && !user_range_ok(args[1], room))
		return -EFAULT;
	name = arena_alloc(ADDRESS_MAX);
	klen = arena_alloc(sizeof(*klen));
	r = -ENOMEM;
	if (name && klen) {
		*klen = room;
		r = checked(nr, hc_syscall(nr, args[0], (u64)name, (u64)klen, args[3], 0, 0), max);
	}
	if (!IS_ERR(r)) {
		got = *(volatile u32 *)klen;
		if (got > ADDRESS_MAX)
			shim_lie(nr, got, "no address is that long");
		memcpy((void *)args[1], name, got < room ? got : room);
		*len = got;
	}
	arena_release(mark);
	return r;
}

long sys_accept(long nr, const u64 args[6])
{
	const u64 given[6] = { args[0], args[1], args[2], nr == __NR_accept4 ? args[3] : 0 };

	if (!args[1])
		return fds_new(nr, hc_syscall(nr, args[0], 0, 0, given[3], 0, 0));
	return fds_new(nr, with_address(nr, given, INT_MAX));
}

long sys_getsockname(long nr, const u64 args[6])
{
	const u64 given[6] = { args[0], args[1], args[2] };

	return with_address(nr, given, 0);
}

/* --- options ------------------------------------------------------------------------------------------ */

/* Sizes and numbers of errors: programs compute with them. */
static bool option_ok(u64 level, u64 option, u64 at, u32 len)
{
	if (level != SOL_SOCKET || len != sizeof(int))
		return true;
	switch (option) {
	case SO_ERROR:
		return (u32)*(int *)at <= MAX_ERRNO;
	case SO_TYPE:
	case SO_DOMAIN:
	case SO_PROTOCOL:
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDLOWAT:
	case SO_RCVLOWAT:
		return *(int *)at >= 0;
	}
	return true;
}

long sys_getsockopt(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), room;
	u32 *len = (void *)args[4], *klen, got;
	void *value;
	long r = -ENOMEM;

	if ((int)args[1] == IPPROTO_TCP && (int)args[2] == TCP_ZEROCOPY_RECEIVE)
		return shim_missing(nr, " with this option");
	if (!user_range_ok(args[4], sizeof(*len)))
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	room = *len < OPTION_MAX ? *len : OPTION_MAX;
	if (room && !user_range_ok(args[3], room))
		return -EFAULT;
	value = arena_alloc(room);
	klen = arena_alloc(sizeof(*klen));
	if (value && klen) {
		*klen = room;
		r = checked(nr, hc_syscall(nr, args[0], args[1], args[2], (u64)value, (u64)klen, 0), 0);
	}
	if (!IS_ERR(r)) {
		got = *(volatile u32 *)klen;
		if (got > room)
			shim_lie(nr, got, "the option is longer than the room for it");
		memcpy((void *)args[3], value, got);
		*len = got;
		if (!option_ok((u32)args[1], (u32)args[2], args[3], got))
			shim_lie(nr, *(int *)args[3], "the option has no such value");
	}
	arena_release(mark);
	return r;
}

/* Those are not offered that have pointers inside, and the one that lets the kernel send from the arena later. */
long sys_setsockopt(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE },
			{ ARG_VALUE },
			{ ARG_VALUE },
			{ ARG_IN_BUF, .by = 4, .size = 1, .optional = true },
			{ ARG_VALUE },
		},
	};
	const u64 given[6] = { args[0], args[1], args[2], args[3], (u32)args[4] };

	if ((int)args[4] < 0)
		return -EINVAL;
	if ((int)args[1] == SOL_SOCKET) {
		switch ((int)args[2]) {
		case SO_ZEROCOPY:
			return -EOPNOTSUPP;
		case SO_ATTACH_FILTER:
		case SO_ATTACH_REUSEPORT_CBPF:
			return shim_missing(nr, " with this option");
		}
	}
	return marshal_call(nr, &row, given);
}
