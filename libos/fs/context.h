/* SPDX-License-Identifier: MIT */
/* Where a process stands in the tree, for a look: see context.c. */
#ifndef LIBOS_CONTEXT_H
#define LIBOS_CONTEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/lock.h"
#include "fs/path.h"
#include "proc/process.h"

/*
 * The root, or the working directory, for as long as the current call lasts.  It need not be counted if the
 * only task of the only process that uses the context asks, as that is the only one that could replace it.
 */
static inline __attribute__((always_inline)) struct inode *context_look(bool root, bool *counted)
{
	struct process *p = current_process();
	struct fs_context *c = p->fs;

	*counted = atomic_load_explicit(&c->references, memory_order_relaxed) != 1 || p->task_count != 1;
	if (*counted)
		return root ? fs_context_root(c) : fs_context_directory(c);
	return root ? c->root : c->directory;
}

#endif
