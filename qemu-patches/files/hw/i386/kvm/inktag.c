/*
 * InkTag device: turns KVM's extension on for its VM
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "inktag.h"
#include "inktag-requests.h"
#include "hw/qdev-properties.h"
#include "hw/resettable.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-inktag-target.h"
#include "qemu/accel.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "system/kvm.h"
#include "system/reset.h"
#include "trace.h"

/* The one device, or NULL if there is none, or more than one. */
static InkTagState *inktag_find(void)
{
    Object *o = object_resolve_path_type("", TYPE_INKTAG, NULL);

    return o ? INKTAG(o) : NULL;
}

/* The text of a module's parameter, or NULL. */
static char *module_parameter(const char *module, const char *name)
{
    g_autofree char *path = g_strdup_printf("/sys/module/%s/parameters/%s",
                                            module, name);
    char *text = NULL;

    if (g_file_get_contents(path, &text, NULL, NULL)) {
        g_strstrip(text);
    }
    return text;
}

typedef struct Limit {
    const char *property;
    const char *parameter;  /* of module kvm: the host's bound on it */
    uint64_t value;
} Limit;

#define LIMITS(s) { \
    { "max-haps", "inktag_max_haps", (s)->max_haps }, \
    { "max-threads", "inktag_max_threads", (s)->max_threads }, \
    { "max-descriptors", "inktag_max_descriptors", (s)->max_descriptors }, \
    { "max-frames", "inktag_max_frames", (s)->max_frames }, \
    { "max-files", "inktag_max_files", (s)->max_files }, \
}

/* What KVM is told: 0 if there is no store. */
static uint32_t inktag_files(const InkTagState *s)
{
    return s->store ? s->max_files : 0;
}

static bool check_limits(InkTagState *s, Error **errp)
{
    const Limit limits[] = LIMITS(s);

    for (int i = 0; i < ARRAY_SIZE(limits); i++) {
        if (!limits[i].value) {
            error_setg(errp, "%s must be at least 1", limits[i].property);
            return false;
        }
    }
    if (s->max_descriptors > INKTAG_DESC_MAX) {
        error_setg(errp, "max-descriptors=%" PRIu32 " is above the ABI's limit "
                   "of %d", s->max_descriptors, INKTAG_DESC_MAX);
        return false;
    }
    return true;
}

/* KVM says EINVAL: find out which limit is too high for it. */
static void explain_limits(InkTagState *s, Error **errp)
{
    const Limit limits[] = LIMITS(s);

    for (int i = 0; i < ARRAY_SIZE(limits); i++) {
        g_autofree char *text = module_parameter("kvm", limits[i].parameter);
        uint64_t bound;

        if (g_str_equal(limits[i].property, "max-files") && !s->store) {
            continue;
        }
        if (text && qemu_strtou64(text, NULL, 10, &bound) == 0 &&
            limits[i].value > bound) {
            error_setg(errp, "%s=%" PRIu64 " is above this host's limit of %"
                       PRIu64 ", which parameter %s of module kvm sets",
                       limits[i].property, limits[i].value, bound,
                       limits[i].parameter);
            return;
        }
    }
    if (s->max_frames > qemu_get_host_physmem() / INKTAG_PAGE_SIZE) {
        error_setg(errp, "max-frames=%" PRIu64 " is above the %zu pages of "
                   "this host's memory", s->max_frames,
                   (size_t)(qemu_get_host_physmem() / INKTAG_PAGE_SIZE));
        return;
    }
    error_setg(errp, "KVM refuses the limits max-haps=%" PRIu32
               ", max-threads=%" PRIu32 ", max-descriptors=%" PRIu32
               ", max-frames=%" PRIu64 ", max-files=%" PRIu32, s->max_haps,
               s->max_threads, s->max_descriptors, s->max_frames,
               inktag_files(s));
}

static void explain_unsupported(Error **errp)
{
    g_autofree char *npt = module_parameter("kvm_amd", "npt");
    g_autofree char *avic = module_parameter("kvm_amd", "avic");

    error_setg(errp, "KVM protects processes only on AMD, with nested paging "
               "on and AVIC off, and not in a SEV guest (module kvm_amd has "
               "npt=%s, avic=%s)", npt ?: "?", avic ?: "?");
}

static void explain_missing(Error **errp)
{
    g_autofree char *parameter = module_parameter("kvm", "inktag_max_haps");

    if (parameter) {
        explain_unsupported(errp);
    } else {
        error_setg(errp, "the KVM of this host has no InkTag extension: load "
                   "InkTag's kvm.ko and kvm-amd.ko in place of the kernel's");
    }
}

static void explain_refusal(InkTagState *s, int err, Error **errp)
{
    switch (err) {
    case EINVAL:
        explain_limits(s, errp);
        break;
    case E2BIG:
        error_setg(errp, "a VM with %s has at most 64 vCPUs", TYPE_INKTAG);
        break;
    case EOPNOTSUPP:
        explain_unsupported(errp);
        break;
    default:
        error_setg_errno(errp, err, "KVM did not turn InkTag on");
    }
}

