/* SPDX-License-Identifier: MIT */
/* libos/core/idle_poll.c, included: who looks for an event before it halts, when, and for how long.
 *
 * The clock is the test's: each look at it takes STEP, and what is to happen at its time happens then. */
#include <stdbool.h>
#include <stdint.h>
#include "check.h"

#define LIBOS_CPU_H
static uint64_t clock_tsc;
static void clock_read(void);
static inline uint64_t rdtsc(void)
{
	clock_read();
	return clock_tsc;
}

#include "../../libos/core/idle_poll.c"

enum { CPUS = 2, TICKS = 3 /* in a nanosecond */, STEP = 30, START = 1000000000 };
#define NEVER UINT64_MAX

struct vcore_area vcore_areas[EXO_CPUS_MAX];
unsigned vcore_count;
static struct exo_vcore_page pages[CPUS];
static struct vcore *const one = &vcore_areas[0].vcore, *const two = &vcore_areas[1].vcore;

static uint64_t event_at, jump_at, other_at, turn_at;
static uint64_t mail_at;      /* sent by the other CPU */
static uint64_t runs_at;      /* whose only queued task runs then */
static bool was_rung;         /* it would have been */
static unsigned others;       /* how often the other CPU has tried meanwhile */
static bool other_found;      /* and that it looked */
static uint64_t other_waited; /* and for how long, on its own clock */

uint64_t ns_to_tsc(uint64_t ns)
{
	return ns * TICKS;
}

static void clock_read(void)
{
	clock_tsc += STEP;
	if (clock_tsc >= event_at)
		pages[0].pending = EXO_EVENT_DOORBELL;
	if (clock_tsc >= mail_at) {
		mail_at = NEVER;
		atomic_fetch_or(&one->mailbox.flags, MAILBOX_PULL);
		was_rung = mailbox_must_ring(&one->mailbox, true);
	}
	if (clock_tsc >= runs_at)
		atomic_store(&two->queue.count, 0);
	if (clock_tsc >= jump_at) {
		clock_tsc += 2 * JUMP_NS * TICKS;
		jump_at = NEVER;
	}
	if (clock_tsc >= other_at) {
		uint64_t before = clock_tsc;

		other_at = NEVER;
		others++;
		other_found = idle_poll(two) || two->poll_ns != WINDOW_NS;
		other_waited = (clock_tsc - before) / TICKS;
		clock_tsc = before;
	}
	if (clock_tsc >= turn_at)
		atomic_store(&somebody_looks, false);
}

static void start(void)
{
	clock_tsc = START;
	event_at = jump_at = other_at = turn_at = mail_at = runs_at = NEVER;
	was_rung = false;
	atomic_store(&somebody_looks, false);
	others = 0;
	other_found = false;
	vcore_count = CPUS;
	for (int i = 0; i < CPUS; i++) {
		pages[i] = (struct exo_vcore_page){ .budget_end_tsc = NEVER };
		*vcore_of(i) = (struct vcore){ .page = &pages[i], .cpu = i };
		idle_poll_learn(vcore_of(i), 0);
	}
}

/* How long it has looked, in vain. */
static uint64_t looked_ns(struct vcore *v)
{
	uint64_t begin = clock_tsc;

	CHECK(!idle_poll(v));
	return (clock_tsc - begin) / TICKS;
}

static bool is_about(uint64_t ns, uint64_t wanted)
{
	return ns >= wanted && ns <= wanted + 3 * STEP;
}

/* ---------------------------------------------------------------- the cases */

static void who_was_never_idle_for_a_short_time_halts_at_once(void)
{
	start();
	one->poll_ns = 0;
	idle_poll_learn(one, ns_to_tsc(SHORT_NS));
	CHECK(looked_ns(one) < LEAST_NS);
	idle_poll_learn(one, ns_to_tsc(SHORT_NS) - 1);
	CHECK(is_about(looked_ns(one), WINDOW_NS));
}

static void an_event_ends_the_look(void)
{
	start();
	event_at = clock_tsc + ns_to_tsc(WINDOW_NS / 2);
	CHECK(idle_poll(one));
	CHECK(is_about((clock_tsc - START) / TICKS, WINDOW_NS / 2));
	CHECK_EQ(one->poll_ns, WINDOW_NS);
}

