/* SPDX-License-Identifier: MIT */
/*
 * Futexes: futex(2), futex(7).
 *
 *	bucket[hash(name)] -> tree of names -> waiter -> waiter ...     each on the stack of its task
 *	                                       in the order of futex_order.c
 *
 * A word is named by the address space and its address; if it is shared with other processes, by
 * the shared object and the place in it.
 *
 * Why no wake is lost: the waiter compares the word and enters the bucket under the bucket's lock.
 * The waker changes the word first and takes the lock then.  So either the comparison sees the new
 * value, or the waker finds the waiter.
 *
 * Who is woken does not take the lock again: `woken` is the last that the waker writes, after wake_later().
 * Were it written before, the task, if it was awake for another reason, could be in another sleep by the time
 * of the wake, or be another task in the same slot.  Who does not see it asks under the lock.
 *
 * The word is read with the lock held, hence masked, so a missing page cannot be brought in; then
 * everything is undone, the page is touched, and all starts again.
 */
#include "proc/futex.h"
#include <linux/futex.h>
#include "abi/errno.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "core/wait.h"
#include "core/wake.h"
#include "proc/calls.h"
#include "proc/proc_private.h"
#include "proc/signal.h"
#include "time/timespec.h"
#include "vm/vm.h"

struct futex_bucket futex_buckets[FUTEX_BUCKETS] = {
	[0 ... FUTEX_BUCKETS - 1] = { .lock = LOCK_INIT("futex", RANK_FUTEX) },
};

static struct futex_name name_made(uint64_t object, uint64_t offset)
{
	return (struct futex_name){ object, offset, name_key(object + (offset >> 2)) };
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
	*name = name_made((uint64_t)current_process()->vm, address);
	return private ? 0 : name_shared_word(address, name);
}

int futex_name_word(uint64_t address, bool private, struct futex_name *name)
{
	return name_word(address, private, name);
}

static inline void wake_waiter(struct futex_bucket *b, struct futex_waiter *w, enum donation_kind gift)
{
	named_remove(&b->waiters, &w->named);
	wake_later(w->task, gift);
	/* Release: who sees it goes on without our lock, and takes w along. */
	atomic_store_explicit(&w->woken, true, memory_order_release);
}

/* The waker is about to wait itself as often as not, so a task that is woken alone, or that seems to be as no
 * other is behind it, is offered the rest of its slice. */
static __attribute__((noinline)) unsigned wake_several(struct futex_bucket *b, struct named *n,
						       const struct futex_name *name,
						       uint32_t bitset, unsigned count)
{
	struct named *last = named_last(n), *next;
	unsigned woken = 0;

	for (; n && woken < count; n = next) {
		struct futex_waiter *w = futex_waiter_of(n);

		next = named_next(n, last);
		if (!futex_matches(w, name, bitset))
			continue;
		wake_waiter(b, w, count == 1 || (woken == 0 && !next) ? DONATION_FUTEX : DONATION_NONE);
		woken++;
	}
	return woken;
}

/* The first is most often the only one. */
static inline unsigned wake_locked(struct futex_bucket *b, const struct futex_name *name,
				   uint32_t bitset, unsigned count)
{
	struct named *n = named_find(&b->waiters, name->hash);

	if (!n)
		return 0;
	if (!list_empty(&n->same) || !count || !futex_matches(futex_waiter_of(n), name, bitset))
		return wake_several(b, n, name, bitset, count);
	wake_waiter(b, futex_waiter_of(n), DONATION_FUTEX);
	return 1;
}

unsigned futex_wake_locked(struct futex_bucket *b, const struct futex_name *name, uint32_t bitset,
			   unsigned count)
{
	return wake_locked(b, name, bitset, count);
}

static inline long futex_wake(uint64_t address, bool private, uint32_t bitset, unsigned count)
{
	struct futex_name name;
	int r = name_word(address, private, &name);

	if (r < 0)
		return r;
	if (!bitset)
		return -EINVAL;
	struct futex_bucket *b = futex_bucket_of(&name);

	lock_acquire(&b->lock);
	unsigned woken = wake_locked(b, &name, bitset, futex_wake_count(count));

	lock_release(&b->lock);
	return woken;
}

static __attribute__((noinline)) long futex_wake_any(uint64_t address, bool private, unsigned count)
{
	return futex_wake(address, private, FUTEX_BITSET_MATCH_ANY, count);
}

void futex_wake_word(uint64_t address, unsigned count)
{
	futex_wake_any(address, false, count);
}

/* BLOCKING, in the bucket and with its lock held, or an error and nothing of that.  -EAGAIN: the word has
 * another value; -EFAULT: its page is not there. */
__attribute__((always_inline)) static inline int
try_enter(struct futex_bucket *b, struct futex_waiter *w, uint64_t address, uint32_t value)
{
	uint32_t now;
	int r;

	wait_begin();
	lock_acquire(&b->lock);
	r = user_load32(&now, (const uint32_t *)address); /* name_word() has looked at it */
	if (r == 0 && now == value) {
		futex_enter(b, w);
		atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
		return 0;
	}
	lock_release(&b->lock);
	wait_cancel();
	return r == 0 ? -EAGAIN : -EFAULT;
}

static __attribute__((noinline)) int enter_touching(struct futex_bucket *b, struct futex_waiter *w,
						    uint64_t address, uint32_t value)
{
	int r;

	do {
		if (user_touch(address, sizeof(value), 0) < 0)
			return -EFAULT;
		r = try_enter(b, w, address, value);
	} while (r == -EFAULT);
	return r;
}

/* Out of whatever bucket it is in now.  A requeue needs the lock of the bucket that it takes the
 * waiter from, so w->bucket cannot change while we hold the lock of the one it names.  True: it
 * was woken, by somebody who held the lock until now. */
static __attribute__((noinline)) bool leave(struct futex_waiter *w)
{
	struct futex_bucket *b;

	for (;;) {
		b = atomic_load_explicit(&w->bucket, memory_order_acquire);
		lock_acquire(&b->lock);
		if (b == atomic_load_explicit(&w->bucket, memory_order_relaxed))
			break;
		lock_release(&b->lock);
	}
	bool woken = atomic_load_explicit(&w->woken, memory_order_relaxed);

	if (!woken)
		named_remove(&b->waiters, &w->named);
	lock_release(&b->lock);
	return woken;
}

/* Woken, or an error; else 1: by something that was not meant for this wait. */
__attribute__((always_inline)) static inline long
wait_once(uint64_t address, bool private, uint32_t value, uint32_t bitset, uint64_t deadline_ns)
{
	struct futex_waiter w;
	struct futex_bucket *b;
	int r = name_word(address, private, &w.name);

	if (r == 0 && !bitset)
		r = -EINVAL;
	if (r < 0)
		return r;
	w.task = current();
	w.bitset = bitset;
	atomic_init(&w.woken, false);
	b = futex_bucket_of(&w.name);
	r = try_enter(b, &w, address, value);
	if (r == -EFAULT)
		r = enter_touching(b, &w, address, value);
	if (r < 0)
		return r;
	r = wait_sleep_unlock(&b->lock, WAIT_INTERRUPTIBLE, deadline_ns);
	/* Acquire: the waker has done with w. */
	if (atomic_load_explicit(&w.woken, memory_order_acquire) || leave(&w))
		return 0;
	return r < 0 ? r : 1;
}

/* A signal makes `restart` of it: a wait without end, or until a fixed time, is the same when it is started
 * again. */
static __attribute__((noinline)) long futex_wait(uint64_t address, bool private, uint32_t value,
						 uint32_t bitset, uint64_t deadline_ns,
						 int restart)
{
	long r;

	do
		r = wait_once(address, private, value, bitset, deadline_ns);
	while (r > 0);
	return r == -EINTR ? restart : r;
}

/* The most frequent: with less to keep. */
static __attribute__((noinline)) long futex_wait_for_ever(uint64_t address, bool private,
							  uint32_t value)
{
	long r = wait_once(address, private, value, FUTEX_BITSET_MATCH_ANY, 0);

	if (r > 0)
		return futex_wait(address, private, value, FUTEX_BITSET_MATCH_ANY, 0, -ERESTARTSYS);
	return r == -EINTR ? -ERESTARTSYS : r;
}

