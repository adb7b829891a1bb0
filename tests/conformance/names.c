// SPDX-License-Identifier: GPL-2.0-or-later
/* names.c - opening, linking, renaming, removing; directories. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "conformance.h"

/* Of headers that are older than the kernel. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE	1
#define RENAME_EXCHANGE		2
#endif
#ifndef O_TMPFILE
#define O_TMPFILE	(020000000 | O_DIRECTORY)
#endif
#ifndef O_PATH
#define O_PATH		010000000
#endif

static int touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	return fd >= 0 && !close(fd);
}

static int exists(const char *name)
{
	struct stat st;

	return !lstat(name, &st);
}

static int links(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : (int)st.st_nlink;
}

/* How many names are in it. */
static int read_entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = -2;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static int open_creates(void)
{
	struct stat st;
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);

	want(fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640 && st.st_size == 0);
	want_error(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	want(open("f", O_RDWR | O_CREAT, 0600) >= 0 && !fstat(fd, &st) && (st.st_mode & 0777) == 0640);
	return 1;
}

static int open_lowest_descriptor(void)
{
	int a = open(".", O_RDONLY), b = open(".", O_RDONLY), c = open(".", O_RDONLY);

	want(a == 3 && b == 4 && c == 5 && !close(b));
	want(open(".", O_RDONLY) == 4 && open(".", O_RDONLY) == 6);
	return 1;
}

