// SPDX-License-Identifier: GPL-2.0-or-later
/* test_signal.c - what a kernel may say with a signal; masks, and what handlers return to. */
#include "unit_thread.h"
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/signal.h>

/* signal.c */
void signal_came(u64 signo, u64 info, u64 context);

#define BIT(signo)	(1UL << ((signo) - 1))
#define FAULTS		(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGTRAP))
#define UNBLOCKABLE	(BIT(SIGKILL) | BIT(SIGSTOP))
#define PROGRAM		0x401000UL
#define HANDLER		0x402000UL
#define RESTORER	0x403000UL
#define FLAGS		0x246UL
#define TF		0x100UL
#define TID		100

/* As signal.c puts it on the program's stack. */
struct on_stack {
	u64 restorer;
	struct ucontext uc;
	siginfo_t info;
};

static u64 stack[8192];
#define SP	((u64)(stack + ARRAY_SIZE(stack)))

/* The kernel: what it was told, and what it says. */
static struct {
	u64 mask;
	struct sigaction action[65], was;
	unsigned int killed[65];
	long result;		/* of sigaction; of calls that wait */
	long (*waits)(long nr, const u64 args[6]);	/* a call that waits: what happens meanwhile */
} kernel;

static long answer(long nr, const u64 args[6])
{
	switch (nr) {
	case __NR_rt_sigprocmask:
		if (args[1])
			kernel.mask = *(u64 *)args[1];
		return 0;
	case __NR_rt_sigaction:
		must_be(args[0] >= 1 && args[0] <= 64);
		if (args[2])
			*(struct sigaction *)args[2] = kernel.was;
		if (args[1] && !kernel.result)
			kernel.action[args[0]] = *(struct sigaction *)args[1];
		return kernel.result;
	case __NR_tgkill:
		must_be(args[1] == TID);
		kernel.killed[args[2]]++;
		return 0;
	case __NR_getpid:
		return 1;
	}
	return kernel.waits ? kernel.waits(nr, args) : kernel.result;
}

/* The thread is in the program. */
static void alone(void)
{
	int i;

	fake_reset();
	fake.answer = answer;
	self()->tid = TID;
	self()->sigmask = kernel.mask = 0;
	fake.regs = (struct inktag_regs){ .rip = PROGRAM, .rflags = FLAGS, .cause = INKTAG_CAUSE_INTERRUPT, .vector = INKTAG_NO_VECTOR };
	for (i = 0; i < 16; i++)
		fake.regs.gpr[i] = 0x1000 + i;
	fake.regs.gpr[RSP] = SP;
}

/* Each signal has a handler of its own. */
static __sighandler_t handler(int signo)
{
	return (__sighandler_t)(HANDLER + signo * 16);
}

static long action(int signo, __sighandler_t h, unsigned long flags, u64 mask)
{
	const struct sigaction act = {
		.sa_handler = h, .sa_flags = flags | SA_RESTORER, .sa_mask = mask, .sa_restorer = (__sigrestore_t)RESTORER,
	};

	return dispatch(__NR_rt_sigaction, (const u64[6]){ signo, (u64)&act, 0, 8 });
}

static void handles(int signo, unsigned long flags, u64 mask)
{
	must_be(!action(signo, handler(signo), flags, mask));
}

static void blocks(u64 mask)
{
	must_be(!dispatch(__NR_rt_sigprocmask, (const u64[6]){ SIG_SETMASK, (u64)&mask, 0, 8 }));
	must_be(self()->sigmask == (mask & ~UNBLOCKABLE) && kernel.mask == (mask & ~UNBLOCKABLE));
}

/* What the kernel lays on its stack. */
static struct {
	struct ucontext *uc;
	siginfo_t *info;
} laid;

static void lay(int signo, int code)
{
	laid.uc = (void *)(self()->ustack - 0x1000);
	laid.info = (void *)(self()->ustack - 0x400);
	memset(laid.uc, 0, sizeof(*laid.uc));
	memset(laid.info, 0, sizeof(*laid.info));
	laid.info->si_signo = signo;
	laid.info->si_code = code;
	laid.uc->uc_sigmask = kernel.mask;
	laid.uc->uc_mcontext.rip = INKTAG_ARENA_BASE + INKTAG_STUB_SYSCALL_LEN;
}

static void comes(u64 signo, int code)
{
	lay(signo, code);
	signal_came(signo, (u64)laid.info, (u64)laid.uc);
}

static bool is_handled(int signo, u64 rip, u64 rsp)
{
	const struct on_stack *at = (const void *)rsp;

	return rip == (u64)handler(signo) && at->restorer == RESTORER && at->info.si_signo == signo;
}

/* The handler returns: what the program goes on with. */
static struct frame returns(u64 rsp)
{
	struct frame f = { .gpr = { [RAX] = __NR_rt_sigreturn, [RSP] = rsp + 16 }, .rip = RESTORER };

	enter(&f);
	return f;
}

/* --- what cannot be ------------------------------------------------------------------------------------- */

#define TOP	(INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE - PAGE)
#define BOTTOM	(INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE - ARENA_STACK_SIZE)
#define INFO	(TOP - 0x400)
#define CONTEXT	(TOP - 0x1000)

