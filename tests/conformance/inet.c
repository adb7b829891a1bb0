// SPDX-License-Identifier: GPL-2.0-or-later
/* inet.c - TCP and UDP over the loopback, both families: each check runs for 127.0.0.1 and for ::1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "conformance.h"

static char buffer[400000];

struct address {
	struct sockaddr_storage at;
	socklen_t size;
};

static struct address loopback(int family)
{
	struct sockaddr_in *a;
	struct sockaddr_in6 *b;
	struct address r = { .size = family == AF_INET ? sizeof(*a) : sizeof(*b) };

	a = (void *)&r.at;
	b = (void *)&r.at;
	r.at.ss_family = family;
	if (family == AF_INET)
		a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		b->sin6_addr.s6_addr[15] = 1;
	return r;
}

/* A socket with a port of its own; A gets it. */
static int bound(int family, int type, struct address *a)
{
	int fd = socket(family, type, 0);

	*a = loopback(family);
	return fd >= 0 && !bind(fd, (void *)&a->at, a->size) && !getsockname(fd, (void *)&a->at, &a->size) ? fd : -1;
}

/* Two ends of a connection. */
static int connected(int family, int s[2])
{
	struct address a;
	int l = bound(family, SOCK_STREAM, &a);

	s[0] = socket(family, SOCK_STREAM, 0);
	if (l < 0 || listen(l, 5) || connect(s[0], (void *)&a.at, a.size))
		return 0;
	s[1] = accept(l, NULL, NULL);
	return s[1] >= 0 && !close(l);
}

static int tcp_names(int family)
{
	struct address a, b = { .size = sizeof(b.at) }, c = { .size = sizeof(c.at) };
	int l = bound(family, SOCK_STREAM, &a), s, fd = socket(family, SOCK_STREAM, 0);

	want(l >= 0 && !listen(l, 5) && !connect(fd, (void *)&a.at, a.size));
	want((s = accept4(l, (void *)&b.at, &b.size, SOCK_NONBLOCK)) >= 0 && (fcntl(s, F_GETFL) & O_NONBLOCK));
	want(!getsockname(fd, (void *)&c.at, &c.size) && c.size == b.size && !memcmp(&b.at, &c.at, c.size));
	c.size = sizeof(c.at);
	want(!getpeername(fd, (void *)&c.at, &c.size) && c.size == a.size && !memcmp(&a.at, &c.at, c.size));
	return 1;
}

static int tcp_passes(int family)
{
	int s[2];

	want(connected(family, s) && write(s[0], "hello", 5) == 5 && read(s[1], buffer, 100) == 5);
	want(send(s[1], "back", 4, 0) == 4 && recv(s[0], buffer, 100, 0) == 4 && !memcmp(buffer, "back", 4));
	want(!close(s[0]) && read(s[1], buffer, 100) == 0);
	return 1;
}

static int tcp_big(int family)
{
	long sent = 0, got = 0, n;
	struct pollfd f;
	int s[2];

	want(connected(family, s) && !fcntl(s[0], F_SETFL, O_NONBLOCK));
	fill_pattern(buffer, 350000, 0);
	while (got < 350000) {
		n = sent < 350000 ? write(s[0], buffer + sent, 350000 - sent) : 0;
		want(n >= 0 || errno == EAGAIN);
		sent += n > 0 ? n : 0;
		f = (struct pollfd){ s[1], POLLIN, 0 };
		want(poll(&f, 1, 5000) == 1);
		n = read(s[1], buffer + 350000, 50000);
		want(n > 0 && is_pattern(buffer + 350000, n, got));
		got += n;
	}
	return 1;
}

static int tcp_refused(int family)
{
	struct address a;
	int gone = bound(family, SOCK_STREAM, &a), fd = socket(family, SOCK_STREAM, 0);

	want(!close(gone));
	want_error(connect(fd, (void *)&a.at, a.size), ECONNREFUSED);
	want_error(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	want_error(recv(fd, buffer, 1, 0), ENOTCONN);
	return 1;
}

static int tcp_connect_nonblocking(int family)
{
	struct address a;
	int l = bound(family, SOCK_STREAM, &a), fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 7;
	struct pollfd f = { fd, POLLOUT, 0 };
	socklen_t n = sizeof(error);

	want(!listen(l, 1) && (!connect(fd, (void *)&a.at, a.size) || errno == EINPROGRESS));
	want(poll(&f, 1, 5000) == 1 && f.revents == POLLOUT && !getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) &&
	     error == 0);
	/* The first one after it was told of the end of the other. */
	want(!connect(fd, (void *)&a.at, a.size) || errno == EISCONN);
	want_error(connect(fd, (void *)&a.at, a.size), EISCONN);
	return 1;
}

