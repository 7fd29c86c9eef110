/* SPDX-License-Identifier: MIT */
/*
 * Events and CPUs: see machine.h.
 *
 * An event happens on one CPU.  It is dealt with, then cpu_go() lets that CPU do all that it can do
 * at this moment, and sets its timer for when that changes by itself.
 */
#include <stdlib.h>
#include <string.h>
#include "library.h"
#include "machine.h"

#define HASH_SIZE 4096u
/* As in libos/sched/donate.c. */
#define PROMISE_NS SCHED_MS(1)
/* As in libos/sched/balance.c. */
#define PERIOD_NS SCHED_MS(100)
#define LOOKED_AT_MAX 8
/* As in libos/sched/stall.c. */
#define LOOKS 8
#define LOOK_NS_MIN 1000000ul
#define LOOK_NS_MAX 50000000ul

enum event_kind { TIMER, TASK_DUE, ARRIVAL, STEAL, REFUSED, PULL, RESCHED };

struct event {
	struct ordered_node node;
	enum event_kind kind;
	int cpu, from;
	struct sim_task *task;
};

struct machine machine;

static struct ordered_heap events;
static struct sim_task *known[HASH_SIZE];
static struct sim_task *all_first, *all_last;
/* Addresses and names of tasks that have ended, the last of them. */
static struct { const void *address; char name[16]; } ended[256];
static unsigned ended_count;

static struct event *post_event(enum event_kind kind, int cpu, uint64_t at_ns)
{
	struct event *e = calloc(1, sizeof(*e));

	e->kind = kind;
	e->cpu = cpu;
	e->from = machine.this_cpu;
	ordered_insert(&events, &e->node, at_ns);
	return e;
}

/* When a message that is sent now arrives. */
static uint64_t arrival_ns(void)
{
	uint64_t busy = machine.cpu[machine.this_cpu].busy_until_ns;

	return (busy > machine.now_ns ? busy : machine.now_ns) + machine.message_ns;
}

/* ---- tasks */

static unsigned hash(const void *p)
{
	return (unsigned)((uintptr_t)p >> 6) % HASH_SIZE;
}

struct sim_task *sim_known(const struct task *p)
{
	struct sim_task *t = known[hash(p)];

	while (t && &t->t != p)
		t = t->hash_next;
	return t;
}

const char *sim_ended_name(const struct task *p)
{
	for (unsigned i = 0; i < sizeof(ended) / sizeof(ended[0]); i++)
		if (ended[i].address == p)
			return ended[i].name;
	return NULL;
}

struct sim_task *sim_first(void)
{
	return all_first;
}

struct sim_task *sim_next(struct sim_task *t)
{
	return t->all_next;
}

static void list_add(struct sim_task *t)
{
	t->all_previous = all_last;
	if (all_last)
		all_last->all_next = t;
	else
		all_first = t;
	all_last = t;
}

static void list_drop(struct sim_task *t)
{
	if (t->all_previous)
		t->all_previous->all_next = t->all_next;
	else
		all_first = t->all_next;
	if (t->all_next)
		t->all_next->all_previous = t->all_previous;
	else
		all_last = t->all_previous;
}

struct sim_task *sim_new(const struct program *p, struct sim_task *parent, int cpu)
{
	struct sim_task *t = calloc(1, sizeof(*t));
	unsigned bucket = hash(&t->t);

	t->program = p;
	t->parent = parent;
	t->cpu = cpu;
	t->state = SIM_SLEEPING;
	t->t.self = (struct task_ref){ ++machine.created, 1 };
	t->t.nice = p->nice;
	t->t.policy = p->policy;
	t->t.rt_priority = p->priority;
	t->t.runtime_ns = p->runtime_ns;
	t->t.deadline_ns = p->deadline_ns;
	t->t.period_ns = p->period_ns;
	t->t.affinity = p->affinity;
	t->letter = (int)machine.created - 1;
	memcpy(t->t.name, p->name, sizeof(t->t.name));
	t->hash_next = known[bucket];
	known[bucket] = t;
	list_add(t);
	machine.live++;
	return t;
}

static void sim_free(struct sim_task *t)
{
	struct sim_task **at = &known[hash(&t->t)];

	while (*at != t)
		at = &(*at)->hash_next;
	*at = t->hash_next;
	list_drop(t);
	ended[ended_count % 256].address = t;
	memcpy(ended[ended_count++ % 256].name, t->t.name, sizeof(t->t.name));
	timeline_task_ended(t);
	machine.live--;
	free(t);
}

