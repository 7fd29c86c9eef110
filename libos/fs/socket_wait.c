/* SPDX-License-Identifier: MIT */
/* Sleeping in a call on a socket, with the time limits that a socket has. */
#include "fs/socket.h"
#include "proc/signal.h"
#include "time/timespec.h"

uint64_t socket_deadline(uint64_t timeout_ns)
{
	return timeout_ns ? deadline_after(timeout_ns) : 0;
}

/* One with a time limit is not made again. */
long socket_sleep(struct wait_queue *q, struct lock *lock, uint64_t deadline_ns)
{
	switch (wait_on(q, lock, WAIT_INTERRUPTIBLE, deadline_ns)) {
	case -EINTR:
		return deadline_ns ? -EINTR : -ERESTARTSYS;
	case -ETIMEDOUT:
		return -EAGAIN;
	default:
		return 0;
	}
}