static const struct {
	u64 signo, info, context;
} cannot_be[] = {
	{ 0, INFO, CONTEXT }, { 65, INFO, CONTEXT }, { 1UL << 32 | SIGUSR1, INFO, CONTEXT }, { -1UL, INFO, CONTEXT },
	{ SIGUSR1, 0, CONTEXT }, { SIGUSR1, (u64)stack, CONTEXT }, { SIGUSR1, TOP, CONTEXT }, { SIGUSR1, BOTTOM - 1, CONTEXT },
	{ SIGUSR1, TOP - sizeof(siginfo_t) + 1, CONTEXT }, { SIGUSR1, -8UL, CONTEXT },
	{ SIGUSR1, INFO, 0 }, { SIGUSR1, INFO, (u64)stack }, { SIGUSR1, INFO, TOP }, { SIGUSR1, INFO, BOTTOM - 1 },
	{ SIGUSR1, INFO, TOP - sizeof(struct ucontext) + 1 }, { SIGUSR1, INFO, -64UL }, { SIGUSR1, INFO, CONTEXT + INKTAG_ARENA_SIZE },
};

START_TEST(impossible)
{
	alone();
	handles(SIGUSR1, 0, 0);
	if (!ended()) {
		signal_came(cannot_be[_i].signo, cannot_be[_i].info, cannot_be[_i].context);
		must_be(!"it is taken");
	}
	must_be(fake.check == INKTAG_CHECK_SYSCALL && fake.addr == __NR_rt_sigreturn && fake.arg == cannot_be[_i].signo);
	must_be(!self()->deferred_count && !fake.regs_set);
}
END_TEST

/* --- the program is interrupted --------------------------------------------------------------------------- */

START_TEST(interrupted)
{
	const u64 mask = BIT(SIGHUP) | BIT(40);
	struct inktag_regs was;
	struct on_stack *at;
	struct frame f;
	int i;

	alone();
	handles(SIGUSR1, 0, BIT(SIGUSR2) | BIT(SIGKILL));
	blocks(mask);
	was = fake.regs;
	memset(stack, 0x5a, sizeof(stack));
	comes(SIGUSR1, SI_USER);
	at = (void *)fake.regs.gpr[RSP];
	must_be(is_handled(SIGUSR1, fake.regs.rip, fake.regs.gpr[RSP]) && (u64)at % 16 == 8);
	/* What a function may have below its stack pointer. */
	for (i = 0; i < 16; i++)
		must_be(stack[ARRAY_SIZE(stack) - 16 + i] == 0x5a5a5a5a5a5a5a5a);
	must_be(fake.regs.gpr[RDI] == SIGUSR1 && fake.regs.gpr[RSI] == (u64)&at->info && fake.regs.gpr[RDX] == (u64)&at->uc);
	must_be(at->uc.uc_sigmask == mask && self()->sigmask == (mask | BIT(SIGUSR1) | BIT(SIGUSR2)) && laid.uc->uc_sigmask == self()->sigmask);
	f = returns((u64)at);
	must_be(!memcmp(f.gpr, was.gpr, sizeof(f.gpr)) && f.rip == PROGRAM && f.rflags == FLAGS);
	must_be(self()->sigmask == mask && kernel.mask == mask);
}
END_TEST

/* Handlers in handlers, each under the mask of all those below it; each returns to what it interrupted. */
START_TEST(nested)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGHUP, 34, 64 };
	u64 masks[ARRAY_SIZE(signals)], sp[ARRAY_SIZE(signals)], rips[ARRAY_SIZE(signals)];
	struct frame f;
	int i;

	alone();
	blocks(BIT(SIGTERM));
	for (i = 0; i < (int)ARRAY_SIZE(signals); i++)
		handles(signals[i], signals[i] == SIGHUP ? SA_NODEFER : 0, 0);
	for (i = 0; i < (int)ARRAY_SIZE(signals); i++) {
		masks[i] = self()->sigmask;
		rips[i] = fake.regs.rip;
		comes(signals[i], SI_USER);
		sp[i] = fake.regs.gpr[RSP];
		must(is_handled(signals[i], fake.regs.rip, sp[i]), "handler %d", i);
		must(self()->sigmask == (masks[i] | (signals[i] == SIGHUP ? 0 : BIT(signals[i]))), "mask of handler %d", i);
		/* What it blocks does not come, whatever the kernel says. */
		fake.regs_set = 0;
		comes(SIGTERM, SI_USER);
		comes(SIGUSR1, SI_USER);
		must_be(!fake.regs_set);
	}
	while (i--) {
		f = returns(sp[i]);
		must(f.rip == rips[i] && self()->sigmask == masks[i] && kernel.mask == masks[i], "return from handler %d", i);
	}
	must_be(f.gpr[RSP] == SP);
}
END_TEST

