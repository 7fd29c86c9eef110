/* SPDX-License-Identifier: MIT */
/* Tasks: making and ending them. */
#include "core/task.h"
#include "core/cpu.h"
#include "core/entry.h"
#include "core/event.h"
#include "core/log.h"
#include "core/string.h"
#include "core/switch.h"
#include "core/task_slot.h"
#include "core/task_state.h"
#include "core/task_table.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "debug/inject.h"
#include "proc/process.h"
#include "trace/trace.h"
#include "vm/vm.h"

void task_put(struct task *t)
{
	task_put_all(t, 1);
}

void task_put_all(struct task *t, unsigned count)
{
	if (!task_table_put(t, count))
		return;
	/* The existing task itself held a reference until its stack had been left. */
	ASSERT_INVARIANT(!atomic_load(&t->on_cpu));
	task_slot_free(t);
}

static void copy_name(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (n > size - 1)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = 0;
}

struct task *task_create(struct process *p, void (*entry)(void *), void *argument, const char *name)
{
	struct task *t = fault_injected(FAULT_TASK) ? NULL : task_slot_alloc();

	if (!t)
		return NULL;
	t->process = p;
	t->space = p ? vm_space(p->vm) : 0;
	t->state = TASK_BLOCKED;
	t->where = PLACE_NONE;
	t->home = this_vcore()->cpu;
	t->start_tsc = rdtsc();
	t->mxcsr = MXCSR_INITIAL;
	t->x87_control = X87_CONTROL_INITIAL;
	t->affinity = ~0ul;
	if (!p) /* a program's registers are put there as a whole by whoever makes the task */
		*t->frame = (struct exo_regs){ .cs = USER_CODE_SELECTOR,
					       .ss = USER_DATA_SELECTOR,
					       .rflags = USER_FLAGS_INITIAL };
	lock_init(&t->lock, "task", RANK_TASK);
	list_init(&t->ready_link);
	list_init(&t->signal_queue);
	list_init(&t->thread_link);
	if (name)
		copy_name(t->name, name, sizeof(t->name));
	context_make(t, (uint64_t)t->frame, switch_to_new, (uint64_t)entry, (uint64_t)argument);
	if (!task_table_insert(t)) {
		task_slot_free(t);
		return NULL;
	}
	return t;
}

/* First code of a task, masked: from switch_to_new. */
_Noreturn void task_begin(void (*entry)(void *), void *argument)
{
	upcalls_unmask();
	entry(argument);
	libos_panic("task %u (%s): its function returned", current()->self.id, current()->name);
}

_Noreturn void task_exit(void)
{
	upcalls_mask();
	task_set_state(current(), TASK_ZOMBIE);
	switch_away(SCHED_YIELDED);
	libos_panic("an ended task runs");
}

/* Not in place: who yields to nobody (sys_sched_yield) would save registers for it. */
__attribute__((noinline)) void task_yield(void)
{
	upcalls_mask();
	switch_away(SCHED_YIELDED);
	upcalls_unmask();
}
