/* SPDX-License-Identifier: MIT */
/*
 * The futexes of locks with priority inheritance: FUTEX_LOCK_PI and its like of futex(2).
 *
 * The word is the lock: 0, or the thread id of its owner, with FUTEX_WAITERS if somebody waits.  A program
 * takes and drops a lock that nobody wants by itself; it calls when the word is not as it expects.  Who drops
 * one that is wanted gives it to the most urgent who waits, so nobody else has it in between.
 *
 * Why nobody waits for a lock that is free: who is to wait marks the word, and enters, both under
 * inheritance_lock.  The owner finds the mark and calls, and takes that lock; or he dropped it before the
 * mark, and then the compare-and-swap that was to set it has failed.
 *
 * Who gets a lock because its owner has ended writes the word himself, as inheritance_release() may be
 * unable to: until then the lock is `unsettled`, and is in the table whether somebody waits or not.
 */
#include <linux/futex.h>
#include "abi/errno.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "core/wait.h"
#include "core/wake.h"
#include "proc/futex.h"
#include "proc/inheritance.h"
#include "proc/process.h"
#include "proc/signal.h"

/* What is to be done before the lock can be tried again; errors are below 0. */
enum attempt {
	TAKEN,
	WAITS,      /* w has entered */
	AGAIN,      /* the word has changed meanwhile */
	TOUCH,      /* its page is not there */
	FIND_OWNER, /* whose id is in the word */
};

struct request {
	uint64_t address;
	struct futex_name name;
	bool private, only_try;
	uint32_t self;      /* the caller's thread id */
	uint32_t owner_id;  /* who has been looked for, 0: nobody yet */
	struct task *owner; /* who that is: a reference; NULL: there is none */
	bool owner_ended;   /* after it has been found */
	bool owner_is_elsewhere; /* in another process, which cannot have a lock of ours */
	struct lock_waiter w;
};

static uint32_t id_in(uint32_t word)
{
	return word & FUTEX_TID_MASK;
}

/* Under inheritance_lock.  0, or what is to be done. */
static int change_word(uint64_t address, uint32_t from, uint32_t to)
{
	uint32_t found;

	if (from == to)
		return 0;
	if (cmpxchg_user32(address, from, to, &found) < 0)
		return TOUCH;
	return found == from ? 0 : AGAIN;
}

/* Somebody is to wait for the first time; or only tries, and is told whether he could have waited. */
static int make_contended(struct request *q, uint32_t word, struct contended_lock **l)
{
	int r;

	if (id_in(word) != q->owner_id)
		return FIND_OWNER;
	/* Who ends may have said so in the word, which we have read after that. */
	if (!q->owner || q->owner_ended)
		return -ESRCH;
	if (q->owner_is_elsewhere)
		return -EPERM;
	if (q->only_try)
		return -EAGAIN;
	r = change_word(q->address, word, word | FUTEX_WAITERS);
	if (r)
		return r;
	r = contended_create(&q->name, q->owner, l);
	if (r != -ESRCH)
		return r;
	q->owner_ended = true;
	return AGAIN;
}

/* The word may have no id while its owner ends (threads.c), until the next one has settled. */
static int join(const struct request *q, const struct contended_lock *l, uint32_t word)
{
	if (id_in(word) && id_in(word) != task_thread_id(l->owner) && !l->unsettled)
		return -EINVAL;
	return q->only_try ? -EAGAIN : change_word(q->address, word, word | FUTEX_WAITERS);
}

/* Under inheritance_lock, BLOCKING. */
static int try_locked(struct request *q)
{
	struct contended_lock *l = contended_find(&q->name);
	uint32_t word;
	int r;

	if (load_user32(&word, q->address) < 0)
		return TOUCH;
	if (!l && !id_in(word)) /* TAKEN, if that is done */
		return change_word(q->address, word, q->self | (word & FUTEX_OWNER_DIED));
	if (l ? l->owner == current() : id_in(word) == q->self)
		return -EDEADLK;
	r = l ? join(q, l, word) : make_contended(q, word, &l);
	if (r)
		return r;
	r = contended_enter(l, &q->w);
	if (r == 0)
		return WAITS;
	contended_free_unused(l);
	return r;
}

static void find_owner(struct request *q)
{
	uint32_t word = 0;

	if (q->owner)
		task_put(q->owner);
	q->owner = NULL;
	q->owner_ended = q->owner_is_elsewhere = false;
	/* A word that cannot be read has no owner, and the next attempt says why. */
	(void)load_user32(&word, q->address);
	q->owner_id = id_in(word);
	if (q->owner_id)
		q->owner = thread_find_holder(q->owner_id);
	if (q->owner && q->private)
		q->owner_is_elsewhere = thread_is_elsewhere(q->owner);
}

