/* SPDX-License-Identifier: MIT */
/*
 * The memory of a child while it runs.
 *
 *	more   frames of ours are given to it, and it is told which
 *	less   it is asked for so many, gives back those that it likes best, and we take what is still
 *	       missing at the deadline: first what is mapped nowhere, and then anything
 *
 * Only its memory is ever taken: not its image, its archives and what the kernel made of its frames.
 */
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/task.h"
#include "domain/domain.h"
#include "time/timespec.h"

#define RUNS_MAX 1024u       /* that a domain grows by at once */
#define TELL_FRAMES 1024ul   /* in one message: the receiver deals with it in one go */
#define LOOK_NS 5000000ul    /* between two looks at what has come back */
#define TELL_NS 1000000000ul /* so long the child may leave its mailbox full */

/* `frames` more or fewer, in our account and in what it is told. */
static void account(struct domain *d, int64_t frames)
{
	lock_acquire(&domains_lock);
	d->memory_bytes += (uint64_t)frames * EXO_PAGE_SIZE;
	lock_release(&domains_lock);
	*(volatile uint64_t *)&d->info->ram_frames = d->memory_bytes / EXO_PAGE_SIZE;
}

/* ---------------------------------------------------------------- more */

/* A libos that does not read its messages has the frames nevertheless. */
static void tell(struct domain *d, uint64_t first, uint64_t count)
{
	uint64_t end = time_now_ns() + TELL_NS;

	while (count > 0 && domain_is_alive(d) && time_now_ns() < end) {
		uint64_t n = count < TELL_FRAMES ? count : TELL_FRAMES;
		int64_t r = exo_send(d->first_vcore, DOMAIN_MESSAGE_MEMORY, first, n);

		if (r == -EAGAIN) {
			domain_sleep(d, LOOK_NS);
			continue;
		}
		first += n;
		count -= n;
	}
}

static int grow(struct domain *d, uint64_t frames)
{
	struct list *last = d->memory.runs.prev;
	int r = domain_memory_take(&d->memory, frames, RUNS_MAX);

	for (struct list *link = last->next; r == 0 && link != &d->memory.runs; link = link->next) {
		struct domain_run *run = domain_run_of(link);

		run->used = run->count;
		r = domain_give(d, run->first, run->count, 0);
		if (r)
			break;
		account(d, (int64_t)run->count);
		tell(d, run->first, run->count);
	}
	return r;
}

/* ---------------------------------------------------------------- less */

static int64_t step(struct domain *d, enum exo_revoke_step what, uint64_t first, uint64_t count,
		    uint64_t deadline_tsc)
{
	struct exo_frame_revoke r = { .step = what, .first = first, .count = count,
				      .deadline_tsc = deadline_tsc };
	int64_t result;

	do
		result = exo_frame_revoke(d->domain, &r);
	while (result == 1 && what == EXO_REVOKE_SWEEP);
	return result;
}

/* Until it has given as many, or the deadline; how many. */
static uint64_t wait_for_frames(struct domain *d, uint64_t frames, uint64_t deadline_ns)
{
	uint64_t got = domain_memory_collect(&d->memory);

	while (got < frames && domain_is_alive(d) && time_now_ns() < deadline_ns) {
		domain_sleep(d, LOOK_NS);
		got += domain_memory_collect(&d->memory);
	}
	return got;
}

/* Up to so many frames of a run, from its end: allocators give out their first ones first. */
static uint64_t hold_of_run(struct domain *d, struct domain_run *run, uint64_t frames, bool mapped)
{
	uint64_t held = 0;

	for (uint64_t i = run->count; i > run->memory && held < frames; i--) {
		uint64_t frame = run->first + i - 1;
		struct exo_frame_info f = domain_frame(frame);

		if (!domain_run_has(run, i - 1) || f.type != EXO_FRAME_USER || f.pins > 0 ||
		    f.owner != d->info->domain_id || (f.maps > 0 && !mapped))
			continue;
		step(d, EXO_REVOKE_HOLD, frame, 1, 0);
		held += domain_frame(frame).type == EXO_FRAME_REVOKED;
	}
	return held;
}

static void take_run(struct domain *d, const struct domain_run *run)
{
	for (uint64_t i = run->memory; i < run->count && domain_is_alive(d);) {
		int64_t n = step(d, EXO_REVOKE_TAKE, run->first + i, run->count - i, 0);

		if (n == -EAGAIN) /* for a flush of another CPU */
			task_yield();
		else if (n > 0)
			i += (uint64_t)n;
		else
			break;
	}
}

/* How many could be taken. */
static uint64_t take(struct domain *d, uint64_t frames, bool mapped)
{
	uint64_t held = 0;

	for (struct list *link = d->memory.runs.prev; link != &d->memory.runs; link = link->prev)
		held += hold_of_run(d, domain_run_of(link), frames - held, mapped);
	if (held == 0)
		return 0;
	if (mapped)
		step(d, EXO_REVOKE_SWEEP, 0, 0, 0);
	list_for_each(link, &d->memory.runs)
		take_run(d, domain_run_of(link));
	return domain_memory_collect(&d->memory);
}

static int shrink(struct domain *d, uint64_t frames, uint64_t patience_ns, uint64_t *forced)
{
	uint64_t deadline = time_now_ns() + patience_ns, got, taken;
	uint64_t deadline_tsc = time_deadline_tsc(deadline);
	int64_t r = step(d, EXO_REVOKE_ASK, 0, frames, deadline_tsc);

	if (r < 0)
		return (int)r;
	got = wait_for_frames(d, frames, deadline);
	while (got < frames && rdtsc() < deadline_tsc) /* the two clocks may differ by a tick */
		task_yield();
	while (got + *forced < frames && domain_is_alive(d)) {
		taken = take(d, frames - got - *forced, false);
		if (taken == 0)
			taken = take(d, frames - got - *forced, true);
		if (taken == 0)
			break;
		*forced += taken;
	}
	account(d, -(int64_t)(got + *forced));
	if (*forced)
		log_print("domain %u: %lu of %lu frames had to be taken from it\n", d->id, *forced, frames);
	if (got + *forced >= frames)
		return 0;
	return domain_is_alive(d) ? -EBUSY : -ESRCH;
}

int domain_resize_memory(struct domain *d, uint64_t bytes, uint64_t patience_ns, uint64_t *forced)
{
	uint64_t frames = bytes / EXO_PAGE_SIZE, has = d->memory_bytes / EXO_PAGE_SIZE;

	*forced = 0;
	if (frames > has)
		return grow(d, frames - has);
	return frames < has ? shrink(d, has - frames, patience_ns, forced) : 0;
}
