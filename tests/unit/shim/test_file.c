// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_file.c - transfers at an offset and with flags, waiting for many descriptors, pipes' ends: what the kernel is
 * given, and that it cannot answer more than it was asked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include "unit.h"

#define CANARY	0x5a

/* What the kernel was asked last, and what it answers: the first of results, then the next one. */
static struct {
	unsigned int calls[512], step;
	u64 args[6];
	long results[4];
	u32 mode;
	long flags;
	void (*fill)(const u64 args[6]);
} kernel;

static bool in_arena(u64 at, u64 size)
{
	return at >= ARENA_BUF && at + size <= ARENA_BUF_END;
}

static long answer(long nr, const u64 args[6])
{
	if (nr == SYS_fstat) {
		must_be(in_arena(args[1], sizeof(struct stat)));
		((struct stat *)args[1])->st_mode = kernel.mode;
		return 0;
	}
	if (nr == SYS_fcntl && args[1] == F_GETFL)
		return kernel.flags;
	kernel.calls[nr]++;
	memcpy(kernel.args, args, sizeof(kernel.args));
	if (kernel.fill)
		kernel.fill(args);
	must_be(kernel.step < ARRAY_SIZE(kernel.results));
	return kernel.results[kernel.step++];
}

static void fresh(long result)
{
	fake_reset();
	fake.answer = answer;
	memset(&kernel, 0, sizeof(kernel));
	kernel.results[0] = result;
	kernel.mode = S_IFREG;
}

/* --- vectors --------------------------------------------------------------------------------------------- */

static u8 parts[2][ARENA_PIECE + 8];
static struct iovec iov[2];

static void make_parts(u64 first, u64 second)
{
	memset(parts, CANARY, sizeof(parts));
	iov[0] = (struct iovec){ parts[0], first };
	iov[1] = (struct iovec){ parts[1], second };
}

static const struct {
	long nr;
	u64 offset, flags;
	long asks;		/* the kernel */
	u64 at;			/* ... at this offset */
} vectors[] = {
	{ SYS_preadv, 77, 0, SYS_pread64, 77 }, { SYS_pwritev, 77, 0, SYS_pwrite64, 77 },
	{ SYS_preadv, 77, RWF_NOWAIT, SYS_pread64, 77 }, { SYS_pwritev, 77, RWF_SYNC, SYS_pwrite64, 77 },
	{ SYS_preadv2, 77, 0, SYS_pread64, 77 }, { SYS_pwritev2, 77, 0, SYS_pwrite64, 77 },
	{ SYS_preadv2, 77, RWF_NOWAIT, SYS_preadv2, 77 }, { SYS_pwritev2, 77, RWF_SYNC, SYS_pwritev2, 77 },
	{ SYS_preadv2, -1, 0, SYS_read, 0 }, { SYS_pwritev2, -1, 0, SYS_write, 0 },
	{ SYS_preadv2, -1, RWF_NOWAIT, SYS_preadv2, -1 }, { SYS_pwritev2, -1, RWF_SYNC, SYS_pwritev2, -1 },
};

static const u64 *vector_args(int i)
{
	static u64 args[6];

	args[0] = 3;
	args[1] = (u64)iov;
	args[2] = 2;
	args[3] = vectors[i].offset;
	args[4] = 0;
	args[5] = vectors[i].flags;
	return args;
}

static bool has_flags(int i)
{
	return vectors[i].asks == SYS_preadv2 || vectors[i].asks == SYS_pwritev2;
}

static void check_asked(int i, u64 len, u64 at)
{
	const struct iovec *one = (const void *)kernel.args[1];

	must(kernel.calls[vectors[i].asks] == kernel.step, "call %d", i);
	must_be(kernel.args[0] == 3 && kernel.args[3] == at);
	if (!has_flags(i)) {
		must_be(in_arena(kernel.args[1], len) && kernel.args[2] == len);
		return;
	}
	must_be(in_arena(kernel.args[1], sizeof(*one)) && kernel.args[2] == 1 && kernel.args[5] == vectors[i].flags);
	must_be(in_arena((u64)one->iov_base, len) && one->iov_len == len);
}

