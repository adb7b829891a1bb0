/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.h - what the shim knows of one thread of the program. %gs:0 points to it; it is in protected
 * memory, and no other thread uses it, except where said.
 *
 * A thread is in the shim from the first instruction of __inktag_syscall to the last of its way out
 * (entry.S). Signals that come meanwhile are noted in `deferred`, with all others blocked by
 * the kernel, and handled on the way out (signal.c).
 */
#ifndef SHIM_THREAD_H
#define SHIM_THREAD_H

#include <asm/signal.h>
#include <asm/siginfo.h>
#include "shim.h"
#include "offsets.h"

#define DEFERRED_MAX	8
/*
 * For signal.c: its entry, and delivery on the way out, which must not stand on the program's stack, since it puts
 * frames there.
 */
#define SIGNAL_STACK	0x4000UL
#define DELIVERY_STACK	0x2000UL

struct deferred {
	u32 signo;
	u32 cause_known;	/* info is what the hypervisor says of a fault */
	siginfo_t info;
};

/* In which memory a copy of pcopy.S came upon what is not there. */
enum copy_failed { COPY_OF_PROGRAM = 1, COPY_OF_WINDOW };

struct thread {
	struct thread *self;
	u32 deferred_count;
	u32 cancelled;		/* a system call was not made, because a signal came before it */
	u64 target;		/* entry.S: where the way out leads */
	u64 frame;		/* entry.S: the registers that the way out loads */
	u64 unwind;		/* entry.S: in a call: the stack pointer to give it up with */
	u64 delivery;		/* entry.S: where the frame is while signals are delivered: end of delivery_stack */

	struct thread *next, *prev;	/* all threads; or the next free one. threads_lock */
	u32 tid;
	bool has_restore_mask;	/* sigsuspend and its like: the mask after the handlers is */
	u64 restore_mask;
	u64 sigmask;		/* the program's */
	u64 blocked;		/* that the kernel may not send: it was told to block them, and the call has no other mask */
	stack_t altstack;
	struct deferred deferred[DEFERRED_MAX];

	u64 arena;		/* base of its arena; the buffers lie from arena_first to arena_end */
	u64 arena_first, arena_next, arena_end;
	u64 call_mark;		/* arena_next when the call began */
	u64 ustack;		/* the kernel-visible stack's top */
	u32 locks;		/* that it holds */
	bool steps_out;		/* the program is traced by itself, and on the way out of the shim */
	u32 gone;		/* it has ended: its memory may be used for another. Others read it */
	bool is_owner;		/* it stands in the table of owners.c. threads_lock */

	u64 copy_window;	/* pfile.c: the window in a copy, 0: none */
	u32 copy_failed;	/* enum copy_failed */
	u64 fsbase;
	u64 serial;		/* never used twice. threads_lock */
	u64 parent_tid, child_tid;	/* clone: where its id is to be written, or 0. The first: threads_lock */
	u32 told_tid;		/* the id that its parent or itself wrote there first, or 0. threads_lock */
	u64 clear_tid;		/* set_tid_address: cleared, and a futex woken, when it ends */
	u64 robust_list;
	u8 delivery_stack[DELIVERY_STACK] __attribute__((aligned(64)));
	u8 signal_stack[SIGNAL_STACK];
};

_Static_assert(HC_SYSCALL == INKTAG_HC_SYSCALL && HC_CLONE == INKTAG_HC_CLONE, "offsets.h");
_Static_assert(HC_THREAD_EXIT == INKTAG_HC_THREAD_EXIT && HC_SIGNAL_RETURN == INKTAG_HC_SIGNAL_RETURN, "offsets.h");
_Static_assert(offsetof(struct thread, deferred_count) == THREAD_DEFERRED, "offsets.h");
_Static_assert(offsetof(struct thread, cancelled) == THREAD_CANCELLED, "offsets.h");
_Static_assert(offsetof(struct thread, target) == THREAD_TARGET, "offsets.h");
_Static_assert(offsetof(struct thread, frame) == THREAD_FRAME, "offsets.h");
_Static_assert(offsetof(struct thread, unwind) == THREAD_UNWIND, "offsets.h");

static inline struct thread *self(void)
{
	struct thread *t;

	asm("movq %%gs:0, %0" : "=r"(t));
	return t;
}

/*
 * The program's registers at a system call; as the first 18 words of struct inktag_regs. rip is the
 * return address of __inktag_syscall, and rsp the stack pointer after that return.
 */
struct frame {
	u64 gpr[16];
	u64 rip;
	u64 rflags;
};

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

_Static_assert(offsetof(struct thread, delivery) == THREAD_DELIVERY, "offsets.h");
_Static_assert(sizeof(struct frame) == FRAME_SIZE && FRAME_SIZE % 16 == 0, "offsets.h");
_Static_assert(offsetof(struct frame, rip) == FRAME_RIP, "offsets.h");
_Static_assert(offsetof(struct inktag_regs, rip) == FRAME_RIP, "a frame begins as the ABI's registers");

/* thread.c: the first thread; called before anything else. Then, once the arena is free, the rest. */
void thread_init(void);
void thread_first(void);

/* signal.c */
void signal_init(void);
/* The kernel's mask for this thread becomes all, so that a bad pointer ends the program; or the program's. */
void signal_block_all(void);
void signal_set_mask(u64 mask);
/* Where the kernel goes on after INKTAG_HC_SIGNAL: entry.S. */
void signal_register_entry(void);

/* timer.c: what the program wanted to be told with the signal. false: there is no such timer. */
bool timer_value(int id, sigval_t *value);
/* The same of a queue's signal, by the kernel's name for it; once. */
u64 notice_add(sigval_t value);
bool notice_take(u64 name, sigval_t *value);
void timers_forget(void);

/* futex.c */
long futex_wake(u64 addr, u32 count, u32 bitset);
/* One waiter, wherever it is. */
void futex_wake_one(u64 addr);
void futex_forget_all(void);

/*
 * owners.c. With threads_lock. make: before there is another process: the table, and all threads in it; with mm_lock, too.
 * An error: no process may be made, it would not be in the table that a later one finds.
 * add: a thread that has its id now; remove: one that owns nothing any more.
 */
long owners_make(void);
void owners_add(struct thread *t);
void owners_remove(struct thread *t);
/* In the child of a fork. */
void owners_forked(void);
/* The HAP that this process is. */
u32 owners_hap(void);
/* Can a thread with this id run again? If that is not known, it can. */
bool owners_lives(u32 tid);

/* entry.S */
extern const char shim_text_begin[] asm("__start_inktag_text"), shim_text_end[] asm("__stop_inktag_text");
extern const char hc_wait_begin[], hc_wait_end[], hc_wait_cancelled[];
extern const char way_out_begin[], way_out_jump[], call_given_up[];
extern const char __inktag_syscall[];
void signal_entry(void);
/*
 * INKTAG_HC_CLONE of the system call clone(flags, kernel_stack). A process begins as the return of 0; a
 * thread, as thread_begin(frame), on its own stack, just below its frame.
 */
struct clone {
	u64 flags, kernel_stack;
	u64 process;
	u64 fsbase, rsp, gsbase, ustack;	/* rsp: of a thread: its frame */
};
long hc_clone(const struct clone *clone);
/* Goes on in thread_end(status), on the signal stack: nobody's memory but the thread's own. */
_Noreturn void thread_leave_stack(u64 status, void *stack_top);
/* Sets *gone, after which the thread's memory is not used any more, and ends it. */
_Noreturn void thread_gone(u64 status, u32 *gone);

#endif
