// SPDX-License-Identifier: LGPL-2.1-or-later
/* ppath.c - protected files: the calls with paths. */
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include "pcalls.h"

#define W_OK	2
#define X_OK	1

#define FLAGS_KEPT	(O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC | O_NONBLOCK | O_NOATIME)
#define STAT_FLAGS	(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)

u32 ppath_kind(int fd, const char *path)
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

enum { IS_FILE, IS_DIRECTORY };

/*
 * The name that is opened, which is made if there is none and it may be. Only of a name that the store has not may the kernel
 * say that it is a directory's.
 */
static long find_or_make(struct pbuf *b, const struct ppath *p, u32 flags, struct file_name *name)
{
	long r;

	for (;;) {
		r = pname(b, INKTAG_NAME_LOOKUP, p->at, NULL, name);
		if (r == -ENOENT && ppath_kind(-1, p->at) == S_IFDIR)
			return IS_DIRECTORY;
		if (r != -ENOENT || !(flags & O_CREAT) || flags & O_PATH)
			break;
		if (p->directory)
			return -EISDIR;
		r = may_change(b, p->at);
		if (r)
			return r;
		r = pname(b, INKTAG_NAME_CREATE, p->at, NULL, name);
		if (r != -EEXIST)
			return r;
		/* Another process was faster. */
	}
	if (r)
		return r;
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	return flags & O_DIRECTORY || p->directory ? -ENOTDIR : IS_FILE;
}

/* The descriptor of a file that the store has. */
static long open_file(struct pbuf *b, const struct ppath *p, const struct file_name *name, u32 flags, u32 mode)
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
	if (!r && flags & O_CLOEXEC)
		pfd_set_cloexec(fd, true);
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

	if (IS_ERR(fd) || !(flags & (O_DIRECTORY | O_PATH) || ppath_kind(fd, NULL) == S_IFDIR))
		return fd;
	r = pfd_add_dir(fd, p->at, p->prefix);
	if (r)
		sys_close(__NR_close, (const u64[6]){ fd });
	return r ? r : fd;
}

static long open_directory(const struct ppath *p, u32 flags)
{
	u64 mark = arena_mark();
	char *in;
	long r;

	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (flags & O_CREAT || (flags & O_ACCMODE) != O_RDONLY)
		return -EISDIR;
	in = pname_in(p->at);
	r = in ? fds_new(__NR_openat, hc_syscall_must(__NR_openat, AT_FDCWD, (u64)in, flags | O_DIRECTORY, 0, 0, 0)) : -ENOMEM;
	arena_release(mark);
	return opened(r, p, O_DIRECTORY);
}

/* A file that was made stays if it cannot be opened: by its name another process may have another one by now. */
static long open_protected(struct pbuf *b, const struct ppath *p, u32 flags, u32 mode)
{
	struct file_name name;
	long r = find_or_make(b, p, flags, &name);

	if (r == IS_DIRECTORY)
		return open_directory(p, flags);
	if (flags & O_PATH && (r == IS_FILE || r == -ENOTDIR))
		return -EOPNOTSUPP;
	return r ? r : open_file(b, p, &name, flags, mode);
}

/* How a call is looked at: which arguments are its paths, and the directories that they begin at; -1: none. */
struct paths {
	struct pbuf *b;
	struct ppath p[2];
};

/* The paths of a call. With an error there is nothing to be given back. */
static long paths_take(struct paths *s, const u64 args[6], const int at[][2], int count)
{
	long r = 0;
	int i;

	s->b = pbuf_take();
	if (!s->b)
		return -ENOMEM;
	for (i = 0; !r && i < count; i++)
		r = protect_path(s->b, i, at[i][0] < 0 ? AT_FDCWD : (int)args[at[i][0]], args[at[i][1]], &s->p[i]);
	if (r)
		pbuf_give(s->b);
	return r;
}

static long done(struct paths *s, long r)
{
	pbuf_give(s->b);
	return r;
}

/* The call as any other program's, with other arguments. */
static long row(long nr, const u64 args[6])
{
	const struct call *call = &call_table[nr];

	return call->handler ? call->handler(nr, args) : marshal_call(nr, call, args);
}

