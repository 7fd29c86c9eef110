/* SPDX-License-Identifier: MIT */
/* libos/time/timer_file.c, libos/fs/poll_entry.c: a timerfd is armed for its next expiry, by the clock
 * as it has been set, or who waits for it is told */
#include <string.h>
#include "core/usercopy.h"
#include "libos_lock.h"
#include "../../libos/time/timer_file.c"

#define NOW 1000ul
#define DAY 500000ul  /* when it is to expire, on the clock of the day */
#define LATER 20000ul /* that clock is set forward by so much */

static struct file file;
static char block[512] __attribute__((aligned(64))); /* the timer */
static struct task task;

/* Any CPU: what the machine is. */
static _Atomic uint64_t offset;    /* of the clock of the day */
static _Atomic uint64_t monotonic; /* now */
static _Atomic uint64_t armed;     /* for when; 0: not */

/* As in libos/core/timer.c a timer begins to fire as it leaves its CPU's heap. */
static struct lock heap_lock; /* guards, and what has to do with it in `armed`: */
static _Atomic bool firing;

/* ---------------------------------------------------------------- what the code under test calls */

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	l->holder = 0;
}
void mutex_lock(struct mutex *m)
{
	lock_take(&m->lock);
}
void mutex_unlock(struct mutex *m)
{
	lock_drop(&m->lock);
}
uint64_t time_now_ns(void)
{
	return monotonic;
}
uint64_t time_real_ns(void)
{
	return monotonic + offset;
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	armed = deadline_ns;
}

static bool has_fired(void *unused)
{
	return !firing;
}

void timer_cancel(struct timer *t)
{
	lock_take(&heap_lock);
	armed = 0;
	lock_drop(&heap_lock);
	if (firing)
		explore_wait(has_fired, NULL, "waits for fire()");
}

uint64_t timer_advance(uint64_t *expiry_ns, uint64_t interval_ns, uint64_t now_ns)
{
	*expiry_ns = interval_ns ? *expiry_ns + interval_ns : 0;
	return 0;
}

void waiter_init(struct waiter *w, uint32_t key)
{
	list_init(&w->link);
	w->task = &task;
	w->woken = false;
	w->key = key;
}

void waiter_add(struct wait_queue *q, struct waiter *w)
{
	list_push_back(&q->waiters, &w->link);
}
void waiter_remove(struct waiter *w)
{
	list_remove(&w->link);
}

void wake_all(struct wait_queue *q, uint32_t key)
{
	struct list *link;

	while ((link = list_pop_front(&q->waiters)) != NULL)
		list_entry(link, struct waiter, link)->woken = true;
}

int wait_on(struct wait_queue *q, struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	explore_fail("nobody sleeps");
}

void *heap_alloc(size_t size)
{
	EXPLORE_CHECK(size <= sizeof(block));
	memset(block, 0, sizeof(block));
	return block;
}

void heap_free(void *p)
{
}
_Noreturn void libos_panic(const char *fmt, ...)
{
	explore_fail("panic");
}

struct file *file_alloc(const struct file_ops *ops, struct inode *inode, void *private,
			uint32_t flags)
{
	memset(&file, 0, sizeof(file));
	file.ops = ops;
	file.private = private;
	file.flags = flags;
	return &file;
}

int fd_install(struct file *f, int lowest, bool close_on_exec)
{
	return 3;
}
struct file *fd_get(int fd)
{
	return &file;
}
void file_put(struct file *f)
{
}

int copy_from_user(void *to, uint64_t from, size_t n)
{
	memcpy(to, (void *)from, n);
	return 0;
}

int copy_to_user(uint64_t to, const void *from, size_t n)
{
	memcpy((void *)to, from, n);
	return 0;
}

/* ---------------------------------------------------------------- the cases */

static struct timer_file *the_timer(void)
{
	return file.private;
}

static void set_to(uint64_t ns, uint64_t interval, int flags)
{
	struct linux_itimerspec new = { timespec_from_ns(interval), timespec_from_ns(ns) };

	EXPLORE_CHECK(sys_timerfd_settime(3, flags, (uint64_t) & new, 0) == 0);
}

static void make(int clock)
{
	EXPLORE_CHECK(sys_timerfd_create(clock, TFD_NONBLOCK) == 3);
	explore_name(block, sizeof(block), "timer");
}

