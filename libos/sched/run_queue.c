/* SPDX-License-Identifier: MIT */
/* The core's side of a CPU's queue: see run_queue.h. */
#include "sched/run_queue.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/task_slot.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "sched/attach.h"
#include "sched/culprit.h"
#include "sched/library.h"
#include "sched/stall.h"
#include "time/time.h"

#define REFUSED_PERIOD_NS SCHED_MS(100)

/* Each CPU's own: when one had its turn whom the library has refused, last, on the clock of `granted`. */
static uint64_t refused_ran[EXO_CPUS_MAX];

/* After a callback: was it abandoned?  Then another library is in force on return. */
static bool failed(struct vcore *v)
{
	struct sched_guard *g = &v->queue.guard;

	if (!g->failed)
		return false;
	sched_eject(v, g->reason, g->callback, g->task, g->detail);
	return true;
}

/* Because of a task that it returned, or left where it must not be; the rest as for culprit_task(). */
static void eject_for(struct vcore *v, const char *callback, const struct task *t, const char *did,
		      const char *wrong, int by)
{
	struct task_ref ref = task_slot_contains(t) ? t->self : (struct task_ref){ 0 };

	culprit_task(v, t, did, wrong, by);
	sched_eject(v, SCHED_EXIT_BAD_TASK, callback, ref, (uint64_t)t);
}

static const struct sched_ops *ops_of(const struct vcore *v)
{
	return v->queue.ops;
}

void run_queue_init(struct run_queue *q, unsigned cpu)
{
	list_init(&q->ready);
	q->random = rdtsc() ^ (cpu + 1) * 0x9e3779b97f4a7c15ul;
}

bool run_queue_holds(const struct vcore *v, const struct task *t)
{
	return task_slot_contains(t) && task_place(t) == PLACE_QUEUED &&
	       atomic_load_explicit(&t->home, memory_order_relaxed) == v->cpu &&
	       !list_empty(&t->ready_link);
}

struct task *run_queue_oldest(const struct vcore *v)
{
	return list_entry(v->queue.ready.next, struct task, ready_link);
}

static inline void attach(struct vcore *v, struct task *t)
{
	if (t->sched_generation != v->queue.generation)
		attach_now(v, t);
}

/* ---- the queue */

/* Only in the library's queue; t is in `ready` already. */
static void enqueue(struct vcore *v, struct task *t, enum sched_why why)
{
	attach(v, t);
	if (v->queue.guard.failed)
		return;
	/* Sequentially consistent: has_changed() in proc/sched_parameters.c argues why. */
	if (atomic_load(&t->sched_changed))
		attach_tell_params(v, t);
	if (v->queue.guard.failed)
		return;
	if (ops_of(v)->enqueue && !t->sched_core_only) {
		CALL(v, enqueue, RESULT_NONE, t, v->cpu, t, why);
		return;
	}
	if (t->sched_core_only)
		v->queue.has_refused = true;
	if (why == SCHED_DONATED) {
		list_remove(&t->ready_link);
		list_push_front(&v->queue.ready, &t->ready_link);
	}
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	struct run_queue *q = &v->queue;

	sched_follow(v);
	/* I1, I3 */
	ASSERT_INVARIANT(task_state(t) == TASK_RUNNABLE && task_place(t) == PLACE_QUEUED);
	ASSERT_INVARIANT(atomic_load(&t->home) == v->cpu && v->current != t);
	ASSERT_INVARIANT(list_empty(&t->ready_link));
	/* The library has queued what it was not given.  (If another one did, attach() sees to it.) */
	if (t->run_queue && t->sched_generation == q->generation && ops_of(v)->enqueue)
		eject_for(v, "", t, "put into a queue", "which it was not given to queue", v->cpu);
	t->run_queue = NULL;
	stall_clock_advance(q);
	t->queued_at = q->granted;
	list_push_back(&q->ready, &t->ready_link);
	if (t->waited)
		stall_go_on(v, t);
	/* Sequentially consistent: idle() argues why. */
	atomic_fetch_add(&q->count, 1);
	enqueue(v, t, why);
	failed(v); /* then the FIFO has taken t over, from `ready` */
}

static void take_out(struct vcore *v, struct task *t)
{
	ASSERT_INVARIANT(run_queue_holds(v, t)); /* I1 */
	list_remove(&t->ready_link);
	atomic_fetch_sub_explicit(&v->queue.count, 1, memory_order_relaxed);
}

