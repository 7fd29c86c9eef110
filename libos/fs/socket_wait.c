/* SPDX-License-Identifier: MIT */
/* What a call on a socket waits for: for others, within the socket's time limit; for the program's memory. */
#include "core/usercopy.h"
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

long socket_touch(struct socket_message *m, bool write)
{
	const struct iovec *v = m->vector;
	size_t at = m->touch_at, left = m->touch;

	m->touch = 0;
	for (; left; v++) {
		size_t n = at < v->iov_len ? v->iov_len - at : 0;

		if (n > left)
			n = left;
		if (n && user_touch((uint64_t)v->iov_base + at, n, write))
			return -EFAULT;
		at = n ? 0 : at - v->iov_len;
		left -= n;
	}
	return 0;
}
