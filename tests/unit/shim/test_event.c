// SPDX-License-Identifier: GPL-2.0-or-later
/* test_event.c - epoll under an honest kernel and a lying one; descriptors whose reads have a form; timers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <time.h>
#include "fds.h"
#include "unit.h"

#define CANARY	0x5a
#define SECRET	0x5ec7e75ec7e75ec7UL

/* The kernel's side: what it was told under each number. */
#define FDS	4000
static struct {
	bool there;
	u32 mask;
	u64 name;
} told[4][FDS];

static struct {
	long result;		/* of epoll_ctl, if not 0 */
	struct fds_event events[64];
	long count;		/* what epoll_wait returns */
	int waits;
	long fd;		/* what is returned by calls that make a descriptor */
} kernel;

/* Instances have the numbers 0 to 3 here. */
static long answer(long nr, const u64 args[6])
{
	const struct fds_event *e = (const void *)args[3];
	int i;

	switch (nr) {
	case SYS_epoll_ctl:
		must_be((u64)e >= ARENA_BUF && (u64)(e + 1) <= ARENA_BUF_END);
		must(e->data != SECRET, "the kernel sees the program's data");
		if (kernel.result)
			return kernel.result;
		if (args[0] > 3)
			return -EINVAL;
		if (args[1] == EPOLL_CTL_ADD && told[args[0]][args[2]].there)
			return -EEXIST;
		if (args[1] != EPOLL_CTL_ADD && !told[args[0]][args[2]].there)
			return -ENOENT;
		told[args[0]][args[2]].there = args[1] != EPOLL_CTL_DEL;
		told[args[0]][args[2]].mask = e->mask;
		told[args[0]][args[2]].name = e->data;
		return 0;
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		must_be(args[1] >= ARENA_BUF && args[1] + args[2] * sizeof(*e) <= ARENA_BUF_END && args[2] <= 2048);
		memcpy((void *)args[1], kernel.events, sizeof(kernel.events));
		return kernel.waits-- > 0 ? kernel.count : 0;
	case SYS_close:
		for (i = 0; i < 4; i++)
			told[i][args[0]].there = false;
		return 0;
	case SYS_epoll_create1:
	case SYS_dup:
	case SYS_fcntl:
	case SYS_eventfd2:
	case SYS_inotify_init1:
	case SYS_timerfd_create:
	case SYS_signalfd4:
		return kernel.fd;
	case SYS_dup2:
		return args[1];
	}
	return 0;
}

static long call(long nr, u64 a, u64 b, u64 c, u64 d)
{
	must(!lies(nr, (const u64[6]){ a, b, c, d }), "call %ld is a lie", nr);
	return fake.result;
}

static long control(int ep, int op, int fd, u32 mask, u64 data)
{
	struct fds_event e = { mask, data };

	return call(SYS_epoll_ctl, ep, op, fd, (u64)&e);
}

/* The kernel reports this and that. */
static void report(long n, u64 name, u32 mask, u64 name2, u32 mask2)
{
	memset(&kernel.events, 0, sizeof(kernel.events));
	kernel.events[0] = (struct fds_event){ mask, name };
	kernel.events[1] = (struct fds_event){ mask2, name2 };
	kernel.count = n;
	kernel.waits = 1;
}

static struct fds_event got[8];

static bool wait_lies(int ep)
{
	memset(got, CANARY, sizeof(got));
	return lies(SYS_epoll_wait, (const u64[6]){ ep, (u64)got, 4, 0 });
}

static long wait_gives(int ep)
{
	must_be(!wait_lies(ep));
	return fake.result;
}

static void reset(void)
{
	int i;

	fake_reset();
	memset(&kernel, 0, sizeof(kernel));
	memset(told, 0, sizeof(told));
	fake.answer = answer;
	for (i = 0; i < 2; i++) {
		kernel.fd = i;
		must_be(call(SYS_epoll_create1, 0, 0, 0, 0) == i);
	}
}

