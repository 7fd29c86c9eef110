/* SPDX-License-Identifier: MIT */
/* What CPUs ask of each other about tasks: see core/mailbox.h. */
#ifndef LIBOS_MESSAGES_H
#define LIBOS_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

struct mailbox_call;
struct task;
struct vcore;

/* This CPU, masked, no lock held: deals with everything in the mailbox. */
void messages_drain(struct vcore *v);

/* Any CPU, masked since before it looked whether `cpu` is online: runs call->function(call) there, masked; at
 * once if that is this CPU. */
void message_call(struct vcore *v, unsigned cpu, struct mailbox_call *call);

/* On the stack of a task that waits until something has been done, on whatever CPU. */
struct awaited {
	struct task *from; /* fixed: the task */
	_Atomic bool done; /* release: nobody else touches this any more */
};

/* Once, any CPU, masked. */
void awaited_done(struct awaited *a);
/* The task that waits, masked since before anybody could know of `a`. */
void awaited_wait(struct awaited *a);

/* Task context, unmasked: runs function(argument) on `cpu`, masked, and returns when it has.  False: that
 * CPU does not take part. */
bool message_call_wait(unsigned cpu, void (*function)(void *argument), void *argument);

/* This CPU, masked, idle: asks another CPU that has tasks waiting for one. */
void steal_ask(struct vcore *v);

#endif
