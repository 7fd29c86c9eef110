/* SPDX-License-Identifier: MIT */
/* exo/handle.c, exo/object.c: who looks a handle up gets what it names, whole, or nothing; no object
 * dies under somebody who uses it; and a frame that holds none, or another one, is let alone
 */
#include <asm/errno.h>
#include "kernel_cpus.h"
#include "../../exo/handle.c"

enum { FRAMES = 8, THING = 2 };

#define STAMP (7ul << 16 | 3) /* of a TLB: nobody has acknowledged it */

static _Atomic uint64_t words[FRAMES];
_Atomic uint64_t *frame_private = words;
uint64_t frame_end = FRAMES;
static struct domain domain;
static struct vcore vcore;
static struct handle_slot page[HANDLE_SLOTS_PER_FRAME] __attribute__((aligned(64)));
static exo_handle first; /* of the case: what CPU 0 looks up */
static bool was_used, has_died;

/* ---------------------------------------------------------------- the rest of the kernel */

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

uint64_t frame_word(uint64_t frame)
{
	return frame_word_make(1, EXO_FRAME_KERNEL);
}

int frame_claim(uint64_t frame, uint16_t owner, enum exo_frame_type type)
{
	return 0;
}

void frame_zero(uint64_t frame)
{
}

void frame_release(uint64_t frame)
{
}

struct domain *domain_current(void)
{
	return &domain;
}

/* ---------------------------------------------------------------- the cases */

static exo_handle make(uint64_t value)
{
	int64_t slot = handle_reserve(&domain);

	EXPLORE_CHECK(slot > 0);
	return handle_fill(&domain, slot, OBJECT_PORTS, EXO_RIGHT_USE, THING, value, ~value);
}

static void setup(void)
{
	cpus_setup(2);
	cpu_blocks[0].current = cpu_blocks[1].current = &vcore;
	memset((void *)words, 0, sizeof(words));
	memset(&domain, 0, sizeof(domain));
	memset(page, 0, sizeof(page));
	domain.handles[0] = page;
	was_used = has_died = false;
	object_word_start(THING);
	domain.handle_hint = 1;
	first = make(1);
	domain.handle_hint = 1; /* so that the slot is used again at once */
	explore_name(&words[THING], sizeof(words[THING]), "word");
	explore_name(&page[1], sizeof(page[1]), "slot");
	explore_name(&domain.handle_hint, sizeof(domain.handle_hint), "hint");
	explore_name(&stale_clock, sizeof(stale_clock), "stale clock");
	explore_name(&was_used, sizeof(was_used), "was_used");
	explore_name(&has_died, sizeof(has_died), "has_died");
}

static void look(void)
{
	struct handle_view view;
	int error = handle_view(&domain, first, OBJECT_PORTS, EXO_RIGHT_USE, &view);

	EXPLORE_CHECK(error == 0 || error == -EBADF);
	if (error)
		return;
	EXPLORE_CHECK(view.first == 1 && view.count == ~1ul);
	EXPLORE_CHECK(!has_died);
	was_used = true;
	handle_view_put(&view);
}

static void a_slot_is_used_again(unsigned cpu)
{
	if (cpu == 0) {
		look();
		return;
	}
	EXPLORE_CHECK(handle_drop(&domain, first));
	make(2);
}

/* CPU 1 holds the object's first reference, and gives it up if nobody else has one. */
static void an_object_dies(unsigned cpu)
{
	if (cpu == 0)
		look();
	else if (object_word_retire(THING))
		has_died = true;
}

/* As before, and then the frame is memory, and leaves a space that another CPU has loaded. */
static void its_frame_becomes_memory(unsigned cpu)
{
	if (cpu == 0) {
		look();
	} else if (object_word_retire(THING)) {
		has_died = true;
		atomic_store(&words[THING], STAMP);
		EXPLORE_CHECK(atomic_load(&words[THING]) == STAMP);
	}
}

static void setup_memory(void)
{
	setup();
	EXPLORE_CHECK(object_word_retire(THING));
	has_died = true;
	atomic_store(&words[THING], STAMP);
}

/* The stamp has been acknowledged: a new object comes to life, and nobody but its maker has it. */
static void memory_becomes_an_object(unsigned cpu)
{
	if (cpu == 0) {
		look();
		return;
	}
	EXPLORE_CHECK(atomic_load(&words[THING]) == STAMP);
	atomic_store(&words[THING], 0);
	object_word_start(THING);
	EXPLORE_CHECK(object_word_retire(THING));
	EXPLORE_CHECK(atomic_load(&words[THING]) == 0);
}

/* CPU 1 holds the object's first reference. */
static void its_handles_become_stale(unsigned cpu)
{
	uint64_t before = object_generation(THING);

	if (cpu == 0)
		look();
	else
		EXPLORE_CHECK(object_word_renew(THING, before) != before);
}

static void it_is_alive_under_another_name(void)
{
	struct handle_view view;

	EXPLORE_CHECK(handle_view(&domain, first, OBJECT_PORTS, EXO_RIGHT_USE, &view) == -EBADF);
	EXPLORE_CHECK(object_word_retire(THING)); /* no reference is left but the first */
}

static void the_stamp_is_what_it_was(void)
{
	EXPLORE_CHECK(atomic_load(&words[THING]) == STAMP || !has_died);
}

static void nothing_is_left(void)
{
	EXPLORE_CHECK(!was_used && atomic_load(&words[THING]) == 0);
}

static void the_slot_is_the_second_handles(void)
{
	struct handle_view view;

	EXPLORE_CHECK(handle_view(&domain, first, OBJECT_PORTS, EXO_RIGHT_USE, &view) == -EBADF);
}

static void it_was_used_or_has_died(void)
{
	EXPLORE_CHECK(!was_used || !has_died || !object_is_live(THING));
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_slot_is_read_whole_or_not_at_all", 2, 4, 2, setup, a_slot_is_used_again,
		  the_slot_is_the_second_handles, NULL },
		{ "what_is_used_does_not_die", 2, 4, 1, setup, an_object_dies,
		  it_was_used_or_has_died, NULL },
		{ "a_stale_look_up_leaves_a_stamp_alone", 2, 4, 1, setup, its_frame_becomes_memory,
		  the_stamp_is_what_it_was, NULL },
		{ "a_stale_look_up_does_not_use_the_next_object", 2, 4, 1, setup_memory,
		  memory_becomes_an_object, nothing_is_left, NULL },
		{ "a_revoked_handle_finds_nothing_and_loses_nothing", 2, 4, 1, setup,
		  its_handles_become_stale, it_is_alive_under_another_name, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
