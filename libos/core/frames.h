/* SPDX-License-Identifier: MIT */
/* What start-up and the heap need of the frame allocator, beside core/memory.h. */
#ifndef LIBOS_FRAMES_H
#define LIBOS_FRAMES_H

#include <exo/abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exo_info;

/* Once, on the boot CPU, before anything allocates. */
void frames_init(const struct exo_info *info);
/* Has the epoch of an update of this space passed? */
bool frames_epoch_passed(exo_handle space, uint64_t epoch);
/* frame_alloc() without asking the heap to give back pages: for the heap itself. */
uint64_t frame_take(void);
/* Some of the `wanted` frames, all if there are as many at hand: how many.  0 does not say that there are
 * none: ask frame_alloc() then.  Any context. */
size_t frames_take(uint64_t *frames, size_t wanted);

/*
 * exo_space_create() and exo_space_feed() that wait while the kernel answers EAGAIN: it takes no frame
 * for itself that a TLB may still hold.  A frame that was shared by two spaces is freed when the epoch
 * of the second has passed; that of the first may not have, on another CPU.  The kernel reminds that
 * CPU, which acknowledges on an interrupt even where upcalls are masked: so waiting ends, whatever
 * the caller holds.  Any context.
 */
int64_t frames_into_space(uint64_t object, uint64_t root);
int64_t frames_into_tables(exo_handle space, const uint64_t *frames, size_t count);

/* At start-up: maps so many pages at va with the first frames of the first ranges that the domain was given.
 * Returns in which range the others begin, and what is left of that one. */
uint64_t frame_bitmap_map(const struct exo_info *info, uint64_t va, size_t pages, struct exo_range *left);

/* How many of the frames are page tables now, of any address space.  Slow, any context. */
uint64_t frames_tables_count(void);
void frames_tables_init(void); /* once, after frames_init() */

/* Frames in a row, for what wants to name many of them in few words: up to max, the longest run there
 * is; 0: there is none.  Any context. */
uint64_t frames_take_run(uint64_t max, uint64_t *first);
void frames_put_run(uint64_t first, uint64_t count);
/* What CPUs have in their caches becomes runs as well. */
void frames_gather(void);

/*
 * For domains that another has made, which gives them memory and takes it back (domain/pressure.h).
 *
 * at_risk     set for good once it is announced that frames will be taken: free ones may be lost
 * add         these have been given to us; how many were, and were not known to be.  Any context
 * forget_lost how many free frames are not ours any more: they are not free any more.  Task context
 */
extern _Atomic bool frames_at_risk;
uint64_t frames_add(uint64_t first, uint64_t count);
uint64_t frames_forget_lost(void);

/*
 * Run ops on the shared region, feeding it page-table frames as it asks for them.
 * Frames freed by UNMAP are retired.  0, -ENOMEM, or the kernel's error.  Any context.
 */
int shared_update(const struct exo_op *ops, size_t count);

#endif
