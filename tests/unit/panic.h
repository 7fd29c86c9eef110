/* SPDX-License-Identifier: MIT */
/*
 * libos_panic() on the host.  A panic that a case provokes ends the attempt, and only that:
 *
 *	CHECK_PANICS("lock order", {
 *		lock_acquire(&heap);
 *		lock_acquire(&process);
 *	});
 *
 * Any other ends the test.  Include it once.
 */
#ifndef TESTS_UNIT_PANIC_H
#define TESTS_UNIT_PANIC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "core/log.h"

static jmp_buf panic_return;
static bool panic_awaited;
static char panic_message[200];

/* What the attempt panics with holds `text`; one that does not panic fails the case. */
#define CHECK_PANICS(text, attempt)                       \
	do {                                              \
		panic_message[0] = 0;                     \
		panic_awaited = true;                     \
		if (!setjmp(panic_return))                \
			attempt;                          \
		panic_awaited = false;                    \
		CHECK(strstr(panic_message, text));       \
	} while (0)

void libos_panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(panic_message, sizeof(panic_message), fmt, ap);
	va_end(ap);
	if (panic_awaited)
		longjmp(panic_return, 1);
	printf("not ok panic: %s\n", panic_message);
	exit(1);
}

#endif
