/* SPDX-License-Identifier: MIT */
/* libos/fs/epoll.c, libos/fs/epoll_ready.c, libos/fs/epoll_nest.c, libos/fs/poll_entry.c,
 * libos/fs/file_life.c, libos/core/wait.c, libos/core/wake.c, libos/core/mutex.c, libos/core/mailbox.c,
 * libos/core/task_state.c, libos/core/name_tree.c: an epoll loses no event, and has each item until its
 * file or itself is closed
 */
#include "core/usercopy.h"
#include "fs/inode.h"
#include "fs/read_write.h"
#include "fs/record_lock.h"
#include "libos_cpus.h"
#include "../../libos/fs/epoll.c"
#include "../../libos/fs/epoll_nest.c"
#include "../../libos/fs/poll.c"

/* ---------------------------------------------------------------- what they stand on */

enum { BLOCKS = 12, BLOCK_BYTES = 512, POISON = 0xa5 };
static char blocks[BLOCKS][BLOCK_BYTES] __attribute__((aligned(64)));
static bool in_use[BLOCKS];
static unsigned given; /* so far: no block is given twice, so whoever uses one too late meets poison */

void *heap_alloc(size_t size)
{
	EXPLORE_CHECK(size <= BLOCK_BYTES && given < BLOCKS);
	in_use[given] = true;
	return blocks[given++];
}

void *heap_alloc_uncleared(size_t size)
{
	return heap_alloc(size);
}

void heap_free(void *block)
{
	size_t n = (size_t)((char (*)[BLOCK_BYTES])block - blocks);

	if (!block)
		return;
	EXPLORE_CHECK(in_use[n]);
	in_use[n] = false;
	memset(block, POISON, BLOCK_BYTES);
}

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	l->holder = 0;
}

/* Whoever has a mutex runs. */
bool donation_may_lend(const struct vcore *v, const struct task *to)
{
	return false;
}

bool donation_lend(struct vcore *v, struct task *to)
{
	explore_fail("nobody lends here");
}

/* The limit of items is a counter by itself (fs/epoll_limit.c). */
struct user *user_hold_own(void)
{
	return NULL;
}

void user_let_go(struct user *u)
{
}

bool epoll_watch_begin(struct user *u)
{
	return true;
}

void epoll_watch_end(struct user *u)
{
}

bool user_add_polled(struct user *u, uint64_t n, uint64_t most)
{
	return true;
}

void user_remove_polled(struct user *u, uint64_t n)
{
}

void async_forget(struct async_notice *n)
{
	EXPLORE_CHECK(!n);
}

/* There is nothing at address 0. */
int copy_to_user(uint64_t to, const void *from, size_t n)
{
	if (!to)
		return -EFAULT;
	memcpy((void *)to, from, n);
	return 0;
}

/* Of poll() only what is below the call is here. */
int copy_from_user(void *to, uint64_t from, size_t n)
{
	explore_fail("nobody calls");
}

struct file *fd_get(int fd)
{
	explore_fail("nobody has descriptors");
}

int signal_mask_replace_by(uint64_t mask, uint64_t size)
{
	explore_fail("nobody has a mask");
}

long signal_mask_restore_after(uint64_t mask, long result)
{
	explore_fail("nobody has a mask");
}

long file_read_first(struct file *f, uint64_t buf, size_t n, uint64_t *unused)
{
	explore_fail("nobody reads");
}

long file_write_first(struct file *f, uint64_t buf, size_t n, uint64_t *unused)
{
	explore_fail("nobody writes");
}

void inode_free(struct inode *i)
{
	explore_fail("there are no inodes");
}

void record_lock_release(struct inode *i, const void *owner)
{
	explore_fail("there are no locks");
}

/* ---------------------------------------------------------------- files that are watched */

static struct source {
	struct lock lock; /* guards: */
	struct wait_queue pollers;
	unsigned level;
	bool gone;
} sources[2];
static struct file *files[2], *ep_file, *outer_file;
static struct epoll *ep, *outer;

