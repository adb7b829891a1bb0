// SPDX-License-Identifier: GPL-2.0-or-later
/* identity.c - ids, limits, names, what the machine is, randomness. Started by root. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "conformance.h"

extern char **environ;

static int ids_agree(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	want(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0);
	want(!getresuid(&r, &e, &s) && !r && !e && !s && !getresgid(&rg, &eg, &sg) && !rg && !eg && !sg);
	return 1;
}

static int effective_user(void)
{
	uid_t r, e, s;

	want(!seteuid(1000) && geteuid() == 1000 && getuid() == 0);
	want_error(chroot("/"), EPERM);
	want(!seteuid(0) && geteuid() == 0 && !chroot("/"));
	want(!setresuid(-1, 7, -1) && !getresuid(&r, &e, &s) && r == 0 && e == 7 && s == 0 && !setresuid(0, 0, 0));
	return 1;
}

static int effective_group(void)
{
	want(!setegid(1000) && getegid() == 1000 && getgid() == 0 && !setegid(0));
	want(!setresgid(1, 2, 0) && getgid() == 1 && getegid() == 2 && !setresgid(0, 0, 0) && getgid() == 0);
	return 1;
}

static int rights_of_others(void)
{
	int fd = pattern_file("f", 10);

	want(fd >= 0 && !chmod("f", 0600) && !seteuid(1000));
	want_error(open("f", O_RDONLY), EACCES);
	want(!access("f", R_OK));
	want_error(setuid(5), EPERM);
	want(!seteuid(0) && open("f", O_RDONLY) >= 0);
	return 1;
}

static int supplementary_groups(void)
{
	gid_t set[3] = { 5, 6, 1000 }, get[10];
	int n = getgroups(0, NULL);

	want(n >= 0 && n < 10 && getgroups(10, get) == n);
	want(!setgroups(3, set) && getgroups(10, get) == 3 && get[0] == 5 && get[2] == 1000);
	want_error(getgroups(2, get), EINVAL);
	want(!setgroups(0, NULL) && getgroups(0, NULL) == 0);
	return 1;
}

static int process_ids(void)
{
	want(getpid() > 1 && getppid() > 0 && getpid() != getppid() && syscall(SYS_gettid) == getpid());
	want(getsid(0) == getpid() && getpgrp() == getpid() && getpgid(0) == getpid() && getpgid(getppid()) >= 0);
	want_error(getpgid(0x3ffffff), ESRCH);
	want_error(getsid(0x3ffffff), ESRCH);
	want_error(setsid(), EPERM);
	return 1;
}

static int uname_fields(void)
{
	struct utsname u;
	char name[65];

	want(!uname(&u) && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64") && u.release[0] >= '5');
	want(!gethostname(name, sizeof(name)) && !strcmp(name, u.nodename));
	value("%s %s", u.release, u.version);
	return 1;
}

static int limits_get_set(void)
{
	struct rlimit r, old;

	want(!getrlimit(RLIMIT_CORE, &old));
	r = old;
	r.rlim_cur = 0;
	want(!setrlimit(RLIMIT_CORE, &r) && !getrlimit(RLIMIT_CORE, &r) && r.rlim_cur == 0 &&
	     !setrlimit(RLIMIT_CORE, &old));
	r = (struct rlimit){ 10, 5 };
	want_error(setrlimit(RLIMIT_CORE, &r), EINVAL);
	want_error(getrlimit(99, &r), EINVAL);
	return 1;
}

static int limit_of_file_size(void)
{
	struct rlimit old, r;
	int fd = pattern_file("f", 10);

	want(!getrlimit(RLIMIT_FSIZE, &old));
	r = old;
	r.rlim_cur = 100;
	want(!setrlimit(RLIMIT_FSIZE, &r) && pwrite(fd, "0123456789", 10, 95) == 5 && !setrlimit(RLIMIT_FSIZE, &old));
	want(pwrite(fd, "0123456789", 10, 95) == 10);
	return 1;
}

static int limits_by_prlimit(void)
{
	struct { unsigned long cur, max; } a, b;
	struct rlimit r;

	want(!syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &a) && !getrlimit(RLIMIT_NOFILE, &r) &&
	     a.cur == r.rlim_cur);
	b = a;
	b.cur = 256;
	want(!syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &b, &a) && !getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur == 256);
	want(!syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &a, NULL));
	return 1;
}

static int sysconf_values(void)
{
	want(sysconf(_SC_PAGESIZE) == 4096 && getpagesize() == 4096 && sysconf(_SC_CLK_TCK) == 100);
	want(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_OPEN_MAX) >= 20 && sysconf(_SC_ARG_MAX) > 4096);
	value("%ld processors", sysconf(_SC_NPROCESSORS_ONLN));
	return 1;
}

static int sysinfo_fields(void)
{
	struct sysinfo s;

	want(!sysinfo(&s) && s.totalram > 0 && s.freeram <= s.totalram && s.procs > 0 && s.uptime >= 0);
	return 1;
}

static int affinity(void)
{
	cpu_set_t set, one;
	int cpu;

	want(!sched_getaffinity(0, sizeof(set), &set));
	for (cpu = 0; !CPU_ISSET(cpu, &set); cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	want(!sched_setaffinity(0, sizeof(one), &one) && sched_getcpu() == cpu);
	want(!sched_getaffinity(0, sizeof(one), &one) && CPU_ISSET(cpu, &one));
	want(!sched_setaffinity(0, sizeof(set), &set));
	CPU_ZERO(&one);
	want_error(sched_setaffinity(0, sizeof(one), &one), EINVAL);
	return 1;
}

static int nice_values(void)
{
	want(getpriority(PRIO_PROCESS, 0) == 0 && !setpriority(PRIO_PROCESS, 0, 5) &&
	     getpriority(PRIO_PROCESS, 0) == 5);
	want(!setpriority(PRIO_PROCESS, 0, -3) && getpriority(PRIO_PROCESS, 0) == -3 &&
	     !setpriority(PRIO_PROCESS, 0, 0));
	want_error(setpriority(77, 0, 0), EINVAL);
	return 1;
}

static int scheduler(void)
{
	struct sched_param p = { .sched_priority = 0 };
	struct timespec t;

	want(sched_getscheduler(0) == SCHED_OTHER && !sched_getparam(0, &p) && p.sched_priority == 0 && !sched_yield());
	want(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_FIFO) == 1);
	want(!sched_setscheduler(0, SCHED_BATCH, &p) && sched_getscheduler(0) == SCHED_BATCH);
	want(!sched_setscheduler(0, SCHED_OTHER, &p) && !sched_rr_get_interval(0, &t));
	p.sched_priority = 5;
	want_error(sched_setscheduler(0, SCHED_OTHER, &p), EINVAL);
	return 1;
}

static int random_bytes(void)
{
	unsigned char a[300] = "", b[300] = "";
	int i, zeros = 0;

	want(getrandom(a, 300, 0) == 300 && getrandom(b, 300, GRND_NONBLOCK) == 300 && memcmp(a, b, 300));
	for (i = 0; i < 300; i++)
		zeros += !a[i];
	want(zeros < 30 && getrandom(a, 0, 0) == 0);
	want_error(getrandom(a, 10, 0x1000), EINVAL);
	return 1;
}

static int environment(void)
{
	int n = 0;

	while (environ[n])
		n++;
	want(n == 3 && !strcmp(getenv("HOME"), "/") && !strcmp(getenv("LANG"), "C") && !getenv("NONE"));
	want(!setenv("A", "b", 1) && !strcmp(getenv("A"), "b") && !setenv("A", "c", 0) && !strcmp(getenv("A"), "b"));
	want(!unsetenv("A") && !getenv("A") && !putenv("B=c") && !strcmp(getenv("B"), "c") && !unsetenv("B"));
	want_error(setenv("A=B", "c", 1), EINVAL);
	return 1;
}

const struct check checks[] = {
	CHECK(ids_agree), CHECK(effective_user), CHECK(effective_group), CHECK(rights_of_others),
	CHECK(supplementary_groups), CHECK(process_ids), CHECK(uname_fields), CHECK(limits_get_set),
	CHECK(limit_of_file_size), CHECK(limits_by_prlimit), CHECK(sysconf_values), CHECK(sysinfo_fields),
	CHECK(affinity), CHECK(nice_values), CHECK(scheduler), CHECK(random_bytes), CHECK(environment),
	{ NULL, NULL },
};
