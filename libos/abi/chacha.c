/* SPDX-License-Identifier: MIT */
/* The ChaCha20 block function.  Pure: host-tested in tests/unit/chacha_test.c. */
#include "abi/chacha.h"

static uint32_t rotate(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

void chacha20_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter,
		    uint32_t out[CHACHA_BLOCK_WORDS])
{
	uint32_t start[CHACHA_BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t x[CHACHA_BLOCK_WORDS];

	for (int i = 0; i < CHACHA_KEY_WORDS; i++)
		start[4 + i] = key[i];
	start[12] = counter;
	for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
		x[i] = start[i];
	for (int round = 0; round < 10; round++) {
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			quarter_round(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			quarter_round(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4],
				      &x[12 + (i + 3) % 4]);
	}
	for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
		out[i] = x[i] + start[i];
}
