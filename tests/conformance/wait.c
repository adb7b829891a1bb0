// SPDX-License-Identifier: GPL-2.0-or-later
/* wait.c - exit statuses, wait and its kin, zombies. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "conformance.h"

/* Of kernels and headers younger than the libraries. */
#define P_PIDFD	3

static pid_t exiting(int status)
{
	pid_t pid = fork();

	if (!pid)
		_exit(status);
	return pid;
}

static pid_t waiting(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static int statuses(void)
{
	static const int codes[] = { 0, 1, 42, 127, 128, 255, 256, -1 };
	size_t i;
	int status;

	for (i = 0; i < COUNT(codes); i++) {
		status = status_of(exiting(codes[i]));
		want(WIFEXITED(status) && WEXITSTATUS(status) == (codes[i] & 255));
		value("%d: %#x", codes[i], status);
	}
	return 1;
}

static int status_of_signals(void)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGUSR1, SIGALRM, SIGHUP, SIGPIPE };
	size_t i;
	int status;
	pid_t pid;

	for (i = 0; i < COUNT(signals); i++) {
		pid = waiting();
		want(!kill(pid, signals[i]));
		status = status_of(pid);
		want(WIFSIGNALED(status) && WTERMSIG(status) == signals[i] && !WIFEXITED(status));
	}
	return 1;
}

static int aborts(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	abort();
}

static int abort_ends(void)
{
	int status = in_child(aborts);

	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	return 1;
}

static int any_child(void)
{
	pid_t a = exiting(1), b = exiting(2), got[2];
	int status[2];

	got[0] = wait(&status[0]);
	got[1] = waitpid(-1, &status[1], 0);
	want((got[0] == a && got[1] == b) || (got[0] == b && got[1] == a));
	want(WEXITSTATUS(status[0]) + WEXITSTATUS(status[1]) == 3);
	want_error(wait(NULL), ECHILD);
	return 1;
}

static int one_of_two(void)
{
	pid_t a = exiting(1), b = exiting(2);
	int status;

	want(waitpid(b, &status, 0) == b && WEXITSTATUS(status) == 2 && waitpid(a, NULL, 0) == a);
	want_error(waitpid(a, &status, 0), ECHILD);
	return 1;
}