static int tcp_shutdown(int family)
{
	struct pollfd f;
	int s[2];

	want(connected(family, s) && write(s[0], "x", 1) == 1 && !shutdown(s[0], SHUT_WR));
	want(read(s[1], buffer, 10) == 1 && read(s[1], buffer, 10) == 0 && write(s[1], "yy", 2) == 2 &&
	     read(s[0], buffer, 9) == 2);
	want_error(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	f = (struct pollfd){ s[1], POLLIN | POLLRDHUP, 0 };
	want(poll(&f, 1, 1000) == 1 && f.revents == (POLLIN | POLLRDHUP));
	return 1;
}

static int tcp_reset(int family)
{
	struct linger l = { 1, 0 };
	struct pollfd f;
	int s[2];

	want(connected(family, s) && !setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)) && !close(s[0]));
	f = (struct pollfd){ s[1], POLLIN, 0 };
	want(poll(&f, 1, 5000) == 1 && (f.revents & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
	want_error(read(s[1], buffer, 1), ECONNRESET);
	return 1;
}

static int tcp_urgent(int family)
{
	struct pollfd f;
	int s[2];

	want(connected(family, s) && send(s[0], "ab", 2, MSG_OOB) == 2);
	f = (struct pollfd){ s[1], POLLPRI, 0 };
	want(poll(&f, 1, 5000) == 1 && f.revents == POLLPRI && recv(s[1], buffer, 1, MSG_OOB) == 1 && *buffer == 'b');
	want(recv(s[1], buffer, 10, 0) == 1 && *buffer == 'a');
	return 1;
}

static int tcp_sendfile_writev(int family)
{
	int s[2], fd = pattern_file("f", 20000), got = 0, n;
	struct iovec iov[2] = { { "head", 4 }, { "er", 2 } };
	off_t at = 100;

	want(connected(family, s) && writev(s[0], iov, 2) == 6 && sendfile(s[0], fd, &at, 15000) == 15000 &&
	     at == 15100);
	for (; got < 15006; got += n)
		want((n = read(s[1], buffer + got, sizeof(buffer) - got)) > 0);
	want(got == 15006 && !memcmp(buffer, "header", 6) && is_pattern(buffer + 6, 15000, 100));
	return 1;
}

static int udp_passes(int family)
{
	struct address a, b, from = { .size = sizeof(from.at) };
	int x = bound(family, SOCK_DGRAM, &a), y = bound(family, SOCK_DGRAM, &b);

	want(sendto(x, "hello", 5, 0, (void *)&b.at, b.size) == 5 && sendto(x, "", 0, 0, (void *)&b.at, b.size) == 0);
	want(recvfrom(y, buffer, 100, 0, (void *)&from.at, &from.size) == 5 && from.size == a.size &&
	     !memcmp(&from.at, &a.at, a.size));
	want(recv(y, buffer, 100, 0) == 0);
	want_error(recv(y, buffer, 100, MSG_DONTWAIT), EAGAIN);
	return 1;
}

static int udp_connected(int family)
{
	struct address a, b, c;
	int x = bound(family, SOCK_DGRAM, &a), y = bound(family, SOCK_DGRAM, &b), z = bound(family, SOCK_DGRAM, &c);

	want(!connect(x, (void *)&b.at, b.size) && send(x, "hello", 5, 0) == 5 && recv(y, buffer, 100, 0) == 5);
	want(sendto(z, "stranger", 8, 0, (void *)&a.at, a.size) == 8);
	want_error(recv(x, buffer, 100, MSG_DONTWAIT), EAGAIN);
	want(sendto(y, "friend", 6, 0, (void *)&a.at, a.size) == 6 && recv(x, buffer, 100, 0) == 6);
	return 1;
}

static int udp_refused(int family)
{
	struct address a;
	int gone = bound(family, SOCK_DGRAM, &a), fd = socket(family, SOCK_DGRAM, 0);

	want(!close(gone) && !connect(fd, (void *)&a.at, a.size) && send(fd, "x", 1, 0) == 1);
	want_error(recv(fd, buffer, 1, 0), ECONNREFUSED);
	return 1;
}

static int udp_limits(int family)
{
	struct address a;
	int fd = bound(family, SOCK_DGRAM, &a);

	fill_pattern(buffer, 65000, 0);
	want(sendto(fd, buffer, 60000, 0, (void *)&a.at, a.size) == 60000 &&
	     recv(fd, buffer + 100000, 70000, 0) == 60000);
	want(is_pattern(buffer + 100000, 60000, 0));
	want_error(sendto(fd, buffer, 66000, 0, (void *)&a.at, a.size), EMSGSIZE);
	want(sendto(fd, buffer, 100, 0, (void *)&a.at, a.size) == 100 && recv(fd, buffer, 10, MSG_TRUNC) == 100);
	return 1;
}

static int options(int family)
{
	int fd = socket(family, SOCK_STREAM, 0), v = 1;
	socklen_t n = sizeof(v);

	want(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)) &&
	     !setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof(v)));
	want(!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)));
	v = 9;
	want(!getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &n) && v == 1 && n == sizeof(v));
	want(!getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n) && v == SOCK_STREAM);
	want(!getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, &n) && v == 1);
	v = 10000;
	want(!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)) && !getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, &n) &&
	     v == 20000);
	want_error(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, 1), EINVAL);
	want_error(setsockopt(fd, IPPROTO_TCP, 9999, &v, sizeof(v)), ENOPROTOOPT);
	want_error(getsockopt(0, SOL_SOCKET, SO_TYPE, &v, &n), ENOTSOCK);
	return 1;
}

