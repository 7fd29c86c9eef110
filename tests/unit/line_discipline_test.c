/* SPDX-License-Identifier: MIT */
/* libos/tty/line_discipline.c libos/tty/line_edit.c libos/tty/line_output.c: what is typed, shown, read. */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "tty/line_discipline.h"

static struct line_discipline l;
static char screen[65536];
static size_t shown;
static size_t room;      /* on the screen */
static unsigned refused; /* for want of it */

static bool show(void *context, const uint8_t *bytes, size_t n)
{
	if (shown + n > room) {
		refused++;
		return false;
	}
	memcpy(screen + shown, bytes, n);
	shown += n;
	return true;
}

static void start(void)
{
	shown = 0;
	room = sizeof(screen);
	line_init(&l, show, NULL);
}

static unsigned type(const char *keys)
{
	unsigned events = 0;

	for (; *keys != '\0'; keys++)
		events |= line_input(&l, (uint8_t)*keys);
	return events;
}

static const char *read_some(size_t n)
{
	static char text[LINE_INPUT_SIZE + 1];
	bool ended;

	text[line_read(&l, (uint8_t *)text, n, &ended)] = '\0';
	return text;
}

static bool reads(const char *expected)
{
	return strcmp(read_some(LINE_INPUT_SIZE), expected) == 0;
}

static bool shows(const char *expected)
{
	bool same = shown == strlen(expected) && memcmp(screen, expected, shown) == 0;

	if (!same)
		printf("# shown: %.*s\n", (int)shown, screen);
	shown = 0;
	return same;
}

static void set_local(tcflag_t clear, tcflag_t set)
{
	struct termios t = l.settings;

	t.c_lflag = (t.c_lflag & ~clear) | set;
	line_change_settings(&l, &t);
}

static void a_line_is_readable_when_it_is_complete(void)
{
	start();
	CHECK(type("abc") == 0);
	CHECK(!line_is_readable(&l, 1));
	CHECK(reads(""));
	CHECK((type("\r") & LINE_READABLE) != 0);
	CHECK(line_is_readable(&l, 1));
	CHECK(shows("abc\r\n"));
	CHECK(reads("abc\n"));
	CHECK(!line_is_readable(&l, 1));
}

static void a_read_stops_at_the_end_of_a_line(void)
{
	start();
	type("one\ntwo\n");
	CHECK(strcmp(read_some(2), "on") == 0);
	CHECK(reads("e\n"));
	CHECK(reads("two\n"));
}

static void erasing_takes_the_last_character_off_the_screen(void)
{
	start();
	type("ab\x7f" "c\n");
	CHECK(shows("ab\b \bc\r\n"));
	CHECK(reads("ac\n"));
	type("\x7f\x7fx\n");
	CHECK(reads("x\n"));
}

static void erasing_takes_a_whole_utf8_character(void)
{
	start();
	type("a\xc3\xa9\x7f" "b\n");
	CHECK(shows("a\xc3\xa9\b \bb\r\n"));
	CHECK(reads("ab\n"));
}

static void erasing_a_control_character_takes_both_columns(void)
{
	start();
	type("\x16\x03\x7f\n");
	CHECK(shows("^\b^C\b \b\b \b\r\n"));
	CHECK(reads("\n"));
}

static void erasing_a_tab_goes_back_to_where_it_began(void)
{
	uint8_t out[64];
	size_t used, n;

	start();
	n = line_output(&l, (const uint8_t *)"$ ", 2, out, sizeof(out), &used);
	CHECK_EQ(n, 2);
	type("ab\t\x7f\n");
	CHECK(shows("ab\t\b\b\b\b\r\n"));
	CHECK(reads("ab\n"));
	type("a\t\t\x7f\x7f\x7f\n");
	CHECK(shows("a\t\t\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b \b\r\n"));
	CHECK(reads("\n"));
}

static void kill_and_word_erase(void)
{
	start();
	type("hello world\x17x\n");
	CHECK(reads("hello x\n"));
	type("foo bar  \x17\x17z\n");
	CHECK(reads("z\n"));
	type("rubbish\x15ok\n");
	CHECK(reads("ok\n"));
}

