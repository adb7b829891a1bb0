// SPDX-License-Identifier: GPL-2.0-or-later
/* main.c - the command inktag: what its words mean */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "inktag.h"
#include "inktag/abi.h"

static const struct {
	const char *word;
	int (*run)(const struct arguments *a);
	int files;		/* 1: STORE; 2: STORE COPY */
	bool takes_secret, takes_counter;
	bool needs_secret, needs_counter;
} commands[] = {
	{ "create", store_create, 1, true, true, true, false },
	{ "check", store_check, 1, true, true, false, false },
	{ "dump", store_dump, 1, false, false, false, false },
	{ "backup", store_backup, 2, false, false, false, false },
	{ "accept", store_accept, 1, true, true, true, true },
};

static const char usage[] =
	"Usage: inktag store create --secret=FILE [--counter=FILE] STORE\n"
	"       inktag store check [--secret=FILE] [--counter=FILE] STORE\n"
	"       inktag store dump STORE\n"
	"       inktag store backup STORE COPY\n"
	"       inktag store accept --secret=FILE --counter=FILE STORE\n";

static const char help[] =
	"The metadata of files that InkTag protects, while no VM uses them.\n"
	"\n"
	"  create   make a new store\n"
	"  check    verify a store: its file, its invariants, the secret and the counter\n"
	"  dump     print what is in it; no secrets are\n"
	"  backup   copy it to a new file\n"
	"  accept   make the counter anew, for a store that was put back from a backup\n"
	"\n"
	"  -s, --secret=FILE    the master secret, 32 to 1024 bytes as they are\n"
	"  -c, --counter=FILE   the counter against older copies of the store\n"
	"  -h, --help           print this\n"
	"  -V, --version        print the version\n"
	"\n"
	"The status is 0, or 1 if a store is not sound or something failed, or 2 if the command is not understood.\n";

static int misuse(const char *what, const char *which)
{
	fprintf(stderr, "inktag: %s%s\n%sinktag --help explains them.\n", what, which, usage);
	return 2;
}

static int run(int n, const struct arguments *a, int files)
{
	const char *word = commands[n].word;

	if (files != commands[n].files)
		return misuse(files < commands[n].files ? "a file is missing after " : "too many files after ", word);
	if (a->secret && !commands[n].takes_secret)
		return misuse("no secret is needed by ", word);
	if (a->counter && !commands[n].takes_counter)
		return misuse("no counter is needed by ", word);
	if (!a->secret && commands[n].needs_secret)
		return misuse("--secret is missing after ", word);
	if (!a->counter && commands[n].needs_counter)
		return misuse("--counter is missing after ", word);
	return commands[n].run(a);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "secret", required_argument, NULL, 's' },
		{ "counter", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct arguments a = { 0 };
	size_t n;
	int c;

	while ((c = getopt_long(argc, argv, "s:c:hV", options, NULL)) != -1) {
		switch (c) {
		case 's':
			a.secret = optarg;
			break;
		case 'c':
			a.counter = optarg;
			break;
		case 'h':
			printf("%s\n%s", usage, help);
			return 0;
		case 'V':
			printf("inktag (InkTag) ABI %d, store schema %d\n", INKTAG_ABI_VERSION, INKTAG_DB_SCHEMA);
			return 0;
		default:
			fputs("inktag --help explains the options.\n", stderr);
			return 2;
		}
	}
	argv += optind;
	argc -= optind;
	if (argc < 1)
		return misuse("a command is missing", "");
	if (strcmp(argv[0], "store"))
		return misuse("unknown command ", argv[0]);
	if (argc < 2)
		return misuse("a command is missing after store", "");
	for (n = 0; n < sizeof(commands) / sizeof(commands[0]); n++) {
		if (strcmp(argv[1], commands[n].word))
			continue;
		a.store = argv[2];
		a.copy = argc > 3 ? argv[3] : NULL;
		return run(n, &a, argc - 2);
	}
	return misuse("unknown command store ", argv[1]);
}
