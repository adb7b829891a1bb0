// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_marshal.c - each row of the table, and the handlers of file.c, under a kernel that answers
 * at random: what it is given lies in the arena, what it returns is checked, and not a byte is
 * written outside the program's buffers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "unit.h"

#define BUF	0x2000
#define CANARY	0x5a

/* Six buffers of the program, each with room on both sides that must stay as it is. */
static struct {
	u8 before[64], data[BUF], after[64];
} buffers[6] __attribute__((aligned(16)));

static const struct call *row;
static u64 given[6];		/* the arguments of the program */
static u64 asked[6];		/* ... of the kernel */
static long next_result;

static bool is_pointer(const struct arg *a)
{
	return a->kind != ARG_NONE && a->kind != ARG_VALUE;
}

static void prepare(void)
{
	int i;

	for (i = 0; i < 6; i++) {
		memset(&buffers[i], CANARY, sizeof(buffers[i]));
		strcpy((char *)buffers[i].data, "/some/path");
	}
}

static void check_canaries(void)
{
	unsigned int i, k;

	for (i = 0; i < 6; i++)
		for (k = 0; k < 64; k++)
			must(buffers[i].before[k] == CANARY && buffers[i].after[k] == CANARY, "buffer %u", i);
}

static u64 size_of(int i)
{
	const struct arg *a = &row->arg[i];

	return a->kind == ARG_STRING ? strlen("/some/path") + 1 :
	       a->kind == ARG_IN_BUF || a->kind == ARG_OUT_BUF ? given[a->by] * a->size : a->size;
}

static long row_answer(long nr, const u64 args[6])
{
	int i;

	if (row != &call_table[nr])
		return 0;	/* the test's own closing, and a descriptor that is given back */
	for (i = 0; i < 6; i++) {
		asked[i] = args[i];
		if (row->arg[i].kind == ARG_NONE) {
			must(args[i] == 0, "%s: argument %d is none, and the kernel sees 0x%lx", row->name, i, args[i]);
		} else if (!is_pointer(&row->arg[i])) {
			must(args[i] == given[i], "%s: argument %d", row->name, i);
		} else if (!given[i]) {
			must(args[i] == 0, "%s: argument %d is NULL", row->name, i);
		} else {
			must(args[i] >= ARENA_BUF && args[i] + size_of(i) <= ARENA_BUF_END, "%s: argument %d is 0x%lx",
			     row->name, i, args[i]);
			if (row->arg[i].kind != ARG_OUT && row->arg[i].kind != ARG_OUT_BUF)
				must(!memcmp((void *)args[i], (void *)given[i], size_of(i)), "%s: argument %d arrives", row->name, i);
			if (row->arg[i].kind != ARG_IN && row->arg[i].kind != ARG_IN_BUF && row->arg[i].kind != ARG_STRING)
				memset((void *)args[i], rnd(3) ? rnd(256) : 0, size_of(i));
		}
	}
	return next_result;
}

static u64 limit(void)
{
	switch (row->result) {
	case RESULT_ZERO:
		return 0;
	case RESULT_INT:
	case RESULT_FD:
	case RESULT_SURE_INT:
		return 0x7fffffff;
	case RESULT_U32:
	case RESULT_SURE_U32:
		return 0xffffffff;
	case RESULT_LONG:
		return 0x7fffffffffffffff;
	default:
		return given[row->count];
	}
}

static bool is_sure(void)
{
	return row->result == RESULT_SURE_INT || row->result == RESULT_SURE_U32;
}

