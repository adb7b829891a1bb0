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
#include <sys/uio.h>
#include <unistd.h>
#include "unit_files.h"

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
	must_be(call(SYS_fcntl, third, F_SETFD, 0) == 0 && fcntl(third, F_GETFD) == FD_CLOEXEC);
	must_be(call(SYS_dup2, copy, third) == third && call(SYS_read, third, (u64)buf, 1) == 1 && *buf == 'g');
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
	must_be(disk.made[SYS_fsync] == 2);		/* and the directory, which has a new file */
	must_be(call(SYS_fdatasync, fd) == 0 && disk.made[SYS_fsync] == 3 && a()->settled == a()->sealed);
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
	must_be(call(SYS_open, (u64)"/data/b", O_RDWR | O_CREAT, 0644) == -ENOMEM && !stored("/data/b"));
	must_be(call(SYS_open, (u64)FILE_A, O_RDWR, 0) == -ENOMEM && !a()->opened);
}
END_TEST

SUITE(pfile, 3 * SECONDS, { written_and_read }, { reads_without_exits }, { as_an_ordinary_file }, { cut_and_grown, 5 },
      { left_behind_the_end, 2 }, { appended }, { many_windows }, { duplicated }, { replaced }, { synced }, { busy },
      { backing_cut }, { page_lost }, { bad_pointers }, { wrong_sizes }, { wrong_windows, 4 }, { no_store }, { refused_by_the_store })
