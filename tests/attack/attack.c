// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack - the command line of inktag_attack.ko. Static; gcc -static -O2 -Wall -o attack attack.c
 *
 * Prints what attack.h says an operation gives, one item on a line, name first. Exit status: 0
 * done, 1 the operation failed (reason on stderr), 2 wrong usage. Numbers as in C.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "attack.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define DEVICE		"/dev/inktag-attack"

static const char usage[] =
"attack COMMAND ARGUMENT...\n"
"memory of a process, as the kernel sees it:\n"
"  info PID ADDR                     its mapping's token, its page-table entry and frame\n"
"  read PID ADDR LEN                 bytes to standard output\n"
"  write PID ADDR HEX\n"
"  exchange PID ADDR ADDR2           contents of two pages\n"
"  exchange-pte PID ADDR ADDR2       page-table entries of two pages\n"
"  save PID ADDR SLOT                keep the page's content ...\n"
"  replay PID ADDR SLOT              ... and put it back later\n"
"  scan PID HEX                      hits in all its pages\n"
"  scan-ram HEX                      hits in all memory\n"
"hypervisor:\n"
"  hypercall REG=VALUE...            VMMCALL from the kernel (rax to r15)\n"
"  vmmcall REG=VALUE...              VMMCALL from this process (rax to r15)\n"
"  ring LOG2 TAIL [ENTRY]...         forged reports; ENTRY is SEQ:VA_OP:ARG:HAP:TOKEN\n"
"registers of a process:\n"
"  regs PID                          as saved by the kernel\n"
"  set PID REG=VALUE...              changed there (rax to r15, rip, rsp, rflags, orig_rax)\n"
"  hook PID WHERE [nr=N] [skip=N] [times=N] [FIELD=VALUE]...\n"
"                                    at: syscall (number arg1 to arg6 rip rsp rbp r13 r14 r15),\n"
"                                    result (result), interrupt, fault (rip rsp), mm (result addr prev)\n"
"  seen WHERE [SECONDS]              what the hook saw last: registers, xstate, and at a fault the\n"
"                                    address (result); waits for it\n"
"  unhook                            all\n"
"devices, without the kernel touching the frame:\n"
"  disk-write PID ADDR DEVICE OFFSET\n"
"  disk-read PID ADDR DEVICE OFFSET\n";

