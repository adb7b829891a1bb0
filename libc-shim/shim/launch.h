/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch.h - what the loader leaves in the arena for the shim, at ARENA_BASE + one page:
 * arguments and environment. Untrusted: the shim copies it once and checks the copy.
 *
 * The strings follow the structure, each ended by NUL: argc arguments, envc of the
 * environment, and the path of the program.
 */
#ifndef SHIM_LAUNCH_H
#define SHIM_LAUNCH_H

#include <linux/types.h>

struct launch_info {
	__u32 argc;
	__u32 envc;
	__u32 strings;	/* bytes that follow */
	__u32 secure;	/* AT_SECURE */
	__u32 uid;
	__u32 euid;
	__u32 gid;
	__u32 egid;
};

#define LAUNCH_STRINGS_MAX	0x80000U
#define LAUNCH_COUNT_MAX	0x8000U		/* argc + envc */

/*
 * The tokens of a fresh HAP. Segments follow in address order. Serials of the objects are
 * the tokens; the arena, which is no object, has none.
 */
enum launch_token {
	LAUNCH_TOKEN_ARRAY,
	LAUNCH_TOKEN_ARENA,
	LAUNCH_TOKEN_STACK,
	LAUNCH_TOKEN_SEGMENTS,
};

/* The array's first page holds all of them. */
#define LAUNCH_DESC_MAX	(4096 / 64)

/* inktag-cc puts this note into each program: name "InkTag", type 1, __u32 ABI version, __u64 INKTAG_ATTR_*. */
#define LAUNCH_NOTE_NAME	"InkTag"
#define LAUNCH_NOTE_TYPE	1
#define LAUNCH_NOTE_SIZE	12

_Static_assert(sizeof(struct launch_info) == 32, "launch information size");

#endif
