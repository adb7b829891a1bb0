// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fds.c - what the shim remembers of descriptors: epoll instances with what is registered in
 * them, and descriptors whose reads have a form that programs rely on.
 *
 * One table of entries, chained by descriptor. An epoll instance has an entry for each descriptor
 * that refers to it, since dup() makes several; what they share is the serial of the instance.
 * A registration is known to the kernel by index and serial (struct fds_event): its mask and
 * the program's data stay here. Serials are never used twice. What is registered in an instance that several processes
 * have stands in their common table as well (watch.c), since the kernel may report it to any of them.
 *
 * A descriptor that is closed loses its entries before the kernel hears of it, because another
 * thread may get the same number at once.
 *
 * Besides, a bit for each number that the kernel gave and that is not closed since: it cannot give it again. And the limit
 * of numbers that the program knows, since programs have tables with so many places. Linux gives none beyond, but it may go
 * by another limit: one that another process has set, or that was inherited, and not asked for. So that is no lie.
 */
#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include "fds.h"

#define CHAINS		256
#define FIRST_ENTRIES	64
#define INDEX_BITS	FDS_INDEX_BITS
#define INDEX_MASK	((1UL << INDEX_BITS) - 1)

#define ANY_NUMBER	0xffffffff

#define NUMBERS		0x10000
#define LIMIT_UNASKED	1024	/* Linux's for its first process, and the size of an fd_set */
#define INT_MAX		0x7fffffffL

/* Bits of a mask that say how to report, and are never reported themselves. */
#define HOW_BITS	((u32)(EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET))

struct entry {
	u8 kind;	/* enum fd_kind; FD_OTHER: the entry is free */
	bool made;	/* the kernel has confirmed the registration */
	bool common;	/* of an instance's descriptor: other processes have it, too */
	bool overlap;	/* of several changes nobody knows which the kernel made last */
	u16 changing;	/* threads that are telling the kernel a new mask */
	int fd;
	u32 next;	/* in its chain, or of the free ones; 0: the last */
	u32 mask;	/* as the program asked */
	u32 asked;	/* all that a wait which has begun may still bring */
	u32 arms;	/* EPOLLONESHOT: so many events may still come, while it does not change */
	u64 serial;
	u64 instance;	/* of an instance's descriptor and of a registration */
	u64 data;	/* the program's; the clock of a timer */
	u64 wait;	/* the last wait that reported it */
};

/* Guards all of the following. Taken before the locks of mappings, and not held while the kernel waits. */
struct lock files_lock;

static struct entry first_entries[FIRST_ENTRIES], *entries = first_entries;
static u32 entry_max = FIRST_ENTRIES, entry_fresh = 1, entry_free, chains[CHAINS];
static u64 last_serial, *serials = &last_serial, last_wait;
static u32 waiting;	/* threads in a wait */
/* Entries that are no registration: while there are none, nobody needs the lock. */
static u32 known;

static bool grow(void)
{
	const u64 args[6] = { 0, 2 * entry_max * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1UL, 0 };
	const u64 was[6] = { (u64)entries, entry_max * sizeof(*entries) };
	long r;

	if (2UL * entry_max > INDEX_MASK)
		return false;
	lock(&mm_lock);
	r = sys_mmap(__NR_mmap, args);
	unlock(&mm_lock);
	if (IS_ERR(r))
		return false;
	memcpy((void *)r, entries, entry_max * sizeof(*entries));
	lock(&mm_lock);
	if (entries != first_entries)
		sys_munmap(__NR_munmap, was);
	unlock(&mm_lock);
	entries = (void *)r;
	entry_max *= 2;
	return true;
}

/* A new entry, in its chain; 0: no memory. */
static u32 add(int fd, enum fd_kind kind)
{
	u32 i = entry_free;

	if (i)
		entry_free = entries[i].next;
	else if (entry_fresh < entry_max || grow())
		i = entry_fresh++;
	else
		return 0;
	entries[i] = (struct entry){ .kind = kind, .fd = fd, .serial = __atomic_add_fetch(serials, 1, __ATOMIC_SEQ_CST),
				     .next = chains[(u32)fd % CHAINS] };
	chains[(u32)fd % CHAINS] = i;
	known += kind != FD_REGISTERED;
	return i;
}

