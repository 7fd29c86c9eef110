/* SPDX-License-Identifier: MIT */
/* What a scheduler library may call, beside the queues: see libos/sched.h. */
#include <stdio.h>
#include "library.h"
#include "machine.h"

static void check_cpu(const char *function, int cpu)
{
	if (cpu < 0 || cpu >= machine.cpus)
		library_misuses("called %s(%d): there are %d CPUs", function, cpu, machine.cpus);
}

static struct sim_task *sim(const struct task *t)
{
	return (struct sim_task *)t;
}

void *sched_private(struct task *t)
{
	return sim(t)->private_state;
}

void *sched_cpu_private(int cpu)
{
	check_cpu("sched_cpu_private", cpu);
	return machine.cpu[cpu].private_state;
}

struct task_ref sched_task_ref(const struct task *t)
{
	return t->self;
}

const char *sched_task_name(const struct task *t)
{
	return t->name;
}

#define PROCESSES (1u << 31) /* and no task's id: those of a work */

uint32_t sched_task_process(const struct task *t)
{
	const struct program *p = sim(t)->program;

	return p->process ? PROCESSES | p->process : t->self.id;
}

int sched_task_cpu(const struct task *t)
{
	return sim(t)->cpu;
}

int sched_task_nice(const struct task *t)
{
	return t->nice;
}

int sched_task_policy(const struct task *t)
{
	return t->policy;
}

int sched_task_priority(const struct task *t)
{
	return t->rt_priority;
}

uint64_t sched_task_runtime_ns(const struct task *t)
{
	return t->runtime_ns;
}

uint64_t sched_task_deadline_ns(const struct task *t)
{
	return t->deadline_ns;
}

uint64_t sched_task_period_ns(const struct task *t)
{
	return t->period_ns;
}

/* There are no locks here with priority inheritance. */
bool sched_task_inherits(const struct task *t)
{
	(void)t;
	return false;
}

bool sim_allowed(const struct sim_task *t, int cpu)
{
	return t->t.affinity == ~0ul || (cpu < 64 && (t->t.affinity >> cpu & 1));
}

bool sched_allowed(const struct task *t, int cpu)
{
	check_cpu("sched_allowed", cpu);
	return sim_allowed(sim(t), cpu);
}

uint64_t sched_slice_left_ns(const struct task *t)
{
	return t->slice_ns;
}

uint64_t sched_donated_ns(const struct task *t)
{
	return sim(t)->gift_ns;
}

uint64_t sched_ready_since_ns(const struct task *t)
{
	return sim(t)->ready_since_ns;
}

uint64_t sched_now_ns(void)
{
	return machine.now_ns;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dul;
}

/* Apart from each other: the work is the same whatever the library draws. */
uint64_t sched_random(void)
{
	return next_random(&machine.library_random);
}

uint64_t machine_random(void)
{
	return next_random(&machine.random);
}

int sched_cpu_count(void)
{
	return machine.cpus;
}

int sched_this_cpu(void)
{
	return machine.this_cpu;
}

bool sched_cpu_is_idle(int cpu)
{
	check_cpu("sched_cpu_is_idle", cpu);
	return machine.cpu[cpu].idle;
}

unsigned sched_cpu_queued(int cpu)
{
	check_cpu("sched_cpu_queued", cpu);
	return machine.cpu[cpu].count;
}

void sched_resched(int cpu)
{
	check_cpu("sched_resched", cpu);
	machine_resched(cpu);
}

struct task *sched_running(void)
{
	struct sim_task *t = machine.cpu[machine.this_cpu].current;

	return t && t->attached && !t->refused && machine.in_force ? &t->t : NULL;
}

void sched_trace(const char *what, const struct task *t, int64_t value)
{
	char text[SCHED_TRACE_MAX + 1] = "";

	if (!what)
		library_misuses("called sched_trace() without a text");
	if (t && !sim_known(t))
		library_misuses("called sched_trace() with a pointer that is no task's");
	for (int i = 0; i < SCHED_TRACE_MAX && what[i]; i++)
		text[i] = what[i] < ' ' || what[i] > '~' ? '?' : what[i];
	if (machine.notes)
		printf("%12.3f ms  CPU %d  %s  %s: %ld\n", (double)machine.now_ns / 1e6,
		       machine.this_cpu, t ? t->name : "-", text, value);
}
