/* SPDX-License-Identifier: MIT */
/*
 * TLB epochs: when may a frame that was unmapped be used for something else?  tlb_epoch.c has
 * the argument.
 *
 * There is one clock for the machine.  Taking rights out of page tables that other CPUs have
 * loaded publishes a new epoch, a tick of that clock.  What was removed gets a stamp:
 *
 *	63         16 15         0
 *	| epoch      | CPUs       |	bit n: CPUs whose number is n modulo 16
 *
 * A stamp is acknowledged when each of its CPUs has flushed since its epoch, or is idle (and will
 * look before it enters ring 3 again).  0 is always acknowledged.  Stamps are kept per frame (for
 * retyping) and per space (for EXO_CALL_TLB_POLL).
 *
 * A frame's stamp shares its word with an object's (object.h): the clock never gets as far as the top bit.
 */
#ifndef EXO_TLB_EPOCH_H
#define EXO_TLB_EPOCH_H

struct space;
struct vcore;

typedef uint64_t tlb_stamp;

static inline uint64_t tlb_stamp_epoch(tlb_stamp stamp)
{
	return stamp >> 16;
}

/* Both must be acknowledged: the later epoch, all the CPUs. */
tlb_stamp tlb_stamp_union(tlb_stamp a, tlb_stamp b);
bool tlb_acknowledged(tlb_stamp stamp);
/* Interrupt the CPUs that have not acknowledged it yet. */
void tlb_remind(tlb_stamp stamp);

/*
 * Rights were taken out of entries of a space, under its lock.  Interrupts the other CPUs that
 * have it loaded; returns their stamp, 0 if there are none.  The caller flushes this CPU itself
 * (x86/machine.h).
 */
tlb_stamp tlb_publish(struct space *space);

/* Put a stamp into a word that collects them; -> what is not acknowledged yet. */
tlb_stamp tlb_stamp_add(_Atomic uint64_t *word, tlb_stamp stamp);
/* Stamp a frame before its entry is counted out: that keeps it from becoming an object's. */
void tlb_stamp_frame(uint64_t frame, tlb_stamp stamp);
/* Any frame's stamp, 0 if it is acknowledged: then it is forgotten. */
tlb_stamp tlb_frame_pending(uint64_t frame);
/* The same, and the CPUs behind are reminded. */
bool tlb_frame_acknowledged(uint64_t frame);

/*
 * Load CR3.  The vcore that has the CPU is in the space, or the caller holds a reference until it is.  NULL:
 * the kernel's own tables, which map nothing of ring 3.  Loading what is loaded costs nothing.
 */
void tlb_load(uint64_t root_frame, struct space *space, struct space *shared);
/* Which other CPUs have the space loaded, or one over this shared region; or are about to, or have not quite
 * left it. */
uint64_t tlb_others_with(const struct space *space);

/*
 * This CPU, on every way out to ring 3 (run_exit), and in the interrupt that tlb_publish and tlb_remind
 * send: flush if it is behind, and acknowledge.
 * Two loads and a compare when nothing was published anywhere.
 */
void tlb_catch_up(void);
/* This CPU: the vcore will not be woken any more. */
void tlb_forget_waiter(const struct vcore *vcore);

#endif
