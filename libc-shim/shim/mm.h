/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mm.h - making mappings, for the files of the shim that have kinds of their own. All with mm_lock. */
#ifndef SHIM_MM_H
#define SHIM_MM_H

#include "desc.h"

/* What a mapping is, besides what its descriptor says. */
enum {
	MM_OWN = 1,	/* the shim's: the program cannot change it */
	MM_SHARED = 2,	/* of an object that children have, too */
	MM_SEGMENT = 4,	/* a System V segment, from its start */
	MM_FILE = 8,	/* of a protected file: INKTAG_KIND_FILE */
	MM_READONLY = 16,	/* the program may not write to the file */
};

/*
 * A new mapping. fixed: at addr, where the list has nothing; otherwise addr is a hint. flags: what the kernel is to
 * be told besides; with MAP_SHARED the memory is shared with children, or with fd >= 0 a part of
 * that file, unprotected as the file is. Of INKTAG_KIND_FILE: the part of protected file `serial`
 * that begins at offset, whose backing file is fd.
 */
struct mm_wish {
	u64 addr, len, flags, offset, serial;
	u32 prot;
	u16 kind;
	u8 what;
	bool fixed;
	int fd;
};

/* Returns the address. */
long mm_map(long nr, const struct mm_wish *wish);
/* A file or the like was mapped by other means in place of the mapping at addr: the kernel learns its token again. */
long mm_tag_again(long nr, u64 addr);
/* 0: there is no mapping that begins at addr, or nothing is to be said of it. */
u8 mm_what(u64 addr, u64 *len);
/* Takes away what the program has there, or, unless it wants that: -EINVAL if it has something. */
long mm_free_range(u64 addr, u64 len, bool away);
/* There is memory of the program's now that the kernel sees. */
void mm_shares_windows(void);
/* A number for an object that this process is about to have. */
u64 mm_serial(void);
/* Is a part of the protected file mapped? */
bool mm_has_file(u64 serial);
/* Which ones are mapped in this range; more than max: too many. */
u32 mm_files_in(u64 addr, u64 len, u64 *serials, u32 max);
/* As sys_mmap(), a shared mapping of the protected file whose backing file is args[4]. */
long mm_map_file(const u64 args[6], u64 serial, bool readonly);

#endif