START_TEST(not_handled)
{
	struct inktag_regs was;

	alone();
	handles(SIGUSR1, 0, 0);
	must_be(!action(SIGUSR2, SIG_IGN, 0, 0));
	blocks(BIT(SIGUSR1));
	was = fake.regs;
	comes(SIGUSR1, SI_USER);
	comes(SIGUSR2, SI_USER);
	/* One that the program never wanted to handle: the kernel does what it would have done. */
	must_be(!kernel.killed[SIGTERM] && !kernel.killed[SIGUSR2]);
	comes(SIGTERM, SI_USER);
	must_be(kernel.killed[SIGTERM] == 1 && kernel.action[SIGTERM].sa_handler == SIG_DFL && kernel.mask == BIT(SIGUSR1));
	must_be(!fake.regs_set && !memcmp(&was, &fake.regs, sizeof(was)) && self()->sigmask == BIT(SIGUSR1));
}
END_TEST

START_TEST(once)
{
	alone();
	handles(SIGUSR1, SA_RESETHAND, 0);
	comes(SIGUSR1, SI_USER);
	must_be(is_handled(SIGUSR1, fake.regs.rip, fake.regs.gpr[RSP]));
	returns(fake.regs.gpr[RSP]);
	fake.regs_set = 0;
	comes(SIGUSR1, SI_USER);
	must_be(!fake.regs_set && kernel.killed[SIGUSR1] == 1);
}
END_TEST

/* --- what the kernel says of the cause -------------------------------------------------------------------- */

static const siginfo_t *info_of(int signo)
{
	const struct on_stack *at = (const void *)fake.regs.gpr[RSP];

	must_be(is_handled(signo, fake.regs.rip, (u64)at));
	return &at->info;
}

/* What somebody sent may not pass for a fault of the program. */
START_TEST(false_faults)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	const int signo = signals[_i / 2];
	const siginfo_t *info;

	alone();
	handles(signo, SA_SIGINFO, 0);
	lay(signo, _i % 2 ? SEGV_ACCERR : SI_KERNEL);
	laid.info->si_signo = SIGCHLD;
	laid.info->si_addr = (void *)0xdeadbeef;
	signal_came(signo, (u64)laid.info, (u64)laid.uc);
	info = info_of(signo);
	must_be(info->si_code <= 0 && !info->si_addr);
}
END_TEST

START_TEST(true_faults)
{
	const int signo = _i ? SIGBUS : SIGSEGV;
	const struct on_stack *at;

	alone();
	handles(signo, SA_SIGINFO, 0);
	fake.regs.cause = INKTAG_CAUSE_FAULT;
	fake.regs.fault_addr = 0x123456;
	fake.regs.fault_access = INKTAG_PROT_WRITE;
	lay(signo, 77);
	laid.info->si_addr = (void *)0xdeadbeef;
	signal_came(signo, (u64)laid.info, (u64)laid.uc);
	at = (void *)fake.regs.gpr[RSP];
	must_be(info_of(signo)->si_addr == (void *)0x123456 && info_of(signo)->si_code == (_i ? BUS_ADRERR : SEGV_MAPERR));
	must_be(at->uc.uc_mcontext.cr2 == 0x123456 && at->uc.uc_mcontext.trapno == 14 && (at->uc.uc_mcontext.err & ~1UL) == 6);
}
END_TEST

/* The processor's exception decides, not the number that the kernel gives. */
START_TEST(exceptions)
{
	static const struct {
		u32 vector;
		int signo, code;
		bool addr;
	} cases[] = {
		{ 0, SIGFPE, FPE_INTDIV, true }, { 1, SIGTRAP, TRAP_TRACE, true }, { 3, SIGTRAP, SI_KERNEL }, { 6, SIGILL, ILL_ILLOPN, true },
		{ 13, SIGSEGV, SI_KERNEL }, { 17, SIGSEGV, SI_KERNEL },
	};
	static const u8 code[4] = { 0xf4 };
	const siginfo_t *info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		alone();
		handles(cases[i].signo, SA_SIGINFO, 0);
		fake.regs.vector = cases[i].vector;
		fake.regs.rip = (u64)code;
		comes(SIGBUS, BUS_ADRERR);
		info = info_of(cases[i].signo);
		must(info->si_code == cases[i].code && info->si_addr == (cases[i].addr ? code : NULL), "vector %u", cases[i].vector);
		must_be(!self()->deferred_count && self()->sigmask == BIT(cases[i].signo));
	}
}
END_TEST

/* A fault that is blocked or ignored ends the program, handler or not. */
START_TEST(faults_that_end)
{
	alone();
	handles(SIGSEGV, 0, 0);
	if (_i == 0)
		blocks(BIT(SIGSEGV));
	else if (_i == 1)
		must_be(!action(SIGSEGV, SIG_IGN, 0, 0));
	else
		must_be(!action(SIGSEGV, SIG_DFL, 0, 0));
	fake.regs.cause = INKTAG_CAUSE_FAULT;
	switch (ended()) {
	case 0:
		comes(SIGSEGV, SEGV_MAPERR);
		must_be(!"it goes on");
		break;
	case 2:
		must_be(fake.arg == 128 + SIGSEGV && kernel.killed[SIGSEGV] == 1 && !fake.regs_set);
	}
}
END_TEST

/* --- the shim is interrupted ------------------------------------------------------------------------------ */

/* The thread is in the kernel, or, with another cause, at this place in the shim. */
static void is_in_shim(u32 cause, u64 rip)
{
	fake.regs.cause = cause;
	fake.regs.rip = rip;
	fake.regs_set = 0;
}

