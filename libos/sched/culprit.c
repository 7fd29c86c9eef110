/* SPDX-License-Identifier: MIT */
/* See culprit.h. */
#include "sched/culprit.h"
#include <exo/symbols.h>
#include "core/entry.h"
#include "core/exception.h"
#include "core/image.h"
#include "core/log.h"
#include "core/string.h"
#include "core/task_slot.h"
#include "core/task_state.h"
#include "sched/guard.h"
#include "sched/library.h"
#include "sched/load.h"

#define FRAMES_MAX 16  /* of the libos's functions that a library may call, one inside the other */
#define SCANNED_MAX 16 /* words: more than such a function saves before it has a frame */

#define VECTOR_INVALID 6

/* Each used by its own CPU only, masked. */
static struct culprit {
	char task[160]; /* what was done with which task */
	char fault[80]; /* what was done where it was abandoned */
	uint64_t at;    /* the instruction */
	uint64_t from;  /* behind the library's call of what `at` is in; 0: not known, or `at` is in it */
} culprits[EXO_CPUS_MAX] __attribute__((aligned(64)));

/* ---- the task */

/* t is a task's address, and not what this CPU could run.  Another CPU may change what it is meanwhile. */
static void say_what_is(char *to, size_t size, const struct vcore *v, const struct task *t, int by)
{
	int home = atomic_load_explicit(&t->home, memory_order_relaxed);

	switch (task_place(t)) {
	case PLACE_NONE:
		format(to, size, "which has ended");
		break;
	case PLACE_RUNNING:
		format(to, size, "which runs on CPU %d", home);
		break;
	case PLACE_MAILBOX:
		format(to, size, "which is on its way to a CPU");
		break;
	case PLACE_WAITING:
		format(to, size, "which is blocked");
		break;
	case PLACE_QUEUED:
		if (home != v->cpu)
			format(to, size, "which is queued on CPU %d", home);
		else if (t->run_queue)
			format(to, size, "which is still in the library's queue");
		else if (!sched_allowed(t, by))
			format(to, size, "which may not run on CPU %d", by);
		else
			format(to, size, "which is not queued");
		break;
	}
}

void culprit_task(struct vcore *v, const struct task *t, const char *did, const char *wrong, int by)
{
	struct culprit *c = &culprits[v->cpu];
	char is[48];

	if (!task_slot_contains(t)) {
		format(c->task, sizeof(c->task), "%s what is no task:", did);
		return;
	}
	if (wrong)
		string_copy(is, wrong, sizeof(is));
	else
		say_what_is(is, sizeof(is), v, t, by);
	format(c->task, sizeof(c->task), "%s task %u (%s), %s:", did, t->self.id, t->name, is);
}

/* Where the library has t, as far as the ready-made queues tell. */
static void say_where_it_waits(char *to, size_t size, const struct vcore *v, const struct task *t)
{
	const struct sched_instance *s = v->queue.instance;
	uint64_t offset = (uint64_t)t->run_queue - (uint64_t)s->cpu_private;

	if (t->sched_core_only)
		format(to, size, "left to the core's FIFO");
	else if (!t->run_queue)
		format(to, size, "in no sched_fifo or sched_ordered");
	else if (s->cpu_private && offset < s->cpu_stride * vcore_count)
		format(to, size, "in a queue of CPU %lu", offset / s->cpu_stride);
	else
		format(to, size, "in a queue that is no CPU's");
}

void culprit_stalled(struct vcore *v, const struct task *t, uint64_t waited_ns)
{
	struct culprit *c = &culprits[v->cpu];
	char where[48];

	say_where_it_waits(where, sizeof(where), v, t);
	format(c->task, sizeof(c->task),
	       "did not run task %u (%s), which has waited for %lu ms, %s", t->self.id, t->name,
	       waited_ns / 1000000, where);
}

void culprit_idled(struct vcore *v, const struct task *t, unsigned queued)
{
	struct culprit *c = &culprits[v->cpu];
	char where[48];

	say_where_it_waits(where, sizeof(where), v, t);
	format(c->task, sizeof(c->task),
	       "returned nothing, though %u are queued: first task %u (%s), %s", queued, t->self.id,
	       t->name, where);
}

void culprit_print_task(const struct vcore *v)
{
	log_print("%s", culprits[v->cpu].task);
}

/* ---- the place */

/* In code of the library: of a linked one, which is among ours, that is all of it. */
static bool in_library(const struct sched_ops *ops, uint64_t address)
{
	uint64_t offset;

	if (sched_loaded_path(ops))
		return sched_loaded_code(ops, address, &offset);
	return libos_text_contains(address);
}