/* Its sender finds that it need not ring. */
static void mail_ends_the_look(void)
{
	start();
	mail_at = clock_tsc + ns_to_tsc(WINDOW_NS / 2);
	CHECK(idle_poll(one));
	CHECK(is_about((clock_tsc - START) / TICKS, WINDOW_NS / 2));
	CHECK(!was_rung && pages[0].pending == 0);
	CHECK(mailbox_must_ring(&one->mailbox, true));
	CHECK(!mailbox_must_ring(&one->mailbox, false));
}

/* Who looks not, or not yet, is rung. */
static void mail_before_the_look_rings(void)
{
	start();
	atomic_store(&somebody_looks, true);
	mail_at = clock_tsc + ns_to_tsc(TURN_NS / 2);
	CHECK(!idle_poll(one));
	CHECK(was_rung);
	atomic_store(&somebody_looks, false);
	/* It is found although it is there already, and although time jumps. */
	jump_at = clock_tsc;
	CHECK(idle_poll(one));
}

static void what_comes_later_is_left_to_the_halt(void)
{
	start();
	event_at = clock_tsc + ns_to_tsc(2 * WINDOW_NS);
	CHECK(is_about(looked_ns(one), WINDOW_NS));
	CHECK_EQ(pages[0].pending, 0);
}

static void who_looks_in_vain_looks_half_as_long_and_then_not_at_all(void)
{
	uint64_t end;

	start();
	for (uint64_t wanted = WINDOW_NS; wanted >= LEAST_NS; wanted /= 2)
		CHECK(is_about(looked_ns(one), wanted));
	CHECK_EQ(one->poll_ns, 0);
	/* One short idle time is not enough now. */
	idle_poll_learn(one, 0);
	end = one->poll_again_tsc;
	CHECK(end > clock_tsc && end <= clock_tsc + ns_to_tsc(RETRY_NS));
	while (clock_tsc + 2 * STEP < end)
		CHECK(looked_ns(one) < LEAST_NS);
	clock_tsc = end;
	CHECK(is_about(looked_ns(one), WINDOW_NS));
}

static void who_finds_something_looks_for_the_whole_window_again(void)
{
	start();
	CHECK(is_about(looked_ns(one), WINDOW_NS));
	CHECK(is_about(looked_ns(one), WINDOW_NS / 2));
	event_at = clock_tsc + 10 * STEP;
	CHECK(idle_poll(one));
	event_at = NEVER;
	pages[0].pending = 0;
	CHECK(is_about(looked_ns(one), WINDOW_NS));
}

static void who_has_lost_the_host_stops_at_once(void)
{
	start();
	jump_at = clock_tsc + 10 * STEP;
	CHECK(is_about(looked_ns(one), 2 * JUMP_NS + 10 * STEP / TICKS));
	CHECK_EQ(one->poll_ns, WINDOW_NS / 4);
	jump_at = clock_tsc + 10 * STEP;
	CHECK(is_about(looked_ns(one), 2 * JUMP_NS + 10 * STEP / TICKS));
	CHECK_EQ(one->poll_ns, 0);
	idle_poll_learn(one, 0);
	CHECK(looked_ns(one) < LEAST_NS);
}

/* The jump may be how the host brought it. */
static void an_event_that_comes_with_a_jump_is_found(void)
{
	start();
	jump_at = event_at = clock_tsc + 10 * STEP;
	CHECK(idle_poll(one));
	CHECK_EQ(one->poll_ns, WINDOW_NS);
}

static void one_cpu_looks_at_a_time(void)
{
	start();
	other_at = clock_tsc + 10 * STEP;
	CHECK(is_about(looked_ns(one), WINDOW_NS));
	CHECK_EQ(others, 1);
	CHECK(!other_found);
	CHECK(is_about(other_waited, TURN_NS));
	/* Then the other may, whatever came of it. */
	CHECK(is_about(looked_ns(two), WINDOW_NS));
	event_at = clock_tsc + 10 * STEP;
	CHECK(idle_poll(one));
	CHECK(is_about(looked_ns(two), WINDOW_NS / 2));
}

