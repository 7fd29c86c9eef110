/* SPDX-License-Identifier: MIT */
/* Handle tables and object words: exo/handle.c and exo/object.c.  Threads stand for CPUs; the
 * kernel functions that the two need from elsewhere are replaced below. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#define this_cpu this_cpu_of_the_machine
#include "kernel.h"
#undef this_cpu
#include "calls.h"

static struct cpu block; /* of all of them: what a vcore runs in is fixed meanwhile */
static struct vcore vcore;

static struct cpu *this_cpu(void)
{
	return &block;
}

#include "../../exo/handle.c"

enum { FRAMES = 4, WORD = 2 };

/* Frames from FIRST on are these. */
static char memory[FRAMES][EXO_PAGE_SIZE] __attribute__((aligned(EXO_PAGE_SIZE)));
static _Atomic uint64_t words[FRAMES];
#define FIRST (((uint64_t)memory - PHYSMAP_BASE) >> EXO_PAGE_SHIFT)
#define THING (FIRST + WORD)
_Atomic uint64_t *frame_private;
uint64_t frame_end = UINT64_MAX;
static struct domain domain;
static struct space *space; /* in the thing's frame */
static struct handle_slot pages[2][HANDLE_SLOTS_PER_FRAME] __attribute__((aligned(64)));

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	printf("# %s:%u: %s\n", file, line, condition);
	abort();
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

static void reset(void)
{
	memset(&domain, 0, sizeof(domain));
	memset(pages, 0, sizeof(pages));
	memset((void *)words, 0, sizeof(words));
	memset(&block, 0, sizeof(block));
	memset(&vcore, 0, sizeof(vcore));
	memset(memory, 0, sizeof(memory));
	frame_private = (_Atomic uint64_t *)((uint64_t)words - FIRST * sizeof(words[0]));
	space = frame_pointer(THING);
	*space = (struct space){ .object = { .owner = &domain }, .root = 9 };
	vcore.object.owner = &domain;
	block.current = &vcore;
	domain.handles[0] = pages[0];
	domain.handles[1] = pages[1];
	object_word_start(THING);
}

static exo_handle make(unsigned rights)
{
	int64_t slot = handle_reserve(&domain);

	return slot < 0 ? 0 : handle_fill(&domain, slot, OBJECT_PORTS, rights, THING, 5, 7);
}

static int view(exo_handle h, struct handle_view *out)
{
	int error = handle_view(&domain, h, OBJECT_PORTS, EXO_RIGHT_USE, out);

	if (!error)
		handle_view_put(out);
	return error;
}

static void a_handle_gives_what_was_put_in(void)
{
	struct handle_view v;
	exo_handle h;

	reset();
	h = make(EXO_RIGHT_USE);
	CHECK_EQ(view(h, &v), 0);
	CHECK(v.kind == OBJECT_PORTS && v.first == 5 && v.count == 7 && v.object_frame == THING);
	CHECK_EQ(handle_view(&domain, h, OBJECT_IRQS, 0, &v), -9);
	CHECK_EQ(handle_view(&domain, h, OBJECT_PORTS, EXO_RIGHT_WRITE, &v), -1);
}

static void no_number_out_of_the_air_is_a_handle(void)
{
	struct handle_view v;

	reset();
	make(EXO_RIGHT_USE);
	for (uint64_t slot = 0; slot < 200; slot++)
		for (uint64_t generation = 0; generation < 5; generation++)
			CHECK_EQ(view(generation << 32 | slot, &v), slot == 1 && generation == 1 ? 0 : -9);
	CHECK_EQ(view(1ull << 32 | 0xffffffff, &v), -9);
	CHECK_EQ(view(~0ull, &v), -9);
}

static void a_dropped_slot_is_used_again_under_another_name(void)
{
	struct handle_view v;
	exo_handle first, again = 0;

	reset();
	first = make(EXO_RIGHT_USE);
	CHECK(handle_drop(&domain, first));
	CHECK(!handle_drop(&domain, first));
	CHECK_EQ(view(first, &v), -9);
	while ((uint32_t)again != (uint32_t)first)
		again = make(EXO_RIGHT_USE);
	CHECK(again != first);
	CHECK_EQ(view(first, &v), -9);
	CHECK_EQ(view(again, &v), 0);
}

