; SPDX-License-Identifier: MIT
;
; Calls that read or write a word: one entry each QUICK_SIZE bytes, from EXO_QUICK_GETPID of
; scripts/musl/exo_call.h on, in that order.
;
; They run on the program's stack as if they were the program's own code: they are interrupted, and
; continued on another CPU, like that, and handlers are called in the middle of them.  So they take no
; lock (but for sigaction, which masks for it), and a bad pointer is a fault of the program, as in the vDSO
; of Linux, where __ex_table has no better answer.  The same calls by number go through call_entry, and so
; does whatever is not quick; and all of them do while tracing is on.

%include "offsets.inc"
%include "this_vcore.inc"

%define EFAULT 14

extern call_entry, clock_quick, calls_are_traced, process_tree_lock

section .quick progbits alloc exec nowrite align=QUICK_SIZE

; A new entry.  RAX is the number of the call: call_entry may want it.  %1: where a call goes that is traced.
%macro quick 0-1 call_entry
	align QUICK_SIZE, int3
%%entry:
	cmp byte [rel calls_are_traced], 0
	jne near %1
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

; bool sigaction(int RDI, handler R8, flags R9, mask R10, restorer R11): true if it is to be asked for by
; number, and nothing has been done; else R8, R9 and R10 have the old action's, and R11, RDX and RDI are lost.
; Below, with upcalls masked and RCX = this vcore.
;
; Only a handler, in actions that are the process's own and nothing has been made of (ACTIONS_OWN), and none
; that goes when it is called: then nothing that is pending becomes ignored, and nothing else is to be noted.
	quick action_by_number
	cmp r8, SIGNAL_IGNORED
	jbe action_by_number
	test r9d, r9d                   ; SA_RESETHAND is its sign
	js action_by_number
	lea eax, [rdi - 1]
	cmp eax, SIGNAL_COUNT
	jae action_by_number
	THIS_VCORE rcx, ecx
	mov rax, [rcx + VCORE_PAGE]
quick_last:
	mov dword [rax + PAGE_MASKED], 1
quick_end:
; Its entry is longer than the others', but what may be interrupted begins within QUICK_SIZE bytes.
%if (quick_last - quick_start) / QUICK_SIZE != 7
%error an event at the last instruction would go back to the wrong place
%endif

; Why it is the lock: who reads an action holds it, and finds all four words of one.  Masked, we are on this
; CPU and in no handler's way; we touch nothing that could fault, and not the stack.  Nobody is woken under
; the lock, so that what unmasks has only to look for events (unmask_slowly() says why none is lost).
action_change:
	movzx edx, byte [rcx + VCORE_HOLDER]
	xor eax, eax
	lock cmpxchg [rel process_tree_lock + LOCK_WORD], dx
	jne .unmask
	mov rax, [rcx + VCORE_CURRENT]
	mov rax, [rax + TASK_PROCESS]
	mov rax, [rax + PROCESS_SIGNAL_ACTIONS]
	cmp qword [rax], ACTIONS_OWN
	jne .drop
	mov edx, SIGNALS_UNMASKABLE << 1
	bt rdx, rdi
	jc .drop
	and r10, ~SIGNALS_UNMASKABLE
	mov rdx, [rax + ACTIONS_SET]
	dec rdi
	bts rdx, rdi
	mov [rax + ACTIONS_SET], rdx
	shl edi, ACTION_SHIFT
	add rax, rdi
%macro exchange 2
	mov rdx, [rax + ACTIONS_FIRST + %2]
	mov [rax + ACTIONS_FIRST + %2], %1
	mov %1, rdx
%endmacro
	exchange r8, ACTION_HANDLER
	exchange r9, ACTION_FLAGS
	exchange r10, ACTION_MASK
	mov [rax + ACTIONS_FIRST + ACTION_RESTORER], r11
	mov byte [rel process_tree_lock + LOCK_HOLDER], 0
	mov rax, [rcx + VCORE_PAGE]
	mov dword [rax + PAGE_MASKED], 0
	cmp dword [rax + PAGE_PENDING], 0
	jne .changed
	xor eax, eax
	ret
.changed:
	call take_events
	xor eax, eax
	ret
.drop:
	mov byte [rel process_tree_lock + LOCK_HOLDER], 0
.unmask:
	mov rax, [rcx + VCORE_PAGE]
	mov dword [rax + PAGE_MASKED], 0
	cmp dword [rax + PAGE_PENDING], 0
	je action_by_number
	call take_events
action_by_number:
	mov eax, 1
	ret

; By a call of the program, on its stack, for which we keep its registers.
take_events:
	push rdi
	push rsi
	push r8
	push r9
	push r10
	mov eax, CALL_ACTION_CHANGED
	call call_entry
	pop r10
	pop r9
	pop r8
	pop rsi
	pop rdi
	ret

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
