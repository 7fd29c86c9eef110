/* SPDX-License-Identifier: MIT */
/*
 * The one way out of the kernel.
 *
 * Everything that happens on a CPU, an interrupt, a call, another CPU's request, only leaves a
 * mark; here, and nowhere else, the marks become moves of vcores, one vcore is chosen, and its
 * registers are loaded.  So a vcore is never charged, queued or put to sleep in the middle of
 * something that goes on to use it.
 *
 * READY is ordered by deadline (replenishment plus period): as the shares of a CPU never sum to
 * more than one, earliest deadline first gives each vcore its budget in each of its periods.
 */
#include "kernel.h"
#include "sched_context.h"

/* What the current vcore's call asked for. */
static void grant_wish(struct cpu *cpu, uint64_t now)
{
	struct run *run = &cpu->run;
	enum run_wish wish = run->wish;

	run->wish = RUN_GO_ON;
	switch (wish) {
	case RUN_GO_ON:
		break;
	case RUN_HALT:
		run_halt(cpu, now);
		break;
	case RUN_DONATE:
		run_donate(cpu, run->wish_vcore);
		object_put(&run->wish_vcore->object);
		break;
	case RUN_REPLY:
		run_reply(cpu, now);
		break;
	case RUN_RECLAIM:
		sc_reclaim(cpu, run->wish_sc, now);
		debug_release(run->wish_sc->object.frame);
		break;
	case RUN_RESIZE:
		sc_resize(cpu, run->wish_sc, &run->wish_share, now);
		break;
	}
}

/*
 * Events and requests, from this CPU and others, one pass: what is rung meanwhile has sent its
 * own interrupt.  The link is read before `latched` is cleared, for after that another CPU may
 * push the vcore again.  A dead vcore is not touched after that either: its frame may be gone.
 */
static void take_rung(struct cpu *cpu, uint64_t now)
{
	struct vcore *v = NULL, *next;

	if (atomic_load_explicit(&cpu->run.rung, memory_order_relaxed))
		v = atomic_exchange_explicit(&cpu->run.rung, NULL, memory_order_acquire);
	for (; v; v = next) {
		bool dead = vcore_place(v) == VCORE_DEAD;
		uint64_t latched;

		next = v->rung_next;
		if (dead)
			vcore_drop_request(v);
		latched = atomic_exchange_explicit(&v->latched, 0, memory_order_acq_rel);
		if (dead)
			continue;
		trace("rung", v->object.owner->id, latched);
		v->events |= (uint32_t)latched;
		if (latched & VCORE_REQUEST_KILL) {
			vcore_kill(cpu, v, now);
			continue;
		}
		if (latched & VCORE_REQUEST_BIND)
			vcore_bind(cpu, v, now);
		if (latched & VCORE_REQUEST_START)
			vcore_start(v, now);
		if (v->events && vcore_place(v) == VCORE_HALTED)
			vcore_wake(v, now);
	}
}

/* Timers of the vcores that are here, and replenishments. */
static void take_due(struct cpu *cpu, uint64_t now)
{
	struct vcore **lists = cpu->run.lists, *first;

	for (struct vcore *v = cpu->current; v; v = v->donor)
		if (v->deadline_tsc && v->deadline_tsc <= now)
			timer_expire(v);
	while ((first = lists[VCORE_HALTED]) && first->sort_key <= now) {
		timer_expire(first);
		vcore_wake(first, now);
	}
	while ((first = lists[VCORE_WAITING]) && first->sort_key <= now)
		vcore_place_runnable(first, now);
}

/* Of those that have donated, the first in the chain that an event waits for; NULL: none. */
static const struct vcore *called_donor(const struct cpu *cpu)
{
	const struct vcore *called = NULL;

	for (const struct vcore *v = cpu->current->donor; v; v = v->donor)
		if (v->events)
			called = v;
	return called;
}

/* A masked vcore may hold a lock that others spin on: it is left alone until it is unmasked, but not
 * for longer than the limit, and who runs it pays for it. */
static bool is_put_off(struct cpu *cpu, uint64_t now)
{
	struct run *run = &cpu->run;

	if (!vcore_is_masked(cpu->current)) {
		run->put_off_since = 0;
		return false;
	}
	if (!run->put_off_since)
		run->put_off_since = now;
	return now - run->put_off_since < run->masked_limit;
}

