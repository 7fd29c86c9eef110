/* SPDX-License-Identifier: MIT */
/*
 * The scheduler contract: all that is needed to write a scheduler library.
 *
 * A library is one C file with a struct sched_ops, made known by SCHED_LIBRARY(ops).  It decides
 * which of the runnable tasks of a CPU runs next and for how long; nothing else.  The task core
 * owns the states of tasks, switching, waking, messages between CPUs, timers and accounting.
 *
 *	  new / woken / sliced                 select_cpu()  (on the CPU that wakes)
 *	           |                               |
 *	           v          WAKE, DONATE,        v
 *	     enqueue(cpu, t) <------------- mailbox of the chosen CPU
 *	           |           MIGRATE             ^
 *	           v                               |
 *	     [ your queue ] ---- steal() ----------+      (asked by a CPU that has nothing to do)
 *	           |
 *	           v
 *	        pick(cpu) ---> runs ---> charge(cpu, t, ns) ---> blocks, ends, or enqueue() again
 *	                        ^
 *	        donate() -------+      a task that is given the running slice runs next
 *
 * ---- The rules that hold for every callback, unless its own comment says otherwise
 *
 * CPU        A callback with a `cpu` argument runs on that CPU, and nothing else of the library
 *            runs on that CPU meanwhile.  So state that is kept per CPU needs no lock.  State that
 *            several CPUs share needs C11 atomics: a callback must not wait for another CPU.
 * masked     Upcalls are masked: no interrupt, no preemption.  A callback must return within
 *            microseconds; one that still runs after the domain's masked limit (milliseconds) is
 *            abandoned in the middle, and the library ejected.
 * locks      None is held, and none may be taken: a callback is outside the lock ranks.
 * forbidden  Blocking, waking, memory allocation, access to program memory, system calls, exo
 *            calls, floating point.  What it may call is in this header.
 * tasks      A struct task is opaque.  A pointer stays valid from attach() to detach().
 *
 * ---- Swapping
 *
 * When another library is asked for, the built-in FIFO is in force until every CPU has left the
 * old one; the last CPU that leaves calls its exit(), and then the new one comes into force.  So
 * callbacks of two libraries never run at the same time, but for the new one's init(), which may
 * come first; nor do those of one library before and after its exit().  At a swap no task is
 * dequeued or detached: a library that is put in force again attaches all tasks anew, with private
 * state of zeros.  Its static variables are as it has left them, also after an ejection in the
 * middle of a callback: a lock among them may be held.  State that all CPUs share and that begins
 * as zeros is best kept in sched_cpu_private(0).
 *
 * ---- Ejection
 *
 * The core checks what it is told.  A library is ejected when a callback faults or overruns; when
 * pick() returns a task that is not queued on that CPU, or that it leaves in its own queue, or none
 * though tasks are queued there; when it queues what it was not given; or when a task has stayed
 * queued for longer than timeout_ms of the time that its CPU was given, and as long as the others that
 * are queued may take for a turn each, which is some of the longest slices that pick() has answered with:
 * or for a task that weighs less than they, so many times more (docs/scheduler.md).  Its wait goes on
 * when it is moved, or has a parameter changed.  The built-in FIFO takes over from the core's own list of
 * tasks, a report names the culprit, and no task notices.  A library that has been ejected gets exit() and
 * is not called again.
 *
 * ---- A whole scheduler
 *
 *	struct cpu { struct sched_fifo ready; };
 *
 *	static void rr_enqueue(int cpu, struct task *t, enum sched_why why)
 *	{
 *		struct cpu *c = sched_cpu_private(cpu);
 *
 *		sched_fifo_push_back(&c->ready, t);
 *	}
 *	static void rr_dequeue(int cpu, struct task *t)
 *	{
 *		struct cpu *c = sched_cpu_private(cpu);
 *
 *		sched_fifo_remove(&c->ready, t);
 *	}
 *	static struct sched_run rr_pick(int cpu, struct task *prev)
 *	{
 *		struct cpu *c = sched_cpu_private(cpu);
 *
 *		return (struct sched_run){ sched_fifo_pop(&c->ready), SCHED_MS(4) };
 *	}
 *	static const struct sched_ops rr = {
 *		.name = "rr", .abi = SCHED_ABI, .cpu_size = sizeof(struct cpu),
 *		.enqueue = rr_enqueue, .dequeue = rr_dequeue, .pick = rr_pick,
 *	};
 *	SCHED_LIBRARY(rr);
 *
 * This header uses nothing but freestanding C, so that a library also compiles on the host, where
 * tests/ runs it in a simulator.
 */
