// SPDX-License-Identifier: GPL-2.0-or-later
/* test_ipc.c - queues, semaphores, attributes, calls with a command, and the checks that rows of the table have. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "unit.h"

#define CANARY	0x5a

/* The kernel puts these bytes at the address in argument `at`, and returns this. */
static struct {
	int at;
	u8 data[256];
	u64 len;
	long result;
	u64 args[6];
} kernel;

static long answer(long nr, const u64 args[6])
{
	u64 to = args[kernel.at];

	memcpy(kernel.args, args, sizeof(kernel.args));
	if (kernel.len && to) {
		must(to >= ARENA_BUF && to + kernel.len <= ARENA_BUF_END, "call %ld: argument %d is 0x%lx", nr, kernel.at, to);
		memcpy((void *)to, kernel.data, kernel.len);
	}
	return kernel.result;
}

/* result, and what it leaves where */
static void answers(long result, int at, const void *data, u64 len)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.result = result;
	kernel.at = at;
	kernel.len = len;
	memcpy(kernel.data, data, len);
	fake.answer = answer;
}

static long call(long nr, u64 a, u64 b, u64 c, u64 d)
{
	must(!lies(nr, (const u64[6]){ a, b, c, d }), "call %ld is a lie", nr);
	return fake.result;
}

static bool is_lie(long nr, u64 a, u64 b, u64 c, u64 d)
{
	return lies(nr, (const u64[6]){ a, b, c, d });
}

/* --- System V ---------------------------------------------------------------------------------------- */

START_TEST(message_types)
{
	static const struct {
		s64 type, asked;
		u32 flags;
		bool is_lie;
	} cases[] = {
		{ 5, 0 }, { 5, 5 }, { 5, 6, MSG_EXCEPT }, { 5, -5 }, { 5, -9 }, { 5, INT64_MIN }, { 5, 3, MSG_COPY },
		{ 0, 0, 0, true }, { -1, 0, 0, true }, { 5, 6, 0, true }, { 5, 5, MSG_EXCEPT, true }, { 5, -4, 0, true },
		{ -1, 3, MSG_COPY, true },
	};
	u64 buf[4];
	unsigned int i;

	fake_reset();
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 reply[2] = { cases[i].type, 0x1122334455667788 };

		answers(6, 1, reply, sizeof(reply));
		memset(buf, CANARY, sizeof(buf));
		must(lies(SYS_msgrcv, (const u64[6]){ 3, (u64)buf, 8, cases[i].asked, cases[i].flags }) == cases[i].is_lie, "case %u", i);
		must(((u8 *)buf)[14] == CANARY, "case %u: what is behind the message", i);
		if (!cases[i].is_lie)
			must_be(fake.result == 6 && (s64)buf[0] == cases[i].type && ((u8 *)buf)[13] == 0x33);
	}
	answers(9, 1, "", 0);
	must_be(is_lie(SYS_msgrcv, 3, (u64)buf, 8, 0));
	must_be(call(SYS_msgrcv, 3, (u64)buf, -1UL, 0) == -EINVAL && call(SYS_msgrcv, 3, 8, 8, 0) == -EFAULT);
	answers(0, 1, "", 0);
	must_be(!call(SYS_msgsnd, 3, (u64)buf, 8, 0) && kernel.args[1] >= ARENA_BUF && !memcmp((void *)kernel.args[1], buf, 16));
	must_be(call(SYS_msgsnd, 3, (u64)buf, 1UL << 40, 0) == -EINVAL && call(SYS_msgsnd, 3, 8, 8, 0) == -EFAULT);
	answers(8, 1, "", 0);
	must_be(is_lie(SYS_msgsnd, 3, (u64)buf, 8, 0));
}
END_TEST

