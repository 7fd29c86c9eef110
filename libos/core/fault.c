/* SPDX-License-Identifier: MIT */
/*
 * Processor exceptions in ring 3.
 *
 *	where                    what happens
 *	program                  vm_fault(), or a signal: at once, still masked, if the access is refused
 *	libos, not masked        in a user copy: vm_fault(), or the copy's error return;
 *	                         else a libos bug
 *	libos, masked            in a user copy: its error return; in a scheduler library's callback:
 *	                         the library is ejected; else a libos bug
 *
 * A user copy that loads vector state may find there what the processor does not take: that is a general
 * protection fault, and its error return as well.
 *
 * The kernel has one area for the registers of each kind, so before upcalls are unmasked they are moved to
 * the task's own stack, where the fault may be dealt with by code that sleeps and faults again.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include "abi/errno.h"
#include "core/entry.h"
#include "core/event.h"
#include "core/image.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "sched/guard.h"
#include "trace/trace.h"
#include "vm/vm.h"

#define FLAG_TRAP 0x100ul
#define VECTOR_DEBUG 1
#define VECTOR_PROTECTION 13
#define VECTOR_PAGE_FAULT 14
#define VECTORS 32

/*
 * OVERRUNs in a row before they count: a virtual CPU's host may have been busy elsewhere while the
 * clock went on, so that one says little.  A callback answers for its own only; as what ran before it may
 * have used up the limit, its first may come at once, and its third comes when the limit has passed twice.
 */
#define OVERRUNS_IN_CALLBACK_MAX 3
#define OVERRUNS_MAX 50


/* ---- programs */

/* Exceptions other than page faults; all others are SIGSEGV. */
static const struct {
	uint8_t signal, code;
	bool at_instruction; /* the signal's address is that of the instruction */
} signals[VECTORS] = {
	[0] = { SIGFPE, FPE_INTDIV, true },
	[1] = { SIGTRAP, TRAP_TRACE, true },
	[3] = { SIGTRAP, SI_KERNEL, false }, /* as on Linux */
	[6] = { SIGILL, ILL_ILLOPN, true },
	[12] = { SIGBUS, 0, false },
	[16] = { SIGFPE, FPE_FLTINV, true },
	[17] = { SIGBUS, BUS_ADRALN, false },
	[19] = { SIGFPE, FPE_FLTINV, true },
};

static struct signal_cause page_fault_cause(int error, uint64_t address)
{
	if (error == -EIO)
		return (struct signal_cause){ SIGBUS, BUS_ADRERR, address };
	return (struct signal_cause){ SIGSEGV, error == -EACCES ? SEGV_ACCERR : SEGV_MAPERR, address };
}

static struct signal_cause exception_cause(const struct exo_regs *regs)
{
	uint64_t vector = regs->vector;

	if (vector >= VECTORS || !signals[vector].signal)
		return (struct signal_cause){ SIGSEGV, SI_KERNEL, 0 };
	return (struct signal_cause){ signals[vector].signal, signals[vector].code,
				      signals[vector].at_instruction ? regs->rip : 0 };
}

/* A page fault that is no signal, or not yet: the result of vm_fault().  `begun` is that of its beginning.
 * Upcalls are unmasked meanwhile, and the registers in the user frame from here on. */
static __attribute__((noinline)) int page_serve(struct task *t, const struct exo_regs *regs, int begun,
						struct mapping *m, uint64_t address)
{
	struct vm *vm = t->process->vm;
	uint64_t code = regs->error;
	int error;

	interrupted_save_program(t, regs);
	upcalls_unmask();
	error = begun ? vm_fault(vm, address, code) : vm_fault_go_on(vm, m, address, code);
	if (error == -ENOMEM)
		signal_force(SIGKILL, NULL);
	if (error == 0 || error == -ENOMEM)
		return_to_user();
	upcalls_mask();
	return error;
}

static __attribute__((noinline)) _Noreturn void exception_fault(struct task *t, const struct exo_regs *regs)
{
	signal_fault(t, regs, exception_cause(regs));
}

/*
 * On the task's own, empty stack, masked.  The registers are in the vcore's page, where nothing changes them
 * as long as we are masked: a fault meanwhile, in a user copy, has another place.  If it becomes a signal
 * they go nowhere else but into the signal's frame.
 */
static __attribute__((flatten)) void program_fault(uint64_t place)
{
	const struct exo_vcore_page *page = (const struct exo_vcore_page *)place;
	const struct exo_regs *regs = &page->fault;
	uint64_t address = page->fault_address;
	struct task *t = current();
	struct mapping *m = NULL;
	int error;

	if (regs->vector != VECTOR_PAGE_FAULT)
		exception_fault(t, regs);
	error = vm_fault_begin(t->process->vm, address, regs->error, &m);
	if (error == 0 || error == -EAGAIN) {
		error = page_serve(t, regs, error, m, address);
		regs = t->frame; /* we may be on another CPU */
	}
	signal_fault(t, regs, page_fault_cause(error, address));
}

static uint64_t fixup_find(const struct exo_regs *regs, uint64_t address);

/*
 * The same for a program that runs code of ours as its own (core/quick.asm), with the registers in the user
 * frame: it may go on where that code says.
 */
static void quick_call_fault(uint64_t unused)
{
	struct task *t = current();
	uint64_t address = t->fault_address, fixup = 0;
	struct signal_cause cause;
	int error = -EFAULT;

	upcalls_unmask();
	if (t->frame->vector == VECTOR_PAGE_FAULT) {
		error = vm_fault(t->process->vm, address, t->frame->error);
		fixup = error && libos_text_contains(t->frame->rip) ? fixup_find(t->frame, address) : 0;
		cause = page_fault_cause(error, address);
	} else {
		cause = exception_cause(t->frame);
	}
	if (fixup)
		t->frame->rip = fixup;
	else if (error == -ENOMEM)
		signal_force(SIGKILL, NULL);
	else if (error)
		signal_fault_queue(t, cause);
	return_to_user();
}

/* ---- libos code */

struct fixup {
	uint64_t start, end, continuation;
};

extern const struct fixup libos_ex_table_start[], libos_ex_table_end[];

/* The error return of the user copy that has made a fault; 0: it is no such fault. */
static uint64_t fixup_find(const struct exo_regs *regs, uint64_t address)
{
	if (regs->vector == VECTOR_PAGE_FAULT ? address >= EXO_USER_TOP : regs->vector != VECTOR_PROTECTION)
		return 0;
	for (const struct fixup *f = libos_ex_table_start; f < libos_ex_table_end; f++)
		if (regs->rip >= f->start && regs->rip < f->end)
			return f->continuation;
	return 0;
}

/*
 * A program that steps through itself (the trap flag) has called us, and steps through us too.  Its
 * own instructions trap as it wants, ours do not: the flag stays off from here on.  To be asked
 * before interrupted_program(), which would start the entry again at each of its steps.
 */
static bool stop_stepping(struct exo_regs *regs)
{
	if (regs->vector != VECTOR_DEBUG || !(regs->rflags & FLAG_TRAP) ||
	    !libos_text_contains(regs->rip))
		return false;
	regs->rflags &= ~FLAG_TRAP;
	return true;
}

static _Noreturn void bug(const char *what, const struct exo_regs *regs, uint64_t address)
{
	libos_panic_with_regs(regs, "%s: exception %lu (error %lx), address %lx", what,
			      regs->vector, regs->error, address);
}

/* On the task's own stack, right below the registers, masked. */
static void libos_fault(uint64_t place)
{
	struct exo_regs *regs = (struct exo_regs *)place;
	struct task *t = current();
	uint64_t address = t->fault_address;
	uint64_t fixup = fixup_find(regs, address);

	if (!fixup || !t->process)
		bug("libos", regs, address);
	upcalls_unmask();
	if (regs->vector != VECTOR_PAGE_FAULT || vm_fault(t->process->vm, address, regs->error) != 0)
		regs->rip = fixup;
	upcalls_mask();
	registers_resume(regs);
}

