/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shim.h - the run-time inside a protected program. Read this first.
 *
 * The patched libc calls __inktag_syscall where it used to execute `syscall` (entry.S). An
 * unprotected process goes straight on to the kernel; in a protected one the call goes
 *
 *	__inktag_syscall -> shim_dispatch -> the row of table.c -> its handler -> hc.c
 *
 * and what comes back from the kernel is untrusted. Three rules hold everywhere:
 *
 *   - the kernel is only given values and addresses in the arena (arena.c), never an address
 *     of protected memory;
 *   - what it leaves in the arena is copied into protected memory once, after the result of
 *     the call was found possible (marshal.c), and examined only there;
 *   - an impossible answer ends the process (report.c: shim_lie()); it is not an error code.
 *
 * start.c    verifies the state in which the loader left us, builds the program's stack
 * desc.c     the descriptor array: the list of mappings, in address order
 * mm.c       mmap and its kin, each checked against the list; heap.c: brk on top of it
 * arena.c    buffers the kernel can see; each thread has its own
 * thread.c   threads and processes: making and ending them (thread.h: what is known of each)
 * lock.c     locks among the threads; futex.c: the program's futexes; owners.c: whose a thread id is
 * signal.c   signals
 * table.c    one row for each system call; marshal.c executes the plain ones
 * file.c     read and write in pieces, directories, poll; xattr.c
 * protect.h  protected files: a map of its own
 * fds.c      what is remembered of descriptors, watch.c: for other processes, too; event.c: epoll and its kin, on top of it
 * socket.c   messages, addresses, options
 * command.c  ioctl and other calls with a command; ipc.c: POSIX's and System V's
 * clock.c    time from the hypervisor
 * process.c  exec, thread pointer, groups, randomness
 * report.c   messages on stderr (format.c); the end when the kernel lies
 *
 * Several threads may be in a handler, so what they share has a lock. No signal interrupts one: it waits until
 * the thread leaves the shim (signal.c).
 */
#ifndef SHIM_H
#define SHIM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <inktag/abi.h>
#include "start.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef unsigned long u64;
typedef long s64;

#define fallthrough	__attribute__((fallthrough))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE_DOWN(x)	((x) & ~(INKTAG_PAGE_SIZE - 1))
#define PAGE_UP(x)	PAGE_DOWN((x) + INKTAG_PAGE_SIZE - 1)
#define IS_ERR(r)	((u64)(r) >= (u64)-4095L)

/*
 * Kernel-chosen mappings must stay out of [INKTAG_DESC_BASE, INKTAG_STACK_TOP): array, arena,
 * heap and stack stand there, and room for them to grow.
 */
#define SHIM_FIXED_BASE	INKTAG_DESC_BASE
#define SHIM_FIXED_END	INKTAG_STACK_TOP

/* entry.S */
extern u8 shim_protected;

/* From the kernel's <linux/errno.h>: a handler was interrupted, and may be called again after the signal. */
#define ERESTARTSYS	512

/*
 * entry.S: the system call. -EINTR if there is a signal to be handled first; then the whole handler is
 * called again afterwards, so nothing may have happened that must not happen twice.
 */
long hc_syscall(long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);

