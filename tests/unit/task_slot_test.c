/* SPDX-License-Identifier: MIT */
/* libos/core/task_slot.c, task_table.c and task.c, included: a task's slot is used again by the CPU that gave
 * it back, without a lock, and not before the last reference is gone; a stale name finds nobody.
 *
 * The test is one CPU after the other. Slots are memory of the host. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "check.h"
#include "panic.h"

#define LIBOS_CPU_SELECTOR_H
#include <exo/abi.h>
static uint64_t running;
static inline uint64_t cpu_selector(void)
{
	return EXO_CPU_SELECTOR + (running << EXO_CPU_SELECTOR_SHIFT);
}

#include "../../libos/core/task_slot.c"
#include "../../libos/core/task_table.c"
#include "../../libos/core/task.c"

enum { CPUS = 2, TASKS = 4 };

struct vcore_area vcore_areas[EXO_CPUS_MAX];
static struct exo_vcore_page page;
static unsigned slot_locks; /* times that the lock for all slots was taken */
static size_t pages_taken;

/* ---------------------------------------------------------------- what they stand on */

void lock_take_checked(struct lock *l)
{
	if (l->holder)
		libos_panic("%s is taken twice", l->name);
	l->holder = 1;
	slot_locks += l == &slot_lock;
}

void lock_drop_checked(struct lock *l)
{
	l->holder = 0;
}

void lock_init(struct lock *l, const char *name, enum lock_rank rank) {}
void upcalls_mask(void) {}
void upcalls_unmask(void) {}
uint64_t frame_alloc(void) { return 1; }
void *pages_alloc(size_t count)
{
	pages_taken += count;
	return calloc(count, EXO_PAGE_SIZE);
}
void pages_free(void *p, size_t count)
{
	pages_taken -= count;
	free(p);
}
void frame_free(uint64_t frame) {}
int shared_update(const struct exo_op *ops, size_t count) { return 0; }
void context_make(struct task *t, uint64_t sp, void (*to)(void), uint64_t r12, uint64_t r13) {}
void switch_to_new(void) {}
void switch_away(enum sched_why why) {}
void task_state_bug(const struct task *t, enum task_state to) { libos_panic("state"); }
void task_place_bug(const struct task *t, enum task_place from, enum task_place to)
{
	libos_panic("place");
}
void vcore_ring(unsigned cpu) {}
exo_handle vm_space(struct vm *v) { return 0; }
void trace_record(struct vcore *v, enum trace_kind kind, uint32_t task, unsigned detail,
		  unsigned number, uint64_t value) {}
void trace_record_name(struct vcore *v, const struct task *t) {}

static void function(void *argument) {}

static struct task *make(void)
{
	struct task *t = task_create(NULL, function, NULL, "task");

	CHECK(t != NULL);
	return t;
}

/* ---------------------------------------------------------------- the cases */

static void a_cpu_uses_its_own_slots_without_a_lock(void)
{
	struct task *tasks[TASKS];
	unsigned before;

	for (unsigned i = 0; i < TASKS; i++)
		tasks[i] = make();
	for (unsigned i = 0; i < TASKS; i++)
		task_put(tasks[i]);
	before = slot_locks;
	for (unsigned i = 0; i < 100; i++)
		task_put(make());
	CHECK_EQ(slot_locks, before);
	CHECK_EQ(vcore_of(0)->free_task_count, TASKS);
}

static void another_cpu_has_slots_of_its_own(void)
{
	struct task *t = make(), *other;

	task_put(t);
	running = 1;
	other = make();
	CHECK(other != t);
	task_put(other);
	CHECK(make() == other);
	running = 0;
	CHECK(make() == t);
}

/* The only one to t: its slot goes to the next task when it has gone, and not before. */
static void put_last_reference(struct task *t)
{
	struct task *other = make();

	CHECK(other != t);
	task_put(t);
	CHECK(make() == t);
	task_put(t);
	task_put(other);
}

static void a_slot_waits_for_the_last_reference(void)
{
	struct task *t = make(), *found = task_get(t->self);

	CHECK(found == t);
	task_put(t);
	put_last_reference(found);
}

