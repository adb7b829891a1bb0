/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - what hyp/core takes from the kernel's headers, on the host. core/env.h includes it
 * when it is not compiled in the kernel. Nothing of the tests is visible through it.
 */
#ifndef UNIT_HOST_H
#define UNIT_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

#define U8_MAX UINT8_MAX
#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX

#define min(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define max(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
#define min_t(t, a, b) min((t)(a), (t)(b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* A broken assertion of the core fails the test; a WARN is no better than a BUG here. */
void host_bug(const char *file, int line, const char *what) __attribute__((noreturn));
#define BUG_ON(c) ((c) ? host_bug(__FILE__, __LINE__, #c) : (void)0)
#define BUG() host_bug(__FILE__, __LINE__, "BUG()")
#define WARN_ON(c) ({ bool _c = (c); if (_c) host_bug(__FILE__, __LINE__, #c); _c; })
#define WARN_ON_ONCE(c) WARN_ON(c)

static inline void memzero_explicit(void *p, size_t len)
{
	memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* GLib's balanced tree; NULL while the map is empty, so that an empty map owns nothing. */
struct ink_map {
	struct _GTree *tree;
};

#endif
