/* SPDX-License-Identifier: MIT */
/*
 * long __syscall_cp_asm(volatile void *cancel, long number, long a, ... long f);
 *
 * A system call that is a cancellation point.  The handler of the cancellation
 * signal cancels when the interrupted address lies in [__cp_begin, __cp_end):
 * before the call, or at the call because it is to be restarted.  A call that
 * had an effect, or that failed with EINTR, has __cp_end as its address.
 */
#include "exo_call.h"

.text
.hidden __cancel
.global __cp_begin, __cp_end, __cp_cancel, __syscall_cp_asm
.hidden __cp_begin, __cp_end, __cp_cancel, __syscall_cp_asm
.type __syscall_cp_asm, @function
__syscall_cp_asm:
__cp_begin:
	cmpl $0, (%rdi)
	jne __cp_cancel
	mov %rsi, %rax
	mov %rdx, %rdi
	mov %rcx, %rsi
	mov %r8, %rdx
	mov %r9, %r10
	mov 8(%rsp), %r8
	mov 16(%rsp), %r9
	exo_call
__cp_end:
	ret
__cp_cancel:
	jmp __cancel
