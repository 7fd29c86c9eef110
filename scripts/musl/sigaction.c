/* SPDX-License-Identifier: MIT */
/*
 * sigaction(), as musl's own (src/signal/sigaction.c, which says why each of the steps is there).
 *
 * What is noted about handlers only ever becomes true: that a signal has had one, that a call may end with
 * EINTR, that the library's own signals are let in.  What is noted already is seen by whoever could see it if
 * it were noted again, so that the locked instructions are for the first time; and with __actions_noted most
 * need not even look (sigaction_quick.S).
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "ksigaction.h"
#include "libc.h"
#include "lock.h"
#include "pthread_impl.h"
#include "syscall.h"

#define FIRST_INTERNAL 32 /* SIGTIMER, SIGCANCEL, SIGSYNCCALL */
#define INTERNAL 3

static int unmask_done;
static volatile unsigned long handler_set[1];
volatile int __eintr_valid_flag;

/* A bit for each signal of which nothing is left to note when a handler is set: any, and one with SA_RESTART.
 * Not for those with which there is more to do.  One that is lost, of two that are noted at once, is found
 * missing the next time. */
hidden volatile unsigned long __actions_noted[2];

_Static_assert(_NSIG / 8 == sizeof(handler_set), "a word has them all");
_Static_assert(offsetof(struct sigaction, sa_mask) == 8 && offsetof(struct sigaction, sa_flags) == 136,
	       "sigaction_quick.S has them there");

void __get_handler_set(sigset_t *set)
{
	set->__bits[0] = handler_set[0];
}

static inline void note_handler(int sig, int flags)
{
	unsigned long bit = 1UL << (sig - 1);

	if (!(handler_set[0] & bit))
		a_or_64((volatile uint64_t *)handler_set, bit);
	if (!unmask_done && !libc.threaded) {
		__syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, SIGPT_SET, 0, _NSIG / 8);
		unmask_done = 1;
	}
	if (!(flags & SA_RESTART) && !__eintr_valid_flag)
		a_store(&__eintr_valid_flag, 1);
}

static inline __attribute__((always_inline)) int change(int sig, const struct sigaction *restrict sa,
							 struct sigaction *restrict old)
{
	struct k_sigaction ksa, ksa_old;
	int r;

	if (sa) {
		if ((uintptr_t)sa->sa_handler > 1)
			note_handler(sig, sa->sa_flags);
		ksa.handler = sa->sa_handler;
		ksa.flags = sa->sa_flags | SA_RESTORER;
		ksa.restorer = __restore_rt; /* x86-64 has no other */
		__builtin_memcpy(&ksa.mask, &sa->sa_mask, _NSIG / 8);
	}
	r = __syscall(SYS_rt_sigaction, sig, sa ? &ksa : 0, old ? &ksa_old : 0, _NSIG / 8);
	if (old && !r) {
		old->sa_handler = ksa_old.handler;
		old->sa_flags = ksa_old.flags;
		__builtin_memcpy(&old->sa_mask, &ksa_old.mask, _NSIG / 8);
	}
	return __exo_result(r);
}

int __libc_sigaction(int sig, const struct sigaction *restrict sa, struct sigaction *restrict old)
{
	return change(sig, sa, old);
}

/* abort() holds the lock while it ends the process: neither may its action be changed then, nor may what it
 * has made of it be seen. */
static __attribute__((noinline)) int change_of_abort(const struct sigaction *restrict sa,
						      struct sigaction *restrict old)
{
	unsigned long set[_NSIG / (8 * sizeof(long))];
	int r;

	__block_all_sigs(&set);
	LOCK(__abort_lock);
	r = change(SIGABRT, sa, old);
	UNLOCK(__abort_lock);
	__restore_sigs(&set);
	return r;
}

static void note_what_is_noted(int sig)
{
	unsigned long bit = 1UL << (sig - 1);

	if (!(handler_set[0] & bit) || (!unmask_done && !libc.threaded))
		return;
	__actions_noted[1] |= bit;
	if (__eintr_valid_flag)
		__actions_noted[0] |= bit;
}

hidden int __sigaction_by_number(int sig, const struct sigaction *restrict sa, struct sigaction *restrict old)
{
	int r;

	if ((unsigned)sig - FIRST_INTERNAL < INTERNAL || sig - 1U >= _NSIG - 1) {
		errno = EINVAL;
		return -1;
	}
	if (sig == SIGABRT)
		return change_of_abort(sa, old);
	r = change(sig, sa, old);
	note_what_is_noted(sig);
	return r;
}
