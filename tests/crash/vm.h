/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm.h - who opens disk and store after the crash: the hypervisor's core (hyp/core) in the machine of the unit tests, and
 * QEMU's part of the metadata store (inktag-serve.c) over SQLite. A page of a file goes the way that it has in a VM: from
 * the backing file to the guest's memory, and from there, judged by the core, to the program.
 */
#ifndef CRASH_VM_H
#define CRASH_VM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define VM_PAGE		4096
#define VM_PAGES	192	/* of a file at most */

struct vm;

/* The VM starts on this store. NULL: the store cannot be opened, and why is said. */
struct vm *vm_start(const char *store, const char *secret, char **why);
void vm_free(struct vm *vm);

/* What the store has under the name. false: no such file. */
bool vm_lookup(struct vm *vm, const char *path, uint64_t oid[2]);

/*
 * Opens the file, and reads its pages as far as its length goes: those that wanted(opaque, index) (NULL: all); the others
 * are zeros in what is returned. backing: the content of the backing file. NULL: an error, and why is said.
 */
GByteArray *vm_read(struct vm *vm, const uint64_t oid[2], const GByteArray *backing, bool (*wanted)(void *, uint64_t),
		    void *opaque, char **why);

/* Pages whose version the store was not sure of, and that were found. */
uint64_t vm_resolved(struct vm *vm);

#endif
