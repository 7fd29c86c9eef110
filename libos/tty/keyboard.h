/* SPDX-License-Identifier: MIT */
/* The PC keyboard, typing into a terminal. */
#ifndef LIBOS_KEYBOARD_H
#define LIBOS_KEYBOARD_H

#include <stdbool.h>

struct tty;

/* Task context, once.  0 or -errno. */
int keyboard_init(struct tty *t);

/* vga.c: do cursor keys send ESC O x rather than ESC [ x? */
bool vga_application_keys(void);

#endif
