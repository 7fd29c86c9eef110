/* SPDX-License-Identifier: MIT */
/* The scheduler libraries that there are: the built-in FIFO, those linked in, those loaded. */
#include "core/string.h"
#include "sched/library.h"
#include "sched/load.h"

extern const struct sched_ops *const libos_sched_libraries_start[];
extern const struct sched_ops *const libos_sched_libraries_end[];

const struct sched_ops *sched_library(unsigned index)
{
	unsigned linked = (unsigned)(libos_sched_libraries_end - libos_sched_libraries_start);

	if (index == 0)
		return &sched_fifo_ops;
	index--;
	return index < linked ? libos_sched_libraries_start[index] : sched_loaded(index - linked);
}

const struct sched_ops *library_find(const char *name)
{
	const struct sched_ops *ops;

	for (unsigned i = 0; (ops = sched_loaded(i)); i++)
		if (strcmp(ops->name, name) == 0)
			return ops;
	for (unsigned i = 0; (ops = sched_library(i)); i++)
		if (strcmp(ops->name, name) == 0)
			return ops;
	return NULL;
}

const char *sched_ops_wrong(const struct sched_ops *ops)
{
	bool some = ops->enqueue || ops->dequeue || ops->pick;

	if (ops->abi > SCHED_ABI)
		return "it was made for a later version of <libos/sched.h>";
	if (ops->flags & ~(uint32_t)SCHED_FLAGS)
		return "its flags have a bit that is none of <libos/sched.h>'s";
	if (ops->task_size > SCHED_TASK_SIZE_MAX)
		return "its task_size is more than SCHED_TASK_SIZE_MAX";
	if (ops->cpu_size > SCHED_CPU_SIZE_MAX)
		return "its cpu_size is more than SCHED_CPU_SIZE_MAX";
	if (some && !ops->enqueue)
		return "it has no enqueue(), which is given together with dequeue() and pick()";
	if (some && !ops->dequeue)
		return "it has no dequeue(), which is given together with enqueue() and pick()";
	if (some && !ops->pick)
		return "it has no pick(), which is given together with enqueue() and dequeue()";
	return NULL;
}