/* One call of a row, with a result that may be anything. Did it succeed? */
static bool try_row(long nr)
{
	u64 mark = arena_mark();
	long r;
	int i;

	prepare();
	for (i = 0; i < 6; i++) {
		given[i] = rnd(BUF / 16);
		if (is_pointer(&row->arg[i]))
			given[i] = row->arg[i].optional && rnd(3) == 0 ? 0 : (u64)buffers[i].data;
	}
	switch (rnd(4)) {
	case 0:
		next_result = -(long)(1 + rnd(4095));
		break;
	case 1:
		next_result = limit() ? rnd(limit() < 100 ? limit() + 1 : rnd(4) ? 100 : 2) : 0;
		break;
	case 2:
		next_result = limit() + 1 + rnd(1000);
		break;
	default:
		next_result = (long)((u64)rnd(1 << 30) << rnd(40)) * (rnd(2) ? 1 : -1);
	}
	/* ERESTARTSYS, which the kernel keeps to itself, and the shim too. */
	if (next_result == -512)
		next_result = -EINTR;
	if (row->result == RESULT_FD)
		must_be(!dispatch(SYS_close_range, (const u64[6]){ 0, -1UL }));
	if (ended()) {
		must(fake.check == INKTAG_CHECK_SYSCALL && fake.addr == (u64)nr, "%s: check %d, call %lu", row->name,
		     fake.check, fake.addr);
		must((IS_ERR(next_result) ? is_sure() : (u64)next_result > limit()) || (row->check && !row->check(next_result, given)),
		     "%s: result %ld is possible", row->name, next_result);
		check_canaries();
		arena_release(mark);
		return false;
	}
	r = dispatch(nr, given);
	must(arena_mark() == mark, "%s: the arena is as before", row->name);
	must(r == (row->result == RESULT_FD && next_result >= 1024 ? -EMFILE : next_result), "%s: result %ld", row->name, r);
	must(IS_ERR(r) ? !is_sure() : (u64)r <= limit(), "%s: the impossible result %ld was accepted", row->name, r);
	check_canaries();
	must(IS_ERR(r) || !row->check || row->check(r, given), "%s: what is malformed was accepted", row->name);
	r = next_result;
	for (i = 0; i < 6; i++) {
		const struct arg *a = &row->arg[i];
		bool out = (a->kind == ARG_OUT || a->kind == ARG_INOUT) && !IS_ERR(r);
		u64 k, n = a->kind == ARG_OUT_BUF && !IS_ERR(r) ? (u64)r * a->size : out ? a->size : 0;

		if (!is_pointer(a) || !given[i])
			continue;
		/* Behind what was filled all is as it was. */
		for (k = n > 16 ? n : 16; k < BUF; k++)
			must(buffers[i].data[k] == CANARY, "%s: byte %lu of argument %d", row->name, k, i);
	}
	return !IS_ERR(r);
}

START_TEST(rows)
{
	unsigned int nr, i, n = 0, good;

	fake_reset();
	fake.answer = row_answer;
	for (nr = 0; nr < CALL_COUNT; nr++) {
		row = &call_table[nr];
		if (!row->name)
			continue;
		must(call_names[nr] && !strcmp(call_names[nr], row->name), "number %u is %s, not %s", nr, call_names[nr], row->name);
		if (row->handler)
			continue;
		n++;
		for (i = 0; i < 6; i++) {
			if (row->arg[i].kind == ARG_IN_BUF || row->arg[i].kind == ARG_OUT_BUF)
				must(row->arg[row->arg[i].by].kind == ARG_VALUE, "%s: its size is a value", row->name);
			must(row->arg[i].size <= BUF, "%s: size", row->name);
		}
		for (i = good = 0; i < (row->check ? 2000 : 300); i++)
			good += try_row(nr);
		must(good, "%s: whatever the kernel says is refused", row->name);
	}
	must_be(n > 90);
}
END_TEST

START_TEST(bad_pointers)
{
	static const u64 bad[] = { 8, INKTAG_USER_END, INKTAG_USER_END - 8, -1UL, 0xffff800000000000 };
	unsigned int nr, i, k;

	fake_reset();
	for (nr = 0; nr < CALL_COUNT; nr++) {
		row = &call_table[nr];
		if (!row->name || row->handler)
			continue;
		for (i = 0; i < 6; i++) {
			if (!is_pointer(&row->arg[i]))
				continue;
			prepare();
			for (k = 0; k < 6; k++)
				given[k] = is_pointer(&row->arg[k]) ? (u64)buffers[k].data : 64;
			for (k = 0; k < ARRAY_SIZE(bad); k++) {
				/* A small thing fits below the end. */
				if (bad[k] == INKTAG_USER_END - 8 && (row->arg[i].kind == ARG_STRING || row->arg[i].size <= 8))
					continue;
				given[i] = bad[k];
				fake.calls = 0;
				must(dispatch(nr, given) == -EFAULT && !fake.calls, "%s: argument %u", row->name, i);
			}
		}
	}
}
END_TEST

