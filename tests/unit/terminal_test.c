/* SPDX-License-Identifier: MIT */
/* libos/tty/terminal.c libos/tty/terminal_sequence.c libos/tty/terminal_screen.c
 * libos/tty/terminal_font.c: what the screen shows after what was written. */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "tty/terminal.h"

static struct terminal t;

static void put(const char *text)
{
	terminal_write(&t, (const uint8_t *)text, strlen(text));
}

static void start(const char *text)
{
	terminal_init(&t);
	put(text);
}

/* The row's text without trailing blanks. */
static const char *row(unsigned n)
{
	static char text[TERMINAL_COLUMNS + 1];
	int end = TERMINAL_COLUMNS;

	for (int i = 0; i < TERMINAL_COLUMNS; i++)
		text[i] = (char)t.cells[n][i];
	while (end > 0 && text[end - 1] == ' ')
		end--;
	text[end] = '\0';
	return text;
}

static bool shows(unsigned n, const char *expected)
{
	bool same = strcmp(row(n), expected) == 0;

	if (!same)
		printf("# row %u: '%s'\n", n, row(n));
	return same;
}

static bool cursor_at(unsigned row_expected, unsigned column_expected)
{
	bool there = t.cursor.row == row_expected && t.cursor.column == column_expected;

	if (!there)
		printf("# cursor: %u,%u\n", t.cursor.row, t.cursor.column);
	return there;
}

static void text_and_lines(void)
{
	start("hello\r\nworld\n!");
	CHECK(shows(0, "hello"));
	CHECK(shows(1, "world"));
	CHECK(shows(2, "     !"));
	CHECK(cursor_at(2, 6));
	put("\b\bx\ty");
	CHECK(shows(2, "    x!  y"));
}

static void long_lines_wrap_only_when_more_follows(void)
{
	start("");
	for (int i = 0; i < TERMINAL_COLUMNS; i++)
		put("a");
	CHECK(cursor_at(0, 79));
	put("\r\nb");
	CHECK(shows(1, "b"));
	start("\033[?7l");
	for (int i = 0; i < 100; i++)
		put("a");
	put("z");
	CHECK(cursor_at(0, 79));
	CHECK(shows(1, ""));
	start("\033[1;80Hab");
	CHECK(shows(1, "b"));
}

static void the_screen_scrolls(void)
{
	start("first");
	for (int i = 0; i < TERMINAL_ROWS; i++)
		put("\r\n");
	CHECK(shows(0, ""));
	put("last");
	CHECK(shows(24, "last"));
	put("\n");
	CHECK(shows(23, "last"));
}

static void the_cursor_moves_and_stays_on_the_screen(void)
{
	start("\033[5;10H");
	CHECK(cursor_at(4, 9));
	put("\033[2A\033[3C\033[B\033[D");
	CHECK(cursor_at(3, 11));
	put("\033[99;99H");
	CHECK(cursor_at(24, 79));
	put("\033[999A\033[999D");
	CHECK(cursor_at(0, 0));
	put("\033[7G\033[3d");
	CHECK(cursor_at(2, 6));
	put("\0337\033[H\0338");
	CHECK(cursor_at(2, 6));
}

static void parts_of_the_screen_are_erased(void)
{
	start("aaaaa\r\nbbbbb\r\nccccc\033[2;3H\033[K");
	CHECK(shows(1, "bb"));
	put("\033[1K");
	CHECK(shows(1, ""));
	put("\033[J");
	CHECK(shows(0, "aaaaa"));
	CHECK(shows(2, ""));
	put("\033[2J");
	CHECK(shows(0, ""));
	CHECK(cursor_at(1, 2));
}

static void characters_and_lines_are_inserted_and_deleted(void)
{
	start("abcdef\033[1;3H\033[2@");
	CHECK(shows(0, "ab  cdef"));
	put("\033[3P");
	CHECK(shows(0, "abdef"));
	put("\033[4hX\033[4l");
	CHECK(shows(0, "abXdef"));
	put("\033[2X");
	CHECK(shows(0, "abX  f"));
	start("1\r\n2\r\n3\033[2;1H\033[L");
	CHECK(shows(0, "1"));
	CHECK(shows(1, ""));
	CHECK(shows(2, "2"));
	put("\033[2M");
	CHECK(shows(1, "3"));
}

