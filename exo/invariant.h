/* SPDX-License-Identifier: MIT */
/*
 * Assertions.  ASSERT_INVARIANT is compiled in every build, so that it cannot rot, and active in
 * debug builds (-DEXO_DEBUG=1).  BUG is for states that only an error of the kernel itself can
 * bring about; user input must never reach either.
 */
#ifndef EXO_INVARIANT_H
#define EXO_INVARIANT_H

#ifndef EXO_DEBUG
#define EXO_DEBUG 0
#endif

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line);

#define ASSERT_INVARIANT(condition)                                            \
	do {                                                                   \
		if (EXO_DEBUG && !(condition))                                 \
			invariant_failed(#condition, __FILE__, __LINE__);      \
	} while (0)

#define BUG() invariant_failed("this is never reached", __FILE__, __LINE__)

#endif
