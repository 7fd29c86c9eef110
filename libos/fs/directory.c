/* SPDX-License-Identifier: MIT */
/* Directories as hash tries; see directory.h for the shape. */
#include "fs/directory.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/name_words.h"
#include "fs/space.h"

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
	list_init(&d->groups);
	d->next_position = DIRECTORY_FIRST_POSITION;
	return d;
}

void directory_free(struct directory *d)
{
	heap_free(d);
}

/* Fixed after start; others than these only need to be unknown. */
static uint64_t hash_secret[2] = { 0xa0761d6478bd642ful, 0xe7037ed1a0b428dbul };

void directory_set_secret(const uint64_t secret[2])
{
	hash_secret[0] = secret[0];
	hash_secret[1] = secret[1] | 1;
}

/* Both halves of a product depend on the secret factor in all bits of `a`: there is no other word that is
 * known to lead to the same, nor a difference that is known to come out (as there is of the low half alone,
 * where the highest bit changes the highest bit). */
static uint64_t mix(uint64_t a)
{
	unsigned __int128 product = (unsigned __int128)a * hash_secret[1];

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_of(const char *name, size_t length)
{
	uint64_t h = hash_secret[0] ^ length, word;

	for (; length >= 8; name += 8, length -= 8) {
		__builtin_memcpy(&word, name, 8);
		h = mix(h ^ word);
	}
	return (uint32_t)mix(h ^ (length ? name_tail(name, length) : 0));
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

static struct directory_node *node_create(int *error)
{
	struct directory_node *node;

	*error = -ENOSPC;
	if (!space_charge(sizeof(*node)))
		return NULL;
	node = heap_alloc(sizeof(*node));
	*error = -ENOMEM;
	if (!node)
		space_uncharge(sizeof(*node));
	return node;
}

static void node_free(struct directory_node *node)
{
	heap_free(node);
	space_uncharge(sizeof(*node));
}

/*
 * Two different hashes differ in some level's bits, so an entry is pushed down at most LEVELS - 1
 * times before the two part.  Nodes that were made for nothing stay above the other entry, and go with it.
 */
int directory_insert(struct directory *d, struct directory_entry *e)
{
	struct directory_node *node = &d->top, *below;
	struct directory_entry *other;
	uintptr_t *slot;
	int error;

	for (unsigned level = 0;; level++) {
		slot = &node->slot[slot_index(e->hash, level)];
		if (is_node(*slot)) {
			node = as_node(*slot);
			continue;
		}
		other = (struct directory_entry *)*slot;
		if (!other || other->hash == e->hash)
			break;
		below = node_create(&error);
		if (!below)
			return error;
		below->slot[slot_index(other->hash, level + 1)] = *slot;
		*slot = (uintptr_t)below | NODE_TAG;
		node = below;
	}
	error = directory_order_append(d, e);
	if (error)
		return error;
	e->same_hash = (struct directory_entry *)*slot;
	*slot = (uintptr_t)e;
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
		node_free(as_node(*path[depth]));
		*path[depth] = 0;
	}
	directory_order_remove(d, e);
	d->count--;
}