/* Must the current vcore give up the CPU, or give it back? */
static void interrupt_current(struct cpu *cpu, uint64_t now)
{
	struct run *run = &cpu->run;
	const struct vcore *first = run->lists[VCORE_READY], *called = called_donor(cpu);
	bool leaves = run->expired || (first && first->sort_key < sc_deadline(run->sc));

	if (!leaves && !called)
		run->put_off_since = 0;
	else if (is_put_off(cpu, now))
		return;
	else if (leaves)
		run_leave(cpu, now);
	else
		run_recall(cpu, called, now);
}

static void choose(struct cpu *cpu, uint64_t now)
{
	struct vcore *first;

	if (cpu->current)
		interrupt_current(cpu, now);
	first = cpu->run.lists[VCORE_READY];
	if (!cpu->current && first)
		run_dispatch(cpu, first);
	ASSERT_INVARIANT(places_ok(cpu));
	ASSERT_INVARIANT(!cpu->current == !cpu->run.sc);
	ASSERT_INVARIANT(!cpu->run.sc || refills_ok(&cpu->run.sc->refills));
}

/*
 * Nothing to run.  The processor keeps the registers of the last vcore, in case it is the next.
 *
 * Why no request is slept through: `rung` and `attention` are looked at with interrupts off, and
 * whoever changes them afterwards sends an interrupt, which ends the HLT or keeps it from
 * beginning (rung.c).  TLB: who publishes an epoch either sees `idle` and does not wait for us,
 * or we are interrupted; tlb_catch_up() on the way out looks again (tlb_epoch.c).
 */
static void idle(struct cpu *cpu)
{
	struct run *run = &cpu->run;

	run_account(cpu, tsc_read());
	run->served = NULL;
	trace("idle", run->armed, 0);
	atomic_store(&cpu->idle, true);
	debug_entry_ends();
	while (!run_has_work(run))
		cpu_idle_wait();
	debug_entry_begins(0);
	run_account(cpu, tsc_read());
	atomic_store(&cpu->idle, false);
}

/* Nothing is saved or loaded when the vcore that was here goes on. */
static struct exo_regs *load(struct cpu *cpu)
{
	struct run *run = &cpu->run;
	struct vcore *vcore = cpu->current;
	struct space *space = vcore->space;

	tlb_load(space->root, space, space->shared);
	if (run->loaded == vcore)
		return run->frame;
	if (run->loaded)
		vcore_save(run->loaded, run->frame);
	run->loaded = vcore;
	run->frame = &vcore->regs;
	vcore_restore(vcore);
	cpu->entries = vcore->object.owner->entries;
	trace("switch", vcore->object.owner->id, run->sc->object.frame);
	return run->frame;
}

static struct exo_regs *exit_with_work(struct cpu *cpu, struct exo_regs *regs)
{
	struct run *run = &cpu->run;
	uint64_t now;

	run->frame = regs;
	do {
		now = tsc_read();
		run_account(cpu, now);
		run->attention = false;
		grant_wish(cpu, now);
		take_rung(cpu, now);
		take_due(cpu, now);
		choose(cpu, now);
		if (cpu->current)
			upcall_deliver(cpu->current, load(cpu), run->masked_limit);
		timer_set(cpu, now);
		if (!cpu->current && !run->attention)
			idle(cpu);
	} while (!cpu->current || run->attention);
	if (run->served)
		run_account(cpu, tsc_read());
	run->served = NULL;
	tlb_catch_up();
	return run->frame;
}

struct exo_regs *run_exit(struct exo_regs *regs)
{
	struct cpu *cpu = this_cpu();

	if (!run_has_work(&cpu->run))
		tlb_catch_up();
	else
		regs = exit_with_work(cpu, regs);
	debug_entry_ends();
	return regs;
}

_Noreturn void cpu_run(void)
{
	struct cpu *cpu = this_cpu();
	struct run *run = &cpu->run;

	run->masked_limit = RUN_MASKED_LIMIT_NS / 1000000 * cpu->tsc_khz;
	run->recheck = RUN_RECHECK_NS / 1000 * cpu->tsc_khz / 1000;
	run->stamp = tsc_read();
	trap_return(exit_with_work(cpu, NULL));
}
