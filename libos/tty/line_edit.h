/* SPDX-License-Identifier: MIT */
/* The line discipline's inside: what its files of input have in common. */
#ifndef LIBOS_LINE_EDIT_H
#define LIBOS_LINE_EDIT_H

#include "tty/line_discipline.h"

#define LINE_DISABLED 0 /* a control character with this value matches nothing */

static inline bool has(const struct line_discipline *l, tcflag_t local_flag)
{
	return (l->settings.c_lflag & local_flag) != 0;
}

static inline bool is_control(const struct line_discipline *l, uint8_t byte, int which)
{
	return byte != LINE_DISABLED && l->settings.c_cc[which] == byte;
}

static inline uint8_t *byte_at(struct line_discipline *l, uint32_t index)
{
	return &l->input[index % LINE_INPUT_SIZE];
}

/* Takes an editing character, and changes the line that is not committed yet; false: it is none. */
bool line_edit(struct line_discipline *l, uint8_t byte);

#endif
