// SPDX-License-Identifier: GPL-2.0-or-later
/* unix.c - UNIX sockets: the three kinds, names, descriptors and credentials as messages, sendmsg and recvmsg. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "conformance.h"

static char buffer[300000];

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, path);
	return a;
}

static int bound(int type, const char *path)
{
	struct sockaddr_un a = name_of(path);
	int fd = socket(AF_UNIX, type, 0);

	return fd >= 0 && !bind(fd, (void *)&a, sizeof(a)) ? fd : -1;
}

static int pair_stream(void)
{
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && write(s[0], "hello", 5) == 5 && write(s[1], "back", 4) == 4);
	want(read(s[1], buffer, 3) == 3 && read(s[1], buffer + 3, 10) == 2 && !memcmp(buffer, "hello", 5));
	want(recv(s[0], buffer, 10, 0) == 4 && !memcmp(buffer, "back", 4) && !close(s[0]) &&
	     read(s[1], buffer, 1) == 0);
	return 1;
}

static int pair_keeps_boundaries(void)
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
	int s[2], i;

	for (i = 0; i < 2; i++) {
		want(!socketpair(AF_UNIX, types[i], 0, s) && send(s[0], "one", 3, 0) == 3 &&
		     send(s[0], "three", 5, 0) == 5);
		want(recv(s[1], buffer, 100, 0) == 3 && recv(s[1], buffer, 2, 0) == 2 && !memcmp(buffer, "th", 2));
		want_error(recv(s[1], buffer, 100, MSG_DONTWAIT), EAGAIN);
	}
	return 1;
}

static int pair_big(void)
{
	long sent = 0, got = 0, n;
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	fill_pattern(buffer, 250000, 0);
	while (got < 250000) {
		n = sent < 250000 ? write(s[0], buffer + sent, 250000 - sent) : 0;
		want(n >= 0 || errno == EAGAIN);
		sent += n > 0 ? n : 0;
		n = read(s[1], buffer + 270000, 20000);
		want(n > 0 && is_pattern(buffer + 270000, n, got));
		got += n;
	}
	want(sent == 250000);
	return 1;
}

static int pair_flags(void)
{
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s));
	want(fcntl(s[1], F_GETFD) == FD_CLOEXEC && (fcntl(s[0], F_GETFL) & O_NONBLOCK));
	want_error(read(s[0], buffer, 1), EAGAIN);
	want_error(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
	want_error(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
	want_error(socket(AF_UNIX, 99, 0), EINVAL);
	return 1;
}

static int stream_server(void)
{
	struct sockaddr_un a = name_of("s");
	socklen_t n = sizeof(a);
	int l = bound(SOCK_STREAM, "s"), c = socket(AF_UNIX, SOCK_STREAM, 0), s;

	want(l >= 0 && !listen(l, 5) && !connect(c, (void *)&a, sizeof(a)));
	memset(&a, 0, sizeof(a));
	want((s = accept4(l, (void *)&a, &n, SOCK_CLOEXEC)) >= 0 && a.sun_family == AF_UNIX && n == 2);
	want(fcntl(s, F_GETFD) == FD_CLOEXEC);
	n = sizeof(a);
	want(!getpeername(c, (void *)&a, &n) && n == offsetof(struct sockaddr_un, sun_path) + 2 &&
	     !strcmp(a.sun_path, "s"));
	want(write(c, "to", 2) == 2 && read(s, buffer, 10) == 2 && write(s, "fro", 3) == 3 && read(c, buffer, 10) == 3);
	return 1;
}

static int stream_errors(void)
{
	struct sockaddr_un a = name_of("s"), b = name_of("none");
	int l = bound(SOCK_STREAM, "s"), c = socket(AF_UNIX, SOCK_STREAM, 0);

	want_error(connect(c, (void *)&a, sizeof(a)), ECONNREFUSED);
	want_error(connect(c, (void *)&b, sizeof(b)), ENOENT);
	want_error(bind(c, (void *)&a, sizeof(a)), EADDRINUSE);
	want_error(bind(l, (void *)&b, sizeof(b)), EINVAL);
	want_error(accept(c, NULL, NULL), EINVAL);
	want_error(connect(c, (void *)&a, 1), EINVAL);
	want_error(connect(0, (void *)&a, sizeof(a)), ENOTSOCK);
	want_error(getpeername(c, (void *)&a, &(socklen_t){ sizeof(a) }), ENOTCONN);
	want_error(listen(77, 5), EBADF);
	return 1;
}

static int accept_nonblocking(void)
{
	struct sockaddr_un a = name_of("s");
	struct pollfd f = { bound(SOCK_STREAM | SOCK_NONBLOCK, "s"), POLLIN, 0 };
	int c = socket(AF_UNIX, SOCK_STREAM, 0);

	want(!listen(f.fd, 5));
	want_error(accept(f.fd, NULL, NULL), EAGAIN);
	want(poll(&f, 1, 0) == 0 && !connect(c, (void *)&a, sizeof(a)) && poll(&f, 1, 1000) == 1 &&
	     accept(f.fd, NULL, NULL) >= 0);
	return 1;
}

static int datagram_names(void)
{
	struct sockaddr_un a = name_of("a"), from;
	socklen_t n = sizeof(from);
	int fd = bound(SOCK_DGRAM, "a"), other = bound(SOCK_DGRAM, "b"), none = socket(AF_UNIX, SOCK_DGRAM, 0);

	want(sendto(other, "hello", 5, 0, (void *)&a, sizeof(a)) == 5);
	want(recvfrom(fd, buffer, 100, 0, (void *)&from, &n) == 5 && !strcmp(from.sun_path, "b"));
	want(sendto(fd, "back", 4, 0, (void *)&from, n) == 4 && recv(other, buffer, 100, 0) == 4);
	want(sendto(none, "x", 1, 0, (void *)&a, sizeof(a)) == 1);
	n = sizeof(from);
	want(recvfrom(fd, buffer, 100, 0, (void *)&from, &n) == 1 && n == 0);
	want_error(send(none, "x", 1, 0), ENOTCONN);
	want(!connect(none, (void *)&a, sizeof(a)) && send(none, "x", 1, 0) == 1);
	return 1;
}

static int abstract_names(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(a), length;
	int l = socket(AF_UNIX, SOCK_SEQPACKET, 0), c = socket(AF_UNIX, SOCK_SEQPACKET, 0), s;

	want(!bind(l, (void *)&a, 2) && !getsockname(l, (void *)&a, &n) && n == 2 + 6 && !a.sun_path[0]);
	length = n;
	want(!listen(l, 1) && !connect(c, (void *)&a, length) && (s = accept(l, NULL, NULL)) >= 0);
	want(send(c, "packet", 6, 0) == 6 && recv(s, buffer, 100, 0) == 6);
	return 1;
}

static int name_is_a_file(void)
{
	struct stat st;

	want(bound(SOCK_STREAM, "s") >= 0 && !stat("s", &st) && S_ISSOCK(st.st_mode));
	want_error(open("s", O_RDWR), ENXIO);
	return 1;
}

static int truncated_address(void)
{
	struct sockaddr_un a;
	socklen_t n = 4;
	int fd = bound(SOCK_STREAM, "abc");

	memset(&a, 'x', sizeof(a));
	want(!getsockname(fd, (void *)&a, &n) && n == 2 + 4 && a.sun_path[1] == 'b' && a.sun_path[2] == 'x');
	return 1;
}

static int shutdown_halves(void)
{
	int s[2];

	signal(SIGPIPE, SIG_IGN);
	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && write(s[0], "x", 1) == 1 && !shutdown(s[0], SHUT_WR));
	want(read(s[1], buffer, 10) == 1 && read(s[1], buffer, 10) == 0 && write(s[1], "y", 1) == 1 &&
	     read(s[0], buffer, 9) == 1);
	want_error(write(s[0], "x", 1), EPIPE);
	want_error(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	want_error(shutdown(s[0], 99), EINVAL);
	return 1;
}

static int peek_and_waitall(void)
{
	int s[2], n;

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && send(s[0], "hello", 5, 0) == 5);
	want(recv(s[1], buffer, 100, MSG_PEEK) == 5 && !ioctl(s[1], FIONREAD, &n) && n == 5);
	want(send(s[0], "again", 5, 0) == 5 && recv(s[1], buffer, 10, MSG_WAITALL) == 10 &&
	     !memcmp(buffer, "helloagain", 10));
	return 1;
}

static int message_vectors(void)
{
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdefg", 5 } };
	struct iovec in[2] = { { buffer, 3 }, { buffer + 100, 50 } };
	struct msghdr o = { .msg_iov = out, .msg_iovlen = 3 }, i = { .msg_iov = in, .msg_iovlen = 2 };
	int s[2];

	memset(buffer, 0, 200);
	want(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) && sendmsg(s[0], &o, 0) == 7 && recvmsg(s[1], &i, 0) == 7);
	want(!memcmp(buffer, "abc", 3) && !memcmp(buffer + 100, "defg", 5) && (i.msg_flags & ~MSG_EOR) == 0);
	return 1;
}

static int message_truncated(void)
{
	struct iovec in = { buffer, 3 };
	struct msghdr i = { .msg_iov = &in, .msg_iovlen = 1 };
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s) && send(s[0], "hello", 5, 0) == 5 && recvmsg(s[1], &i, 0) == 3);
	want((i.msg_flags & MSG_TRUNC) && send(s[0], "hello", 5, 0) == 5 && recv(s[1], buffer, 3, MSG_TRUNC) == 5);
	return 1;
}

/* Sends descriptors; N of them. */
static int send_fds(int to, const int *fds, int n)
{
	char control[CMSG_SPACE(16 * sizeof(int))] = "";
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(to, &m, 0) == 1;
}

