; SPDX-License-Identifier: MIT
; The entries of the test domains: a libos of the smallest kind.  An event upcall calls C on the
; vcore's stack and resumes what it interrupted; a fault calls C, which changes the registers that
; are resumed.  The child domain has the same image, and its own entries.

%include "offsets.inc"

global exo_call, read_unmapped, foreign_call, child_entries, vectors_hold
extern parent_event, parent_fault, parent_fault_masked, child_event, child_fault, child_fault_masked
extern libos_text_end, libos_rodata_end, libos_data_end, libos_image_end

STACK_SIZE equ 16384
CPUS equ 8				; as in harness.h
TEXT_START equ 0x7f0000000000

section .header progbits alloc noexec nowrite align=8
	dq IMAGE_MAGIC
	dq IMAGE_ABI
	dq libos_text_end, libos_rodata_end, libos_data_end, libos_image_end
	dq TEXT_START, libos_text_end
	dq parent_event_entry, parent_fault_entry, parent_fault_masked_entry, foreign_entry
	dq resume_start, resume_end
	dq event_stacks + STACK_SIZE, fault_stacks + STACK_SIZE, STACK_SIZE

section .rodata
child_entries:
	dq TEXT_START, libos_text_end
	dq child_event_entry, child_fault_entry, child_fault_masked_entry, foreign_entry
	dq resume_start, resume_end

section .text

; Upcalls: RDI = page, RSP as after a call.
parent_event_entry:
	push rdi
	call parent_event
	jmp resume_event

child_event_entry:
	push rdi
	call child_event
resume_event:
	pop rdi
	lea rsi, [rdi + PAGE_EVENT]
	jmp resume

parent_fault_entry:
	push rdi
	call parent_fault
	pop rdi
	lea rsi, [rdi + PAGE_FAULT]
	jmp resume

; Still masked afterwards: what faulted was.
parent_fault_masked_entry:
	push rdi
	call parent_fault_masked
resume_masked:
	pop rdi
	lea rsi, [rdi + PAGE_FAULT_MASKED]
	push qword [rsi + REGS_SS]
	push qword [rsi + REGS_RSP]
	push qword [rsi + REGS_RFLAGS]
	push qword [rsi + REGS_CS]
	push qword [rsi + REGS_RIP]
	call load_general
	iretq

child_fault_entry:
	push rdi
	call child_fault
	pop rdi
	lea rsi, [rdi + PAGE_FAULT]
	jmp resume

child_fault_masked_entry:
	push rdi
	call child_fault_masked
	jmp resume_masked

; A foreign system call returns its number plus one.
foreign_entry:
	inc rax
	jmp rcx

; uint64_t foreign_call(uint64_t number): foreign when it is called through a mapping of this page
; outside the text range.
	align 32
foreign_call:
	mov rax, rdi
	syscall
	ret

; Loads every general register but RSP from the struct exo_regs at RSI.
load_general:
	mov r15, [rsi + 0]
	mov r14, [rsi + 8]
	mov r13, [rsi + 16]
	mov r12, [rsi + 24]
	mov r11, [rsi + 32]
	mov r10, [rsi + 40]
	mov r9, [rsi + 48]
	mov r8, [rsi + 56]
	mov rbp, [rsi + 64]
	mov rdi, [rsi + 72]
	mov rdx, [rsi + 88]
	mov rcx, [rsi + 96]
	mov rbx, [rsi + 104]
	mov rax, [rsi + 112]
	mov rsi, [rsi + 80]
	ret

; RDI = page, RSI = registers: goes on there, unmasked.  In the restartable range RSP points at the
; frame for IRETQ; below it lie the page's address and R15.
resume:
	push qword [rsi + REGS_SS]
	push qword [rsi + REGS_RSP]
	push qword [rsi + REGS_RFLAGS]
	push qword [rsi + REGS_CS]
	push qword [rsi + REGS_RIP]
	push rdi
	push qword [rsi + 0]
	call load_general
	add rsp, 16
resume_start:
	mov r15, [rsp - 8]
	mov dword [r15 + PAGE_MASKED], 0
	cmp dword [r15 + PAGE_PENDING], 0
	jne .pending
	mov r15, [rsp - 16]
	iretq
.pending:
	mov dword [r15 + PAGE_MASKED], 1
resume_end:				; an event before this would be entered on top of our frame

; Something is pending: as if an event had interrupted what was about to be resumed.
	mov r15, [rsp - 16]
	sub rsp, 16
	push rsi
	push rdi
	mov rdi, [rsp + 24]
	lea rsi, [rdi + PAGE_EVENT]
	mov [rsi + 0], r15
	mov [rsi + 8], r14
	mov [rsi + 16], r13
	mov [rsi + 24], r12
	mov [rsi + 32], r11
	mov [rsi + 40], r10
	mov [rsi + 48], r9
	mov [rsi + 56], r8
	mov [rsi + 64], rbp
	mov [rsi + 88], rdx
	mov [rsi + 96], rcx
	mov [rsi + 104], rbx
	mov [rsi + 112], rax
	pop rax
	mov [rsi + 72], rax
	pop rax
	mov [rsi + 80], rax
	add rsp, 16
	pop qword [rsi + REGS_RIP]
	pop qword [rsi + REGS_CS]
	pop qword [rsi + REGS_RFLAGS]
	pop qword [rsi + REGS_RSP]
	pop qword [rsi + REGS_SS]
	; RSP is where it was at the event entry.
	cmp qword [rdi + PAGE_IS_CHILD], 0
	jne child_event_entry
	jmp parent_event_entry

; int64_t exo_call(uint64_t number, a, b, c, d)
exo_call:
	mov rax, rdi
	mov rdi, rsi
	mov rsi, rdx
	mov rdx, rcx
	mov r10, r8
	syscall
	ret

; uint64_t read_unmapped(void): faults; the handler steps over the load and sets RAX.
read_unmapped:
	mov rax, [0x1000]
	ret

; bool vectors_hold(uint64_t pattern, uint64_t loops): fills the vector registers, FS and GS base
; with the pattern, and looks for a while whether they keep it.
vectors_hold:
	wrfsbase rdi
	wrgsbase rdi
	movq xmm0, rdi
	movq xmm7, rdi
	movq xmm15, rdi
	mov r8, rdi
.again:
	movq rax, xmm0
	cmp rax, rdi
	jne .differs
	movq rax, xmm7
	cmp rax, rdi
	jne .differs
	movq rax, xmm15
	cmp rax, rdi
	jne .differs
	rdfsbase rax
	cmp rax, rdi
	jne .differs
	rdgsbase rax
	cmp rax, rdi
	jne .differs
	cmp r8, rdi
	jne .differs
	dec rsi
	jnz .again
	mov eax, 1
	ret
.differs:
	xor eax, eax
	ret

section .bss
	alignb 4096
event_stacks:	resb STACK_SIZE * CPUS
fault_stacks:	resb STACK_SIZE * CPUS
