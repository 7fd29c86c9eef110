/* SPDX-License-Identifier: MIT */
/* libos/core/mailbox.c, libos/core/task_state.c, and included below: nothing is lost with a CPU that is given
 * up (libos/sched/offline.c has the argument)
 *
 * CPU 1 leaves.  CPU 0 sends something meanwhile: a task that it wakes, or that waits while none waits at
 * CPU 1; a call; what a thief has asked for.  Or CPU 2 leaves at the same time, or comes and wakes a task
 * that was CPU 1's, or CPU 1 is the last, and waits for CPU 0 to come.  The run queues hold what they are
 * given, in order; all else is as it ships.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "explore.h"

static int64_t halt_until_rung(uint64_t token, uint64_t deadline_tsc);
static _Noreturn void vcore_ends(void);
static void wait_for_turn(void);
#define exo_halt(token, deadline) halt_until_rung(token, deadline)
#define exo_revoke(handle, ns) vcore_ends()
#define exo_handle_drop(handle) ((void)0)
#define __builtin_ia32_pause() wait_for_turn()
#include "../../libos/sched/offline.c"
#undef exo_halt
#undef exo_revoke
#undef exo_handle_drop
#undef __builtin_ia32_pause
#define bit place_bit
#include "../../libos/sched/place.c"
#undef bit
#include "../../libos/core/wake.c"
#include "../../libos/sched/balance.c"
#include "../../libos/sched/messages.c"
#include "libos_awake.h"
#include "libos_halts.h"
#include "libos_queues.h"

static struct task runner, second, third; /* the first is CPU 0's, and runs for ever */
static struct mailbox_call call;
static jmp_buf end_of_thread[CPUS];
static _Atomic unsigned gone;
static unsigned leavers; /* how many there are; fixed after setup */
static _Atomic unsigned calls;

/* ---------------------------------------------------------------- what they call */

static int64_t halt_until_rung(uint64_t token, uint64_t deadline_tsc)
{
	explore_wait(is_rung, (void *)(uintptr_t)explore_self(), "halts");
	return 0;
}

static _Noreturn void vcore_ends(void)
{
	atomic_fetch_add(&gone, 1);
	longjmp(end_of_thread[explore_self()], 1);
}

static bool may_go_on(void *self)
{
	return !leaver || is_rung(self);
}

static void wait_for_turn(void)
{
	explore_wait(may_go_on, (void *)(uintptr_t)explore_self(), "waits for its turn to leave");
}

void vcore_ring(unsigned cpu)
{
	vcore_ring_if(cpu, true);
}

void events_take(struct vcore *v)
{
	ring_take(v);
	messages_drain(v);
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	queue_add(v, t);
}

/* The library is told when there is nothing of its own there any more. */
void heap_give_back(void) {}

void trace_cpu_start(struct vcore *v) {}

void sched_cpu_stop(struct vcore *v)
{
	EXPLORE_CHECK(list_empty(&v->queue.ready));
}

bool domains_leave(unsigned cpu, uint64_t by_ns)
{
	return false;
}

void domains_stay(unsigned cpu)
{
}

uint64_t time_now_ns(void)
{
	return 0;
}

void idle_ends(struct vcore *v)
{
}

void donation_release(struct vcore *v, enum donation_outcome why)
{
}

struct sched_run donation_heir(struct vcore *v)
{
	return (struct sched_run){ 0 };
}

void log_print(const char *format, ...)
{
}

/* ---------------------------------------------------------------- the cases */

static void setup_cpus(unsigned cpus)
{
	queues_setup(cpus);
	memset(&runner, 0, sizeof(runner));
	memset(&second, 0, sizeof(second));
	memset(&third, 0, sizeof(third));
	memset(&call, 0, sizeof(call));
	memset(questions, 0, sizeof(questions));
	memset(&reminder, 0, sizeof(reminder));
	away_cpus = 0;
	leaver = unanswered = put_off = 0;
	gone = 0;
	leavers = 1;
	calls = 0;
	runner.affinity = second.affinity = third.affinity = ~0ul;
	second.home = 1;
	list_init(&second.ready_link);
	list_init(&third.ready_link);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		vcore_of(cpu)->mask_depth = 1;
		vcore_of(cpu)->handle = 1;
		explore_name(&vcore_of(cpu)->handle, sizeof(vcore_of(cpu)->handle), "handle");
	}
	vcore_of(0)->current = &runner;
	explore_name(&online_cpus, sizeof(online_cpus), "online_cpus");
	explore_name(&away_cpus, sizeof(away_cpus), "away_cpus");
	explore_name(&leaver, sizeof(leaver), "leaver");
	explore_name(&unanswered, sizeof(unanswered), "unanswered");
	explore_name(&put_off, sizeof(put_off), "put_off");
	explore_name(&reminder, sizeof(reminder), "reminder");
	explore_name(questions, sizeof(questions), "questions");
	explore_name(&gone, sizeof(gone), "gone");
	explore_name(&calls, sizeof(calls), "calls");
	explore_name(&call, sizeof(call), "call");
	explore_name(&second, sizeof(second), "task");
	explore_name(&third, sizeof(third), "third");
}

static void setup(void)
{
	setup_cpus(2);
}

static void setup_asleep(void)
{
	setup();
	second.state = TASK_BLOCKED;
	second.where = PLACE_WAITING;
}

static void setup_queued_there(void)
{
	setup();
	queue_setup_task(1, &second);
}

static void setup_queued_here(void)
{
	setup();
	queue_setup_task(0, &second);
}

static void setup_two_queued_there(void)
{
	setup_queued_there();
	queue_setup_task(1, &third);
	vcore_of(1)->queue.count = 2;
	vcore_of(0)->current = NULL;
}

static void setup_uneven(void)
{
	setup_queued_here();
	second.ready_tsc = 1;                    /* it has run */
	vcore_of(0)->queue.uneven_since_tsc = 1; /* for longer than a period */
}

static void setup_two_leave(void)
{
	setup_cpus(3);
	leavers = 2;
	queue_setup_task(1, &second);
}

/* CPU 2 is not there yet; the task has slept on CPU 1. */
static void setup_one_comes(void)
{
	setup_cpus(3);
	second.state = TASK_BLOCKED;
	second.where = PLACE_WAITING;
	online_cpus = 3;
	away_cpus = 4;
	vcore_of(2)->handle = 0;
}

/* CPU 0 is granted, and not there yet. */
static void setup_last(void)
{
	setup();
	vcore_of(0)->current = NULL;
	online_cpus = 2;
	away_cpus = 1;
}

/* As the CPU schedules: if it is put off, until it is reminded. */
static void leave_cpu(void)
{
	unsigned self = explore_self();

	if (setjmp(end_of_thread[self]) != 0)
		return;
	for (vcore_of(self)->leaving = true;; events_take(vcore_of(self))) {
		if (vcore_of(self)->leaving)
			cpu_leave(vcore_of(self));
		explore_wait(is_rung, (void *)(uintptr_t)self, "is put off");
	}
}

static bool is_rung_or_alone(void *self)
{
	return pages[(uintptr_t)self].pending || gone == leavers;
}

/* One that stays takes events, between what else it does, until the others are gone; and what has come by
 * then. */
static void go_on(void)
{
	unsigned self = explore_self();

	while (atomic_load(&gone) != leavers) {
		explore_wait(is_rung_or_alone, (void *)(uintptr_t)self, "runs on, and takes events");
		events_take(vcore_of(self));
	}
	events_take(vcore_of(self));
}

static void wake_while_it_leaves(unsigned cpu)
{
	if (cpu == 1) {
		leave_cpu();
		return;
	}
	events_take(vcore_of(0));
	wake_later(&second, DONATION_NONE);
	wakes_deliver(vcore_of(0));
	go_on();
}

static void only_leave(unsigned cpu)
{
	if (cpu >= 1)
		leave_cpu();
	else
		go_on();
}

/* As at the end of a slice. */
static void balance_while_it_leaves(unsigned cpu)
{
	if (cpu == 0) {
		events_take(vcore_of(0));
		balance(vcore_of(0));
	}
	only_leave(cpu);
}

static void wake_from_a_cpu_that_comes(unsigned cpu)
{
	if (cpu == 1) {
		leave_cpu();
		return;
	}
	if (cpu == 2) {
		cpu_arrive(vcore_of(2));
		events_take(vcore_of(2));
		wake_later(&second, DONATION_NONE);
		wakes_deliver(vcore_of(2));
	}
	go_on();
}

static void the_last_waits_for_one_that_comes(unsigned cpu)
{
	if (cpu == 1) {
		leave_cpu();
	} else {
		cpu_arrive(vcore_of(0));
		go_on();
	}
}

/* As idle() does it. */
static void ask_and_leave(unsigned cpu)
{
	if (cpu == 1) {
		steal_ask(vcore_of(1));
		leave_cpu();
	} else {
		go_on();
	}
}

/* The one that stays is idle, and may have answered the question of who leaves. */
static void ask_one_that_leaves(unsigned cpu)
{
	if (cpu == 0) {
		events_take(vcore_of(0));
		steal_ask(vcore_of(0));
	}
	only_leave(cpu);
}