void run_queue_remove(struct vcore *v, struct task *t)
{
	sched_follow(v);
	/* A library that fails in this leaves t to the one that is in force then: the FIFO, or
	 * whatever somebody has put in force meanwhile. */
	while (ops_of(v)->dequeue && !t->sched_core_only) {
		CALL(v, dequeue, RESULT_NONE, t, v->cpu, t, 0);
		if (failed(v))
			continue;
		if (!t->run_queue)
			break;
		eject_for(v, "dequeue", t, "left in a queue", "which it was to take out", v->cpu);
	}
	t->run_queue = NULL;
	take_out(v, t);
}

/* What the library says, checked.  task == NULL: it has been ejected, or has nothing. */
static struct sched_run ask(struct vcore *v, struct task *prev)
{
	struct sched_run run = { 0 };

	/* What it has refused is nothing to it. */
	if (prev && (!run_queue_holds(v, prev) || prev->sched_core_only))
		prev = NULL;
	if (ops_of(v)->pick)
		run = CALL(v, pick, RESULT_TASK, prev, v->cpu, prev, 0);
	if (failed(v))
		return (struct sched_run){ 0 };
	if (run.task && (!run_queue_holds(v, run.task) || run.task->run_queue)) {
		eject_for(v, "pick", run.task, "returned", NULL, v->cpu);
		return (struct sched_run){ 0 };
	}
	return run;
}

/* The built-in FIFO's answer: of all tasks, or of those that the library has refused. */
static struct task *first_of_fifo(struct vcore *v)
{
	bool all = !ops_of(v)->pick;

	list_for_each(at, &v->queue.ready) {
		struct task *t = list_entry(at, struct task, ready_link);

		if (all || t->sched_core_only) {
			t->run_queue = NULL;
			return t;
		}
	}
	return NULL;
}

/* However busy the library is, those that it has refused have a slice of a CPU's time now and then. */
static struct task *refused_in_turn(struct vcore *v)
{
	struct run_queue *q = &v->queue;
	struct task *t;

	if (q->granted - refused_ran[v->cpu] < ns_to_tsc(REFUSED_PERIOD_NS))
		return NULL;
	refused_ran[v->cpu] = q->granted;
	t = first_of_fifo(v);
	q->has_refused = t != NULL;
	return t;
}

struct sched_run run_queue_pick(struct vcore *v, struct task *prev)
{
	struct run_queue *q = &v->queue;
	struct sched_run run = { 0 };

	sched_follow(v);
	if (list_empty(&q->ready))
		return run;
	stall_check(v);
	if (q->has_refused)
		run.task = refused_in_turn(v);
	while (!run.task) {
		uint32_t asked = q->generation;

		run = ask(v, prev);
		if (!run.task)
			run.task = first_of_fifo(v);
		if (run.task)
			break;
		/* One that has just come into force in the place of a failed one is asked first. */
		if (q->generation != asked)
			continue;
		culprit_idled(v, run_queue_oldest(v), atomic_load(&q->count));
		sched_eject(v, SCHED_EXIT_IDLED, "pick", run_queue_oldest(v)->self,
			    atomic_load(&q->count));
	}
	if (run.slice_ns == 0)
		run.slice_ns = SCHED_SLICE_DEFAULT_NS;
	else if (run.slice_ns < SCHED_SLICE_MIN_NS)
		run.slice_ns = SCHED_SLICE_MIN_NS;
	if (run.slice_ns > q->longest_slice_ns)
		stall_learn_slice(v, run.slice_ns);
	take_out(v, run.task);
	return run;
}

/* The allowed task that was queued last. */
static struct task *newest_allowed(struct vcore *v, unsigned thief)
{
	for (struct list *at = v->queue.ready.prev; at != &v->queue.ready; at = at->prev) {
		struct task *t = list_entry(at, struct task, ready_link);

		if (sched_allowed(t, (int)thief))
			return t;
	}
	return NULL;
}

struct task *run_queue_steal(struct vcore *v, unsigned thief)
{
	struct task *t;

	sched_follow(v);
	if (list_empty(&v->queue.ready) || (ops_of(v)->flags & SCHED_PARTITIONED))
		return NULL;
	if (!ops_of(v)->steal) {
		t = newest_allowed(v, thief);
		if (t)
			run_queue_remove(v, t);
		return t;
	}
	t = CALL(v, steal, RESULT_TASK, NULL, v->cpu, thief, 0).task;
	if (failed(v) || !t)
		return NULL;
	if (!run_queue_holds(v, t) || t->run_queue || !sched_allowed(t, (int)thief)) {
		eject_for(v, "steal", t, "returned", NULL, (int)thief);
		return NULL;
	}
	take_out(v, t);
	return t;
}

