/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fds.h - what the shim remembers of descriptors; see fds.c. Each function takes the lock itself.
 */
#ifndef SHIM_FDS_H
#define SHIM_FDS_H

#include "shim.h"

enum fd_kind {
	FD_OTHER,
	FD_EPOLL,
	FD_EVENT,	/* reads give 8 bytes */
	FD_TIMER,	/* likewise; data: its clock */
	FD_SIGNAL,	/* whole records */
	FD_INOTIFY,	/* records that say how long they are; data: how many watches it was asked for */
	FD_REGISTERED,	/* an entry for the epoll instance in which the descriptor is registered */
};

/* fd as the kernel made it, or an error, which is passed on. -ENOMEM: it is closed again. */
long fds_made(long fd, enum fd_kind kind, u64 data);
long fds_duplicated(int old, long fd);
/* Descriptors first..last are about to be closed. */
void fds_forget(u32 first, u32 last);
/* An inotify instance is about to be asked for a watch: none has a higher number than there were calls. */
void fds_watch_asked(int fd);
/* The serial is another one when the number is used again. */
enum fd_kind fds_kind(int fd, u64 *serial, u64 *data);

/* As Linux's struct epoll_event. */
struct fds_event {
	u32 mask;
	u64 data;
} __attribute__((packed));

/* In the names that the kernel gets for registrations: the index below, the serial above. */
#define FDS_INDEX_BITS	24

/* watch.c: registrations that other processes may have to know, too. With files_lock; make: with mm_lock, too. */
struct fds_watch {
	u64 instance, data;
	u32 asked;
	int fd;
};

/* The table, and from now on the counter of serials in it; NULL: there is none. */
long watch_make(u64 last_serial);
u64 *watch_serials(void);
/* A new registration, or one that is changed: then only data and asked, to which the new one is added. false: no room. */
bool watch_put(u64 name, const struct fds_watch *new);
bool watch_get(u64 name, struct fds_watch *out);
/* The latest one of this descriptor, whoever made it; 0: none. */
u64 watch_find(u64 instance, int fd);
/* It is over; if not anyones, only if this process made it. */
void watch_drop(u64 name, bool anyones);

/*
 * A process is about to be made, which has the epoll instances, too. -ENOMEM. Then, in the child: no other thread waits.
 * With files_lock; the first with mm_lock, too.
 */
long fds_fork(void);
void fds_forked(void);

/* To be told to the kernel in place of the program's data; 0: no memory. The kernel's answer follows. */
u64 fds_register(int epfd, int fd, u32 mask, u64 data);
void fds_registered(u64 name, bool ok);
/* Exchanges mask and data; 0: not registered. The kernel's answer follows. */
u64 fds_modify(int epfd, int fd, u32 *mask, u64 *data);
void fds_modified(u64 name, bool ok, u32 old_mask, u64 old_data);
u64 fds_registration(int epfd, int fd);
/* The instance stays that of the beginning, also if another thread closes the descriptor. */
struct fds_wait {
	int epfd;
	u64 instance, id;
};

void fds_wait_begins(int epfd, struct fds_wait *w);
/*
 * Some of the events that the wait brought: in each the kernel's word becomes the program's data. How many are left;
 * *lie, NULL before, says what is wrong.
 */
long fds_judge(struct fds_wait *w, struct fds_event *events, long n, const char **lie);
void fds_wait_ends(void);

/* event.c: has what was read from a descriptor of this kind its form? What only the program can know is put into it. */
bool event_read_ok(enum fd_kind kind, u64 data, void *buf, u64 len);

#endif
