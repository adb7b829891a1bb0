// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * requests - what the paraverified kernel answers to arch_prctl(), and that it reports. Runs as a
 * process that attaches but never starts as a HAP, so that it can look at the kernel's answers
 * itself. Prints "failed LINE: WHAT" for each check that fails, and last "checks N failed N".
 *
 *   requests [MIB]    with MIB also fills so much memory, for more than there is of it, and reads it back
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <inktag/abi.h>

#define PAGE		INKTAG_PAGE_SIZE
#define BASE		0x600100000000UL	/* Linux places nothing here by itself */
#define HUGE		(2UL << 20)
#define RACE		(BASE + 0x1000000)
#define RACE_PAGES	64
#define FILL		(BASE + 0x10000000)

#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)
#define FIXED		(ANON | MAP_FIXED)
#define RW		(PROT_READ | PROT_WRITE)
#define NONE		INKTAG_TOKEN_NONE

static int checks, failed;
static struct inktag_mm mm;

#define CHECK(condition) check(condition, __LINE__, #condition)

static void check(int holds, int line, const char *what)
{
	checks++;
	if (holds)
		return;
	failed++;
	printf("failed %d: %s (errno %d)\n", line, what, errno);
}

/* The answer is in mm; returns 0 or a negative errno. */
static int ask(__u32 op, __u32 token, __u64 addr, __u64 len, __u64 prot, __u64 flags, __s64 fd, __u64 offset)
{
	mm = (struct inktag_mm) {
		.op = op, .token = token, .addr = addr, .len = len, .prot = prot, .flags = flags,
		.fd = fd, .offset = offset,
	};
	return syscall(SYS_arch_prctl, ARCH_INKTAG_MM, &mm) ? -errno : 0;
}

static int map(__u32 token, __u64 addr, __u64 len, __u64 flags)
{
	return ask(INKTAG_MM_MAP, token, addr, len, RW, flags, -1, 0);
}

static int tag(__u32 token, __u64 addr, __u64 len)
{
	return ask(INKTAG_MM_TAG, token, addr, len, 0, 0, 0, 0);
}

static int protect(__u32 token, __u64 addr, __u64 len, __u64 prot)
{
	return ask(INKTAG_MM_PROTECT, token, addr, len, prot, 0, 0, 0);
}

static int remap(__u32 token, __u64 addr, __u64 old, __u64 len, __u64 flags, __u64 to)
{
	return ask(INKTAG_MM_REMAP, token, addr, len, to, flags, 0, old);
}

static volatile char *at(__u64 addr)
{
	return (volatile char *)addr;
}

static long counter(const char *name)
{
	char path[64];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/inktag/%s", name);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

/* The number of the kernel's mappings in a range. */
static int vmas(__u64 start, __u64 end)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long s, e;
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, "%lx-%lx", &s, &e) == 2 && s < end && e > start;
	if (f)
		fclose(f);
	return n;
}

