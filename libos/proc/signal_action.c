/* SPDX-License-Identifier: MIT */
/* What a process does about each signal: the actions, through fork, exec, exit and sigaction(2). */
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "abi/calls.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"

#define HANDLER_DEFAULT 0ul /* SIG_DFL */

enum signal_default signal_default_of(int number)
{
	switch (number) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
		return DEFAULT_IGNORE;
	case SIGCONT:
		return DEFAULT_CONTINUE;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return DEFAULT_STOP;
	default:
		return DEFAULT_TERMINATE;
	}
}

bool signal_ignored(const struct process *p, int number)
{
	uint64_t handler = p->signal_actions->action[number - 1].handler;

	if (handler != HANDLER_DEFAULT)
		return handler == HANDLER_IGNORE;
	/* Nothing ends or stops the first process that it does not ask for itself. */
	if (p == init_process)
		return true;
	switch (signal_default_of(number)) {
	case DEFAULT_IGNORE:
	case DEFAULT_CONTINUE:
		return true;
	default:
		return false;
	}
}

bool signal_children_discarded_locked(struct process *parent)
{
	const struct signal_action *action;

	if (parent->signal_actions == NULL)
		return false; /* it is exiting itself: its children go to another parent */
	action = &parent->signal_actions->action[SIGCHLD - 1];
	return action->handler == HANDLER_IGNORE || (action->flags & SA_NOCLDWAIT) != 0;
}

__attribute__((noinline)) void signal_discard_everywhere(struct process *p, uint64_t set)
{
	signal_queue_discard(&p->signal_pending, &p->signal_queue, set);
	list_for_each(node, &p->tasks) {
		struct task *t = list_entry(node, struct task, thread_link);

		signal_queue_discard(&t->signal_pending, &t->signal_queue, set);
	}
}

/* What a program finds when it starts.  Its own reference stays, so that nobody changes it. */
static struct signal_actions initial = { .references = 1 };

static struct signal_actions *actions_copy(const struct signal_actions *from)
{
	struct signal_actions *copy = heap_alloc(sizeof(*copy));

	if (copy == NULL)
		return NULL;
	copy->references = 1;
	copy->once = from->once;
	copy->set = from->set;
	for (uint64_t set = from->set; set != 0; set &= set - 1)
		copy->action[__builtin_ctzl(set)] = from->action[__builtin_ctzl(set)];
	return copy;
}

/* What is after_exec of others is reset, and so has none itself. */
static void actions_drop(struct signal_actions *actions)
{
	struct signal_actions *after_exec;

	if (actions == NULL || --actions->references > 0)
		return;
	after_exec = actions->after_exec;
	heap_free(actions);
	if (after_exec != NULL && --after_exec->references == 0)
		heap_free(after_exec);
}

static void actions_put(struct process *p)
{
	struct signal_actions *actions = p->signal_actions;

	p->signal_actions = NULL;
	actions_drop(actions);
}

/* Does a change concern nobody who has only not made one yet? */
static bool actions_changeable(const struct signal_actions *actions)
{
	return actions->references == 1 || actions->common;
}

static __attribute__((noinline)) struct signal_actions *actions_take(struct process *p)
{
	struct signal_actions *own = actions_copy(p->signal_actions);

	if (own != NULL) {
		actions_put(p);
		p->signal_actions = own;
	}
	return own;
}

/* p's actions, for a change; NULL: there is no memory for a copy. */
static struct signal_actions *actions_to_change(struct process *p)
{
	struct signal_actions *actions = p->signal_actions;

	if (!actions_changeable(actions))
		actions = actions_take(p);
	if (actions == NULL)
		return NULL;
	actions_drop(actions->after_exec);
	actions->after_exec = NULL;
	actions->has_after_exec = actions->is_reset = false;
	return actions;
}

/* For a child: the same for good, the same until one of the two changes them, or a copy. */
static struct signal_actions *actions_for_child(struct process *parent, bool share)
{
	struct signal_actions *actions = share ? actions_to_change(parent) : parent->signal_actions;

	if (actions == NULL)
		return NULL;
	if (!share && ((actions->common && actions->references > 1) || actions->once))
		return actions_copy(actions);
	actions->common = share;
	actions->references++;
	return actions;
}

/* The child starts with nothing pending. */
int signal_fork(struct process *child, struct process *parent, bool share)
{
	list_init(&child->signal_queue);
	child->signal_pending = 0;

	lock_acquire(&process_tree_lock);
	if (parent != NULL) {
		child->signal_actions = actions_for_child(parent, share);
	} else {
		child->signal_actions = &initial;
		initial.references++;
	}
	lock_release(&process_tree_lock);
	return child->signal_actions != NULL ? 0 : -ENOMEM;
}

static uint64_t ignored_in(const struct signal_actions *actions)
{
	uint64_t ignored = 0;

	for (uint64_t set = actions->set; set != 0; set &= set - 1)
		if (actions->action[__builtin_ctzl(set)].handler == HANDLER_IGNORE)
			ignored |= set & -set;
	return ignored;
}

