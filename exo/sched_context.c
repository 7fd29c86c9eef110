/* SPDX-License-Identifier: MIT */
/* The tree of scheduling contexts of each CPU, and the calls on it. */
#include "kernel.h"
#include "sched_context.h"
#include "calls.h"

/* A head that would run for less than this many microseconds is merged with the next one: less
 * than a few interrupts cost is not worth a dispatch. */
#define LEAST_SLICE_US 20

/* Nanoseconds are at most SC_PERIOD_MOST_NS (34 bits) and rates below 2^24 kHz: no overflow. */
static uint64_t ticks_of_ns(const struct cpu *cpu, uint64_t ns)
{
	return ns * cpu->tsc_khz / 1000000;
}

static uint64_t ns_of_ticks(const struct cpu *cpu, uint64_t ticks)
{
	return ticks / cpu->tsc_khz * 1000000 + ticks % cpu->tsc_khz * 1000000 / cpu->tsc_khz;
}

/* Rounded up; 2^34 << 24 fits. */
static uint64_t share_of(uint64_t budget_ns, uint64_t period_ns)
{
	return ((budget_ns << SC_SHARE_BITS) + period_ns - 1) / period_ns;
}

/* Rounded down; a period is below 2^40 ticks. */
static uint64_t budget_of(uint64_t share, uint64_t period_ticks)
{
	return share * period_ticks >> SC_SHARE_BITS;
}

/* Debug: the shares of a CPU sum to one, and each budget is within its share. */
static bool shares_ok(const struct run *run)
{
	uint64_t sum = 0;

	for (const struct sched_context *sc = run->contexts; sc; sc = sc->next) {
		if (sc->refills.budget > budget_of(sc->share, sc->refills.period))
			return false;
		sum += sc->share;
	}
	return sum == SC_SHARE_ONE;
}

/* In a claimed frame; alive, with a reference that the caller holds. */
static struct sched_context *sc_init(struct cpu *cpu, struct domain *owner, uint64_t frame,
				     uint64_t budget, uint64_t period, uint64_t now)
{
	struct sched_context *sc = frame_pointer(frame);

	frame_zero(frame);
	sc->cpu = cpu->number;
	refills_init(&sc->refills, budget, period, LEAST_SLICE_US * cpu->tsc_khz / 1000, now);
	sc->next = cpu->run.contexts;
	cpu->run.contexts = sc;
	object_init(&sc->object, OBJECT_SC, owner, frame);
	return sc;
}

struct sched_context *sc_init_root(struct domain *owner, uint64_t frame, unsigned cpu_number)
{
	struct cpu *cpu = cpu_by_number(cpu_number);
	uint64_t period = ticks_of_ns(cpu, SC_ROOT_PERIOD_NS);
	struct sched_context *sc = sc_init(cpu, owner, frame, period, period, 0);

	sc->share = SC_SHARE_ONE;
	return sc;
}

void sc_detach(struct run *run, struct sched_context *sc, uint64_t now)
{
	struct sched_context *parent = sc->parent, **link = &run->contexts;

	ASSERT_INVARIANT(!sc->vcore && run->sc != sc);
	if (run->served == sc)
		run->served = NULL;
	/* What was split from it came later, and so stands before it. */
	while (*link != sc) {
		if ((*link)->parent == sc)
			(*link)->parent = parent;
		link = &(*link)->next;
	}
	*link = sc->next;
	parent->share += sc->share;
	refills_resize(&parent->refills, budget_of(parent->share, parent->refills.period), now);
	sc->parent = NULL;
	sc->share = 0;
	ASSERT_INVARIANT(shares_ok(run));
	/* Release: whoever sees it may take the object apart. */
	atomic_store_explicit(&sc->detached, true, memory_order_release);
}

