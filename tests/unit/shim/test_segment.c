// SPDX-License-Identifier: GPL-2.0-or-later
/* test_segment.c - System V shared memory: where it is put, and how much of it. Nothing is behind the world's pages. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/shm.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "unit.h"

#define ID	5

static struct {
	u64 size, at, flags;	/* IPC_STAT says; where the segment was put */
	long stat, result;	/* result 0: where it was to be */
	long id;
	bool fail_tag, moves;
} kernel;

static long answer(long nr, const u64 args[6])
{
	if (nr == SYS_shmget)
		return ID;
	if (nr == SYS_shmctl && args[1] == IPC_RMID)
		return 0;
	if (nr == SYS_shmctl) {
		must_be(args[0] == ID && args[2] >= ARENA_BUF && args[2] < ARENA_BUF_END);
		((struct shmid64_ds *)args[2])->shm_segsz = kernel.size;
		return kernel.stat;
	}
	must_be(nr == SYS_shmat);
	kernel.id = args[0];
	kernel.at = args[1];
	kernel.flags = args[2];
	return kernel.result ? kernel.result : (long)args[1];
}

static void lie(struct inktag_mm *m, long *r)
{
	if (m->op == INKTAG_MM_MAP && kernel.moves)
		m->addr += PAGE;
	if (m->op == INKTAG_MM_TAG && kernel.fail_tag)
		*r = -ENOMEM;
}

static u32 count(void)
{
	u32 t, n = 0;

	for (t = mm_list.head; t != NONE; t = mm_list.d[t].next)
		n++;
	return n;
}

static void fresh(u64 size)
{
	fake_reset();
	memset(&kernel, 0, sizeof(kernel));
	kernel.size = size;
	fake.answer = answer;
	fake.lie = lie;
}

static long attach(u64 addr, u64 flags)
{
	must(!lies(SYS_shmat, (const u64[6]){ ID, addr, flags }), "shmat is a lie");
	return fake.result;
}

static void map(u64 addr, u64 npages)
{
	must_be(!lies(SYS_mmap, (const u64[6]){ addr, npages * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0 }));
	must_be(fake.result == (long)addr);
}

START_TEST(attached)
{
	const struct inktag_desc *d;

	fresh(2 * PAGE + 1);
	map(WORLD_AT(20), 1);
	must_be(attach(_i ? WORLD_AT(10) + (_i == 2) : 0, _i == 2 ? SHM_RDONLY | SHM_RND : 0) == (long)kernel.at && kernel.id == ID);
	must_be(!_i || kernel.at == WORLD_AT(10));
	/* It takes the place of what was found for it, and of nothing else. */
	must_be(kernel.flags == (SHM_REMAP | (_i == 2 ? SHM_RDONLY : 0)));
	d = &mm_list.d[desc_find(&mm_list, kernel.at)];
	must_be(d->addr == kernel.at && d->npages == 3 && d->kind == INKTAG_KIND_UNCLOAKED && d->prot == (_i == 2 ? 1 : 3) && !d->oid[0]);
	/* A part of it is none. */
	must_be(!lies(SYS_shmdt, (const u64[6]){ kernel.at + PAGE }) && fake.result == -EINVAL);
	must_be(!lies(SYS_shmdt, (const u64[6]){ WORLD_AT(20) }) && fake.result == -EINVAL);
	must_be(!lies(SYS_shmdt, (const u64[6]){ kernel.at }) && !fake.result && count() == 4);
	must_be(!lies(SYS_shmdt, (const u64[6]){ kernel.at }) && fake.result == -EINVAL);
}
END_TEST

/* Over a mapping only if the program wants that, and never over the shim's. */
START_TEST(taken)
{
	u64 oid;

	fresh(2 * PAGE);
	map(WORLD_AT(10), 4);
	oid = mm_list.d[desc_find(&mm_list, WORLD_AT(10))].oid[0];
	must_be(attach(WORLD_AT(9), 0) == -EINVAL && attach(WORLD_AT(11), 0) == -EINVAL && attach(WORLD_AT(13), 0) == -EINVAL);
	must_be(attach(INKTAG_ARENA_BASE, SHM_REMAP) == -EINVAL && attach(INKTAG_DESC_BASE, SHM_REMAP) == -EINVAL);
	must_be(attach(INKTAG_DESC_BASE - PAGE, 0) == -EINVAL && attach(INKTAG_HEAP_BASE, 0) == -EINVAL);
	must_be(attach(INKTAG_USER_END - PAGE, 0) == -EINVAL && attach(0, SHM_REMAP) == -EINVAL && attach(WORLD_AT(30) + 1, 0) == -EINVAL);
	must_be(attach(WORLD_AT(30), SHM_EXEC) == -ENOSYS && count() == 4 && !kernel.at);
	must_be(attach(WORLD_AT(11), SHM_REMAP) == (long)WORLD_AT(11) && count() == 6);
	must_be(mm_list.d[desc_find(&mm_list, WORLD_AT(11))].kind == INKTAG_KIND_UNCLOAKED);
	must_be(mm_list.d[desc_find(&mm_list, WORLD_AT(10))].oid[0] == oid && mm_list.d[desc_find(&mm_list, WORLD_AT(13))].oid[0] == oid);
}
END_TEST