void machine_add(const struct program *p, uint64_t at_ns, int cpu)
{
	struct sim_task *t = sim_new(p, NULL, cpu);

	t->released_ns = at_ns;
	t->why = SCHED_NEW;
	post_event(TASK_DUE, cpu, at_ns)->task = t;
}

void sim_wake_at(struct sim_task *t, uint64_t at_ns)
{
	t->why = SCHED_WOKEN;
	post_event(TASK_DUE, t->cpu, at_ns)->task = t;
}

/* ---- queues */

static void ready_push(struct sim_cpu *c, struct sim_task *t)
{
	t->ready_next = NULL;
	t->ready_previous = c->ready_last;
	if (c->ready_last)
		c->ready_last->ready_next = t;
	else
		c->ready_first = t;
	c->ready_last = t;
	c->count++;
}

/* Its wait goes on if it leaves but to run. */
static void ready_remove(struct sim_cpu *c, struct sim_task *t)
{
	t->t.was_due = patience_due(&c->patience, &t->t.late, t->ready_since_ns);
	if (t->ready_previous)
		t->ready_previous->ready_next = t->ready_next;
	else
		c->ready_first = t->ready_next;
	if (t->ready_next)
		t->ready_next->ready_previous = t->ready_previous;
	else
		c->ready_last = t->ready_previous;
	c->count--;
}

/* The next idle CPU from `from` on, going round; -1 if there is none. */
static int idle_cpu(const struct sim_task *t, int from)
{
	for (int i = 0; i < machine.cpus; i++) {
		int cpu = (from + i) % machine.cpus;

		if (machine.cpu[cpu].idle && sim_allowed(t, cpu))
			return cpu;
	}
	return -1;
}

/* Its bit is cleared by who gives it something to do. */
static int claim(int cpu)
{
	machine.cpu[cpu].idle = false;
	return cpu;
}

/* t has to wait here although a CPU is idle: that one is told. */
static void offer(int cpu, const struct sim_task *t)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	int idle;

	if (c->count + (c->current != NULL) < 2)
		return;
	idle = idle_cpu(t, cpu);
	if (idle >= 0 && idle != cpu)
		post_event(PULL, claim(idle), arrival_ns());
}

static void queue_here(int cpu, struct sim_task *t, enum sched_why why)
{
	t->cpu = cpu;
	t->state = SIM_QUEUED;
	ready_push(&machine.cpu[cpu], t);
	if (t->t.was_due)
		patience_go_on(&machine.cpu[cpu].patience, &t->t.late, t->ready_since_ns, t->t.was_due);
	t->t.was_due = 0;
	library_enqueue(cpu, t, why);
	offer(cpu, t);
}

static void unqueue(struct sim_task *t)
{
	library_dequeue(t->cpu, t);
	ready_remove(&machine.cpu[t->cpu], t);
	t->state = SIM_FLYING;
}

/* ---- placing and waking */

static int default_cpu(const struct sim_task *t, enum sched_why why)
{
	int cpu = idle_cpu(t, t->cpu), best = -1;

	if (why == SCHED_DONATED && sim_allowed(t, machine.this_cpu))
		return machine.this_cpu;
	if (cpu >= 0)
		return claim(cpu);
	if (why != SCHED_NEW && sim_allowed(t, t->cpu))
		return t->cpu;
	for (int i = 0; i < machine.cpus; i++) {
		cpu = (t->cpu + i) % machine.cpus;
		if (sim_allowed(t, cpu) &&
		    (best < 0 || machine.cpu[cpu].count < machine.cpu[best].count))
			best = cpu;
	}
	return best < 0 ? machine.this_cpu : best;
}

static int choose_cpu(struct sim_task *t, enum sched_why why)
{
	int cpu = library_select_cpu(t, why);

	return cpu >= 0 && sim_allowed(t, cpu) ? cpu : default_cpu(t, why);
}

static void send_task(struct sim_task *t, int cpu, enum sched_why why)
{
	t->state = SIM_FLYING;
	t->why = why;
	if (cpu == machine.this_cpu) {
		queue_here(cpu, t, why);
		return;
	}
	if (t->cpu != cpu)
		t->record.moves++;
	post_event(ARRIVAL, cpu, arrival_ns())->task = t;
}

