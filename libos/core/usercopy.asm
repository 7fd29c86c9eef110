; SPDX-License-Identifier: MIT
;
; The only instructions of the libos that touch a program's memory.  Each is listed in __ex_table
; with the place where it goes on when its page cannot be had: see core/fault.c.  Those that do not check
; it themselves are called, by usercopy.c and proc/signal_frame.c, with addresses below EXO_USER_TOP.

%include "offsets.inc"
%include "this_vcore.inc"

%define EFAULT 14
%define ENAMETOOLONG 36

section .text

%macro may_fault_between 3      ; first instruction, behind the last, continuation
	[section __ex_table progbits alloc noexec nowrite align=8]
	dq %1, %2, %3
	__?SECT?__
%endmacro

%macro may_fault 2              ; instruction, continuation
	may_fault_between %1, %1 + 1, %2
%endmacro

%macro check_user 1             ; the RDX bytes at %1 are the program's
	mov rax, %1
	add rax, rdx
	jc failed
	cmp rax, [rel user_top]
	ja failed
%endmacro

	align 8
user_top:
	dq USER_TOP

; int copy_from_user(void *to, uint64_t from, size_t n)
; int copy_to_user(uint64_t to, const void *from, size_t n)
;
; They change no register but RAX, RCX, RDI and RSI.
global copy_from_user, copy_to_user
	align 16
copy_from_user:
	check_user rsi
	jmp copy

copy_to_user:
	check_user rdi
copy:
	cmp rdx, 8
	jb .tail
	jne .long
.load_8:                                ; pointers and masks, without the start of a REP
	mov rax, [rsi]
.store_8:
	mov [rdi], rax
	xor eax, eax
	ret
.long:
	mov rcx, rdx
	shr rcx, 3
.words_fault:
	rep movsq
	mov ecx, edx
	and ecx, 7
	jz .done
.load_last:                             ; eight bytes once more, of which the last RCX are new
	mov rax, [rsi + rcx - 8]
.store_last:
	mov [rdi + rcx - 8], rax
	xor eax, eax
	ret
.tail:                                  ; up to 7 bytes, by the bits of their number; most often one
	cmp edx, 1
	je .load_1
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
	may_fault .load_last, failed
	may_fault .store_last, failed
	may_fault .load_4, failed
	may_fault .store_4, failed
	may_fault .load_2, failed
	may_fault .store_2, failed
	may_fault .load_1, failed
	may_fault .store_1, failed

failed:
	mov eax, -EFAULT
	ret

; long zero_user(uint64_t to, size_t n): n, or an error.  Below eight bytes a REP costs more to start than it
; has to do.
global zero_user
	align 16
zero_user:
	mov rax, rdi
	add rax, rsi
	jc .failed
	mov rcx, USER_TOP
	cmp rax, rcx
	ja .failed
	mov rax, rsi
	cmp rsi, 1
	jne .several
.one:
	mov byte [rdi], 0
.done:
	ret
.several:
	cmp rsi, 8
	jae .long
.tail:
	test esi, esi
	jz .done
.byte:
	mov byte [rdi], 0
	inc rdi
	dec esi
	jnz .byte
	ret
.long:
	mov rcx, rsi
	shr rcx, 3
	xor eax, eax
.words:
	rep stosq
	mov rax, rsi
	and esi, 7
	jmp .tail
.failed:
	mov rax, -EFAULT
	ret
	may_fault .one, .failed
	may_fault .words, .failed
	may_fault .byte, .failed

; long user_string(char *to, const char *from, size_t max): length, or an error.
;
; Eight bytes at a time where they lie in one page and have room; so no page is touched that the string
; does not reach, and what is behind its end may be copied too.  The lowest bit of (x - 01...) & ~x & 80...
; is in the first byte of x that is zero.
global user_string
	align 16
user_string:
	xor ecx, ecx
	mov r8, 0x0101010101010101
	mov r9, 0x8080808080808080
.next:
	lea r10, [rcx + 8]
	cmp r10, rdx
	ja .one
	lea eax, [rsi + rcx]
	and eax, PAGE_SIZE - 1
	cmp eax, PAGE_SIZE - 8
	ja .one
.load_8:
	mov rax, [rsi + rcx]
	mov [rdi + rcx], rax
	mov r11, rax
	sub r11, r8
	not rax
	and r11, rax
	and r11, r9
	jnz .end
	mov rcx, r10
	jmp .next