static void is_in_call(void)
{
	is_in_shim(INKTAG_CAUSE_SYSCALL, (u64)hc_wait_end);
}

/* The program makes a call, which waits; what it goes on with. */
static struct frame calls(long nr, long (*waits)(long nr, const u64 args[6]), u64 arg, u64 arg2)
{
	struct frame f = { .gpr = { [RAX] = nr, [RDI] = arg, [RSI] = arg2, [RSP] = SP, [RBX] = 0x1234 }, .rip = PROGRAM, .rflags = FLAGS };

	kernel.waits = waits;
	is_in_call();
	enter(&f);
	must_be(!self()->deferred_count && !self()->has_restore_mask && f.gpr[RBX] == (f.rip == PROGRAM ? 0x1234 : f.gpr[RBX]));
	return f;
}

/* What comes from a timer that the program does not have may not pass for a fault, either. */
START_TEST(false_timers)
{
	const siginfo_t *info;

	alone();
	handles(SIGSEGV, SA_SIGINFO, 0);
	lay(SIGSEGV, SI_TIMER);
	laid.info->si_addr = (void *)0xdeadbeef;
	laid.info->si_ptr = (void *)0xdeadbeef;
	if (_i) {
		is_in_call();
		kernel.waits = NULL;
		signal_came(SIGSEGV, (u64)laid.info, (u64)laid.uc);
		fake.regs.gpr[RSP] = calls(__NR_getpid, NULL, 0, 0).gpr[RSP];
		fake.regs.rip = (u64)handler(SIGSEGV);
	} else {
		signal_came(SIGSEGV, (u64)laid.info, (u64)laid.uc);
	}
	info = info_of(SIGSEGV);
	must_be(info->si_code == SI_USER && !info->si_addr && !info->si_ptr);
}
END_TEST

static const int three[] = { SIGUSR2, SIGTERM, SIGUSR1 };

static long three_come(long nr, const u64 args[6])
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		comes(three[i], SI_USER);
		/* None of them while this one is in the shim. */
		must_be(laid.uc->uc_sigmask == ~FAULTS && self()->deferred_count == i + 1 && !fake.regs_set);
		kernel.mask = laid.uc->uc_sigmask;
	}
	return -EINTR;
}

/* They wait for the way out, and return one to the other, the last one to the program, each with its mask. */
START_TEST(deferred)
{
	struct frame f;
	u64 mask;
	int i;

	alone();
	for (i = 0; i < 3; i++)
		handles(three[i], 0, BIT(SIGHUP));
	blocks(BIT(SIGQUIT));
	f = calls(__NR_pause, three_come, 0, 0);
	for (i = 2; i >= 0; i--) {
		must_be(is_handled(three[i], f.rip, f.gpr[RSP]));
		mask = self()->sigmask;
		must_be(mask & BIT(three[i]) && mask & BIT(SIGHUP) && kernel.mask == mask);
		f = returns(f.gpr[RSP]);
		must_be(self()->sigmask == kernel.mask && !(kernel.mask & BIT(three[i])));
	}
	must_be(f.rip == PROGRAM && f.gpr[RSP] == SP && (long)f.gpr[RAX] == -EINTR && f.gpr[RBX] == 0x1234);
	must_be(kernel.mask == BIT(SIGQUIT));
}
END_TEST

static long many_come(long nr, const u64 args[6])
{
	const u64 arena = self()->arena, end = self()->arena_end;
	int i;

	for (i = 0; i < 1000; i++)
		comes(i % 64 + 1, SI_USER);
	must_be(self()->deferred_count <= DEFERRED_MAX && self()->arena == arena && self()->arena_end == end);
	return -EINTR;
}

START_TEST(too_many)
{
	struct frame f;

	alone();
	handles(SIGHUP, 0, 0);
	f = calls(__NR_pause, many_come, 0, 0);
	must_be(is_handled(SIGHUP, f.rip, f.gpr[RSP]) && kernel.killed[SIGINT] == 1);
	f = returns(f.gpr[RSP]);
	must_be(f.rip == PROGRAM && !kernel.mask && !self()->sigmask);
}
END_TEST

/* A call that the signal came before is not made, and made again after it; where the kernel is now, it says itself. */
static long comes_before(long nr, const u64 args[6])
{
	kernel.waits = NULL;
	kernel.result = 5;
	lay(SIGUSR1, SI_USER);
	laid.uc->uc_mcontext.rip = INKTAG_ARENA_BASE;
	signal_came(SIGUSR1, (u64)laid.info, (u64)laid.uc);
	must_be(laid.uc->uc_mcontext.rip == INKTAG_ARENA_BASE + INKTAG_STUB_SYSCALL_LEN && (long)laid.uc->uc_mcontext.rax == -EINTR);
	return -EINTR;
}

static long comes_in_it(long nr, const u64 args[6])
{
	comes(SIGUSR1, SI_USER);
	must_be(laid.uc->uc_mcontext.rip == INKTAG_ARENA_BASE + INKTAG_STUB_SYSCALL_LEN && !laid.uc->uc_mcontext.rax);
	return -EINTR;
}

