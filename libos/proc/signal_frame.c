/* SPDX-License-Identifier: MIT */
/*
 * The signal frame on the program's stack, laid out as Linux does on x86-64, and the return from
 * it.  From high to low addresses:
 *
 *	red zone     128 bytes that the interrupted code may be using (not on an alternate stack)
 *	vector state 64-byte aligned XSAVE image with Linux's magic numbers; only if it is live: a
 *	             program that has called us has saved what it needs, as around any C call
 *	siginfo
 *	ucontext
 *	restorer     where the handler returns to; RSP here is 8 modulo 16, as after a call
 *
 * Nothing in the frame is trusted when it comes back: only what a program may set in its own
 * registers is taken over.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <linux/signal.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "abi/syscall.h"
#include "core/entry.h"
#include "core/switch.h"
#include "core/usercopy.h"
#include "proc/signal_frame.h"
#include "proc/signal_private.h"

#define RED_ZONE 128
#define VECTOR_PAGE_FAULT 14

#define FLAG_ZERO 0x40ul

void signal_frame_make_full(struct task *t)
{
	if (t->entry == ENTRY_FULL)
		return;
	t->frame->cs = USER_CODE_SELECTOR;
	t->frame->ss = USER_DATA_SELECTOR;
	t->frame->rflags = FLAGS_FIXED;
	t->entry = ENTRY_FULL;
}

/* For a task with an alternate stack: the highest address for the frame, and which stack it is on. */
static __attribute__((noinline)) uint64_t
stack_choose(const struct task *t, const struct signal_handling *h, uint64_t sp, bool *alternate)
{
	*alternate = signal_on_alternate_stack(t, sp);
	if ((h->flags & SA_ONSTACK) == 0 || *alternate)
		return sp - RED_ZONE;
	*alternate = true;
	return t->signal_stack.sp + t->signal_stack.size;
}

/* Where the frame goes, of a program whose stack pointer is `at`: *vector is 0 or the place of the vector
 * state.  0 if it cannot be. */
static uint64_t frame_place(const struct task *t, const struct signal_handling *h, uint64_t at,
			    bool with_vector, uint64_t *vector)
{
	uint64_t sp = at - RED_ZONE;
	bool alternate = false;

	if (t->signal_stack.size != 0)
		sp = stack_choose(t, h, at, &alternate);
	*vector = 0;
	if (with_vector) {
		sp = (sp - signal_vector_size()) & ~63ul;
		*vector = sp;
	}
	sp = ((sp - sizeof(struct signal_frame)) & ~15ul) - sizeof(uint64_t);
	/* An overflow of the alternate stack must not run into what lies below it. */
	if (alternate && !signal_within_alternate_stack(t, sp + 1))
		return 0;
	return sp <= EXO_USER_TOP - sizeof(struct signal_frame) ? sp : 0;
}

/* All that the frame has besides registers and siginfo. */
static void words_fill(struct signal_words *w, const struct task *t, const struct exo_regs *regs,
		       uint64_t vector)
{
	w->flags = SIGNAL_FLAGS_PLAIN | (vector ? UC_FP_XSTATE : 0);
	w->stack_sp = t->signal_stack.sp;
	w->stack_size = t->signal_stack.size;
	w->stack_flags = t->signal_stack.flags;
	w->vector = vector;
	w->control_words = vector ? 0 : signal_control_words();
	/* The start of a handler, on which another signal is laid, is no place that a call returns to: it
	 * has arguments. */
	w->caller = vector != 0 || regs->vector == VECTOR_HANDLER ? 0 : regs->rip;
}

/* What not every frame has.  As on Linux, siginfo is written for those who ask for it. */
static __attribute__((noinline)) bool frame_extend(struct task *t, const struct signal_info *info,
						   const struct signal_handling *h, uint64_t place,
						   uint64_t vector)
{
	if ((h->flags & SA_SIGINFO) != 0 &&
	    signal_info_write(place + offsetof(struct signal_frame, info), info) != 0)
		return false;
	if (vector != 0 && signal_vector_save(vector) != 0)
		return false;
	if ((t->signal_stack.flags & SS_AUTODISARM) != 0) {
		t->signal_stack.sp = t->signal_stack.size = 0;
		t->signal_stack.flags = SS_DISABLE;
	}
	return true;
}

extern const char mask_change_again[], mask_change[], mask_changed[], mask_looked[], mask_settle[];

/* The handler may fork, and its child comes back with another task than R8 says (core/quick.asm). */
static inline void leave_quick_mask_change(struct exo_regs *regs)
{
	bool changed = regs->rip == (uint64_t)mask_changed ? (regs->rflags & FLAG_ZERO) != 0
							    : regs->rip > (uint64_t)mask_changed;

	if (regs->rip - (uint64_t)mask_change > (uint64_t)(mask_looked - mask_change))
		return;
	if (!changed)
		regs->rip = (uint64_t)mask_change_again;
	else
		regs->rip = (uint64_t)mask_settle;
}

