/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.h - the backing files in the guest's file system, whose image is the file "disk" of a directory */
#ifndef CRASH_FILES_H
#define CRASH_FILES_H

#include <glib.h>
#include <stdbool.h>

/* Status of the command, its words separated by blanks. What it says is nobody's. */
int files_command(const char *line);

/* The file system recovers, as when it is mounted, and is read. NULL, or why not, to be freed. */
char *files_take(const char *dir);

/* The content of the backing file; what is not there is empty. Free it. */
GByteArray *files_backing(const char *dir, const guint64 oid[2]);

#endif