static void references_come_and_go_several_at_once(void)
{
	struct task *t = make();

	task_hold(t, 2);
	task_put(t);
	CHECK(task_get(t->self) == t);
	task_put_all(t, 2);
	put_last_reference(t);
}

static void a_stale_name_finds_nobody(void)
{
	struct task *t = make();
	struct task_ref stale = t->self;

	task_put(t);
	CHECK(task_get(stale) == NULL);
	t = make();
	CHECK_EQ(t->self.id, stale.id); /* the libos's own tasks have the first id that is free */
	CHECK(task_get(stale) == NULL);
	CHECK(task_get(t->self) == t);
}

/* Whoever looks for what has leaked must not find it, wherever ids have got to meanwhile. */
static void a_page_that_the_table_keeps_is_told(void)
{
	struct process *program = (struct process *)&page; /* never looked at */
	struct task stays = { .process = program }, comes = { .process = program };
	size_t held, kept = 0;

	CHECK(task_table_insert(&stays));
	held = pages_taken - task_table_count_spare();
	for (unsigned i = 0; i < 3 * PART; i++) {
		CHECK(task_table_insert(&comes));
		CHECK(task_table_put(&comes, 1));
		CHECK_EQ(pages_taken - task_table_count_spare(), held);
		kept += task_table_count_spare();
	}
	CHECK(kept > 0);
	CHECK(task_table_put(&stays, 1));
}

/* The last of the first slots, and the first of the others: what lies between them is the heap's. */
static void far_slots_follow_near_ones(void)
{
	const uint64_t size = TASK_SLOT_SIZE, first = EXO_DYNAMIC_BASE + TASK_OFFSET,
		       far = SLOTS_FAR + TASK_OFFSET;
	uint32_t in_use = slots_used;

	CHECK_EQ(slot_address(0), EXO_DYNAMIC_BASE);
	CHECK(slot_address(NEAR_SLOTS - 1) + size <= HEAP_BASE &&
	      slot_address(NEAR_SLOTS - 1) + 2 * size > HEAP_BASE);
	CHECK_EQ(slot_address(NEAR_SLOTS), SLOTS_FAR);
	CHECK_EQ(slot_address(SLOTS_MAX - 1), SLOTS_FAR + (SLOTS_MAX - 1 - NEAR_SLOTS) * size);
	CHECK(slot_address(SLOTS_MAX) <= EXO_MODULE_BASE);
	for (slots_used = 0; slots_used < NEAR_SLOTS + 3; slots_used++) {
		CHECK(!task_slot_contains((struct task *)(first - size)));
		for (uint64_t slot = 0; slot < NEAR_SLOTS + 6; slot++) {
			const char *t = (const char *)slot_address(slot) + TASK_OFFSET;

			CHECK_EQ(task_slot_contains((const struct task *)t), slot < slots_used);
			CHECK(!task_slot_contains((const struct task *)(t + 8)));
		}
		for (uint64_t slot = 0; slot < NEAR_SLOTS + 6; slot++) {
			CHECK(!task_slot_contains(
				(struct task *)(first + (NEAR_SLOTS + slot) * size)));
			CHECK(!task_slot_contains((struct task *)(far - (1 + slot) * size)));
		}
	}
	slots_used = in_use;
}

static void *reserve(uint64_t address, size_t size)
{
	void *at = mmap((void *)address, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != (void *)address)
		libos_panic("no memory at %lx", address);
	return at;
}

int main(void)
{
	struct exo_info *info = reserve(EXO_INFO_BASE, EXO_PAGE_SIZE);

	info->vector_size = TASK_VECTOR_MAX;
	reserve(EXO_DYNAMIC_BASE, NEAR_SLOTS * TASK_SLOT_SIZE);
	for (unsigned i = 0; i < CPUS; i++)
		*vcore_of(i) = (struct vcore){ .cpu = (int32_t)i, .page = &page };
	RUN(a_cpu_uses_its_own_slots_without_a_lock);
	RUN(another_cpu_has_slots_of_its_own);
	RUN(a_slot_waits_for_the_last_reference);
	RUN(references_come_and_go_several_at_once);
	RUN(a_stale_name_finds_nobody);
	RUN(a_page_that_the_table_keeps_is_told);
	RUN(far_slots_follow_near_ones);
	return check_result();
}