/* How many came; -1: something else than descriptors, or none. */
static int receive_fds(int from, int *fds, int room, int flags, int *said)
{
	char control[CMSG_SPACE(16 * sizeof(int))] = "", c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_LEN(room * sizeof(int)) };
	struct cmsghdr *h;
	int n;

	if (recvmsg(from, &m, flags) != 1)
		return -1;
	if (said)
		*said = m.msg_flags;
	h = CMSG_FIRSTHDR(&m);
	if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
		return -1;
	n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(h), n * sizeof(int));
	return n;
}

static int pass_descriptor(void)
{
	int s[2], got[2], fd = pattern_file("f", 100);

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && send_fds(s[0], &fd, 1) && lseek(fd, 10, SEEK_SET) == 10 &&
	     !close(fd));
	want(receive_fds(s[1], got, 2, 0, NULL) == 1 && got[0] >= 3 && read(got[0], buffer, 5) == 5 &&
	     is_pattern(buffer, 5, 10));
	return 1;
}

static int pass_many_descriptors(void)
{
	int s[2], p[10], got[10], said, i;

	for (i = 0; i < 10; i += 2)
		want(!pipe(p + i));
	want(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s) && send_fds(s[0], p, 10));
	want(receive_fds(s[1], got, 10, MSG_CMSG_CLOEXEC, &said) == 10 && (said & ~MSG_CMSG_CLOEXEC) == 0);
	for (i = 0; i < 10; i += 2)
		want(write(got[i + 1], &i, 1) == 1 && read(p[i], buffer, 10) == 1 &&
		     fcntl(got[i], F_GETFD) == FD_CLOEXEC);
	return 1;
}

