/* SPDX-License-Identifier: MIT */
/*
 * The ways of a vcore from one place to another (picture in vcore.h).
 *
 * Donation makes a chain.  The root has the SC that pays; each vcore but the running one is
 * DONATING and will go on when the next in the chain halts or replies:
 *
 *	root (DONATING) <--donor-- vcore (DONATING) <--donor-- cpu->current (RUNNING)
 *
 * When the slice ends, or one of them is killed or loses its SC, the whole chain is undone: all are
 * runnable again, each on its own SC.  A donor that gets an event is interrupted like one that runs:
 * the chain is undone as far as that one.
 */
#include "kernel.h"
#include "sched_context.h"

void vcore_place_runnable(struct vcore *vcore, uint64_t now)
{
	struct sched_context *sc = vcore->sc;

	if (!sc || sc->held)
		vcore_move(vcore, vcore_place(vcore), VCORE_WAITING, VCORE_NEVER);
	else if (refills_ready(&sc->refills, now))
		vcore_move(vcore, vcore_place(vcore), VCORE_READY, sc_deadline(sc));
	else
		vcore_move(vcore, vcore_place(vcore), VCORE_WAITING, refills_head(&sc->refills).time);
}

/* The vcore is RUNNING: hand it the CPU. */
static void set_current(struct cpu *cpu, struct vcore *vcore)
{
	cpu->current = vcore;
	vcore_new_token(vcore);
}

/* Nobody runs any more: charge the SC that paid. */
static void stop_paying(struct cpu *cpu, uint64_t now)
{
	struct run *run = &cpu->run;

	run_charge(cpu, run->sc, now);
	run->sc = NULL;
	run->expired = false;
	run->put_off_since = 0;
	cpu->current = NULL;
}

void run_reply(struct cpu *cpu, uint64_t now)
{
	struct vcore *vcore = cpu->current, *donor = vcore->donor;

	vcore->donor = NULL;
	if (vcore->sc)
		refills_unblock(&vcore->sc->refills, now);
	vcore_place_runnable(vcore, now);
	vcore_move(donor, VCORE_DONATING, VCORE_RUNNING, 0);
	set_current(cpu, donor);
}

void run_recall(struct cpu *cpu, const struct vcore *donor, uint64_t now)
{
	while (cpu->current != donor && cpu->current->donor) {
		run_reply(cpu, now);
		(cpu->run.loaded == cpu->current ? cpu->run.frame : &cpu->current->regs)->rax =
			DONATION_CUT_SHORT;
	}
}

void run_dispatch(struct cpu *cpu, struct vcore *vcore)
{
	ASSERT_INVARIANT(!cpu->current && !cpu->run.sc && !cpu->run.expired);
	vcore_move(vcore, VCORE_READY, VCORE_RUNNING, 0);
	cpu->run.sc = vcore->sc;
	cpu->run.used = vcore->sc->owed;
	vcore->sc->owed = 0;
	cpu->stats.switches++;
	set_current(cpu, vcore);
}

void run_leave(struct cpu *cpu, uint64_t now)
{
	struct vcore *vcore;

	run_recall(cpu, NULL, now);
	vcore = cpu->current;
	stop_paying(cpu, now);
	if (!refills_ready(&vcore->sc->refills, now))
		vcore->sc->held = sc_tell_handler(vcore->sc);
	vcore_place_runnable(vcore, now);
	if (vcore_place(vcore) == VCORE_WAITING)
		vcore->events |= EXO_EVENT_BUDGET;
}

void run_halt(struct cpu *cpu, uint64_t now)
{
	struct vcore *vcore = cpu->current, *donor = vcore->donor;

	vcore_move(vcore, VCORE_RUNNING, VCORE_HALTED,
		   vcore->deadline_tsc ? vcore->deadline_tsc : VCORE_NEVER);
	if (donor) {
		vcore->donor = NULL;
		vcore_move(donor, VCORE_DONATING, VCORE_RUNNING, 0);
		set_current(cpu, donor);
	} else {
		stop_paying(cpu, now);
	}
}

void run_donate(struct cpu *cpu, struct vcore *to)
{
	struct vcore *from = cpu->current;
	enum vcore_place place = vcore_place(to);

	if (!place_has_list(place))
		return;
	vcore_move(from, VCORE_RUNNING, VCORE_DONATING, 0);
	vcore_move(to, place, VCORE_RUNNING, 0);
	to->donor = from;
	cpu->stats.switches++;
	set_current(cpu, to);
}

void vcore_wake(struct vcore *vcore, uint64_t now)
{
	ASSERT_INVARIANT(vcore_place(vcore) == VCORE_HALTED);
	if (vcore->sc)
		refills_unblock(&vcore->sc->refills, now);
	vcore_place_runnable(vcore, now);
}

