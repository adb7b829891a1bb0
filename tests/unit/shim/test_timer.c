// SPDX-License-Identifier: GPL-2.0-or-later
/* test_timer.c - timers: whose number the kernel gives, what comes with the signal, when it is to come. */
#include "unit_thread.h"
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/signalfd.h>
#include <linux/time.h>

#define VALUE	((void *)0x123456789)

static struct {
	long result;
	int id;
	struct sigevent event;
	u64 flags;
	struct __kernel_itimerspec spec;
} kernel;

static long answer(long nr, const u64 args[6])
{
	if (nr == __NR_timer_create) {
		if (args[1])
			kernel.event = *(struct sigevent *)args[1];
		*(int *)args[2] = kernel.id;
	}
	if (nr == __NR_timer_settime) {
		kernel.flags = args[1];
		kernel.spec = *(struct __kernel_itimerspec *)args[2];
	}
	return nr == __NR_gettid ? 200 : kernel.result;
}

static void fresh(void)
{
	fake_reset();
	memset(&kernel, 0, sizeof(kernel));
	fake.answer = answer;
}

static const struct sigevent event = { .sigev_signo = SIGUSR1, .sigev_value = { .sival_ptr = VALUE } };

static bool creates(int id, u64 clock)
{
	int out = -1;

	kernel.id = id;
	if (lies(__NR_timer_create, (const u64[6]){ clock, (u64)&event, (u64)&out }))
		return false;
	must_be(fake.result == kernel.result && out == (fake.result ? -1 : id));
	return !fake.result;
}

static bool has(int id)
{
	sigval_t value = { .sival_ptr = NULL };

	must_be(!timer_value(id, &value) || value.sival_ptr == VALUE);
	return value.sival_ptr;
}

START_TEST(numbers)
{
	static const struct {
		long result;
		int id;
	} false_answers[] = { { 0, 7 }, { 0, -1 }, { 0, INT32_MIN }, { 1, 8 }, { -5000, 8 }, { 1L << 32, 8 } };

	fresh();
	must_be(creates(7, CLOCK_MONOTONIC) && has(7) && !has(8) && !has(0));
	/* The value stays here. */
	must_be(kernel.event.sigev_signo == SIGUSR1 && !kernel.event.sigev_value.sival_ptr);
	kernel.result = false_answers[_i].result;
	must_be(!creates(false_answers[_i].id, CLOCK_MONOTONIC) && fake.check == INKTAG_CHECK_SYSCALL && has(7) && !has(8));
}
END_TEST

START_TEST(fails)
{
	int i;

	fresh();
	kernel.result = -EAGAIN;
	must_be(!creates(7, CLOCK_MONOTONIC) && !has(7));
	must_be(!lies(__NR_timer_create, (const u64[6]){ 0, 8, (u64)&i }) && fake.result == -EFAULT);
	must_be(!lies(__NR_timer_create, (const u64[6]){ 0, 0, 8 }) && fake.result == -EFAULT);
	kernel.result = 0;
	must_be(creates(7, CLOCK_MONOTONIC));
	kernel.result = -EINVAL;
	must_be(dispatch(__NR_timer_delete, (const u64[6]){ 7 }) == -EINVAL && has(7));
	kernel.result = 0;
	must_be(!dispatch(__NR_timer_delete, (const u64[6]){ 8 }) && has(7));
	must_be(!dispatch(__NR_timer_delete, (const u64[6]){ 7 }) && !has(7));
	/* Its number may come again. There are not more than there is room for. */
	for (i = 0; i < 256; i++)
		must_be(creates(i, CLOCK_MONOTONIC));
	fake.calls = 0;
	must_be(dispatch(__NR_timer_create, (const u64[6]){ 0, (u64)&event, (u64)&i }) == -EAGAIN && !fake.calls);
	must_be(!dispatch(__NR_timer_delete, (const u64[6]){ 100 }) && creates(1000, CLOCK_MONOTONIC) && has(1000) && !has(100) && has(255));
	kernel.result = 1;
	must_be(lies(__NR_timer_delete, (const u64[6]){ 7 }));
}
END_TEST

static long child(const struct clone *clone)
{
	return 0;
}

START_TEST(not_the_childs)
{
	fresh();
	must_be(creates(7, CLOCK_MONOTONIC));
	fake.clone = child;
	must_be(!dispatch(__NR_fork, (const u64[6]){ 0 }) && !has(7));
}
END_TEST

