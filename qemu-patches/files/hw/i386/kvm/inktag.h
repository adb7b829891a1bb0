/*
 * InkTag: protected processes of a VM whose kernel is not trusted
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * KVM does the protecting. The device turns it on for its VM and sets the
 * VM's limits (inktag.c), reports what KVM tells (inktag-violations.c,
 * inktag-counters.c), and shows it (QMP: inktag.c, HMP: inktag-hmp.c).
 *
 * The trusted metadata of protected files are an object of its own (-object
 * inktag-store, inktag-store.h), which the property "store" links to. KVM asks
 * for them at a vCPU's exit (inktag-requests.c).
 *
 * All but these requests runs in the main loop, under the BQL.
 */
#ifndef HW_I386_KVM_INKTAG_H
#define HW_I386_KVM_INKTAG_H

#include <inktag/abi.h>
#include "hw/qdev-core.h"
#include "inktag-store.h"
#include "qapi/qapi-types-inktag-target.h"
#include "qemu/event_notifier.h"
#include "qemu/timer.h"
#include "qom/object.h"

#define TYPE_INKTAG "inktag"
OBJECT_DECLARE_SIMPLE_TYPE(InkTagState, INKTAG)

struct InkTagState {
    DeviceState parent_obj;

    /* Properties: constant once the device is realized. */
    uint32_t max_haps;
    uint32_t max_threads;
    uint32_t max_descriptors;
    uint64_t max_frames;
    uint32_t max_files;     /* counts with a store only */
    InkTagStore *store;     /* NULL: none */

    Error *migration_blocker;

    /* KVM signals it when there are violations to fetch. */
    EventNotifier violated;
    /* Pending: a batch was fetched just now, the rest has to wait. */
    QEMUTimer fetch_timer;
    /* The last violations, InkTagViolation *, oldest first. */
    GQueue last_violations;
};

/* inktag-violations.c */

/**
 * inktag_violations_start: report this VM's violations from now on
 *
 * The extension must be on. Returns false with @errp set if KVM refuses; then
 * nothing is left behind.
 */
bool inktag_violations_start(InkTagState *s, Error **errp);

/**
 * inktag_violations_last: a copy of the last violations, oldest first
 */
InkTagViolationList *inktag_violations_last(InkTagState *s);

/**
 * inktag_violation_text: who, where and which check, in words, on one line
 */
char *inktag_violation_text(const InkTagViolation *v);

/* inktag-counters.c */

/**
 * inktag_counters: read the VM's counters from KVM
 *
 * Returns NULL with @errp set if one of them cannot be read.
 */
InkTagCounters *inktag_counters(Error **errp);

#endif
