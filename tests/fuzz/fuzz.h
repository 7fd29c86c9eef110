/* SPDX-License-Identifier: MIT */
/*
 * Fuzzers on the host: each tests/fuzz/NAME_fuzz.c judges what a file of the kernel or the libos makes
 * of any bytes.  Its opening comment names the sources under test; they are built twice:
 *
 *	build/fuzz/NAME_fuzz        by gcc with driver.c, for `make test`: regressions, seeds, and a
 *	                            fixed number of damaged seeds
 *	build/fuzz/NAME_libfuzzer   by clang with libFuzzer, for `make fuzz`
 *
 * A fuzzer need not include the C library: what it needs of it is here.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_INPUT_MAX 8192u

/* ---- What each fuzzer provides. */

/* NAME of its file; what it shows, for the tests' output; how many damaged seeds `make test` tries. */
struct fuzz_target {
	const char *name, *shows;
	unsigned runs;
};
extern const struct fuzz_target fuzz_target;

/* Writes sound input number `number` to out, FUZZ_INPUT_MAX bytes; its size, 0: there are no more. */
size_t fuzz_seed(unsigned number, uint8_t *out);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- What fuzz.c provides. */

_Noreturn void fuzz_failed(const char *condition, const char *file, unsigned line);

/* A promise of the code under test. */
#define FUZZ_CHECK(condition) \
	((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__))

/* A block of exactly this size, so that the sanitiser sees any look beyond it; to be freed. */
void *fuzz_copy(const void *bytes, size_t size);
void fuzz_free(void *copy);
/* Zeroed pages at this address, for good. */
void *fuzz_pages_at(uint64_t address, size_t size);

/* ---- Input taken piece by piece: nothing but zeros behind its end. */

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* A little-endian number of so many bytes. */
static inline uint64_t fuzz_number(struct fuzz_input *in, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)fuzz_byte(in) << (8 * i);
	return value;
}

#endif
