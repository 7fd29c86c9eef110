/* SPDX-License-Identifier: MIT */
/*
 * int raise(int number);
 *
 * musl's version lets no signal in between the reading of the thread's id and the call that sends to it: a
 * handler that forks would come back in the child with an id that is another's.  Here the call itself means
 * the thread that makes it.
 */
#include <signal.h>
#include "libos_calls.h"
#include "syscall.h"

int raise(int number)
{
	return syscall(LIBOS_CALL_RAISE, number);
}