#ifndef LIBOS_SCHED_H
#define LIBOS_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libos/donate.h>
#include <libos/ordered.h>

#define SCHED_ABI 1
#define SCHED_MS(n) ((uint64_t)(n) * 1000000u)
#define SCHED_US(n) ((uint64_t)(n) * 1000u)
#define SCHED_NAME_MAX 16            /* of a library, with its end */
#define SCHED_TASK_SIZE_MAX 128      /* the most that sched_ops.task_size may be */
#define SCHED_CPU_SIZE_MAX 65536     /* likewise cpu_size */
#define SCHED_TRACE_MAX 32           /* characters of a text that sched_trace() takes */
#define SCHED_TUNABLES_MAX 16
#define SCHED_TUNABLE_NAME_MAX 24    /* with its end */
#define SCHED_CPUS_MAX 64            /* sched_cpu_count() is never more: for arrays */
#define SCHED_LIBRARY_SIZE_MAX 0x40000 /* bytes, of a library in a file: its code and data in memory */
#define SCHED_TIMEOUT_DEFAULT_MS 10000
#define SCHED_SLICE_DEFAULT_NS SCHED_MS(4)
#define SCHED_SLICE_MIN_NS SCHED_US(50) /* shorter slices are lengthened to this */

struct task;

/* Why a task comes to a queue, or needs a CPU. */
enum sched_why {
	SCHED_NEW,      /* created */
	SCHED_WOKEN,    /* was blocked */
	SCHED_DONATED,  /* somebody gave it a slice: it belongs at the head; see sched_donated_ns() */
	SCHED_PREEMPTED, /* its slice is over, or another task had to run at once */
	SCHED_YIELDED,  /* gave up the CPU to those that are queued, still runnable */
	SCHED_MIGRATED, /* comes from another CPU's queue */
	SCHED_TAKEN_OVER, /* was queued when this library replaced another */
	SCHED_CHANGED,  /* was queued here when one of its parameters changed */
};

/* The answer of pick(). */
struct sched_run {
	struct task *task; /* taken out of the queue; NULL when the queue is empty */
	uint64_t slice_ns; /* how long it may run while others wait; 0: SCHED_SLICE_DEFAULT_NS */
};

/* Linux's numbers for what sched_setscheduler(2) and sched_setattr(2) choose. */
enum sched_policy {
	SCHED_POLICY_OTHER = 0,
	SCHED_POLICY_FIFO = 1, /* real time: until it blocks, yields, or a higher priority is ready */
	SCHED_POLICY_RR = 2,   /* real time: the same, with slices among equals */
	SCHED_POLICY_BATCH = 3,
	SCHED_POLICY_IDLE = 5,
	SCHED_POLICY_DEADLINE = 6, /* sched_task_runtime_ns() in each period, by its deadline */
};

/* What setparam() is told about. */
enum sched_parameter {
	SCHED_PARAM_NICE,     /* -20 .. 19 */
	SCHED_PARAM_POLICY,   /* enum sched_policy */
	SCHED_PARAM_PRIORITY, /* rt_priority 0 .. 99 */
	SCHED_PARAM_AFFINITY, /* bit per CPU */
	SCHED_PARAM_RUNTIME,  /* ns: of DEADLINE, in each period; of others, the slice asked for, or 0 */
	SCHED_PARAM_DEADLINE, /* ns from the start of a period */
	SCHED_PARAM_PERIOD,   /* ns */
	SCHED_PARAMS
};

