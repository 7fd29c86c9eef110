/* SPDX-License-Identifier: MIT */
/*
 * Race amplification: at the points where CPUs meet (locks, wakes, mailboxes, switches, idling) a CPU
 * sometimes stands still for a while, the task is preempted as soon as it may be, or one that waits is
 * sent to another CPU.  What needs a rare order of events then sees it often.
 *
 * Each CPU draws its own numbers, masked: a CPU's next number is a function of the seed and of what the
 * CPU did before.  With -icount the machine has one order of events, and the seed repeats it.
 */
#include "core/cpu.h"
#include "core/lock.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "debug/inject.h"
#include "debug/random.h"
#include "sched/place.h"

/* One of so many points. */
#define DELAYED 16
#define DELAYED_LONG 1024
#define PREEMPTED 32
#define MOVED 32

/* In TSC ticks.  The longest is far below the time that one may be masked. */
#define SHORT_TICKS 4096
#define LONG_TICKS 1048576

uint64_t races_seed;

static uint64_t drawn[EXO_CPUS_MAX]; /* each CPU its own, masked */

void races_init(uint64_t seed)
{
	races_seed = seed;
	if (seed)
		log_print("libos: races=%lu\n", seed);
}

static uint64_t draw(const struct vcore *v)
{
	return random_mixed(races_seed ^ (uint64_t)v->cpu << 56 ^ drawn[v->cpu]++);
}

static void stand_still(uint64_t ticks)
{
	uint64_t start = rdtsc();

	while (rdtsc() - start < ticks)
		__builtin_ia32_pause();
}

void race_here(void)
{
	uint64_t number, ticks = 0;
	struct vcore *v;

	if (!races_seed)
		return;
	upcalls_mask();
	v = this_vcore();
	number = draw(v);
	if (number % PREEMPTED == 0 && task_may_be_preempted(v->current))
		v->need_resched = true;
	number >>= 16;
	if (number % DELAYED == 0)
		ticks = number >> 32 & (SHORT_TICKS - 1);
	if (number % DELAYED_LONG == 0)
		ticks = number >> 32 & (LONG_TICKS - 1);
	if (ticks)
		stand_still(ticks);
	upcalls_unmask();
}

/* As if its affinity had been changed, and back: to any other CPU that it may run on. */
void race_with(struct vcore *v)
{
	uint64_t number, others;
	struct task *t;
	unsigned cpu;

	if (!races_seed)
		return;
	number = draw(v);
	others = atomic_load(&online_cpus) & ~(1ul << v->cpu);
	if (number % MOVED != 0 || !others)
		return;
	cpu = (unsigned)(number >> 32) % vcore_count;
	if (!(others >> cpu & 1))
		cpu = (unsigned)__builtin_ctzl(others);
	t = run_queue_steal(v, cpu);
	if (!t)
		return;
	task_move(t, PLACE_QUEUED, PLACE_MAILBOX);
	t->message = MESSAGE_MIGRATE;
	v->stats.migrations_out++;
	task_send(v, t, cpu);
}
