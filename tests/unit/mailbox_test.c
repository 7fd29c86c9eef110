/* SPDX-License-Identifier: MIT */
/* The mailbox's lists: order, who must ring, and nothing lost between many senders and a taker. */
#include <pthread.h>
#include <stdlib.h>
#include "../../libos/core/mailbox.c"
#include "check.h"

#define SENDERS 4
#define TASKS_EACH 20000

static void oldest_comes_first(void)
{
	static struct mailbox m;
	static struct task t[3];
	struct task *at;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(mailbox_push_task(&m, &t[i]), i == 0);
	CHECK(mailbox_has_mail(&m));
	at = mailbox_take_tasks(&m);
	for (int i = 0; i < 3; i++, at = at->mailbox_next)
		CHECK(at == &t[i]);
	CHECK(at == NULL);
	CHECK(!mailbox_has_mail(&m));
}

static void who_finds_it_empty_must_ring(void)
{
	static struct mailbox m;
	static struct mailbox_call a, b;

	CHECK(mailbox_push_call(&m, &a));
	CHECK(!mailbox_push_call(&m, &b));
	CHECK(mailbox_take_calls(&m) == &a);
	CHECK(mailbox_push_call(&m, &b));
}

static struct mailbox shared;
static struct task *tasks[SENDERS];
static _Atomic int rings;

static void *send_all(void *argument)
{
	struct task *mine = argument;

	for (int i = 0; i < TASKS_EACH; i++)
		if (mailbox_push_task(&shared, &mine[i]))
			rings++;
	return NULL;
}

/* The taker looks only when it has been rung, as an idle CPU does. */
static int take_until(int expected)
{
	int taken = 0;

	while (taken < expected) {
		int heard = rings;

		if (heard == 0)
			continue;
		rings -= heard;
		for (struct task *t = mailbox_take_tasks(&shared); t; t = t->mailbox_next)
			taken++;
	}
	return taken;
}

static void rings_announce_everything_that_many_senders_push(void)
{
	pthread_t threads[SENDERS];

	for (int i = 0; i < SENDERS; i++) {
		tasks[i] = calloc(TASKS_EACH, sizeof(struct task));
		pthread_create(&threads[i], NULL, send_all, tasks[i]);
	}
	CHECK_EQ(take_until(SENDERS * TASKS_EACH), SENDERS * TASKS_EACH);
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(threads[i], NULL);
		free(tasks[i]);
	}
	CHECK(!mailbox_has_mail(&shared));
}

int main(void)
{
	RUN(oldest_comes_first);
	RUN(who_finds_it_empty_must_ring);
	RUN(rings_announce_everything_that_many_senders_push);
	return check_result();
}
