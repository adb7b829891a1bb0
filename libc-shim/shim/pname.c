// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pname.c - names of protected files are in the store, and nowhere else. A backing file is called by the number of its
 * object, so that the guest's kernel has no names that it could exchange.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "protect.h"

#define HOME		PROTECT_HOME "/"
#define OID_DIGITS	32

/* The hypervisor looks at what is mapped; a copy that was swapped out is not. */
static void touch(const char *at, u64 size)
{
	u64 i;

	for (i = 0; i < size; i += INKTAG_PAGE_SIZE)
		*(const volatile char *)(at + i);
	*(const volatile char *)(at + size - 1);
}

static long no_store(void)
{
	static bool said;

	if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		shim_say("this VM has no metadata store, without which there are no protected files "
			 "(QEMU: -object inktag-store, -device inktag,store=)");
	return -EIO;
}

long pname(struct pbuf *b, enum inktag_name_op op, const char *path, const char *other, struct file_name *out)
{
	u64 size = shim_strnlen(path, PATH_MAX - 1) + 1, more;
	long r;

	memcpy(b->both, path, size);
	if (other) {
		more = shim_strnlen(other, PATH_MAX - 1) + 1;
		memcpy(b->both + size, other, more);
		size += more;
	}
	do {
		touch(b->both, size);
		r = hc_file_name(op, b->both, size, out);
	} while (r == -INKTAG_EAGAIN);
	if (r == -INKTAG_EOPNOTSUPP)
		return no_store();
	return r == 0 || r == -ENOENT || r == -EEXIST || r == -ENOMEM || r == -ENOSPC ? r : -EIO;
}

long pname_backing(struct pbuf *b, const char *prefix, const u64 oid[2])
{
	static const char digits[] = "0123456789abcdef";
	const u8 *bytes = (const void *)oid;
	u64 n = protect_home(prefix);
	u32 i;

	if (n + sizeof(HOME) + OID_DIGITS > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(b->backing, prefix, n);
	memcpy(b->backing + n, HOME, sizeof(HOME) - 1);
	n += sizeof(HOME) - 1;
	for (i = 0; i < OID_DIGITS / 2; i++) {
		b->backing[n++] = digits[bytes[i] >> 4];
		b->backing[n++] = digits[bytes[i] & 15];
	}
	b->backing[n] = 0;
	return 0;
}

char *pname_in(const char *s)
{
	u64 size = shim_strnlen(s, PATH_MAX - 1) + 1;
	char *in = arena_alloc(size);

	if (in)
		memcpy(in, s, size);
	return in;
}

/* The directory of the backing file in b->backing, whose path is the arena's `in` up to there. */
static long make_home(char *in, const char *prefix)
{
	char *end = in + protect_home(prefix) + sizeof(HOME) - 2;
	long r;

	*end = 0;
	r = checked(__NR_mkdir, hc_syscall_must(__NR_mkdir, (u64)in, 0700, 0, 0, 0, 0), 0);
	*end = '/';
	return r == -EEXIST ? 0 : r;
}

static long try_open(const char *in, u32 flags, u32 mode)
{
	return hc_syscall_must(__NR_openat, AT_FDCWD, (u64)in, flags | O_CLOEXEC | O_NOFOLLOW | O_LARGEFILE, mode, 0, 0);
}

/* Always for both if that may be, since windows are written for more than the program's calls. */
long pname_open_backing(struct pbuf *b, const struct ppath *p, const u64 oid[2], u32 flags, u32 mode)
{
	u64 mark = arena_mark();
	long r = pname_backing(b, p->prefix, oid);
	char *in = r ? NULL : pname_in(b->backing);

	if (!r)
		r = in ? try_open(in, O_RDWR, 0) : -ENOMEM;
	if (r == -ENOENT) {
		r = try_open(in, O_RDWR | O_CREAT, mode);
		if (r == -ENOENT) {
			r = make_home(in, p->prefix);
			if (!r)
				r = try_open(in, O_RDWR | O_CREAT, mode);
		}
	}
	if ((r == -EACCES || r == -EROFS || r == -EPERM) && (flags & O_ACCMODE) == O_RDONLY)
		r = try_open(in, O_RDONLY, 0);
	arena_release(mark);
	return fds_new(__NR_openat, r);
}

void pname_remove_backing(struct pbuf *b, const char *prefix, const u64 oid[2])
{
	u64 mark = arena_mark();
	char *in = pname_backing(b, prefix, oid) ? NULL : pname_in(b->backing);

	/* What is left over costs room only. */
	if (in)
		hc_syscall_must(__NR_unlink, (u64)in, 0, 0, 0, 0, 0);
	arena_release(mark);
}
