/* SPDX-License-Identifier: MIT */
/* Where the libos's own code lies (libos.ld). */
#ifndef LIBOS_IMAGE_H
#define LIBOS_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

extern const char libos_text_start[], libos_text_end[];

static inline bool libos_text_contains(uint64_t address)
{
	return address - (uint64_t)libos_text_start < (uint64_t)(libos_text_end - libos_text_start);
}

#endif
