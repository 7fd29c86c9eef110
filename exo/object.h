/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: what a handle can name, and who may change it.
 *
 * Every object lives in a frame that its domain gave up for it (K2: there is no heap), and is
 * reached through the physmap.  Whether the object in a frame is alive, and how many uses of it
 * are in progress, is NOT kept in the object but in a table beside the frame table, one word per
 * frame (frame_private):
 *
 *	63  62         16 15      0
 *	| 1 | generation | users   |	an object is alive in the frame
 *	| 0 | TLB stamp            |	none is, and the frame may be anybody's (tlb_epoch.h)
 *
 * A stale handle may point at a frame that has become a user page since.  The word is always the
 * kernel's, and what it says of an object it says at one instant: so looking up is one
 * compare-and-swap {generation, users} -> {generation, users + 1}, and where the generation is another
 * nothing is written.  No generation is used twice, in whatever frame, so nothing of an object stays
 * behind when it dies, and a compare-and-swap never takes another's word for what it has seen before.
 * Destroying is one compare-and-swap {alive, one user} -> 0; revoking is one to a new generation.
 * Neither looks for the handles that become stale.
 *
 * Why a word is never both: an object comes to life in a frame that its maker has claimed, and ends before
 * the frame is given back.  A claimed frame's stamp is acknowledged (frame_claim) and none is added, since
 * only who has an entry of a frame counted stamps it, and what is mapped cannot be claimed.
 */
#ifndef EXO_OBJECT_H
#define EXO_OBJECT_H

#include <exo/abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "lock.h"

enum object_kind {
	OBJECT_NONE, OBJECT_DOMAIN, OBJECT_SPACE, OBJECT_VCORE, OBJECT_SC,
	OBJECT_LOAN,    /* lent frames: nothing but a struct object */
	OBJECT_PORTS,   /* the right to use I/O ports.  From here on, no struct object ... */
	OBJECT_IRQS,    /* ... the right to bind lines ... */
	OBJECT_LINE,    /* ... first: a bound line; count: the binding's number ... */
	OBJECT_DEVICES, /* ... the right to map device pages */
	OBJECT_ANY,     /* not a kind: what a look-up takes */
};

struct domain;
struct space;
struct vcore;
struct sched_context;

/*
 * What a look-up has found stays true while this stays the same.  Any CPU, by adding: a handle has become
 * stale (its slot was emptied, or the object's generation has changed), or a space is about to be destroyed.
 * It is counted after that is to be seen, and read before anything is looked at.
 */
extern _Atomic uint64_t stale_clock;

/* The first field of every object that has a frame.  Fixed while the object is alive. */
struct object {
	enum object_kind kind;
	struct domain *owner;
	uint64_t frame;
};

enum { HANDLE_WORDS = 5 };

/* One slot of a domain's handle table. */
struct handle_slot {
	/*
	 * Any CPU, by compare-and-swap: slot generation << 8 | enum slot_state.  The other fields
	 * are written by the CPU that moved it FREE -> FILLING, and fixed while it is LIVE.
	 */
	_Atomic uint64_t tag;
	_Atomic uint64_t words[HANDLE_WORDS]; /* the first part of struct handle_view */
	uint64_t reserved[2];
};
_Static_assert(sizeof(struct handle_slot) == 64, "a page holds 64 slots");

#define HANDLE_SLOTS_PER_FRAME (EXO_PAGE_SIZE / sizeof(struct handle_slot))
#define HANDLE_FRAMES_MAX 256

/* A handle looked up: its slot by value, and a reference to what it names. */
struct handle_view {
	union {
		uint64_t words[HANDLE_WORDS];
		struct {
			enum object_kind kind;
			uint32_t rights;
			uint64_t object_frame;      /* whose word tells whether the handle is stale */
			uint64_t object_generation; /* what that word must say */
			uint64_t first, count;
		};
	};
	bool kept;             /* there is no reference to put: none was taken, or it has gone elsewhere */
	union {                /* NULL for PORTS, IRQS, LINE and DEVICES */
		struct object *object;
		struct domain *domain;
		struct space *space;
		struct vcore *vcore;
		struct sched_context *sc;
	};
};

/*
 * What belongs to the machine and has no object of its own is named, for the sake of revocation, by
 * the words of low frames, which are the firmware's and never anybody's: its data are in the first, and
 * some is known to write to others of the first 64 KiB at any time.  The page where other CPUs start
 * (TRAMPOLINE_PAGE) is one of them.
 */
