// SPDX-License-Identifier: GPL-2.0-or-later
/* process.c - what a program learns of itself and sets: prctl, /proc/self, terminators, jumps. */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "conformance.h"

extern char **environ;

static char text[20000];

static int slurp(const char *path)
{
	int fd = open(path, O_RDONLY), n = 0, r;

	if (fd < 0)
		return -1;
	while (n < (int)sizeof(text) - 1 && (r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
	return n;
}

static int prctl_name(void)
{
	char name[17] = "";

	want(!prctl(PR_SET_NAME, "a name of its own", 0, 0, 0) && !prctl(PR_GET_NAME, name, 0, 0, 0));
	want(!strcmp(name, "a name of its o"));
	want(slurp("/proc/self/comm") > 0 && !strcmp(text, "a name of its o\n"));
	return 1;
}

static int prctl_flags(void)
{
	int sig = 99;

	want(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) >= 0 && !prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	want(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 1 && !prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0));
	want(!prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0) && !prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0) && sig == SIGUSR1);
	want(!prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
	want_error(prctl(PR_SET_PDEATHSIG, 999, 0, 0, 0), EINVAL);
	want_error(prctl(123456, 0, 0, 0, 0), EINVAL);
	return 1;
}

static int prctl_subreaper(void)
{
	int on = 9;

	want(!prctl(PR_GET_CHILD_SUBREAPER, &on, 0, 0, 0) && on == 0);
	want(!prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) && !prctl(PR_GET_CHILD_SUBREAPER, &on, 0, 0, 0) && on == 1);
	want(!prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));
	return 1;
}

static int prctl_timer_slack(void)
{
	int old = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

	want(old > 0 && !prctl(PR_SET_TIMERSLACK, 12345, 0, 0, 0) && prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == 12345);
	want(!prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0) && prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == old);
	return 1;
}

static int proc_status(void)
{
	char line[40];

	want(slurp("/proc/self/status") > 100);
	snprintf(line, sizeof(line), "\nPid:\t%d\n", getpid());
	want(strstr(text, line));
	snprintf(line, sizeof(line), "\nPPid:\t%d\n", getppid());
	want(strstr(text, line) && strstr(text, "\nUid:\t0\t0\t0\t0\n") && strstr(text, "\nThreads:\t1\n"));
	return 1;
}

static int proc_stat(void)
{
	int pid, ppid, pgrp, session;
	char state;

	want(slurp("/proc/self/stat") > 50 && sscanf(text, "%d (", &pid) == 1 && pid == getpid());
	want(strrchr(text, ')') && sscanf(strrchr(text, ')') + 2, "%c %d %d %d", &state, &ppid, &pgrp, &session) == 4);
	want(state == 'R' && ppid == getppid() && pgrp == getpgrp() && session == getsid(0));
	return 1;
}

static int proc_descriptors(void)
{
	char path[40], to[300], here[300];
	int fd = pattern_file("f", 10), n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, to, sizeof(to) - 1);
	want(n > 0 && getcwd(here, sizeof(here)));
	to[n] = 0;
	want(!strncmp(to, here, strlen(here)) && !strcmp(to + strlen(here), "/f"));
	want(open(path, O_RDONLY) == fd + 1);
	n = readlink("/proc/self/cwd", to, sizeof(to) - 1);
	want(n == (int)strlen(here) && !memcmp(to, here, n));
	return 1;
}

static int proc_fd_directory(void)
{
	int seen = 0, fd = dup2(0, 42);
	struct dirent *e;
	DIR *d = opendir("/proc/self/fd");

	want(fd == 42 && d);
	while ((e = readdir(d)))
		seen += !strcmp(e->d_name, "0") || !strcmp(e->d_name, "1") || !strcmp(e->d_name, "42") ||
			!strcmp(e->d_name, "41");
	closedir(d);
	want(seen == 3);
	return 1;
}

static int proc_maps(void)
{
	uintptr_t at = (uintptr_t)&text, from, to;
	char *line, flags[5];
	int mine = 0;

	want(slurp("/proc/self/maps") > 100);
	for (line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (sscanf(line, "%lx-%lx %4s", &from, &to, flags) == 3 && at >= from && at < to)
			mine += flags[0] == 'r' && flags[1] == 'w';
	want(mine == 1);
	return 1;
}

static int proc_limits_and_system(void)
{
	want(slurp("/proc/self/limits") > 100 && strstr(text, "Max open files"));
	want(slurp("/proc/meminfo") > 100 && strstr(text, "MemTotal:"));
	want(slurp("/proc/cpuinfo") > 100 && strstr(text, "processor"));
	want(slurp("/proc/sys/kernel/ostype") == 6 && !strcmp(text, "Linux\n"));
	want(slurp("/proc/uptime") > 3 && slurp("/proc/loadavg") > 10 && slurp("/proc/stat") > 50);
	return 1;
}

static int auxiliary_vector(void)
{
	unsigned long *p = (unsigned long *)environ;
	int page = 0, headers = 0, random = 0;

	while (*p++)
		;
	for (; p[0] != AT_NULL; p += 2) {
		page += p[0] == AT_PAGESZ && p[1] == 4096;
		headers += p[0] == AT_PHDR && p[1];
		random += p[0] == AT_RANDOM && p[1];
	}
	want(page == 1 && headers == 1 && random == 1);
	return 1;
}

static sigjmp_buf back;

static void __attribute__((noinline, noreturn)) jump(int n)
{
	siglongjmp(back, n);
}

static int jumps(void)
{
	volatile int local = 5;
	int n;

	n = sigsetjmp(back, 1);
	if (n < 3) {
		local++;
		jump(n + 1);
	}
	want(n == 3 && local == 8);
	return 1;
}

static int jump_restores_mask(void)
{
	sigset_t set;

	if (!sigsetjmp(back, 1)) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		want(!sigprocmask(SIG_BLOCK, &set, NULL));
		jump(1);
	}
	want(!sigprocmask(SIG_BLOCK, NULL, &set) && !sigismember(&set, SIGUSR1));
	return 1;
}

static ucontext_t here, there;
static int turns;

static void other(void)
{
	for (;;) {
		turns++;
		swapcontext(&there, &here);
	}
}

static int contexts(void)
{
	static char stack[65536];
	int i;

	turns = 0;
	want(!getcontext(&there));
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = NULL;
	makecontext(&there, other, 0);
	for (i = 0; i < 10; i++)
		want(!swapcontext(&here, &there));
	want(turns == 10);
	return 1;
}

static int fs_base(void)
{
	unsigned long base = 0, first;

	want(!syscall(SYS_arch_prctl, 0x1003, &base) && base);	/* ARCH_GET_FS */
	__asm__("mov %%fs:0, %0" : "=r"(first));
	want(first == base);
	want_error(syscall(SYS_arch_prctl, 0x1003 + 0x500, &base), EINVAL);
	return 1;
}

static int no_such_call(void)
{
	want_error(syscall(999), ENOSYS);
	want_error(syscall(0x7fffffff), ENOSYS);
	want_error(syscall(-1), ENOSYS);
	return 1;
}

const struct check checks[] = {
	CHECK(prctl_name), CHECK(prctl_flags), CHECK(prctl_subreaper), CHECK(prctl_timer_slack),
	CHECK(proc_status), CHECK(proc_stat), CHECK(proc_descriptors), CHECK(proc_fd_directory),
	CHECK(proc_maps), CHECK(proc_limits_and_system), CHECK(auxiliary_vector), CHECK(jumps),
	CHECK(jump_restores_mask), CHECK(contexts), CHECK(fs_base), CHECK(no_such_call),
	{ NULL, NULL },
};
