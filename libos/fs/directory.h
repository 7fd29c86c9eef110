/* SPDX-License-Identifier: MIT */
/*
 * The names in one directory of the memory file system.
 *
 *	             slot[16] by bits 0..3 of the name's hash
 *	            /    |    \
 *	        entry  node   0        a node below: by bits 4..7, and so on
 *	               / | \
 *	             ... entry -> entry (equal hashes)
 *
 * A trie over the hash.  It grows and shrinks one node at a time, so no operation ever rehashes a
 * whole directory while a spin lock is held.  The hash has a secret in it, so that nobody can choose
 * names that share it, which are looked through one by one.
 *
 * A second list keeps the entries in the order in which they were made, with a number each: the
 * position of getdents64, which stays valid whatever is added or removed in between.  Entries whose
 * positions differ in the low bits only are a group, so that a listing which goes on finds its place without
 * a walk along all names before it (fs/directory_order.c).
 *
 * Entries are charged by who makes them; nodes and groups here (fs/space.h).
 *
 * Changed under tree_mutex and tree_lock, read under either (fs/inode.h).
 */
#ifndef LIBOS_DIRECTORY_H
#define LIBOS_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>
#include "core/list.h"

struct inode;

struct directory_group {
	struct list link;              /* struct directory.groups */
	uint64_t number;               /* position / DIRECTORY_GROUP of all in it */
	struct directory_entry *first; /* there is always one */
};

/* Many: the groups are walked.  Of 100,000 names they are 390. */
#define DIRECTORY_GROUP 256

struct directory_entry {
	/* Fixed while it is in a directory. */
	struct inode *directory; /* not counted: the directory outlives its entries */
	uint32_t hash;
	uint64_t position;
	struct list order;       /* struct directory.order */
	struct directory_group *group;
	struct directory_entry *same_hash;
	/* Under the tree's locks. */
	struct inode *inode;     /* counted */
	struct list inode_link;  /* struct inode.entries */
	uint8_t length;
	char name[];             /* not terminated */
};

#define DIRECTORY_SLOTS 16

struct directory_node {
	uintptr_t slot[DIRECTORY_SLOTS]; /* 0, an entry, or a node with the lowest bit set */
};

struct directory {
	struct directory_node top;
	struct list order;  /* struct directory_entry.order, by rising position */
	struct list groups; /* struct directory_group.link, by rising number */
	uint64_t next_position;
	uint64_t count;
	uint64_t names_gone; /* so far; under tree_lock (fs/path_cache.h) */
};

/* Positions 0 and 1 are "." and "..". */
#define DIRECTORY_FIRST_POSITION 2

/* At start, before there is an entry: what nobody else knows. */
void directory_set_secret(const uint64_t secret[2]);

struct directory *directory_create(void);
void directory_free(struct directory *d); /* it must be empty */
/* Allocates; the entry is in no directory yet.  length is 1 .. NAME_MAX. */
struct directory_entry *directory_entry_create(const char *name, size_t length);
struct directory_entry *directory_find(const struct directory *d, const char *name, size_t length);
/* The name must not be there yet.  0, -ENOMEM or -ENOSPC. */
int directory_insert(struct directory *d, struct directory_entry *e);
void directory_remove(struct directory *d, struct directory_entry *e);

/* directory_order.c: the first entry at this position or behind it, and the one behind e; or NULL. */
struct directory_entry *directory_from(const struct directory *d, uint64_t position);
struct directory_entry *directory_next(const struct directory *d, const struct directory_entry *e);
/* For insert and remove only: e is the last from now on, 0 or -errno; it is no longer in the order. */
int directory_order_append(struct directory *d, struct directory_entry *e);
void directory_order_remove(struct directory *d, struct directory_entry *e);

#endif
