/* SPDX-License-Identifier: MIT */
/*
 * System calls that Linux does not have.  Their numbers begin where Linux's will not come for long,
 * so that both are in one table (libos/abi/syscall_table.c) and come through the same doors.
 * Applications use the functions of libos.a instead (libos/api), which say what they do, and of the C
 * library.
 */
#ifndef LIBOS_CALLS_NUMBERS_H
#define LIBOS_CALLS_NUMBERS_H

#define LIBOS_CALL_FIRST 1024

#define LIBOS_CALL_SCHED_FIND 1024   /* tid, struct task_ref *: libos/donate.h */
#define LIBOS_CALL_SCHED_DONATE 1025 /* id, generation, flags */

#define LIBOS_CALL_RAISE 1026        /* number: a signal to the thread that calls */
#define LIBOS_CALL_MASK_CHANGED 1027 /* old mask, where it goes: the end of a quick rt_sigprocmask(2) */
#define LIBOS_CALL_ACTION_CHANGED 1028 /* the end of a quick sigaction(2) while which an event has come */

#define LIBOS_CALL_END 1029
#endif
