/* SPDX-License-Identifier: MIT */
/* Editing the line that is typed, on the screen as well, as Linux does: see line_edit.h. */
#include "tty/line_edit.h"
#include "tty/line_echo.h"

static bool is_continuation(const struct line_discipline *l, uint8_t byte)
{
	return (l->settings.c_iflag & IUTF8) != 0 && (byte & 0xc0) == 0x80;
}

/* Columns that the edited line takes before `index`, back to a tab (then *after_tab) or its start. */
static unsigned columns_before(struct line_discipline *l, uint32_t index, bool *after_tab)
{
	unsigned columns = 0;

	*after_tab = false;
	while (index != l->committed) {
		uint8_t byte = *byte_at(l, --index);

		l->steps++;
		if (byte == '\t') {
			*after_tab = true;
			break;
		}
		if (line_is_control_byte(byte))
			columns += has(l, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(l, byte))
			columns++;
	}
	return columns;
}

/* Removes the last character of the edited line, and if it is echoed from the screen: without ECHOE only when
 * it goes with others of its word or line, as on Linux. */
static void erase_character(struct line_discipline *l, bool alone)
{
	bool after_tab;
	unsigned before;
	uint8_t byte;

	do
		byte = *byte_at(l, --l->write_at);
	while (is_continuation(l, byte) && l->write_at != l->committed);
	if (!has(l, ECHO))
		return;
	if (alone && !has(l, ECHOE)) {
		line_echo_byte(l, l->settings.c_cc[VERASE]);
		return;
	}
	if (byte == '\t') {
		before = columns_before(l, l->write_at, &after_tab);
		line_echo_erase_tab(l, after_tab ? before : before + l->line_start);
	} else if (line_is_control_byte(byte)) {
		line_echo_rub_out(l, has(l, ECHOCTL) ? 2 : 0);
	} else {
		line_echo_rub_out(l, 1);
	}
}

static bool is_word_byte(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}

/* Erases what separates words, then one word. */
static void erase_word(struct line_discipline *l)
{
	bool in_word = false;

	while (l->write_at != l->committed) {
		bool word = is_word_byte(*byte_at(l, l->write_at - 1));

		if (in_word && !word)
			break;
		in_word = word;
		erase_character(l, false);
	}
}

static void erase_line(struct line_discipline *l)
{
	if (has(l, ECHO) && has(l, ECHOK) && has(l, ECHOKE) && has(l, ECHOE)) {
		while (l->write_at != l->committed)
			erase_character(l, false);
		return;
	}
	l->write_at = l->committed;
	if (has(l, ECHO)) {
		line_echo_byte(l, l->settings.c_cc[VKILL]);
		if (has(l, ECHOK))
			line_echo_raw(l, '\n');
	}
}

/* Until there is no room for more. */
static void reprint(struct line_discipline *l)
{
	bool fits = line_echo_byte(l, l->settings.c_cc[VREPRINT]) && line_echo_raw(l, '\n');

	for (uint32_t i = l->committed; fits && i != l->write_at; i++)
		fits = line_echo_byte(l, *byte_at(l, i));
}

bool line_edit(struct line_discipline *l, uint8_t byte)
{
	bool empty = l->write_at == l->committed;

	if (is_control(l, byte, VERASE)) {
		if (!empty)
			erase_character(l, true);
	} else if (is_control(l, byte, VKILL)) {
		if (!empty)
			erase_line(l);
	} else if (has(l, IEXTEN) && is_control(l, byte, VWERASE)) {
		erase_word(l);
	} else if (has(l, IEXTEN) && is_control(l, byte, VLNEXT)) {
		l->literal = true;
		if (has(l, ECHO) && has(l, ECHOCTL))
			line_echo_caret(l);
	} else if (has(l, IEXTEN) && has(l, ECHO) && is_control(l, byte, VREPRINT)) {
		reprint(l);
	} else {
		return false;
	}
	return true;
}
