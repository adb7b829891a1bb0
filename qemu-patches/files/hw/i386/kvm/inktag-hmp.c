/*
 * InkTag device: the monitor's "info inktag"
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "inktag.h"
#include "monitor/hmp.h"
#include "monitor/hmp-target.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-inktag-target.h"

static void print_time(Monitor *mon, uint64_t ns)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(ns / 1000000000);
    g_autofree char *text = t ? g_date_time_format(t, "%F %T") : NULL;

    monitor_printf(mon, "%s.%03" PRIu64 "Z", text ?: "?",
                   ns / 1000000 % 1000);
}

static void print_requests(Monitor *mon, const InkTagStoreRequests *r)
{
    monitor_printf(mon, "requests:       names %" PRIu64 ", open %" PRIu64
                   ", release %" PRIu64 ", reserve %" PRIu64 ", fetch %" PRIu64
                   ", prepare %" PRIu64 ", settle %" PRIu64 ", clear %" PRIu64
                   ", resolve %" PRIu64
                   ", failed %" PRIu64 "\n", r->name, r->open, r->release,
                   r->reserve, r->fetch, r->prepare, r->settle, r->clear,
                   r->resolve,
                   r->failed);
}

static void print_store(Monitor *mon, const char *id, uint32_t max_files)
{
    Error *err = NULL;
    g_autoptr(InkTagStoreInfoList) list = qmp_query_inktag_store(&err);

    if (err) {
        monitor_printf(mon, "store:          %s\n", error_get_pretty(err));
        error_free(err);
        return;
    }
    for (InkTagStoreInfoList *l = list; l; l = l->next) {
        InkTagStoreInfo *s = l->value;

        if (g_str_equal(s->id, id)) {
            monitor_printf(mon, "store:          %s, file '%s', %s counter"
                           ", generation %" PRIu64 ", objects %" PRIu64
                           ", names %" PRIu64 ", to settle %" PRIu64
                           ", lost pages %" PRIu64 ", open %" PRIu64
                           " of %" PRIu32 "\n", s->id, s->path,
                           s->counter ? "with" : "without", s->generation,
                           s->objects, s->names, s->unsettled, s->lost,
                           s->open, max_files);
            print_requests(mon, s->requests);
        }
    }
}

void hmp_info_inktag(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    g_autoptr(InkTagInfo) info = qmp_query_inktag(&err);
    InkTagCounters *c;

    if (hmp_handle_error(mon, err)) {
        return;
    }
    c = info->counters;

    monitor_printf(mon, "InkTag is on, ABI version %" PRIu32 "\n",
                   info->abi_version);
    monitor_printf(mon, "HAPs:           %" PRIu64 " of %" PRIu32
                   ", threads %" PRIu64 " (%" PRIu32 " per HAP)"
                   ", descriptors per HAP %" PRIu32 "\n",
                   c->haps, info->limits->haps, c->threads,
                   info->limits->threads, info->limits->descriptors);
    monitor_printf(mon, "host pages:     %" PRIu64 " of %" PRIu64
                   ", guest frames held %" PRIu64 "\n",
                   c->frames, info->limits->frames, c->held);
    monitor_printf(mon, "pages:          cloaked %" PRIu64
                   ", uncloaked %" PRIu64 ", mapped as zeros %" PRIu64 "\n",
                   c->cloaks, c->uncloaks, c->zero_maps);
    monitor_printf(mon, "world switches: in %" PRIu64 ", out %" PRIu64
                   " (system calls %" PRIu64 ", faults %" PRIu64
                   ", interrupts %" PRIu64 ", ends %" PRIu64
                   "), straight back %" PRIu64 "\n", c->in,
                   c->out_syscall + c->out_fault + c->out_interrupt +
                   c->out_exit, c->out_syscall, c->out_fault,
                   c->out_interrupt, c->out_exit, c->reenter);
    monitor_printf(mon, "guest kernel:   reports applied %" PRIu64
                   ", ignored %" PRIu64 ", hypercalls refused %" PRIu64 "\n",
                   c->hints, c->bad_reports, c->refused);
    monitor_printf(mon, "exec:           %" PRIu64 ", %" PRIu64
                   " of them by a protected program\n",
                   c->execs, c->execs_kept);
    if (info->store) {
        print_store(mon, info->store, info->limits->files);
    } else {
        monitor_printf(mon, "store:          none\n");
    }
    monitor_printf(mon, "violations:     %" PRIu64 "\n", c->violations);
    for (InkTagViolationList *l = info->last_violations; l; l = l->next) {
        g_autofree char *text = inktag_violation_text(l->value);

        monitor_printf(mon, "  ");
        print_time(mon, l->value->time);
        monitor_printf(mon, " %s\n", text);
    }
}
