/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit_thread.h - unit.h for tests that look into threads. The kernel's headers for signals and the libc's do not mix. */
#ifndef SHIM_UNIT_THREAD_H
#define SHIM_UNIT_THREAD_H

#define sigset_t libc_sigset_t
#define timeval libc_timeval
#include "unit.h"
#undef sigset_t
#undef timeval
#include "thread.h"

/* --- fake_thread.c ---------------------------------------------------------------------------- */

/* The program makes a system call with these registers: as entry.S, until it goes on with those left there. */
void enter(struct frame *f);
/* From now on this one calls. */
void become(struct thread *t);
/* The page fault in the middle of a call for which signal_came() gave it up: the call fails, in enter(). */
void give_up(void);
/* Can a signal come to it? */
bool has_entry(const struct thread *t);
/* A thread that was prepared: its first code, until it goes on in the program with the registers at clone->rsp. */
void begin(const struct clone *clone);

#endif
