; SPDX-License-Identifier: MIT
;
; Calls that read or write a word: one entry each QUICK_SIZE bytes, from EXO_QUICK_GETPID of
; scripts/musl/exo_call.h on, in that order.
;
; They run on the program's stack as if they were the program's own code: they are interrupted, and
; continued on another CPU, like that, and handlers are called in the middle of them.  So they take no
; lock, and a bad pointer is a fault of the program, as in the vDSO of Linux, where __ex_table has no
; better answer.  The same calls by number go through call_entry, and so does whatever is not quick;
; and all of them do while tracing is on.

%include "offsets.inc"
%include "this_vcore.inc"

%define EFAULT 14

extern call_entry, clock_quick, calls_are_traced

section .quick progbits alloc exec nowrite align=QUICK_SIZE

; A new entry.  RAX is the number of the call: call_entry may want it.
%macro quick 0
	align QUICK_SIZE, int3
%%entry:
	cmp byte [rel calls_are_traced], 0
	jne near call_entry
%if $ - %%entry != QUICK_CHECK
%error the event path takes the check for QUICK_CHECK bytes long
%endif
%endmacro

; A word of the task that asks, or of its process.  Between asking for the number of the CPU and reading
; its task we may be moved to another.  So an event in [quick_start, quick_end) puts RIP back to behind
; the entry's check (entry.h): all from there on changes nothing but RAX and RCX.
%macro task_word 2
	quick
	THIS_VCORE rcx, ecx
	mov rcx, [rcx + VCORE_CURRENT]
	mov %1, [rcx + %2]
%endmacro

%macro process_word 1
	task_word rcx, TASK_PROCESS
	mov eax, [rcx + %1]
	ret
%endmacro

global quick_start, quick_end

quick_start:
	task_word eax, TASK_PID
	ret
	process_word PROCESS_UID
	process_word PROCESS_EUID
	process_word PROCESS_GID
	process_word PROCESS_EGID

; long clock_gettime(clockid_t RDI, struct timespec *RSI): the two clocks that most ask for,
; CLOCK_REALTIME and CLOCK_MONOTONIC.
	quick
	cmp edi, 1
	ja call_entry
	jmp clock_quick

; long rt_sigprocmask(int RDI, const uint64_t *RSI, uint64_t *RDX, size_t R10): below, with R8 = the task.
; A handler that comes in between may fork, and in the child R8 names the parent's: so where its frame is
; built the program leaves the code that uses R8 (leave_quick_mask_change() in proc/signal_frame.c).
	quick
global mask_change_again
mask_change_again:
	THIS_VCORE r8, r8d
	mov r8, [r8 + VCORE_CURRENT]
	jmp mask_change
	align QUICK_SIZE, int3
quick_end:

; The mask is changed, and then it is looked for what is pending, as in signal_set_blocked(), where it is said
; why no signal is missed so.  There is one difference: between the change and the look a handler may be
; called, and never come back.  So who calls one passes on what the task blocks (signal_deliver.c).
;
; The exchange is one step for handlers that come before it, too: what one of them has made of the mask that
; it leaves behind is not undone.
%define SIG_BLOCK 0
%define SIG_UNBLOCK 1
%define SIG_SETMASK 2

global mask_change, mask_changed, mask_looked, mask_settle
	align 16
mask_change:
	cmp r10, 8
	jne .by_call
	mov rcx, USER_TOP - 8
	cmp rsi, rcx
	ja .by_call
	cmp rdx, rcx
	ja .by_call
	test rsi, rsi
	jnz .load
	mov rax, [r8 + TASK_SIGNAL_BLOCKED]
	jmp .tell
.load:
	mov r9, [rsi]
.again:
	mov rax, [r8 + TASK_SIGNAL_BLOCKED]
	mov rcx, r9
	cmp edi, SIG_SETMASK
	je .change
	cmp edi, SIG_UNBLOCK
	ja .by_call
	je .unblock
	or rcx, rax
	jmp .change
.unblock:
	not rcx
	and rcx, rax
.change:
	and rcx, ~SIGNALS_UNMASKABLE
	lock cmpxchg [r8 + TASK_SIGNAL_BLOCKED], rcx
mask_changed:
	jne mask_change.again
	mov rcx, [r8 + TASK_PROCESS]
	mov r9, [r8 + TASK_SIGNAL_PENDING]
	or r9, [rcx + PROCESS_SIGNAL_PENDING]
mask_looked:
	jnz mask_settle
mask_change.tell:
	test rdx, rdx
	jz mask_change.done
mask_change.store:
	mov [rdx], rax
mask_change.done:
	xor eax, eax
	ret
mask_change.by_call:
	mov eax, CALL_RT_SIGPROCMASK
	jmp call_entry
mask_settle:
	mov rdi, rax
	mov rsi, rdx
	mov eax, CALL_MASK_CHANGED
	jmp call_entry
mask_change.failed:
	mov rax, -EFAULT
	ret

	[section __ex_table progbits alloc noexec nowrite align=8]
	dq mask_change.load, mask_change.load + 1, mask_change.failed
	dq mask_change.store, mask_change.store + 1, mask_change.failed
	__?SECT?__

	VCORES_BY_SELECTOR