void sim_wake(struct sim_task *t, enum sched_why why)
{
	t->ready_since_ns = machine.now_ns;
	t->gift_ns = t->gift_depth = 0;
	send_task(t, choose_cpu(t, why), why);
}

/* Does anybody wait for the current task to stop? */
static bool is_waited_for(const struct sim_cpu *c)
{
	return c->count || c->heir;
}

static uint64_t slice_left_ns(const struct sim_cpu *c)
{
	return c->slice_end_ns > machine.now_ns ? c->slice_end_ns - machine.now_ns : 0;
}

/* The answer of the library, or less than 0 where it is not asked: t may not have the slice. */
static int may_give(const struct sim_cpu *c, struct sim_task *t)
{
	if (slice_left_ns(c) < SCHED_SLICE_MIN_NS || c->heir ||
	    c->current->gift_depth >= SCHED_DONATE_CHAIN_MAX)
		return -1;
	return library_may_donate(c->current, t);
}

/* To answer one's own giver makes no chain longer. */
static void set_depth(const struct sim_task *from, struct sim_task *t)
{
	if (from->given_by != t->t.self.id)
		t->gift_depth = from->gift_depth + 1;
}

/* The current task has nothing left, and stops if anybody waits for that. */
static void give(struct sim_cpu *c, struct sim_task *t, int cpu)
{
	t->gift_ns = slice_left_ns(c);
	t->given_by = c->current->t.self.id;
	c->slice_end_ns = machine.now_ns;
	t->why = SCHED_DONATED;
	t->state = SIM_FLYING;
	if (cpu == machine.this_cpu)
		c->heir = t;
	else
		send_task(t, cpu, SCHED_DONATED);
	if (is_waited_for(c))
		c->need_resched = true;
}

static void hand(struct sim_task *t, enum sched_why ordinary)
{
	struct sim_cpu *c = &machine.cpu[machine.this_cpu];
	int answer = may_give(c, t), cpu;

	if (answer < 0) {
		sim_wake(t, ordinary);
		return;
	}
	t->ready_since_ns = machine.now_ns;
	set_depth(c->current, t);
	cpu = choose_cpu(t, SCHED_DONATED);
	if (answer > 0 || cpu != machine.this_cpu) {
		give(c, t, cpu);
		return;
	}
	t->gift_ns = 0;
	t->why = SCHED_DONATED;
	t->ordinary = ordinary;
	t->state = SIM_FLYING;
	c->heir = t;
	c->promise_ends_ns = machine.cpus > 1 ? machine.now_ns + PROMISE_NS : SIM_NEVER;
}

void sim_hand(struct sim_task *t)
{
	hand(t, SCHED_WOKEN);
}

/* A library that has a say in where tasks go is asked about each new one. */
void sim_begin(struct sim_task *t)
{
	if (machine.ops->select_cpu || !sim_allowed(t, machine.this_cpu))
		sim_wake(t, SCHED_NEW);
	else
		hand(t, SCHED_NEW);
}

static bool is_promised(const struct sim_task *heir)
{
	return heir && !heir->gift_ns;
}

/* Who has been promised the slice is an ordinary task from now on. */
static void release_heir(struct sim_cpu *c)
{
	struct sim_task *t = c->heir;

	if (!is_promised(t))
		return;
	c->heir = NULL;
	send_task(t, choose_cpu(t, t->ordinary), t->ordinary);
}

/* `from` has just stopped. */
static void keep_promise(struct sim_cpu *c, const struct sim_task *from)
{
	if (!is_promised(c->heir))
		return;
	if (from->t.slice_ns < SCHED_SLICE_MIN_NS) {
		release_heir(c);
		return;
	}
	c->heir->gift_ns = from->t.slice_ns;
	c->heir->given_by = from->t.self.id;
}

void machine_give(struct sim_task *t)
{
	struct sim_cpu *c = &machine.cpu[machine.this_cpu];

	if (!c->current)
		return;
	release_heir(c);
	if (t->state != SIM_QUEUED || t->cpu != machine.this_cpu || may_give(c, t) < 0)
		return;
	unqueue(t);
	set_depth(c->current, t);
	give(c, t, machine.this_cpu);
}

