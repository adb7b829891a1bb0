// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * compare.c - runs programs unprotected and protected, and compares what their checks say. An ordinary program.
 *
 * Each program runs in a directory, session and environment of its own. A check that says nothing for some time is
 * ended, and the program is started again for those after it; likewise after one that failed or in which it died.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"Usage: compare [OPTION]... DIR GROUP...\n"
	"Runs the programs DIR/GROUP unprotected, then protected, and compares what each check says.\n"
	"\n"
	"  --loader FILE        runs them unprotected, as FILE --unprotected PROGRAM (/lib/ld-inktag.so.1)\n"
	"  --protected COMMAND  what runs them protected: words before PROGRAM (none)\n"
	"  --alone              only unprotected\n"
	"  --plain              with --alone: they are ordinary programs, and need no loader\n"
	"  --differences FILE   the differences that are known: \"GROUP.CHECK REASON\" on each line\n"
	"  --timeout SECONDS    that one check may take (20)\n"
	"  --verbose            shows which checks run, and how long each group takes\n"
	"\n"
	"A line \"ok GROUP.CHECK\" or \"not ok GROUP.CHECK: WHY\" for each; the last is \"N passed, N failed\".\n"
	"Status 0: none failed.\n";

enum { MAX_CHECKS = 2000, MAX_KNOWN = 200, MAX_WORDS = 16 };

struct said {
	char name[80];
	char text[1500];	/* values and the result, each with its newline */
	int done;
};

struct run {
	struct said said[MAX_CHECKS];
	int count;
	char trouble[200];	/* empty: it came to its end */
};

struct known {
	char check[160];
	const char *reason;
	int seen;
};

static struct run plain, protect;
static struct known known[MAX_KNOWN];
static int known_count, passed, failed, timeout = 20, verbose;
static const char *loader = "/lib/ld-inktag.so.1", *dir;
static char *words[MAX_WORDS];
static char home[] = "/tmp/conformance-XXXXXX";

