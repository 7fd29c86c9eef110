/* SPDX-License-Identifier: MIT */
/*
 * A scheduler that breaks one of the rules of <libos/sched.h>: the one that its tunables name
 * (broken.h), after the place where it does so has been passed `after` times.  Otherwise it is round
 * robin.  broken_steal.c is the same with a steal() of its own: by default it is dequeue() that is
 * called when a task is stolen.
 */
#include <libos/sched.h>
#include "broken.h"

#ifndef BROKEN_NAME
#define BROKEN_NAME "broken"
#define BROKEN_STEAL NULL
#endif

#define CPUS_MAX 64

static uint64_t rule, callback, after, only; /* on CPU only - 1; 0: on any */
static uint64_t broke; /* it writes that itself: how often it has broken the rule, about */
static const struct sched_tunable tunables[] = {
	{ "rule", &rule, 0, BREAK_RULES - 1 }, { "callback", &callback, 0, IN_CALLBACKS - 1 },
	{ "after", &after, 0, 1000000 },       { "only", &only, 0, CPUS_MAX },
	{ "broke", &broke, 0, 1000000000 },    { 0 },
};

struct cpu {
	struct sched_fifo ready, starved;
};

struct info {
	struct sched_fifo *queue; /* that it is in, NULL: none */
};

/* Any CPU: hints. */
static uint64_t passed;
static struct task *ended, *ran[CPUS_MAX], *picked[CPUS_MAX], *queued[CPUS_MAX];

static struct info *info_of(struct task *t)
{
	return sched_private(t);
}

/* Has the place where it goes wrong been passed often enough? */
static bool is_time(void)
{
	if (only && sched_this_cpu() != (int)only - 1)
		return false;
	return __atomic_add_fetch(&passed, 1, __ATOMIC_RELAXED) > after;
}

static bool breaks(enum broken_rule which)
{
	if (rule != which || !is_time())
		return false;
	__atomic_add_fetch(&broke, 1, __ATOMIC_RELAXED);
	return true;
}

static __attribute__((noinline)) unsigned recurse(unsigned depth)
{
	volatile unsigned char room[200];

	room[depth % 200] = (unsigned char)depth;
	return depth == ~0u ? 0 : recurse(depth + 1) + room[depth % 199];
}

static void enter(enum broken_callback which)
{
	void (*nowhere)(void) = (void (*)(void))0x123456789000;
	volatile int *volatile nothing = NULL;

	if (callback != which || rule < BREAK_LOOP || rule > BREAK_CALL || !breaks(rule))
		return;
	switch (rule) {
	case BREAK_LOOP:
		for (;;)
			sched_random();
	case BREAK_FAULT:
		*nothing = 1;
		break;
	case BREAK_JUMP:
		nowhere();
		break;
	case BREAK_RECURSE:
		recurse(0);
		break;
	case BREAK_CALL: /* getpid() */
		__asm__ volatile("syscall" : : "a"(39) : "rcx", "r11", "memory");
		break;
	}
}

/* ---- round robin, and where it goes wrong */

static void put(struct task *t, struct sched_fifo *q, bool first)
{
	if (first)
		sched_fifo_push_front(q, t);
	else
		sched_fifo_push_back(q, t);
	info_of(t)->queue = q;
}

static void take(struct task *t)
{
	struct info *i = info_of(t);

	if (i->queue)
		sched_fifo_remove(i->queue, t);
	i->queue = NULL;
}

static void broken_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	enter(IN_ENQUEUE);
	if (breaks(BREAK_LOSE))
		return;
	if (rule == BREAK_STARVE && sched_task_ref(t).id % 3 == 0) {
		put(t, &c->starved, false);
		return;
	}
	put(t, &c->ready, why == SCHED_DONATED);
	queued[cpu] = t;
	if (breaks(BREAK_TWICE))
		sched_fifo_push_back(&c->starved, t);
}

static void broken_dequeue(int cpu, struct task *t)
{
	enter(IN_DEQUEUE);
	if (!breaks(BREAK_FORGET))
		take(t);
}

static struct task *a_blocked_task(int cpu)
{
	struct task *t = ran[cpu];

	return t && !info_of(t)->queue ? t : NULL;
}

static struct task *a_foreign_task(int cpu)
{
	for (int other = 0; other < sched_cpu_count(); other++) {
		struct task *t = queued[other];

		if (other != cpu && t && sched_task_cpu(t) == other)
			return t;
	}
	return NULL;
}

/* The last is where a task would be, had there ever been so many. */
static struct task *a_wild_pointer(struct task *t)
{
	static const uint64_t wild[] = { 8, 0xdeadbeefdeadbeef, 0xffffff8000000000, 0x7f0000000000 };
	unsigned n = sched_random() % 6;

