/* SPDX-License-Identifier: MIT */
/*
 * @name@(): for each of the calls that only read a word of the process, with its name put in
 * by scripts/build-musl.
 *
 * They cannot fail and are not started again, so the libos may return to whoever has
 * called us, and there is one return less.
 */
#include <bits/syscall.h>
#include "exo_call.h"

.text
.global @name@
.type @name@, @function
@name@:
	movabs $EXO_QUICK_@NAME@, %rcx
	mov $__NR_@name@, %eax
	jmp *%rcx
