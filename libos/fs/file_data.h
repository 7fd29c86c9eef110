/* SPDX-License-Identifier: MIT */
/*
 * The contents of a regular file.
 *
 *	page written or faulted for writing   -> a heap page in `pages`
 *	no such page, below archive_size      -> the archive's memory, never copied to be read
 *	neither                               -> a hole: zeros
 *
 * Two locks.  The inode's mutex serialises reads, writes and changes of size, and is held over
 * copies from and to programs.  Such a copy may fault on a mapping of this very file; the fault
 * gets its page from data_map_frame(), which takes only `lock`, the spin lock of the page index.
 * So the fault never waits for the mutex that the copier holds.
 *
 * A page stays where it is from when it enters `pages` until the file is cut below it (mutex) or
 * freed.  Whoever holds the mutex may therefore use a page without `lock`.  Pages that are cut off
 * leave the mappings of the file before they are freed (vm/cut.c).  If there is too little memory
 * for that they stay until the file is next cut, or freed.  What lies beyond the end is therefore
 * undefined; whoever moves the end up clears what it uncovers.
 */
#ifndef LIBOS_FILE_DATA_H
#define LIBOS_FILE_DATA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/lock.h"
#include "fs/io_buffer.h"
#include "fs/page_tree.h"

struct vm_cut;

struct file_data {
	struct lock lock; /* RANK_INODE; guards the rest */
	struct page_tree pages;
	/* Read by anyone without the lock. */
	_Atomic uint64_t size;       /* changed with the inode's mutex held as well */
	_Atomic uint64_t page_count; /* heap pages: st_blocks, and what was charged */
	const uint8_t *archive;      /* fixed */
	_Atomic uint64_t archive_size; /* only ever falls */
	/* Not under the lock: of any program.  One is counted from before its first fault, which takes the
	 * lock to find a page, until its last page is unmapped.  So who finds none, with the lock held, has
	 * changed what the faults of the next will see. */
	_Atomic uint32_t mappings;
	/* Not under the lock: > 0: open files that may change it; < 0: files that programs were started from.
	 * Each is counted by its struct file, from its opening to its release (fs/memfs_file.c). */
	_Atomic int32_t writers;
};

/* Largest size of a file: what fits a signed 64-bit offset. */
#define FILE_SIZE_LIMIT 0x7ffffffffffff000ul

void data_init(struct file_data *d, const void *archive, uint64_t archive_size);
/* Nobody else has a reference. */
void data_free(struct file_data *d);
uint64_t data_size(struct file_data *d);
uint64_t data_blocks(struct file_data *d); /* memory it takes, in units of 512 bytes */

/* The rest: inode's mutex held, task context.  Bytes moved, or -errno if none. */
long data_read(struct file_data *d, struct io_buffer to, size_t n, uint64_t offset);
long data_write(struct file_data *d, struct io_buffer from, size_t n, uint64_t offset);
/* cut: for vm_cut_end(), once the mutex has been let go of; NULL: the size does not fall. */
void data_resize(struct file_data *d, uint64_t size, struct vm_cut *cut);
/* Gives every page of a range memory of its own, so that writing it cannot run out of space; all or none. */
int data_reserve(struct file_data *d, uint64_t offset, uint64_t size);
/* Makes a range read as zeros; end <= FILE_SIZE_LIMIT. */
int data_clear(struct file_data *d, uint64_t offset, uint64_t size);
/* SEEK_DATA and SEEK_HOLE: the next offset that is data, or a hole; -ENXIO beyond the end. */
int64_t data_seek(struct file_data *d, uint64_t offset, bool hole);

/* A mapping begins (1), or has ended and is in no TLB any more (-1). */
void data_count_mapping(struct file_data *d, int change);
/* No mutex needed: the frame of a page for mapping; 0 beyond the end; -ENOMEM, -ENOSPC. */
long data_map_frame(struct file_data *d, uint64_t index, bool own_page);

#endif
