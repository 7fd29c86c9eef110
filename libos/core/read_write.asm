; SPDX-License-Identifier: MIT
;
; read() and write(): doors like call_entry, which look for the file where they stand.  They are at
; EXO_CALL_READ and EXO_CALL_WRITE of scripts/musl/exo_call.h; the same calls by number go through call_entry.
;
; What a door knows: the descriptors that are the task's alone (fs/own_descriptors.h), and of a file the
; function that the call may go to at once (fs/file.h).  With anything else, and while calls are traced,
; it goes on as call_entry does, and the call itself makes known what it finds, for the next.

%include "offsets.inc"
%include "this_vcore.inc"
%include "call_frame.inc"

extern call_entry_end, call_exit_start

; %1: where struct file has the function.  Up to the change of stack it is restartable, as call_entry is, and
; for the same reason: it changes nothing but RCX, R11 and the user frame.  R10, R8 and R9 are not
; kept: a call that is started again comes to call_entry with what the frame had, and looks at three
; arguments.
%macro door 1
	align DOOR_SIZE, int3
%%entry:
	CALL_FRAME
	lea rsp, [r11 - REGS_SIZE]
%%inside:
%if %%inside - %%entry != DOOR_OUTSIDE
%error the event path takes what is before the change of stack for DOOR_OUTSIDE bytes long
%endif
	cld
	cmp rdi, [r11 + TASK_OWN_CAPACITY]
	jae near call_entry_end
	mov rcx, [r11 + TASK_OWN_FILES]
	mov rdi, [rcx + rdi * 8]
	test rdi, rdi
	jz near not_known               ; it is not open
	cmp rdx, IO_BYTES_MAX
	ja near not_known
	xor ecx, ecx                    ; no position
	call [rdi + %1]
	jmp near call_exit_start
%endmacro

section .doors progbits alloc exec nowrite align=DOOR_SIZE

global doors_start, doors_end

doors_start:
	door FILE_READ_AT_ONCE
	door FILE_WRITE_AT_ONCE
	align DOOR_SIZE, int3
doors_end:

not_known:
	mov rdi, [rsp + REGS_RDI]
	jmp call_entry_end

	VCORES_BY_SELECTOR
