/* SPDX-License-Identifier: MIT */
/*
 * /proc/exo/held: what the libos holds now, without what it keeps for the next who needs it (free
 * frames, the heap's and the stacks' memory, empty address spaces, a part of the table of tasks, records of
 * signals).  While nobody starts or ends anything the numbers stay the same to the last: so what is more
 * after than before was leaked.
 *
 * Not so page tables, which have a number of their own: each space has some in stock, and of two that have
 * shared one the first to leave takes another, so how many there are depends on who was faster.  Those of the
 * empty spaces are not among them: nobody knows how many these have left to others, so they go first.
 */
#include "core/frames.h"
#include "core/handles.h"
#include "core/heap.h"
#include "core/memory.h"
#include "core/task.h"
#include "core/task_slot.h"
#include "core/task_table.h"
#include "fs/proc_inode.h"
#include "fs/space.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "vm/vm.h"

static unsigned count_tasks(void)
{
	unsigned n = 0;
	struct task *t;

	for (uint32_t id = 0; (t = task_next(id)); id = t->self.id + 1, task_put(t))
		n++;
	return n;
}

/* One that leaks is easily told by its size. */
static void print_blocks(struct text *out, const struct page_usage *usage, unsigned spare)
{
	uint64_t sum = 0;
	size_t size;

	for (unsigned c = 0; heap_class_size(c); c++)
		sum += usage->blocks[c];
	text_print(out, "heap-blocks %lu", sum - spare - signal_count_spare());
	for (unsigned c = 0; (size = heap_class_size(c)); c++)
		if (usage->blocks[c])
			text_print(out, " %zu:%lu", size, usage->blocks[c]);
	text_print(out, "\n");
}

void proc_print_held(struct text *out, void *argument)
{
	struct page_usage usage;
	unsigned spare_blocks, spare;

	while (vm_drop_spare())
		;
	int64_t handles = handles_used();

	spare = vm_count_spare(&spare_blocks);
	uint64_t heap_frames = heap_usage(&usage), tables = frames_tables_count();

	text_print(out, "processes %u\ntasks %u\ninodes %lu\n", process_count, count_tasks(),
		   space_usage().inodes);
	print_blocks(out, &usage, spare_blocks);
	text_print(out, "heap-pages %lu\nframes %lu\npage-tables %lu\nhandles %ld\n",
		   usage.pages - task_table_count_spare(),
		   frames_total_count() - frames_free_count() - heap_frames - spare - task_slots_frames() -
			   tables,
		   tables, handles - spare);
}
