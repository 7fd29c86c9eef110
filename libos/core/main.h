/* SPDX-License-Identifier: MIT */
/* Start-up. */
#ifndef LIBOS_MAIN_H
#define LIBOS_MAIN_H

struct vcore;

/* A vcore is entered for the first time: on its event stack, masked.  The first of all brings the
 * libos up. */
_Noreturn void vcore_start(struct vcore *v);

#endif
