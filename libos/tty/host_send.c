/* SPDX-License-Identifier: MIT */
/* Frames to exo-run, one task's at a time.  See host_send.h. */
#include "tty/host_send.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/string.h"
#include "core/wait.h"
#include "tty/host_frames.h"
#include "tty/uart.h"

#define SEND_PIECE 128u /* with the lock held */

static struct {
	struct uart *uart; /* fixed after host_send_init() */
	struct lock *lock; /* likewise */

	/* Under lock. */
	bool sending;                 /* a task is in the middle of a frame */
	struct wait_queue senders;    /* waiting for the end of another task's frame */
	struct wait_queue port_ready; /* the task that is sending, waiting for the port */
} sender;

void host_send_init(struct uart *uart, struct lock *lock)
{
	sender.uart = uart;
	sender.lock = lock;
	wait_queue_init(&sender.senders);
	wait_queue_init(&sender.port_ready);
}

void host_send_ready(void)
{
	wake_all(&sender.port_ready, WAKE_ANY);
}

/* Waits for one's turn to send; -EINTR if wait_flags allow it and a signal came. */
static int begin_frame(unsigned wait_flags)
{
	int r = 0;

	lock_acquire(sender.lock);
	while (sender.sending && r != -EINTR)
		r = wait_on(&sender.senders, sender.lock, wait_flags, 0);
	r = sender.sending ? -EINTR : 0;
	if (r == 0)
		sender.sending = true;
	lock_release(sender.lock);
	return r;
}

static void end_frame(void)
{
	lock_acquire(sender.lock);
	sender.sending = false;
	wake_all(&sender.senders, WAKE_ANY);
	lock_release(sender.lock);
}

/*
 * Why the port's readiness is not missed: uart_send() and wait_on() are under one lock with the
 * wake in host_send_ready().  The lock is dropped every SEND_PIECE bytes, which bounds masked time.
 */
static void send_bytes(const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		size_t piece = n < SEND_PIECE ? n : SEND_PIECE, sent;

		lock_acquire(sender.lock);
		sent = uart_send(sender.uart, bytes, piece);
		if (sent < piece)
			(void)wait_on(&sender.port_ready, sender.lock, 0, 0);
		lock_release(sender.lock);
		bytes += sent;
		n -= sent;
	}
}

int host_send_frame(uint8_t *frame, uint8_t type, size_t n, unsigned wait_flags)
{
	int r = begin_frame(wait_flags);

	if (r != 0)
		return r;
	host_encode_header(frame, type, n);
	send_bytes(frame, HOST_HEADER_SIZE + n);
	end_frame();
	return 0;
}

int host_send_number(uint8_t type, uint32_t value)
{
	uint8_t frame[HOST_HEADER_SIZE + sizeof(value)];

	memcpy(frame + HOST_HEADER_SIZE, &value, sizeof(value));
	return host_send_frame(frame, type, sizeof(value), 0);
}
