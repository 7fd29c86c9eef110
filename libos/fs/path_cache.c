/* SPDX-License-Identifier: MIT */
/* Paths that were walked lately: see path_cache.h. */
#include "fs/path_cache.h"
#include "core/string.h"
#include "fs/directory.h"

/* Under tree_lock. */
struct cached_path path_cache_slots[PATH_CACHE_SLOTS];
uint64_t path_cache_moves;

void path_cache_saw(uint64_t hash, struct inode *start, const char *text, size_t length, size_t name,
		    struct inode *parent, struct inode *inode)
{
	struct cached_path *c = path_cache_slot(hash);

	if (c->hash != hash) {
		c->hash = hash;
		c->start = NULL;
		return;
	}
	c->start = start;
	c->parent = parent;
	c->inode = inode;
	c->moves = path_cache_moves;
	c->names_gone = parent->directory->names_gone;
	c->length = (uint32_t)length;
	c->name = (uint32_t)name;
	memcpy(c->text, text, length);
}

void path_cache_name_goes(struct inode *parent, const struct inode *i)
{
	parent->directory->names_gone++;
	if (inode_is_directory(i))
		path_cache_moves++;
}
