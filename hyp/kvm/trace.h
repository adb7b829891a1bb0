/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace.h - tracepoints: inktag_switch, inktag_hypercall, inktag_start, inktag_cloak,
 * inktag_uncloak, inktag_violation.
 */
#if !defined(INK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define INK_TRACE_H

#include <linux/tracepoint.h>
#include "inktag.h"

#undef TRACE_SYSTEM
#define TRACE_SYSTEM inktag

#ifndef INK_TRACE_WHY
#define INK_TRACE_WHY
/*
 * Why a vCPU changes its context; in: what the thread was out for. The first values are those of
 * enum ink_thread_state.
 */
enum { INK_WHY_EXIT = INK_INTERRUPT + 1, INK_WHY_KILL, INK_WHY_MEMORY };
#endif

/* Their values, for the tools that read the format. */
TRACE_DEFINE_ENUM(INK_NEW);
TRACE_DEFINE_ENUM(INK_SYSCALL);
TRACE_DEFINE_ENUM(INK_FAULT);
TRACE_DEFINE_ENUM(INK_INTERRUPT);
TRACE_DEFINE_ENUM(INK_WHY_EXIT);
TRACE_DEFINE_ENUM(INK_WHY_KILL);
TRACE_DEFINE_ENUM(INK_WHY_MEMORY);

TRACE_EVENT(inktag_switch,
	TP_PROTO(unsigned int vcpu, u64 handle, bool in, int why),
	TP_ARGS(vcpu, handle, in, why),
	TP_STRUCT__entry(
		__field(u64, handle)
		__field(u32, vcpu)
		__field(bool, in)
		__field(u8, why)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->handle = handle;
		__entry->in = in;
		__entry->why = why;
	),
	TP_printk("vcpu %u thread %llx %s (%s)", __entry->vcpu, __entry->handle,
		  __entry->in ? "in" : "out",
		  __print_symbolic(__entry->why, { INK_NEW, "start" },
				   { INK_SYSCALL, "syscall" }, { INK_FAULT, "fault" },
				   { INK_INTERRUPT, "interrupt" }, { INK_WHY_EXIT, "exit" },
				   { INK_WHY_KILL, "kill" }, { INK_WHY_MEMORY, "memory" }))
);

TRACE_EVENT(inktag_hypercall,
	TP_PROTO(unsigned int vcpu, u64 nr, const u64 *args, s64 result),
	TP_ARGS(vcpu, nr, args, result),
	TP_STRUCT__entry(
		__field(u64, nr)
		__array(u64, args, 4)
		__field(s64, result)
		__field(u32, vcpu)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->nr = nr;
		memcpy(__entry->args, args, sizeof(__entry->args));
		__entry->result = result;
	),
	TP_printk("vcpu %u nr %llx (%llx, %llx, %llx, %llx) -> %lld", __entry->vcpu, __entry->nr,
		  __entry->args[0], __entry->args[1], __entry->args[2], __entry->args[3],
		  __entry->result)
);

TRACE_EVENT(inktag_start,
	TP_PROTO(const struct ink_hap *hap),
	TP_ARGS(hap),
	TP_STRUCT__entry(
		__field(u32, hap)
		__field(u32, line)
		__array(u8, measurement, INKTAG_MEASUREMENT_SIZE)
	),
	TP_fast_assign(
		__entry->hap = hap->id;
		__entry->line = hap->line;
		memcpy(__entry->measurement, hap->measurement, INKTAG_MEASUREMENT_SIZE);
	),
	TP_printk("hap %u line %u measurement %s", __entry->hap, __entry->line,
		  __print_hex_str(__entry->measurement, INKTAG_MEASUREMENT_SIZE))
);

DECLARE_EVENT_CLASS(inktag_seal,
	TP_PROTO(const struct ink_seal_id *id, int err),
	TP_ARGS(id, err),
	TP_STRUCT__entry(
		__field_struct(struct ink_seal_id, id)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->id = *id;
		__entry->err = err;
	),
	TP_printk("hap %llu object %llu page %llu version %llu -> %d", __entry->id.object[0],
		  __entry->id.object[1], __entry->id.index, __entry->id.version, __entry->err)
);

DEFINE_EVENT(inktag_seal, inktag_cloak,
	TP_PROTO(const struct ink_seal_id *id, int err),
	TP_ARGS(id, err)
);

DEFINE_EVENT(inktag_seal, inktag_uncloak,
	TP_PROTO(const struct ink_seal_id *id, int err),
	TP_ARGS(id, err)
);

TRACE_EVENT(inktag_violation,
	TP_PROTO(const struct kvm_inktag_violation *v),
	TP_ARGS(v),
	TP_STRUCT__entry(
		__field_struct(struct kvm_inktag_violation, v)
	),
	TP_fast_assign(
		__entry->v = *v;
	),
	TP_printk("hap %u pid %u check %u addr %llx gfn %llx arg %llx", __entry->v.hap,
		  __entry->v.pid, __entry->v.check, __entry->v.addr, __entry->v.gfn,
		  __entry->v.arg)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../arch/x86/kvm/inktag
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