/* open, openat, creat, openat2 */
static long open_as(long nr, const u64 args[6], int dir, u64 path, u32 flags, u32 mode)
{
	const u64 of[6] = { dir, path };
	struct paths s;
	long r = paths_take(&s, of, (const int[][2]){ { 0, 1 } }, 1);

	if (r)
		return r;
	/* Without a name, where a protected file may be meant. */
	if (flags & __O_TMPFILE && (s.p->prefix || protect_is_home(s.p->at)))
		return done(&s, -EOPNOTSUPP);
	return done(&s, s.p->prefix ? open_protected(s.b, s.p, flags, mode) : opened(row(nr, args), s.p, flags));
}

long ppath_open(long nr, const u64 args[6])
{
	const int path = nr == __NR_openat;

	return open_as(nr, args, path ? (int)args[0] : AT_FDCWD, args[path], args[path + 1], args[path + 2]);
}

long ppath_creat(long nr, const u64 args[6])
{
	return open_as(nr, args, AT_FDCWD, args[0], O_CREAT | O_WRONLY | O_TRUNC, args[1]);
}

/* Ways of looking a path up that are not by its text alone are the kernel's, and for paths that are not protected. */
long ppath_openat2(long nr, const u64 args[6])
{
	struct {
		u64 flags, mode, resolve;
	} how;

	if (args[3] < sizeof(how))
		return -EINVAL;
	if (!user_range_ok(args[2], sizeof(how)) || pcopy(&how, (const void *)args[2], sizeof(how)))
		return -EFAULT;
	return how.resolve ? -EOPNOTSUPP : open_as(nr, args, args[0], args[1], how.flags, how.mode);
}

/* --- attributes -------------------------------------------------------------------------------------------- */

/* The backing file's path, of a file that the store has; it is there after a crash, too. */
static long find_backing(struct paths *s, struct file_name *name)
{
	long r = pname(s->b, INKTAG_NAME_LOOKUP, s->p->at, NULL, name);

	if (!r && s->p->directory)
		r = -ENOTDIR;
	if (!r)
		r = pname_backing(s->b, s->p->prefix, name->oid);
	if (!r && !ppath_kind(-1, s->b->backing)) {
		r = pname_open_backing(s->b, s->p, name->oid, O_RDONLY, 0600);
		if (!IS_ERR(r))
			r = sys_close(__NR_close, (const u64[6]){ r });
	}
	return r;
}

/* What the store does not have may be a directory of the kernel's, or a socket or the like; but no file, and no link. */
static bool is_kernels(const struct paths *s)
{
	const u32 kind = ppath_kind(-1, s->p->at);

	return kind && kind != S_IFREG && kind != S_IFLNK;
}

/* The call has one path, and gets that of the backing file instead; or in its one form, if it is the kernel's. */
static long on_backing(long nr, const u64 args[6], int dir, int path)
{
	u64 given[6];
	struct file_name name;
	struct popen o;
	struct paths s;
	long r = paths_take(&s, args, (const int[][2]){ { dir, path } }, 1);

	if (r)
		return r;
	if (!s.p->prefix)
		return done(&s, PNOT_OURS);
	memcpy(given, args, sizeof(given));
	if (dir >= 0)
		given[dir] = AT_FDCWD;
	r = find_backing(&s, &name);
	if (!r && pfile_find(name.oid, &o)) {
		pfile_touch(o.common, o.fd);
		pfd_put(&o);
	}
	given[path] = r ? (u64)s.p->at : (u64)s.b->backing;
	if (!r || (r == -ENOENT && is_kernels(&s)))
		r = row(nr, given);
	return done(&s, r);
}

/* No path: the descriptor itself is meant. */
static bool is_empty(u64 path)
{
	char first = 1;

	return !path || (user_range_ok(path, 1) && !pcopy(&first, (const void *)path, 1) && !first);
}

/* access, chmod, chown, lchown, utime, utimes, statfs, and extended attributes */
long ppath_attribute(long nr, const u64 args[6])
{
	return on_backing(nr, args, -1, 0);
}

/* faccessat, faccessat2, fchmodat, fchownat, futimesat, utimensat */
long ppath_attribute_at(long nr, const u64 args[6])
{
	struct popen o;

	if (!is_empty(args[1]))
		return on_backing(nr, args, 0, 1);
	/* What was written before is older than a time that is set now. */
	if (pfd_get(args[0], &o) == PFD_FILE) {
		pfile_touch(o.common, o.fd);
		pfd_put(&o);
	}
	return PNOT_OURS;
}

static void fix_statx(struct statx *x, u64 length, u64 names)
{
	x->stx_size = length;
	x->stx_blocks = (length + 511) / 512;
	x->stx_nlink = names;
}

