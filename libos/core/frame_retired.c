/* SPDX-License-Identifier: MIT */
/* Frames that wait for a TLB epoch: see frame_retired.h. */
#include "core/frame_retired.h"

void retired_init(struct retired_frames *r)
{
	r->unused = r->first = r->last = NULL;
	r->count = 0;
	for (int i = 0; i < RETIRED_BATCHES; i++) {
		r->batches[i].next = r->unused;
		r->unused = &r->batches[i];
	}
}

static struct retired_batch *batch_append(struct retired_frames *r, exo_handle space)
{
	struct retired_batch *b = r->unused;

	if (!b)
		return NULL;
	r->unused = b->next;
	b->next = NULL;
	b->space = space;
	b->epoch = 0;
	b->count = 0;
	if (r->last)
		r->last->next = b;
	else
		r->first = b;
	r->last = b;
	return b;
}

/* Page by page retirements of one space, copies on write for example, share a batch.  Its epoch is
 * the latest of theirs, which can put the first off no longer than the batch takes to fill. */
size_t retired_put(struct retired_frames *r, exo_handle space, uint64_t epoch,
		   const uint64_t *frames, size_t n)
{
	struct retired_batch *b = r->last;
	size_t taken = 0;

	if (!b || b->space != space || b->count == RETIRED_BATCH_FRAMES)
		b = batch_append(r, space);
	if (!b)
		return 0;
	if (epoch > b->epoch)
		b->epoch = epoch;
	while (taken < n && b->count < RETIRED_BATCH_FRAMES)
		b->frames[b->count++] = (uint32_t)frames[taken++];
	r->count += taken;
	return taken;
}

size_t retired_forget(struct retired_frames *r, bool (*gone)(uint64_t frame))
{
	size_t n = 0;

	for (struct retired_batch *b = r->first; b; b = b->next) {
		uint32_t kept = 0;

		for (uint32_t i = 0; i < b->count; i++)
			if (!gone(b->frames[i]))
				b->frames[kept++] = b->frames[i];
		n += b->count - kept;
		b->count = kept;
	}
	r->count -= n;
	return n;
}

static void batch_release(struct retired_frames *r, struct retired_batch *b,
			  void (*put)(uint64_t frame))
{
	for (uint32_t i = 0; i < b->count; i++)
		put(b->frames[i]);
	r->count -= b->count;
	b->next = r->unused;
	r->unused = b;
}

/* One that has to wait is taken to speak for those of its space right behind it: asking costs a
 * kernel entry. */
void retired_reap(struct retired_frames *r, bool (*passed)(exo_handle space, uint64_t epoch),
		  void (*put)(uint64_t frame))
{
	struct retired_batch **link = &r->first, *b, *kept = NULL;

	while ((b = *link)) {
		if ((kept && kept->space == b->space) || !passed(b->space, b->epoch)) {
			kept = b;
			link = &b->next;
		} else {
			*link = b->next;
			batch_release(r, b, put);
		}
	}
	r->last = kept;
}
