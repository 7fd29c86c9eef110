/* SPDX-License-Identifier: MIT */
/* Start-up. */
#ifndef LIBOS_MAIN_H
#define LIBOS_MAIN_H

struct vcore;

struct exo_vcore_page;

/* A vcore is entered for the first time: on its event stack, masked.  The first of all brings the
 * libos up, and fills in *v for all, of which the page is. */
_Noreturn void vcore_start(struct vcore *v, struct exo_vcore_page *page);

#endif
