/* SPDX-License-Identifier: MIT */
/* prctl(2): the options that programs here ask for. */
#include <linux/capability.h>
#include <linux/prctl.h>
#include "abi/errno.h"
#include "core/string.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "trace/trace.h"

#define NAME_SIZE 16

/* The leader's name is the process's. */
static long set_name(uint64_t user)
{
	struct task *t = current();
	char name[NAME_SIZE];
	long n = copy_string_from_user(name, user, sizeof(name));

	if (n == -EFAULT)
		return n;
	name[NAME_SIZE - 1] = '\0'; /* a longer name is cut off */
	string_copy(t->name, name, sizeof(t->name));
	trace_name_changed();
	if (t->process->leader == t)
		string_copy(t->process->name, name, sizeof(t->process->name));
	return 0;
}

static long set_death_signal(uint64_t number)
{
	if (number > SIGNAL_COUNT)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	current_process()->parent_death_signal = (int)number;
	lock_release(&process_tree_lock);
	return 0;
}

/* Of the process, under process_tree_lock. */
static long set_flag(bool *flag, bool on)
{
	lock_acquire(&process_tree_lock);
	*flag = on;
	lock_release(&process_tree_lock);
	return 0;
}

long sys_prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct process *p = current_process();

	switch (option) {
	case PR_SET_NAME:
		return set_name(a);
	case PR_GET_NAME:
		return copy_to_user(a, current()->name, NAME_SIZE);
	case PR_SET_PDEATHSIG:
		return set_death_signal(a);
	case PR_GET_PDEATHSIG:
		return store_user32(a, (uint32_t)p->parent_death_signal);
	case PR_SET_CHILD_SUBREAPER:
		return set_flag(&p->subreaper, a != 0);
	case PR_GET_CHILD_SUBREAPER:
		return store_user32(a, p->subreaper);
	case PR_GET_DUMPABLE: /* no core is ever dumped, whatever it says */
		return p->dumpable;
	case PR_SET_DUMPABLE:
		return a <= 1 ? set_flag(&p->dumpable, a) : -EINVAL;
	case PR_CAPBSET_READ: /* none has been taken away for good */
		return a <= CAP_LAST_CAP ? 1 : -EINVAL;
	case PR_GET_NO_NEW_PRIVS: /* exec never adds rights */
		return 1;
	case PR_SET_NO_NEW_PRIVS:
		return a == 1 && !b && !c && !d ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}
