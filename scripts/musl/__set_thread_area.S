/* SPDX-License-Identifier: MIT */
/* int __set_thread_area(void *tls); */
#include "exo_call.h"

.text
.global __set_thread_area
.hidden __set_thread_area
.type __set_thread_area, @function
__set_thread_area:
	mov %rdi, %rsi
	mov $0x1002, %edi		/* ARCH_SET_FS */
	mov $158, %eax			/* SYS_arch_prctl */
	exo_call
	ret