/* The second piece is where the first one ended. Of a pipe's there is none, for a read may wait. */
START_TEST(vectors_in_pieces)
{
	const bool is_read = vectors[_i].nr == SYS_preadv || vectors[_i].nr == SYS_preadv2;

	make_parts(20, ARENA_PIECE);
	fresh(ARENA_PIECE);
	kernel.results[1] = 5;
	must(dispatch(vectors[_i].nr, vector_args(_i)) == ARENA_PIECE + 5, "call %d", _i);
	check_asked(_i, 20, vectors[_i].at + (vectors[_i].offset == -1UL ? 0 : ARENA_PIECE));
	fresh(ARENA_PIECE);
	kernel.mode = S_IFIFO;
	kernel.results[1] = 5;
	must_be(dispatch(vectors[_i].nr, vector_args(_i)) ==
		(is_read && vectors[_i].offset == -1UL ? (long)ARENA_PIECE : (long)ARENA_PIECE + 5));
}
END_TEST

START_TEST(vectors_lied_about)
{
	static const long results[] = { 101, 1L << 40, -4096, LONG_MIN };
	unsigned int i;

	make_parts(20, 80);
	for (i = 0; i < ARRAY_SIZE(results); i++) {
		fresh(results[i]);
		must(lies(vectors[_i].nr, vector_args(_i)), "call %d, %ld", _i, results[i]);
	}
	fresh(100);
	must_be(!lies(vectors[_i].nr, vector_args(_i)) && fake.result == 100);
	check_asked(_i, 100, vectors[_i].at);
	must_be(parts[0][20] == CANARY && parts[1][80] == CANARY);
	fresh(-EAGAIN);
	must_be(!lies(vectors[_i].nr, vector_args(_i)) && fake.result == -EAGAIN);
}
END_TEST

START_TEST(vectors_refused)
{
	static const long calls[] = { SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2 };
	const long nr = calls[_i];

	make_parts(20, 80);
	fresh(0);
	must_be(dispatch(nr, (const u64[6]){ 3, (u64)iov, 2, -2UL }) == -EINVAL);
	must_be(_i > 1 || dispatch(nr, (const u64[6]){ 3, (u64)iov, 2, -1UL }) == -EINVAL);
	must_be(dispatch(nr, (const u64[6]){ 3, (u64)iov, UIO_MAXIOV + 1, 5 }) == -EINVAL);
	must_be(dispatch(nr, (const u64[6]){ 3, 8, 2, 5 }) == -EFAULT);
	iov[1].iov_base = (void *)8;
	must_be(dispatch(nr, (const u64[6]){ 3, (u64)iov, 2, 5 }) == -EFAULT && !kernel.step);
}
END_TEST

/* --- vmsplice ---------------------------------------------------------------------------------------------- */

#define NONBLOCK	2	/* SPLICE_F_NONBLOCK */

static long spliced(u64 flags)
{
	return dispatch(SYS_vmsplice, (const u64[6]){ 3, (u64)iov, 2, flags });
}

static void poll_ready(const u64 args[6])
{
	struct pollfd *p = (void *)args[0];

	if (kernel.calls[SYS_poll] == 1 && kernel.step == 0) {
		must_be(in_arena(args[0], sizeof(*p)) && args[1] == 1 && args[2] == 0 && p->fd == 3);
		p->revents = p->events;
	}
}

/* Of a pipe: the end that is read, or that is written. */
static void fresh_pipe(long result, bool is_read)
{
	fresh(result);
	kernel.mode = S_IFIFO;
	kernel.flags = is_read ? O_RDONLY : O_WRONLY;
}

/* _i & 1: the end that is read, _i & 2: it shall not wait. */
START_TEST(splice_is_a_copy)
{
	const long nr = _i & 1 ? SYS_read : SYS_write;
	const bool nonblock = _i & 2;

	make_parts(0, 5000);
	fresh_pipe(nonblock ? 1 : 700, _i & 1);
	kernel.fill = poll_ready;
	if (nonblock)
		kernel.results[1] = 700;
	must_be(spliced(nonblock ? NONBLOCK : 0) == 700 && kernel.calls[nr] == 1);
	must_be(in_arena(kernel.args[1], kernel.args[2]) && kernel.args[2] == (nonblock ? PIPE_BUF : 5000));
	must_be(kernel.calls[SYS_poll] == nonblock);

	fresh_pipe(nonblock ? 0 : -EINTR, _i & 1);
	must_be(spliced(nonblock ? NONBLOCK : 0) == (nonblock ? -EAGAIN : -EINTR));
	must_be(kernel.calls[nr] == !nonblock);
}
END_TEST

