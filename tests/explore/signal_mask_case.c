/* SPDX-License-Identifier: MIT */
/* libos/proc/signal_send.c, libos/proc/signal_queue.c: a signal for a process is never left with nobody told
 * while some task of it accepts the signal, whatever masks change meanwhile
 *
 * CPU 0 and 1 run the two tasks of a process, which change their masks; another, or one of them, sends.
 */
#include <asm/signal.h>
#include <string.h>
#include "core/memory.h"
#include "core/wait.h"
#include "libos_lock.h"
#include "proc/signal_private.h"
#include "proc/user.h"
#include "time/process_timers.h"

#define TASKS 2
#define SIGNAL SIGUSR1
#define BIT SIGNAL_BIT(SIGNAL)

static struct process process;
static struct signal_actions actions;
static struct task tasks[TASKS];

struct process *init_process;
struct lock process_tree_lock = LOCK_INIT("process tree", RANK_PROCESS);

/* ---------------------------------------------------------------- what the code under test calls */

void task_notice_masked(struct task *t, uint32_t work_bits)
{
	atomic_fetch_or(&t->work, work_bits);
}

void wake_task_signal(struct task *t) {}
void wake_all(struct wait_queue *q, uint32_t key)
{
}
bool signal_ignored(const struct process *p, int number) { return false; }
enum signal_default signal_default_of(int number) { return DEFAULT_TERMINATE; }
void signal_discard_everywhere(struct process *p, uint64_t set) {}
void process_kill_locked(struct process *p, int number) {}
void process_continue_locked(struct process *p) {}
void *heap_alloc(size_t size) { return NULL; }
void heap_free(void *p) {}
bool user_has_room_for_signal_locked(const struct user *u)
{
	return true;
}
void user_add_signal_locked(struct user *u)
{
}
void user_remove_signal_locked(struct user *u)
{
}
void interval_timer_heard_locked(struct process_timers *timers)
{
}
uint64_t process_limit(const struct process *p, enum process_limit which) { return LIMIT_INFINITY; }

struct group_walk group_begin(uint32_t group)
{
	explore_fail("nobody sends to a group");
}

struct process *group_next(struct group_walk *w)
{
	explore_fail("nobody sends to a group");
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	static const char *const names[TASKS] = { "task 0", "task 1" };

	memset(&process, 0, sizeof(process));
	memset(&actions, 0, sizeof(actions));
	actions.action[SIGNAL - 1].handler = HANDLER_LAST_SPECIAL + 1;
	process_tree_lock.holder = 0;
	process.state = PROCESS_ALIVE;
	process.signal_actions = &actions;
	list_init(&process.tasks);
	list_init(&process.signal_queue);
	for (unsigned i = 0; i < TASKS; i++) {
		struct task *t = &tasks[i];

		memset(t, 0, sizeof(*t));
		t->process = &process;
		t->state = TASK_RUNNING;
		list_init(&t->signal_queue);
		list_push_back(&process.tasks, &t->thread_link);
		explore_name(t, sizeof(*t), names[i]);
	}
	process.leader = &tasks[0];
	explore_name(&process_tree_lock, sizeof(process_tree_lock), "tree lock");
	explore_name(&process, sizeof(process), "process");
}

static void setup_blocked(void)
{
	setup();
	tasks[0].signal_blocked = tasks[1].signal_blocked = BIT;
}

static void setup_second_blocked(void)
{
	setup();
	tasks[1].signal_blocked = BIT;
}

static void send(void)
{
	lock_acquire(&process_tree_lock);
	EXPLORE_CHECK(signal_send_process_locked(&process, SIGNAL, NULL) == 0);
	lock_release(&process_tree_lock);
}

static void block(unsigned task)
{
	signal_set_blocked(&tasks[task], BIT, false);
}

static void unblock(unsigned task)
{
	signal_set_blocked(&tasks[task], 0, false);
}

/* What rt_sigprocmask(2) does in core/quick.asm, up to its look at what is pending, and from there on. */
static void change_quickly(unsigned task, uint64_t mask)
{
	uint64_t before = atomic_load(&tasks[task].signal_blocked);

	while (!atomic_compare_exchange_strong(&tasks[task].signal_blocked, &before, mask))
		;
}

static void look_after_a_quick_change(unsigned task)
{
	struct task *t = &tasks[task];

	if ((atomic_load(&t->signal_pending) | atomic_load(&process.signal_pending)) != 0)
		signal_settle_blocked(t, t->signal_blocked, false);
}

static void set_quickly(unsigned task, uint64_t mask)
{
	change_quickly(task, mask);
	look_after_a_quick_change(task);
}

/* A handler is called before the look, which never comes. */
static void shut_quickly_and_leave(unsigned task)
{
	change_quickly(task, BIT);
	lock_acquire(&process_tree_lock);
	signal_pass_on_blocked(&tasks[task]);
	lock_release(&process_tree_lock);
}

