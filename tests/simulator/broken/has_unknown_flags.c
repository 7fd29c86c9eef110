/* SPDX-License-Identifier: MIT */
/* A flag that there is none of. */
/* expect: its flags have a bit that is none of */
#include "fifo.h"

BROKEN_LIBRARY(BROKEN_QUEUE, .flags = 1u << 7);
