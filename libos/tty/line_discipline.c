/* SPDX-License-Identifier: MIT */
/* The line discipline's input side: the ring, special characters, reading; line_edit.c changes the line
 * that is typed.  See the header. */
#include "tty/line_discipline.h"
#include "tty/line_echo.h"
#include "tty/line_edit.h"

#define EOF_BYTE 0

void line_init(struct line_discipline *l, bool (*echo)(void *, const uint8_t *, size_t),
	       void *context)
{
	*l = (struct line_discipline){ .echo = echo, .context = context };
	l->settings = (struct termios){
		.c_iflag = ICRNL | IXON | IUTF8,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL | CLOCAL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_cc = {
			[VINTR] = 'C' - '@', [VQUIT] = '\\' - '@', [VERASE] = 0x7f,
			[VKILL] = 'U' - '@', [VEOF] = 'D' - '@', [VTIME] = 0, [VMIN] = 1,
			[VSTART] = 'Q' - '@', [VSTOP] = 'S' - '@', [VSUSP] = 'Z' - '@',
			[VREPRINT] = 'R' - '@', [VWERASE] = 'W' - '@', [VLNEXT] = 'V' - '@',
		},
	};
}

/* ------------------------------------------------------------------ the ring */

static bool ends_line(const struct line_discipline *l, uint32_t index)
{
	index %= LINE_INPUT_SIZE;
	return (l->ends[index / 8] & (1u << (index % 8))) != 0;
}

/* To who reads raw it is the NUL that it is stored as, as on Linux. */
static bool is_eof(const struct line_discipline *l, uint32_t index)
{
	return has(l, ICANON) && ends_line(l, index) &&
	       l->input[index % LINE_INPUT_SIZE] == EOF_BYTE;
}

static void set_end(struct line_discipline *l, uint32_t index, bool end)
{
	uint8_t *byte = &l->ends[index % LINE_INPUT_SIZE / 8];
	uint8_t bit = (uint8_t)(1u << (index % 8));

	*byte = end ? *byte | bit : *byte & (uint8_t)~bit;
}

static uint32_t used(const struct line_discipline *l)
{
	return l->write_at - l->read_at;
}

static bool is_full(const struct line_discipline *l)
{
	return used(l) >= LINE_INPUT_SIZE - 1;
}

/* What exceeds a line is dropped; its end is not, so that it can always be ended. */
static bool store(struct line_discipline *l, uint8_t byte, bool end)
{
	bool too_long = has(l, ICANON) && l->write_at - l->committed >= LINE_LENGTH_MAX;

	if (is_full(l) || (too_long && !end))
		return false;
	*byte_at(l, l->write_at) = byte;
	set_end(l, l->write_at, end);
	l->write_at++;
	return true;
}

static unsigned commit(struct line_discipline *l)
{
	l->committed = l->write_at;
	return LINE_READABLE;
}

/* While no line is complete there is always room: the user can erase, or end the line. */
bool line_has_room(const struct line_discipline *l, size_t n)
{
	return used(l) + n < LINE_INPUT_SIZE;
}

void line_flush_input(struct line_discipline *l)
{
	l->read_at = l->committed = l->write_at;
	l->lines = 0;
	l->literal = false;
}

/* ------------------------------------------------------------------ input */

static void echo_input(struct line_discipline *l, uint8_t byte)
{
	if (l->write_at == l->committed)
		l->line_start = l->column;
	if (byte == '\n')
		line_echo_raw(l, byte);
	else
		line_echo_byte(l, byte);
}

static unsigned end_line(struct line_discipline *l, uint8_t byte)
{
	if (!store(l, byte, true))
		return 0;
	l->lines++;
	return commit(l);
}

static unsigned canonical(struct line_discipline *l, uint8_t byte)
{
	if (line_edit(l, byte))
		return 0;
	if (byte == '\n') {
		if (has(l, ECHO | ECHONL))
			line_echo_raw(l, byte);
		return end_line(l, byte);
	}
	if (is_control(l, byte, VEOF))
		return end_line(l, EOF_BYTE);
	if (is_control(l, byte, VEOL) || (has(l, IEXTEN) && is_control(l, byte, VEOL2))) {
		if (has(l, ECHO))
			echo_input(l, byte);
		return end_line(l, byte);
	}
	if (has(l, ECHO) && l->write_at - l->committed < LINE_LENGTH_MAX)
		echo_input(l, byte);
	store(l, byte, false);
	return 0;
}

static unsigned plain(struct line_discipline *l, uint8_t byte)
{
	if (has(l, ECHO))
		echo_input(l, byte);
	return store(l, byte, false) ? commit(l) : 0;
}

