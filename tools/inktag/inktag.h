/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inktag.h - the command inktag: its arguments, and what does the work */
#ifndef TOOLS_INKTAG_H
#define TOOLS_INKTAG_H

#include <stdbool.h>
#include "inktag-db.h"

struct arguments {
	const char *store;
	const char *copy;
	const char *secret;	/* the file's name; NULL: not given */
	const char *counter;
};

/* Each returns the exit status, and has said on stderr what is wrong. */
int store_create(const struct arguments *a);
int store_check(const struct arguments *a);
int store_dump(const struct arguments *a);
int store_backup(const struct arguments *a);
int store_accept(const struct arguments *a);

#endif
