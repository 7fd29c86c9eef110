; SPDX-License-Identifier: MIT
; From the boot loader to C.  GRUB enters at boot_entry in 32-bit protected mode without paging,
; EAX = loader's magic number, EBX = physical address of the Multiboot2 information.  That the
; processor has 64-bit mode is taken for granted; everything else that is needed is checked in C.
;
; The tables built here map the first 4 GiB twice, at 0 and in the physmap, and the first GiB a
; third time where the kernel is linked; the last two have the same top-level entry.  They serve the
; boot CPU until paging_init(), and every other CPU for the few instructions between real mode and its
; own cpu_init().

global boot_entry, boot_pml4, boot_gdt
extern exo_main

PRESENT_WRITABLE equ 3
LARGE equ 0x80
CR0_PE_MP_NE_WP_PG equ 1 << 0 | 1 << 1 | 1 << 5 | 1 << 16 | 1 << 31
CR4_PAE equ 1 << 5
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8

section .boot.text progbits alloc exec nowrite align=16
bits 32
boot_entry:
	cli
	cld
	mov ebp, eax			; nothing below changes EBP and EBX

	mov edi, boot_tables
	mov ecx, (boot_tables_end - boot_tables) / 4
	xor eax, eax
	rep stosd
	mov dword [boot_pml4 + 0 * 8], boot_pdpt + PRESENT_WRITABLE
	mov dword [boot_pml4 + 511 * 8], boot_pdpt + PRESENT_WRITABLE
%assign gigabyte 0
%rep 4
	mov dword [boot_pdpt + gigabyte * 8], boot_directories + gigabyte * 4096 + PRESENT_WRITABLE
%assign gigabyte gigabyte + 1
%endrep
	mov dword [boot_pdpt + 510 * 8], boot_directories + PRESENT_WRITABLE
	mov eax, PRESENT_WRITABLE | LARGE
	xor ecx, ecx
.next:	mov [boot_directories + ecx * 8], eax
	add eax, 0x200000
	inc ecx
	cmp ecx, 4 * 512
	jb .next

	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, boot_pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, cr0
	or eax, CR0_PE_MP_NE_WP_PG
	mov cr0, eax
	lgdt [boot_gdt_pointer]
	jmp 0x08:boot_entry64

bits 64
boot_entry64:
	mov ax, 0x10
	mov ss, ax
	mov rax, boot_entry_high
	jmp rax

section .text
boot_entry_high:
	mov rsp, boot_stack_end
	mov edi, ebp
	mov esi, ebx
	xor ebp, ebp			; ends the backtrace
	call exo_main
	ud2				; exo_main does not return

section .boot.data progbits alloc noexec write align=8
boot_gdt:
	dq 0
	dq 0x00af9b000000ffff		; 64-bit code
	dq 0x00cf93000000ffff		; data
boot_gdt_pointer:
	dw $ - boot_gdt - 1
	dq boot_gdt

section .boot.bss nobits alloc noexec write align=4096
boot_tables:
boot_pml4: resb 4096
boot_pdpt: resb 4096
boot_directories: resb 4 * 4096
boot_tables_end:

section .boot_stack nobits alloc noexec write align=4096
	resb 2 * 4096
boot_stack_end:
