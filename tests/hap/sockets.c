// SPDX-License-Identifier: GPL-2.0-or-later
/* sockets.c - UNIX, TCP and UDP sockets: one process that talks to itself, in a directory of its own under argv[1]. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "check.h"

/* More than one piece of the shim's. */
#define BIG	1300021

static char big[BIG], back[BIG];

static int same_file(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* Moves BIG bytes from one end to the other, of which neither waits. */
static int pump(int from, int to)
{
	size_t sent = 0, got = 0;
	ssize_t n;

	fcntl(from, F_SETFL, O_NONBLOCK);
	fcntl(to, F_SETFL, O_NONBLOCK);
	while (got < BIG) {
		struct pollfd p[2] = { { from, sent < BIG ? POLLOUT : 0, 0 }, { to, POLLIN, 0 } };

		if (poll(p, 2, 5000) <= 0)
			return 0;
		if (p[0].revents & POLLOUT) {
			n = send(from, big + sent, BIG - sent, MSG_NOSIGNAL);
			if (n < 0 && errno != EAGAIN)
				return 0;
			sent += n > 0 ? n : 0;
		}
		if (p[1].revents & POLLIN) {
			n = recv(to, back + got, BIG - got, 0);
			if (n < 0 && errno != EAGAIN)
				return 0;
			got += n > 0 ? n : 0;
		}
	}
	fcntl(from, F_SETFL, 0);
	fcntl(to, F_SETFL, 0);
	return !memcmp(big, back, BIG);
}

static void pairs(void)
{
	struct iovec iov[2] = { { "hel", 3 }, { "lo", 2 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	char buf[16], *large = malloc(2 * BIG);
	int s[2], n = 0;
	socklen_t len = sizeof(n);

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
	check(send(s[0], "hello", 5, 0) == 5 && recv(s[1], buf, sizeof(buf), 0) == 5 && !memcmp(buf, "hello", 5), "send, recv");
	check(sendmsg(s[1], &m, 0) == 5 && read(s[0], buf, sizeof(buf)) == 5 && !memcmp(buf, "hello", 5), "sendmsg of two parts, read");
	check(write(s[0], "hello", 5) == 5, "write");
	iov[0] = (struct iovec){ buf, 2 };
	iov[1] = (struct iovec){ buf + 8, 8 };
	m = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 2 };
	check(recvmsg(s[1], &m, 0) == 5 && !memcmp(buf, "he", 2) && !memcmp(buf + 8, "llo", 3) && !m.msg_controllen && !m.msg_flags,
	      "recvmsg into two parts");
	check(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno == EAGAIN, "recv when nothing is there");
	check(send(s[0], "peek", 4, 0) == 4 && recv(s[1], buf, 4, MSG_PEEK) == 4 && recv(s[1], buf, 4, 0) == 4 && !memcmp(buf, "peek", 4),
	      "MSG_PEEK leaves it there");
	check(!getsockopt(s[0], SOL_SOCKET, SO_TYPE, &n, &len) && n == SOCK_STREAM && len == sizeof(n), "getsockopt SO_TYPE");
	check(pump(s[0], s[1]), "%d bytes through it", BIG);
	n = 2 * BIG;
	check(!setsockopt(s[0], SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof(n)) || !setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)),
	      "setsockopt of the buffer's size");
	check(!shutdown(s[0], SHUT_WR) && recv(s[1], buf, 1, 0) == 0, "shutdown");
	check(send(s[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "send after it");
	close(s[0]);
	close(s[1]);
	check(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s), "socketpair of datagrams");
	check(send(s[0], "0123456789", 10, 0) == 10 && send(s[0], "", 0, 0) == 0, "two datagrams");
	iov[0] = (struct iovec){ buf, 4 };
	m = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
	check(recvmsg(s[1], &m, MSG_TRUNC) == 10 && m.msg_flags & MSG_TRUNC && !memcmp(buf, "0123", 4), "one that is cut off, and its true length");
	check(recv(s[1], buf, sizeof(buf), 0) == 0, "one without data");
	check(send(s[0], large, 2 * BIG, MSG_DONTWAIT) < 0 && errno == EMSGSIZE, "one that is too long");
	check(sendmsg(s[0], &(struct msghdr){ .msg_iov = iov, .msg_iovlen = 2000 }, 0) < 0 && errno == EMSGSIZE, "too many parts");
	check(send(s[0], (char *)8, 5, 0) < 0 && errno == EFAULT, "send from a bad pointer");
	check(send(99, "x", 1, 0) < 0 && errno == EBADF && send(0, "x", 1, 0) < 0 && errno == ENOTSOCK, "send to what is no socket");
	close(s[0]);
	close(s[1]);
	free(large);
}

/* Several messages in one call. */
static void many(void)
{
	struct iovec iov[4];
	struct mmsghdr m[4];
	struct timespec ts = { 0, 1 };
	char buf[4][8];
	int s[2], i;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	for (i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ &"abcd"[i], 1 };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	check(sendmmsg(s[0], m, 4, 0) == 4 && m[3].msg_len == 1, "sendmmsg");
	for (i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ buf[i], 8 };
		m[i].msg_len = 99;
	}
	check(recvmmsg(s[1], m, 3, 0, NULL) == 3 && m[2].msg_len == 1 && buf[0][0] == 'a' && buf[2][0] == 'c', "recvmmsg");
	check(recvmmsg(s[1], m, 4, MSG_WAITFORONE, NULL) == 1 && buf[0][0] == 'd', "recvmmsg that waits for one");
	sendmmsg(s[0], m, 2, 0);
	check(recvmmsg(s[1], m, 2, 0, &ts) == 1 && !ts.tv_sec && !ts.tv_nsec, "recvmmsg whose time is over after the first");
	check(recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL) == 1 && recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL) < 0 && errno == EAGAIN,
	      "recvmmsg that does not wait");
	close(s[0]);
	close(s[1]);
}

