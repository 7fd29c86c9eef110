/* SPDX-License-Identifier: MIT */
/* What the terminal emulator does at the end of a control sequence, ESC [ ... letter.  Pure. */
#include "tty/terminal_screen.h"

#define DEFAULT_FOREGROUND 7
#define DEFAULT_BACKGROUND 0
#define CELLS (TERMINAL_ROWS * TERMINAL_COLUMNS)

const struct terminal_pen terminal_default_pen = {
	.foreground = DEFAULT_FOREGROUND,
	.background = DEFAULT_BACKGROUND,
};

static void answer(struct terminal *t, const char *text)
{
	while (*text != '\0' && t->reply_length < TERMINAL_REPLY_MAX)
		t->reply[t->reply_length++] = *text++;
}

static void answer_number(struct terminal *t, unsigned n)
{
	char digits[] = { (char)('0' + n / 10), (char)('0' + n % 10), '\0' };

	answer(t, n < 10 ? digits + 1 : digits);
}

/* Parameter i, with `fallback` for one that is missing or 0. */
static unsigned parameter(const struct terminal *t, unsigned i, unsigned fallback)
{
	return i < t->parameter_count && t->parameters[i] != 0 ? t->parameters[i] : fallback;
}

static void set_colour(struct terminal_pen *pen, unsigned code)
{
	if (code >= 30 && code <= 37)
		pen->foreground = (uint8_t)(code - 30);
	else if (code == 39)
		pen->foreground = DEFAULT_FOREGROUND;
	else if (code >= 40 && code <= 47)
		pen->background = (uint8_t)(code - 40);
	else if (code == 49)
		pen->background = DEFAULT_BACKGROUND;
	else if (code >= 90 && code <= 97) {
		pen->foreground = (uint8_t)(code - 90);
		pen->bold = true;
	} else if (code >= 100 && code <= 107) {
		pen->background = (uint8_t)(code - 100);
	}
}

/* 38;5;n and 38;2;r;g;b name colours that we do not have: how many parameters to pass over. */
static unsigned extended_colour(const struct terminal *t, unsigned i)
{
	switch (parameter(t, i + 1, 0)) {
	case 5:
		return 2;
	case 2:
		return 4;
	default:
		return 0;
	}
}

static void select_rendition(struct terminal *t)
{
	struct terminal_pen *pen = &t->cursor.pen;

	for (unsigned i = 0; i < t->parameter_count || i == 0; i++) {
		unsigned code = parameter(t, i, 0);

		switch (code) {
		case 0:
			*pen = terminal_default_pen;
			break;
		case 1:
			pen->bold = true;
			break;
		case 4:
			pen->underline = true;
			break;
		case 7:
			pen->reverse = true;
			break;
		case 22:
			pen->bold = false;
			break;
		case 24:
			pen->underline = false;
			break;
		case 27:
			pen->reverse = false;
			break;
		case 38:
		case 48:
			i += extended_colour(t, i);
			break;
		default:
			set_colour(pen, code);
			break;
		}
	}
}

static void erase_in_display(struct terminal *t)
{
	unsigned at = screen_cursor_cell(t);

	switch (parameter(t, 0, 0)) {
	case 0:
		screen_erase(t, at, CELLS);
		break;
	case 1:
		screen_erase(t, 0, at + 1);
		break;
	case 2:
	case 3:
		screen_erase(t, 0, CELLS);
		break;
	}
}

static void erase_in_line(struct terminal *t)
{
	unsigned start = t->cursor.row * TERMINAL_COLUMNS, at = screen_cursor_cell(t);

	switch (parameter(t, 0, 0)) {
	case 0:
		screen_erase(t, at, start + TERMINAL_COLUMNS);
		break;
	case 1:
		screen_erase(t, start, at + 1);
		break;
	case 2:
		screen_erase(t, start, start + TERMINAL_COLUMNS);
		break;
	}
}

static void erase_cells(struct terminal *t)
{
	unsigned at = screen_cursor_cell(t), n = parameter(t, 0, 1);
	unsigned room = TERMINAL_COLUMNS - t->cursor.column;

	screen_erase(t, at, at + (n < room ? n : room));
}

static void insert_or_delete_lines(struct terminal *t, bool insert)
{
	unsigned row = t->cursor.row, n = parameter(t, 0, 1);

	if (row < t->top || row > t->bottom)
		return;
	if (insert)
		screen_scroll_down(t, row, n);
	else
		screen_scroll_up(t, row, n);
	t->cursor.column = 0;
	t->cursor.wrap_next = false;
}

