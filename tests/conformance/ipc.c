// SPDX-License-Identifier: GPL-2.0-or-later
/* ipc.c - two processes: pipes, sockets, locks, shared memory, semaphores and queues between them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"


static char buffer[300000];

static void *shared(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int pipe_to_child(void)
{
	size_t got = 0;
	int p[2], n;
	pid_t pid;

	want(!pipe(p));
	pid = fork();
	if (!pid) {
		close(p[1]);
		while ((n = read(p[0], buffer + got, sizeof(buffer) - got)) > 0)
			got += n;
		_exit(n == 0 && got == 250000 && is_pattern(buffer, got, 0) ? 0 : 1);
	}
	close(p[0]);
	fill_pattern(buffer, 250000, 0);
	want(write(p[1], buffer, 250000) == 250000 && !close(p[1]) && status_of(pid) == 0);
	return 1;
}

static int ping_pong(void)
{
	int there[2], back[2], i;
	char c = 0;
	pid_t pid;

	want(!pipe(there) && !pipe(back));
	pid = fork();
	if (!pid) {
		for (i = 0; i < 100; i++)
			want(read(there[0], &c, 1) == 1 && c == i && write(back[1], &c, 1) == 1);
		_exit(0);
	}
	for (i = 0; i < 100; i++) {
		c = i;
		want(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1 && c == i);
	}
	want(status_of(pid) == 0);
	return 1;
}

static int writers_do_not_mix(void)
{
	char text[256];
	int p[2], i, n, counts[4] = { 0 };
	pid_t pid[4];

	want(!pipe(p));
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			memset(text, 'a' + i, sizeof(text));
			for (n = 0; n < 20; n++)
				want(write(p[1], text, sizeof(text)) == sizeof(text));
			_exit(0);
		}
	}
	for (n = 0; n < 80; n++) {
		want(read(p[0], text, sizeof(text)) == sizeof(text) && text[0] >= 'a' && text[0] <= 'd');
		for (i = 1; i < (int)sizeof(text); i++)
			want(text[i] == text[0]);
		counts[text[0] - 'a']++;
	}
	for (i = 0; i < 4; i++)
		want(counts[i] == 20 && status_of(pid[i]) == 0);
	return 1;
}

static int broken_pipe_ends(void)
{
	int p[2], status;
	pid_t pid;

	want(!pipe(p));
	pid = fork();
	if (!pid) {
		close(p[0]);
		/* The parent may still have its end open. */
		while (write(p[1], "x", 1) == 1)
			sleep_ms(1);
		_exit(0);
	}
	want(!close(p[0]));
	status = status_of(pid);
	want(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	return 1;
}

static int fifo_meets(void)
{
	char text[10];
	pid_t pid;
	int fd;

	want(!mkfifo("p", 0600));
	pid = fork();
	if (!pid) {
		fd = open("p", O_WRONLY);
		want(fd >= 0 && write(fd, "hello", 5) == 5);
		_exit(0);
	}
	want((fd = open("p", O_RDONLY)) >= 0 && read(fd, text, 10) == 5 && read(fd, text, 10) == 0 &&
	     status_of(pid) == 0);
	return 1;
}

static int socket_server(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "s" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), s, i;
	char text[10];
	pid_t pid[3];

	want(!bind(l, (void *)&a, sizeof(a)) && !listen(l, 5));
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			s = socket(AF_UNIX, SOCK_STREAM, 0);
			want(!connect(s, (void *)&a, sizeof(a)) && write(s, "ask", 3) == 3 && read(s, text, 10) == 6);
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++)
		want((s = accept(l, NULL, NULL)) >= 0 && read(s, text, 10) == 3 && write(s, "answer", 6) == 6 &&
		     !close(s));
	for (i = 0; i < 3; i++)
		want(status_of(pid[i]) == 0);
	return 1;
}

static int descriptor_to_child(void)
{
	char control[CMSG_SPACE(sizeof(int))] = "", c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	int s[2], p[2], fd;
	pid_t pid;

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	pid = fork();
	if (!pid) {
		want(recvmsg(s[1], &m, 0) == 1 && (h = CMSG_FIRSTHDR(&m)) && h->cmsg_type == SCM_RIGHTS);
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
		want(write(fd, "through", 7) == 7);
		_exit(0);
	}
	want(!pipe(p));
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &p[1], sizeof(int));
	want(sendmsg(s[0], &m, 0) == 1 && read(p[0], buffer, 10) == 7 && status_of(pid) == 0);
	return 1;
}

