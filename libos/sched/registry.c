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

bool sched_ops_ok(const struct sched_ops *ops)
{
	bool all = ops->enqueue && ops->dequeue && ops->pick;
	bool none = !ops->enqueue && !ops->dequeue && !ops->pick;

	return ops->abi <= SCHED_ABI && ops->task_size <= SCHED_TASK_SIZE_MAX &&
	       ops->cpu_size <= SCHED_CPU_SIZE_MAX && (all || none);
}
