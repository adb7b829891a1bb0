// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_pfile.c - protected files by their descriptors: contents, lengths, offsets, making durable. What a program sees is
 * compared with what it would see of an ordinary file (twin).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit_files.h"
#include "protect.h"

#define MIB	0x100000UL
#define FILE_A	"/data/a"

#define call(nr, ...)	dispatch(nr, (const u64[6]){ __VA_ARGS__ })

static int open_a(int flags)
{
	long fd = call(SYS_open, (u64)FILE_A, flags, 0644);

	must(fd >= 0, "open: %ld", fd);
	return fd;
}

static u8 big[3 * MIB], back[3 * MIB];

static void fill(u8 *to, u64 n, u32 seed)
{
	u64 i;

	for (i = 0; i < n; i++)
		to[i] = (i * 7 + seed + i / 251) | 1;
}

static struct fake_file *a(void)
{
	must_be(stored(FILE_A));
	return stored(FILE_A);
}

/* --- contents ---------------------------------------------------------------------------------------------- */

START_TEST(written_and_read)
{
	char buf[32] = "";
	int fd;

	fake_files();
	must_be(call(SYS_open, (u64)FILE_A, O_RDWR, 0) == -ENOENT && !stored(FILE_A));
	fd = open_a(O_RDWR | O_CREAT | O_EXCL);
	must_be(a()->length == 0 && call(SYS_write, fd, (u64)"hello, world", 12) == 12 && a()->length == 12);
	must_be(call(SYS_read, fd, (u64)buf, 32) == 0);
	must_be(call(SYS_lseek, fd, 7, SEEK_SET) == 7 && call(SYS_read, fd, (u64)buf, 32) == 5 && !memcmp(buf, "world", 5));
	must_be(call(SYS_pread64, fd, (u64)buf, 5, 0) == 5 && !memcmp(buf, "hello", 5));
	must_be(call(SYS_lseek, fd, 0, SEEK_CUR) == 12 && call(SYS_lseek, fd, -2, SEEK_END) == 10);
	must_be(call(SYS_open, (u64)FILE_A, O_RDWR | O_CREAT | O_EXCL, 0644) == -EEXIST);
	must_be(call(SYS_open, (u64)FILE_A, O_RDONLY | O_DIRECTORY, 0) == -ENOTDIR);
	/* Not one byte went through a call of the kernel's. */
	must_be(!disk.made[SYS_read] && !disk.made[SYS_write] && !disk.made[SYS_pread64] && !disk.made[SYS_pwrite64]);
	must_be(call(SYS_close, fd) == 0 && !a()->opened && call(SYS_read, fd, (u64)buf, 1) == -EBADF);
	fd = open_a(O_RDONLY);
	must_be(call(SYS_read, fd, (u64)buf, 32) == 12 && !memcmp(buf, "hello, world", 12));
	must_be(call(SYS_write, fd, (u64)buf, 1) == -EBADF && call(SYS_ftruncate, fd, 0) == -EINVAL);
	must_be(call(SYS_close, fd) == 0);
	fd = open_a(O_WRONLY | O_TRUNC);
	must_be(a()->length == 0 && call(SYS_read, fd, (u64)buf, 1) == -EBADF && call(SYS_write, fd, (u64)"x", 1) == 1);
}
END_TEST

/* A read in a window that is there makes no call, and asks for no length. */
START_TEST(reads_without_exits)
{
	unsigned long calls;
	u64 gets;
	int fd, i;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	fill(big, 3 * MIB, 1);
	must_be(call(SYS_write, fd, (u64)big, 3 * MIB) == 3 * MIB);
	must_be(call(SYS_pread64, fd, (u64)back, 3 * MIB, 0) == 3 * MIB && !memcmp(big, back, 3 * MIB));
	calls = fake.calls;
	gets = a()->gets;
	for (i = 0; i < 50; i++)
		must_be(call(SYS_pread64, fd, (u64)back, 5000, i * 60000) == 5000 && !memcmp(back, big + i * 60000, 5000));
	must_be(call(SYS_lseek, fd, 0, SEEK_SET) == 0 && call(SYS_read, fd, (u64)back, 100) == 100);
	must_be(fake.calls == calls && a()->gets == gets);
	/* What reaches the end asks. */
	must_be(call(SYS_pread64, fd, (u64)back, 10, 3 * MIB - 5) == 5 && a()->gets == gets + 1);
}
END_TEST

