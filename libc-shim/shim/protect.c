// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * protect.c - which paths are protected. The prefixes are strings, one after another, in a section of the program, which
 * is measured (inktag-cc --protect). A path is brought to its one form by its text alone: the guest's symbolic links are
 * not followed, since it is the kernel that says where they lead. For the same reason the working directory and the
 * directories of *at() are remembered by the paths by which the program went there.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "protect.h"


/* Appends the components of path. -ENAMETOOLONG. */
static long append(char *to, const char *path, bool *directory)
{
	u64 len = shim_strnlen(to, PATH_MAX), n;

	while (*path) {
		for (; *path == '/'; path++)
			*directory = true;
		for (n = 0; path[n] && path[n] != '/'; n++)
			;
		if (!n)
			break;
		*directory = n <= 2 && path[0] == '.' && path[n - 1] == '.';
		if (*directory && n == 2) {
			while (len && to[--len] != '/')
				;
		} else if (!*directory) {
			if (n > NAME_MAX || len + 1 + n >= PATH_MAX)
				return -ENAMETOOLONG;
			to[len++] = '/';
			memcpy(to + len, path, n);
			len += n;
		}
		to[len] = 0;
		path += n;
	}
	return 0;
}

/* A string of the program's, up to its end, and no page farther: there may be none. */
static long string_of(u64 addr, char *to)
{
	u64 n, done;

	for (done = 0; done < PATH_MAX; done += n) {
		if (!user_range_ok(addr + done, 1))
			return -EFAULT;
		n = INKTAG_PAGE_SIZE - (addr + done) % INKTAG_PAGE_SIZE;
		if (n > PATH_MAX - done)
			n = PATH_MAX - done;
		if (pcopy(to + done, (const void *)(addr + done), n))
			return -EFAULT;
		if (shim_strnlen(to + done, n) < n)
			return 0;
	}
	return -ENAMETOOLONG;
}

/* Once the kernel is asked, as it could have started the program anywhere. */
static long cwd_into(char *to)
{
	u64 mark;
	char *in;
	long r = 0;

	lock(&protect_lock);
	if (!pstate->has_cwd) {
		mark = arena_mark();
		in = arena_alloc(PATH_MAX);
		r = in ? checked(__NR_getcwd, hc_syscall_must(__NR_getcwd, (u64)in, PATH_MAX, 0, 0, 0, 0), PATH_MAX) : -ENOMEM;
		if (r >= 0) {
			memcpy(to, in, PATH_MAX);
			/* Out of reach, as Linux has it: there is no such path. */
			r = shim_strnlen(to, PATH_MAX) < PATH_MAX && to[0] == '/' ? 0 : -ENOENT;
		}
		if (!r) {
			bool directory;

			pstate->cwd[0] = 0;
			r = append(pstate->cwd, to, &directory);
			pstate->has_cwd = !r;
		}
		arena_release(mark);
	}
	if (!r)
		memcpy(to, pstate->cwd, PATH_MAX);
	unlock(&protect_lock);
	return r;
}

void protect_went(const char *path)
{
	lock(&protect_lock);
	if (path)
		memcpy(pstate->cwd, path, shim_strnlen(path, PATH_MAX - 1) + 1);
	pstate->has_cwd = path;
	unlock(&protect_lock);
}

u64 protect_home(const char *prefix)
{
	u64 i, n = 0;

	for (i = 0; prefix[i]; i++)
		if (prefix[i] == '/')
			n = i + 1;
	return n;
}

static const char *next_prefix(const char *prefix)
{
	return prefix + shim_strnlen(prefix, protect_end - prefix) + 1;
}

bool protect_is_home(const char *path)
{
	u64 len = shim_strnlen(path, PATH_MAX);
	const char *p;

	/* The root's own path has its slash. */
	if (len == 1)
		len = 0;
	for (p = protect_begin; p < protect_end; p = next_prefix(p))
		if (protect_home(p) == len + 1 && !memcmp(p, path, len))
			return true;
	return false;
}

bool protect_hides(int fd)
{
	bool hides;

	if (!pfd_may_be(fd))
		return false;
	lock(&protect_lock);
	hides = pstate->fd[fd].kind == PFD_DIR && protect_is_home(pstate->dir[pstate->fd[fd].index].path);
	unlock(&protect_lock);
	return hides;
}

static bool begins(const char *path, const char *with)
{
	while (*with && *path == *with) {
		path++;
		with++;
	}
	return !*with;
}

static const char *prefix_of(const char *path)
{
	const char *p;

	for (p = protect_begin; p < protect_end; p = next_prefix(p))
		if (*p && begins(path, p))
			return p;
	return NULL;
}

/* Where the backing files are, nothing is the program's. */
static bool is_in_home(const char *path, const char *prefix)
{
	const char *in = path + protect_home(prefix);

	return begins(in, PROTECT_HOME) && (!in[sizeof(PROTECT_HOME) - 1] || in[sizeof(PROTECT_HOME) - 1] == '/');
}

/* The number in /proc/.../fd/N, /dev/fd/N; -1: it is no such path. To open one would be to get at a backing file itself. */
static long descriptor_of(const char *path)
{
	const char *digits = NULL;
	long fd = 0;
	u32 i;

	if (!begins(path, "/proc/") && !begins(path, "/dev/fd/"))
		return -1;
	for (i = 0; path[i]; i++)
		if (begins(path + i, "/fd/"))
			digits = path + i + 4;
	if (!digits || !*digits)
		return -1;
	for (; *digits >= '0' && *digits <= '9' && fd < PFDS; digits++)
		fd = fd * 10 + (*digits - '0');
	return *digits ? -1 : fd;
}

static bool is_way_around(const char *path)
{
	const long fd = descriptor_of(path);

	return fd >= 0 && protect_has(fd);
}

long protect_path(struct pbuf *b, int i, int dir, u64 addr, struct ppath *p)
{
	char *given = b->both, *to = b->path[i];
	long r = string_of(addr, given);

	if (r)
		return r;
	if (!*given)
		return -ENOENT;
	to[0] = 0;
	if (*given != '/') {
		if (dir == AT_FDCWD)
			r = cwd_into(to);
		else if (!pfd_dir_path(dir, to))
			r = hc_syscall_must(__NR_fcntl, dir, F_GETFD, 0, 0, 0, 0) < 0 ? -EBADF : -ENOTDIR;
		if (r)
			return r;
		if (to[0] == '/' && !to[1])
			to[0] = 0;
	}
	p->directory = false;
	r = append(to, given, &p->directory);
	if (r)
		return r;
	if (!to[0]) {
		to[0] = '/';
		to[1] = 0;
	}
	p->at = to;
	p->prefix = prefix_of(to);
	if (is_way_around(to))
		return -EACCES;
	return p->prefix && is_in_home(to, p->prefix) ? -ENOENT : 0;
}
