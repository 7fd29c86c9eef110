/* SPDX-License-Identifier: MIT */
/*
 * Tasks by id.
 *
 *	used[]     a bit for each id
 *	parts[]    --> 512 tasks, by the lower bits of the id     there while one of them is
 *
 * Ids go round, so that one is not given again soon after its task has gone; over 32,768, as on Linux,
 * and over more once half of that is in use, so that a free one is near and the table as small as it can be.
 */
#include "core/task_table.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/task.h"

#define ROUND_FIRST 32768u
#define LIBOS_IDS 64u /* behind the programs': the libos's own tasks, which programs cannot see */
#define TASK_IDS (TASK_PROGRAM_IDS + LIBOS_IDS)
#define PART 512u

struct part {
	struct task *task[PART];
};
_Static_assert(sizeof(struct part) == EXO_PAGE_SIZE, "a page for each");

static struct lock table_lock = LOCK_INIT("task table", RANK_LEAF);
/* Under table_lock, as are each task's references. */
static struct part *parts[TASK_IDS / PART + 1];
static uint16_t part_tasks[TASK_IDS / PART + 1];
static struct part *spare; /* one that is empty: a task that comes and goes alone needs no new one */
static uint64_t used[TASK_IDS / 64];
static uint32_t last_id, last_generation, round_end = ROUND_FIRST, program_ids;

/* The first id in [from, to) whose bit in `used` is that, or `to`. */
static uint32_t first_with(bool bit, uint32_t from, uint32_t to)
{
	for (uint32_t id = from; id < to; id = (id / 64 + 1) * 64) {
		uint64_t word = (bit ? used[id / 64] : ~used[id / 64]) >> id % 64;

		if (word) {
			id += (uint32_t)__builtin_ctzl(word);
			return id < to ? id : to;
		}
	}
	return to;
}

/* Under table_lock; 0: there is none. */
static uint32_t free_program_id(void)
{
	uint32_t id;

	if (program_ids > round_end / 2 && round_end < TASK_PROGRAM_IDS)
		round_end *= 2;
	id = first_with(false, last_id + 1, round_end);
	if (id == round_end)
		id = first_with(false, 1, round_end);
	if (id == round_end)
		return 0;
	last_id = id;
	return id;
}

static uint32_t free_libos_id(void)
{
	uint32_t id = first_with(false, TASK_PROGRAM_IDS, TASK_IDS);

	return id < TASK_IDS ? id : 0;
}

/* Under table_lock. */
static struct task *task_of(uint32_t id)
{
	const struct part *p = id < TASK_IDS ? parts[id / PART] : NULL;

	return p ? p->task[id % PART] : NULL;
}

/* Likewise. */
static bool enter(uint32_t id, struct task *t)
{
	struct part **p = &parts[id / PART];

	if (!*p) {
		*p = spare ? spare : pages_alloc(1);
		spare = NULL;
	}
	if (!*p)
		return false;
	(*p)->task[id % PART] = t;
	part_tasks[id / PART]++;
	used[id / 64] |= 1ul << id % 64;
	program_ids += id < TASK_PROGRAM_IDS;
	return true;
}

/* Likewise. */
static void leave(uint32_t id)
{
	struct part **p = &parts[id / PART];

	(*p)->task[id % PART] = NULL;
	used[id / 64] &= ~(1ul << id % 64);
	program_ids -= id < TASK_PROGRAM_IDS;
	if (--part_tasks[id / PART] > 0)
		return;
	if (spare)
		pages_free(*p, 1);
	else
		spare = *p;
	*p = NULL;
}

bool task_table_insert(struct task *t)
{
	uint32_t id;

	lock_acquire(&table_lock);
	id = t->process ? free_program_id() : free_libos_id();
	if (id) {
		if (++last_generation == 0)
			last_generation = 1;
		t->self = (struct task_ref){ id, last_generation };
		t->references = 1;
		if (!enter(id, t))
			id = 0;
	}
	lock_release(&table_lock);
	return id != 0;
}

void task_hold(struct task *t, unsigned count)
{
	lock_acquire(&table_lock);
	ASSERT_INVARIANT(t->references > 0);
	t->references += count;
	lock_release(&table_lock);
}

bool task_table_put(struct task *t, unsigned count)
{
	bool last;

	lock_acquire(&table_lock);
	ASSERT_INVARIANT(t->references >= count);
	t->references -= count;
	last = t->references == 0;
	if (last)
		leave(t->self.id);
	lock_release(&table_lock);
	return last;
}

struct task *task_peek(uint32_t id)
{
	lock_acquire(&table_lock);
	struct task *t = task_of(id);

	lock_release(&table_lock);
	return t;
}

static struct task *table_get(uint32_t id, uint32_t generation)
{
	struct task *t;

	lock_acquire(&table_lock);
	t = task_of(id);
	if (t && generation && t->self.generation != generation)
		t = NULL;
	if (t)
		t->references++;
	lock_release(&table_lock);
	return t;
}

struct task *task_get(struct task_ref ref)
{
	return ref.generation ? table_get(ref.id, ref.generation) : NULL;
}

struct task *task_find(uint32_t tid)
{
	return table_get(tid, 0);
}

struct task *task_next(uint32_t id)
{
	struct task *t = NULL;

	lock_acquire(&table_lock);
	/* No program's id is beyond the round, and the libos's own are behind all that programs may have. */
	if (id < round_end)
		id = first_with(true, id, round_end);
	if (id >= round_end)
		id = first_with(true, id < TASK_PROGRAM_IDS ? TASK_PROGRAM_IDS : id, TASK_IDS);
	if (id < TASK_IDS) {
		t = task_of(id);
		t->references++;
	}
	lock_release(&table_lock);
	return t;
}

unsigned task_table_count_spare(void)
{
	lock_acquire(&table_lock);
	unsigned count = spare != NULL;

	lock_release(&table_lock);
	return count;
}
