// SPDX-License-Identifier: GPL-2.0-or-later
/* memory.c - mmap, munmap, mprotect, mremap, madvise, brk, with the content of each page. Shared memory: shared.c. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "conformance.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t pages)
{
	return mmap(NULL, pages * PAGE, RW, ANON, -1, 0);
}

static char *filled(size_t pages)
{
	char *p = map(pages);

	if (p != MAP_FAILED)
		fill_pattern(p, pages * PAGE, 0);
	return p;
}

static int is_zero(const char *p, size_t pages)
{
	size_t i;

	for (i = 0; i < pages * PAGE; i++)
		if (p[i])
			return 0;
	return 1;
}

static int map_is_zero(void)
{
	char *p = map(50);

	want(p != MAP_FAILED && !((uintptr_t)p % PAGE) && is_zero(p, 50));
	fill_pattern(p, 50 * PAGE, 0);
	want(is_pattern(p, 50 * PAGE, 0) && !munmap(p, 50 * PAGE));
	return 1;
}

static int read_before_write(void)
{
	char *p = map(4);

	want(!p[0] && !p[PAGE] && !p[3 * PAGE]);
	p[PAGE] = 1;
	want(!p[0] && p[PAGE] == 1 && !p[2 * PAGE] && !munmap(p, 4 * PAGE));
	return 1;
}

static int unmap_middle(void)
{
	char *p = filled(10);

	want(!munmap(p + 3 * PAGE, 4 * PAGE) && is_pattern(p, 3 * PAGE, 0) &&
	     is_pattern(p + 7 * PAGE, 3 * PAGE, 7 * PAGE));
	want(!munmap(p, 10 * PAGE) && !munmap(p, 10 * PAGE));
	return 1;
}

static int unmap_head_tail(void)
{
	char *p = filled(10);

	want(!munmap(p, 2 * PAGE) && !munmap(p + 8 * PAGE, 2 * PAGE) && is_pattern(p + 2 * PAGE, 6 * PAGE, 2 * PAGE));
	want(!munmap(p + 2 * PAGE, 6 * PAGE - 100));
	return 1;
}

static int new_memory_is_zero_again(void)
{
	char *p;
	int i;

	for (i = 0; i < 20; i++) {
		p = map(4);
		want(is_zero(p, 4));
		memset(p, 'x', 4 * PAGE);
		want(!munmap(p, 4 * PAGE));
	}
	return 1;
}

static int map_errors(void)
{
	char *p = map(1);

	want_error(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	want_error(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	want_error(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	want_error(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	want_error(mmap(NULL, 1L << 47, RW, ANON, -1, 0), ENOMEM);
	want_error(munmap(p + 1, PAGE), EINVAL);
	want_error(munmap(p, 0), EINVAL);
	want(!munmap(p, PAGE));
	return 1;
}

static int map_fixed_replaces(void)
{
	char *p = filled(6);

	want(mmap(p + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 2 * PAGE);
	want(is_pattern(p, 2 * PAGE, 0) && is_zero(p + 2 * PAGE, 2) && is_pattern(p + 4 * PAGE, 2 * PAGE, 4 * PAGE));
	want(!munmap(p, 6 * PAGE));
	return 1;
}

static int map_fixed_noreplace(void)
{
	char *p = filled(6);

	want_error(mmap(p + 5 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	want(!munmap(p + 5 * PAGE, PAGE));
	want(mmap(p + 5 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 5 * PAGE &&
	     is_pattern(p, 5 * PAGE, 0));
	want(!munmap(p, 6 * PAGE));
	return 1;
}

static int map_hint(void)
{
	char *p = map(4), *q;

	want(!munmap(p, 4 * PAGE));
	q = mmap(p, 4 * PAGE, RW, ANON, -1, 0);
	want(q == p && !munmap(q, 4 * PAGE));
	return 1;
}

static int map_big_sparse(void)
{
	char *p = mmap(NULL, 1L << 32, RW, ANON | MAP_NORESERVE, -1, 0);
	long i;

	want(p != MAP_FAILED);
	for (i = 0; i < 1L << 32; i += 1L << 28)
		p[i] = 1 + (i >> 28);
	for (i = 0; i < 1L << 32; i += 1L << 28)
		want(p[i] == 1 + (i >> 28) && !p[i + PAGE]);
	want(!munmap(p, 1L << 32));
	return 1;
}

static int map_none_then_commit(void)
{
	char *p = mmap(NULL, 100 * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	want(p != MAP_FAILED && !mprotect(p + 10 * PAGE, 5 * PAGE, RW));
	want(is_zero(p + 10 * PAGE, 5));
	fill_pattern(p + 10 * PAGE, 5 * PAGE, 0);
	want(!mprotect(p, 20 * PAGE, RW) && is_zero(p, 10) && is_pattern(p + 10 * PAGE, 5 * PAGE, 0) &&
	     is_zero(p + 15 * PAGE, 5));
	want(!munmap(p, 100 * PAGE));
	return 1;
}

static int protect_splits_and_joins(void)
{
	char *p = filled(8);

	want(!mprotect(p + 2 * PAGE, 3 * PAGE, PROT_READ) && is_pattern(p, 8 * PAGE, 0));
	want(!mprotect(p + 3 * PAGE, PAGE, PROT_NONE) && is_pattern(p, 3 * PAGE, 0) &&
	     is_pattern(p + 4 * PAGE, 4 * PAGE, 4 * PAGE));
	want(!mprotect(p, 8 * PAGE, RW) && is_pattern(p, 8 * PAGE, 0));
	memset(p, 1, 8 * PAGE);
	want(!munmap(p, 8 * PAGE));
	return 1;
}

static int protect_errors(void)
{
	char *p = map(4);

	want_error(mprotect(p + 1, PAGE, RW), EINVAL);
	want(!munmap(p + 2 * PAGE, PAGE));
	want_error(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
	want(!mprotect(p, 0, PROT_READ));
	want(!munmap(p, 4 * PAGE));
	return 1;
}

static int protect_to_code(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };	/* mov $42, %eax; ret */
	char *p = map(1);

	memcpy(p, code, sizeof(code));
	want(!mprotect(p, PAGE, PROT_READ | PROT_EXEC) && ((int (*)(void))p)() == 42);
	want(!mprotect(p, PAGE, RW));
	p[1] = 43;
	want(!mprotect(p, PAGE, PROT_READ | PROT_EXEC) && ((int (*)(void))p)() == 43 && !munmap(p, PAGE));
	return 1;
}