/* ---- a CPU: stopping and starting tasks */

static void account(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	struct sim_task *t = c->current;
	uint64_t ran;

	if (!t || machine.now_ns <= c->run_from_ns)
		return;
	ran = machine.now_ns - c->run_from_ns;
	timeline_ran(cpu, t, c->run_from_ns, machine.now_ns);
	t->remaining_ns -= ran < t->remaining_ns ? ran : t->remaining_ns;
	t->record.ran_ns += ran;
	c->uncharged_ns += ran;
	c->run_from_ns = machine.now_ns;
}

void machine_charge(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	uint64_t ns = c->uncharged_ns;

	c->uncharged_ns = 0;
	if (c->current)
		library_charge(cpu, c->current, ns);
}

static struct sim_task *stop(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	struct sim_task *t = c->current;

	t->t.slice_ns = slice_left_ns(c);
	machine_charge(cpu);
	c->current = NULL;
	c->need_resched = false;
	keep_promise(c, t);
	return t;
}

static void stop_runnable(int cpu, enum sched_why why)
{
	struct sim_task *t = stop(cpu);

	t->ready_since_ns = machine.now_ns;
	t->state = SIM_FLYING;
	if (sim_allowed(t, cpu))
		queue_here(cpu, t, why);
	else
		send_task(t, choose_cpu(t, SCHED_MIGRATED), SCHED_MIGRATED);
}

static void stop_sleeping(int cpu)
{
	struct sim_task *t = stop(cpu);

	t->state = SIM_SLEEPING;
}

static void stop_ended(int cpu)
{
	struct sim_task *t = stop(cpu);

	library_detach(t);
	t->state = SIM_ENDED;
	sim_free(t);
}

static void start(int cpu, struct sim_task *t, uint64_t slice_ns)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	uint64_t waited = machine.now_ns - t->ready_since_ns;

	if (c->idle_since_ns != SIM_NEVER)
		c->idle_ns += machine.now_ns - c->idle_since_ns;
	c->idle_since_ns = SIM_NEVER;
	t->record.runs++;
	t->record.waited_ns += waited;
	if (waited > t->record.longest_wait_ns)
		t->record.longest_wait_ns = waited;
	t->state = SIM_RUNNING;
	t->cpu = cpu;
	if (!t->gift_ns)
		t->gift_depth = t->given_by = 0;
	t->gift_ns = 0;
	c->current = t;
	c->switches++;
	c->need_resched = c->must_pick = c->idle = false;
	c->run_from_ns = machine.now_ns + machine.switch_ns;
	if (__builtin_add_overflow(c->run_from_ns, slice_ns, &c->slice_end_ns))
		c->slice_end_ns = SIM_NEVER;
	memset(c->tried, 0, sizeof(c->tried));
}

/* The longest queue that has not been asked yet. */
static void ask_for_task(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	unsigned most = 0;
	int victim = -1;

	if (c->steal_asked)
		return;
	for (int i = 1; i < machine.cpus; i++) {
		int other = (cpu + i) % machine.cpus;

		if (machine.cpu[other].count > most && !(c->tried[other / 64] >> other % 64 & 1)) {
			most = machine.cpu[other].count;
			victim = other;
		}
	}
	if (victim < 0)
		return;
	c->steal_asked = true;
	c->tried[victim / 64] |= 1ul << victim % 64;
	post_event(STEAL, victim, arrival_ns());
}

/* ---- who waits for too long: libos/sched/stall.c, with less to save */

static void begin_patience(struct sim_cpu *c)
{
	uint64_t timeout_ns = SCHED_MS(machine.ops->timeout_ms ? machine.ops->timeout_ms :
								 SCHED_TIMEOUT_DEFAULT_MS);
	uint64_t look_ns = timeout_ns / LOOKS;

	if (look_ns < LOOK_NS_MIN)
		look_ns = LOOK_NS_MIN;
	patience_begin(&c->patience, timeout_ns, look_ns < LOOK_NS_MAX ? look_ns : LOOK_NS_MAX);
	c->patience.looked = machine.now_ns;
	c->longest_slice_ns = 0;
}

static unsigned weight_of(const struct sim_task *t)
{
	return sched_weight(t->t.policy, t->t.nice);
}

