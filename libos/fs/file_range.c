/* SPDX-License-Identifier: MIT */
/* Ranges of a file's contents: fallocate's operations, and the search for data and holes. */
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/file_pages.h"
#include "fs/space.h"

/* made: a bit for each page of the range, set for those that were not there before. */
static int reserve_pages(struct file_data *d, uint64_t first, uint64_t count, uint8_t *made)
{
	int error = 0;
	uint64_t n;

	for (n = 0; n < count && !error; n++) {
		if (page_get(d, first + n))
			continue;
		made[n / 8] |= (uint8_t)(1 << n % 8);
		page_make(d, first + n, true, &error);
	}
	/* If the last one could not be made, it is not there to be taken back. */
	while (error && n--)
		if (made[n / 8] & 1 << n % 8)
			page_take_back(d, first + n);
	return error;
}

int data_reserve(struct file_data *d, uint64_t offset, uint64_t size)
{
	uint64_t first = page_index(offset), count = pages_for(offset + size) - first;
	uint64_t present = atomic_load_explicit(&d->page_count, memory_order_relaxed);
	uint8_t *made;
	int error;

	/* What cannot fit is refused before it has taken what others need; so `count` is bounded. */
	if (count > present && !space_may_fit((count - present) * EXO_PAGE_SIZE))
		return -ENOSPC;
	made = heap_alloc(count / 8 + 1);
	if (!made)
		return -ENOMEM;
	error = reserve_pages(d, first, count, made);
	heap_free(made);
	return error;
}

static int clear_piece(struct file_data *d, uint64_t offset, size_t n)
{
	int error = 0;
	size_t valid;
	uint8_t *page;

	/* A hole is clear already. */
	if (!page_get(d, page_index(offset)) && !archive_page(d, page_index(offset), &valid))
		return 0;
	page = page_make(d, page_index(offset), true, &error);
	if (!page)
		return error;
	memset(page + offset % EXO_PAGE_SIZE, 0, n);
	return 0;
}

/*
 * Whole heap pages that cover no archive memory are given back, unless they may be mapped; all
 * else is overwritten with zeros, so that mappings see the hole too.
 */
int data_clear(struct file_data *d, uint64_t offset, uint64_t size)
{
	uint64_t end = offset + size, first_whole = pages_for(offset), end_whole = page_index(end);
	int error = 0;

	if (first_whole < pages_for(d->archive_size))
		first_whole = pages_for(d->archive_size);
	while (offset < end && !error) {
		uint64_t piece = EXO_PAGE_SIZE - offset % EXO_PAGE_SIZE;

		if (page_index(offset) >= first_whole && page_index(offset) < end_whole) {
			if (!discard_range(d, page_index(offset), end_whole, false))
				clear_present(d, offset, end_whole << EXO_PAGE_SHIFT);
			offset = end_whole << EXO_PAGE_SHIFT;
			continue;
		}
		if (piece > end - offset)
			piece = end - offset;
		error = clear_piece(d, offset, piece);
		offset += piece;
	}
	return error;
}

int64_t data_seek(struct file_data *d, uint64_t offset, bool hole)
{
	uint64_t index = page_index(offset), size = data_size(d), found;

	if (offset >= size)
		return -ENXIO;
	if (!hole) {
		if (offset < d->archive_size)
			return (int64_t)offset;
		lock_acquire(&d->lock);
		index = page_tree_next(&d->pages, index);
		lock_release(&d->lock);
		if (index >= pages_for(size))
			return -ENXIO;
		found = index << EXO_PAGE_SHIFT;
		return (int64_t)(found > offset ? found : offset);
	}
	if (offset < d->archive_size)
		index = pages_for(d->archive_size);
	while (index < pages_for(size) && page_get(d, index))
		index++;
	found = index << EXO_PAGE_SHIFT;
	if (found > size)
		found = size;
	return (int64_t)(found > offset ? found : offset);
}