/* A handler starts like any function that is called: it finds its arguments, and no other register
 * with a value that it could rely on. */
static inline void handler_start(struct exo_regs *regs, const struct signal_handling *h,
				 uint64_t place)
{
	regs->rdi = (uint64_t)h->number;
	regs->rsi = place + offsetof(struct signal_frame, info);
	regs->rdx = place + offsetof(struct signal_frame, context);
	regs->rip = h->handler;
	regs->rsp = place;
	regs->vector = VECTOR_HANDLER;
}

void signal_frame_build(struct task *t, const struct signal_info *info, struct signal_handling *h)
{
	struct exo_regs *regs = t->frame;
	bool with_vector = t->entry == ENTRY_FULL;
	bool extended = with_vector || (h->flags & SA_SIGINFO) != 0 ||
			(t->signal_stack.flags & SS_AUTODISARM) != 0;
	uint64_t vector, place = 0;

	if ((h->flags & SA_RESTORER) != 0)
		place = frame_place(t, h, regs->rsp, with_vector, &vector);
	if (place == 0) {
		signal_frame_failed(t, h->number);
		return;
	}
	if (!with_vector)
		regs->rflags = FLAGS_FIXED;
	else
		leave_quick_mask_change(regs);
	words_fill(&h->words, t, regs, vector);
	h->words.fault_address = regs->vector == VECTOR_PAGE_FAULT ? info->fault.address : 0;

	if (user_frame_write((struct signal_frame *)place, regs, &h->words) != 0 ||
	    (extended && !frame_extend(t, info, h, place, vector))) {
		signal_frame_failed(t, h->number);
		return;
	}
	handler_start(regs, h, place);
	regs->rax = 0;
	t->entry = ENTRY_CALL;
}

/* Has the task had no alternate stack, so that frames say zeros?  One without a size has no address. */
static inline bool has_one_stack(const struct task *t)
{
	return (t->signal_stack.size | (uint32_t)t->signal_stack.flags) == 0;
}

void signal_frame_leave_plain(struct task *t, const struct signal_handling *h)
{
	struct exo_regs *regs = t->frame;
	uint64_t vector, place;

	if ((h->flags & (SA_RESTORER | SA_SIGINFO)) != SA_RESTORER || !has_one_stack(t))
		return;
	place = frame_place(t, h, regs->rsp, false, &vector);
	if (place == 0 || user_plain_frame_write((struct signal_frame *)place, regs, h->words.mask,
						 h->words.restorer) != 0)
		return;
	handler_start(regs, h, place);
	return_to_handler(regs);
}

static __attribute__((noinline)) int cause_write(uint64_t place, struct signal_cause cause)
{
	struct signal_info info;

	signal_info_of_fault(&info, cause);
	return signal_info_write(place + offsetof(struct signal_frame, info), &info);
}

/*
 * All registers count, the vector registers among them, and the flags.  After a store that has failed the
 * other way finds all as it was.
 *
 * Upcalls are masked until the frame is there, since `regs` may be in the vcore's page.  The user frame has
 * then what a handler starts with, and the vector registers need not survive a switch.
 */
void signal_frame_leave_fault(struct task *t, const struct exo_regs *regs, struct signal_cause cause,
			      const struct signal_handling *h)
{
	struct exo_regs *frame = t->frame;
	uint64_t vector, place, address = regs->vector == VECTOR_PAGE_FAULT ? cause.address : 0;

	if ((h->flags & SA_RESTORER) == 0 || !has_one_stack(t) || h->handler >= CANONICAL_END)
		return;
	place = frame_place(t, h, regs->rsp, true, &vector);
	if (place == 0 || user_fault_frame_write((struct signal_frame *)place, regs, h->words.mask,
						 h->words.restorer, vector, address) != 0)
		return;
	if ((h->flags & SA_SIGINFO) != 0 && cause_write(place, cause) != 0)
		return;
	if (signal_vector_save(vector) != 0)
		return;
	frame->rbp = regs->rbp; /* backtraces go on from there */
	handler_start(frame, h, place);
	t->entry = ENTRY_CALL;
	t->vector_live = false;
	upcalls_unmask();
	return_to_handler(frame);
}

/*
 * Was the frame made for a call, and does the program want to go on where that returns to?  Then it
 * finds what a call leaves it.  If a handler has set another place (pthread_cancel() does), or flags
 * with a meaning, all registers count.
 */
static bool returns_from_call(const struct signal_words *w)
{
	return w->vector == 0 && w->control_words != 0 && w->caller == w->rip &&
	       (w->rflags & FLAGS_OF_PROGRAM & ~FLAGS_OF_RESULTS) == 0;
}

/* Is the alternate stack what the frame says? */
static inline bool stack_is_same(const struct task *t, const struct signal_words *w)
{
	return w->stack_sp == t->signal_stack.sp && w->stack_size == t->signal_stack.size &&
	       w->stack_flags == t->signal_stack.flags;
}

