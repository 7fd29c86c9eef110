/* SPDX-License-Identifier: MIT */
/* The queues that scheduler libraries are given. */
#include <stdio.h>
#include <stdlib.h>
#include "../../libos/core/ordered.c"
#include "../../libos/sched/queues.c"
#include "check.h"
#include "panic.h"

#define TASKS 8

static struct task t[TASKS];

static void fifo_keeps_the_order_of_pushes(void)
{
	struct sched_fifo q = { 0 };

	for (int i = 1; i < TASKS; i++)
		sched_fifo_push_back(&q, &t[i]);
	sched_fifo_push_front(&q, &t[0]);
	CHECK_EQ(q.count, TASKS);
	for (int i = 0; i < TASKS; i++)
		CHECK(sched_fifo_pop(&q) == &t[i]);
	CHECK(sched_fifo_pop(&q) == NULL);
	CHECK_EQ(q.count, 0);
}

static void fifo_gives_up_any_task(void)
{
	struct sched_fifo q = { 0 };

	for (int i = 0; i < TASKS; i++)
		sched_fifo_push_back(&q, &t[i]);
	sched_fifo_remove(&q, &t[0]);
	sched_fifo_remove(&q, &t[3]);
	sched_fifo_remove(&q, &t[TASKS - 1]);
	CHECK(sched_fifo_first(&q) == &t[1]);
	CHECK(sched_fifo_last(&q) == &t[TASKS - 2]);
	CHECK(sched_fifo_next(&t[2]) == &t[4]);
	CHECK(sched_fifo_previous(&t[4]) == &t[2]);
	while (sched_fifo_pop(&q))
		;
	CHECK(q.first == NULL && q.last == NULL);
}

static void ordered_queue_pops_by_key_and_then_by_arrival(void)
{
	static const uint64_t keys[TASKS] = { 5, 1, 5, 3, 1, 9, 0, 5 };
	static const int order[TASKS] = { 6, 1, 4, 3, 0, 2, 7, 5 };
	struct sched_ordered q = { 0 };

	for (int i = 0; i < TASKS; i++)
		sched_ordered_insert(&q, &t[i], keys[i]);
	CHECK_EQ(sched_ordered_count(&q), TASKS);
	for (int i = 0; i < TASKS; i++) {
		CHECK_EQ(sched_key(sched_ordered_first(&q)), keys[order[i]]);
		CHECK(sched_ordered_pop(&q) == &t[order[i]]);
	}
	CHECK(sched_ordered_pop(&q) == NULL);
}

static void ordered_queue_visits_every_task_once(void)
{
	struct sched_ordered q = { 0 };
	unsigned seen = 0;

	for (int i = 0; i < TASKS; i++)
		sched_ordered_insert(&q, &t[i], (uint64_t)(i * 5 % TASKS));
	sched_ordered_remove(&q, &t[2]);
	for (struct task *at = sched_ordered_first(&q); at; at = sched_ordered_next(at))
		seen ^= 1u << (at - t);
	CHECK_EQ(seen, ((1u << TASKS) - 1) & ~(1u << 2));
}

int main(void)
{
	RUN(fifo_keeps_the_order_of_pushes);
	RUN(fifo_gives_up_any_task);
	RUN(ordered_queue_pops_by_key_and_then_by_arrival);
	RUN(ordered_queue_visits_every_task_once);
	return check_result();
}
