// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * marshal.c - executes a row of table.c: arguments into the arena, the call, its result
 * judged, outputs out of the arena, once.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/uio.h>
#include "protect.h"
#include "thread.h"

/*
 * Could the program mean this range? A pointer into nowhere is a fault of the program, as for
 * any function; but those that Linux would surely refuse get EFAULT.
 */
bool user_range_ok(u64 addr, u64 len)
{
	return addr >= INKTAG_PAGE_SIZE && addr < INKTAG_USER_END && len <= INKTAG_USER_END - addr;
}

bool iov_ok(u64 iov, u64 count, u64 *total)
{
	const struct iovec *v = (const void *)iov;
	u64 i;

	*total = 0;
	if (!user_range_ok(iov, count * sizeof(*v)))
		return false;
	for (i = 0; i < count; i++) {
		if (v[i].iov_len && !user_range_ok((u64)v[i].iov_base, v[i].iov_len))
			return false;
		*total += v[i].iov_len;
	}
	return true;
}

long checked(long nr, long r, u64 max)
{
	if (!IS_ERR(r) && (u64)r > max)
		shim_lie(nr, r, "out of range");
	return r;
}

static u64 result_max(const struct call *call, const u64 args[6])
{
	switch (call->result) {
	case RESULT_INT:
	case RESULT_FD:
	case RESULT_SURE_INT:
		return 0x7fffffff;
	case RESULT_U32:
	case RESULT_SURE_U32:
		return 0xffffffff;
	case RESULT_LONG:
		return 0x7fffffffffffffff;
	case RESULT_ARG:
		return args[call->count];
	default:
		return 0;
	}
}

/* Bytes of the buffer args[i], or more than ARENA_PIECE if that is too much. */
static u64 arg_size(const struct arg *a, const u64 args[6])
{
	if (a->kind != ARG_IN_BUF && a->kind != ARG_OUT_BUF)
		return a->size;
	if (args[a->by] > ARENA_PIECE)
		return ARENA_PIECE + 1;
	return args[a->by] * a->size;
}

static bool is_out(const struct arg *a)
{
	return a->kind == ARG_OUT || a->kind == ARG_INOUT || a->kind == ARG_OUT_BUF;
}

/* Replaces args[i] by its copy in the arena. */
static long marshal_in(const struct arg *a, u64 *value, u64 size)
{
	u64 addr = *value;
	void *buf;

	if (a->kind == ARG_STRING) {
		if (!user_range_ok(addr, 1))
			return -EFAULT;
		size = shim_strnlen((const char *)addr, PATH_MAX) + 1;
		if (size > PATH_MAX)
			return -ENAMETOOLONG;
	}
	if (size > ARENA_PIECE)
		return -EINVAL;
	if (!user_range_ok(addr, size))
		return -EFAULT;
	buf = arena_alloc(size);
	if (!buf)
		return -ENOMEM;
	if (a->kind == ARG_OUT || a->kind == ARG_OUT_BUF)
		memset(buf, 0, size);
	else
		memcpy(buf, (const void *)addr, size);
	*value = (u64)buf;
	return 0;
}

long marshal_call(long nr, const struct call *call, const u64 args[6])
{
	bool sure = call->result == RESULT_SURE_INT || call->result == RESULT_SURE_U32;
	u64 given[6], size[6], filled, mark = arena_mark();
	long r = 0;
	int i;

	for (i = 0; i < 6; i++) {
		const struct arg *a = &call->arg[i];

		given[i] = a->kind == ARG_NONE ? 0 : args[i];
		size[i] = arg_size(a, args);
		if (a->kind == ARG_NONE || a->kind == ARG_VALUE || (a->optional && !args[i]))
			continue;
		r = marshal_in(a, &given[i], size[i]);
		if (r)
			goto out;
	}
	/* A signal that waits does not keep a call from being made that neither waits nor fails. */
	r = checked(nr, (sure ? hc_syscall_must : hc_syscall)(nr, given[0], given[1], given[2], given[3], given[4], given[5]),
		    result_max(call, args));
	if (IS_ERR(r) && sure)
		shim_lie(nr, r, "it cannot fail");
	if (IS_ERR(r))
		goto out;
	for (i = 0; i < 6; i++) {
		const struct arg *a = &call->arg[i];

		if (!is_out(a) || !args[i])
			continue;
		filled = a->kind == ARG_OUT_BUF ? (u64)r * a->size : size[i];
		memcpy((void *)args[i], (const void *)given[i], filled < size[i] ? filled : size[i]);
	}
	if (!IS_ERR(r) && call->check && !call->check(r, args))
		shim_lie(nr, r, "what it returned is malformed");
	if (call->result == RESULT_FD)
		r = fds_new(nr, r);
out:
	arena_release(mark);
	return r;
}

static long make_call(long nr, const struct call *call, const u64 args[6])
{
	const bool protects = protect_on();
	long r;

	if (!protects || !protect_call(nr, args, &r)) {
		if (call->maps)
			lock(&mm_lock);
		r = call->handler ? call->handler(nr, args) : marshal_call(nr, call, args);
		if (call->maps)
			unlock(&mm_lock);
		if (protects)
			protect_called(nr, args, r);
	}
	return r == -EINTR && call->restarts ? -ERESTARTSYS : r;
}

/* The program's system call (entry.S). Signals that came meanwhile are handled after it, on the way out. */
void shim_dispatch(struct frame *f)
{
	const u64 args[6] = { f->gpr[RDI], f->gpr[RSI], f->gpr[RDX], f->gpr[R10], f->gpr[R8], f->gpr[R9] };
	struct thread *t = self();
	long nr = f->gpr[RAX], r;

	t->call_mark = arena_mark();
	t->blocked = t->sigmask;
	t->cancelled = 0;
	if (nr < 0 || nr >= CALL_COUNT || !call_table[nr].name)
		r = shim_missing(nr, "");
	else
		r = make_call(nr, &call_table[nr], args);
	if (nr == __NR_rt_sigreturn)
		return;
	if ((r == -EINTR || r == -ERESTARTSYS) && t->deferred_count &&
	    (t->cancelled || (r == -ERESTARTSYS && signal_restarts()))) {
		/* The program comes back to where it made the call: its return address is below its stack pointer. */
		f->rip = (u64)__inktag_syscall;
		f->gpr[RSP] -= sizeof(u64);
		return;
	}
	f->gpr[RAX] = r == -ERESTARTSYS ? -EINTR : r;
}
