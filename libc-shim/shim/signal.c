// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * signal.c - signals: what the program wants done with them, and doing it. docs/processes.md has the whole.
 *
 * The kernel has one handler of ours, in the stub, with all signals blocked while it runs. What it tells
 * of a signal is taken as it is where it cannot hurt: that there is one, who sent it, with which value.
 * What it says of a fault of the program is replaced by what the hypervisor says. The program's
 * handlers run on its own stacks, on frames made here, as Linux makes them.
 */
#include <asm/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/signal.h>
#include "protect.h"
#include "thread.h"

#define SIGNALS		64
#define BIT(signo)	(1UL << ((signo) - 1))
#define UNBLOCKABLE	(BIT(SIGKILL) | BIT(SIGSTOP))
/* The program's own faults: when blocked, the kernel ends the program. */
#define FAULTS		(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGTRAP))
#define FLAGS_KNOWN	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND | \
			 SA_RESTORER)

struct frame_on_stack {
	u64 restorer;
	struct ucontext uc;
	siginfo_t info;
};

struct action {
	struct sigaction act;
	bool known;	/* else it is what the kernel inherited: default or ignored */
};

static struct action actions[SIGNALS];
struct lock actions_lock;

/* --- the mask ------------------------------------------------------------------------------------ */

static void kernel_mask(u64 mask)
{
	u64 mark = arena_mark(), *buf = arena_alloc(sizeof(*buf));

	/* There is room: nothing that calls this leaves less. */
	*buf = mask & ~UNBLOCKABLE;
	checked(__NR_rt_sigprocmask,
		hc_syscall_must(__NR_rt_sigprocmask, SIG_SETMASK, (u64)buf, 0, sizeof(u64), 0, 0), 0);
	arena_release(mark);
}

void signal_block_all(void)
{
	kernel_mask(~0UL);
}

void signal_set_mask(u64 mask)
{
	struct thread *t = self();

	t->sigmask = mask & ~UNBLOCKABLE;
	kernel_mask(mask);
	t->blocked = t->sigmask;
}

void signal_call_mask(u64 addr)
{
	self()->blocked &= *(const u64 *)addr;
}

long sys_rt_sigprocmask(long nr, const u64 args[6])
{
	const u64 *set = (const void *)args[1];
	u64 *old = (void *)args[2], was = self()->sigmask, new;

	if (args[3] != sizeof(u64))
		return -EINVAL;
	if ((set && !user_range_ok(args[1], sizeof(*set))) || (old && !user_range_ok(args[2], sizeof(*old))))
		return -EFAULT;
	if (set) {
		new = *set;
		switch ((int)args[0]) {
		case SIG_BLOCK:
			new |= was;
			break;
		case SIG_UNBLOCK:
			new = was & ~new;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		if (old)
			*old = was;
		signal_set_mask(new);
	} else if (old) {
		*old = was;
	}
	return 0;
}

/* Those that the kernel has, and those that wait in the shim. */
long sys_rt_sigpending(long nr, const u64 args[6])
{
	static const struct call row = { .arg = { { ARG_OUT, .size = sizeof(u64) }, { ARG_VALUE } } };
	struct thread *t = self();
	long r;
	u32 i;

	if (args[1] != sizeof(u64))
		return -EINVAL;
	r = marshal_call(nr, &row, args);
	for (i = 0; !r && i < t->deferred_count; i++)
		*(u64 *)args[0] |= BIT(t->deferred[i].signo);
	return r;
}

static void restore_mask(struct thread *t)
{
	if (t->has_restore_mask)
		t->sigmask = t->restore_mask;
	t->has_restore_mask = false;
}

/* After a call with a mask of its own the handlers run under that one, and what they return to is the program's. */
static long with_mask(u64 mask, long (*call)(const u64 args[6]), const u64 args[6])
{
	struct thread *t = self();
	long r;

	t->restore_mask = t->sigmask;
	t->has_restore_mask = true;
	t->sigmask = mask & ~UNBLOCKABLE;
	r = call(args);
	/* If it was not made, what it would have let in comes when it is made again. */
	if (!t->deferred_count || t->cancelled)
		restore_mask(t);
	return r;
}

static long call_sigsuspend(const u64 args[6])
{
	static const struct call row = { .arg = { { ARG_IN, .size = sizeof(u64) }, { ARG_VALUE } } };

	return marshal_call(__NR_rt_sigsuspend, &row, args);
}

long sys_rt_sigsuspend(long nr, const u64 args[6])
{
	if (args[1] != sizeof(u64))
		return -EINVAL;
	if (!user_range_ok(args[0], sizeof(u64)))
		return -EFAULT;
	return with_mask(*(const u64 *)args[0], call_sigsuspend, args);
}

/* Of what is not as the kernel says, it says nothing. */
static void cause_unknown(siginfo_t *info)
{
	const int signo = info->si_signo;

	memset(info, 0, sizeof(*info));
	info->si_signo = signo;
	info->si_code = SI_USER;
}

/*
 * Not by a fault: by somebody. The kernel's word, but it may not pass for a fault of the program's. Whether it is one of
 * its timers is looked up when the handler gets it: the thread may hold that lock now.
 */
static void cause_sent(siginfo_t *info)
{
	if (BIT(info->si_signo) & FAULTS && info->si_code > 0)
		cause_unknown(info);
}

/* A signal may not pass for one of the program's timers or queues, and what comes with one is the program's word. */
static void cause_timer(siginfo_t *info)
{
	sigval_t value;

	if (info->si_code != SI_TIMER && info->si_code != SI_MESGQ)
		return;
	if (info->si_code == SI_TIMER ? timer_value(info->si_tid, &value) : notice_take((u64)info->si_value.sival_ptr, &value))
		info->si_value = value;
	else
		cause_unknown(info);
}

long sys_rt_sigtimedwait(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_IN, .size = sizeof(u64) },
			{ ARG_OUT, .size = sizeof(siginfo_t), .optional = true },
			{ ARG_IN, .size = 16, .optional = true },
			{ ARG_VALUE },
		},
		.result = RESULT_INT,
	};
	siginfo_t *info = (void *)args[1];
	long r;

	if (args[3] != sizeof(u64))
		return -EINVAL;
	r = marshal_call(nr, &row, args);
	if (!IS_ERR(r) && (r < 1 || r > SIGNALS || !(*(const u64 *)args[0] & BIT(r))))
		shim_lie(nr, r, "nobody waits for this signal");
	if (!IS_ERR(r) && info) {
		if (info->si_signo != r)
			shim_lie(nr, info->si_signo, "it comes with another signal");
		cause_sent(info);
		cause_timer(info);
	}
	return r;
}

/* --- actions ------------------------------------------------------------------------------------- */

static bool is_handler(__sighandler_t h)
{
	return h != SIG_DFL && h != SIG_IGN;
}

/* The kernel's side of an action. Returns the kernel's error; *was_ignored: what it had before. */
static long tell_kernel(int signo, const struct sigaction *act, bool *was_ignored)
{
	u64 mark = arena_mark();
	struct sigaction *in = arena_alloc(sizeof(*in)), *out = arena_alloc(sizeof(*out));
	long r = -ENOMEM;

	if (!in || !out)
		goto out;
	memset(in, 0, sizeof(*in));
	if (act) {
		in->sa_handler = act->sa_handler;
		in->sa_flags = act->sa_flags & (SA_NOCLDSTOP | SA_NOCLDWAIT);
	}
	if (act && (is_handler(act->sa_handler) || BIT(signo) & (BIT(SIGSEGV) | BIT(SIGBUS)))) {
		in->sa_handler = (__sighandler_t)(INKTAG_ARENA_BASE + INKTAG_STUB_SIGNAL);
		in->sa_restorer = (__sigrestore_t)(INKTAG_ARENA_BASE + INKTAG_STUB_SIGRETURN);
		in->sa_flags |= SA_SIGINFO | SA_RESTORER;
		in->sa_mask = ~0UL;
	}
	r = checked(__NR_rt_sigaction,
		    hc_syscall_must(__NR_rt_sigaction, signo, act ? (u64)in : 0, (u64)out, sizeof(u64), 0, 0), 0);
	*was_ignored = *(__sighandler_t volatile *)&out->sa_handler == SIG_IGN;
out:
	arena_release(mark);
	return r;
}

