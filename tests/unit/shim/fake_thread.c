// SPDX-License-Identifier: GPL-2.0-or-later
/* fake_thread.c - see unit.h; apart from it, because the kernel's headers for signals and the libc's do not mix. */
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include "thread.h"

long syscall(long nr, ...);
_Noreturn void abort(void);
void fake_thread(void);
void fake_process(u64 hap, u32 tid);
void fake_hap(u64 hap);
long dispatch(long nr, const u64 args[6]);
void shim_dispatch(struct frame *f);

/* Where entry.S and the linker have these, nothing of the tests is. */
const char hc_wait_begin[1], hc_wait_end[1], hc_wait_cancelled[1], way_out_begin[1], way_out_jump[1], call_given_up[1];
const char __inktag_syscall[1];
extern const char text_begin[] asm("__start_inktag_text"), text_end[] asm("__stop_inktag_text");
const char text_begin[1], text_end[1];

long hc_set_gsbase(u64 base)
{
	return syscall(__NR_arch_prctl, ARCH_SET_GS, base);
}

void fake_thread(void)
{
	static __thread struct thread own;

	own.self = &own;
	hc_set_gsbase((u64)&own);
}

void fake_process(u64 hap, u32 tid)
{
	fake_hap(hap);
	self()->tid = tid;
	owners_forked();
}

long dispatch(long nr, const u64 args[6])
{
	struct frame f = {
		.gpr = { [RAX] = nr, [RDI] = args[0], [RSI] = args[1], [RDX] = args[2], [R10] = args[3], [R8] = args[4], [R9] = args[5] },
	};

	shim_dispatch(&f);
	return f.gpr[RAX];
}

/* No test comes here. */
void signal_entry(void)
{
	abort();
}

long hc_clone(const struct clone *clone)
{
	return -ENOSYS;
}

void thread_leave_stack(u64 status, void *stack_top)
{
	abort();
}

void thread_gone(u64 status, u32 *gone)
{
	abort();
}
