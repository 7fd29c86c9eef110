/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU's time goes (I7): every tick since cpu_run() is charged to a scheduling context,
 * idle, or the kernel's own.  What the kernel does on behalf of the running vcore, its calls and
 * the interrupts that meet it, is charged to its SC: a domain that calls all the time must not
 * get that time for nothing.  `kernel` is what passes with no SC running.
 */
#include "kernel.h"
#include "sched_context.h"

/*
 * The counters as others see them: a reader that finds the sequence odd, or changed, tries again.
 * The fences order the counters between the two changes of the sequence, on both sides.
 */
static void stats_turn(struct run *run)
{
	uint32_t sequence = atomic_load_explicit(&run->stats_sequence, memory_order_relaxed);

	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&run->stats_sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

bool run_stats(struct cpu *of, struct exo_cpu_stats *out)
{
	uint32_t before = atomic_load_explicit(&of->run.stats_sequence, memory_order_acquire);

	*out = of->stats;
	atomic_thread_fence(memory_order_acquire);
	return !(before & 1) &&
	       before == atomic_load_explicit(&of->run.stats_sequence, memory_order_relaxed);
}

/* The running SC has used `ticks`.  Too little left to be worth going on counts as spent. */
static void pay(struct cpu *cpu, struct sched_context *sc, uint64_t ticks)
{
	struct run *run = &cpu->run;
	uint64_t consumed = atomic_load_explicit(&sc->consumed, memory_order_relaxed);

	ASSERT_INVARIANT(sc->cpu == cpu->number); /* I8 */
	atomic_store_explicit(&sc->consumed, consumed + ticks, memory_order_relaxed);
	run->used += ticks;
	if (cpu->current)
		cpu->current->cpu_time += ticks;
	if (!refills_round_robin(&sc->refills) &&
	    run->used + sc->refills.least >= refills_head(&sc->refills).amount) {
		run->expired = true;
		run->attention = true;
	}
}

void run_account(struct cpu *cpu, uint64_t now)
{
	struct run *run = &cpu->run;
	struct exo_cpu_stats *stats = &cpu->stats;
	/* A TSC that is read behind itself (a virtual machine that moved) counts as standing still. */
	uint64_t ticks = now > run->stamp ? now - run->stamp : 0;

	stats_turn(run);
	if (atomic_load_explicit(&cpu->idle, memory_order_relaxed)) {
		stats->idle += ticks;
	} else if (run->sc) {
		stats->charged += ticks;
		pay(cpu, run->sc, ticks);
	} else {
		stats->kernel += ticks;
	}
	run->stamp += ticks;
	stats->elapsed += ticks;
	stats_turn(run);
	ASSERT_INVARIANT(stats->charged + stats->idle + stats->kernel == stats->elapsed);
}

void run_charge(struct cpu *cpu, struct sched_context *sc, uint64_t now)
{
	struct run *run = &cpu->run;

	if (run->sc != sc)
		return;
	refills_charge(&sc->refills, run->used, now);
	run->used = 0;
	run->expired = !refills_ready(&sc->refills, now);
}