enum machine_frame {
	MACHINE_PORTS_FRAME = 1, MACHINE_DEVICES_FRAME = 3,
	MACHINE_IRQS_FRAME = 2, /* the right to bind, and each bound line */
	MACHINE_FRAMES_END = 16, /* below it no frame holds a struct object */
};

#define DOMAINS_MAX 64 /* ids 1 .. DOMAINS_MAX - 1; 0 is "nobody" */

struct domain {
	struct object object;

	/* Fixed after creation. */
	uint16_t id;               /* index in the domain table; owner number in the frame table */
	uint16_t parent_id;        /* who gets its frames when it dies; 0 for the first domain */
	struct exo_entries entries;
	struct space *shared;
	struct vcore *parent_vcore; /* holds a reference; NULL for the first domain */
	uint64_t parent_word;

	/* Any CPU: set for good (domain_kill.c), and before it, under `dismantling`, the status. */
	atomic_bool dying;
	uint64_t status;

	/* Any CPU (frame_revoke.c): the deadline that was announced for frames, 0 if none was; and
	 * how many of its frames are of type REVOKED. */
	_Atomic uint64_t frames_deadline;
	_Atomic uint64_t revoked;

	/* Any CPU, by compare-and-swap 0 -> 1 -> 0: somebody takes the dead domain apart ... */
	_Atomic bool dismantling;
	/* ... and only that CPU writes these: where the sweep over all frames has got to. */
	uint64_t sweep_frame, sweep_left;
	uint32_t sweep_phase;

	/* Written by the CPU that creates the vcore (compare-and-swap from 0), read by any. */
	struct vcore *_Atomic vcores[EXO_CPUS_MAX];

	/* Any CPU: pages are only ever added (compare-and-swap from 0). */
	struct handle_slot *_Atomic handles[HANDLE_FRAMES_MAX];
	_Atomic uint32_t handle_hint; /* where the search for a free slot starts */
};
_Static_assert(sizeof(struct domain) <= EXO_PAGE_SIZE, "a domain is one frame");

/* One page-table tree; or a domain's shared region, whose root is a PDPT instead of a PML4. */
struct space {
	struct object object;

	/* Fixed after creation. */
	bool is_shared;
	uint64_t root; /* frame number */
	struct space *shared; /* its domain's shared region; NULL if it is one */

	/* Rank LOCK_SPACE; two at once through lock_acquire_pair(). */
	struct lock lock;
	/* Under lock. */
	uint64_t pool; /* page-table frames fed and not yet used, linked through the frames */
	uint64_t walked; /* the last address below the directory entry that was found last; 0: none was */
	_Atomic uint64_t *directory; /* that entry (page_table_walk) */

	/* Set under lock, read by any CPU after it has taken a reference (handle_view). */
	atomic_bool dying;

	/* Bit set by who takes rights out of an entry, cleared by the CPU itself before it flushes:
	 * that CPU's TLB may hold something that the tables no longer say. */
	_Atomic uint64_t behind;

	/* Any CPU, by tlb_stamp_add(): union of the stamps (tlb_epoch.h) of what updates of this
	 * space removed and what is not acknowledged yet. */
	_Atomic uint64_t stale;
};
_Static_assert(sizeof(struct space) <= EXO_PAGE_SIZE, "a space is one frame");

/* ---------------------------------------------------------------- object.c */

/* Bring the object in a claimed frame to life, with one reference, which the caller holds. */
void object_init(struct object *o, enum object_kind kind, struct domain *owner, uint64_t frame);
/* One more reference; the caller holds one, or is the only one who could kill it. */
void object_get(struct object *o);
void object_put(struct object *o);
/* The domain's object that is alive in a frame, whatever that is, with a reference; NULL: there is none. */
struct object *object_find(const struct domain *d, uint64_t frame);
/* The same for what has no struct object, by frame; get fails if it is of another generation. */
bool object_word_get(uint64_t frame, uint64_t generation);
bool object_word_get_live(uint64_t frame); /* of whatever generation */
void object_word_put(uint64_t frame);
void object_word_start(uint64_t frame); /* dead -> alive, with one reference */
/*
 * Kill it if the caller's reference is the only one: no handle names it any more and the frame
 * may be handed back.  -> the generation that it had; 0, and nothing changed, while others use it.
 */
uint64_t object_word_retire(uint64_t frame);
/* Undo that, with no reference. */
void object_word_revive(uint64_t frame, uint64_t generation);
/* Make every handle to it stale.  -> its new generation, 0 if it was of another one than was said. */
uint64_t object_word_renew(uint64_t frame, uint64_t generation);
bool object_is_live(uint64_t frame);
uint64_t object_generation(uint64_t frame); /* never 0 if it is alive */
/* With a reference held: how many there are. */
unsigned object_users(const struct object *o);