START_TEST(reports)
{
	u64 a, b, elsewhere;

	reset();
	must_be(!control(0, EPOLL_CTL_ADD, 10, EPOLLIN, SECRET) && !control(0, EPOLL_CTL_ADD, 11, EPOLLIN | EPOLLOUT | EPOLLET, 222));
	must_be(!control(1, EPOLL_CTL_ADD, 10, EPOLLIN, 333));
	a = told[0][10].name;
	b = told[0][11].name;
	elsewhere = told[1][10].name;
	report(2, b, EPOLLOUT, a, EPOLLIN | EPOLLHUP | EPOLLERR);
	must_be(wait_gives(0) == 2 && got[0].data == 222 && got[0].mask == EPOLLOUT && got[1].data == SECRET &&
		got[1].mask == (EPOLLIN | EPOLLHUP | EPOLLERR) && got[2].mask == CANARY * 0x1010101U);
	report(1, elsewhere, EPOLLIN, 0, 0);
	must_be(wait_gives(1) == 1 && got[0].data == 333);

	report(1, 0, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	report(1, SECRET, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	report(1, 10, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	report(1, a & 0xffffff, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	report(1, a + 5, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	report(1, a + (1000UL << 24), EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	/* The instance's own descriptor has an entry in the table, too. */
	report(1, 1 | 1UL << 24, EPOLLHUP, 0, 0);
	must_be(wait_lies(0));
	report(1, elsewhere, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	report(2, a, EPOLLIN, a, EPOLLIN);
	must_be(wait_lies(0));
	report(2, a, EPOLLIN, b, 0);
	must_be(wait_lies(0));
	report(1, a, EPOLLOUT, 0, 0);
	must_be(wait_lies(0));
	report(1, b, EPOLLOUT | EPOLLET, 0, 0);
	must_be(wait_lies(0));
	report(5, a, EPOLLIN, b, EPOLLIN);
	must_be(wait_lies(0));
	report(2, a, EPOLLIN, b, EPOLLIN);
	must_be(lies(SYS_epoll_wait, (const u64[6]){ 0, (u64)got, 1, 0 }));
	report(-5000, a, EPOLLIN, b, EPOLLIN);
	must_be(wait_lies(0));
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_lies(77));
	/* And after all that it is as it was. */
	report(2, a, EPOLLIN, b, EPOLLIN);
	must_be(wait_gives(0) == 2 && got[0].data == SECRET && got[1].data == 222);
	report(-EINTR, a, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == -EINTR && got[0].mask == CANARY * 0x1010101U);
}
END_TEST

START_TEST(changes)
{
	struct fds_event e = { EPOLLIN, 1 };
	u64 a, old;

	reset();
	must_be(!control(0, EPOLL_CTL_ADD, 10, EPOLLIN, SECRET));
	a = told[0][10].name;
	must_be(control(0, EPOLL_CTL_ADD, 10, EPOLLOUT, 5) == -EEXIST);
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == SECRET);
	must_be(!control(0, EPOLL_CTL_MOD, 10, EPOLLOUT, 6) && told[0][10].name == a);
	report(1, a, EPOLLOUT, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 6);
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	kernel.result = -ENOMEM;
	must_be(control(0, EPOLL_CTL_MOD, 10, EPOLLIN, 7) == -ENOMEM);
	kernel.result = 0;
	report(1, a, EPOLLOUT, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 6);
	must_be(control(0, EPOLL_CTL_MOD, 11, EPOLLIN, 7) == -ENOENT && control(0, EPOLL_CTL_DEL, 11, 0, 0) == -ENOENT);

	/* Once only. */
	must_be(!control(0, EPOLL_CTL_MOD, 10, EPOLLIN | EPOLLONESHOT, 8));
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 8);
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_lies(0));
	must_be(!control(0, EPOLL_CTL_MOD, 10, EPOLLIN | EPOLLONESHOT, 9));
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 9);

	/* What is over is not reported, but was no lie a moment ago. */
	must_be(!control(0, EPOLL_CTL_DEL, 10, 0, 0));
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 0);
	must_be(!control(0, EPOLL_CTL_ADD, 10, EPOLLIN, 10) && told[0][10].name != a);
	report(2, a, EPOLLIN, told[0][10].name, EPOLLIN);
	must_be(wait_gives(0) == 1 && got[0].data == 10);
	old = told[0][10].name;
	must_be(!call(SYS_close, 10, 0, 0, 0));
	report(1, old, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 0);
	/* One that was closed behind our back: the kernel took the next. */
	must_be(!control(0, EPOLL_CTL_ADD, 12, EPOLLIN, 1));
	old = told[0][12].name;
	told[0][12].there = false;
	must_be(!control(0, EPOLL_CTL_ADD, 12, EPOLLIN, 2));
	report(2, told[0][12].name, EPOLLIN, old, EPOLLIN);
	must_be(wait_gives(0) == 1 && got[0].data == 2);
	/* A wait without an end goes on. */
	report(1, old, EPOLLIN, 0, 0);
	kernel.waits = 3;
	fake.calls = 0;
	must_be(call(SYS_epoll_wait, 0, (u64)got, 4, -1UL) == 0 && fake.calls == 4);
	kernel.result = 1;
	must_be(lies(SYS_epoll_ctl, (const u64[6]){ 0, EPOLL_CTL_MOD, 12, (u64)&e }));
}
END_TEST

START_TEST(descriptors)
{
	u64 a;

	reset();
	control(0, EPOLL_CTL_ADD, 10, EPOLLIN, SECRET);
	a = told[0][10].name;
	report(1, a, EPOLLIN, 0, 0);
	kernel.fd = 2;
	must_be(call(SYS_dup, 0, 0, 0, 0) == 2 && wait_gives(2) == 1 && got[0].data == SECRET);
	call(SYS_close, 0, 0, 0, 0);
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(2) == 1);
	must_be(call(SYS_dup2, 2, 3, 0, 0) == 3);
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(3) == 1);
	call(SYS_close, 2, 0, 0, 0);
	kernel.fd = 50;
	must_be(call(SYS_fcntl, 3, F_DUPFD, 40, 0) == 50);
	must_be(!call(SYS_close_range, 2, 9, 0, 0));
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(50) == 1);
	must_be(!call(SYS_close_range, 20, 0xffffffff, CLOSE_RANGE_CLOEXEC, 0));
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(50) == 1);
	must_be(!call(SYS_close_range, 20, 0xffffffff, 0, 0));
	report(1, a, EPOLLIN, 0, 0);
	must_be(wait_gives(50) == 0);
	/* Another file under a number that is registered. */
	kernel.fd = 0;
	call(SYS_epoll_create1, 0, 0, 0, 0);
	memset(told, 0, sizeof(told));
	control(0, EPOLL_CTL_ADD, 10, EPOLLIN, SECRET);
	must_be(call(SYS_dup2, 5, 10, 0, 0) == 10);
	report(1, told[0][10].name, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 0);
	/* An instance that another program made. */
	must_be(!control(3, EPOLL_CTL_ADD, 10, EPOLLIN, 4));
	report(1, told[3][10].name, EPOLLIN, 0, 0);
	must_be(wait_gives(3) == 1 && got[0].data == 4);
	must_be(control(9, EPOLL_CTL_ADD, 10, EPOLLIN, 4) == -EINVAL);

	must_be(lies(SYS_dup2, (const u64[6]){ 5, 0x100000007 }) == false);
	kernel.fd = 0x80000000;
	must_be(lies(SYS_dup, (const u64[6]){ 5 }) && lies(SYS_epoll_create1, (const u64[6]){ 0 }) && lies(SYS_eventfd2, (const u64[6]){ 0 }));
	kernel.fd = 30;
	must_be(lies(SYS_fcntl, (const u64[6]){ 5, F_DUPFD, 31 }) && !lies(SYS_fcntl, (const u64[6]){ 5, F_DUPFD, 30 }));
}
END_TEST

