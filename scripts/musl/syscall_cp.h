/* SPDX-License-Identifier: MIT */
/*
 * Cancellation points and results, cheaply: included at the end of musl's src/internal/syscall.h.
 *
 * A result is looked at in place, and errno is set elsewhere.
 *
 * Only a program that can cancel threads has to look for a cancellation around a
 * call.  Those link pthread_cancel.o, and with it syscall_cp.S; in all others its
 * label is nowhere, and the call is made in place.
 */
#ifndef EXO_SYSCALL_CP_H
#define EXO_SYSCALL_CP_H

/* A load from the table of addresses that the linker makes a constant of.  From C the compiler makes as
 * readily a comparison with the table's entry, which stays one: one more page for who reads or writes. */
static inline int __exo_cancels(void)
{
	const char *begin;

	__asm__(".weak __cp_begin\n\t"
		".hidden __cp_begin\n\t"
		"movq __cp_begin@GOTPCREL(%%rip), %0"
		: "=r"(begin));
	return begin != 0;
}

#undef __syscall_cp0
#undef __syscall_cp1
#undef __syscall_cp2
#undef __syscall_cp3
#undef __syscall_cp4
#undef __syscall_cp5
#undef __syscall_cp6
#define __syscall_cp0(n) \
	(__exo_cancels() ? (__syscall_cp)(n, 0, 0, 0, 0, 0, 0) : __syscall0(n))
#define __syscall_cp1(n, a) \
	(__exo_cancels() ? (__syscall_cp)(n, __scc(a), 0, 0, 0, 0, 0) : __syscall1(n, a))
#define __syscall_cp2(n, a, b) \
	(__exo_cancels() ? (__syscall_cp)(n, __scc(a), __scc(b), 0, 0, 0, 0) : __syscall2(n, a, b))
#define __syscall_cp3(n, a, b, c) \
	(__exo_cancels() ? (__syscall_cp)(n, __scc(a), __scc(b), __scc(c), 0, 0, 0) \
			 : __syscall3(n, a, b, c))
#define __syscall_cp4(n, a, b, c, d) \
	(__exo_cancels() ? (__syscall_cp)(n, __scc(a), __scc(b), __scc(c), __scc(d), 0, 0) \
			 : __syscall4(n, a, b, c, d))
#define __syscall_cp5(n, a, b, c, d, e) \
	(__exo_cancels() ? (__syscall_cp)(n, __scc(a), __scc(b), __scc(c), __scc(d), __scc(e), 0) \
			 : __syscall5(n, a, b, c, d, e))
#define __syscall_cp6(n, a, b, c, d, e, f) \
	(__exo_cancels() ? (__syscall_cp)(n, __scc(a), __scc(b), __scc(c), __scc(d), __scc(e), __scc(f)) \
			 : __syscall6(n, a, b, c, d, e, f))

static inline long __exo_result(unsigned long r)
{
	return __builtin_expect(r > -4096ul, 0) ? __syscall_ret(r) : (long)r;
}

#undef syscall
#undef syscall_cp
#define syscall(...) __exo_result(__syscall(__VA_ARGS__))
#define syscall_cp(...) __exo_result(__syscall_cp(__VA_ARGS__))

#endif