START_TEST(again)
{
	struct frame f;

	alone();
	handles(SIGUSR1, _i & 1 ? SA_RESTART : 0, 0);
	f = calls(_i & 2 ? __NR_pause : __NR_wait4, _i & 4 ? comes_before : comes_in_it, 0, 0);
	f = returns(f.gpr[RSP]);
	if (_i & 4 || _i == 1)
		must_be(f.rip == (u64)__inktag_syscall && f.gpr[RSP] == SP - 8 && f.gpr[RAX] == (_i & 2 ? __NR_pause : __NR_wait4));
	else
		must_be(f.rip == PROGRAM && f.gpr[RSP] == SP && (long)f.gpr[RAX] == -EINTR);
	must_be(f.gpr[RBX] == 0x1234);
}
END_TEST

/* Interrupted where it decides whether signals wait, it has to decide again. */
START_TEST(decides_again)
{
	u64 frame[32];

	alone();
	handles(SIGUSR1, 0, 0);
	self()->frame = (u64)frame;
	self()->target = PROGRAM;
	is_in_shim(INKTAG_CAUSE_INTERRUPT, (u64)hc_wait_begin);
	comes(SIGUSR1, SI_USER);
	must_be(fake.regs.rip == (u64)hc_wait_cancelled && fake.regs_set == 1 && self()->deferred_count == 1);
	is_in_shim(INKTAG_CAUSE_INTERRUPT, (u64)way_out_begin + 3);
	comes(SIGUSR1, SI_USER);
	must_be(fake.regs.rip == (u64)way_out_begin && fake.regs.gpr[RSP] == (u64)frame && self()->deferred_count == 2);
	/* Elsewhere the shim just goes on. */
	is_in_shim(INKTAG_CAUSE_INTERRUPT, (u64)__inktag_syscall);
	comes(SIGUSR1, SI_USER);
	must_be(!fake.regs_set && self()->deferred_count == 3);
	/* At its last instruction the program is interrupted already, at its target. */
	self()->deferred_count = 0;
	fake.regs.gpr[RSP] = SP;
	is_in_shim(INKTAG_CAUSE_INTERRUPT, (u64)way_out_jump);
	comes(SIGUSR1, SI_USER);
	must_be(is_handled(SIGUSR1, fake.regs.rip, fake.regs.gpr[RSP]) && !self()->deferred_count);
	must_be(returns(fake.regs.gpr[RSP]).rip == PROGRAM);
}
END_TEST

/* --- faults in the shim --------------------------------------------------------------------------------- */

static long faults(long nr, const u64 args[6])
{
	is_in_shim(INKTAG_CAUSE_FAULT, (u64)__inktag_syscall);
	comes(SIGSEGV, SEGV_MAPERR);
	must_be(fake.regs.rip == (u64)call_given_up && fake.regs.gpr[RSP] == self()->unwind);
	give_up();
	return 0;
}

/* A bad pointer: the call fails, and the arena is as before. */
START_TEST(given_up)
{
	u64 mark;
	char path[] = "x";

	alone();
	handles(SIGSEGV, 0, 0);
	mark = arena_mark();
	must_be((long)calls(__NR_chdir, faults, (u64)path, 0).gpr[RAX] == -EFAULT && arena_mark() == mark);
	must_be(!self()->unwind && !self()->sigmask);
}
END_TEST

/* But nothing that is half done. */
START_TEST(not_given_up)
{
	alone();
	handles(SIGSEGV, 0, 0);
	self()->unwind = _i ? SP : 0;
	self()->locks = _i;
	is_in_shim(INKTAG_CAUSE_FAULT, (u64)__inktag_syscall);
	if (!ended()) {
		comes(SIGSEGV, SEGV_MAPERR);
		must_be(!"it goes on");
	}
	must_be(fake.arg == 128 + SIGSEGV && !fake.regs_set);
}
END_TEST

/* A program that traces itself does not trace the shim. */
START_TEST(traced)
{
	alone();
	handles(SIGTRAP, 0, 0);
	fake.regs.vector = 1;
	fake.regs.rflags |= TF;
	is_in_shim(INKTAG_CAUSE_INTERRUPT, (u64)__inktag_syscall);
	comes(SIGTRAP, TRAP_TRACE);
	must_be(fake.regs_set == 1 && fake.regs.rip == (u64)__inktag_syscall && fake.regs.rflags == FLAGS && !self()->deferred_count);
	fake.regs.rflags |= TF;
	is_in_shim(INKTAG_CAUSE_INTERRUPT, (u64)way_out_jump);
	comes(SIGTRAP, TRAP_TRACE);
	is_in_shim(INKTAG_CAUSE_INTERRUPT, PROGRAM);
	comes(SIGTRAP, TRAP_TRACE);
	must_be(!fake.regs_set);
	comes(SIGTRAP, TRAP_TRACE);
	must_be(is_handled(SIGTRAP, fake.regs.rip, fake.regs.gpr[RSP]) && !(fake.regs.rflags & TF));
	must_be(returns(fake.regs.gpr[RSP]).rflags == (FLAGS | TF));
}
END_TEST

/* --- calls with masks ------------------------------------------------------------------------------------- */

static long none_comes(long nr, const u64 args[6])
{
	return -EINTR;
}