static uint32_t source_poll(struct file *f, struct poll_waiter *w)
{
	struct source *s = f->private;
	uint32_t events;

	lock_acquire(&s->lock);
	EXPLORE_CHECK(!s->gone);
	if (w)
		poll_wait(w, &s->pollers, &s->lock);
	events = s->level ? POLLIN : 0;
	lock_release(&s->lock);
	return events;
}

static bool is_over; /* no task runs any more */

/* As that of many files, it may sleep. */
static void source_release(struct file *f)
{
	struct source *s = f->private;

	EXPLORE_CHECK(is_over || task_state(current()) == TASK_RUNNING);
	lock_acquire(&s->lock);
	EXPLORE_CHECK(!s->gone && list_empty(&s->pollers.waiters));
	s->gone = true;
	lock_release(&s->lock);
}

static const struct file_ops source_ops = { .poll = source_poll, .release = source_release };

static void raise_level(unsigned n)
{
	struct source *s = &sources[n];

	lock_acquire(&s->lock);
	s->level++;
	wake_all(&s->pollers, POLLIN);
	lock_release(&s->lock);
}

static unsigned consume(unsigned n)
{
	unsigned level;

	lock_acquire(&sources[n].lock);
	level = sources[n].level;
	sources[n].level = 0;
	lock_release(&sources[n].lock);
	return level;
}

/* ---------------------------------------------------------------- setup */

static void setup_with(uint32_t events)
{
	struct epoll_event e = { .events = events };

	cpus_setup();
	memset(blocks, 0, sizeof(blocks));
	memset(in_use, 0, sizeof(in_use));
	memset(sources, 0, sizeof(sources));
	given = 0;
	epoll_pollers_lock.holder = 0;
	explore_name(blocks, sizeof(blocks), "blocks");
	explore_name(in_use, sizeof(in_use), "in_use");
	explore_name(&given, sizeof(given), "given");
	explore_name(sources, sizeof(sources), "sources");
	is_over = false;
	explore_name(&is_over, sizeof(is_over), "over");
	explore_name(&epoll_pollers_lock, sizeof(epoll_pollers_lock), "pollers lock");
	explore_name(&nest_mutex, sizeof(nest_mutex), "nest mutex");
	ep = epoll_create();
	ep_file = file_alloc(&epoll_file_ops, NULL, ep, 0);
	for (unsigned n = 0; n < 2; n++) {
		wait_queue_init(&sources[n].pollers);
		files[n] = file_alloc(&source_ops, NULL, &sources[n], 0);
		e.data = n;
		EXPLORE_CHECK(epoll_add(ep, files[n], (int)n, &e) == 0);
	}
	outer = NULL;
}

static void edges(void)
{
	setup_with(EPOLLIN | EPOLLET);
}

static void levels(void)
{
	setup_with(EPOLLIN);
}

/* In the list for what is over. */
static void stale(void)
{
	levels();
	raise_level(0);
	consume(0);
}

static void level_is_up(void)
{
	levels();
	raise_level(0);
}

static void with_outer(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	edges();
	outer = epoll_create();
	outer_file = file_alloc(&epoll_file_ops, NULL, outer, 0);
	EXPLORE_CHECK(epoll_add(outer, ep_file, 2, &e) == 0);
}

static void with_lone_outer(void)
{
	edges();
	outer = epoll_create();
	outer_file = file_alloc(&epoll_file_ops, NULL, outer, 0);
}

/* Told once, and not armed. */
static void disarmed(void)
{
	struct epoll_event e;

	setup_with(EPOLLIN | EPOLLONESHOT);
	raise_level(0);
	EXPLORE_CHECK(epoll_wait_for(ep, (uint64_t)&e, 1, (struct poll_limit){ .at_once = true }) == 1);
	consume(0);
}

/* ---------------------------------------------------------------- threads */

static unsigned wait_for_one(struct epoll *of)
{
	struct epoll_event e;

	EXPLORE_CHECK(epoll_wait_for(of, (uint64_t)&e, 1, (struct poll_limit){ 0 }) == 1);
	EXPLORE_CHECK(e.events == EPOLLIN);
	return (unsigned)e.data;
}