START_TEST(missing)
{
	static const u64 none[6];

	fake_reset();
	must_be(dispatch(SYS_init_module, none) == -ENOSYS);
	must(strstr(fake.said, "init_module (175)"), "said: %s", fake.said);
	memset(fake.said, 0, sizeof(fake.said));
	must_be(dispatch(SYS_init_module, none) == -ENOSYS && !fake.said[0]);
	must_be(dispatch(SYS_ptrace, none) == -ENOSYS && strstr(fake.said, "ptrace (101)"));
	must_be(dispatch(-1, none) == -ENOSYS && dispatch(CALL_COUNT, none) == -ENOSYS);
	must_be(dispatch(100000000, none) == -ENOSYS);
}
END_TEST

START_TEST(long_names)
{
	char *name = malloc(5000);

	fake_reset();
	memset(name, 'a', 4999);
	name[4999] = 0;
	must_be(dispatch(SYS_open, (const u64[6]){ (u64)name }) == -ENAMETOOLONG && !fake.calls);
	name[4095] = 0;
	must_be(dispatch(SYS_open, (const u64[6]){ (u64)name }) == 0 && fake.calls == 1);
	free(name);
}
END_TEST

static long open_answer(long nr, const u64 args[6])
{
	memcpy(asked, args, sizeof(asked));
	must_be(!strcmp((const char *)args[nr == SYS_openat], "/some/path"));
	return next_result;
}

/* What is in the register of the mode is the mode only if a file may be created. */
START_TEST(opening)
{
	static const struct {
		u64 flags, mode, seen;
	} calls[] = {
		{ O_RDONLY, 0x620000001000, 0 }, { O_RDWR | O_TRUNC | O_DIRECTORY, 0666, 0 }, { O_WRONLY | O_CREAT, 0666, 0666 },
		{ O_RDWR | O_TMPFILE, 0600, 0600 },
	};
	unsigned int i, at, fd = 3;

	fake_reset();
	fake.answer = open_answer;
	prepare();
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (at = 0; at < 2; at++) {
			given[0] = 77;
			given[at] = (u64)buffers[0].data;
			given[at + 1] = calls[i].flags;
			given[at + 2] = calls[i].mode;
			given[at + 3] = 0x620000002000;
			next_result = ++fd;
			must_be(dispatch(at ? SYS_openat : SYS_open, given) == fd);
			must(asked[at + 1] == calls[i].flags && asked[at + 2] == calls[i].seen && !asked[at + 3], "call %u of %u: 0x%lx",
			     i, at, asked[at + 2]);
			must_be(asked[at] >= ARENA_BUF && asked[at] < ARENA_BUF_END && (!at || asked[0] == 77));
			next_result = -ENOENT;
			must_be(dispatch(at ? SYS_openat : SYS_open, given) == -ENOENT);
			given[at] = 8;
			must_be(dispatch(at ? SYS_openat : SYS_open, given) == -EFAULT);
		}
	}
	given[0] = (u64)buffers[0].data;
	next_result = 0x80000000;
	if (!ended()) {
		dispatch(SYS_open, given);
		must_be(false);
	}
	must_be(fake.check == INKTAG_CHECK_SYSCALL && fake.addr == SYS_open);
}
END_TEST

/* --- data ---------------------------------------------------------------------------------------- */

/* A file of bytes that depend on their offset; each transfer is as long as script says, then full. */
static u64 position;
static long script[8];
static unsigned int step, steps;
static bool regular;

static u8 byte_at(u64 offset)
{
	return offset * 31 + offset / 4099;
}

