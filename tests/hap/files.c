// SPDX-License-Identifier: GPL-2.0-or-later
/* files.c - system calls on files and directories, in a directory of its own under argv[1] (/tmp). */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include "check.h"

/* More than one piece of the shim's, and no multiple of anything. */
#define BIG	1300021

static char big[BIG], back[BIG];

static void data(void)
{
	char a[10] = "0123456789", b[7], c[5];
	struct iovec iov[3] = { { a, 10 }, { b, 0 }, { big, BIG } };
	struct stat st;
	int fd, i;

	for (i = 0; i < BIG; i++)
		big[i] = i * 7 + i / 251;
	fd = open("data", O_RDWR | O_CREAT | O_EXCL, 0640);
	check(fd >= 0, "open of a new file");
	check(open("data", O_RDWR | O_CREAT | O_EXCL, 0640) < 0 && errno == EEXIST, "open of the same, exclusive");
	check(write(fd, big, BIG) == BIG, "write of %d bytes", BIG);
	check(lseek(fd, 0, SEEK_SET) == 0 && read(fd, back, BIG) == BIG && !memcmp(big, back, BIG), "read of them");
	check(read(fd, back, 10) == 0, "read at the end");
	check(pread(fd, back, 100, 600000) == 100 && !memcmp(back, big + 600000, 100), "pread");
	check(pwrite(fd, "hello", 5, 600010) == 5 && pread(fd, back, 100, 600000) == 100 && !memcmp(back + 10, "hello", 5),
	      "pwrite");
	check(!fstat(fd, &st) && st.st_size == BIG && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0640, "fstat");
	check(!ftruncate(fd, 1000) && !fstat(fd, &st) && st.st_size == 1000, "ftruncate");
	check(lseek(fd, 0, SEEK_SET) == 0 && writev(fd, iov, 3) == BIG + 10, "writev");
	iov[0] = (struct iovec){ b, 7 };
	iov[1] = (struct iovec){ c, 5 };
	iov[2] = (struct iovec){ back, BIG };
	check(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, iov, 3) == BIG + 10 && !memcmp(b, "0123456", 7) &&
	      !memcmp(c, "789", 3) && c[3] == big[0] && c[4] == big[1] && !memcmp(back, big + 2, BIG - 2), "readv");
	check(!fsync(fd) && !fdatasync(fd), "fsync, fdatasync");
	check(write(fd, NULL, 10) < 0 && errno == EFAULT, "write from NULL");
	check(!close(fd), "close");
	check(close(fd) < 0 && errno == EBADF, "close again");
	check(read(fd, back, 1) < 0 && errno == EBADF, "read of a closed file");
	fd = open("data", O_WRONLY | O_APPEND);
	check(write(fd, "end", 3) == 3 && lseek(fd, 0, SEEK_CUR) == BIG + 13, "write to the end");
	close(fd);
	check(!truncate("data", 5) && !stat("data", &st) && st.st_size == 5, "truncate");
}