void sc_move_share(struct run *run, struct sched_context *sc, const struct sc_share *to, uint64_t now)
{
	struct sched_context *parent = sc->parent;

	parent->share += sc->share - to->share;
	sc->share = to->share;
	refills_change(&sc->refills, to->budget, to->period, now);
	refills_resize(&parent->refills, budget_of(parent->share, parent->refills.period), now);
	ASSERT_INVARIANT(shares_ok(run));
}

/* Can the parent do without this share, when it has got back what was split from it before? */
static int check_admission(const struct cpu *cpu, const struct sched_context *parent, uint64_t back,
			   const struct sc_share *wanted)
{
	uint64_t has = parent->share + back, rest;

	if (has < wanted->share + SC_SHARE_LEAST)
		return -EBUSY;
	rest = budget_of(has - wanted->share, parent->refills.period);
	return rest < ticks_of_ns(cpu, SC_BUDGET_LEAST_NS) ? -EBUSY : 0;
}

static int decode_share(const struct cpu *cpu, uint64_t budget_ns, uint64_t period_ns, struct sc_share *out)
{
	if (period_ns < SC_PERIOD_LEAST_NS || period_ns > SC_PERIOD_MOST_NS ||
	    budget_ns < SC_BUDGET_LEAST_NS || budget_ns > period_ns)
		return -EINVAL;
	out->share = share_of(budget_ns, period_ns);
	out->period = ticks_of_ns(cpu, period_ns);
	/* The second loses a tick in rounding. */
	out->budget = min(ticks_of_ns(cpu, budget_ns), budget_of(out->share, out->period));
	return out->share < SC_SHARE_LEAST ? -EINVAL : 0;
}

static int decode_split(const struct cpu *cpu, const struct exo_regs *regs,
			const struct sched_context *parent, struct sc_share *plan, struct creation *making)
{
	int error = decode_share(cpu, regs->rdx, regs->r10, plan);

	if (error)
		return error;
	if (parent->cpu != cpu->number)
		return -EXDEV;
	error = check_admission(cpu, parent, 0, plan);
	*making = (struct creation){ .count = 1, .frames = { regs->rsi } };
	return error ? error : creation_begin(making, EXO_FRAME_KERNEL);
}

/*
 * What the child has at first is no more than what its parent's budget loses by it, and not before that could
 * have been used: else who splits, uses, reclaims and splits again would have a new budget each time.
 */
__attribute__((cold)) int64_t call_sc_split(struct exo_regs *regs, struct handle_view *h)
{
	struct cpu *cpu = this_cpu();
	struct sc_share plan;
	struct creation making;
	struct sched_context *parent = h->sc, *child;
	struct refills *from = &parent->refills;
	uint64_t now, rest;
	exo_handle handle;
	int error = decode_split(cpu, regs, parent, &plan, &making);

	if (error)
		return error;
	now = tsc_read();
	run_account(cpu, now);
	run_charge(cpu, parent, now);
	parent->share -= plan.share;
	rest = budget_of(parent->share, from->period);
	child = sc_init(cpu, domain_current(), regs->rsi, min(from->budget - rest, plan.budget),
			plan.period, from->ring[(from->head + from->count - 1) % REFILLS_MAX].time);
	refills_change(&child->refills, plan.budget, plan.period, now);
	child->parent = parent;
	child->share = plan.share;
	refills_resize(from, rest, now);
	ASSERT_INVARIANT(shares_ok(&cpu->run));
	cpu->run.attention = true; /* the end of the running budget has moved */

	handle = creation_finish(&making, OBJECT_SC);
	object_put(&child->object);
	return handle;
}

