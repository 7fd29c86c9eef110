/* SPDX-License-Identifier: MIT */
/*
 * The domains that this libos has made: their states, and the task that sees to it that what dies is taken
 * apart (dismantle.c).
 *
 * Why none is forgotten: a domain that must be taken apart is DYING in the list, and the reaper, which
 * is woken under the same lock, does not sleep while there is one.
 */
#include "abi/errno.h"
#include "core/event.h"
#include "core/exo.h"
#include "core/memory.h"
#include "core/task.h"
#include "domain/domain.h"
#include "domain/withdrawal.h"
#include "fs/linux.h"
#include "time/timespec.h"

struct lock domains_lock = LOCK_INIT("domains", RANK_TTY);
/* Under domains_lock. */
struct list domains_list = { &domains_list, &domains_list };
static uint32_t last_id;
static struct wait_queue reaper_wait = { { &reaper_wait.waiters, &reaper_wait.waiters } };
static bool reaper_runs;

/* How many are in the list: looked at without the lock, as most libOSes never have one. */
static _Atomic uint32_t count;

static struct domain *find_locked(uint64_t id)
{
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);

		if (d->id == id)
			return d;
	}
	return NULL;
}

/* Out of the list, if nobody has anything to ask of it any more. */
static bool is_over_locked(struct domain *d)
{
	if (d->state != DOMAIN_DEAD || d->references > 0 || !d->waited)
		return false;
	list_remove(&d->link);
	atomic_fetch_sub(&count, 1);
	return true;
}

/* Pages that a domain may still have mapped are nobody's any more. */
static void free_domain(struct domain *d)
{
	if (!d->lost) {
		heap_free(d->info);
		heap_free(d->boot);
		heap_free(d->console);
	}
	heap_free(d);
}

/* ---------------------------------------------------------------- the reaper */

void domains_reap_locked(void)
{
	wake_all(&reaper_wait, WAKE_ANY);
}

static struct domain *dying_locked(void)
{
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);

		if (d->state == DOMAIN_DYING && !d->busy)
			return d;
	}
	return NULL;
}

/* A server that is to run on its callers' time alone has come to where it can. */
static bool gives_time_back(const struct domain *d)
{
	return d->passive && !d->has_no_time && d->state == DOMAIN_ALIVE && !d->busy &&
	       (atomic_load(d->serving) & d->cpus) == d->cpus;
}

static struct domain *passive_locked(void)
{
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);

		if (gives_time_back(d))
			return d;
	}
	return NULL;
}

/* Under domains_lock, which is not held meanwhile: nobody resizes it, and what dies is taken apart by this
 * task too. */
static void take_time_back(struct domain *d)
{
	d->giving_back = true;
	lock_release(&domains_lock);
	domain_reclaim_time(d);
	lock_acquire(&domains_lock);
	d->giving_back = false;
	d->has_no_time = true;
	domain_tell_locked(d);
}

static void reaper(void *unused)
{
	lock_acquire(&domains_lock);
	if (reaper_runs) { /* another was faster */
		lock_release(&domains_lock);
		task_exit();
	}
	reaper_runs = true;
	for (;;) {
		uint64_t again_ns;
		struct domain *d, *passive;

		if (domains_withdraw_locked(&again_ns))
			continue;
		d = dying_locked();
		passive = passive_locked();
		if (!d && passive) {
			take_time_back(passive);
			continue;
		}
		if (!d) {
			(void)wait_on(&reaper_wait, &domains_lock, 0, again_ns);
			continue;
		}
		lock_release(&domains_lock);
		domain_dismantle(d);
		lock_acquire(&domains_lock);
		d->state = DOMAIN_DEAD;
		domain_tell_locked(d);
		lock_release(&domains_lock);
		domain_put(d);
		lock_acquire(&domains_lock);
	}
}

/*
 * The first domain brings the reaper.  It says itself that it runs: so whoever relies on another's, which
 * could still have failed, has seen it run.  Several that find none bring one each, and the first stays.
 */
static int start_reaper(void)
{
	struct task *t;
	bool runs;

	lock_acquire(&domains_lock);
	runs = reaper_runs;
	lock_release(&domains_lock);
	if (runs)
		return 0;
	t = task_create(NULL, reaper, NULL, "domains");
	if (!t)
		return -ENOMEM;
	task_start(t);
	return 0;
}

/* ---------------------------------------------------------------- the list */

struct domain *domain_new(void)
{
	struct domain *d = heap_alloc(sizeof(*d));

	if (!d || start_reaper() != 0) {
		heap_free(d);
		return NULL;
	}
	wait_queue_init(&d->changed);
	list_init(&d->files);
	domain_memory_init(&d->memory);
	d->references = 2;
	d->busy = true;
	return d;
}

void domain_discard(struct domain *d)
{
	heap_free(d);
}

int domain_list(struct domain *d)
{
	int r = -ENODEV;

	lock_acquire(&domains_lock);
	if (domain_may_have_locked(d->cpus)) {
		d->id = ++last_id;
		list_push_back(&domains_list, &d->link);
		atomic_fetch_add(&count, 1);
		r = 0;
	}
	lock_release(&domains_lock);
	return r;
}

