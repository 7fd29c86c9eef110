/* SPDX-License-Identifier: MIT */
/* Large private state. */
/* expect: task_size is 4096, more than 128 */
#include "fifo.h"

BROKEN_LIBRARY(BROKEN_QUEUE, .task_size = 4096);