static void inktag_realize(DeviceState *dev, Error **errp)
{
    InkTagState *s = INKTAG(dev);
    struct kvm_inktag_limits limits = {
        .size = sizeof(limits),
        .haps = s->max_haps,
        .threads = s->max_threads,
        .descriptors = s->max_descriptors,
        .frames = s->max_frames,
        .files = inktag_files(s),
    };
    int version, ret;

    if (!inktag_find()) {
        error_setg(errp, "a VM has at most one %s device", TYPE_INKTAG);
        return;
    }
    if (!check_limits(s, errp)) {
        return;
    }
    if (s->store) {
        /* Whoever deleted it would close it under the VM. */
        s->store->attached = true;
    }

    if (!kvm_enabled()) {
        error_setg(errp, "%s needs the accelerator kvm, and this VM has %s",
                   TYPE_INKTAG, current_accel_name());
        error_append_hint(errp, "Start QEMU with -accel kvm.\n");
        return;
    }

    version = kvm_vm_check_extension(kvm_state, KVM_CAP_INKTAG);
    if (!version) {
        explain_missing(errp);
        return;
    }
    if (version != INKTAG_ABI_VERSION) {
        error_setg(errp, "this QEMU speaks version %d of the InkTag ABI, and "
                   "the loaded kvm.ko version %d: build both from one source",
                   INKTAG_ABI_VERSION, version);
        return;
    }

    error_setg(&s->migration_blocker, "The pages and states of this VM's "
               "protected processes are in KVM, and cannot be migrated");
    if (migrate_add_blocker(&s->migration_blocker, errp) < 0) {
        return;
    }

    /*
     * The vCPUs exist already, but none of them has run: the machine is not
     * complete, and the device is not hot-pluggable.
     */
    ret = kvm_vm_enable_cap(kvm_state, KVM_CAP_INKTAG, 0,
                            (uintptr_t)&limits);
    if (ret < 0) {
        explain_refusal(s, -ret, errp);
        migrate_del_blocker(&s->migration_blocker);
        return;
    }
    trace_inktag_enabled(limits.haps, limits.threads, limits.descriptors,
                         limits.frames, limits.files);

    if ((s->store && !inktag_requests_start(s->store, errp)) ||
        !inktag_violations_start(s, errp)) {
        migrate_del_blocker(&s->migration_blocker);
        return;
    }

    /* On no bus, so no bus would reset it. */
    qemu_register_resettable(OBJECT(dev));
}

/* The vCPUs are stopped. The guest's memory is no longer what its HAPs knew. */
static void inktag_reset_hold(Object *obj, ResetType type)
{
    InkTagState *s = INKTAG(obj);
    int ret = kvm_vm_ioctl(kvm_state, KVM_INKTAG_RESET);

    trace_inktag_reset(ret);
    if (ret < 0) {
        error_report("inktag: KVM did not end the protected processes at the "
                     "VM's reset: %s", strerror(-ret));
    }
    if (s->store) {
        inktag_requests_reset(s->store);
    }
}

InkTagInfo *qmp_query_inktag(Error **errp)
{
    InkTagState *s = inktag_find();
    InkTagCounters *counters;
    InkTagInfo *info;

    if (!s) {
        error_setg(errp, "this VM has no %s device", TYPE_INKTAG);
        return NULL;
    }

    counters = inktag_counters(errp);
    if (!counters) {
        return NULL;
    }

    info = g_new0(InkTagInfo, 1);
    info->abi_version = INKTAG_ABI_VERSION;
    info->limits = g_new0(InkTagLimits, 1);
    info->limits->haps = s->max_haps;
    info->limits->threads = s->max_threads;
    info->limits->descriptors = s->max_descriptors;
    info->limits->frames = s->max_frames;
    info->limits->files = inktag_files(s);
    info->store = s->store ? g_strdup(inktag_store_id(s->store)) : NULL;
    info->counters = counters;
    info->last_violations = inktag_violations_last(s);
    return info;
}

static const Property inktag_properties[] = {
    DEFINE_PROP_UINT32("max-haps", InkTagState, max_haps, 16),
    DEFINE_PROP_UINT32("max-threads", InkTagState, max_threads, 64),
    DEFINE_PROP_UINT32("max-descriptors", InkTagState, max_descriptors, 4096),
    DEFINE_PROP_UINT64("max-frames", InkTagState, max_frames, 65536),
    DEFINE_PROP_UINT32("max-files", InkTagState, max_files, 1024),
    DEFINE_PROP_LINK("store", InkTagState, store, TYPE_INKTAG_STORE,
                     InkTagStore *),
};

static void inktag_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    dc->desc = "InkTag: protects processes from the guest's kernel";
    dc->realize = inktag_realize;
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    rc->phases.hold = inktag_reset_hold;

    device_class_set_props(dc, inktag_properties);
    object_class_property_set_description(klass, "max-haps",
        "protected processes (HAPs) at one time");
    object_class_property_set_description(klass, "max-threads",
        "threads of one protected process");
    object_class_property_set_description(klass, "max-descriptors",
        "mappings of one protected process, 65536 at most");
    object_class_property_set_description(klass, "max-frames",
        "host pages of 4 KiB for protected memory, its page tables, and the "
        "pages pinned for uncloaked mappings");
    object_class_property_set_description(klass, "max-files",
        "protected files that processes have at one time, with a store");
    object_class_property_set_description(klass, "store",
        "id of the object inktag-store with the metadata of protected files");
}

static const TypeInfo inktag_types[] = {
    {
        .name          = TYPE_INKTAG,
        .parent        = TYPE_DEVICE,
        .instance_size = sizeof(InkTagState),
        .class_init    = inktag_class_init,
    }
};

DEFINE_TYPES(inktag_types)
