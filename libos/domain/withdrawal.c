/* SPDX-License-Identifier: MIT */
/*
 * A CPU that this domain gives up: the domains that it has made leave it first.
 *
 *	the CPU that leaves (sched/offline.c)     the reaper (table.c)
 *	sets its bit in `leaving`
 *	ends those that cannot do without it
 *	wakes the reaper, goes on as before --->  takes the CPU from each other one that has it
 *	finds none with it, and goes        <---  has it look again
 *
 * Why they must: their time on the CPU is part of ours.  With our vcore the kernel takes it back, and tells
 * them nothing: what they have there would never run again, and whoever waits for that would wait for ever.
 *
 * Why none comes to have it after the last look: who is listed, and who is given another CPU, is so under
 * domains_lock, and only if none of its CPUs is in `leaving`; the bit was set under the same lock before.
 *
 * Why the CPU looks again: it waits for domains that are to lose it, or to report their end to it.  They do
 * by the reaper, or by whoever has set `busy`, and that wakes the reaper, which has all CPUs that leave look
 * again before it sleeps.
 */
#include "domain/withdrawal.h"
#include <libos/sched.h>
#include "core/log.h"
#include "core/vcore.h"
#include "domain/domain.h"
#include "sched/place.h"
#include "time/time.h"

#define LINGER_NS 10000000000ul

/* Under domains_lock: CPUs, a bit for each, and until when each has to be given up. */
static uint64_t leaving;
static struct { uint64_t by_ns, hurry_ns; } until[EXO_CPUS_MAX];

/* ---------------------------------------------------------------- the CPU that leaves */

/* A child that is resized for all the time that there is, say since it gives no memory back, is ended in the
 * last quarter of it: else we would lose the CPU while we still have it, and that is our own end. */
static void leave_until(unsigned cpu, uint64_t by_ns)
{
	uint64_t now = time_now_ns();

	leaving |= 1ul << cpu;
	until[cpu].by_ns = by_ns;
	until[cpu].hurry_ns = by_ns > now ? by_ns - (by_ns - now) / 4 : now;
}

static bool has_ended(const struct domain *d)
{
	return d->state == DOMAIN_DYING || d->state == DOMAIN_DEAD;
}

/* The kernel tells that CPU of its end, or it would have none left. */
static bool cannot_do_without(const struct domain *d, unsigned cpu)
{
	return d->reports_to == cpu || ((d->cpus >> cpu & 1) && !(d->cpus & ~leaving));
}

/* What dies has no use for a CPU, but the one that hears of its end. */
static bool is_waited_for(const struct domain *d, unsigned cpu)
{
	return d->state != DOMAIN_DEAD &&
	       (d->reports_to == cpu || (!has_ended(d) && (d->cpus >> cpu & 1)));
}

bool domains_leave(unsigned cpu, uint64_t by_ns)
{
	bool any = false;

	lock_acquire(&domains_lock);
	if (!(leaving >> cpu & 1)) {
		leave_until(cpu, by_ns);
		domains_reap_locked();
	}
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);

		if (cannot_do_without(d, cpu))
			domain_end_locked(d, DOMAIN_CAUSE_KILLED, 0);
		any |= is_waited_for(d, cpu);
	}
	lock_release(&domains_lock);
	return any;
}

void domains_stay(unsigned cpu)
{
	lock_acquire(&domains_lock);
	leaving &= ~(1ul << cpu);
	lock_release(&domains_lock);
}

/* ---------------------------------------------------------------- those that have it */

bool domain_may_have_locked(uint64_t cpus)
{
	return !(cpus & leaving);
}

uint64_t domain_linger_ns(unsigned cpu, uint64_t patience_ns)
{
	bool leaves;

	lock_acquire(&domains_lock);
	leaves = leaving >> cpu & 1;
	lock_release(&domains_lock);
	return leaves && patience_ns < LINGER_NS ? patience_ns : LINGER_NS;
}

/* What is left until one of these is to be gone by then, or is in a hurry. */
static uint64_t soonest_ns(uint64_t cpus, bool hurry)
{
	uint64_t soonest = UINT64_MAX;

	for (; cpus; cpus &= cpus - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(cpus);
		uint64_t ns = hurry ? until[cpu].hurry_ns : until[cpu].by_ns;

		soonest = ns < soonest ? ns : soonest;
	}
	return soonest;
}

/*
 * Each is asked for a quarter of what is left, and waited for as long once more if its vcore is still named
 * by somebody: so there is as much left for the others, and for ourselves.  What it does not give up by then
 * is taken from it, as by domainctl.
 */
static void take_from_locked(struct domain *d)
{
	uint64_t cpus = d->cpus & leaving, rest = d->cpus & ~leaving;
	uint64_t now = time_now_ns(), by = soonest_ns(cpus, false);
	int r;

	d->busy = true;
	lock_release(&domains_lock);
	r = domain_resize_cpus(d, rest, by > now ? (by - now) / 4 : 0);
	if (r && domain_is_alive(d))
		log_print("domain %u: cannot give up what we are to give up: error %d\n", d->id, -r);
	lock_acquire(&domains_lock);
	d->busy = false;
	if (d->cpus & cpus)
		domain_end_locked(d, DOMAIN_CAUSE_KILLED, 0);
}

static void look_again_locked(void)
{
	for (uint64_t cpus = leaving; cpus; cpus &= cpus - 1)
		if (cpu_is_online((unsigned)__builtin_ctzl(cpus)))
			sched_resched(__builtin_ctzl(cpus));
}

bool domains_withdraw_locked(uint64_t *again_ns)
{
	*again_ns = 0;
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);
		uint64_t cpus = d->cpus & leaving, hurry;

		if (!cpus || has_ended(d))
			continue;
		if (!d->busy && d->state == DOMAIN_ALIVE) {
			take_from_locked(d);
			return true;
		}
		hurry = soonest_ns(cpus, true);
		if (time_now_ns() >= hurry)
			domain_end_locked(d, DOMAIN_CAUSE_KILLED, 0);
		else if (!*again_ns || hurry < *again_ns)
			*again_ns = hurry;
	}
	look_again_locked();
	return false;
}
