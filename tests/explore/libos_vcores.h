/* SPDX-License-Identifier: MIT */
/*
 * Vcores of a libos for the explorer: each of its threads is a CPU.  What libos_cpus.h and
 * libos_queues.h have in common; include one of those, once.
 */
#ifndef TESTS_EXPLORE_LIBOS_VCORES_H
#define TESTS_EXPLORE_LIBOS_VCORES_H

#include <string.h>
#include "core/event.h"
#include "core/lock.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "explore.h"
#include "sched/donation.h"
#include "trace/trace.h"

#define CPUS 3

struct vcore_area vcore_areas[EXO_CPUS_MAX];
static struct exo_vcore_page pages[CPUS];

/* ---------------------------------------------------------------- what the code under test calls */

/* masking.asm; an upcall cannot come between, so masking is only counted. */
void upcalls_mask(void)
{
	this_vcore()->mask_depth++;
}

void upcalls_unmask(void)
{
	struct vcore *v = this_vcore();

	if (v->mask_depth == 1 && v->deferred && !donation_promise(v))
		wakes_deliver(v);
	v->mask_depth--;
}

void vcore_ring_if(unsigned cpu, bool first)
{
	EXPLORE_CHECK(cpu < CPUS && vcore_of(cpu)->page);
	if (mailbox_must_ring(&vcore_of(cpu)->mailbox, first))
		__atomic_fetch_or(&pages[cpu].pending, EXO_EVENT_DOORBELL, __ATOMIC_ACQ_REL);
}

void timers_program(struct vcore *v)
{
}

void timers_program_for_promise(struct vcore *v)
{
}

void trace_record(struct vcore *v, enum trace_kind kind, uint32_t task, unsigned detail,
		  unsigned number, uint64_t value)
{
}

void trace_record_name(struct vcore *v, const struct task *t)
{
}

_Noreturn void libos_panic(const char *why, ...)
{
	explore_fail("%s", why);
}

/* ---------------------------------------------------------------- for the case */

static bool is_rung(void *cpu)
{
	return pages[(uintptr_t)cpu].pending != 0;
}

/* Whatever has rung until now is looked at after this. */
static void ring_take(struct vcore *v)
{
	__atomic_exchange_n(&v->page->pending, 0, __ATOMIC_ACQ_REL);
}

static void vcore_setup(unsigned cpu)
{
	static const char *const names[CPUS][3] = {
		{ "mailbox 0", "pending 0", "count 0" },
		{ "mailbox 1", "pending 1", "count 1" },
		{ "mailbox 2", "pending 2", "count 2" },
	};
	struct vcore *v = vcore_of(cpu);

	memset(v, 0, sizeof(*v));
	memset(&pages[cpu], 0, sizeof(pages[cpu]));
	v->cpu = (int32_t)cpu;
	v->page = &pages[cpu];
	v->ns_per_tick = 1ul << 32; /* a tick takes a nanosecond */
	explore_name(&v->mailbox, sizeof(v->mailbox), names[cpu][0]);
	explore_name(&pages[cpu].pending, sizeof(pages[cpu].pending), names[cpu][1]);
	explore_name(&v->queue.count, sizeof(v->queue.count), names[cpu][2]);
}

#endif
