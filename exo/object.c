/* SPDX-License-Identifier: MIT */
/* The words that tell which objects are alive and how many uses are in progress (object.h). */
#include "kernel.h"

#define USERS_MASK 0xfffful
#define GENERATION_SHIFT 16

/* Any CPU: how often one was given. */
static _Atomic uint64_t generations;

_Alignas(64) _Atomic uint64_t stale_clock; /* many look, few count */

/* Of an object that is alive, with no users and a generation that nothing has had. */
static uint64_t word_make(void)
{
	uint64_t generation = atomic_fetch_add(&generations, 1);

	return FRAME_PRIVATE_OBJECT | generation << GENERATION_SHIFT;
}

/* With the mark, so that it is never 0, and the word of no object's is never equal to it. */
static uint64_t generation_of(uint64_t word)
{
	return word >> GENERATION_SHIFT;
}

static _Atomic uint64_t *word_of(uint64_t frame)
{
	ASSERT_INVARIANT(frame < frame_end);
	return &frame_private[frame];
}

bool object_is_live(uint64_t frame)
{
	return atomic_load(word_of(frame)) & FRAME_PRIVATE_OBJECT;
}

uint64_t object_generation(uint64_t frame)
{
	return generation_of(atomic_load(word_of(frame)));
}

/*
 * Why a reference taken here is good: taking it and reading the generation are one instruction,
 * and object_word_retire() changes a word only from {live, one user}.  So either the retire came
 * first, and we see another word, which is left as it is; or we came first, and the retire finds two
 * users and refuses.
 */
static bool get(uint64_t frame, unsigned shift, uint64_t expected)
{
	_Atomic uint64_t *place = word_of(frame);
	uint64_t word = atomic_load(place);

	do {
		if (word >> shift != expected)
			return false;
	} while (!atomic_compare_exchange_weak(place, &word, word + 1));
	return true;
}

bool object_word_get(uint64_t frame, uint64_t generation)
{
	return get(frame, GENERATION_SHIFT, generation);
}

bool object_word_get_live(uint64_t frame)
{
	return get(frame, 63, 1);
}

void object_word_put(uint64_t frame)
{
	uint64_t word = atomic_fetch_sub(word_of(frame), 1);

	ASSERT_INVARIANT((word & FRAME_PRIVATE_OBJECT) && (word & USERS_MASK) > 0);
	(void)word;
}

void object_word_start(uint64_t frame)
{
	ASSERT_INVARIANT(atomic_load(word_of(frame)) == 0);
	atomic_store(word_of(frame), word_make() + 1);
}

uint64_t object_word_retire(uint64_t frame)
{
	uint64_t word = atomic_load(word_of(frame));

	ASSERT_INVARIANT((word & FRAME_PRIVATE_OBJECT) && (word & USERS_MASK) > 0);
	if ((word & USERS_MASK) != 1 || !atomic_compare_exchange_strong(word_of(frame), &word, 0))
		return 0;
	return generation_of(word);
}

void object_word_revive(uint64_t frame, uint64_t generation)
{
	ASSERT_INVARIANT(atomic_load(word_of(frame)) == 0);
	atomic_store(word_of(frame), generation << GENERATION_SHIFT);
}

uint64_t object_word_renew(uint64_t frame, uint64_t generation)
{
	uint64_t word = atomic_load(word_of(frame)), fresh = word_make();

	ASSERT_INVARIANT(word & FRAME_PRIVATE_OBJECT);
	do {
		if (generation_of(word) != generation)
			return 0;
	} while (!atomic_compare_exchange_weak(word_of(frame), &word, fresh | (word & USERS_MASK)));
	atomic_fetch_add(&stale_clock, 1);
	return generation_of(fresh);
}

void object_init(struct object *o, enum object_kind kind, struct domain *owner, uint64_t frame)
{
	ASSERT_INVARIANT(frame_word_type(frame_word(frame)) == EXO_FRAME_KERNEL);
	*o = (struct object){ .kind = kind, .owner = owner, .frame = frame };
	object_word_start(frame);
}

void object_get(struct object *o)
{
	uint64_t word = atomic_fetch_add(word_of(o->frame), 1);

	ASSERT_INVARIANT(word & FRAME_PRIVATE_OBJECT);
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

/* Only while it is kept alive is what the frame says of it true.  Others' objects are let alone, so that
 * nobody who would end one finds it in use. */
struct object *object_find(const struct domain *d, uint64_t frame)
{
	struct object *o = frame_pointer(frame);

	if (frame < MACHINE_FRAMES_END || !object_is_live(frame) || o->owner != d ||
	    !object_word_get_live(frame))
		return NULL;
	if (o->owner == d)
		return o;
	object_put(o);
	return NULL;
}
