// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper.c - keeps files. It does what its arguments say, one after the other, and ends with the first that fails: "ok ..."
 * or "bad WHAT: WHY" for each. The content of a file is that of content.h.
 *
 *	put PATH LENGTH N	a new file, or one cut to nothing first, with content N
 *	add PATH LENGTH N	so much more at its end (O_APPEND)
 *	poke PATH OFFSET LENGTH N	content N in place of what is there
 *	check PATH LENGTH N	its length and content are these: "ok", or "bad ...: at OFFSET"
 *	part PATH OFFSET LENGTH N	this part of it has content N
 *	either PATH LENGTH N M	each of its pages has content N or content M
 *	zeros PATH OFFSET LENGTH	this part of it is zeros
 *	mapped PATH LENGTH N	as check, through a shared mapping; map_poke PATH OFFSET LENGTH N: as poke
 *	sync PATH	fsync
 *	length PATH	"ok BYTES", as stat has it, and as lseek has it
 *	cut PATH LENGTH	truncate
 *	link, rename, unlink PATH [PATH]
 *	links PATH	"ok NAMES"
 *	fork		the rest is done by a child, for which this process waits
 *	sleep SECONDS	with all that is open open
 *	keep PATH	opens it, and does not close it
 *	write_all PATH MIB	a new file, written from its beginning to its end and synced: "ok MICROSECONDS"
 *	read_all PATH MIB	read likewise, a piece of 64 KiB at a time as it was written
 *	reread PATH N	reads 4 KiB so often, here and there in the first 256 KiB
 *	mark DEVICE	from now on, what was done stands there: "VERB ARGUMENT...", a block of 4 KiB, written through
 *
 * Errors are those of the system call: "bad read: Input/output error (0 at OFFSET)".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "content.h"

#define PIECE 65536

static void bad(const char *what, off_t at)
{
	printf("bad %s: %s (at %lld)\n", what, strerror(errno), (long long)at);
	exit(1);
}

static int must_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		bad("open", 0);
	return fd;
}

static void put(int fd, off_t at, off_t len, unsigned long n)
{
	static char buf[PIECE];
	ssize_t did;
	off_t i, part;

	for (i = 0; i < len; i += did) {
		part = len - i < PIECE ? len - i : PIECE;
		content_fill(buf, part, at + i, n);
		did = at < 0 ? -1 : pwrite(fd, buf, part, at + i);
		if (did <= 0)
			bad("write", at + i);
	}
}

static void append(const char *path, off_t len, unsigned long n)
{
	static char buf[PIECE];
	int fd = must_open(path, O_WRONLY | O_APPEND | O_CREAT);
	off_t at = lseek(fd, 0, SEEK_END), i, part;

	for (i = 0; i < len; i += part) {
		part = len - i < PIECE ? len - i : PIECE;
		content_fill(buf, part, at + i, n);
		if (write(fd, buf, part) != part)
			bad("write", at + i);
	}
	close(fd);
}

static void differs(const char *have, const char *want, size_t len, off_t at)
{
	size_t i;

	for (i = 0; i < len && have[i] == want[i]; i++)
		;
	if (i == len)
		return;
	printf("bad content: at %lld\n", (long long)(at + i));
	exit(1);
}

/* n: NULL: zeros */
static void part(const char *path, off_t at, off_t len, const unsigned long *n)
{
	static char buf[PIECE], want[PIECE];
	int fd = must_open(path, O_RDONLY);
	ssize_t did;
	off_t i;

	for (i = 0; i < len; i += did) {
		did = pread(fd, buf, len - i < PIECE ? len - i : PIECE, at + i);
		if (did <= 0)
			bad("read", at + i);
		memset(want, 0, did);
		if (n)
			content_fill(want, did, at + i, *n);
		differs(buf, want, did, at + i);
	}
	close(fd);
}

static void either(const char *path, off_t len, unsigned long n, unsigned long m)
{
	char buf[4096], want[4096];
	int fd = must_open(path, O_RDONLY);
	ssize_t did;
	off_t at;

	for (at = 0; at < len; at += did) {
		did = pread(fd, buf, sizeof(buf), at);
		if (did <= 0)
			bad("read", at);
		content_fill(want, did, at, n);
		if (memcmp(buf, want, did))
			content_fill(want, did, at, m);
		differs(buf, want, did, at);
	}
	close(fd);
}

static off_t length_of(const char *path)
{
	struct stat st;
	int fd = must_open(path, O_RDONLY);
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0 || stat(path, &st) < 0)
		bad("stat", 0);
	close(fd);
	if (st.st_size != end) {
		printf("bad length: stat says %lld, lseek %lld\n", (long long)st.st_size, (long long)end);
		exit(1);
	}
	return end;
}

static void must_have_length(const char *path, off_t len)
{
	off_t is = length_of(path);

	if (is == len)
		return;
	printf("bad length: %lld\n", (long long)is);
	exit(1);
}

