// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pstate.c - what a process remembers of protected files: which of its descriptors are such files', or directories' whose
 * path is known; the files; buffers for paths. All of it is made when the first path is looked at.
 *
 * A file is in the table while it has descriptors, calls that use it, or mappings. Of the last ones mm.c knows: it asks
 * for `held`, and tells when the last mapping is gone. Whoever comes last gives the object up.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/mman.h>
#include "mm.h"
#include "protect.h"
#include "thread.h"

struct lock protect_lock;
struct pstate *pstate;

static long make(bool mm_locked)
{
	long r;

	if (!mm_locked)
		lock(&mm_lock);
	r = pcommon_make();
	if (!r && !pstate) {
		r = mm_map(__NR_mmap, &(struct mm_wish){ .len = PAGE_UP(sizeof(*pstate)), .flags = MAP_NORESERVE, .fd = -1,
							 .prot = INKTAG_PROT_READ | INKTAG_PROT_WRITE,
							 .kind = INKTAG_KIND_PRIVATE, .what = MM_OWN });
		if (!IS_ERR(r)) {
			__atomic_store_n(&pstate, (struct pstate *)r, __ATOMIC_RELEASE);
			r = 0;
		}
	}
	if (!mm_locked)
		unlock(&mm_lock);
	return r;
}

long pstate_make(void)
{
	long r;

	if (__atomic_load_n(&pstate, __ATOMIC_ACQUIRE))
		return 0;
	lock(&protect_lock);
	r = make(false);
	unlock(&protect_lock);
	return r;
}

struct pbuf *pbuf_take(void)
{
	struct pbuf *b;
	long r;

	lock(&protect_lock);
	b = pstate->free;
	if (b)
		pstate->free = b->next;
	unlock(&protect_lock);
	if (b)
		return b;
	r = mm_map_own(PAGE_UP(sizeof(*b)), INKTAG_KIND_PRIVATE);
	return IS_ERR(r) ? NULL : (struct pbuf *)r;
}

void pbuf_give(struct pbuf *b)
{
	lock(&protect_lock);
	b->next = pstate->free;
	pstate->free = b;
	unlock(&protect_lock);
}

/* --- files. With the lock, unless they take it ------------------------------------------------------------ */

/* Nobody has it any more but maybe its mappings. */
static void let_go(struct pfile *f)
{
	const u64 serial = f->serial;

	if (f->fds || f->users)
		return;
	pwindows_drop(f);
	lock(&mm_lock);
	f->held = false;
	if (f->serial && !mm_has_file(serial))
		pfile_unmapped(serial);
	unlock(&mm_lock);
}

static struct pfile *file_of(u64 serial)
{
	u32 i;

	for (i = 0; pstate && i < PFILES; i++)
		if (pstate->file[i].serial == serial)
			return &pstate->file[i];
	return NULL;
}

/* With mm_lock, maybe without ours: entries change with mm_lock. */
void pfile_unmapped(u64 serial)
{
	struct pfile *f = file_of(serial);
	long r;

	if (!f || f->held)
		return;
	r = hc_share(serial, true);
	if (r)
		shim_violation(INKTAG_CHECK_STATE, serial, r,
			       "the hypervisor does not know protected file %ld (error %ld); ending this program",
			       (long)serial, -r);
	f->serial = 0;
	pcommon_file_drop(f->common);
}

u64 pfile_name(u64 serial)
{
	const struct pfile *f = file_of(serial);

	return f ? f->oid[0] ^ f->oid[1] : 0;
}

void pfile_put(struct pfile *f)
{
	lock(&protect_lock);
	f->users--;
	let_go(f);
	unlock(&protect_lock);
}

/* The file is in the table already, and stays. */
static struct pfile *again(const u64 oid[2])
{
	struct pfile *f = NULL;
	u32 i;

	lock(&mm_lock);
	for (i = 0; i < PFILES; i++) {
		f = &pstate->file[i];
		if (f->serial && f->oid[0] == oid[0] && f->oid[1] == oid[1])
			break;
	}
	if (i < PFILES)
		f->held = true;
	unlock(&mm_lock);
	return i < PFILES ? f : NULL;
}

static long add(struct pfile *f, const u64 oid[2], const char *prefix)
{
	long common = pcommon_file_add(oid), r;

	if (IS_ERR(common))
		return common;
	lock(&mm_lock);
	*f = (struct pfile){ .serial = mm_serial(), .oid = { oid[0], oid[1] }, .prefix = prefix, .common = common, .fd = -1,
			     .held = true };
	r = hc_file_open(f->serial, oid);
	if (r)
		f->serial = 0;
	unlock(&mm_lock);
	if (r)
		pcommon_file_drop(common);
	return r == -ENOSPC ? -ENFILE : r;
}

