// SPDX-License-Identifier: GPL-2.0-or-later
/* fork.c - fork, vfork, clone: what a child gets, what is its own, and what both have. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>
#include "conformance.h"

#define RW	(PROT_READ | PROT_WRITE)

static char data[5 * PAGE] = "data", zeros[5 * PAGE];

static char *map(size_t pages, int flags)
{
	return mmap(NULL, pages * PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);
}

static int fork_returns_twice(void)
{
	int status;
	pid_t me = getpid(), pid = fork();

	if (!pid)
		_exit(getppid() == me && getpid() != me ? 17 : 18);
	want(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 17);
	return 1;
}

static int ids_of_child(void)
{
	pid_t group = getpgrp(), session = getsid(0), pid = fork();

	if (!pid) {
		want(getpgrp() == group && getsid(0) == session && syscall(SYS_gettid) == getpid());
		_exit(0);
	}
	want(status_of(pid) == 0);
	return 1;
}

static int child_writes_are_its_own(void)
{
	volatile int local = 5;
	char *heap = malloc(10000), *mapped = map(3, MAP_PRIVATE);
	pid_t pid;

	strcpy(data, "parent");
	strcpy(heap + 9000, "parent");
	strcpy(mapped + 2 * PAGE, "parent");
	pid = fork();
	if (!pid) {
		want(!strcmp(data, "parent") && !strcmp(heap + 9000, "parent") &&
		     !strcmp(mapped + 2 * PAGE, "parent") && local == 5);
		strcpy(data, "child");
		strcpy(heap + 9000, "child");
		strcpy(mapped + 2 * PAGE, "child");
		local = 6;
		want(!strcmp(data, "child") && !strcmp(heap + 9000, "child") && !strcmp(mapped + 2 * PAGE, "child") &&
		     local == 6);
		_exit(0);
	}
	want(status_of(pid) == 0);
	want(!strcmp(data, "parent") && !strcmp(heap + 9000, "parent") && !strcmp(mapped + 2 * PAGE, "parent") &&
	     local == 5);
	want(!munmap(mapped, 3 * PAGE));
	free(heap);
	return 1;
}

static int parent_writes_are_its_own(void)
{
	char *mapped = map(3, MAP_PRIVATE), c;
	int p[2];
	pid_t pid;

	strcpy(mapped, "before");
	want(!pipe(p));
	pid = fork();
	if (!pid) {
		want(read(p[0], &c, 1) == 1 && !strcmp(mapped, "before") && !mapped[2 * PAGE]);
		_exit(0);
	}
	strcpy(mapped, "after");
	mapped[2 * PAGE] = 1;
	want(write(p[1], "x", 1) == 1 && status_of(pid) == 0 && !strcmp(mapped, "after") && !munmap(mapped, 3 * PAGE));
	return 1;
}

static int many_pages_both_write(void)
{
	char *p = map(200, MAP_PRIVATE);
	size_t i;
	pid_t pid;

	fill_pattern(p, 200 * PAGE, 0);
	pid = fork();
	if (!pid) {
		for (i = 0; i < 200; i += 2)
			memset(p + i * PAGE, 'c', PAGE);
		for (i = 0; i < 200; i++)
			want(i % 2 ? is_pattern(p + i * PAGE, PAGE, i * PAGE) : p[i * PAGE] == 'c' &&
			     p[i * PAGE + PAGE - 1] == 'c');
		_exit(0);
	}
	for (i = 0; i < 200; i += 3)
		memset(p + i * PAGE, 'p', PAGE);
	for (i = 0; i < 200; i++)
		want(i % 3 ? is_pattern(p + i * PAGE, PAGE, i * PAGE) : p[i * PAGE] == 'p' &&
		     p[i * PAGE + PAGE - 1] == 'p');
	want(status_of(pid) == 0 && !munmap(p, 200 * PAGE));
	return 1;
}

static int pages_never_touched(void)
{
	char *p = map(20, MAP_PRIVATE);
	pid_t pid = fork();
	int i;

	if (!pid) {
		for (i = 0; i < 20; i++)
			want(!p[i * PAGE] && !zeros[i % 5 * PAGE]);
		memset(p, 'c', 20 * PAGE);
		_exit(0);
	}
	want(status_of(pid) == 0);
	for (i = 0; i < 20; i++)
		want(!p[i * PAGE]);
	want(!munmap(p, 20 * PAGE));
	return 1;
}

static int shared_mapping_is_shared(void)
{
	char *p = map(3, MAP_SHARED);
	pid_t pid;

	strcpy(p, "parent");
	pid = fork();
	if (!pid) {
		want(!strcmp(p, "parent"));
		strcpy(p + 2 * PAGE, "child");
		_exit(0);
	}
	want(status_of(pid) == 0 && !strcmp(p + 2 * PAGE, "child") && !munmap(p, 3 * PAGE));
	return 1;
}

static int shared_both_ways(void)
{
	volatile int *p = (void *)map(1, MAP_SHARED);
	pid_t pid = fork();
	int i;

	if (!pid) {
		for (i = 0; i < 20; i++) {
			want_soon(p[0] == i + 1);
			p[1] = i + 1;
		}
		_exit(0);
	}
	for (i = 0; i < 20; i++) {
		p[0] = i + 1;
		want_soon(p[1] == i + 1);
	}
	want(status_of(pid) == 0 && !munmap((void *)p, PAGE));
	return 1;
}

static int mappings_change_alone(void)
{
	char *p = map(4, MAP_PRIVATE);
	pid_t pid;

	memset(p, 'x', 4 * PAGE);
	pid = fork();
	if (!pid) {
		want(!munmap(p, PAGE) && !mprotect(p + PAGE, PAGE, PROT_READ));
		want(mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p && !p[0]);
		_exit(0);
	}
	want(status_of(pid) == 0 && p[0] == 'x');
	p[PAGE] = 'y';
	want(!munmap(p, 4 * PAGE));
	return 1;
}

static int child_maps_and_unmaps(void)
{
	pid_t pid = fork();
	char *p;
	int i;

	if (!pid) {
		for (i = 1; i < 20; i++) {
			want((p = map(i, MAP_PRIVATE)) != MAP_FAILED && !p[0]);
			memset(p, 'x', i * PAGE);
			want(!munmap(p, i * PAGE));
		}
		p = malloc(500000);
		memset(p, 1, 500000);
		free(p);
		_exit(0);
	}
	want(status_of(pid) == 0);
	return 1;
}

static int dropped_pages_in_child(void)
{
	char *p = map(4, MAP_PRIVATE);
	pid_t pid;

	fill_pattern(p, 4 * PAGE, 0);
	pid = fork();
	if (!pid) {
		want(!madvise(p + PAGE, PAGE, MADV_DONTNEED) && !p[PAGE] && is_pattern(p, PAGE, 0));
		_exit(0);
	}
	want(status_of(pid) == 0 && is_pattern(p, 4 * PAGE, 0));
	want(!munmap(p, 4 * PAGE));
	return 1;
}

static int generation(int n)
{
	pid_t pid;

	if (!n)
		return data[0] == 'a' + 5;
	data[0]++;
	pid = fork();
	if (!pid)
		_exit(generation(n - 1) ? 0 : 1);
	return status_of(pid) == 0;
}

static int fork_in_fork(void)
{
	data[0] = 'a';
	want(generation(5) && data[0] == 'b');
	return 1;
}

static int many_children_at_once(void)
{
	pid_t pid[12];
	int i, p[2];
	char c;

	want(!pipe(p));
	for (i = 0; i < 12; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			memset(data, i, sizeof(data));
			close(p[1]);
			_exit(read(p[0], &c, 1) == 0 && data[3 * PAGE] == i ? i : 99);
		}
		want(pid[i] > 0);
	}
	close(p[1]);
	for (i = 0; i < 12; i++)
		want(WEXITSTATUS(status_of(pid[i])) == i);
	return 1;
}

static int many_children_in_turn(void)
{
	int i;
	pid_t pid;

	for (i = 0; i < 40; i++) {
		pid = fork();
		if (!pid) {
			data[i * 100 % sizeof(data)] = i;
			_exit(i);
		}
		want(WEXITSTATUS(status_of(pid)) == i);
	}
	return 1;
}

static int parent_ends_first(void)
{
	volatile pid_t *seen = (void *)map(1, MAP_SHARED);
	pid_t pid, first;

	pid = fork();
	if (!pid) {
		first = getpid();
		if (!fork()) {
			want_soon(getppid() != first);
			seen[1] = strcmp(data, "orphan's") ? 2 : 3;
			_exit(0);
		}
		_exit(0);
	}
	want(status_of(pid) == 0);
	want_soon(seen[1]);
	want(seen[1] == 2 && !munmap((void *)seen, PAGE));
	return 1;
}

/* What the parent runs as, on the one CPU of both, leaves none of it to the child before its end. */
static int starts_after_parents_end(void)
{
	volatile int *seen = (void *)map(1, MAP_SHARED);
	struct sched_param param = { .sched_priority = 1 };
	cpu_set_t one;
	pid_t pid = fork();

	if (!pid) {
		CPU_ZERO(&one);
		CPU_SET(sched_getcpu(), &one);
		want(!sched_setaffinity(0, sizeof(one), &one));
		want(!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param));
		if (!fork())
			seen[0] = 1;
		_exit(0);
	}
	want(status_of(pid) == 0);
	want_soon(seen[0]);
	want(!munmap((void *)seen, PAGE));
	return 1;
}