static long data_answer(long nr, const u64 args[6])
{
	u64 at = nr == SYS_pread64 || nr == SYS_pwrite64 ? args[3] : position, i;
	long n = args[2];

	if (nr == SYS_fstat) {
		/* st_mode is at 24. */
		*(u32 *)(args[1] + 24) = regular ? 0100644 : 0010644;
		return 0;
	}
	must(args[1] >= ARENA_BUF && args[1] + args[2] <= ARENA_BUF_END && args[2] <= ARENA_PIECE, "a buffer outside the arena");
	if (step < steps)
		n = script[step++];
	if (n < 0 || n > (long)args[2])
		return n;
	for (i = 0; i < (u64)n; i++) {
		u8 *byte = (u8 *)args[1] + i;

		if (nr == SYS_read || nr == SYS_pread64)
			*byte = byte_at(at + i);
		else
			must(*byte == byte_at(at + i), "byte %lu is written wrong", at + i);
	}
	position += n;
	return n;
}

static const struct transfer {
	const char *what;
	long nr;
	u64 len;
	bool regular;
	long script[4];
	unsigned int steps;
	long result;		/* LONG_MIN: a violation */
} transfers[] = {
	{ "small read", SYS_read, 100, true, { 0 }, 0, 100 },
	{ "nothing", SYS_read, 0, true, { 0 }, 0, 0 },
	{ "short read", SYS_read, 100, true, { 7 }, 1, 7 },
	{ "read of three pieces and a bit", SYS_read, 3 * ARENA_PIECE + 9, true, { 0 }, 0, 3 * ARENA_PIECE + 9 },
	{ "a pipe gives one piece", SYS_read, 3 * ARENA_PIECE, false, { 0 }, 0, ARENA_PIECE },
	{ "short second piece", SYS_read, 3 * ARENA_PIECE, true, { ARENA_PIECE, 11 }, 2, ARENA_PIECE + 11 },
	{ "end after a piece", SYS_read, 3 * ARENA_PIECE, true, { ARENA_PIECE, 0 }, 2, ARENA_PIECE },
	{ "error after a piece", SYS_read, 3 * ARENA_PIECE, true, { ARENA_PIECE, -EIO }, 2, ARENA_PIECE },
	{ "error", SYS_read, 3 * ARENA_PIECE, true, { -EIO }, 1, -EIO },
	{ "one byte too many", SYS_read, 100, true, { 101 }, 1, INT64_MIN },
	{ "a piece too long", SYS_read, 2 * ARENA_PIECE, true, { ARENA_PIECE, ARENA_PIECE + 1 }, 2, INT64_MIN },
	{ "no error number", SYS_read, 100, true, { -4096 }, 1, INT64_MIN },
	{ "write of pieces to a pipe", SYS_write, 2 * ARENA_PIECE + 5, false, { 0 }, 0, 2 * ARENA_PIECE + 5 },
	{ "short write", SYS_write, 2 * ARENA_PIECE + 5, false, { 100 }, 1, 100 },
	{ "write would wait", SYS_write, 2 * ARENA_PIECE, false, { ARENA_PIECE, -EAGAIN }, 2, ARENA_PIECE },
	{ "more written than given", SYS_write, 100, false, { 101 }, 1, INT64_MIN },
	{ "pread", SYS_pread64, ARENA_PIECE + 5, true, { 0 }, 0, ARENA_PIECE + 5 },
	{ "pread of no regular file", SYS_pread64, ARENA_PIECE + 5, false, { 0 }, 0, ARENA_PIECE + 5 },
	{ "pwrite", SYS_pwrite64, ARENA_PIECE + 5, true, { 0 }, 0, ARENA_PIECE + 5 },
};

