/* SPDX-License-Identifier: MIT */
/* The steps of a frame table entry: exo/frame_word.c.  I9 after every step. */
#include <stdlib.h>
#include "check.h"
#include "frame_word.h"

enum { ME = 1, OTHER = 2 };

static uint64_t user(uint16_t owner)
{
	return frame_word_make(owner, EXO_FRAME_USER);
}

static void owner_maps_without_pins(void)
{
	uint64_t word = frame_word_map(user(ME), ME, ME);

	CHECK_EQ(frame_word_maps(word), 1);
	CHECK_EQ(frame_word_pins(word), 0);
	CHECK(frame_word_unmap(word, ME) == user(ME));
}

static void borrower_maps_with_a_pin(void)
{
	uint64_t word = frame_word_map(user(ME), ME, OTHER);

	CHECK_EQ(frame_word_maps(word), 1);
	CHECK_EQ(frame_word_pins(word), 1);
	CHECK(frame_word_unmap(word, OTHER) == user(ME));
}

static void only_the_named_owner_s_frames_are_mapped(void)
{
	CHECK(frame_word_map(user(ME), OTHER, OTHER) == FRAME_WORD_REFUSED);
	CHECK(frame_word_map(user(ME), 0, OTHER) == FRAME_WORD_REFUSED);
	CHECK(frame_word_map(0, 0, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_map(frame_word_make(0, EXO_FRAME_FREE), 0, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_map(frame_word_make(ME, EXO_FRAME_KERNEL), ME, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_map(frame_word_make(ME, EXO_FRAME_TABLE), ME, ME) == FRAME_WORD_REFUSED);
}

static void the_frame_table_is_mapped_by_all_without_pins(void)
{
	uint64_t table = frame_word_make(0, EXO_FRAME_PINNED);
	uint64_t word = frame_word_map(table, 0, ME);

	CHECK_EQ(frame_word_pins(word), 0);
	word = frame_word_map(word, 0, OTHER);
	CHECK_EQ(frame_word_maps(word), 2);
	CHECK(frame_word_claim(word, 0, EXO_FRAME_KERNEL) == FRAME_WORD_REFUSED);
}

static void counts_do_not_overflow(void)
{
	uint64_t full_maps = user(ME) | 0xffffffffull << 32, full_pins = user(ME) | 0xffull << 24;

	CHECK(frame_word_map(full_maps, ME, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_map(full_pins, ME, OTHER) == FRAME_WORD_REFUSED);
	CHECK(frame_word_pin(full_pins, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_unmap(user(ME), ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_unpin(user(ME)) == FRAME_WORD_REFUSED);
}

static void a_frame_without_an_owner_is_only_free(void)
{
	uint64_t free = frame_word_make(0, EXO_FRAME_FREE),
		 kernel = frame_word_make(ME, EXO_FRAME_KERNEL);

	CHECK(frame_word_release(kernel, 0) == free);
	CHECK(frame_word_ok(free) && frame_word_ok(frame_word_make(0, EXO_FRAME_NONE)));
	CHECK(!frame_word_ok(frame_word_make(ME, EXO_FRAME_FREE)));
	CHECK(frame_word_ok(kernel));
	CHECK(!frame_word_ok(kernel | 1ull << 32) && !frame_word_ok(kernel | 1ull << 24));
}

static void a_used_frame_is_not_retyped(void)
{
	uint64_t mapped = frame_word_map(user(ME), ME, ME), pinned = frame_word_pin(user(ME), ME);

	CHECK(frame_word_claim(mapped, ME, EXO_FRAME_TABLE) == FRAME_WORD_REFUSED);
	CHECK(frame_word_claim(pinned, ME, EXO_FRAME_TABLE) == FRAME_WORD_REFUSED);
	CHECK(frame_word_claim(user(OTHER), ME, EXO_FRAME_TABLE) == FRAME_WORD_REFUSED);
	CHECK(frame_word_claim(user(ME), ME, EXO_FRAME_TABLE) ==
	      frame_word_make(ME, EXO_FRAME_TABLE));
	CHECK(frame_word_release(frame_word_make(ME, EXO_FRAME_TABLE), OTHER) == user(OTHER));
	CHECK(frame_word_release(user(ME), ME) == FRAME_WORD_REFUSED);
}

/* Mapped by a borrower, as the page of a vcore is by its domain. */
static void a_page_is_no_longer_shared_with_the_kernel(void)
{
	uint64_t pinned = frame_word_claim(user(ME), ME, EXO_FRAME_PINNED);

	CHECK(frame_word_unshare(pinned) == user(ME));
	CHECK(frame_word_unshare(frame_word_map(pinned, ME, OTHER)) ==
	      frame_word_map(user(ME), ME, OTHER));
	CHECK(frame_word_unshare(user(ME)) == FRAME_WORD_REFUSED);
}

static void a_dead_owner_s_frame_is_seized_when_unmapped(void)
{
	uint64_t lent = frame_word_pin(user(ME), ME), borrowed = frame_word_map(lent, ME, OTHER);

	CHECK(frame_word_seize(borrowed, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_seize(lent, ME) == frame_word_make(ME, EXO_FRAME_KERNEL));
	CHECK(frame_word_seize(lent, OTHER) == FRAME_WORD_REFUSED);
}

/* It is the page of a vcore that another domain has: the kernel writes to it as long as that is there. */
static void a_page_that_the_kernel_shares_is_not_seized(void)
{
	uint64_t shared = frame_word_claim(user(ME), ME, EXO_FRAME_PINNED);

	CHECK(frame_word_seize(shared, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_seize(frame_word_unshare(shared), ME) == frame_word_make(ME, EXO_FRAME_KERNEL));
}

static void a_revoked_frame_can_only_be_unmapped_and_seized(void)
{
	uint64_t mapped = frame_word_map(user(ME), ME, ME), pinned = frame_word_pin(user(ME), ME);
	uint64_t word = frame_word_revoke(mapped, ME), free;

	CHECK(frame_word_ok(word));
	CHECK_EQ(frame_word_type(word), EXO_FRAME_REVOKED);
	CHECK_EQ(frame_word_maps(word), 1);
	CHECK(frame_word_map(word, ME, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_pin(word, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_seize(word, ME) == FRAME_WORD_REFUSED);
	free = frame_word_unmap(word, ME);
	CHECK(frame_word_claim(free, ME, EXO_FRAME_TABLE) == FRAME_WORD_REFUSED);
	CHECK(frame_word_release(free, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_seize(free, ME) == frame_word_make(ME, EXO_FRAME_KERNEL));
	CHECK(frame_word_revoke(free, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_revoke(pinned, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_revoke(user(ME), OTHER) == FRAME_WORD_REFUSED);
	CHECK(frame_word_revoke(frame_word_make(ME, EXO_FRAME_PINNED), ME) == FRAME_WORD_REFUSED);
}

static void a_shared_page_table_is_not_released(void)
{
	uint64_t table = frame_word_make(ME, EXO_FRAME_TABLE), shared = frame_word_share(table);

	CHECK(frame_word_ok(shared));
	CHECK_EQ(frame_word_maps(shared), 1);
	CHECK(frame_word_release(shared, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_unmap(shared, ME) == table);
	CHECK(frame_word_unmap(table, ME) == FRAME_WORD_REFUSED);
	CHECK(frame_word_share(user(ME)) == FRAME_WORD_REFUSED);
	CHECK(frame_word_share(table | 0xffffffffull << 32) == FRAME_WORD_REFUSED);
}

/* Random steps, beside counters kept the plain way. */
static void any_sequence_of_steps_keeps_the_counts_exact(void)
{
	unsigned maps[3] = { 0 }, pins = 0;
	uint64_t word = user(ME);

	srandom(1);
	for (unsigned i = 0; i < 200000; i++) {
		uint16_t who = random() % 2 ? ME : OTHER;
		uint64_t next = FRAME_WORD_REFUSED;

		switch (random() % 5) {
		case 0:
			next = frame_word_map(word, ME, who);
			maps[who] += next != FRAME_WORD_REFUSED;
			break;
		case 1:
			if (maps[who]) { /* the kernel unmaps only what an entry says */
				next = frame_word_unmap(word, who);
				CHECK(next != FRAME_WORD_REFUSED);
				maps[who]--;
			}
			break;
		case 2:
			next = frame_word_pin(word, ME);
			pins += next != FRAME_WORD_REFUSED;
			break;
		case 3:
			if (pins) {
				next = frame_word_unpin(word);
				CHECK(next != FRAME_WORD_REFUSED);
				pins--;
			}
			break;
		case 4:
			next = frame_word_claim(word, ME, EXO_FRAME_KERNEL);
			CHECK((next != FRAME_WORD_REFUSED) == !(maps[ME] || maps[OTHER] || pins));
			if (next != FRAME_WORD_REFUSED)
				next = frame_word_release(next, ME);
			break;
		}
		if (next != FRAME_WORD_REFUSED)
			word = next;
		CHECK(frame_word_ok(word));
		CHECK_EQ(frame_word_maps(word), maps[ME] + maps[OTHER]);
		CHECK_EQ(frame_word_pins(word), maps[OTHER] + pins);
	}
}

int main(void)
{
	RUN(owner_maps_without_pins);
	RUN(borrower_maps_with_a_pin);
	RUN(only_the_named_owner_s_frames_are_mapped);
	RUN(the_frame_table_is_mapped_by_all_without_pins);
	RUN(counts_do_not_overflow);
	RUN(a_frame_without_an_owner_is_only_free);
	RUN(a_used_frame_is_not_retyped);
	RUN(a_revoked_frame_can_only_be_unmapped_and_seized);
	RUN(a_shared_page_table_is_not_released);
	RUN(a_page_is_no_longer_shared_with_the_kernel);
	RUN(a_dead_owner_s_frame_is_seized_when_unmapped);
	RUN(a_page_that_the_kernel_shares_is_not_seized);
	RUN(any_sequence_of_steps_keeps_the_counts_exact);
	return check_result();
}
