/* SPDX-License-Identifier: MIT */
/* Directories as hash tries; see directory.h for the shape. */
#include "fs/directory.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/name_words.h"

#define HASH_BITS 32
#define BITS_PER_LEVEL 4
#define LEVELS (HASH_BITS / BITS_PER_LEVEL)
#define NODE_TAG 1ul

struct directory *directory_create(void)
{
	struct directory *d = heap_alloc(sizeof(*d));

	if (!d)
		return NULL;
	list_init(&d->order);
	d->next_position = DIRECTORY_FIRST_POSITION;
	return d;
}

void directory_free(struct directory *d)
{
	heap_free(d);
}

static uint32_t hash_of(const char *name, size_t length)
{
	return (uint32_t)name_hash(length, name, length);
}

static bool name_is(const struct directory_entry *e, const char *name, size_t length)
{
	return e->length == length && name_is_same(e->name, name, length);
}

struct directory_entry *directory_entry_create(const char *name, size_t length)
{
	struct directory_entry *e = heap_alloc(sizeof(*e) + length);

	if (!e)
		return NULL;
	memcpy(e->name, name, length);
	e->length = (uint8_t)length;
	e->hash = hash_of(name, length);
	list_init(&e->order);
	list_init(&e->inode_link);
	return e;
}

static bool is_node(uintptr_t slot)
{
	return slot & NODE_TAG;
}

static struct directory_node *as_node(uintptr_t slot)
{
	return (struct directory_node *)(slot & ~NODE_TAG);
}

static unsigned slot_index(uint32_t hash, unsigned level)
{
	return (hash >> (level * BITS_PER_LEVEL)) % DIRECTORY_SLOTS;
}

struct directory_entry *directory_find(const struct directory *d, const char *name, size_t length)
{
	uint32_t hash = hash_of(name, length);
	const struct directory_node *node = &d->top;
	uintptr_t slot;
	unsigned level = 0;

	while (is_node(slot = node->slot[slot_index(hash, level)])) {
		node = as_node(slot);
		level++;
	}
	for (struct directory_entry *e = (void *)slot; e; e = e->same_hash)
		if (e->hash == hash && name_is(e, name, length))
			return e;
	return NULL;
}

/*
 * Two different hashes differ in some level's bits, so an entry is pushed down at most LEVELS - 1
 * times before the two part.
 */
int directory_insert(struct directory *d, struct directory_entry *e)
{
	struct directory_node *node = &d->top, *below;
	struct directory_entry *other;
	uintptr_t *slot;

	for (unsigned level = 0;; level++) {
		slot = &node->slot[slot_index(e->hash, level)];
		if (is_node(*slot)) {
			node = as_node(*slot);
			continue;
		}
		other = (struct directory_entry *)*slot;
		if (!other || other->hash == e->hash)
			break;
		below = heap_alloc(sizeof(*below));
		if (!below)
			return -ENOMEM;
		below->slot[slot_index(other->hash, level + 1)] = *slot;
		*slot = (uintptr_t)below | NODE_TAG;
		node = below;
	}
	e->same_hash = (struct directory_entry *)*slot;
	*slot = (uintptr_t)e;
	e->position = d->next_position++;
	list_push_back(&d->order, &e->order);
	d->count++;
	return 0;
}

static bool node_empty(const struct directory_node *node)
{
	for (unsigned i = 0; i < DIRECTORY_SLOTS; i++)
		if (node->slot[i])
			return false;
	return true;
}

void directory_remove(struct directory *d, struct directory_entry *e)
{
	uintptr_t *path[LEVELS], *slot = &d->top.slot[slot_index(e->hash, 0)];
	struct directory_entry *other;
	unsigned depth = 0;

	while (is_node(*slot)) {
		path[depth++] = slot;
		slot = &as_node(*slot)->slot[slot_index(e->hash, depth)];
	}
	other = (struct directory_entry *)*slot;
	if (other == e) {
		*slot = (uintptr_t)e->same_hash;
	} else {
		while (other->same_hash != e)
			other = other->same_hash;
		other->same_hash = e->same_hash;
	}
	e->same_hash = NULL;
	while (depth && node_empty(as_node(*path[depth - 1]))) {
		depth--;
		heap_free(as_node(*path[depth]));
		*path[depth] = 0;
	}
	list_remove(&e->order);
	d->count--;
}