static void set_region(struct terminal *t)
{
	unsigned top = parameter(t, 0, 1), bottom = parameter(t, 1, TERMINAL_ROWS);

	if (bottom > TERMINAL_ROWS)
		bottom = TERMINAL_ROWS;
	if (top >= bottom)
		return;
	t->top = top - 1;
	t->bottom = bottom - 1;
	screen_move_to(t, 0, 0);
}

/* Full-screen programs draw on a screen of their own, and leave the other as it was. */
static void show_alternate(struct terminal *t, bool on, bool with_cursor)
{
	if (on == t->alternate)
		return;
	t->alternate = on;
	if (on && with_cursor)
		t->saved = t->cursor;
	for (unsigned cell = 0; cell < CELLS; cell++) {
		uint16_t *shown = &t->cells[cell / TERMINAL_COLUMNS][cell % TERMINAL_COLUMNS];
		uint16_t *kept = &t->kept[cell / TERMINAL_COLUMNS][cell % TERMINAL_COLUMNS];

		*(on ? kept : shown) = *(on ? shown : kept);
	}
	if (on)
		screen_erase(t, 0, CELLS);
	else if (with_cursor)
		t->cursor = t->saved;
	t->changed = (1u << TERMINAL_ROWS) - 1;
}

static void set_mode(struct terminal *t, bool on)
{
	for (unsigned i = 0; i < t->parameter_count; i++) {
		unsigned mode = t->parameters[i];

		if (!t->private_mark) {
			if (mode == 4)
				t->insert = on;
			continue;
		}
		switch (mode) {
		case 1:
			t->application_keys = on;
			break;
		case 6:
			t->origin = on;
			screen_move_to(t, 0, 0);
			break;
		case 7:
			t->autowrap = on;
			break;
		case 25:
			t->cursor_visible = on;
			break;
		case 47:
		case 1047:
		case 1049:
			show_alternate(t, on, mode == 1049);
			break;
		}
	}
}

static void report(struct terminal *t)
{
	unsigned row = t->cursor.row - (t->origin ? t->top : 0);

	switch (parameter(t, 0, 0)) {
	case 5:
		answer(t, "\033[0n");
		break;
	case 6:
		answer(t, "\033[");
		answer_number(t, row + 1);
		answer(t, ";");
		answer_number(t, t->cursor.column + 1);
		answer(t, "R");
		break;
	}
}

/* Sequences that move the cursor; true if `final` is one. */
static bool move(struct terminal *t, uint8_t final)
{
	int n = (int)parameter(t, 0, 1);
	int row = (int)(t->cursor.row - (t->origin ? t->top : 0));

	switch (final) {
	case 'A':
		screen_move_by(t, -n, 0);
		return true;
	case 'B':
	case 'e':
		screen_move_by(t, n, 0);
		return true;
	case 'C':
	case 'a':
		screen_move_by(t, 0, n);
		return true;
	case 'D':
		screen_move_by(t, 0, -n);
		return true;
	case 'E':
		screen_move_by(t, n, -TERMINAL_COLUMNS);
		return true;
	case 'F':
		screen_move_by(t, -n, -TERMINAL_COLUMNS);
		return true;
	case 'G':
	case '`':
		screen_move_to(t, row, n - 1);
		return true;
	case 'd':
		screen_move_to(t, n - 1, (int)t->cursor.column);
		return true;
	case 'H':
	case 'f':
		screen_move_to(t, n - 1, (int)parameter(t, 1, 1) - 1);
		return true;
	default:
		return false;
	}
}

void terminal_control_sequence(struct terminal *t, uint8_t final)
{
	unsigned n = parameter(t, 0, 1);

	if (t->private_mark) {
		if (final == 'h' || final == 'l')
			set_mode(t, final == 'h');
		return;
	}
	if (move(t, final))
		return;
	switch (final) {
	case '@':
		screen_insert_cells(t, n);
		break;
	case 'J':
		erase_in_display(t);
		break;
	case 'K':
		erase_in_line(t);
		break;
	case 'L':
	case 'M':
		insert_or_delete_lines(t, final == 'L');
		break;
	case 'P':
		screen_delete_cells(t, n);
		break;
	case 'S':
		screen_scroll_up(t, t->top, n);
		break;
	case 'T':
		screen_scroll_down(t, t->top, n);
		break;
	case 'X':
		erase_cells(t);
		break;
	case 'c':
		answer(t, "\033[?6c"); /* a VT102 */
		break;
	case 'h':
	case 'l':
		set_mode(t, final == 'h');
		break;
	case 'm':
		select_rendition(t);
		break;
	case 'n':
		report(t);
		break;
	case 'r':
		set_region(t);
		break;
	case 's':
		t->saved = t->cursor;
		break;
	case 'u':
		t->cursor = t->saved;
		break;
	}
}
