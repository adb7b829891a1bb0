// SPDX-License-Identifier: GPL-2.0-or-later
/* main.c - the suites of a program without protected files. */
#include "unit.h"

int main(void)
{
	SRunner *r = srunner_create(desc_suite());

	srunner_add_suite(r, mm_suite());
	srunner_add_suite(r, marshal_suite());
	srunner_add_suite(r, socket_suite());
	srunner_add_suite(r, fds_suite());
	srunner_add_suite(r, event_suite());
	srunner_add_suite(r, ipc_suite());
	srunner_add_suite(r, owners_suite());
	srunner_add_suite(r, thread_suite());
	srunner_add_suite(r, fault_suite());
	srunner_add_suite(r, signal_suite());
	srunner_add_suite(r, futex_suite());
	srunner_add_suite(r, timer_suite());
	srunner_add_suite(r, segment_suite());
	srunner_add_suite(r, exec_suite());
	srunner_add_suite(r, file_suite());
	return run_suites(r);
}