static void mapped(const char *path, off_t at, off_t len, unsigned long n, int poke)
{
	int fd = must_open(path, O_RDWR);
	char *p = mmap(NULL, at + len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *want = malloc(len);

	if (p == MAP_FAILED || !want)
		bad("mmap", 0);
	close(fd);
	content_fill(want, len, at, n);
	if (poke)
		memcpy(p + at, want, len);
	else
		differs(p + at, want, len, at);
	if (poke && msync(p, at + len, MS_SYNC))
		bad("msync", at);
	free(want);
	munmap(p, at + len);
}

static void ask(int r, const char *what)
{
	if (r)
		bad(what, 0);
}

static char **args;

static const char *word(void)
{
	if (!*args) {
		printf("bad arguments\n");
		exit(2);
	}
	return *args++;
}

static long long number(void)
{
	return strtoll(word(), NULL, 0);
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void write_all(const char *path, long mib)
{
	static char buf[PIECE];
	int fd = must_open(path, O_RDWR | O_CREAT | O_TRUNC);
	long long begun = now();
	long i;

	memset(buf, 'w', sizeof(buf));
	for (i = 0; i < mib * 16; i++)
		if (write(fd, buf, PIECE) != PIECE)
			bad("write", i * PIECE);
	ask(fsync(fd), "fsync");
	printf("ok %lld\n", now() - begun);
	close(fd);
}

static void read_all(const char *path, long mib)
{
	static char buf[PIECE];
	int fd = must_open(path, O_RDONLY);
	long long begun = now();
	long i;

	for (i = 0; i < mib * 16; i++)
		if (read(fd, buf, PIECE) != PIECE || buf[0] != 'w' || buf[PIECE - 1] != 'w')
			bad("read", i * PIECE);
	printf("ok %lld\n", now() - begun);
	close(fd);
}

static void reread(const char *path, long n)
{
	static char buf[4096];
	int fd = must_open(path, O_RDONLY);

	for (; n; n--)
		if (pread(fd, buf, sizeof(buf), n * 1000 % (256 << 10)) != sizeof(buf))
			bad("read", n);
	close(fd);
}

static int marks = -1;

/* The words from there to args. */
static void mark(char **from)
{
	static char block[4096];
	size_t n = 0;

	if (marks < 0)
		return;
	memset(block, 0, sizeof(block));
	for (; from < args; from++)
		n += snprintf(block + n, sizeof(block) - n, "%s%s", n ? " " : "", *from);
	if (pwrite(marks, block, sizeof(block), 0) != sizeof(block))
		bad("mark", 0);
}

static void follow_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		bad("fork", 0);
	if (!pid)
		return;
	if (waitpid(pid, &status, 0) != pid)
		bad("waitpid", 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void one(const char *verb)
{
	const char *path, *other;
	unsigned long n;
	struct stat st;
	off_t at, len;
	int fd;

	if (!strcmp(verb, "fork")) {
		follow_child();
		return;
	}
	if (!strcmp(verb, "sleep")) {
		sleep(number());
		return;
	}
	path = word();
	if (!strcmp(verb, "put")) {
		len = number();
		n = number();
		fd = must_open(path, O_RDWR | O_CREAT | O_TRUNC);
		put(fd, 0, len, n);
		close(fd);
	} else if (!strcmp(verb, "add")) {
		len = number();
		append(path, len, number());
	} else if (!strcmp(verb, "poke")) {
		at = number();
		len = number();
		n = number();
		fd = must_open(path, O_WRONLY);
		put(fd, at, len, n);
		close(fd);
	} else if (!strcmp(verb, "check")) {
		len = number();
		n = number();
		must_have_length(path, len);
		part(path, 0, len, &n);
	} else if (!strcmp(verb, "part")) {
		at = number();
		len = number();
		n = number();
		part(path, at, len, &n);
	} else if (!strcmp(verb, "either")) {
		len = number();
		n = number();
		must_have_length(path, len);
		either(path, len, n, number());
	} else if (!strcmp(verb, "zeros")) {
		at = number();
		part(path, at, number(), NULL);
	} else if (!strcmp(verb, "mapped")) {
		len = number();
		must_have_length(path, len);
		mapped(path, 0, len, number(), 0);
	} else if (!strcmp(verb, "map_poke")) {
		at = number();
		len = number();
		mapped(path, at, len, number(), 1);
	} else if (!strcmp(verb, "sync")) {
		fd = must_open(path, O_RDWR);
		ask(fsync(fd), "fsync");
		close(fd);
	} else if (!strcmp(verb, "length")) {
		printf("ok %lld\n", (long long)length_of(path));
		return;
	} else if (!strcmp(verb, "cut")) {
		ask(truncate(path, number()), "truncate");
	} else if (!strcmp(verb, "link")) {
		other = word();
		ask(link(path, other), "link");
	} else if (!strcmp(verb, "rename")) {
		other = word();
		ask(rename(path, other), "rename");
	} else if (!strcmp(verb, "unlink")) {
		ask(unlink(path), "unlink");
	} else if (!strcmp(verb, "links")) {
		ask(stat(path, &st), "stat");
		at = st.st_nlink;
		fd = must_open(path, O_RDONLY);
		ask(fstat(fd, &st), "fstat");
		close(fd);
		printf("%s %lu\n", (unsigned long)st.st_nlink == (unsigned long)at ? "ok" : "bad links: fstat says", (unsigned long)st.st_nlink);
		return;
	} else if (!strcmp(verb, "keep")) {
		must_open(path, O_RDWR);
	} else if (!strcmp(verb, "reread")) {
		reread(path, number());
	} else if (!strcmp(verb, "write_all")) {
		write_all(path, number());
		return;
	} else if (!strcmp(verb, "read_all")) {
		read_all(path, number());
		return;
	} else if (!strcmp(verb, "mark")) {
		marks = must_open(path, O_WRONLY | O_SYNC);
		return;
	} else {
		printf("bad verb %s\n", verb);
		exit(2);
	}
	printf("ok\n");
}

int main(int argc, char **argv)
{
	char **from;

	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (args = argv + 1; *args;) {
		from = args++;
		one(*from);
		mark(from);
	}
	return 0;
}