long sys_rt_sigaction(long nr, const u64 args[6])
{
	const struct sigaction *act = (void *)args[1];
	struct sigaction *old = (void *)args[2], new = { 0 }, was;
	struct action *a;
	bool ignored;
	long r;

	if (args[3] != sizeof(sigset_t) || (u32)args[0] < 1 || (u32)args[0] > SIGNALS ||
	    (act && UNBLOCKABLE & BIT(args[0])))
		return -EINVAL;
	if ((act && !user_range_ok(args[1], sizeof(*act))) || (old && !user_range_ok(args[2], sizeof(*old))))
		return -EFAULT;
	a = &actions[(u32)args[0] - 1];
	if (act)
		new = *act;
	new.sa_flags &= FLAGS_KNOWN;
	new.sa_mask &= ~UNBLOCKABLE;

	lock(&actions_lock);
	r = act || !a->known ? tell_kernel(args[0], act ? &new : NULL, &ignored) : 0;
	if (!r) {
		if (!a->known)
			a->act.sa_handler = ignored ? SIG_IGN : SIG_DFL;
		a->known = true;
		was = a->act;
		if (act)
			a->act = new;
	}
	unlock(&actions_lock);
	if (!r && old)
		*old = was;
	return r;
}

/* A call with a bad pointer is to fail with EFAULT, not to end the program. */
static void catch_faults(int signo)
{
	static const struct sigaction dfl = { .sa_handler = SIG_DFL };
	bool ignored;

	if (tell_kernel(signo, &dfl, &ignored))
		return;
	actions[signo - 1].act.sa_handler = ignored ? SIG_IGN : SIG_DFL;
	actions[signo - 1].known = true;
}

void signal_register_entry(void)
{
	hc_signal_entry((u64)signal_entry, (u64)self()->signal_stack + SIGNAL_STACK);
}

void signal_init(void)
{
	u64 mark = arena_mark(), *buf = arena_alloc(sizeof(*buf));

	checked(__NR_rt_sigprocmask,
		hc_syscall_must(__NR_rt_sigprocmask, SIG_BLOCK, 0, (u64)buf, sizeof(u64), 0, 0), 0);
	self()->sigmask = *(volatile u64 *)buf;
	arena_release(mark);
	signal_register_entry();
	catch_faults(SIGSEGV);
	catch_faults(SIGBUS);
}

long sys_sigaltstack(long nr, const u64 args[6])
{
	const stack_t *new = (const void *)args[0];
	stack_t *old = (void *)args[1], *alt = &self()->altstack, was = *alt, to;
	u64 sp = ((struct frame *)self()->frame)->gpr[RSP];
	bool on = !(alt->ss_flags & SS_DISABLE) && sp - (u64)alt->ss_sp <= alt->ss_size && alt->ss_size;

	if ((new && !user_range_ok(args[0], sizeof(*new))) || (old && !user_range_ok(args[1], sizeof(*old))))
		return -EFAULT;
	if (!alt->ss_size)
		was.ss_flags = SS_DISABLE;
	else if (on)
		was.ss_flags |= SS_ONSTACK;
	if (new) {
		to = *new;
		if (on)
			return -EPERM;
		if (to.ss_flags & ~(SS_DISABLE | SS_ONSTACK | (int)SS_AUTODISARM))
			return -EINVAL;
		if (to.ss_flags & SS_DISABLE)
			to = (stack_t){ .ss_flags = SS_DISABLE };
		else if (to.ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		to.ss_flags &= ~SS_ONSTACK;
		*alt = to;
	}
	if (old)
		*old = was;
	return 0;
}

/* --- the frame on the program's stack -------------------------------------------------------------- */

#define XSTATE_MAGIC2_SIZE	4
#define SW_RESERVED		464	/* struct _fpx_sw_bytes in the area that FXSAVE leaves alone */
#define FXSAVE_SIZE		512
#define XSAVE_HEADER		64

/* 0: the processor's XSAVE is off here, and FXSAVE is all there is. */
static u64 xstate_size(u64 *mask)
{
	u32 a = 1, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & 1 << 27))	/* OSXSAVE */
		return 0;
	asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	*mask = a | (u64)d << 32;
	a = 0xd;
	c = 0;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b;
}