static int descriptors_truncated(void)
{
	int s[2], p[4], got[16], said;

	want(!pipe(p) && !pipe(p + 2) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, s) && send_fds(s[0], p, 4));
	want(receive_fds(s[1], got, 2, 0, &said) == 2 && (said & MSG_CTRUNC));
	return 1;
}

static int descriptor_of_nothing(void)
{
	int s[2], fd = 77;

	want(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s) && !send_fds(s[0], &fd, 1) && errno == EBADF);
	return 1;
}

static int credentials(void)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	struct ucred u;
	int s[2], on = 1;

	want(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s) && !setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	want(send(s[0], "x", 1, 0) == 1 && recvmsg(s[1], &m, 0) == 1 && (h = CMSG_FIRSTHDR(&m)));
	want(h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS && h->cmsg_len == CMSG_LEN(sizeof(u)));
	memcpy(&u, CMSG_DATA(h), sizeof(u));
	want(u.pid == getpid() && u.uid == getuid() && u.gid == getgid() && !CMSG_NXTHDR(&m, h));
	return 1;
}

static int credentials_chosen(void)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] = "", c = 'x';
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	struct ucred u = { getpid(), 1000, 2000 };
	int s[2], on = 1;

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_CREDENTIALS;
	h->cmsg_len = CMSG_LEN(sizeof(u));
	memcpy(CMSG_DATA(h), &u, sizeof(u));
	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && !setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	want(sendmsg(s[0], &m, 0) == 1);
	memset(control, 0, sizeof(control));
	m.msg_controllen = sizeof(control);
	want(recvmsg(s[1], &m, 0) == 1 && (h = CMSG_FIRSTHDR(&m)) && h->cmsg_type == SCM_CREDENTIALS);
	memcpy(&u, CMSG_DATA(h), sizeof(u));
	want(u.pid == getpid() && u.uid == 1000 && u.gid == 2000);
	return 1;
}

