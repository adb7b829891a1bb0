// SPDX-License-Identifier: GPL-2.0-or-later
/* test_socket.c - messages, addresses and options: what arrives, and each lie about it that socket.c must notice. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include "unit.h"

#define CANARY	0x5a

/* What the kernel answers. */
static struct {
	long result[8];
	unsigned int at, calls;
	u32 namelen, flags;
	u64 controllen;
	u8 control[256];
	int type;		/* SO_TYPE */
	long thrown;		/* recvfrom without a buffer */
	int closed[4], closes;
	/* ... and what it saw. */
	u64 flags_seen, control_seen, bytes;
} kernel;

static bool in_arena(u64 at, u64 len)
{
	return at >= ARENA_BUF && at + len <= ARENA_BUF_END;
}

static u8 byte_at(u64 i)
{
	return i * 13 + i / 4099;
}

static long message_answer(const struct msghdr *m, u64 flags, bool is_send)
{
	u8 *data;
	long r;
	u64 i;

	must_be(in_arena((u64)m, sizeof(*m)) && in_arena((u64)m->msg_iov, sizeof(*m->msg_iov)) && m->msg_iovlen == 1);
	data = m->msg_iov->iov_base;
	must_be(in_arena((u64)data, m->msg_iov->iov_len) && m->msg_iov->iov_len <= ARENA_PIECE);
	must_be(!m->msg_name || in_arena((u64)m->msg_name, 128));
	must_be(!m->msg_controllen || in_arena((u64)m->msg_control, m->msg_controllen));
	kernel.flags_seen = flags;
	r = kernel.at < ARRAY_SIZE(kernel.result) && kernel.result[kernel.at] ? kernel.result[kernel.at] : (long)m->msg_iov->iov_len;
	kernel.at++;
	if (r == LONG_MAX)
		r = 0;
	kernel.control_seen += is_send ? m->msg_controllen : 0;
	for (i = 0; i < m->msg_iov->iov_len && (long)i < r; i++, kernel.bytes++) {
		if (is_send)
			must(data[i] == byte_at(kernel.bytes), "byte %lu arrives wrong", kernel.bytes);
		else
			data[i] = byte_at(kernel.bytes);
	}
	if (!is_send && r >= 0) {
		struct msghdr *out = (void *)m;

		if (m->msg_name)
			memset(m->msg_name, 0x77, 128);
		if (m->msg_controllen)
			memcpy(m->msg_control, kernel.control, sizeof(kernel.control) < m->msg_controllen ? sizeof(kernel.control) : m->msg_controllen);
		out->msg_namelen = kernel.namelen;
		out->msg_controllen = kernel.controllen;
		out->msg_flags = kernel.flags;
		/* All else in it is not looked at again. */
		out->msg_iov = (void *)8;
		out->msg_control = (void *)8;
		out->msg_name = (void *)8;
	}
	return r;
}

static long answer(long nr, const u64 args[6])
{
	kernel.calls++;
	switch (nr) {
	case SYS_sendmsg:
	case SYS_recvmsg:
		return message_answer((const void *)args[1], args[2], nr == SYS_sendmsg);
	case SYS_getsockopt:
		must_be(in_arena(args[3], 4) && in_arena(args[4], 4));
		*(int *)args[3] = kernel.type;
		return 0;
	case SYS_close:
		kernel.closed[kernel.closes++] = args[0];
		return 0;
	case SYS_recvfrom:
		must_be(!args[1]);
		return kernel.thrown;
	}
	must(false, "system call %ld", nr);
	return 0;
}

static void reset(void)
{
	fake_reset();
	memset(&kernel, 0, sizeof(kernel));
	kernel.type = SOCK_STREAM;
	fake.answer = answer;
}

/* --- receiving -------------------------------------------------------------------------------------- */

