/* SPDX-License-Identifier: MIT */
/*
 * Pages of zeros for memory without a file.
 *
 * A fault costs several times what clearing a page costs, so a program that touches page after
 * page gets several at once: as many as it has touched in a row below this one, at most
 * FILL_PAGES.  So the run doubles while the program goes on, a program that jumps about gets single
 * pages, and none gets more than twice what it has used in a row.  When memory
 * is short, nobody gets more than one.
 */
#include "vm/space.h"
#include "abi/errno.h"
#include "core/frames.h"
#include "core/memory.h"

unsigned touched_below(const struct mapping *m, uint64_t va, uint64_t bits)
{
	unsigned n = 0;

	for (; n < FILL_PAGES && va > m->region.start; n++, va -= PAGE) {
		/* A table is looked for once. */
		if ((n == 0 || va % TABLE_SPAN == 0) && !space_has_table(va - PAGE))
			break;
		if (!(EXO_PTE(va - PAGE) & bits))
			break;
	}
	return n;
}

/* Pages from va on that are absent, at most `most`; va itself is. */
static unsigned absent_from(const struct mapping *m, uint64_t va, unsigned most)
{
	bool has_table = space_has_table(va);
	unsigned n = 1;

	for (va += PAGE; n < most && va < m->region.end; n++, va += PAGE) {
		if (va % TABLE_SPAN == 0)
			has_table = space_has_table(va);
		if (has_table && EXO_PTE(va))
			break;
	}
	return n;
}

unsigned take_frames(uint64_t *frames, unsigned wanted)
{
	unsigned n = (unsigned)frames_take(frames, wanted);

	if (n == 0 && (frames[0] = frame_take_or_spare()) != 0)
		n = 1;
	return n;
}

/* One operation for each run of neighbouring frames. */
static unsigned make_ops(struct exo_op *ops, const uint64_t *frames, unsigned n, uint64_t va,
			 uint8_t prot)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n;) {
		unsigned run = 1;

		while (i + run < n && frames[i + run] == frames[i] + run)
			run++;
		ops[count++] = (struct exo_op){ .code = EXO_OP_MAP, .flags = EXO_OP_CLEAR, .prot = prot,
						.count = run, .va = va + i * PAGE,
						.frame = frames[i] };
		i += run;
	}
	return count;
}

/* Maps as much as there is memory for; an error only if that is not even one page. */
int anonymous_fill(struct vm *v, const struct mapping *m, uint64_t va)
{
	struct exo_op ops[FILL_PAGES];
	uint64_t frames[FILL_PAGES], epoch = 0;
	unsigned below = touched_below(m, va, EXO_PTE_PRESENT);
	unsigned wanted = absent_from(m, va, below < FILL_PAGES ? below + 1 : FILL_PAGES);
	unsigned n, mapped = 0;

	/* What nobody has asked for yet is not made of the last there are: who can do without them knows. */
	if (frames_are_few())
		wanted = 1;
	n = take_frames(frames, wanted);
	if (n == 0)
		return -ENOMEM;
	int r = space_update(v, ops, make_ops(ops, frames, n, va, mapping_entry_prot(m)), &epoch);

	for (unsigned i = 0; i < n; i++) {
		if (r == 0 || frame_maps(frames[i]) != 0)
			mapped++;
		else
			frame_free(frames[i]);
	}
	space_add_resident(v, mapped);
	return mapped ? 0 : r;
}
