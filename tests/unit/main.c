// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - runs the suites, or those named. The last line counts:
 *
 *	N passed, N failed
 *
 * The seed of the random tests is taken from INKTAG_SEED, or from the clock, and printed.
 */
#include <stdio.h>
#include <time.h>
#include "unit.h"

static const struct {
	const char *name;
	Suite *(*make)(void);
} suites[] = {
	{ "env", suite_env },
	{ "vm", suite_vm },
	{ "spage", suite_spage },
	{ "pt", suite_pt },
	{ "desc", suite_desc },
	{ "ring", suite_ring },
	{ "resolve", suite_resolve },
	{ "hap", suite_hap },
	{ "thread", suite_thread },
	{ "share", suite_share },
	{ "object", suite_object },
	{ "file", suite_file },
	{ "clone", suite_clone },
	{ "signal", suite_signal },
	{ "exec", suite_exec },
	{ "debug", suite_debug },
	{ "twin", suite_twin },
	{ "hostile", suite_hostile },
};

u64 seed;

/* Generous: many tests share a machine with builds. */
TCase *unit_case(const char *noun)
{
	TCase *tc = tcase_create(noun);

	tcase_set_timeout(tc, 600);
	return tc;
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	const char *given = getenv("INKTAG_SEED");
	SRunner *runner = srunner_create(NULL);
	int run, failed;
	size_t i;

	seed = given ? strtoull(given, NULL, 0) : (u64)time(NULL);
	for (i = 0; i < ARRAY_SIZE(suites); i++)
		if (wanted(suites[i].name, argc, argv))
			srunner_add_suite(runner, suites[i].make());
	printf("seed: %llu (INKTAG_SEED=%llu repeats this run)\n", seed, seed);
	fflush(stdout);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	printf("%d passed, %d failed\n", run - failed, failed);
	return failed || !run;
}
