/* SPDX-License-Identifier: MIT */
/* Two samples as text. */
#ifndef EXOTOP_SCREEN_H
#define EXOTOP_SCREEN_H

#include "sample.h"

/* What happened between the two, in at most `rows` lines (0: as many as it takes) of at most
 * `columns` characters, each followed by `end`. */
void screen_print(const struct sample *before, const struct sample *after, int rows, int columns,
		  const char *end);

#endif