static long one_comes(long nr, const u64 args[6])
{
	must_be(*(u64 *)args[0] == (BIT(SIGHUP) | BIT(SIGKILL)));
	comes(SIGUSR1, SI_USER);
	return -EINTR;
}

/* Its handler runs under the mask of the call; all that it returns to, under the program's. */
START_TEST(suspended)
{
	u64 mask = BIT(SIGHUP) | BIT(SIGKILL);
	struct frame f;

	alone();
	handles(SIGUSR1, 0, 0);
	blocks(BIT(SIGUSR1));
	f = calls(__NR_rt_sigsuspend, _i ? one_comes : none_comes, (u64)&mask, 8);
	if (_i) {
		must_be(is_handled(SIGUSR1, f.rip, f.gpr[RSP]) && self()->sigmask == (BIT(SIGHUP) | BIT(SIGUSR1)) && kernel.mask == self()->sigmask);
		f = returns(f.gpr[RSP]);
	}
	must_be(f.rip == PROGRAM && (long)f.gpr[RAX] == -EINTR && self()->sigmask == BIT(SIGUSR1) && kernel.mask == BIT(SIGUSR1));
}
END_TEST

/* The handler of one that came before the call lets nothing in for which the call will wait. */
START_TEST(suspended_again)
{
	u64 mask = 0;
	struct frame f;

	alone();
	handles(SIGUSR1, 0, 0);
	blocks(BIT(SIGHUP));
	f = calls(__NR_rt_sigsuspend, comes_before, (u64)&mask, 8);
	must_be(is_handled(SIGUSR1, f.rip, f.gpr[RSP]) && self()->sigmask == (BIT(SIGHUP) | BIT(SIGUSR1)));
	f = returns(f.gpr[RSP]);
	must_be(f.rip == (u64)__inktag_syscall && self()->sigmask == BIT(SIGHUP) && kernel.mask == BIT(SIGHUP));
}
END_TEST

/* Also if the call is given up. */
START_TEST(suspended_in_vain)
{
	u64 mask = 0;

	alone();
	handles(SIGSEGV, 0, 0);
	blocks(BIT(SIGUSR1));
	must_be((long)calls(__NR_rt_sigsuspend, faults, (u64)&mask, 8).gpr[RAX] == -EFAULT && self()->sigmask == BIT(SIGUSR1));
}
END_TEST

START_TEST(masks)
{
	static const struct {
		int how;
		u64 set, now;
	} cases[] = {
		{ SIG_BLOCK, BIT(3), BIT(5) | BIT(3) }, { SIG_UNBLOCK, BIT(5) | BIT(6), 0 }, { SIG_SETMASK, BIT(6), BIT(6) },
		{ SIG_SETMASK, ~0UL, ~UNBLOCKABLE }, { SIG_BLOCK, UNBLOCKABLE, BIT(5) },
	};
	unsigned int i;
	u64 old;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		alone();
		blocks(BIT(5));
		must_be(!dispatch(__NR_rt_sigprocmask, (const u64[6]){ cases[i].how, (u64)&cases[i].set, (u64)&old, 8 }));
		must(self()->sigmask == cases[i].now && kernel.mask == cases[i].now && old == BIT(5), "case %u", i);
	}
	blocks(BIT(5));
	old = 0;
	must_be(dispatch(__NR_rt_sigprocmask, (const u64[6]){ 3, (u64)&cases[0].set, (u64)&old, 8 }) == -EINVAL);
	must_be(dispatch(__NR_rt_sigprocmask, (const u64[6]){ SIG_SETMASK, (u64)&cases[0].set, (u64)&old, 4 }) == -EINVAL);
	must_be(dispatch(__NR_rt_sigprocmask, (const u64[6]){ SIG_SETMASK, (u64)&cases[0].set, 8, 8 }) == -EFAULT);
	must_be(!old && self()->sigmask == BIT(5) && kernel.mask == BIT(5));
}
END_TEST

/* A signal that is blocked waits in the kernel, which knows it: what comes all the same was not sent. */
static long blocked_comes(long nr, const u64 args[6])
{
	comes(SIGUSR1, SI_USER);
	must_be(!self()->deferred_count && laid.uc->uc_sigmask == kernel.mask && !fake.regs_set);
	comes(SIGUSR2, SI_USER);
	must_be(self()->deferred_count == 1);
	return -EINTR;
}

static long unblocked_comes(long nr, const u64 args[6])
{
	comes(SIGUSR1, SI_USER);
	must_be(self()->deferred_count == 1);
	return -EINTR;
}

START_TEST(blocked)
{
	struct frame f;

	alone();
	handles(SIGUSR1, 0, 0);
	handles(SIGUSR2, 0, 0);
	blocks(BIT(SIGUSR1) | BIT(SIGSEGV));
	f = calls(__NR_pause, blocked_comes, 0, 0);
	must_be(is_handled(SIGUSR2, f.rip, f.gpr[RSP]));
	/* Nor what this handler's mask has, before it begins. */
	is_in_shim(INKTAG_CAUSE_INTERRUPT, (u64)way_out_begin);
	comes(SIGUSR2, SI_USER);
	must_be(!self()->deferred_count && !fake.regs_set);
	must_be(returns(f.gpr[RSP]).rip == PROGRAM);
	/* While all are blocked for the shim, these are, too. */
	is_in_call();
	comes(SIGHUP, SI_USER);
	must_be(laid.uc->uc_sigmask == (~FAULTS | BIT(SIGSEGV)));
}
END_TEST

