/* SPDX-License-Identifier: MIT */
/*
 * The line discipline: what lies between the bytes of a terminal line and what programs read and
 * write, POSIX.1-2017 chapter 11 and Linux's n_tty.  Pure: no locks, no memory, no clock; runs on
 * the host under tests/unit/line_discipline_test.c.
 *
 * Input is one ring with free-running indices:
 *
 *	      read_at        committed        write_at
 *	         |  readable    |   being edited  |
 *	    -----+==============+-----------------+-----
 *
 * In canonical mode a line becomes readable as a whole, when its end comes; in raw mode every
 * byte does at once (committed == write_at).  `ends` has a bit for each byte that ends a line.
 * An end that is no part of the data (VEOF) is stored as EOF_BYTE with its bit set; a NUL that was
 * typed never has its bit set, because NUL as a control character means "none".
 */
#ifndef LIBOS_LINE_DISCIPLINE_H
#define LIBOS_LINE_DISCIPLINE_H

#include <asm/termbits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_INPUT_SIZE 8192u /* a power of two */
/* Linux's limit of a line without its end; a line that is being edited leaves room for more. */
#define LINE_LENGTH_MAX 4095u

/* What line_input() asks of its caller; bits. */
enum line_event {
	LINE_READABLE = 1 << 0,  /* there is more to read than before */
	LINE_INTERRUPT = 1 << 1, /* SIGINT, SIGQUIT, SIGTSTP for the foreground group */
	LINE_QUIT = 1 << 2,
	LINE_SUSPEND = 1 << 3,
	LINE_RESTARTED = 1 << 4, /* output may go on (IXON) */
	LINE_FLUSHED = 1 << 5,   /* a signal character: output that has not been sent is void */
};

struct line_discipline {
	struct termios settings;

	/* Where echo goes; false: it has no room, and drops them.  Fixed after line_init(). */
	bool (*echo)(void *context, const uint8_t *bytes, size_t n);
	void *context;

	uint8_t input[LINE_INPUT_SIZE];
	uint8_t ends[LINE_INPUT_SIZE / 8];
	uint32_t read_at, committed, write_at;
	uint32_t lines;      /* ends in [read_at, committed) */

	bool literal;        /* the next byte is data whatever it is (VLNEXT) */
	bool stopped;        /* output is held back */
	bool held;           /* by a program (TCOOFF): nothing that is typed lets it go on */
	uint32_t steps;      /* free-running: bytes echoed, and looked at to find a column */
	unsigned column;     /* of the cursor, as far as output shows it */
	unsigned line_start; /* column at which the line being edited begins */
};

/* Sane settings: canonical, echo, signals, 38400 baud 8 bits, IUTF8. */
void line_init(struct line_discipline *l, bool (*echo)(void *, const uint8_t *, size_t),
	       void *context);

/* One byte from the terminal; enum line_event bits.  Most cost a step or two; one that goes over the whole
 * line some per byte of that, which `steps` tells. */
unsigned line_input(struct line_discipline *l, uint8_t byte);
/* False while some of n more bytes might be lost, until a program reads. */
bool line_has_room(const struct line_discipline *l, size_t n);

/* Bytes that can be read now; in canonical mode those of complete lines. */
size_t line_available(const struct line_discipline *l);
/* The same without the ends of file among them, which are not data: what FIONREAD says. */
size_t line_count(const struct line_discipline *l);
/* Would read() return at once, if it wanted `least` bytes in raw mode? */
bool line_is_readable(const struct line_discipline *l, size_t least);
/* Takes up to n bytes, in canonical mode not beyond the end of a line; *ended says that the end
 * of a line was taken. */
size_t line_read(struct line_discipline *l, uint8_t *to, size_t n, bool *ended);

/*
 * Output processing: turns the first bytes of [from, from + n) into at most `room` bytes at `to`;
 * returns how many, and in *used how many of the source they stand for.
 */
size_t line_output(struct line_discipline *l, const uint8_t *from, size_t n, uint8_t *to,
		   size_t room, size_t *used);

/* Output is held back, or goes on if that was done (TCOOFF, TCOON). */
void line_hold(struct line_discipline *l, bool hold);

void line_change_settings(struct line_discipline *l, const struct termios *settings);
void line_flush_input(struct line_discipline *l);

#endif
