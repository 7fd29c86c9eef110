/* SPDX-License-Identifier: MIT */
/*
 * Servers without an SC, which run on what their callers donate: A, which has an SC, calls B, and B
 * calls C, on the same CPU.  C does as it is ordered in the middle.  Everybody notes what he does:
 *
 *	A begins to call, a has an answer; B b, C c likewise; ! something else than an answer
 */
#ifndef TESTS_KERNEL_SERVERS_PLAYERS_H
#define TESTS_KERNEL_SERVERS_PLAYERS_H

#include "children.h"

enum { A, B, C, D, PARENT, CALLERS };

/* What everybody calls the others' vcores, and what C may order about; fixed before they start. */
extern int64_t vcore_of[CALLERS][CHILDREN_MAX];
extern int64_t domain_of[CHILDREN_MAX], context_of_a;

extern void (*_Atomic order)(void);           /* what C does in the middle, once */
extern _Atomic uint64_t cuts[CALLERS];        /* donations that ended before an answer came */
extern _Atomic int64_t ended_by[CALLERS];     /* what the last donation returned */
extern _Atomic uint64_t served[CHILDREN_MAX]; /* answers given */
extern char notes[64];

/* ---------------------------------------------------------------- for all of them */

void note(char what);
/* Is this all that they noted?  Says what they did. */
bool noted(const char *text);
bool has_noted(char what);
/* For so many ms. */
void spin(uint64_t n);
int64_t donate(int64_t vcore);
/* Until there is an answer, or nobody who could give one. */
int64_t call(unsigned caller, unsigned server);
/* Halts instead of replying, and counts. */
void sleeper_main(void);

/* ---------------------------------------------------------------- for the parent */

/* What child `to` calls it. */
int64_t copy(int64_t handle, unsigned to);
/* Makes A, B and C.  budget_ns: A's, of every 10 ms; 0: all of the CPU is the parent's. */
void make_three(uint64_t budget_ns);
void end_three(void);
/* Lets A make one call, for as long as that may take. */
void let_a_call(void (*in_the_middle)(void), uint64_t at_most_ms);
int64_t consumed_ns(int64_t sc);

#endif
