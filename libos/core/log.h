/* SPDX-License-Identifier: MIT */
/* Messages of the libos itself: to the kernel's debug console, and kept for dmesg. */
#ifndef LIBOS_LOG_H
#define LIBOS_LOG_H

#include <stdarg.h>
#include <stddef.h>

/* %s %c %d %i %u %x %lx %ld %lu %llx %p %zu %%, width, zero padding, left justification. */
int format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vformat(char *buf, size_t size, const char *fmt, va_list ap);
void log_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
size_t log_read(char *buf, size_t size, size_t from); /* for dmesg */

/* A libos bug: prints state of this CPU and its task, held locks and a backtrace, and kills the domain. */
_Noreturn void libos_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct exo_regs;
/* The same for an exception in the libos's own code, with the registers there. */
_Noreturn void libos_panic_with_regs(const struct exo_regs *regs, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#ifndef EXO_DEBUG
#define EXO_DEBUG 0
#endif
#define ASSERT_INVARIANT(cond) \
	do { \
		if (EXO_DEBUG && !(cond)) \
			libos_panic("invariant: %s (%s:%d)", #cond, __FILE__, __LINE__); \
	} while (0)

#endif
