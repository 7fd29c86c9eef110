/* SPDX-License-Identifier: MIT */
/* What all fuzzers share, under either driver. */
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

_Noreturn void fuzz_failed(const char *condition, const char *file, unsigned line)
{
	fprintf(stderr, "# %s:%u: not so: %s\n", file, line, condition);
	abort();
}

/* exo/invariant.h and libos/core/log.h want it: I1 to I12 count as promises. */
_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line);
_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	fuzz_failed(condition, file, line);
}

void *fuzz_copy(const void *bytes, size_t size)
{
	void *copy = malloc(size);

	if (!copy)
		fuzz_failed("there is memory", __FILE__, __LINE__);
	if (size != 0)
		memcpy(copy, bytes, size);
	return copy;
}

void fuzz_free(void *copy)
{
	free(copy);
}

void *fuzz_pages_at(uint64_t address, size_t size)
{
	void *pages = mmap((void *)address, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	FUZZ_CHECK(pages == (void *)address);
	return pages;
}