static u64 kernels_name(u32 i)
{
	return i | entries[i].serial << INDEX_BITS;
}

/* Takes out the entry that *link leads to. */
static void cut(u32 *link)
{
	u32 i = *link;

	if (entries[i].kind == FD_REGISTERED)
		watch_drop(kernels_name(i), false);
	known -= entries[i].kind != FD_REGISTERED;
	*link = entries[i].next;
	entries[i] = (struct entry){ .next = entry_free };
	entry_free = i;
}

/* The link to the entry of the descriptor itself; to 0: there is none. */
static u32 *find(int fd)
{
	u32 *link = &chains[(u32)fd % CHAINS];

	while (*link && (entries[*link].fd != fd || entries[*link].kind == FD_REGISTERED))
		link = &entries[*link].next;
	return link;
}

/* ... to the registration with this serial; if that is 0, to one that is made, or else to one that is being made. */
static u32 *find_registered(int fd, u64 instance, u64 serial)
{
	u32 *link = &chains[(u32)fd % CHAINS], *found = NULL;

	for (; *link; link = &entries[*link].next) {
		const struct entry *e = &entries[*link];

		if (e->fd != fd || e->kind != FD_REGISTERED || e->instance != instance || (serial && e->serial != serial))
			continue;
		if (serial || e->made)
			return link;
		found = found ?: link;
	}
	return found ?: link;
}

static bool has_descriptor(u64 instance)
{
	u32 i;

	for (i = 1; i < entry_fresh; i++)
		if (entries[i].kind == FD_EPOLL && entries[i].instance == instance)
			return true;
	return false;
}

static void drop_instance(u64 instance)
{
	u32 i;

	for (i = 1; i < entry_fresh; i++)
		if (entries[i].kind == FD_REGISTERED && entries[i].instance == instance)
			cut(find_registered(entries[i].fd, instance, entries[i].serial));
}

static void forget(int fd)
{
	u32 *link = &chains[(u32)fd % CHAINS];
	u64 instance = 0;

	while (*link) {
		const struct entry *e = &entries[*link];

		if (e->fd != fd) {
			link = &entries[*link].next;
			continue;
		}
		if (e->kind == FD_EPOLL)
			instance = e->instance;
		cut(link);
	}
	if (instance && !has_descriptor(instance))
		drop_instance(instance);
}

void fds_forget(u32 first, u32 last)
{
	u32 i;

	lock(&files_lock);
	if (last - first < CHAINS) {
		for (i = first; i <= last && i >= first; i++)
			forget(i);
	} else {
		for (i = 1; i < entry_fresh; i++)
			if (entries[i].kind != FD_OTHER && (u32)entries[i].fd >= first && (u32)entries[i].fd <= last)
				forget(entries[i].fd);
	}
	unlock(&files_lock);
}

/* --- numbers ---------------------------------------------------------------------------------------- */

static u64 taken[NUMBERS / 64];
static u64 limit = LIMIT_UNASKED;
static bool limit_asked;

/* Was it taken already? */
static bool take(u32 fd)
{
	const u64 bit = 1UL << fd % 64;

	return fd < NUMBERS && __atomic_fetch_or(&taken[fd / 64], bit, __ATOMIC_SEQ_CST) & bit;
}

static void free_numbers(u32 first, u32 last)
{
	u32 fd;

	for (fd = first; fd <= last && fd < NUMBERS; fd++)
		if (taken[fd / 64])
			__atomic_fetch_and(&taken[fd / 64], ~(1UL << fd % 64), __ATOMIC_SEQ_CST);
}

static void give_back(int fd)
{
	free_numbers(fd, fd);
	checked(__NR_close, hc_syscall_must(__NR_close, fd, 0, 0, 0, 0, 0), 0);
}

