// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pressure.c - processes and threads that together use more memory than the VM has, and look again and again whether
 * each word of it is still as they left it.
 *
 *	pressure MIB ROUNDS	ROUNDS 0: until there is a file /tmp/enough
 *
 * Of MIB, shares of 4%: a parent fills 6 and forks three children, each of which writes to a half of them (3 each) and
 * to 2 that are its own; 4 are shared by all. A round, in each process:
 *
 *	two threads look at all its pages, and write a new content into some of them
 *	it looks at what another one wrote into the shared ones
 *	a child, which has all its pages, looks at some and writes to some, while it goes on writing itself
 *
 * A page's content follows from where it stands and how often it was written. Prints at the end what was looked at:
 * "pages N rounds N checked N"; at the first wrong word: where, and what is there instead. Status 0: all was right.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, PROCESSES = 4, THREADS = 2 };

struct area {
	const char *name;
	uint64_t seed;
	uint64_t (*page)[WORDS];
	uint32_t *generation;	/* how often each was written */
	unsigned long pages;
};

/* For all of them to see, at the start of what they share. */
static struct common {
	pthread_barrier_t barrier;
	volatile int stop;
	unsigned long checked[PROCESSES];
} *common;

static struct area inherited = { .name = "inherited", .seed = 1 }, own = { .name = "own" },
		   shared = { .name = "shared", .seed = 2 };
static unsigned int me;
static unsigned long now;	/* the round */
static unsigned long checked[THREADS];

/* The others would wait for this one. */
static _Noreturn void fail(void)
{
	kill(0, SIGKILL);
	abort();
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x7fb5d329728ea185;
	x = (x ^ x >> 27) * 0x81dadef4bc2dd44d;
	return x ^ x >> 33;
}

static uint64_t first_word(const struct area *a, unsigned long i)
{
	return mix(a->seed << 56 ^ (uint64_t)i << 32 ^ a->generation[i]);
}

static void write_page(struct area *a, unsigned long i)
{
	uint64_t word;
	int w;

	a->generation[i]++;
	word = first_word(a, i);
	for (w = 0; w < WORDS; w++, word = word * 6364136223846793005 + 1442695040888963407)
		a->page[i][w] = word;
}

static void check_page(const struct area *a, unsigned long i)
{
	uint64_t word = first_word(a, i), is;
	int w;

	for (w = 0; w < WORDS; w++, word = word * 6364136223846793005 + 1442695040888963407) {
		is = a->page[i][w];
		if (is == word)
			continue;
		fprintf(stderr, "process %u, round %lu: %s page %lu, written %u times: word %d is %016lx and should be %016lx\n",
			me, now, a->name, i, a->generation[i], w, is, word);
		fail();
	}
}

static void *mapped(unsigned long size, int how)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("pressure: mmap");
		fail();
	}
	return p;
}

static void make(struct area *a, unsigned long pages, int how)
{
	a->pages = pages;
	if (!pages)
		return;
	a->page = mapped(pages * PAGE, how);
	a->generation = mapped(pages * sizeof(*a->generation), how);
}

/*
 * A quarter of the pages is written in a round, each time another one. Those inherited pages that nobody has written to
 * remain one for all.
 */
static int turn_of(const struct area *a, unsigned long i)
{
	if (a == &inherited && i % 2 == 0)
		return 0;
	return mix(a->seed << 40 ^ now << 32 ^ i) % 4 == 0;
}

/* The part of an area that a thread looks at, forwards and backwards in turn, every step-th page. */
static unsigned long work_on(struct area *a, unsigned int thread, unsigned int first, unsigned int step)
{
	unsigned long from = a->pages * thread / THREADS, to = a->pages * (thread + 1) / THREADS, n, i, done = 0;

	for (n = from; n < to; n++) {
		i = now % 2 ? n : to - 1 - (n - from);
		if (i % step != first)
			continue;
		check_page(a, i);
		if (turn_of(a, i))
			write_page(a, i);
		done++;
	}
	return done;
}

static void *works(void *arg)
{
	unsigned int thread = (uintptr_t)arg;

	checked[thread] = work_on(&inherited, thread, 0, 1) + work_on(&own, thread, 0, 1) +
			  work_on(&shared, thread, me, PROCESSES);
	return arg;
}

static void in_threads(void)
{
	pthread_t thread[THREADS];
	void *result;
	uintptr_t i;

	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, works, (void *)i)) {
			fprintf(stderr, "process %u, round %lu: no thread\n", me, now);
			fail();
		}
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &result);
		common->checked[me] += checked[i];
	}
}

static void look_at_others(void)
{
	unsigned long i, other = (me + now) % PROCESSES;

	for (i = other; i < shared.pages; i += PROCESSES, common->checked[me]++)
		check_page(&shared, i);
}

static int ended_well(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void in_a_child(void)
{
	unsigned long i, step = 8 + now % 3;
	pid_t pid = fork();

	if (!pid) {
		for (i = 0; i < inherited.pages; i += step) {
			check_page(&inherited, i);
			if (i % 2)
				write_page(&inherited, i);
		}
		for (i = 0; i < inherited.pages; i += step)
			check_page(&inherited, i);
		_exit(0);
	}
	for (i = 1; i < inherited.pages; i += 2 * step)
		write_page(&inherited, i);
	if (!ended_well(pid)) {
		fprintf(stderr, "process %u, round %lu: its child failed\n", me, now);
		fail();
	}
}

static void rounds(unsigned long count)
{
	for (now = 1; !common->stop; now++) {
		in_threads();
		pthread_barrier_wait(&common->barrier);
		look_at_others();
		in_a_child();
		if (!me)
			common->stop = count ? now >= count : !access("/tmp/enough", F_OK);
		pthread_barrier_wait(&common->barrier);
	}
}

static void begin(unsigned long pages, unsigned long count)
{
	unsigned long i;

	own.seed = 16 + me;
	make(&own, pages, MAP_PRIVATE);
	for (i = 0; i < own.pages; i++)
		write_page(&own, i);
	for (i = 0; me && i < inherited.pages; i++)
		if (i % 2)
			write_page(&inherited, i);
	for (i = me; i < shared.pages; i += PROCESSES)
		write_page(&shared, i);
	pthread_barrier_wait(&common->barrier);
	rounds(count);
}

int main(int argc, char **argv)
{
	unsigned long share, count, i, all = 0;
	pthread_barrierattr_t attr;
	pid_t child[PROCESSES];
	int failed = 0;

	if (argc != 3)
		return 2;
	if (setpgid(0, 0)) {
		perror("pressure: setpgid");
		return 1;
	}
	share = (strtoul(argv[1], NULL, 10) << 20) / PAGE / 25;
	count = strtoul(argv[2], NULL, 10);
	common = mapped(sizeof(*common), MAP_SHARED);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&common->barrier, &attr, PROCESSES);
	make(&shared, 4 * share, MAP_SHARED);
	make(&inherited, 6 * share, MAP_PRIVATE);
	for (i = 0; i < inherited.pages; i++)
		write_page(&inherited, i);
	for (i = 1; i < PROCESSES; i++) {
		child[i] = fork();
		if (child[i])
			continue;
		me = i;
		begin(2 * share, count);
		_exit(0);
	}
	begin(0, count);
	for (i = 1; i < PROCESSES; i++)
		failed |= !ended_well(child[i]);
	for (i = 0; i < PROCESSES; i++)
		all += common->checked[i];
	printf("pages %lu rounds %lu checked %lu\n", 25 * share, now - 1, all);
	return failed;
}
