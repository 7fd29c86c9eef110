/* SPDX-License-Identifier: MIT */
/*
 * A task: one thread of control of a program (or of the libos), with a libos stack of its own.
 *
 * Memory of one task, in the shared region, TASK_SLOT_SIZE aligned:
 *
 *	+0      guard, never mapped
 *	+16K    stack, grows down from `frame` (debug builds: +4K, since they use more)
 *	        ...
 *	        struct exo_regs: the user frame (registers of the program at its last entry)
 *	        struct task
 *	        XSAVE area: vector registers while it does not run
 *	+32K
 *
 * so that code on a task's stack finds its task by masking RSP, with nothing to race against.
 */
#ifndef LIBOS_TASK_H
#define LIBOS_TASK_H

#include <exo/abi.h>
#include <libos/sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "list.h"
#include "lock.h"
#include "fs/own_descriptors.h"
#include "sched/patience.h"

#define TASK_SLOT_SIZE 0x8000ul
/* Stack, task and vector area.  The deepest stack that the tests have made is 6.7K of the 12.2K. */
#define TASK_MAPPED_PAGES (EXO_DEBUG ? 7 : 4)
#define TASK_VECTOR_MAX 0xac0ul  /* room for x87, SSE, AVX, AVX-512 and PKRU state: 2696 bytes */

struct inheritance;
struct mutex;
struct process;
struct vcore;

enum task_state { TASK_RUNNABLE, TASK_RUNNING, TASK_BLOCKING, TASK_BLOCKED, TASK_ZOMBIE, TASK_STATES };
enum task_place { PLACE_NONE, PLACE_QUEUED, PLACE_RUNNING, PLACE_MAILBOX, PLACE_WAITING };

/* How the program entered the libos; decides how it is left again. */
enum task_entry {
	ENTRY_CALL,    /* function call: callee-saved registers, RSP and RIP are in the frame;
			* vector registers are dead */
	ENTRY_FULL,    /* fault, event or foreign system call: everything is in the frame, and the
			* vector registers hold the program's values */
};

/* Work to do before the program runs again; bits of task->work. */
enum task_work {
	WORK_SIGNAL = 1 << 0,  /* a signal may be deliverable */
	WORK_RESCHED = 1 << 1, /* give the CPU to somebody else */
	WORK_EXIT = 1 << 2,    /* the process is exiting: this task must end */
	WORK_STOP = 1 << 3,    /* job control stop */
};

struct task {
	/* Fixed after task_create(). */
	struct task_ref self;
	struct process *process; /* NULL for the libos's own tasks */
	struct exo_regs *frame;  /* the program's registers, at the top of this stack */

	/* Written by the CPU that owns the task, in task_state.h only (home: by whoever sends it to another);
	 * read by anyone. */
	_Atomic uint8_t state; /* enum task_state */
	_Atomic uint8_t where; /* enum task_place */
	_Atomic int16_t home;  /* CPU whose queue it belongs to */

	/* Any CPU. */
	_Atomic bool on_cpu;       /* release: stack left; acquire: may be resumed or reused */
	_Atomic bool wake_pending; /* a wake met it before its stack was left; the switch path rechecks */
	_Atomic uint32_t waker;    /* for the trace: id of the task that woke it last, 0: an event */
	_Atomic bool gift_over;    /* release: whom it waits for in sched_donate() has run */

	/* Looked at together, as one 64-bit word that is zero when a system call may return fast. */
	_Atomic uint32_t work __attribute__((aligned(8))); /* any CPU; enum task_work */
	uint32_t entry;            /* the task itself; enum task_entry */

	/* Descriptors that nobody else can close. */
	struct own_descriptors own;

	/* Written by the running task itself, or by its CPU on its behalf (or its creator). */
	uint64_t stack_pointer;  /* saved while it is not running */
	uint64_t fs_base, gs_base; /* the program's, while it is not running: see arch_prctl */
	exo_handle space;        /* its process's, for who switches and needs no more of that; 0: any */
	uint32_t mxcsr;          /* of a switch with dead vector registers: control bits alone */
	uint16_t x87_control;
	uint64_t fault_address;  /* of the fault that is being moved to its stack */
	void *vector_area;       /* XSAVE image of TASK_VECTOR_MAX bytes; fixed */
	bool vector_live;        /* vector registers must survive a switch */
	_Atomic unsigned wait_flags; /* of the sleep in progress; read by signal senders */

	/* Whoever moved it to PLACE_MAILBOX; then the CPU that takes it out. */
	struct task *mailbox_next; /* a task is in at most one mailbox (I5) */
	uint8_t message;           /* enum mailbox_message */
	uint8_t gift;              /* enum donation_kind: of the wake in flight */

	/* Scheduler: owned by home. */
	struct list ready_link;   /* the core's list of queued tasks (sched/run_queue.h) */
	struct task *run_next, *run_previous; /* FIFO queues */
	struct ordered_node run_node; /* ordered queues */
	uint64_t queued_at;       /* on the clock of its CPU's queue (run_queue.granted) */
	const void *run_queue;    /* the library's queue that it is in, NULL: none (I3) */
	uint32_t sched_generation; /* of the library that has attached it */
	bool sched_core_only;     /* the library refused it: it is in the core's FIFO */
	_Atomic uint32_t sched_changed; /* any CPU; bits of enum sched_parameter to tell the library */
	uint64_t slice_ns;        /* rest of the slice when it was last stopped */
	uint64_t donated_ns;      /* slice that came with a donation, 0 if none */
	uint8_t donation_depth;   /* gifts in a row that led to this run */
	bool lent;                /* the donor waits for a mutex: this run ends when one is dropped */
	struct task_ref donor;    /* who waits for the end of this run; id 0: nobody */
	struct {                  /* who gets what this run leaves of its slice; NULL: nobody */
		struct task *task; /* looked at only when it is queued on this CPU */
		uint32_t generation;
		uint8_t kind;     /* enum donation_kind */
	} successor;
	uint64_t ready_tsc;       /* when it became runnable */
	uint64_t moved_tsc;       /* when it was moved to even out CPUs (sched/balance.c), 0: it was not */
	uint64_t woken_tsc;       /* when it was woken, until it runs; 0: it was not */

	/* Fixed once it belongs to its process. */
	uint32_t pid;

	/* Under the lock of the task table. */
	uint32_t references;

	/* Under the process tree lock: the process that has this task's id as its pid, or NULL. */
	struct process *names;

	/* Accounting: written by the CPU that runs it. */
	uint64_t user_ns, system_ns, start_tsc; /* system_ns: not told apart, 0 */
	uint64_t voluntary_switches, involuntary_switches, migrations;

	/* Any CPU: the most that was told of its user_ns and what has come to it since (time/cpu_clock.c). */
	_Atomic uint64_t told_ns;

	/* Affinity and priorities as Linux names them, as they are in force (proc/inheritance.h); written
	 * under RANK_TASK lock `lock`.  Who needs one of them only, as a scheduler's library or a futex does,
	 * reads it without. */
	struct lock lock;
	_Atomic uint64_t affinity; /* bit per CPU */
	uint64_t affinity_sets;    /* how often somebody has set it; under `lock` */
	_Atomic int nice, policy, rt_priority;
	bool reset_on_fork; /* children get SCHED_OTHER, and no nice value below 0 */
	_Atomic bool inherits; /* what is in force is another's */
	_Atomic bool locks_released; /* the task itself, as it ends: it is never an owner again */
	_Atomic uint64_t runtime_ns, deadline_ns, period_ns; /* sched_setattr(2) */
	_Atomic uint64_t period_start_ns;                    /* when SCHED_DEADLINE was set */
	/* NULL: it inherits nothing, and nobody waits for it.  Written under inheritance_lock and `lock`. */
	struct inheritance *_Atomic inheritance;