/* domain_begin() has given it its console, which whoever finds it may look at; it keeps it until it is freed.
 * One that could not be made, and is taken apart, never had it. */
static bool has_begun(const struct domain *d)
{
	return d->output.shared != NULL;
}

struct domain *domain_find(uint32_t id)
{
	struct domain *d;

	lock_acquire(&domains_lock);
	d = find_locked(id);
	if (d && (d->waited || !has_begun(d)))
		d = NULL;
	if (d)
		d->references++;
	lock_release(&domains_lock);
	return d;
}

struct domain *domain_next(uint32_t id)
{
	struct domain *next = NULL;

	lock_acquire(&domains_lock);
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);

		if (d->id >= id && !d->waited && (!next || d->id < next->id))
			next = d;
	}
	if (next)
		next->references++;
	lock_release(&domains_lock);
	return next;
}

void domain_put(struct domain *d)
{
	bool over;

	lock_acquire(&domains_lock);
	d->references--;
	over = is_over_locked(d);
	lock_release(&domains_lock);
	if (over)
		free_domain(d);
}

void domain_told(struct domain *d)
{
	lock_acquire(&domains_lock);
	d->waited = true;
	lock_release(&domains_lock);
}

int domain_begin(struct domain *d)
{
	int r = -ESRCH;

	lock_acquire(&domains_lock);
	if (d->state == DOMAIN_MAKING) {
		byte_ring_init(&d->input, &d->console->input, d->console->input_bytes, DOMAIN_INPUT_SIZE);
		byte_ring_init(&d->output, &d->console->output, d->console->output_bytes,
			       DOMAIN_OUTPUT_SIZE);
		d->state = DOMAIN_ALIVE;
		r = 0;
	}
	lock_release(&domains_lock);
	return r;
}

void domain_end_locked(struct domain *d, enum domain_cause cause, int32_t status)
{
	if (d->state != DOMAIN_ALIVE && d->state != DOMAIN_MAKING)
		return;
	d->state = DOMAIN_DYING;
	d->cause = cause;
	d->status = status;
	domains_reap_locked();
	domain_tell_locked(d);
}

bool domain_is_alive(const struct domain *d)
{
	return *(const volatile enum domain_state *)&d->state == DOMAIN_ALIVE;
}

void domain_sleep(struct domain *d, uint64_t ns)
{
	lock_acquire(&domains_lock);
	if (d->state == DOMAIN_ALIVE)
		(void)wait_on(&d->changed, &domains_lock, 0, deadline_after(ns));
	lock_release(&domains_lock);
}

int domain_resize_begin(struct domain *d)
{
	int r = -EBUSY;

	lock_acquire(&domains_lock);
	while (d->giving_back)
		(void)wait_on(&d->changed, &domains_lock, 0, 0);
	if (d->state != DOMAIN_ALIVE) {
		r = -ESRCH;
	} else if (!d->busy) {
		d->busy = true;
		r = 0;
	}
	lock_release(&domains_lock);
	return r;
}

void domain_busy_end(struct domain *d)
{
	lock_acquire(&domains_lock);
	d->busy = false;
	domains_reap_locked();
	lock_release(&domains_lock);
}

void domain_kill(struct domain *d)
{
	lock_acquire(&domains_lock);
	domain_end_locked(d, DOMAIN_CAUSE_KILLED, 0);
	lock_release(&domains_lock);
}

/* ---------------------------------------------------------------- messages */

static void died_locked(struct domain *d, uint64_t status)
{
	enum domain_cause cause = DOMAIN_CAUSE_FAULT;

	if (status & DOMAIN_ENDED)
		cause = DOMAIN_CAUSE_EXIT;
	else if (status == DOMAIN_STATUS_PANIC)
		cause = DOMAIN_CAUSE_PANIC;
	domain_end_locked(d, cause, (int32_t)status);
}

void domain_died(uint64_t id, uint64_t status)
{
	struct domain *d;

	lock_acquire(&domains_lock);
	d = find_locked(id);
	if (d)
		died_locked(d, status);
	lock_release(&domains_lock);
}

/*
 * A domain that is ALIVE or being made has its handle, or none yet, and then it cannot die: only the reaper
 * drops it, of one that is DYING.
 */
void domains_ask(void)
{
	lock_acquire(&domains_lock);
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);
		int64_t status = -EAGAIN;

		if (d->domain && (d->state == DOMAIN_ALIVE || d->state == DOMAIN_MAKING))
			status = exo_domain_ask(d->domain);
		if (status >= 0)
			died_locked(d, (uint64_t)status);
	}
	lock_release(&domains_lock);
}

/* Which domain has rung is of no matter: who finds nothing sleeps on. */
void domains_rung(void)
{
	if (atomic_load_explicit(&count, memory_order_relaxed) == 0)
		return;
	lock_acquire(&domains_lock);
	list_for_each(link, &domains_list) {
		struct domain *d = list_entry(link, struct domain, link);

		domain_tell_locked(d);
		if (gives_time_back(d))
			domains_reap_locked();
	}
	lock_release(&domains_lock);
}
