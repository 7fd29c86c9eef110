; SPDX-License-Identifier: MIT
; The ways into the kernel and out of it (contract: machine.h).
;
; GS: in ring 3 GS base is the application's; in the kernel it is the CPU's block, and the other
; one waits in the processor's second GS base.  Entries from ring 3 swap them, known by the saved
; CS.  NMI, #DF and #MC can hit between an entry and its swap, so they believe neither CS nor GS
; and take the block's address from their own stack's (cpu.h).

%include "offsets.inc"
%include "smap.inc"

global trap_entries, trap_return, cpu_idle_wait, syscall_entry
extern trap_entry, trap_paranoid, exo_call_entry, run_exit

; The general registers of struct exo_regs, in the order in which they are pushed.
%define CALLED rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11
%define KEPT r12, r13, r14, r15	; C keeps them
%define GENERAL CALLED, KEPT

%macro PUSH_ALL 1-*
%rep %0
	push %1
	%rotate 1
%endrep
%endmacro

%macro POP_ALL 1-*
%rep %0
	%rotate -1
	pop %1
%endrep
%endmacro

; The exceptions for which the processor pushes an error code: 8, 10 .. 14, 17, 21, 29, 30.
WITH_ERROR_CODE equ 1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30

section .text

; One entry of 16 bytes for each vector: trap.c computes their addresses.  Each leaves an error code
; (0 where the processor pushes none) and the vector on the stack.
	align 16
trap_entries:
%assign vector 0
%rep 256
	align 16
%if !(vector < 32 && (1 << vector) & WITH_ERROR_CODE)
	push strict byte 0
%endif
	push strict dword vector
%if vector == 2 || vector == 8 || vector == 18
	jmp strict near paranoid
%else
	jmp strict near ordinary
%endif
%assign vector vector + 1
%endrep

	align 16
ordinary:
	test byte [rsp + 24], 3		; the saved CS, behind vector, error code and RIP
	jz .from_kernel
	swapgs
.from_kernel:
	PUSH_ALL GENERAL
	FORBID_USER_ACCESS
	cld
	xor ebp, ebp			; a backtrace ends here
	mov rdi, rsp
	mov rbx, [rsp + REGS_CS]	; C keeps RBX
	call trap_entry
	test bl, 3
	jnz to_user
	mov rsp, rax			; back into the kernel: the idle loop, or a repaired fault
.interrupted:
	POP_ALL GENERAL
	add rsp, 16
	iretq

	align 16
paranoid:
	PUSH_ALL GENERAL
	FORBID_USER_ACCESS
	cld
	xor ebp, ebp
	rdgsbase r12
	mov rax, rsp
	mov ax, CPU_AREA_BLOCK_OFFSET	; the area is 64 KiB, and aligned
	wrgsbase rax
	mov rdi, rsp
	call trap_paranoid
	wrgsbase r12
	jmp ordinary.interrupted

; SYSCALL.  RCX = return address, R11 = flags; interrupts off, the other flags cleared by SFMASK.
	align 16
syscall_entry:
	swapgs
	mov [gs:CPU_USER_RSP], rsp
	mov rsp, [gs:CPU_STACK_TOP]
	cmp rcx, [gs:CPU_TEXT_START]	; RCX points behind the instruction: it may be the text's end
	jbe .foreign			; but not its start
	cmp rcx, [gs:CPU_TEXT_END]
	ja .foreign
	push USER_DATA
	push qword [gs:CPU_USER_RSP]
	push r11
	push USER_CODE
	push rcx
	push 0
	push VECTOR_EXO_CALL_NUMBER
	PUSH_ALL CALLED
	sub rsp, 4 * 8			; C keeps the rest, and seldom needs it
	xor ebp, ebp
	mov rdi, rsp
	call exo_call_entry
	add rsp, 4 * 8
	test al, al
	jnz .work
	POP_ALL CALLED			; RCX and R11 are what SYSCALL made of them
.sysret:
	and r11d, FLAGS_OF_USER
	or r11d, FLAGS_ALWAYS
	mov rsp, [rsp + 40]		; behind vector, error code and what IRETQ would take
	swapgs
	o64 sysret
.work:
	PUSH_ALL KEPT
	mov rdi, rsp
	call run_exit
	cmp rax, rsp
	jne to_user
; By SYSRET: the vcore that called goes on, or one is being entered that has no RCX and R11.  RIP is in the
; libos's text, as all of its entries are, and so canonical.
.by_sysret:
	POP_ALL GENERAL
	mov rcx, [rsp + 16]
	mov r11, [rsp + 32]
	jmp .sysret

; Not from the libos's text: hand it to the libos, every register as it is.
.foreign:
	inc qword [gs:CPU_FOREIGN_CALLS]
	push USER_DATA
	push qword [gs:CPU_USER_RSP]
	push FLAGS_ALWAYS
	push USER_CODE
	push qword [gs:CPU_FOREIGN_ENTRY] ; checked when the domain was made
	swapgs
	iretq

; _Noreturn void trap_return(struct exo_regs *regs)
trap_return:
	mov rax, rdi

; Leaves with the registers at RAX, which may be anywhere in kernel memory.  The frame for IRETQ is
; made at the top of the kernel stack; where *RAX itself ends there, as it usually does, each word
; is only overwritten by its own value made safe.
;
; Who stands at the fault entry is being entered, or was interrupted when it had just been: nothing there
; looks at RCX and R11 (struct exo_entries).
to_user:
	mov rsp, rax
	mov rdx, [rax + REGS_RIP]
	cmp rdx, [gs:CPU_FAULT_ENTRY]
	je syscall_entry.by_sysret
	mov rsp, [gs:CPU_STACK_TOP]
	mov rsi, [rax + REGS_RSP]
	mov rcx, [rax + REGS_RFLAGS]
	and ecx, FLAGS_OF_USER
	or ecx, FLAGS_ALWAYS
	mov rdi, rdx
	shr rdi, 47
	jz .in_user_half
	mov rdx, -1			; IRETQ takes it, and ring 3 faults when it fetches there
.in_user_half:
	push USER_DATA
	push rsi
	push rcx
	push USER_CODE
	push rdx
	lea rsp, [rax + REGS_R15]
	POP_ALL GENERAL
	mov rsp, [gs:CPU_STACK_TOP]
	lea rsp, [rsp - 40]
	swapgs
	iretq

; void cpu_idle_wait(void)
cpu_idle_wait:
	sti
	hlt
	cli
	ret
