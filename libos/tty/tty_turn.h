/* SPDX-License-Identifier: MIT */
/*
 * A turn: who moves many bytes drops the lock between two pieces, and keeps the turn, so that another's do
 * not come in between.
 */
#ifndef LIBOS_TTY_TURN_H
#define LIBOS_TTY_TURN_H

#include <stdbool.h>
#include "core/lock.h"
#include "core/wait.h"

struct file;
struct task;

/* Under the lock of the terminal. */
struct tty_turn {
	bool taken;
	struct task *heir; /* has been given it, and has not seen that yet */
	struct wait_queue waiting;
};

static inline void tty_turn_init(struct tty_turn *turn)
{
	turn->taken = false;
	turn->heir = NULL;
	wait_queue_init(&turn->waiting);
}

/* Task context, with only `lock` held, which it drops while it sleeps.  0, -EAGAIN where f does not wait, or
 * -ERESTARTSYS. */
int tty_turn_take(struct tty_turn *turn, struct lock *lock, const struct file *f);
/* With the lock held. */
void tty_turn_end(struct tty_turn *turn);

#endif
