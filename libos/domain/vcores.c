/* SPDX-License-Identifier: MIT */
/*
 * The vcores of a domain and their time.  A CPU's time is split, bound and taken back only on that
 * CPU, so the domain's maker asks its own vcore there to do it.
 */
#include "domain/domain.h"
#include "domain/withdrawal.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/task.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "sched/messages.h"
#include "time/time.h"
#include "time/timespec.h"

#define LOOK_NS 2000000ul      /* between two looks at a vcore that is to be given up, or comes */
#define COMES_NS 10000000000ul /* and so long at one that has not come */

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

/* ---------------------------------------------------------------- time */

struct order {
	struct domain *d;
	unsigned cpu;
	exo_handle sc; /* to be reclaimed */
};

/* On the CPU, masked. */
static void split(void *argument)
{
	struct order *o = argument;
	struct domain *d = o->d;
	exo_handle vcore = d->vcores[o->cpu].vcore;
	int64_t r = exo_sc_split(machine()->cpus[o->cpu].sc, d->vcores[o->cpu].sc_frame, d->budget_ns,
				 d->period_ns);

	if (r > 0) {
		d->vcores[o->cpu].sc = (exo_handle)r;
		r = exo_sc_bind(d->vcores[o->cpu].sc, vcore);
	}
	d->vcores[o->cpu].result = r;
}

/*
 * -ENODEV: we do not have that CPU ourselves now.
 *
 * A CPU that we have may not take part yet, if we have just started.  It comes, unless it is taken from us
 * before: so the wait has an end.
 */
static int64_t run_on(unsigned cpu, void (*function)(void *argument), struct order *o)
{
	uint64_t end = deadline_after(COMES_NS);

	while (!message_call_wait(cpu, function, o)) {
		if (!(vcores_present() >> cpu & 1) || time_now_ns() > end)
			return o->d->vcores[cpu].result = -ENODEV;
		wait_until(deadline_after(LOOK_NS));
	}
	return o->d->vcores[cpu].result;
}

static void reclaim(void *argument)
{
	struct order *o = argument;

	o->d->vcores[o->cpu].result = exo_sc_reclaim(o->sc);
}

/* Out of what is known of the domain; 0: it has no time there.  Whoever adds up what it has consumed finds it
 * in one of the two places, as he looks under the same lock. */
static exo_handle take_out(struct domain *d, unsigned cpu)
{
	exo_handle sc;
	int64_t ns;

	lock_acquire(&domains_lock);
	sc = d->vcores[cpu].sc;
	ns = sc ? exo_sc_consumed(sc) : 0;
	d->vcores[cpu].past_ns += ns > 0 ? (uint64_t)ns : 0;
	d->vcores[cpu].sc = 0;
	lock_release(&domains_lock);
	return sc;
}

/* EBUSY: somebody else is just using a handle to it.  Where we have no CPU any more, what was split from our
 * time has ended with it, and anybody may say so. */
static void reclaim_time(struct domain *d, unsigned cpu)
{
	struct order o = { .d = d, .cpu = cpu, .sc = take_out(d, cpu) };

	if (!o.sc)
		return;
	do
		if (run_on(cpu, reclaim, &o) == -ENODEV)
			reclaim(&o);
	while (d->vcores[cpu].result == -EBUSY);
	exo_handle_drop(o.sc);
}

uint64_t domain_consumed_ns(struct domain *d)
{
	uint64_t sum = 0;

	lock_acquire(&domains_lock);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		int64_t ns = d->vcores[cpu].sc ? exo_sc_consumed(d->vcores[cpu].sc) : 0;

		sum += d->vcores[cpu].past_ns + (ns > 0 ? (uint64_t)ns : 0);
	}
	lock_release(&domains_lock);
	return sum;
}

void domain_reclaim_time(struct domain *d)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		reclaim_time(d, cpu);
}

int domain_give_time(struct domain *d, unsigned cpu)
{
	struct order o = { .d = d, .cpu = cpu };
	int64_t r = d->vcores[cpu].sc ? 0 : run_on(cpu, split, &o);

	if (r < 0)
		reclaim_time(d, cpu); /* what could not be bound is of no use */
	return r < 0 ? (int)r : 0;
}

static void resize(void *argument)
{
	struct order *o = argument;
	struct domain *d = o->d;

	d->vcores[o->cpu].result = exo_sc_resize(d->vcores[o->cpu].sc, d->budget_ns, d->period_ns);
}

int domain_set_budget(struct domain *d, unsigned cpu)
{
	struct order o = { .d = d, .cpu = cpu };

	return d->vcores[cpu].sc ? (int)run_on(cpu, resize, &o) : 0; /* it has given it back */
}

/* ---------------------------------------------------------------- vcores */

