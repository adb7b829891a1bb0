// SPDX-License-Identifier: GPL-2.0-or-later
/* time.c - clocks and sleeping. Timers are in timers.c. */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

#ifndef CLOCK_BOOTTIME
#define CLOCK_BOOTTIME	7
#endif

static long ns(clockid_t clock)
{
	struct timespec t = { 0, 0 };

	return clock_gettime(clock, &t) ? -1 : t.tv_sec * 1000000000L + t.tv_nsec;
}

static void work(void)
{
	volatile long x = 0;

	while (x < 300000)
		x++;
}

static int realtime(void)
{
	struct timeval tv;
	time_t t;
	long a = ns(CLOCK_REALTIME), b;

	want(a > 1577836800L * 1000000000 && !gettimeofday(&tv, NULL) && time(&t) == t);
	b = ns(CLOCK_REALTIME);
	want(tv.tv_sec * 1000000L + tv.tv_usec >= a / 1000 && tv.tv_sec * 1000000L + tv.tv_usec <= b / 1000 + 1);
	want(t >= a / 1000000000 - 1 && t <= b / 1000000000 + 1);
	return 1;
}

static int monotonic(void)
{
	long a = ns(CLOCK_MONOTONIC), b;
	int i;

	for (i = 0; i < 500; i++, a = b)
		want((b = ns(CLOCK_MONOTONIC)) >= a);
	return 1;
}

static int all_clocks(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, 4, 5, 6, CLOCK_BOOTTIME };	/* 4 to 6: raw, coarse */
	size_t i;

	for (i = 0; i < COUNT(clocks); i++)
		want(ns(clocks[i]) >= 0);
	return 1;
}

static int clock_errors(void)
{
	struct timespec t;

	want_error(clock_gettime(12345, &t), EINVAL);
	want_error(clock_getres(12345, &t), EINVAL);
	want_error(clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
	return 1;
}

static int resolutions(void)
{
	struct timespec t;

	want(!clock_getres(CLOCK_REALTIME, &t) && t.tv_sec == 0 && t.tv_nsec >= 1);
	want(!clock_getres(CLOCK_MONOTONIC, NULL));
	return 1;
}

static int nanosleep_long_enough(void)
{
	struct timespec t = { 0, 20000000 };
	long a = ns(CLOCK_MONOTONIC);

	want(!nanosleep(&t, NULL) && ns(CLOCK_MONOTONIC) - a >= 20000000);
	a = ns(CLOCK_MONOTONIC);
	want(!usleep(10000) && ns(CLOCK_MONOTONIC) - a >= 10000000);
	return 1;
}

static int nanosleep_errors(void)
{
	struct timespec t = { 0, 1000000000 };

	want_error(nanosleep(&t, NULL), EINVAL);
	t = (struct timespec){ -1, 0 };
	want_error(nanosleep(&t, NULL), EINVAL);
	want_number(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), EINVAL);
	t = (struct timespec){ 0, 0 };
	want(!nanosleep(&t, NULL));
	return 1;
}

static int sleep_until(void)
{
	struct timespec t;
	long end = ns(CLOCK_MONOTONIC) + 20000000;

	t = (struct timespec){ end / 1000000000, end % 1000000000 };
	want(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) && ns(CLOCK_MONOTONIC) >= end);
	t.tv_sec = 0;
	want(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
	end = ns(CLOCK_REALTIME) + 10000000;
	t = (struct timespec){ end / 1000000000, end % 1000000000 };
	want(!clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) && ns(CLOCK_REALTIME) >= end);
	return 1;
}

static int cpu_time_of_work(void)
{
	long a = ns(CLOCK_PROCESS_CPUTIME_ID), b = ns(CLOCK_THREAD_CPUTIME_ID);

	work();
	want(ns(CLOCK_PROCESS_CPUTIME_ID) > a && ns(CLOCK_THREAD_CPUTIME_ID) > b);
	return 1;
}

static int cpu_time_of_sleep(void)
{
	long a = ns(CLOCK_PROCESS_CPUTIME_ID);

	sleep_ms(300);
	want(ns(CLOCK_PROCESS_CPUTIME_ID) - a < 250000000);
	return 1;
}

static int rusage_and_times(void)
{
	struct rusage r;
	struct tms t;

	work();
	want(!getrusage(RUSAGE_SELF, &r) && r.ru_utime.tv_usec >= 0 && r.ru_utime.tv_usec < 1000000 && r.ru_minflt > 0);
	want(!getrusage(RUSAGE_CHILDREN, &r) && times(&t) != (clock_t)-1 && t.tms_cutime >= 0);
	want_error(getrusage(77, &r), EINVAL);
	want(clock() != (clock_t)-1);
	return 1;
}

static int calendar(void)
{
	struct tm tm;
	time_t t = 1000000000, day = 86400 * 366L;
	char text[40];

	want(gmtime_r(&t, &tm) && tm.tm_year == 101 && tm.tm_mon == 8 && tm.tm_mday == 9 && tm.tm_hour == 1 &&
	     tm.tm_wday == 0);
	want(strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 19 && !strcmp(text, "2001-09-09 01:46:40"));
	want(timegm(&tm) == t && difftime(t + day, t) == day);
	return 1;
}

const struct check checks[] = {
	CHECK(realtime), CHECK(monotonic), CHECK(all_clocks), CHECK(clock_errors), CHECK(resolutions),
	CHECK(nanosleep_long_enough), CHECK(nanosleep_errors), CHECK(sleep_until), CHECK(cpu_time_of_work),
	CHECK(cpu_time_of_sleep), CHECK(rusage_and_times), CHECK(calendar),
	{ NULL, NULL },
};