/* hc.c: the hypercalls. This one makes the call whatever signals there are. */
long hc_syscall_must(long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
long hc_unmap(u64 addr, u64 npages, u64 serial, u64 index);
_Noreturn void hc_exit(int code);
long hc_set_fsbase(u64 base);
long hc_set_gsbase(u64 base);
long hc_signal_entry(u64 rip, u64 rsp);
void hc_signal_regs(struct inktag_regs *regs, bool set);
long hc_random(u64 out[4]);
long hc_descriptors(void);
long hc_share(u64 serial, bool leave);
long hc_ended(u64 hap);
/* Of a file: as INKTAG_HC_FILE_NAME answers. */
struct file_name {
	u64 oid[2], length, names;
};

long hc_file_name(enum inktag_name_op op, const char *paths, u64 size, struct file_name *out);
long hc_file_open(u64 serial, const u64 oid[2]);
long hc_file_length(u64 serial, enum inktag_length_op op, u64 length);
long hc_file_sync(u64 serial, enum inktag_sync_op op, u64 arg);
long hc_clock(u64 *realtime, u64 *boottime);
long hc_violation(enum inktag_check check, u64 addr, u64 arg);

/* string.c. The libc's own would use vector registers, which a system call must preserve. */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t shim_strnlen(const char *s, size_t max);

/* format.c: the length; no NUL at the end, and what does not fit is cut off. Knows %s, %ld, %lx. */
size_t vformat(char *buf, size_t size, const char *fmt, va_list ap);
size_t format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* report.c */
void shim_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The call is not offered: one line for each number, then -ENOSYS. */
long shim_missing(long nr, const char *what);
/* Ends this program, because its kernel lies. */
_Noreturn void shim_violation(enum inktag_check check, u64 addr, u64 arg, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The kernel answered system call nr with the impossible result r. */
_Noreturn void shim_lie(long nr, u64 r, const char *why);

/* arena.c */
#define ARENA_CODE_SIZE		INKTAG_PAGE_SIZE	/* the stub */
#define ARENA_STACK_SIZE	0x10000UL		/* the kernel-visible stack, at the end */
#define ARENA_BUF		(INKTAG_ARENA_BASE + ARENA_CODE_SIZE)
#define ARENA_WORDS		(INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE - ARENA_STACK_SIZE - INKTAG_PAGE_SIZE)
#define ARENA_WORDS_COUNT	64	/* of the first arena: what waiters for a lock sleep on */
#define ARENA_PIECE		0x80000UL		/* the most data in one read or write */

/* lock.c: a thread that holds locks does not go to the program, and takes them in the order of thread.c. */
struct lock {
	u32 state;
};

void lock(struct lock *l);
void unlock(struct lock *l);
extern struct lock threads_lock, protect_lock, mm_lock, waiters_lock, files_lock, actions_lock, timers_lock, sizes_lock;

u64 arena_mark(void);
void arena_release(u64 mark);
/* size bytes, aligned to 16; NULL if there is no room. Contents are whatever the kernel left. */
void *arena_alloc(u64 size);

/* marshal.c */
bool user_range_ok(u64 addr, u64 len);
bool iov_ok(u64 iov, u64 count, u64 *total);
/* r as an error, or within 0..max; anything else is a lie. */
long checked(long nr, long r, u64 max);

/* table.c */
enum arg_kind {
	ARG_NONE,	/* no argument: the kernel gets 0, not what is in the register */
	ARG_VALUE,
	ARG_STRING,	/* in: path, bounded by PATH_MAX */
	ARG_IN,		/* in: struct of `size` bytes */
	ARG_OUT,	/* out: the same */
	ARG_INOUT,
	ARG_IN_BUF,	/* in: args[by] * size bytes, at most ARENA_PIECE */
	ARG_OUT_BUF,	/* out: the same; the result says how many of them are filled */
};

struct arg {
	u8 kind;	/* enum arg_kind */
	bool optional;	/* may be NULL */
	u8 by;
	u16 size;
};

enum result {
	RESULT_ZERO,
	RESULT_INT,	/* 0..INT_MAX: process ids, counts */
	RESULT_FD,	/* a new descriptor; see fds_new() */
	RESULT_U32,	/* user ids */
	RESULT_SURE_INT,	/* the same two, of a call that cannot fail */
	RESULT_SURE_U32,
	RESULT_LONG,	/* 0..LONG_MAX: offsets */
	RESULT_ARG,	/* 0..args[count] */
};

struct call {
	const char *name;
	/* Handles the whole call; NULL: marshal_call() does, by the fields below. */
	long (*handler)(long nr, const u64 args[6]);
	struct arg arg[6];
	u8 result;	/* enum result */
	u8 count;
	bool restarts;	/* after a signal with SA_RESTART it is made again; signal(7) */
	bool maps;	/* it changes mappings: mm_lock is held */
	/* Examines what was copied out: the trusted copies are at args[]. False: a lie. */
	bool (*check)(long r, const u64 args[6]);
};

#define CALL_COUNT	512
extern const struct call call_table[CALL_COUNT];
extern const char *const call_names[CALL_COUNT];

long marshal_call(long nr, const struct call *call, const u64 args[6]);

/* The first signal that waits lets the call be made again. */
bool signal_restarts(void);
/* The program gave the call that it is in a mask, which stands there. */
void signal_call_mask(u64 addr);

/* mm.c, heap.c. With mm_lock held, but for mm_map_own() and mm_unmap_own(), which take it. */
struct desc_list;
extern struct desc_list mm_list;
long mm_map_at(u64 addr, u64 len, u32 prot, u32 kernel_flags);
bool mm_grow(u64 end, u64 len);
long mm_unmap(u64 addr, u64 len);
/* Memory of the shim's own, which the program cannot change: INKTAG_KIND_PRIVATE or _UNCLOAKED. */
long mm_map_own(u64 len, u16 kind);
void mm_unmap_own(u64 addr);

/*
 * Does an access that faulted (INKTAG_PROT_*) succeed, if the kernel does its work? Not known of windows onto what is the
 * kernel's: false. Takes mm_lock.
 */
bool mm_allows(u64 addr, u32 access);

/* Whose a futex is. SHARED: *name is the same in all processes that share it. Takes mm_lock. */
enum futex_place { FUTEX_OWN, FUTEX_SHARED, FUTEX_KERNELS };
enum futex_place mm_futex_place(u64 addr, u64 *name);
/* Memory of the shim's own that children share: INKTAG_KIND_PRIVATE or _UNCLOAKED. With mm_lock. */
long mm_map_common(u64 len, u16 kind);
/* Is there memory that children of this process share with it? With mm_lock. */
bool mm_has_shared(void);
long sys_mmap(long nr, const u64 args[6]);
long sys_munmap(long nr, const u64 args[6]);
long sys_mprotect(long nr, const u64 args[6]);
long sys_mremap(long nr, const u64 args[6]);
long sys_madvise(long nr, const u64 args[6]);
long sys_msync(long nr, const u64 args[6]);
long sys_brk(long nr, const u64 args[6]);

/* file.c */
long file_read(int fd, void *buf, u64 len, s64 offset);
/* What kind of file it is, as the kernel says; 0: it does not. */
u32 file_mode(int fd);
long sys_read(long nr, const u64 args[6]);
long sys_write(long nr, const u64 args[6]);
long sys_pread(long nr, const u64 args[6]);
long sys_pwrite(long nr, const u64 args[6]);
long sys_readv(long nr, const u64 args[6]);
long sys_writev(long nr, const u64 args[6]);
long sys_preadv(long nr, const u64 args[6]);
long sys_pwritev(long nr, const u64 args[6]);
long sys_open(long nr, const u64 args[6]);
long sys_getdents64(long nr, const u64 args[6]);
long sys_ioctl(long nr, const u64 args[6]);
long sys_fcntl(long nr, const u64 args[6]);
long sys_poll(long nr, const u64 args[6]);
long sys_ppoll(long nr, const u64 args[6]);
long sys_select(long nr, const u64 args[6]);

/* clock.c. Times are in nanoseconds. */
#define NSEC		1000000000UL
struct __kernel_timespec clock_timespec(u64 ns);
/* Not below zero, and less than a second of nanoseconds. */
bool clock_valid(const struct __kernel_timespec *ts);
/* When it is over: on CLOCK_REALTIME or, relative or not, CLOCK_MONOTONIC. -EINVAL */
long clock_end(const struct __kernel_timespec *ts, bool absolute, u64 *end);
/* What is left until then; 0: it is over. */
long clock_until(u64 end, bool realtime, u64 *left);
/*
 * The kernel's clocks start elsewhere than the program's: of a timer's absolute end, what it gets. 1 ns: that is over; 0
 * stays 0, which turns a timer off. -EINVAL
 */
long clock_relative(struct __kernel_timespec *ts, bool realtime);
long sys_clock_gettime(long nr, const u64 args[6]);
long sys_gettimeofday(long nr, const u64 args[6]);
long sys_time(long nr, const u64 args[6]);
long sys_nanosleep(long nr, const u64 args[6]);

/* thread.c */
long sys_clone(long nr, const u64 args[6]);
long sys_fork(long nr, const u64 args[6]);
long sys_exit(long nr, const u64 args[6]);
long sys_gettid(long nr, const u64 args[6]);
long sys_set_tid_address(long nr, const u64 args[6]);
long sys_set_robust_list(long nr, const u64 args[6]);

/* futex.c. share: there is shared memory from now on. With mm_lock. */
void futex_share(void);
long sys_futex(long nr, const u64 args[6]);

/* signal.c */
long sys_rt_sigaction(long nr, const u64 args[6]);
long sys_rt_sigprocmask(long nr, const u64 args[6]);
long sys_rt_sigpending(long nr, const u64 args[6]);
long sys_rt_sigsuspend(long nr, const u64 args[6]);
long sys_rt_sigtimedwait(long nr, const u64 args[6]);
long sys_rt_sigreturn(long nr, const u64 args[6]);
long sys_sigaltstack(long nr, const u64 args[6]);

/* timer.c */
long sys_timer_create(long nr, const u64 args[6]);
long sys_timer_settime(long nr, const u64 args[6]);
long sys_timer_delete(long nr, const u64 args[6]);

/* segment.c */
long sys_shmget(long nr, const u64 args[6]);
long sys_shmctl(long nr, const u64 args[6]);
long sys_shmat(long nr, const u64 args[6]);
long sys_shmdt(long nr, const u64 args[6]);

/* process.c */
long sys_execve(long nr, const u64 args[6]);
long sys_arch_prctl(long nr, const u64 args[6]);
long sys_getgroups(long nr, const u64 args[6]);
long sys_getrandom(long nr, const u64 args[6]);

/* file.c */
struct iovec;
/* Copies len bytes between the arena and the program's vector, from byte `skip` of it on. */
void iov_copy(const struct iovec *iov, u64 skip, char *buf, u64 len, bool to_program);
/* Can the program mean this vector? How long it is. */
long iov_check(u64 iov, u64 count, u64 *total);
/* Has this end of a pipe data, or room for PIPE_BUF bytes? */
bool file_is_ready(int fd, short event);
long sys_vmsplice(long nr, const u64 args[6]);
long sys_sendfile(long nr, const u64 args[6]);
long sys_splice(long nr, const u64 args[6]);

/* fds.c */
/*
 * r as the number of a new descriptor, or an error. That of an open one is a lie; one that the program does not expect
 * is given back: -EMFILE.
 */
long fds_new(long nr, long r);
long sys_pair(long nr, const u64 args[6]);
long sys_rlimit(long nr, const u64 args[6]);
long sys_close(long nr, const u64 args[6]);
long sys_close_range(long nr, const u64 args[6]);
long sys_dup(long nr, const u64 args[6]);

/* event.c */
long sys_epoll_create(long nr, const u64 args[6]);
long sys_epoll_ctl(long nr, const u64 args[6]);
long sys_epoll_wait(long nr, const u64 args[6]);
long sys_epoll_pwait2(long nr, const u64 args[6]);
long sys_eventfd(long nr, const u64 args[6]);
long sys_timerfd_create(long nr, const u64 args[6]);
long sys_timerfd_settime(long nr, const u64 args[6]);
long sys_timerfd_gettime(long nr, const u64 args[6]);
long sys_signalfd(long nr, const u64 args[6]);
long sys_inotify_init(long nr, const u64 args[6]);
long sys_inotify_add_watch(long nr, const u64 args[6]);

/* socket.c */
long sys_sendmsg(long nr, const u64 args[6]);
long sys_recvmsg(long nr, const u64 args[6]);
long sys_sendto(long nr, const u64 args[6]);
long sys_recvfrom(long nr, const u64 args[6]);
long sys_sendmmsg(long nr, const u64 args[6]);
long sys_recvmmsg(long nr, const u64 args[6]);
long sys_accept(long nr, const u64 args[6]);
long sys_getsockname(long nr, const u64 args[6]);
long sys_getsockopt(long nr, const u64 args[6]);
long sys_setsockopt(long nr, const u64 args[6]);

/* command.c */
long sys_prctl(long nr, const u64 args[6]);
long sys_syslog(long nr, const u64 args[6]);

/*
 * ipc.c. What the program knows of the sizes of semaphore sets and segments. got: id is the answer to semget or shmget,
 * size what was asked for; an error is passed on. told: by IPC_STAT. What cannot be is a lie.
 */
enum ipc_kind { IPC_SEMAPHORES = 1, IPC_SEGMENT };
long ipc_got(long nr, enum ipc_kind kind, long id, const u64 args[6], u64 size);
void ipc_told(long nr, enum ipc_kind kind, int id, u64 size);
void ipc_removed(enum ipc_kind kind, int id);
long sys_mq_open(long nr, const u64 args[6]);
long sys_mq_timedsend(long nr, const u64 args[6]);
long sys_mq_timedreceive(long nr, const u64 args[6]);
long sys_mq_notify(long nr, const u64 args[6]);
long sys_msgsnd(long nr, const u64 args[6]);
long sys_msgrcv(long nr, const u64 args[6]);
long sys_msgctl(long nr, const u64 args[6]);
long sys_semget(long nr, const u64 args[6]);
long sys_semctl(long nr, const u64 args[6]);

/* xattr.c */
long sys_getxattr(long nr, const u64 args[6]);
long sys_listxattr(long nr, const u64 args[6]);

/* misc.c */
long sys_capabilities(long nr, const u64 args[6]);
long sys_mlock(long nr, const u64 args[6]);
long sys_mlockall(long nr, const u64 args[6]);
long sys_mincore(long nr, const u64 args[6]);

#endif
