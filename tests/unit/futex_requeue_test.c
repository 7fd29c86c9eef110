/* SPDX-License-Identifier: MIT */
/*
 * libos/proc/futex_two.c, libos/proc/futex_order.c, both included, libos/core/name_tree.c: who is moved to
 * another word comes there in his place, with no more steps than there are waiters, since upcalls are masked.
 */
#include <string.h>
#include "check.h"
#include "core/name_tree.h"

static unsigned steps; /* from one waiter to the next */

#define named_next(n, last) (steps++, named_next(n, last))
#include "../../libos/proc/futex_order.c"
#include "../../libos/proc/futex_two.c"

#define WAITERS 400
#define FROM 0x1000
#define TO 0x2000

struct futex_bucket futex_buckets[FUTEX_BUCKETS];
static struct task task[WAITERS];
static struct futex_waiter waiter[WAITERS];

/* ---------------------------------------------------------------- what the two files call */

void lock_take_checked(struct lock *l)
{
}

void lock_drop_checked(struct lock *l)
{
}

bool lock_try(struct lock *l)
{
	return true;
}

_Noreturn void libos_panic(const char *fmt, ...)
{
	__builtin_trap();
}

int futex_name_word(uint64_t address, bool private, struct futex_name *name)
{
	*name = (struct futex_name){ 1, address, name_key(address) };
	return 0;
}

unsigned futex_wake_locked(struct futex_bucket *b, const struct futex_name *name, uint32_t bitset,
			   unsigned count)
{
	return 0;
}

int load_user32(uint32_t *value, uint64_t address)
{
	return -EFAULT;
}

int user_touch(uint64_t address, size_t n, int write)
{
	return -EFAULT;
}

int futex_change_word(uint64_t address, uint32_t code, uint32_t *old)
{
	return -EFAULT;
}

bool futex_word_was(uint32_t code, uint32_t old)
{
	return false;
}

bool futex_operation_known(uint32_t code)
{
	return true;
}

/* ---------------------------------------------------------------- the cases */

static void waits(unsigned i, uint64_t address, int priority)
{
	struct futex_waiter *w = &waiter[i];

	memset(w, 0, sizeof(*w));
	task[i].policy = priority ? SCHED_POLICY_RR : SCHED_POLICY_OTHER;
	task[i].rt_priority = priority;
	w->task = &task[i];
	w->bitset = ~0u;
	futex_name_word(address, true, &w->name);
	w->bucket = futex_bucket_of(&w->name);
	futex_enter(futex_bucket_of(&w->name), w);
}

static void move(unsigned expected)
{
	struct futex_requeue all = { .from = FROM, .to = TO, .private = true, .move = ~0u };

	steps = 0;
	CHECK_EQ(futex_requeue(&all), expected);
	CHECK(steps <= 3 * WAITERS);
}

/* The n-th who waits for the word, which is then empty if there are no more. */
static unsigned next_at(uint64_t address)
{
	struct futex_name name;
	struct named *n;

	futex_name_word(address, true, &name);
	n = named_find(&futex_bucket_of(&name)->waiters, name.hash);
	if (!n)
		return WAITERS;
	named_remove(&futex_bucket_of(&name)->waiters, n);
	return (unsigned)(futex_waiter_of(n) - waiter);
}

/* One that is not urgent is the last, and all who come walk past those that have come. */
static void urgent_ones_go_before_who_is_there(void)
{
	waits(0, TO, 0);
	for (unsigned i = 1; i < WAITERS; i++)
		waits(i, FROM, 10);
	move(WAITERS - 1);
	for (unsigned i = 1; i < WAITERS; i++)
		CHECK_EQ(next_at(TO), i);
	CHECK_EQ(next_at(TO), 0);
	CHECK_EQ(next_at(TO), WAITERS);
	CHECK_EQ(next_at(FROM), WAITERS);
}

/* And the other way round: none of those who come is urgent. */
static void others_go_behind_who_is_there(void)
{
	for (unsigned i = 0; i < WAITERS / 2; i++)
		waits(i, TO, 10);
	for (unsigned i = WAITERS / 2; i < WAITERS; i++)
		waits(i, FROM, 0);
	move(WAITERS / 2);
	for (unsigned i = 0; i <= WAITERS; i++)
		CHECK_EQ(next_at(TO), i);
}

/* Five kinds at each of the two words: the most urgent first, and who was there before who comes. */
static void all_kinds_are_put_in_order(void)
{
	static const int priority[] = { 0, 30, 10, 99, 20 };
	int last = 99;
	unsigned last_i = 0;

	for (unsigned i = 0; i < WAITERS; i++)
		waits(i, i < WAITERS / 2 ? TO : FROM, priority[i % 5]);
	move(WAITERS / 2);
	for (unsigned n = 0; n < WAITERS; n++) {
		unsigned i = next_at(TO);

		CHECK(i < WAITERS && task[i].rt_priority <= last);
		if (i >= WAITERS)
			return;
		if (task[i].rt_priority == last)
			CHECK(n == 0 || i > last_i);
		last = task[i].rt_priority;
		last_i = i;
	}
}

int main(void)
{
	RUN(urgent_ones_go_before_who_is_there);
	RUN(others_go_behind_who_is_there);
	RUN(all_kinds_are_put_in_order);
	return check_result();
}
