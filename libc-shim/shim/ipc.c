// SPDX-License-Identifier: LGPL-2.1-or-later
/* ipc.c - message queues of POSIX and of System V, and System V's semaphores. */
#include <asm/siginfo.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/time.h>
#include "command.h"
#include "thread.h"

#define MESSAGE_MAX	(ARENA_PIECE - sizeof(u64))
#define KNOWN		256

/* --- how large a thing of System V is -------------------------------------------------------------------- */

/*
 * As the program knows: it made it, or asked for one that is no smaller, or was told by IPC_STAT. The size never changes,
 * and while a thing is there no other one has its id. Linux gives the id of one that is removed again after thousands of
 * others only.
 */
static struct known {
	u8 kind;	/* enum ipc_kind; 0: free */
	bool keyed;	/* key is known */
	bool exact;	/* it is not larger, either */
	bool removed;	/* by this program: the id may be another one's now. A segment stays while it is attached */
	int id, key;
	u64 size;
} known[KNOWN];
static u32 known_next;
struct lock sizes_lock;

/* With sizes_lock; NULL: nothing is known. */
static struct known *find(enum ipc_kind kind, int id)
{
	struct known *k;

	for (k = known; k < known + KNOWN; k++)
		if (k->kind == kind && k->id == id)
			return k;
	return NULL;
}

static struct known *find_or_add(enum ipc_kind kind, int id)
{
	struct known *k = find(kind, id);
	u32 i;

	if (k)
		return k;
	for (i = 0; i < KNOWN && known[i].kind; i++)
		;
	if (i == KNOWN)
		i = known_next++ % KNOWN;
	known[i] = (struct known){ .kind = kind, .id = id };
	return &known[i];
}

long ipc_got(long nr, enum ipc_kind kind, long id, const u64 args[6], u64 size)
{
	const int key = args[0];
	const bool made = key == IPC_PRIVATE || (args[2] & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL);
	const char *lie = NULL;
	struct known *k;

	if (IS_ERR(id))
		return id;
	lock(&sizes_lock);
	k = find(kind, id);
	if (k && k->removed) {
		*k = (struct known){ 0 };
		k = NULL;
	}
	if (k && (made || (k->keyed && k->key != key)))
		lie = "it is another one's";
	else if (k && k->exact && size > k->size)
		lie = "it is smaller than that";
	k = find_or_add(kind, id);
	k->keyed = true;
	k->key = key;
	k->exact |= made;
	if (size > k->size)
		k->size = size;
	unlock(&sizes_lock);
	if (lie)
		shim_lie(nr, id, lie);
	return id;
}

void ipc_told(long nr, enum ipc_kind kind, int id, u64 size)
{
	struct known *k;
	bool lie;

	lock(&sizes_lock);
	k = find_or_add(kind, id);
	lie = k->exact ? size != k->size : size < k->size;
	if (!lie) {
		k->exact = true;
		k->size = size;
	}
	unlock(&sizes_lock);
	if (lie)
		shim_lie(nr, size, "it is not of this size");
}

void ipc_removed(enum ipc_kind kind, int id)
{
	struct known *k;

	lock(&sizes_lock);
	k = find(kind, id);
	if (k)
		k->removed = true;
	unlock(&sizes_lock);
}

/* 0: nothing is known. */
static u64 ipc_size(enum ipc_kind kind, int id)
{
	const struct known *k;
	u64 size;

	lock(&sizes_lock);
	k = find(kind, id);
	size = k ? k->size : 0;
	unlock(&sizes_lock);
	return size;
}

/* --- POSIX message queues --------------------------------------------------------------------------------- */

/* Mode and attributes are there only if a queue may be created; see sys_open(). */
long sys_mq_open(long nr, const u64 args[6])
{
	struct call row = { .result = RESULT_FD, .arg = { { ARG_STRING }, { ARG_VALUE } } };

	if (args[1] & O_CREAT) {
		row.arg[2] = (struct arg){ ARG_VALUE };
		row.arg[3] = (struct arg){ ARG_IN, .size = sizeof(struct mq_attr), .optional = true };
	}
	return marshal_call(nr, &row, args);
}

/*
 * A time by the program's clock, as the kernel's clock will show it then: what is left is added to what that shows
 * now. The kernel may lie about it, and harms the moment of its own answer.
 */