.end:
	bsf rax, r11
	shr eax, 3
	add rax, rcx
	ret
.one:
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
	may_fault .load_8, .failed
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

; int user_action_read(struct signal_action *to, uint64_t from_user): four words
global user_action_read
	align 16
user_action_read:
%assign place 0
%rep 4
	mov rax, [rsi + place]
	mov [rdi + place], rax
	%assign place place + 8
%endrep
.end:
	xor eax, eax
	ret
	may_fault_between user_action_read, .end, failed

; --------------------------------------------------------------------------------------------
; Signal frames (proc/signal_frame.h): registers and words go to their places at once, not by way of a
; copy.  A fault at any of the instructions ends it; those that read or write our own memory make none.

; The general registers that a struct sigcontext begins with, in its order.
%define GENERAL R8, R9, R10, R11, R12, R13, R14, R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX

%macro move 2                   ; to, from
	mov rax, %2
	mov %1, rax
%endmacro

%macro move_by 3                ; by this register
	mov %1, %3
	mov %2, %1
%endmacro

%macro context_from_regs 1-*    ; names of registers; from RSI to the context at RDI
	%assign place CONTEXT_REGISTERS
	%rep %0
	move [rdi + place], [rsi + REGS_%1]
	%assign place place + 8
	%rotate 1
	%endrep
%endmacro

%macro regs_from_context 1-*    ; the other way, from RDX to RDI
	%assign place CONTEXT_REGISTERS
	%rep %0
	move [rdi + REGS_%1], [rdx + place]
	%assign place place + 8
	%rotate 1
	%endrep
%endmacro

; What follows is for signals: the section's name puts it among their functions (mk/hot-libos.ld), away from
; what each switch executes.
section .text.user_frame_write

; int user_frame_write(struct signal_frame *to, const struct exo_regs *regs,
;		       const struct signal_words *words)
global user_frame_write
	align 16
user_frame_write:
	move [rdi + SIGNAL_RESTORER], [rdx + WORDS_RESTORER]
	add rdi, SIGNAL_CONTEXT
	move [rdi + CONTEXT_FLAGS], [rdx + WORDS_FLAGS]
	mov qword [rdi + CONTEXT_LINK], 0
	move [rdi + CONTEXT_STACK_SP], [rdx + WORDS_STACK_SP]
	mov eax, [rdx + WORDS_STACK_FLAGS]
	mov [rdi + CONTEXT_STACK_FLAGS], rax            ; and the padding behind them
	move [rdi + CONTEXT_STACK_SIZE], [rdx + WORDS_STACK_SIZE]
	context_from_regs GENERAL, RSP, RIP, RFLAGS
	mov rax, USER_CODE | USER_DATA << 48            ; GS and FS: 0
	mov [rdi + CONTEXT_SELECTORS], rax
	move [rdi + CONTEXT_ERROR], [rsi + REGS_ERROR]
	move [rdi + CONTEXT_TRAP], [rsi + REGS_VECTOR]
	move [rdi + CONTEXT_CR2], [rdx + WORDS_FAULT_ADDRESS]
	move [rdi + CONTEXT_VECTOR], [rdx + WORDS_VECTOR]
	move [rdi + CONTEXT_RESERVED], [rdx + WORDS_CONTROL]
	move [rdi + CONTEXT_RESERVED + 8], [rdx + WORDS_CALLER]
	move [rdi + CONTEXT_OLD_MASK], [rdx + WORDS_MASK]
	mov [rdi + CONTEXT_MASK], rax
.end:
	xor eax, eax
	ret
	may_fault_between user_frame_write, .end, failed

; As signal_control_words() has them.
%macro control_words_store 1
	stmxcsr [%1]
	fnstcw [%1 + 4]
	mov word [%1 + 6], CONTROL_WORDS_VALID >> 48
%endmacro

; The beginning of a frame with these flags, of a task without an alternate stack.  RDI: the frame, and then
; its context; RCX: the restorer, and then 0.
%macro frame_begin 1
	mov [rdi + SIGNAL_RESTORER], rcx
	add rdi, SIGNAL_CONTEXT
	xor ecx, ecx
	mov qword [rdi + CONTEXT_FLAGS], %1
	mov [rdi + CONTEXT_LINK], rcx
	mov [rdi + CONTEXT_STACK_SP], rcx
	mov [rdi + CONTEXT_STACK_FLAGS], rcx
	mov [rdi + CONTEXT_STACK_SIZE], rcx