static struct {
	bool known;
	u64 size, mask;
} xstate;

static void xstate_learn(void)
{
	if (xstate.known)
		return;
	xstate.size = xstate_size(&xstate.mask);
	xstate.known = true;
}

static void fp_save(u8 *at)
{
	struct _fpx_sw_bytes *sw = (void *)(at + SW_RESERVED);

	if (!xstate.size) {
		asm volatile("fxsave64 (%0)" : : "r"(at) : "memory");
		memset(sw, 0, sizeof(*sw));
		return;
	}
	memset(at + FXSAVE_SIZE, 0, XSAVE_HEADER);
	asm volatile("xsave64 (%0)" : : "r"(at), "a"((u32)xstate.mask), "d"((u32)(xstate.mask >> 32)) : "memory");
	*sw = (struct _fpx_sw_bytes){
		.magic1 = FP_XSTATE_MAGIC1, .extended_size = xstate.size + XSTATE_MAGIC2_SIZE,
		.xfeatures = xstate.mask, .xstate_size = xstate.size,
	};
	*(u32 *)(at + xstate.size) = FP_XSTATE_MAGIC2;
}

/* A damaged frame is the program's own doing: the instruction faults, and that ends it. */
static void fp_load(const u8 *at)
{
	xstate_learn();
	if (xstate.size)
		asm volatile("xrstor64 (%0)" : : "r"(at), "a"((u32)xstate.mask), "d"((u32)(xstate.mask >> 32)) : "memory");
	else
		asm volatile("fxrstor64 (%0)" : : "r"(at) : "memory");
}

/* struct sigcontext has the registers in an order of its own. */
static void context_out(struct sigcontext *sc, const u64 gpr[16], u64 rip, u64 rflags)
{
	*sc = (struct sigcontext){
		.r8 = gpr[R8], .r9 = gpr[R9], .r10 = gpr[R10], .r11 = gpr[R11], .r12 = gpr[R12], .r13 = gpr[R13],
		.r14 = gpr[R14], .r15 = gpr[R15], .rdi = gpr[RDI], .rsi = gpr[RSI], .rbp = gpr[RBP], .rbx = gpr[RBX],
		.rdx = gpr[RDX], .rax = gpr[RAX], .rcx = gpr[RCX], .rsp = gpr[RSP], .rip = rip, .eflags = rflags,
		.cs = 0x33, .ss = 0x2b,
	};
}

static void context_in(const struct sigcontext *sc, struct frame *f)
{
	*f = (struct frame){
		.gpr = {
			[R8] = sc->r8, [R9] = sc->r9, [R10] = sc->r10, [R11] = sc->r11, [R12] = sc->r12,
			[R13] = sc->r13, [R14] = sc->r14, [R15] = sc->r15, [RDI] = sc->rdi, [RSI] = sc->rsi,
			[RBP] = sc->rbp, [RBX] = sc->rbx, [RDX] = sc->rdx, [RAX] = sc->rax, [RCX] = sc->rcx,
			[RSP] = sc->rsp,
		},
		.rip = sc->rip, .rflags = sc->eflags,
	};
}

/* What the processor said of a fault, for the frame. */
struct cause {
	u64 trapno, err, cr2;
};

static bool on_altstack(const struct thread *t, u64 sp)
{
	return t->altstack.ss_size && sp - (u64)t->altstack.ss_sp <= t->altstack.ss_size;
}

/*
 * Puts the frame of a handler on the program's stack, below what a function may use beneath its stack pointer,
 * or on its other stack, and makes f, which was to be returned to, lead into the handler.
 */