static unsigned signal_event(const struct line_discipline *l, uint8_t byte)
{
	if (is_control(l, byte, VINTR))
		return LINE_INTERRUPT;
	if (is_control(l, byte, VQUIT))
		return LINE_QUIT;
	if (is_control(l, byte, VSUSP))
		return LINE_SUSPEND;
	return 0;
}

/* Output goes on, unless a program holds it. */
static unsigned go_on(struct line_discipline *l)
{
	if (!l->stopped || l->held)
		return 0;
	l->stopped = false;
	return LINE_RESTARTED;
}

/* As on Linux, a program does not let go what a user has stopped. */
void line_hold(struct line_discipline *l, bool hold)
{
	if (hold != l->held)
		l->held = l->stopped = hold;
}

static unsigned raise_signal(struct line_discipline *l, uint8_t byte, unsigned event)
{
	if (!has(l, NOFLSH)) {
		line_flush_input(l);
		event |= LINE_FLUSHED;
	}
	event |= go_on(l);
	if (has(l, ECHO))
		line_echo_byte(l, byte);
	return event;
}

/* VSTART and VSTOP, and any byte with IXANY.  True if the byte is used up; *event is added to. */
static bool flow_control(struct line_discipline *l, uint8_t byte, unsigned *event)
{
	bool stop = is_control(l, byte, VSTOP), start = is_control(l, byte, VSTART);

	if ((l->settings.c_iflag & IXON) == 0)
		return false;
	if (stop && !(start && l->stopped)) {
		l->stopped = true;
		return true;
	}
	if (start || (l->settings.c_iflag & IXANY) != 0)
		*event |= go_on(l);
	return start;
}

static unsigned store_literally(struct line_discipline *l, uint8_t byte)
{
	l->literal = false;
	if (has(l, ECHO))
		line_echo_byte(l, byte);
	if (!store(l, byte, false))
		return 0;
	return has(l, ICANON) ? 0 : commit(l);
}

unsigned line_input(struct line_discipline *l, uint8_t byte)
{
	tcflag_t input_flags = l->settings.c_iflag;
	unsigned event = 0, signal;

	if ((input_flags & ISTRIP) != 0)
		byte &= 0x7f;
	if (l->literal)
		return store_literally(l, byte);
	if (flow_control(l, byte, &event))
		return event;
	signal = has(l, ISIG) ? signal_event(l, byte) : 0;
	if (signal != 0)
		return event | raise_signal(l, byte, signal);
	if (byte == '\r') {
		if ((input_flags & IGNCR) != 0)
			return event;
		if ((input_flags & ICRNL) != 0)
			byte = '\n';
	} else if (byte == '\n' && (input_flags & INLCR) != 0) {
		byte = '\r';
	}
	return event | (has(l, ICANON) ? canonical(l, byte) : plain(l, byte));
}

/* ------------------------------------------------------------------ reading */

size_t line_available(const struct line_discipline *l)
{
	return l->committed - l->read_at;
}

size_t line_count(const struct line_discipline *l)
{
	size_t count = line_available(l);

	for (uint32_t i = l->read_at; l->lines != 0 && i != l->committed; i++)
		count -= is_eof(l, i);
	return count;
}

bool line_is_readable(const struct line_discipline *l, size_t least)
{
	if (has(l, ICANON))
		return l->lines != 0;
	return line_available(l) >= (least != 0 ? least : 1);
}

size_t line_read(struct line_discipline *l, uint8_t *to, size_t n, bool *ended)
{
	size_t done = 0;

	*ended = false;
	while (l->read_at != l->committed && !*ended) {
		uint32_t at = l->read_at;
		bool end = ends_line(l, at), eof = is_eof(l, at);

		/* An EOF that ends a full buffer's line is taken with it: it takes no room. */
		if (done == n && !eof)
			break;
		if (!eof)
			to[done++] = *byte_at(l, at);
		l->read_at++;
		if (end) {
			l->lines--;
			*ended = has(l, ICANON);
		}
	}
	return done;
}

/*
 * Leaving canonical mode makes the line being edited readable as it is.  Entering it makes one
 * line of what is there, as Linux does.
 */
void line_change_settings(struct line_discipline *l, const struct termios *settings)
{
	bool was_canonical = has(l, ICANON);

	l->settings = *settings;
	l->literal = false;
	if ((settings->c_iflag & IXON) == 0)
		go_on(l);
	if (was_canonical == has(l, ICANON))
		return;
	if (!was_canonical && used(l) != 0 && !ends_line(l, l->write_at - 1)) {
		/* A NUL that was typed would be an end of file with its bit set: it gets one behind it.
		 * There is room, since store() leaves a byte of the ring free. */
		if (*byte_at(l, l->write_at - 1) == EOF_BYTE)
			*byte_at(l, l->write_at++) = EOF_BYTE;
		set_end(l, l->write_at - 1, true);
		l->lines++;
	}
	l->committed = l->write_at;
}