static void names(void)
{
	char path[PATH_MAX], *long_name = malloc(PATH_MAX + 10);
	struct stat st;
	struct timeval times[2] = { { 1000000, 0 }, { 2000000, 0 } };
	struct statfs fs;

	check(!mkdir("dir", 0755) && !stat("dir", &st) && S_ISDIR(st.st_mode), "mkdir");
	check(mkdir("dir", 0755) < 0 && errno == EEXIST, "mkdir again");
	check(!link("data", "dir/hard") && !stat("dir/hard", &st) && st.st_nlink == 2, "link");
	check(!symlink("../data", "dir/soft") && !lstat("dir/soft", &st) && S_ISLNK(st.st_mode), "symlink, lstat");
	check(readlink("dir/soft", path, sizeof(path)) == 7 && !memcmp(path, "../data", 7), "readlink");
	check(readlink("data", path, sizeof(path)) < 0 && errno == EINVAL, "readlink of a file");
	check(!rename("dir/hard", "dir/other") && access("dir/hard", F_OK) < 0 && errno == ENOENT &&
	      !access("dir/other", R_OK), "rename, access");
	check(!chmod("data", 0600) && !stat("data", &st) && (st.st_mode & 0777) == 0600, "chmod");
	check(!utimes("data", times) && !stat("data", &st) && st.st_mtime == 2000000 && st.st_atime == 1000000, "utimes");
	check(!chdir("dir") && getcwd(path, sizeof(path)) && strstr(path, "/dir"), "chdir, getcwd");
	check(getcwd(path, 2) == NULL && errno == ERANGE, "getcwd into too little");
	check(!chdir("..") && !unlink("dir/soft") && !unlink("dir/other"), "unlink");
	check(!rmdir("dir") && rmdir("dir") < 0 && errno == ENOENT, "rmdir");
	memset(long_name, 'a', PATH_MAX + 9);
	long_name[PATH_MAX + 9] = 0;
	check(open(long_name, O_RDONLY) < 0 && errno == ENAMETOOLONG, "open of a name that is too long");
	check(stat((char *)8, &st) < 0 && errno == EFAULT, "stat of a bad pointer");
	check(!statfs(".", &fs) && fs.f_bsize > 0, "statfs");
	umask(022);
	check(umask(077) == 022, "umask");
	umask(022);
	free(long_name);
}

static void directories(void)
{
	enum { N = 700 };
	static char seen[N];
	struct dirent *e;
	char name[32];
	DIR *d;
	int i, fd, n = 0;

	mkdir("many", 0755);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0644);
		if (fd < 0)
			break;
		close(fd);
	}
	check(i == N, "%d files in a directory", N);
	d = opendir("many");
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		i = atoi(e->d_name);
		if (i < N && !seen[i]) {
			seen[i] = 1;
			n++;
		}
	}
	check(n == N, "readdir finds each of them");
	if (d)
		closedir(d);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		unlink(name);
	}
	check(!rmdir("many"), "and they can be removed");
}

static void descriptors(void)
{
	int p[2], fd, n = 0;
	struct pollfd pf[2];
	fd_set in;
	struct timeval tv = { 0, 1000 };
	struct winsize ws;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };

	check(!pipe(p), "pipe");
	check(write(p[1], "hello", 5) == 5, "write to it");
	check(!ioctl(p[0], FIONREAD, &n) && n == 5, "ioctl FIONREAD");
	pf[0] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	pf[1] = (struct pollfd){ .fd = p[1], .events = POLLOUT };
	check(poll(pf, 2, 0) == 2 && pf[0].revents == POLLIN && pf[1].revents == POLLOUT, "poll");
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	check(select(p[0] + 1, &in, NULL, NULL, &tv) == 1 && FD_ISSET(p[0], &in), "select");
	check(read(p[0], back, BIG) == 5, "read of a pipe returns what is there, however much is asked for");
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	check(select(p[0] + 1, &in, NULL, NULL, &tv) == 0 && !FD_ISSET(p[0], &in), "select when nothing is there");
	fd = dup(p[1]);
	check(fd >= 0 && dup2(fd, 50) == 50 && write(50, "x", 1) == 1 && read(p[0], back, 1) == 1, "dup, dup2");
	check(fcntl(50, F_SETFD, FD_CLOEXEC) == 0 && fcntl(50, F_GETFD) == FD_CLOEXEC, "fcntl F_SETFD, F_GETFD");
	check(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0 && read(p[0], back, 1) < 0 && errno == EAGAIN, "fcntl F_SETFL");
	close(p[0]);
	close(p[1]);
	fd = open("data", O_RDWR);
	check(fcntl(fd, F_SETLK, &lock) == 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK, "fcntl F_SETLK, F_GETLK");
	check(!flock(fd, LOCK_EX), "flock");
	check(ioctl(fd, TIOCGWINSZ, &ws) < 0 && errno == ENOTTY, "ioctl TIOCGWINSZ on a file");
	close(fd);
}

int main(int argc, char **argv)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/files-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!check(mkdtemp(dir) && !chdir(dir), "a directory"))
		return summary();
	data();
	names();
	directories();
	descriptors();
	check(!unlink("data") && !chdir("/") && !rmdir(dir), "all is removed");
	return summary();
}
