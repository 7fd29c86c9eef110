/* SPDX-License-Identifier: MIT */
/* The words that tell which objects are alive and how many uses are in progress (object.h). */
#include "kernel.h"

#define USERS_MASK 0xfffful
#define GENERATION_STEP (1ul << 16)

static uint64_t generation_of(uint64_t word)
{
	return word >> 16;
}

static _Atomic uint64_t *word_of(uint64_t frame)
{
	ASSERT_INVARIANT(frame < frame_end);
	return &frame_private[frame].object;
}

bool object_is_live(uint64_t frame)
{
	return generation_of(atomic_load(word_of(frame))) & 1;
}

uint64_t object_generation(uint64_t frame)
{
	return generation_of(atomic_load(word_of(frame)));
}

/*
 * Why a reference taken here is good: taking it and reading the generation are one instruction,
 * and object_word_retire() changes a word only from {live, one user}.  So either the retire came
 * first, and we see another generation and give the reference back; or we came first, and the
 * retire finds two users and refuses.  The reference that we hold for an instant on a frame that
 * is something else by now can at worst make a concurrent retire of that new object refuse.
 */
bool object_word_get(uint64_t frame, uint64_t generation)
{
	uint64_t word = atomic_fetch_add(word_of(frame), 1);

	if (generation_of(word) == generation && (generation & 1))
		return true;
	atomic_fetch_sub(word_of(frame), 1);
	return false;
}

bool object_word_get_live(uint64_t frame)
{
	if (generation_of(atomic_fetch_add(word_of(frame), 1)) & 1)
		return true;
	atomic_fetch_sub(word_of(frame), 1);
	return false;
}

void object_word_put(uint64_t frame)
{
	uint64_t word = atomic_fetch_sub(word_of(frame), 1);

	ASSERT_INVARIANT((word & USERS_MASK) > 0);
	(void)word;
}

bool object_word_start(uint64_t frame)
{
	uint64_t word = atomic_load(word_of(frame));

	do {
		if (generation_of(word) & 1)
			return false;
	} while (!atomic_compare_exchange_weak(word_of(frame), &word, word + GENERATION_STEP + 1));
	return true;
}

bool object_word_retire(uint64_t frame)
{
	uint64_t word = atomic_load(word_of(frame));

	ASSERT_INVARIANT((generation_of(word) & 1) && (word & USERS_MASK) > 0);
	if ((word & USERS_MASK) != 1)
		return false;
	return atomic_compare_exchange_strong(word_of(frame), &word, word - 1 + GENERATION_STEP);
}

bool object_word_advance(uint64_t frame, uint64_t generation, int64_t by)
{
	uint64_t word = atomic_load(word_of(frame));

	do {
		if (generation_of(word) != generation)
			return false;
	} while (!atomic_compare_exchange_weak(word_of(frame), &word, word + by * GENERATION_STEP));
	return true;
}

void object_init(struct object *o, enum object_kind kind, struct domain *owner, uint64_t frame)
{
	ASSERT_INVARIANT(frame_word_type(frame_word(frame)) == EXO_FRAME_KERNEL);
	*o = (struct object){ .kind = kind, .owner = owner, .frame = frame };
	if (!object_word_start(frame))
		BUG(); /* a claimed frame holds nothing that is alive */
}

void object_get(struct object *o)
{
	uint64_t word = atomic_fetch_add(word_of(o->frame), 1);

	ASSERT_INVARIANT(generation_of(word) & 1);
	(void)word;
}

void object_put(struct object *o)
{
	object_word_put(o->frame);
}

unsigned object_users(const struct object *o)
{
	return atomic_load(word_of(o->frame)) & USERS_MASK;
}
