/*
 * InkTag device: brings KVM's requests to the metadata store
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "inktag-requests.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "system/kvm.h"
#include "trace.h"

/* The device's. Set before a vCPU runs, and constant from then on. */
static InkTagStore *served;

/* The first failure of each kind; what is counted tells of the others. */
static void report(InkTagStore *store, int err)
{
    if (!test_and_set_bit(MIN(err, INKTAG_STORE_ERRORS - 1),
                          store->reported)) {
        error_report("inktag: %s", inktag_db_error(store->server.db));
    }
}

/* What a recovery has found out, as far as somebody has to know. */
static void report_lost(InkTagStore *store, const struct kvm_inktag_store *q)
{
    const struct kvm_inktag_record *r = &q->record[0];

    if (q->op != KVM_INKTAG_STORE_RESOLVE ||
        !(r->flags & KVM_INKTAG_RECORD_LOST) || store->lost_reported) {
        return;
    }
    store->lost_reported = true;
    warn_report("inktag: store '%s': page %" PRIu64 " of file %016" PRIx64
                "%016" PRIx64 " is on the disk in none of the versions that "
                "could be there: it is lost, until it is written anew",
                store->path, (uint64_t)r->index, be64_to_cpu(q->oid[0]),
                be64_to_cpu(q->oid[1]));
}

/* Locked. */
static void answer(InkTagStore *store)
{
    struct kvm_inktag_store *q = &store->request, *a = &store->answer;
    int ret;

    trace_inktag_store_request(q->id, inktag_serve_op(q->op), q->hap,
                               be64_to_cpu(q->oid[0]), be64_to_cpu(q->oid[1]),
                               q->value[0], q->value[1], q->count);
    ret = inktag_serve(&store->server, q, a);
    trace_inktag_store_answer(a->id, inktag_serve_op(a->op), a->result,
                              be64_to_cpu(a->oid[0]), be64_to_cpu(a->oid[1]),
                              a->value[0], a->value[1], a->count);
    if (ret < 0) {
        report(store, -ret);
    } else if (!a->result) {
        report_lost(store, q);
    }

    ret = kvm_vm_ioctl(kvm_state, KVM_INKTAG_ANSWER, a);
    explicit_bzero(a->key, sizeof(a->key));
    /* ESTALE: the VM was reset in between. */
    if (ret < 0 && ret != -ESTALE) {
        error_report_once("inktag: KVM does not take the answer to a request "
                          "'%s': %s", inktag_serve_op(q->op), strerror(-ret));
    }
}

int inktag_handle_exit(void)
{
    int ret;

    if (!served) {
        error_report("inktag: KVM asks for the store, and there is none");
        return -1;
    }
    /*
     * The vCPU that comes first answers all there is. The others wait for it,
     * and find no requests: theirs were answered.
     */
    QEMU_LOCK_GUARD(&served->lock);
    for (;;) {
        ret = kvm_vm_ioctl(kvm_state, KVM_INKTAG_REQUEST, &served->request);
        if (ret == -ENODATA) {
            return 0;
        }
        if (ret < 0) {
            error_report("inktag: cannot fetch a request from KVM: %s",
                         strerror(-ret));
            return -1;
        }
        answer(served);
    }
}

bool inktag_requests_start(InkTagStore *store, Error **errp)
{
    InkTagDbInfo info;

    QEMU_LOCK_GUARD(&store->lock);
    if (inktag_serve_reset(&store->server) < 0 ||
        inktag_db_info(store->server.db, &info) < 0) {
        error_setg(errp, "%s", inktag_db_error(store->server.db));
        return false;
    }
    if (info.unsettled) {
        info_report("inktag: store '%s': of %" PRIu64 " files not all was "
                    "synced when it was used last; what the disk has of them "
                    "is found out page by page", store->path, info.unsettled);
    }
    served = store;
    return true;
}

void inktag_requests_reset(InkTagStore *store)
{
    int ret;

    QEMU_LOCK_GUARD(&store->lock);
    ret = inktag_serve_reset(&store->server);
    if (ret < 0) {
        report(store, -ret);
    }
}