/* Handlers go, what is ignored stays so. */
static void actions_reset(struct signal_actions *actions, uint64_t ignored)
{
	for (uint64_t set = actions->set; set != 0; set &= set - 1)
		actions->action[__builtin_ctzl(set)] = (struct signal_action){
			.handler = (set & -set & ignored) != 0 ? HANDLER_IGNORE : HANDLER_DEFAULT,
		};
	actions->set = ignored;
	actions->once = false;
	actions->is_reset = true;
}

/*
 * Whoever forks children that execute has the same made of its actions each time: so it is made once, and
 * goes to all of them.  Until exec takes it nobody changes the actions that it was made of: they are not in
 * common, so who else has them takes a copy first.  p itself is busy with exec.
 */
static bool after_exec_make(struct signal_actions *actions, uint64_t ignored)
{
	if (actions->after_exec == NULL) {
		actions->after_exec = actions_copy(actions);
		if (actions->after_exec != NULL)
			actions_reset(actions->after_exec, ignored);
	}
	actions->has_after_exec = actions->after_exec != NULL;
	return actions->has_after_exec;
}

int signal_exec_prepare(struct process *p)
{
	struct signal_actions *actions;
	uint64_t ignored;
	int r = 0;

	lock_acquire(&process_tree_lock);
	actions = p->signal_actions;
	ignored = ignored_in(actions);
	if (ignored != 0 && !actions->is_reset && !actions_changeable(actions) &&
	    !after_exec_make(actions, ignored))
		r = -ENOMEM;
	lock_release(&process_tree_lock);
	return r;
}

/*
 * Handlers go with the old program; what is ignored stays ignored (also SIGCHLD: Linux's choice
 * where POSIX leaves one).  Actions that are common with another process stay with that one: a copy
 * that cannot be allocated would come too late to fail, so the old ones are reset for both.
 */
void signal_exec_locked(struct process *p)
{
	struct task *t = current();
	struct signal_actions *actions, *own = &initial;
	uint64_t ignored;

	actions = p->signal_actions;
	ignored = ignored_in(actions);
	if (ignored != 0)
		own = actions->after_exec;
	if (own != NULL)
		own->references++;
	else if (actions->references > 1 && !actions->is_reset)
		own = actions_copy(actions);
	if (own != NULL) {
		actions_put(p);
		p->signal_actions = own;
	}
	if (ignored != 0 && !p->signal_actions->is_reset)
		actions_reset(p->signal_actions, ignored);
	t->signal_stack.sp = t->signal_stack.size = 0;
	t->signal_stack.flags = 0;
}

void signal_release_locked(struct process *p)
{
	if (p->signal_pending)
		signal_queue_discard(&p->signal_pending, &p->signal_queue, ~0ul);
	signal_watchers_release_locked(p);
	actions_put(p);
}

/* Installs `action` and drops what it makes ignored, as POSIX asks.  0 or -ENOMEM. */
static int action_install(struct process *p, int number, const struct signal_action *action)
{
	struct signal_actions *actions = actions_to_change(p);
	struct signal_action *slot;

	if (actions == NULL)
		return -ENOMEM;
	slot = &actions->action[number - 1];
	*slot = *action;
	actions->set |= SIGNAL_BIT(number);
	if ((action->flags & SA_RESETHAND) != 0)
		actions->once = true;
	if (action->handler <= HANDLER_IGNORE && signal_ignored(p, number))
		signal_discard_everywhere(p, SIGNAL_BIT(number));
	return 0;
}

/* `new` is NULL: nothing is changed.  Most who only put a handler in do not come here: core/quick.asm. */
static long action_exchange(int number, const struct signal_action *new, uint64_t old_user)
{
	struct process *p = current_process();
	struct signal_action old;
	int r = 0;

	lock_acquire(&process_tree_lock);
	old = p->signal_actions->action[number - 1];
	if (new != NULL)
		r = action_install(p, number, new);
	lock_release(&process_tree_lock);
	if (r == 0 && old_user != 0 && copy_to_user(old_user, &old, sizeof(old)) != 0)
		r = -EFAULT;
	return r;
}

/* The action has been changed, and an event has come while that was done: taken as it would be where a lock
 * is dropped. */
long sys_action_changed(void)
{
	upcalls_mask();
	upcalls_unmask();
	return 0;
}

long sys_rt_sigaction(int number, uint64_t new_user, uint64_t old_user, uint64_t set_size)
{
	struct signal_action new;

	if (set_size != sizeof(uint64_t) || number < 1 || number > SIGNAL_COUNT)
		return -EINVAL;
	if (new_user == 0)
		return action_exchange(number, NULL, old_user);
	if ((SIGNAL_BIT(number) & SIGNALS_UNMASKABLE) != 0)
		return -EINVAL;
	if (new_user > EXO_USER_TOP - sizeof(new) || user_action_read(&new, new_user) != 0)
		return -EFAULT;
	new.mask &= ~SIGNALS_UNMASKABLE;
	return action_exchange(number, &new, old_user);
}