START_TEST(receiving)
{
	static const struct {
		const char *what;
		u64 len, flags;
		long r;
		u32 namelen;
		bool is_lie;
	} cases[] = {
		{ "all of it", 20, 0, 20, 16 },
		{ "less", 20, 0, 7, 16 },
		{ "nothing", 20, 0, LONG_MAX, 0 },
		{ "an error", 20, 0, -EAGAIN, 0 },
		{ "a longer address", 20, 0, 20, 128 },
		{ "a byte too many", 20, 0, 21, 16, true },
		{ "a datagram's true length", 20, MSG_TRUNC, 60000, 16 },
		{ "no length", 20, MSG_TRUNC, 0x80000000, 16, true },
		{ "no error", 20, 0, -4096, 16, true },
		{ "an address too long", 20, 0, 20, 129, true },
		{ "an address far too long", 20, 0, 20, 0xfffffff0, true },
	};
	u8 buf[64], name[32];
	unsigned int k;
	u32 len, i;

	for (k = 0; k < ARRAY_SIZE(cases); k++) {
		bool lie;

		reset();
		kernel.result[0] = cases[k].r;
		kernel.namelen = cases[k].namelen;
		memset(buf, CANARY, sizeof(buf));
		memset(name, CANARY, sizeof(name));
		len = 16;
		lie = lies(SYS_recvfrom, (const u64[6]){ 3, (u64)buf, cases[k].len, cases[k].flags, (u64)name, (u64)&len });
		must(lie == cases[k].is_lie, "%s: lie %d", cases[k].what, lie);
		for (i = 16; i < sizeof(name); i++)
			must(name[i] == CANARY, "%s: the name's byte %u", cases[k].what, i);
		for (i = cases[k].r > 0 && !lie ? cases[k].r : 0; i < sizeof(buf); i++)
			must(i < 20 || buf[i] == CANARY, "%s: byte %u", cases[k].what, i);
		if (lie)
			continue;
		must(fake.result == (cases[k].r == LONG_MAX ? 0 : cases[k].r), "%s: %ld", cases[k].what, fake.result);
		must(len == (cases[k].r < 0 ? 16 : cases[k].namelen), "%s: the name has %u bytes", cases[k].what, len);
	}
}
END_TEST

#define H(len, level, type)	len, (u64)(type) << 32 | (level)
#define RIGHTS(n)		H(16 + 4 * (n), SOL_SOCKET, SCM_RIGHTS)
#define FDS(a, b)		(u64)(b) << 32 | (u32)(a)