%endmacro

; int user_fault_frame_write(struct signal_frame *to, const struct exo_regs *regs, uint64_t mask,
;			     uint64_t restorer, uint64_t vector, uint64_t address)
global user_fault_frame_write
	align 16
user_fault_frame_write:
	frame_begin SIGNAL_FLAGS_FAULT
	context_from_regs GENERAL, RSP, RIP, RFLAGS
	mov rax, USER_CODE | USER_DATA << 48
	mov [rdi + CONTEXT_SELECTORS], rax
	move [rdi + CONTEXT_ERROR], [rsi + REGS_ERROR]
	move [rdi + CONTEXT_TRAP], [rsi + REGS_VECTOR]
	mov [rdi + CONTEXT_CR2], r9
	mov [rdi + CONTEXT_VECTOR], r8
	mov [rdi + CONTEXT_RESERVED], rcx
	mov [rdi + CONTEXT_RESERVED + 8], rcx
	mov [rdi + CONTEXT_OLD_MASK], rdx
	mov [rdi + CONTEXT_MASK], rdx
.end:
	xor eax, eax
	ret
	may_fault_between user_fault_frame_write, .end, failed

; int user_plain_frame_write(struct signal_frame *to, const struct exo_regs *regs, uint64_t mask,
;			     uint64_t restorer)
global user_plain_frame_write
	align 16
user_plain_frame_write:
	frame_begin SIGNAL_FLAGS_PLAIN
	context_from_regs GENERAL, RSP, RIP
	mov [rdi + CONTEXT_RESERVED + 8], rax           ; the caller
	control_words_store rdi + CONTEXT_RESERVED
	mov qword [rdi + CONTEXT_RFLAGS], RFLAGS_FIXED
	mov rax, USER_CODE | USER_DATA << 48
	mov [rdi + CONTEXT_SELECTORS], rax
	mov [rdi + CONTEXT_ERROR], rcx
	mov [rdi + CONTEXT_TRAP], rcx
	mov [rdi + CONTEXT_CR2], rcx
	mov [rdi + CONTEXT_VECTOR], rcx
	mov [rdi + CONTEXT_OLD_MASK], rdx
	mov [rdi + CONTEXT_MASK], rdx
.end:
	xor eax, eax
	ret
	may_fault_between user_plain_frame_write, .end, failed

; int user_plain_frame_read(struct signal_words *words, const struct signal_context *from)
global user_plain_frame_read
	align 16
user_plain_frame_read:
	xor eax, eax
	mov ecx, [rsi + CONTEXT_STACK_FLAGS]
	or rcx, [rsi + CONTEXT_STACK_SIZE]      ; without these it does not matter what the address is
	or rcx, [rsi + CONTEXT_VECTOR]
	jnz failed
	control_words_store rdi + WORDS_CONTROL
	mov rcx, [rdi + WORDS_CONTROL]
	cmp [rsi + CONTEXT_RESERVED], rcx
	jne failed
	test dword [rsi + CONTEXT_RFLAGS], RFLAGS_WITH_A_MEANING
	jnz failed
	mov rcx, [rsi + CONTEXT_RIP]
	cmp [rsi + CONTEXT_RESERVED + 8], rcx           ; the caller
	jne failed
	mov [rdi + WORDS_RIP], rcx
	mov rcx, [rsi + CONTEXT_RSP]
	mov [rdi + WORDS_RSP], rcx
	mov rcx, [rsi + CONTEXT_MASK]
	mov [rdi + WORDS_MASK], rcx
.end:
	ret
	may_fault_between user_plain_frame_read, .end, failed

; SSE's and AVX's registers are stored and loaded by an instruction each, and XSAVE and XRSTOR have what is
; left: some emulators take a step of their own for each word of theirs.  SSE's stand in the part that FXSAVE
; has, AVX's upper halves behind the header, as struct _xstate says and every processor has it.
%macro sse_and_avx 3            ; label behind it, macro for SSE's, macro for AVX's
	%assign register 0
	%rep 16
	%2 register
	%assign register register + 1
	%endrep
	test sil, FEATURE_AVX
	jz %1
	%assign register 0
	%rep 16
	%3 register
	%assign register register + 1
	%endrep