static void push_frame(struct thread *t, struct frame *f, const struct deferred *d, const struct sigaction *act,
		       u64 mask, const struct cause *cause)
{
	struct frame_on_stack *at;
	u64 fp, sp = f->gpr[RSP] - 128;

	xstate_learn();
	if (act->sa_flags & SA_ONSTACK && t->altstack.ss_size && !on_altstack(t, f->gpr[RSP]))
		sp = (u64)t->altstack.ss_sp + t->altstack.ss_size;
	fp = (sp - (xstate.size ? xstate.size + XSTATE_MAGIC2_SIZE : FXSAVE_SIZE)) & ~63UL;
	at = (void *)(((fp - sizeof(*at)) & ~15UL) - 8);
	fp_save((u8 *)fp);
	at->restorer = (u64)act->sa_restorer;
	at->uc = (struct ucontext){
		.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (xstate.size ? UC_FP_XSTATE : 0),
		.uc_stack = t->altstack, .uc_sigmask = mask,
	};
	if (!t->altstack.ss_size)
		at->uc.uc_stack.ss_flags = SS_DISABLE;
	if (t->altstack.ss_flags & SS_AUTODISARM)
		t->altstack = (stack_t){ .ss_flags = SS_DISABLE };
	context_out(&at->uc.uc_mcontext, f->gpr, f->rip, f->rflags);
	at->uc.uc_mcontext.fpstate = (void *)fp;
	at->uc.uc_mcontext.trapno = cause->trapno;
	at->uc.uc_mcontext.err = cause->err;
	at->uc.uc_mcontext.cr2 = cause->cr2;
	at->uc.uc_mcontext.oldmask = mask;
	at->info = d->info;

	f->rip = (u64)act->sa_handler;
	f->rflags &= ~0x50500UL;	/* RF, DF, TF */
	f->gpr[RSP] = (u64)at;
	f->gpr[RDI] = d->signo;
	f->gpr[RSI] = (u64)&at->info;
	f->gpr[RDX] = (u64)&at->uc;
	f->gpr[RAX] = 0;
}

long sys_rt_sigreturn(long nr, const u64 args[6])
{
	struct thread *t = self();
	struct frame *f = (struct frame *)t->frame;
	/* The handler's return took the restorer off the stack; then the restorer jumped here. */
	const struct frame_on_stack *at = (const void *)(f->gpr[RSP] - 2 * sizeof(u64));

	if (at->uc.uc_mcontext.fpstate)
		fp_load((const u8 *)at->uc.uc_mcontext.fpstate);
	if (at->uc.uc_stack.ss_flags & (int)SS_AUTODISARM)
		t->altstack = at->uc.uc_stack;
	context_in(&at->uc.uc_mcontext, f);
	if (at->uc.uc_sigmask != t->sigmask)
		signal_set_mask(at->uc.uc_sigmask);
	return f->gpr[RAX];
}

/* --- delivery ------------------------------------------------------------------------------------- */

/* What the program wants done, and that it is done once, if it wanted that. */
static struct sigaction take_action(int signo)
{
	struct action *a = &actions[signo - 1];
	struct sigaction act;

	lock(&actions_lock);
	act = a->act;
	if (act.sa_flags & SA_RESETHAND && is_handler(act.sa_handler))
		a->act.sa_handler = SIG_DFL;
	unlock(&actions_lock);
	return act;
}

/* Ends, stops or goes on: the kernel knows how. */
static void leave_to_kernel(int signo)
{
	u64 mark = arena_mark(), pid;
	struct sigaction *dfl = arena_alloc(sizeof(*dfl));

	memset(dfl, 0, sizeof(*dfl));
	hc_syscall_must(__NR_rt_sigaction, signo, (u64)dfl, 0, sizeof(u64), 0, 0);
	arena_release(mark);
	pid = hc_syscall_must(__NR_getpid, 0, 0, 0, 0, 0, 0);
	hc_syscall_must(__NR_tgkill, pid, self()->tid, signo, 0, 0, 0);
	kernel_mask(self()->sigmask & ~BIT(signo));
}

