/* SPDX-License-Identifier: MIT */
/* libos/abi/chacha.c against a published vector. */
#include "abi/chacha.h"
#include "check.h"

/* RFC 8439 appendix A.1, test vector 1: key, nonce and counter zero. */
static void the_zero_key_gives_the_published_block(void)
{
	static const uint32_t key[CHACHA_KEY_WORDS];
	static const uint32_t expected[CHACHA_BLOCK_WORDS] = {
		0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653, 0xb819d2bd, 0x1aed8da0,
		0xccef36a8, 0xc70d778b, 0x7c5941da, 0x8d485751, 0x3fe02477, 0x374ad8b8,
		0xf4b8436a, 0x1ca11815, 0x69b687c3, 0x8665eeb2,
	};
	uint32_t block[CHACHA_BLOCK_WORDS];

	chacha20_block(key, 0, block);
	for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
		CHECK_EQ(block[i], expected[i]);
}

int main(void)
{
	RUN(the_zero_key_gives_the_published_block);
	return check_result();
}