void vcore_start(struct vcore *vcore, uint64_t now)
{
	if (vcore_place(vcore) != VCORE_NEW)
		return;
	upcall_first_entry(vcore, &vcore->regs);
	if (vcore->sc)
		refills_unblock(&vcore->sc->refills, now);
	vcore_place_runnable(vcore, now);
}

/* Before an SC or a vcore's binding changes, nobody may be running on either. */
static void make_idle(struct cpu *cpu, const struct sched_context *sc, const struct vcore *vcore,
		      uint64_t now)
{
	enum vcore_place place = vcore ? vcore_place(vcore) : VCORE_DEAD;

	if (!cpu->current)
		return;
	if (place == VCORE_RUNNING || place == VCORE_DONATING || cpu->run.sc == sc)
		run_leave(cpu, now);
}

/* A vcore whose SC has changed goes where the new one lets it. */
static void set_context(struct vcore *vcore, struct sched_context *sc, uint64_t now)
{
	enum vcore_place place = vcore_place(vcore);

	vcore->sc = sc;
	if (sc) {
		sc->vcore = vcore;
		refills_unblock(&sc->refills, now);
	}
	if (place == VCORE_READY || place == VCORE_WAITING)
		vcore_place_runnable(vcore, now);
}

void vcore_bind(struct cpu *cpu, struct vcore *vcore, uint64_t now)
{
	struct sched_context *sc = atomic_exchange_explicit(&vcore->bind_request, NULL, memory_order_acquire);

	if (!sc)
		return;
	if (!sc->detached && (sc->vcore != vcore || sc->held)) {
		make_idle(cpu, sc, vcore, now);
		sc->held = false;
		if (sc->vcore)
			set_context(sc->vcore, NULL, now);
		if (vcore->sc)
			vcore->sc->vcore = NULL;
		set_context(vcore, sc, now);
	}
	object_put(&sc->object);
}

void sc_reclaim(struct cpu *cpu, struct sched_context *sc, uint64_t now)
{
	make_idle(cpu, sc, sc->vcore, now);
	if (sc->vcore)
		set_context(sc->vcore, NULL, now);
	sc->vcore = NULL;
	run_charge(cpu, sc->parent, now);
	sc_detach(&cpu->run, sc, now);
}

void sc_resize(struct cpu *cpu, struct sched_context *sc, const struct sc_share *to, uint64_t now)
{
	struct vcore *vcore = sc->vcore;

	make_idle(cpu, sc, vcore, now);
	run_charge(cpu, sc->parent, now);
	sc_move_share(&cpu->run, sc, to, now);
	if (vcore && (vcore_place(vcore) == VCORE_READY || vcore_place(vcore) == VCORE_WAITING))
		vcore_place_runnable(vcore, now);
}

/* Every SC that the dead vcore's domain owns on this CPU; there are at most ONE / LEAST. */
static void reclaim_contexts_of(struct cpu *cpu, const struct domain *domain, uint64_t now)
{
	struct sched_context *next;

	for (struct sched_context *sc = cpu->run.contexts; sc; sc = next) {
		next = sc->next;
		if (sc->object.owner == domain && sc->parent)
			sc_reclaim(cpu, sc, now);
	}
}

void vcore_drop_request(struct vcore *vcore)
{
	struct sched_context *bound = atomic_exchange(&vcore->bind_request, NULL);

	if (bound)
		object_put(&bound->object);
}

/* For the other vcores of its domain, if it has any.  Release: they see `ended` last. */
static void leave_registers(const struct run *run, struct vcore *vcore)
{
	struct exo_vcore_page *page = vcore->page;

	if (run->loaded == vcore)
		vcore_save(vcore, run->frame);
	page->last = vcore->regs;
	__atomic_store_n(&page->ended, 1, __ATOMIC_RELEASE);
}

void vcore_kill(struct cpu *cpu, struct vcore *vcore, uint64_t now)
{
	struct run *run = &cpu->run;

	if (vcore_place(vcore) == VCORE_DEAD)
		return;
	make_idle(cpu, NULL, vcore, now);
	reclaim_contexts_of(cpu, vcore->object.owner, now);
	if (vcore->sc)
		vcore->sc->vcore = NULL;
	vcore->sc = NULL;
	vcore_drop_request(vcore);
	tlb_forget_waiter(vcore);

	leave_registers(run, vcore);
	if (run->loaded == vcore)
		run->loaded = NULL;
	if (run->space == vcore->space)
		tlb_load(kernel_root >> EXO_PAGE_SHIFT, NULL, NULL);
	atomic_store_explicit(&vcore->space, NULL, memory_order_release);
	vcore_move(vcore, vcore_place(vcore), VCORE_DEAD, 0);
}
