/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit_files.h - unit.h for tests of protected files. */
#ifndef SHIM_UNIT_FILES_H
#define SHIM_UNIT_FILES_H

#include <pthread.h>
#include "unit.h"

/*
 * fake_files.c: a kernel with a real file system, in a directory of its own, and a store of names and lengths; both are
 * shared with processes that the test forks. Prefixes are PREFIX_DIR and PREFIX_NAME. Once in a process.
 */
#define PREFIX_DIR	"/data/"
#define PREFIX_NAME	"/srv/app.db"
#define STORE_FILES	64

struct fake_file {
	u64 oid[2], length;
	u32 names;
	u32 opened;	/* so many HAPs have it */
	u64 marks;	/* of the last BEGIN */
	u64 sealed, settled;
	u64 gets;	/* how often its length was asked for */
	int fd;		/* of the backing file */
};

extern struct fake_store {
	bool none;		/* the VM has no store */
	int refuse;		/* the next answers are this error */
	u32 refuse_op;		/* ... of this hypercall */
	bool full;		/* SEAL answers EBUSY until what is in the store is durable */
	u32 busy;		/* so many times LENGTH answers EBUSY, unless there is a sync */
	struct fake_file file[STORE_FILES];
	struct {
		char path[256];
		u32 file;	/* 0: free */
	} name[STORE_FILES];
	unsigned int slow;	/* microseconds that the answer to GET takes */
	pthread_mutex_t lock;
} *store;

extern struct fake_disk {
	char root[64];
	char cwd[256];
	unsigned int made[512];		/* calls, by number */
	/* Before a call is made: true, it is answered by *r. */
	bool (*lie)(long nr, const u64 args[6], long *r);
	void (*after)(long nr, const u64 args[6], long r);
	void (*in_set)(void);		/* when a length is about to be set */
	void (*in_copy)(void);		/* what happens at the next fault in a copy, once; then it is made again */
} disk;

void fake_files(void);
/* Of the store; NULL: there is no such name. */
struct fake_file *stored(const char *path);
/* The backing file's path on this machine. */
const char *backing(const struct fake_file *f);
/* This path of the program's on this machine. */
const char *on_disk(const char *path);
/* A page of the file that the program has is one that cannot be read any more: the hypervisor's exception; 0: none is. */
extern u64 lost_page;

#endif