START_TEST(splice_lied_about)
{
	const bool nonblock = _i & 2;
	const u64 args[6] = { 3, (u64)iov, 2, nonblock ? NONBLOCK : 0 };
	static const long results[] = { PIPE_BUF + 5000, -4096 };
	unsigned int i;

	make_parts(0, 5000);
	for (i = 0; i < 2; i++) {
		fresh_pipe(nonblock ? 1 : results[i], _i & 1);
		kernel.results[1] = results[i];
		must(lies(SYS_vmsplice, args), "%ld", results[i]);
	}
	fresh_pipe(2, _i & 1);		/* of one descriptor, two are ready */
	must_be(!nonblock || lies(SYS_vmsplice, args));
	fresh(0);
	kernel.flags = O_RDWR;
	must_be(spliced(args[3]) == -EBADF && !kernel.step);
	kernel.mode = S_IFIFO;
	must_be(dispatch(SYS_vmsplice, (const u64[6]){ 3, (u64)iov, UIO_MAXIOV + 1, args[3] }) == -EINVAL);
	must_be(dispatch(SYS_vmsplice, (const u64[6]){ 3, 8, 2, args[3] }) == -EFAULT && !kernel.step);
	kernel.flags = -EBADF;
	must_be(spliced(args[3]) == -EBADF && !kernel.step);
}
END_TEST

/* --- ppoll --------------------------------------------------------------------------------------------------- */

static struct pollfd polled[3];
static short reported[3];

static void report_events(const u64 args[6])
{
	struct pollfd *p = (void *)args[0];
	int i;

	must_be(in_arena(args[0], sizeof(polled)) && args[1] == 3 && !memcmp(p, polled, sizeof(polled)));
	for (i = 0; i < 3; i++) {
		p[i].revents = reported[i];
		p[i].fd = 99;
		p[i].events = -1;
	}
	must_be(in_arena(args[2], sizeof(struct timespec)) && ((struct timespec *)args[2])->tv_sec == 7);
	must_be(in_arena(args[3], sizeof(u64)) && *(u64 *)args[3] == 0x400 && args[4] == sizeof(u64));
}

static const struct {
	short events[3];
	long result;
	bool lie;
} polls[] = {
	{ { 0, 0, 0 }, 0 }, { { POLLIN, 0, 0 }, 1 }, { { POLLIN, POLLOUT | POLLHUP, 0 }, 2 },
	{ { POLLNVAL, POLLERR, 0 }, 2 }, { { 0, 0, 0 }, -EINTR }, { { -1, -1, -1 }, -ENOMEM },
	{ { POLLOUT, 0, 0 }, 1, true }, { { POLLPRI, 0, 0 }, 1, true }, { { 0, 0, POLLNVAL }, 1, true },
	{ { 0, 0, POLLIN }, 1, true }, { { POLLIN, 0, 0 }, 0, true }, { { POLLIN, 0, 0 }, 2, true },
	{ { 0, 0, 0 }, 1, true }, { { POLLIN, POLLOUT, 0 }, 4, true }, { { 0, 0, 0 }, -4096, true },
};

START_TEST(ppoll_events)
{
	const struct timespec timeout = { 7, 0 };
	const u64 mask = 0x400;
	const u64 args[6] = { (u64)polled, 3, (u64)&timeout, (u64)&mask, sizeof(mask) };
	int i;

	for (i = 0; i < 3; i++)
		polled[i] = (struct pollfd){ i == 2 ? -1 : 3 + i, i ? POLLOUT : POLLIN, 0x55 };
	fresh(polls[_i].result);
	memcpy(reported, polls[_i].events, sizeof(reported));
	kernel.fill = report_events;
	must(lies(SYS_ppoll, args) == polls[_i].lie, "poll %d", _i);
	must_be(polls[_i].lie || fake.result == polls[_i].result);
	for (i = 0; !polls[_i].lie && i < 3; i++) {
		must_be(polled[i].fd == (i == 2 ? -1 : 3 + i) && polled[i].events == (i ? POLLOUT : POLLIN));
		must_be(polled[i].revents == (polls[_i].result < 0 ? 0x55 : reported[i]));
	}
}
END_TEST

