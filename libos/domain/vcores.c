/* SPDX-License-Identifier: MIT */
/*
 * The vcores of a domain and their time.  A CPU's time is split, bound and taken back only on that
 * CPU, so the domain's maker asks its own vcore there to do it.
 */
#include "domain/domain.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/vcore.h"
#include "sched/messages.h"

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

/* ---------------------------------------------------------------- time */

struct order {
	struct domain *d;
	unsigned cpu;
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

static void reclaim(void *argument)
{
	struct order *o = argument;

	o->d->vcores[o->cpu].result = exo_sc_reclaim(o->d->vcores[o->cpu].sc);
}

void domain_reclaim_time(struct domain *d)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		struct order o = { d, cpu };

		if (!d->vcores[cpu].sc)
			continue;
		/* EBUSY: somebody else is just using a handle to it. */
		do
			message_call_wait(cpu, reclaim, &o);
		while (d->vcores[cpu].result == -EBUSY);
		exo_handle_drop(d->vcores[cpu].sc);
		d->vcores[cpu].sc = 0;
	}
}

/* ---------------------------------------------------------------- vcores */

static int create(struct domain *d, const struct exo_image *image, unsigned cpu)
{
	uint64_t first = domain_memory_row(&d->memory, 4);
	struct exo_vcore_create args = {
		.cpu = cpu, .object_frame = first, .page_frame = first + 1, .vector_frame = first + 3,
		.stack_top = image->event_stack_top + cpu * image->stack_stride,
		.fault_stack_top = image->fault_stack_top + cpu * image->stack_stride,
	};
	struct exo_op map = { .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE, .count = 1,
			      .va = EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE, .frame = first + 1 };
	int64_t r;

	if (!first)
		return -ENOMEM;
	d->vcores[cpu].sc_frame = first + 2;
	r = exo_vcore_create(d->domain, d->space, &args);
	if (r < 0)
		return (int)r;
	d->vcores[cpu].vcore = (exo_handle)r;
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

static int make(struct domain *d, const struct exo_image *image, unsigned cpu)
{
	struct order o = { d, cpu };
	int r = create(d, image, cpu);

	if (r)
		return r;
	message_call_wait(cpu, split, &o);
	return d->vcores[cpu].result < 0 ? (int)d->vcores[cpu].result : tell(d, cpu);
}

int domain_make_vcores(struct domain *d, const struct exo_image *image)
{
	int r = 0;

	for (unsigned cpu = 0; cpu < vcore_count && r == 0; cpu++)
		if (d->cpus >> cpu & 1)
			r = make(d, image, cpu);
	return r;
}

int domain_start(struct domain *d)
{
	d->first_vcore = d->vcores[__builtin_ctzl(d->cpus)].vcore;
	return (int)exo_vcore_start(d->first_vcore);
}
