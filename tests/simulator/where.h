/* SPDX-License-Identifier: MIT */
/* Where in its source a library was when it was stopped. */
#ifndef SIMULATOR_WHERE_H
#define SIMULATOR_WHERE_H

#include <stddef.h>
#include <ucontext.h>

/* Before any signal may come: what is looked for there is loaded. */
void where_prepare(void);

/*
 * From there out to the callback, each with its function: "mine.c:12 in first(), mine.c:30 in mine_pick()".
 * "" if no source of it is known.  `at` is what the handler of a signal was given; NULL: the library is what
 * has called, by a sanitizer or a function that finds itself misused.
 */
void where_was(char *to, size_t size, const ucontext_t *at);

#endif