%endmacro
%macro sse_store 1
	movups [rdi + VECTOR_SSE + 16 * %1], xmm%1
%endmacro
%macro avx_store 1
	vextractf128 [rdi + VECTOR_AVX + 16 * %1], ymm%1, 1
%endmacro
%macro sse_load 1
	movups xmm%1, [rdi + VECTOR_SSE + 16 * %1]
%endmacro
%macro avx_load 1
	vinsertf128 ymm%1, ymm%1, [rdi + VECTOR_AVX + 16 * %1], 1
%endmacro

; int user_vector_save(struct _xstate *to, uint64_t features, uint32_t size)
;
; XSAVE writes the areas of the features, in the header no more than which of them there are; and it leaves
; alone the bytes that describe the image.
global user_vector_save
	align 16
user_vector_save:
	mov r8d, edx
	xor eax, eax
%assign place 0
%rep VECTOR_HEADER_SIZE / 8
	mov [rdi + VECTOR_HEADER + place], rax
	%assign place place + 8
%endrep
	mov eax, esi
	and eax, ~(FEATURE_SSE | FEATURE_AVX)
	mov rdx, rsi
	shr rdx, 32
	xsave64 [rdi]
	mov eax, esi
	and eax, FEATURE_SSE | FEATURE_AVX
	or [rdi + VECTOR_HEADER], eax
	stmxcsr [rdi + VECTOR_MXCSR]
	mov dword [rdi + VECTOR_MXCSR + 4], MXCSR_VALID
	sse_and_avx .stored, sse_store, avx_store
.stored:
	lea eax, [r8d + VECTOR_MAGIC_2_SIZE]
	shl rax, 32
	add rax, VECTOR_MAGIC_1                         ; and the size with the second magic number
	mov [rdi + VECTOR_DESCRIBED], rax
	mov [rdi + VECTOR_DESCRIBED + 8], rsi
	mov [rdi + VECTOR_DESCRIBED + 16], r8           ; the size without; the rest is padding
	mov qword [rdi + VECTOR_DESCRIBED + 24], 0
	mov qword [rdi + VECTOR_DESCRIBED + 32], 0
	mov qword [rdi + VECTOR_DESCRIBED + 40], 0
	mov dword [rdi + r8], VECTOR_MAGIC_2
.end:
	xor eax, eax
	ret
	may_fault_between user_vector_save, .end, failed

; int user_vector_load(const struct _xstate *from, uint64_t features, uint32_t size)
;
; What the header leaves out is to be as at a start: then XRSTOR does it all.
global user_vector_load
	align 16
user_vector_load:
	cmp dword [rdi + VECTOR_DESCRIBED], VECTOR_MAGIC_1
	jne failed
	cmp [rdi + VECTOR_DESCRIBED + 16], edx
	jne failed
	mov edx, edx
	cmp dword [rdi + rdx], VECTOR_MAGIC_2
	jne failed
	mov rdx, rsi
	shr rdx, 32
	mov eax, [rdi + VECTOR_HEADER]
	not eax
	and eax, esi
	test eax, FEATURE_SSE | FEATURE_AVX
	mov eax, esi
	jnz .all
	and eax, ~(FEATURE_SSE | FEATURE_AVX)
	ldmxcsr [rdi + VECTOR_MXCSR]                    ; faults as XRSTOR does
	sse_and_avx .all, sse_load, avx_load            ; first: they clear what AVX-512 has above them
.all:
	xrstor64 [rdi]
.end:
	xor eax, eax
	ret
	may_fault_between user_vector_load, .end, failed

; int user_frame_read(struct exo_regs *regs, struct signal_words *words, const struct signal_context *from)
global user_frame_read
	align 16
user_frame_read:
	regs_from_context GENERAL
	move [rsi + WORDS_STACK_SP], [rdx + CONTEXT_STACK_SP]
	mov eax, [rdx + CONTEXT_STACK_FLAGS]
	mov [rsi + WORDS_STACK_FLAGS], eax
	move [rsi + WORDS_STACK_SIZE], [rdx + CONTEXT_STACK_SIZE]
	move [rsi + WORDS_RSP], [rdx + CONTEXT_RSP]
	move [rsi + WORDS_RIP], [rdx + CONTEXT_RIP]
	move [rsi + WORDS_RFLAGS], [rdx + CONTEXT_RFLAGS]
	move [rsi + WORDS_VECTOR], [rdx + CONTEXT_VECTOR]
	move [rsi + WORDS_CONTROL], [rdx + CONTEXT_RESERVED]
	move [rsi + WORDS_CALLER], [rdx + CONTEXT_RESERVED + 8]
	move [rsi + WORDS_MASK], [rdx + CONTEXT_MASK]