/* Unless the call has a mask that does not block it. */
START_TEST(unblocked)
{
	static const long numbers[] = { __NR_ppoll, __NR_pselect6, __NR_epoll_pwait, __NR_epoll_pwait2, __NR_rt_sigsuspend };
	const u64 mask = BIT(SIGUSR2), pair[2] = { (u64)&mask, 8 };
	struct frame f = { .gpr = { [RAX] = numbers[_i], [RSP] = SP }, .rip = PROGRAM };
	u64 room[2];

	alone();
	handles(SIGUSR1, 0, 0);
	blocks(BIT(SIGUSR1));
	switch (numbers[_i]) {
	case __NR_ppoll:
		f.gpr[R10] = (u64)&mask;
		f.gpr[R8] = 8;
		break;
	case __NR_pselect6:
		f.gpr[R9] = (u64)pair;
		break;
	case __NR_rt_sigsuspend:
		f.gpr[RDI] = (u64)&mask;
		f.gpr[RSI] = 8;
		break;
	default:
		f.gpr[RSI] = (u64)room;
		f.gpr[RDX] = 1;
		f.gpr[R8] = (u64)&mask;
		f.gpr[R9] = 8;
	}
	kernel.waits = unblocked_comes;
	is_in_call();
	enter(&f);
	must_be(is_handled(SIGUSR1, f.rip, f.gpr[RSP]));
	f = returns(f.gpr[RSP]);
	must_be(f.rip == PROGRAM && (long)f.gpr[RAX] == -EINTR && self()->sigmask == BIT(SIGUSR1) && kernel.mask == BIT(SIGUSR1));
}
END_TEST

/* On the way from one mask to another the kernel may send what only one of them blocks. */
static long comes_between(long nr, const u64 args[6])
{
	if (nr == __NR_rt_sigprocmask && !fake.regs_set) {
		is_in_call();
		comes(SIGUSR1, SI_USER);
		must_be(self()->deferred_count == 1);
		fake.answer = answer;
	}
	return answer(nr, args);
}

START_TEST(between_masks)
{
	const u64 masks[2] = { BIT(SIGUSR1), 0 };
	struct frame f = { .gpr = { [RAX] = __NR_rt_sigprocmask, [RDI] = SIG_SETMASK, [RSI] = (u64)&masks[_i], [R10] = 8, [RSP] = SP },
			   .rip = PROGRAM };

	alone();
	handles(SIGUSR1, 0, 0);
	blocks(masks[!_i]);
	fake.answer = comes_between;
	enter(&f);
	must_be(is_handled(SIGUSR1, f.rip, f.gpr[RSP]));
	f = returns(f.gpr[RSP]);
	must_be(f.rip == PROGRAM && !f.gpr[RAX] && self()->sigmask == masks[_i] && kernel.mask == masks[_i]);
}
END_TEST

static struct {
	long result;
	siginfo_t info;
} waited;

static long waited_for(long nr, const u64 args[6])
{
	if (args[1])
		*(siginfo_t *)args[1] = waited.info;
	return waited.result;
}

START_TEST(waiting)
{
	static const long false_results[] = { 0, SIGUSR2, 65, -5000, 1UL << 32 | SIGUSR1, 74 };
	const u64 set = BIT(SIGUSR1);
	const u64 args[6] = { (u64)&set, (u64)&waited.info, 0, 8 };
	siginfo_t info;

	alone();
	kernel.waits = waited_for;
	waited.result = waited.info.si_signo = SIGUSR1;
	must_be(dispatch(__NR_rt_sigtimedwait, (const u64[6]){ (u64)&set, (u64)&info, 0, 8 }) == SIGUSR1 && info.si_signo == SIGUSR1);
	waited.result = false_results[_i];
	must_be(lies(__NR_rt_sigtimedwait, args));
}
END_TEST

/* Who waits gets the signal that it gets, and no fault of its own. */
START_TEST(waiting_for_lies)
{
	const u64 set = BIT(SIGUSR1) | BIT(SIGSEGV);
	siginfo_t info;
	const u64 args[6] = { (u64)&set, (u64)&info, 0, 8 };

	alone();
	kernel.waits = waited_for;
	waited.result = waited.info.si_signo = SIGSEGV;
	waited.info.si_code = _i ? SI_TIMER : SEGV_MAPERR;
	waited.info.si_addr = (void *)0xdeadbeef;
	must_be(!lies(__NR_rt_sigtimedwait, args) && fake.result == SIGSEGV);
	must_be(info.si_signo == SIGSEGV && info.si_code == SI_USER && !info.si_addr);
	waited.result = SIGUSR1;
	must_be(lies(__NR_rt_sigtimedwait, args));
}
END_TEST

/* --- actions ---------------------------------------------------------------------------------------------- */

