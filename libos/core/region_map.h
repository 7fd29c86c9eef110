/* SPDX-License-Identifier: MIT */
/*
 * What the libos maps where, in its part of the shared region:
 *
 *	EXO_DYNAMIC_BASE  the first task slots (task_slot.c)
 *	HEAP_BASE         the heap's pages, 64 GiB (heap_pages.c)
 *	BITMAP_BASE       which frames are free (frames.c)
 *	HEAP_TABLE        struct page_run for each page of the heap
 *	SLOTS_FAR         the other task slots
 *	EXO_MODULE_BASE   not the libos's any more
 *
 * Each switch to another address space is followed by walks through the page tables for all that it
 * touches.  The vcores' pages, the slots of the first tasks and the first blocks of the heap are in the
 * same 2 MiB, so that there is one table of each level for all of them, and the upper ones are the
 * image's as well.
 */
#ifndef LIBOS_REGION_MAP_H
#define LIBOS_REGION_MAP_H

#include <exo/abi.h>

#define HEAP_BASE 0x7f003c180000ul
#define BITMAP_BASE 0x7f2000000000ul
#define HEAP_TABLE 0x7f2010000000ul
#define SLOTS_FAR 0x7f2020000000ul

#endif
