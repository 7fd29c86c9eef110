; SPDX-License-Identifier: MIT
;
; Masking upcalls, and locks, which are masking and one word more: see lock.h and vcore.c.  What every
; system call does several times is here in the fewest instructions; what is rare is in C.

%include "offsets.inc"
%include "this_vcore.inc"

extern unmask_slowly, handle_and_unmask, lock_wait

section .text

; --------------------------------------------------------------------------------------------
; void upcalls_mask(void)
;
; Restartable up to the store: a task that was moved to another CPU after it had asked for the
; number would mask the CPU that it left.
global upcalls_mask, mask_start, mask_end

	align 16
upcalls_mask:
mask_start:
	THIS_VCORE rax, eax
	mov rcx, [rax + VCORE_PAGE]
	mov dword [rcx + PAGE_MASKED], 1
mask_end:
	inc dword [rax + VCORE_MASK_DEPTH]
	ret

; --------------------------------------------------------------------------------------------
; void lock_take(struct lock *l): masks, in the same restartable way, and takes the lock.
;
; LOCK CMPXCHG is a full barrier, so what the last holder wrote before its release is seen.
global lock_take, lock_take_start, lock_take_end

	align 16
lock_take:
lock_take_start:
	THIS_VCORE rax, eax
	mov rcx, [rax + VCORE_PAGE]
	mov dword [rcx + PAGE_MASKED], 1
lock_take_end:
	inc dword [rax + VCORE_MASK_DEPTH]
	movzx ecx, byte [rax + VCORE_HOLDER]
.masked:
	xor eax, eax
	lock cmpxchg [rdi + LOCK_WORD], cx
	jne .wait
	ret
.wait:
	lea rax, [rel lock_wait]
	push rsi
	mov esi, ecx
	call call_keeping
	pop rsi
	ret

; void lock_take_masked(struct lock *l): for who is masked, once, which is the lock's mask from now on.
global lock_take_masked

	align 16
lock_take_masked:
	THIS_VCORE rax, eax
	movzx ecx, byte [rax + VCORE_HOLDER]
	jmp lock_take_end.masked

; --------------------------------------------------------------------------------------------
; void lock_drop(struct lock *l), void upcalls_unmask(void)
;
; The plain store releases: x86 does not move it before earlier accesses.
;
; The case of nearly every release is told apart first: nobody to wake, nothing to give way to, no
; event.  Masked, we stay on this CPU; why no event is lost after that is said at unmask_slowly().
;
; void lock_drop_keeping(struct lock *l), void unmask_keeping(void): the same, and they change no register but
; RAX and RCX (lock.h).
global lock_drop, upcalls_unmask, lock_drop_keeping, unmask_keeping

%macro unmask 2                 ; where to go on when there is something to do; when an event is pending
	THIS_VCORE rax, eax
	dec dword [rax + VCORE_MASK_DEPTH]
	jnz %%still_masked
	cmp dword [rax + VCORE_BEFORE_UNMASKING], 0
	jne %1
	mov rcx, [rax + VCORE_PAGE]
	mov dword [rcx + PAGE_MASKED], 0
	cmp dword [rcx + PAGE_PENDING], 0
	jne %2
%%still_masked:
	ret
%endmacro

	align 16
lock_drop:
	mov byte [rdi + LOCK_HOLDER], 0
upcalls_unmask:
	unmask .slowly, handle_and_unmask
.slowly:
	inc dword [rax + VCORE_MASK_DEPTH]
	jmp unmask_slowly

	align 16
lock_drop_keeping:
	mov byte [rdi + LOCK_HOLDER], 0
unmask_keeping:
	unmask .slowly, .pending
.slowly:
	inc dword [rax + VCORE_MASK_DEPTH]
	lea rax, [rel unmask_slowly]
	jmp call_keeping
.pending:
	lea rax, [rel handle_and_unmask]

; Calls C at rax, and changes no register but RAX and RCX.
call_keeping:
	push rdx
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	call rax
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rdx
	ret

; --------------------------------------------------------------------------------------------
; bool upcalls_masked(void): restartable up to the load, for the same reason as masking: the answer
; is about the CPU that we are on, and only while we are masked do we stay there.
global upcalls_masked, masked_start, masked_end

	align 16
upcalls_masked:
masked_start:
	THIS_VCORE rax, eax
	mov rax, [rax + VCORE_PAGE]
	mov eax, [rax + PAGE_MASKED]
masked_end:
	test eax, eax
	setne al
	ret

	VCORES_BY_SELECTOR
