/* SPDX-License-Identifier: MIT */
/* The ring of trace events: see ring.h. */
#include "trace/ring.h"

void trace_ring_reset(struct trace_ring *r, struct trace_slot *slots, uint64_t slot_count)
{
	r->slots = slots;
	r->slot_count = slot_count;
	for (uint64_t i = 0; i < slot_count; i++)
		atomic_store_explicit(&slots[i].sequence, 0, memory_order_relaxed);
	atomic_store_explicit(&r->next, 0, memory_order_release);
}

static struct trace_slot *slot_of(const struct trace_ring *r, uint64_t index)
{
	return &r->slots[index & (r->slot_count - 1)];
}

/*
 * Why a reader never takes half an event for a whole one: we clear the sequence before we touch the
 * words (the fence keeps that order), and set it after (release).  A reader loads the sequence
 * before the words (acquire) and again after them (its fence): if both are index + 1, no word of
 * another event can have been among those that it has read, since whoever sees one of our words
 * sees the cleared sequence too.
 *
 * Why an index is not written twice: the only one that can interrupt this CPU while it is masked is
 * the kernel's complaint that it is masked for too long (core/fault.c), which records that and
 * returns here.  Hence the one step that takes the index.
 */
static void write_at(struct trace_ring *r, uint64_t index, const uint64_t words[TRACE_WORDS])
{
	struct trace_slot *slot = slot_of(r, index);

	atomic_store_explicit(&slot->sequence, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (int i = 0; i < TRACE_WORDS; i++)
		atomic_store_explicit(&slot->words[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&slot->sequence, index + 1, memory_order_release);
}

void trace_ring_write(struct trace_ring *r, const uint64_t words[TRACE_WORDS])
{
	write_at(r, atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed), words);
}

/* What was left has the last index: whatever had come between would have been written after it. */
void trace_ring_mend(struct trace_ring *r, const uint64_t words[TRACE_WORDS])
{
	uint64_t next = atomic_load_explicit(&r->next, memory_order_relaxed);

	if (next > 0 &&
	    atomic_load_explicit(&slot_of(r, next - 1)->sequence, memory_order_relaxed) != next)
		write_at(r, next - 1, words);
}

enum trace_read trace_ring_read(const struct trace_ring *r, uint64_t index,
				uint64_t words[TRACE_WORDS])
{
	struct trace_slot *slot = slot_of(r, index);
	uint64_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire), after;

	for (int i = 0; i < TRACE_WORDS; i++)
		words[i] = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	after = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
	if (before == index + 1 && after == index + 1)
		return TRACE_READ_DONE;
	return trace_ring_oldest(r) > index ? TRACE_READ_OVERWRITTEN : TRACE_READ_NOTHING;
}

uint64_t trace_ring_oldest(const struct trace_ring *r)
{
	uint64_t next = atomic_load_explicit(&r->next, memory_order_acquire);

	return next > r->slot_count ? next - r->slot_count : 0;
}