START_TEST(ppoll_refused)
{
	const struct timespec timeout = { 7, 0 };
	const u64 mask = 0;

	fresh(0);
	must_be(dispatch(SYS_ppoll, (const u64[6]){ (u64)polled, 3, 0, (u64)&mask, 16 }) == -EINVAL);
	must_be(dispatch(SYS_ppoll, (const u64[6]){ (u64)polled, 3, 8, 0, 0 }) == -EFAULT);
	must_be(dispatch(SYS_ppoll, (const u64[6]){ (u64)polled, 3, (u64)&timeout, 8, 8 }) == -EFAULT);
	must_be(dispatch(SYS_ppoll, (const u64[6]){ 8, 3, 0, 0, 0 }) == -EFAULT);
	must_be(dispatch(SYS_ppoll, (const u64[6]){ (u64)polled, 5000, 0, 0, 0 }) == -EINVAL && !kernel.step);
}
END_TEST

/* --- pselect6 -------------------------------------------------------------------------------------------------- */

#define NFDS	70

static u64 sets[3][2], answered[3][2];

static void report_sets(const u64 args[6])
{
	const u64 *pair = (const void *)args[5];
	int i;

	must_be(args[0] == NFDS);
	for (i = 0; i < 3; i++) {
		must_be(in_arena(args[1 + i], sizeof(sets[i])) && !memcmp((void *)args[1 + i], sets[i], sizeof(sets[i])));
		memcpy((void *)args[1 + i], answered[i], sizeof(sets[i]));
	}
	must_be(in_arena(args[4], sizeof(struct timespec)) && ((struct timespec *)args[4])->tv_sec == 7);
	/* Unlike select(), this one leaves the program's time alone. */
	((struct timespec *)args[4])->tv_sec = 3;
	must_be(in_arena(args[5], 16) && in_arena(pair[0], 8) && *(u64 *)pair[0] == 0x400 && pair[1] == 8);
}

static const struct {
	u64 answered[3][2];
	long result;
	bool lie;
} selects[] = {
	{ { { 0 } }, 0 }, { { { 0x11, 0x20 }, { 0 }, { 0 } }, 3 }, { { { 0x10 }, { 0x4 }, { 0, 1 } }, 3 },
	/* beyond what was asked about: of no meaning */
	{ { { 0x11, 0x40 }, { 0 }, { 0 } }, 2 },
	{ { { ~0UL, ~0UL }, { ~0UL, ~0UL }, { ~0UL, ~0UL } }, -EINTR },
	{ { { 0x2 }, { 0 }, { 0 } }, 1, true }, { { { 0 }, { 0x1 }, { 0 } }, 1, true }, { { { 0 }, { 0 }, { 1 } }, 1, true },
	{ { { 0x11 }, { 0 }, { 0 } }, 1, true }, { { { 0x11 }, { 0 }, { 0 } }, 3, true }, { { { 0 } }, 1, true },
	{ { { 0 } }, 3 * NFDS + 1, true }, { { { 0 } }, -4096, true },
};

START_TEST(pselect_sets)
{
	struct timespec timeout = { 7, 0 };
	const u64 mask = 0x400, pair[2] = { (u64)&mask, 8 };
	const u64 args[6] = { NFDS, (u64)sets[0], (u64)sets[1], (u64)sets[2], (u64)&timeout, (u64)pair };
	const u64 before[3][2] = { { 0x11, 0x60 }, { 0x4, 0 }, { 0, 0x81 } };
	const u64 asked = (1UL << (NFDS - 64)) - 1;
	int i;

	fresh(selects[_i].result);
	memcpy(sets, before, sizeof(sets));
	memcpy(answered, selects[_i].answered, sizeof(answered));
	kernel.fill = report_sets;
	must(lies(SYS_pselect6, args) == selects[_i].lie, "select %d", _i);
	if (selects[_i].lie)
		return;
	must_be(fake.result == selects[_i].result && timeout.tv_sec == 7);
	for (i = 0; i < 3; i++) {
		must_be(sets[i][0] == (fake.result < 0 ? before[i][0] : answered[i][0]));
		must_be((sets[i][1] & asked) == (fake.result < 0 ? before[i][1] & asked : answered[i][1] & asked));
		must_be((sets[i][1] & ~asked) == (before[i][1] & ~asked));
	}
}
END_TEST