static void end_of_file_is_an_empty_read_or_ends_a_line(void)
{
	bool ended;
	uint8_t byte;

	start();
	CHECK((type("\x04") & LINE_READABLE) != 0);
	CHECK(line_is_readable(&l, 1));
	CHECK_EQ(line_read(&l, &byte, 1, &ended), 0);
	CHECK(ended);
	CHECK(!line_is_readable(&l, 1));
	type("abc\x04");
	CHECK(reads("abc"));
	CHECK(!line_is_readable(&l, 1));
	/* One that follows a full buffer is no second end. */
	type("abc\x04");
	CHECK(strcmp(read_some(3), "abc") == 0);
	CHECK(!line_is_readable(&l, 1));
}

static void a_typed_nul_is_data(void)
{
	uint8_t text[4];
	bool ended;

	start();
	line_input(&l, 0);
	type("\n");
	CHECK_EQ(line_read(&l, text, 4, &ended), 2);
	CHECK(text[0] == 0 && text[1] == '\n');
}

static void signals_are_reported_and_flush(void)
{
	start();
	CHECK_EQ(type("abc\x03"), LINE_INTERRUPT | LINE_FLUSHED);
	CHECK(shows("abc^C"));
	type("d\n");
	CHECK(reads("d\n"));
	CHECK_EQ(type("\x1c"), LINE_QUIT | LINE_FLUSHED);
	CHECK_EQ(type("\x1a"), LINE_SUSPEND | LINE_FLUSHED);
	set_local(0, NOFLSH);
	CHECK_EQ(type("ab\x03"), LINE_INTERRUPT);
	type("\n");
	CHECK(reads("ab\n"));
	set_local(ISIG, 0);
	CHECK_EQ(type("\x03\n"), LINE_READABLE);
	CHECK(reads("\x03\n"));
}

static void literal_next_takes_away_the_meaning(void)
{
	start();
	type("\x16\x03\x16\x7f\x16\n!\n");
	CHECK(reads("\x03\x7f\n!\n"));
}

static void stop_and_start(void)
{
	start();
	CHECK_EQ(type("\x13"), 0);
	CHECK(l.stopped);
	CHECK_EQ(type("\x11"), LINE_RESTARTED);
	CHECK(!l.stopped);
	type("\x13");
	CHECK_EQ(type("\x03"), LINE_INTERRUPT | LINE_FLUSHED | LINE_RESTARTED);
}

/* As tried on Linux. */
static void what_a_program_holds_is_not_let_go_by_what_is_typed(void)
{
	struct termios settings;

	start();
	line_hold(&l, true);
	CHECK_EQ(type("\x11"), 0);
	CHECK_EQ(type("\x03"), LINE_INTERRUPT | LINE_FLUSHED);
	settings = l.settings;
	settings.c_iflag &= ~(tcflag_t)IXON;
	line_change_settings(&l, &settings);
	CHECK(l.stopped);
	line_hold(&l, false);
	CHECK(!l.stopped);

	start();
	type("\x13");
	line_hold(&l, false);
	CHECK(l.stopped);
}

static void raw_mode_gives_every_byte(void)
{
	start();
	set_local(ICANON | ECHO | ISIG | IEXTEN, 0);
	CHECK((type("a") & LINE_READABLE) != 0);
	CHECK(line_is_readable(&l, 1));
	CHECK(!line_is_readable(&l, 2));
	type("\x03\x7f\x04");
	CHECK_EQ(line_available(&l), 4);
	CHECK(reads("a\x03\x7f\x04"));
	CHECK(shows(""));
}

static void switching_modes_keeps_what_was_typed(void)
{
	start();
	type("one\ntw");
	set_local(ICANON, 0);
	CHECK(reads("one\ntw"));
	type("xy");
	set_local(0, ICANON);
	CHECK(line_is_readable(&l, 1));
	CHECK(reads("xy"));
	CHECK_EQ(l.lines, 0);
	type("z\n");
	CHECK(reads("z\n"));
}

