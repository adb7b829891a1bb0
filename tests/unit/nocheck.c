// SPDX-License-Identifier: GPL-2.0-or-later
/* In Check's place, for programs that use the machine of these tests: an assertion that fails ends the process. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void _mark_point(const char *file, int line);
void _ck_assert_failed(const char *file, int line, const char *expr, const char *format, ...);

void _mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: %s: ", file, line, expr);
	va_start(args, format);
	if (format)
		vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
