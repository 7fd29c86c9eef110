/* SPDX-License-Identifier: MIT */
/* Thinks that pick() is enough. */
/* expect: dequeue\(\) .*left the task in a queue */
#include "fifo.h"

static void no_dequeue(int cpu, struct task *t)
{
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = no_dequeue, .pick = fifo_pick);
