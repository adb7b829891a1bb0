// SPDX-License-Identifier: LGPL-2.1-or-later
/* heap.c - brk. The heap is ordinary private memory that grows at its end, at a fixed place. */
#include <asm/unistd.h>
#include <linux/mman.h>
#include "desc.h"

/* The break; the pages below PAGE_UP() of it were mapped (the program may have unmapped some). */
static u64 heap_break = INKTAG_HEAP_BASE;

/* Returns the break: the new one, or the old one if it cannot be moved. */
long sys_brk(long nr, const u64 args[6])
{
	u64 to = args[0], end = PAGE_UP(heap_break), new_end = PAGE_UP(to);

	if (to < INKTAG_HEAP_BASE || to > INKTAG_HEAP_BASE + INKTAG_HEAP_MAX)
		return heap_break;
	if (new_end > end && !mm_grow(end, new_end - end) &&
	    IS_ERR(mm_map_at(end, new_end - end, INKTAG_PROT_READ | INKTAG_PROT_WRITE, 0)))
		return heap_break;
	if (new_end < end && mm_unmap(new_end, end - new_end))
		return heap_break;
	heap_break = to;
	return heap_break;
}
