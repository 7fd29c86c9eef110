/* SPDX-License-Identifier: MIT */
/*
 * The way from a child domain to the one that made it: its console and its end.  In the first domain
 * there is none.
 */
#ifndef LIBOS_DOMAIN_PARENT_H
#define LIBOS_DOMAIN_PARENT_H

#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tty;

/* Once, on the boot CPU, before anything else here: is there a parent? */
bool parent_find(void);
bool parent_exists(void);
/* The next word after `at` of the program that the parent wants run; NULL: first, or there is none. */
const char *parent_word(const char *at);
/* Its name for an interrupt line that the parent has granted, or 0. */
exo_handle parent_line(unsigned number);
/* It is asked for it back. */
bool parent_wants_line(unsigned number);
/* Any context.  Of a line that the parent relays: its interrupts so far; and that one has been seen to. */
uint32_t parent_interrupts(unsigned number);
void parent_answer(unsigned number, uint32_t interrupt);
/* Real time minus monotonic time, as the parent has it. */
int64_t parent_real_offset_ns(void);

/* The console, or NULL; and /dev/exo/exit, which takes the wait status that the domain is to end
 * with.  Task context. */
struct tty *parent_console_init(void);
/* Event context, masked, no lock held: a message has come. */
void parent_rung(void);
void parent_message(const struct exo_message *m); /* of anybody */
/* Any context: the parent is to look at what has changed. */
void parent_ring(void);
/* The end of the domain. */
_Noreturn void parent_leave(int wait_status);

#endif