/* Of a protected file whose backing file is at this descriptor, or path. */
static long stat_into(long nr, int fd, const char *backing, u64 length, u64 names, const u64 args[6])
{
	const bool is_statx = nr == __NR_statx;
	const u64 to = args[is_statx ? 4 : nr == __NR_newfstatat ? 2 : 1], size = is_statx ? sizeof(struct statx) : sizeof(struct stat);
	union {
		struct stat st;
		struct statx x;
	} u;
	const u64 by_fd[6] = { fd, (u64)"", args[2] | AT_EMPTY_PATH, args[3], (u64)&u };
	const u64 by_path[6] = { AT_FDCWD, (u64)backing, args[2], args[3], (u64)&u };
	const u64 plain[6] = { backing ? (u64)backing : (u64)fd, (u64)&u };
	long r;

	if (!user_range_ok(to, size))
		return -EFAULT;
	if (nr == __NR_newfstatat && args[3] & ~(u64)STAT_FLAGS)
		return -EINVAL;
	if (is_statx)
		r = row(nr, backing ? by_path : by_fd);
	else
		r = row(backing ? __NR_stat : __NR_fstat, plain);
	if (r)
		return r;
	if (is_statx) {
		fix_statx(&u.x, length, names);
	} else {
		u.st.st_size = length;
		u.st.st_blocks = (length + 511) / 512;
		u.st.st_nlink = names;
	}
	return pcopy((void *)to, &u, size) ? -EFAULT : 0;
}

/* fstat: length and names are the hypervisor's, all else is the backing file's. */
long pfd_stat(long nr, const u64 args[6], struct popen *o)
{
	long length = pfile_length(o), names = hc_file_length(o->file->serial, INKTAG_LENGTH_NAMES, 0);

	pfile_touch(o->common, o->fd);
	if (length < 0)
		return length;
	return names < 0 ? -EIO : stat_into(nr, o->fd, NULL, length, names, args);
}

/* stat, lstat, newfstatat, statx */
long ppath_stat(long nr, const u64 args[6])
{
	const int dir = nr == __NR_newfstatat || nr == __NR_statx ? 0 : -1, path = dir + 1;
	struct file_name name;
	struct popen o;
	struct paths s;
	u64 given[6];
	long r;

	if (!dir && is_empty(args[1])) {
		if (pfd_get(args[0], &o) != PFD_FILE)
			return PNOT_OURS;
		r = pfd_stat(nr, args, &o);
		pfd_put(&o);
		return r;
	}
	r = paths_take(&s, args, (const int[][2]){ { dir, path } }, 1);
	if (r)
		return r;
	if (!s.p->prefix)
		return done(&s, PNOT_OURS);
	r = find_backing(&s, &name);
	if (!r && pfile_find(name.oid, &o)) {
		pfile_touch(o.common, o.fd);
		pfd_put(&o);
	}
	if (!r) {
		r = stat_into(nr, -1, s.b->backing, name.length, name.names, args);
	} else if (r == -ENOENT && is_kernels(&s)) {
		memcpy(given, args, sizeof(given));
		given[path] = (u64)s.p->at;
		if (!dir)
			given[0] = AT_FDCWD;
		r = row(nr, given);
	}
	return done(&s, r);
}

long ppath_truncate(long nr, const u64 args[6])
{
	struct file_name name;
	struct popen o;
	struct paths s;
	long fd = -1, r = paths_take(&s, args, (const int[][2]){ { -1, 0 } }, 1);

	if (r)
		return r;
	if (!s.p->prefix)
		return done(&s, PNOT_OURS);
	r = (s64)args[1] < 0 ? -EINVAL : pname(s.b, INKTAG_NAME_LOOKUP, s.p->at, NULL, &name);
	if (r)
		return done(&s, r == -ENOENT && is_kernels(&s) ? -EISDIR : r);
	/* A descriptor of its own, closed again, would end the locks that the program has on the file. */
	if (!pfile_find(name.oid, &o)) {
		fd = open_file(s.b, s.p, &name, O_WRONLY, 0600);
		r = IS_ERR(fd) ? fd : pfd_get(fd, &o) == PFD_FILE ? 0 : -EIO;
	}
	if (!r) {
		r = pfile_set_length(&o, args[1], true);
		pfd_put(&o);
	}
	if (fd >= 0) {
		pfd_forget(fd, fd);
		sys_close(__NR_close, (const u64[6]){ fd });
	}
	return done(&s, r);
}

