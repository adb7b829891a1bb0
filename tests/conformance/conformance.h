/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conformance.h - what the programs here have in common. Each has a table of checks, which conformance.c runs one after
 * the other and reports to compare.c, line by line:
 *
 *	run NAME		the check begins; if nothing follows, the program ended or hung in it
 *	value NAME TEXT		something that must be the same unprotected and protected
 *	ok NAME
 *	not ok NAME (WHAT)
 *	end COUNT		all are done; COUNT is the length of the table
 *
 * and on stderr what failed in a child. In none of these lines is an address, a process id or a time.
 *
 * A check begins in an empty directory, with no descriptor open but 0, 1 and 2, with all signals at their
 * default and none blocked, and must leave no child.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

struct check {
	const char *name;
	int (*run)(void);	/* 1: as it should be; want() returns 0 */
};

/* The last one has no name. */
extern const struct check checks[];

#define CHECK(f)	{ #f, f }

/*
 * In a check, a function called by one, or a thread's function: ends it as failed if the condition does not hold. In a
 * child that a check forked, it ends the child with status 1.
 */
#define want(condition) do { \
		if (!(condition)) { \
			say_failed(__LINE__, #condition); \
			return 0; \
		} \
	} while (0)

/* The call fails, with this errno. */
#define want_error(call, number) want((errno = 0, (long)(call) == -1) && errno == (number))

/* The call returns this errno, as those of pthreads do. */
#define want_number(call, number) want((errno = (call)) == (number))

/* What a thread's function returns that came to its end. */
#define THREAD_OK	((void *)1)

#define PAGE		4096UL
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

void say_failed(int line, const char *condition);
void value(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs F in a child; its status as waitpid() gives it: 0 if F returned 1. */
int in_child(int (*f)(void));
/* The same, without waiting. */
pid_t start_child(int (*f)(void));
/* Waits for it; its status as waitpid() gives it, or -1. */
int status_of(pid_t pid);

/* A file of N bytes, byte I being pattern(I), open for reading and writing at its start. */
int pattern_file(const char *name, size_t n);
unsigned char pattern(size_t i);
/* N bytes as they stand in such a file from OFFSET on? */
int is_pattern(const void *at, size_t n, size_t offset);
void fill_pattern(void *at, size_t n, size_t offset);

/* Milliseconds, by CLOCK_MONOTONIC. */
long now_ms(void);
void sleep_ms(long ms);
/* Until CONDITION holds, for at most half a minute: the machine may be busy. */
#define want_soon(condition) do { \
		long end_ = now_ms() + 30000; \
		int holds_; \
		while (!(holds_ = (condition)) && now_ms() < end_) \
			sleep_ms(1); \
		if (!holds_) { \
			say_failed(__LINE__, #condition); \
			return 0; \
		} \
	} while (0)

/*
 * This program again, by execve() in place of the caller: its main() becomes helper() with these arguments. It runs
 * unprotected if this one does.
 */
void exec_self(char *const args[], char *const env[]);
/* What exec_self() executes, for calls that want path and arguments themselves. */
const char *self_command(char *const args[], char *argv[], size_t room);
int helper(int argc, char **argv);

#endif
