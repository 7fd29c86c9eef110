/* SPDX-License-Identifier: MIT */
/*
 * libos/tty/terminal.c libos/tty/terminal_sequence.c libos/tty/terminal_screen.c
 * libos/tty/terminal_font.c: the cursor stays on the screen, and the pieces in which output comes do not
 * matter.  The input is output.
 */
#include <string.h>
#include "fuzz.h"
#include "tty/terminal.h"

const struct fuzz_target fuzz_target = { "terminal", "no_output_breaks_the_screen", 1500 };

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	static const char *const shown[] = {
		"plain\r\n\ttab\b\b\033[1;31mred\033[0m\033[7m \xc3\xa9\xe2\x94\x80 "
		"\033[K\033[2J\033[H",
		"\033[5;20r\033[?6h\033[3;3H\033M\033D\033E\033[2L\033[3M\033[4@\033[5P\033[6X\033["
		"r",
		"\033[?1049hfull\033[?25l\033[?7l\033[24;80Hxyz\033[6n\033[c\033[?1049l\033[?"
		"1h\0337\0338",
		"\033(0lqqk\033(B\033]0;title\007\033]2;t\033\\"
		"\033[4hins\033[4l\033[99999999;1H\033[10b\033c",
		"\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20m",
	};

	if (number >= sizeof(shown) / sizeof(shown[0]))
		return 0;
	memcpy(out, shown[number], strlen(shown[number]));
	return strlen(shown[number]);
}

static void check_terminal(const struct terminal *t)
{
	FUZZ_CHECK(t->cursor.row < TERMINAL_ROWS && t->cursor.column < TERMINAL_COLUMNS);
	FUZZ_CHECK(t->saved.row < TERMINAL_ROWS && t->saved.column < TERMINAL_COLUMNS);
	FUZZ_CHECK(t->top < t->bottom && t->bottom < TERMINAL_ROWS);
	FUZZ_CHECK(t->cursor.pen.foreground < 8 && t->cursor.pen.background < 8);
	FUZZ_CHECK(t->parameter_count <= TERMINAL_PARAMETERS);
	FUZZ_CHECK(t->reply_length <= TERMINAL_REPLY_MAX);
	FUZZ_CHECK(t->changed < 1u << TERMINAL_ROWS);
}

/* A row whose cells have changed says so. */
static void check_changes(const struct terminal *before, const struct terminal *after)
{
	for (unsigned row = 0; row < TERMINAL_ROWS; row++)
		FUZZ_CHECK(memcmp(before->cells[row], after->cells[row], sizeof(after->cells[row])) == 0 ||
			   (after->changed & 1u << row) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct terminal whole, pieces, before;

	terminal_init(&whole);
	terminal_init(&pieces);
	whole.changed = 0;
	before = whole;
	terminal_write(&whole, data, size);
	check_terminal(&whole);
	check_changes(&before, &whole);
	for (size_t i = 0; i < size; i++) {
		terminal_write(&pieces, data + i, 1);
		check_terminal(&pieces);
	}
	FUZZ_CHECK(memcmp(whole.cells, pieces.cells, sizeof(whole.cells)) == 0);
	FUZZ_CHECK(whole.cursor.row == pieces.cursor.row);
	FUZZ_CHECK(whole.cursor.column == pieces.cursor.column && whole.state == pieces.state);
	FUZZ_CHECK(whole.reply_length == pieces.reply_length);
	return 0;
}
