/* SPDX-License-Identifier: MIT */
/*
 * What every source of the kernel begins with: the ABI, the machine, objects, frames, vcores, and
 * what is needed anywhere.  Sources that compile on the host too name what they use instead.
 */
#ifndef EXO_KERNEL_H
#define EXO_KERNEL_H

#include <asm/errno.h>
#include <stdarg.h>
#include "cpu.h"
#include "debug/debug.h"
#include "frame.h"
#include "invariant.h"
#include "tlb_epoch.h"
#include "vcore.h"
#include "x86/machine.h"

/* ----------------------------------------------------- console.c */

/* The debug console: COM1.  Everything is polled and bounded, and usable from the first C
 * instruction. */

/* Conversions: %u %x, with l, %p, %s. */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Bytes as they are, under the console lock. */
void console_write(const char *bytes, size_t size);

void console_init(void);

/* From now on the lock is not taken: the CPU that panics may have interrupted its holder. */
void console_break_lock(void);

/* ------------------------------------------------------- panic.c */

/* The end: the kernel has found itself in a state that it cannot go on from. */

/* Stops the other CPUs, reports, and halts; or restarts with `panic=reset` on the command line. */
#define panic(...) panic_with_regs(NULL, __VA_ARGS__)

/* The same for a fault taken in the kernel, with the registers at the fault. */
_Noreturn void panic_with_regs(const struct exo_regs *regs, const char *format, ...)
	__attribute__((format(printf, 2, 3), cold));

/* Decided by exo_main() from the command line. */
extern bool panic_resets;

/* Called by each CPU when it takes an NMI: does not return if another CPU panics. */
void panic_stop_if_asked(const struct exo_regs *regs);

/* With `panic=test` on the command line this is a kernel bug, to see the report. */
void panic_test(void);

/* x86/reset.c */
_Noreturn void machine_reset(void);

static inline uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ------------------------------------------------------ string.c */

/* The few string functions that the kernel uses; the compiler may call the first two itself. */

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);

/* Copies at most size - 1 bytes and always terminates; size is at least 1. */
void string_copy(char *to, const char *from, size_t size);

/* Does a word of a line, in which spaces separate them, end in `word`? */
bool line_has_word(const char *line, const char *word);

#endif