static u64 handler_mask(const struct thread *t, const struct sigaction *act, int signo)
{
	return (t->sigmask | act->sa_mask | (act->sa_flags & SA_NODEFER ? 0 : BIT(signo))) & ~UNBLOCKABLE;
}

/* On the way out of the shim (entry.S), on the delivery stack: the first of the signals that waited. */
void signal_deliver(struct frame *f)
{
	static const struct cause none;
	struct thread *t = self();
	u64 return_mask = t->has_restore_mask ? t->restore_mask : t->sigmask;
	struct deferred d = t->deferred[0];
	struct sigaction act = take_action(d.signo);
	u32 i;

	for (i = 1; i < t->deferred_count; i++)
		t->deferred[i - 1] = t->deferred[i];
	t->deferred_count--;
	if (is_handler(act.sa_handler)) {
		cause_timer(&d.info);
		push_frame(t, f, &d, &act, return_mask, &none);
		t->has_restore_mask = false;
		signal_set_mask(handler_mask(t, &act, d.signo));
		return;
	}
	if (act.sa_handler == SIG_DFL)
		leave_to_kernel(d.signo);
	t->has_restore_mask = false;
	signal_set_mask(return_mask);
}

bool signal_restarts(void)
{
	struct thread *t = self();
	struct sigaction act;

	if (!t->deferred_count)
		return false;
	act = actions[t->deferred[0].signo - 1].act;
	return !is_handler(act.sa_handler) || act.sa_flags & SA_RESTART;
}

static void cause_fault(struct deferred *d, struct inktag_regs *r, struct cause *cause)
{
	int code = d->info.si_code;

	memset(&d->info, 0, sizeof(d->info));
	d->info.si_signo = d->signo;
	d->info.si_code = code == 1 || code == 2 ? code : d->signo == SIGSEGV ? SEGV_MAPERR : BUS_ADRERR;
	d->info.si_addr = (void *)r->fault_addr;
	*cause = (struct cause){
		.trapno = 14, .cr2 = r->fault_addr,
		.err = 4 | (r->fault_access == INKTAG_PROT_WRITE ? 2 : 0) | (r->fault_access == INKTAG_PROT_EXEC ? 16 : 0) |
		       (d->info.si_code == SEGV_ACCERR),
	};
}

/* Of SSE exceptions, the one that is not masked; manual volume 1, 4.10. */
static int fp_code(u32 flags, u32 masked)
{
	u32 e = flags & ~masked;

	return e & 1 ? FPE_FLTINV : e & 4 ? FPE_FLTDIV : e & 8 ? FPE_FLTOVF : e & 0x12 ? FPE_FLTUND : e & 0x20 ? FPE_FLTRES : 0;
}

static void cause_exception(struct deferred *d, struct inktag_regs *r, struct cause *cause)
{
	u32 mxcsr;
	struct {
		u16 cw, pad0, sw, pad1;
		u32 more[5];
	} x87;

	memset(&d->info, 0, sizeof(d->info));
	d->info.si_addr = (void *)r->rip;
	/* To some processors INT3 is one of the software interrupts, which the hypervisor does not let happen. */
	if (r->vector == 13 && *(const u8 *)r->rip == 0xcc)
		r->vector = 3;
	*cause = (struct cause){ .trapno = r->vector };
	switch (r->vector) {
	case 0:
		d->signo = SIGFPE;
		d->info.si_code = FPE_INTDIV;
		break;
	case 1:
		d->signo = SIGTRAP;
		d->info.si_code = TRAP_TRACE;
		break;
	case 3:
		/* Its address is the instruction's; a program finds itself behind it. */
		d->signo = SIGTRAP;
		d->info.si_code = SI_KERNEL;
		d->info.si_addr = NULL;
		r->rip++;
		break;
	case 6:
		d->signo = SIGILL;
		d->info.si_code = ILL_ILLOPN;
		break;
	case 16:
		asm volatile("fnstenv %0; fldenv %0" : "=m"(x87));
		d->signo = SIGFPE;
		d->info.si_code = fp_code(x87.sw, x87.cw);
		break;
	case INKTAG_LOST_VECTOR:
		d->signo = SIGBUS;
		d->info.si_code = BUS_ADRERR;
		d->info.si_addr = (void *)r->fault_addr;
		break;
	case 19:
		asm volatile("stmxcsr %0" : "=m"(mxcsr));
		d->signo = SIGFPE;
		d->info.si_code = fp_code(mxcsr, mxcsr >> 7);
		break;
	default:
		d->signo = SIGSEGV;
		d->info.si_code = SI_KERNEL;
		d->info.si_addr = NULL;
	}
	d->info.si_signo = d->signo;
}

