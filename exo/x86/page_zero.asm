; SPDX-License-Identifier: MIT
; Clearing a page (contract: machine.h).  Where the string instruction works word by word, as in an
; emulator, stores of 32 bytes take a third of the instructions and half of the time.
;
; The vector registers are the user's: YMM0 is put back.  A VEX instruction clears what lies above
; the 256 bits, so a processor that has more keeps to the string instruction (features.c).

global page_zero
extern page_zero_by_vectors

AT_ONCE equ 512

section .text

; void page_zero(void *page)
page_zero:
	cmp byte [rel page_zero_by_vectors], 0
	je .words
	sub rsp, 32
	vmovdqu [rsp], ymm0
	vpxor xmm0, xmm0, xmm0
	lea rax, [rdi + 4096]
.next:
%assign at 0
%rep AT_ONCE / 32
	vmovdqa [rdi + at], ymm0
%assign at at + 32
%endrep
	add rdi, AT_ONCE
	cmp rdi, rax
	jb .next
	vmovdqu ymm0, [rsp]
	add rsp, 32
	ret
.words:	xor eax, eax
	mov ecx, 4096 / 8
	rep stosq
	ret
