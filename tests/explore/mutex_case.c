/* SPDX-License-Identifier: MIT */
/* libos/core/mutex.c, libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c: a
 * mutex has one owner at a time, nobody sleeps on while it is free, and nobody is passed by for ever
 */
#include "core/mutex.h"
#include "libos_cpus.h"

#define ROUNDS 4

static struct mutex mutex;
static unsigned count; /* under mutex */
static _Atomic unsigned looked_in_vain;
static _Atomic bool has_had_it; /* CPU 1 */

/* A second task of CPU 0, which has the mutex and is preempted when the case begins: that CPU's own task
 * lends it the slice.  It has a stack, and no thread. */
static char preempted_slot[TASK_SLOT_SIZE] __attribute__((aligned(TASK_SLOT_SIZE)));
static void *preempted_stack, *lender_stack; /* while they do not run */
static bool is_preempted;                    /* it has the mutex, and no CPU; CPU 0 */

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	l->holder = 0;
}

/* ---------------------------------------------------------------- lending */

static struct task *preempted(void)
{
	return (struct task *)(preempted_slot + TASK_OFFSET);
}

bool donation_may_lend(const struct vcore *v, const struct task *to)
{
	return to == preempted() && v->cpu == 0 && is_preempted;
}

/* As give_here() in sched/gift.c, and what the switches do. */
bool donation_lend(struct vcore *v, struct task *to)
{
	struct task *lender = v->current;

	EXPLORE_CHECK(to == preempted() && v->mask_depth == 1 && !v->need_resched);
	to->lent = true;
	v->current = to;
	v->mask_depth = 0;
	explore_stack(0, preempted_slot, TASK_OFFSET);
	context_switch(&lender_stack, preempted_stack);
	explore_stack(0, slots[0], TASK_OFFSET);
	v->mask_depth = 1;
	v->current = lender;
	to->lent = false;
	return true;
}

/* Its slice is over the first time; the second time it stops by itself. */
static void run_on_a_lent_slice(void)
{
	context_switch(&preempted_stack, lender_stack);
	count++;
	is_preempted = false;
	mutex_unlock(&mutex);
	EXPLORE_CHECK(this_vcore()->need_resched && this_vcore()->mask_depth == 0);
	context_switch(&preempted_stack, lender_stack);
	explore_fail("a task that has stopped goes on");
}

static void setup_preempted(void)
{
	uint64_t *top = (uint64_t *)(preempted_slot + TASK_OFFSET);

	memset(preempted(), 0, sizeof(*preempted()));
	*--top = 0; /* as if somebody had called it */
	*--top = (uint64_t)run_on_a_lent_slice;
	for (unsigned i = 0; i < 6; i++)
		*--top = 0;
	preempted_stack = top;
	is_preempted = true;
	atomic_store(&mutex.owner, (uintptr_t)preempted());
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	cpus_setup();
	mutex_init(&mutex, "case", MUTEX_VM);
	count = looked_in_vain = 0;
	has_had_it = is_preempted = false;
	explore_name(&mutex.owner, sizeof(mutex.owner), "owner");
	explore_name(&mutex.lock, sizeof(mutex.lock), "lock");
	explore_name(&mutex.queue, sizeof(mutex.queue), "queue");
	explore_name(&mutex.next, sizeof(mutex.next), "next");
	explore_name(&has_had_it, sizeof(has_had_it), "has had it");
	explore_name(&count, sizeof(count), "count");
}

static void setup_to_lend(void)
{
	setup();
	setup_preempted();
}

static void once(unsigned cpu)
{
	mutex_lock(&mutex);
	count++;
	mutex_unlock(&mutex);
}

static void twice(unsigned cpu)
{
	once(cpu);
	once(cpu);
}

/* One owner leaves two who wait, or meets them on their way. */
static void twice_for_the_first(unsigned cpu)
{
	once(cpu);
	if (cpu == 0)
		once(cpu);
}

