/* SPDX-License-Identifier: MIT */
/* libos/core/mailbox.c, libos/core/task_state.c, and included below: no task waits while a CPU that may
 * run it sleeps (libos/core/idle.c has the argument)
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
#include "../../libos/core/wake.c"
#include "../../libos/sched/messages.c"
#include "../../libos/sched/place.c"

#define CPUS 3

struct vcore vcores[EXO_CPUS_MAX];
unsigned vcore_count;
static struct exo_vcore_page pages[CPUS];
static struct task runner, second;
static struct list queue[CPUS];
static _Atomic bool is_taken; /* the second task has come to another CPU */

/* ---------------------------------------------------------------- what they call */

static bool is_rung(void *cpu)
{
	return pages[(uintptr_t)cpu].pending || is_taken;
}

static int64_t halt_until_rung(uint64_t token, uint64_t deadline_tsc)
{
	explore_wait(is_rung, (void *)(uintptr_t)explore_self(), "halts");
	return 0;
}

void vcore_ring_if(unsigned cpu, bool first)
{
	if (first)
		__atomic_fetch_or(&pages[cpu].pending, EXO_EVENT_DOORBELL, __ATOMIC_ACQ_REL);
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	EXPLORE_CHECK(task_state(t) == TASK_RUNNABLE && task_place(t) == PLACE_QUEUED);
	list_push_back(&queue[v->cpu], &t->ready_link);
	atomic_fetch_add(&v->queue.count, 1);
	if (v->cpu != 0)
		atomic_store(&is_taken, true);
}

void run_queue_remove(struct vcore *v, struct task *t)
{
	list_remove(&t->ready_link);
	atomic_fetch_sub_explicit(&v->queue.count, 1, memory_order_relaxed);
}

struct task *run_queue_steal(struct vcore *v, unsigned thief)
{
	struct task *t;

	if (list_empty(&queue[v->cpu]))
		return NULL;
	t = list_entry(queue[v->cpu].next, struct task, ready_link);
	run_queue_remove(v, t);
	return t;
}

bool run_queue_has_opinion(const struct vcore *v)
{
	return false;
}

int run_queue_select_cpu(struct vcore *v, struct task *t, int prev, enum sched_why why)
{
	return -1;
}

unsigned sched_cpu_queued(int cpu)
{
	return atomic_load_explicit(&vcores[cpu].queue.count, memory_order_relaxed);
}

bool sched_allowed(const struct task *t, int cpu)
{
	return true;
}

void timers_program(struct vcore *v)
{
}

void donation_deliver(struct vcore *v, struct task *t)
{
	explore_fail("nobody donates here");
}

void donation_signalled(struct vcore *v, struct task *t)
{
}

void trace_record(struct vcore *v, enum trace_kind kind, uint32_t task, unsigned detail,
		  unsigned number, uint64_t value)
{
}

void upcalls_mask(void)
{
}

void upcalls_unmask(void)
{
}

void switch_away(enum sched_why why)
{
	explore_fail("nobody sleeps here");
}

void wait_begin(void)
{
	explore_fail("nobody sleeps here");
}

void wait_cancel(void)
{
	explore_fail("nobody sleeps here");
}

struct task *task_get(struct task_ref ref)
{
	explore_fail("nobody calls here");
}

void task_put(struct task *t)
{
}

_Noreturn void libos_panic(const char *why, ...)
{
	explore_fail("%s", why);
}

/* ---------------------------------------------------------------- the cases */

static void setup(unsigned cpus)
{
	memset(vcores, 0, sizeof(vcores[0]) * CPUS);
	memset(pages, 0, sizeof(pages));
	memset(&runner, 0, sizeof(runner));
	memset(&second, 0, sizeof(second));
	idle_cpus = 0;
	is_taken = false;
	vcore_count = cpus;
	runner.affinity = second.affinity = ~0ul;
	second.state = TASK_RUNNABLE;
	second.where = PLACE_QUEUED;
	list_init(&second.ready_link);
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		vcores[cpu].cpu = (int32_t)cpu;
		vcores[cpu].page = &pages[cpu];
		vcores[cpu].mask_depth = 1;
		list_init(&queue[cpu]);
		explore_name(&vcores[cpu].mailbox, sizeof(vcores[cpu].mailbox), "mailbox");
		explore_name(&vcores[cpu].queue.count, sizeof(vcores[cpu].queue.count), "count");
		explore_name(&pages[cpu].pending, sizeof(pages[cpu].pending), "pending");
	}
	vcores[0].current = &runner;
	explore_name(&idle_cpus, sizeof(idle_cpus), "idle_cpus");
	explore_name(&is_taken, sizeof(is_taken), "is_taken");
	explore_name(&second, sizeof(second), "task");
	explore_name(queue, sizeof(queue), "queues");
}

static void setup_two(void)
{
	setup(2);
}

static void setup_three(void)
{
	setup(3);
}

static void take_events(struct vcore *v)
{
	__atomic_exchange_n(&v->page->pending, 0, __ATOMIC_ACQ_REL);
	messages_drain(v);
}

static void queue_and_offer(unsigned cpu)
{
	struct vcore *v = &vcores[cpu];

	if (cpu == 0) {
		run_queue_add(v, &second, SCHED_WOKEN);
		place_offer(v, &second);
		while (!atomic_load(&is_taken)) {
			explore_wait(is_rung, NULL, "runs on, and takes events");
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
	EXPLORE_CHECK(is_taken && second.home != 0 && vcores[second.home].queue.count == 1);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "an_idle_cpu_gets_what_waits", 2, 2, 1, setup_two, queue_and_offer,
		  another_cpu_has_it, NULL },
		{ "one_of_two_idle_cpus_gets_it", 3, 1, 0, setup_three, queue_and_offer,
		  another_cpu_has_it, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
