// SPDX-License-Identifier: GPL-2.0-or-later
/* siginfo.c - what is told of a signal: siginfo in handlers, sigqueue, sigwaitinfo, sigtimedwait, signalfd. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "conformance.h"

#ifndef SI_TKILL
#define SI_TKILL	-6
#endif

static siginfo_t got[10];
static volatile sig_atomic_t count;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	if (count < (int)COUNT(got))
		got[count] = *info;
	count++;
}

static int handle(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	count = 0;
	memset(got, 0x55, sizeof(got));
	return !sigaction(sig, &sa, NULL);
}

static int block(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return !sigprocmask(SIG_BLOCK, &s, NULL);
}

static sigset_t only(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return s;
}

static int of_kill(void)
{
	want(handle(SIGUSR1) && !kill(getpid(), SIGUSR1) && count == 1);
	want(got->si_signo == SIGUSR1 && got->si_code == SI_USER && got->si_pid == getpid() && got->si_uid == getuid());
	return 1;
}

static int of_tgkill(void)
{
	want(handle(SIGUSR1) && !syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1) && count == 1);
	want(got->si_code == SI_TKILL && got->si_pid == getpid());
	return 1;
}

static int of_another_process(void)
{
	pid_t me = getpid(), pid;

	want(handle(SIGUSR1));
	pid = fork();
	if (!pid)
		_exit(kill(me, SIGUSR1) ? 1 : 0);
	want(status_of(pid) == 0);
	want_soon(count == 1);
	want(got->si_code == SI_USER && got->si_pid == pid && got->si_uid == 0);
	return 1;
}

static int of_sigqueue(void)
{
	union sigval v = { .sival_ptr = (void *)0x123456789abcdef0 };

	want(handle(SIGUSR1) && !sigqueue(getpid(), SIGUSR1, v) && count == 1);
	want(got->si_code == SI_QUEUE && got->si_pid == getpid() && got->si_value.sival_ptr == v.sival_ptr);
	want_error(sigqueue(getpid(), 99, v), EINVAL);
	want_error(sigqueue(0x3ffffff, SIGUSR1, v), ESRCH);
	return 1;
}

static int queue_in_order(void)
{
	int sig = SIGRTMIN + 3, i;
	sigset_t s = only(sig);

	want(handle(sig) && block(sig));
	for (i = 0; i < 5; i++)
		want(!sigqueue(getpid(), sig, (union sigval){ .sival_int = 10 + i }));
	want(!sigprocmask(SIG_UNBLOCK, &s, NULL) && count == 5);
	for (i = 0; i < 5; i++)
		want(got[i].si_value.sival_int == 10 + i && got[i].si_signo == sig);
	return 1;
}

static int of_a_child(void)
{
	pid_t pid;

	want(handle(SIGCHLD));
	pid = fork();
	if (!pid)
		_exit(43);
	want_soon(count == 1);
	want(got->si_signo == SIGCHLD && got->si_code == CLD_EXITED && got->si_pid == pid && got->si_status == 43 &&
	     got->si_uid == 0);
	want(WEXITSTATUS(status_of(pid)) == 43);
	return 1;
}

static int of_a_killed_child(void)
{
	pid_t pid;

	want(handle(SIGCHLD));
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	want(!kill(pid, SIGTERM));
	want_soon(count == 1);
	want(got->si_code == CLD_KILLED && got->si_pid == pid && got->si_status == SIGTERM &&
	     status_of(pid) == SIGTERM);
	return 1;
}

static int of_a_stopped_child(void)
{
	pid_t pid;

	want(handle(SIGCHLD));
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	want(!kill(pid, SIGSTOP));
	want_soon(count == 1);
	want(got->si_code == CLD_STOPPED && got->si_pid == pid && got->si_status == SIGSTOP && !kill(pid, SIGCONT));
	want_soon(count == 2);
	want(got[1].si_code == CLD_CONTINUED && got[1].si_status == SIGCONT && !kill(pid, SIGKILL));
	want_soon(count == 3);
	want(status_of(pid) == SIGKILL);
	return 1;
}

static int no_news_of_stops(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NOCLDSTOP };
	int status;
	pid_t pid;

	count = 0;
	want(!sigaction(SIGCHLD, &sa, NULL));
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	want(!kill(pid, SIGSTOP) && waitpid(pid, &status, WUNTRACED) == pid && count == 0);
	want(!kill(pid, SIGKILL));
	want_soon(count == 1);
	want(got->si_code == CLD_KILLED && status_of(pid) == SIGKILL);
	return 1;
}

static int of_a_timer(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 321 };
	struct itimerspec t = { .it_value = { 0, 5000000 } };
	timer_t timer;

	want(handle(SIGUSR2) && !timer_create(CLOCK_MONOTONIC, &e, &timer) && !timer_settime(timer, 0, &t, NULL));
	want_soon(count == 1);
	want(got->si_code == SI_TIMER && got->si_value.sival_int == 321 && !timer_delete(timer));
	return 1;
}

static int of_an_alarm(void)
{
	struct itimerval t = { .it_value = { 0, 5000 } };

	want(handle(SIGALRM) && !setitimer(ITIMER_REAL, &t, NULL));
	want_soon(count == 1);
	want(got->si_signo == SIGALRM && got->si_code == 128);	/* SI_KERNEL */
	return 1;
}

