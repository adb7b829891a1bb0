// SPDX-License-Identifier: GPL-2.0-or-later
/* hello.c - says hello. */
#include <stdio.h>

int main(int argc, char **argv)
{
	int i;

	printf("Hello, world");
	for (i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	return 0;
}