long fds_new(long nr, long r)
{
	checked(nr, r, INT_MAX);
	if (IS_ERR(r))
		return r;
	if ((u64)r >= __atomic_load_n(&limit, __ATOMIC_RELAXED)) {
		give_back(r);
		return -EMFILE;
	}
	if (take(r))
		shim_lie(nr, r, "this descriptor is open already");
	return r;
}

/* pipe, pipe2, socketpair */
long sys_pair(long nr, const u64 args[6])
{
	int pair[2], at = nr == __NR_socketpair ? 3 : 0;
	u64 given[6] = { args[0], args[1], args[2] };
	struct call row = { 0 };
	long r, one, other;
	int i;

	if (!user_range_ok(args[at], sizeof(pair)))
		return -EFAULT;
	for (i = 0; i < at; i++)
		row.arg[i].kind = ARG_VALUE;
	row.arg[1].kind = nr == __NR_pipe ? ARG_NONE : ARG_VALUE;
	row.arg[at] = (struct arg){ ARG_OUT, .size = sizeof(pair) };
	given[at] = (u64)pair;
	r = marshal_call(nr, &row, given);
	if (r)
		return r;
	one = fds_new(nr, (u32)pair[0]);
	other = fds_new(nr, (u32)pair[1]);
	if (IS_ERR(one) || IS_ERR(other)) {
		if (!IS_ERR(one))
			give_back(one);
		if (!IS_ERR(other))
			give_back(other);
		return -EMFILE;
	}
	memcpy((void *)args[at], pair, sizeof(pair));
	return 0;
}

/* The program has set the limit, or been told it: then the lowest counts, since it may have a table by an earlier answer. */
static void limit_known(u64 value, bool set)
{
	if (value > NUMBERS)
		value = NUMBERS;
	lock(&files_lock);
	if (set || !limit_asked || value < limit)
		__atomic_store_n(&limit, value, __ATOMIC_RELAXED);
	limit_asked = true;
	unlock(&files_lock);
}

/* getrlimit, setrlimit, prlimit64 */
long sys_rlimit(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE }, { ARG_VALUE }, { ARG_IN, .size = sizeof(struct rlimit64), .optional = true },
			{ ARG_OUT, .size = sizeof(struct rlimit64), .optional = true },
		},
	};
	const bool plain = nr != __NR_prlimit64;
	const u64 resource = args[plain ? 0 : 1];
	struct rlimit64 new, old;
	u64 given[6] = { plain ? 0 : args[0], resource, nr == __NR_getrlimit ? 0 : args[plain ? 1 : 2],
			 nr == __NR_setrlimit ? 0 : args[plain ? 1 : 3] };
	const u64 from = given[2], to = given[3];
	long r;

	if ((plain && !args[1]) || (from && !user_range_ok(from, sizeof(new))) || (to && !user_range_ok(to, sizeof(old))))
		return -EFAULT;
	if (from) {
		memcpy(&new, (const void *)from, sizeof(new));
		given[2] = (u64)&new;
	}
	if (to)
		given[3] = (u64)&old;
	r = marshal_call(__NR_prlimit64, &row, given);
	if (r)
		return r;
	if ((u32)resource == RLIMIT_NOFILE && !(int)given[0] && (from || to))
		limit_known(from ? new.rlim_cur : old.rlim_cur, from);
	if (to)
		memcpy((void *)to, &old, sizeof(old));
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- */

long fds_made(long fd, enum fd_kind kind, u64 data)
{
	u32 i;

	if (IS_ERR(fd))
		return fd;
	lock(&files_lock);
	forget(fd);
	i = add(fd, kind);
	if (i) {
		entries[i].instance = entries[i].serial;
		entries[i].data = data;
	}
	unlock(&files_lock);
	if (i)
		return fd;
	give_back(fd);
	return -ENOMEM;
}

