// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * jobs.c - sessions, process groups, controlling terminals, job control. Each check runs in a child that is the leader
 * of a session of its own, with a pseudo-terminal as its terminal.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "conformance.h"

static int master, tty;
static volatile sig_atomic_t count, last;
static char text[300];

static void counts(int sig)
{
	count++;
	last = sig;
}

/* F as leader of a session with the terminal. */
static int in_session(int (*f)(void))
{
	struct termios a;
	pid_t pid;

	want(!openpty(&master, &tty, NULL, NULL, NULL) && !tcgetattr(tty, &a));
	a.c_lflag &= ~ECHO;
	want(!tcsetattr(tty, TCSANOW, &a));
	pid = fork();
	if (!pid) {
		count = 0;
		want(setsid() == getpid() && !ioctl(tty, TIOCSCTTY, 0));
		_exit(f() ? 0 : 1);
	}
	want(status_of(pid) == 0);
	return 1;
}

#define IN_SESSION(name) \
static int name##_inside(void); \
static int name(void) { return in_session(name##_inside); } \
static int name##_inside(void)

/* A child in a group of its own, which runs F; in the foreground if wanted. */
static pid_t job(int (*f)(void), int foreground)
{
	int p[2];
	char c;
	pid_t pid;

	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_IGN);
		if (foreground)
			tcsetpgrp(tty, getpgrp());
		signal(SIGTTOU, SIG_DFL);
		signal(SIGTTIN, SIG_DFL);
		signal(SIGTSTP, SIG_DFL);
		if (write(p[1], "x", 1) != 1)
			_exit(99);
		_exit(f() ? 0 : 1);
	}
	if (read(p[0], &c, 1) != 1)
		return -1;
	close(p[0]);
	close(p[1]);
	return pid;
}

static int waits(void)
{
	while (pause())
		;
	return 0;
}

static int stopped_by(pid_t pid, int sig)
{
	int status;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == sig;
}

static int ended_by(pid_t pid, int sig)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

IN_SESSION(session_and_terminal)
{
	want(getsid(0) == getpid() && getpgrp() == getpid() && tcgetpgrp(tty) == getpid() && tcgetsid(tty) == getpid());
	want(open("/dev/tty", O_RDWR) >= 0 && ttyname(tty));
	want_error(setsid(), EPERM);
	want_error(setpgid(0, 0), EPERM);
	return 1;
}

static int makes_session(void)
{
	return setsid() == getpid() && getpgrp() == getpid() && open("/dev/tty", O_RDWR) < 0 && errno == ENXIO;
}

IN_SESSION(new_session_has_no_terminal)
{
	want(in_child(makes_session) == 0);
	return 1;
}

IN_SESSION(groups)
{
	pid_t a = job(waits, 0), b = job(waits, 0);

	want(getpgid(a) == a && getpgid(b) == b && !setpgid(b, a) && getpgid(b) == a);
	want_error(setpgid(b, 0x3ffffff), EPERM);
	want_error(setpgid(getppid(), 0), ESRCH);
	want(!kill(-a, SIGTERM) && ended_by(a, SIGTERM) && ended_by(b, SIGTERM));
	return 1;
}

IN_SESSION(foreground)
{
	pid_t pid;

	signal(SIGTTOU, SIG_IGN);
	pid = job(waits, 1);
	want(tcgetpgrp(tty) == pid && !tcsetpgrp(tty, getpgrp()) && tcgetpgrp(tty) == getpgrp());
	want_error(tcsetpgrp(tty, 0x3ffffff), ESRCH);
	want_error(tcsetpgrp(tty, -1), EINVAL);
	want(!kill(pid, SIGKILL) && ended_by(pid, SIGKILL));
	return 1;
}

IN_SESSION(interrupt_key)
{
	pid_t pid = job(waits, 1);

	want(write(master, "\003", 1) == 1 && ended_by(pid, SIGINT));
	return 1;
}

IN_SESSION(quit_key)
{
	pid_t pid = job(waits, 1);

	want(write(master, "\034", 1) == 1 && ended_by(pid, SIGQUIT));
	return 1;
}

