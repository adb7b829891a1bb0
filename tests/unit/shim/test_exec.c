// SPDX-License-Identifier: GPL-2.0-or-later
/* test_exec.c - what the kernel is told of the next program, and what the user is. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "unit.h"

/* Files by name, as the kernel shows them; and what it was asked to execute. */
static struct {
	struct {
		const char *path;
		u8 data[512];
		u64 size;
	} file[4];
	long read;	/* not 0: says that instead */
	u32 mode;	/* of all files */
	long result;
	unsigned int opened, closed, execs;
	char path[64], arg[4][64];
	unsigned int args;
} kernel;

static bool is_in_arena(u64 at)
{
	return at >= ARENA_BUF && at < ARENA_BUF_END;
}

static long find(u64 path)
{
	unsigned int i;

	must_be(is_in_arena(path));
	for (i = 0; i < ARRAY_SIZE(kernel.file) && kernel.file[i].path; i++)
		if (!strcmp(kernel.file[i].path, (const char *)path))
			return i;
	return -ENOENT;
}

static long read_at(const u64 args[6])
{
	u64 fd = args[0], size = args[2], at = args[3];

	if (kernel.read)
		return kernel.read;
	must_be(fd < ARRAY_SIZE(kernel.file) && is_in_arena(args[1]));
	if (at >= kernel.file[fd].size)
		return 0;
	if (size > kernel.file[fd].size - at)
		size = kernel.file[fd].size - at;
	memcpy((void *)args[1], kernel.file[fd].data + at, size);
	return size;
}

static long answer(long nr, const u64 args[6])
{
	const u64 *v;
	long r;

	switch (nr) {
	case SYS_faccessat:
		r = find(args[1]);
		return r < 0 ? r : 0;
	case SYS_openat:
		r = find(args[1]);
		kernel.opened += r >= 0;
		must(kernel.opened < 100, "it opens for ever");
		return r;
	case SYS_close:
		kernel.closed++;
		return 0;
	case SYS_fstat:
		must_be(is_in_arena(args[1]));
		((struct stat *)args[1])->st_mode = kernel.mode;
		return 0;
	case SYS_pread64:
		return read_at(args);
	case SYS_execve:
		must_be(is_in_arena(args[0]) && is_in_arena(args[1]) && (!args[2] || is_in_arena(args[2])));
		strncpy(kernel.path, (const char *)args[0], sizeof(kernel.path) - 1);
		for (v = (const u64 *)args[1], kernel.args = 0; *v && kernel.args < 4; v++) {
			must_be(is_in_arena(*v));
			strncpy(kernel.arg[kernel.args++], (const char *)*v, 63);
		}
		kernel.execs++;
		return kernel.result;
	}
	return 0;
}

static void put(unsigned int i, const char *path, const void *data, u64 size)
{
	kernel.file[i].path = path;
	memcpy(kernel.file[i].data, data, size);
	kernel.file[i].size = size;
}

/* A program with this interpreter, or none. */
static void put_elf(unsigned int i, const char *path, const char *interpreter)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		char interpreter[64];
	} elf = {
		.eh = { .e_ident = ELFMAG, .e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 2 },
		.ph = { { .p_type = PT_LOAD }, { .p_type = interpreter ? PT_INTERP : PT_LOAD,
			.p_offset = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), .p_filesz = 32 } },
	};

	if (interpreter)
		strcpy(elf.interpreter, interpreter);
	put(i, path, &elf, sizeof(elf));
}

static void fresh(void)
{
	fake_reset();
	memset(&kernel, 0, sizeof(kernel));
	kernel.result = -ENOEXEC;
	kernel.mode = S_IFREG | 0755;
	fake.answer = answer;
}

static const char *const arguments[] = { "first", "", "third", NULL };

/* Does it say that the program is an ordinary one? */
static bool warns(const char *path)
{
	unsigned int execs = kernel.execs;

	fake.said[0] = 0;
	must_be(!lies(SYS_execve, (const u64[6]){ (u64)path, (u64)arguments, (u64)(arguments + 3) }));
	must_be(fake.result == kernel.result && kernel.execs == execs + 1 && !strcmp(kernel.path, path));
	must_be(kernel.args == 3 && !strcmp(kernel.arg[0], "first") && !kernel.arg[1][0] && !strcmp(kernel.arg[2], "third"));
	must_be(kernel.opened == kernel.closed);
	return strstr(fake.said, "ordinary program");
}

