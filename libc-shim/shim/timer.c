// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * timer.c - timers that send a signal. What the program wants to be told with it is often a pointer: it stays
 * here, and the kernel's word for it is replaced by it when the signal comes. So with the signal of a message queue, which
 * the kernel knows by a name that is never used twice, and which comes once.
 */
#include <asm/siginfo.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/time.h>
#include "thread.h"

#define TIMERS	256
#define NOTICES	256	/* as many queues as Linux lets a user have */

static struct timer {
	bool used;
	int id;		/* the kernel's */
	int clock;
	sigval_t value;
} timers[TIMERS];
static struct {
	u64 name;	/* 0: none */
	sigval_t value;
} notices[NOTICES];
static u64 last_notice;
struct lock timers_lock;

static struct timer *find(int id)
{
	struct timer *t;

	for (t = timers; t < timers + TIMERS; t++)
		if (t->used && t->id == id)
			return t;
	return NULL;
}

void timers_forget(void)
{
	memset(timers, 0, sizeof(timers));
	memset(notices, 0, sizeof(notices));
}

u64 notice_add(sigval_t value)
{
	u64 name;

	lock(&timers_lock);
	name = ++last_notice;
	notices[name % NOTICES].name = name;
	notices[name % NOTICES].value = value;
	unlock(&timers_lock);
	return name;
}

bool notice_take(u64 name, sigval_t *value)
{
	bool there;

	lock(&timers_lock);
	there = name && notices[name % NOTICES].name == name;
	if (there) {
		*value = notices[name % NOTICES].value;
		notices[name % NOTICES].name = 0;
	}
	unlock(&timers_lock);
	return there;
}

bool timer_value(int id, sigval_t *value)
{
	struct timer *t;

	lock(&timers_lock);
	t = find(id);
	if (t)
		*value = t->value;
	unlock(&timers_lock);
	return t;
}

long sys_timer_create(long nr, const u64 args[6])
{
	u64 mark = arena_mark();
	const struct sigevent *event = (const void *)args[1];
	struct sigevent *in;
	struct timer *t;
	int *out, id;
	long r;

	if ((event && !user_range_ok(args[1], sizeof(*event))) || !user_range_ok(args[2], sizeof(id)))
		return -EFAULT;
	in = arena_alloc(sizeof(*in));
	out = arena_alloc(sizeof(*out));
	if (!in || !out) {
		arena_release(mark);
		return -ENOMEM;
	}
	memset(in, 0, sizeof(*in));
	if (event) {
		in->sigev_signo = event->sigev_signo;
		in->sigev_notify = event->sigev_notify;
		in->_sigev_un._tid = event->_sigev_un._tid;
	}
	lock(&timers_lock);
	for (t = timers; t < timers + TIMERS && t->used; t++)
		;
	r = t == timers + TIMERS ? -EAGAIN :
	    checked(nr, hc_syscall_must(nr, args[0], event ? (u64)in : 0, (u64)out, 0, 0, 0), 0);
	if (!r) {
		id = *(volatile int *)out;
		if (id < 0 || find(id))
			shim_lie(nr, id, "this timer exists");
		*t = (struct timer){ .used = true, .id = id, .clock = args[0] };
		if (event)
			t->value = event->sigev_value;
		else
			t->value.sival_int = id;
	}
	unlock(&timers_lock);
	if (!r)
		*(int *)args[2] = id;
	arena_release(mark);
	return r;
}

static bool is_timer_before(long r, const u64 args[6])
{
	const struct __kernel_itimerspec *t = (const void *)args[3];

	return !t || (clock_valid(&t->it_interval) && clock_valid(&t->it_value));
}

long sys_timer_settime(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE }, { ARG_VALUE }, { ARG_IN, .size = sizeof(struct __kernel_itimerspec) },
			{ ARG_OUT, .size = sizeof(struct __kernel_itimerspec), .optional = true },
		},
		.check = is_timer_before,
	};
	u64 given[6] = { args[0], args[1], args[2], args[3] };
	struct __kernel_itimerspec spec;
	struct timer *t;
	int clock;
	long r;

	if (!(args[1] & TIMER_ABSTIME))
		return marshal_call(nr, &row, args);
	if (!user_range_ok(args[2], sizeof(spec)))
		return -EFAULT;
	spec = *(const struct __kernel_itimerspec *)args[2];
	lock(&timers_lock);
	t = find(args[0]);
	clock = t ? t->clock : 0;
	unlock(&timers_lock);
	if (!t)
		return -EINVAL;
	if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME_ALARM ||
	    clock == CLOCK_BOOTTIME_ALARM) {
		r = clock_relative(&spec.it_value, clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM);
		if (r)
			return r;
		given[1] &= ~(u64)TIMER_ABSTIME;
		given[2] = (u64)&spec;
	}
	return marshal_call(nr, &row, given);
}

long sys_timer_delete(long nr, const u64 args[6])
{
	struct timer *t;
	long r;

	lock(&timers_lock);
	r = checked(nr, hc_syscall_must(nr, args[0], 0, 0, 0, 0, 0), 0);
	t = find(args[0]);
	if (!r && t)
		t->used = false;
	unlock(&timers_lock);
	return r;
}
