; SPDX-License-Identifier: MIT
;
; The doors of the libos: the system call by function call, the foreign system call, and the entry
; points of the kernel's upcalls.  core/entry.h lists the labels for C, and says what the event path
; does when it finds an interrupted RIP between them.

%include "offsets.inc"
%include "this_vcore.inc"
%include "call_frame.inc"

extern syscall_table_in_force, sys_unknown
extern event_upcall, fault_upcall, fault_masked_upcall, return_to_user

; Into the user frame, which lies %1 bytes above RSP.
%macro SAVE_PRESERVED 1
	mov [rsp + %1 + REGS_RBX], rbx
	mov [rsp + %1 + REGS_RBP], rbp
	mov [rsp + %1 + REGS_R12], r12
	mov [rsp + %1 + REGS_R13], r13
	mov [rsp + %1 + REGS_R14], r14
	mov [rsp + %1 + REGS_R15], r15
%endmacro

; --------------------------------------------------------------------------------------------
; long system_call(...)                         first byte of the image: EXO_SHARED_BASE
;
;	RAX = number, RDI RSI RDX R10 R8 R9 = arguments, on the program's stack; result in RAX.
;	RBX RBP R12-R15 RSP are preserved.
;
; The functions called preserve them too, so they go into the user frame only where somebody looks
; for them there: on the slow way out, and in calls that copy the frame (framed_*).
;
; Which task is it?  Only the CPU knows, and between asking for its number and reading its vcore we
; may be moved to another.  So all up to the change of stack is restartable: it changes nothing but
; RCX, R11 and the user frame, and the event path puts RIP back to its start.
section .entry progbits alloc exec nowrite align=64

global call_entry, call_entry_end, call_exit_start, call_exit_checked, call_exit_end
global return_by_call, return_to_handler

call_entry:
	CALL_FRAME R10, R8, R9
	lea rsp, [r11 - REGS_SIZE]
call_entry_end:
	cld                             ; a handler may have left it as no function may
	mov rcx, r10                    ; C's fourth argument
	cmp rax, SYSCALL_COUNT
	jae call_unknown
	mov r11, [rel syscall_table_in_force]
	call [r11 + rax * 8]

	; The callee-saved registers hold the program's values again.  An event from here to the
	; check starts the check again, so that work it brings is seen; one after the check is
	; treated as if the program had gone on already (entry.h).
call_exit_start:
	cmp qword [rsp + REGS_SIZE + TASK_WORK_AND_ENTRY], 0
	jne call_slow_exit
call_exit_checked:
	mov rcx, [rsp + REGS_RIP]
	mov rsp, [rsp + REGS_RSP]
	jmp rcx
call_exit_end:

call_unknown:
	call sys_unknown
	jmp call_exit_start

call_slow_exit:
	cmp dword [rsp + REGS_SIZE + TASK_ENTRY], ENTRY_FULL
	je foreign_exit                 ; the call has replaced the frame (exec, sigreturn)
	SAVE_PRESERVED 0
foreign_exit:
	mov [rsp + REGS_RAX], rax
	call return_to_user             ; does not return

; _Noreturn void return_by_call(struct exo_regs *frame): entry.h.  Unmasked, on the task's stack, whose
; user frame it is: from the check on this is the way out of every call.
return_by_call:
	mov rsp, rdi
	mov rbx, [rsp + REGS_RBX]
	mov r12, [rsp + REGS_R12]
	mov r13, [rsp + REGS_R13]
	mov r14, [rsp + REGS_R14]
	mov r15, [rsp + REGS_R15]
	mov rax, [rsp + REGS_RAX]
.arguments:
	mov rbp, [rsp + REGS_RBP]
	mov rdi, [rsp + REGS_RDI]
	mov rsi, [rsp + REGS_RSI]
	mov rdx, [rsp + REGS_RDX]
	jmp call_exit_start

; _Noreturn void return_to_handler(struct exo_regs *frame): likewise.
return_to_handler:
	mov rsp, rdi
	xor eax, eax
	jmp return_by_call.arguments

; long framed_NAME(...): sys_NAME(...) with the whole user frame in its place.
%macro framed 1
	extern sys_%1
	global framed_%1
framed_%1:
	SAVE_PRESERVED 8                ; behind the return address
	jmp sys_%1
%endmacro

	framed fork
	framed vfork
	framed clone
	framed clone3
	framed kill
	framed tkill
	framed tgkill
	framed raise

; --------------------------------------------------------------------------------------------
; Foreign system call: RCX = return address, R11 = flags, all else as at the program's SYSCALL.
; R11 is the only register that may be used, so the flags are not kept; what a program can rely on
; after a system call does not include them.
global foreign_entry, foreign_entry_end

	align 16
