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
 * Used in the main loop, under the BQL.
 */
#ifndef HW_I386_KVM_INKTAG_STORE_H
#define HW_I386_KVM_INKTAG_STORE_H

#include "inktag-db.h"
#include "qom/object.h"

#define TYPE_INKTAG_STORE "inktag-store"
OBJECT_DECLARE_SIMPLE_TYPE(InkTagStore, INKTAG_STORE)

struct InkTagStore {
    Object parent_obj;

    /* Properties: constant once the store is open. */
    char *path;
    char *secret;       /* id of the secret, not the secret */
    char *counter;

    InkTagDb *db;       /* open from complete() on */
    bool attached;      /* a device has it: it cannot be deleted */
};

/**
 * inktag_store_id: the id it was given
 */
const char *inktag_store_id(const InkTagStore *store);

#endif
