// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * arena.c - buffers in uncloaked memory, through which the kernel gets and gives data.
 *
 * A stack of buffers: a handler takes a mark, allocates, and releases to the mark. The state
 * of the allocator is in protected memory; nothing in the arena itself is ever trusted.
 */
#include "shim.h"

static u64 arena_next = ARENA_BUF;

u64 arena_mark(void)
{
	return arena_next;
}

void arena_release(u64 mark)
{
	arena_next = mark;
}

void *arena_alloc(u64 size)
{
	u64 at = arena_next;

	if (size > ARENA_BUF_END - at)
		return NULL;
	size = (size + 15) & ~15UL;
	if (size > ARENA_BUF_END - at)
		return NULL;
	arena_next = at + size;
	return (void *)at;
}
