/*
 * InkTag: the metadata store as an object of QEMU's
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   -object secret,id=k,file=master.key
 *   -object inktag-store,id=s,path=files.inktag,secret=k[,counter=PATH]
 *   -device inktag,store=s
 *
 * Files belong to a store, not to the VM that uses it: so it is an object of
 * its own, which a device is linked to. What it does is in inktag-db.h.
 *
 * Its properties are set in the main loop, under the BQL. The database is used
 * there and by vCPUs that bring requests (inktag-requests.c), under the lock,
 * which is taken after the BQL, if at all: who has the lock may wait for the
 * host's disk, and does not take the BQL.
 */
#ifndef HW_I386_KVM_INKTAG_STORE_H
#define HW_I386_KVM_INKTAG_STORE_H

#include "inktag-serve.h"
#include "qemu/bitmap.h"
#include "qemu/notify.h"
#include "qemu/thread.h"
#include "qom/object.h"

#define TYPE_INKTAG_STORE "inktag-store"
OBJECT_DECLARE_SIMPLE_TYPE(InkTagStore, INKTAG_STORE)

/* Kinds of failures, by their errno; the last is all above. */
#define INKTAG_STORE_ERRORS 256

struct InkTagStore {
    Object parent_obj;

    /* Properties: constant once the store is open. */
    char *path;
    char *secret;       /* id of the secret, not the secret */
    char *counter;

    bool attached;      /* a device has it: it cannot be deleted */
    Notifier exit;      /* QEMU ends */

    QemuMutex lock;     /* of all below */
    InkTagServer server;        /* server.db: open from complete() on */
    struct kvm_inktag_store request;
    struct kvm_inktag_store answer;
    DECLARE_BITMAP(reported, INKTAG_STORE_ERRORS);
    bool lost_reported;
};

/**
 * inktag_store_id: the id it was given
 */
const char *inktag_store_id(const InkTagStore *store);

#endif