static void control_data(void)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(3 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(3 * sizeof(int)) };
	struct cmsghdr *c;
	struct ucred cred;
	int s[2], p[2], fd[3], on = 1, rights = 0, creds = 0;
	char buf[8];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && !pipe(p), "a pair and a pipe");
	c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(3 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), (int[3]){ p[0], p[1], s[0] }, 3 * sizeof(int));
	check(!setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), "setsockopt SO_PASSCRED");
	check(sendmsg(s[0], &m, 0) == 1, "sendmsg with three descriptors");
	iov = (struct iovec){ buf, 8 };
	m.msg_controllen = sizeof(control);
	check(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC) == 1 && !(m.msg_flags & MSG_CTRUNC), "recvmsg of them");
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(3 * sizeof(int))) {
			memcpy(fd, CMSG_DATA(c), sizeof(fd));
			rights++;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(cred))) {
			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			creds++;
		}
	}
	check(rights == 1 && same_file(fd[0], p[0]) && same_file(fd[2], s[0]) && fcntl(fd[0], F_GETFD) == FD_CLOEXEC, "SCM_RIGHTS");
	check(write(fd[1], "through", 7) == 7 && read(p[0], buf, 8) == 7 && !memcmp(buf, "through", 7), "they are the pipe");
	check(creds == 1 && cred.pid == getpid() && cred.uid == getuid(), "SCM_CREDENTIALS");
	close(fd[0]);
	close(fd[1]);
	close(fd[2]);
	on = 0;
	setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));

	/* Less room than there is to say. */
	m.msg_controllen = CMSG_SPACE(2 * sizeof(int));
	c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), p, 2 * sizeof(int));
	iov = (struct iovec){ "y", 1 };
	check(sendmsg(s[0], &m, 0) == 1, "sendmsg with two descriptors");
	m.msg_controllen = CMSG_LEN(sizeof(int));
	iov = (struct iovec){ buf, 8 };
	check(recvmsg(s[1], &m, 0) == 1 && m.msg_flags & MSG_CTRUNC && (c = CMSG_FIRSTHDR(&m)) && c->cmsg_len == CMSG_LEN(sizeof(int)),
	      "room for one of them");
	memcpy(fd, CMSG_DATA(c), sizeof(int));
	check(same_file(fd[0], p[0]), "that is the first");
	close(fd[0]);
	close(p[0]);
	close(p[1]);
	close(s[0]);
	close(s[1]);
}