	/* Signals: under process_tree_lock; see proc/signal.h. */
	_Atomic uint64_t signal_pending; /* the task itself may read it without the lock */
	/* Written by the task itself with the lock, or without it by signal_set_blocked(); before that, by
	 * whoever made it. */
	_Atomic uint64_t signal_blocked;
	uint64_t signal_saved_mask;
	bool signal_restore_mask; /* sigsuspend, ppoll: put saved mask back on return */
	struct list signal_queue; /* siginfo of pending signals */
	bool makes_child;         /* from taking its place until it is linked (fork.c) */
	uint32_t stop;            /* the last of its process's stops that it has stopped for (stop.c) */
	uint64_t child_signals;   /* sent meanwhile to those whom the child will belong to */
	struct { uint64_t sp, size; int flags; } signal_stack;

	/* Written by the task itself: a call to be gone on with by restart_syscall(2), and what with. */
	struct {
		long (*go_on)(void);
		uint64_t deadline_ns, address, count;
	} restart;

	/* Threads: written by the task itself. */
	uint64_t clear_child_tid, robust_list, robust_list_size;
	_Atomic bool leaving; /* set before clear_child_tid says so; read by who holds the task */

	/* Written by the task itself, in debug builds: the mutex that it took last, and so on. */
	struct mutex *held_mutexes;

	/* Under the process tree lock. */
	struct list thread_link; /* in struct process.tasks */
	bool has_children;       /* it is, or was, some child's parent_thread */

	char name[16];

	/* The scheduler library's, as the rest of what home owns: behind all that a new task has cleared, as
	 * it is cleared by itself. */
	uint64_t sched_private[SCHED_TASK_SIZE_MAX / 8];

	/* Owned by home: for sched/stall.c.  What was here before does not count: `late` says of which wait
	 * it is, and `was_due` is looked at only if `waited` is not 0. */
	struct lateness late;     /* written when it is late */
	uint64_t waited, was_due; /* on its way from one queue to the next; else 0 */
};

#define TASK_OFFSET (TASK_SLOT_SIZE - TASK_VECTOR_MAX - ((sizeof(struct task) + 63) & ~63ul))

/* The task whose stack this is; task context only (masked or not). */
static inline struct task *current(void)
{
	uint64_t sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return (struct task *)((sp & ~(TASK_SLOT_SIZE - 1)) + TASK_OFFSET);
}

/*
 * task_create - a new task, BLOCKED, in no queue
 * entry(argument) runs on its stack in task context when it is first started; it must not return.
 * Without a name it has none yet.
 * Returns NULL when out of memory.  The caller fills in what is the program's, then task_start().
 */
struct task *task_create(struct process *p, void (*entry)(void *), void *argument, const char *name);
/* Makes a new task runnable on the CPU that the scheduler selects. */
void task_start(struct task *t);
/* Ends the calling task: ZOMBIE, never runs again; its slot is reused once on_cpu is clear and
 * the last reference is gone. */
_Noreturn void task_exit(void);
/* A task by name; NULL if it is gone.  Takes a reference; task_put() drops it. */
struct task *task_get(struct task_ref ref);
struct task *task_find(uint32_t tid);
/* The task with the smallest id that is not below this one; likewise. */
struct task *task_next(uint32_t id);
/* More references, for who has one or has just made it. */
void task_hold(struct task *t, unsigned count);
void task_put(struct task *t);
/* Several at once. */
void task_put_all(struct task *t, unsigned count);

/* The calling task's use of the CPU up to now goes into its counters. */
void task_charge(void);
/* Give up the CPU; the task stays runnable. */
void task_yield(void);
/* Ask the CPU that runs `t` to look at its work bits soon (IPI if it runs elsewhere).  For who is
 * masked, as with a lock held. */
void task_notice_masked(struct task *t, uint32_t work_bits);

/*
 * Leave to the program through t->frame, after looking at t->work (signals, exit, stop).
 * return_to_user() does the work bits itself by calling task_work() in task context.
 */
_Noreturn void return_to_user(void);
void task_work(void); /* proc/work.c; called with unmasked upcalls before each return */

#endif
