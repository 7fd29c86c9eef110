/* SPDX-License-Identifier: MIT */
/* The library's callbacks, called and checked: see machine.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "library.h"
#include "machine.h"

#define NAME_LENGTH_MAX 15
/* As in libos/sched/run_queue.c. */
#define REFUSED_PERIOD_NS SCHED_MS(100)
/* See library.h. */
volatile struct callback callback;

static void begin(const char *name, int cpu, const struct sim_task *t)
{
	callback.number++;
	callback.cpu = cpu;
	callback.task = t;
	callback.name = name;
}

static void end(void)
{
	callback.name = NULL;
	callback.task = NULL;
}

bool library_in_callback(void)
{
	return callback.name != NULL;
}

/* What a pointer is that should have been one of the tasks queued on `cpu`.  It is not followed
 * unless it is known. */
static const char *what_is(const struct task *p, int cpu)
{
	static char text[96];
	const struct sim_task *t = sim_known(p);
	const char *ended = t ? NULL : sim_ended_name(p);

	if (ended) {
		snprintf(text, sizeof(text), "task %s, which has ended", ended);
		return text;
	}
	if (!t)
		return "a pointer that is no task's";
	switch (t->state) {
	case SIM_SLEEPING:
		snprintf(text, sizeof(text), "task %s, which is blocked", t->t.name);
		break;
	case SIM_FLYING:
		snprintf(text, sizeof(text), "task %s, which is on its way to a CPU", t->t.name);
		break;
	case SIM_RUNNING:
		snprintf(text, sizeof(text), "task %s, which runs on CPU %d", t->t.name, t->cpu);
		break;
	case SIM_QUEUED:
		if (t->cpu != cpu)
			snprintf(text, sizeof(text), "task %s, which is queued on CPU %d", t->t.name,
				 t->cpu);
		else
			snprintf(text, sizeof(text), "task %s, which is still in the library's queue",
				 t->t.name);
		break;
	case SIM_ENDED:
		break;
	}
	return text;
}

static struct sim_task *queued_here(struct task *p, int cpu)
{
	struct sim_task *t = sim_known(p);

	if (!t || t->state != SIM_QUEUED || t->cpu != cpu || t->refused)
		return NULL;
	return t->t.run_queue ? NULL : t; /* it was to be taken out of there */
}

/* As the names of libraries and of their numbers are written in files of /proc: a word, and no path. */
static bool is_word(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '/')
			return false;
	return true;
}

static void check_tunables(const struct sched_tunable *t)
{
	for (unsigned i = 0; t[i].name; i++) {
		if (i == SCHED_TUNABLES_MAX)
			library_is_wrong("it has more than %d tunables, or no { 0 } at their end",
					 SCHED_TUNABLES_MAX);
		if (!*t[i].name || strlen(t[i].name) >= SCHED_TUNABLE_NAME_MAX)
			library_is_wrong("the name of tunable %u must have 1 to %d characters", i,
					 SCHED_TUNABLE_NAME_MAX - 1);
		if (!is_word(t[i].name))
			library_is_wrong(
				"the name of tunable %u has a blank, a / or a character that is "
				"not ASCII and printable",
				i);
		if (!t[i].value || *t[i].value < t[i].min || *t[i].value > t[i].max)
			library_is_wrong(
				"tunable %s must begin with a value from its min to its max",
				t[i].name);
	}
}

void library_check_form(const struct sched_ops *ops)
{
	int queue_callbacks = !!ops->enqueue + !!ops->dequeue + !!ops->pick;

	machine.ops = ops;
	if (!ops->name || !*ops->name || strlen(ops->name) > NAME_LENGTH_MAX)
		library_is_wrong("its name must have 1 to %d characters", NAME_LENGTH_MAX);
	if (ops->abi > SCHED_ABI)
		library_is_wrong("its abi is %u, and the newest there is is %u", ops->abi, SCHED_ABI);
	if (!is_word(ops->name))
		library_is_wrong(
			"its name has a blank, a / or a character that is not ASCII and printable");
	if (ops->flags & ~(uint32_t)SCHED_FLAGS)
		library_is_wrong("its flags have a bit that is none of <libos/sched.h>'s: %x", ops->flags);
	if (ops->cpu_size > SCHED_CPU_SIZE_MAX)
		library_is_wrong("cpu_size is %zu, more than %d", ops->cpu_size, SCHED_CPU_SIZE_MAX);
	if (ops->task_size > SCHED_TASK_SIZE_MAX)
		library_is_wrong("task_size is %zu, more than %d", ops->task_size, SCHED_TASK_SIZE_MAX);
	if (queue_callbacks != 0 && queue_callbacks != 3)
		library_is_wrong("enqueue, dequeue and pick are given together or not at all");
	if (ops->tunables)
		check_tunables(ops->tunables);
}

