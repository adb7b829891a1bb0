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
pcall pfd_lseek, pfd_length, pfd_fallocate, pfd_sync, pfd_dup, pfd_fcntl, pfd_flock, pfd_ioctl;

/* pmap.c */
pcall pmap_mmap;

/* Those that are found by something else than their first argument: 0, PNOT_OURS, ... as above. */
typedef long pother(long nr, const u64 args[6]);

pother pio_sendfile, pio_splice, pmap_msync;

/* ppath.c. The kernel's stat of a path of ours, or of a descriptor (path NULL): S_IFMT of it; 0: none. */
u32 ppath_kind(int fd, const char *path);
pcall pfd_stat;
pother ppath_open, ppath_creat, ppath_openat2, ppath_attribute, ppath_attribute_at, ppath_stat, ppath_truncate;
pother ppath_rename, ppath_renameat, ppath_link, ppath_linkat, ppath_unlink, ppath_unlinkat, ppath_mkdir, ppath_rmdir;
pother ppath_make, ppath_readlink, ppath_chdir, ppath_fchdir, ppath_chroot;

#endif
