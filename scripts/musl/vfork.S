/* SPDX-License-Identifier: MIT */
/*
 * pid_t vfork(void);
 *
 * Parent and child share one stack, and the child runs first: it returns to
 * the caller and overwrites the return address that the parent still needs.  On
 * Linux a register keeps it; the libos call preserves only registers that belong
 * to the caller.  So it is kept in thread-local memory, one word per level,
 * because a child may call vfork itself.
 *
 * vfork_depth counts the levels.  The child leaves it as it is.  By the time the
 * parent continues, every vfork that the child made has given its level back,
 * so the parent finds the depth that it left, takes its address and goes down.
 * The same holds if the child has a copy of the memory.
 */
#include "exo_call.h"

#define LEVELS 8
#define EAGAIN 11

.section .tbss, "awT", @nobits
.balign 8
vfork_depth:
	.zero 8
vfork_returns:
	.zero 8 * LEVELS

.text
.hidden __syscall_ret
.global vfork
.type vfork, @function
vfork:
	mov %fs:vfork_depth@tpoff, %rcx
	cmp $LEVELS, %rcx
	jae 2f
	pop %rdx
	mov %rdx, %fs:vfork_returns@tpoff(, %rcx, 8)
	inc %rcx
	mov %rcx, %fs:vfork_depth@tpoff
	mov $58, %eax			/* SYS_vfork */
	exo_call
	mov %fs:vfork_depth@tpoff, %rcx
	dec %rcx
	push %fs:vfork_returns@tpoff(, %rcx, 8)
	test %eax, %eax
	jz 1f
	mov %rcx, %fs:vfork_depth@tpoff
1:	mov %rax, %rdi
	jmp __syscall_ret

2:	mov $-EAGAIN, %rdi
	jmp __syscall_ret
