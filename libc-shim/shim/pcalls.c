// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pcalls.c - which system calls mean another thing in a program with protected files. What is not here is the kernel's, on
 * the backing file of a descriptor.
 */
#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include "pcalls.h"

/* By the descriptor that is the first argument. */
static pcall *const by_descriptor[CALL_COUNT] = {
	[__NR_read] = pio_rw, [__NR_write] = pio_rw, [__NR_pread64] = pio_rw, [__NR_pwrite64] = pio_rw,
	[__NR_readv] = pio_vector, [__NR_writev] = pio_vector, [__NR_preadv] = pio_vector, [__NR_pwritev] = pio_vector,
	[__NR_preadv2] = pio_vector, [__NR_pwritev2] = pio_vector,
	[__NR_lseek] = pfd_lseek, [__NR_ftruncate] = pfd_length, [__NR_fallocate] = pfd_fallocate,
	[__NR_fsync] = pfd_sync, [__NR_fdatasync] = pfd_sync, [__NR_sync_file_range] = pfd_sync,
	[__NR_fstat] = pfd_stat, [__NR_flock] = pfd_flock, [__NR_ioctl] = pfd_ioctl,
	[__NR_dup] = pfd_dup, [__NR_dup2] = pfd_dup, [__NR_dup3] = pfd_dup, [__NR_fcntl] = pfd_fcntl,
};

/* By paths, or whatever else there is. */
static pother *const by_other[CALL_COUNT] = {
	[__NR_open] = ppath_open, [__NR_openat] = ppath_open, [__NR_creat] = ppath_creat, [__NR_openat2] = ppath_openat2,
	[__NR_access] = ppath_attribute, [__NR_chmod] = ppath_attribute, [__NR_chown] = ppath_attribute,
	[__NR_lchown] = ppath_attribute, [__NR_utime] = ppath_attribute, [__NR_utimes] = ppath_attribute,
	[__NR_statfs] = ppath_attribute,
	[__NR_getxattr] = ppath_attribute, [__NR_lgetxattr] = ppath_attribute, [__NR_setxattr] = ppath_attribute,
	[__NR_lsetxattr] = ppath_attribute, [__NR_listxattr] = ppath_attribute, [__NR_llistxattr] = ppath_attribute,
	[__NR_removexattr] = ppath_attribute, [__NR_lremovexattr] = ppath_attribute,
	[__NR_faccessat] = ppath_attribute_at, [__NR_faccessat2] = ppath_attribute_at, [__NR_fchmodat] = ppath_attribute_at,
	[__NR_fchownat] = ppath_attribute_at, [__NR_futimesat] = ppath_attribute_at, [__NR_utimensat] = ppath_attribute_at,
	[__NR_stat] = ppath_stat, [__NR_lstat] = ppath_stat, [__NR_newfstatat] = ppath_stat, [__NR_statx] = ppath_stat,
	[__NR_truncate] = ppath_truncate,
	[__NR_rename] = ppath_rename, [__NR_renameat] = ppath_renameat, [__NR_renameat2] = ppath_renameat,
	[__NR_link] = ppath_link, [__NR_linkat] = ppath_linkat, [__NR_unlink] = ppath_unlink, [__NR_unlinkat] = ppath_unlinkat,
	[__NR_mkdir] = ppath_mkdir, [__NR_mkdirat] = ppath_mkdir, [__NR_rmdir] = ppath_rmdir,
	[__NR_symlink] = ppath_make, [__NR_symlinkat] = ppath_make, [__NR_mknod] = ppath_make, [__NR_mknodat] = ppath_make,
	[__NR_readlink] = ppath_readlink, [__NR_readlinkat] = ppath_readlink,
	[__NR_chdir] = ppath_chdir, [__NR_fchdir] = ppath_fchdir,
	[__NR_chroot] = ppath_chroot, [__NR_pivot_root] = ppath_chroot,
	[__NR_sendfile] = pio_sendfile, [__NR_splice] = pio_splice, [__NR_copy_file_range] = pio_splice,
	[__NR_msync] = pmap_msync,
};

/* A number that was closed may be another thread's at once: so ours goes before, and a new one's comes after. */
static void before(long nr, const u64 args[6])
{
	if (nr == __NR_close)
		pfd_forget(args[0], args[0]);
	else if (nr == __NR_close_range && !(args[2] & CLOSE_RANGE_CLOEXEC))
		pfd_forget(args[0], args[1]);
}

/* Of a descriptor that is no file's: a directory's path goes with it; what was a file's number is no more. */
static void after(long nr, const u64 args[6], long r)
{
	const bool dup = nr == __NR_dup || nr == __NR_dup2 || nr == __NR_dup3;

	if (!IS_ERR(r) && (dup || (nr == __NR_fcntl && ((u32)args[1] == F_DUPFD || (u32)args[1] == F_DUPFD_CLOEXEC))))
		pfd_copy(args[0], r);
}

static bool on_descriptor(int fd, pcall *call, long nr, const u64 args[6], long *result)
{
	struct popen o;
	const enum pkind kind = pfd_get(fd, &o);

	if (kind == PFD_LOST)
		*result = -EIO;
	if (kind == PFD_DIR && pfd_is_protected_dir(fd) && (call == pio_rw || call == pio_vector || call == pmap_mmap)) {
		*result = call == pmap_mmap ? -ENODEV : -EISDIR;
		return true;
	}
	if (kind == PFD_FILE) {
		*result = call(nr, args, &o);
		pfd_put(&o);
	}
	return kind == PFD_LOST || (kind == PFD_FILE && *result != PNOT_OURS);
}

/* Of a directory nothing can be sent. */
static bool sends_directory(long nr, const u64 args[6])
{
	return (nr == __NR_sendfile && pfd_is_protected_dir(args[1])) ||
	       ((nr == __NR_splice || nr == __NR_copy_file_range) && pfd_is_protected_dir(args[0]));
}

bool protect_call(long nr, const u64 args[6], long *result)
{
	if (sends_directory(nr, args)) {
		*result = -EINVAL;
		return true;
	}
	if (by_other[nr]) {
		*result = pstate_make();
		if (!*result)
			*result = by_other[nr](nr, args);
		return *result != PNOT_OURS;
	}
	if (nr == __NR_mmap)
		return !(args[3] & MAP_ANONYMOUS) && on_descriptor(args[4], pmap_mmap, nr, args, result);
	before(nr, args);
	return by_descriptor[nr] && on_descriptor(args[0], by_descriptor[nr], nr, args, result);
}

void protect_called(long nr, const u64 args[6], long r)
{
	if (__atomic_load_n(&pstate, __ATOMIC_ACQUIRE))
		after(nr, args, r);
}
