// SPDX-License-Identifier: GPL-2.0-or-later
/* Sequences of calls from random bytes (hostile.c); each seed is a sequence that can be repeated. */
#include <stdio.h>
#include "hostile.h"

#define LENGTH 40000

START_TEST(sequence)
{
	u64 with_seed = _i < 4 ? (u64)_i : seed + _i;
	GRand *rand = g_rand_new_with_seed(with_seed);
	static u8 data[LENGTH];
	u32 i;

	printf("hostile: seed %llu\n", with_seed);
	fflush(stdout);
	for (i = 0; i < LENGTH; i++)
		data[i] = g_rand_int(rand);
	g_rand_free(rand);
	hostile_run(data, LENGTH);
}
END_TEST

Suite *suite_hostile(void)
{
	Suite *s = suite_create("hostile");
	TCase *tc = unit_case("hostile");

	tcase_add_loop_test(tc, sequence, 0, 12);
	suite_add_tcase(s, tc);
	return s;
}
