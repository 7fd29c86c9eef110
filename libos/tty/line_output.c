/* SPDX-License-Identifier: MIT */
/* The line discipline's output side: processing of output (OPOST), and echo.  See the header. */
#include "tty/line_echo.h"

#define TAB_WIDTH 8
#define EXPANSION_MAX TAB_WIDTH /* bytes that one byte of output can become */

/* Turns one byte into 0 to EXPANSION_MAX, and keeps the column. */
static size_t expand(struct line_discipline *l, uint8_t byte, uint8_t *to)
{
	tcflag_t flags = l->settings.c_oflag;
	size_t n = 0;

	if ((flags & OPOST) == 0) {
		to[0] = byte;
		return 1;
	}
	if (byte == '\r') {
		if ((flags & ONOCR) != 0 && l->column == 0)
			return 0;
		if ((flags & OCRNL) != 0)
			byte = '\n';
	}
	switch (byte) {
	case '\n':
		if ((flags & ONLCR) != 0)
			to[n++] = '\r';
		if ((flags & (ONLCR | ONLRET)) != 0)
			l->column = 0;
		to[n++] = '\n';
		return n;
	case '\r':
		l->column = 0;
		break;
	case '\t':
		n = TAB_WIDTH - l->column % TAB_WIDTH;
		l->column += (unsigned)n;
		if ((flags & TABDLY) != XTABS)
			break;
		for (size_t i = 0; i < n; i++)
			to[i] = ' ';
		return n;
	case '\b':
		l->column -= l->column > 0;
		break;
	default:
		if ((flags & OLCUC) != 0 && byte >= 'a' && byte <= 'z')
			byte -= 'a' - 'A';
		/* A character of UTF-8 counts once, at its first byte. */
		if (!line_is_control_byte(byte) &&
		    ((l->settings.c_iflag & IUTF8) == 0 || (byte & 0xc0) != 0x80))
			l->column++;
		break;
	}
	to[0] = byte;
	return 1;
}

size_t line_output(struct line_discipline *l, const uint8_t *from, size_t n, uint8_t *to,
		   size_t room, size_t *used)
{
	size_t made = 0, i;

	for (i = 0; i < n && room - made >= EXPANSION_MAX; i++)
		made += expand(l, from[i], to + made);
	*used = i;
	return made;
}

static bool put(struct line_discipline *l, const uint8_t *bytes, size_t n)
{
	l->steps += (uint32_t)n;
	return l->echo(l->context, bytes, n);
}

bool line_echo_raw(struct line_discipline *l, uint8_t byte)
{
	uint8_t out[EXPANSION_MAX];

	return put(l, out, expand(l, byte, out));
}

bool line_echo_byte(struct line_discipline *l, uint8_t byte)
{
	if ((l->settings.c_lflag & ECHOCTL) != 0 && line_is_control_byte(byte) && byte != '\t') {
		if (!line_echo_raw(l, '^'))
			return false;
		byte ^= 0x40;
	}
	return line_echo_raw(l, byte);
}

void line_echo_caret(struct line_discipline *l)
{
	put(l, (const uint8_t *)"^\b", 2);
}

void line_echo_rub_out(struct line_discipline *l, unsigned columns)
{
	for (; columns > 0; columns--) {
		put(l, (const uint8_t *)"\b \b", 3);
		l->column -= l->column > 0;
	}
}

void line_echo_erase_tab(struct line_discipline *l, unsigned columns)
{
	for (unsigned back = TAB_WIDTH - columns % TAB_WIDTH; back > 0; back--) {
		put(l, (const uint8_t *)"\b", 1);
		l->column -= l->column > 0;
	}
}
