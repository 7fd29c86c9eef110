/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given to the domain while it runs, and asked back, by whoever made it.
 */
#ifndef LIBOS_DOMAIN_PRESSURE_H
#define LIBOS_DOMAIN_PRESSURE_H

#include <stdint.h>

/* Task context, once: the task that gives memory back. */
void pressure_init(void);
/* Event context, masked, no lock held: so many frames are to be given back; something has been taken. */
void pressure_asked(uint64_t frames, uint64_t deadline_tsc);
void pressure_taken(void);

#endif