static void a_region_scrolls_by_itself(void)
{
	start("top\033[25;1Hbottom\033[2;4r\033[2;1Ha\r\nb\r\nc\r\nd");
	CHECK(shows(0, "top"));
	CHECK(shows(1, "b"));
	CHECK(shows(3, "d"));
	CHECK(shows(24, "bottom"));
	put("\033[2;1H\033M");
	CHECK(shows(1, ""));
	CHECK(shows(2, "b"));
	CHECK(shows(3, "c"));
	CHECK(shows(4, ""));
	put("\033[?6h\033[99;1H");
	CHECK(cursor_at(3, 0));
}

static void colours_become_attributes(void)
{
	start("\033[31mr\033[1;44mb\033[0;7mv\033[mn\033[38;5;9;32mg");
	CHECK_EQ(t.cells[0][0] >> 8, 0x04);
	CHECK_EQ(t.cells[0][1] >> 8, 0x1c);
	CHECK_EQ(t.cells[0][2] >> 8, 0x70);
	CHECK_EQ(t.cells[0][3] >> 8, 0x07);
	CHECK_EQ(t.cells[0][4] >> 8, 0x02);
}

static void utf8_is_shown_in_code_page_437(void)
{
	start("\xc3\xa9\xe2\x94\x80\xe2\x80\x9cx\xf0\x9f\x98\x80\x80|");
	CHECK_EQ(t.cells[0][0] & 0xff, 0x82);
	CHECK_EQ(t.cells[0][1] & 0xff, 0xc4);
	CHECK_EQ(t.cells[0][2] & 0xff, '"');
	CHECK_EQ(t.cells[0][3] & 0xff, 'x');
	CHECK_EQ(t.cells[0][4] & 0xff, '?');
	CHECK_EQ(t.cells[0][5] & 0xff, '?');
	CHECK_EQ(t.cells[0][6] & 0xff, '|');
	start("\033(0q\033(Bq");
	CHECK_EQ(t.cells[0][0] & 0xff, 0xc4);
	CHECK_EQ(t.cells[0][1] & 0xff, 'q');
}

static void questions_are_answered(void)
{
	start("\033[3;4H\033[6n");
	CHECK(t.reply_length == 6 && memcmp(t.reply, "\033[3;4R", 6) == 0);
	t.reply_length = 0;
	put("\033[25;80H\033[6n");
	CHECK(t.reply_length == 8 && memcmp(t.reply, "\033[25;80R", 8) == 0);
}

static void what_is_not_understood_is_not_shown(void)
{
	start("a\033]0;title\007b\033P junk\033\\c\033[?1048hd\033[>ce\033#8f\033[12;34zg");
	CHECK(shows(0, "abcdefg"));
}

static void a_program_can_have_a_screen_of_its_own(void)
{
	start("shell\033[?1049h\033[Heditor");
	CHECK(shows(0, "editor"));
	put("\033[?1049l");
	CHECK(shows(0, "shell"));
	CHECK(cursor_at(0, 5));
}

static void changed_rows_are_marked(void)
{
	start("");
	t.changed = 0;
	put("\033[3;1Hx");
	CHECK_EQ(t.changed, 1u << 2);
}

/* Whatever is written, the cursor stays inside (and the sanitiser sees to the rest). */
static void any_bytes_are_harmless(void)
{
	static const char alphabet[] =
		"\033\033[[[;;0123456789?hlmHABCDJKLMPrSTX@sun78DEMc(0)\r\n\b\tz\xc3\xa9";
	bool sound = true;

	srand(7);
	terminal_init(&t);
	for (int i = 0; i < 3000000 && sound; i++) {
		uint8_t byte = rand() % 20 == 0 ? (uint8_t)rand()
						: (uint8_t)alphabet[rand() % (sizeof(alphabet) - 1)];

		terminal_write(&t, &byte, 1);
		sound = t.cursor.row < TERMINAL_ROWS && t.cursor.column < TERMINAL_COLUMNS &&
			t.top < t.bottom && t.bottom < TERMINAL_ROWS &&
			t.reply_length <= TERMINAL_REPLY_MAX;
	}
	CHECK(sound);
}

int main(void)
{
	RUN(text_and_lines);
	RUN(long_lines_wrap_only_when_more_follows);
	RUN(the_screen_scrolls);
	RUN(the_cursor_moves_and_stays_on_the_screen);
	RUN(parts_of_the_screen_are_erased);
	RUN(characters_and_lines_are_inserted_and_deleted);
	RUN(a_region_scrolls_by_itself);
	RUN(colours_become_attributes);
	RUN(utf8_is_shown_in_code_page_437);
	RUN(questions_are_answered);
	RUN(what_is_not_understood_is_not_shown);
	RUN(a_program_can_have_a_screen_of_its_own);
	RUN(changed_rows_are_marked);
	RUN(any_bytes_are_harmless);
	return check_result();
}
