/* SPDX-License-Identifier: MIT */
/*
 * Waiting for several files at once.
 *
 * Why no event is lost: each file registers us and answers under one hold of its lock, so an event comes
 * either before the answer and is in it, or after the registration and marks our entry.  When all have been
 * asked we turn BLOCKING, and then look at the entries: what was marked before is found there, and a later
 * wake meets BLOCKING and makes the sleep end at once.
 */
#include "fs/poll.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/poll_wait.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/user.h"
#include "time/timespec.h"

#define ALWAYS_REPORTED (POLLERR | POLLHUP | POLLNVAL)
/* poll() of few descriptors needs no heap memory. */
#define ITEMS_ON_STACK 8
/* One user's, in polls of more than that, all his tasks' together; as many as items of epolls at most. */
#define POLLED_MOST (1ul << 18)

static void unregister_all(struct poll_waiter *w)
{
	for (unsigned i = 0; i < w->count; i++)
		poll_entry_remove(&w->entries[i]);
	w->count = 0;
}

static uint32_t ask(struct file *f, struct poll_waiter *w)
{
	if (f->flags & O_PATH)
		return POLLNVAL;
	if (!f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, w);
}

/* Asks every file; registers with w if there is one and nothing is ready so far.  -> how many are ready, or
 * -ENOMEM. */
static long look(struct poll_item *items, unsigned count, struct poll_waiter *w)
{
	long ready = 0;

	for (unsigned i = 0; i < count; i++) {
		struct poll_item *item = &items[i];

		item->ready = 0;
		if (!item->file)
			continue;
		if (w)
			w->key = item->wanted | ALWAYS_REPORTED;
		item->ready = ask(item->file, ready ? NULL : w) & (item->wanted | ALWAYS_REPORTED);
		ready += item->ready != 0;
	}
	return !ready && w && w->refused ? -ENOMEM : ready;
}

static bool passed(struct poll_limit limit)
{
	return limit.deadline_ns && time_now_ns() >= limit.deadline_ns;
}

static bool is_any_woken(const struct poll_waiter *w)
{
	bool woken = false;

	for (unsigned i = 0; i < w->count && !woken; i++) {
		lock_acquire(w->entries[i].lock);
		woken = w->entries[i].called.waiter.woken;
		lock_release(w->entries[i].lock);
	}
	return woken;
}

/* 0: look again; or -EINTR.  A wake after the registration and before wait_begin() is not remembered, but its
 * entry says so; one after the look at its entry is. */
static long sleep_registered(const struct poll_waiter *w, struct poll_limit limit)
{
	wait_begin();
	if (is_any_woken(w)) {
		wait_cancel();
		return 0;
	}
	return wait_sleep(WAIT_INTERRUPTIBLE, limit.deadline_ns) == -EINTR ? -EINTR : 0;
}

/* Registers, and sleeps if nothing is ready.  Ready items, 0 (look again), -EINTR or -ENOMEM.  Files are
 * asked before wait_begin(), since an epoll asks others in turn, and may be the last to have one of
 * them, and close it. */
static long register_and_sleep(struct poll_item *items, unsigned count, struct poll_waiter *w,
			       struct poll_limit limit)
{
	long ready = look(items, count, w);

	if (!ready)
		ready = sleep_registered(w, limit);
	unregister_all(w);
	return ready;
}

static long wait_for_items(struct poll_item *items, unsigned count, struct poll_waiter *w,
			   struct poll_limit limit)
{
	long ready = 0, ended;

	while (ready == 0 && !passed(limit))
		ready = register_and_sleep(items, count, w, limit);
	/* Neither a signal nor the end of the time hides what became ready before: who was woken by that may
	 * have had to wait for a CPU until then. */
	ended = ready;
	if (ended <= 0)
		ready = look(items, count, NULL) ?: ended;
	return ready;
}

/* They count with the user: who wakes a file's pollers looks at all their entries under its lock. */
static long wait_for_many(struct poll_item *items, unsigned count, struct poll_limit limit)
{
	struct poll_waiter w = { .room = count * POLL_QUEUES_PER_FILE };
	struct user *u = user_hold_own();
	long ready = -ENOMEM;

	if (user_add_polled(u, count, POLLED_MOST)) {
		w.entries = heap_alloc(w.room * sizeof(*w.entries));
		if (w.entries)
			ready = wait_for_items(items, count, &w, limit);
		heap_free(w.entries);
		user_remove_polled(u, count);
	}
	user_let_go(u);
	return ready;
}

long poll_items(struct poll_item *items, unsigned count, struct poll_limit limit)
{
	struct poll_entry on_stack[ITEMS_ON_STACK * POLL_QUEUES_PER_FILE];
	struct poll_waiter w = { .entries = on_stack, .room = count * POLL_QUEUES_PER_FILE };
	long ready = look(items, count, NULL);

	if (ready)
		return ready;
	/* Who does not wait is interrupted all the same: it may unblock a signal for just this call. */
	if (limit.at_once)
		return signal_is_pending() ? -EINTR : 0;
	if (count > ITEMS_ON_STACK)
		return wait_for_many(items, count, limit);
	return wait_for_items(items, count, &w, limit);
}

