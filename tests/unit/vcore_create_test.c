/* SPDX-License-Identifier: MIT */
/*
 * exo/vcore.c, included: the order in which a vcore is made.  Who finds it alive may kill it at once, on
 * another CPU, and its space is let go: so everything is there before.
 */
#include <string.h>
#include "check.h"
#include "kernel.h"
#include "../../exo/vcore.c"

static char memory[3][EXO_PAGE_SIZE] __attribute__((aligned(EXO_PAGE_SIZE)));
static struct domain domain;
static struct space space = { .object = { .owner = &domain } };
static struct vcore *taken;
static unsigned undone, rung;

unsigned cpu_count = 2;
struct cpu_features cpu_features = { .vector_size = 512 };

static uint64_t frame_of(void *page)
{
	return ((uint64_t)page - PHYSMAP_BASE) >> EXO_PAGE_SHIFT;
}

int copy_from_user(void *to, uint64_t from, size_t size)
{
	memcpy(to, (const void *)from, size);
	return 0;
}

int creation_begin(struct creation *c, enum exo_frame_type last_type)
{
	return 0;
}

void creation_undo(struct creation *c)
{
	undone++;
}

exo_handle creation_finish(struct creation *c, enum object_kind kind)
{
	CHECK_EQ(kind, OBJECT_VCORE);
	return 7;
}

/* From here on it is found. */
void object_init(struct object *o, enum object_kind kind, struct domain *owner, uint64_t frame)
{
	struct vcore *v = frame_pointer(frame_of(memory[0]));

	CHECK(domain.vcores[1] == v && &v->object == o && owner == &domain);
	CHECK(v->space == &space && v->cpu == 1);
}

void object_put(struct object *o) {}
void vcore_ring(struct vcore *v, uint64_t bits) { rung++; }
void frame_zero(uint64_t frame) { memset(frame_pointer(frame), 0, EXO_PAGE_SIZE); }
void frame_release(uint64_t frame) {}
void frame_unshare(uint64_t frame) {}
void frame_poison(uint64_t frame) {}
uint64_t object_word_retire(uint64_t frame) { return 1; }

static int64_t create(void)
{
	struct exo_vcore_create args = { .cpu = 1, .object_frame = frame_of(memory[0]),
		.vector_frame = frame_of(memory[1]), .page_frame = frame_of(memory[2]) };
	struct exo_regs regs = { .rdx = (uint64_t)&args };
	struct handle_view views[2] = { { .domain = &domain }, { .kept = true, .space = &space } };

	undone = rung = 0;
	return call_vcore_create(&regs, views);
}

static void what_it_runs_in_is_there_before_it_is_found(void)
{
	memset(domain.vcores, 0, sizeof(domain.vcores));
	CHECK_EQ(create(), 7);
	CHECK(!undone && !rung);
}

/* Of which nothing is remembered, 0 neither. */
static void it_remembers_no_space(void)
{
	struct exo_vcore_create args = { .object_frame = frame_of(memory[0]),
		.vector_frame = frame_of(memory[1]), .page_frame = frame_of(memory[2]) };
	const struct vcore *v = vcore_init(&space, &args);

	for (unsigned slot = 0; slot < SPACE_NAMES; slot++)
		CHECK(v->names[slot].handle % SPACE_NAMES != slot);
}

static void a_second_one_takes_nothing(void)
{
	atomic_store(&domain.vcores[1], taken = frame_pointer(frame_of(memory[1])));
	CHECK_EQ(create(), -EEXIST);
	CHECK(domain.vcores[1] == taken && undone == 1);
}

int main(void)
{
	RUN(what_it_runs_in_is_there_before_it_is_found);
	RUN(it_remembers_no_space);
	RUN(a_second_one_takes_nothing);
	return check_result();
}
