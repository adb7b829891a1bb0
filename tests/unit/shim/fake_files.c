// SPDX-License-Identifier: GPL-2.0-or-later
/* fake_files.c - see unit.h */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "unit_files.h"

void signal_came(u64 signo, u64 info, u64 context);
extern const char pcopy_begin[], pcopy_end[];

asm(".pushsection inktag_protect, \"a\", @progbits\n"
    "	.string \"" PREFIX_DIR "\"\n"
    "	.string \"" PREFIX_NAME "\"\n"
    ".popsection");

#define PATH_MAX	4096
#define HAPS		8
#define SERIALS		64

struct fake_store *store;
struct fake_disk disk;
u64 lost_page;

void *world_memcpy(void *to, const void *from, size_t n)
{
	return memcpy(to, from, n);
}

/* --- the hypervisor and its store ------------------------------------------------------------------------- */

/* By the serials of this process, which a forked one inherits. */
static struct {
	u64 serial;
	u32 file;
} having[SERIALS];

static struct fake_file *file_of(u64 serial)
{
	int i;

	for (i = 0; i < SERIALS; i++)
		if (having[i].serial == serial)
			return &store->file[having[i].file];
	return NULL;
}

static int name_of(const char *path)
{
	int i;

	for (i = 0; i < STORE_FILES; i++)
		if (store->name[i].file && !strcmp(store->name[i].path, path))
			return i;
	return -1;
}

struct fake_file *stored(const char *path)
{
	int i = name_of(path);

	return i < 0 ? NULL : &store->file[store->name[i].file];
}

const char *backing(const struct fake_file *f)
{
	static char path[200];
	const u8 *b = (const void *)f->oid;
	int i, n;

	n = sprintf(path, "%s/data/.inktag/", disk.root);
	for (i = 0; i < STORE_FILES; i++)
		if (&store->file[store->name[i].file] == f && !strncmp(store->name[i].path, "/srv/", 5))
			n = sprintf(path, "%s/srv/.inktag/", disk.root);
	for (i = 0; i < 16; i++)
		n += sprintf(path + n, "%02x", b[i]);
	return path;
}

static bool refused(u32 op)
{
	return store->refuse && store->refuse_op == op;
}

static void bind_name(const char *path, u32 file)
{
	int i;

	for (i = 0; store->name[i].file; i++)
		must_be(i + 1 < STORE_FILES);
	strcpy(store->name[i].path, path);
	store->name[i].file = file;
	store->file[file].names++;
}

static long name_op(enum inktag_name_op op, const char *path, const char *other, struct file_name *out)
{
	int i = name_of(path), k = other ? name_of(other) : -1;
	u32 file = i < 0 ? 0 : store->name[i].file, lost = 0;

	if (op == INKTAG_NAME_CREATE) {
		if (i >= 0)
			return -EEXIST;
		for (file = 1; store->file[file].oid[0]; file++)
			must_be(file + 1 < STORE_FILES);
		store->file[file] = (struct fake_file){ .oid = { 0x1122334455667700 + file, 0xa0b0c0d0e0f00000 + file }, .fd = -1 };
		bind_name(path, file);
	} else if (i < 0) {
		return -ENOENT;
	} else if (op == INKTAG_NAME_LINK) {
		if (k >= 0)
			return -EEXIST;
		bind_name(other, file);
	} else if (op == INKTAG_NAME_RENAME && (k < 0 || store->name[k].file != file)) {
		lost = k < 0 ? 0 : store->name[k].file;
		if (lost) {
			store->file[lost].names--;
			store->name[k].file = 0;
		}
		strcpy(store->name[i].path, other);
		file = lost;
	} else if (op == INKTAG_NAME_RENAME) {
		file = 0;
	} else if (op == INKTAG_NAME_UNLINK) {
		store->file[file].names--;
		store->name[i].file = 0;
	}
	*out = (struct file_name){ { 0 } };
	if (file)
		*out = (struct file_name){ { store->file[file].oid[0], store->file[file].oid[1] }, store->file[file].length,
					   store->file[file].names };
	return 0;
}

long hc_file_name(enum inktag_name_op op, const char *paths, u64 size, struct file_name *out)
{
	const char *other = paths + strlen(paths) + 1;
	const bool two = op == INKTAG_NAME_LINK || op == INKTAG_NAME_RENAME;
	long r;

	must_be(!((u64)paths >= INKTAG_ARENA_BASE && (u64)paths < INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE));
	must_be(paths[0] == '/' && size == strlen(paths) + 1 + (two ? strlen(other) + 1 : 0));
	must(!strstr(paths, "//") && !strstr(paths, "/./") && !strstr(paths, "/../"), "%s", paths);
	if (store->none)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&store->lock);
	r = refused(34) ? store->refuse : name_op(op, paths, two ? other : NULL, out);
	pthread_mutex_unlock(&store->lock);
	return r;
}

