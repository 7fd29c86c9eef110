/* SPDX-License-Identifier: MIT */
/* The libos's messages: kept in a ring for dmesg, and written to the kernel's debug console. */
#include <exo/abi.h>
#include "core/exo.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/string.h"

#define RING_SIZE 16384 /* a power of two */
#define LINE_MAX 512

static struct lock log_lock = LOCK_INIT("log", RANK_LOG);
/* Under log_lock. */
static char ring[RING_SIZE];
static size_t written; /* bytes ever written; the ring holds the last RING_SIZE of them */

void log_print(const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	size_t n = (size_t)vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	n = n < sizeof(line) ? n : sizeof(line) - 1;
	lock_acquire(&log_lock);
	for (size_t i = 0; i < n; i++)
		ring[written++ % RING_SIZE] = line[i];
	lock_release(&log_lock);
	exo_debug_write(line, n);
}

/* `from` counts bytes from the oldest one kept. */
size_t log_read(char *buf, size_t size, size_t from)
{
	lock_acquire(&log_lock);
	size_t start = written > RING_SIZE ? written - RING_SIZE : 0, n = 0;

	for (size_t i = start + from; i < written && n < size; i++)
		buf[n++] = ring[i % RING_SIZE];
	lock_release(&log_lock);
	return n;
}
