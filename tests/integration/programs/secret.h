/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret.h - what attackers look for. The string is never in a file in this form, so that
 * whoever finds it in memory has found what a program put there when it ran.
 */
#ifndef SECRET_H
#define SECRET_H

#include <string.h>

#define SECRET_LEN	16
#define SECRET_KEY	0x5a

/* "InkTag-secret-##", each byte xor SECRET_KEY; lib and letters.py have it too */
static inline void secret_string(char out[SECRET_LEN])
{
	static const volatile unsigned char hidden[SECRET_LEN] = {
		0x13, 0x34, 0x31, 0x0e, 0x3b, 0x3d, 0x77, 0x29,
		0x3f, 0x39, 0x28, 0x3f, 0x2e, 0x77, 0x79, 0x79,
	};
	int i;

	for (i = 0; i < SECRET_LEN; i++)
		out[i] = hidden[i] ^ SECRET_KEY;
}

#endif
