/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * entry.S - entries of the shim: from the loader, and from the libc.
 */
#include "start.h"

	.text

/*
 * The program's entry. A protected program is entered with RAX = INKTAG_START_MAGIC, RDI = the
 * launch information, RSP = the top of its empty stack. Any other RAX: an ordinary process,
 * whose stack is as the kernel made it.
 */
	.globl	_inktag_start
	.type	_inktag_start, @function
_inktag_start:
	xorl	%ebp, %ebp
	movabsq	$START_MAGIC, %rcx
	cmpq	%rcx, %rax
	jne	_start
	movb	$1, shim_protected(%rip)
	movq	%rsp, %rsi
	subq	$START_LAUNCH_MAX, %rsp
	andq	$-16, %rsp
	call	shim_start
	movq	%rax, %rsp
	xorl	%edx, %edx		/* no function for atexit */
	xorl	%ebp, %ebp
	jmp	_start
	.size	_inktag_start, . - _inktag_start

/*
 * In place of the instruction `syscall`, with its contract: RAX is the number, then the result;
 * RCX and R11 are lost; all else is preserved, vector registers too.
 *
 * The unprotected path leaves the stack alone: a child of clone returns on another one.
 */
	.globl	__inktag_syscall
	.type	__inktag_syscall, @function
__inktag_syscall:
	cmpb	$0, shim_protected(%rip)
	jne	1f
	syscall
	ret
1:	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%r9
	pushq	%r8
	pushq	%r10
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	movq	%rsp, %rsi
	movq	%rax, %rdi
	andq	$-16, %rsp
	call	shim_dispatch
	leaq	-48(%rbp), %rsp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%r10
	popq	%r8
	popq	%r9
	popq	%rbp
	ret
	.size	__inktag_syscall, . - __inktag_syscall

/*
 * The kernel starts the loader for this program; start.c has the note for the loader. "R": nothing
 * refers to it, but ld --gc-sections must not drop it, or the program would run unprotected.
 */
	.section .interp, "aR", @progbits
	.string	"/lib/ld-inktag.so.1"

	.section .bss
	.globl	shim_protected
	.hidden	shim_protected
	.type	shim_protected, @object
	.size	shim_protected, 1
shim_protected:
	.zero	1

	.section .note.GNU-stack, "", @progbits
