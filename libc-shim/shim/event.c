// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * event.c - descriptors that tell of something: epoll, eventfd, timerfd, signalfd, inotify.
 *
 * The kernel learns none of the program's data in an epoll instance, only a name for each registration
 * (fds.c); what it reports must be such a name, once, with events that were asked for.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/inotify.h>
#include <linux/limits.h>
#include <linux/signalfd.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include "fds.h"
#include "thread.h"

#define EVENTS_MAX	2048
#define EVENTS_PART	64

static long made(long nr, const u64 args[6], enum fd_kind kind, u64 data)
{
	return fds_made(fds_new(nr, hc_syscall(nr, args[0], args[1], 0, 0, 0, 0)), kind, data);
}

long sys_epoll_create(long nr, const u64 args[6])
{
	const u64 given[6] = { args[0] };

	return made(nr, given, FD_EPOLL, 0);
}

/* epoll_ctl as the kernel sees it. */
static long control(u64 epfd, u64 op, u64 fd, u32 mask, u64 name)
{
	u64 mark = arena_mark();
	struct fds_event *event = arena_alloc(sizeof(*event));
	long r = -ENOMEM;

	if (event) {
		*event = (struct fds_event){ mask, name };
		r = checked(__NR_epoll_ctl, hc_syscall(__NR_epoll_ctl, epfd, op, fd, (u64)event, 0, 0), 0);
	}
	arena_release(mark);
	return r;
}

static long epoll_add(int epfd, int fd, const struct fds_event *event)
{
	/* It may have been made by a program that passed it on. */
	u64 name, serial, data;
	bool is_new = fds_kind(epfd, &serial, &data) == FD_OTHER;
	long r = is_new ? fds_made(epfd, FD_EPOLL, 0) : 0;

	if (IS_ERR(r))
		return r;
	name = fds_register(epfd, fd, event->mask, event->data);
	r = name ? control(epfd, EPOLL_CTL_ADD, fd, event->mask, name) : -ENOMEM;
	if (name)
		fds_registered(name, !r);
	if (r && is_new)
		fds_forget(epfd, epfd);
	return r;
}

static long epoll_modify(int epfd, int fd, const struct fds_event *event)
{
	u64 data = event->data, name;
	u32 mask = event->mask;
	long r;

	name = fds_modify(epfd, fd, &mask, &data);
	r = control(epfd, EPOLL_CTL_MOD, fd, event->mask, name);
	if (name)
		fds_modified(name, !r, mask, data);
	return r;
}

static long epoll_delete(int epfd, int fd)
{
	u64 name = fds_registration(epfd, fd);
	long r = control(epfd, EPOLL_CTL_DEL, fd, 0, 0);

	if (!r && name)
		fds_registered(name, false);
	return r;
}

long sys_epoll_ctl(long nr, const u64 args[6])
{
	struct fds_event event;

	if ((int)args[1] == EPOLL_CTL_DEL)
		return epoll_delete(args[0], args[2]);
	if (!user_range_ok(args[3], sizeof(event)))
		return -EFAULT;
	memcpy(&event, (const void *)args[3], sizeof(event));
	switch ((int)args[1]) {
	case EPOLL_CTL_ADD:
		return epoll_add(args[0], args[2], &event);
	case EPOLL_CTL_MOD:
		return epoll_modify(args[0], args[2], &event);
	default:
		return -EINVAL;
	}
}

/*
 * The kernel's events, judged in parts, for the program; how many are left. The program's buffer is written to with no
 * lock held: it may be a bad pointer.
 */
static long events_out(struct fds_wait *w, struct fds_event *to, const struct fds_event *from, long n, const char **lie)
{
	struct fds_event part[EVENTS_PART];
	long done, now, left, k = 0;

	for (done = 0; done < n && !*lie; done += now) {
		now = n - done < EVENTS_PART ? n - done : EVENTS_PART;
		memcpy(part, from + done, now * sizeof(*part));
		left = fds_judge(w, part, now, lie);
		memcpy(to + k, part, left * sizeof(*part));
		k += left;
	}
	return k;
}

/*
 * A wait in which all that came was out of date goes on, but only if it was to last for ever: to the program, one with
 * an end has come to it.
 */
