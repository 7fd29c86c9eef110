/* SPDX-License-Identifier: MIT */
/*
 * A budget that ends at every kind of kernel entry (seL4 issue 346), with every outcome.
 *
 * The child domain has a vcore on each subject CPU, on a scheduling context of its own.  It spins
 * until it is so many ticks before the end of its budget, enters the kernel in the way that is asked
 * for, and goes on spinning until the budget has run out.  The parent moves the entry across the
 * end, sees to the outcome, and looks whether everything is as it should be.
 */
#ifndef TESTS_KERNEL_BUDGET_BUDGET_H
#define TESTS_KERNEL_BUDGET_BUDGET_H

#include "child.h"

enum entry {
	ENTRY_DEVICE,       /* a device interrupt, for the parent's vcore */
	ENTRY_TIMER,        /* its own */
	ENTRY_IPI_DOORBELL, /* from another CPU: an event for it, */
	ENTRY_IPI_MESSAGE,  /* a message, */
	ENTRY_IPI_TLB,      /* a TLB shootdown */
	ENTRY_FAULT,
	ENTRY_FAULT_MASKED,
	ENTRY_FOREIGN,      /* a SYSCALL outside of the libos */
	ENTRY_HALT,
	ENTRY_DONATE,       /* to the parent's vcore, which halts soon */
	ENTRY_SWITCH,
	ENTRY_SEND,         /* to a halted vcore */
	ENTRY_BIND,         /* it asks for another SC */
	ENTRY_REVOKE,       /* another CPU announces that it takes the vcore; killed: it gives it up */
	ENTRY_NMI,
	ENTRIES,
};

enum outcome {
	OUTCOME_REQUEUED, /* the next replenishment is due: behind the others in READY */
	OUTCOME_PENDING,  /* it waits for its replenishment */
	OUTCOME_HANDLER,  /* it waits for what the timeout handler says */
	OUTCOME_KILLED,
	OUTCOMES,
};

#define PERIOD_NS 1000000ul
#define BUDGET_NS 100000ul
#define PREPARED_NS 35000ul /* of a budget, which comes back as a replenishment of its own */

/* What the parent and one vcore of the child tell each other. */
struct subject {
	/* Written by the parent. */
	_Atomic uint64_t go;        /* a round; the child does it when it differs from `finished` */
	_Atomic enum entry entry;
	_Atomic enum outcome outcome;
	_Atomic int64_t distance;   /* ticks from the entry to the end of the budget */
	_Atomic uint64_t called;    /* the round for which it has been rung again (hold_up()) */
	_Atomic uint64_t go_on;     /* the donee halts at this TSC */
	bool exact;                 /* time is the number of instructions */
	uint64_t parent_vcore, space, vcore, sc[2]; /* as the child calls them */
	uint64_t apic_id;
	struct exo_msi msi;         /* what the HPET is to send as a device interrupt */

	/* Written by the child. */
	_Atomic uint64_t prepared, finished; /* rounds */
	_Atomic uint64_t progress;  /* moves while it runs */
	_Atomic uint64_t due;       /* TSC when what it consumed first has come back */
	_Atomic uint64_t end;       /* TSC at which the budget will end, 0 = no round goes on */
	_Atomic uint64_t ran_out;   /* rounds in which it ended as it should */
	_Atomic uint64_t wrong;     /* entries that did not do what they should */
};
extern struct subject subjects[CPUS];

/* subject.c: where in the child's shared region the parent maps what it needs. */
#define FOREIGN_VA EXO_DYNAMIC_BASE                      /* the page of foreign_call() */
#define SCRATCH_VA (EXO_DYNAMIC_BASE + EXO_PAGE_SIZE)    /* nobody uses it: for shootdowns */
#define HPET_VA (EXO_DYNAMIC_BASE + 2 * EXO_PAGE_SIZE)

/* hpet.c: a timer of the HPET writes the message at this TSC; the child calls it. */
#define HPET_ADDRESS 0xfed00000ul
void hpet_start(void);
void hpet_at(unsigned timer, uint64_t when, struct exo_msi msi);
void hpet_stop(unsigned timer);

/* crew.c: the parent's vcores on the other CPUs do what CPU 0 asks. */
void crew_do(unsigned cpu, void (*what)(unsigned cpu));
/* The vcore here, if it was woken by a donation, keeps the CPU until subjects[cpu].go_on. */
void crew_spend(unsigned cpu);

/* counterparts.c */
void counterparts_of_sel4(void);

#endif
