/* SPDX-License-Identifier: MIT */
/* The frame table: applies the steps of frame_word.h to the words of all frames. */
#include "kernel.h"
#include "boot_info.h"

uint64_t frame_end;
_Atomic uint64_t *frame_private;

_Atomic uint64_t *frame_words;
_Static_assert(sizeof(struct exo_frame_info) == sizeof(uint64_t), "an entry is one word");

struct exo_range frame_table_frames;

/* A write here is an interrupt; the local APICs' registers lie here too. */
#define INTERRUPT_WINDOW 0xfee00000ul
#define INTERRUPT_WINDOW_END 0xfef00000ul

void frame_table_place(uint64_t first, uint64_t count)
{
	frame_table_frames = (struct exo_range){ first, count };
	frame_words = frame_pointer(first);
	frame_private = frame_pointer(first + count);
}

void frame_assign(uint64_t first, uint64_t end, uint16_t owner, enum exo_frame_type type)
{
	for (uint64_t at = first; at < end; at++)
		atomic_store_explicit(&frame_words[at], frame_word_make(owner, type), memory_order_relaxed);
}

inline uint64_t frame_word(uint64_t frame)
{
	return __builtin_expect(frame < frame_end, true) ? atomic_load(&frame_words[frame]) : 0;
}

uint64_t frame_run_end(uint64_t first)
{
	_Atomic uint64_t *at = &frame_words[first], *end = &frame_words[frame_end];
	uint64_t word = *at;

	while (at < end && atomic_load_explicit(at, memory_order_relaxed) == word)
		at++;
	return at - frame_words;
}

bool frame_is_ram(uint64_t frame)
{
	return frame_word_type(frame_word(frame)) != EXO_FRAME_NONE;
}

bool frame_is_device(uint64_t frame)
{
	const struct acpi_info *acpi = &boot_info.acpi;
	uint64_t address = frame << EXO_PAGE_SHIFT;

	if (frame_is_ram(frame) || frame >> (cpu_features.physical_bits - EXO_PAGE_SHIFT))
		return false;
	if (address >= INTERRUPT_WINDOW && address < INTERRUPT_WINDOW_END)
		return false;
	for (unsigned i = 0; i < acpi->ioapic_count; i++)
		if (acpi->ioapics[i].address >> EXO_PAGE_SHIFT == frame)
			return false;
	return frame != acpi->lapic_address >> EXO_PAGE_SHIFT;
}

/* Applies a step of frame_word.h, an expression of `old`, until no other CPU's comes in between.
 * The result is the new word, or FRAME_WORD_REFUSED and nothing has changed. */
#define FRAME_STEP(frame, step) FRAME_STEP_FROM(frame, frame_word(frame), step)
/* The same for who has just seen the word. */
#define FRAME_STEP_FROM(frame, seen, step)                                                       \
	({                                                                                       \
		uint64_t old = (seen), new;                                                      \
		do                                                                               \
			new = (step);                                                            \
		while (new != FRAME_WORD_REFUSED &&                                              \
		       !atomic_compare_exchange_weak(&frame_words[frame], &old, new));           \
		ASSERT_INVARIANT(new == FRAME_WORD_REFUSED || frame_word_ok(new));               \
		new;                                                                             \
	})

inline bool frame_map(uint64_t frame, uint16_t frame_owner, uint16_t space_owner)
{
	return FRAME_STEP(frame, frame_word_map(old, frame_owner, space_owner)) != FRAME_WORD_REFUSED;
}

inline uint64_t frame_unmap(uint64_t frame, uint64_t seen, uint16_t space_owner)
{
	uint64_t word = FRAME_STEP_FROM(frame, seen, frame_word_unmap(old, space_owner));

	if (word == FRAME_WORD_REFUSED)
		BUG(); /* an entry existed, so it was counted */
	return word;
}

unsigned frame_unmap_easy(uint64_t *frames, unsigned count, uint32_t unused)
{
	uint64_t end = frame_end, less = -FRAME_WORD_MAP;
	_Atomic uint64_t *words = frame_words;
	unsigned left = 0;

	asm("" : "+r"(less)); /* kept in a register */
	for (unsigned i = 0; i < count; i++) {
		uint64_t frame = frames[i], seen = frame < end ? atomic_load(&words[frame]) : 0;

		if ((uint32_t)seen != unused || seen < 2 * FRAME_WORD_MAP ||
		    !atomic_compare_exchange_strong(&words[frame], &seen, seen + less))
			frames[left++] = frame;
	}
	return left;
}

