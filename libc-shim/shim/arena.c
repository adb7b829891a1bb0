// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * arena.c - buffers in uncloaked memory, through which the kernel gets and gives data. Each thread has
 * an arena of its own.
 *
 * A stack of buffers: a handler takes a mark, allocates, and releases to the mark. The state
 * of the allocator is in protected memory; nothing in the arena itself is ever trusted.
 */
#include "thread.h"

u64 arena_mark(void)
{
	return self()->arena_next;
}

void arena_release(u64 mark)
{
	self()->arena_next = mark;
}

void *arena_alloc(u64 size)
{
	struct thread *t = self();
	u64 at = t->arena_next;

	if (size > t->arena_end - at)
		return NULL;
	size = (size + 15) & ~15UL;
	if (size > t->arena_end - at)
		return NULL;
	t->arena_next = at + size;
	return (void *)at;
}
