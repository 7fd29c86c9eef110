/* SPDX-License-Identifier: MIT */
/* tests/schedulers/broken.c with a steal() of its own. */
#define BROKEN_NAME "broken_steal"
#define BROKEN_STEAL broken_steal
#include "broken.c"
