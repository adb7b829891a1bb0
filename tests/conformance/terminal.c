// SPDX-License-Identifier: GPL-2.0-or-later
/* terminal.c - pseudo-terminals and termios. Sessions and job control are in jobs.c. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "conformance.h"

static char buffer[5000];

/* A terminal T: t[0] is its master, t[1] the side of the programs; raw if wanted. */
static int terminal(int t[2], int raw)
{
	struct termios a;

	if (openpty(&t[0], &t[1], NULL, NULL, NULL))
		return 0;
	if (!raw)
		return 1;
	if (tcgetattr(t[1], &a))
		return 0;
	cfmakeraw(&a);
	return !tcsetattr(t[1], TCSANOW, &a);
}

/* What is written to a terminal comes to the other side a little later. */
static int readable(int fd)
{
	struct pollfd f = { fd, POLLIN, 0 };

	return poll(&f, 1, 5000) == 1;
}

static int stays_unreadable(int fd)
{
	struct pollfd f = { fd, POLLIN, 0 };

	return poll(&f, 1, 30) == 0;
}

static int opened_by_steps(void)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), s;
	struct stat st;
	char *name;

	want(m >= 0 && !grantpt(m) && !unlockpt(m) && (name = ptsname(m)) && !strncmp(name, "/dev/pts/", 9));
	want((s = open(name, O_RDWR | O_NOCTTY)) >= 0 && isatty(s) && isatty(m));
	want(!fstat(s, &st) && S_ISCHR(st.st_mode) && !strcmp(ttyname(s), name));
	return 1;
}

static int raw_passes(void)
{
	int t[2];

	want(terminal(t, 1) && write(t[0], "a\rb\n\003", 5) == 5 && read(t[1], buffer, 100) == 5 &&
	     !memcmp(buffer, "a\rb\n\003", 5));
	want(write(t[1], "x\ny", 3) == 3 && read(t[0], buffer, 100) == 3 && !memcmp(buffer, "x\ny", 3));
	return 1;
}

static int lines_are_cooked(void)
{
	int t[2];

	want(terminal(t, 0) && write(t[0], "abx\177c", 5) == 5 && stays_unreadable(t[1]) &&
	     write(t[0], "\rnext", 5) == 5);
	want(readable(t[1]) && read(t[1], buffer, 100) == 4 && !memcmp(buffer, "abc\n", 4) && stays_unreadable(t[1]));
	want(write(t[0], "\nshort\n", 7) == 7 && read(t[1], buffer, 2) == 2 && !memcmp(buffer, "ne", 2));
	want(read(t[1], buffer, 100) == 3 && read(t[1], buffer, 100) == 6);
	return 1;
}

static int echo(void)
{
	int t[2], n;

	want(terminal(t, 0) && write(t[0], "ab\n", 3) == 3 && (n = read(t[0], buffer, 100)) == 4 &&
	     !memcmp(buffer, "ab\r\n", 4));
	want(write(t[1], "out\n", 4) == 4 && read(t[0], buffer, 100) == 5 && !memcmp(buffer, "out\r\n", 5));
	return 1;
}

static int end_of_input(void)
{
	int t[2];

	want(terminal(t, 0) && write(t[0], "ab\004\004", 4) == 4 && read(t[1], buffer, 100) == 2 &&
	     read(t[1], buffer, 100) == 0);
	return 1;
}

static int attributes(void)
{
	struct termios a, b;
	int t[2];

	want(terminal(t, 0) && !tcgetattr(t[1], &a) && (a.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
	want(a.c_cc[VINTR] == 3 && a.c_cc[VEOF] == 4);
	a.c_lflag &= ~ECHO;
	a.c_cc[VINTR] = 7;
	want(!tcsetattr(t[1], TCSADRAIN, &a) && !tcgetattr(t[0], &b) && !(b.c_lflag & ECHO) && b.c_cc[VINTR] == 7);
	want(!cfsetspeed(&a, B9600) && !tcsetattr(t[1], TCSAFLUSH, &a) && !tcgetattr(t[1], &b) &&
	     cfgetospeed(&b) == B9600);
	want_error(tcgetattr(open("/dev/null", O_RDWR), &a), ENOTTY);
	return 1;
}

static int window_size(void)
{
	struct winsize w = { 25, 80, 3, 4 }, got;
	int t[2];

	want(!openpty(&t[0], &t[1], NULL, NULL, &w) && !ioctl(t[1], TIOCGWINSZ, &got) && got.ws_row == 25 &&
	     got.ws_col == 80);
	w.ws_row = 40;
	want(!ioctl(t[0], TIOCSWINSZ, &w) && !ioctl(t[1], TIOCGWINSZ, &got) && got.ws_row == 40 && got.ws_xpixel == 3);
	return 1;
}

static int timed_reads(void)
{
	struct termios a;
	int t[2];

	want(terminal(t, 1) && !tcgetattr(t[1], &a));
	a.c_cc[VMIN] = 0;
	a.c_cc[VTIME] = 0;
	want(!tcsetattr(t[1], TCSANOW, &a) && read(t[1], buffer, 10) == 0);
	a.c_cc[VTIME] = 1;
	want(!tcsetattr(t[1], TCSANOW, &a) && read(t[1], buffer, 10) == 0);
	a.c_cc[VMIN] = 3;
	a.c_cc[VTIME] = 0;
	want(!tcsetattr(t[1], TCSANOW, &a) && write(t[0], "abcd", 4) == 4 && read(t[1], buffer, 3) == 3);
	return 1;
}

static int queues(void)
{
	int t[2], n;

	want(terminal(t, 1) && write(t[0], "hello", 5) == 5);
	want_soon(!ioctl(t[1], FIONREAD, &n) && n == 5);
	want(!tcflush(t[1], TCIFLUSH) && stays_unreadable(t[1]) && !tcdrain(t[1]));
	want(!ioctl(t[1], TIOCOUTQ, &n) && n == 0);
	want(!tcflow(t[1], TCOOFF) && !tcflow(t[1], TCOON));
	want_error(tcflush(t[1], 99), EINVAL);
	return 1;
}

static int hang_up(void)
{
	int t[2];

	want(terminal(t, 1) && !close(t[0]) && read(t[1], buffer, 10) == 0);
	want_error(write(t[1], "x", 1), EIO);
	want(terminal(t, 1) && !close(t[1]));
	want_error(read(t[0], buffer, 10), EIO);
	return 1;
}

static int number_and_lock(void)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), n = -1, lock = 1;

	want(!ioctl(m, TIOCGPTN, &n) && n >= 0 && !ioctl(m, TIOCSPTLCK, &lock));
	want_error(open(ptsname(m), O_RDWR | O_NOCTTY), EIO);
	return 1;
}

static int no_terminal_of_its_own(void)
{
	pid_t group;
	int t[2];

	want_error(open("/dev/tty", O_RDWR), ENXIO);
	want(terminal(t, 0));
	want_error(ioctl(t[1], TIOCGPGRP, &group), ENOTTY);
	want_error(tcgetsid(t[1]), ENOTTY);
	return 1;
}

const struct check checks[] = {
	CHECK(opened_by_steps), CHECK(raw_passes), CHECK(lines_are_cooked), CHECK(echo), CHECK(end_of_input),
	CHECK(attributes), CHECK(window_size), CHECK(timed_reads), CHECK(queues), CHECK(hang_up),
	CHECK(number_and_lock), CHECK(no_terminal_of_its_own),
	{ NULL, NULL },
};
