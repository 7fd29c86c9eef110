/* SPDX-License-Identifier: MIT */
/*
 * How many tasks run or could run, averaged over one, five and fifteen minutes.
 *
 * The CPU that started it looks every five seconds.  Each look takes from the old average the share
 * e^(-5 s / period), with Linux's fixed point and factors, so that the numbers compare.
 */
#include <stdatomic.h>
#include "core/vcore.h"
#include "time/time.h"
#include "time/timespec.h"

#define LOOK_NS (5 * NS_PER_SECOND)
#define ONE (1ul << LOAD_SHIFT)

static const uint32_t kept[LOAD_AVERAGES] = { 1884, 2014, 2037 };

static struct timer look_timer;
/* The CPU that looks; others may read them at any time. */
static _Atomic uint64_t averages[LOAD_AVERAGES];

/* Each CPU's share is a hint, and may be a moment old. */
static uint64_t tasks_now(void)
{
	uint64_t tasks = 0;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		const struct vcore *v = vcore_of(cpu);

		tasks += atomic_load_explicit(&v->queue.count, memory_order_relaxed);
		tasks += *(struct task *const volatile *)&v->current != NULL;
	}
	return tasks;
}

/* Rounds up while the load grows and down while it falls: so it reaches both the load and 0. */
static void look(struct timer *timer)
{
	uint64_t now = tasks_now() * ONE;

	for (int i = 0; i < LOAD_AVERAGES; i++) {
		uint64_t old = atomic_load_explicit(&averages[i], memory_order_relaxed);
		uint64_t sum = old * kept[i] + now * (ONE - kept[i]);

		atomic_store_explicit(&averages[i], (sum + (now >= old ? ONE - 1 : 0)) / ONE,
				      memory_order_relaxed);
	}
	timer_arm(timer, timer->deadline_ns + LOOK_NS);
}

void load_average_start(void)
{
	look_timer.fire = look;
	timer_arm(&look_timer, time_now_ns() + LOOK_NS);
}

void load_average(uint64_t out[LOAD_AVERAGES])
{
	for (int i = 0; i < LOAD_AVERAGES; i++)
		out[i] = atomic_load_explicit(&averages[i], memory_order_relaxed);
}