void library_start(void)
{
	int r = 0;

	for (int cpu = 0; cpu < machine.cpus; cpu++)
		machine.cpu[cpu].private_state = calloc(1, machine.ops->cpu_size ? machine.ops->cpu_size : 1);
	if (machine.ops->init) {
		begin("init", machine.this_cpu, NULL);
		r = machine.ops->init(machine.cpus);
		if (r)
			library_is_wrong("returned %d for %d CPUs: it cannot start", r, machine.cpus);
		end();
	}
	machine.in_force = true;
	for (int cpu = 0; machine.ops->cpu_online && cpu < machine.cpus; cpu++) {
		machine.this_cpu = cpu;
		begin("cpu_online", cpu, NULL);
		machine.ops->cpu_online(cpu, 1);
		end();
	}
}

void library_stop(enum sched_exit_reason reason)
{
	struct sched_exit why = { .reason = reason, .cpu = machine.this_cpu, .callback = "" };

	machine.in_force = false;
	if (machine.ops->exit) {
		begin("exit", machine.this_cpu, NULL);
		machine.ops->exit(&why);
		end();
	}
	for (int cpu = 0; cpu < machine.cpus; cpu++) {
		free(machine.cpu[cpu].private_state);
		machine.cpu[cpu].private_state = NULL;
	}
}

void library_attach(struct sim_task *t)
{
	if (t->attached)
		return;
	free(t->private_state);
	t->private_state = calloc(1, machine.ops->task_size ? machine.ops->task_size : 1);
	t->attached = true;
	t->refused = false;
	if (!machine.ops->attach)
		return;
	begin("attach", machine.this_cpu, t);
	t->refused = machine.ops->attach(&t->t) != 0;
	end();
}

void library_detach(struct sim_task *t)
{
	if (machine.ops->detach && t->attached && !t->refused) {
		begin("detach", machine.this_cpu, t);
		machine.ops->detach(&t->t);
		end();
	}
	free(t->private_state);
	t->private_state = NULL;
}

int library_select_cpu(struct sim_task *t, enum sched_why why)
{
	int cpu;

	library_attach(t);
	if (!machine.ops->select_cpu || t->refused)
		return -1;
	begin("select_cpu", machine.this_cpu, t);
	cpu = machine.ops->select_cpu(&t->t, t->cpu, why);
	if (cpu < -1 || cpu >= machine.cpus)
		library_is_wrong("returned %d: there are %d CPUs", cpu, machine.cpus);
	end();
	return cpu;
}

void library_setparam(struct sim_task *t, enum sched_parameter key)
{
	long values[SCHED_PARAMS] = { t->t.nice, t->t.policy, t->t.rt_priority, (long)t->t.affinity,
				      (long)t->t.runtime_ns, (long)t->t.deadline_ns,
				      (long)t->t.period_ns };

	if (!machine.ops->setparam || t->refused)
		return;
	begin("setparam", machine.this_cpu, t);
	machine.ops->setparam(&t->t, key, values[key]);
	end();
}

static void tell_changes(struct sim_task *t)
{
	uint32_t changed = t->t.sched_changed;

	t->t.sched_changed = 0;
	for (int key = 0; key < SCHED_PARAMS; key++)
		if (changed & (1u << key))
			library_setparam(t, (enum sched_parameter)key);
}

/* The queue is a part of some other CPU's private state. */
static int owner_of_queue(const void *queue)
{
	for (int cpu = 0; cpu < machine.cpus; cpu++) {
		const char *state = machine.cpu[cpu].private_state;

		if ((const char *)queue >= state && (const char *)queue < state + machine.ops->cpu_size)
			return cpu;
	}
	return -1;
}

