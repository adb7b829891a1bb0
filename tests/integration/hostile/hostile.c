// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hostile.c - what a hostile guest does many times, at random. An ordinary static program, run as
 * root in the VM. The same seed does the same.
 *
 *	hostile user SEED N HANDLE	N hypercalls from this process; HANDLE: a thread's, to try
 *	hostile kernel SEED N		N hypercalls from the kernel, by inktag_attack.ko
 *	hostile launch SEED N		N launch calls, by processes that have attached
 *	hostile ring SEED N HAP		N rings of nonsense, some of it about HAP
 *	hostile leave 0 N		N pages become protected, then are unmapped by the kernel alone: "left N".
 *					Stays, so that the hypervisor still holds their frames
 *	hostile pageout PID ADDR LEN	asks the kernel to write these pages of PID to swap
 *	hostile resume 0 HANDLE		resumes a thread here, where its memory is not: "refused ERROR"; or "started", when
 *					its first fault comes. Stays then, so that nobody else gets its address space
 *
 * Prints "calls N", "strange N" (results that are neither an error of error.h nor what the call
 * may give) and "result R N" for each result.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <inktag/abi.h>
#include "attack.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define RESULT_MAX	128	/* above the greatest error number */

struct tally {
	unsigned long calls, strange;
	unsigned long result[RESULT_MAX];
};

static uint64_t seed;
static struct tally *tally;	/* shared with children */

/* splitmix64 */
static uint64_t rnd(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15UL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return rnd() % n;
}

/* Values at which checks go wrong, and some that pass them. */
static uint64_t value(void)
{
	static const uint64_t places[] = {
		INKTAG_DESC_BASE, INKTAG_ARENA_BASE, INKTAG_HEAP_BASE, INKTAG_STACK_TOP, INKTAG_USER_END,
		0x400000, 0xffff800000000000UL, 0xffffffff81000000UL, 0, 1UL << 32, 1UL << 40, 1UL << 52,
	};

	switch (below(6)) {
	case 0:
		return below(64);
	case 1:
		return (1UL << below(64)) + below(3) - 1;
	case 2:
		return places[below(ARRAY_SIZE(places))] + (below(3) - 1) * below(8) * INKTAG_PAGE_SIZE;
	case 3:
		return -below(300);
	case 4:
		return below(1 << 16) * INKTAG_PAGE_SIZE;
	default:
		return rnd();
	}
}

static const long errors[] = {
	INKTAG_EPERM, INKTAG_ENOENT, INKTAG_EAGAIN, INKTAG_ENOMEM, INKTAG_EFAULT, INKTAG_EBUSY,
	INKTAG_EEXIST, INKTAG_EINVAL, INKTAG_ENOSPC, INKTAG_ENOSYS, INKTAG_EBADMSG, INKTAG_ESTALE,
};

static int is_error(long r)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (r == -errors[i])
			return 1;
	return 0;
}

static void count(uint64_t nr, long r, int allowed)
{
	tally->calls++;
	if (r <= 0 && r > -RESULT_MAX)
		tally->result[-r]++;
	if (!is_error(r) && !allowed) {
		tally->strange++;
		printf("call 0x%lx gave %ld, which is strange\n", nr, r);
	}
}

static void vmmcall(struct attack_regs *r)
{
	register uint64_t r8 asm("r8") = r->r8, r9 asm("r9") = r->r9, r10 asm("r10") = r->r10;
	register uint64_t r11 asm("r11") = r->r11, r12 asm("r12") = r->r12, r13 asm("r13") = r->r13;

	asm volatile("vmmcall"
		     : "+a" (r->rax), "+b" (r->rbx), "+c" (r->rcx), "+d" (r->rdx), "+S" (r->rsi),
		       "+D" (r->rdi), "+r" (r8), "+r" (r9), "+r" (r10), "+r" (r11), "+r" (r12), "+r" (r13)
		     : : "memory");
}

static long hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct attack_regs r = { .rax = nr, .rbx = a, .rcx = b, .rdx = c, .rsi = d };

	vmmcall(&r);
	return r.rax;
}

static struct attack_regs random_call(uint64_t handle)
{
	struct attack_regs r;
	uint64_t *w = (uint64_t *)&r;
	size_t i;

	for (i = 0; i < sizeof(r) / 8; i++)
		w[i] = value();
	r.rax = INKTAG_HC(below(8) ? below(33) : below(256));
	if (!below(8))
		r.r12 = below(2) ? INKTAG_RESUME_MAGIC : INKTAG_SIGNAL_MAGIC;
	if (handle && !below(4))
		r.rbx = handle;
	return r;
}

static void fuzz_user(uint64_t n, uint64_t handle)
{
	struct attack_regs r;
	uint64_t nr;

	while (n--) {
		r = random_call(handle);
		nr = r.rax;
		vmmcall(&r);
		count(nr, r.rax, nr == INKTAG_HC_VERSION && r.r12 != INKTAG_RESUME_MAGIC &&
				 r.rax == INKTAG_ABI_VERSION);
	}
}

static int attack_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/inktag-attack", O_RDWR);
	if (fd < 0) {
		perror("hostile: /dev/inktag-attack");
		exit(1);
	}
	return fd;
}

