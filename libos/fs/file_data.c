/* SPDX-License-Identifier: MIT */
/* Contents of regular files: heap pages over archive memory; see file_data.h for the rules. */
#include "fs/file_pages.h"
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/space.h"
#include "vm/vm.h"

#define NODE_SIZE (PAGE_TREE_SLOTS * sizeof(void *))
/* Pages taken out of the index under one hold of the lock, so that masked time is bounded. */
#define DETACH_BATCH 32

void data_init(struct file_data *d, const void *archive, uint64_t archive_size)
{
	lock_init(&d->lock, "file data", RANK_INODE);
	d->archive = archive;
	d->archive_size = d->size = archive_size;
}

/* Relaxed: a moment later they may be others. */
uint64_t data_blocks(struct file_data *d)
{
	uint64_t own =
		atomic_load_explicit(&d->page_count, memory_order_relaxed) * (EXO_PAGE_SIZE / 512);
	uint64_t archive =
		(atomic_load_explicit(&d->archive_size, memory_order_relaxed) + 511) / 512;

	return own > archive ? own : archive;
}

uint64_t data_size(struct file_data *d)
{
	return atomic_load_explicit(&d->size, memory_order_relaxed);
}

const uint8_t *archive_page(const struct file_data *d, uint64_t index, size_t *valid)
{
	uint64_t start = index << EXO_PAGE_SHIFT;

	if (start >= d->archive_size)
		return NULL;
	*valid = d->archive_size - start < EXO_PAGE_SIZE ? d->archive_size - start : EXO_PAGE_SIZE;
	return d->archive + start;
}

void *page_get(struct file_data *d, uint64_t index)
{
	void *page;

	lock_acquire(&d->lock);
	page = page_tree_get(&d->pages, index);
	lock_release(&d->lock);
	return page;
}

/*
 * Puts a new page into the index, unless it has one there already or the file does not reach
 * there any more.  Returns the page that is there now; NULL with *error otherwise.
 */
static void *page_publish(struct file_data *d, uint64_t index, void *page, bool may_extend,
			  int *error)
{
	size_t valid = 0;
	const uint8_t *source;
	uint64_t nodes;
	void *present;

	lock_acquire(&d->lock);
	present = page_tree_get(&d->pages, index);
	nodes = d->pages.nodes;
	*error = 0;
	if (!present && !may_extend && index >= pages_for(d->size)) {
		*error = -ENXIO;
	} else if (!present) {
		/* The copy is made under the lock so that archive_size cannot fall meanwhile. */
		source = archive_page(d, index, &valid);
		if (source)
			memcpy(page, source, valid);
		*error = page_tree_insert(&d->pages, index, page);
		if (*error == 0) {
			d->page_count++;
			present = page;
		}
		space_charge_anyway((d->pages.nodes - nodes) * NODE_SIZE);
	}
	lock_release(&d->lock);
	return present;
}

/*
 * Two tasks may do this for one page at the
 * same time (a write, and a fault on a mapping): both allocate, page_publish() lets one win, and
 * the loser frees its page, which nobody else has seen.
 */
void *page_make(struct file_data *d, uint64_t index, bool may_extend, int *error)
{
	void *page = page_get(d, index), *mine;

	if (page)
		return page;
	if (!space_charge(EXO_PAGE_SIZE)) {
		*error = -ENOSPC;
		return NULL;
	}
	mine = pages_alloc(1);
	if (!mine) {
		space_uncharge(EXO_PAGE_SIZE);
		*error = -ENOMEM;
		return NULL;
	}
	page = page_publish(d, index, mine, may_extend, error);
	if (page != mine) {
		pages_free(mine, 1);
		space_uncharge(EXO_PAGE_SIZE);
	}
	return page;
}

static int read_piece(struct file_data *d, struct io_buffer to, size_t at, uint64_t offset,
		      size_t n)
{
	size_t in_page = offset % EXO_PAGE_SIZE, valid = 0;
	const uint8_t *source = page_get(d, page_index(offset));
	int error;

	if (source)
		return io_put(to, at, source + in_page, n);
	/* Only data_resize() changes archive_size, and it needs the mutex that we hold. */
	source = archive_page(d, page_index(offset), &valid);
	if (source && valid > in_page) {
		size_t from_archive = valid - in_page < n ? valid - in_page : n;

		error = io_put(to, at, source + in_page, from_archive);
		if (error || from_archive == n)
			return error;
		at += from_archive;
		n -= from_archive;
	}
	return io_put_zeros(to, at, n);
}