START_TEST(data)
{
	const struct transfer *t = &transfers[_i];
	bool positioned = t->nr == SYS_pread64 || t->nr == SYS_pwrite64, is_read = t->nr == SYS_read || t->nr == SYS_pread64;
	u64 offset = positioned ? 12345 : 0, mark = arena_mark(), i;
	u8 *buf = malloc(t->len + 1);
	long r;

	fake_reset();
	fake.answer = data_answer;
	position = step = 0;
	steps = t->steps;
	regular = t->regular;
	memcpy(script, t->script, sizeof(t->script));
	for (i = 0; i <= t->len; i++)
		buf[i] = is_read ? CANARY : byte_at(offset + i);
	if (ended()) {
		must(t->result == INT64_MIN && fake.check == INKTAG_CHECK_SYSCALL, "%s: violation", t->what);
		free(buf);
		return;
	}
	r = dispatch(t->nr, (const u64[6]){ 3, (u64)buf, t->len, offset });
	must(r == t->result, "%s: %ld", t->what, r);
	must(arena_mark() == mark, "the arena is as before");
	for (i = 0; is_read && i < (r < 0 ? 0 : (u64)r); i++)
		must(buf[i] == byte_at(offset + i), "%s: byte %lu", t->what, i);
	for (i = r < 0 ? 0 : r; is_read && i <= t->len; i++)
		must(buf[i] == CANARY, "%s: byte %lu was not read", t->what, i);
	free(buf);
}
END_TEST

START_TEST(vectors)
{
	u64 len[4] = { 10, 0, ARENA_PIECE + 100, 33 }, total = 0, i, k, at = 0;
	struct iovec iov[4];
	u8 *buf[4];

	fake_reset();
	fake.answer = data_answer;
	position = step = steps = 0;
	regular = true;
	for (i = 0; i < 4; i++) {
		buf[i] = malloc(len[i] + 1);
		memset(buf[i], CANARY, len[i] + 1);
		iov[i] = (struct iovec){ buf[i], len[i] };
		total += len[i];
	}
	must_be(dispatch(SYS_readv, (const u64[6]){ 3, (u64)iov, 4 }) == (long)total);
	for (i = 0; i < 4; i++) {
		for (k = 0; k < len[i]; k++)
			must(buf[i][k] == byte_at(at++), "byte %lu of part %lu", k, i);
		must_be(buf[i][k] == CANARY);
	}
	position = 0;
	must_be(dispatch(SYS_writev, (const u64[6]){ 3, (u64)iov, 4 }) == (long)total);
	must_be(dispatch(SYS_writev, (const u64[6]){ 3, (u64)iov, 1025 }) == -EINVAL);
	must_be(dispatch(SYS_writev, (const u64[6]){ 3, 8, 4 }) == -EFAULT);
	must_be(dispatch(SYS_writev, (const u64[6]){ 3, (u64)iov, 0 }) == 0);
	iov[1] = (struct iovec){ (void *)8, 1 };
	must_be(dispatch(SYS_writev, (const u64[6]){ 3, (u64)iov, 4 }) == -EFAULT);
	iov[1] = (struct iovec){ buf[0], -1UL };
	must_be(dispatch(SYS_readv, (const u64[6]){ 3, (u64)iov, 4 }) == -EINVAL);
	iov[1] = (struct iovec){ buf[0], 1UL << 47 };
	must_be(dispatch(SYS_readv, (const u64[6]){ 3, (u64)iov, 4 }) == -EFAULT);
	for (i = 0; i < 4; i++)
		free(buf[i]);
}
END_TEST

/* --- directories, poll ---------------------------------------------------------------------------- */

struct record {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[13];
};

static struct record records[3];

static long directory_answer(long nr, const u64 args[6])
{
	memcpy((void *)args[1], records, sizeof(records));
	return next_result;
}

START_TEST(directory_entries)
{
	static const struct {
		const char *what;
		u16 reclen;
		const char *name;
		bool ok;
	} cases[] = {
		{ "good", 32, "good", true },
		{ "a record of no length", 0, "x", false },
		{ "a record longer than what was read", 1000, "x", false },
		{ "a record that is no multiple", 31, "x", false },
		{ "a record without room for a name", 16, "x", false },
		{ "an empty name", 32, "", false },
		{ "a name with a slash", 32, "../etc/pw", false },
		{ "a name without an end", 32, "abcdefghijklm", false },
		{ "the longest name", 32, "abcdefghijkl", true },
	};
	u64 buf[100];
	static unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_reset();
		fake.answer = directory_answer;
		memset(records, 0, sizeof(records));
		records[0] = records[1] = records[2] = (struct record){ .reclen = 32, .name = "name" };
		records[1].reclen = cases[i].reclen;
		memset(records[1].name, 0, sizeof(records[1].name));
		memcpy(records[1].name, cases[i].name, strlen(cases[i].name));
		next_result = sizeof(records);
		if (ended()) {
			must(!cases[i].ok && fake.check == INKTAG_CHECK_SYSCALL, "%s: refused", cases[i].what);
			continue;
		}
		must_be(dispatch(SYS_getdents64, (const u64[6]){ 3, (u64)buf, sizeof(buf) }) == sizeof(records));
		must(cases[i].ok, "%s: accepted", cases[i].what);
	}
}
END_TEST