static void take_at_once(void)
{
	struct epoll_event e;

	(void)epoll_wait_for(ep, (uint64_t)&e, 1, (struct poll_limit){ .at_once = true });
}

static void one_event(unsigned cpu)
{
	if (cpu == 0)
		EXPLORE_CHECK(wait_for_one(ep) == 0);
	else
		raise_level(0);
}

static void two_events(unsigned cpu)
{
	unsigned sum = 0;

	if (cpu == 0) {
		while (sum < 2)
			sum += consume(wait_for_one(ep));
	} else {
		raise_level(0);
		raise_level(0);
	}
}

static void two_sleepers(unsigned cpu)
{
	if (cpu < 2) {
		EXPLORE_CHECK(consume(wait_for_one(ep)) == 1);
	} else {
		raise_level(0);
		raise_level(1);
	}
}

static void event_from_below(unsigned cpu)
{
	if (cpu == 0)
		wait_for_one(outer);
	else
		raise_level(0);
}

static void event_while_added(unsigned cpu)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	if (cpu == 0) {
		mutex_lock(&outer->mutex);
		EXPLORE_CHECK(epoll_add(outer, ep_file, 2, &e) == 0);
		mutex_unlock(&outer->mutex);
		wait_for_one(outer);
	} else {
		raise_level(0);
	}
}

static void event_while_armed(unsigned cpu)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT };

	if (cpu == 0) {
		mutex_lock(&ep->mutex);
		EXPLORE_CHECK(epoll_change(ep, files[0], 0, &e) == 0);
		mutex_unlock(&ep->mutex);
		wait_for_one(ep);
	} else {
		raise_level(0);
	}
}

static void look_and_event(unsigned cpu)
{
	if (cpu == 0)
		(void)epoll_is_ready(ep);
	else
		raise_level(0);
}

static void look_and_take(unsigned cpu)
{
	if (cpu == 0)
		EXPLORE_CHECK(epoll_is_ready(ep));
	else
		take_at_once();
}

static void look_take_and_event(unsigned cpu)
{
	if (cpu == 0)
		(void)epoll_is_ready(ep);
	else if (cpu == 1)
		take_at_once();
	else
		raise_level(0);
}

static void close_and_take(unsigned cpu)
{
	if (cpu == 0)
		file_put(files[0]);
	else
		take_at_once();
}

/* What cannot be told is put back, unless it is gone. */
static void close_and_fail_to_take(unsigned cpu)
{
	if (cpu == 0)
		file_put(files[0]);
	else
		(void)epoll_wait_for(ep, 0, 1, (struct poll_limit){ .at_once = true });
}

static void close_and_look(unsigned cpu)
{
	if (cpu == 0)
		file_put(files[0]);
	else
		(void)epoll_is_ready(ep);
}

static void close_and_poll(unsigned cpu)
{
	struct poll_entry entries[POLL_QUEUES_PER_FILE];
	struct poll_waiter w = { .entries = entries, .room = POLL_QUEUES_PER_FILE };
	struct poll_item item = { .file = ep_file, .wanted = POLLIN };

	if (cpu == 0) {
		file_put(files[0]);
		raise_level(1);
		return;
	}
	while (register_and_sleep(&item, 1, &w, (struct poll_limit){ .at_once = false }) == 0)
		;
}

static void close_and_event(unsigned cpu)
{
	if (cpu == 0)
		file_put(files[0]);
	else
		raise_level(0);
}

static void close_both(unsigned cpu)
{
	file_put(cpu == 0 ? files[0] : ep_file);
}

static void close_both_and_event(unsigned cpu)
{
	if (cpu < 2)
		close_both(cpu);
	else
		raise_level(0);
}

static void delete_and_event(unsigned cpu)
{
	if (cpu == 0) {
		mutex_lock(&ep->mutex);
		EXPLORE_CHECK(epoll_delete(ep, files[0], 0) == 0);
		mutex_unlock(&ep->mutex);
	} else {
		raise_level(0);
	}
}

