/* SPDX-License-Identifier: MIT */
/* The engine below poll and select; drivers use fs/poll.h. */
#ifndef LIBOS_POLL_WAIT_H
#define LIBOS_POLL_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct file;

struct poll_item {
	struct file *file; /* counted by the caller; NULL: never ready */
	uint32_t wanted;   /* POLLERR, POLLHUP and POLLNVAL are always reported */
	uint32_t ready;    /* out */
};

/* When to give up. */
struct poll_limit {
	bool at_once;         /* only look */
	uint64_t deadline_ns; /* monotonic; 0: never */
};

/* How many items are ready, -EINTR or -ENOMEM.  Task context, no lock held. */
long poll_items(struct poll_item *items, unsigned count, struct poll_limit limit);
/* From a relative timeout: milliseconds, negative = none. */
struct poll_limit poll_limit_ms(int timeout_ms);
/* From a struct timespec in the program, 0 = none.  0, -EFAULT or -EINVAL. */
int poll_limit_timespec(uint64_t user, struct poll_limit *limit);
uint64_t poll_time_left_ns(struct poll_limit limit);
/* Tells the program what is left of its timeout, a struct timespec at `user` or 0, as Linux does, so that an
 * interrupted call that is made again waits no longer than it was to.  Returns `result`, or -EINTR if it
 * cannot be told, and the call therefore not be made again. */
long poll_tell_time_left(uint64_t user, struct poll_limit limit, long result);

#endif