static long kernel_call(struct attack_regs *r)
{
	struct attack a = { .op = ATTACK_HYPERCALL, .buf = (uint64_t)r, .len = sizeof(*r) };

	if (ioctl(attack_fd(), ATTACK_IOCTL, &a)) {
		perror("hostile: hypercall from the kernel");
		exit(1);
	}
	return r->rax;
}

static void fuzz_kernel(uint64_t n)
{
	struct attack_regs r;
	uint64_t nr;
	long result, last = 0;
	int allowed;

	while (n--) {
		r = random_call(0);
		nr = r.rax;
		/* Withdrawing a ring works, and the kernel would be without it ever after. */
		if (nr == INKTAG_HC_RING_SET && !r.rbx)
			r.rbx = 1;
		result = kernel_call(&r);
		allowed = (nr == INKTAG_HC_VERSION && result == INKTAG_ABI_VERSION) ||
			  (nr == INKTAG_HC_HAP_CREATE && result > 0 && result < 1L << 31) ||
			  ((nr == INKTAG_HC_DOORBELL || nr == INKTAG_HC_HAP_DESTROY) && result == 0);
		count(nr, result, allowed);
		if (nr == INKTAG_HC_HAP_CREATE && result > last)
			last = result;
	}
	/* Those that it made are not known to the kernel, which would end them with this process. */
	for (; last > 0; last--) {
		r = (struct attack_regs){ .rax = INKTAG_HC_HAP_DESTROY, .rbx = last };
		kernel_call(&r);
	}
}

static long mm(uint32_t token, uint64_t addr, uint64_t len)
{
	struct inktag_mm req = {
		.op = INKTAG_MM_MAP, .token = token, .addr = addr, .len = len, .prot = PROT_READ | PROT_WRITE,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, .fd = -1,
	};

	return syscall(SYS_arch_prctl, ARCH_INKTAG_MM, &req);
}

/* One life of a process that shall become a HAP and has no good launcher. */
static void launch(uint64_t calls)
{
	struct inktag_desc *desc = (void *)INKTAG_DESC_BASE;
	struct inktag_start *start = (void *)INKTAG_ARENA_BASE;
	uint64_t i, nr, addr;
	long hap, r;

	alarm(5);
	hap = syscall(SYS_arch_prctl, ARCH_INKTAG_ATTACH);
	if (hap <= 0 || mm(0, INKTAG_DESC_BASE, 4 * INKTAG_PAGE_SIZE) ||
	    mm(1, INKTAG_ARENA_BASE, 16 * INKTAG_PAGE_SIZE) || mm(2, INKTAG_HEAP_BASE, 16 * INKTAG_PAGE_SIZE)) {
		perror("hostile: attach");
		_exit(1);
	}
	memset(desc, 0, INKTAG_PAGE_SIZE);
	desc[1] = (struct inktag_desc){ .addr = INKTAG_ARENA_BASE, .npages = 16, .prot = 3, .kind = INKTAG_KIND_UNCLOAKED };
	desc[2] = (struct inktag_desc){ .addr = INKTAG_HEAP_BASE, .npages = 16, .prot = 7, .kind = INKTAG_KIND_PRIVATE,
					.oid = { 1 } };
	for (i = 3; i < 64; i++)
		((uint64_t *)&desc[i])[below(8)] = value();
	memset((void *)INKTAG_HEAP_BASE, (int)rnd(), 16 * INKTAG_PAGE_SIZE);

	for (i = 0; i < calls; i++) {
		nr = below(10) ? INKTAG_HC_HAP_ADD : INKTAG_HC_HAP_START;
		addr = below(3) ? INKTAG_HEAP_BASE + below(17) * INKTAG_PAGE_SIZE : value();
		/* Counted before: a start that succeeds does not come back. */
		if (nr == INKTAG_HC_HAP_START) {
			*start = (struct inktag_start){
				below(2) ? INKTAG_HEAP_BASE + below(1 << 16) : value(), value(),
				INKTAG_ARENA_BASE + INKTAG_PAGE_SIZE + below(64), value(), value(),
			};
			tally->calls++;
			r = hypercall(nr, below(4) ? (uint64_t)hap : value(),
				      below(4) ? INKTAG_ARENA_BASE : value(), value(), value());
			tally->calls--;
		} else {
			if (i == 0)
				addr = INKTAG_DESC_BASE;
			r = hypercall(nr, i == 0 || below(8) ? (uint64_t)hap : value(), addr,
				      below(3) ? below(4) : value(), i == 0 ? 0 : below(2) ? below(4) : value());
		}
		count(nr, r, r >= 0);
	}
	_exit(0);
}

static void fuzz_launch(uint64_t n)
{
	uint64_t want, before;
	pid_t pid;

	while (tally->calls < n) {
		before = tally->calls;
		want = n - before < 20 ? n - before : 20;
		seed = rnd();
		fflush(stdout);
		pid = fork();
		if (pid < 0) {
			perror("hostile: fork");
			exit(1);
		}
		if (!pid)
			launch(want);
		waitpid(pid, NULL, 0);
		if (tally->calls == before) {
			fprintf(stderr, "hostile: a process made no call\n");
			exit(1);
		}
	}
}

