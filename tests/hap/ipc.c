// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipc.c - message queues, semaphores, splice and its kin, extended attributes, terminals, and what a process sets for
 * itself; in a directory of its own under argv[1].
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

#define BIG	1300021

static char big[BIG], back[BIG];

static void posix_queues(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 100 }, got;
	struct timespec ts;
	unsigned int priority;
	char name[40], buf[200];
	mqd_t q;

	snprintf(name, sizeof(name), "/inktag-%d", (int)getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (!check(q != (mqd_t)-1, "mq_open"))
		return;
	check(mq_open("/inktag-none", O_RDWR) == (mqd_t)-1 && errno == ENOENT, "of one that does not exist");
	check(!mq_getattr(q, &got) && got.mq_maxmsg == 4 && got.mq_msgsize == 100 && !got.mq_curmsgs, "mq_getattr");
	check(!mq_send(q, "low", 3, 1) && !mq_send(q, "high", 4, 30), "mq_send");
	check(mq_receive(q, buf, sizeof(buf), &priority) == 4 && priority == 30 && !memcmp(buf, "high", 4), "mq_receive: the more urgent first");
	check(mq_receive(q, buf, 50, NULL) < 0 && errno == EMSGSIZE, "into too little");
	check(mq_receive(q, buf, sizeof(buf), NULL) == 3, "then the other");
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	check(mq_timedreceive(q, buf, sizeof(buf), NULL, &ts) < 0 && errno == ETIMEDOUT, "mq_timedreceive ends at its time");
	ts.tv_sec -= 100;
	check(mq_timedreceive(q, buf, sizeof(buf), NULL, &ts) < 0 && errno == ETIMEDOUT, "and at one that is over");
	ts.tv_sec += 10000;
	check(!mq_timedsend(q, "x", 1, 0, &ts) && mq_timedreceive(q, buf, sizeof(buf), &priority, &ts) == 1 && !priority, "mq_timedsend");
	check(mq_send(q, buf, 101, 0) < 0 && errno == EMSGSIZE, "a message that is too long");
	attr = (struct mq_attr){ .mq_flags = O_NONBLOCK };
	check(!mq_setattr(q, &attr, &got) && mq_receive(q, buf, sizeof(buf), NULL) < 0 && errno == EAGAIN, "mq_setattr");
	check(!mq_close(q) && !mq_unlink(name) && mq_unlink(name) < 0 && errno == ENOENT, "mq_close, mq_unlink");
}

struct message {
	long type;
	char text[100];
};

static void queues(void)
{
	struct message m = { 7, "seven" }, got;
	struct msqid_ds ds;
	int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	check(q >= 0 && !msgsnd(q, &m, 6, 0), "msgget, msgsnd");
	m.type = 3;
	memcpy(m.text, "three", 6);
	check(!msgsnd(q, &m, 6, 0) && !msgctl(q, IPC_STAT, &ds) && ds.msg_qnum == 2 && ds.msg_perm.mode == 0600, "msgctl IPC_STAT");
	check(msgrcv(q, &got, sizeof(got.text), 3, 0) == 6 && got.type == 3 && !strcmp(got.text, "three"), "msgrcv of a type");
	msgsnd(q, &m, 6, 0);
	check(msgrcv(q, &got, sizeof(got.text), 3, MSG_EXCEPT) == 6 && got.type == 7, "of all other types");
	check(msgrcv(q, &got, 2, -5, 0) < 0 && errno == E2BIG && msgrcv(q, &got, 2, -5, MSG_NOERROR) == 2 && got.type == 3 && got.text[1] == 'h',
	      "of a type up to 5, cut off");
	check(msgrcv(q, &got, sizeof(got.text), 0, IPC_NOWAIT) < 0 && errno == ENOMSG, "when there is none");
	m.type = 0;
	check(msgsnd(q, &m, 6, 0) < 0 && errno == EINVAL && msgsnd(q, (void *)8, 6, 0) < 0 && errno == EFAULT, "what msgsnd refuses");
	check(!msgctl(q, IPC_RMID, NULL) && msgctl(q, IPC_STAT, &ds) < 0 && (errno == EINVAL || errno == EIDRM), "msgctl IPC_RMID");
}