/* The frames are the domain's cost: they are kept for it when it loses the CPU. */
static bool take_frames(struct domain *d, unsigned cpu)
{
	uint64_t *const frames[] = { &d->vcores[cpu].object_frame, &d->vcores[cpu].next_page_frame,
				     &d->vcores[cpu].vector_frame, &d->vcores[cpu].sc_frame };

	for (unsigned i = 0; i < 4; i++) {
		if (!*frames[i])
			*frames[i] = domain_memory_row(&d->memory, 1);
		if (!*frames[i])
			return false;
	}
	return true;
}

/*
 * EAGAIN: one of the frames, which it had before, has yet to leave a TLB.
 *
 * The page of a vcore that is taken stays mapped until the next one's takes its place.  A task of the
 * domain may have been interrupted where it was about to look at `pending` there (unmask_slowly() in
 * core/vcore.c), and have been moved to another CPU before this one was taken.
 */
static int create(struct domain *d, unsigned cpu)
{
	uint64_t last = d->vcores[cpu].page_frame;
	struct exo_vcore_create args = {
		.cpu = cpu,
		.stack_top = d->event_stack_top + cpu * d->stack_stride,
		.fault_stack_top = d->fault_stack_top + cpu * d->stack_stride,
	};
	struct exo_op map = { .code = EXO_OP_MAP, .flags = EXO_OP_REPLACE, .count = 1,
			      .prot = EXO_PROT_READ | EXO_PROT_WRITE,
			      .va = EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE };
	int64_t r;

	if (!take_frames(d, cpu))
		return -ENOMEM;
	args.object_frame = d->vcores[cpu].object_frame;
	args.vector_frame = d->vcores[cpu].vector_frame;
	args.page_frame = map.frame = d->vcores[cpu].next_page_frame;
	while ((r = exo_vcore_create(d->domain, d->space, &args)) == -EAGAIN)
		task_yield();
	if (r < 0)
		return (int)r;
	d->vcores[cpu].vcore = (exo_handle)r;
	d->vcores[cpu].page_frame = map.frame;
	d->vcores[cpu].next_page_frame = last;
	return domain_update(d, &map, 1);
}

/* The domain's own names for them, in what it is told. */
static int tell(struct domain *d, unsigned cpu)
{
	struct exo_cpu_info *c = &d->info->cpus[cpu];
	int64_t vcore = exo_handle_copy(d->vcores[cpu].vcore, d->domain, DOMAIN_OWN_RIGHTS);
	int64_t sc = exo_handle_copy(d->vcores[cpu].sc, d->domain, DOMAIN_OWN_RIGHTS);

	if (vcore < 0 || sc < 0)
		return (int)(vcore < 0 ? vcore : sc);
	*c = machine()->cpus[cpu];
	c->vcore = (exo_handle)vcore;
	c->sc = (exo_handle)sc;
	return 0;
}

static int make(struct domain *d, unsigned cpu)
{
	struct order o = { .d = d, .cpu = cpu };
	int64_t r = create(d, cpu);

	if (r == 0)
		r = run_on(cpu, split, &o);
	return r < 0 ? (int)r : tell(d, cpu);
}

int domain_make_vcores(struct domain *d, const struct exo_image *image)
{
	int r = 0;

	d->event_stack_top = image->event_stack_top;
	d->fault_stack_top = image->fault_stack_top;
	d->stack_stride = image->stack_stride;
	for (unsigned cpu = 0; cpu < vcore_count && r == 0; cpu++)
		if (d->cpus >> cpu & 1)
			r = make(d, cpu);
	d->first_vcore = d->vcores[__builtin_ctzl(d->cpus)].vcore;
	return r;
}

int domain_start(struct domain *d)
{
	return (int)exo_vcore_start(d->first_vcore);
}

/* ---------------------------------------------------------------- while it runs */

int domain_grant_cpu(struct domain *d, unsigned cpu)
{
	int r = make(d, cpu);

	return r ? r : (int)exo_vcore_start(d->vcores[cpu].vcore);
}

/* EBUSY: it has been taken off the CPU, and is named by somebody still.  If it is not a call that is just
 * over, it is because a domain below reports to it. */
static int64_t revoke(struct domain *d, unsigned cpu, uint64_t patience_ns)
{
	uint64_t end = time_now_ns() + patience_ns + domain_linger_ns(cpu, patience_ns);
	int64_t r;

	while ((r = exo_revoke(d->vcores[cpu].vcore, patience_ns)) == 1 || r == -EBUSY) {
		if (!domain_is_alive(d))
			return -ESRCH; /* it waits for us to be done with it */
		if (r == -EBUSY && time_now_ns() > end)
			break;
		domain_sleep(d, LOOK_NS);
	}
	return r == -EBADF ? 0 : r; /* it has died */
}

int domain_take_cpu(struct domain *d, unsigned cpu, uint64_t patience_ns)
{
	int64_t r = d->vcores[cpu].vcore ? revoke(d, cpu, patience_ns) : 0;

	reclaim_time(d, cpu);
	d->info->cpus[cpu].online = 0;
	if (r)
		return (int)r;
	exo_handle_drop(d->vcores[cpu].vcore);
	d->vcores[cpu].vcore = 0;
	return 0;
}
