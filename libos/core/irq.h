/* SPDX-License-Identifier: MIT */
/* Interrupt lines of devices, as messages: to CPU 0, if the libos has the driver. */
#ifndef LIBOS_IRQ_H
#define LIBOS_IRQ_H

#include <exo/abi.h>

#define IRQ_LINES 24

/*
 * irq_register - have a handler called for an ISA interrupt line
 *
 * handler(argument) runs on CPU 0 in event context: masked, on the event stack, no lock held.  It
 * must attend to its device until that has nothing more to say, and may be called when it has
 * nothing to say.  Once per line, in task context.  Returns 0, -EBUSY or the kernel's error.
 */
int irq_register(unsigned line, void (*handler)(void *argument), void *argument);

/* From the event loop: a message of kind EXO_MESSAGE_IRQ. */
void irq_message(const struct exo_message *m);

#endif