static int without_hanging(void)
{
	int p[2], status;
	pid_t pid;

	want(!pipe(p));
	pid = fork();
	if (!pid) {
		close(p[1]);
		_exit(read(p[0], &status, 1) == 0 ? 4 : 5);
	}
	want(waitpid(pid, &status, WNOHANG) == 0 && waitpid(-1, &status, WNOHANG) == 0 && !close(p[1]));
	while (!waitpid(pid, &status, WNOHANG))
		sleep_ms(1);
	want(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	return 1;
}

static int by_group(void)
{
	int status;
	pid_t a = fork(), b;

	if (!a) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(a, a);
	b = exiting(3);
	want(waitpid(-a, &status, WNOHANG) == 0 && waitpid(0, &status, 0) == b && WEXITSTATUS(status) == 3);
	want(!kill(-a, SIGTERM) && waitpid(-a, &status, 0) == a && WTERMSIG(status) == SIGTERM);
	want_error(waitpid(-a, &status, 0), ECHILD);
	return 1;
}

static int waitid_info(void)
{
	siginfo_t i;
	pid_t pid = exiting(33);

	want(!waitid(P_PID, pid, &i, WEXITED | WNOWAIT) && i.si_pid == pid && i.si_code == CLD_EXITED &&
	     i.si_status == 33);
	want(i.si_signo == SIGCHLD && i.si_uid == getuid());
	want(!waitid(P_ALL, 0, &i, WEXITED) && i.si_pid == pid);
	want_error(waitid(P_ALL, 0, &i, WEXITED), ECHILD);
	want_error(waitid(P_ALL, 0, &i, 0), EINVAL);
	pid = waiting();
	memset(&i, 1, sizeof(i));
	want(!waitid(P_PID, pid, &i, WEXITED | WNOHANG) && i.si_pid == 0);
	want(!kill(pid, SIGKILL) && !waitid(P_PID, pid, &i, WEXITED) && i.si_code == CLD_KILLED &&
	     i.si_status == SIGKILL);
	return 1;
}

static int zombie_stays(void)
{
	siginfo_t i;
	pid_t pid = exiting(1);

	want(!waitid(P_PID, pid, &i, WEXITED | WNOWAIT) && !kill(pid, 0) && !kill(pid, SIGTERM));
	want(WEXITSTATUS(status_of(pid)) == 1);
	want_error(kill(pid, 0), ESRCH);
	return 1;
}

static int stopped_and_continued(void)
{
	pid_t pid = waiting();
	int status;

	want(!kill(pid, SIGSTOP) && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
	     WSTOPSIG(status) == SIGSTOP);
	want(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	want(!kill(pid, SIGCONT) && waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	want(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
	return 1;
}

static int waitid_of_stops(void)
{
	pid_t pid = waiting();
	siginfo_t i;

	want(!kill(pid, SIGSTOP) && !waitid(P_PID, pid, &i, WSTOPPED) && i.si_code == CLD_STOPPED &&
	     i.si_status == SIGSTOP);
	want(!kill(pid, SIGCONT) && !waitid(P_PID, pid, &i, WCONTINUED) && i.si_code == CLD_CONTINUED &&
	     i.si_status == SIGCONT);
	want(!kill(pid, SIGKILL) && status_of(pid) == SIGKILL);
	return 1;
}

static int by_descriptor(void)
{
	struct pollfd f;
	siginfo_t i;
	pid_t pid = waiting();

	f = (struct pollfd){ syscall(SYS_pidfd_open, pid, 0), POLLIN, 0 };
	want(f.fd >= 0 && fcntl(f.fd, F_GETFD) == FD_CLOEXEC && poll(&f, 1, 0) == 0);
	want(!syscall(SYS_pidfd_send_signal, f.fd, SIGTERM, NULL, 0) && poll(&f, 1, 10000) == 1 && f.revents == POLLIN);
	want(!waitid(P_PIDFD, f.fd, &i, WEXITED) && i.si_pid == pid && i.si_status == SIGTERM);
	want_error(syscall(SYS_pidfd_open, 0x3ffffff, 0), ESRCH);
	return 1;
}

static int children_ignored(void)
{
	pid_t pid;

	want(signal(SIGCHLD, SIG_IGN) == SIG_DFL);
	pid = exiting(1);
	want_error(waitpid(pid, NULL, 0), ECHILD);
	return 1;
}

static int children_not_wanted(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	pid_t pid;

	want(!sigaction(SIGCHLD, &sa, NULL));
	pid = exiting(1);
	want_error(waitpid(pid, NULL, 0), ECHILD);
	return 1;
}

static int not_of_others(void)
{
	pid_t pid = exiting(1), other = fork();

	if (!other) {
		want_error(waitpid(pid, NULL, 0), ECHILD);
		_exit(0);
	}
	want(status_of(other) == 0 && WEXITSTATUS(status_of(pid)) == 1);
	return 1;
}

static int exit_calls(void)
{
	pid_t pid = fork();

	if (!pid)
		syscall(SYS_exit_group, 300 + 12);
	want(WEXITSTATUS(status_of(pid)) == 56);
	pid = fork();
	if (!pid)
		syscall(SYS_exit, 13);
	want(WEXITSTATUS(status_of(pid)) == 13);
	return 1;
}

const struct check checks[] = {
	CHECK(statuses), CHECK(status_of_signals), CHECK(abort_ends), CHECK(any_child), CHECK(one_of_two),
	CHECK(without_hanging), CHECK(by_group), CHECK(waitid_info), CHECK(zombie_stays),
	CHECK(stopped_and_continued), CHECK(waitid_of_stops), CHECK(by_descriptor), CHECK(children_ignored),
	CHECK(children_not_wanted), CHECK(not_of_others), CHECK(exit_calls),
	{ NULL, NULL },
};