/* A sender of signals that is late wakes whoever sleeps now. */
static void with_a_stray_wake(unsigned cpu)
{
	if (cpu < 2) {
		once(cpu);
	} else {
		upcalls_mask();
		wake_later(task_of(0), DONATION_NONE);
		upcalls_unmask();
	}
}

/* One looks without waiting: masked, and gives it back masked, or goes on unmasked. */
static void with_a_look(unsigned cpu)
{
	if (cpu > 0) {
		once(cpu);
		return;
	}
	upcalls_mask();
	if (mutex_try_masked(&mutex)) {
		count++;
		mutex_unlock_masked(&mutex);
	} else {
		atomic_fetch_add(&looked_in_vain, 1);
	}
	upcalls_unmask();
}

static void with_a_look_that_goes_on(unsigned cpu)
{
	bool taken;

	if (cpu > 0) {
		once(cpu);
		return;
	}
	upcalls_mask();
	taken = mutex_try_masked(&mutex);
	upcalls_unmask();
	if (!taken) {
		atomic_fetch_add(&looked_in_vain, 1);
		return;
	}
	count++;
	mutex_unlock(&mutex);
}

/* For what wants to be next, or sleeps for another reason, or has had it. */
static bool is_waited_for(void *unused)
{
	return mutex.next || !list_empty(&mutex.queue.waiters) || has_had_it;
}

/* CPU 0 takes it again and again, each time until somebody waits for it, and at once after it woke him. */
static void again_and_again(unsigned cpu)
{
	for (unsigned i = 0; i < ROUNDS && cpu == 0; i++) {
		mutex_lock(&mutex);
		count++;
		explore_wait(is_waited_for, NULL, "has it until somebody waits");
		mutex_unlock(&mutex);
	}
	if (cpu > 0)
		once(cpu);
	if (cpu == 1)
		atomic_store(&has_had_it, true);
}

static void free_in_the_end(unsigned times)
{
	cpus_check();
	EXPLORE_CHECK(count + looked_in_vain == times);
	EXPLORE_CHECK(!mutex.owner && !mutex.lock.holder && list_empty(&mutex.queue.waiters));
}

static void two_times(void)
{
	free_in_the_end(2);
}

static void three_times(void)
{
	free_in_the_end(3);
}

static void four_times(void)
{
	free_in_the_end(4);
}

/* Twice in vain, and then it is the next. */
static void passed_by_twice(void)
{
	free_in_the_end(ROUNDS + 1);
	EXPLORE_CHECK(task_of(1)->voluntary_switches <= 3);
}

static void passed_by_or_another(void)
{
	free_in_the_end(ROUNDS + 2);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_mutex_has_one_owner", 2, 2, 2, setup, once, two_times, NULL },
		{ "a_mutex_is_taken_again", 2, 2, 1, setup, twice, four_times, NULL },
		{ "all_who_wait_get_the_mutex", 3, 2, 0, setup, once, three_times, NULL },
		{ "a_stray_wake_takes_no_mutex", 3, 2, 0, setup, with_a_stray_wake, two_times, NULL },
		{ "a_mutex_that_was_snatched_wakes_all", 3, 2, 0, setup, twice_for_the_first, four_times,
		  NULL },
		{ "who_looks_masked_has_it_alone", 2, 2, 2, setup, with_a_look, two_times, NULL },
		{ "who_looks_masked_wakes_all", 3, 2, 0, setup, with_a_look, three_times, NULL },
		{ "who_looks_masked_goes_on", 2, 2, 2, setup, with_a_look_that_goes_on, two_times, NULL },
		{ "who_is_woken_in_vain_is_next", 2, 2, 0, setup, again_and_again, passed_by_twice, NULL },
		{ "who_is_next_forgets_nobody", 3, 1, 0, setup, again_and_again, passed_by_or_another, NULL },
		{ "an_owner_runs_on_a_lent_slice", 2, 1, 1, setup_to_lend, once, three_times, NULL },
		{ "a_lender_keeps_nobody_asleep", 3, 1, 0, setup_to_lend, once, four_times, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
