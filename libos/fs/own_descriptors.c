/* SPDX-License-Identifier: MIT */
/* Descriptors that a task alone can use: see own_descriptors.h. */
#include "fs/own_descriptors.h"
#include "abi/syscall.h"

void own_descriptors_remember(struct own_descriptors *own, struct file **files, unsigned capacity)
{
	if (atomic_load_explicit(&calls_are_traced, memory_order_relaxed))
		return;
	own->files = files;
	atomic_store(&own->capacity, capacity);
	if (atomic_load(&calls_are_traced))
		atomic_store_explicit(&own->capacity, 0, memory_order_relaxed);
}

void own_descriptors_forget(struct own_descriptors *own)
{
	atomic_store(&own->capacity, 0);
}