static int orphan_keeps_memory(void)
{
	char *p = map(20, MAP_PRIVATE), *out = map(1, MAP_SHARED);
	pid_t pid, first;

	fill_pattern(p, 20 * PAGE, 0);
	pid = fork();
	if (!pid) {
		memset(p, 'm', PAGE);
		first = getpid();
		if (!fork()) {
			while (getppid() == first)
				sleep_ms(1);
			out[0] = p[0] == 'm' && is_pattern(p + PAGE, 19 * PAGE, PAGE) ? 1 : 2;
			_exit(0);
		}
		_exit(0);
	}
	want(status_of(pid) == 0);
	memset(p, 0, 20 * PAGE);
	want_soon(out[0]);
	want(out[0] == 1 && !munmap(p, 20 * PAGE) && !munmap(out, PAGE));
	return 1;
}

static int descriptors_shared(void)
{
	int fd = pattern_file("f", 1000);
	pid_t pid = fork();
	char c;

	if (!pid) {
		want(lseek(fd, 500, SEEK_SET) == 500 && !close(fd));
		_exit(0);
	}
	want(status_of(pid) == 0 && read(fd, &c, 1) == 1 && is_pattern(&c, 1, 500));
	return 1;
}

static int cwd_and_umask_are_its_own(void)
{
	char before[300], after[300];
	pid_t pid;

	want(getcwd(before, sizeof(before)));
	pid = fork();
	if (!pid) {
		want(!chdir("/") && umask(077) == 022 && !setpriority(PRIO_PROCESS, 0, 3));
		_exit(0);
	}
	want(status_of(pid) == 0 && getcwd(after, sizeof(after)) && !strcmp(before, after) && umask(022) == 022);
	want(getpriority(PRIO_PROCESS, 0) == 0);
	return 1;
}

