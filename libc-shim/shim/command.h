/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.h - calls with a command: what the argument after it is, for each command. */
#ifndef SHIM_COMMAND_H
#define SHIM_COMMAND_H

#include "shim.h"

struct command {
	u32 command;
	u8 kind;	/* enum arg_kind */
	u16 size;
	/* As in struct call. */
	bool (*check)(long r, const u64 args[6]);
};

/* args[at] is the command. `unknown` is what Linux says of one that it does not know. */
long command_call(long nr, const u64 args[6], int at, const struct command *table, size_t count, long unknown);

#endif