/* GETALL and SETALL move as many values as the program knows of. */
START_TEST(semaphores)
{
	struct semid_ds ds = { .sem_nsems = 5 };
	u16 all[8];
	unsigned int i;

	fake_reset();
	answers(7, 0, "", 0);
	must_be(call(SYS_semget, 1, 3, IPC_CREAT, 0) == 7);
	memset(kernel.data, 0x11, sizeof(kernel.data));
	kernel.at = 3;
	kernel.len = 64;
	kernel.result = 0;
	memset(all, CANARY, sizeof(all));
	must_be(!call(SYS_semctl, 7, 0, GETALL, (u64)all));
	for (i = 0; i < 8; i++)
		must_be(all[i] == (i < 3 ? 0x1111 : 0x5a5a));
	kernel.len = 0;
	must_be(!call(SYS_semctl, 7, 0, SETALL, (u64)all) && !memcmp((void *)kernel.args[3], all, 6) && !((u16 *)kernel.args[3])[3]);
	must_be(call(SYS_semctl, 8, 0, GETALL, (u64)all) == -ENOSYS && strstr(fake.said, "semctl"));
	answers(0, 3, &ds, sizeof(ds));
	must_be(!call(SYS_semctl, 8, 0, IPC_STAT, (u64)&ds) && ds.sem_nsems == 5);
	kernel.len = 0;
	must_be(!call(SYS_semctl, 8, 0, GETALL, (u64)all) && call(SYS_semctl, 8, 0, GETALL, 8) == -EFAULT);
	answers(32767, 0, "", 0);
	must_be(call(SYS_semctl, 7, 0, GETVAL, 0) == 32767);
	kernel.result = 32768;
	must_be(is_lie(SYS_semctl, 7, 0, GETVAL, 0));
	kernel.result = 1;
	must_be(is_lie(SYS_semctl, 7, 0, GETALL, (u64)all));
	must_be(call(SYS_semctl, 7, 0, 4711, 0) == -EINVAL && call(SYS_msgctl, 7, 4711, 0, 0) == -EINVAL);
	kernel.result = 0x80000000;
	must_be(is_lie(SYS_semget, 1, 3, 0, 0));
	/* More sets than are remembered: the oldest are forgotten, none is mixed up. */
	for (i = 100; i < 400; i++) {
		kernel.result = i;
		must_be(call(SYS_semget, 1, i - 95, 0, 0) == i);
	}
	kernel.result = 0;
	memset(all, CANARY, sizeof(all));
	must_be(call(SYS_semctl, 7, 0, GETALL, (u64)all) == -ENOSYS);
}
END_TEST

/* The program makes or looks for a set, and is told this id; then what IPC_STAT says of how many are in it. */
static bool is_set(int key, u32 count, int flags, int id)
{
	answers(id, 0, "", 0);
	return !is_lie(SYS_semget, key, count, flags, 0);
}

static bool has_count(int id, u64 count)
{
	struct semid_ds ds = { .sem_nsems = count };

	answers(0, 3, &ds, sizeof(ds));
	return !is_lie(SYS_semctl, id, 0, IPC_STAT, (u64)&ds);
}

/* No two sets have one id, and none has another size than the program knows. */
START_TEST(sets)
{
	u16 all[8];

	fake_reset();
	must_be(is_set(IPC_PRIVATE, 2, 0, 5) && is_set(IPC_PRIVATE, 2, 0, 6));
	must_be(!is_set(IPC_PRIVATE, 250, 0, 5));
	must_be(!is_set(IPC_PRIVATE, 2, 0, 5) && !is_set(9, 2, 0, 5));
	must_be(is_set(7, 3, IPC_CREAT, 8) && is_set(7, 5, 0, 8) && !is_set(9, 5, 0, 8) && !is_set(7, 5, IPC_CREAT | IPC_EXCL, 8));
	must_be(is_set(10, 3, IPC_CREAT | IPC_EXCL, 11) && is_set(10, 0, 0, 11) && !is_set(10, 4, 0, 11));
	fake_reset();
	must_be(is_set(IPC_PRIVATE, 2, 0, 20) && has_count(20, 2) && !has_count(20, 3) && is_set(IPC_PRIVATE, 2, 0, 21) && !has_count(21, 1));
	must_be(is_set(1, 2, 0, 22) && has_count(22, 5) && has_count(22, 5) && !has_count(22, 6));
	must_be(is_set(2, 2, 0, 23) && !has_count(23, 1));
	must_be(has_count(24, 4) && is_set(3, 2, 0, 24) && has_count(24, 4) && has_count(25, 4) && !is_set(3, 5, 0, 25));
	/* One that is removed. */
	answers(0, 0, "", 0);
	must_be(!call(SYS_semctl, 24, 0, IPC_RMID, 0) && is_set(IPC_PRIVATE, 1, 0, 24));
	kernel.at = 3;
	kernel.len = 64;
	kernel.result = 0;
	memset(all, CANARY, sizeof(all));
	must_be(!call(SYS_semctl, 24, 0, GETALL, (u64)all) && !all[0] && all[1] == 0x5a5a);
}
END_TEST

