/* SPDX-License-Identifier: MIT */
/*
 * Futexes: futex(2), futex(7).
 *
 *	bucket[hash(name)] -> tree of names -> waiter -> waiter ...     each on the stack of its task
 *
 * A word is named by the address space and its address; if it is shared with other processes, by
 * the shared object and the place in it.
 *
 * Why no wake is lost: the waiter compares the word and enters the bucket under the bucket's lock.
 * The waker changes the word first and takes the lock then.  So either the comparison sees the new
 * value, or the waker finds the waiter.
 *
 * The word is read with the lock held, hence masked, so a missing page cannot be brought in; then
 * everything is undone, the page is touched, and all starts again.
 */
#include <linux/futex.h>
#include "abi/errno.h"
#include "core/name_tree.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/futex_operation.h"
#include "proc/proc_private.h"
#include "proc/signal.h"
#include "time/timespec.h"
#include "vm/vm.h"

#define BUCKETS 256

struct futex_name {
	const void *object;
	uint64_t offset;
	uint64_t hash;
};

struct bucket {
	struct lock lock;
	struct named *waiters; /* struct futex_waiter.named, by hash; under lock */
} __attribute__((aligned(64)));

/* Under its bucket's lock, once it has entered one. */
struct futex_waiter {
	struct named named;
	struct bucket *_Atomic bucket; /* changed by a requeue, under the locks of both */
	struct futex_name name;
	uint32_t bitset;
	bool woken; /* and out of the tree */
	struct wait_queue queue; /* holds the one task */
	struct waiter waiter;
};

static struct bucket buckets[BUCKETS] = {
	[0 ... BUCKETS - 1] = { .lock = LOCK_INIT("futex", RANK_FUTEX) },
};

static struct futex_name name_made(const void *object, uint64_t offset)
{
	return (struct futex_name){ object, offset, name_key((uint64_t)object + (offset >> 2)) };
}

static struct bucket *bucket_of(const struct futex_name *name)
{
	return &buckets[name->hash % BUCKETS];
}

static struct futex_waiter *waiter_of(struct named *n)
{
	return container_of(n, struct futex_waiter, named);
}

/* The locks of two buckets have one rank, so the second is only tried, and both are given back if
 * it is taken: two requeues in opposite directions cannot wait for each other. */
static void bucket_lock_two(struct bucket *a, struct bucket *b)
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

static void bucket_unlock_two(struct bucket *a, struct bucket *b)
{
	if (a != b)
		lock_release(&b->lock);
	lock_release(&a->lock);
}

static __attribute__((noinline)) int name_shared_word(uint64_t address, struct futex_name *name)
{
	int r = vm_shared_name(current_process()->vm, address, &name->object, &name->offset);

	*name = name_made(name->object, name->offset);
	return r;
}

static inline int name_word(uint64_t address, bool private, struct futex_name *name)
{
	if (address % sizeof(uint32_t))
		return -EINVAL;
	if (address >= EXO_USER_TOP)
		return -EFAULT;
	*name = name_made(current_process()->vm, address);
	return private ? 0 : name_shared_word(address, name);
}

static bool matches(const struct futex_waiter *w, const struct futex_name *name, uint32_t bitset)
{
	return w->name.object == name->object && w->name.offset == name->offset &&
	       (w->bitset & bitset);
}

/* Wakes up to `count`; the waker is about to wait itself as often as not, so a task that is woken alone, or
 * that seems to be as no other is behind it, is offered the rest of its slice. */
static unsigned wake_locked(struct bucket *b, const struct futex_name *name, uint32_t bitset,
			    unsigned count)
{
	struct named *n = named_find(&b->waiters, name->hash), *last = n ? named_last(n) : NULL;
	unsigned woken = 0;

	while (n && woken < count) {
		struct futex_waiter *w = waiter_of(n);

		n = named_next(n, last);
		if (!matches(w, name, bitset))
			continue;
		named_remove(&b->waiters, &w->named);
		w->woken = true;
		if (count == 1 || (woken == 0 && !n))
			wake_one_donate(&w->queue, WAKE_ANY, DONATION_FUTEX);
		else
			wake_one(&w->queue, WAKE_ANY);
		woken++;
	}
	return woken;
}