/* ---------------------------------------------------------------- checks */

static void nothing_waits(void)
{
	cpus_check();
	EXPLORE_CHECK(!ep->mutex.owner && !ep->lock.holder && list_empty(&ep->taking) && !ep->in_flight);
	EXPLORE_CHECK(list_empty(&ep->sleepers.waiters));
}

static void it_is_seen(void)
{
	nothing_waits();
	EXPLORE_CHECK(epoll_is_ready(ep));
}

/* All is gone when the rest is closed. */
static void nothing_is_left(bool ep_is_open)
{
	is_over = true;
	if (ep_is_open)
		file_put(ep_file);
	for (unsigned n = 0; n < 2; n++)
		if (!sources[n].gone)
			file_put(files[n]);
	for (unsigned n = 0; n < BLOCKS; n++)
		EXPLORE_CHECK(!in_use[n]);
}

static void one_item_is_left(void)
{
	nothing_waits();
	EXPLORE_CHECK(ep->all.next != &ep->all && ep->all.next == ep->all.prev && list_empty(&ep->ready));
	nothing_is_left(true);
}

static void file_is_gone(void)
{
	EXPLORE_CHECK(sources[0].gone);
	one_item_is_left();
}

/* It leaves nothing in the epoll's queue. */
static void a_poll_is_over(void)
{
	cpus_check();
	EXPLORE_CHECK(sources[0].gone && list_empty(&ep->pollers.waiters) && epoll_is_ready(ep));
	nothing_is_left(true);
}

static void both_are_gone(void)
{
	cpus_check();
	EXPLORE_CHECK(sources[0].gone && list_empty(&sources[1].pollers.waiters));
	nothing_is_left(false);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_sleeper_learns_of_an_event", 2, 2, 1, edges, one_event, nothing_waits, NULL },
		{ "no_edge_is_lost", 2, 2, 0, edges, two_events, nothing_waits, NULL },
		{ "each_event_has_a_taker", 3, 1, 0, edges, two_sleepers, nothing_waits, NULL },
		{ "an_event_goes_up", 2, 2, 0, with_outer, event_from_below, nothing_waits, NULL },
		{ "an_event_meets_who_comes", 2, 2, 0, with_lone_outer, event_while_added,
		  nothing_waits, NULL },
		{ "an_event_meets_who_arms", 2, 2, 0, disarmed, event_while_armed, nothing_waits, NULL },
		{ "a_look_takes_no_event", 2, 2, 1, stale, look_and_event, it_is_seen, NULL },
		{ "a_level_is_always_seen", 2, 2, 0, level_is_up, look_and_take, it_is_seen, NULL },
		{ "a_look_beside_a_taker_takes_no_event", 3, 2, 0, stale, look_take_and_event,
		  it_is_seen, NULL },
		{ "a_file_is_closed_while_it_is_asked", 2, 2, 0, level_is_up, close_and_take,
		  file_is_gone, NULL },
		{ "a_file_is_closed_while_it_is_put_back", 2, 2, 0, level_is_up, close_and_fail_to_take,
		  file_is_gone, NULL },
		{ "a_file_is_closed_while_it_is_looked_at", 2, 2, 0, level_is_up, close_and_look,
		  file_is_gone, NULL },
		{ "a_poll_closes_a_file", 2, 2, 0, stale, close_and_poll, a_poll_is_over, NULL },
		{ "a_file_is_closed_while_it_wakes", 2, 2, 1, edges, close_and_event, file_is_gone, NULL },
		{ "a_file_and_its_epoll_are_closed", 2, 2, 0, edges, close_both, both_are_gone, NULL },
		{ "they_are_closed_while_it_wakes", 3, 1, 0, edges, close_both_and_event,
		  both_are_gone, NULL },
		{ "an_item_is_deleted_while_it_is_called", 2, 2, 1, edges, delete_and_event,
		  one_item_is_left, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
