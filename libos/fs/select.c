/* SPDX-License-Identifier: MIT */
/* select and pselect6: bit sets of descriptors over the engine of poll. */
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/poll_wait.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/timespec.h"

#define SET_BITS 64

/* What select(2) says each set means in terms of poll's events. */
#define IN_EVENTS (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define OUT_EVENTS (POLLWRNORM | POLLWRBAND | POLLOUT | POLLERR)
#define EXCEPT_EVENTS POLLPRI

enum set { SET_IN, SET_OUT, SET_EXCEPT, SETS };
static const uint32_t set_events[SETS] = { IN_EVENTS, OUT_EVENTS, EXCEPT_EVENTS };

/* One call: the sets as the program gave them, and as they go back. */
struct selection {
	unsigned count; /* descriptors looked at */
	size_t bytes;   /* of one set */
	uint64_t user[SETS];
	uint64_t *given[SETS], *result[SETS];
	struct poll_item *items; /* one per descriptor */
};

/*
 * How many descriptors are looked at.  As on Linux those that the table has no room for are not: a program
 * may give its limit for their number, and sets that are smaller, but hold all that it has ever opened.
 */
static unsigned count_looked_at(int count)
{
	unsigned most = file_table_capacity(current_process()->files);

	/* A set has this many at least, and then what is closed is EBADF. */
	if (most < SET_BITS)
		most = SET_BITS;
	return (unsigned)count < most ? (unsigned)count : most;
}

static bool in_set(const uint64_t *set, unsigned fd)
{
	return set[fd / SET_BITS] >> fd % SET_BITS & 1;
}

static int open_items(struct selection *s)
{
	for (unsigned fd = 0; fd < s->count; fd++) {
		struct poll_item *item = &s->items[fd];

		for (int set = 0; set < SETS; set++)
			if (in_set(s->given[set], fd))
				item->wanted |= set_events[set];
		if (!item->wanted)
			continue;
		item->file = fd_get((int)fd);
		if (!item->file)
			return -EBADF;
	}
	return 0;
}

static long collect(struct selection *s)
{
	long bits = 0;

	for (unsigned fd = 0; fd < s->count; fd++)
		for (int set = 0; set < SETS; set++)
			if (in_set(s->given[set], fd) && (s->items[fd].ready & set_events[set])) {
				s->result[set][fd / SET_BITS] |= 1ul << fd % SET_BITS;
				bits++;
			}
	return bits;
}

static long select_items(struct selection *s, struct poll_limit limit)
{
	long ready;

	for (int set = 0; set < SETS; set++)
		if (s->user[set] && copy_from_user(s->given[set], s->user[set], s->bytes))
			return -EFAULT;
	ready = open_items(s);
	if (ready == 0)
		ready = poll_items(s->items, s->count, limit);
	if (ready >= 0)
		ready = collect(s);
	for (unsigned fd = 0; fd < s->count; fd++)
		if (s->items[fd].file)
			file_put(s->items[fd].file);
	if (ready == -EINTR)
		return -ERESTARTNOHAND;
	for (int set = 0; set < SETS && ready >= 0; set++)
		if (s->user[set] && copy_to_user(s->user[set], s->result[set], s->bytes))
			return -EFAULT;
	return ready;
}

static long select_call(int count, const uint64_t user[SETS], struct poll_limit limit)
{
	struct selection s = { 0 };
	uint64_t *sets;
	long result = -ENOMEM;

	if (count < 0)
		return -EINVAL;
	s.count = count_looked_at(count);
	s.bytes = (s.count + SET_BITS - 1) / SET_BITS * sizeof(uint64_t);
	memcpy(s.user, user, sizeof(s.user));
	sets = heap_alloc(2 * SETS * s.bytes + 8);
	s.items = heap_alloc(s.count * sizeof(*s.items) + 8);
	if (sets && s.items) {
		for (int set = 0; set < SETS; set++) {
			s.given[set] = sets + set * (s.bytes / 8);
			s.result[set] = sets + (SETS + set) * (s.bytes / 8);
		}
		result = select_items(&s, limit);
	}
	heap_free(sets);
	heap_free(s.items);
	return result;
}

long sys_select(int count, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout)
{
	const uint64_t user[SETS] = { in, out, except };
	struct poll_limit limit = { 0 };
	struct linux_timeval tv;
	uint64_t left;
	long result;

	if (timeout) {
		if (copy_from_user(&tv, timeout, sizeof(tv)))
			return -EFAULT;
		if (tv.seconds < 0 || tv.microseconds < 0)
			return -EINVAL;
		limit.at_once = tv.seconds == 0 && tv.microseconds == 0;
		if (__builtin_mul_overflow((uint64_t)tv.seconds, NS_PER_SECOND, &left) ||
		    __builtin_add_overflow(left, (uint64_t)tv.microseconds * 1000, &left))
			left = TIME_NEVER_NS;
		limit.deadline_ns = deadline_after(left < TIME_NEVER_NS ? left : TIME_NEVER_NS);
	}
	result = select_call(count, user, limit);
	/* As poll_tell_time_left(). */
	if (timeout && !limit.at_once) {
		left = poll_time_left_ns(limit);
		tv.seconds = (int64_t)(left / NS_PER_SECOND);
		tv.microseconds = (int64_t)(left % NS_PER_SECOND / 1000);
		if (copy_to_user(timeout, &tv, sizeof(tv)) && result == -ERESTARTNOHAND)
			result = -EINTR;
	}
	return result;
}

long sys_pselect6(int count, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout,
		  uint64_t mask)
{
	const uint64_t user[SETS] = { in, out, except };
	struct { uint64_t address, size; } pointer = { 0, 0 };
	struct poll_limit limit;
	long result = poll_limit_timespec(timeout, &limit);

	if (result)
		return result;
	if (mask && copy_from_user(&pointer, mask, sizeof(pointer)))
		return -EFAULT;
	result = signal_mask_replace_by(pointer.address, pointer.size);
	if (result)
		return result;
	result = poll_tell_time_left(timeout, limit, select_call(count, user, limit));
	return signal_mask_restore_after(pointer.address, result);
}
