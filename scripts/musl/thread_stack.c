/* SPDX-License-Identifier: MIT */
/*
 * A few stacks of threads that were joined, for threads that are made later: mapping one, bringing its first
 * page and unmapping it is half of what a short-lived thread costs.
 *
 * They stay mapped as they were, their guards too, and count as the process's memory: KEPT of at most LARGEST
 * bytes.  Only the part that pthread_create() counts on to be zeros is cleared, by itself.
 *
 * A place changes hands by one exchange, and who has taken a thread out of it has it alone; before, it is not
 * looked at, since somebody else may take and unmap it meanwhile.  So no lock is needed, and a child of fork
 * finds each place empty or with a stack that nobody uses; what was just on its way, it has lost.
 */
#include "thread_stack.h"

#define KEPT 8
#define LARGEST (256u << 10)

static void *volatile kept[KEPT];

static int exchange(unsigned i, void *old, void *new)
{
	return a_cas_p(&kept[i], old, new) == old;
}

static int put(pthread_t t)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (!kept[i] && exchange(i, 0, t))
			return 1;
	return 0;
}

unsigned char *__thread_stack_take(size_t size, size_t guard)
{
	for (unsigned i = 0; i < KEPT; i++) {
		pthread_t t = kept[i];

		if (!t || !exchange(i, t, 0))
			continue;
		if (t->map_size == size && t->guard_size == guard)
			return t->map_base;
		if (!exchange(i, 0, t))
			__thread_stack_give(t);
	}
	return 0;
}

/* If there is no place, then for what was used last: the program may want another size now. */
void __thread_stack_give(pthread_t t)
{
	if (t->map_size <= LARGEST) {
		if (put(t))
			return;
		pthread_t old = kept[0];

		if (exchange(0, old, t))
			t = old;
	}
	if (t)
		__munmap(t->map_base, t->map_size);
}
