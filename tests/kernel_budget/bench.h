/* SPDX-License-Identifier: MIT */
/* The parent's side of a round: the child and its time, and what is looked at afterwards. */
#ifndef TESTS_KERNEL_BUDGET_BENCH_H
#define TESTS_KERNEL_BUDGET_BENCH_H

#include "budget.h"

/* Written by CPU 0 and, in what it asks them to do, by the others. */
struct bench {
	int64_t sc[2];      /* both of the child's, on this CPU */
	_Atomic unsigned spent; /* which of them ran out last, of those that are told of */
	int64_t line;       /* of the HPET's interrupt, bound to the parent's vcore here */
	uint64_t lost_ns;   /* consumed by SCs that have been reclaimed ... */
	unsigned reclaimed; /* ... and how many they were */
	_Atomic uint64_t timeouts, answered; /* messages of budgets that ran out here */
	uint64_t answers_ever; /* to every child there was */
	_Atomic uint64_t interrupts; /* messages from the line */
};
extern struct bench benches[CPUS];

/* The word of its timeouts. */
#define TIMEOUT_WORD(cpu, which) ((cpu) * 2 + (which))

/* The CPUs that the child has vcores on: all but the first, unless that is the only one. */
static inline unsigned subject_first(void)
{
	return info()->cpu_count > 1 ? 1 : 0;
}

/* Makes the child and starts it; CPU 0 hears of its timeouts, if it is to. */
void bench_up(bool told_of_timeouts);
/* Kills it, and takes back what it had. */
void bench_down(void);
/* Maps the page that nobody uses. */
void bench_map_scratch(void);
/* One of the child's two SCs on this CPU is bound to its vcore there. */
void bench_bind(unsigned cpu, unsigned which);
/* CPU 0 sleeps for a moment; if a donation wakes it, it uses that. */
void bench_rest(void);
/* Each CPU's time adds up (I7), and what its SCs consumed is what was charged. */
void bench_check_time(void);

#endif