/* (SC, vcore), on any CPU: the vcore's own commits it (vcore_bind). */
int64_t call_sc_bind(struct exo_regs *regs, struct handle_view *h)
{
	struct sched_context *none = NULL;
	struct vcore *vcore = h[1].vcore;

	if (vcore->cpu != h->sc->cpu)
		return -EINVAL;
	if (!atomic_compare_exchange_strong(&vcore->bind_request, &none, h->sc))
		return -EBUSY;
	h->kept = true; /* by the request */
	vcore_ring(vcore, VCORE_REQUEST_BIND);
	/* Why no request keeps the SC of a dead vcore.  If we do not find it dead here, it died after
	 * it was rung: so the request was there when it was killed, or it is still in the stack, and
	 * take_rung() drops what a dead one brings along. */
	if (vcore_place(vcore) == VCORE_DEAD)
		vcore_drop_request(vcore);
	return 0;
}

int64_t call_sc_reclaim(struct exo_regs *regs, struct handle_view *h)
{
	struct cpu *cpu = this_cpu();

	/* Acquire: its CPU does not touch it any more. */
	if (atomic_load_explicit(&h->sc->detached, memory_order_acquire)) {
		h->kept = object_word_retire(h->object_frame);
		if (h->kept)
			debug_release(h->object_frame);
		return h->kept ? 0 : -EBUSY;
	}
	if (h->sc->cpu != cpu->number)
		return -EXDEV;
	if (!h->sc->parent)
		return -EPERM;
	if (!object_word_retire(h->object_frame))
		return -EBUSY;
	h->kept = true;
	cpu->run.wish = RUN_RECLAIM;
	cpu->run.wish_sc = h->sc;
	cpu->run.attention = true;
	return 0;
}

/* (SC, vcore or 0, word) */
int64_t call_sc_timeout(struct exo_regs *regs, struct handle_view *h)
{
	struct handle_view handler = { .kept = true };
	int error = 0;

	if (h->sc->cpu != this_cpu()->number)
		return -EXDEV;
	if (regs->rsi)
		error = handle_view(domain_current(), regs->rsi, OBJECT_VCORE, EXO_RIGHT_MANAGE, &handler);
	if (error)
		return error;
	h->sc->timeout = (struct timeout){ handler.object_frame, handler.object_generation, regs->rdx };
	handle_view_put(&handler);
	return 0;
}

/* The handler's domain may be dying on another CPU just now; then nobody answers, as when it does not
 * wish to: whoever named it can bind the SC again. */
bool sc_tell_handler(const struct sched_context *sc)
{
	const struct timeout *timeout = &sc->timeout;
	struct vcore *handler = frame_pointer(timeout->frame);
	uint64_t consumed = atomic_load_explicit(&sc->consumed, memory_order_relaxed);
	bool told;

	if (!timeout->generation || !object_word_get(timeout->frame, timeout->generation))
		return false;
	told = handler != sc->vcore && !atomic_load(&handler->object.owner->dying) &&
	       mailbox_post(handler, EXO_MESSAGE_TIMEOUT, timeout->word,
			    ns_of_ticks(this_cpu(), consumed), sc->cpu) == 0;
	object_word_put(timeout->frame);
	return told;
}

/* (SC, budget_ns, period_ns) */
int64_t call_sc_resize(struct exo_regs *regs, struct handle_view *h)
{
	struct cpu *cpu = this_cpu();
	struct run *run = &cpu->run;
	struct sc_share plan;
	int error = decode_share(cpu, regs->rsi, regs->rdx, &plan);

	if (error)
		return error;
	if (h->sc->cpu != cpu->number)
		return -EXDEV;
	if (!h->sc->parent)
		return -EPERM;
	error = check_admission(cpu, h->sc->parent, h->sc->share, &plan);
	if (error)
		return error;
	run->wish_share = plan;
	run->wish = RUN_RESIZE;
	run->wish_sc = h->sc;
	run->attention = true;
	return 0;
}

int64_t call_sc_consumed(struct exo_regs *regs, struct handle_view *h)
{
	struct cpu *cpu = this_cpu();

	if (cpu->run.sc == h->sc)
		run_account(cpu, tsc_read());
	return ns_of_ticks(cpu_by_number(h->sc->cpu),
			   atomic_load_explicit(&h->sc->consumed, memory_order_relaxed));
}
