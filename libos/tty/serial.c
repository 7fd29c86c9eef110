/* SPDX-License-Identifier: MIT */
/* The terminal on the first serial port. */
#include "tty/serial.h"
#include "core/irq.h"
#include "tty/tty.h"
#include "tty/uart.h"

#define COM1_PORT 0x3f8
#define COM1_IRQ 4

static struct uart uart;
static struct tty terminal;
static uint8_t output[TTY_OUTPUT_SIZE]; /* of it */

static size_t send(struct tty *t, const uint8_t *bytes, size_t n)
{
	return uart_send(&uart, bytes, n);
}

/* Receiving again finds what is in the FIFO: an enabled port with data interrupts at once. */
static void resume_input(struct tty *t)
{
	uart_listen(&uart, true);
}

static const struct tty_driver driver = { .send = send, .resume_input = resume_input };

/*
 * Why the port does not stay shut: a reader that makes room between the first look and our shutting
 * the port opens it too early, but then the second look finds the room.  A reader that makes room
 * after the second look finds that input was refused, and opens the port after us.
 */
static void hold_input(void)
{
	uart_listen(&uart, false);
	if (tty_wants_input(&terminal, UART_FIFO_SIZE))
		uart_listen(&uart, true);
}

static bool receive(enum uart_interrupt why)
{
	uint8_t bytes[UART_FIFO_SIZE];

	if (!tty_wants_input(&terminal, UART_FIFO_SIZE)) {
		hold_input();
		return true;
	}
	return tty_input(&terminal, bytes, uart_receive(&uart, why, bytes));
}

static void can_send(void)
{
	tty_output_ready(&terminal);
}

static void interrupt(void *argument)
{
	uart_serve(&uart, receive, can_send);
}

struct tty *serial_init(void)
{
	if (uart_init(&uart, COM1_PORT) != 0)
		return NULL;
	tty_init(&terminal, &driver, &uart, output, sizeof(output));
	return irq_register(COM1_IRQ, interrupt, NULL) == 0 ? &terminal : NULL;
}
