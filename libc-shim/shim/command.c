// SPDX-License-Identifier: LGPL-2.1-or-later
/* command.c - calls whose arguments depend on a command: ioctl, fcntl, prctl, syslog, those of System V in ipc.c. */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include "command.h"
#include "fds.h"

#define INT_MAX		0x7fffffffL
#define IFCONF_MAX	0x10000
#define TASK_NAME	16

/* Linux's struct ifreq and ifconf; their headers need a libc's. */
struct ifreq {
	char name[16];
	u64 value[3];
};

struct ifconf {
	int len;
	u64 buf;
};

long command_call(long nr, const u64 args[6], int at, const struct command *table, size_t count, long unknown)
{
	struct call row = { .result = RESULT_INT };
	size_t i;
	int k;

	for (k = 0; k <= at; k++)
		row.arg[k].kind = ARG_VALUE;
	for (i = 0; i < count; i++) {
		if (table[i].command != (u32)args[at])
			continue;
		row.arg[at + 1] = (struct arg){ .kind = table[i].kind, .size = table[i].size };
		row.check = table[i].check;
		return marshal_call(nr, &row, args);
	}
	shim_missing(nr, " with this command");
	return unknown;
}

/* Counts of bytes, by which programs allocate and loop. */
static bool is_count(long r, const u64 args[6])
{
	return *(const int *)args[2] >= 0;
}

static bool is_ifreq(long r, const u64 args[6])
{
	const struct ifreq *ifr = (const void *)args[2];

	return shim_strnlen(ifr->name, sizeof(ifr->name)) < sizeof(ifr->name);
}

#define IFREQ_OUT(c)	{ c, ARG_INOUT, sizeof(struct ifreq), is_ifreq }
#define IFREQ_IN(c)	{ c, ARG_IN, sizeof(struct ifreq) }
#define INT_OUT(c)	{ c, ARG_OUT, sizeof(int) }
#define INT_IN(c)	{ c, ARG_IN, sizeof(int) }

static const struct command ioctls[] = {
	/* Terminals */
	{ TCGETS, ARG_OUT, sizeof(struct termios) },
	{ TCSETS, ARG_IN, sizeof(struct termios) },
	{ TCSETSW, ARG_IN, sizeof(struct termios) },
	{ TCSETSF, ARG_IN, sizeof(struct termios) },
	{ TCGETA, ARG_OUT, sizeof(struct termio) },
	{ TCSETA, ARG_IN, sizeof(struct termio) },
	{ TCSETAW, ARG_IN, sizeof(struct termio) },
	{ TCSETAF, ARG_IN, sizeof(struct termio) },
	{ TCGETS2, ARG_OUT, sizeof(struct termios2) },
	{ TCSETS2, ARG_IN, sizeof(struct termios2) },
	{ TCSETSW2, ARG_IN, sizeof(struct termios2) },
	{ TCSETSF2, ARG_IN, sizeof(struct termios2) },
	{ TCSBRK, ARG_VALUE },
	{ TCSBRKP, ARG_VALUE },
	{ TCXONC, ARG_VALUE },
	{ TCFLSH, ARG_VALUE },
	{ TIOCSBRK, ARG_NONE },
	{ TIOCCBRK, ARG_NONE },
	{ TIOCEXCL, ARG_NONE },
	{ TIOCNXCL, ARG_NONE },
	INT_OUT(TIOCGEXCL),
	{ TIOCGWINSZ, ARG_OUT, sizeof(struct winsize) },
	{ TIOCSWINSZ, ARG_IN, sizeof(struct winsize) },
	INT_OUT(TIOCGPGRP),
	INT_IN(TIOCSPGRP),
	INT_OUT(TIOCGSID),
	{ TIOCSCTTY, ARG_VALUE },
	{ TIOCNOTTY, ARG_NONE },
	{ TIOCVHANGUP, ARG_NONE },
	{ TIOCOUTQ, ARG_OUT, sizeof(int), is_count },
	{ TIOCSTI, ARG_IN, sizeof(char) },
	INT_OUT(TIOCMGET),
	INT_IN(TIOCMSET),
	INT_IN(TIOCMBIS),
	INT_IN(TIOCMBIC),
	INT_OUT(TIOCGETD),
	INT_IN(TIOCSETD),
	INT_OUT(TIOCGSOFTCAR),
	INT_IN(TIOCSSOFTCAR),
	INT_OUT(TIOCGDEV),
	INT_IN(TIOCPKT),
	INT_OUT(TIOCGPKT),
	{ TIOCGPTN, ARG_OUT, sizeof(int), is_count },
	INT_IN(TIOCSPTLCK),
	INT_OUT(TIOCGPTLCK),
	{ TIOCGPTPEER, ARG_VALUE },
	{ TIOCSIG, ARG_VALUE },

	/* Any descriptor */
	{ FIONREAD, ARG_OUT, sizeof(int), is_count },
	INT_IN(FIONBIO),
	INT_IN(FIOASYNC),
	{ FIOQSIZE, ARG_OUT, sizeof(u64) },
	{ FIOCLEX, ARG_NONE },
	{ FIONCLEX, ARG_NONE },

	/* Files and block devices */
	{ FICLONE, ARG_VALUE },
	INT_OUT(FIGETBSZ),
	{ BLKGETSIZE64, ARG_OUT, sizeof(u64) },
	{ BLKGETSIZE, ARG_OUT, sizeof(u64) },
	INT_OUT(BLKSSZGET),
	INT_OUT(BLKPBSZGET),
	INT_OUT(BLKBSZGET),
	INT_OUT(BLKROGET),
	INT_IN(BLKROSET),
	{ BLKFLSBUF, ARG_NONE },
	{ BLKRRPART, ARG_NONE },
	{ BLKDISCARD, ARG_IN, sizeof(u64[2]) },
	INT_OUT(FS_IOC_GETFLAGS),
	INT_IN(FS_IOC_SETFLAGS),
	INT_OUT(FS_IOC_GETVERSION),

	/* Sockets */
	INT_OUT(SIOCATMARK),
	INT_OUT(SIOCGPGRP),
	INT_IN(SIOCSPGRP),
	IFREQ_OUT(SIOCGIFNAME),
	IFREQ_OUT(SIOCGIFINDEX),
	IFREQ_OUT(SIOCGIFFLAGS),
	IFREQ_OUT(SIOCGIFADDR),
	IFREQ_OUT(SIOCGIFDSTADDR),
	IFREQ_OUT(SIOCGIFBRDADDR),
	IFREQ_OUT(SIOCGIFNETMASK),
	IFREQ_OUT(SIOCGIFMETRIC),
	IFREQ_OUT(SIOCGIFMTU),
	IFREQ_OUT(SIOCGIFHWADDR),
	IFREQ_OUT(SIOCGIFTXQLEN),
	IFREQ_OUT(SIOCGIFMAP),
	IFREQ_IN(SIOCSIFFLAGS),
	IFREQ_IN(SIOCSIFADDR),
	IFREQ_IN(SIOCSIFDSTADDR),
	IFREQ_IN(SIOCSIFBRDADDR),
	IFREQ_IN(SIOCSIFNETMASK),
	IFREQ_IN(SIOCSIFMETRIC),
	IFREQ_IN(SIOCSIFMTU),
	IFREQ_IN(SIOCSIFHWADDR),
	IFREQ_IN(SIOCSIFTXQLEN),
	IFREQ_IN(SIOCSIFNAME),
};