START_TEST(programs)
{
	fresh();
	put_elf(0, "protected", "/lib/ld-inktag.so.1");
	put_elf(1, "ordinary", "/lib64/ld-linux-x86-64.so.2");
	put_elf(2, "static", NULL);
	put(3, "text", "no program", 10);
	must_be(!warns("protected") && warns("ordinary") && warns("static") && warns("text") && !warns("nothing"));
}
END_TEST

START_TEST(scripts)
{
	fresh();
	put_elf(0, "/p", "/lib/ld-inktag.so.1");
	put(1, "script", "#!  /p -x\n", 10);
	put(2, "other", "#! script", 9);
	put(3, "bad", "#! \t\n", 5);
	must_be(!warns("script") && !warns("other") && warns("bad"));
	put_elf(0, "/p", NULL);
	must_be(warns("script") && warns("other"));
	/* One that is its own interpreter. */
	put(1, "script", "#!script\n", 9);
	kernel.opened = kernel.closed = 0;
	warns("script");
	must_be(kernel.opened <= 5);
}
END_TEST

/* A first line without an end. */
START_TEST(long_line)
{
	u8 line[512];

	fresh();
	memset(line, 'x', sizeof(line));
	line[0] = '#';
	line[1] = '!';
	put(0, "script", line, sizeof(line));
	warns("script");
	memset(line + 2, ' ', sizeof(line) - 2);
	put(0, "script", line, sizeof(line));
	must_be(warns("script"));
}
END_TEST

/* Its X is another one. */
START_TEST(directory)
{
	fresh();
	put(0, "directory", "", 0);
	kernel.mode = S_IFDIR | 0755;
	kernel.read = -EISDIR;
	kernel.result = -EACCES;
	must_be(!warns("directory"));
}
END_TEST

/* More than was asked for, or what is no number: nothing was read. */
START_TEST(false_reads)
{
	static const long results[] = { 257, 1L << 40, -5000, 1UL << 63, -EIO };

	fresh();
	put_elf(0, "protected", "/lib/ld-inktag.so.1");
	kernel.read = results[_i];
	must_be(warns("protected"));
}
END_TEST

/* An interpreter's name up to the end of what was read. */
START_TEST(name_without_end)
{
	char name[64];

	fresh();
	memset(name, 'x', sizeof(name));
	memcpy(name + 64 - 14, "ld-inktag.so.1", 14);
	put_elf(0, "p", "");
	memcpy(kernel.file[0].data + kernel.file[0].size - 64, name, 64);
	must_be(!warns("p"));
	/* Of a file that ends in it. */
	kernel.file[0].size -= 1;
	must_be(warns("p"));
	kernel.file[0].size = 200;
	must_be(warns("p"));
}
END_TEST

START_TEST(does_not_return)
{
	static const long results[] = { 0, 1, 1L << 40, -5000 };

	fresh();
	kernel.result = results[_i];
	must_be(lies(SYS_execve, (const u64[6]){ (u64)"x", (u64)arguments, 0 }) && fake.addr == SYS_execve);
}
END_TEST

START_TEST(too_much)
{
	static char big[600000], path[4097];
	const char *args[6] = { big, big, big, big, big, NULL };
	const char *bad[2] = { (const char *)8, NULL };

	fresh();
	memset(big, 'x', sizeof(big) - 1);
	memset(path, 'x', sizeof(path) - 1);
	must_be(!lies(SYS_execve, (const u64[6]){ (u64)"x", (u64)(args + 4), 0 }) && fake.result == -E2BIG);
	memset(big, 0, sizeof(big));
	memset(big, 'x', 500000);
	must_be(!lies(SYS_execve, (const u64[6]){ (u64)"x", (u64)args, 0 }) && fake.result == -E2BIG);
	must_be(!lies(SYS_execve, (const u64[6]){ (u64)"x", (u64)bad, 0 }) && fake.result == -EFAULT);
	must_be(!lies(SYS_execve, (const u64[6]){ (u64)"x", 8, 0 }) && fake.result == -EFAULT);
	must_be(!lies(SYS_execve, (const u64[6]){ (u64)"x", 0, (u64)bad }) && fake.result == -EFAULT);
	must_be(!lies(SYS_execve, (const u64[6]){ 8, 0, 0 }) && fake.result == -EFAULT);
	must_be(!lies(SYS_execve, (const u64[6]){ (u64)path, 0, 0 }) && fake.result == -ENAMETOOLONG);
	must_be(!kernel.execs);
}
END_TEST

SUITE(exec, SECONDS,
      { programs }, { scripts }, { long_line }, { directory }, { false_reads, 5 }, { name_without_end }, { does_not_return, 4 }, { too_much })
