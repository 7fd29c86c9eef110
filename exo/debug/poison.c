/* SPDX-License-Identifier: MIT */
/* Frames of objects that have ended are filled with what is no address, no handle and no small number. */
#include "kernel.h"
#include "debug.h"

#define POISON 0xa5

void frame_poison(uint64_t frame)
{
	memset(frame_pointer(frame), POISON, EXO_PAGE_SIZE);
}