static long futex_wake(uint64_t address, bool private, uint32_t bitset, unsigned count)
{
	struct futex_name name;
	int r = name_word(address, private, &name);

	if (r < 0)
		return r;
	if (!bitset)
		return -EINVAL;
	struct bucket *b = bucket_of(&name);

	lock_acquire(&b->lock);
	unsigned woken = wake_locked(b, &name, bitset, count);

	lock_release(&b->lock);
	return woken;
}

void futex_wake_word(uint64_t address, unsigned count)
{
	futex_wake(address, false, FUTEX_BITSET_MATCH_ANY, count);
}

/* BLOCKING and in the bucket, or an error and neither.  -EAGAIN: the word has another value. */
static int enter(struct futex_waiter *w, uint64_t address, uint32_t value)
{
	struct bucket *b = bucket_of(&w->name);
	uint32_t now;

	for (;;) {
		wait_begin();
		lock_acquire(&b->lock);
		int r = load_user32(&now, address);

		if (r == 0 && now == value) {
			waiter_add(&w->queue, &w->waiter);
			named_insert(&b->waiters, &w->named, w->name.hash);
			atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
			lock_release(&b->lock);
			return 0;
		}
		lock_release(&b->lock);
		wait_cancel();
		if (r == 0)
			return -EAGAIN;
		if (user_touch(address, sizeof(now), 0) < 0)
			return -EFAULT;
	}
}

/* Out of whatever bucket it is in now.  A requeue needs the lock of the bucket that it takes the
 * waiter from, so w->bucket cannot change while we hold the lock of the one it names.  True: it
 * was woken. */
static bool leave(struct futex_waiter *w)
{
	struct bucket *b;

	for (;;) {
		b = atomic_load_explicit(&w->bucket, memory_order_acquire);
		lock_acquire(&b->lock);
		if (b == atomic_load_explicit(&w->bucket, memory_order_relaxed))
			break;
		lock_release(&b->lock);
	}
	bool woken = w->woken;

	waiter_remove(&w->waiter);
	if (!woken)
		named_remove(&b->waiters, &w->named);
	lock_release(&b->lock);
	return woken;
}

static long futex_wait(uint64_t address, bool private, uint32_t value, uint32_t bitset,
		       uint64_t deadline_ns)
{
	struct futex_name name;
	struct futex_waiter w;
	int r = name_word(address, private, &name);

	if (r == 0 && !bitset)
		r = -EINVAL;
	if (r < 0)
		return r;
	w.bitset = bitset;
	w.woken = false;
	wait_queue_init(&w.queue);
	waiter_init(&w.waiter, WAKE_ANY);
	for (;;) {
		w.name = name; /* a requeue may have given it another */
		r = enter(&w, address, value);
		if (r < 0)
			return r;
		r = wait_sleep(WAIT_INTERRUPTIBLE, deadline_ns);
		if (leave(&w))
			return 0;
		if (r < 0)
			return r;
		/* Woken by something that was not meant for this wait: compare again. */
	}
}

/* Moves up to `most` waiters to another word without waking them.  Both buckets are locked, so a
 * waker of either word finds each of them in one or the other. */
static unsigned requeue_locked(struct bucket *from, const struct futex_name *name,
			       struct bucket *to, const struct futex_name *new_name, unsigned most)
{
	struct named *n = named_find(&from->waiters, name->hash), *last = n ? named_last(n) : NULL;
	unsigned moved = 0;

	while (n && moved < most) {
		struct futex_waiter *w = waiter_of(n);

		n = named_next(n, last);
		if (!matches(w, name, FUTEX_BITSET_MATCH_ANY))
			continue;
		w->name = *new_name;
		/* One that stays where it is would be met again, and again. */
		if (name->hash != new_name->hash) {
			named_remove(&from->waiters, &w->named);
			named_insert(&to->waiters, &w->named, new_name->hash);
		}
		/* Release: a waiter that sees the new bucket sees itself in it. */
		atomic_store_explicit(&w->bucket, to, memory_order_release);
		moved++;
	}
	return moved;
}

