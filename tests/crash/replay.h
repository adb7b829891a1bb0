/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.h - the files of a recording as they may be after a crash at an instant of it.
 *
 * An instant is the beginning of a write, or the return of a sync. QEMU's end (or the guest's) leaves all that was begun.
 * The host's leaves what was synced, and of the rest any part: a disk writes its blocks whole, in any order.
 */
#ifndef CRASH_REPLAY_H
#define CRASH_REPLAY_H

#include <glib.h>
#include <stdbool.h>
#include "log.h"

#define MAX_FILES	8

struct image {
	GByteArray *now, *durable;
	GArray *pending;	/* of struct pending: begun, not durable, in their order */
	guint block;		/* bytes that are written whole */
	bool deaf;		/* its syncs promise nothing (for the test of the tests) */
};

struct replay {
	GMappedFile *log;
	const char *at, *end;
	guint64 instant;	/* counts them */
	guint nr_files;
	struct image file[MAX_FILES];
	GHashTable *syncs;	/* id of a sync under way -> GArray of the ids of writes that it makes durable */
};

/*
 * first[i], block[i]: file i before the recording (NULL: not there) and its block size. What stands in the file marks is not
 * of the crash: each write to it goes to mark(). Ends the process if the log is none.
 */
struct replay *replay_new(const char *log, guint nr_files, const char *const *first, const guint *block);
void replay_free(struct replay *r);

/* On to the next instant. false: there is none. written: the record of a write that began at it, or NULL. */
bool replay_step(struct replay *r, const struct record **written);

/* The content of file i after the end of QEMU (rand: NULL), or a host's power cut. Free it. */
GByteArray *replay_state(struct replay *r, guint i, GRand *rand);

#endif