static void somebody_is_told(void)
{
	bool accepted = false, told = false;

	EXPLORE_CHECK(process.signal_pending == BIT);
	for (unsigned i = 0; i < TASKS; i++) {
		if (tasks[i].signal_blocked & BIT)
			continue;
		accepted = true;
		told |= (tasks[i].work & WORK_SIGNAL) != 0;
	}
	EXPLORE_CHECK(told == accepted);
}

static void one_opens(unsigned cpu)
{
	if (cpu == 0)
		unblock(0);
	else
		send();
}

static void the_one_that_would_be_told_shuts(unsigned cpu)
{
	if (cpu == 0)
		block(0);
	else
		send();
}

static void both_shut(unsigned cpu)
{
	if (cpu < TASKS)
		block(cpu);
	else
		send();
}

static void one_shuts_and_one_opens(unsigned cpu)
{
	if (cpu == 0)
		block(0);
	else if (cpu == 1)
		unblock(1);
	else
		send();
}

/* What it has caused itself has a handler that shuts the other signal out meanwhile. */
static void setup_handler(void)
{
	setup();
	actions.action[SIGSEGV - 1] = (struct signal_action){
		.handler = HANDLER_LAST_SPECIAL + 1, .mask = BIT,
	};
}

static void take_at_once(void)
{
	struct signal_handling h;

	lock_acquire(&process_tree_lock);
	signal_take_at_once(&tasks[0], SIGSEGV, &h);
	lock_release(&process_tree_lock);
}

static void one_takes_and_one_shuts(unsigned cpu)
{
	if (cpu == 0)
		take_at_once();
	else if (cpu == 1)
		block(1);
	else
		send();
}

static void one_takes(unsigned cpu)
{
	if (cpu == 0)
		take_at_once();
	else
		send();
}

static void shuts_and_opens_again(unsigned cpu)
{
	if (cpu == 0) {
		block(0);
		unblock(0);
	} else {
		send();
	}
}

static void one_opens_quickly(unsigned cpu)
{
	if (cpu == 0)
		set_quickly(0, 0);
	else
		send();
}

static void one_shuts_quickly(unsigned cpu)
{
	if (cpu == 0)
		set_quickly(0, BIT);
	else
		send();
}

static void one_shuts_quickly_and_one_opens(unsigned cpu)
{
	if (cpu == 0)
		set_quickly(0, BIT);
	else if (cpu == 1)
		set_quickly(1, 0);
	else
		send();
}

static void one_shuts_quickly_and_leaves(unsigned cpu)
{
	if (cpu == 0)
		shut_quickly_and_leave(0);
	else
		send();
}

static void one_shuts_quickly_and_ends(unsigned cpu)
{
	if (cpu == 0) {
		change_quickly(0, BIT);
		lock_acquire(&process_tree_lock);
		signal_task_release_locked(&tasks[0]);
		lock_release(&process_tree_lock);
	} else {
		send();
	}
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "who_shuts_quickly_and_ends_passes_it_on", 2, 3, 2, setup, one_shuts_quickly_and_ends,
		  somebody_is_told, NULL },
		{ "who_opens_learns_of_it", 2, 3, 2, setup_blocked, one_opens, somebody_is_told, NULL },
		{ "who_shuts_passes_it_on", 2, 3, 2, setup, the_one_that_would_be_told_shuts,
		  somebody_is_told, NULL },
		{ "who_shuts_and_opens_learns_of_it", 2, 3, 2, setup_second_blocked, shuts_and_opens_again,
		  somebody_is_told, NULL },
		{ "both_shut", 3, 2, 1, setup, both_shut, somebody_is_told, NULL },
		{ "one_shuts_and_one_opens", 3, 2, 1, setup_second_blocked, one_shuts_and_one_opens,
		  somebody_is_told, NULL },
		{ "who_takes_at_once_misses_nothing", 2, 3, 2, setup_handler, one_takes,
		  somebody_is_told, NULL },
		{ "who_opens_quickly_learns_of_it", 2, 3, 2, setup_blocked, one_opens_quickly,
		  somebody_is_told, NULL },
		{ "who_shuts_quickly_passes_it_on", 2, 3, 2, setup, one_shuts_quickly,
		  somebody_is_told, NULL },
		{ "one_shuts_quickly_and_one_opens", 3, 2, 1, setup_second_blocked,
		  one_shuts_quickly_and_one_opens, somebody_is_told, NULL },
		{ "who_shuts_quickly_and_leaves_passes_it_on", 2, 3, 2, setup, one_shuts_quickly_and_leaves,
		  somebody_is_told, NULL },
		{ "one_takes_at_once_and_one_shuts", 3, 2, 1, setup_handler, one_takes_and_one_shuts,
		  somebody_is_told, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
