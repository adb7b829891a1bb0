// SPDX-License-Identifier: LGPL-2.1-or-later
/* ppath.c - protected files: the calls with paths. */
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "pcalls.h"

#define W_OK	2
#define X_OK	1

#define FLAGS_KEPT	(O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC)

/* The kernel's stat of a path of ours, or of a descriptor (path NULL): what kind of file it says it is; 0: none. */
static u32 kind_of(int fd, const char *path)
{
	u64 mark = arena_mark();
	struct stat *st = arena_alloc(sizeof(*st));
	char *in = path ? pname_in(path) : NULL;
	u32 mode = 0;
	long r = -ENOMEM;

	if (st && path)
		r = in ? hc_syscall_must(__NR_stat, (u64)in, (u64)st, 0, 0, 0, 0) : -ENOMEM;
	else if (st)
		r = hc_syscall_must(__NR_fstat, fd, (u64)st, 0, 0, 0, 0);
	if (!r)
		mode = *(volatile unsigned int *)&st->st_mode & S_IFMT;
	arena_release(mark);
	return mode;
}

/* May names be made and removed where this one is? Directories are the kernel's. */
static long may_change(struct pbuf *b, const char *path)
{
	u64 mark = arena_mark(), i, n = 1;
	char *in = pname_in(path);
	long r = -ENOMEM;

	for (i = 1; in && path[i]; i++)
		if (path[i] == '/')
			n = i;
	if (in) {
		in[n] = 0;
		r = checked(__NR_access, hc_syscall_must(__NR_access, (u64)in, W_OK | X_OK, 0, 0, 0, 0), 0);
	}
	arena_release(mark);
	return r;
}

/* The name that is opened, which is made if there is none and it may be. *made: it is new. */
static long find_or_make(struct pbuf *b, const struct ppath *p, u32 flags, struct file_name *name, bool *made)
{
	long r;

	for (*made = false;; *made = false) {
		r = pname(b, INKTAG_NAME_LOOKUP, p->at, NULL, name);
		if (r != -ENOENT || !(flags & O_CREAT))
			break;
		if (p->directory)
			return -EISDIR;
		r = may_change(b, p->at);
		if (r)
			return r;
		*made = true;
		r = pname(b, INKTAG_NAME_CREATE, p->at, NULL, name);
		if (r != -EEXIST)
			return r;
		/* Another process was faster. */
	}
	if (r)
		return r;
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	return flags & O_DIRECTORY || p->directory ? -ENOTDIR : 0;
}

/* The descriptor of a file that the store has. */
static long open_file(struct pbuf *b, const struct ppath *p, const struct file_name *name, u32 flags, u32 mode, bool made)
{
	struct popen o = { 0 };
	struct pfile *f = NULL;
	long fd, r, mapped;

	fd = pname_open_backing(b, p, name->oid, flags, mode);
	if (IS_ERR(fd))
		return fd;
	mapped = checked(__NR_fcntl, hc_syscall_must(__NR_fcntl, fd, F_GETFL, 0, 0, 0, 0), 0x7fffffff);
	r = pname_file(p, name, fd, !IS_ERR(mapped) && (mapped & O_ACCMODE) == O_RDWR, &f);
	if (!r)
		r = pfd_add_file(fd, f, flags & FLAGS_KEPT);
	if (!r && made)
		__atomic_store_n(&pcommon_file(f->common)->new, 1, __ATOMIC_SEQ_CST);
	if (!r && flags & O_TRUNC && pfd_get(fd, &o) == PFD_FILE) {
		r = pfile_set_length(&o, 0, true);
		pfd_put(&o);
	}
	if (r) {
		pfd_forget(fd, fd);
		sys_close(__NR_close, (const u64[6]){ fd });
	}
	if (f)
		pfile_put(f);	/* the descriptor has it */
	return r ? r : fd;
}

/* A directory's descriptor has its path from now on. */
static long opened(long fd, const struct ppath *p, u32 flags)
{
	long r;

	if (IS_ERR(fd) || !(flags & (O_DIRECTORY | O_PATH) || kind_of(fd, NULL) == S_IFDIR))
		return fd;
	r = pfd_add_dir(fd, p->at);
	if (r)
		sys_close(__NR_close, (const u64[6]){ fd });
	return r ? r : fd;
}

static long open_protected(struct pbuf *b, const struct ppath *p, u32 flags, u32 mode)
{
	struct file_name name;
	bool made, is_directory = false;
	u64 mark = arena_mark();
	char *in;
	long r;

	if (!(flags & O_CREAT) || !(flags & O_EXCL))
		is_directory = kind_of(-1, p->at) == S_IFDIR;
	if (is_directory) {
		if (flags & O_CREAT || (flags & O_ACCMODE) != O_RDONLY)
			return -EISDIR;
		in = pname_in(p->at);
		r = in ? fds_new(__NR_openat, hc_syscall_must(__NR_openat, AT_FDCWD, (u64)in, flags | O_DIRECTORY, 0, 0, 0)) : -ENOMEM;
		arena_release(mark);
		return opened(r, p, O_DIRECTORY);
	}
	if (flags & O_PATH || (flags & __O_TMPFILE) == __O_TMPFILE)
		return -EOPNOTSUPP;
	r = find_or_make(b, p, flags, &name, &made);
	if (r)
		return r;
	r = open_file(b, p, &name, flags, mode, made);
	if (IS_ERR(r) && made)
		pname(b, INKTAG_NAME_UNLINK, p->at, NULL, &name);
	return r;
}

/* open, openat, creat */
long ppath_open(long nr, const u64 args[6])
{
	const int path = nr == __NR_openat;
	const u32 flags = nr == __NR_creat ? O_CREAT | O_WRONLY | O_TRUNC : args[path + 1];
	const u32 mode = args[nr == __NR_creat ? 1 : path + 2];
	struct pbuf *b = pbuf_take();
	struct ppath p;
	long r;

	if (!b)
		return -ENOMEM;
	r = protect_path(b, 0, path ? (int)args[0] : AT_FDCWD, args[path], &p);
	if (!r && p.prefix)
		r = open_protected(b, &p, flags, mode);
	else if (!r)
		r = opened(nr == __NR_creat ? marshal_call(nr, &call_table[nr], args) : sys_open(nr, args), &p, flags);
	pbuf_give(b);
	return r;
}
