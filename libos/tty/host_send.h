/* SPDX-License-Identifier: MIT */
/* Frames to exo-run (host_frames.h), over the port of the host channel; those of several tasks do not mix. */
#ifndef LIBOS_HOST_SEND_H
#define LIBOS_HOST_SEND_H

#include <stddef.h>
#include <stdint.h>

struct lock;
struct uart;

/* Once, before all others; the lock is the port's. */
void host_send_init(struct uart *uart, struct lock *lock);
/* Under that lock, any context: the port takes bytes again. */
void host_send_ready(void);

/*
 * Sends one frame; there is room for its header before the n bytes.  Task context, no lock held.  Waiting
 * for one's turn ends with -EINTR, and nothing is sent, if wait_flags allow it and a signal comes; but a
 * frame that has been begun is finished: the host could make nothing of the rest.
 */
int host_send_frame(uint8_t *frame, uint8_t type, size_t n, unsigned wait_flags);
/* One of four bytes, without an interruption. */
int host_send_number(uint8_t type, uint32_t value);

#endif