static int fault_in_child_only(void)
{
	int *volatile nowhere = (int *)16;
	pid_t pid = fork();
	int status;

	if (!pid) {
		*nowhere = 1;
		_exit(0);
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	return 1;
}

static int killed_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		for (;;)
			pause();
	want(!kill(pid, SIGKILL));
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return 1;
}

static int stdio_buffer_is_copied(void)
{
	FILE *f = fopen("f", "w");
	char text[100] = "";
	pid_t pid;

	want(f && fputs("buffered ", f) >= 0);
	pid = fork();
	if (!pid) {
		fputs("child ", f);
		fclose(f);
		_exit(0);
	}
	want(status_of(pid) == 0 && fputs("parent", f) >= 0 && !fclose(f) && (f = fopen("f", "r")));
	want(fgets(text, sizeof(text), f) && !strcmp(text, "buffered child buffered parent") && !fclose(f));
	return 1;
}

static int log_fd;

static void at_exit_first(void)
{
	if (write(log_fd, "1", 1) != 1)
		_exit(99);
}

static void at_exit_second(void)
{
	if (write(log_fd, "2", 1) != 1)
		_exit(99);
}

static int exit_runs_handlers(void)
{
	char text[10] = "";
	int p[2];
	pid_t pid;

	want(!pipe(p));
	log_fd = p[1];
	pid = fork();
	if (!pid) {
		atexit(at_exit_first);
		atexit(at_exit_second);
		exit(7);
	}
	want(WEXITSTATUS(status_of(pid)) == 7 && read(p[0], text, 9) == 2 && !strcmp(text, "21"));
	return 1;
}

