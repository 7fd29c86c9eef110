/* SPDX-License-Identifier: MIT */
/* Has no dequeue(). */
/* expect: enqueue, dequeue and pick are given together or not at all */
#include "fifo.h"

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .pick = fifo_pick);
