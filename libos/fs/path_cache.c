/* SPDX-License-Identifier: MIT */
/* Paths that were walked lately: see path_cache.h. */
#include "fs/path_cache.h"
#include "core/string.h"
#include "fs/directory.h"

/* Under tree_lock. */
static struct cached_path slots[PATH_CACHE_SLOTS];
static uint64_t moves; /* directories that have lost a name */

static struct cached_path *slot_of(uint64_t hash)
{
	return &slots[hash % PATH_CACHE_SLOTS];
}

const struct cached_path *path_cache_find(uint64_t hash, const struct inode *start, const char *text,
					  size_t length)
{
	const struct cached_path *c = slot_of(hash);

	/* The parent is looked at only if no directory has gone since. */
	if (c->hash != hash || c->start != start || c->length != length || c->moves != moves ||
	    c->names_gone != c->parent->directory->names_gone || !name_is_same(c->text, text, length))
		return NULL;
	return c;
}

void path_cache_saw(uint64_t hash, struct inode *start, const char *text, size_t length, size_t name,
		    struct inode *parent, struct inode *inode)
{
	struct cached_path *c = slot_of(hash);

	if (c->hash != hash) {
		c->hash = hash;
		c->start = NULL;
		return;
	}
	c->start = start;
	c->parent = parent;
	c->inode = inode;
	c->moves = moves;
	c->names_gone = parent->directory->names_gone;
	c->length = (uint32_t)length;
	c->name = (uint32_t)name;
	memcpy(c->text, text, length);
}

void path_cache_name_goes(struct inode *parent, const struct inode *i)
{
	parent->directory->names_gone++;
	if (inode_is_directory(i))
		moves++;
}
