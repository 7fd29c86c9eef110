/* SPDX-License-Identifier: MIT */
/* The frames of a child domain: see memory.h. */
#include "domain/memory.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/frames.h"
#include "core/memory.h"
#include "core/wait.h"
#include "time/timespec.h"

/* For what another CPU still has to do: to take a scheduling context out of its tree, to flush. */
#define LOOK_NS 1000000ul
#define LOOKS_MAX 2000u
#define RUN_FRAMES (1ul << 18) /* so that what is kept of a run fits the heap */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void domain_memory_init(struct domain_memory *m)
{
	list_init(&m->runs);
}

/* The longest run up to `most` frames, added; or 0. */
static uint64_t take_run(struct domain_memory *m, uint64_t most)
{
	uint64_t first, n = frames_take_run(least(most, RUN_FRAMES), &first);
	struct domain_run *r;

	if (n == 0)
		return 0;
	r = heap_alloc(sizeof(*r) + (n + 63) / 64 * sizeof(r->back[0]));
	if (!r) {
		frames_put_run(first, n);
		return 0;
	}
	r->first = first;
	r->count = n;
	list_push_back(&m->runs, &r->link);
	return n;
}

static void drop_run(struct domain_run *r)
{
	list_remove(&r->link);
	heap_free(r);
}

int domain_memory_take(struct domain_memory *m, uint64_t frames, unsigned runs_max)
{
	struct list *last = m->runs.prev;

	for (unsigned runs = 0; frames > 0 && runs < runs_max; runs++) {
		uint64_t n = take_run(m, frames);

		if (n == 0)
			break;
		frames -= n;
	}
	if (frames == 0)
		return 0;
	while (m->runs.prev != last) {
		struct domain_run *r = domain_run_of(m->runs.prev);

		frames_put_run(r->first, r->count);
		drop_run(r);
	}
	return -ENOMEM;
}

uint64_t domain_memory_some(struct domain_memory *m, uint64_t most, uint64_t *first)
{
	list_for_each(link, &m->runs) {
		struct domain_run *r = domain_run_of(link);
		uint64_t n = least(r->count - r->used, most);

		if (n == 0)
			continue;
		*first = r->first + r->used;
		r->used += n;
		return n;
	}
	return 0;
}

uint64_t domain_memory_row(struct domain_memory *m, uint64_t count)
{
	list_for_each(link, &m->runs) {
		struct domain_run *r = domain_run_of(link);

		if (r->count - r->used < count)
			continue;
		r->used += count;
		return r->first + r->used - count;
	}
	return 0;
}

/* Is it ours again, and nobody's use of it left? */
static bool is_back(uint64_t frame)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;
	struct exo_frame_info f = domain_frame(frame);

	return f.owner == info->domain_id && f.type == EXO_FRAME_USER && f.maps == 0 && f.pins == 0;
}

uint64_t domain_memory_collect(struct domain_memory *m)
{
	uint64_t n = 0;

	list_for_each(link, &m->runs) {
		struct domain_run *r = domain_run_of(link);

		for (uint64_t i = r->memory; i < r->count; i++) {
			if (!domain_run_has(r, i) || !is_back(r->first + i))
				continue;
			r->back[i / 64] |= 1ul << (i % 64);
			frames_put_run(r->first + i, 1);
			n++;
		}
	}
	return n;
}

static bool comes_back(uint64_t frame, unsigned *looks)
{
	while (!is_back(frame)) {
		if (++*looks > LOOKS_MAX)
			return false;
		wait_until(deadline_after(LOOK_NS));
	}
	return true;
}

uint64_t domain_memory_return(struct domain_memory *m)
{
	uint64_t lost = 0;
	unsigned looks = 0;

	while (!list_empty(&m->runs)) {
		struct domain_run *r = domain_run_of(m->runs.next);

		for (uint64_t i = 0; i < r->count; i++) {
			if (!domain_run_has(r, i))
				continue;
			if (comes_back(r->first + i, &looks))
				frames_put_run(r->first + i, 1);
			else
				lost++;
		}
		drop_run(r);
	}
	return lost;
}