static void die(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "compare: ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(2);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* All that descend from this process: it adopts what its children leave. Until none is left. */
static void end_all(void)
{
	char path[300], text[400], *p;
	struct dirent *e;
	DIR *d;
	int fd, n, ppid;

	do {
		d = opendir("/proc");
		while (d && (e = readdir(d))) {
			if (!isdigit(e->d_name[0]))
				continue;
			snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
			fd = open(path, O_RDONLY);
			n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
			if (fd >= 0)
				close(fd);
			text[n > 0 ? n : 0] = 0;
			p = strrchr(text, ')');
			if (p && sscanf(p + 1, " %*c %d", &ppid) == 1 && ppid == getpid())
				kill(atoi(e->d_name), SIGKILL);
		}
		if (d)
			closedir(d);
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		usleep(1000);
	} while (waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno != ECHILD);
}

static pid_t start(const char *group, int is_protected, const char *after, int *out)
{
	static char *const environment[] = { "PATH=/bin:/usr/bin:/sbin", "HOME=/", "LANG=C", NULL };
	char path[400], *argv[MAX_WORDS + 8];
	int p[2], n = 0, i;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", dir, group);
	if (pipe2(p, O_CLOEXEC))
		die("no pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die("no process: %s", strerror(errno));
	if (pid) {
		close(p[1]);
		*out = p[0];
		return pid;
	}
	setsid();
	if (chdir(home) || dup2(open("/dev/null", O_RDWR), 0) || dup2(p[1], 1) != 1)
		_exit(125);
	if (is_protected) {
		for (i = 0; words[i]; i++)
			argv[n++] = words[i];
		argv[n++] = path;
	} else if (loader) {
		argv[n++] = (char *)loader;
		argv[n++] = "--unprotected";
		argv[n++] = path;
		argv[n++] = "--loader";
		argv[n++] = (char *)loader;
	} else {
		argv[n++] = path;
	}
	argv[n++] = path;
	if (after) {
		argv[n++] = "--after";
		argv[n++] = (char *)after;
	}
	argv[n] = NULL;
	execve(argv[0], argv, environment);
	dprintf(2, "compare: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(126);
}

static void add(struct said *s, const char *line)
{
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s\n", line);
}

/* One line of the program's. Its form is checked: a protected program's output comes from the kernel that it fears. */
static void take(struct run *r, char *line, int *end)
{
	struct said *s = r->count ? &r->said[r->count - 1] : NULL;
	char word[16], name[80];

	*end = -1;
	if (sscanf(line, "run %79s", name) == 1) {
		if ((s && !s->done) || r->count == MAX_CHECKS) {
			snprintf(r->trouble, sizeof(r->trouble), "it began %s before the one before ended", name);
			return;
		}
		s = &r->said[r->count++];
		snprintf(s->name, sizeof(s->name), "%s", name);
		if (verbose)
			fprintf(stderr, "  %s\n", name);
		return;
	}
	if (sscanf(line, "end %d", end) == 1)
		return;
	if (!strncmp(line, "not ok ", 7) ? sscanf(line, "not %15s %79s", word, name) == 2
					 : sscanf(line, "%15s %79s", word, name) == 2 &&
					 (!strcmp(word, "ok") || !strcmp(word, "value")))
		if (s && !s->done && !strcmp(s->name, name)) {
			add(s, line);
			s->done = strcmp(word, "value") != 0;
			return;
		}
	snprintf(r->trouble, sizeof(r->trouble), "it said \"%.100s\"", line);
}

static void run(struct run *r, const char *group, int is_protected)
{
	char buffer[8192], *newline, why[100];
	const char *after = NULL;
	double began = seconds(), spoke;
	struct said *s;
	struct pollfd pf;
	int fd, n, have, end, ready, over, before, status;
	pid_t pid;

	memset(r, 0, sizeof(*r));
	do {
		before = r->count;
		end = -1;
		have = 0;
		pid = start(group, is_protected, after, &fd);
		pf = (struct pollfd){ .fd = fd, .events = POLLIN };
		spoke = seconds();
		over = 0;
		for (;;) {
			ready = poll(&pf, 1, 100);
			if (ready < 0 && errno == EINTR)
				continue;
			if (ready <= 0 && over)
				break;
			if (ready <= 0) {
				if (seconds() - spoke > timeout)
					break;
				/* What it leaves may hold the pipe open; what it wrote is read first. */
				over = waitpid(pid, &status, WNOHANG) == pid;
				continue;
			}
			n = read(fd, buffer + have, sizeof(buffer) - 1 - have);
			if (n <= 0)
				break;
			spoke = seconds();
			have += n;
			buffer[have] = 0;
			while ((newline = strchr(buffer, '\n'))) {
				*newline = 0;
				take(r, buffer, &end);
				have -= newline + 1 - buffer;
				memmove(buffer, newline + 1, have + 1);
			}
			if (end >= 0 || have == sizeof(buffer) - 1 || *r->trouble)
				break;
		}
		/* Who has said that it is at its end, or closed its output, ends by itself. */
		while (!over && !*r->trouble && seconds() - spoke <= timeout) {
			over = waitpid(pid, &status, WNOHANG) == pid;
			usleep(1000);
		}
		if (!over) {
			snprintf(why, sizeof(why), "no end in %d s", timeout);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		} else if (WIFSIGNALED(status)) {
			snprintf(why, sizeof(why), "the program ended with signal %d", WTERMSIG(status));
		} else {
			snprintf(why, sizeof(why), "the program ended with status %d", WEXITSTATUS(status));
		}
		end_all();
		close(fd);
		s = r->count ? &r->said[r->count - 1] : NULL;
		if (*r->trouble)
			return;
		if (end >= 0) {
			if (end != r->count)
				snprintf(r->trouble, sizeof(r->trouble), "%d checks, and %d were run", end, r->count);
			else if (!over || status)
				snprintf(r->trouble, sizeof(r->trouble), "after its last check: %s", why);
			break;
		}
		if (r->count == before) {
			snprintf(r->trouble, sizeof(r->trouble), "it began no check: %s", why);
			return;
		}
		if (s->done && !strstr(s->text, "not ok ")) {
			snprintf(r->trouble, sizeof(r->trouble), "between two checks: %s", why);
		} else if (!s->done) {
			snprintf(buffer, sizeof(buffer), "not ok %s (%s)", s->name, why);
			add(s, buffer);
			s->done = 1;
		}
		after = s->name;
	} while (!*r->trouble);
	if (verbose)
		fprintf(stderr, "%s %s: %d checks in %.1f s\n", group, is_protected ? "protected" : "unprotected",
			r->count, seconds() - began);
}

static struct known *find_known(const char *group, const char *name)
{
	char check[160];
	int i;

	snprintf(check, sizeof(check), "%s.%s", group, name);
	for (i = 0; i < known_count; i++)
		if (!strcmp(known[i].check, check))
			return &known[i];
	return NULL;
}

static void bad(const char *format, ...)
{
	va_list ap;

	failed++;
	printf("not ok ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

/* In one line. */
static const char *joined(char *text)
{
	char *p;

	for (p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : 0;
	return text;
}

/* How a program came to its end, what each check said, and whether it said it twice. */
static void judge(const char *group, int alone)
{
	struct said *a, *b;
	struct known *k;
	char fine[100];
	int i, n;

	if (*plain.trouble)
		bad("%s: unprotected: %s", group, plain.trouble);
	if (!alone && *protect.trouble)
		bad("%s: protected: %s", group, protect.trouble);
	n = !alone && protect.count > plain.count ? protect.count : plain.count;
	for (i = 0; i < n; i++) {
		a = &plain.said[i];
		b = alone ? a : &protect.said[i];
		if (strcmp(a->name, b->name)) {
			bad("%s: check %d is %s unprotected and %s protected", group, i, *a->name ? a->name : "not run",
			    *b->name ? b->name : "not run");
			continue;
		}
		snprintf(fine, sizeof(fine), "ok %s\n", a->name);
		k = find_known(group, a->name);
		/* The last line is the result; values stand before. */
		if (strlen(a->text) < strlen(fine) || strcmp(a->text + strlen(a->text) - strlen(fine), fine) ||
		    (strlen(a->text) > strlen(fine) && a->text[strlen(a->text) - strlen(fine) - 1] != '\n')) {
			bad("%s.%s: unprotected, where it must be ok: %s", group, a->name, joined(a->text));
		} else if (!strcmp(a->text, b->text)) {
			if (k && !alone) {
				k->seen = 1;
				bad("%s.%s: it is a known difference, and does not differ any more", group, a->name);
			} else {
				passed++;
				printf("ok %s.%s\n", group, a->name);
			}
		} else if (k) {
			k->seen = 1;
			passed++;
			printf("ok %s.%s # differs: %s; it says: %s\n", group, a->name, k->reason, joined(b->text));
		} else {
			bad("%s.%s: unprotected: %s; protected: %s", group, a->name, joined(a->text), joined(b->text));
		}
	}
	for (i = 0; i < known_count; i++)
		if (!alone && !known[i].seen && !strncmp(known[i].check, group, strlen(group)) &&
		    known[i].check[strlen(group)] == '.')
			bad("%s: a known difference of a check that does not exist", known[i].check);
	fflush(stdout);
}

static void read_known(const char *path)
{
	char line[1000], *gap;
	FILE *f = fopen(path, "r");

	if (!f)
		die("cannot open %s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!*line || *line == '#')
			continue;
		gap = strpbrk(line, " \t");
		if (!gap || !gap[strspn(gap, " \t")])
			die("%s: no reason is given for %s", path, line);
		if (known_count == MAX_KNOWN)
			die("%s: more than %d lines", path, MAX_KNOWN);
		*gap++ = 0;
		snprintf(known[known_count].check, sizeof(known[0].check), "%s", line);
		known[known_count++].reason = strdup(gap + strspn(gap, " \t"));
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	int alone = 0, i, n = 0, ordinary = 0;
	char *word;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--alone")) {
			alone = 1;
		} else if (!strcmp(argv[i], "--plain")) {
			ordinary = 1;
		} else if (!strcmp(argv[i], "--verbose")) {
			verbose = 1;
		} else if (!strcmp(argv[i], "--help")) {
			fputs(usage, stdout);
			return 0;
		} else if (i + 1 == argc) {
			die("unknown option %s, or its argument is missing; see --help", argv[i]);
		} else if (!strcmp(argv[i], "--loader")) {
			loader = argv[++i];
		} else if (!strcmp(argv[i], "--protected")) {
			for (word = strtok(argv[++i], " "); word && n < MAX_WORDS - 1; word = strtok(NULL, " "))
				words[n++] = word;
		} else if (!strcmp(argv[i], "--differences")) {
			read_known(argv[++i]);
		} else if (!strcmp(argv[i], "--timeout")) {
			timeout = atoi(argv[++i]);
		} else {
			die("unknown option %s; see --help", argv[i]);
		}
	}
	if (argc - i < 2 || timeout < 1 || (ordinary && !alone))
		die("a directory and at least one group are needed; see --help");
	if (ordinary)
		loader = NULL;
	dir = realpath(argv[i], NULL);
	if (!dir)
		die("%s: %s", argv[i], strerror(errno));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_DFL);
	umask(022);
	for (i++; i < argc; i++) {
		if (!mkdtemp(home) || chmod(home, 0755))
			die("no directory in /tmp: %s", strerror(errno));
		run(&plain, argv[i], 0);
		if (!alone)
			run(&protect, argv[i], 1);
		judge(argv[i], alone);
		/* It is empty, but for what a check that died has left. */
		if (rmdir(home) && !fork()) {
			execlp("rm", "rm", "-rf", home, NULL);
			_exit(127);
		}
		while (waitpid(-1, NULL, 0) > 0)
			;
		memcpy(home + strlen(home) - 6, "XXXXXX", 6);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
