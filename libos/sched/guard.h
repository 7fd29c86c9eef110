/* SPDX-License-Identifier: MIT */
/*
 * Calling a scheduler library's callback so that it can be abandoned in the middle, and remembering
 * what was asked and answered.
 *
 *	guard_call ---> watch: an event will come ---> callback
 *	    ^                                            | faults, or still runs when the event has
 *	    |                                            v been pending for too long (core/fault.c)
 *	    +--- result, or `failed` <--- guard.asm <--- guard_abandon
 *
 * Callbacks run on a stack of their own with a page below it that is not there: one that uses too much
 * of it faults, wherever it was called from.
 */
#ifndef LIBOS_SCHED_GUARD_H
#define LIBOS_SCHED_GUARD_H

#include <libos/sched.h>
#include <stdbool.h>
#include <stdint.h>

struct exo_regs;
struct vcore;

/* This CPU: where a callback that must be abandoned is left to, and why it was. */
struct sched_guard {
	uint64_t stack_pointer; /* inside sched_guarded_call(); 0: no callback is running */
	uint64_t stack_top;     /* fixed after guard_init(): of the callbacks' own stack */
	const char *callback;   /* its name */
	struct task_ref task;   /* whom it was about; id 0: nobody */
	bool failed;            /* it was abandoned */
	enum sched_exit_reason reason;
	uint64_t detail;
	uint8_t overruns; /* OVERRUNs of the callback that runs */
};

/* What a callback's result means. */
enum guard_result { RESULT_NONE, RESULT_NUMBER, RESULT_TASK };

/* Once, on the boot CPU, when the clock and the heap work. */
void guard_init(void);

/*
 * Calls callback(a, b, c) on this CPU, masked, with no lock held.  `name` is a literal; t, which may
 * be NULL, is the task that it is about.  {0} when it was abandoned: then guard.failed is set, for
 * the caller to clear.
 */
struct sched_run guard_call(struct vcore *v, const char *name, void *callback,
			    enum guard_result kind, const struct task *t, uint64_t a, uint64_t b,
			    uint64_t c);

/* For fault.c: makes regs return from the guarded call that they are in.  `address` is a fault's. */
void guard_abandon(struct sched_guard *g, struct exo_regs *regs, enum sched_exit_reason reason,
		   uint64_t address);

/* The lowest address of the stack that callbacks run on. */
uint64_t guard_stack_low(const struct sched_guard *g);

/* Prints the last answers that this CPU was given, oldest first, to the log. */
void guard_report(const struct vcore *v);

/* guard.asm */
struct sched_run sched_guarded_call(struct sched_guard *g, void *callback, uint64_t a, uint64_t b,
				    uint64_t c);
void sched_guard_return(void);

#endif
