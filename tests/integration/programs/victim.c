// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * victim.c - a program to be attacked. It does what the lines on its input say, one answer
 * line for each: "ok ..." or "bad ...". Numbers are decimal, addresses hexadecimal.
 *
 *	fill N			N new pages full of the secret and of their number: "ok ADDRESS"
 *	check			reads all of them: "ok N", or "bad PAGE OFFSET"
 *	read PAGE		reads one of them: "ok", or "bad OFFSET"
 *	bump PAGE		changes what it should contain, and writes that
 *	rewrite PAGE		writes what it contains
 *	zero N			N new pages, only read: "ok" if all is zero
 *	shared N		N new pages of shared memory, only read: "ok ADDRESS"
 *	zeros			reads all of those: "ok" if all is zero, or "bad WORD"
 *	touch N			N new pages, one byte written in each
 *	null N			N null system calls
 *	code			address of a page of its code, and of its stack: "ok ADDRESS ADDRESS"
 *	regs YMM		all registers full of secrets at one system call: "ok", if they came back. YMM:
 *				1 with the upper halves of the vector registers, 0 without
 *	fault YMM		the same at a page fault
 *	spin COUNT, spin_ymm COUNT	the same, while COUNT rounds of a loop run
 *	work COUNT		COUNT rounds over the pages of fill, each read and changed; 0: until there is
 *				a file /tmp/enough: "ok ROUNDS SUM"
 *	map LENGTH		mmap(LENGTH): "ok ADDRESS", or "bad ERRNO"
 *	maps N			N mappings of one page: "ok ERRNO", 0 if all are there
 *	poke ADDRESS		writes there; peek ADDRESS: "ok WORD"; jump ADDRESS: calls it (in decimal)
 *	locks N			beside another thread, N times: a mutex that nobody else wants is locked and unlocked, a
 *				condition that nobody waits for is signalled
 *	contend N		N times: a thread waits for a mutex until the other one unlocks it: "ok YIELDS", how
 *				often they called sched_yield() meanwhile
 *	hold COUNT		one null system call, then COUNT rounds of a loop
 *	missing			makes a system call that is not offered: "ok ERRNO"
 *	fork			"ok PID"; its child goes on likewise, with its input and output in /tmp/c.in, /tmp/c.out
 *	vfork			with a child that ends at once: "ok PID"; both: or "bad ERRNO"
 *	wait			for a child: "ok STATUS"
 *	thread			a thread that loops for ever: "ok"
 *	catch			a handler for SIGUSR1 that counts: "ok"
 *	until_caught		loops, without memory of its own, until one more is caught: "ok COUNT", or "bad COUNT"
 *	own_call N		SYSCALL (0), SYSENTER (1) or INT 0x80 (2), as a call for getpid(): "ok SIGNAL", or "bad SIGNAL" if
 *				there was an answer
 *	hypercall NUMBER	made with arguments of 0: "ok RESULT"
 *	quit CODE		exit(CODE)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <inktag/abi.h>
#include "regs.h"
#include "secret.h"

#define PAGE	4096UL

static char *pages;
static unsigned long npages;
static unsigned int *generation;	/* of each page's content */

static void expected(char *out, unsigned long page)
{
	unsigned long i;

	secret_string(out);
	for (i = SECRET_LEN; i < PAGE; i += SECRET_LEN)
		memcpy(out + i, out, SECRET_LEN);
	/* Bytes that differ from page to page, and from one content to the next. */
	snprintf(out + PAGE / 2, 32, "page %010lu %010u", page, generation[page]);
}

static void fill(unsigned long n)
{
	unsigned long i;

	pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	generation = calloc(n, sizeof(*generation));
	if (pages == MAP_FAILED || !generation) {
		printf("bad %d\n", errno);
		return;
	}
	npages = n;
	for (i = 0; i < n; i++)
		expected(pages + i * PAGE, i);
	printf("ok %lx\n", (unsigned long)pages);
}

/* Where page i is not as it should be; PAGE if it is. */
static unsigned long differs(unsigned long i)
{
	static char want[PAGE];
	unsigned long k;

	expected(want, i);
	for (k = 0; k < PAGE && pages[i * PAGE + k] == want[k]; k++)
		;
	return k;
}

static void check(unsigned long unused)
{
	unsigned long i, k;

	for (i = 0; i < npages; i++) {
		k = differs(i);
		if (k < PAGE) {
			printf("bad %lu %lu\n", i, k);
			return;
		}
	}
	printf("ok %lu\n", npages);
}