static void semaphores(void)
{
	struct sembuf op[2] = { { 0, 2, 0 }, { 1, 1, 0 } };
	struct timespec ts = { 0, 10000000 };
	struct semid_ds ds;
	unsigned short all[3] = { 5, 6, 7 };
	int s = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);

	check(s >= 0 && !semop(s, op, 2) && semctl(s, 0, GETVAL) == 2 && semctl(s, 1, GETVAL) == 1, "semget, semop, GETVAL");
	op[0].sem_op = -3;
	op[0].sem_flg = IPC_NOWAIT;
	check(semop(s, op, 1) < 0 && errno == EAGAIN, "semop that would wait");
	op[0].sem_flg = 0;
	check(semtimedop(s, op, 1, &ts) < 0 && errno == EAGAIN, "semtimedop that waits in vain");
	check(!semctl(s, 2, SETVAL, 9) && semctl(s, 2, GETVAL) == 9 && semctl(s, 2, GETPID) == getpid() && !semctl(s, 0, GETNCNT), "SETVAL, GETPID, GETNCNT");
	check(!semctl(s, 0, GETALL, all) && all[0] == 2 && all[1] == 1 && all[2] == 9, "GETALL");
	all[1] = 44;
	check(!semctl(s, 0, SETALL, all) && semctl(s, 1, GETVAL) == 44, "SETALL");
	check(!semctl(s, 0, IPC_STAT, &ds) && ds.sem_nsems == 3, "IPC_STAT");
	check(!semctl(s, 0, IPC_RMID) && semctl(s, 0, GETVAL) < 0, "IPC_RMID");
}

static void moving(void)
{
	int p[2], q[2], in, out;
	loff_t at = 10, to = 3;
	off_t where = 100;
	char buf[64];
	struct iovec iov[2] = { { "hello", 5 }, { ", world", 7 } };

	in = open("in", O_RDWR | O_CREAT, 0600);
	out = open("out", O_RDWR | O_CREAT, 0600);
	check(in >= 0 && out >= 0 && write(in, big, BIG) == BIG && !pipe(p) && !pipe(q), "files and pipes");
	check(splice(in, &at, p[1], NULL, 50, 0) == 50 && at == 60 && lseek(in, 0, SEEK_CUR) == BIG, "splice from a file");
	check(tee(p[0], q[1], 30, 0) == 30 && read(q[0], buf, 64) == 30 && !memcmp(buf, big + 10, 30), "tee");
	check(splice(p[0], NULL, out, &to, 50, 0) == 50 && to == 53 && pread(out, buf, 50, 3) == 50 && !memcmp(buf, big + 10, 50), "splice to a file");
	check(splice(in, NULL, out, NULL, 5, 0) < 0 && errno == EINVAL, "splice without a pipe");
	check(vmsplice(p[1], iov, 2, 0) == 12 && read(p[0], buf, 64) == 12 && !memcmp(buf, "hello, world", 12), "vmsplice into a pipe");
	iov[0] = (struct iovec){ buf, 3 };
	iov[1] = (struct iovec){ buf + 8, 20 };
	check(write(p[1], "abcdef", 6) == 6 && vmsplice(p[0], iov, 2, 0) == 6 && !memcmp(buf, "abc", 3) && !memcmp(buf + 8, "def", 3), "vmsplice out of it");
	check(vmsplice(p[0], iov, 1, SPLICE_F_NONBLOCK) < 0 && errno == EAGAIN, "vmsplice that does not wait");
	check(vmsplice(in, iov, 1, 0) < 0 && errno == EBADF, "vmsplice of a file");
	check(!ftruncate(out, 0) && sendfile(out, in, &where, BIG) == BIG - 100 && where == BIG && pread(out, back, BIG, 53) > 0, "sendfile");
	at = 0, to = 0;
	check(syscall(SYS_copy_file_range, in, &at, out, &to, BIG, 0) == BIG && at == BIG && to == BIG && pread(out, back, BIG, 0) == BIG &&
	      !memcmp(big, back, BIG), "copy_file_range");
	iov[0] = (struct iovec){ back, 100 };
	check(lseek(in, 5, SEEK_SET) == 5 && syscall(SYS_preadv2, in, iov, 1, -1L, 0, 0) == 100 && !memcmp(back, big + 5, 100) &&
	      lseek(in, 0, SEEK_CUR) == 105, "preadv2 where the file stands");
	check(syscall(SYS_preadv2, in, iov, 1, 1000L, 0, 1) == 100 && !memcmp(back, big + 1000, 100), "preadv2 with a flag");
	check(syscall(SYS_pwritev2, in, iov, 1, 7L, 0, 0x10) == 100 && lseek(in, 0, SEEK_END) == BIG + 100, "pwritev2 to the end");
	check(syscall(SYS_preadv2, in, iov, 1, 7L, 0, 0x1000000) < 0 && errno == EOPNOTSUPP, "preadv2 with an unknown flag");
	close(in);
	in = syscall(SYS_memfd_create, "memory", 1U);
	check(in >= 0 && write(in, "x", 1) == 1 && pread(in, buf, 2, 0) == 1, "memfd_create");
	check(syscall(SYS_openat2, AT_FDCWD, "out", &(unsigned long[3]){ O_RDONLY }, 24) >= 0, "openat2");
	check(syscall(SYS_close_range, in, ~0U, 0) == 0 && read(in, buf, 1) < 0 && errno == EBADF, "close_range");
	unlink("in");
	unlink("out");
}