long pname_file(const struct ppath *p, const struct file_name *name, int fd, bool writable, struct pfile **out)
{
	struct pfile *f;
	long r = 0;
	u32 i;

	lock(&protect_lock);
	f = again(name->oid);
	if (!f) {
		for (i = 0; i < PFILES && pstate->file[i].serial; i++)
			;
		f = &pstate->file[i];
		r = i < PFILES ? add(f, name->oid, p->prefix) : -ENFILE;
	}
	if (!r) {
		f->users++;
		if (f->fd < 0 || (writable && !f->writable)) {
			f->fd = fd;
			f->writable = writable;
		}
		*out = f;
	}
	unlock(&protect_lock);
	return r;
}

/* --- descriptors ------------------------------------------------------------------------------------------ */

enum pkind pfd_get(int fd, struct popen *o)
{
	enum pkind kind = PFD_NONE;
	const struct pfd *p;

	if (!pfd_may_be(fd))
		return PFD_NONE;
	lock(&protect_lock);
	p = &pstate->fd[(u32)fd];
	kind = p->kind;
	if (kind == PFD_FILE) {
		o->desc = pdesc(p->index);
		o->file = &pstate->file[p->file];
		o->common = pcommon_file(o->file->common);
		o->fd = fd;
		o->borrowed = false;
		if (o->desc->serial == p->serial)
			o->file->users++;
		else
			kind = PFD_LOST;
	}
	unlock(&protect_lock);
	return kind;
}

void pfd_put(struct popen *o)
{
	if (o->borrowed)
		__atomic_sub_fetch(&o->file->borrowed, 1, __ATOMIC_SEQ_CST);
	pfile_put(o->file);
}

/* With the lock: of a file that is in use. */
static void use(struct pfile *f, struct popen *o)
{
	*o = (struct popen){ .file = f, .common = pcommon_file(f->common), .fd = f->fd, .borrowed = true };
	f->users++;
	f->borrowed++;
}

bool pfile_find(const u64 oid[2], struct popen *o)
{
	bool found = false;
	struct pfile *f;

	lock(&protect_lock);
	for (f = pstate->file; !found && f < pstate->file + PFILES; f++) {
		found = f->serial && f->fd >= 0 && f->writable && f->oid[0] == oid[0] && f->oid[1] == oid[1];
		if (found)
			use(f, o);
	}
	unlock(&protect_lock);
	return found;
}

bool pfile_of_mapping(u64 serial, struct popen *o)
{
	struct pfile *f;

	lock(&protect_lock);
	lock(&mm_lock);
	f = file_of(serial);
	if (f) {
		f->held = true;
		use(f, o);
	}
	unlock(&mm_lock);
	unlock(&protect_lock);
	return f;
}

static struct pfile *file_at(int fd)
{
	return &pstate->file[pstate->fd[fd].file];
}

static bool has_desc(u32 index)
{
	u32 i;

	for (i = 0; i < pstate->fd_end; i++)
		if (pstate->fd[i].kind == PFD_FILE && pstate->fd[i].index == index)
			return true;
	return false;
}

static void forget(u32 fd)
{
	struct pfd was = pstate->fd[fd];
	struct pfile *f;
	u32 i;

	if (was.kind == PFD_DIR)
		pstate->dir[was.index].fds--;
	if (was.kind != PFD_FILE) {
		pstate->fd[fd].kind = PFD_NONE;
		return;
	}
	f = file_at(fd);
	pfile_touch(pcommon_file(f->common), fd);
	pstate->fd[fd].kind = PFD_NONE;
	f->fds--;
	if (f->fd == (int)fd) {
		f->fd = -1;
		for (i = 0; f->fds && i < pstate->fd_end; i++)
			if (pstate->fd[i].kind == PFD_FILE && file_at(i) == f)
				f->fd = i;
	}
	if (!has_desc(was.index))
		pdesc_drop(was.index);
	let_go(f);
}

static bool is_borrowed(u32 fd)
{
	return pstate->fd[fd].kind == PFD_FILE && file_at(fd)->fd == (int)fd &&
	       __atomic_load_n(&file_at(fd)->borrowed, __ATOMIC_SEQ_CST);
}