IN_SESSION(suspend_key)
{
	pid_t pid = job(waits, 1);
	int status;

	want(write(master, "\032", 1) == 1 && stopped_by(pid, SIGTSTP) && !kill(-pid, SIGCONT));
	want(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status) && !kill(pid, SIGTERM) &&
	     ended_by(pid, SIGTERM));
	return 1;
}

static int catches(void)
{
	signal(SIGTSTP, counts);
	signal(SIGCONT, counts);
	if (write(tty, "ready\n", 6) != 6)
		return 0;
	want_soon(count == 1);
	want(last == SIGTSTP);
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	want(count == 2 && last == SIGCONT);
	return 1;
}

IN_SESSION(suspend_is_caught)
{
	pid_t pid;

	signal(SIGTTOU, SIG_IGN);
	pid = job(catches, 1);
	want(read(master, text, 100) == 7 && write(master, "\032", 1) == 1 && stopped_by(pid, SIGTSTP));
	want(!kill(pid, SIGCONT) && status_of(pid) == 0);
	return 1;
}

static int reads_terminal(void)
{
	char line[20];

	return read(tty, line, 20) == 5 && !memcmp(line, "line\n", 5);
}

IN_SESSION(read_in_background)
{
	pid_t pid = job(reads_terminal, 0);

	want(stopped_by(pid, SIGTTIN));
	signal(SIGTTOU, SIG_IGN);
	want(!tcsetpgrp(tty, pid) && !kill(-pid, SIGCONT) && write(master, "line\n", 5) == 5 && status_of(pid) == 0);
	return 1;
}

static int reads_ignoring(void)
{
	signal(SIGTTIN, SIG_IGN);
	return read(tty, text, 20) == -1 && errno == EIO;
}

IN_SESSION(read_in_background_ignored)
{
	want(status_of(job(reads_ignoring, 0)) == 0);
	return 1;
}

static int writes_terminal(void)
{
	return write(tty, "text", 4) == 4;
}

IN_SESSION(write_in_background)
{
	struct termios a;
	pid_t pid = job(writes_terminal, 0);

	want(status_of(pid) == 0 && read(master, text, 100) == 4 && !tcgetattr(tty, &a));
	a.c_lflag |= TOSTOP;
	want(!tcsetattr(tty, TCSANOW, &a));
	pid = job(writes_terminal, 0);
	signal(SIGTTOU, SIG_IGN);
	want(stopped_by(pid, SIGTTOU) && !tcsetpgrp(tty, pid) && !kill(pid, SIGCONT) && status_of(pid) == 0);
	return 1;
}

static int changes_terminal(void)
{
	struct termios a;

	return !tcgetattr(tty, &a) && !tcsetattr(tty, TCSANOW, &a);
}

IN_SESSION(settings_in_background)
{
	pid_t pid = job(changes_terminal, 0);

	want(stopped_by(pid, SIGTTOU) && !kill(pid, SIGKILL) && ended_by(pid, SIGKILL));
	return 1;
}

IN_SESSION(window_changes)
{
	struct winsize w = { 30, 100, 0, 0 };

	signal(SIGWINCH, counts);
	want(!ioctl(master, TIOCSWINSZ, &w));
	want_soon(count == 1);
	want(!ioctl(tty, TIOCSWINSZ, &w) && count == 1);
	return 1;
}

static int leads_and_ends(void)
{
	int t, m, p[2];
	char c;

	/* The group in the foreground hears of the end of its session's leader. */
	if (openpty(&m, &t, NULL, NULL, NULL) || setsid() < 0 || ioctl(t, TIOCSCTTY, 0) || pipe(p))
		return 0;
	if (!fork()) {
		close(m);
		signal(SIGHUP, counts);
		if (write(p[1], "x", 1) != 1)
			_exit(99);
		while (!count)
			sleep_ms(1);
		_exit(write(master, "", 0) == 0 ? 0 : 1);
	}
	return read(p[0], &c, 1) == 1;
}

