/* SPDX-License-Identifier: MIT */
/*
 * A vcore: the libos's presence on one CPU.  The part that the kernel shares is page 0 of
 * EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE (struct exo_vcore_page); this is the libos's own part, between
 * the CPU's two stacks:
 *
 *	event stack, grows down from the vcore | vcore | fault stack
 *	                          [-------- one page ----]
 *
 * What a switch reads, and the stack that it runs on, share a page.
 *
 * Except for the fields under "Any CPU", a vcore is read and written only by its own CPU while
 * upcalls are masked, so nothing in it needs a lock (I8).
 */
#ifndef LIBOS_VCORE_H
#define LIBOS_VCORE_H

#include <exo/abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/cpu_selector.h"
#include "core/list.h"
#include "core/mailbox.h"
#include "core/page_runs.h"
#include "core/timer_queue.h"
#include "sched/run_queue.h"
#include "sched/stats.h"
#include "time/time.h"

struct task;
struct lock;

#define VCORE_HELD_MAX 8
#define VCORE_KEPT_MAX 8
#define VCORE_SHIFT 15 /* of what each CPU has: struct vcore_area */
#define VCORE_SIZE 0x800ul
#define FAULT_STACK_SIZE 0x2000ul
#define EVENT_STACK_SIZE ((1ul << VCORE_SHIFT) - VCORE_SIZE - FAULT_STACK_SIZE)

struct vcore {
	/* ---- the first cache line is what system calls, masking and switches touch */

	/* Fixed after vcores_init(). */
	struct exo_vcore_page *page;

	/* This CPU.  The task whose program or stack it executes, NULL when idle. */
	struct task *current;

	/* This CPU: how many upcalls_mask() are open; page->masked is set while it is not 0. */
	uint32_t mask_depth;

	/* Fixed after vcores_init(). */
	int32_t cpu;
	exo_handle handle;         /* of the vcore itself, written by it when it comes and goes; 0: the
				    * domain has none on this CPU */

	/* This CPU: the rest of this line, and the next up to the mailbox. */
	struct task *deferred;     /* tasks woken under a lock, linked by mailbox_next */
	exo_handle space;          /* the address space that is loaded */
	uint64_t slice_end_tsc;    /* of the current task; 0: it may run until it stops by itself */
	uint64_t ran_since_tsc;    /* the current task is charged from here on */
	struct task *heir;         /* in flight: runs next, with donated_ns or, if that is 0, with what
				    * the current task leaves of its slice (sched/donate.c) */
	/* These four are looked at as one word when the CPU unmasks (masking.asm). */
	bool need_resched;         /* switch before the current task goes on */
	uint8_t overruns;          /* OVERRUNs of the core, neither unmasked nor idle between them */
	bool must_wake;            /* somebody is deferred */
	uint8_t zero;
	/* These four, too, by who promises a slice or hands it over (sched/donate.c, hand_over.c). */
	union {
		struct {
			bool must_pick; /* the library wants to be asked who is next */
			bool leaving; /* the CPU is given up when it next schedules (sched/offline.h) */
			bool idle;   /* has set its bit in idle_cpus since it last ran a task */
			bool traced; /* events go to this CPU's ring (trace/trace.h) */
		};
		uint32_t not_plain;
	};
	uint8_t holder;            /* what it writes into a lock: cpu + 1; fixed after vcores_init() */
	uint64_t steal_asked;      /* bit of the CPU that has been asked for a task */
	uint64_t steal_tried;      /* bits of those asked since something was new */
	uint64_t poll_ns;          /* how long it looks for an event before it halts (core/idle_poll.c) ... */
	uint64_t poll_again_tsc;   /* ... and not before that */
	uint64_t promise_ends_tsc; /* when the heir is not kept for the current task any more; 0: never */
	uint64_t left_token;       /* the page's token when the last task left; 0: much has happened since */
	bool in_event;             /* deals with what came from outside: no task of ours wakes now */
	bool mail_rests;           /* the kernel's mailbox is read on by a timer (core/kernel_messages.c) */

	/* Fixed after vcores_know_time(): what a switch reads, so that it needs no other page for that. */
	uint64_t ns_per_tick; /* 32.32 */
	uint64_t promise_tsc; /* how long a promise is kept; 0: nobody else could run the heir */

