/* SPDX-License-Identifier: MIT */
/* See instance.h. */
#include "sched/instance.h"
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/vcore.h"
#include "sched/library.h"
#include "sched/stall.h"

#define CACHE_LINE 64ul

struct lock sched_swap_lock = LOCK_INIT("scheduler swap", RANK_LEAF);
/* Under sched_swap_lock. */
static struct sched_instance *instances;

/* One that this library had before, or NULL. */
static struct sched_instance *instance_reuse(const struct sched_ops *ops)
{
	struct sched_instance *s;

	lock_acquire(&sched_swap_lock);
	for (s = instances; s && !(s->ops == ops && s->at_rest); s = s->next)
		;
	if (s)
		s->at_rest = false;
	lock_release(&sched_swap_lock);
	if (s && s->cpu_private)
		memset(s->cpu_private, 0, s->cpu_stride * vcore_count);
	return s;
}

int instance_create(const struct sched_ops *ops, struct sched_instance **out)
{
	const char *wrong = sched_ops_wrong(ops);
	struct sched_instance *s;

	if (wrong) {
		log_print("libos: scheduler %s is not put in force: %s\n", ops->name, wrong);
		return -EINVAL;
	}
	*out = instance_reuse(ops);
	if (*out)
		return 0;
	s = heap_alloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->cpu_stride = (ops->cpu_size + CACHE_LINE - 1) & ~(CACHE_LINE - 1);
	stall_limit_set(s, SCHED_MS(ops->timeout_ms ? ops->timeout_ms : SCHED_TIMEOUT_DEFAULT_MS));
	if (s->cpu_stride) {
		s->cpu_private = heap_alloc(s->cpu_stride * vcore_count);
		if (!s->cpu_private) {
			heap_free(s);
			return -ENOMEM;
		}
	}
	lock_acquire(&sched_swap_lock);
	s->next = instances;
	instances = s;
	lock_release(&sched_swap_lock);
	*out = s;
	return 0;
}

void instance_rest(struct sched_instance *s)
{
	lock_acquire(&sched_swap_lock);
	s->at_rest = true;
	lock_release(&sched_swap_lock);
}

bool instance_is_used(const struct sched_ops *ops)
{
	struct sched_instance *s;

	lock_acquire(&sched_swap_lock);
	for (s = instances; s && (s->ops != ops || s->at_rest); s = s->next)
		;
	lock_release(&sched_swap_lock);
	return s != NULL;
}

bool instances_rest_but(const struct sched_instance *s)
{
	for (const struct sched_instance *i = instances; i; i = i->next)
		if (i != s && !i->at_rest)
			return false;
	return true;
}

struct sched_instance *instances_take(const struct sched_ops *ops)
{
	struct sched_instance *taken = NULL;

	lock_acquire(&sched_swap_lock);
	for (struct sched_instance **at = &instances; *at;) {
		struct sched_instance *s = *at;

		if (s->ops == ops && s->at_rest) {
			*at = s->next;
			s->next = taken;
			taken = s;
		} else {
			at = &s->next;
		}
	}
	lock_release(&sched_swap_lock);
	return taken;
}
