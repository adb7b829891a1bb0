/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.h - what may be in the files after a crash, from what was done to them (I9). What was done stands in the marks: each
 * is a line of keeper's arguments (tests/integration/programs/keeper.c), written when it was done.
 *
 * Of each page all contents since its last sync are accepted; of the length, too. A name is changed at once, or not at all.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <glib.h>
#include <stdbool.h>

struct model;

struct model *model_new(void);
void model_free(struct model *m);

/* The operation may be under way from now on; it is done. line: as in the mark. false: it is none that is known. */
bool model_begin(struct model *m, const char *line);
void model_end(struct model *m);

/* All paths that there were so far: of char *. */
GPtrArray *model_paths(struct model *m);

/*
 * is: path -> GByteArray, the files as they are. NULL: all is as promised. Else what is not, to be freed.
 */
char *model_judge(struct model *m, GHashTable *is);

#endif