/* Random calls on the file and on an ordinary twin of it. */
START_TEST(as_an_ordinary_file)
{
	const int twin = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	struct iovec iov[3];
	struct stat st, twins;
	u64 at, n, i;
	long r, t;
	int fd;

	fake_files();
	must_be(twin >= 0);
	fd = open_a(O_RDWR | O_CREAT);
	for (i = 0; i < 1500; i++) {
		at = rnd(4) ? rnd(20000) : rnd(5 * MIB);
		n = rnd(3) ? rnd(9000) : rnd(MIB + 5);
		fill(big, n, i);
		switch (rnd(8)) {
		case 0:
		case 1:
			r = call(SYS_pwrite64, fd, (u64)big, n, at);
			t = pwrite(twin, big, n, at);
			break;
		case 2:
			r = call(SYS_ftruncate, fd, at);
			t = ftruncate(twin, at);
			break;
		case 3:
			r = call(SYS_lseek, fd, at, SEEK_SET);
			t = lseek(twin, at, SEEK_SET);
			break;
		case 4:
			r = call(SYS_write, fd, (u64)big, n);
			t = write(twin, big, n);
			break;
		case 5:
			iov[0] = (struct iovec){ back, n / 3 };
			iov[1] = (struct iovec){ NULL, 0 };
			iov[2] = (struct iovec){ back + n / 3, n - n / 3 };
			r = call(SYS_readv, fd, (u64)iov, 3);
			t = read(twin, big, n);
			must(r != t || r < 0 || !memcmp(big, back, r), "step %ld", (long)i);
			break;
		case 6:
			r = call(SYS_fallocate, fd, rnd(2) ? FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE : 0, at, n + 1);
			t = r;
			if (a()->length > (u64)lseek(twin, 0, SEEK_END) || r)
				t = 0;
			must_be(!r);
			must_be(call(SYS_lseek, fd, 0, SEEK_SET) == 0 && lseek(twin, 0, SEEK_SET) == 0);
			/* The twin's is made after the file's: it need not have fallocate. */
			r = call(SYS_pread64, fd, (u64)back, sizeof(back), 0);
			must_be(r >= 0 && pwrite(twin, back, r, 0) == r);
			r = t = 0;
			if (a()->length > (u64)lseek(twin, 0, SEEK_END))
				must_be(!ftruncate(twin, a()->length));
			must_be(lseek(twin, 0, SEEK_SET) == 0);
			break;
		default:
			r = call(SYS_pread64, fd, (u64)back, n, at);
			t = pread(twin, big, n, at);
			must(r != t || r < 0 || !memcmp(big, back, r), "step %ld", (long)i);
		}
		must(r == t, "step %ld: %ld, not %ld", (long)i, r, t);
		must_be(call(SYS_fstat, fd, (u64)&st) == 0 && !fstat(twin, &twins));
		must(st.st_size == twins.st_size && st.st_blocks == (st.st_size + 511) / 512, "step %ld: length %ld, not %ld", (long)i,
		     (long)st.st_size, (long)twins.st_size);
	}
}
END_TEST

/* What was cut off is zero when the file grows again, whatever was in the page. */
START_TEST(cut_and_grown)
{
	static const struct {
		u64 from, to, again;
	} cases[] = { { 5000, 100, 5000 }, { 3 * PAGE, PAGE, 3 * PAGE }, { PAGE, PAGE - 1, PAGE + 1 }, { MIB + 9, 9, MIB + 9 }, { 9, 0, 9 } };
	const u64 from = cases[_i].from, to = cases[_i].to, again = cases[_i].again;
	u64 i, way;
	int fd;

	fake_files();
	for (way = 0; way < 4; way++) {
		fd = open_a(O_RDWR | O_CREAT | O_TRUNC);
		fill(big, from, way);
		must_be(call(SYS_write, fd, (u64)big, from) == (long)from);
		must_be(call(SYS_ftruncate, fd, to) == 0 && a()->length == to);
		if (way == 0)
			must_be(call(SYS_ftruncate, fd, again) == 0);
		else if (way == 1)
			must_be(call(SYS_pwrite64, fd, (u64)"", 1, again - 1) == 1);
		else if (way == 2)
			must_be(call(SYS_fallocate, fd, 0, 0, again) == 0);
		else
			must_be(call(SYS_pwrite64, fd, (u64)"", 1, to) == 1 && call(SYS_ftruncate, fd, again) == 0);
		must_be(call(SYS_pread64, fd, (u64)back, again + 9, 0) == (long)again && !memcmp(back, big, to));
		for (i = to; i < again; i++)
			must(!back[i], "byte %ld, way %ld", (long)i, (long)way);
		must_be(call(SYS_close, fd) == 0);
	}
}
END_TEST

/* Also what a program left behind the end by its mapping. */
START_TEST(left_behind_the_end)
{
	u8 *page;
	u64 i;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == 3);
	page = (u8 *)call(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must_be(!IS_ERR(page) && !memcmp(page, "abc", 4));
	memset(page + 3, 0x55, PAGE - 3);
	must_be(call(_i ? SYS_ftruncate : SYS_pwrite64, fd, _i ? 200 : (u64)"d", 1, 199) == !_i);
	must_be(call(SYS_pread64, fd, (u64)back, 300, 0) == 200);
	for (i = 3; i < 199; i++)
		must(!back[i], "byte %ld", (long)i);
}
END_TEST

START_TEST(appended)
{
	char buf[16];
	int fd, other;

	fake_files();
	fd = open_a(O_WRONLY | O_CREAT | O_APPEND);
	other = open_a(O_RDWR);
	must_be(call(SYS_write, fd, (u64)"one", 3) == 3 && call(SYS_write, other, (u64)"TWO2", 4) == 4);
	must_be(call(SYS_write, fd, (u64)"three", 5) == 5 && a()->length == 9);
	must_be(call(SYS_pread64, other, (u64)buf, 16, 0) == 9 && !memcmp(buf, "TWO2three", 9));
	must_be(call(SYS_lseek, fd, 0, SEEK_CUR) == 9);
	must_be(call(SYS_fcntl, fd, F_GETFL) == (O_WRONLY | O_APPEND | 0100000));
	must_be(call(SYS_fcntl, fd, F_SETFL, 0) == 0 && call(SYS_lseek, fd, 1, SEEK_SET) == 1);
	must_be(call(SYS_write, fd, (u64)"w", 1) == 1 && call(SYS_pread64, other, (u64)buf, 16, 0) == 9 && !memcmp(buf, "TwO2three", 9));
	must_be(call(SYS_fcntl, fd, F_SETFL, O_APPEND) == 0 && call(SYS_write, fd, (u64)"!", 1) == 1 && a()->length == 10);
	must_be(call(SYS_pwritev2, other, (u64)&(struct iovec){ "+", 1 }, 1, 0, 0, RWF_APPEND) == 1 && a()->length == 11);
}
END_TEST

