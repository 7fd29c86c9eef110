/* SPDX-License-Identifier: MIT */
/* libos/proc/futex.c, libos/proc/futex_order.c, libos/proc/futex_two.c, libos/proc/futex_operation.c,
 * libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c,
 * libos/core/name_tree.c: no waiter is forgotten, whatever meets its wait */
#include "libos_cpus.h"
#include "../../libos/proc/futex.c"

static struct process process;
static _Atomic uint32_t word, other_word;

/* ---------------------------------------------------------------- what futex.c calls */

int user_load32(uint32_t *out, const uint32_t *from)
{
	*out = atomic_load_explicit((const _Atomic uint32_t *)from, memory_order_acquire);
	return 0;
}

int load_user32(uint32_t *out, uint64_t address)
{
	return user_load32(out, (const uint32_t *)address);
}

int cmpxchg_user32(uint64_t address, uint32_t expected, uint32_t desired, uint32_t *found)
{
	*found = expected;
	atomic_compare_exchange_strong((_Atomic uint32_t *)address, found, desired);
	return 0;
}

int user_touch(uint64_t address, size_t n, int write)
{
	explore_fail("all pages are there");
}

int vm_shared_name(struct vm *v, uint64_t address, uint64_t *object, uint64_t *offset)
{
	explore_fail("all words are private");
}

int copy_from_user(void *to, uint64_t from, size_t size)
{
	explore_fail("nobody waits for a time");
}

uint64_t time_real_ns(void)
{
	return 1;
}

long futex_lock_inheriting(uint64_t address, bool private, bool only_try, uint64_t deadline_ns)
{
	explore_fail("inheritance has a case of its own");
}

long futex_unlock_inheriting(uint64_t address, bool private)
{
	explore_fail("inheritance has a case of its own");
}

/* ---------------------------------------------------------------- the cases */

static void name_bucket(_Atomic uint32_t *futex, const char *name)
{
	struct futex_name of = name_made((uint64_t)process.vm, (uint64_t)futex);
	struct futex_bucket *b = futex_bucket_of(&of);

	b->waiters = NULL;
	b->lock.holder = 0;
	explore_name(b, sizeof(*b), name);
}

static void setup(void)
{
	cpus_setup();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		task_of(cpu)->process = &process;
	word = other_word = 0;
	explore_name(&word, sizeof(word), "word");
	explore_name(&other_word, sizeof(other_word), "other word");
	explore_name(&process, sizeof(process), "process");
	name_bucket(&word, "bucket");
	name_bucket(&other_word, "other bucket");
}

static void nobody_waits(void)
{
	cpus_check();
	for (unsigned i = 0; i < FUTEX_BUCKETS; i++)
		EXPLORE_CHECK(!futex_buckets[i].waiters);
}

static void wait_while(_Atomic uint32_t *futex, uint32_t value)
{
	while (atomic_load_explicit(futex, memory_order_acquire) == value)
		sys_futex((uint64_t)futex, FUTEX_WAIT_PRIVATE, value, 0, 0, 0);
}

static void wake(_Atomic uint32_t *futex, unsigned count)
{
	sys_futex((uint64_t)futex, FUTEX_WAKE_PRIVATE, count, 0, 0, 0);
}

/* The waker need not lock anything: it changes the word, and then wakes. */
static void word_and_wake(unsigned cpu)
{
	if (cpu == 0) {
		wait_while(&word, 0);
	} else {
		atomic_store_explicit(&word, 1, memory_order_release);
		wake(&word, 1);
	}
}

static void two_wait(unsigned cpu)
{
	if (cpu < 2) {
		wait_while(&word, 0);
	} else {
		atomic_store_explicit(&word, 1, memory_order_release);
		wake(&word, 2);
	}
}

/* As a condition variable does: who waited for the one word now waits for the other. */
static void requeue_then_wake(unsigned cpu)
{
	if (cpu == 0) {
		sys_futex((uint64_t)&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
		return;
	}
	atomic_store_explicit(&word, 1, memory_order_release);
	sys_futex((uint64_t)&word, FUTEX_REQUEUE_PRIVATE, 0, 1, (uint64_t)&other_word, 0);
	wake(&other_word, 1);
}

/* A signal ends the wait while a requeue moves the waiter, and a wake looks where it came to be. */
static void requeue_meets_signal(unsigned cpu)
{
	if (cpu == 0) {
		sys_futex((uint64_t)&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
	} else if (cpu == 1) {
		signal_task(0);
		sys_futex((uint64_t)&word, FUTEX_REQUEUE_PRIVATE, 0, 1, (uint64_t)&other_word, 0);
	} else {
		wake(&other_word, 1);
	}
}

/* A waiter that is awake for another reason may be gone as soon as it sees that it was woken, and wait
 * for something else, with its next waiter where the last one was. */
static void waits_again(unsigned cpu)
{
	if (cpu == 0) {
		sys_futex((uint64_t)&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
		while (atomic_load_explicit(&other_word, memory_order_acquire) == 0) {
			atomic_store_explicit(&task_of(0)->work, 0, memory_order_relaxed);
			sys_futex((uint64_t)&other_word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
		}
		return;
	}
	signal_task(0);
	atomic_store_explicit(&word, 1, memory_order_release);
	wake(&word, 1);
	atomic_store_explicit(&other_word, 1, memory_order_release);
	wake(&other_word, 1);
}

static void requeues_cross(unsigned cpu)
{
	_Atomic uint32_t *from = cpu ? &word : &other_word, *to = cpu ? &other_word : &word;

	sys_futex((uint64_t)from, FUTEX_REQUEUE_PRIVATE, 0, 1, (uint64_t)to, 0);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_changed_word_wakes", 2, 2, 1, setup, word_and_wake, nobody_waits, NULL },
		{ "two_waiters_are_woken", 3, 1, 1, setup, two_wait, nobody_waits, NULL },
		{ "a_requeued_waiter_is_woken", 2, 2, 1, setup, requeue_then_wake, nobody_waits,
		  NULL },
		{ "a_signal_finds_a_requeued_waiter", 3, 2, 0, setup, requeue_meets_signal,
		  nobody_waits, NULL },
		{ "a_woken_waiter_may_wait_again", 2, 2, 1, setup, waits_again, nobody_waits, NULL },
		{ "requeues_may_cross", 2, 2, 1, setup, requeues_cross, nobody_waits, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
