/*
 * InkTag device: brings KVM's requests to the metadata store
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_KVM_INKTAG_REQUESTS_H
#define HW_I386_KVM_INKTAG_REQUESTS_H

#include <inktag/kvm.h>
#include "inktag-store.h"

/**
 * inktag_requests_start: KVM's requests are for this store from now on
 *
 * Before a vCPU runs. Files that a VM before this one has left without names
 * are removed. Returns false with @errp set if the store fails.
 */
bool inktag_requests_start(InkTagStore *store, Error **errp);

/**
 * inktag_requests_reset: the VM was reset, and KVM has ended its HAPs
 */
void inktag_requests_reset(InkTagStore *store);

/**
 * inktag_handle_exit: KVM_RUN returned with KVM_EXIT_INKTAG
 *
 * In a vCPU's thread, without the BQL: it may wait for the host's disk. Returns
 * 0, or -1 if the VM cannot go on.
 */
int inktag_handle_exit(void);

#endif
