/* SPDX-License-Identifier: MIT */
/* The terminal on the VGA text screen and the PC keyboard. */
#ifndef LIBOS_VGA_H
#define LIBOS_VGA_H

struct tty;

/* Task context, once.  NULL if the machine has no text screen. */
struct tty *vga_init(void);

#endif
