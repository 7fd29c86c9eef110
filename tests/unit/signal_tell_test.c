/* SPDX-License-Identifier: MIT */
/*
 * libos/proc/signal_send.c, included: who ends, or shuts signals out, passes on all that are pending for his
 * process in one walk along its tasks, since upcalls are masked.
 */
#include <string.h>
#include "check.h"
#include "core/list.h"
#include "proc/signal_private.h"

static unsigned steps; /* along tasks */

#undef list_entry
#define list_entry(ptr, type, member) (steps++, container_of(ptr, type, member))
#include "../../libos/proc/signal_send.c"

#define TASKS 200

struct lock process_tree_lock;
struct process *init_process;
static struct process process;
static struct signal_actions actions;
static struct task task[TASKS];
static bool queued_already;

/* ---------------------------------------------------------------- what signal_send.c calls */

void task_notice_masked(struct task *t, uint32_t work_bits)
{
	atomic_fetch_or(&t->work, work_bits);
}

void wake_task_signal(struct task *t)
{
}

void lock_take_checked(struct lock *l)
{
}

void lock_drop_checked(struct lock *l)
{
}

_Noreturn void libos_panic(const char *fmt, ...)
{
	__builtin_trap();
}

bool signal_ignored(const struct process *p, int number)
{
	return false;
}

enum signal_default signal_default_of(int number)
{
	return number == SIGCHLD ? DEFAULT_IGNORE : DEFAULT_TERMINATE;
}

void signal_discard_everywhere(struct process *p, uint64_t set)
{
}

void signal_queue_discard(_Atomic uint64_t *pending, struct list *queue, uint64_t set)
{
	*pending &= ~set;
}

void process_kill_locked(struct process *p, int wait_status)
{
	p->group_exit = true;
}

void process_continue_locked(struct process *p)
{
}

struct group_walk group_begin(uint32_t group)
{
	return (struct group_walk){ 0 };
}

struct process *group_next(struct group_walk *w)
{
	return NULL;
}

int signal_queue_add(struct process *p, struct task *t, int number, const struct signal_info *info,
		     struct signal_entry *entry)
{
	return queued_already ? SIGNAL_PENDING_ALREADY : 0;
}

/* ---------------------------------------------------------------- the cases */

/* All is pending for the process, and nobody has been told. */
static void start(uint64_t blocked)
{
	memset(&process, 0, sizeof(process));
	memset(task, 0, sizeof(task));
	process.state = PROCESS_ALIVE;
	process.signal_pending = ~0ul;
	process.leader = &task[0];
	list_init(&process.tasks);
	for (unsigned i = 0; i < TASKS; i++) {
		task[i].process = &process;
		task[i].state = TASK_RUNNING;
		task[i].signal_blocked = blocked;
		list_init(&task[i].signal_queue);
		list_push_back(&process.tasks, &task[i].thread_link);
	}
	process.signal_actions = &actions;
	queued_already = false;
	steps = 0;
}

static bool is_told(unsigned i)
{
	return task[i].work & WORK_SIGNAL;
}

static unsigned number_told(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TASKS; i++)
		n += is_told(i);
	return n;
}

static void what_nobody_accepts_costs_one_walk(void)
{
	start(~0ul);
	signal_task_release_locked(&task[5]);
	CHECK_EQ(number_told(), 0);
	CHECK(steps > 0 && steps <= TASKS + 1);
	start(~0ul);
	signal_pass_on(&task[0], ~0ul);
	CHECK_EQ(number_told(), 0);
	CHECK(steps > 0 && steps <= TASKS + 1);
}

/* As from many children that are continued together. */
static void what_is_pending_already_costs_no_walk(void)
{
	start(~0ul);
	CHECK_EQ(signal_send_process_locked(&process, SIGCHLD, NULL), 0);
	CHECK(steps > 0 && steps <= TASKS + 1);
	steps = 0;
	queued_already = true;
	CHECK_EQ(signal_send_process_locked(&process, SIGCHLD, NULL), 0);
	CHECK_EQ(steps, 0);
}

static void each_signal_has_somebody_who_is_told(void)
{
	start(~0ul);
	task[7].signal_blocked = ~(SIGNAL_BIT(10) | SIGNAL_BIT(12));
	task[9].signal_blocked = ~SIGNAL_BIT(12);
	task[11].signal_blocked = ~SIGNAL_BIT(64);
	task[13].signal_blocked = 0;
	signal_pass_on(&task[13], SIGNAL_BIT(10) | SIGNAL_BIT(12) | SIGNAL_BIT(64) | SIGNAL_BIT(1));
	CHECK(is_told(7) && is_told(11));
	CHECK_EQ(number_told(),
		 2); /* neither who passes them on, nor who accepts what another was told of */
}

static void the_main_task_comes_first(void)
{
	start(0);
	process.leader = &task[3];
	signal_pass_on(&task[0], SIGNAL_BIT(10) | SIGNAL_BIT(12));
	CHECK(is_told(3));
	CHECK_EQ(number_told(), 1);
	start(0);
	signal_pass_on(&task[0], SIGNAL_BIT(10));
	CHECK(is_told(1));
	CHECK_EQ(number_told(), 1);
}

static void who_has_ended_is_not_told(void)
{
	start(~0ul);
	task[0].signal_blocked = task[2].signal_blocked = 0;
	task[0].state = TASK_ZOMBIE;
	signal_pass_on(&task[1], SIGNAL_BIT(10));
	CHECK(is_told(2));
	CHECK_EQ(number_told(), 1);
}

int main(void)
{
	RUN(what_nobody_accepts_costs_one_walk);
	RUN(what_is_pending_already_costs_no_walk);
	RUN(each_signal_has_somebody_who_is_told);
	RUN(the_main_task_comes_first);
	RUN(who_has_ended_is_not_told);
	return check_result();
}
