// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pcalls.c - which system calls mean another thing in a program with protected files. What is not here is the kernel's, on
 * the backing file of a descriptor.
 */
#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "pcalls.h"

/* By the descriptor that is the first argument. */
static pcall *const by_descriptor[CALL_COUNT] = {
	[__NR_read] = pio_rw, [__NR_write] = pio_rw, [__NR_pread64] = pio_rw, [__NR_pwrite64] = pio_rw,
	[__NR_readv] = pio_vector, [__NR_writev] = pio_vector, [__NR_preadv] = pio_vector, [__NR_pwritev] = pio_vector,
	[__NR_preadv2] = pio_vector, [__NR_pwritev2] = pio_vector,
	[__NR_lseek] = pfd_lseek, [__NR_ftruncate] = pfd_length, [__NR_fallocate] = pfd_fallocate,
	[__NR_fsync] = pfd_sync, [__NR_fdatasync] = pfd_sync, [__NR_sync_file_range] = pfd_sync,
	[__NR_fstat] = pfd_stat,
	[__NR_dup] = pfd_dup, [__NR_dup2] = pfd_dup, [__NR_dup3] = pfd_dup, [__NR_fcntl] = pfd_fcntl,
};

/* By paths, or whatever else there is. */
static long (*const by_other[CALL_COUNT])(long nr, const u64 args[6]) = {
	[__NR_open] = ppath_open, [__NR_openat] = ppath_open, [__NR_creat] = ppath_open,
};

/* A number that was closed may be another thread's at once: so ours goes before, and a new one's comes after. */
static void before(long nr, const u64 args[6])
{
	if (nr == __NR_close)
		pfd_forget(args[0], args[0]);
	else if (nr == __NR_close_range && !(args[2] & CLOSE_RANGE_CLOEXEC))
		pfd_forget(args[0], args[1]);
}

/* Of a descriptor that is not a file's: a directory's path goes with it; what was a file's number is no more. */
static void after(long nr, const u64 args[6], long r)
{
	const bool dup = nr == __NR_dup || nr == __NR_dup2 || nr == __NR_dup3;

	if (!IS_ERR(r) && (dup || (nr == __NR_fcntl && ((u32)args[1] == F_DUPFD || (u32)args[1] == F_DUPFD_CLOEXEC))))
		pfd_copy(args[0], r);
}

bool protect_call(long nr, const u64 args[6], long *result)
{
	struct popen o;
	enum pkind kind;
	long r;

	if (by_other[nr]) {
		r = pstate_make();
		*result = r ? r : by_other[nr](nr, args);
		return *result != PNOT_OURS;
	}
	before(nr, args);
	if (by_descriptor[nr]) {
		kind = pfd_get(args[0], &o);
		if (kind == PFD_LOST) {
			*result = -EIO;
			return true;
		}
		if (kind == PFD_FILE) {
			*result = by_descriptor[nr](nr, args, &o);
			pfd_put(&o);
			return *result != PNOT_OURS;
		}
	}
	return false;
}

void protect_called(long nr, const u64 args[6], long r)
{
	if (__atomic_load_n(&pstate, __ATOMIC_ACQUIRE))
		after(nr, args, r);
}
