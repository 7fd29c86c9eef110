/* SPDX-License-Identifier: MIT */
/*
 * A scheduler library as a file: an ELF64 shared object as gcc -shared -fPIC makes it.  Pure: works
 * on bytes in memory, so that it is tested and damaged on the host (tests/unit/shared_object_test.c).
 *
 *	file ---object_decode()---> layout: pages and their rights
 *	                            |
 *	zeroed memory of that size -+-object_build()---> segments copied, relocated for `base`
 *
 * Nothing in the file is trusted.  What is refused: text that is written to (W^X), other libraries,
 * constructors, thread-local storage, functions that choose themselves (IFUNC), and every header,
 * table, symbol or relocation that does not lie where it must.
 */
#ifndef LIBOS_SHARED_OBJECT_H
#define LIBOS_SHARED_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJECT_PAGES_MAX 64u /* SCHED_LIBRARY_SIZE_MAX: a scheduler is small */
#define OBJECT_SEGMENTS_MAX 8u
#define OBJECT_PAGE 4096ul
#define OBJECT_CULPRIT_MAX 80

enum object_right { OBJECT_READ = 1 << 0, OBJECT_WRITE = 1 << 1, OBJECT_EXECUTE = 1 << 2 };

struct object_segment {
	uint64_t address, offset, file_size;
};

/* Where a table lies in memory, from the start of the object. */
struct object_table {
	uint64_t address, size;
};

struct shared_object {
	/* object_decode(). */
	unsigned pages;                    /* 1 .. OBJECT_PAGES_MAX */
	uint8_t rights[OBJECT_PAGES_MAX];  /* enum object_right; once it has been built */
	uint8_t linking[OBJECT_PAGES_MAX]; /* the same, while relocations are applied */
	unsigned segment_count;
	struct object_segment segments[OBJECT_SEGMENTS_MAX];
	struct object_table dynamic;

	/* object_build(): in pages that no relocation may change. */
	struct object_table names, symbols, relocations, jumps, hash;

	/* When either has failed: the name that it is about, or "". */
	char culprit[OBJECT_CULPRIT_MAX];
};

/* The address of a function that the object does not define; 0 if there is none. */
typedef uint64_t (*object_resolve)(const char *name);

/* NULL, or why the file is refused. */
const char *object_decode(const void *file, size_t size, struct shared_object *o);

/*
 * file     the bytes that were decoded
 * memory   o->pages pages of zeros, aligned to 8 bytes
 * base     the address that the memory will have when it is used
 * Returns NULL, or why the object is refused; then the memory holds anything.
 */
const char *object_build(struct shared_object *o, const void *file, void *memory, uint64_t base,
			 object_resolve resolve);

/* Of an object that has been built: where an exported variable is, from its start; 0 if there is
 * none.  (An object's first bytes are its header.) */
uint64_t object_find(const struct shared_object *o, const void *memory, const char *name);

/* Do all pages of the range, from the object's start, have these rights? */
bool object_covers(const struct shared_object *o, uint64_t offset, uint64_t size, unsigned rights);

#endif