static void a_nul_is_data_when_the_line_turns_canonical(void)
{
	uint8_t text[4];
	bool ended;

	start();
	set_local(ICANON, 0);
	type("a");
	line_input(&l, 0);
	set_local(0, ICANON);
	CHECK(line_is_readable(&l, 1));
	CHECK_EQ(line_read(&l, text, 4, &ended), 2);
	CHECK(text[0] == 'a' && text[1] == 0 && ended);
	CHECK(!line_is_readable(&l, 1));
	type("z\n");
	CHECK(reads("z\n"));
}

static void a_line_that_is_too_long_can_be_ended(void)
{
	start();
	for (unsigned i = 0; i < LINE_INPUT_SIZE + 100; i++) {
		CHECK(line_has_room(&l, 16));
		line_input(&l, 'x');
	}
	CHECK((type("\n") & LINE_READABLE) != 0);
	CHECK_EQ(strlen(read_some(LINE_INPUT_SIZE)), LINE_LENGTH_MAX + 1);
	CHECK_EQ(l.lines, 0);
}

static void nothing_is_lost_while_there_is_room(void)
{
	char text[64], expected[64];
	unsigned typed = 0, seen = 0;

	start();
	for (int round = 0; round < 200; round++) {
		while (line_has_room(&l, 64)) {
			snprintf(text, sizeof(text), "line number %u\n", typed++);
			type(text);
		}
		for (int i = 0; i < 50; i++) {
			snprintf(expected, sizeof(expected), "line number %u\n", seen++);
			CHECK(reads(expected));
		}
	}
}

static void output_processing(void)
{
	uint8_t out[64];
	size_t used, n;

	start();
	n = line_output(&l, (const uint8_t *)"a\nb", 3, out, sizeof(out), &used);
	CHECK(n == 4 && used == 3 && memcmp(out, "a\r\nb", 4) == 0);
	CHECK_EQ(l.column, 1);
	l.settings.c_oflag |= XTABS;
	n = line_output(&l, (const uint8_t *)"\t|", 2, out, sizeof(out), &used);
	CHECK(n == 8 && memcmp(out, "       |", 8) == 0);
	l.settings.c_oflag = 0;
	n = line_output(&l, (const uint8_t *)"\n\t", 2, out, sizeof(out), &used);
	CHECK(n == 2 && memcmp(out, "\n\t", 2) == 0);
	/* What does not fit is left. */
	n = line_output(&l, (const uint8_t *)"0123456789", 10, out, 10, &used);
	CHECK(n == used && n >= 1 && n <= 10);
}

/* Any bytes, settings and reads: the indices keep their order, and `lines` counts the ends. */
static void random_use_keeps_the_ring_sound(void)
{
	static const char keys[] = "ab \t\n\r\x03\x04\x11\x12\x13\x15\x16\x17\x1a\x1c\x7f\xc3\xa9\xff";
	uint8_t buffer[64];
	bool ended;

	start();
	srand(1);
	for (int step = 0; step < 2000000; step++) {
		int what = rand() % 1000;
		uint32_t ends = 0;

		if (what < 980) {
			line_input(&l, what < 900 ? (uint8_t)keys[rand() % sizeof(keys)]
						  : (uint8_t)rand());
		} else if (what < 995) {
			line_read(&l, buffer, (size_t)(1 + rand() % 64), &ended);
		} else {
			struct termios t = l.settings;

			t.c_lflag ^= 1u << rand() % 16;
			t.c_iflag ^= 1u << rand() % 15;
			line_change_settings(&l, &t);
		}
		shown = 0;
		if (l.committed - l.read_at > LINE_INPUT_SIZE ||
		    l.write_at - l.read_at > LINE_INPUT_SIZE ||
		    l.write_at - l.committed > LINE_INPUT_SIZE) {
			CHECK(!"the indices are in order");
			return;
		}
		if (step % 64 != 0)
			continue;
		for (uint32_t i = l.read_at; i != l.committed; i++)
			ends += (l.ends[i % LINE_INPUT_SIZE / 8] >> i % 8) & 1;
		if (ends != l.lines) {
			CHECK_EQ(ends, l.lines);
			return;
		}
	}
}