static int open_errors(void)
{
	touch("f");
	want_error(open("none", O_RDONLY), ENOENT);
	want_error(open("none/f", O_RDONLY | O_CREAT, 0644), ENOENT);
	want_error(open("f/g", O_RDONLY), ENOTDIR);
	want_error(open(".", O_WRONLY), EISDIR);
	want_error(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	want_error(open("", O_RDONLY), ENOENT);
	return 1;
}

static int names_too_long(void)
{
	static char name[PATH_MAX + 10];

	memset(name, 'a', PATH_MAX + 5);
	want_error(open(name, O_RDONLY), ENAMETOOLONG);
	name[NAME_MAX + 1] = 0;
	want_error(open(name, O_RDONLY | O_CREAT, 0644), ENAMETOOLONG);
	name[NAME_MAX] = 0;
	want(touch(name) && exists(name) && !unlink(name));
	return 1;
}

static int long_path_works(void)
{
	char path[PATH_MAX] = ".";
	int i;

	for (i = 0; i < 1900; i++)
		strcat(path, "/.");
	strcat(path, "/f");
	want(touch(path) && exists("f"));
	return 1;
}

static int openat_relative(void)
{
	int dir, fd;

	want(!mkdir("d", 0755) && (dir = open("d", O_RDONLY | O_DIRECTORY)) >= 0);
	want((fd = openat(dir, "f", O_WRONLY | O_CREAT, 0644)) >= 0 && exists("d/f"));
	want_error(openat(fd, "g", O_RDONLY), ENOTDIR);
	want_error(openat(-1, "g", O_RDONLY), EBADF);
	want(openat(AT_FDCWD, "d/f", O_RDONLY) >= 0);
	want(openat(-1, "/dev/null", O_RDONLY) >= 0);
	return 1;
}

static int open_nofollow(void)
{
	want(touch("f") && !symlink("f", "s"));
	want_error(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	want(open("s", O_RDONLY) >= 0 && open("f", O_RDONLY | O_NOFOLLOW) >= 0);
	return 1;
}

static int open_path(void)
{
	struct stat st;
	char c;
	int fd;

	want(touch("f") && (fd = open("f", O_PATH)) >= 0);
	want_error(read(fd, &c, 1), EBADF);
	want(!fstat(fd, &st) && S_ISREG(st.st_mode));
	return 1;
}

static int open_tmpfile(void)
{
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	want(fd >= 0 && write(fd, "x", 1) == 1 && !fstat(fd, &st) && st.st_nlink == 0);
	want(!read_entries("."));
	return 1;
}

static int symlink_loop(void)
{
	want(!symlink("b", "a") && !symlink("a", "b"));
	want_error(open("a", O_RDONLY), ELOOP);
	want_error(chdir("a"), ELOOP);
	return 1;
}

static int symlink_readlink(void)
{
	char to[20];

	want(!symlink("target/that/is/not", "s"));
	memset(to, 'x', sizeof(to));
	want(readlink("s", to, sizeof(to)) == 18 && !memcmp(to, "target/that/is/notxx", 20));
	want(readlink("s", to, 5) == 5 && !memcmp(to, "targe", 5));
	touch("f");
	want_error(readlink("f", to, 5), EINVAL);
	want_error(readlink("s", to, 0), EINVAL);
	return 1;
}

static int at_calls(void)
{
	char to[20];
	int dir;

	want(!mkdir("d", 0755) && (dir = open("d", O_RDONLY)) >= 0);
	want(!mkdirat(dir, "e", 0700) && exists("d/e"));
	want(!symlinkat("e", dir, "s") && readlinkat(dir, "s", to, 20) == 1 && *to == 'e');
	want(touch("f") && !linkat(AT_FDCWD, "f", dir, "g", 0) && links("f") == 2);
	want(!renameat(dir, "g", AT_FDCWD, "h") && exists("h") && !exists("d/g"));
	want(!unlinkat(dir, "s", 0) && !unlinkat(dir, "e", AT_REMOVEDIR) && !exists("d/e"));
	want_error(unlinkat(dir, "none", 0), ENOENT);
	return 1;
}

static int hard_links(void)
{
	want(touch("f") && links("f") == 1 && !link("f", "g") && links("f") == 2);
	want_error(link("f", "g"), EEXIST);
	want(!mkdir("d", 0755));
	want_error(link("d", "e"), EPERM);
	want(!unlink("f") && links("g") == 1);
	want_error(unlink("f"), ENOENT);
	return 1;
}

static int unlink_directory(void)
{
	want(!mkdir("d", 0755));
	want_error(unlink("d"), EISDIR);
	want(touch("d/f"));
	want_error(rmdir("d"), ENOTEMPTY);
	want_error(rmdir("d/f"), ENOTDIR);
	want_error(rmdir("."), EINVAL);
	return 1;
}

static int rename_replaces(void)
{
	want(touch("f") && touch("g") && !link("f", "h"));
	want(!rename("f", "g") && !exists("f") && links("g") == 2);
	want(!rename("g", "h") && exists("g") && exists("h"));
	return 1;
}

static int rename_errors(void)
{
	want(touch("f") && !mkdir("d", 0755) && !mkdir("d/e", 0755));
	want_error(rename("none", "g"), ENOENT);
	want_error(rename("f", "d"), EISDIR);
	want_error(rename("d", "f"), ENOTDIR);
	want_error(rename("d", "d/e/x"), EINVAL);
	want(!mkdir("n", 0755));
	want_error(rename("n", "d"), ENOTEMPTY);
	return 1;
}

static int rename_noreplace(void)
{
	want(touch("f") && touch("g"));
	want_error(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE), EEXIST);
	want(!syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "h", RENAME_NOREPLACE) && exists("h"));
	want_error(syscall(SYS_renameat2, AT_FDCWD, "g", AT_FDCWD, "h", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
	return 1;
}

static int rename_exchange(void)
{
	struct stat st;

	want(touch("f") && !mkdir("d", 0755));
	want(!syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "d", RENAME_EXCHANGE));
	want(!stat("f", &st) && S_ISDIR(st.st_mode) && !stat("d", &st) && S_ISREG(st.st_mode));
	want_error(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
	return 1;
}

static int mkdir_rmdir(void)
{
	struct stat st;

	want(!mkdir("d", 0750) && !stat("d", &st) && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0750 &&
	     st.st_nlink == 2);
	want_error(mkdir("d", 0755), EEXIST);
	want_error(mkdir("x/y", 0755), ENOENT);
	want(!mkdir("d/e", 0755) && links("d") == 3 && !rmdir("d/e") && !rmdir("d"));
	want_error(rmdir("d"), ENOENT);
	return 1;
}

static int mkfifo_mknod(void)
{
	struct stat st;

	want(!mkfifo("p", 0600) && !stat("p", &st) && S_ISFIFO(st.st_mode));
	want(!mknod("q", S_IFIFO | 0600, 0) && !stat("q", &st) && S_ISFIFO(st.st_mode));
	want_error(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	want(open("p", O_RDONLY | O_NONBLOCK) >= 0);
	return 1;
}

static int access_modes(void)
{
	want(touch("f") && !access("f", F_OK) && !access("f", R_OK | W_OK));
	want_error(access("f", X_OK), EACCES);
	want_error(access("none", F_OK), ENOENT);
	want_error(access("f", 8), EINVAL);
	want(!chmod("f", 0755) && !access("f", X_OK) && !faccessat(AT_FDCWD, "f", R_OK, 0));
	return 1;
}

static int mkstemp_names(void)
{
	char a[] = "x-XXXXXX", b[] = "x-XXXXXX", c[] = "d-XXXXXX", d[] = "wrong";
	struct stat st;
	int fd = mkstemp(a);

	want(fd >= 0 && !fstat(fd, &st) && (st.st_mode & 0777) == 0600);
	want(mkstemp(b) >= 0 && strcmp(a, b) && mkdtemp(c) && exists(c));
	want_error(mkstemp(d), EINVAL);
	return 1;
}

static int cwd(void)
{
	char path[PATH_MAX], more[PATH_MAX];
	int here = open(".", O_RDONLY);

	want(!mkdir("d", 0755) && getcwd(path, sizeof(path)) && !chdir("d") && getcwd(more, sizeof(more)));
	want(!strncmp(path, more, strlen(path)) && !strcmp(more + strlen(path), "/d"));
	want(getcwd(more, 3) == NULL && errno == ERANGE);
	want(!fchdir(here) && getcwd(more, sizeof(more)) && !strcmp(path, more));
	want_error(chdir("none"), ENOENT);
	want_error(fchdir(-1), EBADF);
	return 1;
}

static int cwd_removed(void)
{
	char path[PATH_MAX];

	want(!mkdir("d", 0755) && !chdir("d") && !rmdir("../d"));
	want(getcwd(path, sizeof(path)) == NULL && errno == ENOENT);
	want_error(open("f", O_CREAT | O_WRONLY, 0644), ENOENT);
	want(!chdir("/"));
	return 1;
}

static int realpath_resolves(void)
{
	char a[PATH_MAX], b[PATH_MAX];

	want(!mkdir("d", 0755) && touch("d/f") && !symlink("d", "s") && realpath(".", a));
	want(realpath("s/../d/./f", b) && !strncmp(a, b, strlen(a)) && !strcmp(b + strlen(a), "/d/f"));
	want(!realpath("none/f", b) && errno == ENOENT);
	return 1;
}

static int umask_applies(void)
{
	struct stat st;

	want(umask(027) == 022 && touch("f") && !stat("f", &st) && (st.st_mode & 0777) == 0640);
	want(!mkdir("d", 0777) && !stat("d", &st) && (st.st_mode & 0777) == 0750);
	want(umask(0) == 027 && open("g", O_CREAT | O_WRONLY, 0666) >= 0 && !stat("g", &st) &&
	     (st.st_mode & 0777) == 0666);
	return 1;
}

static int fill(const char *dir, int n)
{
	char name[40];

	want(!mkdir(dir, 0755));
	while (n--) {
		snprintf(name, sizeof(name), "%s/file-%d", dir, n);
		want(touch(name));
	}
	return 1;
}

static int readdir_finds_all(void)
{
	char seen[300] = "";
	struct dirent *e;
	int i, n = 0, dots = 0;
	DIR *d;

	want(fill("d", 300) && (d = opendir("d")));
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.') {
			dots++;
			continue;
		}
		i = atoi(e->d_name + 5);
		want(i >= 0 && i < 300 && !seen[i]++ && (e->d_type == DT_REG || e->d_type == DT_UNKNOWN) && e->d_ino);
		n++;
	}
	want(n == 300 && dots == 2 && !closedir(d));
	return 1;
}

static int rewinddir_again(void)
{
	struct dirent *e;
	int n = 0;
	DIR *d;

	want(fill("d", 10) && (d = opendir("d")));
	while (readdir(d))
		n++;
	rewinddir(d);
	while ((e = readdir(d)))
		n++;
	want(n == 24 && dirfd(d) >= 0 && !closedir(d));
	return 1;
}

static int seekdir_goes_back(void)
{
	char first[256];
	struct dirent *e;
	long at;
	DIR *d;

	want(fill("d", 30) && (d = opendir("d")) && readdir(d) && readdir(d) && readdir(d));
	at = telldir(d);
	want((e = readdir(d)));
	strcpy(first, e->d_name);
	while (readdir(d))
		;
	seekdir(d, at);
	want((e = readdir(d)) && !strcmp(e->d_name, first));
	closedir(d);
	return 1;
}

static int getdents_of_little_room(void)
{
	struct {
		unsigned long ino;
		long off;
		unsigned short len;
		unsigned char type;
		char name[];
	} *e;
	char room[64] __attribute__((aligned(8)));
	int fd, n, at, found = 0;

	want(fill("d", 20) && (fd = open("d", O_RDONLY | O_DIRECTORY)) >= 0);
	want_error(syscall(SYS_getdents64, fd, room, 8), EINVAL);
	while ((n = syscall(SYS_getdents64, fd, room, sizeof(room))) > 0)
		for (at = 0; at < n; at += e->len) {
			e = (void *)(room + at);
			want(e->len >= 20 && at + e->len <= n);
			found++;
		}
	want(n == 0 && found == 22);
	return 1;
}

static int readdir_errors(void)
{
	want(touch("f") && !opendir("f") && errno == ENOTDIR && !opendir("none") && errno == ENOENT);
	want_error(syscall(SYS_getdents64, open("f", O_RDONLY), "", 100), ENOTDIR);
	return 1;
}

static int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int scandir_sorts(void)
{
	struct dirent **list;
	int n, i;

	want(fill("d", 12) && (n = scandir("d", &list, no_dots, alphasort)) == 12);
	want(!strcmp(list[0]->d_name, "file-0") && !strcmp(list[2]->d_name, "file-10"));
	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return 1;
}

static int glob_matches(void)
{
	glob_t g;

	want(fill("d", 12) && !glob("d/file-1*", 0, NULL, &g) && g.gl_pathc == 3 &&
	     !strcmp(g.gl_pathv[2], "d/file-11"));
	globfree(&g);
	want(glob("none*", 0, NULL, &g) == GLOB_NOMATCH);
	return 1;
}

static int walked;

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	walked++;
	return 0;
}

