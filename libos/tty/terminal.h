/* SPDX-License-Identifier: MIT */
/*
 * A terminal emulator: bytes in, a screen of character cells out.  Understands the part of VT100
 * and ANSI X3.64 that shells, editors and pagers use.  Pure: no locks, no memory, no device; its
 * tests are tests/unit/terminal_test.c.
 *
 * A cell is what VGA text memory holds: a code page 437 character and an attribute byte.
 */
#ifndef LIBOS_TERMINAL_H
#define LIBOS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMINAL_ROWS 25
#define TERMINAL_COLUMNS 80
#define TERMINAL_PARAMETERS 16
#define TERMINAL_REPLY_MAX 32

enum terminal_state {
	TERMINAL_GROUND,
	TERMINAL_ESCAPE,    /* after ESC */
	TERMINAL_CHARSET,   /* after ESC ( or ): a character names a set */
	TERMINAL_IGNORE,    /* one more character to ignore */
	TERMINAL_CSI,       /* after ESC [ */
	TERMINAL_STRING,    /* inside an operating system command; ends with BEL or ESC \ */
	TERMINAL_STRING_ESCAPE,
};

struct terminal_pen {
	uint8_t foreground, background; /* ANSI colours 0..7 */
	bool bold, reverse, underline;
};

struct terminal_cursor {
	unsigned row, column;
	bool wrap_next; /* a character was written in the last column: the next begins a line */
	struct terminal_pen pen;
	bool line_drawing;
};

struct terminal {
	uint16_t cells[TERMINAL_ROWS][TERMINAL_COLUMNS];
	uint16_t kept[TERMINAL_ROWS][TERMINAL_COLUMNS]; /* while the alternate screen is shown */
	bool alternate;
	uint32_t changed; /* bit per row; cleared by whoever shows the rows */

	struct terminal_cursor cursor, saved;
	unsigned top, bottom; /* scrolling region, both included */
	bool origin, autowrap, insert, cursor_visible;
	bool application_keys; /* cursor keys send ESC O instead of ESC [ */

	enum terminal_state state;
	unsigned parameters[TERMINAL_PARAMETERS], parameter_count;
	bool private_mark; /* CSI ? ... */
	bool charset_first; /* ESC ( rather than ESC ) */
	uint32_t code_point; /* being decoded from UTF-8 */
	unsigned continuation; /* bytes of it still to come */

	/* What the terminal answers, to be read as if typed; cleared by whoever reads it. */
	char reply[TERMINAL_REPLY_MAX];
	size_t reply_length;
};

void terminal_init(struct terminal *t);
void terminal_write(struct terminal *t, const uint8_t *bytes, size_t n);

#endif