START_TEST(false_sizes)
{
	static const u64 sizes[] = { 0, -1UL, 1UL << 63, INKTAG_USER_END + 1, INKTAG_USER_END, -4096UL };

	fresh(sizes[_i]);
	must_be(attach(0, 0) < 0 && attach(WORLD_AT(10), 0) < 0 && attach(WORLD_AT(10), SHM_REMAP) < 0 && count() == 3 && !kernel.at);
}
END_TEST

/* It is where it was to be, or nowhere. */
START_TEST(false_places)
{
	static const long results[] = { 1, WORLD_AT(11), INKTAG_ARENA_BASE, -5000, 1L << 62 };

	fresh(PAGE);
	kernel.result = results[_i];
	must_be(lies(SYS_shmat, (const u64[6]){ ID, WORLD_AT(10) }) && fake.arg == (u64)results[_i]);
}
END_TEST

START_TEST(false_room)
{
	fresh(PAGE);
	kernel.moves = true;
	if (!ended()) {
		dispatch(SYS_shmat, (const u64[6]){ ID, WORLD_AT(10) });
		must_be(!"it is taken");
	}
	must_be(fake.check == INKTAG_CHECK_MMAP && fake.addr == WORLD_AT(11) && !kernel.at);
}
END_TEST

START_TEST(fails)
{
	fresh(3 * PAGE);
	if (_i == 0)
		kernel.stat = -EACCES;
	else if (_i == 1)
		kernel.result = -EACCES;
	else if (_i == 2)
		kernel.fail_tag = true;
	else
		fake.fail_in = 1;
	must_be(attach(WORLD_AT(10), 0) == (_i < 2 ? -EACCES : -ENOMEM) && count() == 3 && fake_room(WORLD_PAGES));
	kernel.stat = kernel.result = 0;
	kernel.fail_tag = false;
	must_be(attach(WORLD_AT(10), 0) == (long)WORLD_AT(10));
}
END_TEST

START_TEST(numbers)
{
	struct shmid64_ds ds;

	fresh(PAGE);
	kernel.stat = 7;
	must_be(!lies(SYS_shmctl, (const u64[6]){ ID, IPC_STAT, (u64)&ds }) && fake.result == 7);
	/* To shmat that would be an address. */
	must_be(lies(SYS_shmat, (const u64[6]){ ID, 0, 0 }) && !kernel.at);
	kernel.stat = 1L << 31;
	must_be(lies(SYS_shmctl, (const u64[6]){ ID, IPC_STAT, (u64)&ds }));
	kernel.stat = -5000;
	must_be(lies(SYS_shmat, (const u64[6]){ ID, 0, 0 }) && !kernel.at);
}
END_TEST

/* A segment is as large as it was made, and not smaller than what was asked for. */
START_TEST(known_sizes)
{
	struct shmid64_ds ds;
	u64 made = 3 * PAGE;

	fresh(made);
	must_be(!lies(SYS_shmget, (const u64[6]){ _i ? 9 : IPC_PRIVATE, made, IPC_CREAT }) && fake.result == ID);
	must_be(attach(0, 0) == (long)kernel.at && !lies(SYS_shmctl, (const u64[6]){ ID, IPC_STAT, (u64)&ds }));
	/* It is another one's; or nobody's, who may have it by that key. */
	must_be(lies(SYS_shmget, (const u64[6]){ IPC_PRIVATE, made, IPC_CREAT }) && lies(SYS_shmget, (const u64[6]){ 10, PAGE }));
	must_be(lies(SYS_shmget, (const u64[6]){ 9, made + 1 }));
	kernel.size = made - 1;
	must_be(lies(SYS_shmat, (const u64[6]){ ID }));
	fresh(PAGE);
	kernel.at = 0;
	must_be(!lies(SYS_shmctl, (const u64[6]){ ID, IPC_RMID }) && !lies(SYS_shmget, (const u64[6]){ _i ? 9 : IPC_PRIVATE, made, IPC_CREAT }));
	must_be(lies(SYS_shmat, (const u64[6]){ ID }) && !kernel.at && lies(SYS_shmctl, (const u64[6]){ ID, IPC_STAT, (u64)&ds }));
	/* Who made it knows that it is not larger. */
	kernel.size = 4 * PAGE;
	must_be(!lies(SYS_shmctl, (const u64[6]){ ID, IPC_RMID }) && !lies(SYS_shmget, (const u64[6]){ _i ? 9 : IPC_PRIVATE, made, IPC_CREAT }));
	must_be(lies(SYS_shmctl, (const u64[6]){ ID, IPC_STAT, (u64)&ds }) == !_i);
	/* Also of one that is removed, and attached. */
	kernel.size = made;
	must_be(!lies(SYS_shmctl, (const u64[6]){ ID, IPC_RMID }) && !lies(SYS_shmget, (const u64[6]){ IPC_PRIVATE, made, IPC_CREAT }));
	must_be(attach(0, 0) > 0 && !lies(SYS_shmctl, (const u64[6]){ ID, IPC_RMID }));
	kernel.size = PAGE;
	must_be(lies(SYS_shmat, (const u64[6]){ ID }));
}
END_TEST

SUITE(segment, SECONDS,
      { attached, 3 }, { taken }, { false_sizes, 6 }, { false_places, 5 }, { false_room }, { fails, 4 }, { numbers }, { known_sizes, 2 })
