/* SPDX-License-Identifier: MIT */
/*
 * long syscall(long number, ...);
 *
 * musl's version is C, and goes through a list of arguments in memory.  Here each goes to where a call has it
 * (exo_call.h); the sixth is above our return address, if there is one, and otherwise whatever is there.
 */
#include "exo_call.h"

.text
.hidden __syscall_ret
.global syscall
.type syscall, @function
syscall:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
	exo_call
	cmp $-4095, %rax
	jae 1f
	ret
1:	mov %rax, %rdi
	jmp __syscall_ret
