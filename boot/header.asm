; SPDX-License-Identifier: MIT
; The Multiboot2 header: GRUB looks for it in the first 32 KiB of the image.

MAGIC equ 0xe85250d6
I386 equ 0
TAG_END equ 0
TAG_ALIGN_MODULES equ 6

section .multiboot progbits alloc noexec nowrite align=8
header:
	dd MAGIC
	dd I386
	dd header_end - header
	dd -(MAGIC + I386 + (header_end - header))

	align 8
	dw TAG_ALIGN_MODULES
	dw 0
	dd 8

	align 8
	dw TAG_END
	dw 0
	dd 8
header_end:
