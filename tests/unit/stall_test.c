/* SPDX-License-Identifier: MIT */
/* libos/sched/patience.c, libos/sched/weight.c; libos/sched/stall.c, included: how long a library may let a
 * task wait, by how many there are, what they weigh, and how long its slices are; that what it starves is
 * noticed, wherever it moves it; and that time which the CPU was not given does not count.
 *
 * A tick is a nanosecond, and the clock is the test's. */
#include <string.h>
#include "check.h"
#include "panic.h"
#include "own_clock.h"
#include "core/vcore.h"
#include "core/task.h"
#include "../../libos/sched/stall.c"

#define LOOK SCHED_MS(50)
#define TASKS 1200

struct vcore_area vcore_areas[EXO_CPUS_MAX];
static struct sched_instance instance;
static struct task waiting[TASKS], running;
static const struct task *starved; /* for which the library has been ejected, or NULL */

/* ---------------------------------------------------------------- what stall.c calls */

uint64_t ns_to_tsc(uint64_t ns) { return ns; }
uint64_t tsc_to_ns(uint64_t ticks) { return ticks; }

struct task *run_queue_oldest(const struct vcore *v)
{
	return list_entry(v->queue.ready.next, struct task, ready_link);
}

void culprit_stalled(struct vcore *v, const struct task *t, uint64_t waited_ns)
{
	starved = t;
}

void sched_eject(struct vcore *v, enum sched_exit_reason reason, const char *callback,
		 struct task_ref task, uint64_t detail)
{
	CHECK_EQ(reason, SCHED_EXIT_STALLED);
}

/* ---------------------------------------------------------------- a CPU and its queue */

static void start_cpu(unsigned cpu)
{
	struct vcore *v = vcore_of(cpu);

	memset(v, 0, sizeof(*v));
	v->cpu = (int32_t)cpu;
	list_init(&v->queue.ready);
	v->queue.instance = &instance;
	v->queue.looked_tsc = tsc;
	v->queue.granted = 1 + cpu * SCHED_MS(7000); /* each has had its own time so far */
	stall_begin(v);
}

static void start(uint64_t timeout_ns)
{
	memset(waiting, 0, sizeof(waiting));
	memset(&running, 0, sizeof(running));
	memset(&instance, 0, sizeof(instance));
	starved = NULL;
	tsc = SCHED_MS(1000);
	stall_limit_set(&instance, timeout_ns);
	start_cpu(0);
	start_cpu(1);
}

/* As run_queue_add() does. */
static void queue_on(unsigned cpu, struct task *t)
{
	struct vcore *v = vcore_of(cpu);

	stall_clock_advance(&v->queue);
	t->queued_at = v->queue.granted;
	list_push_back(&v->queue.ready, &t->ready_link);
	v->queue.count++;
	if (t->waited)
		stall_go_on(v, t);
}

static void leave(unsigned cpu, struct task *t)
{
	list_remove(&t->ready_link);
	vcore_of(cpu)->queue.count--;
}

static void move(struct task *t, unsigned from, unsigned to)
{
	leave(from, t);
	stall_pause(vcore_of(from), t);
	queue_on(to, t);
}

static void pass(unsigned cpu, uint64_t ns)
{
	tsc += ns;
	stall_check(vcore_of(cpu));
}

/* All others of CPU 0 have turns of slice_ns, one after the other; t waits.  -> for how long until it counts
 * as starved; 0: longer than limit_ns. */
static uint64_t starves_after(const struct task *t, uint64_t slice_ns, uint64_t limit_ns)
{
	struct vcore *v = vcore_of(0);
	uint64_t from = tsc;

	stall_learn_slice(v, slice_ns);
	while (!starved && tsc - from <= limit_ns) {
		struct task *next = run_queue_oldest(v);

		if (next == t)
			next = list_entry(next->ready_link.next, struct task, ready_link);
		leave(0, next);
		v->current = next;
		for (uint64_t ran = 0; ran < slice_ns && !starved; ran += SCHED_MS(4))
			pass(0, SCHED_MS(4));
		v->current = NULL;
		queue_on(0, next);
	}
	CHECK(!starved || starved == t);
	return starved ? tsc - from : 0;
}

static void queue_all(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		queue_on(0, &waiting[i]);
}

/* ---------------------------------------------------------------- the cases */

static void who_is_starved_is_noticed_soon(void)
{
	start(SCHED_MS(10000));
	queue_all(3);
	uint64_t after = starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(60000));

	CHECK(after > SCHED_MS(10000) && after < SCHED_MS(10600));
}

/* As a fair library has it: what weighs 15 runs one slice of 4 ms in 5,922. */
static void who_weighs_little_waits_for_those_who_weigh_much(void)
{
	start(SCHED_MS(10000));
	waiting[0].nice = 19;
	waiting[1].nice = -20;
	queue_all(2);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(24000)), 0);
	CHECK(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(500000)) > 0);
}

