/* SPDX-License-Identifier: MIT */
/*
 * libos/tty/line_discipline.c libos/tty/line_edit.c libos/tty/line_output.c: what is read is what was
 * typed, edited as a terminal does.
 *
 * The reference keeps what is typed as a list of characters, each with its meaning, and is written
 * for clarity: every erasure copies what is left.
 *
 *	input: bytes that are typed, but 0xfd and four bytes change the settings, 0xfe and one byte read,
 *	0xfc writes all that came before
 */
#include <string.h>
#include "fuzz.h"
#include "tty/line_discipline.h"

#define CELLS_MAX FUZZ_INPUT_MAX

const struct fuzz_target fuzz_target = { "line", "what_is_read_is_what_was_typed", 30000 };

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	static const char *const typed[] = {
		"ls -l\x7f\x7f\x7f" "cat file\n\xfe\x40" "two\nlines\n\xfe\x03\xfe\xff\x04\xfe\x10",
		"rub\x15" "foo bar \x17\x17\xc3\xa9\x7f\tx\x12\x16\x03\x16\n\n\xfe\x80\x13\x11\x1c",
		"half\xfd\x02\x01\x01\x01raw\x03\xfe\x05\xfd\x02\x01\x01\x01" "again\n\xfe\xff\xfc\x03\x1a",
		"\xfd\x0b\x80\x40\x02\xff\x0d\xfc\x0d\x0a\t\xfc\xfe\xff",
	};

	if (number >= sizeof(typed) / sizeof(typed[0]))
		return 0;
	memcpy(out, typed[number], strlen(typed[number]));
	return strlen(typed[number]);
}

struct cell {
	uint8_t byte;
	bool end;  /* of a line */
	bool data; /* false: an end of file, which is no part of it, but to who reads raw a NUL */
};

struct model {
	struct line_discipline line;
	struct cell ready[CELLS_MAX], edited[CELLS_MAX];
	size_t ready_count, edited_count;
	bool literal, stopped;
	size_t typed, read;
};

static bool flag(const struct model *m, tcflag_t local)
{
	return (m->line.settings.c_lflag & local) != 0;
}

static bool is(const struct model *m, uint8_t byte, int control)
{
	return byte != 0 && m->line.settings.c_cc[control] == byte;
}

static void all_is_ready(struct model *m)
{
	memcpy(m->ready + m->ready_count, m->edited, m->edited_count * sizeof(m->edited[0]));
	m->ready_count += m->edited_count;
	m->edited_count = 0;
}

static bool has_room(const struct model *m, bool end)
{
	return m->ready_count + m->edited_count < LINE_INPUT_SIZE - 1 &&
	       (end || !flag(m, ICANON) || m->edited_count < LINE_LENGTH_MAX);
}

static void keep(struct model *m, struct cell c)
{
	if (!has_room(m, c.end))
		return;
	m->edited[m->edited_count++] = c;
	if (c.end || !flag(m, ICANON))
		all_is_ready(m);
}

static bool continues_character(const struct model *m, uint8_t byte)
{
	return (m->line.settings.c_iflag & IUTF8) != 0 && (byte & 0xc0) == 0x80;
}

static void rub_out(struct model *m)
{
	while (m->edited_count > 0 &&
	       continues_character(m, m->edited[m->edited_count - 1].byte) && m->edited_count > 1)
		m->edited_count--;
	if (m->edited_count > 0)
		m->edited_count--;
}