static long other_number(long nr, const u64 args[6])
{
	return args[1] + 1;
}

START_TEST(numbers)
{
	fake_reset();
	fake.answer = other_number;
	must_be(lies(SYS_dup2, (const u64[6]){ 5, 6 }) && lies(SYS_dup3, (const u64[6]){ 5, 6 }));
}
END_TEST

/* An honest kernel, and a program that does anything: each event has the data that was registered last. */
START_TEST(twin)
{
	static struct {
		bool there, armed;
		u32 mask;
		u64 data;
	} model[3][FDS];
	struct fds_event out[32];
	unsigned int step, n, i;

	/* Where the table grows to. */
	must_be(mmap((void *)WORLD_BASE, WORLD_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		(void *)WORLD_BASE);
	reset();
	kernel.fd = 2;
	call(SYS_epoll_create1, 0, 0, 0, 0);
	for (step = 0; step < 60000; step++) {
		int ep = rnd(3), fd = 10 + rnd(step % 20000 < 10000 ? FDS - 10 : 30);
		u32 mask = rnd(8) | (rnd(4) ? 0 : EPOLLONESHOT) | (rnd(2) ? EPOLLET : 0);
		u64 data = step * SECRET;

		switch (rnd(6)) {
		case 0:
		case 1:
			must_be((control(ep, EPOLL_CTL_ADD, fd, mask, data) == -EEXIST) == model[ep][fd].there);
			if (model[ep][fd].there)
				break;
			model[ep][fd].there = model[ep][fd].armed = true;
			model[ep][fd].mask = mask;
			model[ep][fd].data = data;
			break;
		case 2:
			must_be((control(ep, EPOLL_CTL_MOD, fd, mask, data) == -ENOENT) == !model[ep][fd].there);
			model[ep][fd].armed = true;
			model[ep][fd].mask = mask;
			model[ep][fd].data = data;
			break;
		case 3:
			must_be((control(ep, EPOLL_CTL_DEL, fd, 0, 0) == -ENOENT) == !model[ep][fd].there);
			model[ep][fd].there = false;
			break;
		case 4:
			must_be(!call(SYS_close, fd, 0, 0, 0));
			for (i = 0; i < 3; i++)
				model[i][fd].there = false;
			break;
		case 5:
			for (n = 0; n < 30 && fd < FDS; fd++) {
				u32 may = (told[ep][fd].mask & 7) | EPOLLHUP;

				if (!told[ep][fd].there || (told[ep][fd].mask & EPOLLONESHOT && !model[ep][fd].armed))
					continue;
				model[ep][fd].armed = false;
				kernel.events[n++] = (struct fds_event){ may & (rnd(8) | EPOLLHUP), told[ep][fd].name };
			}
			kernel.count = n;
			kernel.waits = 1;
			must(call(SYS_epoll_wait, ep, (u64)out, 32, 0) == n, "%ld events of %u", fake.result, n);
			for (i = 0, fd = 0; i < n; i++) {
				while (!told[ep][fd].there || told[ep][fd].name != kernel.events[i].data)
					must(++fd < FDS, "event %u", i);
				must(out[i].data == model[ep][fd].data && out[i].mask == kernel.events[i].mask, "event %u of step %u", i, step);
			}
		}
	}
	for (i = 0; i < 3; i++)
		for (n = 0; n < FDS; n++)
			must_be(told[i][n].there == model[i][n].there);
}
END_TEST

/* --- threads ------------------------------------------------------------------------------------------ */

#define THREADS		6
#define THREAD_FDS	24
#define STEPS		60000

/* An honest kernel that others call meanwhile. */
static pthread_mutex_t kernel_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	bool there, armed;
	u32 mask;
	u64 name;
} theirs[THREAD_FDS];
static const char *accused;
static unsigned long delivered;

