/* SPDX-License-Identifier: MIT */
/*
 * Round robin that believes nothing: each callback traps, which has the library ejected, if what it
 * is told does not agree with the contract (libos/sched.h) or with what it was told before.  For
 * libraries that differ in donate() and in what they do when a task is enqueued.
 */
#ifndef TESTS_SCHEDULERS_STRICT_H
#define TESTS_SCHEDULERS_STRICT_H

#include <libos/sched.h>

#define ATTACHED 0x5ced5cedu

struct strict_cpu {
	struct sched_fifo ready;
	bool online;
};

struct strict_task {
	uint32_t attached; /* ATTACHED: attach() has seen it */
	int queued;        /* CPU + 1, 0: in no queue */
};

static void must(bool condition)
{
	if (!condition)
		__builtin_trap();
}

/* The private state of a task that has been attached. */
static struct strict_task *known(struct task *t)
{
	struct strict_task *s = sched_private(t);

	must(s->attached == ATTACHED);
	return s;
}

static void must_be_out(struct task *t)
{
	must(known(t)->queued == 0);
}

static int strict_attach(struct task *t)
{
	struct strict_task *s = sched_private(t);

	must(s->attached == 0 && s->queued == 0);
	s->attached = ATTACHED;
	return 0;
}

static void strict_detach(struct task *t)
{
	must_be_out(t);
	known(t)->attached = 0;
}

/* The calling CPU's state. */
static struct strict_cpu *here(int cpu)
{
	struct strict_cpu *c = sched_cpu_private(cpu);

	must(cpu == sched_this_cpu() && c->online);
	return c;
}

static void strict_cpu_online(int cpu, int up)
{
	struct strict_cpu *c = sched_cpu_private(cpu);

	must(cpu == sched_this_cpu() && c->online != (up == 1) && !sched_fifo_first(&c->ready));
	c->online = up == 1;
}

/* Whom this CPU runs, if that is one who has been attached: he is in no queue. */
static struct task *running(void)
{
	struct task *t = sched_running();

	if (t)
		must_be_out(t);
	return t;
}

/* Only a gift brings a slice along; a task that was given one may be preempted before it has used
 * any of it, or be handed over. */
static void strict_push(int cpu, struct task *t, enum sched_why why)
{
	struct strict_cpu *c = here(cpu);

	must(sched_task_cpu(t) == cpu);
	must_be_out(t);
	must(running() != t);
	must(why != SCHED_DONATED || sched_donated_ns(t) > 0);
	must((why != SCHED_WOKEN && why != SCHED_NEW) || sched_donated_ns(t) == 0);
	known(t)->queued = cpu + 1;
	if (why == SCHED_DONATED)
		sched_fifo_push_front(&c->ready, t);
	else
		sched_fifo_push_back(&c->ready, t);
}

static void strict_dequeue(int cpu, struct task *t)
{
	struct strict_cpu *c = here(cpu);

	must(known(t)->queued == cpu + 1 && running() != t);
	known(t)->queued = 0;
	sched_fifo_remove(&c->ready, t);
}

static struct sched_run strict_pick(int cpu, struct task *prev)
{
	struct strict_cpu *c = here(cpu);
	struct task *t = sched_fifo_pop(&c->ready);

	must(!running() && (!prev || known(prev)->queued == cpu + 1));
	if (t) {
		must(known(t)->queued == cpu + 1);
		known(t)->queued = 0;
	}
	return (struct sched_run){ t, SCHED_MS(4) };
}

static void strict_charge(int cpu, struct task *t, uint64_t ns)
{
	(void)here(cpu);
	must_be_out(t);
	must(running() == t);
}

static int strict_select_cpu(struct task *t, int prev, enum sched_why why)
{
	must_be_out(t);
	return prev;
}

static void strict_setparam(struct task *t, int key, long value)
{
	must_be_out(t);
}

/* `from` runs here, or has just stopped, or sleeps elsewhere till we are asked about `to`, queued here. */
static void must_be_a_gift(struct task *from, struct task *to)
{
	int queue = known(to)->queued - 1, cpu = sched_this_cpu();

	must_be_out(from);
	must(from != to && (queue < 0 || queue == cpu));
	must(sched_task_cpu(from) == cpu || queue == cpu);
}

#define STRICT_OPS                                                                                 \
	.abi = SCHED_ABI, .task_size = sizeof(struct strict_task),                                 \
	.cpu_size = sizeof(struct strict_cpu), .attach = strict_attach, .detach = strict_detach,   \
	.dequeue = strict_dequeue, .pick = strict_pick, .charge = strict_charge,                   \
	.select_cpu = strict_select_cpu, .setparam = strict_setparam,                    \
	.cpu_online = strict_cpu_online

#endif