static int peer_credentials(void)
{
	struct ucred u;
	socklen_t n = sizeof(u);
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && !getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &n) &&
	     n == sizeof(u));
	want(u.pid == getpid() && u.uid == 0 && u.gid == 0);
	return 1;
}

static int many_messages(void)
{
	struct iovec out[3] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } }, in[4];
	struct mmsghdr o[3] = { 0 }, i[4] = { 0 };
	int s[2], k;

	for (k = 0; k < 3; k++)
		o[k].msg_hdr = (struct msghdr){ .msg_iov = &out[k], .msg_iovlen = 1 };
	for (k = 0; k < 4; k++) {
		in[k] = (struct iovec){ buffer + 100 * k, 100 };
		i[k].msg_hdr = (struct msghdr){ .msg_iov = &in[k], .msg_iovlen = 1 };
	}
	want(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s) && sendmmsg(s[0], o, 3, 0) == 3 && o[2].msg_len == 3);
	want(recvmmsg(s[1], i, 4, MSG_DONTWAIT, NULL) == 3 && i[0].msg_len == 1 && i[1].msg_len == 2 &&
	     i[2].msg_len == 3);
	want(buffer[0] == 'a' && buffer[100] == 'b' && buffer[202] == 'c');
	return 1;
}

static int receive_timeout(void)
{
	struct timeval t = { 0, 30000 };
	long before = now_ms();
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && !setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	want_error(read(s[0], buffer, 1), EAGAIN);
	want(now_ms() - before >= 20);
	return 1;
}

static int reset_by_peer(void)
{
	int s[2];

	want(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && write(s[0], "x", 1) == 1 && !close(s[1]));
	want_error(read(s[0], buffer, 1), ECONNRESET);
	want(read(s[0], buffer, 1) == 0);
	return 1;
}

const struct check checks[] = {
	CHECK(pair_stream), CHECK(pair_keeps_boundaries), CHECK(pair_big), CHECK(pair_flags),
	CHECK(stream_server), CHECK(stream_errors), CHECK(accept_nonblocking), CHECK(datagram_names),
	CHECK(abstract_names), CHECK(name_is_a_file), CHECK(truncated_address), CHECK(shutdown_halves),
	CHECK(peek_and_waitall), CHECK(message_vectors), CHECK(message_truncated), CHECK(pass_descriptor),
	CHECK(pass_many_descriptors), CHECK(descriptors_truncated), CHECK(descriptor_of_nothing),
	CHECK(credentials), CHECK(credentials_chosen), CHECK(peer_credentials), CHECK(many_messages),
	CHECK(receive_timeout), CHECK(reset_by_peer),
	{ NULL, NULL },
};
