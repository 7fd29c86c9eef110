/* SPDX-License-Identifier: MIT */
/*
 * The VGA text screen: the terminal emulator's cells, copied row by row to video memory where
 * they have changed.  Everything is under the terminal's lock.
 */
#include "tty/vga.h"
#include <exo/abi.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/log.h"
#include "core/memory.h"
#include "tty/keyboard.h"
#include "tty/terminal.h"
#include "tty/tty.h"

#define TEXT_MEMORY 0xb8000ul
#define CELLS_BYTES (TERMINAL_ROWS * TERMINAL_COLUMNS * sizeof(uint16_t))

/* The CRT controller's index and data ports, and two of its registers (IBM VGA). */
#define CRTC_INDEX 0x3d4
#define CRTC_DATA 0x3d5
#define CRTC_CURSOR_HIGH 0x0e
#define CRTC_CURSOR_LOW 0x0f
#define OFF_SCREEN (TERMINAL_ROWS * TERMINAL_COLUMNS)

static struct tty terminal_tty;
static uint8_t output[TTY_OUTPUT_SIZE]; /* of it */
static struct terminal terminal;
static volatile uint16_t *screen; /* fixed after vga_init() */
static unsigned cursor_shown;     /* where the hardware cursor is */

static void crtc(uint8_t index, uint8_t value)
{
	(void)exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_OUT8, CRTC_INDEX, index);
	(void)exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_OUT8, CRTC_DATA, value);
}

static void show_cursor(void)
{
	unsigned at = terminal.cursor_visible
			      ? terminal.cursor.row * TERMINAL_COLUMNS + terminal.cursor.column
			      : OFF_SCREEN;

	if (at == cursor_shown)
		return;
	cursor_shown = at;
	crtc(CRTC_CURSOR_HIGH, (uint8_t)(at >> 8));
	crtc(CRTC_CURSOR_LOW, (uint8_t)at);
}

static void show(void)
{
	for (unsigned row = 0; row < TERMINAL_ROWS; row++) {
		if ((terminal.changed & (1u << row)) == 0)
			continue;
		for (unsigned column = 0; column < TERMINAL_COLUMNS; column++)
			screen[row * TERMINAL_COLUMNS + column] = terminal.cells[row][column];
	}
	terminal.changed = 0;
	show_cursor();
}

/* The terminal's answers come in as if they had been typed. */
static void reply(struct tty *t)
{
	for (size_t i = 0; i < terminal.reply_length; i++) {
		if ((line_input(&t->line, (uint8_t)terminal.reply[i]) & LINE_READABLE) != 0)
			wake_all(&t->readers, WAKE_ANY);
	}
	terminal.reply_length = 0;
}

static size_t send(struct tty *t, const uint8_t *bytes, size_t n)
{
	terminal_write(&terminal, bytes, n);
	show();
	if (terminal.reply_length != 0)
		reply(t);
	return n;
}

static const struct tty_driver driver = { .send = send };

/*
 * Maps the screen in place of a page of heap: that gives it an address, and page tables for it,
 * in the region that all processes share.
 */
static int map_screen(void)
{
	void *page = pages_alloc(1);
	struct exo_op op = {
		.code = EXO_OP_MAP_DEVICE, .prot = EXO_PROT_READ | EXO_PROT_WRITE, .count = 1,
		.flags = EXO_OP_REPLACE, .va = (uint64_t)page,
		.frame = TEXT_MEMORY >> EXO_PAGE_SHIFT, .source = EXO_HANDLE(EXO_SLOT_DEVICES),
	};

	_Static_assert(CELLS_BYTES <= EXO_PAGE_SIZE, "the screen is in one page");
	if (page == NULL)
		return -ENOMEM;
	screen = page;
	return shared_update(&op, 1);
}

bool vga_application_keys(void)
{
	return terminal.application_keys; /* one byte: either value will do */
}

struct tty *vga_init(void)
{
	int r;

	if (((const struct exo_info *)EXO_INFO_BASE)->framebuffer_text == 0)
		return NULL;
	r = map_screen();
	if (r != 0) {
		log_print("vga: the screen cannot be mapped (%d)\n", r);
		return NULL;
	}
	terminal_init(&terminal);
	cursor_shown = ~0u;
	tty_init(&terminal_tty, &driver, NULL, output, sizeof(output));
	terminal_tty.window.ws_row = TERMINAL_ROWS;
	show();
	if (keyboard_init(&terminal_tty) != 0)
		log_print("vga: there is no keyboard\n");
	return &terminal_tty;
}