static long epoll_common(long nr, const u64 args[6], u64 timeout, u64 sigmask, bool forever)
{
	int epfd = args[0], max = args[2];
	u64 mark = arena_mark();
	struct fds_event *events = (void *)args[1], *buf;
	const char *lie = NULL;
	struct fds_wait w;
	long r, n;

	if (max <= 0)
		return -EINVAL;
	if (max > EVENTS_MAX)
		max = EVENTS_MAX;
	if (!user_range_ok(args[1], max * sizeof(*events)))
		return -EFAULT;
	buf = arena_alloc(max * sizeof(*buf));
	if (!buf)
		return -ENOMEM;
	do {
		fds_wait_begins(epfd, &w);
		r = checked(nr, hc_syscall(nr, epfd, (u64)buf, max, timeout, sigmask, sizeof(u64)), max);
		n = events_out(&w, events, buf, IS_ERR(r) ? 0 : r, &lie);
		fds_wait_ends();
		if (lie)
			shim_lie(nr, r, lie);
	} while (r > 0 && !n && forever);
	arena_release(mark);
	return IS_ERR(r) ? r : n;
}

static long mask_in(u64 at, u64 size, u64 *mask)
{
	u64 *copy;

	*mask = 0;
	if (!at)
		return 0;
	if (size != sizeof(u64))
		return -EINVAL;
	if (!user_range_ok(at, size))
		return -EFAULT;
	copy = arena_alloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, (const void *)at, sizeof(*copy));
	signal_call_mask(at);
	*mask = (u64)copy;
	return 0;
}

long sys_epoll_wait(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), mask = 0;
	long r = nr == __NR_epoll_pwait ? mask_in(args[4], args[5], &mask) : 0;

	if (!r)
		r = epoll_common(nr, args, (u32)args[3], mask, (int)args[3] < 0);
	arena_release(mark);
	return r;
}

long sys_epoll_pwait2(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), mask;
	struct __kernel_timespec *timeout = NULL;
	long r = mask_in(args[4], args[5], &mask);

	if (!r && args[3]) {
		r = -EFAULT;
		timeout = arena_alloc(sizeof(*timeout));
		if (timeout && user_range_ok(args[3], sizeof(*timeout))) {
			memcpy(timeout, (const void *)args[3], sizeof(*timeout));
			r = 0;
		}
	}
	if (!r)
		r = epoll_common(nr, args, (u64)timeout, mask, !timeout);
	arena_release(mark);
	return r;
}

/* --- descriptors whose reads have a form -------------------------------------------------------------- */

long sys_eventfd(long nr, const u64 args[6])
{
	const u64 given[6] = { args[0], nr == __NR_eventfd2 ? args[1] : 0 };

	return made(nr, given, FD_EVENT, 0);
}

long sys_timerfd_create(long nr, const u64 args[6])
{
	return made(nr, args, FD_TIMER, (u32)args[0]);
}

long sys_inotify_init(long nr, const u64 args[6])
{
	const u64 given[6] = { nr == __NR_inotify_init1 ? args[0] : 0 };

	return made(nr, given, FD_INOTIFY, 0);
}

long sys_signalfd(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = { { ARG_VALUE }, { ARG_IN, .size = sizeof(u64) }, { ARG_VALUE }, { ARG_VALUE } },
		.result = RESULT_INT,
	};
	const u64 given[6] = { args[0], args[1], args[2], nr == __NR_signalfd4 ? args[3] : 0 };
	long r;

	if (args[2] != sizeof(u64))
		return -EINVAL;
	r = marshal_call(__NR_signalfd4, &row, given);
	if ((int)args[0] == -1)
		return fds_made(fds_new(nr, r), FD_SIGNAL, 0);
	if (!IS_ERR(r) && r != (int)args[0])
		shim_lie(nr, r, "it is not the descriptor that was given");
	return r;
}