static void unix_names(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "listening" }, b;
	socklen_t len = sizeof(b);
	int l, c, s;
	char buf[8];

	l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(l >= 0 && !bind(l, (void *)&a, sizeof(a)) && !listen(l, 5), "a UNIX socket listens");
	check(bind(l, (void *)&a, sizeof(a)) < 0 && errno == EADDRINUSE, "bind again");
	check(!getsockname(l, (void *)&b, &len) && b.sun_family == AF_UNIX && !strcmp(b.sun_path, a.sun_path) &&
	      len == offsetof(struct sockaddr_un, sun_path) + strlen(a.sun_path) + 1, "getsockname");
	len = 4;
	memset(&b, 0x55, sizeof(b));
	check(!getsockname(l, (void *)&b, &len) && len == offsetof(struct sockaddr_un, sun_path) + strlen(a.sun_path) + 1 &&
	      b.sun_path[1] == a.sun_path[1] && b.sun_path[2] == 0x55, "getsockname into too little");
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	check(!connect(c, (void *)&a, sizeof(a)), "connect");
	len = sizeof(b);
	s = accept(l, (void *)&b, &len);
	check(s >= 0 && len == sizeof(sa_family_t) && b.sun_family == AF_UNIX, "accept");
	check(send(c, "hello", 5, 0) == 5 && recv(s, buf, 8, 0) == 5, "and data");
	close(c);
	close(s);
	close(l);
	check(!unlink("listening"), "its name is a file");
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	check(connect(c, (void *)&a, sizeof(a)) < 0 && errno == ENOENT, "connect to nobody");
	check(connect(c, (void *)&a, -1) < 0 && errno == EINVAL, "connect to an address of no length");
	close(c);
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t loopback(union address *a, int family)
{
	memset(a, 0, sizeof(*a));
	a->any.sa_family = family;
	if (family == AF_INET)
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a->in6.sin6_addr = in6addr_loopback;
	return family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static void tcp(int family, const char *name)
{
	union address a, peer;
	socklen_t size = loopback(&a, family), len = sizeof(a), n_len = sizeof(int);
	int l, c, s, n = 1;
	struct pollfd p;
	char buf[16];
	struct linger linger = { 1, 0 };
	struct tcp_info info;

	l = socket(family, SOCK_STREAM, 0);
	check(l >= 0 && !setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &n, sizeof(n)) && !bind(l, &a.any, size) && !listen(l, 5), "%s: listen", name);
	check(!getsockname(l, &a.any, &len) && len == size && a.in.sin_port, "%s: getsockname says the port", name);
	c = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	check(c >= 0 && (!connect(c, &a.any, size) || errno == EINPROGRESS), "%s: connect that does not wait", name);
	len = sizeof(peer);
	s = accept4(l, &peer.any, &len, SOCK_CLOEXEC);
	check(s >= 0 && len == size && peer.any.sa_family == family && fcntl(s, F_GETFD) == FD_CLOEXEC, "%s: accept4", name);
	p = (struct pollfd){ c, POLLOUT, 0 };
	check(poll(&p, 1, 5000) == 1 && p.revents == POLLOUT && !getsockopt(c, SOL_SOCKET, SO_ERROR, &n, &n_len) && !n, "%s: it is connected", name);
	len = sizeof(a);
	check(!getpeername(s, &a.any, &len) && len == size && !memcmp(&a.in.sin_port, &peer.in.sin_port, 2), "%s: getpeername", name);
	check(send(c, "hello", 5, 0) == 5 && recv(s, buf, sizeof(buf), 0) == 5, "%s: data", name);
	len = sizeof(peer);
	check(send(s, "back", 4, 0) == 4 && poll(&(struct pollfd){ c, POLLIN, 0 }, 1, 5000) == 1 &&
	      recvfrom(c, buf, sizeof(buf), 0, &peer.any, &len) == 4 && !len, "%s: and back; a stream names no sender", name);
	check(pump(c, s) && pump(s, c), "%s: %d bytes each way", name, BIG);
	n = 1;
	check(!setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &n, sizeof(n)), "%s: TCP_NODELAY", name);
	len = sizeof(info);
	check(!getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_state == 1, "%s: TCP_INFO", name);
	check(send(c, "abc", 3, 0) == 3 && poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 5000) == 1 && !ioctl(s, FIONREAD, &n) && n == 3 &&
	      recv(s, buf, 3, MSG_WAITALL) == 3, "%s: FIONREAD, MSG_WAITALL", name);
	check(send(c, "abc", 3, 0) == 3 && poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 5000) == 1 && recv(s, NULL, 100, MSG_TRUNC) == 3,
	      "%s: data thrown away", name);
	check(send(c, "!", 1, MSG_OOB) == 1 && poll(&(struct pollfd){ s, POLLPRI, 0 }, 1, 5000) == 1 && recv(s, buf, 1, MSG_OOB) == 1 && *buf == '!',
	      "%s: urgent data", name);
	check(!setsockopt(c, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) && !close(c), "%s: an abrupt end", name);
	check(poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 5000) == 1 && recv(s, buf, 1, 0) < 0 && errno == ECONNRESET, "%s: which the other one notices", name);
	close(s);
	close(l);
	c = socket(family, SOCK_STREAM, 0);
	check(connect(c, &a.any, size) < 0 && errno == ECONNREFUSED, "%s: connect to nobody", name);
	close(c);
}

