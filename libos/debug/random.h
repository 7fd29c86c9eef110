/* SPDX-License-Identifier: MIT */
/* Random numbers that a seed repeats, and reading one. */
#ifndef LIBOS_DEBUG_RANDOM_H
#define LIBOS_DEBUG_RANDOM_H

#include <stdint.h>

extern uint64_t races_seed; /* races.c; 0: there are none */

/* splitmix64: neighbouring arguments give unrelated results. */
static inline uint64_t random_mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Decimal digits, behind spaces; returns what follows them. */
static inline const char *number_read(const char *at, uint64_t *number)
{
	while (*at == ' ')
		at++;
	for (*number = 0; *at >= '0' && *at <= '9'; at++)
		*number = *number * 10 + (uint64_t)(*at - '0');
	return at;
}

#endif
