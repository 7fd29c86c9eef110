/* SPDX-License-Identifier: MIT */
/*
 * The lists of a mailbox: see mailbox.h.  Pure: also built for the host.
 *
 * When must the target be rung?  It takes a whole list by exchange after it has cleared its pending
 * bits.  A sender that finds the list empty rings; one that does not pushed on top of a message
 * whose sender has rung or is about to, and whose ring the target has not answered yet with the
 * exchange that takes both.  (Or the target watches, and takes both for that: mailbox.h.)
 */
#include "core/mailbox.h"
#include "core/task.h"

bool mailbox_push_task(struct mailbox *m, struct task *t)
{
	struct task *first = atomic_load_explicit(&m->tasks, memory_order_relaxed);

	do
		t->mailbox_next = first;
	while (!atomic_compare_exchange_weak_explicit(&m->tasks, &first, t, memory_order_seq_cst,
						      memory_order_relaxed));
	return first == NULL;
}

bool mailbox_push_call(struct mailbox *m, struct mailbox_call *call)
{
	struct mailbox_call *first = atomic_load_explicit(&m->calls, memory_order_relaxed);

	do
		call->next = first;
	while (!atomic_compare_exchange_weak_explicit(&m->calls, &first, call, memory_order_seq_cst,
						      memory_order_relaxed));
	return first == NULL;
}

/* The last pushed is first in the list: turn it round. */
struct task *mailbox_take_tasks(struct mailbox *m)
{
	struct task *oldest = NULL, *t;

	if (!atomic_load_explicit(&m->tasks, memory_order_relaxed))
		return NULL;
	t = atomic_exchange_explicit(&m->tasks, NULL, memory_order_acquire);
	while (t) {
		struct task *next = t->mailbox_next;

		t->mailbox_next = oldest;
		oldest = t;
		t = next;
	}
	return oldest;
}

struct mailbox_call *mailbox_take_calls(struct mailbox *m)
{
	struct mailbox_call *oldest = NULL, *call;

	if (!atomic_load_explicit(&m->calls, memory_order_relaxed))
		return NULL;
	call = atomic_exchange_explicit(&m->calls, NULL, memory_order_acquire);
	while (call) {
		struct mailbox_call *next = call->next;

		call->next = oldest;
		oldest = call;
		call = next;
	}
	return oldest;
}