static int poll_wakes(void)
{
	struct pollfd f;
	int p[2];
	pid_t pid;

	want(!pipe(p));
	pid = fork();
	if (!pid) {
		sleep_ms(10);
		_exit(write(p[1], "x", 1) == 1 ? 0 : 1);
	}
	f = (struct pollfd){ p[0], POLLIN, 0 };
	want(poll(&f, 1, -1) == 1 && f.revents == POLLIN && status_of(pid) == 0);
	return 1;
}

static int epoll_wakes(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = eventfd(0, 0), ep = epoll_create1(0);
	uint64_t v = 3;
	pid_t pid;

	want(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	pid = fork();
	if (!pid) {
		sleep_ms(10);
		_exit(write(fd, &v, 8) == 8 ? 0 : 1);
	}
	want(epoll_wait(ep, &e, 1, -1) == 1 && read(fd, &v, 8) == 8 && v == 3 && status_of(pid) == 0);
	return 1;
}

static int locks_conflict(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = pattern_file("f", 100);
	pid_t me = getpid(), pid;

	want(!fcntl(fd, F_SETLK, &l));
	pid = fork();
	if (!pid) {
		want_error(fcntl(fd, F_SETLK, &l), EAGAIN);
		want(!fcntl(fd, F_GETLK, &l) && l.l_type == F_WRLCK && l.l_pid == me && l.l_start == 10 &&
		     l.l_len == 10);
		l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 0 };
		want(!fcntl(fd, F_SETLK, &l));
		_exit(0);
	}
	want(status_of(pid) == 0);
	l.l_start = 20;
	want(!fcntl(fd, F_GETLK, &l) && l.l_type == F_UNLCK);
	return 1;
}

static int lock_is_waited_for(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int fd = pattern_file("f", 100), p[2];
	char c = 0;
	pid_t pid;

	want(!fcntl(fd, F_SETLK, &l) && !pipe(p));
	pid = fork();
	if (!pid) {
		want(write(p[1], "1", 1) == 1 && !fcntl(fd, F_SETLKW, &l) && pread(fd, &c, 1, 5) == 1 && c == 'x');
		_exit(0);
	}
	want(read(p[0], &c, 1) == 1);
	sleep_ms(5);
	l.l_type = F_UNLCK;
	want(pwrite(fd, "x", 1, 5) == 1 && !fcntl(fd, F_SETLK, &l) && status_of(pid) == 0);
	return 1;
}

static int deadlock_is_found(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	int fd = pattern_file("f", 100), p[2], n = 0, failed = 0;
	char c;
	pid_t pid;

	want(!fcntl(fd, F_SETLK, &l) && !pipe(p));
	pid = fork();
	if (!pid) {
		l.l_start = 1;
		want(!fcntl(fd, F_SETLK, &l) && write(p[1], "1", 1) == 1);
		l.l_start = 0;
		if (!fcntl(fd, F_SETLKW, &l))
			_exit(0);
		_exit(errno == EDEADLK ? 2 : 3);
	}
	want(read(p[0], &c, 1) == 1);
	l.l_start = 1;
	if (fcntl(fd, F_SETLKW, &l)) {
		failed = errno == EDEADLK;
		l.l_type = F_UNLCK;
		l.l_start = 0;
		want(!fcntl(fd, F_SETLK, &l));
	}
	n = WEXITSTATUS(status_of(pid));
	want((failed && n == 0) || (!failed && n == 2));
	return 1;
}

static int flock_of_child_is_the_same(void)
{
	int fd = pattern_file("f", 10), other = open("f", O_RDWR);
	pid_t pid;

	want(!flock(fd, LOCK_EX));
	pid = fork();
	if (!pid) {
		want(!flock(fd, LOCK_EX | LOCK_NB));
		want_error(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
		_exit(0);
	}
	want(status_of(pid) == 0);
	want_error(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	want(!close(fd) && !flock(other, LOCK_EX | LOCK_NB));
	return 1;
}

static int shared_file_mapping(void)
{
	int fd = pattern_file("f", 2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *q;
	pid_t pid = fork();

	if (!pid) {
		q = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open("f", O_RDWR), 0);
		q[PAGE] = 88;
		want(q[PAGE] == 88 && p[PAGE] == 88);
		_exit(0);
	}
	want(status_of(pid) == 0 && p[PAGE] == 88 && is_pattern(p, PAGE, 0) && !munmap(p, 2 * PAGE));
	return 1;
}

static int posix_shared_memory(void)
{
	int fd;
	char *p;
	pid_t pid;

	shm_unlink("/conformance");
	fd = shm_open("/conformance", O_RDWR | O_CREAT | O_EXCL, 0600);
	want(fd >= 0 && !ftruncate(fd, PAGE));
	pid = fork();
	if (!pid) {
		p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shm_open("/conformance", O_RDWR, 0), 0);
		want(p != MAP_FAILED);
		strcpy(p, "hello");
		_exit(0);
	}
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	want(status_of(pid) == 0 && !strcmp(p, "hello") && !munmap(p, PAGE) && !shm_unlink("/conformance"));
	return 1;
}

static int sysv_shared_memory(void)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600);
	struct shmid_ds d;
	char *p, *q;
	pid_t pid;

	want((p = shmat(id, NULL, 0)) != (void *)-1);
	pid = fork();
	if (!pid) {
		want((q = shmat(id, NULL, 0)) != (void *)-1);
		fill_pattern(q, 3 * PAGE, 0);
		want(is_pattern(p, 3 * PAGE, 0));
		_exit(0);
	}
	want(status_of(pid) == 0 && is_pattern(p, 3 * PAGE, 0) && !shmctl(id, IPC_STAT, &d) && d.shm_nattch == 1);
	want(!shmdt(p) && !shmctl(id, IPC_RMID, NULL));
	return 1;
}

