// SPDX-License-Identifier: LGPL-2.1-or-later
/* report.c - lines on stderr, and the end of a program whose kernel lies. */
#include <stdarg.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include "shim.h"

#define LINE_MAX	256

struct line {
	char text[LINE_MAX];
	size_t len;
};

static void put(struct line *l, const char *s)
{
	while (*s && l->len < sizeof(l->text))
		l->text[l->len++] = *s++;
}

static void put_number(struct line *l, u64 v, unsigned int base)
{
	char digits[24];
	size_t n = sizeof(digits) - 1;

	digits[n] = 0;
	do {
		digits[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	put(l, digits + n);
}

/* Knows %s, %ld, %lx. */
static void say(const char *fmt, va_list ap)
{
	struct line l = { .len = 0 };
	u64 mark = arena_mark();
	char *buf = arena_alloc(sizeof(l.text));
	u64 v;

	if (!buf)
		return;
	put(&l, "inktag: ");
	for (; *fmt && l.len < sizeof(l.text); fmt++) {
		if (*fmt != '%') {
			l.text[l.len++] = *fmt;
		} else if (*++fmt == 's') {
			put(&l, va_arg(ap, const char *));
		} else {
			v = va_arg(ap, u64);
			if (*++fmt == 'd' && (long)v < 0) {
				put(&l, "-");
				v = -v;
			}
			put_number(&l, v, *fmt == 'x' ? 16 : 10);
		}
	}
	if (l.len == sizeof(l.text))
		l.len--;
	l.text[l.len++] = '\n';
	memcpy(buf, l.text, l.len);
	hc_syscall(__NR_write, 2, (u64)buf, l.len, 0, 0, 0);
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
