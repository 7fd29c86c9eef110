; SPDX-License-Identifier: MIT
; Copying to and from user memory (contract: machine.h).  A fault at .copy is not the kernel's
; end: trap.c finds the address in the exception table and goes on at .fault.  Words, then bytes:
; nearly all that is copied is structures of words, and where each iteration of a string instruction
; costs like an instruction, bytes cost eight times as much.

%include "smap.inc"

global copy_from_user, copy_to_user

USER_GIBS equ 0x800000000000 >> 30
KERNEL_TABLES equ 0x7effc0000000 >> 30
EFAULT equ 14

section .text

; int copy_from_user(void *to, uint64_t from, size_t size)
copy_from_user:
	mov rax, rsi
	jmp copy

; int copy_to_user(uint64_t to, const void *from, size_t size)
copy_to_user:
	mov rax, rdi

; RDI = to, RSI = from, RDX = size, RAX = whichever of the two is the user's.
copy:
	mov rcx, rdx
	mov r8d, edx
	add rdx, rax			; the end of the user's range
	jc .refuse
	shr rdx, 30			; in GiB, of which the last has no page that ends it
	cmp rdx, USER_GIBS
	jae .refuse
	; The window on a space's own tables (space.c) leads at its end to the kernel's, and through
	; them to all memory: ring 3 may not go there, and we would read it for ring 3.  To look where
	; the range ends is enough, as the last of those tables is empty: nothing is copied across it.
	cmp edx, KERNEL_TABLES
	je .refuse
	shr rcx, 3
	and r8d, 7
	ALLOW_USER_ACCESS
.copy:	rep movsq
	mov ecx, r8d
.tail:	rep movsb
	FORBID_USER_ACCESS
	xor eax, eax
	ret
.fault:	FORBID_USER_ACCESS
.refuse:
	mov eax, -EFAULT
	ret

section __ex_table progbits alloc noexec nowrite align=8
	dq copy.copy, copy.fault
	dq copy.tail, copy.fault
