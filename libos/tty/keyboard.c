/* SPDX-License-Identifier: MIT */
/* The PC keyboard behind an i8042 controller, which translates to scan code set 1. */
#include "tty/keyboard.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/irq.h"
#include "core/lock.h"
#include "tty/keymap.h"
#include "tty/tty.h"

#define DATA_PORT 0x60
#define STATUS_PORT 0x64
#define COMMAND_PORT 0x64
#define STATUS_FULL 0x01
#define STATUS_BUSY 0x02 /* it has not yet taken what was written */
#define STATUS_FROM_MOUSE 0x20
#define KEYBOARD_IRQ 1

/* Commands, and bits of the controller's configuration byte (IBM PS/2 technical reference). */
#define READ_CONFIGURATION 0x20
#define WRITE_CONFIGURATION 0x60
#define ENABLE_KEYBOARD 0xae
#define CONFIGURATION_INTERRUPT 0x01
#define CONFIGURATION_CLOCK_OFF 0x10
#define CONFIGURATION_TRANSLATE 0x40

#define LOOKS_MAX 10000

/* Bytes looked at in one interrupt: the controller holds 16. */
#define BYTES_MAX 64

static struct tty *terminal;                                      /* fixed after keyboard_init() */
static struct lock keyboard_lock = LOCK_INIT("keyboard", RANK_LEAF);
static struct keymap keymap;                                      /* under keyboard_lock */

static uint8_t in(uint16_t port)
{
	return (uint8_t)exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_IN8, port, 0);
}

/* The next byte from the controller as the characters it types; -1 if there is none. */
static int read_key(char text[KEYMAP_TEXT_MAX])
{
	uint8_t status = in(STATUS_PORT), code;

	/* A port that nobody answers reads as all ones. */
	if ((status & STATUS_FULL) == 0 || status == 0xff)
		return -1;
	code = in(DATA_PORT);
	if ((status & STATUS_FROM_MOUSE) != 0)
		return 0;
	return (int)keymap_press(&keymap, code, vga_application_keys(), text);
}

static void interrupt(void *argument)
{
	char text[KEYMAP_TEXT_MAX];

	for (int i = 0; i < BYTES_MAX; i++) {
		int n;

		lock_acquire(&keyboard_lock);
		n = read_key(text);
		lock_release(&keyboard_lock);
		if (n < 0)
			break;
		/* What no program reads is lost, as on any keyboard. */
		if (n > 0)
			tty_input(terminal, (const uint8_t *)text, (size_t)n);
	}
}

/* Waits until the status has `bit` set, or clear; false if it does not come to that. */
static bool wait_status(uint8_t bit, bool set)
{
	for (int look = 0; look < LOOKS_MAX; look++) {
		if (((in(STATUS_PORT) & bit) != 0) == set)
			return true;
	}
	return false;
}

static void out(uint16_t port, uint8_t value)
{
	if (wait_status(STATUS_BUSY, false))
		(void)exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_OUT8, port, value);
}

/* Firmware that polls the keyboard may have left its interrupt off. */
static bool configure(void)
{
	uint8_t configuration;

	out(COMMAND_PORT, ENABLE_KEYBOARD);
	for (int i = 0; i < BYTES_MAX && (in(STATUS_PORT) & STATUS_FULL) != 0; i++)
		(void)in(DATA_PORT); /* keys from before */
	out(COMMAND_PORT, READ_CONFIGURATION);
	if (!wait_status(STATUS_FULL, true))
		return false;
	configuration = in(DATA_PORT);
	configuration |= CONFIGURATION_INTERRUPT | CONFIGURATION_TRANSLATE;
	configuration &= (uint8_t)~CONFIGURATION_CLOCK_OFF;
	out(COMMAND_PORT, WRITE_CONFIGURATION);
	out(DATA_PORT, configuration);
	return true;
}

int keyboard_init(struct tty *t)
{
	if (in(STATUS_PORT) == 0xff || !configure())
		return -ENODEV;
	terminal = t;
	return irq_register(KEYBOARD_IRQ, interrupt, NULL);
}
