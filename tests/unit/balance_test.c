/* SPDX-License-Identifier: MIT */
/* libos/core/task_state.c; libos/sched/balance.c, included: which task a CPU passes on where all are busy,
 * when, and to which other one; and which libraries are left alone.
 *
 * The test is CPU 0 of four.  A slice has ended wherever it calls balance(). */
#include <string.h>
#include "check.h"
#include "panic.h"
#include "own_clock.h"
#include "core/vcore.h"
#include "core/task.h"
#include "../../libos/sched/balance.c"

#define CPUS 4
#define TASKS (LOOKED_AT_MAX + 2)

struct vcore_area vcore_areas[EXO_CPUS_MAX];
unsigned vcore_count = CPUS;
_Atomic uint64_t online_cpus;
_Atomic uint32_t sched_generation;

static struct vcore *v;
static struct task running, waiting[TASKS];
static struct sched_ops ops;

/* What went where last, and how many have. */
static struct task *sent;
static int sent_to;
static unsigned sent_count;
static struct task *paused; /* whose wait has been said to go on elsewhere, last */

/* ---------------------------------------------------------------- what balance.c calls */

void sched_follow_now(struct vcore *cpu) {}
uint64_t ns_to_tsc(uint64_t ns) { return ns; }

unsigned sched_cpu_queued(int cpu)
{
	return vcore_of((unsigned)cpu)->queue.count;
}

bool run_queue_has_opinion(const struct vcore *cpu)
{
	return ops.select_cpu != NULL;
}

void run_queue_remove(struct vcore *cpu, struct task *t)
{
	list_remove(&t->ready_link);
	cpu->queue.count--;
}

void stall_pause(struct vcore *cpu, struct task *t)
{
	paused = t;
}

static bool refuses;

struct task *run_queue_steal(struct vcore *cpu, unsigned thief)
{
	struct task *t = list_entry(cpu->queue.ready.next, struct task, ready_link);

	if (refuses)
		return NULL;
	run_queue_remove(cpu, t);
	return t;
}

void task_send(struct vcore *from, struct task *t, unsigned cpu)
{
	CHECK(t->message == MESSAGE_MIGRATE && t->where == PLACE_MAILBOX && paused == t);
	sent = t;
	sent_to = (int)cpu;
	sent_count++;
}

/* ---------------------------------------------------------------- the cases */

/* Of those that can be, each has used up its last slice just now, and has never been moved; the last to come
 * is last. */
static void queue_tasks(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct task *t = &waiting[i];

		*t = (struct task){ .where = PLACE_QUEUED, .affinity = ~0ul, .ready_tsc = tsc };
		list_push_back(&v->queue.ready, &t->ready_link);
	}
	v->queue.count = count;
}

/* As many wait at each of the others as here, but for those where a case says something else. */
static void start(unsigned count)
{
	v = vcore_of(0);
	memset(v, 0, sizeof(*v));
	ops = (struct sched_ops){ .name = "test" };
	refuses = false;
	tsc = 10 * PERIOD_NS;
	online_cpus = (1 << CPUS) - 1;
	v->mask_depth = 1;
	v->current = &running;
	v->queue.ops = &ops;
	list_init(&v->queue.ready);
	queue_tasks(count);
	for (unsigned cpu = 1; cpu < CPUS; cpu++) {
		vcore_of(cpu)->queue.count = count;
		vcore_of(cpu)->mailbox.tasks = NULL;
	}
	sent = NULL;
	sent_count = 0;
}

static void fewer_wait_at(unsigned cpu, unsigned count)
{
	vcore_of(cpu)->queue.count = count;
}

/* Two looks, a period apart. */
static void look_twice(void)
{
	balance(v);
	tsc += PERIOD_NS;
	balance(v);
}

static void who_waits_goes_where_the_fewest_wait(void)
{
	start(4);
	fewer_wait_at(1, 3);
	fewer_wait_at(2, 1);
	fewer_wait_at(3, 2);
	look_twice();
	CHECK(sent == &waiting[3] && sent_to == 2 && sent_count == 1);
	CHECK_EQ(v->stats.migrations_out, 1);
}

static void nobody_goes_where_as_many_wait(void)
{
	start(1);
	look_twice();
	CHECK_EQ(sent_count, 0);
}

static void nobody_goes_before_the_period_is_over(void)
{
	start(1);
	fewer_wait_at(1, 0);
	balance(v);
	tsc += PERIOD_NS - 1;
	balance(v);
	CHECK_EQ(sent_count, 0);
	tsc++;
	balance(v);
	CHECK_EQ(sent_count, 1);
}

static void what_is_uneven_for_a_moment_is_left(void)
{
	start(1);
	fewer_wait_at(1, 0);
	balance(v);
	fewer_wait_at(1, 1);
	tsc += PERIOD_NS / 2;
	balance(v);
	fewer_wait_at(1, 0);
	tsc += PERIOD_NS / 2;
	balance(v);
	CHECK_EQ(sent_count, 0);
}

static void one_goes_in_a_period(void)
{
	start(8);
	fewer_wait_at(1, 0);
	for (unsigned i = 0; i < 10; i++) {
		balance(v);
		tsc += PERIOD_NS / 4;
	}
	/* Begun at 0, sent at 4, begun at 5, sent at 9. */
	CHECK_EQ(sent_count, 2);
}

static void was_moved(struct task *t, uint64_t at)
{
	t->moved_tsc = at;
	t->ready_tsc = at + 1; /* and has run since */
}

