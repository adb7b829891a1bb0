// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer's entry to hostile.c. */
#include "hostile.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	hostile_run(data, size);
	return 0;
}