/* --- POSIX queues ------------------------------------------------------------------------------------ */

static u64 queue_end[2];
static u32 queue_priority;

static long queue_answer(long nr, const u64 args[6])
{
	if (nr == SYS_clock_gettime) {
		memcpy((void *)args[1], (const u64[2]){ 5000, 600000000 }, 16);
		return 0;
	}
	if (args[4])
		memcpy(queue_end, (void *)args[4], sizeof(queue_end));
	if (nr == SYS_mq_timedreceive && args[3])
		*(u32 *)args[3] = queue_priority;
	return kernel.result;
}

START_TEST(posix_queues)
{
	struct mq_attr attr = { .mq_msgsize = 100, .mq_maxmsg = 3 }, got;
	u64 end[2] = { 1000, 500000000 };
	u32 priority;
	u8 buf[64];

	fake_reset();
	fake.answer = queue_answer;
	fake.realtime = 990000000000UL;
	kernel.result = 5;
	queue_priority = 7;
	must_be(!lies(SYS_mq_timedreceive, (const u64[6]){ 3, (u64)buf, 64, (u64)&priority, (u64)end }) && fake.result == 5 && priority == 7);
	must(queue_end[0] == 5011 && queue_end[1] == 100000000, "the end is at %lu.%lu", queue_end[0], queue_end[1]);
	fake.realtime = 2000000000000UL;
	must_be(!lies(SYS_mq_timedreceive, (const u64[6]){ 3, (u64)buf, 64, 0, (u64)end }) && !queue_end[0] && !queue_end[1]);
	queue_priority = 32768;
	must_be(lies(SYS_mq_timedreceive, (const u64[6]){ 3, (u64)buf, 64, (u64)&priority, 0 }));
	kernel.result = 65;
	must_be(lies(SYS_mq_timedreceive, (const u64[6]){ 3, (u64)buf, 64 }));
	must_be(lies(SYS_mq_timedsend, (const u64[6]){ 3, (u64)buf, 64 }));
	kernel.result = 0;
	must_be(!lies(SYS_mq_timedsend, (const u64[6]){ 3, (u64)buf, 64, 0, (u64)end }) && !fake.result);
	end[1] = 1000000000;
	must_be(!lies(SYS_mq_timedsend, (const u64[6]){ 3, (u64)buf, 64, 0, (u64)end }) && fake.result == -EINVAL);
	must_be(!lies(SYS_mq_timedsend, (const u64[6]){ 3, (u64)buf, 64, 0, 8 }) && fake.result == -EFAULT);
	answers(0, 2, &attr, sizeof(attr));
	must_be(!call(SYS_mq_getsetattr, 3, 0, (u64)&got, 0) && got.mq_msgsize == 100);
	attr.mq_msgsize = -1;
	answers(0, 2, &attr, sizeof(attr));
	must_be(is_lie(SYS_mq_getsetattr, 3, 0, (u64)&got, 0));
	attr = (struct mq_attr){ .mq_curmsgs = -1 };
	answers(0, 2, &attr, sizeof(attr));
	must_be(is_lie(SYS_mq_getsetattr, 3, 0, (u64)&got, 0));
	answers(0, 0, "", 0);
	must_be(!call(SYS_mq_notify, 3, (u64)&(struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 5 }, 0, 0) && kernel.args[1] >= ARENA_BUF);
	must_be(!call(SYS_mq_notify, 3, 0, 0, 0) && !kernel.args[1] && call(SYS_mq_notify, 3, 8, 0, 0) == -EFAULT);
	must_be(call(SYS_mq_notify, 3, (u64)&(struct sigevent){ .sigev_notify = SIGEV_THREAD }, 0, 0) == -ENOSYS);
	/* Only a call that creates has attributes. */
	answers(3, 0, "", 0);
	must_be(call(SYS_mq_open, (u64)"name", O_RDWR, 8, 8) == 3 && !kernel.args[2] && !kernel.args[3]);
	kernel.result = 4;
	must_be(call(SYS_mq_open, (u64)"name", O_RDWR | O_CREAT, 0600, (u64)&attr) == 4 && kernel.args[2] == 0600 && kernel.args[3]);
	must_be(call(SYS_mq_open, (u64)"name", O_RDWR | O_CREAT, 0600, 8) == -EFAULT);
}
END_TEST

