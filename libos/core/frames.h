/* SPDX-License-Identifier: MIT */
/* What start-up and the heap need of the frame allocator, beside core/memory.h. */
#ifndef LIBOS_FRAMES_H
#define LIBOS_FRAMES_H

#include <exo/abi.h>
#include <stddef.h>
#include <stdint.h>

struct exo_info;

/* Once, on the boot CPU, before anything allocates. */
void frames_init(const struct exo_info *info);
/* frame_alloc() without asking the heap to give back pages: for the heap itself. */
uint64_t frame_take(void);

/*
 * Run ops on the shared region, feeding it page-table frames as it asks for them.
 * Frames freed by UNMAP are retired.  0, -ENOMEM, or the kernel's error.  Any context.
 */
int shared_update(const struct exo_op *ops, size_t count);

#endif
