/* SPDX-License-Identifier: MIT */
/*
 * The watchdog of debug builds.  A timer looks every few seconds.  If no CPU has run a task between two
 * looks, and none runs one now, it prints every task: its state, the place where it is, and who woke it
 * last.  Everybody may be waiting for the user; that is told once, and is no error.  But a task that
 * could run, or that has been woken and sleeps, has been forgotten: no interrupt will ever end that, and
 * the domain stops (I5, I12).
 *
 * What it reads of other CPUs are hints.  They are exact when it matters: nobody runs, so nobody writes.
 * Who is just about to run has been on its way for as long as a look ago, or has changed a count.
 */
#include "core/watchdog.h"
#include "core/log.h"
#include "core/task.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "time/time.h"
#include "time/timespec.h"

#define LOOK_NS (3 * NS_PER_SECOND)

static const char *const states[TASK_STATES] = { "runnable", "running", "blocking", "blocked",
						 "zombie" };
static const char *const places[] = { "nowhere", "queued", "on a CPU", "in a mailbox", "waiting" };

static struct timer look_timer;
/* The CPU that looks. */
static uint64_t switches_seen;
static bool told;

static uint64_t switches_now(void)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		sum += *(const volatile uint64_t *)&vcore_of(cpu)->stats.switches;
	return sum;
}

static bool somebody_runs(void)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		if (*(struct task *const volatile *)&vcore_of(cpu)->current)
			return true;
	return false;
}

static bool is_forgotten(const struct task *t)
{
	enum task_state state = task_state(t);

	return task_place(t) == PLACE_QUEUED || task_place(t) == PLACE_MAILBOX ||
	       state == TASK_RUNNABLE || (state == TASK_BLOCKED && atomic_load(&t->wake_pending));
}

static void print_task(const struct task *t)
{
	log_print("libos:   task %u (%s): %s, %s, CPU %d, woken last by %u\n", t->self.id, t->name,
		  states[task_state(t)], places[task_place(t)], atomic_load(&t->home),
		  atomic_load(&t->waker));
}

/* -> the id of one that has been forgotten, 0: none has. */
static uint32_t print_tasks(void)
{
	uint32_t forgotten = 0;
	struct task *t;

	for (uint32_t id = 1; (t = task_next(id)); task_put(t)) {
		id = t->self.id + 1;
		print_task(t);
		if (is_forgotten(t))
			forgotten = t->self.id;
	}
	return forgotten;
}

static void report(void)
{
	uint32_t forgotten;

	log_print("libos: no task has run for %lu s\n", LOOK_NS / NS_PER_SECOND);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		log_print("libos:   CPU %u: %u queued, mailbox %s\n", cpu,
			  atomic_load(&vcore_of(cpu)->queue.count),
			  mailbox_has_mail(&vcore_of(cpu)->mailbox) ? "not empty" : "empty");
	forgotten = print_tasks();
	if (forgotten)
		libos_panic("progress has stopped: task %u could run, and no CPU runs it",
			    forgotten);
}

static void look(struct timer *timer)
{
	uint64_t switches = switches_now();
	bool stopped = switches == switches_seen && !somebody_runs();

	if (stopped && !told)
		report();
	told = stopped;
	switches_seen = switches;
	timer_arm(timer, time_now_ns() + LOOK_NS);
}

void watchdog_start(void)
{
	look_timer.fire = look;
	timer_arm(&look_timer, time_now_ns() + LOOK_NS);
}
