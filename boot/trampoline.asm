; SPDX-License-Identifier: MIT
; Where a started CPU begins: real mode, at the start of TRAMPOLINE_PAGE, into which smp.c has copied
; this code.  It goes straight to 64-bit mode with the tables of the boot, to other_cpu_main(cpu) on
; the stack of the CPU's own area.  Until 64-bit mode, what is not an immediate is addressed by CS.

%include "offsets.inc"

global trampoline_cpu
extern boot_pml4, boot_gdt, other_cpu_main

CR0_PE_MP_NE_WP_PG equ 1 << 0 | 1 << 1 | 1 << 5 | 1 << 16 | 1 << 31
CR4_PAE equ 1 << 5
MSR_EFER equ 0xc0000080
EFER_SCE_LME_NXE equ 1 << 0 | 1 << 8 | 1 << 11

section .trampoline progbits alloc noexec nowrite align=16
bits 16
trampoline:
	cli
	cld
	mov ax, cs
	mov ds, ax
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, boot_pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_SCE_LME_NXE
	wrmsr
	o32 lgdt [trampoline_gdt - trampoline]
	mov eax, CR0_PE_MP_NE_WP_PG
	mov cr0, eax
	jmp dword 0x08:(TRAMPOLINE_ADDRESS + (.long_mode - trampoline))

bits 64
.long_mode:
	mov ax, 0x10
	mov ss, ax
	mov rdi, [rel trampoline_cpu]
	mov rsp, [rdi + CPU_STACK_TOP]
	xor ebp, ebp			; ends the backtrace
	push rbp			; as if called, so that the stack is aligned as C expects
	mov rax, other_cpu_main
	jmp rax

	align 8
trampoline_cpu: dq 0			; filled in by smp.c
trampoline_gdt:
	dw 23
	dd boot_gdt
