/* SPDX-License-Identifier: MIT */
/* libos/tty/tty_turn.c, libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c:
 * one at a time has the turn, and nobody waits for it for ever
 *
 * Each CPU runs a task that wants it; the lock is dropped in the midst of that.
 */
#include "abi/errno.h"
#include "fs/file.h"
#include "libos_cpus.h"
#include "tty/tty_turn.h"

static struct lock lock = LOCK_INIT("case", RANK_TTY);
static struct tty_turn turn;
static struct file file; /* of all */
static unsigned inside;  /* under lock */

static void setup(void)
{
	cpus_setup();
	lock.holder = 0;
	tty_turn_init(&turn);
	inside = 0;
	explore_name(&lock, sizeof(lock), "lock");
	explore_name(&turn, sizeof(turn), "turn");
	explore_name(&file, sizeof(file), "file");
	explore_name(&inside, sizeof(inside), "inside");
}

static int use_turn(void)
{
	int r;

	lock_acquire(&lock);
	r = tty_turn_take(&turn, &lock, &file);
	if (r == 0) {
		EXPLORE_CHECK(inside++ == 0);
		lock_release(&lock);
		lock_acquire(&lock);
		inside--;
		tty_turn_end(&turn);
	}
	lock_release(&lock);
	return r;
}

static void all_use_it(unsigned cpu)
{
	EXPLORE_CHECK(use_turn() == 0);
}

/* CPU 1's task may be told to stop waiting just when it is given the turn. */
static void one_is_interrupted(unsigned cpu)
{
	int r;

	if (cpu == 2)
		signal_task(1);
	r = use_turn();
	EXPLORE_CHECK(r == 0 || (cpu == 1 && r == -ERESTARTSYS));
}

static void it_is_free(void)
{
	cpus_check();
	EXPLORE_CHECK(!turn.taken && !turn.heir && list_empty(&turn.waiting.waiters));
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "one_at_a_time_has_the_turn", 2, 3, 1, setup, all_use_it, it_is_free, NULL },
		{ "of_three_each_gets_the_turn", 3, 2, 0, setup, all_use_it, it_is_free, NULL },
		{ "a_turn_is_not_lost_with_who_is_interrupted", 3, 2, 0, setup, one_is_interrupted,
		  it_is_free, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