	if (n < 4)
		return (struct task *)wild[n];
	return (struct task *)((char *)t + (n == 4 ? 64 : 0x8000 * 20000));
}

/* What it returns instead of the right one; NULL: nothing wrong comes to its mind. */
static struct task *wrong_task(int cpu, struct cpu *c)
{
	switch (rule) {
	case BREAK_BLOCKED:
		return a_blocked_task(cpu);
	case BREAK_FOREIGN:
		return a_foreign_task(cpu);
	case BREAK_FREED:
		return ended;
	case BREAK_WILD:
		return c->ready.first ? a_wild_pointer(c->ready.first) : NULL;
	case BREAK_KEEP:
		return sched_fifo_first(&c->ready);
	default:
		return NULL;
	}
}

static struct sched_run broken_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct sched_run run = { 0 };

	enter(IN_PICK);
	if (breaks(BREAK_IDLE))
		return run;
	if (breaks(BREAK_CORRUPT))
		__builtin_memset(c, 0x5a, sizeof(*c));
	if (rule >= BREAK_BLOCKED && rule <= BREAK_KEEP && is_time())
		run.task = wrong_task(cpu, c);
	if (run.task) {
		__atomic_add_fetch(&broke, 1, __ATOMIC_RELAXED);
		return run;
	}
	run.task = sched_fifo_first(&c->ready);
	if (run.task)
		take(run.task);
	picked[cpu] = run.task;
	run.slice_ns = breaks(BREAK_HOG) ? 3600 * SCHED_MS(1000) : SCHED_MS(1);
	return run;
}

/* Who ran last there, or runs: nearly always one of them is in no queue. */
static struct task *a_task_not_queued(int cpu)
{
	struct task *t = picked[cpu];

	return t && !info_of(t)->queue ? t : a_blocked_task(cpu);
}

static __attribute__((unused)) struct task *broken_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);
	struct task *t;

	enter(IN_STEAL);
	if (rule == BREAK_STEAL && a_task_not_queued(victim) && breaks(BREAK_STEAL))
		return a_task_not_queued(victim);
	for (t = sched_fifo_last(&c->ready); t; t = sched_fifo_previous(t))
		if (sched_allowed(t, thief))
			break;
	if (t)
		take(t);
	return t;
}

static void broken_charge(int cpu, struct task *t, uint64_t ns)
{
	struct cpu *c = sched_cpu_private(cpu);

	ran[cpu] = t;
	enter(IN_CHARGE);
	if (rule == BREAK_RUNNING && !info_of(t)->queue && breaks(BREAK_RUNNING))
		put(t, &c->ready, false);
}

/* ---- the other callbacks do nothing but what enter() does */

static int broken_init(int ncpu)
{
	passed = broke = 0;
	ended = NULL;
	__builtin_memset(ran, 0, sizeof(ran));
	__builtin_memset(picked, 0, sizeof(picked));
	__builtin_memset(queued, 0, sizeof(queued));
	enter(IN_INIT);
	return rule == BREAK_INIT ? -12 : 0;
}

static void broken_exit(const struct sched_exit *why)
{
	enter(IN_EXIT);
}

static int broken_attach(struct task *t)
{
	enter(IN_ATTACH);
	return 0;
}

static void broken_detach(struct task *t)
{
	ended = t;
	enter(IN_DETACH);
}

static int broken_select_cpu(struct task *t, int prev, enum sched_why why)
{
	enter(IN_SELECT_CPU);
	return -1; /* as the core likes */
}

static int broken_donate(struct task *from, struct task *to)
{
	enter(IN_DONATE);
	return 0;
}

static void broken_setparam(struct task *t, int key, long value)
{
	enter(IN_SETPARAM);
}

static void broken_cpu_online(int cpu, int up)
{
	enter(IN_CPU_ONLINE);
}

static void broken_dump(int cpu, sched_printf print)
{
	print("  broken\n");
	enter(IN_DUMP);
}

static const struct sched_ops broken = {
	.name = BROKEN_NAME,
	.abi = SCHED_ABI,
	.timeout_ms = 200,
	.task_size = sizeof(struct info),
	.cpu_size = sizeof(struct cpu),
	.init = broken_init,
	.exit = broken_exit,
	.attach = broken_attach,
	.detach = broken_detach,
	.select_cpu = broken_select_cpu,
	.enqueue = broken_enqueue,
	.dequeue = broken_dequeue,
	.pick = broken_pick,
	.steal = BROKEN_STEAL,
	.charge = broken_charge,
	.donate = broken_donate,
	.setparam = broken_setparam,
	.cpu_online = broken_cpu_online,
	.dump = broken_dump,
	.tunables = tunables,
};
SCHED_LIBRARY(broken);