START_TEST(actions_of_the_kernel)
{
	struct sigaction old = { 0 }, new = { .sa_handler = handler(SIGUSR2), .sa_flags = SA_RESTORER };

	alone();
	/* Of what there was before the kernel can say that it is the default, or ignored. */
	kernel.was.sa_handler = _i == 0 ? SIG_IGN : _i == 1 ? SIG_DFL : (__sighandler_t)0x666000;
	kernel.was.sa_flags = -1UL;
	must_be(!dispatch(__NR_rt_sigaction, (const u64[6]){ SIGUSR2, 0, (u64)&old, 8 }));
	must_be(old.sa_handler == (_i == 0 ? SIG_IGN : SIG_DFL) && !old.sa_flags && !old.sa_mask);
	/* It gets no address of the program's. */
	handles(SIGUSR1, SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP | SA_ONSTACK | SA_RESETHAND | SA_NODEFER, 0);
	must_be(kernel.action[SIGUSR1].sa_handler == (__sighandler_t)(INKTAG_ARENA_BASE + INKTAG_STUB_SIGNAL));
	must_be(kernel.action[SIGUSR1].sa_restorer == (__sigrestore_t)(INKTAG_ARENA_BASE + INKTAG_STUB_SIGRETURN));
	must_be(kernel.action[SIGUSR1].sa_flags == (SA_SIGINFO | SA_RESTORER | SA_NOCLDSTOP) && kernel.action[SIGUSR1].sa_mask == ~0UL);
	/* What it refuses is not done. */
	kernel.result = -EINVAL;
	must_be(dispatch(__NR_rt_sigaction, (const u64[6]){ SIGUSR1, (u64)&new, (u64)&old, 8 }) == -EINVAL);
	kernel.result = 0;
	comes(SIGUSR1, SI_USER);
	must_be(is_handled(SIGUSR1, fake.regs.rip, fake.regs.gpr[RSP]));
	kernel.result = 1;
	must_be(lies(__NR_rt_sigaction, (const u64[6]){ SIGUSR1, (u64)&new, 0, 8 }));
}
END_TEST

START_TEST(no_actions)
{
	struct sigaction act = { .sa_handler = handler(1) };

	alone();
	must_be(dispatch(__NR_rt_sigaction, (const u64[6]){ SIGKILL, (u64)&act, 0, 8 }) == -EINVAL);
	must_be(dispatch(__NR_rt_sigaction, (const u64[6]){ SIGSTOP, (u64)&act, 0, 8 }) == -EINVAL);
	must_be(dispatch(__NR_rt_sigaction, (const u64[6]){ 65, (u64)&act, 0, 8 }) == -EINVAL);
	must_be(dispatch(__NR_rt_sigaction, (const u64[6]){ SIGUSR1, (u64)&act, 0, 16 }) == -EINVAL);
	must_be(dispatch(__NR_rt_sigaction, (const u64[6]){ SIGUSR1, 8, 0, 8 }) == -EFAULT);
	must_be(dispatch(__NR_rt_sigaction, (const u64[6]){ SIGUSR1, (u64)&act, 8, 8 }) == -EFAULT && !fake.calls);
}
END_TEST

/* --- the other stack -------------------------------------------------------------------------------------- */

static u64 altstack[8192];

static bool on_altstack(u64 at)
{
	return at >= (u64)altstack && at < (u64)altstack + sizeof(altstack);
}

START_TEST(other_stack)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack), .ss_flags = _i ? (int)SS_AUTODISARM : 0 };
	struct frame f = { .gpr = { [RAX] = __NR_sigaltstack, [RDI] = (u64)&ss } };
	u64 first, second;

	alone();
	handles(SIGUSR1, SA_ONSTACK, 0);
	handles(SIGUSR2, SA_ONSTACK, 0);
	must_be(!dispatch(__NR_sigaltstack, (const u64[6]){ (u64)&ss }));
	comes(SIGUSR1, SI_USER);
	first = fake.regs.gpr[RSP];
	must_be(on_altstack(first) && (self()->altstack.ss_size == 0) == _i);
	/* While it is in use it cannot be changed. */
	if (!_i) {
		f.gpr[RSP] = first;
		enter(&f);
		must_be((long)f.gpr[RAX] == -EPERM);
	}
	/* The next one goes on below, and does not begin at its end again. */
	comes(SIGUSR2, SI_USER);
	second = fake.regs.gpr[RSP];
	must_be(second < first && on_altstack(second));
	returns(second);
	f = returns(first);
	must_be(f.gpr[RSP] == SP && self()->altstack.ss_sp == altstack && self()->altstack.ss_size == sizeof(altstack));
}
END_TEST

SUITE(signal, SECONDS,
      { impossible, ARRAY_SIZE(cannot_be) }, { interrupted }, { nested }, { not_handled }, { once }, { false_faults, 10 },
      { true_faults, 2 }, { exceptions }, { faults_that_end, 3 }, { false_timers, 2 }, { deferred }, { too_many }, { again, 8 }, { decides_again },
      { given_up }, { not_given_up, 2 }, { traced }, { suspended, 2 }, { suspended_again }, { suspended_in_vain }, { masks }, { blocked }, { unblocked, 5 }, { between_masks, 2 },
      { waiting, 6 }, { waiting_for_lies, 2 }, { actions_of_the_kernel, 3 },
      { no_actions }, { other_stack, 2 })
