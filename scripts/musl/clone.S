/* SPDX-License-Identifier: MIT */
/*
 * int __clone(int (*func)(void *), void *stack, int flags, void *arg,
 *             pid_t *ptid, void *tls, pid_t *ctid);
 *
 * The child starts behind the libos call on its own stack, where func and arg
 * were left for it: no register that the call preserves needs to be borrowed.
 */
#include "exo_call.h"

.text
.global __clone
.hidden __clone
.type __clone, @function
__clone:
	and $-16, %rsi
	sub $16, %rsi
	mov %rcx, (%rsi)		/* arg, for the child's first pop */
	mov %rdi, 8(%rsi)		/* func, for its second */
	mov %edx, %edi			/* flags */
	mov %r8, %rdx			/* ptid */
	mov 8(%rsp), %r10		/* ctid */
	mov %r9, %r8			/* tls */
	mov $56, %eax			/* SYS_clone */
	exo_call
	test %eax, %eax
	jz 1f
	ret

1:	xor %ebp, %ebp			/* the outermost frame */
	pop %rdi
	pop %rax
	call *%rax
	mov %eax, %edi
	mov $60, %eax			/* SYS_exit */
	exo_call
	hlt
