// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pcommon.c - what the processes of a family have in common of protected files: a table in memory that children share.
 *
 * Which entries are in use is said by rows, one for each process, with a bit for each entry: what a process had that was
 * killed is free when its HAP has ended, which the hypervisor knows. The row of a child is filled before it is made, and
 * its parent's until it has begun.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/time.h>
#include "protect.h"
#include "thread.h"

#define ROWS	128

struct row {
	u64 hap;	/* 0: free */
	u64 files[PFILES / 64], descs[PDESCS / 64];
};

static struct pcommon {
	struct plock lock;	/* of the rows, and of serial */
	u64 serial;
	struct row row[ROWS];
	struct pcommon_file file[PFILES];
	struct pdesc desc[PDESCS];
} *common;

static struct row *mine, *childs;

/* --- locks ------------------------------------------------------------------------------------------------ */

#define SPINS	64
#define YIELDS	16

static u64 me(void)
{
	return (u64)owners_hap() << 32 | self()->tid;
}

static void wait(u32 i)
{
	u64 mark = arena_mark();
	struct __kernel_timespec *ts = i < SPINS + YIELDS ? NULL : arena_alloc(sizeof(*ts));

	if (i < SPINS) {
		asm volatile("pause");
	} else if (!ts) {
		hc_syscall_must(__NR_sched_yield, 0, 0, 0, 0, 0, 0);
	} else {
		*ts = (struct __kernel_timespec){ .tv_nsec = 1000000 };
		hc_syscall_must(__NR_nanosleep, (u64)ts, 0, 0, 0, 0, 0);
	}
	arena_release(mark);
}

void plock_take(struct plock *l)
{
	u64 was;
	u32 i;

	for (i = 0;; i++) {
		was = 0;
		if (__atomic_compare_exchange_n(&l->owner, &was, me(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return;
		if (i >= SPINS && hc_ended(was >> 32) &&
		    __atomic_compare_exchange_n(&l->owner, &was, me(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return;
		wait(i);
	}
}

void plock_give(struct plock *l)
{
	__atomic_store_n(&l->owner, 0, __ATOMIC_SEQ_CST);
}

/* --- rows ------------------------------------------------------------------------------------------------- */

static void set_bit(u64 *bits, u32 i, bool on)
{
	if (on)
		bits[i / 64] |= 1UL << i % 64;
	else
		bits[i / 64] &= ~(1UL << i % 64);
}

static bool has_bit(const u64 *bits, u32 i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* With the lock. */
static void sweep(void)
{
	u32 i;

	for (i = 0; i < ROWS; i++)
		if (common->row[i].hap && hc_ended(common->row[i].hap))
			memset(&common->row[i], 0, sizeof(common->row[i]));
}

static struct row *row_take(void)
{
	u32 i;

	for (i = 0; i < ROWS; i++) {
		if (!common->row[i].hap) {
			common->row[i].hap = owners_hap();
			return &common->row[i];
		}
	}
	return NULL;
}

static struct row *row_new(void)
{
	struct row *row = row_take();

	if (!row) {
		sweep();
		row = row_take();
	}
	return row;
}

long pcommon_make(void)
{
	long r;

	if (common)
		return 0;
	r = mm_map_common(PAGE_UP(sizeof(*common)), INKTAG_KIND_PRIVATE);
	if (IS_ERR(r))
		return r;
	common = (struct pcommon *)r;
	mine = row_take();
	return 0;
}

static bool file_used(u32 i)
{
	u32 r;

	for (r = 0; r < ROWS; r++)
		if (common->row[r].hap && has_bit(common->row[r].files, i))
			return true;
	return false;
}

static bool desc_used(u32 i)
{
	u32 r;

	for (r = 0; r < ROWS; r++)
		if (common->row[r].hap && has_bit(common->row[r].descs, i))
			return true;
	return false;
}

/* A free one; if there is none, after those of processes that have ended are free. -ENFILE */
static long find_free(bool (*used)(u32 i), u32 count)
{
	u32 i, again;

	for (again = 0; again < 2; again++) {
		for (i = 0; i < count; i++)
			if (!used(i))
				return i;
		sweep();
	}
	return -ENFILE;
}

struct pcommon_file *pcommon_file(u32 index)
{
	return &common->file[index];
}

struct pdesc *pdesc(u32 index)
{
	return &common->desc[index];
}

long pcommon_file_add(const u64 oid[2])
{
	struct pcommon_file *f;
	long i;

	plock_take(&common->lock);
	for (i = 0; i < PFILES; i++) {
		f = &common->file[i];
		if (f->oid[0] == oid[0] && f->oid[1] == oid[1] && file_used(i))
			break;
	}
	if (i == PFILES) {
		i = find_free(file_used, PFILES);
		if (!IS_ERR(i))
			common->file[i] = (struct pcommon_file){ .oid = { oid[0], oid[1] }, .length = PLENGTH_UNKNOWN, .new = 1 };
	}
	if (!IS_ERR(i))
		set_bit(mine->files, i, true);
	plock_give(&common->lock);
	return i;
}

void pcommon_file_drop(u32 index)
{
	plock_take(&common->lock);
	set_bit(mine->files, index, false);
	plock_give(&common->lock);
}

long pdesc_add(u32 flags, u32 *serial)
{
	long i;

	plock_take(&common->lock);
	i = find_free(desc_used, PDESCS);
	if (!IS_ERR(i)) {
		*serial = ++common->serial;
		common->desc[i] = (struct pdesc){ .flags = flags, .serial = *serial };
		set_bit(mine->descs, i, true);
	}
	plock_give(&common->lock);
	return i;
}

void pdesc_drop(u32 index)
{
	plock_take(&common->lock);
	set_bit(mine->descs, index, false);
	plock_give(&common->lock);
}

/* --- fork ------------------------------------------------------------------------------------------------- */

long pcommon_fork(void)
{
	plock_take(&common->lock);
	childs = row_new();
	if (childs) {
		memcpy(childs->files, mine->files, sizeof(mine->files));
		memcpy(childs->descs, mine->descs, sizeof(mine->descs));
	}
	plock_give(&common->lock);
	return childs ? 0 : -EAGAIN;
}

void pcommon_not_forked(void)
{
	plock_take(&common->lock);
	memset(childs, 0, sizeof(*childs));
	plock_give(&common->lock);
}

/*
 * If the parent has ended, its rows may be others' already. What this process has, it has in any case: then it takes it
 * again; a description that another one has got meanwhile has another serial, and is no use to this one.
 */
void pcommon_forked(void)
{
	const u64 parent = mine->hap;
	u32 i;

	plock_take(&common->lock);
	if (childs->hap == parent && !hc_ended(parent))
		childs->hap = owners_hap();
	else
		childs = row_new();
	mine = childs;
	for (i = 0; mine && i < PFILES; i++)
		set_bit(mine->files, i, false);
	for (i = 0; mine && i < PDESCS; i++)
		set_bit(mine->descs, i, false);
	for (i = 0; mine && i < PFILES; i++)
		if (pstate->file[i].serial)
			set_bit(mine->files, pstate->file[i].common, true);
	for (i = 0; mine && i < pstate->fd_end; i++)
		if (pstate->fd[i].kind == PFD_FILE)
			set_bit(mine->descs, pstate->fd[i].index, true);
	plock_give(&common->lock);
	if (!mine)
		shim_violation(INKTAG_CHECK_STATE, 0, 0, "there are too many processes with protected files; ending this program");
}