static bool in_word(uint8_t byte)
{
	return byte == '_' || byte >= 0x80 || (byte >= '0' && byte <= '9') ||
	       ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

static void rub_out_word(struct model *m)
{
	while (m->edited_count > 0 && !in_word(m->edited[m->edited_count - 1].byte))
		rub_out(m);
	while (m->edited_count > 0 && in_word(m->edited[m->edited_count - 1].byte))
		rub_out(m);
}

static void type_canonical(struct model *m, uint8_t byte)
{
	if (is(m, byte, VERASE))
		rub_out(m);
	else if (is(m, byte, VKILL))
		m->edited_count = 0;
	else if (flag(m, IEXTEN) && is(m, byte, VWERASE))
		rub_out_word(m);
	else if (flag(m, IEXTEN) && is(m, byte, VLNEXT))
		m->literal = true;
	else if (flag(m, IEXTEN) && flag(m, ECHO) && is(m, byte, VREPRINT))
		return;
	else if (byte == '\n')
		keep(m, (struct cell){ byte, true, true });
	else if (is(m, byte, VEOF))
		keep(m, (struct cell){ 0, true, false });
	else
		keep(m, (struct cell){ byte, false, true });
}

/* Signals and flow control; true if they use the byte up. */
static bool type_special(struct model *m, uint8_t byte)
{
	tcflag_t input = m->line.settings.c_iflag;

	if ((input & IXON) != 0 && is(m, byte, VSTOP)) {
		m->stopped = true;
		return true;
	}
	if ((input & IXON) != 0 && (is(m, byte, VSTART) || (input & IXANY) != 0))
		m->stopped = false;
	if ((input & IXON) != 0 && is(m, byte, VSTART))
		return true;
	if (!flag(m, ISIG) || !(is(m, byte, VINTR) || is(m, byte, VQUIT) || is(m, byte, VSUSP)))
		return false;
	if (!flag(m, NOFLSH)) {
		m->ready_count = m->edited_count = 0;
		m->literal = false;
	}
	m->stopped = false;
	return true;
}

static void type(struct model *m, uint8_t byte)
{
	tcflag_t input = m->line.settings.c_iflag;

	m->typed++;
	if ((input & ISTRIP) != 0)
		byte &= 0x7f;
	if (m->literal) {
		m->literal = false;
		keep(m, (struct cell){ byte, false, true });
		return;
	}
	if (type_special(m, byte) || (byte == '\r' && (input & IGNCR) != 0))
		return;
	if (byte == '\r' && (input & ICRNL) != 0)
		byte = '\n';
	else if (byte == '\n' && (input & INLCR) != 0)
		byte = '\r';
	if (flag(m, ICANON))
		type_canonical(m, byte);
	else
		keep(m, (struct cell){ byte, false, true });
}

/* When the line turns canonical its last character becomes an end; behind a NUL comes one that is no data. */
static void change_settings(struct model *m, struct fuzz_input *in)
{
	struct termios settings = m->line.settings;
	bool canonical = flag(m, ICANON);

	settings.c_lflag ^= (tcflag_t)fuzz_number(in, 2);
	settings.c_iflag ^= fuzz_byte(in);
	settings.c_oflag ^= fuzz_byte(in);
	line_change_settings(&m->line, &settings);
	m->literal = false;
	if ((settings.c_iflag & IXON) == 0)
		m->stopped = false;
	if (canonical == flag(m, ICANON))
		return;
	all_is_ready(m);
	if (canonical || m->ready_count == 0 || m->ready[m->ready_count - 1].end)
		return;
	if (m->ready[m->ready_count - 1].byte == 0) {
		m->ready[m->ready_count++] = (struct cell){ 0, true, false };
		m->typed++; /* as if it had been */
	}
	m->ready[m->ready_count - 1].end = true;
}

static void read_some(struct model *m, size_t n)
{
	uint8_t got[256], wanted[256];
	size_t taken = 0, count = 0;
	bool ended, end = false;

	while (taken < m->ready_count && !end) {
		struct cell c = m->ready[taken];
		bool data = c.data || !flag(m, ICANON);

		if (data && count == n)
			break;
		if (data)
			wanted[count++] = c.byte;
		end = c.end && flag(m, ICANON);
		taken++;
	}
	memmove(m->ready, m->ready + taken, (m->ready_count - taken) * sizeof(m->ready[0]));
	m->ready_count -= taken;
	FUZZ_CHECK(line_read(&m->line, got, n, &ended) == count);
	FUZZ_CHECK(memcmp(got, wanted, count) == 0 && ended == end);
	m->read += count;
	FUZZ_CHECK(m->read <= m->typed);
}

static void write_all(struct model *m, const uint8_t *bytes, size_t n)
{
	uint8_t out[64];
	size_t used, made;

	for (; n >= 1; bytes += used, n -= used) {
		made = line_output(&m->line, bytes, n, out, sizeof(out), &used);
		FUZZ_CHECK(made <= sizeof(out) && used > 0 && used <= n);
	}
}

static void check_line(struct model *m)
{
	const struct line_discipline *l = &m->line;
	uint32_t ends = 0;

	for (size_t i = 0; i < m->ready_count; i++)
		ends += m->ready[i].end;
	FUZZ_CHECK(l->lines == ends);
	FUZZ_CHECK(l->committed - l->read_at == m->ready_count);
	FUZZ_CHECK(l->write_at - l->committed == m->edited_count);
	FUZZ_CHECK(l->stopped == m->stopped && l->literal == m->literal);
	FUZZ_CHECK(line_is_readable(l, 1) == (flag(m, ICANON) ? ends > 0 : m->ready_count > 0));
}

static bool no_echo(void *context, const uint8_t *bytes, size_t n)
{
	*(size_t *)context += n;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static struct model m;
	size_t echoed = 0;

	m.ready_count = m.edited_count = m.typed = m.read = 0;
	m.literal = m.stopped = false;
	line_init(&m.line, no_echo, &echoed);
	while (in.left > 0) {
		uint8_t byte = fuzz_byte(&in);

		if (byte == 0xfd) {
			change_settings(&m, &in);
		} else if (byte == 0xfe) {
			read_some(&m, fuzz_byte(&in));
		} else if (byte == 0xfc) {
			write_all(&m, data, size - in.left);
		} else {
			type(&m, byte);
			line_input(&m.line, byte);
		}
		check_line(&m);
	}
	return 0;
}