/* The exit status of a child that runs f. */
static int child(int (*f)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(f());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static long attach(void)
{
	long id = syscall(SYS_arch_prctl, ARCH_INKTAG_ATTACH, 0);

	return id < 0 ? -errno : id;
}

static int child_is_no_hap(void)
{
	return tag(1, BASE, PAGE) == -EINVAL;
}

static int nothing(void)
{
	return 0;
}

static long first_id;

static int child_attaches(void)
{
	long id = attach();

	return id > 0 && id != first_id;
}

static void test_attach(void)
{
	char *area = mmap(NULL, 2 * HUGE, RW, ANON, -1, 0);
	volatile char *huge = (char *)(((unsigned long)area + HUGE - 1) & ~(HUGE - 1));
	long maps;

	CHECK(map(1, 0, PAGE, ANON) == -EINVAL);
	memset((char *)huge, 1, HUGE);
	first_id = attach();
	CHECK(first_id > 0);
	CHECK(attach() == -EEXIST);

	/* Of a huge page that was there before, the page touched is reported. fork() makes it fault. */
	CHECK(child(nothing) == 0);
	maps = counter("maps");
	CHECK(maps >= 0);
	huge[99 * PAGE] = 1;
	CHECK(counter("maps") > maps);
	munmap(area, 2 * HUGE);
}

static void test_map(void)
{
	long maps, unmaps;

	CHECK(!map(7, BASE, 4 * PAGE, FIXED) && mm.addr == BASE && mm.prev == NONE);
	CHECK(!map(8, BASE + 4 * PAGE, 4 * PAGE, FIXED) && mm.prev == 7);
	CHECK(vmas(BASE, BASE + 8 * PAGE) == 2);
	CHECK(!map(8, BASE + 8 * PAGE, 4 * PAGE, FIXED) && mm.prev == 8);
	CHECK(vmas(BASE, BASE + 12 * PAGE) == 2);

	/* A plain mmap() has no token, stays by itself, and is passed over. */
	CHECK(mmap((void *)(BASE + 12 * PAGE), PAGE, RW, FIXED, -1, 0) != MAP_FAILED);
	CHECK(vmas(BASE, BASE + 13 * PAGE) == 3);
	CHECK(!map(9, BASE + 20 * PAGE, PAGE, FIXED) && mm.prev == 8);

	maps = counter("maps");
	memset((void *)BASE, 1, 13 * PAGE);
	CHECK(counter("maps") - maps >= 13);
	unmaps = counter("unmaps");
	CHECK(!ask(INKTAG_MM_UNMAP, 0, BASE + 12 * PAGE, PAGE, 0, 0, 0, 0));
	CHECK(vmas(BASE + 12 * PAGE, BASE + 13 * PAGE) == 0);
	CHECK(counter("unmaps") - unmaps >= 1);
}

static void test_tokens(void)
{
	CHECK(!tag(10, BASE + 2 * PAGE, 4 * PAGE) && vmas(BASE, BASE + 12 * PAGE) == 3);
	CHECK(tag(10, BASE + 11 * PAGE, 4 * PAGE) == -ENOMEM);
	CHECK(tag(7, BASE + 1, PAGE) == -EINVAL);
	CHECK(tag(7, BASE, -PAGE) == -EINVAL);
	CHECK(!tag(7, BASE, 12 * PAGE) && vmas(BASE, BASE + 12 * PAGE) == 1);

	CHECK(!protect(11, BASE + 3 * PAGE, 2 * PAGE, PROT_READ) && vmas(BASE, BASE + 12 * PAGE) == 3);
	CHECK(!protect(NONE, BASE + 3 * PAGE, 2 * PAGE, RW) && vmas(BASE, BASE + 12 * PAGE) == 3);
	CHECK(!protect(7, BASE + 3 * PAGE, 2 * PAGE, RW) && vmas(BASE, BASE + 12 * PAGE) == 1);
	CHECK(protect(7, BASE + 30 * PAGE, 2 * PAGE, RW) == -ENOMEM);
	CHECK(at(BASE)[4 * PAGE] == 1);

	CHECK(!remap(12, BASE + 20 * PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0));
	CHECK(mm.addr == BASE + 20 * PAGE && mm.prev == 7);
	CHECK(!remap(13, BASE, 12 * PAGE, 12 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 100 * PAGE));
	CHECK(mm.addr == BASE + 100 * PAGE && mm.prev == 12);
	CHECK(at(BASE)[104 * PAGE] == 1);
	CHECK(remap(13, BASE + 100 * PAGE, PAGE, PAGE, 99, 0) == -EINVAL);
	CHECK(remap(13, BASE, PAGE, PAGE, 0, 0) == -EFAULT);
}

static void test_refusals(void)
{
	CHECK(ask(INKTAG_MM_MAP, 1, 0, PAGE, RW, MAP_PRIVATE, -1, 0) == -EBADF);
	CHECK(ask(INKTAG_MM_MAP, 1, 0, PAGE, RW, MAP_PRIVATE, 1L << 32, 0) == -EBADF);
	CHECK(ask(INKTAG_MM_MAP, 1, 0, PAGE, RW, ANON, -1, 5) == -EINVAL);
	CHECK(map(1, 0, PAGE, ANON | MAP_HUGETLB) == -EINVAL);
	CHECK(map(1, 0, 0, ANON) == -EINVAL);
	CHECK(map(1, 0, -PAGE, ANON) == -ENOMEM);
	CHECK(map(1, BASE + 20 * PAGE, PAGE, ANON | MAP_FIXED_NOREPLACE) == -EEXIST);
	CHECK(ask(INKTAG_MM_OP_COUNT, 1, BASE, PAGE, RW, ANON, -1, 0) == -EINVAL);
	CHECK(syscall(SYS_arch_prctl, ARCH_INKTAG_MM, 8) == -1 && errno == EFAULT);
	mm = (struct inktag_mm) { .op = INKTAG_MM_TAG, .addr = BASE, .len = PAGE, .kind = 1 };
	CHECK(syscall(SYS_arch_prctl, ARCH_INKTAG_MM, &mm) == -1 && errno == EINVAL);
}

static void test_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char want = 0;

	CHECK(fd >= 0 && pread(fd, &want, 1, PAGE) == 1);
	CHECK(!ask(INKTAG_MM_MAP, 14, BASE + 200 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, PAGE));
	CHECK(at(BASE)[200 * PAGE] == want);
	close(fd);
}

static void test_fork(void)
{
	CHECK(!map(15, BASE + 300 * PAGE, 600 * PAGE, FIXED | MAP_POPULATE));
	CHECK(child(child_is_no_hap) == 1);
	at(BASE)[300 * PAGE] = 3;
	CHECK(child(child_attaches) == 1);
}

static volatile int stop;

static void *touch(void *unused)
{
	int i;

	while (!stop)
		for (i = 0; i < RACE_PAGES; i++)
			at(RACE)[i * PAGE]++;
	return unused;
}

static void *take_away(void *unused)
{
	while (!stop) {
		madvise((void *)RACE, RACE_PAGES * PAGE, MADV_DONTNEED);
		mprotect((void *)RACE, 8 * PAGE, RW);
	}
	return unused;
}

/* Rings run full while both sides report. */
static void test_race(void)
{
	pthread_t thread[3];
	int i;

	CHECK(!map(16, RACE, RACE_PAGES * PAGE, FIXED));
	for (i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, i < 2 ? touch : take_away, NULL));
	sleep(3);
	stop = 1;
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	CHECK(counter("doorbells") > 0);
}

static void test_swap(unsigned long mib)
{
	unsigned long size = mib << 20, i, wrong = 0;

	CHECK(!map(17, FILL, size, FIXED));
	for (i = 0; i < size; i += PAGE)
		*(volatile unsigned long *)(FILL + i) = i;
	for (i = 0; i < size; i += PAGE)
		wrong += *(volatile unsigned long *)(FILL + i) != i;
	CHECK(!wrong);
}

int main(int argc, char **argv)
{
	test_attach();
	test_map();
	test_tokens();
	test_refusals();
	test_file();
	test_fork();
	test_race();
	if (argc > 1)
		test_swap(strtoul(argv[1], NULL, 0));
	CHECK(counter("dropped") == 0);
	printf("checks %d failed %d\n", checks, failed);
	return failed != 0;
}
