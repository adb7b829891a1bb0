// SPDX-License-Identifier: GPL-2.0-or-later
/* queues.c - message queues of both kinds and System V semaphores, as one process sees them. Two: ipc.c. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

struct message {
	long type;
	char text[100];
};

static int messages_by_type(void)
{
	struct message m = { 5, "five" }, n;
	int q = msgget(IPC_PRIVATE, 0600);

	want(q >= 0 && !msgsnd(q, &m, 4, 0));
	m = (struct message){ 3, "three" };
	want(!msgsnd(q, &m, 5, 0));
	want(msgrcv(q, &n, 100, 3, 0) == 5 && n.type == 3 && !memcmp(n.text, "three", 5));
	want_error(msgrcv(q, &n, 100, 3, IPC_NOWAIT), ENOMSG);
	want(!msgsnd(q, &m, 5, 0) && msgrcv(q, &n, 100, -4, 0) == 5 && n.type == 3);
	want(msgrcv(q, &n, 100, 0, 0) == 4 && n.type == 5 && !msgctl(q, IPC_RMID, NULL));
	return 1;
}

static int messages_too_long(void)
{
	struct message m = { 1, "0123456789" }, n;
	int q = msgget(IPC_PRIVATE, 0600);

	want(!msgsnd(q, &m, 10, 0));
	want_error(msgrcv(q, &n, 5, 0, 0), E2BIG);
	want(msgrcv(q, &n, 5, 0, MSG_NOERROR) == 5 && !memcmp(n.text, "01234", 5));
	m.type = 0;
	want_error(msgsnd(q, &m, 10, 0), EINVAL);
	want(!msgctl(q, IPC_RMID, NULL));
	want_error(msgsnd(q, &m, 1, 0), EINVAL);
	return 1;
}

static int queue_status(void)
{
	struct message m = { 1, "x" };
	struct msqid_ds d;
	int q = msgget(IPC_PRIVATE, 0640);

	want(!msgsnd(q, &m, 50, 0) && !msgctl(q, IPC_STAT, &d) && d.msg_qnum == 1 && d.msg_lspid == getpid());
	want((d.msg_perm.mode & 0777) == 0640);
	d.msg_qbytes = 60;
	want(!msgctl(q, IPC_SET, &d));
	want_error(msgsnd(q, &m, 50, IPC_NOWAIT), EAGAIN);
	want(!msgctl(q, IPC_RMID, NULL));
	return 1;
}

static int semaphore_values(void)
{
	unsigned short values[3] = { 1, 2, 3 }, got[3];
	union semun u = { .array = values };
	int s = semget(IPC_PRIVATE, 3, 0600);

	want(s >= 0 && !semctl(s, 0, SETALL, u));
	u.array = got;
	want(!semctl(s, 0, GETALL, u) && got[2] == 3 && semctl(s, 1, GETVAL) == 2);
	u.val = 9;
	want(!semctl(s, 1, SETVAL, u) && semctl(s, 1, GETVAL) == 9 && semctl(s, 1, GETPID) == getpid());
	want_error(semctl(s, 3, GETVAL), EINVAL);
	want(!semctl(s, 0, IPC_RMID));
	want_error(semctl(s, 0, GETVAL), EINVAL);
	return 1;
}

static int semaphore_operations(void)
{
	struct sembuf two[2] = { { 0, 3, 0 }, { 1, 1, 0 } }, down = { 0, -3, IPC_NOWAIT }, zero = { 0, 0, IPC_NOWAIT };
	int s = semget(IPC_PRIVATE, 2, 0600);

	want(!semop(s, two, 2) && semctl(s, 0, GETVAL) == 3 && semctl(s, 1, GETVAL) == 1);
	want_error(semop(s, &zero, 1), EAGAIN);
	want(!semop(s, &down, 1) && !semop(s, &zero, 1));
	want_error(semop(s, &down, 1), EAGAIN);
	two[0].sem_op = -1;
	two[0].sem_flg = IPC_NOWAIT;
	want_error(semop(s, two, 2), EAGAIN);
	want(semctl(s, 1, GETVAL) == 1 && !semctl(s, 0, IPC_RMID));
	return 1;
}

static int semaphore_timeout(void)
{
	struct sembuf down = { 0, -1, 0 };
	struct timespec t = { 0, 20000000 };
	long before = now_ms();
	int s = semget(IPC_PRIVATE, 1, 0600);

	want_error(semtimedop(s, &down, 1, &t), EAGAIN);
	want(now_ms() - before >= 20 && !semctl(s, 0, IPC_RMID));
	return 1;
}

static int semaphore_status(void)
{
	struct semid_ds d;
	union semun u = { .buf = &d };
	int s = semget(IPC_PRIVATE, 2, 0640);

	want(!semctl(s, 0, IPC_STAT, u) && d.sem_nsems == 2 && (d.sem_perm.mode & 0777) == 0640 &&
	     !semctl(s, 0, IPC_RMID));
	want_error(semget(IPC_PRIVATE, -1, 0600), EINVAL);
	want_error(semget(0x12344321, 1, 0600), ENOENT);
	return 1;
}

static mqd_t queue(int flags)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 100 };
	mqd_t q;

	mq_unlink("/conformance");
	q = mq_open("/conformance", O_RDWR | O_CREAT | O_EXCL | flags, 0600, &a);
	return q;
}

static int mq_priorities(void)
{
	char text[100];
	unsigned int priority;
	mqd_t q = queue(0);

	want(q >= 0 && !mq_send(q, "low", 3, 1) && !mq_send(q, "high", 4, 9) && !mq_send(q, "lower", 5, 0));
	want(mq_receive(q, text, 100, &priority) == 4 && priority == 9 && !memcmp(text, "high", 4));
	want(mq_receive(q, text, 100, &priority) == 3 && priority == 1 && mq_receive(q, text, 100, NULL) == 5);
	want(!mq_close(q) && !mq_unlink("/conformance"));
	return 1;
}

static int mq_attributes(void)
{
	struct mq_attr a, nonblocking = { .mq_flags = O_NONBLOCK };
	char text[100];
	mqd_t q = queue(0);

	want(!mq_getattr(q, &a) && a.mq_maxmsg == 4 && a.mq_msgsize == 100 && a.mq_curmsgs == 0 && !a.mq_flags);
	want(!mq_setattr(q, &nonblocking, &a) && !mq_getattr(q, &a) && a.mq_flags == O_NONBLOCK);
	want_error(mq_receive(q, text, 100, NULL), EAGAIN);
	want_error(mq_receive(q, text, 10, NULL), EMSGSIZE);
	want_error(mq_send(q, text, 101, 0), EMSGSIZE);
	want(!mq_send(q, text, 0, 0) && mq_receive(q, text, 100, NULL) == 0);
	want(!mq_close(q) && !mq_unlink("/conformance"));
	return 1;
}

static int mq_full_times_out(void)
{
	struct timespec t;
	mqd_t q = queue(0);
	int i;

	for (i = 0; i < 4; i++)
		want(!mq_send(q, "x", 1, 0));
	want(!clock_gettime(CLOCK_REALTIME, &t));
	want_error(mq_timedsend(q, "x", 1, 0, &t), ETIMEDOUT);
	want(!mq_close(q) && !mq_unlink("/conformance"));
	want_error(mq_unlink("/conformance"), ENOENT);
	want_error(mq_open("/conformance", O_RDWR), ENOENT);
	return 1;
}

static int mq_polls(void)
{
	mqd_t q = queue(O_NONBLOCK);
	struct pollfd f = { q, POLLIN | POLLOUT, 0 };

	want(poll(&f, 1, 0) == 1 && f.revents == POLLOUT && !mq_send(q, "x", 1, 0));
	want(poll(&f, 1, 0) == 1 && f.revents == (POLLIN | POLLOUT));
	want(!mq_close(q) && !mq_unlink("/conformance"));
	return 1;
}

const struct check checks[] = {
	CHECK(messages_by_type), CHECK(messages_too_long), CHECK(queue_status), CHECK(semaphore_values),
	CHECK(semaphore_operations), CHECK(semaphore_timeout), CHECK(semaphore_status), CHECK(mq_priorities),
	CHECK(mq_attributes), CHECK(mq_full_times_out), CHECK(mq_polls),
	{ NULL, NULL },
};
