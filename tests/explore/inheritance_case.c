/* SPDX-License-Identifier: MIT */
/* libos/proc/futex_inherit.c, libos/core/ordered.c, libos/core/wait.c, libos/core/wake.c,
 * libos/core/mailbox.c, libos/core/task_state.c, libos/core/name_tree.c: a lock with
 * priority inheritance has one owner, who waits gets it, and in the end all are as urgent as they were
 */
#include <linux/futex.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "libos_cpus.h"
#include "../../libos/proc/inheritance.c"

static struct process process;
static _Atomic uint32_t words[2];
static unsigned owners[2]; /* each under its word */

/* ---------------------------------------------------------------- what is called */

int load_user32(uint32_t *out, uint64_t address)
{
	*out = atomic_load_explicit((_Atomic uint32_t *)address, memory_order_acquire);
	return 0;
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

int futex_name_word(uint64_t address, bool private, struct futex_name *name)
{
	*name = (struct futex_name){ 1, address, name_key(address) };
	return 0;
}

struct task *task_find(uint32_t tid)
{
	return tid >= 1 && tid <= CPUS ? task_of(tid - 1) : NULL;
}

struct task *thread_find_holder(uint32_t tid)
{
	return task_find(tid);
}

bool thread_is_elsewhere(const struct task *t)
{
	return false;
}

void task_put(struct task *t)
{
}

static struct contended_lock locks[CPUS * 2];
static struct inheritance inheritances[CPUS * 2];
static bool lock_taken[CPUS * 2], inheritance_taken[CPUS * 2];

/* Blocks that the explorer knows by name; the caller has inheritance_lock. */
void *heap_alloc(size_t size)
{
	bool is_lock = size == sizeof(struct contended_lock);
	bool *taken = is_lock ? lock_taken : inheritance_taken;
	unsigned i = 0;

	while (i < CPUS * 2 && taken[i])
		i++;
	EXPLORE_CHECK(i < CPUS * 2);
	taken[i] = true;
	memset(is_lock ? (void *)&locks[i] : (void *)&inheritances[i], 0, size);
	return is_lock ? (void *)&locks[i] : (void *)&inheritances[i];
}

void heap_free(void *p)
{
	struct contended_lock *l = p;

	if (l >= locks && l < locks + CPUS * 2)
		lock_taken[l - locks] = false;
	else
		inheritance_taken[(struct inheritance *)p - inheritances] = false;
}

/* The priority is all that these tasks have. */
uint32_t sched_put_in_force_locked(struct task *t, const struct sched_parameters *p)
{
	uint32_t changed = t->rt_priority != p->priority;

	t->policy = p->policy;
	t->rt_priority = p->priority;
	return changed;
}

void sched_changed_masked(struct task *t, uint32_t keys)
{
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	cpus_setup();
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		struct task *t = task_of(cpu);

		t->process = &process;
		t->policy = SCHED_POLICY_FIFO;
		t->rt_priority = 1 + (int)cpu;
	}
	memset(words, 0, sizeof(words));
	memset(owners, 0, sizeof(owners));
	memset(lock_taken, 0, sizeof(lock_taken));
	memset(inheritance_taken, 0, sizeof(inheritance_taken));
	contended_locks = NULL;
	inheritance_lock.holder = 0;
	explore_name(&contended_locks, sizeof(contended_locks), "table of locks");
	explore_name(words, sizeof(words), "words");
	explore_name(owners, sizeof(owners), "owners");
	explore_name(&inheritance_lock, sizeof(inheritance_lock), "inheritance lock");
	explore_name(lock_taken, sizeof(lock_taken), "blocks for locks");
	explore_name(inheritance_taken, sizeof(inheritance_taken), "blocks for inheritances");
	explore_name(locks, sizeof(locks), "contended locks");
	explore_name(inheritances, sizeof(inheritances), "inheritances");
	explore_name(&process, sizeof(process), "process");
}

static uint32_t self_id(void)
{
	return task_thread_id(current());
}

/* As a C library does it. */
static int lock_word(unsigned which)
{
	uint32_t free = 0;
	long r = 0;

	if (!atomic_compare_exchange_strong(&words[which], &free, self_id())) {
		do {
			r = futex_lock_inheriting((uint64_t)&words[which], true, false, 0);
			if (r == -ERESTARTNOINTR)
				atomic_store_explicit(&current()->work, 0, memory_order_relaxed);
		} while (r == -ERESTARTNOINTR);
	}
	if (r == 0)
		EXPLORE_CHECK(owners[which]++ == 0);
	return (int)r;
}

static void unlock_word(unsigned which)
{
	uint32_t mine = self_id();

	EXPLORE_CHECK((words[which] & FUTEX_TID_MASK) == mine);
	EXPLORE_CHECK(owners[which]-- == 1);
	if (!atomic_compare_exchange_strong(&words[which], &mine, 0))
		EXPLORE_CHECK(futex_unlock_inheriting((uint64_t)&words[which], true) == 0);
}

