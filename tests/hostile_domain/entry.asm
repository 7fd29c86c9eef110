; SPDX-License-Identifier: MIT
; The entries of a libos that wants no good: whatever the kernel enters it for, it goes on with that.
bits 64

extern hostile

global text_start, any_entry, resume_start, resume_end

section .text.first
text_start:

any_entry:
	mov rdi, rsp			; the stack that it was entered with
	call hostile			; does not return
	ud2

resume_start:
	iretq
resume_end:
