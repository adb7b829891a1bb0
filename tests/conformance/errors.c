// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * errors.c - wrong arguments. Bad pointers are of three kinds: on the first page, where nothing ever is; above what a
 * process can have; and of memory that could be there, but is not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

/* The library may look at its arguments itself: these go past it. */
#define want_raw(number, call, ...) want_error(syscall(SYS_##call, __VA_ARGS__), number)

static void *const low = (void *)16, *const high = (void *)0xffff800000000000;

static void *gone(void)
{
	void *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p, 2 * PAGE);
	return p;
}

static int fault_paths(void *bad)
{
	char buffer[100];
	struct stat st;

	want_raw(EFAULT, open, bad, O_RDONLY);
	want_raw(EFAULT, openat, AT_FDCWD, bad, O_RDONLY);
	want_raw(EFAULT, stat, bad, &st);
	want_raw(EFAULT, access, bad, 0);
	want_raw(EFAULT, chdir, bad);
	want_raw(EFAULT, unlink, bad);
	want_raw(EFAULT, mkdir, bad, 0755);
	want_raw(EFAULT, rename, bad, "x");
	want_raw(EFAULT, rename, ".", bad);
	want_raw(EFAULT, symlink, bad, "x");
	want_raw(EFAULT, readlink, bad, buffer, sizeof(buffer));
	want_raw(EFAULT, truncate, bad, 0);
	return 1;
}

static int fault_data(void *bad)
{
	int fd = pattern_file("f", 100);
	struct iovec iov = { bad, 10 };

	want_raw(EFAULT, read, fd, bad, 10);
	want_raw(EFAULT, pread64, fd, bad, 10, 0);
	want_raw(EFAULT, write, fd, bad, 10);
	want_raw(EFAULT, pwrite64, fd, bad, 10, 0);
	want_raw(EFAULT, readv, fd, &iov, 1);
	want_raw(EFAULT, writev, fd, &iov, 1);
	want_raw(EFAULT, readv, fd, bad, 1);
	want(lseek(fd, 0, SEEK_CUR) == 0);
	return 1;
}

static int fault_results(void *bad)
{
	int fd = pattern_file("f", 100), p[2];

	want_raw(EFAULT, stat, "f", bad);
	want_raw(EFAULT, fstat, fd, bad);
	want_raw(EFAULT, statfs, ".", bad);
	want_raw(EFAULT, getcwd, bad, 1000);
	want_raw(EFAULT, pipe, bad);
	want(dup(fd) == fd + 1);
	want_raw(EFAULT, uname, bad);
	want_raw(EFAULT, sysinfo, bad);
	want_raw(EFAULT, getrusage, RUSAGE_SELF, bad);
	want_raw(EFAULT, getrlimit, RLIMIT_CORE, bad);
	want_raw(EFAULT, setrlimit, RLIMIT_CORE, bad);
	want_raw(EFAULT, getresuid, bad, p, p);
	want_raw(EFAULT, getdents64, open(".", O_RDONLY), bad, 1000);
	return 1;
}

static int fault_time(void *bad)
{
	want_raw(EFAULT, nanosleep, bad, NULL);
	want_raw(EFAULT, clock_nanosleep, CLOCK_MONOTONIC, 0, bad, NULL);
	want_raw(EFAULT, clock_gettime, CLOCK_MONOTONIC, bad);
	want_raw(EFAULT, clock_getres, CLOCK_MONOTONIC, bad);
	want_raw(EFAULT, gettimeofday, bad, NULL);
	want_raw(EFAULT, setitimer, ITIMER_REAL, bad, NULL);
	want_raw(EFAULT, getitimer, ITIMER_REAL, bad);
	return 1;
}

static int fault_waiting(void *bad)
{
	struct timespec t = { 0, 0 };

	want_raw(EFAULT, poll, bad, 1, 0);
	want_raw(EFAULT, ppoll, NULL, 0, bad, NULL, 8);
	want_raw(EFAULT, select, 10, bad, NULL, NULL, NULL);
	want_raw(EFAULT, select, 0, NULL, NULL, NULL, bad);
	want_raw(EFAULT, pselect6, 10, bad, NULL, NULL, &t, NULL);
	return 1;
}

static int fault_signals(void *bad)
{
	want_raw(EFAULT, rt_sigaction, SIGUSR1, bad, NULL, 8);
	want_raw(EFAULT, rt_sigaction, SIGUSR1, NULL, bad, 8);
	want_raw(EFAULT, rt_sigprocmask, SIG_BLOCK, bad, NULL, 8);
	want_raw(EFAULT, rt_sigprocmask, SIG_BLOCK, NULL, bad, 8);
	return 1;
}

static int fault_low_paths(void) { return fault_paths(low); }
static int fault_low_data(void) { return fault_data(low); }
static int fault_low_results(void) { return fault_results(low); }
static int fault_low_time(void) { return fault_time(low); }
static int fault_low_waiting(void) { return fault_waiting(low); }
static int fault_low_signals(void) { return fault_signals(low); }
static int fault_high_paths(void) { return fault_paths(high); }
static int fault_high_data(void) { return fault_data(high); }
static int fault_high_results(void) { return fault_results(high); }
static int fault_high_time(void) { return fault_time(high); }
static int fault_high_waiting(void) { return fault_waiting(high); }
static int fault_high_signals(void) { return fault_signals(high); }
static int fault_gone_paths(void) { return fault_paths(gone()); }
static int fault_gone_data(void) { return fault_data(gone()); }
static int fault_gone_results(void) { return fault_results(gone()); }
static int fault_gone_time(void) { return fault_time(gone()); }
static int fault_gone_waiting(void) { return fault_waiting(gone()); }
static int fault_gone_signals(void) { return fault_signals(gone()); }