static char long_record[512] __attribute__((aligned(8)));

static long long_record_answer(long nr, const u64 args[6])
{
	memcpy((void *)args[1], long_record, sizeof(long_record));
	return next_result;
}

/* A libc has room for a name of NAME_MAX bytes, and for the record that has one. */
START_TEST(directory_names)
{
	static const struct {
		u16 reclen;
		u32 length;
		bool is_lie;
	} cases[] = { { 280, 255 }, { 280, 256, true }, { 280, 260, true }, { 288, 256, true }, { 288, 3, true }, { 512, 400, true } };
	struct record *d = (struct record *)long_record;
	u64 buf[64];
	unsigned int i;

	fake_reset();
	fake.answer = long_record_answer;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(long_record, 0, sizeof(long_record));
		d->reclen = next_result = cases[i].reclen;
		memset(long_record + offsetof(struct record, name), 'n', cases[i].length);
		must(lies(SYS_getdents64, (const u64[6]){ 3, (u64)buf, sizeof(buf) }) == cases[i].is_lie, "case %u", i);
	}
}
END_TEST

static short revents[3];

static long poll_answer(long nr, const u64 args[6])
{
	struct pollfd *p = (void *)args[0];
	int i;

	for (i = 0; i < 3; i++) {
		p[i].revents = revents[i];
		/* The rest of the structure is the program's. */
		p[i].fd = 99;
		p[i].events = 0;
	}
	return next_result;
}

START_TEST(poll_events)
{
	static const struct {
		short revents[3];
		long result;
		bool ok;
	} cases[] = {
		{ { POLLIN, 0, POLLHUP }, 2, true },
		{ { 0, 0, 0 }, 0, true },
		{ { POLLIN, 0, 0 }, -EINTR, true },
		{ { POLLIN, 0, 0 }, 2, false },
		{ { POLLIN, 0, 0 }, 0, false },
		{ { POLLOUT, 0, 0 }, 1, false },
		{ { POLLIN, POLLIN, POLLIN }, 4, false },
	};
	struct pollfd p[3];
	static unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_reset();
		fake.answer = poll_answer;
		p[0] = p[1] = p[2] = (struct pollfd){ .fd = 5, .events = POLLIN };
		memcpy(revents, cases[i].revents, sizeof(revents));
		next_result = cases[i].result;
		if (ended()) {
			must(!cases[i].ok && fake.check == INKTAG_CHECK_SYSCALL, "case %u: refused", i);
			continue;
		}
		must_be(dispatch(SYS_poll, (const u64[6]){ (u64)p, 3, 0 }) == cases[i].result);
		must(cases[i].ok, "case %u: accepted", i);
		must_be(p[0].fd == 5 && p[0].events == POLLIN);
		if (cases[i].result >= 0)
			must_be(p[2].revents == cases[i].revents[2]);
	}
}
END_TEST

START_TEST(poll_nothing)
{
	struct pollfd p[3] = { { .fd = -1, .events = POLLIN }, { .fd = 5, .events = POLLIN }, { .fd = -1 } };

	fake_reset();
	fake.answer = poll_answer;
	memset(revents, 0, sizeof(revents));
	revents[1] = next_result = 1;
	must_be(!lies(SYS_poll, (const u64[6]){ (u64)p, 3, 0 }) && fake.result == 1);
	revents[2] = POLLNVAL;
	next_result = 2;
	must_be(lies(SYS_poll, (const u64[6]){ (u64)p, 3, 0 }));
}
END_TEST

