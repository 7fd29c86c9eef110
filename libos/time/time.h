/* SPDX-License-Identifier: MIT */
/* Clocks and timers. */
#ifndef LIBOS_TIME_H
#define LIBOS_TIME_H

#include <libos/ordered.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct linux_timespec;
long clock_quick(int clock, struct linux_timespec *user);

/* By a 32.32 fixed-point rate: no division, and monotone. */
static inline uint64_t time_scale(uint64_t value, uint64_t rate)
{
	return (uint64_t)(((unsigned __int128)value * rate) >> 32);
}

/* clock.c: once, on the boot CPU, before anybody asks for real time: reads the CMOS clock. */
void time_init(void);
uint64_t rtc_unix_seconds(void); /* rtc.c; 0 if it makes no sense */

/* Any context, no kernel entry.  Monotonic since boot; real since 1970. */
uint64_t time_now_ns(void);
uint64_t time_real_ns(void);
void time_set_real_ns(uint64_t ns);  /* who does tells those of process_timers.h */
uint64_t ns_to_tsc(uint64_t ns);     /* durations */
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t time_ns_per_tick(void);                   /* 32.32 */
uint64_t time_deadline_tsc(uint64_t monotonic_ns); /* an absolute time as TSC value */

/*
 * Per-CPU timers.  fire(timer) runs on the CPU that armed it, or on the first that is online if that one
 * has been given up; masked, with no lock held, on the event stack or on that of a task that unmasks.  It
 * may wake, send signals and re-arm; it allocates nothing.
 */
struct timer {
	void (*fire)(struct timer *t); /* fixed */

	/* Under the timer lock of the CPU where it is armed. */
	uint64_t deadline_ns;     /* monotonic */
	struct ordered_node node; /* in that CPU's queue */
	_Atomic int32_t cpu;      /* where it was last armed, + 1; 0: never */
};

/* Re-arms if armed; a fire() that has begun is not waited for.  One caller at a time per timer. */
void timer_arm(struct timer *t, uint64_t deadline_ns);
/* After this returns fire() is not running and will not run, unless fire() itself calls it.  Waits
 * for a fire() that runs on another CPU: so hold no lock that fire() takes.  One that arms its timer itself
 * must have been told to stop that before. */
void timer_cancel(struct timer *t);

/* load_average.c: tasks over the last 1, 5 and 15 minutes, in units of 1 / 2^LOAD_SHIFT.  Started
 * once, by a task. */
#define LOAD_AVERAGES 3
#define LOAD_SHIFT 11
void load_average_start(void);
void load_average(uint64_t out[LOAD_AVERAGES]);

struct process;

/* A child, which nobody sees yet, has its parent's limits: 0 or -ENOMEM.  exec: POSIX timers go, interval
 * timers stay.  exit: all go.  Task context, no lock held. */
int time_process_fork(struct process *child);
/* Timers for a process that may have none; NULL: out of memory. */
struct process_timers *time_process_timers_new(void);
/* The hard or soft RLIMIT_CPU of process `pid` (0: the caller) has changed; uses up `fresh`. */
void time_limit_changed(uint32_t pid, struct process_timers *fresh);
void time_process_exec(struct process *p);
void time_process_release(struct process *p);

#endif
