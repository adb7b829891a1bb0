// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pfile.c - a protected file: data through windows, the length, making it durable.
 *
 * The rules of the length: what lies below it was written, or is zero. So data is in its window before the length
 * reaches it. Of the page in which the length ends the hypervisor knows no part: the rest of it is cleared here before
 * the length passes over it, and also before the file is made shorter. Who writes or changes the length holds the
 * family's lock of the file. With others (HAPs of no common parent) nothing worse happens than that of two lengths one counts:
 * each step leaves pages that read as written or as zero.
 *
 * The backing file is only ever made longer, by a call that cannot make it shorter: a process that has a window cannot
 * know who else would cut it off below. Its space comes back when it is removed.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/uio.h>
#include <asm/stat.h>
#include "mm.h"
#include "protect.h"
#include "thread.h"

#define SMALL		0x10000UL	/* up to here the backing file grows by pages, then by windows */
#define BUSY_TRIES	8
#define UTIME_NOW	((1L << 30) - 1)
#define UTIME_OMIT	((1L << 30) - 2)

/* --- windows ---------------------------------------------------------------------------------------------- */

/* With protect_lock: one that may be used for another part; NULL: calls are using all of them. */
static struct pwindow *window_free(void)
{
	struct pwindow *w, *oldest = NULL;

	for (w = pstate->window; w < pstate->window + PWINDOWS; w++) {
		if (!w->file)
			return w;
		if (!w->users && (!oldest || w->last_use < oldest->last_use))
			oldest = w;
	}
	return oldest;
}

static void window_drop(struct pwindow *w)
{
	if (w->file)
		mm_unmap_own(w->addr);
	w->file = NULL;
}

void pwindows_drop(struct pfile *f)
{
	struct pwindow *w;

	for (w = pstate->window; w < pstate->window + PWINDOWS; w++)
		if (w->file == f && !w->users)
			window_drop(w);
}

/* There is no memory, or no descriptor, for one more: was there a window that could go? */
static bool windows_drop_others(void)
{
	struct pwindow *w;
	bool any = false;

	for (w = pstate->window; w < pstate->window + PWINDOWS; w++) {
		if (!w->file || w->users)
			continue;
		window_drop(w);
		any = true;
	}
	return any;
}

static long window_map(struct pwindow *w, struct pfile *f, u64 index)
{
	long r;

	window_drop(w);
	if (f->fd < 0)
		return -EBADF;	/* another thread has closed it */
	lock(&mm_lock);
	r = mm_map(__NR_mmap, &(struct mm_wish){ .len = PWINDOW_SIZE, .offset = index * PWINDOW_SIZE, .serial = f->serial,
						 .prot = INKTAG_PROT_READ | (f->writable ? INKTAG_PROT_WRITE : 0),
						 .flags = MAP_SHARED, .kind = INKTAG_KIND_FILE, .what = MM_OWN | MM_FILE,
						 .fd = f->fd });
	unlock(&mm_lock);
	if (IS_ERR(r))
		return r == -ENOMEM && windows_drop_others() ? window_map(w, f, index) : r;
	*w = (struct pwindow){ .file = f, .index = index, .addr = r, .writable = f->writable };
	return 0;
}

static struct pwindow *window_find(const struct pfile *f, u64 index, bool write)
{
	struct pwindow *w;

	for (w = pstate->window; w < pstate->window + PWINDOWS; w++)
		if (w->file == f && w->index == index && (w->writable || !write))
			return w;
	return NULL;
}

