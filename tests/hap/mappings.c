// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mappings.c - mmap, munmap, mprotect, mremap, madvise, brk, with every page's content checked
 * after each change: page i of a mapping with seed s holds words s + i * 512 + word.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "check.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#define PAGE	4096UL
#define WORDS	(PAGE / sizeof(uint64_t))

static void fill(char *at, unsigned long pages, uint64_t seed)
{
	uint64_t *w = (uint64_t *)at;
	unsigned long i;

	for (i = 0; i < pages * WORDS; i++)
		w[i] = seed + i;
}

static int holds(const char *at, unsigned long pages, uint64_t seed)
{
	const uint64_t *w = (const uint64_t *)at;
	unsigned long i;

	for (i = 0; i < pages * WORDS; i++)
		if (w[i] != seed + i)
			return 0;
	return 1;
}

static int zero(const char *at, unsigned long pages)
{
	const uint64_t *w = (const uint64_t *)at;
	unsigned long i;

	for (i = 0; i < pages * WORDS; i++)
		if (w[i])
			return 0;
	return 1;
}

static char *map(unsigned long pages)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void cuts(void)
{
	char *p = map(16), *q;

	check(p != MAP_FAILED, "mmap of 16 pages");
	check(zero(p, 16), "they read zero");
	fill(p, 16, 1000);
	check(!munmap(p + 4 * PAGE, 4 * PAGE), "munmap of the middle");
	check(holds(p, 4, 1000) && holds(p + 8 * PAGE, 8, 1000 + 8 * WORDS), "both sides are unchanged");
	q = mmap(p + 5 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(q == p + 5 * PAGE, "mmap at a fixed address in the hole");
	check(zero(q, 2), "it reads zero");
	fill(q, 2, 7);
	q = mmap(p + 3 * PAGE, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(q == p + 3 * PAGE && zero(q, 3), "mmap over the ends of two mappings");
	check(holds(p, 3, 1000) && holds(p + 6 * PAGE, 1, 7 + WORDS), "what was not covered is unchanged");
	q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	check(q == MAP_FAILED && errno == EEXIST, "mmap with MAP_FIXED_NOREPLACE over a mapping");
	check(!munmap(p, 16 * PAGE), "munmap of all, with holes");
	check(!munmap(p, 16 * PAGE), "munmap of nothing");
	check(munmap(p + 1, PAGE) && errno == EINVAL, "munmap of an address that is no page");
}

static void protections(void)
{
	char *p = map(8);

	fill(p, 8, 2000);
	check(!mprotect(p + 2 * PAGE, 3 * PAGE, PROT_READ), "mprotect of the middle to read-only");
	check(holds(p, 8, 2000), "all is unchanged");
	check(!mprotect(p + 2 * PAGE, 3 * PAGE, PROT_NONE), "mprotect to nothing");
	check(!mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE), "mprotect of all back");
	check(holds(p, 8, 2000), "all is unchanged");
	fill(p, 8, 3000);
	check(holds(p, 8, 3000), "and can be written");
	munmap(p + 4 * PAGE, PAGE);
	check(mprotect(p, 8 * PAGE, PROT_READ) && errno == ENOMEM, "mprotect over a hole");
	munmap(p, 8 * PAGE);
}

static void moves(void)
{
	char *p = map(8), *q, *wall;

	fill(p, 8, 4000);
	q = mremap(p, 8 * PAGE, 4 * PAGE, 0);
	check(q == p && holds(q, 4, 4000), "mremap to less");
	q = mremap(q, 4 * PAGE, 600 * PAGE, MREMAP_MAYMOVE);
	check(q != MAP_FAILED && holds(q, 4, 4000) && zero(q + 4 * PAGE, 596), "mremap to more");
	fill(q, 600, 5000);
	p = mremap(q + 100 * PAGE, 50 * PAGE, 200 * PAGE, MREMAP_MAYMOVE);
	check(p != MAP_FAILED && p != q + 100 * PAGE, "mremap of the middle must move");
	check(holds(p, 50, 5000 + 100 * WORDS) && zero(p + 50 * PAGE, 150), "its content is there, the rest zero");
	check(holds(q, 100, 5000) && holds(q + 150 * PAGE, 450, 5000 + 150 * WORDS), "both sides are unchanged");
	wall = map(4);
	fill(wall, 4, 6000);
	q = mremap(p, 200 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, wall);
	check(q == wall && holds(q, 4, 5000 + 100 * WORDS), "mremap onto another mapping, smaller");
	check(mremap(q, PAGE, 2 * PAGE, 0) == MAP_FAILED && errno == ENOMEM, "mremap in place without room");
	check(holds(q, 4, 5000 + 100 * WORDS), "which changed nothing");
	munmap(q, 4 * PAGE);
}

/* A part is moved away; what it was cut from grows into the place, and must not be the same memory. */
static void regrown(void)
{
	char *p = map(8), *tail, *q;

	fill(p, 8, 7000);
	tail = mremap(p + 4 * PAGE, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE);
	check(tail != MAP_FAILED && holds(tail, 4, 7000 + 4 * WORDS), "mremap of the upper half");
	q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	check(q != MAP_FAILED && holds(q, 4, 7000) && zero(q + 4 * PAGE, 4), "the lower half grows");
	fill(q, 8, 100);
	check(holds(tail, 4, 7000 + 4 * WORDS) && holds(q, 8, 100), "both are memory of their own");
	munmap(q, 8 * PAGE);
	munmap(tail, 400 * PAGE);
}

static void many(void)
{
	enum { N = 300 };
	static char *at[N];
	unsigned int seed = 1, i, k, wrong = 0;

	for (k = 0; k < 3000; k++) {
		i = rand_r(&seed) % N;
		if (!at[i]) {
			at[i] = map(1 + i % 5);
			if (at[i] == MAP_FAILED)
				break;
			fill(at[i], 1 + i % 5, i * 77777UL);
		} else {
			wrong += !holds(at[i], 1 + i % 5, i * 77777UL);
			wrong += munmap(at[i], (1 + i % 5) * PAGE) != 0;
			at[i] = NULL;
		}
	}
	check(k == 3000 && !wrong, "3000 random mmaps and munmaps");
	for (i = 0; i < N; i++)
		if (at[i])
			munmap(at[i], (1 + i % 5) * PAGE);
}

static void heap(void)
{
	char *old = sbrk(0), *p;
	unsigned long size;

	p = sbrk(10 * PAGE);
	check(p == old && sbrk(0) == old + 10 * PAGE, "sbrk to more");
	p = (char *)(((uintptr_t)p + PAGE - 1) & -PAGE);
	check(zero(p, 8), "it reads zero");
	fill(p, 8, 8000);
	check(sbrk(-5 * (long)PAGE) == old + 10 * PAGE, "sbrk to less");
	check(holds(p, 4, 8000), "what remains is unchanged");
	check(sbrk(5 * PAGE) == old + 5 * PAGE && zero(p + 5 * PAGE, 3), "and back: reads zero");
	sbrk(-10 * (long)PAGE);
	for (size = 100; size < 40000000; size *= 3) {
		p = malloc(size);
		if (!p)
			break;
		memset(p, 'x', size);
		p = realloc(p, size * 2);
		if (!p || p[0] != 'x' || p[size - 1] != 'x')
			break;
		free(p);
	}
	check(size >= 40000000, "malloc, realloc, free up to 40 MB");
}

static void advice(void)
{
	char *p = map(8);

	fill(p, 8, 9000);
	check(!madvise(p, 8 * PAGE, MADV_WILLNEED) && holds(p, 8, 9000), "madvise of a hint changes nothing");
	check(!madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED), "madvise MADV_DONTNEED");
	check(holds(p, 2, 9000) && zero(p + 2 * PAGE, 2) && holds(p + 4 * PAGE, 4, 9000 + 4 * WORDS),
	      "these pages read zero, the others are unchanged");
	munmap(p, 8 * PAGE);
	check(madvise(p, PAGE, MADV_DONTNEED) && errno == ENOMEM, "madvise of nothing");
}

static void files(const char *path)
{
	char *p;
	int fd = open(path, O_RDONLY);
	char head[64];

	if (!check(fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head), "open and read %s", path))
		return;
	p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	check(p != MAP_FAILED && !memcmp(p, head, sizeof(head)), "mmap of a file, private");
	munmap(p, 3 * PAGE);
	check(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 17) == MAP_FAILED && errno == EINVAL, "mmap of a file at a bad offset");
	close(fd);
	check(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EBADF, "mmap of a closed file");
}

int main(int argc, char **argv)
{
	cuts();
	protections();
	moves();
	regrown();
	many();
	heap();
	advice();
	files(argv[0]);
	return summary();
}
