/* SPDX-License-Identifier: MIT */
/* Which task a CPU executes, and changing it. */
#ifndef LIBOS_SWITCH_H
#define LIBOS_SWITCH_H

#include <libos/sched.h>
#include <stdint.h>

struct task;
struct vcore;

/* switch.asm: see there. */
void switch_leave(struct vcore *v, struct task *t, enum sched_why why);
_Noreturn void switch_enter(uint64_t stack_pointer);
_Noreturn void switch_stack(void (*function)(uint64_t), uint64_t stack_pointer, uint64_t argument);
void switch_to_new(void);
void switch_to_program(void);
void switch_to_preempted(void);

/*
 * Gives this CPU to another task.  The current task's state says what becomes of it: RUNNING, then
 * it is queued again for the reason `why`; BLOCKING, then it sleeps until it is woken; ZOMBIE, then
 * this does not return.  On the task's own stack, masked, mask depth 1, no lock held; returns in the
 * same condition, perhaps on another CPU.
 */
void switch_away(enum sched_why why);

/* hand_over.c: switch_leave() comes here, on the event stack of this CPU, masked.  The task whose stack is
 * next, or it does not return. */
struct task *switch_next(struct vcore *v, struct task *t, enum sched_why why);

/*
 * The scheduling loop: on the event stack of this CPU, masked.  `prev` is the task that has just left its
 * stack, NULL if there is none, and `why` as above: events come here, too, with a task whose
 * context has been made by hand (context_make).
 */
_Noreturn void schedule(struct vcore *v, struct task *prev, enum sched_why why);

/* Makes a context below stack_pointer that goes on at `to`, and stores it in t. */
void context_make(struct task *t, uint64_t stack_pointer, void (*to)(void), uint64_t r12,
		  uint64_t r13);

/* task.c: the first code of a new task; masked, mask depth 1. */
_Noreturn void task_begin(void (*entry)(void *), void *argument);

/* leave.c: return_to_user() for callers that are masked already. */
_Noreturn void return_to_user_masked(void);
/* Masked: is there anything to do before the program goes on?  What comes later comes with an event. */
bool work_waits(const struct task *t);

/* idle.c: this CPU has no task to run.  Returns when there may be one. */
void idle(struct vcore *v, uint64_t token);
/* It runs something again. */
void idle_ends(struct vcore *v);

#endif