/* The window with this part of the file, which stays while it has users. */
static long window_get(struct pfile *f, u64 index, bool write, struct pwindow **out)
{
	struct pwindow *w;
	long r = 0;

	for (;;) {
		lock(&protect_lock);
		w = window_find(f, index, write);
		if (!w) {
			w = window_free();
			if (w)
				r = window_map(w, f, index);
		}
		if (w && !r) {
			w->users++;
			w->last_use = ++pstate->uses;
		}
		unlock(&protect_lock);
		if (w)
			break;
		hc_syscall_must(__NR_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	*out = w;
	return r;
}

static void window_put(struct pwindow *w)
{
	__atomic_sub_fetch(&w->users, 1, __ATOMIC_SEQ_CST);
}

/* --- copies ----------------------------------------------------------------------------------------------- */

struct pvec pvec_of(u64 addr, u64 len)
{
	return (struct pvec){ .base = addr, .len = len };
}

/* The next part of the program's memory; false: its pointers are wrong. */
static bool vec_next(struct pvec *v)
{
	struct iovec part;

	while (!v->len) {
		if (pcopy(&part, v->iov++, sizeof(part)))
			return false;
		v->base = (u64)part.iov_base;
		v->len = part.iov_len;
	}
	return user_range_ok(v->base, v->len);
}

enum copy { TO_PROGRAM, FROM_PROGRAM, ZEROS };

/* How many of n bytes from `in` on in the window were copied; *error says why not all. */
static u64 copy(const struct pwindow *w, u64 in, struct pvec *v, u64 n, enum copy how, long *error)
{
	const u64 at = w->addr + in;
	struct thread *t = self();
	u64 done = 0, part, left;

	while (done < n) {
		if (how != ZEROS && !vec_next(v)) {
			*error = -EFAULT;
			break;
		}
		part = how == ZEROS || v->len > n - done ? n - done : v->len;
		t->copy_window = w->addr;
		t->copy_failed = 0;
		left = how == ZEROS ? pclear((void *)(at + done), part) :
		       how == TO_PROGRAM ? pcopy((void *)v->base, (const void *)(at + done), part) :
					   pcopy((void *)(at + done), (const void *)v->base, part);
		done += part - left;
		if (how != ZEROS) {
			v->base += part - left;
			v->len -= part - left;
		}
		if (left) {
			*error = t->copy_failed == COPY_OF_WINDOW ? -EIO : -EFAULT;
			break;
		}
	}
	t->copy_window = 0;
	return done;
}

/* Between the file and the program; how many bytes, or an error if there is none. */
static long move(struct popen *o, struct pvec *v, u64 len, u64 offset, enum copy how)
{
	u64 done = 0, in, n, did;
	struct pwindow *w;
	long r = 0;

	while (done < len && !r) {
		in = (offset + done) % PWINDOW_SIZE;
		n = len - done < PWINDOW_SIZE - in ? len - done : PWINDOW_SIZE - in;
		r = window_get(o->file, (offset + done) / PWINDOW_SIZE, how != TO_PROGRAM, &w);
		if (r)
			break;
		did = copy(w, in, v, n, how, &r);
		window_put(w);
		done += did;
	}
	return done ? (long)done : r;
}

/* --- the length ------------------------------------------------------------------------------------------- */

/* With the lock of the file. An error of the store is one of the call; any other one is none that can be. */
static long length_call(struct popen *o, enum inktag_length_op op, u64 length)
{
	long r;
	u32 i;

	/* Whatever becomes of this process, nobody goes by a length that is too long. */
	if (op == INKTAG_LENGTH_SET)
		__atomic_store_n(&o->common->length, PLENGTH_UNKNOWN, __ATOMIC_SEQ_CST);
	for (i = 0; i < BUSY_TRIES; i++) {
		r = hc_file_length(o->file->serial, op, length);
		if (r != -EBUSY)
			break;
		r = pfile_sync(o);
		if (r)
			break;
		r = -EIO;
	}
	__atomic_store_n(&o->common->length, IS_ERR(r) ? PLENGTH_UNKNOWN : (u64)r, __ATOMIC_SEQ_CST);
	return IS_ERR(r) && r != -ENOMEM && r != -ENOSPC ? -EIO : r;
}

static void take(struct popen *o)
{
	plock_take(&o->common->lock);
}

static void give(struct popen *o)
{
	plock_give(&o->common->lock);
}

long pfile_length(struct popen *o)
{
	long r;

	take(o);
	r = length_call(o, INKTAG_LENGTH_GET, 0);
	give(o);
	return r;
}

/* What the kernel says of its length is only good for not asking it to make the file longer. */
static u64 backed_now(int fd)
{
	u64 mark = arena_mark(), size = 0;
	struct stat *st = arena_alloc(sizeof(*st));

	if (st && !checked(__NR_fstat, hc_syscall_must(__NR_fstat, fd, (u64)st, 0, 0, 0, 0), 0))
		size = *(volatile __typeof__(st->st_size) *)&st->st_size;
	arena_release(mark);
	return (s64)size < 0 ? 0 : PAGE_DOWN(size);
}

long pfile_back(struct popen *o, u64 length)
{
	u64 end = length <= SMALL ? PAGE_UP(length) : (length + PWINDOW_SIZE - 1) & ~(PWINDOW_SIZE - 1);
	long r;

	if (!length || o->file->backed >= PAGE_UP(length))
		return 0;
	o->file->backed = backed_now(o->fd);
	if (o->file->backed >= PAGE_UP(length))
		return 0;
	r = checked(__NR_fallocate, hc_syscall_must(__NR_fallocate, o->fd, 0, end - INKTAG_PAGE_SIZE, INKTAG_PAGE_SIZE, 0, 0), 0);
	/* A file system without it: between this and the question above only who is not of the family comes. */
	if (r == -EOPNOTSUPP)
		r = checked(__NR_ftruncate, hc_syscall_must(__NR_ftruncate, o->fd, end, 0, 0, 0, 0), 0);
	if (!r)
		o->file->backed = end;
	return r;
}

/* With the lock: what is behind the length in its page must not come to light when the length grows. */
static long clear_tail(struct popen *o, u64 length)
{
	long r = 0;

	if (length % INKTAG_PAGE_SIZE)
		r = move(o, NULL, PAGE_UP(length) - length, length, ZEROS);
	return r < 0 ? r : 0;
}

/* With the lock. */
static long longer(struct popen *o, u64 from, u64 to)
{
	long r = pfile_back(o, to);

	if (!r)
		r = clear_tail(o, from);
	if (!r)
		r = length_call(o, INKTAG_LENGTH_SET, to);
	return r < 0 ? r : 0;
}

long pfile_set_length(struct popen *o, u64 length, bool exactly)
{
	long now, r = 0;

	if (length > INKTAG_LENGTH_MAX)
		return -EFBIG;
	take(o);
	now = length_call(o, INKTAG_LENGTH_GET, 0);
	if (now < 0) {
		r = now;
	} else if ((u64)now < length) {
		r = longer(o, now, length);
	} else if (exactly && (u64)now > length) {
		r = pfile_back(o, now);
		if (!r)
			r = clear_tail(o, length);
		if (!r)
			r = length_call(o, INKTAG_LENGTH_SET, length);
	}
	if (r >= 0)
		__atomic_store_n(&o->common->written, 1, __ATOMIC_SEQ_CST);
	give(o);
	return r < 0 ? r : 0;
}

/* --- reading and writing ---------------------------------------------------------------------------------- */

long pfile_read(struct popen *o, struct pvec *v, u64 len, u64 offset)
{
	u64 known = __atomic_load_n(&o->common->length, __ATOMIC_SEQ_CST);
	long r;

	if (known == PLENGTH_UNKNOWN || offset >= known || len > known - offset) {
		r = pfile_length(o);
		if (r < 0)
			return r;
		known = r;
	}
	if (offset >= known)
		return 0;
	if (len > known - offset)
		len = known - offset;
	/* It may be shorter after a crash. If it stays so, there is no page: an error of the copy. */
	pfile_back(o, offset + len);
	return move(o, v, len, offset, TO_PROGRAM);
}

/* With the lock. */
static long write_at(struct popen *o, struct pvec *v, u64 len, u64 offset, enum copy how)
{
	u64 known = o->common->length;
	long r, did;

	if (known == PLENGTH_UNKNOWN || offset > known) {
		r = length_call(o, INKTAG_LENGTH_GET, 0);
		if (r >= 0 && offset > (u64)r)
			r = longer(o, r, offset);
		if (r < 0)
			return r;
	}
	r = pfile_back(o, offset + len);
	if (r)
		return r;
	did = move(o, v, len, offset, how);
	if (did > 0) {
		__atomic_store_n(&o->common->written, 1, __ATOMIC_SEQ_CST);
		r = length_call(o, INKTAG_LENGTH_REACH, offset + did);
		if (r < 0)
			return r;
	}
	return did;
}

static long room(u64 offset, u64 *len)
{
	if (offset >= INKTAG_LENGTH_MAX)
		return -EFBIG;
	if (*len > INKTAG_LENGTH_MAX - offset)
		*len = INKTAG_LENGTH_MAX - offset;
	return 0;
}

long pfile_write(struct popen *o, struct pvec *v, u64 len, u64 offset, u64 *end)
{
	long r = 0;

	*end = offset;
	if (!len)
		return 0;
	take(o);
	if (offset == PAPPEND) {
		r = length_call(o, INKTAG_LENGTH_GET, 0);
		offset = r;
	}
	if (r >= 0)
		r = room(offset, &len);
	if (!r)
		r = write_at(o, v, len, offset, FROM_PROGRAM);
	if (r > 0)
		*end = offset + r;
	give(o);
	return r;
}

long pfile_zero(struct popen *o, u64 offset, u64 len)
{
	long r;

	take(o);
	r = room(offset, &len);
	if (!r)
		r = write_at(o, NULL, len, offset, ZEROS);
	give(o);
	return r < 0 ? r : (u64)r < len ? -EIO : 0;
}

/* --- making it durable ------------------------------------------------------------------------------------ */

static long sync_directory(const char *in)
{
	long fd, r;

	fd = checked(__NR_openat, hc_syscall_must(__NR_openat, AT_FDCWD, (u64)in, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0), 0x7fffffff);
	if (IS_ERR(fd))
		return fd;
	r = checked(__NR_fsync, hc_syscall_must(__NR_fsync, fd, 0, 0, 0, 0, 0), 0);
	hc_syscall_must(__NR_close, fd, 0, 0, 0, 0, 0);
	return r;
}

/* The directory of the backing file, which may be new in it; and the one that has this directory. */
static long sync_home(const struct pfile *f)
{
	const u64 home = protect_home(f->prefix);
	static const char name[] = PROTECT_HOME;
	u64 mark = arena_mark();
	char *in = arena_alloc(home + sizeof(name));
	long r = -ENOMEM;

	if (in) {
		memcpy(in, f->prefix, home);
		memcpy(in + home, name, sizeof(name));
		r = sync_directory(in);
		in[home] = 0;
		if (!r) {
			/* Who may not read this one did not make the other in it. */
			r = sync_directory(in);
			r = r == -EACCES ? 0 : r;
		}
	}
	arena_release(mark);
	return r;
}

static long sync_data(struct popen *o)
{
	return checked(__NR_fsync, hc_syscall_must(__NR_fsync, o->fd, 0, 0, 0, 0, 0), 0);
}

/* What is in the store already is made durable, which makes room there. */
static long settle_older(struct popen *o)
{
	const u64 serial = o->file->serial;
	long ticket = hc_file_sync(serial, INKTAG_SYNC_SEAL, 0), r;

	if (ticket < 0)
		return ticket;
	r = sync_data(o);
	return r ? r : hc_file_sync(serial, INKTAG_SYNC_SETTLE, ticket);
}

void pfile_touch(struct pcommon_file *common, int fd)
{
	u64 mark = arena_mark();
	struct __kernel_timespec *times;

	if (!__atomic_exchange_n(&common->written, 0, __ATOMIC_SEQ_CST))
		return;
	times = arena_alloc(2 * sizeof(*times));
	if (times) {
		times[0] = (struct __kernel_timespec){ .tv_nsec = UTIME_OMIT };
		times[1] = (struct __kernel_timespec){ .tv_nsec = UTIME_NOW };
		hc_syscall_must(__NR_utimensat, fd, 0, (u64)times, 0, 0, 0);
	}
	arena_release(mark);
}

long pfile_sync(struct popen *o)
{
	const u64 serial = o->file->serial;
	long mark, ticket, r;

	pfile_touch(o->common, o->fd);
	mark = hc_file_sync(serial, INKTAG_SYNC_BEGIN, 0);
	if (mark < 0)
		return -EIO;
	ticket = hc_file_sync(serial, INKTAG_SYNC_SEAL, mark);
	if (ticket == -EBUSY && !settle_older(o))
		ticket = hc_file_sync(serial, INKTAG_SYNC_SEAL, mark);
	if (ticket < 0)
		return -EIO;
	r = sync_data(o);
	if (!r && __atomic_load_n(&o->common->new, __ATOMIC_SEQ_CST)) {
		r = sync_home(o->file);
		if (!r)
			__atomic_store_n(&o->common->new, 0, __ATOMIC_SEQ_CST);
	}
	if (r)
		return -EIO;
	return hc_file_sync(serial, INKTAG_SYNC_SETTLE, ticket) ? -EIO : 0;
}
