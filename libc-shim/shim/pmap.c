// SPDX-License-Identifier: LGPL-2.1-or-later
/* pmap.c - protected files in the program's own memory: mmap, msync. */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include "mm.h"
#include "pcalls.h"

#define SYNCED_MAX	16

static long map_shared(const u64 args[6], struct popen *o)
{
	long length = pfile_length(o), r;

	if (length < 0)
		return length;
	/* So far the program may reach. If the backing file stays shorter, it meets SIGBUS. */
	pfile_back(o, length);
	lock(&mm_lock);
	r = mm_map_file(args, o->file->serial, (o->desc->flags & O_ACCMODE) == O_RDONLY);
	unlock(&mm_lock);
	return r;
}

/* A copy, made now: as of any other file, what the file becomes later may or may not be seen. */
static long map_private(const u64 args[6], struct popen *o)
{
	const u64 anonymous[6] = { args[0], args[1], PROT_READ | PROT_WRITE, args[3] | MAP_ANONYMOUS, -1UL, 0 };
	struct pvec v;
	long at, r;

	lock(&mm_lock);
	at = sys_mmap(__NR_mmap, anonymous);
	unlock(&mm_lock);
	if (IS_ERR(at))
		return at;
	v = pvec_of(at, args[1]);
	r = pfile_read(o, &v, args[1], args[5]);
	lock(&mm_lock);
	if (!IS_ERR(r))
		r = sys_mprotect(__NR_mprotect, (const u64[6]){ at, args[1], args[2] });
	if (IS_ERR(r))
		mm_unmap(at, PAGE_UP(args[1]));
	unlock(&mm_lock);
	return IS_ERR(r) ? r : at;
}

long pmap_mmap(long nr, const u64 args[6], struct popen *o)
{
	const u32 mode = o->desc->flags & O_ACCMODE, type = args[3] & MAP_TYPE;

	if (!args[1] || args[5] % INKTAG_PAGE_SIZE || args[2] & ~(u64)INKTAG_PROT_MASK ||
	    (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE))
		return -EINVAL;
	if (args[5] >= INKTAG_LENGTH_MAX || args[1] > INKTAG_LENGTH_MAX - args[5])
		return -EOVERFLOW;
	if (mode == O_WRONLY || (type != MAP_PRIVATE && args[2] & PROT_WRITE && mode != O_RDWR))
		return -EACCES;
	return type == MAP_PRIVATE ? map_private(args, o) : map_shared(args, o);
}

/* The program has closed all descriptors that it had: so none of its locks ends with this one. */
static long sync_without_descriptor(struct popen *o)
{
	const struct ppath p = { .prefix = o->file->prefix };
	struct pbuf *b;
	long r = hc_file_length(o->file->serial, INKTAG_LENGTH_NAMES, 0);

	/* Without a name it ends with the program. */
	if (r <= 0)
		return r ? -EIO : 0;
	b = pbuf_take();
	if (!b)
		return -ENOMEM;
	o->fd = pname_open_backing(b, &p, o->file->oid, O_RDWR, 0600);
	pbuf_give(b);
	if (IS_ERR((long)o->fd))
		return -EIO;
	r = pfile_sync(o);
	sys_close(__NR_close, (const u64[6]){ o->fd });
	return r;
}

/* What the program has written to its mappings of files. */
static long sync_mapped(u64 serial)
{
	struct popen o;
	long r;

	if (!pfile_of_mapping(serial, &o))
		return 0;
	r = o.fd >= 0 ? pfile_sync(&o) : sync_without_descriptor(&o);
	pfd_put(&o);
	return r;
}

long pmap_msync(long nr, const u64 args[6])
{
	u64 serials[SYNCED_MAX];
	u32 n, i;
	long r, one;

	lock(&mm_lock);
	r = sys_msync(nr, args);
	n = !r && args[2] & MS_SYNC ? mm_files_in(args[0], PAGE_UP(args[1]), serials, SYNCED_MAX) : 0;
	unlock(&mm_lock);
	if (n > SYNCED_MAX)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		one = sync_mapped(serials[i]);
		r = r ? r : one;
	}
	return r;
}