/* The list of interfaces: a buffer behind a pointer in the structure. */
static long ifconf(long nr, const u64 args[6])
{
	u64 mark = arena_mark();
	struct ifconf *conf = (void *)args[2], *k;
	const struct ifreq *ifr;
	long r = -ENOMEM, n, i;
	int room, len;
	void *buf;

	if (!user_range_ok(args[2], sizeof(*conf)))
		return -EFAULT;
	room = conf->len < IFCONF_MAX ? conf->len : IFCONF_MAX;
	if (conf->buf && room < 0)
		return -EINVAL;
	if (conf->buf && room && !user_range_ok(conf->buf, room))
		return -EFAULT;
	k = arena_alloc(sizeof(*k));
	buf = arena_alloc(conf->buf ? room : 0);
	if (k && buf) {
		*k = (struct ifconf){ room, conf->buf ? (u64)buf : 0 };
		r = checked(nr, hc_syscall(nr, args[0], args[1], (u64)k, 0, 0, 0), 0);
	}
	if (!IS_ERR(r)) {
		len = *(volatile int *)&k->len;
		if (len < 0 || (conf->buf && len > room) || len % (int)sizeof(*ifr))
			shim_lie(nr, len, "the list of interfaces has no such length");
		conf->len = len;
		ifr = (const void *)conf->buf;
		n = conf->buf ? len / sizeof(*ifr) : 0;
		memcpy((void *)conf->buf, buf, n * sizeof(*ifr));
		for (i = 0; i < n; i++)
			if (shim_strnlen(ifr[i].name, sizeof(ifr->name)) == sizeof(ifr->name))
				shim_lie(nr, i, "the name of an interface has no end");
	}
	arena_release(mark);
	return r;
}

long sys_ioctl(long nr, const u64 args[6])
{
	long r;

	if ((u32)args[1] == SIOCGIFCONF)
		return ifconf(nr, args);
	r = command_call(nr, args, 1, ioctls, ARRAY_SIZE(ioctls), -ENOTTY);
	return (u32)args[1] == TIOCGPTPEER ? fds_new(nr, r) : r;
}

/* A program that asks for a number from here on takes it to be free for that. */
static bool is_not_below(long r, const u64 args[6])
{
	return r >= (int)args[2];
}

