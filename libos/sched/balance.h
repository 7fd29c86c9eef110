/* SPDX-License-Identifier: MIT */
/* Evening out CPUs that are all busy: see balance.c. */
#ifndef LIBOS_BALANCE_H
#define LIBOS_BALANCE_H

struct vcore;

/* This CPU, masked, no lock held: a slice has ended, and somebody waits here. */
void balance(struct vcore *v);

#endif