static int of_a_message_queue(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 55 };
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = 10 };
	mqd_t q;

	mq_unlink("/conformance");
	want((q = mq_open("/conformance", O_RDWR | O_CREAT | O_EXCL, 0600, &a)) >= 0 && handle(SIGUSR2) &&
	     !mq_notify(q, &e));
	want_error(mq_notify(q, &e), EBUSY);
	want(!mq_send(q, "x", 1, 0));
	want_soon(count == 1);
	want(got->si_code == SI_MESGQ && got->si_value.sival_int == 55 && !mq_send(q, "y", 1, 0) && count == 1);
	want(!mq_notify(q, NULL) && !mq_close(q) && !mq_unlink("/conformance"));
	return 1;
}

static int of_input(void)
{
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && handle(SIGIO) && !fcntl(s[0], F_SETOWN, getpid()));
	want(fcntl(s[0], F_GETOWN) == getpid() && !fcntl(s[0], F_SETFL, O_ASYNC) && write(s[1], "x", 1) == 1);
	want_soon(count >= 1);
	want(got->si_signo == SIGIO && !fcntl(s[0], F_SETFL, 0));
	return 1;
}

static int waitinfo(void)
{
	sigset_t s = only(SIGUSR1);
	siginfo_t i;

	want(block(SIGUSR1) && !sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 5 }));
	want(sigwaitinfo(&s, &i) == SIGUSR1 && i.si_code == SI_QUEUE && i.si_value.sival_int == 5);
	want(!kill(getpid(), SIGUSR1) && sigwaitinfo(&s, NULL) == SIGUSR1);
	return 1;
}

static int timedwait(void)
{
	sigset_t s = only(SIGUSR1);
	struct timespec t = { 0, 20000000 }, none = { 0, 0 }, wrong = { 0, 1000000000 };
	long before = now_ms();
	siginfo_t i;

	want(block(SIGUSR1));
	want_error(sigtimedwait(&s, &i, &t), EAGAIN);
	want(now_ms() - before >= 20);
	want_error(sigtimedwait(&s, &i, &none), EAGAIN);
	want_error(sigtimedwait(&s, &i, &wrong), EINVAL);
	want(!kill(getpid(), SIGUSR1) && sigtimedwait(&s, &i, &t) == SIGUSR1 && i.si_pid == getpid());
	return 1;
}

static int wait_for_one_that_comes(void)
{
	sigset_t s = only(SIGUSR1);
	pid_t me = getpid(), pid;
	siginfo_t i;

	want(block(SIGUSR1));
	pid = fork();
	if (!pid) {
		sleep_ms(10);
		_exit(sigqueue(me, SIGUSR1, (union sigval){ .sival_int = 7 }) ? 1 : 0);
	}
	want(sigwaitinfo(&s, &i) == SIGUSR1 && i.si_value.sival_int == 7 && i.si_pid == pid && status_of(pid) == 0);
	return 1;
}

static int wait_is_interrupted(void)
{
	sigset_t s = only(SIGUSR1);
	pid_t me = getpid(), pid;

	want(block(SIGUSR1) && handle(SIGUSR2));
	pid = fork();
	if (!pid) {
		while (getppid() == me && !kill(me, SIGUSR2))
			sleep_ms(10);
		_exit(0);
	}
	want_error(sigwaitinfo(&s, NULL), EINTR);
	want(count >= 1 && !kill(pid, SIGKILL) && status_of(pid) == SIGKILL);
	return 1;
}

static int wait_for_a_child(void)
{
	sigset_t s = only(SIGCHLD);
	siginfo_t i;
	pid_t pid;

	want(block(SIGCHLD));
	pid = fork();
	if (!pid)
		_exit(3);
	want(sigwaitinfo(&s, &i) == SIGCHLD && i.si_pid == pid && i.si_code == CLD_EXITED && i.si_status == 3);
	want(WEXITSTATUS(status_of(pid)) == 3);
	return 1;
}