static void pause_sometimes(unsigned int *seed)
{
	if (rand_r(seed) % 4 == 0)
		sched_yield();
}

static bool kernel_control(int op, int fd, u32 mask, u64 name)
{
	bool ok;

	pthread_mutex_lock(&kernel_lock);
	ok = op == EPOLL_CTL_ADD ? !theirs[fd].there : theirs[fd].there;
	if (ok) {
		theirs[fd].there = op != EPOLL_CTL_DEL;
		theirs[fd].mask = mask;
		theirs[fd].armed = true;
		theirs[fd].name = name;
	}
	pthread_mutex_unlock(&kernel_lock);
	return ok;
}

/* What epoll_ctl and close do. */
static void *changes_masks(void *arg)
{
	unsigned int seed = (u64)arg, i;

	fake_thread();
	for (i = 0; i < STEPS && !accused; i++) {
		int fd = 2 + rand_r(&seed) % (THREAD_FDS - 2);
		u32 mask = (rand_r(&seed) % 7 + 1) | (rand_r(&seed) % 2 ? EPOLLONESHOT : 0);
		u64 data = (u64)fd << 32 | i, name;
		bool ok;

		switch (rand_r(&seed) % 16) {
		case 0 ... 5:
			name = fds_register(0, fd, mask, data);
			pause_sometimes(&seed);
			ok = kernel_control(EPOLL_CTL_ADD, fd, mask, name);
			pause_sometimes(&seed);
			fds_registered(name, ok);
			break;
		case 6 ... 11: {
			u32 old = mask;

			name = fds_modify(0, fd, &old, &data);
			pause_sometimes(&seed);
			ok = name && kernel_control(EPOLL_CTL_MOD, fd, mask, name);
			pause_sometimes(&seed);
			if (name)
				fds_modified(name, ok, old, data);
			break;
		}
		case 12:
			fds_forget(fd, fd);
			pause_sometimes(&seed);
			kernel_control(EPOLL_CTL_DEL, fd, 0, 0);
			break;
		default:
			name = fds_registration(0, fd);
			ok = name && kernel_control(EPOLL_CTL_DEL, fd, 0, 0);
			pause_sometimes(&seed);
			if (ok)
				fds_registered(name, false);
		}
	}
	return NULL;
}