/* --- names ------------------------------------------------------------------------------------------------- */

/* The file that *name says has lost a name. */
static void lost_name(struct paths *s, const struct file_name *name)
{
	if ((name->oid[0] || name->oid[1]) && !name->names)
		pname_remove_backing(s->b, s->p->prefix, name->oid);
}

/* Both paths are protected, and their files' backing files in one directory. PNOT_OURS: neither is. */
static long are_together(const struct paths *s)
{
	const char *a = s->p[0].prefix, *b = s->p[1].prefix;

	if (!a && !b)
		return PNOT_OURS;
	if (!a || !b || protect_home(a) != protect_home(b) || memcmp(a, b, protect_home(a)))
		return -EXDEV;
	return s->p[0].directory || s->p[1].directory ? -ENOTDIR : 0;
}

/* May the second name be made, and the first be taken away? */
static long may_rename(struct paths *s, bool takes)
{
	long r = takes ? may_change(s->b, s->p[0].at) : 0;

	if (!r)
		r = may_change(s->b, s->p[1].at);
	return r;
}

static long rename_names(struct paths *s, bool replace)
{
	struct file_name name;
	long r = pname(s->b, INKTAG_NAME_LOOKUP, s->p[0].at, NULL, &name);

	/* A directory's names would stay in the store: programs copy it, then. */
	if (r)
		return r == -ENOENT && ppath_kind(-1, s->p[0].at) == S_IFDIR ? -EXDEV : r;
	if (ppath_kind(-1, s->p[1].at) == S_IFDIR)
		return replace ? -EISDIR : -EEXIST;
	r = may_rename(s, true);
	if (r)
		return r;
	if (replace) {
		r = pname(s->b, INKTAG_NAME_RENAME, s->p[0].at, s->p[1].at, &name);
		if (!r)
			lost_name(s, &name);
		return r;
	}
	r = pname(s->b, INKTAG_NAME_LINK, s->p[0].at, s->p[1].at, &name);
	return r ? r : pname(s->b, INKTAG_NAME_UNLINK, s->p[0].at, NULL, &name);
}

static long rename_as(const u64 args[6], const int at[2][2], u32 flags)
{
	struct paths s;
	long r = paths_take(&s, args, at, 2);

	if (r)
		return r;
	r = are_together(&s);
	if (!r)
		r = flags & ~(u32)RENAME_NOREPLACE ? -EINVAL : rename_names(&s, !flags);
	return done(&s, r);
}

long ppath_rename(long nr, const u64 args[6])
{
	return rename_as(args, (const int[][2]){ { -1, 0 }, { -1, 1 } }, 0);
}

/* renameat, renameat2 */
long ppath_renameat(long nr, const u64 args[6])
{
	return rename_as(args, (const int[][2]){ { 0, 1 }, { 2, 3 } }, nr == __NR_renameat2 ? args[4] : 0);
}

static long link_as(const u64 args[6], const int at[2][2])
{
	struct file_name name;
	struct paths s;
	long r = paths_take(&s, args, at, 2);

	if (r)
		return r;
	r = are_together(&s);
	if (!r && ppath_kind(-1, s.p[1].at) == S_IFDIR)
		r = -EEXIST;
	if (!r)
		r = may_rename(&s, false);
	if (!r)
		r = pname(s.b, INKTAG_NAME_LINK, s.p[0].at, s.p[1].at, &name);
	if (r == -ENOENT && ppath_kind(-1, s.p[0].at) == S_IFDIR)
		r = -EPERM;
	return done(&s, r);
}

long ppath_link(long nr, const u64 args[6])
{
	return link_as(args, (const int[][2]){ { -1, 0 }, { -1, 1 } });
}

/* A name for a descriptor: the store has none for that. */
long ppath_linkat(long nr, const u64 args[6])
{
	if (args[4] & AT_EMPTY_PATH && is_empty(args[1]))
		return pfd_may_be(args[0]) ? -EOPNOTSUPP : PNOT_OURS;
	return link_as(args, (const int[][2]){ { 0, 1 }, { 2, 3 } });
}