/* The pipe that only the one left behind holds closes when it ends, which it does because it is told. */
static int hang_up_at_end_of_leader(void)
{
	struct pollfd f;
	int p[2];
	pid_t pid;

	want(!pipe(p));
	master = p[1];
	count = 0;
	pid = start_child(leads_and_ends);
	f = (struct pollfd){ p[0], POLLIN, 0 };
	want(!close(p[1]) && status_of(pid) == 0 && poll(&f, 1, 10000) == 1 && f.revents == POLLHUP);
	return 1;
}

static int hears_hang_up(void)
{
	int m, t;

	if (openpty(&m, &t, NULL, NULL, NULL) || setsid() < 0 || ioctl(t, TIOCSCTTY, 0))
		return 0;
	count = 0;
	signal(SIGHUP, counts);
	want(!close(m));
	want_soon(count == 1);
	want(read(t, text, 10) == 0);
	return 1;
}

static int hang_up_when_the_line_is_lost(void)
{
	want(in_child(hears_hang_up) == 0);
	return 1;
}

static int orphans_inside(void)
{
	int status;
	pid_t pid = fork();

	/* A stop signal from the terminal does not stop a group that nobody looks after. */
	if (!pid) {
		raise(SIGTSTP);
		_exit(7);
	}
	return waitpid(pid, &status, WUNTRACED) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

static int orphaned_group_is_not_stopped(void)
{
	pid_t pid = fork();

	if (!pid) {
		want(setsid() > 0);
		_exit(orphans_inside() ? 0 : 1);
	}
	want(status_of(pid) == 0);
	return 1;
}

static int stopped_then_left(void)
{
	int status;
	pid_t pid = fork();

	/* Stopped, in a group that is orphaned by the end of this process: it gets SIGHUP and SIGCONT. */
	if (!pid) {
		setpgid(0, 0);
		raise(SIGSTOP);
		_exit(write(master, "c", 1) == 1 ? 0 : 1);
	}
	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

static int stopped_orphans_are_told(void)
{
	struct pollfd f;
	int p[2];
	pid_t pid;

	want(!pipe(p));
	master = p[1];
	pid = fork();
	if (!pid) {
		/* The session's leader has a child whose child is stopped. */
		want(setsid() > 0 && status_of(start_child(stopped_then_left)) == 0);
		_exit(0);
	}
	f = (struct pollfd){ p[0], POLLIN, 0 };
	/* SIGHUP comes first: it ends without having written. */
	want(!close(p[1]) && status_of(pid) == 0 && poll(&f, 1, 10000) == 1 && f.revents == POLLHUP);
	return 1;
}

IN_SESSION(like_a_shell)
{
	int status, i;
	pid_t pid;

	/* Two jobs, one after the other in the foreground, stopped, and back again. */
	signal(SIGTTOU, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	for (i = 0; i < 2; i++) {
		pid = job(reads_terminal, 1);
		want(write(master, "\032", 1) == 1 && stopped_by(pid, SIGTSTP) && !tcsetpgrp(tty, getpgrp()));
		want(!tcsetpgrp(tty, pid) && !kill(-pid, SIGCONT));
		want(write(master, "line\n", 5) == 5 && waitpid(pid, &status, 0) == pid && status == 0);
		want(!tcsetpgrp(tty, getpgrp()));
	}
	return 1;
}

const struct check checks[] = {
	CHECK(session_and_terminal), CHECK(new_session_has_no_terminal), CHECK(groups), CHECK(foreground),
	CHECK(interrupt_key), CHECK(quit_key), CHECK(suspend_key), CHECK(suspend_is_caught),
	CHECK(read_in_background), CHECK(read_in_background_ignored), CHECK(write_in_background),
	CHECK(settings_in_background), CHECK(window_changes), CHECK(hang_up_at_end_of_leader),
	CHECK(hang_up_when_the_line_is_lost), CHECK(orphaned_group_is_not_stopped),
	CHECK(stopped_orphans_are_told), CHECK(like_a_shell),
	{ NULL, NULL },
};
