/* SPDX-License-Identifier: MIT */
/*
 * Futex commands that are about two words: FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP.  What a bucket
 * is, and why no wake is lost, is in futex.c.
 */
#include "proc/futex.h"
#include <linux/futex.h>
#include "abi/errno.h"
#include "core/usercopy.h"
#include "proc/futex_operation.h"

/* The locks of two buckets have one rank, so the second is only tried, and both are given back if
 * it is taken: two requeues in opposite directions cannot wait for each other. */
static void bucket_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	for (;;) {
		lock_acquire(&a->lock);
		if (a == b)
			return;
		if (lock_try(&b->lock))
			break;
		lock_release(&a->lock);
		__builtin_ia32_pause();
	}
}

static void bucket_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a != b)
		lock_release(&b->lock);
	lock_release(&a->lock);
}

/* Moves up to `most` waiters to another word without waking them.  Both buckets are locked, so a
 * waker of either word finds each of them in one or the other.  They come as they have stood, so that
 * the place of each is looked for from that of the last one on: all walks together are no longer than
 * there are waiters. */
static unsigned requeue_locked(struct futex_bucket *from, const struct futex_name *name,
			       struct futex_bucket *to, const struct futex_name *new_name, unsigned most)
{
	struct named *n = named_find(&from->waiters, name->hash), *last = n ? named_last(n) : NULL;
	struct futex_waiter *last_moved = NULL;
	unsigned moved = 0;

	while (n && moved < most) {
		struct futex_waiter *w = futex_waiter_of(n);

		n = named_next(n, last);
		if (!futex_matches(w, name, FUTEX_BITSET_MATCH_ANY))
			continue;
		w->name = *new_name;
		/* One that stays where it is would be met again, and again. */
		if (name->hash != new_name->hash) {
			named_remove(&from->waiters, &w->named);
			futex_enter_behind(to, w, last_moved);
			last_moved = w;
		}
		/* Release: a waiter that sees the new bucket sees itself in it. */
		atomic_store_explicit(&w->bucket, to, memory_order_release);
		moved++;
	}
	return moved;
}

long futex_requeue(const struct futex_requeue *q)
{
	struct futex_name from, to;
	int r = futex_name_word(q->from, q->private, &from);

	if (r == 0)
		r = futex_name_word(q->to, q->private, &to);
	if (r)
		return r;
	struct futex_bucket *a = futex_bucket_of(&from), *b = futex_bucket_of(&to);

	for (;;) {
		uint32_t now = 0;

		bucket_lock_two(a, b);
		r = q->compare ? load_user32(&now, q->from) : 0;
		if (r == 0 && q->compare && now != q->value)
			r = -EAGAIN;
		if (r == 0) {
			r = (int)futex_wake_locked(a, &from, FUTEX_BITSET_MATCH_ANY, q->wake);
			r += (int)requeue_locked(a, &from, b, &to, q->move);
		}
		bucket_unlock_two(a, b);
		if (r != -EFAULT)
			return r;
		if (user_touch(q->from, sizeof(now), 0) < 0)
			return -EFAULT;
	}
}

/* FUTEX_WAKE_OP: change the second word, wake the first, and the second if its old value says so. */
long futex_wake_op(uint64_t first, uint64_t second, bool private, unsigned count, unsigned count2,
		   uint32_t code)
{
	struct futex_name name, name2;
	int r = futex_name_word(first, private, &name);

	if (r == 0)
		r = futex_name_word(second, private, &name2);
	if (r)
		return r;
	if (!futex_operation_known(code))
		return -ENOSYS;
	struct futex_bucket *a = futex_bucket_of(&name), *b = futex_bucket_of(&name2);

	for (;;) {
		uint32_t old;

		bucket_lock_two(a, b);
		r = futex_change_word(second, code, &old);
		if (r == 0) {
			r = (int)futex_wake_locked(a, &name, FUTEX_BITSET_MATCH_ANY,
						   futex_wake_count(count));
			if (futex_word_was(code, old))
				r += (int)futex_wake_locked(b, &name2, FUTEX_BITSET_MATCH_ANY,
							    futex_wake_count(count2));
		}
		bucket_unlock_two(a, b);
		if (r != -EFAULT)
			return r;
		if (user_touch(second, sizeof(old), 1) < 0)
			return -EFAULT;
	}
}
