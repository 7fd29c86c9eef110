/* SPDX-License-Identifier: MIT */
/*
 * Giving memory back, in the order in which it costs the least:
 *
 *	1. free frames, with those that CPUs have in their caches
 *	2. empty address spaces that are kept for the next process
 *	3. free pages of the heap
 *	4. stacks of tasks that have ended, which are kept for the next
 *	5. the memory of a process, which is ended by the rule of proc/out_of_memory.c; then of the next
 *
 * A few free frames are kept, without which the libos could do nothing of this.  At the deadline it
 * ends: then the kernel takes what is missing, and what was free and is lost must not be used.
 */
#include "domain/pressure.h"
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/heap.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/task.h"
#include "core/task_slot.h"
#include "core/wait.h"
#include "domain/parent.h"
#include "proc/process.h"
#include "vm/vm.h"

#define KEPT_FRAMES 64u
#define BATCH_FRAMES 64u /* the kernel's limit for one call */

static struct lock pressure_lock = LOCK_INIT("memory asked back", RANK_TTY);
static struct wait_queue pressure_wait = { { &pressure_wait.waiters, &pressure_wait.waiters } };
/* Under pressure_lock. */
static uint64_t asked, asked_until_tsc;
static bool taken;

void pressure_asked(uint64_t frames, uint64_t deadline_tsc)
{
	lock_acquire(&pressure_lock);
	asked = frames;
	asked_until_tsc = deadline_tsc;
	wake_all(&pressure_wait, WAKE_ANY);
	lock_release(&pressure_lock);
}

void pressure_taken(void)
{
	atomic_store(&frames_at_risk, true);
	lock_acquire(&pressure_lock);
	taken = true;
	wake_all(&pressure_wait, WAKE_ANY);
	lock_release(&pressure_lock);
}

/* ---------------------------------------------------------------- giving back */

/* How many were given; the others are not ours any more, or stay. */
static uint64_t give_run(uint64_t first, uint64_t count)
{
	uint64_t given = 0;

	while (count > 0) {
		int64_t n = exo_frame_give(EXO_HANDLE(EXO_SLOT_DOMAIN), first, count, EXO_GIVE_TO_PARENT);

		if (n == -EAGAIN) { /* for a flush of another CPU, which the kernel has asked for */
			task_yield();
			continue;
		}
		if (n < 0) {
			frame_free(first);
			n = 1;
		} else {
			given += (uint64_t)n;
		}
		first += (uint64_t)n;
		count -= (uint64_t)n;
	}
	return given;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Some of the free frames; *more: there are others, which will be to be had. */
static uint64_t give_free(uint64_t most, bool *more)
{
	uint64_t free = frames_free_count(), first, n;

	*more = free > KEPT_FRAMES;
	if (!*more)
		return 0;
	most = least(least(most, free - KEPT_FRAMES), BATCH_FRAMES);
	n = frames_take_run(most, &first);
	if (n == 0) {
		frames_gather();
		n = frames_take_run(most, &first);
	}
	return n ? give_run(first, n) : 0;
}

/* The next best of them; false: there is nothing left. */
static bool drop_caches(void)
{
	return vm_drop_spare() || heap_trim() > 0 || task_slots_trim() > 0;
}

static void give_back(uint64_t frames, uint64_t deadline_tsc)
{
	uint64_t left = frames;

	while (left > 0 && rdtsc() < deadline_tsc) {
		bool more;
		uint64_t n = give_free(left, &more);

		left -= n;
		if (n > 0)
			continue;
		if (more) /* they wait for an epoch */
			task_yield();
		else if (!drop_caches() && !memory_is_asked_back(left))
			break;
	}
	log_print("libos: %lu frames were asked back, %lu have been given\n", frames, frames - left);
	parent_ring();
}

static void look_what_is_lost(void)
{
	uint64_t lost = frames_forget_lost();

	if (lost > 0)
		log_print("libos: %lu of the frames that were taken were free\n", lost);
}

static void pressure(void *unused)
{
	for (;;) {
		uint64_t frames, deadline_tsc;

		lock_acquire(&pressure_lock);
		while (!asked && !taken)
			(void)wait_on(&pressure_wait, &pressure_lock, 0, 0);
		frames = asked;
		deadline_tsc = asked_until_tsc;
		asked = 0;
		taken = false;
		lock_release(&pressure_lock);
		look_what_is_lost();
		if (frames > 0)
			give_back(frames, deadline_tsc);
	}
}

void pressure_init(void)
{
	struct task *t = task_create(NULL, pressure, NULL, "memory");

	if (t)
		task_start(t);
	else
		log_print("domain: there is no memory for the task that gives memory back\n");
}