static void attributes(void)
{
	char buf[200];
	int fd = open("file", O_RDWR | O_CREAT, 0600), n;

	if (setxattr("file", "user.one", "value", 5, 0) && errno == EOPNOTSUPP) {
		check(1, "this file system has no attributes of users");
	} else {
		check(!fsetxattr(fd, "user.two", "", 0, XATTR_CREATE), "setxattr, fsetxattr");
		check(setxattr("file", "user.one", "x", 1, XATTR_CREATE) < 0 && errno == EEXIST, "of one that is there");
		check(getxattr("file", "user.one", buf, sizeof(buf)) == 5 && !memcmp(buf, "value", 5) && fgetxattr(fd, "user.two", buf, sizeof(buf)) == 0, "getxattr");
		check(lgetxattr("file", "user.one", NULL, 0) == 5 && getxattr("file", "user.one", buf, 0) == 5, "how long it is");
		check(getxattr("file", "user.one", buf, 2) < 0 && errno == ERANGE && getxattr("file", "user.no", buf, 2) < 0 && errno == ENODATA, "what getxattr refuses");
		n = listxattr("file", NULL, 0);
		check(n >= 18 && flistxattr(fd, buf, sizeof(buf)) == n && llistxattr("file", buf, 3) < 0 && errno == ERANGE, "listxattr");
		check(memmem(buf, n, "user.one", 9) && memmem(buf, n, "user.two", 9), "both names");
		check(!removexattr("file", "user.one") && !fremovexattr(fd, "user.two") && lremovexattr("file", "user.one") < 0 && errno == ENODATA, "removexattr");
	}
	close(fd);
	unlink("file");
}

/* What goes through a terminal comes when it is processed, and perhaps in parts. */
static int brings(int fd, const char *text)
{
	size_t len = strlen(text), n = 0;
	char buf[32];
	ssize_t r;

	while (n < len && poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 5000) == 1) {
		r = read(fd, buf + n, len - n);
		if (r <= 0)
			return 0;
		n += r;
	}
	return n == len && !memcmp(buf, text, len);
}

static void terminals(void)
{
	struct winsize size = { 50, 120, 0, 0 }, got;
	struct termios t;
	int m, s, n;
	char buf[32];

	m = posix_openpt(O_RDWR | O_NOCTTY);
	check(m >= 0 && !grantpt(m) && !unlockpt(m) && ptsname(m) && !strncmp(ptsname(m), "/dev/pts/", 9), "a pseudo-terminal");
	s = open(ptsname(m), O_RDWR | O_NOCTTY);
	check(s >= 0 && isatty(s), "its other side");
	check(!ioctl(m, TIOCSWINSZ, &size) && !ioctl(s, TIOCGWINSZ, &got) && got.ws_row == 50 && got.ws_col == 120, "its size");
	check(write(m, "line\n", 5) == 5 && brings(s, "line\n"), "a line to it");
	check(brings(m, "line\r\n"), "its echo");
	check(!tcgetattr(s, &t) && t.c_lflag & ICANON, "tcgetattr");
	cfmakeraw(&t);
	check(!tcsetattr(s, TCSANOW, &t) && write(m, "x", 1) == 1 && poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 5000) == 1 &&
	      !ioctl(s, FIONREAD, &n) && n == 1 && brings(s, "x"), "tcsetattr to raw");
	check(write(s, "out", 3) == 3 && !tcdrain(s) && !ioctl(m, TIOCOUTQ, &n) && brings(m, "out"), "tcdrain");
	check(!tcsendbreak(s, 0) && !tcflush(s, TCIOFLUSH), "tcsendbreak, tcflush");
	n = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	check(n >= 0 && isatty(n), "TIOCGPTPEER");
	close(n);
	check(tcgetpgrp(s) < 0 && errno == ENOTTY, "it is not our controlling terminal");
	close(s);
	check(read(m, buf, 1) < 0 && errno == EIO, "the other side is closed");
	close(m);
}

