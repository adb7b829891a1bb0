// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * clock.c - time. The hypervisor's clocks, so that the kernel cannot turn back or stretch
 * time; processor time is the kernel's accounting and is taken from there.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/time.h>
#include "shim.h"

#define NSEC	1000000000UL

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

long sys_clock_gettime(long nr, const u64 args[6])
{
	static const struct call cpu_time = {
		.arg = { { ARG_VALUE }, { ARG_OUT, .size = sizeof(struct __kernel_timespec) } },
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
		return -EINVAL;
	}
	if (!user_range_ok(args[1], sizeof(*ts)))
		return -EFAULT;
	r = now(&realtime, &boottime);
	if (r)
		return r;
	t = args[0] == CLOCK_REALTIME || args[0] == CLOCK_REALTIME_COARSE ? realtime : boottime;
	ts->tv_sec = t / NSEC;
	ts->tv_nsec = t % NSEC;
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
