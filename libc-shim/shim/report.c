// SPDX-License-Identifier: LGPL-2.1-or-later
/* report.c - lines on stderr, and the end of a program whose kernel lies. */
#include <asm/unistd.h>
#include <linux/errno.h>
#include "shim.h"

#define LINE_MAX	256

/* The line goes straight into the arena: nothing reads it there but the kernel. */
static void say(const char *fmt, va_list ap)
{
	u64 mark = arena_mark();
	char *line = arena_alloc(LINE_MAX);
	size_t len;

	if (!line)
		return;
	len = format(line, LINE_MAX, "inktag: ");
	len += vformat(line + len, LINE_MAX - 1 - len, fmt, ap);
	line[len++] = '\n';
	hc_syscall_must(__NR_write, 2, (u64)line, len, 0, 0, 0);
	arena_release(mark);
}

void shim_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

/* The report comes first, and is the hypervisor's: the kernel could keep the line to itself. */
_Noreturn void shim_violation(enum inktag_check check, u64 addr, u64 arg, const char *fmt, ...)
{
	va_list ap;

	hc_violation(check, addr, arg);
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	for (;;)
		hc_violation(check, addr, arg);
}

static const char *call_name(long nr)
{
	if (nr < 0 || nr >= CALL_COUNT || !call_names[nr])
		return "without a name";
	return call_names[nr];
}

long shim_missing(long nr, const char *what)
{
	static u8 said[CALL_COUNT / 8];

	if (nr < 0 || nr >= CALL_COUNT || !(said[nr / 8] & 1 << nr % 8)) {
		if (nr >= 0 && nr < CALL_COUNT)
			said[nr / 8] |= 1 << nr % 8;
		shim_say("system call %s (%ld)%s is not available to a protected program", call_name(nr), nr, what);
	}
	return -ENOSYS;
}

_Noreturn void shim_lie(long nr, u64 r, const char *why)
{
	shim_violation(INKTAG_CHECK_SYSCALL, nr, r,
		       "the kernel's answer %ld to system call %s is impossible: %s; ending this program",
		       (long)r, call_name(nr), why);
}
