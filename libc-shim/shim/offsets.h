/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* offsets.h - of struct thread and struct frame, and hypercalls, for entry.S; thread.h asserts them. */
#ifndef SHIM_OFFSETS_H
#define SHIM_OFFSETS_H

#define HC_SYSCALL		0x494b0010
#define HC_CLONE		0x494b0019
#define HC_THREAD_EXIT		0x494b001a
#define HC_SIGNAL_RETURN	0x494b001d

#define THREAD_SELF		0
#define THREAD_DEFERRED		8
#define THREAD_CANCELLED	12
#define THREAD_TARGET		16
#define THREAD_FRAME		24
#define THREAD_UNWIND		32
#define THREAD_DELIVERY		40

#define FRAME_RAX	0
#define FRAME_RCX	8
#define FRAME_RDX	16
#define FRAME_RBX	24
#define FRAME_RSP	32
#define FRAME_RBP	40
#define FRAME_RSI	48
#define FRAME_RDI	56
#define FRAME_R8	64
#define FRAME_R9	72
#define FRAME_R10	80
#define FRAME_R11	88
#define FRAME_R12	96
#define FRAME_R13	104
#define FRAME_R14	112
#define FRAME_R15	120
#define FRAME_RIP	128
#define FRAME_RFLAGS	136
#define FRAME_SIZE	144

#endif
