/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines for programs: /dev/irq/N, for a driver that is a program.
 *
 *	open()   root only.  Where the libos has been given all lines, it takes this one: EBUSY, somebody
 *	         has it.  In a domain that others made: ENXIO, it has not been granted (domainctl --irq)
 *	read()   waits for the next interrupt; the number of them so far, four bytes.  ENODEV: the line
 *	         was taken from the domain
 *	poll()   POLLIN, there has been one that this file has not read; POLLERR, the line was taken
 *
 * In a domain that others made, a line that is passed on to a domain of its own is relayed: its interrupts
 * still come here, are counted in the other's boot page, and acknowledged when the other says so.  Whoever
 * loses the line loses it for those that it was passed on to, and who gets it again, for them as well.
 *
 * A line is silent from an interrupt on until whoever has read of it reads or polls again: by then the
 * driver has seen to the device.  Who watches it by its edges (EPOLLET) does not poll again while he waits:
 * he reads until EAGAIN, as of any such file, and that is his answer.
 */
#ifndef LIBOS_LINES_H
#define LIBOS_LINES_H

#include <stdint.h>

struct domain;

/* lines.c, in the domain itself.  Once, task context. */
void lines_init(void);
/* Task context: relayed to d from now on, and to nobody any more.  0; -ENXIO, it has not been granted;
 * -EBUSY, a file or another domain has it. */
int line_lend(unsigned number, struct domain *d);
void line_take_back(unsigned number);

/* Event context: an interrupt of a line that no driver of the libos has. */
void lines_interrupt(unsigned number);
/* Event context: the line is asked for, and given back at once. */
void lines_revoked(unsigned number);
/* After each message, any context, no lock of rank >= RANK_PIPE held: its maker may have granted some or
 * taken some. */
void lines_rung(void);

/*
 * line_grants.c, in the one that makes it; task context, by who makes d, resizes it or takes it apart.
 *
 * lines_set: it is to have these, a bit for each.  What it does not give back in time is taken.  0, -EBUSY
 * (somebody else has one), -ENOSPC or the kernel's error, and then it may have some of them.
 * lines_move: those that interrupt another vcore than the first that it has now come to that one.
 */
int lines_set(struct domain *d, uint32_t wanted, uint64_t patience_ns);
int lines_move(struct domain *d, uint64_t patience_ns);
void lines_leave(struct domain *d);

#endif
