/* SPDX-License-Identifier: MIT */
/* The ready-made queues of libos/sched.h.  Pure: also built for the host. */
#include <libos/sched.h>
#include "core/list.h"
#include "core/log.h"
#include "core/task.h"

/* I3: t->run_queue names the one queue that t is in.  A library that breaks the rule faults here, and
 * is ejected before its queues are in disorder; a test on the host is told. */
#if __STDC_HOSTED__
#define QUEUE_RULE(rule) ASSERT_INVARIANT(rule)
#else
#define QUEUE_RULE(rule) \
	do { \
		if (!(rule)) \
			__builtin_trap(); \
	} while (0)
#endif

static void claim(struct task *t, const void *queue)
{
	QUEUE_RULE(t->run_queue == NULL);
	t->run_queue = queue;
}

static void release(struct task *t, const void *queue)
{
	QUEUE_RULE(t->run_queue == queue);
	t->run_queue = NULL;
}

void sched_fifo_push_back(struct sched_fifo *q, struct task *t)
{
	claim(t, q);
	t->run_next = NULL;
	t->run_previous = q->last;
	if (q->last)
		q->last->run_next = t;
	else
		q->first = t;
	q->last = t;
	q->count++;
}

void sched_fifo_push_front(struct sched_fifo *q, struct task *t)
{
	claim(t, q);
	t->run_previous = NULL;
	t->run_next = q->first;
	if (q->first)
		q->first->run_previous = t;
	else
		q->last = t;
	q->first = t;
	q->count++;
}

void sched_fifo_remove(struct sched_fifo *q, struct task *t)
{
	release(t, q);
	if (t->run_previous)
		t->run_previous->run_next = t->run_next;
	else
		q->first = t->run_next;
	if (t->run_next)
		t->run_next->run_previous = t->run_previous;
	else
		q->last = t->run_previous;
	t->run_next = t->run_previous = NULL;
	q->count--;
}

struct task *sched_fifo_pop(struct sched_fifo *q)
{
	struct task *t = q->first;

	if (t)
		sched_fifo_remove(q, t);
	return t;
}

struct task *sched_fifo_first(const struct sched_fifo *q)
{
	return q->first;
}

struct task *sched_fifo_last(const struct sched_fifo *q)
{
	return q->last;
}

struct task *sched_fifo_next(const struct task *t)
{
	return t->run_next;
}

struct task *sched_fifo_previous(const struct task *t)
{
	return t->run_previous;
}

static struct task *task_of(const struct ordered_node *n)
{
	return n ? container_of(n, struct task, run_node) : NULL;
}

void sched_ordered_insert(struct sched_ordered *q, struct task *t, uint64_t key)
{
	claim(t, q);
	ordered_insert(&q->heap, &t->run_node, key);
}

void sched_ordered_remove(struct sched_ordered *q, struct task *t)
{
	release(t, q);
	ordered_remove(&q->heap, &t->run_node);
}

struct task *sched_ordered_first(const struct sched_ordered *q)
{
	return task_of(ordered_first(&q->heap));
}

struct task *sched_ordered_pop(struct sched_ordered *q)
{
	struct task *t = sched_ordered_first(q);

	if (t)
		sched_ordered_remove(q, t);
	return t;
}

struct task *sched_ordered_next(const struct task *t)
{
	return task_of(ordered_next(&t->run_node));
}

unsigned sched_ordered_count(const struct sched_ordered *q)
{
	return (unsigned)q->heap.count;
}

uint64_t sched_key(const struct task *t)
{
	return t->run_node.key;
}
