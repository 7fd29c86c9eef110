/* SPDX-License-Identifier: MIT */
/* libos/core/timer.c, included; libos/core/ordered.c: timers_program() sets the kernel's timer to what is due
 * first, whenever that is before what it is set to, and never otherwise; and a slice that has ended is seen,
 * at once or by the timer that is about to come.
 *
 * The test is CPU 0, and every combination of times is tried. */
#include <string.h>
#include "check.h"
#include "panic.h"

#define LIBOS_CPU_SELECTOR_H
#include <exo/abi.h>
static inline uint64_t cpu_selector(void)
{
	return EXO_CPU_SELECTOR;
}

/* The kernel's call and the TSC are the test's. */
#define LIBOS_EXO_H
#define LIBOS_CPU_H
#include <stdint.h>
static uint64_t tsc, set_to;

static int64_t exo_timer(uint64_t deadline_tsc)
{
	set_to = deadline_tsc;
	return 0;
}

static uint64_t rdtsc(void)
{
	return tsc;
}

#include "core/vcore.h"
#include "core/task.h"
#include "sched/library.h"
#include "../../libos/core/timer.c"

struct vcore_area vcore_areas[EXO_CPUS_MAX];
unsigned vcore_count = 2;
_Atomic uint64_t away_cpus, online_cpus = 1;

static struct exo_vcore_page page;
static struct task running, waiting;

/* ---------------------------------------------------------------- what timer.c calls */

void lock_init(struct lock *l, const char *name, enum lock_rank rank) {}
void lock_take_checked(struct lock *l) {}
void lock_drop_checked(struct lock *l) {}
void upcalls_mask(void) {}
void upcalls_unmask(void) {}
bool upcalls_masked(void) { return true; }
uint64_t time_now_ns(void) { return 0; }
uint64_t time_deadline_tsc(uint64_t ns) { return ns; }

static uint64_t stall_due;

uint64_t stall_check_due_tsc(const struct vcore *v)
{
	return stall_due;
}

bool vcore_slice_ends(const struct vcore *v)
{
	return vcore_has_waiting(v) || v->current->donor.id;
}

/* ---------------------------------------------------------------- the case */

static void earlier(uint64_t *first, uint64_t due)
{
	if (due && (!*first || due < *first))
		*first = due;
}

struct situation {
	uint64_t set, timer, others_timer, slice_end, promise, stall;
	bool waits;
};

/* What must be so afterwards, said as simply as can be. */
static void check(const struct situation *s)
{
	uint64_t first = 0, slice = s->waits ? s->slice_end : 0;
	bool ended = slice && slice <= tsc;

	earlier(&first, s->timer);
	earlier(&first, s->others_timer);
	earlier(&first, s->promise);
	earlier(&first, s->stall);
	if (!ended)
		earlier(&first, slice);
	/* The timer is set, and it is moved only forwards. */
	if (first && (!s->set || first < s->set))
		CHECK_EQ(set_to, first);
	else
		CHECK_EQ(set_to, 0);
	/* Seen now, or by a timer that comes no later than the end, which is now or has been. */
	if (ended)
		CHECK(vcore_of(0)->need_resched || (s->set && s->set <= slice));
	else
		CHECK(!vcore_of(0)->need_resched);
}

static void try(const struct situation *s)
{
	struct vcore *v = vcore_of(0);

	page.deadline_tsc = s->set;
	v->page = &page;
	v->mask_depth = 1;
	v->current = &running;
	v->heir = s->waits ? &waiting : NULL;
	v->slice_end_tsc = s->slice_end;
	v->promise_ends_tsc = s->promise;
	v->need_resched = false;
	v->timers.first_tsc = s->timer;
	vcore_of(1)->timers.first_tsc = s->others_timer;
	away_cpus = s->others_timer ? 2 : 0;
	stall_due = s->stall;
	set_to = 0;
	timers_program(v);
	check(s);
}

/* The timer is set, and then the running task makes a promise: the short look comes to the same. */
static void try_promise(const struct situation *s)
{
	struct situation before = *s, after = *s;
	struct vcore *v = vcore_of(0);

	before.waits = false;
	before.promise = 0;
	try(&before);
	after.set = page.deadline_tsc = set_to ? set_to : s->set;
	v->heir = &waiting;
	v->promise_ends_tsc = s->promise;
	set_to = 0;
	timers_program_for_promise(v);
	after.waits = true;
	check(&after);
}

static void in_all_situations(void (*f)(const struct situation *s))
{
	/* Never, past, now, and before and after each other. */
	static const uint64_t times[] = { 0, 90, 100, 110, 120, 130 };
	enum { TIMES = sizeof(times) / sizeof(times[0]) };

	tsc = 100;
	for (unsigned n = 0; n < TIMES * TIMES * TIMES * TIMES * TIMES * TIMES; n++)
		for (int waits = 0; waits < 2; waits++) {
			struct situation s = { .waits = waits };
			unsigned rest = n;
			uint64_t *field[] = { &s.set, &s.timer, &s.others_timer, &s.slice_end,
					      &s.promise, &s.stall };

			for (unsigned i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
				*field[i] = times[rest % TIMES];
				rest /= TIMES;
			}
			f(&s);
		}
}

static void what_is_due_first_is_set(void)
{
	in_all_situations(try);
}

static void what_a_promise_makes_due_is_set(void)
{
	in_all_situations(try_promise);
}

int main(void)
{
	RUN(what_is_due_first_is_set);
	RUN(what_a_promise_makes_due_is_set);
	return check_result();
}