/* --- attributes --------------------------------------------------------------------------------------- */

START_TEST(attributes)
{
	char buf[32];

	fake_reset();
	answers(6, 2, "value", 6);
	memset(buf, CANARY, sizeof(buf));
	must_be(call(SYS_getxattr, (u64)"path", (u64)"name", (u64)buf, 10) == 6 && !strcmp(buf, "value") && buf[6] == CANARY);
	must_be(is_lie(SYS_getxattr, (u64)"path", (u64)"name", (u64)buf, 5));
	kernel.len = 0;
	must_be(call(SYS_lgetxattr, (u64)"path", (u64)"name", 0, 0) == 6 && call(SYS_fgetxattr, 3, (u64)"name", (u64)buf, 0) == 6 && !kernel.args[2]);
	kernel.result = 65536;
	must_be(call(SYS_getxattr, (u64)"path", (u64)"name", 0, 0) == 65536);
	kernel.result = 65537;
	must_be(is_lie(SYS_getxattr, (u64)"path", (u64)"name", 0, 0));
	must_be(call(SYS_getxattr, (u64)"path", 8, (u64)buf, 8) == -EFAULT && call(SYS_getxattr, (u64)"path", (u64)"name", 8, 8) == -EFAULT);

	answers(8, 1, "one\0two", 8);
	must_be(call(SYS_listxattr, (u64)"path", (u64)buf, 20, 0) == 8 && call(SYS_flistxattr, 3, (u64)buf, 20, 0) == 8);
	kernel.result = 7;
	must_be(is_lie(SYS_listxattr, (u64)"path", (u64)buf, 20, 0));
	answers(8, 1, "one\0\0wo", 8);
	must_be(is_lie(SYS_llistxattr, (u64)"path", (u64)buf, 20, 0));
	answers(4, 1, "\0one", 4);
	must_be(is_lie(SYS_listxattr, (u64)"path", (u64)buf, 20, 0));
	answers(0, 1, "", 0);
	must_be(call(SYS_listxattr, (u64)"path", (u64)buf, 20, 0) == 0);
	kernel.result = 21;
	must_be(is_lie(SYS_listxattr, (u64)"path", (u64)buf, 20, 0));
}
END_TEST

/* --- calls with a command ------------------------------------------------------------------------------ */

static struct {
	int len, result;
	u8 list[96];
	bool long_name;
} interfaces;

static long interfaces_answer(long nr, const u64 args[6])
{
	struct ifconf *conf = (void *)args[2];

	must_be(args[2] >= ARENA_BUF && (!conf->ifc_buf || ((u64)conf->ifc_buf >= ARENA_BUF && (u64)conf->ifc_buf + conf->ifc_len <= ARENA_BUF_END)));
	if (conf->ifc_buf)
		memset(conf->ifc_buf, interfaces.long_name ? 'x' : 0, 80);
	conf->ifc_len = interfaces.len;
	conf->ifc_buf = (void *)8;
	return interfaces.result;
}

