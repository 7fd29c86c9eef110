/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines. A line is bound to one vcore's mailbox and interrupts that vcore's CPU, until it
 * is revoked or the vcore has ended. Its vector is fixed: VECTOR_DEVICE_FIRST + line;
 * message-signalled interrupts take the numbers from MSI_FIRST on.
 *
 * Each line has at most one message on its way or unanswered, so lines cannot fill a mailbox:
 *
 *	interrupt       EVENT is set; a level-triggered line is masked
 *	report          EVENT set, SENT clear: EVENT -> SENT, and the message is posted
 *	acknowledge     SENT is cleared, a level-triggered line is unmasked, and perhaps another report
 *
 * POSTING is held around the posting of the message.  Whoever finds it set leaves the report to
 * the holder, who looks again after clearing it: either his look comes after our change, or our
 * look after his clearing.  It also keeps the line bound, and the vcore alive, meanwhile.
 */
#include "kernel.h"
#include "calls.h"
#include "boot_info.h"

#define LINES (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)
#define MSI_FIRST 128u /* below: the IO APICs' lines */
/* Room in a mailbox is set aside for the kernel's messages (EXO_MAILBOX_RESERVED). */
#define LINES_PER_VCORE 8 /* an interrupt and a REVOKE message each */
#define MSI_ADDRESS 0xfee00000ul

enum line_state {
	LINE_TAKEN = 1 << 0, /* somebody binds it, or it is bound */
	LINE_BOUND = 1 << 1, LINE_EVENT = 1 << 2, LINE_SENT = 1 << 3, LINE_POSTING = 1 << 4,
};

struct line {
	/* Any CPU. */
	_Atomic uint32_t state;

	/* Written by who took the line, before it is BOUND. */
	struct vcore *vcore; /* holds a reference */
	uint64_t word;
	uint64_t binding;    /* counts bindings: a handle to an earlier one is stale */

	/* Under POSTING. */
	_Atomic uint64_t revoke_by; /* revoke_due() */
};

static struct line lines[LINES];

static bool is_level(unsigned line)
{
	return line < MSI_FIRST && (line >= ACPI_ISA_LINES || boot_info.acpi.isa_lines[line].level);
}

static void report(struct line *line)
{
	uint32_t number = line - lines;

	for (;;) {
		uint32_t state = atomic_load(&line->state);

		if (!(state & LINE_BOUND) || !(state & LINE_EVENT) || (state & (LINE_SENT | LINE_POSTING)))
			return;
		if (!atomic_compare_exchange_weak(&line->state, &state,
						  (state & ~LINE_EVENT) | LINE_SENT | LINE_POSTING))
			continue;
		/* Room is set aside; only a libos that spoils its own ring loses the message. */
		mailbox_post(line->vcore, EXO_MESSAGE_IRQ, line->word, number, 0);
		atomic_fetch_and(&line->state, ~LINE_POSTING);
	}
}

void irq_latch(unsigned vector)
{
	unsigned number = vector - VECTOR_DEVICE_FIRST;
	struct line *line = &lines[number];

	if (is_level(number))
		ioapic_set_mask(number, true);
	atomic_fetch_or(&line->state, LINE_EVENT);
	report(line);
}

/* ---------------------------------------------------------------- binding */

static unsigned lines_of(const struct vcore *v)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LINES; i++)
		count += (atomic_load(&lines[i].state) & LINE_BOUND) && lines[i].vcore == v;
	return count;
}

/* -> a slot for its handle, or -EBUSY, -ENOSPC.  EVENT: an interrupt that came late for an earlier
 * binding. */
static int64_t take(struct line *line, const struct vcore *vcore)
{
	uint32_t free = 0, late = LINE_EVENT;
	int64_t slot;

	if (lines_of(vcore) >= LINES_PER_VCORE)
		return -ENOSPC;
	if (!atomic_compare_exchange_strong(&line->state, &free, LINE_TAKEN) &&
	    !atomic_compare_exchange_strong(&line->state, &late, LINE_TAKEN))
		return -EBUSY;
	slot = handle_reserve(domain_current());
	if (slot < 0)
		atomic_store(&line->state, 0);
	return slot;
}

static void give_up(struct line *line, int64_t slot)
{
	handle_cancel(domain_current(), slot);
	atomic_store(&line->state, 0);
}

/* The reference to the vcore becomes the line's. */
static exo_handle bind(struct line *line, int64_t slot, struct handle_view *vcore, uint64_t word)
{
	unsigned rights = EXO_RIGHTS_ALL & ~EXO_RIGHT_REVOKE;
	exo_handle handle;

	line->vcore = vcore->vcore;
	vcore->kept = true;
	line->word = word;
	line->binding++;
	line->revoke_by = 0;
	handle = handle_fill(domain_current(), slot, OBJECT_LINE, rights, MACHINE_IRQS_FRAME,
			     line - lines, line->binding);
	atomic_fetch_or(&line->state, LINE_BOUND);
	return handle;
}

/* (IRQ handle, vcore, line, word) */
__attribute__((cold)) int64_t call_irq_bind(struct exo_regs *regs, struct handle_view *h)
{
	uint64_t number = regs->rdx;
	exo_handle handle;
	int64_t slot;
	int error;

	if (number >= MSI_FIRST)
		return -EINVAL;
	slot = take(&lines[number], h[1].vcore);
	if (slot < 0)
		return slot;
	error = ioapic_route(number, VECTOR_DEVICE_FIRST + number, cpu_by_number(h[1].vcore->cpu)->apic_id);
	if (error) {
		give_up(&lines[number], slot);
		return error;
	}
	handle = bind(&lines[number], slot, &h[1], regs->r10);
	ioapic_set_mask(number, false);
	return handle;
}

/* (IRQ handle, vcore, struct exo_msi *, word) */
__attribute__((cold)) int64_t call_msi_bind(struct exo_regs *regs, struct handle_view *h)
{
	struct exo_msi msi = { .address = MSI_ADDRESS | cpu_by_number(h[1].vcore->cpu)->apic_id << 12 };
	unsigned number = MSI_FIRST;
	int64_t slot = take(&lines[number], h[1].vcore);

	while (slot == -EBUSY && ++number < LINES)
		slot = take(&lines[number], h[1].vcore);
	if (slot < 0)
		return -ENOSPC;
	msi.data = VECTOR_DEVICE_FIRST + number;
	if (copy_to_user(regs->rdx, &msi, sizeof(msi))) {
		give_up(&lines[number], slot);
		return -EFAULT;
	}
	return bind(&lines[number], slot, &h[1], regs->r10);
}

/* (line handle) */
int64_t call_irq_ack(struct exo_regs *regs, struct handle_view *h)
{
	struct line *line = &lines[h->first];

	if (!(atomic_load(&line->state) & LINE_BOUND) || line->binding != h->count)
		return -EBADF;
	atomic_fetch_and(&line->state, ~LINE_SENT);
	if (is_level(h->first))
		ioapic_set_mask(h->first, false);
	report(line);
	return 0;
}

/* Until let_go() or unbind() the line stays bound, its vcore alive, and no interrupt is reported.  0;
 * -EBADF: it is not bound; 1: somebody else holds it, try again. */
static int hold(struct line *line)
{
	uint32_t state = atomic_load(&line->state);

	do {
		if (!(state & LINE_BOUND))
			return -EBADF;
		if (state & LINE_POSTING)
			return 1;
	} while (!atomic_compare_exchange_weak(&line->state, &state, state | LINE_POSTING));
	return 0;
}

static void let_go(struct line *line)
{
	atomic_fetch_and(&line->state, ~LINE_POSTING);
	report(line); /* what came meanwhile was left to us */
}

static void unbind(struct line *line)
{
	struct vcore *vcore = line->vcore;

	atomic_store(&line->state, LINE_TAKEN);
	if (line < &lines[MSI_FIRST])
		ioapic_set_mask(line - lines, true);
	line->vcore = NULL;
	object_put(&vcore->object);
	atomic_store(&line->state, 0);
}

bool irq_unbind_vcore(const struct vcore *v)
{
	bool all = true;

	for (unsigned i = 0; i < LINES; i++) {
		struct line *line = &lines[i];

		if (!(atomic_load(&line->state) & LINE_BOUND) || line->vcore != v)
			continue;
		if (hold(line))
			all = false;
		else if (line->vcore == v)
			unbind(line);
		else
			let_go(line);
	}
	return all;
}

int64_t irq_revoke(const struct handle_view *h, uint64_t deadline_tsc)
{
	struct line *line = &lines[h->first];
	struct revoked what = { EXO_REVOKED_LINE, h->first, 0 };
	int64_t result = hold(line);
	bool is_own;

	if (result)
		return result;
	is_own = line->vcore->object.owner == domain_current();
	if (line->binding != h->count)
		result = -EBADF;
	else if (!is_own && !(h->rights & EXO_RIGHT_MANAGE))
		result = -EPERM;
	else if (!is_own && !revoke_due(&line->revoke_by, line->vcore, &what, deadline_tsc))
		result = 1;
	if (result)
		let_go(line);
	else
		unbind(line);
	return result;
}