static void read_one(unsigned long i)
{
	unsigned long k = i < npages ? differs(i) : 0;

	if (k < PAGE)
		printf("bad %lu\n", k);
	else
		printf("ok\n");
}

static void bump(unsigned long i)
{
	if (i >= npages) {
		printf("bad page\n");
		return;
	}
	generation[i]++;
	expected(pages + i * PAGE, i);
	printf("ok\n");
}

static void rewrite(unsigned long i)
{
	if (i >= npages) {
		printf("bad page\n");
		return;
	}
	expected(pages + i * PAGE, i);
	printf("ok\n");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static volatile unsigned long held, got, yields;

static void until(volatile unsigned long *round, unsigned long i)
{
	while (*round != i) {
		sched_yield();
		__atomic_add_fetch(&yields, 1, __ATOMIC_RELAXED);
	}
}

static void *waits(void *gate)
{
	pthread_mutex_lock(gate);
	pthread_mutex_unlock(gate);
	return NULL;
}

static void locks(unsigned long n)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread;
	unsigned long i;

	pthread_mutex_lock(&gate);
	if (pthread_create(&thread, NULL, waits, &gate)) {
		printf("bad thread\n");
		return;
	}
	for (i = 0; i < n; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		pthread_cond_signal(&condition);
	}
	pthread_mutex_unlock(&gate);
	pthread_join(thread, NULL);
	printf("ok\n");
}

static void *takes(void *arg)
{
	unsigned long i;

	for (i = 1; i <= (unsigned long)arg; i++) {
		until(&held, i);
		pthread_mutex_lock(&mutex);
		got = i;
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

/* Its first word is 2 while somebody waits for it. */
static unsigned int word_of_mutex(void)
{
	return *(volatile unsigned int *)&mutex;
}

static void contend(unsigned long n)
{
	pthread_t thread;
	unsigned long i;

	held = got = yields = 0;
	if (pthread_create(&thread, NULL, takes, (void *)n)) {
		printf("bad thread\n");
		return;
	}
	for (i = 1; i <= n; i++) {
		pthread_mutex_lock(&mutex);
		held = i;
		while (word_of_mutex() != 2) {
			sched_yield();
			__atomic_add_fetch(&yields, 1, __ATOMIC_RELAXED);
		}
		pthread_mutex_unlock(&mutex);
		until(&got, i);
	}
	pthread_join(thread, NULL);
	printf("ok %lu\n", yields);
}

static unsigned long nonzero(const volatile unsigned long *p, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n * PAGE / sizeof(*p) && !p[i]; i++)
		;
	return i;
}

static void zero(unsigned long n)
{
	unsigned long *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long i;

	if (p == MAP_FAILED) {
		printf("bad %d\n", errno);
		return;
	}
	i = nonzero(p, n);
	printf(i == n * PAGE / sizeof(*p) ? "ok\n" : "bad word %lu\n", i);
	munmap(p, n * PAGE);
}

static unsigned long *shared_pages, nr_shared;

static void zeros(unsigned long unused)
{
	unsigned long i = nonzero(shared_pages, nr_shared);

	(void)unused;
	printf(i == nr_shared * PAGE / sizeof(*shared_pages) ? "ok\n" : "bad word %lu\n", i);
}

static void shared(unsigned long n)
{
	shared_pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared_pages == MAP_FAILED) {
		printf("bad %d\n", errno);
		return;
	}
	nr_shared = n;
	if (nonzero(shared_pages, n) == n * PAGE / sizeof(*shared_pages))
		printf("ok %lx\n", (unsigned long)shared_pages);
	else
		printf("bad\n");
}

static void touch(unsigned long n)
{
	volatile char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);
	unsigned long i;

	if (p == MAP_FAILED) {
		printf("bad %d\n", errno);
		return;
	}
	for (i = 0; i < n; i++)
		p[i * PAGE] = 1;
	printf("ok %lx\n", (unsigned long)p);
}

static void null_calls(unsigned long n)
{
	while (n--)
		getppid();
	printf("ok\n");
}

/* --- registers ------------------------------------------------------------------------------- */

struct regs regs_in, regs_out;
uint64_t regs_count;