START_TEST(commands)
{
	struct ifreq list[3];
	struct ifconf conf = { .ifc_len = sizeof(list), .ifc_req = list };
	char name[16];
	int n, owner[2];

	fake_reset();
	answers(0, 2, &(int){ 77 }, 4);
	must_be(!call(SYS_ioctl, 3, FIONREAD, (u64)&n, 0) && n == 77);
	answers(0, 2, &(int){ -1 }, 4);
	must_be(is_lie(SYS_ioctl, 3, FIONREAD, (u64)&n, 0) && is_lie(SYS_ioctl, 3, TIOCOUTQ, (u64)&n, 0) && is_lie(SYS_ioctl, 3, TIOCGPTN, (u64)&n, 0));
	must_be(!call(SYS_ioctl, 3, TIOCGPGRP, (u64)&n, 0) && n == -1);
	must_be(call(SYS_ioctl, 3, 0x12345678, (u64)&n, 0) == -ENOTTY && strstr(fake.said, "ioctl") && call(SYS_fcntl, 3, 4711, 0, 0) == -EINVAL);
	kernel.result = -5000;
	must_be(is_lie(SYS_ioctl, 3, TIOCGPTPEER, 0, 0));

	memset(list, 'x', sizeof(list));
	answers(0, 2, list, 40);
	must_be(is_lie(SYS_ioctl, 3, SIOCGIFNAME, (u64)list, 0));
	memset(list, 0, sizeof(list));
	answers(0, 2, list, 40);
	must_be(!call(SYS_ioctl, 3, SIOCGIFNAME, (u64)list, 0));

	fake.answer = interfaces_answer;
	interfaces.len = 80;
	memset(list, CANARY, sizeof(list));
	must_be(!call(SYS_ioctl, 3, SIOCGIFCONF, (u64)&conf, 0) && conf.ifc_len == 80 && conf.ifc_req == list && ((u8 *)list)[80] == CANARY && !((u8 *)list)[79]);
	conf.ifc_len = 40;
	must_be(is_lie(SYS_ioctl, 3, SIOCGIFCONF, (u64)&conf, 0));
	conf.ifc_len = sizeof(list);
	for (n = 0; n < 3; n++) {
		interfaces.len = (const int[3]){ -40, 41, 0x7fffffd0 }[n];
		must_be(is_lie(SYS_ioctl, 3, SIOCGIFCONF, (u64)&conf, 0));
		conf.ifc_len = sizeof(list);
	}
	interfaces.len = 80;
	interfaces.long_name = true;
	must_be(is_lie(SYS_ioctl, 3, SIOCGIFCONF, (u64)&conf, 0));
	interfaces.result = 1;
	must_be(is_lie(SYS_ioctl, 3, SIOCGIFCONF, (u64)&conf, 0));
	interfaces.result = 0;
	conf.ifc_req = NULL;
	must_be(!call(SYS_ioctl, 3, SIOCGIFCONF, (u64)&conf, 0) && conf.ifc_len == 80);
	conf.ifc_len = -1;
	conf.ifc_req = list;
	must_be(call(SYS_ioctl, 3, SIOCGIFCONF, (u64)&conf, 0) == -EINVAL);

	/* Process groups are negative, and no errors. */
	owner[0] = F_OWNER_PGRP;
	owner[1] = 70000;
	answers(0, 2, owner, 8);
	must_be(call(SYS_fcntl, 3, F_GETOWN, 0, 0) == -70000 && kernel.args[1] == F_GETOWN_EX);
	owner[0] = F_OWNER_PID;
	answers(0, 2, owner, 8);
	must_be(call(SYS_fcntl, 3, F_GETOWN, 0, 0) == 70000);
	kernel.result = -EBADF;
	must_be(call(SYS_fcntl, 3, F_GETOWN, 0, 0) == -EBADF);

	answers(0, 1, "fifteen letters", 16);
	must_be(!call(SYS_prctl, PR_GET_NAME, (u64)name, 0, 0) && !strcmp(name, "fifteen letters"));
	answers(0, 1, "sixteen letters.", 16);
	must_be(is_lie(SYS_prctl, PR_GET_NAME, (u64)name, 0, 0));
	must_be(call(SYS_prctl, PR_SET_VMA, 0, 0, 0) == -EINVAL && call(SYS_prctl, 12345, 0, 0, 0) == -EINVAL && strstr(fake.said, "prctl"));
	answers(11, 1, "a line", 6);
	must_be(is_lie(SYS_syslog, 3, (u64)name, 10, 0));
	kernel.result = 6;
	must_be(call(SYS_syslog, 3, (u64)name, 10, 0) == 6 && call(SYS_syslog, 3, (u64)name, -1UL, 0) == -EINVAL && call(SYS_syslog, 2, 8, 10, 0) == -EFAULT);
	kernel.len = 0;
	must_be(call(SYS_syslog, 10, 8, 0, 0) == 6 && !kernel.args[1]);
}
END_TEST

/* --- checks in rows, and small handlers ------------------------------------------------------------------ */

