/* SPDX-License-Identifier: MIT */
/*
 * Giving away the rest of a slice, inside the core: see donate.c.
 *
 * All of these: this CPU, masked, no lock held.
 */
#ifndef LIBOS_DONATION_H
#define LIBOS_DONATION_H

#include <libos/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/task.h"
#include "core/vcore.h"
#include "sched/stats.h"

/* How long a promised slice is kept while others could run the heir: a quarter of a usual one. */
#define DONATION_PROMISE_NS SCHED_MS(1)

/* With tasks that wait to be delivered: if it is one alone, and nobody is to be asked about it, it is the
 * heir now, the timer is set to that, and none waits any more.  Otherwise false, and nothing has happened. */
bool donation_promise(struct vcore *v);

/* A task in flight with message DONATE or START, of which `gift` says for whom: it gets the running slice and
 * goes where it shall run; or it is an ordinary wake or start, if there is nothing to give. */
void donation_deliver(struct vcore *v, struct task *t);

/* How many ns of the running slice may go to `to`.  0: none are left, or the chain is at its end;
 * -EAGAIN: the library refuses.  Either has been counted.  *now: the library wants it to run at once. */
int64_t donation_offer(struct vcore *v, struct task *to, enum donation_kind kind, bool *now);

/* The same, of a gift about which the library is asked later, on another CPU. */
int64_t donation_left(struct vcore *v, enum donation_kind kind);

/* `to` is in flight and stays on this CPU: it runs next, for slice_ns at most.  There is no heir. */
void donation_inherit(struct vcore *v, struct task *to, uint64_t slice_ns);

/* With a current task: who has been promised its slice, if anybody has, is an ordinary woken task from
 * now on, for the reason given. */
void donation_release(struct vcore *v, enum donation_outcome why);

/* The heir, if there is one that may run now: it stays the heir until it is entered. */
struct sched_run donation_heir(struct vcore *v);

/* t has just stopped running, and is in no queue: whom it has promised its slice gets it; who waits for
 * that goes on; and if it sleeps or has ended, what it left goes to its successor. */
void donation_leave(struct vcore *v, struct task *t);

/* t, for the end of whose run somebody waits, has just stopped: that one goes on. */
void donation_end_wait(struct vcore *v, struct task *t, bool sleeps);

/* Is `to` queued here, and could have the running slice, as far as the core is concerned? */
bool donation_may_lend(const struct vcore *v, const struct task *to);

/* If so, in task context, masked once: it has the slice until it drops a wanted mutex, or stops for another
 * reason.  The running task sleeps until then, and goes on with the rest, maybe on another CPU.  False: the
 * library refuses, or next to nothing is left; nothing has happened. */
bool donation_lend(struct vcore *v, struct task *to);

/* A signal that was sent on this CPU has woken t, and t is queued here. */
void donation_signalled(struct vcore *v, struct task *t);

static inline void donation_count(struct vcore_stats *s, enum donation_kind kind,
				  enum donation_outcome outcome)
{
	s->donations[kind][outcome]++;
}

/* Who gets what t leaves when it next stops. */
static inline void donation_set_successor(struct task *t, struct task *successor,
					  enum donation_kind kind)
{
	t->successor.task = successor;
	t->successor.generation = successor->self.generation;
	t->successor.kind = (uint8_t)kind;
}

/* `from` has stopped, and enough is left for its promise to be kept: what the heir leaves of that in turn is
 * for the giver. */
static inline void donation_keep(struct vcore *v, struct task *from, struct task *heir)
{
	v->promise_ends_tsc = 0;
	donation_count(&v->stats, (enum donation_kind)heir->gift, DONATION_SAME_CPU);
	donation_set_successor(heir, from, DONATION_RETURN);
}

#endif