START_TEST(pselect_refused)
{
	const u64 mask = 0, size[2] = { (u64)&mask, 16 }, nowhere[2] = { 8, 8 };

	fresh(0);
	must_be(dispatch(SYS_pselect6, (const u64[6]){ NFDS, (u64)sets, 0, 0, 0, (u64)size }) == -EINVAL);
	must_be(dispatch(SYS_pselect6, (const u64[6]){ NFDS, (u64)sets, 0, 0, 0, (u64)nowhere }) == -EFAULT);
	must_be(dispatch(SYS_pselect6, (const u64[6]){ NFDS, (u64)sets, 0, 0, 0, 8 }) == -EFAULT);
	must_be(dispatch(SYS_pselect6, (const u64[6]){ NFDS, (u64)sets, 0, 0, 8, 0 }) == -EFAULT);
	must_be(dispatch(SYS_pselect6, (const u64[6]){ NFDS, 0, 0, 8, 0, 0 }) == -EFAULT);
	must_be(dispatch(SYS_pselect6, (const u64[6]){ FD_SETSIZE + 1, (u64)sets, 0, 0, 0, 0 }) == -EINVAL && !kernel.step);
	must_be(dispatch(SYS_pselect6, (const u64[6]){ 0, 0, 0, 0, 0, 0 }) == 0 && kernel.step == 1);
}
END_TEST

/* --- groups, and what has nothing to be written back ------------------------------------------------------------ */

START_TEST(groups)
{
	u32 list[5] = { CANARY, CANARY, CANARY, CANARY, CANARY };
	static const struct {
		long size, result;
		bool lie;
	} cases[] = {
		{ 4, 4 }, { 4, 2 }, { 4, -EINVAL }, { 0, 65536 }, { 0, 0 }, { 4, 5, true }, { 4, -4096, true },
		{ 0, 65537, true }, { 0, -4096, true },
	};

	fresh(cases[_i].result);
	must(lies(SYS_getgroups, (const u64[6]){ cases[_i].size, (u64)list }) == cases[_i].lie, "case %d", _i);
	must_be(list[4] == CANARY && (cases[_i].lie || fake.result == cases[_i].result));
	must_be(!kernel.args[1] == !cases[_i].size && (!kernel.args[1] || in_arena(kernel.args[1], 16)));
	fresh(0);
	must_be(dispatch(SYS_getgroups, (const u64[6]){ -1, (u64)list }) == -EINVAL);
	must_be(dispatch(SYS_getgroups, (const u64[6]){ 4, 8 }) == -EFAULT && !kernel.step);
}
END_TEST

START_TEST(written_back)
{
	u64 at;

	fresh(0);
	must_be(!lies(SYS_mmap, (const u64[6]){ 0, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 }));
	at = fake.result;
	memset(&kernel, 0, sizeof(kernel));
	must_be(dispatch(SYS_msync, (const u64[6]){ at, PAGE + 1, MS_SYNC }) == 0 && kernel.calls[SYS_msync] == 1);
	must_be(kernel.args[0] == at && kernel.args[1] == 2 * PAGE && kernel.args[2] == MS_SYNC);
	must_be(dispatch(SYS_msync, (const u64[6]){ at, 0, MS_ASYNC }) == 0);
	must_be(dispatch(SYS_msync, (const u64[6]){ at + 1, PAGE, MS_SYNC }) == -EINVAL);
	must_be(dispatch(SYS_msync, (const u64[6]){ at, PAGE, 8 }) == -EINVAL);
	must_be(dispatch(SYS_msync, (const u64[6]){ at, PAGE, MS_SYNC | MS_ASYNC }) == -EINVAL);
	must_be(dispatch(SYS_msync, (const u64[6]){ at, -PAGE, MS_SYNC }) == -ENOMEM);
	must_be(dispatch(SYS_msync, (const u64[6]){ at, 3 * PAGE, MS_SYNC }) == -ENOMEM);
	must_be(dispatch(SYS_msync, (const u64[6]){ -PAGE, PAGE, MS_SYNC }) == -ENOMEM && kernel.calls[SYS_msync] == 1);
	kernel.results[1] = 1;
	must_be(lies(SYS_msync, (const u64[6]){ at, PAGE, MS_SYNC }));
}
END_TEST

SUITE(file, SECONDS,
      { vectors_in_pieces, ARRAY_SIZE(vectors) }, { vectors_lied_about, ARRAY_SIZE(vectors) }, { vectors_refused, 4 },
      { splice_is_a_copy, 4 }, { splice_lied_about, 4 },
      { ppoll_events, ARRAY_SIZE(polls) }, { ppoll_refused }, { pselect_sets, ARRAY_SIZE(selects) }, { pselect_refused },
      { groups, 9 }, { written_back })