static int sysv_semaphore_wakes(void)
{
	struct sembuf up = { 0, 1, 0 }, down = { 0, -1, 0 };
	int s = semget(IPC_PRIVATE, 1, 0600);
	pid_t pid = fork();

	if (!pid) {
		sleep_ms(10);
		_exit(semop(s, &up, 1) ? 1 : 0);
	}
	want(!semop(s, &down, 1) && semctl(s, 0, GETPID) == getpid() && status_of(pid) == 0 && !semctl(s, 0, IPC_RMID));
	return 1;
}

static int sysv_semaphore_is_undone(void)
{
	struct sembuf up = { 0, 3, SEM_UNDO };
	int s = semget(IPC_PRIVATE, 1, 0600);
	pid_t pid = fork();

	if (!pid)
		_exit(semop(s, &up, 1) || semctl(s, 0, GETVAL) != 3);
	want(status_of(pid) == 0 && semctl(s, 0, GETVAL) == 0 && !semctl(s, 0, IPC_RMID));
	return 1;
}

static int sysv_semaphore_removed(void)
{
	struct sembuf down = { 0, -1, 0 };
	int s = semget(IPC_PRIVATE, 1, 0600);
	pid_t pid = fork();

	if (!pid) {
		want_error(semop(s, &down, 1), EIDRM);
		_exit(0);
	}
	want_soon(semctl(s, 0, GETNCNT) == 1);
	want(!semctl(s, 0, IPC_RMID) && status_of(pid) == 0);
	return 1;
}

static int sysv_messages(void)
{
	struct { long type; char text[10]; } m = { 2, "hello" };
	int q = msgget(IPC_PRIVATE, 0600);
	pid_t pid = fork();

	if (!pid) {
		want(msgrcv(q, &m, 10, 7, 0) == 3);
		m.type = 8;
		_exit(msgsnd(q, &m, 3, 0) ? 1 : 0);
	}
	m.type = 7;
	want(!msgsnd(q, &m, 3, 0) && msgrcv(q, &m, 10, 8, 0) == 3 && status_of(pid) == 0 && !msgctl(q, IPC_RMID, NULL));
	return 1;
}

static int posix_messages(void)
{
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = 10 };
	char text[10];
	mqd_t q;
	pid_t pid;
	int i;

	mq_unlink("/conformance");
	want((q = mq_open("/conformance", O_RDWR | O_CREAT | O_EXCL, 0600, &a)) >= 0);
	pid = fork();
	if (!pid) {
		for (i = 0; i < 10; i++)
			want(!mq_send(q, "hello", i, 0));
		_exit(0);
	}
	for (i = 0; i < 10; i++)
		want(mq_receive(q, text, 10, NULL) == i);
	want(status_of(pid) == 0 && !mq_close(q) && !mq_unlink("/conformance"));
	return 1;
}

static int posix_semaphore_shared(void)
{
	sem_t *s = shared(PAGE);
	pid_t pid;

	want(!sem_init(s, 1, 0) && !sem_init(s + 1, 1, 0));
	pid = fork();
	if (!pid)
		_exit(sem_wait(s) || sem_post(s + 1) ? 1 : 0);
	sleep_ms(5);
	want(!sem_post(s) && !sem_wait(s + 1) && status_of(pid) == 0 && !munmap(s, PAGE));
	return 1;
}

