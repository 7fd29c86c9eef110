/* SPDX-License-Identifier: MIT */
/*
 * Slots stay mapped once they are: a slot that was freed goes to a list of its CPU, from which the
 * next task of this CPU is made while its lines are still in the cache; what is too much for that
 * goes to a list for all.  When memory is short, slots of that list give up their stacks, and are used
 * again last.
 */
#include "core/task_slot.h"
#include <asm/sigcontext.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/frames.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/region_map.h"
#include "core/string.h"
#include "core/task.h"
#include "core/task_table.h"
#include "core/vcore.h"

#define SLOTS_MAX (TASK_PROGRAM_IDS + 64)
/* The first slots lie before the heap, the others far behind it: counted in slots, from FAR_FIRST on. */
#define NEAR_SLOTS ((HEAP_BASE - EXO_DYNAMIC_BASE) / TASK_SLOT_SIZE)
#define FAR_FIRST ((SLOTS_FAR - EXO_DYNAMIC_BASE) / TASK_SLOT_SIZE)
#define SLOT_PAGES (TASK_SLOT_SIZE / EXO_PAGE_SIZE)
#define GUARD_PAGES (SLOT_PAGES - TASK_MAPPED_PAGES)
#define SLOTS_PER_CPU 8u
#define TRIM_SLOTS 8u /* at once: the lock is held meanwhile */

_Static_assert(EXO_DYNAMIC_BASE % TASK_SLOT_SIZE == 0 && SLOTS_FAR % TASK_SLOT_SIZE == 0,
	       "the stack pointer's upper bits are the slot's");
_Static_assert(TASK_OFFSET > (SLOT_PAGES - 1) * EXO_PAGE_SIZE, "the last page is all that is not stack");

static struct lock slot_lock = LOCK_INIT("task slots", RANK_LEAF);
/* Under slot_lock. */
static struct task *free_slots; /* linked by mailbox_next */
static struct task *bare_slots; /* likewise; of their stack there may be pages that are not mapped */
static unsigned next_pages; /* mapped of the slot behind those, for which there was too little memory */
/* Under slot_lock; read by any CPU.  Slots that are mapped and were handed out; only grows. */
static _Atomic uint32_t slots_used;
/* Any CPU: pages that are not mapped, of the stacks of slots that are. */
static _Atomic uint64_t bare_pages;

static uint64_t slot_address(uint64_t slot)
{
	if (slot >= NEAR_SLOTS)
		slot += FAR_FIRST - NEAR_SLOTS;
	return EXO_DYNAMIC_BASE + slot * TASK_SLOT_SIZE;
}

/* What lies before all slots comes out as a number that is too large, as all that lies behind them. */
bool task_slot_contains(const struct task *t)
{
	uint64_t offset = (uint64_t)t - EXO_DYNAMIC_BASE, slot = offset / TASK_SLOT_SIZE;

	if (offset % TASK_SLOT_SIZE != TASK_OFFSET)
		return false;
	if (__builtin_expect(slot >= NEAR_SLOTS, false)) {
		if (slot < FAR_FIRST)
			return false; /* the heap */
		slot -= FAR_FIRST - NEAR_SLOTS;
	}
	return slot < atomic_load_explicit(&slots_used, memory_order_acquire);
}

uint64_t task_slots_frames(void)
{
	return atomic_load_explicit(&slots_used, memory_order_relaxed) * TASK_MAPPED_PAGES + next_pages -
	       atomic_load_explicit(&bare_pages, memory_order_relaxed);
}

/* All but the first pages of a slot, which guard the stack; from where the last attempt ended.  The
 * kernel maps them in order.  Under slot_lock. */
static bool slot_map(uint64_t slot)
{
	struct exo_op ops[TASK_MAPPED_PAGES] = { 0 };
	unsigned wanted = TASK_MAPPED_PAGES - next_pages, n = 0;

	for (; n < wanted; n++) {
		uint64_t frame = frame_alloc();

		if (!frame)
			break;
		ops[n] = (struct exo_op){ .code = EXO_OP_MAP,
					  .prot = EXO_PROT_READ | EXO_PROT_WRITE,
					  .count = 1,
					  .va = slot + (GUARD_PAGES + next_pages + n) * EXO_PAGE_SIZE,
					  .frame = frame };
	}
	if (n == wanted && shared_update(ops, n) == 0) {
		next_pages = 0;
		return true;
	}
	for (unsigned i = 0; i < n; i++) {
		if (frame_maps(ops[i].frame) == 0)
			frame_free(ops[i].frame);
		else
			next_pages++;
	}
	return false;
}

/* A slot counts as used only when it is there as a whole: one that could not be mapped is tried again
 * for the next task. */
static struct task *slot_new(void)
{
	struct task *t = NULL;
	uint32_t slot;

	lock_acquire(&slot_lock);
	slot = atomic_load_explicit(&slots_used, memory_order_relaxed);
	if (slot < SLOTS_MAX && slot_map(slot_address(slot))) {
		atomic_store_explicit(&slots_used, slot + 1, memory_order_release);
		t = (struct task *)(slot_address(slot) + TASK_OFFSET);
	}
	lock_release(&slot_lock);
	return t;
}

/* ---------------------------------------------------------------- stacks that are given up */

/* The whole pages of a slot's stack; the page that the task begins in stays, as others may still look
 * whether it is the one that they knew. */
#define STACK_PAGES (TASK_OFFSET / EXO_PAGE_SIZE - GUARD_PAGES)

static uint64_t stack_page(const struct task *t, unsigned i)
{
	return (uint64_t)t - TASK_OFFSET + (GUARD_PAGES + i) * EXO_PAGE_SIZE;
}

/* There is a table, as the task's own page is in it too. */
static bool is_mapped(uint64_t page)
{
	return EXO_PTE(page) & EXO_PTE_PRESENT;
}

size_t task_slots_trim(void)
{
	struct task *trimmed[TRIM_SLOTS];
	struct exo_op ops[TRIM_SLOTS];
	size_t n = 0, pages = 0;

	lock_acquire(&slot_lock);
	for (; n < TRIM_SLOTS && free_slots; n++) {
		struct task *t = free_slots;

		free_slots = t->mailbox_next;
		t->mailbox_next = bare_slots;
		trimmed[n] = bare_slots = t;
		ops[n] = (struct exo_op){ .code = EXO_OP_UNMAP,
					  .count = STACK_PAGES,
					  .va = stack_page(t, 0) };
	}
	if (n > 0)
		(void)shared_update(ops, n);
	for (size_t i = 0; i < n * STACK_PAGES; i++)
		pages += !is_mapped(stack_page(trimmed[i / STACK_PAGES], i % STACK_PAGES));
	atomic_fetch_add_explicit(&bare_pages, pages, memory_order_relaxed);
	lock_release(&slot_lock);
	return pages;
}

/* One that only we have; false: there is no memory for it. */
static bool stack_map(struct task *t)
{
	for (unsigned i = 0; i < STACK_PAGES; i++) {
		struct exo_op op = { .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE,
				     .count = 1, .va = stack_page(t, i) };

		if (is_mapped(op.va))
			continue;
		op.frame = frame_alloc();
		if (!op.frame)
			return false;
		if (shared_update(&op, 1) < 0) {
			frame_free(op.frame);
			return false;
		}
		atomic_fetch_sub_explicit(&bare_pages, 1, memory_order_relaxed);
	}
	return true;
}

static struct task *bare_slot_reuse(void)
{
	struct task *t;

	lock_acquire(&slot_lock);
	t = bare_slots;
	if (t)
		bare_slots = t->mailbox_next;
	lock_release(&slot_lock);
	if (!t || stack_map(t))
		return t;
	lock_acquire(&slot_lock);
	t->mailbox_next = bare_slots;
	bare_slots = t;
	lock_release(&slot_lock);
	return NULL;
}

/* ---------------------------------------------------------------- slots */

static struct task *slot_reuse(void)
{
	struct vcore *v;
	struct task *t;

	upcalls_mask();
	v = this_vcore();
	t = v->free_tasks;
	if (t) {
		v->free_tasks = t->mailbox_next;
		v->free_task_count--;
	} else {
		lock_acquire(&slot_lock);
		t = free_slots;
		if (t)
			free_slots = t->mailbox_next;
		lock_release(&slot_lock);
	}
	upcalls_unmask();
	return t ? t : bare_slot_reuse();
}

struct task *task_slot_alloc(void)
{
	struct task *t = slot_reuse();
	struct _xstate *vector;

	if (!t)
		t = slot_new();
	if (!t)
		return NULL;
	memset(t, 0, offsetof(struct task, sched_private)); /* which is cleared for who uses it */
	t->waited = 0;
	t->frame = (struct exo_regs *)t - 1;
	vector = (void *)((char *)t - TASK_OFFSET + TASK_SLOT_SIZE - TASK_VECTOR_MAX);
	t->vector_area = vector;
	/* A header that says that all is as it is initially: nothing else is looked at until XSAVE has
	 * written it, but that XRSTOR takes MXCSR from the image whatever its header says. */
	memset(&vector->xstate_hdr, 0, sizeof(vector->xstate_hdr));
	vector->fpstate.mxcsr = MXCSR_INITIAL;
	return t;
}

void task_slot_free(struct task *t)
{
	struct vcore *v;

	upcalls_mask();
	v = this_vcore();
	if (v->free_task_count < SLOTS_PER_CPU) {
		t->mailbox_next = v->free_tasks;
		v->free_tasks = t;
		v->free_task_count++;
	} else {
		lock_acquire(&slot_lock);
		t->mailbox_next = free_slots;
		free_slots = t;
		lock_release(&slot_lock);
	}
	upcalls_unmask();
}
