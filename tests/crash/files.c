// SPDX-License-Identifier: GPL-2.0-or-later
/* files.c - see files.h */
#include <glib/gstdio.h>
#include <sys/wait.h>
#include "files.h"

int files_command(const char *line)
{
	g_autofree char *out = NULL, *complaint = NULL;
	g_autoptr(GError) err = NULL;
	int status;

	if (!g_spawn_command_line_sync(line, &out, &complaint, &status, &err))
		g_error("%s", err->message);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

char *files_take(const char *dir)
{
	g_autofree char *check = g_strdup_printf("e2fsck -fy %s/disk", dir);
	g_autofree char *clean = g_strdup_printf("rm -rf %s/files", dir);
	g_autofree char *dump = g_strdup_printf("debugfs -R 'rdump /.inktag %s/files' %s/disk", dir, dir);
	g_autofree char *files = g_build_filename(dir, "files", NULL);
	int status = files_command(check);

	if (status > 1)
		return g_strdup_printf("the guest's file system cannot be repaired: e2fsck ends with %d", status);
	files_command(clean);
	g_mkdir(files, 0700);
	files_command(dump);
	return NULL;
}

GByteArray *files_backing(const char *dir, const guint64 oid[2])
{
	GString *path = g_string_new(NULL);
	gchar *data = NULL;
	gsize size = 0;
	guint i;

	g_string_printf(path, "%s/files/.inktag/", dir);
	for (i = 0; i < 16; i++)
		g_string_append_printf(path, "%02x", ((const guint8 *)oid)[i]);
	g_file_get_contents(path->str, &data, &size, NULL);
	g_string_free(path, true);
	return g_byte_array_new_take((guint8 *)data, size);
}
