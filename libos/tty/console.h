/* SPDX-License-Identifier: MIT */
/* The terminals of the machine, as devices. */
#ifndef LIBOS_CONSOLE_H
#define LIBOS_CONSOLE_H

/*
 * After fs_init(), in task context, once.  Registers /dev/ttyS0, /dev/tty1, /dev/console (the one
 * of the two that `console=serial|vga` on the command line names, or that there is) and /dev/tty.
 */
void console_init(void);

#endif