/* WAITS with inheritance_lock held, or without it: TAKEN or an error. */
static int try(struct request *q)
{
	int r;

	for (;;) {
		wait_begin();
		lock_acquire(&inheritance_lock);
		r = try_locked(q);
		if (r == WAITS)
			return r;
		lock_release(&inheritance_lock);
		wait_cancel();
		if (r == TOUCH && user_touch(q->address, sizeof(uint32_t), 1) < 0)
			return -EFAULT;
		if (r == FIND_OWNER)
			find_owner(q);
		else if (r != TOUCH && r != AGAIN)
			return r;
	}
}

/* Under inheritance_lock by `attempt`, until the word is there and holds still: 0 or an error. */
static int until_done(const struct request *q, int (*attempt)(const struct request *))
{
	int r;

	do {
		lock_acquire(&inheritance_lock);
		r = attempt(q);
		lock_release(&inheritance_lock);
		if (r == TOUCH && user_touch(q->address, sizeof(uint32_t), 1) < 0)
			return -EFAULT;
	} while (r > 0);
	return r;
}

static void settled(struct contended_lock *l)
{
	l->unsettled = false;
	contended_free_unused(l);
}

static int settle_locked(const struct request *q)
{
	struct contended_lock *l = contended_find(&q->name);
	uint32_t waiters = contended_is_wanted(l) ? FUTEX_WAITERS : 0, word;
	int r;

	if (load_user32(&word, q->address) < 0)
		return TOUCH;
	r = change_word(q->address, word, q->self | FUTEX_OWNER_DIED | waiters);
	if (r == 0)
		settled(l);
	return r;
}

/* The owner got the lock from one who ended.  On an error the next one has it. */
static int settle(const struct request *q)
{
	struct contended_lock *l;
	int r = until_done(q, settle_locked);

	if (r == 0)
		return 0;
	lock_acquire(&inheritance_lock);
	l = contended_find(&q->name);
	if (contended_is_wanted(l))
		wake_later(contended_pass_on(l), DONATION_NONE);
	else
		settled(l);
	lock_release(&inheritance_lock);
	return r;
}

/* w has entered, and inheritance_lock is held, which is dropped. */
static int wait_for_lock(struct request *q, uint64_t deadline_ns)
{
	struct contended_lock *l;
	bool unsettled = false;
	int r;

	for (;;) {
		r = wait_sleep_unlock(&inheritance_lock, WAIT_INTERRUPTIBLE, deadline_ns);
		lock_acquire(&inheritance_lock);
		if (!q->w.lock || r < 0)
			break;
		wait_begin(); /* awake for another reason */
	}
	if (q->w.lock) {
		contended_leave(&q->w);
	} else {
		l = contended_find(&q->name);
		unsettled = l && l->unsettled;
		r = 0;
	}
	lock_release(&inheritance_lock);
	return unsettled ? settle(q) : r;
}

static int request_init(struct request *q, uint64_t address, bool private)
{
	*q = (struct request){ .address = address,
			       .private = private,
			       .self = task_thread_id(current()) };
	return futex_name_word(address, private, &q->name);
}

long futex_lock_inheriting(uint64_t address, bool private, bool only_try, uint64_t deadline_ns)
{
	struct request q;
	int r = request_init(&q, address, private);

	if (r < 0)
		return r;
	q.only_try = only_try;
	r = try(&q);
	if (r == WAITS)
		r = wait_for_lock(&q, deadline_ns);
	if (q.owner)
		task_put(q.owner);
	return r == -EINTR ? -ERESTARTNOINTR : r;
}

/* Under inheritance_lock.  0, what is to be done, or an error. */
static int unlock_locked(const struct request *q)
{
	struct contended_lock *l = contended_find(&q->name);
	uint32_t word;
	int r;

	if (load_user32(&word, q->address) < 0)
		return TOUCH;
	if (id_in(word) != q->self)
		return -EPERM;
	if (!l)
		return change_word(q->address, word, 0);
	if (l->owner != current())
		return -EINVAL;
	r = change_word(q->address, word,
			task_thread_id(contended_first(l)->task) |
				(l->waiters.count > 1 ? FUTEX_WAITERS : 0));
	if (r == 0)
		wake_later(contended_pass_on(l), DONATION_FUTEX);
	return r;
}

long futex_unlock_inheriting(uint64_t address, bool private)
{
	struct request q;
	int r = request_init(&q, address, private);

	return r < 0 ? r : until_done(&q, unlock_locked);
}
