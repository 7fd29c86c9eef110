/* SPDX-License-Identifier: MIT */
/* Directories as hash tries; see directory.h for the shape. */
#include "fs/directory.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"

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

/* The last 1 to 7 bytes of a name as a number: other bytes, another number; of one length.  Some are in it
 * twice. */
static uint64_t tail_of(const char *name, size_t length)
{
	uint32_t first, last;
	uint16_t two, last_two;

	if (length >= 4) {
		__builtin_memcpy(&first, name, 4);
		__builtin_memcpy(&last, name + length - 4, 4);
		return first | (uint64_t)last << 32;
	}
	if (length == 1)
		return (uint8_t)*name;
	__builtin_memcpy(&two, name, 2);
	__builtin_memcpy(&last_two, name + length - 2, 2);
	return two | (uint32_t)last_two << 16;
}

/*
 * Eight bytes at a time, then what is left.  The product's high half is folded in, since the low
 * bits choose the first slots and must depend on all.
 */
static uint32_t hash_name(const char *name, size_t length)
{
	const uint64_t odd = 0x9e3779b97f4a7c15ul;
	uint64_t h = length, word;

	for (; length >= 8; name += 8, length -= 8) {
		__builtin_memcpy(&word, name, 8);
		h = (h ^ word) * odd;
		h ^= h >> 32;
	}
	h = (h ^ (length ? tail_of(name, length) : 0)) * odd;
	return (uint32_t)(h ^ h >> 32);
}

static bool name_is(const struct directory_entry *e, const char *name, size_t length)
{
	const char *other = e->name;
	uint64_t a, b;

	if (e->length != length)
		return false;
	for (; length >= 8; name += 8, other += 8, length -= 8) {
		__builtin_memcpy(&a, name, 8);
		__builtin_memcpy(&b, other, 8);
		if (a != b)
			return false;
	}
	return length == 0 || tail_of(name, length) == tail_of(other, length);
}

struct directory_entry *directory_entry_create(const char *name, size_t length)
{
	struct directory_entry *e = heap_alloc(sizeof(*e) + length);

	if (!e)
		return NULL;
	memcpy(e->name, name, length);
	e->length = (uint8_t)length;
	e->hash = hash_name(name, length);
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
	uint32_t hash = hash_name(name, length);
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