static int posix_semaphore_named(void)
{
	sem_t *s;
	pid_t pid;

	sem_unlink("/conformance");
	want((s = sem_open("/conformance", O_CREAT | O_EXCL, 0600, 0)) != SEM_FAILED);
	pid = fork();
	if (!pid) {
		want((s = sem_open("/conformance", 0)) != SEM_FAILED && !sem_post(s));
		_exit(0);
	}
	want(!sem_wait(s) && status_of(pid) == 0 && !sem_close(s) && !sem_unlink("/conformance"));
	want(sem_open("/conformance", 0) == SEM_FAILED && errno == ENOENT);
	return 1;
}

static int mutex_shared(void)
{
	struct { pthread_mutex_t m; int n; } *s = shared(PAGE);
	pthread_mutexattr_t a;
	pid_t pid[3];
	int i, k;

	want(!pthread_mutexattr_init(&a) && !pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
	want(!pthread_mutex_init(&s->m, &a));
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			for (k = 0; k < 300; k++) {
				pthread_mutex_lock(&s->m);
				s->n++;
				pthread_mutex_unlock(&s->m);
			}
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++)
		want(status_of(pid[i]) == 0);
	want(s->n == 900 && !munmap(s, PAGE));
	return 1;
}

static void *locks_and_ends(void *m)
{
	_exit(pthread_mutex_lock(m));
}

static int mutex_of_the_dead(void)
{
	pthread_mutex_t *m = shared(PAGE);
	pthread_mutexattr_t a;
	pthread_t t;
	pid_t pid;

	want(!pthread_mutexattr_init(&a) && !pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
	want(!pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) && !pthread_mutex_init(m, &a));
	pid = fork();
	/* In a thread: uClibc-ng registers no list of robust mutexes for the one that fork() leaves. */
	if (!pid && !pthread_create(&t, NULL, locks_and_ends, m))
		for (;;)
			pause();
	want(status_of(pid) == 0);
	want_number(pthread_mutex_lock(m), EOWNERDEAD);
	want(!pthread_mutex_consistent(m) && !pthread_mutex_unlock(m) && !pthread_mutex_lock(m) &&
	     !pthread_mutex_unlock(m));
	want(!munmap(m, PAGE));
	return 1;
}

static int condition_shared(void)
{
	struct { pthread_mutex_t m; pthread_cond_t c; int turn; } *s = shared(PAGE);
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;
	pid_t pid;
	int i;

	pthread_mutexattr_init(&ma);
	pthread_condattr_init(&ca);
	want(!pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED) &&
	     !pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED));
	want(!pthread_mutex_init(&s->m, &ma) && !pthread_cond_init(&s->c, &ca));
	pid = fork();
	for (i = 0; i < 20; i++) {
		pthread_mutex_lock(&s->m);
		while (s->turn % 2 != (pid != 0))
			pthread_cond_wait(&s->c, &s->m);
		s->turn++;
		pthread_cond_signal(&s->c);
		pthread_mutex_unlock(&s->m);
	}
	if (!pid)
		_exit(0);
	want(status_of(pid) == 0 && s->turn == 40 && !munmap(s, PAGE));
	return 1;
}

static int barrier_shared(void)
{
	struct { pthread_barrier_t b; int n[2]; } *s = shared(PAGE);
	pthread_barrierattr_t a;
	pid_t pid;
	int r;

	want(!pthread_barrierattr_init(&a) && !pthread_barrierattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
	want(!pthread_barrier_init(&s->b, &a, 2));
	pid = fork();
	s->n[pid != 0] = 1;
	r = pthread_barrier_wait(&s->b);
	want((r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD) && s->n[0] && s->n[1]);
	if (!pid)
		_exit(r == 0 ? 1 : 2);
	r = (r == 0 ? 1 : 2) + WEXITSTATUS(status_of(pid));
	want(r == 3 && !munmap(s, PAGE));
	return 1;
}

const struct check checks[] = {
	CHECK(pipe_to_child), CHECK(ping_pong), CHECK(writers_do_not_mix), CHECK(broken_pipe_ends),
	CHECK(fifo_meets), CHECK(socket_server), CHECK(descriptor_to_child), CHECK(poll_wakes),
	CHECK(epoll_wakes), CHECK(locks_conflict), CHECK(lock_is_waited_for), CHECK(deadlock_is_found),
	CHECK(flock_of_child_is_the_same), CHECK(shared_file_mapping), CHECK(posix_shared_memory),
	CHECK(sysv_shared_memory), CHECK(sysv_semaphore_wakes), CHECK(sysv_semaphore_is_undone),
	CHECK(sysv_semaphore_removed), CHECK(sysv_messages), CHECK(posix_messages),
	CHECK(posix_semaphore_shared), CHECK(posix_semaphore_named), CHECK(mutex_shared),
	CHECK(mutex_of_the_dead), CHECK(condition_shared), CHECK(barrier_shared),
	{ NULL, NULL },
};