static long unlink_as(long nr, const u64 args[6], int dir, int path)
{
	u64 given[6];
	struct file_name name;
	struct paths s;
	long r = paths_take(&s, args, (const int[][2]){ { dir, path } }, 1);

	if (r)
		return r;
	if (!s.p->prefix)
		return done(&s, PNOT_OURS);
	r = may_change(s.b, s.p->at);
	if (!r)
		r = s.p->directory ? -ENOENT : pname(s.b, INKTAG_NAME_UNLINK, s.p->at, NULL, &name);
	if (!r) {
		lost_name(&s, &name);
	} else if (r == -ENOENT && is_kernels(&s)) {
		memcpy(given, args, sizeof(given));
		given[path] = (u64)s.p->at;
		r = row(nr, given);
	}
	return done(&s, r);
}

/* The call on a directory, whose names are the kernel's. A path of the store's is no directory's. */
static long on_directory(long nr, const u64 args[6], int dir, int path, long if_file)
{
	u64 given[6];
	struct file_name name;
	struct paths s;
	long r = paths_take(&s, args, (const int[][2]){ { dir, path } }, 1);

	if (r)
		return r;
	if (!s.p->prefix)
		return done(&s, PNOT_OURS);
	r = pname(s.b, INKTAG_NAME_LOOKUP, s.p->at, NULL, &name);
	memcpy(given, args, sizeof(given));
	given[path] = (u64)s.p->at;
	return done(&s, r == -ENOENT ? row(nr, given) : r ? r : if_file);
}

long ppath_unlink(long nr, const u64 args[6])
{
	return unlink_as(nr, args, -1, 0);
}

long ppath_unlinkat(long nr, const u64 args[6])
{
	return args[2] & AT_REMOVEDIR ? on_directory(nr, args, 0, 1, -ENOTDIR) : unlink_as(nr, args, 0, 1);
}

long ppath_mkdir(long nr, const u64 args[6])
{
	return nr == __NR_mkdir ? on_directory(nr, args, -1, 0, -EEXIST) : on_directory(nr, args, 0, 1, -EEXIST);
}

long ppath_rmdir(long nr, const u64 args[6])
{
	return on_directory(nr, args, -1, 0, -ENOTDIR);
}

/* Under a prefix there are no links, and nothing that is no file: what the program wrote there, the kernel would see. */
static long refused(const u64 args[6], int dir, int path, long error)
{
	struct paths s;
	long r = paths_take(&s, args, (const int[][2]){ { dir, path } }, 1);

	return r ? r : done(&s, s.p->prefix ? error : PNOT_OURS);
}

/* symlink, symlinkat, mknod, mknodat */
long ppath_make(long nr, const u64 args[6])
{
	const int path = nr == __NR_symlinkat ? 2 : nr == __NR_mknod ? 0 : 1;

	return refused(args, nr == __NR_symlink || nr == __NR_mknod ? -1 : path - 1, path, -EPERM);
}

/* readlink, readlinkat */
long ppath_readlink(long nr, const u64 args[6])
{
	const int dir = nr == __NR_readlinkat ? 0 : -1;
	struct file_name name;
	struct paths s;
	long r;

	if (!dir && is_empty(args[1]))
		return PNOT_OURS;
	r = paths_take(&s, args, (const int[][2]){ { dir, dir + 1 } }, 1);
	if (r)
		return r;
	if (!s.p->prefix)
		return done(&s, PNOT_OURS);
	r = pname(s.b, INKTAG_NAME_LOOKUP, s.p->at, NULL, &name);
	return done(&s, !r || (r == -ENOENT && is_kernels(&s)) ? -EINVAL : r);
}

/* --- directories ------------------------------------------------------------------------------------------- */

long ppath_chdir(long nr, const u64 args[6])
{
	const u64 given[6] = { args[0] };
	struct paths s;
	long r = paths_take(&s, args, (const int[][2]){ { -1, 0 } }, 1);

	if (r)
		return r;
	r = row(nr, given);
	if (!r)
		protect_went(s.p->at);
	return done(&s, r);
}

/* To where is not known, if the program has the descriptor from elsewhere: then the kernel is asked again. */
long ppath_fchdir(long nr, const u64 args[6])
{
	struct pbuf *b = pbuf_take();
	bool known;
	long r;

	if (!b)
		return -ENOMEM;
	known = pfd_dir_path(args[0], b->both);
	r = row(nr, args);
	if (!r)
		protect_went(known ? b->both : NULL);
	pbuf_give(b);
	return r;
}

/* Paths would mean other files, and the store's names would not. */
long ppath_chroot(long nr, const u64 args[6])
{
	return -EPERM;
}
