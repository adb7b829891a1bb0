/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - what a recording has: all that QEMU did to a few files of its host, in its order. record.c writes it, replay.c
 * reads it.
 *
 * A record says that a call begins, with what is written; another one (RECORD_DONE, the same id) that it has returned. So
 * what may be on the disk, and what must be there, can be told for any instant: a write may from its beginning on; it
 * must when a sync of its file has returned that began after the write had returned.
 */
#ifndef CRASH_LOG_H
#define CRASH_LOG_H

#include <stdint.h>

#define RECORD_MAGIC	0x494e4b4c

enum record_kind {
	RECORD_WRITE,		/* length bytes follow the record */
	RECORD_ZERO,		/* so many zeros (a hole, as reads see it) */
	RECORD_CUT,		/* the file has length bytes */
	RECORD_SYNC,
	RECORD_DONE,
};

struct __attribute__((packed)) record {
	uint32_t magic;
	uint16_t kind;
	uint16_t file;		/* its place in INKTAG_RECORD_FILES */
	uint64_t id;		/* counts the calls */
	uint64_t at;		/* bytes */
	uint64_t length;
};

_Static_assert(sizeof(struct record) == 32, "struct record");

#endif
