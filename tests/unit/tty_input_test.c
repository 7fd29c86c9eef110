/* SPDX-License-Identifier: MIT */
/* libos/tty/tty.c libos/tty/line_discipline.c libos/tty/line_edit.c libos/tty/line_output.c: what is typed is
 * done in pieces that are short, whatever it asks for. */
#include "libos_shim.h"
#include "check.h"
#include "tty/tty.h"

#define REPRINT 0x12
#define ERASE 0x7f
/* Of one piece: those that end it, and those of one byte more, which is all of a line on the screen. */
#define STEPS_OF_A_PIECE (1024 + 2 * LINE_LENGTH_MAX + 16)

static struct tty terminal;
static uint8_t output[TTY_OUTPUT_SIZE];
static bool takes_all; /* the device */
static unsigned signals;

int signal_send_group_locked(uint32_t group, int number, const struct signal_info *info)
{
	signals++;
	return 0;
}

static size_t send(struct tty *t, const uint8_t *bytes, size_t n)
{
	return takes_all ? n : 0;
}

static const struct tty_driver driver = { .send = send };

static void start(size_t length, char letter)
{
	memset(&terminal, 0, sizeof(terminal));
	tty_init(&terminal, &driver, NULL, output, sizeof(output));
	takes_all = true;
	for (size_t i = 0; i < length; i++)
		line_input(&terminal.line, (uint8_t)letter);
	tty_push(&terminal);
}

/* In pieces; the steps of the longest. */
static uint32_t type(const uint8_t *bytes, size_t n, unsigned *pieces)
{
	uint32_t most = 0;

	for (*pieces = 0; n > 0; ++*pieces) {
		uint32_t before = terminal.line.steps;
		unsigned events;
		size_t done;

		lock_acquire(&terminal.lock);
		done = tty_input_locked(&terminal, bytes, n, &events);
		lock_release(&terminal.lock);
		CHECK(done > 0 && done <= n);
		bytes += done;
		n -= done;
		if (terminal.line.steps - before > most)
			most = terminal.line.steps - before;
	}
	return most;
}

static void a_long_line_is_printed_again_once_in_a_piece(void)
{
	uint8_t again[TTY_PIECE];
	unsigned pieces;

	memset(again, REPRINT, sizeof(again));
	for (int i = 0; i < 2; i++) {
		start(LINE_LENGTH_MAX, 'x');
		takes_all = i != 0;
		CHECK(type(again, sizeof(again), &pieces) <= STEPS_OF_A_PIECE);
		CHECK(pieces > 1);
	}
	/* What is printed is what the device takes, or there is room for. */
	CHECK_EQ(tty_output_used(&terminal), 0);
	CHECK_EQ(terminal.line.write_at, LINE_LENGTH_MAX);
}

static void so_are_tabs_that_are_erased(void)
{
	uint8_t tabs[TTY_PIECE];
	unsigned pieces;

	for (size_t i = 0; i < sizeof(tabs); i++)
		tabs[i] = i % 2 == 0 ? '\t' : ERASE;
	start(LINE_LENGTH_MAX - 1, 'x');
	CHECK(type(tabs, sizeof(tabs), &pieces) <= STEPS_OF_A_PIECE);
	CHECK_EQ(pieces, TTY_PIECE / 2);
}

static void what_is_usually_typed_is_one_piece(void)
{
	uint8_t line[TTY_PIECE];
	unsigned pieces;

	start(0, 0);
	memset(line, 1, sizeof(line)); /* shown as ^A */
	line[sizeof(line) - 1] = '\n';
	type(line, sizeof(line), &pieces);
	CHECK_EQ(pieces, 1);
}

static void a_device_hears_what_was_much_work(void)
{
	static const uint8_t keys[] = { 'a', REPRINT, 'b' }, interrupt[] = { 3, 'c' };

	start(LINE_LENGTH_MAX - 10, 'x');
	CHECK(tty_input(&terminal, keys, 1));
	CHECK(!tty_input(&terminal, keys, sizeof(keys)));
	CHECK_EQ(terminal.line.write_at, LINE_LENGTH_MAX - 7);
	terminal.foreground = 1;
	CHECK(tty_input(&terminal, interrupt, sizeof(interrupt)));
	CHECK(signals == 1 && terminal.line.write_at - terminal.line.read_at == 1);
	CHECK(tty_input(&terminal, interrupt, 0));
}

int main(void)
{
	RUN(a_long_line_is_printed_again_once_in_a_piece);
	RUN(so_are_tabs_that_are_erased);
	RUN(what_is_usually_typed_is_one_piece);
	RUN(a_device_hears_what_was_much_work);
	return check_result();
}
