// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * clock.c - time. The hypervisor's clocks, so that the kernel cannot turn back or stretch
 * time; processor time is the kernel's accounting and is taken from there.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/time.h>
#include "shim.h"

#define FOREVER	(1L << 33)	/* seconds; sums of two fit in 64 bits of nanoseconds */

/* No answer is before an earlier one, even if the host's administrator sets its clock back. */
static u64 last_realtime, last_boottime;

static long now(u64 *realtime, u64 *boottime)
{
	long r = hc_clock(realtime, boottime);

	if (r < 0)
		return r;
	if (*realtime < last_realtime)
		*realtime = last_realtime;
	if (*boottime < last_boottime)
		*boottime = last_boottime;
	last_realtime = *realtime;
	last_boottime = *boottime;
	return 0;
}

static bool is_time(long r, const u64 args[6])
{
	return clock_valid((const void *)args[1]);
}

long sys_clock_gettime(long nr, const u64 args[6])
{
	static const struct call cpu_time = {
		.arg = { { ARG_VALUE }, { ARG_OUT, .size = sizeof(struct __kernel_timespec) } },
		.check = is_time,
	};
	struct __kernel_timespec *ts = (void *)args[1];
	u64 realtime, boottime, t;
	long r;

	switch ((int)args[0]) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		break;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		return marshal_call(nr, &cpu_time, args);
	default:
		/* Below zero: the processor time of another process or thread. */
		return (int)args[0] < 0 ? marshal_call(nr, &cpu_time, args) : -EINVAL;
	}
	if (!user_range_ok(args[1], sizeof(*ts)))
		return -EFAULT;
	r = now(&realtime, &boottime);
	if (r)
		return r;
	t = args[0] == CLOCK_REALTIME || args[0] == CLOCK_REALTIME_COARSE ? realtime : boottime;
	*ts = clock_timespec(t);
	return 0;
}

long sys_gettimeofday(long nr, const u64 args[6])
{
	struct __kernel_old_timeval *tv = (void *)args[0];
	struct timezone *tz = (void *)args[1];
	u64 realtime, boottime;
	long r;

	if ((tv && !user_range_ok(args[0], sizeof(*tv))) || (tz && !user_range_ok(args[1], sizeof(*tz))))
		return -EFAULT;
	r = now(&realtime, &boottime);
	if (r)
		return r;
	if (tv) {
		tv->tv_sec = realtime / NSEC;
		tv->tv_usec = realtime % NSEC / 1000;
	}
	if (tz)
		memset(tz, 0, sizeof(*tz));
	return 0;
}

long sys_time(long nr, const u64 args[6])
{
	s64 *at = (void *)args[0];
	u64 realtime, boottime;
	long r;

	if (at && !user_range_ok(args[0], sizeof(*at)))
		return -EFAULT;
	r = now(&realtime, &boottime);
	if (r)
		return r;
	if (at)
		*at = realtime / NSEC;
	return realtime / NSEC;
}

struct __kernel_timespec clock_timespec(u64 ns)
{
	return (struct __kernel_timespec){ ns / NSEC, ns % NSEC };
}

bool clock_valid(const struct __kernel_timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < (s64)NSEC;
}

long clock_end(const struct __kernel_timespec *ts, bool absolute, u64 *end)
{
	u64 real, boot = 0;
	long r = 0;

	if (!clock_valid(ts))
		return -EINVAL;
	if (!absolute)
		r = now(&real, &boot);
	if (!r)
		*end = (ts->tv_sec < FOREVER ? ts->tv_sec : FOREVER) * NSEC + ts->tv_nsec + boot;
	return r;
}

long clock_until(u64 end, bool realtime, u64 *left)
{
	u64 real, boot, t;
	long r = now(&real, &boot);

	t = realtime ? real : boot;
	*left = !r && t < end ? end - t : 0;
	return r;
}

long clock_relative(struct __kernel_timespec *ts, bool realtime)
{
	u64 end, left;
	long r;

	if (!ts->tv_sec && !ts->tv_nsec)
		return 0;
	r = clock_end(ts, true, &end);
	if (!r)
		r = clock_until(end, realtime, &left);
	if (!r)
		*ts = clock_timespec(left ? left : 1);
	return r;
}

/* The kernel is asked again if it comes back too early. It gets the time that is left: its clocks start elsewhere. */
static long sleep_until(u64 end, bool realtime, u64 *left)
{
	u64 mark = arena_mark();
	struct __kernel_timespec *buf = arena_alloc(sizeof(*buf));
	long r, err;

	if (!buf)
		return -ENOMEM;
	do {
		r = clock_until(end, realtime, left);
		if (r || !*left)
			break;
		*buf = clock_timespec(*left);
		r = checked(__NR_nanosleep, hc_syscall(__NR_nanosleep, (u64)buf, 0, 0, 0, 0, 0), 0);
		err = clock_until(end, realtime, left);
	} while (!r && !err && *left);
	arena_release(mark);
	return r;
}

long sys_nanosleep(long nr, const u64 args[6])
{
	const bool plain = nr == __NR_nanosleep, absolute = !plain && args[1] & TIMER_ABSTIME;
	const u64 want = args[plain ? 0 : 2], rem = args[plain ? 1 : 3];
	struct __kernel_timespec ts;
	bool realtime = false;
	u64 end, left;
	long r;

	switch (plain ? CLOCK_MONOTONIC : (int)args[0]) {
	case CLOCK_REALTIME:
		realtime = absolute;	/* a relative sleep is as long whoever sets the clock */
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		break;
	default:
		return -EINVAL;
	}
	if (!user_range_ok(want, sizeof(ts)) || (rem && !user_range_ok(rem, sizeof(ts))))
		return -EFAULT;
	memcpy(&ts, (const void *)want, sizeof(ts));
	r = clock_end(&ts, absolute, &end);
	if (r)
		return r;
	r = sleep_until(end, realtime, &left);
	if (r == -EINTR && rem && !absolute) {
		ts = clock_timespec(left);
		memcpy((void *)rem, &ts, sizeof(ts));
	}
	return r;
}
