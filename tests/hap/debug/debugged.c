// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * debugged.c - something for a debugger to look at: known values in known frames. One argument says how it goes on:
 *
 *	done		it ends, with what outer() returned as its status
 *	wait		it says that it is ready, and waits for a line of input in a system call
 *	spin		it says so, and waits for the debugger to change `counter`
 *	crash, abort	it dies in inner()
 *	threads		a second thread calls inner(), too
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both halves together are nowhere in the file. */
static char secret[64];
volatile int counter = 7;
static const char *how = "done";

int twice(int n)
{
	return 2 * n;
}

double half(double x)
{
	return x / 2;
}

__attribute__((noinline)) int inner(int depth)
{
	int local = depth * 10 + counter;
	double ratio = local / 4.0;

	if (!strcmp(how, "crash"))
		*(volatile int *)0x18 = local;
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "wait")) {
		puts("ready");
		fflush(stdout);
		return getchar() == EOF;
	}
	if (!strcmp(how, "spin")) {
		puts("ready");
		fflush(stdout);
		while (counter == 7)
			;
	}
	return local + (int)ratio;
}

__attribute__((noinline)) int outer(int depth)
{
	return inner(depth + 1) + 1;
}

static void *thread(void *arg)
{
	return (void *)(long)outer(4);
}

int main(int argc, char **argv)
{
	pthread_t t;
	int r;

	strcpy(secret, "plainly, ");
	strcat(secret, "this is seen");
	if (argc > 1)
		how = argv[1];
	if (!strcmp(how, "threads") && !pthread_create(&t, NULL, thread, NULL))
		pthread_join(t, NULL);
	r = outer(0);
	printf("counter %d, outer %d, half %g\n", counter, r, half(r));
	return r & 127;
}