static void all_want_one(unsigned cpu)
{
	EXPLORE_CHECK(lock_word(0) == 0);
	unlock_word(0);
}

static void a_signal_comes(unsigned cpu)
{
	if (cpu == 2) {
		signal_task(0);
		return;
	}
	EXPLORE_CHECK(lock_word(0) == 0);
	unlock_word(0);
}

/* Task 0 waits for task 1, which waits for task 2, if they come so. */
static void wait_in_a_row(unsigned cpu)
{
	if (cpu > 0)
		EXPLORE_CHECK(lock_word(cpu - 1) == 0);
	if (cpu < 2) {
		EXPLORE_CHECK(lock_word(cpu) == 0);
		unlock_word(cpu);
	}
	if (cpu > 0)
		unlock_word(cpu - 1);
}

/* Each wants the other's: one of them is told. */
static void wait_for_each_other(unsigned cpu)
{
	int r;

	EXPLORE_CHECK(lock_word(cpu) == 0);
	r = lock_word(!cpu);
	EXPLORE_CHECK(r == 0 || r == -EDEADLK);
	if (r == 0)
		unlock_word(!cpu);
	unlock_word(cpu);
}

/* Task 0 ends with the lock: with a robust one, as it has said so in the word before. */
static void ends_with_it(unsigned cpu)
{
	uint32_t word, found;
	int r;

	if (cpu == 0) {
		EXPLORE_CHECK(lock_word(0) == 0);
		owners[0]--;
		atomic_store_explicit(&current()->leaving, true, memory_order_release);
		word = atomic_load(&words[0]);
		do {
			found = word;
			cmpxchg_user32((uint64_t)&words[0], found,
				       (found & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &word);
		} while (word != found);
		inheritance_release(current(), true);
		return;
	}
	r = lock_word(0);
	EXPLORE_CHECK(r == 0);
	unlock_word(0);
}

/* The same with one that says nothing: who comes before the end gets it, who comes later is told. */
static void ends_in_silence(unsigned cpu)
{
	int r;

	if (cpu == 0) {
		EXPLORE_CHECK(lock_word(0) == 0);
		owners[0]--;
		atomic_store_explicit(&current()->leaving, true, memory_order_release);
		inheritance_release(current(), true);
		return;
	}
	r = lock_word(0);
	EXPLORE_CHECK(r == 0 || r == -ESRCH);
	if (r == 0)
		unlock_word(0);
}

/* As write_record() does it (proc/sched_parameters.c). */
static void set_priority(struct task *t, int priority)
{
	struct sched_parameters p = { .policy = SCHED_POLICY_FIFO, .priority = priority };

	lock_acquire(&t->lock);
	if (t->inheritance)
		t->inheritance->own = p;
	else
		sched_put_in_force_locked(t, &p);
	lock_release(&t->lock);
	inheritance_own_changed(t);
}

/* Task 0 has been waited for, and calls exec, or ends; somebody sets another priority for it. */
static void is_set_while_it_releases(unsigned cpu)
{
	if (cpu == 2) {
		set_priority(task_of(0), 1);
		return;
	}
	EXPLORE_CHECK(lock_word(0) == 0);
	unlock_word(0);
	if (cpu == 0)
		inheritance_release(current(), false);
}

static void setup_for_setting(void)
{
	setup();
	task_of(0)->rt_priority = 7;
}

static void nothing_is_left(void)
{
	cpus_check();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		EXPLORE_CHECK(task_of(cpu)->rt_priority == 1 + (int)cpu);
	for (unsigned i = 0; i < CPUS * 2; i++)
		EXPLORE_CHECK(!lock_taken[i]);
	for (unsigned i = 0; i < CPUS * 2; i++)
		EXPLORE_CHECK(!inheritance_taken[i] ||
			      ordered_first(&inheritances[i].contended) == NULL);
}

static void nothing_is_left_of_words(void)
{
	nothing_is_left();
	EXPLORE_CHECK((words[0] & ~FUTEX_OWNER_DIED) == 0 && words[1] == 0);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "it_has_one_owner", 3, 2, 0, setup, all_want_one, nothing_is_left_of_words,
		  NULL },
		{ "a_signal_loses_nothing", 3, 2, 0, setup, a_signal_comes,
		  nothing_is_left_of_words, NULL },
		{ "urgency_comes_and_goes", 3, 2, 0, setup, wait_in_a_row, nothing_is_left_of_words,
		  NULL },
		{ "what_is_set_meanwhile_counts", 3, 2, 0, setup_for_setting,
		  is_set_while_it_releases, nothing_is_left_of_words, NULL },
		{ "a_circle_is_seen", 2, 2, 1, setup, wait_for_each_other, nothing_is_left_of_words,
		  NULL },
		{ "who_dies_says_so", 3, 2, 0, setup, ends_with_it, nothing_is_left, NULL },
		{ "who_dies_in_silence_is_not_waited_for", 3, 1, 1, setup, ends_in_silence,
		  nothing_is_left, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
