/* SPDX-License-Identifier: MIT */
/*
 * Entering the libos.
 *
 *	                     unmasked                         masked
 *	event       save in page->event, event entry   set the pending bit, go on
 *	 in resume range  pending bit, RIP = start     (the range clears masked first, so: the same)
 *	fault       save in page->fault, fault entry   page->fault_masked, fault-while-masked entry
 *	a second fault while masked, before the libos
 *	has put page->cause back to 0                  kills the domain
 *
 * The vcore page is pinned and reached through the kernel's own mapping, so nothing here can
 * fault.  The libos shares it: each field is read once, and whatever it says harms only the libos.
 */
#include "kernel.h"

/* Status of a domain that the kernel had to end: what SIGSEGV would have given it (128 + 11). */
#define STATUS_UNHANDLED_FAULT 139

void vcore_new_token(struct vcore *vcore)
{
	vcore->token++;
	__atomic_store_n(&vcore->page->token, vcore->token, __ATOMIC_RELAXED);
}

/* Points a frame at one of the libos's entries; RSP as after a CALL.  Other registers stay. */
static void enter(struct vcore *vcore, struct exo_regs *regs, uint64_t entry, uint64_t stack_top)
{
	regs->rip = entry;
	regs->rsp = (stack_top & ~15ul) - 8;
	regs->rdi = EXO_VCORE_BASE + vcore->cpu * EXO_VCORE_STRIDE;
	regs->rflags = RFLAGS_FIXED | RFLAGS_IF;
	regs->cs = SELECTOR_USER_CODE;
	regs->ss = SELECTOR_USER_DATA;
	vcore_new_token(vcore);
	this_cpu()->stats.upcalls++;
}

static void mask(struct vcore *vcore)
{
	__atomic_store_n(&vcore->page->masked, 1, __ATOMIC_RELAXED);
}

static void enter_event(struct vcore *vcore, struct exo_regs *regs)
{
	vcore->page->event = *regs;
	vcore->page->upcalls++;
	mask(vcore);
	enter(vcore, regs, vcore->object.owner->entries.event, vcore->stack_top);
}

static void enter_fault_masked(struct vcore *vcore, struct exo_regs *regs, enum exo_cause cause,
			       uint64_t address)
{
	struct exo_vcore_page *page = vcore->page;

	page->fault_masked = *regs;
	page->fault_masked_address = address;
	__atomic_store_n(&page->cause, cause, __ATOMIC_RELAXED);
	enter(vcore, regs, vcore->object.owner->entries.fault_masked, vcore->fault_stack_top);
}

struct exo_regs *fault_entry(struct exo_regs *regs, uint64_t address)
{
	struct cpu *cpu = this_cpu();
	struct vcore *vcore = cpu->current;
	struct exo_vcore_page *page = vcore->page;
	struct domain *domain = vcore->object.owner;

	if (user_iret_repair(regs))
		return run_exit(regs);
	trace("fault", regs->vector, regs->rip);
	cpu->stats.faults++;
	page->faults++;
	if (!vcore_is_masked(vcore)) {
		page->fault = *regs;
		page->fault_address = address;
		mask(vcore);
		enter(vcore, regs, domain->entries.fault, vcore->stack_top);
	} else if (!__atomic_load_n(&page->cause, __ATOMIC_RELAXED)) {
		enter_fault_masked(vcore, regs, EXO_CAUSE_FAULT, address);
	} else {
		kprintf("exo: domain %u, cpu %u: fault %lu (error 0x%lx) at rip 0x%lx, address 0x%lx, "
			"while handling another\n", domain->id, cpu->number, regs->vector,
			regs->error, regs->rip, address);
		domain_die(domain, STATUS_UNHANDLED_FAULT);
	}
	return run_exit(regs);
}

/* The libos did not get out of the overrun entry either: all that is left is to tell on it. */
static void report_overrun(struct vcore *vcore)
{
	struct domain *domain = vcore->object.owner;

	/* Who has no room for it is told the next time. */
	if (vcore->overrun_reported ||
	    (domain->parent_vcore &&
	     mailbox_post(domain->parent_vcore, EXO_MESSAGE_OVERRUN, domain->id, vcore->cpu, 0)))
		return;
	vcore->overrun_reported = true;
	kprintf("exo: domain %u, cpu %u: masked for too long, twice\n", domain->id, vcore->cpu);
}

/* A libos that has put `cause` back to 0 is on its way out of the entry, but still on its stack: to
 * enter it at the top again would destroy what it is about to go on with.  Its next turn comes. */
static bool is_on_fault_stack(const struct vcore *vcore, const struct exo_regs *regs)
{
	return vcore->fault_stack_top - regs->rsp < EXO_PAGE_SIZE;
}

/*
 * Watches for an upcall that stays pending while the vcore stays masked, by the vcore's own CPU
 * time.  upcall_deliver() starts the wait anew whenever `pending` was 0 before it set a bit, so a
 * libos that takes its events in time is never forced, however often it happens to be masked here.
 */
static void force_if_stuck(struct vcore *vcore, struct exo_regs *regs, uint64_t limit)
{
	struct exo_vcore_page *page = vcore->page;

	if (!__atomic_load_n(&page->pending, __ATOMIC_RELAXED) || !vcore_is_masked(vcore)) {
		vcore->stuck = false;
		vcore->overrun_reported = false;
		return;
	}
	if (!vcore->stuck) {
		vcore->stuck = true;
		vcore->stuck_since = vcore->cpu_time;
		return;
	}
	if (vcore->cpu_time - vcore->stuck_since < limit)
		return;

	vcore->stuck_since = vcore->cpu_time;
	if (__atomic_load_n(&page->cause, __ATOMIC_RELAXED)) {
		report_overrun(vcore);
	} else if (!is_on_fault_stack(vcore, regs)) {
		page->forced++;
		enter_fault_masked(vcore, regs, EXO_CAUSE_OVERRUN, 0);
	}
}

uint64_t upcall_patience(const struct vcore *vcore, uint64_t limit)
{
	uint64_t waited = vcore->cpu_time - vcore->stuck_since;

	if (!vcore->stuck)
		return VCORE_NEVER;
	return waited < limit ? limit - waited : 0;
}

void upcall_deliver(struct vcore *vcore, struct exo_regs *regs, uint64_t limit)
{
	const struct exo_entries *entries = &vcore->object.owner->entries;

	if (vcore->events) {
		/* Release: the events' causes (messages) are written before the bit is seen. */
		if (!__atomic_fetch_or(&vcore->page->pending, vcore->events, __ATOMIC_RELEASE))
			vcore->stuck = false;
		vcore->events = 0;
		/*
		 * Why no event waits behind a resume: in the restartable range the libos clears
		 * masked, looks at pending and returns.  We run on the same CPU, so either it has
		 * not cleared masked yet and will look after it has, or it is unmasked in the
		 * range, and going back to the start makes it look again.
		 */
		if (!vcore_is_masked(vcore)) {
			if (regs->rip >= entries->resume_start && regs->rip < entries->resume_end)
				regs->rip = entries->resume_start;
			else
				enter_event(vcore, regs);
		}
	}
	force_if_stuck(vcore, regs, limit);
}

void upcall_first_entry(struct vcore *vcore, struct exo_regs *regs)
{
	*regs = (struct exo_regs){ 0 };
	mask(vcore);
	__atomic_fetch_or(&vcore->page->pending, EXO_EVENT_START, __ATOMIC_RELEASE);
	enter(vcore, regs, vcore->object.owner->entries.event, vcore->stack_top);
}
