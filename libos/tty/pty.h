/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals, pty(7): /dev/ptmx and /dev/pts. */
#ifndef LIBOS_PTY_H
#define LIBOS_PTY_H

void pty_init(void);

#endif
