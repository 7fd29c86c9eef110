/* SPDX-License-Identifier: MIT */
/*
 * What each CPU counts.  Written by that CPU alone, masked, with plain additions; /proc/exo/cpus and
 * /proc/exo/sched-stats read them from elsewhere, and may find one counter a step ahead of another.
 */
#ifndef LIBOS_SCHED_STATS_H
#define LIBOS_SCHED_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* Who gave a slice away. */
enum donation_kind {
	DONATION_NONE,     /* no donation: an ordinary wake */
	DONATION_PIPE,     /* a pipe's writer, to the reader that it woke */
	DONATION_FUTEX,    /* FUTEX_WAKE that wakes one, to that one */
	DONATION_WAIT4,    /* a process that ended, to the parent that waits for it */
	DONATION_START,    /* who makes a process or a thread, to that one */
	DONATION_SIGNAL,   /* a sender that sleeps or ends soon after, to whom its signal woke */
	DONATION_EXPLICIT, /* sched_donate() */
	DONATION_MUTEX,    /* who waits for a mutex, or an inheriting lock, to its owner */
	DONATION_RETURN,   /* the rest of a gift, back to the giver when the receiver sleeps */
	DONATION_KINDS
};

/* What became of it. */
enum donation_outcome {
	DONATION_SAME_CPU,
	DONATION_CROSS_CPU,
	DONATION_REFUSED, /* by the scheduler library, or there was nobody to take it */
	DONATION_CAPPED,  /* the chain was as long as it may be */
	DONATION_SPENT,   /* the slice was over, or nearly */
	DONATION_LATE,    /* the giver went on for too long while other CPUs could run the task */
	DONATION_SECOND,  /* the slice had been promised to another */
	DONATION_OUTCOMES
};

/* Bucket b counts the wakes that took from 2^b to 2^(b+1) - 1 ns, the last one what is longer, too. */
#define LATENCY_BUCKETS 34

struct vcore_stats {
	uint64_t switches, space_switches, preemptions, upcalls, faults, masked_faults;
	uint64_t direct_switches; /* of `switches`: to the heir of a slice, with no queue in between */
	uint64_t wakes;           /* made by this CPU */
	uint64_t remote_wakes;    /* tasks sent to other CPUs' mailboxes, for whatever reason */
	uint64_t pushes;          /* wakes that went to another CPU than the task's last */
	uint64_t migrations_in, migrations_out; /* queued or running tasks that changed CPU */
	uint64_t steals_asked, steals_won, steals_refused; /* asked = won + refused + in progress */
	uint64_t ipis_sent, ipis_coalesced; /* messages that rang; that had no need to */
	uint64_t mailbox_high;    /* most tasks and calls ever found in the mailbox at once */
	/* Idle times that ended in the kernel; that ended before (core/idle_poll.c). */
	uint64_t halts, polls;
	uint64_t overruns;
	_Atomic uint64_t idle_clock; /* see stats_idle_ticks() */
	uint64_t donations[DONATION_KINDS][DONATION_OUTCOMES];
	uint64_t latency[LATENCY_BUCKETS]; /* from the wake to the run */
};

#define IDLE_HALTED 1ul

/*
 * How long the CPU has been halted, in TSC ticks, up to now if it is: one word, so that it is read
 * whole.  Bit 0 clear: that long.  Bit 0 set: what must be added to the TSC.
 */
static inline uint64_t stats_idle_ticks(const struct vcore_stats *s, uint64_t now_tsc)
{
	uint64_t clock = atomic_load_explicit(&s->idle_clock, memory_order_relaxed), ticks;

	if (!(clock & IDLE_HALTED))
		return clock;
	ticks = now_tsc + (clock & ~IDLE_HALTED);
	return (int64_t)ticks < 0 ? 0 : ticks; /* its TSC may be a little ahead of ours */
}

#endif
