// SPDX-License-Identifier: GPL-2.0-or-later
/* faults.c - the program's own faults as signals: which, where, why; what a handler can change; alternate stacks. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "conformance.h"

#define RW	(PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static siginfo_t got;
static volatile sig_atomic_t count;
static ucontext_t seen;
static char stack[65536] __attribute__((aligned(16)));
static char *volatile where;

static void jumps(int sig, siginfo_t *info, void *context)
{
	got = *info;
	seen = *(ucontext_t *)context;
	where = (char *)__builtin_frame_address(0);
	count++;
	siglongjmp(back, 1);
}

static int handle(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | flags };

	count = 0;
	where = NULL;
	memset(&got, 0x55, sizeof(got));
	return !sigaction(sig, &sa, NULL);
}

static char *map(int protection)
{
	return mmap(NULL, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A read or write of *AT: 1 if it faulted with this code at this address. */
static int faults(char *volatile at, int is_write, int code)
{
	want(handle(SIGSEGV, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		if (is_write)
			*(volatile char *)at = 1;
		else
			*(volatile char *)at;
		want(0);
	}
	want(count == 1 && got.si_signo == SIGSEGV && got.si_code == code && got.si_addr == at);
	return 1;
}

static int read_of_nothing(void)
{
	char *p = map(RW);

	want(!munmap(p, PAGE) && faults(p, 0, SEGV_MAPERR) && faults(p + 123, 0, SEGV_MAPERR));
	return 1;
}

static int write_of_nothing(void)
{
	char *p = map(RW);

	want(!munmap(p, PAGE) && faults(p + 4095, 1, SEGV_MAPERR));
	return 1;
}

static int null_pointer(void)
{
	want(faults(NULL, 0, SEGV_MAPERR) && faults((char *)8, 1, SEGV_MAPERR));
	return 1;
}

static int write_of_read_only(void)
{
	char *p = map(RW);

	p[7] = 7;
	want(!mprotect(p, PAGE, PROT_READ) && p[7] == 7 && faults(p + 7, 1, SEGV_ACCERR) && p[7] == 7);
	want(!mprotect(p, PAGE, RW));
	p[7] = 8;
	want(!munmap(p, PAGE));
	return 1;
}

static int access_to_protected(void)
{
	char *p = map(PROT_NONE);

	want(faults(p + 99, 0, SEGV_ACCERR) && faults(p + 99, 1, SEGV_ACCERR) && !munmap(p, PAGE));
	return 1;
}

static int execution_of_data(void)
{
	char *p = map(RW);

	p[0] = 0xc3;
	want(handle(SIGSEGV, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		((void (*)(void))p)();
		want(0);
	}
	want(count == 1 && got.si_code == SEGV_ACCERR && got.si_addr == p &&
	     (char *)seen.uc_mcontext.gregs[REG_RIP] == p);
	want(!munmap(p, PAGE));
	return 1;
}

static int write_to_text(void)
{
	want(faults((char *)(uintptr_t)jumps, 1, SEGV_ACCERR));
	return 1;
}

static int address_not_canonical(void)
{
	char *volatile at = (char *)0x8000000000000000;

	want(handle(SIGSEGV, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		*(volatile char *)at = 1;
		want(0);
	}
	want(count == 1 && got.si_code == 128 && got.si_addr == NULL);	/* SI_KERNEL */
	return 1;
}

static int many_faults(void)
{
	char *p = map(PROT_NONE);
	int i;

	for (i = 0; i < 50; i++)
		want(faults(p + i, i % 2, SEGV_ACCERR));
	want(!munmap(p, PAGE));
	return 1;
}

static int beyond_the_end_of_a_file(void)
{
	int fd = pattern_file("f", 100);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	want(p != MAP_FAILED && is_pattern(p, 100, 0) && !p[100] && handle(SIGBUS, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		*(volatile char *)(p + PAGE + 5);
		want(0);
	}
	want(count == 1 && got.si_signo == SIGBUS && got.si_code == BUS_ADRERR && got.si_addr == p + PAGE + 5 &&
	     !munmap(p, 3 * PAGE));
	return 1;
}

static int truncated_under_a_mapping(void)
{
	int fd = pattern_file("f", 2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	want(is_pattern(p, 2 * PAGE, 0) && !ftruncate(fd, PAGE) && is_pattern(p, PAGE, 0) && handle(SIGBUS, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		*(volatile char *)(p + PAGE) = 1;
		want(0);
	}
	want(count == 1 && got.si_addr == p + PAGE && !ftruncate(fd, 2 * PAGE) && !p[PAGE] && !munmap(p, 2 * PAGE));
	return 1;
}

static int division_by_zero(void)
{
	volatile int zero = 0, r = 5;

	want(handle(SIGFPE, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		r = r / zero;
		want(0);
	}
	want(count == 1 && got.si_signo == SIGFPE && got.si_code == FPE_INTDIV &&
	     got.si_addr == (void *)seen.uc_mcontext.gregs[REG_RIP]);
	return 1;
}

static int division_overflow(void)
{
	volatile int minus = -1, r = -0x7fffffff - 1;

	want(handle(SIGFPE, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		r = r / minus;
		want(0);
	}
	want(count == 1 && got.si_code == FPE_INTDIV);
	return 1;
}

/* By the x87: the SSE unit of an emulated machine may not have it. */
static int float_exception(void)
{
	unsigned short unmasked = 0x37f & ~4;	/* division by zero */

	want(handle(SIGFPE, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(unmasked));
		want(0);
	}
	__asm__ volatile("fninit");
	want(count == 1 && got.si_signo == SIGFPE && got.si_code == FPE_FLTDIV);
	return 1;
}

static int illegal_instruction(void)
{
	want(handle(SIGILL, jumps, 0));
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("ud2");
		want(0);
	}
	want(count == 1 && got.si_signo == SIGILL && got.si_code == ILL_ILLOPN);
	want(got.si_addr == (void *)seen.uc_mcontext.gregs[REG_RIP]);
	return 1;
}

/* What only a kernel may do: the processor, or who stands in for it, refuses, and the program learns it. */
static int privileged_instructions(void)
{
	static volatile unsigned char gdt[16];

#define REFUSED(instruction)									\
	do {											\
		want(handle(SIGILL, jumps, 0) && handle(SIGSEGV, jumps, 0));			\
		if (!sigsetjmp(back, 1)) {							\
			__asm__ volatile(instruction						\
					 : : "a"(0), "c"(0), "d"(0x80), "D"(gdt) : "memory");	\
			want(!instruction " was executed");					\
		}										\
		want(count == 1);								\
		value(instruction ": signal %d, code %d", got.si_signo, got.si_code);		\
	} while (0)

	REFUSED("hlt");
	REFUSED("cli");
	REFUSED("sti");
	REFUSED("clts");
	REFUSED("swapgs");
	REFUSED("inb %%dx, %%al");
	REFUSED("outb %%al, %%dx");
	REFUSED("rdmsr");
	REFUSED("wrmsr");
	REFUSED("rdpmc");
	REFUSED("xsetbv");
	REFUSED("lgdt (%%rdi)");
	REFUSED("lidt (%%rdi)");
	REFUSED("lldt %%ax");
	REFUSED("ltr %%ax");
	REFUSED("lmsw %%ax");
	REFUSED("invlpg (%%rdi)");
	REFUSED("movq %%cr0, %%rax");
	REFUSED("movq %%rax, %%cr3");
	REFUSED("movq %%rax, %%cr4");
	REFUSED("movq %%dr7, %%rax");
	REFUSED("movq %%rax, %%dr0");
	REFUSED("int $0x20");
#undef REFUSED
	return 1;
}

static void counts(int sig, siginfo_t *info, void *context)
{
	got = *info;
	seen = *(ucontext_t *)context;
	where = (char *)__builtin_frame_address(0);
	count++;
}

static int breakpoint(void)
{
	want(handle(SIGTRAP, counts, 0));
	__asm__ volatile("int3");
	want(count == 1 && got.si_signo == SIGTRAP && got.si_code == 128);
	return 1;
}

static int single_step(void)
{
	want(handle(SIGTRAP, counts, 0));
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; pushfq; andl $~0x100, (%%rsp); popfq"
			 : : : "memory", "cc");
	want(count >= 1 && got.si_code == TRAP_TRACE);
	value("%d steps", count);
	return 1;
}

static int fault_without_handler(int sig, void (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		f();
		_exit(0);
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == sig);
	return 1;
}

static void does_ud2(void) { __asm__ volatile("ud2"); }
static void does_int3(void) { __asm__ volatile("int3"); }
static void does_divide(void) { volatile int zero = 0; zero = 7 / zero; }
static void does_write(void) { *(volatile char *volatile)where = 1; }

static int faults_end_the_process(void)
{
	where = (char *)8;
	want(fault_without_handler(SIGILL, does_ud2) && fault_without_handler(SIGTRAP, does_int3));
	want(fault_without_handler(SIGFPE, does_divide) && fault_without_handler(SIGSEGV, does_write));
	return 1;
}

static int blocked_fault_ends_the_process(void)
{
	sigset_t s;
	int r;

	sigemptyset(&s);
	sigaddset(&s, SIGSEGV);
	where = (char *)8;
	want(!sigprocmask(SIG_BLOCK, &s, NULL));
	r = fault_without_handler(SIGSEGV, does_write);
	want(r && !sigprocmask(SIG_UNBLOCK, &s, NULL) && signal(SIGSEGV, SIG_IGN) == SIG_DFL);
	want(fault_without_handler(SIGSEGV, does_write));
	return 1;
}

/* --- what a handler changes --- */

static volatile char *volatile page;

static void makes_writable(int sig, siginfo_t *info, void *context)
{
	got = *info;
	count++;
	if (mprotect((char *)page, PAGE, RW))
		_exit(99);
}

static int handler_repairs(void)
{
	page = map(PROT_READ);
	want(handle(SIGSEGV, makes_writable, 0));
	page[50] = 5;
	want(count == 1 && page[50] == 5 && got.si_addr == page + 50);
	page[51] = 6;
	want(count == 1 && !munmap((char *)page, PAGE));
	return 1;
}

static void maps_it(int sig, siginfo_t *info, void *context)
{
	char *at = (char *)((uintptr_t)info->si_addr & -PAGE);

	count++;
	if (mmap(at, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		_exit(99);
	at[0] = 'm';
}

static int handler_maps(void)
{
	char *p = mmap(NULL, 20 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	want(handle(SIGSEGV, maps_it, 0));
	for (i = 0; i < 20; i++) {
		p[i * PAGE + 1] = i;
		want(p[i * PAGE] == 'm');
	}
	want(count == 20 && !munmap(p, 20 * PAGE));
	return 1;
}

static void skips(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	count++;
	u->uc_mcontext.gregs[REG_RIP] += 2;	/* ud2 */
	u->uc_mcontext.gregs[REG_RBX] = 0x1234567812345678;
}

static int handler_changes_registers(void)
{
	unsigned long rbx = 1, r12 = 77;

	want(handle(SIGILL, skips, 0));
	__asm__ volatile("mov %2, %%r12; ud2; mov %%r12, %1" : "+b"(rbx), "=r"(r12) : "i"(4711) : "r12", "memory");
	want(count == 1 && rbx == 0x1234567812345678 && r12 == 4711);
	return 1;
}

static void changes_mask(int sig, siginfo_t *info, void *context)
{
	sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
	count++;
}

static int handler_changes_mask(void)
{
	sigset_t s;

	want(handle(SIGUSR1, changes_mask, 0) && !raise(SIGUSR1) && count == 1);
	want(!sigprocmask(SIG_BLOCK, NULL, &s) && sigismember(&s, SIGUSR2) && !sigismember(&s, SIGUSR1));
	return 1;
}

static int context_tells_mask(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGHUP);
	want(!sigprocmask(SIG_BLOCK, &s, NULL) && handle(SIGUSR1, counts, 0) && !raise(SIGUSR1));
	want(sigismember(&seen.uc_sigmask, SIGHUP) && !sigismember(&seen.uc_sigmask, SIGUSR1));
	return 1;
}

static int context_has_registers(void)
{
	unsigned long rsp;

	want(handle(SIGTRAP, counts, 0));
	__asm__ volatile("mov %%rsp, %0; mov $0x1122334455667788, %%r13; mov $99, %%r14; int3"
			 : "=r"(rsp) : : "r13", "r14", "memory");
	want(count == 1 && seen.uc_mcontext.gregs[REG_R13] == 0x1122334455667788 &&
	     seen.uc_mcontext.gregs[REG_R14] == 99);
	want((unsigned long)seen.uc_mcontext.gregs[REG_RSP] == rsp);
	return 1;
}

static int context_has_floats(void)
{
	double in = 2.5, out = 0;

	want(handle(SIGTRAP, counts, 0));
	__asm__ volatile("movsd %1, %%xmm7; int3; movsd %%xmm7, %0" : "=m"(out) : "m"(in) : "xmm7", "memory");
	want(count == 1 && out == 2.5 && seen.uc_mcontext.fpregs);
	return 1;
}

/* --- alternate stacks --- */

static int on_alternate_stack(void)
{
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) }, old;

	want(!sigaltstack(&s, NULL) && handle(SIGUSR1, counts, SA_ONSTACK) && !raise(SIGUSR1));
	want(where >= stack && where < stack + sizeof(stack) && !sigaltstack(NULL, &old) && old.ss_sp == stack &&
	     !old.ss_flags);
	want(handle(SIGUSR1, counts, 0) && !raise(SIGUSR1) && (where < stack || where >= stack + sizeof(stack)));
	s.ss_flags = SS_DISABLE;
	want(!sigaltstack(&s, NULL) && handle(SIGUSR1, counts, SA_ONSTACK) && !raise(SIGUSR1) &&
	     (where < stack || where >= stack + sizeof(stack)));
	return 1;
}

static volatile int flags_inside, change_inside;

static void looks_at_stack(int sig, siginfo_t *info, void *context)
{
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) / 2 }, old;

	count++;
	sigaltstack(NULL, &old);
	flags_inside = old.ss_flags;
	change_inside = sigaltstack(&s, NULL) ? errno : 0;
}

static int stack_in_use(void)
{
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) };

	want(!sigaltstack(&s, NULL) && handle(SIGUSR1, looks_at_stack, SA_ONSTACK) && !raise(SIGUSR1) && count == 1);
	want(flags_inside == SS_ONSTACK && change_inside == EPERM);
	s.ss_size = 100;
	want_error(sigaltstack(&s, NULL), ENOMEM);
	s = (stack_t){ .ss_sp = stack, .ss_size = sizeof(stack), .ss_flags = 12345 };
	want_error(sigaltstack(&s, NULL), EINVAL);
	s.ss_flags = SS_DISABLE;
	want(!sigaltstack(&s, NULL));
	return 1;
}

static int __attribute__((noinline)) overflows(int n)
{
	volatile char room[4000];

	room[0] = n;
	return n ? overflows(n - 1) + room[0] : 0;
}

static void *in_a_small_stack(void *arg)
{
	static char own[65536];
	stack_t s = { .ss_sp = own, .ss_size = sizeof(own) };

	want(!sigaltstack(&s, NULL));
	if (!sigsetjmp(back, 1)) {
		want(overflows(1000) < 0);
		want(0);
	}
	want(where >= own && where < own + sizeof(own));
	return THREAD_OK;
}

static int overflow_is_survived(void)
{
	pthread_attr_t a;
	pthread_t t;
	void *r;

	want(handle(SIGSEGV, jumps, SA_ONSTACK) && !pthread_attr_init(&a) && !pthread_attr_setstacksize(&a, 131072));
	want(!pthread_create(&t, &a, in_a_small_stack, NULL) && !pthread_join(t, &r) && r == THREAD_OK);
	want(count == 1 && got.si_signo == SIGSEGV);
	return 1;
}

static int fault_in_handler(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		where = (char *)8;
		handle(SIGUSR1, (void (*)(int, siginfo_t *, void *))does_write, 0);
		where = (char *)8;
		raise(SIGUSR1);
		_exit(0);
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	return 1;
}

static void faults_inside(int sig, siginfo_t *info, void *context)
{
	count++;
	page[0] = 1;
}

static int fault_in_handler_is_handled(void)
{
	struct sigaction sa = { .sa_sigaction = makes_writable, .sa_flags = SA_SIGINFO };

	page = map(PROT_READ);
	want(handle(SIGUSR1, faults_inside, 0) && !sigaction(SIGSEGV, &sa, NULL) && !raise(SIGUSR1));
	want(count == 2 && page[0] == 1 && !munmap((char *)page, PAGE));
	return 1;
}

static void *faults_in_thread(void *arg)
{
	volatile char *p = arg;

	p[5] = 5;
	return p[5] == 5 ? THREAD_OK : NULL;
}

static int fault_of_a_thread(void)
{
	pthread_t t;
	void *r;

	page = map(PROT_READ);
	want(handle(SIGSEGV, makes_writable, 0) && !pthread_create(&t, NULL, faults_in_thread, (char *)page) &&
	     !pthread_join(t, &r));
	want(r == THREAD_OK && count == 1 && got.si_addr == page + 5 && !munmap((char *)page, PAGE));
	return 1;
}

const struct check checks[] = {
	CHECK(read_of_nothing), CHECK(write_of_nothing), CHECK(null_pointer), CHECK(write_of_read_only),
	CHECK(access_to_protected), CHECK(execution_of_data), CHECK(write_to_text),
	CHECK(address_not_canonical), CHECK(many_faults), CHECK(beyond_the_end_of_a_file),
	CHECK(truncated_under_a_mapping), CHECK(division_by_zero), CHECK(division_overflow),
	CHECK(float_exception), CHECK(illegal_instruction), CHECK(privileged_instructions), CHECK(breakpoint),
	CHECK(single_step), CHECK(faults_end_the_process), CHECK(blocked_fault_ends_the_process),
	CHECK(handler_repairs), CHECK(handler_maps), CHECK(handler_changes_registers),
	CHECK(handler_changes_mask), CHECK(context_tells_mask), CHECK(context_has_registers),
	CHECK(context_has_floats), CHECK(on_alternate_stack), CHECK(stack_in_use), CHECK(overflow_is_survived),
	CHECK(fault_in_handler), CHECK(fault_in_handler_is_handled), CHECK(fault_of_a_thread),
	{ NULL, NULL },
};
