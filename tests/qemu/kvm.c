// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvm.c - preloaded into QEMU: a KVM that has the extension, as far as QEMU can tell, and in which no vCPU ever runs.
 *
 * INKTAG_FD is a SOCK_SEQPACKET socket. Each message that comes is a request, for which all vCPUs leave KVM_RUN; what
 * goes out is the struct kvm_inktag_limits, "R" for each reset, and the answers. A request that is fetched while another is
 * open ends QEMU.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <inktag/abi.h>

#define MAX_FD	1024

static struct kvm_run *runs[MAX_FD];	/* of the vCPUs, by their descriptors */
static atomic_int is_vcpu[MAX_FD];
static atomic_int open_requests;

static int channel(void)
{
	return atoi(getenv("INKTAG_FD"));
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static void tell(const void *data, size_t size)
{
	if (send(channel(), data, size, 0) != (ssize_t)size)
		abort();
}

static void *map(const char *symbol, void *addr, size_t size, int prot, int flags, int fd, off64_t offset)
{
	void *(*real)(void *, size_t, int, int, int, off64_t) = dlsym(RTLD_NEXT, symbol);
	void *at = real(addr, size, prot, flags, fd, offset);

	if (at != MAP_FAILED && fd >= 0 && fd < MAX_FD && is_vcpu[fd] && !offset)
		runs[fd] = at;
	return at;
}

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	return map("mmap", addr, size, prot, flags, fd, offset);
}

void *mmap64(void *addr, size_t size, int prot, int flags, int fd, off64_t offset)
{
	return map("mmap64", addr, size, prot, flags, fd, offset);
}

static int run(int fd)
{
	struct pollfd p = { channel(), POLLIN, 0 };

	/* What is pending from before an exit is done at the next entry. */
	while (!runs[fd]->immediate_exit) {
		int n = poll(&p, 1, 20);

		if (n < 0)
			return -1;
		if (n && p.revents & POLLHUP)
			return fail(EIO);
		if (n) {
			runs[fd]->exit_reason = KVM_EXIT_INKTAG;
			return 0;
		}
	}
	return fail(EINTR);
}

static int request(struct kvm_inktag_store *r)
{
	ssize_t n;

	if (open_requests)
		abort();
	n = recv(channel(), r, sizeof(*r), MSG_DONTWAIT);
	if (n < 0)
		return fail(ENODATA);
	if (n != sizeof(*r))
		abort();
	open_requests++;
	return 0;
}

static int answer(const struct kvm_inktag_store *a)
{
	if (open_requests-- != 1)
		abort();
	tell(a, sizeof(*a));
	return 0;
}

static int enable(const struct kvm_enable_cap *cap)
{
	const struct kvm_inktag_limits *limits = (void *)cap->args[0];

	if (limits->size != sizeof(*limits) || limits->reserved)
		return fail(EINVAL);
	tell(limits, sizeof(*limits));
	return 0;
}

int ioctl(int fd, unsigned long type, ...)
{
	int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	void *arg;
	va_list ap;
	int ret;

	va_start(ap, type);
	arg = va_arg(ap, void *);
	va_end(ap);

	switch (type) {
	case KVM_CHECK_EXTENSION:
		if ((unsigned long)arg == KVM_CAP_INKTAG)
			return INKTAG_ABI_VERSION;
		break;
	case KVM_ENABLE_CAP:
		if (((struct kvm_enable_cap *)arg)->cap == KVM_CAP_INKTAG)
			return enable(arg);
		break;
	case KVM_CREATE_VCPU:
		ret = real(fd, type, arg);
		if (ret >= 0 && ret < MAX_FD)
			is_vcpu[ret] = 1;
		return ret;
	case KVM_RUN:
		return run(fd);
	case KVM_INKTAG_RESET:
		tell("R", 1);
		return 0;
	case KVM_INKTAG_SET_EVENTFD:
		return 0;
	case KVM_INKTAG_VIOLATION:
		return fail(ENODATA);
	case KVM_INKTAG_REQUEST:
		return request(arg);
	case KVM_INKTAG_ANSWER:
		return answer(arg);
	}
	return real(fd, type, arg);
}