/* More windows than there are places for. */
START_TEST(many_windows)
{
	u32 word, i;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	for (i = 0; i < 100; i++) {
		word = i * 77 + 1;
		must_be(call(SYS_pwrite64, fd, (u64)&word, 4, i * MIB + MIB - 2) == 4);
	}
	for (i = 0; i < 100; i++) {
		must_be(call(SYS_pread64, fd, (u64)&word, 4, i * MIB + MIB - 2) == 4);
		must(word == i * 77 + 1, "window %d", i);
	}
	must_be(call(SYS_pread64, fd, (u64)&word, 4, 40 * MIB) == 4 && word >> 16 == 0);
}
END_TEST

static int crowded_fd;
static u8 *away;

static void crowd(void)
{
	u32 i, word;

	for (i = 1; i < 60; i++)
		must_be(call(SYS_pread64, crowded_fd, (u64)&word, 4, i * MIB) == 4 && word == i);
	must_be(!mprotect(away, PAGE, PROT_READ | PROT_WRITE));
}

/* In the middle of a copy other threads need all the windows that there are. */
START_TEST(crowded_windows)
{
	u32 i;

	fake_files();
	crowded_fd = open_a(O_RDWR | O_CREAT);
	for (i = 0; i < 60; i++)
		must_be(call(SYS_pwrite64, crowded_fd, (u64)&i, 4, i * MIB) == 4);
	fill(big, 2 * PAGE, 1);
	must_be(call(SYS_pwrite64, crowded_fd, (u64)big, 2 * PAGE, 0) == 2 * PAGE);
	away = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	disk.in_copy = crowd;
	must_be(call(SYS_pread64, crowded_fd, (u64)away, PAGE, 100) == PAGE && !disk.in_copy && !memcmp(away, big + 100, PAGE));
}
END_TEST

/* There is a limit of mappings: a window that is not in use goes, for one that is. */
START_TEST(few_windows)
{
	u32 i;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	for (i = 0; i < 5; i++)
		must_be(call(SYS_pwrite64, fd, (u64)&i, 4, i * MIB) == 4);
	for (i = 5; i < 10; i++) {
		fake.fail_in = 1;
		must(call(SYS_pwrite64, fd, (u64)&i, 4, i * MIB) == 4, "window %d", i);
	}
}
END_TEST

/* --- descriptors ------------------------------------------------------------------------------------------- */

START_TEST(duplicated)
{
	char buf[4];
	int fd, copy, third;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abcdefgh", 8) == 8 && call(SYS_lseek, fd, 2, SEEK_SET) == 2);
	copy = call(SYS_dup, fd);
	must_be(copy > fd && call(SYS_read, copy, (u64)buf, 1) == 1 && *buf == 'c');
	must_be(call(SYS_read, fd, (u64)buf, 1) == 1 && *buf == 'd');
	must_be(call(SYS_close, fd) == 0 && call(SYS_read, copy, (u64)buf, 1) == 1 && *buf == 'e' && a()->opened == 1);
	third = call(SYS_fcntl, copy, F_DUPFD, 40);
	must_be(third >= 40 && call(SYS_read, third, (u64)buf, 1) == 1 && *buf == 'f');
	/* Whatever the program asked for, an exec finds none of them. */
	must_be(fcntl(copy, F_GETFD) == FD_CLOEXEC && fcntl(third, F_GETFD) == FD_CLOEXEC);
	must_be(call(SYS_fcntl, third, F_GETFD) == 0 && call(SYS_fcntl, third, F_SETFD, 1) == 0 && call(SYS_fcntl, third, F_GETFD) == 1);
	must_be(call(SYS_fcntl, third, F_SETFD, 0) == 0 && call(SYS_fcntl, third, F_GETFD) == 0 && fcntl(third, F_GETFD) == FD_CLOEXEC);
	must_be(call(SYS_dup2, copy, third) == third && call(SYS_read, third, (u64)buf, 1) == 1 && *buf == 'g');
	must_be(call(SYS_ioctl, third, FIONCLEX) == 0 && call(SYS_fcntl, third, F_GETFD) == 0 && fcntl(third, F_GETFD) == FD_CLOEXEC);
	must_be(call(SYS_dup2, copy, copy) == copy && call(SYS_dup3, copy, copy, 0) == -EINVAL);
	must_be(call(SYS_dup3, copy, 50, 0) == 50 && fcntl(50, F_GETFD) == FD_CLOEXEC);
	must_be(call(SYS_close, copy) == 0 && call(SYS_close, third) == 0 && a()->opened == 1 && call(SYS_close, 50) == 0);
	must_be(a()->opened == 0);
}
END_TEST

/* The number of a file that is closed by another call is the next one's. */
START_TEST(replaced)
{
	int fd, other = open("/dev/null", O_RDWR);

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_dup2, other, fd) == fd && !a()->opened);
	must_be(call(SYS_write, fd, (u64)"plain", 5) == 5 && disk.made[SYS_write] == 1 && a()->length == 0);
	/* One that could not be replaced is what it was. */
	fd = open_a(O_RDWR);
	must_be(call(SYS_dup2, 777, fd) == -EBADF && call(SYS_write, fd, (u64)"secret", 6) == 6);
	must_be(disk.made[SYS_write] == 1 && a()->length == 6);
}
END_TEST

/* --- durable ------------------------------------------------------------------------------------------------ */

static int fsyncs_fail;

static bool sync_lie(long nr, const u64 args[6], long *r)
{
	if (nr != SYS_fsync || !fsyncs_fail)
		return false;
	*r = -ENOSPC;
	return true;
}

START_TEST(synced)
{
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == 3 && !a()->sealed);
	must_be(call(SYS_fsync, fd) == 0 && a()->sealed && a()->settled == a()->sealed);
	must_be(disk.made[SYS_fsync] == 3);		/* and the directories, which may be new */
	must_be(call(SYS_fdatasync, fd) == 0 && disk.made[SYS_fsync] == 4 && a()->settled == a()->sealed);
	store->full = true;
	must_be(call(SYS_fsync, fd) == 0 && disk.made[SYS_fsync] == 6 && a()->settled == a()->sealed);
	store->full = true;
	disk.lie = sync_lie;
	fsyncs_fail = 1;
	must_be(call(SYS_fsync, fd) == -EIO && a()->settled != a()->sealed);
	fsyncs_fail = 0;
	store->refuse = -EIO;
	store->refuse_op = 37;
	must_be(call(SYS_fsync, fd) == -EIO);
	store->refuse = 0;
	must_be(call(SYS_close, fd) == 0);
	fd = open_a(O_RDWR | O_SYNC);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == 3 && a()->settled == a()->sealed);
	fsyncs_fail = 1;
	must_be(call(SYS_write, fd, (u64)"abc", 3) == -EIO);
}
END_TEST

/* A file that was made shorter must be durable so before it changes again. */
START_TEST(busy)
{
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abcdef", 6) == 6);
	store->busy = 1;
	must_be(call(SYS_ftruncate, fd, 3) == 0 && a()->settled && a()->length == 3);
	store->busy = 1;
	must_be(call(SYS_write, fd, (u64)"ghi", 3) == 3 && a()->length == 9);
	store->busy = 1;
	disk.lie = sync_lie;
	fsyncs_fail = 1;
	must_be(call(SYS_ftruncate, fd, 1) == -EIO && a()->length == 9);
}
END_TEST

/* The kernel sees the first write to a page only. */
START_TEST(times_move_on)
{
	const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct stat st;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == 3 && call(SYS_utimensat, fd, 0, (u64)old, 0) == 0);
	must_be(call(SYS_fstat, fd, (u64)&st) == 0 && st.st_mtime == 1000);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == 3 && call(SYS_fstat, fd, (u64)&st) == 0 && st.st_mtime > 1000000000 && st.st_atime == 1000);
	must_be(call(SYS_utimensat, AT_FDCWD, (u64)FILE_A, (u64)old, 0) == 0 && call(SYS_ftruncate, fd, 1) == 0);
	must_be(call(SYS_stat, (u64)FILE_A, (u64)&st) == 0 && st.st_mtime > 1000000000);
	must_be(call(SYS_pwrite64, fd, (u64)"x", 1, 0) == 1 && call(SYS_utimensat, AT_FDCWD, (u64)FILE_A, (u64)old, 0) == 0);
	must_be(call(SYS_close, fd) == 0 && call(SYS_stat, (u64)FILE_A, (u64)&st) == 0 && st.st_mtime == 1000);
}
END_TEST

/* --- what the kernel can do --------------------------------------------------------------------------------- */

static void cut_backing(u64 to)
{
	must_be(!truncate(backing(a()), to));
}

/* It makes the backing file shorter: there is no page, and that is an error of the call. */
START_TEST(backing_cut)
{
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	fill(big, 3 * PAGE, 1);
	must_be(call(SYS_write, fd, (u64)big, 3 * PAGE) == 3 * PAGE);
	cut_backing(PAGE);
	must_be(call(SYS_pread64, fd, (u64)back, 3 * PAGE, PAGE) == -EIO);
	must_be(call(SYS_pread64, fd, (u64)back, 3 * PAGE, 0) == PAGE && !memcmp(big, back, PAGE));
	must_be(call(SYS_pwrite64, fd, (u64)big, 5, 2 * PAGE) == -EIO);
	must_be(call(SYS_ftruncate, fd, 2 * PAGE + 5) == -EIO && a()->length == 3 * PAGE);
	must_be(call(SYS_pwrite64, fd, (u64)big, 5, 0) == 5);
}
END_TEST

/* The hypervisor says that a page is lost. */
START_TEST(page_lost)
{
	u64 at;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	fill(big, 3 * PAGE, 1);
	must_be(call(SYS_write, fd, (u64)big, 3 * PAGE) == 3 * PAGE);
	at = desc_end(&mm_list.d[desc_below(&mm_list, INKTAG_USER_END - PAGE)]) - MIB;
	lost_page = at + PAGE;
	must_be(!mprotect((void *)lost_page, PAGE, PROT_NONE));
	must_be(call(SYS_pread64, fd, (u64)back, 3 * PAGE, 0) == PAGE && call(SYS_pread64, fd, (u64)back, 9, PAGE + 9) == -EIO);
	must_be(call(SYS_pread64, fd, (u64)back, 9, 2 * PAGE) == 9);
	must_be(call(SYS_pwrite64, fd, (u64)back, 9, PAGE) == -EIO);
}
END_TEST

