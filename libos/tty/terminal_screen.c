/* SPDX-License-Identifier: MIT */
/* The screen of the terminal emulator.  Pure. */
#include "tty/terminal_screen.h"

#define LAST_ROW (TERMINAL_ROWS - 1)
#define LAST_COLUMN (TERMINAL_COLUMNS - 1)

/* ANSI colours count red 1, green 2, blue 4; VGA's blue 1, green 2, red 4. */
static uint8_t vga_colour(uint8_t ansi)
{
	return (uint8_t)((ansi & 1) << 2 | (ansi & 2) | (ansi & 4) >> 2);
}

static uint16_t cell_of(const struct terminal_pen *pen, uint8_t character)
{
	uint8_t foreground = vga_colour(pen->foreground), background = vga_colour(pen->background);
	uint8_t attribute;

	/* Underlined text, which VGA colour modes cannot show, is bright. */
	if (pen->bold || pen->underline)
		foreground |= 8;
	attribute = pen->reverse ? (uint8_t)((foreground & 7) << 4 | background)
				 : (uint8_t)(background << 4 | foreground);
	return (uint16_t)(attribute << 8 | character);
}

static uint16_t blank(const struct terminal *t)
{
	struct terminal_pen pen = { .foreground = t->cursor.pen.foreground,
				    .background = t->cursor.pen.background };

	return cell_of(&pen, ' ');
}

static void mark(struct terminal *t, unsigned first, unsigned last)
{
	for (unsigned row = first; row <= last; row++)
		t->changed |= 1u << row;
}

static void copy_row(struct terminal *t, unsigned to, unsigned from)
{
	for (unsigned column = 0; column < TERMINAL_COLUMNS; column++)
		t->cells[to][column] = t->cells[from][column];
}

static void clear_row(struct terminal *t, unsigned row)
{
	for (unsigned column = 0; column < TERMINAL_COLUMNS; column++)
		t->cells[row][column] = blank(t);
}

void screen_scroll_up(struct terminal *t, unsigned first, unsigned n)
{
	if (n > t->bottom - first + 1)
		n = t->bottom - first + 1;
	for (unsigned row = first; row + n <= t->bottom; row++)
		copy_row(t, row, row + n);
	for (unsigned i = 0; i < n; i++)
		clear_row(t, t->bottom - i);
	mark(t, first, t->bottom);
}

void screen_scroll_down(struct terminal *t, unsigned first, unsigned n)
{
	if (n > t->bottom - first + 1)
		n = t->bottom - first + 1;
	for (unsigned row = t->bottom; row >= first + n; row--)
		copy_row(t, row, row - n);
	for (unsigned i = 0; i < n; i++)
		clear_row(t, first + i);
	mark(t, first, t->bottom);
}

void screen_line_feed(struct terminal *t)
{
	if (t->cursor.row == t->bottom)
		screen_scroll_up(t, t->top, 1);
	else if (t->cursor.row < LAST_ROW)
		t->cursor.row++;
	t->cursor.wrap_next = false;
}

void screen_reverse_line_feed(struct terminal *t)
{
	if (t->cursor.row == t->top)
		screen_scroll_down(t, t->top, 1);
	else if (t->cursor.row > 0)
		t->cursor.row--;
	t->cursor.wrap_next = false;
}

void screen_insert_cells(struct terminal *t, unsigned n)
{
	uint16_t *row = t->cells[t->cursor.row];
	unsigned at = t->cursor.column;

	if (n > TERMINAL_COLUMNS - at)
		n = TERMINAL_COLUMNS - at;
	for (unsigned column = LAST_COLUMN; column >= at + n; column--)
		row[column] = row[column - n];
	for (unsigned i = 0; i < n; i++)
		row[at + i] = blank(t);
	mark(t, t->cursor.row, t->cursor.row);
}

void screen_delete_cells(struct terminal *t, unsigned n)
{
	uint16_t *row = t->cells[t->cursor.row];
	unsigned at = t->cursor.column;

	if (n > TERMINAL_COLUMNS - at)
		n = TERMINAL_COLUMNS - at;
	for (unsigned column = at; column + n < TERMINAL_COLUMNS; column++)
		row[column] = row[column + n];
	for (unsigned i = 0; i < n; i++)
		row[LAST_COLUMN - i] = blank(t);
	mark(t, t->cursor.row, t->cursor.row);
}

void screen_erase(struct terminal *t, unsigned from, unsigned to)
{
	for (unsigned cell = from; cell < to; cell++)
		t->cells[cell / TERMINAL_COLUMNS][cell % TERMINAL_COLUMNS] = blank(t);
	if (from < to)
		mark(t, from / TERMINAL_COLUMNS, (to - 1) / TERMINAL_COLUMNS);
}

void screen_put(struct terminal *t, uint8_t character)
{
	struct terminal_cursor *c = &t->cursor;

	if (c->wrap_next && t->autowrap) {
		c->column = 0;
		screen_line_feed(t);
	}
	if (t->insert)
		screen_insert_cells(t, 1);
	t->cells[c->row][c->column] = cell_of(&c->pen, character);
	mark(t, c->row, c->row);
	c->wrap_next = c->column == LAST_COLUMN;
	if (!c->wrap_next)
		c->column++;
}

static unsigned clip(int value, unsigned low, unsigned high)
{
	if (value < (int)low)
		return low;
	return value > (int)high ? high : (unsigned)value;
}

void screen_move_to(struct terminal *t, int row, int column)
{
	unsigned low = t->origin ? t->top : 0, high = t->origin ? t->bottom : LAST_ROW;

	t->cursor.row = clip(row + (int)low, low, high);
	t->cursor.column = clip(column, 0, LAST_COLUMN);
	t->cursor.wrap_next = false;
}

void screen_move_by(struct terminal *t, int rows, int columns)
{
	unsigned row = t->cursor.row;
	unsigned low = row >= t->top ? t->top : 0, high = row <= t->bottom ? t->bottom : LAST_ROW;

	t->cursor.row = clip((int)row + rows, low, high);
	t->cursor.column = clip((int)t->cursor.column + columns, 0, LAST_COLUMN);
	t->cursor.wrap_next = false;
}