static void count_call(struct mailbox_call *unused)
{
	atomic_fetch_add(&calls, 1);
}

/* As message_call_wait(), which then knows whether it is answered. */
static void call_while_it_leaves(unsigned cpu)
{
	if (cpu == 1) {
		leave_cpu();
		return;
	}
	events_take(vcore_of(0));
	call.function = count_call;
	if (cpu_is_online(1))
		message_call(vcore_of(0), 1, &call);
	else
		count_call(&call);
	go_on();
}

static void nothing_is_there(void)
{
	EXPLORE_CHECK(online_cpus == 1 && away_cpus == 2 && !vcore_of(1)->handle && !leaver);
	EXPLORE_CHECK(!vcore_of(1)->mailbox.tasks && !vcore_of(1)->mailbox.calls &&
		      list_empty(&vcore_of(1)->queue.ready));
}

static void the_task_is_here(void)
{
	nothing_is_there();
	EXPLORE_CHECK(second.home == 0 && task_place(&second) == PLACE_QUEUED &&
		      vcore_of(0)->queue.count == 1);
}

static void both_are_here(void)
{
	nothing_is_there();
	EXPLORE_CHECK(!vcore_of(0)->steal_asked);
	EXPLORE_CHECK(vcore_of(0)->queue.count == 2 && second.home == 0 && third.home == 0);
}

static void both_have_gone(void)
{
	EXPLORE_CHECK(online_cpus == 1 && away_cpus == 6 && !leaver);
	EXPLORE_CHECK(!vcore_of(1)->handle && !vcore_of(2)->handle);
	for (unsigned cpu = 1; cpu < 3; cpu++)
		EXPLORE_CHECK(!vcore_of(cpu)->mailbox.tasks && list_empty(&vcore_of(cpu)->queue.ready));
	EXPLORE_CHECK(second.home == 0 && task_place(&second) == PLACE_QUEUED &&
		      vcore_of(0)->queue.count == 1);
}

/* What it sent last is found by who is there. */
static void one_has_come(void)
{
	EXPLORE_CHECK(online_cpus == 5 && away_cpus == 2 && vcore_of(2)->handle && !leaver);
	EXPLORE_CHECK(!vcore_of(1)->mailbox.tasks && list_empty(&vcore_of(1)->queue.ready));
	for (unsigned cpu = 0; cpu < 3; cpu += 2)
		messages_drain(vcore_of(cpu));
	EXPLORE_CHECK(second.home != 1 && task_place(&second) == PLACE_QUEUED);
	EXPLORE_CHECK(vcore_of(0)->queue.count + vcore_of(2)->queue.count == 1);
}

static void the_call_was_made(void)
{
	nothing_is_there();
	EXPLORE_CHECK(calls == 1);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_wake_finds_its_way_while_a_cpu_leaves", 2, 2, 0, setup_asleep,
		  wake_while_it_leaves, the_task_is_here, NULL },
		{ "a_task_that_is_queued_there_moves", 2, 2, 0, setup_queued_there, only_leave,
		  the_task_is_here, NULL },
		{ "a_task_that_is_passed_on_comes_back", 2, 2, 0, setup_uneven,
		  balance_while_it_leaves, the_task_is_here, NULL },
		{ "a_thief_takes_its_answer_along", 2, 2, 0, setup_queued_here, ask_and_leave,
		  the_task_is_here, NULL },
		{ "who_goes_is_not_asked_for_work", 2, 2, 1, setup_two_queued_there,
		  ask_one_that_leaves, both_are_here, NULL },
		{ "a_call_is_answered_before_a_cpu_goes", 2, 2, 1, setup, call_while_it_leaves,
		  the_call_was_made, NULL },
		{ "two_cpus_leave_one_after_the_other", 3, 1, 0, setup_two_leave, only_leave,
		  both_have_gone, NULL },
		{ "a_cpu_comes_and_wakes_what_was_another_ones", 3, 1, 0, setup_one_comes,
		  wake_from_a_cpu_that_comes, one_has_come, NULL },
		{ "the_last_cpu_goes_when_another_comes", 2, 2, 1, setup_last,
		  the_last_waits_for_one_that_comes, nothing_is_there, NULL },
	};
	struct exo_info *info = mmap((void *)EXO_INFO_BASE, EXO_INFO_PAGES * EXO_PAGE_SIZE,
				     PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (info == MAP_FAILED) {
		perror("not ok offline: the page of the machine's description");
		return 1;
	}
	info->cpus[0].vcore = info->cpus[2].vcore = 1;
	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
