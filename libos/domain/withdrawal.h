/* SPDX-License-Identifier: MIT */
/* CPUs that we give up, and the domains that we have made: see withdrawal.c. */
#ifndef LIBOS_WITHDRAWAL_H
#define LIBOS_WITHDRAWAL_H

#include <stdbool.h>
#include <stdint.h>

/* The CPU that is to be given up by then, any number of times: true while a domain that we have made has it,
 * or is to tell it of its end; when that changes the CPU is made to schedule.  No lock of rank >= RANK_TTY is
 * held. */
bool domains_leave(unsigned cpu, uint64_t by_ns);
/* It is not given up after all, or has come again: domains may have it from now on.  Likewise. */
void domains_stay(unsigned cpu);

/* domains_lock held, which is dropped meanwhile.  The reaper: takes a CPU that leaves from one domain; false,
 * there is none to take it from now, but there may be at *again_ns, unless that is 0. */
bool domains_withdraw_locked(uint64_t *again_ns);

/* domains_lock held: a domain may come to have these CPUs. */
bool domain_may_have_locked(uint64_t cpus);
/* Task context: how long a domain's vcore is waited for that is off its CPU, but named by somebody. */
uint64_t domain_linger_ns(unsigned cpu, uint64_t patience_ns);

#endif