/* As on Linux, what a frame says about the alternate stack is taken if it makes sense.  That of a task which
 * never had one makes none, so the first one that a handler sets stays.  Nearly always a frame says what
 * there is already: to set that would be refused, or change nothing. */
static inline void stack_restore(struct task *t, const struct signal_words *w)
{
	if (!stack_is_same(t, w))
		(void)signal_alternate_stack_set(t, w->stack_sp, w->stack_size, w->stack_flags, w->rsp);
}

/* Takes the frame over into the task, which then leaves with these registers.  0, and upcalls are masked
 * unless it leaves as from a call; or -EFAULT, and RSP and RIP are what they were. */
static int frame_restore(struct task *t)
{
	struct exo_regs *regs = t->frame;
	uint64_t address = regs->rsp; /* the return of the handler has used up `restorer` */
	struct signal_words words;

	if (address > EXO_USER_TOP - sizeof(struct signal_context) ||
	    user_frame_read(regs, &words, (const struct signal_context *)address) != 0)
		return -EFAULT;
	/* IRETQ faults inside the libos on an address that no program can have. */
	if (words.rip >= CANONICAL_END)
		return -EFAULT;
	if (words.vector == 0)
		signal_control_words_load(words.control_words);
	else if (signal_vector_restore(t, words.vector) != 0)
		return -EFAULT;
	regs->rsp = words.rsp;
	regs->rip = words.rip;
	regs->rflags = FLAGS_FIXED | (words.rflags & FLAGS_OF_PROGRAM);
	regs->vector = regs->error = 0; /* no call that could be restarted */
	t->entry = returns_from_call(&words) ? ENTRY_CALL : ENTRY_FULL;
	if (words.vector == 0 && t->entry == ENTRY_FULL)
		upcalls_mask();
	stack_restore(t, &words);
	signal_set_blocked(t, words.mask, false);
	return 0;
}

/* There is no frame that could be taken over.  To a handler the registers that calls preserve are then as in
 * some call before: those of this one are in nobody's hands any more. */
__attribute__((noinline)) _Noreturn void signal_frame_lost(void)
{
	struct signal_info info = { .number = SIGSEGV, .code = SI_KERNEL };

	current()->frame->vector = 0;
	signal_force(SIGSEGV, &info);
	return_to_user();
}

/* The rest of sigreturn, for any frame. */
static __attribute__((noinline, flatten)) _Noreturn void return_by_frame(struct task *t)
{
	if (frame_restore(t) != 0)
		signal_frame_lost();
	/* Its address has been looked at, and whatever work there is the way out looks for. */
	if (t->entry == ENTRY_CALL) {
		t->vector_live = false;
		return_by_call(t->frame);
	}
	return_to_user_masked();
}

/* Masked, and a page of the frame is not there any more, which can be had unmasked only; or there is work to
 * do first, which looks at the user frame. */
__attribute__((noinline)) _Noreturn void signal_frame_again(void)
{
	upcalls_unmask();
	return_by_frame(current());
}

/*
 * As above, straight, for the frame of a fault, of a task without an alternate stack.  What is to be checked
 * is read once; the general registers, which may say anything, go from where they stand into the processor.
 * If that cannot be, the user frame is what it was, and all is done again with what the signal's frame says
 * by then.
 */
static __attribute__((noinline, flatten)) _Noreturn void
return_by_fault_frame(struct task *t, const struct signal_context *from)
{
	struct signal_words words;

	if (user_fault_frame_read(&words, from) != 0 || words.vector == 0 || words.rip >= CANONICAL_END ||
	    (words.rflags & FLAGS_OF_PROGRAM & ~(uint64_t)FLAGS_BY_POPFQ) != 0 ||
	    signal_vector_restore(t, words.vector) != 0)
		return_by_frame(t);
	signal_set_blocked(t, words.mask, false);
	if (work_waits(t))
		signal_frame_again();
	words.rflags = FLAGS_FIXED | (words.rflags & FLAGS_OF_PROGRAM);
	t->vector_live = false;
	user_fault_frame_return(from, &words, t->frame);
}

/*
 * The return value of this call is the program's RAX from before the signal: it never returns.
 *
 * A plain frame that has not been changed in what is not a register needs nothing to be restored but the
 * mask, and of the registers those that a call preserves.
 */
long sys_rt_sigreturn(void)
{
	struct task *t = current();
	struct exo_regs *frame = t->frame;
	const struct signal_context *from = (const struct signal_context *)frame->rsp;
	struct signal_words words;

	if (t->entry != ENTRY_CALL || frame->rsp > EXO_USER_TOP - sizeof(*from) || !has_one_stack(t))
		return_by_frame(t);
	if (user_plain_frame_read(&words, from) != 0 || words.rip >= CANONICAL_END)
		return_by_fault_frame(t, from);
	frame->rsp = words.rsp;
	frame->rip = words.rip;
	frame->vector = 0; /* no call that could be restarted */
	signal_set_blocked(t, words.mask, false);
	user_frame_return(from, frame);
}