START_TEST(row_checks)
{
	siginfo_t info = { .si_signo = SIGCHLD };
	int fd[2];
	u64 ts[2];

	fake_reset();
	answers(0, 3, (const int[2]){ 5, 6 }, 8);
	must_be(!call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (u64)fd) && fd[0] == 5 && fd[1] == 6);
	answers(0, 3, (const int[2]){ 5, 5 }, 8);
	must_be(is_lie(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (u64)fd));
	answers(0, 3, (const int[2]){ -1, 5 }, 8);
	must_be(is_lie(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (u64)fd));

	info.si_pid = 5;
	answers(0, 2, &info, sizeof(info));
	must_be(!call(SYS_waitid, P_ALL, 0, (u64)&info, WEXITED));
	info.si_pid = 0;
	answers(0, 2, &info, sizeof(info));
	must_be(is_lie(SYS_waitid, P_ALL, 0, (u64)&info, WEXITED));
	info.si_signo = SIGSEGV;
	answers(0, 2, &info, sizeof(info));
	must_be(is_lie(SYS_waitid, P_ALL, 0, (u64)&info, WEXITED));
	memset(&info, 0, sizeof(info));
	answers(0, 2, &info, sizeof(info));
	must_be(!call(SYS_waitid, P_ALL, 0, (u64)&info, WEXITED | WNOHANG));

	answers(0, 1, &(int){ 99 }, 4);
	must_be(!call(SYS_sched_getparam, 0, (u64)fd, 0, 0) && fd[0] == 99);
	answers(0, 1, &(int){ 100 }, 4);
	must_be(is_lie(SYS_sched_getparam, 0, (u64)fd, 0, 0));
	answers(0, 1, (const u64[2]){ 0, 999999999 }, 16);
	must_be(!call(SYS_sched_rr_get_interval, 0, (u64)ts, 0, 0));
	answers(0, 1, (const u64[2]){ 0, 1000000000 }, 16);
	must_be(is_lie(SYS_sched_rr_get_interval, 0, (u64)ts, 0, 0));
}
END_TEST

/* Offsets advance by what was moved, and not as the kernel says. */
START_TEST(offsets)
{
	s64 from = 1000, to = 7;

	fake_reset();
	answers(50, 2, (const u64[1]){ -77UL }, 8);
	must_be(call(SYS_sendfile, 3, 4, (u64)&from, 100) == 50 && from == 1050);
	kernel.result = -EAGAIN;
	must_be(call(SYS_sendfile, 3, 4, (u64)&from, 100) == -EAGAIN && from == 1050);
	kernel.result = 101;
	must_be(is_lie(SYS_sendfile, 3, 4, (u64)&from, 100));
	answers(20, 1, (const u64[1]){ -77UL }, 8);
	must_be(!lies(SYS_copy_file_range, (const u64[6]){ 3, (u64)&from, 4, (u64)&to, 20 }) && from == 1070 && to == 27);
	must_be(!lies(SYS_splice, (const u64[6]){ 3, (u64)&from, 4, 0, 20 }) && from == 1090);
	kernel.len = 0;
	must_be(lies(SYS_splice, (const u64[6]){ 3, (u64)&from, 4, 0, 19 }) && lies(SYS_tee, (const u64[6]){ 3, 4, 19 }));
	must_be(call(SYS_sendfile, 3, 4, 8, 100) == -EFAULT);
}
END_TEST

