/* SPDX-License-Identifier: MIT */
/* The libos's messages: kept in a ring for dmesg, and written to the kernel's debug console. */
#include <exo/abi.h>
#include <stdbool.h>
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

/*
 * A message is lines of the libos: where it quotes a program's name or path, with whatever is in that, no
 * byte begins another line or talks to the terminal that shows it.  A new line is one only where the format
 * has it, which is at its two ends.
 */
static void make_printable(char *line, size_t n, const char *fmt)
{
	bool begins = fmt[0] == '\n', ends = fmt[0] && fmt[strlen(fmt) - 1] == '\n';

	for (size_t i = 0; i < n; i++) {
		bool is_new_line = line[i] == '\n' && ((i == 0 && begins) || (i == n - 1 && ends));

		if ((line[i] < ' ' || line[i] > '~') && !is_new_line)
			line[i] = '?';
	}
}

void log_print(const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	size_t n = (size_t)vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	n = n < sizeof(line) ? n : sizeof(line) - 1;
	make_printable(line, n, fmt);
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
