/* SPDX-License-Identifier: MIT */
/*
 * Paths that were walked lately, as a whole: from a directory and a text to the inode that it names.
 *
 * Only what stride() in path.c walks is kept: plain names in directories of the memory file system, for who
 * may search all of them.  The pointers are not counted.  Why they are alive all the same: an entry holds
 * only as long as every name on its way is where it was.  A directory that loses its name, or gets another,
 * ends all entries (`moves`), and any other name ends those that end in the same directory (`names_gone` of
 * that); and what still has a name is counted by that.
 *
 * All under tree_lock.
 */
#ifndef LIBOS_PATH_CACHE_H
#define LIBOS_PATH_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include "fs/directory.h"
#include "fs/inode.h"
#include "fs/name_words.h"

#define PATH_CACHE_SLOTS 64
#define PATH_CACHE_TEXT 72

struct cached_path {
	uint64_t hash;                /* of start and text */
	struct inode *start;          /* NULL: a path with this hash was seen, and is not kept yet */
	struct inode *parent, *inode; /* the last name's directory, and what it names */
	uint64_t moves, names_gone;   /* when it was kept */
	uint32_t length, name;        /* of the text; where the last name starts in it */
	char text[PATH_CACHE_TEXT];
};

extern struct cached_path path_cache_slots[PATH_CACHE_SLOTS];
extern uint64_t path_cache_moves; /* directories that have lost a name */

/* Of a text's end and its middle, where texts that are walked one after the other differ; whoever finds a
 * path compares all of it. */
static inline uint64_t path_cache_hash(const struct inode *start, const char *text, size_t length)
{
	uint64_t middle, last, h;

	if (length < 8)
		return name_hash((uint64_t)start, text, length);
	__builtin_memcpy(&middle, text + (length - 8) / 2, 8);
	__builtin_memcpy(&last, text + length - 8, 8);
	h = ((((uint64_t)start + length) ^ middle) * NAME_HASH_ODD ^ last) * NAME_HASH_ODD;
	return h ^ h >> 32;
}

static inline struct cached_path *path_cache_slot(uint64_t hash)
{
	return &path_cache_slots[hash % PATH_CACHE_SLOTS];
}

/* NULL if it is not there. */
static inline __attribute__((always_inline)) const struct cached_path *
path_cache_find(uint64_t hash, const struct inode *start, const char *text, size_t length)
{
	const struct cached_path *c = path_cache_slot(hash);

	/* The parent is looked at only if no directory has gone since. */
	if (c->hash != hash || c->start != start || c->length != length || c->moves != path_cache_moves ||
	    c->names_gone != c->parent->directory->names_gone || !name_is_same(c->text, text, length))
		return NULL;
	return c;
}

/* `text`, shorter than PATH_CACHE_TEXT, was walked: the second time in a row for its slot it is kept. */
void path_cache_saw(uint64_t hash, struct inode *start, const char *text, size_t length, size_t name,
		    struct inode *parent, struct inode *inode);
/* The name of i in the directory `parent` has gone, or is about to name something else. */
void path_cache_name_goes(struct inode *parent, const struct inode *i);

#endif
