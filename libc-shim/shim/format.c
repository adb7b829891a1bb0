// SPDX-License-Identifier: LGPL-2.1-or-later
/* format.c - the text of messages, for the shim and for the loader. */
#include "shim.h"

static size_t put(char *buf, size_t size, size_t len, const char *s)
{
	while (*s && len < size)
		buf[len++] = *s++;
	return len;
}

size_t vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	char digits[24], *d;
	unsigned int base;
	size_t len = 0;
	u64 v;

	for (; *fmt && len < size; fmt++) {
		if (*fmt != '%') {
			buf[len++] = *fmt;
			continue;
		}
		if (*++fmt == 's') {
			len = put(buf, size, len, va_arg(ap, const char *));
			continue;
		}
		v = va_arg(ap, u64);
		base = *++fmt == 'x' ? 16 : 10;
		if (base == 10 && (s64)v < 0) {
			len = put(buf, size, len, "-");
			v = -v;
		}
		d = digits + sizeof(digits) - 1;
		*d = 0;
		do {
			*--d = "0123456789abcdef"[v % base];
			v /= base;
		} while (v);
		len = put(buf, size, len, d);
	}
	return len;
}

size_t format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = vformat(buf, size, fmt, ap);
	va_end(ap);
	return len;
}