static int vfork_exits(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(9);
	want(pid > 0 && WEXITSTATUS(status_of(pid)) == 9);
	return 1;
}

static int vfork_waits(void)
{
	pid_t pid = vfork();
	int status;

	if (!pid) {
		sleep_ms(30);
		_exit(3);
	}
	/* It has ended by now. */
	want(waitpid(pid, &status, WNOHANG) == pid || waitpid(pid, &status, 0) == pid);
	want(WEXITSTATUS(status) == 3);
	return 1;
}

static int clone_without_signal(void)
{
	int status;
	pid_t pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);

	if (!pid)
		_exit(5);
	want(pid > 0);
	want_error(waitpid(pid, &status, 0), ECHILD);
	want(waitpid(pid, &status, __WCLONE) == pid && WEXITSTATUS(status) == 5);
	return 1;
}

static int prepared, after_parent, after_child;

static void prepare(void) { prepared++; }
static void in_parent(void) { after_parent++; }
static void in_its_child(void) { after_child++; }

static int atfork_handlers(void)
{
	pid_t pid;

	want(!pthread_atfork(prepare, in_parent, in_its_child));
	pid = fork();
	if (!pid)
		_exit(prepared == 1 && after_child == 1 && !after_parent ? 0 : 1);
	want(status_of(pid) == 0 && prepared == 1 && after_parent == 1 && !after_child);
	return 1;
}

static int resource_use_of_children(void)
{
	struct rusage r;
	volatile long x = 0;
	struct tms t;
	int status;
	pid_t pid = fork();

	if (!pid) {
		while (x < 1000000)
			x++;
		_exit(0);
	}
	want(wait4(pid, &status, 0, &r) == pid && status == 0 && r.ru_minflt > 0);
	want(!getrusage(RUSAGE_CHILDREN, &r) && r.ru_minflt > 0 && times(&t) != (clock_t)-1);
	return 1;
}

static int process_limit(void)
{
	struct rlimit r = { 0, 0 };
	pid_t pid = fork();

	if (!pid) {
		want(!setgid(54321) && !setuid(54321) && !setrlimit(RLIMIT_NPROC, &r));
		want_error(fork(), EAGAIN);
		_exit(0);
	}
	want(status_of(pid) == 0);
	return 1;
}

const struct check checks[] = {
	CHECK(fork_returns_twice), CHECK(ids_of_child), CHECK(child_writes_are_its_own),
	CHECK(parent_writes_are_its_own), CHECK(many_pages_both_write), CHECK(pages_never_touched),
	CHECK(shared_mapping_is_shared), CHECK(shared_both_ways), CHECK(mappings_change_alone),
	CHECK(child_maps_and_unmaps), CHECK(dropped_pages_in_child), CHECK(fork_in_fork),
	CHECK(many_children_at_once), CHECK(many_children_in_turn), CHECK(parent_ends_first),
	CHECK(starts_after_parents_end),
	CHECK(orphan_keeps_memory), CHECK(descriptors_shared), CHECK(cwd_and_umask_are_its_own),
	CHECK(fault_in_child_only), CHECK(killed_child), CHECK(stdio_buffer_is_copied),
	CHECK(exit_runs_handlers), CHECK(vfork_exits), CHECK(vfork_waits), CHECK(clone_without_signal),
	CHECK(atfork_handlers), CHECK(resource_use_of_children), CHECK(process_limit),
	{ NULL, NULL },
};
