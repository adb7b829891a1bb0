// SPDX-License-Identifier: GPL-2.0-or-later
/* suites.c - runs suites; the last line on stdout is "N passed, M failed". */
#include <stdio.h>
#include "unit.h"

Suite *suite_of(const char *name, unsigned int seconds, const struct unit_test *tests, unsigned int count)
{
	Suite *s = suite_create(name);
	TCase *c = tcase_create(name);
	unsigned int i;

	tcase_set_timeout(c, seconds);
	for (i = 0; i < count; i++)
		tcase_add_loop_test(c, tests[i].test, 0, tests[i].times ? tests[i].times : 1);
	suite_add_tcase(s, c);
	return s;
}

int run_suites(SRunner *r)
{
	int failed, run;

	/* There is always a thread; each test is a child of this one. */
	thread_init();
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	run = srunner_ntests_run(r);
	srunner_free(r);
	printf("%d passed, %d failed\n", run - failed, failed);
	return failed != 0;
}