enum sched_exit_reason {
	SCHED_EXIT_SWAPPED, /* another library was asked for */
	SCHED_EXIT_FAULT,   /* a callback faulted; detail: the address of the instruction */
	SCHED_EXIT_OVERRUN, /* a callback ran too long; detail: the address where it was */
	SCHED_EXIT_BAD_TASK, /* pick() or steal() returned what is not queued there, or a task was left
			      * in, or put into, a queue where it must not be; detail: the pointer */
	SCHED_EXIT_IDLED,   /* pick() returned none; detail: how many tasks were queued */
	SCHED_EXIT_STALLED, /* detail: id of the task that waited too long */
	SCHED_EXIT_INIT,    /* init() returned an error; detail: the error */
};

struct sched_exit {
	enum sched_exit_reason reason;
	int cpu;              /* where it was noticed */
	const char *callback; /* name of the callback, or "" */
	uint64_t detail;
	struct task_ref task; /* whom it was about; id 0: nobody */
};

enum sched_flag {
	/* Tasks stay where they were put: no stealing, no evening out. */
	SCHED_PARTITIONED = 1 << 0,
	/* A CPU where more wait than at another passes one on, by steal(): with select_cpu(), too.
	 * (Without, that is so anyway.) */
	SCHED_EVENED_OUT = 1 << 1,
	/* All there are: a library with another is refused. */
	SCHED_FLAGS = SCHED_PARTITIONED | SCHED_EVENED_OUT,
};

/*
 * A number that `schedctl param` shows and changes, between min and max, whether the library is in
 * force or not.  What it is to begin with lies between them as well.  The library may read it at any
 * time, on any CPU; a value is stored as a whole.
 */
struct sched_tunable {
	const char *name;
	uint64_t *value;
	uint64_t min, max;
};