static int remap_grows(void)
{
	char *p = filled(4), *q = mremap(p, 4 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);

	want(q != MAP_FAILED && is_pattern(q, 4 * PAGE, 0) && is_zero(q + 4 * PAGE, 36) && !munmap(q, 40 * PAGE));
	return 1;
}

static int remap_shrinks(void)
{
	char *p = filled(8), *q = mremap(p, 8 * PAGE, 3 * PAGE, 0);

	want(q == p && is_pattern(p, 3 * PAGE, 0));
	want(mmap(p + 3 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 3 * PAGE &&
	     is_zero(p + 3 * PAGE, 1));
	want(!munmap(p, 8 * PAGE));
	return 1;
}

static int remap_must_not_move(void)
{
	char *p = filled(4);

	want(!munmap(p + 2 * PAGE, 2 * PAGE));
	want(mmap(p + 2 * PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0) == p + 2 * PAGE);
	want_error(mremap(p, 2 * PAGE, 4 * PAGE, 0), ENOMEM);
	want(is_pattern(p, 2 * PAGE, 0) && !munmap(p, 4 * PAGE));
	return 1;
}

static int remap_fixed(void)
{
	char *p = filled(4), *to = filled(6);

	want(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
	want(is_pattern(to, PAGE, 0) && is_pattern(to + PAGE, 4 * PAGE, 0) &&
	     is_pattern(to + 5 * PAGE, PAGE, 5 * PAGE));
	want(mmap(p, 4 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p && is_zero(p, 4));
	want(!munmap(p, 4 * PAGE) && !munmap(to, 6 * PAGE));
	return 1;
}

static int remap_errors(void)
{
	char *p = map(2);

	want_error(mremap(p + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EINVAL);
	want_error(mremap(p, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
	want_error(mremap(p, PAGE, PAGE, MREMAP_FIXED, p + PAGE), EINVAL);
	want(!munmap(p, 2 * PAGE));
	want_error(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	return 1;
}

static int advise_dontneed(void)
{
	char *p = filled(6);

	want(!madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	want(is_pattern(p, 2 * PAGE, 0) && is_zero(p + 2 * PAGE, 2) && is_pattern(p + 4 * PAGE, 2 * PAGE, 4 * PAGE));
	p[2 * PAGE] = 5;
	want(p[2 * PAGE] == 5 && !munmap(p, 6 * PAGE));
	return 1;
}

static int advise_hints(void)
{
	char *p = filled(6);

	want(!madvise(p, 6 * PAGE, MADV_WILLNEED) && !madvise(p, 6 * PAGE, MADV_SEQUENTIAL) &&
	     !madvise(p, 6 * PAGE, MADV_RANDOM));
	want(!madvise(p, 6 * PAGE, MADV_NORMAL) && is_pattern(p, 6 * PAGE, 0));
	want_error(madvise(p + 1, PAGE, MADV_NORMAL), EINVAL);
	want_error(madvise(p, PAGE, 12345), EINVAL);
	want(!munmap(p, 6 * PAGE));
	want_error(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
	return 1;
}

static int brk_moves(void)
{
	char *old = sbrk(0), *p;

	want(sbrk(10 * PAGE) == old && sbrk(0) == old + 10 * PAGE);
	p = (char *)(((uintptr_t)old + PAGE - 1) & -PAGE);
	want(is_zero(p, 8));
	fill_pattern(p, 8 * PAGE, 0);
	want(sbrk(-5 * (long)PAGE) != (void *)-1 && is_pattern(p, 4 * PAGE, 0));
	want(sbrk(5 * PAGE) != (void *)-1 && is_pattern(p, 4 * PAGE, 0) && is_zero(p + 5 * PAGE, 3));
	want(!brk(old) && sbrk(0) == old);
	return 1;
}

static int file_private(void)
{
	int fd = pattern_file("f", 3 * PAGE);
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0), c;

	want(p != MAP_FAILED && is_pattern(p, 3 * PAGE, 0));
	p[0] = pattern(0) + 1;
	want(pread(fd, &c, 1, 0) == 1 && is_pattern(&c, 1, 0) && !munmap(p, 3 * PAGE));
	return 1;
}

static int file_private_offset(void)
{
	int fd = pattern_file("f", 3 * PAGE + 100);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);

	want(p != MAP_FAILED && !close(fd) && is_pattern(p, PAGE + 100, 2 * PAGE) && !p[PAGE + 100] &&
	     !p[2 * PAGE - 1]);
	want(!munmap(p, 2 * PAGE));
	fd = open("f", O_RDONLY);
	want_error(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
	return 1;
}

static int file_wrong_mode(void)
{
	int fd;

	pattern_file("f", PAGE);
	fd = open("f", O_WRONLY);
	want_error(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
	fd = open(".", O_RDONLY);
	want_error(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
	return 1;
}

static int many_mappings(void)
{
	static char *at[200];
	unsigned int seed = 1, k, i;

	for (k = 0; k < 1000; k++) {
		i = rand_r(&seed) % COUNT(at);
		if (!at[i]) {
			want((at[i] = map(1 + i % 5)) != MAP_FAILED);
			fill_pattern(at[i], 100, i);
			fill_pattern(at[i] + i % 5 * PAGE, 100, i + 1);
		} else {
			want(is_pattern(at[i] + i % 5 * PAGE, 100, i + 1) && (i % 5 == 0 || is_pattern(at[i], 100, i)));
			want(!munmap(at[i], (1 + i % 5) * PAGE));
			at[i] = NULL;
		}
	}
	for (i = 0; i < COUNT(at); i++)
		want(!at[i] || !munmap(at[i], (1 + i % 5) * PAGE));
	return 1;
}

static int malloc_sizes(void)
{
	unsigned char *p;
	size_t n;

	for (n = 1; n < 10000000; n = n * 3 + 1) {
		want((p = malloc(n)));
		memset(p, 'x', n);
		want((p = realloc(p, 2 * n)) && p[0] == 'x' && p[n - 1] == 'x');
		free(p);
	}
	want((p = calloc(1000, 1000)) && is_zero((char *)p, 1000000 / PAGE));
	free(p);
	return 1;
}

static int malloc_aligned(void)
{
	void *p;

	want(!posix_memalign(&p, 65536, 100000) && !((uintptr_t)p % 65536));
	free(p);
	want((p = memalign(4096, 10)) && !((uintptr_t)p % 4096));
	free(p);
	return 1;
}

static int malloc_too_much(void)
{
	volatile size_t all = (size_t)-1 / 2;

	want(!malloc(all) && errno == ENOMEM);
	want(!calloc(all, 4) && errno == ENOMEM);
	return 1;
}

static int deep(int n)
{
	volatile char room[1000];

	room[0] = n;
	room[999] = n;
	return n ? deep(n - 1) + (room[0] == (char)n) + (room[999] == (char)n) : 0;
}

static int stack_grows(void)
{
	want(deep(3000) == 6000);
	return 1;
}

static int lock_memory(void)
{
	char *p = filled(4);

	want(!mlock(p, 4 * PAGE) && is_pattern(p, 4 * PAGE, 0) && !munlock(p, 4 * PAGE));
	want(!munmap(p, 4 * PAGE));
	want_error(mlock(p, PAGE), ENOMEM);
	return 1;
}

static int which_are_resident(void)
{
	unsigned char in[4];
	char *p = map(4);

	p[0] = p[PAGE] = 1;
	want(!mincore(p, 4 * PAGE, in) && (in[0] & 1) && (in[1] & 1) && !(in[3] & 1));
	want_error(mincore(p + 1, PAGE, in), EINVAL);
	want(!munmap(p, 4 * PAGE));
	want_error(mincore(p, PAGE, in), ENOMEM);
	return 1;
}

const struct check checks[] = {
	CHECK(map_is_zero), CHECK(read_before_write), CHECK(unmap_middle), CHECK(unmap_head_tail),
	CHECK(new_memory_is_zero_again), CHECK(map_errors), CHECK(map_fixed_replaces),
	CHECK(map_fixed_noreplace), CHECK(map_hint), CHECK(map_big_sparse), CHECK(map_none_then_commit),
	CHECK(protect_splits_and_joins), CHECK(protect_errors), CHECK(protect_to_code), CHECK(remap_grows),
	CHECK(remap_shrinks), CHECK(remap_must_not_move), CHECK(remap_fixed), CHECK(remap_errors),
	CHECK(advise_dontneed), CHECK(advise_hints), CHECK(brk_moves), CHECK(file_private),
	CHECK(file_private_offset), CHECK(file_wrong_mode), CHECK(many_mappings), CHECK(malloc_sizes),
	CHECK(malloc_aligned), CHECK(malloc_too_much), CHECK(stack_grows), CHECK(lock_memory),
	CHECK(which_are_resident),
	{ NULL, NULL },
};