long hc_file_open(u64 serial, const u64 oid[2])
{
	int i, file;

	if (refused(35))
		return store->refuse;
	must_be(serial && serial < INKTAG_SERIAL_END && !file_of(serial));
	for (file = 1; file < STORE_FILES; file++)
		if (store->file[file].oid[0] == oid[0] && store->file[file].oid[1] == oid[1])
			break;
	if (file == STORE_FILES)
		return -ENOENT;
	for (i = 0; having[i].serial; i++) {
		must(having[i].file != (u32)file, "it has the file already");
		must_be(i + 1 < SERIALS);
	}
	having[i].serial = serial;
	having[i].file = file;
	store->file[file].opened++;
	if (store->file[file].fd < 0) {
		i = open(backing(&store->file[file]), O_RDWR | O_CLOEXEC);
		store->file[file].fd = fcntl(i, F_DUPFD_CLOEXEC, 900);
		close(i);
	}
	return 0;
}

long hc_share(u64 serial, bool leave)
{
	int i;

	if (!leave || !file_of(serial))
		return 0;
	for (i = 0; having[i].serial != serial; i++)
		;
	having[i].serial = 0;
	store->file[having[i].file].opened--;
	return 0;
}

/* Pages that are not below both lengths read zero. */
static void zero_pages(struct fake_file *f, u64 length)
{
	u64 from = PAGE_UP(f->length < length ? f->length : length);
	struct stat st;

	if (f->fd < 0 || fstat(f->fd, &st) || (u64)st.st_size <= from)
		return;
	must_be(!fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, st.st_size - from));
}

long hc_file_length(u64 serial, enum inktag_length_op op, u64 length)
{
	struct fake_file *f = file_of(serial);
	long r;

	if (refused(36))
		return store->refuse;
	if (!f)
		return -ENOENT;
	if ((op == INKTAG_LENGTH_REACH || op == INKTAG_LENGTH_SET) && store->busy) {
		store->busy--;
		return -EBUSY;
	}
	if (op == INKTAG_LENGTH_SET && disk.in_set)
		disk.in_set();
	pthread_mutex_lock(&store->lock);
	if (op == INKTAG_LENGTH_SET) {
		zero_pages(f, length);
		f->length = length;
	} else if (op == INKTAG_LENGTH_REACH && f->length < length) {
		f->length = length;
	}
	f->gets += op == INKTAG_LENGTH_GET;
	r = op == INKTAG_LENGTH_NAMES ? f->names : f->length;
	pthread_mutex_unlock(&store->lock);
	if (op == INKTAG_LENGTH_GET && store->slow)
		usleep(store->slow);
	return r;
}

long hc_file_sync(u64 serial, enum inktag_sync_op op, u64 arg)
{
	struct fake_file *f = file_of(serial);

	if (refused(37))
		return store->refuse;
	if (!f)
		return -ENOENT;
	if (op == INKTAG_SYNC_BEGIN)
		return ++f->marks;
	if (op == INKTAG_SYNC_SEAL && arg && store->full)
		return -EBUSY;
	if (op == INKTAG_SYNC_SEAL) {
		must_be(!arg || arg == f->marks);
		return f->sealed = arg + 1000;
	}
	must_be(arg == f->sealed);
	f->settled = arg;
	store->busy = 0;
	store->full = false;
	return 0;
}

/* --- the kernel ------------------------------------------------------------------------------------------- */

/* Which arguments are paths. */
static const struct {
	long nr;
	u8 paths;	/* a bit for each */
} with_paths[] = {
	{ SYS_open, 1 }, { SYS_openat, 2 }, { SYS_creat, 1 }, { SYS_mkdir, 1 }, { SYS_mkdirat, 2 }, { SYS_unlink, 1 }, { SYS_unlinkat, 2 },
	{ SYS_rmdir, 1 }, { SYS_access, 1 }, { SYS_faccessat, 2 }, { SYS_stat, 1 }, { SYS_lstat, 1 }, { SYS_newfstatat, 2 },
	{ SYS_statx, 2 }, { SYS_rename, 3 }, { SYS_link, 3 }, { SYS_symlink, 3 }, { SYS_chdir, 1 }, { SYS_chmod, 1 }, { SYS_chown, 1 },
	{ SYS_utimensat, 2 }, { SYS_truncate, 1 }, { SYS_readlink, 1 }, { SYS_fchmodat, 2 }, { SYS_getxattr, 1 }, { SYS_setxattr, 1 },
	{ SYS_renameat, 10 }, { SYS_renameat2, 10 }, { SYS_linkat, 10 }, { SYS_statfs, 1 }, { SYS_execve, 1 },
};

