/* SPDX-License-Identifier: MIT */
/* Switching the machine off. */
#ifndef LIBOS_POWER_H
#define LIBOS_POWER_H

#include <stdint.h>

/* May block.  Returns only when the firmware offers no way that works: -ENODEV. */
int64_t machine_power_off(void);

#endif