/* Recognisable by its upper half, and different everywhere. What is not loaded is 0, in and out. */
static void secrets_into_registers(int ymm)
{
	uint64_t i, *word = (uint64_t *)&regs_in;

	for (i = 0; i < sizeof(regs_in) / 8; i++)
		word[i] = 0x5ec7e7a5a5000000UL | (i + 1);
	regs_in.unused = 0;
	for (i = 0; i < 16 && !ymm; i++)
		regs_in.ymm[i][2] = regs_in.ymm[i][3] = 0;
	for (i = 0; i < 8; i++) {
		regs_in.st[i].mantissa |= 1UL << 63;	/* otherwise it is no number */
		regs_in.st[i].exponent = 0x5ec7;
	}
	memset(&regs_out, 0, sizeof(regs_out));
}

static void compare_registers(void)
{
	const uint64_t *in = (uint64_t *)&regs_in, *out = (uint64_t *)&regs_out;
	unsigned long i;

	for (i = 0; i < sizeof(regs_in) / 8; i++) {
		if (in[i] != out[i]) {
			printf("bad register %lu: %lx, was %lx\n", i, out[i], in[i]);
			return;
		}
	}
	printf("ok\n");
}

static void registers_at_syscall(unsigned long ymm)
{
	long result;

	secrets_into_registers(ymm);
	regs_in.rax = INKTAG_HC_SYSCALL;
	regs_in.rbx = 110;	/* getppid; the arguments, which it ignores, are public */
	regs_in.rdi = 0x1001;
	regs_in.rsi = 0x1002;
	regs_in.rdx = 0x1003;
	regs_in.r10 = 0x1004;
	regs_in.r8 = 0x1005;
	regs_in.r9 = 0x1006;
	if (ymm)
		regs_syscall_ymm();
	else
		regs_syscall_xmm();
	result = regs_out.rax;
	regs_out.rax = regs_in.rax;
	if (result != getppid())
		printf("bad result %ld\n", result);
	else
		compare_registers();
}

static void registers_at_interrupts(int ymm, unsigned long count)
{
	secrets_into_registers(ymm);
	regs_count = count;
	if (ymm)
		regs_spin_ymm();
	else
		regs_spin_xmm();
	compare_registers();
}

static void registers_at_fault(unsigned long ymm)
{
	if (mmap((void *)(REGS_FAULT & -PAGE), PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		printf("bad %d\n", errno);
		return;
	}
	secrets_into_registers(ymm);
	if (ymm)
		regs_fault_ymm();
	else
		regs_fault_xmm();
	compare_registers();
}

static void spin(unsigned long count)
{
	registers_at_interrupts(0, count);
}

static void spin_ymm(unsigned long count)
{
	registers_at_interrupts(1, count);
}

/* --------------------------------------------------------------------------------------------- */

static void work(unsigned long rounds)
{
	unsigned long r, i, k, sum = 0;

	for (r = 0; rounds ? r < rounds : access("/tmp/enough", F_OK); r++) {
		for (i = 0; i < npages; i++) {
			k = differs(i);
			if (k < PAGE) {
				printf("bad %lu %lu in round %lu\n", i, k, r);
				return;
			}
			generation[i]++;
			expected(pages + i * PAGE, i);
			sum += generation[i] * (i + 1);
		}
	}
	printf("ok %lu %lu\n", r, sum);
}

static void map(unsigned long len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		printf("bad %d\n", errno);
	else
		printf("ok %lx\n", (unsigned long)p);
}

/* Mappings that cannot be one: the rights of neighbours differ. */
static void maps(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0) == MAP_FAILED)
			break;
	}
	printf("ok %d\n", i < n ? errno : 0);
}

static void poke(unsigned long addr)
{
	*(volatile char *)addr = 1;
	printf("bad written\n");
}

static void peek(unsigned long addr)
{
	printf("ok %lu\n", *(volatile unsigned long *)addr);
}

/* A jump there would come back, if data could be executed. */
static void plant_return(unsigned long addr)
{
	*(volatile unsigned char *)addr = 0xc3;
	printf("ok\n");
}

static void jump(unsigned long addr)
{
	((void (*)(void))addr)();
	printf("bad returned\n");
}

/*
 * One system call, then no other for a time: whatever comes back twice from it meets a thread
 * that is running.
 */
static void hold(unsigned long rounds)
{
	volatile unsigned long n = rounds;

	getppid();
	while (n)
		n--;
	printf("ok\n");
}

static void missing(unsigned long unused)
{
	long r = syscall(SYS_userfaultfd, 0);

	printf(r < 0 ? "ok %d\n" : "bad %d\n", r < 0 ? errno : (int)r);
}

/* --- processes, threads, signals ---------------------------------------------------------------- */

static void say_made(long pid)
{
	printf(pid < 0 ? "bad %d\n" : "ok %d\n", pid < 0 ? errno : (int)pid);
}