static int bind_errors(int family)
{
	struct address a;
	int fd = bound(family, SOCK_STREAM, &a), other = socket(family, SOCK_STREAM, 0);

	want(!listen(fd, 1));
	want_error(bind(other, (void *)&a.at, a.size), EADDRINUSE);
	want_error(bind(fd, (void *)&a.at, a.size), EINVAL);
	want_error(bind(other, (void *)&a.at, 3), EINVAL);
	want_error(accept(other, NULL, NULL), EINVAL);
	return 1;
}

/* The same for the two families. */
#define BOTH(f) \
static int f##_v4(void) { return f(AF_INET); } \
static int f##_v6(void) { return f(AF_INET6); }
BOTH(tcp_names)
BOTH(tcp_passes)
BOTH(tcp_big)
BOTH(tcp_refused)
BOTH(tcp_connect_nonblocking)
BOTH(tcp_shutdown)
BOTH(tcp_reset)
BOTH(tcp_urgent)
BOTH(tcp_sendfile_writev)
BOTH(udp_passes)
BOTH(udp_connected)
BOTH(udp_refused)
BOTH(udp_limits)
BOTH(options)
BOTH(bind_errors)

static int v4_on_v6_socket(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 }, from;
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), off = 0;

	want(!setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) && !bind(l, (void *)&a, sizeof(a)) &&
	     !listen(l, 1));
	want(!getsockname(l, (void *)&a, &n));
	b.sin_port = a.sin6_port;
	n = sizeof(from);
	want(!connect(c, (void *)&b, sizeof(b)) && accept(l, (void *)&from, &n) >= 0 &&
	     IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	return 1;
}

static int names_of_addresses(void)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *r;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	want(!getaddrinfo("::1", "80", &hints, &r) && r->ai_family == AF_INET6);
	want(((struct sockaddr_in6 *)r->ai_addr)->sin6_port == htons(80));
	freeaddrinfo(r);
	want(!getaddrinfo("127.0.0.1", NULL, &hints, &r) && r->ai_family == AF_INET);
	freeaddrinfo(r);
	want(inet_pton(AF_INET6, "fe80::1:2", &a) == 1 && inet_ntop(AF_INET6, &a, text, sizeof(text)) &&
	     !strcmp(text, "fe80::1:2"));
	return 1;
}

static int interfaces(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	struct ifconf c;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	want(!ioctl(fd, SIOCGIFFLAGS, &r) && (r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_LOOPBACK));
	want(if_nametoindex("lo") >= 1 && !if_nametoindex("none"));
	c.ifc_len = sizeof(buffer) / 100;
	c.ifc_buf = buffer;
	want(!ioctl(fd, SIOCGIFCONF, &c) && c.ifc_len >= (int)sizeof(r) && c.ifc_len % sizeof(r) == 0);
	return 1;
}

#define CHECKS(f)	CHECK(f##_v4), CHECK(f##_v6)

const struct check checks[] = {
	CHECKS(tcp_names), CHECKS(tcp_passes), CHECKS(tcp_big), CHECKS(tcp_refused),
	CHECKS(tcp_connect_nonblocking), CHECKS(tcp_shutdown), CHECKS(tcp_reset), CHECKS(tcp_urgent),
	CHECKS(tcp_sendfile_writev), CHECKS(udp_passes), CHECKS(udp_connected), CHECKS(udp_refused),
	CHECKS(udp_limits), CHECKS(options), CHECKS(bind_errors), CHECK(v4_on_v6_socket),
	CHECK(names_of_addresses), CHECK(interfaces),
	{ NULL, NULL },
};
