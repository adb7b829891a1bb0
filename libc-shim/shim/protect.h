/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * protect.h - protected files, the shim's side. docs/files.md has the whole; read this next.
 *
 *	protect.c   which paths are protected: prefixes, paths in their one form, the working directory
 *	pstate.c    what this process remembers: its descriptors and files, buffers for paths
 *	pcommon.c   what the processes of a family have in common: open file descriptions, and of files lock and length
 *	pfile.c     a file: windows, length, copies, sync
 *	pname.c     names: the store's, and the backing files that belong to them
 *	pcalls.c    the system calls: which mean another thing; pio.c: those that move data; pfd.c: others with a
 *	            descriptor; ppath.c: those with paths; pmap.c: mmap, msync
 *	pcopy.S     copies that may fail
 *
 * A program without prefixes has none of this: protect_on() is false, and no table is made.
 *
 * The program's descriptor is the kernel's descriptor of the backing file, which is never read or written by a system
 * call. Data goes between the program and windows: shared mappings of the backing file under descriptors of
 * INKTAG_KIND_FILE, PWINDOW_SIZE each. Nothing of what the kernel says of a backing file is believed: contents and
 * length are the hypervisor's, offset and flags of a descriptor are the shim's. What the kernel can do is to refuse,
 * or to have no page for a window; that is an error of the call.
 *
 * Locks, in this order: protect_lock, files_lock, mm_lock (shim.h). protect_lock guards all that is in struct pstate; it
 * is not held while data is copied, since a fault of the program must find no lock held, and while the kernel flushes:
 * what is in use meanwhile has a count of users. The locks of the family (struct plock), which a process may hold when
 * it is killed, are taken with none of these, first that of a description, then that of a file; and that of the table
 * last of all.
 *
 * A call that touches the program's memory while it holds a count or such a lock does so by pcopy(), which comes back.
 */
#ifndef SHIM_PROTECT_H
#define SHIM_PROTECT_H

#include <linux/limits.h>
#include "shim.h"

#define PROTECT_HOME	".inktag"	/* the directory of the backing files, in that of their prefix */

#define PWINDOW_SIZE	0x100000UL
#define PWINDOWS	32		/* in a process at once */
#define PFILES		256		/* in a process, and in a family */
#define PDESCS		1024		/* open file descriptions, in a family */
#define PFDS		0x10000		/* descriptors: fds.c gives no higher one */
#define PDIRS		64		/* open directories */

/* --- protect.c: paths ------------------------------------------------------------------------------------ */

extern const char protect_begin[] asm("__start_inktag_protect") __attribute__((weak, visibility("hidden")));
extern const char protect_end[] asm("__stop_inktag_protect") __attribute__((weak, visibility("hidden")));

/* Has the program prefixes? */
static inline bool protect_on(void)
{
	const char *begin = protect_begin, *end = protect_end;

	asm("" : "+r"(begin), "+r"(end));	/* addresses of arrays, but these may be NULL */
	return begin != end;
}

/* A path of the program's. */
struct ppath {
	char *at;		/* in its one form: absolute, without "." and ".." and needless slashes */
	const char *prefix;	/* the first one that it begins with; NULL: none, the path is not protected */
	bool directory;		/* it ends as only a directory's may */
};

/* Buffers for the paths of one call; no other thread has them. */
struct pbuf {
	struct pbuf *next;
	char path[2][PATH_MAX];
	char backing[PATH_MAX];
	char both[2 * PATH_MAX];
};

_Static_assert(2 * PATH_MAX <= INKTAG_NAME_MAX, "two paths in a hypercall");

/*
 * The i-th path of a call, relative to dir (AT_FDCWD; or a descriptor). -EFAULT, -ENAMETOOLONG, -ENOENT of an empty one;
 * -ENOTDIR: the descriptor is no directory that the program opened by a path. -EACCES: a way around to a backing file.
 */
long protect_path(struct pbuf *b, int i, int dir, u64 addr, struct ppath *p);
/* The directory of a prefix: how many of its bytes, with the slash at the end. */
u64 protect_home(const char *prefix);
/* Is the directory with this path that of a prefix? */
bool protect_is_home(const char *path);
/* Is the descriptor that of a directory with a PROTECT_HOME in it? */
bool protect_hides(int fd);
/* The process goes to this directory; NULL: it is not known to which. */
void protect_went(const char *path);

/* --- pstate.c: this process ------------------------------------------------------------------------------- */

