/* SPDX-License-Identifier: MIT */
/* The ChaCha20 block function, RFC 8439 section 2.3, with a nonce of zero. */
#ifndef LIBOS_CHACHA_H
#define LIBOS_CHACHA_H

#include <stdint.h>

#define CHACHA_KEY_WORDS 8
#define CHACHA_BLOCK_WORDS 16

void chacha20_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter,
		    uint32_t out[CHACHA_BLOCK_WORDS]);

#endif
