// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * exec.c - another program in place of this one. What the kernel then runs is its choice, and if it is protected, it is
 * measured. If it is not, the user is told before, as well as it can be known: by the file.
 */
#include <asm/unistd.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include "thread.h"

#define LOADER		"ld-inktag.so.1"	/* entry.S: its directory is /lib */
#define SCRIPTS		5	/* that Linux follows, each the interpreter of the one before */
#define HEAD		256	/* BINPRM_BUF_SIZE: of a script's first line the kernel reads as much */
#define X_OK		1

/* NULL: there is no room. */
static char *string_in(const char *s)
{
	u64 len = shim_strnlen(s, ARENA_PIECE) + 1;
	char *to = len <= ARENA_PIECE ? arena_alloc(len) : NULL;

	if (to)
		memcpy(to, s, len);
	return to;
}

/*
 * The arguments and the environment, as vectors and strings in the arena. Returns where the vector is, or an error. What
 * does not fit is too much, as for Linux.
 */
static long strings_in(u64 vector, u64 *at)
{
	const char *const *from = (const void *)vector;
	u64 *to, n = 0, i;

	if (!vector) {
		*at = 0;
		return 0;
	}
	if (!user_range_ok(vector, sizeof(u64)))
		return -EFAULT;
	while (from[n])
		n++;
	to = arena_alloc((n + 1) * sizeof(u64));
	if (!to)
		return -E2BIG;
	for (i = 0; i < n; i++) {
		if (!user_range_ok((u64)from[i], 1))
			return -EFAULT;
		to[i] = (u64)string_in(from[i]);
		if (!to[i])
			return -E2BIG;
	}
	to[n] = 0;
	*at = (u64)to;
	return 0;
}

static bool is_loader(const char *path, size_t len)
{
	const size_t n = sizeof(LOADER) - 1;

	return len >= n && !memcmp(path + len - n, LOADER, n);
}

/* How much was read: all, or as much as the file has. */
static size_t read_at(int fd, void *to, size_t size, u64 offset)
{
	u64 mark = arena_mark();
	void *buf = arena_alloc(size);
	long r = buf ? hc_syscall_must(__NR_pread64, fd, (u64)buf, size, offset, 0, 0) : 0;

	if (r < 0 || (u64)r > size)
		r = 0;
	memcpy(to, buf, r);
	arena_release(mark);
	return r;
}

enum kind { ORDINARY, PROTECTED, SCRIPT };

/* head: the first HEAD bytes, zeros behind the file's end; of a script the interpreter is left there. */
static enum kind script(char *head)
{
	char *from = head + 2, *end;

	while (*from == ' ' || *from == '\t')
		from++;
	for (end = from; *end && *end != ' ' && *end != '\t' && *end != '\n'; end++)
		;
	if (from == end)
		return ORDINARY;
	*end = 0;
	for (end = head; (*end = *from); end++)
		from++;
	return SCRIPT;
}

/* A program for the loader names it as its interpreter. */
static enum kind elf(int fd, const Elf64_Ehdr *eh)
{
	char interpreter[64];
	Elf64_Phdr ph;
	size_t n;
	u32 i;

	for (i = 0; i < eh->e_phnum; i++) {
		if (read_at(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)) != sizeof(ph))
			break;
		if (ph.p_type != PT_INTERP)
			continue;
		n = read_at(fd, interpreter, sizeof(interpreter), ph.p_offset);
		return is_loader(interpreter, shim_strnlen(interpreter, n)) ? PROTECTED : ORDINARY;
	}
	return ORDINARY;
}

/* Is what the kernel is about to be asked for there, and an ordinary program? path is in the arena. */
static bool is_ordinary(int dir, const char *path, int flags)
{
	union {
		char bytes[HEAD + 1];
		Elf64_Ehdr elf;
	} head;
	const bool given = flags & AT_EMPTY_PATH && !*path;
	enum kind kind = SCRIPT;
	bool is_directory;
	int fd = dir, i;

	if (!given && hc_syscall_must(__NR_faccessat, dir, (u64)path, X_OK, 0, 0, 0))
		return false;
	for (i = 0; i < SCRIPTS; i++) {
		if (is_loader(path, shim_strnlen(path, PATH_MAX)))
			return false;	/* it says itself what it does */
		if (!given || i)
			fd = hc_syscall_must(__NR_openat, dir, (u64)path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, 0, 0);
		if (fd < 0)
			return !i;	/* to be executed, not read: the loader could not, either */
		memset(&head, 0, sizeof(head));
		read_at(fd, head.bytes, HEAD, 0);
		is_directory = (file_mode(fd) & S_IFMT) == S_IFDIR;
		if (head.bytes[0] == '#' && head.bytes[1] == '!')
			kind = script(head.bytes);
		else
			kind = memcmp(head.elf.e_ident, ELFMAG, SELFMAG) ? ORDINARY : elf(fd, &head.elf);
		if (!given || i)
			hc_syscall_must(__NR_close, fd, 0, 0, 0, 0, 0);
		if (is_directory)
			return false;	/* it may be gone through, not executed */
		if (kind != SCRIPT)
			break;
		dir = AT_FDCWD;
		path = string_in(head.bytes);
		if (!path)
			return false;
	}
	return kind == ORDINARY;
}

/* execve, execveat. On success this program, and the HAP, is no more. */
long sys_execve(long nr, const u64 args[6])
{
	const int path = nr == __NR_execveat;
	const int dir = path ? args[0] : AT_FDCWD, flags = path ? args[4] : 0;
	u64 mark = arena_mark(), given[6] = { args[0], args[1], args[2], args[3], args[4] };
	bool ordinary;
	long r;

	if (!user_range_ok(args[path], 1))
		return -EFAULT;
	if (shim_strnlen((const char *)args[path], PATH_MAX) == PATH_MAX)
		return -ENAMETOOLONG;
	given[path] = (u64)string_in((const char *)args[path]);
	ordinary = given[path] && is_ordinary(dir, (const char *)given[path], flags);
	r = given[path] ? strings_in(args[path + 1], &given[path + 1]) : -E2BIG;
	if (!r)
		r = strings_in(args[path + 2], &given[path + 2]);
	if (!r && ordinary)
		shim_say("%s is an ordinary program: in this process the kernel sees and can change all from here on",
			 (const char *)args[path]);
	if (!r) {
		r = hc_syscall(nr, given[0], given[1], given[2], given[3], given[4], 0);
		if (!IS_ERR(r))
			shim_lie(nr, r, "it does not return");
	}
	arena_release(mark);
	return r;
}