static void __attribute__((noreturn, format(printf, 2, 3))) die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("attack: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}

static __u64 number(const char *text)
{
	char *end;
	__u64 n;

	errno = 0;
	n = text[0] == '-' ? (__u64)strtoll(text, &end, 0) : strtoull(text, &end, 0);
	if (errno || end == text || *end)
		die(2, "not a number: %s", text);
	return n;
}

/* Pairs of hex digits to bytes, each exclusive-or mask. */
static size_t bytes(const char *hex, __u8 *to, size_t max, __u8 mask)
{
	size_t n;

	for (n = 0; hex[2 * n]; n++) {
		unsigned int byte;

		if (n == max || sscanf(hex + 2 * n, "%2x", &byte) != 1 || !hex[2 * n + 1])
			die(2, "not %zu or fewer bytes in hex: %s", max, hex);
		to[n] = byte ^ mask;
	}
	return n;
}

static int device(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(1, "cannot open " DEVICE ": %s: is inktag_attack.ko loaded?", strerror(errno));
	return fd;
}

static void attack(struct attack *a, const char *what)
{
	if (ioctl(device(), ATTACK_IOCTL, a))
		die(1, "%s: %s", what, strerror(errno));
}

static const char *const reg_names[] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static const char *const user_reg_names[] = {
	"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx",
	"rsi", "rdi", "orig_rax", "rip", "cs", "rflags", "rsp", "ss",
};

_Static_assert(sizeof(struct attack_regs) == 8 * ARRAY_SIZE(reg_names), "names");
_Static_assert(sizeof(struct attack_user_regs) == 8 * ARRAY_SIZE(user_reg_names), "names");

/* NAME=VALUE; returns the index of NAME in names. */
static size_t assignment(const char *text, const char *const *names, size_t count, __u64 *value)
{
	size_t i, len = strcspn(text, "=");

	for (i = 0; i < count; i++) {
		if (text[len] == '=' && strlen(names[i]) == len && !strncmp(names[i], text, len)) {
			*value = number(text + len + 1);
			return i;
		}
	}
	die(2, "no such NAME=VALUE here: %s", text);
}

static void print_values(const char *const *names, size_t count, const void *values)
{
	const __u64 *v = values;
	size_t i;

	for (i = 0; i < count; i++)
		printf("%s 0x%llx\n", names[i], v[i]);
}

/* --- the commands; argv[0] is the command itself --- */

static void cmd_info(struct attack *a, int argc, char **argv)
{
	a->pid = number(argv[1]);
	a->addr = number(argv[2]);
	attack(a, argv[0]);
	printf("token 0x%llx\n", a->value);
	if (!a->result) {
		puts("present 0");
		return;
	}
	printf("present 1\npte 0x%llx\npfn 0x%llx\n", a->result,
	       (a->result & 0x000ffffffffff000ULL) >> 12);
}

static void cmd_read(struct attack *a, int argc, char **argv)
{
	__u8 page[4096];
	__u64 left = number(argv[3]);

	a->pid = number(argv[1]);
	a->addr = number(argv[2]);
	while (left) {
		a->buf = (__u64)page;
		a->len = left < sizeof(page) ? left : sizeof(page);
		attack(a, argv[0]);
		if (fwrite(page, 1, a->len, stdout) != a->len)
			die(1, "cannot write to standard output");
		a->addr += a->len;
		left -= a->len;
	}
}

static void cmd_write(struct attack *a, int argc, char **argv)
{
	__u8 page[4096];

	a->pid = number(argv[1]);
	a->addr = number(argv[2]);
	a->buf = (__u64)page;
	a->len = bytes(argv[3], page, sizeof(page), 0);
	attack(a, argv[0]);
}

static void cmd_two_addresses(struct attack *a, int argc, char **argv)
{
	a->pid = number(argv[1]);
	a->addr = number(argv[2]);
	a->addr2 = number(argv[3]);
	attack(a, argv[0]);
}

static void cmd_value(struct attack *a, int argc, char **argv)
{
	a->pid = number(argv[1]);
	a->addr = number(argv[2]);
	a->value = number(argv[3]);
	attack(a, argv[0]);
}

static void cmd_scan(struct attack *a, int argc, char **argv)
{
	struct attack_scan scan = { 0 };
	const char *hex = argv[argc - 1];
	__u64 i;

	if (a->op == ATTACK_SCAN)
		a->pid = number(argv[1]);
	scan.len = bytes(hex, scan.not_pattern, sizeof(scan.not_pattern), 0xff);
	a->buf = (__u64)&scan;
	a->len = sizeof(scan);
	attack(a, argv[0]);
	printf("pages %llu\nhits %llu\n", scan.pages, a->result);
	for (i = 0; i < a->result && i < ATTACK_HITS_MAX; i++)
		printf("hit 0x%llx pfn 0x%llx\n", scan.hits[i].addr, scan.hits[i].pfn);
}

static void read_regs(struct attack_regs *r, int argc, char **argv)
{
	__u64 value;
	int i;

	memset(r, 0, sizeof(*r));
	for (i = 1; i < argc; i++) {
		size_t n = assignment(argv[i], reg_names, ARRAY_SIZE(reg_names), &value);

		((__u64 *)r)[n] = value;
	}
}

static void cmd_hypercall(struct attack *a, int argc, char **argv)
{
	struct attack_regs r;

	read_regs(&r, argc, argv);
	a->buf = (__u64)&r;
	a->len = sizeof(r);
	attack(a, argv[0]);
	print_values(reg_names, ARRAY_SIZE(reg_names), &r);
}

static void cmd_vmmcall(struct attack *a, int argc, char **argv)
{
	struct attack_regs r;

	read_regs(&r, argc, argv);

	register __u64 r8 asm("r8") = r.r8;
	register __u64 r9 asm("r9") = r.r9;
	register __u64 r10 asm("r10") = r.r10;
	register __u64 r11 asm("r11") = r.r11;
	register __u64 r12 asm("r12") = r.r12;
	register __u64 r13 asm("r13") = r.r13;
	register __u64 r14 asm("r14") = r.r14;
	register __u64 r15 asm("r15") = r.r15;

	asm volatile("vmmcall"
		     : "+a" (r.rax), "+b" (r.rbx), "+c" (r.rcx), "+d" (r.rdx), "+S" (r.rsi),
		       "+D" (r.rdi), "+r" (r8), "+r" (r9), "+r" (r10), "+r" (r11), "+r" (r12),
		       "+r" (r13), "+r" (r14), "+r" (r15) : : "memory");
	r.r8 = r8;
	r.r9 = r9;
	r.r10 = r10;
	r.r11 = r11;
	r.r12 = r12;
	r.r13 = r13;
	r.r14 = r14;
	r.r15 = r15;
	print_values(reg_names, ARRAY_SIZE(reg_names), &r);
}

static void cmd_ring(struct attack *a, int argc, char **argv)
{
	struct {
		__u64 seq, va_op, arg;
		__u32 hap, token;
	} *entries;
	int i, count = argc - 3;

	a->addr = number(argv[1]);
	a->addr2 = number(argv[2]);
	entries = calloc(count + 1, sizeof(*entries));
	if (!entries)
		die(1, "out of memory");
	for (i = 0; i < count; i++) {
		__u64 field[5];
		char *text = argv[3 + i];
		size_t n;

		for (n = 0; n < ARRAY_SIZE(field); n++) {
			char *part = strsep(&text, ":");

			if (!part)
				die(2, "an entry is SEQ:VA_OP:ARG:HAP:TOKEN");
			field[n] = number(part);
		}
		entries[i].seq = field[0];
		entries[i].va_op = field[1];
		entries[i].arg = field[2];
		entries[i].hap = field[3];
		entries[i].token = field[4];
	}
	a->buf = (__u64)entries;
	a->len = count * sizeof(*entries);
	attack(a, argv[0]);
	printf("error %lld\nhead %llu\n", (long long)a->value, a->result);
	free(entries);
}

static void get_regs(struct attack *a, struct attack_user_regs *r, const char *what)
{
	a->op = ATTACK_GET_REGS;
	a->buf = (__u64)r;
	a->len = sizeof(*r);
	attack(a, what);
}

static void cmd_regs(struct attack *a, int argc, char **argv)
{
	struct attack_user_regs r;

	a->pid = number(argv[1]);
	get_regs(a, &r, argv[0]);
	print_values(user_reg_names, ARRAY_SIZE(user_reg_names), &r);
}

static void cmd_set(struct attack *a, int argc, char **argv)
{
	struct attack_user_regs r;
	__u64 value;
	int i;

	a->pid = number(argv[1]);
	get_regs(a, &r, argv[0]);
	for (i = 2; i < argc; i++) {
		size_t n = assignment(argv[i], user_reg_names, ARRAY_SIZE(user_reg_names), &value);

		((__u64 *)&r)[n] = value;
	}
	a->op = ATTACK_SET_REGS;
	attack(a, argv[0]);
}

static const struct {
	const char *name;
	const char *fields[ATTACK_FIELDS];
} places[ATTACK_WHERE_COUNT] = {
	[ATTACK_AT_SYSCALL]	= { "syscall", { "number", "arg1", "arg2", "arg3", "arg4", "arg5", "arg6", "rip", "rsp",
				    "rbp", "r13", "r14", "r15" } },
	[ATTACK_AT_RESULT]	= { "result", { "result" } },
	[ATTACK_AT_INTERRUPT]	= { "interrupt" },
	[ATTACK_AT_FAULT]	= { "fault", { "rip", "rsp" } },
	[ATTACK_AT_MM]		= { "mm", { "result", "addr", "prev" } },
};

static __u32 place(const char *name)
{
	__u32 i;

	for (i = 0; i < ATTACK_WHERE_COUNT; i++)
		if (!strcmp(places[i].name, name))
			return i;
	die(2, "no such place for a hook: %s", name);
}

static void cmd_hook(struct attack *a, int argc, char **argv)
{
	static const char *const options[] = { "nr", "skip", "times" };
	struct attack_hook hook = { .nr = ATTACK_ANY, .times = ATTACK_ANY };
	const char *names[ARRAY_SIZE(options) + ATTACK_FIELDS];
	size_t count, n;
	__u64 value;
	int i;

	a->pid = number(argv[1]);
	hook.where = place(argv[2]);
	memcpy(names, options, sizeof(options));
	for (count = 0; count < ATTACK_FIELDS && places[hook.where].fields[count]; count++)
		names[ARRAY_SIZE(options) + count] = places[hook.where].fields[count];
	count += ARRAY_SIZE(options);

	for (i = 3; i < argc; i++) {
		n = assignment(argv[i], names, count, &value);
		switch (n) {
		case 0:
			hook.nr = value;
			break;
		case 1:
			hook.skip = value;
			break;
		case 2:
			hook.times = value;
			break;
		default:
			n -= ARRAY_SIZE(options);
			hook.set |= 1U << n;
			hook.value[n] = value;
		}
	}
	a->buf = (__u64)&hook;
	a->len = sizeof(hook);
	attack(a, argv[0]);
}

static void print_xstate(const __u8 *x)
{
	__u64 present, w[4];
	int i;

	/* What is not marked present is in its initial state, whatever stands there. */
	memcpy(&present, x + 512, 8);
	printf("xstate_bv 0x%llx\n", present);
	for (i = 0; i < 8; i++) {
		memset(w, 0, sizeof(w));
		if (present & 1)
			memcpy(w, x + 32 + 16 * i, 16);
		printf("st%d 0x%04llx%016llx\n", i, w[1] & 0xffff, w[0]);
	}
	for (i = 0; i < 16; i++) {
		memset(w, 0, sizeof(w));
		if (present & 2)
			memcpy(w, x + 160 + 16 * i, 16);
		if (present & 4)
			memcpy(w + 2, x + 576 + 16 * i, 16);
		printf("ymm%d 0x%016llx%016llx%016llx%016llx\n", i, w[3], w[2], w[1], w[0]);
	}
}

static void cmd_seen(struct attack *a, int argc, char **argv)
{
	int tenths = argc > 2 ? 10 * number(argv[2]) : 0;
	struct attack_seen seen;

	a->value = place(argv[1]);
	a->buf = (__u64)&seen;
	a->len = sizeof(seen);
	while (ioctl(device(), ATTACK_IOCTL, a)) {
		if (errno != EAGAIN)
			die(1, "%s: %s", argv[0], strerror(errno));
		if (!tenths--)
			die(1, "nothing seen at %s", argv[1]);
		usleep(100000);
	}
	printf("fired %u\nnr %u\nresult 0x%llx\n", seen.fired, seen.nr, seen.result);
	print_values(user_reg_names, ARRAY_SIZE(user_reg_names), &seen.regs);
	print_xstate(seen.xstate);
}

static void cmd_unhook(struct attack *a, int argc, char **argv)
{
	attack(a, argv[0]);
}

static void cmd_disk(struct attack *a, int argc, char **argv)
{
	a->pid = number(argv[1]);
	a->addr = number(argv[2]);
	a->buf = (__u64)argv[3];
	a->len = strlen(argv[3]) + 1;
	a->value = number(argv[4]);
	attack(a, argv[0]);
}

static const struct {
	const char *name;
	int min, max;		/* arguments */
	enum attack_op op;
	void (*run)(struct attack *a, int argc, char **argv);
} commands[] = {
	{ "info",		2, 2,	ATTACK_INFO,		cmd_info },
	{ "read",		3, 3,	ATTACK_READ,		cmd_read },
	{ "write",		3, 3,	ATTACK_WRITE,		cmd_write },
	{ "exchange",		3, 3,	ATTACK_EXCHANGE,	cmd_two_addresses },
	{ "exchange-pte",	3, 3,	ATTACK_EXCHANGE_PTE,	cmd_two_addresses },
	{ "save",		3, 3,	ATTACK_SAVE,		cmd_value },
	{ "replay",		3, 3,	ATTACK_REPLAY,		cmd_value },
	{ "scan",		2, 2,	ATTACK_SCAN,		cmd_scan },
	{ "scan-ram",		1, 1,	ATTACK_SCAN_RAM,	cmd_scan },
	{ "hypercall",		0, 14,	ATTACK_HYPERCALL,	cmd_hypercall },
	{ "vmmcall",		0, 14,	ATTACK_OP_COUNT,	cmd_vmmcall },
	{ "ring",		2, 999,	ATTACK_RING,		cmd_ring },
	{ "regs",		1, 1,	ATTACK_GET_REGS,	cmd_regs },
	{ "set",		2, 99,	ATTACK_SET_REGS,	cmd_set },
	{ "hook",		2, 18,	ATTACK_HOOK,		cmd_hook },
	{ "seen",		1, 2,	ATTACK_SEEN,		cmd_seen },
	{ "unhook",		0, 0,	ATTACK_UNHOOK,		cmd_unhook },
	{ "disk-write",		4, 4,	ATTACK_DISK_WRITE,	cmd_disk },
	{ "disk-read",		4, 4,	ATTACK_DISK_READ,	cmd_disk },
};

int main(int argc, char **argv)
{
	struct attack a = { 0 };
	size_t i;

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		fputs(usage, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, argv[1]))
			continue;
		if (argc - 2 < commands[i].min || argc - 2 > commands[i].max)
			die(2, "%s: wrong number of arguments; see --help", argv[1]);
		a.op = commands[i].op;
		commands[i].run(&a, argc - 1, argv + 1);
		return fflush(stdout) ? 1 : 0;
	}
	die(2, "no such command: %s; see --help", argv[1]);
}
