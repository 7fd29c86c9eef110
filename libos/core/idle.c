/* SPDX-License-Identifier: MIT */
/* A CPU with nothing to run. */
#include "core/cpu.h"
#include "core/exo.h"
#include "core/idle_poll.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/timer_queue.h"
#include "core/vcore.h"
#include "debug/inject.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "trace/trace.h"

static void halt(struct vcore *v, uint64_t token)
{
	uint64_t idle = atomic_load_explicit(&v->stats.idle_clock, memory_order_relaxed);
	uint64_t start = rdtsc();

	race_point();
	v->overruns = 0;
	timers_program(v);
	atomic_store_explicit(&v->stats.idle_clock, (idle - start) | IDLE_HALTED,
			      memory_order_relaxed);
	trace(v, TRACE_IDLE, 0, 1, 0, 0);
	if (idle_poll(v)) {
		v->stats.polls++;
	} else {
		exo_halt(token, 0);
		v->stats.halts++;
	}
	trace(v, TRACE_IDLE, 0, 0, 0, 0);
	idle_poll_learn(v, rdtsc() - start);
	atomic_store_explicit(&v->stats.idle_clock, (idle + rdtsc() - start) & ~IDLE_HALTED,
			      memory_order_relaxed);
}

/*
 * Why no wake-up is lost between finding nothing to do and halting: upcalls are masked here, so a
 * message that arrives after our look into the mailbox sets `pending` instead of entering us, and
 * the kernel refuses to halt while `pending` is set.  A sender pushes before it rings; one that need not
 * ring has pushed before our last look (mailbox_unwatch).
 *
 * Why no task waits while we sleep: we set our bit in idle_cpus, then look at the other queues'
 * counts (steal_ask); who queues a task raises the count, then looks at idle_cpus (place_offer).
 * All four are sequentially consistent, so either we see the task or they see us, and tell us.
 * The bit stays until we run something (idle_ends), also while we come back here to ask the next
 * CPU: one that has refused us before is not asked again, so it must be able to tell us what is new.
 *
 * The token is from before the queue was found empty: if another vcore had this CPU since then, the
 * halt fails with EAGAIN, and the caller looks again.
 */
void idle(struct vcore *v, uint64_t token)
{
	ASSERT_INVARIANT(v->current == NULL && vcore_is_mine(v) && v->held_count == 0);
	v->idle = true;
	atomic_fetch_or(&idle_cpus, 1ul << v->cpu);
	if (!mailbox_has_mail(&v->mailbox)) {
		steal_ask(v);
		halt(v, token);
	}
}

void idle_ends(struct vcore *v)
{
	v->idle = false;
	atomic_fetch_and(&idle_cpus, ~(1ul << v->cpu));
}