/* What Linux's n_tty shows. */
static void what_is_erased_without_echoe_or_not_there(void)
{
	start();
	set_local(ECHOKE | ECHOE, 0);
	type("\25");
	CHECK(shows(""));
	type("a bc\27x\177");
	CHECK(shows("a bc\b \b\b \bx^?"));
	type("\25");
	CHECK(shows("^U\r\n"));
	type("\25\n");
	CHECK(shows("\r\n"));
	CHECK(reads("\n"));
}

static void an_end_of_file_is_no_data(void)
{
	start();
	type("ab\4cd\n\4");
	CHECK_EQ(line_count(&l), 5);
	CHECK(reads("ab"));
	CHECK_EQ(line_count(&l), 3);
	CHECK(reads("cd\n"));
	CHECK_EQ(line_count(&l), 0);
	CHECK(line_is_readable(&l, 1));
	CHECK(reads(""));
	type("not ended");
	CHECK_EQ(line_count(&l), 0);
}

static void an_end_of_file_that_is_read_raw_is_a_nul(void)
{
	bool ended;
	uint8_t bytes[8];

	start();
	type("a\4\4");
	set_local(ICANON, 0);
	CHECK_EQ(line_count(&l), 3);
	CHECK_EQ(line_read(&l, bytes, sizeof(bytes), &ended), 3);
	CHECK(memcmp(bytes, "a\0\0", 3) == 0);
	CHECK(!line_is_readable(&l, 1));
}

static void a_line_is_printed_again_as_far_as_there_is_room(void)
{
	start();
	type("abc\x16\x01 d");
	shown = 0;
	type("\x12");
	CHECK(shows("^R\r\nabc^A d"));
	room = 8;
	refused = 0;
	type("\x12");
	CHECK(shows("^R\r\nabc^"));
	CHECK_EQ(refused, 1);
	room = 0;
	type("\x12");
	CHECK_EQ(refused, 2);
	type("\n");
	CHECK(reads("abc\x01 d\n"));
}

static uint32_t steps_of(const char *keys)
{
	uint32_t before = l.steps;

	type(keys);
	return l.steps - before;
}

static void what_goes_over_the_line_takes_as_many_steps(void)
{
	start();
	CHECK_EQ(steps_of("a"), 1);
	CHECK_EQ(steps_of("\x16\x01"), 4);
	for (int i = 0; i < 1000; i++)
		type("x");
	CHECK(steps_of("\t\x7f") >= 1000);
	CHECK(steps_of("\x12") >= 1000);
	CHECK(steps_of("\x15") >= 3000);
	CHECK(steps_of("\x12") < 10);
	set_local(ECHO, 0);
	CHECK_EQ(steps_of("unseen\x15\n"), 0);
}

int main(void)
{
	RUN(a_line_is_readable_when_it_is_complete);
	RUN(a_read_stops_at_the_end_of_a_line);
	RUN(erasing_takes_the_last_character_off_the_screen);
	RUN(erasing_takes_a_whole_utf8_character);
	RUN(erasing_a_control_character_takes_both_columns);
	RUN(erasing_a_tab_goes_back_to_where_it_began);
	RUN(kill_and_word_erase);
	RUN(end_of_file_is_an_empty_read_or_ends_a_line);
	RUN(a_typed_nul_is_data);
	RUN(signals_are_reported_and_flush);
	RUN(literal_next_takes_away_the_meaning);
	RUN(stop_and_start);
	RUN(what_a_program_holds_is_not_let_go_by_what_is_typed);
	RUN(raw_mode_gives_every_byte);
	RUN(switching_modes_keeps_what_was_typed);
	RUN(a_nul_is_data_when_the_line_turns_canonical);
	RUN(a_line_that_is_too_long_can_be_ended);
	RUN(nothing_is_lost_while_there_is_room);
	RUN(output_processing);
	RUN(random_use_keeps_the_ring_sound);
	RUN(what_is_erased_without_echoe_or_not_there);
	RUN(an_end_of_file_is_no_data);
	RUN(an_end_of_file_that_is_read_raw_is_a_nul);
	RUN(a_line_is_printed_again_as_far_as_there_is_room);
	RUN(what_goes_over_the_line_takes_as_many_steps);
	return check_result();
}
