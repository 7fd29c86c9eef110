/* SPDX-License-Identifier: MIT */
/*
 * A vcore: a domain's presence on one CPU.
 *
 * Where a vcore can be, and the only ways from one place to another (places.c has the table):
 *
 *	        start          dispatch
 *	NEW ----------> READY <=========> RUNNING ----> DONATING (another runs on its budget)
 *	                  ^  \    preempt    |   <-----
 *	   replenishment  |   \              | halt
 *	                  |    \  budget     v
 *	                 WAITING <======= HALTED     every place ----> DEAD
 *
 * READY, WAITING and HALTED are lists of the CPU (struct run); the other places are not.
 */
#ifndef EXO_VCORE_H
#define EXO_VCORE_H

#include "object.h"

enum vcore_place {
	VCORE_NEW,      /* created, not started */
	VCORE_RUNNING,  /* has the CPU: cpu->current */
	VCORE_READY,    /* runnable and funded: list in the order of scheduling deadlines */
	VCORE_WAITING,  /* runnable, budget spent or no SC: list in the order of replenishment */
	VCORE_HALTED,   /* sleeps until an event: list in the order of timer deadlines */
	VCORE_DONATING, /* sleeps until the vcore that runs on its budget halts or spends it */
	VCORE_DEAD, VCORE_PLACES,
};

#define VCORE_NEVER UINT64_MAX

/* Requests to a vcore's own CPU; latched beside its events. */
#define VCORE_REQUEST_START (1ul << 32) /* enter it for the first time */
#define VCORE_REQUEST_KILL (1ul << 33)  /* take it off the CPU for good */
#define VCORE_REQUEST_BIND (1ul << 34)  /* it gets the SC in bind_request */

struct sched_context;

/*
 * A space of its own domain's that a vcore may switch to, as it was found by handle with SPACE_NAME_RIGHTS.
 * At another time than `clock` (stale_clock) it is to be looked up again, and must not be touched: it may be
 * gone.
 */
struct space_name {
	exo_handle handle; /* 0: none; one that would not be looked for here */
	uint64_t clock;
	struct space *space;
	uint64_t root;     /* frame number */
};
#define SPACE_NAME_RIGHTS (EXO_RIGHT_USE | EXO_RIGHT_WRITE)
#define SPACE_NAMES 32u
#define vcore_name(vcore, handle) (&(vcore)->names[(handle) % SPACE_NAMES])

struct vcore {
	struct object object;

	/* Fixed after creation. */
	unsigned cpu;
	struct exo_vcore_page *page;  /* the kernel's alias of the shared page; pinned */
	uint64_t stack_top, fault_stack_top;
	void *vector_state;           /* XSAVE area, in a frame of its own */

	/* Written by its CPU only (K4, I8). */
	_Atomic uint8_t where;        /* enum vcore_place; places.c has the only writer (I3) */
	struct vcore *next;           /* in the list of its place */
	uint64_t sort_key;            /* the list's order */
	struct space *_Atomic space;  /* loaded while it runs; kept from its end by this (space_destroy.c) */
	struct sched_context *sc;     /* its own; NULL = none bound */
	struct vcore *donor;          /* whose SC it runs on, while that one is DONATING */
	uint64_t token;
	uint64_t deadline_tsc;        /* one-shot timer, 0 = off */
	uint64_t cpu_time;            /* ticks spent running, whoever paid */
	uint32_t events;              /* taken from `latched`, not yet shown to the libos */
	bool stuck;                   /* masked with an upcall pending ... */
	bool overrun_reported;
	uint64_t stuck_since;         /* ... since this value of cpu_time */

	/* Its CPU; of meaning only while another vcore's registers are in the processor. */
	struct exo_regs regs;
	uint64_t fs_base, gs_base;

	/* Its CPU: by handle (vcore_name). */
	struct space_name names[SPACE_NAMES];

	/* Any CPU.  Events (low half) and requests (high half) on their way to the vcore's CPU;
	 * while it is not 0 the vcore is in its CPU's stack of rung vcores, through rung_next. */
	_Atomic uint64_t latched;
	struct vcore *rung_next;
	struct sched_context *_Atomic bind_request; /* set from NULL by the requester; a reference */
	_Atomic uint32_t mailbox_tail;              /* index in the stream of the next message */
	_Atomic uint32_t taken_tail;                /* and of the next entry of the repossession ring */
	_Atomic uint64_t revoke_by;                 /* revoke_due() */
};
_Static_assert(sizeof(struct vcore) <= EXO_PAGE_SIZE, "the object is one frame");

/* vcore.c */
/* The vcore, in place NEW, but for its object, which is not alive yet.  The frames are claimed, the rest of
 * what is to be made has been checked; the caller holds the space until the vcore is in its table. */
struct vcore *vcore_init(struct space *space, const struct exo_vcore_create *create);
/* On a change of vcore: what the processor holds of one, and back.  `frame` is where its registers
 * are, which may be vcore->regs itself. */
void vcore_save(struct vcore *vcore, const struct exo_regs *frame);
void vcore_restore(const struct vcore *vcore);
/* Any CPU.  Its CPU has let go of it and the caller's reference, which ends here, was the last: its frames
 * go back.  False: not yet. */
bool vcore_retire(struct vcore *vcore);

/* rung.c: any CPU.  The caller holds a reference, or is the vcore's CPU. */
void vcore_ring(struct vcore *vcore, uint64_t bits); /* enum exo_event, VCORE_REQUEST_... */

/* mailbox.c: any CPU, same condition.  0 or -EAGAIN (full). */
int mailbox_post(struct vcore *vcore, enum exo_message_kind kind, uint64_t word0, uint64_t word1,
		 uint64_t word2);

/* revoke.c */

/* What is revoked, as the domain that has it calls it. */
struct revoked {
	enum exo_revoked kind;
	uint64_t number, count;
};
/* Any CPU, the caller holds a reference to the vcore: its domain is asked to give this up. */
void revoke_announce(struct vcore *vcore, const struct revoked *what, uint64_t deadline_tsc);
/* Any CPU, the caller holds a reference to the domain, or to something of its that does: this is taken
 * from it now, and listed in its repossession ring. */
void revoke_list(struct domain *d, const struct revoked *what);
/*
 * May it be taken now?  Any CPU, which holds a reference to the vcore.  `by` belongs to what is revoked:
 * 0 until it is announced to the vcore, then the deadline, then REVOKE_LISTED, once it is in
 * the ring.  A deadline that has been announced stays.
 */
bool revoke_due(_Atomic uint64_t *by, struct vcore *vcore, const struct revoked *what, uint64_t deadline_tsc);

#endif
