// SPDX-License-Identifier: GPL-2.0-or-later
/* becomes.c - another program, named in its arguments. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "Usage: becomes PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