/* The program itself was interrupted: its handler runs as soon as the hypervisor and the kernel are done. */
static void interrupt_program(struct thread *t, struct inktag_regs *r, struct ucontext *kernel, struct deferred *d,
			      const struct cause *cause, bool fault)
{
	struct sigaction act = take_action(d->signo);
	u64 mask = t->sigmask;
	struct frame f;

	/* As Linux: the program cannot go on, whether it blocks or ignores that. */
	if (fault && (mask & BIT(d->signo) || !is_handler(act.sa_handler))) {
		leave_to_kernel(d->signo);
		hc_exit(128 + d->signo);
	}
	if (act.sa_handler == SIG_DFL)
		leave_to_kernel(d->signo);
	if (!is_handler(act.sa_handler))
		return;
	cause_timer(&d->info);
	memcpy(&f, r, sizeof(f));
	push_frame(t, &f, d, &act, mask, cause);
	memcpy(r, &f, sizeof(f));
	hc_signal_regs(r, true);
	t->sigmask = handler_mask(t, &act, d->signo);
	/* The kernel's return from its handler sets the mask that it finds in its frame. */
	kernel->uc_sigmask = t->sigmask;
}

static bool between(u64 x, const char *from, const char *to)
{
	return x >= (u64)from && x < (u64)to;
}

/*
 * The shim was interrupted. The signal waits for the way out, with all others blocked. What would wait in the
 * kernel meanwhile does not: the call that is about to be made, or was about to be made again, is not made.
 * One that is blocked, and that the kernel knows to be, was not sent: that would wait.
 */
static void interrupt_shim(struct thread *t, struct inktag_regs *r, struct ucontext *kernel, const struct deferred *d)
{
	if (t->sigmask & t->blocked & BIT(d->signo))
		return;
	if (t->deferred_count < DEFERRED_MAX)
		t->deferred[t->deferred_count++] = *d;
	kernel->uc_sigmask = ~FAULTS | t->sigmask;
	if (r->cause == INKTAG_CAUSE_SYSCALL) {
		if (r->rip == (u64)hc_wait_end && kernel->uc_mcontext.rip == INKTAG_ARENA_BASE) {
			kernel->uc_mcontext.rip = INKTAG_ARENA_BASE + INKTAG_STUB_SYSCALL_LEN;
			kernel->uc_mcontext.rax = -EINTR;
			t->cancelled = 1;
		}
		return;
	}
	if (between(r->rip, hc_wait_begin, hc_wait_end)) {
		r->rip = (u64)hc_wait_cancelled;
	} else if (between(r->rip, way_out_begin, way_out_jump)) {
		r->rip = (u64)way_out_begin;
		r->gpr[RSP] = t->frame;
	} else {
		return;
	}
	hc_signal_regs(r, true);
}

/*
 * A call touched memory that the program does not have: it fails, unless it is in the middle of something. That the
 * program has it not is for its own list to say: else the kernel could leave any call half done. What it has, is touched
 * again; where another thread has just made it accessible, that succeeds.
 */
static void give_up_call(struct thread *t, struct inktag_regs *r, const struct deferred *d)
{
	if (!t->locks && mm_allows(r->fault_addr, r->fault_access))
		return;
	if (!t->unwind || t->locks) {
		leave_to_kernel(d->signo);
		hc_exit(128 + d->signo);
	}
	r->rip = (u64)call_given_up;
	r->gpr[RSP] = t->unwind;
	hc_signal_regs(r, true);
}