typedef void (*sched_printf)(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A scheduler library.  Everything but `name` is optional, with three exceptions: enqueue, dequeue
 * and pick are given together or not at all.  Without them, tasks are in the core's FIFO.
 */
struct sched_ops {
	const char *name;  /* what sched= selects; at most 15 characters */
	uint32_t abi;      /* SCHED_ABI; 0 means 1 */
	uint32_t flags;    /* enum sched_flag */
	uint32_t timeout_ms; /* a queued task that waits longer ejects the library; 0: the default */
	size_t task_size;  /* sched_private(): zeroed before attach(); <= SCHED_TASK_SIZE_MAX */
	size_t cpu_size;   /* sched_cpu_private(): zeroed before init() */

	/*
	 * Before any other callback, once, on the CPU that puts the library in force; the private
	 * state of all `ncpu` CPUs is there.  Not masked for longer than other callbacks.
	 * Returns 0, or an error that keeps the previous scheduler in force.  (The built-in FIFO, if
	 * the previous one is this library itself: its exit() has been called then.)
	 */
	int (*init)(int ncpu);

	/*
	 * After the last other callback on any CPU, once.  Tasks are not detached one by one.
	 */
	void (*exit)(const struct sched_exit *why);

	/*
	 * A task that the library has not seen: created, or met for the first time since the
	 * library came into force.  Runs on the CPU that creates or wakes it, or is about to
	 * enqueue it, while it is in no queue: so it writes no per-CPU state.  Its private
	 * state is zeroed; nice, policy and affinity can be read.  An error means that the task
	 * is left to the core's FIFO, and no other callback is about it.  That runs it whenever
	 * pick() has nothing; and if pick() always has something, one such task of each queue for
	 * SCHED_SLICE_DEFAULT_NS in each 100 ms of the CPU's time, without asking.
	 */
	int (*attach)(struct task *t);

	/*
	 * The task has ended; it is in no queue.  Runs on the CPU that it last ran on.
	 */
	void (*detach)(struct task *t);

	/*
	 * Which CPU shall t be queued on?  `prev` is where it last was.  Runs on the CPU that
	 * creates or wakes t, whichever that is: so it may read per-CPU state only as a hint, and
	 * must not write it.  An answer that the task's affinity does not allow is overruled.
	 * Default: prev if that is idle, else an idle CPU, else prev, or, of a new task, the one where
	 * the fewest wait.  An answer of -1 asks for it.
	 */
	int (*select_cpu)(struct task *t, int prev, enum sched_why why);

	/*
	 * t is runnable and in no queue: put it in cpu's.  The task that runs there goes on until
	 * its slice ends, unless the library calls sched_resched(cpu).
	 */
	void (*enqueue)(int cpu, struct task *t, enum sched_why why);

	/*
	 * Take t, which is queued, out of cpu's queue because it goes to another CPU or is given
	 * a slice.
	 */
	void (*dequeue)(int cpu, struct task *t);

	/*
	 * Take the task to be run next out of cpu's queue.  `prev` is the task that ran last, if it
	 * is still runnable (then it has been enqueued again), else NULL; so it is NULL after one
	 * that attach() has refused.
	 */
	struct sched_run (*pick)(int cpu, struct task *prev);

	/*
	 * Choose a task in victim's queue that CPU thief may run (sched_allowed()), take it out and
	 * return it, or NULL.  Runs on the victim.  Default: the allowed task that was queued last.
	 * The thief is idle.  Or, if there is no select_cpu(), or with SCHED_EVENED_OUT, it has for a while
	 * been the CPU where the fewest wait; there the default is one that computes and has not been moved
	 * lately.
	 */
	struct task *(*steal)(int victim, int thief);

	/*
	 * t, which runs or ran on cpu, used `ns` of it since the last charge.  Called whenever a
	 * task stops, before it is enqueued again, and when it asks for its own use while it goes
	 * on.  Of one that was given a slice, which pick() did not name, it tells that it ran.
	 * `ns` may be far more than its slice: while nobody is queued no slice ends, and the host may have
	 * had the CPU meanwhile.  Who makes tasks wait for what they used should forgive that.
	 */
	void (*charge)(int cpu, struct task *t, uint64_t ns);

	/*
	 * May `from`, which runs on this CPU or has just stopped there, give the rest of its slice
	 * to `to`, which is queued on this CPU or on its way to a queue?  Or `to` is queued on this CPU,
	 * and `from`, of another one, sleeps until this has been answered, or is about to: what charge()
	 * writes is a hint then.  An error (below 0) refuses: then `to` is enqueued as SCHED_WOKEN, or as
	 * SCHED_NEW if `from` has just made it, or stays queued.  (With select_cpu() nobody is asked about
	 * new tasks.)
	 * 0: if `to` is to run on this CPU, it runs next, when `from` stops, without enqueue() and
	 * pick(), after dequeue() if it was queued.  SCHED_DONATE_NOW: likewise, and `from` stops at
	 * once.  charge() and enqueue() follow as for every task that runs.  If `to` is to run on another
	 * CPU, `from` has given its slice at once, and stops when somebody waits for its CPU: till then
	 * it runs on, without charge(), enqueue() and pick().  `to` is enqueued as
	 * SCHED_DONATED instead if it goes to another CPU, or if the library calls sched_resched()
	 * on this CPU before the switch, and pick() decides; and as SCHED_WOKEN or SCHED_NEW if `from`
	 * has used up its slice, or others could run `to` while `from` goes on.
	 */
	int (*donate)(struct task *from, struct task *to);

	/*
	 * A parameter of t changed (the task's own record has changed already).  Runs on t's CPU
	 * while t is in no queue, just before it is enqueued.  A task that waits in a queue is
	 * dequeued for this at once; one that runs is told when it stops, which is soon.
	 */
	void (*setparam)(struct task *t, int key, long value);

	/*
	 * A CPU starts (up = 1) or stops taking part: at boot, when it comes to this library after
	 * another, or when the domain gets or loses it.  up = 1 is the first callback that runs on it,
	 * but for init(); at up = 0 its queue is empty, and no other follows before the next up = 1.
	 */
	void (*cpu_online)(int cpu, int up);

	/* Print cpu's queue, a few lines; `print` takes what the libos's log takes. */
	void (*dump)(int cpu, sched_printf print);

	/* At most SCHED_TUNABLES_MAX of them; one without a name ends the table. */
	const struct sched_tunable *tunables;
};

/* donate(): `to` is not to wait until `from` stops by itself. */
#define SCHED_DONATE_NOW 1

/* Makes a library known to the libos: in the image by a section that holds pointers, one for each;
 * in a file of its own (compiled with -fPIC, see exo-sched) by an exported one. */
#define SCHED_LIBRARY(ops)                                                                         \
	SCHED_EXPORT(ops)                                                                          \
	static const struct sched_ops *const sched_library_##ops                                   \
		__attribute__((used, section("sched_libraries"))) = &(ops)
#if defined(__PIC__) && !defined(__PIE__)
#define SCHED_EXPORT(ops)                                                                          \
	extern const struct sched_ops *const sched_loadable;                                       \
	const struct sched_ops *const sched_loadable                                               \
		__attribute__((visibility("default"))) = &(ops);
#else
#define SCHED_EXPORT(ops)
#endif

/* ---------------------------------------------------------------- what a library may call */

/* Private state, as large as the ops said. */
void *sched_private(struct task *t);
void *sched_cpu_private(int cpu);

/* Facts about a task. */
struct task_ref sched_task_ref(const struct task *t);
const char *sched_task_name(const struct task *t);
/* The id of the process that t is a thread of, the same for all of them, from attach() to detach(); 0: none,
 * t is the libos's own.  Another process may have it later, but not while a thread of this one is known. */
uint32_t sched_task_process(const struct task *t);
int sched_task_cpu(const struct task *t);      /* where it is queued or last ran */
/* As they are in force: if a more urgent task waits for a lock with priority inheritance that t has, that
 * one's, all together. */
int sched_task_nice(const struct task *t);
int sched_task_policy(const struct task *t);
int sched_task_priority(const struct task *t); /* rt_priority */
uint64_t sched_task_runtime_ns(const struct task *t);  /* see enum sched_parameter */
uint64_t sched_task_deadline_ns(const struct task *t);
uint64_t sched_task_period_ns(const struct task *t);
/* They are such a one's: what a library has reserved for them was for that one, which does not run now. */
bool sched_task_inherits(const struct task *t);
bool sched_allowed(const struct task *t, int cpu); /* by affinity */
uint64_t sched_slice_left_ns(const struct task *t); /* when it was last stopped */
uint64_t sched_donated_ns(const struct task *t);    /* slice that came as a gift, else 0 */
uint64_t sched_ready_since_ns(const struct task *t); /* when it became runnable */

/* Time in ns since boot.  No kernel entry.  (In the simulator it stands still within a callback.) */
uint64_t sched_now_ns(void);

/*
 * The share of the CPU that a task is to have beside others: 1024 for nice 0, a quarter more for
 * each step down, as Linux has it.  SCHED_POLICY_IDLE counts less than any nice value.
 */
unsigned sched_weight(int policy, int nice);
#define SCHED_WEIGHT_NICE_0 1024u

/* Uniformly distributed 64 bits; a sequence of its own on each CPU.  Not for secrets. */
uint64_t sched_random(void);

/* Topology, and hints about other CPUs that may be out of date.  A number that is no CPU's counts as a fault
 * of the callback, but for sched_allowed(), whose answer has no meaning then. */
int sched_cpu_count(void);
int sched_this_cpu(void);
bool sched_cpu_is_idle(int cpu);
unsigned sched_cpu_queued(int cpu); /* tasks in its queue */

/* End the running task's slice on `cpu`: pick() is called there soon.  From any callback. */
void sched_resched(int cpu);

/*
 * The task that runs on this CPU, however it came to run, or NULL: none does, as between charge() and
 * pick(); or the library has not met it, or has refused it.  Its private state may be read and written here.
 * The pointer is good within this callback only: later the task may have stopped, run elsewhere and ended,
 * of which this CPU need not hear.  Of what another CPU runs, read a copy of what matters that was made
 * there.
 */
struct task *sched_running(void);

/*
 * sched_trace - write into the trace what has been decided, and why
 *
 * what   a text, of which the first SCHED_TRACE_MAX characters are copied: it may be anywhere
 * t      whom it is about, or NULL
 * value  a number that goes with it: a time, a CPU, a length
 *
 * exo-trace shows it among all else that this CPU did (docs/tracing.md), and the simulator with --notes.
 * Costs a load and a branch while nobody traces; else it takes 32 bytes of this CPU's ring, and 32 more
 * for each 8 characters.  From any callback.
 */
void sched_trace(const char *what, const struct task *t, int64_t value);

/*
 * A FIFO queue of tasks.  All zeros is empty.  A task is in at most one queue of either kind (I3);
 * to push one that is queued already, or to remove one from a queue that it is not in, counts as a
 * fault of the callback.
 */
struct sched_fifo {
	struct task *first, *last;
	unsigned count;
};
void sched_fifo_push_back(struct sched_fifo *q, struct task *t);
void sched_fifo_push_front(struct sched_fifo *q, struct task *t);
struct task *sched_fifo_pop(struct sched_fifo *q);              /* the first, or NULL */
struct task *sched_fifo_first(const struct sched_fifo *q);      /* it stays queued */
struct task *sched_fifo_last(const struct sched_fifo *q);
struct task *sched_fifo_next(const struct task *t);             /* behind t, or NULL */
struct task *sched_fifo_previous(const struct task *t);         /* before t, or NULL */
void sched_fifo_remove(struct sched_fifo *q, struct task *t);

/*
 * A queue ordered by a key, smallest first, first come first served among equals.  All zeros is
 * empty.  Every operation is O(log n).  Keys compare modulo 2^64 (libos/ordered.h).
 */
struct sched_ordered {
	struct ordered_heap heap;
};
void sched_ordered_insert(struct sched_ordered *q, struct task *t, uint64_t key);
struct task *sched_ordered_pop(struct sched_ordered *q);         /* the first, or NULL */
struct task *sched_ordered_first(const struct sched_ordered *q); /* it stays queued */
struct task *sched_ordered_next(const struct task *t);           /* all of them, in no useful order */
void sched_ordered_remove(struct sched_ordered *q, struct task *t);
unsigned sched_ordered_count(const struct sched_ordered *q);
uint64_t sched_key(const struct task *t);                        /* its key, when last inserted */

/* ---------------------------------------------------------------- for the rest of the libos */

/*
 * sched_swap - put another library in force, while tasks run
 *
 * Every CPU hands its queued tasks over when it next comes by.  0, -ENOENT (no such library), or
 * what init() returned.  Task context, unmasked.
 */
int sched_swap(const char *name);

/*
 * sched_load - load a library from a file, made by exo-sched; it is not put in force
 * sched_unload - forget a loaded library, and give its memory back
 *
 * A loaded library comes before a linked one of the same name.  Loading the same name again
 * replaces what was loaded, unless that is in force.
 *
 * Return 0, -ENOENT, -EBUSY (in force), -ENOMEM, -EEXIST (the name fifo), or -ENOEXEC: it is no
 * library that can be loaded; /proc/exo/sched-load says why.  Task context, unmasked.
 */
int sched_load(const char *path);
int sched_unload(const char *name);

/*
 * sched_set_tunable - change a number that a library offers
 *
 * Returns 0, -ENOENT (no such library, or no such number), -ERANGE.  Task context, unmasked.
 */
int sched_set_tunable(const char *library, const char *name, uint64_t value);

/* The library in force, and the ones there are: NULL ends the list. */
const char *sched_current_name(void);
const struct sched_ops *sched_library(unsigned index);

/* Prints every CPU's state and queue, the first hundred tasks of it, with the library's dump(); a task, or an
 * event, but no callback. */
void sched_dump(sched_printf print);

#endif
