/* SPDX-License-Identifier: MIT */
/*
 * int sigaction(int sig, const struct sigaction *sa, struct sigaction *old);
 *
 * Of most that set a handler there is nothing to note that has not been noted before (__actions_noted,
 * sigaction.c): then the libos changes the action where we stand (libos/core/quick.asm).  With anything else,
 * and where the libos wants to be asked by number, it is __sigaction_by_number().
 */
#include "exo_call.h"

/* struct sigaction, as sigaction.c asserts. */
#define HANDLER 0
#define MASK 8
#define FLAGS 136

#define SIGNALS 64

/* Linux's flags. */
#define SA_RESTORER 0x04000000
#define SA_RESTART 0x10000000

/* The action at rsi is set, and r8, r9 and r10 are the old one's words; or, as if nothing had been done, to
 * `by_number`.  rdx is lost. */
.macro set_quickly by_number
	lea -1(%rdi), %ecx
	cmp $SIGNALS, %ecx
	jae \by_number
	mov FLAGS(%rsi), %r9d
	mov __actions_noted(%rip), %rax
	bt %rcx, %rax
	jnc 2f
1:	mov HANDLER(%rsi), %r8
	mov MASK(%rsi), %r10
	or $SA_RESTORER, %r9d
	lea __restore_rt(%rip), %r11
	movabs $EXO_QUICK_SIGACTION, %rcx
	call *%rcx
	test %eax, %eax
	jnz \by_number
	.subsection 1
2:	test $SA_RESTART, %r9d
	jz \by_number
	mov __actions_noted + 8(%rip), %rax
	bt %rcx, %rax
	jc 1b
	jmp \by_number
	.subsection 0
.endm

.text
.hidden __sigaction_by_number, __restore_rt, __actions_noted
.global __sigaction
.type __sigaction, @function
__sigaction:
	test %rsi, %rsi
	jz __sigaction_by_number
	test %rdx, %rdx
	jnz tell_old
	set_quickly set_by_number
	ret
set_by_number:
	xor %edx, %edx
	jmp __sigaction_by_number

tell_old:
	push %rdx
	set_quickly tell_old_by_number
	pop %rdx
	mov %r8, HANDLER(%rdx)
	mov %r9d, FLAGS(%rdx)
	mov %r10, MASK(%rdx)
	ret
tell_old_by_number:
	pop %rdx
	jmp __sigaction_by_number

.weak sigaction
.set sigaction, __sigaction
