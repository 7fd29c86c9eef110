/* SPDX-License-Identifier: MIT */
/* Time and memory used, in Linux's structure. */
#ifndef LIBOS_USAGE_H
#define LIBOS_USAGE_H

struct rusage;
struct usage;

void usage_to_linux(const struct usage *u, struct rusage *out);

#endif
