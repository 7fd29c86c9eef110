/* SPDX-License-Identifier: MIT */
/*
 * What one CPU wants of a vcore on another: events for its libos, requests for its kernel.
 *
 *	cpu->run.rung -> vcore -> vcore -> NULL		pushed by any CPU, taken as a whole
 *	                  .latched  .latched		by the vcores' own
 *
 * There is nothing to allocate and nothing that can overflow: what is wanted is a bit in the
 * vcore, and the link is in the vcore too.
 *
 * Why nothing latched is ever forgotten.  A vcore is in the stack while `latched` is not 0: the
 * CPU that changes it from 0 pushes it, and its own CPU takes it out before it sets it to 0 again.
 * Whoever finds it already set need do nothing: it is in the stack, and its CPU will read the new
 * bit together with the old ones.  In the same way the interrupt is sent only by the CPU that
 * finds the stack empty, because the one that did so before has sent one that its owner has not
 * answered by taking the stack; and the owner takes the stack on every way out to ring 3 and
 * before it sleeps, with interrupts off, so an interrupt sent after its last look is taken as
 * soon as it is in ring 3, or wakes it.
 */
#include "kernel.h"

/* The local APIC may be busy with the previous interrupt for a moment. */
#define KICK_TRIES 1000

void cpu_interrupt(const struct cpu *target, unsigned vector)
{
	unsigned tries = 0;

	if (debug_interrupt_lost(target, vector))
		return;
	while (!lapic_send(target->apic_id, vector) && tries++ < KICK_TRIES)
		cpu_pause();
	this_cpu()->stats.ipis_sent++;
}

void vcore_ring(struct vcore *vcore, uint64_t bits)
{
	struct cpu *here = this_cpu(), *target = cpu_by_number(vcore->cpu);
	struct vcore *first;

	/* Acquire: the vcore has left the stack, and its link is ours to write.  Release: what
	 * the bits announce (a message, a bind request) is seen by who takes them. */
	if (atomic_fetch_or_explicit(&vcore->latched, bits, memory_order_acq_rel))
		return;

	first = atomic_load_explicit(&target->run.rung, memory_order_relaxed);
	do {
		vcore->rung_next = first;
	} while (!atomic_compare_exchange_weak_explicit(&target->run.rung, &first, vcore,
							memory_order_release, memory_order_relaxed));
	if (target == here)
		here->run.attention = true;
	else if (!first)
		cpu_interrupt(target, VECTOR_RESCHEDULE);
}
