// SPDX-License-Identifier: GPL-2.0-or-later
/* sys.c - what the loader needs of a libc. */
#include <linux/mman.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include "loader.h"

long sys_call(long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	register u64 r10 asm("r10") = a3;
	register u64 r8 asm("r8") = a4;
	register u64 r9 asm("r9") = a5;
	long r;

	asm volatile("syscall"
		     : "=a"(r)
		     : "a"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return r;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

static void vprint(int fd, const char *fmt, va_list ap)
{
	static char text[2 * PATH_MAX];
	size_t len = vformat(text, sizeof(text), fmt, ap), done;
	long r;

	for (done = 0; done < len; done += r) {
		r = sys_call(__NR_write, fd, (u64)text + done, len - done, 0, 0, 0);
		if (r <= 0)
			break;
	}
}

void print(int fd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fd, fmt, ap);
	va_end(ap);
}

_Noreturn void die(int code, const char *fmt, ...)
{
	va_list ap;

	print(2, "ld-inktag: ");
	va_start(ap, fmt);
	vprint(2, fmt, ap);
	va_end(ap);
	print(2, "\n");
	for (;;)
		sys_call(__NR_exit_group, code, 0, 0, 0, 0, 0);
}

const char *error_name(long r)
{
	static char number[24];
	static const struct {
		int code;
		const char *name;
	} known[] = {
		{ EPERM, "not permitted" }, { ENOENT, "no such file" }, { EIO, "I/O error" },
		{ EAGAIN, "not now" }, { ENOMEM, "out of memory" }, { EACCES, "permission denied" },
		{ EFAULT, "bad address" }, { EBUSY, "busy" }, { EEXIST, "there already" },
		{ ENOTDIR, "not a directory" }, { EISDIR, "is a directory" }, { EINVAL, "invalid" },
		{ EMFILE, "too many open files" }, { ENOSPC, "a limit is reached" },
		{ ENAMETOOLONG, "name too long" }, { ENOSYS, "no such call" }, { ELOOP, "too many links" },
		{ ESTALE, "it was ended" },
		{ EOPNOTSUPP, "this kernel does not use the processor's XSAVE, or the VM is an encrypted one" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].code == -r)
			return known[i].name;
	number[format(number, sizeof(number) - 1, "error %ld", -r)] = 0;
	return number;
}

void *pages(u64 len)
{
	long r = sys_call(__NR_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
			  0);

	if (r < 0 && r >= -4095)
		die(EXIT_USAGE, "cannot get %ld bytes of memory: %s", (long)len, error_name(r));
	return (void *)r;
}