static int descriptor(void)
{
	sigset_t s = only(SIGUSR1);
	struct signalfd_siginfo i;
	struct pollfd f;

	want(block(SIGUSR1) && (f.fd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC)) >= 0 &&
	     fcntl(f.fd, F_GETFD) == FD_CLOEXEC);
	want_error(read(f.fd, &i, sizeof(i)), EAGAIN);
	f.events = POLLIN;
	want(poll(&f, 1, 0) == 0 && !sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 9 }) &&
	     poll(&f, 1, 0) == 1);
	want(read(f.fd, &i, sizeof(i)) == sizeof(i) && i.ssi_signo == SIGUSR1 && i.ssi_int == 9 &&
	     i.ssi_pid == (unsigned)getpid());
	want(i.ssi_code == SI_QUEUE);
	want_error(read(f.fd, &i, sizeof(i)), EAGAIN);
	want_error(read(f.fd, &i, 10), EINVAL);
	return 1;
}

static int descriptor_of_several(void)
{
	int sig = SIGRTMIN + 1, fd, n;
	sigset_t s = only(sig);
	struct signalfd_siginfo i[4];

	want(block(sig) && block(SIGUSR2) && (fd = signalfd(-1, &s, 0)) >= 0);
	for (n = 0; n < 3; n++)
		want(!sigqueue(getpid(), sig, (union sigval){ .sival_int = n }));
	want(read(fd, i, sizeof(i)) == 3 * sizeof(*i) && i[0].ssi_int == 0 && i[2].ssi_int == 2);
	s = only(SIGUSR2);
	want(signalfd(fd, &s, 0) == fd && !raise(SIGUSR2) && read(fd, i, sizeof(i)) == sizeof(*i) &&
	     i->ssi_signo == SIGUSR2);
	return 1;
}

static int descriptor_of_a_timer(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_ptr = &e };
	struct itimerspec t = { .it_value = { 0, 5000000 } };
	struct signalfd_siginfo s;
	sigset_t set;
	timer_t timer;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	want(!sigprocmask(SIG_BLOCK, &set, NULL) && (fd = signalfd(-1, &set, 0)) >= 0);
	want(!timer_create(CLOCK_MONOTONIC, &e, &timer) && !timer_settime(timer, 0, &t, NULL));
	want(read(fd, &s, sizeof(s)) == sizeof(s) && s.ssi_signo == SIGUSR2 && s.ssi_code == SI_TIMER &&
	     s.ssi_ptr == (unsigned long)&e && s.ssi_int == (int)(long)&e && !timer_delete(timer));
	return 1;
}

static int descriptor_of_a_child(void)
{
	sigset_t s = only(SIGCHLD);
	struct signalfd_siginfo i;
	struct epoll_event e = { .events = EPOLLIN };
	int fd, ep = epoll_create1(0);
	pid_t pid;

	want(block(SIGCHLD) && (fd = signalfd(-1, &s, 0)) >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	pid = fork();
	if (!pid)
		_exit(3);
	want(epoll_wait(ep, &e, 1, 10000) == 1 && read(fd, &i, sizeof(i)) == sizeof(i));
	want(i.ssi_signo == SIGCHLD && i.ssi_pid == (unsigned)pid && i.ssi_status == 3 &&
	     WEXITSTATUS(status_of(pid)) == 3);
	return 1;
}

static int descriptor_errors(void)
{
	sigset_t s = only(SIGUSR1);

	want_error(signalfd(0, &s, 0), EINVAL);
	want_error(signalfd(77, &s, 0), EBADF);
	want_error(signalfd(-1, &s, 12345), EINVAL);
	return 1;
}

const struct check checks[] = {
	CHECK(of_kill), CHECK(of_tgkill), CHECK(of_another_process), CHECK(of_sigqueue), CHECK(queue_in_order),
	CHECK(of_a_child), CHECK(of_a_killed_child), CHECK(of_a_stopped_child), CHECK(no_news_of_stops),
	CHECK(of_a_timer), CHECK(of_an_alarm), CHECK(of_a_message_queue), CHECK(of_input), CHECK(waitinfo),
	CHECK(timedwait), CHECK(wait_for_one_that_comes), CHECK(wait_is_interrupted), CHECK(wait_for_a_child),
	CHECK(descriptor), CHECK(descriptor_of_several), CHECK(descriptor_of_a_child), CHECK(descriptor_of_a_timer), CHECK(descriptor_errors),
	{ NULL, NULL },
};