START_TEST(control_data)
{
	static const struct {
		const char *what;
		u64 len;
		u64 words[10];
		bool is_lie;
	} cases[] = {
		{ "none", 0, { 0 } },
		{ "two descriptors", 24, { RIGHTS(2), FDS(4, 5) } },
		{ "one, with padding", 24, { RIGHTS(1), 4 } },
		{ "one, without", 20, { RIGHTS(1), 4 } },
		{ "credentials and a descriptor", 56, { H(28, SOL_SOCKET, SCM_CREDENTIALS), 1, 2, RIGHTS(1), 4 } },
		{ "a rest that is no header", 32, { RIGHTS(2), FDS(4, 5), 99 } },
		{ "something else", 40, { H(40, SOL_IP, IP_PKTINFO), 1, 2, 3 } },
		{ "longer than the room", 104, { RIGHTS(2), FDS(4, 5) }, true },
		{ "far longer", -1UL, { RIGHTS(2), FDS(4, 5) }, true },
		{ "a header of no length", 24, { H(0, SOL_SOCKET, SCM_RIGHTS) }, true },
		{ "a header shorter than itself", 24, { H(15, SOL_SOCKET, SCM_RIGHTS) }, true },
		{ "a header longer than all", 24, { H(25, SOL_SOCKET, SCM_RIGHTS), FDS(4, 5) }, true },
		{ "a length that wraps around", 24, { H(-8UL, SOL_SOCKET, SCM_RIGHTS) }, true },
		{ "half a descriptor", 24, { H(18, SOL_SOCKET, SCM_RIGHTS), 4 }, true },
		{ "no descriptor", 24, { RIGHTS(1), (u32)-1 }, true },
		{ "the same descriptor twice", 24, { RIGHTS(2), FDS(4, 4) }, true },
		{ "something else of no length", 40, { H(0, SOL_IP, IP_PKTINFO), 1, 2, 3 }, true },
		{ "something else, shorter than its header", 40, { H(15, SOL_IP, IP_PKTINFO), 1, 2, 3 }, true },
		{ "something else, longer than all", 40, { H(41, SOL_IP, IP_PKTINFO), 1, 2, 3 }, true },
		{ "a second one, longer than what is left", 48, { H(24, SOL_IP, IP_TTL), 1, H(25, SOL_IP, IP_TTL) }, true },
		{ "a second header that is wrong", 48, { H(24, SOL_IP, IP_TTL), 1, H(25, SOL_SOCKET, SCM_RIGHTS) }, true },
		{ "a second one with no descriptor", 48, { H(24, SOL_IP, IP_TTL), 1, RIGHTS(2), FDS(4, -5) }, true },
	};
	u64 control[16];
	u8 buf[8];
	unsigned int k, i;

	for (k = 0; k < ARRAY_SIZE(cases); k++) {
		struct iovec iov = { buf, 1 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 100, .msg_namelen = 55 };
		bool lie;

		reset();
		kernel.controllen = cases[k].len;
		kernel.flags = MSG_EOR;
		memcpy(kernel.control, cases[k].words, sizeof(cases[k].words));
		memset(control, CANARY, sizeof(control));
		lie = lies(SYS_recvmsg, (const u64[6]){ 3, (u64)&m, 0 });
		must(lie == cases[k].is_lie, "%s: lie %d", cases[k].what, lie);
		for (i = cases[k].len < 100 ? cases[k].len : 100; i < sizeof(control); i++)
			must(((u8 *)control)[i] == CANARY, "%s: byte %u", cases[k].what, i);
		if (lie)
			continue;
		must_be(fake.result == 1 && m.msg_controllen == cases[k].len && m.msg_flags == MSG_EOR);
		must(!memcmp(control, cases[k].words, cases[k].len), "%s: it arrives", cases[k].what);
		must_be(m.msg_iov == &iov && m.msg_control == control && !m.msg_name && m.msg_namelen == 55);
	}
}
END_TEST

/* Descriptors that are open already, and such for which the program has no room: then they are all closed again. */
START_TEST(rights)
{
	const u64 words[] = { H(24, SOL_IP, IP_TTL), 1, RIGHTS(3), FDS(4, 1024), 5 };
	u64 control[16];
	u8 buf[8];
	struct iovec iov = { buf, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 100 };

	reset();
	kernel.controllen = sizeof(words);
	memcpy(kernel.control, words, sizeof(words));
	must_be(!lies(SYS_recvmsg, (const u64[6]){ 3, (u64)&m, 0 }) && fake.result == 1);
	must_be(m.msg_controllen == 24 && m.msg_flags == MSG_CTRUNC && kernel.closes == 3 && kernel.closed[0] == 1024 &&
		kernel.closed[1] == 4 && kernel.closed[2] == 5);
	((int *)kernel.control)[11] = 6;
	m.msg_controllen = 100;
	must_be(!lies(SYS_recvmsg, (const u64[6]){ 3, (u64)&m, 0 }) && m.msg_controllen == sizeof(words) && kernel.closes == 3);
	m.msg_controllen = 100;
	must_be(lies(SYS_recvmsg, (const u64[6]){ 3, (u64)&m, 0 }));
}
END_TEST