bool frame_table_share(uint64_t frame)
{
	return FRAME_STEP(frame, frame_word_share(old)) != FRAME_WORD_REFUSED;
}

bool frame_table_leave(uint64_t frame)
{
	return FRAME_STEP(frame, frame_word_unmap(old, frame_word_owner(old))) != FRAME_WORD_REFUSED;
}

inline bool frame_pin(uint64_t frame, uint16_t owner)
{
	return FRAME_STEP(frame, frame_word_pin(old, owner)) != FRAME_WORD_REFUSED;
}

void frame_unpin(uint64_t frame)
{
	if (FRAME_STEP(frame, frame_word_unpin(old)) == FRAME_WORD_REFUSED)
		BUG();
}

/*
 * Why the TLB stamp is looked at after the compare-and-swap: before it, another CPU of the owner
 * could map and unmap the frame between our look and our swap, leaving the same word and a new
 * stamp.  Once the frame is the kernel's nobody can map it, and every stamp that it will ever get
 * as a user page was written before its map count was brought down, which our swap has read.  So its
 * private word is 0 from now on, until it gets an object's or is mapped again.
 */
int frame_claim(uint64_t frame, uint16_t owner, enum exo_frame_type type)
{
	uint64_t seen = frame_word(frame);

	if (frame_word_type(seen) != EXO_FRAME_USER || frame_word_owner(seen) != owner)
		return -EPERM;
	if (FRAME_STEP(frame, frame_word_claim(old, owner, type)) == FRAME_WORD_REFUSED)
		return -EBUSY;
	if (tlb_frame_acknowledged(frame))
		return 0;
	frame_release(frame);
	return -EAGAIN;
}

bool frame_revoke(uint64_t frame, uint16_t owner)
{
	return FRAME_STEP(frame, frame_word_revoke(old, owner)) != FRAME_WORD_REFUSED;
}

bool frame_seize(uint64_t frame, uint16_t owner)
{
	return frame_word_maps(frame_word(frame)) == 0 && tlb_frame_acknowledged(frame) &&
	       FRAME_STEP(frame, frame_word_seize(old, owner)) != FRAME_WORD_REFUSED;
}

int frame_claim_all(const uint64_t *frames, unsigned count, uint16_t owner,
		    enum exo_frame_type type, enum exo_frame_type last_type)
{
	for (unsigned i = 0; i < count; i++) {
		int error = frame_claim(frames[i], owner, i + 1 < count ? type : last_type);

		if (error) {
			frame_release_all(frames, i);
			return error;
		}
	}
	return 0;
}

void frame_release_all(const uint64_t *frames, unsigned count)
{
	while (count > 0)
		frame_release(frames[--count]);
}

void frame_release_to(uint64_t frame, uint16_t new_owner)
{
	ASSERT_INVARIANT(!object_is_live(frame));
	if (FRAME_STEP(frame, frame_word_release(old, new_owner)) == FRAME_WORD_REFUSED)
		BUG();
}

void frame_unshare(uint64_t frame)
{
	if (FRAME_STEP(frame, frame_word_unshare(old)) == FRAME_WORD_REFUSED)
		BUG();
}

/* A PINNED page may be mapped, by its owner, from the moment that it is one. */
void frame_release(uint64_t frame)
{
	uint64_t word = frame_word(frame);

	if (frame_word_type(word) == EXO_FRAME_PINNED)
		frame_unshare(frame);
	else
		frame_release_to(frame, frame_word_owner(word));
}

void frame_zero(uint64_t frame)
{
	page_zero(frame_pointer(frame));
}

void frame_copy(uint64_t to_frame, uint64_t from_frame)
{
	void *to = frame_pointer(to_frame);
	const void *from = frame_pointer(from_frame);
	uint64_t words = EXO_PAGE_SIZE / sizeof(uint64_t);

	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}
