/* SPDX-License-Identifier: MIT */
/* Signal masks, and the calls that wait for signals. */
#include <asm/signal.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"
#include "time/timespec.h"

#define SET_SIZE sizeof(uint64_t)

long sys_rt_sigprocmask(int how, uint64_t set_user, uint64_t old_user, uint64_t set_size)
{
	struct task *t = current();
	uint64_t old = t->signal_blocked, set;

	if (set_size != SET_SIZE)
		return -EINVAL;
	if (set_user != 0) {
		if (copy_from_user(&set, set_user, SET_SIZE) != 0)
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(t, set, false);
	}
	if (old_user != 0 && copy_to_user(old_user, &old, SET_SIZE) != 0)
		return -EFAULT;
	return 0;
}

/* The mask has been changed by the program itself, so to speak, and something is pending: which signals were
 * let in before does not matter, since a word that is given twice costs one look. */
long sys_mask_changed(uint64_t old, uint64_t old_user)
{
	struct task *t = current();

	signal_settle_blocked(t, t->signal_blocked, false);
	return old_user != 0 && copy_to_user(old_user, &old, SET_SIZE) != 0 ? -EFAULT : 0;
}

long sys_rt_sigpending(uint64_t set_user, uint64_t set_size)
{
	struct task *t = current();
	uint64_t set;

	if (set_size > SET_SIZE)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	set = (t->signal_pending | t->process->signal_pending) & t->signal_blocked;
	lock_release(&process_tree_lock);
	return copy_to_user(set_user, &set, set_size);
}

void signal_mask_replace(uint64_t mask)
{
	struct task *t = current();

	lock_acquire(&process_tree_lock);
	t->signal_saved_mask = t->signal_blocked;
	t->signal_restore_mask = true;
	signal_set_blocked(t, mask, true);
	lock_release(&process_tree_lock);
}

static void restore_mask(void)
{
	struct task *t = current();

	lock_acquire(&process_tree_lock);
	if (t->signal_restore_mask) {
		t->signal_restore_mask = false;
		signal_set_blocked(t, t->signal_saved_mask, true);
	}
	lock_release(&process_tree_lock);
}

int signal_mask_replace_by(uint64_t user, uint64_t size)
{
	uint64_t set;

	if (!user)
		return 0;
	if (size != SET_SIZE)
		return -EINVAL;
	if (copy_from_user(&set, user, SET_SIZE) != 0)
		return -EFAULT;
	signal_mask_replace(set);
	return 0;
}

long signal_mask_restore_after(uint64_t user, long result)
{
	if (user && result != -EINTR && result != -ERESTARTNOHAND)
		restore_mask();
	return result;
}

/*
 * Sleeps until signal_is_pending().  Why no signal is missed: the sender sets WORK_SIGNAL before
 * it wakes, and wait_on() looks at the bit after the task has turned BLOCKING.
 */
static void wait_for_signal(uint64_t deadline_ns)
{
	struct wait_queue nobody_wakes;

	wait_queue_init(&nobody_wakes);
	lock_acquire(&process_tree_lock);
	(void)wait_on(&nobody_wakes, &process_tree_lock, WAIT_INTERRUPTIBLE, deadline_ns);
	lock_release(&process_tree_lock);
}

long sys_pause(void)
{
	while (!signal_is_pending())
		wait_for_signal(0);
	return -ERESTARTNOHAND;
}

/* The old mask comes back in signal_deliver(), after the handler's frame has been made. */
long sys_rt_sigsuspend(uint64_t set_user, uint64_t set_size)
{
	uint64_t set;

	if (set_size != SET_SIZE)
		return -EINVAL;
	if (copy_from_user(&set, set_user, SET_SIZE) != 0)
		return -EFAULT;
	signal_mask_replace(set);
	while (!signal_is_pending())
		wait_for_signal(0);
	return -ERESTARTNOHAND;
}

/*
 * While it waits the task accepts what it waits for, so that senders choose and wake it; nothing
 * is delivered meanwhile, because it does not return to the program.  signal_saved_mask keeps
 * ignored signals from being dropped (signal_send.c).
 */
static int wait_and_take(struct task *t, uint64_t set, uint64_t deadline_ns,
			 struct signal_info *info)
{
	int number;

	t->signal_saved_mask = t->signal_blocked;
	t->signal_restore_mask = true;
	signal_set_blocked(t, t->signal_blocked & ~set, true);
	/* A hint from before would end the sleep at once; what is pending sets it again. */
	atomic_fetch_and_explicit(&t->work, ~(uint32_t)WORK_SIGNAL, memory_order_relaxed);
	signal_update_hint(t);
	lock_release(&process_tree_lock);
	while (!signal_is_pending() && (deadline_ns == 0 || time_now_ns() < deadline_ns))
		wait_for_signal(deadline_ns);
	lock_acquire(&process_tree_lock);
	number = signal_take(t, set, info);
	t->signal_restore_mask = false;
	signal_set_blocked(t, t->signal_saved_mask, true);
	return number;
}

long sys_rt_sigtimedwait(uint64_t set_user, uint64_t info_user, uint64_t timeout_user,
			 uint64_t set_size)
{
	struct task *t = current();
	struct signal_info info;
	uint64_t set, timeout_ns, deadline_ns = 0;
	bool poll_only = false;
	int number, r;

	if (set_size != SET_SIZE)
		return -EINVAL;
	if (copy_from_user(&set, set_user, SET_SIZE) != 0)
		return -EFAULT;
	set &= ~SIGNALS_UNMASKABLE;
	if (timeout_user != 0) {
		r = timespec_read(timeout_user, &timeout_ns);
		if (r != 0)
			return r;
		poll_only = timeout_ns == 0;
		deadline_ns = deadline_after(timeout_ns);
	}
	lock_acquire(&process_tree_lock);
	number = signal_take(t, set, &info);
	if (number == 0 && !poll_only)
		number = wait_and_take(t, set, deadline_ns, &info);
	lock_release(&process_tree_lock);
	if (number == 0)
		return !poll_only && signal_is_pending() ? -EINTR : -EAGAIN;
	if (info_user != 0 && signal_info_write(info_user, &info) != 0)
		return -EFAULT;
	return number;
}
