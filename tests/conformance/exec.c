// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec.c - exec and posix_spawn. The program executes itself as a helper(), unprotected if it is unprotected; an
 * ordinary program is /bin/sh.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "conformance.h"

extern char **environ;

static char *const no_environment[] = { NULL };

/* The helper by name, in a child. Its exit status, or -1 if it did not exit. */
static int run(char *const args[], char *const env[])
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		exec_self(args, env);
		_exit(126);
	}
	status = status_of(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...) run((char *const[]){ __VA_ARGS__, NULL }, environ)

static int is_open(const char *fd)
{
	return fcntl(atoi(fd), F_GETFD) >= 0;
}

static unsigned long sum(const char *text)
{
	unsigned long s = 0;

	while (*text)
		s = s * 31 + *text++;
	return s;
}

int helper(int argc, char **argv)
{
	unsigned long s = 0;
	struct sigaction sa;
	char buffer[20];
	sigset_t set;
	pid_t pid;
	int i;

	if (!strcmp(argv[0], "exit"))
		return atoi(argv[1]);
	if (!strcmp(argv[0], "count"))
		return argc;
	if (!strcmp(argv[0], "sum")) {
		for (i = 2; i < argc; i++)
			s += sum(argv[i]);
		return s == strtoul(argv[1], NULL, 10) ? 0 : 1;
	}
	if (!strcmp(argv[0], "environment"))
		return environ[0] && !strcmp(environ[0], argv[1]) && environ[1] && !strcmp(environ[1], argv[2]) &&
			!environ[2] ? 0 : 1;
	if (!strcmp(argv[0], "no-environment"))
		return environ[0] ? 1 : 0;
	if (!strcmp(argv[0], "long-environment"))
		return getenv("LONG") && strlen(getenv("LONG")) == strtoul(argv[1], NULL, 10) ? 0 : 1;
	if (!strcmp(argv[0], "open"))
		return is_open(argv[1]) ? 0 : 1;
	if (!strcmp(argv[0], "read"))
		return read(atoi(argv[1]), buffer, 5) == 5 && !memcmp(buffer, argv[2], 5) ? 0 : 1;
	if (!strcmp(argv[0], "pid"))
		return getpid() == atoi(argv[1]) && getppid() == atoi(argv[2]) ? 0 : 1;
	if (!strcmp(argv[0], "blocked"))
		return !sigprocmask(SIG_BLOCK, NULL, &set) && sigismember(&set, atoi(argv[1])) ? 0 : 1;
	if (!strcmp(argv[0], "pending"))
		return !sigpending(&set) && sigismember(&set, atoi(argv[1])) ? 0 : 1;
	if (!strcmp(argv[0], "disposition")) {
		sigaction(atoi(argv[1]), NULL, &sa);
		return sa.sa_handler == SIG_DFL ? 0 : sa.sa_handler == SIG_IGN ? 1 : 2;
	}
	if (!strcmp(argv[0], "cwd"))
		return access(argv[1], F_OK) ? 1 : 0;
	if (!strcmp(argv[0], "again")) {
		i = atoi(argv[1]);
		if (!i)
			return 77;
		snprintf(buffer, sizeof(buffer), "%d", i - 1);
		exec_self((char *const[]){ "again", buffer, NULL }, environ);
		return 126;
	}
	if (!strcmp(argv[0], "group"))
		return getpgrp() == getpid() ? 0 : 1;
	if (!strcmp(argv[0], "sleep")) {
		pause();
		return 1;
	}
	if (!strcmp(argv[0], "fork")) {
		pid = fork();
		if (!pid)
			_exit(5);
		return status_of(pid) == 5 << 8 ? 0 : 1;
	}
	return 125;
}

static int status_comes_back(void)
{
	want(RUN("exit", "0") == 0 && RUN("exit", "42") == 42);
	return 1;
}

static int arguments_count(void)
{
	want(RUN("count") == 1 && RUN("count", "", "a b", "\n") == 4);
	return 1;
}

static int long_arguments(void)
{
	static char text[100000], number[30];
	char *args[5] = { "sum", number, text, text, NULL };

	memset(text, 'x', sizeof(text) - 1);
	snprintf(number, sizeof(number), "%lu", 2 * sum(text));
	want(run(args, environ) == 0);
	return 1;
}

static int many_arguments(void)
{
	char *args[50] = { "count" };
	int i;

	for (i = 1; i < 45; i++)
		args[i] = "argument";
	want(run(args, environ) == 45);
	return 1;
}

static int arguments_too_long(void)
{
	char *argv[] = { "sh", "-c", NULL, NULL };

	argv[2] = malloc(200000);
	memset(argv[2], ' ', 199999);
	argv[2][199999] = 0;
	want_error(execve("/bin/sh", argv, environ), E2BIG);
	free(argv[2]);
	return 1;
}

