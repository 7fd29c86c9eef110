; SPDX-License-Identifier: MIT
;
; Calling a scheduler library's callback so that it can be abandoned in the middle.

; The order of struct sched_guard (sched/guard.h).
%define GUARD_STACK_POINTER 0
%define GUARD_STACK_TOP 8

section .text

; struct sched_run sched_guarded_call(struct sched_guard *g, void *callback, uint64_t a, uint64_t b,
;                                     uint64_t c)
;
; Returns callback(a, b, c), in RAX and RDX.  It runs on the guard's own stack.  While it does,
; g->stack_pointer says where to return to if it must be abandoned; then the result is 0 and
; g->failed is set.
global sched_guarded_call
sched_guarded_call:
	push rbp
	mov rbp, rsp
	push rbx
	push r12
	push r13
	push r14
	push r15
	push rdi
	mov rbx, rdi
	mov [rbx + GUARD_STACK_POINTER], rsp
	mov rsp, [rbx + GUARD_STACK_TOP]
	mov rax, rsi
	mov rdi, rdx
	mov rsi, rcx
	mov rdx, r8
	call rax
	cld ; as the C that goes on here expects
	mov rsp, [rbx + GUARD_STACK_POINTER]
.return:
	pop rdi
	mov qword [rdi + GUARD_STACK_POINTER], 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; Where a callback that is abandoned goes on, with RSP = g->stack_pointer.
global sched_guard_return
sched_guard_return:
	cld
	xor eax, eax
	xor edx, edx
	jmp sched_guarded_call.return
