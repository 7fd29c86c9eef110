/* SPDX-License-Identifier: MIT */
/*
 * What a task has to do before it runs program code again.  Its caller looks at task->work again
 * afterwards, masked, until nothing is left.
 *
 * The order: a task that must end does nothing else; one that must stop stops before it decides
 * what signals do to its system call, because the signal that continues it may have a handler.
 */
#include "core/task.h"
#include "proc/process.h"
#include "proc/signal.h"

void task_work(void)
{
	uint32_t work = atomic_load_explicit(&current()->work, memory_order_acquire);

	if (work & WORK_EXIT)
		task_exit_self(0);
	if (work & WORK_STOP)
		process_stop_self();
	else if (work & WORK_SIGNAL)
		signal_deliver();
}
