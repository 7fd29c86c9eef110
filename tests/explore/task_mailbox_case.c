/* SPDX-License-Identifier: MIT */
/* libos/core/mailbox.c: what two CPUs send to a third arrives whole, once, and is rung for */
#include <string.h>
#include "core/mailbox.h"
#include "core/task.h"
#include "explore.h"

#define SENDERS 2

static struct mailbox mailbox;
static struct task tasks[SENDERS];
static struct mailbox_call calls[SENDERS];
static unsigned called[SENDERS];
static _Atomic uint32_t pending;

static void count_call(struct mailbox_call *call)
{
	called[call - calls]++;
}

static void setup(void)
{
	memset(&mailbox, 0, sizeof(mailbox));
	memset(tasks, 0, sizeof(tasks));
	memset(calls, 0, sizeof(calls));
	memset(called, 0, sizeof(called));
	pending = 0;
	explore_name(&mailbox, sizeof(mailbox), "mailbox");
	explore_name(tasks, sizeof(tasks), "tasks");
	explore_name(calls, sizeof(calls), "calls");
	explore_name(called, sizeof(called), "called");
	explore_name(&pending, sizeof(pending), "pending");
}

static bool is_pending(void *unused)
{
	(void)unused;
	return pending != 0;
}

/* The bell says that there is something, never what: what was written is seen through the list. */
static void ring_if(bool first)
{
	if (first)
		atomic_fetch_or_explicit(&pending, 1, memory_order_relaxed);
}

static void take_tasks(unsigned wanted)
{
	unsigned taken = 0;

	while (taken < wanted) {
		explore_wait(is_pending, NULL, "halts until it is rung");
		atomic_exchange_explicit(&pending, 0, memory_order_relaxed);
		for (struct task *t = mailbox_take_tasks(&mailbox), *next; t; t = next) {
			next = t->mailbox_next;
			EXPLORE_CHECK(t->message == MESSAGE_WAKE && t->gift == t - tasks + 1);
			t->message = 0;
			taken++;
		}
	}
}

static void send_tasks(unsigned number)
{
	struct task *t = &tasks[number - 1];

	if (number == 0) {
		take_tasks(SENDERS);
		return;
	}
	t->message = MESSAGE_WAKE;
	t->gift = (uint8_t)number;
	ring_if(mailbox_push_task(&mailbox, t));
}

static void send_calls(unsigned number)
{
	if (number > 0) {
		calls[number - 1].function = count_call;
		ring_if(mailbox_push_call(&mailbox, &calls[number - 1]));
		return;
	}
	for (unsigned taken = 0; taken < SENDERS;) {
		explore_wait(is_pending, NULL, "halts until it is rung");
		atomic_exchange_explicit(&pending, 0, memory_order_relaxed);
		for (struct mailbox_call *c = mailbox_take_calls(&mailbox), *next; c; c = next) {
			next = c->next;
			c->function(c);
			taken++;
		}
	}
}

static void nothing_is_left(void)
{
	EXPLORE_CHECK(!mailbox.tasks && !mailbox.calls);
}

static void each_was_called_once(void)
{
	nothing_is_left();
	for (unsigned i = 0; i < SENDERS; i++)
		EXPLORE_CHECK(called[i] == 1);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "tasks_arrive_whole", 3, 2, 1, setup, send_tasks, nothing_is_left, NULL },
		{ "calls_are_made_once", 3, 2, 1, setup, send_calls, each_was_called_once, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
