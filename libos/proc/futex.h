/* SPDX-License-Identifier: MIT */
/* Between the files of the futex: futex.c says what is where. */
#ifndef LIBOS_FUTEX_H
#define LIBOS_FUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/lock.h"
#include "core/name_tree.h"

#define FUTEX_BUCKETS 512

struct futex_name {
	uint64_t object; /* a space's address, or what vm_shared_name() says */
	uint64_t offset;
	uint64_t hash;
};

struct futex_bucket {
	struct lock lock;
	struct named *waiters; /* struct futex_waiter.named, by hash; under lock */
} __attribute__((aligned(64)));

/* Under its bucket's lock, once it has entered one. */
struct futex_waiter {
	struct named named;
	struct futex_name name;
	struct futex_bucket *_Atomic bucket; /* changed by a requeue, under the locks of both */
	struct task *task;                   /* whose stack it is on; fixed */
	uint32_t bitset;                     /* fixed */
	_Atomic bool woken;                  /* written last: out of the tree, and nobody's but the task's */
};

extern struct futex_bucket futex_buckets[FUTEX_BUCKETS];

static inline struct futex_bucket *futex_bucket_of(const struct futex_name *name)
{
	return &futex_buckets[name->hash % FUTEX_BUCKETS];
}

static inline struct futex_waiter *futex_waiter_of(struct named *n)
{
	return container_of(n, struct futex_waiter, named);
}

static inline bool futex_same_name(const struct futex_name *a, const struct futex_name *b)
{
	return a->object == b->object && a->offset == b->offset;
}

static inline bool futex_matches(const struct futex_waiter *w, const struct futex_name *name,
				 uint32_t bitset)
{
	return futex_same_name(&w->name, name) && (w->bitset & bitset);
}

/* futex_order.c: w, which has just come, goes before those with its name that are less urgent; of whom none
 * is before `behind`, if that is not NULL. */
void futex_move_forward(struct futex_bucket *b, struct futex_waiter *w,
			struct futex_waiter *behind);

/* Under the bucket's lock: w, whose name and task are there, waits in it, in its place; as above. */
static inline void futex_enter_behind(struct futex_bucket *b, struct futex_waiter *w,
				      struct futex_waiter *behind)
{
	bool others = b->waiters != NULL;

	named_insert(&b->waiters, &w->named, w->name.hash);
	if (others && named_after(&w->named) != &w->named)
		futex_move_forward(b, w, behind);
}

static inline void futex_enter(struct futex_bucket *b, struct futex_waiter *w)
{
	futex_enter_behind(b, w, NULL);
}

/* 0, -EINVAL or -EFAULT. */
int futex_name_word(uint64_t address, bool private, struct futex_name *name);

/* How many a command that wakes is to wake: on Linux each counts the first before it looks whether that is
 * enough, and the number has a sign. */
static inline unsigned futex_wake_count(unsigned count)
{
	return (int)count > 0 ? count : 1;
}

/* Under the bucket's lock: wakes up to `count` that wait for the word, and tells how many. */
unsigned futex_wake_locked(struct futex_bucket *b, const struct futex_name *name, uint32_t bitset,
			   unsigned count);

/* futex_two.c: the commands that are about two words.  As futex(2) has them. */
struct futex_requeue {
	uint64_t from, to;
	bool private, compare;
	uint32_t value; /* expected at `from` if compare */
	unsigned wake, move;
};

long futex_requeue(const struct futex_requeue *q);
long futex_wake_op(uint64_t first, uint64_t second, bool private, unsigned count, unsigned count2,
		   uint32_t code);

/* futex_inherit.c: locks with priority inheritance.  May block; deadline_ns 0: for ever. */
long futex_lock_inheriting(uint64_t address, bool private, bool only_try, uint64_t deadline_ns);
long futex_unlock_inheriting(uint64_t address, bool private);

#endif
