/* SPDX-License-Identifier: MIT */
/* The vcores' private parts, and masking. */
#include "core/vcore.h"
#include "core/entry.h"
#include "core/event.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/task.h"
#include "core/task_state.h"
#include "core/wake.h"
#include "sched/donation.h"

unsigned vcore_count;

void vcores_init(void)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;

	vcore_count = info->cpu_count;
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		struct vcore *v = vcore_of(cpu);

		v->page = (struct exo_vcore_page *)(EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE);
		v->cpu = (int32_t)cpu;
		v->holder = (uint8_t)(cpu + 1);
		v->leave.page = v->page;
		v->leave.jump = leave_jumps[cpu];
		v->handle = info->cpus[cpu].online ? info->cpus[cpu].vcore : 0;
		v->space = EXO_HANDLE(EXO_SLOT_SPACE);
		timer_queue_init(&v->timers);
		run_queue_init(&v->queue, cpu);
	}
}

void vcores_know_time(void)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		vcore_of(cpu)->ns_per_tick = time_ns_per_tick();
		vcore_of(cpu)->promise_tsc = vcore_count > 1 ? ns_to_tsc(DONATION_PROMISE_NS) : 0;
	}
}

uint64_t vcores_present(void)
{
	uint64_t present = 0;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		present |= (uint64_t)(vcore_of(cpu)->handle != 0) << cpu;
	return present;
}

bool vcore_slice_ends(const struct vcore *v)
{
	return vcore_has_waiting(v) || v->current->donor.id;
}

/* -> the CPU that it is afterwards. */
static __attribute__((noinline)) struct vcore *give_way(struct vcore *v)
{
	if (task_may_be_preempted(v->current))
		switch_away(SCHED_PREEMPTED);
	return this_vcore();
}

/*
 * The rest of upcalls_unmask() (masking.asm), which masks once more for it.
 *
 * Why no event is lost: an event that comes while masked only sets its bit in `pending`.  The store
 * to `masked` is before the look at `pending` in program order, and the kernel that sets the bit
 * runs on this same CPU: so it either sees us unmasked and enters the event path, or has set the bit
 * before we look.  If we are moved to another CPU between the two, the event path was entered, and
 * has dealt with the bits of the CPU that we left.
 */
static inline bool unmask(struct vcore *v)
{
	ASSERT_INVARIANT(v->held_count == 0);
	if (v->deferred && !donation_promise(v))
		wakes_deliver(v);
	if (v->need_resched)
		v = give_way(v);
	v->overruns = 0;
	v->mask_depth = 0;
	/* An event right behind the next store finds all that was written before it. */
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile uint32_t *)&v->page->masked = 0;
	return *(volatile uint32_t *)&v->page->pending == 0;
}

void unmask_slowly(void)
{
	if (!unmask(this_vcore()))
		handle_and_unmask();
}

/* An event came while masked, and nothing has been done about it yet. */
__attribute__((noinline)) void handle_and_unmask(void)
{
	do {
		upcalls_mask();
		events_process(this_vcore());
	} while (!unmask(this_vcore()));
}
