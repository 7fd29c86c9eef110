/* SPDX-License-Identifier: MIT */
/*
 * getrandom and the random devices: a ChaCha20 generator with fast key erasure (D. J. Bernstein,
 * "Fast-key-erasure random-number generators", 2017), so that what was given out cannot be worked
 * out from the state later.  It is seeded from the processor (RDRAND where there is one) and from
 * the time-stamp counter, and stirred again with both at every new batch of blocks.
 */
#include "abi/random.h"
#include <exo/abi.h>
#include <linux/random.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/chacha.h"
#include "abi/errno.h"
#include "core/lock.h"
#include "core/string.h"
#include "core/usercopy.h"

static struct lock random_lock = LOCK_INIT("random", RANK_LEAF);

/* Blocks at a time: a program's start takes 16 bytes of the 224 that are one batch. */
#define BATCH 4

/* Under random_lock. */
static uint32_t key[CHACHA_KEY_WORDS];
static char ready[BATCH * CHACHA_BLOCK_WORDS * sizeof(uint32_t)];
static size_t ready_count; /* bytes at the end of ready[] still to be given out; others are zero */

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static bool has_rdrand(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (c & (1u << 30)) != 0;
}

static uint64_t hardware_random(void)
{
	uint64_t value = 0;

	if (has_rdrand())
		__asm__ volatile("rdrand %0" : "+r"(value) : : "cc");
	return value;
}

/* Under the lock. */
static void stir(void)
{
	uint64_t fresh[2] = { read_tsc(), hardware_random() };

	key[0] ^= (uint32_t)fresh[0];
	key[1] ^= (uint32_t)(fresh[0] >> 32);
	key[2] ^= (uint32_t)fresh[1];
	key[3] ^= (uint32_t)(fresh[1] >> 32);
}

/* Under the lock: the first bytes become the next key, the others wait to be given out. */
static void make_ready(void)
{
	uint32_t block[CHACHA_BLOCK_WORDS];

	stir();
	for (uint32_t i = 0; i < BATCH; i++) {
		chacha20_block(key, i, block);
		memcpy(ready + i * sizeof(block), block, sizeof(block));
	}
	memcpy(key, ready, sizeof(key));
	memset(ready, 0, sizeof(key));
	ready_count = sizeof(ready) - sizeof(key);
	memset(block, 0, sizeof(block));
	__asm__ volatile("" : : "r"(block) : "memory"); /* the block is really cleared */
}

/* Each byte is given out once, and is not kept. */
void random_bytes(void *to, size_t size)
{
	char *out = to;

	lock_acquire(&random_lock);
	while (size > 0) {
		if (ready_count == 0)
			make_ready();
		size_t n = size < ready_count ? size : ready_count;
		char *from = ready + sizeof(ready) - ready_count;

		memcpy(out, from, n);
		memset(from, 0, n);
		ready_count -= n;
		out += n;
		size -= n;
	}
	lock_release(&random_lock);
}

#define PIECE 256
#define GETRANDOM_MAX 0x1ffffffu /* as Linux: 32 MiB - 1 in one call */

long random_to_user(uint64_t buffer, uint64_t size)
{
	char piece[PIECE];
	uint64_t done = 0;

	if (size > GETRANDOM_MAX)
		size = GETRANDOM_MAX;
	while (done < size) {
		size_t n = size - done < PIECE ? size - done : PIECE;

		random_bytes(piece, n);
		if (copy_to_user(buffer + done, piece, n) != 0)
			return done != 0 ? (long)done : -EFAULT;
		done += n;
	}
	return (long)done;
}

long sys_getrandom(uint64_t buffer, uint64_t size, unsigned flags)
{
	const unsigned both = GRND_RANDOM | GRND_INSECURE; /* contradict each other */

	if ((flags & ~(GRND_NONBLOCK | both)) != 0 || (flags & both) == both)
		return -EINVAL;
	return random_to_user(buffer, size);
}