foreign_entry:
	THIS_VCORE r11, r11d
	cmp dword [r11 + VCORE_MASK_DEPTH], 0
	jne foreign_masked
	mov r11, [r11 + VCORE_CURRENT]
	mov [r11 + FRAME(RIP)], rcx
	mov [r11 + FRAME(RSP)], rsp
	mov [r11 + FRAME(RCX)], rcx
	mov [r11 + FRAME(RBX)], rbx
	mov [r11 + FRAME(RBP)], rbp
	mov [r11 + FRAME(R12)], r12
	mov [r11 + FRAME(R13)], r13
	mov [r11 + FRAME(R14)], r14
	mov [r11 + FRAME(R15)], r15
	mov [r11 + FRAME(RDI)], rdi
	mov [r11 + FRAME(RSI)], rsi
	mov [r11 + FRAME(RDX)], rdx
	mov [r11 + FRAME(R10)], r10
	mov [r11 + FRAME(R8)], r8
	mov [r11 + FRAME(R9)], r9
	mov [r11 + FRAME(ERROR)], rax
	mov qword [r11 + FRAME(VECTOR)], VECTOR_SYSCALL
	mov qword [r11 + FRAME(R11)], USER_FLAGS
	mov qword [r11 + FRAME(RFLAGS)], USER_FLAGS
	mov dword [r11 + TASK_ENTRY], ENTRY_FULL
	mov byte [r11 + TASK_VECTOR_LIVE], 1
	lea rsp, [r11 - REGS_SIZE]
foreign_entry_end:
	cld
	mov rcx, r10
	cmp rax, SYSCALL_COUNT
	jae foreign_unknown
	mov r11, [rel syscall_table_in_force]
	call [r11 + rax * 8]
	jmp foreign_exit
foreign_unknown:
	call sys_unknown
	jmp foreign_exit

	; No program is masked: it is a scheduler library's callback, which may not do this.  The
	; fault ejects it.
global foreign_masked
foreign_masked:
	ud2

	VCORES_BY_SELECTOR

; --------------------------------------------------------------------------------------------
; Upcalls: masked, on the vcore's event stack (fault while masked: on its fault stack), RDI = page, all
; else as after a CALL: none of the functions returns.
section .text

global event_entry, fault_entry, fault_masked_entry

event_entry:
	xor ebp, ebp                    ; the outermost frame, for backtraces
	jmp event_upcall

fault_entry:
	xor ebp, ebp
	jmp fault_upcall

fault_masked_entry:
	xor ebp, ebp
	jmp fault_masked_upcall

; --------------------------------------------------------------------------------------------
; _Noreturn void registers_resume(struct exo_regs *regs): goes on where regs say, unmasked.
; Masked, mask depth 1.  regs stay intact until the last look at `pending`, except for `vector` and `error`,
; which may be overwritten.
;
; [resume_start, resume_end) is the kernel's restartable range (struct exo_entries): an event in it
; sets `pending` and moves RIP back to its start, so none waits behind a resume.  Nothing is pushed.
;
; Flags that POPFQ can set without a trap in between are set by it, and RSP and RIP come last, from this CPU's
; own vcore, which an instruction can name without a register: so there is a pair of them for each CPU.  That
; is faster than IRETQ, which some emulators even make a kernel entry of (exo/x86/user_iret.c).  RSP points at
; vcore->leave.rflags in the range.  An event behind it, in [leave_start, leave_end) or in the jumps, finds
; there what is to be resumed; it is on the same CPU, before anything else is resumed on that.
;
; With other flags RSP points at regs->rip in the range, and IRETQ is the way.  Both have what the range
; looks at in the same places; the code selector, where the other has its jump's address, tells them apart.
;
; A program that called us had the flags that it liked, and a switch of tasks keeps them.  With NT
; set IRETQ would fault, so the flags are made ours before that.  RSP may be `regs` itself, whatever is
; pushed lies below.
global registers_resume, resume_start, resume_end, leave_start, leave_end, leave_jumps, leave_jumps_end
extern resume_interrupted

; At RSP in the range.
%define OUT_RAX (REGS_RAX - REGS_RIP)
%define OUT_PAGE (REGS_VECTOR - REGS_RIP)
%define OUT_REGS (REGS_ERROR - REGS_RIP)
%define OUT_CS_OR_JUMP (REGS_CS - REGS_RIP)

	align 16
registers_resume:
	THIS_VCORE rax, eax
	mov dword [rax + VCORE_MASK_DEPTH], 0
	mov rcx, [rdi + REGS_RFLAGS]
	test ecx, ~FLAGS_BY_POPFQ & 0xffffffff
	jnz .by_iretq
	lea rsp, [rax + VCORE_LEAVE + LEAVE_RFLAGS]
	mov [rsp], rcx
	mov [rsp + OUT_REGS], rdi
	mov rcx, [rdi + REGS_RAX]
	mov [rsp + OUT_RAX], rcx
	mov rcx, [rdi + REGS_RIP]
	mov [rsp + LEAVE_RIP - LEAVE_RFLAGS], rcx
	mov rcx, [rdi + REGS_RSP]
	mov [rsp + LEAVE_RSP - LEAVE_RFLAGS], rcx