static const struct command fcntls[] = {
	{ F_DUPFD, ARG_VALUE, 0, is_not_below },
	{ F_DUPFD_CLOEXEC, ARG_VALUE, 0, is_not_below },
	{ F_GETFD, ARG_NONE },
	{ F_SETFD, ARG_VALUE },
	{ F_GETFL, ARG_NONE },
	{ F_SETFL, ARG_VALUE },
	{ F_SETPIPE_SZ, ARG_VALUE },
	{ F_GETPIPE_SZ, ARG_NONE },
	{ F_GETLK, ARG_INOUT, sizeof(struct flock) },
	{ F_SETLK, ARG_IN, sizeof(struct flock) },
	{ F_SETLKW, ARG_IN, sizeof(struct flock) },
	{ F_OFD_GETLK, ARG_INOUT, sizeof(struct flock) },
	{ F_OFD_SETLK, ARG_IN, sizeof(struct flock) },
	{ F_OFD_SETLKW, ARG_IN, sizeof(struct flock) },
	{ F_SETOWN, ARG_VALUE },
	{ F_GETOWN_EX, ARG_OUT, sizeof(struct f_owner_ex) },
	{ F_SETOWN_EX, ARG_IN, sizeof(struct f_owner_ex) },
	{ F_SETSIG, ARG_VALUE },
	{ F_GETSIG, ARG_NONE },
	{ F_SETLEASE, ARG_VALUE },
	{ F_GETLEASE, ARG_NONE },
	{ F_ADD_SEALS, ARG_VALUE },
	{ F_GET_SEALS, ARG_NONE },
};

/* F_GETOWN gives process groups as negative numbers, which could be errors. Linux has a newer command that cannot. */
static long get_owner(long nr, const u64 args[6])
{
	struct f_owner_ex owner;
	const u64 given[6] = { args[0], F_GETOWN_EX, (u64)&owner };
	long r = command_call(nr, given, 1, fcntls, ARRAY_SIZE(fcntls), -EINVAL);

	return r ? r : owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}

long sys_fcntl(long nr, const u64 args[6])
{
	long r;

	if ((u32)args[1] == F_GETOWN)
		return get_owner(nr, args);
	r = command_call(nr, args, 1, fcntls, ARRAY_SIZE(fcntls), -EINVAL);
	if ((u32)args[1] == F_DUPFD || (u32)args[1] == F_DUPFD_CLOEXEC)
		r = fds_duplicated(args[0], fds_new(nr, r));
	return r;
}

static bool is_task_name(long r, const u64 args[6])
{
	return shim_strnlen((const char *)args[1], TASK_NAME) < TASK_NAME;
}

static const struct command prctls[] = {
	{ PR_SET_NAME, ARG_STRING },
	{ PR_GET_NAME, ARG_OUT, TASK_NAME, is_task_name },
	{ PR_SET_PDEATHSIG, ARG_VALUE },
	INT_OUT(PR_GET_PDEATHSIG),
	{ PR_SET_DUMPABLE, ARG_VALUE },
	{ PR_GET_DUMPABLE, ARG_NONE },
	{ PR_SET_KEEPCAPS, ARG_VALUE },
	{ PR_GET_KEEPCAPS, ARG_NONE },
	{ PR_SET_NO_NEW_PRIVS, ARG_VALUE },
	{ PR_GET_NO_NEW_PRIVS, ARG_NONE },
	{ PR_SET_CHILD_SUBREAPER, ARG_VALUE },
	INT_OUT(PR_GET_CHILD_SUBREAPER),
	{ PR_SET_SECUREBITS, ARG_VALUE },
	{ PR_GET_SECUREBITS, ARG_NONE },
	{ PR_CAPBSET_READ, ARG_VALUE },
	{ PR_CAPBSET_DROP, ARG_VALUE },
	{ PR_SET_TIMERSLACK, ARG_VALUE },
	{ PR_GET_TIMERSLACK, ARG_NONE },
	{ PR_SET_TIMING, ARG_VALUE },
	{ PR_GET_TIMING, ARG_NONE },
	{ PR_SET_THP_DISABLE, ARG_VALUE },
	{ PR_GET_THP_DISABLE, ARG_NONE },
	{ PR_SET_PTRACER, ARG_VALUE },
};

long sys_prctl(long nr, const u64 args[6])
{
	/* As a kernel that cannot name mappings. */
	if ((u32)args[0] == PR_SET_VMA)
		return -EINVAL;
	if ((u32)args[0] == PR_CAP_AMBIENT)
		return checked(nr, hc_syscall(nr, args[0], (u32)args[1], (u32)args[2], 0, 0, 0), 1);
	return command_call(nr, args, 0, prctls, ARRAY_SIZE(prctls), -EINVAL);
}

/* The kernel's log: commands 2 to 4 read it. */
long sys_syslog(long nr, const u64 args[6])
{
	static const struct call reads = {
		.arg = { { ARG_VALUE }, { ARG_OUT_BUF, .by = 2, .size = 1 }, { ARG_VALUE } },
		.result = RESULT_ARG, .count = 2,
	}, others = {
		.arg = { { ARG_VALUE }, { ARG_NONE }, { ARG_VALUE } },
		.result = RESULT_INT,
	};
	u64 given[6] = { args[0], args[1], args[2] };

	if ((int)args[0] < 2 || (int)args[0] > 4)
		return marshal_call(nr, &others, given);
	if ((int)args[2] < 0)
		return -EINVAL;
	if (given[2] > ARENA_PIECE)
		given[2] = ARENA_PIECE;
	return marshal_call(nr, &reads, given);
}
