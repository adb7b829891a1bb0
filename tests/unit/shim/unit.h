/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit.h - the surroundings in which the shim's files run on the host: hc_*() are a kernel and a
 * hypervisor made of a table of pages (fake.c), the arena and the array are at their
 * addresses in this very process.
 */
#ifndef SHIM_UNIT_H
#define SHIM_UNIT_H

#include <check.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include "desc.h"

#define PAGE		INKTAG_PAGE_SIZE
#define NONE		INKTAG_TOKEN_NONE

/* Cheaper than Check's own, which tells the parent process about each success. */
#define must(c, ...)	((c) ? (void)0 : ck_abort_msg(__VA_ARGS__))
#define must_be(c)	must(c, "%s", #c)

/* A suite of tests, each { test } or { test, times }, and given so many seconds. */
#define SUITE(name, seconds, ...)						\
	Suite *name##_suite(void)						\
	{									\
		const struct unit_test tests[] = { __VA_ARGS__ };		\
										\
		return suite_of(#name, seconds, tests, ARRAY_SIZE(tests));	\
	}

#define SECONDS		20

/* Where mappings are made in the tests of mm.c: nothing is there, nothing is ever touched. */
#define WORLD_BASE	0x700000000000UL
#define WORLD_PAGES	512
#define WORLD_AT(i)	(WORLD_BASE + (u64)(i) * PAGE)
/* The heap's pages follow in the tables. */
#define HEAP_PAGES	128
#define ALL_PAGES	(WORLD_PAGES + HEAP_PAGES)

/* --- fake.c ----------------------------------------------------------------------------------- */

/* One page as the kernel sees it. */
struct kpage {
	bool mapped;
	u32 token, prot;
};

struct clone;

extern struct fake {
	struct kpage page[ALL_PAGES];
	/* A system call other than ARCH_INKTAG_MM: NULL answers 0. */
	long (*answer)(long nr, const u64 args[6]);
	/* The answer to ARCH_INKTAG_MM, before it is given: a chance to lie. */
	void (*lie)(struct inktag_mm *req, long *result);
	/* Pages that the program dropped and mappings that it forgot, for the model. */
	void (*unmap)(u64 addr, u64 npages, u64 serial, u64 index);
	/* INKTAG_HC_CLONE: NULL answers ENOSYS. */
	long (*clone)(const struct clone *clone);
	unsigned int fail_in;	/* > 0: the request that counts it down to 0 fails with ENOMEM */
	unsigned long calls;
	bool memory;		/* there is some behind the world's pages, see fake_memory() */
	bool files;		/* descriptors are real ones, see fake_files() */
	unsigned int arenas;
	/* The end of the program jumps here with 1, after a violation; 2, by itself; 3, that of a thread. */
	jmp_buf end;
	enum inktag_check check;
	u64 addr, arg;
	u64 random[4], realtime, boottime;
	char said[512];		/* the last line on stderr */
	long result;		/* see lies() */
	struct inktag_regs regs;	/* put aside, while the thread is in its signal entry */
	unsigned int regs_set;	/* how often it has changed them */
	u64 hap, living;	/* this process; a bit for each HAP that has not ended */
} fake;

/* Page number of an address in the tables; -1: none. */
int fake_page(u64 addr);
u64 fake_addr(int page);

/* Is there room for n pages in the world? */
bool fake_room(int n);

/* Arena and array in place and empty, no mapping but the shim's own, all of struct fake zero. */
void fake_reset(void);

/* The program can use what it maps, and there is room for arenas. Once in a process. */
void fake_memory(void);

/* Runs what follows as a branch: 0, and again with another number if the program ends there; see struct fake. */
#define ended()		setjmp(fake.end)

/* The end of the first thread's arena. */
#define ARENA_BUF_END	ARENA_WORDS

/* The shim's. */
void thread_init(void);

/* fake_thread.c: this thread of the test becomes one of the program, without an arena. */
void fake_thread(void);
/* ... which has this part of the first thread's, that does not use it. */
void fake_arena(u64 at, u64 size);
/* It is the first one of a process with this HAP from now on, made by fork, and has this id. */
void fake_process(u64 hap, u32 tid);
/* This process has this HAP, which has not ended. */
void fake_hap(u64 hap);
/* A call that may wait is not made if a signal waits; see entry.S. */
bool fake_cancels(void);
/* The program has ended, in whatever it was. */
void fake_ended(void);

/* The program makes a system call. */
long dispatch(long nr, const u64 args[6]);

/* Does this call end in a violation? Its result is in fake.result if not. */
bool lies(long nr, const u64 args[6]);

u32 rnd(u32 below);

/* main.c */
struct unit_test {
	const TTest *test;
	int times;	/* each with another _i; 0 is 1 */
};

int run_suites(SRunner *r);
Suite *suite_of(const char *name, unsigned int seconds, const struct unit_test *tests, unsigned int count);

Suite *desc_suite(void);
Suite *mm_suite(void);
Suite *marshal_suite(void);
Suite *socket_suite(void);
Suite *fds_suite(void);
Suite *event_suite(void);
Suite *ipc_suite(void);
Suite *owners_suite(void);
Suite *thread_suite(void);
Suite *fault_suite(void);
Suite *signal_suite(void);
Suite *futex_suite(void);
Suite *timer_suite(void);
Suite *segment_suite(void);
Suite *exec_suite(void);
Suite *file_suite(void);
Suite *pfile_suite(void);
Suite *ppath_suite(void);

#endif
