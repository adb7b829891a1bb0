/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * entry.S - entries of the shim: from the loader, from the libc, from the hypervisor with a signal; and
 * the way out. All code of the shim is in the section inktag_text, so that signal.c can tell whether
 * it or the program was interrupted.
 */
#include "start.h"
#include "offsets.h"

	.section inktag_text, "ax", @progbits
	.cfi_sections .debug_frame

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
	.cfi_startproc
	cmpb	$0, shim_protected(%rip)
	jne	1f
	syscall
	ret
1:	movq	(%rsp), %rcx
	leaq	8(%rsp), %r11
	subq	$FRAME_SIZE, %rsp
	.cfi_adjust_cfa_offset FRAME_SIZE
	movq	%rax, FRAME_RAX(%rsp)
	movq	%rcx, FRAME_RCX(%rsp)
	movq	%rdx, FRAME_RDX(%rsp)
	movq	%rbx, FRAME_RBX(%rsp)
	movq	%r11, FRAME_RSP(%rsp)
	movq	%rbp, FRAME_RBP(%rsp)
	movq	%rsi, FRAME_RSI(%rsp)
	movq	%rdi, FRAME_RDI(%rsp)
	movq	%r8, FRAME_R8(%rsp)
	movq	%r9, FRAME_R9(%rsp)
	movq	%r10, FRAME_R10(%rsp)
	movq	%r12, FRAME_R12(%rsp)
	movq	%r13, FRAME_R13(%rsp)
	movq	%r14, FRAME_R14(%rsp)
	movq	%r15, FRAME_R15(%rsp)
	movq	%rcx, FRAME_RIP(%rsp)
	pushfq
	popq	FRAME_RFLAGS(%rsp)
	movq	FRAME_RFLAGS(%rsp), %r11
	movq	%r11, FRAME_R11(%rsp)
	cld
	movq	%rsp, %rbx
	.cfi_def_cfa_register %rbx
	.cfi_offset %rbx, FRAME_RBX - FRAME_SIZE - 8
	.cfi_offset %rbp, FRAME_RBP - FRAME_SIZE - 8
	.cfi_offset %r12, FRAME_R12 - FRAME_SIZE - 8
	.cfi_offset %r13, FRAME_R13 - FRAME_SIZE - 8
	.cfi_offset %r14, FRAME_R14 - FRAME_SIZE - 8
	.cfi_offset %r15, FRAME_R15 - FRAME_SIZE - 8
	movq	%rsp, %rdi
	movq	%rbx, %gs:THREAD_FRAME
	andq	$-16, %rsp
	movq	%rsp, %gs:THREAD_UNWIND
	call	shim_dispatch

/* RBX is the frame. */
way_out:
	movq	%rbx, %rsp
	.cfi_def_cfa_register %rsp
	movq	$0, %gs:THREAD_UNWIND
	movq	%rbx, %gs:THREAD_FRAME
/*
 * To the program, with the registers of the frame that RSP points to. A signal that interrupts this before the jump
 * starts it again here, with %gs:THREAD_FRAME; one that finds it at the jump has interrupted the program
 * at the target.
 */
	.globl	way_out_begin, way_out_jump
way_out_begin:
	cmpl	$0, %gs:THREAD_DEFERRED
	jne	2f
	movq	FRAME_RIP(%rsp), %rcx
	movq	%rcx, %gs:THREAD_TARGET
	movq	FRAME_RAX(%rsp), %rax
	movq	FRAME_RDX(%rsp), %rdx
	movq	FRAME_RBX(%rsp), %rbx
	movq	FRAME_RBP(%rsp), %rbp
	movq	FRAME_RSI(%rsp), %rsi
	movq	FRAME_RDI(%rsp), %rdi
	movq	FRAME_R8(%rsp), %r8
	movq	FRAME_R9(%rsp), %r9
	movq	FRAME_R10(%rsp), %r10
	movq	FRAME_R11(%rsp), %r11
	movq	FRAME_R12(%rsp), %r12
	movq	FRAME_R13(%rsp), %r13
	movq	FRAME_R14(%rsp), %r14
	movq	FRAME_R15(%rsp), %r15
	pushq	FRAME_RFLAGS(%rsp)
	popfq
	movq	FRAME_RCX(%rsp), %rcx
	movq	FRAME_RSP(%rsp), %rsp
way_out_jump:
	jmp	*%gs:THREAD_TARGET

/* The frame goes to the delivery stack, or is there already. */
2:	movq	%rsp, %rsi
	movq	%gs:THREAD_DELIVERY, %rdi
	movq	%rdi, %rbx
	movl	$FRAME_SIZE / 8, %ecx
	cld
	rep movsq
	movq	%rbx, %rsp
	movq	%rbx, %rdi
	call	signal_deliver
	jmp	way_out
	.cfi_endproc
	.size	__inktag_syscall, . - __inktag_syscall

/* The call touched memory that the program does not have. */
	.globl	call_given_up
call_given_up:
	movq	%gs:THREAD_FRAME, %rbx
	call	shim_given_up
	jmp	way_out

/*
 * long hc_syscall(nr, a0, a1, a2, a3, a4, a5). If a signal is deferred, the call is not made, and returns -EINTR. A
 * signal that comes between the test and the call goes to hc_wait_cancelled.
 */
	.globl	hc_syscall, hc_wait_begin, hc_wait_end, hc_wait_cancelled
	.type	hc_syscall, @function
hc_syscall:
	.cfi_startproc
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbx, -16
	movq	%rdi, %rbx
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	16(%rsp), %r9
	movl	$HC_SYSCALL, %eax
hc_wait_begin:
	cmpl	$0, %gs:THREAD_DEFERRED
	jne	hc_wait_cancelled
	vmmcall
hc_wait_end:
	popq	%rbx
	ret
hc_wait_cancelled:
	movl	$1, %gs:THREAD_CANCELLED
	movq	$-4, %rax
	jmp	hc_wait_end
	.cfi_endproc
	.size	hc_syscall, . - hc_syscall

/* Where a thread goes on with a signal: RSP is the end of its signal stack, RDI, RSI, RDX are the kernel's. */
	.globl	signal_entry
	.type	signal_entry, @function
signal_entry:
	call	signal_came
	movl	$HC_SIGNAL_RETURN, %eax
	vmmcall
	ud2
	.size	signal_entry, . - signal_entry

/* long hc_clone(const struct clone *) */
	.globl	hc_clone
	.type	hc_clone, @function
hc_clone:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	(%rdi), %rax
	movq	8(%rdi), %rsi
	movq	16(%rdi), %rcx
	movq	24(%rdi), %r12
	movq	32(%rdi), %r13
	movq	40(%rdi), %r14
	movq	48(%rdi), %r15
	testq	%rcx, %rcx
	jz	1f
	movq	%rsp, %r13
1:	movq	%rax, %rdi
	movl	$56, %ebx		/* clone */
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	movl	$HC_CLONE, %eax
	vmmcall
	testq	%rax, %rax
	jnz	2f
	testq	%rcx, %rcx
	jz	3f
2:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
3:	movq	%rsp, %rbx		/* the frame */
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	thread_begin
	jmp	way_out
	.size	hc_clone, . - hc_clone

	.globl	thread_leave_stack
thread_leave_stack:
	movq	%rsi, %rsp
	call	thread_end
	ud2

	.globl	thread_gone
thread_gone:
	movq	%rdi, %rbx
	movl	$HC_THREAD_EXIT, %eax
	movl	$1, (%rsi)
	vmmcall
	ud2

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