	/* This CPU, for registers_resume() (entry.asm): what is resumed last.  RSP points at rflags when the
	 * way out is taken, and what lies around it is as around RIP in struct exo_regs. */
	struct {
		uint64_t rax;
		struct exo_vcore_page *page; /* as above; fixed after vcores_init() */
		struct exo_regs *regs;       /* where it all came from */
		uint64_t rflags;
		const char *jump;            /* this CPU's; fixed after vcores_init() */
		uint64_t rip, rsp;
	} leave;

	/* Any CPU pushes, this CPU drains. */
	struct mailbox mailbox __attribute__((aligned(64)));

	/* This CPU. */
	struct run_queue queue __attribute__((aligned(64)));

	/* This CPU: task slots for reuse (task_slot.c), linked by mailbox_next. */
	struct task *free_tasks;
	uint32_t free_task_count;

	/* Under timers.lock; the lock is there for cancelling from another CPU. */
	struct timer_queue timers;

	/* This CPU, debug builds: locks held, in the order they were taken (I11). */
	uint32_t held_count;
	struct lock *held[VCORE_HELD_MAX];

	/* This CPU: entries of the repossession ring that it has read since it came. */
	uint32_t taken_read;

	/* This CPU; others may read them at any time. */
	struct vcore_stats stats;

	/* This CPU: blocks of the heap for reuse, of each class (heap.c).  How many there are others may read
	 * at any time. */
	uint8_t kept_count[PAGE_CLASSES];
	uint32_t kept[PAGE_CLASSES][VCORE_KEPT_MAX];
} __attribute__((aligned(VCORE_SIZE)));
_Static_assert(offsetof(struct vcore, need_resched) % 4 == 0 &&
	       offsetof(struct vcore, must_pick) == offsetof(struct vcore, need_resched) + 4, "one word");
_Static_assert(sizeof(struct vcore) == VCORE_SIZE, "half a page, and the stack above it is aligned");

struct vcore_area {
	char event_stack[EVENT_STACK_SIZE];
	struct vcore vcore;
	char fault_stack[FAULT_STACK_SIZE];
};
_Static_assert(sizeof(struct vcore_area) == 1 << VCORE_SHIFT, "entries shift the CPU number");

/* Those of CPUs that the machine does not have are at the end, without memory (vcore_areas.asm). */
extern struct vcore_area vcore_areas[EXO_CPUS_MAX];
extern unsigned vcore_count; /* the domain's CPUs are among 0 .. vcore_count - 1; fixed likewise */

/* A bit for each CPU that this domain has now; it may have another one, or one less, at any time. */
uint64_t vcores_present(void);

static inline struct vcore *vcore_of(unsigned cpu)
{
	return &vcore_areas[cpu].vcore;
}

/* tsc_to_ns(), by a CPU that has its vcore at hand. */
static inline uint64_t vcore_ns(const struct vcore *v, uint64_t ticks)
{
	return time_scale(ticks, v->ns_per_tick);
}

/*
 * The vcore of the CPU that executes this.  A task that is not masked may be on another CPU by
 * the time it uses the result: such a caller only reads what is merely a hint.
 */
static inline struct vcore *this_vcore(void)
{
	const unsigned shift = VCORE_SHIFT - EXO_CPU_SELECTOR_SHIFT; /* from selectors to areas */
	const uint64_t first = (uint64_t)&vcore_areas[0].vcore - (EXO_CPU_SELECTOR << shift);

	return (struct vcore *)(first + (cpu_selector() << shift));
}

/* Once, on the boot CPU: the private part of every vcore, before any lock is taken. */
void vcores_init(void);
/* Once, after time_init(). */
void vcores_know_time(void);

/* What upcalls_unmask() leaves to C (masking.asm): this CPU, masked once, with something to do; and
 * unmasked, with an event that has come before. */
void unmask_slowly(void);
void handle_and_unmask(void);

/* This CPU, with a current task: a slice has an end only for those who wait. */
bool vcore_slice_ends(const struct vcore *v);

/* Does anybody wait for the current task to stop?  A hint, unless masked. */
static inline bool vcore_has_waiting(const struct vcore *v)
{
	return atomic_load_explicit(&v->queue.count, memory_order_relaxed) > 0 || v->heir;
}

/* Why a vcore field is written: by its own CPU, masked (I8). */
static inline bool vcore_is_mine(const struct vcore *v)
{
	return v == this_vcore() && v->mask_depth != 0;
}

#endif
