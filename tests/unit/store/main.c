// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - runs the suites, or those that CK_RUN_SUITE names. The last line counts:
 *
 *	N passed, N failed
 *
 * The seed of the random tests is taken from INKTAG_SEED, or from the clock, and printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "unit.h"

uint64_t seed;

static Suite *(*const suites[])(void) = {
	suite_open, suite_object, suite_page, suite_name, suite_counter, suite_check, suite_serve, suite_random, suite_crash,
	suite_fault,
};

/* Generous: many tests share a machine with builds. */
TCase *unit_case(const char *noun)
{
	TCase *tc = tcase_create(noun);

	tcase_set_timeout(tc, 600);
	return tc;
}

int main(void)
{
	const char *given = getenv("INKTAG_SEED");
	SRunner *runner = srunner_create(NULL);
	int run, failed;

	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		srunner_add_suite(runner, suites[i]());
	printf("seed: %llu (INKTAG_SEED=%llu repeats this run)\n", (unsigned long long)seed, (unsigned long long)seed);
	fflush(stdout);
	disk_register();
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	printf("%d passed, %d failed\n", run - failed, failed);
	return failed || !run;
}
