/* SPDX-License-Identifier: MIT */
/*
 * A machine that exists only in this program: CPUs, tasks and messages in simulated time, around a
 * real scheduler library.  It does what the libos's core does (libos/sched, libos/core/switch.c):
 * it calls the library's callbacks in the same order, on one CPU at a time, and checks the answers.
 *
 *	work.c       what the tasks do: a file, read into programs
 *	tasks.c      a task's program, step by step
 *	machine.c    events, CPUs, messages: when does what happen
 *	library.c    each callback, called and checked
 *	api.c        what the library may call
 *	timeline.c   what was seen, as text
 *
 * One thread, no clock, no addresses in any decision: the same work gives the same run.
 */
#ifndef SIMULATOR_MACHINE_H
#define SIMULATOR_MACHINE_H

#include <libos/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/task.h"
#include "work.h"

/* What a work may ask for, to see how a library scales: one with arrays of SCHED_CPUS_MAX cannot run it.
 * Nothing else asks for more than that. */
#define SIM_CPUS_MAX 1024
#define SIM_NEVER UINT64_MAX

enum sim_state { SIM_SLEEPING, SIM_FLYING, SIM_QUEUED, SIM_RUNNING, SIM_ENDED };

struct sim_task {
	struct task t; /* first: the library's pointer is ours; the ready-made queues link it */
	enum sim_state state;
	int cpu;               /* where it is queued or last ran */
	void *private_state;   /* exactly task_size bytes, so that the sanitizer sees what is beyond */
	bool attached, refused;
	struct sim_task *hash_next;  /* of those whose addresses hash alike */
	struct sim_task *all_next, *all_previous; /* every task, in the order of making */
	struct sim_task *ready_next, *ready_previous; /* the CPU's list of queued tasks, oldest first */

	/* Its program. */
	const struct program *program;
	unsigned step, rounds;
	uint64_t remaining_ns; /* of the step `run` */
	uint64_t released_ns;  /* the step `next`: start of the period */
	unsigned depth, children;
	bool joining;
	struct sim_task *parent, *wait_next;

	/* What becomes of it. */
	enum sched_why why;    /* in flight */
	enum sched_why ordinary; /* a heir: what it is when it gets no slice */
	unsigned gift_depth;
	uint32_t given_by; /* the number of whose slice it has, 0: its own */
	uint64_t ready_since_ns, gift_ns;
	uint64_t moved_ns;   /* when it was moved to even out CPUs ... */
	unsigned moved_runs; /* ... and how often it had run until then */
	struct sim_record {
		uint64_t ran_ns, waited_ns, longest_wait_ns;
		unsigned runs, moves, late, jobs;
	} record;
	int letter;            /* in the timeline */
};

struct sim_cpu {
	struct sim_task *current;
	/* In flight: gets its gift, or if that is 0 what the current task leaves. */
	struct sim_task *heir;
	uint64_t promise_ends_ns;  /* when such a heir is an ordinary task */
	struct sim_task *ready_first, *ready_last;
	unsigned count;          /* queued tasks */
	struct sched_fifo fifo;  /* those that attach() refused */
	void *private_state;
	uint64_t run_from_ns;    /* the current task has been accounted for up to here */
	uint64_t uncharged_ns;   /* of it, not told to the library yet */
	uint64_t slice_end_ns, busy_until_ns;
	bool need_resched, must_pick, idle, steal_asked;
	uint64_t tried[SIM_CPUS_MAX / 64]; /* asked for a task since something was new */
	struct event *timer;
	uint64_t idle_since_ns, idle_ns;
	uint64_t uneven_since_ns;  /* fewer wait elsewhere; SIM_NEVER: they do not */
	struct patience patience; /* with whom waits here, in ns: libos/sched/patience.h */
	uint64_t longest_slice_ns; /* that the library has given since it came into force */
	uint64_t refused_ran_ns; /* when it last was the turn of one of `fifo` */
	unsigned switches, steals, messages;
};

