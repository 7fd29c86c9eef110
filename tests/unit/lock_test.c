/* SPDX-License-Identifier: MIT */
/* libos/core/mailbox.c, libos/core/task_state.c; lock.c and wake.c of libos/core/ included: what a debug
 * build says of locks in the wrong order, and that no wake is delivered under one (I11).
 *
 * The test is CPU 0. */
#include <string.h>
#include "check.h"
#include "panic.h"

#define LIBOS_CPU_SELECTOR_H
#include <exo/abi.h>
static inline uint64_t cpu_selector(void)
{
	return EXO_CPU_SELECTOR;
}

#include "core/event.h"
#include "core/lock.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "core/wake.h"
#include "sched/donation.h"
#include "sched/place.h"
#include "trace/trace.h"
#include "../../libos/core/lock.c"
#include "../../libos/core/wake.c"

struct vcore_area vcore_areas[EXO_CPUS_MAX];
static struct exo_vcore_page page;
static struct task sleeper;
static struct wait_queue queue;
static struct waiter waiter;
static unsigned queued; /* tasks in the run queue */

static struct lock process, pipe_lock, other_pipe, heap;

/* ---------------------------------------------------------------- what they stand on */

void upcalls_mask(void)
{
	page.masked = 1;
	vcore_of(0)->mask_depth++;
}

void upcalls_unmask(void)
{
	struct vcore *v = vcore_of(0);

	if (v->mask_depth == 1 && v->deferred)
		wakes_deliver(v);
	page.masked = --v->mask_depth != 0;
}

bool upcalls_masked(void)
{
	return page.masked;
}

void lock_take_masked(struct lock *l)
{
	l->holder = 1;
}

void lock_take(struct lock *l)
{
	upcalls_mask();
	lock_take_masked(l);
}

void lock_drop(struct lock *l)
{
	l->holder = 0;
	upcalls_unmask();
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	queued++;
}

unsigned place_choose(struct vcore *v, struct task *t, enum sched_why why) { return 0; }
bool sched_allowed(const struct task *t, int cpu) { return true; }
void place_offer(struct vcore *v, const struct task *t) {}
void donation_deliver(struct vcore *v, struct task *t) {}
void donation_signalled(struct vcore *v, struct task *t) {}
void timers_program(struct vcore *v) {}
void vcore_ring_if(unsigned cpu, bool first) {}
void trace_record(struct vcore *v, enum trace_kind kind, uint32_t task, unsigned detail,
		  unsigned number, uint64_t value) {}
void trace_record_name(struct vcore *v, const struct task *t) {}

static void start(void)
{
	memset(vcore_areas, 0, sizeof(vcore_areas));
	memset(&page, 0, sizeof(page));
	memset(&sleeper, 0, sizeof(sleeper));
	vcore_of(0)->page = &page;
	vcore_of(0)->holder = 1;
	sleeper.state = TASK_BLOCKED;
	sleeper.where = PLACE_WAITING;
	wait_queue_init(&queue);
	waiter = (struct waiter){ .task = &sleeper, .key = WAKE_ANY };
	list_push_back(&queue.waiters, &waiter.link);
	queued = 0;
	lock_init(&process, "process tree", RANK_PROCESS);
	lock_init(&pipe_lock, "pipe", RANK_PIPE);
	lock_init(&other_pipe, "other pipe", RANK_PIPE);
	lock_init(&heap, "heap", RANK_HEAP);
}

/* ---------------------------------------------------------------- the cases */

static void locks_are_taken_in_rising_rank(void)
{
	start();
	lock_acquire(&process);
	lock_acquire(&pipe_lock);
	lock_acquire(&heap);
	CHECK_EQ(vcore_of(0)->held_count, 3);
	CHECK(vcore_of(0)->held[0] == &process && vcore_of(0)->held[2] == &heap);
	lock_release(&pipe_lock);
	CHECK_EQ(vcore_of(0)->held_count, 2);
	CHECK(vcore_of(0)->held[1] == &heap);
	lock_release(&heap);
	lock_release(&process);
	CHECK_EQ(vcore_of(0)->held_count, 0);
	CHECK(!upcalls_masked());
}

static void an_inversion_is_named(void)
{
	start();
	CHECK_PANICS("lock order: process tree (rank 10) is wanted while pipe (rank 45)", {
		lock_acquire(&pipe_lock);
		lock_acquire(&process);
	});
}

static void two_locks_of_one_rank_are_an_inversion(void)
{
	start();
	CHECK_PANICS("other pipe (rank 45) is wanted while pipe (rank 45)", {
		lock_acquire(&pipe_lock);
		lock_acquire(&other_pipe);
	});
}

static void who_does_not_hold_a_lock_cannot_release_it(void)
{
	start();
	CHECK_PANICS("lock_held(l)", lock_release(&process));
}

static void nothing_is_woken_under_a_leaf_lock(void)
{
	start();
	CHECK_PANICS("no_leaf_lock_held(v)", {
		lock_acquire(&heap);
		wake_all(&queue, WAKE_ANY);
	});
}

static void a_wake_is_delivered_after_the_last_lock(void)
{
	start();
	lock_acquire(&process);
	lock_acquire(&pipe_lock);
	wake_all(&queue, WAKE_ANY);
	CHECK(task_place(&sleeper) == PLACE_MAILBOX);
	lock_release(&pipe_lock);
	CHECK_EQ(queued, 0);
	lock_release(&process);
	CHECK_EQ(queued, 1);
	CHECK(task_state(&sleeper) == TASK_RUNNABLE && task_place(&sleeper) == PLACE_QUEUED);
}

static void a_mask_is_passed_on_between_locks(void)
{
	start();
	lock_acquire(&process);
	lock_release_masked(&process);
	CHECK(upcalls_masked());
	CHECK_EQ(process.holder, 0);
	CHECK_EQ(vcore_of(0)->held_count, 0);
	lock_acquire_masked(&pipe_lock);
	CHECK_EQ(vcore_of(0)->mask_depth, 1);
	CHECK(vcore_of(0)->held_count == 1 && vcore_of(0)->held[0] == &pipe_lock);
	lock_release(&pipe_lock);
	CHECK(!upcalls_masked());
}

static void who_has_a_lock_takes_the_next_by_its_rank(void)
{
	start();
	CHECK_PANICS("held_count == 0", {
		lock_acquire(&process);
		lock_acquire_masked(&pipe_lock);
	});
}

static void who_only_tries_takes_what_is_free(void)
{
	start();
	process.first = 2; /* another has waited for long */
	CHECK(lock_try(&process));
	CHECK_EQ(process.word, 1);
	lock_release(&process);
	process.holder = 2;
	CHECK(!lock_try(&process) && !upcalls_masked());
	CHECK_EQ(process.word, 2);
}

int main(void)
{
	RUN(locks_are_taken_in_rising_rank);
	RUN(an_inversion_is_named);
	RUN(two_locks_of_one_rank_are_an_inversion);
	RUN(who_does_not_hold_a_lock_cannot_release_it);
	RUN(nothing_is_woken_under_a_leaf_lock);
	RUN(a_wake_is_delivered_after_the_last_lock);
	RUN(a_mask_is_passed_on_between_locks);
	RUN(who_has_a_lock_takes_the_next_by_its_rank);
	RUN(who_only_tries_takes_what_is_free);
	return check_result();
}