/* The second page is not there: what the first can take is transferred. */
static int fault_half_way(void)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = pattern_file("f", 2 * PAGE), pipes[2];

	want(!munmap(p + PAGE, PAGE) && pread(fd, p, 2 * PAGE, 0) == (ssize_t)PAGE && is_pattern(p, PAGE, 0));
	want(!pipe(pipes) && write(pipes[1], p, 2 * PAGE) == (ssize_t)PAGE);
	want(!munmap(p, PAGE));
	return 1;
}

static int fault_read_only(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = pattern_file("f", 100);

	want_error(read(fd, p, 10), EFAULT);
	want_raw(EFAULT, uname, p);
	want(write(fd, p, 10) == 10 && !munmap(p, PAGE));
	return 1;
}

static int fault_no_access(void)
{
	char *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = pattern_file("f", 100);

	want_error(read(fd, p, 10), EFAULT);
	want_error(write(fd, p, 10), EFAULT);
	want_raw(EFAULT, open, p, O_RDONLY);
	want(!munmap(p, PAGE));
	return 1;
}

/* The string ends with the page, and what follows is not there. */
static int path_at_the_end_of_memory(void)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	want(!munmap(p + PAGE, PAGE));
	memcpy(p + PAGE - 2, "f", 2);
	want(open(p + PAGE - 2, O_CREAT | O_RDWR, 0644) >= 0 && !access("f", F_OK) && !munmap(p, PAGE));
	return 1;
}

static int bad_descriptors(void)
{
	char c;
	struct stat st;
	struct statfs fs;
	struct iovec iov = { &c, 1 };

	want_error(read(77, &c, 1), EBADF);
	want_error(write(77, &c, 1), EBADF);
	want_error(pread(77, &c, 1, 0), EBADF);
	want_error(readv(77, &iov, 1), EBADF);
	want_error(lseek(77, 0, SEEK_SET), EBADF);
	want_error(fstat(77, &st), EBADF);
	want_error(fstatfs(77, &fs), EBADF);
	want_error(ftruncate(77, 0), EBADF);
	want_error(fchmod(77, 0), EBADF);
	want_error(fchown(77, 0, 0), EBADF);
	want_error(fdatasync(77), EBADF);
	want_error(fcntl(77, F_GETFD), EBADF);
	want_error(openat(77, "f", O_RDONLY), EBADF);
	want_error(mkdirat(77, "d", 0755), EBADF);
	return 1;
}

static int bad_waits(void)
{
	int status;

	want_error(waitpid(-1, &status, 0), ECHILD);
	want_error(waitpid(getppid(), &status, 0), ECHILD);
	want_error(waitpid(-1, &status, 0x40), EINVAL);
	want_error(wait4(12345, &status, WNOHANG, NULL), ECHILD);
	return 1;
}

static int bad_signals(void)
{
	struct sigaction sa;
	sigset_t set;

	sigemptyset(&set);
	memset(&sa, 0, sizeof(sa));
	want_error(sigaction(SIGKILL, &sa, NULL), EINVAL);
	want_error(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	want_error(sigaction(0, &sa, NULL), EINVAL);
	want_error(sigaction(65, &sa, NULL), EINVAL);
	want_raw(EINVAL, rt_sigprocmask, 99, &set, NULL, 8);
	want_raw(EINVAL, rt_sigprocmask, SIG_BLOCK, &set, NULL, 4);
	want_error(kill(getpid(), 65), EINVAL);
	want_error(kill(getpid(), -1), EINVAL);
	want_error(kill(0x3ffffff, SIGTERM), ESRCH);
	want(!kill(getpid(), 0));
	return 1;
}

static int bad_lengths(void)
{
	char c;
	int fd = pattern_file("f", 10);

	want_raw(EFAULT, read, fd, &c, (size_t)-1);
	want_error(poll(NULL, 1 << 30, 0), EINVAL);
	want_raw(EFAULT, write, fd, low, 1L << 62);
	return 1;
}

const struct check checks[] = {
	CHECK(fault_low_paths), CHECK(fault_low_data), CHECK(fault_low_results), CHECK(fault_low_time),
	CHECK(fault_low_waiting), CHECK(fault_low_signals), CHECK(fault_high_paths), CHECK(fault_high_data),
	CHECK(fault_high_results), CHECK(fault_high_time), CHECK(fault_high_waiting), CHECK(fault_high_signals),
	CHECK(fault_gone_paths), CHECK(fault_gone_data), CHECK(fault_gone_results), CHECK(fault_gone_time),
	CHECK(fault_gone_waiting), CHECK(fault_gone_signals), CHECK(fault_half_way), CHECK(fault_read_only),
	CHECK(fault_no_access), CHECK(path_at_the_end_of_memory), CHECK(bad_descriptors), CHECK(bad_waits),
	CHECK(bad_signals), CHECK(bad_lengths),
	{ NULL, NULL },
};