static void udp(int family, const char *name)
{
	union address a, from;
	socklen_t size = loopback(&a, family), len = sizeof(a);
	struct timeval tv = { 0, 20000 };
	int s, c;
	char buf[16];

	s = socket(family, SOCK_DGRAM, 0);
	c = socket(family, SOCK_DGRAM, 0);
	check(s >= 0 && c >= 0 && !bind(s, &a.any, size) && !getsockname(s, &a.any, &len), "%s: two sockets", name);
	check(sendto(c, "hello", 5, 0, &a.any, size) == 5, "%s: sendto", name);
	len = sizeof(from);
	check(recvfrom(s, buf, sizeof(buf), 0, &from.any, &len) == 5 && len == size && from.any.sa_family == family, "%s: recvfrom", name);
	check(sendto(s, "back", 4, 0, &from.any, len) == 4 && recv(c, buf, sizeof(buf), 0) == 4, "%s: an answer", name);
	len = 3;
	check(sendto(c, "x", 1, 0, &a.any, size) == 1 && recvfrom(s, buf, 1, 0, &from.any, &len) == 1 && len == size, "%s: an address cut off", name);
	check(!connect(c, &a.any, size) && send(c, "y", 1, 0) == 1 && recv(s, buf, sizeof(buf), 0) == 1, "%s: connected", name);
	check(send(c, big, 70000, 0) < 0 && errno == EMSGSIZE, "%s: a datagram that is too long", name);
	check(!setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) && recv(s, buf, 1, 0) < 0 && errno == EAGAIN, "%s: SO_RCVTIMEO", name);
	close(s);
	close(c);
}

static void interfaces(void)
{
	struct ifreq list[16], one = { .ifr_name = "lo" };
	struct ifconf conf = { .ifc_len = sizeof(list), .ifc_req = list };
	int s = socket(AF_INET, SOCK_DGRAM, 0), i, found = 0;
	char name[IF_NAMESIZE];

	check(!ioctl(s, SIOCGIFCONF, &conf) && conf.ifc_len % sizeof(struct ifreq) == 0, "SIOCGIFCONF");
	for (i = 0; i < (int)(conf.ifc_len / sizeof(struct ifreq)); i++)
		found += !strcmp(list[i].ifr_name, "lo");
	check(found == 1, "lo is one of them");
	check(!ioctl(s, SIOCGIFFLAGS, &one) && one.ifr_flags & IFF_UP && one.ifr_flags & IFF_LOOPBACK, "SIOCGIFFLAGS");
	check(!ioctl(s, SIOCGIFADDR, &one) && ((struct sockaddr_in *)&one.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK), "SIOCGIFADDR");
	check(if_nametoindex("lo") && !strcmp(if_indextoname(if_nametoindex("lo"), name), "lo"), "if_nametoindex, if_indextoname");
	close(s);
}

int main(int argc, char **argv)
{
	char dir[256];
	int i;

	for (i = 0; i < BIG; i++)
		big[i] = i * 7 + i / 251;
	snprintf(dir, sizeof(dir), "%s/sockets-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!check(mkdtemp(dir) && !chdir(dir), "a directory"))
		return summary();
	pairs();
	many();
	control_data();
	unix_names();
	tcp(AF_INET, "IPv4");
	tcp(AF_INET6, "IPv6");
	udp(AF_INET, "UDP");
	udp(AF_INET6, "UDP over IPv6");
	interfaces();
	check(!chdir("/") && !rmdir(dir), "all is removed");
	return summary();
}
