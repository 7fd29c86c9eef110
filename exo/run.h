/* SPDX-License-Identifier: MIT */
/*
 * What a CPU knows about the vcores it runs, and the one way out of the kernel.
 *
 * The rule (seL4 issue 346 is what happens without it): entry only charges time and marks the
 * budget expired; interrupts and calls only latch what they want; run_exit() alone decides who
 * runs next and moves vcores between places.
 */
#ifndef EXO_RUN_H
#define EXO_RUN_H

#include "vcore.h"

/* How long a vcore may keep an upcall waiting or put off its preemption while masked.  Generous,
 * because an emulator's host may take a whole CPU away for tens of milliseconds. */
#define RUN_MASKED_LIMIT_NS 100000000ul
/* How often a preemption that was put off is looked at again. */
#define RUN_RECHECK_NS 500000ul

/* What EXO_CALL_DONATE returns when it ended before the other vcore halted or replied. */
#define DONATION_CUT_SHORT 1

struct cpu;
struct space;

/* A part of a CPU's time, checked: what an SC may have. */
struct sc_share {
	uint64_t share;          /* of SC_SHARE_ONE */
	uint64_t budget, period; /* ticks */
};

/* What the current vcore's exo call asks the exit function to do. */
enum run_wish {
	RUN_GO_ON, RUN_HALT, /* nothing; sleep until an event */
	RUN_DONATE,  /* let wish_vcore run on the rest of the slice */
	RUN_REPLY,   /* give it back to who has donated it */
	RUN_RECLAIM, /* take wish_sc, which no handle names any more, away from whoever uses it */
	RUN_RESIZE,  /* give wish_sc the share wish_share */
};

/* Embedded in struct cpu. */
struct run {
	/* This CPU only. */
	bool attention;               /* run_exit() has something to do */
	bool expired;                 /* the running SC's budget is spent */
	enum run_wish wish;
	struct vcore *wish_vcore;     /* of RUN_DONATE; the wish holds a reference */
	struct sched_context *wish_sc; /* of RUN_RECLAIM and RUN_RESIZE */
	struct sc_share wish_share;    /* of RUN_RESIZE */
	struct vcore *loaded;         /* whose vector state, FS and GS base the processor holds ... */
	struct exo_regs *frame;       /* ... and its registers, on the kernel stack */
	struct space *space;          /* what CR3 holds, NULL = the kernel's own ... */
	struct space *shared;         /* ... and its domain's shared region (tlb_load writes both) */
	struct sched_context *sc;     /* who pays at present; NULL = nobody */
	struct sched_context *served; /* whom the interrupt in progress is for and charged to, or NULL */
	uint64_t used;                /* ticks of sc, not yet charged to its replenishments */
	uint64_t stamp;               /* TSC up to which time is accounted for */
	uint64_t armed;               /* TSC at which the timer interrupts, 0 = off */
	uint64_t put_off_since;       /* a preemption is put off since then, 0 = none is */
	uint64_t masked_limit, recheck; /* ticks; fixed in cpu_run() */
	struct vcore *lists[VCORE_PLACES]; /* the first of READY, WAITING and HALTED; else NULL */
	struct sched_context *contexts; /* every SC of this CPU, through next */

	/* This CPU writes, any CPU reads: odd while `stats` is being changed. */
	_Atomic uint32_t stats_sequence;

	/* Any CPU pushes, this CPU takes all: vcores with something latched. */
	struct vcore *_Atomic rung;
};

/* exit.c */
/* Each CPU, once: runs vcores for ever.  Interrupts off; on the CPU's kernel stack. */
_Noreturn void cpu_run(void);
static inline bool run_has_work(const struct run *run)
{
	return run->attention || atomic_load_explicit(&run->rung, memory_order_relaxed);
}
/* Every way out of the kernel to ring 3: takes the frame of this entry, returns the frame to
 * load.  Returns the same frame, untouched, when there is nothing to do. */
struct exo_regs *run_exit(struct exo_regs *regs);

/* account.c, called by this CPU. */
/* Time up to `now` has gone to whoever had it; may mark the running SC expired. */
void run_account(struct cpu *cpu, uint64_t now);
/* The interrupt that has just been taken is for somebody who does not run: he pays for it, until the CPU
 * goes on in ring 3 or idles. */
void run_serve(struct cpu *cpu, uint64_t now);
/* What was used and not yet charged is charged to sc's replenishments, if sc is the one running. */
void run_charge(struct cpu *cpu, struct sched_context *sc, uint64_t now);
/* A CPU's counters, of one instant and with I7; any CPU may ask about any.  False: try again. */
bool run_stats(struct cpu *of, struct exo_cpu_stats *out);

/* ------------------------------------------------------ places.c */

/* Where vcores are: the table of allowed moves, and the lists of a CPU. */

/*
 * Moves a vcore of this CPU.  `from` is where the caller believes it to be (I3).  sort_key orders
 * the list of the new place, equal keys in the order of arrival; other places ignore it.
 */
