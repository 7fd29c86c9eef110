/* SPDX-License-Identifier: MIT */
/* Wants a power of two. */
/* expect: init\(\) .*returned -12 for 3 CPUs: it cannot start */
#include "fifo.h"

static int picky_init(int ncpu)
{
	return ncpu & (ncpu - 1) ? -12 : 0;
}

BROKEN_LIBRARY(BROKEN_QUEUE, .init = picky_init);
