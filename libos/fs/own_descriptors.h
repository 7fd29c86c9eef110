/* SPDX-License-Identifier: MIT */
/*
 * What a task knows of descriptors that it alone can use, for the doors of read() and write()
 * (core/read_write.asm).
 *
 * It remembers them when a call by number has found them, and forgets them before the table moves, is
 * another, or has another user, all of which only the task itself can bring about.  Others that leave
 * do not matter: less is known then than could be.
 *
 * While calls are traced no task knows of any, so that the doors need not ask.  Who turns that on, on any
 * CPU, sets calls_are_traced and then goes through all tasks; who remembers stores what it has found
 * and then looks at that.  All four are sequentially consistent: either the flag is seen, or what was
 * stored before is there to be taken away.
 */
#ifndef LIBOS_OWN_DESCRIPTORS_H
#define LIBOS_OWN_DESCRIPTORS_H

#include <stdatomic.h>
#include <stdint.h>

struct file;

struct own_descriptors {
	struct file **files;       /* the task itself */
	_Atomic uint64_t capacity; /* likewise; others only clear it.  0: none are known */
};

/* The task itself, of its own. */
void own_descriptors_remember(struct own_descriptors *own, struct file **files, unsigned capacity);
/* Likewise; and any other, after calls_are_traced was set. */
void own_descriptors_forget(struct own_descriptors *own);

#endif
