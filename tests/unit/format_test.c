/* SPDX-License-Identifier: MIT */
/* libos/core/format.c, against the C library's snprintf */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "check.h"
#include "core/log.h"

#define SAME(...)                                                                          \
	do {                                                                               \
		char want[128], got[128];                                                  \
		int w = snprintf(want, sizeof(want), __VA_ARGS__);                         \
		int g = format(got, sizeof(got), __VA_ARGS__);                             \
		CHECK_EQ(g, w);                                                            \
		CHECK(strcmp(want, got) == 0);                                             \
	} while (0)

static void numbers_look_like_the_c_library_s(void)
{
	SAME("%d %d %d", 0, INT_MIN, INT_MAX);
	SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
	SAME("[%5d] [%-5d] [%05d]", 42, 42, -42);
	SAME("[%08x] [%X] [%o]", 0xbeef, 0xbeef, 8);
	SAME("%zu", (size_t)123);
	SAME("[%.3d]", 7);
}

static void strings_are_padded_and_cut(void)
{
	SAME("[%s] [%8s] [%-8s]", "abc", "abc", "abc");
	SAME("[%.2s] [%*s]", "abcdef", 6, "xy");
	SAME("%c%c %%", 'a', 'b');
}

static void a_short_buffer_is_terminated(void)
{
	char buf[4] = "zzz";

	CHECK_EQ(format(buf, sizeof(buf), "%s", "abcdef"), 6);
	CHECK(strcmp(buf, "abc") == 0);
}

int main(void)
{
	RUN(numbers_look_like_the_c_library_s);
	RUN(strings_are_padded_and_cut);
	RUN(a_short_buffer_is_terminated);
	return check_result();
}
