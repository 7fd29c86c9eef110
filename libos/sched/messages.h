/* SPDX-License-Identifier: MIT */
/* What CPUs ask of each other about tasks: see core/mailbox.h. */
#ifndef LIBOS_MESSAGES_H
#define LIBOS_MESSAGES_H

#include <stdint.h>

struct mailbox_call;
struct task;
struct vcore;

/* This CPU, masked, no lock held: deals with everything in the mailbox. */
void messages_drain(struct vcore *v);

/* Any CPU, masked: runs call->function(call) on `cpu`, masked; at once if that is this CPU. */
void message_call(struct vcore *v, unsigned cpu, struct mailbox_call *call);

/* This CPU, masked, idle: asks another CPU that has tasks waiting for one. */
void steal_ask(struct vcore *v);

/* donate.c.  This CPU, masked, no lock held: the current task gives its slice to t, which is in
 * flight with message DONATE; or t is made an ordinary wake. */
void donation_give(struct vcore *v, struct task *t);
/* This CPU, masked: ns of the running slice that may be given away, 0 if none. */
uint64_t donation_offer(const struct vcore *v);
/* t stops running: who waits for that goes on. */
void donor_release(struct vcore *v, struct task *t);

#endif