/* Who looks has just been rung, and stops. */
static void who_waits_for_a_turn_gets_it(void)
{
	start();
	atomic_store(&somebody_looks, true);
	turn_at = clock_tsc + ns_to_tsc(TURN_NS / 2);
	CHECK(is_about(looked_ns(two), TURN_NS / 2 + WINDOW_NS));
	/* An event meanwhile is left to the halt. */
	start();
	atomic_store(&somebody_looks, true);
	event_at = clock_tsc + ns_to_tsc(TURN_NS / 2);
	CHECK(is_about(looked_ns(one), TURN_NS / 2));
	CHECK_EQ(one->poll_ns, WINDOW_NS);
	atomic_store(&somebody_looks, false);
}

static void nobody_looks_who_shares_its_cpu_or_is_alone(void)
{
	start();
	pages[0].budget_end_tsc = clock_tsc + ns_to_tsc(1000000000);
	CHECK(looked_ns(one) < LEAST_NS);
	pages[0].budget_end_tsc = NEVER;
	vcore_count = 1;
	CHECK(looked_ns(one) < LEAST_NS);
	vcore_count = CPUS;
	CHECK(is_about(looked_ns(one), WINDOW_NS));
}

/* ---------------------------------------------------------------- a task alone in another's queue */

/* As who asks would find: the other CPU, if anybody is queued there. */
static int find(const struct vcore *v)
{
	CHECK(v == one);
	return atomic_load(&two->queue.count) ? two->cpu : -1;
}

static int victim(unsigned count)
{
	atomic_store(&two->queue.count, count);
	return idle_poll_victim(one, find);
}

static void a_task_that_runs_in_a_moment_is_not_asked_for(void)
{
	start();
	runs_at = clock_tsc + ns_to_tsc(SETTLE_NS / 2);
	CHECK_EQ(victim(1), -1);
	CHECK(is_about((clock_tsc - START) / TICKS, SETTLE_NS / 2));
}

static void one_that_does_not_is_asked_for(void)
{
	start();
	CHECK_EQ(victim(1), 1);
	CHECK(is_about((clock_tsc - START) / TICKS, SETTLE_NS));
}

/* Several; none; one behind another that runs; or the CPU's time is not to be spent. */
static void where_it_is_known_nobody_waits(void)
{
	start();
	CHECK(victim(2) == 1 && victim(0) == -1);
	two->current = (struct task *)&clock_tsc;
	CHECK_EQ(victim(1), 1);
	two->current = NULL;
	pages[0].budget_end_tsc = clock_tsc + ns_to_tsc(1000000000);
	CHECK_EQ(victim(1), 1);
	CHECK((clock_tsc - START) / TICKS < SETTLE_NS / 2);
}

static void who_gets_something_asks_for_nothing(void)
{
	start();
	mail_at = clock_tsc + ns_to_tsc(SETTLE_NS / 2);
	CHECK_EQ(victim(1), -1);
	CHECK(is_about((clock_tsc - START) / TICKS, SETTLE_NS / 2));
	CHECK(was_rung);
}

int main(void)
{
	RUN(who_was_never_idle_for_a_short_time_halts_at_once);
	RUN(an_event_ends_the_look);
	RUN(mail_ends_the_look);
	RUN(mail_before_the_look_rings);
	RUN(what_comes_later_is_left_to_the_halt);
	RUN(who_looks_in_vain_looks_half_as_long_and_then_not_at_all);
	RUN(who_finds_something_looks_for_the_whole_window_again);
	RUN(who_has_lost_the_host_stops_at_once);
	RUN(an_event_that_comes_with_a_jump_is_found);
	RUN(one_cpu_looks_at_a_time);
	RUN(who_waits_for_a_turn_gets_it);
	RUN(nobody_looks_who_shares_its_cpu_or_is_alone);
	RUN(a_task_that_runs_in_a_moment_is_not_asked_for);
	RUN(one_that_does_not_is_asked_for);
	RUN(where_it_is_known_nobody_waits);
	RUN(who_gets_something_asks_for_nothing);
	return check_result();
}
