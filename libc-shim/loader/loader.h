/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loader.h - ld-inktag.so.1: makes a protected program of an ELF file. Read this first.
 *
 * The loader is an ordinary, untrusted process: whatever it does wrong shows in the program's
 * measurement, or makes the program refuse to start. It runs as the program's interpreter, or as a
 * command with the program's path.
 *
 * main.c    command line, the two ways in, the order of things
 * image.c   reads the file and checks it, strictly
 * plan.c    which pages with which content under which descriptors: the one source of both the
 *           launch and the measurement
 * launch.c  makes the mappings, gives the pages to the hypervisor, starts
 * sha256.c  for --measure
 * sys.c     system calls, messages: there is no libc here; string.c and format.c are the shim's
 *
 * Everything is at fixed addresses, and nothing of the process's own (its arguments, its
 * kernel's choices) goes into the measured pages: the same file has the same measurement.
 */
#ifndef LOADER_H
#define LOADER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <linux/elf.h>
#include <inktag/abi.h>
#include "../shim/launch.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef unsigned long u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		INKTAG_PAGE_SIZE
#define PAGE_DOWN(x)	((x) & ~(PAGE - 1))
#define PAGE_UP(x)	PAGE_DOWN((x) + PAGE - 1)

/* Exit codes; the first three as env(1) has them. */
#define EXIT_USAGE	125	/* the command line, or the loader itself failed */
#define EXIT_CANNOT	126	/* the file is no program for us, or the system is not one */
#define EXIT_NOT_FOUND	127

/* sys.c */
long sys_call(long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
void print(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void die(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *error_name(long r);
void *pages(u64 len);	/* fresh memory, all of it about to be used; or the end */

/* ../shim/string.c, ../shim/format.c */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t vformat(char *buf, size_t size, const char *fmt, va_list ap);
size_t format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* image.c */
#define IMAGE_SIZE_MAX		0x10000000UL
#define IMAGE_SEGMENTS_MAX	(LAUNCH_DESC_MAX - LAUNCH_TOKEN_SEGMENTS)

struct segment {
	u64 start, end;		/* pages, as addresses */
	u64 vaddr, filesz;	/* the part with content */
	u64 offset;		/* of that part in the file */
	u32 prot;		/* INKTAG_PROT_* */
};

struct image {
	const char *path;
	u8 *file;
	u64 size;
	u64 room;		/* of the memory at file */
	u64 entry;
	u64 attributes;		/* INKTAG_ATTR_*, of the note */
	u64 phdr;		/* address of the program headers in the image */
	u32 phnum;
	u32 segments;
	struct segment segment[IMAGE_SEGMENTS_MAX];
};

/*
 * A debugger has put its breakpoints where the kernel has mapped the file. As the program may be debugged, they are
 * taken over.
 */
void image_take_breakpoints(struct image *im);
/* Opens (path), reads and checks; ends the process with a message if the file is not acceptable. */
void image_read(struct image *im, const char *path, const char *name);

/* plan.c */
struct mapping {
	u64 start, end;
	u32 token;
	u32 prot;
	u32 kind;
	u64 filled;		/* bytes from start on with content, whole pages: these are given */
	const struct segment *segment;
};

#define PLAN_MAX	LAUNCH_DESC_MAX

struct plan {
	const struct image *image;
	u32 count;
	struct mapping mapping[PLAN_MAX];	/* by token */
	struct inktag_desc array[LAUNCH_DESC_MAX];
	struct {
		u64 entry, rsp, attributes;
	} end;			/* what the measurement ends with, as hypercall.h has it */
};

void plan_make(struct plan *p, const struct image *im);
/* The content of the page at addr of mapping m, which is below start + filled. */
void plan_page(const struct plan *p, const struct mapping *m, u64 addr, u8 page[PAGE]);

/* launch.c */
struct process {
	int argc;
	char **argv, **envp;
	u64 *auxv;
};

u64 auxv_get(const u64 *auxv, u64 type);
/* interp: the kernel has mapped the program at its addresses already. */
_Noreturn void launch_protected(struct plan *p, const struct process *pr, bool interp);
_Noreturn void launch_unprotected(struct plan *p, const struct process *pr);

/* sha256.c */
struct sha256 {
	u32 state[8];
	u64 bytes;
	u8 block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);
void sha256_end(struct sha256 *s, u8 out[32]);

#endif
