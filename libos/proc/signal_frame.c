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
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"

#define RED_ZONE 128
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_USER_DATA 0x1b
#define VECTOR_PAGE_FAULT 14

#define FLAG_FIXED 0x202ul /* the bit that is always set, and interrupts on */
#define FLAGS_OF_RESULTS 0x8d5ul /* OF SF ZF AF PF CF */
/* AC RF OF DF TF SF ZF AF PF CF: Linux's FIX_EFLAGS. */
#define FLAGS_OF_PROGRAM 0x50dd5ul

#define CANONICAL_END 0x800000000000ul

/* Without vector state the control words, which calls preserve, travel in a reserved field, and so
 * does the place that the call returns to. */
#define RESERVED_CONTROL_WORDS 0
#define RESERVED_CALLER 1
#define RESERVED_UNUSED 2
#define RESERVED_WORDS 8

struct signal_context {
	uint64_t flags;
	uint64_t link;
	struct { uint64_t sp; int32_t flags, pad; uint64_t size; } stack;
	struct sigcontext_64 registers;
	uint64_t mask;
};

struct signal_frame {
	uint64_t restorer;
	struct signal_context context;
	struct signal_info info;
};
_Static_assert(offsetof(struct signal_frame, context.registers) == 48, "Linux's rt_sigframe");
_Static_assert(offsetof(struct signal_frame, info) == 312, "Linux's rt_sigframe");

void signal_frame_make_full(struct task *t)
{
	if (t->entry == ENTRY_FULL)
		return;
	t->frame->cs = SELECTOR_USER_CODE;
	t->frame->ss = SELECTOR_USER_DATA;
	t->frame->rflags = FLAG_FIXED;
	t->entry = ENTRY_FULL;
}

/* Field by field, as in signal_frame_build(): a literal would be cleared first. */
static void registers_save(struct sigcontext_64 *to, const struct exo_regs *from)
{
	to->r8 = from->r8;
	to->r9 = from->r9;
	to->r10 = from->r10;
	to->r11 = from->r11;
	to->r12 = from->r12;
	to->r13 = from->r13;
	to->r14 = from->r14;
	to->r15 = from->r15;
	to->di = from->rdi;
	to->si = from->rsi;
	to->bp = from->rbp;
	to->bx = from->rbx;
	to->dx = from->rdx;
	to->ax = from->rax;
	to->cx = from->rcx;
	to->sp = from->rsp;
	to->ip = from->rip;
	to->flags = from->rflags;
	to->cs = SELECTOR_USER_CODE;
	to->gs = to->fs = 0;
	to->ss = SELECTOR_USER_DATA;
	to->err = from->error;
	to->trapno = from->vector;
}

static void registers_load(struct exo_regs *to, const struct sigcontext_64 *from)
{
	*to = (struct exo_regs){
		.r8 = from->r8, .r9 = from->r9, .r10 = from->r10, .r11 = from->r11,
		.r12 = from->r12, .r13 = from->r13, .r14 = from->r14, .r15 = from->r15,
		.rdi = from->di, .rsi = from->si, .rbp = from->bp, .rbx = from->bx,
		.rdx = from->dx, .rax = from->ax, .rcx = from->cx, .rsp = from->sp,
		.rip = from->ip,
		.rflags = FLAG_FIXED | (from->flags & FLAGS_OF_PROGRAM),
		.cs = SELECTOR_USER_CODE, .ss = SELECTOR_USER_DATA,
	};
}

/* Where the frame goes: *vector is 0 or the place of the vector state.  0 if it cannot be. */
static uint64_t frame_place(struct task *t, const struct signal_action *action, bool with_vector,
			    uint64_t *vector)
{
	uint64_t sp = t->frame->rsp;
	bool alternate = signal_on_alternate_stack(t, sp);

	if ((action->flags & SA_ONSTACK) != 0 && t->signal_stack.size != 0 && !alternate) {
		sp = t->signal_stack.sp + t->signal_stack.size;
		alternate = true;
	} else {
		sp -= RED_ZONE;
	}
	*vector = 0;
	if (with_vector) {
		sp = (sp - signal_vector_size()) & ~63ul;
		*vector = sp;
	}
	sp = ((sp - sizeof(struct signal_frame)) & ~15ul) - sizeof(uint64_t);
	/* An overflow of the alternate stack must not run into what lies below it. */
	if (alternate && !signal_on_alternate_stack(t, sp + 1))
		return 0;
	return sp < EXO_USER_TOP ? sp : 0;
}

