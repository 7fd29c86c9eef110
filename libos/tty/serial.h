/* SPDX-License-Identifier: MIT */
/* The terminal on the first serial port. */
#ifndef LIBOS_SERIAL_H
#define LIBOS_SERIAL_H

struct tty;

/* Task context, once.  NULL if the machine has no such port. */
struct tty *serial_init(void);

#endif
