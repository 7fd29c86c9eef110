; SPDX-License-Identifier: MIT
;
; Leaving a task's stack, and entering another's.
;
; What lies at task->stack_pointer while a task does not run is always the same, whatever made it
; stop:
;
;	r15 r14 r13 r12 rbx rbp     callee-saved registers
;	return address              where it goes on, masked, mask depth 1
;
; A voluntary switch returns to its caller.  A task that was preempted, or is new, returns to one of
; the routines below.

%include "offsets.inc"

extern switch_next, task_begin, return_to_user_masked, registers_resume

section .text

; void switch_leave(struct vcore *v, struct task *t, enum sched_why why)
;
; Saves the context of t, whose stack this is, and decides on the event stack of v what is next.  Returns when
; t is run again, perhaps on another CPU.  Masked, mask depth 1, before and after.
global switch_leave
switch_leave:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rsi + TASK_STACK_POINTER], rsp
	mov rsp, rdi                    ; its event stack begins there
	xor ebp, ebp
	call switch_next                ; (v, t, why): returns if the CPU has been handed over
	mov rdi, [rax + TASK_STACK_POINTER]

; _Noreturn void switch_enter(uint64_t stack_pointer)
global switch_enter
switch_enter:
	mov rsp, rdi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; _Noreturn void switch_stack(void (*function)(uint64_t), uint64_t stack_pointer, uint64_t argument)
;
; Calls function(argument) on another stack, for good.  stack_pointer is 16-byte aligned.
global switch_stack
switch_stack:
	mov rsp, rsi
	mov rax, rdi
	mov rdi, rdx
	xor ebp, ebp
	call rax
	ud2

; Where a new task goes on: R12 = its function, R13 = the argument.
global switch_to_new
switch_to_new:
	mov rdi, r12
	mov rsi, r13
	xor ebp, ebp
	call task_begin                 ; does not return

; Where a task goes on that was preempted in its program: the registers are in the user frame, at
; RSP.
global switch_to_program
switch_to_program:
	xor ebp, ebp
	call return_to_user_masked      ; does not return

; Where a task goes on that was preempted in libos code: the registers are at RSP.
global switch_to_preempted
switch_to_preempted:
	mov rdi, rsp
	jmp registers_resume