void pfd_forget(u32 first, u32 last)
{
	u32 i;

	if (!__atomic_load_n(&pstate, __ATOMIC_ACQUIRE))
		return;
	lock(&protect_lock);
	for (i = first; i <= last && i < pstate->fd_end; i++) {
		/* A call that has not been given this descriptor uses it: its number must not be another file's yet. */
		while (is_borrowed(i)) {
			unlock(&protect_lock);
			hc_syscall_must(__NR_sched_yield, 0, 0, 0, 0, 0, 0);
			lock(&protect_lock);
		}
		if (pstate->fd[i].kind != PFD_NONE)
			forget(i);
	}
	unlock(&protect_lock);
}

/* The place of a descriptor that is new. With the lock. */
static struct pfd *place(int fd)
{
	if (pstate->fd[fd].kind != PFD_NONE)
		forget(fd);
	if ((u32)fd >= pstate->fd_end)
		pstate->fd_end = fd + 1;
	return &pstate->fd[fd];
}

long pfd_add_dir(int fd, const char *path, bool protected)
{
	u32 i;

	if ((u32)fd >= PFDS)
		return -EMFILE;
	lock(&protect_lock);
	for (i = 0; i < PDIRS && pstate->dir[i].fds; i++)
		;
	if (i < PDIRS) {
		*place(fd) = (struct pfd){ .kind = PFD_DIR, .index = i };
		pstate->dir[i].fds = 1;
		pstate->dir[i].protected = protected;
		memcpy(pstate->dir[i].path, path, shim_strnlen(path, PATH_MAX - 1) + 1);
	}
	unlock(&protect_lock);
	return i < PDIRS ? 0 : -ENFILE;
}

long pfd_add_file(int fd, struct pfile *f, u32 flags)
{
	u32 serial = 0;
	long i;

	if ((u32)fd >= PFDS)
		return -EMFILE;
	lock(&protect_lock);
	i = pdesc_add(flags, &serial);
	if (!IS_ERR(i)) {
		f->fds++;
		*place(fd) = (struct pfd){ .kind = PFD_FILE, .file = f - pstate->file, .index = i, .serial = serial };
	}
	unlock(&protect_lock);
	return IS_ERR(i) ? i : 0;
}

void pfd_set_cloexec(int fd, bool on)
{
	lock(&protect_lock);
	pstate->fd[(u32)fd].cloexec = on;
	unlock(&protect_lock);
}

bool pfd_cloexec(int fd)
{
	return pstate->fd[(u32)fd].cloexec;
}

void pfd_copy(int old, int new)
{
	struct pfd p;

	if (old == new || !__atomic_load_n(&pstate, __ATOMIC_ACQUIRE) || (u32)old >= PFDS || (u32)new >= PFDS)
		return;
	lock(&protect_lock);
	p = pstate->fd[old];
	if (p.kind == PFD_FILE)
		file_at(old)->fds++;
	if (p.kind == PFD_DIR)
		pstate->dir[p.index].fds++;
	if (p.kind != PFD_NONE)
		*place(new) = p;
	else if (pstate->fd[new].kind != PFD_NONE)
		forget(new);
	unlock(&protect_lock);
}

bool pfd_is_protected_dir(u64 fd)
{
	bool is;

	if (!pfd_may_be(fd))
		return false;
	lock(&protect_lock);
	is = pstate->fd[(u32)fd].kind == PFD_DIR && pstate->dir[pstate->fd[(u32)fd].index].protected;
	unlock(&protect_lock);
	return is;
}

bool pfd_dir_path(int fd, char *to)
{
	bool is;

	if (!pfd_may_be(fd))
		return false;
	lock(&protect_lock);
	is = pstate->fd[fd].kind == PFD_DIR;
	if (is)
		memcpy(to, pstate->dir[pstate->fd[fd].index].path, PATH_MAX);
	unlock(&protect_lock);
	return is;
}

/* --- fork ------------------------------------------------------------------------------------------------- */

/* Also a program that has no protected file yet: what parent and child open later, they know together. */
long protect_fork(void)
{
	long r;

	if (!protect_on())
		return 0;
	r = make(true);
	return r ? r : pcommon_fork();
}

void protect_not_forked(void)
{
	if (protect_on())
		pcommon_not_forked();
}

/* The calls of other threads are not there. */
void protect_forked(void)
{
	u32 i;

	if (!protect_on())
		return;
	pcommon_forked();
	for (i = 0; i < PWINDOWS; i++)
		pstate->window[i].users = 0;
	for (i = 0; i < PFILES; i++)
		pstate->file[i].users = pstate->file[i].borrowed = 0;
}
