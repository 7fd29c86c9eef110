/* SPDX-License-Identifier: MIT */
/* libos/core/string.c: lengths, which are found a word at a time, wherever a string begins and ends. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "check.h"

#define memcpy libos_memcpy
#define memmove libos_memmove
#define memset libos_memset
#define memcmp libos_memcmp
#define memchr libos_memchr
#define strlen libos_strlen
#define strnlen libos_strnlen
#define strcmp libos_strcmp
#define strncmp libos_strncmp
#define strchr libos_strchr
#define strrchr libos_strrchr
#define strstr libos_strstr
#include "../../libos/core/string.c"
#undef strlen

#define PAGE 4096ul

/* The page behind the strings cannot be read. */
static char *page_with_an_end(void)
{
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mprotect(at + PAGE, PAGE, PROT_NONE) != 0)
		abort();
	return at;
}

static void lengths_are_right_wherever_a_string_is(void)
{
	static const unsigned char around[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	char *page = page_with_an_end();
	unsigned bad = 0;

	for (unsigned kind = 0; kind < sizeof(around); kind++)
		for (size_t n = 0; n < 40; n++)
			for (size_t behind = 0; behind < 9; behind++) {
				char *s = page + PAGE - behind - n - 1;

				libos_memset(page, around[kind], PAGE);
				libos_memset(s, around[kind] ? around[kind] : 0x81, n);
				s[n] = '\0';
				bad += libos_strlen(s) != n;
			}
	munmap(page, 2 * PAGE);
	CHECK_EQ(bad, 0);
}

/* A byte of 1 behind a zero, or of 0x80 before one, is where a subtraction of whole words may borrow. */
static void no_byte_is_taken_for_its_neighbour(void)
{
	char *page = page_with_an_end(), *s = page + PAGE - 16;
	unsigned bad = 0;

	for (unsigned first = 0; first < 256; first++)
		for (unsigned second = 0; second < 256; second++) {
			s[0] = (char)first;
			s[1] = (char)second;
			s[2] = '\0';
			s[3] = 1;
			bad += libos_strlen(s) != strlen(s);
		}
	munmap(page, 2 * PAGE);
	CHECK_EQ(bad, 0);
}

int main(void)
{
	RUN(lengths_are_right_wherever_a_string_is);
	RUN(no_byte_is_taken_for_its_neighbour);
	return check_result();
}
