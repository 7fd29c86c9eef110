/* SPDX-License-Identifier: MIT */
/*
 * libos/time/posix_timer.c, included: when the clock is set, all timers for a time of day are armed by what
 * it says then, a few under each hold of the lock, whoever sets it, or ends a timer, in between.
 */
#include <string.h>
#include "check.h"
#include "core/usercopy.h"
#include "../../libos/time/posix_timer.c"

#define TIMERS 1000
#define A_FEW 100

struct lock process_tree_lock;

static struct posix_timer timers[TIMERS];
static uint64_t real_ns;
static unsigned armed, armed_most; /* under this hold of the lock; under any */
static void (*meanwhile)(void);    /* what another does once, when the lock is free */

/* ---------------------------------------------------------------- what posix_timer.c calls */

void lock_take_checked(struct lock *l)
{
	armed = 0;
}

void lock_drop_checked(struct lock *l)
{
	void (*other)(void) = meanwhile;

	if (armed > armed_most)
		armed_most = armed;
	if (armed == 0 || !other)
		return;
	meanwhile = NULL;
	other();
}

uint64_t time_now_ns(void) { return 1; }
uint64_t time_real_ns(void) { return real_ns; }

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	t->deadline_ns = deadline_ns;
	armed++;
}

void timer_cancel(struct timer *t) {}
void *heap_alloc(size_t size) { return NULL; }
void heap_free(void *p) {}
_Noreturn void libos_panic(const char *fmt, ...) { __builtin_trap(); }
void task_put(struct task *t) {}
struct task *thread_find(uint32_t tid) { return NULL; }
struct process_timers *process_timers_get(struct process *p) { return NULL; }
uint64_t timer_advance(uint64_t *expiry_ns, uint64_t interval_ns, uint64_t now_ns) { return 0; }
void signal_entry_withdraw_locked(struct process *p, struct task *t, struct signal_entry *entry) {}
void signal_entry_revoke_locked(struct process *p, struct task *t, struct signal_entry *entry) {}
int clock_refused(int clock) { return -EINVAL; }
int copy_from_user(void *to, uint64_t from, size_t n) { return -EFAULT; }
int copy_to_user(uint64_t to, const void *from, size_t n) { return -EFAULT; }

bool signal_send_entry_locked(struct process *p, struct task *t, struct signal_entry *entry, uint64_t missed)
{
	return false;
}

/* ---------------------------------------------------------------- the cases */

static uint64_t day_of(unsigned i)
{
	return 1000000 + i;
}

static void set_clock_to(uint64_t ns)
{
	real_ns = ns;
	posix_timers_clock_set();
}

static void start(void)
{
	real_ns = 5;
	memset(timers, 0, sizeof(timers));
	for (unsigned i = 0; i < TIMERS; i++) {
		timers[i].clock = CLOCK_REALTIME;
		list_init(&timers[i].day_link);
		timer_set_locked(&timers[i], day_of(i), 0, true);
	}
	armed_most = 0;
	meanwhile = NULL;
}

/* Monotonic time is 1. */
static unsigned armed_wrongly(unsigned from)
{
	unsigned wrong = 0;

	for (unsigned i = from; i < TIMERS; i++)
		wrong += timers[i].timer.deadline_ns != day_of(i) - real_ns + 1;
	return wrong;
}

static void end(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		timer_end(&timers[i], false);
}

static void all_are_armed_a_few_at_a_time(void)
{
	start();
	set_clock_to(70);
	CHECK_EQ(armed_wrongly(0), 0);
	CHECK(armed_most > 0 && armed_most <= A_FEW);
	end(0, TIMERS);
}

static void set_back(void)
{
	set_clock_to(3);
	CHECK_EQ(armed_wrongly(0), 0);
}

static void who_sets_it_meanwhile_arms_all(void)
{
	start();
	meanwhile = set_back;
	set_clock_to(70);
	CHECK_EQ(real_ns, 3);
	CHECK_EQ(armed_wrongly(0), 0);
	set_clock_to(71);
	CHECK_EQ(armed_wrongly(0), 0);
	end(0, TIMERS);
}

static void end_some(void)
{
	end(0, TIMERS / 2);
}

static void timers_may_end_meanwhile(void)
{
	start();
	meanwhile = end_some;
	set_clock_to(70);
	CHECK_EQ(armed_wrongly(TIMERS / 2), 0);
	end(TIMERS / 2, TIMERS);
	CHECK(list_empty(&day_timers));
}

int main(void)
{
	RUN(all_are_armed_a_few_at_a_time);
	RUN(who_sets_it_meanwhile_arms_all);
	RUN(timers_may_end_meanwhile);
	return check_result();
}
