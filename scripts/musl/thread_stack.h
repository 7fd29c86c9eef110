/* SPDX-License-Identifier: MIT */
/* Stacks of threads that have ended, kept for the next ones: thread_stack.c. */
#ifndef THREAD_STACK_H
#define THREAD_STACK_H

#include <stddef.h>
#include "pthread_impl.h"

/* A mapping of so many bytes, with such a guard; what the last thread wrote is still in it, and so are the
 * rights if it changed those of its own stack.  NULL: there is none. */
hidden unsigned char *__thread_stack_take(size_t size, size_t guard);

/* Nobody uses the thread's mapping any more: it is kept, or unmapped. */
hidden void __thread_stack_give(pthread_t t);

#endif
