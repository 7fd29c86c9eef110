/* SPDX-License-Identifier: MIT */
/*
 * Where a signal handler returns to, with rsp at the signal frame.  The call
 * writes the word below, which held this address and is used up.
 */
#include "exo_call.h"

.text
	nop				/* unwinders look at the byte before a return address */
.global __restore_rt
.hidden __restore_rt
.type __restore_rt, @function
__restore_rt:
	mov $15, %eax			/* SYS_rt_sigreturn */
	exo_call
