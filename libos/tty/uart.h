/* SPDX-License-Identifier: MIT */
/*
 * A 16550 serial port: bytes in and out through its FIFOs.
 *
 * Sending is polled for as long as the port keeps up, which QEMU's does always; when it does not,
 * the "transmitter empty" interrupt says when to go on, so that nobody spins for the 1.4 ms that
 * 16 bytes take on a real line.
 */
#ifndef LIBOS_UART_H
#define LIBOS_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/lock.h"

#define UART_FIFO_SIZE 16
#define UART_BURST 14

/* UART_RECEIVED_BURST: at least UART_BURST bytes can be received without another look. */
enum uart_interrupt {
	UART_QUIET, UART_RECEIVED, UART_RECEIVED_BURST, UART_CAN_SEND, UART_OTHER,
};

struct uart {
	uint16_t port;    /* fixed */
	struct lock lock; /* RANK_LEAF */
	uint8_t enabled;  /* under lock: the interrupt enable register */
};

/* Sets the port to 115200 8N1 with FIFOs on and the receive interrupt enabled once the line is
 * connected.  -ENODEV if there is none. */
int uart_init(struct uart *u, uint16_t port);

/* Any context.  Bytes taken; if fewer than n, UART_CAN_SEND will come. */
size_t uart_send(struct uart *u, const uint8_t *bytes, size_t n);
/* What has been received, up to UART_FIFO_SIZE bytes; `why` is what the interrupt said. */
size_t uart_receive(struct uart *u, enum uart_interrupt why, uint8_t bytes[UART_FIFO_SIZE]);
/* Receive interrupts on or off: while they are off the port holds the sender back. */
void uart_listen(struct uart *u, bool on);
/* Everything that was sent has left the port. */
bool uart_is_idle(struct uart *u);
/* The interrupt handler: asks the port until it is quiet.  If that takes long, or receive() says that it has
 * had much work (false), another interrupt goes on. */
void uart_serve(struct uart *u, bool (*receive)(enum uart_interrupt why), void (*can_send)(void));

#endif
