/* SPDX-License-Identifier: MIT */
/* What a process does about each signal: the actions, through fork, exec, exit and sigaction(2). */
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "abi/calls.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"

#define HANDLER_DEFAULT 0ul /* SIG_DFL */
#define HANDLER_IGNORE 1ul  /* SIG_IGN */

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

void signal_discard_everywhere(struct process *p, uint64_t set)
{
	signal_queue_discard(&p->signal_pending, &p->signal_queue, set);
	list_for_each(node, &p->tasks) {
		struct task *t = list_entry(node, struct task, thread_link);

		signal_queue_discard(&t->signal_pending, &t->signal_queue, set);
	}
}

/* The child starts with nothing pending, and with its parent's actions: shared, or a copy. */
int signal_fork(struct process *child, struct process *parent, bool share)
{
	struct signal_actions *actions = NULL;

	if (!share) {
		actions = heap_alloc(sizeof(*actions));
		if (actions == NULL)
			return -ENOMEM;
	}
	list_init(&child->signal_queue);
	child->signal_pending = 0;

	lock_acquire(&process_tree_lock);
	if (share) {
		actions = parent->signal_actions;
		actions->references++;
	} else {
		if (parent != NULL)
			memcpy(actions, parent->signal_actions, sizeof(*actions));
		actions->references = 1;
	}
	child->signal_actions = actions;
	lock_release(&process_tree_lock);
	return 0;
}

static void actions_put(struct process *p)
{
	struct signal_actions *actions = p->signal_actions;

	p->signal_actions = NULL;
	if (actions != NULL && --actions->references == 0)
		heap_free(actions);
}

/*
 * Handlers go with the old program; what is ignored stays ignored (also SIGCHLD: Linux's choice
 * where POSIX leaves one).  Actions shared with another process stay with that one: a copy that
 * cannot be allocated would come too late to fail, so the old ones are reset for both.
 */
void signal_exec(struct process *p)
{
	struct task *t = current();
	struct signal_actions *own = heap_alloc(sizeof(*own));
	struct signal_actions *actions;

	lock_acquire(&process_tree_lock);
	actions = p->signal_actions;
	if (own != NULL && actions->references > 1) {
		memcpy(own, actions, sizeof(*own));
		own->references = 1;
		actions->references--;
		p->signal_actions = actions = own;
		own = NULL;
	}
	for (int i = 0; i < SIGNAL_COUNT; i++) {
		bool ignore = actions->action[i].handler == HANDLER_IGNORE;

		actions->action[i] = (struct signal_action){
			.handler = ignore ? HANDLER_IGNORE : HANDLER_DEFAULT,
		};
	}
	lock_release(&process_tree_lock);
	heap_free(own);
	t->signal_stack.sp = t->signal_stack.size = 0;
	t->signal_stack.flags = 0;
}

void signal_release(struct process *p)
{
	lock_acquire(&process_tree_lock);
	signal_queue_discard(&p->signal_pending, &p->signal_queue, ~0ul);
	actions_put(p);
	lock_release(&process_tree_lock);
}

/* Installs `action` and drops what it makes ignored, as POSIX asks. */
static void action_install(struct process *p, int number, const struct signal_action *action)
{
	struct signal_action *slot = &p->signal_actions->action[number - 1];

	*slot = *action;
	slot->mask &= ~SIGNALS_UNMASKABLE;
	if (signal_ignored(p, number))
		signal_discard_everywhere(p, SIGNAL_BIT(number));
}

long sys_rt_sigaction(int number, uint64_t new_user, uint64_t old_user, uint64_t set_size)
{
	struct process *p = current_process();
	struct signal_action new, old;

	if (set_size != sizeof(uint64_t) || number < 1 || number > SIGNAL_COUNT)
		return -EINVAL;
	if (new_user != 0) {
		if ((SIGNAL_BIT(number) & SIGNALS_UNMASKABLE) != 0)
			return -EINVAL;
		if (copy_from_user(&new, new_user, sizeof(new)) != 0)
			return -EFAULT;
	}
	lock_acquire(&process_tree_lock);
	old = p->signal_actions->action[number - 1];
	if (new_user != 0)
		action_install(p, number, &new);
	lock_release(&process_tree_lock);
	if (old_user != 0 && copy_to_user(old_user, &old, sizeof(old)) != 0)
		return -EFAULT;
	return 0;
}
