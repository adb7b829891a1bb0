/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start.h - numbers for entry.S; start.c asserts that they are the ABI's. */
#ifndef SHIM_START_H
#define SHIM_START_H

#define START_MAGIC		0x74726174536b6e49

/* The top of the stack kept for argument strings and vectors, and for AT_RANDOM. */
#define START_LAUNCH_MAX	0x100000

#endif