static long kernels_time(u64 at, struct __kernel_timespec *t)
{
	u64 mark = arena_mark(), end, left;
	volatile struct __kernel_timespec *buf;
	long r;

	if (!user_range_ok(at, sizeof(*t)))
		return -EFAULT;
	memcpy(t, (const void *)at, sizeof(*t));
	r = clock_end(t, true, &end);
	if (r)
		return r;
	r = -ENOMEM;
	buf = arena_alloc(sizeof(*buf));
	if (buf)
		r = checked(__NR_clock_gettime, hc_syscall(__NR_clock_gettime, CLOCK_REALTIME, (u64)buf, 0, 0, 0, 0), 0);
	if (!r)
		r = clock_until(end, true, &left);
	if (!r && left) {
		*t = clock_timespec(left + (u64)buf->tv_nsec % NSEC);
		t->tv_sec += buf->tv_sec & 0xffffffff;
	} else if (!r) {
		*t = (struct __kernel_timespec){ 0 };
	}
	arena_release(mark);
	return r;
}

static long queue_call(long nr, const struct call *row, const u64 args[6])
{
	struct __kernel_timespec end;
	const u64 given[6] = { args[0], args[1], args[2], args[3], args[4] ? (u64)&end : 0 };
	long r = args[4] ? kernels_time(args[4], &end) : 0;

	return r ? r : marshal_call(nr, row, given);
}

long sys_mq_timedsend(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE },
			{ ARG_IN_BUF, .by = 2, .size = 1 },
			{ ARG_VALUE },
			{ ARG_VALUE },
			{ ARG_IN, .size = sizeof(struct __kernel_timespec), .optional = true },
		},
	};

	return queue_call(nr, &row, args);
}

static bool is_priority(long r, const u64 args[6])
{
	return !args[3] || *(const u32 *)args[3] < MQ_PRIO_MAX;
}

long sys_mq_timedreceive(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = {
			{ ARG_VALUE },
			{ ARG_OUT_BUF, .by = 2, .size = 1 },
			{ ARG_VALUE },
			{ ARG_OUT, .size = sizeof(u32), .optional = true },
			{ ARG_IN, .size = sizeof(struct __kernel_timespec), .optional = true },
		},
		.result = RESULT_ARG, .count = 2,
		.check = is_priority,
	};

	return queue_call(nr, &row, args);
}

/* The notice that a message has come is a signal; that a thread is started for it is the libc's work, over a socket. */
long sys_mq_notify(long nr, const u64 args[6])
{
	static const struct call row = {
		.arg = { { ARG_VALUE }, { ARG_IN, .size = sizeof(sigevent_t), .optional = true } },
	};
	const sigevent_t *event = (const void *)args[1];
	sigevent_t told = { 0 };
	u64 name;
	long r;

	if (event && !user_range_ok(args[1], sizeof(*event)))
		return -EFAULT;
	if (event && event->sigev_notify != SIGEV_NONE && event->sigev_notify != SIGEV_SIGNAL)
		return shim_missing(nr, " to start a thread");
	if (!event)
		return marshal_call(nr, &row, args);
	name = notice_add(event->sigev_value);
	told.sigev_notify = event->sigev_notify;
	told.sigev_signo = event->sigev_signo;
	told.sigev_value.sival_ptr = (void *)name;
	r = marshal_call(nr, &row, (const u64[6]){ args[0], (u64)&told });
	if (r)
		notice_take(name, &told.sigev_value);
	return r;
}

/* --- System V message queues ------------------------------------------------------------------------------ */

long sys_msgsnd(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), n = args[2];
	void *buf;
	long r = -ENOMEM;

	if (n > MESSAGE_MAX)
		return -EINVAL;
	if (!user_range_ok(args[1], sizeof(s64) + n))
		return -EFAULT;
	buf = arena_alloc(sizeof(s64) + n);
	if (buf) {
		memcpy(buf, (const void *)args[1], sizeof(s64) + n);
		r = checked(nr, hc_syscall(nr, args[0], (u64)buf, n, args[3], 0, 0), 0);
	}
	arena_release(mark);
	return r;
}

/* Is this type of a message one that was asked for? */
static bool is_type(s64 type, s64 asked, u32 flags)
{
	if (type <= 0)
		return false;
	if (flags & MSG_COPY || !asked)
		return true;
	if (asked < 0)
		return (u64)type <= -(u64)asked;
	return (type == asked) != !!(flags & MSG_EXCEPT);
}

