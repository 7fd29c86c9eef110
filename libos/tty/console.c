/* SPDX-License-Identifier: MIT */
/* Which terminals there are, and which of them is the console. */
#include "tty/console.h"
#include <exo/abi.h>
#include <stddef.h>
#include "core/log.h"
#include "core/string.h"
#include "domain/parent.h"
#include "fs/device.h"
#include "tty/pty.h"
#include "tty/serial.h"
#include "tty/tty.h"
#include "tty/vga.h"

/* Linux's device numbers (its Documentation/admin-guide/devices.txt). */
#define MAJOR_TTY 4
#define MINOR_TTY1 1
#define MINOR_TTYS0 64
#define MAJOR_CONSOLE 5
#define MINOR_TTY_OWN 0
#define MINOR_CONSOLE 1

static bool command_line_has(const char *word)
{
	const char *line = ((const struct exo_info *)EXO_INFO_BASE)->command_line;
	size_t n = strlen(word);

	for (const char *at = strstr(line, word); at != NULL; at = strstr(at + 1, word)) {
		if ((at == line || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	}
	return false;
}

static void add(const char *name, uint32_t permissions, unsigned major, unsigned minor,
		const struct file_ops *ops, struct tty *t)
{
	int r = device_register(name, permissions, major, minor, ops, t);

	if (r != 0)
		log_print("console: /dev/%s cannot be made (%d)\n", name, r);
}

void console_init(void)
{
	struct tty *serial = serial_init();
	struct tty *vga = vga_init();
	struct tty *console = serial;

	if (serial != NULL)
		add("ttyS0", DEVICE_FOR_ROOT, MAJOR_TTY, MINOR_TTYS0, &tty_file_ops, serial);
	if (vga != NULL)
		add("tty1", DEVICE_FOR_ROOT, MAJOR_TTY, MINOR_TTY1, &tty_file_ops, vga);
	if (vga != NULL && (serial == NULL || command_line_has("console=vga")))
		console = vga;
	if (console == NULL)
		console = parent_console_init();
	if (console != NULL)
		add("console", DEVICE_FOR_ROOT, MAJOR_CONSOLE, MINOR_CONSOLE, &tty_console_ops, console);
	add("tty", DEVICE_FOR_ALL, MAJOR_CONSOLE, MINOR_TTY_OWN, &tty_own_ops, NULL);
	pty_init();
}