/* --- clocks ---------------------------------------------------------------------------------------- */

START_TEST(clocks)
{
	u64 ts[2], tv[2];

	fake_reset();
	fake.realtime = 1700000000123456789UL;
	fake.boottime = 55000000001UL;
	must_be(!dispatch(SYS_clock_gettime, (const u64[6]){ 0, (u64)ts }) && ts[0] == 1700000000 && ts[1] == 123456789);
	must_be(!dispatch(SYS_clock_gettime, (const u64[6]){ 1, (u64)ts }) && ts[0] == 55 && ts[1] == 1);
	must_be(!dispatch(SYS_gettimeofday, (const u64[6]){ (u64)tv }) && tv[0] == 1700000000 && tv[1] == 123456);
	/* Set back: stands still. */
	fake.realtime -= 1000000000;
	fake.boottime -= 1;
	must_be(!dispatch(SYS_clock_gettime, (const u64[6]){ 0, (u64)ts }) && ts[0] == 1700000000 && ts[1] == 123456789);
	must_be(!dispatch(SYS_clock_gettime, (const u64[6]){ 1, (u64)ts }) && ts[0] == 55 && ts[1] == 1);
	must_be(dispatch(SYS_time, (const u64[6]){ 0 }) == 1700000000);
	must_be(dispatch(SYS_clock_gettime, (const u64[6]){ 0, 8 }) == -EFAULT);
	must_be(dispatch(SYS_clock_gettime, (const u64[6]){ 77, (u64)ts }) == -EINVAL);
	must_be(!fake.calls);
}
END_TEST

/* A kernel that wakes the program `early` ns before the end of each sleep, and says `woken`. */
static u64 early;
static long woken;

static long sleep_answer(long nr, const u64 args[6])
{
	const u64 *ts = (const u64 *)args[0];
	u64 t = ts[0] * 1000000000 + ts[1];

	must(nr == SYS_nanosleep && !args[1] && ts[1] < 1000000000, "call %ld", nr);
	t -= t <= early ? t / 2 : early;
	fake.boottime += t;
	fake.realtime += t;
	return woken;
}

#define SECOND	1000000000UL

START_TEST(sleeps)
{
	u64 ts[2] = { 2, 500 }, rem[2] = { 77, 77 }, end;

	fake_reset();
	fake.answer = sleep_answer;
	fake.realtime = 1700000000 * SECOND;
	fake.boottime = end = 55 * SECOND;
	/* It sleeps as long as asked, however often the kernel comes back. */
	for (early = 0; early < 3 * SECOND; early = early * 3 + 1) {
		end = fake.boottime + 2 * SECOND + 500;
		fake.calls = 0;
		must_be(!dispatch(SYS_nanosleep, (const u64[6]){ (u64)ts, (u64)rem }));
		must(fake.boottime == end, "woken at %lu, not %lu", fake.boottime, end);
		must(!early == (fake.calls == 1), "%lu calls", fake.calls);
	}
	must_be(rem[0] == 77 && rem[1] == 77);
	early = 0;
	/* To a time, on each clock; one that is over already. */
	ts[0] = 100, ts[1] = 7;
	must_be(!dispatch(SYS_clock_nanosleep, (const u64[6]){ 1, 1, (u64)ts }) && fake.boottime == 100 * SECOND + 7);
	fake.calls = 0;
	must_be(!dispatch(SYS_clock_nanosleep, (const u64[6]){ 1, 1, (u64)ts }) && !fake.calls);
	ts[0] = 1700001000;
	must_be(!dispatch(SYS_clock_nanosleep, (const u64[6]){ 0, 1, (u64)ts }));
	must_be(fake.realtime == 1700001000 * SECOND + 7);
	/* What is left after an interruption is the clock's to say. */
	ts[0] = 10, ts[1] = 0;
	early = 4 * SECOND;
	woken = -EINTR;
	must_be(dispatch(SYS_nanosleep, (const u64[6]){ (u64)ts, (u64)rem }) == -EINTR && rem[0] == 4 && !rem[1]);
	must_be(dispatch(SYS_clock_nanosleep, (const u64[6]){ 0, 0, (u64)ts, (u64)rem }) == -EINTR && rem[0] == 4);
	woken = 0;
	/* Nonsense. */
	early = 0;
	fake.calls = 0;
	must_be(dispatch(SYS_nanosleep, (const u64[6]){ 8 }) == -EFAULT);
	must_be(dispatch(SYS_nanosleep, (const u64[6]){ (u64)ts, 8 }) == -EFAULT);
	must_be(dispatch(SYS_clock_nanosleep, (const u64[6]){ 99, 0, (u64)ts }) == -EINVAL);
	ts[1] = SECOND;
	must_be(dispatch(SYS_nanosleep, (const u64[6]){ (u64)ts }) == -EINVAL);
	ts[0] = -1, ts[1] = 0;
	must_be(dispatch(SYS_nanosleep, (const u64[6]){ (u64)ts }) == -EINVAL);
	must_be(!fake.calls);
	woken = 5;
	ts[0] = 1;
	if (ended())
		must_be(fake.check == INKTAG_CHECK_SYSCALL && fake.arg == 5);
	else
		must(!dispatch(SYS_nanosleep, (const u64[6]){ (u64)ts }) && false, "an impossible result");
}
END_TEST

