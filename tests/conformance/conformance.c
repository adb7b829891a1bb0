// SPDX-License-Identifier: GPL-2.0-or-later
/* conformance.c - see conformance.h. Arguments: [--loader LOADER] PATH [--after CHECK | --list | --helper WORD...] */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

static const char *loader, *self, *current;
static pid_t runner;
static __thread char what[300];

static void line(const char *format, ...)
{
	char text[600];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text) - 1, format, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = sizeof(text) - 2;
	text[n] = '\n';
	if (write(1, text, n + 1) != n + 1)
		_exit(125);
}

void say_failed(int number, const char *condition)
{
	int e = errno;

	snprintf(what, sizeof(what), "line %d: %s; errno %d", number, condition, e);
	if (getpid() != runner)
		dprintf(2, "%s: in a child: %s\n", current, what);
}

void value(const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	line("value %s %s", current, text);
}

pid_t start_child(int (*f)(void))
{
	pid_t pid = fork();

	if (!pid)
		_exit(f() ? 0 : 1);
	return pid;
}

int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			return -1;
	return status;
}

int in_child(int (*f)(void))
{
	return status_of(start_child(f));
}

unsigned char pattern(size_t i)
{
	return i * 7 + i / 251 + (i >> 12) * 13;
}

void fill_pattern(void *at, size_t n, size_t offset)
{
	unsigned char *p = at;
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = pattern(offset + i);
}

int is_pattern(const void *at, size_t n, size_t offset)
{
	const unsigned char *p = at;
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != pattern(offset + i))
			return 0;
	return 1;
}

int pattern_file(const char *name, size_t n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned char part[4096];
	size_t done, now;

	for (done = 0; fd >= 0 && done < n; done += now) {
		now = n - done < sizeof(part) ? n - done : sizeof(part);
		fill_pattern(part, now, done);
		if (write(fd, part, now) != (ssize_t)now)
			return -1;
	}
	return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

const char *self_command(char *const args[], char *argv[], size_t room)
{
	size_t n = 0;

	if (loader) {
		argv[n++] = (char *)loader;
		argv[n++] = "--unprotected";
		argv[n++] = (char *)self;
		argv[n++] = "--loader";
		argv[n++] = (char *)loader;
	} else {
		argv[n++] = (char *)self;
	}
	argv[n++] = (char *)self;
	argv[n++] = "--helper";
	while (*args && n < room - 1)
		argv[n++] = *args++;
	argv[n] = NULL;
	return loader ? loader : self;
}

void exec_self(char *const args[], char *const env[])
{
	char *argv[64];

	execve(self_command(args, argv, COUNT(argv)), argv, env);
}

__attribute__((weak)) int helper(int argc, char **argv)
{
	return 125;
}

static int remove_tree(const char *path)
{
	char name[512];
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (unlink(name) && remove_tree(name))
			break;
	}
	if (d)
		closedir(d);
	return rmdir(path);
}

/* As a check finds it; what is wrong with how the last one left it. */
static const char *clean(int home)
{
	int sig, alone;
	sigset_t none;

	alone = waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD;
	for (sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	syscall(SYS_close_range, 3, home - 1, 0);
	syscall(SYS_close_range, home + 1, ~0U, 0);
	if (fchdir(home) || (remove_tree("check") && errno != ENOENT))
		return "it left a file that cannot be removed";
	return alone ? NULL : "it left a child";
}

int main(int argc, char **argv)
{
	const char *mess, *after = NULL;
	const struct check *c;
	int home, good;

	if (argc > 2 && !strcmp(argv[1], "--loader")) {
		loader = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc < 2)
		return 125;
	self = argv[1];
	runner = getpid();
	if (argc > 2 && !strcmp(argv[2], "--helper"))
		return helper(argc - 3, argv + 3);
	if (argc > 2 && !strcmp(argv[2], "--list")) {
		for (c = checks; c->name; c++)
			line("%s", c->name);
		return 0;
	}
	if (argc > 3 && !strcmp(argv[2], "--after"))
		after = argv[3];
	home = fcntl(open(".", O_RDONLY | O_DIRECTORY), F_DUPFD_CLOEXEC, 900);
	current = "preparations";
	mess = clean(home);
	if (home < 0 || mess) {
		dprintf(2, "conformance: cannot start: %s\n", mess ? mess : "no working directory");
		return 125;
	}
	for (c = checks; c->name; c++) {
		if (after) {
			if (!strcmp(c->name, after))
				after = NULL;
			continue;
		}
		current = c->name;
		line("run %s", c->name);
		if (mkdir("check", 0755) || chdir("check")) {
			line("not ok %s (no directory to work in)", c->name);
			return 0;
		}
		*what = 0;
		good = c->run();
		/* A child that a want() in the check itself ended. */
		if (getpid() != runner)
			_exit(good ? 0 : 1);
		if (good) {
			mess = clean(home);
		} else {
			mess = *what ? what : "it does not say why";
			clean(home);
		}
		line(mess ? "not ok %s (%s)" : "ok %s", c->name, mess);
		/* What failed may have left anything: the others get a new process. */
		if (mess)
			return 0;
	}
	line("end %d", (int)(c - checks));
	return 0;
}
