/* SPDX-License-Identifier: MIT */
/* The steps of a frame table entry. */
#include "frame_word.h"

#define PIN (1ul << 24)
#define MAP FRAME_WORD_MAP
#define PINS_MAX 0xffu
#define MAPS_MAX 0xffffffffu
#define OWNER_AND_TYPE 0xfffffful

bool frame_word_ok(uint64_t word)
{
	switch (frame_word_type(word)) {
	case EXO_FRAME_NONE:
	case EXO_FRAME_FREE:
		return word == frame_word_make(0, frame_word_type(word));
	case EXO_FRAME_KERNEL:
		return frame_word_pins(word) == 0 && frame_word_maps(word) == 0;
	case EXO_FRAME_TABLE:
		return frame_word_pins(word) == 0;
	case EXO_FRAME_REVOKED:
		return frame_word_owner(word) != 0 && frame_word_pins(word) == 0;
	case EXO_FRAME_USER:
		return frame_word_owner(word) != 0;
	case EXO_FRAME_PINNED:
		return true;
	}
	return false;
}

/* Do entries in spaces of this domain take a pin?  Nearly all are of its own frames. */
static bool borrows(uint64_t word, uint16_t space_owner)
{
	return __builtin_expect(frame_word_owner(word) != space_owner, false) && frame_word_owner(word) != 0;
}

uint64_t frame_word_map(uint64_t word, uint16_t frame_owner, uint16_t space_owner)
{
	uint64_t what = word & OWNER_AND_TYPE;
	bool pin = frame_owner != space_owner && borrows(word, space_owner);

	if (__builtin_expect(what != frame_word_make(frame_owner, EXO_FRAME_USER), false) &&
	    what != frame_word_make(frame_owner, EXO_FRAME_PINNED))
		return FRAME_WORD_REFUSED;
	if (word + MAP < MAP || (pin && frame_word_pins(word) == PINS_MAX))
		return FRAME_WORD_REFUSED;
	return word + MAP + (pin ? PIN : 0);
}

uint64_t frame_word_unmap(uint64_t word, uint16_t space_owner)
{
	if (frame_word_maps(word) == 0 || (borrows(word, space_owner) && frame_word_pins(word) == 0))
		return FRAME_WORD_REFUSED;
	return word - MAP - (borrows(word, space_owner) ? PIN : 0);
}

uint64_t frame_word_share(uint64_t word)
{
	bool may = frame_word_type(word) == EXO_FRAME_TABLE && frame_word_maps(word) < MAPS_MAX;

	return may ? word + MAP : FRAME_WORD_REFUSED;
}

uint64_t frame_word_pin(uint64_t word, uint16_t owner)
{
	if (frame_word_type(word) != EXO_FRAME_USER || frame_word_owner(word) != owner ||
	    frame_word_pins(word) == PINS_MAX)
		return FRAME_WORD_REFUSED;
	return word + PIN;
}

uint64_t frame_word_unpin(uint64_t word)
{
	return frame_word_pins(word) == 0 ? FRAME_WORD_REFUSED : word - PIN;
}

uint64_t frame_word_claim(uint64_t word, uint16_t owner, enum exo_frame_type type)
{
	bool may = word == frame_word_make(owner, EXO_FRAME_USER);

	return may ? frame_word_make(owner, type) : FRAME_WORD_REFUSED;
}

uint64_t frame_word_revoke(uint64_t word, uint16_t owner)
{
	if (frame_word_type(word) != EXO_FRAME_USER || frame_word_owner(word) != owner ||
	    frame_word_pins(word) != 0)
		return FRAME_WORD_REFUSED;
	return word ^ frame_word_make(0, EXO_FRAME_USER ^ EXO_FRAME_REVOKED);
}

uint64_t frame_word_seize(uint64_t word, uint16_t owner)
{
	enum exo_frame_type type = frame_word_type(word);

	if ((type != EXO_FRAME_USER && type != EXO_FRAME_REVOKED) || frame_word_owner(word) != owner ||
	    frame_word_maps(word) != 0)
		return FRAME_WORD_REFUSED;
	return frame_word_make(owner, EXO_FRAME_KERNEL);
}

uint64_t frame_word_release(uint64_t word, uint16_t new_owner)
{
	enum exo_frame_type type = frame_word_type(word);

	if (type != EXO_FRAME_KERNEL && type != EXO_FRAME_TABLE && type != EXO_FRAME_PINNED)
		return FRAME_WORD_REFUSED;
	if (frame_word_maps(word) != 0 || frame_word_pins(word) != 0)
		return FRAME_WORD_REFUSED;
	return frame_word_make(new_owner, new_owner ? EXO_FRAME_USER : EXO_FRAME_FREE);
}

uint64_t frame_word_unshare(uint64_t word)
{
	if (frame_word_type(word) != EXO_FRAME_PINNED)
		return FRAME_WORD_REFUSED;
	return word - frame_word_make(0, EXO_FRAME_PINNED) + frame_word_make(0, EXO_FRAME_USER);
}
