// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * table.c - the system calls of a protected program. What is not here fails with ENOSYS.
 *
 * A row says what each argument is, and which results are possible; CHECKED rows have a function that looks at what
 * was copied out, too. Values go to the kernel as they are; what is a pointer must be declared as one, or the row
 * needs a handler.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/mqueue.h>
#include <linux/resource.h>
#include <linux/sem.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/times.h>
#include <linux/utime.h>
#include <linux/utsname.h>
#include "shim.h"

#define V		{ ARG_VALUE }
#define STR		{ ARG_STRING }
#define STR_OPT		{ ARG_STRING, .optional = true }
#define IN(t)		{ ARG_IN, .size = sizeof(t) }
#define IN_OPT(t)	{ ARG_IN, .size = sizeof(t), .optional = true }
#define OUT(t)		{ ARG_OUT, .size = sizeof(t) }
#define OUT_OPT(t)	{ ARG_OUT, .size = sizeof(t), .optional = true }
#define INOUT_OPT(t)	{ ARG_INOUT, .size = sizeof(t), .optional = true }
#define IN_BUF(n, t)	{ ARG_IN_BUF, .by = n, .size = sizeof(t) }
#define IN_BUF_OPT(n, t) { ARG_IN_BUF, .by = n, .size = sizeof(t), .optional = true }
#define OUT_BUF(n, t)	{ ARG_OUT_BUF, .by = n, .size = sizeof(t) }

#define ZERO		.result = RESULT_ZERO
#define INT		.result = RESULT_INT
#define FD		.result = RESULT_FD
#define U32		.result = RESULT_U32
#define SURE_INT	.result = RESULT_SURE_INT
#define SURE_U32	.result = RESULT_SURE_U32
#define LONG		.result = RESULT_LONG
#define ARG(n)		.result = RESULT_ARG, .count = n

/* The call itself, for the kernel or for a handler. */
#define PLAIN(n, r, ...)	[__NR_##n] = { .name = #n, .arg = { __VA_ARGS__ }, r }
#define PLAIN_AGAIN(n, r, ...)	[__NR_##n] = { .name = #n, .arg = { __VA_ARGS__ }, r, .restarts = true }
#define CHECKED(n, c, r, ...)	[__NR_##n] = { .name = #n, .arg = { __VA_ARGS__ }, r, .check = c }
/* The third argument says what the handler checks of the kernel's answer; it is for the reader. */
#define HANDLED(n, h, ...)	[__NR_##n] = { .name = #n, .handler = h }
/* Made again after a signal with SA_RESTART (signal(7)). */
#define RESTARTED(n, h, ...)	[__NR_##n] = { .name = #n, .handler = h, .restarts = true }
/* Changes or reads the list of mappings. */
#define MAPPING(n, h, ...)	[__NR_##n] = { .name = #n, .handler = h, .maps = true }

typedef struct {
	struct __kernel_old_timeval interval, value;
} itimerval;

typedef struct {
	struct __kernel_old_timeval access, modification;
} utimes_pair;

typedef struct {
	struct __kernel_timespec access, modification;
} utimens_pair;

static bool is_path(long r, const u64 args[6])
{
	const char *path = (const void *)args[0];

	return r > 0 && shim_strnlen(path, r) == (size_t)r - 1;
}

static bool is_uname(long r, const u64 args[6])
{
	const struct new_utsname *u = (const void *)args[0];
	const char *field = (const void *)u;
	size_t i;

	for (i = 0; i < sizeof(*u) / (__NEW_UTS_LEN + 1); i++, field += __NEW_UTS_LEN + 1)
		if (shim_strnlen(field, __NEW_UTS_LEN + 1) > __NEW_UTS_LEN)
			return false;
	return true;
}

/* Programs take the block size for the size of a buffer: a bound on what they may be told. */
static bool fix_stat(u64 at)
{
	struct stat *st = (void *)at;

	if (st->st_blksize < 512 || st->st_blksize > 0x400000)
		st->st_blksize = 4096;
	return st->st_size >= 0 && st->st_blocks >= 0;
}

static bool is_stat(long r, const u64 args[6])
{
	return fix_stat(args[1]);
}

static bool is_statat(long r, const u64 args[6])
{
	return fix_stat(args[2]);
}

static bool is_statx(long r, const u64 args[6])
{
	struct statx *st = (void *)args[4];

	if (st->stx_blksize < 512 || st->stx_blksize > 0x400000)
		st->stx_blksize = 4096;
	return st->stx_size <= 0x7fffffffffffffff;
}

/* Programs make a buffer of the size that a message may have. */
static bool is_queue(long r, const u64 args[6])
{
	const struct mq_attr *attr = (const void *)args[2];

	return !attr || (attr->mq_msgsize >= 0 && attr->mq_maxmsg >= 0 && attr->mq_curmsgs >= 0);
}

/* All that struct sched_param has. */
static bool is_priority(long r, const u64 args[6])
{
	const int *priority = (const void *)args[1];

	return *priority >= 0 && *priority < 100;
}

static bool is_timer(long r, const u64 args[6])
{
	const struct __kernel_itimerspec *t = (const void *)args[1];

	return clock_valid(&t->it_interval) && clock_valid(&t->it_value);
}

static bool is_timeval(const struct __kernel_old_timeval *t)
{
	return t->tv_sec >= 0 && t->tv_usec >= 0 && t->tv_usec < 1000000;
}

static bool is_itimerval(const itimerval *t)
{
	return is_timeval(&t->interval) && is_timeval(&t->value);
}

static bool is_alarm(long r, const u64 args[6])
{
	return is_itimerval((const void *)args[1]);
}

static bool is_alarm_before(long r, const u64 args[6])
{
	return !args[2] || is_itimerval((const void *)args[2]);
}

/* As many as the largest Linux for x86-64 has; its nodes are fewer. Programs have tables of them. */
#define CPUS_MAX	8192
#define NODES_MAX	1024

static bool is_cpu(long r, const u64 args[6])
{
	const u32 *cpu = (const void *)args[0], *node = (const void *)args[1];

	return (!cpu || *cpu < CPUS_MAX) && (!node || *node < NODES_MAX);
}

static bool is_interval(long r, const u64 args[6])
{
	return clock_valid((const void *)args[1]);
}

/* A child that has changed, or none: then all is zero. */
static bool is_child(long r, const u64 args[6])
{
	const siginfo_t *info = (const void *)args[2];

	return !info || (info->si_signo == SIGCHLD ? info->si_pid > 0 : !info->si_signo && !info->si_pid);
}