static int environment_given(void)
{
	want(run((char *const[]){ "environment", "A=b", "C=", NULL }, (char *const[]){ "A=b", "C=", NULL }) == 0);
	want(run((char *const[]){ "no-environment", NULL }, no_environment) == 0);
	return 1;
}

static int long_environment(void)
{
	static char text[100000] = "LONG=";
	char number[20], *env[] = { text, "A=b", NULL };

	memset(text + 5, 'y', sizeof(text) - 6);
	snprintf(number, sizeof(number), "%zu", strlen(text) - 5);
	want(run((char *const[]){ "long-environment", number, NULL }, env) == 0);
	return 1;
}

static int same_process(void)
{
	char pid_text[20], parent[20];
	int status;
	pid_t pid = fork();

	if (!pid) {
		snprintf(pid_text, sizeof(pid_text), "%d", getpid());
		snprintf(parent, sizeof(parent), "%d", getppid());
		exec_self((char *const[]){ "pid", pid_text, parent, NULL }, environ);
		_exit(126);
	}
	status = status_of(pid);
	want(status == 0);
	return 1;
}

static int descriptors_stay(void)
{
	int p[2];

	want(!pipe(p) && dup2(p[0], 55) == 55 && write(p[1], "hello", 5) == 5);
	want(RUN("open", "55") == 0 && RUN("read", "55", "hello") == 0);
	return 1;
}

static int close_on_exec(void)
{
	want(dup2(0, 55) == 55 && !fcntl(55, F_SETFD, FD_CLOEXEC) && RUN("open", "55") == 1);
	want(is_open("55") && !fcntl(55, F_SETFD, 0) && RUN("open", "55") == 0);
	return 1;
}

static void on_signal(int sig)
{
}

static int handlers_are_reset(void)
{
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	want(RUN("disposition", "10") == 0 && RUN("disposition", "12") == 1);
	return 1;
}

static int mask_is_kept(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	want(!sigprocmask(SIG_BLOCK, &set, NULL) && RUN("blocked", "10") == 0 && RUN("blocked", "12") == 1);
	return 1;
}

static int pending_is_kept(void)
{
	sigset_t set;
	int status;
	pid_t pid = fork();

	if (!pid) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGUSR1);
		exec_self((char *const[]){ "pending", "10", NULL }, environ);
		_exit(126);
	}
	status = status_of(pid);
	want(status == 0);
	return 1;
}

static int cwd_is_kept(void)
{
	want(pattern_file("here", 1) >= 0 && RUN("cwd", "here") == 0 && RUN("cwd", "not-here") == 1);
	return 1;
}

static int exec_after_exec(void)
{
	want(RUN("again", "5") == 77);
	return 1;
}

static int fork_after_exec(void)
{
	want(RUN("fork") == 0);
	return 1;
}

static int failed_exec_changes_nothing(void)
{
	int fd = dup2(0, 55);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	signal(SIGUSR1, on_signal);
	want_error(execve("/none", no_environment, no_environment), ENOENT);
	want(is_open("55") && signal(SIGUSR1, SIG_DFL) == on_signal);
	return 1;
}

static int exec_errors(void)
{
	char *argv[] = { "x", NULL };
	int fd = open("script", O_CREAT | O_WRONLY, 0644);

	want(write(fd, "nonsense", 8) == 8 && !close(fd) && !mkdir("d", 0755));
	want_error(execve("script", argv, environ), EACCES);
	want(!chmod("script", 0755));
	want_error(execve("script", argv, environ), ENOEXEC);
	want_error(execve("d", argv, environ), EACCES);
	want_error(execve("script/x", argv, environ), ENOTDIR);
	want_error(execve("", argv, environ), ENOENT);
	return 1;
}

static int ordinary_program(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/sh", "sh", "-c", "exit $((40 + 3))", NULL);
		_exit(126);
	}
	status = status_of(pid);
	want(WIFEXITED(status) && WEXITSTATUS(status) == 43);
	return 1;
}

static int output_of_a_program(void)
{
	char text[100] = "";
	FILE *f = popen("echo hello; exit 3", "r");

	want(f && fgets(text, sizeof(text), f) && !strcmp(text, "hello\n") && !fgets(text, sizeof(text), f));
	want(WEXITSTATUS(pclose(f)) == 3);
	return 1;
}

static int input_of_a_program(void)
{
	FILE *f = popen("read a; test \"$a\" = word; exit $?", "w");

	want(f && fputs("word\n", f) >= 0 && pclose(f) == 0);
	return 1;
}

static int system_command(void)
{
	want(WEXITSTATUS(system("exit 9")) == 9 && system(NULL) && system("true") == 0);
	want(WTERMSIG(system("kill -TERM $$")) == SIGTERM);
	return 1;
}