/* The program's own pointers. */
START_TEST(bad_pointers)
{
	u8 *end = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2] = { { end + PAGE - 5, 5 }, { end + PAGE, 10 } };
	int fd;

	must_be(!munmap(end + PAGE, PAGE));
	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)end + PAGE, 10) == -EFAULT && a()->length == 0);
	must_be(call(SYS_write, fd, (u64)end + PAGE - 5, 10) == 5 && a()->length == 5);
	must_be(call(SYS_writev, fd, (u64)iov, 2) == 5 && a()->length == 10);
	must_be(call(SYS_writev, fd, (u64)end + PAGE - 16, 2) == -EFAULT);
	must_be(call(SYS_pread64, fd, (u64)end + PAGE, 10, 0) == -EFAULT && call(SYS_read, fd, 8, 1) == -EFAULT);
	must_be(call(SYS_fstat, fd, (u64)end + PAGE - 8) == -EFAULT);
	must_be(call(SYS_open, (u64)end + PAGE, O_RDONLY) == -EFAULT);
	memset(end, 'x', PAGE);
	must_be(call(SYS_open, (u64)end + PAGE - 9, O_RDONLY) == -EFAULT);
	/* And nothing is held. */
	must_be(call(SYS_pwrite64, fd, (u64)"abc", 3, 0) == 3 && call(SYS_close, fd) == 0 && !a()->opened);
}
END_TEST

static bool wrong_size(long nr, const u64 args[6], long *r)
{
	if (nr != SYS_fstat)
		return false;
	must_be(!fstat(args[0], (struct stat *)args[1]));
	((struct stat *)args[1])->st_size = 1L << 40;
	*r = 0;
	return true;
}

/* What it says of lengths is not heard; and if that keeps the backing file short, it is its loss. */
START_TEST(wrong_sizes)
{
	struct stat st;
	int fd;

	fake_files();
	disk.lie = wrong_size;
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == -EIO && a()->length == 0);
	must_be(call(SYS_fstat, fd, (u64)&st) == 0 && st.st_size == 0);
	must_be(call(SYS_lseek, fd, 0, SEEK_END) == 0 && call(SYS_read, fd, (u64)back, 5) == 0);
}
END_TEST

static u64 answered;

static void wrong_window(struct inktag_mm *req, long *r)
{
	if (req->op == INKTAG_MM_MAP && req->fd >= 0 && !*r)
		req->addr = answered;
}

START_TEST(wrong_windows)
{
	static const u64 addresses[] = { INKTAG_ARENA_BASE, INKTAG_DESC_BASE, 0x1000, INKTAG_USER_END };
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	answered = addresses[_i];
	fake.lie = wrong_window;
	if (!ended()) {
		call(SYS_write, fd, (u64)"abc", 3);
		must(0, "it was believed");
	}
	must_be(fake.check == INKTAG_CHECK_MMAP);
}
END_TEST

START_TEST(no_store)
{
	fake_files();
	store->none = true;
	must_be(call(SYS_open, (u64)FILE_A, O_RDWR | O_CREAT, 0644) == -EIO && strstr(fake.said, "no metadata store"));
	must_be(access(on_disk(FILE_A), F_OK) && !disk.made[SYS_openat]);
	*fake.said = 0;
	must_be(call(SYS_open, (u64)FILE_A, O_RDONLY) == -EIO && !*fake.said);
}
END_TEST

START_TEST(refused_by_the_store)
{
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == 3);
	store->refuse = -EIO;
	store->refuse_op = 36;
	must_be(call(SYS_ftruncate, fd, 1) == -EIO && call(SYS_write, fd, (u64)"abc", 3) == -EIO);
	must_be(call(SYS_lseek, fd, 0, SEEK_END) == -EIO && call(SYS_pread64, fd, (u64)back, 9, 0) == -EIO);
	store->refuse_op = 34;
	must_be(call(SYS_open, (u64)"/data/b", O_RDWR | O_CREAT, 0644) == -EIO);
	store->refuse = 0;
	must_be(call(SYS_pread64, fd, (u64)back, 9, 0) == 3 && call(SYS_close, fd) == 0);
	store->refuse = -ENOMEM;
	store->refuse_op = 35;
	must_be(call(SYS_open, (u64)"/data/b", O_RDWR | O_CREAT, 0644) == -ENOMEM && stored("/data/b"));
	must_be(call(SYS_open, (u64)FILE_A, O_RDWR, 0) == -ENOMEM && !a()->opened);
}
END_TEST

/* --- in the program's memory -------------------------------------------------------------------------------- */