static void *waits(void *arg)
{
	struct fds_event events[THREAD_FDS];
	unsigned int seed = (u64)arg, i;
	const char *lie = NULL;
	struct fds_wait w;
	long n, k;
	int fd;

	fake_thread();
	for (i = 0; i < STEPS && !accused; i++) {
		fds_wait_begins(0, &w);
		pause_sometimes(&seed);
		pthread_mutex_lock(&kernel_lock);
		for (n = 0, fd = 2 + rand_r(&seed) % (THREAD_FDS - 2); fd < THREAD_FDS; fd++) {
			if (!theirs[fd].there || !theirs[fd].armed || rand_r(&seed) % 2)
				continue;
			theirs[fd].armed = !(theirs[fd].mask & EPOLLONESHOT);
			events[n++] = (struct fds_event){ theirs[fd].mask & 7, theirs[fd].name };
		}
		pthread_mutex_unlock(&kernel_lock);
		pause_sometimes(&seed);
		n = fds_judge(&w, events, n, &lie);
		fds_wait_ends();
		if (lie)
			accused = lie;
		for (k = 0; k < n; k++)
			if (events[k].data >> 32 >= THREAD_FDS || (k && events[k].data >> 32 <= events[k - 1].data >> 32))
				accused = "wrong data";
		__atomic_fetch_add(&delivered, n, __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool is_accused(struct fds_wait *w, u64 name, u32 mask)
{
	struct fds_event event = { mask, name };
	struct fds_wait now;
	const char *lie = NULL;

	if (!w) {
		w = &now;
		fds_wait_begins(0, w);
	}
	fds_judge(w, &event, 1, &lie);
	fds_wait_ends();
	return lie;
}

/* Begins to change the mask; the old one is in *mask then. */
static u64 begin_change(u32 *mask)
{
	u64 data = 1;

	return fds_modify(0, 5, mask, &data);
}

/* What may come while one thread changes a mask, and another one waits. */
START_TEST(changes_at_once)
{
	u32 one = EPOLLOUT, other = EPOLLPRI;
	struct fds_wait w;
	u64 name;

	reset();
	name = fds_register(0, 5, EPOLLIN, 1);
	fds_registered(name, true);
	/* A wait that began before. */
	fds_wait_begins(0, &w);
	must_be(begin_change(&one) == name && one == EPOLLIN);
	fds_modified(name, true, one, 1);
	must_be(!is_accused(&w, name, EPOLLIN) && !is_accused(NULL, name, EPOLLOUT));
	/* The kernel has not been told yet. */
	one = EPOLLPRI;
	begin_change(&one);
	must_be(!is_accused(NULL, name, EPOLLOUT) && !is_accused(NULL, name, EPOLLPRI));
	fds_modified(name, true, one, 1);
	must_be(is_accused(NULL, name, EPOLLOUT) && !is_accused(NULL, name, EPOLLPRI));
	/* Two threads: the kernel may have been told last what we heard first. */
	one = EPOLLOUT;
	begin_change(&one);
	begin_change(&other);
	fds_modified(name, true, one, 1);
	fds_modified(name, true, other, 1);
	must_be(!is_accused(NULL, name, EPOLLOUT) && !is_accused(NULL, name, EPOLLPRI));
	one = EPOLLIN;
	begin_change(&one);
	fds_modified(name, true, one, 1);
	must_be(is_accused(NULL, name, EPOLLOUT) && !is_accused(NULL, name, EPOLLIN));
	/* The descriptor of the instance is closed while a thread waits, and a copy of it is left. */
	kernel.fd = 3;
	call(SYS_dup, 0, 0, 0, 0);
	fds_wait_begins(0, &w);
	call(SYS_close, 0, 0, 0, 0);
	must_be(!is_accused(&w, name, EPOLLIN));
}
END_TEST

/* No honest kernel is accused, whatever threads do at once. */
START_TEST(threads)
{
	pthread_t thread[THREADS];
	unsigned long i;

	reset();
	for (i = 0; i < THREADS; i++)
		must_be(!pthread_create(&thread[i], NULL, i % 2 ? waits : changes_masks, (void *)(i + 1)));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	must(!accused, "an honest kernel is accused: %s", accused);
	must(delivered > STEPS / 10, "%lu events", delivered);
}
END_TEST

/* --- reads that have a form --------------------------------------------------------------------------- */

/* --- several processes ---------------------------------------------------------------------------------- */

static struct {
	u64 name5, name6, name7;
} *said;

static void mapped_shared(void)
{
	must_be(mmap((void *)WORLD_BASE, WORLD_PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0) == (void *)WORLD_BASE);
	said = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must_be(said != MAP_FAILED);
}

/* Runs f in a process of its own, which is HAP 2. */
static void in_child(void (*f)(void))
{
	int status;
	pid_t pid;

	must_be(fds_fork() == 0);
	pid = fork();
	if (!pid) {
		fake_process(2, 101);
		fds_forked();
		f();
		_exit(0);
	}
	must_be(waitpid(pid, &status, 0) == pid && status == 0);
	fake.living |= 1UL << 2;
}

static void changes_two(void)
{
	control(0, EPOLL_CTL_MOD, 5, EPOLLOUT, 51);
	control(0, EPOLL_CTL_ADD, 6, EPOLLIN, 60);
	control(0, EPOLL_CTL_ADD, 7, EPOLLIN, 70);
	call(SYS_close, 5, 0, 0, 0);
	said->name6 = told[0][6].name;
	said->name7 = told[0][7].name;
}

/* Two instances, which the child has, too. What it does is in changes_two(). */
static void family(void)
{
	reset();
	mapped_shared();
	fake_process(1, 100);
	control(0, EPOLL_CTL_ADD, 5, EPOLLIN, 50);
	in_child(changes_two);
}

START_TEST(events_of_others)
{
	family();
	report(1, told[0][5].name, EPOLLOUT, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 51 && got[0].mask == EPOLLOUT);
	report(2, told[0][5].name, EPOLLIN, said->name6, EPOLLIN);
	must_be(wait_gives(0) == 2 && got[0].data == 51 && got[1].data == 60 && got[1].mask == EPOLLIN);
	control(0, EPOLL_CTL_ADD, 8, EPOLLIN, 80);
	must_be(told[0][8].name >> FDS_INDEX_BITS > said->name7 >> FDS_INDEX_BITS);
	report(1, told[0][8].name, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 80);
	/* The one that another process registered, and which this one changes and takes out. */
	told[0][6].there = true;
	control(0, EPOLL_CTL_MOD, 6, EPOLLOUT, 61);
	must_be(told[0][6].name == said->name6);
	report(1, said->name6, EPOLLOUT, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 61);
	kernel.result = -EPERM;
	must_be(control(0, EPOLL_CTL_MOD, 6, EPOLLIN, 62) == -EPERM);
	kernel.result = 0;
	report(1, said->name6, EPOLLOUT, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 61);
	control(0, EPOLL_CTL_DEL, 6, 0, 0);
	report(1, said->name6, EPOLLOUT, 0, 0);
	must_be(wait_gives(0) == 0);
}
END_TEST

START_TEST(lies_of_others)
{
	family();
	report(1, _i < 2 ? said->name6 : _i == 2 ? said->name7 + (2UL << FDS_INDEX_BITS) : 1, _i ? EPOLLIN : EPOLLOUT, 0, 0);
	must_be(wait_lies(_i == 1));
}
END_TEST

static void adds_many(void)
{
	int i;

	for (i = 0; i < 3000; i++)
		control(0, EPOLL_CTL_ADD, 10 + i % 3000, EPOLLIN, i);
}

/* What a process registered that has ended gives way, when there is no room; what one does that lives stays. */
START_TEST(room_of_others)
{
	int i, k;

	family();
	for (i = 0; i < 15; i++) {
		in_child(adds_many);
		fake.living &= ~(1UL << 2);
		for (k = 0; k < 3000 && told[0][10 + k].there; k++)
			told[0][10 + k].there = false;
	}
	control(0, EPOLL_CTL_ADD, 8, EPOLLIN, 80);
	report(1, told[0][8].name, EPOLLIN, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 80);
	report(1, told[0][5].name, EPOLLOUT, 0, 0);
	must_be(wait_gives(0) == 1 && got[0].data == 51);
}
END_TEST

static u8 content[512];
static long length;
static bool is_closed_meanwhile;

static long read_answer(long nr, const u64 args[6])
{
	if (nr == SYS_inotify_add_watch)
		return length;
	if (nr != SYS_read)
		return answer(nr, args);
	memcpy((void *)args[1], content, args[2] < sizeof(content) ? args[2] : sizeof(content));
	if (is_closed_meanwhile)
		fds_forget(args[0], args[0]);
	return length;
}

#define RECORD(n)	{ 1, 2, 3, n }

START_TEST(forms)
{
	static const struct {
		const char *what;
		long make;
		long len;
		u32 record[4];
		const char *name;
		bool is_lie;
	} cases[] = {
		{ "eventfd", SYS_eventfd2, 8 },
		{ "eventfd: half", SYS_eventfd2, 4, .is_lie = true },
		{ "timerfd", SYS_timerfd_create, 8 },
		{ "timerfd: more", SYS_timerfd_create, 16, .is_lie = true },
		{ "timerfd: an error", SYS_timerfd_create, -EAGAIN },
		{ "signalfd", SYS_signalfd4, 128 },
		{ "signalfd: less", SYS_signalfd4, 100, .is_lie = true },
		{ "inotify", SYS_inotify_init1, 32, RECORD(16), "a name" },
		{ "inotify: no name", SYS_inotify_init1, 16, RECORD(0), "" },
		{ "inotify: the longest name", SYS_inotify_init1, 32, RECORD(16), "fifteen letters" },
		{ "inotify: a name without an end", SYS_inotify_init1, 32, RECORD(16), "sixteen letters.", true },
		{ "inotify: a path", SYS_inotify_init1, 32, RECORD(16), "../name", true },
		{ "inotify: beyond the end", SYS_inotify_init1, 32, RECORD(17), "a name", true },
		{ "inotify: far beyond the end", SYS_inotify_init1, 32, RECORD(0xfffffff0), "a name", true },
		{ "inotify: half a record", SYS_inotify_init1, 24, RECORD(0), "\1", true },
	};
	u64 buf[32], mask = 0;
	struct iovec iov[3] = { { (void *)8, 0 }, { buf, 64 }, { buf + 8, 64 } };
	unsigned int k;

	for (k = 0; k < ARRAY_SIZE(cases); k++) {
		const bool is_signal = cases[k].make == SYS_signalfd4;

		reset();
		fake.answer = read_answer;
		kernel.fd = 20;
		must_be(call(cases[k].make, is_signal ? -1UL : 0, is_signal ? (u64)&mask : 0, is_signal ? 8 : 0, 0) == 20);
		length = 1;
		if (cases[k].make == SYS_inotify_init1)
			must_be(call(SYS_inotify_add_watch, 20, (u64)"name", 0, 0) == 1);
		memset(content, 0, sizeof(content));
		memcpy(content, cases[k].record, 16);
		strcpy((char *)content + 16, cases[k].name ?: "");
		if (!strcmp(cases[k].what, "inotify: a name without an end"))
			memset(content + 32, 'x', 20);
		length = cases[k].len;
		must(lies(SYS_read, (const u64[6]){ 20, (u64)buf, sizeof(buf) }) == cases[k].is_lie, "%s", cases[k].what);
		if (length <= 64)
			must(lies(SYS_readv, (const u64[6]){ 20, (u64)iov, 3 }) == cases[k].is_lie, "%s: readv", cases[k].what);
		/* A descriptor of the same; then the number is another file's. */
		kernel.fd = 21;
		call(SYS_dup, 20, 0, 0, 0);
		call(SYS_close, 20, 0, 0, 0);
		must(lies(SYS_read, (const u64[6]){ 21, (u64)buf, sizeof(buf) }) == cases[k].is_lie, "%s: dup", cases[k].what);
		must(!lies(SYS_read, (const u64[6]){ 20, (u64)buf, sizeof(buf) }), "%s: closed", cases[k].what);
		/* Another thread has closed it while the kernel read from the next file of this number. */
		is_closed_meanwhile = true;
		must(!lies(SYS_read, (const u64[6]){ 21, (u64)buf, sizeof(buf) }), "%s: closed while it is read", cases[k].what);
		is_closed_meanwhile = false;
	}
	kernel.fd = 20;
	must_be(lies(SYS_signalfd4, (const u64[6]){ 21, (u64)&mask, 8 }));
	must_be(call(SYS_signalfd, -1UL, (u64)&mask, 4, 0) == -EINVAL);
}
END_TEST

/* A program has room for a name of NAME_MAX bytes. */
START_TEST(names)
{
	const u32 record[4] = { 1, 2, 3, 256 }, longer[4] = { 1, 2, 3, 272 };
	u64 buf[64];

	reset();
	fake.answer = read_answer;
	kernel.fd = 20;
	length = 1;
	must_be(call(SYS_inotify_init1, 0, 0, 0, 0) == 20 && call(SYS_inotify_add_watch, 20, (u64)"name", 0, 0) == 1);
	memset(content, 0, sizeof(content));
	memset(content + 16, 'n', 255);
	memcpy(content, record, 16);
	length = 16 + 256;
	must_be(!lies(SYS_read, (const u64[6]){ 20, (u64)buf, sizeof(buf) }) && fake.result == length);
	content[16 + 255] = 'n';
	memcpy(content, longer, 16);
	length = 16 + 272;
	must_be(lies(SYS_read, (const u64[6]){ 20, (u64)buf, sizeof(buf) }));
}
END_TEST

/* The kernel's number of the watch that it is asked for; then that of one of which it tells. */
static bool watches(int fd, long number)
{
	length = number;
	return !lies(SYS_inotify_add_watch, (const u64[6]){ fd, (u64)"name" });
}

static bool tells(int fd, int number, u32 mask)
{
	const u32 record[4] = { number, mask };
	u64 buf[64];

	memcpy(content, record, 16);
	length = 16;
	return !lies(SYS_read, (const u64[6]){ fd, (u64)buf, sizeof(buf) });
}

/* A program's table has so many places as there are watches. */
START_TEST(watch_numbers)
{
	reset();
	fake.answer = read_answer;
	kernel.fd = 20;
	must_be(call(SYS_inotify_init1, 0, 0, 0, 0) == 20);
	must_be(!tells(20, 1, 2) && watches(20, 1) && tells(20, 1, 2) && !tells(20, 2, 2) && !tells(20, 0, 2) && !tells(20, -2, 2));
	must_be(tells(20, -1, IN_Q_OVERFLOW) && !tells(20, -1, 2));
	must_be(!watches(20, 3) && watches(20, 3) && !watches(20, 0) && watches(20, -ENOENT) && watches(20, 1) && !watches(20, 9));
	/* By a copy of the descriptor. */
	kernel.fd = 21;
	call(SYS_dup, 20, 0, 0, 0);
	must_be(watches(21, 8) && tells(20, 8, 2) && watches(20, 9) && tells(21, 9, 2) && !tells(20, 10, 2));
	/* One that another program made; and other processes that have this one. They have no epoll instances here. */
	must_be(!call(SYS_close_range, 0, 3, 0, 0));
	must_be(watches(30, 1000));
	must_be(!fds_fork() && tells(20, 10, 2) && watches(20, 1000));
}
END_TEST

/* --- timers ------------------------------------------------------------------------------------------- */

static u64 timer_seen[4], timer_told[4];

static long timer_answer(long nr, const u64 args[6])
{
	if (nr == SYS_timerfd_settime) {
		must_be(!args[1]);
		memcpy(timer_seen, (void *)args[2], 32);
		if (args[3])
			memcpy((void *)args[3], timer_told, 32);
		return 0;
	}
	if (nr == SYS_timerfd_gettime) {
		memcpy((void *)args[1], timer_told, 32);
		return 0;
	}
	return answer(nr, args);
}

START_TEST(timers)
{
	static const u64 wrong[][4] = {
		{ 0, 1000000000 }, { 0, 0, 0, 1000000000 }, { -1UL }, { 0, 0, -1UL }, { 0, -1UL }, { 0, 0, 0, -1UL },
	};
	u64 t[4] = { 3, 0, 100, 500 }, old[4];
	unsigned int i;

	reset();
	fake.answer = timer_answer;
	kernel.fd = 20;
	call(SYS_timerfd_create, CLOCK_MONOTONIC, 0, 0, 0);
	kernel.fd = 21;
	call(SYS_timerfd_create, CLOCK_REALTIME, 0, 0, 0);
	fake.boottime = 40000000000UL;
	fake.realtime = 99000000000UL;
	must_be(!call(SYS_timerfd_settime, 20, 0, (u64)t, 0) && timer_seen[0] == 3 && timer_seen[2] == 100 && timer_seen[3] == 500);
	must_be(!call(SYS_timerfd_settime, 20, TFD_TIMER_ABSTIME, (u64)t, 0) && timer_seen[0] == 3 && timer_seen[2] == 60 && timer_seen[3] == 500);
	must_be(!call(SYS_timerfd_settime, 21, TFD_TIMER_ABSTIME, (u64)t, 0) && timer_seen[2] == 1 && timer_seen[3] == 500);
	fake.realtime += 5000000000UL;
	must_be(!call(SYS_timerfd_settime, 21, TFD_TIMER_ABSTIME, (u64)t, 0) && timer_seen[2] == 0 && timer_seen[3] == 1);
	t[2] = t[3] = 0;
	must_be(!call(SYS_timerfd_settime, 21, TFD_TIMER_ABSTIME, (u64)t, 0) && !timer_seen[2] && !timer_seen[3]);
	t[3] = 1000000000;
	must_be(call(SYS_timerfd_settime, 21, 0, (u64)t, 0) == -EINVAL && call(SYS_timerfd_settime, 21, 0, 8, 0) == -EFAULT);
	t[3] = 0;
	must_be(call(SYS_timerfd_settime, 21, 8, (u64)t, 0) == -EINVAL);
	timer_told[2] = 7;
	must_be(!call(SYS_timerfd_gettime, 21, (u64)old, 0, 0) && old[2] == 7 && !call(SYS_timerfd_settime, 21, 0, (u64)t, (u64)old) && old[2] == 7);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		memcpy(timer_told, wrong[i], 32);
		must(lies(SYS_timerfd_gettime, (const u64[6]){ 21, (u64)old }) && lies(SYS_timerfd_settime, (const u64[6]){ 21, 0, (u64)t, (u64)old }),
		     "case %u", i);
	}
}
END_TEST

SUITE(event, 120,
      { reports }, { changes }, { descriptors }, { numbers }, { twin }, { changes_at_once }, { threads },
      { events_of_others }, { lies_of_others, 4 }, { room_of_others }, { forms }, { names }, { watch_numbers }, { timers })
