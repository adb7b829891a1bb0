// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * watch.c - registrations in epoll instances that several processes have: those that there were at a fork. The kernel may
 * report to one what another one registered, or changed, and then the program shall get the data that it was registered
 * with, which the kernel does not know (fds.c).
 *
 * They stand in a table in memory that the processes share. Serials are drawn there, too, so that no two processes use
 * one. No lock, which could be held by a process that was killed: a place is taken by one exchange, and the name is in it
 * only while the rest is.
 */
#include <linux/errno.h>
#include "fds.h"
#include "thread.h"

#define WATCHES		32768
#define NEAR		64	/* places in which a registration may stand: from its serial's on */
#define TAKEN		(~0UL)	/* being filled in */

struct watch {
	u64 name;	/* 0: free */
	u64 instance;
	u64 data;
	u32 asked;	/* all that was ever asked for */
	int fd;
	u64 hap;	/* that registered it, and drops it when it closes the descriptor */
};

static struct watches {
	u64 last_serial;
	struct watch at[WATCHES];
} *watches;

long watch_make(u64 last_serial)
{
	long r;

	if (watches)
		return 0;
	r = mm_map_common(PAGE_UP(sizeof(*watches)), INKTAG_KIND_PRIVATE);
	if (IS_ERR(r))
		return r;
	watches = (struct watches *)r;
	watches->last_serial = last_serial;
	return 0;
}

u64 *watch_serials(void)
{
	return watches ? &watches->last_serial : NULL;
}

static struct watch *place(u64 name, u32 i)
{
	return &watches->at[((name >> FDS_INDEX_BITS) + i) % WATCHES];
}

static struct watch *find(u64 name)
{
	u32 i;

	for (i = 0; watches && i < NEAR; i++)
		if (__atomic_load_n(&place(name, i)->name, __ATOMIC_SEQ_CST) == name)
			return place(name, i);
	return NULL;
}

/* A free place; if there is none, that of a process that has ended. */
static struct watch *take(u64 name)
{
	struct watch *w;
	u64 was;
	u32 i;

	for (i = 0; i < 2 * NEAR; i++) {
		w = place(name, i % NEAR);
		was = __atomic_load_n(&w->name, __ATOMIC_SEQ_CST);
		if (was && (i < NEAR || was == TAKEN || !hc_ended(w->hap)))
			continue;
		if (__atomic_compare_exchange_n(&w->name, &was, TAKEN, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return w;
	}
	return NULL;
}

bool watch_put(u64 name, const struct fds_watch *new)
{
	struct watch *w = find(name);

	if (w) {
		__atomic_or_fetch(&w->asked, new->asked, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->data, new->data, __ATOMIC_SEQ_CST);
		return true;
	}
	w = take(name);
	if (!w)
		return false;
	w->instance = new->instance;
	w->data = new->data;
	w->asked = new->asked;
	w->fd = new->fd;
	w->hap = owners_hap();
	__atomic_store_n(&w->name, name, __ATOMIC_SEQ_CST);
	return true;
}

bool watch_get(u64 name, struct fds_watch *out)
{
	struct watch *w = find(name);

	if (!w)
		return false;
	out->instance = w->instance;
	out->data = __atomic_load_n(&w->data, __ATOMIC_SEQ_CST);
	out->asked = __atomic_load_n(&w->asked, __ATOMIC_SEQ_CST);
	/* Was it this one all the time? */
	return __atomic_load_n(&w->name, __ATOMIC_SEQ_CST) == name;
}

u64 watch_find(u64 instance, int fd)
{
	u64 name, found = 0, end = WATCHES;
	u32 i;

	if (watches && watches->last_serial + NEAR < end)
		end = watches->last_serial + NEAR;
	for (i = 0; watches && i < end; i++) {
		name = __atomic_load_n(&watches->at[i].name, __ATOMIC_SEQ_CST);
		if (name && name != TAKEN && watches->at[i].instance == instance && watches->at[i].fd == fd &&
		    name >> FDS_INDEX_BITS > found >> FDS_INDEX_BITS)
			found = name;
	}
	return found;
}

void watch_drop(u64 name, bool anyones)
{
	struct watch *w = find(name);

	if (w && (anyones || w->hap == owners_hap()))
		__atomic_compare_exchange_n(&w->name, &name, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
