/* SPDX-License-Identifier: MIT */
/* What a loaded scheduler library may call. */
#ifndef LIBOS_EXPORTS_H
#define LIBOS_EXPORTS_H

#include <stdint.h>

/* The address of a function by its name; 0 if a library may not call it. */
uint64_t export_address(const char *name);

#endif
