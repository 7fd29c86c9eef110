/* SPDX-License-Identifier: MIT */
/*
 * int clock_gettime(clockid_t, struct timespec *);
 *
 * musl's version looks for a vDSO first, and afterwards for the older calls of a kernel
 * that does not have this one.
 */
#include <bits/syscall.h>
#include "exo_call.h"

.text
.hidden __syscall_ret
.global __clock_gettime
.hidden __clock_gettime
.type __clock_gettime, @function
__clock_gettime:
	mov $__NR_clock_gettime, %eax
	movabs $EXO_QUICK_CLOCK_GETTIME, %rcx
	call *%rcx
	test %rax, %rax
	jnz 1f
	ret
1:	mov %rax, %rdi
	jmp __syscall_ret

.weak clock_gettime
.set clock_gettime, __clock_gettime