long data_read(struct file_data *d, struct io_buffer to, size_t n, uint64_t offset)
{
	uint64_t size = data_size(d);
	size_t done = 0;

	if (offset >= size)
		return 0;
	if (n > size - offset)
		n = size - offset;
	while (done < n) {
		size_t piece = EXO_PAGE_SIZE - (offset + done) % EXO_PAGE_SIZE;
		int error;

		if (piece > n - done)
			piece = n - done;
		error = read_piece(d, to, done, offset + done, piece);
		if (error && piece > io_in_page(to, done)) {
			piece = io_in_page(to, done);
			error = read_piece(d, to, done, offset + done, piece);
		}
		if (error)
			return done ? (long)done : error;
		done += piece;
	}
	return (long)done;
}

void clear_present(struct file_data *d, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t index, piece;
		uint8_t *page;

		lock_acquire(&d->lock);
		index = page_tree_next(&d->pages, page_index(from));
		page = index == PAGE_TREE_NONE ? NULL : page_tree_get(&d->pages, index);
		lock_release(&d->lock);
		if (!page || index << EXO_PAGE_SHIFT >= to)
			return;
		if (index > page_index(from))
			from = index << EXO_PAGE_SHIFT;
		piece = EXO_PAGE_SIZE - from % EXO_PAGE_SIZE;
		if (piece > to - from)
			piece = to - from;
		memset(page + from % EXO_PAGE_SIZE, 0, piece);
		from += piece;
	}
}

/* Moves the end up to size; [old end, clear_to) is uncovered without being written. */
static void grow_to(struct file_data *d, uint64_t size, uint64_t clear_to)
{
	uint64_t old = data_size(d);

	if (size <= old)
		return;
	clear_present(d, old, clear_to);
	lock_acquire(&d->lock);
	d->size = size;
	lock_release(&d->lock);
}

long data_write(struct file_data *d, struct io_buffer from, size_t n, uint64_t offset)
{
	size_t done = 0;
	int error = 0;

	if (offset >= FILE_SIZE_LIMIT)
		return n ? -EFBIG : 0;
	if (n > FILE_SIZE_LIMIT - offset)
		n = FILE_SIZE_LIMIT - offset;
	while (done < n) {
		size_t in_page = (offset + done) % EXO_PAGE_SIZE, piece = EXO_PAGE_SIZE - in_page;
		uint8_t *page = page_make(d, page_index(offset + done), true, &error);

		if (!page)
			break;
		if (piece > n - done)
			piece = n - done;
		error = io_get(page + in_page, from, done, piece);
		if (error && piece > io_in_page(from, done)) {
			piece = io_in_page(from, done);
			error = io_get(page + in_page, from, done, piece);
		}
		if (error)
			break;
		done += piece;
		/* Piece by piece: a mapping may be asked for what has been written. */
		grow_to(d, offset + done, offset);
	}
	return done || !n ? (long)done : error;
}

/* Under the lock: how many pages of [first, end) have left the index. */
static unsigned detach(struct file_data *d, uint64_t first, uint64_t end, void *batch[], unsigned most)
{
	uint64_t nodes = d->pages.nodes;
	unsigned count = page_tree_detach(&d->pages, first, end, batch, most);

	d->page_count -= count;
	space_uncharge((nodes - d->pages.nodes) * NODE_SIZE);
	return count;
}

/*
 * Some at a time.  A mapping is counted before its first fault takes the lock: a page taken out of the index
 * while there was none cannot be handed out any more.
 */
bool discard_range(struct file_data *d, uint64_t first, uint64_t end, bool unmapped)
{
	void *batch[DETACH_BATCH];
	unsigned count = 0;
	bool stay;

	do {
		lock_acquire(&d->lock);
		stay = d->mappings != 0 && !unmapped;
		if (!stay)
			count = detach(d, first, end, batch, DETACH_BATCH);
		lock_release(&d->lock);
		if (stay)
			return false;
		for (unsigned i = 0; i < count; i++)
			pages_free(batch[i], 1);
		space_uncharge(count * EXO_PAGE_SIZE);
	} while (count == DETACH_BATCH);
	return true;
}

