/* SPDX-License-Identifier: MIT */
/*
 * A libFuzzer target: what comes from keyboards, lines, programs and the host reaches the pure parts
 * of the terminals.  The first byte says which part; the sanitisers and the checks here judge.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "tty/host_frames.h"
#include "tty/keymap.h"
#include "tty/line_discipline.h"
#include "tty/terminal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void no_echo(void *context, const uint8_t *bytes, size_t n)
{
	*(size_t *)context += n;
}

/* Settings from the first bytes; then input, with a read after every byte of 0xfe. */
static void line(const uint8_t *data, size_t size)
{
	static struct line_discipline l;
	struct termios settings;
	uint8_t out[64];
	size_t echoed = 0, used;
	bool ended;

	line_init(&l, no_echo, &echoed);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == 0xfd && i + 4 < size) {
			settings = l.settings;
			settings.c_lflag ^= data[i + 1] | (tcflag_t)data[i + 2] << 8;
			settings.c_iflag ^= data[i + 3];
			settings.c_oflag ^= data[i + 4];
			line_change_settings(&l, &settings);
			i += 4;
		} else if (data[i] == 0xfe) {
			line_read(&l, out, sizeof(out), &ended);
			require(line_output(&l, data, i, out, sizeof(out), &used) <= sizeof(out));
			require(used <= i);
		} else {
			line_input(&l, data[i]);
		}
		require(l.committed - l.read_at <= LINE_INPUT_SIZE);
		require(l.write_at - l.committed <= LINE_INPUT_SIZE);
		require(l.lines <= LINE_INPUT_SIZE);
	}
}

static void screen(const uint8_t *data, size_t size)
{
	static struct terminal t;

	terminal_init(&t);
	terminal_write(&t, data, size);
	require(t.cursor.row < TERMINAL_ROWS && t.cursor.column < TERMINAL_COLUMNS);
	require(t.top < t.bottom && t.bottom < TERMINAL_ROWS);
	require(t.reply_length <= TERMINAL_REPLY_MAX);
}

static void keys(const uint8_t *data, size_t size)
{
	struct keymap k = { 0 };
	char text[KEYMAP_TEXT_MAX];

	for (size_t i = 0; i < size; i++)
		require(keymap_press(&k, data[i], i & 1, text) <= KEYMAP_TEXT_MAX);
}

static void count_piece(void *context, uint8_t type, const uint8_t *bytes, size_t n)
{
	*(size_t *)context += n;
}

static void frames(const uint8_t *data, size_t size)
{
	size_t payload = 0;
	struct host_decoder d = { .piece = count_piece, .context = &payload };

	host_decode(&d, data, size);
	require(payload <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(const uint8_t *, size_t) = { line, screen, keys, frames };

	if (size > 0)
		parts[data[0] % 4](data + 1, size - 1);
	return 0;
}