long fds_duplicated(int old, long fd)
{
	bool ok = true;
	u32 i, was;

	if (IS_ERR(fd) || fd == old || !__atomic_load_n(&known, __ATOMIC_RELAXED))
		return fd;
	lock(&files_lock);
	forget(fd);
	if (*find(old)) {
		i = add(fd, entries[*find(old)].kind);
		was = *find(old);
		ok = i;
		if (ok) {
			entries[i].instance = entries[was].instance;
			entries[i].data = entries[was].data;
			entries[i].common = entries[was].common;
		}
	}
	unlock(&files_lock);
	if (ok)
		return fd;
	give_back(fd);
	return -ENOMEM;
}

enum fd_kind fds_kind(int fd, u64 *serial, u64 *data)
{
	enum fd_kind kind;
	const struct entry *e;

	*serial = *data = 0;
	if (!__atomic_load_n(&known, __ATOMIC_RELAXED))
		return FD_OTHER;
	lock(&files_lock);
	/* Entry 0 is never used, and so of no kind. */
	e = &entries[*find(fd)];
	kind = e->kind;
	*serial = e->serial;
	*data = e->data;
	unlock(&files_lock);
	return kind;
}

void fds_watch_asked(int fd)
{
	u64 instance;
	u32 i;

	lock(&files_lock);
	i = *find(fd);
	instance = entries[i].kind == FD_INOTIFY ? entries[i].instance : 0;
	for (i = 1; instance && i < entry_fresh; i++)
		if (entries[i].kind == FD_INOTIFY && entries[i].instance == instance)
			entries[i].data++;
	unlock(&files_lock);
}

/* --- epoll ---------------------------------------------------------------------------------------- */

static u64 instance_of(int epfd)
{
	const struct entry *e = &entries[*find(epfd)];

	return e->kind == FD_EPOLL ? e->instance : 0;
}

/* Before the kernel is told, which may report it at once; to any process that has the instance. */
static bool publish(u32 i)
{
	const struct entry *e = &entries[i];

	return watch_put(kernels_name(i), &(struct fds_watch){ .instance = e->instance, .data = e->data, .asked = e->asked,
							       .fd = e->fd });
}

long fds_fork(void)
{
	struct fds_watch there;
	bool any = false;
	long r;
	u32 i;

	for (i = 1; i < entry_fresh; i++) {
		any |= entries[i].kind == FD_EPOLL;
		/* Another process may ask for watches, too. */
		if (entries[i].kind == FD_INOTIFY)
			entries[i].data = INT_MAX;
	}
	if (!any)
		return 0;
	r = watch_make(last_serial);
	if (r)
		return r;
	serials = watch_serials();
	for (i = 1; i < entry_fresh; i++) {
		if (entries[i].kind == FD_EPOLL)
			entries[i].common = true;
		else if (entries[i].kind == FD_REGISTERED && !watch_get(kernels_name(i), &there) && !publish(i))
			return -ENOMEM;
	}
	return 0;
}

void fds_forked(void)
{
	waiting = 0;
}

/* The kernel is about to be told. Until it has answered, it may report by the old mask or by the new one. */
static void change(struct entry *e, u32 mask, u64 data)
{
	e->overlap |= e->changing++ > 0;
	e->asked |= mask;
	e->mask = mask;
	e->data = data;
}

/* It has answered. A thread that waits now may have one event already that was in order before. */
static void settle(struct entry *e)
{
	if (--e->changing)
		return;
	if (!waiting && !e->overlap)
		e->asked = e->mask;
	e->arms = e->overlap ? ANY_NUMBER : waiting + 1;
	e->overlap = false;
}

u64 fds_register(int epfd, int fd, u32 mask, u64 data)
{
	u64 name = 0;
	u32 i;

	lock(&files_lock);
	i = add(fd, FD_REGISTERED);
	if (i) {
		entries[i].instance = instance_of(epfd);
		change(&entries[i], mask, data);
		name = kernels_name(i);
		if (entries[*find(epfd)].common && !publish(i)) {
			cut(find_registered(fd, entries[i].instance, entries[i].serial));
			name = 0;
		}
	}
	unlock(&files_lock);
	return name;
}

