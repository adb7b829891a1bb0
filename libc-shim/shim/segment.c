// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * segment.c - System V shared memory. Segments belong to the kernel, which gives them to anybody who may have them: they
 * are unprotected, like files.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/ipc.h>
#include <linux/mman.h>
#include <linux/shm.h>
#include "command.h"
#include "mm.h"

#define SHMLBA	INKTAG_PAGE_SIZE

static const struct command commands[] = {
	{ IPC_RMID, ARG_NONE },
	{ IPC_SET, ARG_IN, sizeof(struct shmid64_ds) },
	{ IPC_STAT, ARG_OUT, sizeof(struct shmid64_ds) },
	{ SHM_STAT, ARG_OUT, sizeof(struct shmid64_ds) },
	{ SHM_STAT_ANY, ARG_OUT, sizeof(struct shmid64_ds) },
	{ IPC_INFO, ARG_OUT, sizeof(struct shminfo64) },
	{ SHM_INFO, ARG_OUT, sizeof(struct shm_info) },
	{ SHM_LOCK, ARG_NONE },
	{ SHM_UNLOCK, ARG_NONE },
};

long sys_shmget(long nr, const u64 args[6])
{
	return ipc_got(nr, IPC_SEGMENT, checked(nr, hc_syscall(nr, args[0], args[1], args[2], 0, 0, 0), 0x7fffffff), args, args[1]);
}

long sys_shmctl(long nr, const u64 args[6])
{
	long r = command_call(nr, args, 1, commands, ARRAY_SIZE(commands), -EINVAL);

	if (!IS_ERR(r) && (u32)args[1] == IPC_STAT)
		ipc_told(nr, IPC_SEGMENT, args[0], ((const struct shmid64_ds *)args[2])->shm_segsz);
	if (!r && (u32)args[1] == IPC_RMID)
		ipc_removed(IPC_SEGMENT, args[0]);
	return r;
}

static long size_of(int id, u64 *size)
{
	struct shmid64_ds ds;
	const u64 args[6] = { id, IPC_STAT, (u64)&ds };
	long r = checked(__NR_shmctl, sys_shmctl(__NR_shmctl, args), 0);

	if (!r && (!ds.shm_segsz || ds.shm_segsz > INKTAG_USER_END))
		r = -EINVAL;
	*size = ds.shm_segsz;
	return r;
}

/* A place is found as for any mapping; then the segment is put there. */
long sys_shmat(long nr, const u64 args[6])
{
	u64 addr = args[1], flags = args[2], size;
	struct mm_wish wish = {
		.prot = INKTAG_PROT_READ | (flags & SHM_RDONLY ? 0 : INKTAG_PROT_WRITE), .flags = MAP_NORESERVE,
		.kind = INKTAG_KIND_UNCLOAKED, .what = MM_SEGMENT, .fd = -1,
	};
	long at, r;

	if (flags & SHM_EXEC)
		return shim_missing(nr, " of executable memory");
	if (addr % SHMLBA) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr &= -SHMLBA;
	}
	if (!addr && flags & SHM_REMAP)
		return -EINVAL;
	r = size_of(args[0], &size);
	if (r)
		return r;
	wish.len = PAGE_UP(size);
	if (addr) {
		r = mm_free_range(addr, wish.len, flags & SHM_REMAP);
		if (r)
			return r;
		wish.addr = addr;
		wish.fixed = true;
	}
	at = mm_map(nr, &wish);
	if (IS_ERR(at))
		return at;
	r = hc_syscall_must(nr, args[0], at, (flags & SHM_RDONLY) | SHM_REMAP, 0, 0, 0);
	if (!IS_ERR(r) && r != at)
		shim_lie(nr, r, "it is not where it was to be");
	if (!IS_ERR(r))
		r = mm_tag_again(nr, at);
	if (r) {
		mm_unmap(at, wish.len);
		return r;
	}
	mm_shares_windows();
	return at;
}

long sys_shmdt(long nr, const u64 args[6])
{
	u64 len;

	if (!(mm_what(args[0], &len) & MM_SEGMENT))
		return -EINVAL;
	return mm_unmap(args[0], len);
}