static int nftw_walks(void)
{
	walked = 0;
	want(fill("d", 5) && fill("d/e", 5) && !nftw("d", visit, 10, FTW_PHYS) && walked == 12);
	return 1;
}

const struct check checks[] = {
	CHECK(open_creates), CHECK(open_lowest_descriptor), CHECK(open_errors), CHECK(names_too_long),
	CHECK(long_path_works), CHECK(openat_relative), CHECK(open_nofollow), CHECK(open_path),
	CHECK(open_tmpfile), CHECK(symlink_loop), CHECK(symlink_readlink), CHECK(at_calls), CHECK(hard_links),
	CHECK(unlink_directory), CHECK(rename_replaces), CHECK(rename_errors), CHECK(rename_noreplace),
	CHECK(rename_exchange), CHECK(mkdir_rmdir), CHECK(mkfifo_mknod), CHECK(access_modes),
	CHECK(mkstemp_names), CHECK(cwd), CHECK(cwd_removed), CHECK(realpath_resolves), CHECK(umask_applies),
	CHECK(readdir_finds_all), CHECK(rewinddir_again), CHECK(seekdir_goes_back),
	CHECK(getdents_of_little_room), CHECK(readdir_errors), CHECK(scandir_sorts), CHECK(glob_matches),
	CHECK(nftw_walks),
	{ NULL, NULL },
};
