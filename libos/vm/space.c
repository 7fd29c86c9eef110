/* SPDX-License-Identifier: MIT */
/* Page tables of an address space: changed through the kernel, read through the window. */
#include "vm/space.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/memory.h"
#include "core/task.h"

#define FREED_ROOM 64
/* Page-table frames fed at a time: a fresh region needs up to three, and a process has two of them, of its
 * program and of its stack. */
#define TABLE_STOCK 6

static int feed(struct vm *v)
{
	uint64_t frames[TABLE_STOCK];
	unsigned n = 0;

	while (n < TABLE_STOCK && (frames[n] = frame_alloc()) != 0)
		n++;
	if (n == 0 && (frames[0] = frame_take_or_spare()) != 0)
		n = 1;
	if (n == 0)
		return -ENOMEM;
	int64_t r = frames_into_tables(v->space, frames, n);

	for (unsigned i = 0; r < 0 && i < n; i++)
		frame_free(frames[i]);
	if (r == 0)
		v->tables += n;
	return r == -EPERM ? 0 : (int)r; /* one of them has just been taken back: it is asked again */
}

int space_update(struct vm *v, const struct exo_op *ops, unsigned count, uint64_t *epoch)
{
	uint64_t freed[FREED_ROOM];
	struct exo_update u = {
		.ops = (uint64_t)ops, .op_count = count,
		.freed = (uint64_t)freed, .freed_max = FREED_ROOM,
	};

	v->known_table = 0;
	for (;;) {
		u.freed_count = 0;
		int64_t r = exo_update(v->space, &u);

		frames_retire(v->space, u.epoch, freed, u.freed_count);
		if (u.epoch > *epoch)
			*epoch = u.epoch;
		if (r == -ENOMEM)
			r = feed(v) ? -ENOMEM : 1;
		if (r == -EBUSY) {
			/* Another space has given up a page or a table, and a CPU there has not heard of
			 * it yet, to which it would show what comes there, or is written. */
			task_yield();
			r = 1;
		}
		if (r != 1)
			return (int)r;
	}
}

int space_protect_again(struct vm *v, uint64_t start, uint64_t end, unsigned prot, unsigned flags,
			int64_t said, uint64_t *epoch)
{
	struct exo_op op = { .code = EXO_OP_PROTECT, .flags = (uint16_t)flags, .prot = (uint8_t)prot,
			     .va = start, .count = (uint32_t)((end - start) / PAGE) };

	while (said == -EAGAIN || said == -EBUSY)
		said = space_update(v, &op, 1, epoch);
	if (said > (int64_t)*epoch)
		*epoch = (uint64_t)said;
	return said < 0 ? (int)said : 0;
}

/* The other CPUs acknowledge on an interrupt, within microseconds: not worth a sleep, but worth
 * letting another task run if there is one. */
void space_wait(struct vm *v, uint64_t epoch)
{
	while (epoch && exo_tlb_poll(v->space, epoch, 0) == 0)
		task_yield();
}

/* Is entry `index` of those at `first` present?  One instruction, which the compiler does not make of a
 * volatile load. */
static inline bool is_present(const char *first, uint64_t index)
{
	bool present;

	__asm__ volatile("testb %2, %1"
			 : "=@ccnz"(present)
			 : "m"(((const uint64_t *)first)[index]), "i"(EXO_PTE_PRESENT));
	return present;
}

/* The window shows an entry only if the tables above it exist, hence from the top down. */
bool space_has_table(uint64_t va)
{
	const char *window = (const char *)&EXO_PML4E(0);

	/* Programs' addresses have no bits above the first index: the next ones are the others' tails. */
	__asm__("" : "+r"(window));
	return is_present(window, va >> 39) &&
	       is_present(window + ((const char *)&EXO_PDPTE(0) - (const char *)&EXO_PML4E(0)), va >> 30) &&
	       is_present(window + ((const char *)&EXO_PDE(0) - (const char *)&EXO_PML4E(0)), va >> 21);
}

uint64_t space_entry(uint64_t va)
{
	return space_has_table(va) ? EXO_PTE(va) : 0;
}

static uint64_t skip(uint64_t va, unsigned shift)
{
	return ((va >> shift) + 1) << shift;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Within one table the entries of neighbouring pages lie side by side in the window.  If the first is
 * empty most are, as in a thread's stack: eight at once. */
static uint64_t next_in_table(uint64_t va, uint64_t end)
{
	const volatile uint64_t *first = &EXO_PTE(va), *last = first + (end - va) / PAGE, *e = first;

	while (e + 8 <= last && !(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]))
		e += 8;
	while (e < last && !*e)
		e++;
	return va + (uint64_t)(e - first) * PAGE;
}

uint64_t space_next_present(uint64_t va, uint64_t end)
{
	while (va < end) {
		if (!(EXO_PML4E(va) & EXO_PTE_PRESENT)) {
			va = skip(va, 39);
		} else if (!(EXO_PDPTE(va) & EXO_PTE_PRESENT)) {
			va = skip(va, 30);
		} else if (!(EXO_PDE(va) & EXO_PTE_PRESENT)) {
			va = skip(va, 21);
		} else if (EXO_PTE(va)) {
			return va;
		} else {
			uint64_t stop = least(skip(va, 21), end);

			va = next_in_table(va, stop);
			if (va < stop)
				return va;
		}
	}
	return end;
}

/* How many pages of [va, end) are present; the first has an entry. */
static uint64_t count_present(uint64_t va, uint64_t end)
{
	uint64_t count = 0;

	do {
		uint64_t stop = least(skip(va, 21), end);
		const volatile uint64_t *entry = &EXO_PTE(va), *last = entry + (stop - va) / PAGE;

		for (; entry < last; entry++)
			count += *entry & EXO_PTE_PRESENT;
		va = space_next_present(stop, end);
	} while (va < end);
	return count;
}

void space_add_resident(struct vm *v, uint64_t pages)
{
	v->resident += pages;
	if (v->resident > v->resident_peak)
		v->resident_peak = v->resident;
}

int space_unmap(struct vm *v, uint64_t start, uint64_t end, uint64_t *epoch)
{
	int r = 0;

	/* A range may be longer than the count of an operation can say. */
	while (r == 0 && (start = space_next_present(start, end)) < end) {
		uint64_t stop = least(start + VM_LENGTH_MAX, end), present = count_present(start, stop);
		struct exo_op op = { .code = EXO_OP_UNMAP, .va = start,
				     .count = (uint32_t)((stop - start) / PAGE) };

		r = space_update(v, &op, 1, epoch);
		if (r == 0)
			v->resident -= present;
		start = stop;
	}
	return r;
}