static int script_with_interpreter(void)
{
	int fd = open("script", O_CREAT | O_WRONLY, 0755), status;
	pid_t pid;

	want(write(fd, "#!/bin/sh\nexit 21\n", 18) == 18 && !close(fd));
	pid = fork();
	if (!pid) {
		execl("./script", "script", NULL);
		_exit(126);
	}
	status = status_of(pid);
	want(WEXITSTATUS(status) == 21);
	return 1;
}

static int path_is_searched(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execlp("sh", "sh", "-c", "exit 8", NULL);
		_exit(126);
	}
	status = status_of(pid);
	want(WEXITSTATUS(status) == 8);
	want_error(execlp("no-such-program", "x", NULL), ENOENT);
	return 1;
}

static int vfork_then_exec(void)
{
	char *argv[20];
	const char *path = self_command((char *const[]){ "exit", "11", NULL }, argv, COUNT(argv));
	pid_t pid = vfork();

	if (!pid) {
		execve(path, argv, environ);
		_exit(126);
	}
	want(pid > 0 && WEXITSTATUS(status_of(pid)) == 11);
	return 1;
}

static pid_t spawned(char *const args[], const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes)
{
	char *argv[20];
	const char *path = self_command(args, argv, COUNT(argv));
	pid_t pid;

	return posix_spawn(&pid, path, actions, attributes, argv, environ) ? -1 : pid;
}

#define SPAWN(actions, attributes, ...) spawned((char *const[]){ __VA_ARGS__, NULL }, actions, attributes)

static int spawn(void)
{
	pid_t pid = SPAWN(NULL, NULL, "exit", "12");

	want(pid > 0 && WEXITSTATUS(status_of(pid)) == 12);
	return 1;
}

static int spawn_file_actions(void)
{
	posix_spawn_file_actions_t a;
	int p[2];
	pid_t pid;

	want(!pipe(p) && write(p[1], "hello", 5) == 5 && !posix_spawn_file_actions_init(&a));
	want(!posix_spawn_file_actions_adddup2(&a, p[0], 60) && !posix_spawn_file_actions_addclose(&a, p[0]));
	want(!posix_spawn_file_actions_addopen(&a, 61, "/dev/null", O_RDONLY, 0));
	pid = SPAWN(&a, NULL, "read", "60", "hello");
	want(status_of(pid) == 0);
	pid = SPAWN(&a, NULL, "open", "61");
	want(status_of(pid) == 0 && !posix_spawn_file_actions_destroy(&a));
	return 1;
}

static int spawn_attributes(void)
{
	posix_spawnattr_t a;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	want(!posix_spawnattr_init(&a) && !posix_spawnattr_setsigmask(&a, &set) && !posix_spawnattr_setpgroup(&a, 0));
	want(!posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP));
	pid = SPAWN(NULL, &a, "blocked", "12");
	want(status_of(pid) == 0);
	pid = SPAWN(NULL, &a, "group");
	want(status_of(pid) == 0 && !posix_spawnattr_destroy(&a));
	return 1;
}

static int spawn_by_path(void)
{
	char *argv[] = { "sh", "-c", "exit 4", NULL };
	pid_t pid;

	want(!posix_spawnp(&pid, "sh", NULL, NULL, argv, environ) && WEXITSTATUS(status_of(pid)) == 4);
	return 1;
}

static int kill_what_was_executed(void)
{
	pid_t pid = SPAWN(NULL, NULL, "sleep");
	int status;

	want(pid > 0);
	sleep_ms(5);
	want(!kill(pid, SIGTERM));
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	return 1;
}

static int alarm_survives(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(1);
		exec_self((char *const[]){ "sleep", NULL }, environ);
		_exit(126);
	}
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	return 1;
}

const struct check checks[] = {
	CHECK(status_comes_back), CHECK(arguments_count), CHECK(long_arguments), CHECK(many_arguments),
	CHECK(arguments_too_long), CHECK(environment_given), CHECK(long_environment), CHECK(same_process),
	CHECK(descriptors_stay), CHECK(close_on_exec), CHECK(handlers_are_reset), CHECK(mask_is_kept),
	CHECK(pending_is_kept), CHECK(cwd_is_kept), CHECK(exec_after_exec), CHECK(fork_after_exec),
	CHECK(failed_exec_changes_nothing), CHECK(exec_errors), CHECK(ordinary_program),
	CHECK(output_of_a_program), CHECK(input_of_a_program), CHECK(system_command),
	CHECK(script_with_interpreter), CHECK(path_is_searched), CHECK(vfork_then_exec), CHECK(spawn),
	CHECK(spawn_file_actions), CHECK(spawn_attributes), CHECK(spawn_by_path), CHECK(kill_what_was_executed),
	CHECK(alarm_survives),
	{ NULL, NULL },
};
