// SPDX-License-Identifier: GPL-2.0-or-later
/* main.c - see loader.h */
#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/errno.h>
#include "loader.h"

#define SELF	"/proc/self/exe"

/* Large, and the loader runs on the stack that the kernel made. */
static struct image image;
static struct plan plan;

extern const u8 _start[];
_Noreturn void loader_main(u64 *sp);

static const char help[] =
	"Usage: ld-inktag.so.1 [--unprotected | --measure] [--] PROGRAM [ARGUMENT]...\n"
	"Runs PROGRAM, made by inktag-cc, protected from the kernel. It is also the interpreter\n"
	"of such programs: executing PROGRAM itself does the same.\n"
	"\n"
	"  --unprotected  runs it as an ordinary process\n"
	"  --measure      prints the measurement that the hypervisor will find, runs nothing\n"
	"  --help         prints this\n"
	"  --version      prints the version of the InkTag ABI\n"
	"\n"
	"Exit status: the program's; 125 wrong use or the loader failed, 126 PROGRAM or this\n"
	"system is not fit for it, 127 PROGRAM not found, 137 the hypervisor ended it.\n";

/* SHA-256 as hypercall.h defines it. */
static _Noreturn void measure(const struct plan *p)
{
	static u8 page[PAGE];
	const struct mapping *m;
	struct sha256 sha;
	u8 sum[32];
	char hex[65];
	u64 addr;
	int i;

	sha256_init(&sha);
	for (m = p->mapping; m < p->mapping + p->count; m++) {
		for (addr = m->start; addr < m->start + m->filled; addr += PAGE) {
			u64 head[2] = { addr, m->token };

			plan_page(p, m, addr, page);
			sha256_add(&sha, head, sizeof(head));
			sha256_add(&sha, page, PAGE);
		}
	}
	sha256_add(&sha, &p->end, sizeof(p->end));
	sha256_end(&sha, sum);
	for (i = 0; i < 64; i++)
		hex[i] = "0123456789abcdef"[sum[i / 2] >> (i % 2 ? 0 : 4) & 15];
	hex[64] = 0;
	print(1, "%s  %s\n", hex, p->image->path);
	for (;;)
		sys_call(__NR_exit_group, 0, 0, 0, 0, 0, 0);
}

static _Noreturn void run_command(struct process *pr)
{
	bool unprotected = false, measured = false;
	int i;

	for (i = 1; i < pr->argc && pr->argv[i][0] == '-'; i++) {
		if (!strcmp(pr->argv[i], "--")) {
			i++;
			break;
		} else if (!strcmp(pr->argv[i], "--unprotected")) {
			unprotected = true;
		} else if (!strcmp(pr->argv[i], "--measure")) {
			measured = true;
		} else if (!strcmp(pr->argv[i], "--help")) {
			print(1, "%s", help);
			sys_call(__NR_exit_group, 0, 0, 0, 0, 0, 0);
		} else if (!strcmp(pr->argv[i], "--version")) {
			print(1, "ld-inktag, InkTag ABI %ld\n", (long)INKTAG_ABI_VERSION);
			sys_call(__NR_exit_group, 0, 0, 0, 0, 0, 0);
		} else {
			die(EXIT_USAGE, "no such option: %s; see ld-inktag.so.1 --help", pr->argv[i]);
		}
	}
	if (i >= pr->argc || (unprotected && measured))
		die(EXIT_USAGE, "%s; see ld-inktag.so.1 --help",
		    i >= pr->argc ? "which program?" : "--unprotected and --measure exclude each other");
	image_read(&image, pr->argv[i], pr->argv[i]);
	plan_make(&plan, &image);
	if (measured)
		measure(&plan);
	pr->argv += i;
	pr->argc -= i;
	if (unprotected)
		launch_unprotected(&plan, pr);
	launch_protected(&plan, pr, false);
}

_Noreturn void loader_main(u64 *sp)
{
	struct process pr = { .argc = sp[0], .argv = (char **)&sp[1] };
	const char *name;
	char **p;

	pr.envp = pr.argv + pr.argc + 1;
	for (p = pr.envp; *p; p++)
		;
	pr.auxv = (u64 *)(p + 1);
	if (auxv_get(pr.auxv, AT_ENTRY) == (u64)_start)
		run_command(&pr);
	/* The path may have changed hands since the kernel opened it; /proc names the very file. */
	name = (const char *)auxv_get(pr.auxv, AT_EXECFN);
	image_read(&image, sys_call(__NR_access, (u64)SELF, 4, 0, 0, 0, 0) ? name : SELF, name);
	image_take_breakpoints(&image);
	plan_make(&plan, &image);
	launch_protected(&plan, &pr, true);
}