/* The kernel has not refused a new registration, so the earlier ones under this number are over. */
static void drop_earlier(const struct entry *new)
{
	u32 *link = &chains[(u32)new->fd % CHAINS];

	while (*link) {
		const struct entry *e = &entries[*link];

		if (e->fd == new->fd && e->kind == FD_REGISTERED && e->instance == new->instance && e->serial < new->serial)
			cut(link);
		else
			link = &entries[*link].next;
	}
}

/* NULL: the descriptor was closed meanwhile, or it is another process's registration. */
static struct entry *entry_of(u64 name)
{
	u64 i = name & INDEX_MASK;

	return i < entry_fresh && entries[i].kind == FD_REGISTERED && entries[i].serial == name >> INDEX_BITS ? &entries[i] : NULL;
}

void fds_registered(u64 name, bool ok)
{
	struct entry *e;

	lock(&files_lock);
	if (!ok)
		watch_drop(name, true);
	e = entry_of(name);
	if (e) {
		if (ok) {
			e->made = true;
			settle(e);
			drop_earlier(e);
		} else {
			cut(find_registered(e->fd, e->instance, e->serial));
		}
	}
	unlock(&files_lock);
}

/* One that another process registered: its entry is there. */
static u64 modify_common(u64 instance, int fd, u32 mask, u64 *data)
{
	u64 name = watch_find(instance, fd);
	struct fds_watch w;

	if (!name || !watch_get(name, &w))
		return 0;
	watch_put(name, &(struct fds_watch){ .data = *data, .asked = mask });
	*data = w.data;
	return name;
}

u64 fds_modify(int epfd, int fd, u32 *mask, u64 *data)
{
	u64 name = 0, old_data;
	u32 i, old_mask;

	lock(&files_lock);
	i = *find_registered(fd, instance_of(epfd), 0);
	if (!i && entries[*find(epfd)].common) {
		name = modify_common(instance_of(epfd), fd, *mask, data);
	} else if (i) {
		old_mask = entries[i].mask;
		old_data = entries[i].data;
		change(&entries[i], *mask, *data);
		*mask = old_mask;
		*data = old_data;
		name = kernels_name(i);
		if (entries[*find(epfd)].common)
			publish(i);
	}
	unlock(&files_lock);
	return name;
}

void fds_modified(u64 name, bool ok, u32 old_mask, u64 old_data)
{
	struct fds_watch w;
	struct entry *e;

	lock(&files_lock);
	e = entry_of(name);
	if (e) {
		if (!ok) {
			e->mask = old_mask;
			e->data = old_data;
		}
		settle(e);
	}
	if (!ok && watch_get(name, &w))
		watch_put(name, &(struct fds_watch){ .data = old_data });
	unlock(&files_lock);
}

u64 fds_registration(int epfd, int fd)
{
	u64 name;
	u32 i;

	lock(&files_lock);
	i = *find_registered(fd, instance_of(epfd), 0);
	name = i ? kernels_name(i) : entries[*find(epfd)].common ? watch_find(instance_of(epfd), fd) : 0;
	unlock(&files_lock);
	return name;
}

void fds_wait_begins(int epfd, struct fds_wait *w)
{
	lock(&files_lock);
	w->epfd = epfd;
	w->instance = instance_of(epfd);
	w->id = ++last_wait;
	waiting++;
	unlock(&files_lock);
}

static bool is_asked(u32 mask, u32 asked)
{
	return mask && !(mask & ~((asked & ~HOW_BITS) | EPOLLERR | EPOLLHUP));
}

/* An event that another process registered. How often it comes is between that one and the kernel. */
static const char *judge_common(struct fds_event *event, u32 mask, const struct fds_watch *common, const struct fds_wait *w)
{
	if (common->instance != w->instance)
		return "it reports what is registered elsewhere";
	if (!is_asked(mask, common->asked))
		return "it reports an event that nobody asked for";
	event->mask = mask;
	event->data = common->data;
	return NULL;
}