static void heavy_ones_that_come_and_go_count_for_as_long_as_they_are_there(void)
{
	start(SCHED_MS(10000));
	waiting[0].nice = 19;
	waiting[1].nice = -20;
	queue_all(2);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(20000)), 0);
	/* It sleeps; who was there with it is not starved at once. */
	leave(0, &waiting[1]);
	queue_on(0, &waiting[2]);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(280)), 0);
	CHECK(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(8000)) > 0);
}

static void an_idler_waits_for_as_long_as_its_slice_lets_it(void)
{
	start(SCHED_MS(10000));
	waiting[0].policy = SCHED_POLICY_IDLE;
	waiting[0].runtime_ns = SCHED_MS(100);
	queue_all(3);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(68300)), 0);
}

static void long_slices_of_many_are_waited_for(void)
{
	start(SCHED_MS(10000));
	queue_all(260);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(100), SCHED_MS(26000)), 0);
	start(SCHED_MS(10000));
	queue_all(30);
	/* By lot each has 1 in 30: fifteen rounds without a turn are nothing strange. */
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(100), SCHED_MS(45000)), 0);
}

static void slices_of_an_hour_are_no_excuse(void)
{
	start(SCHED_MS(10000));
	queue_all(2);
	uint64_t after = starves_after(&waiting[0], SCHED_MS(3600000), SCHED_MS(3600000));

	CHECK(after > 0 && after < SCHED_MS(30000));
}

static void a_wait_goes_on_where_the_task_is_moved_to(void)
{
	unsigned cpu = 0;

	start(SCHED_MS(10000));
	queue_on(0, &waiting[1]);
	queue_on(1, &waiting[2]);
	queue_on(0, &waiting[0]);
	for (int i = 0; i < 120 && !starved; i++, cpu ^= 1) {
		/* On neither CPU somebody else waits for long. */
		leave(cpu, &waiting[1 + cpu]);
		queue_on(cpu, &waiting[1 + cpu]);
		pass(cpu, SCHED_MS(50));
		pass(cpu, SCHED_MS(50));
		vcore_of(!cpu)->queue.looked_tsc = tsc;
		if (starved)
			break;
		move(&waiting[0], cpu, !cpu);
	}
	CHECK(starved == &waiting[0]);
}

/* Nothing else happens in between: the clock of the queue is looked at for this alone. */
static void a_wait_goes_on_when_the_task_is_changed(void)
{
	start(SCHED_MS(10000));
	queue_on(0, &waiting[0]);
	for (int i = 0; i < 600 && !starved; i++) {
		tsc += SCHED_MS(20);
		move(&waiting[0], 0, 0);
		stall_check(vcore_of(0));
	}
	CHECK(starved == &waiting[0]);
}

static void a_wait_ends_when_the_task_runs(void)
{
	start(SCHED_MS(10000));
	queue_on(0, &waiting[0]);
	for (int i = 0; i < 400; i++) {
		if (i % 90 == 89) {
			leave(0, &waiting[0]);
			queue_on(0, &waiting[0]);
		}
		pass(0, LOOK);
	}
	CHECK(!starved);
}

static void time_that_was_not_given_does_not_count(void)
{
	start(SCHED_MS(10000));
	queue_all(2);
	for (int i = 0; i < 100; i++)
		pass(0, SCHED_MS(20000));
	CHECK(!starved);
}

static void who_was_refused_is_not_the_librarys(void)
{
	start(SCHED_MS(10000));
	waiting[0].sched_core_only = true;
	queue_all(2);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(60000)), 0);
}

/* More than are looked at, the heaviest among the rest. */
static void a_crowd_is_no_cover(void)
{
	start(SCHED_MS(10000));
	queue_all(TASKS);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(15000)), 0);
	CHECK(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(3600000)) > 0);
}

static void a_library_with_endless_patience_is_never_ejected(void)
{
	start(STALL_NEVER);
	queue_all(2);
	CHECK_EQ(starves_after(&waiting[0], SCHED_MS(4), SCHED_MS(100000)), 0);
	CHECK_EQ(stall_check_due_tsc(vcore_of(0)), 0);
}

int main(void)
{
	RUN(who_is_starved_is_noticed_soon);
	RUN(who_weighs_little_waits_for_those_who_weigh_much);
	RUN(heavy_ones_that_come_and_go_count_for_as_long_as_they_are_there);
	RUN(an_idler_waits_for_as_long_as_its_slice_lets_it);
	RUN(long_slices_of_many_are_waited_for);
	RUN(slices_of_an_hour_are_no_excuse);
	RUN(a_wait_goes_on_where_the_task_is_moved_to);
	RUN(a_wait_goes_on_when_the_task_is_changed);
	RUN(a_wait_ends_when_the_task_runs);
	RUN(time_that_was_not_given_does_not_count);
	RUN(who_was_refused_is_not_the_librarys);
	RUN(a_crowd_is_no_cover);
	RUN(a_library_with_endless_patience_is_never_ejected);
	return check_result();
}