/* Watches are numbered from 1 on, and programs have tables of them. */
long sys_inotify_add_watch(long nr, const u64 args[6])
{
	static const struct call row = { .arg = { { ARG_VALUE }, { ARG_STRING }, { ARG_VALUE } }, .result = RESULT_INT };
	u64 serial, asked;
	long r;

	fds_watch_asked(args[0]);
	r = marshal_call(nr, &row, args);
	if (fds_kind(args[0], &serial, &asked) == FD_INOTIFY && !IS_ERR(r) && (!r || (u64)r > asked))
		shim_lie(nr, r, "there cannot be so many watches");
	return r;
}

/*
 * Programs go from record to record without a look at the end of the buffer, and join the names to paths. max: the highest
 * number of a watch; an overflow has none.
 */
static bool is_inotify(const char *buf, u64 len, u64 max)
{
	const struct inotify_event *e;
	u64 at, i;

	for (at = 0; at < len; at += sizeof(*e) + e->len) {
		e = (const void *)(buf + at);
		if (len - at < sizeof(*e) || e->len > len - at - sizeof(*e) || e->len > NAME_MAX + 1)
			return false;
		if (e->wd == -1 ? !(e->mask & IN_Q_OVERFLOW) : e->wd < 1 || (u64)e->wd > max)
			return false;
		if (e->len && shim_strnlen(e->name, e->len) == e->len)
			return false;
		for (i = 0; e->len && e->name[i]; i++)
			if (e->name[i] == '/')
				return false;
	}
	return true;
}

/* What comes with a timer's or a queue's signal is the program's word, as in signal.c. */
static void signals_out(struct signalfd_siginfo *s, u64 n)
{
	sigval_t value;

	for (; n; s++, n--) {
		if (s->ssi_code != SI_TIMER && s->ssi_code != SI_MESGQ)
			continue;
		if (s->ssi_code == SI_TIMER ? timer_value(s->ssi_tid, &value) : notice_take(s->ssi_ptr, &value)) {
			s->ssi_ptr = (u64)value.sival_ptr;
			s->ssi_int = value.sival_int;
		} else {
			*s = (struct signalfd_siginfo){ .ssi_signo = s->ssi_signo, .ssi_code = SI_USER };
		}
	}
}

bool event_read_ok(enum fd_kind kind, u64 data, void *buf, u64 len)
{
	switch (kind) {
	case FD_EVENT:
	case FD_TIMER:
		return len == sizeof(u64);
	case FD_SIGNAL:
		signals_out(buf, len / sizeof(struct signalfd_siginfo));
		return len % sizeof(struct signalfd_siginfo) == 0;
	case FD_INOTIFY:
		return is_inotify(buf, len, data);
	default:
		return true;
	}
}

/* --- timerfd ----------------------------------------------------------------------------------------- */

static bool is_timer(const struct __kernel_itimerspec *t)
{
	return clock_valid(&t->it_interval) && clock_valid(&t->it_value);
}

static bool is_timer_left(long r, const u64 args[6])
{
	return is_timer((const void *)args[1]);
}

static bool is_timer_before(long r, const u64 args[6])
{
	return !args[3] || is_timer((const void *)args[3]);
}

long sys_timerfd_settime(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE },
			{ ARG_VALUE },
			{ ARG_IN, .size = sizeof(struct __kernel_itimerspec) },
			{ ARG_OUT, .size = sizeof(struct __kernel_itimerspec), .optional = true },
		},
		.check = is_timer_before,
	};
	struct __kernel_itimerspec timer;
	const u64 given[6] = { args[0], 0, (u64)&timer, args[3] };
	u64 serial, clock;
	bool realtime;
	long r;

	if (args[1] & ~(u64)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	if (!user_range_ok(args[2], sizeof(timer)))
		return -EFAULT;
	memcpy(&timer, (const void *)args[2], sizeof(timer));
	if (!is_timer(&timer))
		return -EINVAL;
	if (args[1] & TFD_TIMER_ABSTIME) {
		realtime = fds_kind(args[0], &serial, &clock) == FD_TIMER &&
			   (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM);
		r = clock_relative(&timer.it_value, realtime);
		if (r)
			return r;
	}
	return marshal_call(nr, &row, given);
}

long sys_timerfd_gettime(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = { { ARG_VALUE }, { ARG_OUT, .size = sizeof(struct __kernel_itimerspec) } },
		.check = is_timer_left,
	};

	return marshal_call(nr, &row, args);
}
