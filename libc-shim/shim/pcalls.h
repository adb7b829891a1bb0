/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pcalls.h - the system calls of a program with protected files, by the file that has them; see protect.h. */
#ifndef SHIM_PCALLS_H
#define SHIM_PCALLS_H

#include "protect.h"

/*
 * The call, whose first argument is a descriptor of a protected file. Or PNOT_OURS: as of any other file, it is for the
 * kernel.
 */
typedef long pcall(long nr, const u64 args[6], struct popen *o);

/* pio.c. offset: ~0, the description's. */
long pio_move(struct popen *o, struct pvec *v, u64 len, u64 offset, u32 flags, bool is_read);
pcall pio_rw, pio_vector;

/* pfd.c */
pcall pfd_lseek, pfd_length, pfd_fallocate, pfd_sync, pfd_stat, pfd_close, pfd_dup, pfd_fcntl;

/* ppath.c: calls with paths. */
long ppath_open(long nr, const u64 args[6]);

#endif
