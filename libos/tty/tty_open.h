/* SPDX-License-Identifier: MIT */
/*
 * What an open file has of its terminal.
 *
 * A hangup makes the files that were open at that time dead (reads give end of file, everything else EIO),
 * except /dev/console; one opened later works.
 */
#ifndef LIBOS_TTY_OPEN_H
#define LIBOS_TTY_OPEN_H

#include "tty/tty.h"

/* Fixed after opening. */
struct tty_open {
	struct tty *tty;  /* counted */
	bool survives;    /* a hangup does not concern it */
	uint32_t hangups; /* tty->hangups at that time */
};

static inline bool tty_open_is_dead(const struct tty_open *o)
{
	return !o->survives && o->hangups != o->tty->hangups;
}

void tty_release(struct file *f);

#endif
