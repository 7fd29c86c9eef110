/* SPDX-License-Identifier: MIT */
/*
 * System calls with Linux x86-64 numbers.  Each is a C function `long sys_NAME(...)` that takes up
 * to six register-sized arguments and returns a value or -errno; abi/syscall_table.c lists them.
 * Pointers into the program are uint64_t and are used only with core/usercopy.h.
 *
 * Both doors (function call, foreign SYSCALL) come to these functions on the task's own stack,
 * unmasked.  While a call is in progress frame->vector holds VECTOR_SYSCALL and frame->error its
 * number, for restarting; the entry stubs (core/entry.asm) set them, and keep the arguments in the
 * frame.  The result is in frame->rax when task_work() is called.
 *
 * A call that an interruption ended before it had any effect returns -ERESTARTSYS or a relative
 * (proc/signal.h), never -EINTR, unless Linux does not restart it either.  It may do so only if
 * signal_is_pending() held: then a bit in task->work, which only the task itself clears on its way
 * out, makes sure that signal_deliver() replaces the number before the program sees it.
 */
#ifndef LIBOS_SYSCALL_H
#define LIBOS_SYSCALL_H

#include <libos/calls.h>
#include <stdbool.h>
#include <stdint.h>

#define VECTOR_SYSCALL 0x100
#define VECTOR_HANDLER 0x101 /* the program has not begun the signal handler that it is to start */
#define SYSCALL_COUNT LIBOS_CALL_END /* Linux's, a gap, and include/libos/calls.h */

typedef long system_call(long, long, long, long, long, long);

extern system_call *const syscall_table[SYSCALL_COUNT];
/* What the entry stubs call through: syscall_table, unless calls are traced (trace/control.c). */
extern system_call *const *_Atomic syscall_table_in_force;
extern _Atomic bool calls_are_traced; /* those of core/quick.asm go through the table as well */
long sys_unknown(void);                   /* what stands for a number that has no function */
extern _Atomic uint64_t syscalls_unknown; /* how often it was called */

#endif