/* ---- the other callbacks */

static __attribute__((noinline)) void charge_now(struct vcore *v, struct task *t, uint64_t ns)
{
	sched_follow(v);
	if (!ops_of(v)->charge || t->sched_core_only || t->sched_generation != v->queue.generation)
		return;
	CALL(v, charge, RESULT_NONE, t, v->cpu, t, ns);
	failed(v);
}

/* One that has come into force meanwhile has not met t. */
bool run_queue_charge(struct vcore *v, struct task *t, uint64_t ns)
{
	if (!v->queue.charged)
		return false;
	charge_now(v, t, ns);
	return true;
}

static __attribute__((noinline)) void admit_now(struct vcore *v, struct task *t)
{
	sched_follow(v);
	attach(v, t);
	if (!v->queue.guard.failed && atomic_load_explicit(&t->sched_changed, memory_order_relaxed))
		attach_tell_params(v, t);
	failed(v);
}

void run_queue_admit(struct vcore *v, struct task *t)
{
	if (!sched_is_followed(v) || t->sched_generation != v->queue.generation ||
	    atomic_load_explicit(&t->sched_changed, memory_order_relaxed))
		admit_now(v, t);
}

/* Has the library in force here met t, and taken it?  Of a task that is another CPU's, a hint. */
static bool knows(const struct vcore *v, const struct task *t)
{
	return t->sched_generation == v->queue.generation && !t->sched_core_only;
}

static __attribute__((noinline)) int ask_for_gift(struct vcore *v, struct task *from, struct task *to)
{
	int r;

	sched_follow(v);
	if (!ops_of(v)->donate || !knows(v, from) || !knows(v, to))
		return 0;
	r = (int)(uint64_t)CALL(v, donate, RESULT_NUMBER, to, from, to, 0).task;
	return failed(v) ? -1 : r;
}

int run_queue_may_donate(struct vcore *v, struct task *from, struct task *to)
{
	return ops_of(v)->donate ? ask_for_gift(v, from, to) : 0;
}

bool run_queue_has_opinion(const struct vcore *v)
{
	return ops_of(v)->select_cpu != NULL;
}

int run_queue_select_cpu(struct vcore *v, struct task *t, int prev, enum sched_why why)
{
	int cpu;

	sched_follow(v);
	attach(v, t);
	if (failed(v) || !ops_of(v)->select_cpu || !knows(v, t))
		return -1;
	cpu = (int)(uint64_t)CALL(v, select_cpu, RESULT_NUMBER, t, t, prev, why).task;
	return failed(v) ? -1 : cpu;
}

void run_queue_forget(struct vcore *v, struct task *t)
{
	if (!ops_of(v)->detach || t->sched_core_only || t->sched_generation != v->queue.generation)
		return;
	CALL(v, detach, RESULT_NONE, t, t, 0, 0);
	failed(v);
}

void run_queue_leave(struct vcore *v)
{
	if (!ops_of(v)->cpu_online)
		return;
	CALL(v, cpu_online, RESULT_NONE, NULL, v->cpu, 0, 0);
	failed(v);
}

void run_queue_dump(struct vcore *v, sched_printf print)
{
	if (!ops_of(v)->dump)
		return;
	CALL(v, dump, RESULT_NONE, NULL, v->cpu, print, 0);
	failed(v);
}

/*
 * The old library's queues are left as they are: it is not called again on this CPU, and the links
 * in the tasks are taken back without asking it.  If the new one fails meanwhile, it is ejected and
 * we start again with the FIFO, which cannot fail.
 */
void run_queue_hand_over(struct vcore *v, struct sched_instance *to)
{
	struct run_queue *q = &v->queue;

	q->instance = to;
	run_queue_set_ops(q, to->ops);
	q->generation = atomic_load_explicit(&to->generation, memory_order_relaxed);
	q->has_refused = false;
	stall_begin(v);
	stall_clock_advance(q);
	list_for_each(at, &q->ready) {
		struct task *t = list_entry(at, struct task, ready_link);

		t->run_queue = NULL;
		t->run_node.rank = 0;
		t->queued_at = q->granted;
	}
	if (ops_of(v)->cpu_online) {
		CALL(v, cpu_online, RESULT_NONE, NULL, v->cpu, 1, 0);
		if (failed(v))
			return;
	}
	list_for_each(at, &q->ready) {
		enqueue(v, list_entry(at, struct task, ready_link), SCHED_TAKEN_OVER);
		if (failed(v))
			return; /* sched_eject() has handed all of them over to the FIFO */
	}
}