/* At the latest when the next one runs, where all that could run are queued. */
static void look_closer(struct sim_cpu *c)
{
	uint64_t passed = machine.now_ns - c->patience.looked, weight = 0;

	if (passed < c->patience.look)
		return;
	for (struct sim_task *t = c->ready_first; t; t = t->ready_next)
		weight += weight_of(t);
	c->patience.looked = machine.now_ns;
	patience_pass(&c->patience, passed, weight);
	for (struct sim_task *t = c->ready_first; t; t = t->ready_next) {
		uint64_t waited = machine.now_ns - t->ready_since_ns;
		uint64_t slice_ns = t->t.policy == SCHED_POLICY_DEADLINE ? 0 : t->t.runtime_ns;

		if (!t->refused && patience_is_late(&c->patience, waited) &&
		    patience_is_over(&c->patience, &t->t.late, t->ready_since_ns, waited, c->count,
				     weight_of(t), slice_ns))
			library_is_wrong("task %s has waited for %.0f ms on CPU %d: it is starved",
					 t->t.name, (double)waited / 1e6, t->cpu);
	}
}

static void check_patience(struct sim_cpu *c)
{
	if (machine.patience && c->ready_first)
		look_closer(c);
}

static struct sched_run pick(int cpu, struct sim_task *prev)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	bool may_be_prev = prev && prev->state == SIM_QUEUED && prev->cpu == cpu && !prev->refused;
	struct sched_run run = library_pick(cpu, may_be_prev ? prev : NULL);

	if (run.slice_ns > c->longest_slice_ns) {
		c->longest_slice_ns = run.slice_ns;
		patience_learn(&c->patience, run.slice_ns);
	}
	return run;
}

static void schedule(int cpu, struct sim_task *prev)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	struct sim_task *heir = c->heir;
	struct sched_run run;

	c->heir = NULL;
	if (heir)
		library_attach(heir);
	if (heir && !c->must_pick && sim_allowed(heir, cpu)) {
		start(cpu, heir, heir->gift_ns);
		return;
	}
	if (heir)
		send_task(heir, sim_allowed(heir, cpu) ? cpu : choose_cpu(heir, SCHED_DONATED),
			  SCHED_DONATED);
	check_patience(c);
	if (c->count) {
		run = pick(cpu, prev);
		ready_remove(c, sim_known(run.task));
		start(cpu, sim_known(run.task), sim_known(run.task)->gift_ns ?
						 sim_known(run.task)->gift_ns : run.slice_ns);
		return;
	}
	c->idle = true;
	if (c->idle_since_ns == SIM_NEVER)
		c->idle_since_ns = machine.now_ns;
	ask_for_task(cpu);
}

static void set_timer(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	uint64_t at;

	if (ordered_is_queued(&c->timer->node))
		ordered_remove(&events, &c->timer->node);
	if (!c->current)
		return;
	at = c->run_from_ns + c->current->remaining_ns;
	if (is_waited_for(c) && c->slice_end_ns < at)
		at = c->slice_end_ns > machine.now_ns ? c->slice_end_ns : machine.now_ns;
	if (c->heir && c->promise_ends_ns < at)
		at = c->promise_ends_ns;
	ordered_insert(&events, &c->timer->node, at);
}

/* The current task's run is over; what it does then happens now. */
static void step(int cpu)
{
	switch (sim_step(machine.cpu[cpu].current)) {
	case STEP_RUNS:
		break;
	case STEP_SLEEPS:
		stop_sleeping(cpu);
		break;
	case STEP_YIELDS:
		if (is_waited_for(&machine.cpu[cpu])) /* else there is nobody to give way to */
			stop_runnable(cpu, SCHED_YIELDED);
		break;
	case STEP_ENDS:
		stop_ended(cpu);
		break;
	}
}

/* ---- evening out CPUs that are all busy: libos/sched/balance.c */

static int less_busy(int cpu, const struct sim_task *t)
{
	unsigned fewest = machine.cpu[cpu].count;
	int best = -1;

	for (int i = 1; i < machine.cpus; i++) {
		int other = (cpu + i) % machine.cpus;

		if (machine.cpu[other].count < fewest && (!t || sim_allowed(t, other))) {
			fewest = machine.cpu[other].count;
			best = other;
		}
	}
	return best;
}

static struct sim_task *find_to_move(const struct sim_cpu *c, int *to)
{
	unsigned looked_at = 0;