START_TEST(mapped_shared)
{
	u64 synced;
	u8 *at, *second;
	int fd, ro;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	fill(big, 3 * PAGE, 1);
	must_be(call(SYS_write, fd, (u64)big, 3 * PAGE) == 3 * PAGE);
	at = (u8 *)call(SYS_mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
	must_be(!IS_ERR(at) && !memcmp(at, big + PAGE, 2 * PAGE));
	must_be(mm_list.d[desc_find(&mm_list, (u64)at)].kind == INKTAG_KIND_FILE && mm_list.d[desc_find(&mm_list, (u64)at)].index == 1);
	at[5] = 'x';
	must_be(call(SYS_pread64, fd, (u64)back, 1, PAGE + 5) == 1 && back[0] == 'x');
	must_be(call(SYS_pwrite64, fd, (u64)"y", 1, PAGE + 6) == 1 && at[6] == 'y');
	synced = a()->settled;
	must_be(call(SYS_msync, (u64)at, PAGE, MS_ASYNC) == 0 && a()->settled == synced);
	must_be(call(SYS_msync, (u64)at, PAGE, MS_SYNC) == 0 && a()->settled != synced);
	/* What a mapping shows stays when it is cut, and when pages are given back. */
	must_be(call(SYS_madvise, (u64)at, PAGE, MADV_DONTNEED) == 0 && at[5] == 'x');
	must_be(call(SYS_munmap, (u64)at, PAGE) == 0 && at[PAGE + 1] == big[2 * PAGE + 1]);
	must_be(mm_list.d[desc_find(&mm_list, (u64)at + PAGE)].index == 2);
	/* The file is the process's while it is mapped, closed or not. */
	must_be(call(SYS_close, fd) == 0 && a()->opened == 1 && call(SYS_msync, (u64)at + PAGE, PAGE, MS_SYNC) == 0);
	fd = open_a(O_RDWR);
	second = (u8 *)call(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	must_be(!IS_ERR(second) && a()->opened == 1 && second[0] == big[0]);
	must_be(call(SYS_close, fd) == 0 && call(SYS_munmap, (u64)at + PAGE, PAGE) == 0 && a()->opened == 1);
	must_be(call(SYS_munmap, (u64)second, PAGE) == 0 && a()->opened == 0);
	fd = open_a(O_RDWR);
	at = (u8 *)call(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	must_be(!IS_ERR(at) && call(SYS_munmap, (u64)at, PAGE) == 0 && a()->opened == 1 && call(SYS_pread64, fd, (u64)back, 1, 0) == 1);
	ro = open_a(O_RDONLY);
	must_be(call(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == -EACCES);
	at = (u8 *)call(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	must_be(!IS_ERR(at) && call(SYS_mprotect, (u64)at, PAGE, PROT_READ | PROT_WRITE) == -EACCES);
	must_be(call(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, open_a(O_WRONLY), 0) == -EACCES);
	must_be(call(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, ro, 5) == -EINVAL && call(SYS_mmap, 0, 0, PROT_READ, MAP_SHARED, ro, 0) == -EINVAL);
}
END_TEST

START_TEST(mapped_private)
{
	u8 *at;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	fill(big, PAGE + 100, 1);
	must_be(call(SYS_write, fd, (u64)big, PAGE + 100) == PAGE + 100);
	at = (u8 *)call(SYS_mmap, 0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	must_be(!IS_ERR(at) && !memcmp(at, big, PAGE + 100) && !at[PAGE + 100] && !at[3 * PAGE - 1]);
	must_be(mm_list.d[desc_find(&mm_list, (u64)at)].kind == INKTAG_KIND_PRIVATE);
	at[0] = 'x';
	must_be(!disk.made[SYS_pread64] && call(SYS_pread64, fd, (u64)back, 1, 0) == 1 && back[0] == big[0]);
	must_be(call(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, open_a(O_WRONLY), 0) == -EACCES);
}
END_TEST

/* The program's own pointer may be one of these. */
START_TEST(from_a_mapping)
{
	u8 *at;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_ftruncate, fd, 4 * PAGE) == 0);
	at = (u8 *)call(SYS_mmap, 0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(at, 'm', PAGE);
	must_be(call(SYS_pwrite64, fd, (u64)at, PAGE, 2 * PAGE) == PAGE && at[3 * PAGE - 1] == 'm');
	cut_backing(PAGE);
	must_be(call(SYS_pwrite64, fd, (u64)at + PAGE, PAGE, 0) == -EFAULT);
}
END_TEST

/* --- from file to file --------------------------------------------------------------------------------------- */

static bool sees_secret;

static void look(long nr, const u64 args[6], long r)
{
	sees_secret |= memmem((void *)INKTAG_ARENA_BASE, INKTAG_ARENA_SIZE - PAGE, "SECRET", 6) != NULL;
}

START_TEST(copied)
{
	s64 from = 2, to = 2;
	int fd, b, plain, ends[2];

	fake_files();
	plain = call(SYS_open, (u64)"/other/plain", O_RDWR | O_CREAT, 0644);
	fd = open_a(O_RDWR | O_CREAT);
	b = call(SYS_open, (u64)"/data/b", O_RDWR | O_CREAT, 0644);
	must_be(call(SYS_write, fd, (u64)"a SECRET text", 13) == 13);
	disk.after = look;
	memset((void *)ARENA_BUF, 0, 4096);
	must_be(call(SYS_copy_file_range, fd, (u64)&from, b, (u64)&to, 100, 0) == 11 && from == 13 && to == 13 && !sees_secret);
	must_be(call(SYS_pread64, b, (u64)back, 99, 0) == 13 && !memcmp(back, "\0\0SECRET text", 13));
	must_be(call(SYS_copy_file_range, fd, 0, b, 0, 100, 1) == -EINVAL);
	must_be(call(SYS_lseek, fd, 2, SEEK_SET) == 2 && call(SYS_sendfile, plain, fd, 0, 100) == 11 && sees_secret);
	must_be(call(SYS_lseek, fd, 0, SEEK_CUR) == 13 && pread(plain, back, 99, 0) == 11 && !memcmp(back, "SECRET text", 11));
	must_be(!pipe(ends) && write(ends[1], "from a pipe", 11) == 11);
	must_be(call(SYS_splice, ends[0], 0, fd, (u64)&(s64){ 0 }, 100, 0) == 11);
	must_be(call(SYS_pread64, fd, (u64)back, 99, 0) == 13 && !memcmp(back, "from a pipext", 13));
	must_be(call(SYS_splice, fd, (u64)&(s64){ 5 }, ends[1], 0, 6, 0) == 6 && read(ends[0], back, 99) == 6 && !memcmp(back, "a pipe", 6));
	must_be(call(SYS_splice, ends[0], 0, fd, 0, 5, SPLICE_F_NONBLOCK) == -EAGAIN);
	must_be(call(SYS_splice, ends[0], (u64)&from, fd, 0, 5, 0) == -ESPIPE && call(SYS_splice, fd, 0, b, 0, 5, 0) == -EINVAL);
	/* What the pipe has no room for was not read. */
	must_be(!fcntl(ends[1], F_SETFL, O_NONBLOCK) && fcntl(ends[1], F_SETPIPE_SZ, 4096) == 4096);
	fill(big, 9000, 1);
	must_be(call(SYS_pwrite64, fd, (u64)big, 9000, 0) == 9000 && call(SYS_lseek, fd, 0, SEEK_SET) == 0);
	must_be(call(SYS_splice, fd, 0, ends[1], 0, 9000, 0) == 4096 && call(SYS_lseek, fd, 0, SEEK_CUR) == 4096);
	must_be(call(SYS_sendfile, call(SYS_open, (u64)FILE_A, O_RDONLY), plain, 0, 5) == -EBADF);
}
END_TEST

START_TEST(locked)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -2, .l_len = 1 };
	u64 gets;
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abcdef", 6) == 6);
	/* Another HAP makes it shorter, which only a lock lets us see at once. */
	a()->length = 3;
	must_be(call(SYS_pread64, fd, (u64)back, 6, 0) == 6 && call(SYS_flock, fd, LOCK_EX) == 0 && call(SYS_pread64, fd, (u64)back, 6, 0) == 3);
	a()->length = 2;
	must_be(call(SYS_fcntl, fd, F_SETLK, (u64)&fl) == 0 && fl.l_start == -2 && call(SYS_pread64, fd, (u64)back, 3, 0) == 2);
	fl = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
	a()->length = 1;
	must_be(call(SYS_fcntl, fd, F_SETLK, (u64)&fl) == 0 && call(SYS_pread64, fd, (u64)back, 2, 0) == 1);
	must_be(call(SYS_fcntl, open_a(O_RDONLY), F_SETLK, (u64)&fl) == -EBADF);
	fl = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
	must_be(!fcntl(open(backing(a()), O_RDWR), F_OFD_GETLK, &fl) && fl.l_type == F_WRLCK && fl.l_start == 0 && fl.l_len == 1);
	/* What it has made longer, we see at once in any case. */
	a()->length = 5;
	gets = a()->gets;
	must_be(call(SYS_pread64, fd, (u64)back, 6, 0) == 5 && a()->gets == gets + 1);
	a()->length = 1;
	must_be(call(SYS_pwrite64, fd, (u64)"z", 1, 3) == 1 && a()->length == 4);
}
END_TEST

/* --- several at once ------------------------------------------------------------------------------------------ */

static long real_fork(const struct clone *clone)
{
	static u64 last = 1;
	pid_t pid;

	fake.living |= 1UL << ++last;
	pid = fork();
	if (!pid)
		fake.hap = last;
	return pid;
}

static int ended_as(pid_t pid)
{
	int status;

	must_be(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Offsets and flags are the description's, whoever has it; appends of several processes do not meet. */
START_TEST(forked)
{
	const int n = 100;
	char buf[16];
	long pid, i;
	int fd, log;

	fake_files();
	fake.clone = real_fork;
	fd = open_a(O_RDWR | O_CREAT);
	log = call(SYS_open, (u64)"/data/log", O_WRONLY | O_CREAT | O_APPEND, 0644);
	must_be(call(SYS_write, fd, (u64)"0123456789", 10) == 10 && call(SYS_lseek, fd, 2, SEEK_SET) == 2);
	store->slow = 300;
	pid = call(SYS_fork);
	must(pid >= 0, "fork: %ld", pid);
	if (!pid) {
		must_be(call(SYS_read, fd, (u64)buf, 3) == 3 && !memcmp(buf, "234", 3));
		must_be(call(SYS_pwrite64, fd, (u64)"longer by the child", 19, 10) == 19);
		/* One of its own, whose offset is not locked for the parent's. */
		must_be(call(SYS_close, log) == 0);
		log = call(SYS_open, (u64)"/data/log", O_WRONLY | O_APPEND);
		for (i = 0; i < n; i++)
			must_be(call(SYS_write, log, (u64)"CHILD...\n", 9) == 9);
		must_be(call(SYS_close, fd) == 0 && call(SYS_close, log) == 0);
		_exit(7);
	}
	for (i = 0; i < n; i++)
		must_be(call(SYS_write, log, (u64)"PARENT..\n", 9) == 9);
	must_be(ended_as(pid) == 7);
	must_be(call(SYS_read, fd, (u64)buf, 2) == 2 && !memcmp(buf, "56", 2));
	must_be(call(SYS_pread64, fd, (u64)back, 100, 0) == 29 && !memcmp(back + 10, "longer by", 9));
	log = call(SYS_open, (u64)"/data/log", O_RDONLY);
	must_be(call(SYS_read, log, (u64)back, sizeof(back)) == 2 * n * 9);
	for (i = 0; i < 2 * n; i++)
		must(!memcmp(back + i * 9, "CHILD...\n", 9) || !memcmp(back + i * 9, "PARENT..\n", 9), "line %ld", i);
}
END_TEST

/* What a process had that was killed is free again, and the lock that it held. */
START_TEST(killed)
{
	long pid, fd, other, i, child;

	fake_files();
	fake.clone = real_fork;
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abc", 3) == 3);
	for (child = 0; child < 3; child++) {
		pid = call(SYS_fork);
		if (!pid) {
			for (i = 0; i < 450; i++)
				must_be(call(SYS_open, (u64)FILE_A, O_RDONLY) > 0);
			plock_take(&pcommon_file(0)->lock);
			_exit(9);
		}
		must_be(ended_as(pid) == 9);
		fake.living = 1 << 1;
	}
	must_be(call(SYS_pwrite64, fd, (u64)"d", 1, 3) == 1 && call(SYS_pread64, fd, (u64)back, 90, 0) == 4);
	for (i = 0; i < 400; i++) {
		other = call(SYS_open, (u64)FILE_A, O_RDONLY);
		must(other >= 0, "%ld: %ld", i, other);
	}
}
END_TEST

/* What parent and child both had is the child's when the parent has closed it. */
START_TEST(kept_by_the_child)
{
	int ends[2], fd;
	char buf[8];
	long pid, i;

	fake_files();
	fake.clone = real_fork;
	must_be(!pipe(ends));
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abcdef", 6) == 6 && call(SYS_lseek, fd, 2, SEEK_SET) == 2);
	pid = call(SYS_fork);
	if (!pid) {
		must_be(read(ends[0], buf, 1) == 1);
		must_be(call(SYS_read, fd, (u64)buf, 8) == 4 && !memcmp(buf, "cdef", 4));
		_exit(7);
	}
	must_be(call(SYS_close, fd) == 0);
	for (i = 0; i < 5; i++)
		must_be(call(SYS_lseek, open_a(O_RDWR), 5, SEEK_SET) == 5);
	must_be(write(ends[1], "", 1) == 1 && ended_as(pid) == 7);
}
END_TEST

static void while_cut(void)
{
	must_be(pcommon_file(0)->length == PLENGTH_UNKNOWN);
	disk.in_set = NULL;
}

/* Others of the family must not go by the longer length, if this process is killed now. */
START_TEST(killed_while_it_cuts)
{
	int fd;

	fake_files();
	fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_write, fd, (u64)"abcdef", 6) == 6 && pcommon_file(0)->length == 6);
	disk.in_set = while_cut;
	must_be(call(SYS_ftruncate, fd, 2) == 0 && !disk.in_set && pcommon_file(0)->length == 2);
}
END_TEST

#define THREADS	4

static int shared_fd;

static void *run(void *arg)
{
	const u64 me = (u64)arg, slice = PAGE_DOWN((ARENA_BUF_END - ARENA_BUF) / (THREADS + 1));
	u64 i, value[512];

	fake_thread();
	fake_arena(ARENA_BUF + (me + 1) * slice, slice);
	for (i = 0; i < 200; i++) {
		u64 at = (me * 40 + i % 40) * MIB / 4 + 100, k;

		for (k = 0; k < 512; k++)
			value[k] = me << 32 | i;
		must_be(call(SYS_pwrite64, shared_fd, (u64)value, sizeof(value), at) == sizeof(value));
		memset(value, 0, sizeof(value));
		must_be(call(SYS_pread64, shared_fd, (u64)value, sizeof(value), at) == sizeof(value));
		for (k = 0; k < 512; k++)
			must_be(value[k] == (me << 32 | i));
		must_be(call(SYS_write, shared_fd + 1, (u64)&me, 8) == 8);
		if (i % 50 == 7)
			must_be(call(SYS_close, call(SYS_dup, shared_fd)) == 0);
	}
	return NULL;
}

/* More windows than there are places for, and all threads at them. */
START_TEST(threads)
{
	u64 counts[THREADS] = { 0 }, i, *words = (u64 *)back;
	pthread_t t[THREADS];

	fake_files();
	shared_fd = open_a(O_RDWR | O_CREAT);
	must_be(call(SYS_open, (u64)"/data/log", O_RDWR | O_CREAT | O_APPEND, 0644) == shared_fd + 1);
	must_be(call(SYS_ftruncate, shared_fd, 50 * MIB) == 0);
	for (i = 0; i < THREADS; i++)
		must_be(!pthread_create(&t[i], NULL, run, (void *)i));
	for (i = 0; i < THREADS; i++)
		must_be(!pthread_join(t[i], NULL));
	must_be(call(SYS_pread64, shared_fd + 1, (u64)back, sizeof(back), 0) == THREADS * 200 * 8);
	for (i = 0; i < THREADS * 200; i++) {
		must_be(words[i] < THREADS);
		counts[words[i]]++;
	}
	for (i = 0; i < THREADS; i++)
		must_be(counts[i] == 200);
}
END_TEST

SUITE(pfile, 3 * SECONDS, { written_and_read }, { reads_without_exits }, { as_an_ordinary_file }, { cut_and_grown, 5 },
      { left_behind_the_end, 2 }, { appended }, { many_windows }, { few_windows }, { crowded_windows }, { duplicated }, { replaced }, { synced }, { busy }, { times_move_on },
      { backing_cut }, { page_lost }, { bad_pointers }, { wrong_sizes }, { wrong_windows, 4 }, { no_store }, { refused_by_the_store },
      { mapped_shared }, { mapped_private }, { from_a_mapping }, { copied }, { locked }, { forked }, { killed }, { kept_by_the_child },
      { killed_while_it_cuts }, { threads })
