/* SPDX-License-Identifier: MIT */
/* The signal frame on the program's stack; core/usercopy.asm writes and reads it there. */
#ifndef LIBOS_SIGNAL_FRAME_H
#define LIBOS_SIGNAL_FRAME_H

#include <asm/sigcontext.h>
#include <exo/abi.h>
#include <stddef.h>
#include <stdint.h>
#include "proc/signal.h"

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
	uint8_t info[128]; /* siginfo_t: signal_info.c */
};
_Static_assert(offsetof(struct signal_frame, context.registers) == 48, "Linux's rt_sigframe");
_Static_assert(offsetof(struct signal_frame, info) == 312, "Linux's rt_sigframe");

/* What the context has besides the registers.  Without vector state the control words, which calls preserve,
 * travel in a reserved field, and so does the place that the call returns to. */
struct signal_words {
	uint64_t stack_sp, stack_size;
	int32_t stack_flags, pad;
	uint64_t mask, vector; /* `vector`: where the vector state is, 0 if there is none */
	uint64_t control_words, caller;
	uint64_t restorer, flags, fault_address; /* only written */
	uint64_t rip, rsp, rflags;               /* only read */
};

/* The frame but for siginfo; 0 or -EFAULT.  The whole of it is below EXO_USER_TOP. */
int user_frame_write(struct signal_frame *to, const struct exo_regs *regs,
		     const struct signal_words *words);
/* The general registers go into *regs, but RSP, RIP and RFLAGS into *words: whoever asks looks at them
 * first.  After -EFAULT some registers have been changed. */
int user_frame_read(struct exo_regs *regs, struct signal_words *words,
		    const struct signal_context *from);

/*
 * A plain frame is one that is made in a call for a handler that does not ask for siginfo, by a task without
 * an alternate stack: it has no vector state and is of no fault.
 *
 * write  all of it, RIP of the registers being where the call returns to; 0 or -EFAULT
 * read   0: it is plain, and returns there with the control words that there are and no flags that have a
 *        meaning; RIP, RSP and the mask are in *words, each looked at once.  Else -EFAULT
 */
int user_plain_frame_write(struct signal_frame *to, const struct exo_regs *regs, uint64_t mask,
			   uint64_t restorer);
int user_plain_frame_read(struct signal_words *words, const struct signal_context *from);
/* The frame of a fault, but for siginfo and vector state, of a task without an alternate stack; 0 or
 * -EFAULT. */
int user_fault_frame_write(struct signal_frame *to, const struct exo_regs *regs, uint64_t mask,
			   uint64_t restorer, uint64_t vector, uint64_t address);
/* What such a frame has besides general registers and control words, each read once; -EFAULT also if it
 * names an alternate stack. */
int user_fault_frame_read(struct signal_words *words, const struct signal_context *from);
#define SIGNAL_FLAGS_FAULT (SIGNAL_FLAGS_PLAIN | UC_FP_XSTATE)
#define SIGNAL_FLAGS_PLAIN (UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS)

#define FLAGS_FIXED 0x202ul      /* the bit that is always set, and interrupts on */
#define FLAGS_OF_RESULTS 0x8d5ul /* OF SF ZF AF PF CF */
#define FLAGS_OF_PROGRAM 0x50dd5ul /* AC RF OF DF TF SF ZF AF PF CF: Linux's FIX_EFLAGS */

/* Leaves like return_by_call(), with RAX and what a call preserves from `from`, and RIP and RSP from the user
 * frame; or in signal_frame_lost(), on the task's empty stack. */
_Noreturn void user_frame_return(const struct signal_context *from, struct exo_regs *frame);
_Noreturn void signal_frame_lost(void);
/* Leaves like registers_resume(), masked, with the general registers from `from`, and RIP, RSP and RFLAGS,
 * which POPFQ can set, from *words.  All of them are in the user frame if an event is found pending; or in
 * signal_frame_again(), on the task's empty stack, the user frame is what it was. */
_Noreturn void user_fault_frame_return(const struct signal_context *from, const struct signal_words *words,
				       struct exo_regs *frame);
_Noreturn void signal_frame_again(void);

#define VECTOR_FEATURE_X87 1ul
#define VECTOR_FEATURE_SSE 2ul
#define VECTOR_FEATURE_AVX 4ul
#define MXCSR_VALID 0xffffu /* the others are reserved: loading them faults */

/* The vector registers in an image, described as a program expects it; 0 or -EFAULT.  All of it, size + 4
 * bytes, is below EXO_USER_TOP, and it is 64-byte aligned. */
int user_vector_save(struct _xstate *to, uint64_t features, uint32_t size);
/* Loads the vector registers from an image like that; -EFAULT, with anything in them, if it cannot be read,
 * is not described like that, or is none that the processor takes. */
int user_vector_load(const struct _xstate *from, uint64_t features, uint32_t size);

#endif