static bool follows_call(const struct sched_ops *ops, uint64_t address)
{
	return in_library(ops, address) && in_library(ops, address - CALL_LONGEST) &&
	       ends_with_call((const uint8_t *)address);
}

/* SYSCALL leaves the address behind it in RCX, and nothing on the stack. */
static bool follows_system_call(const struct sched_ops *ops, uint64_t address)
{
	const uint8_t *end = (const uint8_t *)address;

	return in_library(ops, address) && in_library(ops, address - 2) && end[-2] == 0x0f && end[-1] == 0x05;
}

/* Has the function that `at` is in pushed RBP and set it?  Those that call nobody never do. */
static bool has_frame(uint64_t at)
{
	static const uint8_t begins[] = { 0x55, 0x48, 0x89, 0xe5 };
	uint64_t offset = 0;

	return libos_text_contains(at) && symbol_name(at, &offset) && offset >= sizeof(begins) &&
	       memcmp((const void *)(at - offset), begins, sizeof(begins)) == 0;
}

/*
 * The first return address into the library.  Our functions have frames, linked by RBP, once they have
 * got that far; before, the address is the first such one above RSP, below which nothing is looked at.
 * All of it lies on the callback's own stack, [low, top).
 */
static uint64_t find_caller(const struct sched_ops *ops, const struct exo_regs *regs, uint64_t low,
			    uint64_t top)
{
	uint64_t frame = regs->rbp, at = regs->rsp;

	if (follows_system_call(ops, regs->rcx))
		return regs->rcx;
	if (!has_frame(regs->rip))
		for (int i = 0; i < SCANNED_MAX && at >= low && at <= top - 8 && at % 8 == 0; i++, at += 8)
			if (follows_call(ops, *(const uint64_t *)at))
				return *(const uint64_t *)at;
	for (int i = 0; i < FRAMES_MAX && frame >= low && frame <= top - 16 && frame % 8 == 0; i++) {
		const uint64_t *words = (const uint64_t *)frame;

		if (in_library(ops, words[1]))
			return words[1];
		if (words[0] <= frame)
			break;
		frame = words[0];
	}
	return 0;
}

/* What a callback did that is a fault. */
static void say_fault(char *to, size_t size, const struct sched_guard *g, const struct exo_regs *regs,
		      uint64_t address)
{
	uint64_t low = guard_stack_low(g);

	if (exception_is_page_fault(regs) && address < low && address >= low - EXO_PAGE_SIZE)
		format(to, size, "its stack is full, of %lu bytes", g->stack_top - low);
	else if (regs->rip == (uint64_t)foreign_masked)
		format(to, size, "a system call");
	else if (regs->vector == VECTOR_INVALID && libos_text_contains(regs->rip))
		format(to, size, "what it was given breaks its rule, see <libos/sched.h>");
	else
		exception_describe(to, size, regs, address);
}

void culprit_place(struct vcore *v, const struct exo_regs *regs, enum sched_exit_reason reason,
		   uint64_t address)
{
	const struct run_queue *q = &v->queue;
	const struct sched_ops *ops = (q->visited ? q->visited : q->instance)->ops;
	struct culprit *c = &culprits[v->cpu];
	uint64_t offset;

	c->fault[0] = 0;
	if (reason == SCHED_EXIT_FAULT)
		say_fault(c->fault, sizeof(c->fault), &q->guard, regs, address);
	c->at = regs->rip;
	c->from = sched_loaded_code(ops, regs->rip, &offset) ? 0 :
		find_caller(ops, regs, guard_stack_low(&q->guard), q->guard.stack_top);
}

/* Of a loaded library the address in its file, which addr2line takes; else the function, without what
 * the compiler has added to its name. */
static void print_address(const struct sched_ops *ops, uint64_t address)
{
	uint64_t offset = 0;
	const char *symbol = libos_text_contains(address) ? symbol_name(address, &offset) : NULL;
	char name[64];

	if (symbol) {
		string_copy(name, symbol, sizeof(name));
		for (char *at = name; *at; at++) {
			if (*at == '.') {
				*at = 0;
				break;
			}
		}
		log_print("%s()", name);
	} else if (sched_loaded_code(ops, address, &offset)) {
		log_print("0x%lx of the library", offset);
	} else {
		log_print("0x%lx", address);
	}
}

void culprit_print_place(const struct vcore *v, const struct sched_ops *ops)
{
	const struct culprit *c = &culprits[v->cpu];

	log_print("libos:   that is at ");
	print_address(ops, c->at);
	if (c->from) {
		log_print(", called at ");
		print_address(ops, c->from - 1); /* in the call, not behind it */
	}
	log_print("%s%s\n", c->fault[0] ? ": " : "", c->fault);
}
