/* SPDX-License-Identifier: GPL-2.0-or-later */
/* regs.h - what victim.c and regs.S have in common. */
#ifndef REGS_H
#define REGS_H

/* Where the fault is: an address that an instruction can have in it, of a page that is not there. */
#define REGS_FAULT	0x20000123

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, unused;
	uint64_t ymm[16][4];
	struct {
		uint64_t mantissa, exponent;
	} st[8];
};

_Static_assert(offsetof(struct regs, ymm) == 128, "regs.S");
_Static_assert(offsetof(struct regs, st) == 640, "regs.S");

extern struct regs regs_in, regs_out;
extern uint64_t regs_count;

void regs_syscall_xmm(void);
void regs_syscall_ymm(void);
void regs_spin_xmm(void);
void regs_spin_ymm(void);
void regs_fault_xmm(void);
void regs_fault_ymm(void);
#endif

#endif
