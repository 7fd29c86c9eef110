/* SPDX-License-Identifier: MIT */
/* libos/core/mailbox.c, libos/core/task_state.c, and included below: no task waits while a CPU that may
 * run it sleeps (libos/core/idle.c has the argument), also if that has looked for a while before, and so
 * was not rung (libos/core/mailbox.h)
 *
 * CPU 0 runs a task for ever and gets a second one into its queue; the others have nothing to do.  The
 * run queues hold what they are given, in order; all else is as it ships.
 */
#include <string.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "explore.h"

static int64_t halt_until_rung(uint64_t token, uint64_t deadline_tsc);
#define exo_halt halt_until_rung
#include "../../libos/core/idle.c"
#undef exo_halt
static uint64_t clock_read(void);
#define rdtsc clock_read
#include "../../libos/core/idle_poll.c"
#undef rdtsc
#include "../../libos/core/wake.c"
#include "../../libos/sched/messages.c"
#include "../../libos/sched/place.c"
#include "libos_awake.h"
#include "libos_queues.h"

static struct task runner, second;
static _Atomic bool is_taken; /* the second task has come to another CPU */

/* ---------------------------------------------------------------- what they call */

static bool may_go_on(void *cpu)
{
	return is_rung(cpu) || is_taken;
}

static int64_t halt_until_rung(uint64_t token, uint64_t deadline_tsc)
{
	explore_wait(may_go_on, (void *)(uintptr_t)explore_self(), "halts");
	return 0;
}

/* Each CPU's own clock: two looks take the time for which one looks. */
static uint64_t clocks[CPUS];

static uint64_t clock_read(void)
{
	return clocks[explore_self()] += JUMP_NS;
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	queue_add(v, t);
	if (v->cpu != 0)
		atomic_store(&is_taken, true);
}

/* ---------------------------------------------------------------- the cases */

static void setup(unsigned cpus)
{
	queues_setup(cpus);
	memset(&runner, 0, sizeof(runner));
	memset(&second, 0, sizeof(second));
	is_taken = false;
	runner.affinity = second.affinity = ~0ul;
	second.state = TASK_RUNNABLE;
	second.where = PLACE_QUEUED;
	list_init(&second.ready_link);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		vcore_of(cpu)->mask_depth = 1;
	vcore_of(0)->current = &runner;
	explore_name(&is_taken, sizeof(is_taken), "is_taken");
	explore_name(&second, sizeof(second), "task");
}

static void setup_two(void)
{
	setup(2);
}

/* CPU 1 looks before it halts. */
static void setup_look(void)
{
	setup(2);
	memset(clocks, 0, sizeof(clocks));
	somebody_looks = false;
	vcore_of(1)->poll_ns = 2 * JUMP_NS;
	for (unsigned cpu = 0; cpu < 2; cpu++)
		vcore_of(cpu)->page->budget_end_tsc = UINT64_MAX;
	explore_name(clocks, sizeof(clocks), "clocks");
	explore_name(&somebody_looks, sizeof(somebody_looks), "somebody_looks");
}

static void setup_three(void)
{
	setup(3);
}

static void take_events(struct vcore *v)
{
	ring_take(v);
	messages_drain(v);
}

static void queue_and_offer(unsigned cpu)
{
	struct vcore *v = vcore_of(cpu);

	if (cpu == 0) {
		run_queue_add(v, &second, SCHED_WOKEN);
		place_offer(v, &second);
		while (!atomic_load(&is_taken)) {
			explore_wait(may_go_on, NULL, "runs on, and takes events");
			take_events(v);
		}
		return;
	}
	while (!atomic_load(&is_taken)) {
		take_events(v);
		if (!atomic_load(&is_taken))
			idle(v, 0);
	}
}

static void another_cpu_has_it(void)
{
	EXPLORE_CHECK(is_taken && second.home != 0 && vcore_of(second.home)->queue.count == 1);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "an_idle_cpu_gets_what_waits", 2, 2, 1, setup_two, queue_and_offer,
		  another_cpu_has_it, NULL },
		{ "an_idle_cpu_that_looks_gets_it", 2, 2, 1, setup_look, queue_and_offer,
		  another_cpu_has_it, NULL },
		{ "one_of_two_idle_cpus_gets_it", 3, 1, 0, setup_three, queue_and_offer,
		  another_cpu_has_it, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
