; SPDX-License-Identifier: MIT
; The entries of the test domain.  It stays masked all the time and looks at `pending` itself, so
; an event entry happens once per vcore, and faults come to the fault-while-masked entry.
bits 64

extern test_vcore, test_fault

global text_start, event_entry, fault_entry, fault_masked_entry, foreign_entry
global resume_start, resume_end, touch_read, touch_write, touch_end, touch_faulted, far_return, far_return_end
global foreign_call, foreign_return

section .text.first
text_start:

event_entry:
fault_entry:
	call test_vcore			; RDI = the page; does not return
	ud2

fault_masked_entry:
	call test_fault			; RDI = the page; returns the frame to go on with
	mov rsp, rax
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
	add rsp, 16
resume_start:
	iretq
resume_end:

; A foreign call comes here with RCX = where to go on.
foreign_entry:
	lea rax, [rax + 1000]
	jmp rcx

; bool touch_read(const void *), bool touch_write(void *): did it fault?
touch_read:
	xor eax, eax
	mov dl, [rdi]
	ret
touch_write:
	xor eax, eax
	mov byte [rdi], 1
	ret
; bool far_return(const void *to): a far return to what lies there.  What is told of the fault goes on with
; the stack in RCX.
far_return:
	mov rcx, rsp
	mov rsp, rdi
	retfq
far_return_end:
touch_end:
touch_faulted:
	mov eax, 1
	ret