struct machine {
	const struct sched_ops *ops;
	int cpus;
	uint64_t now_ns;
	uint64_t message_ns, switch_ns, interrupt_ns; /* what things cost */
	struct sim_cpu *cpu;
	int this_cpu;            /* whose turn it is */
	uint64_t random, library_random;
	unsigned live, created;  /* tasks */
	bool in_force;           /* init() has been called, exit() has not */
	bool notes;              /* what it says by sched_trace() is printed */
	bool patience;           /* a task that waits for longer than the core allows was starved */
	void (*hook)(void);      /* called at each event, for conform.c */
};

extern struct machine machine;

/* ---- machine.c */

/* A machine with `cpus` CPUs and the library in force; its parts are never freed. */
void machine_start(int cpus, const struct sched_ops *ops, uint64_t seed);
/* A task that runs p, from `at_ns` on; on or near CPU `cpu`. */
void machine_add(const struct program *p, uint64_t at_ns, int cpu);
/* Until `until_ns`, or until nothing happens any more. */
void machine_run(uint64_t until_ns);
/* Another instance of the library, with nothing known, takes over all queues. */
void machine_swap(void);
/* Parameters of t have been set (bits of enum sched_parameter): the library is told as it would be.
 * t may run meanwhile, and end. */
void machine_changed(struct sim_task *t, uint32_t keys);
/* sched_resched(). */
void machine_resched(int cpu);
/* The library is told what the running task of `cpu` used so far. */
void machine_charge(int cpu);
/* The running task of this CPU gives t, which is queued here, the rest of its slice. */
void machine_give(struct sim_task *t);
uint64_t machine_random(void);

/* For tasks.c. */
struct sim_task *sim_new(const struct program *p, struct sim_task *parent, int cpu);
void sim_wake(struct sim_task *t, enum sched_why why);
/* The running task gives t, which sleeps, the rest of its slice. */
void sim_hand(struct sim_task *t);
/* t is new, and made by the running task: handed over, or placed as a new one. */
void sim_begin(struct sim_task *t);
void sim_wake_at(struct sim_task *t, uint64_t at_ns);

/* All tasks that have not ended, in the order of their making; for conform.c. */
struct sim_task *sim_first(void);
struct sim_task *sim_next(struct sim_task *t);

/* ---- tasks.c */

enum step_result { STEP_RUNS, STEP_SLEEPS, STEP_YIELDS, STEP_ENDS };
/* t runs and its `run` is over: what it does until the next one. */
enum step_result sim_step(struct sim_task *t);

/* ---- library.c: each calls the library, and ends the program with a message if it is wrong */

void library_start(void);
void library_stop(enum sched_exit_reason reason);
void library_check_form(const struct sched_ops *ops);
void library_attach(struct sim_task *t);
void library_detach(struct sim_task *t);
int library_select_cpu(struct sim_task *t, enum sched_why why); /* -1: no opinion */
void library_enqueue(int cpu, struct sim_task *t, enum sched_why why);
void library_dequeue(int cpu, struct sim_task *t);
struct sched_run library_pick(int cpu, struct sim_task *prev);
struct sim_task *library_steal(int victim, int thief);
void library_charge(int cpu, struct sim_task *t, uint64_t ns);
int library_may_donate(struct sim_task *from, struct sim_task *to);
void library_setparam(struct sim_task *t, enum sched_parameter key);
void library_dump(int cpu);
/* wrong.c.  The program ends with this reason; inside a callback, the message names it. */
_Noreturn void library_is_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with the line: what the library has called finds that it may not be called so. */
_Noreturn void library_misuses(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool library_in_callback(void);

/* ---- api.c */

bool sim_allowed(const struct sim_task *t, int cpu);

/* ---- timeline.c */

void timeline_start(uint64_t column_ns, uint64_t until_ns);
void timeline_ran(int cpu, const struct sim_task *t, uint64_t from_ns, uint64_t to_ns);
void timeline_task_ended(const struct sim_task *t);
void timeline_print(void);

#endif
