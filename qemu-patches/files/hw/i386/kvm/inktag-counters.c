/*
 * InkTag device: KVM's counters
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/kvm.h>
#include "inktag.h"
#include "qapi/error.h"
#include "system/kvm.h"

#define COUNTER(name) \
    { "inktag_" #name, offsetof(InkTagCounters, name) }

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    COUNTER(haps),
    COUNTER(threads),
    COUNTER(frames),
    COUNTER(held),
    COUNTER(cloaks),
    COUNTER(uncloaks),
    COUNTER(zero_maps),
    COUNTER(hints),
    COUNTER(bad_reports),
    COUNTER(execs),
    COUNTER(execs_kept),
    COUNTER(in),
    COUNTER(out_syscall),
    COUNTER(out_fault),
    COUNTER(out_interrupt),
    COUNTER(out_exit),
    COUNTER(reenter),
    COUNTER(violations),
    COUNTER(refused),
};

QEMU_BUILD_BUG_ON(ARRAY_SIZE(counters) * sizeof(uint64_t) !=
                  sizeof(InkTagCounters));

static bool read_at(int fd, void *buf, size_t size, off_t offset, Error **errp)
{
    ssize_t ret = pread(fd, buf, size, offset);

    if (ret < 0) {
        error_setg_errno(errp, errno, "cannot read KVM's statistics");
    } else if (ret != size) {
        error_setg(errp, "KVM's statistics are shorter than they say");
    }
    return ret == size;
}

static bool read_counters(int fd, InkTagCounters *result, Error **errp)
{
    struct kvm_stats_header header;
    g_autofree char *descs = NULL;
    size_t desc_size;

    if (!read_at(fd, &header, sizeof(header), 0, errp)) {
        return false;
    }
    desc_size = sizeof(struct kvm_stats_desc) + header.name_size;
    descs = g_malloc_n(header.num_desc, desc_size);
    if (!read_at(fd, descs, header.num_desc * desc_size, header.desc_offset,
                 errp)) {
        return false;
    }

    for (int i = 0; i < ARRAY_SIZE(counters); i++) {
        const struct kvm_stats_desc *desc = NULL;

        for (uint32_t j = 0; j < header.num_desc; j++) {
            desc = (const void *)(descs + j * desc_size);
            if (strncmp(desc->name, counters[i].name, header.name_size) == 0) {
                break;
            }
            desc = NULL;
        }
        if (!desc) {
            error_setg(errp, "KVM's statistics have no %s", counters[i].name);
            return false;
        }
        if (!read_at(fd, (char *)result + counters[i].offset, sizeof(uint64_t),
                     header.data_offset + desc->offset, errp)) {
            return false;
        }
    }
    return true;
}

InkTagCounters *inktag_counters(Error **errp)
{
    g_autofree InkTagCounters *result = g_new0(InkTagCounters, 1);
    int fd = kvm_vm_ioctl(kvm_state, KVM_GET_STATS_FD, NULL);
    bool ok;

    if (fd < 0) {
        error_setg_errno(errp, -fd, "cannot open KVM's statistics");
        return NULL;
    }
    ok = read_counters(fd, result, errp);
    close(fd);
    return ok ? g_steal_pointer(&result) : NULL;
}