static void setup(void)
{
	heap_lock.holder = 0;
	firing = false;
	offset = 0;
	monotonic = NOW;
	armed = 0;
	day_mutex.lock.holder = 0;
	list_init(&day_files);
	explore_name(&day_mutex, sizeof(day_mutex), "mutex");
	explore_name(&day_files, sizeof(day_files), "list");
	explore_name(&offset, sizeof(offset), "offset of the clock");
	explore_name(&monotonic, sizeof(monotonic), "now");
	explore_name(&armed, sizeof(armed), "armed");
	explore_name(&heap_lock, sizeof(heap_lock), "heap");
	explore_name(&firing, sizeof(firing), "firing");
	explore_name(&file, sizeof(file), "file");
	make(CLOCK_REALTIME);
}

static void set_clock(uint64_t forward)
{
	atomic_fetch_add(&offset, forward);
	timer_files_clock_set();
}

static void the_clock_is_set_meanwhile(unsigned cpu)
{
	if (cpu == 0)
		set_to(DAY, 0, TFD_TIMER_ABSTIME);
	else
		set_clock(LATER);
}

static void two_set_the_clock(unsigned cpu)
{
	if (cpu == 0)
		set_to(DAY, 0, TFD_TIMER_ABSTIME);
	else
		set_clock(cpu == 1 ? LATER : 2 * LATER);
}

static void armed_by_the_clock(void)
{
	EXPLORE_CHECK(armed == DAY - offset);
	file.ops->release(&file);
}

/* A poller that has looked, and sleeps if it has not seen it. */
static struct poll_entry entry;
static bool seen;

static void setup_poller(void)
{
	setup();
	seen = false;
	explore_name(&entry, sizeof(entry), "entry");
	explore_name(&seen, sizeof(seen), "seen");
	set_to(1, 5000, 0);
	monotonic = armed;
}

static void look(void)
{
	struct poll_waiter w = { .entries = &entry, .room = 1, .key = WAKE_ANY };

	seen = file.ops->poll(&file, &w) != 0;
}

static void go_off(void)
{
	fire(&the_timer()->timer);
}

static void it_goes_off_meanwhile(unsigned cpu)
{
	if (cpu == 0)
		look();
	else
		go_off();
}

static void the_poller_knows(void)
{
	EXPLORE_CHECK(seen || entry.called.waiter.woken);
	poll_entry_remove(&entry);
	file.ops->release(&file);
}

/* It is read as it goes off: then it is armed for the next time, or can be read again. */
static void one_reads(unsigned cpu)
{
	uint64_t expired;

	if (cpu == 0)
		file.ops->read(&file, (uint64_t)&expired, sizeof(expired), NULL);
	else
		go_off();
}

static void ready_or_armed(void)
{
	EXPLORE_CHECK(file.ops->poll(&file, NULL) != 0 || armed > monotonic);
	file.ops->release(&file);
}

/* It is put off as it goes off, and a poller sleeps, or sees the old expiry. */
static void one_puts_it_off(unsigned cpu)
{
	if (cpu == 0)
		set_to(DAY, 0, 0);
	else
		go_off();
}

static void armed_for_the_new(void)
{
	EXPLORE_CHECK(file.ops->poll(&file, NULL) == 0 && armed == monotonic + DAY);
	file.ops->release(&file);
}

/* It is closed as it goes off, when it has just been put off.  fire() finds it not due, and would arm it. */
static void go_off_if_armed(void)
{
	lock_take(&heap_lock);
	firing = atomic_exchange(&armed, 0) != 0;
	lock_drop(&heap_lock);
	if (!firing)
		return;
	go_off();
	firing = false;
}

static void one_closes(unsigned cpu)
{
	if (cpu == 1) {
		go_off_if_armed();
		return;
	}
	set_to(DAY, 0, 0);
	file.ops->release(&file);
}

static void it_is_not_armed(void)
{
	EXPLORE_CHECK(armed == 0);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "it_is_armed_by_the_clock", 2, 3, 2, setup, the_clock_is_set_meanwhile,
		  armed_by_the_clock, NULL },
		{ "two_may_set_the_clock", 3, 2, 1, setup, two_set_the_clock, armed_by_the_clock,
		  NULL },
		{ "a_poller_is_told", 2, 3, 2, setup_poller, it_goes_off_meanwhile,
		  the_poller_knows, NULL },
		{ "it_is_armed_again", 2, 3, 2, setup_poller, one_reads, ready_or_armed, NULL },
		{ "it_is_armed_as_it_was_set_last", 2, 3, 2, setup_poller, one_puts_it_off,
		  armed_for_the_new, NULL },
		{ "one_that_is_closed_is_not_armed", 2, 2, 1, setup_poller, one_closes, it_is_not_armed,
		  NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