static void fuzz_ring(uint64_t n, uint64_t hap)
{
	static struct inktag_ring_entry e[1 << INKTAG_RING_MAX_LOG2];
	struct attack a;
	size_t i;

	while (n--) {
		for (i = 0; i < ARRAY_SIZE(e); i++) {
			e[i] = (struct inktag_ring_entry){
				.seq = value(), .va_op = value(), .arg = value(),
				.hap = below(2) ? hap : value(), .token = value(),
			};
			if (below(2))
				e[i].va_op = (e[i].va_op & ~0xffUL) | below(INKTAG_RING_OP_COUNT + 1);
		}
		a = (struct attack){
			.op = ATTACK_RING, .addr = 5 + below(6), .addr2 = below(4) ? below(1025) : value(),
			.buf = (uint64_t)e,
		};
		a.len = (1UL << a.addr) * sizeof(e[0]);
		if (ioctl(attack_fd(), ATTACK_IOCTL, &a)) {
			perror("hostile: ring");
			exit(1);
		}
		count(0, a.value, a.value == 0);
	}
}

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void leave(uint64_t n)
{
	struct inktag_desc *desc = (void *)INKTAG_DESC_BASE;
	uint64_t i, size = n * INKTAG_PAGE_SIZE;
	long hap = syscall(SYS_arch_prctl, ARCH_INKTAG_ATTACH);

	must(hap > 0 && !mm(0, INKTAG_DESC_BASE, 4 * INKTAG_PAGE_SIZE) && !mm(1, INKTAG_HEAP_BASE, size),
	     "hostile: attach");
	memset(desc, 0, INKTAG_PAGE_SIZE);
	desc[1] = (struct inktag_desc){ .addr = INKTAG_HEAP_BASE, .npages = n, .prot = 3, .kind = INKTAG_KIND_PRIVATE,
					.oid = { 1 } };
	memset((void *)INKTAG_HEAP_BASE, 0x5a, size);
	must(!hypercall(INKTAG_HC_HAP_ADD, hap, INKTAG_DESC_BASE, 1, 0), "hostile: descriptors");
	for (i = 0; i < n; i++)
		must(!hypercall(INKTAG_HC_HAP_ADD, hap, INKTAG_HEAP_BASE + i * INKTAG_PAGE_SIZE, 1, 1), "hostile: pages");
	must(!munmap((void *)INKTAG_HEAP_BASE, size), "hostile: munmap");
	printf("left %lu\n", n);
	fflush(stdout);
	pause();
}

static void page_out(int pid, uint64_t addr, uint64_t len)
{
	struct iovec range = { (void *)addr, len };
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 || syscall(SYS_process_madvise, fd, &range, 1, MADV_PAGEOUT, 0) < 0) {
		perror("hostile: pageout");
		exit(1);
	}
}

/* The thread's registers are the stub's, which is not here: nothing but the signal says that it has been. */
static void stay(int signo)
{
	static const char text[] = "started\n";

	(void)signo;
	if (write(1, text, sizeof(text) - 1) < 0)
		_exit(1);
	for (;;)
		pause();
}

static void resume(uint64_t handle)
{
	static char stack[65536];
	const stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction act = { .sa_handler = stay, .sa_flags = SA_ONSTACK };
	struct attack_regs r = { .rax = getpid(), .rbx = handle, .r12 = INKTAG_RESUME_MAGIC };

	if (sigaltstack(&alt, NULL) || sigaction(SIGSEGV, &act, NULL)) {
		perror("hostile: resume");
		exit(1);
	}
	vmmcall(&r);
	printf("refused %ld\n", (long)r.rax);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "hostile: not a number: %s\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	uint64_t n, extra;
	int i;

	if (argc < 4) {
		fprintf(stderr, "hostile: see hostile.c\n");
		return 2;
	}
	seed = number(argv[2]);
	n = number(argv[3]);
	extra = argc > 4 ? number(argv[4]) : 0;
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED) {
		perror("hostile: mmap");
		return 1;
	}
	if (!strcmp(argv[1], "user")) {
		fuzz_user(n, extra);
	} else if (!strcmp(argv[1], "kernel")) {
		fuzz_kernel(n);
	} else if (!strcmp(argv[1], "launch")) {
		fuzz_launch(n);
	} else if (!strcmp(argv[1], "ring")) {
		fuzz_ring(n, extra);
	} else if (!strcmp(argv[1], "leave")) {
		leave(n);
		return 0;
	} else if (!strcmp(argv[1], "resume")) {
		resume(n);
		return 0;
	} else if (!strcmp(argv[1], "pageout")) {
		page_out(seed, n, extra);
		return 0;
	} else {
		fprintf(stderr, "hostile: no such command: %s\n", argv[1]);
		return 2;
	}
	for (i = 0; i < RESULT_MAX; i++)
		if (tally->result[i])
			printf("result %d %lu\n", -i, tally->result[i]);
	printf("calls %lu\nstrange %lu\n", tally->calls, tally->strange);
	return 0;
}