static void a_full_table_says_so(void)
{
	unsigned count = 0;

	reset();
	while (make(EXO_RIGHT_USE))
		count++;
	CHECK_EQ(count, 2 * HANDLE_SLOTS_PER_FRAME - 1);
	CHECK_EQ(handle_reserve(&domain), -28);
}

/* As call.c calls it. */
static int64_t revoke(struct exo_regs *regs)
{
	struct handle_view h;
	int64_t result = handle_view(&domain, regs->rdi, OBJECT_ANY, EXO_RIGHT_REVOKE, &h);

	if (result)
		return result;
	result = call_handle_revoke(regs, &h);
	handle_view_put(&h);
	return result;
}

static void revoking_makes_all_but_the_new_handle_stale(void)
{
	struct exo_regs regs = { 0 };
	struct handle_view v;
	exo_handle a, b;
	int64_t fresh;

	reset();
	a = make(EXO_RIGHTS_ALL);
	b = make(EXO_RIGHTS_ALL);
	regs.rdi = a;
	fresh = revoke(&regs);
	CHECK(fresh > 0);
	CHECK_EQ(view(a, &v), -9);
	CHECK_EQ(view(b, &v), -9);
	CHECK_EQ(view(fresh, &v), 0);
	regs.rdi = b;
	CHECK_EQ(revoke(&regs), -9);
}

static void the_dead_stay_while_they_are_used(void)
{
	struct handle_view v;
	exo_handle h;

	reset();
	h = make(EXO_RIGHTS_ALL);
	CHECK_EQ(handle_view(&domain, h, OBJECT_PORTS, 0, &v), 0);
	CHECK(!object_word_retire(THING)); /* the test's own reference, and this one */
	handle_view_put(&v);
	CHECK(object_word_retire(THING));
	CHECK(!object_is_live(THING));
	CHECK_EQ(view(h, &v), -9);
	CHECK_EQ(words[WORD], 0);
	object_word_start(THING);
	CHECK(object_is_live(THING));
	CHECK_EQ(view(h, &v), -9);
}

static exo_handle make_space(unsigned rights)
{
	return handle_fill(&domain, handle_reserve(&domain), OBJECT_SPACE, rights, THING, 0, 0);
}

static int look_space_up(exo_handle h, struct handle_view *v)
{
	return handle_view(&domain, h, OBJECT_SPACE, EXO_RIGHT_USE, v);
}

/* The vcore keeps the space that it runs in: once it is known, nothing is looked up.  Any kind: who destroys
 * it counts references. */
static void what_is_loaded_is_known_by_its_handle(void)
{
	struct handle_view v;
	exo_handle h;
	uint64_t word;

	reset();
	h = make_space(EXO_RIGHTS_ALL);
	block.run.space = space;
	word = words[WORD];
	CHECK_EQ(look_space_up(h, &v), 0);
	CHECK(v.space == space && !v.kept && words[WORD] == word + 1);
	handle_view_put(&v);
	CHECK(handle_names_loaded(&block, h));
	CHECK(!handle_names_loaded(&block, h + 1) && !handle_names_loaded(&block, h + SPACE_NAMES));
	CHECK(!handle_names_loaded(&block, h + (1ul << 32)) && !handle_names_loaded(&block, 0));
	CHECK(words[WORD] == word);
	CHECK_EQ(handle_view(&domain, h, OBJECT_ANY, EXO_RIGHT_USE, &v), 0);
	CHECK(!v.kept && words[WORD] == word + 1);
	handle_view_put(&v);
	CHECK_EQ(handle_view(&domain, h, OBJECT_VCORE, EXO_RIGHT_USE, &v), -9);
	CHECK_EQ(look_space_up(h + 1, &v), -9);
	CHECK_EQ(look_space_up(h + (1ul << 32), &v), -9);
	block.run.space = NULL;
	CHECK(!handle_names_loaded(&block, h));
}

static void what_is_remembered_is_forgotten_when_it_is_stale(void)
{
	struct handle_view v;
	exo_handle h;

	for (unsigned way = 0; way < 2; way++) {
		reset();
		h = make_space(EXO_RIGHTS_ALL);
		block.run.space = space;
		CHECK_EQ(look_space_up(h, &v), 0);
		handle_view_put(&v);
		CHECK(handle_names_loaded(&block, h) && vcore_name(&vcore, h)->root == 9);
		if (way == 0)
			CHECK(handle_drop(&domain, h));
		else
			CHECK(object_word_renew(THING, object_generation(THING)));
		CHECK(!handle_names_loaded(&block, h));
		CHECK_EQ(look_space_up(h, &v), -9);
		CHECK(v.kept);
	}
}

