/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry.S - entry of the loader, entry of an unprotected program, and the stub. */
#include <inktag/error.h>
#include <inktag/stub.h>

	.text
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	loader_main
	hlt
	.size	_start, . - _start

/* enter_program(entry, sp): as the kernel enters a program, all registers zero. */
	.globl	enter_program
	.type	enter_program, @function
enter_program:
	movq	%rsi, %rsp
	pushq	%rdi
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	ret
	.size	enter_program, . - enter_program

/*
 * Copied to the start of the arena; hypercall.h has the contract. The code after the vmmcall is
 * reached when the thread may not be resumed: kill(getpid(), SIGKILL). If the reason is a lack of
 * memory, nobody else tells the user.
 */
	.section .rodata
	.globl	stub_code
stub_code:
	syscall
	vmmcall
.Lrefused:
	cmpl	$-INKTAG_ENOMEM, %eax
	jne	1f
	movl	$1, %eax		/* write */
	movl	$2, %edi
	leaq	2f(%rip), %rsi
	movl	$3f - 2f, %edx
	syscall
1:	movl	$39, %eax
	syscall
	movl	%eax, %edi
	movl	$9, %esi
	movl	$62, %eax
	syscall
	ud2
	.org	stub_code + INKTAG_STUB_CLONE
	syscall
	testq	%rax, %rax
	jnz	4f
	movq	%r13, %rbx
	movl	$39, %eax		/* getpid */
	syscall
4:	vmmcall
	jmp	.Lrefused
	.org	stub_code + INKTAG_STUB_SIGRETURN
	addq	$8, %rsp		/* as if the handler had returned */
	movl	$15, %eax		/* rt_sigreturn */
	syscall
	ud2
	.org	stub_code + INKTAG_STUB_SIGNAL
	movabsq	$INKTAG_SIGNAL_MAGIC, %r12
	vmmcall
	jmp	.Lrefused
2:	.ascii	"inktag: ended: the VM's limit max-frames, or its host's memory, is used up\n"
3:
	.globl	stub_code_end
stub_code_end:

	.section .note.GNU-stack, "", @progbits
