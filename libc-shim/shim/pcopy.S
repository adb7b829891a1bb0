/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pcopy.S - copies that may fail: a page of a protected file may be lost, the kernel may have none, and the program's
 * pointers may be wrong. A fault from pcopy_begin to pcopy_end goes on at pcopy_end (signal.c), where RCX is what is left.
 */
	.section inktag_text, "ax", @progbits

/* u64 pcopy(void *to, const void *from, u64 n): how many bytes were not copied. */
	.globl	pcopy, pcopy_begin, pcopy_end
	.type	pcopy, @function
pcopy:
	movq	%rdx, %rcx
pcopy_begin:
	rep movsb
	jmp	pcopy_end

/* u64 pclear(void *to, u64 n): how many bytes were not cleared. */
	.globl	pclear
	.type	pclear, @function
pclear:
	movq	%rsi, %rcx
	xorl	%eax, %eax
	rep stosb
pcopy_end:
	movq	%rcx, %rax
	ret
	.size	pclear, . - pclear

	.section .note.GNU-stack, "", @progbits