static void settings(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[3] = { 0 };
	struct sched_param param = { 99 };
	struct timespec ts;
	siginfo_t info;
	char name[17] = "", *page;
	unsigned char in[2];
	int n, p[2];

	check(!prctl(PR_SET_NAME, "a-name-that-is-cut-off") && !prctl(PR_GET_NAME, name) && !strcmp(name, "a-name-that-is-"), "prctl PR_SET_NAME");
	check(!prctl(PR_SET_PDEATHSIG, SIGUSR1) && !prctl(PR_GET_PDEATHSIG, &n) && n == SIGUSR1 && !prctl(PR_SET_PDEATHSIG, 0), "PR_SET_PDEATHSIG");
	check(prctl(PR_GET_DUMPABLE) >= 0 && !prctl(PR_SET_DUMPABLE, 0) && prctl(PR_GET_DUMPABLE) == 0 && !prctl(PR_SET_DUMPABLE, 1), "PR_SET_DUMPABLE");
	check(!prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) && !prctl(PR_GET_CHILD_SUBREAPER, &n) && n == 1, "PR_SET_CHILD_SUBREAPER");
	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "PR_SET_NO_NEW_PRIVS");
	check(!sched_getparam(0, &param) && !param.sched_priority && sched_getscheduler(0) == SCHED_OTHER &&
	      sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_OTHER) == 0, "scheduling");
	check(!sched_setscheduler(0, SCHED_BATCH, &param) && sched_getscheduler(0) == SCHED_BATCH && !sched_rr_get_interval(0, &ts), "sched_setscheduler");
	check(sched_get_priority_max(77) < 0 && errno == EINVAL, "a policy that does not exist");
	check(!syscall(SYS_capget, &header, data), "capget");
	header.version = 1;
	check(syscall(SYS_capget, &header, NULL) == 0 && header.version == _LINUX_CAPABILITY_VERSION_3, "the version of capget");
	header.version = _LINUX_CAPABILITY_VERSION_1;
	data[1].effective = 0x5a5a;
	check(!syscall(SYS_capget, &header, data) && data[1].effective == 0x5a5a, "the first version has half of it");
	check(personality(0xffffffff) >= 0, "personality");
	check(waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 && errno == ECHILD, "waitid without children");
	n = syscall(SYS_pidfd_open, getpid(), 0);
	check(n >= 0 && !syscall(SYS_pidfd_send_signal, n, 0, NULL, 0), "pidfd_open, pidfd_send_signal");
	close(n);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*page = 1;
	check(!mincore(page, 8192, in) && in[0] & 1 && !(in[1] & 1), "mincore");
	check(!mlock(page, 100) && !munlock(page, 8192) && !mlock(page + 1, 8191) && !munlockall(), "mlock, munlock, munlockall");
	munmap(page + 4096, 4096);
	check(mlock(page, 8192) < 0 && errno == ENOMEM && mincore(page, 8192, in) < 0 && errno == ENOMEM, "where nothing is mapped");
	munmap(page, 4096);
	check(!pipe(p) && !fcntl(p[0], F_SETOWN, getpid()) && fcntl(p[0], F_GETOWN) == getpid() && !fcntl(p[0], F_SETOWN, -getpgrp()), "F_SETOWN, F_GETOWN");
	check(fcntl(p[0], F_DUPFD, 70) >= 70 && fcntl(p[0], F_DUPFD, 1 << 28) < 0 && errno == EINVAL, "F_DUPFD");
	close(p[0]);
	close(p[1]);
	check(klogctl(10, NULL, 0) > 0 || errno == EPERM, "klogctl");
	check(syscall(SYS_ioprio_get, 1, 0) >= 0, "ioprio_get");
}

int main(int argc, char **argv)
{
	char dir[256];
	int i;

	for (i = 0; i < BIG; i++)
		big[i] = i * 7 + i / 251;
	snprintf(dir, sizeof(dir), "%s/ipc-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!check(mkdtemp(dir) && !chdir(dir), "a directory"))
		return summary();
	posix_queues();
	queues();
	semaphores();
	moving();
	attributes();
	terminals();
	settings();
	check(!chdir("/") && !rmdir(dir), "all is removed");
	return summary();
}
