; SPDX-License-Identifier: MIT
;
; Calls that only read: one entry each QUICK_SIZE bytes, from EXO_QUICK_GETPID of scripts/musl/exo_call.h
; on, in that order.
;
; They run on the program's stack as if they were the program's own code: they are interrupted, and
; continued on another CPU, like that.  So they take no lock, have no task, and a bad pointer is a
; fault of the program, as in the vDSO of Linux.  The same calls by number go through call_entry, and
; so does whatever is not quick; and all of them do while tracing is on (quick_in_force).

%include "offsets.inc"
%include "this_vcore.inc"

extern call_entry, clock_quick

section .quick progbits alloc exec nowrite align=QUICK_SIZE

; A new entry, called %1.  RAX is the number of the call: call_entry may want it.
%assign quick_count 0
%macro quick 1
	align QUICK_SIZE, int3
	jmp [rel quick_in_force + 8 * quick_count]
%1:
%assign quick_count quick_count + 1
%endmacro

; A word of the process.  Between asking for the number of the CPU and reading its task we may be moved
; to another.  So an event in [quick_start, quick_end) puts RIP back to where the jump of the entry has
; led (entry.h): all from there on changes nothing but RAX and RCX.
%macro process_word 2
	quick %1
	THIS_VCORE rcx, ecx
	mov rcx, [rcx + VCORE_CURRENT]
	mov rcx, [rcx + TASK_PROCESS]
	mov eax, [rcx + %2]
	ret
%endmacro

global quick_start, quick_end, quick_in_force, quick_untraced

quick_start:
	process_word getpid, PROCESS_PID
	process_word getuid, PROCESS_UID
	process_word geteuid, PROCESS_EUID
	process_word getgid, PROCESS_GID
	process_word getegid, PROCESS_EGID
	align QUICK_SIZE, int3
quick_end:

; long clock_gettime(clockid_t RDI, struct timespec *RSI): the two clocks that most ask for,
; CLOCK_REALTIME and CLOCK_MONOTONIC.
	quick clock_gettime
	cmp edi, 1
	ja call_entry
	jmp clock_quick

	VCORES_BY_SELECTOR

; Where each entry leads, and where it leads while nobody traces (trace/control.c).
%macro entries 0
	dq getpid, getuid, geteuid, getgid, getegid, clock_gettime
%endmacro

section .data
	align 64
quick_in_force:
	entries

section .rodata
	align 8
quick_untraced:
	entries