START_TEST(small)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_1, 0 };
	u32 data[6];
	u8 in[4];

	fake_reset();
	answers(0, 1, (const u32[6]){ 1, 2, 3, 4, 5, 6 }, 24);
	memset(data, CANARY, sizeof(data));
	must_be(!call(SYS_capget, (u64)&header, (u64)data, 0, 0) && data[2] == 3 && data[3] == 0x5a5a5a5a);
	header.version = _LINUX_CAPABILITY_VERSION_3;
	must_be(!call(SYS_capget, (u64)&header, (u64)data, 0, 0) && data[5] == 6);
	answers(0, 0, (const u32[2]){ _LINUX_CAPABILITY_VERSION_3, 0 }, 8);
	header.version = 5;
	must_be(!call(SYS_capget, (u64)&header, 0, 0, 0) && header.version == _LINUX_CAPABILITY_VERSION_3);
	must_be(call(SYS_capget, 8, 0, 0, 0) == -EFAULT && call(SYS_capset, (u64)&header, 0, 0, 0) == -EFAULT);

	/* Nobody is asked but the list of mappings. */
	fake.calls = 0;
	must_be(call(SYS_mlock, WORLD_BASE, 100, 0, 0) == -ENOMEM);
	must_be(call(SYS_mmap, WORLD_BASE, 2 * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) == (long)WORLD_BASE);
	fake.calls = 0;
	must_be(!call(SYS_mlock, WORLD_BASE + 5, 2 * PAGE - 5, 0, 0) && !call(SYS_munlock, WORLD_BASE, 1, 0, 0));
	must_be(!call(SYS_mlock2, WORLD_BASE, 1, 1, 0) && call(SYS_mlock2, WORLD_BASE, 1, 2, 0) == -EINVAL);
	must_be(call(SYS_mlock, WORLD_BASE, 2 * PAGE + 1, 0, 0) == -ENOMEM && call(SYS_mlock, -PAGE, 2 * PAGE, 0, 0) == -EINVAL);
	must_be(!call(SYS_mlockall, 1, 0, 0, 0) && call(SYS_mlockall, 0, 0, 0, 0) == -EINVAL && !call(SYS_munlockall, 0, 0, 0, 0));
	must_be(call(SYS_mincore, WORLD_BASE, 3 * PAGE, (u64)in, 0) == -ENOMEM && call(SYS_mincore, WORLD_BASE + 1, 1, (u64)in, 0) == -EINVAL &&
		call(SYS_mincore, WORLD_BASE, 1, 8, 0) == -EFAULT);
	must_be(!fake.calls);
	in[2] = CANARY;
	answers(0, 2, "\xfe\xff", 3);
	must_be(!call(SYS_mincore, WORLD_BASE, PAGE + 1, (u64)in, 0) && !in[0] && in[1] == 1 && in[2] == CANARY);
	kernel.result = 1;
	must_be(is_lie(SYS_mincore, WORLD_BASE, PAGE, (u64)in, 0));
}
END_TEST

/* Times that are none, and processors that no machine has. */
START_TEST(ranges)
{
	static const u64 wrong[] = { -1UL, 1UL << 63 };
	u64 t[4], told[4] = { 1, 999999, 2, 999999 };
	u32 cpu[2], seen[2] = { 8191 };
	int i, k;

	fake_reset();
	answers(0, 1, told, sizeof(told));
	must_be(!is_lie(SYS_getitimer, 0, (u64)t, 0, 0) && !is_lie(SYS_timer_gettime, 0, (u64)t, 0, 0) && t[3] == 999999);
	for (i = 0; i < 4; i++) {
		for (k = 0; k < 3; k++) {
			const u64 was = told[i];

			told[i] = k < 2 ? wrong[k] : i % 2 ? 1000000 : -5UL;
			answers(0, 1, told, sizeof(told));
			must_be(is_lie(SYS_getitimer, 0, (u64)t, 0, 0) && (k == 2 && i % 2 ? true : is_lie(SYS_timer_gettime, 0, (u64)t, 0, 0)));
			must_be(i > 1 || (k == 2 && i) || is_lie(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, (u64)t, 0, 0));
			kernel.at = 2;
			must_be(is_lie(SYS_setitimer, 0, 0, (u64)t, 0) && !is_lie(SYS_setitimer, 0, 0, 0, 0));
			kernel.at = 3;
			told[i] = was;
			must_be((k == 2 && i % 2) || is_lie(SYS_timer_settime, 0, 0, (u64)told, (u64)t));
		}
	}
	answers(0, 0, &seen[0], 4);
	must_be(!is_lie(SYS_getcpu, (u64)cpu, 0, 0, 0) && !is_lie(SYS_getcpu, 0, 0, 0, 0));
	seen[0] = 8192;
	answers(0, 0, &seen[0], 4);
	must_be(is_lie(SYS_getcpu, (u64)cpu, 0, 0, 0));
	seen[0] = 1024;
	answers(0, 1, &seen[0], 4);
	must_be(is_lie(SYS_getcpu, 0, (u64)cpu, 0, 0));
}
END_TEST

SUITE(ipc, SECONDS,
      { message_types }, { semaphores }, { sets }, { posix_queues }, { attributes }, { commands }, { row_checks }, { offsets },
      { small }, { ranges })