.end:
	xor eax, eax
	ret
	may_fault_between user_frame_read, .end, failed

; int user_fault_frame_read(struct signal_words *words, const struct signal_context *from)
global user_fault_frame_read
	align 16
user_fault_frame_read:
	mov eax, [rsi + CONTEXT_STACK_FLAGS]
	or rax, [rsi + CONTEXT_STACK_SIZE]
	jnz failed
	move [rdi + WORDS_VECTOR], [rsi + CONTEXT_VECTOR]
	move [rdi + WORDS_RSP], [rsi + CONTEXT_RSP]
	move [rdi + WORDS_RIP], [rsi + CONTEXT_RIP]
	move [rdi + WORDS_RFLAGS], [rsi + CONTEXT_RFLAGS]
	move [rdi + WORDS_MASK], [rsi + CONTEXT_MASK]
.end:
	xor eax, eax
	ret
	may_fault_between user_fault_frame_read, .end, failed

; _Noreturn void user_fault_frame_return(const struct signal_context *from, const struct signal_words *words,
;					 struct exo_regs *frame)
;
; As registers_resume() goes on, with the general registers from the program's frame.  Until RDI, the last of
; them, is loaded, `frame` is what it was, and the mask depth 1.
global user_fault_frame_return
extern resume_start, signal_frame_again
	align 16
user_fault_frame_return:
	THIS_VCORE rax, eax
	add rax, VCORE_LEAVE + LEAVE_RFLAGS
	move_by rcx, [rax], [rsi + WORDS_RFLAGS]
	move_by rcx, [rax + LEAVE_RIP - LEAVE_RFLAGS], [rsi + WORDS_RIP]
	move_by rcx, [rax + LEAVE_RSP - LEAVE_RFLAGS], [rsi + WORDS_RSP]
	mov [rax + LEAVE_REGS - LEAVE_RFLAGS], rdx
	mov rsp, rdx
.load:
	move_by rcx, [rax + LEAVE_RAX - LEAVE_RFLAGS], [rdi + CONTEXT_RAX]
	mov r15, [rdi + CONTEXT_R15]
	mov r14, [rdi + CONTEXT_R14]
	mov r13, [rdi + CONTEXT_R13]
	mov r12, [rdi + CONTEXT_R12]
	mov r11, [rdi + CONTEXT_R11]
	mov r10, [rdi + CONTEXT_R10]
	mov r9, [rdi + CONTEXT_R9]
	mov r8, [rdi + CONTEXT_R8]
	mov rbp, [rdi + CONTEXT_RBP]
	mov rsi, [rdi + CONTEXT_RSI]
	mov rdx, [rdi + CONTEXT_RDX]
	mov rcx, [rdi + CONTEXT_RCX]
	mov rbx, [rdi + CONTEXT_RBX]
	mov rdi, [rdi + CONTEXT_RDI]
.end:
	mov dword [rax + VCORE_MASK_DEPTH - VCORE_LEAVE - LEAVE_RFLAGS], 0
	mov rsp, rax
	jmp resume_start
.failed:
	call signal_frame_again         ; does not return
	may_fault_between .load, .end, .failed

VCORES_BY_SELECTOR

; _Noreturn void user_frame_return(const struct signal_context *from, struct exo_regs *frame)
;
; What a call preserves, and its result, go from the program's frame into the registers at once.
global user_frame_return
extern call_exit_start, signal_frame_lost
	align 16
user_frame_return:
	mov rsp, rsi
.load:
	mov r12, [rdi + CONTEXT_R12]
	mov r13, [rdi + CONTEXT_R13]
	mov r14, [rdi + CONTEXT_R14]
	mov r15, [rdi + CONTEXT_R15]
	mov rbp, [rdi + CONTEXT_RBP]
	mov rbx, [rdi + CONTEXT_RBX]
	mov rax, [rdi + CONTEXT_RAX]
.end:
	jmp call_exit_start
.failed:
	call signal_frame_lost          ; does not return
	may_fault_between .load, .end, .failed