struct poll_limit poll_limit_ms(int timeout_ms)
{
	struct poll_limit limit = { .at_once = timeout_ms == 0 };

	if (timeout_ms > 0)
		limit.deadline_ns = deadline_after((uint64_t)timeout_ms * 1000000);
	return limit;
}

int poll_limit_timespec(uint64_t user, struct poll_limit *limit)
{
	uint64_t ns;
	int error;

	*limit = (struct poll_limit){ 0 };
	if (!user)
		return 0;
	error = timespec_read(user, &ns);
	if (error)
		return error;
	limit->at_once = ns == 0;
	limit->deadline_ns = deadline_after(ns);
	return 0;
}

uint64_t poll_time_left_ns(struct poll_limit limit)
{
	uint64_t now = time_now_ns();

	return limit.deadline_ns > now ? limit.deadline_ns - now : 0;
}

long poll_tell_time_left(uint64_t user, struct poll_limit limit, long result)
{
	if (!user || limit.at_once || timespec_write(user, poll_time_left_ns(limit)) == 0)
		return result;
	return result == -ERESTARTNOHAND ? -EINTR : result;
}

/* The results alone: whatever else another thread has written into the array meanwhile stays. */
static int tell_results(uint64_t user, const struct pollfd *fds, unsigned count)
{
	int error = 0;

	user += offsetof(struct pollfd, revents);
	for (unsigned i = 0; i < count && !error; i++)
		error = copy_to_user(user + i * sizeof(*fds), &fds[i].revents,
				     sizeof(fds[i].revents));
	return error;
}

/* The program's array, the items made of it, and the way back. */
static long poll_user(uint64_t user, unsigned count, struct poll_limit limit, struct pollfd *fds,
		      struct poll_item *items)
{
	long ready, bad = 0;

	if (copy_from_user(fds, user, count * sizeof(*fds)))
		return -EFAULT;
	for (unsigned i = 0; i < count; i++) {
		items[i].file = fds[i].fd >= 0 ? fd_get(fds[i].fd) : NULL;
		items[i].wanted = (uint16_t)fds[i].events;
		bad += fds[i].fd >= 0 && !items[i].file;
	}
	if (bad)
		limit.at_once = true;
	ready = poll_items(items, count, limit);
	if (ready == -EINTR && bad)
		ready = 0;
	for (unsigned i = 0; i < count; i++) {
		fds[i].revents = (short)items[i].ready;
		if (fds[i].fd >= 0 && !items[i].file)
			fds[i].revents = POLLNVAL;
		if (items[i].file)
			file_put(items[i].file);
	}
	if (ready == -EINTR)
		return -ERESTARTNOHAND;
	if (ready < 0)
		return ready;
	return tell_results(user, fds, count) ?: ready + bad;
}

static long poll_call(uint64_t user, uint64_t count, struct poll_limit limit)
{
	struct pollfd fds_on_stack[ITEMS_ON_STACK], *fds = fds_on_stack;
	struct poll_item items_on_stack[ITEMS_ON_STACK], *items = items_on_stack;
	long result = -ENOMEM;

	if (count > current_process()->limits[RLIMIT_NOFILE][0])
		return -EINVAL;
	if (count > ITEMS_ON_STACK) {
		fds = heap_alloc(count * sizeof(*fds));
		items = heap_alloc(count * sizeof(*items));
	}
	if (fds && items)
		result = poll_user(user, (unsigned)count, limit, fds, items);
	if (count > ITEMS_ON_STACK) {
		heap_free(fds);
		heap_free(items);
	}
	return result;
}

static long poll_go_on(void);

/* An interruption without a handler, a stop for example, does not move the end of the wait. */
static long poll_until(uint64_t fds, uint64_t count, struct poll_limit limit)
{
	struct task *t = current();
	long result = poll_call(fds, count, limit);

	if (result != -ERESTARTNOHAND || !limit.deadline_ns)
		return result;
	t->restart.go_on = poll_go_on;
	t->restart.deadline_ns = limit.deadline_ns;
	t->restart.address = fds;
	t->restart.count = count;
	return -ERESTART_RESTARTBLOCK;
}

static long poll_go_on(void)
{
	const struct task *t = current();

	return poll_until(t->restart.address, t->restart.count,
			  (struct poll_limit){ .deadline_ns = t->restart.deadline_ns });
}

long sys_poll(uint64_t fds, uint64_t count, int timeout_ms)
{
	return poll_until(fds, count, poll_limit_ms(timeout_ms));
}

long sys_ppoll(uint64_t fds, uint64_t count, uint64_t timeout, uint64_t mask, uint64_t mask_size)
{
	struct poll_limit limit;
	long result = poll_limit_timespec(timeout, &limit) ?: signal_mask_replace_by(mask, mask_size);

	if (result)
		return result;
	result = poll_tell_time_left(timeout, limit, poll_call(fds, count, limit));
	return signal_mask_restore_after(mask, result);
}
