/*
 * InkTag: what KVM asks of the metadata store, and its answers
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Plain C over the store (inktag-db.h) and the ABI (inktag/kvm.h), without
 * QEMU's types: the unit tests compile the same file. inktag-requests.c brings
 * the requests here.
 *
 * KVM is trusted; yet the paths in its requests are a protected program's, and
 * may be anything.
 *
 * A file that has lost its last name stays as long as a HAP of this VM has it
 * open: KVM says when that begins (OPEN) and ends (RELEASE). What a VM that was
 * killed has left is removed when the next one starts.
 *
 * The length after a crash is the newest that was prepared. So a pending one
 * that is in the way of another can be made the length at any time; but one
 * that makes the file shorter only when the disk was flushed since: what was
 * cut off could be on the disk still, when what is written there anew is not
 * yet.
 */
#ifndef HW_I386_KVM_INKTAG_SERVE_H
#define HW_I386_KVM_INKTAG_SERVE_H

#include <inktag/hypercall.h>
#include <inktag/kvm.h>
#include "inktag-db.h"

typedef struct InkTagServer {
    InkTagDb *db;
    InkTagDbOid *open;          /* files that a HAP has, each once */
    size_t opens;
    size_t room;                /* in open */
    uint64_t ticket;            /* of the last prepare of this session, or 0 */
    int trouble;                /* beside a right answer: negated errno, or 0 */
    uint64_t served[KVM_INKTAG_STORE_OP_COUNT];
    uint64_t failed;            /* those of them that are to be reported */
} InkTagServer;

/**
 * inktag_serve_reset: a VM starts, or starts again: no HAP has a file
 *
 * Begins a new session, and removes files without names. Returns 0, or a
 * negated errno with a sentence in inktag_db_error().
 */
int inktag_serve_reset(InkTagServer *s);

/* The store stays open. */
void inktag_serve_cleanup(InkTagServer *s);

/**
 * inktag_serve: answer a request
 *
 * @answer: is another one than @request
 *
 * Returns 0 if all is well: the answer is what was asked for, or that it cannot
 * be, for a reason of the program's. Else a negated errno, and
 * inktag_db_error() has the sentence that says what is wrong with the store, or
 * with what KVM asked of it. The answer is valid in either case.
 */
int inktag_serve(InkTagServer *s, const struct kvm_inktag_store *request,
                 struct kvm_inktag_store *answer);

/* "name", "open", ... */
const char *inktag_serve_op(uint32_t op);

#endif
