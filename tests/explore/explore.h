/* SPDX-License-Identifier: MIT */
/*
 * Runs a few threads of shipped code in every order, up to a bound, and says which order breaks
 * what the case promises.
 *
 * The files under test are compiled as they are, with -fsanitize=thread: the compiler then calls a
 * function before each access to memory and in place of each atomic operation.  Here these functions
 * are not the sanitiser's but ours (memory.c): each is a place where a store may stay in the store
 * buffer of its CPU, and where two accesses that nothing orders are found out; and each atomic one is
 * a point where another thread may go on.
 *
 * Why not before plain accesses too: either they are ordered, and nobody else can tell whether he came
 * before or after them; or they are not, and then that is found in the orders of the atomic ones.  Only
 * while stores are kept back they are points as well, as some of them end that.
 *
 * Explored: all schedules with at most `preemptions` changes of thread that the thread did not ask
 * for, and in each all ways of keeping at most `delays` stores back (x86-TSO: in order, visible to
 * the CPU's own loads, drained by locked instructions and fences).  Bounds grow one by one, so the
 * first counterexample is one of the shortest.
 */
#ifndef TESTS_EXPLORE_EXPLORE_H
#define TESTS_EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS_MAX 4

struct explore_case {
	const char *name;
	unsigned threads;
	unsigned preemptions, delays; /* bounds */
	void (*setup)(void);          /* before each schedule: everything as at the beginning */
	void (*thread)(unsigned number);
	void (*check)(void); /* after each schedule in which all threads have ended */
	const char *finds; /* NULL, or the case is wrong on purpose: words of what must be found */
};

/* All cases of a program; prints "ok" or "not ok" lines, returns the exit status. */
int explore(const struct explore_case *cases, size_t count);

/* The case's promise is broken: the schedule is printed, and the case ends.  Any thread, or check. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define EXPLORE_CHECK(condition)                                                                   \
	do {                                                                                       \
		if (!(condition))                                                                  \
			explore_fail("%s:%d: %s", __FILE__, __LINE__, #condition);                 \
	} while (0)

/*
 * A thread sleeps until the condition holds, which must read memory only.  If all sleep, and no
 * condition holds, a wake was lost: the case fails.  Drains the thread's store buffer, as entering
 * the kernel does.
 */
void explore_wait(bool (*ready)(void *), void *argument, const char *what);

/* Setup: what the threads share must be named; so it is called in a printed schedule. */
void explore_name(const volatile void *address, size_t size, const char *name);

/* The number of the thread that runs; EXPLORE_THREADS_MAX in setup and check. */
unsigned explore_self(void);
/* Setup: where the thread's stack ends (it grows down), when the code under test wants to know. */
void explore_stack(unsigned thread, void *bottom, size_t size);

/* Goes on on another stack, of which the top six words are the registers that a call keeps, and the seventh
 * an address: for a case in which a thread stands for several tasks. */
void context_switch(void **save, void *load);

#endif
