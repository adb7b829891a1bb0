// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * string.c - what the compiler and the shim need of string.h, in general registers only. By words: where the
 * processor has no fast strings of bytes, as before Zen 3 and in the lab, a byte costs as much as a word.
 */
#include "shim.h"

void *memcpy(void *to, const void *from, size_t n)
{
	size_t words = n / 8, bytes = n % 8;
	void *d = to;

	asm volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

void *memset(void *to, int c, size_t n)
{
	size_t words = n / 8, bytes = n % 8;
	u64 word = (u8)c * 0x0101010101010101UL;
	void *d = to;

	asm volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(word) : "memory");
	asm volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(word) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t shim_strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}