const struct call call_table[CALL_COUNT] = {
	/* Files: data */
	RESTARTED(read, sys_read, "not more than asked for; records where the descriptor gives such"),
	RESTARTED(write, sys_write, "not more than given"),
	RESTARTED(pread64, sys_pread, "not more than asked for; records where the descriptor gives such"),
	RESTARTED(pwrite64, sys_pwrite, "not more than given"),
	RESTARTED(readv, sys_readv, "not more than asked for; records where the descriptor gives such"),
	RESTARTED(writev, sys_writev, "not more than given"),
	RESTARTED(preadv, sys_preadv, "not more than asked for; records where the descriptor gives such"),
	RESTARTED(preadv2, sys_preadv, "not more than asked for; records where the descriptor gives such"),
	RESTARTED(pwritev, sys_pwritev, "not more than given"),
	RESTARTED(pwritev2, sys_pwritev, "not more than given"),
	PLAIN(lseek, LONG, V, V, V),
	PLAIN(truncate, ZERO, STR, V),
	PLAIN(ftruncate, ZERO, V, V),
	PLAIN(fallocate, ZERO, V, V, V, V),
	PLAIN(fsync, ZERO, V),
	PLAIN(fdatasync, ZERO, V),
	PLAIN(sync, ZERO),
	PLAIN(syncfs, ZERO, V),
	PLAIN(sync_file_range, ZERO, V, V, V, V),
	PLAIN(readahead, ZERO, V, V, V),
	PLAIN(fadvise64, ZERO, V, V, V, V),
	RESTARTED(sendfile, sys_sendfile, "not more than asked for; offsets are ours"),
	HANDLED(copy_file_range, sys_splice, "not more than asked for; offsets are ours"),
	RESTARTED(splice, sys_splice, "not more than asked for; offsets are ours"),
	PLAIN(tee, ARG(2), V, V, V, V),
	RESTARTED(vmsplice, sys_vmsplice, "as readv or writev"),

	/* Files: descriptors */
	RESTARTED(open, sys_open, "a new descriptor"),
	RESTARTED(openat, sys_open, "a new descriptor"),
	PLAIN(openat2, FD, V, STR, IN_BUF(3, char), V),
	PLAIN(creat, FD, STR, V),
	PLAIN(memfd_create, FD, STR, V),
	HANDLED(close, sys_close, "zero"),
	HANDLED(close_range, sys_close_range, "zero"),
	HANDLED(dup, sys_dup, "a new descriptor, or the number that was asked for"),
	HANDLED(dup2, sys_dup, "a new descriptor, or the number that was asked for"),
	HANDLED(dup3, sys_dup, "a new descriptor, or the number that was asked for"),
	HANDLED(pipe, sys_pair, "two new descriptors"),
	HANDLED(pipe2, sys_pair, "two new descriptors"),
	RESTARTED(fcntl, sys_fcntl, "by command: a number; a new descriptor, not below the one asked for"),
	RESTARTED(ioctl, sys_ioctl, "by command: counts, names with an end, lengths of lists, a new descriptor"),
	PLAIN_AGAIN(flock, ZERO, V, V),
	HANDLED(poll, sys_poll, "as many as it says, events that were asked for"),
	HANDLED(ppoll, sys_ppoll, "as many as it says, events that were asked for"),
	HANDLED(select, sys_select, "as many as it says, descriptors that were asked for; not more time than there was"),
	HANDLED(pselect6, sys_select, "as many as it says, descriptors that were asked for; not more time than there was"),
	HANDLED(epoll_create, sys_epoll_create, "a new descriptor"),
	HANDLED(epoll_create1, sys_epoll_create, "a new descriptor"),
	HANDLED(epoll_ctl, sys_epoll_ctl, "zero"),
	HANDLED(epoll_wait, sys_epoll_wait, "registrations of this instance, each once, events that were asked for"),
	HANDLED(epoll_pwait, sys_epoll_wait, "registrations of this instance, each once, events that were asked for"),
	HANDLED(epoll_pwait2, sys_epoll_pwait2, "registrations of this instance, each once, events that were asked for"),
	HANDLED(eventfd, sys_eventfd, "a new descriptor"),
	HANDLED(eventfd2, sys_eventfd, "a new descriptor"),
	HANDLED(timerfd_create, sys_timerfd_create, "a new descriptor"),
	HANDLED(timerfd_settime, sys_timerfd_settime, "times"),
	HANDLED(timerfd_gettime, sys_timerfd_gettime, "times"),
	HANDLED(signalfd, sys_signalfd, "a new descriptor, or the one that was given"),
	HANDLED(signalfd4, sys_signalfd, "a new descriptor, or the one that was given"),
	HANDLED(inotify_init, sys_inotify_init, "a new descriptor"),
	HANDLED(inotify_init1, sys_inotify_init, "a new descriptor"),
	HANDLED(inotify_add_watch, sys_inotify_add_watch, "a number, not above how many there were"),
	PLAIN(inotify_rm_watch, ZERO, V, V),

	/* Sockets */
	PLAIN(socket, FD, V, V, V),
	HANDLED(socketpair, sys_pair, "two new descriptors"),
	PLAIN(bind, ZERO, V, IN_BUF(2, char), V),
	PLAIN_AGAIN(connect, ZERO, V, IN_BUF(2, char), V),
	PLAIN(listen, ZERO, V, V),
	RESTARTED(accept, sys_accept, "a new descriptor; the address's length"),
	RESTARTED(accept4, sys_accept, "a new descriptor; the address's length"),
	HANDLED(getsockname, sys_getsockname, "zero; the address's length"),
	HANDLED(getpeername, sys_getsockname, "zero; the address's length"),
	HANDLED(getsockopt, sys_getsockopt, "the option's length; sizes and numbers of errors"),
	HANDLED(setsockopt, sys_setsockopt, "zero"),
	PLAIN(shutdown, ZERO, V, V),
	RESTARTED(sendto, sys_sendto, "not more than given"),
	RESTARTED(recvfrom, sys_recvfrom, "not more than asked for; the address's length"),
	RESTARTED(sendmsg, sys_sendmsg, "not more than given"),
	RESTARTED(recvmsg, sys_recvmsg, "the same, and control data: lengths, headers, new descriptors"),
	RESTARTED(sendmmsg, sys_sendmmsg, "not more than given"),
	RESTARTED(recvmmsg, sys_recvmmsg, "the same, and control data: lengths, headers, new descriptors"),

	/* Message queues, semaphores */
	HANDLED(mq_open, sys_mq_open, "a new descriptor"),
	PLAIN(mq_unlink, ZERO, STR),
	RESTARTED(mq_timedsend, sys_mq_timedsend, "zero"),
	RESTARTED(mq_timedreceive, sys_mq_timedreceive, "not more than asked for; the priority"),
	HANDLED(mq_notify, sys_mq_notify, "zero"),
	CHECKED(mq_getsetattr, is_queue, ZERO, V, IN_OPT(struct mq_attr), OUT_OPT(struct mq_attr)),
	PLAIN(msgget, INT, V, V),
	HANDLED(msgsnd, sys_msgsnd, "zero"),
	HANDLED(msgrcv, sys_msgrcv, "not more than asked for; the type"),
	HANDLED(msgctl, sys_msgctl, "a number"),
	HANDLED(semget, sys_semget, "a number that no other one has"),
	PLAIN(semop, ZERO, V, IN_BUF(2, struct sembuf), V),
	PLAIN(semtimedop, ZERO, V, IN_BUF(2, struct sembuf), V, IN_OPT(struct __kernel_timespec)),
	HANDLED(semctl, sys_semctl, "a value that a semaphore can have; as many as the program knows of, and no other number"),

	/* Files: names and attributes */
	CHECKED(stat, is_stat, ZERO, STR, OUT(struct stat)),
	CHECKED(lstat, is_stat, ZERO, STR, OUT(struct stat)),
	CHECKED(fstat, is_stat, ZERO, V, OUT(struct stat)),
	CHECKED(newfstatat, is_statat, ZERO, V, STR, OUT(struct stat), V),
	CHECKED(statx, is_statx, ZERO, V, STR, V, V, OUT(struct statx)),
	PLAIN(statfs, ZERO, STR, OUT(struct statfs)),
	PLAIN(fstatfs, ZERO, V, OUT(struct statfs)),
	PLAIN(access, ZERO, STR, V),
	PLAIN(faccessat, ZERO, V, STR, V),
	PLAIN(faccessat2, ZERO, V, STR, V, V),
	PLAIN(chmod, ZERO, STR, V),
	PLAIN(fchmod, ZERO, V, V),
	PLAIN(fchmodat, ZERO, V, STR, V),
	PLAIN(chown, ZERO, STR, V, V),
	PLAIN(lchown, ZERO, STR, V, V),
	PLAIN(fchown, ZERO, V, V, V),
	PLAIN(fchownat, ZERO, V, STR, V, V, V),
	PLAIN(utime, ZERO, STR, IN_OPT(struct utimbuf)),
	PLAIN(utimes, ZERO, STR, IN_OPT(utimes_pair)),
	PLAIN(futimesat, ZERO, V, STR_OPT, IN_OPT(utimes_pair)),
	PLAIN(utimensat, ZERO, V, STR_OPT, IN_OPT(utimens_pair), V),
	PLAIN(umask, SURE_INT, V),
	PLAIN(link, ZERO, STR, STR),
	PLAIN(linkat, ZERO, V, STR, V, STR, V),
	PLAIN(symlink, ZERO, STR, STR),
	PLAIN(symlinkat, ZERO, STR, V, STR),
	PLAIN(readlink, ARG(2), STR, OUT_BUF(2, char), V),
	PLAIN(readlinkat, ARG(3), V, STR, OUT_BUF(3, char), V),
	PLAIN(unlink, ZERO, STR),
	PLAIN(unlinkat, ZERO, V, STR, V),
	PLAIN(rename, ZERO, STR, STR),
	PLAIN(renameat, ZERO, V, STR, V, STR),
	PLAIN(renameat2, ZERO, V, STR, V, STR, V),
	PLAIN(mkdir, ZERO, STR, V),
	PLAIN(mkdirat, ZERO, V, STR, V),
	PLAIN(mknod, ZERO, STR, V, V),
	PLAIN(mknodat, ZERO, V, STR, V, V),
	PLAIN(rmdir, ZERO, STR),
	PLAIN(chdir, ZERO, STR),
	PLAIN(fchdir, ZERO, V),
	PLAIN(chroot, ZERO, STR),
	CHECKED(getcwd, is_path, ARG(1), OUT_BUF(1, char), V),
	HANDLED(getdents64, sys_getdents64, "not more than asked for; records; names without slashes and not longer than NAME_MAX"),
	HANDLED(getxattr, sys_getxattr, "not more than asked for, or than there can be"),
	HANDLED(lgetxattr, sys_getxattr, "not more than asked for, or than there can be"),
	HANDLED(fgetxattr, sys_getxattr, "not more than asked for, or than there can be"),
	HANDLED(listxattr, sys_listxattr, "the same; names with an end"),
	HANDLED(llistxattr, sys_listxattr, "the same; names with an end"),
	HANDLED(flistxattr, sys_listxattr, "the same; names with an end"),
	PLAIN(setxattr, ZERO, STR, STR, IN_BUF_OPT(3, char), V, V),
	PLAIN(lsetxattr, ZERO, STR, STR, IN_BUF_OPT(3, char), V, V),
	PLAIN(fsetxattr, ZERO, V, STR, IN_BUF_OPT(3, char), V, V),
	PLAIN(removexattr, ZERO, STR, STR),
	PLAIN(lremovexattr, ZERO, STR, STR),
	PLAIN(fremovexattr, ZERO, V, STR),
	PLAIN(mount, ZERO, STR_OPT, STR, STR_OPT, V, STR_OPT),
	PLAIN(umount2, ZERO, STR, V),
	PLAIN(pivot_root, ZERO, STR, STR),
	PLAIN(swapon, ZERO, STR, V),
	PLAIN(swapoff, ZERO, STR),

	/* Memory */
	MAPPING(mmap, sys_mmap, "the list of mappings (mm.c)"),
	MAPPING(munmap, sys_munmap, "the list of mappings (mm.c)"),
	MAPPING(mprotect, sys_mprotect, "the list of mappings (mm.c)"),
	MAPPING(mremap, sys_mremap, "the list of mappings (mm.c)"),
	MAPPING(madvise, sys_madvise, "zero; nothing is believed"),
	MAPPING(msync, sys_msync, "not asked: the list of mappings"),
	MAPPING(mlock, sys_mlock, "not asked: the list of mappings"),
	MAPPING(mlock2, sys_mlock, "not asked: the list of mappings"),
	MAPPING(munlock, sys_mlock, "not asked: the list of mappings"),
	HANDLED(mlockall, sys_mlockall, "not asked: the list of mappings"),
	HANDLED(munlockall, sys_mlockall, "not asked: the list of mappings"),
	MAPPING(mincore, sys_mincore, "the list of mappings; one bit for each page is believed"),
	MAPPING(brk, sys_brk, "the list of mappings (mm.c)"),
	HANDLED(shmget, sys_shmget, "a number that no other one has"),
	HANDLED(shmctl, sys_shmctl, "a number; the size is as the program knows it"),
	MAPPING(shmat, sys_shmat, "the address that was asked for"),
	MAPPING(shmdt, sys_shmdt, "the list of mappings (mm.c)"),

	/* Time */
	HANDLED(clock_gettime, sys_clock_gettime, "not asked: the hypervisor; processor time: a time"),
	HANDLED(gettimeofday, sys_gettimeofday, "not asked: the hypervisor"),
	HANDLED(time, sys_time, "not asked: the hypervisor"),
	PLAIN(clock_getres, ZERO, V, OUT_OPT(struct __kernel_timespec)),
	HANDLED(nanosleep, sys_nanosleep, "zero, not before the hypervisor's time has come"),
	HANDLED(clock_nanosleep, sys_nanosleep, "zero, not before the hypervisor's time has come"),
	PLAIN(alarm, SURE_U32, V),
	HANDLED(timer_create, sys_timer_create, "a number that no other timer has"),
	HANDLED(timer_settime, sys_timer_settime, "zero; times"),
	HANDLED(timer_delete, sys_timer_delete, "zero"),
	CHECKED(timer_gettime, is_timer, ZERO, V, OUT(struct __kernel_itimerspec)),
	PLAIN(timer_getoverrun, INT, V),
	CHECKED(getitimer, is_alarm, ZERO, V, OUT(itimerval)),
	CHECKED(setitimer, is_alarm_before, ZERO, V, IN_OPT(itimerval), OUT_OPT(itimerval)),
	PLAIN(times, LONG, OUT_OPT(struct tms)),
	/* The kernel's own clock, which the program does not see. */
	PLAIN(settimeofday, ZERO, IN_OPT(struct __kernel_old_timeval), IN_OPT(struct timezone)),
	PLAIN(clock_settime, ZERO, V, IN(struct __kernel_timespec)),

	/* Identity, limits, the machine */
	PLAIN(getpid, SURE_INT),
	PLAIN(getppid, SURE_INT),
	HANDLED(gettid, sys_gettid, "not asked again"),
	PLAIN(getpgrp, SURE_INT),
	PLAIN(getpgid, INT, V),
	PLAIN(setpgid, ZERO, V, V),
	PLAIN(getsid, INT, V),
	PLAIN(setsid, INT),
	PLAIN(getuid, SURE_U32),
	PLAIN(geteuid, SURE_U32),
	PLAIN(getgid, SURE_U32),
	PLAIN(getegid, SURE_U32),
	PLAIN(getresuid, ZERO, OUT(u32), OUT(u32), OUT(u32)),
	PLAIN(getresgid, ZERO, OUT(u32), OUT(u32), OUT(u32)),
	PLAIN(setuid, ZERO, V),
	PLAIN(setgid, ZERO, V),
	PLAIN(setreuid, ZERO, V, V),
	PLAIN(setregid, ZERO, V, V),
	PLAIN(setresuid, ZERO, V, V, V),
	PLAIN(setresgid, ZERO, V, V, V),
	PLAIN(setfsuid, SURE_U32, V),
	PLAIN(setfsgid, SURE_U32, V),
	HANDLED(getgroups, sys_getgroups, "not more than asked for"),
	PLAIN(setgroups, ZERO, V, IN_BUF_OPT(0, u32)),
	HANDLED(capget, sys_capabilities, "zero"),
	HANDLED(capset, sys_capabilities, "zero"),
	PLAIN(personality, U32, V),
	CHECKED(uname, is_uname, ZERO, OUT(struct new_utsname)),
	PLAIN(sysinfo, ZERO, OUT(struct sysinfo)),
	HANDLED(getrlimit, sys_rlimit, "zero; the limit of descriptors is kept to"),
	HANDLED(setrlimit, sys_rlimit, "zero; the limit of descriptors is kept to"),
	HANDLED(prlimit64, sys_rlimit, "zero; the limit of descriptors is kept to"),
	PLAIN(getrusage, ZERO, V, OUT(struct rusage)),
	PLAIN(getpriority, INT, V, V),
	PLAIN(setpriority, ZERO, V, V, V),
	PLAIN(sched_yield, ZERO),
	PLAIN(sched_getaffinity, ARG(1), V, V, OUT_BUF(1, char)),
	PLAIN(sched_setaffinity, ZERO, V, V, IN_BUF(1, char)),
	CHECKED(sched_getparam, is_priority, ZERO, V, OUT(int)),
	PLAIN(sched_setparam, ZERO, V, IN(int)),
	PLAIN(sched_getscheduler, INT, V),
	PLAIN(sched_setscheduler, ZERO, V, V, IN(int)),
	PLAIN(sched_get_priority_max, INT, V),
	PLAIN(sched_get_priority_min, INT, V),
	CHECKED(sched_rr_get_interval, is_interval, ZERO, V, OUT(struct __kernel_timespec)),
	PLAIN(ioprio_get, INT, V, V),
	PLAIN(ioprio_set, ZERO, V, V, V),
	CHECKED(getcpu, is_cpu, ZERO, OUT_OPT(u32), OUT_OPT(u32)),
	HANDLED(getrandom, sys_getrandom, "not asked: the hypervisor"),
	PLAIN(sethostname, ZERO, IN_BUF(1, char), V),
	PLAIN(setdomainname, ZERO, IN_BUF(1, char), V),
	HANDLED(syslog, sys_syslog, "not more than asked for"),
	PLAIN(vhangup, ZERO),
	PLAIN(reboot, ZERO, V, V, V),

	/* The process */
	HANDLED(clone, sys_clone, "a number; the hypervisor: that a child starts if and only if it was made"),
	HANDLED(fork, sys_fork, "a number; the hypervisor: that a child starts if and only if it was made"),
	HANDLED(vfork, sys_fork, "a number; the hypervisor: that a child starts if and only if it was made"),
	HANDLED(execve, sys_execve, "it does not come back but with an error"),
	HANDLED(execveat, sys_execve, "it does not come back but with an error"),
	HANDLED(exit, sys_exit, "it does not come back"),
	HANDLED(exit_group, sys_exit, "it does not come back"),
	HANDLED(arch_prctl, sys_arch_prctl, "not asked: the hypervisor"),
	HANDLED(set_tid_address, sys_set_tid_address, "not asked"),
	HANDLED(set_robust_list, sys_set_robust_list, "not asked"),
	HANDLED(futex, sys_futex, "not asked: the list of waiters (futex.c)"),
	HANDLED(rt_sigaction, sys_rt_sigaction, "not asked; at first: default or ignored"),
	HANDLED(rt_sigprocmask, sys_rt_sigprocmask, "not asked"),
	HANDLED(rt_sigpending, sys_rt_sigpending, "zero"),
	HANDLED(rt_sigsuspend, sys_rt_sigsuspend, "zero"),
	HANDLED(rt_sigtimedwait, sys_rt_sigtimedwait, "a signal that was asked for"),
	HANDLED(rt_sigreturn, sys_rt_sigreturn, "not asked"),
	HANDLED(sigaltstack, sys_sigaltstack, "not asked"),
	PLAIN(rt_sigqueueinfo, ZERO, V, V, IN(siginfo_t)),
	PLAIN(rt_tgsigqueueinfo, ZERO, V, V, V, IN(siginfo_t)),
	PLAIN(pause, ZERO),
	PLAIN(kill, ZERO, V, V),
	PLAIN(tkill, ZERO, V, V),
	PLAIN(tgkill, ZERO, V, V, V),
	PLAIN_AGAIN(wait4, INT, V, OUT_OPT(int), V, OUT_OPT(struct rusage)),
	[__NR_waitid] = { .name = "waitid", .arg = { V, V, OUT_OPT(siginfo_t), V, OUT_OPT(struct rusage) }, ZERO, .check = is_child, .restarts = true },
	PLAIN(pidfd_open, FD, V, V),
	PLAIN(pidfd_getfd, FD, V, V, V),
	PLAIN(pidfd_send_signal, ZERO, V, V, IN_OPT(siginfo_t), V),
	HANDLED(prctl, sys_prctl, "by command: a number, a name with an end"),
};

/* Of all that Linux has, for messages: made from its header. */
const char *const call_names[CALL_COUNT] = {
#include "names.inc"
};
