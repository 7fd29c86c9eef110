/* SPDX-License-Identifier: MIT */
/*
 * How a program enters the libos: a call to the first byte of the libos image
 * (EXO_SHARED_BASE in exo/abi.h), with the registers of Linux's SYSCALL.
 *
 *     rax            system call number; the result on return
 *     rdi rsi rdx r10 r8 r9    arguments
 *     rbx rbp r12-r15 rsp      preserved
 *     all others     lost, as in any C call: rcx rdx rsi rdi r8-r11, vectors, flags
 *
 * The stack need not be aligned, but the call writes the word below rsp: code
 * that holds such a call is built with -mno-red-zone.
 *
 * Every site has the same two instructions and ends in a two-byte `call *%rcx`,
 * which is as long as SYSCALL.  So the libos restarts an interrupted call as
 * Linux does: two bytes back, with the number in rax, the arguments restored
 * and its own entry address in rcx.
 *
 * Calls of a few instructions have entries of their own (libos/core/quick.asm), which are called in the same
 * way, or in any other where they do not end with -ERESTART*.
 */
#define EXO_LIBOS_ENTRY 0x7f0000000000
#define EXO_QUICK_GETPID (EXO_LIBOS_ENTRY + 0x400)
#define EXO_QUICK_GETUID (EXO_LIBOS_ENTRY + 0x440)
#define EXO_QUICK_GETEUID (EXO_LIBOS_ENTRY + 0x480)
#define EXO_QUICK_GETGID (EXO_LIBOS_ENTRY + 0x4c0)
#define EXO_QUICK_GETEGID (EXO_LIBOS_ENTRY + 0x500)
#define EXO_QUICK_CLOCK_GETTIME (EXO_LIBOS_ENTRY + 0x540)
#define EXO_QUICK_SIGPROCMASK (EXO_LIBOS_ENTRY + 0x580)
#define EXO_QUICK_SIGACTION (EXO_LIBOS_ENTRY + 0x5c0)

/* Doors for calls that are made often (libos/core/read_write.asm); the number is in rax all the same. */
#define EXO_CALL_READ (EXO_LIBOS_ENTRY + 0x800)
#define EXO_CALL_WRITE (EXO_LIBOS_ENTRY + 0x900)

#ifdef __ASSEMBLER__
.macro exo_call
	movabs $EXO_LIBOS_ENTRY, %rcx
	call *%rcx
.endm
#endif