const char *on_disk(const char *path)
{
	static char real[4][PATH_MAX];
	static int turn;
	char *to = real[turn++ % 4];

	snprintf(to, PATH_MAX, "%s%s%s", path[0] == '/' ? disk.root : "", path[0] == '/' ? "" : "", path);
	return to;
}

static long real_call(long nr, const u64 args[6])
{
	u64 given[6];
	unsigned int i, k;
	long r;

	memcpy(given, args, sizeof(given));
	for (i = 0; i < ARRAY_SIZE(with_paths); i++)
		for (k = 0; with_paths[i].nr == nr && k < 6; k++)
			if (with_paths[i].paths >> k & 1 && args[k])
				given[k] = (u64)on_disk((const char *)args[k]);
	r = syscall(nr, given[0], given[1], given[2], given[3], given[4], given[5]);
	return r < 0 ? -errno : r;
}

static long answer(long nr, const u64 args[6])
{
	long r;

	disk.made[nr]++;
	if (disk.lie && disk.lie(nr, args, &r))
		return r;
	switch (nr) {
	case SYS_getcwd:
		strcpy((char *)args[0], disk.cwd);
		return strlen(disk.cwd) + 1;
	case SYS_gettid:
		return 100 + fake.hap;
	case SYS_rt_sigprocmask:
	case SYS_rt_sigaction:
		return 0;
	case SYS_futex:
		usleep(100);
		return 0;
	case SYS_close_range:
		return 0;
	}
	r = real_call(nr, args);
	if (disk.after)
		disk.after(nr, args, r);
	return r;
}

/* --- faults ------------------------------------------------------------------------------------------------ */

/* As hypervisor and kernel: to the shim, in a copy. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	const u64 rip = uc->uc_mcontext.gregs[REG_RIP], addr = (u64)info->si_addr;
	const u64 ustack = INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE - PAGE;
	const bool write = uc->uc_mcontext.gregs[REG_ERR] & 2;

	if (rip < (u64)pcopy_begin || rip >= (u64)pcopy_end) {
		signal(sig, SIG_DFL);
		return;
	}
	if (disk.in_copy) {
		void (*meanwhile)(void) = disk.in_copy;

		disk.in_copy = NULL;
		meanwhile();
		return;
	}
	memset((void *)(ustack - 4096), 0, 4096);
	((siginfo_t *)(ustack - 4096))->si_code = info->si_code;
	fake.regs = (struct inktag_regs){
		.rip = rip, .fault_addr = addr, .fault_access = write ? INKTAG_PROT_WRITE : INKTAG_PROT_READ,
		.cause = INKTAG_CAUSE_FAULT, .vector = INKTAG_NO_VECTOR,
	};
	if (lost_page && addr - lost_page < PAGE) {
		fake.regs.cause = INKTAG_CAUSE_INTERRUPT;
		fake.regs.vector = INKTAG_LOST_VECTOR;
		fake.regs.fault_access = 0;
		sig = SIGSEGV;
	}
	fake.regs_set = 0;
	signal_came(sig, ustack - 4096, ustack - 2048);
	if (fake.regs_set)
		uc->uc_mcontext.gregs[REG_RIP] = fake.regs.rip;
}

static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", disk.root);
	if (system(command))
		perror(command);
}

static pid_t begun_by;

static void at_end(void)
{
	if (getpid() == begun_by)
		remove_root();
}

void fake_files(void)
{
	const struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	pthread_mutexattr_t attr;

	fake_reset();
	fake_memory();
	fake.files = true;
	fake.answer = answer;
	fake_hap(1);
	fake.random[0] = 7;
	strcpy(disk.root, "/tmp/inktag-unit-XXXXXX");
	must_be(mkdtemp(disk.root));
	begun_by = getpid();
	atexit(at_end);
	must_be(!mkdir(on_disk("/data"), 0755) && !mkdir(on_disk("/srv"), 0755) && !mkdir(on_disk("/other"), 0755));
	strcpy(disk.cwd, "/data");
	must_be(!chdir(on_disk(disk.cwd)));
	store = mmap(NULL, sizeof(*store), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must_be(store != MAP_FAILED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&store->lock, &attr);
	must_be(!sigaction(SIGBUS, &act, NULL) && !sigaction(SIGSEGV, &act, NULL));
}
