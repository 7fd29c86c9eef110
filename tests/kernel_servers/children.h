/* SPDX-License-Identifier: MIT */
/*
 * Several child domains at once, on CPU 0, made of the same image: their shared regions map the same
 * frames, data included, so that all can talk through variables.
 */
#ifndef TESTS_KERNEL_SERVERS_CHILDREN_H
#define TESTS_KERNEL_SERVERS_CHILDREN_H

#include "harness.h"

#define CHILDREN_MAX 4

struct one {
	/* The parent's; 0: there is none. */
	int64_t domain, shared, space, vcore, sc;
	/* What it does; fixed before it is started. */
	void (*main)(void);
	/* The child's. */
	struct seen seen;
	bool dead; /* the DEATH message has come */
};
extern struct one children[CHILDREN_MAX];

/* In a child: which one. */
struct one *this_one(void);

/* In the parent.  A child without an SC runs only on what is donated to it. */
void one_make(struct one *c, void (*main)(void));
void one_fund(struct one *c, uint64_t budget_ns); /* of every 10 ms */
void one_start(struct one *c);
/* Kills it if it lives, takes it apart, and sees that its last message has come. */
void one_end(struct one *c);
/* Is one left, of a case that failed?  It spoils all that follow. */
bool children_left(void);
/* message_hook (harness.h) while there are children. */
void children_message(const struct exo_message *m);
/* The parent sleeps. */
void pass_ms(uint64_t n);

#define RUN_WHILE_SOUND(test)                                                          \
	do {                                                                           \
		if (!children_left())                                                  \
			RUN(test);                                                     \
	} while (0)

#endif
