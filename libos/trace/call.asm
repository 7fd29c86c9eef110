; SPDX-License-Identifier: MIT
;
; What the entry stubs call in place of every system call while tracing is on.

%include "offsets.inc"

extern syscall_table, call_exit_start, trace_call_begins, trace_call_ends

section .text

; long trace_call(...): RAX = number, arguments in registers as for the function itself, the task's
; user frame above the return address, where framed_* look for it.
;
; So the function is entered with the stack as it is, and a return address of ours.  From there both
; doors' way out is call_exit_start, which tells them apart by task->entry.
global trace_call

trace_call:
	push rax
	push rdi
	push rsi
	push rdx
	push rcx
	push r8
	push r9
	mov rsi, rdi
	mov rdi, rax
	call trace_call_begins
	pop r9
	pop r8
	pop rcx
	pop rdx
	pop rsi
	pop rdi
	pop rax
	lea r11, [rel trace_call_done]
	mov [rsp], r11
	lea r11, [rel syscall_table]
	jmp [r11 + rax * 8]

trace_call_done:
	push rax
	sub rsp, 8                      ; aligned to 16
	mov rdi, rax
	call trace_call_ends
	add rsp, 8
	pop rax
	jmp call_exit_start
