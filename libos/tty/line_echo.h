/* SPDX-License-Identifier: MIT */
/* The line discipline's way to the screen: echo of input, with the column kept. */
#ifndef LIBOS_LINE_ECHO_H
#define LIBOS_LINE_ECHO_H

#include "tty/line_discipline.h"

static inline bool line_is_control_byte(uint8_t byte)
{
	return byte < 0x20 || byte == 0x7f;
}

/* As a program's output would show it.  False: there was no room. */
bool line_echo_raw(struct line_discipline *l, uint8_t byte);
/* As typed input: control characters as ^X with ECHOCTL.  False likewise. */
bool line_echo_byte(struct line_discipline *l, uint8_t byte);
/* A caret that the next character will overwrite. */
void line_echo_caret(struct line_discipline *l);
/* Blank the last `columns` columns. */
void line_echo_rub_out(struct line_discipline *l, unsigned columns);
/* Back over a tab that was typed `columns` behind a tab stop or the left margin. */
void line_echo_erase_tab(struct line_discipline *l, unsigned columns);

#endif
