/* SPDX-License-Identifier: MIT */
/*
 * A directory's names: found by name and by position, whatever comes and goes; what they need is charged; and
 * nobody can choose names that share a hash.
 * libos/fs/directory.c libos/fs/directory_order.c libos/fs/space.c */
#include <stdlib.h>
#include <string.h>
#include "libos_shim.h"
#include "check.h"
#include "fs/directory.h"
#include "fs/space.h"

#define ROUNDS 60000
#define NAMES 3000
#define LONG_NAME 240

static struct directory *d;
static struct directory_entry *there[NAMES]; /* by number; NULL: it is not there */
static unsigned random_state = 1;

static unsigned below(unsigned n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (unsigned)((uint64_t)random_state * n >> 32);
}

static void start(void)
{
	space_init(64ul << 20);
	memset(there, 0, sizeof(there));
	d = directory_create();
}

static size_t name_of(unsigned n, char name[32])
{
	return (size_t)sprintf(name, "name-%u", n);
}

static void insert(unsigned n)
{
	char name[32];
	size_t length = name_of(n, name);

	there[n] = directory_entry_create(name, length);
	CHECK_EQ(directory_insert(d, there[n]), 0);
}

static void take_out(unsigned n)
{
	directory_remove(d, there[n]);
	heap_free(there[n]);
	there[n] = NULL;
}

static void end(void)
{
	for (unsigned n = 0; n < NAMES; n++)
		if (there[n])
			take_out(n);
	CHECK_EQ(d->count, 0);
	CHECK(list_empty(&d->order) && list_empty(&d->groups));
	CHECK_EQ(space_usage().used_bytes, 0);
	directory_free(d);
}

static uint64_t count_nodes(const struct directory_node *node)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DIRECTORY_SLOTS; i++)
		if (node->slot[i] & 1)
			n += 1 + count_nodes((const void *)(node->slot[i] & ~1ul));
	return n;
}

static uint64_t count_groups(void)
{
	uint64_t n = 0;

	list_for_each(link, &d->groups)
		n++;
	return n;
}

/* The entry at or behind a position, found the long way. */
static struct directory_entry *search(uint64_t position)
{
	list_for_each(link, &d->order) {
		struct directory_entry *e = list_entry(link, struct directory_entry, order);

		if (e->position >= position)
			return e;
	}
	return NULL;
}

static void every_position_is_found(void)
{
	start();
	for (int round = 0; round < ROUNDS; round++) {
		unsigned n = below(NAMES);

		/* Now and then it is nearly emptied, so that groups end. */
		if (there[n] && (round / 5000 % 2 || below(2)))
			take_out(n);
		else if (!there[n])
			insert(n);
		if (round % 16)
			continue;
		uint64_t position = below((unsigned)d->next_position + 600);

		CHECK(directory_from(d, position) == search(position));
	}
	CHECK(directory_from(d, 0) == search(0) && !directory_from(d, d->next_position));
	end();
}

static void every_name_is_found(void)
{
	char name[32];

	start();
	for (int round = 0; round < ROUNDS; round++) {
		unsigned n = below(NAMES);
		size_t length = name_of(n, name);

		CHECK(directory_find(d, name, length) == there[n]);
		if (there[n])
			take_out(n);
		else
			insert(n);
	}
	end();
}

static void all_that_is_needed_is_charged(void)
{
	start();
	for (int round = 0; round < ROUNDS; round++) {
		unsigned n = below(NAMES);

		if (there[n])
			take_out(n);
		else
			insert(n);
		if (round % 1000 == 0)
			CHECK_EQ(space_usage().used_bytes,
				 count_nodes(&d->top) * sizeof(struct directory_node) +
					 count_groups() * sizeof(struct directory_group));
	}
	end();
}

static void without_room_nothing_is_inserted(void)
{
	char name[32];
	unsigned refused = 0;

	start();
	space_init(4096);
	for (unsigned n = 0; n < NAMES; n++) {
		size_t length = name_of(n, name);
		struct directory_entry *e = directory_entry_create(name, length);
		int error = directory_insert(d, e);

		CHECK(space_usage().used_bytes <= 4096);
		CHECK((error == 0) == (directory_find(d, name, length) == e));
		if (error == 0) {
			there[n] = e;
			continue;
		}
		CHECK_EQ(error, -ENOSPC);
		heap_free(e);
		refused++;
	}
	CHECK(refused > 0);
	end();
}

static uint32_t hash_of_name(const char *name)
{
	struct directory_entry *e = directory_entry_create(name, strlen(name));
	uint32_t hash = e->hash;

	heap_free(e);
	return hash;
}

/*
 * With products of which only the low half counts, the highest bit of one word and two bits of the next one
 * change nothing, whatever the secret is: names of 240 bytes would have 2^15 like them.
 */
static void differences_do_not_cancel_out(void)
{
	char one[LONG_NAME + 1] = "", other[LONG_NAME + 1] = "";
	unsigned same = 0;

	for (int pair = 0; pair < 1000; pair++) {
		for (int i = 0; i < LONG_NAME; i++)
			one[i] = other[i] = (char)('a' + below(26));
		unsigned at = below(LONG_NAME / 16) * 16;

		other[at + 7] ^= (char)0x80;
		other[at + 15] ^= (char)0x80;
		other[at + 11] ^= (char)0x80;
		same += hash_of_name(one) == hash_of_name(other);
	}
	CHECK_EQ(same, 0);
}

static void another_secret_is_another_hash(void)
{
	const uint64_t secrets[2][2] = { { 1, 2 }, { 0x123456789abcdef, 0xfedcba987654321 } };
	uint32_t hashes[2][NAMES];
	unsigned same = 0;
	char name[32];

	for (int s = 0; s < 2; s++) {
		directory_set_secret(secrets[s]);
		for (unsigned n = 0; n < NAMES; n++) {
			name_of(n, name);
			hashes[s][n] = hash_of_name(name);
		}
	}
	for (unsigned n = 0; n < NAMES; n++)
		same += hashes[0][n] == hashes[1][n];
	CHECK(same < 2);
}

int main(void)
{
	RUN(every_position_is_found);
	RUN(every_name_is_found);
	RUN(all_that_is_needed_is_charged);
	RUN(without_room_nothing_is_inserted);
	RUN(differences_do_not_cancel_out);
	RUN(another_secret_is_another_hash);
	return check_result();
}
