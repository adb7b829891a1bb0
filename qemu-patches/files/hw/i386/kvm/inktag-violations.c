/*
 * InkTag device: reports attacks on protected processes
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "inktag.h"
#include "qapi/clone-visitor.h"
#include "qapi/error.h"
#include "qapi/qapi-events-inktag-target.h"
#include "qapi/qapi-visit-inktag-target.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "system/kvm.h"
#include "trace.h"

/* What query-inktag remembers; its documentation says so too. */
#define LAST_VIOLATIONS 64

/*
 * A hostile guest makes violations as fast as it can launch HAPs. The log and
 * the monitors get one batch per period; what KVM cannot keep it counts.
 */
#define BATCH       KVM_INKTAG_VIOLATIONS
#define PERIOD_MS   1000

/* The QAPI enumeration is the ABI's. */
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK_TAG != INKTAG_CHECK_TAG);
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK_FRAME != INKTAG_CHECK_FRAME);
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK_DESCRIPTOR != INKTAG_CHECK_DESCRIPTOR);
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK_LINEAGE != INKTAG_CHECK_LINEAGE);
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK_MMAP != INKTAG_CHECK_MMAP);
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK_SYSCALL != INKTAG_CHECK_SYSCALL);
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK_STATE != INKTAG_CHECK_STATE);
QEMU_BUILD_BUG_ON((int)INK_TAG_CHECK__MAX != INKTAG_CHECK_COUNT);

static const char *const check_words[INK_TAG_CHECK__MAX] = {
    [INK_TAG_CHECK_NONE] = "no check",
    [INK_TAG_CHECK_TAG] = "the content of the page does not match its tag: "
        "it was altered, replayed, or is another page's",
    [INK_TAG_CHECK_FRAME] = "the guest kernel offered a frame that holds "
        "another protected page, or a second frame for this one",
    [INK_TAG_CHECK_DESCRIPTOR] = "the guest kernel claimed a mapping that no "
        "descriptor of the process allows",
    [INK_TAG_CHECK_LINEAGE] = "the guest kernel denied a thread or process "
        "that it had started",
    [INK_TAG_CHECK_MMAP] = "the guest kernel placed a mapping over another, or "
        "named a wrong neighbour",
    [INK_TAG_CHECK_SYSCALL] = "the system call gave an impossible result",
    [INK_TAG_CHECK_STATE] = "the process was started in a state that its "
        "loader must not leave",
};

char *inktag_violation_text(const InkTagViolation *v)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "HAP %" PRIu32 " (process %" PRIu32
                           ", as its kernel says)", v->hap, v->pid);
    if (v->check == INK_TAG_CHECK_SYSCALL) {
        g_string_append_printf(text, ", system call %" PRIu64 ", result %"
                               PRId64, v->addr, (int64_t)v->arg);
    } else if (v->addr) {
        g_string_append_printf(text, ", page 0x%" PRIx64,
                               v->addr & -INKTAG_PAGE_SIZE);
    }
    if (v->has_gfn) {
        g_string_append_printf(text, ", guest frame 0x%" PRIx64, v->gfn);
    }
    if (v->check == INK_TAG_CHECK_DESCRIPTOR && v->arg == INKTAG_TOKEN_NONE) {
        g_string_append(text, ", without a token");
    } else if (v->check == INK_TAG_CHECK_DESCRIPTOR) {
        g_string_append_printf(text, ", token %" PRIu64, v->arg);
    }
    g_string_append_printf(text, ": check '%s' failed: %s",
                           InkTagCheck_str(v->check), check_words[v->check]);
    return g_string_free(text, false);
}

static InkTagViolation *
inktag_violation_new(const struct kvm_inktag_violation *kv)
{
    InkTagViolation *v = g_new0(InkTagViolation, 1);

    v->hap = kv->hap;
    v->pid = kv->pid;
    v->check = kv->check < INK_TAG_CHECK__MAX ? kv->check : INK_TAG_CHECK_NONE;
    v->addr = kv->addr;
    v->has_gfn = kv->gfn != UINT64_MAX;
    v->gfn = v->has_gfn ? kv->gfn : 0;
    v->arg = kv->arg;
    v->time = kv->time;
    v->lost = kv->lost;
    if (!buffer_is_zero(kv->measurement, sizeof(kv->measurement))) {
        size_t size = 2 * sizeof(kv->measurement) + 1;

        v->measurement = g_malloc(size);
        qemu_hexdump_to_buffer(v->measurement, size, kv->measurement,
                               sizeof(kv->measurement));
    }
    return v;
}

/* Takes @v. */
static void inktag_report(InkTagState *s, InkTagViolation *v)
{
    g_autofree char *text = inktag_violation_text(v);

    trace_inktag_violation(v->hap, v->pid, InkTagCheck_str(v->check), v->addr,
                           v->has_gfn ? v->gfn : UINT64_MAX, v->arg, v->lost);
    if (v->lost) {
        warn_report("inktag: %" PRIu32 " reports before this one were lost",
                    v->lost);
    }
    warn_report("inktag: ended %s", text);
    qapi_event_send_inktag_violation(v);

    g_queue_push_tail(&s->last_violations, v);
    if (g_queue_get_length(&s->last_violations) > LAST_VIOLATIONS) {
        qapi_free_InkTagViolation(g_queue_pop_head(&s->last_violations));
    }
}

static void inktag_fetch(void *opaque)
{
    InkTagState *s = opaque;

    for (int i = 0; i < BATCH; i++) {
        struct kvm_inktag_violation kv;
        int ret = kvm_vm_ioctl(kvm_state, KVM_INKTAG_VIOLATION, &kv);

        if (ret == -ENODATA) {
            return;
        }
        if (ret < 0) {
            error_report("inktag: cannot fetch a violation from KVM: %s",
                         strerror(-ret));
            return;
        }
        inktag_report(s, inktag_violation_new(&kv));
    }
    timer_mod(&s->fetch_timer,
              qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + PERIOD_MS);
}

static void inktag_violated(EventNotifier *e)
{
    InkTagState *s = container_of(e, InkTagState, violated);

    if (event_notifier_test_and_clear(e) && !timer_pending(&s->fetch_timer)) {
        inktag_fetch(s);
    }
}

InkTagViolationList *inktag_violations_last(InkTagState *s)
{
    InkTagViolationList *list = NULL, **tail = &list;

    for (GList *l = s->last_violations.head; l; l = l->next) {
        InkTagViolation *v = l->data;

        QAPI_LIST_APPEND(tail, QAPI_CLONE(InkTagViolation, v));
    }
    return list;
}

bool inktag_violations_start(InkTagState *s, Error **errp)
{
    int32_t fd;
    int ret;

    ret = event_notifier_init(&s->violated, false);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot create an eventfd");
        return false;
    }
    fd = event_notifier_get_fd(&s->violated);
    ret = kvm_vm_ioctl(kvm_state, KVM_INKTAG_SET_EVENTFD, &fd);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "KVM does not report violations");
        event_notifier_cleanup(&s->violated);
        return false;
    }

    g_queue_init(&s->last_violations);
    timer_init_ms(&s->fetch_timer, QEMU_CLOCK_REALTIME, inktag_fetch, s);
    event_notifier_set_handler(&s->violated, inktag_violated);
    return true;
}
