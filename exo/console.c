/* SPDX-License-Identifier: MIT */
/* The debug console: COM1, polled.  Each message is written whole, under the console's lock. */
#include "kernel.h"

#define COM1 0x3f8
#define UART_STATUS (COM1 + 5)
#define UART_STATUS_EMPTY 0x20
#define UART_WAIT_MAX 200000 /* reads of the status: enough for a byte at 9600 baud */

static struct lock console_lock = { .rank = LOCK_CONSOLE };

/* Set for good by the CPU that panics. */
static atomic_bool lock_broken;

void console_init(void)
{
	/* Interrupts off; divisor 1, that is 115200 baud; 8N1; FIFO on and empty; DTR and RTS. */
	static const uint8_t setting[][2] = { { 1, 0 }, { 3, 0x80 }, { 0, 1 }, { 1, 0 }, { 3, 3 },
					      { 2, 0xc7 }, { 4, 3 } };

	for (unsigned i = 0; i < sizeof(setting) / sizeof(setting[0]); i++)
		port_out8(COM1 + setting[i][0], setting[i][1]);
}

static void put(char c)
{
	if (c == '\n')
		put('\r');
	for (unsigned i = 0; i < UART_WAIT_MAX; i++)
		if (port_in8(UART_STATUS) & UART_STATUS_EMPTY)
			break;
	port_out8(COM1, (uint8_t)c);
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

/* At least so many digits. */
static void put_number(uint64_t value, unsigned base, unsigned least)
{
	char text[24];
	size_t at = sizeof(text) - 1;

	text[at] = '\0';
	do {
		text[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value || sizeof(text) - 1 - at < least);
	put_text(text + at);
}

/* One conversion; `format` is behind its '%'.  Returns what follows it. */
static const char *convert(const char *format, va_list *arguments)
{
	bool is_long = *format == 'l';

	format += is_long;
	if (*format == 's')
		put_text(va_arg(*arguments, const char *));
	else if (*format == 'p')
		put_number(va_arg(*arguments, uintptr_t), 16, 16);
	else
		put_number(is_long ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned),
			   *format == 'u' ? 10 : 16, 1);
	return format + 1;
}

static bool console_lock_acquire(void)
{
	bool locked = !atomic_load(&lock_broken);

	if (locked)
		lock_acquire(&console_lock);
	return locked;
}

void kvprintf(const char *format, va_list arguments)
{
	bool locked = console_lock_acquire();
	va_list rest;

	va_copy(rest, arguments);
	while (*format) {
		if (*format == '%')
			format = convert(format + 1, &rest);
		else
			put(*format++);
	}
	va_end(rest);
	if (locked)
		lock_release(&console_lock);
}

void kprintf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	kvprintf(format, arguments);
	va_end(arguments);
}

void console_write(const char *bytes, size_t size)
{
	bool locked = console_lock_acquire();

	for (size_t i = 0; i < size; i++)
		put(bytes[i]);
	if (locked)
		lock_release(&console_lock);
}

void console_break_lock(void)
{
	atomic_store(&lock_broken, true);
}
