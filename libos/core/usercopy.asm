; SPDX-License-Identifier: MIT
;
; The only instructions of the libos that touch a program's memory.  Each is listed in __ex_table
; with the place where it goes on when its page cannot be had: see core/fault.c.  The callers in
; usercopy.c have checked that addresses are below EXO_USER_TOP.

%define EFAULT 14
%define ENAMETOOLONG 36

section .text

%macro may_fault 2              ; instruction, continuation
	[section __ex_table progbits alloc noexec nowrite align=8]
	dq %1, %2
	__?SECT?__
%endmacro

; int user_copy(void *to, const void *from, size_t n): either side may be the program's.
global user_copy
	align 16
user_copy:
	cmp rdx, 8
	jb .tail
	cmp rdx, 16
	jae .long
.load_8:                                ; pointers and masks, without the start of a REP
	mov rax, [rsi]
.store_8:
	mov [rdi], rax
	add rsi, 8
	add rdi, 8
	jmp .tail
.long:
	mov rcx, rdx
	shr rcx, 3
.words_fault:
	rep movsq
.tail:                                  ; up to 7 bytes, by the bits of their number
	test dl, 4
	jz .below_4
.load_4:
	mov eax, [rsi]
.store_4:
	mov [rdi], eax
	add rsi, 4
	add rdi, 4
.below_4:
	test dl, 2
	jz .below_2
.load_2:
	movzx eax, word [rsi]
.store_2:
	mov [rdi], ax
	add rsi, 2
	add rdi, 2
.below_2:
	test dl, 1
	jz .done
.load_1:
	movzx eax, byte [rsi]
.store_1:
	mov [rdi], al
.done:
	xor eax, eax
	ret
	may_fault .load_8, failed
	may_fault .store_8, failed
	may_fault .words_fault, failed
	may_fault .load_4, failed
	may_fault .store_4, failed
	may_fault .load_2, failed
	may_fault .store_2, failed
	may_fault .load_1, failed
	may_fault .store_1, failed

failed:
	mov eax, -EFAULT
	ret

; int user_zero(void *to, size_t n)
global user_zero
	align 16
user_zero:
	xor eax, eax
	mov rcx, rsi
	shr rcx, 3
.words:
	rep stosq
	mov ecx, esi
	and ecx, 7
.bytes:
	rep stosb
	ret
	may_fault .words, failed
	may_fault .bytes, failed

; long user_string(char *to, const char *from, size_t max): length, or an error.
global user_string
	align 16
user_string:
	xor ecx, ecx
.next:
	cmp rcx, rdx
	jae .too_long
.load:
	movzx eax, byte [rsi + rcx]
	mov [rdi + rcx], al
	inc rcx
	test al, al
	jnz .next
	lea rax, [rcx - 1]
	ret
.too_long:
	mov rax, -ENAMETOOLONG
	ret
.failed:
	mov rax, -EFAULT
	ret
	may_fault .load, .failed

; int user_load32(uint32_t *value, const uint32_t *from)
global user_load32
	align 16
user_load32:
	mov eax, [rsi]
	mov [rdi], eax
	xor eax, eax
	ret
	may_fault user_load32, failed

; int user_store32(uint32_t *to, uint32_t value)
global user_store32
	align 16
user_store32:
	mov [rdi], esi
	xor eax, eax
	ret
	may_fault user_store32, failed

; int user_cmpxchg32(uint32_t *at, uint32_t expect, uint32_t value, uint32_t *old)
global user_cmpxchg32
	align 16
user_cmpxchg32:
	mov eax, esi
.exchange:
	lock cmpxchg [rdi], edx
	mov [rcx], eax
	xor eax, eax
	ret
	may_fault .exchange, failed
