/* SPDX-License-Identifier: MIT */
/* The pages below a file's contents, for the two sources that handle them. */
#ifndef LIBOS_FILE_PAGES_H
#define LIBOS_FILE_PAGES_H

#include <exo/abi.h>
#include "fs/file_data.h"

static inline uint64_t page_index(uint64_t offset)
{
	return offset >> EXO_PAGE_SHIFT;
}

static inline uint64_t pages_for(uint64_t size)
{
	return (size + EXO_PAGE_SIZE - 1) >> EXO_PAGE_SHIFT;
}

/* The archive's bytes for a page: where, and how many of them belong to the file. */
const uint8_t *archive_page(const struct file_data *d, uint64_t index, size_t *valid);
/* The file's own page at index, or NULL. */
void *page_get(struct file_data *d, uint64_t index);
/* The same, made if it has none; may_extend: also beyond the end.  NULL with *error. */
void *page_make(struct file_data *d, uint64_t index, bool may_extend, int *error);
/* Frees the pages of [first, end); false if the file may be mapped, so that they must stay.  unmapped:
 * whatever mappings there are, none shows these pages, or will. */
bool discard_range(struct file_data *d, uint64_t first, uint64_t end, bool unmapped);
/* Frees a page that was made for what has failed, if nobody can tell. */
void page_take_back(struct file_data *d, uint64_t index);
/* Overwrites the pages that the file has in the bytes [from, to) with zeros. */
void clear_present(struct file_data *d, uint64_t from, uint64_t to);

#endif