/* LOST: of a file, but another process of the family has its description now (pcommon.c). */
enum pkind { PFD_NONE, PFD_FILE, PFD_DIR, PFD_LOST };

struct pfd {
	u8 kind : 4;	/* enum pkind */
	u8 cloexec : 1;	/* what the program believes: to the kernel each of a file's is so */
	u8 file;	/* in the table of files */
	u16 index;	/* of the description; of the directory */
	u32 serial;	/* of the description */
};

struct pfile {
	u64 serial;	/* the object; 0: the entry is free. Changed with mm_lock, too */
	u64 oid[2];
	const char *prefix;
	u32 common;	/* its entry in the family's table */
	u32 fds;	/* descriptors */
	u32 users;	/* calls */
	u32 borrowed;	/* those of them that use fd, without having been given it */
	int fd;		/* one of the descriptors */
	bool held;	/* it has descriptors or users. mm_lock. Without, it stays as long as it is mapped */
	bool writable;	/* the kernel lets us write to the backing file */
	u64 backed;	/* so long is the backing file, as far as we know */
};

struct pwindow {
	struct pfile *file;	/* NULL: free */
	u64 index;		/* in windows */
	u64 addr;
	u64 last_use;
	u32 users;
	bool writable;
};

struct pdir {
	u32 fds;
	bool protected;		/* below a prefix */
	char path[PATH_MAX];
};

struct pstate {
	struct pfd fd[PFDS];
	u32 fd_end;		/* no higher one is in use */
	struct pfile file[PFILES];
	struct pwindow window[PWINDOWS];
	u64 uses;
	struct pbuf *free;
	struct pdir dir[PDIRS];
	bool has_cwd;
	char cwd[PATH_MAX];
};

/* NULL: nothing was protected yet. */
extern struct pstate *pstate;

/* Both tables are there: 0, or an error. */
long pstate_make(void);
struct pbuf *pbuf_take(void);
void pbuf_give(struct pbuf *b);

/* All that follow take the lock. What the descriptor is; of a file, one more user of it. */
struct popen;
enum pkind pfd_get(int fd, struct popen *open);
void pfd_put(struct popen *open);
static inline bool pfd_may_be(u64 fd)
{
	return __atomic_load_n(&pstate, __ATOMIC_ACQUIRE) && (u32)fd < PFDS && pstate->fd[(u32)fd].kind != PFD_NONE;
}
/* Is it a protected file's? */
static inline bool protect_has(int fd)
{
	return pfd_may_be(fd) && pstate->fd[(u32)fd].kind != PFD_DIR;
}

/* The new descriptor is a directory's, with this path; or of this file, which gets a description with these flags. */
long pfd_add_dir(int fd, const char *path, bool protected);
long pfd_add_file(int fd, struct pfile *f, u32 flags);
/* Of a file: FD_CLOEXEC, as the program has set it. */
void pfd_set_cloexec(int fd, bool on);
bool pfd_cloexec(int fd);
/* `new` is a copy of `old`; what it was before is over. */
void pfd_copy(int old, int new);
void pfd_forget(u32 first, u32 last);
/* Is it a directory's below a prefix? Whatever the kernel has opened there, it has no data. */
bool pfd_is_protected_dir(u64 fd);
/* The path of a directory's descriptor into to; false: it is none. */
bool pfd_dir_path(int fd, char *to);
/* Of a fork: with all locks; error: the child would have no place. Then, in the parent after a failure, and in the child. */
long protect_fork(void);
void protect_not_forked(void);
void protect_forked(void);

/* A file that is open for writing already; as pfd_get(), but of no description. */
bool pfile_find(const u64 oid[2], struct popen *o);
/* ... of which a part is mapped; o->fd: -1, there is no descriptor. False: not any more. */
bool pfile_of_mapping(u64 serial, struct popen *o);
/* One user less. */
void pfile_put(struct pfile *f);
/* mm.c, with mm_lock: no part of it is mapped any more; its name among futexes. */
void pfile_unmapped(u64 serial);
u64 pfile_name(u64 serial);

/* --- pcommon.c: the family -------------------------------------------------------------------------------- */

/* A lock in the family's memory: whose it is, 0: nobody's. */
struct plock {
	u64 owner;
};

/* Also from one that has ended while it held it: what the lock guards is never left half done. */
void plock_take(struct plock *l);
void plock_give(struct plock *l);