/*
 * A copy came upon a page that is not there: it ends where it is, and its caller says what that means. Where the program
 * has memory, it goes on.
 */
static void give_up_copy(struct thread *t, struct inktag_regs *r)
{
	if (t->copy_window && r->fault_addr - t->copy_window < PWINDOW_SIZE)
		t->copy_failed = COPY_OF_WINDOW;
	else if (!t->locks && r->cause == INKTAG_CAUSE_FAULT && mm_allows(r->fault_addr, r->fault_access))
		return;
	else
		t->copy_failed = COPY_OF_PROGRAM;
	r->rip = (u64)pcopy_end;
	hc_signal_regs(r, true);
}

void shim_given_up(void)
{
	struct thread *t = self();

	t->unwind = 0;
	arena_release(t->call_mark);
	restore_mask(t);
	((struct frame *)t->frame)->gpr[RAX] = -EFAULT;
}

/*
 * A program that sets TF traces itself, but not the shim: it sees the instruction behind the call next. On the way out
 * its flags are loaded already; the last step there is that of the jump, and ends at the program's instruction.
 */
static bool trap_in_shim(struct thread *t, struct inktag_regs *r)
{
	if (r->vector != 1)
		return false;
	if (between(r->rip, way_out_begin, way_out_jump + 1)) {
		t->steps_out = r->rip == (u64)way_out_jump;
		return true;
	}
	if (t->steps_out) {
		t->steps_out = false;
		return true;
	}
	if (!between(r->rip, shim_text_begin, shim_text_end))
		return false;
	r->rflags &= ~0x100UL;
	hc_signal_regs(r, true);
	return true;
}

static bool in_ustack(const struct thread *t, u64 at, u64 size)
{
	u64 bottom = t->arena + INKTAG_ARENA_SIZE - ARENA_STACK_SIZE;

	return at >= bottom && at < t->ustack && size <= t->ustack - at;
}

/*
 * The hypervisor starts the thread here when the kernel delivers a signal. Number and pointers are the kernel's. On
 * return the kernel's handler returns.
 */
void signal_came(u64 signo, u64 info, u64 context)
{
	struct inktag_regs r __attribute__((aligned(256)));
	struct ucontext *kernel = (void *)context;
	struct thread *t = self();
	struct deferred d = { .signo = signo };
	struct cause cause = { 0 };
	bool fault = false, in_shim;

	hc_signal_regs(&r, false);
	if (signo < 1 || signo > SIGNALS || !in_ustack(t, info, sizeof(d.info)) || !in_ustack(t, context, sizeof(*kernel)))
		shim_violation(INKTAG_CHECK_SYSCALL, __NR_rt_sigreturn, signo,
			       "the kernel delivered signal %ld in an impossible way; ending this program", (long)signo);
	memcpy(&d.info, (const void *)info, sizeof(d.info));
	if (r.cause == INKTAG_CAUSE_INTERRUPT && trap_in_shim(t, &r))
		return;

	if (r.cause == INKTAG_CAUSE_FAULT && (signo == SIGSEGV || signo == SIGBUS) && d.info.si_code > 0) {
		fault = true;
		cause_fault(&d, &r, &cause);
	} else if (r.cause == INKTAG_CAUSE_INTERRUPT && r.vector != INKTAG_NO_VECTOR && FAULTS & BIT(signo)) {
		fault = true;
		cause_exception(&d, &r, &cause);
	} else {
		d.info.si_signo = signo;
		cause_sent(&d.info);
	}

	if (r.cause != INKTAG_CAUSE_SYSCALL && r.rip == (u64)way_out_jump)
		r.rip = t->target;	/* all else is the program's already */
	in_shim = between(r.rip, shim_text_begin, shim_text_end);
	if (fault && between(r.rip, pcopy_begin, pcopy_end))
		give_up_copy(t, &r);
	else if (in_shim && fault)
		give_up_call(t, &r, &d);
	else if (in_shim)
		interrupt_shim(t, &r, kernel, &d);
	else if (fault || !(t->sigmask & BIT(d.signo)))
		interrupt_program(t, &r, kernel, &d, &cause, fault);
}