static void make_child(unsigned long unused)
{
	pid_t pid = fork();

	if (pid)
		say_made(pid);
	else if (!freopen("/tmp/c.in", "r+", stdin) || !freopen("/tmp/c.out", "w", stdout))
		_exit(101);
	else
		setvbuf(stdout, NULL, _IOLBF, 0);
}

/* The libc's vfork() is a fork: for this one the kernel lets the parent wait. */
static void make_short_child(unsigned long unused)
{
	long pid = syscall(SYS_vfork);

	if (!pid)
		_exit(0);
	say_made(pid);
}

static void wait_for_child(unsigned long unused)
{
	int status;

	if (wait(&status) < 0)
		printf("bad %d\n", errno);
	else
		printf("ok %d\n", status);
}

static void *loop(void *unused)
{
	for (;;)
		asm volatile("");
	return unused;
}

static void make_thread(unsigned long unused)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, loop, NULL);

	printf(err ? "bad %d\n" : "ok\n", err);
}

static volatile sig_atomic_t caught;

static void count_signal(int unused)
{
	caught++;
}

static void catch(unsigned long unused)
{
	const struct sigaction act = { .sa_handler = count_signal };

	if (sigaction(SIGUSR1, &act, NULL))
		printf("bad %d\n", errno);
	else
		printf("ok\n");
}

static void step_over(int sig, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
	caught = sig;
}

/* The instructions by which an ordinary process calls the kernel, with the number of getpid() in RAX. */
static void own_calls(unsigned long which)
{
	const struct sigaction act = { .sa_sigaction = step_over, .sa_flags = SA_SIGINFO };
	long r = 39;

	caught = 0;
	if (sigaction(SIGILL, &act, NULL) || sigaction(SIGSEGV, &act, NULL)) {
		printf("bad %d\n", errno);
		return;
	}
	if (which == 0)
		asm volatile("syscall" : "+a"(r) : : "rcx", "r11", "memory");
	else if (which == 1)
		asm volatile("sysenter" : "+a"(r) : : "rcx", "rdx", "memory");
	else
		asm volatile("int $0x80" : "+a"(r) : : "memory");
	printf(r == 39 ? "ok %d\n" : "bad %d\n", (int)caught);
}

static void until_caught(unsigned long unused)
{
	unsigned long left = 1UL << 32;
	int before = caught;

	while (caught == before && --left)
		;
	printf(left ? "ok %d\n" : "bad %d\n", (int)caught);
}

static void hypercall(unsigned long nr)
{
	long result;

	asm volatile("vmmcall" : "=a"(result) : "a"(INKTAG_HC(nr)), "b"(0UL), "c"(0UL), "d"(0UL), "S"(0UL) : "memory");
	printf("ok %ld\n", result);
}

/* --------------------------------------------------------------------------------------------- */

static void code(unsigned long unused)
{
	printf("ok %lx %lx\n", (unsigned long)code & -PAGE, (unsigned long)&unused & -PAGE);
}

static void quit(unsigned long status)
{
	exit(status);
}

static const struct command {
	const char *name;
	void (*run)(unsigned long arg);
} commands[] = {
	{ "fill", fill }, { "check", check }, { "read", read_one }, { "bump", bump },
	{ "rewrite", rewrite }, { "zero", zero }, { "shared", shared }, { "zeros", zeros }, { "touch", touch }, { "null", null_calls },
	{ "locks", locks }, { "contend", contend },
	{ "code", code }, { "regs", registers_at_syscall }, { "fault", registers_at_fault },
	{ "spin", spin }, { "spin_ymm", spin_ymm }, { "work", work }, { "map", map },
	{ "maps", maps }, { "missing", missing }, { "poke", poke }, { "peek", peek },
	{ "plant", plant_return }, { "jump", jump }, { "hold", hold }, { "fork", make_child },
	{ "vfork", make_short_child }, { "wait", wait_for_child }, { "thread", make_thread }, { "catch", catch },
	{ "own_call", own_calls },
	{ "until_caught", until_caught }, { "hypercall", hypercall }, { "quit", quit },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

int main(void)
{
	char line[128], word[16];
	unsigned long arg, i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		arg = 0;
		if (sscanf(line, "%15s %lu", word, &arg) < 1)
			continue;
		for (i = 0; i < NR_COMMANDS && strcmp(word, commands[i].name); i++)
			;
		if (i < NR_COMMANDS)
			commands[i].run(arg);
		else
			printf("bad command\n");
	}
	return 100;
}
