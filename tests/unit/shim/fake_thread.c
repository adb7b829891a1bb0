// SPDX-License-Identifier: GPL-2.0-or-later
/* fake_thread.c - see unit.h, unit_thread.h. In the place of entry.S. */
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include "unit_thread.h"

long syscall(long nr, ...);
void shim_dispatch(struct frame *f);
void shim_given_up(void);
void signal_deliver(struct frame *f);
void thread_begin(struct frame *frame);
_Noreturn void thread_end(u64 status);

/* The addresses that signal.c asks about, in entry.S's order. Nothing of the tests is there. */
asm(".pushsection inktag_text, \"ax\", @progbits\n"
    "	.globl	__inktag_syscall, way_out_begin, way_out_jump, call_given_up\n"
    "	.globl	hc_wait_begin, hc_wait_end, hc_wait_cancelled\n"
    "			.zero	8, 0xcc\n"
    "__inktag_syscall:	.zero	8, 0xcc\n"
    "way_out_begin:	.zero	8, 0xcc\n"
    "way_out_jump:	.zero	8, 0xcc\n"
    "call_given_up:	.zero	8, 0xcc\n"
    "hc_wait_begin:	.zero	8, 0xcc\n"
    "hc_wait_end:	.zero	8, 0xcc\n"
    "hc_wait_cancelled:	.zero	8, 0xcc\n"
    ".popsection");

long hc_set_gsbase(u64 base)
{
	return syscall(__NR_arch_prctl, ARCH_SET_GS, base);
}

void become(struct thread *t)
{
	hc_set_gsbase((u64)t);
}

void fake_thread(void)
{
	static __thread struct thread own;

	own.self = &own;
	become(&own);
}

void fake_arena(u64 at, u64 size)
{
	struct thread *t = self();

	t->arena = t->arena_first = t->arena_next = at;
	t->arena_end = at + size;
	t->tid = 1 + at % 0x10000019;
}

void fake_process(u64 hap, u32 tid)
{
	fake_hap(hap);
	self()->tid = tid;
	owners_forked();
}

void fake_ended(void)
{
	struct thread *t = self();

	threads_lock.state = protect_lock.state = files_lock.state = mm_lock.state = waiters_lock.state = actions_lock.state = timers_lock.state = 0;
	sizes_lock.state = 0;
	t->locks = 0;
	t->unwind = 0;
}

bool fake_cancels(void)
{
	struct thread *t = self();

	if (t->deferred_count)
		t->cancelled = 1;
	return t->deferred_count;
}

static jmp_buf *given_up;

void give_up(void)
{
	longjmp(*given_up, 1);
}

/* The way out: signals first. */
static void leave(struct frame *f)
{
	struct thread *t = self();
	struct frame *at = f;

	t->unwind = 0;
	t->frame = (u64)f;
	while (t->deferred_count) {
		memmove((void *)t->delivery, at, sizeof(*at));
		at = (struct frame *)t->delivery;
		signal_deliver(at);
		t->frame = (u64)at;
	}
	*f = *at;
}

void enter(struct frame *f)
{
	struct thread *t = self();
	/* The tests have threads that call while another one is in the kernel, all of them on one stack. */
	const u64 frame = t->frame, unwind = t->unwind, mark = t->call_mark;
	jmp_buf *outer = given_up, here;

	t->frame = t->unwind = (u64)f;
	given_up = &here;
	if (setjmp(here))
		shim_given_up();
	else
		shim_dispatch(f);
	given_up = outer;
	leave(f);
	t->frame = frame;
	t->unwind = unwind;
	t->call_mark = mark;
}

long dispatch(long nr, const u64 args[6])
{
	u64 stack[512];
	struct frame f = {
		.gpr = { [RAX] = nr, [RDI] = args[0], [RSI] = args[1], [RDX] = args[2], [R10] = args[3], [R8] = args[4], [R9] = args[5],
			 [RSP] = (u64)(stack + ARRAY_SIZE(stack)) },
	};

	enter(&f);
	return f.gpr[RAX];
}

/* The threads that have one. */
static struct thread *entries[16];

bool has_entry(const struct thread *t)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(entries); i++)
		if (entries[i] == t)
			return true;
	return false;
}

long hc_signal_entry(u64 rip, u64 rsp)
{
	struct thread *t = self(), *from = rip ? NULL : t;
	unsigned int i;

	must_be(rip ? rip == (u64)signal_entry && rsp == (u64)t->signal_stack + SIGNAL_STACK && !has_entry(t) : has_entry(t));
	for (i = 0; entries[i] != from; i++)
		must_be(i + 1 < ARRAY_SIZE(entries));
	entries[i] = rip ? t : NULL;
	return 0;
}

void signal_entry(void)
{
	abort();	/* the hypervisor's part is the tests': they call signal_came() */
}

long hc_clone(const struct clone *clone)
{
	long r = fake.clone ? fake.clone(clone) : -ENOSYS;
	unsigned int i;

	/* In the child of a fork the others are not there. */
	for (i = 0; !r && i < ARRAY_SIZE(entries); i++)
		if (entries[i] != self())
			entries[i] = NULL;
	return r;
}

void begin(const struct clone *clone)
{
	struct thread *was = self();

	become((struct thread *)clone->gsbase);
	thread_begin((struct frame *)clone->rsp);
	leave((struct frame *)clone->rsp);
	become(was);
}

void thread_leave_stack(u64 status, void *stack_top)
{
	must_be((u8 *)stack_top == self()->signal_stack + SIGNAL_STACK && !has_entry(self()) && !self()->unwind);
	thread_end(status);
}

void thread_gone(u64 status, u32 *gone)
{
	*gone = 1;
	fake.arg = status;
	longjmp(fake.end, 3);
}
