// SPDX-License-Identifier: GPL-2.0-or-later
/* test_ppath.c - which paths are protected, and calls with them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "unit_files.h"

#define call(nr, ...)	dispatch(nr, (const u64[6]){ __VA_ARGS__ })

/* Whose file is it that is opened by this path? NULL: nobody's of the store. */
static const struct {
	const char *path, *name;
} forms[] = {
	{ "/data/x", "/data/x" }, { "/data//x", "/data/x" }, { "//data/./x", "/data/x" }, { "/other/../data/x", "/data/x" },
	{ "/../data/y/../x", "/data/x" }, { "x", "/data/x" }, { "./x", "/data/x" }, { "../data/x", "/data/x" }, { "../srv/app.db", "/srv/app.db" },
	{ "/srv/app.db-journal", "/srv/app.db-journal" }, { "/srv/app.d", NULL }, { "/srv/other", NULL }, { "/datax", NULL },
	{ "/data/../other/x", NULL }, { "../x", NULL },
};

START_TEST(one_form)
{
	long fd;

	fake_files();
	fd = call(SYS_open, (u64)forms[_i].path, O_RDWR | O_CREAT, 0644);
	must(fd >= 0, "%s: %ld", forms[_i].path, fd);
	must(!forms[_i].name == !disk.made[SYS_mkdir], "%s", forms[_i].path);
	must(!forms[_i].name || stored(forms[_i].name), "%s", forms[_i].path);
	must_be(call(SYS_write, fd, (u64)"x", 1) == 1 && disk.made[SYS_write] == !forms[_i].name);
}
END_TEST

SUITE(ppath, SECONDS, { one_form, ARRAY_SIZE(forms) })
