/* SPDX-License-Identifier: MIT */
/* Interrupt lines of devices.  See irq.h. */
#include "core/irq.h"
#include <stdatomic.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/lock.h"
#include "core/vcore.h"
#include "domain/lines.h"

struct irq {
	/* Fixed once `handler` is set. */
	void *argument;
	exo_handle handle;
	void (*_Atomic handler)(void *argument); /* release: the rest is valid; acquire: use it */
};

static struct irq irqs[IRQ_LINES];

int irq_register(unsigned line, void (*handler)(void *argument), void *argument)
{
	struct irq *irq = &irqs[line];
	int64_t handle;

	if (line >= IRQ_LINES || atomic_load_explicit(&irq->handler, memory_order_relaxed) != NULL)
		return -EBUSY;
	handle = exo_irq_bind(EXO_HANDLE(EXO_SLOT_IRQS), vcore_of(0)->handle, line, line);
	if (handle < 0)
		return (int)handle;
	irq->argument = argument;
	irq->handle = (exo_handle)handle;
	atomic_store_explicit(&irq->handler, handler, memory_order_release);
	/* A message that came before the handler was set has been dropped: attend to it now. */
	upcalls_mask();
	exo_irq_ack(irq->handle);
	handler(argument);
	upcalls_unmask();
	return 0;
}

/*
 * Why no interrupt is lost: the line is acknowledged first and the device is attended to
 * afterwards, until it is quiet.  Whatever the device raised before the acknowledgement, when an
 * edge may have gone unseen because the line was masked, is found by the handler; whatever it
 * raises later is an edge on an open line and comes as another message.
 */
void irq_message(const struct exo_message *m)
{
	uint64_t line = m->word[0];
	void (*handler)(void *argument);

	if (line >= IRQ_LINES)
		return;
	handler = atomic_load_explicit(&irqs[line].handler, memory_order_acquire);
	if (handler == NULL) {
		lines_interrupt((unsigned)line);
		return;
	}
	exo_irq_ack(irqs[line].handle);
	handler(irqs[line].argument);
}
