/* SPDX-License-Identifier: MIT */
/* Gives nothing away. */
/* expect: CPU . is idle for .* though task .* waits on CPU .: steal\(\) gave it none */
#include "fifo.h"

static struct task *no_steal(int victim, int thief)
{
	return NULL;
}

BROKEN_LIBRARY(BROKEN_QUEUE, .steal = no_steal);
