; SPDX-License-Identifier: MIT
;
; Calls that only read: one entry each QUICK_SIZE bytes, from EXO_QUICK_GETPID of scripts/musl/exo_call.h
; on, in that order.
;
; They run on the program's stack as if they were the program's own code: they are interrupted, and
; continued on another CPU, like that.  So they take no lock, have no task, and a bad pointer is a
; fault of the program, as in the vDSO of Linux.  The same calls by number go through call_entry, and
; so does whatever is not quick; and all of them do while tracing is on.

%include "offsets.inc"
%include "this_vcore.inc"

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

; A word of the process.  Between asking for the number of the CPU and reading its task we may be moved
; to another.  So an event in [quick_start, quick_end) puts RIP back to behind the entry's check
; (entry.h): all from there on changes nothing but RAX and RCX.
%macro process_word 1
	quick
	THIS_VCORE rcx, ecx
	mov rcx, [rcx + VCORE_CURRENT]
	mov rcx, [rcx + TASK_PROCESS]
	mov eax, [rcx + %1]
	ret
%endmacro

global quick_start, quick_end

quick_start:
	process_word PROCESS_PID
	process_word PROCESS_UID
	process_word PROCESS_EUID
	process_word PROCESS_GID
	process_word PROCESS_EGID
	align QUICK_SIZE, int3
quick_end:

; long clock_gettime(clockid_t RDI, struct timespec *RSI): the two clocks that most ask for,
; CLOCK_REALTIME and CLOCK_MONOTONIC.
	quick
	cmp edi, 1
	ja call_entry
	jmp clock_quick

	VCORES_BY_SELECTOR