#define PLENGTH_UNKNOWN	(~0UL)

struct pcommon_file {
	u64 oid[2];
	struct plock lock;	/* of who writes or changes the length */
	/*
	 * What the family last knew of the length; PLENGTH_UNKNOWN. Only who is not of the family can have changed it
	 * since. So a read that lies below it needs no exit. All others ask, and whoever gets a lock on the file
	 * (fcntl, flock) forgets it, which makes those who agree by locks see each other's truncations.
	 */
	u64 length;
	u32 new;		/* the directory may not have the backing file durably */
	u32 written;		/* ... and its time of modification may not say so */
};

struct pdesc {
	struct plock lock;	/* of who moves the offset */
	u64 offset;
	u32 flags;		/* O_ACCMODE, O_APPEND, O_SYNC, O_DSYNC */
	u32 serial;
};

/* With protect_lock. make: with mm_lock, too. index of a new entry, or an error. */
long pcommon_make(void);
struct pcommon_file *pcommon_file(u32 index);
struct pdesc *pdesc(u32 index);
long pcommon_file_add(const u64 oid[2]);
void pcommon_file_drop(u32 index);
long pdesc_add(u32 flags, u32 *serial);
void pdesc_drop(u32 index);
/* In the child: what this process has, as its own tables say. */
long pcommon_fork(void);
void pcommon_not_forked(void);
void pcommon_forked(void);

/* --- pfile.c: a file -------------------------------------------------------------------------------------- */

/* A descriptor in use by a call. */
struct popen {
	struct pfile *file;
	struct pcommon_file *common;
	struct pdesc *desc;
	int fd;
	bool borrowed;	/* fd is one of the file's, not that of the call */
};

/* Memory of the program's, or in the arena. */
struct pvec {
	const struct iovec *iov;	/* of the program's */
	u64 base, len;			/* what is left of the present part */
};

struct pvec pvec_of(u64 addr, u64 len);

#define PAPPEND	(~0UL)	/* in place of an offset */

/* How many bytes; errors as of read(2), write(2). *end: the offset behind them. */
long pfile_read(struct popen *o, struct pvec *v, u64 len, u64 offset);
long pfile_write(struct popen *o, struct pvec *v, u64 len, u64 offset, u64 *end);
long pfile_zero(struct popen *o, u64 offset, u64 len);
/* The length, from the hypervisor. */
long pfile_length(struct popen *o);
/* exactly: else only to make it longer. */
long pfile_set_length(struct popen *o, u64 length, bool exactly);
long pfile_sync(struct popen *o);
/* The kernel sees no write that goes to a page which is in memory: what was written since moves st_mtime now. */
void pfile_touch(struct pcommon_file *common, int fd);
/* The backing file has pages up to this length. */
long pfile_back(struct popen *o, u64 length);
/* The windows of a file, or all that may go, are unmapped. With protect_lock. */
void pwindows_drop(struct pfile *f);

/* pcopy.S, signal.c */
u64 pcopy(void *to, const void *from, u64 n);
u64 pclear(void *to, u64 n);
extern const char pcopy_begin[], pcopy_end[];

/* --- pname.c: names --------------------------------------------------------------------------------------- */

/* One operation of the store; other: the second path, or NULL. EIO with a message: there is no store. */
long pname(struct pbuf *b, enum inktag_name_op op, const char *path, const char *other, struct file_name *out);
/* The path of the backing file, in b->backing. */
long pname_backing(struct pbuf *b, const char *prefix, const u64 oid[2]);
/* ... in the arena. NULL: no room. */
char *pname_in(const char *s);
/* The kernel's descriptor of the backing file, which is made if it is not there. */
long pname_open_backing(struct pbuf *b, const struct ppath *p, const u64 oid[2], u32 flags, u32 mode);
/* The last name is gone. */
void pname_remove_backing(struct pbuf *b, const char *prefix, const u64 oid[2]);
/* The file as this process has it, one more user. */
long pname_file(const struct ppath *p, const struct file_name *name, int fd, bool writable, struct pfile **f);

/* --- pcalls.c --------------------------------------------------------------------------------------------- */

#define PNOT_OURS	(-4096L)	/* no error, and no result: the call is none of ours */

/* The call in place of its row in table.c. False: it is as any other; and protect_called() comes after it. */
bool protect_call(long nr, const u64 args[6], long *result);
void protect_called(long nr, const u64 args[6], long r);

#endif
