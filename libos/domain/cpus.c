/* SPDX-License-Identifier: MIT */
/*
 * The CPUs of a child, and its time on them, while it runs.  More come first, then others go: so there is
 * always one to be told of what is on the console.
 */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/handles.h"
#include "core/vcore.h"
#include "domain/domain.h"
#include "domain/lines.h"
#include "domain/withdrawal.h"

#define HANDLES_PER_CPU 2u
/* For a CPU that it has never had: the kernel's objects, the page, and page tables for that. */
#define FRAMES_PER_CPU 6u

/* They are no memory of its own.  For a CPU that it has had there is another page (create() in vcores.c). */
static int take_frames(struct domain *d, unsigned cpu)
{
	struct list *last = d->memory.runs.prev;
	unsigned count = d->vcores[cpu].object_frame ? 1 : FRAMES_PER_CPU;
	int r = domain_memory_take(&d->memory, count, count);

	for (struct list *link = last->next; r == 0 && link != &d->memory.runs; link = link->next)
		domain_run_of(link)->memory = domain_run_of(link)->count;
	return r;
}

/* A server that had no time has some where it is new, until it serves there too. */
static void set_cpus(struct domain *d, uint64_t cpus, bool has_no_time)
{
	lock_acquire(&domains_lock);
	d->cpus = cpus;
	d->has_no_time = has_no_time;
	lock_release(&domains_lock);
}

static int take(struct domain *d, unsigned cpu, uint64_t patience_ns)
{
	int r = domain_take_cpu(d, cpu, patience_ns);

	set_cpus(d, d->cpus & ~(1ul << cpu), d->has_no_time);
	return r;
}

/* From now on it counts among its CPUs: if we are to give that one up, it is to lose it before. */
static bool may_have(struct domain *d, unsigned cpu)
{
	bool may;

	lock_acquire(&domains_lock);
	may = domain_may_have_locked(1ul << cpu);
	if (may)
		d->cpus |= 1ul << cpu;
	lock_release(&domains_lock);
	return may;
}

static int grant(struct domain *d, unsigned cpu)
{
	int r;

	if (!may_have(d, cpu))
		return -ENODEV;
	r = handles_make_room(HANDLES_PER_CPU);
	if (r == 0 && !d->vcores[cpu].next_page_frame)
		r = take_frames(d, cpu);
	if (r == 0)
		r = domain_grant_cpu(d, cpu);
	if (r)
		(void)take(d, cpu, 0);
	else
		set_cpus(d, d->cpus, false);
	return r;
}

/* A server without time needs some to let go of a CPU, and those that it asks on the others to answer.  The
 * reaper takes it back when this resizing ends. */
static int give_time(struct domain *d)
{
	int r = 0;

	set_cpus(d, d->cpus, false);
	for (uint64_t cpus = d->cpus; cpus && r == 0; cpus &= cpus - 1)
		r = domain_give_time(d, (unsigned)__builtin_ctzl(cpus));
	return r;
}

/* Whoever rang the vcore of a CPU that it has lost was not heard: it looks at everything once more. */
static void peers_change(struct domain *d)
{
	(void)links_connect(d); /* nobody gets more names than he had */
	(void)exo_send(d->first_vcore, DOMAIN_MESSAGE_LOOK, 0, 0);
}

int domain_resize_cpus(struct domain *d, uint64_t cpus, uint64_t patience_ns)
{
	uint64_t more = cpus & ~d->cpus, less = d->cpus & ~cpus;
	int r = less && d->has_no_time ? give_time(d) : 0;

	for (; more && r == 0; more &= more - 1)
		r = grant(d, (unsigned)__builtin_ctzl(more));
	if (r == 0)
		r = links_connect(d);
	if (r)
		return r;
	d->first_vcore = d->vcores[__builtin_ctzl(cpus)].vcore;
	if (less)
		r = lines_move(d, patience_ns);
	for (; less && r == 0; less &= less - 1)
		r = take(d, (unsigned)__builtin_ctzl(less), patience_ns);
	peers_change(d);
	if (r == 0 && !domain_is_alive(d))
		r = -ESRCH;
	return r;
}

static int set_on_all(struct domain *d, uint64_t cpus)
{
	for (; cpus; cpus &= cpus - 1) {
		int r = domain_set_budget(d, (unsigned)__builtin_ctzl(cpus));

		if (r)
			return r;
	}
	return 0;
}

/* On all of its CPUs, or on none. */
int domain_resize_budget(struct domain *d, uint64_t budget_ns, uint64_t period_ns)
{
	uint64_t old_budget_ns = d->budget_ns, old_period_ns = d->period_ns;
	int r;

	d->budget_ns = budget_ns;
	d->period_ns = period_ns;
	r = set_on_all(d, d->cpus);
	if (r == 0)
		return 0;
	d->budget_ns = old_budget_ns;
	d->period_ns = old_period_ns;
	(void)set_on_all(d, d->cpus);
	return r;
}
