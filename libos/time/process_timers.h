/* SPDX-License-Identifier: MIT */
/*
 * The timers of one process: process->interval_timer points here once it has used one.
 *
 * Everything is under process_tree_lock.  A timer that is disarmed only has its expiry set to 0
 * and is left to fire in vain: timer_cancel() may not be called with the lock held, because it
 * waits for a fire() that may be waiting for the lock, and without the lock it could undo what
 * another thread has just armed.  timer_cancel() is for the end of a timer's life.
 */
#ifndef LIBOS_PROCESS_TIMERS_H
#define LIBOS_PROCESS_TIMERS_H

#include <stdint.h>
#include "time/time.h"

struct process;
struct posix_timer;

#define POSIX_TIMERS_MAX 32

/* A timer does not fire again sooner than this, however short its interval: a program must not
 * keep a CPU in event handlers.  The expiries in between count as missed. */
#define TIMER_PAUSE_NS 100000ul
/* And the longer nobody takes its signals, the less often, up to TIMER_PAUSE_NS * 2^10: hundreds of such
 * timers do not keep a CPU from others either. */
#define TIMER_UNHEARD_MAX 10

struct interval_timer {
	struct timer timer;
	struct process *process; /* fixed; it outlives its timers */
	int which;               /* fixed: Linux's ITIMER_, or CPU_LIMIT_TIMER */
	/* Under process_tree_lock.  On the timer's clock: monotonic, or CPU time used by the process. */
	uint64_t expiry_ns;      /* 0: disarmed */
	uint64_t interval_ns;    /* 0: once */
	uint64_t looked_ns;      /* CPU time: what the clock said when we looked last */
	unsigned slept;          /* CPU time: looks in a row since it went on */
	unsigned unheard;        /* ITIMER_REAL: expiries since the last that somebody heard of */
};

/* Not an ITIMER_: looks for the end of RLIMIT_CPU, on the clock of ITIMER_PROF. */
#define CPU_LIMIT_TIMER 3
#define INTERVAL_TIMERS 4

struct process_timers {
	struct interval_timer interval[INTERVAL_TIMERS];
	struct posix_timer *posix[POSIX_TIMERS_MAX];
};

/* The process's timers, made if there are none; NULL when out of memory.  No lock held. */
struct process_timers *process_timers_get(struct process *p);
/* The same under the lock: made from *fresh, which then is NULL. */
struct process_timers *process_timers_get_locked(struct process *p, struct process_timers **fresh);

/*
 * Moves an expiry that has passed on to the next that has not, or to 0 if it does not repeat;
 * returns how many expiries were missed beyond the first.
 */
uint64_t timer_advance(uint64_t *expiry_ns, uint64_t interval_ns, uint64_t now_ns);

/* `unheard` is at most TIMER_UNHEARD_MAX. */
static inline void timer_arm_after_pause(struct timer *t, uint64_t expiry_ns, unsigned unheard)
{
	uint64_t earliest_ns = time_now_ns() + (TIMER_PAUSE_NS << unheard);

	timer_arm(t, expiry_ns > earliest_ns ? expiry_ns : earliest_ns);
}

/* itimer.c, posix_timer.c, cpu_limit.c, timer_file.c */
void interval_timers_init(struct process_timers *timers, struct process *p);
void interval_timers_end(struct process_timers *timers);
/* Sets the expiry on the timer's own clock, 0 to disarm. */
void interval_timer_set_locked(struct interval_timer *it, uint64_t expiry_ns);
/* SIGALRM has been taken. */
void interval_timer_heard_locked(struct process_timers *timers);
/* The moment of the timer's expiry has come: signals, and says when the next one is, or 0. */
uint64_t cpu_limit_reached_locked(struct process *p, uint64_t used_ns);
/* `revoke`: signals of theirs that nobody has taken are void. */
void posix_timers_end(struct process_timers *timers, bool revoke);
/* Real time is another than it was.  Task context, no lock held. */
void posix_timers_clock_set(void);
void timer_files_clock_set(void);

#endif