static long go_on(void);

/* Until the end of so long a time: an interruption without a handler, as a stop is, does not move the end. */
static long futex_wait_for(uint64_t address, bool private, uint32_t value, uint64_t deadline_ns)
{
	struct task *t = current();
	long r = futex_wait(address, private, value, FUTEX_BITSET_MATCH_ANY, deadline_ns,
			    -ERESTART_RESTARTBLOCK);

	if (r == -ERESTART_RESTARTBLOCK) {
		t->restart.go_on = go_on;
		t->restart.deadline_ns = deadline_ns;
		t->restart.address = address;
		t->restart.count = value | (uint64_t) private << 32;
	}
	return r;
}

static long go_on(void)
{
	const struct task *t = current();

	return futex_wait_for(t->restart.address, t->restart.count >> 32,
			      (uint32_t)t->restart.count, t->restart.deadline_ns);
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

static long inheriting_command(uint64_t address, int command, bool private, bool real,
			       uint64_t timeout)
{
	uint64_t deadline_ns = 0;
	int r;

	if (command == FUTEX_UNLOCK_PI)
		return futex_unlock_inheriting(address, private);
	if (command != FUTEX_TRYLOCK_PI) {
		r = read_deadline(timeout, true, real || command == FUTEX_LOCK_PI, &deadline_ns);
		if (r < 0)
			return r;
	}
	return futex_lock_inheriting(address, private, command == FUTEX_TRYLOCK_PI, deadline_ns);
}

/* All but what nearly every call is. */
static __attribute__((noinline)) long other_command(uint64_t address, int op, uint32_t value,
						    uint64_t timeout, uint64_t address2,
						    uint32_t value3)
{
	bool private = op & FUTEX_PRIVATE_FLAG, real = op & FUTEX_CLOCK_REALTIME;
	int command = op & FUTEX_CMD_MASK;
	bool waits = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
	uint64_t deadline_ns = 0;

	/* FUTEX_WAIT takes how long it waits, which is by no clock but one. */
	if (real && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI2)
		return -ENOSYS;
	if (waits) {
		int r = read_deadline(timeout, command == FUTEX_WAIT_BITSET, real, &deadline_ns);

		if (r < 0)
			return r;
	}
	switch (command) {
	case FUTEX_WAIT:
		return timeout ? futex_wait_for(address, private, value, deadline_ns)
			       : futex_wait(address, private, value, FUTEX_BITSET_MATCH_ANY, 0,
					    -ERESTARTSYS);
	case FUTEX_WAIT_BITSET:
		return futex_wait(address, private, value, value3, deadline_ns,
				  timeout ? -ERESTARTNOHAND : -ERESTARTSYS);
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, private, value3, value);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		if ((int)value < 0 || (int)timeout < 0)
			return -EINVAL;
		return futex_requeue(&(struct futex_requeue){
			.from = address, .to = address2, .private = private,
			.compare = command == FUTEX_CMP_REQUEUE, .value = value3, .wake = value,
			.move = (unsigned)timeout,
		});
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, private, value, (unsigned)timeout, value3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_TRYLOCK_PI:
	case FUTEX_UNLOCK_PI:
		return inheriting_command(address, command, private, real, timeout);
	default:
		return -ENOSYS; /* who waits for a word and is moved to such a lock (FUTEX_WAIT_REQUEUE_PI) */
	}
}

long sys_futex(uint64_t address, int op, uint32_t value, uint64_t timeout, uint64_t address2,
	       uint32_t value3)
{
	bool private = op & FUTEX_PRIVATE_FLAG;
	int command = op & ~FUTEX_PRIVATE_FLAG;

	if (command == FUTEX_WAKE)
		return futex_wake_any(address, private, value);
	if (command == FUTEX_WAIT && !timeout)
		return futex_wait_for_ever(address, private, value);
	return other_command(address, op, value, timeout, address2, value3);
}