/* All that is asked for, in pieces. */
START_TEST(waiting_for_all)
{
	u64 len = 2 * ARENA_PIECE + 100, i;
	u8 *buf = malloc(len + 1), control[64];
	u64 args[6] = { 3, (u64)buf, len, MSG_WAITALL };
	struct iovec iov = { buf, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64 };

	reset();
	must_be(!lies(SYS_recvfrom, args) && fake.result == (long)len && kernel.at == 3);
	for (i = 0; i < len; i++)
		must(buf[i] == byte_at(i), "byte %lu", i);
	reset();
	kernel.result[1] = 7;
	must_be(!lies(SYS_recvfrom, args) && fake.result == (long)ARENA_PIECE + 7 && kernel.at == 2);
	reset();
	kernel.result[1] = -ECONNRESET;
	must_be(!lies(SYS_recvfrom, args) && fake.result == (long)ARENA_PIECE);
	reset();
	kernel.result[1] = ARENA_PIECE + 1;
	must_be(lies(SYS_recvfrom, args));
	reset();
	kernel.type = SOCK_DGRAM;
	must_be(!lies(SYS_recvfrom, args) && fake.result == (long)ARENA_PIECE && kernel.at == 1);
	reset();
	args[3] = 0;
	must_be(!lies(SYS_recvfrom, args) && fake.result == (long)ARENA_PIECE && kernel.at == 1);
	/* Control data belongs to where it stands in the stream. */
	reset();
	must_be(!lies(SYS_recvmsg, (const u64[6]){ 3, (u64)&m, MSG_WAITALL }) && fake.result == (long)ARENA_PIECE && kernel.at == 1);
	/* Thrown away. */
	reset();
	args[1] = 0;
	args[3] = MSG_TRUNC;
	kernel.thrown = len;
	must_be(!lies(SYS_recvfrom, args) && fake.result == (long)len);
	kernel.thrown++;
	must_be(lies(SYS_recvfrom, args));
	kernel.type = SOCK_DGRAM;
	must_be(!lies(SYS_recvfrom, args) && fake.result == -EFAULT);
	free(buf);
}
END_TEST

/* --- sending ---------------------------------------------------------------------------------------- */

