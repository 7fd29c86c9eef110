/* SPDX-License-Identifier: MIT */
/* The screen of the terminal emulator: what the parser does to cells and cursor. */
#ifndef LIBOS_TERMINAL_SCREEN_H
#define LIBOS_TERMINAL_SCREEN_H

#include "tty/terminal.h"

void screen_put(struct terminal *t, uint8_t character);
void screen_line_feed(struct terminal *t);
void screen_reverse_line_feed(struct terminal *t);
/* Rows first to bottom move up (lines leave at first) or down by n. */
void screen_scroll_up(struct terminal *t, unsigned first, unsigned n);
void screen_scroll_down(struct terminal *t, unsigned first, unsigned n);
/* Clears cells [from, to) counted row by row from the top left corner. */
void screen_erase(struct terminal *t, unsigned from, unsigned to);
void screen_insert_cells(struct terminal *t, unsigned n);
void screen_delete_cells(struct terminal *t, unsigned n);
/* Places the cursor; coordinates are clipped, and relative to the region in origin mode. */
void screen_move_to(struct terminal *t, int row, int column);
/* Moves it; up and down stop at the margins of the scrolling region. */
void screen_move_by(struct terminal *t, int rows, int columns);

static inline unsigned screen_cursor_cell(const struct terminal *t)
{
	return t->cursor.row * TERMINAL_COLUMNS + t->cursor.column;
}

/* terminal_sequence.c: the final byte of a control sequence has come. */
void terminal_control_sequence(struct terminal *t, uint8_t final);
extern const struct terminal_pen terminal_default_pen;

/* The code page 437 character that shows a code point best. */
uint8_t screen_character(uint32_t code_point);
/* The same for the DEC line drawing set, selected by ESC ( 0. */
uint8_t screen_line_drawing(uint8_t byte);

#endif
