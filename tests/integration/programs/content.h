/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * content.h - the content that keeper.c gives to files: made of a number and of the place in the file, so that each piece
 * of it can be told from any other; the secret stands in each 512 bytes.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include <stdio.h>
#include <string.h>
#include "secret.h"

/* What byte `at` of the file begins. */
static inline void content_fill(char *buf, size_t len, long long at, unsigned long n)
{
	char block[512];
	size_t i, from;

	while (len) {
		memset(block, '.', sizeof(block));
		i = snprintf(block, sizeof(block), "content %lu at %lld: ", n, at & ~511LL);
		secret_string(block + i);
		block[511] = '\n';
		from = at & 511;
		i = 512 - from < len ? 512 - from : len;
		memcpy(buf, block + from, i);
		buf += i;
		at += i;
		len -= i;
	}
}

#endif