void vcore_move(struct vcore *vcore, enum vcore_place from, enum vcore_place to, uint64_t sort_key);

static inline enum vcore_place vcore_place(const struct vcore *vcore)
{
	return atomic_load_explicit(&vcore->where, memory_order_relaxed);
}

static inline bool place_has_list(enum vcore_place place)
{
	return place == VCORE_READY || place == VCORE_WAITING || place == VCORE_HALTED;
}

/* I1, I2, I3 for this CPU's lists and its current vcore. */
bool places_ok(const struct cpu *cpu);

/* ------------------------------------------------- transitions.c */

/*
 * What can happen to the vcores of a CPU.  Parts of the exit function: only exit.c calls them,
 * on the way out, with time accounted for up to `now`; they decide nothing but where each goes.
 */

/* The first of READY gets the CPU, which is free. */
void run_dispatch(struct cpu *cpu, struct vcore *vcore);
/* The current vcore loses the CPU, and stays runnable; whoever donated to it goes on later. */
void run_leave(struct cpu *cpu, uint64_t now);
/* The current vcore sleeps; who donated to it, if somebody did, goes on at once. */
void run_halt(struct cpu *cpu, uint64_t now);
/* `to` runs in place of the current vcore, on the same SC; nothing if it no longer can. */
void run_donate(struct cpu *cpu, struct vcore *to);
/* The current vcore stays runnable, on what it has itself; who donated to it goes on at once. */
void run_reply(struct cpu *cpu, uint64_t now);
/* The donations after that of `donor` have ended; NULL: all of them. */
void run_recall(struct cpu *cpu, const struct vcore *donor, uint64_t now);

/* A halted vcore has something to do. */
void vcore_wake(struct vcore *vcore, uint64_t now);
/* A runnable vcore goes where its own SC lets it: a waiting one, when its replenishment has come. */
void vcore_place_runnable(struct vcore *vcore, uint64_t now);

/* The three requests. */
void vcore_start(struct vcore *vcore, uint64_t now);
void vcore_bind(struct cpu *cpu, struct vcore *vcore, uint64_t now);
void vcore_kill(struct cpu *cpu, struct vcore *vcore, uint64_t now);
/* Any CPU: what was to be bound to a vcore that is dead or dies is let go. */
void vcore_drop_request(struct vcore *vcore);

/* sc is taken out of the CPU's tree and from the vcore that was bound to it. */
void sc_reclaim(struct cpu *cpu, struct sched_context *sc, uint64_t now);
/* sc gets another share, which it and its parent have together.  The parent keeps the rest. */
void sc_resize(struct cpu *cpu, struct sched_context *sc, const struct sc_share *to, uint64_t now);

/* ------------------------------------------------------- timer.c */

/* The CPU's one timer, shared by everything on the CPU that waits for a time. */

/* The vcore's one-shot timer, which has the libos's view in the page; 0 = off. */
void timer_arm(struct vcore *vcore, uint64_t deadline_tsc);
/* Its time has come: the vcore gets EXO_EVENT_TIMER. */
void timer_expire(struct vcore *vcore);

/* On the way out: sees to an interrupt at the next time that matters to this CPU. */
void timer_set(struct cpu *cpu, uint64_t now);

/* ------------------------------------------------------ upcall.c */

/* Upcalls: how the kernel enters the libos of the vcore that has this CPU. */

static inline bool vcore_is_masked(const struct vcore *vcore)
{
	return __atomic_load_n(&vcore->page->masked, __ATOMIC_RELAXED) != 0;
}

/* A fresh token: decisions that the libos made before are void.  Also published in the page. */
void vcore_new_token(struct vcore *vcore);

/* On the way out: shows the vcore its events, entering it at its event entry if it is not masked,
 * and forces out one that has kept an upcall waiting for longer than `limit` ticks of its own.
 * Changes the frame that the vcore will be resumed with. */
void upcall_deliver(struct vcore *vcore, struct exo_regs *regs, uint64_t limit);

/* Ticks of its own time until the vcore must be looked at again; VCORE_NEVER if it keeps no upcall
 * waiting. */
uint64_t upcall_patience(const struct vcore *vcore, uint64_t limit);

/* The frame of a vcore's first entry, at the event entry, masked, with EXO_EVENT_START pending. */
void upcall_first_entry(struct vcore *vcore, struct exo_regs *regs);

/* --------------------------------------------------------- irq.c */

/* Interrupt lines, bound to the mailboxes of vcores. */

/* This CPU, in the interrupt: VECTOR_DEVICE_FIRST .. VECTOR_DEVICE_LAST.  The caller ends it. */
void irq_latch(unsigned vector);

/* The lines of a dead vcore fall silent; false: one is being reported just now, try again. */
bool irq_unbind_vcore(const struct vcore *v);
/* EXO_CALL_REVOKE for a line. */
int64_t irq_revoke(const struct handle_view *h, uint64_t deadline_tsc);

#endif
