// SPDX-License-Identifier: GPL-2.0-or-later
/* main_protect.c - the suites of a program with protected files; its prefixes are in fake_files.c. */
#include "unit.h"

int main(void)
{
	SRunner *r = srunner_create(pfile_suite());

	srunner_add_suite(r, ppath_suite());
	return run_suites(r);
}
