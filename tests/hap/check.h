/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - the programs here check what they see themselves: one line "ok WHAT" or "not ok
 * WHAT (errno)" for each check, "N passed, M failed" at the end; exit status 0 or 1.
 */
#ifndef HAP_CHECK_H
#define HAP_CHECK_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int passed, failed;

static inline int check(int right, const char *what, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, what);
	printf(right ? "ok " : "not ok ");
	vprintf(what, ap);
	if (!right)
		printf(" (errno %d, %s)", e, strerror(e));
	printf("\n");
	va_end(ap);
	if (right)
		passed++;
	else
		failed++;
	return right;
}

static inline int summary(void)
{
	printf("%d passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}

#endif
