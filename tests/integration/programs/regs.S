/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * regs.S - all registers hold what regs_in says while the program is out of the trusted
 * context; what they hold afterwards goes to regs_out.
 *
 *	regs_syscall_ymm(), regs_syscall_xmm()	out by INKTAG_HC_SYSCALL
 *	regs_spin_ymm(), regs_spin_xmm()	out by the interrupts that come while regs_count runs down
 *	regs_fault_ymm(), regs_fault_xmm()	out by a write to REGS_FAULT
 *
 * Layout of regs_in and regs_out (struct regs): RAX RBX RCX RDX RSI RDI RBP R8 ... R15; from 128
 * on YMM0 to YMM15, 32 bytes each (of which XMM is the first half); from 640 on ST0 to ST7, 10 bytes
 * in 16. All addressing is by RIP or absolute: there is no register to spare.
 */
#include "regs.h"

	.macro	load move vector
	.irp	n, 7, 6, 5, 4, 3, 2, 1, 0
	fldt	regs_in+640+16*\n(%rip)
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\move	regs_in+128+32*\n(%rip), %\vector\n
	.endr
	movq	regs_in(%rip), %rax
	movq	regs_in+8(%rip), %rbx
	movq	regs_in+16(%rip), %rcx
	movq	regs_in+24(%rip), %rdx
	movq	regs_in+32(%rip), %rsi
	movq	regs_in+40(%rip), %rdi
	movq	regs_in+48(%rip), %rbp
	movq	regs_in+56(%rip), %r8
	movq	regs_in+64(%rip), %r9
	movq	regs_in+72(%rip), %r10
	movq	regs_in+80(%rip), %r11
	movq	regs_in+88(%rip), %r12
	movq	regs_in+96(%rip), %r13
	movq	regs_in+104(%rip), %r14
	movq	regs_in+112(%rip), %r15
	.endm

	.macro	store move vector
	movq	%rax, regs_out(%rip)
	movq	%rbx, regs_out+8(%rip)
	movq	%rcx, regs_out+16(%rip)
	movq	%rdx, regs_out+24(%rip)
	movq	%rsi, regs_out+32(%rip)
	movq	%rdi, regs_out+40(%rip)
	movq	%rbp, regs_out+48(%rip)
	movq	%r8, regs_out+56(%rip)
	movq	%r9, regs_out+64(%rip)
	movq	%r10, regs_out+72(%rip)
	movq	%r11, regs_out+80(%rip)
	movq	%r12, regs_out+88(%rip)
	movq	%r13, regs_out+96(%rip)
	movq	%r14, regs_out+104(%rip)
	movq	%r15, regs_out+112(%rip)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\move	%\vector\n, regs_out+128+32*\n(%rip)
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	fstpt	regs_out+640+16*\n(%rip)
	.endr
	.endm

	.macro	function name
	.globl	\name
	.type	\name, @function
\name:
	.irp	r, rbx, rbp, r12, r13, r14, r15
	pushq	%\r
	.endr
	.endm

	.macro	leave_function name
	.irp	r, r15, r14, r13, r12, rbp, rbx
	popq	%\r
	.endr
	ret
	.size	\name, . - \name
	.endm

	.macro	functions move vector
	function regs_syscall_\vector
	load	\move \vector
	vmmcall
	store	\move \vector
	leave_function regs_syscall_\vector

	function regs_spin_\vector
	load	\move \vector
1:	decq	regs_count(%rip)
	jnz	1b
	store	\move \vector
	leave_function regs_spin_\vector

	function regs_fault_\vector
	load	\move \vector
	movb	$1, REGS_FAULT
	store	\move \vector
	leave_function regs_fault_\vector
	.endm

	.text
	functions vmovdqu ymm
	functions movdqu xmm

	.section .note.GNU-stack, "", @progbits
