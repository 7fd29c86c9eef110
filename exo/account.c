/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU's time goes (I7): every tick since cpu_run() is charged to a scheduling context,
 * idle, or the kernel's own.  What the kernel does on behalf of the running vcore is charged to its
 * SC: a domain that calls all the time must not get that time for nothing.  An interrupt is charged to
 * the SC of the vcore that it is for.  `kernel` is what passes with no SC running.
 *
 * Who pays for an interrupt without running may be in a list that its replenishments order: those are
 * not touched.  It owes the time, and is charged for it with what it uses when it runs next.
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
	return !(before & 1) && before == atomic_load_explicit(&of->run.stats_sequence, memory_order_relaxed);
}

/* sc has used `ticks`.  If it runs, too little left to be worth going on counts as spent. */
static void pay(struct cpu *cpu, struct sched_context *sc, uint64_t ticks)
{
	struct run *run = &cpu->run;
	uint64_t consumed = atomic_load_explicit(&sc->consumed, memory_order_relaxed);

	/* I8.  Of one that is detached any CPU may take the frame. */
	ASSERT_INVARIANT(sc->cpu == cpu->number && !sc->detached);
	atomic_store_explicit(&sc->consumed, consumed + ticks, memory_order_relaxed);
	if (sc != run->sc) {
		sc->owed += ticks;
		return;
	}
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
	if (run->served || run->sc) {
		stats->charged += ticks;
		pay(cpu, run->served ? run->served : run->sc, ticks);
	} else if (atomic_load_explicit(&cpu->idle, memory_order_relaxed)) {
		stats->idle += ticks;
	} else {
		stats->kernel += ticks;
	}
	run->stamp += ticks;
	stats->elapsed += ticks;
	stats_turn(run);
	ASSERT_INVARIANT(stats->charged + stats->idle + stats->kernel == stats->elapsed);
}

void run_serve(struct cpu *cpu, uint64_t now)
{
	struct run *run = &cpu->run;
	/* Acquire: it is there until it is taken from the list, which only this CPU does. */
	const struct vcore *v = atomic_load_explicit(&run->rung, memory_order_acquire);

	/* Or else it is for the first whose timer or replenishment is due. */
	for (enum vcore_place p = 0; !v && p < VCORE_PLACES; p++)
		if (p != VCORE_READY && run->lists[p] && run->lists[p]->sort_key <= now)
			v = run->lists[p];
	if (!v || !v->sc || v->sc == run->sc)
		return;
	run->served = v->sc;
	run->attention = true;
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