/* ---------------------------------------------------------------- handle.c */

/*
 * handle_view - find what a handle of the current domain's names, with a reference
 *
 * Returns 0, -EBADF (stale, empty, of another kind; or a space, asked for as such, that is being
 * destroyed) or -EPERM (a right is missing).
 * The caller ends its use with handle_view_put, which does nothing where there is no reference (`kept`),
 * as after a failure.
 */
int handle_view(struct domain *d, exo_handle h, enum object_kind kind, unsigned rights,
		struct handle_view *out);
void handle_view_put(const struct handle_view *view);

/*
 * Making a handle in two steps, so that the step that can fail comes before anything is changed:
 * reserve a slot (-> number, or -ENOSPC), then fill it (-> the handle) or give it back.
 */
int64_t handle_reserve(struct domain *d);
void handle_cancel(struct domain *d, int64_t number);
exo_handle handle_fill(struct domain *d, int64_t number, enum object_kind kind, unsigned rights,
		       uint64_t object_frame, uint64_t first, uint64_t count);

/* The exo calls on handles, and what only the making of a domain needs. */

/* Fill a slot of a new table by its number (enum exo_first_slot); it gets generation 1. */
void handle_install(struct domain *d, uint32_t number, enum object_kind kind, uint64_t object_frame,
		    unsigned rights);
/* Empty the slot; false if the handle was stale. */
bool handle_drop(struct domain *d, exo_handle h);
/* One more page of slots, in a claimed frame: 0 or -ENOSPC. */
int handle_feed(struct domain *d, uint64_t frame);

/* ---------------------------------------------------------------- creation.c */

/* What the current domain makes an object of: the caller fills in count and frames, the object's
 * own first.  All become KERNEL but the last, which gets a type of its own. */
struct creation {
	struct domain *payer;
	int64_t slot;
	unsigned count;
	uint64_t frames[4];
};
int creation_begin(struct creation *c, enum exo_frame_type last_type); /* 0, or errno and nothing done */
void creation_undo(struct creation *c);
exo_handle creation_finish(struct creation *c, enum object_kind kind);

/* ---------------------------------------------------------------- space.c */

/*
 * Make the address space in two claimed frames (KERNEL and TABLE).  shared: NULL to make a shared
 * region itself.  The caller holds the object's one reference.
 */
struct space *space_init(struct domain *owner, uint64_t frame, uint64_t root_frame, struct space *shared);

/* Frames that came free, for one step of taking apart. */
#define FRAME_LIST_MAX 256
struct frame_list {
	uint16_t owner; /* only this domain's frames are listed */
	unsigned room, count;
	uint64_t frames[FRAME_LIST_MAX];
};

/*
 * One bounded step: unmap, hand back tables and pool, and at last root and object.  From the first one
 * on there are no more uses of the space.  Returns 1 while there is more, 0 when the space is gone,
 * -EBUSY while it is loaded or in use, the caller's own reference apart, or if a TLB elsewhere has first
 * to acknowledge an earlier update of another space.
 */
int space_destroy_step(struct space *s, struct frame_list *list);

/* ---------------------------------------------------------------- domain.c */

/* NULL if there is none by that number. */
struct domain *domain_by_id(uint16_t id);
/* Its vcore on that CPU, dead or not, with a reference; NULL: it has none.  The caller holds the domain. */
struct vcore *domain_vcore_get(struct domain *d, unsigned cpu);
/* The domain of the vcore on this CPU.  Valid in every call handler. */
struct domain *domain_current(void);
/*
 * Declare a domain dead, for a fault that it cannot handle or on request.  Any CPU, any number of
 * times; the first status counts.  Its vcores leave their CPUs, the parent gets a DEATH message,
 * and what it had is taken apart by EXO_CALL_DOMAIN_KILL, step by step.
 */
void domain_die(struct domain *d, uint64_t status);

/*
 * Makes a domain, with a number of its own, its shared region, and its handles to both; NULL if all
 * numbers are taken.  The frames are claimed: KERNEL, but the shared root a TABLE.  The caller holds
 * one reference to each of the two objects.
 */
struct domain *domain_init(const struct exo_domain_create *create);

/* Are these entries inside a text range in the image's part of the shared region? */
bool domain_entries_ok(const struct exo_entries *entries);

/* Its number may be used again.  It has been retired. */
void domain_forget(struct domain *d);

#endif
