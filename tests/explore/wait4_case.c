/* SPDX-License-Identifier: MIT */
/* libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c; wait.c of
 * proc/ included below: a parent misses no child that ends, and no child is reaped twice
 *
 * CPU 0 runs the parent, or CPU 0 and 1 two of its threads; the others end as children.
 */
#include "libos_cpus.h"
#include "../../libos/proc/wait.c"

#define CHILDREN 2

static struct process parent, children[CHILDREN];
static unsigned reaped[CHILDREN];

struct lock process_tree_lock = LOCK_INIT("process tree", RANK_PROCESS);

/* ---------------------------------------------------------------- the rest of proc/ */

void usage_add(struct usage *sum, const struct usage *more)
{
}

struct usage usage_of_process_locked(const struct process *p)
{
	return (struct usage){ 0 };
}

void usage_to_linux(const struct usage *u, struct rusage *out)
{
	explore_fail("nobody asks for it");
}

void process_unlink_locked(struct process *p)
{
	EXPLORE_CHECK(p->state == PROCESS_ZOMBIE);
	p->state = PROCESS_REAPED;
	list_remove(&p->sibling_link);
}

struct process *process_find(uint32_t pid)
{
	struct process *p = &children[pid - 10];

	return p->state == PROCESS_REAPED ? NULL : p;
}

void process_bury(struct process *p)
{
	reaped[p - children]++;
}

int signal_send_process_locked(struct process *p, int number, const struct signal_info *info)
{
	return 0; /* SIGCHLD is ignored */
}

struct process *process_of_descriptor(int fd, bool *at_once)
{
	return NULL;
}

void process_put(struct process *p)
{
	explore_fail("nobody waits by a descriptor");
}

int store_user32(uint64_t address, uint32_t value)
{
	return 0;
}

int copy_to_user(uint64_t to, const void *from, size_t size)
{
	return 0;
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	cpus_setup();
	process_tree_lock.holder = 0;
	memset(&parent, 0, sizeof(parent));
	memset(children, 0, sizeof(children));
	memset(reaped, 0, sizeof(reaped));
	list_init(&parent.children);
	wait_queue_init(&parent.child_wait);
	for (unsigned i = 0; i < CHILDREN; i++) {
		children[i].pid = 10 + i;
		children[i].parent = &parent;
		children[i].exit_signal = SIGCHLD;
		list_push_back(&parent.children, &children[i].sibling_link);
	}
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		task_of(cpu)->process = &parent;
	explore_name(&process_tree_lock, sizeof(process_tree_lock), "tree lock");
	explore_name(&parent, sizeof(parent), "parent");
	explore_name(&children[0], sizeof(children[0]), "child 10");
	explore_name(&children[1], sizeof(children[1]), "child 11");
	explore_name(reaped, sizeof(reaped), "reaped");
}

/* As end_process() in exit.c: the zombie is posted and the parent told under one lock. */
static void child_ends(struct process *p)
{
	lock_acquire(&process_tree_lock);
	p->state = PROCESS_ZOMBIE;
	p->exit_status = 3 << 8;
	process_tell_parent_locked(p, CLD_EXITED, 3);
	lock_release(&process_tree_lock);
}

static void one_child(unsigned cpu)
{
	if (cpu == 0)
		EXPLORE_CHECK(sys_wait4(10, 0, 0, 0) == 10);
	else
		child_ends(&children[0]);
}

static void two_children(unsigned cpu)
{
	if (cpu > 0) {
		child_ends(&children[cpu - 1]);
		return;
	}
	EXPLORE_CHECK(sys_wait4(-1, 0, 0, 0) > 0);
	EXPLORE_CHECK(sys_wait4(-1, 0, 0, 0) > 0);
	EXPLORE_CHECK(sys_wait4(-1, 0, 0, 0) == -ECHILD);
}

static void two_threads_wait(unsigned cpu)
{
	long r;

	if (cpu == 2) {
		child_ends(&children[0]);
		return;
	}
	r = sys_wait4(10, 0, 0, 0);
	EXPLORE_CHECK(r == 10 || r == -ECHILD);
}

static void the_first_is_reaped_once(void)
{
	cpus_check();
	EXPLORE_CHECK(reaped[0] == 1 && list_empty(&parent.child_wait.waiters));
}

static void both_are_reaped_once(void)
{
	the_first_is_reaped_once();
	EXPLORE_CHECK(reaped[1] == 1);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_child_that_ends_is_not_missed", 2, 2, 1, setup, one_child,
		  the_first_is_reaped_once, NULL },
		{ "each_of_two_children_is_reaped_once", 3, 2, 0, setup, two_children,
		  both_are_reaped_once, NULL },
		{ "one_of_two_threads_gets_the_child", 3, 2, 0, setup, two_threads_wait,
		  the_first_is_reaped_once, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
