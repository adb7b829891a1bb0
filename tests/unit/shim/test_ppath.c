// SPDX-License-Identifier: GPL-2.0-or-later
/* test_ppath.c - which paths are protected, and calls with them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "unit_files.h"

#define call(nr, ...)	dispatch(nr, (const u64[6]){ __VA_ARGS__ })

/* Whose file is it that is opened by this path? NULL: nobody's of the store. */
static const struct {
	const char *path, *name;
} forms[] = {
	{ "/data/x", "/data/x" }, { "/data//x", "/data/x" }, { "//data/./x", "/data/x" }, { "/other/../data/x", "/data/x" },
	{ "/../data/y/../x", "/data/x" }, { "x", "/data/x" }, { "./x", "/data/x" }, { "../data/x", "/data/x" }, { "../srv/app.db", "/srv/app.db" },
	{ "/srv/app.db-journal", "/srv/app.db-journal" }, { "/srv/app.d", NULL }, { "/srv/other", NULL }, { "/datax", NULL },
	{ "/data/../other/x", NULL }, { "../x", NULL },
};

START_TEST(one_form)
{
	long fd;

	fake_files();
	fd = call(SYS_open, (u64)forms[_i].path, O_RDWR | O_CREAT, 0644);
	must(fd >= 0, "%s: %ld", forms[_i].path, fd);
	must(!forms[_i].name == !disk.made[SYS_mkdir], "%s", forms[_i].path);
	must(!forms[_i].name || stored(forms[_i].name), "%s", forms[_i].path);
	must_be(call(SYS_write, fd, (u64)"x", 1) == 1 && disk.made[SYS_write] == !forms[_i].name);
}
END_TEST


