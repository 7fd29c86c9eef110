/* SPDX-License-Identifier: MIT */
/* See guard.h. */
#include "sched/guard.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/task.h"
#include "core/task_slot.h"
#include "core/vcore.h"
#include "sched/culprit.h"
#include "sched/place.h"
#include "time/time.h"
#include "trace/trace.h"

#define WATCH_NS 100000000ul
#define STACK_PAGES 8 /* the lowest is the guard */
#define ANSWERS 8 /* a power of two */

struct answer {
	const char *callback; /* NULL: none yet */
	uint32_t task;        /* id; 0: nobody */
	uint8_t kind;         /* enum guard_result */
	bool abandoned;
	uint64_t result;
};

/* Each used by its own CPU only, masked. */
static struct answers {
	uint32_t count; /* ever; the last ANSWERS of them are here */
	struct answer last[ANSWERS];
} answers[EXO_CPUS_MAX] __attribute__((aligned(64)));

static uint64_t watch_ticks; /* fixed after guard_init() */

void guard_init(void)
{
	watch_ticks = ns_to_tsc(WATCH_NS);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		char *stack = pages_alloc(STACK_PAGES);
		struct exo_op op = { .code = EXO_OP_PROTECT, .count = 1, .va = (uint64_t)stack };

		if (!stack || shared_update(&op, 1) < 0)
			libos_panic("no memory for the scheduler's stack on CPU %u", cpu);
		vcore_of(cpu)->queue.guard.stack_top = (uint64_t)stack + STACK_PAGES * EXO_PAGE_SIZE;
	}
}

/*
 * Why a callback that loops is always noticed: the kernel forces us out of it only when an event has
 * been pending for too long, so one must be certain to come.  Usually the timer is set to the end of
 * a slice; here we see to it that it is set to something near.  At most one kernel entry for every
 * WATCH_NS, and no wakeup of a CPU that has gone idle but the one after its last callback.
 */
static void watch(struct vcore *v)
{
	uint64_t set = *(volatile uint64_t *)&v->page->deadline_tsc;
	uint64_t latest = rdtsc() + watch_ticks;

	if (set == 0 || set > latest)
		exo_timer(latest);
}

/* A callback may have been abandoned within sched_resched(), between the note that it leaves for another CPU
 * and the ring.  Who finds the note there does not ring, so that the CPU would sleep on: it is rung now. */
static void ring_others(const struct vcore *v)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		if ((int)cpu != v->cpu && cpu_is_online(cpu))
			vcore_ring(cpu);
}

static void remember(struct vcore *v, enum guard_result kind, struct sched_run run)
{
	struct answers *a = &answers[v->cpu];
	const struct sched_guard *g = &v->queue.guard;

	a->last[a->count++ % ANSWERS] = (struct answer){
		.callback = g->callback,
		.task = g->task.id,
		.kind = (uint8_t)kind,
		.abandoned = g->failed,
		.result = (uint64_t)run.task,
	};
}

struct sched_run guard_call(struct vcore *v, const char *name, void *callback,
			    enum guard_result kind, const struct task *t, uint64_t a, uint64_t b,
			    uint64_t c)
{
	struct sched_guard *g = &v->queue.guard;
	struct sched_run run;

	ASSERT_INVARIANT(vcore_is_mine(v) && v->held_count == 0);
	g->callback = name;
	g->task = t ? t->self : (struct task_ref){ 0 };
	g->overruns = 0;
	watch(v);
	run = sched_guarded_call(g, callback, a, b, c);
	remember(v, kind, run);
	if (g->failed) {
		trace_mend(v); /* before anything else is traced */
		ring_others(v);
	}
	return run;
}

uint64_t guard_stack_low(const struct sched_guard *g)
{
	return g->stack_top - (STACK_PAGES - 1) * EXO_PAGE_SIZE;
}

void guard_abandon(struct sched_guard *g, struct exo_regs *regs, enum sched_exit_reason reason,
		   uint64_t address)
{
	g->failed = true;
	g->reason = reason;
	g->detail = regs->rip;
	culprit_place(this_vcore(), regs, reason, address);
	regs->rip = (uint64_t)sched_guard_return;
	regs->rsp = g->stack_pointer;
}

/* What a library returns may be anything, so a pointer is followed only if it is a task's. */
static int format_answer(char *to, size_t size, const struct answer *a)
{
	const struct task *t = (const struct task *)a->result;
	int n = format(to, size, " %s(%u)", a->callback, a->task);

	if (n < 0 || (size_t)n >= size)
		return 0;
	to += n;
	size -= (size_t)n;
	if (a->abandoned)
		n += format(to, size, " abandoned");
	else if (a->kind == RESULT_NUMBER)
		n += format(to, size, "=%d", (int)a->result);
	else if (a->kind == RESULT_TASK && t && !task_slot_contains(t))
		n += format(to, size, "=0x%lx", a->result);
	else if (a->kind == RESULT_TASK)
		n += format(to, size, "=%u", t ? t->self.id : 0);
	return n;
}

void guard_report(const struct vcore *v)
{
	const struct answers *a = &answers[v->cpu];
	char line[ANSWERS * 40] = "";
	size_t used = 0;

	for (uint32_t i = a->count > ANSWERS ? a->count - ANSWERS : 0; i != a->count; i++) {
		int n = format_answer(line + used, sizeof(line) - used, &a->last[i % ANSWERS]);

		used += (size_t)n;
		if (used >= sizeof(line))
			break;
	}
	log_print("libos:   what CPU %d asked it last:%s\n", v->cpu, line);
}