/*
 * One event, in place. Returns what is wrong with it, or NULL. One that was possible a moment ago, or whose descriptor
 * has been closed while another process keeps the file open, is no lie; its mask becomes 0.
 */
static const char *judge(struct fds_event *event, const struct fds_wait *w)
{
	u64 i = event->data & INDEX_MASK, serial = event->data >> INDEX_BITS;
	struct fds_watch common = { .asked = 0 };
	bool is_common = watch_get(event->data, &common);
	u32 mask = event->mask;
	struct entry *e;

	event->mask = 0;
	if (!i || !serial || serial > __atomic_load_n(serials, __ATOMIC_SEQ_CST) || (i >= entry_fresh && serials == &last_serial))
		return "it reports what nobody registered";
	if (i >= entry_fresh || entries[i].serial != serial)
		return is_common ? judge_common(event, mask, &common, w) : NULL;
	e = &entries[i];
	if (e->kind != FD_REGISTERED)
		return "it reports what nobody registered";
	if (e->instance != w->instance)
		return "it reports what is registered elsewhere";
	if (e->wait == w->id)
		return "it reports the same descriptor twice";
	if (!is_asked(mask, e->asked | common.asked))
		return "it reports an event that nobody asked for";
	e->wait = w->id;
	if (is_common) {
		event->mask = mask;
		event->data = common.data;
		return NULL;
	}
	if (e->mask & EPOLLONESHOT && !e->changing && e->arms != ANY_NUMBER) {
		if (!e->arms)
			return "it reports once more what was to be reported once";
		e->arms--;
	}
	event->mask = mask;
	event->data = e->data;
	return NULL;
}

long fds_judge(struct fds_wait *w, struct fds_event *events, long n, const char **lie)
{
	long i, k = 0;

	lock(&files_lock);
	/* It may have become known meanwhile. */
	if (!w->instance)
		w->instance = instance_of(w->epfd);
	for (i = 0; i < n && !*lie; i++) {
		*lie = judge(&events[i], w);
		if (events[i].mask)
			events[k++] = events[i];
	}
	unlock(&files_lock);
	return k;
}

void fds_wait_ends(void)
{
	lock(&files_lock);
	waiting--;
	unlock(&files_lock);
}

/* --- calls that make and end descriptors ---------------------------------------------------------------- */

long sys_close(long nr, const u64 args[6])
{
	if (__atomic_load_n(&known, __ATOMIC_RELAXED))
		fds_forget(args[0], args[0]);
	free_numbers(args[0], args[0]);
	return checked(nr, hc_syscall(nr, (u32)args[0], 0, 0, 0, 0, 0), 0);
}

long sys_close_range(long nr, const u64 args[6])
{
	u32 first = args[0], last = args[1];

	if (first <= last && !(args[2] & CLOSE_RANGE_CLOEXEC)) {
		if (__atomic_load_n(&known, __ATOMIC_RELAXED))
			fds_forget(first, last);
		free_numbers(first, last);
	}
	return checked(nr, hc_syscall(nr, first, last, args[2], 0, 0, 0), 0);
}

/* dup, dup2, dup3. What was open under the new number is closed. */
long sys_dup(long nr, const u64 args[6])
{
	long r;

	if (nr == __NR_dup)
		return fds_duplicated(args[0], fds_new(nr, hc_syscall(nr, (u32)args[0], 0, 0, 0, 0, 0)));
	r = checked(nr, hc_syscall(nr, (u32)args[0], (u32)args[1], nr == __NR_dup3 ? args[2] : 0, 0, 0, 0), INT_MAX);
	if (!IS_ERR(r) && (u32)r != (u32)args[1])
		shim_lie(nr, r, "it is not the number that was asked for");
	if (!IS_ERR(r))
		take(r);
	return fds_duplicated(args[0], r);
}