/* All of the context but the registers that registers_save() takes over. */
static void context_fill(struct signal_context *c, const struct task *t, bool with_vector,
			 uint64_t mask_to_restore)
{
	c->flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (with_vector ? UC_FP_XSTATE : 0);
	c->link = 0;
	c->stack.sp = t->signal_stack.sp;
	c->stack.size = t->signal_stack.size;
	c->stack.flags = signal_alternate_stack_flags(t, t->frame->rsp);
	c->stack.pad = 0;
	c->mask = mask_to_restore;
	c->registers.oldmask = mask_to_restore;
	c->registers.reserved1[RESERVED_CONTROL_WORDS] = with_vector ? 0 : signal_control_words();
	c->registers.reserved1[RESERVED_CALLER] = with_vector ? 0 : t->frame->rip;
	for (int i = RESERVED_UNUSED; i < RESERVED_WORDS; i++)
		c->registers.reserved1[i] = 0;
}

/* A handler starts like any function that is called: it finds its arguments, and no other register
 * with a value that it could rely on. */
bool signal_frame_build(struct task *t, int number, const struct signal_info *info,
			const struct signal_action *action, uint64_t mask_to_restore)
{
	struct exo_regs *regs = t->frame;
	bool with_vector = t->entry == ENTRY_FULL;
	uint64_t vector, place;
	struct signal_frame frame;

	if ((action->flags & SA_RESTORER) == 0)
		return false;
	place = frame_place(t, action, with_vector, &vector);
	if (place == 0)
		return false;
	if (!with_vector)
		regs->rflags = FLAG_FIXED;
	frame.restorer = action->restorer;
	frame.info = *info;
	context_fill(&frame.context, t, with_vector, mask_to_restore);
	registers_save(&frame.context.registers, regs);
	frame.context.registers.fpstate = vector;
	frame.context.registers.cr2 = regs->vector == VECTOR_PAGE_FAULT ? info->fault.address : 0;

	if (copy_to_user(place, &frame, sizeof(frame)) != 0)
		return false;
	if (with_vector && signal_vector_save(t, vector) != 0)
		return false;
	if ((t->signal_stack.flags & SS_AUTODISARM) != 0) {
		t->signal_stack.sp = t->signal_stack.size = 0;
		t->signal_stack.flags = SS_DISABLE;
	}
	regs->rdi = (uint64_t)number;
	regs->rsi = place + offsetof(struct signal_frame, info);
	regs->rdx = place + offsetof(struct signal_frame, context);
	regs->rax = 0;
	regs->rip = action->handler;
	regs->rsp = place;
	t->entry = ENTRY_CALL;
	return true;
}

/*
 * Was the frame made for a call, and does the program want to go on where that returns to?  Then it
 * finds what a call leaves it.  If a handler has set another place (pthread_cancel() does), or flags
 * with a meaning, all registers count.
 */
static bool returns_from_call(const struct sigcontext_64 *registers)
{
	return registers->fpstate == 0 &&
	       registers->reserved1[RESERVED_CONTROL_WORDS] != 0 &&
	       registers->reserved1[RESERVED_CALLER] == registers->ip &&
	       (registers->flags & FLAGS_OF_PROGRAM & ~FLAGS_OF_RESULTS) == 0;
}

/* Takes the frame over into the task, which then leaves with these registers.  0 or -EFAULT. */
static int frame_restore(struct task *t)
{
	uint64_t address = t->frame->rsp; /* the return of the handler has used up `restorer` */
	struct signal_context context;
	const struct sigcontext_64 *registers = &context.registers;

	if (copy_from_user(&context, address, sizeof(context)) != 0)
		return -EFAULT;
	/* IRETQ faults inside the libos on an address that no program can have. */
	if (registers->ip >= CANONICAL_END)
		return -EFAULT;
	if (registers->fpstate == 0)
		signal_control_words_load(registers->reserved1[RESERVED_CONTROL_WORDS]);
	else if (signal_vector_restore(t, registers->fpstate) != 0)
		return -EFAULT;
	registers_load(t->frame, registers);
	t->entry = returns_from_call(registers) ? ENTRY_CALL : ENTRY_FULL;
	/* As on Linux, what the frame says about the alternate stack is taken if it makes sense. */
	(void)signal_alternate_stack_set(t, context.stack.sp, context.stack.size,
					 context.stack.flags, registers->sp);
	lock_acquire(&process_tree_lock);
	signal_set_blocked(t, context.mask);
	lock_release(&process_tree_lock);
	return 0;
}

/* The return value of this call is the program's RAX from before the signal: it never returns. */
long sys_rt_sigreturn(void)
{
	struct task *t = current();

	if (frame_restore(t) != 0) {
		struct signal_info info = { .number = SIGSEGV, .code = SI_KERNEL };

		t->frame->vector = 0;
		signal_force(SIGSEGV, &info);
	}
	return_to_user();
}