static u64 select_left[2];

static long select_answer(long nr, const u64 args[6])
{
	memcpy((void *)args[4], select_left, sizeof(select_left));
	return 0;
}

/* The time that select says is left is never more than there was. */
START_TEST(select_time)
{
	static const u64 cases[][4] = {	/* what the kernel says, what the program reads */
		{ 3, 5, 3, 5 }, { 4, 0, 4, 0 }, { 4, 1, 4, 0 }, { 5, 0, 4, 0 }, { -1UL, 0, 0, 0 }, { 1, 1000000, 0, 0 }, { 1, -1UL, 0, 0 },
	};
	unsigned int i;

	fake_reset();
	fake.answer = select_answer;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 tv[2] = { 4, 0 };

		memcpy(select_left, cases[i], sizeof(select_left));
		must_be(!dispatch(SYS_select, (const u64[6]){ 0, 0, 0, 0, (u64)tv }));
		must(tv[0] == cases[i][2] && tv[1] == cases[i][3], "case %u: %lu.%lu", i, tv[0], tv[1]);
	}
}
END_TEST

START_TEST(randomness)
{
	u8 buf[80];

	fake_reset();
	fake.random[0] = 0x1111111111111111;
	memset(buf, CANARY, sizeof(buf));
	must_be(dispatch(SYS_getrandom, (const u64[6]){ (u64)buf, 70, 0 }) == 70);
	must_be(buf[0] == 0x11 && buf[32] == 0x12 && buf[64] == 0x13 && buf[70] == CANARY && !fake.calls);
	must_be(dispatch(SYS_getrandom, (const u64[6]){ 0, 70, 0 }) == -EFAULT);
	must_be(dispatch(SYS_getrandom, (const u64[6]){ (u64)buf, 1, 64 }) == -EINVAL);
}
END_TEST

START_TEST(texts)
{
	char buf[40];
	size_t len;

	memset(buf, CANARY, sizeof(buf));
	len = format(buf, 30, "%s: %ld %ld 0x%lx", "a", -9223372036854775807L - 1, 0L, 0xfeUL);
	must_be(len == 30 && !memcmp(buf, "a: -9223372036854775808 0 0xfe", 30) && buf[30] == CANARY);
	len = format(buf, 4, "%s%ld", "ab", 1234L);
	must_be(len == 4 && !memcmp(buf, "ab12", 4) && buf[4] == '9');
	must_be(format(buf, 0, "%s", "abc") == 0 && buf[0] == 'a');
}
END_TEST

SUITE(marshal, 120,
      { rows }, { bad_pointers }, { missing }, { long_names }, { opening }, { data, ARRAY_SIZE(transfers) },
      { vectors }, { directory_entries }, { directory_names }, { poll_events }, { poll_nothing }, { clocks }, { sleeps }, { select_time }, { randomness },
      { texts })