void library_enqueue(int cpu, struct sim_task *t, enum sched_why why)
{
	int owner;

	library_attach(t);
	tell_changes(t);
	if (!machine.ops->enqueue || t->refused) {
		if (why == SCHED_DONATED)
			sched_fifo_push_front(&machine.cpu[cpu].fifo, &t->t);
		else
			sched_fifo_push_back(&machine.cpu[cpu].fifo, &t->t);
		return;
	}
	begin("enqueue", cpu, t);
	machine.ops->enqueue(cpu, &t->t, why);
	owner = t->t.run_queue ? owner_of_queue(t->t.run_queue) : -1;
	if (owner >= 0 && owner != cpu)
		library_is_wrong("put the task into the queue of CPU %d", owner);
	end();
}

void library_dequeue(int cpu, struct sim_task *t)
{
	if (!machine.ops->dequeue || t->refused) {
		sched_fifo_remove(&machine.cpu[cpu].fifo, &t->t);
		return;
	}
	begin("dequeue", cpu, t);
	machine.ops->dequeue(cpu, &t->t);
	if (t->t.run_queue)
		library_is_wrong("left the task in a queue");
	end();
}

/* Those that it has refused have a slice now and then, however busy it is. */
static bool is_turn_of_refused(struct sim_cpu *c)
{
	if (!machine.ops->pick || !c->fifo.count ||
	    machine.now_ns - c->refused_ran_ns < REFUSED_PERIOD_NS)
		return false;
	c->refused_ran_ns = machine.now_ns;
	return true;
}

struct sched_run library_pick(int cpu, struct sim_task *prev)
{
	struct sim_cpu *c = &machine.cpu[cpu];
	struct sched_run run = { 0 };

	if (machine.ops->pick && !is_turn_of_refused(c)) {
		begin("pick", cpu, NULL);
		run = machine.ops->pick(cpu, prev ? &prev->t : NULL);
		if (run.task && !queued_here(run.task, cpu))
			library_is_wrong("returned %s", what_is(run.task, cpu));
		if (!run.task && c->count > c->fifo.count)
			library_is_wrong("returned nothing, though %u tasks are queued: it lost them, "
					 "or idles", c->count - c->fifo.count);
		end();
	}
	if (!run.task)
		run.task = sched_fifo_pop(&c->fifo);
	if (run.slice_ns == 0)
		run.slice_ns = SCHED_SLICE_DEFAULT_NS;
	if (run.slice_ns < SCHED_SLICE_MIN_NS)
		run.slice_ns = SCHED_SLICE_MIN_NS;
	return run;
}

static struct sim_task *newest_allowed(int victim, int thief)
{
	struct sim_task *t = machine.cpu[victim].ready_last;

	while (t && !sim_allowed(t, thief))
		t = t->ready_previous;
	if (t)
		library_dequeue(victim, t);
	return t;
}

struct sim_task *library_steal(int victim, int thief)
{
	struct task *p;

	if (!machine.cpu[victim].count || (machine.ops->flags & SCHED_PARTITIONED))
		return NULL;
	if (!machine.ops->steal)
		return newest_allowed(victim, thief);
	begin("steal", victim, NULL);
	p = machine.ops->steal(victim, thief);
	if (p && !queued_here(p, victim))
		library_is_wrong("returned %s", what_is(p, victim));
	if (p && !sim_allowed(sim_known(p), thief))
		library_is_wrong("returned task %s, which may not run on CPU %d", sim_known(p)->t.name,
				 thief);
	end();
	return p ? sim_known(p) : NULL;
}

void library_charge(int cpu, struct sim_task *t, uint64_t ns)
{
	if (!machine.ops->charge || !t->attached || t->refused)
		return;
	begin("charge", cpu, t);
	machine.ops->charge(cpu, &t->t, ns);
	end();
}

int library_may_donate(struct sim_task *from, struct sim_task *to)
{
	int r = 0;

	library_attach(to);
	if (!machine.ops->donate || !from->attached || from->refused || to->refused)
		return 0;
	begin("donate", machine.this_cpu, from);
	r = machine.ops->donate(&from->t, &to->t);
	end();
	return r;
}

static void __attribute__((format(printf, 1, 2))) print(const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
}

void library_dump(int cpu)
{
	if (!machine.ops->dump)
		return;
	begin("dump", cpu, NULL);
	machine.ops->dump(cpu, print);
	end();
}
