/* SPDX-License-Identifier: MIT */
/* What the rest of vm/ has to know of System V's shared memory (vm/segment.c). */
#ifndef LIBOS_VM_SEGMENT_H
#define LIBOS_VM_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct segment;

/* Somebody drops one of the references of a segment's memory, which has so many.  true: it was the last. */
bool segment_let_go(struct segment *g, _Atomic uint32_t *references);

#endif
