/* SPDX-License-Identifier: MIT */
/*
 * The terminal emulator's parser: characters, control characters and escape sequences.  Pure.
 * ECMA-48 and the VT100 user guide say what the sequences mean; unknown ones have no effect.
 */
#include "tty/terminal.h"
#include "tty/terminal_screen.h"

#define PARAMETER_MAX 9999
#define CELLS (TERMINAL_ROWS * TERMINAL_COLUMNS)
#define ESC 0x1b

void terminal_init(struct terminal *t)
{
	*t = (struct terminal){
		.bottom = TERMINAL_ROWS - 1,
		.autowrap = true,
		.cursor_visible = true,
		.cursor.pen = terminal_default_pen,
		.saved.pen = terminal_default_pen,
	};
	screen_erase(t, 0, CELLS);
}

static void begin_sequence(struct terminal *t)
{
	t->state = TERMINAL_CSI;
	t->parameter_count = 0;
	t->private_mark = false;
}

static void sequence_byte(struct terminal *t, uint8_t byte)
{
	if (byte >= '0' && byte <= '9') {
		unsigned *p;

		if (t->parameter_count == 0) {
			t->parameter_count = 1;
			t->parameters[0] = 0;
		}
		p = &t->parameters[t->parameter_count - 1];
		*p = *p * 10 + (unsigned)(byte - '0');
		if (*p > PARAMETER_MAX)
			*p = PARAMETER_MAX;
	} else if (byte == ';') {
		if (t->parameter_count == 0)
			t->parameters[t->parameter_count++] = 0;
		if (t->parameter_count < TERMINAL_PARAMETERS)
			t->parameters[t->parameter_count++] = 0;
	} else if (byte >= 0x3c && byte <= 0x3f) {
		t->private_mark = true;
	} else if (byte >= 0x40) {
		t->state = TERMINAL_GROUND;
		terminal_control_sequence(t, byte);
	}
}

static void escape_byte(struct terminal *t, uint8_t byte)
{
	t->state = TERMINAL_GROUND;
	switch (byte) {
	case '[':
		begin_sequence(t);
		break;
	case ']':
	case 'P':
	case '^':
	case '_':
		t->state = TERMINAL_STRING;
		break;
	case '(':
	case ')':
		t->state = TERMINAL_CHARSET;
		t->charset_first = byte == '(';
		break;
	case '#':
	case '%':
	case ' ':
		t->state = TERMINAL_IGNORE;
		break;
	case '7':
		t->saved = t->cursor;
		break;
	case '8':
		t->cursor = t->saved;
		break;
	case 'D':
		screen_line_feed(t);
		break;
	case 'E':
		t->cursor.column = 0;
		screen_line_feed(t);
		break;
	case 'M':
		screen_reverse_line_feed(t);
		break;
	case 'c':
		terminal_init(t);
		break;
	}
}

/* Control characters act in the middle of sequences too. */
static void control_byte(struct terminal *t, uint8_t byte)
{
	switch (byte) {
	case '\b':
		if (t->cursor.column > 0)
			t->cursor.column--;
		t->cursor.wrap_next = false;
		break;
	case '\t':
		screen_move_by(t, 0, 8 - (int)(t->cursor.column % 8));
		break;
	case '\n':
	case '\v':
	case '\f':
		screen_line_feed(t);
		break;
	case '\r':
		t->cursor.column = 0;
		t->cursor.wrap_next = false;
		break;
	case 0x0e: /* SO and SI */
	case 0x0f:
		t->cursor.line_drawing = byte == 0x0e;
		break;
	case 0x18: /* CAN and SUB end a sequence */
	case 0x1a:
		t->state = TERMINAL_GROUND;
		break;
	case ESC:
		t->state = TERMINAL_ESCAPE;
		break;
	}
}

/* UTF-8; what is malformed shows as a question mark. */
static void printable_byte(struct terminal *t, uint8_t byte)
{
	if (byte < 0x80) {
		t->continuation = 0;
		screen_put(t, t->cursor.line_drawing ? screen_line_drawing(byte) : byte);
	} else if (byte < 0xc0) {
		if (t->continuation == 0) {
			screen_put(t, '?');
			return;
		}
		t->code_point = t->code_point << 6 | (byte & 0x3f);
		if (--t->continuation == 0)
			screen_put(t, screen_character(t->code_point));
	} else {
		t->continuation = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
		t->code_point = byte & (0x3fu >> t->continuation);
	}
}

static void string_byte(struct terminal *t, uint8_t byte)
{
	if (byte == 0x07 || (t->state == TERMINAL_STRING_ESCAPE && byte == '\\'))
		t->state = TERMINAL_GROUND;
	else
		t->state = byte == ESC ? TERMINAL_STRING_ESCAPE : TERMINAL_STRING;
}

static void write_byte(struct terminal *t, uint8_t byte)
{
	if (t->state == TERMINAL_STRING || t->state == TERMINAL_STRING_ESCAPE) {
		string_byte(t, byte);
		return;
	}
	if (byte < 0x20 || byte == 0x7f) {
		control_byte(t, byte);
		return;
	}
	switch (t->state) {
	case TERMINAL_ESCAPE:
		escape_byte(t, byte);
		break;
	case TERMINAL_CHARSET:
		if (t->charset_first)
			t->cursor.line_drawing = byte == '0';
		t->state = TERMINAL_GROUND;
		break;
	case TERMINAL_IGNORE:
		t->state = TERMINAL_GROUND;
		break;
	case TERMINAL_CSI:
		sequence_byte(t, byte);
		break;
	default:
		printable_byte(t, byte);
		break;
	}
}

void terminal_write(struct terminal *t, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		write_byte(t, bytes[i]);
}
