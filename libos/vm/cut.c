/* SPDX-License-Identifier: MIT */
/*
 * Pages of a file that has been cut leave every address space that maps them, written copies of private
 * mappings as well: truncate(2), mmap(2).
 *
 * The file's size has fallen before.  A fault looks at it and maps the page under one hold of its space's
 * mutex, and we take that of each space: either the fault came first, and we take its page away, or it finds
 * the new size.
 *
 * Why no space is missed: while a file is cut no fork makes a copy, and the other way round; each waits for
 * the other, counted under process_tree_lock.  So every space with pages is that of a process in the list.
 * One that exec makes is its process's before it has pages.  One that has been given up, at an end or exec,
 * may be missed while others still hold it: no program runs in it any more, and the kernel reports a frame as
 * free only when nothing maps it.
 */
#include "core/lock.h"
#include "core/memory.h"
#include "fs/file.h"
#include "proc/process.h"
#include "vm/space.h"

/* Upcalls are masked while entries of so many bytes are looked at. */
#define PIECE (64 * TABLE_SPAN)

/* All under process_tree_lock. */
static unsigned copies, copies_waiting, cuts;
static struct wait_queue turn = { LIST_INIT(turn.waiters) }; /* of those who wait for each other */

/* Forks that have waited come before the next cut, so that neither keeps the other out for ever. */
static __attribute__((noinline)) void wait_for_cuts_locked(void)
{
	copies_waiting++;
	while (cuts > 0)
		wait_on(&turn, &process_tree_lock, 0, 0);
	if (--copies_waiting == 0)
		wake_all(&turn, WAKE_ANY);
}

void vm_copy_begin_locked(void)
{
	if (cuts > 0)
		wait_for_cuts_locked();
	copies++;
}

void vm_copy_end_locked(void)
{
	if (--copies == 0 && cuts > 0)
		wake_all(&turn, WAKE_ANY);
}

/* Forks in progress need no lock that who cuts a file holds. */
static void cut_begin(void)
{
	lock_acquire(&process_tree_lock);
	while (copies_waiting > 0)
		wait_on(&turn, &process_tree_lock, 0, 0);
	cuts++;
	while (copies > 0)
		wait_on(&turn, &process_tree_lock, 0, 0);
	lock_release(&process_tree_lock);
}

static void cut_end(void)
{
	lock_acquire(&process_tree_lock);
	if (--cuts == 0)
		wake_all(&turn, WAKE_ANY);
	lock_release(&process_tree_lock);
}

/* Entries are counted through the window, which shows the space that is loaded: masked, so that no other task
 * finds a space that is not its own. */
static int unmap_anywhere(struct vm *v, uint64_t start, uint64_t end, uint64_t *epoch)
{
	const struct process *p = current_process();
	int r = 0;

	while (r == 0 && start < end) {
		uint64_t stop;

		upcalls_mask();
		vm_load(v);
		stop = end - start > PIECE ? start + PIECE : end;
		r = space_unmap(v, start, stop, epoch);
		start = space_next_present(stop, end);
		vm_load(p ? p->vm : NULL);
		upcalls_unmask();
	}
	return r;
}

static int cut_mapping(struct vm *v, const struct mapping *m, uint64_t first, uint64_t *epoch)
{
	uint64_t pages = (m->region.end - m->region.start) / PAGE;
	uint64_t kept = first > m->page ? first - m->page : 0;

	if (kept >= pages)
		return 0;
	return unmap_anywhere(v, m->region.start + kept * PAGE, m->region.end, epoch);
}

static int cut_space(struct vm *v, const struct file_data *data, uint64_t first)
{
	uint64_t epoch = 0;
	int r = 0;

	mutex_lock(&v->mutex);
	for (struct mapping *m = mapping_at_or_after(v, 0); m && r == 0; m = mapping_next(v, m)) {
		if (m->file && file_map_data(m->file) == data)
			r = cut_mapping(v, m, first, &epoch);
	}
	vm_unlock(v, epoch);
	return r;
}

static unsigned count_spaces_locked(void)
{
	unsigned n = 0;

	list_for_each(node, &all_processes)
		n += list_entry(node, struct process, all_link)->vm != NULL;
	return n;
}

/* One that processes share may be there several times. */
static bool collect_spaces(struct vm_cut *cut)
{
	unsigned room = 0, n;

	lock_acquire(&process_tree_lock);
	while ((n = count_spaces_locked()) > room) {
		lock_release(&process_tree_lock);
		heap_free(cut->spaces);
		room = n + n / 8 + 8;
		cut->spaces = heap_alloc(room * sizeof(*cut->spaces));
		if (!cut->spaces)
			return false;
		lock_acquire(&process_tree_lock);
	}
	list_for_each(node, &all_processes) {
		struct vm *v = list_entry(node, struct process, all_link)->vm;

		if (!v)
			continue;
		vm_get(v);
		cut->spaces[cut->count++] = v;
	}
	lock_release(&process_tree_lock);
	return true;
}

bool vm_cut_file(const struct file_data *data, uint64_t first, struct vm_cut *cut)
{
	bool done;

	cut_begin();
	done = collect_spaces(cut);
	for (unsigned i = 0; i < cut->count && done; i++)
		done = cut_space(cut->spaces[i], data, first) == 0;
	cut_end();
	return done;
}

void vm_cut_end(struct vm_cut *cut)
{
	while (cut->count > 0)
		vm_put(cut->spaces[--cut->count]);
	heap_free(cut->spaces);
	cut->spaces = NULL;
}