/* Where a vcore may not switch to, and by what it may not do there whatever is asked: the rights are not
 * looked at again. */
static void only_what_may_be_switched_to_is_remembered(void)
{
	static struct domain another;
	struct handle_view v;
	exo_handle h;

	for (unsigned way = 0; way < 4; way++) {
		reset();
		h = make_space(way == 0 ? EXO_RIGHT_USE : EXO_RIGHTS_ALL);
		space->is_shared = way == 1;
		space->object.owner = way == 2 ? &another : &domain;
		CHECK_EQ(look_space_up(h, &v), 0);
		CHECK_EQ(vcore_name(&vcore, h)->handle, way == 3 ? h : 0);
	}
}

/* What may be in the word of a frame that is somebody's memory, or another object's. */
static void no_other_word_is_an_object(void)
{
	struct handle_view v;
	exo_handle h;
	uint64_t generation;

	reset();
	h = make(EXO_RIGHTS_ALL);
	generation = object_generation(THING);
	CHECK(object_word_retire(THING));
	for (unsigned bit = 0; bit < 63; bit++) {
		words[WORD] = 1ul << bit | (generation << 16 & INT64_MAX);
		uint64_t word = words[WORD];

		CHECK(!object_is_live(THING));
		CHECK_EQ(view(h, &v), -9);
		CHECK(!object_word_get_live(THING));
		CHECK_EQ(words[WORD], word);
	}
	for (unsigned i = 0; i < 100; i++) {
		words[WORD] = 0;
		object_word_start(THING);
		CHECK_EQ(view(h, &v), -9);
		CHECK(object_word_get_live(THING));
		object_word_put(THING);
	}
}

static void what_is_revived_is_what_it_was(void)
{
	struct handle_view v;
	uint64_t generation;
	exo_handle h;

	reset();
	h = make(EXO_RIGHTS_ALL);
	generation = object_word_retire(THING);
	CHECK_EQ(view(h, &v), -9);
	object_word_revive(THING, generation);
	CHECK_EQ(view(h, &v), 0);
	CHECK_EQ(words[WORD] & 0xffff, 0);
}

/* ---------------------------------------------------------------- several threads */

static _Atomic exo_handle published[8];
static _Atomic unsigned torn, found;
static atomic_bool stop;

static void *change(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;

	/* Long enough, and until somebody has looked, who may be slow to begin. */
	for (unsigned i = 0; i < 100000 || (!found && i < 100000000); i++) {
		uint64_t value = rand_r(&seed);
		int64_t slot = handle_reserve(&domain);
		exo_handle h, old;

		if (slot < 0)
			continue;
		h = handle_fill(&domain, slot, OBJECT_PORTS, EXO_RIGHT_USE, THING, value, ~value);
		old = atomic_exchange(&published[value % 8], h);
		if (old)
			handle_drop(&domain, old);
	}
	atomic_store(&stop, true);
	return NULL;
}

static void *look(void *argument)
{
	while (!atomic_load(&stop)) {
		for (unsigned i = 0; i < 8; i++) {
			struct handle_view v;

			if (view(atomic_load(&published[i]), &v))
				continue;
			atomic_fetch_add(&found, 1);
			if (v.first != ~v.count)
				atomic_fetch_add(&torn, 1);
		}
	}
	return NULL;
}

static void readers_never_see_half_a_slot(void)
{
	pthread_t threads[4];

	reset();
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, i < 2 ? change : look, (void *)(i + 1));
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(found > 0);
	CHECK_EQ(torn, 0);
	CHECK(object_word_retire(THING)); /* every reference was given back */
}

int main(void)
{
	RUN(a_handle_gives_what_was_put_in);
	RUN(no_number_out_of_the_air_is_a_handle);
	RUN(a_dropped_slot_is_used_again_under_another_name);
	RUN(a_full_table_says_so);
	RUN(revoking_makes_all_but_the_new_handle_stale);
	RUN(the_dead_stay_while_they_are_used);
	RUN(what_is_loaded_is_known_by_its_handle);
	RUN(what_is_remembered_is_forgotten_when_it_is_stale);
	RUN(only_what_may_be_switched_to_is_remembered);
	RUN(no_other_word_is_an_object);
	RUN(what_is_revived_is_what_it_was);
	RUN(readers_never_see_half_a_slot);
	return check_result();
}