/* The kernel's clocks begin elsewhere: it gets what is left, by the hypervisor's, and never what is over as "off". */
START_TEST(ends)
{
	static const struct {
		int clock;
		u64 end, left;
		bool passed;
	} cases[] = {
		{ CLOCK_MONOTONIC, 150, 50 }, { CLOCK_REALTIME, 1150, 150 }, { CLOCK_BOOTTIME, 99, 0 }, { CLOCK_REALTIME, 150, 0 },
		{ CLOCK_REALTIME_ALARM, 1001, 1 }, { CLOCK_BOOTTIME_ALARM, 101, 1 }, { CLOCK_PROCESS_CPUTIME_ID, 150, 150, true },
	};
	struct __kernel_itimerspec spec = { .it_interval.tv_nsec = 5 };
	unsigned int i;

	fresh();
	fake.boottime = 100 * NSEC;
	fake.realtime = 1000 * NSEC;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		must_be(creates(i, cases[i].clock));
		spec.it_value.tv_sec = cases[i].end;
		must_be(!dispatch(__NR_timer_settime, (const u64[6]){ i, TIMER_ABSTIME, (u64)&spec }));
		must((u64)kernel.spec.it_value.tv_sec == cases[i].left && kernel.spec.it_value.tv_nsec == !cases[i].left, "case %u", i);
		must_be(kernel.flags == (cases[i].passed ? TIMER_ABSTIME : 0) && kernel.spec.it_interval.tv_nsec == 5);
	}
	/* Time does not go backwards. */
	fake.boottime = 50 * NSEC;
	spec.it_value.tv_sec = 150;
	must_be(!dispatch(__NR_timer_settime, (const u64[6]){ 0, TIMER_ABSTIME, (u64)&spec }) && kernel.spec.it_value.tv_sec == 50);
	spec.it_value.tv_sec = 0;
	must_be(!dispatch(__NR_timer_settime, (const u64[6]){ 0, TIMER_ABSTIME, (u64)&spec }) && !kernel.spec.it_value.tv_sec && !kernel.spec.it_value.tv_nsec);
	fake.calls = 0;
	must_be(dispatch(__NR_timer_settime, (const u64[6]){ 100, TIMER_ABSTIME, (u64)&spec }) == -EINVAL);
	spec.it_value.tv_nsec = NSEC;
	must_be(dispatch(__NR_timer_settime, (const u64[6]){ 0, TIMER_ABSTIME, (u64)&spec }) == -EINVAL);
	must_be(dispatch(__NR_timer_settime, (const u64[6]){ 0, TIMER_ABSTIME, 8 }) == -EFAULT && !fake.calls);
	kernel.result = 1;
	must_be(lies(__NR_timer_settime, (const u64[6]){ 0, 0, (u64)&spec }));
}
END_TEST

/* --- what comes with a signal: to who waits for it, and in the records of a signalfd ------------------- */

static siginfo_t waited;
static struct signalfd_siginfo record;

static long signals_answer(long nr, const u64 args[6])
{
	switch (nr) {
	case __NR_mq_notify:
		if (args[1])
			kernel.event = *(struct sigevent *)args[1];
		return kernel.result;
	case __NR_rt_sigtimedwait:
		memcpy((void *)args[1], &waited, sizeof(waited));
		return waited.si_signo;
	case __NR_signalfd4:
		return 20;
	case __NR_read:
		memcpy((void *)args[1], &record, sizeof(record));
		return sizeof(record);
	default:
		return answer(nr, args);
	}
}

static siginfo_t waits(int code, int id, u64 word)
{
	const u64 mask = -1UL;
	siginfo_t info;

	waited = (siginfo_t){ .si_signo = SIGUSR1, .si_code = code };
	waited.si_tid = id;
	waited.si_value.sival_ptr = (void *)word;
	must_be(!lies(__NR_rt_sigtimedwait, (const u64[6]){ (u64)&mask, (u64)&info, 0, 8 }) && fake.result == SIGUSR1);
	return info;
}

static struct signalfd_siginfo reads(int code, u32 id, u64 word)
{
	struct signalfd_siginfo s;

	record = (struct signalfd_siginfo){ .ssi_signo = SIGUSR1, .ssi_code = code, .ssi_tid = id, .ssi_ptr = word, .ssi_int = word };
	must_be(!lies(__NR_read, (const u64[6]){ 20, (u64)&s, sizeof(s) }) && fake.result == sizeof(s));
	return s;
}

static u64 notified(void)
{
	must_be(!lies(__NR_mq_notify, (const u64[6]){ 3, (u64)&event }) && fake.result == kernel.result);
	must_be(kernel.event.sigev_value.sival_ptr != VALUE);
	return (u64)kernel.event.sigev_value.sival_ptr;
}

START_TEST(words)
{
	const u64 mask = -1UL;
	siginfo_t info;
	u64 name, other;

	fresh();
	fake.answer = signals_answer;
	must_be(creates(7, CLOCK_MONOTONIC) && !lies(__NR_signalfd4, (const u64[6]){ -1UL, (u64)&mask, 8 }) && fake.result == 20);
	must_be(waits(SI_TIMER, 7, 0).si_value.sival_ptr == VALUE && reads(SI_TIMER, 7, 0).ssi_ptr == (u64)VALUE &&
		reads(SI_TIMER, 7, 0).ssi_int == (int)(u64)VALUE);
	info = waits(SI_TIMER, 8, 0x666);
	must_be(info.si_code == SI_USER && !info.si_value.sival_ptr && !reads(SI_TIMER, 8, 0x666).ssi_ptr && reads(SI_TIMER, 8, 0x666).ssi_code == SI_USER);
	/* A queue's comes once, with what was given for it. */
	name = notified();
	other = notified();
	must_be(name != other && waits(SI_MESGQ, 0, name).si_value.sival_ptr == VALUE && reads(SI_MESGQ, 0, other).ssi_ptr == (u64)VALUE);
	must_be(waits(SI_MESGQ, 0, name).si_code == SI_USER && reads(SI_MESGQ, 0, other).ssi_code == SI_USER);
	must_be(waits(SI_MESGQ, 0, 0).si_code == SI_USER && waits(SI_MESGQ, 0, (u64)VALUE).si_code == SI_USER);
	kernel.result = -EBUSY;
	name = notified();
	kernel.result = 0;
	must_be(waits(SI_MESGQ, 0, name).si_code == SI_USER);
	/* What another process sent is that one's. */
	must_be(waits(SI_QUEUE, 0, 0x666).si_value.sival_ptr == (void *)0x666 && reads(SI_QUEUE, 0, 0x666).ssi_ptr == 0x666);
	name = notified();
	fake.clone = child;
	must_be(!dispatch(__NR_fork, (const u64[6]){ 0 }) && waits(SI_MESGQ, 0, name).si_code == SI_USER);
}
END_TEST

SUITE(timer, SECONDS,
      { numbers, 6 }, { fails }, { not_the_childs }, { ends }, { words })