	for (struct sim_task *t = c->ready_last; t && looked_at < LOOKED_AT_MAX;
	     t = t->ready_previous) {
		bool has_stayed = t->record.runs > t->moved_runs &&
				  machine.now_ns - t->moved_ns >= 2 * PERIOD_NS;
		bool may_move =
			t->t.slice_ns == 0 && t->gift_ns == 0 && (!t->moved_ns || has_stayed);

		*to = may_move ? less_busy(t->cpu, t) : -1;
		if (*to >= 0)
			return t;
		looked_at++;
	}
	return NULL;
}

/* In nobody's queue any more; or NULL. */
static struct sim_task *take_to_move(struct sim_cpu *c, int cpu, int *to)
{
	struct sim_task *t;

	if (machine.ops->steal) {
		c->uneven_since_ns = SIM_NEVER;
		t = library_steal(cpu, *to);
		if (t)
			ready_remove(c, t);
		return t;
	}
	t = find_to_move(c, to);
	if (t)
		unqueue(t);
	return t;
}

static void balance(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	uint32_t flags = machine.ops->flags;
	bool left_to_us = (!machine.ops->select_cpu || (flags & SCHED_EVENED_OUT)) &&
			  !(flags & SCHED_PARTITIONED);
	int to = left_to_us ? less_busy(cpu, NULL) : -1;
	struct sim_task *t;

	if (to < 0)
		c->uneven_since_ns = SIM_NEVER;
	else if (c->uneven_since_ns == SIM_NEVER)
		c->uneven_since_ns = machine.now_ns;
	if (to < 0 || machine.now_ns - c->uneven_since_ns < PERIOD_NS)
		return;
	t = take_to_move(c, cpu, &to);
	if (!t)
		return;
	c->uneven_since_ns = SIM_NEVER;
	t->moved_ns = machine.now_ns;
	t->moved_runs = t->record.runs;
	send_task(t, to, SCHED_MIGRATED);
}

static void cpu_go(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];

	machine.this_cpu = cpu;
	account(cpu);
	do {
		struct sim_task *prev = c->current;

		if (c->current && c->current->remaining_ns == 0 && c->run_from_ns <= machine.now_ns)
			step(cpu);
		if (c->current && is_waited_for(c) && c->slice_end_ns <= machine.now_ns) {
			c->need_resched = true;
			balance(cpu);
		}
		if (c->current && c->promise_ends_ns <= machine.now_ns)
			release_heir(c);
		if (c->current && c->need_resched)
			stop_runnable(cpu, SCHED_PREEMPTED);
		if (!c->current) {
			bool runnable = prev && sim_known(&prev->t);

			schedule(cpu, runnable ? prev : NULL);
		}
	} while (c->current && c->current->remaining_ns == 0 && c->run_from_ns <= machine.now_ns);
	set_timer(cpu);
}

/* ---- what arrives */

void machine_resched(int cpu)
{
	struct sim_cpu *c = &machine.cpu[cpu];

	if (cpu == machine.this_cpu)
		c->need_resched = c->must_pick = true;
	else
		post_event(RESCHED, cpu, arrival_ns());
}

static void answer_thief(int victim, int thief)
{
	struct sim_task *t = library_steal(victim, thief);

	machine.cpu[thief].steals += t != NULL;
	if (t) {
		ready_remove(&machine.cpu[victim], t);
		send_task(t, thief, SCHED_MIGRATED);
	} else {
		post_event(REFUSED, thief, arrival_ns());
	}
}

static void deal_with(const struct event *e)
{
	struct sim_cpu *c = &machine.cpu[e->cpu];

	switch (e->kind) {
	case TIMER:
		break;
	case TASK_DUE:
		sim_wake(e->task, e->task->why);
		break;
	case ARRIVAL:
		if (e->task->why == SCHED_MIGRATED)
			c->steal_asked = false;
		queue_here(e->cpu, e->task, e->task->why);
		break;
	case STEAL:
		answer_thief(e->cpu, e->from);
		break;
	case REFUSED:
		c->steal_asked = false;
		break;
	case PULL:
		memset(c->tried, 0, sizeof(c->tried));
		break;
	case RESCHED:
		c->need_resched = true;
		break;
	}
}