long sys_msgrcv(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), n = args[2] < MESSAGE_MAX ? args[2] : MESSAGE_MAX;
	s64 *to = (void *)args[1], type;
	void *buf;
	long r = -ENOMEM;

	if ((s64)args[2] < 0)
		return -EINVAL;
	if (!user_range_ok(args[1], sizeof(s64) + n))
		return -EFAULT;
	buf = arena_alloc(sizeof(s64) + n);
	if (buf)
		r = checked(nr, hc_syscall(nr, args[0], (u64)buf, n, args[3], args[4], 0), n);
	if (!IS_ERR(r)) {
		memcpy(&type, buf, sizeof(type));
		if (!is_type(type, args[3], args[4]))
			shim_lie(nr, type, "no message of this type was asked for");
		*to = type;
		memcpy(to + 1, buf + sizeof(s64), r);
	}
	arena_release(mark);
	return r;
}

static const struct command queue_commands[] = {
	{ IPC_RMID, ARG_NONE },
	{ IPC_STAT, ARG_OUT, sizeof(struct msqid64_ds) },
	{ IPC_SET, ARG_IN, sizeof(struct msqid64_ds) },
	{ MSG_STAT, ARG_OUT, sizeof(struct msqid64_ds) },
	{ MSG_STAT_ANY, ARG_OUT, sizeof(struct msqid64_ds) },
	{ IPC_INFO, ARG_OUT, sizeof(struct msginfo) },
	{ MSG_INFO, ARG_OUT, sizeof(struct msginfo) },
};

long sys_msgctl(long nr, const u64 args[6])
{
	return command_call(nr, args, 1, queue_commands, ARRAY_SIZE(queue_commands), -EINVAL);
}

/* --- System V semaphores ---------------------------------------------------------------------------------- */

long sys_semget(long nr, const u64 args[6])
{
	long r = checked(nr, hc_syscall(nr, args[0], args[1], args[2], 0, 0, 0), 0x7fffffff);

	return ipc_got(nr, IPC_SEMAPHORES, r, args, (int)args[1] > 0 ? args[1] : 0);
}

static bool is_semaphore_value(long r, const u64 args[6])
{
	return r <= SEMVMX;
}

static const struct command semaphore_commands[] = {
	{ IPC_RMID, ARG_NONE },
	{ IPC_STAT, ARG_OUT, sizeof(struct semid64_ds) },
	{ IPC_SET, ARG_IN, sizeof(struct semid64_ds) },
	{ SEM_STAT, ARG_OUT, sizeof(struct semid64_ds) },
	{ SEM_STAT_ANY, ARG_OUT, sizeof(struct semid64_ds) },
	{ IPC_INFO, ARG_OUT, sizeof(struct seminfo) },
	{ SEM_INFO, ARG_OUT, sizeof(struct seminfo) },
	{ GETVAL, ARG_NONE, 0, is_semaphore_value },
	{ SETVAL, ARG_VALUE },
	{ GETPID, ARG_NONE },
	{ GETNCNT, ARG_NONE },
	{ GETZCNT, ARG_NONE },
};

/* All values of a set at once. The kernel's buffer has room for any set, the program's for the one that it knows. */
static long all_values(long nr, const u64 args[6])
{
	u64 mark = arena_mark(), size = ipc_size(IPC_SEMAPHORES, args[0]) * sizeof(u16);
	bool is_set = (u32)args[2] == SETALL;
	void *buf;
	long r = -ENOMEM;

	if (!size)
		return shim_missing(nr, " for all semaphores of a set whose size the program has not asked for");
	if (size > SEMMSL * sizeof(u16))
		return -EINVAL;
	if (!user_range_ok(args[3], size))
		return -EFAULT;
	buf = arena_alloc(SEMMSL * sizeof(u16));
	if (buf) {
		memset(buf, 0, SEMMSL * sizeof(u16));
		if (is_set)
			memcpy(buf, (const void *)args[3], size);
		r = checked(nr, hc_syscall(nr, args[0], 0, args[2], (u64)buf, 0, 0), 0);
	}
	if (!IS_ERR(r) && !is_set)
		memcpy((void *)args[3], buf, size);
	arena_release(mark);
	return r;
}

long sys_semctl(long nr, const u64 args[6])
{
	long r;

	if ((u32)args[2] == GETALL || (u32)args[2] == SETALL)
		return all_values(nr, args);
	r = command_call(nr, args, 2, semaphore_commands, ARRAY_SIZE(semaphore_commands), -EINVAL);
	if (!IS_ERR(r) && (u32)args[2] == IPC_STAT)
		ipc_told(nr, IPC_SEMAPHORES, args[0], ((const struct semid64_ds *)args[3])->sem_nsems);
	if (!r && (u32)args[2] == IPC_RMID)
		ipc_removed(IPC_SEMAPHORES, args[0]);
	return r;
}
