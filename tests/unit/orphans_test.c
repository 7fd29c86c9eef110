/* SPDX-License-Identifier: MIT */
/*
 * libos/proc/exit.c, included: whose parent ends gets another one, and a process group that nobody is left to
 * continue is told so once; with no more steps than there are processes, since upcalls are masked.
 */
#include <string.h>
#include "check.h"
#include "../../libos/proc/exit.c"

#define CHILDREN 300

struct lock process_tree_lock;
static struct process init, gone, child[CHILDREN];
struct process *init_process = &init;

static unsigned steps;              /* along groups */
static unsigned hangups, continues; /* sent to groups */
static uint32_t told_group;         /* which was sent one last */
static bool discarded;              /* init does not want to know of the dead */

/* ---------------------------------------------------------------- what exit.c calls */

/* In the order in which they have entered: all children are in one array. */
static struct process *in_group(uint32_t group, unsigned from)
{
	for (; from < CHILDREN; from++)
		if (child[from].process_group == group && child[from].state != PROCESS_REAPED)
			return &child[from];
	return NULL;
}

static struct named *named_of(struct process *p)
{
	return p ? &p->group_named : NULL;
}

struct group_walk group_begin(uint32_t group)
{
	return (struct group_walk){ named_of(in_group(group, 0)), NULL };
}

struct process *group_next(struct group_walk *w)
{
	struct process *p = container_of(w->next, struct process, group_named);

	steps++;
	w->next = named_of(in_group(p->process_group, (unsigned)(p - child) + 1));
	return p;
}

int signal_send_group_locked(uint32_t group, int number, const struct signal_info *info)
{
	hangups += number == SIGHUP;
	continues += number == SIGCONT;
	told_group = group;
	return 0;
}

void process_unlink_locked(struct process *p)
{
	p->state = PROCESS_REAPED;
	list_remove(&p->sibling_link);
}

bool signal_children_discarded_locked(struct process *parent)
{
	return discarded;
}

int exit_code_of(int wait_status, int *status)
{
	return *status = 0;
}

void process_tell_parent_locked(struct process *p, int code, int status)
{
	CHECK(p->parent == &init);
}

void process_stop_excludes_locked(struct process *p, const struct task *t)
{
}

int signal_send_process_locked(struct process *p, int number, const struct signal_info *info)
{
	return 0;
}

void lock_take_checked(struct lock *l)
{
}

void lock_drop_checked(struct lock *l)
{
}

void wake_all(struct wait_queue *q, uint32_t key)
{
}

void wake_task_signal(struct task *t)
{
}

void task_notice_masked(struct task *t, uint32_t work_bits)
{
}

void task_charge(void)
{
}

_Noreturn void task_exit(void)
{
	__builtin_trap();
}

void log_print(const char *fmt, ...)
{
}

_Noreturn void libos_panic(const char *fmt, ...)
{
	__builtin_trap();
}

int64_t machine_power_off(void)
{
	return 0;
}

void usage_of_task(struct usage *sum, const struct task *t)
{
}

void signal_task_release_locked(struct task *t)
{
}

void signal_release_locked(struct process *p)
{
}

void thread_release_futexes(struct task *t)
{
}

void user_give_place_locked(struct process *p)
{
}

void mutex_lock(struct mutex *m)
{
}

void mutex_unlock(struct mutex *m)
{
}

void file_table_put(struct file_table *t)
{
}

void fs_context_put(struct fs_context *c, struct process *p)
{
}

void tty_session_leader_exit(struct process *p)
{
}

void time_process_release(struct process *p)
{
}

void vm_tell_origin(const struct vm *copy, struct vm *origin)
{
}

uint64_t vm_resident_peak(struct vm *v)
{
	return 0;
}

uint64_t vm_fault_count(struct vm *v)
{
	return 0;
}

void vm_put(struct vm *v)
{
}

void process_bury(struct process *p)
{
}

void process_put(struct process *p)
{
}

/* ---------------------------------------------------------------- the cases */

static void make(struct process *p, uint32_t pid, struct process *parent, uint32_t group)
{
	memset(p, 0, sizeof(*p));
	p->pid = pid;
	p->parent = parent;
	p->process_group = group;
	p->session = 1;
	list_init(&p->children);
	list_init(&p->sibling_link);
	list_init(&p->tasks);
	if (parent)
		list_push_back(&parent->children, &p->sibling_link);
}

/* All in one session; init's group is 1, that of the one that ends is 2. */
static void start(uint32_t (*group_of)(unsigned i))
{
	make(&init, 1, NULL, 1);
	make(&gone, 2, &init, 2);
	for (unsigned i = 0; i < CHILDREN; i++)
		make(&child[i], 100 + i, &gone, group_of(i));
	steps = hangups = continues = 0;
	discarded = false;
}

static uint32_t all_in_one(unsigned i)
{
	return 100;
}

static uint32_t half_in_each(unsigned i)
{
	return 100 + i % 2;
}

static uint32_t each_in_its_own(unsigned i)
{
	return 100 + i;
}

static void end(void)
{
	struct list dead = LIST_INIT(dead);

	post_zombie(&gone, &dead);
}

static void all_have_another_parent(void)
{
	unsigned wrong = 0;

	start(all_in_one);
	end();
	for (unsigned i = 0; i < CHILDREN; i++)
		wrong += child[i].parent != &init || list_empty(&child[i].sibling_link);
	CHECK_EQ(wrong, 0);
	CHECK(list_empty(&gone.children));
	CHECK_EQ(hangups + continues, 0); /* nobody is stopped */
}

/* For the group whether it is orphaned, and whether somebody is stopped, and what goes with that. */
static void a_group_is_walked_along_a_few_times(void)
{
	start(all_in_one);
	end();
	CHECK(steps > 0 && steps <= 4 * CHILDREN);
	start(half_in_each);
	end();
	CHECK(steps > 0 && steps <= 4 * CHILDREN);
	start(each_in_its_own);
	end();
	CHECK(steps > 0 && steps <= 4 * CHILDREN);
}

static void a_group_with_one_that_is_stopped_is_told_once(void)
{
	start(half_in_each);
	child[CHILDREN - 1].stopped = true;
	end();
	CHECK_EQ(hangups, 1);
	CHECK_EQ(continues, 1);
	CHECK_EQ(told_group, half_in_each(CHILDREN - 1));
}

static void who_has_another_to_continue_it_is_not_told(void)
{
	start(all_in_one);
	for (unsigned i = 0; i < CHILDREN; i++)
		child[i].stopped = true;
	/* Its parent stays, in another group of the session. */
	list_remove(&child[CHILDREN - 1].sibling_link);
	make(&child[CHILDREN - 1], 99, &child[0], 100);
	child[0].process_group = 5;
	child[0].stopped = false;
	end();
	CHECK_EQ(hangups + continues, 0);
}

static void the_dead_are_no_members_and_may_go_at_once(void)
{
	start(all_in_one);
	for (unsigned i = 0; i < CHILDREN; i += 2)
		child[i].state = PROCESS_ZOMBIE;
	child[CHILDREN - 1].stopped = true;
	discarded = true;
	end();
	CHECK_EQ(hangups, 1);
	CHECK_EQ(child[0].state, PROCESS_REAPED);
	CHECK(child[1].parent == &init);
}

int main(void)
{
	RUN(all_have_another_parent);
	RUN(a_group_is_walked_along_a_few_times);
	RUN(a_group_with_one_that_is_stopped_is_told_once);
	RUN(who_has_another_to_continue_it_is_not_told);
	RUN(the_dead_are_no_members_and_may_go_at_once);
	return check_result();
}
