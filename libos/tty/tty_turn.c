/* SPDX-License-Identifier: MIT */
/* Whose turn it is: see tty_turn.h. */
#include "tty/tty_turn.h"
#include "abi/errno.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "proc/signal.h"

/*
 * It is given to who has waited longest, not left for whoever comes first: who writes again and again, and
 * mostly waits for room, has it nearly always, and who is woken to look for himself would never find it free.
 *
 * Why it is not lost with an heir who is interrupted: he was in the queue when it was given, under the lock,
 * and wait_on() says -EINTR only to who still is.  And why `heir`: a sleep may end for nothing.
 */
int tty_turn_take(struct tty_turn *turn, struct lock *lock, const struct file *f)
{
	if (!turn->taken) {
		turn->taken = true;
		return 0;
	}
	if ((f->flags & O_NONBLOCK) != 0)
		return -EAGAIN;
	for (;;) {
		int r = wait_on(&turn->waiting, lock, WAIT_INTERRUPTIBLE, 0);

		if (turn->heir == current()) {
			turn->heir = NULL;
			return 0;
		}
		if (r == -EINTR)
			return -ERESTARTSYS;
	}
}

void tty_turn_end(struct tty_turn *turn)
{
	turn->heir = wake_one(&turn->waiting, WAKE_ANY);
	turn->taken = turn->heir != NULL;
}
