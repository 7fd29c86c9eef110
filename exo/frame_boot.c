/* SPDX-License-Identifier: MIT */
/*
 * The frame table's beginnings.  What the loader says about memory becomes the words of the frames;
 * from then on they are the only book that is kept, and what boots takes FREE frames out of it.
 */
#include "kernel.h"
#include "boot_info.h"

#define PHYSICAL_END (PHYSMAP_END - PHYSMAP_BASE)

/* Whole frames [first, end). */
struct range { uint64_t first, end; };

/* What is not RAM, or in use.  They may overlap each other and RAM. */
static struct range taken[MULTIBOOT2_RANGES_MAX + MULTIBOOT2_MODULES_MAX + 4];
static unsigned taken_count;

extern char kernel_phys_start[], kernel_phys_end[];

static uint64_t frame_above(uint64_t address)
{
	return (address + EXO_PAGE_SIZE - 1) >> EXO_PAGE_SHIFT;
}

/* [start, end), bytes */
static void take(uint64_t start, uint64_t end)
{
	taken[taken_count++] = (struct range){ start >> EXO_PAGE_SHIFT, frame_above(end) };
}

/* The whole frames of RAM in a range of the loader's map; there may be none. */
static struct range ram_in(const struct multiboot2_range *r)
{
	uint64_t end = r->type == MULTIBOOT2_MEMORY_RAM ? min(r->base + r->size, PHYSICAL_END) : 0;

	return (struct range){ frame_above(r->base), end >> EXO_PAGE_SHIFT };
}

/* The first place for the table itself: in one piece, where nothing else is. */
static struct range find_room(const struct multiboot2_info *loader, uint64_t frames)
{
	for (unsigned i = 0; i < loader->range_count; i++) {
		struct range ram = ram_in(&loader->ranges[i]);

		for (unsigned t = 0; t < taken_count; t++)
			if (ram.first < taken[t].end && ram.first + frames > taken[t].first) {
				ram.first = taken[t].end;
				t = -1u; /* it may overlap an earlier one now */
			}
		if (ram.first + frames <= ram.end)
			return (struct range){ ram.first, ram.first + frames };
	}
	panic("not enough memory for the frame table");
}

/* Of those frames of the range that are RAM. */
static void set_type(struct range frames, enum exo_frame_type type)
{
	for (uint64_t frame = frames.first; frame < min(frames.end, frame_end); frame++)
		if (frame_is_ram(frame))
			frame_assign(frame, frame + 1, 0, type);
}

void frame_table_init(const struct multiboot2_info *loader, uint64_t at, uint64_t size)
{
	struct range table;
	uint64_t words;

	take(0, MACHINE_FRAMES_END << EXO_PAGE_SHIFT);
	take((uint64_t)kernel_phys_start, (uint64_t)kernel_phys_end);
	take(at, at + size);
	for (unsigned i = 0; i < loader->module_count; i++)
		take(loader->modules[i].start, loader->modules[i].end);
	for (unsigned i = 0; i < loader->range_count; i++) {
		const struct multiboot2_range *r = &loader->ranges[i];
		struct range ram = ram_in(r);

		if (r->type != MULTIBOOT2_MEMORY_RAM && r->base < PHYSICAL_END)
			take(r->base, r->base + r->size);
		if (ram.first < ram.end && ram.end > frame_end)
			frame_end = ram.end;
	}
	words = frame_above(frame_end * sizeof(uint64_t));
	table = find_room(loader, 2 * words); /* the other half is frame_private */
	if (table.end << EXO_PAGE_SHIFT > EARLY_MAP_END)
		panic("not enough memory below 4 GiB for the frame table");
	for (uint64_t frame = table.first; frame < table.end; frame++)
		frame_zero(frame);
	frame_table_place(table.first, words);

	for (unsigned i = 0; i < loader->range_count; i++) {
		struct range ram = ram_in(&loader->ranges[i]);

		frame_assign(ram.first, ram.end, 0, EXO_FRAME_FREE);
	}
	for (unsigned i = 0; i < taken_count; i++)
		set_type(taken[i], EXO_FRAME_KERNEL);
	set_type(table, EXO_FRAME_KERNEL);
	set_type((struct range){ table.first, table.first + words }, EXO_FRAME_PINNED);
}

uint64_t frame_take(uint16_t owner, enum exo_frame_type type)
{
	/* From where it began on nothing before it is FREE.  The physmap has the first 2 MiB in small pages,
	 * as the kernel's text is there: objects elsewhere need one table less to be reached. */
	static uint64_t next = (2ul << 20) >> EXO_PAGE_SHIFT;

	for (; next < EARLY_MAP_END >> EXO_PAGE_SHIFT; next++)
		if (frame_word_type(frame_word(next)) == EXO_FRAME_FREE) {
			frame_assign(next, next + 1, owner, type);
			frame_zero(next);
			return next;
		}
	panic("not enough memory below 4 GiB");
}