static void who_has_been_moved_stays_for_two_periods(void)
{
	start(2);
	fewer_wait_at(1, 0);
	was_moved(&waiting[1], tsc);
	look_twice();
	CHECK(sent == &waiting[0] && sent_count == 1 && waiting[0].moved_tsc == tsc);
	start(1);
	fewer_wait_at(1, 0);
	was_moved(&waiting[0], tsc);
	look_twice();
	CHECK_EQ(sent_count, 0);
	tsc += PERIOD_NS;
	balance(v);
	CHECK_EQ(sent_count, 1);
}

/* Its wait is one, however long: it would begin anew with each move. */
static void who_has_not_run_since_is_not_moved_again(void)
{
	start(1);
	fewer_wait_at(1, 0);
	look_twice();
	CHECK_EQ(sent_count, 1);
	list_push_back(&v->queue.ready, &waiting[0].ready_link);
	atomic_store(&waiting[0].where, PLACE_QUEUED);
	v->queue.count = 1;
	for (unsigned i = 0; i < 100; i++) {
		tsc += PERIOD_NS;
		balance(v);
	}
	CHECK_EQ(sent_count, 1);
	waiting[0].ready_tsc = tsc;
	balance(v);
	CHECK_EQ(sent_count, 2);
}

static void nobody_goes_where_one_is_on_its_way(void)
{
	start(2);
	fewer_wait_at(1, 0);
	fewer_wait_at(2, 1);
	vcore_of(1)->mailbox.tasks = &running;
	look_twice();
	CHECK_EQ(sent_to, 2);
}

static void a_clock_that_is_ahead_moves_nobody_back(void)
{
	start(1);
	fewer_wait_at(1, 0);
	was_moved(&waiting[0], tsc + PERIOD_NS + 1);
	look_twice();
	CHECK_EQ(sent_count, 0);
}

static void who_sleeps_or_has_been_given_a_slice_stays(void)
{
	start(2);
	fewer_wait_at(1, 0);
	waiting[0].slice_ns = 1;
	waiting[1].donated_ns = 1;
	look_twice();
	CHECK_EQ(sent_count, 0);
}

static void nobody_goes_where_he_may_not_be(void)
{
	start(3);
	fewer_wait_at(1, 0);
	fewer_wait_at(3, 1);
	waiting[2].affinity = 1 | 1 << 2; /* as many wait there */
	waiting[1].affinity = 1 | 1 << 2 | 1 << 3;
	look_twice();
	CHECK(sent == &waiting[1] && sent_to == 3);
}

static void nobody_goes_to_a_cpu_that_is_given_up(void)
{
	start(2);
	fewer_wait_at(1, 0);
	fewer_wait_at(2, 1);
	online_cpus &= ~(1ul << 1);
	look_twice();
	CHECK_EQ(sent_to, 2);
}

static void a_look_has_a_bound(void)
{
	start(TASKS);
	fewer_wait_at(1, 0);
	for (unsigned i = TASKS - LOOKED_AT_MAX; i < TASKS; i++)
		waiting[i].affinity = 1;
	look_twice();
	CHECK_EQ(sent_count, 0);
	/* The next to come is another. */
	list_remove(&waiting[1].ready_link);
	list_push_back(&v->queue.ready, &waiting[1].ready_link);
	balance(v);
	CHECK(sent == &waiting[1]);
}

static int select_any(struct task *t, int prev, enum sched_why why)
{
	return -1;
}

static void a_library_that_places_or_partitions_is_left_alone(void)
{
	start(2);
	fewer_wait_at(1, 0);
	ops.flags = SCHED_PARTITIONED;
	look_twice();
	CHECK_EQ(sent_count, 0);
	ops.flags = 0;
	ops.select_cpu = select_any;
	look_twice();
	CHECK_EQ(sent_count, 0);
	ops.flags = SCHED_EVENED_OUT | SCHED_PARTITIONED;
	look_twice();
	CHECK_EQ(sent_count, 0);
}

static void a_library_that_places_and_is_evened_out_passes_one_on(void)
{
	start(2);
	fewer_wait_at(1, 0);
	ops.select_cpu = select_any;
	ops.flags = SCHED_EVENED_OUT;
	look_twice();
	CHECK_EQ(sent_count, 1);
}

static struct task *steal_any(int victim, int thief)
{
	return NULL;
}

static void a_library_that_has_steal_is_asked_and_may_refuse(void)
{
	start(2);
	fewer_wait_at(1, 0);
	ops.steal = steal_any;
	waiting[0].slice_ns = 1;
	refuses = true;
	look_twice();
	CHECK_EQ(sent_count, 0);
	/* Not at once again. */
	refuses = false;
	balance(v);
	CHECK_EQ(sent_count, 0);
	tsc += PERIOD_NS;
	balance(v);
	CHECK(sent == &waiting[0] && sent_to == 1);
}

int main(void)
{
	RUN(who_waits_goes_where_the_fewest_wait);
	RUN(nobody_goes_where_as_many_wait);
	RUN(nobody_goes_before_the_period_is_over);
	RUN(what_is_uneven_for_a_moment_is_left);
	RUN(one_goes_in_a_period);
	RUN(who_has_been_moved_stays_for_two_periods);
	RUN(who_has_not_run_since_is_not_moved_again);
	RUN(nobody_goes_where_one_is_on_its_way);
	RUN(a_clock_that_is_ahead_moves_nobody_back);
	RUN(who_sleeps_or_has_been_given_a_slice_stays);
	RUN(nobody_goes_where_he_may_not_be);
	RUN(nobody_goes_to_a_cpu_that_is_given_up);
	RUN(a_look_has_a_bound);
	RUN(a_library_that_places_or_partitions_is_left_alone);
	RUN(a_library_that_places_and_is_evened_out_passes_one_on);
	RUN(a_library_that_has_steal_is_asked_and_may_refuse);
	return check_result();
}
