// SPDX-License-Identifier: GPL-2.0-or-later
/* xattr.c - extended attributes, in the name space that every file system has for root: trusted. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "conformance.h"

static char got[300];

static int file(void)
{
	return pattern_file("f", 10);
}

static int set_get(void)
{
	file();
	want(!setxattr("f", "trusted.one", "value", 5, 0));
	want(getxattr("f", "trusted.one", got, sizeof(got)) == 5 && !memcmp(got, "value", 5));
	want(!setxattr("f", "trusted.one", "other value", 11, 0));
	want(getxattr("f", "trusted.one", NULL, 0) == 11);
	return 1;
}

static int too_little_room(void)
{
	file();
	want(!setxattr("f", "trusted.one", "value", 5, 0));
	want_error(getxattr("f", "trusted.one", got, 4), ERANGE);
	want_error(listxattr("f", got, 3), ERANGE);
	return 1;
}

static int create_replace(void)
{
	file();
	want_error(setxattr("f", "trusted.one", "v", 1, XATTR_REPLACE), ENODATA);
	want(!setxattr("f", "trusted.one", "v", 1, XATTR_CREATE));
	want_error(setxattr("f", "trusted.one", "v", 1, XATTR_CREATE), EEXIST);
	want(!setxattr("f", "trusted.one", "w", 1, XATTR_REPLACE));
	return 1;
}

static int list_remove(void)
{
	int n, at, found = 0;

	file();
	want(!setxattr("f", "trusted.one", "v", 1, 0) && !setxattr("f", "trusted.two", "v", 1, 0));
	n = listxattr("f", got, sizeof(got));
	want(n > 0 && n == listxattr("f", NULL, 0));
	for (at = 0; at < n; at += strlen(got + at) + 1)
		found += !strcmp(got + at, "trusted.one") || !strcmp(got + at, "trusted.two");
	want(found == 2 && !removexattr("f", "trusted.one"));
	want_error(getxattr("f", "trusted.one", got, sizeof(got)), ENODATA);
	want_error(removexattr("f", "trusted.one"), ENODATA);
	return 1;
}

static int of_descriptors_and_links(void)
{
	int fd = file();

	want(!symlink("f", "s") && !fsetxattr(fd, "trusted.one", "value", 5, 0));
	want(fgetxattr(fd, "trusted.one", got, sizeof(got)) == 5 &&
	     getxattr("s", "trusted.one", got, sizeof(got)) == 5);
	want_error(lgetxattr("s", "trusted.one", got, sizeof(got)), ENODATA);
	want(flistxattr(fd, got, sizeof(got)) > 0 && !fremovexattr(fd, "trusted.one"));
	return 1;
}

static int errors(void)
{
	file();
	want_error(setxattr("f", "nonsense.one", "v", 1, 0), EOPNOTSUPP);
	want_error(setxattr("none", "trusted.one", "v", 1, 0), ENOENT);
	want_error(setxattr("f", "", "v", 1, 0), ERANGE);
	want_error(fgetxattr(-1, "trusted.one", got, 1), EBADF);
	return 1;
}

const struct check checks[] = {
	CHECK(set_get), CHECK(too_little_room), CHECK(create_replace), CHECK(list_remove),
	CHECK(of_descriptors_and_links), CHECK(errors),
	{ NULL, NULL },
};