/* At an instruction of the libos, though it may be part of a door; or where no program has any. */
static __attribute__((noinline)) _Noreturn void fault_inside(struct task *t, struct exo_regs *regs)
{
	struct exo_regs *place;
	bool program;

	/* IRETQ to the program, which return_to_user() has made sure cannot fault. */
	if (regs->rip >= (uint64_t)resume_start && regs->rip < (uint64_t)resume_end)
		bug("resume", regs, t->fault_address);
	if (stop_stepping(regs))
		registers_resume(regs);
	program = interrupted_program(t, regs);
	place = interrupted_save(t, regs, program);
	switch_stack(program ? quick_call_fault : libos_fault, (uint64_t)place, (uint64_t)place);
}

/* What is rare, kept apart so that the rest needs no register afterwards. */
static __attribute__((noinline)) _Noreturn void fault_unusual(struct vcore *v, struct exo_vcore_page *page)
{
	struct task *t = v->current;

	trace(v, TRACE_FAULT, t ? t->self.id : 0, 0, page->fault.vector, page->fault_address);
	if (!t)
		bug("no task", &page->fault, page->fault_address);
	if (page->fault.rip >= EXO_USER_TOP) {
		t->fault_address = page->fault_address;
		fault_inside(t, &page->fault);
	}
	switch_stack(program_fault, (uint64_t)t->frame, (uint64_t)page);
}

_Noreturn void fault_upcall(struct exo_vcore_page *page)
{
	struct vcore *v = this_vcore();
	struct task *t = v->current;

	v->mask_depth = 1;
	v->stats.faults++;
	if (__builtin_expect(v->traced || !t || page->fault.rip >= EXO_USER_TOP, false))
		fault_unusual(v, page);
	switch_stack(program_fault, (uint64_t)t->frame, (uint64_t)page);
}

/* ---- masked */

/* A callback may be abandoned only in its own code: in the core's, which it may have called, a lock
 * could be held, and would be for ever.  Callbacks start at mask depth 1, and locks raise it; but
 * for lock_acquire_masked(), which only who sleeps comes to, and no callback may sleep. */
static bool may_abandon(const struct vcore *v)
{
	return v->queue.guard.stack_pointer != 0 && v->mask_depth == 1;
}

static void masked_overrun(struct vcore *v, struct exo_regs *regs)
{
	struct sched_guard *g = &v->queue.guard;

	v->stats.overruns++;
	if (may_abandon(v)) {
		if (++g->overruns >= OVERRUNS_IN_CALLBACK_MAX)
			guard_abandon(g, regs, SCHED_EXIT_OVERRUN, 0);
	} else if (++v->overruns >= OVERRUNS_MAX) {
		bug("masked for too long", regs, 0);
	}
}

static void masked_exception(struct vcore *v, struct exo_regs *regs, uint64_t address)
{
	uint64_t fixup = fixup_find(regs, address);

	v->stats.masked_faults++;
	trace(v, TRACE_FAULT, v->current ? v->current->self.id : 0, 1, regs->vector, address);
	if (stop_stepping(regs))
		return;
	if (fixup)
		regs->rip = fixup;
	else if (may_abandon(v))
		guard_abandon(&v->queue.guard, regs, SCHED_EXIT_FAULT, address);
	else
		bug("libos, masked", regs, address);
}

/* On the fault stack.  A second fault is allowed from the store to `cause` on: it would start at
 * the top of this stack again, so there must be none before the registers are resumed. */
_Noreturn void fault_masked_upcall(struct exo_vcore_page *page)
{
	struct vcore *v = this_vcore();
	struct exo_regs regs = page->fault_masked;
	uint64_t address = page->fault_masked_address;
	uint32_t cause = page->cause;

	page->cause = 0;
	if (cause == EXO_CAUSE_OVERRUN)
		masked_overrun(v, &regs);
	else
		masked_exception(v, &regs, address);
	registers_resume_masked(&regs);
}
