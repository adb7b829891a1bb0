/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * layout.h - where things are inside a HAP.
 *
 * The program's own segments stay where the linker put them (non-PIE, from 0x400000). The
 * rest of a HAP's fixed ranges stand between the heap and the kernel's mmap area, where
 * Linux places nothing by itself:
 *
 *   INKTAG_DESC_BASE   descriptor array      protected, entry 0 describes it
 *   INKTAG_ARENA_BASE  uncloaked arena       the kernel reads and writes it: stub, launch
 *                                            information, marshalling buffers, kernel-visible stack
 *   INKTAG_HEAP_BASE   heap (the shim's brk) protected
 *   INKTAG_STACK_TOP   main thread's stack   protected, grows down from here
 */
#ifndef INKTAG_LAYOUT_H
#define INKTAG_LAYOUT_H

#define INKTAG_PAGE_SHIFT	12
#define INKTAG_PAGE_SIZE	4096UL

/* Exclusive upper bound of user addresses, as Linux has it with 4-level paging. */
#define INKTAG_USER_END		0x00007ffffffff000UL

#define INKTAG_DESC_BASE	0x0000600000000000UL
#define INKTAG_DESC_MAX		65536	/* descriptors per HAP: the array is 4 MiB */

#define INKTAG_ARENA_BASE	0x0000610000000000UL
#define INKTAG_ARENA_SIZE	0x0000000000200000UL	/* 2 MiB */

#define INKTAG_HEAP_BASE	0x0000620000000000UL
#define INKTAG_HEAP_MAX		0x0000010000000000UL	/* 1 TiB of addresses */

#define INKTAG_STACK_TOP	0x0000640000000000UL
#define INKTAG_STACK_MAX	0x0000000000800000UL	/* 8 MiB */

#endif
