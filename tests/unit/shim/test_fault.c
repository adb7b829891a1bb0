// SPDX-License-Identifier: GPL-2.0-or-later
/* test_fault.c - page faults in the middle of a call. Where there is memory, the kernel cannot say that there is none. */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include "unit_thread.h"
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

void signal_came(u64 signo, u64 info, u64 context);

#define MASK	0x77UL

static struct ucontext *context;

/* The kernel says that the access that has just faulted in the shim was none that the program may make. */
static void false_fault(u64 addr, u32 access, int signo)
{
	siginfo_t *info = (siginfo_t *)(self()->ustack - 4096);

	context = (struct ucontext *)(self()->ustack - 2048);
	memset(info, 0, sizeof(*info));
	memset(context, 0, sizeof(*context));
	info->si_code = 1;
	context->uc_sigmask = MASK;
	fake.regs = (struct inktag_regs){
		.cause = INKTAG_CAUSE_FAULT, .rip = (u64)__inktag_syscall, .fault_addr = addr, .fault_access = access,
	};
	fake.regs_set = 0;
	signal_came(signo, (u64)info, (u64)context);
	if (fake.regs_set) {
		must_be(fake.regs.rip == (u64)call_given_up && fake.regs.gpr[RSP] == self()->unwind);
		give_up();
	}
	/* All is as before: the access is made again. */
	must_be(context->uc_sigmask == MASK && !self()->deferred_count && !self()->locks);
}

static struct {
	u64 addr;
	u32 access;
	int signo;
} lie;

static long answer(long nr, const u64 args[6])
{
	if (nr == __NR_getppid || (nr == __NR_futex && args[1] == FUTEX_WAIT_PRIVATE))
		false_fault(lie.addr, lie.access, lie.signo);
	return nr == __NR_futex && args[1] == FUTEX_WAIT_PRIVATE ? -EINTR : 5;
}

static u64 map(u64 prot, u64 flags, int fd)
{
	long (*was)(long nr, const u64 args[6]) = fake.answer;

	fake.answer = NULL;
	must_be(!lies(__NR_mmap, (const u64[6]){ 0, PAGE, prot, flags, fd, 0 }) && !IS_ERR(fake.result));
	fake.answer = was;
	return fake.result;
}

static long given_up(u64 addr, u32 access)
{
	lie.addr = addr;
	lie.access = access;
	must_be(!lies(__NR_getppid, (const u64[6]){ 0 }));
	return fake.result;
}

static void kernel_says(int signo)
{
	fake_reset();
	fake_memory();
	fake.answer = answer;
	lie.signo = signo;
}

START_TEST(what_there_is)
{
	u64 page;

	kernel_says(_i ? SIGBUS : SIGSEGV);
	must_be(given_up(INKTAG_STACK_TOP - 8, INKTAG_PROT_WRITE) == 5);
	must_be(given_up(INKTAG_DESC_BASE, INKTAG_PROT_WRITE) == 5);
	must_be(given_up(self()->arena_first, INKTAG_PROT_WRITE) == 5);
	must_be(given_up(mm_map_own(PAGE, INKTAG_KIND_UNCLOAKED), INKTAG_PROT_READ) == 5);
	page = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	must_be(given_up(page, INKTAG_PROT_READ) == 5 && given_up(page + PAGE - 1, INKTAG_PROT_WRITE) == 5);
	page = map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	must_be(given_up(page, INKTAG_PROT_WRITE) == 5);
}
END_TEST

/* A bad pointer of the program's; a file may be shorter than its mapping. */
START_TEST(what_there_is_not)
{
	u64 page;

	kernel_says(_i ? SIGBUS : SIGSEGV);
	must_be(given_up(8, INKTAG_PROT_READ) == -EFAULT);
	must_be(given_up(INKTAG_USER_END - 8, INKTAG_PROT_WRITE) == -EFAULT);
	page = map(PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	must_be(given_up(page, INKTAG_PROT_WRITE) == -EFAULT && given_up(page, INKTAG_PROT_READ) == 5);
	page = map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	must_be(given_up(page, INKTAG_PROT_READ) == -EFAULT);
	must_be(!lies(__NR_munmap, (const u64[6]){ page, PAGE }) && given_up(page, INKTAG_PROT_READ) == -EFAULT);
	page = map(PROT_READ | PROT_WRITE, MAP_SHARED, 3);
	must_be(given_up(page, INKTAG_PROT_READ) == -EFAULT);
}
END_TEST

/* Who holds a lock is in the middle of something. */
static long while_locked(long nr, const u64 args[6])
{
	if (nr != __NR_getppid)
		return 0;
	lock(&waiters_lock);
	false_fault(8, INKTAG_PROT_READ, SIGSEGV);
	return 0;
}

START_TEST(with_a_lock)
{
	int how;

	fake_reset();
	fake.answer = while_locked;
	how = ended();
	if (!how)
		dispatch(__NR_getppid, (const u64[6]){ 0 });
	must_be(how == 2 && fake.arg == 128 + SIGSEGV);
}
END_TEST

/* Who waits stands in a list, which has no place for one that is waiting no more. */
START_TEST(while_waiting)
{
	static u32 word = 7;

	fake_reset();
	fake.answer = answer;
	lie.addr = INKTAG_STACK_TOP - 8;
	lie.access = INKTAG_PROT_READ;
	lie.signo = SIGSEGV;
	must_be(!lies(__NR_futex, (const u64[6]){ (u64)&word, FUTEX_WAIT, 7 }) && fake.result == -EINTR);
	must_be(!futex_wake((u64)&word, 1, ~0U));
}
END_TEST

SUITE(fault, SECONDS, { what_there_is, 2 }, { what_there_is_not, 2 }, { with_a_lock }, { while_waiting })