/* Does the page say nothing but what the file reads as without it?  Under the lock. */
static bool is_as_made(const struct file_data *d, uint64_t index, const uint8_t *page)
{
	size_t valid = 0;
	const uint8_t *source = archive_page(d, index, &valid);

	if (source && memcmp(page, source, valid) != 0)
		return false;
	while (valid < EXO_PAGE_SIZE && !page[valid])
		valid++;
	return valid == EXO_PAGE_SIZE;
}

/*
 * Within the file's size a mapping may show the page by now: then it stays, and the file goes on reading as
 * zeros there.  Or one has shown it, has been written to, and has gone: so a page that is not as it was made
 * stays, too. The look and the end are under one hold of the lock: no mapping comes and goes in between, and
 * only who holds the inode's mutex, as the caller does, writes otherwise.  Beyond the size no fault was
 * given the page, and none will be: only who holds that mutex moves the end.
 */
void page_take_back(struct file_data *d, uint64_t index)
{
	const uint8_t *page;
	void *batch[1];
	bool goes;

	lock_acquire(&d->lock);
	page = page_tree_get(&d->pages, index);
	goes = page && (index >= pages_for(d->size) || (d->mappings == 0 && is_as_made(d, index, page)));
	if (goes)
		detach(d, index, index + 1, batch, 1);
	lock_release(&d->lock);
	if (!goes)
		return;
	pages_free(batch[0], 1);
	space_uncharge(EXO_PAGE_SIZE);
}

/*
 * Cuts or extends.  The size falls before pages go: data_map_frame() looks at the size under the
 * lock, so it makes no page beyond the new end behind our back.  A mapping that begins after that
 * shows none there.
 */
void data_resize(struct file_data *d, uint64_t size, struct vm_cut *cut)
{
	size_t in_page = size % EXO_PAGE_SIZE;
	bool falls = size < data_size(d), unmapped;
	uint8_t *last;

	grow_to(d, size, size);
	lock_acquire(&d->lock);
	d->size = size;
	if (d->archive_size > size)
		d->archive_size = size;
	/* Behind the end the last page reads as zeros, in shared mappings and when the file grows.  A private
	 * one may show the archive's memory, where nobody writes: what it shows there POSIX leaves open, and
	 * an entry that goes might be one that has been written to. */
	last = in_page ? page_tree_get(&d->pages, page_index(size)) : NULL;
	if (last)
		memset(last + in_page, 0, EXO_PAGE_SIZE - in_page);
	unmapped = falls && d->mappings == 0;
	lock_release(&d->lock);
	if (falls && !unmapped)
		unmapped = vm_cut_file(d, pages_for(size), cut);
	discard_range(d, pages_for(size), PAGE_TREE_NONE, unmapped);
}

void data_count_mapping(struct file_data *d, int change)
{
	/* Release: who finds it gone finds its pages unmapped. */
	atomic_fetch_add_explicit(&d->mappings, (uint32_t)change, memory_order_release);
}

/*
 * own_page: the file's own copy is wanted, because the mapping is to show what is written to the file, or
 * writes it.  Otherwise a page of archive memory is mapped as it is, if the file fills all of it: the bytes
 * behind the end of a file must read as zeros, and in the archive they are the next entry.
 */
long data_map_frame(struct file_data *d, uint64_t index, bool own_page)
{
	const uint8_t *archive = NULL;
	size_t valid = 0;
	void *page = NULL;
	int error = 0;

	lock_acquire(&d->lock);
	if (index < pages_for(d->size)) {
		page = page_tree_get(&d->pages, index);
		archive = archive_page(d, index, &valid);
	} else {
		error = -ENXIO;
	}
	lock_release(&d->lock);
	if (error)
		return 0;
	if (page)
		return (long)frame_of_page(page);
	if (archive && valid == EXO_PAGE_SIZE && !own_page &&
	    (uint64_t)archive % EXO_PAGE_SIZE == 0)
		return (long)frame_of_page(archive);
	page = page_make(d, index, false, &error);
	if (!page)
		return error == -ENXIO ? 0 : error;
	return (long)frame_of_page(page);
}

void data_free(struct file_data *d)
{
	ASSERT_INVARIANT(d->mappings == 0);
	discard_range(d, 0, PAGE_TREE_NONE, false);
}
