/* SPDX-License-Identifier: MIT */
/*
 * Copy on write.
 *
 * If nothing else maps a frame, it is ours: the number of mappings only rises through a fork of
 * this space (which needs the mutex that we hold) or through whoever already maps it (there is
 * nobody).  Pages of files and of the libos count at least one mapping in the shared region, so
 * they are always copied.  Who has just ceased to map it may still read it, by a CPU that has not heard of
 * that: so the kernel lets nobody write there until it has (EBUSY, space_update).
 *
 * A copy comes in two steps, if other threads of the program may run meanwhile: it is mapped as what it
 * replaces was, to be read; and when every CPU has forgotten that, it may be written to.  Were it one step, a
 * thread on a CPU that finds the copy could write there, and be moved to one that has not heard of it, or
 * tell another thread there: which would read the old page, and not what has been written.
 *
 * Like fresh memory (anonymous.c), a program that writes page after page gets several at once.
 */
#include "vm/space.h"
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"
#include "proc/process.h"

#define COPY_PAGES (FILL_PAGES / 2)

static bool is_sole(uint64_t entry)
{
	return frame_maps(EXO_PTE_FRAME(entry)) == 1;
}

static bool waits_for_write(uint64_t entry)
{
	return (entry & (EXO_PTE_SOFT0 | EXO_PTE_WRITE | EXO_PTE_USER)) ==
	       (EXO_PTE_SOFT0 | EXO_PTE_USER);
}

/*
 * After a fork the kernel may let both spaces use one page table (exo/table_share.h), whose entries
 * then count once however many spaces have them.  Any change gives this space a table of its own:
 * here one that leaves the entry as it is.
 */
static int own_table(struct vm *v, const struct mapping *m, uint64_t va, uint64_t *epoch)
{
	struct exo_op op = { .code = EXO_OP_PROTECT, .flags = EXO_OP_KEEP_COW, .va = va, .count = 1,
			     .prot = mapping_present_prot(m) };

	return EXO_PDE(va) & EXO_PTE_WRITE ? 0 : space_update(v, &op, 1, epoch);
}

/* Pages from va on that are in the same case as the first, as far as they share its table; their
 * frames. */
static unsigned same_case(const struct mapping *m, uint64_t va, uint64_t entry, uint64_t *frames)
{
	unsigned n = 0, wanted = touched_below(m, va, EXO_PTE_WRITE) + 1;
	bool sole = is_sole(entry);

	do {
		frames[n++] = EXO_PTE_FRAME(entry);
		va += PAGE;
		entry = va < m->region.end && va % TABLE_SPAN ? EXO_PTE(va) : 0;
	} while (n < wanted && n < COPY_PAGES && waits_for_write(entry) && is_sole(entry) == sole);
	return n;
}

/* Maps copies of `n` pages: one operation for each run of frames that are neighbours. */
static unsigned make_ops(struct exo_op *ops, const uint64_t *to, const uint64_t *from, unsigned n,
			 uint64_t va, uint8_t prot)
{
	unsigned count = 0, run;

	for (unsigned i = 0; i < n; i += run) {
		for (run = 1; i + run < n && to[i + run] == to[i] + run &&
			      from[i + run] == from[i] + run; run++)
			;
		ops[count++] = (struct exo_op){ .code = EXO_OP_MAP,
						.flags = EXO_OP_REPLACE | EXO_OP_FILL,
						.prot = prot, .count = run, .va = va + i * PAGE,
						.frame = to[i], .source = from[i] };
	}
	return count;
}

/* How many have been copied, or an error. */
static int copy_run(struct vm *v, uint64_t va, const uint64_t *from, unsigned wanted, uint8_t prot,
		    uint64_t *epoch)
{
	struct exo_op ops[COPY_PAGES];
	uint64_t to[COPY_PAGES];
	unsigned n = take_frames(to, wanted);

	ASSERT_INVARIANT(n <= wanted);
	if (n == 0)
		return -ENOMEM;
	int r = space_update(v, ops, make_ops(ops, to, from, n, va, prot), epoch);

	for (unsigned i = 0; r < 0 && i < n; i++)
		if (frame_maps(to[i]) == 0)
			frame_free(to[i]);
	return r < 0 ? r : (int)n;
}

/* Is the calling task, which goes on in its program when the epoch has passed, all that runs in v?  Only it
 * could make another. */
static bool runs_alone(const struct vm *v)
{
	const struct process *p = current_process();

	return p && p->vm == v && __atomic_load_n(&p->task_count, __ATOMIC_RELAXED) == 1 &&
	       atomic_load_explicit(&v->references, memory_order_relaxed) == 1;
}

int copy_on_write(struct vm *v, const struct mapping *m, uint64_t va, uint64_t entry,
		  uint64_t *epoch)
{
	uint64_t frames[COPY_PAGES];
	int r = own_table(v, m, va, epoch);

	if (r < 0)
		return r;
	unsigned n = same_case(m, va, entry, frames);

	if (!is_sole(entry)) {
		uint8_t own = mapping_own_prot(m),
			shown = mapping_read_and_fetch(m) | EXO_PROT_SOFT0;
		bool alone = runs_alone(v);

		if (!v->first_copied)
			v->first_copied = va;
		r = copy_run(v, va, frames, n, alone ? own : shown, epoch);
		if (r < 0 || alone)
			return r < 0 ? r : 0;
		n = (unsigned)r;
		space_wait(v, *epoch);
		*epoch = 0;
	}
	return space_protect(v, va, va + n * PAGE, mapping_own_prot(m), 0, epoch);
}