static void make(const char *path, const char *text)
{
	long fd = call(SYS_open, (u64)path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	must(fd >= 0, "%s: %ld", path, fd);
	must_be(call(SYS_write, fd, (u64)text, strlen(text)) == (long)strlen(text) && call(SYS_close, fd) == 0);
}

static bool has(const char *path, const char *text)
{
	char buf[64];
	long fd = call(SYS_open, (u64)path, O_RDONLY), n;

	if (fd < 0)
		return false;
	n = call(SYS_read, fd, (u64)buf, sizeof(buf));
	must_be(call(SYS_close, fd) == 0);
	return n == (long)strlen(text) && !memcmp(buf, text, n);
}

/* No file of the kernel's has this text. */
static bool is_plain(const char *text)
{
	char command[200];

	snprintf(command, sizeof(command), "grep -rqs '%s' '%s' --exclude-dir=.inktag", text, disk.root);
	return !system(command);
}

/* --- directories ------------------------------------------------------------------------------------------- */

/* The working directory is asked for once. What the kernel says of it later is not heard. */
START_TEST(working_directory)
{
	long dir;

	fake_files();
	must_be(call(SYS_mkdir, (u64)"/data/sub", 0755) == 0 && call(SYS_chdir, (u64)"sub") == 0);
	strcpy(disk.cwd, "/other");
	make("x", "in sub");
	must_be(stored("/data/sub/x") && has("/data/sub/x", "in sub") && disk.made[SYS_getcwd] == 1);
	must_be(call(SYS_chdir, (u64)"../nowhere") == -ENOENT && has("x", "in sub"));
	must_be(call(SYS_chdir, (u64)"..") == 0 && has("sub/x", "in sub") && call(SYS_chdir, (u64)"/") == 0 && has("data/sub/x", "in sub"));
	dir = call(SYS_open, (u64)"data/sub", O_RDONLY);
	must_be(dir >= 0 && call(SYS_fchdir, dir) == 0 && has("x", "in sub"));
	must_be(disk.made[SYS_getcwd] == 1 && call(SYS_chroot, (u64)"/data") == -EPERM);
}
END_TEST

/* Paths relative to a directory: by the path by which it was opened. */
START_TEST(relative_to_directories)
{
	long dir, copy, other;
	struct stat st;

	fake_files();
	must_be(call(SYS_mkdir, (u64)"/data/sub", 0755) == 0);
	make("/data/sub/x", "text");
	dir = call(SYS_open, (u64)"/data", O_RDONLY | O_DIRECTORY);
	copy = call(SYS_fcntl, dir, F_DUPFD, 30);
	must_be(dir >= 0 && copy >= 30 && call(SYS_close, dir) == 0);
	must_be(call(SYS_newfstatat, copy, (u64)"sub/x", (u64)&st, 0) == 0 && st.st_size == 4);
	other = call(SYS_openat, copy, (u64)"sub", O_RDONLY);
	must_be(other >= 0 && call(SYS_openat, other, (u64)"../sub//x", O_RDONLY | O_CREAT | O_EXCL, 0644) == -EEXIST);
	must_be(call(SYS_faccessat, other, (u64)"x", R_OK) == 0 && call(SYS_faccessat, other, (u64)"y", R_OK) == -ENOENT);
	must_be(call(SYS_unlinkat, other, (u64)"x", 0) == 0 && !stored("/data/sub/x"));
	/* Of a descriptor that the program did not open nobody knows where it leads. */
	dir = open(on_disk("/data"), O_RDONLY);
	must_be(dir >= 0 && call(SYS_openat, dir, (u64)"z", O_RDWR | O_CREAT, 0644) == -ENOTDIR);
	must_be(access(on_disk("/data/z"), F_OK));
	must_be(call(SYS_close, other) == 0 && call(SYS_openat, other, (u64)"z", O_RDWR | O_CREAT, 0644) == -EBADF);
}
END_TEST

START_TEST(listed)
{
	char buf[512];
	long fd, n, at, names = 0;

	fake_files();
	must_be(call(SYS_mkdir, (u64)"/data/sub0", 0755) == 0);
	make("/data/x", "x");
	must_be(!access(on_disk("/data/.inktag"), F_OK) && call(SYS_mkdir, (u64)"/data/sub", 0755) == 0);
	fd = call(SYS_open, (u64)"/data/", O_RDONLY | O_DIRECTORY);
	must_be(fd >= 0);
	/* Room for one record: the hidden one is no end. */
	while ((n = call(SYS_getdents64, fd, (u64)buf, _i ? 32 : sizeof(buf))) > 0) {
		for (at = 0; at < n; at += *(u16 *)(buf + at + 16)) {
			must(!memcmp(buf + at + 19, ".", 2) || !memcmp(buf + at + 19, "..", 3) || !memcmp(buf + at + 19, "sub", 3), "%s", buf + at + 19);
			names++;
		}
	}
	must_be(n == 0 && names == 4);
	memset(buf, 'n', 256);
	buf[256] = 0;
	must_be(call(SYS_open, (u64)buf, O_RDWR | O_CREAT, 0600) == -ENAMETOOLONG);
	must_be(call(SYS_open, (u64)"/data/.inktag", O_RDONLY) == -ENOENT && call(SYS_rmdir, (u64)"/data/.inktag") == -ENOENT);
	must_be(call(SYS_open, (u64)"/data/.inktag/x", O_RDWR | O_CREAT, 0600) == -ENOENT);
	must_be(call(SYS_open, (u64)"/data/.inktagx", O_RDWR | O_CREAT, 0600) >= 0 && stored("/data/.inktagx"));
}
END_TEST

/* --- names ------------------------------------------------------------------------------------------------- */

START_TEST(renamed)
{
	char home[200];
	struct stat st;

	fake_files();
	make("/data/a", "aaa");
	make("/data/b", "bbbb");
	strcpy(home, backing(stored("/data/b")));
	must_be(!access(home, F_OK));
	must_be(call(SYS_rename, (u64)"a", (u64)"/data/b") == 0 && !stored("/data/a") && has("b", "aaa"));
	must_be(access(home, F_OK));		/* what was replaced is gone from the disk, too */
	make("/data/a", "new");
	must_be(call(SYS_renameat2, AT_FDCWD, (u64)"a", AT_FDCWD, (u64)"b", RENAME_NOREPLACE) == -EEXIST && has("a", "new"));
	must_be(call(SYS_renameat2, AT_FDCWD, (u64)"a", AT_FDCWD, (u64)"c", RENAME_NOREPLACE) == 0 && has("c", "new") && !stored("/data/a"));
	must_be(call(SYS_renameat2, AT_FDCWD, (u64)"b", AT_FDCWD, (u64)"c", RENAME_EXCHANGE) == -EINVAL);
	must_be(call(SYS_rename, (u64)"c", (u64)"c") == 0 && has("c", "new"));
	must_be(call(SYS_rename, (u64)"gone", (u64)"b") == -ENOENT && call(SYS_rename, (u64)"b", (u64)"/data/nowhere/b") == -ENOENT);
	/* There is no way out, and none in. */
	make("/other/plain", "plain");
	must_be(call(SYS_rename, (u64)"/data/b", (u64)"/other/b") == -EXDEV && call(SYS_rename, (u64)"/other/plain", (u64)"/data/b") == -EXDEV);
	must_be(call(SYS_rename, (u64)"/data/b", (u64)"/srv/app.db") == -EXDEV && call(SYS_link, (u64)"/data/b", (u64)"/other/b") == -EXDEV);
	must_be(call(SYS_rename, (u64)"/other/plain", (u64)"/other/plain2") == 0 && has("/other/plain2", "plain"));
	must_be(call(SYS_mkdir, (u64)"sub", 0755) == 0 && call(SYS_rename, (u64)"b", (u64)"sub") == -EISDIR);
	must_be(call(SYS_rename, (u64)"sub", (u64)"sub2") == -EXDEV && call(SYS_rename, (u64)"b", (u64)"sub/b") == 0 && has("sub/b", "aaa"));
	must_be(call(SYS_stat, (u64)"/data/sub/b", (u64)&st) == 0 && st.st_size == 3 && !is_plain("aaa"));
}
END_TEST

START_TEST(linked_and_unlinked)
{
	char home[200], buf[8];
	struct stat st;
	long fd;

	fake_files();
	make("/data/a", "text");
	strcpy(home, backing(stored("/data/a")));
	must_be(call(SYS_link, (u64)"/data/a", (u64)"/data/b") == 0 && call(SYS_link, (u64)"/data/a", (u64)"/data/b") == -EEXIST);
	must_be(call(SYS_stat, (u64)"/data/b", (u64)&st) == 0 && st.st_nlink == 2 && st.st_size == 4 && S_ISREG(st.st_mode));
	fd = call(SYS_open, (u64)"/data/b", O_RDWR);
	must_be(call(SYS_fstat, fd, (u64)&st) == 0 && st.st_nlink == 2);
	must_be(call(SYS_unlink, (u64)"/data/a") == 0 && !access(home, F_OK) && has("/data/b", "text"));
	must_be(call(SYS_unlink, (u64)"/data/b") == 0 && access(home, F_OK) && call(SYS_unlink, (u64)"/data/b") == -ENOENT);
	/* Who has it open, has it. */
	must_be(call(SYS_pread64, fd, (u64)buf, 8, 0) == 4 && !memcmp(buf, "text", 4) && call(SYS_write, fd, (u64)"more than", 9) == 9);
	must_be(call(SYS_fstat, fd, (u64)&st) == 0 && st.st_size == 9 && !st.st_nlink && call(SYS_close, fd) == 0);
	must_be(call(SYS_open, (u64)"/data/b", O_RDWR) == -ENOENT);
	must_be(call(SYS_linkat, fd, (u64)"", AT_FDCWD, (u64)"/data/c", AT_EMPTY_PATH) != 0);
	must_be(call(SYS_symlink, (u64)"/other/x", (u64)"/data/s") == -EPERM && call(SYS_mknod, (u64)"/data/s", S_IFIFO | 0644, 0) == -EPERM);
	must_be(call(SYS_symlinkat, (u64)"/other/x", AT_FDCWD, (u64)"s") == -EPERM);
	make("/data/a", "text");
	must_be(call(SYS_readlink, (u64)"/data/a", (u64)buf, 8) == -EINVAL && call(SYS_readlink, (u64)"/data/b", (u64)buf, 8) == -ENOENT);
	must_be(call(SYS_mkdir, (u64)"/data/a", 0755) == -EEXIST && call(SYS_rmdir, (u64)"/data/a") == -ENOTDIR);
	must_be(call(SYS_mkdir, (u64)"/data/d", 0755) == 0 && call(SYS_open, (u64)"/data/d", O_RDWR | O_CREAT | O_EXCL, 0644) == -EEXIST);
	must_be(call(SYS_unlink, (u64)"/data/d") == -EISDIR && call(SYS_rmdir, (u64)"/data/d") == 0);
}
END_TEST

START_TEST(attributes)
{
	struct statx x;
	struct stat st;
	long fd;

	fake_files();
	make("/data/a", "text");
	must_be(call(SYS_chmod, (u64)"a", 0600) == 0 && call(SYS_stat, (u64)"a", (u64)&st) == 0 && (st.st_mode & 0777) == 0600);
	must_be(call(SYS_statx, AT_FDCWD, (u64)"a", 0, STATX_BASIC_STATS, (u64)&x) == 0 && x.stx_size == 4 && x.stx_blocks == 1 && x.stx_nlink == 1);
	must_be(call(SYS_lstat, (u64)"/data/a", (u64)&st) == 0 && st.st_size == 4 && call(SYS_access, (u64)"a", R_OK | W_OK) == 0);
	must_be(call(SYS_access, (u64)"b", F_OK) == -ENOENT && call(SYS_stat, (u64)"b", (u64)&st) == -ENOENT);
	must_be(call(SYS_truncate, (u64)"a", 2) == 0 && has("a", "te") && call(SYS_truncate, (u64)"b", 2) == -ENOENT);
	fd = call(SYS_open, (u64)"a", O_RDWR);
	/* No other descriptor is closed, with which the program's locks would go. */
	disk.made[SYS_close] = 0;
	must_be(call(SYS_truncate, (u64)"a", 1) == 0 && !disk.made[SYS_close]);
	must_be(call(SYS_newfstatat, fd, (u64)"", (u64)&st, AT_EMPTY_PATH) == 0 && st.st_size == 1);
	must_be(call(SYS_statx, fd, (u64)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (u64)&x) == 0 && x.stx_size == 1);
	must_be(call(SYS_stat, (u64)"/data/a/", (u64)&st) == -ENOTDIR && call(SYS_stat, (u64)"/data/", (u64)&st) == 0 && S_ISDIR(st.st_mode));
	/* Other files are as they were. */
	make("/other/plain", "plain");
	must_be(call(SYS_stat, (u64)"/other/plain", (u64)&st) == 0 && st.st_size == 5 && call(SYS_truncate, (u64)"/other/plain", 3) == 0);
	must_be(is_plain("pla") && call(SYS_chmod, (u64)"/other/plain", 0600) == 0 && call(SYS_unlink, (u64)"/other/plain") == 0);
}
END_TEST

/* A file that the kernel has put where a protected one could be is none. */
START_TEST(of_the_kernels_making)
{
	struct stat st;
	long fd;

	fake_files();
	fd = open(on_disk("/data/x"), O_RDWR | O_CREAT, 0644);
	must_be(fd >= 0 && write(fd, "false", 5) == 5 && !symlink("/other/y", on_disk("/data/s")));
	must_be(call(SYS_open, (u64)"x", O_RDWR) == -ENOENT && call(SYS_stat, (u64)"x", (u64)&st) == -ENOENT);
	must_be(call(SYS_open, (u64)"s", O_RDWR) == -ENOENT && call(SYS_unlink, (u64)"x") == -ENOENT && call(SYS_chmod, (u64)"s", 0) == -ENOENT);
	make("/data/x", "right");
	must_be(has("x", "right") && !is_plain("right"));
	/* One whose backing file is gone is empty, as far as it was never written back. */
	must_be(!unlink(backing(stored("/data/x"))) && call(SYS_stat, (u64)"x", (u64)&st) == 0 && st.st_size == 5);
	must_be(call(SYS_open, (u64)"/data/nowhere/x", O_RDWR | O_CREAT, 0644) == -ENOENT && !stored("/data/nowhere/x"));
}
END_TEST

START_TEST(ways_around)
{
	char path[64];
	long fd;

	fake_files();
	make("/data/a", "text");
	fd = call(SYS_open, (u64)"a", O_RDWR);
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	must_be(call(SYS_open, (u64)path, O_RDWR) == -EACCES);
	snprintf(path, sizeof(path), "/dev/../dev//fd/%ld", fd);
	must_be(call(SYS_open, (u64)path, O_RDWR) == -EACCES);
	must_be(call(SYS_open, (u64)"a", O_RDWR | O_PATH) == -EOPNOTSUPP && call(SYS_open, (u64)"/data/", O_RDWR | O_TMPFILE, 0600) == -EOPNOTSUPP);
	must_be(call(SYS_open, (u64)"/data/sub", O_RDWR | O_TMPFILE, 0600) == -EOPNOTSUPP);
}
END_TEST

/* --- lies about what a name is ----------------------------------------------------------------------------- */

static bool lie_dir(long nr, const u64 args[6], long *r)
{
	if (nr == SYS_stat && (!strcmp((const char *)args[0], "/data/x") || !strcmp((const char *)args[0], "/data/none"))) {
		struct stat *st = (void *)args[1];

		memset(st, 0, sizeof(*st));
		st->st_mode = S_IFDIR | 0755;
		*r = 0;
		return true;
	}
	if (nr == SYS_openat && (!strcmp((const char *)args[1], "/data/x") || !strcmp((const char *)args[1], "/data/none"))) {
		*r = open(on_disk("/other/forged"), O_RDONLY);
		return true;
	}
	return false;
}

/* What the store has is a file. Of what it has not the kernel may say that it is a directory, which has no data. */
START_TEST(said_to_be_a_directory)
{
	char buf[64] = "", out[64];
	long fd, to;
	int f;

	fake_files();
	make("/data/x", "right");
	f = open(on_disk("/other/forged"), O_RDWR | O_CREAT, 0644);
	must_be(f >= 0 && write(f, "FORGED", 6) == 6);
	disk.lie = lie_dir;
	fd = call(SYS_open, (u64)"/data/x", O_RDONLY);
	must_be(fd >= 0 && call(SYS_read, fd, (u64)buf, sizeof(buf)) == 5 && !memcmp(buf, "right", 5));
	fd = call(SYS_open, (u64)"/data/none", O_RDONLY);
	must_be(fd >= 0 && call(SYS_read, fd, (u64)buf, sizeof(buf)) == -EISDIR && call(SYS_pread64, fd, (u64)buf, 5, 0) == -EISDIR);
	must_be(call(SYS_readv, fd, (u64)&(struct iovec){ buf, 5 }, 1) == -EISDIR);
	must_be(call(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == -ENODEV);
	disk.lie = NULL;
	to = call(SYS_open, (u64)"/data/to", O_RDWR | O_CREAT, 0644);
	must_be(call(SYS_sendfile, to, fd, 0, 6) == -EINVAL && call(SYS_copy_file_range, fd, 0, to, 0, 6, 0) == -EINVAL);
	must_be(call(SYS_dup, fd) >= 0 && call(SYS_pread64, to, (u64)out, 6, 0) == 0);
}
END_TEST

static bool lie_unlink(long nr, const u64 args[6], long *r)
{
	static bool once;
	struct file_name name;

	if (nr == SYS_openat && strstr((const char *)args[1], "/.inktag/") && (args[2] & O_CREAT) && !once) {
		once = true;
		/* another process: rename("/data/tmp", "/data/x"), whose data it has synced */
		must_be(hc_file_name(INKTAG_NAME_RENAME, "/data/tmp\0/data/x", 18, &name) == 0);
		*r = -EIO;
		return true;
	}
	return false;
}

/* While a file is being made its name has become another's: that one stays, whatever becomes of the first. */
START_TEST(made_and_renamed_over)
{
	fake_files();
	make("/data/tmp", "synced");
	disk.lie = lie_unlink;
	must_be(call(SYS_open, (u64)"/data/x", O_RDWR | O_CREAT, 0644) == -EIO);
	disk.lie = NULL;
	must_be(stored("/data/x") && !stored("/data/tmp") && has("/data/x", "synced"));
}
END_TEST

SUITE(ppath, SECONDS, { one_form, ARRAY_SIZE(forms) }, { working_directory }, { relative_to_directories }, { listed, 2 }, { renamed },
      { linked_and_unlinked }, { attributes }, { of_the_kernels_making }, { ways_around }, { said_to_be_a_directory },
      { made_and_renamed_over })