.general:
	mov r15, [rdi + REGS_R15]
	mov r14, [rdi + REGS_R14]
	mov r13, [rdi + REGS_R13]
	mov r12, [rdi + REGS_R12]
	mov r11, [rdi + REGS_R11]
	mov r10, [rdi + REGS_R10]
	mov r9, [rdi + REGS_R9]
	mov r8, [rdi + REGS_R8]
	mov rbp, [rdi + REGS_RBP]
	mov rsi, [rdi + REGS_RSI]
	mov rdx, [rdi + REGS_RDX]
	mov rcx, [rdi + REGS_RCX]
	mov rbx, [rdi + REGS_RBX]
	mov rdi, [rdi + REGS_RDI]
resume_start:
	mov rax, [rsp + OUT_PAGE]
	mov dword [rax + PAGE_MASKED], 0
	cmp dword [rax + PAGE_PENDING], 0
	jne .pending
	mov rax, [rsp + OUT_RAX]
	cmp byte [rsp + OUT_CS_OR_JUMP], USER_CODE
	jne leave_start                 ; those jumps are aligned to 16
	iretq
.pending:
	mov dword [rax + PAGE_MASKED], 1
resume_end:
	; Masked again, with nothing resumed yet: let the event path decide as if an event had interrupted
	; what was to be.  Into regs with it, where not all of it has come from (user_fault_frame_return).
	mov rax, [rsp + OUT_REGS]
	mov [rax + REGS_R15], r15
	mov [rax + REGS_R14], r14
	mov [rax + REGS_R13], r13
	mov [rax + REGS_R12], r12
	mov [rax + REGS_R11], r11
	mov [rax + REGS_R10], r10
	mov [rax + REGS_R9], r9
	mov [rax + REGS_R8], r8
	mov [rax + REGS_RBP], rbp
	mov [rax + REGS_RSI], rsi
	mov [rax + REGS_RDX], rdx
	mov [rax + REGS_RCX], rcx
	mov [rax + REGS_RBX], rbx
	mov [rax + REGS_RDI], rdi
	mov rdi, rax
	mov rcx, [rsp + OUT_RAX]
	mov [rdi + REGS_RAX], rcx
	cmp byte [rsp + OUT_CS_OR_JUMP], USER_CODE
	je .interrupted
	mov rcx, [rsp]
	mov [rdi + REGS_RFLAGS], rcx
	mov rcx, [rsp + LEAVE_RIP - LEAVE_RFLAGS]
	mov [rdi + REGS_RIP], rcx
	mov rcx, [rsp + LEAVE_RSP - LEAVE_RFLAGS]
	mov [rdi + REGS_RSP], rcx
.interrupted:
	THIS_VCORE rax, eax
	mov dword [rax + VCORE_MASK_DEPTH], 1
	mov rsp, rax                    ; the event stack begins there
	xor ebp, ebp
	call resume_interrupted         ; does not return

registers_resume.by_iretq:
	push strict dword USER_FLAGS
	popfq
	mov rcx, [rax + VCORE_PAGE]
	mov [rdi + REGS_VECTOR], rcx
	mov [rdi + REGS_ERROR], rdi
	lea rsp, [rdi + REGS_RIP]
	jmp registers_resume.general

leave_start:
	popfq
	ret                             ; to this CPU's jump
leave_end:

; As many as there may be CPUs, of which each uses one: not among what a switch takes (libos.ld).
section .jumps progbits alloc exec nowrite align=LEAVE_JUMP_SIZE
leave_jumps:
%assign cpu 0
%rep CPUS_MAX
	mov rsp, [rel vcore_areas + (cpu << VCORE_SHIFT) + VCORE_IN_AREA + VCORE_LEAVE + LEAVE_RSP]
	jmp [rel vcore_areas + (cpu << VCORE_SHIFT) + VCORE_IN_AREA + VCORE_LEAVE + LEAVE_RIP]
	align LEAVE_JUMP_SIZE
%assign cpu cpu + 1
%endrep
leave_jumps_end:
	times LEAVE_JUMP_SIZE int3      ; what follows has an address of its own, and so its own name

section .text

; _Noreturn void registers_resume_masked(const struct exo_regs *regs): goes on, still masked.
; On the fault stack, where nothing else is needed any more.
global registers_resume_masked

registers_resume_masked:
	lea rsp, [rdi + REGS_RIP]
	mov r15, [rdi + REGS_R15]
	mov r14, [rdi + REGS_R14]
	mov r13, [rdi + REGS_R13]
	mov r12, [rdi + REGS_R12]
	mov r11, [rdi + REGS_R11]
	mov r10, [rdi + REGS_R10]
	mov r9, [rdi + REGS_R9]
	mov r8, [rdi + REGS_R8]
	mov rbp, [rdi + REGS_RBP]
	mov rsi, [rdi + REGS_RSI]
	mov rdx, [rdi + REGS_RDX]
	mov rcx, [rdi + REGS_RCX]
	mov rbx, [rdi + REGS_RBX]
	mov rax, [rdi + REGS_RAX]
	mov rdi, [rdi + REGS_RDI]
	iretq