START_TEST(sending)
{
	u64 len = 2 * ARENA_PIECE + 100, i, control[3] = { RIGHTS(2), FDS(4, 5) };
	u8 *buf = malloc(len);
	struct iovec iov[3] = { { buf, 10 }, { buf + 10, 0 }, { buf + 10, len - 10 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3, .msg_control = control, .msg_controllen = sizeof(control) };
	const u64 args[6] = { 3, (u64)&m, MSG_NOSIGNAL | MSG_ZEROCOPY };

	for (i = 0; i < len; i++)
		buf[i] = byte_at(i);
	reset();
	must_be(!lies(SYS_sendmsg, args) && fake.result == (long)len && kernel.at == 3 && kernel.bytes == len);
	must_be(kernel.control_seen == sizeof(control) && kernel.flags_seen == MSG_NOSIGNAL);
	reset();
	kernel.result[1] = 5;
	must_be(!lies(SYS_sendmsg, args) && fake.result == (long)ARENA_PIECE + 5 && kernel.at == 2);
	reset();
	kernel.result[1] = -EAGAIN;
	must_be(!lies(SYS_sendmsg, args) && fake.result == (long)ARENA_PIECE);
	reset();
	kernel.result[0] = -EPIPE;
	must_be(!lies(SYS_sendmsg, args) && fake.result == -EPIPE);
	reset();
	kernel.result[0] = ARENA_PIECE + 1;
	must_be(lies(SYS_sendmsg, args));
	/* No datagram is that long. */
	reset();
	kernel.type = SOCK_DGRAM;
	must_be(!lies(SYS_sendmsg, args) && fake.result == -EMSGSIZE && !kernel.at);
	reset();
	must_be(!lies(SYS_sendto, (const u64[6]){ 3, (u64)buf, 99, 0, 0, 1234 }) && fake.result == 99);
	must_be(!lies(SYS_sendto, (const u64[6]){ 3, (u64)buf, 99, 0, (u64)control, 129 }) && fake.result == -EINVAL);
	must_be(!lies(SYS_sendto, (const u64[6]){ 3, 8, 99 }) && fake.result == -EFAULT);
	must_be(!lies(SYS_sendto, (const u64[6]){ 3, (u64)buf, 99, 0, 8, 16 }) && fake.result == -EFAULT);
	m.msg_iovlen = 1025;
	must_be(!lies(SYS_sendmsg, args) && fake.result == -EMSGSIZE);
	m.msg_iovlen = 3;
	m.msg_controllen = 1 << 20;
	must_be(!lies(SYS_sendmsg, args) && fake.result == -ENOBUFS);
	must_be(!lies(SYS_sendmsg, (const u64[6]){ 3, 8 }) && fake.result == -EFAULT);
	free(buf);
}
END_TEST

START_TEST(several)
{
	u8 buf[3][4] = { "", "", "" };
	struct iovec iov[3];
	struct mmsghdr m[3];
	u64 ts[2] = { 5, 0 };
	int i;

	for (i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ buf[i], 4 };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 }, .msg_len = 99 };
	}
	reset();
	kernel.result[2] = -EAGAIN;
	must_be(!lies(SYS_recvmmsg, (const u64[6]){ 3, (u64)m, 3, MSG_WAITFORONE }) && fake.result == 2);
	must_be(m[0].msg_len == 4 && m[1].msg_len == 4 && m[2].msg_len == 99 && kernel.flags_seen == MSG_DONTWAIT);
	reset();
	kernel.result[0] = -EBADF;
	must_be(!lies(SYS_recvmmsg, (const u64[6]){ 3, (u64)m, 3, 0 }) && fake.result == -EBADF);
	reset();
	kernel.result[1] = 5;
	must_be(lies(SYS_recvmmsg, (const u64[6]){ 3, (u64)m, 3, 0 }));
	reset();
	fake.boottime = 1000000000;
	must_be(!lies(SYS_recvmmsg, (const u64[6]){ 3, (u64)m, 2, 0, (u64)ts }) && fake.result == 2 && ts[0] == 5);
	ts[1] = 1000000000;
	must_be(!lies(SYS_recvmmsg, (const u64[6]){ 3, (u64)m, 2, 0, (u64)ts }) && fake.result == -EINVAL);
	reset();
	for (i = 0; i < 12; i++)
		buf[i / 4][i % 4] = byte_at(i);
	kernel.result[2] = 3;
	must_be(!lies(SYS_sendmmsg, (const u64[6]){ 3, (u64)m, 3 }) && fake.result == 3 && m[1].msg_len == 4 && m[2].msg_len == 3);
}
END_TEST

/* --- addresses, options ------------------------------------------------------------------------------- */

static long next_result;
static u32 next_len;
static int next_value;

static long address_answer(long nr, const u64 args[6])
{
	must_be(in_arena(args[1], 128) && in_arena(args[2], 4) && *(u32 *)args[2] <= 128);
	memset((void *)args[1], 0x77, 128);
	*(u32 *)args[2] = next_len;
	return next_result;
}

START_TEST(addresses)
{
	static const struct {
		long nr, r;
		u32 len;
		bool is_lie;
	} cases[] = {
		{ SYS_accept, 5, 16 }, { SYS_accept4, 5, 128 }, { SYS_getsockname, 0, 110 }, { SYS_getpeername, 0, 0 },
		{ SYS_accept, -EAGAIN, 0xffffffff }, { SYS_getpeername, -ENOTCONN, 5000 },
		{ SYS_accept, 0x80000000, 16, true }, { SYS_accept4, -9999, 16, true }, { SYS_getsockname, 1, 16, true },
		{ SYS_accept, 5, 129, true }, { SYS_getsockname, 0, -1, true }, { SYS_getpeername, 0, 0x80000000, true },
	};
	u8 name[32];
	unsigned int k, i;
	u32 len;

	for (k = 0; k < ARRAY_SIZE(cases); k++) {
		fake_reset();
		fake.answer = address_answer;
		next_result = cases[k].r;
		next_len = cases[k].len;
		memset(name, CANARY, sizeof(name));
		len = 16;
		must(lies(cases[k].nr, (const u64[6]){ 3, (u64)name, (u64)&len, 0 }) == cases[k].is_lie, "case %u", k);
		for (i = 16; i < sizeof(name); i++)
			must(name[i] == CANARY, "case %u, byte %u", k, i);
		if (!cases[k].is_lie)
			must(fake.result == cases[k].r && len == (cases[k].r < 0 ? 16 : cases[k].len), "case %u: %u", k, len);
	}
	len = -1;
	must_be(!lies(SYS_accept, (const u64[6]){ 3, (u64)name, (u64)&len }) && fake.result == -EINVAL);
	must_be(!lies(SYS_getsockname, (const u64[6]){ 3, (u64)name, 8 }) && fake.result == -EFAULT);
}
END_TEST

static long option_answer(long nr, const u64 args[6])
{
	must_be(in_arena(args[3], 4) && in_arena(args[4], 4));
	*(int *)args[3] = next_value;
	*(u32 *)args[4] = next_len;
	return next_result;
}

START_TEST(options)
{
	static const struct {
		int level, option, value;
		u32 len;
		long r;
		bool is_lie;
	} cases[] = {
		{ SOL_SOCKET, SO_ERROR, ECONNREFUSED, 4, 0 }, { SOL_SOCKET, SO_RCVBUF, 212992, 4, 0 }, { SOL_SOCKET, SO_PEEK_OFF, -1, 4, 0 },
		{ IPPROTO_TCP, 1, -1, 4, 0 }, { SOL_SOCKET, SO_ERROR, 0, 4, -EBADF }, { SOL_SOCKET, SO_KEEPALIVE, 1, 1, 0 },
		{ SOL_SOCKET, SO_ERROR, 4096, 4, 0, true }, { SOL_SOCKET, SO_ERROR, -1, 4, 0, true },
		{ SOL_SOCKET, SO_RCVBUF, -5, 4, 0, true }, { SOL_SOCKET, SO_SNDBUF, -5, 4, 0, true },
		{ SOL_SOCKET, SO_TYPE, -1, 4, 0, true }, { SOL_SOCKET, SO_TYPE, 1, 4, 1, true },
		{ SOL_SOCKET, SO_TYPE, 1, 9, 0, true }, { IPPROTO_TCP, 1, 1, -1, 0, true },
	};
	u8 value[16];
	unsigned int k, i;
	u32 len;

	for (k = 0; k < ARRAY_SIZE(cases); k++) {
		fake_reset();
		fake.answer = option_answer;
		next_result = cases[k].r;
		next_value = cases[k].value;
		next_len = cases[k].len;
		memset(value, CANARY, sizeof(value));
		len = 8;
		must(lies(SYS_getsockopt, (const u64[6]){ 3, cases[k].level, cases[k].option, (u64)value, (u64)&len }) == cases[k].is_lie,
		     "case %u", k);
		for (i = 8; i < sizeof(value); i++)
			must(value[i] == CANARY, "case %u, byte %u", k, i);
	}
	fake_reset();
	must_be(!lies(SYS_setsockopt, (const u64[6]){ 3, SOL_SOCKET, SO_ZEROCOPY, (u64)value, 4 }) && fake.result == -EOPNOTSUPP && !fake.calls);
	must_be(!lies(SYS_setsockopt, (const u64[6]){ 3, SOL_SOCKET, SO_ATTACH_FILTER, (u64)value, 16 }) && fake.result == -ENOSYS);
	must_be(!lies(SYS_setsockopt, (const u64[6]){ 3, SOL_SOCKET, SO_RCVBUF, (u64)value, -1UL }) && fake.result == -EINVAL);
	must_be(!lies(SYS_getsockopt, (const u64[6]){ 3, IPPROTO_TCP, 35, (u64)value, (u64)&len }) && fake.result == -ENOSYS);
}
END_TEST

SUITE(socket, SECONDS,
      { receiving }, { control_data }, { rights }, { waiting_for_all }, { sending }, { several }, { addresses }, { options })