/* A message interrupts what runs. */
static void charge_interrupt(const struct event *e)
{
	struct sim_cpu *c = &machine.cpu[e->cpu];

	if (e->kind == TIMER || e->kind == TASK_DUE)
		return;
	c->messages++;
	c->busy_until_ns = machine.now_ns + machine.interrupt_ns;
	if (c->current) {
		uint64_t from = c->run_from_ns > machine.now_ns ? c->run_from_ns : machine.now_ns;

		c->run_from_ns = from + machine.interrupt_ns;
	}
}

static struct event *next_event(uint64_t until_ns)
{
	for (;;) {
		struct ordered_node *n = ordered_first(&events);
		struct event *e = (struct event *)n;
		uint64_t at;

		if (!n || n->key >= until_ns)
			return NULL;
		at = n->key;
		ordered_remove(&events, n);
		if (e->kind == TIMER || machine.cpu[e->cpu].busy_until_ns <= at) {
			machine.now_ns = at;
			return e;
		}
		/* The CPU still deals with the last message. */
		ordered_insert(&events, n, machine.cpu[e->cpu].busy_until_ns);
	}
}

void machine_run(uint64_t until_ns)
{
	struct event *e;

	while (machine.live && (e = next_event(until_ns))) {
		int cpu = e->cpu;

		machine.this_cpu = cpu;
		account(cpu);
		charge_interrupt(e);
		deal_with(e);
		if (e->kind != TIMER)
			free(e);
		cpu_go(cpu);
		if (machine.hook)
			machine.hook();
	}
	if (machine.live)
		machine.now_ns = until_ns;
	for (int cpu = 0; cpu < machine.cpus; cpu++) {
		struct sim_cpu *c = &machine.cpu[cpu];

		account(cpu);
		if (c->idle_since_ns != SIM_NEVER)
			c->idle_ns += machine.now_ns - c->idle_since_ns;
	}
}

/* ---- from outside */

void machine_start(int cpus, const struct sched_ops *ops, uint64_t seed)
{
	library_check_form(ops);
	machine.cpus = cpus;
	machine.random = seed * 0x9e3779b97f4a7c15ul + 1;
	machine.library_random = ~machine.random;
	machine.message_ns = SCHED_US(2);
	machine.cpu = calloc((size_t)cpus, sizeof(*machine.cpu));
	for (int cpu = 0; cpu < cpus; cpu++) {
		struct sim_cpu *c = &machine.cpu[cpu];

		begin_patience(c);
		c->idle = true;
		c->idle_since_ns = 0;
		c->uneven_since_ns = SIM_NEVER;
		c->timer = calloc(1, sizeof(*c->timer));
		c->timer->kind = TIMER;
		c->timer->cpu = cpu;
	}
	library_start();
}

/* On the CPU where it is queued. */
static void requeue_changed(struct sim_task *t)
{
	machine.this_cpu = t->cpu;
	account(t->cpu);
	unqueue(t);
	if (sim_allowed(t, t->cpu))
		queue_here(t->cpu, t, SCHED_CHANGED);
	else
		send_task(t, choose_cpu(t, SCHED_MIGRATED), SCHED_MIGRATED);
	cpu_go(machine.this_cpu);
}

void machine_changed(struct sim_task *t, uint32_t keys)
{
	int here = machine.this_cpu;

	t->t.sched_changed |= keys;
	if (t->state == SIM_RUNNING)
		post_event(RESCHED, t->cpu, arrival_ns());
	else if (t->state == SIM_QUEUED)
		requeue_changed(t);
	machine.this_cpu = here;
}

void machine_swap(void)
{
	int here = machine.this_cpu;

	library_stop(SCHED_EXIT_SWAPPED);
	for (struct sim_task *t = sim_first(); t; t = sim_next(t)) {
		t->attached = false;
		t->t.run_queue = NULL;
		t->t.run_node.rank = 0;
	}
	library_start();
	for (int cpu = 0; cpu < machine.cpus; cpu++) {
		struct sim_cpu *c = &machine.cpu[cpu];

		machine.this_cpu = cpu;
		c->fifo = (struct sched_fifo){ 0 };
		begin_patience(c);
		for (struct sim_task *t = c->ready_first; t; t = t->ready_next)
			library_enqueue(cpu, t, SCHED_TAKEN_OVER);
	}
	machine.this_cpu = here;
}
