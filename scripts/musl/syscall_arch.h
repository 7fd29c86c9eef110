/* SPDX-License-Identifier: MIT */
/*
 * musl's system calls on this system: function calls into the libos.
 * Replaces arch/x86_64/syscall_arch.h; exo_call.h states the convention.
 *
 * There is no vDSO: the calls that it is for have entries of their own, which
 * are chosen here when the number is a constant, as it nearly always is.
 */
#include "exo_call.h"

#define EXO_CALL "call *%%rcx"
#define EXO_ENTRY_OF(n) (__builtin_constant_p(n) ? __exo_entry_of(n) : EXO_LIBOS_ENTRY)

static __inline long __exo_entry_of(long n)
{
	switch (n) {
	case SYS_getpid:
		return EXO_QUICK_GETPID;
	case SYS_getuid:
		return EXO_QUICK_GETUID;
	case SYS_getgid:
		return EXO_QUICK_GETGID;
	case SYS_geteuid:
		return EXO_QUICK_GETEUID;
	case SYS_getegid:
		return EXO_QUICK_GETEGID;
	case SYS_clock_gettime:
		return EXO_QUICK_CLOCK_GETTIME;
	case SYS_rt_sigprocmask:
		return EXO_QUICK_SIGPROCMASK;
	case SYS_read:
		return EXO_CALL_READ;
	case SYS_write:
		return EXO_CALL_WRITE;
	default:
		return EXO_LIBOS_ENTRY;
	}
}

#define EXO_CLOBBERS                                                                       \
	"r11", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",     \
		"xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

static __inline long __syscall0(long n)
{
	long entry = EXO_ENTRY_OF(n);

	__asm__ __volatile__(EXO_CALL
			     : "+a"(n), "+c"(entry)
			     :
			     : "rdi", "rsi", "rdx", "r8", "r9", "r10", EXO_CLOBBERS);
	return n;
}

static __inline long __syscall1(long n, long a1)
{
	long entry = EXO_ENTRY_OF(n);

	__asm__ __volatile__(EXO_CALL
			     : "+a"(n), "+c"(entry), "+D"(a1)
			     :
			     : "rsi", "rdx", "r8", "r9", "r10", EXO_CLOBBERS);
	return n;
}

static __inline long __syscall2(long n, long a1, long a2)
{
	long entry = EXO_ENTRY_OF(n);

	__asm__ __volatile__(EXO_CALL
			     : "+a"(n), "+c"(entry), "+D"(a1), "+S"(a2)
			     :
			     : "rdx", "r8", "r9", "r10", EXO_CLOBBERS);
	return n;
}

static __inline long __syscall3(long n, long a1, long a2, long a3)
{
	long entry = EXO_ENTRY_OF(n);

	__asm__ __volatile__(EXO_CALL
			     : "+a"(n), "+c"(entry), "+D"(a1), "+S"(a2), "+d"(a3)
			     :
			     : "r8", "r9", "r10", EXO_CLOBBERS);
	return n;
}

static __inline long __syscall4(long n, long a1, long a2, long a3, long a4)
{
	long entry = EXO_ENTRY_OF(n);
	register long r10 __asm__("r10") = a4;

	__asm__ __volatile__(EXO_CALL
			     : "+a"(n), "+c"(entry), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
			     :
			     : "r8", "r9", EXO_CLOBBERS);
	return n;
}

static __inline long __syscall5(long n, long a1, long a2, long a3, long a4, long a5)
{
	long entry = EXO_ENTRY_OF(n);
	register long r10 __asm__("r10") = a4;
	register long r8 __asm__("r8") = a5;

	__asm__ __volatile__(EXO_CALL
			     : "+a"(n), "+c"(entry), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
			     :
			     : "r9", EXO_CLOBBERS);
	return n;
}

static __inline long __syscall6(long n, long a1, long a2, long a3, long a4, long a5, long a6)
{
	long entry = EXO_ENTRY_OF(n);
	register long r10 __asm__("r10") = a4;
	register long r8 __asm__("r8") = a5;
	register long r9 __asm__("r9") = a6;

	__asm__ __volatile__(EXO_CALL
			     : "+a"(n), "+c"(entry), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8),
			       "+r"(r9)
			     :
			     : EXO_CLOBBERS);
	return n;
}

#define IPC_64 0