struct requeue {
	uint64_t from, to;
	bool private, compare;
	uint32_t value; /* expected at `from` if compare */
	unsigned wake, move;
};

static long futex_requeue(const struct requeue *q)
{
	struct futex_name from, to;
	int r = name_word(q->from, q->private, &from);

	if (r == 0)
		r = name_word(q->to, q->private, &to);
	if (r)
		return r;
	struct bucket *a = bucket_of(&from), *b = bucket_of(&to);

	for (;;) {
		uint32_t now = 0;

		bucket_lock_two(a, b);
		r = q->compare ? load_user32(&now, q->from) : 0;
		if (r == 0 && q->compare && now != q->value)
			r = -EAGAIN;
		if (r == 0) {
			r = (int)wake_locked(a, &from, FUTEX_BITSET_MATCH_ANY, q->wake);
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
static long futex_wake_op(uint64_t first, uint64_t second, bool private, unsigned count,
			  unsigned count2, uint32_t code)
{
	struct futex_name name, name2;
	int r = name_word(first, private, &name);

	if (r == 0)
		r = name_word(second, private, &name2);
	if (r)
		return r;
	if (!futex_operation_known(code))
		return -ENOSYS;
	struct bucket *a = bucket_of(&name), *b = bucket_of(&name2);

	for (;;) {
		uint32_t old;

		bucket_lock_two(a, b);
		r = futex_change_word(second, code, &old);
		if (r == 0) {
			r = (int)wake_locked(a, &name, FUTEX_BITSET_MATCH_ANY, count);
			if (futex_word_was(code, old))
				r += (int)wake_locked(b, &name2, FUTEX_BITSET_MATCH_ANY, count2);
		}
		bucket_unlock_two(a, b);
		if (r != -EFAULT)
			return r;
		if (user_touch(second, sizeof(old), 1) < 0)
			return -EFAULT;
	}
}

/* The monotonic deadline of a wait; 0: none. */
static int read_deadline(uint64_t user, bool absolute, bool real, uint64_t *deadline_ns)
{
	uint64_t ns, now;
	int r;

	*deadline_ns = 0;
	if (!user)
		return 0;
	r = timespec_read(user, &ns);
	if (r < 0)
		return r;
	if (!absolute) {
		*deadline_ns = deadline_after(ns);
		return 0;
	}
	if (real) {
		now = time_real_ns();
		ns = ns > now ? deadline_after(ns - now) : 1;
	}
	*deadline_ns = ns ? ns : 1;
	return 0;
}

/* A wait without end, or until a fixed time, is the same when it is started again. */
static long finish_wait(long r, bool relative)
{
	if (r != -EINTR)
		return r;
	return relative ? -ERESTARTNOHAND : -ERESTARTSYS;
}

long sys_futex(uint64_t address, int op, uint32_t value, uint64_t timeout, uint64_t address2,
	       uint32_t value3)
{
	bool private = op & FUTEX_PRIVATE_FLAG, real = op & FUTEX_CLOCK_REALTIME;
	int command = op & FUTEX_CMD_MASK;
	bool waits = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
	uint64_t deadline_ns = 0;

	if (real && !waits)
		return -ENOSYS;
	if (waits) {
		int r = read_deadline(timeout, command == FUTEX_WAIT_BITSET, real, &deadline_ns);

		if (r < 0)
			return r;
	}
	switch (command) {
	case FUTEX_WAIT:
		return finish_wait(futex_wait(address, private, value, FUTEX_BITSET_MATCH_ANY,
					      deadline_ns), timeout != 0);
	case FUTEX_WAIT_BITSET:
		return finish_wait(futex_wait(address, private, value, value3, deadline_ns), false);
	case FUTEX_WAKE:
		return futex_wake(address, private, FUTEX_BITSET_MATCH_ANY, value);
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, private, value3, value);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(&(struct requeue){
			.from = address, .to = address2, .private = private,
			.compare = command == FUTEX_CMP_REQUEUE, .value = value3, .wake = value,
			.move = (unsigned)timeout,
		});
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, private, value, (unsigned)timeout, value3);
	default:
		return -ENOSYS; /* priority inheritance */
	}
}
